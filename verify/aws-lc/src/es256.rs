//! ES256 by AWS-LC, each signature once in a process.
//!
//! Guarantees: the same answers as the `p256` crate for every key, message and signature of the contract's
//! form. What was accepted once is remembered by a SHA-256 over key, signature and message, and is not
//! computed again; what was refused is refused anew each time. Nothing is remembered beyond the process.
//!
//! Does not: grow without end. When [`MOST`] signatures are remembered, it begins anew.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use quorate_protocol::es256::Es256Verifier;

/// Signatures that are remembered, at most: 64 KiB.
pub const MOST: usize = 2048;

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Es256;

static ACCEPTED: LazyLock<Mutex<HashSet<[u8; 32]>>> = LazyLock::new(Mutex::default);

impl Es256Verifier for Es256 {
    fn verifies(&self, key: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool {
        let name = name(key, message, signature);
        // A thread that panicked between two operations left a set all the same.
        let accepted = || ACCEPTED.lock().unwrap_or_else(PoisonError::into_inner);
        if name.is_some_and(|name| accepted().contains(&name)) {
            return true;
        }
        let verified =
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature);
        if verified.is_err() {
            return false;
        }
        if let Some(name) = name {
            let mut accepted = accepted();
            if accepted.len() >= MOST {
                accepted.clear();
            }
            accepted.insert(name);
        }
        true
    }
}

/// Names the three: the first two have one length each.
fn name(key: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> Option<[u8; 32]> {
    let mut hash = Context::new(&SHA256);
    hash.update(key);
    hash.update(signature);
    hash.update(message);
    hash.finish().as_ref().try_into().ok()
}
