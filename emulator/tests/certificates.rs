//! The five certificates, checked by the rules of RFC 5280 and against genuine ones.
//!
//! Genuine documents lie outside the repository: `QUORATE_TESTDATA` names the folder that has
//! `attestation/`. Without the variable the comparison says that it is skipped.

mod support;

use std::path::PathBuf;
use std::{env, fs};

use p384::ecdsa::signature::Verifier;
use p384::ecdsa::{DerSignature, VerifyingKey};
use support::{NOW_MS, attest, certificates, device, read, root};
use x509_cert::Certificate;
use x509_cert::der::{Decode, DecodePem, Encode, Tagged};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier,
};

const ECDSA_WITH_SHA384: &str = "1.2.840.10045.4.3.3";
const DAY: u64 = 24 * 60 * 60;

fn chain() -> Vec<Certificate> {
    let mut device = device(&root());
    parse(&attest(&mut device, None, None, None, NOW_MS))
}

fn parse(document: &[u8]) -> Vec<Certificate> {
    let payload = read(read(document).array()[2].bytes());
    certificates(&payload)
        .iter()
        .map(|der| Certificate::from_der(der).unwrap())
        .collect()
}

fn window(certificate: &Certificate) -> (u64, u64) {
    let validity = certificate.tbs_certificate().validity();
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
    (seconds(validity.not_before), seconds(validity.not_after))
}

fn extension<'a, T: Decode<'a> + x509_cert::der::oid::AssociatedOid>(
    certificate: &'a Certificate,
) -> Option<T>
where
    T::Error: std::fmt::Debug,
{
    certificate
        .tbs_certificate()
        .get_extension()
        .unwrap()
        .map(|(_, value)| value)
}

#[test]
fn each_certificate_is_signed_by_the_one_above() {
    let chain = chain();
    assert_eq!(chain.len(), 5);
    for (level, certificate) in chain.iter().enumerate() {
        let issuer = &chain[level.saturating_sub(1)];
        let key = issuer.tbs_certificate().subject_public_key_info();
        assert_eq!(
            certificate.tbs_certificate().issuer(),
            issuer.tbs_certificate().subject()
        );
        let key = VerifyingKey::from_sec1_bytes(key.subject_public_key.raw_bytes()).unwrap();
        let signed = certificate.tbs_certificate().to_der().unwrap();
        let signature = DerSignature::try_from(certificate.signature().raw_bytes()).unwrap();
        assert!(key.verify(&signed, &signature).is_ok(), "level {level}");
        assert_eq!(
            certificate.signature_algorithm().oid.to_string(),
            ECDSA_WITH_SHA384
        );
        assert_eq!(
            certificate.tbs_certificate().signature().oid.to_string(),
            ECDSA_WITH_SHA384
        );
        assert_eq!(
            certificate.tbs_certificate().version(),
            x509_cert::Version::V3
        );
    }
}

#[test]
fn constraints_and_usages_are_those_of_each_level() {
    for (level, certificate) in chain().iter().enumerate() {
        let constraints: BasicConstraints = extension(certificate).unwrap();
        let expected = [
            (true, None),
            (true, Some(2)),
            (true, Some(1)),
            (true, Some(0)),
            (false, None),
        ];
        assert_eq!(
            (constraints.ca, constraints.path_len_constraint),
            expected[level]
        );
        let usage: KeyUsage = extension(certificate).unwrap();
        assert_eq!(usage.key_cert_sign(), level < 4);
        assert_eq!(usage.crl_sign(), level < 3);
        assert_eq!(usage.digital_signature(), level != 3);
        assert_eq!(usage.non_repudiation(), level == 4);
    }
}

#[test]
fn key_identifiers_link_the_levels() {
    let chain = chain();
    for pair in chain.windows(2).take(3) {
        let issuer: SubjectKeyIdentifier = extension(&pair[0]).unwrap();
        let named: AuthorityKeyIdentifier = extension(&pair[1]).unwrap();
        assert_eq!(named.key_identifier, Some(issuer.0));
    }
    assert_eq!(extension::<SubjectKeyIdentifier>(&chain[4]), None);
    assert_eq!(extension::<AuthorityKeyIdentifier>(&chain[4]), None);
}

#[test]
fn windows_are_nested_and_of_genuine_length() {
    let chain = chain();
    let windows: Vec<_> = chain.iter().map(window).collect();
    for pair in windows.windows(2) {
        assert!(
            pair[0].0 <= pair[1].0 && pair[1].1 <= pair[0].1,
            "{windows:?}"
        );
    }
    let now = NOW_MS / 1000;
    assert_eq!(windows[4], (now - 3, now + 3 * 60 * 60));
    assert_eq!(windows[3].1 - windows[3].0, DAY);
    assert_eq!(windows[2].1 - windows[2].0, 6 * DAY + 60 * 60);
    assert_eq!(windows[1].1 - windows[1].0, 20 * DAY + 60 * 60);
}

