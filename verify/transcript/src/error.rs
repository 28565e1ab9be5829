//! What can be wrong with a transcript, one variant each.
//!
//! A variant names the record by its author and number, so that a person can ask that author.

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::DecodeError;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::transcript::{MAX_RECORDS, Record};
use quorate_verify::chain::ChainError;
use quorate_verify::genesis::GenesisError;
use quorate_verify::surrogate::SurrogateError;
use thiserror::Error;

use crate::facts::moment;
use crate::verify::Fingerprint;

/// The first thing that is wrong with a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TranscriptError {
    /// The manifests in it are no approved chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is no record.
    #[error("the transcript has no record")]
    Empty,
    /// The file is no transcript at all.
    #[error("this is no transcript: {0}")]
    File(DecodeError),
    /// It is another transcript than the one that was read aloud.
    #[error("the fingerprint is {found}, not {expected}")]
    Fingerprint {
        /// What the reader was told.
        expected: Fingerprint,
        /// What this transcript has.
        found: Fingerprint,
    },
    /// A record of another ceremony.
    #[error("record {sequence} of {author} belongs to the definition {found}")]
    Foreign {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// The definition it names.
        found: Digest<Definition>,
    },
    /// A record names another genesis.
    #[error("record {sequence} of {author} names the genesis {found}")]
    ForeignGenesis {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// The genesis it names.
        found: Digest<Genesis>,
    },
    /// Two records of one author stand in one place.
    #[error("{author} signed two different records {sequence}: {one} and {other}")]
    Forked {
        /// Their author.
        author: Name,
        /// Which record.
        sequence: u64,
        /// One.
        one: Digest<Record>,
        /// The other.
        other: Digest<Record>,
    },
    /// The genesis record in it does not hold.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A genesis is pinned, and the transcript was taken before there was a genesis record.
    #[error("the transcript was taken before the genesis record was complete")]
    GenesisUnknown,
    /// A line is not the one that was signed, or its salt is not.
    #[error("line {line} of record {sequence} of {author} is not the one that was signed")]
    Line {
        /// The record's author.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// Which line, from 0.
        line: u8,
    },
    /// An entry is none.
    #[error("{} is no record: {error}", entry_at(*.place, .of.as_ref()))]
    Malformed {
        /// Which entry of the file, from 1.
        place: usize,
        /// In whose name, and which of their records, where it came from a folder.
        of: Option<(Name, u64)>,
        /// Why not.
        error: DecodeError,
    },
    /// A record is not there.
    #[error("record {sequence} of {author} is missing; record {by_sequence} of {by} names it")]
    Missing {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// Whose record names it.
        by: Name,
        /// Which of those.
        by_sequence: u64,
    },
    /// Records of one author are out of order.
    #[error("record {found} of {author} stands where record {expected} must be")]
    Order {
        /// Their author.
        author: Name,
        /// Which must be there.
        expected: u64,
        /// Which is there.
        found: u64,
    },
    /// Another definition than the pinned one.
    #[error("the transcript is of the definition {found}, not of {expected}")]
    OtherDefinition {
        /// What the reader pins.
        expected: Digest<Definition>,
        /// What it is.
        found: Digest<Definition>,
    },
    /// Another genesis than the pinned one.
    #[error("the transcript is of the genesis {found}, not of {expected}")]
    OtherGenesis {
        /// What the reader pins.
        expected: Digest<Genesis>,
        /// What it is.
        found: Digest<Genesis>,
    },
    /// A record does not follow the one before it.
    #[error(
        "record {sequence} of {author} names {named} as the record before it, but that is {found}"
    )]
    Predecessor {
        /// Their author.
        author: Name,
        /// The later of the two.
        sequence: u64,
        /// What it names.
        named: Digest<Record>,
        /// What is there.
        found: Digest<Record>,
    },
    /// A record is in the file twice.
    #[error("record {sequence} of {author} is there twice")]
    Repeated {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
    },
    /// A record is not the one that somebody else saw.
    #[error(
        "record {sequence} of {author} is {found}; when {by} wrote record {by_sequence} it was \
         {named}"
    )]
    Replaced {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// What is there.
        found: Box<Digest<Record>>,
        /// What was there.
        named: Box<Digest<Record>>,
        /// Who saw it.
        by: Name,
        /// In which of their records they said so.
        by_sequence: u64,
    },
    /// A record is not signed by its author.
    #[error("record {sequence} of {author} is not signed by them{}", signed_by(.signer.as_ref()))]
    Signature {
        /// In whose name it is.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// The member who did sign it, if one did.
        signer: Option<Name>,
    },
    /// A record by somebody who is no member.
    #[error("{} is by a key of nobody in this ceremony: {key}", entry_at(*.place, .of.as_ref()))]
    Stranger {
        /// Which entry of the file, from 1.
        place: usize,
        /// In whose name, and which of their records, where it came from a folder.
        of: Option<(Name, u64)>,
        /// The key.
        key: VerificationKey,
    },
    /// A record names a record of somebody who is no member.
    #[error("record {sequence} of {author} names a record by a key of nobody here: {key}")]
    SeenStranger {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// The key it names.
        key: VerificationKey,
    },
    /// A record by somebody whose delegation does not hold.
    #[error("{} is by nobody in this ceremony: {error}", entry_at(*.place, .of.as_ref()))]
    Surrogate {
        /// Which entry of the file, from 1.
        place: usize,
        /// In whose name, and which of their records, where it came from a folder.
        of: Option<(Name, u64)>,
        /// Why.
        error: SurrogateError,
    },
    /// A surrogate did something after the end of their delegation.
    #[error(
        "{author} acted for a member in record {sequence} on {}, when the delegation had ended on {}",
        moment(*.time),
        moment(*.expires)
    )]
    SurrogateEnded {
        /// Who acted.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// The last moment of the delegation.
        expires: UnixMillis,
        /// When, by the author's own clock.
        time: UnixMillis,
    },
    /// A surrogate did something that no delegation of theirs is for.
    #[error("{author} acted for a member in record {sequence}, under no delegation for that")]
    SurrogateElsewhere {
        /// Who acted.
        author: Name,
        /// Which of their records.
        sequence: u64,
    },
    /// More records than a transcript may have.
    #[error("the transcript has more than {MAX_RECORDS} records")]
    TooMany,
}

