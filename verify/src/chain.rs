//! The chain of manifests: from the genesis record to what may run today.
//!
//! [`walk`] verifies a chain link by link and is the only way to a [`VerifiedChain`]. For every
//! manifest it guarantees:
//!
//! * it follows the one before it: same genesis, next sequence, previous digest, the digest of the
//!   last manifest that changed a set, and the quorum key of the genesis;
//! * its shares are those of the manifest before, of the same members at the same indices, or those
//!   of a completed resharing that the link carries, which was ordered under the manifest before
//!   ([`crate::reshare`]);
//! * the threshold of the manifest set **before** it approved it, so a set that only the manifest
//!   itself names approves nothing;
//! * where it changes the manifest set, the threshold of the new set approved it too; where it
//!   changes the share set, the shares, who may connect where (before the first manifest nobody may
//!   anywhere) or the forward policy, the threshold of the share set before it did besides;
//! * no approval in the link is wrong, not even one more than needed;
//! * an approval by a surrogate counts as its member's, for a manifest that changes no set and no
//!   shares, and until its delegation ends: [`walk_at`] takes the moment, [`walk`] counts only what
//!   counts for ever (`chain/surrogates.rs` says exactly when that is).
//!
//! It does not say that no newer manifest exists: [`HighestSeen`] is what a reader can do about
//! that alone. It compares no time but the end of delegations; a manifest's validity is compared
//! with the time of an attestation.
//!
//! Structure, counts and digests are compared before signatures are verified.

mod ballots;
mod equivocation;
mod error;
mod seen;
mod surrogates;
mod verified;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::egress::Destination;
use quorate_protocol::forward::ForwardPolicy;
use quorate_protocol::genesis::CommitmentList;
use quorate_protocol::manifest::{Approval, Link, Manifest};
use quorate_protocol::members::{MemberSet, Role};
use quorate_protocol::reshare::CompletedReshare;

use crate::genesis::VerifiedGenesis;
use crate::reshare::{VerifiedCompletion, verify_completed};

use self::ballots::{check_threshold, count, same_seats};
pub use self::equivocation::{Equivocation, equivocations};
pub(crate) use self::error::role_name;
pub use self::error::{ApprovingSet, ChainError};
pub use self::seen::{HighestSeen, Rollback};
use self::surrogates::expire;
pub use self::verified::{Approver, Approvers, VerifiedChain, VerifiedLink};

/// Manifests in one chain, at most.
pub const MAX_LINKS: usize = 4096;

/// Verifies a chain from the first manifest to the last. Where it still rests on surrogates it is
/// refused: their time ends, and none is given here.
///
/// # Errors
/// The first rule that the chain breaks, with the sequence of the manifest at fault.
pub fn walk(genesis: &VerifiedGenesis, chain: &[Link]) -> Result<VerifiedChain, ChainError> {
    walk_until(genesis, chain, None)
}

/// Verifies a chain from the first manifest to the last, with those surrogates whose delegations count
/// at this moment. Inside an enclave it is the security module's; a reader of evidence takes what the
/// evidence attests; a tool takes its own clock, and the security module's once it knows it.
///
/// # Errors
/// As [`walk`]; [`ChainError::SurrogateExpired`].
pub fn walk_at(
    genesis: &VerifiedGenesis,
    chain: &[Link],
    at: UnixMillis,
) -> Result<VerifiedChain, ChainError> {
    walk_until(genesis, chain, Some(at))
}

fn walk_until(
    genesis: &VerifiedGenesis,
    chain: &[Link],
    at: Option<UnixMillis>,
) -> Result<VerifiedChain, ChainError> {
    if chain.len() > MAX_LINKS {
        return Err(ChainError::TooManyLinks { found: chain.len() });
    }
    let mut head = Head::start(genesis);
    let (links, until) = head.walk(chain, at)?;
    let (Some(newest), Some(last)) = (chain.last(), links.last().cloned()) else {
        return Err(ChainError::Empty);
    };
    Ok(VerifiedChain {
        genesis: genesis.digest(),
        manifest: newest.manifest.clone(),
        last,
        links,
        until,
    })
}

/// Verifies an approved chain (empty before the first manifest) and that `candidate` follows it, with
/// the resharing that made its shares, where they are new. Nobody needs to have approved the
/// candidate: this is what a member checks before doing so.
///
/// # Errors
/// As [`walk`], but for the candidate's own approvals.
pub fn check_successor(
    genesis: &VerifiedGenesis,
    approved: &[Link],
    candidate: &Manifest,
    reshare: Option<&CompletedReshare>,
) -> Result<Successor, ChainError> {
    check_successor_until(genesis, approved, candidate, reshare, None)
}

/// The same, where the approved chain may rest on surrogates whose delegations count at this moment.
/// A member who approves the candidate with their own key vouches for that.
///
/// # Errors
/// As [`check_successor`]; [`ChainError::SurrogateExpired`].
pub fn check_successor_at(
    genesis: &VerifiedGenesis,
    approved: &[Link],
    candidate: &Manifest,
    reshare: Option<&CompletedReshare>,
    at: UnixMillis,
) -> Result<Successor, ChainError> {
    check_successor_until(genesis, approved, candidate, reshare, Some(at))
}

