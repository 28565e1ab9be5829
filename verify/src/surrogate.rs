//! Surrogates: whether a delegation lets somebody act for a member, here and now.
//!
//! The same function decides in a chain, in the enclave before it takes a share, in a member's tool
//! before it signs or accepts a delegation, and for everybody who reads evidence:
//!
//! * the delegation is of this namespace, for this very manifest's sequence and this role, and signed
//!   with the member's own key ([`check`]);
//! * the surrogate has no name and no key of anybody in the sets, and no key of another surrogate:
//!   so nobody acts twice, and no surrogate names another;
//! * it has not ended ([`counts`]): the last moment is included.
//!
//! It does not say what a surrogate's signature counts for. An approval counts as its member's, in
//! [`crate::chain`]; a grant as its member's, in init and [`crate::evidence`].

mod error;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::{Member, MemberSet, Role};
use quorate_protocol::surrogate::Delegation;

pub use self::error::SurrogateError;

/// Who acted for a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surrogate {
    /// Their name.
    pub name: Name,
    /// Last moment at which the delegation counts, by the security module's time.
    pub expires: UnixMillis,
}

/// What somebody does in a member's place.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// The manifest that is approved or given a share.
    pub sequence: u64,
    /// In which set.
    pub role: Role,
    /// The member of that set.
    pub member: &'a Member,
    /// Both sets that count here: nobody of them is a surrogate.
    pub sets: [&'a MemberSet; 2],
}

impl<'a> Place<'a> {
    /// That of a holder who gives a share to an instance of this manifest.
    #[must_use]
    pub fn of_holder(genesis: Digest<Genesis>, manifest: &'a Manifest, member: &'a Member) -> Self {
        Self {
            genesis,
            sequence: manifest.sequence,
            role: Role::ShareSet,
            member,
            sets: [&manifest.manifest_set, &manifest.share_set],
        }
    }
}

/// Verifies a delegation for one place, but not its end. `others` are the other delegations that are
/// used beside it.
///
/// # Errors
/// The first rule that is broken.
pub fn check<'d>(
    place: &Place<'_>,
    delegation: &'d Signed<Delegation>,
    others: &[&Delegation],
) -> Result<&'d Delegation, SurrogateError> {
    check_claim(place, delegation.unverified(), others)?;
    let verified = delegation.verify(&place.member.signing_key);
    verified.map_err(|_| SurrogateError::Signature {
        surrogate: delegation.unverified().surrogate.clone(),
        member: place.member.name.clone(),
    })
}

/// What a delegation says, before it is signed: as [`check`], but for the signature.
///
/// # Errors
/// The first rule that is broken.
pub fn check_claim(
    place: &Place<'_>,
    claim: &Delegation,
    others: &[&Delegation],
) -> Result<(), SurrogateError> {
    let surrogate = || claim.surrogate.clone();
    if claim.genesis != place.genesis {
        return Err(SurrogateError::OtherGenesis {
            surrogate: surrogate(),
        });
    }
    if claim.sequence != place.sequence {
        return Err(SurrogateError::OtherManifest {
            surrogate: surrogate(),
            named: claim.sequence,
            sequence: place.sequence,
        });
    }
    if claim.member != place.member.name {
        return Err(SurrogateError::OtherMember {
            surrogate: surrogate(),
            named: claim.member.clone(),
            member: place.member.name.clone(),
        });
    }
    if !claim.roles.contains(&place.role) {
        return Err(SurrogateError::OtherRole {
            surrogate: surrogate(),
            role: place.role,
        });
    }
    let keys = keys(claim);
    for member in place.sets.iter().flat_map(|set| &set.members) {
        if member.name == claim.surrogate {
            return Err(SurrogateError::IsMember {
                surrogate: surrogate(),
            });
        }
        let theirs = [
            member.signing_key.to_compressed(),
            member.encryption_key.to_compressed(),
        ];
        if theirs.iter().any(|key| keys.contains(key)) {
            return Err(SurrogateError::KeyOfMember {
                surrogate: surrogate(),
                member: member.name.clone(),
            });
        }
    }
    for other in others {
        let shared = self::keys(other).iter().any(|key| keys.contains(key));
        if shared && !claim.same_people(other) {
            return Err(SurrogateError::KeyOfSurrogate {
                surrogate: surrogate(),
                other: other.surrogate.clone(),
            });
        }
    }
    Ok(())
}

/// Whether a delegation still counts at this moment of the security module's time.
///
/// # Errors
/// [`SurrogateError::Expired`].
pub fn counts(delegation: &Delegation, at: UnixMillis) -> Result<(), SurrogateError> {
    if at <= delegation.expires {
        return Ok(());
    }
    Err(SurrogateError::Expired {
        surrogate: delegation.surrogate.clone(),
        expires: delegation.expires,
        at,
    })
}

fn keys(delegation: &Delegation) -> [[u8; 33]; 2] {
    [
        delegation.signing_key.to_compressed(),
        delegation.encryption_key.to_compressed(),
    ]
}
