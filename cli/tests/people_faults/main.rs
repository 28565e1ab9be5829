//! The same ceremony as in `people.rs`, with everything that can go wrong. Each time the tool names what
//! happened, whose fault it is and what to do; the person does that, and the ceremony ends as it should.
//!
//! A fault is brought about by whoever could: a member mistypes, leaves, is interrupted at a prompt or
//! loses a laptop; somebody writes into the shared folder; a host starts another image, keeps an
//! attestation, ends an enclave; a disk is full; a clock is wrong. In the end nothing secret is in
//! anything that a terminal showed, nor in any file.
//!
//! The ceremony is in [`founding`], [`opening`], [`resharing`] and [`drilling`], in this order; [`clock`]
//! is a short one of its own. A token that is pulled out is in `token_ceremony.rs`, core dumps are in
//! `ended.rs`. Which fault is met where: docs/SPECIFICATION.md.
//!
//! Needs the static enclave binaries (`./test` builds them first).

mod clock;
mod drilling;
#[path = "../support/emulator.rs"]
mod emulator;
mod founding;
mod opening;
#[path = "../support/people.rs"]
mod people;
#[path = "../support/relay.rs"]
mod relay;
mod resharing;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/terminal.rs"]
mod terminal;

use std::fs;
use std::path::Path;

use people::{Hall, SCREEN, Seen, state};
use quorate_protocol::atoms::Bytes;
use quorate_protocol::message::{AttestRequest, Request, Stage};
use relay::{Carried, Relay, ask};
use support::binaries;

const FOUNDERS: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
const AFTER: [&str; 6] = ["alice", "bob", "carol", "dave", "frank", "grace"];

const CONSENT: &str = "ceremony consent";
const RECEIPT: &str = "ceremony receipt";
const APPROVE: &str = "ceremony approve";
const PROVISION: &str = "ceremony provision";
const SIGN: &str = "ceremony reshare sign";
const NEW_SHARE: &str = "ceremony reshare receipt";
const DESTROY: &str = "ceremony reshare destroy";
const GIVE: &str = "ceremony drill give";

#[test]
fn every_fault_is_named_and_the_ceremony_ends_as_it_should_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let mut hall = Hall::open(binaries, &FOUNDERS);
    founding::joined(&hall);
    founding::consented(&hall);
    let genesis = founding::born(&mut hall);
    opening::approved(&hall);
    let first = opening::booted(&mut hall);
    let one = opening::provisioned(&mut hall, &first, &genesis);
    hall.learn_secrets(&FOUNDERS);
    let again = resharing::ordered(&mut hall, &one, &genesis);
    resharing::made(&mut hall, &again);
    let two = resharing::rotated(&mut hall);
    hall.learn_secrets(&AFTER);
    resharing::destroyed(&hall, &two);
    drilling::drilled(&mut hall, &two, &genesis);
    hall.keeps_secrets();
}

/// Alters a byte in the middle.
fn altered(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

/// The coordinator has a full disk, whatever an enclave has done by then.
fn without_room(hall: &Hall, line: &str) {
    let before = state(&hall.shared());
    let terminal = hall.sit_cramped("alice", line);
    hall.leave("alice", line, terminal)
        .refused("disk-full")
        .says(&["make room and repeat the command"]);
    assert_eq!(state(&hall.shared()), before, "{line}");
}

/// Somebody is interrupted while they type a passphrase. Nothing has changed, and nothing is shown of it.
fn interrupted(hall: &Hall, who: &str, line: &str) {
    let (shared, private) = (hall.shared(), hall.private(who));
    let before = (state(&shared), state(&private));
    let mut terminal = hall.sit(who, line, SCREEN);
    terminal.wait_for_secret("passphrase: ");
    terminal.type_in("half a passphr\x03");
    let seen = hall.leave(who, line, terminal).refused("interrupted");
    assert!(!seen.left.contains("half a"), "{}", seen.left);
    assert_eq!((state(&shared), state(&private)), before, "{line}");
}

/// The host answers with a genuine document that it has kept, of another question.
fn stale(hall: &Hall, socket: &str, who: &str, step: &str, stage: Stage) {
    let attest = |byte: u8| {
        let nonce = Bytes::new(vec![byte; 32]).expect("a nonce");
        Request::Attest(AttestRequest { stage, nonce })
    };
    let kept = ask(Path::new(socket), &attest(7));
    let path = hall.place.path(&format!("stale-{who}.sock"));
    let relay = Relay::start(path, socket, move |request| match request {
        Request::Attest(_) => Carried::Answered(Box::new(kept.clone())),
        other => Carried::On(Box::new(other)),
    });
    let line = format!("{step} --socket {}", relay.socket());
    hall.is_warned(who, &line, "nonce-mismatch")
        .says(&["nonce"]);
}

/// The same init with a byte behind it, which no loader reads and every measurement sees.
fn other_image(hall: &Hall) -> std::path::PathBuf {
    let path = hall.place.path("other-init");
    let mut bytes = fs::read(hall.init()).expect("an init");
    bytes.push(0);
    fs::write(&path, bytes).expect("written");
    let mode: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&path, mode).expect("a program");
    path
}

fn boots(hall: &Hall, socket: &str, more: &str) -> Seen {
    let echo = hall.binaries.join("quorate-echo");
    let line = format!(
        "ceremony boot --socket {socket} --application echo={} {more}",
        echo.display()
    );
    hall.types("alice", &line)
}
