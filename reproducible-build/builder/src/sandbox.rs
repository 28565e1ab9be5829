//! One build step in a world of its own.
//!
//! Guarantees: a step sees the build root, read-only; what was handed to it below its mount point;
//! `/dev` with the five harmless devices; `/proc` of its own processes; an empty `/tmp`. No
//! network, no path, user, host name, environment, clock zone or umask of the machine it runs on,
//! and no process of it survives it. Its programs gain no privileges.
//!
//! How: the tool starts itself again with a [`Spec`], so that the process that makes the namespaces
//! has one thread. With user namespaces nobody needs to be root. Where they are forbidden, root
//! makes the other namespaces and the step runs as an unprivileged user; where neither is
//! allowed, [`Error::NoSandbox`] says what to do. There is no weaker way.
//!
//! Trusts: the kernel. It is no defence against a step that attacks the kernel; the inputs are
//! named by digest.

mod child;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::{Cause, Error, during};

pub use child::enter;

/// Exit codes of the helper process that are not the step's own: see [`enter`].
pub(crate) const EXIT_NO_SANDBOX: i32 = 125;

/// How a program that links this library runs [`enter`]: itself, with arguments before the spec.
#[derive(Clone, Debug)]
pub struct Helper {
    /// The program.
    pub program: PathBuf,
    /// What stands before the path of the spec.
    pub arguments: Vec<String>,
}

/// Everything a step may see, and nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The build root; mounted read-only as `/`.
    pub root: PathBuf,
    /// What else is seen, below [`World::place`].
    pub binds: Vec<Bind>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The step's environment, whole.
    pub environment: Vec<(String, String)>,
    /// User, host name and so on.
    pub world: World,
}

/// A folder or file of the host that a step sees.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// Where it is.
    pub host: PathBuf,
    /// Its name below [`World::place`].
    pub name: String,
    /// Whether the step may change it.
    pub access: Access,
}

/// Whether a step may change a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// It may only read.
    Read,
    /// It may write.
    Write,
}

/// What a step believes about the machine it runs on. None of it may change what is built; a proof
/// builds twice with everything different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Where its folders are mounted: `/build`.
    pub place: String,
    /// User and group number.
    pub user: u32,
    /// Name of that user.
    pub name: String,
    /// Name of the machine.
    pub host: String,
    /// Time zone.
    pub zone: String,
    /// Locale.
    pub locale: String,
    /// File mode mask.
    pub umask: u32,
    /// How many jobs `make` and cargo run at once.
    pub jobs: usize,
    /// Seconds its clock is ahead.
    pub clock: i64,
    /// The order in which sources are laid down.
    pub order: Order,
    /// Modification time of sources, seconds since 1970.
    pub times: u64,
    /// More environment variables that nothing should read.
    pub noise: Vec<(String, String)>,
}

/// The order in which files are laid down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// By name.
    Forward,
    /// Against it.
    Backward,
}

impl World {
    /// The world of every build.
    #[must_use]
    pub fn usual() -> Self {
        Self {
            place: "/build".into(),
            user: 1000,
            name: "build".into(),
            host: "build".into(),
            zone: "UTC".into(),
            locale: "C".into(),
            umask: 0o022,
            jobs: std::thread::available_parallelism().map_or(1, Into::into),
            clock: 0,
            order: Order::Forward,
            times: 1_600_000_000,
            noise: Vec::new(),
        }
    }

    /// A world in which all twelve things are different: place (and with it home and every source
    /// path), user and group number, user name, host name, time zone, locale, umask, number of jobs,
    /// clock, order of files, times of files, environment.
    #[must_use]
    pub fn other() -> Self {
        Self {
            place: "/build2".into(),
            user: 4242,
            name: "other".into(),
            host: "elsewhere.example".into(),
            zone: "XXX-13:45".into(),
            locale: "C.UTF-8".into(),
            umask: 0o077,
            jobs: 3,
            clock: 400 * 86_400 + 4_321,
            order: Order::Backward,
            times: 1_500_000_003,
            noise: vec![
                ("KBUILD_NOISE".into(), "1".into()),
                ("EDITOR".into(), "ed".into()),
                ("LANGUAGE".into(), "de:fr".into()),
            ],
        }
    }

    /// A path below the mount point.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.place)
    }

    /// The environment every step has.
    #[must_use]
    pub(crate) fn environment(&self, epoch: u64) -> Vec<(String, String)> {
        let mut environment: Vec<(String, String)> = [
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("HOME", self.path("home")),
            ("USER", self.name.clone()),
            ("LOGNAME", self.name.clone()),
            ("TZ", self.zone.clone()),
            ("LC_ALL", self.locale.clone()),
            ("SOURCE_DATE_EPOCH", epoch.to_string()),
            ("PLACE", self.place.clone()),
            ("JOBS", self.jobs.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if self.clock != 0 {
            let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
            environment.push(("LD_PRELOAD".into(), library.into()));
            environment.push(("FAKETIME".into(), format!("+{}", self.clock)));
            // Files keep their real times: make compares them with each other.
            environment.push(("NO_FAKE_STAT".into(), "1".into()));
        }
        environment.extend(self.noise.iter().cloned());
        environment
    }
}

/// Runs a step to its end and keeps what it wrote in `log`.
///
/// # Errors
/// [`Error::NoSandbox`], or [`Error::Step`] with the last lines of the log.
pub(crate) fn run(
    helper: &Helper,
    spec: &Spec,
    stage: &'static str,
    log: &Path,
) -> Result<(), Error> {
    let file = File::create(log).map_err(during("make", log))?;
    let path = log.with_extension("json");
    let text = serde_json::to_vec(spec).map_err(|error| Error::Image {
        why: error.to_string(),
    })?;
    fs::write(&path, text).map_err(during("write", &path))?;
    let clone = file.try_clone().map_err(during("open", log))?;
    let status = Command::new(&helper.program)
        .args(&helper.arguments)
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::from(file))
        .stderr(Stdio::from(clone))
        .status()
        .map_err(during("run", &helper.program))?;
    if status.success() {
        return Ok(());
    }
    let said = last_lines(log);
    if status.code() == Some(EXIT_NO_SANDBOX) {
        return Err(no_sandbox(&said));
    }
    Err(Error::Step {
        stage,
        status: status.to_string(),
        said,
        log: log.to_owned(),
    })
}

/// What the helper said in its last line: the step that was refused, and errno.
fn no_sandbox(said: &str) -> Error {
    let last = said.lines().last().unwrap_or_default();
    let errno = last.rsplit(' ').next().and_then(|word| word.parse().ok());
    let step = child::STEPS
        .into_iter()
        .find(|step| last.starts_with(step))
        .unwrap_or("a system call");
    let errno = errno.unwrap_or(nix::libc::EPERM);
    Error::NoSandbox {
        step,
        cause: Cause::from(std::io::Error::from_raw_os_error(errno)),
    }
}

/// The end of a log, printable.
fn last_lines(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(20);
    lines.get(from..).unwrap_or_default().join("\n")
}
