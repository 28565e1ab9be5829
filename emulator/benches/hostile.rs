//! Status while strangers do what they can: ten thousand wrong frames and five hundred connections
//! that say nothing, on the operators' port, the public one and an application's. What is measured is
//! the 99th percentile of the answers, each on a connection of its own. Prints init's memory before and
//! after.

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/frames.rs"]
mod frames;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::World;
use criterion::{Criterion, criterion_group, criterion_main};
use quorate_protocol::message::Request;

const FRAMES: usize = 10_000;
const IDLE: usize = 500;

fn hostile(c: &mut Criterion) {
    let mut world = World::new(2, 2);
    let instance = world.booted();
    instance.provision(&world, &[0, 1]);
    let started = &instance.enclave.started;
    let ports = [
        started.operator.clone(),
        started.public.clone(),
        started.directory.join("port-5100.sock"),
    ];
    let status = || {
        let since = Instant::now();
        instance.enclave.ask(&Request::Status);
        since.elapsed()
    };
    c.bench_function("hostile/status, quiet", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| status()).sum());
    });
    let before = frames::resident(started.pid);
    c.bench_function("hostile/status, p99", |b| {
        b.iter_custom(|rounds| {
            let sent = AtomicUsize::new(0);
            let idle = frames::idle(&ports, IDLE);
            let mut times = Vec::new();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| frames::flood(&ports, &sent, FRAMES));
                }
                while sent.load(Ordering::Relaxed) < FRAMES {
                    times.push(status());
                    // An operator who asks a thousand times a second.
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            drop(idle);
            times.sort_unstable();
            times[times.len() * 99 / 100] * u32::try_from(rounds).unwrap_or(u32::MAX)
        });
    });
    let after = frames::resident(started.pid);
    eprintln!("init's resident memory: {before} KiB before, {after} KiB after");
}

criterion_group! {
    name = load;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    targets = hostile
}
criterion_main!(load);
