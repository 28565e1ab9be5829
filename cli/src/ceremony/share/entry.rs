//! Typing a backup: what the keys do and what is seen, without a terminal.
//!
//! A row is judged with its fifteenth character, a word with the space after it. What was put right
//! or is wrong is told at once, by row and place, while the paper is before the person's eyes. A line
//! that is not right stays, to be corrected; Backspace on an empty line goes back to the one before.
//!
//! Pure: [`Entry::press`] and [`Entry::view`] are functions of the keys so far.

use quorate_quorum_ceremony::steps::restore::RestoreError;
use quorate_share_backup::Backup;
use quorate_share_backup::alphabet::Character;
use quorate_share_backup::rows::{self, Repair, RowNumber, Rows};
use quorate_share_backup::words::{self, PER_LINE};
use zeroize::{Zeroize as _, Zeroizing};

use super::screen::Key;

/// Most characters of a line: five words of eight letters, with spaces.
const LONGEST: usize = 64;
/// Lines of both forms.
const LINES: usize = rows::COUNT;

/// What is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The rows of a sheet.
    Rows,
    /// Words.
    Words,
}

/// What has been typed. Wiped when dropped.
pub(super) struct Entry {
    kind: Kind,
    title: String,
    lines: [Zeroizing<String>; LINES],
    at: usize,
    message: String,
    repairs: [Option<Repair>; LINES],
}

impl Entry {
    /// Nothing typed yet, under a title.
    pub(super) fn new(kind: Kind, title: String) -> Self {
        Self {
            kind,
            title,
            // Never grow, so that no copy is left behind.
            lines: std::array::from_fn(|_| Zeroizing::new(String::with_capacity(LONGEST + 1))),
            at: 0,
            message: String::new(),
            repairs: std::array::from_fn(|_| None),
        }
    }

    /// Takes a key. The backup, once everything is there and right.
    pub(super) fn press(&mut self, key: Key) -> Option<Backup> {
        match key {
            Key::Character(character) => return self.type_character(character),
            Key::Enter => return self.judge(),
            Key::Delete => {
                self.message.clear();
                if self.line().pop().is_none() && self.at > 0 {
                    self.at -= 1;
                }
            }
            Key::Erase => {
                self.message.clear();
                self.line().zeroize();
            }
            Key::Other => {}
        }
        None
    }

    /// What was put right, by row.
    pub(super) fn repairs(&self) -> Vec<(RowNumber, Repair)> {
        let repairs = RowNumber::ALL.into_iter().zip(&self.repairs);
        repairs
            .filter_map(|(row, repair)| Some((row, repair.clone()?)))
            .filter(|(_, repair)| *repair != Repair::Nothing)
            .collect()
    }

    /// What is seen, and what stands below it.
    pub(super) fn view(&self) -> (Zeroizing<String>, String) {
        let mut text = Zeroizing::new(String::with_capacity(2048));
        text.push_str(&self.title);
        text.push_str("\n\n");
        for (number, line) in self.lines.iter().enumerate() {
            let mark = if number == self.at { '>' } else { ' ' };
            text.push(mark);
            match self.kind {
                Kind::Rows => {
                    text.push_str(&format!(" row {}  ", number + 1));
                    for (place, character) in line.chars().enumerate() {
                        if place > 0 && place % rows::GROUP == 0 {
                            text.push(' ');
                        }
                        text.push(character);
                    }
                }
                Kind::Words => {
                    let first = number * PER_LINE + 1;
                    text.push_str(&format!(" {first:>2}-{:<2}  ", first + PER_LINE - 1));
                    text.push_str(line);
                }
            }
            if number == self.at {
                text.push('_');
            }
            text.push('\n');
        }
        let keys = match self.kind {
            Kind::Rows => "Type ? where you cannot read a character.",
            Kind::Words => "Type a space after each word.",
        };
        let below = format!(
            "\n{}\n\n{keys}\nEnter: take the line. Backspace on an empty line: go back a line.\n\
             Ctrl-U: empty the line. Ctrl-C: stop; nothing has been written.",
            self.message
        );
        (text, below)
    }

    fn type_character(&mut self, character: char) -> Option<Backup> {
        self.message.clear();
        match self.kind {
            Kind::Rows => self.type_in_row(character),
            Kind::Words => {
                self.type_in_words(character);
                None
            }
        }
    }

