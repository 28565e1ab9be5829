//! The start of one process: what happens between the clone and the first instruction of the
//! application, step by step.
//!
//! Guarantees: the application runs only if every step succeeded. A step that failed comes back by
//! name. The new process makes system calls on what was prepared before it, and nothing else: it
//! is a copy of init, and allocates nothing.

use std::ffi::CString;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, IntoRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, umount2};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chdir, pipe2, pivot_root, read, setsid, write};

use super::calls::DESCRIPTORS;
use super::group::TASKS;
use super::own::EMPTY;
use super::{Cell, Kind, Sandbox};
use crate::refuse::Halt;
use crate::sys::{self, Place, Texts};

/// First descriptor a process inherits beyond the standard three.
const FIRST: RawFd = 3;
/// Highest number a capability can have.
const CAPABILITIES: u32 = 64;
/// Bits of `linux/securebits.h`, all four locked: NOROOT and NO_CAP_AMBIENT_RAISE on (user 0 is
/// nobody special, no capability is handed on), NO_SETUID_FIXUP and KEEP_CAPS off (who changes the
/// user loses them).
const SECUREBITS: u32 = 0b1110_1011;

/// A process to be started.
pub(crate) struct Spawn<'a> {
    /// The binary, a static ELF file.
    pub(crate) binary: BorrowedFd<'a>,
    /// Arguments, the name first.
    pub(crate) arguments: Vec<CString>,
    /// The whole environment.
    pub(crate) environment: Vec<CString>,
    /// Standard input, output and error.
    pub(crate) null: BorrowedFd<'a>,
    /// What it inherits, as descriptors 3, 4, ….
    pub(crate) descriptors: &'a [BorrowedFd<'a>],
    /// Address space in bytes, at most.
    pub(crate) memory_limit: u64,
    /// Where it runs.
    pub(crate) sandbox: &'a Sandbox,
}

/// What a new process does before it is the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Create,
    Report,
    Session,
    Descriptors,
    Root,
    Limits,
    Privileges,
    User,
    Death,
    Files,
    Calls,
    Execute,
}

impl Step {
    const ALL: [(Self, &'static str); 12] = [
        (Self::Create, "start an application: make its process"),
        (Self::Report, "start an application: hear from its process"),
        (Self::Session, "start an application: session and signals"),
        (
            Self::Descriptors,
            "start an application: place its descriptors",
        ),
        (Self::Root, "start an application: enter its root"),
        (Self::Limits, "start an application: set its limits"),
        (Self::Privileges, "start an application: drop privileges"),
        (Self::User, "start an application: become its user"),
        (Self::Death, "start an application: tie it to init"),
        (
            Self::Files,
            "start an application: enter its Landlock domain",
        ),
        (
            Self::Calls,
            "start an application: restrict its system calls",
        ),
        (Self::Execute, "start an application: execute its binary"),
    ];

    fn at(self) -> impl Fn(Errno) -> Failed {
        move |errno| Failed { step: self, errno }
    }
}

/// A step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failed {
    step: Step,
    errno: Errno,
}

impl Failed {
    const LEN: usize = 5;

    fn to_bytes(self) -> [u8; Self::LEN] {
        let [a, b, c, d] = (self.errno as i32).to_ne_bytes();
        [self.step as u8, a, b, c, d]
    }

    fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [step, a, b, c, d] = bytes;
        let known = Step::ALL.iter().find(|(known, _)| *known as u8 == step);
        Self {
            step: known.map_or(Step::Report, |(step, _)| *step),
            errno: Errno::from_raw(i32::from_ne_bytes([a, b, c, d])),
        }
    }
}

impl From<Failed> for Halt {
    fn from(failed: Failed) -> Self {
        let named = Step::ALL.iter().find(|(step, _)| *step == failed.step);
        Self::Kernel {
            step: named.map_or("start an application", |(_, name)| name),
            errno: failed.errno,
        }
    }
}

/// Starts a process that holds nothing but what [`Spawn`] names.
///
/// The caller has one thread.
///
/// # Errors
/// [`Halt::Kernel`] with the step that failed, here or in the new process.
pub(crate) fn spawn(spawn: Spawn<'_>) -> Result<Pid, Halt> {
    Ok(start(spawn)?)
}

fn start(spawn: Spawn<'_>) -> Result<Pid, Failed> {
    let create = Step::Create.at();
    let (report_read, report_write) = pipe2(OFlag::O_CLOEXEC).map_err(&create)?;
    let mut child = Child {
        arguments: Texts::new(spawn.arguments),
        environment: Texts::new(spawn.environment),
        inherited: Vec::with_capacity(spawn.descriptors.len()),
        binary: spawn.binary,
        null: spawn.null,
        descriptors: spawn.descriptors,
        memory_limit: spawn.memory_limit,
        sandbox: spawn.sandbox,
    };
    let place = match &spawn.sandbox.0 {
        Kind::User => Place::Here,
        Kind::Machine(cell) => Place::Apart(cell.group.as_fd()),
    };
    let writer = report_write.as_fd();
    let process = sys::in_child(place, || child.become_application(writer)).map_err(create)?;
    drop(report_write);
    let mut report = [0; Failed::LEN];
    loop {
        match read(&report_read, &mut report) {
            // The pipe was closed by execve.
            Ok(0) => return Ok(process),
            Ok(_) => {
                let _ = waitpid(process, None);
                return Err(Failed::from_bytes(report));
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Step::Report.at()(errno)),
        }
    }
}

