//! Signing with key files and checking, with keys and certificates OpenSSL made; each refusal by
//! name, and after each a good run.

use quorate_eif::signature::{Algorithm, SignatureError, SignatureSection};
use quorate_eif::{Architecture, Eif, EifError, Parts, PcrValue};
use quorate_image_signing::certificate::{Certificate, CertificateError};
use quorate_image_signing::key::{FileKey, KeyError};
use quorate_image_signing::{CheckError, SignError, Signer, check, sign};

macro_rules! testdata {
    ($name:literal) => {
        include_bytes!(concat!("../testdata/", $name))
    };
}

const P256: (&[u8], &[u8]) = (testdata!("p256.key.pem"), testdata!("p256.crt.pem"));
const P384: (&[u8], &[u8]) = (testdata!("p384.key.pem"), testdata!("p384.crt.pem"));
const P521: (&[u8], &[u8]) = (testdata!("p521.key.pem"), testdata!("p521.crt.pem"));
const OTHER: (&[u8], &[u8]) = (testdata!("other.key.pem"), testdata!("other.crt.pem"));

/// 2026-11-25.
const NOW: u64 = 1_795_564_800;
const PCR0: PcrValue = PcrValue::from_bytes([0x5a; 48]);

fn certificate(pem: &[u8]) -> Certificate {
    Certificate::from_pem(pem).expect("a certificate")
}

fn signer(pem: &[u8]) -> Signer {
    Signer::File(FileKey::from_pem(pem).expect("a key"))
}

fn signed((key, pem): (&[u8], &[u8])) -> SignatureSection {
    sign(PCR0, &certificate(pem), &signer(key), NOW).expect("a signature")
}

#[test]
fn what_is_signed_is_checked_on_every_curve() {
    for (who, algorithm) in [
        (P256, Algorithm::Es256),
        (P384, Algorithm::Es384),
        (P521, Algorithm::Es512),
    ] {
        let section = signed(who);
        assert_eq!(section.algorithm(), algorithm);
        assert_eq!(section.pcr0(), &PCR0);
        let read = SignatureSection::parse(&section.to_bytes()).expect("a section");
        assert_eq!(read, section);
        let checked = check(&read, &PCR0, NOW).expect("good");
        assert_eq!(checked.certificate, certificate(who.1));
        assert_eq!(
            checked.certificate.pcr8(),
            PcrValue::of(section.certificate())
        );
        // Deterministic: two signers get one file.
        assert_eq!(signed(who), section);
    }
}

#[test]
fn a_key_file_as_aws_describes_it_is_read() {
    let sec1 = signer(testdata!("p384.sec1.pem"));
    let section = sign(PCR0, &certificate(P384.1), &sec1, NOW);
    assert_eq!(section, Ok(signed(P384)));
}

fn key_refused(pem: &[u8], expected: KeyError) {
    assert_eq!(FileKey::from_pem(pem).err(), Some(expected));
    assert!(!expected.remedy().is_empty());
    signer(P384.0);
}

#[test]
fn an_encrypted_key_fails_closed() {
    key_refused(testdata!("encrypted.key.pem"), KeyError::Encrypted);
}

#[test]
fn a_key_on_another_curve_fails_closed() {
    key_refused(testdata!("k256.key.pem"), KeyError::Curve);
    key_refused(testdata!("rsa.key.pem"), KeyError::Curve);
}

#[test]
fn a_file_that_is_no_key_fails_closed() {
    key_refused(b"", KeyError::Pem);
    key_refused(P384.1, KeyError::Pem);
    key_refused(&[P384.0, P384.0].concat(), KeyError::Pem);
    key_refused(&P384.0[..P384.0.len() / 2], KeyError::Pem);
    let text = String::from_utf8(P384.0.to_vec()).expect("PEM");
    let cut = text.replace("PRIVATE KEY", "EC PRIVATE KEY");
    key_refused(cut.as_bytes(), KeyError::Malformed);
    let empty = "-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n";
    key_refused(empty.as_bytes(), KeyError::Malformed);
}

fn certificate_refused(pem: &[u8], expected: CertificateError) {
    assert_eq!(Certificate::from_pem(pem).err(), Some(expected));
    assert!(!expected.remedy().is_empty());
    certificate(P384.1);
}

#[test]
fn a_certificate_of_another_kind_fails_closed() {
    certificate_refused(testdata!("rsa.crt.pem"), CertificateError::Key);
}

#[test]
fn a_file_that_is_no_certificate_fails_closed() {
    let pem = CertificateError::File(SignatureError::CertificatePem);
    certificate_refused(b"", pem);
    certificate_refused(P384.0, pem);
    // Two of them: PCR8 would be of which?
    certificate_refused(&[P384.1, P256.1].concat(), pem);
    let der = CertificateError::File(SignatureError::CertificateDer);
    let trailing = "-----BEGIN CERTIFICATE-----\nMAMCAQEA\n-----END CERTIFICATE-----\n";
    certificate_refused(trailing.as_bytes(), der);
    let number = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    certificate_refused(number.as_bytes(), CertificateError::Malformed);
}

fn sign_refused(pem: &[u8], key: &[u8], pcr0: PcrValue, now: u64, expected: SignError) {
    let refused = sign(pcr0, &certificate(pem), &signer(key), now);
    assert_eq!(refused, Err(expected.clone()));
    assert!(!expected.remedy().is_empty());
    signed(P384);
}

#[test]
fn a_certificate_of_another_key_fails_closed() {
    for (key, pem) in [
        (P384.0, OTHER.1),
        (P384.0, P256.1),
        (P256.0, P521.1),
        (OTHER.0, P384.1),
    ] {
        sign_refused(pem, key, PCR0, NOW, SignError::KeyMismatch);
    }
}