    fn type_in_row(&mut self, character: char) -> Option<Backup> {
        if character.is_whitespace() {
            return None;
        }
        let (row, place) = (self.at + 1, self.line().len() + 1);
        if place > rows::LENGTH {
            self.message = format!("Row {row} is full: Backspace to correct it, Enter to take it.");
            return None;
        }
        let Some(character) = Character::parse(character) else {
            self.message = format!(
                "Row {row}, character {place}: no row has that character. There is no U; put ? for \
                 one you cannot read."
            );
            return None;
        };
        self.line().push(character.shown());
        if place == rows::LENGTH {
            return self.judge();
        }
        None
    }

    fn type_in_words(&mut self, character: char) {
        if self.line().len() >= LONGEST {
            self.message = "That is more than five words.".to_owned();
        } else if character.is_ascii_alphabetic() {
            self.line().push(character.to_ascii_lowercase());
        } else if character == ' ' {
            let ends = self.line().chars().last();
            if ends.is_some_and(|last| last != ' ') {
                self.line().push(' ');
                self.message = self.unknown_word().unwrap_or_default();
            }
        } else {
            self.message = "Words have letters only.".to_owned();
        }
    }

    /// Takes the line, if it is right, and goes to the next.
    fn judge(&mut self) -> Option<Backup> {
        let taken = match self.kind {
            Kind::Rows => self.judge_row(),
            Kind::Words => self.judge_words(),
        };
        match taken {
            Ok(message) => self.message = message,
            Err(message) => {
                self.message = message;
                return None;
            }
        }
        if self.at + 1 < LINES {
            self.at += 1;
            return None;
        }
        self.finish()
    }

    fn judge_row(&mut self) -> Result<String, String> {
        let row = RowNumber::ALL.get(self.at).copied();
        let row = row.ok_or_else(String::new)?;
        let (read, repair) = rows::read(row, self.line()).map_err(|error| {
            let error = RestoreError::Rows(error.into());
            format!(
                "{}: {}.",
                capital(&error.to_string()),
                error.explain().remedy
            )
        })?;
        let text = read.text();
        let line = self.line();
        line.zeroize();
        line.extend(text.chars().filter(|c| !c.is_whitespace()));
        let message = repaired(row, &repair);
        self.repairs[self.at] = Some(repair);
        Ok(message)
    }

    fn judge_words(&mut self) -> Result<String, String> {
        let count = self.line().split_whitespace().count();
        if let Some(message) = self.unknown_word() {
            return Err(message);
        }
        if count != PER_LINE {
            return Err(format!("This line has {count} words; each has {PER_LINE}."));
        }
        Ok(String::new())
    }

    /// The first word of the line that is not in the list.
    fn unknown_word(&mut self) -> Option<String> {
        let before = self.at * PER_LINE;
        let place = self
            .line()
            .split_whitespace()
            .position(|word| !words::is_word(word))?;
        Some(format!(
            "Word {} is not in the list: look at it again.",
            before + place + 1
        ))
    }

    fn finish(&mut self) -> Option<Backup> {
        let read = match self.kind {
            Kind::Rows => self.all_rows(),
            Kind::Words => {
                let mut all = Zeroizing::new(String::with_capacity(LINES * (LONGEST + 1)));
                for line in &self.lines {
                    all.push_str(line);
                    all.push(' ');
                }
                Backup::from_words(&all).map_err(RestoreError::from)
            }
        };
        match read {
            Ok(backup) => Some(backup),
            Err(error) => {
                self.message = format!(
                    "{}: {}.",
                    capital(&error.to_string()),
                    error.explain().remedy
                );
                None
            }
        }
    }

    fn all_rows(&self) -> Result<Backup, RestoreError> {
        let mut all = Rows::default();
        for (row, line) in RowNumber::ALL.into_iter().zip(&self.lines) {
            let (read, _) = rows::read(row, line).map_err(rows::RowsError::from)?;
            all.set(read);
        }
        Ok(all.backup()?)
    }

    /// The line that is being typed; `at` stays below the number of lines.
    fn line(&mut self) -> &mut String {
        &mut self.lines[self.at]
    }
}

/// What was put right in a row, in words.
pub(super) fn repaired(row: RowNumber, repair: &Repair) -> String {
    match repair {
        Repair::Nothing => format!("Row {row} is right."),
        Repair::Wrong(place) => format!(
            "Row {row}: {place} was wrong and has been put right. Compare it with the paper."
        ),
        Repair::Filled(places) => {
            let places: Vec<String> = places.iter().map(|p| p.get().to_string()).collect();
            format!(
                "Row {row}: filled in what could not be read, character {}.",
                places.join(", ")
            )
        }
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

#[cfg(test)]
mod tests;
