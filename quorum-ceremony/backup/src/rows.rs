//! A backup as six rows of fifteen characters, each of which repairs itself.
//!
//! A row is eleven characters of the backup and four of parity, in three groups of five:
//! `row 3  7QK2M 9XWE4 R8H0T`. [`read`] takes one row at a time, so that a person is told about it
//! while the paper is before them; [`Rows`] collects them.

use core::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::alphabet::{Character, character};
use crate::bits::{SYMBOLS, join, split};
use crate::code::{self, DATA, Irreparable, Repaired, WRITTEN};
use crate::payload::{Backup, BackupError};

/// Rows of a backup.
pub const COUNT: usize = SYMBOLS / DATA;
/// Characters of a row.
pub const LENGTH: usize = WRITTEN;
/// Characters between two spaces.
pub const GROUP: usize = 5;
/// Most characters of a row that may be unreadable.
pub const MOST_UNREADABLE: usize = code::MOST_UNREADABLE;
/// Longest text of a sheet that is read, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;

/// The number of a row, from 1 to 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowNumber(u8);

impl RowNumber {
    /// Every row.
    pub const ALL: [Self; COUNT] = [Self(1), Self(2), Self(3), Self(4), Self(5), Self(6)];

    /// The row of this number.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|row| row.0 == number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for RowNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of a character in its row, from 1 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(usize);

impl Place {
    /// Counted from 1, spaces left out.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

/// `character 8 (group 2, third)` in numbers.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.0.saturating_sub(1);
        let (group, within) = (before / GROUP + 1, before % GROUP + 1);
        write!(f, "character {} (number {within} of group {group})", self.0)
    }
}

/// What was put right in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing had to be.
    Nothing,
    /// These characters could not be read and were filled in.
    Filled(Vec<Place>),
    /// This character was wrong.
    Wrong(Place),
}

/// Why a row cannot be used. No character of it is in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RowError {
    /// A character that no row has.
    #[error("row {row}: {place} is no character of a sheet")]
    Character {
        /// The row.
        row: RowNumber,
        /// Where.
        place: Place,
    },
    /// Too few or too many characters.
    #[error("row {row} has {LENGTH} characters, these are {found}")]
    Length {
        /// The row.
        row: RowNumber,
        /// Characters found.
        found: usize,
    },
    /// It is another row.
    #[error("this is row {found}, not row {row}")]
    OtherRow {
        /// The row that was asked for.
        row: RowNumber,
        /// The row it is.
        found: RowNumber,
    },
    /// More than one character is wrong; where cannot be told.
    #[error("row {row}: two or more characters are wrong")]
    Wrong {
        /// The row.
        row: RowNumber,
    },
    /// Too many characters cannot be read.
    #[error("row {row}: {found} characters cannot be read, {MOST_UNREADABLE} can be filled in")]
    Unreadable {
        /// The row.
        row: RowNumber,
        /// How many.
        found: usize,
    },
}

/// Why a text or a set of rows is no backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RowsError {
    /// Each row can be read, but together they are no backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A row is missing.
    #[error("row {row} is missing")]
    Missing {
        /// Which.
        row: RowNumber,
    },
    /// A row cannot be used.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The text is longer than any sheet.
    #[error("the text has more than {MAX_TEXT} bytes")]
    TooLong,
    /// A row is there twice, and the two differ.
    #[error("row {row} is there twice, in two forms")]
    Twice {
        /// Which.
        row: RowNumber,
    },
}

/// A row that was read, and repaired where it had to be. Wiped when dropped.
#[derive(PartialEq, Eq)]
pub struct Row {
    number: RowNumber,
    symbols: Zeroizing<[u8; LENGTH]>,
}

impl Row {
    /// Its number.
    #[must_use]
    pub const fn number(&self) -> RowNumber {
        self.number
    }

    /// Its characters as they should be, in groups.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (place, symbol) in self.symbols.iter().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push(' ');
            }
            text.push(character(*symbol));
        }
        text
    }
}

/// Reads one row. Spaces mean nothing.
///
/// # Errors
/// [`RowError`].
pub fn read(number: RowNumber, text: &str) -> Result<(Row, Repair), RowError> {
    let row = number;
    let characters = || text.chars().filter(|c| !c.is_whitespace());
    let found = characters().take(MAX_TEXT).count();
    let mut written = Zeroizing::new([None; LENGTH]);
    for (place, (space, typed)) in (1..).zip(written.iter_mut().zip(characters())) {
        let place = Place(place);
        let Character(value) = Character::parse(typed).ok_or(RowError::Character { row, place })?;
        *space = value;
    }
    if found != LENGTH {
        return Err(RowError::Length { row, found });
    }
    let (symbols, repaired) = code::repair(row.0, &written).map_err(|why| match why {
        Irreparable::Unreadable(found) => RowError::Unreadable { row, found },
        Irreparable::OtherRow(found) => {
            RowNumber::new(found).map_or(RowError::Wrong { row }, |found| RowError::OtherRow {
                row,
                found,
            })
        }
        Irreparable::Beyond => RowError::Wrong { row },
    })?;
    let repair = match repaired {
        Repaired::Nothing => Repair::Nothing,
        Repaired::Wrong(place) => Repair::Wrong(Place(place.saturating_add(1))),
        Repaired::Filled => {
            let places = (1..).zip(written.iter());
            let unreadable = places.filter(|(_, symbol)| symbol.is_none());
            Repair::Filled(unreadable.map(|(place, _)| Place(place)).collect())
        }
    };
    Ok((Row { number, symbols }, repair))
}

