use std::fs;

use quorate_protocol::cbor::to_bytes;

use super::*;
use crate::fixture::{Folders, WORDS, World, definition, name, passphrase};
use crate::keyfile::{KeyFileError, MemberKeys};
use crate::pins::PinError;

#[test]
fn definition_without_this_person_or_key_fails_closed() {
    let world = World::new();
    let keys = world.keys[0].public();
    let pins = Pins::new(name("alice"));
    assert_eq!(decide(&pins, &keys, &world.definition, None), Ok(()));
    assert_eq!(
        decide(&Pins::new(name("dave")), &keys, &world.definition, None),
        Err(StepError::NotDefined { name: name("dave") }.into())
    );
    let other = MemberKeys::generate(name("alice")).unwrap().public();
    for keys in [
        PublicKeys {
            signing: other.signing,
            ..keys.clone()
        },
        PublicKeys {
            encryption: other.encryption,
            ..keys
        },
    ] {
        assert_eq!(
            decide(&pins, &keys, &world.definition, None),
            Err(StepError::KeysDiffer {
                name: name("alice")
            }
            .into())
        );
    }
}

#[test]
fn another_fingerprint_fails_closed() {
    let world = World::new();
    let (keys, pins) = (world.keys[0].public(), Pins::new(name("alice")));
    let found = Digest::of(&world.definition);
    assert_eq!(decide(&pins, &keys, &world.definition, Some(found)), Ok(()));
    let expected = Digest::from_bytes([1; 32]);
    assert_eq!(
        decide(&pins, &keys, &world.definition, Some(expected)),
        Err(StepError::FingerprintDiffers { expected, found }.into())
    );
}

#[test]
fn definition_changed_after_consent_fails_closed() {
    let world = World::new();
    let folders = Folders::new();
    let (shared, private) = (folders.shared(), folders.private(0));
    folders.member(&world, 0, &Pins::new(name("alice")));
    let anchor = world.nitro.anchor();
    folders
        .workspace()
        .publish_definition(&world.definition, &anchor)
        .unwrap();

    let consent = || review(&shared, &private, None)?.consent(passphrase(WORDS));
    let given = consent().unwrap();
    assert_eq!(given.published, Published::Written);
    let consents = folders.workspace().consents(&world.definition).unwrap();
    assert_eq!(consents, [world.consents()[0].clone()]);
    assert_eq!(consent().unwrap().published, Published::AlreadyThere);

    // The same people, another measurement.
    let mut fields = definition(&world.keys, &world.nitro).into_inner();
    fields.measurements = crate::fixture::measurements(9);
    let changed = quorate_protocol::cbor::Checked::new(fields).unwrap();
    fs::write(shared.join("definition.cbor"), to_bytes(&changed)).unwrap();
    assert_eq!(
        consent().err(),
        Some(
            PinError::OtherDefinition {
                pinned: Digest::of(&world.definition),
                found: Digest::of(&changed),
            }
            .into()
        )
    );
}

#[test]
fn wrong_passphrase_pins_and_signs_nothing_fails_closed() {
    let world = World::new();
    let folders = Folders::new();
    folders.member(&world, 0, &Pins::new(name("alice")));
    folders
        .workspace()
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    let step = review(&folders.shared(), &folders.private(0), None).unwrap();
    let refused = step.consent(passphrase("something else entirely"));
    assert_eq!(refused, Err(KeyFileError::WrongPassphrase.into()));
    assert_eq!(
        folders.workspace().consents(&world.definition),
        Ok(Vec::new())
    );
    let member = Member::open(&folders.private(0)).unwrap();
    assert_eq!(member.pins.definition(), None);
}
