//! A double of the Nitro Enclaves driver for tests, since no test machine has one: it keeps the
//! rules that `linux/nitro_enclaves.h` and the driver behind it document, refuses with their codes,
//! and when an enclave starts it reads the image out of the memory it was given, as a hypervisor
//! does.
//!
//! It does not: show that the hypervisor agrees. Only an instance can.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, connect, socket};
use quorate_eif::{Measurements, Scan};
use quorate_launcher::device::{Cid, Device, HEARTBEAT, Heartbeats, Mode, Region, Vm};
use quorate_launcher::error::{DriverCode, LaunchError, Refused};

/// Where the driver says an image goes.
pub const IMAGE_OFFSET: u64 = 8 << 20;
const REGION: u64 = 2 << 20;

/// What an enclave does once it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Gives its sign of life and runs.
    Well,
    /// Somebody else connects first, with another CID; then as [`Life::Well`].
    Impostor,
    /// Says something else first; then as [`Life::Well`].
    Stammers,
    /// Says nothing.
    Silent,
    /// Ends at once.
    Dies,
    /// Gives its sign of life and ends when the test closes the named pipe `until`.
    Until,
}

/// The instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Threads of a core are this many neighbours in number: 2, 3 and 4, 5 are cores.
    pub threads: u32,
    /// Processors of the machine.
    pub processors: u32,
    /// Free processors of the pool.
    pub pool: BTreeSet<u32>,
    /// Free huge pages of 2 MiB.
    pub pages: u64,
    /// Regions of one enclave, at most.
    pub max_regions: u64,
    /// Whether pages are of the processors' NUMA node.
    pub same_node: bool,
    /// Where heartbeats arrive: a Unix socket in place of vsock port 9000.
    pub heartbeat: PathBuf,
    /// What an enclave does.
    pub life: Life,
    /// Measured at the last start.
    pub measured: Option<Measurements>,
    /// How often memory, processors or a start was asked for.
    pub requests: u32,
    /// CID of the next enclave.
    pub next_cid: u64,
}

impl Instance {
    pub fn new(heartbeat: PathBuf) -> Self {
        Self {
            threads: 2,
            processors: 8,
            pool: (4..8).collect(),
            pages: 64,
            max_regions: 100,
            same_node: true,
            heartbeat,
            life: Life::Well,
            measured: None,
            requests: 0,
            next_cid: 16,
        }
    }
}

/// The driver of an instance.
#[derive(Clone, Debug)]
pub struct Driver(pub Arc<Mutex<Instance>>);

impl Driver {
    pub fn new(instance: Instance) -> Self {
        Self(Arc::new(Mutex::new(instance)))
    }

    pub fn with<T>(&self, action: impl FnOnce(&mut Instance) -> T) -> T {
        action(&mut self.0.lock().expect("no test panics while it holds this"))
    }
}

const fn refuse(code: DriverCode) -> Refused {
    Refused::Driver(code)
}

impl Device for Driver {
    type Vm = Slot;
    type Region = Page;
    type Heartbeats = Listener;

    fn open(&mut self) -> Result<(), LaunchError> {
        Ok(())
    }

    fn create(&mut self) -> Result<Slot, Refused> {
        if self.with(|instance| instance.pool.is_empty()) {
            return Err(refuse(DriverCode::PoolEmpty));
        }
        let (watched, held) = nix::unistd::pipe().map_err(Refused::Kernel)?;
        Ok(Slot {
            driver: self.clone(),
            watched,
            held: Some(held),
            core_threads: BTreeSet::new(),
            cpus: BTreeSet::new(),
            memory: Vec::new(),
            started: false,
        })
    }

    fn page(&mut self, size: u64) -> Result<Page, Errno> {
        self.with(|instance| {
            if size != REGION || instance.pages == 0 {
                return Err(Errno::ENOMEM);
            }
            instance.pages -= 1;
            Ok(())
        })?;
        Ok(Page {
            driver: self.clone(),
            bytes: vec![0; usize::try_from(size).expect("2 MiB")],
            huge: true,
        })
    }

