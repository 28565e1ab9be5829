//! Enclaves that are init itself, on the emulated security module, and people who take the steps of a
//! ceremony with them. The tests of whole ceremonies stand on it, and those that kill steps.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use quorate_emulator::device::{Config, Mode, NsmDevice};
use quorate_emulator::identity::InstanceId;
use quorate_emulator::measurements::{Measurements, process_measurements};
use quorate_emulator::pki::DevelopmentRoot;
use quorate_emulator::server::{SocketNsm, serve, socket_pair, system_clock_ms};
use quorate_init::nsm::TransportError;
use quorate_init::{Confinement, Halt, Platform, run};
use quorate_protocol::atoms::Name;
use quorate_protocol::definition::AgeLimit;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::message::{Phase, Reason};
use quorate_protocol::ports;
use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::client::{Client, ClientError};
use quorate_quorum_ceremony::inputs::{self, ApplicationSpec, Binary};
use quorate_quorum_ceremony::keyfile::Passphrase;
use quorate_quorum_ceremony::steps::reshare::{order, receipt as reshare_receipt, sign};
use quorate_quorum_ceremony::steps::{
    approve, boot, consent, define, genesis, join, manifest, provision, receipt, rotate, status,
};
use quorate_verify::attestation::{Partition, TrustAnchor};
use zeroize::Zeroizing;

pub(crate) const MEMBERS: [&str; 3] = ["alice", "bob", "carol"];
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/quorate";

/// An enclave's device and sockets.
struct Emulated {
    nsm: Option<SocketNsm>,
    directory: PathBuf,
}

impl Platform for Emulated {
    type Nsm = SocketNsm;

    fn nsm(&mut self) -> Result<SocketNsm, TransportError> {
        self.nsm.take().ok_or(TransportError::Open {
            errno: Errno::EBUSY,
        })
    }

    fn confine(&mut self, _: &[u8; 64]) -> Result<Confinement, Halt> {
        Ok(Confinement::as_user())
    }

    fn available_memory(&mut self, _: u64) -> Option<u64> {
        quorate_init::available_memory()
    }

    fn dial(&mut self, _: u32) -> Result<OwnedFd, Errno> {
        // No application of these tests connects anywhere.
        Err(Errno::ECONNREFUSED)
    }

    fn listen(&mut self, port: u32) -> Result<OwnedFd, Errno> {
        let name = match port {
            ports::OPERATOR => "operator.sock".to_owned(),
            port => format!("{port}.sock"),
        };
        let listener =
            UnixListener::bind(self.directory.join(name)).map_err(|_| Errno::EADDRINUSE)?;
        Ok(listener.into())
    }
}

/// A place with a development root, where enclaves can be started.
pub(crate) struct Place {
    pub(crate) outer: tempfile::TempDir,
    pub(crate) root: Arc<DevelopmentRoot>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let mut rng = getrandom::SysRng;
        let root = DevelopmentRoot::generate(&mut rng, system_clock_ms()).unwrap();
        Self {
            outer: tempfile::tempdir().unwrap(),
            root: Arc::new(root),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.outer.path().join(name)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.path("shared")
    }

    /// Starts an enclave of this image; returns its operator socket.
    pub(crate) fn start(&self, name: &str, image: &[u8]) -> PathBuf {
        let directory = self.path(name);
        fs::create_dir(&directory).unwrap();
        let mut rng = getrandom::SysRng;
        let config = Config {
            measurements: process_measurements(image),
            instance: InstanceId::generate(&mut rng).unwrap(),
            role_arn: Some(ROLE.to_owned()),
            mode: Mode::Normal,
        };
        let root = Arc::clone(&self.root);
        let mut device = NsmDevice::new(config, root, rng, system_clock_ms()).unwrap();
        let (end, nsm) = socket_pair().unwrap();
        thread::spawn(move || serve(&end, &mut device, system_clock_ms));
        let platform = Emulated {
            nsm: Some(nsm),
            directory: directory.clone(),
        };
        thread::spawn(move || run(platform));
        let socket = directory.join("operator.sock");
        // The file is there a moment before anybody listens.
        wait(|| UnixStream::connect(&socket).ok());
        socket
    }

    pub(crate) fn private(&self, member: &str) -> PathBuf {
        self.path(member)
    }

    pub(crate) fn measurements(&self, image: &[u8]) -> quorate_protocol::definition::Measurements {
        inputs::measurements(json(&process_measurements(image)).as_bytes()).unwrap()
    }
}

pub(crate) fn json(measurements: &Measurements) -> String {
    let hex = |pcr: &[u8]| -> String { pcr.iter().map(|byte| format!("{byte:02x}")).collect() };
    let Measurements {
        pcr0, pcr1, pcr2, ..
    } = measurements;
    format!(
        r#"{{"PCR0":"{}","PCR1":"{}","PCR2":"{}"}}"#,
        hex(pcr0),
        hex(pcr1),
        hex(pcr2)
    )
}

