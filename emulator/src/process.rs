//! Runs emulated enclaves as ordinary processes: what the Nitro hypervisor does for real ones.
//!
//! A [`Hypervisor`] holds the development root, measures an init binary, gives it an NSM and
//! starts it as `INIT DIR/NAME` with the NSM as its standard input. The init makes its sockets
//! there: `operator.sock`, `public.sock`, and `port-N.sock` for each port of an application. What
//! it prints is in `console.log`.
//!
//! What it guarantees: the bytes that were measured are the bytes that run (a private copy of
//! them is executed); the child inherits its end of the NSM's socket pair, nothing else that this
//! process opened, and no environment variable; no enclave outlives the `Hypervisor`, not even the
//! processes an init started, unless this process is killed with no chance to act.
//!
//! What it trusts: the user it runs as. Sockets are in a folder only that user may enter.
//!
//! What it does not do: isolate. An emulated enclave can do what its user can.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::geteuid;
use quorate_protocol::atoms::Name;
use thiserror::Error;

use crate::child;
use crate::device::{Config, DeviceError, Mode, NsmDevice};
use crate::fault::NsmFaults;
use crate::identity::{IdentityError, InstanceId};
#[cfg(feature = "machine")]
use crate::machine::qemu::{FindError, Qemu, Search};
#[cfg(feature = "machine")]
use crate::machine::run::{How, Machine, MachineError};
use crate::measurements::{Measurements, process_measurements};
use crate::pki::{DevelopmentRoot, PkiError};
use crate::server::{self, ServerError};

/// Largest init binary, in bytes.
pub const INIT_MAX: usize = 64 * 1024 * 1024;

/// Longest path of a Unix socket, in bytes (`sun_path` without its final zero byte).
const SOCKET_PATH_MAX: usize = 107;

/// Longest socket name an init makes: `port-4294967295.sock`.
const SOCKET_NAME_MAX: usize = 20;

/// How long an init may take until it listens.
const LISTEN_LIMIT: Duration = Duration::from_secs(10);

/// How long an init may take to end when it is asked to. It gives its applications two seconds.
const STOP_LIMIT: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(1);

/// How old a development root says it is: a year.
const ROOT_AGE_MS: u64 = 365 * 24 * 3600 * 1000;

/// Held while a binary is open for writing: a child forked meanwhile would hold it open too, and it
/// could not be executed.
static SPAWN: Mutex<()> = Mutex::new(());

#[cfg(feature = "machine")]
mod machines;

/// Why an enclave could not be started, stopped or measured.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessError {
    /// An enclave of this name runs already, or a folder of its name is left from before.
    #[error("there is already an enclave or a folder named {name}; choose another name")]
    AlreadyThere {
        /// The name.
        name: Name,
    },
    /// The NSM could not be made.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The init ended before it listened.
    #[error("the init of {name} {ended} before it listened; {} says why", console.display())]
    EndedEarly {
        /// The enclave.
        name: Name,
        /// How.
        ended: Ended,
        /// What it printed.
        console: PathBuf,
    },
    /// A file or folder could not be used.
    #[error("{} cannot be {doing}: {kind}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The id of the parent instance could not be drawn.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The init binary is too large.
    #[error("{} has more than {INIT_MAX} bytes; name an init binary", path.display())]
    InitTooLarge {
        /// The binary.
        path: PathBuf,
    },
    /// The machine could not be started.
    #[cfg(feature = "machine")]
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// No QEMU can run a machine.
    #[cfg(feature = "machine")]
    #[error(transparent)]
    Qemu(#[from] FindError),
    /// It is no machine, and only machines can do this.
    #[cfg(feature = "machine")]
    #[error("{name} is a process; only a machine can do this")]
    NotAMachine {
        /// The enclave.
        name: Name,
    },
    /// No enclave of this name was started.
    #[error("no enclave is named {name}; start it first")]
    NoSuchEnclave {
        /// The name.
        name: Name,
    },
    /// Socket paths would not fit.
    #[error(
        "{} is too long: its sockets' paths would exceed {SOCKET_PATH_MAX} bytes; use a shorter folder",
        path.display()
    )]
    PathTooLong {
        /// The enclave's folder.
        path: PathBuf,
    },
    /// The development root could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The NSM's socket pair could not be made.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Others may write into the folder: they could put their own sockets in place of an enclave's.
    #[error("{} is not yours, or others may write into it; use a folder of your own", path.display())]
    NotOwn {
        /// The folder.
        path: PathBuf,
    },
    /// The init runs and does not listen.
    #[error(
        "the init of {name} did not listen within {} s; {} may say why",
        LISTEN_LIMIT.as_secs(), console.display()
    )]
    Silent {
        /// The enclave.
        name: Name,
        /// What it printed.
        console: PathBuf,
    },
    /// The process could not be started.
    #[error("{} cannot be executed: {kind}", path.display())]
    Spawn {
        /// The binary.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
}

