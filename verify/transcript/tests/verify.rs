//! What is refused, and in whose name; and what is only noted.

mod common;

use common::{Draft, START, definition, object, raw, sentence, transcript, vector, word};
use quorate_protocol::atoms::{Bytes, Name, UnixMillis};
use quorate_protocol::cbor::{Checked, DecodeError, from_bytes, to_bytes};
use quorate_protocol::digest::Digest;
use quorate_protocol::transcript::{Act, Entry, EntryBytes, Fact, MAX_RECORDS, Origin, Transcript};
use quorate_transcript::disclose::{Selection, disclose};
use quorate_transcript::{
    CLOCK_TOLERANCE_MS, Expected, Line, Note, TranscriptError, Verified, verify,
};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn check(transcript: &Transcript) -> Result<Verified, TranscriptError> {
    verify(transcript, &Expected::default())
}

fn refused(transcript: &Transcript) -> TranscriptError {
    check(transcript).expect_err("it must be refused")
}

/// alice 1 ← alice 2 (saw bob 1) ← alice 3; bob 1 ← bob 2 (saw alice 3).
fn five() -> [Entry; 5] {
    let a1 = Draft::new("alice", 1).entry();
    let b1 = Draft::new("bob", 1).entry();
    let a2 = Draft::after("alice", &a1).saw("bob", &b1).entry();
    let a3 = Draft::after("alice", &a2).entry();
    let b2 = Draft::after("bob", &b1).saw("alice", &a3).entry();
    [a1, a2, a3, b1, b2]
}

fn all(entries: &[Entry]) -> Transcript {
    transcript(&entries.iter().collect::<Vec<_>>())
}

#[test]
fn records_come_after_what_they_name_and_one_head_names_all() {
    let five = five();
    let verified = check(&all(&five)).expect("it holds");
    let order: Vec<_> = verified
        .records
        .iter()
        .map(|record| (record.author.as_str(), record.sequence))
        .collect();
    let expected = [
        ("alice", 1),
        ("bob", 1),
        ("alice", 2),
        ("alice", 3),
        ("bob", 2),
    ];
    assert_eq!(order, expected);
    assert!(
        !verified
            .notes
            .iter()
            .any(|note| matches!(note, Note::Heads { .. }))
    );
    // Whose entries come first in the file makes no difference.
    let [a1, a2, a3, b1, b2] = &five;
    let other = check(&transcript(&[b1, b2, a1, a2, a3])).expect("it holds");
    assert_eq!(other.fingerprint, verified.fingerprint);
    assert_eq!(other.records, verified.records);
}

#[test]
fn a_removed_record_fails_closed() {
    let five = five();
    let [a1, a2, a3, b1, b2] = &five;
    let missing = |author: &str, sequence, by: &str, by_sequence| TranscriptError::Missing {
        author: name(author),
        sequence,
        by: name(by),
        by_sequence,
    };
    // From the middle of a chain, from its beginning, and from its end, where somebody saw it.
    assert_eq!(
        refused(&transcript(&[a1, a3, b1, b2])),
        missing("alice", 2, "alice", 3)
    );
    assert_eq!(
        refused(&transcript(&[a2, a3, b1, b2])),
        missing("alice", 1, "alice", 2)
    );
    assert_eq!(
        refused(&transcript(&[a1, a2, b1, b2])),
        missing("alice", 3, "bob", 2)
    );
    assert_eq!(
        refused(&transcript(&[a1, a2, a3])),
        missing("bob", 1, "alice", 2)
    );
    assert!(check(&all(&five)).is_ok());
}

/// The newest record, which nobody names: only the fingerprint tells.
#[test]
fn a_removed_newest_record_fails_closed() {
    let five = five();
    let told = check(&all(&five)).expect("it holds").fingerprint;
    let shorter = all(five.get(..4).expect("five"));
    let expected = Expected {
        fingerprint: Some(told),
        ..Expected::default()
    };
    let found = check(&shorter).expect("consistent by itself").fingerprint;
    assert_eq!(
        verify(&shorter, &expected).expect_err("another fingerprint"),
        TranscriptError::Fingerprint {
            expected: told,
            found
        }
    );
    assert!(verify(&all(&five), &expected).is_ok());
}

#[test]
fn swapped_records_fails_closed() {
    let [a1, a2, a3, b1, b2] = &five();
    assert_eq!(
        refused(&transcript(&[a1, a3, a2, b1, b2])),
        TranscriptError::Order {
            author: name("alice"),
            expected: 2,
            found: 3
        }
    );
    assert_eq!(
        refused(&transcript(&[a2, a1, a3, b1, b2])),
        TranscriptError::Order {
            author: name("alice"),
            expected: 1,
            found: 2
        }
    );
}

