//! What one document costs: parsing alone, complete verification, and a cheap refusal.
//!
//! The document is made by the tests' own security module and has the size and the five
//! certificates of a genuine one, so the benchmark needs no file.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorate_verify::attestation::{DebugMode, Document, Freshness, TrustAnchors, verify};

#[path = "../tests/common/mod.rs"]
mod common;

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
    group.finish();
}

criterion_group!(benches, attestation);
criterion_main!(benches);
