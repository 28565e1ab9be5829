//! Keeps keys out of core dumps and away from debuggers.
//!
//! Guarantees: after [`protect`], the kernel writes no core dump of this process, and processes of
//! the same user can neither trace it nor read its memory through `/proc`. The root user still
//! can. A file that may not grow any more is an error where it is written, and not the end of the
//! process in the middle of something.
//!
//! Does not: lock memory. A swap device is the owner's to encrypt.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use thiserror::Error;

use crate::error::{Blame, Explanation};

/// The process could not be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system does not let this process protect its memory (error {errno})")]
pub struct HardeningError {
    /// The system's error number.
    pub errno: i32,
}

impl HardeningError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        Explanation::new(
            "not-protected",
            Blame::Machine,
            "allow prctl(PR_SET_DUMPABLE) and setrlimit(RLIMIT_CORE) where this command runs",
        )
    }
}

/// Protects this process. Called before a key or passphrase is read.
///
/// # Errors
/// [`HardeningError`]; then no key should be used.
pub fn protect() -> Result<(), HardeningError> {
    let mut too_large = SigSet::empty();
    too_large.add(Signal::SIGXFSZ);
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .and_then(|()| set_dumpable(false))
        .and_then(|()| too_large.thread_block())
        .map_err(|errno| HardeningError {
            errno: errno as i32,
        })
}

#[cfg(test)]
mod tests {
    use nix::sys::prctl::get_dumpable;
    use nix::sys::resource::{Resource, getrlimit};

    #[test]
    fn protected_process_leaves_no_core() {
        super::protect().expect("a process may protect itself");
        assert_eq!(get_dumpable(), Ok(false));
        assert_eq!(getrlimit(Resource::RLIMIT_CORE), Ok((0, 0)));
    }
}
