//! An application for tests, in two parts: a puppet that does through `quorate-app` what a test
//! tells it over its port, and misbehaviours that go past that crate.
//!
//! Arguments: `misbehave=WHAT` (in its first start only, unless `always` stands beside it), then
//! whatever else. On port 5100 and above it takes one line a connection and answers with one line.
//! It is never part of an image; it can do nothing that a hostile binary could not do anyway.

#![forbid(unsafe_code)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, Shutdown, recv, send, shutdown};
use quorate_app::{App, AppError, Caller, Peer, ReportKind};
use quorate_protocol::application::EdgeRole;
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::control::{Dial, EntropyLength, Renew, Report, ToInit};
use quorate_protocol::egress::Destination;

/// The control socket, by the order of descriptors that init keeps.
const CONTROL: RawFd = 5;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> Result<(), AppError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut app = App::start()?;
    let always = arguments.iter().any(|a| a == "always");
    let misbehaviour = arguments.iter().find_map(|a| a.strip_prefix("misbehave="));
    let misbehaviour = misbehaviour.filter(|_| always || app.start_number() == 1);
    let port = arguments.iter().find_map(|a| a.strip_prefix("port="));
    let port: Option<u32> = port.and_then(|port| port.parse().ok());
    let listener = port.map(|port| app.listener(port)).transpose()?;
    match misbehaviour {
        Some("exit") => std::process::exit(3),
        Some("hang") => hang(),
        Some("close-control") => {
            let _ = shutdown(CONTROL, Shutdown::Both);
            hang()
        }
        Some("flood-control") => loop {
            let report = Report {
                kind: ReportKind::Note,
                code: 1,
                value: 1,
            };
            tell(&to_bytes(&ToInit::Report(report)));
        },
        Some("flood-entropy") => loop {
            let length = EntropyLength::new(256).map_err(|_| AppError::Entropy)?;
            tell(&to_bytes(&ToInit::Entropy(length)));
        },
        Some("flood-dials") => loop {
            let destination = Destination::parse("api.example:443");
            let destination = destination.map_err(|_| AppError::Key)?;
            let dial = Dial {
                number: 1,
                destination,
            };
            tell(&to_bytes(&ToInit::Dial(dial)));
        },
        Some("dial-address") => {
            // [6, {0: 1, 1: {0: "127.0.0.1", 1: 443}}]: an address where a name should be.
            let before = [0x82, 6, 0xa2, 0, 1, 1, 0xa2, 0, 0x69].as_slice();
            tell(&[before, b"127.0.0.1", &[1, 0x19, 1, 0xbb]].concat());
            hang()
        }
        Some("flood-renewals") => {
            app.ready()?;
            renew_without_end()
        }
        Some("garbage-control") => {
            tell(b"garbage");
            hang()
        }
        Some("long-control") => {
            tell(&[0x81; 4096]);
            hang()
        }
        Some("flood-edge") => {
            app.ready()?;
            flood(edge(&arguments), 1 << 20)
        }
        Some("garbage-edge") => {
            app.ready()?;
            flood(edge(&arguments), 1)
        }
        _ => {}
    }
    let app = Arc::new(app);
    let (serving, served) = (Arc::clone(&app), Arc::clone(&app));
    let serve = move || serving.serve_calls(move |peer, payload| answer(&served, peer, payload));
    match misbehaviour.and_then(Wrong::of) {
        None => serve()?,
        // The first call is answered past the crate, so nobody else may read it before.
        Some(wrong) => {
            let edge = edge(&arguments);
            thread::spawn(move || {
                answer_wrongly(edge, wrong);
                let _ = serve();
            });
        }
    }
    if let Some(listener) = listener {
        let app = Arc::clone(&app);
        thread::spawn(move || {
            while let Ok(stream) = listener.accept() {
                let app = Arc::clone(&app);
                thread::spawn(move || obey(&app, &stream));
            }
        });
    }
    app.ready()?;
    app.wait_for_stop()
}

fn hang() -> ! {
    loop {
        thread::park();
    }
}

fn tell(message: &[u8]) {
    let _ = send(CONTROL, message, MsgFlags::MSG_NOSIGNAL);
}

