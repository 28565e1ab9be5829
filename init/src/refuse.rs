//! What a handler answers when it does not do what was asked.

use quorate_protocol::atoms::{ShareIndex, Text};
use quorate_protocol::instance::Index;
use quorate_protocol::message::{Fault, Reason, Refusal};

use crate::clock::ClockError;
use crate::entropy::EntropyError;
use crate::nsm::NsmError;

/// Why a request is not served.
#[derive(Debug)]
pub(crate) enum Denied {
    /// The enclave cannot go on: device or kernel failed.
    Fatal(Halt),
    /// Nothing was changed.
    Refused(Refusal),
}

/// Why the enclave ends.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Halt {
    /// An application ended more often than its restart policy allows.
    #[error("an application ended and may not be started again")]
    Application {
        /// Position in the manifest.
        position: usize,
    },
    /// The time is not known.
    #[error("time: {0}")]
    Clock(#[from] ClockError),
    /// There is no randomness.
    #[error("entropy: {0}")]
    Entropy(#[from] EntropyError),
    /// A register does not hold what was extended into it.
    #[error("PCR{index} does not hold what was extended into it")]
    Register {
        /// Index of the register.
        index: u8,
    },
    /// The NSM refused or failed.
    #[error("NSM: {0}")]
    Nsm(#[from] NsmError),
    /// A table of system calls cannot be made into a filter.
    #[error("a table of system calls cannot be made into a filter")]
    Calls,
    /// The kernel's Landlock is too old to refuse everything.
    #[error("the kernel has version {found} of Landlock, too old for this image")]
    Landlock {
        /// The version of its interface.
        found: i64,
    },
    /// The kernel is not locked down.
    #[error("the kernel is not in lockdown confidentiality")]
    Lockdown,
    /// A file system could not be mounted or taken away.
    #[error("the mount at {place} failed: {errno}")]
    Mount {
        /// Where.
        place: &'static str,
        /// What the kernel said.
        errno: nix::errno::Errno,
    },
    /// This is no machine of our own.
    #[error("not the first process of a machine")]
    NotFirst,
    /// The kernel's generator is not fed by the NSM.
    #[error("the kernel's source of randomness is not the NSM")]
    RandomSource,
    /// The machine was told to stop.
    #[error("asked to stop")]
    Asked,
    /// The kernel refused something an enclave cannot do without.
    #[error("{step}: {errno}")]
    Kernel {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        errno: nix::errno::Errno,
    },
    /// The NSM's identifier is no text of at most 256 bytes.
    #[error("the NSM's identifier is not a text of at most 256 bytes")]
    ModuleId,
    /// The NSM cannot be reached.
    #[error("the NSM cannot be reached: {0}")]
    Transport(crate::nsm::TransportError),
    /// A computation on keys failed that cannot fail on a sound machine.
    #[error("a computation on keys failed")]
    Derivation,
    /// The NSM's document is longer than a document can be.
    #[error("the NSM's document has an impossible length")]
    DocumentLength,
}

impl Halt {
    /// Whether this is the orderly end.
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::Asked)
    }

    pub(crate) fn mount(place: &'static str) -> impl Fn(nix::errno::Errno) -> Self {
        move |errno| Self::Mount { place, errno }
    }

    pub(crate) fn kernel(step: &'static str) -> impl Fn(nix::errno::Errno) -> Self {
        move |errno| Self::Kernel { step, errno }
    }
}

impl<E: Into<Halt>> From<E> for Denied {
    fn from(error: E) -> Self {
        Self::Fatal(error.into())
    }
}

/// A refusal that blames whoever is usually to blame for this reason.
pub(crate) fn refuse(reason: Reason, detail: &str) -> Denied {
    Denied::Refused(refusal(reason, None, detail))
}

/// A refusal that concerns one member.
pub(crate) fn refuse_member(reason: Reason, index: ShareIndex, detail: &str) -> Denied {
    Denied::Refused(refusal(reason, Some(index), detail))
}

fn refusal(reason: Reason, member: Option<ShareIndex>, detail: &str) -> Refusal {
    let fault = match reason {
        Reason::ConsentMissing
        | Reason::ConsentInvalid
        | Reason::MeasurementMismatch
        | Reason::RecordInvalid
        | Reason::ChainInvalid
        | Reason::ApprovalsMissing
        | Reason::ApprovalInvalid
        | Reason::OutsideValidity
        | Reason::ForwardNotAllowed
        | Reason::ForwardEnded
        | Reason::ForwardOlder
        | Reason::ForwardOtherManifest
        | Reason::ForwardNotSuccessor
        | Reason::ForwardOtherGenesis
        | Reason::ForwardApprovalsMissing
        | Reason::ForwardApprovalOfAnother
        | Reason::ForwardApprovalOfStranger
        | Reason::ForwardApprovalRepeated
        | Reason::ForwardApprovalSignature
        | Reason::ReshareConsentsMissing
        | Reason::ReshareConsentOfAnother
        | Reason::ReshareConsentOfStranger
        | Reason::ReshareConsentRepeated
        | Reason::ReshareConsentSignature
        | Reason::DelegationInvalid
        | Reason::DelegationExpired => Fault::Ceremony,
        Reason::ShareUnreadable
        | Reason::ShareWrong
        | Reason::DrillProof
        | Reason::DrillRealShare => Fault::Member,
        Reason::Internal => Fault::Enclave,
        _ => Fault::Caller,
    };
    // Details are our own short texts; one that does not fit is left out, not cut.
    let detail = Text::new(detail).unwrap_or_default();
    Refusal {
        reason,
        fault,
        member: member.map(Index),
        detail,
    }
}
