//! From the launch record to a running application.

use std::fs::File;
use std::io::{Read, Seek as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::errno::Errno;
use p256::ecdsa::SigningKey;
use quorate_es256::portable;
use quorate_protocol::application::{
    ApplicationCertificate, EdgeRole, LAUNCH_RECORD_DESCRIPTOR, LaunchKeys, LaunchRecord, Listener,
};
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::{Object, from_bytes};
use quorate_protocol::control::{Report, ReportKind, ToInit};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::stored::StorageKey;
use quorate_sealing::DecryptionKey;
use zeroize::Zeroizing;

use crate::call::{self, Caller, Handler};
use crate::clock::{Clock, ClockState};
use crate::control::Control;
use crate::dial::Dialer;
use crate::edge::{Line, Peer};
use crate::entropy::Entropy;
use crate::error::AppError;
use crate::listening::ListeningSocket;
use crate::prover::Prover;
use crate::sys;

/// Stack of a thread that answers calls.
const STACK: usize = 1024 * 1024;

/// A started application.
pub struct App {
    certificate: Signed<ApplicationCertificate>,
    instance: VerificationKey,
    listeners: Vec<Listener>,
    control: Arc<Control>,
    callers: Vec<Caller>,
    /// Edges whose calls nobody answers yet.
    callees: Mutex<Vec<Arc<Line>>>,
    prover: Arc<Prover>,
    signing: SigningKey,
    decryption: DecryptionKey,
    storage: Vec<Storage>,
    clock: Clock,
    entropy: Entropy,
}

/// A sealing key, with its owner and its reader.
struct Storage {
    owner: Name,
    reader: Name,
    key: Arc<StorageKey>,
}

impl App {
    /// Takes over what init handed to this process: hardens it, reads the record, takes the keys.
    /// Proofs are signed in pure Rust.
    ///
    /// # Errors
    /// [`AppError`]; there is nothing an application can do but end.
    pub fn start() -> Result<Self, AppError> {
        Self::start_with::<portable::SigningKey>()
    }

    /// As [`start`](Self::start), with an implementation of ES256 of the application's choice.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with<K>() -> Result<Self, AppError>
    where
        K: quorate_es256::SigningKey + Send + Sync + 'static,
    {
        nix::sys::prctl::set_dumpable(false).map_err(AppError::Hardening)?;
        let record = read(LAUNCH_RECORD_DESCRIPTOR, LaunchRecord::MAX)
            .map_err(AppError::NotLaunched)?
            .1;
        let record: LaunchRecord = from_bytes(&record)?;
        let keys = take_keys(record.keys)?;
        let signing = SigningKey::from_slice(&keys.signing).map_err(|_| AppError::Key)?;
        let decryption = DecryptionKey::from_bytes(&keys.encryption).map_err(|_| AppError::Key)?;
        // The certificate is init's word to others; this process need not doubt its parent.
        let certificate = record.certificate.unverified().clone();
        let live = K::from_scalar(&keys.live).map_err(|_| AppError::Key)?;
        let storage = keys.sealing.iter().map(|sealing| Storage {
            owner: sealing.owner.clone(),
            reader: sealing.reader.clone(),
            key: Arc::new(StorageKey::from_bytes(&sealing.key)),
        });
        let storage = storage.collect();
        drop(keys);

        let control = Arc::new(Control::new(take(record.control)?));
        let mut lines = Vec::with_capacity(record.edges.len());
        for edge in record.edges {
            let stream = UnixStream::from(take(edge.descriptor)?);
            lines.push(Arc::new(Line::new(edge.end, stream)));
        }
        let clock = Arc::new(ClockState::new(record.time));
        control.listen(lines.clone(), Arc::clone(&clock))?;
        let (calls, callees): (Vec<_>, Vec<_>) = lines
            .into_iter()
            .partition(|line| line.role() == EdgeRole::Caller);
        let callers = calls
            .into_iter()
            .map(|line| Caller::new(line, Arc::clone(&control)))
            .collect();
        Ok(Self {
            prover: Arc::new(Prover::new(live, certificate)),
            clock: Clock::new(clock, Arc::clone(&control)),
            entropy: Entropy::new(Arc::clone(&control)),
            certificate: record.certificate,
            instance: record.instance,
            listeners: record.listeners,
            callees: Mutex::new(callees),
            control,
            callers,
            signing,
            decryption,
            storage,
        })
    }

    /// This application's name in the manifest.
    pub fn name(&self) -> &Name {
        &self.certificate.unverified().application
    }

    /// The namespace.
    pub fn genesis(&self) -> Digest<Genesis> {
        self.certificate.unverified().genesis
    }

    /// What runs.
    pub fn manifest(&self) -> Digest<Manifest> {
        self.certificate.unverified().manifest
    }

    /// Which start of this application in this instance this is, from 1.
    pub fn start_number(&self) -> u64 {
        self.certificate.unverified().start
    }

    /// The live key of the instance, which is attested and signed the certificate.
    pub fn instance_key(&self) -> &VerificationKey {
        &self.instance
    }

    /// The certificate of this start, to be given to clients beside proofs.
    pub fn certificate(&self) -> &Signed<ApplicationCertificate> {
        &self.certificate
    }

    /// A listening socket of the manifest entry. Each can be taken once.
    ///
    /// # Errors
    /// [`AppError::Port`], [`AppError::Descriptor`].
    pub fn listener(&mut self, port: u32) -> Result<ListeningSocket, AppError> {
        let position = self.listeners.iter().position(|l| l.port == port);
        let position = position.ok_or(AppError::Port { port })?;
        let number = self.listeners.swap_remove(position).descriptor;
        Ok(ListeningSocket::new(take(number)?))
    }

    /// Calls another application, if the manifest entry names it.
    ///
    /// # Errors
    /// [`AppError::Edge`].
    pub fn caller(&self, callee: &str) -> Result<Caller, AppError> {
        let mut callers = self.callers.iter();
        let caller = callers.find(|caller| caller.line().peer().as_str() == callee);
        caller.cloned().ok_or_else(|| AppError::Edge {
            callee: callee.into(),
        })
    }

    /// Answers the calls of every application that may call this one, each edge in a thread of its
    /// own, as long as the process lives. A handler that gives `None`, or more than
    /// [`MAX_CALL`](quorate_protocol::call::MAX_CALL) bytes, closes the edge; the caller gets a
    /// new one. The first handler answers; another call of this function changes nothing.
    ///
    /// # Errors
    /// [`AppError::Thread`].
    pub fn serve_calls(
        &self,
        handler: impl Fn(&Peer, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Result<(), AppError> {
        let handler: Arc<Handler> = Arc::new(handler);
        let mut callees = self.callees.lock().unwrap_or_else(PoisonError::into_inner);
        for line in callees.drain(..) {
            let (handler, control) = (Arc::clone(&handler), Arc::clone(&self.control));
            thread::Builder::new()
                .stack_size(STACK)
                .spawn(move || call::answer(&line, &control, &*handler))
                .map_err(|_| AppError::Thread)?;
        }
        Ok(())
    }

    /// The key under which `owner` seals what `reader` opens: this application's own where it is
    /// both, else as the manifest shares it.
    ///
    /// # Errors
    /// [`AppError::StorageKey`].
    pub fn storage_key(&self, owner: &str, reader: &str) -> Result<Arc<StorageKey>, AppError> {
        let mut keys = self.storage.iter();
        let found = keys.find(|k| k.owner.as_str() == owner && k.reader.as_str() == reader);
        let found = found.ok_or_else(|| AppError::StorageKey {
            owner: owner.into(),
            reader: reader.into(),
        });
        found.map(|found| Arc::clone(&found.key))
    }

    /// Makes connections to the destinations of the manifest entry.
    pub fn dialer(&self) -> Dialer {
        Dialer(Arc::clone(&self.control))
    }

    /// Randomness for keys: the NSM's mixed with the kernel's.
    pub fn entropy(&self) -> Entropy {
        self.entropy.clone()
    }

    /// Time by the NSM.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Signs proofs with the key of this start.
    pub fn prover(&self) -> Arc<Prover> {
        Arc::clone(&self.prover)
    }

    /// The signing key derived from the quorum key: the same in every instance.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// The decryption key derived from the quorum key: the same in every instance.
    pub fn decryption_key(&self) -> &DecryptionKey {
        &self.decryption
    }

    /// What reports to init's log. Threads share one by cloning it.
    pub fn reporter(&self) -> Reporter {
        Reporter(Arc::clone(&self.control))
    }

    /// Reports to init's log, which shows it on the console and to operators. Above a rate reports
    /// are counted and dropped.
    pub fn report(&self, kind: ReportKind, code: u16, value: u64) {
        self.reporter().report(kind, code, value);
    }

    /// Tells init that this application serves from now on.
    ///
    /// # Errors
    /// [`AppError::Control`].
    pub fn ready(&self) -> Result<(), AppError> {
        self.control.send(&ToInit::Ready)
    }

    /// Waits until init asks this application to end.
    ///
    /// # Errors
    /// [`AppError::Control`] if init is gone.
    pub fn wait_for_stop(&self) -> Result<(), AppError> {
        self.control.wait_for_stop()
    }
}

/// Reports to init's log; see [`App::report`].
#[derive(Clone)]
pub struct Reporter(Arc<Control>);

impl Reporter {
    /// Reports.
    pub fn report(&self, kind: ReportKind, code: u16, value: u64) {
        self.0.report(Report { kind, code, value });
    }
}

/// Takes the keys and erases them in the memory file they came in.
fn take_keys(number: i32) -> Result<LaunchKeys, AppError> {
    let failed = |errno| AppError::Descriptor { number, errno };
    let (mut file, encoded) = read(number, LaunchKeys::MAX).map_err(failed)?;
    let keys = from_bytes(&encoded)?;
    file.rewind()
        .and_then(|()| file.write_all(&vec![0; encoded.len()]))
        .map_err(|e| failed(errno(&e)))?;
    Ok(keys)
}

fn take(number: i32) -> Result<std::os::fd::OwnedFd, AppError> {
    sys::take(number).map_err(|errno| AppError::Descriptor { number, errno })
}

/// Takes a descriptor and reads the file behind it, at most `max` bytes, from its beginning.
fn read(number: i32, max: usize) -> Result<(File, Zeroizing<Vec<u8>>), Errno> {
    let mut file = File::from(sys::take(number)?);
    // One byte more than allowed, so that the decoder sees an overlong file as such.
    let limit = max.saturating_add(1);
    let mut contents = Zeroizing::new(Vec::with_capacity(limit));
    let bounded = u64::try_from(limit).unwrap_or(u64::MAX);
    let outcome = file.rewind().and_then(|()| {
        Read::by_ref(&mut file)
            .take(bounded)
            .read_to_end(&mut contents)
    });
    outcome.map(|_| ()).map_err(|e| errno(&e))?;
    Ok((file, contents))
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
