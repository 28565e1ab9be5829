use std::fs;
use std::path::PathBuf;

use quorate_protocol::atoms::Text;
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::token::{TokenIdentity, TokenVersion};
use quorate_protocol::transcript::{Act, Entry, Fact, Word};
use quorate_transcript::{Expected, TranscriptError, Verified};

use super::*;
use crate::error::CeremonyError;
use crate::fixture::{Folders, NAMES, World, name};
use crate::private::PrivateFolder;
use crate::storage::StorageError;
use crate::workspace::Workspace;

/// Three members after the definition, each with an empty private folder.
struct Place {
    world: World,
    folders: Folders,
    workspace: Workspace,
    private: Vec<PrivateFolder>,
}

impl Place {
    fn new() -> Self {
        let (world, folders) = (World::new(), Folders::new());
        let workspace = folders.workspace();
        workspace
            .publish_definition(&world.definition, &world.nitro.anchor())
            .unwrap();
        let private = (0..3).map(|at| PrivateFolder::create(&folders.private(at)).unwrap());
        let private = private.collect();
        Self {
            world,
            folders,
            workspace,
            private,
        }
    }

    fn journal(&self, member: usize) -> Journal<'_> {
        Journal::new(
            &self.private[member],
            &self.workspace,
            Some(Digest::of(&self.world.definition)),
            people(&self.world.definition, &[]),
        )
    }

    /// A member's record of something.
    fn record(&self, member: usize, text: &str) -> Result<usize, CeremonyError> {
        let keys = &self.world.keys[member];
        self.journal(member).record(keys, &content(text))
    }

    fn verify(&self) -> Result<Verified, TranscriptError> {
        gather(&self.workspace)
            .unwrap()
            .verify(&Expected::default())
    }

    fn file(&self, member: usize, sequence: u64) -> PathBuf {
        let keys = &self.world.keys[member];
        let place = journal::place(keys.name(), &keys.public().signing, sequence);
        place
            .iter()
            .fold(self.folders.shared(), |path, part| path.join(part))
    }

    fn told(&self) -> Vec<(String, u64, Act)> {
        let verified = self.verify().unwrap();
        let records = verified.records.iter();
        records
            .map(|record| (record.author.to_string(), record.sequence, record.act))
            .collect()
    }
}

fn content(text: &str) -> Content {
    Content {
        act: Act::Attest,
        facts: vec![Fact::Remark(
            Word::new("test").unwrap(),
            notes::sentence(text),
        )],
    }
}

fn entry(path: &std::path::Path) -> Entry {
    from_bytes(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn members_write_side_by_side_and_name_each_other() {
    let place = Place::new();
    for (member, text) in [(0, "a"), (1, "b"), (0, "c"), (2, "d")] {
        assert_eq!(place.record(member, text), Ok(1));
    }
    let verified = place.verify().unwrap();
    let seen: Vec<_> = verified
        .records
        .iter()
        .map(|record| (record.author.as_str(), record.sequence, record.seen.len()))
        .collect();
    // carol, who wrote last, named the newest of both others; alice's second named bob's first.
    assert_eq!(
        seen,
        [
            ("alice", 1, 0),
            ("bob", 1, 1),
            ("alice", 2, 1),
            ("carol", 1, 2)
        ]
    );
}

#[test]
fn what_is_settled_again_is_not_written_again() {
    let place = Place::new();
    assert_eq!(place.record(0, "a"), Ok(1));
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(0));
    // A crash after the record was kept and before the notes were cleared.
    let notes = waiting(&place.private[0]).unwrap();
    assert!(notes.0.is_empty());
    add(&place.private[0], &content("b"), Effect::None).unwrap();
    let before = waiting(&place.private[0]).unwrap();
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(1));
    notes::store(&place.private[0], &before).unwrap();
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(0));
    assert_eq!(place.told().len(), 2);
}

