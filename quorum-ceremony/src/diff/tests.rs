use quorate_protocol::atoms::Pcr;
use quorate_protocol::cbor::Checked;
use quorate_protocol::definition::Measurements;
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::ManifestFields;

use super::*;
use crate::fixture::{World, application, measurements, name, set};

/// What one change of a manifest reads like.
fn after(change: impl FnOnce(&mut ManifestFields)) -> Vec<Change> {
    let world = World::new();
    let first = world.manifest(None, b"binary");
    let mut fields = world.manifest(Some(&first), b"binary").into_inner();
    fields.validity = first.validity.clone();
    change(&mut fields);
    let second = Checked::new(fields).unwrap();
    changes(&world.definition, Some(&first), &second)
}

fn words(change: impl FnOnce(&mut ManifestFields)) -> Vec<String> {
    after(change)
        .into_iter()
        .map(|change| change.words)
        .collect()
}

fn kinds(change: impl FnOnce(&mut ManifestFields)) -> Vec<(&'static str, Weight)> {
    let all = after(change).into_iter();
    all.map(|change| (change.kind, change.weight)).collect()
}

fn text(text: &str) -> Text<4096> {
    Text::new(text).unwrap()
}

#[test]
fn nothing_changes_nothing() {
    assert_eq!(words(|_| {}), [""; 0]);
}

