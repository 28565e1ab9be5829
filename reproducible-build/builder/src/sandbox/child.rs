//! The process that makes the namespaces and becomes the step.
//!
//! Two processes more than the step itself: the one the tool started waits, and the first process
//! of the new process namespace collects what the step leaves behind. When either dies, the kernel
//! ends all the others.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::sys::wait::{WaitStatus, wait, waitpid};
use nix::unistd::{
    ForkResult, Gid, Pid, Uid, chdir, chown, getegid, geteuid, pivot_root, setgroups, sethostname,
    setresgid, setresuid,
};

use super::{Access, EXIT_NO_SANDBOX, Spec};
use crate::sys::split;

/// What may be refused, as [`super::no_sandbox`] finds it in the log.
pub(super) const STEPS: [&str; 8] = [
    "reading the order",
    "making namespaces",
    "mapping the user",
    "starting a process",
    "mounting",
    "changing the root",
    "naming the host",
    "becoming the user",
];

type Refused = (&'static str, Errno);

/// Devices a step sees.
const DEVICES: [&str; 5] = ["full", "null", "random", "urandom", "zero"];

/// Reads the [`Spec`] at `path`, makes its sandbox and runs its command. Never returns to the
/// caller's code with the step running: the result is the exit code for the whole process, the
/// step's own, or 125 when no sandbox could be made.
#[must_use]
pub fn enter(path: &Path) -> i32 {
    outer(path).unwrap_or_else(|(step, errno)| {
        eprintln!("{step} {}", errno as i32);
        EXIT_NO_SANDBOX
    })
}

/// With or without a user namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Root,
    User,
}

fn outer(path: &Path) -> Result<i32, Refused> {
    let spec = fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice::<Spec>(&text).ok())
        .ok_or(("reading the order", Errno::EINVAL))?;
    // When the tool is interrupted, so is this.
    let _ = set_pdeathsig(Signal::SIGKILL);
    let (uid, gid) = (geteuid(), getegid());
    let rest = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    let way = match unshare(rest | CloneFlags::CLONE_NEWUSER) {
        Ok(()) => Way::User,
        Err(refused) => {
            if !uid.is_root() {
                return Err(("making namespaces", refused));
            }
            unshare(rest).map_err(|errno| ("making namespaces", errno))?;
            Way::Root
        }
    };
    if way == Way::User {
        let user = spec.world.user;
        let map = |file: &str, text: &str| {
            OpenOptions::new()
                .write(true)
                .open(Path::new("/proc/self").join(file))
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|error| ("mapping the user", errno(&error)))
        };
        map("setgroups", "deny")?;
        map("uid_map", &format!("{user} {uid} 1\n"))?;
        map("gid_map", &format!("{user} {gid} 1\n"))?;
    }
    match split().map_err(|errno| ("starting a process", errno))? {
        ForkResult::Parent { child } => Ok(wait_for(child)),
        ForkResult::Child => {
            let code = first(&spec, way).unwrap_or_else(|(step, errno)| {
                eprintln!("{step} {}", errno as i32);
                EXIT_NO_SANDBOX
            });
            std::process::exit(code)
        }
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO))
}

/// The first process of the new namespace.
fn first(spec: &Spec, way: Way) -> Result<i32, Refused> {
    let _ = set_pdeathsig(Signal::SIGKILL);
    furnish(spec, way)?;
    sethostname(&spec.world.host).map_err(|errno| ("naming the host", errno))?;
    umask(Mode::from_bits_truncate(spec.world.umask));
    let refused = |errno| ("becoming the user", errno);
    if way == Way::Root {
        let (user, group) = (
            Uid::from_raw(spec.world.user),
            Gid::from_raw(spec.world.user),
        );
        setgroups(&[]).map_err(refused)?;
        setresgid(group, group, group).map_err(refused)?;
        setresuid(user, user, user).map_err(refused)?;
    }
    set_no_new_privs().map_err(refused)?;
    match split().map_err(|errno| ("starting a process", errno))? {
        ForkResult::Parent { child } => Ok(collect(child)),
        ForkResult::Child => {
            let (program, arguments) = spec
                .command
                .split_first()
                .ok_or(("reading the order", Errno::EINVAL))?;
            let error = Command::new(program)
                .args(arguments)
                .env_clear()
                .envs(spec.environment.iter().map(|(name, value)| (name, value)))
                .exec();
            eprintln!("{program} cannot be run: {error}");
            std::process::exit(127)
        }
    }
}

