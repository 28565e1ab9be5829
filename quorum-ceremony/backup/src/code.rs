//! The code that repairs a row: Reed–Solomon over the field of 32 elements.
//!
//! A codeword has sixteen symbols of five bits: the number of the row, which is known and never
//! written, eleven of data and four of parity. It is a shortening of the code of length 31 whose
//! generator has the roots 1, α, α² and α³, with α a root of x⁵ + x² + 1. Two codewords differ in
//! at least five places.
//!
//! Guarantees ([`repair`]):
//!
//! * one wrong symbol, or up to three that are marked unreadable, are put right;
//! * two or three wrong symbols are always noticed, and so are up to three wrong beside one
//!   unreadable, two beside two, one beside three. The code could repair two wrong symbols; it is
//!   not let, because then of rows with more every sixth would be mis-repaired silently;
//! * a row that was read under the number of another row is noticed, and its number is told;
//! * of rows that are all wrong 466 in 2²⁰ (0.044 %) are taken for one with a single wrong symbol
//!   or none. A checksum over all rows is behind that, and behind it the commitments.
//!
//! Does not: hide in its time how many symbols were wrong, or where. Whoever watches the typing
//! person's processor that closely sees the screen as well.

use zeroize::Zeroizing;

/// Symbols of data in a row.
pub(crate) const DATA: usize = 11;
/// Symbols of parity in a row.
pub(crate) const PARITY: usize = 4;
/// Symbols of a row that are written.
pub(crate) const WRITTEN: usize = DATA + PARITY;
/// Most symbols of a row that may be unreadable. One symbol of parity is left to notice more.
pub(crate) const MOST_UNREADABLE: usize = 3;

/// x⁵ + x² + 1.
const MODULUS: u8 = 0b10_0101;
/// The product of x − αʲ for j from 0 to 3, without its leading coefficient.
const GENERATOR: [u8; PARITY] = [15, 19, 23, 10];

/// What was put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repaired {
    /// Nothing had to be.
    Nothing,
    /// What was unreadable has been filled in.
    Filled,
    /// The symbol at this place, from 0.
    Wrong(usize),
}

/// Why a row cannot be repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Irreparable {
    /// Too many symbols are wrong.
    Beyond,
    /// It fits as the row of this number.
    OtherRow(u8),
    /// Too many symbols are unreadable.
    Unreadable(usize),
}

/// The parity of a row.
pub(crate) fn parity(row: u8, data: &[u8; DATA]) -> Zeroizing<[u8; PARITY]> {
    let mut rest = Zeroizing::new([0; PARITY]);
    for symbol in core::iter::once(&row).chain(data) {
        let [first, second, third, fourth] = *rest;
        let factor = symbol ^ first;
        let shifted = [second, third, fourth, 0];
        for ((to, from), coefficient) in rest.iter_mut().zip(shifted).zip(GENERATOR) {
            *to = from ^ multiply(factor, coefficient);
        }
    }
    rest
}

