//! From nothing to a genesis that everybody has signed for.

use std::fs;
use std::path::Path;
use std::process::Command;

use quorate_protocol::message::Stage;
use serde_json::json;

use super::{
    APPROVE, CONSENT, FOUNDERS, RECEIPT, altered, interrupted, other_image, stale, without_room,
};
use crate::people::{Hall, ROOT, SCREEN, passphrase};

/// A short passphrase, two that differ, an interruption at each prompt, a taken name, a full disk.
pub(super) fn joined(hall: &Hall) {
    fs::create_dir(hall.shared()).expect("a folder");
    hall.types("alice", &new(hall, &hall.shared())).good();

    let line = "ceremony join --name alice";
    let answers = |answers: &[&str]| {
        let mut terminal = hall.sit("alice", line, SCREEN);
        for (prompt, answer) in ["new passphrase: ", "once more: "].iter().zip(answers) {
            terminal.wait_for_secret(prompt);
            terminal.type_in(answer);
        }
        hall.leave("alice", line, terminal)
    };
    answers(&["short\n", "short\n"]).refused("passphrase-too-short");
    let differ = answers(&["one long passphrase\n", "another long passphrase\n"]);
    assert_eq!(differ.code, Some(2));
    differ.says(&["error[passphrases-differ]", "do: type the same one twice"]);
    answers(&["\x03"]).refused("interrupted");
    answers(&["one long passphrase\n", "\x03"]).refused("interrupted");
    // Too little room for a file.
    let mut terminal = hall.sit_cramped("alice", line);
    for prompt in ["new passphrase: ", "once more: "] {
        hall.enter(&mut terminal, prompt, &passphrase("alice"));
    }
    let full = hall.leave("alice", line, terminal).refused("disk-full");
    full.says(&["make room and repeat the command"]);
    assert!(!hall.shared().join("members").join("alice.cbor").exists());
    hall.joins("alice", line).good();
    // Nobody has the same name; the keys of whoever wanted it are not made.
    hall.joins("bob", line).refused("name-taken");
    for who in &FOUNDERS[1..] {
        hall.joins(who, &format!("ceremony join --name {who}"))
            .good();
    }
}

/// The coordinator's command that begins a ceremony.
fn new(hall: &Hall, folder: &Path) -> String {
    format!(
        "ceremony new --folder {} --namespace treasury --members {} --share-threshold 3 \
         --manifest-threshold 3 --partition development --root {} --measurements {}",
        folder.display(),
        FOUNDERS.join(","),
        hall.place.path(ROOT).display(),
        hall.place.path("measurements.json").display()
    )
}

/// The folder of another ceremony of the same name and people, and a copy of this one that was found
/// somewhere.
fn elsewhere(hall: &Hall) {
    let (other, copy) = (hall.place.path("elsewhere"), hall.place.path("copy"));
    fs::create_dir(&other).expect("a folder");
    hall.types("alice", &new(hall, &other)).good();
    let line = |step: &str| format!("ceremony {step} --folder {}", other.display());
    let private = hall.private("alice");
    for step in ["consent", "next"] {
        let line = format!("{} --private {}", line(step), private.display());
        hall.types("alice", &line).refused("other-ceremony");
    }
    let seen = hall.types("alice", &line("consent"));
    assert_eq!(seen.code, Some(2), "{}", seen.left);
    seen.says(&["error[no-private-folder]", "do:"]);
    let mut copied = Command::new("cp");
    let copied = copied.arg("-a").args([&hall.shared(), &copy]);
    assert!(copied.status().expect("cp").success());
    let line = format!("ceremony consent --folder {}", copy.display());
    hall.types("alice", &line).refused("other-workspace");
    for folder in [other, copy] {
        fs::remove_dir_all(folder).expect("removed");
    }
}

