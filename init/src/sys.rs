//! System calls that safe Rust cannot make: the only file of this package with `unsafe`.
//!
//! Each function here is safe to call with any argument. What makes it so stands beside each
//! `unsafe` block.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;

use crate::nsm::wire::REQUEST_MAX;
use crate::nsm::{Transport, TransportError};

/// Where the driver puts the device.
const NSM_DEVICE: &str = "/dev/nsm";

/// `struct nsm_raw` of `linux/nsm.h`: two buffers as address and length.
#[repr(C)]
struct NsmRaw {
    request_address: u64,
    request_len: u64,
    response_address: u64,
    response_len: u64,
}

mod ioctl {
    use super::NsmRaw;

    // NSM_IOCTL_RAW = _IOWR(0x0A, 0x0, struct nsm_raw)
    nix::ioctl_readwrite!(
        /// Sends one raw message to the NSM and waits for the answer.
        nsm_raw,
        0x0A,
        0x00,
        NsmRaw
    );
}

/// The NSM of this enclave, `/dev/nsm`.
#[derive(Debug)]
pub struct DevNsm {
    device: File,
}

impl DevNsm {
    /// Opens `/dev/nsm` for reading and writing; the descriptor is closed on exec.
    ///
    /// # Errors
    /// [`TransportError::Open`].
    pub fn open() -> Result<Self, TransportError> {
        Self::open_path(Path::new(NSM_DEVICE))
    }

    fn open_path(path: &Path) -> Result<Self, TransportError> {
        // The standard library opens with O_CLOEXEC.
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(device) => Ok(Self { device }),
            Err(error) => Err(TransportError::Open {
                errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
            }),
        }
    }
}

impl Transport for DevNsm {
    fn exchange(&mut self, request: &[u8], response: &mut [u8]) -> Result<usize, TransportError> {
        if request.len() > REQUEST_MAX {
            return Err(TransportError::RequestTooLong {
                len: request.len(),
                max: REQUEST_MAX,
            });
        }
        let max = response.len();
        let mut message = NsmRaw {
            request_address: request.as_ptr() as u64,
            request_len: request.len() as u64,
            response_address: response.as_mut_ptr() as u64,
            response_len: max as u64,
        };
        // SAFETY: the descriptor is open as long as `self` lives. `message` is a live, writable
        // `struct nsm_raw`. Its request part names `request`, which the driver only reads, and its
        // response part names `response`, which is borrowed mutably and of which the driver writes
        // at most `response_len` bytes; both outlive the call, and the driver keeps no address.
        // Another driver behind the descriptor would not know this command and answer ENOTTY.
        let outcome = unsafe { ioctl::nsm_raw(self.device.as_raw_fd(), &raw mut message) };
        match outcome {
            Ok(_) => {}
            Err(Errno::EMSGSIZE) => {
                return Err(TransportError::RequestTooLong {
                    len: request.len(),
                    max: REQUEST_MAX,
                });
            }
            Err(Errno::ETIMEDOUT) => return Err(TransportError::TimedOut),
            Err(errno) => return Err(TransportError::Exchange { errno }),
        }
        // The driver replaced the capacity by the number of bytes it wrote.
        match usize::try_from(message.response_len) {
            Ok(len) if len <= max => Ok(len),
            Ok(len) => Err(TransportError::ResponseTooLong { len, max }),
            Err(_) => Err(TransportError::ResponseTooLong {
                len: usize::MAX,
                max,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ioctl_number_is_that_of_the_driver() {
        assert_eq!(size_of::<NsmRaw>(), 32);
        assert_eq!(
            nix::request_code_readwrite!(0x0A, 0x00, size_of::<NsmRaw>()),
            0xC020_0A00
        );
    }

    #[test]
    fn missing_device_fails_closed() {
        let error = DevNsm::open_path(Path::new("/dev/no-such-nsm")).err();
        assert_eq!(
            error,
            Some(TransportError::Open {
                errno: Errno::ENOENT
            })
        );
    }

    #[test]
    fn another_device_fails_closed() -> Result<(), TransportError> {
        let mut device = DevNsm::open_path(Path::new("/dev/null"))?;
        let mut response = [0; 16];
        let outcome = device.exchange(b"\x69GetRandom", &mut response);
        assert_eq!(
            outcome,
            Err(TransportError::Exchange {
                errno: Errno::ENOTTY
            })
        );
        assert_eq!(response, [0; 16]);
        Ok(())
    }

    #[test]
    fn oversize_request_fails_closed() -> Result<(), TransportError> {
        let mut device = DevNsm::open_path(Path::new("/dev/null"))?;
        let outcome = device.exchange(&[0; REQUEST_MAX + 1], &mut []);
        let error = TransportError::RequestTooLong {
            len: REQUEST_MAX + 1,
            max: REQUEST_MAX,
        };
        assert_eq!(outcome, Err(error));
        Ok(())
    }
}
