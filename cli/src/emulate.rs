//! `quorate emulate`: enclaves as processes, for people and for programs that drive them.
//!
//! `serve` is a process of its own so that nobody else holds the development root's key. It takes
//! orders as JSON lines and answers each with one line, in order ([`Order`]).
//!
//! Guarantees: a line that is no order, or an order that cannot be carried out, is answered with an
//! error and changes nothing; every enclave is stopped before the command ends, whether it ends
//! because its input did, by SIGTERM, SIGHUP or Ctrl-C, or because its output was closed.
//!
//! Trusts: whoever writes to its standard input.

use std::io::{BufRead as _, Read as _, stdin};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use quorate_emulator::device::Mode;
use quorate_emulator::measurements::Measurements;
use quorate_emulator::process::{self, Ended, Hypervisor, ProcessError, Start, Started, Stopped};
use quorate_protocol::atoms::Name;
use serde_json::{Map, Value, json};

use crate::arguments::{EmulateMeasure, EmulateServe};
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Output, Render, Style, error_json, hex};

/// Longest order in bytes: paths and an ARN fit many times.
const ORDER_MAX: usize = 64 * 1024;

/// Prints the measurements of an init.
pub(crate) fn measure(arguments: &EmulateMeasure, output: Output) -> Result<Exit, Failure> {
    let measurements = process::measure(&arguments.init).map_err(|error| {
        let failure = explain(&error);
        Failure::usage("file-unreadable", failure.what, failure.remedy)
    })?;
    output.print(&Measured(measurements))?;
    Ok(Exit::Success)
}

/// Serves emulated enclaves until the input ends.
pub(crate) fn serve(arguments: &EmulateServe, output: Output) -> Result<Exit, Failure> {
    let (events, received) = sync_channel(16);
    let stop = events.clone();
    ctrlc::set_handler(move || {
        // A full queue or a gone receiver: the server is ending or busy; its input ends it later.
        let _ = stop.try_send(Event::End);
    })
    .map_err(|error| signals(&error))?;
    let mut hypervisor = Hypervisor::new(&arguments.directory).map_err(|e| explain(&e))?;
    output.note(&format!(
        "development root: {}",
        hypervisor.root_path().display()
    ));
    read_lines(events)?;
    answer(&mut hypervisor, &received, output)?;
    Ok(Exit::Success)
}

/// What keeps a server busy.
enum Event {
    Line(Vec<u8>),
    TooLong,
    End,
}

