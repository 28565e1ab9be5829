use super::*;

fn plan() -> CeremonyPlan {
    let pcr = "ab".repeat(48);
    let json = format!(
        r#"{{"PCR0":"{pcr}","PCR1":"{pcr}","PCR2":"{pcr}","PCR8":"{pcr}","role_arn":"arn:\"a\\b"}}"#
    );
    CeremonyPlan {
        id: CeremonyId([7; 16]),
        namespace: Name::new("treasury").unwrap(),
        members: ["alice", "bob"].map(|n| Name::new(n).unwrap()).to_vec(),
        manifest_members: Some(vec![Name::new("carol").unwrap(), Name::new("bob").unwrap()]),
        share_threshold: 2,
        age_limit: AgeLimit::SHORTEST,
        manifest_threshold: 2,
        partition: Partition::Development,
        root: Sha256([9; 32]),
        measurements: MeasurementsSource::Here(Box::new(
            inputs::measurements(json.as_bytes()).unwrap(),
        )),
    }
}

#[test]
fn what_was_written_is_read() {
    let mut plan = plan();
    let text = plan.to_toml();
    assert_eq!(
        CeremonyPlan::parse(text.as_bytes()),
        Ok(plan.clone()),
        "{text}"
    );
    let people: Vec<&str> = plan.people().map(Name::as_str).collect();
    assert_eq!(people, ["alice", "bob", "carol"]);
    plan.manifest_members = None;
    plan.measurements = MeasurementsSource::File("the \"image\".json".into());
    let text = plan.to_toml();
    assert_eq!(CeremonyPlan::parse(text.as_bytes()), Ok(plan), "{text}");
}

#[test]
fn plans_that_are_not_understood_fails_closed() {
    let good = plan().to_toml();
    let parse = |text: &str| CeremonyPlan::parse(text.as_bytes()).unwrap_err();
    let field = |field| PlanError::Field { field };
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        parse(&good.replacen(from, to, 1))
    };
    assert_eq!(
        change("format = 1", "format = 2"),
        PlanError::Format { found: 2 }
    );
    assert_eq!(change("id = \"07", "id = \"+7"), field("id"));
    assert_eq!(
        change("\"treasury\"", "\"../treasury\""),
        field("namespace")
    );
    assert_eq!(change("\"alice\"", "\"bob\""), field("members"));
    assert_eq!(change("\"carol\"", "\"bob\""), field("manifest_members"));
    assert_eq!(change("\"development\"", "\"mars\""), field("partition"));
    assert_eq!(change("root = \"09", "root = \"x9"), field("root"));
    for limit in ["0", "59", "1801"] {
        let changed = change("age_limit = 60", &format!("age_limit = {limit}"));
        assert_eq!(changed, field("age_limit"));
    }
    // A field that is not known might be meant to be checked.
    let unknown = change("share_threshold = 2", "share_treshold = 2");
    assert!(matches!(unknown, PlanError::Malformed { .. }));
    let twice = change(
        "share_threshold = 2",
        "share_threshold = 2\nshare_threshold = 1",
    );
    assert!(matches!(twice, PlanError::Malformed { .. }));
    let large = change("share_threshold = 2", "share_threshold = 256");
    assert!(matches!(large, PlanError::Malformed { .. }));
    let short = change("pcr0 = \"ab", "pcr0 = \"");
    assert!(matches!(short, PlanError::Measurements(_)));
    let zero = change(&"ab".repeat(48), &"00".repeat(48));
    assert!(matches!(zero, PlanError::Measurements(_)));
    assert_eq!(
        CeremonyPlan::parse(b"format = 1\nid = \"\xff\"").unwrap_err(),
        PlanError::Malformed { line: 2 }
    );
    assert!(matches!(parse(""), PlanError::Malformed { .. }));
    let table = good.find("[measurements]").unwrap();
    let odd = format!("{}measurements = \"a\\nb\"\n", &good[..table]);
    assert_eq!(parse(&odd), field("measurements"));
}