    fn heartbeats(&mut self) -> Result<Listener, Errno> {
        let path = self.with(|instance| instance.heartbeat.clone());
        match UnixListener::bind(&path) {
            Ok(listener) => {
                listener.set_nonblocking(true).expect("a socket");
                Ok(Listener { listener, path })
            }
            Err(error) => Err(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
        }
    }
}

/// A page of ordinary memory that counts as a huge one.
#[derive(Debug)]
pub struct Page {
    driver: Driver,
    pub bytes: Vec<u8>,
    pub huge: bool,
}

impl Region for Page {
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.driver.with(|instance| instance.pages += 1);
    }
}

/// An enclave.
#[derive(Debug)]
pub struct Slot {
    driver: Driver,
    watched: OwnedFd,
    /// Closed when the enclave ends.
    held: Option<OwnedFd>,
    /// Threads of cores that belong to this enclave.
    core_threads: BTreeSet<u32>,
    cpus: BTreeSet<u32>,
    memory: Vec<Page>,
    started: bool,
}

impl AsFd for Slot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }
}

impl Slot {
    fn before_start(&self) -> Result<(), Refused> {
        self.driver.with(|instance| instance.requests += 1);
        if self.started {
            return Err(refuse(DriverCode::AlreadyStarted));
        }
        Ok(())
    }

    /// Takes the whole core of a processor out of the pool.
    fn take_core(&mut self, cpu: u32) -> Result<(), Refused> {
        let taken = self.driver.with(|instance| {
            let first = cpu / instance.threads * instance.threads;
            let core: BTreeSet<u32> = (first..first + instance.threads).collect();
            if !instance.pool.contains(&cpu) {
                return None;
            }
            instance.pool.retain(|free| !core.contains(free));
            Some(core)
        });
        match taken {
            Some(core) => self.core_threads.extend(core),
            None => return Err(refuse(DriverCode::CpuNotInPool)),
        }
        Ok(())
    }
}

impl Vm for Slot {
    type Region = Page;

    fn add_cpu(&mut self, cpu: Option<u32>) -> Result<u32, Refused> {
        self.before_start()?;
        let processors = self.driver.with(|instance| instance.processors);
        // 0 asks for any: processor 0 itself always stays with the instance.
        let cpu = match cpu.unwrap_or(0) {
            named if named >= processors => return Err(refuse(DriverCode::CpuOutOfRange)),
            0 => match self.core_threads.difference(&self.cpus).next().copied() {
                Some(sibling) => sibling,
                None => {
                    let free = self.driver.with(|instance| instance.pool.first().copied());
                    let free = free.ok_or_else(|| refuse(DriverCode::PoolEmpty))?;
                    self.take_core(free)?;
                    free
                }
            },
            named if self.cpus.contains(&named) => {
                return Err(refuse(DriverCode::CpuAlreadyUsed));
            }
            named => {
                if !self.core_threads.contains(&named) {
                    self.take_core(named)?;
                }
                named
            }
        };
        self.cpus.insert(cpu);
        Ok(cpu)
    }

    fn image_offset(&mut self) -> Result<u64, Refused> {
        self.before_start()?;
        Ok(IMAGE_OFFSET)
    }

    fn give(&mut self, region: Page) -> Result<(), Refused> {
        self.before_start()?;
        let (max, same_node) = self.driver.with(|i| (i.max_regions, i.same_node));
        if !(region.bytes.len() as u64).is_multiple_of(REGION) {
            return Err(refuse(DriverCode::RegionSize));
        }
        if !region.huge {
            return Err(refuse(DriverCode::NotHugePage));
        }
        if !same_node {
            return Err(refuse(DriverCode::OtherNode));
        }
        if self.memory.len() as u64 >= max {
            return Err(refuse(DriverCode::TooManyRegions));
        }
        self.memory.push(region);
        Ok(())
    }

