//! The way to an application and back: a real enclave process, the real echo application, its
//! listening socket inherited from init, no proxy between. Beside it in the same run the same bytes
//! through a Unix socket to a program that only copies, and echoes that are signed.
//!
//! Latency is the median of many round trips one after another on one connection. Throughput is the
//! time per request over 64 connections, driven by one thread of this process: with sixteen requests
//! in flight on each, and with one. Every answer's bytes are counted, the first of each kind compared.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Instance, World, echo};
use criterion::{Criterion, criterion_group, criterion_main};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use quorate_echo::{EchoRequest, EchoResponse};
use quorate_protocol::atoms::Bytes;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::frame::frame;
use quorate_protocol::message::{Phase, Request, Response};

const CONNECTIONS: usize = 64;
/// Round trips of one latency, at least.
const TRIPS: u64 = 2000;
/// Requests of one throughput, at least.
const REQUESTS: u64 = 40_000;

/// An enclave whose echo runs.
struct Stage {
    _world: World,
    instance: Instance,
}

impl Stage {
    fn new() -> Self {
        let mut world = World::new(2, 2);
        let (record, shares) = world.genesis();
        let link = world.approved(world.manifest_fields(&record, &echo()));
        let instance = world.boot(record, shares, vec![link]);
        let mut stream = instance.enclave.connect();
        for position in 0..2 {
            let request = Request::Provision(instance.honest(&world, position));
            let answer = common::ask_on(&mut stream, &request);
            assert!(matches!(answer, Response::Provisioned(_)));
        }
        loop {
            match common::ask_on(&mut stream, &Request::Status) {
                Response::Status(status) if status.phase == Phase::Running => break,
                Response::Status(_) => std::thread::sleep(Duration::from_micros(100)),
                other => panic!("{other:?}"),
            }
        }
        Self {
            _world: world,
            instance,
        }
    }

    fn socket(&self) -> PathBuf {
        self.instance
            .enclave
            .started
            .directory
            .join("port-5100.sock")
    }
}

/// A request and the number of bytes its answer has.
struct Exchange {
    request: Vec<u8>,
    answer: usize,
}

fn message(length: usize) -> Bytes<0, { quorate_echo::MAX_MESSAGE }> {
    let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    Bytes::new(bytes).unwrap()
}

fn plain(length: usize) -> Exchange {
    let request = frame(&to_bytes(&EchoRequest::Repeat(message(length)))).unwrap();
    let answer = frame(&to_bytes(&EchoResponse::Repeated(message(length)))).unwrap();
    Exchange {
        request,
        answer: answer.len(),
    }
}

/// Asks once, and compares or measures the answer.
fn first(path: &Path, length: usize) -> Exchange {
    let exchange = plain(length);
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(&exchange.request).unwrap();
    let mut answer = vec![0; exchange.answer];
    stream.read_exact(&mut answer).unwrap();
    let expected = frame(&to_bytes(&EchoResponse::Repeated(message(length)))).unwrap();
    assert_eq!(answer, expected);
    exchange
}

fn signed(path: &Path, length: usize) -> Exchange {
    let request = frame(&to_bytes(&EchoRequest::Echo(message(length)))).unwrap();
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(&request).unwrap();
    let mut header = [0; 5];
    stream.read_exact(&mut header).unwrap();
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    // The proof counts upward: an answer may be a byte longer after some, so no bytes are compared.
    let answer: EchoResponse = quorate_protocol::cbor::from_bytes(&payload).unwrap();
    assert!(matches!(answer, EchoResponse::Echoed(_)));
    Exchange {
        request,
        answer: length + 5,
    }
}

