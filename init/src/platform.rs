//! What init stands on, so that the same code runs on Nitro and in an emulated enclave.

use std::os::fd::OwnedFd;

use nix::errno::Errno;

use crate::nsm::{Transport, TransportError};
use crate::refuse::Halt;
use crate::sandbox::Confinement;

/// A machine init can run on. The binary of this package brings `/dev/nsm` and vsock.
pub trait Platform {
    /// How to reach the NSM.
    type Nsm: Transport;

    /// Opens the NSM. Called once.
    ///
    /// # Errors
    /// [`TransportError`]; init halts.
    fn nsm(&mut self) -> Result<Self::Nsm, TransportError>;

    /// Confines this process and gives what it confines applications with. Called once, after
    /// [`nsm`](Self::nsm) and before the first key is made; `random` is from the NSM.
    ///
    /// # Errors
    /// [`Halt`].
    fn confine(&mut self, random: &[u8; 64]) -> Result<Confinement, Halt>;

    /// A stream socket that listens on `port`, close-on-exec.
    ///
    /// # Errors
    /// What the kernel said; init halts.
    fn listen(&mut self, port: u32) -> Result<OwnedFd, Errno>;

    /// A stream socket whose connection to `port` of the parent has begun: non-blocking,
    /// close-on-exec, connected or being connected. Called while the enclave serves, so it must not
    /// wait.
    ///
    /// # Errors
    /// What the kernel said; the application that wanted the connection is told that there is none.
    fn dial(&mut self, port: u32) -> Result<OwnedFd, Errno>;

    /// Bytes of memory that could be had now, of which init holds `held` in memory files already;
    /// `None` if that is not known, and then nothing large is taken.
    fn available_memory(&mut self, held: u64) -> Option<u64>;
}
