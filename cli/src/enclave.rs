//! `quorate enclave`: enclaves on a Nitro parent instance.
//!
//! `run` is the enclave's supervisor: it starts it, says so once, and stays until it ends. It is
//! meant to be a service (docs/deploy-nitro.md); there is no daemon beside it.
//!
//! Guarantees: those of `quorate-launcher`. What is printed of an enclave is what was started, not
//! what runs: who wants to know that asks the enclave for an attestation.

use std::fmt::Write as _;
use std::io::stdout;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use nix::errno::Errno;
use quorate_launcher::console;
use quorate_launcher::device::{Cid, HYPERVISOR_CID, Mode};
use quorate_launcher::error::{Blame, LaunchError};
use quorate_launcher::image::{self, Image};
use quorate_launcher::launch::Wish;
use quorate_launcher::machine::{Cpus, Machine};
use quorate_launcher::notify;
use quorate_launcher::seat::{self, Facts, Order, Seat, State};
use quorate_launcher::supervise::{self, Signals};
use quorate_launcher::sys::NitroEnclaves;
use quorate_protocol::atoms::Name;
use quorate_protocol::ports;
use quorate_quorum_ceremony::address::Address;
use serde_json::{Value, json};

use crate::failure::{Exit, Failure, Fault};
use crate::image::expected::Expected;
use crate::output::{Output, Render, Style, clean};

/// Processors of one enclave, at most.
const MAX_CPUS: usize = 256;
/// How long the console may take to be there.
const CONSOLE: Duration = Duration::from_secs(10);

/// An enclave of this Nitro parent instance.
#[derive(Debug, Subcommand)]
pub(crate) enum Enclave {
    /// Start an enclave and watch over it until it ends
    Run(RunArguments),
    /// Show the enclaves that run
    Describe(DescribeArguments),
    /// Show the console of an enclave in debug mode
    Console(NamedArguments),
    /// End an enclave
    Terminate(NamedArguments),
}

/// Start an enclave.
#[derive(Debug, Args)]
#[command(after_help = "\
The image is read to its end and measured before anything is asked of the kernel, and measured again
as it is loaded. With --expect it must be the image that was approved. The command stays: when it
ends, by Ctrl-C or SIGTERM too, so does the enclave. Under systemd (Type=notify) it reports ready
once the enclave gave its sign of life.

Examples:
  quorate image measure quorate.eif --json >approved.json
  quorate enclave run quorate.eif --name signer --cpus 2 --memory 512 --expect approved.json
  quorate enclave run quorate.eif --expect ceremony/manifests/0001/manifest.cbor
  quorate ceremony attest --socket vsock:16:5000 …

Exit codes: 0 ended as asked, 1 refused, failed or ended by itself, 2 the command is unusable.")]
pub(crate) struct RunArguments {
    /// The image (.eif)
    pub(crate) image: PathBuf,

    /// What the enclave is called here
    #[arg(long, value_name = "NAME", default_value = "enclave", value_parser = name)]
    pub(crate) name: Name,

    /// Memory in MiB [default: four times the image, 64 at least]
    #[arg(long, value_name = "MIB", value_parser = memory)]
    pub(crate) memory: Option<u64>,

    /// Processors, whole cores of the pool
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) cpus: u32,

    /// These processors of the pool, in place of --cpus
    #[arg(long, value_name = "N,N…", value_delimiter = ',', conflicts_with = "cpus", num_args = 1.., value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cpu_ids: Vec<u32>,

    /// The enclave's vsock address [default: the hypervisor chooses]
    #[arg(long, value_name = "CID", value_parser = cid)]
    pub(crate) cid: Option<Cid>,

    /// What names the measurements the image must have: a manifest (manifest.cbor), or what `quorate
    /// image measure` or `quorate image build` prints with --json
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,

    /// Give it a console that this instance can read. Its PCR0 to 2 are then zero and nobody gives
    /// it a share: to look, never to trust
    #[arg(long)]
    pub(crate) debug: bool,

    #[command(flatten)]
    pub(crate) folder: Folder,
}

/// Show enclaves.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows what the supervisors of this user say: name, address, memory, processors, and what was measured
of the image. It is this instance's word; who wants to know what runs asks for an attestation.

Example:
  quorate enclave describe --json")]
pub(crate) struct DescribeArguments {
    /// Only this one
    #[arg(value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<Name>,

    #[command(flatten)]
    pub(crate) folder: Folder,
}

/// One enclave.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  quorate enclave terminate signer")]
pub(crate) struct NamedArguments {
    /// Which
    #[arg(value_name = "NAME", default_value = "enclave", value_parser = name)]
    pub(crate) name: Name,

