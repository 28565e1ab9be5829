//! The secret, and how secret scalars are read and drawn.
//!
//! A scalar is 32 bytes big-endian, below the group order q and not zero. Anything else is
//! refused; nothing is ever reduced modulo q, because reducing is how a bias gets in.

use p256::ecdsa::SigningKey;
use p256::elliptic_curve::{Group, PrimeField};
use p256::{FieldBytes, NonZeroScalar, ProjectivePoint, Scalar};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::commitments::{POINT_LEN, compress};

/// Length of an encoded scalar in bytes.
pub const SCALAR_LEN: usize = 32;

/// The shared secret: a scalar `1 <= s < q` of P-256. Overwritten when dropped.
pub struct Secret(NonZeroScalar);

impl Secret {
    /// A uniformly random secret, by rejection sampling.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(random_nonzero(rng))
    }

    /// Reads a secret from 32 bytes big-endian.
    ///
    /// # Errors
    ///
    /// [`ScalarError`] when the number is zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; SCALAR_LEN]) -> Result<Self, ScalarError> {
        parse_nonzero(bytes).map(Self)
    }

    /// The secret as 32 bytes big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_LEN]> {
        encode(&self.0)
    }

    /// `s·G`, SEC1 compressed: the public key, and the first commitment of every sharing.
    #[must_use]
    pub fn public_key(&self) -> [u8; POINT_LEN] {
        compress(&(ProjectivePoint::mul_by_generator(&self.0)).to_affine())
    }

    /// The ECDSA signing key with this secret scalar. It overwrites itself when dropped.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from(self.0)
    }

    pub(crate) const fn from_scalar(scalar: NonZeroScalar) -> Self {
        Self(scalar)
    }

    pub(crate) const fn scalar(&self) -> &NonZeroScalar {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

/// Why 32 bytes are not a usable scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScalarError {
    /// The number is q or more. Damaged bytes look like this, and so does an attempt to give one
    /// scalar two encodings.
    #[error("the scalar is not below the order of P-256; check that the bytes are complete")]
    NotBelowOrder,
    /// The number is zero.
    #[error("the scalar is zero; an empty or erased file may have been read")]
    Zero,
}

/// Reads a scalar `1 <= k < q` from 32 bytes big-endian.
pub(crate) fn parse_nonzero(bytes: &[u8; SCALAR_LEN]) -> Result<NonZeroScalar, ScalarError> {
    let mut repr = FieldBytes::from(*bytes);
    let scalar = Scalar::from_repr(repr).into_option();
    repr.zeroize();
    let mut scalar = scalar.ok_or(ScalarError::NotBelowOrder)?;
    let nonzero = NonZeroScalar::new(scalar).into_option();
    scalar.zeroize();
    nonzero.ok_or(ScalarError::Zero)
}

/// A uniform scalar in `1..q`: blocks of 32 bytes until one is such a number.
///
/// `p256`'s own `Field::try_random` rejects the same way (its source was read); this loop exists
/// because it also overwrites the buffer and excludes zero. Time depends on rejected blocks only,
/// which are independent of the result.
pub(crate) fn random_nonzero(rng: &mut impl CryptoRng) -> NonZeroScalar {
    let mut block = Zeroizing::new([0; SCALAR_LEN]);
    loop {
        rng.fill_bytes(block.as_mut());
        if let Ok(scalar) = parse_nonzero(&block) {
            return scalar;
        }
    }
}

/// 32 bytes big-endian in a buffer that overwrites itself.
pub(crate) fn encode(scalar: &Scalar) -> Zeroizing<[u8; SCALAR_LEN]> {
    let mut repr = scalar.to_repr();
    let bytes = Zeroizing::new(repr.into());
    repr.zeroize();
    bytes
}

#[cfg(test)]
mod tests {
    use super::{SCALAR_LEN, ScalarError, Secret};

    /// q, the order of P-256 (SP 800-186, section 3.2.1.3).
    const ORDER: [u8; SCALAR_LEN] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];

    #[test]
    fn zero_scalar_fails_closed() {
        assert_eq!(Secret::from_bytes(&[0; 32]).err(), Some(ScalarError::Zero));
    }

    #[test]
    fn scalar_not_below_the_order_fails_closed() {
        let mut above = ORDER;
        above[31] += 1;
        for bytes in [ORDER, above, [0xff; 32]] {
            assert_eq!(
                Secret::from_bytes(&bytes).err(),
                Some(ScalarError::NotBelowOrder)
            );
        }
    }

    #[test]
    fn largest_and_smallest_scalars_round_trip() {
        let mut largest = ORDER;
        largest[31] -= 1;
        let mut one = [0; 32];
        one[31] = 1;
        for bytes in [largest, one] {
            let secret = Secret::from_bytes(&bytes).expect("in range");
            assert_eq!(*secret.to_bytes(), bytes);
        }
    }
}
