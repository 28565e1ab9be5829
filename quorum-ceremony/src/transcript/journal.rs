//! A member's own chain: notes become records, records go to the shared folder.

use quorate_protocol::atoms::{Name, Sha256};
use quorate_protocol::cbor::{Checked, Object, from_bytes, to_bytes};
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Link;
use quorate_protocol::transcript::{
    Act, Entry, EntryFields, Fact, Leaf, MAX_RECORDS, MAX_SEEN, Opening, Record, RecordFields,
    Seen, Word,
};
use quorate_verify::genesis::VerifiedGenesis;

use super::JournalError;
use super::acts::{Content, object, signed_with};
use super::gather::{add_surrogates, authors};
use super::notes::{Effect, Note, Notes, leaf, sentence, store, waiting};
use crate::error::CeremonyError;
use crate::keys::Signs;
use crate::private::PrivateFolder;
use crate::rekey::KeyFingerprint;
use crate::workspace::Workspace;

/// Where a record is in the shared folder. The key is in the name of the folder, since a name may
/// come back with another key.
pub(super) fn place(name: &Name, key: &VerificationKey, sequence: u64) -> [String; 3] {
    let short = KeyFingerprint::of(key).short();
    [
        "transcript".into(),
        format!("{name}-{short}"),
        format!("{sequence:04}.cbor"),
    ]
}

/// Where this member's record is in the private folder.
fn own_place(sequence: u64) -> [String; 3] {
    [
        "transcript".into(),
        "own".into(),
        format!("{sequence:04}.cbor"),
    ]
}

/// Everybody who may write, by a definition and the approved manifests.
pub(crate) fn people(definition: &Definition, chain: &[Link]) -> Vec<(Name, VerificationKey)> {
    authors(definition, chain)
}

/// Those, and the surrogates whose records are in the folder.
pub(crate) fn everybody(
    workspace: &Workspace,
    genesis: &VerifiedGenesis,
    chain: &[Link],
) -> Result<Vec<(Name, VerificationKey)>, CeremonyError> {
    let definition = genesis.definition();
    let mut people = people(definition, chain);
    add_surrogates(workspace, genesis.digest(), definition, chain, &mut people)?;
    Ok(people)
}

/// This member's chain.
#[derive(Default)]
struct Own {
    entries: Vec<Entry>,
    /// Numbers of the records that the shared folder lacks.
    unshared: Vec<u64>,
}

/// The newest record of every other member that a chain names: what this member has seen, for good.
fn newest_named(own: &[Entry]) -> Vec<Seen> {
    let mut newest: Vec<Seen> = Vec::new();
    // From the last record on: the first that names somebody names their newest.
    for seen in own
        .iter()
        .rev()
        .flat_map(|entry| &entry.record.unverified().seen)
    {
        if !newest.iter().any(|known| known.author == seen.author) {
            newest.push(seen.clone());
        }
    }
    newest
}

/// A member's chain and the folders it lives in.
pub(crate) struct Journal<'a> {
    private: &'a PrivateFolder,
    workspace: &'a Workspace,
    /// The ceremony, once there is one.
    definition: Option<Digest<Definition>>,
    /// Whose records are looked at, this member's apart.
    people: Vec<(Name, VerificationKey)>,
}

impl<'a> Journal<'a> {
    /// The journal of a member of a ceremony.
    pub(crate) fn new(
        private: &'a PrivateFolder,
        workspace: &'a Workspace,
        definition: Option<Digest<Definition>>,
        people: Vec<(Name, VerificationKey)>,
    ) -> Self {
        Self {
            private,
            workspace,
            definition,
            people,
        }
    }