/// The median time of a round trip.
fn latency(path: &Path, exchange: &Exchange, rounds: u64) -> Duration {
    let mut stream = UnixStream::connect(path).unwrap();
    let mut answer = vec![0; exchange.answer];
    let mut times = Vec::new();
    for _ in 0..rounds.max(TRIPS) {
        let since = Instant::now();
        stream.write_all(&exchange.request).unwrap();
        stream.read_exact(&mut answer).unwrap();
        times.push(since.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

struct Client {
    stream: UnixStream,
    /// Bytes of answers still to come.
    due: usize,
}

/// The time per request over many connections, so many requests in flight on each.
fn throughput(path: &Path, exchange: &Exchange, depth: usize, rounds: u64) -> Duration {
    let batch = exchange.request.repeat(depth);
    let mut clients: Vec<Client> = (0..CONNECTIONS)
        .map(|_| Client {
            stream: UnixStream::connect(path).unwrap(),
            due: 0,
        })
        .collect();
    let mut buffer = vec![0; 64 * 1024];
    let wanted = rounds.max(REQUESTS);
    let mut sent = 0;
    let since = Instant::now();
    let begin = |client: &mut Client, sent: &mut u64| {
        if *sent < wanted {
            client.stream.write_all(&batch).unwrap();
            client.due = exchange.answer * depth;
            *sent += depth as u64;
        }
    };
    for client in &mut clients {
        begin(client, &mut sent);
    }
    while clients.iter().any(|client| client.due > 0) {
        let mut fds: Vec<PollFd<'_>> = clients
            .iter()
            .map(|client| PollFd::new(client.stream.as_fd(), PollFlags::POLLIN))
            .collect();
        poll(&mut fds, PollTimeout::NONE).unwrap();
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        for (client, ready) in clients.iter_mut().zip(ready) {
            if !ready {
                continue;
            }
            let count = client.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "a connection was closed");
            client.due = client.due.checked_sub(count).expect("no more than is due");
            if client.due == 0 {
                begin(client, &mut sent);
            }
        }
    }
    since.elapsed() / u32::try_from(sent).unwrap()
}

/// A program that copies: the same bytes through the same kind of socket and nothing else.
fn copier(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = vec![0; 64 * 1024];
                loop {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => return,
                        Ok(count) => {
                            if stream.write_all(&buffer[..count]).is_err() {
                                return;
                            }
                        }
                    }
                }
            });
        }
    });
}

fn path(c: &mut Criterion) {
    let stage = Stage::new();
    let socket = stage.socket();
    let folder = tempfile::tempdir().unwrap();
    let floor = folder.path().join("copier");
    copier(&floor);
    for (id, beside, length) in [
        ("path/echo 64 B", "floor/path/echo 64 B", 64),
        ("path/echo 1 KiB", "floor/path/echo 1 KiB", 1024),
        ("path/echo 16 KiB", "floor/path/echo 16 KiB", 16 * 1024),
    ] {
        let exchange = first(&socket, length);
        c.bench_function(id, |b| {
            b.iter_custom(|rounds| latency(&socket, &exchange, rounds) * clamp(rounds));
        });
        let same = Exchange {
            answer: exchange.request.len(),
            request: exchange.request,
        };
        c.bench_function(beside, |b| {
            b.iter_custom(|rounds| latency(&floor, &same, rounds) * clamp(rounds));
        });
    }
    let small = first(&socket, 64);
    let same = Exchange {
        answer: small.request.len(),
        request: small.request.clone(),
    };
    for (id, beside, depth) in [
        (
            "path/64 connections, pipelined",
            "floor/path/64 connections, pipelined",
            16,
        ),
        (
            "path/64 connections, one in flight",
            "floor/path/64 connections, one in flight",
            1,
        ),
    ] {
        c.bench_function(id, |b| {
            b.iter_custom(|rounds| throughput(&socket, &small, depth, rounds) * clamp(rounds));
        });
        c.bench_function(beside, |b| {
            b.iter_custom(|rounds| throughput(&floor, &same, depth, rounds) * clamp(rounds));
        });
    }
    let proved = signed(&socket, 64);
    let mut stream = UnixStream::connect(&socket).unwrap();
    c.bench_function("path/signed echo 64 B", |b| {
        b.iter_custom(|rounds| {
            let mut times = Vec::new();
            for _ in 0..rounds.max(200) {
                let since = Instant::now();
                stream.write_all(&proved.request).unwrap();
                let mut header = [0; 5];
                stream.read_exact(&mut header).unwrap();
                let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
                let mut payload = vec![0; length as usize];
                stream.read_exact(&mut payload).unwrap();
                times.push(since.elapsed());
            }
            times.sort_unstable();
            times[times.len() / 2] * clamp(rounds)
        });
    });
}

fn clamp(rounds: u64) -> u32 {
    u32::try_from(rounds).unwrap_or(u32::MAX)
}

criterion_group! {
    name = paths;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    targets = path
}
criterion_main!(paths);
