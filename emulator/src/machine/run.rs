//! The life of one machine: from an image file to the end of its QEMU.
//!
//! Guarantees: what `Machine::start` leaves behind when it fails is files, no process; a machine is
//! ended when its `Machine` is dropped, and by the kernel when this process is killed. Every wait
//! has a limit.
//!
//! Does not: share anything between machines but the development root.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use thiserror::Error;

use super::console;
use super::fault::Faults;
use super::image::{self, ImageError};
use super::nsm::Nsm;
use super::qemu::{Hardware, Qemu, probe};
use super::served::{Device, Served};
use super::vsock::Vsock;
use super::vsock::ports::{GREETED, Target};
use crate::child;
use crate::device::{Config, DeviceError, Mode, NsmDevice};
use crate::identity::InstanceId;
use crate::pki::DevelopmentRoot;
use crate::process::{Ended, Stopped};
use crate::server::system_clock_ms;

/// Ports of the guest on which init listens.
const OPERATOR_PORT: u32 = 5000;
const PUBLIC_PORT: u32 = 5001;

/// The first CID that is no one's by definition.
pub const CID_MIN: u32 = 4;

/// Least and most memory of a machine, in MiB.
pub const MEMORY_MIB: core::ops::RangeInclusive<u32> = 32..=65_536;

/// Fewest and most processors of a machine.
pub const CPUS: core::ops::RangeInclusive<u32> = 1..=64;

/// How long QEMU may take to offer its devices' sockets.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// How long an image may take until it listens. The kernel alone takes seconds without KVM.
const LISTEN_LIMIT: Duration = Duration::from_secs(180);

/// How long QEMU may take to end when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(3);

const POLL: Duration = Duration::from_millis(1);

/// Between two questions whether a port is open. The guest answers each.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// What a machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The image file.
    pub image: PathBuf,
    /// How the machine is addressed; one that no other machine here has, if none is named.
    pub cid: Option<u32>,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// Its processors.
    pub cpus: u32,
    /// The ARN of the parent instance's role (PCR3), if it has one.
    pub role_arn: Option<String>,
    /// Whether PCR0 to 2 are zero, as in debug mode.
    pub mode: Mode,
    /// Ports of applications that get a socket `port-N.sock` each.
    pub ports: Vec<u32>,
    /// What goes wrong in it.
    pub faults: Faults,
    /// What `Machine::start` waits for.
    pub until: Until,
}

/// What the start of a machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Nothing: QEMU runs.
    Running,
    /// Both of init's ports take connections.
    Listening,
}

/// How a machine is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// QEMU is asked to end.
    Asked,
    /// It is not asked.
    AtOnce,
}

/// Why a machine cannot be started.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MachineError {
    /// A number is outside what a machine can have.
    #[error("{what} {value} is not between {least} and {most}")]
    Bounds {
        /// Which.
        what: &'static str,
        /// What was asked for.
        value: u32,
        /// Least.
        least: u32,
        /// Most.
        most: u32,
    },
    /// The NSM could not be made.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The machine ended before it listened.
    #[error("the machine {ended} before it listened; {} and {} say why", console.display(), log.display())]
    EndedEarly {
        /// How its QEMU ended.
        ended: Ended,
        /// What the guest printed.
        console: PathBuf,
        /// What QEMU printed.
        log: PathBuf,
    },
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A call of the system failed.
    #[error("{doing} failed: {kind}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// It runs and does not listen.
    #[error(
        "the machine did not listen within {} s; {} may say why",
        LISTEN_LIMIT.as_secs(), console.display()
    )]
    Silent {
        /// What the guest printed.
        console: PathBuf,
    },
}

/// Where a machine stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// A folder of its own, empty, that only this user may enter.
    pub(crate) folder: &'a Path,
    pub(crate) root: &'a Arc<DevelopmentRoot>,
    pub(crate) instance: &'a InstanceId,
    pub(crate) qemu: &'a Qemu,
    /// The CID of a machine that names none.
    pub(crate) cid: u32,
}

/// A machine. Ended when dropped.
pub(crate) struct Machine {
    child: Child,
    stopped: bool,
    module: String,
    vsock: Vsock,
    heartbeat: Mutex<Receiver<()>>,
    // Ended after QEMU, and only then.
    devices: Option<(Option<Served<Nsm>>, Served<Vsock>)>,
}