fn check_successor_until(
    genesis: &VerifiedGenesis,
    approved: &[Link],
    candidate: &Manifest,
    reshare: Option<&CompletedReshare>,
    at: Option<UnixMillis>,
) -> Result<Successor, ChainError> {
    if approved.len() >= MAX_LINKS {
        let found = approved.len().saturating_add(1);
        return Err(ChainError::TooManyLinks { found });
    }
    let mut head = Head::start(genesis);
    head.walk(approved, at)?;
    head.successor(candidate, reshare)
}

/// A manifest that follows the one before it, and what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Its digest.
    pub digest: Digest<Manifest>,
    /// Its sequence.
    pub sequence: u64,
    /// Whether it brings in another manifest set; then that set's threshold must approve too.
    pub changes_manifest_set: bool,
    /// Whether it brings in another share set; then the present share set's threshold must
    /// approve too. Without a resharing only a member's keys can be others.
    pub changes_share_set: bool,
    /// The resharing that made its shares, if they are others than before; then the present share
    /// set's threshold must approve too.
    pub reshare: Option<Box<VerifiedCompletion>>,
    /// Whether another application may connect, or one to other destinations; then the present
    /// share set's threshold must approve too.
    pub changes_egress: bool,
    /// Whether it changes if, until when and to what the key is forwarded. Before the first
    /// manifest nothing is. Then too the present share set's threshold must approve.
    pub changes_forward: bool,
}

impl Successor {
    /// Whether the threshold of the present share set must approve besides.
    #[must_use]
    pub const fn needs_share_set(&self) -> bool {
        self.changes_share_set
            || self.reshare.is_some()
            || self.changes_egress
            || self.changes_forward
    }
}

/// Where a walk stands: what the next manifest has to follow.
struct Head<'a> {
    genesis: &'a VerifiedGenesis,
    sequence: u64,
    digest: Option<Digest<Manifest>>,
    last_set_change: Option<Digest<Manifest>>,
    manifest_set: MemberSet,
    share_set: MemberSet,
    commitments: &'a CommitmentList,
    /// The manifest before; its instance is the only one whose resharing counts.
    before: Option<&'a Manifest>,
    egress: Vec<(Name, Vec<Destination>)>,
    forward: Option<ForwardPolicy>,
}

impl<'a> Head<'a> {
    /// Before the first manifest the sets are the definition's.
    fn start(genesis: &'a VerifiedGenesis) -> Self {
        let definition = genesis.definition();
        Self {
            genesis,
            sequence: 0,
            digest: None,
            last_set_change: None,
            manifest_set: definition.manifest_set.clone(),
            share_set: definition.share_set.clone(),
            commitments: genesis.commitments(),
            before: None,
            egress: Vec::new(),
            forward: None,
        }
    }

    /// Verifies links one after the other, then what has ended; gives the last moment at which they
    /// count.
    fn walk(
        &mut self,
        chain: &'a [Link],
        at: Option<UnixMillis>,
    ) -> Result<(Vec<VerifiedLink>, Option<UnixMillis>), ChainError> {
        let mut links = Vec::with_capacity(chain.len());
        let mut needs = Vec::with_capacity(chain.len());
        for link in chain {
            let successor = self.successor(&link.manifest, link.reshare.as_deref())?;
            let approvers = self.approvers(&successor, link)?;
            needs.push(self.manifest_set.threshold);
            self.advance(&successor, &link.manifest);
            links.push(VerifiedLink {
                successor,
                approvers,
            });
        }
        let until = expire(&mut links, &needs, at)?;
        Ok((links, until))
    }

    /// Everything about a manifest but who approved it.
    fn successor(
        &self,
        manifest: &Manifest,
        reshare: Option<&CompletedReshare>,
    ) -> Result<Successor, ChainError> {
        let sequence = manifest.sequence;
        let expected = self.sequence.saturating_add(1);
        if sequence != expected {
            return Err(ChainError::Sequence {
                expected,
                found: sequence,
            });
        }
        if manifest.genesis != self.genesis.digest() {
            return Err(ChainError::Genesis {
                sequence,
                expected: self.genesis.digest(),
                found: manifest.genesis,
            });
        }
        if manifest.previous != self.digest {
            return Err(ChainError::Previous {
                sequence,
                expected: self.digest,
                found: manifest.previous,
            });
        }
        if manifest.last_set_change != self.last_set_change {
            return Err(ChainError::LastSetChange {
                sequence,
                expected: self.last_set_change,
                found: manifest.last_set_change,
            });
        }
        if manifest.quorum_key != *self.genesis.quorum_key() {
            return Err(ChainError::QuorumKeyChanged { sequence });
        }
        let reshare = self.shares(manifest, reshare)?;
        Ok(Successor {
            digest: Digest::of(manifest),
            sequence,
            changes_manifest_set: manifest.manifest_set != self.manifest_set,
            changes_share_set: manifest.share_set != self.share_set,
            reshare,
            changes_egress: manifest.egress_policy() != self.egress,
            changes_forward: manifest.forward != self.forward,
        })
    }

