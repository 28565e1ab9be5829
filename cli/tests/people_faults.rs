//! The same ceremony as in `people.rs`, with everything that can go wrong. Each time the tool names what
//! happened, whose fault it is and what to do; the person does that, and the ceremony ends as it should.
//!
//! A fault is brought about by whoever could: a member mistypes, leaves, is interrupted at a prompt or
//! loses a laptop; somebody writes into the shared folder; a host starts another image, keeps an
//! attestation, ends an enclave; a disk is full. In the end nothing secret is in anything that a terminal
//! showed, nor in any file.
//!
//! A token that is pulled out is in `token_ceremony.rs`; clocks that differ are in the packages that
//! compare them.
//!
//! Needs the static enclave binaries (`./test` builds them first).

#[path = "support/emulator.rs"]
mod emulator;
#[path = "support/people.rs"]
mod people;
#[path = "support/relay.rs"]
mod relay;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::path::Path;

use people::{Hall, LARGE, ROOT, SCREEN, SHARED, passphrase};
use quorate_protocol::atoms::Bytes;
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::message::{AttestRequest, Request, Stage};
use quorate_protocol::reshare::{Reshare, ReshareOrder};
use quorate_quorum_ceremony::keyfile::{KeyFile, Passphrase};
use relay::{Carried, Relay, ask, spoiled};
use serde_json::json;
use support::binaries;
use zeroize::Zeroizing;

const FOUNDERS: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
const AFTER: [&str; 6] = ["alice", "bob", "carol", "dave", "frank", "grace"];

const CONSENT: &str = "ceremony consent";
const RECEIPT: &str = "ceremony receipt";
const APPROVE: &str = "ceremony approve";
const PROVISION: &str = "ceremony provision";
const SIGN: &str = "ceremony reshare sign";
const NEW_SHARE: &str = "ceremony reshare receipt";
const DESTROY: &str = "ceremony reshare destroy";

#[test]
fn every_fault_is_named_and_the_ceremony_ends_as_it_should_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let mut hall = Hall::open(binaries, &FOUNDERS);
    joined(&hall);
    consented(&hall);
    let genesis = born(&mut hall);
    approved(&hall);
    let first = booted(&mut hall);
    let one = provisioned(&mut hall, &first, &genesis);
    hall.learn_secrets(&FOUNDERS);
    let again = ordered(&mut hall, &one, &genesis);
    made(&mut hall, &again);
    let two = rotated(&mut hall);
    hall.learn_secrets(&AFTER);
    destroyed(&hall, &two);
    hall.keeps_secrets();
}

