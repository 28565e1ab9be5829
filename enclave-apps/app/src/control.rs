//! The control socket to init: one thread reads it, any thread writes.
//!
//! Guarantees: an application that uses this crate does not flood init, however often it reports:
//! what is above the rate is counted and dropped. Every wait for init has a bound.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use quorate_protocol::cbor::{Object as _, from_bytes, to_bytes};
use quorate_protocol::control::{
    CONTROL_BURST, CONTROL_RATE, DIAL_COST, Dial, DialReason, ENTROPY_COST, Entropy, EntropyLength,
    FromInit, MAX_DIALS, Report, ReportKind, ToInit,
};
use quorate_protocol::egress::Destination;
use zeroize::Zeroizing;

use crate::clock::ClockState;
use crate::edge::Line;
use crate::error::AppError;
use crate::sys;

/// Code of the report that says how many reports were dropped.
pub const REPORTS_DROPPED: u16 = u16::MAX;
/// How long init may take to give entropy.
const ENTROPY: Duration = Duration::from_secs(5);
/// Stack of the thread that reads.
const STACK: usize = 256 * 1024;

/// The control socket.
pub(crate) struct Control {
    socket: OwnedFd,
    budget: Mutex<Budget>,
    state: Mutex<State>,
    changed: Condvar,
    /// One request for entropy at a time.
    asking: Mutex<()>,
}

#[derive(Default)]
struct State {
    stop: bool,
    /// Init is gone, or said what is not in the protocol.
    gone: Option<Errno>,
    entropy: Option<Entropy>,
    /// Number of the newest request for a connection.
    dialled: u64,
    /// Requests for connections that somebody waits for, with what became of them.
    dials: BTreeMap<u64, Option<Result<OwnedFd, DialReason>>>,
}

/// Messages that may be sent. Half of what init allows, so that no delay of clocks or threads makes
/// an honest application look like one that floods.
struct Budget {
    tokens: f64,
    at: Instant,
    dropped: u64,
}

impl Budget {
    const BURST: f64 = CONTROL_BURST as f64 / 2.0;
    const RATE: f64 = CONTROL_RATE as f64 / 2.0;

    fn new() -> Self {
        Self {
            tokens: Self::BURST,
            at: Instant::now(),
            dropped: 0,
        }
    }

    /// Takes so many messages of it, or says how long to wait for them.
    fn take(&mut self, messages: u32, now: Instant) -> Result<(), Duration> {
        let messages = f64::from(messages);
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * Self::RATE).min(Self::BURST);
        self.at = now;
        if self.tokens < messages {
            let wait = (messages - self.tokens) / Self::RATE;
            return Err(Duration::from_secs_f64(wait));
        }
        self.tokens -= messages;
        Ok(())
    }
}

