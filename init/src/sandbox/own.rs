//! What only the first process of a machine does: file systems, the kernel's settings, its
//! randomness, its own confinement, the sign of life that Nitro's tools wait for, and the end.
//!
//! Guarantees: init goes on only when every step succeeded, and halts with the name of the one
//! that did not. The kernel is locked down in confidentiality mode, its hardware source of
//! randomness is the NSM, and the NSM's bytes are in its generator before the first key is made.
//! Before the first request is read, nothing is left in the file system but an empty read-only
//! folder, and init holds the capabilities and makes the system calls that starting applications
//! takes. A panic says where, and ends the machine; so does a machine that runs out of memory.
//! Nothing but fixed words, places in our source and the kernel's error names is written or sent.
//!
//! Does not: run anywhere but in a machine of its own. As an ordinary process (the emulator's
//! process mode) init never comes here.

use std::fs::{File, create_dir, read_to_string, remove_dir, write};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::chroot;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::socket::sockopt::SocketError;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, VsockAddr, connect, getsockopt, socket};
use nix::sys::stat::{Mode, umask};
use nix::unistd::chdir;

use super::calls::{APPLICATION, Filters};
use super::group::Groups;
use super::init_calls::INIT;
use super::{Confinement, Machine, Means};
use crate::log::{Event, say};
use crate::refuse::Halt;
use crate::sys;

/// The parent instance, as enclaves address it.
pub const PARENT: u32 = 3;
/// Where Nitro's tools wait for the sign of life.
const HEARTBEAT_PORT: u32 = 9000;
/// The sign, and the answer.
const HEARTBEAT: u8 = 0xb7;
/// How long the parent may take for each step of it, in milliseconds. Nitro's tools answer at once.
const PATIENCE: u16 = 2000;

/// Where init's own root is made.
const BASE: &str = "/base";
/// What becomes every application's root.
pub(super) const EMPTY: &str = "/empty";
const CGROUPS: &str = "/cgroup";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
const RANDOM_SOURCE: &str = "/sys/class/misc/hw_random/rng_current";

/// File systems, in the order in which they are mounted: kind, place, flags, options, and whether
/// the place has to be made.
const MOUNTS: [(&str, &str, MsFlags, &str, bool); 6] = [
    ("devtmpfs", "/dev", NARROW, "mode=0755", true),
    ("proc", "/proc", NARROWER, "hidepid=invisible", true),
    ("sysfs", "/sys", NARROWER, "", true),
    ("securityfs", "/sys/kernel/security", NARROWER, "", false),
    ("cgroup2", CGROUPS, NARROWER, "", true),
    (
        "tmpfs",
        EMPTY,
        NARROWER.union(MsFlags::MS_RDONLY),
        "mode=0555,size=4k,nr_inodes=1",
        true,
    ),
];

/// Those of [`MOUNTS`] that go again, the inner ones first, and whether their place goes, too.
const UNMOUNTS: [(&str, bool); 5] = [
    (CGROUPS, true),
    ("/sys/kernel/security", false),
    ("/sys", true),
    ("/proc", true),
    ("/dev", true),
];

const NARROW: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC);
const NARROWER: MsFlags = NARROW.union(MsFlags::MS_NODEV);

/// Settings of the kernel: file, line.
const SETTINGS: [(&str, &str); 4] = [
    // The console gets what ends the machine, and init's own lines.
    ("/proc/sys/kernel/printk", "1\n"),
    ("/proc/sys/kernel/printk_devkmsg", "off\n"),
    // Nobody traces anybody.
    ("/proc/sys/kernel/yama/ptrace_scope", "3\n"),
    // A machine without memory says so and ends; no process is chosen to die for it.
    ("/proc/sys/vm/panic_on_oom", "1\n"),
];

/// Descriptors init may have: more than an application, whose binary takes a number above its own.
const DESCRIPTORS: u64 = 8192;

/// What init keeps of root's power, by numbers of `linux/capability.h`.
const CAPABILITIES: [u32; 6] = [
    6,  // SETGID: become an application's group
    7,  // SETUID: become an application's user
    8,  // SETPCAP: lock an application's securebits, empty its bounding set
    10, // NET_BIND_SERVICE: listen on vsock ports below 1024
    21, // SYS_ADMIN: namespaces and root of an application
    22, // SYS_BOOT: end the machine
];

