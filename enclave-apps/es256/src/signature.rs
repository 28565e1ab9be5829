//! An ECDSA signature over P-256: two numbers between 1 and the order less 1.
//!
//! Guarantees: reading accepts each signature in exactly one DER form (X.690), and in 64 bytes; out of
//! range is refused before any key is asked.
//!
//! Trusts: the crate `ecdsa` under `p256` for DER. Does not: verify.

use alloc::vec::Vec;
use core::fmt;

use p256::ecdsa;

/// A signature in range. Prints its 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) ecdsa::Signature);

/// Bytes that are no signature. Whoever gave them is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not strict DER of two numbers in range.
    #[error("the signature is not DER of two numbers in range")]
    Der,
    /// Not 64 bytes of two numbers in range.
    #[error("the signature is not 64 bytes of two numbers in range")]
    Raw,
}

impl Signature {
    /// Longest DER form in bytes.
    pub const MAX_DER_LEN: usize = 72;

    /// Reads strict DER: a sequence of two integers, shortest lengths, nothing behind it.
    ///
    /// # Errors
    /// [`SignatureError::Der`]
    pub fn from_der(bytes: &[u8]) -> Result<Self, SignatureError> {
        let read = ecdsa::Signature::from_der(bytes).map_err(|_| SignatureError::Der)?;
        // One form each, whatever the reader would let pass.
        if read.to_der().as_bytes() == bytes {
            Ok(Self(read))
        } else {
            Err(SignatureError::Der)
        }
    }

    /// Reads r, then s, 32 bytes each.
    ///
    /// # Errors
    /// [`SignatureError::Raw`]
    pub fn from_raw(bytes: &[u8]) -> Result<Self, SignatureError> {
        let read = ecdsa::Signature::from_slice(bytes);
        read.map(Self).map_err(|_| SignatureError::Raw)
    }

    /// r, then s, 32 bytes each.
    pub fn to_raw(&self) -> [u8; 64] {
        self.0.to_bytes().into()
    }

    /// Strict DER.
    pub fn to_der(&self) -> Vec<u8> {
        self.0.to_der().as_bytes().to_vec()
    }

    /// Whether s is in its low half.
    pub fn is_low_s(&self) -> bool {
        self.0.normalize_s() == self.0
    }

    /// The one of the two signatures (r, s) and (r, −s) whose s is in its low half.
    #[must_use]
    pub fn into_low_s(self) -> Self {
        Self(self.0.normalize_s())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.to_raw();
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
