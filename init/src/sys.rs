//! System calls that safe Rust cannot make: the only file of this package with `unsafe`.
//!
//! Each function here is safe to call with any argument. What makes it so stands beside each
//! `unsafe` block.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, Pid, fork};
use zeroize::Zeroize as _;

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

/// Bytes given to the kernel's generator at once.
pub(crate) const POOL_INPUT: usize = 64;

/// `struct rand_pool_info` of `linux/random.h` with its bytes.
#[repr(C)]
struct PoolInput {
    /// Bits of entropy the bytes are credited with.
    entropy_count: libc::c_int,
    /// How many bytes follow.
    buf_size: libc::c_int,
    bytes: [u8; POOL_INPUT],
}

mod ioctl {
    use super::{NsmRaw, PoolInput};
    use nix::libc;

    // NSM_IOCTL_RAW = _IOWR(0x0A, 0x0, struct nsm_raw)
    nix::ioctl_readwrite!(
        /// Sends one raw message to the NSM and waits for the answer.
        nsm_raw,
        0x0A,
        0x00,
        NsmRaw
    );

    // RNDADDENTROPY = _IOW('R', 0x03, int [2])
    nix::ioctl_write_ptr_bad!(
        /// Mixes bytes into the kernel's generator and credits them.
        add_entropy,
        nix::request_code_write!(b'R', 0x03, size_of::<[libc::c_int; 2]>()),
        PoolInput
    );

    // RNDRESEEDCRNG = _IO('R', 0x07)
    nix::ioctl_none!(
        /// Takes what was mixed in into use at once.
        reseed,
        b'R',
        0x07
    );
}

/// Mixes bytes into the kernel's generator, credits them in full and reseeds it, so that whatever it
/// gives from now on depends on them. Needs the privileges of root.
///
/// # Errors
/// What the kernel said.
pub(crate) fn add_kernel_entropy(random: &File, bytes: &[u8; POOL_INPUT]) -> Result<(), Errno> {
    let len = libc::c_int::try_from(POOL_INPUT).map_err(|_| Errno::EINVAL)?;
    let mut input = PoolInput {
        entropy_count: len.saturating_mul(8),
        buf_size: len,
        bytes: *bytes,
    };
    // SAFETY: the descriptor is open, and `input` is a live `struct rand_pool_info` whose size field
    // says how many bytes follow it. Another driver would answer ENOTTY.
    let outcome = unsafe { ioctl::add_entropy(random.as_raw_fd(), &raw const input) };
    input.bytes.zeroize();
    outcome?;
    // SAFETY: the descriptor is open and the command takes no argument.
    unsafe { ioctl::reseed(random.as_raw_fd()) }.map(|_| ())
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

/// What the new process of [`in_child`] starts in.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// Where this process is.
    Here,
    /// Namespaces of its own for processes, mounts, host name and network, and this cgroup.
    Apart(BorrowedFd<'a>),
}

/// `struct clone_args` of `linux/sched.h` up to the cgroup.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Put the new process into the cgroup of the descriptor.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Runs `child` in a new process, which ends when it returns.
///
/// The caller has one thread; a forked child of many threads may do much less than this one does.
///
/// # Errors
/// What the kernel said; there is no new process then.
pub(crate) fn in_child(place: Place<'_>, child: impl FnOnce()) -> Result<Pid, Errno> {
    let forked = match place {
        // SAFETY: this process has one thread, so the child starts in a consistent state; it runs
        // `child` and leaves by execve or _exit.
        Place::Here => unsafe { fork() }?,
        Place::Apart(cgroup) => clone_apart(cgroup)?,
    };
    match forked {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            child();
            // SAFETY: ends the child at once; no destructor of the parent's state may run here.
            unsafe { libc::_exit(127) }
        }
    }
}

