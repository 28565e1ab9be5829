use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::digest::Digest;
use quorate_share_backup::Origin;
use quorate_sharing::Share;

use super::*;

fn backup() -> Backup {
    let index = ShareIndex::new(2).expect("not zero");
    let share = Share::from_bytes(index, &[9; 32]).expect("below the order");
    let (genesis, epoch) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    Backup::new(Origin::Hardware, &genesis, &epoch, &share)
}

fn rows() -> Vec<String> {
    backup()
        .rows()
        .iter()
        .map(|row| row.text().to_string())
        .collect()
}

fn entry(kind: Kind) -> Entry {
    Entry::new(kind, "Share 2, bob: type it".to_owned())
}

fn press(entry: &mut Entry, text: &str) -> Option<Backup> {
    let keys = text.chars().map(|character| match character {
        '\n' => Key::Enter,
        '\x7f' => Key::Delete,
        '\x15' => Key::Erase,
        character => Key::Character(character),
    });
    keys.fold(None, |done, key| {
        assert!(done.is_none(), "nothing is typed after the end");
        entry.press(key)
    })
}

/// The character at this place, from 1, replaced.
fn with(row: &str, place: usize, to: char) -> String {
    let mut characters: Vec<char> = row.chars().filter(|c| *c != ' ').collect();
    characters[place - 1] = to;
    characters.into_iter().collect()
}

fn other(row: &str, place: usize) -> char {
    let found = row.chars().filter(|c| *c != ' ').nth(place - 1);
    if found == Some('Z') { 'Y' } else { 'Z' }
}

fn message(entry: &Entry) -> String {
    let (_, below) = entry.view();
    below.lines().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn rows_are_taken_as_they_are_typed() {
    let mut entry = entry(Kind::Rows);
    let rows = rows();
    for row in &rows[..5] {
        assert!(press(&mut entry, &row.to_lowercase()).is_none());
    }
    assert_eq!(message(&entry), "Row 5 is right.");
    let done = press(&mut entry, &rows[5]).expect("all six");
    assert_eq!(*done.words(), *backup().words());
    assert!(entry.repairs().is_empty());
}

#[test]
fn a_wrong_character_is_named_and_put_right_at_once() {
    let mut entry = entry(Kind::Rows);
    let rows = rows();
    press(&mut entry, &with(&rows[0], 8, other(&rows[0], 8)));
    assert_eq!(
        message(&entry),
        "Row 1: character 8 (number 3 of group 2) was wrong and has been put right. Compare it \
         with the paper."
    );
    let (text, _) = entry.view();
    assert!(text.contains(&format!(" row 1  {}", rows[0])), "{}", *text);
    press(&mut entry, &with(&with(&rows[1], 2, '?'), 14, '?'));
    assert_eq!(
        message(&entry),
        "Row 2: filled in what could not be read, character 2, 14."
    );
    for row in &rows[2..5] {
        press(&mut entry, row);
    }
    assert!(press(&mut entry, &rows[5]).is_some());
    let repaired: Vec<u8> = entry.repairs().iter().map(|(row, _)| row.get()).collect();
    assert_eq!(repaired, [1, 2]);
}

#[test]
fn a_row_that_is_wrong_stays_until_it_is_right_fails_closed() {
    let mut entry = entry(Kind::Rows);
    let rows = rows();
    let wrong = with(
        &with(&rows[0], 1, other(&rows[0], 1)),
        15,
        other(&rows[0], 15),
    );
    press(&mut entry, &wrong);
    assert!(message(&entry).starts_with("Row 1: two or more characters are wrong"));
    press(&mut entry, "7");
    assert!(message(&entry).starts_with("Row 1 is full"));
    press(&mut entry, "\x15");
    press(&mut entry, &rows[3]);
    assert!(message(&entry).starts_with("This is row 4, not row 1"));
    press(&mut entry, "\x15U");
    assert!(message(&entry).starts_with("Row 1, character 1: no row has that character"));
    press(&mut entry, "\n");
    assert!(message(&entry).starts_with("Row 1 has 15 characters, these are 0"));
    press(
        &mut entry,
        &format!("{}\x7f{}", &rows[0][..3], &rows[0][2..]),
    );
    assert_eq!(message(&entry), "Row 1 is right.");
}

/// Each row can be read, together they are no share: nothing is given out.
#[test]
fn rows_of_two_papers_fails_closed() {
    let index = ShareIndex::new(2).expect("not zero");
    let share = Share::from_bytes(index, &[8; 32]).expect("below the order");
    let (genesis, epoch) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    let foreign = Backup::new(Origin::Hardware, &genesis, &epoch, &share);
    let mut entry = entry(Kind::Rows);
    let rows = rows();
    for row in &rows[..5] {
        press(&mut entry, row);
    }
    assert!(press(&mut entry, &foreign.rows()[5].text()).is_none());
    assert!(message(&entry).starts_with("What was read does not fit its checksum"));
    assert!(press(&mut entry, &format!("\x15{}", rows[5])).is_some());
}

#[test]
fn one_can_go_back_a_row() {
    let mut entry = entry(Kind::Rows);
    let rows = rows();
    press(&mut entry, &rows[0]);
    press(&mut entry, "\x7f\x15");
    assert!(entry.view().0.contains("> row 1  _"));
    press(&mut entry, &rows[0]);
    assert!(entry.view().0.contains("> row 2  _"));
}

#[test]
fn words_are_looked_up_as_they_are_typed() {
    let mut entry = entry(Kind::Words);
    let words = backup().words();
    let lines: Vec<&str> = words.lines().collect();
    press(&mut entry, "quorate ");
    assert_eq!(
        message(&entry),
        "Word 1 is not in the list: look at it again."
    );
    press(&mut entry, "\n");
    assert_eq!(
        message(&entry),
        "Word 1 is not in the list: look at it again."
    );
    press(&mut entry, "\x15abandon \n");
    assert_eq!(message(&entry), "This line has 1 words; each has 5.");
    press(&mut entry, "\x15");
    for line in &lines[..5] {
        assert!(press(&mut entry, &format!("{}\n", line.to_uppercase())).is_none());
    }
    assert!(press(&mut entry, &format!("{}\n", lines[5])).is_some());
}

#[test]
fn a_wrong_word_is_named_by_place_fails_closed() {
    let mut entry = entry(Kind::Words);
    let words = backup().words();
    for (number, line) in words.lines().enumerate() {
        let (before, last) = line.rsplit_once(' ').expect("five words");
        let line = if number == 2 {
            format!("{before} {}", if last == "zoo" { "zone" } else { "zoo" })
        } else {
            line.to_owned()
        };
        assert!(press(&mut entry, &format!("{line}\n")).is_none());
    }
    assert!(
        message(&entry).contains("word 15 is probably wrong"),
        "{}",
        message(&entry)
    );
}

#[test]
fn the_view_fits_a_terminal_of_80_by_24() {
    for kind in [Kind::Rows, Kind::Words] {
        let mut entry = entry(kind);
        for line in match kind {
            Kind::Rows => rows(),
            Kind::Words => backup().words().lines().map(|l| format!("{l}\n")).collect(),
        } {
            let (text, below) = entry.view();
            assert!(
                text.lines()
                    .chain(below.lines())
                    .all(|line| line.chars().count() <= 240)
            );
            assert!(text.lines().all(|line| line.chars().count() <= 60));
            assert!(text.lines().count() + below.lines().count() <= 18);
            press(&mut entry, &line);
        }
    }
}
