//! Which system calls init itself may make once it serves: a table beside the one of applications,
//! which it includes because a process inherits the filter it was started under.
//!
//! Guarantees: no mount, no file opened outside the cgroups (there is no other), no module, no
//! kernel to load, no tracing, no network but vsock, no code made at run time. What has no row is
//! refused with `EPERM`, and init halts with the name of the step.

use nix::libc::{self, AF_UNIX, AF_VSOCK};

use super::calls::{Row, always, is, when};

/// What init does beyond what applications may.
pub(super) const INIT: &[Row] = &[
    // Starting an application.
    always(
        libc::SYS_clone3,
        "an application's process, in its namespaces",
    ),
    always(libc::SYS_setsid, "an application's session"),
    always(libc::SYS_chdir, "an application's root"),
    always(libc::SYS_pivot_root, "an application's root"),
    always(
        libc::SYS_umount2,
        "letting init's root go, in an application's namespace",
    ),
    always(libc::SYS_prlimit64, "an application's limits"),
    always(libc::SYS_setrlimit, "an application's limits"),
    always(
        libc::SYS_prctl,
        "an application's bounding set, securebits, end with init",
    ),
    always(libc::SYS_setpriority, "an application has no precedence"),
    always(libc::SYS_setgroups, "an application's user"),
    always(libc::SYS_setresgid, "an application's user"),
    always(libc::SYS_setresuid, "an application's user"),
    always(libc::SYS_capset, "an application has no capability"),
    always(
        libc::SYS_landlock_create_ruleset,
        "an application's Landlock domain",
    ),
    always(
        libc::SYS_landlock_restrict_self,
        "an application's Landlock domain",
    ),
    always(libc::SYS_seccomp, "an application's table"),
    // What it is handed.
    always(libc::SYS_memfd_create, "binaries, launch records, keys"),
    always(libc::SYS_fchmod, "launch records and keys are no programs"),
    always(libc::SYS_fcntl, "seals of binaries and launch records"),
    always(libc::SYS_openat, "a cgroup's files"),
    always(libc::SYS_mkdirat, "an application's cgroup"),
    when(
        libc::SYS_socketpair,
        &[&[is(0, AF_UNIX)]],
        "control sockets, edges",
    ),
    // Its end.
    always(libc::SYS_wait4, "processes that ended"),
    always(libc::SYS_kill, "an end that the cgroup did not bring"),
    // Listening.
    when(
        libc::SYS_socket,
        &[&[is(0, AF_VSOCK)]],
        "ports of the manifest, the parent's services",
    ),
    always(libc::SYS_bind, "ports of the manifest"),
    always(libc::SYS_listen, "ports of the manifest"),
    always(libc::SYS_connect, "the parent's services"),
    always(libc::SYS_setsockopt, "the parent's services"),
    always(libc::SYS_sysinfo, "memory that is left"),
    // The NSM, and the end.
    always(libc::SYS_ioctl, "the NSM"),
    always(libc::SYS_reboot, "the end of the machine"),
];
