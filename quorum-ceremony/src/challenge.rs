//! The caller's own nonce and the time since it was drawn.
//!
//! Only the nonce proves that an attestation is fresh. Its age is counted on this machine's
//! [monotonic clock](crate::clock), suspended time included, from before the request left. The limit
//! is that of the definition that everybody signed. The wall clock decides nothing and is only shown
//! beside the enclave's time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::definition::AgeLimit;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::message::Nonce;
use quorate_verify::attestation::Freshness;

use crate::clock::{self, Aging};
use crate::random::{self, NoRandomness};

/// A nonce that was drawn here.
#[derive(Debug)]
pub struct Challenge {
    nonce: [u8; 32],
    drawn: Aging,
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
            drawn: Aging::start(&clock::machine()),
        })
    }

    /// A nonce that was drawn on this machine by an earlier process.
    pub(crate) const fn kept(nonce: [u8; 32], drawn: Aging) -> Self {
        Self { nonce, drawn }
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
        self.drawn.age()
    }

    /// What counts the time since.
    pub(crate) const fn aging(&self) -> &Aging {
        &self.drawn
    }

    /// What an answer must satisfy now, under the definition's limit.
    #[must_use]
    pub fn freshness(&self, limit: AgeLimit) -> Freshness<'_> {
        Freshness::Challenged {
            nonce: &self.nonce,
            elapsed: self.drawn.age(),
            max_age: limit.duration(),
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
