//! Who acts for whom, in the shared folder.
//!
//! ```text
//! surrogates/0001/MEMBER/1.cbor        a delegation for that manifest; the next one is 2
//! surrogates/0001/MEMBER/1-share.cbor  the member's share, sealed to that surrogate
//! manifests/0001/surrogates/MEMBER.cbor  an approval by a surrogate, with the delegation
//! ```
//!
//! Everything read is a claim, as in the rest of the folder. An approval that no delegation carries is
//! left out and named; one beside the member's own is left out, since both are one.

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::{Approval, Manifest};
use quorate_protocol::members::{MemberSet, Role};
use quorate_protocol::surrogate::{Delegation, EntrustedShare, SurrogateApproval};
use quorate_verify::surrogate::{Place, check};

use super::{IgnoredApproval, Workspace, is_approval, place};
use crate::error::{CeremonyError, StepError};
use crate::storage::{Published, StorageError};

/// Delegations by one member for one manifest, at most.
const MAX_DELEGATIONS: u8 = 16;

impl Workspace {
    /// Whether anybody was ever named.
    pub(crate) fn has_surrogates(&self) -> Result<bool, StorageError> {
        self.folder().has_folder("surrogates")
    }

    /// A member's delegations for a manifest that can be read, each with its number.
    ///
    /// # Errors
    /// [`CeremonyError::Storage`].
    pub fn delegations(
        &self,
        sequence: u64,
        member: &Name,
    ) -> Result<Vec<(u8, Signed<Delegation>)>, CeremonyError> {
        let mut found = Vec::new();
        for number in 1..=MAX_DELEGATIONS {
            let file = delegation_file(sequence, member, number);
            match self.find(&file.each_ref().map(String::as_str)) {
                Ok(Some(delegation)) => found.push((number, delegation)),
                Ok(None) => break,
                Err(CeremonyError::Decode { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The first number under which a member has no delegation for a manifest.
    ///
    /// # Errors
    /// [`StepError::TooManyDelegations`].
    pub(crate) fn next_delegation(
        &self,
        sequence: u64,
        member: &Name,
    ) -> Result<u8, CeremonyError> {
        for number in 1..=MAX_DELEGATIONS {
            let file = delegation_file(sequence, member, number);
            let max = <Signed<Delegation> as quorate_protocol::cbor::Object>::MAX;
            let file = file.each_ref().map(String::as_str);
            if self.folder().read(&file, max)?.is_none() {
                return Ok(number);
            }
        }
        Err(StepError::TooManyDelegations.into())
    }

    /// Writes a delegation.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_delegation(
        &self,
        number: u8,
        delegation: &Signed<Delegation>,
    ) -> Result<Published, StorageError> {
        let claim = delegation.unverified();
        let file = delegation_file(claim.sequence, &claim.member, number);
        let file = file.each_ref().map(String::as_str);
        self.folder().publish(&file, &to_bytes(delegation))
    }

    /// The share that goes with a delegation, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_entrusted(
        &self,
        sequence: u64,
        member: &Name,
        number: u8,
    ) -> Result<Option<Signed<EntrustedShare>>, CeremonyError> {
        let file = entrusted_file(sequence, member, number);
        self.find(&file.each_ref().map(String::as_str))
    }

    /// Writes the share that goes with a delegation.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_entrusted(
        &self,
        sequence: u64,
        member: &Name,
        number: u8,
        share: &Signed<EntrustedShare>,
    ) -> Result<Published, StorageError> {
        let file = entrusted_file(sequence, member, number);
        let file = file.each_ref().map(String::as_str);
        self.folder().publish(&file, &to_bytes(share))
    }

    /// An approval in a member's place, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_acting(
        &self,
        sequence: u64,
        member: &Name,
    ) -> Result<Option<SurrogateApproval>, CeremonyError> {
        let file = acting_file(sequence, member);
        self.find(&file.each_ref().map(String::as_str))
    }

    /// Writes an approval in a member's place.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_acting(&self, acting: &SurrogateApproval) -> Result<Published, StorageError> {
        let claim = acting.delegation.unverified();
        let file = acting_file(claim.sequence, &claim.member);
        let file = file.each_ref().map(String::as_str);
        self.folder().publish(&file, &to_bytes(acting))
    }

    /// The approvals of a manifest by surrogates that stand for a member without an approval of
    /// their own. Whether their time is over, whoever walks the chain says.
    pub(super) fn acting_approvals(
        &self,
        manifest: &Manifest,
        (manifest_set, share_set): &(MemberSet, MemberSet),
        approvals: &[Signed<Approval>],
        ignored: &mut Vec<IgnoredApproval>,
    ) -> Result<Vec<SurrogateApproval>, CeremonyError> {
        let mut acting: Vec<SurrogateApproval> = Vec::new();
        // A manifest that changes people is approved by them alone.
        if manifest.manifest_set != *manifest_set || manifest.share_set != *share_set {
            return Ok(acting);
        }
        let sequence = manifest.sequence;
        for member in &manifest_set.members {
            let own = approvals.iter().map(Signed::unverified);
            let mut own = own.filter(|claim| claim.role == Role::ManifestSet);
            if own.any(|claim| claim.index == member.index) {
                continue;
            }
            let found = match self.find_acting(sequence, &member.name) {
                Ok(None) => continue,
                Ok(Some(found)) => Some(found),
                Err(CeremonyError::Decode { .. }) => None,
                Err(error) => return Err(error),
            };
            let place = Place {
                genesis: manifest.genesis,
                sequence,
                role: Role::ManifestSet,
                member,
                sets: [manifest_set, share_set],
            };
            let known: Vec<&Delegation> =
                acting.iter().map(|a| a.delegation.unverified()).collect();
            let subject = (manifest.genesis, Digest::of(manifest));
            let good = found.filter(|found| {
                let delegation = check(&place, &found.delegation, &known);
                delegation.is_ok_and(|delegation| {
                    let mut signer = member.clone();
                    signer.signing_key = delegation.signing_key;
                    is_approval(&found.approval, Role::ManifestSet, subject, &signer)
                })
            });
            match good {
                Some(good) => acting.push(good),
                None => ignored.push(IgnoredApproval {
                    sequence,
                    name: member.name.clone(),
                    role: Role::ManifestSet,
                }),
            }
        }
        Ok(acting)
    }
}

/// Where a delegation is.
pub(crate) fn delegation_file(sequence: u64, member: &Name, number: u8) -> [String; 4] {
    [
        "surrogates".into(),
        place(sequence),
        member.to_string(),
        format!("{number}.cbor"),
    ]
}

/// Where the share that goes with it is.
pub(crate) fn entrusted_file(sequence: u64, member: &Name, number: u8) -> [String; 4] {
    [
        "surrogates".into(),
        place(sequence),
        member.to_string(),
        format!("{number}-share.cbor"),
    ]
}

/// Where an approval in a member's place is.
pub(crate) fn acting_file(sequence: u64, member: &Name) -> [String; 4] {
    [
        "manifests".into(),
        place(sequence),
        "surrogates".into(),
        format!("{member}.cbor"),
    ]
}
