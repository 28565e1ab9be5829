//! Stamps, fingerprints and the window of time.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use proptest::prelude::*;
use quorate_es256::{Signature, SigningKey as _, VerifyingKey as _, portable};
use quorate_es256_fast as fast;
use quorate_request::json::JsonError;
use quorate_request::window::{self, MAX_AGE_MS, MAX_AHEAD_MS, WindowError};
use quorate_request::{
    FieldError, Fingerprint, FingerprintError, MAX_BODY, MAX_STAMP, Scheme, Stamp, StampError,
    VerifyError,
};

const BODY: &[u8] = b"{\"any\":\"body\"}";

fn key() -> portable::SigningKey {
    portable::SigningKey::from_scalar(&[7; 32]).expect("a key")
}

fn public(key: &portable::SigningKey) -> portable::VerifyingKey {
    portable::VerifyingKey::from_sec1(&key.public_key()).expect("a key")
}

fn header() -> String {
    Stamp::make(&key(), BODY).expect("a stamp")
}

fn inside(header: &str) -> String {
    let bytes = Base64UrlUnpadded::decode_vec(header).expect("base64url");
    String::from_utf8(bytes).expect("text")
}

fn header_of(text: &str) -> String {
    Base64UrlUnpadded::encode_string(text.as_bytes())
}

fn refused(text: &str) -> StampError {
    Stamp::decode(&header_of(text)).expect_err(text)
}

fn changed(from: &str, to: &str) -> String {
    let text = inside(&header());
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn a_stamp_verifies_with_either_implementation() {
    let header = header();
    let stamp = Stamp::decode(&header).expect("a stamp");
    assert_eq!(stamp.encode(), header);
    let authentic = stamp.verify(&public(&key()), BODY).expect("authentic");
    assert_eq!(authentic.body(), BODY);
    assert_eq!(authentic.public_key(), &key().public_key());
    assert_eq!(authentic.fingerprint(), Fingerprint::of(BODY));
    let quick = fast::VerifyingKey::from_sec1(stamp.public_key()).expect("a key");
    assert_eq!(stamp.verify(&quick, BODY), Ok(authentic));
    let quick = fast::SigningKey::from_scalar(&[7; 32]).expect("a key");
    let stamp = Stamp::make(&quick, BODY).expect("a stamp");
    let stamp = Stamp::decode(&stamp).expect("a stamp");
    assert!(stamp.verify(&public(&key()), BODY).is_ok());
}

#[test]
fn a_stamp_has_the_members_of_the_contract_in_its_order() {
    let text = inside(&header());
    let start = "{\"publicKey\":\"02";
    let middle = "\",\"scheme\":\"SIGNATURE_SCHEME_TK_API_P256\",\"signature\":\"30";
    let other = start.replace("02", "03");
    assert!(
        text.starts_with(start) || text.starts_with(&other),
        "{text}"
    );
    assert!(text.contains(middle), "{text}");
    assert!(text.len() < MAX_STAMP * 3 / 4);
}

/// Clients make both halves of s.
#[test]
fn both_halves_of_s_are_taken() {
    let text = inside(&header());
    let start = text.find("\"30").expect("DER") + 1;
    let der = &text[start..text.len() - 2];
    let bytes: Vec<u8> = (0..der.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&der[at..at + 2], 16).expect("digits"))
        .collect();
    let signature = Signature::from_der(&bytes).expect("DER");
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut raw = signature.to_raw();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let value = i16::from(order[at]) - i16::from(raw[32 + at]) - borrow;
        borrow = i16::from(value < 0);
        raw[32 + at] = (value & 0xff) as u8;
    }
    let high = Signature::from_raw(&raw).expect("in range");
    assert!(!high.is_low_s());
    let digits: String = high.to_der().iter().map(|b| format!("{b:02X}")).collect();
    let stamp = Stamp::decode(&header_of(&text.replace(der, &digits))).expect("a stamp");
    assert!(stamp.verify(&public(&key()), BODY).is_ok());
}

#[test]
fn a_body_changed_in_any_byte_fails_closed() {
    let stamp = Stamp::decode(&header()).expect("a stamp");
    let key = public(&key());
    for at in 0..BODY.len() {
        for bit in 0..8 {
            let mut body = BODY.to_vec();
            body[at] ^= 1 << bit;
            assert_eq!(stamp.verify(&key, &body), Err(VerifyError::BadSignature));
        }
    }
    for body in [&BODY[..BODY.len() - 1], &[BODY, b" "].concat(), b""] {
        assert_eq!(stamp.verify(&key, body), Err(VerifyError::BadSignature));
    }
    assert!(stamp.verify(&key, BODY).is_ok());
}

#[test]
fn a_stamp_by_another_key_fails_closed() {
    let stamp = Stamp::decode(&header()).expect("a stamp");
    let other = portable::SigningKey::from_scalar(&[8; 32]).expect("a key");
    assert_eq!(
        stamp.verify(&public(&other), BODY),
        Err(VerifyError::OtherKey)
    );
    // Another's key under my signature.
    let digits = |key: &portable::SigningKey| -> String {
        key.public_key()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    };
    let text = changed(&digits(&key()), &digits(&other));
    let stamp = Stamp::decode(&header_of(&text)).expect("a stamp");
    assert_eq!(
        stamp.verify(&public(&other), BODY),
        Err(VerifyError::BadSignature)
    );
}

#[test]
fn a_body_that_is_too_large_fails_closed() {
    let body = vec![b' '; MAX_BODY + 1];
    let stamp = Stamp::make(&key(), &body).expect("a stamp");
    let stamp = Stamp::decode(&stamp).expect("a stamp");
    let (max, found) = (MAX_BODY, MAX_BODY + 1);
    assert_eq!(
        stamp.verify(&public(&key()), &body),
        Err(VerifyError::BodyTooLarge { max, found })
    );
}

