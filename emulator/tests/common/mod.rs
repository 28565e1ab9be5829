//! A whole ceremony in one process, for tests that talk to a real emulated enclave.
//!
//! With `QUORATE_ENCLAVES=machine` every enclave is a virtual machine that boots `QUORATE_IMAGE`:
//! the same tests against the very image a Nitro instance would boot.
//!
//! The enclave is the real init in its own process with a real (emulated) NSM; the people are keys
//! in memory. What people's tools check is tested in `quorum-ceremony`; this is for what an enclave
//! does with good and bad input.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use p256::ecdsa::SigningKey;
use quorate_emulator::device::Mode;
use quorate_emulator::fault::Faults;
use quorate_emulator::machine::qemu::Search;
use quorate_emulator::machine::run::{Setup, Until};
use quorate_emulator::process::{Hypervisor, ProcessError, Start, Started};
use quorate_protocol::atoms::{Bytes, Name, Pcr, Sha256, ShareIndex, Text, UnixMillis};
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{
    AgeLimit, AttestationRoot, Definition, DefinitionConsent, DefinitionFields, MeasurementFields,
    Measurements,
};
use quorate_protocol::digest::Digest;
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::genesis::{
    GenesisReceipt, GenesisRecord, Possession, SealContext, SealedShare, genesis_share_context,
};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{
    Application, Approval, Link, Manifest, ManifestFields, RestartPolicy, Validity,
};
use quorate_protocol::members::{Member, MemberSet, MemberSetFields, Role};
use quorate_protocol::message::{
    AttestRequest, BootRequest, Booted, GenesisRequest, GenesisResponse, Nonce, ProvisionRequest,
    Reason, Refusal, Request, Response, Stage, Status, Upload,
};
use quorate_protocol::provision::{ShareGrant, provision_share_context};
use quorate_sealing::{DecryptionKey, Suite, open, seal};
use quorate_sharing::{Commitments, Secret, Share};

pub(crate) type Rng = UnwrapErr<SysRng>;

pub(crate) fn rng() -> Rng {
    UnwrapErr(SysRng)
}

pub(crate) fn index(n: u8) -> ShareIndex {
    ShareIndex::try_from(n).unwrap()
}

pub(crate) fn nonce() -> Nonce {
    let mut bytes = vec![0; 32];
    getrandom::fill(&mut bytes).unwrap();
    Bytes::new(bytes).unwrap()
}

pub(crate) struct Person {
    pub(crate) name: Name,
    pub(crate) index: ShareIndex,
    pub(crate) signing: SigningKey,
    pub(crate) decryption: DecryptionKey,
}

impl Person {
    pub(crate) fn new(name: &str, n: u8) -> Self {
        Self {
            name: Name::new(name).unwrap(),
            index: index(n),
            signing: Secret::random(&mut rng()).signing_key(),
            decryption: DecryptionKey::random(&mut rng()),
        }
    }

    /// Opens a share that was sealed to this person, and checks it.
    pub(crate) fn open(
        &self,
        sent: &SealedShare,
        context: &SealContext,
        commitments: &Commitments,
    ) -> Share {
        let scalar = open(
            sent.suite,
            &self.decryption,
            context.info.as_bytes(),
            &context.aad,
            &sent.sealed(),
            32,
        )
        .unwrap();
        let share = Share::from_bytes(self.index, scalar.as_slice().try_into().unwrap());
        let share = share.unwrap();
        commitments.check(&share).unwrap();
        share
    }

    pub(crate) fn member(&self) -> Member {
        Member {
            name: self.name.clone(),
            index: self.index,
            signing_key: VerificationKey::of(&self.signing),
            encryption_key: self.decryption.public().into(),
        }
    }
}

pub(crate) fn set(people: &[Person], threshold: u8) -> MemberSet {
    let members = people.iter().map(Person::member).collect();
    Checked::new(MemberSetFields { threshold, members }).unwrap()
}

