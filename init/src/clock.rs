//! Time: the NSM's signed timestamp, carried forward by the monotonic clock.
//!
//! The kernel's wall clock and the host's are claims; no decision uses them.

use std::time::Instant;

use quorate_protocol::atoms::UnixMillis;
use quorate_verify::attestation::{AttestationError, Document};

use crate::nsm::{Nsm, NsmError, Transport};

/// Why the time is not known. The enclave halts.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The NSM's own document cannot be read.
    #[error("the NSM's document cannot be read: {0}")]
    Document(#[from] AttestationError),
    /// The NSM gave no document.
    #[error("the NSM gave no document: {0}")]
    Nsm(#[from] NsmError),
}

/// A clock set by the NSM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    signed: UnixMillis,
    since: Instant,
}

impl Clock {
    /// Reads the time from a document of the enclave's own NSM.
    ///
    /// # Errors
    /// [`ClockError`].
    pub(crate) fn read<T: Transport>(nsm: &mut Nsm<T>) -> Result<Self, ClockError> {
        let since = Instant::now();
        let document = nsm.attest(None, None, None)?;
        let signed = UnixMillis(Document::parse(&document)?.unverified_timestamp_ms());
        Ok(Self { signed, since })
    }

    /// The time now. Never before the signed timestamp it started from.
    pub(crate) fn now(&self) -> UnixMillis {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        UnixMillis(self.signed.0.saturating_add(passed))
    }
}