    fn start(&mut self, mode: Mode, cid: Option<Cid>) -> Result<u64, Refused> {
        self.before_start()?;
        let memory: u64 = self.memory.iter().map(|page| page.bytes.len() as u64).sum();
        if memory == 0 {
            return Err(refuse(DriverCode::NoMemory));
        }
        if memory < 64 << 20 {
            return Err(refuse(DriverCode::MemoryBelowMinimum));
        }
        if self.cpus.is_empty() {
            return Err(refuse(DriverCode::NoCpus));
        }
        if self.cpus != self.core_threads {
            return Err(refuse(DriverCode::HalfCore));
        }
        self.started = true;
        let _ = mode;
        let (cid, life, heartbeat) = self.driver.with(|instance| {
            let cid = cid.map_or(instance.next_cid, |cid| cid.number().into());
            instance.next_cid += 1;
            (cid, instance.life, instance.heartbeat.clone())
        });
        // What a hypervisor measures is what it finds in memory.
        let pages: Vec<&[u8]> = self.memory.iter().map(|page| &page.bytes[..]).collect();
        let memory = pages.concat();
        let image = &memory[usize::try_from(IMAGE_OFFSET).expect("8 MiB")..];
        let image = &image[..image_length(image)];
        let scan = Scan::read(image, |_, _| {}).expect("a whole image is in memory");
        self.driver.with(|i| i.measured = Some(scan.measurements));
        live(life, cid, heartbeat, &mut self.held);
        Ok(cid)
    }
}

/// Where an image in memory ends: behind its last section, by the offsets and sizes in its header.
fn image_length(memory: &[u8]) -> usize {
    let count = usize::from(u16::from_be_bytes([memory[26], memory[27]]));
    let word = |at: usize| {
        let bytes: [u8; 8] = memory[at..at + 8].try_into().expect("8 bytes");
        usize::try_from(u64::from_be_bytes(bytes)).expect("small")
    };
    let offset = word(28 + (count - 1) * 8);
    let size = word(28 + 32 * 8 + (count - 1) * 8);
    offset + 12 + size
}

fn live(life: Life, cid: u64, heartbeat: PathBuf, held: &mut Option<OwnedFd>) {
    match life {
        Life::Silent => {}
        Life::Dies => *held = None,
        Life::Well | Life::Impostor | Life::Stammers => {
            std::thread::spawn(move || beat(life, cid, &heartbeat));
        }
        Life::Until => {
            let held = held.take();
            std::thread::spawn(move || {
                beat(life, cid, &heartbeat);
                // A named pipe: reading it ends when the test closes it.
                let mut all = Vec::new();
                std::fs::File::open(heartbeat.with_file_name("until"))
                    .and_then(|mut file| file.read_to_end(&mut all))
                    .expect("the test holds it open");
                drop(held);
            });
        }
    }
}

fn beat(life: Life, cid: u64, heartbeat: &std::path::Path) {
    if life == Life::Impostor {
        let mut stream = dial(cid + 1, heartbeat);
        let _ = stream.write_all(&[HEARTBEAT]);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "an impostor was answered");
    }
    if life == Life::Stammers {
        let mut stream = dial(cid, heartbeat);
        let _ = stream.write_all(b"x");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "a wrong sign was answered");
    }
    let mut stream = dial(cid, heartbeat);
    stream.write_all(&[HEARTBEAT]).expect("sent");
    let mut answer = [0];
    stream.read_exact(&mut answer).expect("answered");
    assert_eq!(answer, [HEARTBEAT]);
}

/// Connects to the supervisor's listener from the address of a CID.
fn dial(cid: u64, heartbeat: &std::path::Path) -> UnixStream {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
    let unique = fd.as_raw_fd();
    let name = format!(
        "{}-{}-{unique}-cid-{cid}",
        heartbeat.display(),
        std::process::id()
    );
    let name = UnixAddr::new_abstract(&name.as_bytes()[name.len().saturating_sub(100)..]);
    bind(fd.as_raw_fd(), &name.expect("a name")).expect("bound");
    let address = UnixAddr::new(heartbeat).expect("an address");
    connect(fd.as_raw_fd(), &address).expect("somebody listens");
    fd.into()
}

/// In place of the vsock listener.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Heartbeats for Listener {
    fn accept(&self) -> Result<(UnixStream, u32), Errno> {
        let (stream, address) = self
            .listener
            .accept()
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
        let name = address.as_abstract_name().map(String::from_utf8_lossy);
        let cid = name
            .as_deref()
            .and_then(|name| name.rsplit("cid-").next()?.parse().ok());
        Ok((stream, cid.unwrap_or(0)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let threads = std::mem::take(&mut self.core_threads);
        self.driver.with(|instance| instance.pool.extend(threads));
    }
}
