//! Rules 10, 11, 13 and 15: how the certificates belong together, and their windows.

use quorate_verify::attestation::{AttestationError as E, Link, TrustAnchors};
use sha2::{Digest, Sha256};

use crate::case::{Case, Demand};
use crate::common::cbor::Cbor;
use crate::common::der;
use crate::common::nitro::{
    INSTANCE, INSTANCE_NAME, LEAF, NOW, REGIONAL, ROOT, TIMESTAMP_MS, ZONAL, name, p384_key_info,
    public_key, signing_key,
};

const AT_ROOT: Link = Link::Bundle { index: 0 };
const AT_REGIONAL: Link = Link::Bundle { index: 1 };
const AT_ZONAL: Link = Link::Bundle { index: 2 };
const AT_INSTANCE: Link = Link::Bundle { index: 3 };

/// The verification time of archived cases below.
const AT: u64 = NOW + 60;

/// One more than the tolerated error of a live verifier's clock.
const BEYOND: u64 = 61;

refusals! {
    // Order and number.
    #[test]
    fn bundle_from_leaf_to_root_fails_closed: |case| {
        case.payload(|payload| payload.cabundle()[1..].reverse());
    } => E::PathLengthExceeded { link: AT_REGIONAL };
    #[test]
    fn swapped_neighbours_fail_closed: |case| {
        for place in [REGIONAL, ZONAL] {
            case.certificate(place).set_basic_constraints(true, None);
        }
        case.payload(|payload| payload.cabundle().swap(1, 2));
    } => E::IssuerMismatch { link: AT_REGIONAL };
    #[test]
    fn missing_link_fails_closed: |case| {
        case.payload(|payload| { payload.cabundle().remove(2); });
    } => E::IssuerMismatch { link: AT_ZONAL };
    #[test]
    fn missing_last_authority_fails_closed: |case| {
        case.payload(|payload| { payload.cabundle().pop(); });
    } => E::IssuerMismatch { link: Link::Leaf };
    #[test]
    fn root_alone_fails_closed: |case| case.payload(|payload| payload.cabundle().truncate(1))
        => E::IssuerMismatch { link: Link::Leaf };
    #[test]
    fn certificate_repeated_fails_closed: |case| {
        case.certificate(INSTANCE).set_basic_constraints(true, None);
        case.certificate(ZONAL).set_basic_constraints(true, None);
        case.certificate(REGIONAL).set_basic_constraints(true, None);
        case.payload(|payload| {
            let instance = payload.cabundle()[3].clone();
            payload.cabundle().push(instance);
        });
    } => E::IssuerMismatch { link: Link::Bundle { index: 4 } };
    #[test]
    fn extra_root_at_the_end_fails_closed: |case| {
        for place in [REGIONAL, ZONAL, INSTANCE] {
            case.certificate(place).set_basic_constraints(true, None);
        }
        case.payload(|payload| {
            let root = payload.cabundle()[0].clone();
            payload.cabundle().push(root);
        });
    } => E::IssuerMismatch { link: Link::Bundle { index: 4 } };
    #[test]
    fn leaf_inside_the_bundle_fails_closed: |case| {
        case.payload(|payload| {
            let leaf = payload.value("certificate").clone();
            payload.cabundle().push(leaf);
        });
    } => E::CertificateNotAuthority { link: Link::Bundle { index: 4 } };
    #[test]
    fn authority_in_place_of_the_leaf_fails_closed: |case| {
        case.payload(|payload| {
            let instance = payload.cabundle().pop().unwrap();
            payload.set("certificate", instance);
        });
    } => E::LeafIsAuthority;

    // Names.
    #[test]
    fn another_issuer_named_by_leaf_fails_closed: |case| {
        case.certificate(LEAF).issuer = name("another.nitro-enclaves");
    } => E::IssuerMismatch { link: Link::Leaf };
    #[test]
    fn another_issuer_named_by_regional_fails_closed: |case| {
        case.certificate(REGIONAL).issuer = name("another.nitro-enclaves");
    } => E::IssuerMismatch { link: AT_REGIONAL };
    #[test]
    fn issuer_in_another_string_type_fails_closed: |case| {
        case.certificate(LEAF).issuer = crate::common::nitro::name_of(&[
            (crate::common::nitro::oids::COMMON_NAME, der::PRINTABLE_STRING, INSTANCE_NAME),
        ]);
    } => E::IssuerMismatch { link: Link::Leaf };

    // Signatures.
    #[test]
    fn regional_signed_by_a_stranger_fails_closed: |case| {
        case.certificate(REGIONAL).signer = signing_key(9);
    } => E::CertificateSignature { link: AT_REGIONAL };
    #[test]
    fn zonal_signed_by_a_stranger_fails_closed: |case| {
        case.certificate(ZONAL).signer = signing_key(9);
    } => E::CertificateSignature { link: AT_ZONAL };
    #[test]
    fn instance_signed_by_a_stranger_fails_closed: |case| {
        case.certificate(INSTANCE).signer = signing_key(9);
    } => E::CertificateSignature { link: AT_INSTANCE };
    #[test]
    fn leaf_signed_by_a_stranger_fails_closed: |case| {
        case.certificate(LEAF).signer = signing_key(9);
    } => E::CertificateSignature { link: Link::Leaf };
    #[test]
    fn leaf_signed_by_itself_fails_closed: |case| case.certificate(LEAF).signer = signing_key(5)
        => E::CertificateSignature { link: Link::Leaf };
    #[test]
    fn leaf_signed_by_the_root_fails_closed: |case| case.certificate(LEAF).signer = signing_key(1)
        => E::CertificateSignature { link: Link::Leaf };
    #[test]
    fn zero_certificate_signature_fails_closed: |case| {
        case.certificate(LEAF).edit_signature = |_| {
            let zero = || der::tlv(der::INTEGER, &[0]);
            der::bit_string(0, &der::sequence(&[zero(), zero()]))
        };
    } => E::CertificateSignature { link: Link::Leaf };
    #[test]
    fn certificate_changed_after_signing_fails_closed: |case| {
        case.certificate(ZONAL).edit_der = |mut der| {
            let at = der.windows(4).position(|part| part == b"8899").unwrap();
            der[at] = b'9';
            der
        };
        case.certificate(INSTANCE).issuer =
            name("9899aabbccddeeff.zonal.test-1.development.nitro-enclaves");
    } => E::CertificateSignature { link: AT_ZONAL };
    #[test]
    fn leaf_key_replaced_after_signing_fails_closed: |case| {
        case.certificate(LEAF).edit_der = |der| {
            let (old, new) = (public_key(5), public_key(9));
            let at = der.windows(97).position(|part| part == old).unwrap();
            [&der[..at], &new, &der[at + 97..]].concat()
        };
        case.recipe.signer = signing_key(9);
    } => E::CertificateSignature { link: Link::Leaf };

    // Windows, at an exact time.
    #[test]
    fn expired_root_fails_closed: |case| archived(case, |case| {
        case.certificate(ROOT).not_after = der::utc_time(AT - 1);
    }) => E::CertificateExpired { link: AT_ROOT, not_after: AT - 1, at: AT };
    #[test]
    fn expired_regional_fails_closed: |case| archived(case, |case| {
        case.certificate(REGIONAL).not_after = der::utc_time(AT - 1);
    }) => E::CertificateExpired { link: AT_REGIONAL, not_after: AT - 1, at: AT };
    #[test]
    fn expired_zonal_fails_closed: |case| archived(case, |case| {
        case.certificate(ZONAL).not_after = der::utc_time(AT - 1);
    }) => E::CertificateExpired { link: AT_ZONAL, not_after: AT - 1, at: AT };
    #[test]
    fn expired_instance_fails_closed: |case| archived(case, |case| {
        case.certificate(INSTANCE).not_after = der::utc_time(AT - 1);
    }) => E::CertificateExpired { link: AT_INSTANCE, not_after: AT - 1, at: AT };
    #[test]
    fn expired_leaf_fails_closed: |case| archived(case, |case| {
        case.certificate(LEAF).not_after = der::utc_time(AT - 1);
    }) => E::CertificateExpired { link: Link::Leaf, not_after: AT - 1, at: AT };
    #[test]
    fn root_not_yet_valid_fails_closed: |case| archived(case, |case| {
        case.certificate(ROOT).not_before = der::utc_time(AT + 1);
    }) => E::CertificateNotYetValid { link: AT_ROOT, not_before: AT + 1, at: AT };
    #[test]
    fn regional_not_yet_valid_fails_closed: |case| archived(case, |case| {
        case.certificate(REGIONAL).not_before = der::utc_time(AT + 1);
    }) => E::CertificateNotYetValid { link: AT_REGIONAL, not_before: AT + 1, at: AT };
    #[test]
    fn zonal_not_yet_valid_fails_closed: |case| archived(case, |case| {
        case.certificate(ZONAL).not_before = der::utc_time(AT + 1);
    }) => E::CertificateNotYetValid { link: AT_ZONAL, not_before: AT + 1, at: AT };
    #[test]
    fn instance_not_yet_valid_fails_closed: |case| archived(case, |case| {
        case.certificate(INSTANCE).not_before = der::utc_time(AT + 1);
    }) => E::CertificateNotYetValid { link: AT_INSTANCE, not_before: AT + 1, at: AT };
    #[test]
    fn leaf_not_yet_valid_fails_closed: |case| archived(case, |case| {
        case.certificate(LEAF).not_before = der::utc_time(AT + 1);
    }) => E::CertificateNotYetValid { link: Link::Leaf, not_before: AT + 1, at: AT };

    // Windows, live: beyond the tolerance of the clock.
    #[test]
    fn leaf_expired_live_fails_closed: |case| {
        case.certificate(LEAF).not_after = der::utc_time(NOW + 2 - BEYOND);
    } => E::CertificateExpired {
        link: Link::Leaf, not_after: NOW + 2 - BEYOND, at: NOW + 2,
    };
    #[test]
    fn zonal_not_yet_valid_live_fails_closed: |case| {
        case.certificate(ZONAL).not_before = der::utc_time(NOW + 2 + BEYOND);
    } => E::CertificateNotYetValid {
        link: AT_ZONAL, not_before: NOW + 2 + BEYOND, at: NOW + 2,
    };

    // The signed timestamp and the leaf.
    #[test]
    fn signed_before_the_leaf_began_fails_closed: |case| {
        case.certificate(LEAF).not_before = der::utc_time(NOW + 1);
    } => E::TimestampOutsideLeaf {
        timestamp_ms: TIMESTAMP_MS, not_before: NOW + 1, not_after: NOW + 3 * 3600 - 57,
    };
    #[test]
    fn signed_after_the_leaf_ended_fails_closed: |case| {
        case.certificate(LEAF).not_after = der::utc_time(NOW - 1);
    } => E::TimestampOutsideLeaf {
        timestamp_ms: TIMESTAMP_MS, not_before: NOW - 60, not_after: NOW - 1,
    };
    #[test]
    fn signed_in_the_far_future_fails_closed: |case| {
        case.demand = Demand::Archived(None);
        case.payload(|payload| payload.set("timestamp", Cbor::Unsigned(u64::MAX)));
    } => E::CertificateExpired {
        link: AT_ROOT, not_after: NOW + 22 * 365 * 86_400, at: u64::MAX / 1000,
    };
}

