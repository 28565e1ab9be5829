//! The signature section: AWS's encoding written out, and each way not to be one.

use quorate_eif::PcrValue;
use quorate_eif::signature::{
    Algorithm, SignatureError, SignatureSection, certificate_der, to_be_signed,
};

/// A SEQUENCE with one number: as much of a certificate as this crate looks at.
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
const PCR0: [u8; 48] = [0x18; 48];

/// CBOR by hand: a head of `major` type with `length`.
fn head(major: u8, length: usize) -> Vec<u8> {
    let major = major << 5;
    match length {
        0..=23 => vec![major | u8::try_from(length).expect("small")],
        24..=255 => vec![major | 24, u8::try_from(length).expect("small")],
        _ => {
            let [a, b] = u16::try_from(length).expect("small").to_be_bytes();
            vec![major | 25, a, b]
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    [head(3, text.len()), text.as_bytes().to_vec()].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len()), bytes.to_vec()].concat()
}

fn numbers(bytes: &[u8]) -> Vec<u8> {
    let each = bytes.iter().flat_map(|byte| head(0, usize::from(*byte)));
    head(4, bytes.len()).into_iter().chain(each).collect()
}

fn payload(register: u8, value: &[u8]) -> Vec<u8> {
    [
        vec![0xa2],
        text("register_index"),
        vec![register],
        text("register_value"),
        numbers(value),
    ]
    .concat()
}

fn cose(protected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    [
        vec![0x84],
        string(protected),
        vec![0xa0],
        string(payload),
        string(signature),
    ]
    .concat()
}

fn section(pem: &[u8], cose: &[u8]) -> Vec<u8> {
    [
        vec![0x81, 0xa2],
        text("signing_certificate"),
        numbers(pem),
        text("signature"),
        numbers(cose),
    ]
    .concat()
}

const ES384: &[u8] = &[0xa1, 0x01, 0x38, 0x22];

fn good() -> Vec<u8> {
    section(PEM, &cose(ES384, &payload(0, &PCR0), &[7; 96]))
}

#[test]
fn a_section_has_the_bytes_aws_writes() {
    let pcr0 = PcrValue::from_bytes(PCR0);
    for (algorithm, protected) in [
        (Algorithm::Es256, &[0xa1, 0x01, 0x26][..]),
        (Algorithm::Es384, ES384),
        (Algorithm::Es512, &[0xa1, 0x01, 0x38, 0x23]),
    ] {
        let signature = vec![7; algorithm.signature_len()];
        let made = SignatureSection::new(PEM, algorithm, pcr0, &signature).expect("a section");
        let expected = section(PEM, &cose(protected, &payload(0, &PCR0), &signature));
        assert_eq!(made.to_bytes(), expected);
        assert_eq!(SignatureSection::parse(&expected), Ok(made.clone()));
        assert_eq!(made.certificate(), [0x30, 3, 2, 1, 1]);
        assert_eq!(made.certificate_pem(), PEM);
        let signed = [
            vec![0x84],
            text("Signature1"),
            string(protected),
            string(b""),
            string(&payload(0, &PCR0)),
        ];
        assert_eq!(to_be_signed(algorithm, &pcr0), signed.concat());
    }
}

fn refused(bytes: &[u8], expected: SignatureError) {
    assert_eq!(SignatureSection::parse(bytes), Err(expected));
    assert!(SignatureSection::parse(&good()).is_ok());
}

#[test]
fn another_number_of_signatures_fails_closed() {
    refused(&[0x80], SignatureError::Count { found: 0 });
    let two = [&[0x82], &good()[1..], &good()[1..]].concat();
    refused(&two, SignatureError::Count { found: 2 });
}

#[test]
fn bytes_that_are_no_section_fails_closed() {
    let position = 0;
    refused(b"", SignatureError::Form { position });
    let position = 1;
    refused(b"{}", SignatureError::Form { position });
    let position = 2;
    refused(&[0x81, 0xa1], SignatureError::Form { position });
    let renamed = section(PEM, b"");
    let renamed = [&renamed[..4], b"S", &renamed[5..]].concat();
    refused(&renamed, SignatureError::Form { position });
    for length in 0..good().len() {
        assert!(SignatureSection::parse(&good()[..length]).is_err());
    }
    // A length that promises more than there is.
    let position = 22;
    let long = [
        &good()[..22],
        &[0x9a, 0xff, 0xff, 0xff, 0xff],
        &good()[24..],
    ]
    .concat();
    refused(&long, SignatureError::Form { position });
}

#[test]
fn another_encoding_of_the_same_fails_closed() {
    let mut trailing = good();
    trailing.push(0);
    refused(&trailing, SignatureError::NotCanonical);
    // The certificate as a byte string is what a reader of CBOR would expect, and not what is written.
    let position = 23;
    let strings = [
        &[0x81, 0xa2][..],
        &text("signing_certificate"),
        &string(PEM),
        &text("signature"),
    ];
    refused(&strings.concat(), SignatureError::Form { position });
    let longer = [
        vec![0xa2],
        text("register_index"),
        vec![0x18, 0],
        text("register_value"),
        numbers(&PCR0),
    ];
    let longer = section(PEM, &cose(ES384, &longer.concat(), &[7; 96]));
    refused(&longer, SignatureError::NotCanonical);
    let tagged = [&[0xd2][..], &cose(ES384, &payload(0, &PCR0), &[7; 96])].concat();
    let position = 1;
    refused(&section(PEM, &tagged), SignatureError::Form { position });
}

#[test]
fn an_unknown_algorithm_fails_closed() {
    // EdDSA.
    let bytes = section(
        PEM,
        &cose(&[0xa1, 0x01, 0x27], &payload(0, &PCR0), &[7; 64]),
    );
    refused(&bytes, SignatureError::Algorithm { found: -8 });
}

#[test]
fn another_register_fails_closed() {
    let bytes = section(PEM, &cose(ES384, &payload(8, &PCR0), &[7; 96]));
    refused(&bytes, SignatureError::Register { found: 8 });
    let bytes = section(PEM, &cose(ES384, &payload(0, &PCR0[1..]), &[7; 96]));
    refused(&bytes, SignatureError::RegisterLength { found: 47 });
}

#[test]
fn a_signature_of_another_length_fails_closed() {
    for found in [0, 64, 95, 97] {
        let bytes = section(PEM, &cose(ES384, &payload(0, &PCR0), &vec![7; found]));
        let algorithm = Algorithm::Es384;
        let expected = 96;
        refused(
            &bytes,
            SignatureError::Length {
                algorithm,
                expected,
                found,
            },
        );
    }
}

#[test]
fn a_certificate_that_is_none_fails_closed() {
    let with = |pem: &[u8]| section(pem, &cose(ES384, &payload(0, &PCR0), &[7; 96]));
    for pem in [
        &b""[..],
        &[PEM, PEM].concat(),
        b"-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n",
        &PEM[..40],
        &[PEM, b"more"].concat(),
    ] {
        refused(&with(pem), SignatureError::CertificatePem);
    }
    let trailing = b"-----BEGIN CERTIFICATE-----\nMAMCAQEA\n-----END CERTIFICATE-----\n";
    refused(&with(trailing), SignatureError::CertificateDer);
    let number = b"-----BEGIN CERTIFICATE-----\nAgEB\n-----END CERTIFICATE-----\n";
    refused(&with(number), SignatureError::CertificateDer);
    // Text before it and blank lines behind it are no doubt.
    let der = certificate_der(&[b"Certificate:\n", PEM, b"\n\n"].concat());
    assert_eq!(der, Ok(vec![0x30, 3, 2, 1, 1]));
}
