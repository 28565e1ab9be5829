//! A fingerprint as words of the PGP word list.
//!
//! Two lists of 256 words, one of two syllables for the bytes at even places and one of three for
//! those at odd places, chosen by their authors to be told apart over a bad line (P. Juola and
//! P. Zimmermann, 1996). A word that is left out, doubled or swapped with its neighbour lands in the
//! wrong list and is noticed. All 32 bytes are read: half of them would let two people who work
//! together find two transcripts with the same words.

use core::fmt::Write as _;

use quorate_protocol::digest::Digest;
use thiserror::Error;

use crate::verify::Fingerprint;

/// One line for each byte: the word for even places, the word for odd places.
const LIST: &str = include_str!("../words.txt");
/// Words in a row, as they are shown.
const ROW: usize = 4;

/// Why words are no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WordsError {
    /// Not 32 words.
    #[error("a fingerprint has 32 words, here are {found}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// A word that is in neither list.
    #[error("word {place} is not of the list")]
    Unknown {
        /// Which, from 1.
        place: usize,
    },
    /// A word of the other list: one before it is missing, doubled or swapped.
    #[error(
        "word {place} belongs to the other list: a word before it is missing, doubled or swapped"
    )]
    OtherList {
        /// Which, from 1.
        place: usize,
    },
}

/// The words of a fingerprint, 32 of them.
#[must_use]
pub fn words(fingerprint: &Fingerprint) -> Vec<&'static str> {
    let list: Vec<(&str, &str)> = pairs().collect();
    let bytes = fingerprint.as_bytes().iter().enumerate();
    bytes
        .filter_map(|(place, byte)| {
            let (even, odd) = list.get(usize::from(*byte))?;
            Some(if place % 2 == 0 { *even } else { *odd })
        })
        .collect()
}

/// Two words for the first two bytes of a digest: enough to say what one agrees to, and no proof of
/// it.
#[must_use]
pub fn pair(digest: &[u8; 32]) -> [&'static str; 2] {
    let [first, second, ..] = digest;
    let row = |byte: u8| pairs().nth(usize::from(byte)).unwrap_or_default();
    [row(*first).0, row(*second).1]
}

/// The words in rows of four, numbered, as they are read aloud.
#[must_use]
pub fn rows(fingerprint: &Fingerprint) -> Vec<String> {
    let words = words(fingerprint);
    let rows = words.chunks(ROW).enumerate();
    rows.map(|(row, words)| {
        let mut text = format!("{:>2}", row * ROW + 1);
        for word in words {
            // Writing to a String cannot fail.
            let _ = write!(text, "  {word:<11}");
        }
        text.trim_end().to_owned()
    })
    .collect()
}

/// Reads words as people type them: in either case, between spaces, commas or line breaks. Numbers
/// before rows are passed over.
///
/// # Errors
/// [`WordsError`], which names the first word that is wrong.
pub fn parse(text: &str) -> Result<Fingerprint, WordsError> {
    let typed = text.split(|c: char| c.is_whitespace() || c == ',' || c == '-');
    let typed = typed.filter(|word| !word.is_empty());
    let typed = typed.filter(|word| !word.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let mut bytes = Vec::new();
    let mut found = 0_usize;
    for (index, word) in typed.enumerate() {
        found = index.saturating_add(1);
        if found > 32 {
            continue;
        }
        let place = |odd: bool| {
            pairs().position(|(a, b)| (if odd { b } else { a }).eq_ignore_ascii_case(word))
        };
        let odd = index % 2 == 1;
        match (place(odd), place(!odd)) {
            (Some(byte), _) => bytes.push(u8::try_from(byte).unwrap_or_default()),
            (None, Some(_)) => return Err(WordsError::OtherList { place: found }),
            (None, None) => return Err(WordsError::Unknown { place: found }),
        }
    }
    let whole: Result<[u8; 32], _> = bytes.try_into();
    match whole {
        Ok(bytes) if found == 32 => Ok(Digest::from_bytes(bytes)),
        _ => Err(WordsError::Count { found }),
    }
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIST.lines().filter_map(|line| line.split_once(' '))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn spoken(hex: &str) -> String {
        let bytes = quorate_vectors::unhex(hex);
        let list: Vec<_> = pairs().collect();
        let words = bytes.iter().enumerate().map(|(place, byte)| {
            let (even, odd) = list[usize::from(*byte)];
            if place % 2 == 0 { even } else { odd }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// A fingerprint published with the list's description, and one of another implementation.
    #[test]
    fn the_list_agrees_with_published_fingerprints() {
        assert_eq!(
            spoken("e58294f2e9a227486e8b061b31cc528fd7fa3f19"),
            "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa \
             afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell \
             bottomless"
        );
        assert_eq!(
            spoken("12b4b0057400076fa5c0f5cbf726ac65"),
            "atlas politeness ruffled almighty indoors adroitness ahead hemisphere reindeer recipe \
             vapor revival virus caretaker ribcage glossary"
        );
    }

    /// As in the package `magic-wormhole` 0.24, compared word by word; `hex2words` 0.1 has the same
    /// words but for the last, which it lacks. This is the SHA-256 of the list in lower case.
    #[test]
    fn the_list_is_that_of_other_implementations() {
        use sha2::{Digest as _, Sha256};
        assert_eq!(
            quorate_vectors::hex(&Sha256::digest(LIST.to_lowercase())),
            "a24d0bcb9d754b40963109851b38ae943464a66944ca76d5698fb002761c0138"
        );
    }

    #[test]
    fn no_word_stands_twice_in_either_list_or_in_both() {
        let words = pairs().flat_map(|(even, odd)| [even.to_lowercase(), odd.to_lowercase()]);
        let distinct: BTreeSet<_> = words.collect();
        assert_eq!((pairs().count(), distinct.len()), (256, 512));
    }

    #[test]
    fn what_is_read_aloud_is_read_back() {
        for byte in 0..=255_u8 {
            let fingerprint = Digest::from_bytes([byte; 32]);
            assert_eq!(parse(&words(&fingerprint).join(" ")), Ok(fingerprint));
            let typed = rows(&fingerprint).join("\n").to_uppercase();
            assert_eq!(parse(&typed), Ok(fingerprint));
        }
    }

    #[test]
    fn a_word_that_is_missing_doubled_swapped_or_unknown_fails_closed() {
        let good: Vec<_> = words(&Digest::from_bytes(core::array::from_fn(|at| at as u8)));
        let said = |change: &dyn Fn(&mut Vec<&str>)| {
            let mut words = good.clone();
            change(&mut words);
            parse(&words.join(" "))
        };
        assert!(said(&|_| {}).is_ok());
        let missing = said(&|words| {
            words.remove(4);
        });
        assert_eq!(missing, Err(WordsError::OtherList { place: 5 }));
        let doubled = said(&|words| words.insert(4, words[4]));
        assert_eq!(doubled, Err(WordsError::OtherList { place: 6 }));
        let swapped = said(&|words| words.swap(8, 9));
        assert_eq!(swapped, Err(WordsError::OtherList { place: 9 }));
        let unknown = said(&|words| words[31] = "quorate");
        assert_eq!(unknown, Err(WordsError::Unknown { place: 32 }));
        let short = said(&|words| words.truncate(16));
        assert_eq!(short, Err(WordsError::Count { found: 16 }));
        let long = said(&|words| words.push("aardvark"));
        assert_eq!(long, Err(WordsError::Count { found: 33 }));
    }
}