#[test]
fn stranger_with_a_root_of_the_same_name_fails_closed() {
    // The most copied verifier elsewhere trusts whatever root the bundle brings.
    let trusted = Case::new();
    let mut forged = Case::new();
    for (place, key) in [
        (ROOT, 11),
        (REGIONAL, 12),
        (ZONAL, 13),
        (INSTANCE, 14),
        (LEAF, 15),
    ] {
        let certificate = forged.certificate(place);
        certificate.key_info = p384_key_info(&public_key(key));
        certificate.signer = signing_key(key.max(12) - 1);
    }
    forged.recipe.signer = signing_key(15);
    let bytes = forged.recipe.build();
    assert!(forged.verify().is_ok());
    let fingerprint = Sha256::digest(forged.recipe.certificates[ROOT].build()).into();
    assert_eq!(
        trusted.verify_bytes(&bytes, &trusted.recipe.anchors()),
        Err(E::RootNotTrusted { fingerprint })
    );
}

#[test]
fn pinned_root_in_front_of_a_strangers_chain_fails_closed() {
    let mut case = Case::new();
    for (place, key) in [(REGIONAL, 12), (ZONAL, 13), (INSTANCE, 14), (LEAF, 15)] {
        let certificate = case.certificate(place);
        certificate.key_info = p384_key_info(&public_key(key));
        certificate.signer = signing_key(key.max(13) - 1);
    }
    case.recipe.signer = signing_key(15);
    assert_eq!(
        case.verify(),
        Err(E::CertificateSignature { link: AT_REGIONAL })
    );
}

#[test]
fn root_with_one_changed_byte_fails_closed() {
    let case = Case::new();
    let anchors = case.recipe.anchors();
    let mut changed = Case::new();
    changed.certificate(ROOT).edit_der = |mut der| {
        *der.last_mut().unwrap() ^= 1;
        der
    };
    let root = changed.recipe.certificates[ROOT].build();
    let fingerprint = Sha256::digest(root).into();
    let result = case.verify_bytes(&changed.recipe.build(), &anchors);
    assert_eq!(result, Err(E::RootNotTrusted { fingerprint }));
}

#[test]
fn development_document_under_the_default_roots_fails_closed() {
    let mut case = Case::new();
    let fingerprint = Sha256::digest(case.recipe.certificates[ROOT].build()).into();
    case.anchors = Some(TrustAnchors::with_aws());
    assert_eq!(case.verify(), Err(E::RootNotTrusted { fingerprint }));
}

/// Verifies as a record at [`AT`], with the timestamp inside whatever window the leaf has.
fn archived(case: &mut Case, defect: fn(&mut Case)) {
    case.demand = Demand::Archived(Some(AT));
    defect(case);
}