#[test]
fn each_part_of_an_application_is_named() {
    let old = Sha256::of(b"binary");
    let new = Sha256::of(b"other!!");
    assert_eq!(
        words(|m| m.applications[0] = application("app", b"other!!")),
        [format!(
            "changes the binary of app from {old} (6 bytes) to {new} (7 bytes)"
        )]
    );
    assert_eq!(
        words(|m| m.applications[0].arguments = vec![text("-a"), text("b c")]),
        [r#"changes the arguments of app from [] to ["-a" "b c"]"#]
    );
    assert_eq!(
        words(|m| m.applications[0].environment = vec![text("A=1"), text("B=2=3")]),
        [r#"sets A of app to "1""#, r#"sets B of app to "2=3""#]
    );
    assert_eq!(
        words(|m| m.applications[0].ports = vec![5101]),
        [
            "lets app listen on port 5101",
            "no longer lets app listen on port 5100"
        ]
    );
    assert_eq!(
        words(|m| m.applications[0].egress = vec![Destination::parse("example.org:443").unwrap()]),
        ["LETS app CONNECT TO example.org:443"]
    );
    assert_eq!(
        words(|m| m.applications[0].memory_limit = 1 << 27),
        ["changes the memory of app from 67108864 to 134217728 bytes"]
    );
    assert_eq!(
        words(|m| m.applications[0].restart.restarts = 9),
        [
            "changes when app is started again, from 0 times after 10 to 10000 ms, ready within 10000 \
          ms to 9 times after 10 to 10000 ms, ready within 10000 ms"
        ]
    );
}

#[test]
fn applications_come_and_go_with_what_they_may() {
    let added = after(|m| {
        let mut new = application("new", b"new");
        new.ports = vec![5200];
        new.calls = vec![name("app")];
        new.egress = vec![Destination::parse("example.org:443").unwrap()];
        m.applications.push(new);
    });
    let said: Vec<_> = added
        .iter()
        .map(|c| (c.kind, c.subject.as_deref()))
        .collect();
    // The weightiest first.
    assert_eq!(
        said,
        [
            ("egress", Some("new")),
            ("calls", Some("new")),
            ("application-added", Some("new")),
            ("port", Some("new")),
        ]
    );
    let gone = kinds(|m| m.applications = vec![application("new", b"new")]);
    assert_eq!(
        gone,
        [
            ("application-added", Weight::Code),
            ("port", Weight::Setting),
            ("application-removed", Weight::Code),
        ]
        .into_iter()
        .collect::<Vec<_>>()
        .tap_sorted()
    );
}

/// In the order of weight, as the list itself is.
trait Sorted {
    fn tap_sorted(self) -> Self;
}

impl Sorted for Vec<(&'static str, Weight)> {
    fn tap_sorted(mut self) -> Self {
        self.sort_by_key(|(_, weight)| *weight);
        self
    }
}

#[test]
fn an_image_is_named_by_its_registers() {
    let other: Measurements = {
        let mut fields = measurements(1).into_inner();
        fields.pcr1 = Pcr([7; 48]);
        fields.pcr8 = Some(Pcr([8; 48]));
        fields.role_arn = Some(Text::new("arn:aws:iam::1:role/a").unwrap());
        Checked::new(fields).unwrap()
    };
    let said = words(|m| m.measurements = other);
    let (old, new, signer) = (Pcr([1; 48]), Pcr([7; 48]), Pcr([8; 48]));
    assert_eq!(
        said,
        [
            format!("changes kernel and operating system: PCR1 from {old} to {new}"),
            format!("also demands the certificate that signed the image: PCR8 {signer}"),
            "the parent instance's role (PCR3) changes from any role to the role \
             arn:aws:iam::1:role/a"
                .into(),
        ]
    );
}

#[test]
fn sets_thresholds_and_the_forward_policy_are_powers() {
    let all = after(|m| {
        let mut people = m.share_set.clone().into_inner();
        people.threshold = 3;
        m.manifest_set = Checked::new(people).unwrap();
        m.forward = Some(ForwardPolicy {
            not_after: UnixMillis(0),
            approvals: ApprovalRule::Always,
        });
    });
    assert!(all.iter().all(|change| change.weight == Weight::Power));
    let said: Vec<&str> = all.iter().map(|change| change.words.as_str()).collect();
    assert_eq!(
        said,
        [
            "CHANGES THE MANIFEST APPROVERS from 2 of 3 to 3 of 3",
            "LETS THE KEY BE FORWARDED until 1970-01-01T00:00:00.000Z, always with approvals of \
             share holders",
        ]
    );
    let world = World::new();
    let others = World::new();
    let before = world.manifest(None, b"binary");
    let mut fields = world.manifest(Some(&before), b"binary").into_inner();
    fields.validity = before.validity.clone();
    fields.manifest_set = set(&others.keys);
    fields.share_set = {
        let mut people = fields.share_set.into_inner();
        people.members.remove(2);
        Checked::new(people).unwrap()
    };
    let Ok(after) = Checked::new(fields) else {
        // Names with other keys in two sets are no manifest: nothing to compare.
        return;
    };
    let said = changes(&world.definition, Some(&before), &after);
    assert!(said.iter().any(|change| change.kind == "holder-removed"));
}

/// Before the first manifest the sets are the definition's, and nobody connects anywhere.
#[test]
fn the_first_manifest_is_compared_with_the_definition() {
    let world = World::new();
    let mut fields = world.manifest(None, b"binary").into_inner();
    let mut people = fields.manifest_set.clone().into_inner();
    people.members.remove(2);
    fields.manifest_set = Checked::new(people).unwrap();
    fields.applications[0].egress = vec![Destination::parse("example.org:443").unwrap()];
    let first = Checked::new(fields).unwrap();
    let said: Vec<_> = changes(&world.definition, None, &first)
        .into_iter()
        .map(|change| change.words)
        .collect();
    let hash = first.applications[0].sha256;
    assert_eq!(
        said,
        [
            "CHANGES THE MANIFEST APPROVERS from 2 of 3 to 2 of 2".to_owned(),
            "REMOVES carol FROM THE MANIFEST APPROVERS".into(),
            "LETS app CONNECT TO example.org:443".into(),
            format!("adds the application app: {hash}, 6 bytes"),
            "lets app listen on port 5100".into(),
        ]
    );
}

/// Every field of a manifest, one after the other: whatever differs is said.
#[test]
fn no_difference_goes_unsaid() {
    type Edit = fn(&mut ManifestFields);
    let edits: [Edit; 16] = [
        |m| m.measurements = measurements(5),
        |m| m.applications[0].sha256.0[0] ^= 1,
        |m| m.applications[0].size += 1,
        |m| m.applications[0].arguments.push(Text::new("x").unwrap()),
        |m| m.applications[0].environment.push(Text::new("X=").unwrap()),
        |m| m.applications[0].ports.clear(),
        |m| m.applications[0].memory_limit += 1,
        |m| m.applications[0].restart.first_back_off_ms += 1,
        |m| m.applications[0].restart.largest_back_off_ms += 1,
        |m| m.applications[0].restart.start_deadline_ms += 1,
        |m| m.applications[0].name = Name::new("other").unwrap(),
        |m| {
            m.applications[0]
                .egress
                .push(Destination::parse("a.b:1").unwrap())
        },
        |m| m.validity.not_before.0 += 1,
        |m| m.validity.not_after.0 += 1,
        |m| {
            m.share_set = {
                let mut set = m.share_set.clone().into_inner();
                set.members.remove(2);
                Checked::new(set).unwrap()
            }
        },
        |m| {
            m.forward = Some(ForwardPolicy {
                not_after: UnixMillis(5),
                approvals: ApprovalRule::ExceptApplications,
            });
        },
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        assert_ne!(words(edit), [""; 0], "edit {at}");
    }
}

/// Who is named can approve and give: both fingerprints are said, and the encryption key too.
#[test]
fn new_keys_of_a_member_are_said_by_fingerprint_and_first() {
    let world = World::new();
    let (old, new) = (world.keys[0].public(), World::new().keys[0].public());
    let first = world.manifest(None, b"binary");
    let mut fields = world.manifest(Some(&first), b"binary").into_inner();
    fields.validity = first.validity.clone();
    fields.applications[0].memory_limit += 1;
    let mut people = fields.share_set.clone().into_inner();
    people.members[0].signing_key = new.signing;
    people.members[0].encryption_key = new.encryption.clone();
    fields.manifest_set = Checked::new(people.clone()).unwrap();
    fields.share_set = Checked::new(people).unwrap();
    let second = Checked::new(fields).unwrap();
    let all = changes(&world.definition, Some(&first), &second);
    let kinds: Vec<_> = all.iter().map(|one| (one.kind, one.weight)).collect();
    let power = Weight::Power;
    let expected = [
        ("approver-changed", power),
        ("holder-changed", power),
        ("memory", Weight::Setting),
    ];
    assert_eq!(kinds, expected);
    let hash = |bytes: [u8; 33]| Sha256::of(&bytes).to_string();
    for change in &all[..2] {
        for keys in [&old, &new] {
            for key in [
                keys.signing.to_compressed(),
                keys.encryption.to_compressed(),
            ] {
                assert!(change.words.contains(&hash(key)), "{}", change.words);
            }
        }
        assert!(change.words.contains("THE KEY with the fingerprint"));
        assert_eq!(change.before, Some(old.signing.to_string()));
        assert_eq!(change.after, Some(new.signing.to_string()));
    }
    // The encryption key alone, and a seat that moves with its keys.
    let all = words(|m| {
        let mut people = m.share_set.clone().into_inner();
        let member = &mut people.members[2];
        member.encryption_key = new.encryption.clone();
        member.index = crate::fixture::index(9);
        let people = Checked::new(people).unwrap();
        m.manifest_set = people.clone();
        m.share_set = people;
    });
    assert_eq!(all.len(), 2);
    for said in all {
        assert!(said.contains("index from 3 to 9; encryption key from "));
        assert!(said.contains(&hash(new.encryption.to_compressed())));
    }
}

/// What members decide on before there are new shares, and after.
#[test]
fn a_resharing_names_people_threshold_shares_and_expiry() {
    let world = World::new();
    let running = world.manifest(None, b"binary");
    let mut people = running.share_set.clone().into_inner();
    let gone = people.members.remove(1);
    let mut dave = gone;
    dave.name = name("dave");
    dave.index = crate::fixture::index(4);
    people.members.push(dave.clone());
    people.threshold = 3;
    let after = Checked::new(people).unwrap();
    let until = UnixMillis(1_767_225_600_000);
    let all = resharing(&running, &after, NewShares::Ordered { until });
    let words: Vec<&str> = all.iter().map(|change| change.words.as_str()).collect();
    let (was, key) = (running.epoch, dave.signing_key);
    assert_eq!(
        words,
        [
            "CHANGES THE SHARE HOLDERS from 2 of 3 to 3 of 3".to_owned(),
            format!("ADDS dave TO THE SHARE HOLDERS, at index 4, with the key {key}"),
            "REMOVES bob FROM THE SHARE HOLDERS".to_owned(),
            format!(
                "MAKES NEW SHARES OF THE SAME KEY: those of {was} count no more once a manifest \
                 names the new ones"
            ),
            "can be carried out until 2026-01-01T00:00:00.000Z, and never after it".to_owned(),
        ]
    );
    let epoch = Digest::from_bytes([7; 32]);
    let same = resharing(&running, &running.share_set, NewShares::Made { epoch });
    assert_eq!(same.len(), 1);
    assert_eq!(same[0].weight, Weight::Power);
    assert!(same[0].words.contains(&epoch.to_string()));
    assert!(same[0].words.contains(&was.to_string()));
}
