//! This machine's monotonic clock, which counts the time it was suspended, and which boot it counts
//! from.
//!
//! Guarantees: an [`Aging`] never becomes younger. Where the clock fails, went back or was started
//! anew, what rests on it is too old, never fresh.
//!
//! Trusts: this computer's kernel. Does not: notice that a virtual machine was stopped and went on
//! later, or went on from a copy; such a clock stands still meanwhile.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use thiserror::Error;

/// Where the kernel says which boot this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Names one start of this machine's kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootId(pub [u8; 16]);

impl BootId {
    /// Reads the text form: 32 hexadecimal digits and hyphens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = text.trim_end().chars().filter(|c| *c != '-');
        let mut id = [0_u8; 16];
        for byte in &mut id {
            let high = digits.next()?.to_digit(16)?;
            let low = digits.next()?.to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        digits.next().is_none().then_some(Self(id))
    }
}

/// Why time cannot be counted from one process to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The kernel's clock or its boot cannot be read.
    #[error("this machine does not say how long it has been up, and since which start")]
    Unreadable,
    /// The machine was started anew in between.
    #[error("this machine was started anew since the nonce was made")]
    OtherBoot,
    /// The clock is before what it was.
    #[error("this machine's monotonic clock is before the making of the nonce")]
    WentBack,
}

/// A clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// How long the machine has been up, suspended time included; none if it does not say.
    fn uptime(&self) -> Option<Duration>;

    /// Which start of it that is.
    ///
    /// # Errors
    /// [`ClockError::Unreadable`].
    fn boot(&self) -> Result<BootId, ClockError>;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
struct Machine;

impl Clock for Machine {
    fn uptime(&self) -> Option<Duration> {
        clock_gettime(ClockId::CLOCK_BOOTTIME)
            .ok()
            .map(Duration::from)
    }

    fn boot(&self) -> Result<BootId, ClockError> {
        let mut text = String::new();
        let opened = File::open(BOOT_ID).map_err(|_| ClockError::Unreadable)?;
        opened
            .take(64)
            .read_to_string(&mut text)
            .map_err(|_| ClockError::Unreadable)?;
        BootId::parse(&text).ok_or(ClockError::Unreadable)
    }
}

/// A clock that is passed on.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of this machine.
#[must_use]
pub fn machine() -> SharedClock {
    Arc::new(Machine)
}

/// A moment that a later process can count from: the boot, and whole milliseconds since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which start of the machine.
    pub boot: BootId,
    /// Milliseconds since then.
    pub up_ms: u64,
}

impl Moment {
    /// Now.
    ///
    /// # Errors
    /// [`ClockError::Unreadable`].
    pub fn now(clock: &SharedClock) -> Result<Self, ClockError> {
        let up = clock.uptime().ok_or(ClockError::Unreadable)?;
        // Rounded down: an age is never taken for less than it is.
        let up_ms = u64::try_from(up.as_millis()).map_err(|_| ClockError::Unreadable)?;
        let boot = clock.boot()?;
        Ok(Self { boot, up_ms })
    }

    /// What has been aging since, if this clock can tell.
    ///
    /// # Errors
    /// [`ClockError`].
    pub fn since(&self, clock: &SharedClock) -> Result<Aging, ClockError> {
        if clock.boot()? != self.boot {
            return Err(ClockError::OtherBoot);
        }
        let from = Duration::from_millis(self.up_ms);
        if clock.uptime().ok_or(ClockError::Unreadable)? < from {
            return Err(ClockError::WentBack);
        }
        Ok(Aging {
            from: Some(from),
            clock: Arc::clone(clock),
        })
    }
}

/// What becomes older.
#[derive(Clone, Debug)]
pub struct Aging {
    /// Uptime at the beginning; none where the clock did not say.
    from: Option<Duration>,
    clock: SharedClock,
}

impl Aging {
    /// From now on.
    #[must_use]
    pub fn start(clock: &SharedClock) -> Self {
        Self {
            from: clock.uptime(),
            clock: Arc::clone(clock),
        }
    }

    /// The age. The longest there is where the clock does not say.
    #[must_use]
    pub fn age(&self) -> Duration {
        let now = self.clock.uptime();
        let age = now
            .zip(self.from)
            .and_then(|(now, from)| now.checked_sub(from));
        age.unwrap_or(Duration::MAX)
    }
}

/// Two of the same beginning.
impl PartialEq for Aging {
    fn eq(&self, other: &Self) -> bool {
        self.from == other.from
    }
}

impl Eq for Aging {}

#[cfg(test)]
pub(crate) mod tests;
