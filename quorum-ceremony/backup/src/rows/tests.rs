use proptest::prelude::*;

use super::*;
use crate::fixture::{Key, frozen};

fn row(number: u8) -> RowNumber {
    RowNumber::new(number).unwrap()
}

fn error(number: u8, text: &str) -> RowError {
    read(row(number), text).err().expect("refused")
}

fn text(backup: &Backup) -> String {
    let rows = backup.rows();
    let lines = rows
        .iter()
        .map(|row| format!("row {}  {}\n", row.number(), *row.text()));
    lines.collect()
}

/// The text with the character at this place, from 1, replaced.
fn with(text: &str, place: usize, to: char) -> String {
    let mut characters: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
    characters[place - 1] = to;
    characters.into_iter().collect()
}

/// Another character of the alphabet.
fn other(text: &str, place: usize) -> char {
    let found = text.chars().filter(|c| *c != ' ').nth(place - 1).unwrap();
    if found == 'Z' { 'Y' } else { 'Z' }
}

fn parse(text: &str) -> RowsError {
    Rows::parse(text).err().expect("refused")
}

#[test]
fn six_rows_come_back_in_any_spacing_and_case() {
    let key = Key::new(1);
    let good = text(&key.backup(1));
    let bare = good.lines().map(|line| line[6..].to_owned() + "\n");
    for text in [
        good.clone(),
        format!("a sheet\n\n{good}\nmore\n"),
        bare.collect(),
        good.lines()
            .rev()
            .map(|line| line.to_owned() + "\n")
            .collect(),
        good.lines()
            .map(|line| format!("row {}", line[4..].to_lowercase()) + "\n")
            .collect(),
    ] {
        let (rows, repairs) = Rows::parse(&text).ok().unwrap();
        assert!(repairs.is_empty());
        let backup = rows.backup().ok().unwrap();
        assert!(backup.prove(&key.expected(1)).is_ok());
    }
}

/// Frozen: this is the layout of format 1, which the oracle makes as well.
#[test]
fn the_rows_of_a_known_share() {
    let rows = text(&Key::new(1).backup(0));
    frozen("rows.txt", &rows);
}

#[test]
fn a_repair_says_where() {
    let backup = Key::new(1).backup(0);
    for (number, good) in (1..).zip(backup.rows()) {
        let good = good.text();
        for place in 1..=LENGTH {
            let wrong = with(&good, place, other(&good, place));
            let (read, repair) = read(row(number), &wrong).ok().unwrap();
            assert_eq!(*read.text(), *good);
            assert_eq!(repair, Repair::Wrong(Place(place)));
        }
        let smudged = with(&with(&good, 4, '?'), 11, '?');
        let (read, repair) = read(row(number), &smudged).ok().unwrap();
        assert_eq!(*read.text(), *good);
        assert_eq!(repair, Repair::Filled(vec![Place(4), Place(11)]));
    }
    assert_eq!(Place(8).to_string(), "character 8 (number 3 of group 2)");
}

#[test]
fn two_wrong_characters_in_a_row_fails_closed() {
    let backup = Key::new(1).backup(0);
    let good = backup.rows()[2].text();
    for (one, two) in [(1, 2), (3, 15), (11, 12)] {
        let wrong = with(&with(&good, one, other(&good, one)), two, other(&good, two));
        assert_eq!(error(3, &wrong), RowError::Wrong { row: row(3) });
    }
    assert!(read(row(3), &good).is_ok());
}

/// What the code of one row cannot see, the checksum over all rows does.
#[test]
fn a_row_that_was_repaired_wrongly_fails_closed() {
    let key = Key::new(1);
    let good = text(&key.backup(0));
    // A row that is right in itself and is not of this share: five wrong characters.
    let foreign = code_word_beside(&key.backup(0).rows()[3]);
    let lines: Vec<String> = good
        .lines()
        .map(|line| match line.starts_with("row 4") {
            true => format!("row 4  {foreign}"),
            false => line.to_owned(),
        })
        .collect();
    let (rows, repairs) = Rows::parse(&lines.join("\n")).ok().unwrap();
    assert!(repairs.is_empty());
    let wrong = BackupError::Checksum { suspect: None };
    assert_eq!(rows.backup().err(), Some(RowsError::Backup(wrong)));
}

