//! Surrogates: somebody who acts for one member, for one manifest, until a moment.
//!
//! A member signs a [`Delegation`]. It names the surrogate's keys, the roles, the sequence of the one
//! manifest that may be approved or given a share, and the last moment. What the surrogate signs is an
//! ordinary approval or grant at the member's index, with their own key; the delegation travels
//! beside it. A share reaches a surrogate only by an [`EntrustedShare`], which is a step of its own:
//! what was opened once cannot be taken back.
//!
//! This file says what the objects are. What must hold of them is in `verify/src/surrogate.rs` and
//! `verify/src/chain/surrogates.rs`; `docs/design/0022-surrogates.md` says why.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{Name, ShareIndex, UnixMillis};
use crate::cbor::{Checked, Object as _, Rules, object};
use crate::cose::Signed;
use crate::digest::Digest;
use crate::genesis::{Epoch, Genesis, SealContext, SealedShare};
use crate::invalid::Invalid;
use crate::keys::{EncryptionKey, VerificationKey};
use crate::manifest::Approval;
use crate::members::Role;

/// Longest time from the making of a delegation to its end, in milliseconds: 14 days.
pub const MAX_DELEGATION_MS: u64 = 14 * 24 * 60 * 60 * 1000;

/// A member's word that somebody else may act for them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DelegationFields {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// Who signs it: a member's name.
    #[n(1)]
    pub member: Name,
    /// In which sets the surrogate may act, ascending: approve for the manifest set, give the share
    /// for the share set.
    #[n(2)]
    pub roles: Vec<Role>,
    /// The surrogate's name; never a member's.
    #[n(3)]
    pub surrogate: Name,
    /// Verifies what the surrogate signs.
    #[n(4)]
    pub signing_key: VerificationKey,
    /// What is encrypted to the surrogate. Never the signing key.
    #[n(5)]
    pub encryption_key: EncryptionKey,
    /// The one ceremony: the sequence of the manifest that may be approved, or given a share.
    #[n(6)]
    pub sequence: u64,
    /// Last moment at which it counts, by the security module's time.
    #[n(7)]
    pub expires: UnixMillis,
    /// When it was made, by the member's clock.
    #[n(8)]
    pub time: UnixMillis,
}

/// A delegation whose rules hold.
pub type Delegation = Checked<DelegationFields>;

impl Rules for DelegationFields {
    fn check(&self) -> Result<(), Invalid> {
        let found = self.roles.len();
        if found == 0 || found > 2 {
            return Err(Invalid::ListLength {
                min: 1,
                max: 2,
                found,
            });
        }
        if self.roles.as_slice() == [Role::ShareSet, Role::ManifestSet]
            || self.roles.first() == self.roles.get(1)
        {
            return Err(Invalid::RolesNotAscending);
        }
        if self.member == self.surrogate {
            return Err(Invalid::MemberNameRepeated);
        }
        if self.signing_key.to_compressed() == self.encryption_key.to_compressed() {
            return Err(Invalid::KeyReused);
        }
        if self.sequence == 0 {
            return Err(Invalid::SequenceZero);
        }
        let lasts = self.expires.0.checked_sub(self.time.0);
        match lasts {
            Some(lasts) if (1..=MAX_DELEGATION_MS).contains(&lasts) => Ok(()),
            _ => Err(Invalid::DelegationLength),
        }
    }
}

impl DelegationFields {
    /// Whether both are by one member, to one surrogate with one pair of keys.
    pub fn same_people(&self, other: &Self) -> bool {
        (&self.member, &self.surrogate) == (&other.member, &other.surrogate)
            && self.signing_key == other.signing_key
            && self.encryption_key == other.encryption_key
    }
}

/// An approval at a member's index, signed by their surrogate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SurrogateApproval {
    /// Signed by the member.
    #[n(0)]
    pub delegation: Signed<Delegation>,
    /// Signed by the surrogate.
    #[n(1)]
    pub approval: Signed<Approval>,
}

/// A member's share, sealed to their surrogate. Cannot be taken back: it is worthless only after the
/// next resharing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EntrustedShare {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// Under which delegation.
    #[n(1)]
    pub delegation: Digest<Delegation>,
    /// The member's index.
    #[cbor(n(2), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// Which shares.
    #[n(3)]
    pub epoch: Epoch,
    /// Sealed to the surrogate's encryption key.
    #[n(4)]
    pub sealed: SealedShare,
    /// When, by the member's clock.
    #[n(5)]
    pub time: UnixMillis,
}

/// HPKE context of a share that a member seals to their surrogate.
pub fn surrogate_share_context(
    genesis: &Digest<Genesis>,
    delegation: &Digest<Delegation>,
    index: ShareIndex,
    epoch: &Epoch,
) -> SealContext {
    let subjects = [genesis.as_bytes(), delegation.as_bytes()];
    SealContext::of_share("quorate/surrogate-share/v1", &subjects, index, Some(epoch))
}

object! {
    Delegation => "quorate/delegation/v1", 512;
    SurrogateApproval => "quorate/surrogate-approval/v1", 1152;
    EntrustedShare => "quorate/entrusted-share/v1", 512;
}

const _: () =
    assert!(SurrogateApproval::MAX >= <Signed<Delegation>>::MAX + <Signed<Approval>>::MAX + 16);
