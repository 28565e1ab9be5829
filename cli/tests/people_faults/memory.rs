//! A tool that is ended while it has a passphrase leaves no core dump, whoever allows one.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::people::{Hall, passphrase};
use crate::support::binaries;
use crate::terminal::Terminal;

/// Lets whatever it starts leave a core dump as large as it likes, if the system lets it.
const ALLOWED: &str = "ulimit -c \"$(ulimit -H -c)\"";

/// Whether this system writes core dumps at all, of a program that does nothing against it.
fn writes_dumps(hall: &Hall) -> bool {
    let folder = hall.place.path("control");
    fs::create_dir(&folder).expect("a folder");
    let line = format!("{ALLOWED}; kill -ABRT $$");
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", &line]).current_dir(folder);
    shell.status().expect("a shell").core_dumped()
}

#[test]
fn every_fault_that_ends_a_tool_leaves_no_core_dump_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let hall = Hall::open(binaries, &["alice"]);
    fs::create_dir(hall.shared()).expect("a folder");
    let new = format!(
        "ceremony new --folder {} --namespace dumps --members alice,bob --share-threshold 2 \
         --manifest-threshold 2 --partition aws --measurements {}",
        hall.shared().display(),
        hall.place.path("measurements.json").display()
    );
    hall.types("alice", &new).good();
    let words = ["ceremony", "join", "--name", "alice"];
    for signal in [Signal::SIGABRT, Signal::SIGQUIT, Signal::SIGSEGV] {
        let mut terminal = Terminal::under(&hall.place, "shared", "homes/alice", ALLOWED, &words);
        hall.enter(&mut terminal, "new passphrase: ", &passphrase("alice"));
        terminal.wait_for_secret("once more: ");
        // It has the first by now.
        let limits = terminal.limits();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file"));
        let core: Vec<&str> = core.expect("a limit").split_whitespace().collect();
        assert_eq!(core[4..6], ["0", "0"], "{core:?}");
        terminal.signal(signal);
        assert!(!terminal.ends_with_dump(), "{signal}: a core dump");
    }
    if !writes_dumps(&hall) {
        eprintln!("this system writes no core dump of any program: only the limits were tested");
    }
    hall.joins("alice", "ceremony join --name alice").good();
}
