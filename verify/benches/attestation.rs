//! What one document costs: parsing alone, complete verification, and a cheap refusal.
//!
//! The document is made by the tests' own security module and has the size and the five
//! certificates of a genuine one, so the benchmark needs no file.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorate_verify::attestation::{
    DebugMode, Document, Freshness, MAX_DOCUMENT_BYTES, TrustAnchors, verify,
};

#[path = "../tests/common/mod.rs"]
mod common;

use common::cbor::{Cbor, head};

fn attestation(criterion: &mut Criterion) {
    let recipe = common::nitro::Recipe::new();
    let (bytes, anchors) = (recipe.build(), recipe.anchors());
    let freshness = Freshness::Archived { at_unix: None };

    let mut group = criterion.benchmark_group("attestation");
    group.bench_function("parse", |bencher| {
        bencher.iter(|| Document::parse(black_box(&bytes)).expect("a document"));
    });
    group.bench_function("verify", |bencher| {
        bencher.iter(|| {
            verify(black_box(&bytes), &anchors, &freshness, DebugMode::Refused)
                .expect("a right document")
        });
    });
    group.bench_function("refuse-unknown-root", |bencher| {
        let anchors = TrustAnchors::with_aws();
        bencher.iter(|| {
            verify(black_box(&bytes), &anchors, &freshness, DebugMode::Refused)
                .expect_err("another root")
        });
    });
    group.bench_function("refuse-hostile", |bencher| {
        let hostile = hostile();
        bencher.iter(|| {
            for document in black_box(&hostile) {
                verify(document, &anchors, &freshness, DebugMode::Refused).expect_err("hostile");
            }
        });
    });
    group.finish();
}

/// As large as is read at all, and made to be slow: nesting, long lengths, thousands of elements.
fn hostile() -> Vec<Vec<u8>> {
    let envelope = |payload: &[u8]| {
        Cbor::Array(vec![
            Cbor::bytes(&[0xa1, 0x01, 0x38, 0x22]),
            Cbor::Map(Vec::new()),
            Cbor::bytes(payload),
            Cbor::bytes(&[1; 96]),
        ])
        .encode()
    };
    let mut documents = Vec::new();
    for byte in [0x81, 0x84, 0x9f, 0xa1, 0xbf, 0xd2, 0x5f, 0xff, 0x00] {
        documents.push(vec![byte; MAX_DOCUMENT_BYTES]);
        documents.push(envelope(&[byte; 16_384]));
    }
    for length in [u64::MAX, 1 << 62, 1 << 31, 16_384] {
        documents.push(head(4, length));
        documents.push(envelope(&head(5, length)));
    }
    let tiny = vec![Cbor::bytes(&[0x30]); 8000];
    let bundle = vec![(Cbor::text("cabundle"), Cbor::IndefiniteArray(tiny))];
    documents.push(envelope(&Cbor::Map(bundle).encode()));
    let registers = (0..300).map(|index| (Cbor::Unsigned(index % 31), Cbor::bytes(&[1; 48])));
    let registers = vec![(Cbor::text("pcrs"), Cbor::IndefiniteMap(registers.collect()))];
    documents.push(envelope(&Cbor::Map(registers).encode()));
    documents
}

criterion_group!(benches, attestation);
criterion_main!(benches);