fn clone_apart(cgroup: BorrowedFd<'_>) -> Result<ForkResult, Errno> {
    let namespaces =
        libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWNET;
    let mut arguments = CloneArgs {
        flags: u64::from(namespaces.cast_unsigned()) | CLONE_INTO_CGROUP,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        cgroup: u64::from(cgroup.as_raw_fd().cast_unsigned()),
        ..CloneArgs::default()
    };
    // SAFETY: the arguments are a live structure of the size given. Without CLONE_VM and with no
    // stack the child goes on in a copy of this address space, as after fork; this process has one
    // thread, so the copy is consistent.
    let outcome =
        unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArgs>()) };
    match Errno::result(outcome)? {
        0 => Ok(ForkResult::Child),
        child => Ok(ForkResult::Parent {
            child: Pid::from_raw(i32::try_from(child).map_err(|_| Errno::EOVERFLOW)?),
        }),
    }
}

/// Texts for execve, made before the process is that executes them.
pub(crate) struct Texts {
    pointers: Vec<*const libc::c_char>,
    // Owns what the pointers name.
    _texts: Vec<CString>,
}

impl Texts {
    /// Keeps the texts and a list of their addresses that ends with a null pointer.
    pub(crate) fn new(texts: Vec<CString>) -> Self {
        let pointers = texts.iter().map(|text| text.as_ptr());
        let pointers = pointers.chain([core::ptr::null()]).collect();
        Self {
            pointers,
            _texts: texts,
        }
    }
}

/// Becomes the program of an open file. Returns only on failure.
pub(crate) fn execute(binary: BorrowedFd<'_>, arguments: &Texts, environment: &Texts) -> Errno {
    // SAFETY: both lists end with a null pointer, and every other pointer in them is to a text that
    // ends with a zero byte and lives as long as its list. The path is the empty text.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            libc::c_long::from(binary.as_raw_fd()),
            c"".as_ptr(),
            arguments.pointers.as_ptr(),
            environment.pointers.as_ptr(),
            libc::c_long::from(libc::AT_EMPTY_PATH),
        )
    };
    Errno::result(outcome).err().unwrap_or(Errno::UnknownErrno)
}

/// The same descriptor under a number of at least `above`, closed by execve.
pub(crate) fn aside(fd: BorrowedFd<'_>, above: RawFd) -> Result<OwnedFd, Errno> {
    let number = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(above))?;
    // SAFETY: fcntl has just made this descriptor in this process and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// In a child of [`in_child`]: makes `to` a duplicate of `from` that survives execve. `to` is below
/// every descriptor the child still uses.
pub(crate) fn put(from: BorrowedFd<'_>, to: RawFd) -> Result<(), Errno> {
    // SAFETY: dup2 takes any two numbers. `to` is a number below those that were set aside, and
    // the child uses no descriptor there through an owner any more: what it still needs was set
    // aside, and nothing the parent's state owns is dropped before execve or _exit.
    let outcome = unsafe { libc::dup2(from.as_raw_fd(), to) };
    Errno::result(outcome).map(|_| ())
}

