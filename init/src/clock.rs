//! Time: the NSM's signed timestamp, carried forward by the monotonic clock.
//!
//! The kernel's wall clock and the host's are claims; no decision uses them.

use nix::time::{ClockId, clock_gettime};
use quorate_protocol::application::TimeAnchor;
use quorate_protocol::atoms::UnixMillis;
use quorate_verify::attestation::{AttestationError, Document};

use crate::nsm::{Nsm, NsmError, Transport};

/// A reading of the NSM is used for this long before an application that asks for the time causes
/// another, in nanoseconds.
const FRESH_NS: u64 = 60_000_000_000;

/// Why the time is not known. The enclave halts.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The NSM's own document cannot be read.
    #[error("the NSM's document cannot be read: {0}")]
    Document(#[from] AttestationError),
    /// The machine has no monotonic clock.
    #[error("the monotonic clock cannot be read: {0}")]
    Monotonic(nix::errno::Errno),
    /// The NSM gave no document.
    #[error("the NSM gave no document: {0}")]
    Nsm(#[from] NsmError),
}

/// A clock set by the NSM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    anchor: TimeAnchor,
}

impl Clock {
    /// Reads the time from a document of the enclave's own NSM.
    ///
    /// # Errors
    /// [`ClockError`].
    pub(crate) fn read<T: Transport>(nsm: &mut Nsm<T>) -> Result<Self, ClockError> {
        let monotonic_ns = monotonic_ns()?;
        let document = nsm.attest(None, None, None)?;
        let time = UnixMillis(Document::parse(&document)?.unverified_timestamp_ms());
        let anchor = TimeAnchor { time, monotonic_ns };
        Ok(Self { anchor })
    }

    /// What it was set by.
    pub(crate) fn anchor(&self) -> TimeAnchor {
        self.anchor
    }

    /// Whether it was set more than [`FRESH_NS`] ago.
    pub(crate) fn is_old(&self) -> bool {
        self.passed_ns() > FRESH_NS
    }

    fn passed_ns(&self) -> u64 {
        // A clock that could be read once can be read again; else time stands still.
        let now = monotonic_ns().unwrap_or(self.anchor.monotonic_ns);
        now.saturating_sub(self.anchor.monotonic_ns)
    }

    /// The time now. Never before the signed timestamp it started from.
    pub(crate) fn now(&self) -> UnixMillis {
        let passed = self.passed_ns() / 1_000_000;
        UnixMillis(self.anchor.time.0.saturating_add(passed))
    }
}

/// The machine's monotonic clock, which every process of it reads alike.
fn monotonic_ns() -> Result<u64, ClockError> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_err(ClockError::Monotonic)?;
    let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
    let rest = u64::try_from(now.tv_nsec()).unwrap_or(0);
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(rest))
}
