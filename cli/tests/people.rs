//! A whole ceremony as people hold it: at their terminals, on the screens, doing what `next` says. Three
//! of five found a namespace and open it; then one leaves, two come, and any four of six hold the same
//! key.
//!
//! Every command is a process of its own in a pseudo-terminal of its person, against real inits on the
//! emulator. Nobody gives a flag that they were not told. In the end nothing secret is in anything that a
//! terminal showed, nor in any file.
//!
//! Needs the static enclave binaries (`./test` builds them first).

#[path = "support/emulator.rs"]
mod emulator;
#[path = "support/people.rs"]
mod people;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;

use people::{Hall, LARGE, ROOT, SCREEN, SHARED};
use serde_json::{Value, json};
use support::binaries;

/// Who founds it. Alice coordinates.
const FOUNDERS: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
/// Who comes later, when erin leaves.
const LATER: [&str; 2] = ["frank", "grace"];
const AFTER: [&str; 6] = ["alice", "bob", "carol", "dave", "frank", "grace"];

#[test]
fn five_people_found_a_key_and_six_hold_it_after_them() {
    let Some(binaries) = binaries() else { return };
    let mut hall = Hall::open(binaries, &FOUNDERS);
    let genesis = founded(&mut hall);
    let one = opened(&mut hall);
    let ring = keys(&hall, &one, &genesis);
    hall.learn_secrets(&FOUNDERS);
    let two = reshared(&mut hall, &one, &genesis);
    assert_eq!(keys(&hall, &two, &genesis), ring, "the same keys");
    hall.learn_secrets(&AFTER);
    finished(&hall, &two);
    drilled(&mut hall);
    closed(&hall);
    hall.keeps_secrets();
}

/// The public keys of an enclave, from evidence that a stranger has verified.
fn keys(hall: &Hall, socket: &str, genesis: &str) -> Value {
    let out = hall.place.path("evidence.cbor");
    let _ = fs::remove_file(&out);
    let out = out.display();
    let line = format!("ceremony evidence --socket {socket} --out {out}");
    hall.types("alice", &line).good();
    let line = ["verify", "evidence", "evidence.cbor", "--root", ROOT];
    let report = hall.run(&[&line[..], &["--genesis", genesis, "--json"]].concat());
    let report = report.good().json();
    assert_eq!(report["verdict"], "accept");
    let keys = report["facts"]["ring"].clone();
    assert!(
        keys.as_array().is_some_and(|keys| keys.len() == 3),
        "{keys}"
    );
    keys
}

/// From nothing to a genesis that everyone has signed for; its digest.
fn founded(hall: &mut Hall) -> String {
    let root = hall.place.path(ROOT);
    let measurements = hall.place.path("measurements.json");
    fs::create_dir(hall.shared()).expect("a folder");
    let new = format!(
        "ceremony new --folder {} --namespace treasury --members {} --share-threshold 3 \
         --manifest-threshold 3 --partition development --root {} --measurements {}",
        hall.shared().display(),
        FOUNDERS.join(","),
        root.display(),
        measurements.display()
    );
    hall.types("alice", &new).good();
    for who in FOUNDERS {
        assert_eq!(hall.next(who).as_deref(), Some("ceremony join --name NAME"));
        hall.joins(who, &format!("ceremony join --name {who}"))
            .good();
    }
    assert_eq!(hall.next("alice"), None);
    hall.types("alice", "ceremony define").good();
    // Before the day everybody looks whether anything would stop them.
    for who in FOUNDERS {
        hall.unlocks(who, "ceremony preflight")
            .good()
            .says(&["nothing here would stop you"]);
    }
    for (who, size) in FOUNDERS.iter().zip([SCREEN, LARGE, SCREEN, LARGE, SCREEN]) {
        let seen = hall.turn(who, "ceremony consent", size);
        seen.says(&["you are about to consent", "treasury", "3 of 5"]);
    }
    let socket = hall.start("genesis");
    let line = format!("ceremony genesis --socket {socket}");
    hall.types("alice", &line).good();
    for who in FOUNDERS {
        hall.turn(who, "ceremony receipt", SCREEN)
            .says(&["SAFE:", "it made the key under the definition you signed"]);
    }
    hall.stop("genesis");
    let digest = &hall.status(None)["genesis"];
    digest.as_str().expect("a digest").to_owned()
}

