//! The processes of a played ceremony: the emulator, and one process for every act of every person.
//!
//! Guarantees: each child is this same program; a passphrase or PIN reaches a child only
//! through its standard input; the emulator, and with it every enclave, is stopped when [`Emulator`] is
//! dropped, however it ends. Where this program is killed outright, the emulator sees the end of
//! its input and stops by itself.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quorate_emulator::device::Mode;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::PORTS;
use super::cast::Base;
use super::token::SoftToken;
use crate::failure::{Failure, Fault};
use crate::files;

/// How long the emulator may take to stop every enclave.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Signals that end a program at a person's wish (POSIX numbers).
const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Most processes of one step at a time: each takes a core and the memory of a key derivation.
const AT_ONCE: usize = 4;

/// This program, to be run again.
#[derive(Clone)]
pub(crate) struct Quorate {
    path: PathBuf,
}

/// How a child ended and the last line it printed.
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) value: Value,
}

impl Quorate {
    pub(crate) fn find() -> Result<Self, Failure> {
        std::env::current_exe()
            .map(|path| Self { path })
            .map_err(|error| {
                Failure::refused(
                    Fault::Machine,
                    "no-program",
                    format!("this program's own file cannot be found: {error}"),
                    "run it from a file that stays in place, with /proc mounted",
                )
            })
    }

    /// Runs one command with `--json`; `passphrase` goes to its standard input.
    pub(crate) fn ask<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        passphrase: Option<&Zeroizing<String>>,
    ) -> Result<Answer, Failure> {
        self.ask_with(arguments, passphrase, None)
    }

    /// The same of somebody with a token: a PIN, and where its module finds it.
    pub(crate) fn ask_with<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        passphrase: Option<&Zeroizing<String>>,
        token: Option<&SoftToken>,
    ) -> Result<Answer, Failure> {
        let mut child = Command::new(&self.path)
            .args(arguments)
            .arg("--json")
            .envs(token.map(SoftToken::environment))
            .stdin(if passphrase.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| broken(&format!("it cannot be started: {error}")))?;
        if let (Some(passphrase), Some(mut stdin)) = (passphrase, child.stdin.take()) {
            // A child that does not want it says why itself.
            let _ = stdin
                .write_all(passphrase.as_bytes())
                .and_then(|()| stdin.write_all(b"\n"));
        }
        let ended = child
            .wait_with_output()
            .map_err(|error| broken(&format!("it was lost: {error}")))?;
        if matches!(ended.status.signal(), Some(SIGHUP | SIGINT | SIGTERM)) {
            // Ctrl-C reaches everyone at the terminal.
            return Err(interrupted());
        }
        let stdout = String::from_utf8_lossy(&ended.stdout);
        let last = stdout.lines().next_back().unwrap_or_default();
        let value = serde_json::from_str(last).map_err(|_| {
            let stderr = String::from_utf8_lossy(&ended.stderr);
            broken(&format!(
                "it {} without an answer. {}",
                ended.status,
                stderr.trim()
            ))
        })?;
        Ok(Answer {
            code: ended.status.code(),
            value,
        })
    }

    /// Runs one command that must succeed.
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        passphrase: Option<&Zeroizing<String>>,
    ) -> Result<Value, Failure> {
        self.ask(arguments, passphrase)?.good()
    }

    /// Runs one command for the person at this terminal, who sees what it says and answers it.
    /// Whether it succeeded.
    pub(crate) fn at_terminal<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<bool, Failure> {
        let ended = Command::new(&self.path)
            .args(arguments)
            .status()
            .map_err(|error| broken(&format!("it cannot be started: {error}")))?;
        if matches!(ended.signal(), Some(SIGHUP | SIGINT | SIGTERM)) {
            return Err(interrupted());
        }
        Ok(ended.success())
    }
}

