//! System calls that safe Rust cannot make: the only file of this package with `unsafe`.
//!
//! Each function here is safe to call with any argument. What makes it so stands beside each
//! `unsafe` block.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::fd::{
    AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd,
};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fexecve, fork, pipe2, read, setsid, write};

use crate::nsm::wire::REQUEST_MAX;
use crate::nsm::{Transport, TransportError};

/// Where the driver puts the device.
const NSM_DEVICE: &str = "/dev/nsm";

/// `struct nsm_raw` of `linux/nsm.h`: two buffers as address and length.
#[repr(C)]
struct NsmRaw {
    request_address: u64,
    request_len: u64,
    response_address: u64,
    response_len: u64,
}

mod ioctl {
    use super::NsmRaw;

    // NSM_IOCTL_RAW = _IOWR(0x0A, 0x0, struct nsm_raw)
    nix::ioctl_readwrite!(
        /// Sends one raw message to the NSM and waits for the answer.
        nsm_raw,
        0x0A,
        0x00,
        NsmRaw
    );
}

/// The NSM of this enclave, `/dev/nsm`.
#[derive(Debug)]
pub struct DevNsm {
    device: File,
}

impl DevNsm {
    /// Opens `/dev/nsm` for reading and writing; the descriptor is closed on exec.
    ///
    /// # Errors
    /// [`TransportError::Open`].
    pub fn open() -> Result<Self, TransportError> {
        Self::open_path(Path::new(NSM_DEVICE))
    }

    fn open_path(path: &Path) -> Result<Self, TransportError> {
        // The standard library opens with O_CLOEXEC.
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(device) => Ok(Self { device }),
            Err(error) => Err(TransportError::Open {
                errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
            }),
        }
    }
}

impl Transport for DevNsm {
    fn exchange(&mut self, request: &[u8], response: &mut [u8]) -> Result<usize, TransportError> {
        if request.len() > REQUEST_MAX {
            return Err(TransportError::RequestTooLong {
                len: request.len(),
                max: REQUEST_MAX,
            });
        }
        let max = response.len();
        let mut message = NsmRaw {
            request_address: request.as_ptr() as u64,
            request_len: request.len() as u64,
            response_address: response.as_mut_ptr() as u64,
            response_len: max as u64,
        };
        // SAFETY: the descriptor is open as long as `self` lives. `message` is a live, writable
        // `struct nsm_raw`. Its request part names `request`, which the driver only reads, and its
        // response part names `response`, which is borrowed mutably and of which the driver writes
        // at most `response_len` bytes; both outlive the call, and the driver keeps no address.
        // Another driver behind the descriptor would not know this command and answer ENOTTY.
        let outcome = unsafe { ioctl::nsm_raw(self.device.as_raw_fd(), &raw mut message) };
        match outcome {
            Ok(_) => {}
            Err(Errno::EMSGSIZE) => {
                return Err(TransportError::RequestTooLong {
                    len: request.len(),
                    max: REQUEST_MAX,
                });
            }
            Err(Errno::ETIMEDOUT) => return Err(TransportError::TimedOut),
            Err(errno) => return Err(TransportError::Exchange { errno }),
        }
        // The driver replaced the capacity by the number of bytes it wrote.
        match usize::try_from(message.response_len) {
            Ok(len) if len <= max => Ok(len),
            Ok(len) => Err(TransportError::ResponseTooLong { len, max }),
            Err(_) => Err(TransportError::ResponseTooLong {
                len: usize::MAX,
                max,
            }),
        }
    }
}

/// Fills `buffer` from the kernel's generator, waiting until it is seeded.
///
/// # Errors
/// What the kernel said.
pub(crate) fn kernel_random(buffer: &mut [u8]) -> Result<(), Errno> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // SAFETY: `rest` is valid for writes of `rest.len()` bytes for the duration of the call.
        let outcome = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match Errno::result(outcome) {
            Ok(count) => filled = filled.saturating_add(usize::try_from(count).unwrap_or(0)),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Takes ownership of a descriptor that accept4 has just returned.
pub(crate) fn adopt(accepted: RawFd) -> OwnedFd {
    // SAFETY: the only caller passes what accept4 returned and keeps no copy, so the descriptor is
    // open and nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(accepted) }
}

/// A process to be started.
pub(crate) struct Spawn<'a> {
    /// The binary, a static ELF file.
    pub(crate) binary: BorrowedFd<'a>,
    /// Arguments, the name first.
    pub(crate) arguments: &'a [CString],
    /// The whole environment.
    pub(crate) environment: &'a [CString],
    /// Standard input, output and error.
    pub(crate) null: BorrowedFd<'a>,
    /// What it inherits, as descriptors 3, 4, ….
    pub(crate) descriptors: &'a [BorrowedFd<'a>],
    /// Address space in bytes, at most.
    pub(crate) memory_limit: u64,
}

