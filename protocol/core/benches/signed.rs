//! What a signed object costs: to sign and write it, to read and verify it. An approval is what a
//! ceremony has most of.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Approval;
use quorate_vectors::committed::cases;
use quorate_vectors::keys::signing;

fn signed(c: &mut Criterion) {
    let payload: Approval = from_bytes(&cases("approval")[0].bytes).expect("an approval");
    let secret = signing("alice signing");
    let key = VerificationKey::of(&secret);
    let bytes = to_bytes(&Signed::sign(payload.clone(), &secret));

    c.bench_function("signed/sign approval", |b| {
        b.iter(|| to_bytes(&Signed::sign(black_box(&payload).clone(), &secret)));
    });
    c.bench_function("signed/read and verify approval", |b| {
        b.iter(|| {
            let signed: Signed<Approval> = from_bytes(black_box(&bytes)).expect("a COSE_Sign1");
            signed.verify(&key).expect("signed");
            signed
        });
    });
}

criterion_group!(benches, signed);
criterion_main!(benches);
