//! The English word list of BIP-39, and choosing from it without saying which word was chosen.
//!
//! Each word has three to eight letters, so it fits a 64-bit number; the list is an array of 2048 of
//! them. Both directions look at every entry.
//!
//! Guarantees: which word it is does not show in time or in the memory that was read.
//! Trusts: `testdata/english.txt`, whose digest a test compares with the published one.
//! Does not: know other languages, or accept shortened words.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// Letters of the longest word.
pub const LONGEST: usize = 8;

/// The words, padded with zero bytes.
static WORDS: [u64; 2048] = read(include_bytes!("../testdata/english.txt"));

/// The word of this index (0 to 2047), its letters first and zero bytes behind them.
#[must_use]
pub fn word(index: u16) -> Zeroizing<[u8; LONGEST]> {
    let mut word = 0u64;
    for (i, candidate) in (0u16..).zip(&WORDS) {
        word.conditional_assign(candidate, i.ct_eq(&index));
    }
    Zeroizing::new(word.to_be_bytes())
}

/// The index of a word.
#[must_use]
pub fn index(text: &str) -> Option<u16> {
    // Short words are filled up with zeros below; text must not bring its own. Walks over all of it.
    let zeros = text.bytes().map(|byte| byte.ct_eq(&0));
    if bool::from(zeros.fold(Choice::from(0), |any, zero| any | zero)) {
        return None;
    }
    let mut word = Zeroizing::new([0; LONGEST]);
    word.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    let word = Zeroizing::new(u64::from_be_bytes(*word));
    let mut index = Zeroizing::new(u16::MAX);
    for (i, candidate) in (0u16..).zip(&WORDS) {
        index.conditional_assign(&i, candidate.ct_eq(&word));
    }
    (*index != u16::MAX).then_some(*index)
}

/// Runs in the compiler only: one word a line.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a wrong index is a compile error"
)]
const fn read(text: &[u8]) -> [u64; 2048] {
    let mut words = [0; 2048];
    let (mut at, mut line) = (0, 0);
    while line < 2048 {
        let (mut word, mut letters) = (0u64, 0);
        while text[at] != b'\n' {
            word = word << 8 | text[at] as u64;
            letters += 1;
            at += 1;
        }
        at += 1;
        words[line] = word << (8 * (LONGEST - letters));
        line += 1;
    }
    assert!(at == text.len());
    words
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::string::String;

    use sha2::{Digest as _, Sha256};

    use super::*;

    /// The digest of `bip-0039/english.txt` in the repository of the BIPs.
    #[test]
    fn the_list_is_the_published_one() {
        let digest = Sha256::digest(include_bytes!("../testdata/english.txt"));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
        );
    }

    #[test]
    fn every_word_is_found_again() {
        let text = include_str!("../testdata/english.txt");
        for (expected, line) in (0u16..).zip(text.lines()) {
            assert_eq!(index(line), Some(expected));
            let word = word(expected);
            let letters = word.iter().take_while(|byte| **byte != 0).count();
            assert_eq!(&word[..letters], line.as_bytes());
        }
        for other in [
            "",
            "a",
            "aban",
            "Abandon",
            "abandons",
            "zooo",
            "ab\0\0",
            "abandonabandon",
        ] {
            assert_eq!(index(other), None, "{other}");
        }
    }
}
