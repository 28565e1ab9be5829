//! Calls between applications, along the edges of the manifest.
//!
//! Guarantees: one call is on its way along an edge at a time, and calls arrive in the order in
//! which they were made. An answer is given to the call it was made for: answers of calls that
//! timed out are dropped by their number, and an answer that fits no call closes the edge. An error
//! says whether the call may have been executed. Every wait has a bound.
//!
//! Trusts: init, that the peer is the application it names. Not the peer's messages.
//!
//! Does not: repeat a call. Whether that is safe, the caller alone knows.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quorate_protocol::call::{CallTooLong, MAX_CALL, call_message};

use crate::control::Control;
use crate::edge::{End, Line, Malformed, Peer, Reader, at_least_a_little, is_timeout, write_all};

/// How long a call may take unless [`Caller::with_timeout`] says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call waits for an edge that is being renewed, at most.
pub const RENEWAL: Duration = Duration::from_secs(2);
/// An answer must be taken this long after it was ready, and a call be complete this long after its
/// first byte.
const FRAME: Duration = Duration::from_secs(10);

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The answer is not of this protocol: the callee is at fault. The call may have been executed.
    #[error("the other application answered with what is no answer to this call")]
    BadAnswer,
    /// The callee ended before it answered. The call may have been executed.
    #[error("the other application ended before it answered; the call may have been executed")]
    Interrupted,
    /// The edge is being renewed, or calls before this one took all the time. Nothing was sent.
    #[error("the other application is not there; nothing was sent, try again later")]
    NotReady,
    /// The callee ended when the call was to be sent. Nothing of it was executed.
    #[error("the other application has just ended; nothing was executed, try again")]
    PeerGone,
    /// There was no answer in time. The call may have been executed.
    #[error("there was no answer in time; the call may have been executed")]
    Timeout,
    /// The call is too long. The caller is at fault; nothing was sent.
    #[error("a call of {found} bytes, at most {MAX_CALL} are possible")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
}

/// The calling side of one edge. Clones share the edge.
#[derive(Clone)]
pub struct Caller {
    calls: Arc<Calls>,
    timeout: Duration,
}

struct Calls {
    line: Arc<Line>,
    control: Arc<Control>,
    /// Out while somebody calls.
    conversation: Mutex<Option<Conversation>>,
    returned: Condvar,
}

/// What is known about the stream of the end in use.
struct Conversation {
    end: Option<Arc<End>>,
    reader: Reader,
    /// Number of the newest call.
    number: u64,
    /// Number of the newest answer.
    answered: u64,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Caller {
    pub(crate) fn new(line: Arc<Line>, control: Arc<Control>) -> Self {
        let conversation = Conversation {
            end: None,
            reader: Reader::new(),
            number: 0,
            answered: 0,
            read_timeout: None,
            write_timeout: None,
        };
        let calls = Calls {
            line,
            control,
            conversation: Mutex::new(Some(conversation)),
            returned: Condvar::new(),
        };
        Self {
            calls: Arc::new(calls),
            timeout: CALL_TIMEOUT,
        }
    }

    pub(crate) fn line(&self) -> &Line {
        &self.calls.line
    }

    /// The same edge, with another bound on the time of a call.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            calls: Arc::clone(&self.calls),
            timeout: at_least_a_little(timeout),
        }
    }

    /// Calls, and waits for the answer. `make` gives the call's payload; it runs when it is this
    /// call's turn, so what it numbers arrives in that order.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&self, make: impl FnOnce(&Peer) -> Vec<u8>) -> Result<Vec<u8>, CallError> {
        let deadline = Instant::now() + self.timeout;
        let mut turn = self.calls.turn(deadline).ok_or(CallError::NotReady)?;
        let conversation = turn.conversation.as_mut().ok_or(CallError::NotReady)?;
        let end = self.calls.connect(conversation, deadline)?;
        let payload = make(&end.peer);
        let number = conversation.number.saturating_add(1);
        let message = call_message(number, &payload)
            .map_err(|CallTooLong { found }| CallError::TooLong { found })?;
        let outcome = conversation.exchange(&end, number, &message, deadline, self.timeout);
        outcome.map_err(|broken| {
            if broken.end {
                conversation.end = None;
                self.calls.line.give_up(&end, &self.calls.control);
            }
            broken.error
        })
    }
}

/// A call that failed, and whether its edge is of no more use.
struct Broken {
    error: CallError,
    end: bool,
}

impl Calls {
    /// Takes the conversation, when those before have done with it.
    fn turn(&self, deadline: Instant) -> Option<Turn<'_>> {
        let lock = self.conversation.lock();
        let mut conversation = lock.unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(taken) = conversation.take() {
                return Some(Turn {
                    calls: self,
                    conversation: Some(taken),
                });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.returned.wait_timeout(conversation, left);
            conversation = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// An end whose other side is there, as far as that can be known.
    fn connect(
        &self,
        conversation: &mut Conversation,
        deadline: Instant,
    ) -> Result<Arc<End>, CallError> {
        let deadline = deadline.min(Instant::now() + RENEWAL);
        loop {
            let end = self.line.wait(Some(deadline)).ok_or(CallError::NotReady)?;
            conversation.adopt(&end);
            // Late answers are taken out of the way; the end of the stream shows here too.
            let gone = conversation.reader.drain(&end.stream).is_err();
            if !gone && conversation.drop_late_answers().is_ok() {
                return Ok(end);
            }
            conversation.end = None;
            self.line.give_up(&end, &self.control);
        }
    }
}

/// The right to use the conversation. Given back also when `make` panics.
struct Turn<'a> {
    calls: &'a Calls,
    conversation: Option<Conversation>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let lock = self.calls.conversation.lock();
        *lock.unwrap_or_else(PoisonError::into_inner) = self.conversation.take();
        self.calls.returned.notify_one();
    }
}

