//! `share check` and `share backup`: a member proves the share they keep, and writes it down.
//!
//! [`open`] compares the folders with the member's pins and needs no key. [`Kept::prove`] opens the
//! share and checks f(i)·G = Σ iʲ·Aⱼ against the commitments whose digest is the pinned epoch, so
//! that a shared folder that was exchanged proves nothing. It is the newest share that was received:
//! after a resharing, the new one. Only what was proved can be written down:
//! [`Proved::backup`].
//!
//! What was done is recorded where there is a transcript (`record.rs`): a check after it, a backup before it
//! can be seen.
//!
//! Does not: show or write a backup. That is the caller's, with the care it needs.

mod record;

use std::path::Path;
use std::time::{Duration, Instant};

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Epoch, Genesis, GenesisOutput};
use quorate_protocol::instance::Index;
use quorate_protocol::transcript::Act;
use quorate_share_backup::sheet::Facts;
use quorate_share_backup::{Backup, Origin};
use quorate_sharing::Share;
use quorate_verify::attestation::Partition;
use quorate_verify::genesis::check_output;

use super::Member;
use super::held::Held;
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock, UnlockedKeys};
use crate::pins::{PinError, Pins};
use crate::transcript::refused;
use crate::workspace::Workspace;

pub use self::record::{Paper, Recorded};
pub(super) use self::record::{Pinned, Which, record};

/// A member's share as it is kept: sealed, and not yet proved.
#[derive(Debug)]
pub struct Kept {
    workspace: Workspace,
    member: Member,
    subject: Subject,
    index: ShareIndex,
    share: Held,
    members: u8,
}

/// The key of a ceremony, as the shared folder has it. Which one it is, is the pins' matter.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) definition: Definition,
    pub(super) output: GenesisOutput,
    pub(super) genesis: Digest<Genesis>,
}

/// A share that is the member's, by its commitments. Until what it was opened for is recorded, the private
/// folder is this process's alone.
pub struct Proved {
    share: Share,
    facts: Facts,
    origin: Origin,
    took: Duration,
    /// Until it was recorded what the share was opened for.
    own: Option<Own>,
}

/// Who opened the share, and where that is recorded.
struct Own {
    workspace: Workspace,
    member: Member,
    keys: UnlockedKeys,
}

/// Opens both folders and compares them with the pins.
///
/// # Errors
/// [`StepError::NotReceived`], [`StepError::NoShare`]; a definition, genesis or epoch that is not
/// the pinned one; a share that is not there.
pub fn open(folder: &Path, private: &Path) -> Result<Kept, CeremonyError> {
    look(folder, private).map_err(|error| refused(private, Act::Check, error))
}

fn look(folder: &Path, private: &Path) -> Result<Kept, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    member.genesis()?;
    let subject = Subject::read(&workspace)?;
    subject.compare(&member.pins)?;
    let name = member.pins.name();
    let pin = member.pins.newest_share();
    let pin = pin.ok_or_else(|| StepError::NoShare { name: name.clone() })?;
    let (index, epoch) = (pin.index.0, pin.epoch);
    let (share, members) = if epoch == subject.output.commitments.epoch() {
        let members = subject.definition.share_set.members.len();
        let born = (&subject.definition, &subject.output);
        let share = Held::find(&member.private, born, epoch)?;
        (share, u8::try_from(members).unwrap_or(u8::MAX))
    } else {
        let kept = member.private.new_share(epoch)?;
        (Held::of_reshare(kept.clone()), kept.members)
    };
    if share.share.index != index {
        return Err(PinError::OtherShare.into());
    }
    Ok(Kept {
        workspace,
        member,
        subject,
        index,
        share,
        members,
    })
}

impl Kept {
    /// Whose it is.
    #[must_use]
    pub fn member(&self) -> &Name {
        self.member.pins.name()
    }

    /// Its index.
    #[must_use]
    pub const fn index(&self) -> ShareIndex {
        self.index
    }

    /// The namespace.
    #[must_use]
    pub const fn genesis(&self) -> Digest<Genesis> {
        self.subject.genesis
    }

