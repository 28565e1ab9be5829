//! Raw system calls, as a hostile application makes them: the only file of this package with
//! `unsafe`.
//!
//! Guarantees: what a call is given as an address is a buffer or text that lives, or a number too
//! small to be one. Does not: keep the kernel from doing what is asked; that is the point.
#![allow(unsafe_code)]

use std::ffi::CStr;

use nix::errno::Errno;
use nix::libc::{self, c_long};

/// An argument of a system call.
pub(crate) enum Argument<'a> {
    /// A number: flags, a descriptor, a length.
    Number(i64),
    /// A path or name.
    Text(&'a CStr),
    /// Memory that the call may read and write.
    Buffer(&'a mut [u8]),
}

impl From<i64> for Argument<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Argument<'_> {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl<'a> From<&'a CStr> for Argument<'a> {
    fn from(text: &'a CStr) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Argument<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Argument<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number.cast_signed())
    }
}

impl<'a, const N: usize> From<&'a mut [u8; N]> for Argument<'a> {
    fn from(buffer: &'a mut [u8; N]) -> Self {
        Self::Buffer(buffer)
    }
}

/// Makes a system call. A process that comes to be by it ends at once.
///
/// # Errors
/// What the kernel said.
pub(crate) fn call(number: c_long, arguments: &mut [Argument<'_>]) -> Result<i64, Errno> {
    let mut raw = [0; 6];
    for (raw, argument) in raw.iter_mut().zip(arguments) {
        *raw = match argument {
            Argument::Number(number) => *number,
            Argument::Text(text) => text.as_ptr() as i64,
            Argument::Buffer(buffer) => buffer.as_mut_ptr() as i64,
        };
    }
    let [a, b, c, d, e, f] = raw;
    // SAFETY: addresses are those of buffers that live and may be written, of zero-terminated
    // texts that the calls used here only read, or numbers below where this program is mapped.
    // No call of this program takes away memory that something else in it uses. A copy of the
    // process that comes to be goes no further than the next lines.
    let outcome = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    let forks = [libc::SYS_fork, libc::SYS_clone, libc::SYS_clone3];
    if outcome == 0 && forks.contains(&number) {
        // SAFETY: ends the copy; no destructor may run in it.
        unsafe { libc::_exit(0) }
    }
    Errno::result(outcome)
}
