//! The first process of a Nitro enclave.
//!
//! It knows `/dev/nsm` and AF_VSOCK and nothing else. It takes no arguments, reads no environment
//! and no file but the device.

#![forbid(unsafe_code)]

mod pid1;

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc;
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, VsockAddr, bind, connect, listen, socket,
};
use quorate_init::nsm::{DevNsm, TransportError};
use quorate_init::{Platform, available_memory, run};

struct Nitro;

impl Platform for Nitro {
    type Nsm = DevNsm;

    fn nsm(&mut self) -> Result<DevNsm, TransportError> {
        DevNsm::open()
    }

    fn listen(&mut self, port: u32) -> Result<OwnedFd, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
        use std::os::fd::AsRawFd as _;
        bind(fd.as_raw_fd(), &VsockAddr::new(libc::VMADDR_CID_ANY, port))?;
        listen(&fd, Backlog::new(128)?)?;
        Ok(fd)
    }

    fn available_memory(&mut self, _held: u64) -> Option<u64> {
        available_memory()
    }

    fn dial(&mut self, port: u32) -> Result<OwnedFd, Errno> {
        use std::os::fd::AsRawFd as _;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
        match connect(fd.as_raw_fd(), &VsockAddr::new(pid1::PARENT, port)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(fd),
            Err(errno) => Err(errno),
        }
    }
}

fn main() -> ExitCode {
    let first = std::process::id() == 1;
    if first {
        if let Err(pid1::Failed { step, errno }) = pid1::mount_all() {
            eprintln!("quorate-init: halting reason=\"{step} could not be prepared ({errno})\"");
            return power_off();
        }
        match pid1::heartbeat() {
            Ok(()) => eprintln!("quorate-init: heartbeat answered=yes"),
            Err(errno) => eprintln!("quorate-init: heartbeat answered=no error=\"{errno}\""),
        }
    }
    let halt = run(Nitro);
    if first {
        return power_off();
    }
    if halt.is_orderly() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Ends the machine. PID 1 must not return: the kernel would panic and hide the reason.
fn power_off() -> ExitCode {
    let _ = reboot(RebootMode::RB_AUTOBOOT);
    ExitCode::FAILURE
}
