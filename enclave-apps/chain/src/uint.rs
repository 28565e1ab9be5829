//! Unsigned integers of 256 bits, the amounts of a blockchain.
//!
//! Guarantees: arithmetic is checked, never wrapping; text is read to the last digit or refused;
//! printing and reading are each other's inverse.
//!
//! Trusts: `crypto-bigint` for the limbs.
//!
//! Does not: run in constant time. Amounts are no secrets.

use alloc::string::String;
use core::fmt;

use crypto_bigint::{self as big, CheckedAdd as _, CheckedSub as _};

/// An unsigned integer of 256 bits. Prints in decimal; `{:x}` prints hexadecimal.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct U256(big::U256);

/// Text or a sum that is no integer of 256 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UintError {
    /// A character is not a digit.
    #[error("character {offset} is not a digit")]
    Digit {
        /// Where it stands, in bytes from the start of the text, prefix included.
        offset: usize,
    },
    /// There are no digits.
    #[error("there are no digits")]
    Empty,
    /// A number of more than one digit begins with zero.
    #[error("the number begins with zero")]
    LeadingZero,
    /// The value is 2²⁵⁶ or more.
    #[error("the value needs more than 256 bits")]
    Overflow,
}

impl U256 {
    /// The largest value.
    pub const MAX: Self = Self(big::U256::MAX);
    /// One.
    pub const ONE: Self = Self(big::U256::ONE);
    /// Zero.
    pub const ZERO: Self = Self(big::U256::ZERO);

    /// From 32 bytes, most significant first.
    pub const fn from_be_bytes(bytes: &[u8; 32]) -> Self {
        Self(big::U256::from_be_slice(bytes))
    }

    /// As 32 bytes, most significant first.
    pub fn to_be_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.to_be_bytes().as_ref());
        bytes
    }

    /// From at most 32 bytes, most significant first.
    pub(crate) fn from_be_slice(bytes: &[u8]) -> Option<Self> {
        let mut all = [0; 32];
        let at = all.len().checked_sub(bytes.len())?;
        all.get_mut(at..)?.copy_from_slice(bytes);
        Some(Self::from_be_bytes(&all))
    }

    /// The sum, if it has 256 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(&other.0).into_option().map(Self)
    }

    /// The difference, if it is not negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(&other.0).into_option().map(Self)
    }

    /// The product, if it has 256 bits.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.0.checked_mul(&other.0).into_option().map(Self)
    }

    /// Reads decimal digits: no sign, no separator, no leading zero.
    ///
    /// # Errors
    /// [`UintError`]
    pub fn from_decimal(text: &str) -> Result<Self, UintError> {
        if text.is_empty() {
            return Err(UintError::Empty);
        }
        if text.len() > 1 && text.starts_with('0') {
            return Err(UintError::LeadingZero);
        }
        let ten = Self::from(10u64);
        let mut value = Self::ZERO;
        for (offset, character) in text.bytes().enumerate() {
            if !character.is_ascii_digit() {
                return Err(UintError::Digit { offset });
            }
            let digit = Self::from(u64::from(character - b'0'));
            let next = value.checked_mul(ten).and_then(|v| v.checked_add(digit));
            value = next.ok_or(UintError::Overflow)?;
        }
        Ok(value)
    }

    /// Reads hexadecimal digits of any case after `0x`; leading zeros are allowed, as in 32-byte words.
    ///
    /// # Errors
    /// [`UintError`]; a missing prefix is [`UintError::Digit`] at 0.
    pub fn from_hex(text: &str) -> Result<Self, UintError> {
        let digits = text
            .strip_prefix("0x")
            .ok_or(UintError::Digit { offset: 0 })?;
        if digits.is_empty() {
            return Err(UintError::Empty);
        }
        let sixteen = Self::from(16u64);
        let mut value = Self::ZERO;
        for (at, character) in digits.chars().enumerate() {
            let digit = character
                .to_digit(16)
                .ok_or(UintError::Digit { offset: at + 2 })?;
            let digit = Self::from(u64::from(digit));
            let next = value
                .checked_mul(sixteen)
                .and_then(|v| v.checked_add(digit));
            value = next.ok_or(UintError::Overflow)?;
        }
        Ok(value)
    }

    /// Decimal digits.
    pub fn to_decimal(&self) -> String {
        self.0.to_string_radix_vartime(10)
    }
}

impl From<u64> for U256 {
    fn from(value: u64) -> Self {
        Self(big::U256::from_u64(value))
    }
}

impl From<u128> for U256 {
    fn from(value: u128) -> Self {
        Self(big::U256::from_u128(value))
    }
}

impl fmt::Display for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(true, "", &self.to_decimal())
    }
}

impl fmt::Debug for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::LowerHex for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(true, "0x", &self.0.to_string_radix_vartime(16))
    }
}