/// Puts a row right, as far as the code is let. A symbol that is `None` is unreadable.
///
/// # Errors
/// [`Irreparable`]; the row is then as it was.
pub(crate) fn repair(
    row: u8,
    written: &[Option<u8>; WRITTEN],
) -> Result<(Zeroizing<[u8; WRITTEN]>, Repaired), Irreparable> {
    let mut symbols = Zeroizing::new(written.map(Option::unwrap_or_default));
    let unreadable: Vec<(usize, u8)> = (0_usize..)
        .zip(written)
        .filter(|(_, symbol)| symbol.is_none())
        .map(|(place, _)| (place, locator(place.saturating_add(1))))
        .collect();
    if unreadable.len() > MOST_UNREADABLE {
        return Err(Irreparable::Unreadable(unreadable.len()));
    }
    let syndromes = syndromes(row, &symbols);
    if unreadable.is_empty() {
        let repaired = match single(&syndromes)? {
            None => Repaired::Nothing,
            Some((0, error)) => return Err(other_row(row ^ error)),
            Some((position, error)) => {
                let place = position.saturating_sub(1);
                if let Some(symbol) = symbols.get_mut(place) {
                    *symbol ^= error;
                }
                Repaired::Wrong(place)
            }
        };
        return Ok((symbols, repaired));
    }
    // What the unreadable places cannot explain is an error elsewhere.
    let all = unreadable.iter().map(|(_, locator)| *locator);
    if annihilated(&syndromes, all).iter().any(|rest| *rest != 0) {
        return Err(Irreparable::Beyond);
    }
    for (place, locator) in &unreadable {
        let others = || unreadable.iter().map(|(_, l)| *l).filter(|l| l != locator);
        let scale = others().fold(1, |scale, other| multiply(scale, locator ^ other));
        let error = annihilated(&syndromes, others());
        let error = error.first().copied().unwrap_or_default();
        if let Some(symbol) = symbols.get_mut(*place) {
            *symbol = multiply(error, inverse(scale));
        }
    }
    Ok((symbols, Repaired::Filled))
}

/// The position and value of the one error that explains the syndromes.
fn single(syndromes: &[u8; PARITY]) -> Result<Option<(usize, u8)>, Irreparable> {
    if syndromes.iter().all(|syndrome| *syndrome == 0) {
        return Ok(None);
    }
    let [error, ..] = *syndromes;
    let explains = |position: &usize| {
        let alone = [locator(*position)];
        annihilated(syndromes, alone.into_iter())
            .iter()
            .all(|rest| *rest == 0)
    };
    let position = (0..=WRITTEN).find(|position| error != 0 && explains(position));
    position
        .map(|position| Some((position, error)))
        .ok_or(Irreparable::Beyond)
}

fn other_row(row: u8) -> Irreparable {
    match row {
        1..=6 => Irreparable::OtherRow(row),
        _ => Irreparable::Beyond,
    }
}

/// The values of the codeword at 1, α, α² and α³: all zero exactly for a codeword.
fn syndromes(row: u8, written: &[u8; WRITTEN]) -> Zeroizing<[u8; PARITY]> {
    let mut syndromes = Zeroizing::new([0; PARITY]);
    for (syndrome, exponent) in syndromes.iter_mut().zip(0..) {
        let root = power(2, exponent);
        *syndrome = core::iter::once(&row)
            .chain(written)
            .fold(0, |sum, symbol| multiply(sum, root) ^ symbol);
    }
    syndromes
}

/// Takes the contribution of an error at each of these locators out of the syndromes, which become
/// fewer by one each time; an error at another locator m is left multiplied by m − locator.
fn annihilated(syndromes: &[u8; PARITY], locators: impl Iterator<Item = u8>) -> Zeroizing<Vec<u8>> {
    locators.fold(Zeroizing::new(syndromes.to_vec()), |rest, locator| {
        let next = rest.iter().skip(1).zip(rest.iter());
        let next = next.map(|(later, earlier)| later ^ multiply(locator, *earlier));
        Zeroizing::new(next.collect())
    })
}

/// α to the power of the position's degree; position 0 is the number of the row.
fn locator(position: usize) -> u8 {
    power(2, WRITTEN.saturating_sub(position))
}

fn power(base: u8, exponent: usize) -> u8 {
    (0..exponent).fold(1, |product, _| multiply(product, base))
}

/// 1/x: the 30th power, since the 31st is 1.
fn inverse(symbol: u8) -> u8 {
    power(symbol, 30)
}

/// The product of two elements, without a table, so that no memory access depends on them.
const fn multiply(left: u8, right: u8) -> u8 {
    let (mut product, mut shifted, mut bit) = (0, left, 0);
    while bit < 5 {
        product ^= shifted & 0_u8.wrapping_sub(right >> bit & 1);
        shifted <<= 1;
        shifted ^= MODULUS & 0_u8.wrapping_sub(shifted >> 5 & 1);
        bit += 1;
    }
    product
}

#[cfg(test)]
mod tests;
