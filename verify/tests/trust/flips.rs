//! No single byte of evidence can be changed without a rejection.

use quorate_protocol::cbor::to_bytes;
use quorate_verify::evidence::{Policy, Time, verify};

use crate::world::{Instance, World, anchors};

/// Changes one bit of every `step`th byte from `first` on; each must be noticed.
fn flip(first: usize, step: usize) {
    let world = World::new();
    let whole = to_bytes(&Instance::new(&world).evidence());
    let (policy, anchors) = (Policy::pinned(world.genesis()), anchors());
    assert!(verify(&whole, &policy, &anchors, Time::Archived).is_accepted());
    let mut tried = 0;
    for position in (first..whole.len()).step_by(step) {
        let mut bytes = whole.clone();
        bytes[position] ^= 1 << (position % 8);
        let report = verify(&bytes, &policy, &anchors, Time::Archived);
        assert!(!report.is_accepted(), "byte {position} of {}", whole.len());
        assert!(report.failed().next().is_some());
        tried += 1;
    }
    assert!(tried > 0);
}

#[test]
fn flipped_bit_in_some_bytes_fails_closed() {
    // A prime step, so that no field is always skipped for its length.
    flip(5, 101);
}

#[test]
#[ignore = "minutes without optimization; run with --release -- --ignored"]
fn flipped_bit_in_every_byte_fails_closed() {
    flip(0, 1);
}
