//! Why a forward of the key was refused.

use core::fmt;

use quorate_protocol::atoms::{ShareIndex, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use thiserror::Error;

use crate::text::Utc;

/// A part of a forward that is signed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardPart {
    /// The importer's word that it has the key, signed with its live key.
    Confirmation,
    /// The exporter's certificate.
    ExporterCertificate,
    /// The importer's certificate.
    ImporterCertificate,
    /// The exporter's record.
    Record,
    /// The exporter's ring, signed by the quorum key.
    Ring,
}

impl fmt::Display for ForwardPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmation => "confirmation",
            Self::ExporterCertificate => "certificate of the exporter",
            Self::ImporterCertificate => "certificate of the importer",
            Self::Record => "forward record",
            Self::Ring => "key ring of the exporter",
        })
    }
}

/// A field that must agree with what was verified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardField {
    /// The certificate that is confirmed.
    Certificate,
    /// The namespace.
    Genesis,
    /// The ring's key for certificates and records.
    InstanceKey,
    /// The live keys.
    LiveKeys,
    /// The manifest.
    Manifest,
    /// The security module's name.
    ModuleId,
    /// The manifest before the importer's.
    Predecessor,
    /// Where the key came from.
    Provenance,
    /// The record that is confirmed.
    Record,
    /// The keys that the secret was sealed to.
    SetupKeys,
}

impl fmt::Display for ForwardField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Genesis => "genesis",
            Self::InstanceKey => "instance key",
            Self::LiveKeys => "live keys",
            Self::Manifest => "manifest",
            Self::ModuleId => "module id",
            Self::Predecessor => "manifest before",
            Self::Provenance => "origin of the key",
            Self::Record => "record",
            Self::SetupKeys => "setup keys",
        })
    }
}

/// A rule that a forward breaks.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ForwardError {
    /// An approval is of a forward between other manifests, or in another namespace.
    #[error("the approval of member {index} is of another forward")]
    ApprovalOfAnother {
        /// The index in the approval.
        index: ShareIndex,
    },
    /// An approval is at an index that an exception left out at genesis.
    #[error("an approval of the forward is at index {index}, which is inactive since the genesis")]
    ApprovalOfInactive {
        /// The index in the approval.
        index: ShareIndex,
    },
    /// An approval is by nobody of the exporter's share set.
    #[error("there is an approval by member {index}, which the share set does not have")]
    ApprovalOfStranger {
        /// The index in the approval.
        index: ShareIndex,
    },
    /// A member's approval is there twice.
    #[error("the approval of member {index} is there twice")]
    ApprovalRepeated {
        /// The member.
        index: ShareIndex,
    },
    /// An approval is not signed by that member.
    #[error("the approval of member {index} is not signed with that member's key")]
    ApprovalSignature {
        /// The member.
        index: ShareIndex,
    },
    /// Too few share holders approved.
    #[error("{have} share holders approved the forward, {need} are needed")]
    ApprovalsMissing {
        /// The threshold of the exporter's share set.
        need: u8,
        /// How many approved.
        have: usize,
        /// Who did not.
        missing: Vec<ShareIndex>,
    },
    /// A part says something else than what was verified before.
    #[error("the {part} disagrees about the {field}")]
    Differs {
        /// Which part.
        part: ForwardPart,
        /// About what.
        field: ForwardField,
    },
    /// The end of the policy had come.
    #[error("the manifest lets the key be forwarded until {}, it was {}",
        Utc(*.not_after), Utc(*.at))]
    Ended {
        /// Last moment.
        not_after: UnixMillis,
        /// The time.
        at: UnixMillis,
    },
    /// The exporter's manifest lets nothing be forwarded.
    #[error("the manifest of the exporter does not let the key be forwarded")]
    NotAllowed,
    /// The importer's manifest does not follow directly.
    #[error("manifest {offered} does not directly follow manifest {running}, which forwards")]
    NotSuccessor {
        /// Sequence of the exporter's manifest.
        running: u64,
        /// Sequence of the importer's.
        offered: u64,
    },
    /// The importer's manifest is older.
    #[error("manifest {offered} is older than manifest {running}, which forwards")]
    Older {
        /// Sequence of the exporter's manifest.
        running: u64,
        /// Sequence of the importer's.
        offered: u64,
    },
    /// The importer's manifest is of another namespace.
    #[error("the manifest is of the genesis {found}, not of {expected}")]
    OtherGenesis {
        /// The exporter's.
        expected: Digest<Genesis>,
        /// The importer's.
        found: Digest<Genesis>,
    },
    /// There are two manifests of one sequence.
    #[error("it is another manifest {sequence} than the one that forwards")]
    OtherManifest {
        /// The sequence of both.
        sequence: u64,
    },
    /// A signature is not by the key it must be by.
    #[error("the {part} is not signed with the key it must be signed with")]
    Signature {
        /// Which part.
        part: ForwardPart,
    },
}

impl ForwardError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ApprovalOfAnother { .. } => "forward-approval-of-another",
            Self::ApprovalOfInactive { .. } => "forward-approval-of-inactive",
            Self::ApprovalOfStranger { .. } => "forward-approval-of-stranger",
            Self::ApprovalRepeated { .. } => "forward-approval-repeated",
            Self::ApprovalSignature { .. } => "forward-approval-signature",
            Self::ApprovalsMissing { .. } => "forward-approvals-missing",
            Self::Differs { part, .. } => match part {
                ForwardPart::Confirmation => "forward-confirmation-mismatch",
                ForwardPart::ExporterCertificate => "forward-exporter-mismatch",
                ForwardPart::ImporterCertificate => "forward-importer-mismatch",
                ForwardPart::Record => "forward-record-mismatch",
                ForwardPart::Ring => "forward-ring-mismatch",
            },
            Self::Ended { .. } => "forward-ended",
            Self::NotAllowed => "forward-not-allowed",
            Self::NotSuccessor { .. } => "forward-not-successor",
            Self::Older { .. } => "forward-older",
            Self::OtherGenesis { .. } => "forward-other-genesis",
            Self::OtherManifest { .. } => "forward-other-manifest",
            Self::Signature { part } => match part {
                ForwardPart::Confirmation => "forward-confirmation-signature",
                ForwardPart::ExporterCertificate => "forward-exporter-signature",
                ForwardPart::ImporterCertificate => "forward-importer-signature",
                ForwardPart::Record => "forward-record-signature",
                ForwardPart::Ring => "forward-ring-signature",
            },
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::ApprovalOfAnother { .. }
            | Self::ApprovalOfInactive { .. }
            | Self::ApprovalOfStranger { .. }
            | Self::ApprovalRepeated { .. }
            | Self::ApprovalSignature { .. } => {
                "Remove that approval, and ask the member for one of this very forward."
            }
            Self::ApprovalsMissing { .. } => {
                "Ask more share holders of the exporter's manifest to approve this forward."
            }
            Self::Ended { .. } | Self::NotAllowed => {
                "Give the new instance shares. To forward again, have a manifest approved that \
                 allows it."
            }
            Self::NotSuccessor { .. } => {
                "Forward step by step, one manifest after the other, or give the new instance \
                 shares."
            }
            Self::Older { .. } => "Boot the newest approved manifest.",
            Self::OtherManifest { .. } => {
                "Two manifests of one sequence are equivocation: find out who approved both \
                 before anything is forwarded."
            }
            Self::Differs { .. } | Self::OtherGenesis { .. } | Self::Signature { .. } => {
                "Fetch it again from the instance itself. If that does not help, it was put \
                 together by somebody else: do not trust it."
            }
        }
    }
}
