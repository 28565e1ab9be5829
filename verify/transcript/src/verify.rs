//! Verification of a transcript: its authors, their chains, and that the chains fit together.
//!
//! [`verify`] is the only way to a [`Verified`]. In this order, and the first thing that is wrong is
//! the error:
//!
//! 1. the origin holds: a definition, or a genesis record with an approved chain of manifests; it
//!    is the one the reader pins;
//! 2. each entry, in the order of the file: it is canonical, its author is a member, their
//!    signature holds, it is of this ceremony, it follows the record before it, and each line that
//!    is shown is the one that was signed;
//! 3. every record that another one names is there and is the one that was named;
//! 4. the fingerprint is the one the reader was told.
//!
//! Clocks are claims: what is odd about them is noted and never refused.

use std::collections::BTreeMap;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::{Checked, Object as _, from_bytes};
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Member;
use quorate_protocol::transcript::{
    Act, Entry, Fact, Heads, HeadsFields, Leaf, Origin, Record, Transcript,
};
use quorate_verify::chain::{VerifiedChain, walk_at};
use quorate_verify::genesis::VerifiedGenesis;

use crate::acting::{Scene, Surrogates};
use crate::error::TranscriptError;
use crate::graph;

/// Names a whole transcript: the digest of its heads.
pub type Fingerprint = Digest<Heads>;

/// How far a clock may be ahead before it is noted, in milliseconds.
pub const CLOCK_TOLERANCE_MS: u64 = 5 * 60 * 1000;

/// What the reader knows from elsewhere. Every field may be left out; without a genesis or
/// definition, a transcript that verifies is only consistent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The namespace.
    pub genesis: Option<Digest<Genesis>>,
    /// What everybody consented to.
    pub definition: Option<Digest<Definition>>,
    /// What was read aloud.
    pub fingerprint: Option<Fingerprint>,
    /// The reader's clock, to note records from the future.
    pub now: Option<UnixMillis>,
}

/// Something to know about a transcript that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A record says it was written after the reader's now.
    FromTheFuture {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// By how much, in milliseconds.
        ahead_ms: u64,
    },
    /// A record says it was written before one that it names.
    BeforeItsPast {
        /// Its author.
        author: Name,
        /// Which of their records.
        sequence: u64,
        /// By how much, in milliseconds.
        behind_ms: u64,
    },
    /// Lines are withheld.
    Withheld {
        /// How many.
        lines: usize,
    },
    /// No single record stands for all: the newest of these could be left out unnoticed by whoever
    /// has no fingerprint.
    Heads {
        /// How many records no other names.
        count: usize,
    },
    /// Members who have written nothing.
    Silent {
        /// Who.
        members: Vec<Name>,
    },
    /// The reader pinned neither genesis nor definition.
    Unpinned,
    /// The attestation root is a development root.
    Development,
}

/// A line of a verified record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is shown, and is what was signed.
    Shown(Fact),
    /// It is withheld; this is its digest.
    Withheld(Digest<Leaf>),
}

/// A record that has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRecord {
    /// Who signed it.
    pub author: Name,
    /// With which key.
    pub key: VerificationKey,
    /// Which of their records.
    pub sequence: u64,
    /// Its digest.
    pub digest: Digest<Record>,
    /// What others had written since the author's record before: who, and up to which.
    pub seen: Vec<(Name, u64)>,
    /// What was done.
    pub act: Act,
    /// When, by the author's clock.
    pub time: UnixMillis,
    /// What it says.
    pub lines: Vec<Line>,
}

impl VerifiedRecord {
    /// The facts that are shown.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.lines.iter().filter_map(|line| match line {
            Line::Shown(fact) => Some(fact),
            Line::Withheld(_) => None,
        })
    }
}

/// A transcript that has been verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What everybody consented to.
    pub definition: Definition,
    /// How the namespace came to be, once that is complete.
    pub genesis: Option<VerifiedGenesis>,
    /// What may run, once a manifest is approved.
    pub chain: Option<VerifiedChain>,
    /// Every author who could write: name and key, ascending by name.
    pub people: Vec<(Name, VerificationKey)>,
    /// Every record; each comes after all that it names, then by time.
    pub records: Vec<VerifiedRecord>,
    /// Names the whole.
    pub fingerprint: Fingerprint,
    /// What to know about it.
    pub notes: Vec<Note>,
}

/// A record on its way: verified by itself, not yet against the others.
pub(crate) struct Taken {
    pub(crate) author: usize,
    pub(crate) name: Name,
    pub(crate) record: Record,
    pub(crate) digest: Digest<Record>,
    pub(crate) lines: Vec<Line>,
}

/// Verifies a transcript.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(transcript: &Transcript, expected: &Expected) -> Result<Verified, TranscriptError> {
    verify_named(transcript, &[], expected)
}