/// Reads lines in a thread of its own, so that a signal is heard while none arrives.
fn read_lines(events: SyncSender<Event>) -> Result<(), Failure> {
    let read = move || {
        let mut input = stdin().lock();
        loop {
            let mut line = Vec::new();
            let limit = ORDER_MAX as u64 + 1;
            let event = match input.by_ref().take(limit).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => Event::End,
                Ok(_) if line.len() > ORDER_MAX => Event::TooLong,
                Ok(_) => Event::Line(line),
            };
            let last = !matches!(event, Event::Line(_));
            if events.send(event).is_err() || last {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("orders".into())
        .spawn(read)
        .map(drop)
        .map_err(|error| {
            let what = format!("a thread cannot be started: {error}");
            Failure::refused(
                Fault::Machine,
                "no-thread",
                what,
                "end other programs first",
            )
        })
}

fn answer(
    hypervisor: &mut Hypervisor,
    events: &Receiver<Event>,
    output: Output,
) -> Result<(), Failure> {
    for event in events {
        let line = match event {
            Event::Line(line) => line,
            Event::End => return Ok(()),
            Event::TooLong => {
                let failure = malformed(&format!("a line has more than {ORDER_MAX} bytes"));
                return output.line(&json!({ "error": error_json(&failure) }));
            }
        };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = Order::parse(&line).and_then(|order| order.carry_out(hypervisor));
        let answer = answer.unwrap_or_else(|failure| json!({ "error": error_json(&failure) }));
        output.line(&answer)?;
    }
    Ok(())
}

/// One line of input.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Measure(PathBuf),
    Start(Start),
    Stop(Name),
}

impl Order {
    fn parse(line: &[u8]) -> Result<Self, Failure> {
        let value: Value = serde_json::from_slice(line)
            .map_err(|error| malformed(&format!("no JSON: {error}")))?;
        let Value::Object(outer) = value else {
            return Err(malformed("an order is an object"));
        };
        let mut entries = outer.into_iter();
        let (Some((kind, body)), None) = (entries.next(), entries.next()) else {
            return Err(malformed("an order is an object with one key"));
        };
        let Value::Object(mut body) = body else {
            return Err(malformed("what stands behind the key is an object"));
        };
        let order = match kind.as_str() {
            "measure" => Self::Measure(path(&mut body, "init")?),
            "start" => Self::Start(Start {
                name: name(&mut body)?,
                init: path(&mut body, "init")?,
                role_arn: optional_text(&mut body, "role_arn")?,
                mode: mode(&mut body)?,
            }),
            "stop" => Self::Stop(name(&mut body)?),
            _ => return Err(malformed("the orders are measure, start and stop")),
        };
        match body.keys().next() {
            None => Ok(order),
            Some(key) => Err(malformed(&format!("the key {key:?} is unknown here"))),
        }
    }

    fn carry_out(self, hypervisor: &mut Hypervisor) -> Result<Value, Failure> {
        match self {
            Self::Measure(init) => process::measure(&init)
                .map(|measurements| json!({ "measured": Measured(measurements).json() })),
            Self::Start(start) => hypervisor
                .start(&start)
                .map(|started| json!({ "started": started_json(&start.name, &started) })),
            Self::Stop(name) => hypervisor
                .stop(&name)
                .map(|stopped| json!({ "stopped": stopped_json(&name, stopped) })),
        }
        .map_err(|error| explain(&error))
    }
}

fn path(body: &mut Map<String, Value>, key: &'static str) -> Result<PathBuf, Failure> {
    optional_text(body, key)?
        .filter(|text| !text.is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| malformed(&format!("{key:?} is missing")))
}

fn name(body: &mut Map<String, Value>) -> Result<Name, Failure> {
    let text = optional_text(body, "name")?.ok_or_else(|| malformed("\"name\" is missing"))?;
    Name::new(&text).map_err(|error| malformed(&error.to_string()))
}

fn optional_text(
    body: &mut Map<String, Value>,
    key: &'static str,
) -> Result<Option<String>, Failure> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(&format!("{key:?} is not a text"))),
    }
}

fn mode(body: &mut Map<String, Value>) -> Result<Mode, Failure> {
    match body.remove("debug") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Mode::Normal),
        Some(Value::Bool(true)) => Ok(Mode::Debug),
        Some(_) => Err(malformed("\"debug\" is not true or false")),
    }
}

fn started_json(name: &Name, started: &Started) -> Value {
    json!({
        "name": name.as_str(),
        "pid": started.pid,
        "module": started.module,
        "directory": started.directory,
        "operator": started.operator,
        "public": started.public,
        "console": started.console,
    })
}

fn stopped_json(name: &Name, stopped: Stopped) -> Value {
    let (code, signal) = match stopped.ended {
        Ended::Exited(code) => (Some(code), None),
        Ended::Killed(signal) => (None, Some(signal)),
    };
    json!({
        "name": name.as_str(),
        "ended_before": stopped.ended_before,
        "code": code,
        "signal": signal,
    })
}

/// Measurements, shown.
struct Measured(Measurements);

impl Measured {
    fn registers(&self) -> [(&'static str, String); 3] {
        [
            ("pcr0", hex(&self.0.pcr0)),
            ("pcr1", hex(&self.0.pcr1)),
            ("pcr2", hex(&self.0.pcr2)),
        ]
    }
}

impl Render for Measured {
    fn text(&self, _: Style) -> String {
        let line = |(name, value): (&str, String)| format!("{name} {value}\n");
        self.registers().into_iter().map(line).collect()
    }

