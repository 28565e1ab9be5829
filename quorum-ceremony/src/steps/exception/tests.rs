use super::*;
use crate::fixture::{World, index, name};

fn receipts(given: &[usize], need: usize) -> Receipts {
    let people = World::new().definition.share_set.members.clone();
    let (given, missing) = people
        .into_iter()
        .enumerate()
        .partition::<Vec<_>, _>(|(at, _)| given.contains(at));
    let people = |list: Vec<(usize, Person)>| list.into_iter().map(|(_, p)| p).collect();
    Receipts {
        given: people(given),
        missing: people(missing),
        need,
    }
}

#[test]
fn who_gave_a_receipt_may_go_on_with_enough_others() {
    assert_eq!(decide(&receipts(&[0, 1], 2), &name("bob")), Ok(index(2)));
    assert_eq!(
        receipts(&[0], 2).indices(),
        [Index(index(2)), Index(index(3))]
    );
}

#[test]
fn an_exception_that_is_not_due_fails_closed() {
    let ask = |given: &[usize], need, who| decide(&receipts(given, need), &name(who));
    assert_eq!(ask(&[0, 1, 2], 3, "bob"), Err(StepError::ExceptionNeedless));
    assert_eq!(
        ask(&[0, 1], 2, "carol"),
        Err(StepError::ExceptionUnreceipted)
    );
    assert_eq!(
        ask(&[0, 1], 2, "dave"),
        Err(StepError::ExceptionUnreceipted)
    );
    let (need, have) = (3, 2);
    assert_eq!(
        ask(&[0, 1], 3, "bob"),
        Err(StepError::ExceptionTooFew { need, have })
    );
}

/// Two of three open the key: without one, nobody could be lost any more.
#[test]
fn two_of_three_have_no_exception() {
    let folders = crate::fixture::Folders::new();
    let world = World::new();
    folders.publish(&world, &[]);
    let path = folders.shared();
    std::fs::remove_file(path.join("record.cbor")).unwrap();
    std::fs::remove_file(path.join("receipts/carol.cbor")).unwrap();
    let found = Receipts::of(&folders.workspace(), &world.definition, &world.output).unwrap();
    assert_eq!((found.given.len(), found.need), (2, 3));
    folders.member(&world, 0, &world.pins(0));
    let refused = review(&path, &folders.private(0)).unwrap_err();
    let (need, have) = (3, 2);
    assert_eq!(refused, StepError::ExceptionTooFew { need, have }.into());
    // A file that is no receipt of its member counts as none.
    let bobs = path.join("receipts/bob.cbor");
    std::fs::copy(path.join("receipts/alice.cbor"), &bobs).unwrap();
    let found = Receipts::of(&folders.workspace(), &world.definition, &world.output).unwrap();
    assert_eq!(found.given.len(), 1);
    std::fs::write(&bobs, b"junk").unwrap();
    let found = Receipts::of(&folders.workspace(), &world.definition, &world.output).unwrap();
    assert_eq!(found.given.len(), 1);
}

#[test]
fn an_exception_after_the_record_or_before_consent_fails_closed() {
    let folders = crate::fixture::Folders::new();
    let world = World::new();
    folders.publish(&world, &[]);
    folders.member(&world, 0, &world.pins(0));
    let refused = review(&folders.shared(), &folders.private(0)).unwrap_err();
    assert_eq!(refused, StepError::ExceptionTooLate.into());
    let strange = crate::pins::Pins::new(name("bob"));
    folders.member(&world, 1, &strange);
    let refused = review(&folders.shared(), &folders.private(1)).unwrap_err();
    assert_eq!(refused, StepError::NotConsented.into());
}