    /// Signs what waits, and publishes every record of this member that the shared folder lacks.
    /// Returns how many records are new.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was signed then.
    pub(crate) fn settle(&self, keys: &impl Signs) -> Result<usize, CeremonyError> {
        let (name, key) = (keys.name(), keys.public().signing);
        let Own {
            entries: mut own,
            unshared,
        } = self.own(name, &key)?;
        let mut notes = waiting(self.private)?;
        let nothing_waits = notes.0.is_empty();
        let mut left = Notes::default();
        let before = own.len();
        let mut seen = Some(self.news(&key, &newest_named(&own))?);
        for note in notes.0.drain(..) {
            if has(&own, &note) {
                continue;
            }
            if self.definition.is_none() && !(note.act == Act::Join && own.is_empty()) {
                left.0.push(note);
                continue;
            }
            let Some(mut lines) = self.lines(&note)? else {
                continue;
            };
            if let Some(token) = keys.token() {
                lines.push(leaf(signed_with(token))?);
            }
            let news = seen.take().unwrap_or_default();
            let entry = self.sign(keys, own.last(), &news, &note, lines)?;
            let file = own_place(entry.record.unverified().sequence);
            let file = file.each_ref().map(String::as_str);
            self.private.folder().publish(&file, &to_bytes(&entry))?;
            own.push(entry);
        }
        for (at, (entry, sequence)) in own.iter().zip(1..).enumerate() {
            if at >= before || unshared.contains(&sequence) {
                self.publish(name, &key, sequence, entry)?;
            }
        }
        if !nothing_waits {
            store(self.private, &left)?;
        }
        Ok(own.len().saturating_sub(before))
    }

    /// How many records of others there are that this member has not named yet, and whether all
    /// that were named are still there.
    ///
    /// # Errors
    /// [`JournalError::Removed`], [`JournalError::Replaced`].
    pub(crate) fn unseen(&self, own: &VerificationKey) -> Result<usize, CeremonyError> {
        let mut kept = Vec::new();
        for sequence in 1..=MAX_RECORDS {
            let Some((_, entry)) = self.kept(u64::try_from(sequence).unwrap_or(u64::MAX))? else {
                break;
            };
            kept.push(entry);
        }
        Ok(self.news(own, &newest_named(&kept))?.len())
    }

    /// Whether this member's chain already tells of this act and object.
    pub(crate) fn tells(
        &self,
        keys: &impl Signs,
        act: Act,
        of: &Fact,
    ) -> Result<bool, CeremonyError> {
        let own = self.own(keys.name(), &keys.public().signing)?.entries;
        let in_entry = |entry: &Entry| {
            entry.record.unverified().act == act
                && entry.openings.iter().any(|o| o.leaf.fact == *of)
        };
        Ok(own.iter().any(in_entry))
    }

    /// The records kept in the private folder, and those that only the shared one has: written with
    /// this key from a newer copy of the private folder.
    fn own(&self, name: &Name, key: &VerificationKey) -> Result<Own, CeremonyError> {
        let mut own = Own::default();
        while own.entries.len() < MAX_RECORDS {
            let sequence = u64::try_from(own.entries.len())
                .unwrap_or(u64::MAX)
                .saturating_add(1);
            let kept = self.kept(sequence)?;
            let file = place(name, key, sequence);
            let file = file.each_ref().map(String::as_str);
            let shared = self.workspace.folder().read(&file, Entry::MAX);
            let next = match (kept, shared?) {
                (None, None) => break,
                (Some((_, kept)), None) => {
                    own.unshared.push(sequence);
                    kept
                }
                (Some((bytes, kept)), Some(shared)) => {
                    // The same record, however often a token signed it.
                    if bytes != shared
                        && kept.record.digest()
                            != self
                                .own_shared(key, sequence, &file, &shared)?
                                .record
                                .digest()
                    {
                        return Err(JournalError::OwnForked { sequence }.into());
                    }
                    kept
                }
                (None, Some(shared)) => {
                    let shared = self.own_shared(key, sequence, &file, &shared)?;
                    let before = own.entries.last().map(|entry| entry.record.digest());
                    if shared.record.unverified().previous != before {
                        return Err(JournalError::OwnForked { sequence }.into());
                    }
                    let file = own_place(sequence);
                    let file = file.each_ref().map(String::as_str);
                    self.private.folder().publish(&file, &to_bytes(&shared))?;
                    shared
                }
            };
            own.entries.push(next);
        }
        Ok(own)
    }