/// The descriptor of the first edge, which depends on the number of ports.
fn edge(arguments: &[String]) -> RawFd {
    let number = arguments.iter().find_map(|a| a.strip_prefix("edge="));
    number.and_then(|n| n.parse().ok()).unwrap_or(CONTROL + 1)
}

/// Asks for new pairs of an edge as fast as it can, of pairs that were not made, too.
fn renew_without_end() -> ! {
    for pair in 1.. {
        if let Ok(peer) = Name::new("victim") {
            let role = EdgeRole::Caller;
            tell(&to_bytes(&ToInit::Renew(Renew { peer, role, pair })));
        }
    }
    hang()
}

/// What is no answer to a call.
#[derive(Clone, Copy)]
enum Wrong {
    /// One with the number of a call that was not made.
    Number,
    /// One that says it is longer than any may be.
    Length,
    /// The right one, twice.
    Twice,
}

impl Wrong {
    fn of(misbehaviour: &str) -> Option<Self> {
        match misbehaviour {
            "wrong-number" => Some(Self::Number),
            "huge-answer" => Some(Self::Length),
            "two-answers" => Some(Self::Twice),
            _ => None,
        }
    }
}

/// Answers the first call on a raw descriptor with what is no answer to it.
fn answer_wrongly(edge: RawFd, wrong: Wrong) {
    let mut call = [0; 65536];
    let Ok(12..) = recv(edge, &mut call, MsgFlags::empty()) else {
        return;
    };
    // An empty answer to this call.
    let mut answer = call.get(..12).unwrap_or_default().to_vec();
    answer.iter_mut().take(4).for_each(|byte| *byte = 0);
    match wrong {
        Wrong::Number => answer.iter_mut().skip(11).for_each(|byte| *byte ^= 0x55),
        Wrong::Length => answer.iter_mut().take(4).for_each(|byte| *byte = 0xff),
        Wrong::Twice => answer = [answer.as_slice(), answer.as_slice()].concat(),
    }
    let _ = send(edge, &answer, MsgFlags::MSG_NOSIGNAL);
}

/// Pours messages, or what is none, into an edge and reads nothing.
fn flood(edge: RawFd, length: u32) -> ! {
    let mut number = 0_u64;
    loop {
        number += 1;
        let mut message = length.to_be_bytes().to_vec();
        message.extend_from_slice(&number.to_be_bytes());
        message.resize(12 + 65536, 0xaa);
        if send(edge, &message, MsgFlags::MSG_NOSIGNAL).is_err() {
            hang();
        }
    }
}

/// What it answers when another application calls.
fn answer(app: &App, peer: &Peer, payload: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let mut words = text.split(' ');
    match (words.next(), words.next()) {
        (Some("sleep"), Some(ms)) => thread::sleep(Duration::from_millis(ms.parse().ok()?)),
        (Some("exit"), _) => std::process::exit(4),
        (Some("none"), _) => return None,
        (Some("large"), Some(length)) => return Some(vec![0x61; length.parse().ok()?]),
        (Some("length"), _) => return Some(payload.len().to_string().into_bytes()),
        _ => {}
    }
    let (own, start) = (app.start_number(), peer.start);
    Some(format!("start {own}, called by {} {start}: {text}", peer.name).into_bytes())
}

/// Does what one line says.
fn obey(app: &App, stream: &UnixStream) {
    let mut line = String::new();
    if BufReader::new(stream).read_line(&mut line).is_err() {
        return;
    }
    let answer = command(app, line.trim_end()).unwrap_or_else(|error| format!("error {error}"));
    let mut stream = stream;
    let _ = stream.write_all(format!("{answer}\n").as_bytes());
}