/// People, an emulator, and what they have agreed on so far.
pub(crate) struct World {
    pub(crate) hypervisor: Hypervisor,
    pub(crate) people: Vec<Person>,
    pub(crate) threshold: u8,
    pub(crate) definition: Definition,
    pub(crate) consents: Vec<Signed<DefinitionConsent>>,
    /// The role of the parent instance of every enclave that is started.
    pub(crate) role: Option<String>,
    starts: u32,
    /// Enclaves are machines with this image instead of processes.
    image: Option<PathBuf>,
    measurements: Measurements,
    _folder: tempfile::TempDir,
}

/// Memory of a machine, in MiB.
const MACHINE_MEMORY: u32 = 512;

/// The image that `QUORATE_IMAGE` names. Without it there are no machines, and the test says so.
pub(crate) fn image() -> Option<PathBuf> {
    let image = std::env::var_os("QUORATE_IMAGE").map(PathBuf::from);
    if image.is_none() {
        eprintln!("SKIPPED, NOTHING WAS TESTED: QUORATE_IMAGE names no image");
    }
    image
}

/// A static binary of the enclave side that is only for tests.
pub(crate) fn static_binary(name: &str) -> Vec<u8> {
    let path = enclave_binaries().join(name);
    std::fs::read(&path).unwrap_or_else(|e| {
        panic!(
            "{}: {e}. Build it with `cargo build --release --target x86_64-unknown-linux-musl -p \
             {name}`, or run ./test",
            path.display()
        )
    })
}

/// The static binaries of the enclave side: in the target folder of this repository, from whichever of
/// its packages this file is compiled.
fn enclave_binaries() -> PathBuf {
    let built = || {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let folders = above.map(|folder| folder.join("target/x86_64-unknown-linux-musl/release"));
        let found = folders.filter(|folder| folder.is_dir()).last();
        found.unwrap_or_else(|| "target/x86_64-unknown-linux-musl/release".into())
    };
    std::env::var_os("QUORATE_BINARIES").map_or_else(built, PathBuf::from)
}

/// The emulated init: that of this build in the emulator's own tests, elsewhere the static one.
pub(crate) fn init() -> PathBuf {
    option_env!("CARGO_BIN_EXE_quorate-init-emulated").map_or_else(
        || enclave_binaries().join("quorate-init-emulated"),
        PathBuf::from,
    )
}

/// The static `echo`.
pub(crate) fn echo() -> Vec<u8> {
    binary("echo")
}

/// A static application, built before the tests by `./test`.
pub(crate) fn binary(name: &str) -> Vec<u8> {
    let path = enclave_binaries().join(format!("quorate-{name}"));
    std::fs::read(&path).unwrap_or_else(|e| {
        panic!(
            "{}: {e}. These tests start a real application: build it with `cargo build --release \
             --target x86_64-unknown-linux-musl -p quorate-{name}`, or run ./test",
            path.display()
        )
    })
}

/// The image that every enclave is to boot, if they are to be machines.
fn machines() -> Option<PathBuf> {
    match std::env::var_os("QUORATE_ENCLAVES") {
        None => None,
        Some(kind) if kind == "machine" => {
            let image = std::env::var_os("QUORATE_IMAGE");
            Some(image.expect("QUORATE_IMAGE names an image").into())
        }
        Some(kind) => panic!("QUORATE_ENCLAVES={} is unknown", kind.display()),
    }
}

fn measurements() -> Measurements {
    convert(quorate_emulator::process::measure(&init()).unwrap())
}

pub(crate) fn root_der(hypervisor: &Hypervisor) -> Vec<u8> {
    use x509_cert::der::{DecodePem as _, Encode as _};
    let pem = std::fs::read(hypervisor.root_path()).unwrap();
    x509_cert::Certificate::from_pem(pem)
        .unwrap()
        .to_der()
        .unwrap()
}

fn convert(m: quorate_emulator::measurements::Measurements) -> Measurements {
    let fields = MeasurementFields {
        pcr0: Pcr(m.pcr0),
        pcr1: Pcr(m.pcr1),
        pcr2: Pcr(m.pcr2),
        role_arn: None,
        pcr8: m.pcr8.map(Pcr),
    };
    Checked::new(fields).unwrap()
}

impl World {
    pub(crate) fn new(members: u8, threshold: u8) -> Self {
        Self::with(members, threshold, machines())
    }

