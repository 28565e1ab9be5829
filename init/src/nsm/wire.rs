//! The CBOR messages of the Nitro Security Module, in both directions.
//!
//! A message is what `serde_cbor` makes of the enums in AWS's `aws-nitro-enclaves-nsm-api`: a
//! variant without fields is a text string with its name, a variant with fields is a map of one
//! entry from its name to the map of its fields, in declaration order, byte strings as byte
//! strings, absent options as null. The bytes encoded here are equal to those of that crate; a
//! differential test holds this.
//!
//! Both directions are here because both ends are ours: init encodes requests and decodes
//! responses, an emulated device does the opposite.
//!
//! What the decoders guarantee: at most [`REQUEST_MAX`] or [`RESPONSE_MAX`] bytes, nothing after
//! the message, no field twice, no mandatory field absent, byte and text strings in one piece, no
//! recursion, no allocation but the set of locked PCRs, and no panic on any input.
//!
//! What they allow, because devices differ in it: fields in any order and maps of indefinite
//! length. A *response* may carry unknown fields, which are skipped: AWS promises that minor
//! versions of the NSM stay backwards compatible, and its own client skips them too. A *request*
//! with an unknown field is refused.

use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

mod codec;
mod request;
mod response;

/// The longest request the driver takes, in bytes (`NSM_REQUEST_MAX_SIZE`).
pub const REQUEST_MAX: usize = 0x1000;

/// The longest response the driver returns, in bytes (`NSM_RESPONSE_MAX_SIZE`).
pub const RESPONSE_MAX: usize = 0x3000;

/// What a client asks of the NSM. Byte strings are borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Reads one PCR.
    DescribePcr {
        /// Which PCR.
        index: u16,
    },
    /// Replaces a PCR by the digest of its old value followed by `data`.
    ExtendPcr {
        /// Which PCR.
        index: u16,
        /// What to extend it with.
        data: &'a [u8],
    },
    /// Makes one PCR read-only until the enclave ends.
    LockPcr {
        /// Which PCR.
        index: u16,
    },
    /// Makes the PCRs `0..range` read-only until the enclave ends.
    LockPcrs {
        /// One more than the last PCR to lock.
        range: u16,
    },
    /// Asks for version, identity and limits of the module.
    DescribeNsm,
    /// Asks for a signed attestation document.
    Attestation {
        /// Bytes of the caller's choice to be signed.
        user_data: Option<&'a [u8]>,
        /// The challenge to be answered.
        nonce: Option<&'a [u8]>,
        /// The public key to be vouched for.
        public_key: Option<&'a [u8]>,
    },
    /// Asks for entropy.
    GetRandom,
}

/// What the NSM answers. Byte strings are borrowed.
///
/// `Debug` names the kind only: a response can carry entropy.
#[derive(Clone, PartialEq, Eq)]
pub enum Response<'a> {
    /// The state of a PCR.
    DescribePcr {
        /// Whether the PCR is read-only.
        lock: bool,
        /// Its value.
        data: &'a [u8],
    },
    /// The PCR was extended.
    ExtendPcr {
        /// Its new value.
        data: &'a [u8],
    },
    /// The PCR is now read-only.
    LockPcr,
    /// The PCRs are now read-only.
    LockPcrs,
    /// Version, identity and limits of the module.
    DescribeNsm {
        /// Changes with every incompatible change.
        version_major: u16,
        /// Changes with every compatible change.
        version_minor: u16,
        /// Changes with every fix.
        version_patch: u16,
        /// The identifier of this module.
        module_id: &'a str,
        /// How many PCRs there are.
        max_pcrs: u16,
        /// Which of them are read-only.
        locked_pcrs: BTreeSet<u16>,
        /// The hash function of the PCR bank.
        digest: Digest,
    },
    /// A signed attestation document.
    Attestation {
        /// The COSE_Sign1 object.
        document: &'a [u8],
    },
    /// Entropy.
    GetRandom {
        /// The random bytes.
        random: &'a [u8],
    },
    /// The request was refused.
    Error(ErrorCode),
}