fn command(app: &App, line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.splitn(4, ' ').collect();
    let told = |error: AppError| error.to_string();
    match words.as_slice() {
        ["call", callee, timeout, payload] => {
            let caller = caller(app, callee, timeout)?;
            let mut met = None;
            let outcome = caller.call(|peer| {
                met = Some(peer.start);
                payload.as_bytes().to_vec()
            });
            let met = met.map_or_else(|| "-".into(), |start| start.to_string());
            Ok(match outcome {
                Ok(answer) => format!("{met} {}", String::from_utf8_lossy(&answer)),
                Err(error) => format!("{met} {error:?}"),
            })
        }
        ["send", callee, timeout, length] => {
            let length = length.parse().map_err(|_| "a number")?;
            let mut payload = b"length ".to_vec();
            payload.resize(length, b'x');
            let outcome = caller(app, callee, timeout)?.call(|_| payload);
            Ok(match outcome {
                Ok(answer) => String::from_utf8_lossy(&answer).into_owned(),
                Err(error) => format!("{error:?}"),
            })
        }
        ["receive", callee, timeout, length] => {
            let payload = format!("large {length}").into_bytes();
            let outcome = caller(app, callee, timeout)?.call(|_| payload);
            Ok(match outcome {
                Ok(answer) => answer.len().to_string(),
                Err(error) => format!("{error:?}"),
            })
        }
        ["time", callee, rounds, length] => {
            let rounds: u32 = rounds.parse().map_err(|_| "a number")?;
            let length = length.parse().map_err(|_| "a number")?;
            time(&caller(app, callee, "20000")?, rounds, length)
        }
        ["report", count] => {
            let count = count.parse().map_err(|_| "a number")?;
            for value in 0..count {
                app.report(ReportKind::Note, 7, value);
            }
            Ok("done".into())
        }
        ["entropy"] => {
            let mut bytes = [0; 16];
            app.entropy().fill(&mut bytes).map_err(told)?;
            Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        ["time"] => Ok(app.clock().now().0.to_string()),
        ["seal", owner, reader] => {
            let mut rng = app.entropy().generator().map_err(told)?;
            let key = app.storage_key(owner, reader).map_err(told)?;
            let sealed = key.seal(b"test", b"secret", &mut rng);
            let sealed = sealed.map_err(|error| error.to_string())?;
            let salt: String = sealed.salt.iter().map(|b| format!("{b:02x}")).collect();
            let text: String = sealed
                .ciphertext
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            Ok(format!("{salt}{text}"))
        }
        ["open", owner, reader, sealed] => open(app, owner, reader, sealed),
        ["descriptors"] => {
            let mut open: Vec<String> = Vec::new();
            for number in 0..64 {
                let link = std::fs::read_link(format!("/proc/self/fd/{number}"));
                open.extend(link.map(|link| format!("{number}={}", link.display())));
            }
            Ok(open.join(" "))
        }
        ["instance"] => Ok(app.instance_key().to_string()),
        ["exit", status] => std::process::exit(status.parse().unwrap_or(1)),
        _ => Err("no such command".into()),
    }
}

/// The median time of a call and an answer of this length, in nanoseconds.
fn time(caller: &Caller, rounds: u32, length: usize) -> Result<String, String> {
    let mut times = Vec::new();
    for _ in 0..rounds.max(1) {
        let payload = vec![b'x'; length];
        let since = std::time::Instant::now();
        let answer = caller.call(|_| payload).map_err(|e| e.to_string())?;
        times.push(since.elapsed().as_nanos());
        if answer.len() < length {
            return Err("a short answer".into());
        }
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok(median.to_string())
}

fn caller(app: &App, callee: &str, timeout: &str) -> Result<Caller, String> {
    let timeout = timeout.parse().map_err(|_| "a timeout in milliseconds")?;
    let caller = app.caller(callee).map_err(|error| error.to_string())?;
    Ok(caller.with_timeout(Duration::from_millis(timeout)))
}

fn open(app: &App, owner: &str, reader: &str, sealed: &str) -> Result<String, String> {
    let digits = |at: usize| {
        sealed
            .get(at..at + 2)
            .and_then(|d| u8::from_str_radix(d, 16).ok())
    };
    let bytes: Option<Vec<u8>> = (0..sealed.len()).step_by(2).map(digits).collect();
    let bytes = bytes.ok_or("hexadecimal")?;
    let (salt, ciphertext) = bytes.split_first_chunk::<32>().ok_or("too short")?;
    let stored = quorate_sealing::Stored {
        suite: quorate_sealing::StorageSuite::HkdfSha256Aes256Gcm,
        salt: *salt,
        ciphertext: ciphertext.to_vec(),
    };
    let key = app
        .storage_key(owner, reader)
        .map_err(|error| error.to_string())?;
    let opened = key
        .open(b"test", &stored)
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&opened).into_owned())
}
