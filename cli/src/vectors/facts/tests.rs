//! Times and fields as manifests write them.

use super::*;

#[test]
fn times_are_read_to_the_millisecond() {
    assert_eq!(unix_ms("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(
        unix_ms("2021-03-05T17:01:49.526000+00:00"),
        Some(1_614_963_709_526)
    );
    assert_eq!(
        unix_ms("2021-03-05T17:01:49+00:00"),
        Some(1_614_963_709_000)
    );
    assert_eq!(
        unix_ms("2049-10-28T14:28:05+00:00"),
        Some(2_519_044_085_000)
    );
    assert_eq!(unix_ms("2000-02-29T00:00:00.5Z"), Some(951_782_400_500));
    for day in 1..=365_u64 * 80 {
        let ms = day * 86_400_000 + 123;
        let text = quorate_twins::rfc3339(quorate_protocol::atoms::UnixMillis(ms)).unwrap();
        assert_eq!(unix_ms(&text), Some(ms), "{text}");
    }
}

#[test]
fn times_that_are_none_fail_closed() {
    for text in [
        "",
        "Z",
        "today",
        "2021-03-05",
        "2021-03-05T17:01:49",
        "2021-03-05T17:01:49+01:00",
        "2021-03-05 17:01:49Z",
        "2021-13-05T17:01:49Z",
        "2021-00-05T17:01:49Z",
        "2021-02-29T17:01:49Z",
        "2021-03-05T24:01:49Z",
        "1969-12-31T23:59:59Z",
        "2021-03-05T17:01:49.Z",
        "2021-03-05T17:01:49.0001Z",
        "2021-03-05T17:01:+9Z",
        "2021-03-05T17:01:4\u{fe}Z",
    ] {
        assert_eq!(unix_ms(text), None, "{text}");
    }
}

#[test]
fn fields_are_null_whole_or_a_digest() {
    let long = vec![7; 65];
    let shown = describe(Some(&long));
    let digest = Bytes::parse(&shown).unwrap();
    assert!(digest.is(Some(&long)) && digest.to_string() == shown);
    assert!(!digest.is(Some(&long[1..])) && !digest.is(None));
    let whole = Bytes::parse("0aFF").unwrap();
    assert!(whole.is(Some(&[0x0a, 0xff])) && !whole.is(Some(&[0x0a])) && !whole.is(None));
    let null = Bytes::parse("null").unwrap();
    assert!(null.is(None) && !null.is(Some(&[])));
    assert!(Bytes::parse("").unwrap().is(Some(&[])));
    for wrong in ["nul", "0", "65 bytes sha256:00", "x bytes sha256:", "0g"] {
        assert_eq!(Bytes::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_region_is_the_label_after_the_module() {
    assert_eq!(region("CN=i-0-enc1.eu-west-1.aws,OU=AWS,C=US"), "eu-west-1");
    assert_eq!(region("C=US,CN=i-0-enc1.x"), "x");
    assert_eq!(region("C=US"), "");
}
