//! Enclaves as processes: what is passed on, what is refused, and that nothing is left behind.
//!
//! Where an init must listen, the real one runs. Where it must misbehave, it is a shell script.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use quorate_emulator::device::Mode;
use quorate_emulator::measurements::process_measurements;
use quorate_emulator::process::{
    Ended, Hypervisor, INIT_MAX, ProcessError, Start, Started, Stopped, measure,
};
use quorate_protocol::atoms::Name;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("script");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    path
}

/// The real init, which listens.
fn real() -> PathBuf {
    env!("CARGO_BIN_EXE_quorate-init-emulated").into()
}

fn order(init: PathBuf) -> Start {
    named("one", init)
}

fn named(text: &str, init: PathBuf) -> Start {
    Start {
        memory: None,
        name: name(text),
        init,
        role_arn: None,
        mode: Mode::Normal,
    }
}

fn gone(pid: &str) -> bool {
    // A zombie is gone too: only whoever adopted it has not looked yet.
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.starts_with(" Z"))
    })
}

fn await_gone(pid: &str) {
    let since = Instant::now();
    while !gone(pid) {
        let waited = since.elapsed();
        assert!(waited < Duration::from_secs(30), "process {pid} is left");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn listens(started: &Started) -> bool {
    [&started.operator, &started.public]
        .iter()
        .all(|socket| UnixStream::connect(socket).is_ok())
}

/// What one descriptor of a process is.
fn descriptor(pid: u32, fd: &str) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/fd/{fd}")).expect("a descriptor")
}

/// Descriptors above the usual three that any child of this process would inherit.
fn without_close_on_exec() -> Vec<String> {
    let close_on_exec = |info: &str| {
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        flags.is_some_and(|flags| flags & 0o2_000_000 != 0)
    };
    let entries = fs::read_dir("/proc/self/fdinfo").expect("a process file system");
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let info = fs::read_to_string(&path).ok()?;
            let fd = path.file_name()?.to_str()?.to_owned();
            (fd.len() > 1 || fd.as_str() > "2").then_some(())?;
            (!close_on_exec(&info)).then_some(fd)
        })
        .collect()
}

#[test]
fn the_root_certificate_is_written_and_no_key() {
    let folder = folder();
    let hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let pem = fs::read_to_string(hypervisor.root_path()).expect("the certificate");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
    assert!(!pem.contains(" KEY-----"), "{pem}");
    let entries = fs::read_dir(folder.path().join("nitro"))
        .expect("the folder")
        .count();
    assert_eq!(entries, 1);
}

#[test]
fn an_init_inherits_its_nsm_and_nothing_else() {
    let folder = folder();
    let text =
        "echo args $*; readlink /proc/$$/fd/0; echo env $(env | sort); ls /proc/$$/fd; exit 7";
    let init = script(folder.path(), text);
    let handed_down = without_close_on_exec();
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let Err(ProcessError::EndedEarly { ended, console, .. }) = hypervisor.start(&order(init))
    else {
        panic!("the script listens nowhere");
    };
    assert_eq!(ended, Ended::Exited(7));
    let log = fs::read_to_string(console).expect("the console");
    let mut lines = log.lines();
    let arguments: Vec<_> = lines.next().expect("arguments").split(' ').collect();
    let directory = folder.path().join("nitro/one");
    let directory = directory.to_str().expect("a path in UTF-8");
    assert_eq!(arguments, ["args", directory]);
    assert!(lines.next().expect("standard input").starts_with("socket:"));
    // What a shell sets by itself.
    let own = ["env", "_=", "OLDPWD=", "PWD=", "SHLVL="];
    let environment = lines.next().expect("environment");
    let foreign = |word: &&str| !own.iter().any(|known| word.starts_with(known));
    assert_eq!(
        environment.split(' ').filter(foreign).count(),
        0,
        "{environment}"
    );
    // Descriptors of the shell: the three usual ones and the script it reads. What this process
    // was itself started with and did not ask for does not count.
    let open: Vec<_> = lines
        .filter(|fd| !handed_down.iter().any(|known| known == fd))
        .collect();
    assert!(open.len() <= 4, "{open:?}");
}

#[test]
fn the_measured_bytes_are_the_bytes_that_run() {
    let folder = folder();
    let init = script(folder.path(), "exit 0");
    let bytes = fs::read(&init).expect("the script");
    assert_eq!(measure(&init), Ok(process_measurements(&bytes)));
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    assert!(hypervisor.start(&order(init)).is_err());
    let copy = fs::read(folder.path().join("nitro/one/init")).expect("the copy");
    assert_eq!(copy, bytes);
}

