//! For demonstrations and tests only: an application that shows signing a ticket it was given.
//!
//! A ticket counts only on the call edge between its issuer and its redeemer, and only once. To show
//! that inside a real system, somebody who holds a captured ticket needs a call edge to signing; this
//! application has one, and passes on whatever it is sent. It has no storage key and decides nothing:
//! a manifest that lists it gives away nothing, and no manifest but a demonstration's should.

#![forbid(unsafe_code)]

use minicbor::{Decode, Encode};
use quorate_protocol::cbor::Object;
use quorate_protocol::frame::Sizes;
use quorate_protocol::ticket::{Redeem, Redeemed};

/// The port it listens on unless its first argument names another.
pub const PORT: u32 = 5101;

/// To the replayer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ReplayRequest {
    /// Show this to signing.
    #[n(1)]
    Show(#[n(0)] Box<Redeem>),
}

/// From the replayer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ReplayResponse {
    /// What signing answered.
    #[n(1)]
    Answered(#[n(0)] Box<Redeemed>),
    /// signing did not answer.
    #[n(2)]
    Unanswered,
}

impl Object for ReplayRequest {
    const LABEL: &'static str = "quorate/replay-request/v1";
    const MAX: usize = <Redeem as Object>::MAX + 16;
}

impl Object for ReplayResponse {
    const LABEL: &'static str = "quorate/replay-response/v1";
    const MAX: usize = <Redeemed as Object>::MAX + 16;
}

impl Sizes for ReplayRequest {
    const LARGEST: usize = <Self as Object>::MAX;

    fn largest(kind: u8) -> Option<usize> {
        (kind == 1).then_some(Self::LARGEST)
    }
}

impl Sizes for ReplayResponse {
    const LARGEST: usize = <Self as Object>::MAX;

    fn largest(kind: u8) -> Option<usize> {
        matches!(kind, 1 | 2).then_some(Self::LARGEST)
    }
}
