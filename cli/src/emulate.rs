//! `quorate emulate`: enclaves on this machine, for people and for programs that drive them.
//!
//! `serve` is a process of its own so that nobody else holds the development root's key. It takes
//! orders as JSON lines and answers each with one line, in order ([`Order`]). [`machine`] runs one
//! image for a person, [`console`] follows what an enclave prints.
//!
//! Guarantees: a line that is no order, or an order that cannot be carried out, is answered with an
//! error and changes nothing; every enclave is stopped before the command ends, whether it ends
//! because its input did, by SIGTERM, SIGHUP or Ctrl-C, or because its output was closed.
//!
//! Trusts: whoever writes to its standard input.

use std::io::{BufRead as _, Read as _, stdin};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use quorate_emulator::machine::image::ImageError;
use quorate_emulator::machine::qemu::FindError;
use quorate_emulator::machine::run::MachineError;
use quorate_emulator::measurements::Measurements;
use quorate_emulator::process::{self, Hypervisor, ProcessError};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure, Fault};
use crate::image::Lines;
use crate::output::{Output, Render, Style, error_json, hex};

mod arguments;
mod console;
mod machine;
mod order;

pub(crate) use self::arguments::{Console, Emulate};
pub(crate) use self::console::run as console;

use self::arguments::{Command, Measure, Serve};
use self::order::{Order, malformed};

/// Longest order in bytes: paths and an ARN fit many times.
const ORDER_MAX: usize = 64 * 1024;

/// Does what was typed.
pub(crate) fn run(what: &Emulate, output: Output) -> Result<Exit, Failure> {
    match &what.command {
        Some(Command::Serve(arguments)) => serve(arguments, output),
        Some(Command::Measure(arguments)) => measure(arguments, output),
        None => machine::run(&what.machine, output),
    }
}

/// Prints the measurements of an init.
fn measure(arguments: &Measure, output: Output) -> Result<Exit, Failure> {
    let measurements = process::measure(&arguments.init).map_err(|error| {
        let failure = explain(&error);
        Failure::usage("file-unreadable", failure.what, failure.remedy)
    })?;
    output.print(&Measured(measurements))?;
    Ok(Exit::Success)
}

/// Serves emulated enclaves until the input ends.
fn serve(arguments: &Serve, output: Output) -> Result<Exit, Failure> {
    let (events, received) = sync_channel(16);
    let stop = events.clone();
    ctrlc::set_handler(move || {
        // A full queue or a gone receiver: the server is ending or busy; its input ends it later.
        let _ = stop.try_send(Event::End);
    })
    .map_err(|error| signals(&error))?;
    let mut hypervisor = Hypervisor::new(&arguments.directory).map_err(|e| explain(&e))?;
    hypervisor.look_for_qemu(arguments.qemu.search());
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
        let answer = Order::parse(&line).and_then(|order| {
            if order.needs_qemu() {
                find_qemu(hypervisor, output)?;
            }
            order.carry_out(hypervisor)
        });
        let answer = answer.unwrap_or_else(|failure| json!({ "error": error_json(&failure) }));
        output.line(&answer)?;
    }
    Ok(())
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
        ProcessError::Machine(error) => return explain_machine(error),
        ProcessError::Qemu(error) => return explain_search(error),
        ProcessError::NotAMachine { .. } => (
            Fault::Caller,
            "not-a-machine",
            "start it with \"image\" in place of \"init\"",
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

/// A failure to start a machine, for people.
fn explain_machine(error: &MachineError) -> Failure {
    let (fault, code, remedy) = match error {
        MachineError::Bounds { .. } => (
            Fault::Caller,
            "machine-bounds",
            "quorate emulate --help shows what a machine can have",
        ),
        MachineError::EndedEarly { .. } => (
            Fault::Enclave,
            "enclave-ended",
            "read its console and mend what it names",
        ),
        MachineError::Silent { .. } => (
            Fault::Enclave,
            "enclave-silent",
            "read its console; is it an image of Quorate? Another needs --no-wait",
        ),
        MachineError::Image(error) => return explain_image(error),
        _ => (
            Fault::Machine,
            "emulator-failed",
            "check the clock and the limits of this machine",
        ),
    };
    Failure::refused(fault, code, error.to_string(), remedy)
}

/// A failure to use an image, for people.
fn explain_image(error: &ImageError) -> Failure {
    let (fault, code, remedy) = match error {
        ImageError::File { .. } => (
            Fault::Caller,
            "file-unusable",
            "name a file or folder this user may use",
        ),
        ImageError::Architecture { .. } => (
            Fault::Caller,
            "image-architecture",
            "name an image for x86-64",
        ),
        _ => (
            Fault::Sender,
            "image-malformed",
            "quorate image inspect says more about the file",
        ),
    };
    Failure::refused(fault, code, error.to_string(), remedy)
}

/// A failure to find QEMU, for people.
fn explain_search(error: &FindError) -> Failure {
    match error {
        FindError::Packages { why, .. } => crate::image::explain(why),
        _ => Failure::refused(
            Fault::Machine,
            "no-qemu",
            error.to_string(),
            "install QEMU 10.2 or later, or name one with --qemu",
        ),
    }
}

/// Looks for QEMU, once, and says what takes long.
fn find_qemu(hypervisor: &mut Hypervisor, output: Output) -> Result<(), Failure> {
    let lines = Lines::new(output);
    let found = hypervisor.find_qemu(&lines);
    lines.clear();
    found.map_err(|error| explain(&error))
}
