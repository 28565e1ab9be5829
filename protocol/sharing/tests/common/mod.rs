//! What several tests need.

#![allow(dead_code, unreachable_pub, missing_docs)]

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use quorate_sharing::{Share, ShareIndex};

/// A deterministic generator: tests never depend on chance.
pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub fn indices(values: &[u8]) -> Vec<ShareIndex> {
    values
        .iter()
        .map(|value| ShareIndex::new(*value).expect("not zero"))
        .collect()
}

/// A second copy of a share. The type has no `Clone`; tests go through the bytes.
pub fn copy(share: &Share) -> Share {
    Share::from_bytes(share.index(), &share.to_bytes()).expect("a valid share")
}

pub fn copies(shares: &[Share]) -> Vec<Share> {
    shares.iter().map(copy).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}