impl Answer {
    /// What was answered, if the command did what it was asked to.
    ///
    /// # Errors
    /// The failure that it reported.
    pub(crate) fn good(self) -> Result<Value, Failure> {
        if self.code == Some(0) {
            return Ok(self.value);
        }
        Err(failure_of(self.value.get("error").unwrap_or(&Value::Null)))
    }

    /// The failure that the command reported, if it did not do what it was asked to.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let error = self.value.get("error").unwrap_or(&Value::Null);
        (self.code != Some(0)).then(|| failure_of(error))
    }
}

/// A failure that another process reported.
fn failure_of(error: &Value) -> Failure {
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    let fault = Fault::ALL
        .into_iter()
        .find(|fault| fault.word() == text("fault"));
    // A verdict names no fault: what was given to be judged is to blame.
    let judged = match error.get("code") {
        Some(_) => Fault::Sender,
        None => Fault::Quorate,
    };
    let fault = fault.unwrap_or(judged);
    let code = if text("code").is_empty() {
        "child-failed"
    } else {
        text("code")
    };
    Failure::refused(fault, code.to_owned(), text("message"), text("remedy"))
}

/// The failure of what a person ended.
pub(crate) fn interrupted() -> Failure {
    Failure::refused(
        Fault::Caller,
        "interrupted",
        "it was interrupted",
        "run it again when you like; nothing is left of it",
    )
}

fn broken(why: &str) -> Failure {
    Failure::refused(
        Fault::Quorate,
        "child-failed",
        format!("a process that was started failed: {why}"),
        "report it with this text",
    )
}

/// Runs `act` for each entry, a few at a time, and gives the answers in order. The first failure
/// in the order of the entries is the one reported.
pub(crate) fn each<T: Sync, R: Send>(
    entries: &[T],
    act: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let workers = cores.clamp(2, AT_ONCE).min(entries.len());
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(entries.len()));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(entry) = entries.get(index) else {
                        return;
                    };
                    let answer = act(entry);
                    if answer.is_err() {
                        // Nobody else need begin.
                        next.store(entries.len(), Ordering::Relaxed);
                    }
                    if let Ok(mut answers) = answers.lock() {
                        answers.push((index, answer));
                    }
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_default();
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// The emulator's process.
pub(crate) struct Emulator {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    root: PathBuf,
    role: Option<&'static str>,
}

/// An enclave that was started, as the emulator tells it.
pub(crate) struct EnclaveSockets {
    pub(crate) directory: PathBuf,
    pub(crate) operator: PathBuf,
    pub(crate) public: PathBuf,
}