/// As [`verify`], for entries that were read from a folder: `places` says in whose name each was
/// found and as which of their records, so that errors can say it too.
///
/// # Errors
/// As [`verify`].
pub fn verify_named(
    transcript: &Transcript,
    places: &[(Name, u64)],
    expected: &Expected,
) -> Result<Verified, TranscriptError> {
    let (genesis, chain) = origin(transcript, expected)?;
    let definition = transcript.origin.definition().clone();
    let pinned = genesis.as_ref().map(VerifiedGenesis::digest);
    let scene = pinned.map(|genesis| Scene {
        genesis,
        definition: &definition,
        chain: &transcript.chain,
    });
    let entries = entries(transcript, places)?;
    let seats = seats(&definition, transcript);
    let surrogates = Surrogates::find(scene.as_ref(), &seats, &entries);
    let people = people(seats, &surrogates);
    let reader = Reader {
        scene,
        surrogates: &surrogates,
        definition: Digest::of(&definition),
        genesis: pinned.or(expected.genesis),
        people: &people,
        places,
    };
    let taken = reader.take(entries)?;
    let mut verified = Verified {
        fingerprint: fingerprint(reader.definition, &taken)?,
        records: graph::join(&people, taken)?,
        notes: Vec::new(),
        definition,
        genesis,
        chain,
        people,
    };
    if let Some(told) = expected.fingerprint
        && told != verified.fingerprint
    {
        return Err(TranscriptError::Fingerprint {
            expected: told,
            found: verified.fingerprint,
        });
    }
    verified.notes = graph::notes(&verified, expected);
    Ok(verified)
}

/// What the authors are known from, verified and compared with the pins.
fn origin(
    transcript: &Transcript,
    expected: &Expected,
) -> Result<(Option<VerifiedGenesis>, Option<VerifiedChain>), TranscriptError> {
    let found = Digest::of(transcript.origin.definition());
    if let Some(expected) = expected.definition
        && expected != found
    {
        return Err(TranscriptError::OtherDefinition { expected, found });
    }
    let record = match &transcript.origin {
        Origin::Definition(_) if expected.genesis.is_some() => {
            return Err(TranscriptError::GenesisUnknown);
        }
        Origin::Definition(_) => return Ok((None, None)),
        Origin::Record(record) => record.clone(),
    };
    let genesis = VerifiedGenesis::from_record(record)?;
    let found = genesis.digest();
    if let Some(expected) = expected.genesis
        && expected != found
    {
        return Err(TranscriptError::OtherGenesis { expected, found });
    }
    let chain = match transcript.chain.as_slice() {
        [] => None,
        links => Some(walk_at(&genesis, links, approved_at(links))?),
    };
    Ok((Some(genesis), chain))
}

/// When the newest approval was given, by its author's clock: a transcript has no other time. So what
/// a surrogate approved is told as it was then. Nobody becomes an author by it: what surrogates
/// approve changes no set.
fn approved_at(links: &[Link]) -> UnixMillis {
    let own = links.iter().flat_map(|link| &link.approvals);
    let acting = links.iter().flat_map(|link| &link.surrogates);
    let all = own.chain(acting.map(|acting| &acting.approval));
    let times = all.map(|approval| approval.unverified().time);
    times.max().unwrap_or(UnixMillis(0))
}

/// Everybody of the definition and of the approved manifests.
fn seats(definition: &Definition, transcript: &Transcript) -> Vec<(Name, VerificationKey)> {
    let of = |member: &Member| (member.name.clone(), member.signing_key);
    let mut seats: Vec<_> = definition.people().into_iter().map(of).collect();
    // Without a record there is no chain that could have been approved.
    if matches!(transcript.origin, Origin::Record(_)) {
        for link in &transcript.chain {
            let sets = [&link.manifest.manifest_set, &link.manifest.share_set];
            seats.extend(sets.into_iter().flat_map(|set| set.members.iter().map(of)));
        }
    }
    seats
}

/// Those and their surrogates, each name and key once.
fn people(
    mut people: Vec<(Name, VerificationKey)>,
    surrogates: &Surrogates,
) -> Vec<(Name, VerificationKey)> {
    let acting = surrogates.acting.iter();
    people.extend(acting.map(|one| (one.name.clone(), one.key)));
    people.sort_by_cached_key(|(name, key)| (name.clone(), key.to_compressed()));
    people.dedup();
    people
}

/// Every entry, decoded.
fn entries(transcript: &Transcript, places: &[(Name, u64)]) -> Result<Vec<Entry>, TranscriptError> {
    let entries = transcript.entries.iter().enumerate();
    let decoded = entries.map(|(index, bytes)| {
        from_bytes(bytes.as_slice()).map_err(|error| TranscriptError::Malformed {
            place: index.saturating_add(1),
            of: places.get(index).cloned(),
            error,
        })
    });
    decoded.collect()
}

