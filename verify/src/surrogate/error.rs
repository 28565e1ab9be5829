//! Why a surrogate may not act.

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::members::Role;
use thiserror::Error;

use crate::text::Utc;

/// A rule that a delegation breaks. Names the surrogate.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SurrogateError {
    /// It has ended.
    #[error("the delegation to {surrogate} ended on {}, it is {}", Utc(*.expires), Utc(*.at))]
    Expired {
        /// Who acted.
        surrogate: Name,
        /// Last moment at which it counted.
        expires: UnixMillis,
        /// The moment it was used.
        at: UnixMillis,
    },
    /// The surrogate is a member.
    #[error("the surrogate {surrogate} has the name of a member")]
    IsMember {
        /// Who was to act.
        surrogate: Name,
    },
    /// One of the surrogate's keys is a member's.
    #[error("the surrogate {surrogate} has a key of the member {member}")]
    KeyOfMember {
        /// Who was to act.
        surrogate: Name,
        /// Whose key it is.
        member: Name,
    },
    /// One of the surrogate's keys is another surrogate's.
    #[error(
        "the surrogate {surrogate} has a key of the surrogate {other}, or acts for two members"
    )]
    KeyOfSurrogate {
        /// Who was to act.
        surrogate: Name,
        /// Who has the same key.
        other: Name,
    },
    /// It is of another namespace.
    #[error("the delegation to {surrogate} is of another genesis")]
    OtherGenesis {
        /// Who was to act.
        surrogate: Name,
    },
    /// It is for another ceremony.
    #[error("the delegation to {surrogate} is for manifest {named}, not for manifest {sequence}")]
    OtherManifest {
        /// Who was to act.
        surrogate: Name,
        /// The sequence it names.
        named: u64,
        /// The sequence at hand.
        sequence: u64,
    },
    /// It is by another member.
    #[error("the delegation to {surrogate} is by {named}, not by {member}")]
    OtherMember {
        /// Who was to act.
        surrogate: Name,
        /// Whose it says it is.
        named: Name,
        /// For whom it is used.
        member: Name,
    },
    /// It is for another set.
    #[error("the delegation to {surrogate} is not for the {}", crate::chain::role_name(*.role))]
    OtherRole {
        /// Who was to act.
        surrogate: Name,
        /// In which set.
        role: Role,
    },
    /// The member did not sign it.
    #[error("the delegation to {surrogate} is not signed with the key of the member {member}")]
    Signature {
        /// Who was to act.
        surrogate: Name,
        /// Who should have signed.
        member: Name,
    },
}

impl SurrogateError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "surrogate-expired",
            Self::IsMember { .. } => "surrogate-is-member",
            Self::KeyOfMember { .. } => "surrogate-key-of-member",
            Self::KeyOfSurrogate { .. } => "surrogate-key-of-surrogate",
            Self::OtherGenesis { .. } => "surrogate-other-genesis",
            Self::OtherManifest { .. } => "surrogate-other-manifest",
            Self::OtherMember { .. } => "surrogate-other-member",
            Self::OtherRole { .. } => "surrogate-other-role",
            Self::Signature { .. } => "surrogate-signature",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Expired { .. } => {
                "Ask the member to act, or to name the surrogate anew: quorate ceremony surrogate \
                 name."
            }
            Self::IsMember { .. } | Self::KeyOfMember { .. } | Self::KeyOfSurrogate { .. } => {
                "Name somebody who is in neither set and acts for nobody else, with keys of their \
                 own. One person never counts twice."
            }
            Self::OtherGenesis { .. }
            | Self::OtherManifest { .. }
            | Self::OtherMember { .. }
            | Self::OtherRole { .. } => {
                "Ask the member for a delegation for this very manifest and set. A delegation is for \
                 one ceremony and ends with it."
            }
            Self::Signature { .. } => {
                "Ask whoever sent this who signed it. Only members name surrogates; a surrogate \
                 names nobody."
            }
        }
    }
}