impl Emulator {
    /// Starts it with a new development root. Parent instances of its enclaves have that role.
    pub(crate) fn start(
        quorate: &Quorate,
        directory: &Path,
        log: &Path,
        role: Option<&'static str>,
    ) -> Result<Self, Failure> {
        let log = File::create(log).map_err(|error| files::unwritable(log, &error))?;
        let mut child = Command::new(&quorate.path)
            .args(["emulate", "serve", "--directory"])
            .arg(directory)
            // Ctrl-C is for the parent; it stops the emulator in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| broken(&format!("the emulator cannot be started: {error}")))?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(broken("the emulator has no standard streams"));
        };
        Ok(Self {
            child,
            orders: Some(orders),
            answers: BufReader::new(answers),
            root: directory.join("development-root.pem"),
            role,
        })
    }

    /// Where the development root's certificate is, once an order was answered.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The measurements of what enclaves are started from, as an object.
    pub(crate) fn measure(&mut self, base: &Base) -> Result<Value, Failure> {
        let (kind, file) = base.named();
        let mut measured = self.order(&json!({ "measure": { kind: file } }), "measured")?;
        if let (Some(role), Some(object)) = (self.role, measured.as_object_mut()) {
            object.insert("role_arn".into(), role.into());
        }
        Ok(measured)
    }

    /// The role of the parent instances.
    pub(crate) const fn role(&self) -> Option<&'static str> {
        self.role
    }

    /// Starts an enclave.
    pub(crate) fn start_enclave(
        &mut self,
        name: &str,
        base: &Base,
    ) -> Result<EnclaveSockets, Failure> {
        self.start_enclave_in(name, base, Mode::Normal)
    }

    /// Starts an enclave in this mode.
    pub(crate) fn start_enclave_in(
        &mut self,
        name: &str,
        base: &Base,
        mode: Mode,
    ) -> Result<EnclaveSockets, Failure> {
        let (kind, file) = base.named();
        let debug = mode == Mode::Debug;
        let mut body = json!({ "name": name, kind: file, "role_arn": self.role, "debug": debug });
        // A process makes its applications' sockets itself.
        if matches!(base, Base::Machine(_)) {
            body["ports"] = json!(PORTS);
        }
        let order = json!({ "start": body });
        let started = self.order(&order, "started")?;
        let path = |key: &str| {
            let text = started.get(key).and_then(Value::as_str);
            text.map(PathBuf::from)
                .ok_or_else(|| broken(&format!("no {key} in the emulator's answer")))
        };
        Ok(EnclaveSockets {
            directory: path("directory")?,
            operator: path("operator")?,
            public: path("public")?,
        })
    }

    /// Stops an enclave.
    pub(crate) fn stop_enclave(&mut self, name: &str) -> Result<(), Failure> {
        self.order(&json!({ "stop": { "name": name } }), "stopped")
            .map(drop)
    }

    fn order(&mut self, order: &Value, expected: &str) -> Result<Value, Failure> {
        let gone = || broken("the emulator ended");
        let orders = self.orders.as_mut().ok_or_else(gone)?;
        writeln!(orders, "{order}").map_err(|_| gone())?;
        let mut line = String::new();
        let len = self.answers.read_line(&mut line).map_err(|_| gone())?;
        if len == 0 {
            return Err(gone());
        }
        let mut answer: Value = serde_json::from_str(&line).map_err(|_| gone())?;
        match answer.get_mut(expected).map(Value::take) {
            Some(value) => Ok(value),
            None => Err(failure_of(answer.get("error").unwrap_or(&Value::Null))),
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The end of its input is its order to stop.
        drop(self.orders.take());
        let since = Instant::now();
        while since.elapsed() < STOP_LIMIT {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order() {
        let numbers: Vec<u32> = (0..40).collect();
        let doubled = each(&numbers, |number| Ok(number * 2)).map_err(|failure| failure.what);
        assert_eq!(doubled, Ok((0..40).map(|number| number * 2).collect()));
        let none: Result<Vec<u32>, _> = each(&[], |number: &u32| Ok(*number));
        assert_eq!(none.map_err(|failure| failure.what), Ok(Vec::new()));
    }

    #[test]
    fn one_that_fails_fails_closed() {
        let act = |number: &u32| match number {
            3 => Err(Failure::refused(
                Fault::Member,
                "share-wrong",
                "carol",
                "restore it",
            )),
            _ => Ok(*number),
        };
        let failure = each(&[1, 2, 3, 4, 5], act).expect_err("one failed");
        assert_eq!(failure.code, "share-wrong");
    }

    #[test]
    fn failures_of_other_processes_keep_code_and_remedy() {
        let failure = failure_of(&json!({
            "code": "share-wrong", "message": "bob gave a wrong share", "fault": "member",
            "remedy": "restore it",
        }));
        let expected = Failure::refused(
            Fault::Member,
            "share-wrong",
            "bob gave a wrong share",
            "restore it",
        );
        assert_eq!(failure, expected);
        let verdict = failure_of(&json!({ "code": "stale", "message": "m", "remedy": "r" }));
        assert_eq!(verdict.fault, Fault::Sender);
        let nothing = failure_of(&Value::Null);
        assert_eq!(
            (&*nothing.code, nothing.fault),
            ("child-failed", Fault::Quorate)
        );
    }
}