/// The first manifest, and an enclave that three people open.
fn opened(hall: &mut Hall) -> String {
    let echo = hall.binaries.join("quorate-echo");
    let line = format!(
        "ceremony manifest --measurements {} --application echo={},port=5100",
        hall.place.path("measurements.json").display(),
        echo.display()
    );
    hall.types("alice", &line).good();
    for who in &FOUNDERS[..3] {
        hall.turn(who, "ceremony approve", LARGE)
            .says(&["you are about to approve manifest 1", "echo"]);
    }
    let one = hall.start("one");
    let boot = format!(
        "ceremony boot --socket {one} --application echo={}",
        echo.display()
    );
    hall.types("alice", &boot).good();
    for who in &FOUNDERS[1..4] {
        hall.turn(who, "ceremony provision", SCREEN)
            .says(&["SAFE:", "it runs what was approved"]);
    }
    hall.until_running(&one);
    for who in FOUNDERS {
        assert_eq!(hall.next(who), None);
    }
    one
}

/// Erin leaves, frank and grace come, and four of six take the place of three of five.
fn reshared(hall: &mut Hall, one: &str, genesis: &str) -> String {
    // Who is new hears the genesis from another member.
    for who in LATER {
        hall.invite(who);
        hall.joins(
            who,
            &format!("ceremony join --name {who} --genesis {genesis}"),
        )
        .good();
    }
    let line = format!(
        "ceremony reshare order --socket {one} --members {} --threshold 4",
        AFTER.join(",")
    );
    hall.types("alice", &line)
        .good()
        .says(&["CHANGES THE SHARE HOLDERS from 3 of 5 to 4 of 6"]);
    board(
        hall,
        one,
        &["approver's consent", "[ ] awaited", "3 missing"],
    );
    let what = [
        "you are about to consent that the key is shared anew",
        "CHANGES THE SHARE HOLDERS from 3 of 5 to 4 of 6",
        "ADDS frank TO THE SHARE HOLDERS",
        "ADDS grace TO THE SHARE HOLDERS",
        "REMOVES erin FROM THE SHARE HOLDERS",
        "MAKES NEW SHARES OF THE SAME KEY",
        "can be carried out until",
    ];
    hall.turn("alice", "ceremony reshare sign", SCREEN)
        .says(&what);
    // Who prefers lines gets the same.
    let step = hall.next("bob");
    assert_eq!(step.as_deref(), Some("ceremony reshare sign"));
    hall.decides_in_lines("bob", "ceremony reshare sign")
        .good()
        .says(&what);
    hall.turn("erin", "ceremony reshare sign", LARGE)
        .says(&["SAFE:", "confirmed:"]);
    assert_eq!(hall.status(None)["resharing"]["state"], "open");
    let line = format!("ceremony reshare run --socket {one}");
    hall.types("alice", &line).good();
    for who in AFTER {
        hall.turn(who, "ceremony reshare receipt", SCREEN)
            .says(&["SAFE:", "BRINGS NEW SHARES OF THE SAME KEY"]);
    }
    let resharing = hall.status(None)["resharing"].clone();
    assert_eq!(resharing["receipts"]["missing"], 0, "{resharing}");
    let line = format!(
        "ceremony rotate --reshare --manifest-members {} --manifest-threshold 4",
        AFTER.join(",")
    );
    hall.types("alice", &line).good();
    for who in ["alice", "bob", "carol", "frank"] {
        hall.turn(who, "ceremony approve", LARGE)
            .says(&["NAMES NEW SHARES", "CHANGES THE MANIFEST APPROVERS"]);
    }
    board(
        hall,
        one,
        &["[x] held", "[ ] to destroy", "the new shares count"],
    );
    let two = hall.start("two");
    let echo = hall.binaries.join("quorate-echo");
    let boot = format!(
        "ceremony boot --socket {two} --application echo={}",
        echo.display()
    );
    hall.types("alice", &boot).good();
    // An old share opens nothing any more.
    hall.types("erin", "ceremony provision")
        .refused("epoch-revoked");
    for who in ["bob", "dave", "frank", "grace"] {
        hall.turn(who, "ceremony provision", SCREEN)
            .says(&["SAFE:"]);
    }
    hall.until_running(&two);
    two
}

