//! What a member did with their own share, for the transcript.
//!
//! A check, a paper and a restore concern nobody else, so their records go on from the member's own
//! chain and name nobody's news: the member's next step does that. So nothing is verified for them but
//! what is new in the member's own chain, and a check stays a matter of milliseconds.
//!
//! Guarantees: such a record says which share it was, by index and epoch, and what was done with it;
//! nothing that was computed from the share, no word, no row, no place on this machine. A paper is noted
//! before anybody can see it.
//!
//! Does not: begin a transcript. Where neither the shared folder nor the private one has one, such as a
//! copy of a few files that is checked elsewhere, nothing is written anywhere.

use quorate_protocol::cbor::Object as _;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Epoch, Genesis};
use quorate_protocol::instance::Index;
use quorate_protocol::transcript::{Act, Entry, Fact};

use crate::error::CeremonyError;
use crate::keys::UnlockedKeys;
use crate::steps::Member;
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, object, remark};
use crate::workspace::Workspace;

/// The first record that a member keeps.
const FIRST: [&str; 3] = ["transcript", "own", "0001.cbor"];

/// What became of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// It is signed and in the shared folder.
    Written,
    /// There is no transcript here.
    NoTranscript,
    /// It could not be written here and now. What was to be recorded is done all the same.
    Not(Box<CeremonyError>),
}

/// Where a share that is written down goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// A screen of its own, which is cleared.
    Screen,
    /// A file outside the shared folder.
    File,
}

/// Which share it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::steps) struct Which {
    pub(in crate::steps) genesis: Digest<Genesis>,
    pub(in crate::steps) index: Index,
    pub(in crate::steps) epoch: Epoch,
}

impl Which {
    fn content(self, act: Act, said: [Option<Fact>; 2]) -> Content {
        let mut facts = vec![object(self.genesis), Fact::Share(self.index, self.epoch)];
        facts.extend(said.into_iter().flatten());
        Content { act, facts }
    }

    /// Proved against its commitments.
    pub(super) fn checked(self) -> Content {
        let proof = remark("proof", "the share fits the commitments of its epoch");
        self.content(Act::Check, [proof, None])
    }

    /// About to be written down.
    pub(super) fn written_down(self, form: &str, paper: Paper) -> Content {
        let paper = match paper {
            Paper::Screen => "a screen of its own",
            Paper::File => "a file",
        };
        self.content(Act::Backup, [remark("form", form), remark("to", paper)])
    }

    /// Back from paper.
    pub(in crate::steps) fn restored(self, published: Published, pins: Pinned) -> Content {
        let share = match published {
            Published::Written => "came back from paper",
            Published::AlreadyThere => "was kept already; the paper is the very same share",
        };
        let pins = match pins {
            Pinned::Before => None,
            Pinned::Anew => remark("pins", "made anew, of the genesis that the member named"),
        };
        self.content(Act::Restore, [remark("share", share), pins])
    }
}

/// Whether a member's pins had to be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::steps) enum Pinned {
    /// They were there.
    Before,
    /// They were not.
    Anew,
}

/// Whether there is a transcript that the record could go on.
pub(in crate::steps) fn transcript_is_here(
    workspace: &Workspace,
    member: &Member,
) -> Result<bool, CeremonyError> {
    let shared = workspace.folder().has_folder("transcript")?;
    Ok(shared || member.private.folder().read(&FIRST, Entry::MAX)?.is_some())
}

/// Notes what was done; durable, but not yet signed.
pub(in crate::steps) fn note(member: &Member, content: &Content) -> Result<(), CeremonyError> {
    add(&member.private, content, Effect::None)
}

/// Signs what waits, in the member's own chain.
pub(in crate::steps) fn sign(
    workspace: &Workspace,
    member: &Member,
    keys: &UnlockedKeys,
) -> Result<(), CeremonyError> {
    member.journal(workspace, Vec::new()).settle(keys).map(drop)
}

/// All three, for what is done already: a record that cannot be written undoes nothing.
pub(in crate::steps) fn record(
    workspace: &Workspace,
    member: &Member,
    keys: &UnlockedKeys,
    content: &Content,
) -> Recorded {
    let written = transcript_is_here(workspace, member).and_then(|here| {
        if here {
            note(member, content)?;
            sign(workspace, member, keys)?;
        }
        Ok(here)
    });
    match written {
        Ok(true) => Recorded::Written,
        Ok(false) => Recorded::NoTranscript,
        Err(error) => Recorded::Not(Box::new(error)),
    }
}

#[cfg(test)]
mod tests;
