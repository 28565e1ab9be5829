//! Mnemonics of BIP-39: entropy as English words, and the seed that comes of them.
//!
//! Entropy of 16, 20, 24, 28 or 32 bytes is followed by the first bits of its SHA-256, one for each
//! four bytes, and cut into groups of eleven bits; each names a word.
//!
//! Guarantees: words that do not fit their checksum are refused. Text is accepted in one form only:
//! lower case, single spaces.
//!
//! Trusts: the caller, that entropy is random. Does not: accept a passphrase outside ASCII, because
//! BIP-39 asks for a normalization (NFKD) whose tables this crate does not carry; in ASCII there is
//! nothing to normalize.

use alloc::string::String;

use pbkdf2::pbkdf2_hmac;
use quorate_words as words;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Rounds of PBKDF2, from BIP-39.
const ROUNDS: u32 = 2048;
/// Longest text: 24 words of eight letters, and the spaces between.
const MAX_TEXT: usize = 24 * (words::LONGEST + 1) - 1;
/// Entropy and checksum of 24 words.
const MAX_BITS: usize = 33;

/// How many words a mnemonic has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WordCount {
    /// 128 bits of entropy.
    Twelve,
    /// 160 bits.
    Fifteen,
    /// 192 bits.
    Eighteen,
    /// 224 bits.
    TwentyOne,
    /// 256 bits.
    #[default]
    TwentyFour,
}

impl WordCount {
    /// From the number of words.
    pub fn new(words: usize) -> Option<Self> {
        Some(match words {
            12 => Self::Twelve,
            15 => Self::Fifteen,
            18 => Self::Eighteen,
            21 => Self::TwentyOne,
            24 => Self::TwentyFour,
            _ => return None,
        })
    }

    /// The number of words.
    pub fn words(self) -> usize {
        match self {
            Self::Twelve => 12,
            Self::Fifteen => 15,
            Self::Eighteen => 18,
            Self::TwentyOne => 21,
            Self::TwentyFour => 24,
        }
    }

    /// Bytes of entropy.
    pub fn entropy_len(self) -> usize {
        self.words() / 3 * 4
    }
}

/// Why entropy or text is no mnemonic. Whoever gave it is at fault. No word is in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MnemonicError {
    /// The words do not fit their checksum: one is wrong, or two are exchanged.
    #[error("the words do not fit their checksum: one is wrong, or two are exchanged")]
    Checksum,
    /// Entropy is 16, 20, 24, 28 or 32 bytes.
    #[error("entropy of {found} bytes; 16, 20, 24, 28 or 32 are accepted")]
    EntropyLength {
        /// Bytes found.
        found: usize,
    },
    /// The text is longer than any mnemonic.
    #[error("the text has {found} bytes, more than any mnemonic")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// A word is not in the English list; words are lower case, with one space between them.
    #[error("word {number} is not in the English list (lower case, one space between words)")]
    UnknownWord {
        /// Which one, from 1.
        number: usize,
    },
    /// A mnemonic has 12, 15, 18, 21 or 24 words.
    #[error("{found} words; 12, 15, 18, 21 or 24 are accepted")]
    WordCount {
        /// Words found.
        found: usize,
    },
}

/// A passphrase has characters outside ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase has characters outside ASCII, which are not accepted")]
pub struct PassphraseNotAscii;

/// The words of a wallet. Erased when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Mnemonic {
    entropy: [u8; 32],
    #[zeroize(skip)]
    count: WordCount,
}

/// What BIP-39 calls the passphrase, appended to the word `mnemonic` as salt.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Passphrase {
    salt: String,
}

/// What BIP-32 starts from. Erased when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seed(pub(crate) [u8; 64]);

impl Mnemonic {
    /// The mnemonic of this entropy.
    ///
    /// # Errors
    /// [`MnemonicError::EntropyLength`]
    pub fn from_entropy(bytes: &[u8]) -> Result<Self, MnemonicError> {
        let found = bytes.len();
        let refused = MnemonicError::EntropyLength { found };
        let words = found / 4 * 3;
        let count = WordCount::new(words).filter(|_| found.is_multiple_of(4));
        let count = count.ok_or(refused)?;
        let mut mnemonic = Self {
            entropy: [0; 32],
            count,
        };
        let space = mnemonic.entropy.get_mut(..found).ok_or(refused)?;
        space.copy_from_slice(bytes);
        Ok(mnemonic)
    }

