//! Transcripts put together by hand: the people of the vectors, with their keys.

use quorate_protocol::atoms::{Bytes, Sha256, Text, UnixMillis};
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::transcript::{
    Act, Entry, EntryBytes, EntryFields, Fact, Leaf, Opening, Origin, Record, RecordFields, Seen,
    Transcript, TranscriptFields,
};
use quorate_vectors::committed::cases;
use quorate_vectors::keys::{signing, verification};

/// When the first record was written.
pub(crate) const START: u64 = 1_795_262_400_000;

/// The vector of a transcript, by its name.
pub(crate) fn vector(name: &str) -> Transcript {
    let cases = cases("transcript");
    let case = cases.iter().find(|case| case.name == name).expect("a case");
    from_bytes(&case.bytes).expect("a transcript")
}

pub(crate) fn definition() -> Definition {
    vector("before the genesis").origin.definition().clone()
}

/// A record in the making.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) author: &'static str,
    pub(crate) signer: &'static str,
    pub(crate) sequence: u64,
    pub(crate) previous: Option<Digest<Record>>,
    pub(crate) seen: Vec<(&'static str, u64, Digest<Record>)>,
    pub(crate) definition: Option<Digest<Definition>>,
    pub(crate) act: Act,
    pub(crate) time: u64,
    pub(crate) facts: Vec<Fact>,
}

impl Draft {
    pub(crate) fn new(author: &'static str, sequence: u64) -> Self {
        Self {
            author,
            signer: author,
            sequence,
            previous: None,
            seen: Vec::new(),
            definition: Some(Digest::of(&definition())),
            act: Act::Attest,
            time: START + sequence * 1000,
            facts: vec![Fact::Age(sequence), Fact::Safe],
        }
    }

    pub(crate) fn after(author: &'static str, before: &Entry) -> Self {
        let record = &before.record;
        let mut draft = Self::new(author, record.unverified().sequence + 1);
        draft.previous = Some(record.digest());
        draft
    }

    pub(crate) fn saw(mut self, author: &'static str, entry: &Entry) -> Self {
        let record = &entry.record;
        let seen = (author, record.unverified().sequence, record.digest());
        self.seen.push(seen);
        self
    }

    pub(crate) fn leaves(&self) -> Vec<Leaf> {
        let salted = self.facts.iter().zip(1_u8..);
        salted
            .map(|(fact, at)| Leaf {
                salt: Bytes::new(vec![at; 16]).expect("16 bytes"),
                fact: fact.clone(),
            })
            .collect()
    }

    pub(crate) fn entry(&self) -> Entry {
        let key = |name: &str| verification(&format!("{name} signing"));
        let leaves = self.leaves();
        let mut seen: Vec<Seen> = self
            .seen
            .iter()
            .map(|(author, sequence, record)| Seen {
                author: key(author),
                sequence: *sequence,
                record: *record,
            })
            .collect();
        seen.sort_by_key(|seen| seen.author.to_compressed());
        let record = Checked::new(RecordFields {
            author: key(self.author),
            sequence: self.sequence,
            previous: self.previous,
            seen,
            definition: self.definition,
            act: self.act,
            time: UnixMillis(self.time),
            lines: leaves.iter().map(Digest::of).collect(),
        })
        .expect("keeps the rules");
        let record = Signed::sign(record, &signing(&format!("{} signing", self.signer)));
        let openings = leaves.into_iter().zip(0..);
        let openings = openings.map(|(leaf, line)| Opening { line, leaf });
        Checked::new(EntryFields {
            record,
            openings: openings.collect(),
        })
        .expect("keeps the rules")
    }
}

pub(crate) fn transcript(entries: &[&Entry]) -> Transcript {
    let bytes = entries.iter().map(|entry| to_bytes(*entry));
    raw(bytes.collect())
}

pub(crate) fn raw(entries: Vec<Vec<u8>>) -> Transcript {
    let entries = entries.into_iter().map(EntryBytes::new);
    Checked::new(TranscriptFields {
        origin: Origin::Definition(definition()),
        chain: Vec::new(),
        entries: entries.collect::<Result<_, _>>().expect("short entries"),
    })
    .expect("few entries")
}

pub(crate) fn word(text: &str) -> Text<64> {
    Text::new(text).expect("a word")
}

pub(crate) fn sentence(text: &str) -> Text<512> {
    Text::new(text).expect("a sentence")
}

pub(crate) fn object(label: &str, byte: u8) -> Fact {
    Fact::Object(word(label), Sha256([byte; 32]))
}
