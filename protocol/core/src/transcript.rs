//! The transcript of a ceremony: who did what, in an order nobody can change afterwards.
//!
//! Each author has a chain of their own: a [`Record`] names the author's record before it by
//! digest, and the newest record of every other author that they had seen. So the records of all
//! people form one graph. No two people need to agree on whose turn it is, files may travel in any
//! order, and a record that was removed, altered or moved is missed by whatever came after it. Two
//! records of one author on one predecessor are a fork, and both carry that author's signature.
//!
//! What a record says stands in its lines. A record holds only the digest of each line, over a salt
//! and a [`Fact`]; an [`Entry`] is a record with those lines that are shown. A line that is left out
//! changes neither a signature nor the fingerprint, and its digest tells nothing.
//!
//! Guarantees: what was decoded is canonical and keeps the rules below. Does not: verify. That a
//! signature holds, who the authors are and whether the graph is whole is for `quorate-transcript`.
//! Times are claims of the authors' clocks.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{Bytes, Pcr, Sha256, Text, UnixMillis};
use crate::cbor::{Checked, Rules, object};
use crate::cose::Signed;
use crate::definition::{AttestationRoot, Definition};
use crate::digest::Digest;
use crate::genesis::{Epoch, GenesisRecord};
use crate::instance::Index;
use crate::invalid::Invalid;
use crate::keys::VerificationKey;
use crate::manifest::Link;
use crate::members::Role;

/// Most lines of a record.
pub const MAX_LINES: usize = 64;
/// Most heads of others that a record names. What is left over is for the next record.
pub const MAX_SEEN: usize = 64;
/// Most records of a transcript.
pub const MAX_RECORDS: usize = 4096;
/// Most manifests of a transcript.
pub const MAX_LINKS: usize = 4096;

/// A short word: a label, a version, a code.
pub type Word = Text<64>;
/// A sentence.
pub type Sentence = Text<512>;

/// What an author did or saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Act {
    /// Made keys and published a card.
    #[n(0)]
    Join,
    /// Put the definition together.
    #[n(1)]
    Define,
    /// Consented to the definition.
    #[n(2)]
    Consent,
    /// Had an enclave make the key.
    #[n(3)]
    Genesis,
    /// Verified the genesis and their share, or verified the genesis only.
    #[n(4)]
    Receipt,
    /// Proposed a manifest.
    #[n(5)]
    Manifest,
    /// Approved a manifest.
    #[n(6)]
    Approve,
    /// Booted an enclave.
    #[n(7)]
    Boot,
    /// Verified an enclave.
    #[n(8)]
    Attest,
    /// Gave a share.
    #[n(9)]
    Provision,
    /// Fetched evidence.
    #[n(10)]
    Evidence,
    /// Saw something refused, and stopped.
    #[n(11)]
    Refusal,
    /// Read the transcript and stands by all that it names.
    #[n(12)]
    Witness,
    /// Proved their share, and gave a drill share to a rehearsal enclave.
    #[n(13)]
    Drill,
    /// Took part in resharing.
    #[n(14)]
    Reshare,
    /// Took part in a change of the manifest set.
    #[n(15)]
    Rotate,
    /// Approved that the key goes from one enclave to another, or had it forwarded.
    #[n(16)]
    Forward,
    /// Wrote a share down.
    #[n(17)]
    Backup,
    /// Restored a share.
    #[n(18)]
    Restore,
    /// Agreed to finish without a member's receipt.
    #[n(19)]
    Exception,
    /// Checked their own share.
    #[n(20)]
    Check,
    /// Named a surrogate, gave them the share, or took it as one.
    #[n(21)]
    Surrogate,
}

impl Act {
    /// Every act, in the order of the contract.
    pub const ALL: [Self; 22] = [
        Self::Join,
        Self::Define,
        Self::Consent,
        Self::Genesis,
        Self::Receipt,
        Self::Manifest,
        Self::Approve,
        Self::Boot,
        Self::Attest,
        Self::Provision,
        Self::Evidence,
        Self::Refusal,
        Self::Witness,
        Self::Drill,
        Self::Reshare,
        Self::Rotate,
        Self::Forward,
        Self::Backup,
        Self::Restore,
        Self::Exception,
        Self::Check,
        Self::Surrogate,
    ];

