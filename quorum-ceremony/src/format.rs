//! The format numbers of the files in a private folder. Each kind counts its own.

use quorate_protocol::cbor::{DecodeError, Object};
use quorate_protocol::invalid::Invalid;

/// Whether a file of this kind is of the one format that is `known`.
///
/// # Errors
/// [`DecodeError::Rule`], which names the file's label and the number found.
pub(crate) fn check_format<T: Object>(found: u8, known: u8) -> Result<(), DecodeError> {
    if found == known {
        return Ok(());
    }
    Err(DecodeError::Rule {
        label: T::LABEL,
        rule: Invalid::Format { found },
    })
}
