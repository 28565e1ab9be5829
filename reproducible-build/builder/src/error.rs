//! Why a build stopped: what happened, whose fault it is, what to do.
//!
//! Guarantees: every variant has a stable code, a [`Blame`] and a remedy, so a command line can
//! show all three and a script can tell them apart.
//!
//! Does not: carry text of a mirror's answer. What a mirror sends is hostile until its digest
//! matched.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Sha256;

/// Who has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The command as it was typed, or a file it names.
    Caller,
    /// Whoever serves the files.
    Mirror,
    /// This machine: its disk, its limits, a missing program.
    Machine,
    /// Whoever changed `images/` or the sources.
    Sources,
    /// Quorate itself.
    Quorate,
}

/// What the operating system said, comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    kind: io::ErrorKind,
    errno: Option<i32>,
}

impl Cause {
    /// Whether the disk, the quota or the file size limit is used up.
    #[must_use]
    pub const fn is_full(self) -> bool {
        matches!(
            self.kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self {
            kind: error.kind(),
            errno: error.raw_os_error(),
        }
    }
}

impl From<nix::errno::Errno> for Cause {
    fn from(errno: nix::errno::Errno) -> Self {
        io::Error::from(errno).into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            Some(errno) => write!(f, "{}", io::Error::from_raw_os_error(errno)),
            None => write!(f, "{}", self.kind),
        }
    }
}

/// What one mirror did when it was asked for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not have it.
    Missing,
    /// It answered with another HTTP status.
    Status(u16),
    /// It sent another number of bytes than the lock names.
    Length {
        /// By the lock.
        expected: u64,
        /// What came, or would have come.
        found: u64,
    },
    /// It sent other bytes than the lock names.
    Content {
        /// What came.
        found: Sha256,
    },
    /// It could not be reached, or the connection broke.
    Unreachable,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "does not have it"),
            Self::Status(status) => write!(f, "answered with HTTP status {status}"),
            Self::Length { expected, found } => {
                write!(f, "sent {found} bytes, the lock says {expected}")
            }
            Self::Content { found } => write!(f, "sent other bytes, with digest {found}"),
            Self::Unreachable => write!(f, "could not be reached, or broke off"),
        }
    }
}

