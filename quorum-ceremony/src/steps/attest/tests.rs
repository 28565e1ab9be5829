use quorate_protocol::digest::Digest;
use quorate_verify::chain::{ChainError, HighestSeen, Rollback};

use super::*;
use crate::fixture::World;
use crate::pins::PinError;

fn links(links: Vec<quorate_protocol::manifest::Link>) -> Links {
    Links {
        links,
        ignored: Vec::new(),
    }
}

#[test]
fn the_newest_approved_manifest_is_expected() {
    let world = World::new();
    let first = world.manifest(None, b"1");
    let second = world.manifest(Some(&first), b"2");
    let (genesis, pins) = (world.verified(), world.pins(0));
    let approved = world.link(&first, &[0, 1]);
    let waiting = links(vec![approved.clone(), world.link(&second, &[0])]);
    assert_eq!(decide(&pins, &genesis, &waiting).unwrap().sequence(), 1);
    let both = links(vec![approved, world.link(&second, &[0, 2])]);
    assert_eq!(decide(&pins, &genesis, &both).unwrap().sequence(), 2);
}

#[test]
fn unapproved_manifest_fails_closed() {
    let world = World::new();
    let first = world.manifest(None, b"1");
    let refused = decide(
        &world.pins(0),
        &world.verified(),
        &links(vec![world.link(&first, &[0])]),
    );
    assert!(matches!(
        refused,
        Err(CeremonyError::Chain(ChainError::Threshold { .. }))
    ));
    let refused = decide(&world.pins(0), &world.verified(), &links(Vec::new()));
    assert_eq!(refused, Err(ChainError::Empty.into()));
}

/// Alice has approved manifest 2. Nobody gets her share for manifest 1 any more, whether 2 is
/// hidden from her or waits for approvals.
#[test]
fn lower_sequence_fails_closed() {
    let world = World::new();
    let first = world.manifest(None, b"1");
    let second = world.manifest(Some(&first), b"2");
    let mut pins = world.pins(0);
    pins.pin_manifest(HighestSeen {
        sequence: 2,
        digest: Digest::of(&second),
    })
    .unwrap();
    let approved = world.link(&first, &[0, 1]);
    for offered in [
        links(vec![approved.clone()]),
        links(vec![approved.clone(), world.link(&second, &[0])]),
    ] {
        let refused = decide(&pins, &world.verified(), &offered);
        assert!(
            matches!(
                refused,
                Err(CeremonyError::Pin(PinError::Rollback(
                    Rollback::Lower { .. }
                )))
            ),
            "{refused:?}"
        );
    }
    let all = links(vec![approved, world.link(&second, &[0, 1])]);
    assert!(decide(&pins, &world.verified(), &all).is_ok());
}

#[test]
fn second_digest_at_one_sequence_fails_closed() {
    let world = World::new();
    let (one, other) = (world.manifest(None, b"1"), world.manifest(None, b"2"));
    let mut pins = world.pins(0);
    pins.pin_manifest(HighestSeen {
        sequence: 1,
        digest: Digest::of(&one),
    })
    .unwrap();
    let refused = decide(
        &pins,
        &world.verified(),
        &links(vec![world.link(&other, &[1, 2])]),
    );
    assert!(matches!(
        refused,
        Err(CeremonyError::Pin(PinError::Rollback(
            Rollback::SecondDigest { .. }
        )))
    ));
}
