//! How long the steps of an enclave's life take, seen by a client on its socket: a real init in a
//! process of its own, a real (emulated) NSM, a real application.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{World, echo, nonce};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quorate_protocol::message::{AttestRequest, BootRequest, Phase, Request, Response, Stage};

/// Genesis of 7 members, threshold 5: request sent to output and attestation received.
fn genesis(c: &mut Criterion) {
    c.bench_function("lifecycle/genesis-5-of-7", |b| {
        b.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let mut world = World::new(7, 5);
                let enclave = world.start();
                let mut stream = enclave.connect();
                let request = Request::Genesis(world.genesis_request());
                let since = Instant::now();
                let answer = common::ask_on(&mut stream, &request);
                total += since.elapsed();
                assert!(matches!(answer, Response::Genesis(_)));
            }
            total
        });
    });
}

/// Boot request sent to setup attestation received; 7 members, threshold 5, binaries there.
fn boot(c: &mut Criterion) {
    let mut world = World::new(7, 5);
    let (record, _) = world.genesis();
    let link = world.approved(world.manifest_fields(&record, &echo()));
    c.bench_function("lifecycle/boot-to-attestable", |b| {
        b.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let enclave = world.start();
                enclave.upload(&echo());
                let mut stream = enclave.connect();
                let chain = vec![link.clone()];
                let request = Request::Boot(BootRequest {
                    record: record.clone(),
                    chain,
                });
                let attest = Request::Attest(AttestRequest {
                    stage: Stage::Setup,
                    nonce: nonce(),
                });
                let since = Instant::now();
                let booted = common::ask_on(&mut stream, &request);
                let attested = common::ask_on(&mut stream, &attest);
                total += since.elapsed();
                assert!(matches!(booted, Response::Booted(_)));
                assert!(matches!(attested, Response::Attested(_)));
            }
            total
        });
    });
}

/// Last share sent to application ready; 7 members, threshold 5.
fn launch(c: &mut Criterion) {
    let mut world = World::new(7, 5);
    let (record, shares) = world.genesis();
    let link = world.approved(world.manifest_fields(&record, &echo()));
    let shares = std::cell::RefCell::new(Some(shares));
    c.bench_function("lifecycle/last-share-to-ready", |b| {
        b.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let held = shares.take().unwrap_or_default();
                let instance = world.boot(record.clone(), held, vec![link.clone()]);
                let mut stream = instance.enclave.connect();
                for position in 0..4 {
                    let request = Request::Provision(instance.honest(&world, position));
                    let answer = common::ask_on(&mut stream, &request);
                    assert!(matches!(answer, Response::Provisioned(_)));
                }
                let last = Request::Provision(instance.honest(&world, 4));
                let since = Instant::now();
                let answer = common::ask_on(&mut stream, &last);
                loop {
                    match common::ask_on(&mut stream, &Request::Status) {
                        Response::Status(status) if status.phase == Phase::Running => break,
                        Response::Status(_) => std::thread::sleep(Duration::from_micros(100)),
                        other => panic!("{other:?}"),
                    }
                }
                total += since.elapsed();
                assert!(matches!(answer, Response::Provisioned(_)));
                shares.replace(Some(instance.shares));
            }
            total
        });
    });
}

/// A binary of 64 MiB, from this process to a sealed memory file in the enclave, 1 MiB a piece.
fn upload(c: &mut Criterion) {
    const SIZE: usize = 64 << 20;
    let mut world = World::new(2, 2);
    let mut binary = vec![7; SIZE];
    let mut group = c.benchmark_group("lifecycle");
    group.throughput(Throughput::Bytes(SIZE as u64));
    group.bench_function("upload 64 MiB", |b| {
        b.iter_custom(|rounds| {
            let enclave = world.start();
            let mut total = Duration::ZERO;
            for round in 0..rounds {
                // Another binary each time: what is there already is not sent again.
                binary[..8].copy_from_slice(&round.to_be_bytes());
                let since = Instant::now();
                enclave.upload(&binary);
                total += since.elapsed();
            }
            total
        });
    });
    group.finish();
}

criterion_group! {
    name = lifecycle;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    targets = genesis, boot, launch, upload
}
criterion_main!(lifecycle);
