//! An enclave whose clock and the people's are an hour apart, either way. The wall clock is compared and
//! shown, and decides nothing: what is fresh is fresh by the member's own nonce.
//!
//! The hour is that of the emulated security module. For a tool only the difference exists, and nobody
//! here may set the clock of the machine that the tests run on.

use std::fs;

use quorate_quorum_ceremony::challenge::wall_clock;
use serde_json::json;

use super::{APPROVE, CONSENT, GIVE, PROVISION, RECEIPT, boots};
use crate::people::{Hall, LARGE, ROOT, SCREEN};
use crate::support::{Ran, binaries};

const PEOPLE: [&str; 2] = ["alice", "bob"];
const MINUTE: i64 = 60 * 1000;

/// Starts an enclave whose clock is so many minutes ahead, or behind.
fn start(hall: &mut Hall, name: &str, minutes: i64) -> String {
    let init = hall.init();
    let clock = format!("nsm-clock={}", minutes * MINUTE);
    hall.start_of(&json!({ "name": name, "init": init, "faults": [clock] }))
}

#[test]
fn every_fault_of_a_clock_that_is_off_by_an_hour_is_shown_and_the_ceremony_goes_on() {
    let Some(binaries) = binaries() else { return };
    let mut hall = Hall::open(binaries, &PEOPLE);
    let genesis = founded(&mut hall);
    // What says so, and what to do about it; the page is safe all the same.
    let told = [
        "SAFE:",
        "minutes apart",
        "set the clock that is wrong",
        "it answers your own nonce",
    ];
    let ahead = start(&mut hall, "ahead", 61);
    boots(&hall, &ahead, "").good();
    hall.turn("alice", PROVISION, SCREEN).says(&told);
    // Who asks whether evidence holds by their own clock is told that it is of the future.
    let now = wall_clock().0 / 1000;
    let early = evidence(&hall, &ahead, &genesis, &["--at", &now.to_string()]);
    assert_eq!(early.refused().0, "timestamp-in-future");
    hall.stop("ahead");
    // A manifest is valid from an hour before it was made: one that is two hours behind cannot boot.
    let behind = start(&mut hall, "behind", -120);
    boots(&hall, &behind, "")
        .refused("refused-outside-validity")
        .says(&["clock"]);
    hall.stop("behind");
    let late = start(&mut hall, "late", -59);
    boots(&hall, &late, "").good();
    for who in PEOPLE {
        hall.turn(who, PROVISION, SCREEN).says(&told);
    }
    hall.until_running(&late);
    let report = evidence(&hall, &late, &genesis, &[]).good().json();
    assert_eq!(report["verdict"], "accept");
    drilled(&mut hall, &told);
    hall.keeps_secrets();
}

/// A genesis of a clock that is ahead, and a manifest.
fn founded(hall: &mut Hall) -> String {
    fs::create_dir(hall.shared()).expect("a folder");
    let measurements = hall.place.path("measurements.json");
    let new = format!(
        "ceremony new --folder {} --namespace hours --members alice,bob --share-threshold 2 \
         --manifest-threshold 2 --partition development --root {} --measurements {}",
        hall.shared().display(),
        hall.place.path(ROOT).display(),
        measurements.display()
    );
    hall.types("alice", &new).good();
    for who in PEOPLE {
        hall.joins(who, &format!("ceremony join --name {who}"))
            .good();
    }
    hall.types("alice", "ceremony define").good();
    for who in PEOPLE {
        hall.turn(who, CONSENT, SCREEN);
    }
    let socket = start(hall, "genesis", 61);
    hall.types("alice", &format!("ceremony genesis --socket {socket}"))
        .good()
        .says(&["minutes apart"]);
    for who in PEOPLE {
        hall.turn(who, RECEIPT, SCREEN).says(&[
            "SAFE:",
            "minutes apart",
            "from this machine's clock",
        ]);
    }
    hall.stop("genesis");
    let echo = hall.binaries.join("quorate-echo");
    let line = format!(
        "ceremony manifest --measurements {} --application echo={},port=5100",
        measurements.display(),
        echo.display()
    );
    hall.types("alice", &line).good();
    for who in PEOPLE {
        hall.turn(who, APPROVE, LARGE);
    }
    hall.learn_secrets(&PEOPLE);
    let digest = &hall.status(None)["genesis"];
    digest.as_str().expect("a digest").to_owned()
}

/// Evidence of an enclave, verified.
fn evidence(hall: &Hall, socket: &str, genesis: &str, at: &[&str]) -> Ran {
    let out = hall.place.path("evidence.cbor");
    let _ = fs::remove_file(&out);
    let line = format!(
        "ceremony evidence --socket {socket} --out {}",
        out.display()
    );
    hall.types("alice", &line).good();
    let line = ["verify", "evidence", "evidence.cbor", "--root", ROOT];
    hall.run(&[&line[..], &["--genesis", genesis, "--json"], at].concat())
}

/// A drill ends by the enclave's clock, and the next date is within it.
fn drilled(hall: &mut Hall, told: &[&str]) {
    let drill = start(hall, "drill", 61);
    hall.types("alice", &format!("ceremony drill start --socket {drill}"))
        .good();
    for who in PEOPLE {
        hall.turn(who, GIVE, SCREEN).says(told);
    }
    hall.types("alice", "ceremony drill finish")
        .good()
        .says(&["minutes apart", "next drill due"]);
    let held = hall.status(None)["drill"].clone();
    assert_eq!(held["overdue"], json!(false), "{held}");
}
