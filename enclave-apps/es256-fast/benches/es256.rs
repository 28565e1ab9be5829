//! ES256 by both implementations, side by side: what a stamp and a proof cost.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorate_es256::{KeyCache, SigningKey, VerifyingKey, portable, sha256};
use quorate_es256_fast as fast;

fn implementation<S: SigningKey, V: VerifyingKey>(c: &mut Criterion, name: &str) {
    let secret = S::from_scalar(&[7; 32]).expect("a key");
    let compressed = secret.public_key();
    let key = V::from_sec1(&compressed).expect("a key");
    let digest = sha256(b"a message");
    let signature = secret.sign_digest(&digest).expect("a signature");
    c.bench_function(&format!("es256/sign ({name})"), |b| {
        b.iter(|| secret.sign_digest(black_box(&digest)).expect("a signature"));
    });
    c.bench_function(&format!("es256/verify ({name})"), |b| {
        b.iter(|| {
            key.verify_digest(black_box(&digest), &signature)
                .expect("good")
        });
    });
    c.bench_function(&format!("es256/read compressed key ({name})"), |b| {
        b.iter(|| V::from_sec1(black_box(&compressed)).expect("a key"));
    });
    c.bench_function(&format!("es256/read secret key ({name})"), |b| {
        b.iter(|| S::from_scalar(black_box(&[7; 32])).expect("a key"));
    });
    let mut cache = KeyCache::<V>::new(64);
    c.bench_function(&format!("es256/key from the cache ({name})"), |b| {
        b.iter(|| {
            cache
                .parsed(black_box(&compressed))
                .expect("a key")
                .to_compressed()
        });
    });
}

fn es256(c: &mut Criterion) {
    implementation::<portable::SigningKey, portable::VerifyingKey>(c, "p256");
    implementation::<fast::SigningKey, fast::VerifyingKey>(c, "aws-lc");
}

criterion_group!(benches, es256);
criterion_main!(benches);
