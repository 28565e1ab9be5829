//! A hypervisor for one test, and questions to its machines.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_emulator::device::Mode;
use quorate_emulator::machine::fault::Faults;
use quorate_emulator::machine::qemu::Search;
use quorate_emulator::machine::run::{Setup, Until};
use quorate_emulator::process::{Hypervisor, Started};
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::message::{Request, Response, Status};
use tempfile::TempDir;

/// A hypervisor, its folder, and an image.
pub(crate) struct Bench {
    pub(crate) hypervisor: Hypervisor,
    pub(crate) image: PathBuf,
    pub(crate) folder: TempDir,
}

impl Bench {
    /// None, and a word about it, without an image.
    pub(crate) fn new() -> Option<Self> {
        let Some(image) = std::env::var_os("QUORATE_IMAGE") else {
            eprintln!("skipped: QUORATE_IMAGE names no image");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let mut hypervisor = Hypervisor::new(folder.path()).unwrap();
        if let Some(qemu) = std::env::var_os("QUORATE_QEMU") {
            hypervisor.look_for_qemu(Search::Given(qemu.into()));
        }
        Some(Self {
            hypervisor,
            image: image.into(),
            folder,
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

    pub(crate) fn start(&mut self, name: &str) -> Started {
        let setup = self.setup();
        self.start_as(name, &setup)
    }

    pub(crate) fn start_as(&mut self, text: &str, setup: &Setup) -> Started {
        let started = self.hypervisor.start_machine(&name(text), setup);
        started.unwrap_or_else(|error| {
            let folder = self.folder.path().join(text);
            for file in ["console.log", "qemu.log"] {
                let said = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
                eprintln!("--- {file}\n{said}");
            }
            panic!("{error}");
        })
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// One request, one answer. None when the machine closes the connection without one.
pub(crate) fn ask(socket: &Path, request: &Request) -> Option<Response> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
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
    match ask(socket, &Request::Status).unwrap() {
        Response::Status(status) => status,
        other => panic!("{other:?}"),
    }
}