impl Conversation {
    /// Goes over to this end, if it is another than before.
    fn adopt(&mut self, end: &Arc<End>) {
        if self.end.as_ref().is_some_and(|old| old.pair == end.pair) {
            return;
        }
        self.end = Some(Arc::clone(end));
        self.reader.reset();
        (self.number, self.answered) = (0, 0);
        (self.read_timeout, self.write_timeout) = (None, None);
    }

    /// Answers that came too late. None of them can be of a call that was not made, or come twice.
    fn drop_late_answers(&mut self) -> Result<(), Malformed> {
        while let Some((number, _)) = self.reader.take()? {
            self.accept(number)?;
        }
        Ok(())
    }

    fn accept(&mut self, number: u64) -> Result<(), Malformed> {
        if number <= self.answered || number > self.number {
            return Err(Malformed);
        }
        self.answered = number;
        Ok(())
    }

    fn exchange(
        &mut self,
        end: &End,
        number: u64,
        message: &[u8],
        deadline: Instant,
        timeout: Duration,
    ) -> Result<Vec<u8>, Broken> {
        let broken = |error| Broken { error, end: true };
        // The socket's own timeout is that of a whole call and is set once. A wait that had to be
        // begun again gets what is left.
        if self.write_timeout != Some(timeout) {
            let set = end.stream.set_write_timeout(Some(timeout));
            set.map_err(|_| broken(CallError::PeerGone))?;
            self.write_timeout = Some(timeout);
        }
        match write_all(&end.stream, message, deadline) {
            Ok(()) => self.number = number,
            // A message that is not complete is not executed. The stream is of no more use then.
            Err(unwritten) if unwritten.late => {
                return Err(Broken {
                    error: CallError::Timeout,
                    end: unwritten.begun,
                });
            }
            Err(_) => return Err(broken(CallError::PeerGone)),
        }
        let mut left = timeout;
        loop {
            while let Some((answered, payload)) = self
                .reader
                .take()
                .map_err(|Malformed| broken(CallError::BadAnswer))?
            {
                self.accept(answered)
                    .map_err(|Malformed| broken(CallError::BadAnswer))?;
                if answered == number {
                    return Ok(payload);
                }
            }
            if left.is_zero() {
                return Err(Broken {
                    error: CallError::Timeout,
                    end: false,
                });
            }
            let wait = at_least_a_little(left);
            if self.read_timeout != Some(wait) {
                let set = end.stream.set_read_timeout(Some(wait));
                set.map_err(|_| broken(CallError::Interrupted))?;
                self.read_timeout = Some(wait);
            }
            match self.reader.fill(&end.stream) {
                Ok(0) => return Err(broken(CallError::Interrupted)),
                Ok(_) => {}
                Err(e) if is_timeout(&e) || e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(broken(CallError::Interrupted)),
            }
            left = deadline.saturating_duration_since(Instant::now());
        }
    }
}

/// What answers calls: the peer and the payload; `None` closes the edge.
pub(crate) type Handler = dyn Fn(&Peer, &[u8]) -> Option<Vec<u8>> + Send + Sync;

/// Answers the calls of one edge, on whichever pair of sockets, as long as the process lives.
pub(crate) fn answer(line: &Line, control: &Control, handler: &Handler) {
    let mut reader = Reader::new();
    while let Some(end) = line.wait(None) {
        reader.reset();
        // Whatever the reason, the pair is of no more use.
        let _ = converse(&end, &mut reader, handler);
        line.give_up(&end, control);
    }
}

/// Serves one end until it breaks; `None` then.
fn converse(end: &End, reader: &mut Reader, handler: &Handler) -> Option<()> {
    end.stream.set_write_timeout(Some(FRAME)).ok()?;
    let mut last = 0;
    let mut due: Option<Instant> = None;
    loop {
        while let Some((number, payload)) = reader.take().ok()? {
            if number <= last {
                return None;
            }
            last = number;
            let answer = handler(&end.peer, &payload)?;
            let answer = call_message(number, &answer).ok()?;
            write_all(&end.stream, &answer, Instant::now() + FRAME).ok()?;
        }
        let now = Instant::now();
        let wanted = reader.is_partial().then(|| due.unwrap_or(now + FRAME));
        if wanted != due {
            let left = wanted.map(|due| at_least_a_little(due.saturating_duration_since(now)));
            end.stream.set_read_timeout(left).ok()?;
            due = wanted;
        }
        if due.is_some_and(|due| now >= due) {
            return None;
        }
        match reader.fill(&end.stream) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if is_timeout(&error) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
