//! A hypervisor for one test, images, and questions to machines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quorate_eif::cpio::{Archive, Node};
use quorate_eif::{Architecture, Eif, Parts};
use quorate_emulator::device::Mode;
use quorate_emulator::machine::fault::Faults;
use quorate_emulator::machine::qemu::Search;
use quorate_emulator::machine::run::{Setup, Until};
use quorate_emulator::process::{Ended, Hypervisor, Started};
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::message::{Request, Response, Status};
use tempfile::TempDir;

/// One test at a time: machines need processors, and some tests measure time.
static ALONE: Mutex<()> = Mutex::new(());

/// How long a machine may take for anything here, on a busy computer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A hypervisor, its folder, and the real image.
pub(crate) struct Bench {
    // Before the folder: machines end first.
    pub(crate) hypervisor: Hypervisor,
    pub(crate) image: PathBuf,
    pub(crate) folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Bench {
    /// None, and a word about it, without an image.
    pub(crate) fn new() -> Option<Self> {
        let Some(image) = std::env::var_os("QUORATE_IMAGE") else {
            eprintln!("skipped: QUORATE_IMAGE names no image");
            return None;
        };
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let mut hypervisor = Hypervisor::new(folder.path()).unwrap();
        if let Some(qemu) = std::env::var_os("QUORATE_QEMU") {
            hypervisor.look_for_qemu(Search::Given(qemu.into()));
        }
        Some(Self {
            hypervisor,
            image: image.into(),
            folder,
            _alone: alone,
        })
    }

    /// What most tests start.
    pub(crate) fn setup(&self) -> Setup {
        Setup {
            image: self.image.clone(),
            cid: None,
            memory_mib: 256,
            cpus: 1,
            role_arn: None,
            mode: Mode::Normal,
            ports: Vec::new(),
            faults: Faults::default(),
            until: Until::Listening,
        }
    }

    /// The real kernel with the test guest as its first process.
    pub(crate) fn test_setup(&self) -> Setup {
        let image = self.folder.path().join("test.eif");
        if !image.exists() {
            std::fs::write(&image, test_image(&self.image)).unwrap();
        }
        Setup {
            image,
            ports: vec![7000, 7001, 7002, 7003, 7004, 7005],
            until: Until::Running,
            ..self.setup()
        }
    }

    pub(crate) fn start(&mut self, name: &str) -> Started {
        let setup = self.setup();
        self.start_as(name, &setup)
    }

    pub(crate) fn start_as(&mut self, text: &str, setup: &Setup) -> Started {
        let started = self.hypervisor.start_machine(&name(text), setup);
        started.unwrap_or_else(|error| panic!("{error}\n{}", self.said(text)))
    }

    /// The test guest, listening.
    pub(crate) fn start_test(&mut self, text: &str, faults: &[&str]) -> Guest {
        let mut setup = self.test_setup();
        for fault in faults {
            setup.faults.add(fault).unwrap();
        }
        let started = self.start_as(text, &setup);
        let mut listens = false;
        let name = name(text);
        await_true(|| {
            listens = console(&started).contains("test-guest: listening");
            listens || self.hypervisor.ended(&name).unwrap().is_some()
        });
        assert!(listens, "{}", self.said(text));
        Guest {
            folder: started.directory.clone(),
            started,
        }
    }

    /// How a machine ended by itself.
    pub(crate) fn await_end(&self, text: &str) -> Ended {
        let name = name(text);
        let ended = || self.hypervisor.ended(&name).unwrap();
        assert!(await_true(|| ended().is_some()), "{}", self.said(text));
        ended().unwrap()
    }

    fn said(&self, text: &str) -> String {
        let folder = self.folder.path().join(text);
        let read = |file| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        format!(
            "--- console\n{}\n--- qemu\n{}",
            read("console.log"),
            read("qemu.log")
        )
    }
}

/// A machine with the test guest.
pub(crate) struct Guest {
    pub(crate) started: Started,
    pub(crate) folder: PathBuf,
}

impl Guest {
    /// A connection to one of its ports.
    pub(crate) fn connect(&self, port: u32) -> UnixStream {
        patient(UnixStream::connect(self.folder.join(format!("port-{port}.sock"))).unwrap())
    }

    /// The same by greeting.
    pub(crate) fn greet(&self, port: u32) -> (UnixStream, String) {
        let mut stream = patient(UnixStream::connect(self.folder.join("vsock.sock")).unwrap());
        stream
            .write_all(format!("CONNECT {port}\n").as_bytes())
            .unwrap();
        let mut line = String::new();
        // One byte at a time: what follows the line is for the caller.
        BufReader::with_capacity(1, &stream)
            .read_line(&mut line)
            .unwrap();
        (stream, line)
    }
}

pub(crate) fn patient(stream: UnixStream) -> UnixStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// An image with the real kernel and command line, and the test guest in its ramdisk.
fn test_image(real: &Path) -> Vec<u8> {
    let bytes = std::fs::read(real).unwrap();
    let real = Eif::parse(&bytes).unwrap();
    let binaries = std::env::var_os("QUORATE_BINARIES").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../target/x86_64-unknown-linux-musl/release")
        },
        PathBuf::from,
    );
    let path = binaries.join("quorate-test-guest");
    let guest = std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}. Build it with `cargo build --release --target \
             x86_64-unknown-linux-musl -p quorate-test-guest`, or run ./test",
            path.display()
        )
    });
    let mut archive = Archive::new();
    let console = Node::CharacterDevice { major: 5, minor: 1 };
    for (path, permissions, node) in [
        ("dev", 0o755, Node::Directory),
        ("dev/console", 0o600, console),
        ("init", 0o755, Node::File(guest)),
    ] {
        archive.add(path, permissions, node).unwrap();
    }
    let ramdisk = archive.to_bytes();
    let parts = Parts {
        architecture: Architecture::X86_64,
        kernel: real.kernel(),
        command_line: std::str::from_utf8(real.command_line()).unwrap(),
        ramdisks: &[&ramdisk],
        metadata: real.metadata(),
    };
    Eif::assemble(&parts).unwrap().to_bytes()
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn console(started: &Started) -> String {
    String::from_utf8_lossy(&std::fs::read(&started.console).unwrap()).into_owned()
}

/// False if it does not become true in time.
pub(crate) fn await_true(mut condition: impl FnMut() -> bool) -> bool {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// One request, one answer. None when the machine closes the connection without one.
pub(crate) fn ask(socket: &Path, request: &Request) -> Option<Response> {
    let mut stream = patient(UnixStream::connect(socket).ok()?);
    stream.write_all(&frame(&to_bytes(request)).unwrap()).ok()?;
    let mut assembler = Assembler::new();
    loop {
        let mut buffer = vec![0; assembler.wanted::<Response>().unwrap().min(1 << 16)];
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        if let Some(payload) = assembler.push::<Response>(&buffer[..count]).unwrap() {
            return Some(from_bytes(&payload).unwrap());
        }
    }
}

pub(crate) fn status(socket: &Path) -> Status {
    match ask(socket, &Request::Status) {
        Some(Response::Status(status)) => status,
        other => panic!("{other:?}"),
    }
}
