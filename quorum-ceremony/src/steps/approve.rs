//! `approve`: a member verifies the next manifest and signs it, in each set where they count.
//!
//! Verified before anything is shown as approvable: the record against the member's own pin, the
//! chain before the manifest link by link, that the manifest follows it, and that it leads nobody
//! back.

use std::path::Path;

use quorate_protocol::atoms::{Name, ShareIndex, UnixMillis};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Approval, Link, Manifest};
use quorate_protocol::members::{Member as Person, MemberSet, Role};
use quorate_protocol::surrogate::SurrogateApproval;
use quorate_protocol::transcript::{Act, Fact};
use quorate_verify::chain::{ChainError, HighestSeen, Successor, check_successor_at};
use quorate_verify::genesis::VerifiedGenesis;

use super::Member;
use super::surrogate::{Acting, Wanted, acting, facts, sets_before};
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock, UnlockedKeys};
use crate::pins::{PinError, Pins};
use crate::rekey::check_cards;
use crate::storage::Published;
use crate::transcript::{Content, Effect, Journal, add, everybody, object, refused};
use crate::workspace::{IgnoredApproval, Workspace, acting_file, approval_file, is_approval};

/// A manifest that this member may approve, and has not yet.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    manifest: Manifest,
    before: Option<Manifest>,
    successor: Successor,
    seats: Vec<Seat>,
    /// For whom, where a surrogate approves.
    acting: Option<Acting>,
    ignored: Vec<IgnoredApproval>,
    /// Who may have written records so far.
    people: Vec<(Name, VerificationKey)>,
}

/// A role in which somebody's approval counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// In which set.
    pub role: Role,
    /// At which index.
    pub index: ShareIndex,
}

/// A manifest that was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// The manifest.
    pub manifest: Manifest,
    /// Its digest.
    pub digest: Digest<Manifest>,
    /// In which roles.
    pub seats: Vec<Seat>,
    /// For whom, where a surrogate approved.
    pub acting: Option<Acting>,
    /// Whether every approval was there already.
    pub published: Published,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Verifies everything an approval rests on. `sequence` chooses a manifest; without it, the newest
/// in the folder.
///
/// # Errors
/// [`StepError::NotReceived`]; a record of another genesis than the pinned one; a broken chain; a
/// manifest that does not follow, or leads back; new keys of a member without a card of theirs;
/// [`StepError::NoApproval`].
pub fn review(
    folder: &Path,
    private: &Path,
    sequence: Option<u64>,
) -> Result<Review, CeremonyError> {
    look(folder, private, sequence).map_err(|error| refused(private, Act::Approve, error))
}

fn look(folder: &Path, private: &Path, sequence: Option<u64>) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let genesis = member.verified_genesis(&workspace)?;
    let found = workspace.links(genesis.definition(), sequence)?;
    let wanted = sequence.unwrap_or(1);
    let missing = StepError::ManifestMissing { sequence: wanted };
    let (candidate, approved) = found.links.split_last().ok_or_else(|| missing.clone())?;
    if sequence.is_some_and(|sequence| candidate.manifest.sequence != sequence) {
        return Err(missing.into());
    }
    let before = approved.last().map(|link| &link.manifest);
    check_cards(
        &workspace,
        genesis.definition(),
        before,
        &candidate.manifest,
    )?;
    let key = member.keys.public().signing;
    let decided = decide(&member.pins, &key, &genesis, approved, candidate);
    let (successor, seats, acting) = match decided {
        Ok((successor, seats)) => (successor, seats, None),
        Err(CeremonyError::Step(StepError::NoApproval { name, sequence })) => {
            let found = for_another(
                &workspace,
                &member.pins,
                &key,
                (&genesis, approved, candidate),
            )?;
            let (successor, acting) = found.ok_or(StepError::NoApproval { name, sequence })?;
            let seat = Seat {
                role: Role::ManifestSet,
                index: acting.member.index,
            };
            (successor, vec![seat], Some(acting))
        }
        Err(error) => return Err(error),
    };
    Ok(Review {
        manifest: candidate.manifest.clone(),
        before: approved.last().map(|link| link.manifest.clone()),
        ignored: found.ignored,
        people: everybody(&workspace, &genesis, approved)?,
        workspace,
        member,
        genesis,
        successor,
        seats,
        acting,
    })
}

