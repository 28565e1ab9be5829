//! How new a document must be, and at which time its certificates must be valid.
//!
//! There is no default: the caller says what it wants to know. A challenge proves that the
//! document was made after the challenge was drawn. Without one, a document proves what was true
//! at the moment it was signed.

use core::time::Duration;

use super::document::Document;
use super::error::AttestationError;

/// How far the verifier's clock may be wrong in [`Freshness::Live`], in seconds, in either
/// direction.
pub const CLOCK_TOLERANCE_SECONDS: u64 = 60;

/// Shortest challenge, in bytes. A shorter one could have been guessed beforehand.
pub const MIN_CHALLENGE_BYTES: usize = 16;

/// What the caller demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness<'a> {
    /// The document answers this verifier's own challenge; no clock but a monotonic one is needed.
    ///
    /// Certificates are checked at the document's signed timestamp. A leaf key that leaked years
    /// ago could still answer; where a trusted clock exists, [`Live`](Self::Live) refuses that.
    Challenged {
        /// The verifier's own random challenge.
        nonce: &'a [u8],
        /// Time since the challenge was drawn, by the verifier's monotonic clock.
        elapsed: Duration,
        /// Longest acceptable `elapsed`.
        max_age: Duration,
    },
    /// The document answers this verifier's own challenge, and certificates are valid now.
    Live {
        /// The verifier's own random challenge.
        nonce: &'a [u8],
        /// Largest acceptable age of the signed timestamp.
        max_age: Duration,
        /// The verifier's trusted clock: seconds since 1970.
        now_unix: u64,
    },
    /// The document is a record; nothing is claimed about the present.
    Archived {
        /// Seconds since 1970 at which the certificates must be valid and the document already
        /// signed. `None` stands for the document's own signed timestamp.
        at_unix: Option<u64>,
    },
}

/// What was checked, for the report.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshnessUsed {
    /// A record, checked at a time that the caller chose.
    ArchivedAt {
        /// Seconds since 1970.
        at_unix: u64,
    },
    /// A record, checked at its own signed timestamp.
    ArchivedAtTimestamp {
        /// Seconds since 1970.
        at_unix: u64,
    },
    /// An answer to the verifier's challenge, timed by its monotonic clock.
    Challenged {
        /// The signed timestamp at which certificates were checked, in seconds since 1970.
        at_unix: u64,
        /// Time since the challenge was drawn.
        elapsed: Duration,
    },
    /// An answer to the verifier's challenge, timed by its clock.
    Live {
        /// The verifier's clock, in seconds since 1970.
        at_unix: u64,
        /// Age of the signed timestamp.
        age: Duration,
    },
}

impl FreshnessUsed {
    /// The time at which the certificates were checked, in seconds since 1970.
    #[must_use]
    pub const fn at_unix(&self) -> u64 {
        match self {
            Self::ArchivedAt { at_unix }
            | Self::ArchivedAtTimestamp { at_unix }
            | Self::Challenged { at_unix, .. }
            | Self::Live { at_unix, .. } => *at_unix,
        }
    }

    /// Whether the document answered the verifier's own challenge.
    #[must_use]
    pub const fn is_challenged(&self) -> bool {
        matches!(self, Self::Challenged { .. } | Self::Live { .. })
    }

    /// A certificate must have ended no earlier than the first of these seconds and begun no later
    /// than the second. They differ only where the verifier's clock may be wrong.
    pub(super) fn certificate_window(&self) -> (u64, u64) {
        let at = self.at_unix();
        match self {
            Self::Live { .. } => (
                at.saturating_sub(CLOCK_TOLERANCE_SECONDS),
                at.saturating_add(CLOCK_TOLERANCE_SECONDS),
            ),
            _ => (at, at),
        }
    }
}

impl Freshness<'_> {
    /// Checks challenge and age.
    pub(super) fn check(&self, document: &Document) -> Result<FreshnessUsed, AttestationError> {
        let signed_at = document.timestamp_seconds();
        match *self {
            Self::Challenged {
                nonce,
                elapsed,
                max_age,
            } => {
                check_nonce(document, nonce)?;
                check_age(elapsed, max_age)?;
                Ok(FreshnessUsed::Challenged {
                    at_unix: signed_at,
                    elapsed,
                })
            }
            Self::Live {
                nonce,
                max_age,
                now_unix,
            } => {
                check_nonce(document, nonce)?;
                check_not_future(document, now_unix.saturating_add(CLOCK_TOLERANCE_SECONDS))?;
                let now_ms = now_unix.saturating_mul(1000);
                let age = Duration::from_millis(now_ms.saturating_sub(document.timestamp_ms()));
                check_age(age, max_age)?;
                Ok(FreshnessUsed::Live {
                    at_unix: now_unix,
                    age,
                })
            }
            Self::Archived { at_unix: None } => {
                Ok(FreshnessUsed::ArchivedAtTimestamp { at_unix: signed_at })
            }
            Self::Archived {
                at_unix: Some(at_unix),
            } => {
                check_not_future(document, at_unix)?;
                Ok(FreshnessUsed::ArchivedAt { at_unix })
            }
        }
    }
}

fn check_nonce(document: &Document, nonce: &[u8]) -> Result<(), AttestationError> {
    let found = nonce.len();
    if found < MIN_CHALLENGE_BYTES {
        return Err(AttestationError::ChallengeTooShort { found });
    }
    match document.nonce() {
        None => Err(AttestationError::NonceMissing),
        Some(signed) if signed == nonce => Ok(()),
        Some(_) => Err(AttestationError::NonceMismatch),
    }
}

fn check_age(age: Duration, max_age: Duration) -> Result<(), AttestationError> {
    if age > max_age {
        return Err(AttestationError::Stale { age, max_age });
    }
    Ok(())
}

fn check_not_future(document: &Document, latest: u64) -> Result<(), AttestationError> {
    if document.timestamp_seconds() > latest {
        return Err(AttestationError::TimestampInFuture {
            timestamp_ms: document.timestamp_ms(),
            latest,
        });
    }
    Ok(())
}