/// First descriptor a process inherits beyond the standard three.
const FIRST: RawFd = 3;

/// Starts a process that holds nothing but what [`Spawn`] names: its own session, no signal
/// blocked, no privileges to gain, no core dump, killed when init dies.
///
/// The caller has one thread; a forked child of many threads may do much less than this one does.
///
/// # Errors
/// What the kernel said, in the parent or in the child before it became the application.
pub(crate) fn spawn(spawn: &Spawn<'_>) -> Result<Pid, Errno> {
    let (report_read, report_write) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread, so the child starts in a consistent state; it only
    // makes system calls on prepared data and leaves by execve or _exit.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(report_write);
            let mut report = [0; 4];
            match read(&report_read, &mut report) {
                // The pipe was closed by execve.
                Ok(0) => Ok(child),
                Ok(_) => {
                    let _ = waitpid(child, None);
                    Err(Errno::from_raw(i32::from_ne_bytes(report)))
                }
                Err(errno) => Err(errno),
            }
        }
        ForkResult::Child => {
            become_application(spawn, report_write);
            // SAFETY: ends the child at once; no destructor of the parent's state may run here.
            unsafe { libc::_exit(127) }
        }
    }
}

/// Runs in the child: becomes the application, or reports why not.
fn become_application(spawn: &Spawn<'_>, report: OwnedFd) {
    // Placing descriptors may overwrite any low number, that of the report too: out of the way.
    let above = RawFd::try_from(spawn.descriptors.len())
        .ok()
        .and_then(|count| count.checked_add(FIRST + 8))
        .unwrap_or(RawFd::MAX);
    let (report, errno) = match aside(report.as_fd(), above) {
        Ok(moved) => {
            // Its number may soon be another descriptor's; execve or _exit closes it.
            let _ = report.into_raw_fd();
            (moved, execute(spawn, above))
        }
        Err(errno) => (report, errno),
    };
    let _ = write(&report, &(errno as i32).to_ne_bytes());
}

/// Returns only on failure.
fn execute(spawn: &Spawn<'_>, above: RawFd) -> Errno {
    match prepare(spawn, above) {
        Ok(binary) => match fexecve(&binary, spawn.arguments, spawn.environment) {
            Ok(never) => match never {},
            Err(errno) => errno,
        },
        Err(errno) => errno,
    }
}

/// The same descriptor under a number of at least `above`, closed by execve.
fn aside(fd: BorrowedFd<'_>, above: RawFd) -> Result<OwnedFd, Errno> {
    let number = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(above))?;
    // SAFETY: fcntl has just made this descriptor in this process and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn prepare(spawn: &Spawn<'_>, above: RawFd) -> Result<OwnedFd, Errno> {
    setsid()?;
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_no_new_privs()?;
    SigSet::empty().thread_set_mask()?;
    // SAFETY: sets the default action; no handler of this process is involved. Rust programs ignore
    // SIGPIPE, and what is ignored stays so over execve; an application decides for itself.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    // All moved out of the way before the first is placed, so that placing one never overwrites
    // another. The copies go at execve.
    let null = aside(spawn.null, above)?;
    let binary = aside(spawn.binary, above)?;
    let inherited = spawn.descriptors.iter().map(|fd| aside(*fd, above));
    let inherited = inherited.collect::<Result<Vec<_>, _>>()?;
    for (place, fd) in (FIRST..).zip(&inherited) {
        put(fd.as_raw_fd(), place)?;
    }
    for place in 0..FIRST {
        put(null.as_raw_fd(), place)?;
    }
    // Everything else goes at execve: what stays open is what was put in place above.
    let first_other = FIRST + RawFd::try_from(spawn.descriptors.len()).unwrap_or(RawFd::MAX);
    close_on_exec_from(first_other)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_AS, spawn.memory_limit, spawn.memory_limit)?;
    Ok(binary)
}