    /// Whether it opens a real key.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.subject.origin()
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Opens the share and checks it against the pinned commitments.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::ShareUnreadable`], [`StepError::ShareWrong`].
    pub fn prove(self, unlock: impl Into<Unlock>) -> Result<Proved, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.check(unlock.into())
            .map_err(|error| refused(&private, Act::Check, error))
    }

    fn check(self, unlock: Unlock) -> Result<Proved, CeremonyError> {
        let keys = self.member.unlock(unlock)?;
        let unlocked = Instant::now();
        let share = self.share.open(&keys)?;
        let took = unlocked.elapsed();
        let origin = self.subject.origin();
        let Subject {
            definition,
            genesis,
            ..
        } = self.subject;
        let commitments = &self.share.commitments;
        Ok(Proved {
            facts: Facts {
                namespace: definition.namespace.clone(),
                genesis,
                member: keys.name().clone(),
                epoch: commitments.epoch(),
                members: self.members,
                threshold: commitments.inner().threshold(),
                time: wall_clock(),
            },
            origin,
            share,
            took,
            own: Some(Own {
                workspace: self.workspace,
                member: self.member,
                keys,
            }),
        })
    }
}

impl Subject {
    pub(super) fn read(workspace: &Workspace) -> Result<Self, CeremonyError> {
        let (definition, output) = (workspace.definition()?, workspace.output()?);
        let genesis = Digest::of(&check_output(&definition, &output)?);
        Ok(Self {
            definition,
            output,
            genesis,
        })
    }

    /// Which share of this key is that of a member with these pins.
    pub(super) fn decide(&self, pins: &Pins) -> Result<ShareIndex, CeremonyError> {
        self.compare(pins)?;
        let pin = pins.genesis().ok_or(StepError::NotReceived)?;
        let share = pin.share.as_ref().ok_or_else(|| StepError::NoShare {
            name: pins.name().clone(),
        })?;
        if share.epoch != self.output.commitments.epoch() {
            return Err(PinError::OtherShare.into());
        }
        Ok(share.index.0)
    }

    /// That this is the key of these pins.
    fn compare(&self, pins: &Pins) -> Result<(), CeremonyError> {
        pins.check_definition(&self.definition)?;
        Ok(pins.check_genesis(self.genesis)?)
    }

    pub(super) fn origin(&self) -> Origin {
        let partition = self.definition.attestation_root.partition.as_str();
        match Partition::from_name(partition) {
            Some(Partition::Aws | Partition::AwsUsGov | Partition::AwsCn) => Origin::Hardware,
            _ => Origin::Rehearsal,
        }
    }
}

impl Proved {
    /// Which share it is, for the sheet.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its index.
    #[must_use]
    pub const fn index(&self) -> ShareIndex {
        self.share.index()
    }

    /// The epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.facts.epoch
    }

    /// Whether it opens a real key.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// How long opening and checking took, once the key was unlocked.
    #[must_use]
    pub const fn took(&self) -> Duration {
        self.took
    }

    /// Records that the share was checked. Once for a proof, and a check that cannot be recorded is a
    /// check all the same.
    #[must_use]
    pub fn record_check(&mut self) -> Recorded {
        let checked = self.which().checked();
        self.own.take().map_or(Recorded::NoTranscript, |own| {
            record(&own.workspace, &own.member, &own.keys, &checked)
        })
    }

    /// Records that the share is written down, in which form and whereto: before anybody can see it. Once
    /// for a proof; the keys are locked again afterwards.
    ///
    /// # Errors
    /// A note that cannot be kept, and records that contradict what the member has seen: then nothing
    /// may be shown. A shared folder that takes no files is no error, since the note is signed at the
    /// next step.
    pub fn record_backup(&mut self, form: &str, paper: Paper) -> Result<Recorded, CeremonyError> {
        let written = self.which().written_down(form, paper);
        let Some(own) = self.own.take() else {
            return Ok(Recorded::NoTranscript);
        };
        let Own {
            workspace,
            member,
            keys,
        } = own;
        if !record::transcript_is_here(&workspace, &member)? {
            return Ok(Recorded::NoTranscript);
        }
        record::note(&member, &written)?;
        match record::sign(&workspace, &member, &keys) {
            Ok(()) => Ok(Recorded::Written),
            Err(error @ CeremonyError::Storage(_)) => Ok(Recorded::Not(Box::new(error))),
            Err(error) => Err(error),
        }
    }

    fn which(&self) -> Which {
        Which {
            genesis: self.facts.genesis,
            index: Index(self.share.index()),
            epoch: self.facts.epoch,
        }
    }

    /// What is written down of it.
    #[must_use]
    pub fn backup(&self) -> Backup {
        let Facts { genesis, epoch, .. } = &self.facts;
        Backup::new(self.origin, genesis, epoch, &self.share)
    }
}

#[cfg(test)]
pub(super) mod tests;
