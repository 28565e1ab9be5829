//! Platform configuration registers: 48-byte SHA-384 values that can only be extended.
//!
//! A value is compared as public data: registers are no secret.

use core::fmt;

use sha2::{Digest, Sha384};

use super::error::AttestationError;
use super::text::Hex;

/// Length of a register in bytes: that of a SHA-384 digest.
pub const PCR_BYTES: usize = 48;

/// Number of registers of a Nitro security module: indices are below this.
pub const PCR_COUNT: u8 = 32;

/// The value of one register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pcr([u8; PCR_BYTES]);

impl Pcr {
    /// The value of a register that was never extended. As an expectation it says nothing.
    pub const ZERO: Self = Self([0; PCR_BYTES]);

    /// The register with this value.
    #[must_use]
    pub const fn new(value: [u8; PCR_BYTES]) -> Self {
        Self(value)
    }

    /// Reads 96 hexadecimal digits, of either case. `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != PCR_BYTES.checked_mul(2)? {
            return None;
        }
        let mut value = [0; PCR_BYTES];
        for (byte, pair) in value.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            let high = char::from(*high).to_digit(16)?;
            let low = char::from(*low).to_digit(16)?;
            *byte = u8::try_from((high << 4) | low).ok()?;
        }
        Some(Self(value))
    }

    /// The value as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PCR_BYTES] {
        &self.0
    }

    /// Whether every byte is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// The register into which nothing but `content` was measured: the zero register extended with
    /// SHA-384(content). So are the image (PCR0 to PCR2) and its signing certificate (PCR8).
    #[must_use]
    pub fn measure(content: &[u8]) -> Self {
        Self::ZERO.extend(&Sha384::digest(content))
    }

    /// The value after an extension with `data`: SHA-384(self ‖ data), as the security module
    /// computes it.
    #[must_use]
    pub fn extend(&self, data: &[u8]) -> Self {
        let digest = Sha384::new().chain_update(self.0).chain_update(data);
        Self(digest.finalize().into())
    }
}

impl From<[u8; PCR_BYTES]> for Pcr {
    fn from(value: [u8; PCR_BYTES]) -> Self {
        Self(value)
    }
}

impl AsRef<[u8]> for Pcr {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Pcr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pcr({self})")
    }
}

impl fmt::Display for Pcr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// The registers of one document: 1 to 32 of them, each index once, sorted by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcrs(Vec<(u8, Pcr)>);

impl Pcrs {
    pub(super) fn empty() -> Self {
        Self(Vec::new())
    }

    /// Adds a register. The index is below [`PCR_COUNT`] and new, otherwise it is refused.
    pub(super) fn insert(&mut self, index: u64, value: &[u8]) -> Result<(), AttestationError> {
        let index = u8::try_from(index)
            .ok()
            .filter(|index| *index < PCR_COUNT)
            .ok_or(AttestationError::PcrIndex { found: index })?;
        let value: [u8; PCR_BYTES] = value.try_into().map_err(|_| AttestationError::PcrLength {
            index,
            found: value.len(),
        })?;
        match self.0.binary_search_by_key(&index, |(index, _)| *index) {
            Ok(_) => Err(AttestationError::DuplicatePcr { index }),
            Err(position) => {
                self.0.insert(position, (index, Pcr(value)));
                Ok(())
            }
        }
    }

    /// The register at `index`, if the document has it.
    #[must_use]
    pub fn get(&self, index: u8) -> Option<&Pcr> {
        self.iter()
            .find_map(|(found, pcr)| (found == index).then_some(pcr))
    }

    /// The registers in order of their index.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Pcr)> {
        self.0.iter().map(|(index, pcr)| (*index, pcr))
    }

    /// How many registers the document has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no register; never so in a parsed document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The register at `index`, or the error that says it is missing.
    pub(super) fn require(&self, index: u8) -> Result<&Pcr, AttestationError> {
        self.get(index)
            .ok_or(AttestationError::PcrMissing { index })
    }
}