/// What the new process works with.
struct Child<'a> {
    binary: BorrowedFd<'a>,
    arguments: Texts,
    environment: Texts,
    null: BorrowedFd<'a>,
    descriptors: &'a [BorrowedFd<'a>],
    /// Has room for all descriptors.
    inherited: Vec<OwnedFd>,
    memory_limit: u64,
    sandbox: &'a Sandbox,
}

impl Child<'_> {
    /// Runs in the child: becomes the application, or reports why not.
    fn become_application(&mut self, report: BorrowedFd<'_>) {
        // Placing descriptors may overwrite any low number, that of the report too: out of the way.
        let above = RawFd::try_from(self.descriptors.len())
            .ok()
            .and_then(|count| count.checked_add(FIRST + 8))
            .unwrap_or(RawFd::MAX);
        let (report, failed) = match sys::aside(report, above) {
            Ok(report) => match self.prepare(above) {
                Ok(binary) => {
                    let (arguments, environment) = (&self.arguments, &self.environment);
                    let errno = sys::execute(binary.as_fd(), arguments, environment);
                    (report, Step::Execute.at()(errno))
                }
                Err(failed) => (report, failed),
            },
            // Without a report the parent finds that the process ended.
            Err(_) => return,
        };
        let _ = write(&report, &failed.to_bytes());
        // The process ends here; no destructor may close a number that is another's by now.
        let _ = report.into_raw_fd();
    }

    fn prepare(&mut self, above: RawFd) -> Result<OwnedFd, Failed> {
        self.session().map_err(Step::Session.at())?;
        let binary = self.place(above).map_err(Step::Descriptors.at())?;
        if let Kind::Machine(cell) = &self.sandbox.0 {
            enter_root().map_err(Step::Root.at())?;
            self.limit().map_err(Step::Limits.at())?;
            confine(cell)?;
        } else {
            self.limit().map_err(Step::Limits.at())?;
            bind_to_init().map_err(Step::Death.at())?;
        }
        Ok(binary)
    }

    fn session(&self) -> Result<(), Errno> {
        setsid()?;
        SigSet::empty().thread_set_mask()?;
        sys::default_sigpipe()
    }

    fn place(&mut self, above: RawFd) -> Result<OwnedFd, Errno> {
        // All moved out of the way before the first is placed, so that placing one never overwrites
        // another. The copies go at execve.
        let null = sys::aside(self.null, above)?;
        let binary = match &self.sandbox.0 {
            Kind::User => sys::aside(self.binary, above)?,
            Kind::Machine(_) => {
                let binary = sys::aside(self.binary, DESCRIPTORS)?;
                // The filter names this number.
                if binary.as_raw_fd() != DESCRIPTORS {
                    return Err(Errno::EMFILE);
                }
                binary
            }
        };
        for fd in self.descriptors {
            self.inherited.push(sys::aside(*fd, above)?);
        }
        for (place, fd) in (FIRST..).zip(&self.inherited) {
            sys::put(fd.as_fd(), place)?;
        }
        for place in 0..FIRST {
            sys::put(null.as_fd(), place)?;
        }
        // Everything else goes at execve: what stays open is what was put in place above.
        let first_other = FIRST + RawFd::try_from(self.descriptors.len()).unwrap_or(RawFd::MAX);
        sys::close_on_exec_from(first_other)?;
        // Both stay open: closed by execve.
        let _ = null.into_raw_fd();
        Ok(binary)
    }

    fn limit(&self) -> Result<(), Errno> {
        limit(&[
            (Resource::RLIMIT_CORE, 0),
            (Resource::RLIMIT_AS, self.memory_limit),
        ])?;
        match &self.sandbox.0 {
            Kind::User => return Ok(()),
            Kind::Machine(_) => sys::set_priority(0)?,
        }
        limit(&[
            (
                Resource::RLIMIT_NOFILE,
                u64::from(DESCRIPTORS.cast_unsigned()),
            ),
            (Resource::RLIMIT_NPROC, TASKS),
            (Resource::RLIMIT_MEMLOCK, 8 << 20),
            (Resource::RLIMIT_MSGQUEUE, 0),
            (Resource::RLIMIT_NICE, 0),
            (Resource::RLIMIT_RTPRIO, 0),
            (Resource::RLIMIT_SIGPENDING, 64),
        ])
    }
}

fn limit(limits: &[(Resource, u64)]) -> Result<(), Errno> {
    let mut limits = limits.iter();
    limits.try_for_each(|(resource, limit)| setrlimit(*resource, *limit, *limit))
}

/// Makes the empty folder the root, in this process's own namespace, and lets the old one go.
fn enter_root() -> Result<(), Errno> {
    chdir(EMPTY)?;
    // Both at once: the old root is mounted over the new one, from where it is taken away.
    pivot_root(c".", c".")?;
    umount2(c".", MntFlags::MNT_DETACH)?;
    chdir(c"/")
}

/// Dies when init does.
fn bind_to_init() -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_no_new_privs()
}

fn confine(cell: &Cell) -> Result<(), Failed> {
    drop_privileges().map_err(Step::Privileges.at())?;
    sys::become_user(cell.user).map_err(Step::User.at())?;
    sys::set_capabilities(0).map_err(Step::Privileges.at())?;
    // After the change of user, which undoes it.
    bind_to_init().map_err(Step::Death.at())?;
    sys::landlock_everything().map_err(Step::Files.at())?;
    cell.filters.enforce().map_err(Step::Calls.at())
}

/// Empties the bounding set and locks the securebits, while there is still the right to.
fn drop_privileges() -> Result<(), Errno> {
    for capability in 0..CAPABILITIES {
        match sys::drop_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel has no more.
            Err(Errno::EINVAL) if capability > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    sys::set_securebits(SECUREBITS)
}

#[cfg(test)]
mod tests;
