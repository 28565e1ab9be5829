//! Applications among themselves: how long a call takes, how fast three of them are ready, and how
//! fast one that was killed is back. Real processes; the figures of a call are measured inside the
//! calling one.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Instance, World};
use criterion::{Criterion, criterion_group, criterion_main};
use quorate_protocol::atoms::{Name, Text};
use quorate_protocol::genesis::GenesisRecord;
use quorate_protocol::manifest::{Application, Link};
use quorate_protocol::message::{Phase, Request, Response, Status};
use quorate_sharing::Share;

const BACK: u32 = 5100;
const FRONT: u32 = 5101;

fn binary() -> Vec<u8> {
    std::fs::read(env!("CARGO_BIN_EXE_quorate-test-application")).unwrap()
}

fn puppet(name: &str, port: u32, calls: &[&str], binary: &[u8]) -> Application {
    let mut application = common::application(name, binary);
    application.ports = vec![port];
    application.arguments = vec![Text::new(&format!("port={port}")).unwrap()];
    application.memory_limit = 1 << 30;
    application.restart.restarts = u16::MAX;
    application.calls = calls.iter().map(|n| Name::new(n).unwrap()).collect();
    application
}

/// A namespace whose manifest has three puppets, each of which calls those before it.
struct Stage {
    world: World,
    record: GenesisRecord,
    shares: Vec<Share>,
    link: Link,
    binary: Vec<u8>,
}

impl Stage {
    fn new() -> Self {
        let binary = binary();
        let mut world = World::new(2, 2);
        let (record, shares) = world.genesis();
        let mut fields = world.manifest_fields(&record, &binary);
        fields.applications = vec![
            puppet("back", BACK, &[], &binary),
            puppet("front", FRONT, &["back"], &binary),
            puppet("last", 5102, &["back", "front"], &binary),
        ];
        let link = world.approved(fields);
        Self {
            world,
            record,
            shares,
            link,
            binary,
        }
    }

    /// Boots, and measures from the last share to all three ready.
    fn launch(&mut self) -> (Instance, Duration) {
        let shares = std::mem::take(&mut self.shares);
        let chain = vec![self.link.clone()];
        let record = self.record.clone();
        let mut instance = self.world.boot_with(record, shares, chain, &self.binary);
        let mut stream = instance.enclave.connect();
        let first = Request::Provision(instance.honest(&self.world, 0));
        let answer = common::ask_on(&mut stream, &first);
        assert!(matches!(answer, Response::Provisioned(_)));
        let last = Request::Provision(instance.honest(&self.world, 1));
        let since = Instant::now();
        let answer = common::ask_on(&mut stream, &last);
        await_status(&mut stream, |status| status.phase == Phase::Running);
        let took = since.elapsed();
        assert!(matches!(answer, Response::Provisioned(_)));
        self.shares = std::mem::take(&mut instance.shares);
        (instance, took)
    }
}

fn await_status(stream: &mut UnixStream, condition: impl Fn(&Status) -> bool) {
    loop {
        match common::ask_on(stream, &Request::Status) {
            Response::Status(status) if condition(&status) => return,
            Response::Status(_) => std::thread::sleep(Duration::from_micros(100)),
            other => panic!("{other:?}"),
        }
    }
}

fn tell(instance: &Instance, line: &str) -> String {
    let name = format!("port-{FRONT}.sock");
    let mut stream = UnixStream::connect(instance.enclave.started.directory.join(name)).unwrap();
    writeln!(stream, "{line}").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer.trim_end().into()
}

fn calls(c: &mut Criterion) {
    let mut stage = Stage::new();
    let (instance, _) = stage.launch();
    for (id, length) in [
        ("applications/call 1 KiB", 1024),
        // The answer says who was called, before what it was called with.
        ("applications/call 1 MiB", (1 << 20) - 64),
    ] {
        c.bench_function(id, |b| {
            b.iter_custom(|rounds| {
                // The median, as the promise says: one call that lost the processor says nothing.
                let answer = tell(&instance, &format!("time back {rounds} {length}"));
                let median: u64 = answer.parse().unwrap_or_else(|_| panic!("{answer}"));
                Duration::from_nanos(median * rounds)
            });
        });
    }
}

fn launch(c: &mut Criterion) {
    let mut stage = Stage::new();
    c.bench_function("applications/last-share-to-three-ready", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| stage.launch().1).sum());
    });
}

/// The process of an instance that runs `back`.
fn back(instance: &Instance) -> nix::unistd::Pid {
    let init = instance.enclave.started.pid;
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    let found = children.split_whitespace().find(|child| {
        let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        line.starts_with(b"back\0")
    });
    nix::unistd::Pid::from_raw(found.expect("a process").parse().unwrap())
}

fn restart(c: &mut Criterion) {
    let mut stage = Stage::new();
    let (instance, _) = stage.launch();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The load: calls without a pause.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                tell(&instance, "time back 200 1024");
            }
        });
        let mut stream = instance.enclave.connect();
        let mut start = 1;
        c.bench_function("applications/killed-to-ready", |b| {
            b.iter_custom(|rounds| {
                let mut total = Duration::ZERO;
                for _ in 0..rounds {
                    let process = back(&instance);
                    start += 1;
                    let since = Instant::now();
                    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
                    await_status(&mut stream, |status| {
                        let back = &status.applications[0];
                        back.starts == start && back.ready
                    });
                    total += since.elapsed();
                }
                total
            });
        });
        done.store(true, Ordering::Relaxed);
    });
}

criterion_group! {
    name = applications;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    targets = calls, launch, restart
}
criterion_main!(applications);
