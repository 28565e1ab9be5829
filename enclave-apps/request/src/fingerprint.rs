//! The fingerprint of a request: SHA-256 of its body, which names the activity it starts.
//!
//! Guarantees: one body, one fingerprint; one fingerprint, one text.
//! Trusts: SHA-256. Does not: remember which have been seen.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use quorate_es256::sha256;

/// SHA-256 of a body. Prints as `sha256:` and 64 lower-case digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// Text that is no fingerprint. Its sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is sha256: and 64 lower-case hexadecimal digits")]
pub struct FingerprintError;

impl Fingerprint {
    /// Of a body.
    pub fn of(body: &[u8]) -> Self {
        Self(sha256(body))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digits = text.strip_prefix("sha256:").ok_or(FingerprintError)?;
        let mut bytes = [0; 32];
        if digits.len() != 64 || base16ct::lower::decode(digits, &mut bytes).is_err() {
            return Err(FingerprintError);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = base16ct::lower::encode_string(&self.0);
        write!(f, "sha256:{digits}")
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
