//! Input made to exhaust the reader. It ends with an error, and the stack it may use is small.
//!
//! How much memory it may take is measured in `attestation_memory`.

use std::thread;

use quorate_verify::attestation::{
    AttestationError as E, CborProblem, CborType, Document, MAX_DOCUMENT_BYTES,
};

use crate::case::{cbor, unexpected};
use crate::common::cbor::{Cbor, head};

/// Enough for a parse, not for a call per level of nesting.
const SMALL_STACK: usize = 128 * 1024;

#[test]
fn nested_arrays_fail_closed() {
    assert_eq!(
        parse(vec![0x81; MAX_DOCUMENT_BYTES]),
        E::EnvelopeLength { found: Some(1) }
    );
    assert_eq!(
        parse(vec![0x84; MAX_DOCUMENT_BYTES]),
        unexpected(1, CborType::Bytes, CborType::Array)
    );
    assert_eq!(
        parse(vec![0x9f; MAX_DOCUMENT_BYTES]),
        E::EnvelopeLength { found: None }
    );
}

#[test]
fn nested_tags_fail_closed() {
    assert_eq!(
        parse(vec![0xd2; MAX_DOCUMENT_BYTES]),
        unexpected(1, CborType::Array, CborType::Tag)
    );
}

#[test]
fn nested_payloads_fail_closed() {
    for (byte, found) in [
        (0x81, CborType::Array),
        (0x9f, CborType::Array),
        (0xd2, CborType::Tag),
    ] {
        assert_eq!(
            parse(envelope(vec![byte; 16_384])),
            unexpected(0, CborType::Map, found)
        );
    }
    for byte in [0xa1, 0xbf] {
        assert_eq!(
            parse(envelope(vec![byte; 16_384])),
            unexpected(1, CborType::Text, CborType::Map)
        );
    }
}

#[test]
fn nested_values_fail_closed() {
    for key in ["pcrs", "cabundle", "user_data", "module_id", "unknown"] {
        for byte in [0x81, 0x9f, 0xa1, 0xbf, 0xd8] {
            let mut payload = head(5, 1);
            payload.extend(Cbor::text(key).encode());
            payload.resize(16_384, byte);
            let error = parse(envelope(payload));
            assert!(
                matches!(error, E::Cbor { .. } | E::UnknownKey { .. }),
                "{key} {byte:02x}: {error:?}"
            );
        }
    }
}

#[test]
fn huge_lengths_fail_closed() {
    let huge = [u64::MAX, u64::MAX / 2, 1 << 40, u64::from(u32::MAX), 16_385];
    for length in huge {
        assert_eq!(
            parse(head(4, length)),
            E::EnvelopeLength {
                found: Some(length)
            }
        );
        let start = [vec![0x84], head(2, length)].concat();
        assert_eq!(
            parse(start.clone()),
            cbor(start.len(), CborProblem::Truncated)
        );
        let payload = head(5, length);
        let end = payload.len();
        assert_eq!(parse(envelope(payload)), cbor(end, CborProblem::Truncated));
        assert_eq!(
            parse(envelope(field("pcrs", head(5, length)))),
            E::PcrCount { found: length }
        );
        assert_eq!(
            parse(envelope(field("cabundle", head(4, length)))),
            E::CabundleLength { found: length }
        );
        let payload = field("user_data", head(2, length));
        let end = payload.len();
        assert_eq!(parse(envelope(payload)), cbor(end, CborProblem::Truncated));
    }
}

#[test]
fn endless_maps_fail_closed() {
    // An indefinite map of one register again and again, and one of keys without values.
    let register = [head(0, 3), Cbor::bytes(&[0; 48]).encode()].concat();
    let payload = field("pcrs", [vec![0xbf], register.repeat(300)].concat());
    assert_eq!(parse(envelope(payload)), E::DuplicatePcr { index: 3 });
    let payload = [vec![0xbf], Cbor::text("nonce").encode().repeat(2000)].concat();
    assert_eq!(
        parse(envelope(payload)),
        unexpected(7, CborType::Bytes, CborType::Text)
    );
}

#[test]
fn nested_der_fails_closed() {
    use quorate_verify::attestation::{Link, Partition, TrustAnchor};
    for bytes in [
        vec![0x30; 1024],
        [0x30, 0x80].repeat(512),
        [0x30, 0x82, 0xff, 0xff].repeat(256),
        [0x30, 0x84, 0xff, 0xff, 0xff, 0xff].repeat(170),
        [0x31, 0x00].repeat(512),
    ] {
        assert_eq!(
            TrustAnchor::from_der(Partition::Development, &bytes),
            Err(E::CertificateMalformed { link: Link::Anchor })
        );
    }
}

