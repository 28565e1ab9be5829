//! Cost of reading objects of the contract: the frozen vectors, decoded. Signatures are in
//! `signed.rs`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::manifest::{Approval, Manifest};
use quorate_protocol::message::{Request, Response};
use quorate_vectors::committed::{Case, cases};

/// The sample of five of seven: what the goals are about.
fn seven(stem: &str) -> Case {
    let mut all = cases(stem).into_iter();
    all.find(|case| case.name == "five of seven")
        .expect("the sample of seven members")
}

fn contract(c: &mut Criterion) {
    let approval = &cases("approval")[0];
    let signed = approval.signed.as_ref().expect("a signed case");
    c.bench_function("contract/decode an approval", |b| {
        b.iter(|| from_bytes::<Signed<Approval>>(black_box(&signed.cose_sign1)));
    });

    let bytes = seven("manifest").bytes;
    let manifest: Manifest = from_bytes(&bytes).expect("a manifest");
    c.bench_function("contract/decode a manifest of seven", |b| {
        b.iter(|| from_bytes::<Manifest>(black_box(&bytes)));
    });
    c.bench_function("contract/digest of a manifest of seven", |b| {
        b.iter(|| Digest::of(black_box(&manifest)));
    });

    let bytes = seven("evidence").bytes;
    let evidence: Evidence = from_bytes(&bytes).expect("evidence");
    c.bench_function("contract/decode evidence of seven", |b| {
        b.iter(|| from_bytes::<Evidence>(black_box(&bytes)));
    });
    c.bench_function("contract/encode evidence of seven", |b| {
        b.iter(|| to_bytes(black_box(&evidence)));
    });
}

fn frames(c: &mut Criterion) {
    let mut responses = cases("response").into_iter();
    let evidence = responses
        .find(|case| case.name == "evidence")
        .expect("evidence");
    let one = frame(&evidence.bytes).expect("a short payload");
    let mut group = c.benchmark_group("frames");
    group.throughput(Throughput::Bytes(one.len() as u64));
    group.bench_function("evidence in pieces of 4096", |b| {
        b.iter(|| {
            let mut assembler = Assembler::new();
            let mut pieces = black_box(&one).chunks(4096);
            pieces.find_map(|piece| assembler.push::<Response>(piece).expect("a good frame"))
        });
    });
    let status = frame(&to_bytes(&Request::Status)).expect("a short payload");
    group.bench_function("status", |b| {
        b.iter(|| Assembler::new().push::<Request>(black_box(&status)));
    });
    group.finish();
}

criterion_group!(benches, contract, frames);
criterion_main!(benches);
