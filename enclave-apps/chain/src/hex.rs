//! Hexadecimal text as clients send it: any case, with or without `0x`, always whole bytes.
//!
//! Guarantees: nothing but digits is skipped or guessed; an error says where the text goes wrong.
//! Output is lower case without a prefix, as Turnkey's results are.
//!
//! Trusts: `base16ct` for the digits themselves.
//!
//! Does not: hide the time it takes on an error. Nothing that is secret is read here.

use alloc::string::String;
use alloc::vec::Vec;

/// Text that is not hexadecimal. The sender of the text is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HexError {
    /// A character is not a hexadecimal digit.
    #[error("character {offset} is not a hexadecimal digit")]
    Digit {
        /// Where it stands, in bytes from the start of the text, prefix included.
        offset: usize,
    },
    /// Half a byte is left over.
    #[error("{digits} hexadecimal digits are not a whole number of bytes")]
    Odd {
        /// Digits found, without the prefix.
        digits: usize,
    },
    /// The text is longer than what may be there.
    #[error("{found} bytes of data, at most {max} are accepted")]
    TooLong {
        /// Largest accepted size of the data in bytes.
        max: usize,
        /// Size found in bytes.
        found: usize,
    },
}

/// Reads at most `max` bytes of data.
///
/// # Errors
/// [`HexError`]
pub fn from_hex(text: &str, max: usize) -> Result<Vec<u8>, HexError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if !digits.len().is_multiple_of(2) {
        let digits = digits.len();
        return Err(HexError::Odd { digits });
    }
    let found = digits.len() / 2;
    if found > max {
        return Err(HexError::TooLong { max, found });
    }
    base16ct::mixed::decode_vec(digits).map_err(|_| {
        let prefix = text.len() - digits.len();
        let bad = digits.bytes().position(|c| !c.is_ascii_hexdigit());
        HexError::Digit {
            offset: prefix + bad.unwrap_or_default(),
        }
    })
}

/// Lower case, no prefix.
pub fn to_hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}
