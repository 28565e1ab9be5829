//! Serving framed requests with bounds: connections, time and size.
//!
//! Each connection has a thread; there are at most [`MAX_CONNECTIONS`] connections. When all are in
//! use, the one that was silent for longest makes room for the next, so that silent ones keep nobody
//! out. A request must be complete [`FRAME`] after its first byte, an answer taken [`FRAME`] after it
//! was ready, a silent connection is closed after [`IDLE`]. Requests of one connection are answered
//! in their order; of many that arrive together the answers are written together.
//!
//! Memory of one connection: one read, one request, [`FLUSH`] and one answer.

use std::borrow::Cow;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use quorate_protocol::frame::{Assembler, FrameError, Sizes, Whole, append};

use crate::listening::ListeningSocket;

/// Connections served at a time.
pub const MAX_CONNECTIONS: usize = 64;
/// A silent connection is closed after this long.
pub const IDLE: Duration = Duration::from_secs(30);
/// A request must be complete this long after its first byte.
pub const FRAME: Duration = Duration::from_secs(10);
/// Answers of so many bytes are written, whatever else has arrived.
pub const FLUSH: usize = 32 * 1024;
/// Answers that are so old are written, whatever else has arrived.
const PROMPT: Duration = Duration::from_micros(200);
/// Bytes read at a time.
const READ: usize = 32 * 1024;
/// Before the next attempt after an accept that failed, and for the thread of a connection that made
/// room to end.
const PAUSE: Duration = Duration::from_millis(10);
/// Threads of connections that made room and have not ended yet, at most.
const ENDING: usize = 16;

/// Accepts connections and answers each request with what `handler` makes of its payload; a
/// handler that gives `None` closes the connection. Returns when the listener fails for good; the
/// application should end then, so that init starts it again.
pub fn serve<S, H>(listener: &ListeningSocket, handler: H)
where
    S: Sizes,
    H: Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
{
    let handler = Arc::new(handler);
    let seats = Arc::new(Seats::new());
    loop {
        let stream = match listener.accept() {
            Ok(stream) => stream,
            Err(error) if passes(&error) => {
                thread::sleep(PAUSE);
                continue;
            }
            Err(_) => return,
        };
        // Without a seat the stream is closed.
        let Some(seat) = Seats::take(&seats, stream) else {
            continue;
        };
        let handler = Arc::clone(&handler);
        let spawned = thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || {
                // A broken connection ends itself; there is nobody to tell.
                let _ = converse::<S>(&seat, &*handler);
            });
        // A thread that could not be made has dropped its seat and its stream.
        drop(spawned);
    }
}

/// Whether this is the fault of one connection or of a short supply, and not of the listener.
fn passes(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(
            Errno::ECONNABORTED
                | Errno::ECONNRESET
                | Errno::EPROTO
                | Errno::EINTR
                | Errno::EAGAIN
                | Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOBUFS
                | Errno::ENOMEM
        )
    )
}

/// The connections there are.
struct Seats {
    start: Instant,
    state: Mutex<State>,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Connections that are served.
    taken: Vec<Arc<Place>>,
    /// Threads, those of connections that made room included.
    threads: usize,
}

/// One connection.
struct Place {
    stream: UnixStream,
    /// When something was last read or written, in microseconds since the start.
    last: AtomicU64,
    /// Whether a request is being handled: no reason to close it.
    handling: AtomicBool,
}

/// A connection and its right to be served; given back when dropped.
struct Seat {
    seats: Arc<Seats>,
    place: Arc<Place>,
}

impl Seats {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            state: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Seats a connection. When all seats are taken, the one that was silent for longest is closed
    /// for it; when all are busy, or too many that were closed have not ended, there is none.
    fn take(seats: &Arc<Self>, stream: UnixStream) -> Option<Seat> {
        let mut state = seats.lock();
        if state.taken.len() >= MAX_CONNECTIONS {
            let silent = state
                .taken
                .iter()
                .enumerate()
                .filter(|(_, place)| !place.handling.load(Ordering::Relaxed))
                .min_by_key(|(_, place)| place.last.load(Ordering::Relaxed))
                .map(|(at, _)| at)?;
            // Its thread wakes up and ends.
            let _ = state
                .taken
                .swap_remove(silent)
                .stream
                .shutdown(Shutdown::Both);
        }
        if state.threads >= MAX_CONNECTIONS + ENDING {
            let few = |state: &mut State| state.threads >= MAX_CONNECTIONS + ENDING;
            let waited = seats.ended.wait_timeout_while(state, PAUSE, few);
            let (waited, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                return None;
            }
            state = waited;
        }
        let place = Arc::new(Place {
            stream,
            last: AtomicU64::new(seats.now()),
            handling: AtomicBool::new(false),
        });
        state.taken.push(Arc::clone(&place));
        state.threads = state.threads.saturating_add(1);
        drop(state);
        Some(Seat {
            seats: Arc::clone(seats),
            place,
        })
    }
}

