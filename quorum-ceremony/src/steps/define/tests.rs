use super::*;
use crate::fixture::{Folders, NAMES, Nitro, measurements, name};
use crate::keyfile::MemberKeys;
use crate::storage::StorageError;

fn names(list: &[&str]) -> Vec<Name> {
    list.iter().map(|text| name(text)).collect()
}

fn plan() -> Plan {
    Plan {
        namespace: name("test"),
        members: names(&NAMES),
        manifest_members: None,
        manifest_threshold: 2,
        share_threshold: 3,
        age_limit: AgeLimit::SHORTEST,
        root: Nitro::new().anchor(),
        measurements: measurements(1),
    }
}

fn card(text: &str) -> MemberCard {
    let card = MemberKeys::generate(name(text)).unwrap().card().unwrap();
    card.unverified().clone()
}

fn cards() -> Vec<MemberCard> {
    ["dave", "carol", "alice", "bob"].map(card).to_vec()
}

#[test]
fn members_have_one_index_in_both_sets() {
    let mut plan = plan();
    plan.manifest_members = Some(names(&["dave", "bob"]));
    let definition = compose(&plan, &cards()).unwrap();
    let set = |set: &MemberSetFields| -> Vec<(u8, String)> {
        set.members
            .iter()
            .map(|m| (m.index.get(), m.name.to_string()))
            .collect()
    };
    let named = |index, text: &str| (index, text.to_owned());
    assert_eq!(
        set(&definition.share_set),
        [named(1, "alice"), named(2, "bob"), named(3, "carol")]
    );
    assert_eq!(
        set(&definition.manifest_set),
        [named(2, "bob"), named(4, "dave")]
    );
    assert_eq!(
        (
            definition.share_set.threshold,
            definition.manifest_set.threshold
        ),
        (3, 2)
    );
}

#[test]
fn impossible_thresholds_fails_closed() {
    for threshold in [0, 1, 4, 255] {
        for manifest in [false, true] {
            let mut plan = plan();
            if manifest {
                plan.manifest_threshold = threshold;
            } else {
                plan.share_threshold = threshold;
            }
            assert_eq!(
                compose(&plan, &cards()),
                Err(StepError::DefinitionInvalid(Invalid::Threshold {
                    threshold,
                    members: 3
                })
                .into())
            );
        }
    }
}

#[test]
fn members_given_twice_fails_closed() {
    let mut plan = plan();
    plan.members = names(&["alice", "bob", "alice"]);
    assert_eq!(
        compose(&plan, &cards()),
        Err(InputError::NameRepeated {
            name: name("alice")
        }
        .into())
    );
}

/// One person under two names would count twice.
#[test]
fn one_key_under_two_names_fails_closed() {
    let mut cards = cards();
    let mut twin = cards[2].clone().into_inner();
    twin.name = name("bob");
    cards[3] = Checked::new(twin).unwrap();
    assert_eq!(
        compose(&plan(), &cards),
        Err(StepError::DefinitionInvalid(Invalid::KeyReused).into())
    );
}

#[test]
fn more_people_than_indices_fails_closed() {
    let mut plan = plan();
    plan.members = (0..256).map(|at| name(&format!("m{at}"))).collect();
    let one = card("x").into_inner();
    let cards: Vec<MemberCard> = plan
        .members
        .iter()
        .map(|name| {
            Checked::new(quorate_protocol::card::MemberCardFields {
                name: name.clone(),
                ..one.clone()
            })
            .unwrap()
        })
        .collect();
    assert!(compose(&plan, &cards).is_err());
}

#[test]
fn missing_card_or_second_definition_fails_closed() {
    let folders = Folders::new();
    let plan = plan();
    let refused = define(&folders.shared(), &plan);
    assert!(matches!(
        refused,
        Err(CeremonyError::Storage(StorageError::Missing { .. }))
    ));
    for text in NAMES {
        let card = MemberKeys::generate(name(text)).unwrap().card().unwrap();
        folders.workspace().publish_card(&card).unwrap();
    }
    let first = define(&folders.shared(), &plan).unwrap();
    assert_eq!(first.published, Published::Written);
    let again = define(&folders.shared(), &plan).unwrap();
    assert_eq!(
        again,
        Defined {
            published: Published::AlreadyThere,
            ..first
        }
    );
    let other = Plan {
        share_threshold: 2,
        age_limit: AgeLimit::SHORTEST,
        ..plan
    };
    let refused = define(&folders.shared(), &other);
    assert!(matches!(
        refused,
        Err(CeremonyError::Storage(StorageError::Differs { .. }))
    ));
}
