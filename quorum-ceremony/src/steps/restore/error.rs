//! Why a share does not come back: what was typed or read is no backup, or not the right one.
//!
//! No word and no character of a backup is in an error, only places and numbers.

use std::path::PathBuf;

use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_share_backup::qr::QrError;
use quorate_share_backup::rows::{RowError, RowsError};
use quorate_share_backup::words::WordsError;
use quorate_share_backup::{BackupError, Mismatch};
use thiserror::Error;

use crate::error::{Blame, Explanation};

/// Why a share does not come back. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The shared folder has another genesis than the one that was given.
    #[error("you gave the genesis {given}, the folder has {found}")]
    GenesisDiffers {
        /// What the member gave.
        given: Digest<Genesis>,
        /// What the shared folder has.
        found: Digest<Genesis>,
    },
    /// Nothing that can be trusted says which genesis it is.
    #[error("the private folder does not know which genesis your share is of")]
    GenesisUnknown,
    /// It is a backup of another share.
    #[error("this backup is not your share: {0}")]
    Mismatch(#[from] Mismatch),
    /// Something else is in the share's place.
    #[error("{} holds something else than your share", .path.display())]
    OtherKept {
        /// The file.
        path: PathBuf,
    },
    /// The picture holds no backup.
    #[error(transparent)]
    Qr(#[from] QrError),
    /// The rows are no backup.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The words are no backup.
    #[error(transparent)]
    Words(#[from] WordsError),
}

impl RestoreError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::GenesisDiffers { .. } => (
                "genesis-differs",
                Blame::Folder,
                "do not go on if the digest is typed right: ask another member to read theirs, and \
                 where this folder comes from. It stands on the sheet",
            ),
            Self::GenesisUnknown => (
                "genesis-unknown",
                Blame::You,
                "give its 64 digits with --genesis, from the sheet or read by another member; the \
                 shared folder cannot be asked",
            ),
            Self::Mismatch(error) => return mismatch(error),
            Self::OtherKept { .. } => (
                "other-share-kept",
                Blame::You,
                "nothing was replaced: `quorate ceremony share check` says what is kept; if it is \
                 of no use, move the file away and repeat the command",
            ),
            Self::Qr(error) => return qr(error),
            Self::Rows(error) => return rows(error),
            Self::Words(error) => return words(error),
        };
        Explanation::new(code, blame, remedy)
    }
}

const fn mismatch(error: &Mismatch) -> Explanation {
    let (code, remedy) = match error {
        Mismatch::Commitments { .. } => (
            "backup-not-on-polynomial",
            "the paper was made up, or misread in many places: read it again; if it says the same, \
             it was never this share",
        ),
        Mismatch::Epoch { .. } => (
            "backup-of-another-epoch",
            "it was made before the shares were replaced, or after: find the paper of your epoch, \
             and destroy the older ones",
        ),
        Mismatch::Genesis { .. } => (
            "backup-of-another-genesis",
            "it belongs to another key: restore it with the folders of that ceremony",
        ),
        Mismatch::Index { .. } => (
            "backup-of-another-member",
            "it is another member's share, which you should not have: give it back, unread",
        ),
        Mismatch::Origin { .. } => (
            "backup-of-a-rehearsal",
            "rehearsed and real shares are never used for each other: use the folders of the \
             ceremony that the paper is of",
        ),
        _ => ("backup-of-another-share", "find the paper of this share"),
    };
    Explanation::new(code, Blame::You, remedy)
}

const fn backup(error: &BackupError) -> Explanation {
    let (code, remedy) = match error {
        BackupError::Checksum { .. } => (
            "backup-checksum",
            "compare what you typed with the paper, the place that is named first; rows or words \
             of two papers do not go together",
        ),
        BackupError::Format { .. } => (
            "backup-format",
            "use the version of this tool that wrote it, or a newer one",
        ),
        _ => (
            "backup-no-share",
            "the paper was not written by this tool, or was made up",
        ),
    };
    Explanation::new(code, Blame::You, remedy)
}

const fn words(error: &WordsError) -> Explanation {
    let (code, remedy) = match error {
        WordsError::Backup(error) => return backup(error),
        WordsError::Count { .. } => (
            "words-count",
            "type all thirty, in their order; twelve or twenty-four are a wallet's and not a share",
        ),
        WordsError::TooLong => ("words-too-long", "give the thirty words and nothing else"),
        _ => (
            "word-unknown",
            "look at that word again: each is whole, in English, and of the list of BIP-39",
        ),
    };
    Explanation::new(code, Blame::You, remedy)
}

const fn rows(error: &RowsError) -> Explanation {
    let (code, remedy) = match error {
        RowsError::Backup(error) => return backup(error),
        RowsError::Missing { .. } => (
            "row-missing",
            "give all six rows, each on a line that begins with `row` and its number, or bare and \
             in order",
        ),
        RowsError::Row(error) => return row(error),
        RowsError::Twice { .. } => ("row-twice", "keep the one that is on the paper"),
        _ => ("rows-too-long", "give the text of one sheet"),
    };
    Explanation::new(code, Blame::You, remedy)
}

const fn row(error: &RowError) -> Explanation {
    let (code, remedy) = match error {
        RowError::Character { .. } => (
            "row-character",
            "the characters are digits and letters without I, L, O and U; put ? for one you cannot \
             read",
        ),
        RowError::Length { .. } => (
            "row-length",
            "type all fifteen characters; put ? for one you cannot read",
        ),
        RowError::OtherRow { .. } => ("row-of-another-number", "type the rows in their order"),
        RowError::Unreadable { .. } => (
            "row-unreadable",
            "try to make out one more of them, in better light or with a glass; else use the words \
             or the QR code",
        ),
        _ => (
            "row-wrong",
            "compare it with the paper once more, character by character; put ? where you are not \
             sure",
        ),
    };
    Explanation::new(code, Blame::You, remedy)
}

const fn qr(error: &QrError) -> Explanation {
    let (code, remedy) = match error {
        QrError::Backup(error) => return backup(error),
        QrError::Foreign => (
            "qr-foreign",
            "give the picture of the code on the sheet, not of another one",
        ),
        QrError::Image => (
            "qr-no-picture",
            "give a PNG; programs that show pictures can save as one",
        ),
        QrError::Nothing => (
            "qr-nothing",
            "take the picture again: the whole code with its white edge, sharp, not at a slant",
        ),
        QrError::Several => ("qr-several", "give a picture with one backup in it"),
        QrError::TooLarge => (
            "qr-too-large",
            "cut the picture down to the code, or make it smaller",
        ),
        _ => (
            "qr-unreadable",
            "take the picture again, sharper and in even light; else type the rows",
        ),
    };
    Explanation::new(code, Blame::You, remedy)
}
