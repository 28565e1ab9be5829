//! A child process that is watched, asked to end, and collected: an emulated init, or QEMU.
//!
//! Guarantees: it stays a zombie until it is collected, so that neither its process id nor its
//! group's can have become another's. Every wait has a limit.
//!
//! Does not: end one that does not heed. Whoever started it knows what else ends with it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::process::Ended;

/// Between two looks.
const POLL: Duration = Duration::from_millis(1);

/// Its process id.
pub(crate) fn pid(child: &Child) -> Pid {
    // The kernel's process ids are positive 32-bit integers.
    Pid::from_raw(child.id().cast_signed())
}

/// Whether and how it has ended.
pub(crate) fn ended(child: &Child) -> Option<Ended> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    match waitid(Id::Pid(pid(child)), flags) {
        Ok(WaitStatus::Exited(_, code)) => Some(Ended::Exited(code)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ended::Killed(signal as i32)),
        _ => None,
    }
}

/// Asks it to end, and waits for that for so long.
pub(crate) fn ask_to_end(child: &Child, limit: Duration) {
    let _ = kill(pid(child), Signal::SIGTERM);
    let started = Instant::now();
    while ended(child).is_none() && started.elapsed() < limit {
        thread::sleep(POLL);
    }
}

/// Waits for one that was ended, and says how it did; `before` is what was seen of it earlier.
pub(crate) fn collect(child: &mut Child, before: Option<Ended>) -> Ended {
    let status = child.wait().ok();
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => Ended::Exited(code),
        Some((None, Some(signal))) => Ended::Killed(signal),
        _ => before.unwrap_or(Ended::Killed(Signal::SIGKILL as i32)),
    }
}
