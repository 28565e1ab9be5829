//! `forward-approve`: a share holder approves that the key goes to the next manifest's instance.
//!
//! Verified before anything is shown as approvable: the record against the member's own pin, the
//! chain to the new manifest link by link and that it leads nobody back; that the manifest before it
//! has a forward policy; that the member is in the share set of that manifest. The approval names
//! both manifests and nothing else: it is neither an approval of the manifest nor a grant of a share.

use std::path::Path;

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::{ForwardApproval, ForwardPolicy};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::{Member as Person, Role};
use quorate_protocol::transcript::{Act, Fact};
use quorate_verify::chain::{Successor, VerifiedChain, walk_at};
use quorate_verify::forward::{Relation, needs_approvals};
use quorate_verify::genesis::VerifiedGenesis;

use super::{Member, newest_approved};
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock};
use crate::pins::Pins;
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, everybody, object, refused, remark};
use crate::workspace::{Workspace, forward_approval_file, is_forward_approval};

/// A forward that this member may approve.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    people: Vec<(Name, VerificationKey)>,
    step: Step,
}

/// From which manifest to which, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    from: Manifest,
    to: Manifest,
    policy: ForwardPolicy,
    successor: Successor,
    index: ShareIndex,
}

/// A forward that was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// The manifest that forwards.
    pub from: Manifest,
    /// The manifest that receives.
    pub to: Manifest,
    /// At which index.
    pub index: ShareIndex,
    /// Whether it was there already.
    pub published: Published,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Verifies everything an approval rests on. `sequence` chooses the manifest that receives; without
/// it, the newest that is approved.
///
/// # Errors
/// As [`super::approve::review`]; [`StepError::ForwardNotAllowed`], [`StepError::ForwardExempt`],
/// [`StepError::ForwardToFirst`], [`StepError::NoShare`].
pub fn review(
    folder: &Path,
    private: &Path,
    sequence: Option<u64>,
) -> Result<Review, CeremonyError> {
    look(folder, private, sequence).map_err(|error| refused(private, Act::Forward, error))
}

fn look(folder: &Path, private: &Path, sequence: Option<u64>) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let genesis = member.verified_genesis(&workspace)?;
    let found = workspace.links(genesis.definition(), sequence)?;
    let chain = match sequence {
        None => newest_approved(&genesis, &found.links)?,
        Some(_) => walk_at(&genesis, &found.links, wall_clock())?,
    };
    if let Some(sequence) = sequence.filter(|wanted| chain.sequence() != *wanted) {
        return Err(StepError::ManifestMissing { sequence }.into());
    }
    let links = found.links.get(..chain.links().len()).unwrap_or_default();
    let key = member.keys.public().signing;
    let step = decide(&member.pins, &key, &chain, links)?;
    Ok(Review {
        people: everybody(&workspace, &genesis, links)?,
        workspace,
        member,
        genesis,
        chain,
        step,
    })
}

impl Review {
    /// The manifest that forwards.
    #[must_use]
    pub const fn from(&self) -> &Manifest {
        &self.step.from
    }

    /// The manifest that receives.
    #[must_use]
    pub const fn to(&self) -> &Manifest {
        &self.step.to
    }

    /// What that is and changes.
    #[must_use]
    pub const fn successor(&self) -> &Successor {
        &self.step.successor
    }

    /// Until when the manifest that forwards may.
    #[must_use]
    pub const fn policy(&self) -> &ForwardPolicy {
        &self.step.policy
    }