/// The step's view of files.
fn furnish(spec: &Spec, way: Way) -> Result<(), Refused> {
    let mounting = |errno| ("mounting", errno);
    let failing = |error: std::io::Error| ("mounting", errno(&error));
    let none = None::<&str>;
    let root = &spec.root;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).map_err(mounting)?;
    bind(root, root, Access::Read)?;

    // A small file system of our own where the step's folders are hung up.
    let place = root.join(spec.world.place.trim_start_matches('/'));
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let tmpfs = |target: &Path, options: &str, flags| {
        mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options)).map_err(mounting)
    };
    tmpfs(&place, "mode=0755,size=16m", quiet)?;
    for bound in &spec.binds {
        let target = place.join(&bound.name);
        if bound.host.is_dir() {
            fs::create_dir(&target).map_err(failing)?;
        } else {
            File::create(&target).map_err(failing)?;
        }
        if way == Way::Root && bound.access == Access::Write {
            let user = spec.world.user;
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
            chown(&bound.host, Some(user), Some(group)).map_err(mounting)?;
        }
        bind(&bound.host, &target, bound.access)?;
    }
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | quiet;
    mount(none, &place, none, flags, none).map_err(mounting)?;
    tmpfs(&root.join("tmp"), "mode=1777,size=1g", quiet)?;

    let dev = root.join("dev");
    tmpfs(&dev, "mode=0755,size=1m", MsFlags::MS_NOSUID)?;
    for device in DEVICES {
        let target = dev.join(device);
        File::create(&target).map_err(failing)?;
        let source = Path::new("/dev").join(device);
        mount(Some(&source), &target, none, MsFlags::MS_BIND, none).map_err(mounting)?;
    }
    for (link, target) in [
        ("fd", ""),
        ("stdin", "/0"),
        ("stdout", "/1"),
        ("stderr", "/2"),
    ] {
        let target = format!("/proc/self/fd{target}");
        std::os::unix::fs::symlink(target, dev.join(link)).map_err(failing)?;
    }
    let proc = root.join("proc");
    let flags = quiet | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &proc, Some("proc"), flags, none).map_err(mounting)?;

    let changing = |errno| ("changing the root", errno);
    chdir(root).map_err(changing)?;
    // The old root is mounted over the new one, and taken away from there.
    pivot_root(".", ".").map_err(changing)?;
    umount2(".", MntFlags::MNT_DETACH).map_err(changing)?;
    chdir("/").map_err(changing)
}

fn bind(source: &Path, target: &Path, access: Access) -> Result<(), Refused> {
    let none = None::<&str>;
    let mounting = |errno| ("mounting", errno);
    mount(Some(source), target, none, MsFlags::MS_BIND, none).map_err(mounting)?;
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    // What the host's mount forbids stays forbidden: a user namespace may not lift it.
    let host = statvfs(target).map_err(mounting)?.flags();
    for (found, keep) in [
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        if host.contains(found) {
            flags |= keep;
        }
    }
    if access == Access::Read || host.contains(FsFlags::ST_RDONLY) {
        flags |= MsFlags::MS_RDONLY;
    }
    mount(none, target, none, flags, none).map_err(mounting)
}

/// Waits for the step, and for whatever it leaves behind meanwhile.
fn collect(step: Pid) -> i32 {
    loop {
        match wait() {
            Ok(status) if status.pid() == Some(step) => match status {
                WaitStatus::Exited(_, code) => return code,
                WaitStatus::Signaled(_, signal, _) => return 128 + signal as i32,
                _ => {}
            },
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}

fn wait_for(child: Pid) -> i32 {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => return code,
            Ok(WaitStatus::Signaled(_, signal, _)) => return 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}