/// What an enclave is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// What it is called; also its folder.
    pub name: Name,
    /// The init binary.
    pub init: PathBuf,
    /// The ARN of the parent instance's role (PCR3), if it has one.
    pub role_arn: Option<String>,
    /// Bytes of memory it has for binaries; as much as this machine has if that is not said.
    pub memory: Option<u64>,
    /// Whether PCR0 to 2 are zero, as in debug mode.
    pub mode: Mode,
}

/// An enclave that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its process.
    pub pid: u32,
    /// The id of its NSM.
    pub module: String,
    /// Its folder.
    pub directory: PathBuf,
    /// Takes every message.
    pub operator: PathBuf,
    /// Takes what anyone may ask.
    pub public: PathBuf,
    /// What it prints.
    pub console: PathBuf,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal's number.
    Killed(i32),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "ended with exit code {code}"),
            Self::Killed(signal) => write!(f, "was ended by signal {signal}"),
        }
    }
}

/// How an enclave was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Whether it had ended before it was asked to.
    pub ended_before: bool,
    /// How its init ended.
    pub ended: Ended,
}

/// Starts and stops emulated enclaves of one parent instance under one development root.
pub struct Hypervisor {
    directory: PathBuf,
    root: Arc<DevelopmentRoot>,
    instance: InstanceId,
    enclaves: BTreeMap<Name, Enclave>,
    #[cfg(feature = "machine")]
    search: Search,
    /// What the search found, once a machine was asked for.
    #[cfg(feature = "machine")]
    found: Option<Qemu>,
    #[cfg(feature = "machine")]
    next_cid: u32,
}

/// One enclave. Stopped when dropped.
enum Enclave {
    Process(Process),
    #[cfg(feature = "machine")]
    Machine(Box<Machine>),
}

/// An enclave that is an ordinary process.
struct Process {
    child: Child,
    stopped: bool,
}

impl Hypervisor {
    /// Makes a development root and writes its certificate to `development-root.pem` in
    /// `directory`, which is made for this user alone if it does not exist.
    ///
    /// # Errors
    /// [`ProcessError`]; [`ProcessError::NotOwn`] for a folder that others may write into.
    pub fn new(directory: &Path) -> Result<Self, ProcessError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| file_error(directory, "made", &error))?;
        let directory = directory
            .canonicalize()
            .map_err(|error| file_error(directory, "found", &error))?;
        let found =
            fs::metadata(&directory).map_err(|error| file_error(&directory, "found", &error))?;
        if found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
            return Err(ProcessError::NotOwn { path: directory });
        }
        // Older than any enclave, as AWS's is: an NSM whose clock is behind has a chain too.
        let made = server::system_clock_ms().saturating_sub(ROOT_AGE_MS);
        let root = DevelopmentRoot::generate(&mut SysRng, made)?;
        let hypervisor = Self {
            root: Arc::new(root),
            instance: InstanceId::generate(&mut SysRng)?,
            enclaves: BTreeMap::new(),
            #[cfg(feature = "machine")]
            search: Search::default(),
            #[cfg(feature = "machine")]
            found: None,
            #[cfg(feature = "machine")]
            next_cid: machines::FIRST_CID,
            directory,
        };
        let path = hypervisor.root_path();
        fs::write(&path, hypervisor.root.root_pem()?)
            .map_err(|error| file_error(&path, "written", &error))?;
        Ok(hypervisor)
    }

    /// Where the development root's certificate is.
    pub fn root_path(&self) -> PathBuf {
        self.directory.join("development-root.pem")
    }

    /// Starts an enclave and waits until it listens. A real init ends with the thread that calls
    /// this, should the `Hypervisor` have no chance to stop it.
    ///
    /// # Errors
    /// [`ProcessError`]; nothing runs then.
    pub fn start(&mut self, start: &Start) -> Result<Started, ProcessError> {
        self.start_with(start, &NsmFaults::default())
    }

    /// The same with an NSM with which something goes wrong.
    ///
    /// # Errors
    /// [`ProcessError`]; nothing runs then.
    pub fn start_with(
        &mut self,
        start: &Start,
        faults: &NsmFaults,
    ) -> Result<Started, ProcessError> {
        let name = &start.name;
        let directory = self.directory.join(name.as_str());
        check_length(&directory)?;
        let binary = read_init(&start.init)?;
        let config = Config {
            measurements: process_measurements(&binary),
            instance: self.instance.clone(),
            role_arn: start.role_arn.clone(),
            mode: start.mode,
        };
        let now = server::system_clock_ms().saturating_add_signed(faults.clock_skew_ms);
        let faults = faults.clone();
        let mut device = NsmDevice::new(config, Arc::clone(&self.root), SysRng, now)?;
        let module = device.module_id().to_owned();

        make_folder(&directory, name)?;
        let (end, guest) = server::socket_pair()?;
        let console = directory.join("console.log");
        let child = spawn(&binary, &directory, &console, guest.into_fd(), start.memory)?;
        let pid = child.id();
        let process = Process {
            child,
            stopped: false,
        };
        // Ends when the last holder of the enclave's end is gone. A socket that fails ends it too;
        // the enclave then sees a closed NSM and halts.
        thread::Builder::new()
            .name(format!("nsm-{name}"))
            .spawn(move || server::serve_with(&end, &mut device, &faults, server::system_clock_ms))
            .map_err(|error| file_error(&start.init, "served", &error))?;

        let started = Started {
            pid,
            module,
            operator: directory.join("operator.sock"),
            public: directory.join("public.sock"),
            console,
            directory,
        };
        await_listening(&process, name, &started)?;
        self.enclaves
            .insert(name.clone(), Enclave::Process(process));
        Ok(started)
    }

    /// Stops an enclave: asks its init to end, and ends what is left of it.
    ///
    /// # Errors
    /// [`ProcessError::NoSuchEnclave`].
    pub fn stop(&mut self, name: &Name) -> Result<Stopped, ProcessError> {
        match self.take(name)? {
            Enclave::Process(mut process) => Ok(process.stop()),
            #[cfg(feature = "machine")]
            Enclave::Machine(mut machine) => Ok(machine.stop(How::Asked)),
        }
    }

    fn take(&mut self, name: &Name) -> Result<Enclave, ProcessError> {
        let enclave = self.enclaves.remove(name);
        enclave.ok_or_else(|| ProcessError::NoSuchEnclave { name: name.clone() })
    }
}

