//! Withholding lines: a copy of a transcript in which some lines are only their digests.
//!
//! The records, their signatures and the fingerprint stay as they are. Who wrote what kind of record
//! when, and what they had seen, is always shown; so is that a line is withheld. Definition, genesis
//! record and manifests stay in the copy: they say whose the keys are. So does a line in which a surrogate
//! shows the delegation under which they write.

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::{Checked, DecodeError, Object as _, from_bytes, to_bytes};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::transcript::{Entry, EntryBytes, Transcript};
use thiserror::Error;

use crate::acting;
use crate::error::TranscriptError;
use crate::verify::Verified;

/// Which lines are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// Those of one kind: `nonce`, `token`, `remark` …
    Kind(String),
    /// Those of one author.
    Author(Name),
    /// Those of one record.
    Record(Name, u64),
    /// One line, from 0.
    Line(Name, u64, u8),
}

/// A selection that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a selection is all, kind:KIND, NAME, NAME/RECORD or NAME/RECORD/LINE")]
pub struct NoSelection;

/// The kinds of lines there are.
pub const KINDS: [&str; 18] = [
    "tool", "object", "document", "register", "nonce", "age", "attested", "module", "root", "safe",
    "refused", "during", "share", "count", "role", "token", "file", "remark",
];

impl Selection {
    /// Reads `all`, `kind:KIND`, `NAME`, `NAME/RECORD` or `NAME/RECORD/LINE`.
    ///
    /// # Errors
    /// [`NoSelection`].
    pub fn parse(text: &str) -> Result<Self, NoSelection> {
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(kind) = text.strip_prefix("kind:") {
            let known = KINDS.contains(&kind);
            return known.then(|| Self::Kind(kind.into())).ok_or(NoSelection);
        }
        let mut parts = text.split('/');
        let name = Name::new(parts.next().unwrap_or_default()).map_err(|_| NoSelection)?;
        let record = parts.next().map(str::parse).transpose();
        let line = parts.next().map(str::parse).transpose();
        match (record, line, parts.next()) {
            (Ok(None), Ok(None), None) => Ok(Self::Author(name)),
            (Ok(Some(record)), Ok(None), None) => Ok(Self::Record(name, record)),
            (Ok(Some(record)), Ok(Some(line)), None) => Ok(Self::Line(name, record, line)),
            _ => Err(NoSelection),
        }
    }

    fn holds(&self, author: &Name, sequence: u64, line: u8, kind: &str) -> bool {
        match self {
            Self::All => true,
            Self::Kind(wanted) => wanted == kind,
            Self::Author(name) => name == author,
            Self::Record(name, record) => name == author && *record == sequence,
            Self::Line(name, record, at) => name == author && *record == sequence && *at == line,
        }
    }
}

/// A copy of `transcript`, which has been verified, without the lines that `withhold` selects and
/// `open` does not. Returns it with the number of lines it withholds that were shown before.
///
/// # Errors
/// [`TranscriptError::Malformed`] for another transcript than the one that was verified.
pub fn disclose(
    transcript: &Transcript,
    verified: &Verified,
    withhold: &[Selection],
    open: &[Selection],
) -> Result<(Transcript, usize), TranscriptError> {
    let mut copy = transcript.clone().into_inner();
    let mut withheld = 0_usize;
    for (index, bytes) in copy.entries.iter_mut().enumerate() {
        let malformed = |error| TranscriptError::Malformed {
            place: index.saturating_add(1),
            of: None,
            error,
        };
        let entry: Entry = from_bytes(bytes.as_slice()).map_err(malformed)?;
        let mut entry = entry.into_inner();
        let record = entry.record.unverified();
        let (author, sequence) = (name(verified, &record.author), record.sequence);
        let before = entry.openings.len();
        entry.openings.retain(|opening| {
            let kind = opening.leaf.fact.kind();
            let meant = |selection: &Selection| {
                author.is_some_and(|name| selection.holds(name, sequence, opening.line, kind))
            };
            let names_author = acting::shown(&opening.leaf.fact)
                .is_some_and(|shown| shown.unverified().signing_key == record.author);
            names_author || !withhold.iter().any(meant) || open.iter().any(meant)
        });
        withheld = withheld.saturating_add(before.saturating_sub(entry.openings.len()));
        // Never, since fewer lines keep every rule; but a line that stayed would be a leak.
        let broken = |rule| {
            malformed(DecodeError::Rule {
                label: Entry::LABEL,
                rule,
            })
        };
        let shorter = to_bytes(&Checked::new(entry).map_err(broken)?);
        *bytes = EntryBytes::new(shorter).map_err(broken)?;
    }
    let copy = Checked::new(copy).map_err(|_| TranscriptError::TooMany)?;
    Ok((copy, withheld))
}

fn name<'v>(verified: &'v Verified, key: &VerificationKey) -> Option<&'v Name> {
    let mut people = verified.people.iter();
    people.find_map(|(name, known)| (known == key).then_some(name))
}