/// Too early; somebody else's consent; one that is lost.
pub(super) fn consented(hall: &Hall) {
    hall.types("bob", CONSENT).refused("file-missing");
    let card = hall.shared().join("members/erin.cbor");
    hall.without("members/erin.cbor", Some(&altered(&card)), || {
        let seen = hall.types("alice", "ceremony define");
        assert_eq!(seen.code, Some(1), "{}", seen.left);
        seen.says(&["fault:", "do:"]);
    });
    without_room(hall, "ceremony define");
    hall.types("alice", "ceremony define").good();
    elsewhere(hall);
    hall.hesitates("alice", CONSENT);
    interrupted(hall, "alice", "ceremony preflight");
    hall.turn("alice", CONSENT, SCREEN);
    // Somebody writes hers in bob's name: it counts for nobody, and bob is told.
    let consents = hall.shared().join("consents");
    fs::copy(consents.join("alice.cbor"), consents.join("bob.cbor")).expect("copied");
    assert_eq!(hall.next("bob").as_deref(), Some(CONSENT));
    hall.decides("bob", CONSENT, SCREEN).refused("signed-wrong");
    fs::remove_file(consents.join("bob.cbor")).expect("removed");
    for who in &FOUNDERS[1..] {
        hall.turn(who, CONSENT, SCREEN);
    }
    // Out of order, and lost.
    hall.types("alice", APPROVE).refused("not-received");
    fs::remove_file(consents.join("carol.cbor")).expect("removed");
    hall.types("alice", "ceremony genesis --socket nowhere")
        .refused("genesis-consent-missing");
    hall.turn("carol", CONSENT, SCREEN);
}

/// Another image; debug mode; an attestation that was kept; a definition that is another; a lost file.
pub(super) fn born(hall: &mut Hall) -> String {
    let other = other_image(hall);
    let wrong = hall.start_of(&json!({ "name": "wrong", "init": other }));
    hall.types("alice", &format!("ceremony genesis --socket {wrong}"))
        .refused("refused-measurement-mismatch");
    hall.stop("wrong");
    let init = hall.init();
    let debug = hall.start_of(&json!({ "name": "g-debug", "init": init, "debug": true }));
    hall.types("alice", &format!("ceremony genesis --socket {debug}"))
        .refused("refused-measurement-mismatch");
    hall.stop("g-debug");
    let socket = hall.start("genesis");
    let line = format!("ceremony genesis --socket {socket}");
    without_room(hall, &line);
    hall.types("alice", &line).good();
    let definition = hall.shared().join("definition.cbor");
    let bytes = fs::read(&definition).expect("a definition");
    let at = bytes.windows(8).position(|window| window == b"treasury");
    let mut foreign = bytes;
    foreign[at.expect("its name")] = b'T' ^ 0x20 ^ 1;
    hall.without("definition.cbor", Some(&foreign), || {
        hall.is_warned("bob", RECEIPT, "definition-differs-from-pin");
    });
    hall.without("genesis/output.cbor", None, || {
        hall.types("bob", RECEIPT).refused("file-missing");
    });
    let mut longer = fs::read(hall.shared().join("genesis/output.cbor")).expect("an output");
    longer.push(0);
    hall.without("genesis/output.cbor", Some(&longer), || {
        hall.is_warned("bob", RECEIPT, "file-malformed");
    });
    stale(hall, &socket, "bob", RECEIPT, Stage::Genesis);
    hall.hesitates("bob", RECEIPT);
    hall.turn("alice", RECEIPT, SCREEN).says(&["SAFE:"]);
    let receipts = hall.shared().join("receipts");
    fs::copy(receipts.join("alice.cbor"), receipts.join("bob.cbor")).expect("copied");
    hall.decides("bob", RECEIPT, SCREEN).refused("signed-wrong");
    fs::remove_file(receipts.join("bob.cbor")).expect("removed");
    for who in &FOUNDERS[1..] {
        hall.turn(who, RECEIPT, SCREEN).says(&["SAFE:"]);
    }
    hall.stop("genesis");
    let digest = &hall.status(None)["genesis"];
    digest.as_str().expect("a digest").to_owned()
}
