//! The caller's own nonce and the time since it was drawn.
//!
//! Only the nonce proves that an attestation is fresh. Its age is measured on this machine's
//! monotonic clock from before the request left; the wall clock decides nothing and is only shown
//! beside the enclave's time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::invalid::Invalid;
use quorate_protocol::message::Nonce;
use quorate_verify::attestation::Freshness;

use crate::random::{self, NoRandomness};

/// Longest acceptable time between drawing a nonce and having verified its answer.
pub const MAX_AGE: Duration = Duration::from_secs(60);

/// A nonce that was drawn here.
#[derive(Debug)]
pub struct Challenge {
    nonce: [u8; 32],
    drawn: Instant,
}

impl Challenge {
    /// Draws a nonce.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn draw() -> Result<Self, NoRandomness> {
        let nonce = *random::bytes::<32>()?;
        Ok(Self {
            nonce,
            drawn: Instant::now(),
        })
    }

    /// The nonce as it is sent.
    ///
    /// # Errors
    /// Never: its length is fixed.
    pub fn nonce(&self) -> Result<Nonce, Invalid> {
        Bytes::new(self.nonce.to_vec())
    }

    /// How long ago the nonce was drawn.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.drawn.elapsed()
    }

    /// What an answer must satisfy now.
    #[must_use]
    pub fn freshness(&self) -> Freshness<'_> {
        Freshness::Challenged {
            nonce: &self.nonce,
            elapsed: self.drawn.elapsed(),
            max_age: MAX_AGE,
        }
    }
}

/// This machine's wall clock: a claim, for signatures and for display.
#[must_use]
pub fn wall_clock() -> UnixMillis {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