#[test]
fn a_note_waits_for_what_it_tells_of() {
    let place = Place::new();
    let file = ["consents".to_owned(), "alice.cbor".into()];
    let consent = place.world.consents().remove(0);
    let effect = || Effect::published(&file, &to_bytes(&consent)).unwrap();
    // A crash before the consent was published: there is nothing to tell.
    add(&place.private[0], &content("a"), effect()).unwrap();
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(0));
    assert!(waiting(&place.private[0]).unwrap().0.is_empty());
    // A crash after it: the next step tells it.
    add(&place.private[0], &content("a"), effect()).unwrap();
    place.workspace.publish_consent(&consent).unwrap();
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(1));
    // Another file in its place is not what was noted.
    let other = place.world.consents().remove(1);
    let elsewhere = Effect::published(&file, &to_bytes(&other)).unwrap();
    add(&place.private[0], &content("b"), elsewhere).unwrap();
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(0));
}

#[test]
fn a_share_that_was_sent_without_an_answer_is_told() {
    let place = Place::new();
    let effect = Effect::Sent(Digest::from_bytes([7; 32]));
    add(&place.private[0], &content("sent"), effect).unwrap();
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(1));
    let verified = place.verify().unwrap();
    let facts: Vec<_> = verified.records[0].facts().collect();
    let code = Word::new("no-receipt").unwrap();
    assert!(matches!(facts.last(), Some(Fact::Refused(found, _)) if *found == code));
}

#[test]
fn nothing_but_a_join_is_signed_before_there_is_a_ceremony() {
    let place = Place::new();
    let journal = Journal::new(&place.private[0], &place.workspace, None, Vec::new());
    let mut join = content("join");
    join.act = Act::Join;
    add(&place.private[0], &join, Effect::None).unwrap();
    add(&place.private[0], &content("early"), Effect::None).unwrap();
    assert_eq!(journal.settle(&place.world.keys[0]), Ok(1));
    assert_eq!(waiting(&place.private[0]).unwrap().0.len(), 1);
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(1));
    let acts: Vec<_> = place.told().into_iter().map(|(.., act)| act).collect();
    assert_eq!(acts, [Act::Join, Act::Attest]);
}

#[test]
fn an_own_record_that_was_removed_comes_back() {
    let place = Place::new();
    place.record(0, "a").unwrap();
    place.record(0, "b").unwrap();
    fs::remove_file(place.file(0, 1)).unwrap();
    assert!(place.verify().is_err());
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(0));
    assert_eq!(place.verify().unwrap().records.len(), 2);
}

#[test]
fn a_removed_record_that_was_seen_stops_the_next_step_fails_closed() {
    let place = Place::new();
    place.record(1, "a").unwrap();
    place.record(0, "b").unwrap();
    fs::remove_file(place.file(1, 1)).unwrap();
    let removed = JournalError::Removed {
        author: name("bob"),
        sequence: 1,
    };
    assert_eq!(place.record(0, "c"), Err(removed.into()));
    // bob's next step puts it back, and what waited is told.
    assert_eq!(place.journal(1).settle(&place.world.keys[1]), Ok(0));
    assert_eq!(place.journal(0).settle(&place.world.keys[0]), Ok(1));
}

#[test]
fn a_replaced_record_that_was_seen_stops_the_next_step_fails_closed() {
    let place = Place::new();
    place.record(1, "a").unwrap();
    place.record(0, "b").unwrap();
    // bob's key signs another first record, from a private folder of its own.
    let other = tempfile::tempdir().unwrap();
    let private = PrivateFolder::create(&other.path().join("bob")).unwrap();
    let elsewhere = Workspace::create(&other.path().join("shared")).unwrap();
    let definition = Some(Digest::of(&place.world.definition));
    let journal = Journal::new(&private, &elsewhere, definition, Vec::new());
    journal.record(&place.world.keys[1], &content("x")).unwrap();
    let forged = place.file(1, 1);
    let inside = forged.strip_prefix(place.folders.shared()).unwrap();
    fs::copy(other.path().join("shared").join(inside), &forged).unwrap();
    let replaced = JournalError::Replaced {
        author: name("bob"),
        sequence: 1,
    };
    assert_eq!(place.record(0, "c"), Err(replaced.into()));
    assert!(matches!(
        place.verify().unwrap_err(),
        TranscriptError::Replaced { sequence: 1, .. }
    ));
    // bob, whose private folder has the first one, is told as well.
    let forked = JournalError::OwnForked { sequence: 1 };
    assert_eq!(place.record(1, "d"), Err(forked.into()));
}

