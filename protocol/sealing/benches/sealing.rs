//! Cost of sealing and opening a share-sized plaintext, 32 bytes.

use std::hint::black_box;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use criterion::{Criterion, criterion_group, criterion_main};
use quorate_sealing::{DecryptionKey, EncryptionKey, Suite, open, seal};

fn sealing(c: &mut Criterion) {
    let suite = Suite::P256Sha256Aes256Gcm;
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let key = DecryptionKey::random(&mut rng);
    let public = key.public();
    let sealed = seal(suite, &public, b"label", b"context", &[1; 32], &mut rng).expect("sealed");

    c.bench_function("sealing/seal 32 bytes", |b| {
        b.iter(|| {
            seal(
                suite,
                black_box(&public),
                b"label",
                b"context",
                &[1; 32],
                &mut rng,
            )
        });
    });
    c.bench_function("sealing/open 32 bytes", |b| {
        b.iter(|| open(suite, &key, b"label", b"context", black_box(&sealed), 32));
    });
    let compressed = public.to_compressed();
    c.bench_function("sealing/read compressed key", |b| {
        b.iter(|| EncryptionKey::from_sec1(black_box(&compressed)));
    });
}

criterion_group!(benches, sealing);
criterion_main!(benches);