/// Whether this person acts for a member who may approve.
fn for_another(
    workspace: &Workspace,
    pins: &Pins,
    key: &VerificationKey,
    (genesis, approved, candidate): (&VerifiedGenesis, &[Link], &Link),
) -> Result<Option<(Successor, Acting)>, CeremonyError> {
    let (manifest, now) = (&candidate.manifest, wall_clock());
    let reshare = candidate.reshare.as_deref();
    let successor = check_successor_at(genesis, approved, manifest, reshare, now)?;
    check_history(pins, approved, &successor)?;
    let wanted = Wanted {
        genesis: genesis.digest(),
        sequence: successor.sequence,
        role: Role::ManifestSet,
        sets: sets_before(genesis.definition(), approved),
    };
    let acting = acting(workspace, &wanted, (pins.name(), key), now)?;
    let Some(acting) = acting else {
        return Ok(None);
    };
    if successor.changes_people() {
        let sequence = successor.sequence;
        return Err(ChainError::SurrogateForPeople { sequence }.into());
    }
    Ok(Some((successor, acting)))
}

impl Review {
    /// What would be approved.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest it follows; none for the first.
    #[must_use]
    pub const fn before(&self) -> Option<&Manifest> {
        self.before.as_ref()
    }

    /// What it is and changes.
    #[must_use]
    pub const fn successor(&self) -> &Successor {
        &self.successor
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// In which roles the member would approve.
    #[must_use]
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// For whom the approval would be given, where a surrogate gives it.
    #[must_use]
    pub const fn acting(&self) -> Option<&Acting> {
        self.acting.as_ref()
    }

    /// Files that are in somebody's name and are not theirs.
    #[must_use]
    pub fn ignored(&self) -> &[IgnoredApproval] {
        &self.ignored
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Pins the manifest, signs and publishes the approvals.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::SignedWrong`] if somebody wrote an approval in the
    /// member's name.
    pub fn approve(mut self, unlock: impl Into<Unlock>) -> Result<Approved, CeremonyError> {
        let keys = self.member.unlock(unlock.into())?;
        let Successor {
            sequence, digest, ..
        } = self.successor;
        self.member
            .pins
            .pin_manifest(HighestSeen { sequence, digest })?;
        self.member.private.store_pins(&self.member.pins)?;
        let public = keys.public();
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let mut published = Published::AlreadyThere;
        if let Some(acting) = &self.acting {
            published = self.approve_for(acting, &keys, &journal)?;
        }
        let own = self.seats.iter().filter(|_| self.acting.is_none());
        for seat in own {
            let person = Person {
                name: keys.name().clone(),
                index: seat.index,
                signing_key: public.signing,
                encryption_key: public.encryption.clone(),
            };
            let subject = (self.genesis.digest(), digest);
            let known = self
                .workspace
                .find_approval(sequence, keys.name(), seat.role);
            match known {
                Ok(Some(known)) if is_approval(&known, seat.role, subject, &person) => {
                    if !journal.tells(&keys, Act::Approve, &object(known.digest()))? {
                        let said = content(&self.manifest, seat, &known);
                        add(&self.member.private, &said, Effect::None)?;
                    }
                    continue;
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => {
                    let (name, role) = (keys.name().clone(), Some(seat.role));
                    return Err(StepError::SignedWrong { name, role }.into());
                }
                Err(error) => return Err(error),
            }
            let approval = approval(seat, subject.0, digest, wall_clock());
            let approval = keys.sign(approval)?;
            let file = approval_file(sequence, keys.name(), seat.role);
            let effect = Effect::published(&file, &to_bytes(&approval))?;
            let said = content(&self.manifest, seat, &approval);
            add(&self.member.private, &said, effect)?;
            published = self
                .workspace
                .publish_approval(sequence, keys.name(), &approval)?;
        }
        journal.settle(&keys)?;
        Ok(Approved {
            development: self.genesis.definition().attestation_root.is_development(),
            manifest: self.manifest,
            digest,
            seats: self.seats,
            acting: self.acting,
            published,
        })
    }

    /// Signs and publishes the approval in a member's place.
    fn approve_for(
        &self,
        acting: &Acting,
        keys: &UnlockedKeys,
        journal: &Journal<'_>,
    ) -> Result<Published, CeremonyError> {
        let (sequence, member) = (self.successor.sequence, &acting.member);
        let seat = Seat {
            role: Role::ManifestSet,
            index: member.index,
        };
        let subject = (self.genesis.digest(), self.successor.digest);
        let mut signer = member.clone();
        signer.signing_key = keys.public().signing;
        let said = |approval: &Signed<Approval>| {
            let mut said = content(&self.manifest, &seat, approval);
            said.facts.extend(facts(&acting.delegation));
            said
        };
        match self.workspace.find_acting(sequence, &member.name) {
            Ok(Some(known)) if is_approval(&known.approval, seat.role, subject, &signer) => {
                let told = object(known.approval.digest());
                if !journal.tells(keys, Act::Approve, &told)? {
                    add(&self.member.private, &said(&known.approval), Effect::None)?;
                }
                return Ok(Published::AlreadyThere);
            }
            Ok(None) => {}
            Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => {
                let (name, role) = (member.name.clone(), Some(seat.role));
                return Err(StepError::SignedWrong { name, role }.into());
            }
            Err(error) => return Err(error),
        }
        let approval = approval(&seat, subject.0, subject.1, wall_clock());
        let acted = SurrogateApproval {
            delegation: acting.delegation.clone(),
            approval: keys.sign(approval)?,
        };
        let file = acting_file(sequence, &member.name);
        let effect = Effect::published(&file, &to_bytes(&acted))?;
        add(&self.member.private, &said(&acted.approval), effect)?;
        Ok(self.workspace.publish_acting(&acted)?)
    }
}

/// What the record of an approval says.
fn content(manifest: &Manifest, seat: &Seat, approval: &Signed<Approval>) -> Content {
    let measurements = manifest.measurements.registers();
    let mut facts = vec![
        object(Digest::of(manifest)),
        object(approval.digest()),
        Fact::Role(seat.role),
    ];
    facts.extend(measurements.map(|(index, value)| Fact::Register(index, value)));
    Content {
        act: Act::Approve,
        facts,
    }
}

const fn approval(
    seat: &Seat,
    genesis: Digest<quorate_protocol::genesis::Genesis>,
    manifest: Digest<Manifest>,
    time: UnixMillis,
) -> Approval {
    Approval {
        role: seat.role,
        genesis,
        manifest,
        index: seat.index,
        time,
    }
}

/// Whether a member of these pins and this key may approve `candidate` after `approved`, and in
/// which roles.
fn decide(
    pins: &Pins,
    key: &VerificationKey,
    genesis: &VerifiedGenesis,
    approved: &[Link],
    candidate: &Link,
) -> Result<(Successor, Vec<Seat>), CeremonyError> {
    let reshare = candidate.reshare.as_deref();
    let candidate = &candidate.manifest;
    let successor = check_successor_at(genesis, approved, candidate, reshare, wall_clock())?;
    check_history(pins, approved, &successor)?;
    let definition = genesis.definition();
    let epoch = approved
        .last()
        .map_or(genesis.epoch(), |link| link.manifest.epoch);
    let (manifest_set, share_set) = match approved.last() {
        Some(link) => (&link.manifest.manifest_set, &link.manifest.share_set),
        None => (&definition.manifest_set, &definition.share_set),
    };
    let new = successor
        .changes_manifest_set
        .then_some(&candidate.manifest_set);
    let shares = successor.needs_share_set().then_some(share_set);
    let name = pins.name();
    let person = |set: &MemberSet| set.named(name).cloned();
    let approving = person(manifest_set).or_else(|| new.and_then(person));
    let mut seats = Vec::new();
    for (role, person) in [
        (Role::ManifestSet, approving),
        (Role::ShareSet, shares.and_then(person)),
    ] {
        let Some(person) = person else { continue };
        if role == Role::ShareSet && !genesis.is_active(person.index, epoch) {
            continue;
        }
        if person.signing_key != *key {
            return Err(StepError::KeysDiffer { name: name.clone() }.into());
        }
        seats.push(Seat {
            role,
            index: person.index,
        });
    }
    if seats.is_empty() {
        let (name, sequence) = (Name::clone(name), successor.sequence);
        return Err(StepError::NoApproval { name, sequence }.into());
    }
    Ok((successor, seats))
}

/// Neither the manifest nor the chain before it may contradict what the member has seen.
fn check_history(pins: &Pins, approved: &[Link], next: &Successor) -> Result<(), PinError> {
    let offered = HighestSeen {
        sequence: next.sequence,
        digest: next.digest,
    };
    pins.check_manifest(offered)?;
    let Some(seen) = pins.highest() else {
        return Ok(());
    };
    for link in approved
        .iter()
        .filter(|link| link.manifest.sequence == seen.sequence)
    {
        seen.admit(seen.sequence, Digest::of(&link.manifest))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
