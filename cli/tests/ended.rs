//! How a demo ends before its time: whenever Ctrl-C comes, and whoever hears it, no process and no
//! folder is left behind. And how a tool ends that has a passphrase: without a core dump, whoever allows
//! one. No test here may protect its own process, from which the tool would have it.
//!
//! Needs the static enclave binaries, which `./test` builds first; where `CI` is set their absence
//! is a failure.

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use support::{Family, Place, Ran, binaries, until};
use terminal::Terminal;

fn demo<'a>(binaries: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let binaries = binaries.to_str().expect("a path in UTF-8");
    let mut arguments = vec!["demo", "--json", "--out", "out", "--binaries", binaries];
    arguments.extend(more);
    arguments
}

/// A demo that runs, and its progress.
struct Running {
    child: Child,
    err: BufReader<std::process::ChildStderr>,
    family: Family,
}

impl Running {
    fn start(place: &Place, binaries: &Path, more: &[&str]) -> Self {
        let few = ["--members", "2", "--threshold", "2"];
        let arguments = demo(binaries, &[&few, more].concat());
        let mut child = place
            .command(&arguments)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let family = Family::watch(child.id());
        let err = BufReader::new(child.stderr.take().expect("its progress"));
        Self { child, err, family }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Reads progress up to a line that contains `words`, and gives all of it.
    fn read_to(&mut self, words: &str) -> String {
        let mut read = String::new();
        while !read.contains(words) {
            let len = self.err.read_line(&mut read).expect("progress");
            assert!(len > 0, "no {words:?} in {read}");
        }
        read
    }

    /// Waits for its end and that of every process it started.
    fn ended(self, processes: usize) -> Ran {
        // Nobody reads its progress any more; the demo must not mind.
        drop(self.err);
        let ran = Ran::wait(self.child);
        self.family.ends(processes);
        ran
    }
}

/// Ctrl-C at a terminal reaches the demo and whatever it runs in its own process group.
#[test]
fn a_kept_demo_ended_with_ctrl_c_leaves_nothing() {
    let Some(binaries) = binaries() else { return };
    let place = Place::new();
    let mut running = Running::start(&place, &binaries, &["--keep"]);
    let read = running.read_to("running until Ctrl-C");
    let sockets = ["operators", "public", "policy"].map(|name| {
        let line = read.lines().find_map(|line| line.strip_prefix(name));
        PathBuf::from(line.expect("a socket").trim())
    });
    for socket in &sockets {
        UnixStream::connect(socket).expect("it serves");
    }
    let folder = sockets[0].ancestors().nth(3).expect("the working folder");
    assert_eq!(place.left(), [folder]);

    killpg(running.pid(), Signal::SIGINT).expect("a signal");
    // The demo, the emulator, the enclave, its application.
    let ran = running.ended(4);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["ok"], true);
    assert_eq!(place.left(), [] as [PathBuf; 0]);
    assert!(place.path("out/evidence.cbor").is_file());
}

/// At once, and after steps with processes, an enclave that makes keys, and one that has them.
#[test]
fn an_interrupted_demo_leaves_nothing() {
    let Some(binaries) = binaries() else { return };
    for (after, everybody) in [
        ("", false),
        ("2 people", false),
        ("measure", true),
        ("enclave-1", false),
        ("genesis", true),
        ("boot", false),
        ("ready", true),
    ] {
        let place = Place::new();
        let mut running = Running::start(&place, &binaries, &[]);
        running.read_to(after);
        // A shell starts what it runs in the background with SIGINT ignored, which lasts until the
        // demo listens for it.
        let signal = if after.is_empty() {
            Signal::SIGTERM
        } else {
            Signal::SIGINT
        };
        // What Ctrl-C at a terminal does goes to everybody there.
        let sent = if everybody {
            killpg(running.pid(), signal)
        } else {
            kill(running.pid(), signal)
        };
        sent.expect("a signal");
        let ran = running.ended(usize::from(!after.is_empty()));
        if ran.code.is_some() {
            let (code, message) = ran.refused();
            assert_eq!(code, "interrupted", "after {after:?}: {message}");
        } else {
            // Before it could hear signals; then it had made nothing yet.
            assert_eq!(after, "");
        }
        until("the folder is gone", || place.left().is_empty());
        assert!(!place.path("out").exists(), "after {after:?}");
    }
}

/// Lets whatever it starts leave a core dump as large as it likes, if the system lets it.
const ALLOWED: &str = "ulimit -c \"$(ulimit -H -c)\"";

/// Whether this system writes core dumps at all, of a program that does nothing against it.
fn writes_dumps(place: &Place) -> bool {
    let folder = place.path("control");
    fs::create_dir(&folder).expect("a folder");
    let line = format!("{ALLOWED}; kill -ABRT $$");
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", &line]).current_dir(folder);
    shell.status().expect("a shell").core_dumped()
}

#[test]
fn a_tool_that_is_ended_leaves_no_core_dump_fails_closed() {
    let place = Place::new();
    let pcr = "ab".repeat(48);
    let measured = format!(r#"{{"PCR0":"{pcr}","PCR1":"{pcr}","PCR2":"{pcr}"}}"#);
    fs::write(place.path("m.json"), measured).expect("written");
    let new = "ceremony new --folder shared --namespace dumps --members alice,bob --json \
               --share-threshold 2 --manifest-threshold 2 --partition aws --measurements m.json";
    let new: Vec<&str> = new.split_whitespace().collect();
    place.run(&new).good();
    fs::create_dir(place.path("alice")).expect("a folder");
    let join = ["ceremony", "join", "--name", "alice"];
    for signal in [Signal::SIGABRT, Signal::SIGQUIT, Signal::SIGSEGV] {
        let mut terminal = Terminal::under(&place, "shared", "alice", ALLOWED, &join);
        terminal.wait_for_secret("new passphrase: ");
        terminal.type_in("gravel onion verify teapot marble\n");
        // It has the first when it asks for the second.
        terminal.wait_for_secret("once more: ");
        let limits = terminal.limits();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file"));
        let core: Vec<&str> = core.expect("a limit").split_whitespace().collect();
        assert_eq!(core[4..6], ["0", "0"], "{core:?}");
        terminal.signal(signal);
        assert!(!terminal.ends_with_dump(), "{signal}: a core dump");
    }
    if !writes_dumps(&place) {
        eprintln!("this system writes no core dump of any program: only the limits were tested");
    }
}
