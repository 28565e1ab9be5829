//! The records of all authors as one graph: what each had seen, an order in which causes come
//! first, and what is odd about the clocks.
//!
//! A record is named by digest, so there is no circle: a record cannot name one that names it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use quorate_protocol::atoms::Name;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::transcript::Record;

use crate::error::TranscriptError;
use crate::verify::{CLOCK_TOLERANCE_MS, Expected, Line, Note, Taken, Verified, VerifiedRecord};

/// Who has this key, and their place among the people.
pub(crate) fn person<'p>(
    people: &'p [(Name, VerificationKey)],
    key: &VerificationKey,
) -> Option<(usize, &'p Name)> {
    let mut people = people.iter().enumerate();
    people.find_map(|(place, (name, known))| (known == key).then_some((place, name)))
}

/// Every record that no other one names, ascending.
pub(crate) fn heads(taken: &[Taken]) -> Vec<Digest<Record>> {
    let mut heads: BTreeSet<_> = taken.iter().map(|one| one.digest).collect();
    for one in taken {
        let named = one.record.seen.iter().map(|seen| seen.record);
        for named in named.chain(one.record.previous) {
            heads.remove(&named);
        }
    }
    heads.into_iter().collect()
}

/// Checks what each record says of the others', and puts all in order.
pub(crate) fn join(
    people: &[(Name, VerificationKey)],
    taken: Vec<Taken>,
) -> Result<Vec<VerifiedRecord>, TranscriptError> {
    let places: BTreeMap<(usize, u64), usize> = taken
        .iter()
        .enumerate()
        .map(|(place, one)| ((one.author, one.record.sequence), place))
        .collect();
    // For each record the places of those it names, and the names for the reader.
    let mut causes: Vec<Vec<usize>> = Vec::with_capacity(taken.len());
    let mut seen_by_name = Vec::with_capacity(taken.len());
    for one in &taken {
        let (author, sequence) = (|| one.name.clone(), one.record.sequence);
        let before = sequence.checked_sub(1);
        let before = before.and_then(|before| places.get(&(one.author, before)));
        let mut causes_of_one: Vec<usize> = before.into_iter().copied().collect();
        let mut names = Vec::new();
        for seen in &one.record.seen {
            let (other, other_name) =
                person(people, &seen.author).ok_or_else(|| TranscriptError::SeenStranger {
                    author: author(),
                    sequence,
                    key: seen.author,
                })?;
            let there = places.get(&(other, seen.sequence)).copied();
            let there = there.and_then(|place| Some((place, taken.get(place)?)));
            let (place, found) = there.ok_or_else(|| TranscriptError::Missing {
                author: other_name.clone(),
                sequence: seen.sequence,
                by: author(),
                by_sequence: sequence,
            })?;
            if found.digest != seen.record {
                return Err(TranscriptError::Replaced {
                    author: other_name.clone(),
                    sequence: seen.sequence,
                    found: found.digest,
                    named: seen.record,
                    by: author(),
                    by_sequence: sequence,
                });
            }
            causes_of_one.push(place);
            names.push((other_name.clone(), seen.sequence));
        }
        causes.push(causes_of_one);
        seen_by_name.push(names);
    }
    let order = order(&taken, &causes);
    let mut records: Vec<_> = taken
        .into_iter()
        .zip(seen_by_name)
        .map(|(one, seen)| {
            Some(VerifiedRecord {
                author: one.name,
                key: one.record.author,
                sequence: one.record.sequence,
                digest: one.digest,
                seen,
                act: one.record.act,
                time: one.record.time,
                lines: one.lines,
            })
        })
        .collect();
    Ok(order
        .into_iter()
        .filter_map(|place| records.get_mut(place)?.take())
        .collect())
}

/// Causes first; of those that are free, the one that says it is oldest.
fn order(taken: &[Taken], causes: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = causes.iter().map(Vec::len).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); taken.len()];
    for (place, causes) in causes.iter().enumerate() {
        for cause in causes {
            if let Some(list) = followers.get_mut(*cause) {
                list.push(place);
            }
        }
    }
    let key = |place: usize| {
        let one = taken.get(place)?;
        Some(Reverse((
            one.record.time,
            &one.name,
            one.record.sequence,
            place,
        )))
    };
    let free = waiting.iter().enumerate().filter(|(_, left)| **left == 0);
    let mut free: BinaryHeap<_> = free.filter_map(|(place, _)| key(place)).collect();
    let mut order = Vec::with_capacity(taken.len());
    while let Some(Reverse((.., place))) = free.pop() {
        order.push(place);
        for follower in followers.get(place).into_iter().flatten() {
            if let Some(left) = waiting.get_mut(*follower) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    free.extend(key(*follower));
                }
            }
        }
    }
    order
}

/// What a reader should know of a transcript that holds.
pub(crate) fn notes(verified: &Verified, expected: &Expected) -> Vec<Note> {
    let mut notes = Vec::new();
    if verified.definition.attestation_root.is_development() {
        notes.push(Note::Development);
    }
    if expected.genesis.is_none() && expected.definition.is_none() {
        notes.push(Note::Unpinned);
    }
    let mut times: BTreeMap<(&Name, u64), u64> = BTreeMap::new();
    let mut named: BTreeSet<(&Name, u64)> = BTreeSet::new();
    for record in &verified.records {
        let (author, sequence, time) = (&record.author, record.sequence, record.time.0);
        let now = expected.now.map_or(u64::MAX, |now| now.0);
        let ahead_ms = time.saturating_sub(now);
        if ahead_ms > CLOCK_TOLERANCE_MS {
            notes.push(Note::FromTheFuture {
                author: author.clone(),
                sequence,
                ahead_ms,
            });
        }
        let before = sequence.checked_sub(1).map(|before| (author, before));
        let seen = record.seen.iter().map(|(other, at)| (other, *at));
        let past: Vec<_> = before.into_iter().chain(seen).collect();
        let latest = past.iter().filter_map(|cause| times.get(cause)).max();
        let behind_ms = latest.copied().unwrap_or_default().saturating_sub(time);
        if behind_ms > CLOCK_TOLERANCE_MS {
            notes.push(Note::BeforeItsPast {
                author: author.clone(),
                sequence,
                behind_ms,
            });
        }
        named.extend(past);
        times.insert((author, sequence), time);
    }
    let lines = verified.records.iter().flat_map(|record| &record.lines);
    let withheld = lines
        .filter(|line| matches!(line, Line::Withheld(_)))
        .count();
    if withheld > 0 {
        notes.push(Note::Withheld { lines: withheld });
    }
    let free = |place: &&(&Name, u64)| !named.contains(*place);
    let count = times.keys().filter(free).count();
    if count > 1 {
        notes.push(Note::Heads { count });
    }
    let wrote = |name: &Name| verified.records.iter().any(|record| record.author == *name);
    let mut silent: Vec<_> = verified
        .people
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    silent.retain(|name| !wrote(name));
    silent.dedup();
    if !silent.is_empty() {
        notes.push(Note::Silent { members: silent });
    }
    notes
}
