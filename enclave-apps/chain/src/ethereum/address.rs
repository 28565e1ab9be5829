//! Addresses: 20 bytes, and their text with the checksum of EIP-55.
//!
//! Guarantees: text in mixed case is accepted only with the right checksum; two texts of one address
//! are the same value, so comparing values needs no thought about case.
//!
//! Trusts: the caller, that a public key is a point of secp256k1. Does not: know whether anybody holds
//! the key of an address.

use core::fmt::{self, Write as _};
use core::str::FromStr;

use super::keccak256;

/// An Ethereum address. Prints with `0x` and the checksum of EIP-55.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

/// Text that is no address. Its sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The case of a letter is not that of the checksum: mistyped, or altered.
    #[error("the address does not match its checksum at character {offset}")]
    Checksum {
        /// First letter in the wrong case, in bytes from the start of the text.
        offset: usize,
    },
    /// A character is not a hexadecimal digit.
    #[error("character {offset} of the address is not a hexadecimal digit")]
    Digit {
        /// Where it stands, in bytes from the start of the text.
        offset: usize,
    },
    /// The text is not 42 characters long.
    #[error("an address has 42 characters, this text has {found} bytes")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// The text does not begin with `0x`.
    #[error("the address does not begin with 0x")]
    Prefix,
}

impl Address {
    /// Length of the text in characters.
    pub const TEXT_LEN: usize = 42;

    /// From its 20 bytes.
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// Of a public key: x then y of its point, 32 bytes each.
    pub fn of_public_key(point: &[u8; 64]) -> Self {
        let hash = keccak256(point);
        let mut bytes = [0; 20];
        if let Some(last) = hash.last_chunk() {
            bytes = *last;
        }
        Self(bytes)
    }

    /// Its 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The 40 digits with the case of EIP-55: a letter is upper case where the same digit of the hash
    /// of the lower-case text is 8 or more.
    fn digits(&self) -> [u8; 40] {
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                (*high, *low) = (digit(byte >> 4), digit(byte & 15));
            }
        }
        let hash = keccak256(&text);
        let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (character, nibble) in text.iter_mut().zip(nibbles) {
            if nibble >= 8 {
                character.make_ascii_uppercase();
            }
        }
        text
    }
}

const fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// `0x` and 40 digits, in one case, or in the mixed case of the checksum.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() != Self::TEXT_LEN {
            let found = text.len();
            return Err(AddressError::Length { found });
        }
        let digits = text.strip_prefix("0x").ok_or(AddressError::Prefix)?;
        let mut bytes = [0; 20];
        if base16ct::mixed::decode(digits, &mut bytes).is_err() {
            let bad = digits.bytes().position(|c| !c.is_ascii_hexdigit());
            let offset = 2 + bad.unwrap_or_default();
            return Err(AddressError::Digit { offset });
        }
        let address = Self(bytes);
        let one_case = !digits.bytes().any(|c| c.is_ascii_lowercase())
            || !digits.bytes().any(|c| c.is_ascii_uppercase());
        let checksummed = address.digits();
        let differs = digits
            .bytes()
            .zip(checksummed)
            .position(|(found, right)| found != right);
        match differs {
            Some(at) if !one_case => Err(AddressError::Checksum { offset: at + 2 }),
            _ => Ok(address),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        let digits = self.digits();
        digits.iter().try_for_each(|c| f.write_char(char::from(*c)))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
