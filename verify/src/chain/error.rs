//! Why a chain of manifests was refused.

use core::fmt;

use quorate_protocol::atoms::{Name, ShareIndex, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::Role;
use thiserror::Error;

use super::MAX_LINKS;
use crate::reshare::ReshareError;
use crate::surrogate::SurrogateError;
use crate::text::{Listed, Utc};

/// A set whose threshold must approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApprovingSet {
    /// The manifest set before this manifest.
    ManifestSet,
    /// The manifest set that this manifest brings in.
    NewManifestSet,
    /// The share set before this manifest.
    ShareSet,
}

impl fmt::Display for ApprovingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ManifestSet => "manifest set",
            Self::NewManifestSet => "new manifest set",
            Self::ShareSet => "share set",
        })
    }
}

/// A broken rule of a chain. Names the sequence of the manifest at fault.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ChainError {
    /// An approval is of another manifest.
    #[error("an approval of manifest {sequence} by member {index} is of the manifest {found}")]
    ApprovalOfAnother {
        /// The manifest at hand.
        sequence: u64,
        /// The index in the approval.
        index: ShareIndex,
        /// The manifest in the approval.
        found: Digest<Manifest>,
    },
    /// An approval is for another namespace.
    #[error("an approval of manifest {sequence} by member {index} is for the genesis {found}")]
    ApprovalOfAnotherGenesis {
        /// The manifest at hand.
        sequence: u64,
        /// The index in the approval.
        index: ShareIndex,
        /// The namespace in the approval.
        found: Digest<Genesis>,
    },
    /// One member approved twice in one role.
    #[error("{name} approved manifest {sequence} twice for the {}", role_name(*.role))]
    ApprovalRepeated {
        /// The manifest at hand.
        sequence: u64,
        /// Who.
        name: Name,
        /// In which role.
        role: Role,
    },
    /// The signature on an approval is not by a member that its role and index name.
    #[error(
        "an approval of manifest {sequence} is not signed with the key of {}, member {index} of \
         the {}", Listed(.names), role_name(*.role)
    )]
    ApprovalSignature {
        /// The manifest at hand.
        sequence: u64,
        /// Who might have signed: one name, or two where the index changes hands.
        names: Vec<Name>,
        /// The index in the approval.
        index: ShareIndex,
        /// In which role.
        role: Role,
    },
    /// An approval for the share set is at an index that an exception left out.
    #[error(
        "an approval of manifest {sequence} for the share set is at index {index}, which is \
         inactive since the genesis"
    )]
    ApprovalOfInactive {
        /// The manifest at hand.
        sequence: u64,
        /// The index in the approval.
        index: ShareIndex,
    },
    /// No member of the set has the index in an approval.
    #[error("an approval of manifest {sequence} is by member {index}, who is not in the {}",
        role_name(*.role))]
    ApprovalOfStranger {
        /// The manifest at hand.
        sequence: u64,
        /// The index in the approval.
        index: ShareIndex,
        /// In which role.
        role: Role,
    },
    /// There is no manifest.
    #[error("there is no manifest")]
    Empty,
    /// Epoch or commitments are others than before, without a resharing.
    #[error("manifest {sequence} names other shares than the one before it, without a resharing")]
    EpochChanged {
        /// The manifest at fault.
        sequence: u64,
    },
    /// The quorum key is not that of the genesis.
    #[error("manifest {sequence} names another quorum key than the genesis")]
    QuorumKeyChanged {
        /// The manifest at fault.
        sequence: u64,
    },
    /// The resharing beside a manifest does not hold.
    #[error("the resharing of manifest {sequence}: {error}")]
    Reshare {
        /// The manifest at fault.
        sequence: u64,
        /// Why not.
        error: ReshareError,
    },
    /// The first manifest has a resharing beside it.
    #[error("manifest {sequence} is the first: no instance could reshare before it")]
    ReshareFirst {
        /// The manifest at fault.
        sequence: u64,
    },
    /// The manifest names other shares or holders than the resharing beside it.
    #[error("manifest {sequence} names other shares or holders than the resharing beside it")]
    ReshareOfAnother {
        /// The manifest at fault.
        sequence: u64,
    },
    /// Holders, their indices or the threshold are others than before, without a resharing.
    #[error("manifest {sequence} changes who holds shares, without a resharing")]
    ShareSetChanged {
        /// The manifest at fault.
        sequence: u64,
    },
    /// The manifest is of another namespace.
    #[error("manifest {sequence} is of the genesis {found}, not of {expected}")]
    Genesis {
        /// The manifest at fault.
        sequence: u64,
        /// The namespace at hand.
        expected: Digest<Genesis>,
        /// The namespace in the manifest.
        found: Digest<Genesis>,
    },
    /// The manifest names a wrong one as the last that changed a set.
    #[error(
        "manifest {sequence} names {} as the last change of a set, it was {}",
        or_none(.found), or_none(.expected)
    )]
    LastSetChange {
        /// The manifest at fault.
        sequence: u64,
        /// The last manifest before it that changed a set.
        expected: Option<Digest<Manifest>>,
        /// The one it names.
        found: Option<Digest<Manifest>>,
    },
    /// The manifest does not follow the one before it.
    #[error(
        "manifest {sequence} follows {}, but the one before it is {}",
        or_none(.found), or_none(.expected)
    )]
    Previous {
        /// The manifest at fault.
        sequence: u64,
        /// The manifest before it.
        expected: Option<Digest<Manifest>>,
        /// The one it names.
        found: Option<Digest<Manifest>>,
    },
    /// A sequence number is left out, repeated or out of order.
    #[error("manifest {found} is where manifest {expected} should be")]
    Sequence {
        /// The sequence that is next.
        expected: u64,
        /// The sequence found.
        found: u64,
    },
    /// A delegation does not let its surrogate approve.
    #[error("an approval of manifest {sequence} by a surrogate: {error}")]
    Surrogate {
        /// The manifest at hand.
        sequence: u64,
        /// Why not.
        error: SurrogateError,
    },
    /// Approvals by surrogates are needed, and have ended.
    #[error(
        "manifest {sequence} has {have} of the {need} approvals it needs of the manifest set; the \
         time of the surrogates {} is over{}", Listed(.expired), by_time(.at)
    )]
    SurrogateExpired {
        /// The manifest at fault.
        sequence: u64,
        /// The threshold of the manifest set.
        need: u8,
        /// How many approvals count.
        have: usize,
        /// The surrogates whose approvals do not.
        expired: Vec<Name>,
        /// The moment; none where only what counts for ever was asked for.
        at: Option<UnixMillis>,
    },
    /// A surrogate approves for the share set.
    #[error(
        "an approval of manifest {sequence} at index {index} for the share set is by a surrogate"
    )]
    SurrogateForHolders {
        /// The manifest at hand.
        sequence: u64,
        /// The index in the approval.
        index: ShareIndex,
    },
    /// A surrogate approves a manifest that changes who decides or who holds shares.
    #[error("manifest {sequence} changes a set or the shares: surrogates do not approve that")]
    SurrogateForPeople {
        /// The manifest at fault.
        sequence: u64,
    },
    /// Not enough members of a set approved.
    #[error(
        "manifest {sequence} has {have} of the {need} approvals it needs of the {set}; not yet \
         approved by {}", Listed(.missing)
    )]
    Threshold {
        /// The manifest at fault.
        sequence: u64,
        /// Whose approval is short.
        set: ApprovingSet,
        /// Its threshold.
        need: u8,
        /// How many of its members approved.
        have: usize,
        /// Who did not, in order of index.
        missing: Vec<Name>,
    },
    /// A link has more approvals than the sets have members.
    #[error("manifest {sequence} has {found} approvals, but only {max} members could give one")]
    TooManyApprovals {
        /// The manifest at fault.
        sequence: u64,
        /// Most there can be.
        max: usize,
        /// How many there are.
        found: usize,
    },
    /// The chain is longer than is accepted.
    #[error("the chain has {found} manifests, at most {MAX_LINKS} are accepted")]
    TooManyLinks {
        /// How many there are.
        found: usize,
    },
}