impl TranscriptError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.code(),
            Self::Empty => "transcript-empty",
            Self::File(_) => "transcript-malformed",
            Self::Fingerprint { .. } => "transcript-fingerprint-differs",
            Self::Foreign { .. } => "transcript-foreign-record",
            Self::ForeignGenesis { .. } => "transcript-foreign-genesis",
            Self::Forked { .. } => "transcript-forked",
            Self::Genesis(error) => error.code(),
            Self::GenesisUnknown => "transcript-genesis-unknown",
            Self::Line { .. } => "transcript-line-altered",
            Self::Malformed { .. } => "transcript-record-malformed",
            Self::Missing { .. } => "transcript-record-missing",
            Self::Order { .. } => "transcript-out-of-order",
            Self::OtherDefinition { .. } => "transcript-other-definition",
            Self::OtherGenesis { .. } => "transcript-other-genesis",
            Self::Predecessor { .. } => "transcript-chain-broken",
            Self::Repeated { .. } => "transcript-record-repeated",
            Self::Replaced { .. } => "transcript-record-replaced",
            Self::SeenStranger { .. } | Self::Stranger { .. } => "transcript-stranger",
            Self::Signature { .. } => "transcript-signature",
            Self::Surrogate { .. } => "transcript-surrogate",
            Self::SurrogateEnded { .. } => "transcript-surrogate-ended",
            Self::SurrogateElsewhere { .. } => "transcript-surrogate-elsewhere",
            Self::TooMany => "transcript-too-many-records",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.remedy(),
            Self::Genesis(error) => error.remedy(),
            Self::Empty => {
                "Fetch the folder of a ceremony in which somebody has taken a step since it had a \
                 definition."
            }
            Self::File(_) => {
                "Name a file that `quorate ceremony transcript disclose` wrote, or a folder."
            }
            Self::Fingerprint { .. } => {
                "Do not rely on it: records were added, left out or replaced since the words were \
                 read. Ask who read them for the transcript they had."
            }
            Self::Foreign { .. } | Self::ForeignGenesis { .. } => {
                "Ask that author how a record of another ceremony came here, and who put it here."
            }
            Self::Forked { .. } => {
                "Ask that author: their key signs in two places, or their private folder was \
                 restored from an old copy. Both records carry their signature; keep both."
            }
            Self::GenesisUnknown => "Take the transcript again, or verify it without --genesis.",
            Self::Line { .. } => {
                "Ask that author for the record as they wrote it; a line that must stay hidden can \
                 be withheld, not changed."
            }
            Self::Malformed { .. } | Self::Signature { .. } => {
                "Ask that author for the record as they wrote it, and find out who wrote this one."
            }
            Self::Missing { .. } => {
                "Ask that author, or whoever named it, for the record. Until it is back nobody \
                 knows what it said."
            }
            Self::Order { .. } | Self::Repeated { .. } => {
                "Put the records back in the order of their numbers, each once, or fetch them again \
                 from somebody else."
            }
            Self::OtherDefinition { .. } | Self::OtherGenesis { .. } => {
                "Compare the digest with your pin. This is the transcript of another ceremony."
            }
            Self::Predecessor { .. } | Self::Replaced { .. } => {
                "Ask that author which of the two is theirs: one was replaced. Members who pinned \
                 the first one can tell."
            }
            Self::SeenStranger { .. } | Self::Stranger { .. } => {
                "If that person came with a later manifest, take the transcript again when it is \
                 approved; otherwise find out who put the record here."
            }
            Self::Surrogate { error, .. } => error.remedy(),
            Self::SurrogateEnded { .. } | Self::SurrogateElsewhere { .. } => {
                "Ask the member whether they let that person act, and for what: quorate ceremony \
                 surrogate list. An enclave takes a share by its own time; its evidence says whether it \
                 did."
            }
            Self::TooMany => "Do not trust the sender; a ceremony has a few records a member.",
        }
    }
}

fn entry_at(place: usize, of: Option<&(Name, u64)>) -> String {
    match of {
        Some((author, sequence)) => format!("record {sequence} of {author}"),
        None => format!("entry {place}"),
    }
}

fn signed_by(signer: Option<&Name>) -> String {
    signer.map_or_else(String::new, |name| format!(", but by {name}"))
}
