//! What a stranger makes of a demo's evidence that is not quite the demo's evidence: another byte,
//! another length, another pin, another root, another time. Every one is rejected.
//!
//! Needs the static enclave binaries, which `./test` builds first; where `CI` is set their absence
//! is a failure.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use support::{Place, binaries};

/// Every key of the last line, in order.
const KEYS: [&str; 13] = [
    "ok",
    "out",
    "manifest",
    "evidence",
    "root",
    "transcript",
    "report",
    "genesis",
    "address",
    "transaction",
    "transaction_hash",
    "timings_ms",
    "development",
];

fn demo<'a>(binaries: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let binaries = binaries.to_str().expect("a path in UTF-8");
    let mut arguments = vec!["demo", "--json", "--out", "out", "--binaries", binaries];
    arguments.extend(more);
    arguments
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} of {value}"))
}

/// Runs a demo that must succeed, and gives its last line.
fn play(place: &Place, binaries: &Path, more: &[&str]) -> Value {
    let ran = place.run(&demo(binaries, more)).good();
    let line = ran.json();
    let keys: Vec<_> = line.as_object().expect("an object").keys().collect();
    assert_eq!(keys, KEYS);
    assert_eq!(
        (&line["ok"], &line["development"]),
        (&true.into(), &true.into())
    );
    assert_eq!(text(&line, "out"), "out");
    for key in ["manifest", "evidence", "root"] {
        assert!(place.path(text(&line, key)).is_file(), "{key}");
    }
    for (name, took) in line["timings_ms"].as_object().expect("timings") {
        assert!(took.as_f64().is_some_and(|ms| ms >= 0.0), "{name}: {took}");
    }
    for name in [
        "genesis_in_enclave",
        "boot_to_attestable",
        "last_share_to_ready",
        "total",
    ] {
        assert!(line["timings_ms"][name].is_number(), "{name}");
    }
    for name in [
        "evidence.json",
        "manifest.json",
        "definition.json",
        "ceremony/record.cbor",
    ] {
        assert!(place.path("out").join(name).is_file(), "{name}");
    }
    assert_eq!(place.left(), [] as [PathBuf; 0]);
    line
}

/// A verification in JSON: exit code and report.
fn verify(place: &Place, file: &str, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&["verify", "evidence", file, "--json"], more].concat();
    let ran = place.run(&arguments);
    (ran.code, ran.json())
}

#[track_caller]
fn accepted(place: &Place, more: &[&str]) -> Value {
    let (code, report) = verify(place, "out/evidence.cbor", more);
    assert_eq!(
        (code, text(&report, "verdict")),
        (Some(0), "accept"),
        "{report}"
    );
    assert_eq!(report["development"], true);
    report
}

/// Demands a rejection, and gives the code of its reason.
#[track_caller]
fn rejected(place: &Place, file: &str, more: &[&str]) -> String {
    let (code, report) = verify(place, file, more);
    assert_eq!(
        (code, text(&report, "verdict")),
        (Some(1), "reject"),
        "{report}"
    );
    text(&report["error"], "code").to_owned()
}

fn names(report: &Value, key: &str) -> Vec<String> {
    let list = report["facts"][key].as_array().expect("a list");
    let name = |entry: &Value| {
        entry
            .get("name")
            .unwrap_or(entry)
            .as_str()
            .map(str::to_owned)
    };
    list.iter()
        .map(|entry| name(entry).expect("a name"))
        .collect()
}

/// At another time than the enclave's.
fn at<'a>(pinned: [&'a str; 4], time: &'a str) -> Vec<&'a str> {
    [&pinned, &["--at", time][..]].concat()
}

fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.expect("a clock after 1970").as_secs()
}

#[test]
fn the_evidence_convinces_a_stranger_and_a_changed_byte_does_not() {
    let Some(binaries) = binaries() else { return };
    let place = Place::new();
    let few = ["--members", "3", "--threshold", "2"];
    let line = play(&place, &binaries, &few);
    let (root, genesis) = (text(&line, "root"), text(&line, "genesis"));

    let report = accepted(&place, &["--root", root, "--genesis", genesis]);
    assert_eq!(
        (&report["pinned"], &report["archived"]),
        (&true.into(), &true.into())
    );
    assert_eq!(text(&report["facts"], "genesis"), genesis);
    assert_eq!(names(&report, "approved_by"), ["alice", "bob"]);
    let mut givers = names(&report, "shares_given_by");
    givers.sort();
    assert_eq!(givers, ["alice", "bob"]);
    assert_eq!(
        names(&report, "applications"),
        ["key-generation", "policy", "replayer", "signing"]
    );
    assert_eq!(report["facts"]["proofs"].as_array().map(Vec::len), Some(5));

    let report = accepted(&place, &["--root", root]);
    assert_eq!(report["pinned"], false);
    let text_report = place.run(&["verify", "evidence", "out/evidence.cbor", "--root", root]);
    assert!(text_report.good().out.contains("not pinned"));

    // The enclave's own certificate lasts three hours.
    let pinned = ["--root", root, "--genesis", genesis];
    let report = accepted(&place, &at(pinned, "now"));
    assert_eq!(report["archived"], false);
    let evidence = "out/evidence.cbor";
    let late = (now() + 4 * 3600).to_string();
    for time in ["1", &late, "18446744073709551615"] {
        rejected(&place, evidence, &at(pinned, time));
    }

    assert_eq!(
        rejected(&place, evidence, &["--genesis", genesis]),
        "root-not-trusted"
    );
    let wrong = "ab".repeat(32);
    let other = ["--root", root, "--genesis", &wrong];
    assert_eq!(rejected(&place, evidence, &other), "genesis-pin");

    let bytes = fs::read(place.path(evidence)).expect("the evidence");
    let last = bytes.len() - 1;
    let spread = (0..24).map(|n| last * n / 23);
    for (turn, position) in spread.enumerate() {
        let mut changed = bytes.clone();
        changed[position] ^= 1 << (turn % 8);
        fs::write(place.path("changed"), &changed).expect("written");
        let (code, report) = verify(&place, "changed", &pinned);
        assert_eq!(code, Some(1), "byte {position}: {report}");
    }
    for cut in [0, 1, last / 2, last] {
        fs::write(place.path("changed"), &bytes[..cut]).expect("written");
        assert_eq!(rejected(&place, "changed", &pinned), "evidence-format");
    }
    fs::write(place.path("changed"), [&bytes[..], &[0]].concat()).expect("written");
    assert_eq!(rejected(&place, "changed", &pinned), "evidence-format");
}
