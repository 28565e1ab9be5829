//! One genuine document, verified by other people's crates and by ours, in one run.
//!
//! The document is one that AWS signed; `QUORATE_TESTDATA` names the folder that has it, and without
//! it nothing is measured and the reason is printed. One peer trusts AWS's root and the system's
//! clock alone, so a document of ours would not do, and the clock of this process stands still.
//!
//! At the end the same work is measured once more in turns, and the least of each is printed: on a
//! busy machine the ratios of those are worth more than the medians.

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{rand::SystemRandom, signature};
use criterion::Criterion;
use quorate_verify::attestation::{
    Archived, CacheLimits, DebugMode, TrustAnchor, TrustAnchors, Verifier,
};
use quorate_verify_aws_lc::AwsLc;

mod sys;

const FILE: &str = "attestation/r42-base-2026-01-03.bin";
/// When it was signed.
const AT: u64 = 1_767_472_867;

fn main() {
    let Some(folder) = env::var_os("QUORATE_TESTDATA") else {
        println!("skipped: QUORATE_TESTDATA does not name the folder of genuine documents");
        return;
    };
    let document = fs::read(PathBuf::from(folder).join(FILE)).expect("the document is readable");
    let anchors = TrustAnchors::with_aws();
    let root = TrustAnchor::aws_commercial();
    let record = Archived { at_unix: Some(AT) };
    let aws_lc = Verifier::new(AwsLc).expect("a right provider");
    let cached = Verifier::new(AwsLc)
        .expect("a right provider")
        .with_cache(CacheLimits::default());
    let pure = Verifier::pure_rust();
    let five = five_signatures(document.len());

    let with_aws_lc = || {
        let document = black_box(&document);
        drop(aws_lc.verify(document, &anchors, &record, DebugMode::Refused).expect("genuine"));
    };
    let with_cache = || {
        let document = black_box(&document);
        drop(cached.verify(document, &anchors, &record, DebugMode::Refused).expect("genuine"));
    };
    let in_pure_rust = || {
        let document = black_box(&document);
        drop(pure.verify(document, &anchors, &record, DebugMode::Refused).expect("genuine"));
    };
    let bare = || {
        for (key, message, by) in black_box(&five) {
            signature::UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
                .verify(message, by)
                .expect("signed");
        }
    };
    let qos = || {
        let document = black_box(&document);
        drop(
            qos_nsm::nitro::attestation_doc_from_der(document, root.der(), AT).expect("genuine"),
        );
    };
    let evervault = || {
        let document = black_box(&document);
        drop(
            attestation_doc_validation::validate_and_parse_attestation_doc(document)
                .expect("genuine"),
        );
    };
    let rows: [(&str, &dyn Fn()); 6] = [
        ("peer/attestation/ours with aws-lc", &with_aws_lc),
        ("peer/attestation/ours with aws-lc, chain cached", &with_cache),
        ("peer/attestation/ours in pure Rust", &in_pure_rust),
        ("peer/attestation/five signatures with aws-lc", &bare),
        ("peer/attestation/qos_nsm", &qos),
        ("peer/attestation/attestation-doc-validation", &evervault),
    ];

    sys::stand_at(i64::try_from(AT).expect("a moment"));
    rows.iter().for_each(|(_, run)| run());
    let mut criterion = Criterion::default().configure_from_args();
    for (name, run) in rows {
        criterion.bench_function(name, |bencher| bencher.iter(run));
    }
    criterion.final_summary();
    least_in_turns(&rows);
}

/// Measures each in turn, many times, and prints the least with its ratio to the first.
fn least_in_turns(rows: &[(&str, &dyn Fn())]) {
    const TURNS: usize = 400;
    let mut least = vec![Duration::MAX; rows.len()];
    for _ in 0..TURNS {
        for (least, (_, run)) in least.iter_mut().zip(rows) {
            let started = Instant::now();
            run();
            *least = started.elapsed().min(*least);
        }
    }
    let first = least.first().map_or(1.0, Duration::as_secs_f64);
    println!("least of {TURNS} turns each, and how many times the first:");
    for (least, (name, _)) in least.iter().zip(rows) {
        let ratio = least.as_secs_f64() / first;
        println!("  {name}: {least:?}, {ratio:.3}");
    }
}

/// What the signatures of a document of this length cover: four bodies of certificates, one
/// payload.
fn five_signatures(document: usize) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let random = SystemRandom::new();
    let algorithm = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
    [595, 680, 530, 530, document - 100]
        .into_iter()
        .map(|length| {
            let key = EcdsaKeyPair::generate(algorithm).expect("a key");
            let message = vec![7; length];
            let by = key.sign(&random, &message).expect("a signature");
            let point = key.public_key().as_ref().to_vec();
            (point, message, by.as_ref().to_vec())
        })
        .collect()
}
