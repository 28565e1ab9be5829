//! The name under which one enclave runs, and how others speak to its supervisor.
//!
//! Guarantees: a name is held by a lock that the kernel takes back when the supervisor ends, however
//! it ends, so what is left of a dead one is never taken for a running one and no process is
//! addressed by a number. Whoever may speak to a supervisor is decided by the folder alone, which
//! must be its owner's and closed to everyone else. Requests, answers and the waiting for them are
//! bounded.
//!
//! Does not: keep anything when the supervisor has ended; the file of the lock stays, empty.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use quorate_protocol::atoms::Name;
use serde::{Deserialize, Serialize};

use crate::error::LaunchError;

/// Names in a folder, at most.
const MAX_NAMES: usize = 256;
/// Bytes of an answer, at most.
const MAX_ANSWER: u64 = 64 * 1024;
/// How long somebody who asks waits; ending an enclave takes a while.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a supervisor waits for somebody who asks.
const ASKER: Duration = Duration::from_secs(1);

/// Where an enclave stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Started, without a sign of life.
    Starting,
    /// It gave its sign of life.
    Running,
    /// Ended, because that was asked for.
    Ended,
}

/// What a supervisor tells about its enclave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// Its vsock address.
    pub cid: u32,
    /// Whether it has a console and zero registers.
    pub debug: bool,
    /// Memory in bytes.
    pub memory: u64,
    /// Its processors.
    pub cpus: Vec<u32>,
    /// The image.
    pub image: String,
    /// Measured of the image, hexadecimal: the whole.
    pub pcr0: String,
    /// Operating system.
    pub pcr1: String,
    /// The rest.
    pub pcr2: String,
    /// The signing certificate.
    pub pcr8: Option<String>,
    /// Process number of the supervisor.
    pub supervisor: u32,
    /// When it was started, in seconds since 1970.
    pub since: u64,
}

/// What a supervisor is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Describe the enclave.
    Describe,
    /// End it.
    Terminate,
}

impl Order {
    const fn letter(self) -> u8 {
        match self {
            Self::Describe => b'd',
            Self::Terminate => b't',
        }
    }

    fn of(letter: u8) -> Option<Self> {
        let all = [Self::Describe, Self::Terminate];
        all.into_iter().find(|order| order.letter() == letter)
    }
}

/// A name that is held.
#[derive(Debug)]
pub struct Seat {
    name: Name,
    socket: PathBuf,
    listener: UnixListener,
    _lock: Flock<File>,
}

impl Seat {
    /// Takes a name in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`LaunchError::NameTaken`], [`LaunchError::Folder`].
    pub fn take(folder: &Path, name: &Name) -> Result<Self, LaunchError> {
        prepare(folder)?;
        let unfit = |error: &std::io::Error| folder_error(folder, error);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(folder.join(format!("{name}.lock")))
            .map_err(|error| unfit(&error))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            if errno == nix::errno::Errno::EWOULDBLOCK {
                LaunchError::NameTaken {
                    name: name.to_string(),
                }
            } else {
                unfit(&errno.into())
            }
        })?;
        let socket = socket(folder, name);
        match fs::remove_file(&socket) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unfit(&error)),
        }
        let listener = UnixListener::bind(&socket).map_err(|error| unfit(&error))?;
        listener
            .set_nonblocking(true)
            .map_err(|error| unfit(&error))?;
        Ok(Self {
            name: name.clone(),
            socket,
            listener,
            _lock: lock,
        })
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Takes one asker that waits, if there is one, and what they ask.
    pub(crate) fn asked(&self) -> Option<(Order, Asker)> {
        let mut stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(_) => return None,
        };
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(ASKER)).ok()?;
        stream.set_write_timeout(Some(ASKER)).ok()?;
        let mut letter = [0];
        stream.read_exact(&mut letter).ok()?;
        let [letter] = letter;
        Some((Order::of(letter)?, Asker(stream)))
    }
}

impl AsFd for Seat {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // While the lock is still held: nobody else's socket can be there.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Somebody who asked.
pub(crate) struct Asker(UnixStream);

impl Asker {
    /// Answers. Somebody who went away is no concern of the supervisor's.
    pub(crate) fn answer(mut self, facts: &Facts) {
        if let Ok(text) = serde_json::to_vec(facts) {
            let _ = self.0.write_all(&text);
        }
    }
}

fn socket(folder: &Path, name: &Name) -> PathBuf {
    folder.join(format!("{name}.sock"))
}

fn folder_error(folder: &Path, error: &std::io::Error) -> LaunchError {
    LaunchError::Folder {
        path: folder.into(),
        why: error.to_string(),
    }
}

/// Makes the folder, or checks the one that is there.
fn prepare(folder: &Path) -> Result<(), LaunchError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(folder)
        .and_then(|()| fs::symlink_metadata(folder))
        .map_err(|error| folder_error(folder, &error))
        .and_then(|metadata| private(folder, &metadata))
}