#[test]
fn a_repeated_record_fails_closed() {
    let [a1, a2, a3, b1, b2] = &five();
    assert_eq!(
        refused(&transcript(&[a1, a2, a2, a3, b1, b2])),
        TranscriptError::Repeated {
            author: name("alice"),
            sequence: 2
        }
    );
}

#[test]
fn a_forked_head_fails_closed() {
    let [a1, a2, a3, b1, b2] = &five();
    let mut other = Draft::after("alice", a2);
    other
        .facts
        .push(Fact::Remark(word("x"), sentence("another past")));
    let other = other.entry();
    assert_eq!(
        refused(&transcript(&[a1, a2, a3, &other, b1, b2])),
        TranscriptError::Forked {
            author: name("alice"),
            sequence: 3,
            one: a3.record.digest(),
            other: other.record.digest(),
        }
    );
    // Each branch alone: whoever saw the first does not accept the second.
    assert_eq!(
        refused(&transcript(&[a1, a2, &other, b1, b2])),
        TranscriptError::Replaced {
            author: name("alice"),
            sequence: 3,
            found: Box::new(other.record.digest()),
            named: Box::new(a3.record.digest()),
            by: name("bob"),
            by_sequence: 2,
        }
    );
}

#[test]
fn a_record_that_follows_another_one_fails_closed() {
    let [a1, a2, _, b1, _] = &five();
    let mut changed = Draft::new("alice", 1);
    changed.time += 1;
    let changed = changed.entry();
    assert_eq!(
        refused(&transcript(&[&changed, a2, b1])),
        TranscriptError::Predecessor {
            author: name("alice"),
            sequence: 2,
            named: a1.record.digest(),
            found: changed.record.digest(),
        }
    );
}

fn altered(entry: &Entry, change: impl FnOnce(&mut quorate_protocol::transcript::Leaf)) -> Entry {
    let mut fields = entry.clone().into_inner();
    change(&mut fields.openings[0].leaf);
    Checked::new(fields).expect("keeps the rules")
}

#[test]
fn an_altered_line_fails_closed() {
    let [a1, ..] = &five();
    let line = TranscriptError::Line {
        author: name("alice"),
        sequence: 1,
        line: 0,
    };
    let changed = altered(a1, |leaf| leaf.fact = Fact::Age(2));
    assert_eq!(refused(&transcript(&[&changed])), line);
    let mut fields = a1.clone().into_inner();
    let other = fields.openings[1].leaf.clone();
    fields.openings[0].leaf = other;
    let moved = Checked::new(fields).expect("keeps the rules");
    assert_eq!(refused(&transcript(&[&moved])), line);
}

#[test]
fn a_wrong_salt_fails_closed() {
    let [a1, ..] = &five();
    let changed = altered(a1, |leaf| leaf.salt = Bytes::new(vec![9; 16]).expect("16"));
    assert_eq!(
        refused(&transcript(&[&changed])),
        TranscriptError::Line {
            author: name("alice"),
            sequence: 1,
            line: 0
        }
    );
}

#[test]
fn a_record_of_another_ceremony_fails_closed() {
    let [a1, ..] = &five();
    let mut foreign = Draft::after("alice", a1);
    let other = Digest::from_bytes([7; 32]);
    foreign.definition = Some(other);
    assert_eq!(
        refused(&transcript(&[a1, &foreign.entry()])),
        TranscriptError::Foreign {
            author: name("alice"),
            sequence: 2,
            found: other
        }
    );
}

#[test]
fn a_record_signed_by_another_member_fails_closed() {
    let [a1, ..] = &five();
    let mut forged = Draft::after("alice", a1);
    forged.signer = "bob";
    let error = |signer| TranscriptError::Signature {
        author: name("alice"),
        sequence: 2,
        signer,
    };
    assert_eq!(
        refused(&transcript(&[a1, &forged.entry()])),
        error(Some(name("bob")))
    );
    forged.signer = "mallory";
    assert_eq!(refused(&transcript(&[a1, &forged.entry()])), error(None));
}

#[test]
fn a_record_of_a_stranger_fails_closed() {
    let [a1, ..] = &five();
    let stranger = Draft::new("mallory", 1).entry();
    let key = stranger.record.unverified().author;
    assert_eq!(
        refused(&transcript(&[a1, &stranger])),
        TranscriptError::Stranger {
            place: 2,
            of: None,
            key
        }
    );
    let names = Draft::after("alice", a1).saw("mallory", &stranger).entry();
    assert_eq!(
        refused(&transcript(&[a1, &names])),
        TranscriptError::SeenStranger {
            author: name("alice"),
            sequence: 2,
            key
        }
    );
}

