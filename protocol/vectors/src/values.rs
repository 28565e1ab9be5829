//! Small values of samples, from what a reader can see.

use quorate_protocol::atoms::{Bytes, Name, ShareIndex, Text, UnixMillis};
use quorate_protocol::genesis::Document;

use crate::world::START;

/// Stands where an attestation document would. The contract does not look inside one.
pub(crate) fn document() -> Document {
    bytes(b"in place of an attestation document, which is opaque to the contract")
}

/// Seconds after the start of the samples.
pub(crate) fn time(seconds: u64) -> UnixMillis {
    UnixMillis(START + 1000 * seconds)
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(crate) fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("a text")
}

pub(crate) fn bytes<const MIN: usize, const MAX: usize>(bytes: &[u8]) -> Bytes<MIN, MAX> {
    Bytes::new(bytes.to_vec()).expect("a length within the bounds")
}

pub(crate) fn index(value: u8) -> ShareIndex {
    ShareIndex::new(value).expect("an index")
}
