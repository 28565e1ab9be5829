//! Rule 12 and the profile of each certificate.

use p384::ecdsa::Signature;
use quorate_verify::attestation::{AttestationError as E, Link};

use crate::case::Case;
use crate::common::der;
use crate::common::nitro::{
    INSTANCE, INSTANCE_NAME, LEAF, LEAF_NAME, REGIONAL, ZONAL, algorithm, key_info, name_of, oids,
    p384_key_info, public_key, signature_der,
};

const AT_REGIONAL: Link = Link::Bundle { index: 1 };
const AT_ZONAL: Link = Link::Bundle { index: 2 };
const AT_INSTANCE: Link = Link::Bundle { index: 3 };

refusals! {
    // The authorities.
    #[test]
    fn regional_that_is_no_authority_fails_closed: |case| {
        case.certificate(REGIONAL).set_basic_constraints(false, None);
    } => E::CertificateNotAuthority { link: AT_REGIONAL };
    #[test]
    fn instance_that_is_no_authority_fails_closed: |case| {
        case.certificate(INSTANCE).set_basic_constraints(false, None);
    } => E::CertificateNotAuthority { link: AT_INSTANCE };
    #[test]
    fn authority_without_basic_constraints_fails_closed: |case| {
        case.certificate(ZONAL).remove_extension(oids::BASIC_CONSTRAINTS);
    } => E::BasicConstraintsMissing { link: AT_ZONAL };
    #[test]
    fn too_short_path_of_regional_fails_closed: |case| {
        case.certificate(REGIONAL).set_basic_constraints(true, Some(1));
    } => E::PathLengthExceeded { link: AT_REGIONAL };
    #[test]
    fn too_short_path_of_zonal_fails_closed: |case| {
        case.certificate(ZONAL).set_basic_constraints(true, Some(0));
    } => E::PathLengthExceeded { link: AT_ZONAL };
    #[test]
    fn authority_without_key_usage_fails_closed: |case| {
        case.certificate(ZONAL).remove_extension(oids::KEY_USAGE);
    } => E::KeyUsage { link: AT_ZONAL };
    #[test]
    fn authority_that_may_not_sign_certificates_fails_closed: |case| {
        case.certificate(INSTANCE).set_key_usage(&[7, 0x80]);
    } => E::KeyUsage { link: AT_INSTANCE };

    // The leaf.
    #[test]
    fn leaf_as_authority_fails_closed: |case| {
        case.certificate(LEAF).set_basic_constraints(true, None);
    } => E::LeafIsAuthority;
    #[test]
    fn leaf_with_path_length_fails_closed: |case| {
        case.certificate(LEAF).set_basic_constraints(false, Some(0));
    } => E::LeafIsAuthority;
    #[test]
    fn leaf_without_basic_constraints_fails_closed: |case| {
        case.certificate(LEAF).remove_extension(oids::BASIC_CONSTRAINTS);
    } => E::BasicConstraintsMissing { link: Link::Leaf };
    #[test]
    fn leaf_without_key_usage_fails_closed: |case| {
        case.certificate(LEAF).remove_extension(oids::KEY_USAGE);
    } => E::KeyUsage { link: Link::Leaf };
    #[test]
    fn leaf_that_may_not_sign_fails_closed: |case| {
        case.certificate(LEAF).set_key_usage(&[3, 0x08]);
    } => E::KeyUsage { link: Link::Leaf };
    #[test]
    fn leaf_that_may_sign_certificates_fails_closed: |case| {
        case.certificate(LEAF).set_key_usage(&[2, 0x84]);
    } => E::KeyUsage { link: Link::Leaf };
    #[test]
    fn leaf_that_may_sign_revocations_fails_closed: |case| {
        case.certificate(LEAF).set_key_usage(&[1, 0x82]);
    } => E::KeyUsage { link: Link::Leaf };
    #[test]
    fn leaf_without_extensions_fails_closed: |case| case.certificate(LEAF).extensions.clear()
        => E::BasicConstraintsMissing { link: Link::Leaf };

    // Extensions.
    #[test]
    fn unknown_critical_extension_fails_closed: |case| {
        case.certificate(LEAF).set_extension(oids::UNKNOWN, true, vec![5, 0]);
    } => E::CriticalExtension { link: Link::Leaf };
    #[test]
    fn critical_name_constraints_fail_closed: |case| {
        case.certificate(REGIONAL).set_extension(oids::NAME_CONSTRAINTS, true, vec![0x30, 0]);
    } => E::CriticalExtension { link: AT_REGIONAL };
    #[test]
    fn critical_extended_key_usage_fails_closed: |case| {
        let usage = der::sequence(&[der::oid(oids::UNKNOWN)]);
        case.certificate(LEAF).set_extension(oids::EXTENDED_KEY_USAGE, true, usage);
    } => E::CriticalExtension { link: Link::Leaf };
    #[test]
    fn critical_alternative_name_fails_closed: |case| {
        case.certificate(ZONAL).set_extension(oids::SUBJECT_ALT_NAME, true, vec![0x30, 0]);
    } => E::CriticalExtension { link: AT_ZONAL };
    #[test]
    fn extension_twice_fails_closed: |case| {
        let extensions = &mut case.certificate(LEAF).extensions;
        extensions.push(extensions[0].clone());
    } => E::DuplicateExtension { link: Link::Leaf };
    #[test]
    fn second_basic_constraints_fail_closed: |case| {
        let authority = case.certificate(INSTANCE).extensions[0].clone();
        case.certificate(LEAF).extensions.push(authority);
    } => E::DuplicateExtension { link: Link::Leaf };
    #[test]
    fn unknown_extension_twice_fails_closed: |case| {
        let certificate = case.certificate(ZONAL);
        certificate.set_extension(oids::UNKNOWN, false, vec![5, 0]);
        let extension = certificate.extensions.last().unwrap().clone();
        certificate.extensions.push(extension);
    } => E::DuplicateExtension { link: AT_ZONAL };

    // Version, algorithm, key, identifiers, names.
    #[test]
    fn version_1_fails_closed: |case| {
        let leaf = case.certificate(LEAF);
        leaf.version = Vec::new();
        leaf.extensions.clear();
    } => E::CertificateVersion { link: Link::Leaf };
    #[test]
    fn version_2_fails_closed: |case| {
        case.certificate(ZONAL).version = der::explicit(0, &der::tlv(der::INTEGER, &[1]));
    } => E::CertificateVersion { link: AT_ZONAL };
    #[test]
    fn version_4_fails_closed: |case| {
        case.certificate(ZONAL).version = der::explicit(0, &der::tlv(der::INTEGER, &[3]));
    } => E::CertificateMalformed { link: AT_ZONAL };
    #[test]
    fn sha256_named_inside_fails_closed: |case| {
        case.certificate(LEAF).inner_algorithm = algorithm(oids::ECDSA_WITH_SHA256);
    } => E::CertificateSignatureAlgorithm { link: Link::Leaf };
    #[test]
    fn sha256_named_outside_fails_closed: |case| {
        case.certificate(LEAF).outer_algorithm = algorithm(oids::ECDSA_WITH_SHA256);
    } => E::CertificateSignatureAlgorithm { link: Link::Leaf };
    #[test]
    fn algorithm_with_parameters_fails_closed: |case| {
        let id = der::oid(oids::ECDSA_WITH_SHA384);
        let with_null = der::sequence(&[id, der::tlv(der::NULL, &[])]);
        let leaf = case.certificate(INSTANCE);
        leaf.inner_algorithm = with_null.clone();
        leaf.outer_algorithm = with_null;
    } => E::CertificateSignatureAlgorithm { link: AT_INSTANCE };
    #[test]
    fn p256_named_as_curve_fails_closed: |case| {
        case.certificate(LEAF).key_info = key_info(oids::PRIME256V1, &public_key(5));
    } => E::CertificateKey { link: Link::Leaf };
    #[test]
    fn key_of_p256_length_fails_closed: |case| {
        case.certificate(LEAF).key_info = key_info(oids::PRIME256V1, &public_key(5)[..65]);
    } => E::CertificateKey { link: Link::Leaf };
    #[test]
    fn compressed_key_fails_closed: |case| {
        let mut point = public_key(4)[..49].to_vec();
        point[0] = 2;
        case.certificate(INSTANCE).key_info = p384_key_info(&point);
    } => E::CertificateKey { link: AT_INSTANCE };
    #[test]
    fn hybrid_key_fails_closed: |case| {
        let mut point = public_key(4);
        point[0] = 6;
        case.certificate(INSTANCE).key_info = p384_key_info(&point);
    } => E::CertificateKey { link: AT_INSTANCE };
    #[test]
    fn empty_key_fails_closed: |case| case.certificate(LEAF).key_info = p384_key_info(&[])
        => E::CertificateKey { link: Link::Leaf };
    #[test]
    fn key_without_curve_fails_closed: |case| {
        let algorithm = der::sequence(&[der::oid(oids::EC_PUBLIC_KEY)]);
        case.certificate(LEAF).key_info =
            der::sequence(&[algorithm, der::bit_string(0, &public_key(5))]);
    } => E::CertificateKey { link: Link::Leaf };
    #[test]
    fn issuer_key_off_the_curve_fails_closed: |case| {
        let mut point = public_key(4);
        point[96] ^= 1;
        case.certificate(INSTANCE).key_info = p384_key_info(&point);
    } => E::CertificateSignature { link: Link::Leaf };
    #[test]
    fn leaf_key_off_the_curve_fails_closed: |case| {
        let mut point = public_key(5);
        point[96] ^= 1;
        case.certificate(LEAF).key_info = p384_key_info(&point);
    } => E::DocumentSignature;
    #[test]
    fn issuer_unique_identifier_fails_closed: |case| {
        case.certificate(LEAF).unique_ids = vec![0x81, 2, 0, 1];
    } => E::UniqueIdentifier { link: Link::Leaf };
    #[test]
    fn subject_unique_identifier_fails_closed: |case| {
        case.certificate(LEAF).unique_ids = vec![0x82, 2, 0, 1];
    } => E::UniqueIdentifier { link: Link::Leaf };
    #[test]
    fn subject_without_common_name_fails_closed: |case| {
        case.certificate(LEAF).subject =
            name_of(&[(oids::UNIT, der::UTF8_STRING, LEAF_NAME)]);
    } => E::CommonName { link: Link::Leaf };
    #[test]
    fn subject_with_two_common_names_fails_closed: |case| {
        case.certificate(LEAF).subject = name_of(&[
            (oids::COMMON_NAME, der::UTF8_STRING, LEAF_NAME),
            (oids::COMMON_NAME, der::UTF8_STRING, INSTANCE_NAME),
        ]);
    } => E::CommonName { link: Link::Leaf };
    #[test]
    fn common_name_of_another_type_fails_closed: |case| {
        case.certificate(LEAF).subject =
            name_of(&[(oids::COMMON_NAME, der::IA5_STRING, LEAF_NAME)]);
    } => E::CommonName { link: Link::Leaf };

    // DER and nothing else. Each certificate is signed over what it says.
    #[test]
    fn trailing_byte_after_certificate_fails_closed: |case| {
        case.certificate(LEAF).edit_der = |der| [der, vec![0]].concat();
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn truncated_certificate_fails_closed: |case| {
        case.certificate(ZONAL).edit_der = |der| der[..der.len() - 1].to_vec();
    } => E::CertificateMalformed { link: AT_ZONAL };
    #[test]
    fn certificate_in_pem_fails_closed: |case| {
        case.certificate(LEAF).edit_der = |_| b"-----BEGIN CERTIFICATE-----\n".to_vec();
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn length_in_a_longer_form_fails_closed: |case| {
        case.certificate(LEAF).edit_der = |der| {
            assert_eq!(der[1], 0x82);
            [&[0x30, 0x83, 0], &der[2..]].concat()
        };
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn indefinite_length_fails_closed: |case| {
        case.certificate(LEAF).edit_der = |der| [&[0x30, 0x80], &der[4..], &[0, 0]].concat();
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn default_version_written_out_fails_closed: |case| {
        let leaf = case.certificate(LEAF);
        leaf.version = der::explicit(0, &der::tlv(der::INTEGER, &[0]));
        leaf.extensions.clear();
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn true_that_is_not_ff_fails_closed: |case| {
        let value = der::sequence(&[der::tlv(der::BOOLEAN, &[1])]);
        case.certificate(ZONAL).set_extension(oids::BASIC_CONSTRAINTS, true, value);
    } => E::CertificateMalformed { link: AT_ZONAL };
    #[test]
    fn default_false_written_out_fails_closed: |case| {
        let value = der::sequence(&[der::tlv(der::BOOLEAN, &[0])]);
        case.certificate(LEAF).set_extension(oids::BASIC_CONSTRAINTS, true, value);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn bytes_after_basic_constraints_fail_closed: |case| {
        case.certificate(LEAF).set_extension(oids::BASIC_CONSTRAINTS, true, vec![0x30, 0, 0]);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn key_usage_with_trailing_zero_bits_fails_closed: |case| {
        case.certificate(LEAF).set_key_usage(&[0, 0xc0]);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn key_usage_with_a_bit_too_many_fails_closed: |case| {
        case.certificate(LEAF).set_key_usage(&[5, 0xc0, 0x20]);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn time_without_seconds_fails_closed: |case| {
        case.certificate(LEAF).not_before = der::tlv(der::UTC_TIME, b"2701150800Z");
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn time_with_offset_fails_closed: |case| {
        case.certificate(LEAF).not_before = der::tlv(der::UTC_TIME, b"270115080000+0000");
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn generalized_time_before_2050_fails_closed: |case| {
        case.certificate(LEAF).not_after = der::generalized_time(1_800_009_000);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn impossible_day_fails_closed: |case| {
        case.certificate(LEAF).not_before = der::tlv(der::UTC_TIME, b"270230080000Z");
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn negative_serial_in_a_longer_form_fails_closed: |case| {
        case.certificate(LEAF).serial = der::tlv(der::INTEGER, &[0, 5]);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn serial_of_22_bytes_fails_closed: |case| {
        case.certificate(LEAF).serial = der::tlv(der::INTEGER, &[0x11; 22]);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn signature_with_unused_bits_fails_closed: |case| {
        case.certificate(LEAF).edit_signature = |signature| {
            let mut der = signature_der(&signature);
            *der.last_mut().unwrap() &= 0xf0;
            der::bit_string(4, &der)
        };
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn raw_certificate_signature_fails_closed: |case| {
        case.certificate(LEAF).edit_signature =
            |signature| der::bit_string(0, &signature.to_bytes());
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn signature_number_in_a_longer_form_fails_closed: |case| {
        case.certificate(LEAF).edit_signature = |signature| {
            with_numbers(&[&[0; 2], &signature.to_bytes()[..48]].concat(), &signature)
        };
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn negative_signature_number_fails_closed: |case| {
        case.certificate(LEAF).edit_signature = |signature| with_numbers(&[0x80; 48], &signature);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn signature_number_of_49_bytes_fails_closed: |case| {
        case.certificate(LEAF).edit_signature = |signature| with_numbers(&[1; 49], &signature);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn empty_signature_number_fails_closed: |case| {
        case.certificate(LEAF).edit_signature = |signature| with_numbers(&[], &signature);
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn bytes_after_signature_numbers_fail_closed: |case| {
        case.certificate(LEAF).edit_signature = |signature| {
            der::bit_string(0, &[signature_der(&signature), vec![5, 0]].concat())
        };
    } => E::CertificateMalformed { link: Link::Leaf };
    #[test]
    fn third_signature_number_fails_closed: |case| {
        case.certificate(LEAF).edit_signature = |signature| {
            let raw = signature.to_bytes();
            der::bit_string(0, &der::sequence(&[
                der::unsigned(&raw[..48]),
                der::unsigned(&raw[48..]),
                der::unsigned(&[1]),
            ]))
        };
    } => E::CertificateMalformed { link: Link::Leaf };
}

/// The signature's encoding with other content bytes for *r*.
fn with_numbers(r: &[u8], signature: &Signature) -> Vec<u8> {
    let s = der::unsigned(&signature.to_bytes()[48..]);
    der::bit_string(0, &der::sequence(&[der::tlv(der::INTEGER, r), s]))
}

/// A key usage without any use is well formed, and allows nothing.
#[test]
fn a_leaf_without_any_use_fails_closed() {
    let mut case = Case::new();
    case.certificate(LEAF).set_key_usage(&[0]);
    let expected = E::KeyUsage { link: Link::Leaf };
    assert_eq!(case.verify().err(), Some(expected));
}

#[test]
fn an_error_names_its_certificate() {
    for (link, words) in [
        (Link::Anchor, "the root certificate to be trusted"),
        (Link::Bundle { index: 2 }, "certificate 2 of the bundle"),
        (Link::Leaf, "the leaf certificate"),
    ] {
        assert_eq!(link.to_string(), words);
        assert!(E::KeyUsage { link }.to_string().contains(words), "{words}");
    }
}
