//! A member's part of the transcript: what they did and saw, signed and put into the shared folder.
//!
//! Every step makes a **note** in the private folder first, durable, and signs it as a record as soon
//! as the member's key is unlocked: at the end of the step that has the key, or at the next one for
//! steps that have none (a refusal, `attest`, what a coordinator does). So a record is always by the
//! person who saw what it says, no step asks for a passphrase more than once, and a crash at any
//! point is mended by the next step: a note that says what it waits for becomes a record if that has
//! happened, and is dropped if it has not. Nothing is recorded twice.
//!
//! ```text
//! PRIVATE/transcript/notes.cbor        what waits for a signature
//! PRIVATE/transcript/own/0001.cbor     the member's records, all of them
//! PRIVATE/transcript/seen.cbor         the newest record of every other member, by digest
//! FOLDER/transcript/NAME-KEY/0001.cbor records of everybody
//! ```
//!
//! Guarantees: a record of another member that was seen is there and unchanged at every later step,
//! or the step stops and names it; a second chain under the member's own key is noticed. A record
//! that somebody removed from the shared folder comes back from its author's private one.
//!
//! Does not: verify the whole transcript at every step. `quorate-transcript` does, with none of this.

mod acts;
mod gather;
mod journal;
mod notes;

use std::path::PathBuf;

use quorate_protocol::atoms::Name;
use thiserror::Error;

use crate::error::{Blame, Explanation};

pub use self::acts::{Content, Looked, Noted};
pub(crate) use self::acts::{document, object, remark};
pub(crate) use self::gather::add_surrogates;
pub use self::gather::{Gathered, gather};
pub(crate) use self::journal::{Journal, everybody, people};
pub(crate) use self::notes::{Effect, MAX_WAITING, add, waiting};
pub use self::notes::{note, refused};

/// What keeps a member's records from fitting to what they have seen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// More notes than one file may hold.
    #[error("{MAX_WAITING} notes wait for your signature")]
    Full,
    /// A line that no record can hold.
    #[error("a line of a record is not valid: {what}")]
    Line {
        /// Which rule it breaks.
        what: quorate_protocol::invalid::Invalid,
    },
    /// The member's key has signed another record than the one kept here.
    #[error("the shared folder has another record {sequence} signed with your key")]
    OwnForked {
        /// Which record.
        sequence: u64,
    },
    /// Something else stands where the member's record must be.
    #[error("{} is in your name and not signed by you", .path.display())]
    OwnPlaceTaken {
        /// Where.
        path: PathBuf,
    },
    /// A record that was seen is gone.
    #[error("record {sequence} of {author}, which you have seen, is gone from the shared folder")]
    Removed {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
    },
    /// A record that was seen is another one now.
    #[error("record {sequence} of {author} is not the one you have seen")]
    Replaced {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
    },
}

impl JournalError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::Full => (
                "notes-full",
                Blame::You,
                "sign them with `quorate ceremony transcript sign`, then repeat the command",
            ),
            Self::Line { .. } => (
                "record-line-invalid",
                Blame::Machine,
                "report it with this text; nothing was signed",
            ),
            Self::OwnForked { .. } => (
                "own-records-forked",
                Blame::You,
                "stop: your private folder is an old copy, or somebody else has your key. Use the \
                 newest copy; if there is none, tell the other members",
            ),
            Self::OwnPlaceTaken { .. } => (
                "own-record-place-taken",
                Blame::Folder,
                "remove that file, find out who wrote it, and repeat the command",
            ),
            Self::Removed { .. } => (
                "seen-record-removed",
                Blame::Folder,
                "stop: fetch the newest copy of the shared folder, or ask that member to run a \
                 step, which puts their records back; find out who removed it",
            ),
            Self::Replaced { .. } => (
                "seen-record-replaced",
                Blame::Folder,
                "stop: ask that member which record is theirs, and find out who replaced it; you \
                 have the digest of the first one in your private folder",
            ),
        };
        Explanation::new(code, blame, remedy)
    }
}

#[cfg(test)]
mod tests;
