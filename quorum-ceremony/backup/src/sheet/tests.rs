use super::*;
use crate::fixture::{Key, frozen};
use crate::rows::Rows;

fn facts(key: &Key) -> Facts {
    Facts {
        namespace: Name::new("treasury").unwrap(),
        genesis: key.genesis,
        member: Name::new("alice").unwrap(),
        epoch: key.commitments.epoch(),
        members: 5,
        threshold: 3,
        time: UnixMillis(1_767_225_600_000),
    }
}

/// Frozen, to be read in the diff; the rows are those of `rows.txt`.
#[test]
fn the_sheet_of_a_known_share() {
    let key = Key::new(1);
    let sheet = key.backup(0).sheet(&facts(&key));
    assert!(sheet.lines().all(|line| line.chars().count() <= 78));
    frozen("sheet.txt", &sheet);
    let (rows, repairs) = Rows::parse(&sheet).ok().unwrap();
    assert!(repairs.is_empty());
    let backup = rows.backup().ok().unwrap();
    assert!(backup.prove(&key.expected(0)).is_ok());
}

#[test]
fn the_page_has_everything_and_loads_nothing() {
    let key = Key::new(1);
    let backup = key.backup(0);
    let page = backup.page(&facts(&key)).ok().unwrap();
    for part in [
        "treasury",
        "alice",
        "index 1 of 5",
        "3 of them",
        "2026-01-01",
        WARNING,
        DO[4],
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains(&grouped(&key.genesis.to_string())));
    for row in backup.rows() {
        assert!(page.contains(&*row.text()));
    }
    for outside in [
        "<script", "src=", "href=", "url(", "@import", "http:", "https:",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains(REHEARSAL));
    let dark = page.matches("h1v1h-1z").count();
    let ascii = backup.qr().ok().unwrap().ascii();
    assert_eq!(dark, ascii.matches('#').count() / 2);
}

#[test]
fn a_rehearsal_says_so() {
    let key = Key::new(1);
    let backup = Backup::new(
        Origin::Rehearsal,
        &key.genesis,
        &key.commitments.epoch(),
        &key.shares[0],
    );
    assert!(backup.sheet(&facts(&key)).contains("REHEARSAL"));
    assert!(backup.page(&facts(&key)).ok().unwrap().contains(REHEARSAL));
}
