use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::fixture::{Folders, WORDS, World, passphrase};
use crate::pins::Pins;

fn run(folders: &Folders, words: &str) -> Preflight {
    let looked = look(&folders.shared(), &folders.private(0), None, Terminal::Full);
    looked.unlock(passphrase(words))
}

fn verdict(found: &Preflight, id: &str) -> (Verdict, bool) {
    let checks = found.checks.iter().filter(|check| check.id == id);
    let worst = checks.max_by_key(|check| check.verdict as u8).unwrap();
    (worst.verdict, worst.remedy.is_some())
}

fn ready() -> (World, Folders) {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    folders.member(&world, 0, &world.pins(0));
    (world, folders)
}

#[test]
fn a_member_who_is_ready_hears_so_and_nothing_is_left_behind() {
    let (world, folders) = ready();
    let before = fs::read_dir(folders.shared()).unwrap().count();
    let found = run(&folders, WORDS);
    assert!(found.is_good(), "{found:?}");
    assert_eq!(found.definition, Some(Digest::of(&world.definition)));
    for id in [
        "private-folder",
        "key-file",
        "key-opens",
        "core-dumps",
        "definition",
    ] {
        assert_eq!(verdict(&found, id), (Verdict::Good, false), "{id}");
    }
    assert_eq!(verdict(&found, "enclave"), (Verdict::Note, true));
    assert_eq!(fs::read_dir(folders.shared()).unwrap().count(), before);
}

#[test]
fn whatever_would_stop_a_step_is_said_before_the_day_fails_closed() {
    let (_, folders) = ready();
    let bad = (Verdict::Bad, true);
    assert_eq!(
        verdict(&run(&folders, "not the passphrase"), "key-opens"),
        bad
    );
    let looked = look(
        &folders.shared(),
        &folders.private(0),
        None,
        Terminal::Missing,
    );
    let locked = looked.locked();
    assert_eq!(verdict(&locked, "key-opens"), bad);
    assert_eq!(verdict(&locked, "terminal"), (Verdict::Note, true));

    let file = folders.private(0).join("pins.cbor");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(verdict(&run(&folders, WORDS), "private-files"), bad);
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert!(run(&folders, WORDS).is_good());

    fs::set_permissions(folders.private(0), Permissions::from_mode(0o750)).unwrap();
    assert_eq!(verdict(&run(&folders, WORDS), "private-folder"), bad);
    fs::set_permissions(folders.private(0), Permissions::from_mode(0o700)).unwrap();

    let socket = Address::Unix(folders.socket());
    let looked = look(
        &folders.shared(),
        &folders.private(0),
        Some(&socket),
        Terminal::Plain,
    );
    assert_eq!(verdict(&looked.unlock(passphrase(WORDS)), "enclave"), bad);
    fs::write(folders.shared().join("ceremony.toml"), "junk").unwrap();
    assert_eq!(verdict(&run(&folders, WORDS), "workspace"), bad);
}

#[test]
fn a_definition_of_others_fails_closed() {
    let (world, other) = (World::new(), World::new());
    let folders = Folders::new();
    folders.publish(&other, &[]);
    folders.member(&world, 0, &world.pins(0));
    assert_eq!(
        verdict(&run(&folders, WORDS), "definition"),
        (Verdict::Bad, true)
    );
    // Not consented yet, and the definition names other keys.
    let folders = Folders::new();
    folders.publish(&other, &[]);
    folders.member(&world, 0, &Pins::new(world.keys[0].name().clone()));
    assert_eq!(
        verdict(&run(&folders, WORDS), "definition"),
        (Verdict::Bad, true)
    );
}

#[test]
fn nobody_who_has_not_joined_is_ready() {
    let folders = Folders::new();
    let looked = look(&folders.shared(), &folders.private(0), None, Terminal::Full);
    assert!(!looked.has_key());
    let found = looked.locked();
    assert_eq!(verdict(&found, "private-folder"), (Verdict::Bad, true));
    assert!(!folders.private(0).exists(), "it makes nothing");
}
