use quorate_protocol::cbor::Checked;
use quorate_protocol::manifest::ManifestFields;
use quorate_protocol::members::MemberSetFields;

use super::*;
use crate::fixture::{Folders, World, name};
use crate::keyfile::MemberKeys;
use crate::steps::approve;

#[test]
fn a_fingerprint_has_16_to_64_digits_fails_closed() {
    let whole = "0123456789abcdef".repeat(4);
    for good in [&whole[..16], &whole[..17], &whole, "0123456789ABCDEF"] {
        let read = NewKeys::parse(&format!("alice={good}")).unwrap();
        assert_eq!(read.name, name("alice"));
        assert_eq!(read.fingerprint.to_string(), good.to_ascii_lowercase());
    }
    let long = format!("{whole}0");
    for bad in [
        format!("alice={}", &whole[..15]),
        format!("alice={long}"),
        "alice=0123456789abcdeg".into(),
        "alice".into(),
        "alice=".into(),
        "=0123456789abcdef".into(),
        "Alice=0123456789abcdef".into(),
    ] {
        assert_eq!(NewKeys::parse(&bad), Err(NoNewKeys), "{bad}");
    }
}

/// A namespace whose second manifest names other keys of carol, and waits for approvals.
fn proposed(signing: &MemberKeys, encryption: &MemberKeys) -> Folders {
    let (world, folders) = (World::new(), Folders::new());
    let first = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&first, &[0, 1])]);
    folders.member(&world, 0, &world.pins(0));
    let mut members = world.set().members.clone();
    members[2].signing_key = signing.public().signing;
    members[2].encryption_key = encryption.public().encryption;
    let set = Checked::new(MemberSetFields {
        members,
        threshold: world.set().threshold,
    });
    let set: MemberSet = set.unwrap();
    let fields = ManifestFields {
        manifest_set: set.clone(),
        share_set: set,
        ..(*world.manifest(Some(&first), b"app")).clone()
    };
    let second: Manifest = Checked::new(fields).unwrap();
    folders.workspace().publish_manifest(&second).unwrap();
    folders
}

fn reviewed(folders: &Folders) -> Result<(), CeremonyError> {
    approve::review(&folders.shared(), &folders.private(0), None).map(drop)
}

/// The fingerprint that people compare is of the signing key: the card says which encryption key belongs
/// to it.
#[test]
fn a_manifest_with_new_keys_that_are_on_no_card_is_not_approved_fails_closed() {
    let new = MemberKeys::generate(name("carol")).unwrap();
    let folders = proposed(&new, &new);
    let missing = reviewed(&folders).expect_err("no card");
    assert_eq!(missing.code(), "new-keys-missing");
    let workspace = folders.workspace();
    workspace.publish_new_card(&new.card().unwrap()).unwrap();
    assert_eq!(reviewed(&folders), Ok(()));
}

#[test]
fn a_manifest_with_another_encryption_key_than_the_card_is_not_approved_fails_closed() {
    let new = MemberKeys::generate(name("carol")).unwrap();
    let mallory = MemberKeys::generate(name("carol")).unwrap();
    let folders = proposed(&new, &mallory);
    let workspace = folders.workspace();
    workspace.publish_new_card(&new.card().unwrap()).unwrap();
    let refused = StepError::NewKeysNotCard {
        name: name("carol"),
    };
    assert_eq!(reviewed(&folders), Err(refused.into()));
}
