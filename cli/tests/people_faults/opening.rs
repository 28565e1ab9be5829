//! The first manifest, an enclave that runs it, and the shares that open it.

use std::fs;

use quorate_protocol::message::{Request, Stage};
use quorate_quorum_ceremony::keyfile::{KeyFile, Passphrase};
use serde_json::json;
use zeroize::Zeroizing;

use super::{APPROVE, PROVISION, boots, interrupted, other_image, stale, without_room};
use crate::people::{Hall, LARGE, ROOT, SCREEN, passphrase};
use crate::relay::{Carried, Relay, spoiled};

/// A manifest that was altered, and an approval that is another's.
pub(super) fn approved(hall: &Hall) {
    hall.types("alice", APPROVE).refused("file-missing");
    let echo = hall.binaries.join("quorate-echo");
    let line = format!(
        "ceremony manifest --measurements {} --application echo={},port=5100",
        hall.place.path("measurements.json").display(),
        echo.display()
    );
    without_room(hall, &line);
    hall.types("alice", &line).good();
    let manifest = hall.shared().join("manifests/0001/manifest.cbor");
    let mut longer = fs::read(&manifest).expect("a manifest");
    longer.push(0);
    hall.without("manifests/0001/manifest.cbor", Some(&longer), || {
        hall.types("bob", APPROVE).refused("file-malformed");
    });
    hall.hesitates("bob", APPROVE);
    hall.turn("bob", APPROVE, LARGE);
    let approvals = hall.shared().join("manifests/0001/approvals");
    let of = |who: &str| approvals.join(format!("{who}-manifest-set.cbor"));
    fs::copy(of("bob"), of("carol")).expect("copied");
    assert_eq!(hall.next("carol").as_deref(), Some(APPROVE));
    hall.decides("carol", APPROVE, SCREEN)
        .refused("signed-wrong");
    fs::remove_file(of("carol")).expect("removed");
    for who in ["carol", "alice"] {
        hall.turn(who, APPROVE, SCREEN);
    }
}

/// Debug mode, too early, and then as it should be.
pub(super) fn booted(hall: &mut Hall) -> String {
    let init = hall.init();
    let debug = hall.start_of(&json!({ "name": "debug", "init": init, "debug": true }));
    boots(hall, &debug, "").refused("refused-measurement-mismatch");
    hall.stop("debug");
    let one = hall.start("one");
    let early = hall.types("bob", &format!("{PROVISION} --socket {one}"));
    assert_eq!(early.code, Some(1), "{}", early.left);
    let echo = hall.binaries.join("quorate-echo");
    let line = format!(
        "ceremony boot --socket {one} --application echo={}",
        echo.display()
    );
    without_room(hall, &line);
    boots(hall, &one, "").good();
    one
}

/// Strangers' enclaves, a kept attestation, an enclave that ends, a lost laptop, a spoiled tool, and
/// somebody who does not come.
pub(super) fn provisioned(hall: &mut Hall, first: &str, genesis: &str) -> String {
    for (socket, code) in strangers(hall) {
        let line = format!("{PROVISION} --socket {socket}");
        hall.is_warned("bob", &line, code);
    }
    stale(hall, first, "carol", PROVISION, Stage::Setup);
    hall.hesitates("bob", PROVISION);
    hall.turn("bob", PROVISION, SCREEN);
    // It ends, and what bob gave with it.
    hall.stop("one");
    hall.types("carol", PROVISION).refused("no-enclave");
    let waited = hall.types("carol", "ceremony next").good();
    waited.says(&["no enclave answers"]);
    let one = hall.start("next");
    boots(hall, &one, "").good();
    hall.turn("bob", PROVISION, SCREEN);
    lost_laptop(hall, genesis);
    spoiled_tool(hall, &one);
    // Two of three: what is there says that it is not enough.
    let early = hall.place.path("early.cbor");
    let line = format!("ceremony evidence --socket {one} --out {}", early.display());
    hall.types("alice", &line).good();
    let line = ["verify", "evidence", "early.cbor", "--root", ROOT, "--json"];
    assert_eq!(hall.run(&line).refused().0, "not-provisioned");
    // Dave does not come; erin gives in his place.
    hall.turn("erin", PROVISION, SCREEN);
    hall.until_running(&one);
    one
}

/// A step in somebody else's namespace: of one of them, or of their coordinator.
pub(super) fn strangers_step(hall: &Hall, step: &str, who: &str, more: &str) {
    let line = format!("ceremony {step} --folder strangers {more} --json");
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let private = format!("strangers-{who}");
    if !who.is_empty() {
        words.extend(["--private", &private, "--passphrase-file", "-"]);
    }
    let ran = hall.place.run_with(&words, "strangers of nobody");
    ran.good();
}

