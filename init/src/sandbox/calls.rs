//! Which system calls an application may make: a table, a row and a reason for each call.
//!
//! Guarantees: what has no row is refused with `EPERM`, for every thread and for good; calls of
//! another architecture or of x32 are refused, too. No row lets a process come to be, a file be
//! opened, a socket be made but a pair, or memory become code.
//!
//! Refused, not killed: a library that tries something and can do without goes on, and nothing is
//! lost, because the call was not made. docs/design/0010-sandbox.md has the argument.
//!
//! Does not: look through pointers; seccomp cannot. What a call names by address is stopped by the
//! empty root, the namespaces and Landlock.

use std::collections::BTreeMap;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

/// Descriptors an application may have: its numbers are below this. The binary is executed from
/// this very number, so that nothing an application opens can ever be in its place.
pub(super) const DESCRIPTORS: c_int = 4096;

/// A call that is let through. Its reason is for who reads the table.
pub(super) struct Row {
    pub(super) call: c_long,
    /// Empty: always. Else when all checks of one of these hold.
    pub(super) when: &'static [&'static [Check]],
}

/// What an argument must be. Only the lower half is looked at where the kernel does the same.
pub(super) struct Check {
    argument: u8,
    length: SeccompCmpArgLen,
    test: Test,
}

enum Test {
    /// This value.
    Is(u64),
    /// None of these bits.
    Without(u64),
    /// Of the first bits exactly the second.
    Masked(u64, u64),
}

pub(super) const fn always(call: c_long, _why: &'static str) -> Row {
    Row { call, when: &[] }
}

pub(super) const fn when(
    call: c_long,
    when: &'static [&'static [Check]],
    _why: &'static str,
) -> Row {
    Row { call, when }
}

pub(super) const fn is(argument: u8, value: c_int) -> Check {
    Check {
        argument,
        length: SeccompCmpArgLen::Dword,
        test: Test::Is(value as u64),
    }
}

const fn null(argument: u8) -> Check {
    Check {
        argument,
        length: SeccompCmpArgLen::Qword,
        test: Test::Is(0),
    }
}

const fn without(argument: u8, bits: c_int) -> Check {
    Check {
        argument,
        length: SeccompCmpArgLen::Qword,
        test: Test::Without(bits as u64),
    }
}

const fn masked(argument: u8, mask: c_int, value: c_int) -> Check {
    Check {
        argument,
        length: SeccompCmpArgLen::Qword,
        test: Test::Masked(mask as u32 as u64, value as u32 as u64),
    }
}

/// What a thread is made with, by every C library.
const THREAD: c_int = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM;
/// What a clone may not ask for in any case.
const APART: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PTRACE
    | libc::CLONE_UNTRACED
    | libc::CLONE_VFORK
    | libc::CLONE_PARENT
    | libc::CLONE_IO;
/// `ARCH_SET_FS` of `asm/prctl.h`.
const ARCH_SET_FS: c_int = 0x1002;

