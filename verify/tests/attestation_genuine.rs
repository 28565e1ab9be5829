//! Documents that AWS signed, against what is known of each.
//!
//! The files lie outside the repository: `QUORATE_TESTDATA` names the folder that has
//! `attestation/manifest.json`. Without the variable each test says that it is skipped.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use quorate_verify::attestation::{
    AttestationError, Attested, DebugMode, Document, Freshness, Partition, Pcr, TrustAnchor,
    TrustAnchors, verify,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

const DOCUMENTS: usize = 10;

#[test]
fn genuine_documents_are_accepted_with_every_fact() {
    for genuine in genuine_documents() {
        let at = genuine.number("/verify_at");
        let archived = Freshness::Archived { at_unix: Some(at) };
        let attested = genuine.verify(&archived, DebugMode::Allowed).unwrap();
        genuine.compare(&attested);
        assert_eq!(attested.freshness().at_unix(), at);

        let own_time = Freshness::Archived { at_unix: None };
        let attested = genuine.verify(&own_time, DebugMode::Allowed).unwrap();
        genuine.compare(&attested);
        assert_eq!(
            attested.freshness().at_unix(),
            genuine.number("/facts/timestamp_ms") / 1000
        );
    }
}

#[test]
fn genuine_debug_documents_fail_closed_by_default() {
    for genuine in genuine_documents() {
        let debug = genuine.value("/facts/debug_mode").as_bool().unwrap();
        let result = genuine.verify(&Freshness::Archived { at_unix: None }, DebugMode::default());
        match result {
            Ok(attested) => assert!(!debug && !attested.is_debug(), "{}", genuine.name()),
            Err(error) => {
                assert!(debug, "{}: {error}", genuine.name());
                assert_eq!(error, AttestationError::DebugMode);
            }
        }
        let policy = genuine.text("/expected_default_policy");
        assert_eq!(debug, policy.starts_with("reject: debug-mode"));
    }
}

#[test]
fn genuine_documents_with_a_nonce_answer_that_challenge_only() {
    let mut with_nonce = 0;
    for genuine in genuine_documents() {
        let Some(nonce) = genuine.optional("/facts/nonce") else {
            continue;
        };
        with_nonce += 1;
        let at = genuine.number("/verify_at");
        let live = Freshness::Live {
            nonce: &nonce,
            max_age: Duration::from_secs(60),
            now_unix: at + 5,
        };
        let attested = genuine.verify(&live, DebugMode::Allowed).unwrap();
        assert!(attested.freshness().is_challenged());
        let challenged = Freshness::Challenged {
            nonce: &nonce,
            elapsed: Duration::from_secs(1),
            max_age: Duration::from_secs(1),
        };
        genuine.verify(&challenged, DebugMode::Allowed).unwrap();

        let mut other = nonce.clone();
        other[0] ^= 1;
        let wrong = Freshness::Challenged {
            nonce: &other,
            elapsed: Duration::ZERO,
            max_age: Duration::from_secs(1),
        };
        assert_eq!(
            genuine.verify(&wrong, DebugMode::Allowed),
            Err(AttestationError::NonceMismatch)
        );
    }
    assert!(with_nonce == 0 || with_nonce >= 2);
}

#[test]
fn genuine_documents_under_other_roots_fail_closed() {
    for genuine in genuine_documents() {
        let result = verify(
            &genuine.bytes,
            &TrustAnchors::empty(),
            &Freshness::Archived { at_unix: None },
            DebugMode::Allowed,
        );
        let fingerprint = *TrustAnchor::aws_commercial().fingerprint();
        assert_eq!(
            result,
            Err(AttestationError::RootNotTrusted { fingerprint })
        );
    }
}

