//! A connection of this program's own to an enclave: its state, watched closely, and questions to
//! its applications. What people do goes through the ceremony's commands, not through here.
//!
//! Trusts: nothing of what it hears. States are shown as claims and timed; what the application
//! proves is verified with the evidence.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::frame::{Assembler, Sizes, frame};
use quorate_protocol::message::{Phase, Request, Response, Status};

use crate::failure::{Failure, Fault};

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How often a watched enclave is asked: what timings are measured to.
const WATCH: Duration = Duration::from_micros(500);

/// A connection that speaks frames.
pub(crate) struct Connection {
    stream: UnixStream,
    path: PathBuf,
}

impl Connection {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(path);
        Self::accepted(
            stream.map_err(|error| unreachable_enclave(path, &error.to_string()))?,
            path,
        )
    }

    /// The other end of a connection that somebody made; `path` is what errors name.
    pub(crate) fn accepted(stream: UnixStream, path: &Path) -> Result<Self, Failure> {
        stream
            .set_read_timeout(Some(ANSWER_LIMIT))
            .and_then(|()| stream.set_write_timeout(Some(ANSWER_LIMIT)))
            .map_err(|error| unreachable_enclave(path, &error.to_string()))?;
        Ok(Self {
            stream,
            path: path.to_owned(),
        })
    }

    /// Sends one request and takes one answer.
    pub(crate) fn ask<Q: Object, A: Object + Sizes>(&mut self, question: &Q) -> Result<A, Failure> {
        self.send(question)?;
        self.receive()
    }

    /// Sends one message.
    pub(crate) fn send<M: Object>(&mut self, message: &M) -> Result<(), Failure> {
        let sent = frame(&to_bytes(message)).map_err(|error| self.lost(&error.to_string()))?;
        self.stream
            .write_all(&sent)
            .map_err(|error| self.lost(&error.to_string()))
    }

    /// Takes one message.
    pub(crate) fn receive<M: Object + Sizes>(&mut self) -> Result<M, Failure> {
        let payload = self.payload::<M>()?;
        from_bytes(&payload).map_err(|error| self.lost(&error.to_string()))
    }

    fn payload<S: Sizes>(&mut self) -> Result<Vec<u8>, Failure> {
        let mut assembler = Assembler::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let wanted = assembler
                .wanted::<S>()
                .map_err(|error| self.lost(&error.to_string()))?;
            let room = wanted.min(buffer.len());
            let room = buffer.get_mut(..room).unwrap_or_default();
            let len = self
                .stream
                .read(room)
                .map_err(|error| self.lost(&error.to_string()))?;
            if len == 0 {
                return Err(self.lost("it closed the connection"));
            }
            let received = room.get(..len).unwrap_or_default();
            let payload = assembler.push::<S>(received);
            if let Some(payload) = payload.map_err(|error| self.lost(&error.to_string()))? {
                return Ok(payload);
            }
        }
    }

    pub(crate) fn status(&mut self) -> Result<Status, Failure> {
        match self.ask(&Request::Status)? {
            Response::Status(status) => Ok(status),
            _ => Err(self.lost("it answered another question")),
        }
    }

    fn lost(&self, why: &str) -> Failure {
        unreachable_enclave(&self.path, why)
    }
}

fn unreachable_enclave(path: &Path, why: &str) -> Failure {
    Failure::refused(
        Fault::Enclave,
        "enclave-unreachable",
        format!("no answer at {}: {why}", path.display()),
        "read the enclave's console",
    )
}

/// Waits until every application is ready.
pub(crate) fn await_running(socket: &Path) -> Result<(), Failure> {
    let mut connection = Connection::open(socket)?;
    let since = Instant::now();
    loop {
        let status = connection.status()?;
        if status.phase == Phase::Running && status.applications.iter().all(|app| app.ready) {
            return Ok(());
        }
        if status.phase == Phase::Halting || since.elapsed() > ANSWER_LIMIT {
            return Err(Failure::refused(
                Fault::Enclave,
                "not-running",
                format!("the enclave is in phase {:?} and not running", status.phase),
                "read the enclave's console",
            ));
        }
        thread::sleep(WATCH);
    }
}

/// One look at an enclave.
#[derive(Clone, Copy, Debug)]
struct Look {
    asked: Instant,
    answered: Instant,
    phase: Phase,
}

/// Looks at an enclave's state again and again, in a thread of its own.
pub(crate) struct Watch {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Look>>,
}

impl Watch {
    pub(crate) fn start(socket: &Path) -> Result<Self, Failure> {
        let mut connection = Connection::open(socket)?;
        let enough = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&enough);
        let look = move || {
            let mut looks = Vec::new();
            loop {
                // One look more after the caller has seen enough, so that what it saw is seen here.
                let last = stop.load(Ordering::Acquire);
                let asked = Instant::now();
                let Ok(status) = connection.status() else {
                    break;
                };
                let answered = Instant::now();
                let phase = status.phase;
                looks.push(Look {
                    asked,
                    answered,
                    phase,
                });
                if last {
                    break;
                }
                thread::sleep(WATCH);
            }
            looks
        };
        let thread = thread::Builder::new().name("watch".into()).spawn(look);
        match thread {
            Ok(thread) => Ok(Self { enough, thread }),
            Err(error) => Err(unreachable_enclave(socket, &error.to_string())),
        }
    }

    /// How long the enclave took from `before` to `after`, at most: from the last time it was
    /// asked and still said `before` to the first answer that said `after`.
    pub(crate) fn between(self, before: Phase, after: Phase) -> Option<Duration> {
        self.enough.store(true, Ordering::Release);
        between(&self.thread.join().ok()?, before, after)
    }
}

fn between(looks: &[Look], before: Phase, after: Phase) -> Option<Duration> {
    let last = looks.iter().rfind(|look| look.phase == before)?;
    let first = looks.iter().find(|look| look.phase == after)?;
    first.answered.checked_duration_since(last.asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_timed_from_the_question_before_to_the_answer_after() {
        let start = Instant::now();
        let look = |asked: u64, answered: u64, phase| Look {
            asked: start + Duration::from_millis(asked),
            answered: start + Duration::from_millis(answered),
            phase,
        };
        let looks = [
            look(0, 1, Phase::Collecting),
            look(2, 3, Phase::Collecting),
            look(4, 9, Phase::Launching),
            look(10, 12, Phase::Running),
            look(13, 14, Phase::Running),
        ];
        let took = between(&looks, Phase::Collecting, Phase::Running);
        assert_eq!(took, Some(Duration::from_millis(10)));
        assert_eq!(between(&looks, Phase::Waiting, Phase::Running), None);
        assert_eq!(between(&looks, Phase::Collecting, Phase::Halting), None);
        assert_eq!(between(&[], Phase::Collecting, Phase::Running), None);
    }
}
