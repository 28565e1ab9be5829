//! When a request is taken: it is less than an hour old, and at most five minutes ahead.
//!
//! Guarantees: a pure function of two times, so the caller decides whose clock counts. Inside an
//! enclave it must be the security module's.
//!
//! Trusts: the caller's clock. Does not: stop the same request within its hour; fingerprints do.

/// Age from which a request is too old, in milliseconds.
pub const MAX_AGE_MS: u64 = 60 * 60 * 1000;
/// How far ahead of our clock a request may be, in milliseconds.
pub const MAX_AHEAD_MS: u64 = 5 * 60 * 1000;

/// A request at the wrong time. Its sender's clock is at fault, or somebody held the request back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The request is too old.
    #[error("the request is {age_ms} ms old; make it again with the time of now")]
    Expired {
        /// Its age in milliseconds.
        age_ms: u64,
    },
    /// The request is from the future.
    #[error("the request is {ahead_ms} ms ahead of our clock; set the sender's clock")]
    Future {
        /// How far ahead in milliseconds.
        ahead_ms: u64,
    },
}

/// Whether a request of this time is taken now. Both are milliseconds since 1970 (UTC).
///
/// # Errors
/// [`WindowError`]
pub fn check(timestamp_ms: u64, now_ms: u64) -> Result<(), WindowError> {
    let age_ms = now_ms.saturating_sub(timestamp_ms);
    if age_ms >= MAX_AGE_MS {
        return Err(WindowError::Expired { age_ms });
    }
    let ahead_ms = timestamp_ms.saturating_sub(now_ms);
    if ahead_ms > MAX_AHEAD_MS {
        return Err(WindowError::Future { ahead_ms });
    }
    Ok(())
}