#[test]
fn stamps_of_other_schemes_fails_closed() {
    let name = Scheme::P256.name();
    for found in [Scheme::Secp256k1, Scheme::Ed25519, Scheme::Secp256k1Eip191] {
        let text = changed(name, found.name());
        assert_eq!(refused(&text), StampError::Scheme { found });
    }
    for other in [
        "",
        "SIGNATURE_SCHEME_TK_API",
        "signature_scheme_tk_api_p256",
    ] {
        assert_eq!(refused(&changed(name, other)), StampError::UnknownScheme);
    }
}

#[test]
fn text_that_is_no_stamp_fails_closed() {
    let header = header();
    let base64 = |text: &str| assert_eq!(Stamp::decode(text), Err(StampError::Base64), "{text}");
    base64(&format!("{header}="));
    base64(&format!("{header} "));
    base64(&format!("\n{header}"));
    base64(&header.replacen(&header[..1], "+", 1));
    base64("a");
    // Spare bits at the end of the last character.
    base64("e31");
    assert_eq!(Stamp::decode(""), Err(StampError::Json(JsonError::End)));
    let found = MAX_STAMP + 1;
    assert_eq!(
        Stamp::decode(&"A".repeat(found)),
        Err(StampError::TooLong {
            max: MAX_STAMP,
            found
        })
    );
    assert_eq!(refused("[]"), FieldError::NotAnObject { offset: 0 }.into());
    for field in ["publicKey", "scheme", "signature"] {
        let text = changed(&format!("\"{field}\""), "\"other\"");
        assert_eq!(refused(&text), FieldError::Missing { field }.into());
        let doubled = format!("\"{field}\":\"\",\"{field}\"");
        let text = changed(&format!("\"{field}\""), &doubled);
        assert!(matches!(
            refused(&text),
            StampError::Json(JsonError::DuplicateKey { .. })
        ));
    }
    let text = changed("{", "{\"extra\":1,");
    assert_eq!(refused(&text), FieldError::Unknown { offset: 1 }.into());
    let text = format!("{}{{}}", inside(&header));
    assert!(matches!(
        refused(&text),
        StampError::Json(JsonError::Trailing { .. })
    ));
}

#[test]
fn keys_and_signatures_in_other_forms_fails_closed() {
    let text = inside(&header());
    let digits = &text[14..80];
    for other in [
        &digits[..64],
        &format!("{digits}00"),
        &format!("04{}", &digits[2..]),
        &format!("0x{}", &digits[..64]),
        &digits.replacen(&digits[..2], "0g", 1),
        "",
    ] {
        assert_eq!(
            refused(&changed(digits, other)),
            StampError::PublicKey,
            "{other}"
        );
    }
    let upper = changed(digits, &digits.to_uppercase());
    assert!(Stamp::decode(&header_of(&upper)).is_ok());
    let start = text.find("\"30").expect("DER") + 1;
    let der = &text[start..text.len() - 2];
    for other in [
        &der[..der.len() - 1],
        &der[..der.len() - 2],
        &format!("{der}00"),
        &format!("3081{}", &der[2..]),
        &format!("31{}", &der[2..]),
        &"11".repeat(64),
        "3006020100020101",
        "",
    ] {
        assert_eq!(
            refused(&changed(der, other)),
            StampError::Signature,
            "{other}"
        );
    }
}

#[test]
fn fingerprints_are_sha_256_of_the_body() {
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let fingerprint = Fingerprint::of(b"");
    assert_eq!(fingerprint.to_string(), empty);
    assert_eq!(empty.parse(), Ok(fingerprint));
    let upper = format!("sha256:{}", empty[7..].to_uppercase());
    for text in [
        "",
        "sha256:",
        &empty[7..],
        &empty[..70],
        &format!("{empty}0"),
        &upper,
    ] {
        assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
    }
}

#[test]
fn requests_outside_their_time_fails_closed() {
    let now = 1_764_100_000_000;
    assert_eq!(window::check(now, now), Ok(()));
    assert_eq!(window::check(now - MAX_AGE_MS + 1, now), Ok(()));
    let age_ms = MAX_AGE_MS;
    assert_eq!(
        window::check(now - age_ms, now),
        Err(WindowError::Expired { age_ms })
    );
    assert_eq!(window::check(now + MAX_AHEAD_MS, now), Ok(()));
    let ahead_ms = MAX_AHEAD_MS + 1;
    assert_eq!(
        window::check(now + ahead_ms, now),
        Err(WindowError::Future { ahead_ms })
    );
    assert!(window::check(0, u64::MAX).is_err());
    assert!(window::check(u64::MAX, 0).is_err());
    assert_eq!((MAX_AGE_MS, MAX_AHEAD_MS), (3_600_000, 300_000));
}

proptest! {
    /// A stamp changed in any character is refused, or is of another key or signature.
    #[test]
    fn a_changed_stamp_fails_closed(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]") {
        let header = header();
        let at = at.index(header.len());
        let mut text = header.clone();
        text.replace_range(at..=at, &to);
        prop_assume!(text != header);
        if let Ok(stamp) = Stamp::decode(&text)
            && let Ok(key) = portable::VerifyingKey::from_sec1(stamp.public_key())
        {
            let verified = stamp.verify(&key, BODY);
            // Only the case of a digit can differ.
            let same = inside(&text).to_lowercase() == inside(&header).to_lowercase();
            prop_assert!(verified.is_err() || same);
        }
    }

    #[test]
    fn arbitrary_text_is_no_surprise(text in "\\PC{0,80}", inner in "\\PC{0,80}") {
        for header in [text, header_of(&inner)] {
            prop_assert!(Stamp::decode(&header).is_err());
        }
    }
}
