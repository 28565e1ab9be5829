//! Key derivation of BIP-32 over secp256k1, private keys only.
//!
//! A key and a chain code of 32 bytes each; a child is HMAC-SHA-512 under the chain code over the
//! parent (its secret for a hardened step, else its public key) and the number of the step.
//!
//! Guarantees: a key is a scalar between 1 and the order less 1; the two cases that BIP-32 leaves out
//! (probability below 2⁻¹²⁷) are errors, so nobody is given another key instead.
//!
//! Trusts: the seed. Does not: write or read the text forms (xprv, xpub), or derive public keys from
//! public keys; nothing here needs them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use k256::elliptic_curve::PrimeField as _;
use k256::{NonZeroScalar, Scalar};
use sha2::Sha512;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::mnemonic::Seed;
use crate::path::{ChildNumber, Path};
use crate::signing::{PublicKey, SigningKey};

/// A secret key with its chain code. Erased when dropped.
#[derive(ZeroizeOnDrop)]
pub struct ExtendedKey {
    secret: NonZeroScalar,
    chain_code: [u8; 32],
}

/// A step gave no key. BIP-32 says to go on with the next number; nobody has seen it happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerivationError {
    /// The seed gives no master key.
    #[error("the seed gives no key; take another one")]
    Seed,
    /// A step gives no key.
    #[error("step {step} of the path gives no key; take the next number")]
    Step {
        /// The step.
        step: ChildNumber,
    },
}

/// A seed of BIP-32 has 16 to 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a seed of {found} bytes; 16 to 64 are accepted")]
pub struct SeedLength {
    /// Bytes found.
    pub found: usize,
}

impl ExtendedKey {
    /// The master key of a seed.
    ///
    /// # Errors
    /// [`DerivationError::Seed`]
    pub fn master(seed: &Seed) -> Result<Self, DerivationError> {
        Self::from_seed_bytes(&seed.0)
    }

    fn from_seed_bytes(seed: &[u8]) -> Result<Self, DerivationError> {
        let bytes = hmac(b"Bitcoin seed", &[seed]);
        let (left, chain_code) = halves(&bytes);
        let secret = scalar(left).and_then(|s| NonZeroScalar::new(*s).into_option());
        Ok(Self {
            secret: secret.ok_or(DerivationError::Seed)?,
            chain_code: *chain_code,
        })
    }

    /// The key at the end of a path.
    ///
    /// # Errors
    /// [`DerivationError::Step`]
    pub fn derive(&self, path: &Path) -> Result<Self, DerivationError> {
        let start = Self {
            secret: self.secret,
            chain_code: self.chain_code,
        };
        path.steps()
            .iter()
            .try_fold(start, |key, step| key.child(*step))
    }

    /// The key one step further.
    ///
    /// # Errors
    /// [`DerivationError::Step`]
    pub fn child(&self, step: ChildNumber) -> Result<Self, DerivationError> {
        let number = step.to_u32().to_be_bytes();
        let bytes = if step.is_hardened() {
            let secret = Zeroizing::new(<[u8; 32]>::from(self.secret.to_bytes()));
            hmac(&self.chain_code, &[&[0], secret.as_slice(), &number])
        } else {
            let public = PublicKey::of(&self.secret).to_compressed();
            hmac(&self.chain_code, &[&public, &number])
        };
        let (left, chain_code) = halves(&bytes);
        let sum = scalar(left).map(|left| Zeroizing::new(*left + *self.secret));
        let secret = sum.and_then(|sum| NonZeroScalar::new(*sum).into_option());
        Ok(Self {
            secret: secret.ok_or(DerivationError::Step { step })?,
            chain_code: *chain_code,
        })
    }

    /// The chain code.
    pub fn chain_code(&self) -> &[u8; 32] {
        &self.chain_code
    }

    /// The secret key, to be sealed.
    pub fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.secret)
    }

    /// A signer with this key. The chain code is erased.
    pub fn into_signing_key(self) -> SigningKey {
        SigningKey::from_scalar(self.secret)
    }
}

/// The master key of a seed that is not of BIP-39: 16 to 64 bytes (BIP-32).
///
/// # Errors
/// [`SeedLength`], or that the seed gives no key.
pub fn master_from_seed_bytes(
    seed: &[u8],
) -> Result<Result<ExtendedKey, DerivationError>, SeedLength> {
    let found = seed.len();
    if !(16..=64).contains(&found) {
        return Err(SeedLength { found });
    }
    Ok(ExtendedKey::from_seed_bytes(seed))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut bytes = Zeroizing::new([0; 64]);
    // A key of any length is accepted.
    if let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key) {
        parts.iter().for_each(|part| mac.update(part));
        let mut tag = mac.finalize().into_bytes();
        bytes.copy_from_slice(&tag);
        tag.zeroize();
    }
    bytes
}

fn halves(bytes: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    const ZERO: [u8; 32] = [0; 32];
    let (left, right) = bytes.split_at(32);
    // Both halves have 32 bytes.
    (
        left.try_into().unwrap_or(&ZERO),
        right.try_into().unwrap_or(&ZERO),
    )
}

/// Below the order, zero included.
fn scalar(bytes: &[u8; 32]) -> Option<Zeroizing<Scalar>> {
    Scalar::from_repr((*bytes).into())
        .into_option()
        .map(Zeroizing::new)
}