/// The first process of a machine, prepared. There is one way to get it, and it leads through every
/// step.
pub struct FirstProcess {
    groups: Groups,
    random: File,
}

impl FirstProcess {
    /// Says that the machine has started, and prepares it, or says why it cannot.
    ///
    /// # Errors
    /// [`Halt::NotFirst`], unsaid; else the step that failed.
    pub fn begin() -> Result<Self, Halt> {
        if std::process::id() != 1 {
            return Err(Halt::NotFirst);
        }
        Self::prepare().inspect_err(|halt| say(Event::Halting(halt)))
    }

    fn prepare() -> Result<Self, Halt> {
        say(Event::Booting);
        std::panic::set_hook(Box::new(|panic| {
            // Where, never what: a message can quote data.
            let (file, line) = panic
                .location()
                .map_or(("", 0), |place| (place.file(), place.line()));
            say(Event::Panicked { file, line });
            end();
        }));
        umask(Mode::from_bits_truncate(0o077));
        // A machine starts with whatever mask the kernel had: none of it is ours.
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
            .map_err(Halt::kernel("open all signals"))?;
        setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS)
            .map_err(Halt::kernel("raise the limit of descriptors"))?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(Halt::kernel("forbid core dumps"))?;
        // However many threads applications compute with, init gets its turn.
        sys::set_priority(-20).map_err(Halt::kernel("take precedence over applications"))?;
        own_root()?;
        for (kind, place, flags, options, new) in MOUNTS {
            if new {
                create_dir(place).map_err(failed("make a place to mount on"))?;
            }
            mount(Some(kind), place, Some(kind), flags, Some(options))
                .map_err(Halt::mount(place))?;
        }
        for (file, value) in SETTINGS {
            write(file, value).map_err(failed(file))?;
        }
        locked_down(&read_to_string(LOCKDOWN).map_err(failed(LOCKDOWN))?)?;
        let landlock = sys::landlock_version().map_err(Halt::kernel("ask for Landlock"))?;
        refuses_everything(landlock)?;
        Ok(Self {
            groups: Groups::open(Path::new(CGROUPS))?,
            random: File::options()
                .write(true)
                .open("/dev/random")
                .map_err(failed("open /dev/random"))?,
        })
    }

    /// Tells the parent instance that the machine has started, waits for its answer, and says how
    /// that went. Whoever started the enclave finds out by itself, and without Nitro's tools nobody
    /// listens there, so init goes on in any case.
    pub fn heartbeat(&self) {
        say(Event::Heartbeat(heartbeat().err()));
    }

    /// With the NSM open: mixes `random`, the NSM's own bytes, into the kernel's generator, takes
    /// away everything that only the start needed, and restricts init itself.
    ///
    /// # Errors
    /// [`Halt`], named by the step that failed.
    pub fn confine(self, random: &[u8; 64]) -> Result<Confinement, Halt> {
        fed_by_the_nsm(&read_to_string(RANDOM_SOURCE).map_err(failed(RANDOM_SOURCE))?)?;
        sys::add_kernel_entropy(&self.random, random)
            .map_err(Halt::kernel("mix the NSM's randomness into the kernel's"))?;
        for (place, folder) in UNMOUNTS {
            // What is open stays open: /dev/nsm, /dev/null, the cgroups.
            umount2(place, MntFlags::MNT_DETACH).map_err(Halt::mount(place))?;
            if folder {
                remove_dir(place).map_err(failed("remove a place to mount on"))?;
            }
        }
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | NARROWER;
        mount(None::<&str>, "/", None::<&str>, read_only, None::<&str>)
            .map_err(Halt::mount("/"))?;
        let filters = |filters: Result<Filters, _>| filters.map_err(|_| Halt::Calls);
        let machine = Machine {
            groups: self.groups,
            filters: Rc::new(filters(Filters::of_applications())?),
        };
        let own = filters(Filters::of_init(&[APPLICATION, INIT]))?;
        keep_capabilities().map_err(Halt::kernel("give up capabilities"))?;
        prctl::set_no_new_privs().map_err(Halt::kernel("give up new privileges"))?;
        own.enforce()
            .map_err(Halt::kernel("restrict init's system calls"))?;
        Ok(Confinement(Means::Machine(machine)))
    }
}

/// The kernel marks the one of its modes that is on, as in `none integrity [confidentiality]`.
fn locked_down(modes: &str) -> Result<(), Halt> {
    if modes.contains("[confidentiality]") {
        Ok(())
    } else {
        Err(Halt::Lockdown)
    }
}

