//! Signing with secp256k1: ECDSA, deterministic, low-S, with the public key recoverable.
//!
//! Guarantees: the nonce is that of RFC 6979 with SHA-256, so one key and one hash give one signature,
//! and no generator can spoil it. Before a signature is returned, its point is computed again from
//! public data alone and compared with r and with the parity. So a fault, or a public key that does
//! not belong to the secret one, gives [`SelfCheckFailed`] and no signature that could betray the key.
//!
//! Trusts: `k256`. Does not: hash. It signs the 32 bytes it is given, and whoever calls it has looked at
//! what they are the hash of.

use core::fmt;

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use k256::elliptic_curve::PrimeField as _;
use k256::elliptic_curve::ops::{Invert as _, MulByGeneratorVartime as _, Reduce as _};
use k256::elliptic_curve::point::AffineCoordinates as _;
use k256::elliptic_curve::sec1::ToSec1Point as _;
use k256::{AffinePoint, FieldBytes, NonZeroScalar, ProjectivePoint, Scalar, Secp256k1};
use sha2::Sha256;
use zeroize::ZeroizeOnDrop;

/// A point of secp256k1 other than the identity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(AffinePoint);

/// Bytes that are no public key. Whoever gave them is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a point of secp256k1 in SEC1 form")]
pub struct PublicKeyError;

/// Bytes that are no secret key: zero, or not below the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a secret key of secp256k1")]
pub struct SecretKeyError;

/// A signature was made that is not valid under the public key, and was thrown away: a fault in the
/// processor or its memory, or the public key belongs to another secret. Nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid under the public key; it was thrown away")]
pub struct SelfCheckFailed;

/// Whether the signature's point has an even or an odd y-coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// 0.
    Even,
    /// 1.
    Odd,
}

/// A signature from which the public key can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoverableSignature {
    signature: Signature,
    parity: Parity,
}

/// A secret key with its public key. The secret is erased when dropped.
#[derive(ZeroizeOnDrop)]
pub struct SigningKey {
    secret: NonZeroScalar,
    #[zeroize(skip)]
    public: PublicKey,
}

impl SigningKey {
    /// From 32 bytes, most significant first. Computes the public key.
    ///
    /// # Errors
    /// [`SecretKeyError`]
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SecretKeyError> {
        let secret = NonZeroScalar::from_repr((*bytes).into()).into_option();
        secret.map(Self::from_scalar).ok_or(SecretKeyError)
    }

    /// From 32 bytes and the public key that belongs to them, which saves its computation. If another
    /// one is given, every signature fails its self-check.
    ///
    /// # Errors
    /// [`SecretKeyError`]
    pub fn with_public_key(bytes: &[u8; 32], public: PublicKey) -> Result<Self, SecretKeyError> {
        let secret = NonZeroScalar::from_repr((*bytes).into()).into_option();
        let secret = secret.ok_or(SecretKeyError)?;
        Ok(Self { secret, public })
    }

    pub(crate) fn from_scalar(secret: NonZeroScalar) -> Self {
        let public = PublicKey::of(&secret);
        Self { secret, public }
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs a hash, and checks the signature.
    ///
    /// # Errors
    /// [`SelfCheckFailed`]
    pub fn sign(&self, hash: &[u8; 32]) -> Result<RecoverableSignature, SelfCheckFailed> {
        let (signature, id) =
            ecdsa::hazmat::sign_prehashed_rfc6979::<Secp256k1, Sha256>(&self.secret, hash, &[]);
        let parity = match (id.is_x_reduced(), id.is_y_odd()) {
            (false, false) => Parity::Even,
            (false, true) => Parity::Odd,
            // An x-coordinate not below the order: one hash in 2¹²⁷, and Ethereum cannot say it.
            (true, _) => return Err(SelfCheckFailed),
        };
        let made = RecoverableSignature { signature, parity };
        made.check(hash, &self.public)?;
        Ok(made)
    }
}

impl RecoverableSignature {
    /// From r, then s, 32 bytes each, and the parity. `None` where a number is zero or not below the
    /// order, or s is in its high half.
    pub fn from_bytes(bytes: &[u8; 64], parity: Parity) -> Option<Self> {
        let signature = Signature::from_slice(bytes).ok()?;
        (signature.normalize_s() == signature).then_some(Self { signature, parity })
    }

    /// r, then s, 32 bytes each.
    pub fn to_bytes(&self) -> [u8; 64] {
        self.signature.to_bytes().into()
    }

    /// The parity.
    pub fn parity(&self) -> Parity {
        self.parity
    }

    /// Verifies, parity included.
    ///
    /// # Errors
    /// [`SelfCheckFailed`]
    pub fn check(&self, hash: &[u8; 32], public: &PublicKey) -> Result<(), SelfCheckFailed> {
        // SEC 1, 4.1.4: R = (z/s)·G + (r/s)·Q has r as its x-coordinate.
        let (r, s) = self.signature.split_scalars();
        let inverse = *NonZeroScalar::invert_vartime(&s);
        let z = Scalar::reduce(&FieldBytes::from(*hash));
        let point = ProjectivePoint::mul_by_generator_and_mul_add_vartime(
            &(z * inverse),
            &(*r * inverse),
            &ProjectivePoint::from(public.0),
        )
        .to_affine();
        let odd = bool::from(point.y_is_odd());
        let parity = if odd { Parity::Odd } else { Parity::Even };
        if point.x() == r.to_repr() && parity == self.parity {
            Ok(())
        } else {
            Err(SelfCheckFailed)
        }
    }

    /// The public key under which this is a signature of the hash, if there is one.
    pub fn recover(&self, hash: &[u8; 32]) -> Option<PublicKey> {
        let id = RecoveryId::new(self.parity == Parity::Odd, false);
        let key = VerifyingKey::recover_from_prehash(hash, &self.signature, id).ok()?;
        Some(PublicKey(*key.as_affine()))
    }
}

impl PublicKey {
    pub(crate) fn of(secret: &NonZeroScalar) -> Self {
        Self(ProjectivePoint::mul_by_generator(secret).to_affine())
    }

    /// Reads a SEC1 point, compressed (33 bytes) or uncompressed (65 bytes).
    ///
    /// # Errors
    /// [`PublicKeyError`]
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        // k256 would also take the compact form, which has another first byte.
        let ((Some(2 | 3), 33) | (Some(4), 65)) = (bytes.first(), bytes.len()) else {
            return Err(PublicKeyError);
        };
        let key = VerifyingKey::from_sec1_bytes(bytes).map_err(|_| PublicKeyError)?;
        Ok(Self(*key.as_affine()))
    }

    /// SEC1 compressed.
    pub fn to_compressed(&self) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes.copy_from_slice(self.0.to_sec1_point(true).as_bytes());
        bytes
    }

    /// x, then y, 32 bytes each: SEC1 uncompressed without its first byte.
    pub fn coordinates(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let point = self.0.to_sec1_point(false);
        if let Some(coordinates) = point.as_bytes().get(1..) {
            bytes.copy_from_slice(coordinates);
        }
        bytes
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.to_compressed();
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
