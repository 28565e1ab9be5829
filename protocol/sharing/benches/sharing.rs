//! Cost of each step of a sharing. `split 5-of-7` means threshold 5, seven members.

use std::hint::black_box;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use quorate_sharing::{Collector, Commitments, Secret, Share, ShareIndex, combine, split};

fn sharing(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let secret = Secret::random(&mut rng);
    let indices: Vec<ShareIndex> = (1..=7).filter_map(ShareIndex::new).collect();
    let (commitments, shares) = split(&secret, 5, &indices, &mut rng).expect("5 of 7");
    let last = shares.last().expect("seven shares");
    let encoded = commitments.to_compressed().to_vec();

    c.bench_function("sharing/split 5-of-7", |b| {
        b.iter(|| split(black_box(&secret), 5, &indices, &mut rng));
    });
    c.bench_function("sharing/read 5 commitments", |b| {
        b.iter(|| Commitments::from_compressed(black_box(&encoded)));
    });
    c.bench_function("sharing/member key 7, threshold 5", |b| {
        b.iter(|| commitments.member_key(black_box(last.index())));
    });
    c.bench_function("sharing/check, threshold 5", |b| {
        b.iter(|| commitments.check(black_box(last)));
    });
    c.bench_function("sharing/combine 5 (checks included)", |b| {
        let five: Vec<Share> = copies(&shares, 5);
        b.iter(|| combine(black_box(&commitments), &five));
    });
    c.bench_function("sharing/reconstruct after the fifth share", |b| {
        b.iter_batched(
            || {
                let mut collector = Collector::new(commitments.clone());
                for share in copies(&shares, 5) {
                    collector.accept(share).expect("valid");
                }
                collector
            },
            |collector| collector.reconstruct().expect("five shares"),
            BatchSize::SmallInput,
        );
    });
}

fn copies(shares: &[Share], count: usize) -> Vec<Share> {
    let copy = |share: &Share| Share::from_bytes(share.index(), &share.to_bytes());
    shares
        .iter()
        .take(count)
        .map(copy)
        .collect::<Result<_, _>>()
        .expect("valid shares")
}

criterion_group!(benches, sharing);
criterion_main!(benches);