pub(crate) fn wait<T>(mut until: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = until() {
            return value;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn words(member: &str) -> Passphrase {
    let words = format!("the long passphrase of {member}");
    Passphrase::new(Zeroizing::new(words.into_bytes())).unwrap()
}

/// A program that runs for as long as the test: a stand-in for an application.
pub(crate) fn sleeper() -> PathBuf {
    ["/usr/bin/sleep", "/bin/sleep"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.is_file())
        .expect("every system has sleep")
}

/// From nothing to a definition that everybody consented to.
pub(crate) fn found(place: &Place) {
    found_with(place, &MEMBERS);
}

pub(crate) fn found_with(place: &Place, people: &[&str]) {
    found_limited(place, people, AgeLimit::SHORTEST);
}

/// The same, under a definition with this limit for attestations.
pub(crate) fn found_limited(place: &Place, people: &[&str], age_limit: AgeLimit) {
    for member in people {
        join::prepare(&place.folder(), &place.private(member), &name(member), None)
            .unwrap()
            .join(words(member))
            .unwrap();
    }
    let plan = define::Plan {
        namespace: name("test"),
        members: people.iter().map(|member| name(member)).collect(),
        manifest_members: None,
        manifest_threshold: 2,
        share_threshold: 2,
        age_limit,
        root: TrustAnchor::from_der(Partition::Development, place.root.root_der()).unwrap(),
        measurements: place.measurements(b"genesis image"),
    };
    define::define(&place.folder(), &plan).unwrap();
    for member in people {
        consent::review(&place.folder(), &place.private(member), None)
            .unwrap()
            .consent(words(member))
            .unwrap();
    }
}

pub(crate) fn acknowledge(place: &Place, member: &str, socket: &Path) -> Result<(), CeremonyError> {
    receipt::review(&place.folder(), &place.private(member), socket)?
        .acknowledge(words(member))
        .map(drop)
}

pub(crate) fn approve_as(place: &Place, member: &str) -> Result<(), CeremonyError> {
    approve::review(&place.folder(), &place.private(member), None)?
        .approve(words(member))
        .map(drop)
}

pub(crate) fn provision_as(
    place: &Place,
    member: &str,
    socket: &Path,
) -> Result<provision::Given, CeremonyError> {
    provision::attest(&place.folder(), &place.private(member), socket)?.give(words(member))
}

pub(crate) fn propose(place: &Place, image: &[u8]) {
    propose_with(place, image, manifest::ForwardPlan::Keep);
}

pub(crate) fn propose_with(place: &Place, image: &[u8], forward: manifest::ForwardPlan) {
    let text = format!(
        "sleep={},port=5100,memory=1073741824,start-deadline=600000,arg=600",
        sleeper().display()
    );
    let plan = manifest::Plan {
        measurements: place.measurements(image),
        applications: vec![ApplicationSpec::parse(&text).unwrap()],
        valid_days: 1,
        forward,
    };
    manifest::propose(&place.folder(), &plan).unwrap();
}

pub(crate) fn binaries() -> Vec<Binary> {
    vec![Binary::parse(&format!("sleep={}", sleeper().display())).unwrap()]
}

pub(crate) fn next(place: &Place) -> status::Next {
    status::read(&place.folder(), None).unwrap().next
}

pub(crate) fn refused_for<T: std::fmt::Debug>(result: Result<T, CeremonyError>) -> Reason {
    match result {
        Err(CeremonyError::Client(ClientError::Refused(refusal))) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

/// A namespace of alice, bob and carol, and an instance that runs.
pub(crate) fn running(place: &Place) -> (Digest<Genesis>, PathBuf) {
    found(place);
    let birth = place.start("genesis", b"genesis image");
    let born = genesis::hold(&place.folder(), &birth).unwrap();
    for member in MEMBERS {
        acknowledge(place, member, &birth).unwrap();
    }
    propose(place, b"the image");
    for member in ["alice", "bob"] {
        approve_as(place, member).unwrap();
    }
    let one = place.start("one", b"the image");
    boot::boot(&place.folder(), &one, &binaries(), None, &mut |_| {}).unwrap();
    for member in ["alice", "carol"] {
        provision_as(place, member, &one).unwrap();
    }
    await_key(&one);
    (born.genesis, one)
}

pub(crate) fn await_key(socket: &Path) {
    wait(|| {
        let phase = Client::connect(socket).unwrap().status().unwrap().phase;
        matches!(phase, Phase::Launching | Phase::Running).then_some(())
    });
}

pub(crate) fn plan(members: &[&str], threshold: u8) -> order::Plan {
    order::Plan {
        members: members.iter().copied().map(name).collect(),
        threshold,
        days: 3,
    }
}

pub(crate) fn sign_as(place: &Place, member: &str) -> Result<sign::Consented, CeremonyError> {
    sign::review(&place.folder(), &place.private(member), None)?.consent(words(member))
}

pub(crate) fn receive_as(
    place: &Place,
    member: &str,
) -> Result<reshare_receipt::Received, CeremonyError> {
    reshare_receipt::review(&place.folder(), &place.private(member), None)?
        .acknowledge(words(member))
}

pub(crate) fn rotation(
    manifest_members: Option<&[&str]>,
    reshare: rotate::Reshared,
) -> rotate::Plan {
    rotate::Plan {
        manifest_members: manifest_members.map(|all| all.iter().copied().map(name).collect()),
        manifest_threshold: None,
        reshare,
        new_keys: Vec::new(),
        valid_days: 1,
    }
}
