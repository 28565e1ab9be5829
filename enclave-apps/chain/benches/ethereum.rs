//! What reading and hashing a transfer costs.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorate_chain::ethereum::{Address, Eip1559, Parity, Signature, Signed, Unsigned};
use quorate_chain::{U256, to_hex};

fn ethereum(c: &mut Criterion) {
    let transfer = Unsigned::new(Eip1559 {
        chain_id: 1,
        nonce: 9,
        max_priority_fee_per_gas: 1_500_000_000,
        max_fee_per_gas: 30_000_000_000,
        gas_limit: 21_000,
        to: Some(Address::new([0x35; 20])),
        value: U256::from(1_000_000_000_000_000_000u64),
        data: Vec::new(),
        access_list: Vec::new(),
    })
    .expect("keeps the rules");
    let text = to_hex(transfer.as_bytes());
    c.bench_function("ethereum/read transfer", |b| {
        b.iter(|| Unsigned::from_hex(black_box(&text)).expect("a transfer"));
    });
    c.bench_function("ethereum/signing hash of transfer", |b| {
        b.iter(|| black_box(&transfer).signing_hash());
    });
    let signature = Signature::new(Parity::Even, &[0x11; 32], &[0x22; 32]).expect("in range");
    c.bench_function("ethereum/assemble and hash signed transfer", |b| {
        b.iter(|| {
            Signed::new(black_box(&transfer).clone(), signature)
                .expect("small")
                .hash()
        });
    });
    c.bench_function("ethereum/address of public key", |b| {
        b.iter(|| Address::of_public_key(black_box(&[0x11; 64])));
    });
}

criterion_group!(benches, ethereum);
criterion_main!(benches);