/// Enclaves of somebody else's namespace: of the right image, and of another.
fn strangers(hall: &mut Hall) -> [(String, &'static str); 2] {
    let two = ["mallory", "trudy"];
    for who in two {
        strangers_step(hall, "join", who, &format!("--name {who}"));
    }
    let define = format!(
        "--namespace treasury --members mallory,trudy --manifest-threshold 2 --share-threshold 2 \
         --partition development --root {ROOT} --measurements measurements.json"
    );
    strangers_step(hall, "define", "", &define);
    for who in two {
        strangers_step(hall, "consent", who, "");
    }
    let other = other_image(hall);
    let measured = hall.order(&json!({ "measure": { "init": other } }));
    fs::write(hall.place.path("others.json"), measured.to_string()).expect("written");
    let born = hall.start("s-genesis");
    let right = hall.start("s-right");
    let image = hall.start_of(&json!({ "name": "s-image", "init": other }));
    let echo = hall.binaries.join("quorate-echo");
    strangers_step(hall, "genesis", "", &format!("--socket {born}"));
    for who in two {
        strangers_step(hall, "receipt", who, &format!("--socket {born}"));
    }
    for (measurements, socket) in [("measurements", &right), ("others", &image)] {
        let application = format!("--application echo={}", echo.display());
        let more = format!("--measurements {measurements}.json {application},port=5100");
        strangers_step(hall, "manifest", "", &more);
        for who in two {
            strangers_step(hall, "approve", who, "");
        }
        strangers_step(
            hall,
            "boot",
            "",
            &format!("--socket {socket} {application}"),
        );
    }
    hall.stop("s-genesis");
    [
        (right, "instance-setup-register"),
        (image, "instance-measurement"),
    ]
}

/// Carol's laptop is gone. She has a copy of her key and her paper.
fn lost_laptop(hall: &Hall, genesis: &str) {
    let stick = hall.place.path("stick");
    fs::create_dir(&stick).expect("a folder");
    let paper = stick.join("paper");
    let line = format!(
        "ceremony share backup --form sheet --out {}",
        paper.display()
    );
    interrupted(hall, "carol", &line);
    assert!(!paper.exists(), "a share, in the clear");
    hall.unlocks("carol", &line).good();
    let copy = stick.join("key.cbor");
    let private = hall.private("carol");
    fs::copy(private.join("key.cbor"), &copy).expect("a copy");
    let lost = hall.place.path("lost-laptop");
    fs::rename(&private, &lost).expect("lost");
    let seen = hall.types("carol", PROVISION);
    assert_eq!(seen.code, Some(2), "{}", seen.left);
    seen.says(&["error[no-private-folder]", "do:"]);
    let line = format!(
        "ceremony share restore --in {} --key-file {} --genesis {genesis}",
        paper.display(),
        copy.display()
    );
    let mut terminal = hall.sit("carol", &line, SCREEN);
    terminal.wait_for_secret("passphrase: ");
    terminal.type_in("\x03");
    hall.leave("carol", &line, terminal).refused("interrupted");
    assert!(!private.exists(), "nothing half");
    hall.unlocks("carol", &line).good();
    fs::remove_dir_all(lost).expect("gone");
    fs::remove_dir_all(stick).expect("locked away");
}

/// Carol's tool sends another number than her share. Bob's was kept.
fn spoiled_tool(hall: &Hall, one: &str) {
    let file = fs::read(hall.private("carol").join("key.cbor")).expect("a key");
    let words = Zeroizing::new(passphrase("carol").into_bytes());
    let words = Passphrase::new(words).expect("a passphrase");
    let keys = KeyFile::from_bytes(&file).expect("a key file");
    let key = keys.unlock(&words).expect("hers").signing_key();
    let relay = Relay::start(hall.place.path("spoiled.sock"), one, move |request| {
        Carried::On(Box::new(match request {
            Request::Provision(honest) => Request::Provision(spoiled(&honest, &key)),
            other => other,
        }))
    });
    let line = format!("{PROVISION} --socket {}", relay.socket());
    hall.decides("carol", &line, SCREEN)
        .refused("refused-share-wrong");
    drop(relay);
    interrupted(hall, "carol", "ceremony share check");
    hall.unlocks("carol", "ceremony share check").good();
    hall.turn("carol", PROVISION, SCREEN);
}
