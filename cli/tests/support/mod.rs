//! What tests of the whole command share: a fresh place to run in, the command itself, and a look
//! at which processes it leaves behind.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up. No test asserts how long anything took.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The folder of the static enclave binaries, unless they are not built and need not be.
pub(crate) fn binaries() -> Option<PathBuf> {
    let folder = std::env::var_os("QUORATE_BINARIES").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../target/x86_64-unknown-linux-musl/release")
        },
        PathBuf::from,
    );
    for name in ["quorate-init-emulated", "quorate-echo"] {
        let path = folder.join(name);
        if !path.is_file() {
            let what = format!("{} is not built: ./test --only enclave", path.display());
            assert!(std::env::var_os("CI").is_none(), "{what}");
            eprintln!("SKIPPED, NOTHING WAS TESTED: {what}");
            return None;
        }
    }
    Some(folder.canonicalize().expect("the folder's path"))
}

/// A fresh folder to run in, with a home and a folder for temporary files.
pub(crate) struct Place(TempDir);

/// How a command ended and what it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(place.path().join("t")).expect("a folder");
        Self(place)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is left of temporary files.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("t")).expect("the folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }

    /// The command, to be run here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("HOME", self.0.path())
            .env("TMPDIR", self.path("t"))
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("QUORATE_BINARIES")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let child = self.command(arguments).spawn().expect("the command starts");
        Ran::wait(child)
    }

    /// Runs it with a line on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], line: &str) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("its input");
        // A command that fails before it reads closes its end.
        let _ = writeln!(stdin, "{line}");
        drop(stdin);
        Ran::wait(child)
    }
}

impl Ran {
    pub(crate) fn wait(child: Child) -> Self {
        let output = child.wait_with_output().expect("it ends");
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// The last line of standard output.
    pub(crate) fn json(&self) -> Value {
        let last = self.out.lines().next_back().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Demands that it succeeded.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Demands that it was refused with exit code 1, and gives the refusal's code and text.
    #[track_caller]
    pub(crate) fn refused(self) -> (String, String) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let error = &self.json()["error"];
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        assert!(!text("remedy").is_empty(), "{self:?}");
        (text("code"), text("message"))
    }
}

/// Waits for something to hold.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A process: its id and when it started, which together are never used twice.
type Process = (u32, u64);

/// Everything that descends from one process, gathered as long as this lives. A process that was
/// handed to another parent is found if it was ever seen before.
pub(crate) struct Family {
    stop: Arc<AtomicBool>,
    watcher: JoinHandle<BTreeSet<Process>>,
}

impl Family {
    pub(crate) fn watch(ancestor: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watcher = thread::spawn(move || {
            let mut pids = BTreeSet::from([ancestor]);
            let mut family = BTreeSet::new();
            loop {
                let last = stopped.load(Ordering::Acquire);
                // Twice: children may come before their parents.
                for _ in 0..2 {
                    for (process, parent) in processes() {
                        if process.0 == ancestor || pids.contains(&parent) {
                            pids.insert(process.0);
                            family.insert(process);
                        }
                    }
                }
                if last {
                    return family;
                }
                thread::sleep(Duration::from_millis(3));
            }
        });
        Self { stop, watcher }
    }

    /// Demands that at least `least` processes were seen, and waits until none of them is left.
    #[track_caller]
    pub(crate) fn ends(self, least: usize) {
        self.stop.store(true, Ordering::Release);
        let family = self.watcher.join().expect("the watcher");
        assert!(family.len() >= least, "{family:?}");
        until("every process is gone", || {
            processes()
                .into_iter()
                .all(|(process, _)| !family.contains(&process))
        });
    }
}

/// All processes that are no zombies, each with its parent's id.
fn processes() -> Vec<(Process, u32)> {
    let entries = fs::read_dir("/proc").expect("a process file system");
    let process = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // proc_pid_stat(5): fields from the third on follow the name, which may contain anything.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let start = fields.nth(17)?.parse().ok()?;
        (state != "Z").then_some(((pid, start), parent))
    };
    entries.filter_map(|entry| process(entry.ok()?)).collect()
}
