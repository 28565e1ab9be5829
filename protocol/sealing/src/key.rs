//! Keys to seal to and to open with.
//!
//! An [`EncryptionKey`] that exists is a point of the curve other than the identity; a
//! [`DecryptionKey`] that exists is a scalar `1 <= d < q`. Everything else is refused where bytes
//! come in, once.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use hpke::{Deserializable, Kem as _, Serializable};
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::seal::Kem;

/// Length of a compressed public key (SEC1 2.3.3) in bytes.
pub const COMPRESSED_LEN: usize = 33;
/// Length of an uncompressed public key (SEC1 2.3.3) in bytes.
pub const UNCOMPRESSED_LEN: usize = 65;
/// Length of a decryption key in bytes.
pub const SECRET_LEN: usize = 32;

type HpkePublic = <Kem as hpke::Kem>::PublicKey;
type HpkeSecret = <Kem as hpke::Kem>::PrivateKey;

/// A P-256 public key to seal to. Equal and ordered by its uncompressed encoding.
#[derive(Clone)]
pub struct EncryptionKey {
    // Invariant: `bytes` is the uncompressed encoding of `point`.
    point: HpkePublic,
    bytes: [u8; UNCOMPRESSED_LEN],
}

impl EncryptionKey {
    /// Reads a SEC1 point: 33 bytes compressed or 65 uncompressed. Hybrid and compact forms and the
    /// identity are refused.
    ///
    /// # Errors
    ///
    /// [`EncryptionKeyError`] for another length or first byte, and for a point off the curve.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, EncryptionKeyError> {
        let prefix = match (bytes.len(), bytes.first()) {
            (COMPRESSED_LEN | UNCOMPRESSED_LEN, Some(prefix)) => *prefix,
            (length, _) => return Err(EncryptionKeyError::BadLength { length }),
        };
        match (bytes.len(), prefix) {
            (COMPRESSED_LEN, 2 | 3) | (UNCOMPRESSED_LEN, 4) => {}
            _ => return Err(EncryptionKeyError::BadPrefix { prefix }),
        }
        let parsed =
            p256::PublicKey::from_sec1_bytes(bytes).map_err(|_| EncryptionKeyError::NotOnCurve)?;
        let uncompressed = parsed.to_sec1_point(false);
        let point = HpkePublic::from_bytes(uncompressed.as_bytes())
            .map_err(|_| EncryptionKeyError::NotOnCurve)?;
        Ok(Self::from_point(point))
    }

    /// The key as 65 bytes, SEC1 uncompressed.
    #[must_use]
    pub const fn to_uncompressed(&self) -> [u8; UNCOMPRESSED_LEN] {
        self.bytes
    }

    /// The key as 33 bytes, SEC1 compressed.
    #[must_use]
    pub fn to_compressed(&self) -> [u8; COMPRESSED_LEN] {
        let [_, coordinates @ ..] = &self.bytes;
        let (x, y) = coordinates.split_at(32);
        let odd = y.last().is_some_and(|last| last & 1 == 1);
        let mut compressed = [0; COMPRESSED_LEN];
        let [prefix, rest @ ..] = &mut compressed;
        *prefix = if odd { 3 } else { 2 };
        rest.copy_from_slice(x);
        compressed
    }

    pub(crate) const fn point(&self) -> &HpkePublic {
        &self.point
    }

    fn from_point(point: HpkePublic) -> Self {
        let bytes = point.to_bytes().into();
        Self { point, bytes }
    }
}

impl PartialEq for EncryptionKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for EncryptionKey {}

impl PartialOrd for EncryptionKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EncryptionKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl Hash for EncryptionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(")?;
        self.to_compressed()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Why bytes are not an encryption key, or not an encapsulated key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptionKeyError {
    /// Neither 33 nor 65 bytes.
    #[error("the public key has {length} bytes; a SEC1 P-256 point has 33 or 65")]
    BadLength {
        /// Bytes given.
        length: usize,
    },
    /// The first byte does not fit the length: 2 or 3 for 33 bytes, 4 for 65.
    #[error(
        "the public key starts with byte {prefix:#04x}; a compressed point starts with 0x02 or \
         0x03, an uncompressed one with 0x04"
    )]
    BadPrefix {
        /// The first byte.
        prefix: u8,
    },
    /// The coordinates are not those of a point of P-256.
    #[error("the public key is not a point of P-256; the bytes are damaged or forged")]
    NotOnCurve,
}

/// A P-256 secret key to open with. Overwritten when dropped.
pub struct DecryptionKey(HpkeSecret);

impl DecryptionKey {
    /// A uniformly random key, by rejection sampling.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut block = Zeroizing::new([0; SECRET_LEN]);
        loop {
            rng.fill_bytes(block.as_mut());
            if let Ok(key) = Self::from_bytes(&block) {
                return key;
            }
        }
    }

    /// Reads a key from a scalar, 32 bytes big-endian.
    ///
    /// # Errors
    ///
    /// [`DecryptionKeyError`] when the number is zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; SECRET_LEN]) -> Result<Self, DecryptionKeyError> {
        HpkeSecret::from_bytes(bytes).map(Self).map_err(|_| {
            // Refused already; which of the two reasons it was is no secret.
            if bytes.iter().all(|byte| *byte == 0) {
                DecryptionKeyError::Zero
            } else {
                DecryptionKeyError::NotBelowOrder
            }
        })
    }

    /// The key as 32 bytes big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SECRET_LEN]> {
        let mut bytes = Zeroizing::new([0; SECRET_LEN]);
        self.0.write_exact(bytes.as_mut());
        bytes
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn public(&self) -> EncryptionKey {
        EncryptionKey::from_point(Kem::sk_to_pk(&self.0))
    }

    pub(crate) const fn secret(&self) -> &HpkeSecret {
        &self.0
    }
}

/// Why 32 bytes are not a decryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptionKeyError {
    /// The number is the group order or more.
    #[error("the secret key is not below the order of P-256; check that the bytes are complete")]
    NotBelowOrder,
    /// The number is zero.
    #[error("the secret key is zero; an empty or erased file may have been read")]
    Zero,
}