#[test]
fn an_old_copy_of_the_private_folder_catches_up_and_never_forks() {
    let place = Place::new();
    place.record(0, "a").unwrap();
    place.record(0, "b").unwrap();
    let lost = place.folders.private(0).join("transcript/own/0002.cbor");
    fs::remove_file(&lost).unwrap();
    assert_eq!(place.record(0, "c"), Ok(1));
    assert!(lost.exists());
    assert_eq!(place.told().len(), 3);
}

#[test]
fn something_else_in_the_place_of_an_own_record_fails_closed() {
    let place = Place::new();
    place.record(0, "a").unwrap();
    place.record(1, "b").unwrap();
    for bytes in [b"noise".to_vec(), fs::read(place.file(1, 1)).unwrap()] {
        fs::write(place.file(0, 2), &bytes).unwrap();
        let path = place.file(0, 2);
        let taken = JournalError::OwnPlaceTaken { path };
        assert_eq!(place.record(0, "c"), Err(taken.into()));
    }
    fs::remove_file(place.file(0, 2)).unwrap();
    assert!(place.journal(0).settle(&place.world.keys[0]).is_ok());
}

/// A record of somebody else that does not follow is not named, so that one bad file stops nobody;
/// the verification names it.
#[test]
fn a_bad_record_of_another_member_is_not_named_fails_closed() {
    let place = Place::new();
    place.record(1, "a").unwrap();
    fs::write(place.file(1, 2), b"noise").unwrap();
    assert_eq!(place.record(0, "b"), Ok(1));
    let error = place.verify().unwrap_err();
    let TranscriptError::Malformed { of, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*of, Some((name("bob"), 2)));
    assert!(
        error
            .to_string()
            .starts_with("record 2 of bob is no record")
    );
}

#[test]
fn a_gap_in_a_folder_fails_closed() {
    let place = Place::new();
    for text in ["a", "b", "c"] {
        place.record(0, text).unwrap();
    }
    fs::remove_file(place.file(0, 2)).unwrap();
    let missing = TranscriptError::Missing {
        author: name("alice"),
        sequence: 2,
        by: name("alice"),
        by_sequence: 3,
    };
    assert_eq!(place.verify().unwrap_err(), missing);
}

#[test]
fn swapped_files_fails_closed() {
    let place = Place::new();
    place.record(0, "a").unwrap();
    place.record(0, "b").unwrap();
    let (one, two) = (place.file(0, 1), place.file(0, 2));
    let (first, second) = (fs::read(&one).unwrap(), fs::read(&two).unwrap());
    fs::write(&one, second).unwrap();
    fs::write(&two, first).unwrap();
    let order = TranscriptError::Order {
        author: name("alice"),
        expected: 1,
        found: 2,
    };
    assert_eq!(place.verify().unwrap_err(), order);
}

#[test]
fn an_oversized_record_file_fails_closed() {
    let place = Place::new();
    place.record(0, "a").unwrap();
    let file = fs::File::create(place.file(0, 2)).unwrap();
    file.set_len(64 * 1024 + 1).unwrap();
    let error = gather(&place.workspace).unwrap_err();
    assert!(
        matches!(&error, CeremonyError::Storage(StorageError::TooLong { path, .. })
            if *path == place.file(0, 2)),
        "{error}"
    );
}

#[test]
fn an_altered_record_file_fails_closed() {
    let place = Place::new();
    place.record(0, "a").unwrap();
    let mut fields = entry(&place.file(0, 1)).into_inner();
    fields.openings[1].leaf.fact = Fact::Safe;
    let altered = Checked::new(fields).unwrap();
    fs::write(place.file(0, 1), to_bytes(&altered)).unwrap();
    let line = TranscriptError::Line {
        author: name("alice"),
        sequence: 1,
        line: 1,
    };
    assert_eq!(place.verify().unwrap_err(), line);
}

