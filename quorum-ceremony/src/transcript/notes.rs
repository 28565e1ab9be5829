//! Notes: what happened, kept in the private folder until the member's key signs it.
//!
//! Guarantees: a note is durable before what it tells of can be seen by others, and its lines and
//! their salts are drawn once, so that a note that was signed twice would be the same record and is
//! recognized.

use std::path::Path;

use minicbor::{Decode, Encode};
use quorate_protocol::atoms::{Bytes, Sha256, Text, UnixMillis};
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::DrillGrant;
use quorate_protocol::provision::ShareGrant;
use quorate_protocol::transcript::{Act, Fact, Leaf, MAX_LINES, Sentence, Word};

use super::JournalError;
use super::acts::{Content, Noted, tool};
use crate::challenge::wall_clock;
use crate::client::ClientError;
use crate::error::{Blame, CeremonyError};
use crate::private::PrivateFolder;
use crate::random;

/// Notes that may wait, at most.
pub(crate) const MAX_WAITING: usize = 64;
/// Lines kept free for what becomes known only when a note is signed.
const LATER_LINES: usize = 3;

const NOTES: &[&str] = &["transcript", "notes.cbor"];

/// What must have happened for a note to be true.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub(crate) enum Effect {
    /// It is true as it stands.
    #[n(0)]
    None,
    /// A file of the shared folder has these bytes.
    #[n(1)]
    Published(#[n(0)] Vec<Text<255>>, #[n(1)] Sha256),
    /// A share was sent; the private folder has the receipt if one came.
    #[n(2)]
    Sent(#[n(0)] Digest<ShareGrant>),
    /// A possession was proved in a drill; the private folder has the receipt if one came.
    #[n(3)]
    Proved(#[n(0)] Digest<DrillGrant>),
}

impl Effect {
    /// That a file of the shared folder has these bytes.
    pub(crate) fn published(file: &[String], bytes: &[u8]) -> Result<Self, JournalError> {
        let parts = file.iter().map(|part| Text::new(part));
        let parts: Result<_, _> = parts.collect();
        let parts = parts.map_err(|what| JournalError::Line { what })?;
        Ok(Self::Published(parts, Sha256::of(bytes)))
    }
}

/// One note.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Note {
    #[n(0)]
    pub(crate) act: Act,
    #[n(1)]
    pub(crate) time: UnixMillis,
    #[n(2)]
    pub(crate) lines: Vec<Leaf>,
    #[n(3)]
    pub(crate) effect: Effect,
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct Notes(#[n(0)] pub(crate) Vec<Note>);

impl Object for Notes {
    const LABEL: &'static str = "quorate/transcript-notes/v1";
    const MAX: usize = MAX_WAITING * 64 * 1024;
}

/// The notes of a private folder.
pub(crate) fn waiting(private: &PrivateFolder) -> Result<Notes, CeremonyError> {
    let folder = private.folder();
    let Some(bytes) = folder.read(NOTES, Notes::MAX)? else {
        return Ok(Notes::default());
    };
    from_bytes(&bytes).map_err(|error| CeremonyError::Decode {
        path: folder.path_of(NOTES),
        error,
    })
}

/// Writes the notes in place of the older ones. None at all are no file: should the old ones be back
/// after a loss of power, they are found among the records and are dropped again.
pub(crate) fn store(private: &PrivateFolder, notes: &Notes) -> Result<(), CeremonyError> {
    let folder = private.folder();
    if notes.0.is_empty() {
        return Ok(folder.remove(NOTES)?);
    }
    Ok(folder.replace(NOTES, &to_bytes(notes))?)
}

/// Adds a note. One that says the same as the newest is not added again: a command that is repeated
/// against the same wall fills nothing.
pub(crate) fn add(
    private: &PrivateFolder,
    content: &Content,
    effect: Effect,
) -> Result<(), CeremonyError> {
    let mut notes = waiting(private)?;
    let same = |note: &Note| {
        let facts = note.lines.iter().map(|leaf| &leaf.fact).skip(1);
        note.act == content.act && note.effect == effect && facts.eq(content.facts.iter())
    };
    if notes.0.last().is_some_and(same) {
        return Ok(());
    }
    if notes.0.len() >= MAX_WAITING {
        return Err(JournalError::Full.into());
    }
    let mut lines = vec![leaf(tool()?)?];
    let room = MAX_LINES.saturating_sub(LATER_LINES).saturating_sub(1);
    for fact in content.facts.iter().take(room) {
        lines.push(leaf(fact.clone())?);
    }
    notes.0.push(Note {
        act: content.act,
        time: wall_clock(),
        lines,
        effect,
    });
    store(private, &notes)
}

/// A line with a salt of its own.
pub(crate) fn leaf(fact: Fact) -> Result<Leaf, CeremonyError> {
    let salt = random::bytes::<16>()?.to_vec();
    let salt = Bytes::new(salt).map_err(|what| JournalError::Line { what })?;
    Ok(Leaf { salt, fact })
}

/// Notes what somebody did without their key, such as a coordinator who is a member. It becomes a
/// record at their next step that has the key.
///
/// # Errors
/// A folder that is not a member's; too many notes.
pub fn note(private: &Path, done: &impl Noted) -> Result<(), CeremonyError> {
    let private = PrivateFolder::open(private)?;
    private.keys()?;
    add(&private, &done.content(), Effect::None)
}

/// Notes that `act` was refused because of somebody else, or by an enclave, and gives the error back.
///
/// A note that cannot be written does not hide the refusal: the person sees it in any case.
#[must_use]
pub fn refused(private: &Path, act: Act, error: CeremonyError) -> CeremonyError {
    let explanation = error.explain();
    // What an enclave refuses is told, whoever is to blame.
    let by_enclave = matches!(error, CeremonyError::Client(ClientError::Refused(_)));
    if !by_enclave && matches!(explanation.blame, Blame::You | Blame::Machine) {
        return error;
    }
    // Paths of this machine are nobody else's business.
    let text = match error {
        CeremonyError::Storage(_) | CeremonyError::Decode { .. } => explanation.remedy.into(),
        ref error => error.to_string(),
    };
    let facts = [
        Some(Fact::During(act)),
        Word::new(explanation.code)
            .ok()
            .map(|code| Fact::Refused(code, sentence(&text))),
    ];
    let content = Content {
        act: Act::Refusal,
        facts: facts.into_iter().flatten().collect(),
    };
    if let Ok(private) = PrivateFolder::open(private)
        && private.keys().is_ok()
    {
        let _ = add(&private, &content, Effect::None);
    }
    error
}

/// As much of a text as a sentence takes, without what no sentence may hold.
pub(crate) fn sentence(text: &str) -> Sentence {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut short = String::new();
    for c in text.chars().map(clean) {
        if short.len().saturating_add(c.len_utf8()) > 512 {
            break;
        }
        short.push(c);
    }
    Sentence::new(&short).unwrap_or_default()
}
