//! The same document by both providers, with and without a cache of chains, beside the signatures
//! alone, which nobody can leave out. All in one run, so that their ratios mean something.
//!
//! The document is made by the tests' own security module and has the size and the five
//! certificates of a genuine one, so the benchmark needs no file.

use std::hint::black_box;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use criterion::{Criterion, criterion_group, criterion_main};
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature, SigningKey};
use quorate_verify::attestation::{Archived, CacheLimits, DebugMode, SignatureVerifier, Verifier};
use quorate_verify_aws_lc::AwsLc;

#[path = "../../tests/common/mod.rs"]
mod common;

fn providers(criterion: &mut Criterion) {
    let recipe = common::nitro::Recipe::new();
    let (bytes, anchors) = (recipe.build(), recipe.anchors());
    let record = Archived { at_unix: None };
    let aws_lc = || Verifier::new(AwsLc).expect("a right provider");

    fn verify<P: SignatureVerifier>(
        criterion: &mut Criterion,
        name: &str,
        verifier: &Verifier<P>,
        run: impl Fn(&Verifier<P>),
    ) {
        criterion.bench_function(name, |bencher| bencher.iter(|| run(verifier)));
    }
    macro_rules! whole {
        ($name:literal, $verifier:expr) => {
            verify(criterion, $name, &$verifier, |verifier| {
                let demand = black_box(&record);
                verifier
                    .verify(black_box(&bytes), &anchors, demand, DebugMode::Refused)
                    .expect("a right document");
            })
        };
    }
    whole!("attestation/verify-aws-lc", aws_lc());
    let cached = aws_lc().with_cache(CacheLimits::default());
    whole!("attestation/verify-aws-lc-cached-chain", cached);
    whole!("attestation/verify-pure-rust", Verifier::pure_rust());

    // What the signatures of this document cover.
    let mut lengths: Vec<usize> = recipe.certificates[1..]
        .iter()
        .map(|certificate| certificate.build().len() - 110)
        .collect();
    lengths.push(bytes.len() - 90);
    let signed: Vec<_> = (1_u8..)
        .zip(lengths)
        .map(|(number, length)| {
            let key = SigningKey::from_slice(&[number; 48]).expect("a number in range");
            let message = vec![number; length];
            let signature: Signature = key.sign(&message);
            let point = key.verifying_key().to_sec1_point(false);
            (point.as_bytes().to_vec(), message, signature.to_vec())
        })
        .collect();
    assert_eq!(signed.len(), 5);
    criterion.bench_function(
        "floor/attestation/verify-aws-lc (5 signatures)",
        |bencher| {
            bencher.iter(|| {
                for (point, message, signature) in black_box(&signed) {
                    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
                        .verify(message, signature)
                        .expect("signed");
                }
            });
        },
    );
}

criterion_group!(benches, providers);
criterion_main!(benches);