/// Why a build stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {cause}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        cause: Cause,
    },
    /// A data file of `images/` is not what it must be.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The lock file no longer says what `images/` or `Cargo.lock` says.
    #[error("the lock is stale: {what} is not what images/lock.toml was made from")]
    StaleLock {
        /// What changed.
        what: String,
    },
    /// No mirror gave a file of the lock.
    #[error(
        "{name} could not be fetched: {}",
        tried.iter().map(|(mirror, why)| format!("{mirror} {why}")).collect::<Vec<_>>().join("; ")
    )]
    Unfetched {
        /// The package or crate.
        name: String,
        /// Each mirror and what it did.
        tried: Vec<(String, Refusal)>,
    },
    /// A mirror that is none.
    #[error("{text:?} is no http:// address and no absolute path")]
    Address {
        /// As it was typed.
        text: String,
    },
    /// The store lacks a file and nothing may be fetched now.
    #[error("the store lacks {name} ({digest})")]
    NotInStore {
        /// The package or crate.
        name: String,
        /// Its digest.
        digest: Sha256,
    },
    /// A file of the store no longer has the content its name promises.
    #[error("the store's copy of {name} is damaged: its digest is {found}, not {expected}")]
    DamagedStore {
        /// The package or crate.
        name: String,
        /// By its name.
        expected: Sha256,
        /// By its content.
        found: Sha256,
    },
    /// An archive that was to be imported holds what it must not.
    #[error("{}: {why}", path.display())]
    BadExport {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A package is not a package, although its digest is right.
    #[error("{name} cannot be unpacked: {why}")]
    BadPackage {
        /// Which.
        name: String,
        /// Why.
        why: String,
    },
    /// A program this step needs is not on this machine.
    #[error("this machine has no {program}, which {purpose}")]
    NoProgram {
        /// Which.
        program: &'static str,
        /// What for.
        purpose: &'static str,
    },
    /// A program of this machine failed.
    #[error("{program} failed ({status}): {said}")]
    Program {
        /// Which.
        program: String,
        /// How it ended.
        status: String,
        /// The last lines it wrote.
        said: String,
    },
    /// This machine lets us make no sandbox.
    #[error("this machine lets us make no sandbox: {step} was refused ({cause})")]
    NoSandbox {
        /// What was tried.
        step: &'static str,
        /// What the system said.
        cause: Cause,
    },
    /// A step inside the sandbox failed.
    #[error("the {stage} step failed ({status}); its last words:\n{said}")]
    Step {
        /// Which stage.
        stage: &'static str,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        said: String,
        /// Where the whole log is.
        log: PathBuf,
    },
    /// The kernel's configuration is not what we asked for.
    #[error("the kernel's configuration breaks {} rules: {}", faults.len(), faults.join("; "))]
    Configuration {
        /// Each rule and what was found.
        faults: Vec<String>,
    },
    /// Something is larger than it may be.
    #[error("{what} has {found} bytes, at most {limit} are allowed")]
    TooLarge {
        /// What.
        what: String,
        /// How large.
        found: u64,
        /// How large it may be.
        limit: u64,
    },
    /// Another process is building in the same folder.
    #[error("another build is using {}", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The image could not be written.
    #[error("the image could not be written: {why}")]
    Image {
        /// Why.
        why: String,
    },
    /// Rust sources that this tool cannot build alone.
    #[error("{}: {why}", path.display())]
    Sources {
        /// The manifest or folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Error {
    /// A stable name, for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File { cause, .. } if cause.is_full() => "disk-full",
            Self::File { .. } => "file-unusable",
            Self::Malformed { .. } => "images-malformed",
            Self::StaleLock { .. } => "lock-stale",
            Self::Unfetched { .. } => "fetch-failed",
            Self::Address { .. } => "mirror-address",
            Self::NotInStore { .. } => "not-in-store",
            Self::DamagedStore { .. } => "store-damaged",
            Self::BadExport { .. } => "export-bad",
            Self::BadPackage { .. } => "package-bad",
            Self::NoProgram { .. } => "program-missing",
            Self::Program { .. } => "program-failed",
            Self::NoSandbox { .. } => "no-sandbox",
            Self::Step { .. } => "step-failed",
            Self::Configuration { .. } => "kernel-configuration",
            Self::TooLarge { .. } => "too-large",
            Self::Busy { .. } => "busy",
            Self::Image { .. } => "image-failed",
            Self::Sources { .. } => "sources-unusable",
        }
    }

    /// Who has to mend it.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Malformed { .. }
            | Self::StaleLock { .. }
            | Self::Step { .. }
            | Self::Configuration { .. }
            | Self::TooLarge { .. } => Blame::Sources,
            Self::Unfetched { tried, .. } => {
                let lost = |(_, why): &(_, Refusal)| *why == Refusal::Unreachable;
                if tried.iter().all(lost) {
                    Blame::Machine
                } else {
                    Blame::Mirror
                }
            }
            Self::Address { .. }
            | Self::NotInStore { .. }
            | Self::BadExport { .. }
            | Self::Sources { .. } => Blame::Caller,
            Self::BadPackage { .. } | Self::Image { .. } => Blame::Quorate,
            Self::File { .. }
            | Self::DamagedStore { .. }
            | Self::NoProgram { .. }
            | Self::Program { .. }
            | Self::NoSandbox { .. }
            | Self::Busy { .. } => Blame::Machine,
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File { path, cause, .. } if cause.is_full() => format!(
                "make room where {} is (a whole build needs 6 GB), or name another folder with \
                 --store and --work; the store is intact and the same command goes on",
                path.display()
            ),
            Self::File { .. } => "check that the path exists and may be used by this user".into(),
            Self::Malformed { .. } => "mend the file, or restore it from git".into(),
            Self::StaleLock { .. } => {
                "if the change is meant: quorate image lock, then read the difference in git".into()
            }
            Self::Unfetched { tried, .. } => {
                if tried.iter().all(|(_, why)| *why == Refusal::Missing) {
                    "the archive no longer has it: import a store that does (quorate image store \
                     import FILE), name a mirror that keeps old packages with --mirror, or lock \
                     the newer one (quorate image lock)"
                        .into()
                } else {
                    "check the network, or name another mirror with --mirror; what was fetched \
                     is kept and the same command goes on"
                        .into()
                }
            }
            Self::Address { .. } => {
                "name a mirror as in --mirror http://deb.debian.org, or a folder; TLS adds nothing \
                 where the digest decides"
                    .into()
            }
            Self::NotInStore { .. } => {
                "quorate image fetch, or quorate image store import FILE".into()
            }
            Self::DamagedStore { .. } => {
                "check the disk; quorate image fetch replaces the damaged file".into()
            }
            Self::BadExport { .. } => {
                "nothing of it that did not match its digest was kept; get the file again".into()
            }
            Self::BadPackage { .. } => {
                "the lock names a package this tool cannot read: please report it".into()
            }
            Self::NoProgram { program, .. } => match *program {
                "apt-get" => "lock on Debian or Ubuntu (in a container will do); fetching and \
                              building need no apt"
                    .into(),
                program => format!("install {program}"),
            },
            Self::Program { .. } => "its own words are above".into(),
            Self::NoSandbox { .. } => {
                "allow user namespaces for this user (on Ubuntu: sudo sysctl \
                 kernel.apparmor_restrict_unprivileged_userns=0; elsewhere: sudo sysctl \
                 user.max_user_namespaces=1000; in a container: start it with them), or run this \
                 as root"
                    .into()
            }
            Self::Step { log, .. } => format!("the whole log is {}", log.display()),
            Self::Configuration { .. } => {
                "mend images/kernel/x86_64.config or x86_64.deny; each line above names its rule"
                    .into()
            }
            Self::TooLarge { .. } => {
                "make it smaller, or change the limit in images/image.toml in a commit that says \
                 why"
                .into()
            }
            Self::Busy { .. } => "wait for it, or name another folder with --work".into(),
            Self::Image { .. } => "please report it".into(),
            Self::Sources { .. } => "quorate image app build --help says what it can build".into(),
        }
    }
}

/// For `map_err`: what was tried, on what.
pub(crate) fn during<E: Into<Cause>>(
    action: &'static str,
    path: impl AsRef<Path>,
) -> impl FnOnce(E) -> Error {
    move |error| Error::File {
        action,
        path: path.as_ref().to_owned(),
        cause: error.into(),
    }
}