/// The measurements an enclave has that runs this init.
///
/// # Errors
/// If the file cannot be read or is too large.
pub fn measure(init: &Path) -> Result<Measurements, ProcessError> {
    read_init(init).map(|binary| process_measurements(&binary))
}

impl Process {
    /// Whether and how the init has ended. It stays a zombie, so that neither its process id nor
    /// its group's can have become another's.
    fn ended(&self) -> Option<Ended> {
        child::ended(&self.child)
    }

    fn stop(&mut self) -> Stopped {
        let before = self.ended();
        if before.is_none() {
            child::ask_to_end(&self.child, STOP_LIMIT);
        }
        // The init leads its own process group; this reaches it if it did not end, and whatever
        // it left behind.
        let _ = killpg(child::pid(&self.child), Signal::SIGKILL);
        self.stopped = true;
        Stopped {
            ended_before: before.is_some(),
            ended: child::collect(&mut self.child, before),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.stopped {
            self.stop();
        }
    }
}

/// Writes the private copy and executes it with the NSM's socket as standard input.
fn spawn(
    binary: &[u8],
    directory: &Path,
    console: &Path,
    nsm: OwnedFd,
    memory: Option<u64>,
) -> Result<Child, ProcessError> {
    let path = directory.join("init");
    let log = create(console, 0o600)?;
    // Held as long as the child lives: whoever follows the console sees the end by it.
    log.lock_shared()
        .map_err(|error| file_error(console, "locked", &error))?;
    let errors = log
        .try_clone()
        .map_err(|error| file_error(console, "shared", &error))?;
    let _alone = SPAWN.lock().unwrap_or_else(PoisonError::into_inner);
    create(&path, 0o500)?
        .write_all(binary)
        .map_err(|error| file_error(&path, "written", &error))?;
    Command::new(&path)
        .arg(directory)
        .args(memory.map(|bytes| bytes.to_string()))
        .env_clear()
        .current_dir(directory)
        .process_group(0)
        .stdin(Stdio::from(nsm))
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|error| ProcessError::Spawn {
            path,
            kind: error.kind(),
        })
}

fn create(path: &Path, mode: u32) -> Result<File, ProcessError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| file_error(path, "made", &error))
}

/// Waits until both sockets take connections.
fn await_listening(process: &Process, name: &Name, started: &Started) -> Result<(), ProcessError> {
    let since = Instant::now();
    let console = || started.console.clone();
    for socket in [&started.operator, &started.public] {
        while UnixStream::connect(socket).is_err() {
            if let Some(ended) = process.ended() {
                return Err(ProcessError::EndedEarly {
                    name: name.clone(),
                    ended,
                    console: console(),
                });
            }
            if since.elapsed() > LISTEN_LIMIT {
                return Err(ProcessError::Silent {
                    name: name.clone(),
                    console: console(),
                });
            }
            thread::sleep(POLL);
        }
    }
    Ok(())
}

/// Whether the sockets in this folder can have their paths.
fn check_length(directory: &Path) -> Result<(), ProcessError> {
    if directory.as_os_str().len() + 1 + SOCKET_NAME_MAX > SOCKET_PATH_MAX {
        let path = directory.to_owned();
        return Err(ProcessError::PathTooLong { path });
    }
    Ok(())
}

/// Makes an enclave's folder, for this user alone.
fn make_folder(directory: &Path, name: &Name) -> Result<(), ProcessError> {
    let made = DirBuilder::new().mode(0o700).create(directory);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ProcessError::AlreadyThere { name: name.clone() },
        _ => file_error(directory, "made", &error),
    })
}

fn read_init(path: &Path) -> Result<Vec<u8>, ProcessError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(INIT_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| file_error(path, "read", &error))?;
    if bytes.len() > INIT_MAX {
        return Err(ProcessError::InitTooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

fn file_error(path: &Path, doing: &'static str, error: &io::Error) -> ProcessError {
    ProcessError::File {
        path: path.to_owned(),
        doing,
        kind: error.kind(),
    }
}
