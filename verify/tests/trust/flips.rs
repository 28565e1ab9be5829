//! No single byte of evidence can be changed without a rejection, and nothing else is evidence.

use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::{collection, sample};
use quorate_protocol::cbor::to_bytes;
use quorate_verify::evidence::{Policy, Time, verify};

use crate::world::{Instance, World, anchors};

/// Changes one bit of every `step`th byte from `first` on; each must be noticed.
fn flip(first: usize, step: usize) {
    let world = World::new();
    let whole = to_bytes(&Instance::new(&world).evidence());
    // Without a pin: no rejection rests on it.
    let (policy, anchors) = (Policy::unpinned(), anchors());
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_fails_closed(bytes in collection::vec(any::<u8>(), 0..512)) {
        let report = verify(&bytes, &Policy::unpinned(), &anchors(), Time::Archived);
        assert_eq!(report.failed().next().map(|check| check.id), Some("format"));
    }

    /// A piece left out, repeated or put elsewhere.
    #[test]
    fn piece_out_of_place_fails_closed(
        from in any::<sample::Index>(),
        length in 1..400_usize,
        to in any::<sample::Index>(),
        keep in any::<bool>(),
    ) {
        let world = World::new();
        let whole = to_bytes(&Instance::new(&world).evidence());
        let from = from.index(whole.len());
        let end = whole.len().min(from + length);
        let mut bytes = whole.clone();
        if !keep {
            bytes.drain(from..end);
        }
        let to = to.index(bytes.len());
        bytes.splice(to..to, whole[from..end].iter().copied());
        let report = verify(&bytes, &Policy::unpinned(), &anchors(), Time::Archived);
        assert_eq!(report.is_accepted(), bytes == whole);
    }
}
