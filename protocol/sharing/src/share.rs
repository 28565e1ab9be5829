//! One member's share: an index and the value of the polynomial there.
//!
//! A share is never zero. A zero share would be a valid point of a polynomial, but it cannot sign,
//! so its holder could never prove possession. [`split`](crate::split) draws the coefficients
//! again in that case (probability about n/q, below 2⁻²⁴⁸), and a zero is refused when read.

use p256::NonZeroScalar;
use p256::ecdsa::SigningKey;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::index::ShareIndex;
use crate::scalar::{SCALAR_LEN, ScalarError, encode, parse_nonzero};

/// One share, `(i, f(i))` with `f(i) != 0`. The value is overwritten when dropped.
pub struct Share {
    index: ShareIndex,
    value: NonZeroScalar,
}

impl Share {
    /// Reads the value of a share from 32 bytes big-endian. It says nothing yet about validity:
    /// see [`Commitments::check`](crate::Commitments::check).
    ///
    /// # Errors
    ///
    /// [`ScalarError`] when the number is zero or not below the group order.
    pub fn from_bytes(index: ShareIndex, bytes: &[u8; SCALAR_LEN]) -> Result<Self, ScalarError> {
        let value = parse_nonzero(bytes)?;
        Ok(Self { index, value })
    }

    /// The index this share belongs to. Public.
    #[must_use]
    pub const fn index(&self) -> ShareIndex {
        self.index
    }

    /// The value `f(i)` as 32 bytes big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_LEN]> {
        encode(&self.value)
    }

    /// The ECDSA signing key whose scalar is `f(i)`. A signature made with it verifies under
    /// [`Commitments::member_key`](crate::Commitments::member_key) and so proves possession. The
    /// key overwrites itself when dropped.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from(self.value)
    }

    pub(crate) const fn new(index: ShareIndex, value: NonZeroScalar) -> Self {
        Self { index, value }
    }

    pub(crate) const fn value(&self) -> &NonZeroScalar {
        &self.value
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl ZeroizeOnDrop for Share {}