    /// The member's index in the share set of the manifest that forwards.
    #[must_use]
    pub const fn index(&self) -> ShareIndex {
        self.step.index
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Pins the manifest, signs and publishes the approval.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::SignedWrong`] if somebody wrote one in the member's name.
    pub fn approve(self, unlock: impl Into<Unlock>) -> Result<Approved, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.sign(unlock.into())
            .map_err(|error| refused(&private, Act::Forward, error))
    }

    fn sign(mut self, unlock: Unlock) -> Result<Approved, CeremonyError> {
        let keys = self.member.unlock(unlock)?;
        self.member.pins.pin_manifest(self.chain.highest_seen())?;
        self.member.private.store_pins(&self.member.pins)?;
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let Step {
            from, to, index, ..
        } = &self.step;
        let (from, to, index) = (from.clone(), to.clone(), *index);
        let public = keys.public();
        let person = Person {
            name: keys.name().clone(),
            index,
            signing_key: public.signing,
            encryption_key: public.encryption,
        };
        let subject = (from.genesis, Digest::of(&from), Digest::of(&to));
        let known = self
            .workspace
            .find_forward_approval(to.sequence, keys.name());
        let published = match known {
            Ok(Some(known)) if is_forward_approval(&known, subject, &person) => {
                if !journal.tells(&keys, Act::Forward, &object(known.digest()))? {
                    add(&self.member.private, &self.content(&known), Effect::None)?;
                }
                Published::AlreadyThere
            }
            Ok(None) => {
                let approval = ForwardApproval {
                    role: Role::ShareSet,
                    genesis: subject.0,
                    from: subject.1,
                    to: subject.2,
                    index,
                    time: wall_clock(),
                };
                let approval = keys.sign(approval)?;
                let sequence = to.sequence;
                let file = forward_approval_file(sequence, keys.name());
                let effect = Effect::published(&file, &to_bytes(&approval))?;
                add(&self.member.private, &self.content(&approval), effect)?;
                self.workspace
                    .publish_forward_approval(sequence, keys.name(), &approval)?
            }
            Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => {
                let (name, role) = (keys.name().clone(), None);
                return Err(StepError::SignedWrong { name, role }.into());
            }
            Err(error) => return Err(error),
        };
        journal.settle(&keys)?;
        Ok(Approved {
            development: self.genesis.definition().attestation_root.is_development(),
            from,
            to,
            index,
            published,
        })
    }

    /// What the record says.
    fn content(&self, approval: &Signed<ForwardApproval>) -> Content {
        let Step { from, to, .. } = &self.step;
        let mut facts = vec![
            object(approval.digest()),
            object(self.genesis.digest()),
            object(Digest::of(from)),
            object(Digest::of(to)),
            Fact::Role(Role::ShareSet),
        ];
        let end =
            |title, manifest: &Manifest| remark(title, &format!("manifest {}", manifest.sequence));
        facts.extend([end("from", from), end("to", to)].into_iter().flatten());
        Content {
            act: Act::Forward,
            facts,
        }
    }
}

/// Whether a member of these pins and this key may approve forwarding to the end of a chain.
fn decide(
    pins: &Pins,
    key: &VerificationKey,
    chain: &VerifiedChain,
    links: &[Link],
) -> Result<Step, CeremonyError> {
    pins.check_manifest(chain.highest_seen())?;
    if let Some(seen) = pins.highest() {
        chain.extends(seen).map_err(crate::pins::PinError::from)?;
    }
    let sequence = chain.sequence();
    let before = links.iter().rev().nth(1);
    let from = &before
        .ok_or(StepError::ForwardToFirst { sequence })?
        .manifest;
    let to = chain.manifest();
    let policy = from.forward.clone();
    let policy = policy.ok_or(StepError::ForwardNotAllowed {
        sequence: from.sequence,
    })?;
    if !needs_approvals(&policy, Relation::Successor, from, to) {
        return Err(StepError::ForwardExempt { sequence }.into());
    }
    let name = pins.name();
    let person = from.share_set.named(name);
    let person = person.ok_or_else(|| StepError::NoShare { name: name.clone() })?;
    if person.signing_key != *key {
        return Err(StepError::KeysDiffer { name: name.clone() }.into());
    }
    let last = chain.links().last();
    let last = last.ok_or(StepError::ManifestMissing { sequence })?;
    Ok(Step {
        from: from.clone(),
        to: to.clone(),
        policy,
        successor: last.successor.clone(),
        index: person.index,
    })
}

#[cfg(test)]
mod tests;
