//! Properties over changed documents: nothing but the signed facts ever verifies.

use std::sync::OnceLock;
use std::thread;

use proptest::prelude::*;
use quorate_verify::attestation::{Document, Partition, TrustAnchor, TrustAnchors};

use crate::case::{Case, Demand};
use crate::common::cbor::Cbor;
use crate::common::nitro::{LEAF, ROOT};

#[test]
fn every_changed_byte_fails_closed() {
    // One bit of every byte. Stronger than "no other facts": no byte of a document is free.
    let (case, bytes, anchors) = made();
    assert!(case.verify_bytes(bytes, anchors).is_ok());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || {
                let mut changed = bytes.clone();
                for at in (worker..bytes.len()).step_by(workers) {
                    let bit = 1 << (at % 8);
                    changed[at] ^= bit;
                    let result = case.verify_bytes(&changed, anchors);
                    assert!(result.is_err(), "bit {bit} of byte {at}");
                    changed[at] ^= bit;
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_byte_never_verifies(at in any::<prop::sample::Index>(), mask in 1..=u8::MAX) {
        let (case, bytes, anchors) = made();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= mask;
        prop_assert!(case.verify_bytes(&changed, anchors).is_err());
    }

    #[test]
    fn a_removed_or_repeated_range_never_verifies(
        from in any::<prop::sample::Index>(),
        length in 1..200_usize,
        repeat in any::<bool>(),
    ) {
        let (case, bytes, anchors) = made();
        let from = from.index(bytes.len());
        let to = (from + length).min(bytes.len());
        let kept = if repeat { from } else { to };
        let changed = [&bytes[..if repeat { to } else { from }], &bytes[kept..]].concat();
        prop_assert!(case.verify_bytes(&changed, anchors).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Document::parse(&bytes).is_err());
        prop_assert!(TrustAnchor::from_der(Partition::Development, &bytes).is_err());
    }

    #[test]
    fn arbitrary_payloads_are_refused(payload in prop::collection::vec(any::<u8>(), 1..512)) {
        let document = Cbor::Array(vec![
            Cbor::bytes(&[0xa1, 0x01, 0x38, 0x22]),
            Cbor::Map(Vec::new()),
            Cbor::Bytes(payload),
            Cbor::bytes(&[1; 96]),
        ]);
        prop_assert!(Document::parse(&document.encode()).is_err());
    }
}

#[test]
fn every_changed_byte_of_a_root_is_another_root() {
    // No two encodings of one certificate: what still parses has another fingerprint, and what it
    // says was read from exactly these bytes.
    let root = Case::new().recipe.certificates[ROOT].build();
    let fingerprint = *TrustAnchor::from_der(Partition::Development, &root)
        .unwrap()
        .fingerprint();
    for at in 0..root.len() {
        for bit in 0..8 {
            let mut changed = root.clone();
            changed[at] ^= 1 << bit;
            if let Ok(anchor) = TrustAnchor::from_der(Partition::Development, &changed) {
                assert_eq!(anchor.der(), changed);
                assert_ne!(*anchor.fingerprint(), fingerprint);
            }
        }
    }
}

#[test]
fn every_changed_byte_of_a_leaf_is_no_root() {
    let leaf = Case::new().recipe.certificates[LEAF].build();
    for at in 0..leaf.len() {
        for bit in 0..8 {
            let mut changed = leaf.clone();
            changed[at] ^= 1 << bit;
            assert!(TrustAnchor::from_der(Partition::Development, &changed).is_err());
        }
    }
}

/// A right document, made once. Its time is the signed one, so that a changed timestamp is refused
/// by the signature.
fn made() -> &'static (Case, Vec<u8>, TrustAnchors) {
    static MADE: OnceLock<(Case, Vec<u8>, TrustAnchors)> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut case = Case::new();
        case.demand = Demand::Archived(None);
        let (bytes, anchors) = (case.recipe.build(), case.recipe.anchors());
        (case, bytes, anchors)
    })
}