/// The rows that were read so far.
#[derive(Default)]
pub struct Rows([Option<Row>; COUNT]);

impl Rows {
    /// Takes a row, in place of an earlier one of that number.
    pub fn set(&mut self, row: Row) {
        if let Some(space) = self.space(row.number) {
            *space = Some(row);
        }
    }

    /// The first row that is missing.
    #[must_use]
    pub fn missing(&self) -> Option<RowNumber> {
        let rows = RowNumber::ALL.into_iter().zip(&self.0);
        rows.filter(|(_, row)| row.is_none())
            .map(|(number, _)| number)
            .next()
    }

    /// The backup, once every row is there.
    ///
    /// # Errors
    /// [`RowsError::Missing`], [`RowsError::Backup`].
    pub fn backup(&self) -> Result<Backup, RowsError> {
        if let Some(row) = self.missing() {
            return Err(RowsError::Missing { row });
        }
        let mut symbols = Zeroizing::new([0; SYMBOLS]);
        let data = self.0.iter().flatten();
        let data = data.flat_map(|row| row.symbols.iter().take(DATA));
        for (space, symbol) in symbols.iter_mut().zip(data) {
            *space = u16::from(*symbol);
        }
        let wrong = BackupError::Checksum { suspect: None };
        let bits = join(&*symbols, 5).ok_or(wrong)?;
        Ok(Backup::from_bits(&bits)?)
    }

    /// Reads the text of a sheet: its lines that begin with `row` and a number, or, if there are
    /// none, its first lines that are not empty, in order. Tells what was put right.
    ///
    /// # Errors
    /// [`RowsError`], of the first row that has one.
    pub fn parse(text: &str) -> Result<(Self, Vec<(RowNumber, Repair)>), RowsError> {
        if text.len() > MAX_TEXT {
            return Err(RowsError::TooLong);
        }
        let numbered: Vec<(RowNumber, &str)> = text.lines().filter_map(numbered).collect();
        let lines = if numbered.is_empty() {
            let bare = text.lines().map(str::trim).filter(|line| !line.is_empty());
            RowNumber::ALL.into_iter().zip(bare).collect()
        } else {
            numbered
        };
        let (mut rows, mut repairs) = (Self::default(), Vec::new());
        for (number, line) in lines {
            let (row, repair) = read(number, line)?;
            let space = rows
                .space(number)
                .ok_or(RowsError::Missing { row: number })?;
            if space.as_ref().is_some_and(|known| *known != row) {
                return Err(RowsError::Twice { row: number });
            }
            *space = Some(row);
            if repair != Repair::Nothing {
                repairs.push((number, repair));
            }
        }
        match rows.missing() {
            Some(row) => Err(RowsError::Missing { row }),
            None => Ok((rows, repairs)),
        }
    }

    fn space(&mut self, number: RowNumber) -> Option<&mut Option<Row>> {
        let rows = RowNumber::ALL.into_iter().zip(&mut self.0);
        rows.filter(|(known, _)| *known == number)
            .map(|(_, space)| space)
            .next()
    }
}

/// `row 3  7QK2M 9XWE4 R8H0T` as number and characters.
fn numbered(line: &str) -> Option<(RowNumber, &str)> {
    let rest = line.trim_start().strip_prefix("row ")?.trim_start();
    let (number, rest) = rest.split_once([' ', '\t', ':'])?;
    Some((RowNumber::new(number.parse().ok()?)?, rest))
}

impl Backup {
    /// The rows.
    #[must_use]
    pub fn rows(&self) -> [Row; COUNT] {
        let all = split::<SYMBOLS>(&self.to_bits(), 5);
        RowNumber::ALL.map(|number| {
            let start = usize::from(number.0).saturating_sub(1).saturating_mul(DATA);
            let mut data = Zeroizing::new([0; DATA]);
            for (to, from) in data.iter_mut().zip(all.iter().skip(start)) {
                // Five bits.
                *to = u8::try_from(*from).unwrap_or_default();
            }
            let parity = code::parity(number.0, &data);
            let mut symbols = Zeroizing::new([0; LENGTH]);
            for (to, from) in symbols.iter_mut().zip(data.iter().chain(parity.iter())) {
                *to = *from;
            }
            Row { number, symbols }
        })
    }
}

#[cfg(test)]
mod tests;