#[test]
fn a_record_that_names_another_genesis_fails_closed() {
    let [a1, ..] = &five();
    let mut draft = Draft::after("alice", a1);
    draft.facts = vec![object("quorate/genesis/v1", 7)];
    let entry = draft.entry();
    // Without a genesis to compare with it is a claim like any other.
    assert!(check(&transcript(&[a1, &entry])).is_ok());
    let with_record = vector("after the first manifest");
    let mut fields = with_record.into_inner();
    fields.entries = [a1, &entry]
        .map(|entry| EntryBytes::new(to_bytes(entry)).expect("short"))
        .to_vec();
    assert_eq!(
        refused(&Checked::new(fields).expect("few")),
        TranscriptError::ForeignGenesis {
            author: name("alice"),
            sequence: 2,
            found: Digest::from_bytes([7; 32])
        }
    );
}

#[test]
fn every_changed_byte_of_a_record_fails_closed() {
    let [a1, _, _, b1, _] = &five();
    let good = to_bytes(a1);
    for at in 0..good.len() {
        for mask in [1, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= mask;
            assert!(check(&raw(vec![bytes, to_bytes(b1)])).is_err(), "byte {at}");
        }
    }
    assert!(check(&raw(vec![good, to_bytes(b1)])).is_ok());
}

#[test]
fn an_entry_that_is_none_is_named_fails_closed() {
    let [a1, ..] = &five();
    let error = refused(&raw(vec![to_bytes(a1), b"noise".to_vec()]));
    assert!(
        matches!(
            error,
            TranscriptError::Malformed {
                place: 2,
                of: None,
                error: DecodeError::Structure { .. }
            }
        ),
        "{error}"
    );
}

#[test]
fn an_oversized_entry_fails_closed() {
    assert!(EntryBytes::new(vec![0; 64 * 1024]).is_ok());
    assert!(EntryBytes::new(vec![0; 64 * 1024 + 1]).is_err());
}

#[test]
fn too_many_records_fails_closed() {
    let fields = |count: usize| {
        let mut fields = transcript(&[]).into_inner();
        let entry = EntryBytes::new(vec![0]).expect("a byte");
        fields.entries = vec![entry; count];
        Checked::new(fields)
    };
    assert!(fields(MAX_RECORDS).is_ok());
    assert!(fields(MAX_RECORDS + 1).is_err());
    // The same through the decoder.
    let mut bytes = to_bytes(&fields(MAX_RECORDS).expect("just enough"));
    let head = [0x99, 0x10, 0x00];
    let at = bytes
        .windows(3)
        .rposition(|part| part == head)
        .expect("the list");
    bytes[at + 2] = 1;
    bytes.extend([0x41, 0]);
    assert!(from_bytes::<Transcript>(&bytes).is_err());
}

#[test]
fn a_transcript_without_records_fails_closed() {
    assert_eq!(refused(&transcript(&[])), TranscriptError::Empty);
}

#[test]
fn another_ceremony_than_the_pinned_one_fails_closed() {
    let five = all(&five());
    let other = Digest::from_bytes([1; 32]);
    let pinned = Expected {
        definition: Some(other),
        ..Expected::default()
    };
    assert_eq!(
        verify(&five, &pinned).expect_err("another definition"),
        TranscriptError::OtherDefinition {
            expected: other,
            found: Digest::of(&definition())
        }
    );
    let pinned = Expected {
        genesis: Some(Digest::from_bytes([1; 32])),
        ..Expected::default()
    };
    assert_eq!(
        verify(&five, &pinned).expect_err("no genesis yet"),
        TranscriptError::GenesisUnknown
    );
    let whole = vector("after the first manifest");
    let Origin::Record(record) = &whole.origin else {
        panic!("a record");
    };
    let found = record.digest();
    assert_eq!(
        verify(&whole, &pinned).expect_err("another genesis"),
        TranscriptError::OtherGenesis {
            expected: Digest::from_bytes([1; 32]),
            found
        }
    );
    let pinned = Expected {
        genesis: Some(found),
        definition: Some(Digest::of(&record.definition)),
        ..Expected::default()
    };
    let verified = verify(&whole, &pinned).expect("the pinned one");
    assert!(verified.genesis.is_some() && verified.chain.is_some());
    assert!(!verified.notes.contains(&Note::Unpinned));
}

/// The vectors' genesis record and chain with one byte changed: refused for what they are.
#[test]
fn a_changed_genesis_record_or_chain_fails_closed() {
    let whole = vector("after the first manifest").into_inner();
    let mut without = whole.clone();
    if let Origin::Record(record) = &mut without.origin {
        record.consents.pop();
    }
    let error = refused(&Checked::new(without).expect("few"));
    assert!(matches!(error, TranscriptError::Genesis(_)), "{error}");
    let mut without = whole;
    without.chain[0].approvals.clear();
    let error = refused(&Checked::new(without).expect("few"));
    assert!(matches!(error, TranscriptError::Chain(_)), "{error}");
}