/// Alters a byte in the middle.
fn altered(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

/// A short passphrase, two that differ, an interruption at each prompt, a taken name, a full disk.
fn joined(hall: &Hall) {
    fs::create_dir(hall.shared()).expect("a folder");
    let new = format!(
        "ceremony new --folder {} --namespace treasury --members {} --share-threshold 3 \
         --manifest-threshold 3 --partition development --root {} --measurements {}",
        hall.shared().display(),
        FOUNDERS.join(","),
        hall.place.path(ROOT).display(),
        hall.place.path("measurements.json").display()
    );
    hall.types("alice", &new).good();

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

/// Too early; somebody else's consent; one that is lost.
fn consented(hall: &Hall) {
    hall.types("bob", CONSENT).refused("file-missing");
    let card = hall.shared().join("members/erin.cbor");
    hall.without("members/erin.cbor", Some(&altered(&card)), || {
        let seen = hall.types("alice", "ceremony define");
        assert_eq!(seen.code, Some(1), "{}", seen.left);
        seen.says(&["fault:", "do:"]);
    });
    hall.types("alice", "ceremony define").good();
    hall.hesitates("alice", CONSENT);
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

/// Another image; an attestation that was kept; a definition that is another; a lost file.
fn born(hall: &mut Hall) -> String {
    let other = other_image(hall);
    let wrong = hall.start_of(&json!({ "name": "wrong", "init": other }));
    hall.types("alice", &format!("ceremony genesis --socket {wrong}"))
        .refused("refused-measurement-mismatch");
    hall.stop("wrong");
    let socket = hall.start("genesis");
    hall.types("alice", &format!("ceremony genesis --socket {socket}"))
        .good();
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
    stale(hall, &socket, "bob", RECEIPT, Stage::Genesis);
    hall.hesitates("bob", RECEIPT);
    for who in FOUNDERS {
        hall.turn(who, RECEIPT, SCREEN).says(&["SAFE:"]);
    }
    hall.stop("genesis");
    // Another folder's genesis is not theirs.
    let digest = &hall.status(None)["genesis"];
    digest.as_str().expect("a digest").to_owned()
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

/// A manifest that was altered, and an approval that is another's.
fn approved(hall: &Hall) {
    hall.types("alice", APPROVE).refused("file-missing");
    let echo = hall.binaries.join("quorate-echo");
    let line = format!(
        "ceremony manifest --measurements {} --application echo={},port=5100",
        hall.place.path("measurements.json").display(),
        echo.display()
    );
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
fn booted(hall: &mut Hall) -> String {
    let init = hall.init();
    let debug = hall.start_of(&json!({ "name": "debug", "init": init, "debug": true }));
    boots(hall, &debug, "").refused("refused-measurement-mismatch");
    hall.stop("debug");
    let one = hall.start("one");
    let early = hall.types("bob", &format!("{PROVISION} --socket {one}"));
    assert_eq!(early.code, Some(1), "{}", early.left);
    boots(hall, &one, "").good();
    one
}

fn boots(hall: &Hall, socket: &str, more: &str) -> people::Seen {
    let echo = hall.binaries.join("quorate-echo");
    let line = format!(
        "ceremony boot --socket {socket} --application echo={} {more}",
        echo.display()
    );
    hall.types("alice", &line)
}

/// Strangers' enclaves, a kept attestation, an enclave that ends, a lost laptop, a spoiled tool, and
/// somebody who does not come.
fn provisioned(hall: &mut Hall, first: &str, genesis: &str) -> String {
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

/// Enclaves of somebody else's namespace: of the right image, and of another.
fn strangers(hall: &mut Hall) -> [(String, &'static str); 2] {
    let step = |step: &str, who: &str, more: &str| {
        let line = format!("ceremony {step} --folder strangers {more} --json");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let private = format!("strangers-{who}");
        if !who.is_empty() {
            words.extend(["--private", &private, "--passphrase-file", "-"]);
        }
        hall.place.run_with(&words, "strangers of nobody").good()
    };
    let two = ["mallory", "trudy"];
    for who in two {
        step("join", who, &format!("--name {who}"));
    }
    let define = format!(
        "--namespace treasury --members mallory,trudy --manifest-threshold 2 --share-threshold 2 \
         --partition development --root {ROOT} --measurements measurements.json"
    );
    step("define", "", &define);
    for who in two {
        step("consent", who, "");
    }
    let other = other_image(hall);
    let measured = hall.order(&json!({ "measure": { "init": other } }));
    fs::write(hall.place.path("others.json"), measured.to_string()).expect("written");
    let born = hall.start("s-genesis");
    let right = hall.start("s-right");
    let image = hall.start_of(&json!({ "name": "s-image", "init": other }));
    let echo = hall.binaries.join("quorate-echo");
    let step = |step: &str, who: &str, more: &str| {
        let line = format!("ceremony {step} --folder strangers {more} --json");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let private = format!("strangers-{who}");
        if !who.is_empty() {
            words.extend(["--private", &private, "--passphrase-file", "-"]);
        }
        hall.place.run_with(&words, "strangers of nobody").good()
    };
    step("genesis", "", &format!("--socket {born}"));
    for who in two {
        step("receipt", who, &format!("--socket {born}"));
    }
    for (measurements, socket) in [("measurements", &right), ("others", &image)] {
        let application = format!("--application echo={}", echo.display());
        let more = format!("--measurements {measurements}.json {application},port=5100");
        step("manifest", "", &more);
        for who in two {
            step("approve", who, "");
        }
        step("boot", "", &format!("--socket {socket} {application}"));
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
    hall.unlocks("carol", "ceremony share check").good();
    hall.turn("carol", PROVISION, SCREEN);
}

/// Two orders at once, one that is too late, consents of others, and an enclave that ends between order
/// and record. The enclave that has the key afterwards.
fn ordered(hall: &mut Hall, one: &str, genesis: &str) -> String {
    for who in ["frank", "grace"] {
        hall.invite(who);
        let line = format!("ceremony join --name {who} --genesis");
        hall.types(who, &format!("{line} {}", "07".repeat(32)))
            .refused("other-genesis");
        hall.joins(who, &format!("{line} {genesis}")).good();
    }
    order(hall, one);
    // Nobody carries out what nobody has signed.
    let run = format!("ceremony reshare run --socket {one}");
    hall.types("alice", &run)
        .refused("refused-reshare-consents-missing");
    hall.types("frank", SIGN).refused("no-consent");
    hall.types("bob", NEW_SHARE).refused("reshare-missing");
    hall.hesitates("bob", SIGN);
    // Written again, which makes the first useless: who signs that one learns it from the enclave.
    order(hall, one);
    for who in &FOUNDERS[..3] {
        hall.decides(who, &format!("{SIGN} --order 1"), SCREEN)
            .good();
    }
    hall.types("alice", &format!("{run} --order 1"))
        .refused("refused-reshare-nonce")
        .says(&["write another order"]);
    // An order whose time is over is signed by nobody.
    let file = "reshares/0002/order.cbor";
    let bytes = fs::read(hall.shared().join(file)).expect("an order");
    let mut late: ReshareOrder = from_bytes(&bytes).expect("an order");
    late.expires.0 = 1;
    hall.without(file, Some(&to_bytes(&late)), || {
        hall.types("bob", SIGN)
            .refused("order-expired")
            .says(&["have another order written"]);
        assert_eq!(hall.status(None)["resharing"]["state"], "expired");
    });
    // Alice's word in bob's name.
    hall.turn("alice", SIGN, SCREEN);
    let consents = hall.shared().join("reshares/0002/consents");
    let of = |who: &str| consents.join(format!("{who}-share-set.cbor"));
    fs::copy(of("alice"), of("bob")).expect("copied");
    assert_eq!(hall.next("bob").as_deref(), Some(SIGN));
    hall.decides("bob", SIGN, SCREEN).refused("signed-wrong");
    fs::remove_file(of("bob")).expect("removed");
    for who in ["bob", "erin"] {
        hall.turn(who, SIGN, SCREEN);
    }
    // The enclave ends before it has made anything. Another has other keys, and its own nonce.
    hall.stop("next");
    hall.types("alice", &run).refused("no-enclave");
    let again = hall.start("again");
    boots(hall, &again, "").good();
    for who in ["bob", "carol", "erin"] {
        hall.decides(who, PROVISION, SCREEN).good();
    }
    hall.until_running(&again);
    hall.types("alice", &format!("ceremony reshare run --socket {again}"))
        .refused("refused-reshare-for-another");
    order(hall, &again);
    for who in ["carol", "dave", "erin"] {
        hall.turn(who, SIGN, SCREEN);
    }
    again
}

fn order(hall: &Hall, socket: &str) {
    let line = format!(
        "ceremony reshare order --socket {socket} --members {} --threshold 4",
        AFTER.join(",")
    );
    hall.types("alice", &line).good();
}

/// The answer of an enclave with another byte in the middle of its record, which is a sealed share's.
fn bad_share(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("an answer");
    let answer: Reshare = from_bytes(&bytes).expect("an answer");
    let record = to_bytes(&answer.record);
    let mut windows = bytes.windows(record.len());
    let at = windows.position(|window| window == record);
    bytes[at.expect("its record") + record.len() / 2] ^= 1;
    bytes
}

/// A bad new share, a member who does not take hers, and too few.
fn made(hall: &mut Hall, socket: &str) {
    let run = format!("ceremony reshare run --socket {socket}");
    hall.types("alice", &run).good();
    let file = "reshares/0003/reshare.cbor";
    let bad = bad_share(&hall.shared().join(file));
    hall.without(file, Some(&bad), || {
        hall.is_warned("frank", NEW_SHARE, "reshare-record-signature");
        assert_eq!(hall.status(None)["resharing"]["state"], "answer-wrong");
        // What is in the folder is looked at first.
        hall.types("alice", &run)
            .refused("reshare-record-signature");
    });
    hall.hesitates("frank", NEW_SHARE);
    for who in ["alice", "bob", "frank"] {
        hall.turn(who, NEW_SHARE, SCREEN);
    }
    hall.types("alice", ROTATE)
        .refused("reshare-receipts-missing");
    // Erin has none; grace does not come; carol does.
    hall.types("erin", NEW_SHARE).refused("no-share");
    hall.turn("carol", NEW_SHARE, SCREEN);
}

const ROTATE: &str = "ceremony rotate --reshare --manifest-members alice,bob,carol,dave,frank,grace \
                      --manifest-threshold 4";

/// Old shares, an enclave of the old manifest, a folder that was set back, a member who comes late.
fn rotated(hall: &mut Hall) -> String {
    hall.types("alice", ROTATE).good();
    hall.types("bob", DESTROY).refused("nothing-to-destroy");
    for who in ["alice", "bob", "carol", "frank"] {
        hall.turn(who, APPROVE, SCREEN);
    }
    let old = hall.start("old");
    boots(hall, &old, "--manifest 1").good();
    hall.is_warned(
        "bob",
        &format!("{PROVISION} --socket {old}"),
        "rollback-lower",
    );
    hall.stop("old");
    // Somebody takes the new manifest out of the folder: who has approved it is not led back.
    let (folder, aside) = (
        hall.shared().join("manifests/0002"),
        hall.place.path("aside"),
    );
    fs::rename(&folder, &aside).expect("taken away");
    let back = hall.types("bob", "ceremony next");
    back.refused("rollback-lower");
    fs::rename(&aside, &folder).expect("put back");

    let two = hall.start("two");
    boots(hall, &two, "").good();
    hall.types("erin", PROVISION).refused("epoch-revoked");
    for who in ["alice", "bob", "carol"] {
        hall.turn(who, PROVISION, SCREEN);
    }
    // Grace is late, and takes her share before she gives it. So does dave, who gives none.
    hall.turn("grace", NEW_SHARE, SCREEN);
    hall.turn("grace", PROVISION, SCREEN);
    hall.until_running(&two);
    hall.turn("dave", NEW_SHARE, SCREEN);
    two
}

/// Who stays keeps the key; who leaves does not. Then everything is closed.
fn destroyed(hall: &Hall, two: &str) {
    hall.types("bob", &format!("{DESTROY} --with-key"))
        .refused("still-seated");
    hall.hesitates("bob", DESTROY);
    for who in &FOUNDERS[..4] {
        hall.turn(who, DESTROY, SCREEN);
    }
    hall.turn("erin", &format!("{DESTROY} --with-key"), SCREEN);
    for who in AFTER {
        assert_eq!(hall.next(who), None, "{who}");
    }
    let status = hall.status(Some(two));
    assert_eq!(status["replaced"]["kept"], json!([]));
    hall.unlocks("grace", "ceremony transcript sign").good();
    let line = ["ceremony", "transcript", "verify", "--folder", SHARED];
    let told = hall.run(&[&line[..], &["--json"]].concat()).good().json();
    assert_eq!(told["ok"], true);
    let genesis = hall.status(None)["genesis"].clone();
    let out = hall.place.path("evidence.cbor");
    let line = format!("ceremony evidence --socket {two} --out {}", out.display());
    hall.types("alice", &line).good();
    let line = ["verify", "evidence", "evidence.cbor", "--root", ROOT];
    let genesis = genesis.as_str().expect("a digest");
    let report = hall.run(&[&line[..], &["--genesis", genesis, "--json"]].concat());
    let report = report.good().json();
    assert_eq!(
        (&report["verdict"], &report["facts"]["sequence"]),
        (&json!("accept"), &json!(2))
    );
}