impl Machine {
    /// Starts a machine and waits as its setup says.
    pub(crate) fn start(setup: &Setup, place: &Place<'_>) -> Result<Self, MachineError> {
        let cid = setup.cid.unwrap_or(place.cid);
        check(setup, cid)?;
        let folder = place.folder;
        let image = image::unpack(&setup.image, folder)?;
        let config = Config {
            measurements: image.measurements.clone(),
            instance: place.instance.clone(),
            role_arn: setup.role_arn.clone(),
            mode: setup.mode,
        };
        let skew = setup.faults.nsm.clock_skew_ms;
        let now = system_clock_ms().saturating_add_signed(skew);
        let device = NsmDevice::new(config, Arc::clone(place.root), SysRng, now)?;
        let module = device.module_id().to_owned();
        let (beat, heartbeat) = sync_channel(1);
        let vsock =
            Vsock::new(cid, folder, setup.faults.vsock, beat).map_err(system("making vsock"))?;
        let mut sockets = vec![
            ("operator.sock".to_owned(), Target::Port(OPERATOR_PORT)),
            ("public.sock".to_owned(), Target::Port(PUBLIC_PORT)),
            (GREETED.to_owned(), Target::Named),
        ];
        let named = setup.ports.iter();
        sockets.extend(named.map(|port| (format!("port-{port}.sock"), Target::Port(*port))));
        for (name, target) in sockets {
            vsock
                .listen(&name, target)
                .map_err(system("making a socket"))?;
        }
        let nsm = Nsm::new(device, setup.faults.nsm.clone()).map_err(system("making the NSM"))?;
        let (nsm_socket, vsock_socket) = (folder.join("nsm.vhost"), folder.join("vsock.vhost"));
        let hardware = Hardware {
            image: &image,
            memory_mib: setup.memory_mib,
            cpus: setup.cpus,
            nsm: (!setup.faults.nsm.absent).then_some(&nsm_socket),
            vsock: &vsock_socket,
        };
        let child = launch(place, &hardware)?;
        let mut machine = Self {
            child,
            stopped: false,
            module,
            vsock: vsock.clone(),
            heartbeat: Mutex::new(heartbeat),
            devices: None,
        };
        let nsm = if setup.faults.nsm.absent {
            None
        } else {
            Some(machine.serve("nsm", nsm, &nsm_socket, place)?)
        };
        let vsock = machine.serve("vsock", vsock, &vsock_socket, place)?;
        machine
            .vsock
            .register(vsock.daemon())
            .map_err(system("watching sockets"))?;
        machine.devices = Some((nsm, vsock));
        if setup.until == Until::Listening {
            machine.await_listening(place)?;
        }
        Ok(machine)
    }

    /// The id of its NSM.
    pub(crate) fn module(&self) -> &str {
        &self.module
    }

    /// QEMU's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Makes a socket for a port of the guest: its name.
    pub(crate) fn open_port(&self, port: u32) -> io::Result<String> {
        let name = format!("port-{port}.sock");
        self.vsock.listen(&name, Target::Port(port))?;
        Ok(name)
    }