impl Seat {
    fn touch(&self) {
        self.place.last.store(self.seats.now(), Ordering::Relaxed);
    }

    fn write(&self, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        (&self.place.stream).write_all(bytes)?;
        self.touch();
        bytes.clear();
        bytes.shrink_to(2 * FLUSH);
        Ok(())
    }

    fn handle(
        &self,
        handler: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        self.place.handling.store(true, Ordering::Relaxed);
        let answer = handler(payload);
        self.place.handling.store(false, Ordering::Relaxed);
        answer
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.seats.lock();
        state.taken.retain(|place| !Arc::ptr_eq(place, &self.place));
        state.threads = state.threads.saturating_sub(1);
        drop(state);
        self.seats.ended.notify_one();
    }
}

/// Serves one connection until it ends, breaks a rule or is silent for too long.
fn converse<S: Sizes>(
    seat: &Seat,
    handler: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> std::io::Result<()> {
    let stream = &seat.place.stream;
    stream.set_write_timeout(Some(FRAME))?;
    stream.set_read_timeout(Some(IDLE))?;
    let mut waits = IDLE;
    let mut assembler = Assembler::new();
    let mut buffer = vec![0; READ];
    let mut answers = Vec::new();
    // When the request that has begun must be complete.
    let mut deadline: Option<Instant> = None;
    loop {
        let left = match deadline {
            None => IDLE,
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
        };
        if left.is_zero() {
            return Ok(());
        }
        // Whole requests, one after another, need no other time than the last had.
        if left != waits {
            stream.set_read_timeout(Some(left))?;
            waits = left;
        }
        let count = match { stream }.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            // Stopped and continued, or traced.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let read = Instant::now();
        seat.touch();
        let mut rest = buffer.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            // A frame that is all there is used where it lies; a piece of one is put together.
            let next = if assembler.is_partial() {
                Ok(None)
            } else {
                Whole::of::<S>(rest)
            };
            let taken = match next {
                Ok(Some(whole)) => Ok((Some(Cow::Borrowed(whole.payload)), whole.rest)),
                Ok(None) => piece::<S>(&mut assembler, rest),
                Err(error) => Err(error),
            };
            let (payload, after) = match taken {
                Ok((Some(payload), after)) => (payload, after),
                Ok((None, after)) => {
                    deadline = deadline.or(Some(read + FRAME));
                    rest = after;
                    continue;
                }
                // What was asked before is answered.
                Err(_) => return seat.write(&mut answers),
            };
            rest = after;
            deadline = None;
            let Some(answer) = seat.handle(handler, &payload) else {
                return seat.write(&mut answers);
            };
            append(&mut answers, &answer).map_err(|_| ErrorKind::InvalidData)?;
            if answers.len() >= FLUSH || (!rest.is_empty() && read.elapsed() >= PROMPT) {
                seat.write(&mut answers)?;
            }
        }
        if !answers.is_empty() {
            seat.write(&mut answers)?;
        }
    }
}

/// A payload, if it is complete, and what follows it.
type Taken<'a> = (Option<Cow<'a, [u8]>>, &'a [u8]);

/// Takes one piece of a frame, at most to its end.
fn piece<'a, S: Sizes>(
    assembler: &mut Assembler,
    bytes: &'a [u8],
) -> Result<Taken<'a>, FrameError> {
    let wanted = assembler.wanted::<S>()?.max(1);
    let (piece, after) = bytes.split_at(wanted.min(bytes.len()));
    Ok((assembler.push::<S>(piece)?.map(Cow::Owned), after))
}