    #[command(flatten)]
    pub(crate) folder: Folder,
}

/// Where supervisors are found.
#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// Where supervisors are found by name; its owner's alone [default: quorate/enclaves in
    /// $XDG_RUNTIME_DIR, for root in /run]
    #[arg(long, value_name = "DIR", env = "QUORATE_ENCLAVES")]
    pub(crate) state_dir: Option<PathBuf>,
}

impl Folder {
    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(folder) = &self.state_dir {
            return Ok(folder.clone());
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = if nix::unistd::geteuid().is_root() {
            Some(PathBuf::from("/run"))
        } else {
            runtime.filter(|folder| folder.is_absolute())
        };
        runtime
            .map(|folder| folder.join("quorate/enclaves"))
            .ok_or_else(|| {
                Failure::usage(
                    "no-state-folder",
                    "XDG_RUNTIME_DIR names no folder",
                    "name one with --state-dir",
                )
            })
    }
}

fn name(text: &str) -> Result<Name, quorate_protocol::invalid::Invalid> {
    Name::new(text)
}

fn cid(text: &str) -> Result<Cid, &'static str> {
    let number = text.parse().map_err(|_| "a CID is a number")?;
    Cid::new(number).map_err(|_| "0 to 3 and 4294967295 are reserved")
}

/// Bytes.
fn memory(text: &str) -> Result<u64, &'static str> {
    let mebibytes: u64 = text.parse().map_err(|_| "give a number of MiB")?;
    mebibytes
        .checked_mul(1 << 20)
        .ok_or("no machine has that much")
}

/// Runs one subcommand.
pub(crate) fn run(enclave: &Enclave, output: Output) -> Result<Exit, Failure> {
    match enclave {
        Enclave::Run(arguments) => start(arguments, output),
        Enclave::Describe(arguments) => describe(arguments, output),
        Enclave::Console(arguments) => follow(arguments),
        Enclave::Terminate(arguments) => {
            let folder = arguments.folder.path()?;
            let facts = seat::ask(&folder, &arguments.name, Order::Terminate)?;
            output.print(&Enclaves(vec![facts]))?;
            Ok(Exit::Success)
        }
    }
}

fn start(arguments: &RunArguments, output: Output) -> Result<Exit, Failure> {
    // Before anything has a thread.
    let signals = Signals::take()?;
    let expected = arguments
        .expect
        .as_deref()
        .map(Expected::read_any)
        .transpose()?;
    let image = Image::open(&arguments.image, |_, _| {})?;
    if let Some(expected) = expected {
        image.expect(&image::Expected {
            pcr0: expected.pcr0,
            pcr1: expected.pcr1,
            pcr2: expected.pcr2,
            pcr8: expected.pcr8,
        })?;
    }
    if arguments.cpu_ids.len() > MAX_CPUS {
        return Err(Failure::usage(
            "too-many-cpus",
            format!("{} processors are named", arguments.cpu_ids.len()),
            "name 256 at most",
        ));
    }
    let wish = Wish {
        mode: if arguments.debug {
            Mode::Debug
        } else {
            Mode::Production
        },
        cid: arguments.cid,
        memory: arguments.memory,
        cpus: if arguments.cpu_ids.is_empty() {
            Cpus::Count(arguments.cpus)
        } else {
            Cpus::These(arguments.cpu_ids.clone())
        },
    };
    wish.memory_for(&image)?;
    output.note(&format!(
        "{}: PCR0 {}",
        clean(&arguments.image.display().to_string()),
        image.measurements().pcr0
    ));
    let seat = Seat::take(&arguments.folder.path()?, &arguments.name)?;
    let mut device = NitroEnclaves::default();
    let machine = Machine::default();
    let manager = std::env::var_os("NOTIFY_SOCKET");
    let mut told = Ok(());
    let outcome = supervise::run(
        &mut device,
        &machine,
        image,
        &wish,
        &seat,
        &signals,
        |facts| {
            told = output.print(&Enclaves(vec![facts.clone()]));
            let status = format!("enclave {} runs as CID {}", facts.name, facts.cid);
            let kind = match (&told, notify::ready(manager.as_deref(), &status)) {
                (Ok(()), Ok(())) => return Ok(()),
                (Err(_), _) => std::io::ErrorKind::BrokenPipe,
                (_, Err(error)) => error.kind(),
            };
            Err(LaunchError::Output { kind })
        },
    );
    told?;
    let ended = outcome?;
    output.note(&format!("enclave {} has ended", ended.name));
    Ok(Exit::Success)
}

