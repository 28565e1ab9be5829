//! `quorate verify vectors`: our own set passes, genuine documents pass where they are present, and
//! a set that is wrong in one place fails in that place.

mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::Place;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../verify/testdata/attestation")
}

fn run(place: &Place, manifest: &Path) -> (Option<i32>, Value) {
    let manifest = manifest.to_str().expect("a path in UTF-8");
    let ran = place.run(&["verify", "vectors", manifest, "--json"]);
    (ran.code, ran.json())
}

/// A document of our set with its row, in a place of its own.
fn one(place: &Place, name: &str) -> Value {
    let manifest = fs::read(corpus().join("manifest.json")).expect("our manifest");
    let rows: Vec<Value> = serde_json::from_slice(&manifest).expect("JSON");
    let mut rows = rows.into_iter();
    let mut row = rows.find(|row| row["file"] == name).expect("the row");
    let root = row["root"].as_str().expect("a root").to_owned();
    fs::copy(corpus().join(name), place.path("document.bin")).expect("copied");
    fs::copy(corpus().join(root), place.path("root.der")).expect("copied");
    row["file"] = json!("document.bin");
    row["root"] = json!("root.der");
    row
}

fn write(place: &Place, rows: &[&Value]) -> PathBuf {
    let path = place.path("manifest.json");
    fs::write(&path, serde_json::to_vec(rows).expect("JSON")).expect("written");
    path
}

