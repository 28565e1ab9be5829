use std::fs;
use std::path::{Path, PathBuf};

use quorate_protocol::cbor::from_bytes;
use quorate_protocol::transcript::Entry;
use quorate_share_backup::Backup;
use quorate_transcript::{Expected, Verified};

use super::*;
use crate::fixture::{Folders, WORDS, World, passphrase};
use crate::steps::restore;
use crate::steps::share::tests::received;
use crate::steps::share::{Proved, open};
use crate::transcript::{JournalError, gather};

/// Folders in which the first member has their share, with a transcript.
fn recording(world: &World) -> Folders {
    let folders = received(world);
    fs::create_dir(folders.shared().join("transcript")).unwrap();
    folders
}

fn prove(folders: &Folders) -> Proved {
    let kept = open(&folders.shared(), &folders.private(0)).unwrap();
    kept.prove(passphrase(WORDS)).ok().unwrap()
}

fn restore(folders: &Folders, backup: &Backup) -> restore::Restored {
    let (folder, private) = (folders.shared(), folders.private(0));
    let restoring = restore::prepare(&restore::Plan {
        folder: &folder,
        private: &private,
        genesis: None,
        key_file: None,
    });
    let restored = restoring.unwrap().restore(backup, passphrase(WORDS));
    restored.unwrap()
}

fn told(folders: &Folders, world: &World) -> Verified {
    let gathered = gather(&folders.workspace()).unwrap();
    let expected = Expected {
        genesis: Some(Digest::of(&world.genesis())),
        ..Expected::default()
    };
    gathered.verify(&expected).unwrap()
}

fn acts(folders: &Folders, world: &World) -> Vec<Act> {
    let told = told(folders, world);
    told.records.iter().map(|record| record.act).collect()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => waiting.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

fn all_files(folders: &Folders) -> Vec<PathBuf> {
    let mut all = files(&folders.shared());
    all.extend(files(&folders.private(0)));
    all
}

#[test]
fn check_backup_and_restore_are_told_and_nothing_of_the_share_is() {
    let world = World::new();
    let folders = recording(&world);
    let mut proved = prove(&folders);
    assert_eq!(proved.record_check(), Recorded::Written);
    // The share was opened once; that is told once.
    assert_eq!(proved.record_check(), Recorded::NoTranscript);
    let mut proved = prove(&folders);
    let recorded = proved.record_backup("words", Paper::Screen);
    assert_eq!(recorded, Ok(Recorded::Written));
    let backup = proved.backup();
    let restored = restore(&folders, &backup);
    assert_eq!(restored.recorded, Recorded::Written);
    fs::remove_file(folders.private(0).join("share.cbor")).unwrap();
    assert_eq!(restore(&folders, &backup).published, Published::Written);

    let told = told(&folders, &world);
    let acts: Vec<Act> = told.records.iter().map(|record| record.act).collect();
    let expected = [Act::Check, Act::Backup, Act::Restore, Act::Restore];
    assert_eq!(acts, expected);
    let which = Fact::Share(
        Index(world.shares[0].index()),
        world.output.commitments.epoch(),
    );
    for record in &told.records {
        assert_eq!(record.author, *world.keys[0].name());
        assert!(record.facts().any(|fact| *fact == which));
        assert!(record.seen.is_empty());
    }
    let says = |at: usize, about: &str, text: &str| {
        let said = remark(about, text).unwrap();
        assert!(
            told.records[at].facts().any(|fact| *fact == said),
            "{about}"
        );
    };
    says(1, "form", "words");
    says(1, "to", "a screen of its own");
    says(
        2,
        "share",
        "was kept already; the paper is the very same share",
    );
    says(3, "share", "came back from paper");

    // In no file of the transcript is the scalar, a word or a row.
    let scalar = world.shares[0].to_bytes();
    let hex: String = scalar.iter().map(|byte| format!("{byte:02x}")).collect();
    let rows = backup.sheet(proved.facts());
    let words = backup.words();
    let in_transcript = |path: &&PathBuf| path.components().any(|c| c.as_os_str() == "transcript");
    let all = all_files(&folders);
    let mut looked_at = 0;
    for path in all.iter().filter(in_transcript) {
        let bytes = fs::read(path).unwrap();
        assert!(!bytes.windows(32).any(|window| window == scalar.as_slice()));
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&hex));
        let lines = rows.lines().chain(words.lines());
        for line in lines.filter(|line| line.len() > 30 && line.contains(' ')) {
            assert!(!text.contains(line.trim()), "{line}");
        }
        looked_at += 1;
    }
    assert!(looked_at >= 8, "{looked_at}");
}