#[test]
fn an_expired_certificate_fails_closed() {
    let (not_after, now) = (1_767_225_599, NOW);
    let expired = CertificateError::Expired { not_after, now };
    let pem = testdata!("expired.crt.pem");
    sign_refused(pem, P384.0, PCR0, NOW, expired.into());
    let certificate = certificate(pem);
    assert_eq!(certificate.valid_at(not_after), Ok(()));
    let now = not_after + 1;
    let expired = CertificateError::Expired { not_after, now };
    assert_eq!(certificate.valid_at(now), Err(expired));
    // Checked later, too.
    let section = sign(PCR0, &certificate, &signer(P384.0), not_after).expect("then it was valid");
    assert!(check(&section, &PCR0, not_after).is_ok());
    assert_eq!(check(&section, &PCR0, now), Err(expired.into()));
}

#[test]
fn a_certificate_of_the_future_fails_closed() {
    let (not_before, now) = (4_039_372_800, NOW);
    let early = CertificateError::NotYetValid { not_before, now };
    let pem = testdata!("early.crt.pem");
    sign_refused(pem, P384.0, PCR0, NOW, early.into());
    // A machine whose clock stands in 1970.
    let now = 0;
    let not_before = 1_767_225_600;
    let early = CertificateError::NotYetValid { not_before, now };
    sign_refused(P384.1, P384.0, PCR0, now, early.into());
}

#[test]
fn the_measurement_of_a_debug_enclave_fails_closed() {
    let zero = PcrValue::from_bytes([0; 48]);
    sign_refused(P384.1, P384.0, zero, NOW, SignError::DebugMeasurement);
}

#[test]
fn a_certificate_file_too_large_fails_closed() {
    // Each byte becomes up to two in the section.
    let text = [&b"about this certificate\n".repeat(1400)[..], P384.1].concat();
    let refused = sign(PCR0, &certificate(&text), &signer(P384.0), NOW);
    assert!(
        matches!(refused, Err(SignError::TooLarge { size, max: 32_768 }) if size > 32_768),
        "{refused:?}"
    );
    let text = [&b"about this certificate\n".repeat(100)[..], P384.1].concat();
    assert!(sign(PCR0, &certificate(&text), &signer(P384.0), NOW).is_ok());
}

#[test]
fn a_signature_of_another_image_fails_closed() {
    let image = PcrValue::from_bytes([0x5b; 48]);
    let signed = signed(P384);
    let expected = CheckError::OtherImage {
        image,
        signed: PCR0,
    };
    assert_eq!(check(&signed, &image, NOW), Err(expected));
    assert!(check(&signed, &PCR0, NOW).is_ok());
}

#[test]
fn a_forged_signature_fails_closed() {
    for who in [P256, P384, P521] {
        let section = signed(who);
        let good = section.signature();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut forged = good.to_vec();
            forged[at] ^= 1;
            let forged =
                SignatureSection::new(who.1, section.algorithm(), PCR0, &forged).expect("a form");
            assert_eq!(check(&forged, &PCR0, NOW), Err(CheckError::Forged));
        }
        assert!(check(&section, &PCR0, NOW).is_ok());
    }
    // Somebody else's certificate around a good signature.
    let section = signed(P384);
    let forged = SignatureSection::new(OTHER.1, section.algorithm(), PCR0, section.signature());
    let forged = forged.expect("a form");
    assert_eq!(check(&forged, &PCR0, NOW), Err(CheckError::Forged));
}

#[test]
fn an_algorithm_that_is_not_the_keys_fails_closed() {
    let section = signed(P256);
    let other = SignatureSection::new(P384.1, Algorithm::Es256, PCR0, section.signature());
    let other = other.expect("a form");
    assert_eq!(check(&other, &PCR0, NOW), Err(CheckError::Algorithm));
}

#[test]
fn a_signed_image_is_read_and_measured() {
    let parts = Parts {
        architecture: Architecture::X86_64,
        kernel: b"kernel",
        command_line: "quiet",
        ramdisks: &[b"ramdisk"],
        metadata: b"{}",
    };
    let unsigned = Eif::assemble(&parts).expect("an image");
    let measured = unsigned.measure();
    assert_eq!(measured.pcr8, None);
    let certificate = certificate(P384.1);
    let section = sign(measured.pcr0, &certificate, &signer(P384.0), NOW).expect("signed");
    let section_bytes = section.to_bytes();
    let bytes = unsigned
        .with_signature(&section_bytes)
        .expect("room")
        .to_bytes();
    let image = Eif::parse(&bytes).expect("an image");
    let found = image.measure();
    assert_eq!(found.pcr8, Some(certificate.pcr8()));
    assert_eq!((found.pcr0, found.pcr1, found.pcr2), {
        (measured.pcr0, measured.pcr1, measured.pcr2)
    });
    let section = image.signature().expect("signed");
    assert!(check(section, &found.pcr0, NOW).is_ok());
    // Signed again: the old signature goes.
    let other = sign(
        measured.pcr0,
        &Certificate::from_pem(P256.1).expect("a certificate"),
        &signer(P256.0),
        NOW,
    );
    let other = other.expect("signed").to_bytes();
    let again = image.with_signature(&other).expect("room");
    assert_eq!(again.sections().len(), image.sections().len());
    // What is no signature does not get in.
    for junk in [&b""[..], b"junk", &section_bytes[1..]] {
        assert!(matches!(
            unsigned.with_signature(junk),
            Err(EifError::Signature(_) | EifError::Empty { .. })
        ));
    }
}