/// What an application may do.
pub(super) const APPLICATION: &[Row] = &[
    // Memory. Never writable or readable and executable: the only code is the binary's.
    when(
        libc::SYS_mmap,
        &[&[without(2, libc::PROT_EXEC)]],
        "heap, stacks",
    ),
    when(
        libc::SYS_mprotect,
        &[&[without(2, libc::PROT_EXEC)]],
        "guard pages, read-only data",
    ),
    always(libc::SYS_munmap, "heap, stacks"),
    always(libc::SYS_mremap, "growing a large allocation"),
    always(libc::SYS_brk, "heap"),
    always(
        libc::SYS_madvise,
        "giving memory back; not keeping it over fork or in dumps",
    ),
    always(
        libc::SYS_mlock,
        "holding secrets; bounded by RLIMIT_MEMLOCK",
    ),
    always(libc::SYS_munlock, "holding secrets"),
    // Threads, and nothing else that runs.
    when(
        libc::SYS_clone,
        &[&[masked(0, THREAD | APART, THREAD)]],
        "threads",
    ),
    always(libc::SYS_futex, "locks"),
    always(libc::SYS_set_robust_list, "locks of threads that end"),
    always(libc::SYS_set_tid_address, "start of a thread"),
    always(libc::SYS_rseq, "start of a thread with glibc"),
    always(libc::SYS_membarrier, "lock-free structures"),
    when(
        libc::SYS_arch_prctl,
        &[&[is(0, ARCH_SET_FS)]],
        "thread-local storage",
    ),
    always(libc::SYS_sched_yield, "locks"),
    always(libc::SYS_sched_getaffinity, "how many processors there are"),
    always(libc::SYS_getcpu, "sharded structures"),
    always(libc::SYS_exit, "end of a thread"),
    always(libc::SYS_exit_group, "end of the process"),
    // Signals, within the process: its namespace holds no other.
    always(libc::SYS_rt_sigaction, "handlers"),
    always(libc::SYS_rt_sigprocmask, "handlers"),
    always(libc::SYS_rt_sigreturn, "handlers"),
    always(libc::SYS_sigaltstack, "handler of a stack overflow"),
    always(libc::SYS_restart_syscall, "the kernel's own, after a stop"),
    always(libc::SYS_tkill, "abort, with musl"),
    always(libc::SYS_tgkill, "abort, with glibc"),
    // Time.
    always(
        libc::SYS_clock_gettime,
        "clocks, where the vDSO cannot read them",
    ),
    always(libc::SYS_clock_getres, "clocks"),
    always(libc::SYS_clock_nanosleep, "sleeping"),
    always(libc::SYS_nanosleep, "sleeping"),
    always(libc::SYS_gettimeofday, "clocks"),
    always(libc::SYS_time, "clocks"),
    // Descriptors it was given, and those made from nothing.
    always(libc::SYS_read, "streams"),
    always(libc::SYS_write, "streams"),
    always(libc::SYS_readv, "streams"),
    always(libc::SYS_writev, "streams"),
    always(libc::SYS_pread64, "launch record and keys"),
    always(libc::SYS_lseek, "launch record and keys"),
    always(libc::SYS_fstat, "size of launch record and keys"),
    always(
        libc::SYS_newfstatat,
        "fstat, with glibc; a path leads nowhere",
    ),
    always(
        libc::SYS_ftruncate,
        "erasing the keys; sealed files refuse it",
    ),
    always(libc::SYS_close, "descriptors"),
    always(libc::SYS_close_range, "descriptors"),
    always(libc::SYS_dup, "descriptors; bounded by RLIMIT_NOFILE"),
    always(libc::SYS_dup2, "descriptors"),
    always(libc::SYS_dup3, "descriptors"),
    when(
        libc::SYS_fcntl,
        &[
            &[is(1, libc::F_DUPFD)],
            &[is(1, libc::F_DUPFD_CLOEXEC)],
            &[is(1, libc::F_GETFD)],
            &[is(1, libc::F_SETFD)],
            &[is(1, libc::F_GETFL)],
            &[is(1, libc::F_SETFL)],
            &[is(1, libc::F_GET_SEALS)],
        ],
        "flags of descriptors",
    ),
    when(
        libc::SYS_ioctl,
        &[
            &[is(1, libc::FIONBIO as c_int)],
            &[is(1, libc::FIONREAD as c_int)],
            &[is(1, libc::FIOCLEX as c_int)],
        ],
        "flags of descriptors; how much waits",
    ),
    always(libc::SYS_pipe2, "waking a thread"),
    always(libc::SYS_eventfd2, "waking a thread"),
    always(libc::SYS_epoll_create1, "waiting for streams"),
    always(libc::SYS_epoll_ctl, "waiting for streams"),
    always(libc::SYS_epoll_wait, "waiting for streams"),
    always(libc::SYS_epoll_pwait, "waiting for streams"),
    always(libc::SYS_poll, "waiting for streams"),
    always(libc::SYS_ppoll, "waiting for streams"),
    // Sockets: those handed over, what they accept, and pairs. None is made, bound or connected.
    when(
        libc::SYS_socketpair,
        &[&[is(0, libc::AF_UNIX)]],
        "waking a thread",
    ),
    always(libc::SYS_accept, "its listeners"),
    always(libc::SYS_accept4, "its listeners"),
    always(libc::SYS_recvfrom, "streams, control socket"),
    always(libc::SYS_sendto, "streams, control socket"),
    always(libc::SYS_recvmsg, "control socket: descriptors of edges"),
    always(libc::SYS_sendmsg, "streams, control socket"),
    always(libc::SYS_shutdown, "end of a stream"),
    always(libc::SYS_getsockname, "its listeners"),
    always(libc::SYS_getpeername, "who connected"),
    always(libc::SYS_getsockopt, "errors of a stream"),
    when(
        libc::SYS_setsockopt,
        &[
            &[is(1, libc::SOL_SOCKET), is(2, libc::SO_RCVTIMEO)],
            &[is(1, libc::SOL_SOCKET), is(2, libc::SO_SNDTIMEO)],
            &[is(1, libc::SOL_SOCKET), is(2, libc::SO_LINGER)],
            &[is(1, libc::SOL_SOCKET), is(2, libc::SO_KEEPALIVE)],
        ],
        "patience with a stream",
    ),
    // Randomness.
    always(libc::SYS_getrandom, "randomness"),
    // About itself.
    always(libc::SYS_getpid, "itself"),
    always(libc::SYS_gettid, "itself"),
    always(libc::SYS_getppid, "itself"),
    always(libc::SYS_getuid, "itself"),
    always(libc::SYS_geteuid, "itself"),
    always(libc::SYS_getgid, "itself"),
    always(libc::SYS_getegid, "itself"),
    always(libc::SYS_getrusage, "itself"),
    always(libc::SYS_getrlimit, "itself"),
    when(
        libc::SYS_prlimit64,
        &[&[null(2)]],
        "reading limits; no new ones",
    ),
    always(libc::SYS_uname, "which kernel"),
    when(
        libc::SYS_prctl,
        &[
            &[is(0, libc::PR_SET_NAME)],
            &[is(0, libc::PR_GET_NAME)],
            &[is(0, libc::PR_GET_DUMPABLE)],
            &[is(0, libc::PR_SET_DUMPABLE), null(1)],
        ],
        "names of threads; not dumpable",
    ),
    // Becoming the application. The number is free ever after, and no other can be used.
    when(
        libc::SYS_execveat,
        &[&[is(0, DESCRIPTORS), is(4, libc::AT_EMPTY_PATH)]],
        "the one execution, by init, of the measured binary",
    ),
];

