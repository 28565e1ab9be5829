//! What is said about one connection when it has ended.
//!
//! Names in it are of the proxy's own list and everything else are numbers, so a line of the log is
//! one line whatever an enclave sends.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use quorate_protocol::egress::{Destination, EgressReason};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides said that they have no more to send.
    Ended,
    /// It was not made.
    Refused(EgressReason),
    /// Nothing went over it for too long.
    Idle,
    /// A side closed or reset it before it was over.
    Broken,
}

impl Outcome {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Idle => "idle",
            Self::Broken => "broken",
            Self::Refused(EgressReason::Malformed) => "refused-malformed",
            Self::Refused(EgressReason::NotListed) => "refused-not-listed",
            Self::Refused(EgressReason::Unresolved) => "refused-unresolved",
            Self::Refused(EgressReason::AddressForbidden) => "refused-address-forbidden",
            Self::Refused(EgressReason::Unreachable) => "refused-unreachable",
            Self::Refused(EgressReason::Busy) => "refused-busy",
            Self::Refused(_) => "refused",
        }
    }
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Context id of the enclave, over vsock.
    pub cid: Option<u32>,
    /// Where to; none if that was not asked for in words of the contract, or is not listed.
    pub destination: Option<Destination>,
    /// The address that was connected to.
    pub address: Option<SocketAddr>,
    /// Bytes from the enclave.
    pub sent: u64,
    /// Bytes to the enclave.
    pub received: u64,
    /// How long it took.
    pub lasted: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "egress outcome={}", self.outcome.name())?;
        if let Some(cid) = self.cid {
            write!(f, " cid={cid}")?;
        }
        if let Some(destination) = &self.destination {
            write!(f, " destination={destination}")?;
        }
        if let Some(address) = self.address {
            write!(f, " address={address}")?;
        }
        let Self { sent, received, .. } = self;
        let lasted = self.lasted.as_millis();
        write!(f, " sent={sent} received={received} lasted_ms={lasted}")
    }
}