/// A check of a few files that were copied elsewhere needs no transcript and begins none.
#[test]
fn without_a_transcript_nothing_is_written() {
    let world = World::new();
    let folders = received(&world);
    drop(prove(&folders));
    let before = all_files(&folders);
    assert_eq!(prove(&folders).record_check(), Recorded::NoTranscript);
    let recorded = prove(&folders).record_backup("sheet", Paper::File);
    assert_eq!(recorded, Ok(Recorded::NoTranscript));
    let backup = prove(&folders).backup();
    assert_eq!(restore(&folders, &backup).recorded, Recorded::NoTranscript);
    assert_eq!(all_files(&folders), before);
}

/// Somebody takes the transcript out of the shared folder: the member's own records come back, with the
/// new one.
#[test]
fn a_transcript_that_was_taken_away_hides_no_backup() {
    let world = World::new();
    let folders = recording(&world);
    assert_eq!(prove(&folders).record_check(), Recorded::Written);
    fs::remove_dir_all(folders.shared().join("transcript")).unwrap();
    let recorded = prove(&folders).record_backup("qr", Paper::File);
    assert_eq!(recorded, Ok(Recorded::Written));
    assert_eq!(acts(&folders, &world), [Act::Check, Act::Backup]);
}

/// Where the shared folder takes nothing, a check is a check and a paper can be made; both are told later.
#[test]
fn what_cannot_be_recorded_now_is_recorded_next_time() {
    let world = World::new();
    let folders = recording(&world);
    assert_eq!(prove(&folders).record_check(), Recorded::Written);
    let chain = files(&folders.shared().join("transcript")).remove(0);
    let place = chain.parent().unwrap().to_owned();
    fs::remove_dir_all(&place).unwrap();
    fs::write(&place, b"in the way").unwrap();
    let in_the_way = |recorded: Recorded| match recorded {
        Recorded::Not(error) => assert_eq!(error.code(), "file-not-plain"),
        other => panic!("{other:?}"),
    };
    in_the_way(prove(&folders).record_check());
    in_the_way(prove(&folders).record_backup("page", Paper::File).unwrap());
    fs::remove_file(&place).unwrap();
    assert_eq!(prove(&folders).record_check(), Recorded::Written);
    let expected = [Act::Check, Act::Check, Act::Backup, Act::Check];
    assert_eq!(acts(&folders, &world), expected);
}

/// Another chain under the same key: an old copy of the private folder, or a thief. A check says so; a paper
/// is not made.
#[test]
fn a_backup_beside_a_second_chain_of_ones_own_fails_closed() {
    let world = World::new();
    let folders = recording(&world);
    assert_eq!(prove(&folders).record_check(), Recorded::Written);
    let chain = files(&folders.shared().join("transcript")).remove(0);
    let own = folders.private(0).join("transcript");
    let mine = fs::read(&chain).unwrap();
    fs::remove_dir_all(&own).unwrap();
    fs::remove_file(&chain).unwrap();
    assert_eq!(prove(&folders).record_check(), Recorded::Written);
    let theirs: Entry = from_bytes(&fs::read(&chain).unwrap()).unwrap();
    assert_eq!(theirs.record.unverified().sequence, 1);
    fs::write(&chain, &mine).unwrap();

    let forked = CeremonyError::from(JournalError::OwnForked { sequence: 1 });
    let told = prove(&folders).record_check();
    assert_eq!(told, Recorded::Not(Box::new(forked.clone())));
    let refused = prove(&folders).record_backup("words", Paper::Screen);
    assert_eq!(refused, Err(forked));
}

/// Somebody else's file in the place of the member's record is named.
#[test]
fn a_backup_beside_a_strangers_record_in_ones_place_fails_closed() {
    let world = World::new();
    let folders = recording(&world);
    assert_eq!(prove(&folders).record_check(), Recorded::Written);
    let chain = files(&folders.shared().join("transcript")).remove(0);
    let good = fs::read(&chain).unwrap();
    fs::write(&chain, b"no record").unwrap();
    let path = chain.clone();
    let taken = prove(&folders).record_backup("words", Paper::Screen);
    assert_eq!(taken, Err(JournalError::OwnPlaceTaken { path }.into()));
    fs::write(&chain, good).unwrap();
    let recorded = prove(&folders).record_backup("words", Paper::Screen);
    assert_eq!(recorded, Ok(Recorded::Written));
}
