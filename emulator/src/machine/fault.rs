//! Faults a machine can be given, to see what the software in it does.
//!
//! Guarantees: with [`Faults::default`] nothing is changed. A fault does what its text says and
//! nothing else; each is bounded, so that a machine with faults still ends.

use std::time::Duration;

use quorate_init::nsm::wire::{ErrorCode, Request};

/// Longest delay of one step.
pub const DELAY_MAX: Duration = Duration::from_secs(300);

/// What goes wrong in a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// What goes wrong with the NSM.
    pub nsm: NsmFaults,
    /// What goes wrong with vsock.
    pub vsock: VsockFaults,
}

/// What goes wrong with the NSM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NsmFaults {
    /// Milliseconds its clock is ahead of this machine's; behind, if negative.
    pub clock_skew_ms: i64,
    /// How long it takes to answer.
    pub delay: Option<Duration>,
    /// Which requests are answered with an error.
    pub errors: Vec<NsmError>,
}

/// Requests that are answered with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsmError {
    /// Which.
    pub when: NsmCall,
    /// With which.
    pub error: NsmAnswer,
}

/// Some of the requests an NSM gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NsmCall {
    /// The one with this number, counted from 1.
    Nth(u64),
    /// Every one of this kind.
    Each(NsmOperation),
}

/// What is answered in place of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NsmAnswer {
    /// An error the NSM knows.
    Error(ErrorCode),
    /// Bytes that are no answer.
    Garbage,
    /// None, ever. The driver gives up after two minutes.
    Nothing,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NsmOperation {
    /// An attestation document.
    Attestation,
    /// What the device is.
    DescribeNsm,
    /// A register's value.
    DescribePcr,
    /// Writing to a register.
    ExtendPcr,
    /// Entropy.
    GetRandom,
    /// Locking a register.
    LockPcr,
    /// Locking many.
    LockPcrs,
}

impl NsmOperation {
    /// Each, with its name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("Attestation", Self::Attestation),
        ("DescribeNSM", Self::DescribeNsm),
        ("DescribePCR", Self::DescribePcr),
        ("ExtendPCR", Self::ExtendPcr),
        ("GetRandom", Self::GetRandom),
        ("LockPCR", Self::LockPcr),
        ("LockPCRs", Self::LockPcrs),
    ];

    /// The kind of a request; none for what is no request.
    pub(crate) fn of(request: &[u8]) -> Option<Self> {
        Some(match Request::decode(request).ok()? {
            Request::Attestation { .. } => Self::Attestation,
            Request::DescribeNsm => Self::DescribeNsm,
            Request::DescribePcr { .. } => Self::DescribePcr,
            Request::ExtendPcr { .. } => Self::ExtendPcr,
            Request::GetRandom => Self::GetRandom,
            Request::LockPcr { .. } => Self::LockPcr,
            Request::LockPcrs { .. } => Self::LockPcrs,
        })
    }
}

impl NsmFaults {
    /// What the request with this number, counted from 1, is answered with instead.
    pub(crate) fn answer(&self, number: u64, request: &[u8]) -> Option<NsmAnswer> {
        let hit = |error: &&NsmError| match error.when {
            NsmCall::Nth(nth) => nth == number,
            NsmCall::Each(operation) => NsmOperation::of(request) == Some(operation),
        };
        self.errors.iter().find(hit).map(|error| error.error)
    }
}

/// What goes wrong with vsock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VsockFaults {
    /// How long each packet takes.
    pub delay: Option<Duration>,
    /// What is lost.
    pub loss: Option<VsockLoss>,
}

/// How vsock fails. Packets are counted in both directions together, over the machine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VsockLoss {
    /// After so many packets every one is lost in silence.
    Silence {
        /// How many pass.
        after: u64,
    },
    /// After so many packets each one of the guest resets its connection.
    Reset {
        /// How many pass.
        after: u64,
    },
}