fn describe(arguments: &DescribeArguments, output: Output) -> Result<Exit, Failure> {
    let folder = arguments.folder.path()?;
    let facts = match &arguments.name {
        Some(name) => vec![seat::ask(&folder, name, Order::Describe)?],
        None => {
            let mut all = Vec::new();
            for name in seat::names(&folder)? {
                match seat::ask(&folder, &name, Order::Describe) {
                    Ok(facts) => all.push(facts),
                    // Its supervisor died, or ended meanwhile.
                    Err(LaunchError::NotRunning { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            all
        }
    };
    output.print(&Enclaves(facts))?;
    Ok(Exit::Success)
}

fn follow(arguments: &NamedArguments) -> Result<Exit, Failure> {
    let folder = arguments.folder.path()?;
    let facts = seat::ask(&folder, &arguments.name, Order::Describe)?;
    if !facts.debug {
        return Err(LaunchError::NoConsole { name: facts.name }.into());
    }
    let cid = Cid::new(facts.cid.into()).map_err(|_| LaunchError::Supervisor {
        name: facts.name,
        why: "it names a reserved CID".into(),
    })?;
    let address = Address::Vsock {
        cid: HYPERVISOR_CID,
        port: console::port(cid),
    };
    let shown = address.to_string();
    let stream = address
        .connect(CONSOLE)
        .map_err(|errno: Errno| LaunchError::Console {
            address: shown.clone(),
            kind: std::io::Error::from(errno).kind(),
        })?;
    console::follow(&shown, stream, stdout().lock())?;
    Ok(Exit::Success)
}

/// Enclaves to be shown.
struct Enclaves(Vec<Facts>);

const fn word(state: State) -> &'static str {
    match state {
        State::Starting => "starting",
        State::Running => "running",
        State::Ended => "ended",
    }
}

impl Render for Enclaves {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        if self.0.is_empty() {
            text.push_str("no enclave runs\n");
        }
        for facts in &self.0 {
            let _ = writeln!(
                text,
                "{} {}, CID {}, {} MiB, processors {:?}, supervisor {}",
                style.bold(&clean(&facts.name)),
                word(facts.state),
                facts.cid,
                facts.memory >> 20,
                facts.cpus,
                facts.supervisor
            );
            if facts.debug {
                let note = "debug mode: this instance can read it; its registers are zero";
                let _ = writeln!(text, "  {}", style.red(note));
            }
            let mut line = |name: &str, value: &str| {
                let _ = writeln!(text, "  {} {}", style.dim(name), clean(value));
            };
            line("image    ", &facts.image);
            line("PCR0     ", &facts.pcr0);
            line("PCR1     ", &facts.pcr1);
            line("PCR2     ", &facts.pcr2);
            if let Some(pcr8) = &facts.pcr8 {
                line("PCR8     ", pcr8);
            }
            line("operators", &operators(facts));
        }
        text
    }

    fn json(&self) -> Value {
        let enclave = |facts: &Facts| {
            json!({
                "name": facts.name,
                "state": word(facts.state),
                "cid": facts.cid,
                "operators": operators(facts),
                "debug": facts.debug,
                "memory": facts.memory,
                "cpus": facts.cpus,
                "image": facts.image,
                "pcr0": facts.pcr0,
                "pcr1": facts.pcr1,
                "pcr2": facts.pcr2,
                "pcr8": facts.pcr8,
                "supervisor": facts.supervisor,
                "since": facts.since,
            })
        };
        json!({ "ok": true, "enclaves": self.0.iter().map(enclave).collect::<Vec<_>>() })
    }
}

/// Where operators reach it.
fn operators(facts: &Facts) -> String {
    Address::Vsock {
        cid: facts.cid,
        port: ports::OPERATOR,
    }
    .to_string()
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        let explanation = error.explain();
        let what = error.to_string();
        let fault = match explanation.blame {
            Blame::You => return Self::usage(explanation.code, what, explanation.remedy),
            Blame::Sender => Fault::Sender,
            Blame::Machine => Fault::Machine,
            Blame::Enclave => Fault::Enclave,
            Blame::Quorate => Fault::Quorate,
        };
        Self::refused(fault, explanation.code, what, explanation.remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_addresses_that_are_none_fail_closed() {
        assert_eq!(memory("512"), Ok(512 << 20));
        for text in ["", "-1", "512M", "1e3", "18446744073709551615"] {
            assert!(memory(text).is_err(), "{text}");
        }
        assert_eq!(cid("16").map(Cid::number), Ok(16));
        for text in ["", "3", "-1", "x", "4294967295", "4294967312"] {
            assert!(cid(text).is_err(), "{text}");
        }
    }
}
