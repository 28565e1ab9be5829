//! `transcript sign`: a member signs what waits, and stands by all that they can see.
//!
//! Other steps sign what waits as well; this one is for what came after the last of them, such as a
//! refusal, and for the end of a ceremony: a record of one member that names the newest record of
//! everybody, so that none of those can be left out later.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::transcript::{Act, Origin};
use quorate_transcript::{Expected, Verified};

use super::Member;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock};
use crate::transcript::{Content, Gathered, add_surrogates, gather, object, people, waiting};
use crate::workspace::Workspace;

/// A transcript that was verified for this member, and what they have to sign.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    gathered: Gathered,
    before: Option<Verified>,
    waiting: usize,
    unseen: usize,
}

/// What was signed.
#[derive(Clone, Debug)]
pub struct Witnessed {
    /// How many records are new.
    pub written: usize,
    /// The transcript as it is now.
    pub verified: Verified,
}

/// Verifies the transcript of the folder against the member's pins.
///
/// # Errors
/// [`StepError::NotConsented`]; a transcript that does not hold, or lacks a record that this member
/// has seen.
pub fn review(folder: &Path, private: &Path) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let definition = workspace.definition()?;
    if member.pins.definition().is_none() {
        return Err(StepError::NotConsented.into());
    }
    member.pins.check_definition(&definition)?;
    let gathered = gather(&workspace)?;
    let before = match gathered.transcript.entries.as_slice() {
        [] => None,
        _ => Some(gathered.verify(&expected(&member, &gathered))?),
    };
    let key = member.keys.public().signing;
    let waiting = waiting(&member.private)?.0.len();
    let unseen = journal_people(&workspace, &gathered)?;
    let unseen = member.journal(&workspace, unseen).unseen(&key)?;
    Ok(Review {
        workspace,
        member,
        gathered,
        before,
        waiting,
        unseen,
    })
}

impl Review {
    /// How many notes wait for a signature.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Of how many members there are records that this one has not named yet.
    #[must_use]
    pub const fn unseen(&self) -> usize {
        self.unseen
    }

    /// The transcript as it lies there; none if there is no record yet.
    #[must_use]
    pub const fn verified(&self) -> Option<&Verified> {
        self.before.as_ref()
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Signs what waits, and a record that names everybody's newest where that is new.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; a file that cannot be written.
    pub fn sign(self, unlock: impl Into<Unlock>) -> Result<Witnessed, CeremonyError> {
        let keys = self.member.unlock(unlock.into())?;
        let people = journal_people(&self.workspace, &self.gathered)?;
        let journal = self.member.journal(&self.workspace, people);
        // What waits names everybody's newest already, if something does.
        let mut written = journal.settle(&keys)?;
        if journal.unseen(&keys.public().signing)? > 0 {
            let facts = self.before.as_ref().map(|seen| object(seen.fingerprint));
            let content = Content {
                act: Act::Witness,
                facts: facts.into_iter().collect(),
            };
            written = written.saturating_add(journal.record(&keys, &content)?);
        }
        let gathered = gather(&self.workspace)?;
        let verified = gathered.verify(&expected(&self.member, &gathered))?;
        Ok(Witnessed { written, verified })
    }
}

/// What this member pins. The genesis is pinned before the record of it is complete; it is compared
/// as soon as there is one.
fn expected(member: &Member, gathered: &Gathered) -> Expected {
    let complete = matches!(gathered.transcript.origin, Origin::Record(_));
    let genesis = member.pins.genesis().filter(|_| complete);
    Expected {
        definition: member.pins.definition().map(|pin| pin.digest),
        genesis: genesis.map(|pin| pin.digest),
        ..Expected::default()
    }
}

/// Everybody whose records this member names.
fn journal_people(
    workspace: &Workspace,
    gathered: &Gathered,
) -> Result<Vec<(Name, VerificationKey)>, CeremonyError> {
    let (origin, chain) = (&gathered.transcript.origin, &gathered.transcript.chain);
    let mut all = people(origin.definition(), chain);
    if let Origin::Record(record) = origin {
        let (genesis, definition) = (record.digest(), &record.definition);
        add_surrogates(workspace, genesis, definition, chain, &mut all)?;
    }
    Ok(all)
}
