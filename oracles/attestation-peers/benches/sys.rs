//! A clock that stands still, for a peer that asks the system for the time and has no other way.
//!
//! The only file here with unsafe code.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicI64, Ordering};

/// What the realtime clock says, in seconds since 1970; 0 for the truth.
static NOW: AtomicI64 = AtomicI64::new(0);

/// Lets the realtime clock of this process stand at a moment.
pub(crate) fn stand_at(unix: i64) {
    NOW.store(unix, Ordering::SeqCst);
}

/// Takes the place of the C library's function of this name in this program.
#[unsafe(no_mangle)]
extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    // SAFETY: the caller passes what it would pass to the C library: a valid pointer. The system
    // call has the same contract.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    let now = NOW.load(Ordering::SeqCst);
    if clock == libc::CLOCK_REALTIME && result == 0 && now != 0 {
        // SAFETY: the call above succeeded, so the pointer is valid, and it is written through by
        // nobody else before this function returns.
        unsafe { (*time).tv_sec = now };
    }
    libc::c_int::try_from(result).unwrap_or(-1)
}
