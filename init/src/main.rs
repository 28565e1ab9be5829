//! The first process of a Nitro enclave.
//!
//! It knows `/dev/nsm` and AF_VSOCK and nothing else. It takes no arguments, reads no environment
//! and no file but the device and the kernel's own.

#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, VsockAddr, bind, connect, listen, socket,
};
use quorate_init::nsm::{DevNsm, TransportError};
use quorate_init::{Confinement, FirstProcess, Halt, PARENT, Platform, available_memory, end, run};

struct Nitro {
    /// Until it was used to confine this process.
    first: Option<FirstProcess>,
}

impl Platform for Nitro {
    type Nsm = DevNsm;

    fn nsm(&mut self) -> Result<DevNsm, TransportError> {
        DevNsm::open()
    }

    fn confine(&mut self, random: &[u8; 64]) -> Result<Confinement, Halt> {
        self.first.take().ok_or(Halt::NotFirst)?.confine(random)
    }

    fn listen(&mut self, port: u32) -> Result<OwnedFd, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
        bind(fd.as_raw_fd(), &VsockAddr::new(libc::VMADDR_CID_ANY, port))?;
        listen(&fd, Backlog::new(128)?)?;
        Ok(fd)
    }

    fn available_memory(&mut self, _held: u64) -> Option<u64> {
        available_memory()
    }

    fn dial(&mut self, port: u32) -> Result<OwnedFd, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
        match connect(fd.as_raw_fd(), &VsockAddr::new(PARENT, port)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(fd),
            Err(errno) => Err(errno),
        }
    }
}

fn main() -> ExitCode {
    match FirstProcess::begin() {
        Ok(first) => {
            first.heartbeat();
            run(Nitro { first: Some(first) });
        }
        // Without a machine of its own it gets as far as the missing device, or its sandbox.
        Err(Halt::NotFirst) => {
            run(Nitro { first: None });
            return ExitCode::FAILURE;
        }
        // It has said why.
        Err(_) => {}
    }
    // The first process must not return: the kernel would panic and hide the reason.
    end();
    ExitCode::FAILURE
}
