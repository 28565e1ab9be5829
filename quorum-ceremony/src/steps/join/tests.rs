use std::fs;

use super::*;
use crate::error::CeremonyError;
use crate::fixture::{Folders, WORDS, name, passphrase};
use crate::keyfile::KeyFileError;

fn join(
    folders: &Folders,
    member: usize,
    text: &str,
    words: &str,
) -> Result<Joined, CeremonyError> {
    let (shared, private) = (folders.shared(), folders.private(member));
    prepare(&shared, &private, &name(text), None)?.join(passphrase(words))
}

#[test]
fn joining_twice_changes_nothing() {
    let folders = Folders::new();
    let first = join(&folders, 0, "alice", WORDS).unwrap();
    assert!(!first.before);
    let card = folders.workspace().card(&name("alice")).unwrap();
    assert_eq!(card.signing_key, first.keys.signing);
    assert_eq!(card.encryption_key, first.keys.encryption);
    let second = join(&folders, 0, "alice", WORDS).unwrap();
    assert_eq!(
        second,
        Joined {
            before: true,
            ..first
        }
    );
}

/// Interrupted after the key file: the same keys go on.
#[test]
fn interrupted_join_goes_on() {
    let folders = Folders::new();
    let first = join(&folders, 0, "alice", WORDS).unwrap();
    fs::remove_file(folders.private(0).join("pins.cbor")).unwrap();
    fs::remove_file(folders.shared().join("members/alice.cbor")).unwrap();
    let second = join(&folders, 0, "alice", WORDS).unwrap();
    assert_eq!(second.keys, first.keys);
}

#[test]
fn lost_pins_fails_closed() {
    let folders = Folders::new();
    join(&folders, 0, "alice", WORDS).unwrap();
    fs::remove_file(folders.private(0).join("pins.cbor")).unwrap();
    let refused = join(&folders, 0, "alice", WORDS);
    assert_eq!(refused, Err(PinError::Lost.into()));
}

#[test]
fn name_of_another_fails_closed() {
    let folders = Folders::new();
    join(&folders, 0, "alice", WORDS).unwrap();
    assert_eq!(
        join(&folders, 1, "alice", WORDS),
        Err(StepError::NameTaken {
            name: name("alice")
        }
        .into())
    );
    assert_eq!(
        join(&folders, 0, "bob", WORDS),
        Err(StepError::OtherName {
            expected: name("bob"),
            found: name("alice")
        }
        .into())
    );
}

#[test]
fn passphrase_too_short_or_wrong_fails_closed() {
    let folders = Folders::new();
    assert_eq!(
        join(&folders, 0, "alice", "short"),
        Err(KeyFileError::TooShort { found: 5 }.into())
    );
    assert!(!folders.private(0).join("key.cbor").exists());
    join(&folders, 0, "alice", WORDS).unwrap();
    assert_eq!(
        join(&folders, 0, "alice", "another passphrase"),
        Err(KeyFileError::WrongPassphrase.into())
    );
}