/// What a library asks for that has an older way, which it takes when the kernel lacks the new one.
pub(super) const NOT_HERE: &[(c_long, &str)] = &[
    (
        libc::SYS_clone3,
        "its flags are behind a pointer; clone is looked at instead",
    ),
    (libc::SYS_statx, "fstat is enough"),
    (libc::SYS_epoll_pwait2, "epoll_pwait is enough"),
    (libc::SYS_faccessat2, "there are no files"),
    (libc::SYS_openat2, "there are no files"),
];

/// What a library looks for in the file system and does without: there is nothing to be found.
pub(super) const NO_FILE: &[(c_long, &str)] = &[
    (libc::SYS_open, "/dev/urandom, /sys, /proc, /etc"),
    (libc::SYS_openat, "the same"),
    (libc::SYS_access, "the same"),
    (libc::SYS_faccessat, "the same"),
    (libc::SYS_stat, "the same"),
    (libc::SYS_lstat, "the same"),
    (libc::SYS_readlink, "/proc/self/exe"),
    (libc::SYS_readlinkat, "the same"),
    (libc::SYS_getcwd, "the working directory"),
];

/// Why a table is no filter: a fault of this file, found by its tests.
#[derive(Debug)]
pub(super) struct Uncompilable;

impl From<BackendError> for Uncompilable {
    fn from(_: BackendError) -> Self {
        Self
    }
}

