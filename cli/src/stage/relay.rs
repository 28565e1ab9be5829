//! A host between an enclave and the people: it carries bytes, and does with some of them as it
//! likes.
//!
//! Guarantees: it listens on a socket of its own, takes one connection at a time, and ends with
//! [`Relay`]. What it does to a request is decided by the closure it was given.
//!
//! Does not: know any secret. What it can do any host of an enclave can.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use quorate_protocol::message::{Request, Response};

use super::children::EnclaveSockets;
use super::enclave::Connection;
use crate::failure::Failure;
use crate::files;

/// What becomes of a request.
pub(crate) enum Carried {
    /// The enclave gets this one.
    On(Box<Request>),
    /// The enclave gets nothing, the person this answer.
    Answered(Box<Response>),
}

/// A relay that runs until it is dropped.
pub(crate) struct Relay {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Listens at `path` in front of an enclave.
    ///
    /// # Errors
    /// If the socket or the thread cannot be made.
    pub(crate) fn start(
        path: PathBuf,
        enclave: &EnclaveSockets,
        mut carry: impl FnMut(Request) -> Carried + Send + 'static,
    ) -> Result<Self, Failure> {
        let listener =
            UnixListener::bind(&path).map_err(|error| files::unwritable(&path, &error))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, behind) = (Arc::clone(&stop), enclave.operator.clone());
        let serve = move || {
            for person in listener.incoming() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                // Whoever breaks off is told nothing, as by any host.
                if let Ok(person) = person {
                    let _ = serve(person, &behind, &mut carry);
                }
            }
        };
        let thread = thread::Builder::new().name("relay".into()).spawn(serve);
        let thread = thread.map_err(|error| files::unwritable(&path, &error))?;
        Ok(Self {
            path,
            stop,
            thread: Some(thread),
        })
    }

    /// The sockets of the enclave, as the host shows them.
    pub(crate) fn shown(&self) -> EnclaveSockets {
        EnclaveSockets {
            directory: self.path.with_file_name(""),
            operator: self.path.clone(),
            public: self.path.clone(),
        }
    }
}

/// One person's connection, to its end.
fn serve(
    person: UnixStream,
    enclave: &Path,
    carry: &mut impl FnMut(Request) -> Carried,
) -> Result<(), Failure> {
    let mut person = Connection::accepted(person, enclave)?;
    loop {
        let request: Request = person.receive()?;
        let response = match carry(request) {
            Carried::On(request) => Connection::open(enclave)?.ask(&*request)?,
            Carried::Answered(response) => *response,
        };
        person.send(&response)?;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes it where it waits for somebody; one that is in a connection ends with that, because
        // every read and write there has its limit.
        let woken = UnixStream::connect(&self.path);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}
