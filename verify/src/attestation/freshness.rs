//! How new a document must be, and at which time its certificates must be valid.
//!
//! There is no default: the caller says what it wants to know. A challenge proves that the
//! document was made after the challenge was drawn. Without one, a document proves what was true
//! at the moment it was signed.

use core::fmt;
use core::time::Duration;

use super::document::Document;
use super::error::AttestationError;

/// How far the verifier's clock may be wrong in [`Live`] and [`Current`], in seconds, in either
/// direction.
pub const CLOCK_TOLERANCE_SECONDS: u64 = 60;

/// Shortest challenge, in bytes. A shorter one could have been guessed beforehand.
pub const MIN_CHALLENGE_BYTES: usize = 16;

/// What the caller demands, where that is decided when the program runs.
///
/// Code that knows what it wants takes [`Live`], [`Challenged`], [`Current`] or [`Archived`]
/// instead, and has the answer in the type of [`Attested`](super::Attested).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness<'a> {
    /// [`Challenged`], with the same fields.
    Challenged {
        /// The verifier's own random challenge.
        nonce: &'a [u8],
        /// Time since the challenge was drawn, by the verifier's monotonic clock.
        elapsed: Duration,
        /// Longest acceptable `elapsed`.
        max_age: Duration,
    },
    /// [`Live`], with the same fields.
    Live {
        /// The verifier's own random challenge.
        nonce: &'a [u8],
        /// Largest acceptable age of the signed timestamp.
        max_age: Duration,
        /// The verifier's trusted clock: seconds since 1970.
        now_unix: u64,
    },
    /// [`Current`], with the same fields.
    Current {
        /// Largest acceptable age of the signed timestamp; `None` leaves it to the certificates.
        max_age: Option<Duration>,
        /// The verifier's trusted clock: seconds since 1970.
        now_unix: u64,
    },
    /// [`Archived`], with the same fields.
    Archived {
        /// Seconds since 1970 at which the certificates must be valid and the document already
        /// signed. `None` stands for the document's own signed timestamp.
        at_unix: Option<u64>,
    },
}

/// The document answers this verifier's own challenge, and its certificates are valid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live<'a> {
    /// The verifier's own random challenge.
    pub nonce: &'a [u8],
    /// Largest acceptable age of the signed timestamp.
    pub max_age: Duration,
    /// The verifier's trusted clock: seconds since 1970.
    pub now_unix: u64,
}

/// The document answers this verifier's own challenge; no clock but a monotonic one is needed.
///
/// Certificates are checked at the document's signed timestamp. A leaf key that leaked years ago
/// could still answer; where a trusted clock exists, [`Live`] refuses that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenged<'a> {
    /// The verifier's own random challenge.
    pub nonce: &'a [u8],
    /// Time since the challenge was drawn, by the verifier's monotonic clock.
    pub elapsed: Duration,
    /// Longest acceptable `elapsed`.
    pub max_age: Duration,
}

/// The document's certificates are valid now, but it answers no challenge.
///
/// Whoever has a copy can show it until its leaf ends: a few hours. Enough to look at a document;
/// not enough to give anything away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// Largest acceptable age of the signed timestamp; `None` leaves it to the certificates.
    pub max_age: Option<Duration>,
    /// The verifier's trusted clock: seconds since 1970.
    pub now_unix: u64,
}

/// The document is a record; nothing is claimed about the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Seconds since 1970 at which the certificates must be valid and the document already signed,
    /// exactly. `None` stands for the document's own signed timestamp.
    pub at_unix: Option<u64>,
}

/// A demand on time: [`Live`], [`Challenged`], [`Current`], [`Archived`], or [`Freshness`], which
/// is one of them. No other type can be one.
pub trait Demand: Check<Shown: Into<FreshnessUsed>> {}

impl Demand for Live<'_> {}
impl Demand for Challenged<'_> {}
impl Demand for Current {}
impl Demand for Archived {}
impl Demand for Freshness<'_> {}

/// The part of [`Demand`] that only this module can implement, since nobody else can name it.
pub trait Check {
    /// What holds when the check has passed.
    type Shown: Clone + fmt::Debug + PartialEq + Eq;

    /// Checks challenge and age.
    #[doc(hidden)]
    fn check(&self, document: &Document) -> Result<Timed<Self::Shown>, AttestationError>;
}

/// What a check has shown, and when certificates must be valid.
#[derive(Clone, Copy, Debug)]
pub struct Timed<T> {
    pub(super) shown: T,
    pub(super) moment: Moment,
}

/// When certificates must be valid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The verification time, in seconds since 1970.
    pub(super) at: u64,
    /// How far it may be wrong, in seconds.
    tolerance: u64,
}

impl Moment {
    const fn exact(at: u64) -> Self {
        Self { at, tolerance: 0 }
    }

    const fn clock(at: u64) -> Self {
        Self {
            at,
            tolerance: CLOCK_TOLERANCE_SECONDS,
        }
    }

    /// A certificate must have ended no earlier than this.
    pub(super) const fn earliest(&self) -> u64 {
        self.at.saturating_sub(self.tolerance)
    }

    /// A certificate must have begun no later than this.
    pub(super) const fn latest(&self) -> u64 {
        self.at.saturating_add(self.tolerance)
    }
}

/// Shown by [`Live`]: an answer to the verifier's challenge, timed by its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnsweredLive {
    /// The verifier's clock, in seconds since 1970.
    pub at_unix: u64,
    /// Age of the signed timestamp.
    pub age: Duration,
}