struct Reader<'a> {
    scene: Option<Scene<'a>>,
    surrogates: &'a Surrogates,
    definition: Digest<Definition>,
    genesis: Option<Digest<Genesis>>,
    people: &'a [(Name, VerificationKey)],
    places: &'a [(Name, u64)],
}

impl Reader<'_> {
    fn take(&self, entries: Vec<Entry>) -> Result<Vec<Taken>, TranscriptError> {
        let claims: Vec<_> = entries
            .iter()
            .map(|entry| {
                let record = entry.record.unverified();
                (record.author.to_compressed(), record.sequence)
            })
            .collect();
        let mut newest: BTreeMap<usize, (u64, Digest<Record>)> = BTreeMap::new();
        let mut taken = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let one = self.one(index, entry)?;
            let (key, sequence) = (one.record.author.to_compressed(), one.record.sequence);
            let before = newest.get(&one.author).copied();
            let expected = before.map_or(1, |(last, _)| last.saturating_add(1));
            let author = || one.name.clone();
            if let Some((last, other)) = before
                && last == sequence
            {
                return Err(if other == one.digest {
                    TranscriptError::Repeated {
                        author: author(),
                        sequence,
                    }
                } else {
                    TranscriptError::Forked {
                        author: author(),
                        sequence,
                        one: other,
                        other: one.digest,
                    }
                });
            }
            if sequence != expected {
                // The one that should be here may only be elsewhere.
                return Err(
                    if claims.contains(&(key, expected)) || sequence < expected {
                        TranscriptError::Order {
                            author: author(),
                            expected,
                            found: sequence,
                        }
                    } else {
                        TranscriptError::Missing {
                            author: author(),
                            sequence: expected,
                            by: author(),
                            by_sequence: sequence,
                        }
                    },
                );
            }
            if let (Some((_, found)), Some(named)) = (before, one.record.previous)
                && found != named
            {
                return Err(TranscriptError::Predecessor {
                    author: author(),
                    sequence,
                    named,
                    found,
                });
            }
            let scene = self.scene.as_ref();
            self.surrogates.covers(scene, &one, &taken)?;
            newest.insert(one.author, (sequence, one.digest));
            taken.push(one);
        }
        Ok(taken)
    }

    /// One entry by itself.
    fn one(&self, index: usize, entry: Entry) -> Result<Taken, TranscriptError> {
        let claimed = entry.record.unverified();
        let (key, sequence) = (claimed.author, claimed.sequence);
        let (known, author) =
            graph::person(self.people, &key).ok_or_else(|| self.stranger(index, key))?;
        let author = author.clone();
        let Ok(record) = entry.record.verify(&key) else {
            let mut others = self.people.iter();
            let signer = others.find(|(_, other)| entry.record.verify(other).is_ok());
            return Err(TranscriptError::Signature {
                author,
                sequence,
                signer: signer.map(|(name, _)| name.clone()),
            });
        };
        if let Some(found) = record.definition
            && found != self.definition
        {
            return Err(TranscriptError::Foreign {
                author,
                sequence,
                found,
            });
        }
        let mut lines: Vec<Line> = record.lines.iter().copied().map(Line::Withheld).collect();
        for opening in &entry.openings {
            let line = opening.line;
            match lines.get_mut(usize::from(line)) {
                Some(shown) if *shown == Line::Withheld(Digest::of(&opening.leaf)) => {
                    *shown = Line::Shown(opening.leaf.fact.clone());
                }
                _ => {
                    return Err(TranscriptError::Line {
                        author,
                        sequence,
                        line,
                    });
                }
            }
            if let Fact::Object(label, digest) = &opening.leaf.fact
                && label.as_str() == Genesis::LABEL
                && self
                    .genesis
                    .is_some_and(|genesis| *genesis.as_bytes() != digest.0)
            {
                return Err(TranscriptError::ForeignGenesis {
                    author,
                    sequence,
                    found: Digest::from_bytes(digest.0),
                });
            }
        }
        Ok(Taken {
            author: known,
            name: author,
            record: record.clone(),
            digest: entry.record.digest(),
            lines,
        })
    }

    /// Whose key is nobody's, or that of a surrogate who is none.
    fn stranger(&self, index: usize, key: VerificationKey) -> TranscriptError {
        let place = index.saturating_add(1);
        let of = self.places.get(index).cloned();
        match self.surrogates.refusal(&key) {
            Some(error) => TranscriptError::Surrogate {
                place,
                of,
                error: error.clone(),
            },
            None => TranscriptError::Stranger { place, of, key },
        }
    }
}

/// The fingerprint: of every record that no other one names.
fn fingerprint(
    definition: Digest<Definition>,
    taken: &[Taken],
) -> Result<Fingerprint, TranscriptError> {
    let heads = graph::heads(taken);
    let heads = Checked::new(HeadsFields { definition, heads });
    Ok(Digest::of(&heads.map_err(|_| TranscriptError::Empty)?))
}
