//! What was decided lately, so that the same request is not acted on twice.
//!
//! Guarantees: as long as a request could be accepted, its result is here, and it gets that result
//! again. Memory is bounded all the same: when it is full, the result of the request with the
//! earliest timestamp makes room, and from then on no request of that timestamp or an earlier one is
//! accepted. Under load the window in which requests are accepted becomes shorter; it never has a
//! hole.
//!
//! Does not: last longer than the process. After a restart a request that is still within its hour
//! is acted on again: the same transaction gets the same signature, and a wallet is made anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_protocol::activity::AppReason;
use quorate_protocol::atoms::Sha256;
use quorate_protocol::digest::Digest;
use quorate_protocol::organization::Organization;
use quorate_request::window::MAX_AGE_MS;

/// Clocks of threads that began before this one, in milliseconds.
const MARGIN_MS: u64 = 60_000;

/// Names a request: whose, and the fingerprint of its body.
pub type Key = (Digest<Organization>, Sha256);

/// Results of requests, by request and by the time they name.
pub struct Memory {
    most: usize,
    state: Mutex<State>,
}

/// The time a request names, and its answer once there is one.
type Entry = (u64, Option<Arc<[u8]>>);

#[derive(Default)]
struct State {
    entries: BTreeMap<Key, Entry>,
    /// By timestamp; a value of no use but to tell requests of one timestamp apart.
    order: BTreeMap<(u64, Key), ()>,
    /// Nothing up to this timestamp is accepted any more.
    floor: Option<u64>,
}

/// What is known about a request.
pub enum Known<'a> {
    /// It was decided, with this answer.
    Answered(Arc<[u8]>),
    /// It is new. Until the slot is dropped nobody else acts on it.
    New(Slot<'a>),
}

/// The place of a request that is under way. Dropped without an answer, the request is forgotten.
pub struct Slot<'a> {
    memory: &'a Memory,
    key: Key,
    timestamp: u64,
}

impl Memory {
    /// A memory for so many requests.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            state: Mutex::default(),
        }
    }

    /// Looks a request up, and takes a place for it if it is new.
    ///
    /// # Errors
    /// [`AppReason::RequestExpired`] if its time is one that was forgotten;
    /// [`AppReason::Busy`] if the same request is under way, or if everything that is remembered is
    /// of a later time.
    pub fn begin(&self, key: Key, timestamp: u64, now: u64) -> Result<Known<'_>, AppReason> {
        let mut state = self.lock();
        match state.entries.get(&key) {
            Some((_, Some(answer))) => return Ok(Known::Answered(Arc::clone(answer))),
            Some((_, None)) => return Err(AppReason::Busy),
            None => {}
        }
        if state.floor.is_some_and(|floor| timestamp <= floor) {
            return Err(AppReason::RequestExpired);
        }
        state.drop_expired(now);
        if state.entries.len() >= self.most {
            let earliest = state.order.first_key_value();
            let earliest = earliest.map_or(0, |((at, _), ())| *at);
            if timestamp <= earliest {
                return Err(AppReason::Busy);
            }
            state.forget_first();
            state.floor = state.floor.max(Some(earliest));
        }
        state.entries.insert(key, (timestamp, None));
        state.order.insert((timestamp, key), ());
        Ok(Known::New(Slot {
            memory: self,
            key,
            timestamp,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The two maps are changed one after the other, without anything between that can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is too old to be accepted need not be remembered.
    fn drop_expired(&mut self, now: u64) {
        while let Some(((at, _), ())) = self.order.first_key_value() {
            if now.saturating_sub(*at) < MAX_AGE_MS + MARGIN_MS {
                return;
            }
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(((_, key), ())) = self.order.pop_first() {
            self.entries.remove(&key);
        }
    }
}

impl Slot<'_> {
    /// Keeps the answer.
    pub fn keep(self, answer: Arc<[u8]>) {
        if let Some(entry) = self.memory.lock().entries.get_mut(&self.key) {
            entry.1 = Some(answer);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.memory.lock();
        if matches!(state.entries.get(&self.key), Some((_, None))) {
            state.entries.remove(&self.key);
            state.order.remove(&(self.timestamp, self.key));
        }
    }
}
