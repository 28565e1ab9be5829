//! What can go wrong between init and the NSM, and whose fault it is.

use std::fmt;

use nix::errno::Errno;
use thiserror::Error;

use super::wire::{Digest, ErrorCode, REQUEST_MAX, ResponseKind, WireError};
use super::{FIELD_MAX, PCR_LEN, RANDOM_MIN};

/// Why a message did not reach the device, or its answer did not come back.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// The other end is gone.
    #[error("the other end of the NSM transport is closed")]
    Closed,
    /// The kernel refused the exchange.
    #[error("exchanging a message with the NSM failed: {errno}")]
    Exchange {
        /// What the kernel said.
        errno: Errno,
    },
    /// The device cannot be opened.
    #[error("the NSM device cannot be opened: {errno}; is this an enclave with the nsm driver?")]
    Open {
        /// What the kernel said.
        errno: Errno,
    },
    /// The request is longer than the transport carries.
    #[error("a request of {len} bytes is longer than the {max} the NSM takes")]
    RequestTooLong {
        /// Bytes of the request.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The answer did not fit.
    #[error("an answer of {len} bytes is longer than the {max} the NSM may send")]
    ResponseTooLong {
        /// Bytes of the answer.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// No answer came in time.
    #[error("the NSM did not answer in time")]
    TimedOut,
}

/// A request with the part of its arguments that helps to find the mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`super::Nsm::attest`].
    Attest,
    /// [`super::Nsm::describe`].
    Describe,
    /// [`super::Nsm::describe_pcr`].
    DescribePcr {
        /// Which PCR.
        index: u16,
    },
    /// [`super::Nsm::extend`].
    Extend {
        /// Which PCR.
        index: u16,
    },
    /// [`super::Nsm::lock`].
    Lock {
        /// Which PCR.
        index: u16,
    },
    /// [`super::Nsm::lock_range`].
    LockRange {
        /// One more than the last PCR.
        range: u16,
    },
    /// [`super::Nsm::random`].
    Random,
}

/// The three optional fields of an attestation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttestField {
    /// The challenge.
    Nonce,
    /// The public key to be vouched for.
    PublicKey,
    /// Bytes of the caller's choice.
    UserData,
}

/// Who has to act on an [`NsmError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The code that made the call: it asked for something the NSM does not do.
    Caller,
    /// The NSM: it failed, or its answer makes no sense.
    Device,
    /// The kernel and its driver: the message did not pass.
    Platform,
}

/// Why a call to the NSM did not succeed.
///
/// After any of these init must not go on: the state of the device is not what init expects.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NsmError {
    /// The NSM refused the request.
    #[error("the NSM refused {call} with {}: {}", code.name(), explain(*code))]
    Device {
        /// What was asked.
        call: Call,
        /// What it answered.
        code: ErrorCode,
    },
    /// A field of an attestation request is too long.
    #[error("{field} of an attestation has {len} bytes; the NSM signs at most {FIELD_MAX}")]
    FieldTooLong {
        /// Which field.
        field: AttestField,
        /// Its length in bytes.
        len: usize,
    },
    /// The answer is not a message of the NSM.
    #[error("the NSM's answer to {call} cannot be read: {error}")]
    MalformedResponse {
        /// What was asked.
        call: Call,
        /// What is wrong with the bytes.
        error: WireError,
    },
    /// The value of a PCR has the wrong length.
    #[error("the NSM's answer to {call} has a PCR of {len} bytes instead of {PCR_LEN}")]
    PcrLength {
        /// What was asked.
        call: Call,
        /// Bytes that came.
        len: usize,
    },
    /// The NSM gave too little entropy.
    #[error("the NSM gave {len} random bytes; fewer than {RANDOM_MIN} are refused")]
    RandomTooShort {
        /// Bytes that came.
        len: usize,
    },
    /// The request does not fit the driver's limit.
    #[error("the request {call} is longer than the {REQUEST_MAX} bytes the NSM takes")]
    RequestTooLong {
        /// What was to be asked.
        call: Call,
    },
    /// The message did not pass.
    #[error("the NSM did not get or answer {call}: {error}")]
    Transport {
        /// What was asked.
        call: Call,
        /// What happened.
        error: TransportError,
    },
    /// The answer is a message, but not one that answers the request.
    #[error("the NSM answered {call} with a {response:?} response")]
    UnexpectedResponse {
        /// What was asked.
        call: Call,
        /// What came.
        response: ResponseKind,
    },
    /// The PCR bank is not SHA-384.
    #[error("the NSM's PCRs are {}; only SHA384 is supported", digest.name())]
    UnsupportedDigest {
        /// The bank's hash function.
        digest: Digest,
    },
    /// The NSM speaks an incompatible version of the protocol.
    #[error("the NSM speaks version {major} of its protocol; only version 1 is supported")]
    UnsupportedVersion {
        /// The major version it reported.
        major: u16,
    },
}

impl NsmError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Device { code, .. } => match code {
                ErrorCode::InvalidArgument
                | ErrorCode::InvalidIndex
                | ErrorCode::ReadOnlyIndex
                | ErrorCode::InputTooLarge => Fault::Caller,
                ErrorCode::Success
                | ErrorCode::InvalidResponse
                | ErrorCode::InvalidOperation
                | ErrorCode::BufferTooSmall
                | ErrorCode::InternalError => Fault::Device,
            },
            Self::FieldTooLong { .. } | Self::RequestTooLong { .. } => Fault::Caller,
            Self::Transport { .. } => Fault::Platform,
            Self::MalformedResponse { .. }
            | Self::PcrLength { .. }
            | Self::RandomTooShort { .. }
            | Self::UnexpectedResponse { .. }
            | Self::UnsupportedDigest { .. }
            | Self::UnsupportedVersion { .. } => Fault::Device,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attest => f.write_str("Attestation"),
            Self::Describe => f.write_str("DescribeNSM"),
            Self::DescribePcr { index } => write!(f, "DescribePCR({index})"),
            Self::Extend { index } => write!(f, "ExtendPCR({index})"),
            Self::Lock { index } => write!(f, "LockPCR({index})"),
            Self::LockRange { range } => write!(f, "LockPCRs(0..{range})"),
            Self::Random => f.write_str("GetRandom"),
        }
    }
}

impl fmt::Display for AttestField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nonce => "the nonce",
            Self::PublicKey => "the public key",
            Self::UserData => "the user data",
        })
    }
}

fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Success => "a success is no refusal, the device is broken",
        ErrorCode::InvalidArgument => "an argument is invalid",
        ErrorCode::InvalidIndex => "there is no such PCR",
        ErrorCode::InvalidResponse => "its response does not belong to the request",
        ErrorCode::ReadOnlyIndex => "the PCR is locked",
        ErrorCode::InvalidOperation => "it does not know this operation",
        ErrorCode::BufferTooSmall => "its answer does not fit the buffer",
        ErrorCode::InputTooLarge => "the request is too large",
        ErrorCode::InternalError => "it failed; the enclave has to be restarted",
    }
}
