use proptest::prelude::*;

use super::*;
use crate::fixture::{Key, frozen};
use crate::suspect::Suspect;

fn refused(text: &str) -> WordsError {
    Backup::from_words(text).err().expect("refused")
}

fn changed(words: &str, change: impl FnOnce(&mut Vec<&str>)) -> String {
    let mut words: Vec<&str> = words.split_whitespace().collect();
    change(&mut words);
    words.join(" ")
}

#[test]
fn thirty_words_come_back_in_any_spacing_and_case() {
    let key = Key::new(1);
    let words = key.backup(2).words();
    assert_eq!(words.lines().count(), 6);
    assert!(words.lines().all(|line| line.split(' ').count() == 5));
    for text in [
        words.to_string(),
        words.to_uppercase(),
        words.replace(' ', "\n"),
        words.replace('\n', " \t  "),
    ] {
        let read = Backup::from_words(&text).ok().unwrap();
        assert!(read.prove(&key.expected(2)).is_ok());
    }
}

/// Frozen: this is the layout of format 1. `oracles/differential/tests/backup.rs` makes the same
/// words with other people's word list and base 32.
#[test]
fn the_words_of_a_known_share() {
    let words = Key::new(1).backup(0).words();
    frozen("words.txt", &words);
}

#[test]
fn a_wrong_word_is_named_by_its_place_fails_closed() {
    let words = Key::new(1).backup(0).words();
    for at in [0, 13, 29] {
        let text = changed(&words, |words| {
            words[at] = if words[at] == "zoo" { "zone" } else { "zoo" };
        });
        let suspect = Some(Suspect::Word(at + 1));
        assert_eq!(
            refused(&text),
            WordsError::Backup(BackupError::Checksum { suspect })
        );
    }
    assert!(Backup::from_words(&words).is_ok());
}

#[test]
fn exchanged_words_are_named_by_their_place_fails_closed() {
    let words = Key::new(1).backup(0).words();
    let text = changed(&words, |words| words.swap(6, 7));
    let suspect = Some(Suspect::Swapped(7));
    let error = refused(&text);
    assert_eq!(error, WordsError::Backup(BackupError::Checksum { suspect }));
    assert!(error.to_string().contains("words 7 and 8"));
}

#[test]
fn two_wrong_words_fails_closed() {
    let words = Key::new(1).backup(0).words();
    let text = changed(&words, |words| {
        words[3] = if words[3] == "zoo" { "zone" } else { "zoo" };
        words[20] = if words[20] == "zoo" { "zone" } else { "zoo" };
    });
    let suspect = None;
    assert_eq!(
        refused(&text),
        WordsError::Backup(BackupError::Checksum { suspect })
    );
}

#[test]
fn words_outside_the_list_fails_closed() {
    let words = Key::new(1).backup(0).words();
    let number = 12;
    for other in ["quorate", "abandonn", "aban", "1", "é"] {
        let text = changed(&words, |words| words[number - 1] = other);
        assert_eq!(refused(&text), WordsError::Unknown { number });
    }
    assert!(is_word("Abandon") && !is_word("abandons"));
}

#[test]
fn too_few_or_too_many_words_fails_closed() {
    let words = Key::new(1).backup(0).words();
    assert_eq!(refused(""), WordsError::Count { found: 0 });
    for found in [12, 24, 29, 31] {
        let text: Vec<&str> = words.split_whitespace().cycle().take(found).collect();
        assert_eq!(refused(&text.join(" ")), WordsError::Count { found });
    }
    assert_eq!(refused(&" ".repeat(MAX_TEXT + 1)), WordsError::TooLong);
    assert_eq!(
        refused(&" ".repeat(MAX_TEXT)),
        WordsError::Count { found: 0 }
    );
}

proptest! {
    #[test]
    fn words_of_every_share_come_back(seed: u8, share in 0_usize..5) {
        let key = Key::new(seed);
        let read = Backup::from_words(&key.backup(share).words()).ok().unwrap();
        prop_assert!(read.prove(&key.expected(share)).is_ok());
    }
}
