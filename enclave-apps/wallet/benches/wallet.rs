//! What a wallet key costs: made from words, derived, and used.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorate_wallet::{ExtendedKey, Mnemonic, Passphrase, Path, SigningKey};

fn wallet(c: &mut Criterion) {
    let mnemonic = Mnemonic::from_entropy(&[7; 32]).expect("a length");
    c.bench_function("wallet/24 words from entropy", |b| {
        b.iter(|| {
            Mnemonic::from_entropy(black_box(&[7; 32]))
                .expect("a length")
                .phrase()
        });
    });
    let phrase = mnemonic.phrase();
    c.bench_function("wallet/entropy from 24 words", |b| {
        b.iter(|| Mnemonic::from_phrase(black_box(&phrase)).expect("words"));
    });
    let none = Passphrase::none();
    c.bench_function("wallet/seed", |b| {
        b.iter(|| mnemonic.seed(black_box(&none)))
    });
    let seed = mnemonic.seed(&none);
    let path: Path = "m/44'/60'/0'/0/0".parse().expect("a path");
    c.bench_function("wallet/account key from seed", |b| {
        b.iter(|| {
            let master = ExtendedKey::master(black_box(&seed)).expect("a key");
            master.derive(&path).expect("a key")
        });
    });

    let secret = [7; 32];
    let key = SigningKey::from_bytes(&secret).expect("a key");
    let (public, hash) = (key.public_key(), [0x5a; 32]);
    c.bench_function("secp256k1/key and public key", |b| {
        b.iter(|| SigningKey::from_bytes(black_box(&secret)).expect("a key"));
    });
    c.bench_function("secp256k1/sign and check", |b| {
        b.iter(|| {
            let key = SigningKey::with_public_key(black_box(&secret), public).expect("a key");
            key.sign(&hash).expect("a signature")
        });
    });
    let signature = key.sign(&hash).expect("a signature");
    c.bench_function("secp256k1/check", |b| {
        b.iter(|| signature.check(black_box(&hash), &public).expect("good"));
    });
    c.bench_function("secp256k1/recover", |b| {
        b.iter(|| signature.recover(black_box(&hash)).expect("a key"));
    });
}

criterion_group!(benches, wallet);
criterion_main!(benches);
