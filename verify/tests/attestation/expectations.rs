//! What a caller asks of a verified document, and the register type.

use quorate_verify::attestation::{AttestationError as E, Pcr};

use crate::case::Case;
use crate::common::cbor::Cbor;
use crate::common::nitro::{INSTANCE_ID, extend_zero};

#[test]
fn right_expectations_are_met() {
    let attested = Case::new().verify().unwrap();
    assert_eq!(attested.expect_pcr(0, &Pcr::new([0x10; 48])), Ok(()));
    let instance = Pcr::ZERO.extend(INSTANCE_ID.as_bytes());
    assert_eq!(attested.expect_pcr(4, &instance), Ok(()));
    assert_eq!(attested.expect_public_key(b"a public key"), Ok(()));
    assert_eq!(attested.expect_user_data(b"user data"), Ok(()));
}

#[test]
fn wrong_pcr_fails_closed() {
    let attested = Case::new().verify().unwrap();
    let expected = Pcr::new([0x11; 48]);
    assert_eq!(
        attested.expect_pcr(0, &expected),
        Err(E::PcrMismatch {
            index: 0,
            expected,
            found: Pcr::new([0x10; 48])
        })
    );
}

#[test]
fn missing_pcr_fails_closed() {
    let attested = Case::new().verify().unwrap();
    for index in [16, 31, 32, 255] {
        assert_eq!(
            attested.expect_pcr(index, &Pcr::new([1; 48])),
            Err(E::PcrMissing { index })
        );
    }
}

#[test]
fn all_zero_pcr_expected_fails_closed() {
    let attested = Case::new().verify().unwrap();
    assert!(attested.document().pcrs().get(9).unwrap().is_zero());
    for index in [0, 9, 40] {
        assert_eq!(
            attested.expect_pcr(index, &Pcr::ZERO),
            Err(E::ExpectedPcrZero { index })
        );
    }
}

#[test]
fn wrong_public_key_fails_closed() {
    let attested = Case::new().verify().unwrap();
    for wrong in [&b""[..], b"a public ke", b"a public key ", b"A public key"] {
        assert_eq!(attested.expect_public_key(wrong), Err(E::PublicKeyMismatch));
    }
}

#[test]
fn missing_public_key_fails_closed() {
    let mut case = Case::new();
    case.payload(|payload| payload.set("public_key", Cbor::Null));
    let attested = case.verify().unwrap();
    assert_eq!(attested.expect_public_key(b""), Err(E::PublicKeyMissing));
}

#[test]
fn wrong_user_data_fails_closed() {
    let attested = Case::new().verify().unwrap();
    for wrong in [&b""[..], b"user dat", b"user data\0"] {
        assert_eq!(attested.expect_user_data(wrong), Err(E::UserDataMismatch));
    }
}

#[test]
fn missing_user_data_is_not_empty_and_fails_closed() {
    let mut case = Case::new();
    case.payload(|payload| payload.remove("user_data"));
    let attested = case.verify().unwrap();
    assert_eq!(attested.expect_user_data(b""), Err(E::UserDataMissing));
    case.payload(|payload| payload.set("user_data", Cbor::bytes(&[])));
    assert_eq!(case.verify().unwrap().expect_user_data(b""), Ok(()));
}

#[test]
fn registers_extend_as_the_security_module_does() {
    let once = Pcr::ZERO.extend(INSTANCE_ID.as_bytes());
    assert_eq!(once.as_bytes()[..], extend_zero(INSTANCE_ID));
    assert_ne!(once.extend(b"").as_bytes(), once.as_bytes());
    assert!(Pcr::ZERO.is_zero() && !once.is_zero());
    assert_eq!(AsRef::<[u8]>::as_ref(&once), once.as_bytes());
}

#[test]
fn registers_are_written_as_hexadecimal() {
    let pcr = Pcr::new([0xab; 48]);
    let digits = "ab".repeat(48);
    assert_eq!(pcr.to_string(), digits);
    assert_eq!(format!("{pcr:?}"), format!("Pcr({digits})"));
    assert_eq!(Pcr::from_hex(&digits), Some(pcr));
    assert_eq!(Pcr::from_hex(&digits.to_uppercase()), Some(pcr));
    for wrong in ["", "ab", &digits[1..], &format!("{digits}00")] {
        assert_eq!(Pcr::from_hex(wrong), None);
    }
    assert_eq!(Pcr::from_hex(&digits.replace('b', "g")), None);
    assert_eq!(Pcr::from_hex(&digits.replacen("ab", "+b", 1)), None);
}