/// Shown by [`Challenged`]: an answer to the verifier's challenge, timed by its monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The signed timestamp at which certificates were checked, in seconds since 1970.
    pub at_unix: u64,
    /// Time since the challenge was drawn.
    pub elapsed: Duration,
}

/// Shown by [`Current`]: valid by the verifier's clock, and possibly a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchallenged {
    /// The verifier's clock, in seconds since 1970.
    pub at_unix: u64,
    /// Age of the signed timestamp.
    pub age: Duration,
}

/// Shown by [`Archived`]: a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When certificates were valid, in seconds since 1970.
    pub at_unix: u64,
    /// Whether that is the document's own signed timestamp, and not a time that the caller chose.
    pub own_timestamp: bool,
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
    /// Valid by the verifier's clock, without a challenge.
    Current {
        /// The verifier's clock, in seconds since 1970.
        at_unix: u64,
        /// Age of the signed timestamp.
        age: Duration,
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
            | Self::Current { at_unix, .. }
            | Self::Live { at_unix, .. } => *at_unix,
        }
    }

    /// Whether the document answered the verifier's own challenge.
    #[must_use]
    pub const fn is_challenged(&self) -> bool {
        matches!(self, Self::Challenged { .. } | Self::Live { .. })
    }
}

impl From<AnsweredLive> for FreshnessUsed {
    fn from(shown: AnsweredLive) -> Self {
        let AnsweredLive { at_unix, age } = shown;
        Self::Live { at_unix, age }
    }
}

impl From<Answered> for FreshnessUsed {
    fn from(shown: Answered) -> Self {
        let Answered { at_unix, elapsed } = shown;
        Self::Challenged { at_unix, elapsed }
    }
}

impl From<Unchallenged> for FreshnessUsed {
    fn from(shown: Unchallenged) -> Self {
        let Unchallenged { at_unix, age } = shown;
        Self::Current { at_unix, age }
    }
}

impl From<Recorded> for FreshnessUsed {
    fn from(shown: Recorded) -> Self {
        let at_unix = shown.at_unix;
        match shown.own_timestamp {
            true => Self::ArchivedAtTimestamp { at_unix },
            false => Self::ArchivedAt { at_unix },
        }
    }
}

impl Check for Live<'_> {
    type Shown = AnsweredLive;

    fn check(&self, document: &Document) -> Result<Timed<AnsweredLive>, AttestationError> {
        check_nonce(document, self.nonce)?;
        let age = age_by_clock(document, self.now_unix)?;
        check_age(age, self.max_age)?;
        Ok(Timed {
            shown: AnsweredLive {
                at_unix: self.now_unix,
                age,
            },
            moment: Moment::clock(self.now_unix),
        })
    }
}

impl Check for Challenged<'_> {
    type Shown = Answered;

    fn check(&self, document: &Document) -> Result<Timed<Answered>, AttestationError> {
        check_nonce(document, self.nonce)?;
        check_age(self.elapsed, self.max_age)?;
        let at_unix = document.timestamp_seconds();
        Ok(Timed {
            shown: Answered {
                at_unix,
                elapsed: self.elapsed,
            },
            moment: Moment::exact(at_unix),
        })
    }
}

impl Check for Current {
    type Shown = Unchallenged;

    fn check(&self, document: &Document) -> Result<Timed<Unchallenged>, AttestationError> {
        let age = age_by_clock(document, self.now_unix)?;
        if let Some(max_age) = self.max_age {
            check_age(age, max_age)?;
        }
        Ok(Timed {
            shown: Unchallenged {
                at_unix: self.now_unix,
                age,
            },
            moment: Moment::clock(self.now_unix),
        })
    }
}

impl Check for Archived {
    type Shown = Recorded;

    fn check(&self, document: &Document) -> Result<Timed<Recorded>, AttestationError> {
        let shown = match self.at_unix {
            None => Recorded {
                at_unix: document.timestamp_seconds(),
                own_timestamp: true,
            },
            Some(at_unix) => {
                check_not_future(document, at_unix)?;
                Recorded {
                    at_unix,
                    own_timestamp: false,
                }
            }
        };
        Ok(Timed {
            shown,
            moment: Moment::exact(shown.at_unix),
        })
    }
}

impl Check for Freshness<'_> {
    type Shown = FreshnessUsed;

    fn check(&self, document: &Document) -> Result<Timed<FreshnessUsed>, AttestationError> {
        match *self {
            Self::Challenged {
                nonce,
                elapsed,
                max_age,
            } => widen(
                &Challenged {
                    nonce,
                    elapsed,
                    max_age,
                },
                document,
            ),
            Self::Live {
                nonce,
                max_age,
                now_unix,
            } => widen(
                &Live {
                    nonce,
                    max_age,
                    now_unix,
                },
                document,
            ),
            Self::Current { max_age, now_unix } => widen(&Current { max_age, now_unix }, document),
            Self::Archived { at_unix } => widen(&Archived { at_unix }, document),
        }
    }
}

fn widen<D: Demand>(
    demand: &D,
    document: &Document,
) -> Result<Timed<FreshnessUsed>, AttestationError> {
    let timed = demand.check(document)?;
    Ok(Timed {
        shown: timed.shown.into(),
        moment: timed.moment,
    })
}

/// Age of the signed timestamp by a clock that may be a little wrong.
fn age_by_clock(document: &Document, now_unix: u64) -> Result<Duration, AttestationError> {
    check_not_future(document, now_unix.saturating_add(CLOCK_TOLERANCE_SECONDS))?;
    let now_ms = now_unix.saturating_mul(1000);
    Ok(Duration::from_millis(
        now_ms.saturating_sub(document.timestamp_ms()),
    ))
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
