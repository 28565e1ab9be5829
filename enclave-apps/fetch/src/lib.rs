//! What `fetch` says on its port: one request, one answer with proof of what was fetched.

#![forbid(unsafe_code)]

use minicbor::{Decode, Encode};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::{Bytes, Text, UnixMillis};
use quorate_protocol::cbor::Object;
use quorate_protocol::cose::Signed;
use quorate_protocol::egress::Destination;
use quorate_protocol::frame::Sizes;

/// The port `fetch` listens on unless its first argument names another.
pub const PORT: u32 = 5102;
/// The kind of its proofs.
pub const PROOF_KIND: &str = "fetch";
/// Bytes of an answer of a destination, at most.
pub const MAX_ANSWER: usize = 32 * 1024;
/// Bytes of a path, at most.
pub const MAX_PATH: usize = 1024;

/// To `fetch`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum FetchRequest {
    /// Ask this destination for this path, by HTTP/1.1 over TLS.
    #[n(1)]
    Fetch(#[n(0)] Fetch),
}

/// What to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fetch {
    /// From where.
    #[n(0)]
    pub destination: Destination,
    /// What; begins with a slash and is of visible ASCII.
    #[n(1)]
    pub path: Text<MAX_PATH>,
}

/// From `fetch`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum FetchResponse {
    /// The proof's payload is a [`Fetched`].
    #[n(1)]
    Fetched(#[n(0)] Box<Signed<ApplicationProof>>),
    /// Nothing was fetched.
    #[n(2)]
    Failed(#[n(0)] Failure),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fetched {
    /// What was asked for.
    #[n(0)]
    pub fetch: Fetch,
    /// When, by the security module.
    #[n(1)]
    pub time: UnixMillis,
    /// The whole answer: status line, header fields, body.
    #[n(2)]
    pub answer: Bytes<0, MAX_ANSWER>,
}

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Failure {
    /// Which step.
    #[n(0)]
    pub step: Step,
    /// In words.
    #[n(1)]
    pub detail: Text<512>,
}

/// Where fetching failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Step {
    /// The path is not one.
    #[n(1)]
    Path,
    /// init or the parent's proxy gave no connection.
    #[n(2)]
    Dial,
    /// TLS was not agreed on: the certificate, or the handshake.
    #[n(3)]
    Tls,
    /// The answer was cut off, came too late or was too long.
    #[n(4)]
    Answer,
}

impl Object for FetchRequest {
    const LABEL: &'static str = "quorate/fetch-request/v1";
    const MAX: usize = MAX_PATH + 512;
}

impl Object for FetchResponse {
    const LABEL: &'static str = "quorate/fetch-response/v1";
    const MAX: usize = MAX_ANSWER + MAX_PATH + 1536;
}

impl Object for Fetched {
    const LABEL: &'static str = "quorate/fetched/v1";
    const MAX: usize = MAX_ANSWER + MAX_PATH + 512;
}

impl Sizes for FetchRequest {
    const LARGEST: usize = <Self as Object>::MAX;

    fn largest(kind: u8) -> Option<usize> {
        (kind == 1).then_some(Self::LARGEST)
    }
}

impl Sizes for FetchResponse {
    const LARGEST: usize = <Self as Object>::MAX;

    fn largest(kind: u8) -> Option<usize> {
        matches!(kind, 1 | 2).then_some(Self::LARGEST)
    }
}
