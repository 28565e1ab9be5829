//! What the front of policy costs: a stamp read and verified, a body read.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorate_es256::{KeyCache, SigningKey as _, VerifyingKey as _, portable};
use quorate_es256_fast as fast;
use quorate_request::{Fingerprint, Request, Stamp};

const BODY: &[u8] = br#"{"type":"ACTIVITY_TYPE_SIGN_TRANSACTION_V2","timestampMs":"1764100000000","organizationId":"7f1d1f0a-5a3e-4c0b-9a34-2f9f4c0d8e11","parameters":{"signWith":"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf","unsignedTransaction":"02f001098459682f008506fc23ac00825208943535353535353535353535353535353535353535880de0b6b3a764000080c0","type":"TRANSACTION_TYPE_ETHEREUM"}}"#;

fn request(c: &mut Criterion) {
    let secret = portable::SigningKey::from_scalar(&[7; 32]).expect("a key");
    let header = Stamp::make(&secret, BODY).expect("a stamp");
    c.bench_function("request/read stamp", |b| {
        b.iter(|| Stamp::decode(black_box(&header)).expect("a stamp"));
    });
    c.bench_function("request/fingerprint", |b| {
        b.iter(|| Fingerprint::of(black_box(BODY)));
    });
    c.bench_function("request/read body", |b| {
        b.iter(|| Request::parse(black_box(BODY)).expect("a request"));
    });
    c.bench_function("request/stamp and body, new key", |b| {
        b.iter(|| {
            let stamp = Stamp::decode(black_box(&header)).expect("a stamp");
            let key = fast::VerifyingKey::from_sec1(stamp.public_key()).expect("a key");
            stamp
                .verify(&key, BODY)
                .expect("authentic")
                .request()
                .expect("a request")
        });
    });
    let mut cache = KeyCache::<fast::VerifyingKey>::new(64);
    c.bench_function("request/stamp and body, known key", |b| {
        b.iter(|| {
            let stamp = Stamp::decode(black_box(&header)).expect("a stamp");
            let key = cache.parsed(stamp.public_key()).expect("a key");
            stamp
                .verify(key, BODY)
                .expect("authentic")
                .request()
                .expect("a request")
        });
    });
    c.bench_function("request/make stamp", |b| {
        let secret = fast::SigningKey::from_scalar(&[7; 32]).expect("a key");
        b.iter(|| Stamp::make(&secret, black_box(BODY)).expect("a stamp"));
    });
}

criterion_group!(benches, request);
criterion_main!(benches);
