//! init in an emulated enclave: the same library as in production, on a socket NSM and Unix sockets.
//!
//! Started by the emulator with the NSM's socket as standard input and the enclave's directory as
//! argument, and behind it the bytes of memory it has for binaries if that is less than there is. It listens there on `operator.sock`, `public.sock` and `port-N.sock`, and connects to
//! `parent-N.sock` for port N of the parent.
//!
//! It ends when the emulator does, however that ends: without its hypervisor there is no enclave.
//!
//! This program is not part of any image. The production binary is `quorate-init`; a test compares
//! the two and demands that [`MARKER`] is only in this one.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::unistd::getppid;
use quorate_emulator::MARKER;
use quorate_emulator::server::SocketNsm;
use quorate_init::nsm::TransportError;
use quorate_init::{Confinement, Halt, Platform, available_memory, run};
use quorate_protocol::ports;

struct Emulated {
    directory: PathBuf,
    /// As much as it has for binaries; none for as much as this machine has.
    memory: Option<u64>,
}

impl Platform for Emulated {
    type Nsm = SocketNsm;

    fn nsm(&mut self) -> Result<SocketNsm, TransportError> {
        let open = |errno| TransportError::Open { errno };
        let fd = std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| open(errno(&e)))?;
        SocketNsm::from_fd(fd).map_err(|_| open(Errno::ENOTSOCK))
    }

    fn confine(&mut self, _: &[u8; 64]) -> Result<Confinement, Halt> {
        Ok(Confinement::as_user())
    }

    fn listen(&mut self, port: u32) -> Result<OwnedFd, Errno> {
        let name = match port {
            ports::OPERATOR => "operator.sock".to_owned(),
            ports::PUBLIC => "public.sock".to_owned(),
            port => format!("port-{port}.sock"),
        };
        let path = self.directory.join(name);
        let listener = UnixListener::bind(&path).map_err(|e| errno(&e))?;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, mode).map_err(|e| errno(&e))?;
        Ok(listener.into())
    }

    fn available_memory(&mut self, held: u64) -> Option<u64> {
        let real = available_memory()?;
        Some(match self.memory {
            Some(memory) => memory.saturating_sub(held).min(real),
            None => real,
        })
    }

    fn dial(&mut self, port: u32) -> Result<OwnedFd, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        let path = self.directory.join(format!("parent-{port}.sock"));
        connect(fd.as_raw_fd(), &UnixAddr::new(&path)?)?;
        Ok(fd)
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
}

/// Asks for SIGTERM, which halts in order, when the emulator's thread that started this one ends.
fn end_with_parent() -> Result<(), Errno> {
    let parent = getppid();
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    // It may have ended before it could be asked for: then another process is the parent now.
    if getppid() == parent {
        Ok(())
    } else {
        Err(Errno::ESRCH)
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    let memory = arguments.next().map(|text| text.to_str()?.parse().ok());
    let (Some(directory), None | Some(Some(_)), None) = (first, memory, arguments.next()) else {
        eprintln!("usage: quorate-init-emulated DIRECTORY [MEMORY], its NSM as standard input");
        eprintln!("It is started by `quorate emulate serve`, see `quorate emulate --help`.");
        return ExitCode::from(2);
    };
    if let Err(errno) = end_with_parent() {
        eprintln!("quorate-init: cannot be tied to the emulator: {errno}");
        return ExitCode::FAILURE;
    }
    eprintln!("quorate-init: {MARKER}");
    let halt = run(Emulated {
        directory: directory.into(),
        memory: memory.flatten(),
    });
    if halt.is_orderly() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
