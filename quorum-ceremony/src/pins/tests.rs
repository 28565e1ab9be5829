use proptest::prelude::*;

use super::*;
use crate::fixture::{World, index, name};

fn manifest_pin(sequence: u64, byte: u8) -> HighestSeen {
    HighestSeen {
        sequence,
        digest: Digest::from_bytes([byte; 32]),
    }
}

#[test]
fn pins_come_back_from_their_file() {
    let world = World::new();
    let mut pins = Pins::new(name("alice"));
    assert_eq!(Pins::from_bytes(&pins.to_bytes()), Ok(pins.clone()));
    pins = world.pins(0);
    pins.pin_manifest(manifest_pin(3, 1)).unwrap();
    let read = Pins::from_bytes(&pins.to_bytes()).unwrap();
    assert_eq!(read, pins);
    assert_eq!(read.highest(), Some(manifest_pin(3, 1)));
    assert!(pins.to_bytes().len() <= Pins::MAX);
}

fn new_share(byte: u8, at: u8) -> SharePin {
    SharePin {
        index: Index(index(at)),
        epoch: Digest::from_bytes([byte; 32]),
    }
}

/// Each resharing has a share of its own; that of the genesis stays beside them.
#[test]
fn shares_of_resharings_are_kept_beside_each_other() {
    let world = World::new();
    let mut pins = world.pins(0);
    let born = pins.genesis().unwrap().share.clone().unwrap();
    assert_eq!(pins.newest_share(), Some(&born));
    for byte in 1..=16 {
        pins.pin_new_share(new_share(byte, byte)).unwrap();
        pins.pin_new_share(new_share(byte, byte)).unwrap();
    }
    let bytes = pins.to_bytes();
    assert!(bytes.len() <= Pins::MAX);
    assert_eq!(Pins::from_bytes(&bytes), Ok(pins.clone()));
    assert_eq!(pins.newest_share(), Some(&new_share(16, 16)));
    assert_eq!(pins.share_of(born.epoch), Some(&born));
    let seventh = new_share(7, 7);
    assert_eq!(pins.share_of(seventh.epoch), Some(&seventh));
    for byte in 1..=16 {
        pins.forget_new_share(new_share(byte, 1).epoch);
    }
    assert_eq!(pins, world.pins(0));
}

#[test]
fn a_second_share_of_an_epoch_or_too_many_fail_closed() {
    let mut pins = World::new().pins(0);
    pins.pin_new_share(new_share(1, 3)).unwrap();
    let refused = pins.pin_new_share(new_share(1, 4));
    assert_eq!(refused, Err(PinError::OtherShare));
    let epoch = pins.genesis().unwrap().share.clone().unwrap().epoch;
    let index = Index(index(200));
    let refused = pins.pin_new_share(SharePin { index, epoch });
    assert_eq!(refused, Err(PinError::OtherShare));
    for byte in 2..=16 {
        pins.pin_new_share(new_share(byte, 3)).unwrap();
    }
    let refused = pins.pin_new_share(new_share(17, 3));
    assert_eq!(refused, Err(PinError::TooManyShares));
}

#[test]
fn another_definition_fails_closed() {
    let (world, other) = (World::new(), World::new());
    let mut pins = Pins::new(name("alice"));
    assert_eq!(pins.check_definition(&other.definition), Ok(()));
    pins.pin_definition(&world.definition).unwrap();
    pins.pin_definition(&world.definition).unwrap();
    let refused = PinError::OtherDefinition {
        pinned: Digest::of(&world.definition),
        found: Digest::of(&other.definition),
    };
    assert_eq!(
        pins.check_definition(&other.definition),
        Err(refused.clone())
    );
    assert_eq!(pins.pin_definition(&other.definition), Err(refused));
    assert_eq!(
        pins.definition().unwrap().digest,
        Digest::of(&world.definition)
    );
}

#[test]
fn share_under_another_root_fails_closed() {
    let world = World::new();
    let pins = world.pins(0);
    let mut found = world.definition.attestation_root.clone();
    found.partition = name("aws");
    let refused = pins.check_root(&found);
    assert!(
        matches!(refused, Err(PinError::OtherRoot { .. })),
        "{refused:?}"
    );
}

#[test]
fn second_genesis_under_the_same_name_fails_closed() {
    let world = World::new();
    let mut pins = world.pins(0);
    let pinned = Digest::of(&world.genesis());
    let found = Digest::from_bytes([9; 32]);
    let refused = PinError::SecondGenesis { pinned, found };
    assert_eq!(pins.check_genesis(found), Err(refused.clone()));
    assert_eq!(pins.pin_genesis(found, None), Err(refused));
    assert_eq!(pins.genesis().unwrap().digest, pinned);
}

#[test]
fn another_share_of_the_same_genesis_fails_closed() {
    let world = World::new();
    let mut pins = world.pins(0);
    let pin = pins.genesis().unwrap().clone();
    let share = SharePin {
        index: Index(index(2)),
        ..pin.share.clone().unwrap()
    };
    assert_eq!(
        pins.pin_genesis(pin.digest, Some(share)),
        Err(PinError::OtherShare)
    );
    assert_eq!(
        pins.pin_genesis(pin.digest, None),
        Err(PinError::OtherShare)
    );
    assert_eq!(pins.pin_genesis(pin.digest, pin.share.clone()), Ok(()));
    assert_eq!(pins.genesis(), Some(&pin));
}

#[test]
fn lower_sequence_fails_closed() {
    let mut pins = Pins::new(name("alice"));
    pins.pin_manifest(manifest_pin(2, 2)).unwrap();
    let refused = pins.pin_manifest(manifest_pin(1, 1));
    assert!(
        matches!(refused, Err(PinError::Rollback(Rollback::Lower { .. }))),
        "{refused:?}"
    );
    assert_eq!(pins.highest(), Some(manifest_pin(2, 2)));
}

#[test]
fn second_digest_at_one_sequence_fails_closed() {
    let mut pins = Pins::new(name("alice"));
    pins.pin_manifest(manifest_pin(2, 2)).unwrap();
    let refused = pins.pin_manifest(manifest_pin(2, 3));
    assert!(
        matches!(
            refused,
            Err(PinError::Rollback(Rollback::SecondDigest { .. }))
        ),
        "{refused:?}"
    );
    assert_eq!(pins.highest(), Some(manifest_pin(2, 2)));
}

#[test]
fn damaged_pins_fails_closed() {
    let bytes = World::new().pins(0).to_bytes();
    for length in 0..bytes.len() {
        assert!(
            Pins::from_bytes(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
    let mut other_format = Pins::new(name("alice"));
    other_format.0.format = 2;
    assert!(Pins::from_bytes(&other_format.to_bytes()).is_err());
}

proptest! {
    /// Whatever is offered in whatever order, what is pinned never goes back, and never changes
    /// under one number.
    #[test]
    fn pins_never_go_back(offers in prop::collection::vec((1..6_u64, 0..3_u8), 0..40)) {
        let mut pins = Pins::new(name("alice"));
        for (sequence, byte) in offers {
            let before = pins.highest();
            let accepted = pins.pin_manifest(manifest_pin(sequence, byte)).is_ok();
            let after = pins.highest();
            match before {
                Some(seen) if accepted => {
                    prop_assert!(sequence >= seen.sequence);
                    prop_assert!(sequence > seen.sequence || after == before);
                }
                Some(_) => prop_assert_eq!(after, before),
                None => prop_assert!(accepted),
            }
        }
    }

    #[test]
    fn reading_pins_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Pins::from_bytes(&bytes);
    }
}