/// Marks every descriptor from `first` on close-on-exec.
pub(crate) fn close_on_exec_from(first: RawFd) -> Result<(), Errno> {
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

/// Gives SIGPIPE its default action. Rust programs ignore it, and what is ignored stays so over
/// execve; an application decides for itself.
pub(crate) fn default_sigpipe() -> Result<(), Errno> {
    // SAFETY: sets the default action; no handler of this process is involved.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.map(|_| ())
}

/// Becomes an ordinary user with one group, for good: this thread's user, group and saved ids.
///
/// The raw calls change the one thread there is; the C library's would look for others.
pub(crate) fn become_user(id: u32) -> Result<(), Errno> {
    let id = libc::c_long::from(id);
    let none = core::ptr::null::<libc::gid_t>();
    // SAFETY: a list of no groups is read from nowhere.
    let outcome = unsafe { libc::syscall(libc::SYS_setgroups, 0_usize, none) };
    Errno::result(outcome)?;
    // SAFETY: three integers.
    let outcome = unsafe { libc::syscall(libc::SYS_setresgid, id, id, id) };
    Errno::result(outcome)?;
    // SAFETY: three integers.
    let outcome = unsafe { libc::syscall(libc::SYS_setresuid, id, id, id) };
    Errno::result(outcome).map(|_| ())
}

/// `_LINUX_CAPABILITY_VERSION_3`: 64 bits a set.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Sets this thread's effective and permitted capabilities, bit n for capability n, and empties its
/// inheritable set.
pub(crate) fn set_capabilities(held: u64) -> Result<(), Errno> {
    // struct __user_cap_header_struct: version, thread (0: this one).
    let header = [CAPABILITY_VERSION, 0];
    let half = |shift: u32| u32::try_from((held >> shift) & u64::from(u32::MAX)).unwrap_or(0);
    // Two struct __user_cap_data_struct: effective, permitted, inheritable.
    let data = [half(0), half(0), 0, half(32), half(32), 0];
    // SAFETY: both structures are live and of the size the version asks for; the kernel only reads.
    let outcome = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    Errno::result(outcome).map(|_| ())
}

/// Sets the nice value of this process, −20 to 19.
pub(crate) fn set_priority(nice: i8) -> Result<(), Errno> {
    // SAFETY: three integers; 0 is this process.
    let outcome = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) };
    Errno::result(outcome).map(|_| ())
}

/// prctl with up to one argument; the ones used here take integers.
fn control(option: libc::c_int, argument: libc::c_ulong) -> Result<libc::c_int, Errno> {
    // SAFETY: every option passed below takes an integer and writes nowhere.
    let outcome = unsafe { libc::prctl(option, argument, 0_u64, 0_u64, 0_u64) };
    Errno::result(outcome)
}

/// Takes a capability out of the bounding set; `EINVAL` for one the kernel does not know.
pub(crate) fn drop_from_bounding_set(capability: u32) -> Result<(), Errno> {
    control(libc::PR_CAPBSET_DROP, capability.into()).map(|_| ())
}

/// Sets the securebits.
pub(crate) fn set_securebits(bits: u32) -> Result<(), Errno> {
    control(libc::PR_SET_SECUREBITS, bits.into()).map(|_| ())
}

/// `struct landlock_ruleset_attr` of `linux/landlock.h`, with all its fields as of Linux 6.12.
#[repr(C)]
struct LandlockRuleset {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// The first version of Landlock's interface that has all three fields.
pub(crate) const LANDLOCK_VERSION: i64 = 6;

/// Which version of Landlock's interface the kernel has.
pub(crate) fn landlock_version() -> Result<i64, Errno> {
    let none = core::ptr::null::<LandlockRuleset>();
    // SAFETY: with LANDLOCK_CREATE_RULESET_VERSION (1) nothing is read and no descriptor made.
    let outcome = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, 1) };
    Errno::result(outcome)
}

/// Refuses this thread every kind of access that Landlock knows: a ruleset without a rule.
pub(crate) fn landlock_everything() -> Result<(), Errno> {
    let ruleset = LandlockRuleset {
        // Execute, write, read, list, remove, make, refer, truncate, ioctl: bits 0 to 15.
        handled_access_fs: 0xffff,
        // TCP bind and connect.
        handled_access_net: 0b11,
        // Abstract Unix sockets and signals to processes outside.
        scoped: 0b11,
    };
    // SAFETY: the structure is live and of the size given; the kernel only reads it.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const ruleset,
            size_of::<LandlockRuleset>(),
            0,
        )
    };
    let number = RawFd::try_from(Errno::result(outcome)?).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the kernel has just made this descriptor and nothing else owns it.
    let ruleset = unsafe { OwnedFd::from_raw_fd(number) };
    let number = libc::c_long::from(ruleset.as_raw_fd());
    // SAFETY: two integers.
    let outcome = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, number, 0) };
    Errno::result(outcome).map(|_| ())
}

#[cfg(test)]
mod tests;