#[test]
fn a_record_signed_by_another_member_in_a_folder_fails_closed() {
    let place = Place::new();
    place.record(0, "a").unwrap();
    let mut fields = entry(&place.file(0, 1)).into_inner();
    let record = fields.record.unverified().clone();
    fields.record = Signed::sign(record, &place.world.keys[1].signing_key());
    fs::write(place.file(0, 1), to_bytes(&Checked::new(fields).unwrap())).unwrap();
    let signature = TranscriptError::Signature {
        author: name("alice"),
        sequence: 1,
        signer: Some(name("bob")),
    };
    assert_eq!(place.verify().unwrap_err(), signature);
}

#[test]
fn a_record_of_another_ceremony_in_a_folder_fails_closed() {
    let place = Place::new();
    let other = Digest::from_bytes([9; 32]);
    let journal = Journal::new(&place.private[0], &place.workspace, Some(other), Vec::new());
    journal.record(&place.world.keys[0], &content("a")).unwrap();
    let foreign = TranscriptError::Foreign {
        author: name("alice"),
        sequence: 1,
        found: other,
    };
    assert_eq!(place.verify().unwrap_err(), foreign);
}

#[test]
fn too_many_notes_fails_closed() {
    let place = Place::new();
    for at in 0..MAX_WAITING {
        add(&place.private[0], &content(&at.to_string()), Effect::None).unwrap();
    }
    let full = add(&place.private[0], &content("more"), Effect::None);
    assert_eq!(full, Err(JournalError::Full.into()));
    let settled = place.journal(0).settle(&place.world.keys[0]);
    assert_eq!(settled, Ok(MAX_WAITING));
    assert_eq!(
        add(&place.private[0], &content("more"), Effect::None),
        Ok(())
    );
}

#[test]
fn a_refusal_is_noted_once_and_what_is_the_persons_own_is_not() {
    let place = Place::new();
    let path = place.folders.private(0);
    let file = crate::keyfile::KeyFile::lock(
        &place.world.keys[0],
        &crate::fixture::passphrase(crate::fixture::WORDS),
    )
    .unwrap();
    place.private[0].store_key_file(&file).unwrap();
    let Place { private, .. } = place;
    drop(private);
    let theirs = CeremonyError::from(JournalError::Removed {
        author: name("bob"),
        sequence: 1,
    });
    for _ in 0..3 {
        let back = refused(&path, Act::Provision, theirs.clone());
        assert_eq!(back, theirs);
    }
    drop(refused(&path, Act::Provision, JournalError::Full.into()));
    let private = PrivateFolder::open(&path).unwrap();
    let notes = waiting(&private).unwrap();
    assert_eq!(notes.0.len(), 1);
    let said: Vec<_> = notes.0[0]
        .lines
        .iter()
        .map(|leaf| leaf.fact.kind())
        .collect();
    assert_eq!(said, ["tool", "during", "refused"]);
}

#[test]
fn a_sentence_is_cut_at_a_character_and_holds_no_control() {
    assert_eq!(notes::sentence("a\nb\u{1b}c").as_str(), "a b c");
    let long = "ä".repeat(400);
    assert_eq!(notes::sentence(&long).as_str().len(), 512);
    assert_eq!(NAMES.len(), 3);
}

#[test]
fn a_record_names_the_token_as_far_as_it_tells() {
    let told = |model: &str, serial: &str, firmware| TokenIdentity {
        manufacturer: Text::new("Maker").unwrap(),
        model: Text::new(model).unwrap(),
        serial: Text::new(serial).unwrap(),
        firmware,
        hardware: None,
    };
    let fact = |token: &TokenIdentity| match acts::signed_with(token) {
        Fact::Token(model, serial, firmware) => {
            [model, serial, firmware].map(|word| word.as_str().to_owned())
        }
        other => panic!("{other:?}"),
    };
    let token = told("One", "17", TokenVersion::told(2, 6));
    assert_eq!(fact(&token), ["One", "17", "2.6"]);
    assert_eq!(fact(&told("One", "", None)), ["One", "", "not told"]);
    // As long as a token may have them, and in any script.
    let (model, serial) = ("ü".repeat(24), "9".repeat(48));
    let token = told(&model, &serial, TokenVersion::told(255, 255));
    assert_eq!(fact(&token), [&*model, &*serial, "255.255"]);
}
