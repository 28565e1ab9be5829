//! Wallet keys and signatures by other people's code, beside `wallet/…` and `secp256k1/…`: bip39,
//! bip32, and libsecp256k1, which is C.

use std::hint::black_box;

use bip32::{DerivationPath, XPrv};
use criterion::{Criterion, criterion_group, criterion_main};
use secp256k1::ecdsa::{self, RecoverableSignature};
use secp256k1::{Message, SecretKey};

fn wallets(c: &mut Criterion) {
    let mnemonic = bip39::Mnemonic::from_entropy(&[7; 32]).expect("a length");
    c.bench_function("peer/wallet/seed", |b| {
        b.iter(|| mnemonic.to_seed(black_box("")));
    });
    let seed = mnemonic.to_seed("");
    let path: DerivationPath = "m/44'/60'/0'/0/0".parse().expect("a path");
    c.bench_function("peer/wallet/account key from seed", |b| {
        b.iter(|| XPrv::derive_from_path(black_box(&seed), &path).expect("a key"));
    });

    let key = SecretKey::from_secret_bytes([7; 32]).expect("a key");
    let public = key.public_key();
    let message = Message::from_digest([0x5a; 32]);
    c.bench_function("peer/secp256k1/sign and check", |b| {
        b.iter(|| {
            let key = SecretKey::from_secret_bytes(black_box([7; 32])).expect("a key");
            let made = RecoverableSignature::sign_ecdsa_recoverable(message, &key);
            let plain = made.to_standard();
            ecdsa::verify(&plain, message, &public).expect("good");
            made
        });
    });
    let plain = ecdsa::sign(message, &key);
    c.bench_function("peer/secp256k1/check", |b| {
        b.iter(|| ecdsa::verify(black_box(&plain), message, &public).expect("good"));
    });
}

criterion_group!(benches, wallets);
criterion_main!(benches);