    fn json(&self) -> Value {
        let entry = |(name, value): (&str, String)| (name.to_owned(), Value::String(value));
        Value::Object(self.registers().into_iter().map(entry).collect())
    }
}

fn malformed(what: &str) -> Failure {
    Failure::refused(
        Fault::Caller,
        "order-malformed",
        format!("this is no order: {what}"),
        "quorate emulate serve --help shows every order",
    )
}

/// The failure of a process that cannot hear signals.
pub(crate) fn signals(error: &ctrlc::Error) -> Failure {
    Failure::refused(
        Fault::Machine,
        "no-signals",
        format!("signals cannot be handled: {error}"),
        "run it in an ordinary process",
    )
}

/// A failure to start or stop, for people.
fn explain(error: &ProcessError) -> Failure {
    let (fault, code, remedy) = match error {
        ProcessError::AlreadyThere { .. } => (
            Fault::Caller,
            "name-taken",
            "choose another name, or an empty --directory",
        ),
        ProcessError::EndedEarly { .. } => (
            Fault::Enclave,
            "enclave-ended",
            "read its console and mend what it names",
        ),
        ProcessError::Silent { .. } => (
            Fault::Enclave,
            "enclave-silent",
            "read its console; is the file really an init?",
        ),
        ProcessError::NoSuchEnclave { .. } => (
            Fault::Caller,
            "no-such-enclave",
            "start it first, and name it as it was started",
        ),
        ProcessError::NotOwn { .. } => (
            Fault::Caller,
            "folder-not-own",
            "choose a --directory that does not exist yet; it is made for you alone",
        ),
        ProcessError::PathTooLong { .. } => (
            Fault::Caller,
            "path-too-long",
            "choose a shorter --directory, such as /tmp/nitro",
        ),
        ProcessError::File { .. } | ProcessError::InitTooLarge { .. } => (
            Fault::Caller,
            "file-unusable",
            "name a file or folder this user may use",
        ),
        ProcessError::Spawn { .. } => (
            Fault::Machine,
            "not-executable",
            "./demo builds the binaries for this machine",
        ),
        _ => (
            Fault::Machine,
            "emulator-failed",
            "check the clock and the limits of this machine",
        ),
    };
    Failure::refused(fault, code, error.to_string(), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Order, Failure> {
        Order::parse(line.as_bytes())
    }

    #[test]
    fn orders_are_read() {
        let name = Name::new("a").expect("a name");
        assert_eq!(
            parse(r#"{"start":{"name":"a","init":"/i","role_arn":null,"debug":false}}"#),
            Ok(Order::Start(Start {
                name: name.clone(),
                init: "/i".into(),
                role_arn: None,
                mode: Mode::Normal,
            }))
        );
        assert_eq!(parse(r#"{"stop":{"name":"a"}}"#), Ok(Order::Stop(name)));
        assert_eq!(
            parse(r#"{"measure":{"init":"i"}}"#),
            Ok(Order::Measure("i".into()))
        );
    }

    #[test]
    fn what_is_no_order_fails_closed() {
        for line in [
            "",
            "[]",
            "{",
            "{}",
            r#"{"start":{}}"#,
            r#"{"start":{"name":"a"}}"#,
            r#"{"start":{"name":"../a","init":"/i"}}"#,
            r#"{"start":{"name":"a","init":"/i","debug":"yes"}}"#,
            r#"{"start":{"name":"a","init":"/i","more":1}}"#,
            r#"{"start":{"name":"a","init":""}}"#,
            r#"{"stop":{"name":"a"},"start":{}}"#,
            r#"{"stop":"a"}"#,
            r#"{"reboot":{"name":"a"}}"#,
            r#"{"measure":{"init":7}}"#,
        ] {
            let failure = parse(line).expect_err(line);
            assert_eq!(failure.code, "order-malformed", "{line}");
        }
    }
}