    /// A record of the private folder, and its bytes.
    fn kept(&self, sequence: u64) -> Result<Option<(Vec<u8>, Entry)>, CeremonyError> {
        let folder = self.private.folder();
        let file = own_place(sequence);
        let file = file.each_ref().map(String::as_str);
        let Some(bytes) = folder.read(&file, Entry::MAX)? else {
            return Ok(None);
        };
        let entry = from_bytes::<Entry>(&bytes).map_err(|error| CeremonyError::Decode {
            path: folder.path_of(&file),
            error,
        })?;
        Ok(Some((bytes, entry)))
    }

    /// What stands in the shared folder where this member's record belongs, if it is theirs.
    fn own_shared(
        &self,
        key: &VerificationKey,
        sequence: u64,
        file: &[&str],
        bytes: &[u8],
    ) -> Result<Entry, CeremonyError> {
        let entry = from_bytes::<Entry>(bytes).ok().filter(|entry| {
            let record = entry.record.verify(key);
            record.is_ok_and(|record| record.author == *key && record.sequence == sequence)
        });
        entry.ok_or_else(|| {
            let path = self.workspace.folder().path_of(file);
            JournalError::OwnPlaceTaken { path }.into()
        })
    }

    /// The lines of a note, if what it tells of has happened.
    fn lines(&self, note: &Note) -> Result<Option<Vec<Leaf>>, CeremonyError> {
        let mut lines = note.lines.clone();
        match &note.effect {
            Effect::None => {}
            Effect::Published(path, sha256) => {
                let path: Vec<&str> = path.iter().map(|part| part.as_str()).collect();
                let max = 1024 * 1024;
                let found = self.workspace.folder().read(&path, max)?;
                if found.is_none_or(|bytes| Sha256::of(&bytes) != *sha256) {
                    return Ok(None);
                }
            }
            Effect::Sent(grant) => match self.private.find_provision(*grant)? {
                Some(provision) => {
                    let receipt = provision.receipt.unverified();
                    lines.push(leaf(object(provision.receipt.digest()))?);
                    lines.push(leaf(Fact::Count(receipt.accepted, receipt.threshold))?);
                }
                None => lines.push(no_receipt(
                    "the share was sealed and sent; no receipt is kept",
                )?),
            },
            Effect::Proved(grant) => match self.private.find_drilled(*grant)? {
                Some(drilled) => {
                    let receipt = drilled.receipt.unverified();
                    lines.push(leaf(object(drilled.receipt.digest()))?);
                    lines.push(leaf(Fact::Count(receipt.accepted, receipt.threshold))?);
                }
                None => lines.push(no_receipt("the proof was sent; no receipt is kept")?),
            },
        }
        Ok(Some(lines))
    }

    fn sign(
        &self,
        keys: &impl Signs,
        before: Option<&Entry>,
        seen: &[Seen],
        note: &Note,
        lines: Vec<Leaf>,
    ) -> Result<Entry, CeremonyError> {
        let invalid = |what| JournalError::Line { what };
        let sequence = before.map_or(0, |entry| entry.record.unverified().sequence);
        let record = Checked::new(RecordFields {
            author: keys.public().signing,
            sequence: sequence.saturating_add(1),
            previous: before.map(|entry| entry.record.digest()),
            seen: seen.to_vec(),
            definition: self.definition,
            act: note.act,
            time: note.time,
            lines: lines.iter().map(Digest::of).collect(),
        })
        .map_err(invalid)?;
        let openings = lines.into_iter().zip(0..);
        let openings = openings.map(|(leaf, line)| Opening { line, leaf });
        let entry = EntryFields {
            record: keys.sign(record)?,
            openings: openings.collect(),
        };
        Ok(Checked::new(entry).map_err(invalid)?)
    }

    fn publish(
        &self,
        name: &Name,
        key: &VerificationKey,
        sequence: u64,
        entry: &Entry,
    ) -> Result<(), CeremonyError> {
        let file = place(name, key, sequence);
        let file = file.each_ref().map(String::as_str);
        self.workspace.folder().publish(&file, &to_bytes(entry))?;
        Ok(())
    }