    /// The same people with machines that run this image.
    pub(crate) fn of_machines(members: u8, threshold: u8, image: PathBuf) -> Self {
        Self::with(members, threshold, Some(image))
    }

    /// Processes, and these people.
    pub(crate) fn of_people(people: Vec<Person>, threshold: u8) -> Self {
        Self::with_people(people, threshold, None)
    }

    fn with(members: u8, threshold: u8, image: Option<PathBuf>) -> Self {
        let people = (1..=members).map(|n| Person::new(&format!("member-{n}"), n));
        Self::with_people(people.collect(), threshold, image)
    }

    fn with_people(people: Vec<Person>, threshold: u8, image: Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut hypervisor = Hypervisor::new(folder.path()).unwrap();
        if let Some(qemu) = std::env::var_os("QUORATE_QEMU") {
            hypervisor.look_for_qemu(Search::Given(qemu.into()));
        }
        let measurements = match &image {
            None => measurements(),
            Some(image) => convert(quorate_emulator::machine::image::measure(image).unwrap()),
        };
        let fields = DefinitionFields {
            format: quorate_protocol::FORMAT,
            namespace: Name::new("test").unwrap(),
            manifest_set: set(&people, threshold),
            share_set: set(&people, threshold),
            attestation_root: AttestationRoot {
                partition: Name::new(AttestationRoot::DEVELOPMENT).unwrap(),
                fingerprint: Sha256::of(&root_der(&hypervisor)),
            },
            measurements: measurements.clone(),
            age_limit: AgeLimit::SHORTEST,
        };
        let definition = Checked::new(fields).unwrap();
        let consents = consents(&definition, &people);
        let _folder = folder;
        Self {
            hypervisor,
            people,
            threshold,
            definition,
            consents,
            role: None,
            starts: 0,
            image,
            measurements,
            _folder,
        }
    }

    /// A new enclave that waits.
    pub(crate) fn start(&mut self) -> Enclave {
        self.start_with(None)
    }

    /// The same with so many bytes of memory for binaries.
    pub(crate) fn start_with(&mut self, memory: Option<u64>) -> Enclave {
        match self.image.clone() {
            None => self.start_process(memory, &Faults::default()).unwrap(),
            Some(image) => {
                let mebibytes =
                    memory.map_or(MACHINE_MEMORY, |bytes| u32::try_from(bytes >> 20).unwrap());
                let started = self.start_machine_with(image, Faults::default(), mebibytes);
                started.unwrap_or_else(|e| panic!("{e}\n{}", self.console(&self.newest())))
            }
        }
    }

    /// A new process that waits, and in which these things go wrong.
    pub(crate) fn start_process(
        &mut self,
        memory: Option<u64>,
        faults: &Faults,
    ) -> Result<Enclave, ProcessError> {
        self.starts += 1;
        let start = Start {
            name: self.newest(),
            init: init(),
            role_arn: self.role.clone(),
            memory,
            mode: Mode::Normal,
        };
        let started = self.hypervisor.start_with(&start, &faults.nsm)?;
        Ok(Enclave { started })
    }

    /// The name of the enclave that was started last.
    pub(crate) fn newest(&self) -> Name {
        Name::new(&format!("enclave-{}", self.starts)).unwrap()
    }

    /// A new machine that waits, and in which these things go wrong.
    pub(crate) fn start_machine(
        &mut self,
        image: PathBuf,
        faults: Faults,
    ) -> Result<Enclave, ProcessError> {
        self.start_machine_with(image, faults, MACHINE_MEMORY)
    }

    /// The same with so much memory, in MiB.
    fn start_machine_with(
        &mut self,
        image: PathBuf,
        faults: Faults,
        memory_mib: u32,
    ) -> Result<Enclave, ProcessError> {
        self.starts += 1;
        let setup = Setup {
            image,
            cid: None,
            memory_mib,
            cpus: 2,
            role_arn: self.role.clone(),
            mode: Mode::Normal,
            ports: vec![5100, 5101, 5102, 5103],
            faults,
            until: Until::Listening,
        };
        let name = self.newest();
        let started = self.hypervisor.start_machine(&name, &setup)?;
        Ok(Enclave { started })
    }

