//! Who verifies ES256: the `p256` crate, or a provider that a program has installed.
//!
//! Guarantees: without [`install`] every signature is verified in pure Rust. A provider is tried once,
//! with a right signature and a wrong one (RFC 6979 section A.2.5), before it is used at all; one that
//! answers wrongly is refused. It is asked about signatures of the contract's one form only: a point that
//! is on the curve, *r* and *s* in range, low *s*.
//!
//! Trusts: the program. Whoever installs a provider trusts it as much as this crate: one that lies about
//! particular signatures is not found out. No Cargo feature installs one, and none of ours is linked on
//! the enclave side, which `budgets.toml` holds.
//!
//! In a process that has installed one, points are decompressed once, too: it remembers where a
//! compressed point lies, and whoever asks still checks that it is on the curve.
//!
//! Does not: sign. An enclave installs nothing and remembers nothing.

extern crate std;

use alloc::collections::BTreeMap;
use core::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use p256::ecdsa::Signature;
use p256::ecdsa::signature::Verifier as _;

use crate::keys::VerificationKey;

/// Verifies ES256 in place of the `p256` crate.
pub trait Es256Verifier: Sync {
    /// Whether `signature`, *r* then *s*, is that of `key`, SEC1 uncompressed, over `message`, which is
    /// not yet hashed.
    fn verifies(&self, key: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool;
}

/// Why a provider was not installed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotInstalled {
    /// It accepts a signature that is wrong.
    AcceptsWrong,
    /// It refuses a signature that is right.
    RefusesRight,
    /// There is one already, which stays.
    Already,
}

impl fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcceptsWrong => "the provider of ES256 accepts a wrong signature",
            Self::RefusesRight => "the provider of ES256 refuses a right signature",
            Self::Already => "a provider of ES256 is installed already",
        })
    }
}

impl core::error::Error for NotInstalled {}

static PROVIDER: OnceLock<&'static dyn Es256Verifier> = OnceLock::new();

/// The public key of RFC 6979 section A.2.5, compressed.
const KNOWN_KEY: [u8; 33] = [
    0x03, 0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d,
    0x68, 0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f,
    0xb6,
];

/// Its signature over "sample" with SHA-256, in the same place.
const KNOWN_SIGNATURE: [u8; 64] = [
    0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40, 0xdd, 0x9c, 0xd4, 0x5e, 0x81, 0xd6,
    0x9d, 0x2c, 0x87, 0x7b, 0x56, 0xaa, 0xf9, 0x91, 0xc3, 0x4d, 0x0e, 0xa8, 0x4e, 0xaf, 0x37, 0x16,
    0xf7, 0xcb, 0x1c, 0x94, 0x2d, 0x65, 0x7c, 0x41, 0xd4, 0x36, 0xc7, 0xa1, 0xb6, 0xe2, 0x9f, 0x65,
    0xf3, 0xe9, 0x00, 0xdb, 0xb9, 0xaf, 0xf4, 0x06, 0x4d, 0xc4, 0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8,
];

/// Verifies with this provider from now on, in this process.
///
/// # Errors
/// [`NotInstalled`]; nothing has changed then.
pub fn install(provider: &'static dyn Es256Verifier) -> Result<(), NotInstalled> {
    tried(provider)?;
    PROVIDER.set(provider).map_err(|_| NotInstalled::Already)
}

/// A provider that has given a right answer of each kind.
fn tried(provider: &dyn Es256Verifier) -> Result<(), NotInstalled> {
    let known = VerificationKey::from_sec1(&KNOWN_KEY)
        .ok()
        .zip(Signature::from_slice(&KNOWN_SIGNATURE).ok());
    let (key, signature) = known.ok_or(NotInstalled::RefusesRight)?;
    // The contract knows low s only.
    let (key, signature) = (key.to_uncompressed(), raw(&signature.normalize_s()));
    if !provider.verifies(&key, b"sample", &signature) {
        return Err(NotInstalled::RefusesRight);
    }
    if provider.verifies(&key, b"simple", &signature) {
        return Err(NotInstalled::AcceptsWrong);
    }
    Ok(())
}

/// Points that are remembered, at most: 100 KiB.
const MOST_POINTS: usize = 1024;

static POINTS: Mutex<BTreeMap<[u8; 33], [u8; 65]>> = Mutex::new(BTreeMap::new());

/// The uncompressed form of a compressed point that was read before in this process. It is a claim.
pub(crate) fn known(compressed: &[u8]) -> Option<[u8; 65]> {
    PROVIDER.get()?;
    let points = POINTS.lock().unwrap_or_else(PoisonError::into_inner);
    points.get(compressed).copied()
}

/// Remembers a point that was read, if this process has a provider. The first form stays; when there
/// are too many, it begins anew.
pub(crate) fn remember(compressed: &[u8], uncompressed: [u8; 65]) {
    if PROVIDER.get().is_none() {
        return;
    }
    let Ok(compressed) = compressed.try_into() else {
        return;
    };
    let mut points = POINTS.lock().unwrap_or_else(PoisonError::into_inner);
    if points.len() >= MOST_POINTS {
        points.clear();
    }
    points.insert(compressed, uncompressed);
}

fn raw(signature: &Signature) -> [u8; 64] {
    signature.to_bytes().into()
}

/// Whether a signature is that of a key over a message.
pub(crate) fn verifies(key: &VerificationKey, message: &[u8], signature: &Signature) -> bool {
    match PROVIDER.get() {
        Some(provider) => provider.verifies(&key.to_uncompressed(), message, &raw(signature)),
        None => key.inner().verify(message, signature).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Portable;

    impl Es256Verifier for Portable {
        fn verifies(&self, key: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool {
            let key = VerificationKey::from_sec1(key).unwrap();
            let signature = Signature::from_slice(signature).unwrap();
            key.inner().verify(message, &signature).is_ok()
        }
    }

    struct Always(bool);

    impl Es256Verifier for Always {
        fn verifies(&self, _: &[u8; 65], _: &[u8], _: &[u8; 64]) -> bool {
            self.0
        }
    }

    #[test]
    fn a_provider_that_says_yes_or_no_to_everything_fails_closed() {
        assert_eq!(tried(&Portable), Ok(()));
        assert_eq!(install(&Always(true)), Err(NotInstalled::AcceptsWrong));
        assert_eq!(install(&Always(false)), Err(NotInstalled::RefusesRight));
        assert!(PROVIDER.get().is_none());
    }
}