#[test]
fn nothing_an_init_started_is_left_behind() {
    let folder = folder();
    let init = script(folder.path(), "sleep 1000 & echo $!; exit 1");
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let Err(ProcessError::EndedEarly { console, .. }) = hypervisor.start(&order(init)) else {
        panic!("the script listens nowhere");
    };
    let pid = fs::read_to_string(console).expect("the console");
    await_gone(pid.trim());
}

/// An init is not dumpable, so only root looks into it; anybody else is turned away.
fn can_be_looked_into(pid: u32) -> bool {
    match fs::read(format!("/proc/{pid}/environ")) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            false
        }
    }
}

#[test]
fn a_real_init_runs_with_what_it_was_given_and_nothing_else() {
    let folder = folder();
    let handed_down = without_close_on_exec();
    // Open while the enclave starts: it must not have it.
    let open = folder.path().join("open");
    let _open = fs::File::create(&open).expect("a file");
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let started = hypervisor.start(&order(real())).expect("an enclave");
    assert!(listens(&started));
    let pid = started.pid;
    let proc = |file: &str| fs::read(format!("/proc/{pid}/{file}")).expect("a process file system");
    let arguments = [started.directory.join("init"), started.directory.clone()];
    let arguments = arguments.map(|path| format!("{}\0", path.display()));
    assert_eq!(proc("cmdline"), arguments.concat().into_bytes());
    if !can_be_looked_into(pid) {
        return;
    }
    assert_eq!(proc("environ"), b"");
    let directory = fs::read_link(format!("/proc/{pid}/cwd")).expect("its directory");
    assert_eq!(directory, started.directory);

    assert!(
        descriptor(pid, "0")
            .to_string_lossy()
            .starts_with("socket:")
    );
    assert_eq!(descriptor(pid, "1"), started.console);
    assert_eq!(descriptor(pid, "2"), started.console);
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors") {
        let fd = entry.expect("a descriptor").file_name();
        let fd = fd.to_str().expect("a number");
        if handed_down.iter().any(|known| known == fd) {
            continue;
        }
        // What init opened itself: sockets, the signals it hears. No file, neither ours nor another.
        let link = descriptor(pid, fd);
        let inner = ["socket:", "anon_inode:"];
        let own = inner
            .iter()
            .any(|kind| link.to_string_lossy().starts_with(kind));
        assert!(own || link == started.console, "{fd} is {}", link.display());
    }
}

#[test]
fn a_binary_that_is_replaced_after_it_was_measured_changes_nothing() {
    let folder = folder();
    let init = folder.path().join("init");
    fs::copy(real(), &init).expect("a copy");
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let started = hypervisor.start(&order(init.clone())).expect("an enclave");
    fs::remove_file(&init).expect("removed");
    fs::write(&init, "another").expect("another");
    let running = fs::read(started.directory.join("init")).expect("the private copy");
    assert!(running == fs::read(real()).expect("the init"));
    if can_be_looked_into(started.pid) {
        let executed = fs::read(format!("/proc/{}/exe", started.pid)).expect("its own binary");
        assert!(executed == running);
    }
    assert_eq!(measure(&real()), Ok(process_measurements(&running)));
    assert_ne!(measure(&init), measure(&real()));
}

#[test]
fn an_init_that_is_asked_to_end_ends_in_order() {
    let folder = folder();
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let started = hypervisor.start(&order(real())).expect("an enclave");
    let stopped = hypervisor.stop(&name("one"));
    let expected = Stopped {
        ended_before: false,
        ended: Ended::Exited(0),
    };
    assert_eq!(stopped, Ok(expected));
    assert!(gone(&started.pid.to_string()));
    assert!(!listens(&started));
    let again = hypervisor.stop(&name("one"));
    assert_eq!(
        again,
        Err(ProcessError::NoSuchEnclave { name: name("one") })
    );
}

#[test]
fn an_init_that_was_killed_is_reported_as_such() {
    let folder = folder();
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let started = hypervisor.start(&order(real())).expect("an enclave");
    kill(Pid::from_raw(started.pid.cast_signed()), Signal::SIGKILL).expect("killed");
    await_gone(&started.pid.to_string());
    let expected = Stopped {
        ended_before: true,
        ended: Ended::Killed(9),
    };
    assert_eq!(hypervisor.stop(&name("one")), Ok(expected));
}