    /// What the console of an enclave shows.
    pub(crate) fn console(&self, name: &Name) -> String {
        let path = self._folder.path().join(name.as_str()).join("console.log");
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    pub(crate) fn genesis_request(&self) -> GenesisRequest {
        GenesisRequest {
            definition: self.definition.clone(),
            consents: self.consents.clone(),
            entropy: Vec::new(),
            nonce: nonce(),
        }
    }

    /// Holds a genesis and gives the finished record and everyone's share.
    pub(crate) fn genesis(&mut self) -> (GenesisRecord, Vec<Share>) {
        let enclave = self.start();
        let response = match enclave.ask(&Request::Genesis(self.genesis_request())) {
            Response::Genesis(response) => response,
            other => panic!("{other:?}"),
        };
        if self.image.is_some() {
            // It can do nothing else, and a machine costs a processor.
            let _ = self.hypervisor.stop(&self.newest());
        }
        self.receipts(response)
    }

    /// The members' side of a genesis.
    pub(crate) fn receipts(&self, response: GenesisResponse) -> (GenesisRecord, Vec<Share>) {
        let mut record = GenesisRecord {
            definition: self.definition.clone(),
            consents: self.consents.clone(),
            output: response.output,
            document: response.document,
            receipts: Vec::new(),
            exceptions: None,
        };
        let named = Digest::of(&self.definition);
        let mut shares = Vec::new();
        for (person, sent) in self.people.iter().zip(record.output.shares.clone()) {
            let context = genesis_share_context(&named, person.index);
            let share = person.open(&sent.sealed, &context, record.output.commitments.inner());
            let epoch = record.output.commitments.epoch();
            let genesis = record.digest();
            let possession = Possession {
                genesis,
                epoch,
                index: person.index,
            };
            let receipt = GenesisReceipt {
                genesis,
                epoch,
                index: person.index,
                document: Sha256::of(record.document.as_slice()),
                time: UnixMillis(1),
                possession: Signed::sign(possession, &share.signing_key()),
            };
            record.receipts.push(Signed::sign(receipt, &person.signing));
            shares.push(share);
        }
        (record, shares)
    }

    pub(crate) fn manifest_fields(&self, record: &GenesisRecord, binary: &[u8]) -> ManifestFields {
        let commitments = record.output.commitments.clone();
        ManifestFields {
            format: quorate_protocol::FORMAT,
            genesis: record.digest(),
            sequence: 1,
            previous: None,
            last_set_change: None,
            quorum_key: commitments.quorum_key().unwrap(),
            epoch: commitments.epoch(),
            commitments,
            measurements: self.measurements.clone(),
            applications: vec![application("echo", binary)],
            manifest_set: set(&self.people, self.threshold),
            share_set: set(&self.people, self.threshold),
            validity: Validity {
                not_before: UnixMillis(0),
                not_after: UnixMillis(u64::MAX >> 12),
            },
            suites: vec![1],
            forward: None,
        }
    }

    /// A manifest approved by exactly the threshold of the manifest set, and of the share set where
    /// an application may connect somewhere.
    pub(crate) fn approved(&self, fields: ManifestFields) -> Link {
        let manifest: Manifest = Checked::new(fields).unwrap();
        let signers = &self.people[..usize::from(self.threshold)];
        let mut all = approvals(&manifest, signers, Role::ManifestSet);
        if !manifest.egress_policy().is_empty() {
            all.extend(approvals(&manifest, signers, Role::ShareSet));
        }
        Link {
            approvals: all,
            manifest,
            reshare: None,
            surrogates: Vec::new(),
        }
    }

    /// Everything up to an instance that waits for shares.
    pub(crate) fn booted(&mut self) -> Instance {
        let (record, shares) = self.genesis();
        let link = self.approved(self.manifest_fields(&record, &echo()));
        self.boot(record, shares, vec![link])
    }

    pub(crate) fn boot(
        &mut self,
        record: GenesisRecord,
        shares: Vec<Share>,
        chain: Vec<Link>,
    ) -> Instance {
        self.boot_with(record, shares, chain, &echo())
    }

    /// Boots a manifest all of whose applications are this binary.
    pub(crate) fn boot_with(
        &mut self,
        record: GenesisRecord,
        shares: Vec<Share>,
        chain: Vec<Link>,
        binary: &[u8],
    ) -> Instance {
        let enclave = self.start();
        Self::boot_in(enclave, record, shares, chain, binary)
    }

    /// The same in an enclave that waits.
    pub(crate) fn boot_in(
        enclave: Enclave,
        record: GenesisRecord,
        shares: Vec<Share>,
        chain: Vec<Link>,
        binary: &[u8],
    ) -> Instance {
        enclave.upload(binary);
        let request = BootRequest {
            record: record.clone(),
            chain: chain.clone(),
        };
        let booted = match enclave.ask(&Request::Boot(request)) {
            Response::Booted(booted) => *booted,
            other => panic!("{other:?}"),
        };
        Instance {
            enclave,
            record,
            chain,
            shares,
            booted,
        }
    }
}

pub(crate) fn application(name: &str, binary: &[u8]) -> Application {
    Application {
        name: Name::new(name).unwrap(),
        sha256: Sha256::of(binary),
        size: binary.len() as u64,
        arguments: Vec::new(),
        environment: vec![Text::new("GREETING=hello").unwrap()],
        ports: vec![5100],
        memory_limit: 256 * 1024 * 1024,
        restart: RestartPolicy {
            restarts: 3,
            first_back_off_ms: 1,
            largest_back_off_ms: 1,
            start_deadline_ms: 10_000,
        },
        calls: Vec::new(),
        shares: Vec::new(),
        egress: Vec::new(),
    }
}

pub(crate) fn consents(
    definition: &Definition,
    people: &[Person],
) -> Vec<Signed<DefinitionConsent>> {
    let consent = |p: &Person| {
        let consent = DefinitionConsent {
            definition: Digest::of(definition),
            member: p.name.clone(),
        };
        Signed::sign(consent, &p.signing)
    };
    people.iter().map(consent).collect()
}

pub(crate) fn approvals(
    manifest: &Manifest,
    signers: &[Person],
    role: Role,
) -> Vec<Signed<Approval>> {
    let approve = |p: &Person| {
        let approval = Approval {
            role,
            genesis: manifest.genesis,
            manifest: Digest::of(manifest),
            index: p.index,
            time: UnixMillis(1),
        };
        Signed::sign(approval, &p.signing)
    };
    signers.iter().map(approve).collect()
}

/// Shares cannot be cloned on purpose; a test may.
pub(crate) fn copies(shares: &[Share]) -> Vec<Share> {
    let copy = |share: &Share| Share::from_bytes(share.index(), &share.to_bytes()).unwrap();
    shares.iter().map(copy).collect()
}

/// A running enclave.
pub(crate) struct Enclave {
    pub(crate) started: Started,
}

impl Enclave {
    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.started.operator).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    pub(crate) fn ask(&self, request: &Request) -> Response {
        ask_on(&mut self.connect(), request)
    }

