//! `quorate emulate IMAGE.eif`: one machine, for a person.
//!
//! Guarantees: the machine runs as long as this command does and not longer; a machine that ends by
//! itself ends the command, with the last of what it printed.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use quorate_emulator::device::Mode;
use quorate_emulator::machine::fault::Faults;
use quorate_emulator::machine::run::{Setup, Until};
use quorate_emulator::process::{Ended, Hypervisor, Started};
use quorate_protocol::atoms::Name;
use serde_json::{Value, json};

use super::arguments::Machine;
use super::console::{Line, follow};
use super::{explain, find_qemu, signals};
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Output, Render, Style, clean};
use crate::stage::folder::Workshop;

/// How often it is looked whether the machine still runs.
const AGAIN: Duration = Duration::from_millis(100);

/// The name of the one machine.
const NAME: &str = "machine";

/// How many lines of the console are shown of a machine that ended.
const TAIL: usize = 20;

/// Runs a machine until it is stopped or ends.
pub(super) fn run(arguments: &Machine, output: Output) -> Result<Exit, Failure> {
    let (stop, stopped) = sync_channel(1);
    ctrlc::set_handler(move || {
        // One that was not heard yet is as good as two.
        let _ = stop.try_send(());
    })
    .map_err(|error| signals(&error))?;
    let setup = setup(arguments)?;
    let own = match arguments.directory {
        Some(_) => None,
        None => Some(Workshop::new()?),
    };
    let named = arguments.directory.clone();
    let directory = own.as_ref().map(|own| own.join("nitro")).or(named);
    let directory = directory.unwrap_or_default();
    let mut hypervisor = Hypervisor::new(&directory).map_err(|error| explain(&error))?;
    hypervisor.look_for_qemu(arguments.qemu.search());
    find_qemu(&mut hypervisor, output)?;
    let name = Name::new(NAME).map_err(|error| {
        Failure::refused(Fault::Quorate, "name", error.to_string(), "report it")
    })?;
    let started = hypervisor.start_machine(&name, &setup);
    let started = started.map_err(|error| {
        let failure = explain(&error);
        let console = directory.join(NAME).join("console.log");
        for line in files::tail(&console, TAIL) {
            output.note(&clean(&line));
        }
        failure
    })?;
    output.print(&Running {
        root: &hypervisor.root_path(),
        started: &started,
    })?;
    if arguments.console {
        let console = started.console.clone();
        // It ends with the machine, or with this process.
        let show = move || follow(&console, &mut |line| output.print(&Line(line)));
        let _ = thread::Builder::new().name("console".into()).spawn(show);
    }
    loop {
        match stopped.recv_timeout(AGAIN) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let ended = hypervisor.ended(&name).map_err(|error| explain(&error))?;
                if let Some(ended) = ended {
                    return Err(ended_by_itself(ended, &started, output));
                }
            }
        }
    }
    hypervisor.stop(&name).map_err(|error| explain(&error))?;
    Ok(Exit::Success)
}

fn ended_by_itself(ended: Ended, started: &Started, output: Output) -> Failure {
    for line in files::tail(&started.console, TAIL) {
        output.note(&clean(&line));
    }
    Failure::refused(
        Fault::Enclave,
        "enclave-ended",
        format!("the machine {ended}"),
        "what it printed last stands above; --directory keeps all of it",
    )
}

fn setup(arguments: &Machine) -> Result<Setup, Failure> {
    let mut faults = Faults::default();
    for text in &arguments.fault {
        faults.add(text).map_err(|error| {
            let remedy = "quorate emulate --help shows every fault";
            Failure::usage("fault-unknown", error.to_string(), remedy)
        })?;
    }
    Ok(Setup {
        // clap demands one.
        image: arguments.image.clone().unwrap_or_default(),
        cid: arguments.cid,
        memory_mib: arguments.memory,
        cpus: arguments.cpus,
        role_arn: arguments.role_arn.clone(),
        mode: if arguments.debug {
            Mode::Debug
        } else {
            Mode::Normal
        },
        ports: arguments.port.clone(),
        faults,
        until: if arguments.no_wait {
            Until::Running
        } else {
            Until::Listening
        },
    })
}

/// A machine that runs.
struct Running<'a> {
    root: &'a Path,
    started: &'a Started,
}

impl Render for Running<'_> {
    fn text(&self, style: Style) -> String {
        let Started {
            module,
            operator,
            public,
            console,
            ..
        } = self.started;
        format!(
            "{} {module}\n  root      {}  {}\n  operator  {}\n  public    {}\n  console   {}\n",
            style.green("running"),
            self.root.display(),
            style.red("development: proves nothing about hardware"),
            operator.display(),
            public.display(),
            console.display(),
        )
    }

    fn json(&self) -> Value {
        json!({
            "root": self.root,
            "pid": self.started.pid,
            "module": self.started.module,
            "directory": self.started.directory,
            "operator": self.started.operator,
            "public": self.started.public,
            "console": self.started.console,
        })
    }
}
