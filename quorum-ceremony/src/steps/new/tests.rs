use quorate_protocol::invalid::Invalid;

use super::*;
use crate::error::StepError;
use crate::fixture::{Nitro, measurements, name};
use crate::inputs::InputError;
use crate::storage::StorageError;

fn wanted(nitro: &Nitro) -> Wanted {
    Wanted {
        namespace: name("treasury"),
        members: ["alice", "bob", "carol"].map(name).to_vec(),
        manifest_members: None,
        manifest_threshold: 2,
        share_threshold: 2,
        age_limit: AgeLimit::SHORTEST,
        root: nitro.anchor(),
        measurements: measurements(1),
    }
}

#[test]
fn a_ceremony_is_begun_once_and_keeps_its_id() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("shared");
    let (nitro, mut wanted) = (Nitro::new(), wanted(&Nitro::new()));
    wanted.root = nitro.anchor();
    let begun = begin(&folder, &wanted).unwrap();
    assert_eq!(begun.published, Published::Written);
    assert!(begun.development);
    let again = begin(&folder, &wanted).unwrap();
    assert_eq!(
        (again.published, again.plan.id),
        (Published::AlreadyThere, begun.plan.id)
    );
    // What was begun is what is defined.
    let plan = define::Plan::of_workspace(&folder).unwrap();
    assert_eq!(
        (plan.members, plan.root),
        (wanted.members.clone(), nitro.anchor())
    );
    assert_eq!(plan.measurements, measurements(1));
    wanted.share_threshold = 3;
    let refused = begin(&folder, &wanted).unwrap_err();
    assert!(matches!(
        refused,
        CeremonyError::Storage(StorageError::Differs { .. })
    ));
}

#[test]
fn a_plan_no_definition_can_have_fails_closed() {
    let nitro = Nitro::new();
    let refused = |change: fn(&mut Wanted)| {
        let mut wanted = wanted(&nitro);
        change(&mut wanted);
        wanted.plan().unwrap_err()
    };
    let threshold = |threshold, members| {
        StepError::DefinitionInvalid(Invalid::Threshold { threshold, members }).into()
    };
    assert_eq!(refused(|w| w.share_threshold = 1), threshold(1, 3));
    assert_eq!(refused(|w| w.share_threshold = 4), threshold(4, 3));
    assert_eq!(refused(|w| w.manifest_threshold = 4), threshold(4, 3));
    let name = name("bob");
    let twice = refused(|w| w.members.push(crate::fixture::name("bob")));
    assert_eq!(twice, InputError::NameRepeated { name }.into());
    let few = refused(|w| w.manifest_members = Some(vec![crate::fixture::name("bob")]));
    assert!(matches!(
        few,
        CeremonyError::Step(StepError::DefinitionInvalid(_))
    ));
}

#[test]
fn a_root_or_measurements_from_elsewhere_fails_closed() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("shared");
    begin(&folder, &wanted(&Nitro::new())).unwrap();
    let workspace = Workspace::open(&folder).unwrap();
    let mut plan = workspace.plan().unwrap();
    for file in ["", "..", "../secret", "a/b", "/etc/passwd"] {
        plan.measurements = MeasurementsSource::File(file.into());
        let refused = workspace.planned_measurements(&plan).unwrap_err();
        assert_eq!(refused.code(), "plan-field", "{file}");
    }
    plan.measurements = MeasurementsSource::File("gone.json".into());
    let refused = workspace.planned_measurements(&plan).unwrap_err();
    assert_eq!(refused.code(), "file-missing");
    std::fs::write(folder.join("root.der"), Nitro::new().anchor().der()).unwrap();
    let refused = define::Plan::of_workspace(&folder).unwrap_err();
    assert_eq!(refused.code(), "root-differs");
}
