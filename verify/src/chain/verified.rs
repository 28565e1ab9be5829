//! What a walk has verified: links, who approved them and for whom, and the chain of them.

use quorate_protocol::atoms::{Name, ShareIndex, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::Role;

use super::{HighestSeen, Rollback, Successor};
use crate::surrogate::Surrogate;

/// Somebody whose approval of a manifest has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// Their name in the set.
    pub name: Name,
    /// Their index in the set.
    pub index: ShareIndex,
    /// The key that verified the approval: their own, or their surrogate's.
    pub signing_key: VerificationKey,
    /// When, by the signer's clock.
    pub time: UnixMillis,
    /// Who signed for them; none where they signed themselves.
    pub surrogate: Option<Surrogate>,
}

/// Who approved one manifest, in each set in order of index. An approval by somebody who has the
/// same place in the old and the new manifest set counts, and is listed, in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvers {
    /// Members of the manifest set before this manifest.
    pub manifest_set: Vec<Approver>,
    /// Members of the manifest set that this manifest brings in; empty if it changes none.
    pub new_manifest_set: Vec<Approver>,
    /// Members of the share set before this manifest.
    pub share_set: Vec<Approver>,
}

impl Approvers {
    /// The approvers in a role, of old and new set, each name once.
    pub fn in_role(&self, role: Role) -> impl Iterator<Item = &Approver> {
        let (first, second) = match role {
            Role::ManifestSet => (&self.manifest_set, self.new_manifest_set.as_slice()),
            Role::ShareSet => (&self.share_set, [].as_slice()),
        };
        let fresh = second
            .iter()
            .filter(|approver| !first.iter().any(|known| known.name == approver.name));
        first.iter().chain(fresh)
    }
}

/// One link of a verified chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedLink {
    /// What it is and changes.
    pub successor: Successor,
    /// Who approved it.
    pub approvers: Approvers,
}

/// A chain of which every link has been verified. Only [`walk`](super::walk) and
/// [`walk_at`](super::walk_at) make one; it is never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChain {
    pub(super) genesis: Digest<Genesis>,
    pub(super) manifest: Manifest,
    pub(super) last: VerifiedLink,
    pub(super) links: Vec<VerifiedLink>,
    pub(super) until: Option<UnixMillis>,
}

impl VerifiedChain {
    /// The namespace.
    #[must_use]
    pub fn genesis(&self) -> Digest<Genesis> {
        self.genesis
    }

    /// The last manifest: what may run.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest<Manifest> {
        self.last.successor.digest
    }

    /// Its sequence.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.last.successor.sequence
    }

    /// Who approved it.
    #[must_use]
    pub fn approvers(&self) -> &Approvers {
        &self.last.approvers
    }

    /// Every link from the first manifest on.
    #[must_use]
    pub fn links(&self) -> &[VerifiedLink] {
        &self.links
    }

    /// Last moment at which it counts, where it rests on surrogates: no later manifest that members
    /// approved with their own keys builds on it yet.
    #[must_use]
    pub const fn counts_until(&self) -> Option<UnixMillis> {
        self.until
    }

    /// What a tool remembers after it has acted on this chain.
    #[must_use]
    pub fn highest_seen(&self) -> HighestSeen {
        HighestSeen {
            sequence: self.sequence(),
            digest: self.digest(),
        }
    }

    /// Whether the manifest that was `seen` before is part of this chain at its place.
    ///
    /// # Errors
    /// [`Rollback`] if the chain ends before it or has another manifest there.
    pub fn extends(&self, seen: HighestSeen) -> Result<(), Rollback> {
        let at = self
            .links
            .iter()
            .find(|link| link.successor.sequence == seen.sequence)
            .unwrap_or(&self.last);
        seen.admit(at.successor.sequence, at.successor.digest)
            .map(drop)
    }
}