fn refuses_everything(landlock: i64) -> Result<(), Halt> {
    if landlock >= sys::LANDLOCK_VERSION {
        Ok(())
    } else {
        Err(Halt::Landlock { found: landlock })
    }
}

fn fed_by_the_nsm(source: &str) -> Result<(), Halt> {
    if source.trim_end() == "nsm-hwrng" {
        Ok(())
    } else {
        Err(Halt::RandomSource)
    }
}

/// Ends the machine. The first process must not return: the kernel would panic and hide the reason.
pub fn end() {
    let _ = reboot(RebootMode::RB_AUTOBOOT);
}

/// Makes a root of our own above the kernel's first one, which can be no process's pivot.
fn own_root() -> Result<(), Halt> {
    let root = || Halt::mount("/");
    create_dir(BASE).map_err(failed("make a root"))?;
    mount(
        Some("tmpfs"),
        BASE,
        Some("tmpfs"),
        NARROWER,
        Some("mode=0755,size=64k,nr_inodes=16"),
    )
    .map_err(root())?;
    chdir(BASE).map_err(root())?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).map_err(root())?;
    chroot(".").map_err(failed("enter the root"))?;
    chdir("/").map_err(root())?;
    // What an application does in its namespace never comes back to ours.
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(root())
}

/// Gives up every capability but [`CAPABILITIES`].
fn keep_capabilities() -> Result<(), Errno> {
    let kept = CAPABILITIES.iter().fold(0, |kept, n| kept | 1_u64 << n);
    for capability in (0..64).filter(|n| kept & 1 << n == 0) {
        match sys::drop_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel has no more.
            Err(Errno::EINVAL) if capability > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    sys::set_capabilities(kept)
}

fn failed(step: &'static str) -> impl Fn(io::Error) -> Halt {
    move |error| Halt::Kernel {
        step,
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

fn heartbeat() -> Result<(), Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
    match connect(fd.as_raw_fd(), &VsockAddr::new(PARENT, HEARTBEAT_PORT)) {
        Ok(()) => {}
        Err(Errno::EINPROGRESS) => {
            ready(&fd, PollFlags::POLLOUT)?;
            match getsockopt(&fd, SocketError)? {
                0 => {}
                code => return Err(Errno::from_raw(code)),
            }
        }
        Err(errno) => return Err(errno),
    }
    let mut stream = File::from(fd);
    let raw = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    stream.write_all(&[HEARTBEAT]).map_err(raw)?;
    ready(&stream, PollFlags::POLLIN)?;
    let mut answer = [0];
    stream.read_exact(&mut answer).map_err(raw)?;
    if answer == [HEARTBEAT] {
        Ok(())
    } else {
        Err(Errno::EPROTO)
    }
}

fn ready(fd: &impl std::os::fd::AsFd, events: PollFlags) -> Result<(), Errno> {
    let mut fds = [PollFd::new(fd.as_fd(), events)];
    match poll(&mut fds, PollTimeout::from(PATIENCE))? {
        0 => Err(Errno::ETIMEDOUT),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A kernel of ours is always locked down, whatever its command line says; these are the words
    // of others.
    #[test]
    fn a_kernel_that_is_not_locked_down_fails_closed() {
        assert_eq!(locked_down("none integrity [confidentiality]\n"), Ok(()));
        for modes in [
            "[none] integrity confidentiality\n",
            "none [integrity] confidentiality\n",
            "confidentiality",
            "",
        ] {
            assert_eq!(locked_down(modes), Err(Halt::Lockdown), "{modes}");
        }
    }

    #[test]
    fn an_old_landlock_fails_closed() {
        assert_eq!(refuses_everything(6), Ok(()));
        assert_eq!(refuses_everything(9), Ok(()));
        for found in [-1, 0, 5] {
            let halt = Halt::Landlock { found };
            assert_eq!(refuses_everything(found), Err(halt));
        }
    }

    #[test]
    fn another_source_of_randomness_fails_closed() {
        assert_eq!(fed_by_the_nsm("nsm-hwrng\n"), Ok(()));
        for source in [
            "none\n",
            "",
            "virtio_rng.0\n",
            "nsm-hwrng.1\n",
            "not nsm-hwrng\n",
        ] {
            assert_eq!(fed_by_the_nsm(source), Err(Halt::RandomSource), "{source}");
        }
    }
}
