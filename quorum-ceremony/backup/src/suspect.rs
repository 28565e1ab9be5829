//! Which word is probably wrong, when words do not fit their checksum.
//!
//! There are 61,410 other phrases that differ in one word, and 29 in which two neighbours changed
//! places. If exactly one of them fits, it is named: by place, never by word. The checksum has 26
//! bits, so that another one fits by chance in one of a thousand cases; it is a hint where to look,
//! nothing is put right by it.

use zeroize::Zeroizing;

use crate::bits::{Bits, WORDS, join, split};
use crate::payload::fits;

/// Where a person should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspect {
    /// This word, from 1.
    Word(usize),
    /// This word, from 1, and the one after it.
    Swapped(usize),
}

/// The one change that would make the words fit; `None` if there is none, or more than one.
pub(crate) fn suspect(bits: &Bits) -> Option<Suspect> {
    let words: Zeroizing<[u16; WORDS]> = split(bits, 11);
    let mut found = swaps(&words).chain(substitutions(&words));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn swaps(words: &Zeroizing<[u16; WORDS]>) -> impl Iterator<Item = Suspect> {
    (1..WORDS)
        .filter(|second| {
            let mut swapped = words.clone();
            swapped.swap(second - 1, *second);
            swapped != *words && fit(&swapped)
        })
        .map(Suspect::Swapped)
}

fn substitutions(words: &Zeroizing<[u16; WORDS]>) -> impl Iterator<Item = Suspect> {
    (0..WORDS).flat_map(|at| {
        let mut other = words.clone();
        let values = (0..2048).filter(move |value| {
            let Some(word) = other.get_mut(at) else {
                return false;
            };
            *word = *value;
            fit(&other)
        });
        values.map(move |_| Suspect::Word(at.saturating_add(1)))
    })
}

fn fit(words: &Zeroizing<[u16; WORDS]>) -> bool {
    join(&**words, 11).is_some_and(|bits| fits(&bits))
}
