//! A host between an enclave and the people: it carries requests, and does with some of them as it
//! likes.

#![allow(dead_code, reason = "each test uses its part")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use p256::ecdsa::SigningKey;
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::frame::{Assembler, Sizes, frame};
use quorate_protocol::genesis::SealedShare;
use quorate_protocol::message::{ProvisionRequest, Request, Response};
use quorate_protocol::provision::provision_share_context;
use quorate_sealing::{Suite, seal};
use quorate_sharing::Secret;

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
    pub(crate) fn start(
        path: PathBuf,
        enclave: &str,
        mut carry: impl FnMut(Request) -> Carried + Send + 'static,
    ) -> Self {
        let listener = UnixListener::bind(&path).expect("a socket");
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, behind) = (Arc::clone(&stop), PathBuf::from(enclave));
        let thread = thread::spawn(move || {
            for person in listener.incoming() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let mut person = person.expect("somebody");
                while let Some(request) = receive::<Request>(&mut person) {
                    let response = match carry(request) {
                        Carried::On(request) => ask(&behind, &request),
                        Carried::Answered(response) => *response,
                    };
                    send(&mut person, &response);
                }
            }
        });
        Self {
            path,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn socket(&self) -> String {
        self.path.to_str().expect("text").to_owned()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes it where it waits for somebody.
        let woken = UnixStream::connect(&self.path);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// One question to an enclave.
pub(crate) fn ask(enclave: &Path, request: &Request) -> Response {
    let mut stream = UnixStream::connect(enclave).expect("an enclave");
    send(&mut stream, request);
    receive(&mut stream).expect("an answer")
}

fn send<M: Object>(stream: &mut UnixStream, message: &M) {
    let sent = frame(&to_bytes(message)).expect("a frame");
    // Who has gone hears nothing.
    let _ = stream.write_all(&sent);
}

/// The next message; none when the other side has closed.
fn receive<M: Object + Sizes>(stream: &mut UnixStream) -> Option<M> {
    let mut assembler = Assembler::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let wanted = assembler.wanted::<M>().expect("a length").min(buffer.len());
        let len = stream.read(&mut buffer[..wanted]).ok()?;
        if len == 0 {
            return None;
        }
        let payload = assembler.push::<M>(&buffer[..len]).expect("a frame");
        if let Some(payload) = payload {
            return Some(from_bytes(&payload).expect("a message"));
        }
    }
}

/// What a spoiled tool would send in the place of a grant: another number, sealed and signed as it
/// should be.
pub(crate) fn spoiled(honest: &ProvisionRequest, key: &SigningKey) -> ProvisionRequest {
    let mut grant = honest.grant.unverified().clone();
    let context =
        provision_share_context(&grant.genesis, &grant.manifest, grant.index, &grant.epoch);
    let suite = Suite::P256Sha256Aes256Gcm;
    let mut rng = UnwrapErr(SysRng);
    let number = Secret::random(&mut rng).signing_key().to_bytes();
    let sealed = seal(
        suite,
        grant.setup.encryption.inner(),
        context.info.as_bytes(),
        &context.aad,
        &number,
        &mut rng,
    );
    let sealed = SealedShare::new(suite, sealed.expect("sealed")).expect("a share");
    grant.sealed = Digest::of(&sealed);
    ProvisionRequest {
        grant: Signed::sign(grant, key),
        sealed,
        delegation: None,
    }
}