/// Clocks are claims: a record from the future is shown, and so is one older than its past.
#[test]
fn odd_clocks_are_noted_and_not_refused() {
    let [a1, ..] = &five();
    let mut future = Draft::after("alice", a1);
    future.time = START + 3 * CLOCK_TOLERANCE_MS;
    let future = future.entry();
    let mut past = Draft::new("bob", 1);
    past.time = START;
    let past = past.saw("alice", &future).entry();
    let at = |now: u64| Expected {
        now: Some(UnixMillis(now)),
        ..Expected::default()
    };
    let verified = verify(&transcript(&[a1, &future, &past]), &at(START)).expect("it holds");
    assert!(verified.notes.contains(&Note::FromTheFuture {
        author: name("alice"),
        sequence: 2,
        ahead_ms: 3 * CLOCK_TOLERANCE_MS,
    }));
    assert!(verified.notes.contains(&Note::BeforeItsPast {
        author: name("bob"),
        sequence: 1,
        behind_ms: 3 * CLOCK_TOLERANCE_MS,
    }));
    let later = START + 2 * CLOCK_TOLERANCE_MS;
    let verified = verify(&transcript(&[a1, &future]), &at(later)).expect("it holds");
    let odd = |note: &Note| matches!(note, Note::FromTheFuture { .. });
    assert!(!verified.notes.iter().any(odd), "within the tolerance");
}

#[test]
fn lines_are_withheld_without_another_fingerprint() {
    let five = all(&five());
    let verified = check(&five).expect("it holds");
    for (withhold, open, left) in [
        ("all", None, 0),
        ("kind:age", None, 5),
        ("alice", None, 4),
        ("alice/3", None, 8),
        ("alice/3/1", None, 9),
        ("all", Some("bob"), 4),
    ] {
        let select = |text: &str| Selection::parse(text).expect("a selection");
        let open: Vec<_> = open.map(select).into_iter().collect();
        let (copy, count) = disclose(&five, &verified, &[select(withhold)], &open).expect("a copy");
        let again = check(&copy).expect("it holds");
        assert_eq!(again.fingerprint, verified.fingerprint, "{withhold}");
        let lines = again.records.iter().flat_map(|record| &record.lines);
        let shown = lines.filter(|line| matches!(line, Line::Shown(_))).count();
        assert_eq!((shown, count), (left, 10 - left), "{withhold}");
        if left < 10 {
            let lines = 10 - left;
            assert!(again.notes.contains(&Note::Withheld { lines }));
        }
    }
}

#[test]
fn a_withheld_line_is_not_in_the_file() {
    let mut draft = Draft::new("alice", 1);
    draft.facts = vec![Fact::Remark(word("name"), sentence("a secret sentence"))];
    let whole = transcript(&[&draft.entry()]);
    let verified = check(&whole).expect("it holds");
    let (copy, _) = disclose(&whole, &verified, &[Selection::All], &[]).expect("a copy");
    let holds = |transcript: &Transcript, needle: &[u8]| {
        let bytes = to_bytes(transcript);
        bytes.windows(needle.len()).any(|part| part == needle)
    };
    assert!(holds(&whole, b"a secret sentence") && holds(&whole, &[1; 16]));
    assert!(!holds(&copy, b"a secret sentence") && !holds(&copy, &[1; 16]));
}

#[test]
fn selections_that_are_none_fails_closed() {
    for text in [
        "",
        "kind:",
        "kind:Nonce",
        "Alice",
        "alice/",
        "alice/x",
        "alice/1/256",
        "a/1/1/1",
    ] {
        assert!(Selection::parse(text).is_err(), "{text}");
    }
    assert_eq!(
        Selection::parse("alice/1/2"),
        Ok(Selection::Line(name("alice"), 1, 2))
    );
    // Each kind is one of the contract.
    let leaves = quorate_vectors::committed::cases("transcript-leaf");
    let kinds: Vec<_> = leaves.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(kinds, quorate_transcript::disclose::KINDS);
}

#[test]
fn who_wrote_nothing_and_what_is_open_is_noted() {
    let [a1, _, _, b1, _] = &five();
    let verified = check(&transcript(&[a1, b1])).expect("it holds");
    assert!(verified.notes.contains(&Note::Heads { count: 2 }));
    assert!(verified.notes.contains(&Note::Unpinned));
    assert!(verified.notes.contains(&Note::Development));
    let silent = Note::Silent {
        members: vec![name("carol"), name("dave")],
    };
    assert!(verified.notes.contains(&silent));
}

#[test]
fn acts_are_named_once() {
    let mut names: Vec<_> = Act::ALL.iter().map(|act| act.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 22);
}
