//! Why a drill was refused.

use core::fmt;

use quorate_protocol::atoms::ShareIndex;
use thiserror::Error;

use crate::instance::InstanceError;

/// What is wrong with the sharing of a drill scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum SharingFault {
    /// It has a commitment of the real sharing.
    #[error("the drill sharing has a commitment of the real one")]
    Commitments,
    /// Its shares are not for exactly the members.
    #[error("the drill shares are not for exactly the members of the share set")]
    Members,
    /// Another number of its shares opens it.
    #[error("the threshold of the drill sharing is not that of the share set")]
    Threshold,
}

/// A field that must agree with what was verified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DrillField {
    /// Which drill shares.
    Drill,
    /// When the next drill is due.
    Due,
    /// The enclave, by its setup keys.
    Enclave,
    /// Which real shares.
    Epoch,
    /// The namespace.
    Genesis,
    /// The grants beside the record.
    Grants,
    /// The manifest.
    Manifest,
    /// The role in which it was signed.
    Role,
    /// The times, which are not in order.
    Time,
}

impl fmt::Display for DrillField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drill => "sharing of the drill scalar",
            Self::Due => "date of the next drill",
            Self::Enclave => "enclave",
            Self::Epoch => "epoch",
            Self::Genesis => "genesis",
            Self::Grants => "list of grants",
            Self::Manifest => "manifest",
            Self::Role => "role",
            Self::Time => "order of times",
        })
    }
}

/// A rule that a drill breaks.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DrillError {
    /// The record says something else than what was verified before.
    #[error("the drill record disagrees about the {field}")]
    Differs {
        /// About what.
        field: DrillField,
    },
    /// A grant is for another drill.
    #[error("the grant of member {index} is for another {field}")]
    GrantForAnother {
        /// The index in the grant.
        index: ShareIndex,
        /// What is another one.
        field: DrillField,
    },
    /// A grant is by somebody who holds no share that counts.
    #[error("there is a grant at index {index}, which is inactive since the genesis")]
    GrantOfInactive {
        /// The index in the grant.
        index: ShareIndex,
    },
    /// A grant is by nobody of the share set.
    #[error("there is a grant by member {index}, whom the share set does not have")]
    GrantOfStranger {
        /// The index in the grant.
        index: ShareIndex,
    },
    /// A grant is not signed by that member.
    #[error("the grant of member {index} is not signed with that member's key")]
    GrantSignature {
        /// The member.
        index: ShareIndex,
    },
    /// The enclave is not one for drills of this manifest.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The proof is not made with the real share.
    #[error("member {index} did not prove to hold their real share")]
    Possession {
        /// The member.
        index: ShareIndex,
    },
    /// The record is not signed by the attested enclave.
    #[error("the drill record is not signed with the setup key of the attested enclave")]
    RecordSignature,
    /// Fewer drill shares than the threshold.
    #[error("{have} drill shares were given, {need} are needed")]
    SharesMissing {
        /// The threshold.
        need: u8,
        /// How many.
        have: usize,
    },
    /// The links do not hold the resharing whose shares the manifest names.
    #[error("the sharing of the drill scalar is not in the chain")]
    SharingMissing,
}

impl DrillError {
    /// A stable name for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Differs { .. } => "drill-record-mismatch",
            Self::GrantForAnother { .. } => "drill-grant-for-another",
            Self::GrantOfInactive { .. } => "drill-grant-of-inactive",
            Self::GrantOfStranger { .. } => "drill-grant-of-stranger",
            Self::GrantSignature { .. } => "drill-grant-signature",
            Self::Instance(error) => error.code(),
            Self::Possession { .. } => "drill-possession",
            Self::RecordSignature => "drill-record-signature",
            Self::SharesMissing { .. } => "drill-shares-missing",
            Self::SharingMissing => "drill-sharing-missing",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::GrantForAnother { .. }
            | Self::GrantOfInactive { .. }
            | Self::GrantOfStranger { .. }
            | Self::GrantSignature { .. } => {
                "Do not count this drill. Ask the member to take part in another one."
            }
            Self::Instance(error) => error.remedy(),
            Self::Possession { .. } => {
                "Ask the member to check their share with quorate ceremony share check, and to \
                 restore it from a backup."
            }
            Self::Differs { .. } | Self::RecordSignature | Self::SharesMissing { .. } => {
                "Fetch the record from the drill enclave again. If that does not help, it was put \
                 together by somebody else: hold another drill."
            }
            Self::SharingMissing => "Use the folder that has the whole chain, resharings included.",
        }
    }
}
