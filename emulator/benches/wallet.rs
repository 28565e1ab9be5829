//! One request through policy and signing: the CPU time of both processes, beside the sum of its
//! cryptographic operations measured in the same run; and a system of applications from the last
//! share to ready.
//!
//! CPU time is what the kernel counts for every thread of the two processes (`schedstat`), so other
//! work on the machine disturbs it little; what the client and init do is not in it. The operations
//! are those that a request cannot do without, each called as the applications call it.
//!
//! The promise is about one core, so everything runs on one. Once more it runs on all of them: there
//! each message wakes a thread on another core, and in a virtual machine that is an interrupt that the
//! sender pays for.

#[path = "../tests/common/mod.rs"]
mod common;

#[path = "../tests/wallet/client.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod client;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use client::{Client, LIMIT, System};
use criterion::{Criterion, criterion_group, criterion_main};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use quorate_es256::{SigningKey as _, VerifyingKey as _, sha256};
use quorate_es256_fast as fast;
use quorate_protocol::activity::PolicyRequest;
use quorate_protocol::cbor::to_bytes;
use quorate_sealing::StorageKey;
use quorate_wallet::{PublicKey, SigningKey};

/// Requests of one measurement.
const REQUESTS: u64 = 400;
/// Times each operation is timed; the smallest mean counts.
const ROUNDS: u32 = 30;
/// Runs of one timing.
const RUNS: u32 = 100;

/// CPU time so far of every thread of these processes, by its number.
fn cpu(processes: &[u32]) -> BTreeMap<String, Duration> {
    let mut spent = BTreeMap::new();
    for pid in processes {
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process") {
            let thread = thread.expect("a thread");
            let text = std::fs::read_to_string(thread.path().join("schedstat"));
            let text = text.unwrap_or_default();
            let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
            let name = thread.file_name().to_string_lossy().into_owned();
            spent.insert(name, Duration::from_nanos(ns.unwrap_or(0)));
        }
    }
    spent
}

/// What the threads that are there now have spent since then. The thread of a connection that has
/// ended meanwhile did nothing but end.
fn since(before: &BTreeMap<String, Duration>, processes: &[u32]) -> Duration {
    let now = cpu(processes).into_iter();
    let spent = now.map(|(thread, spent)| {
        let earlier = before.get(&thread).copied().unwrap_or_default();
        spent.saturating_sub(earlier)
    });
    spent.sum()
}

/// The mean time of one call, at its best.
fn time<T>(mut call: impl FnMut() -> T) -> Duration {
    let round = |_| {
        let since = Instant::now();
        for _ in 0..RUNS {
            black_box(call());
        }
        since.elapsed() / RUNS
    };
    (0..ROUNDS).map(round).min().expect("some rounds")
}

/// The operations of one request, with how often it does each.
fn operations(body: &[u8], transaction: &[u8]) -> Vec<(&'static str, u32, Duration)> {
    let stamp_key = fast::SigningKey::from_scalar(&[7; 32]).expect("a key");
    let stamp = stamp_key.sign(body).expect("a signature");
    let public = fast::VerifyingKey::from_sec1(&stamp_key.public_key()).expect("a key");
    let digest = sha256(body);
    let storage = StorageKey::from_bytes(&[3; 32]);
    let context = [5; 200];
    let sealed = storage
        .seal(&context, &[9; 32], &mut common::rng())
        .expect("sealed");
    let key = SigningKey::from_bytes(&[9; 32]).expect("a key");
    let point = key.public_key().to_compressed();
    let proof = [1; 700];
    vec![
        (
            "verify the stamp, ES256",
            1,
            time(|| public.verify_digest(&digest, &stamp)),
        ),
        ("SHA-256 of the body", 1, time(|| sha256(body))),
        (
            "Keccak-256 of the transaction",
            3,
            time(|| quorate_chain::ethereum::keccak256(transaction)),
        ),
        ("SHA-256 of an operation", 4, time(|| sha256(&proof))),
        (
            "open the sealed key",
            1,
            time(|| storage.open(&context, &sealed)),
        ),
        (
            "read the public key, secp256k1",
            1,
            time(|| PublicKey::from_sec1(&point)),
        ),
        ("sign and check, secp256k1", 1, time(|| key.sign(&digest))),
        (
            "sign a statement, ES256",
            2,
            time(|| stamp_key.sign(&proof)),
        ),
    ]
}

/// Lets this process, and all it starts from now on, run on these.
fn run_on(cores: &CpuSet) {
    sched_setaffinity(Pid::from_raw(0), cores).expect("cores of this machine");
}

fn requests(c: &mut Criterion) {
    let all = sched_getaffinity(Pid::from_raw(0)).expect("this process");
    let first = (0..CpuSet::count()).find(|core| all.is_set(*core).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(first.expect("a core")).expect("a core");
    run_on(&one);
    request(c, "wallet/signature-cpu", "one core");
    run_on(&all);
    request(c, "wallet/signature-cpu-all-cores", "all cores");
}

fn request(c: &mut Criterion, id: &str, cores: &str) {
    let system = System::start();
    let mut client = Client::found(&system);
    let account = client.wallet().accounts.remove(0);
    let processes = ["policy", "signing"].map(|name| system.process(name));
    let mut stream = system.connect(5100);
    let mut nonce = 0;
    let mut best = Duration::MAX;
    let mut rate: f64 = 0.0;
    let mut send = |count: u64| {
        let requests: Vec<_> = (0..count)
            .map(|_| {
                nonce += 1;
                let submission = client.payment(&account, LIMIT, nonce);
                PolicyRequest::Submit(Box::new(submission))
            })
            .collect();
        let (before, began) = (cpu(&processes), Instant::now());
        for request in &requests {
            let answer = client::ask(&mut stream, request).expect("an answer");
            client::completed(answer);
        }
        let took = began.elapsed();
        let spent = since(&before, &processes);
        (spent, took)
    };
    c.bench_function(id, |b| {
        b.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            let mut left = rounds;
            while left > 0 {
                let count = left.min(REQUESTS);
                let (spent, took) = send(count);
                if count >= 50 {
                    best = best.min(spent / u32::try_from(count).expect("few"));
                    rate = rate.max(count as f64 / took.as_secs_f64());
                }
                total += spent;
                left -= count;
            }
            total
        });
    });
    if best == Duration::MAX {
        return;
    }
    let submission = client.payment(&account, LIMIT, 0);
    let unsigned = [2; 48];
    let operations = operations(submission.body.as_slice(), &unsigned);
    let mut sum = Duration::ZERO;
    println!("cryptographic operations of one request, on {cores}:");
    for (name, times, each) in operations {
        sum += each * times;
        println!("  {times} x {each:>10.2?}  {name}");
    }
    let ratio = best.as_secs_f64() / sum.as_secs_f64();
    println!("  sum {sum:.2?}; policy and signing together {best:.2?}, {ratio:.2} times that");
    println!(
        "  {:.0} a second by CPU time; {rate:.0} a second through one connection, client included",
        1.0 / best.as_secs_f64()
    );
    let message = to_bytes(&PolicyRequest::Submit(Box::new(submission)));
    println!("  a request of {} bytes", message.len());
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(8));
    targets = requests
}
criterion_main!(benches);
