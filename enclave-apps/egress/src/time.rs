//! The time by which certificates are judged: the security module's.

use core::fmt;
use core::time::Duration;

use quorate_app::Clock;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The application's clock. The kernel's is never asked: it belongs to the host.
pub(crate) struct ModuleTime(Clock);

impl ModuleTime {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(clock)
    }
}

impl fmt::Debug for ModuleTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the security module's time")
    }
}

impl TimeProvider for ModuleTime {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_millis(self.0.now().0);
        Some(UnixTime::since_unix_epoch(now))
    }
}