/// Filters that were compiled, in the order in which they are put in force.
pub(super) struct Filters(Vec<BpfProgram>);

impl Filters {
    /// Those of applications.
    pub(super) fn of_applications() -> Result<Self, Uncompilable> {
        let refused = |calls: &[(c_long, &str)], errno: Errno| {
            let rules = calls.iter().map(|(call, _)| (*call, Vec::new())).collect();
            compile(
                rules,
                SeccompAction::Allow,
                SeccompAction::Errno(errno as u32),
            )
        };
        // The last one lets those calls through that the first two have an answer for.
        let mut rules = rules(APPLICATION)?;
        for (call, _) in NOT_HERE.iter().chain(NO_FILE) {
            rules.insert(*call, Vec::new());
        }
        Ok(Self(vec![
            refused(NOT_HERE, Errno::ENOSYS)?,
            refused(NO_FILE, Errno::ENOENT)?,
            allow(rules)?,
        ]))
    }

    /// Lets through what any of these tables does. What applications may do must be in one of
    /// them, because those that start later inherit this.
    pub(super) fn of_init(tables: &[&[Row]]) -> Result<Self, Uncompilable> {
        let mut together: BTreeMap<c_long, Vec<SeccompRule>> = BTreeMap::new();
        for table in tables {
            for (call, more) in rules(table)? {
                match together.get_mut(&call) {
                    // Always in one table is always.
                    Some(so_far) if so_far.is_empty() || more.is_empty() => so_far.clear(),
                    Some(so_far) => so_far.extend(more),
                    None => {
                        together.insert(call, more);
                    }
                }
            }
        }
        Ok(Self(vec![allow(together)?]))
    }

    /// Puts them in force for this thread and whatever comes from it. Allocates nothing.
    pub(super) fn enforce(&self) -> Result<(), Errno> {
        self.0.iter().try_for_each(|filter| {
            apply_filter(filter).map_err(|error| match error {
                seccompiler::Error::Prctl(e) | seccompiler::Error::Seccomp(e) => {
                    Errno::from_raw(e.raw_os_error().unwrap_or(libc::EINVAL))
                }
                _ => Errno::EINVAL,
            })
        })
    }
}

fn rules(table: &[Row]) -> Result<BTreeMap<c_long, Vec<SeccompRule>>, Uncompilable> {
    let mut rules = BTreeMap::new();
    for row in table {
        let when = row.when.iter().map(|checks| {
            let conditions = checks.iter().map(condition).collect::<Result<_, _>>()?;
            SeccompRule::new(conditions)
        });
        if rules
            .insert(row.call, when.collect::<Result<_, _>>()?)
            .is_some()
        {
            return Err(Uncompilable);
        }
    }
    Ok(rules)
}

fn condition(check: &Check) -> Result<SeccompCondition, BackendError> {
    let (operator, value) = match check.test {
        Test::Is(value) => (SeccompCmpOp::Eq, value),
        Test::Without(bits) => (SeccompCmpOp::MaskedEq(bits), 0),
        Test::Masked(mask, value) => (SeccompCmpOp::MaskedEq(mask), value),
    };
    SeccompCondition::new(check.argument, check.length.clone(), operator, value)
}

fn allow(rules: BTreeMap<c_long, Vec<SeccompRule>>) -> Result<BpfProgram, Uncompilable> {
    let refuse = SeccompAction::Errno(Errno::EPERM as u32);
    compile(rules, refuse, SeccompAction::Allow)
}

fn compile(
    rules: BTreeMap<c_long, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, Uncompilable> {
    let filter = SeccompFilter::new(rules, otherwise, matched, TargetArch::x86_64)?;
    Ok(BpfProgram::try_from(filter)?)
}

#[cfg(test)]
mod tests;