/// The row whose first symbol is another one and whose parity fits.
fn code_word_beside(row: &Row) -> String {
    let mut data: [u8; DATA] = row.symbols[..DATA].try_into().unwrap();
    data[0] ^= 1;
    let parity = code::parity(row.number.get(), &data);
    data.iter()
        .chain(parity.iter())
        .map(|s| character(*s))
        .collect()
}

#[test]
fn rows_of_two_shares_fails_closed() {
    let key = Key::new(1);
    let (one, two) = (text(&key.backup(0)), text(&key.backup(1)));
    let mixed: Vec<&str> = one.lines().take(3).chain(two.lines().skip(3)).collect();
    let (rows, _) = Rows::parse(&mixed.join("\n")).ok().unwrap();
    let wrong = BackupError::Checksum { suspect: None };
    assert_eq!(rows.backup().err(), Some(RowsError::Backup(wrong)));
}

#[test]
fn rows_out_of_order_fails_closed() {
    let backup = Key::new(1).backup(0);
    let rows = backup.rows();
    let found = row(5);
    assert_eq!(
        error(2, &rows[4].text()),
        RowError::OtherRow { row: row(2), found }
    );
}

#[test]
fn four_unreadable_characters_are_named_fails_closed() {
    let good = Key::new(1).backup(0).rows()[0].text();
    let smudged = [2, 5, 9, 14]
        .iter()
        .fold(good.to_string(), |text, place| with(&text, *place, '?'));
    assert_eq!(
        error(1, &smudged),
        RowError::Unreadable {
            row: row(1),
            found: 4
        }
    );
}

#[test]
fn characters_no_row_has_fails_closed() {
    let good = Key::new(1).backup(0).rows()[0].text();
    for odd in ['U', '-', '!', 'é'] {
        let place = Place(6);
        assert_eq!(
            error(1, &with(&good, 6, odd)),
            RowError::Character { row: row(1), place }
        );
    }
}

#[test]
fn too_few_or_too_many_characters_fails_closed() {
    let good = Key::new(1).backup(0).rows()[0].text();
    for (text, found) in [
        (String::new(), 0),
        (good[..good.len() - 1].to_owned(), 14),
        (format!("{}Z", *good), 16),
    ] {
        assert_eq!(error(1, &text), RowError::Length { row: row(1), found });
    }
}

#[test]
fn a_missing_or_doubled_row_fails_closed() {
    let key = Key::new(1);
    let (one, two) = (text(&key.backup(0)), text(&key.backup(1)));
    let four: Vec<&str> = one
        .lines()
        .filter(|line| !line.starts_with("row 4"))
        .collect();
    assert_eq!(parse(&four.join("\n")), RowsError::Missing { row: row(4) });
    assert_eq!(parse(""), RowsError::Missing { row: row(1) });
    let other = two.lines().nth(5).unwrap();
    assert_eq!(
        parse(&format!("{one}{other}")),
        RowsError::Twice { row: row(6) }
    );
    let same = one.lines().nth(5).unwrap();
    assert!(Rows::parse(&format!("{one}{same}")).is_ok());
    assert_eq!(parse(&"\n".repeat(MAX_TEXT + 1)), RowsError::TooLong);
}

proptest! {
    #[test]
    fn rows_of_every_share_come_back_damaged(
        seed: u8, share in 0_usize..5, places in prop::array::uniform6(1_usize..=LENGTH), kinds: [bool; 6],
    ) {
        let key = Key::new(seed);
        let rows = key.backup(share).rows();
        let mut read_rows = Rows::default();
        for ((good, place), unreadable) in rows.iter().zip(places).zip(kinds) {
            let text = good.text();
            let to = if unreadable { '?' } else { other(&text, place) };
            let (row, repair) = read(good.number(), &with(&text, place, to)).ok().unwrap();
            let expected = if unreadable { Repair::Filled(vec![Place(place)]) } else { Repair::Wrong(Place(place)) };
            prop_assert_eq!(repair, expected);
            read_rows.set(row);
        }
        let backup = read_rows.backup().ok().unwrap();
        prop_assert!(backup.prove(&key.expected(share)).is_ok());
    }
}
