//! Time inside an enclave: the NSM's, carried forward by the machine's monotonic clock.
//!
//! Guarantees: never goes back. Trusts init, which reads the NSM; neither the kernel's wall clock
//! nor the host's is ever looked at. Once a minute, at most, the clock asks init for a new reading
//! while it is used, and goes on without waiting for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::time::{ClockId, clock_gettime};
use quorate_protocol::application::TimeAnchor;
use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::control::ToInit;

use crate::control::Control;

/// A reading older than this is renewed, in nanoseconds.
const RENEW_NS: u64 = 60_000_000_000;

/// The clock. Clones share it.
#[derive(Clone)]
pub struct Clock {
    state: Arc<ClockState>,
    control: Arc<Control>,
}

pub(crate) struct ClockState {
    anchor: Mutex<TimeAnchor>,
    /// Monotonic time of the newest request for a reading.
    asked_ns: AtomicU64,
    /// The latest time that was given.
    latest: AtomicU64,
}

impl ClockState {
    pub(crate) fn new(anchor: TimeAnchor) -> Self {
        Self {
            anchor: Mutex::new(anchor),
            asked_ns: AtomicU64::new(anchor.monotonic_ns),
            latest: AtomicU64::new(0),
        }
    }

    pub(crate) fn set(&self, anchor: TimeAnchor) {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = anchor;
    }

    fn at(&self, monotonic_ns: u64) -> UnixMillis {
        let anchor = *self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = monotonic_ns.saturating_sub(anchor.monotonic_ns) / 1_000_000;
        let now = anchor.time.0.saturating_add(passed);
        UnixMillis(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }

    /// Whether it is time to ask for a new reading; only one thread is told so.
    fn is_due(&self, monotonic_ns: u64) -> bool {
        let asked = self.asked_ns.load(Ordering::Relaxed);
        monotonic_ns.saturating_sub(asked) >= RENEW_NS
            && self
                .asked_ns
                .compare_exchange(asked, monotonic_ns, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl Clock {
    pub(crate) fn new(state: Arc<ClockState>, control: Arc<Control>) -> Self {
        Self { state, control }
    }

    /// The time now.
    pub fn now(&self) -> UnixMillis {
        let now = monotonic_ns();
        if self.state.is_due(now) {
            // Without an answer the old reading goes on.
            let _ = self.control.try_send(&ToInit::Time);
        }
        self.state.at(now)
    }
}

fn monotonic_ns() -> u64 {
    let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else {
        return 0;
    };
    let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
    let rest = u64::try_from(now.tv_nsec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn anchor(time: u64, monotonic_ns: u64) -> TimeAnchor {
        TimeAnchor {
            time: UnixMillis(time),
            monotonic_ns,
        }
    }

    #[test]
    fn time_is_the_reading_and_what_passed_since() {
        let state = ClockState::new(anchor(1_000, 5 * SECOND));
        assert_eq!(state.at(5 * SECOND), UnixMillis(1_000));
        assert_eq!(state.at(7 * SECOND), UnixMillis(3_000));
    }

    #[test]
    fn a_reading_that_is_behind_never_turns_time_back() {
        let state = ClockState::new(anchor(1_000, 0));
        assert_eq!(state.at(10 * SECOND), UnixMillis(11_000));
        state.set(anchor(10_000, 10 * SECOND));
        assert_eq!(state.at(10 * SECOND), UnixMillis(11_000));
        assert_eq!(state.at(12 * SECOND), UnixMillis(12_000));
    }

    #[test]
    fn a_new_reading_is_asked_for_once_a_minute() {
        let state = ClockState::new(anchor(0, 0));
        assert!(!state.is_due(59 * SECOND));
        assert!(state.is_due(60 * SECOND));
        assert!(!state.is_due(61 * SECOND));
        assert!(state.is_due(120 * SECOND));
    }
}
