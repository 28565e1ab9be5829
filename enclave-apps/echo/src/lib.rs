//! What `echo` says on its port: one request, one answer, with proof or without.

#![forbid(unsafe_code)]

use minicbor::{Decode, Encode};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::Bytes;
use quorate_protocol::cbor::Object;
use quorate_protocol::cose::Signed;
use quorate_protocol::frame::Sizes;

/// The port `echo` listens on unless its first argument names another.
pub const PORT: u32 = 5100;
/// The kind of its proofs.
pub const PROOF_KIND: &str = "echo";
/// Bytes of a message, at most.
pub const MAX_MESSAGE: usize = 32 * 1024;

/// To `echo`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum EchoRequest {
    /// Say this, and prove that you said it.
    #[n(1)]
    Echo(#[n(0)] Bytes<0, MAX_MESSAGE>),
    /// Say this; nothing is proved. For measuring the way to an application and back.
    #[n(2)]
    Repeat(#[n(0)] Bytes<0, MAX_MESSAGE>),
}

/// From `echo`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum EchoResponse {
    /// The proof's payload is the message.
    #[n(1)]
    Echoed(#[n(0)] Box<Signed<ApplicationProof>>),
    /// The message.
    #[n(2)]
    Repeated(#[n(0)] Bytes<0, MAX_MESSAGE>),
}

impl Object for EchoRequest {
    const LABEL: &'static str = "quorate/echo-request/v1";
    const MAX: usize = MAX_MESSAGE + 16;
}

impl Object for EchoResponse {
    const LABEL: &'static str = "quorate/echo-response/v1";
    const MAX: usize = MAX_MESSAGE + 1024;
}

impl Sizes for EchoRequest {
    const LARGEST: usize = <Self as Object>::MAX;

    fn largest(kind: u8) -> Option<usize> {
        matches!(kind, 1 | 2).then_some(Self::LARGEST)
    }
}

impl Sizes for EchoResponse {
    const LARGEST: usize = <Self as Object>::MAX;

    fn largest(kind: u8) -> Option<usize> {
        matches!(kind, 1 | 2).then_some(Self::LARGEST)
    }
}
