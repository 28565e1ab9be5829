//! A backup as thirty English words of BIP-39, in six lines of five.
//!
//! They are not a wallet's mnemonic: thirty is a number of words that BIP-39 does not have, so no
//! wallet takes them. Reading takes small and capital letters and any space between words.

use thiserror::Error;
use zeroize::Zeroizing;

use crate::bits::{WORDS, join, split};
use crate::payload::{Backup, BackupError};
use crate::suspect::suspect;

/// Words of a backup.
pub const COUNT: usize = WORDS;
/// Words on a line.
pub const PER_LINE: usize = 5;
/// Longest text that is read, in bytes.
pub const MAX_TEXT: usize = 1024;

/// Why a text is not the words of a backup. No word is in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WordsError {
    /// All words are known, but together they are no backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Too few or too many words.
    #[error("{found} words; a backup has {COUNT}")]
    Count {
        /// Words found.
        found: usize,
    },
    /// The text is longer than any backup.
    #[error("the text has more than {MAX_TEXT} bytes")]
    TooLong,
    /// A word is not in the list.
    #[error("word {number} is not in the list")]
    Unknown {
        /// Which one, from 1.
        number: usize,
    },
}

/// Whether a word is in the list, in small or capital letters.
#[must_use]
pub fn is_word(word: &str) -> bool {
    index(word).is_some()
}

impl Backup {
    /// The words, five on a line, each line ended.
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        let indexes = split::<WORDS>(&self.to_bits(), 11);
        // Never grows, so that no copy is left behind.
        let mut text = Zeroizing::new(String::with_capacity(WORDS * (quorate_words::LONGEST + 1)));
        for (number, index) in (1..).zip(indexes.iter()) {
            let word = quorate_words::word(*index);
            let letters = word.iter().take_while(|byte| **byte != 0);
            text.extend(letters.map(|byte| char::from(*byte)));
            text.push(if number % PER_LINE == 0 { '\n' } else { ' ' });
        }
        text
    }

    /// Reads words.
    ///
    /// # Errors
    /// [`WordsError`].
    pub fn from_words(text: &str) -> Result<Self, WordsError> {
        if text.len() > MAX_TEXT {
            return Err(WordsError::TooLong);
        }
        let found = text.split_ascii_whitespace().count();
        let mut indexes = Zeroizing::new([0; WORDS]);
        let words = text.split_ascii_whitespace();
        for (number, (space, word)) in (1..).zip(indexes.iter_mut().zip(words)) {
            *space = index(word).ok_or(WordsError::Unknown { number })?;
        }
        if found != WORDS {
            return Err(WordsError::Count { found });
        }
        // Eleven bits each: the list has 2048 words.
        let bits = join(&*indexes, 11).ok_or(WordsError::Count { found })?;
        Self::from_bits(&bits).map_err(|error| match error {
            BackupError::Checksum { .. } => {
                let suspect = suspect(&bits);
                BackupError::Checksum { suspect }.into()
            }
            error => error.into(),
        })
    }
}

fn index(word: &str) -> Option<u16> {
    let mut small = Zeroizing::new(String::with_capacity(word.len()));
    small.push_str(word);
    small.make_ascii_lowercase();
    quorate_words::index(&small)
}

#[cfg(test)]
mod tests;