#[test]
fn our_own_set_passes() {
    let place = Place::new();
    let (code, report) = run(&place, &corpus().join("manifest.json"));
    let failed: Vec<_> = report["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(|row| row["passed"] != true)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!((code, &report["verdict"]), (Some(0), &json!("pass")));
    assert_eq!(report["failed"], 0);
    assert!(report["documents"].as_u64().expect("a number") > 500);
    assert_eq!(report["not_compared"], json!([]));
}

#[test]
fn genuine_documents_pass() {
    let Some(folder) = env::var_os("QUORATE_TESTDATA") else {
        println!("skipped: QUORATE_TESTDATA does not name the folder of genuine documents");
        return;
    };
    let manifest = PathBuf::from(folder).join("attestation/manifest.json");
    let manifest = manifest
        .canonicalize()
        .expect("the manifest of genuine documents");
    let (code, report) = run(&Place::new(), &manifest);
    assert_eq!((code, &report["failed"]), (Some(0), &json!(0)), "{report}");
    assert!(report["documents"].as_u64().expect("a number") >= 10);
    assert_eq!(report["not_compared"], json!([]));
}

#[test]
fn every_wrong_expectation_fails_closed() {
    let place = Place::new();
    let right = one(&place, "shapes/2025-indefinite-32-registers-tagged.bin");
    let (code, _) = run(&place, &write(&place, &[&right]));
    assert_eq!(code, Some(0));
    let other = "1".repeat(64);
    let pcr = "2".repeat(96);
    let long = format!("65 bytes sha256:{other}");
    let changes: &[(&str, Value)] = &[
        ("/sha256", json!(other)),
        ("/verify_at", json!(1_762_795_209_u64)),
        ("/expected", json!("reject")),
        ("/expected_default_policy", json!("reject: debug-mode")),
        ("/error", json!("debug-mode")),
        ("/facts/module_id", json!("i-0")),
        ("/facts/timestamp_ms", json!(1)),
        ("/facts/timestamp", json!("2025-11-10T17:20:10.811Z")),
        ("/facts/valid_from", json!("2025-11-10T17:20:10Z")),
        ("/facts/valid_to", json!("2025-11-10T17:20:10Z")),
        ("/facts/pcrs/4", json!(pcr)),
        ("/facts/debug_mode", json!(true)),
        ("/facts/public_key", json!("null")),
        ("/facts/user_data", json!("00")),
        ("/facts/nonce", json!(long)),
        ("/facts/high_s", Value::Null),
        ("/facts/cose_tag", Value::Null),
        ("/facts/payload_indefinite", json!([])),
        ("/facts/keys", json!(["module_id"])),
        ("/facts/region", json!("test-east-2")),
        ("/facts/chain", json!([])),
        ("/facts/chain/0/subject", json!("CN=another")),
        ("/facts/chain/1/not_before", json!("2025-11-10T17:20:10Z")),
        ("/facts/chain/2/not_after", json!("2025-11-10T17:20:10Z")),
        ("/facts/chain/3/sha256", json!(other)),
        ("/facts/chain/4/der_len", json!(1)),
    ];
    for (pointer, value) in changes {
        let mut row = right.clone();
        let place_of = row.pointer_mut(pointer).expect("the row has it");
        let high = place_of.as_bool();
        *place_of = match (*pointer, high) {
            ("/facts/high_s", Some(high)) => json!(!high),
            _ => value.clone(),
        };
        let (code, report) = run(&place, &write(&place, &[&row]));
        assert_eq!((code, &report["failed"]), (Some(1), &json!(1)), "{pointer}");
        let field = pointer[1..].replace('/', ".");
        // Another time is seen in the verdicts.
        let field = if field == "verify_at" {
            "expected"
        } else {
            &field
        };
        let found = &report["rows"][0]["differences"][0]["field"];
        assert_eq!(found, field, "{report}");
    }
}

#[test]
fn one_register_more_or_less_fails_closed() {
    let place = Place::new();
    let right = one(&place, "shapes/2025-indefinite-17-registers.bin");
    let mut fewer = right.clone();
    let pcrs = fewer.pointer_mut("/facts/pcrs").expect("registers");
    pcrs.as_object_mut().expect("an object").remove("16");
    let mut more = right.clone();
    more["facts"]["pcrs"]["17"] = json!("0".repeat(96));
    for row in [&fewer, &more] {
        let (code, report) = run(&place, &write(&place, &[&right, row]));
        assert_eq!((code, &report["passed"]), (Some(1), &json!(1)), "{report}");
    }
}

#[test]
fn a_refused_document_that_should_be_accepted_is_told_in_a_table() {
    let place = Place::new();
    let mut row = one(&place, "identity/debug-mode.bin");
    row["expected_default_policy"] = json!("accept");
    let manifest = write(&place, &[&row]);
    let ran = place.run(&["verify", "vectors", manifest.to_str().expect("a path")]);
    assert_eq!(ran.code, Some(1));
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(
        lines,
        [
            "FILE          FIELD                    EXPECTED  FOUND",
            "document.bin  expected_default_policy  accept    reject: debug-mode",
            "",
            "1 document, 1 not as the manifest says",
        ]
    );
}

#[test]
fn fields_that_are_not_compared_are_named() {
    let place = Place::new();
    let mut row = one(&place, "accepted/unchanged.bin");
    row["flavour"] = json!("vanilla");
    let manifest = write(&place, &[&row]);
    let (code, report) = run(&place, &manifest);
    assert_eq!(code, Some(0));
    assert_eq!(report["not_compared"], json!(["flavour"]));
    let ran = place.run(&["verify", "vectors", manifest.to_str().expect("a path")]);
    assert!(
        ran.out
            .contains("not compared, unknown to this version: flavour")
    );
}

#[test]
fn a_root_is_that_of_the_row_the_option_or_aws_fails_closed() {
    let place = Place::new();
    let mut row = one(&place, "accepted/unchanged.bin");
    row["root"] = Value::Null;
    let manifest = write(&place, &[&row]);
    let (code, report) = run(&place, &manifest);
    assert_eq!(code, Some(1));
    assert_eq!(report["rows"][0]["code"], "root-not-trusted");
    let manifest = manifest.to_str().expect("a path");
    let with = ["verify", "vectors", manifest, "--root", "root.der"];
    place.run(&with).good();
}

#[test]
fn a_link_out_of_the_folder_fails_closed() {
    let place = Place::new();
    let row = one(&place, "accepted/unchanged.bin");
    fs::create_dir(place.path("set")).expect("a folder");
    let link = place.path("set/document.bin");
    std::os::unix::fs::symlink(place.path("document.bin"), &link).expect("a link");
    fs::copy(place.path("root.der"), place.path("set/root.der")).expect("copied");
    let manifest = place.path("set/manifest.json");
    fs::write(&manifest, serde_json::to_vec(&[&row]).expect("JSON")).expect("written");
    let (code, report) = run(&place, &manifest);
    assert_eq!(code, Some(2));
    assert_eq!(report["error"]["code"], "manifest-unusable");
    let message = report["error"]["message"].as_str().expect("a message");
    assert!(message.ends_with("document.bin leads out of the manifest's folder"));

    fs::remove_file(&link).expect("removed");
    fs::copy(place.path("document.bin"), &link).expect("copied");
    let (code, _) = run(&place, &manifest);
    assert_eq!(code, Some(0));
}
