//! What `quorate emulate` and `quorate console` take.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use quorate_emulator::fault::FORMS;
use quorate_emulator::machine::qemu::Search;

/// What stands below the options; every fault as the emulator writes it.
fn after_help() -> String {
    let mut help = String::from(BEFORE_FAULTS);
    for line in FORMS.lines() {
        help.push_str("  ");
        help.push_str(line);
        help.push('\n');
    }
    help.push_str(AFTER_FAULTS);
    help
}

const BEFORE_FAULTS: &str = "\
The image runs as it is, in QEMU, with a security module and a vsock of this process: what it
attests is signed in AWS's format under a development root made on the spot, which nobody trusts who
was not told to. It runs until Ctrl-C, or until it ends itself. DIR gets:

  development-root.pem   what to give to --root
  machine/operator.sock  a connection is one to port 5000 of the guest; public.sock to 5001
  machine/port-N.sock    one to port N, for each --port N
  machine/vsock.sock     one to the port its first line names, CONNECT N
  machine/parent-N.sock  listen here to be port N of CID 3, the parent, for the guest
  machine/console.log    what the guest prints; quorate console DIR/machine follows it

Faults, for tests of what runs in the machine:
";

const AFTER_FAULTS: &str = "
Examples:
  quorate emulate target/image/quorate.eif
  quorate emulate target/image/quorate.eif --directory /tmp/nitro --debug --console
  quorate emulate target/image/quorate.eif --memory 128 --fault nsm-error=Attestation --no-wait

Exit codes: 0 it ran and was stopped, 1 it could not run or ended by itself, 2 the command is
unusable.";

/// Run enclaves on this machine.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    after_help = after_help()
)]
pub(crate) struct Emulate {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) machine: Machine,
}

/// What else can be emulated.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve emulated enclaves: orders as JSON lines on standard input, answers on standard output
    Serve(Serve),
    /// Print the measurements an emulated enclave has when it runs this init
    Measure(Measure),
}

/// A machine.
#[derive(Debug, Args)]
pub(super) struct Machine {
    /// The enclave image
    #[arg(value_name = "IMAGE.eif", required = true)]
    pub(super) image: Option<PathBuf>,

    /// How the machine is addressed, 4 or more [default: 16]
    #[arg(long, value_name = "N")]
    pub(super) cid: Option<u32>,

    /// Its memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub(super) memory: u32,

    /// Its processors
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(super) cpus: u32,

    /// The ARN of the parent instance's role (PCR3)
    #[arg(long, value_name = "ARN")]
    pub(super) role_arn: Option<String>,

    /// Debug mode: PCR0 to 2 are zero
    #[arg(long)]
    pub(super) debug: bool,

    /// Show what the guest prints
    #[arg(long, conflicts_with = "json")]
    pub(super) console: bool,

    /// A port of the guest that gets a socket port-N.sock
    #[arg(long, value_name = "N")]
    pub(super) port: Vec<u32>,

    /// Something that goes wrong, as above; may be given more than once
    #[arg(long, value_name = "FAULT")]
    pub(super) fault: Vec<String>,

    /// Do not wait until the image listens
    #[arg(long)]
    pub(super) no_wait: bool,

    /// Where the machine gets its folder; made if missing [default: a new one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,

    #[command(flatten)]
    pub(super) qemu: Qemu,
}

/// Which QEMU.
#[derive(Debug, Args)]
pub(super) struct Qemu {
    /// The QEMU to use, 10.2 or later: a program, or a folder with one unpacked [default: the one in
    /// PATH, else Debian's locked packages, fetched once and kept in the user's cache]
    #[arg(long, value_name = "PATH")]
    pub(super) qemu: Option<PathBuf>,
}

impl Qemu {
    pub(super) fn search(&self) -> Search {
        self.qemu.clone().map_or(Search::Anywhere, Search::Given)
    }
}

/// Serve emulated enclaves.
#[derive(Debug, Args)]
#[command(after_help = "\
The development root is made when this starts and dies with it; only its certificate is written,
as DIR/development-root.pem. Each order is one line, each answer is one line, in order:

  {\"measure\":{\"init\":\"PATH\"}} or {\"measure\":{\"image\":\"PATH\"}}
      {\"measured\":{\"pcr0\":HEX,\"pcr1\":HEX,\"pcr2\":HEX}}
  {\"start\":{\"name\":\"genesis\",\"init\":\"PATH\",\"role_arn\":null,\"debug\":false}}
      {\"started\":{\"name\",\"pid\",\"module\",\"directory\",\"operator\",\"public\",\"console\"}}
  {\"start\":{\"name\":\"genesis\",\"image\":\"PATH\"}}
      a machine; answered the same. Besides role_arn and debug: cid, memory_mib (256), cpus (2),
      ports ([N, ...]), wait (true)
      Either takes faults ([\"nsm-delay=20\", ...]) as `quorate emulate --help` lists them; a process
      those of an NSM that is there
  {\"port\":{\"name\":\"genesis\",\"port\":6000}}
      {\"opened\":{\"name\",\"port\",\"socket\"}}, for a machine that runs
  {\"stop\":{\"name\":\"genesis\"}}
      {\"stopped\":{\"name\",\"ended_before\",\"code\",\"signal\"}}
  {\"kill\":{\"name\":\"genesis\"}}
      the same, but a machine ends as by a power failure

An order that cannot be carried out is answered {\"error\":{\"code\",\"message\",\"fault\",\"remedy\"}}.
At the end of input, on SIGTERM and on Ctrl-C every enclave is stopped.

Example:
  quorate emulate serve --directory /tmp/nitro")]
pub(super) struct Serve {
    /// Where each enclave gets a folder with its sockets and its console; made if missing
    #[arg(long, value_name = "DIR")]
    pub(super) directory: PathBuf,

    #[command(flatten)]
    pub(super) qemu: Qemu,
}

/// Print the measurements of an init.
#[derive(Debug, Args)]
#[command(after_help = "\
Those of an image are told by `quorate image measure`.

Example:
  quorate emulate measure target/x86_64-unknown-linux-musl/release/quorate-init-emulated --json")]
pub(super) struct Measure {
    /// The init binary
    pub(super) init: PathBuf,
}

/// Follow a console.
#[derive(Debug, Args)]
#[command(after_help = "\
Control characters are shown as escapes: what a guest prints cannot write to your terminal as it
likes. It ends when the enclave does, or on Ctrl-C.

Example:
  quorate console /tmp/nitro/machine")]
pub(crate) struct Console {
    /// The enclave's folder, or the file console.log in it
    pub(super) enclave: PathBuf,
}
