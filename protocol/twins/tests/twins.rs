//! Twins of the frozen vectors: as committed, complete, and in words.

use quorate_vectors::committed::{Case, all_cases, json};
use quorate_vectors::kinds::Kind;
use quorate_vectors::mutate::structures;
use serde_json::Value;

/// The twin of what a case's file shows: of the signed object where there is one.
fn shown(case: &Case) -> Option<Value> {
    let kind = Kind::of(&case.label);
    match (&case.signed, kind.signed) {
        (Some(signed), Some(kind)) => (kind.twin)(&signed.cose_sign1).ok(),
        _ => kind.twin.and_then(|twin| twin(&case.bytes).ok()),
    }
}

#[test]
fn twins_are_those_committed() {
    let mut count = 0;
    for case in all_cases() {
        let Some(twin) = shown(&case) else { continue };
        let committed = json(&format!("twins/{}.json", Kind::of(&case.label).stem()));
        assert_eq!(twin, committed[&case.name], "{} {}", case.label, case.name);
        count += 1;
    }
    assert!(count > 50, "only {count} twins");
}

/// Whatever differs between two objects differs between their twins: no field is left out.
#[test]
fn every_difference_shows() {
    let mut differences = 0;
    for case in all_cases().iter().filter(|case| case.bytes.len() < 1100) {
        let kind = Kind::of(&case.label);
        let Some(twin) = kind.twin else { continue };
        let original = twin(&case.bytes).expect("a vector");
        for change in structures(&case.bytes) {
            if let Ok(changed) = twin(&change.bytes) {
                let at = format!("{}: {} at {:?}", case.label, change.what, change.path);
                assert_ne!(changed, original, "{at}");
                differences += 1;
            }
        }
    }
    assert!(differences > 500, "only {differences} other objects");
}

/// Words, not the numbers of the contract, and hexadecimal in lower case.
#[test]
fn fields_are_named_in_words() {
    fn check(value: &Value) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                let words = key.starts_with(|c: char| c.is_ascii_lowercase());
                let plain = key
                    .chars()
                    .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
                assert!(words && plain, "{key}");
                check(value);
            }),
            Value::Array(items) => items.iter().for_each(check),
            Value::Null => panic!("an absent field is left out"),
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {}
        }
    }
    all_cases()
        .iter()
        .filter_map(shown)
        .for_each(|twin| check(&twin));
}

#[test]
fn a_signed_twin_names_label_digest_and_signature() {
    for case in all_cases() {
        let (Some(signed), Some(twin)) = (&case.signed, shown(&case)) else {
            continue;
        };
        assert_eq!(twin["signed"], case.label.as_str());
        assert_eq!(twin["digest"], quorate_vectors::hex(&case.digest));
        assert_eq!(twin["signature"], quorate_vectors::hex(&signed.signature));
        assert_eq!(twin["payload"]["object"], case.label.as_str());
    }
}

/// Evidence is shown whole: both documents with every byte, every digest people compare.
#[test]
fn evidence_is_shown_whole() {
    let cases = all_cases();
    let case = cases
        .iter()
        .find(|case| case.label == "quorate/evidence/v4")
        .expect("evidence");
    let twin = shown(case).expect("a twin");
    for path in ["/document/bytes", "/record/document/bytes"] {
        let bytes = twin
            .pointer(path)
            .and_then(Value::as_str)
            .expect("a document");
        let bytes = quorate_vectors::unhex(bytes);
        assert!(!bytes.is_empty() && case.bytes.windows(bytes.len()).any(|part| part == bytes));
    }
    for path in [
        "/record/genesis",
        "/chain/2/manifest_digest",
        "/record/output_digest",
    ] {
        let digest = twin
            .pointer(path)
            .and_then(Value::as_str)
            .expect("a digest");
        assert_eq!(digest.len(), 64, "{path}");
    }
    let text = "/provisioning/certificate/payload/time/utc";
    assert_eq!(
        twin.pointer(text),
        Some(&Value::from("2026-11-21T12:10:01.000Z"))
    );
}

#[test]
fn secrets_have_no_twin() {
    let without = quorate_vectors::kinds::KINDS
        .iter()
        .filter(|kind| kind.twin.is_none());
    let labels: Vec<_> = without.map(|kind| kind.label).collect();
    assert_eq!(labels, ["quorate/launch-keys/v2", "quorate/from-init/v3"]);
}
