use std::fs;

use quorate_share_backup::Expected;

use super::*;
use crate::fixture::{Folders, WORDS, World, passphrase};
use crate::private::PrivateFolder;
use crate::storage::StorageError;

/// Folders in which the first member has their share.
pub(in crate::steps) fn received(world: &World) -> Folders {
    let folders = Folders::new();
    folders.publish(world, &[]);
    folders.member(world, 0, &world.pins(0));
    let private = PrivateFolder::open(&folders.private(0)).unwrap();
    private.store_share(&world.output.shares[0]).unwrap();
    folders
}

fn refused(folders: &Folders) -> CeremonyError {
    open(&folders.shared(), &folders.private(0)).unwrap_err()
}

#[test]
fn a_share_is_proved_and_written_down() {
    let world = World::new();
    let folders = received(&world);
    let kept = open(&folders.shared(), &folders.private(0)).unwrap();
    assert_eq!(kept.member(), world.keys[0].name());
    assert_eq!(kept.origin(), Origin::Rehearsal);
    let proved = kept.prove(passphrase(WORDS)).ok().unwrap();
    assert_eq!(proved.index(), world.shares[0].index());
    assert_eq!(proved.epoch(), world.output.commitments.epoch());
    let facts = proved.facts();
    assert_eq!((facts.members, facts.threshold), (3, 2));
    let read = Backup::from_words(&proved.backup().words()).ok().unwrap();
    let share = read.prove(&Expected {
        origin: Origin::Rehearsal,
        genesis: &Digest::of(&world.genesis()),
        index: world.shares[0].index(),
        commitments: &world.output.commitments,
    });
    assert_eq!(*share.ok().unwrap().to_bytes(), *world.shares[0].to_bytes());
}

#[test]
fn a_check_with_a_wrong_passphrase_fails_closed() {
    let world = World::new();
    let folders = received(&world);
    let kept = open(&folders.shared(), &folders.private(0)).unwrap();
    let error = kept.prove(passphrase("incorrect horse battery")).err();
    assert_eq!(error.unwrap().code(), "wrong-passphrase");
}

#[test]
fn a_share_that_is_not_on_the_polynomial_fails_closed() {
    let (world, other) = (World::new(), World::new());
    let folders = received(&world);
    // Sealed to the right key in the right context, by anybody: sealing proves nothing.
    let member = &world.definition.share_set.members[0];
    let forged = crate::fixture::seal_share(&world.definition, member, &other.shares[0]);
    fs::remove_file(folders.private(0).join("share.cbor")).unwrap();
    let private = PrivateFolder::open(&folders.private(0)).unwrap();
    private.store_share(&forged).unwrap();
    drop(private);
    let kept = open(&folders.shared(), &folders.private(0)).unwrap();
    let index = kept.index();
    let error = kept.prove(passphrase(WORDS)).err();
    assert_eq!(error, Some(StepError::ShareWrong { index }.into()));
}

#[test]
fn a_check_against_another_genesis_fails_closed() {
    let world = World::new();
    let folders = received(&world);
    // Somebody put a second genesis of the same people into the shared folder.
    let second = world.second_genesis();
    fs::remove_file(folders.shared().join("genesis/output.cbor")).unwrap();
    folders
        .workspace()
        .publish_genesis(&second, &world.record().document)
        .unwrap();
    assert!(matches!(
        refused(&folders),
        CeremonyError::Pin(PinError::SecondGenesis { .. })
    ));
}

#[test]
fn a_check_without_a_share_fails_closed() {
    let world = World::new();
    let folders = received(&world);
    let path = folders.private(0).join("share.cbor");
    fs::remove_file(&path).unwrap();
    assert_eq!(refused(&folders), StorageError::Missing { path }.into());
    let private = PrivateFolder::open(&folders.private(0)).unwrap();
    private.store_share(&world.output.shares[1]).unwrap();
    drop(private);
    assert_eq!(refused(&folders), PinError::OtherShare.into());
}