/// Why the NSM refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No error. A device never answers with it.
    Success,
    /// An argument is invalid.
    InvalidArgument,
    /// There is no PCR of that index.
    InvalidIndex,
    /// The response does not belong to the request.
    InvalidResponse,
    /// The PCR is read-only.
    ReadOnlyIndex,
    /// The module does not know or cannot do this.
    InvalidOperation,
    /// The caller's response buffer is too small.
    BufferTooSmall,
    /// The request is too large.
    InputTooLarge,
    /// The module failed.
    InternalError,
}

/// The hash function of a PCR bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Digest {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes; the only one seen on Nitro.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

/// Which response came, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseKind {
    /// [`Response::DescribePcr`].
    DescribePcr,
    /// [`Response::ExtendPcr`].
    ExtendPcr,
    /// [`Response::LockPcr`].
    LockPcr,
    /// [`Response::LockPcrs`].
    LockPcrs,
    /// [`Response::DescribeNsm`].
    DescribeNsm,
    /// [`Response::Attestation`].
    Attestation,
    /// [`Response::GetRandom`].
    GetRandom,
    /// [`Response::Error`].
    Error,
}

/// Why bytes are not a message, or a message cannot be put into bytes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// A field occurs twice in one map.
    #[error("field {field} occurs twice in one NSM message")]
    DuplicateField {
        /// The name of the field.
        field: &'static str,
    },
    /// The bytes are not CBOR, or a value has another type than its field.
    #[error("byte {offset} of the NSM message is not the CBOR that belongs there")]
    Malformed {
        /// Where decoding stopped.
        offset: usize,
    },
    /// A mandatory field is absent.
    #[error("the NSM message lacks field {field}")]
    MissingField {
        /// The name of the field.
        field: &'static str,
    },
    /// The message is longer than the driver carries.
    #[error("the NSM message is longer than the {max} bytes the driver carries")]
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// There are bytes after the message.
    #[error("there are bytes after the NSM message, from byte {offset} on")]
    TrailingBytes {
        /// Where the message ended.
        offset: usize,
    },
    /// A request has a field this codec does not know.
    #[error("the NSM request has an unknown field before byte {offset}")]
    UnknownField {
        /// Where the name of the field ended.
        offset: usize,
    },
    /// The message has a name this codec does not know.
    #[error("the NSM message has an unknown name before byte {offset}")]
    UnknownName {
        /// Where the name ended.
        offset: usize,
    },
}

impl Response<'_> {
    /// Which response this is.
    pub fn kind(&self) -> ResponseKind {
        match self {
            Self::DescribePcr { .. } => ResponseKind::DescribePcr,
            Self::ExtendPcr { .. } => ResponseKind::ExtendPcr,
            Self::LockPcr => ResponseKind::LockPcr,
            Self::LockPcrs => ResponseKind::LockPcrs,
            Self::DescribeNsm { .. } => ResponseKind::DescribeNsm,
            Self::Attestation { .. } => ResponseKind::Attestation,
            Self::GetRandom { .. } => ResponseKind::GetRandom,
            Self::Error(_) => ResponseKind::Error,
        }
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(code) => f.debug_tuple("Error").field(code).finish(),
            _ => self.kind().fmt(f),
        }
    }
}

impl ErrorCode {
    /// Every code there is.
    pub const ALL: [Self; 9] = [
        Self::Success,
        Self::InvalidArgument,
        Self::InvalidIndex,
        Self::InvalidResponse,
        Self::ReadOnlyIndex,
        Self::InvalidOperation,
        Self::BufferTooSmall,
        Self::InputTooLarge,
        Self::InternalError,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::InvalidArgument => "InvalidArgument",
            Self::InvalidIndex => "InvalidIndex",
            Self::InvalidResponse => "InvalidResponse",
            Self::ReadOnlyIndex => "ReadOnlyIndex",
            Self::InvalidOperation => "InvalidOperation",
            Self::BufferTooSmall => "BufferTooSmall",
            Self::InputTooLarge => "InputTooLarge",
            Self::InternalError => "InternalError",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

impl Digest {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|d| d.name() == name)
    }
}

#[cfg(test)]
mod tests;