fn private(folder: &Path, metadata: &fs::Metadata) -> Result<(), LaunchError> {
    let why = if !metadata.is_dir() {
        "it is no folder"
    } else if metadata.uid() != nix::unistd::geteuid().as_raw() {
        "it belongs to another user"
    } else if metadata.mode() & 0o077 != 0 {
        "others may enter it; its mode must be 0700"
    } else {
        return Ok(());
    };
    Err(LaunchError::Folder {
        path: folder.into(),
        why: why.into(),
    })
}

/// The names of a folder whose supervisors may run.
///
/// # Errors
/// [`LaunchError::Folder`].
pub fn names(folder: &Path) -> Result<Vec<Name>, LaunchError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(folder_error(folder, &error)),
    };
    let mut names: Vec<Name> = entries
        .flatten()
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            Name::new(file.strip_suffix(".sock")?).ok()
        })
        .take(MAX_NAMES)
        .collect();
    names.sort();
    Ok(names)
}

/// Asks the supervisor that holds a name.
///
/// # Errors
/// [`LaunchError::NotRunning`], [`LaunchError::Supervisor`].
pub fn ask(folder: &Path, name: &Name, order: Order) -> Result<Facts, LaunchError> {
    let silent = |why: &dyn std::fmt::Display| LaunchError::Supervisor {
        name: name.to_string(),
        why: why.to_string(),
    };
    let mut stream = match UnixStream::connect(socket(folder, name)) {
        Ok(stream) => stream,
        Err(error) => {
            return Err(match error.kind() {
                // Nobody listens: what is there was left by one that is dead.
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => LaunchError::NotRunning {
                    name: name.to_string(),
                },
                _ => silent(&error),
            });
        }
    };
    let mut answer = Vec::new();
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.write_all(&[order.letter()]))
        .and_then(|()| stream.take(MAX_ANSWER).read_to_end(&mut answer))
        .map_err(|error| silent(&error))?;
    serde_json::from_slice(&answer).map_err(|_| silent(&"it closed the connection"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        (folder, path)
    }

    #[test]
    fn a_name_that_is_taken_fails_closed() {
        let (_keep, path) = folder();
        let seat = Seat::take(&path, &name("one")).expect("free");
        let taken = LaunchError::NameTaken { name: "one".into() };
        assert_eq!(Seat::take(&path, &name("one")).err(), Some(taken));
        assert_eq!(names(&path), Ok(vec![name("one")]));
        let other = Seat::take(&path, &name("two")).expect("free");
        assert_eq!(names(&path), Ok(vec![name("one"), name("two")]));
        drop(seat);
        drop(other);
        assert_eq!(names(&path), Ok(vec![]));
        Seat::take(&path, &name("one")).expect("free again");
    }

    #[test]
    fn what_a_dead_supervisor_left_fails_closed() {
        let (_keep, path) = folder();
        prepare(&path).expect("made");
        drop(UnixListener::bind(socket(&path, &name("dead"))).expect("bound"));
        let gone = |name: &str| LaunchError::NotRunning { name: name.into() };
        let asked = ask(&path, &name("dead"), Order::Terminate);
        assert_eq!(asked, Err(gone("dead")));
        let asked = ask(&path, &name("never"), Order::Describe);
        assert_eq!(asked, Err(gone("never")));
        Seat::take(&path, &name("dead")).expect("the name is free");
    }

    #[test]
    fn a_folder_that_others_may_enter_fails_closed() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_keep, path) = folder();
        prepare(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).expect("ours");
        let error = Seat::take(&path, &name("one")).err();
        let open = LaunchError::Folder {
            path,
            why: "others may enter it; its mode must be 0700".into(),
        };
        assert_eq!(error, Some(open));
        let (_keep, path) = folder();
        fs::write(&path, b"").expect("written");
        assert!(matches!(
            Seat::take(&path, &name("one")),
            Err(LaunchError::Folder { .. })
        ));
    }

    #[test]
    fn an_unknown_request_fails_closed() {
        let (_keep, path) = folder();
        let seat = Seat::take(&path, &name("one")).expect("free");
        for bytes in [b"x".as_slice(), b""] {
            let mut stream = UnixStream::connect(socket(&path, &name("one"))).expect("it listens");
            stream.write_all(bytes).expect("sent");
            drop(stream);
            assert!(seat.asked().is_none());
        }
        let mut stream = UnixStream::connect(socket(&path, &name("one"))).expect("it listens");
        stream.write_all(b"t").expect("sent");
        let (order, _asker) = seat.asked().expect("a request");
        assert_eq!(order, Order::Terminate);
        assert!(seat.asked().is_none());
    }
}