/// Inputs for the corpus, each with the code of its error.
pub(crate) fn rows() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let http = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";
    let register = [head(0, 3), Cbor::bytes(&[0; 48]).encode()].concat();
    let pairs = [
        Cbor::text("nonce").encode(),
        Cbor::Null.encode(),
        Cbor::text("user_data").encode(),
    ];
    vec![
        (
            "nested-arrays",
            vec![0x81; MAX_DOCUMENT_BYTES],
            "envelope-length",
        ),
        (
            "nested-arrays-of-four",
            vec![0x84; MAX_DOCUMENT_BYTES],
            "cbor",
        ),
        (
            "nested-indefinite-arrays",
            vec![0x9f; MAX_DOCUMENT_BYTES],
            "envelope-length",
        ),
        ("nested-maps", vec![0xa1; MAX_DOCUMENT_BYTES], "cbor"),
        ("nested-tags", vec![0xd2; MAX_DOCUMENT_BYTES], "cbor"),
        (
            "payload-of-nested-arrays",
            envelope(vec![0x81; 16_384]),
            "cbor",
        ),
        (
            "payload-of-nested-maps",
            envelope(vec![0xa1; 16_384]),
            "cbor",
        ),
        (
            "payload-of-nested-indefinite-maps",
            envelope(vec![0xbf; 16_384]),
            "cbor",
        ),
        ("array-of-2-to-the-64", head(4, u64::MAX), "envelope-length"),
        (
            "header-of-2-to-the-64",
            [vec![0x84], head(2, u64::MAX)].concat(),
            "cbor",
        ),
        ("map-of-2-to-the-64", envelope(head(5, u64::MAX)), "cbor"),
        ("registers-of-2-to-the-64", huge("pcrs", 5), "pcr-count"),
        (
            "bundle-of-2-to-the-64",
            huge("cabundle", 4),
            "cabundle-length",
        ),
        ("user-data-of-2-to-the-64", huge("user_data", 2), "cbor"),
        ("module-id-of-2-to-the-64", huge("module_id", 3), "cbor"),
        (
            "one-register-again-and-again",
            envelope(field("pcrs", [vec![0xbf], register.repeat(300)].concat())),
            "duplicate-pcr",
        ),
        (
            "bundle-of-thousands",
            envelope(field(
                "cabundle",
                [vec![0x9f], [0x41, 0].repeat(8000)].concat(),
            )),
            "cabundle-length",
        ),
        (
            "fields-again-and-again",
            envelope([vec![0xbf], pairs.concat().repeat(700)].concat()),
            "cbor",
        ),
        ("noughts", vec![0; 4096], "cbor"),
        ("ones", vec![0xff; 4096], "cbor"),
        ("one-byte", vec![0x84], "cbor"),
        (
            "http-response",
            [&http[..], &envelope(vec![0xa0])].concat(),
            "cbor",
        ),
        ("json", b"{\"document\":\"hEShATgioFkR\"}".to_vec(), "cbor"),
        ("hexadecimal", b"8444a1013822a0590eaf".to_vec(), "cbor"),
        ("pem", b"-----BEGIN CERTIFICATE-----\n".to_vec(), "cbor"),
    ]
}

#[test]
fn every_hostile_row_fails_closed() {
    for (name, bytes, code) in rows() {
        assert_eq!(parse(bytes).code(), code, "{name}");
    }
}

/// A payload of one field with the largest length.
fn huge(key: &str, major: u8) -> Vec<u8> {
    envelope(field(key, head(major, u64::MAX)))
}

/// Parses on a small stack.
fn parse(bytes: Vec<u8>) -> E {
    thread::Builder::new()
        .stack_size(SMALL_STACK)
        .spawn(move || Document::parse(&bytes).map(|_| ()).unwrap_err())
        .expect("a thread")
        .join()
        .expect("no panic")
}

fn envelope(payload: Vec<u8>) -> Vec<u8> {
    Cbor::Array(vec![
        Cbor::bytes(&[0xa1, 0x01, 0x38, 0x22]),
        Cbor::Map(Vec::new()),
        Cbor::Bytes(payload),
        Cbor::bytes(&[1; 96]),
    ])
    .encode()
}

/// A payload of one field whose value is written as it is.
fn field(key: &str, value: Vec<u8>) -> Vec<u8> {
    [head(5, 1), Cbor::text(key).encode(), value].concat()
}
