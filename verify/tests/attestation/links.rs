//! Rule 12 at every place: the same defect in the regional, the zonal, the instance and the leaf
//! certificate. A walk that checks only the ends would pass the rows of `certificates`.

use p384::ecdsa::Signature;
use quorate_verify::attestation::{AttestationError as E, Link};

use crate::case::Case;
use crate::common::der;
use crate::common::nitro::{
    Certificate, INSTANCE, LEAF, REGIONAL, ZONAL, algorithm, key_info, name_of, oids,
    p384_key_info, public_key, signature_der,
};

const PLACES: [(&str, usize, Link); 4] = [
    ("regional", REGIONAL, Link::Bundle { index: 1 }),
    ("zonal", ZONAL, Link::Bundle { index: 2 }),
    ("instance", INSTANCE, Link::Bundle { index: 3 }),
    ("leaf", LEAF, Link::Leaf),
];

/// The order of the curve's group.
const ORDER: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];

/// A name, the defect (with the number of the certificate's key), and its error.
type Defect = (&'static str, fn(&mut Certificate, u8), fn(Link) -> E);

const DEFECTS: &[Defect] = &[
    (
        "version-1",
        |certificate, _| {
            certificate.version = Vec::new();
            certificate.extensions.clear();
        },
        |link| E::CertificateVersion { link },
    ),
    (
        "version-2",
        |certificate, _| {
            certificate.version = der::explicit(0, &der::tlv(der::INTEGER, &[1]));
        },
        |link| E::CertificateVersion { link },
    ),
    (
        "sha256-inside",
        |certificate, _| certificate.inner_algorithm = algorithm(oids::ECDSA_WITH_SHA256),
        |link| E::CertificateSignatureAlgorithm { link },
    ),
    (
        "sha256-outside",
        |certificate, _| certificate.outer_algorithm = algorithm(oids::ECDSA_WITH_SHA256),
        |link| E::CertificateSignatureAlgorithm { link },
    ),
    (
        "sha256-in-both-places",
        |certificate, _| {
            certificate.inner_algorithm = algorithm(oids::ECDSA_WITH_SHA256);
            certificate.outer_algorithm = algorithm(oids::ECDSA_WITH_SHA256);
        },
        |link| E::CertificateSignatureAlgorithm { link },
    ),
    (
        "issuer-unique-identifier",
        |certificate, _| certificate.unique_ids = vec![0x81, 2, 0, 1],
        |link| E::UniqueIdentifier { link },
    ),
    (
        "subject-unique-identifier",
        |certificate, _| certificate.unique_ids = vec![0x82, 2, 0, 1],
        |link| E::UniqueIdentifier { link },
    ),
    (
        "unknown-critical-extension",
        |certificate, _| certificate.set_extension(oids::UNKNOWN, true, vec![5, 0]),
        |link| E::CriticalExtension { link },
    ),
    (
        "critical-crl-points",
        |certificate, _| {
            let points = der::sequence(&[der::sequence(&[])]);
            certificate.set_extension(oids::CRL_POINTS, true, points);
        },
        |link| E::CriticalExtension { link },
    ),
    (
        "basic-constraints-twice",
        |certificate, _| {
            certificate
                .extensions
                .push(certificate.extensions[0].clone())
        },
        |link| E::DuplicateExtension { link },
    ),
    (
        "no-basic-constraints",
        |certificate, _| certificate.remove_extension(oids::BASIC_CONSTRAINTS),
        |link| E::BasicConstraintsMissing { link },
    ),
    (
        "no-key-usage",
        |certificate, _| certificate.remove_extension(oids::KEY_USAGE),
        |link| E::KeyUsage { link },
    ),
    (
        "usage-for-encryption-alone",
        |certificate, _| certificate.set_key_usage(&[5, 0x20]),
        |link| E::KeyUsage { link },
    ),
    (
        "p256-key",
        |certificate, _| certificate.key_info = key_info(oids::PRIME256V1, &[4; 65]),
        |link| E::CertificateKey { link },
    ),
    (
        "compressed-key",
        |certificate, key| {
            let mut point = public_key(key)[..49].to_vec();
            point[0] = 2;
            certificate.key_info = p384_key_info(&point);
        },
        |link| E::CertificateKey { link },
    ),
    (
        "short-key",
        |certificate, key| certificate.key_info = p384_key_info(&public_key(key)[..96]),
        |link| E::CertificateKey { link },
    ),
    (
        "point-at-infinity",
        |certificate, _| certificate.key_info = p384_key_info(&[0]),
        |link| E::CertificateKey { link },
    ),
    (
        "no-common-name",
        |certificate, _| {
            certificate.subject = name_of(&[(oids::UNIT, der::UTF8_STRING, "Nitro")]);
        },
        |link| E::CommonName { link },
    ),
    (
        "empty-subject",
        |certificate, _| certificate.subject = der::sequence(&[]),
        |link| E::CommonName { link },
    ),
    (
        "two-common-names",
        |certificate, _| {
            certificate.subject = name_of(&[
                (oids::COMMON_NAME, der::UTF8_STRING, "one"),
                (oids::COMMON_NAME, der::UTF8_STRING, "two"),
            ]);
        },
        |link| E::CommonName { link },
    ),
    (
        "trailing-byte",
        |certificate, _| certificate.edit_der = |der| [der, vec![0]].concat(),
        |link| E::CertificateMalformed { link },
    ),
    (
        "truncated",
        |certificate, _| certificate.edit_der = |der| der[..der.len() - 1].to_vec(),
        |link| E::CertificateMalformed { link },
    ),
    (
        "indefinite-length",
        |certificate, _| {
            certificate.edit_der = |der| [&[0x30, 0x80], &der[4..], &[0, 0]].concat();
        },
        |link| E::CertificateMalformed { link },
    ),
    (
        "length-in-a-longer-form",
        |certificate, _| certificate.edit_der = |der| [&[0x30, 0x83, 0], &der[2..]].concat(),
        |link| E::CertificateMalformed { link },
    ),
    (
        "huge-length",
        |certificate, _| {
            certificate.edit_der =
                |der| [&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], &der[4..]].concat();
        },
        |link| E::CertificateMalformed { link },
    ),
    (
        "true-that-is-not-ff",
        |certificate, _| {
            let value = der::sequence(&[der::tlv(der::BOOLEAN, &[1])]);
            certificate.set_extension(oids::BASIC_CONSTRAINTS, true, value);
        },
        |link| E::CertificateMalformed { link },
    ),
    (
        "generalized-time-before-2050",
        |certificate, _| certificate.not_after = der::generalized_time(1_800_009_000),
        |link| E::CertificateMalformed { link },
    ),
    (
        "signature-with-unused-bits",
        |certificate, _| {
            certificate.edit_signature = |signature| {
                let mut der = signature_der(&signature);
                *der.last_mut().unwrap() &= 0xf0;
                der::bit_string(4, &der)
            };
        },
        |link| E::CertificateMalformed { link },
    ),
    (
        "raw-signature",
        |certificate, _| {
            certificate.edit_signature = |signature| der::bit_string(0, &signature.to_bytes());
        },
        |link| E::CertificateMalformed { link },
    ),
    (
        "signature-with-a-leading-zero",
        |certificate, _| {
            certificate.edit_signature = |signature| {
                let s = &signature.to_bytes()[48..];
                signature_of(
                    &der::unsigned(&signature.to_bytes()[..48]),
                    &der::tlv(der::INTEGER, &[&[0, 0], s].concat()),
                )
            };
        },
        |link| E::CertificateMalformed { link },
    ),
    (
        "signature-r-zero",
        |certificate, _| {
            certificate.edit_signature =
                |signature| signature_of(&der::unsigned(&[0]), &s_of(&signature));
        },
        |link| E::CertificateSignature { link },
    ),
    (
        "signature-s-zero",
        |certificate, _| {
            certificate.edit_signature =
                |signature| signature_of(&r_of(&signature), &der::unsigned(&[0]));
        },
        |link| E::CertificateSignature { link },
    ),
    (
        "signature-r-is-the-order",
        |certificate, _| {
            certificate.edit_signature =
                |signature| signature_of(&der::unsigned(&ORDER), &s_of(&signature));
        },
        |link| E::CertificateSignature { link },
    ),
    (
        "signature-s-is-the-order",
        |certificate, _| {
            certificate.edit_signature =
                |signature| signature_of(&r_of(&signature), &der::unsigned(&ORDER));
        },
        |link| E::CertificateSignature { link },
    ),
    (
        "signature-swapped",
        |certificate, _| {
            certificate.edit_signature =
                |signature| signature_of(&s_of(&signature), &r_of(&signature));
        },
        |link| E::CertificateSignature { link },
    ),
    (
        "changed-after-signing",
        |certificate, _| {
            certificate.edit_der = |mut der| {
                // The serial number: head, head, version, then tag and length.
                let at = 4 + 4 + 5 + 2;
                der[at] ^= 0x40;
                der
            };
        },
        |link| E::CertificateSignature { link },
    ),
];

/// Every defect at every place, with its error.
pub(crate) fn refused() -> Vec<(String, Case, E)> {
    let mut rows = Vec::new();
    for (place_name, place, link) in PLACES {
        for (name, defect, expected) in DEFECTS {
            let mut case = Case::new();
            // Keys are numbered from 1.
            defect(case.certificate(place), place as u8 + 1);
            rows.push((format!("{place_name}-{name}"), case, expected(link)));
        }
    }
    rows
}

#[test]
fn every_defect_of_every_certificate_fails_closed() {
    for (name, case, expected) in refused() {
        assert_eq!(case.verify().map(|_| ()), Err(expected), "{name}");
    }
}

fn signature_of(r: &[u8], s: &[u8]) -> Vec<u8> {
    der::bit_string(0, &der::sequence(&[r.to_vec(), s.to_vec()]))
}

fn r_of(signature: &Signature) -> Vec<u8> {
    der::unsigned(&signature.to_bytes()[..48])
}

fn s_of(signature: &Signature) -> Vec<u8> {
    der::unsigned(&signature.to_bytes()[48..])
}