/// A shell that ignores the request stands before a real init, which hears nothing of it.
#[test]
fn an_init_that_does_not_end_is_ended_with_all_it_started() {
    let folder = folder();
    let text = format!(
        "exec 3<&0\ntrap '' TERM\nsleep 1000 3<&- &\necho $! > left\n\
         '{}' \"$1\" <&3 3<&- &\necho $! >> left\nwait",
        real().display()
    );
    let init = script(folder.path(), &text);
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let started = hypervisor.start(&order(init)).expect("an enclave");
    let left = fs::read_to_string(started.directory.join("left")).expect("two numbers");
    assert_eq!(left.lines().count(), 2);
    let expected = Stopped {
        ended_before: false,
        ended: Ended::Killed(9),
    };
    assert_eq!(hypervisor.stop(&name("one")), Ok(expected));
    left.lines().for_each(await_gone);
}

#[test]
fn no_enclave_outlives_its_hypervisor() {
    let folder = folder();
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let one = hypervisor.start(&named("one", real())).expect("an enclave");
    let two = hypervisor.start(&named("two", real())).expect("an enclave");
    assert_ne!(one.module, two.module);
    assert!(listens(&one) && listens(&two));
    drop(hypervisor);
    for started in [one, two] {
        assert!(gone(&started.pid.to_string()));
        assert!(!listens(&started));
    }
}

#[test]
fn an_init_that_never_listens_fails_closed() {
    let folder = folder();
    let init = script(folder.path(), "echo $$; exec sleep 1000");
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let Err(ProcessError::Silent { console, .. }) = hypervisor.start(&order(init)) else {
        panic!("the script listens nowhere");
    };
    await_gone(fs::read_to_string(console).expect("the console").trim());
}

#[test]
fn a_file_that_is_no_program_fails_closed() {
    let folder = folder();
    let init = folder.path().join("text");
    fs::write(&init, "\u{7f}ELF and no more").expect("a file");
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let outcome = hypervisor.start(&order(init));
    assert!(
        matches!(outcome, Err(ProcessError::Spawn { .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_second_enclave_of_a_name_leaves_the_first_alone() {
    let folder = folder();
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let started = hypervisor.start(&order(real())).expect("an enclave");
    let outcome = hypervisor.start(&order(real()));
    assert_eq!(
        outcome,
        Err(ProcessError::AlreadyThere { name: name("one") })
    );
    assert!(listens(&started));
}

#[test]
fn a_name_used_twice_fails_closed() {
    let folder = folder();
    let init = script(folder.path(), "exit 0");
    let mut hypervisor = Hypervisor::new(&folder.path().join("nitro")).expect("a hypervisor");
    let outcome = hypervisor.start(&order(init.clone()));
    assert!(
        matches!(outcome, Err(ProcessError::EndedEarly { .. })),
        "{outcome:?}"
    );
    let outcome = hypervisor.start(&order(init));
    assert_eq!(
        outcome,
        Err(ProcessError::AlreadyThere { name: name("one") })
    );
}

#[test]
fn stopping_what_was_never_started_fails_closed() {
    let folder = folder();
    let mut hypervisor = Hypervisor::new(folder.path()).expect("a hypervisor");
    let outcome = hypervisor.stop(&name("one"));
    assert_eq!(
        outcome,
        Err(ProcessError::NoSuchEnclave { name: name("one") })
    );
}

#[test]
fn a_missing_or_huge_init_fails_closed() {
    let folder = folder();
    let missing = folder.path().join("missing");
    assert!(matches!(
        measure(&missing),
        Err(ProcessError::File { doing: "read", .. })
    ));
    let huge = folder.path().join("huge");
    let file = fs::File::create(&huge).expect("a file");
    file.set_len(INIT_MAX as u64 + 1).expect("a sparse file");
    assert_eq!(
        measure(&huge),
        Err(ProcessError::InitTooLarge { path: huge })
    );
}

#[test]
fn a_folder_too_long_for_sockets_fails_closed() {
    let folder = folder();
    let deep = folder.path().join("d".repeat(90));
    let mut hypervisor = Hypervisor::new(&deep).expect("a hypervisor");
    let init = script(folder.path(), "exit 0");
    let outcome = hypervisor.start(&order(init));
    assert!(
        matches!(outcome, Err(ProcessError::PathTooLong { .. })),
        "{outcome:?}"
    );
    assert!(!deep.join("one").exists());
}

/// Whoever may write there could put a socket, or a link, of their own in place of ours.
#[test]
fn a_folder_that_others_may_write_into_fails_closed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).expect("a folder");
    for mode in [0o777, 0o1777, 0o770, 0o722] {
        fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).expect("a mode");
        let refused = Hypervisor::new(&shared).map(drop).expect_err("refused");
        let path = shared.canonicalize().expect("a path");
        assert_eq!(refused, ProcessError::NotOwn { path }, "{mode:o}");
        assert!(!shared.join("development-root.pem").exists());
    }
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).expect("a mode");
    assert!(Hypervisor::new(&shared).is_ok());
}
