//! How a demo ends before its time: whenever Ctrl-C comes, and whoever hears it, no process and no
//! folder is left behind.
//!
//! Needs the static enclave binaries, which `./test` builds first; where `CI` is set their absence
//! is a failure.

mod support;

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use support::{Family, Place, Ran, binaries, until};

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