impl ChainError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ApprovalOfAnother { .. } => "chain-approval-of-another",
            Self::ApprovalOfAnotherGenesis { .. } => "chain-approval-of-another-genesis",
            Self::ApprovalOfInactive { .. } => "chain-approval-of-inactive",
            Self::ApprovalOfStranger { .. } => "chain-approval-of-stranger",
            Self::ApprovalRepeated { .. } => "chain-approval-repeated",
            Self::ApprovalSignature { .. } => "chain-approval-signature",
            Self::Empty => "chain-empty",
            Self::EpochChanged { .. } => "chain-epoch-changed",
            Self::QuorumKeyChanged { .. } => "chain-quorum-key-changed",
            Self::Reshare { error, .. } => error.code(),
            Self::ReshareFirst { .. } => "chain-reshare-first",
            Self::ReshareOfAnother { .. } => "chain-reshare-of-another",
            Self::ShareSetChanged { .. } => "chain-share-set-changed",
            Self::Genesis { .. } => "chain-genesis",
            Self::LastSetChange { .. } => "chain-last-set-change",
            Self::Previous { .. } => "chain-previous",
            Self::Sequence { .. } => "chain-sequence",
            Self::Surrogate { error, .. } => error.code(),
            Self::SurrogateExpired { .. } => "chain-surrogate-expired",
            Self::SurrogateForHolders { .. } => "chain-surrogate-for-holders",
            Self::SurrogateForPeople { .. } => "chain-surrogate-for-people",
            Self::Threshold { .. } => "chain-threshold",
            Self::TooManyApprovals { .. } => "chain-too-many-approvals",
            Self::TooManyLinks { .. } => "chain-too-many-links",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::ApprovalOfAnother { .. }
            | Self::ApprovalOfAnotherGenesis { .. }
            | Self::ApprovalRepeated { .. }
            | Self::TooManyApprovals { .. } => {
                "Put the approvals together again: one a member and role, of this manifest."
            }
            Self::ApprovalOfInactive { .. } => {
                "Leave it out: nobody proved to hold the share at that index, so it counts nowhere."
            }
            Self::ApprovalOfStranger { .. } | Self::ApprovalSignature { .. } => {
                "Ask whoever sent this who signed it. Only members of the sets before this \
                 manifest count, and those it brings in where it changes the manifest set."
            }
            Self::Empty | Self::Sequence { .. } | Self::Previous { .. } => {
                "Fetch the whole chain, from the first manifest on, in order."
            }
            Self::EpochChanged { .. } | Self::ShareSetChanged { .. } => {
                "Make the manifest again with the shares and holders of the one before it. Other \
                 shares, other holders and another threshold need a resharing: quorate ceremony \
                 reshare order."
            }
            Self::QuorumKeyChanged { .. } => {
                "Do not approve it. The quorum key never changes; another key is another namespace."
            }
            Self::Reshare { error, .. } => error.remedy(),
            Self::ReshareFirst { .. } | Self::ReshareOfAnother { .. } => {
                "Make the manifest again, with quorate ceremony rotate, from the resharing that was \
                 ordered under the manifest before it."
            }
            Self::Genesis { .. } => {
                "Compare the genesis digest with your pin. This manifest is of another namespace."
            }
            Self::LastSetChange { .. } => {
                "Make the manifest again on top of the newest approved one."
            }
            Self::Surrogate { error, .. } => error.remedy(),
            Self::SurrogateExpired { .. } => {
                "Ask the members for whom they approved to approve it themselves: quorate ceremony \
                 approve. Once members have approved a later manifest with their own keys, this one \
                 counts for ever."
            }
            Self::SurrogateForHolders { .. } | Self::SurrogateForPeople { .. } => {
                "Ask the members themselves. A surrogate approves what runs, not who decides, who \
                 holds shares, where applications connect or to whom the key is forwarded."
            }
            Self::Threshold { .. } => "Ask the members named for their approvals.",
            Self::TooManyLinks { .. } => "Do not trust the sender.",
        }
    }
}

/// A digest, or the word for none.
fn or_none(digest: &Option<Digest<Manifest>>) -> String {
    digest
        .as_ref()
        .map_or_else(|| String::from("none"), ToString::to_string)
}

/// The moment, if there is one.
fn by_time(at: &Option<UnixMillis>) -> String {
    let text = |at: &UnixMillis| format!(" on {}", Utc(*at));
    at.as_ref().map_or_else(String::new, text)
}

pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::ManifestSet => "manifest set",
        Role::ShareSet => "share set",
    }
}