/// Makes `to` a duplicate of `from` that survives execve.
fn put(from: RawFd, to: RawFd) -> Result<(), Errno> {
    // SAFETY: dup2 takes any two numbers. `to` is a number below those that were set aside, and
    // the child uses no descriptor there through an owner any more: what it still needs was set
    // aside, and nothing the parent's state owns is dropped before execve or _exit.
    let outcome = unsafe { libc::dup2(from, to) };
    Errno::result(outcome).map(|_| ())
}

fn close_on_exec_from(first: RawFd) -> Result<(), Errno> {
    let first = libc::c_uint::try_from(first).map_err(|_| Errno::EINVAL)?;
    let flag = libc::c_long::from(libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: close_range with CLOEXEC changes flags of descriptors only; the arguments are three
    // integers. The raw call is used because musl has no wrapper.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            libc::c_long::from(first),
            libc::c_long::from(u32::MAX),
            flag,
        )
    };
    Errno::result(outcome).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ioctl_number_is_that_of_the_driver() {
        assert_eq!(size_of::<NsmRaw>(), 32);
        assert_eq!(
            nix::request_code_readwrite!(0x0A, 0x00, size_of::<NsmRaw>()),
            0xC020_0A00
        );
    }

    #[test]
    fn missing_device_fails_closed() {
        let error = DevNsm::open_path(Path::new("/dev/no-such-nsm")).err();
        assert_eq!(
            error,
            Some(TransportError::Open {
                errno: Errno::ENOENT
            })
        );
    }

    #[test]
    fn another_device_fails_closed() -> Result<(), TransportError> {
        let mut device = DevNsm::open_path(Path::new("/dev/null"))?;
        let mut response = [0; 16];
        let outcome = device.exchange(b"\x69GetRandom", &mut response);
        assert_eq!(
            outcome,
            Err(TransportError::Exchange {
                errno: Errno::ENOTTY
            })
        );
        assert_eq!(response, [0; 16]);
        Ok(())
    }

    #[test]
    fn oversize_request_fails_closed() -> Result<(), TransportError> {
        let mut device = DevNsm::open_path(Path::new("/dev/null"))?;
        let outcome = device.exchange(&[0; REQUEST_MAX + 1], &mut []);
        let error = TransportError::RequestTooLong {
            len: REQUEST_MAX + 1,
            max: REQUEST_MAX,
        };
        assert_eq!(outcome, Err(error));
        Ok(())
    }

    fn memory(contents: &[u8]) -> File {
        use std::io::Write as _;
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        let mut file = File::from(nix::sys::memfd::memfd_create(c"test", flags).unwrap());
        file.write_all(contents).unwrap();
        file
    }

    /// Starts `binary` with `descriptors` as 3, 4, ….
    fn start(
        binary: &File,
        arguments: &[&str],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Pid, Errno> {
        let null = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .unwrap();
        let arguments: Vec<CString> = arguments
            .iter()
            .map(|a| CString::new(*a).unwrap())
            .collect();
        spawn(&Spawn {
            binary: binary.as_fd(),
            arguments: &arguments,
            environment: &[],
            null: null.as_fd(),
            descriptors,
            memory_limit: 1 << 40,
        })
    }

    #[test]
    fn inherited_descriptors_keep_their_order_whatever_their_numbers() {
        let shell = File::open("/bin/sh").unwrap();
        let (right, wrong) = (memory(b"right\n"), memory(b"wrong\n"));
        // Another one is placed where `right` was before `right` itself has its turn.
        let number = usize::try_from(right.as_raw_fd()).unwrap();
        let mut descriptors = vec![wrong.as_fd(); number - 2];
        descriptors.push(right.as_fd());
        let script = format!(
            "read said < /proc/self/fd/{}; test \"$said\" = right",
            number + 1
        );
        let child = start(&shell, &["sh", "-c", &script], &descriptors).unwrap();
        let ended = waitpid(child, None).unwrap();
        assert_eq!(ended, nix::sys::wait::WaitStatus::Exited(child, 0));
    }

    #[test]
    fn binary_that_is_none_fails_closed() {
        let garbage = memory(b"no program");
        // Enough of them to overwrite every low number, that of the report too.
        let descriptors = vec![garbage.as_fd(); 200];
        assert_eq!(start(&garbage, &["x"], &descriptors), Err(Errno::ENOEXEC));
    }
}