    /// None when the enclave ends instead of answering, or has ended.
    pub(crate) fn try_ask(&self, request: &Request) -> Option<Response> {
        let mut stream = UnixStream::connect(&self.started.operator).ok()?;
        let bytes = frame(&to_bytes(request)).unwrap();
        let _ = stream.write_all(&bytes);
        read_response(&mut stream)
    }

    pub(crate) fn ask_public(&self, request: &Request) -> Response {
        ask_on(
            &mut UnixStream::connect(&self.started.public).unwrap(),
            request,
        )
    }

    pub(crate) fn refused(&self, request: &Request) -> Refusal {
        match self.ask(request) {
            Response::Refused(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn status(&self) -> Status {
        match self.ask(&Request::Status) {
            Response::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn upload(&self, binary: &[u8]) {
        let mut stream = self.connect();
        let chunk = quorate_protocol::message::MAX_CHUNK;
        let sha256 = Sha256::of(binary);
        for (n, piece) in binary.chunks(chunk).enumerate() {
            let upload = Upload {
                sha256,
                size: binary.len() as u64,
                offset: (n * chunk) as u64,
                data: Bytes::new(piece.to_vec()).unwrap(),
            };
            let answer = ask_on(&mut stream, &Request::Upload(upload));
            assert!(matches!(answer, Response::Uploaded(_)), "{answer:?}");
        }
    }

    pub(crate) fn attest(&self, stage: Stage, nonce: &Nonce) -> Vec<u8> {
        match self.ask(&Request::Attest(AttestRequest {
            stage,
            nonce: nonce.clone(),
        })) {
            Response::Attested(document) => document.into_vec(),
            other => panic!("{other:?}"),
        }
    }
}

/// An instance and what its members know.
pub(crate) struct Instance {
    pub(crate) enclave: Enclave,
    pub(crate) record: GenesisRecord,
    pub(crate) chain: Vec<Link>,
    pub(crate) shares: Vec<Share>,
    pub(crate) booted: Booted,
}

impl Instance {
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.chain.last().unwrap().manifest
    }

    /// A grant of this member as it ought to be, to be spoilt or sent.
    pub(crate) fn grant(&self, position: usize) -> ShareGrant {
        ShareGrant {
            role: Role::ShareSet,
            genesis: self.record.digest(),
            manifest: Digest::of(self.manifest()),
            setup: self.booted.setup.clone(),
            document: Sha256([7; 32]),
            index: self.shares[position].index(),
            epoch: self.manifest().epoch,
            sealed: Digest::from_bytes([0; 32]),
            time: UnixMillis(1),
        }
    }

    /// Seals any scalar as this member's share.
    pub(crate) fn sealed(&self, position: usize, scalar: &[u8]) -> SealedShare {
        let index = self.shares[position].index();
        let manifest = Digest::of(self.manifest());
        let context = provision_share_context(
            &self.record.digest(),
            &manifest,
            index,
            &self.manifest().epoch,
        );
        let suite = Suite::P256Sha256Aes256Gcm;
        let key = self.booted.setup.encryption.inner();
        let sealed = seal(
            suite,
            key,
            context.info.as_bytes(),
            &context.aad,
            scalar,
            &mut rng(),
        )
        .unwrap();
        SealedShare::new(suite, sealed).unwrap()
    }

    pub(crate) fn signed(
        &self,
        mut grant: ShareGrant,
        sealed: SealedShare,
        by: &Person,
    ) -> ProvisionRequest {
        grant.sealed = Digest::of(&sealed);
        ProvisionRequest {
            grant: Signed::sign(grant, &by.signing),
            sealed,
            delegation: None,
        }
    }

    /// What an honest member sends.
    pub(crate) fn honest(&self, world: &World, position: usize) -> ProvisionRequest {
        let sealed = self.sealed(position, &*self.shares[position].to_bytes());
        self.signed(self.grant(position), sealed, &world.people[position])
    }

    /// Provisions with the members of these positions and waits until everything runs.
    pub(crate) fn provision(&self, world: &World, positions: &[usize]) {
        for position in positions {
            let answer = self
                .enclave
                .ask(&Request::Provision(self.honest(world, *position)));
            assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
        }
        self.await_running();
    }

    pub(crate) fn await_running(&self) {
        let since = Instant::now();
        loop {
            let status = self.enclave.status();
            if status.phase == quorate_protocol::message::Phase::Running {
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(60), "{status:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

pub(crate) fn ask_on(stream: &mut UnixStream, request: &Request) -> Response {
    let bytes = frame(&to_bytes(request)).unwrap();
    // A refusal may come before everything was written.
    let _ = stream.write_all(&bytes);
    read_response(stream).expect("the enclave closed the connection without an answer")
}

pub(crate) fn read_response(stream: &mut UnixStream) -> Option<Response> {
    let mut assembler = Assembler::new();
    loop {
        let mut buffer = vec![0; assembler.wanted::<Response>().unwrap().min(1 << 16)];
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        if let Some(payload) = assembler.push::<Response>(&buffer[..count]).unwrap() {
            return Some(from_bytes(&payload).unwrap());
        }
    }
}

pub(crate) fn reason(response: Response) -> Reason {
    match response {
        Response::Refused(refusal) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}