    /// The newest record of each other member whose records go on from what was named.
    fn news(&self, own: &VerificationKey, named: &[Seen]) -> Result<Vec<Seen>, CeremonyError> {
        let mut news = Vec::new();
        for (name, key) in &self.people {
            if key == own {
                continue;
            }
            let known = named.iter().find(|seen| seen.author == *key);
            let newest = self.newest(name, key, known)?;
            if let Some(newest) = newest
                && known.is_none_or(|known| known.sequence < newest.sequence)
            {
                news.push(newest);
            }
        }
        news.sort_by_key(|seen| seen.author.to_compressed());
        news.dedup_by(|a, b| a.author == b.author);
        news.truncate(MAX_SEEN);
        Ok(news)
    }

    /// The newest record of a chain that follows, record by record, from what was seen of it. What
    /// does not is not named; whoever verifies the transcript is told.
    fn newest(
        &self,
        name: &Name,
        key: &VerificationKey,
        known: Option<&Seen>,
    ) -> Result<Option<Seen>, CeremonyError> {
        let mut newest: Option<Seen> = None;
        if let Some(known) = known {
            let sequence = known.sequence;
            let author = || name.clone();
            match self.read(name, key, sequence)? {
                None => {
                    let author = author();
                    return Err(JournalError::Removed { author, sequence }.into());
                }
                Some(Some(entry)) if entry.record.digest() == known.record => {}
                Some(_) => {
                    let author = author();
                    return Err(JournalError::Replaced { author, sequence }.into());
                }
            }
            newest = Some(known.clone());
        }
        for _ in 0..MAX_RECORDS {
            let sequence = newest.as_ref().map_or(0, |seen| seen.sequence);
            let sequence = sequence.saturating_add(1);
            let Some(Some(entry)) = self.read(name, key, sequence)? else {
                break;
            };
            let Ok(record) = entry.record.verify(key) else {
                break;
            };
            let follows = record.author == *key
                && record.sequence == sequence
                && record.previous == newest.as_ref().map(|seen| seen.record)
                && record
                    .definition
                    .is_none_or(|of| Some(of) == self.definition);
            if !follows {
                break;
            }
            newest = Some(Seen {
                author: *key,
                sequence,
                record: entry.record.digest(),
            });
        }
        Ok(newest)
    }

    /// A record's file: absent, no entry, or an entry.
    fn read(
        &self,
        name: &Name,
        key: &VerificationKey,
        sequence: u64,
    ) -> Result<Option<Option<Entry>>, CeremonyError> {
        let file = place(name, key, sequence);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        let bytes = match self.workspace.folder().read(&file, Entry::MAX) {
            Ok(bytes) => bytes,
            // No record: to be named by whoever verifies, not a reason to stop everybody.
            Err(crate::storage::StorageError::TooLong { .. }) => return Ok(Some(None)),
            Err(error) => return Err(error.into()),
        };
        Ok(bytes.map(|bytes| from_bytes(&bytes).ok()))
    }

    /// Makes a note and signs it at once, with whatever waited before it.
    pub(crate) fn record(
        &self,
        keys: &impl Signs,
        content: &Content,
    ) -> Result<usize, CeremonyError> {
        super::notes::add(self.private, content, Effect::None)?;
        self.settle(keys)
    }
}

/// That something was sent and nothing is known of its arrival.
fn no_receipt(text: &str) -> Result<Leaf, CeremonyError> {
    let code = Word::new("no-receipt").unwrap_or_default();
    leaf(Fact::Refused(code, sentence(text)))
}

/// Whether a note has become a record already: its first line, whose salt is random, is in one.
fn has(own: &[Entry], note: &Note) -> bool {
    let first = note.lines.first().map(Digest::of);
    own.iter().any(|entry| {
        let record: &Record = entry.record.unverified();
        record.lines.first().copied() == first
    })
}
