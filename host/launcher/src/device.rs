//! The driver's interface as types: what an enclave is given before it starts, and in which order
//! that is possible.
//!
//! Guarantees: memory that was given cannot be touched any more by the giver; a CID that the driver
//! reserves cannot be named. The rules and numbers are those of `linux/nitro_enclaves.h` and of the
//! driver behind it.
//!
//! Does not: decide anything. [`crate::sys`] is the one implementation outside tests.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::errno::Errno;

use crate::error::{LaunchError, Refused};

/// What memory regions are a multiple of, and aligned to, in bytes.
pub const REGION: u64 = 2 << 20;
/// The least memory an enclave starts with, in bytes.
pub const MIN_MEMORY: u64 = 64 << 20;
/// The instance itself, as its enclaves address it.
pub const PARENT_CID: u32 = 3;
/// Where a started enclave gives its sign of life.
pub const HEARTBEAT_PORT: u32 = 9000;
/// The sign, which is sent back.
pub const HEARTBEAT: u8 = 0xb7;
/// The hypervisor, which has the consoles.
pub const HYPERVISOR_CID: u32 = 0;
/// The console of an enclave in debug mode is on the port CID + this.
pub const CONSOLE_PORTS: u32 = 10_000;

/// The vsock address of an enclave: 4 or more, and not the one that means any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cid(u32);

impl Cid {
    /// Checks and takes a CID.
    ///
    /// # Errors
    /// The number, where it is reserved: 0 to 2 are the hypervisor, the machine itself and the
    /// host, 3 is the instance, 2³² − 1 means any.
    pub fn new(number: u64) -> Result<Self, u64> {
        match u32::try_from(number) {
            Ok(cid) if cid > PARENT_CID && cid != u32::MAX => Ok(Self(cid)),
            _ => Err(number),
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Who may look into an enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody.
    Production,
    /// The instance: it has a console. PCR0 to 2 are zero.
    Debug,
}

/// The driver.
pub trait Device {
    /// A slot for an enclave.
    type Vm: Vm<Region = Self::Region>;
    /// Memory of one huge page.
    type Region: Region;
    /// Where enclaves give their sign of life.
    type Heartbeats: Heartbeats;

    /// Opens the device.
    ///
    /// # Errors
    /// [`LaunchError::NoDevice`], [`LaunchError::DeviceDenied`], [`LaunchError::Device`].
    fn open(&mut self) -> Result<(), LaunchError>;

    /// Makes a slot, `NE_CREATE_VM`.
    ///
    /// # Errors
    /// What the driver says.
    fn create(&mut self) -> Result<Self::Vm, Refused>;

    /// Takes one free huge page of `size` bytes.
    ///
    /// # Errors
    /// What the kernel says; `ENOMEM` when none is free.
    fn page(&mut self, size: u64) -> Result<Self::Region, Errno>;

    /// Listens for signs of life.
    ///
    /// # Errors
    /// What the kernel says; `EADDRINUSE` when somebody does already.
    fn heartbeats(&mut self) -> Result<Self::Heartbeats, Errno>;
}

/// Memory that will be an enclave's.
pub trait Region {
    /// All of it.
    fn bytes_mut(&mut self) -> &mut [u8];
}

/// An enclave that is not started yet, or runs. Dropping it ends the enclave.
///
/// It is ready for [`PollFlags::POLLHUP`](nix::poll::PollFlags::POLLHUP) when the enclave has ended.
pub trait Vm: AsFd {
    /// Memory.
    type Region;

    /// Gives a processor of the pool, `NE_ADD_VCPU`; a free one if none is named. Says which.
    ///
    /// # Errors
    /// What the driver says.
    fn add_cpu(&mut self, cpu: Option<u32>) -> Result<u32, Refused>;

    /// Where in the enclave's memory an image file goes, in bytes, `NE_GET_IMAGE_LOAD_INFO`.
    ///
    /// # Errors
    /// What the driver says.
    fn image_offset(&mut self) -> Result<u64, Refused>;

    /// Gives memory, `NE_SET_USER_MEMORY_REGION`. What is given first comes first in the enclave.
    ///
    /// # Errors
    /// What the driver says.
    fn give(&mut self, region: Self::Region) -> Result<(), Refused>;

    /// Starts the enclave, `NE_START_ENCLAVE`. Says under which CID.
    ///
    /// # Errors
    /// What the driver says.
    fn start(&mut self, mode: Mode, cid: Option<Cid>) -> Result<u64, Refused>;
}

/// Where enclaves give their sign of life.
pub trait Heartbeats: AsFd {
    /// Takes a connection that waits, and says whose CID it has.
    ///
    /// # Errors
    /// What the kernel says.
    fn accept(&self) -> Result<(UnixStream, u32), Errno>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_cid_fails_closed() {
        for number in [0, 1, 2, 3, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            assert_eq!(Cid::new(number), Err(number));
        }
        for number in [4, 16, u32::MAX - 1] {
            assert_eq!(Cid::new(number.into()).map(Cid::number), Ok(number));
        }
    }
}
