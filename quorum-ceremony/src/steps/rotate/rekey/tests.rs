use std::fs;

use quorate_protocol::card::MemberCardFields;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_verify::chain::Successor;

use crate::error::{CeremonyError, StepError};
use crate::fixture::{Folders, World, name};
use crate::keyfile::MemberKeys;
use crate::rekey::{KeyFingerprint, NewKeys};
use crate::steps::rotate::{Plan, Reshared, Rotated, prepare};

use super::*;

/// A namespace with an approved manifest.
struct Running {
    world: World,
    folders: Folders,
}

impl Running {
    fn new() -> Self {
        let (world, folders) = (World::new(), Folders::new());
        let first = world.manifest(None, b"app");
        folders.publish(&world, &[world.link(&first, &[0, 1])]);
        Self { world, folders }
    }

    fn rotate(&self, wanted: &[NewKeys]) -> Result<Rotated, CeremonyError> {
        let plan = Plan {
            manifest_members: None,
            manifest_threshold: None,
            reshare: Reshared::Keep,
            new_keys: wanted.to_vec(),
            valid_days: 1,
        };
        prepare(&self.folders.shared(), &plan).map(|prepared| prepared.rotated().clone())
    }

    #[track_caller]
    fn refused(&self, wanted: &[NewKeys]) -> CeremonyError {
        self.rotate(wanted).expect_err("a refusal")
    }

    /// Puts bytes where the card of these keys would be.
    fn put(&self, new: &NewKeys, bytes: &[u8]) {
        let short: String = new.fingerprint.to_string().chars().take(16).collect();
        let members = self.folders.shared().join("members");
        fs::create_dir_all(&members).unwrap();
        fs::write(members.join(format!("{}-{short}.cbor", new.name)), bytes).unwrap();
    }
}

fn new(who: &str, keys: &MemberKeys) -> NewKeys {
    let fingerprint = KeyFingerprint::of(&keys.public().signing);
    NewKeys::parse(&format!("{who}={fingerprint}")).unwrap()
}

fn keys(who: &str) -> MemberKeys {
    MemberKeys::generate(name(who)).unwrap()
}

#[test]
fn new_keys_take_the_seats_and_nothing_else_changes() {
    let running = Running::new();
    let alice = keys("alice");
    let wanted = new("alice", &alice);
    running.put(&wanted, &to_bytes(&alice.card().unwrap()));
    let rotated = running.rotate(&[wanted]).unwrap();
    let Successor {
        changes_manifest_set,
        changes_share_set,
        ..
    } = rotated.successor;
    assert!(changes_manifest_set && changes_share_set);
    for set in [&rotated.manifest.manifest_set, &rotated.manifest.share_set] {
        let mut expected = (*running.world.set()).clone();
        expected.members[0].signing_key = alice.public().signing;
        expected.members[0].encryption_key = alice.public().encryption;
        assert_eq!(**set, expected);
    }
    assert_eq!(rotated.manifest.epoch, rotated.before.epoch);
    assert_eq!(rotated.manifest.applications, rotated.before.applications);
    // The digits that name the file are enough.
    let short = KeyFingerprint::of(&alice.public().signing).short();
    let short = NewKeys::parse(&format!("alice={short}")).unwrap();
    let again = running.rotate(&[short]).unwrap().manifest;
    assert_eq!(again.share_set, rotated.manifest.share_set);
    assert_eq!(again.manifest_set, rotated.manifest.manifest_set);
}

#[test]
fn new_keys_without_a_card_fails_closed() {
    let running = Running::new();
    let wanted = new("alice", &keys("alice"));
    let error = running.refused(std::slice::from_ref(&wanted));
    let missing = StepError::NewKeysMissing {
        name: name("alice"),
        fingerprint: wanted.fingerprint,
    };
    assert_eq!(error, missing.into());
}

#[test]
fn new_keys_on_a_card_of_another_name_fails_closed() {
    let running = Running::new();
    let mallory = keys("mallory");
    let wanted = new("alice", &mallory);
    running.put(&wanted, &to_bytes(&mallory.card().unwrap()));
    let other = StepError::CardOfAnother {
        expected: name("alice"),
        found: name("mallory"),
    };
    assert_eq!(running.refused(&[wanted]), other.into());
}

#[test]
fn new_keys_on_a_card_that_another_key_signed_fails_closed() {
    let running = Running::new();
    let (alice, mallory) = (keys("alice"), keys("mallory"));
    let wanted = new("alice", &alice);
    let card = alice.card().unwrap().unverified().clone();
    let forged = Signed::sign(card, &mallory.signing_key());
    running.put(&wanted, &to_bytes(&forged));
    let forged = StepError::CardSignature {
        name: name("alice"),
    };
    assert_eq!(running.refused(&[wanted]), forged.into());
}

/// The file has the digits that were read, and the card in it is of other keys.
#[test]
fn new_keys_with_another_fingerprint_fails_closed() {
    let running = Running::new();
    let (alice, other) = (keys("alice"), keys("alice"));
    let wanted = new("alice", &alice);
    running.put(&wanted, &to_bytes(&other.card().unwrap()));
    let differ = StepError::NewKeysDiffer {
        name: name("alice"),
        given: wanted.fingerprint.clone(),
        found: KeyFingerprint::of(&other.public().signing),
    };
    assert_eq!(running.refused(&[wanted]), differ.into());
}

#[test]
fn new_keys_without_a_seat_fails_closed() {
    let running = Running::new();
    let erin = keys("erin");
    let wanted = new("erin", &erin);
    running.put(&wanted, &to_bytes(&erin.card().unwrap()));
    let seatless = StepError::NewKeysWithoutSeat { name: name("erin") };
    assert_eq!(running.refused(&[wanted]), seatless.into());
}

#[test]
fn new_keys_of_one_name_twice_fails_closed() {
    let running = Running::new();
    let twice = [new("alice", &keys("alice")), new("alice", &keys("alice"))];
    let refused = StepError::NewKeysTwice {
        name: name("alice"),
    };
    assert_eq!(running.refused(&twice), refused.into());
}

/// Bob's signing key, and bob's encryption key on a card of a key that is nobody's.
#[test]
fn new_keys_of_another_member_fails_closed() {
    let running = Running::new();
    let bob = &running.world.keys[1];
    let fresh = keys("alice");
    let card = |signing: &MemberKeys, encryption: &MemberKeys| {
        let card = Checked::new(MemberCardFields {
            format: quorate_protocol::FORMAT,
            name: name("alice"),
            signing_key: signing.public().signing,
            encryption_key: encryption.public().encryption,
        });
        Signed::sign(card.unwrap(), &signing.signing_key())
    };
    for (signing, encryption) in [(bob, &fresh), (&fresh, bob)] {
        let wanted = new("alice", signing);
        running.put(&wanted, &to_bytes(&card(signing, encryption)));
        let refused = StepError::NewKeysOfAnother {
            name: name("alice"),
            other: name("bob"),
        };
        assert_eq!(running.refused(&[wanted]), refused.into());
    }
}

/// Keys that the newest manifest names already.
#[test]
fn new_keys_that_are_the_old_ones_fails_closed() {
    let running = Running::new();
    let alice = &running.world.keys[0];
    let wanted = new("alice", alice);
    running.put(&wanted, &to_bytes(&alice.card().unwrap()));
    let refused = running.refused(&[wanted]);
    assert_eq!(refused, StepError::NothingToRotate.into());
}