    /// Its name, as in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Define => "define",
            Self::Consent => "consent",
            Self::Genesis => "genesis",
            Self::Receipt => "receipt",
            Self::Manifest => "manifest",
            Self::Approve => "approve",
            Self::Boot => "boot",
            Self::Attest => "attest",
            Self::Provision => "provision",
            Self::Evidence => "evidence",
            Self::Refusal => "refusal",
            Self::Witness => "witness",
            Self::Drill => "drill",
            Self::Reshare => "reshare",
            Self::Rotate => "rotate",
            Self::Forward => "forward",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Exception => "exception",
            Self::Check => "check",
            Self::Surrogate => "surrogate",
        }
    }
}

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Fact {
    /// The tool that wrote the record: its name and version.
    #[n(0)]
    Tool(#[n(0)] Word, #[n(1)] Word),
    /// An object of the contract, by its label and digest.
    #[n(1)]
    Object(#[n(0)] Word, #[n(1)] Sha256),
    /// SHA-256 of an attestation document.
    #[n(2)]
    Document(#[n(0)] Sha256),
    /// A register of that document.
    #[n(3)]
    Register(#[n(0)] u8, #[n(1)] Pcr),
    /// The author's own nonce in that document.
    #[n(4)]
    Nonce(#[n(0)] Bytes<16, 64>),
    /// Milliseconds from the making of the nonce to the verdict, on the author's monotonic clock.
    #[n(5)]
    Age(#[n(0)] u64),
    /// The time in that document, which is the security module's.
    #[n(6)]
    Attested(#[n(0)] UnixMillis),
    /// The security module's name for the enclave.
    #[n(7)]
    Module(#[n(0)] Text<128>),
    /// The root the document was verified under.
    #[n(8)]
    Root(#[n(0)] AttestationRoot),
    /// The verdict was that it is safe to go on.
    #[n(9)]
    Safe,
    /// The verdict was that it is not: its code, and the sentence that was shown.
    #[n(10)]
    Refused(#[n(0)] Word, #[n(1)] Sentence),
    /// During which act something was refused.
    #[n(11)]
    During(#[n(0)] Act),
    /// The author's share: its index and the epoch it belongs to.
    #[n(12)]
    Share(#[n(0)] Index, #[n(1)] Epoch),
    /// How many shares the enclave then had, and how many it needs.
    #[n(13)]
    Count(#[n(0)] u8, #[n(1)] u8),
    /// In which set the author acted.
    #[n(14)]
    Role(#[n(0)] Role),
    /// The token that holds the author's key, as it describes itself: model, serial, firmware.
    #[n(15)]
    Token(#[n(0)] Word, #[n(1)] Word, #[n(2)] Word),
    /// A file by what it is and its SHA-256.
    #[n(16)]
    File(#[n(0)] Word, #[n(1)] Sha256),
    /// Anything else: what it is about, and what there is to say.
    #[n(17)]
    Remark(#[n(0)] Word, #[n(1)] Sentence),
}

impl Fact {
    /// What kind of line it is, as in the contract.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tool(..) => "tool",
            Self::Object(..) => "object",
            Self::Document(_) => "document",
            Self::Register(..) => "register",
            Self::Nonce(_) => "nonce",
            Self::Age(_) => "age",
            Self::Attested(_) => "attested",
            Self::Module(_) => "module",
            Self::Root(_) => "root",
            Self::Safe => "safe",
            Self::Refused(..) => "refused",
            Self::During(_) => "during",
            Self::Share(..) => "share",
            Self::Count(..) => "count",
            Self::Role(_) => "role",
            Self::Token(..) => "token",
            Self::File(..) => "file",
            Self::Remark(..) => "remark",
        }
    }
}

/// A line: a salt that hides what it says, and what it says. Its digest is in the record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Leaf {
    /// 128 random bits, so that nobody finds a withheld line by guessing.
    #[n(0)]
    pub salt: Bytes<16, 16>,
    /// What it says.
    #[n(1)]
    pub fact: Fact,
}

/// The newest record of another author when this one was written.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Seen {
    /// That author.
    #[n(0)]
    pub author: VerificationKey,
    /// Which of their records.
    #[n(1)]
    pub sequence: u64,
    /// Its digest.
    #[n(2)]
    pub record: Digest<Record>,
}

/// What an author signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RecordFields {
    /// Verifies this record; the definition and the manifests say whose key it is.
    #[n(0)]
    pub author: VerificationKey,
    /// Which of the author's records: 1, 2, 3 …
    #[n(1)]
    pub sequence: u64,
    /// The author's record before this one; absent in the first.
    #[n(2)]
    pub previous: Option<Digest<Record>>,
    /// What others had written since the author's record before, ascending by author.
    #[n(3)]
    pub seen: Vec<Seen>,
    /// The ceremony; absent only in a first record that was written before there was a definition.
    #[n(4)]
    pub definition: Option<Digest<Definition>>,
    /// What was done.
    #[n(5)]
    pub act: Act,
    /// When, by the author's clock.
    #[n(6)]
    pub time: UnixMillis,
    /// The digest of each line.
    #[n(7)]
    pub lines: Vec<Digest<Leaf>>,
}

/// A record whose rules hold.
pub type Record = Checked<RecordFields>;

impl Rules for RecordFields {
    fn check(&self) -> Result<(), Invalid> {
        let first = match self.sequence {
            0 => return Err(Invalid::SequenceZero),
            sequence => sequence == 1,
        };
        if first == self.previous.is_some() || !(first || self.definition.is_some()) {
            return Err(Invalid::RecordPredecessor);
        }
        within(self.seen.len(), 0, MAX_SEEN)?;
        within(self.lines.len(), 1, MAX_LINES)?;
        if self.seen.iter().any(|seen| seen.sequence == 0) {
            return Err(Invalid::SequenceZero);
        }
        let keys: Vec<_> = self
            .seen
            .iter()
            .map(|seen| seen.author.to_compressed())
            .collect();
        let own = self.author.to_compressed();
        if !keys.is_sorted_by(|a, b| a < b) || keys.contains(&own) {
            return Err(Invalid::RecordSeen);
        }
        Ok(())
    }
}

/// A line that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Opening {
    /// Which line of the record, from 0.
    #[n(0)]
    pub line: u8,
    /// The line.
    #[n(1)]
    pub leaf: Leaf,
}

/// A record and the lines of it that are shown.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EntryFields {
    /// The record.
    #[n(0)]
    pub record: Signed<Record>,
    /// Ascending by line.
    #[n(1)]
    pub openings: Vec<Opening>,
}

/// An entry whose rules hold. Whether its lines belong to its record is not one of them.
pub type Entry = Checked<EntryFields>;

impl Rules for EntryFields {
    fn check(&self) -> Result<(), Invalid> {
        let lines = self.record.unverified().lines.len();
        within(self.openings.len(), 0, lines)?;
        let ascending = self.openings.is_sorted_by(|a, b| a.line < b.line);
        let last = self.openings.last();
        if !ascending || last.is_some_and(|last| usize::from(last.line) >= lines) {
            return Err(Invalid::EntryLines);
        }
        Ok(())
    }
}

/// Where a transcript's authors are known from.
// There is one in a transcript: a box would save nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Origin {
    /// The definition: a ceremony whose genesis is not complete.
    #[n(0)]
    Definition(#[n(0)] Definition),
    /// The genesis record, which holds the definition.
    #[n(1)]
    Record(#[n(0)] GenesisRecord),
}

impl Origin {
    /// The definition.
    pub const fn definition(&self) -> &Definition {
        match self {
            Self::Definition(definition) => definition,
            Self::Record(record) => &record.definition,
        }
    }
}

/// One entry as it travels. It is decoded by itself, so that a fault in it can be named.
pub type EntryBytes = Bytes<1, { 64 * 1024 }>;

/// A whole transcript in one file. Not signed as a whole: every record is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TranscriptFields {
    /// Who may write records, from the first on.
    #[n(0)]
    pub origin: Origin,
    /// The approved manifests, from the first on: they name who came later.
    #[n(1)]
    pub chain: Vec<Link>,
    /// The entries of each author in order; authors in the order of their names.
    #[n(2)]
    pub entries: Vec<EntryBytes>,
}

/// A transcript of a bounded number of entries and manifests.
pub type Transcript = Checked<TranscriptFields>;

impl Rules for TranscriptFields {
    fn check(&self) -> Result<(), Invalid> {
        within(self.chain.len(), 0, MAX_LINKS)?;
        within(self.entries.len(), 0, MAX_RECORDS)
    }
}

/// The newest records of a transcript. Its digest is the fingerprint people read to each other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HeadsFields {
    /// The ceremony.
    #[n(0)]
    pub definition: Digest<Definition>,
    /// Every record that no other one names, ascending.
    #[n(1)]
    pub heads: Vec<Digest<Record>>,
}

/// Heads in order.
pub type Heads = Checked<HeadsFields>;

impl Rules for HeadsFields {
    fn check(&self) -> Result<(), Invalid> {
        within(self.heads.len(), 1, MAX_RECORDS)?;
        if self.heads.is_sorted_by(|a, b| a < b) {
            Ok(())
        } else {
            Err(Invalid::RecordSeen)
        }
    }
}

const fn within(found: usize, min: usize, max: usize) -> Result<(), Invalid> {
    if found < min || found > max {
        return Err(Invalid::ListLength { min, max, found });
    }
    Ok(())
}

object! {
    Record => "quorate/transcript-record/v1", 8 * 1024;
    Leaf => "quorate/transcript-leaf/v1", 768;
    Entry => "quorate/transcript-entry/v1", 64 * 1024;
    Transcript => "quorate/transcript/v1", 16 * 1024 * 1024;
    Heads => "quorate/transcript-heads/v1", 256 * 1024;
}