    /// Waits for the guest's sign of life. False when it has not come within `limit`.
    pub(crate) fn await_heartbeat(&self, limit: Duration) -> bool {
        let heartbeat = self.heartbeat.lock();
        let heartbeat = heartbeat.unwrap_or_else(PoisonError::into_inner);
        match heartbeat.recv_timeout(limit) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Whether and how QEMU has ended. It stays a zombie, so that its process id is its own.
    pub(crate) fn ended(&self) -> Option<Ended> {
        child::ended(&self.child)
    }

    /// Ends the machine, as Nitro does: the guest is not asked.
    pub(crate) fn stop(&mut self, how: How) -> Stopped {
        let before = self.ended();
        if before.is_none() && how == How::Asked {
            child::ask_to_end(&self.child, STOP_LIMIT);
        }
        let _ = self.child.kill();
        self.stopped = true;
        let ended = child::collect(&mut self.child, before);
        // QEMU is gone; so are they.
        self.devices = None;
        Stopped {
            ended_before: before.is_some(),
            ended,
        }
    }

    /// Connects a device to QEMU, which listens as soon as it gets there.
    fn serve<B: Device>(
        &self,
        name: &str,
        backend: B,
        socket: &Path,
        place: &Place<'_>,
    ) -> Result<Served<B>, MachineError> {
        let mut served = Served::new(name, backend).map_err(system("serving a device"))?;
        let since = Instant::now();
        let path = socket.to_str().unwrap_or_default();
        while !served.connect(path) {
            if let Some(ended) = self.ended() {
                return Err(ended_early(ended, place));
            }
            if since.elapsed() > CONNECT_LIMIT {
                return Err(system("connecting to QEMU")(io::ErrorKind::TimedOut.into()));
            }
            thread::sleep(POLL);
        }
        Ok(served)
    }

    /// Waits until both of init's ports take connections.
    fn await_listening(&self, place: &Place<'_>) -> Result<(), MachineError> {
        let since = Instant::now();
        for port in [OPERATOR_PORT, PUBLIC_PORT] {
            while !is_open(place.folder, port) {
                if let Some(ended) = self.ended() {
                    return Err(ended_early(ended, place));
                }
                if since.elapsed() > LISTEN_LIMIT {
                    return Err(MachineError::Silent {
                        console: place.folder.join(CONSOLE),
                    });
                }
                thread::sleep(ASK_AGAIN);
            }
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !self.stopped {
            self.stop(How::AtOnce);
        }
    }
}

/// What the guest prints.
pub(crate) const CONSOLE: &str = "console.log";
/// What QEMU prints.
pub(crate) const LOG: &str = "qemu.log";

fn check(setup: &Setup, cid: u32) -> Result<(), MachineError> {
    for (what, value, bounds) in [
        ("memory in MiB", setup.memory_mib, MEMORY_MIB),
        ("processors", setup.cpus, CPUS),
        ("CID", cid, CID_MIN..=u32::MAX - 1),
    ] {
        if !bounds.contains(&value) {
            return Err(MachineError::Bounds {
                what,
                value,
                least: *bounds.start(),
                most: *bounds.end(),
            });
        }
    }
    Ok(())
}

/// Starts QEMU from a thread that lives as long as it does: the kernel ends a QEMU whose thread is
/// gone. That thread keeps what the guest prints.
fn launch(place: &Place<'_>, hardware: &Hardware<'_>) -> Result<Child, MachineError> {
    let kept =
        console::create(&place.folder.join(CONSOLE)).map_err(system("making the console"))?;
    let log = console::create(&place.folder.join(LOG)).map_err(system("making the log"))?;
    let accelerator = probe::accelerator(place.qemu, &hardware.image.kernel);
    let mut command = place.qemu.machine(hardware, accelerator);
    command
        .current_dir(place.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (send, started) = channel();
    thread::Builder::new()
        .name("console".into())
        .spawn(move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return drop(send.send(Err(error))),
            };
            let (printed, said) = (child.stdout.take(), child.stderr.take());
            if let Err(error) = send.send(Ok(child)) {
                // Nobody waits for it any more.
                if let Ok(mut child) = error.0 {
                    let _ = child.kill();
                    let _ = child.wait();
                }
                return;
            }
            if let Some(said) = said {
                keep_log(said, log);
            }
            if let Some(printed) = printed {
                console::keep(printed, kept, console::CONSOLE_MAX);
            }
        })
        .map_err(system("starting a thread"))?;
    match started.recv() {
        Ok(started) => started.map_err(system("starting QEMU")),
        Err(_) => Err(system("starting QEMU")(io::ErrorKind::BrokenPipe.into())),
    }
}

fn keep_log(said: std::process::ChildStderr, log: File) {
    let keep = move || console::keep(said, log, console::LOG_MAX);
    // Without the thread QEMU's own words are lost, no more.
    let _ = thread::Builder::new().name("qemu-log".into()).spawn(keep);
}

/// Whether this port of the guest takes connections.
fn is_open(folder: &Path, port: u32) -> bool {
    let asked = UnixStream::connect(folder.join(GREETED)).and_then(|mut stream| {
        stream.set_read_timeout(Some(LISTEN_LIMIT))?;
        stream.write_all(format!("CONNECT {port}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line.starts_with("OK "))
    });
    asked.unwrap_or(false)
}

fn ended_early(ended: Ended, place: &Place<'_>) -> MachineError {
    MachineError::EndedEarly {
        ended,
        console: place.folder.join(CONSOLE),
        log: place.folder.join(LOG),
    }
}

fn system(doing: &'static str) -> impl FnOnce(io::Error) -> MachineError {
    move |error| MachineError::System {
        doing,
        kind: error.kind(),
    }
}
