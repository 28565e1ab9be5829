//! Every refusal has a name, a text and a remedy.

use core::time::Duration;

use super::super::error::AttestationError as E;
use super::super::{CborProblem, Field, Link, Partition, Pcr};

#[test]
fn codes_are_the_variants_in_kebab_case() {
    for error in every_error() {
        let debug = format!("{error:?}");
        let variant: String = debug
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        assert_eq!(error.code(), kebab_case(&variant));
    }
}

#[test]
fn variants_are_in_alphabetical_order() {
    let codes: Vec<_> = every_error()
        .iter()
        .map(|error| format!("{error:?}"))
        .collect();
    assert!(codes.is_sorted());
}

#[test]
fn texts_are_short_sentences() {
    for error in every_error() {
        let (text, remedy) = (error.to_string(), error.remedy());
        assert!(text.len() < 300 && !text.ends_with('.'), "{text}");
        assert!(!text.contains('\n') && !remedy.contains("  "), "{text}");
        assert!(remedy.ends_with('.') && !remedy.contains('\n'), "{remedy}");
    }
}

fn kebab_case(variant: &str) -> String {
    let mut name = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn every_error() -> Vec<E> {
    vec![
        E::AnchorConflict {
            fingerprint: [7; 32],
        },
        E::AnchorPartition {
            fingerprint: [7; 32],
            partition: Partition::Development,
        },
        E::BasicConstraintsMissing { link: Link::Leaf },
        E::CabundleEntryLength { index: 1, found: 1 },
        E::CabundleLength { found: 1 },
        E::Cbor {
            offset: 1,
            problem: CborProblem::Truncated,
        },
        E::CertificateExpired {
            link: Link::Leaf,
            not_after: 1,
            at: 1,
        },
        E::CertificateKey { link: Link::Leaf },
        E::CertificateLength { found: 1 },
        E::CertificateMalformed { link: Link::Leaf },
        E::CertificateNotAuthority { link: Link::Leaf },
        E::CertificateNotYetValid {
            link: Link::Leaf,
            not_before: 1,
            at: 1,
        },
        E::CertificateSignature { link: Link::Leaf },
        E::CertificateSignatureAlgorithm { link: Link::Leaf },
        E::CertificateVersion { link: Link::Leaf },
        E::ChallengeTooShort { found: 1 },
        E::CommonName { link: Link::Leaf },
        E::CriticalExtension { link: Link::Leaf },
        E::DebugMode,
        E::DigestUnsupported,
        E::DocumentLength { found: 1 },
        E::DocumentSignature,
        E::DuplicateExtension { link: Link::Leaf },
        E::DuplicateKey {
            field: Field::Nonce,
        },
        E::DuplicatePcr { index: 1 },
        E::EnvelopeLength { found: None },
        E::ExpectedPcrZero { index: 1 },
        E::InstanceIdMalformed,
        E::InstancePcrMismatch {
            expected: Pcr::ZERO,
            found: Pcr::ZERO,
        },
        E::IssuerMismatch { link: Link::Leaf },
        E::KeyUsage { link: Link::Leaf },
        E::LeafIsAuthority,
        E::MissingField {
            field: Field::Nonce,
        },
        E::ModuleIdMalformed,
        E::NameMismatch { link: Link::Leaf },
        E::NoReleaseInForce { timestamp: 1 },
        E::NoReleaseMatches { tried: 2 },
        E::NonceMismatch,
        E::NonceMissing,
        E::NotAnEnclave,
        E::OptionalFieldLength {
            field: Field::Nonce,
            found: 1,
        },
        E::PathLengthExceeded { link: Link::Leaf },
        E::PayloadLength { found: 1 },
        E::PcrCount { found: 1 },
        E::PcrIndex { found: 1 },
        E::PcrLength { index: 1, found: 1 },
        E::PcrMismatch {
            index: 1,
            expected: Pcr::ZERO,
            found: Pcr::ZERO,
        },
        E::PcrMissing { index: 1 },
        E::PcrNotAccepted {
            index: 1,
            found: Pcr::ZERO,
            accepted: 2,
        },
        E::PolicyTooLarge,
        E::ProtectedHeader,
        E::PublicKeyMismatch,
        E::PublicKeyMissing,
        E::ReleaseExpectsNothing,
        E::ReleaseWindowEmpty,
        E::RoleArnMalformed,
        E::RootNotTrusted {
            fingerprint: [7; 32],
        },
        E::SignatureLength { found: 1 },
        E::Stale {
            age: Duration::MAX,
            max_age: Duration::ZERO,
        },
        E::TimestampInFuture {
            timestamp_ms: 1,
            latest: 1,
        },
        E::TimestampOutsideLeaf {
            timestamp_ms: 1,
            not_before: 1,
            not_after: 1,
        },
        E::TimestampZero,
        E::TrailingBytes { count: 1 },
        E::UnexpectedTag { found: 1 },
        E::UniqueIdentifier { link: Link::Leaf },
        E::UnknownKey { offset: 1 },
        E::UnprotectedHeader,
        E::UserDataMismatch,
        E::UserDataMissing,
    ]
}
