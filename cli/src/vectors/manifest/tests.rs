//! Manifests that are none, each with its reason.

use super::*;

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(text.as_bytes())
}

fn row(more: &str) -> Result<Manifest, ManifestError> {
    parse(&format!(
        r#"[{{"file":"a.bin","expected":"accept"{}{more}}}]"#,
        if more.is_empty() { "" } else { "," }
    ))
}

fn field(field: &str, expected: &'static str) -> ManifestError {
    ManifestError::Field {
        row: 1,
        field: field.to_owned(),
        expected,
    }
}

#[test]
fn the_least_manifest_is_one_file_and_one_verdict() {
    let manifest = row("").unwrap();
    let row = &manifest.rows[0];
    assert_eq!(row.file, "a.bin");
    assert_eq!(row.expected, Some(Expected::Accept));
    assert_eq!(row.expected_default_policy, None);
    assert_eq!((row.verify_at, &row.demand), (None, &Demand::Archived));
    assert!(row.facts.is_none() && manifest.unknown.is_empty());
}

#[test]
fn verdicts_carry_the_first_word_of_their_reason() {
    let expected = |text: &str| {
        let text = format!(r#"[{{"file":"a","expected":"{text}"}}]"#);
        parse(&text).map(|manifest| manifest.rows[0].expected.clone())
    };
    assert_eq!(expected("accept"), Ok(Some(Expected::Accept)));
    assert_eq!(expected("reject"), Ok(Some(Expected::Reject(None))));
    assert_eq!(
        expected("reject: debug-mode (PCR0-2 are zero)"),
        Ok(Some(Expected::Reject(Some("debug-mode".to_owned()))))
    );
    for wrong in ["", "Accept", "accept: all", "rejected", "reject it: why"] {
        assert_eq!(
            expected(wrong),
            Err(field("expected", "accept or reject")),
            "{wrong}"
        );
    }
}

#[test]
fn manifests_that_are_none_fail_closed() {
    assert!(matches!(parse(""), Err(ManifestError::Json { .. })));
    assert_eq!(
        parse("[\n{\"file\":}]").unwrap_err(),
        ManifestError::Json { line: 2, column: 9 }
    );
    assert_eq!(parse("{}").unwrap_err(), ManifestError::NoArray);
    assert_eq!(parse("[]").unwrap_err(), ManifestError::Empty);
    assert_eq!(
        parse(r#"[{"file":"a","expected":"accept"},7]"#).unwrap_err(),
        ManifestError::NoObject { row: 2 }
    );
    let field = "file";
    assert_eq!(
        parse(r#"[{"expected":"accept"}]"#).unwrap_err(),
        ManifestError::Missing { row: 1, field }
    );
    let field = "expected";
    assert_eq!(
        parse(r#"[{"file":"a"}]"#).unwrap_err(),
        ManifestError::Missing { row: 1, field }
    );
    let many = format!("[{}0]", "0,".repeat(ROWS_MAX));
    let found = ROWS_MAX + 1;
    assert_eq!(parse(&many).unwrap_err(), ManifestError::TooMany { found });
}

#[test]
fn paths_out_of_the_folder_fail_closed() {
    for path in ["/etc/passwd", "../a", "a/../../b", "", "a\\u0000b"] {
        let text = format!(r#"[{{"file":"{path}","expected":"accept"}}]"#);
        let field = "file";
        assert_eq!(
            parse(&text).unwrap_err(),
            ManifestError::Path { row: 1, field },
            "{path}"
        );
        let field = "root";
        assert_eq!(
            row(&format!(r#""root":"{path}""#)).unwrap_err(),
            ManifestError::Path { row: 1, field },
            "{path}"
        );
    }
    assert!(row(r#""root":"./roots/a.der""#).is_ok());
}

#[test]
fn fields_of_another_type_fail_closed() {
    let number = "a whole number that is not negative";
    let time = "a time such as 2026-01-03T20:41:07+00:00";
    let digest = "a SHA-256 of 64 hexadecimal digits";
    for (more, name, expected) in [
        (r#""sha256":7"#, "sha256", "a text"),
        (r#""sha256":"abcd""#, "sha256", digest),
        (r#""verify_at":-1"#, "verify_at", number),
        (r#""verify_at":1.5"#, "verify_at", number),
        (r#""verify_at":"now""#, "verify_at", number),
        (r#""error":[]"#, "error", "a text"),
        (r#""facts":[]"#, "facts", "an object"),
        (r#""facts":{"module_id":7}"#, "facts.module_id", "a text"),
        (
            r#""facts":{"high_s":"no"}"#,
            "facts.high_s",
            "true or false",
        ),
        (r#""facts":{"keys":[1]}"#, "facts.keys", "a list of texts"),
        (r#""facts":{"timestamp":"today"}"#, "facts.timestamp", time),
        (
            r#""facts":{"pcrs":{"32":""}}"#,
            "facts.pcrs",
            "registers by index, 0 to 31, each 96 hexadecimal digits",
        ),
        (
            r#""facts":{"nonce":"xyz"}"#,
            "facts.nonce",
            "null, hexadecimal digits, or LENGTH bytes sha256:HEX",
        ),
        (
            r#""facts":{"chain":[7]}"#,
            "facts.chain",
            "a list of certificates, each an object",
        ),
        (
            r#""facts":{"chain":[{"sha256":"ab"}]}"#,
            "facts.chain.sha256",
            digest,
        ),
        (
            r#""freshness":{"kind":"soon","nonce":"00","max_age_ms":1}"#,
            "freshness.kind",
            "live or challenged",
        ),
        (
            r#""freshness":{"kind":"live","max_age_ms":1}"#,
            "freshness.nonce",
            "hexadecimal digits of at most 1024 bytes",
        ),
        (
            r#""freshness":{"kind":"live","nonce":"00","max_age_ms":1}"#,
            "freshness.max_age_ms, elapsed_ms or now",
            "given",
        ),
    ] {
        assert_eq!(row(more).unwrap_err(), field(name, expected), "{more}");
    }
}

#[test]
fn unknown_fields_are_named() {
    let manifest = row(r#""extra":1,"origin":{"x":1},"reason":"","facts":{"also":2}"#).unwrap();
    let unknown: Vec<_> = manifest.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["extra", "facts.also"]);
}