    /// Where the shares of a manifest come from, and whether its share set is who holds them.
    fn shares(
        &self,
        manifest: &Manifest,
        reshare: Option<&CompletedReshare>,
    ) -> Result<Option<Box<VerifiedCompletion>>, ChainError> {
        let sequence = manifest.sequence;
        let Some(completed) = reshare else {
            // The manifest's own rules keep the epoch the digest of the commitments.
            if manifest.commitments != *self.commitments {
                return Err(ChainError::EpochChanged { sequence });
            }
            if !same_seats(&manifest.share_set, &self.share_set) {
                return Err(ChainError::ShareSetChanged { sequence });
            }
            return Ok(None);
        };
        let before = self.before.ok_or(ChainError::ReshareFirst { sequence })?;
        let verified = verify_completed(self.genesis, before, completed);
        let verified = verified.map_err(|error| ChainError::Reshare { sequence, error })?;
        let reshare = &completed.reshare;
        if manifest.commitments != reshare.record.unverified().commitments
            || manifest.share_set != reshare.order.share_set
        {
            return Err(ChainError::ReshareOfAnother { sequence });
        }
        Ok(Some(Box::new(verified)))
    }

    /// Verifies every approval of a link, then counts them set by set.
    fn approvers(&self, successor: &Successor, link: &Link) -> Result<Approvers, ChainError> {
        let sequence = successor.sequence;
        let new = successor
            .changes_manifest_set
            .then_some(&link.manifest.manifest_set);
        let members = |set: &MemberSet| set.members.len();
        let max = members(&self.manifest_set)
            .saturating_add(new.map_or(0, members))
            .saturating_add(members(&self.share_set));
        let found = link.approvals.len().saturating_add(link.surrogates.len());
        if found > max {
            return Err(ChainError::TooManyApprovals {
                sequence,
                max,
                found,
            });
        }
        let mut approvers = Approvers::default();
        for approval in &link.approvals {
            self.check_subject(successor, approval)?;
            let ballots = match approval.unverified().role {
                Role::ManifestSet => vec![
                    (Some(&self.manifest_set), &mut approvers.manifest_set),
                    (new, &mut approvers.new_manifest_set),
                ],
                Role::ShareSet => vec![(Some(&self.share_set), &mut approvers.share_set)],
            };
            count(sequence, approval, ballots)?;
        }
        self.surrogates(successor, link, &mut approvers)?;
        for list in [
            &mut approvers.manifest_set,
            &mut approvers.new_manifest_set,
            &mut approvers.share_set,
        ] {
            list.sort_unstable_by_key(|approver| approver.index);
        }
        let reached = |set, members: &MemberSet, given: &[Approver]| {
            check_threshold(sequence, set, members, given)
        };
        reached(
            ApprovingSet::ManifestSet,
            &self.manifest_set,
            &approvers.manifest_set,
        )?;
        if let Some(new) = new {
            reached(
                ApprovingSet::NewManifestSet,
                new,
                &approvers.new_manifest_set,
            )?;
        }
        if successor.needs_share_set() {
            reached(
                ApprovingSet::ShareSet,
                &self.share_set,
                &approvers.share_set,
            )?;
        }
        Ok(approvers)
    }

    fn check_subject(
        &self,
        successor: &Successor,
        approval: &Signed<Approval>,
    ) -> Result<(), ChainError> {
        let claim = approval.unverified();
        let (sequence, index) = (successor.sequence, claim.index);
        // The holders before the manifest approve it, by the shares they hold.
        let holds = || self.genesis.is_active(index, self.commitments.epoch());
        if claim.role == Role::ShareSet && !holds() {
            return Err(ChainError::ApprovalOfInactive { sequence, index });
        }
        if claim.genesis != self.genesis.digest() {
            return Err(ChainError::ApprovalOfAnotherGenesis {
                sequence,
                index,
                found: claim.genesis,
            });
        }
        if claim.manifest != successor.digest {
            return Err(ChainError::ApprovalOfAnother {
                sequence,
                index,
                found: claim.manifest,
            });
        }
        Ok(())
    }

    fn advance(&mut self, successor: &Successor, manifest: &'a Manifest) {
        self.before = Some(manifest);
        self.commitments = &manifest.commitments;
        self.sequence = successor.sequence;
        self.digest = Some(successor.digest);
        self.egress = manifest.egress_policy();
        self.forward.clone_from(&manifest.forward);
        if successor.changes_manifest_set || successor.changes_share_set {
            self.last_set_change = Some(successor.digest);
            self.manifest_set = manifest.manifest_set.clone();
            self.share_set = manifest.share_set.clone();
        }
    }
}