    /// Reads words: lower case, one space between them, nothing before or after.
    ///
    /// # Errors
    /// [`MnemonicError`]
    pub fn from_phrase(text: &str) -> Result<Self, MnemonicError> {
        if text.len() > MAX_TEXT {
            let found = text.len();
            return Err(MnemonicError::TooLong { found });
        }
        let found = text.split(' ').count();
        let count = WordCount::new(found).ok_or(MnemonicError::WordCount { found })?;
        let mut bits = Zeroizing::new([0; MAX_BITS]);
        for (at, word) in text.split(' ').enumerate() {
            let number = at + 1;
            let index = words::index(word).ok_or(MnemonicError::UnknownWord { number })?;
            let index = Zeroizing::new(index);
            put(&mut bits, at * 11, *index);
        }
        let entropy = bits.get(..count.entropy_len()).unwrap_or_default();
        let mnemonic = Self::from_entropy(entropy)?;
        let again = mnemonic.bits();
        if bool::from(again.as_slice().ct_eq(bits.as_slice())) {
            Ok(mnemonic)
        } else {
            Err(MnemonicError::Checksum)
        }
    }

    /// How many words it has.
    pub fn word_count(&self) -> WordCount {
        self.count
    }

    /// The entropy it was made from.
    pub fn entropy(&self) -> &[u8] {
        self.entropy
            .get(..self.count.entropy_len())
            .unwrap_or_default()
    }

    /// The words, with one space between them.
    pub fn phrase(&self) -> Zeroizing<String> {
        let bits = self.bits();
        // Never grows, so that no copy is left behind.
        let mut phrase = Zeroizing::new(String::with_capacity(MAX_TEXT));
        for at in 0..self.count.words() {
            if at > 0 {
                phrase.push(' ');
            }
            let index = Zeroizing::new(take(&bits, at * 11));
            let word = words::word(*index);
            let letters = word.iter().filter(|letter| **letter != 0);
            letters.for_each(|letter| phrase.push(char::from(*letter)));
        }
        phrase
    }

    /// The seed: 2048 rounds of PBKDF2 with HMAC-SHA-512, about a millisecond.
    pub fn seed(&self, passphrase: &Passphrase) -> Seed {
        let mut seed = Seed([0; 64]);
        let (phrase, salt) = (self.phrase(), passphrase.salt.as_bytes());
        pbkdf2_hmac::<Sha512>(phrase.as_bytes(), salt, ROUNDS, &mut seed.0);
        seed
    }

    /// Entropy and checksum, the rest zero.
    fn bits(&self) -> Zeroizing<[u8; MAX_BITS]> {
        let mut bits = Zeroizing::new([0; MAX_BITS]);
        let entropy = self.entropy();
        for (to, from) in bits.iter_mut().zip(entropy) {
            *to = *from;
        }
        let digest: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(entropy).into());
        let checksum_bits = entropy.len() / 4;
        if let (Some(to), [from, ..]) = (bits.get_mut(entropy.len()), digest.as_slice()) {
            *to = from & !(0xff_u8.checked_shr(checksum_bits as u32).unwrap_or(0));
        }
        bits
    }
}

/// Writes eleven bits at this place.
fn put(bits: &mut [u8; MAX_BITS], place: usize, value: u16) {
    for i in 0..11 {
        let bit = (value >> (10 - i) & 1) as u8;
        if let Some(byte) = bits.get_mut((place + i) / 8) {
            *byte |= bit << (7 - (place + i) % 8);
        }
    }
}

/// Reads eleven bits at this place.
fn take(bits: &[u8; MAX_BITS], place: usize) -> u16 {
    (place..place + 11).fold(0, |value, at| {
        let byte = bits.get(at / 8).copied().unwrap_or_default();
        value << 1 | u16::from(byte >> (7 - at % 8) & 1)
    })
}

impl Passphrase {
    /// No passphrase, the usual case.
    pub fn none() -> Self {
        Self {
            salt: String::from("mnemonic"),
        }
    }

    /// A passphrase.
    ///
    /// # Errors
    /// [`PassphraseNotAscii`]
    pub fn new(text: &str) -> Result<Self, PassphraseNotAscii> {
        if !text.is_ascii() {
            return Err(PassphraseNotAscii);
        }
        let mut salt = String::with_capacity(text.len().saturating_add(8));
        salt.push_str("mnemonic");
        salt.push_str(text);
        Ok(Self { salt })
    }
}

impl Seed {
    /// A seed that was kept.
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        Self(*bytes)
    }

    /// Its bytes, to be sealed.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}