#[test]
fn names_say_that_they_are_not_aws() {
    for certificate in chain() {
        let subject = certificate.tbs_certificate().subject().to_string();
        assert!(subject.contains("O=Quorate development"), "{subject}");
        assert!(subject.contains("quorate-dev"), "{subject}");
        assert!(!subject.contains("Amazon"), "{subject}");
        for name in certificate.tbs_certificate().subject().iter() {
            assert!(
                name.value.value().len() <= 64,
                "RFC 5280 allows 64 characters: {subject}"
            );
        }
    }
}

#[test]
fn instance_and_module_are_named() {
    let mut device = device(&root());
    let chain = parse(&attest(&mut device, None, None, None, NOW_MS));
    let common_name = |certificate: &Certificate| {
        let subject = certificate.tbs_certificate().subject().to_string();
        let parts: Vec<_> = subject.split(',').map(str::to_owned).collect();
        parts
            .into_iter()
            .find_map(|p| p.strip_prefix("CN=").map(str::to_owned))
            .unwrap()
    };
    let expected = "i-0123456789abcdef0.local-1.quorate-dev.nitro-enclaves";
    assert_eq!(common_name(&chain[3]), expected);
    let expected = format!("{}.local-1.quorate-dev", device.module_id());
    assert_eq!(common_name(&chain[4]), expected);

    let serial = chain[4]
        .tbs_certificate()
        .serial_number()
        .as_bytes()
        .to_vec();
    let enclave = device.module_id().split_once("-enc").unwrap().1;
    let enclave = u64::from_str_radix(enclave, 16).unwrap().to_be_bytes();
    // DER integers have no leading zero bytes; as_bytes gives them without.
    let skip = enclave.iter().take_while(|byte| **byte == 0).count();
    assert_eq!(serial[..8 - skip], enclave[skip..]);
    let issued = u32::try_from(NOW_MS / 1000).unwrap().to_be_bytes();
    assert_eq!(serial[8 - skip..], [[0; 4], issued].concat());
}

#[test]
fn pem_and_der_are_the_same_root() {
    let root = root();
    let pem = root.root_pem().unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"));
    let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(certificate.to_der().unwrap(), root.root_der());
}

#[test]
fn two_roots_differ() {
    assert_ne!(root().root_der(), root().root_der());
}

/// Everything but values: which extensions, in which order, how critical; how names are built.
#[test]
fn certificates_have_the_shape_of_genuine_ones() {
    let Some(folder) = env::var_os("QUORATE_TESTDATA") else {
        eprintln!("skipped: QUORATE_TESTDATA is not set");
        return;
    };
    let file = "attestation/r42-base-2026-01-03.bin";
    let genuine = parse(&fs::read(PathBuf::from(folder).join(file)).unwrap());
    for (level, (ours, theirs)) in chain().iter().zip(&genuine).enumerate() {
        let (ours, theirs) = (ours.tbs_certificate(), theirs.tbs_certificate());
        let shape = |name: &x509_cert::name::Name| {
            name.iter()
                .map(|part| (part.oid, part.value.tag()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shape(ours.subject()),
            shape(theirs.subject()),
            "subject, level {level}"
        );
        assert_eq!(
            shape(ours.issuer()),
            shape(theirs.issuer()),
            "issuer, level {level}"
        );
        let extensions = |tbs: &x509_cert::TbsCertificate| {
            let all = tbs.extensions().unwrap().iter();
            all.map(|e| (e.extn_id, e.critical)).collect::<Vec<_>>()
        };
        assert_eq!(
            extensions(ours),
            extensions(theirs),
            "extensions, level {level}"
        );
        for (ours, theirs) in ours
            .extensions()
            .unwrap()
            .iter()
            .zip(theirs.extensions().unwrap())
        {
            // Basic constraints and key usage have no values of their own.
            if ["2.5.29.19", "2.5.29.15"].contains(&ours.extn_id.to_string().as_str()) {
                assert_eq!(
                    ours.extn_value, theirs.extn_value,
                    "{}, level {level}",
                    ours.extn_id
                );
            }
        }
        let key = |tbs: &x509_cert::TbsCertificate| tbs.subject_public_key_info().algorithm.clone();
        assert_eq!(key(ours), key(theirs), "key, level {level}");
        let (ours, theirs) = (ours.to_der().unwrap().len(), theirs.to_der().unwrap().len());
        assert!(
            ours.abs_diff(theirs) < 64,
            "{ours} and {theirs} bytes, level {level}"
        );
    }
}