/// Old shares go, and nobody has anything left to do.
fn finished(hall: &Hall, two: &str) {
    for who in &FOUNDERS[..4] {
        hall.turn(who, "ceremony reshare destroy", SCREEN);
        assert_eq!(hall.next(who), None);
        assert!(!hall.private(who).join("share.cbor").exists());
    }
    let erin = hall.private("erin");
    hall.turn("erin", "ceremony reshare destroy --with-key", SCREEN)
        .says(&["YOUR KEY FILE"]);
    for file in ["share.cbor", "key.cbor"] {
        assert!(!erin.join(file).exists(), "{file} is left");
    }
    let status = hall.status(Some(two));
    assert_eq!(status["replaced"]["kept"], json!([]));
    assert_eq!(status["replaced"]["destroyed"], json!(FOUNDERS));
    let waited = hall.types("frank", "ceremony next").good();
    waited.says(&["nothing is waited for"]);
    board(hall, two, &["[x] destroyed", "none to spare"]);
}

/// Everybody proves the share they hold in an enclave that can do nothing else, and gives it the share of a
/// scalar that opens nothing.
fn drilled(hall: &mut Hall) {
    let drill = hall.start("drill");
    hall.types("alice", &format!("ceremony drill start --socket {drill}"))
        .good()
        .says(&["the enclave says it is there for a drill", "every member"]);
    // It takes no real share, whoever asks for one.
    hall.types("bob", &format!("ceremony provision --socket {drill}"))
        .refused("refused-drill-only");
    for (who, size) in AFTER.iter().zip([SCREEN, LARGE].into_iter().cycle()) {
        if *who == "carol" {
            assert_eq!(hall.next(who).as_deref(), Some("ceremony drill give"));
            hall.decides_in_lines(who, "ceremony drill give").good()
        } else {
            hall.turn(who, "ceremony drill give", size)
        }
        .says(&[
            "SAFE:",
            "was started for a drill, and can do nothing else",
            "THIS IS A DRILL: your real share does not leave this machine",
            "you proved your share, and your drill share was good",
        ]);
    }
    let done = hall.types("alice", "ceremony drill finish").good();
    done.says(&["next drill due", "frank: proved, gave the drill share"]);
    hall.stop("drill");
    let held = hall.status(None)["drill"].clone();
    let took_part = held["took_part"].as_array().expect("people");
    assert_eq!(took_part.len(), AFTER.len(), "{held}");
    assert_eq!(
        (&held["absent"], &held["overdue"]),
        (&json!([]), &json!(false))
    );
    assert!(held["due"].as_u64() > held["time"].as_u64(), "{held}");
    for who in AFTER {
        assert_eq!(hall.next(who), None);
    }
}

/// The transcript is closed.
fn closed(hall: &Hall) {
    hall.unlocks("bob", "ceremony transcript sign").good();
    let line = [
        "ceremony",
        "transcript",
        "verify",
        "--folder",
        SHARED,
        "--json",
    ];
    hall.run(&line).good();
}

/// Somebody looks at the board and leaves it.
fn board(hall: &Hall, socket: &str, texts: &[&str]) {
    let line = format!("ceremony board --socket {socket}");
    let mut terminal = hall.sit("carol", &line, SCREEN);
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for("scroll");
    terminal.type_in("q");
    hall.leave("carol", &line, terminal).good().says(texts);
}