impl Control {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            budget: Mutex::new(Budget::new()),
            state: Mutex::default(),
            changed: Condvar::new(),
            asking: Mutex::new(()),
        }
    }

    /// Sends a message that must arrive. Init reads it at once or the application is ended anyway.
    pub(crate) fn send(&self, message: &ToInit) -> Result<(), AppError> {
        self.write(message, MsgFlags::MSG_NOSIGNAL)
            .map_err(AppError::Control)
    }

    /// Sends a message if the rate allows it and there is room.
    pub(crate) fn try_send(&self, message: &ToInit) -> Result<(), Errno> {
        let taken = self.budget().take(1, Instant::now());
        taken.map_err(|_| Errno::EAGAIN)?;
        self.write(message, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT)
    }

    pub(crate) fn report(&self, report: Report) {
        // What was lost is said first: an application that goes on reporting would otherwise use up
        // every message the rate allows.
        let dropped = self.budget().dropped;
        if dropped > 0 {
            let lost = Report {
                kind: ReportKind::Warning,
                code: REPORTS_DROPPED,
                value: dropped,
            };
            if self.try_send(&ToInit::Report(lost)).is_ok() {
                let mut budget = self.budget();
                budget.dropped = budget.dropped.saturating_sub(dropped);
            }
        }
        if self.try_send(&ToInit::Report(report)).is_err() {
            let mut budget = self.budget();
            budget.dropped = budget.dropped.saturating_add(1);
        }
    }

    /// Asks init for entropy and waits for it.
    pub(crate) fn entropy(&self, length: EntropyLength) -> Result<Entropy, AppError> {
        let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + ENTROPY;
        self.await_budget(ENTROPY_COST, deadline)
            .ok_or(AppError::Entropy)?;
        self.state().entropy = None;
        self.send(&ToInit::Entropy(length))?;
        let mut state = self.state();
        loop {
            if let Some(entropy) = state.entropy.take() {
                return Ok(entropy);
            }
            if let Some(errno) = state.gone {
                return Err(AppError::Control(errno));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(AppError::Entropy);
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the rate allows so many messages; `None` if that is after `deadline`.
    fn await_budget(&self, messages: u32, deadline: Instant) -> Option<()> {
        loop {
            let taken = self.budget().take(messages, Instant::now());
            match taken {
                Ok(()) => return Some(()),
                Err(wait) if Instant::now() + wait < deadline => thread::sleep(wait),
                Err(_) => return None,
            }
        }
    }

    /// Asks init for a connection and waits for what becomes of it.
    pub(crate) fn dial(
        &self,
        destination: &Destination,
        deadline: Instant,
    ) -> Result<Result<UnixStream, DialReason>, AppError> {
        let number = {
            let mut state = self.state();
            if state.dials.len() >= MAX_DIALS {
                return Ok(Err(DialReason::TooMany));
            }
            state.dialled = state.dialled.saturating_add(1);
            let number = state.dialled;
            state.dials.insert(number, None);
            number
        };
        let outcome = self.await_dial(number, destination, deadline);
        // What comes for this number from now on is closed.
        self.state().dials.remove(&number);
        outcome.map(|outcome| outcome.map(UnixStream::from))
    }

    fn await_dial(
        &self,
        number: u64,
        destination: &Destination,
        deadline: Instant,
    ) -> Result<Result<OwnedFd, DialReason>, AppError> {
        if self.await_budget(DIAL_COST, deadline).is_none() {
            return Ok(Err(DialReason::TooMany));
        }
        self.send(&ToInit::Dial(Dial {
            number,
            destination: destination.clone(),
        }))?;
        let mut state = self.state();
        loop {
            if let Some(outcome) = state.dials.get_mut(&number).and_then(Option::take) {
                return Ok(outcome);
            }
            if let Some(errno) = state.gone {
                return Err(AppError::Control(errno));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Err(DialReason::TimedOut));
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Keeps what became of a connection, if somebody waits for it still.
    fn dialled(&self, number: u64, outcome: Result<OwnedFd, DialReason>) {
        if let Some(slot) = self.state().dials.get_mut(&number) {
            *slot = Some(outcome);
        }
    }

    /// Waits until init asks this application to end.
    pub(crate) fn wait_for_stop(&self) -> Result<(), AppError> {
        let mut state = self.state();
        loop {
            if state.stop {
                return Ok(());
            }
            if let Some(errno) = state.gone {
                return Err(AppError::Control(errno));
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Starts the thread that reads.
    pub(crate) fn listen(
        self: &Arc<Self>,
        lines: Vec<Arc<Line>>,
        clock: Arc<ClockState>,
    ) -> Result<(), AppError> {
        let control = Arc::clone(self);
        let spawned = thread::Builder::new().stack_size(STACK).spawn(move || {
            let errno = control.read(&lines, &clock);
            control.state().gone = Some(errno);
            control.changed.notify_all();
        });
        spawned.map(|_| ()).map_err(|_| AppError::Thread)
    }

    /// Reads until init is gone, and says why.
    fn read(&self, lines: &[Arc<Line>], clock: &ClockState) -> Errno {
        loop {
            let mut packet = Zeroizing::new([0; FromInit::MAX]);
            let (length, descriptor) = match sys::receive(&self.socket, packet.as_mut_slice()) {
                Ok((0, _)) => return Errno::ECONNRESET,
                Ok(received) => received,
                Err(Errno::EINTR) => continue,
                Err(errno) => return errno,
            };
            let said = from_bytes::<FromInit>(packet.get(..length).unwrap_or_default());
            match (said, descriptor) {
                (Ok(FromInit::Stop), None) => self.state().stop = true,
                (Ok(FromInit::Entropy(entropy)), None) => self.state().entropy = Some(entropy),
                (Ok(FromInit::Time(anchor)), None) => clock.set(anchor),
                (Ok(FromInit::Dialed(number)), Some(connection)) => {
                    self.dialled(number, Ok(connection));
                }
                (Ok(FromInit::NotDialed(told)), None) => {
                    self.dialled(told.number, Err(told.reason));
                }
                (Ok(FromInit::Edge(end)), Some(descriptor)) => {
                    let mut lines = lines.iter();
                    let Some(line) = lines.find(|line| line.is(&end.peer, end.role)) else {
                        return Errno::EPROTO;
                    };
                    line.renew(end, UnixStream::from(descriptor));
                }
                _ => return Errno::EPROTO,
            }
            self.changed.notify_all();
        }
    }

    fn write(&self, message: &ToInit, flags: MsgFlags) -> Result<(), Errno> {
        let message = to_bytes(message);
        loop {
            match send(self.socket.as_raw_fd(), &message, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_messages_than_the_rate_allows_have_to_wait() {
        let mut budget = Budget::new();
        let start = Instant::now();
        let burst = (0..1000)
            .take_while(|_| budget.take(1, start).is_ok())
            .count();
        assert_eq!(burst, CONTROL_BURST as usize / 2);
        let wait = budget.take(1, start).unwrap_err();
        assert!(budget.take(1, start + wait / 2).is_err());
        // One message and a half later there is room for one.
        let later = start + wait * 3 / 2;
        assert_eq!(budget.take(1, later), Ok(()));
        assert!(budget.take(1, later).is_err());
    }
}