#[test]
fn genuine_documents_are_refused_after_their_leaf_ended() {
    for genuine in genuine_documents() {
        let later = genuine.number("/verify_at") + 4 * 3600;
        let result = genuine.verify(
            &Freshness::Archived {
                at_unix: Some(later),
            },
            DebugMode::Allowed,
        );
        assert!(
            matches!(result, Err(AttestationError::CertificateExpired { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn changed_genuine_documents_fail_closed() {
    for genuine in genuine_documents() {
        let anchors = TrustAnchors::with_aws();
        let archived = Freshness::Archived { at_unix: None };
        for at in (0..genuine.bytes.len()).step_by(61) {
            let mut changed = genuine.bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let result = verify(&changed, &anchors, &archived, DebugMode::Allowed);
            assert!(result.is_err(), "byte {at} of {}", genuine.name());
        }
    }
}

struct Genuine {
    entry: Value,
    bytes: Vec<u8>,
}

fn genuine_documents() -> Vec<Genuine> {
    let Some(folder) = env::var_os("QUORATE_TESTDATA") else {
        println!("skipped: QUORATE_TESTDATA does not name the folder of genuine documents");
        return Vec::new();
    };
    let folder = PathBuf::from(folder).join("attestation");
    let manifest = fs::read(folder.join("manifest.json")).expect("the manifest is readable");
    let entries: Vec<Value> = serde_json::from_slice(&manifest).expect("the manifest is JSON");
    assert_eq!(entries.len(), DOCUMENTS);
    entries
        .into_iter()
        .map(|entry| {
            let file = folder.join(entry["file"].as_str().expect("a file name"));
            let bytes = fs::read(file).expect("the document is readable");
            Genuine { entry, bytes }
        })
        .collect()
}

impl Genuine {
    fn verify(
        &self,
        freshness: &Freshness<'_>,
        debug: DebugMode,
    ) -> Result<Attested, AttestationError> {
        verify(&self.bytes, &TrustAnchors::with_aws(), freshness, debug)
    }

    fn compare(&self, attested: &Attested) {
        let document = attested.document();
        assert_eq!(self.text("/expected"), "accept");
        assert_eq!(hex(attested.sha256()), self.text("/sha256"));
        assert_eq!(hex(&Sha256::digest(&self.bytes)), self.text("/sha256"));
        assert_eq!(attested.partition(), Partition::Aws);
        assert_eq!(
            hex(attested.root_fingerprint()),
            self.text("/facts/chain/0/sha256")
        );
        assert_eq!(document.module_id(), self.text("/facts/module_id"));
        assert_eq!(document.timestamp_ms(), self.number("/facts/timestamp_ms"));
        let parsed = Document::parse(&self.bytes).unwrap();
        assert_eq!(parsed.unverified_timestamp_ms(), document.timestamp_ms());
        assert_eq!(parsed.unverified_module_id(), document.module_id());
        assert_eq!(
            attested.is_debug(),
            self.value("/facts/debug_mode").as_bool().unwrap()
        );

        let pcrs = self.value("/facts/pcrs").as_object().unwrap();
        assert_eq!(document.pcrs().len(), pcrs.len());
        for (index, value) in pcrs {
            let index: u8 = index.parse().unwrap();
            let expected = Pcr::from_hex(value.as_str().unwrap()).unwrap();
            assert_eq!(document.pcrs().get(index), Some(&expected));
            let answer = attested.expect_pcr(index, &expected);
            if expected.is_zero() {
                assert_eq!(answer, Err(AttestationError::ExpectedPcrZero { index }));
            } else {
                assert_eq!(answer, Ok(()));
            }
        }

        for (field, found) in [
            ("/facts/public_key", document.public_key()),
            ("/facts/user_data", document.user_data()),
            ("/facts/nonce", document.nonce()),
        ] {
            assert_eq!(describe(found), self.text(field), "{field}");
        }

        let chain = self.value("/facts/chain").as_array().unwrap();
        assert_eq!(attested.certificates().len(), chain.len());
        for (facts, expected) in attested.certificates().iter().zip(chain) {
            assert_eq!(hex(facts.sha256()), expected["sha256"].as_str().unwrap());
            assert_eq!(facts.subject(), expected["subject"].as_str().unwrap());
            assert_eq!(
                facts.not_before(),
                unix(expected["not_before"].as_str().unwrap())
            );
            assert_eq!(
                facts.not_after(),
                unix(expected["not_after"].as_str().unwrap())
            );
        }
        let certificates = attested.certificates();
        let leaf = certificates.last().unwrap();
        assert_eq!(leaf.not_before(), unix(self.text("/facts/valid_from")));
        assert_eq!(leaf.not_after(), unix(self.text("/facts/valid_to")));
    }

    fn name(&self) -> &str {
        self.text("/file")
    }

    fn value(&self, pointer: &str) -> &Value {
        self.entry.pointer(pointer).expect("the manifest has it")
    }

    fn text(&self, pointer: &str) -> &str {
        self.value(pointer).as_str().expect("a text")
    }

    fn number(&self, pointer: &str) -> u64 {
        self.value(pointer).as_u64().expect("a number")
    }

    /// An optional field of which the manifest has the whole value: `"null"` or hexadecimal.
    fn optional(&self, pointer: &str) -> Option<Vec<u8>> {
        match self.text(pointer) {
            "null" => None,
            digits => Some(unhex(digits)),
        }
    }
}

/// An optional field as the manifest writes it: long values as length and digest.
fn describe(field: Option<&[u8]>) -> String {
    match field {
        None => "null".to_owned(),
        Some(value) if value.len() > 64 => {
            format!(
                "{} bytes sha256:{}",
                value.len(),
                hex(&Sha256::digest(value))
            )
        }
        Some(value) => hex(value),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

/// Seconds since 1970 of `2021-03-05T17:01:49+00:00`.
fn unix(text: &str) -> u64 {
    assert_eq!(&text[19..], "+00:00");
    let part = |range: std::ops::Range<usize>| text[range].parse::<u64>().expect("a number");
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let months = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let days: u64 = (1970..year)
        .map(|year| 365 + u64::from(leap(year)))
        .sum::<u64>()
        + months.iter().take(month as usize - 1).sum::<u64>()
        + day
        - 1;
    ((days * 24 + part(11..13)) * 60 + part(14..16)) * 60 + part(17..19)
}
