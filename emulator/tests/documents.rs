//! Attestation documents, read by a reader of their own.

mod support;

use p384::ecdsa::signature::Verifier;
use p384::ecdsa::{Signature, VerifyingKey};
use quorate_init::nsm::wire::Request;
use sha2::{Digest, Sha384};
use support::{NOW_MS, Value, attest, certificates, device, read, root};
use x509_cert::Certificate;
use x509_cert::der::Decode;

const FIELDS: [&str; 9] = [
    "module_id",
    "digest",
    "timestamp",
    "pcrs",
    "certificate",
    "cabundle",
    "public_key",
    "user_data",
    "nonce",
];

#[test]
fn a_document_has_the_form_of_genuine_ones() {
    let mut device = device(&root());
    let bytes = attest(
        &mut device,
        Some(b"data"),
        Some(b"nonce"),
        Some(b"key"),
        NOW_MS + 1,
    );
    assert_eq!(bytes[..7], [0x84, 0x44, 0xA1, 0x01, 0x38, 0x22, 0xA0]);

    let cose = read(&bytes);
    let [protected, unprotected, payload, signature] = cose.array() else {
        panic!("not four")
    };
    assert_eq!(protected.bytes(), [0xA1, 0x01, 0x38, 0x22]);
    assert_eq!(*unprotected, Value::Map(Vec::new(), false));
    assert_eq!(signature.bytes().len(), 96);

    let Value::Map(entries, indefinite) = read(payload.bytes()) else {
        panic!("not a map")
    };
    assert!(indefinite, "the payload has a definite length");
    let names: Vec<_> = entries.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, FIELDS.map(|name| Value::Text(name.to_owned())));

    let payload = Value::Map(entries, true);
    assert_eq!(
        *payload.field("module_id"),
        Value::Text(device.module_id().to_owned())
    );
    assert_eq!(*payload.field("digest"), Value::Text("SHA384".to_owned()));
    assert_eq!(
        *payload.field("timestamp"),
        Value::Int(i128::from(NOW_MS + 1))
    );
    assert_eq!(payload.field("user_data").bytes(), b"data");
    assert_eq!(payload.field("nonce").bytes(), b"nonce");
    assert_eq!(payload.field("public_key").bytes(), b"key");
    assert_eq!(payload.field("cabundle").array().len(), 4);
    for certificate in certificates(&payload) {
        assert!((1..=1024).contains(&certificate.len()));
    }
}

#[test]
fn absent_fields_are_null_and_empty_ones_are_empty() {
    let mut device = device(&root());
    let payload = payload(&attest(&mut device, None, None, None, NOW_MS));
    for name in ["user_data", "nonce", "public_key"] {
        assert_eq!(*payload.field(name), Value::Null, "{name}");
    }
    let payload = self::payload(&attest(
        &mut device,
        Some(b""),
        Some(b""),
        Some(b""),
        NOW_MS,
    ));
    for name in ["user_data", "nonce", "public_key"] {
        assert_eq!(*payload.field(name), Value::Bytes(Vec::new()), "{name}");
    }
}

#[test]
fn the_leaf_signed_the_payload() {
    let mut device = device(&root());
    let bytes = attest(&mut device, None, Some(b"nonce"), None, NOW_MS);
    let cose = read(&bytes);
    let [protected, _, payload, signature] = cose.array() else {
        panic!("not four")
    };

    // Sig_structure of RFC 9052, put together by hand.
    let mut signed = b"\x84\x6ASignature1\x44".to_vec();
    signed.extend_from_slice(protected.bytes());
    signed.push(0x40);
    signed.push(0x59);
    signed.extend_from_slice(&u16::try_from(payload.bytes().len()).unwrap().to_be_bytes());
    signed.extend_from_slice(payload.bytes());

    let leaf = read(payload.bytes()).field("certificate").bytes().to_vec();
    let leaf = Certificate::from_der(&leaf).unwrap();
    let key = leaf
        .tbs_certificate()
        .subject_public_key_info()
        .subject_public_key
        .raw_bytes();
    let key = VerifyingKey::from_sec1_bytes(key).unwrap();
    let signature = Signature::from_slice(signature.bytes()).unwrap();
    assert!(key.verify(&signed, &signature).is_ok());
    signed.push(0);
    assert!(key.verify(&signed, &signature).is_err());
}

#[test]
fn a_fresh_device_shows_sixteen_pcrs() {
    let mut device = device(&root());
    let pcrs = pcrs(&attest(&mut device, None, None, None, NOW_MS));
    assert_eq!(
        pcrs.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        (0..16).collect::<Vec<_>>()
    );

    let measured = |data: &[u8]| {
        let mut input = vec![0; 48];
        input.extend_from_slice(data);
        Sha384::digest(&input).to_vec()
    };
    let image = measured(&Sha384::digest(b"an init"));
    let expected = [
        image.clone(),
        image,
        measured(&Sha384::digest(b"")),
        measured(b"arn:aws:iam::123456789012:role/enclave"),
        measured(b"i-0123456789abcdef0"),
    ];
    for (index, value) in pcrs {
        let expected = expected.get(index as usize).cloned().unwrap_or(vec![0; 48]);
        assert_eq!(value, expected, "PCR{index}");
    }
}

#[test]
fn pcrs_in_use_are_shown() {
    let mut device = device(&root());
    let extend = Request::ExtendPcr {
        index: 16,
        data: b"x",
    }
    .encode()
    .unwrap();
    device.process(&extend, NOW_MS);
    let lock = Request::LockPcr { index: 20 }.encode().unwrap();
    device.process(&lock, NOW_MS);
    let shown = pcrs(&attest(&mut device, None, None, None, NOW_MS));
    let mut input = vec![0; 48];
    input.push(b'x');
    assert_eq!(shown.len(), 18);
    assert_eq!(shown[16], (16, Sha384::digest(&input).to_vec()));
    assert_eq!(shown[17], (20, vec![0; 48]));

    let lock = Request::LockPcrs { range: 32 }.encode().unwrap();
    device.process(&lock, NOW_MS);
    let shown = pcrs(&attest(&mut device, None, None, None, NOW_MS));
    assert_eq!(shown.len(), 32);
}

#[test]
fn the_largest_document_fits_the_driver() {
    let mut device = device(&root());
    device.process(&Request::LockPcrs { range: 32 }.encode().unwrap(), NOW_MS);
    let full = [0xFF; 1024];
    let bytes = attest(&mut device, Some(&full), Some(&full), Some(&full), NOW_MS);
    assert!(bytes.len() < 0x3000);
    assert_eq!(payload(&bytes).field("nonce").bytes(), full);
}

#[test]
fn the_same_request_at_the_same_time_gives_the_same_document() {
    let mut device = device(&root());
    let first = attest(&mut device, None, Some(b"n"), None, NOW_MS);
    assert_eq!(attest(&mut device, None, Some(b"n"), None, NOW_MS), first);
    assert_ne!(attest(&mut device, None, Some(b"m"), None, NOW_MS), first);
}

fn payload(document: &[u8]) -> Value {
    read(read(document).array()[2].bytes())
}

fn pcrs(document: &[u8]) -> Vec<(i128, Vec<u8>)> {
    let number = |value: &Value| match value {
        Value::Int(number) => *number,
        other => panic!("not a number: {other:?}"),
    };
    let payload = payload(document);
    let entries = payload.field("pcrs").entries().iter();
    entries
        .map(|(index, value)| (number(index), value.bytes().to_vec()))
        .collect()
}
