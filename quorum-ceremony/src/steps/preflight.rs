//! `preflight`: everything a member needs, looked at before the day.
//!
//! Each check says what was found and, where that is not good, what to do. All are made, so that one
//! run names everything. What is written for it is removed again; no object is made or signed, and
//! the enclave is only asked how it is.
//!
//! Does not: replace the checks of a step. A step that finds something wrong refuses by itself.

use std::borrow::Cow;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::prctl::get_dumpable;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_token::{TokenReport, Tries};

use super::Member;
use crate::address::Address;
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::hardening;
use crate::keys::{LockedKeys, Unlock};
use crate::storage::{Folder, StorageError};
use crate::workspace::{EnclaveRole, Workspace};

/// Bytes that must be free: far more than a ceremony writes.
const ROOM: u64 = 64 * 1024 * 1024;
/// Bytes that are written to see whether they can be.
const PROBE: usize = 64 * 1024;
/// How far clocks may be apart before it is worth a word.
const APART: Duration = Duration::from_secs(120);
/// Files of a private folder, each for its owner alone.
const FILES: [&str; 4] = ["key.cbor", "pins.cbor", "share.cbor", "workspace.cbor"];

/// What came out of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing; it keeps no step from being done today.
    Note,
    /// It would stop a step.
    Bad,
}

impl Verdict {
    /// A stable name for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A stable name.
    pub id: &'static str,
    /// What came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do, unless it is good.
    pub remedy: Option<Cow<'static, str>>,
}

/// What the caller knows of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Passphrases can be asked for, and screens of their own be shown.
    Full,
    /// Passphrases can be asked for.
    Plain,
    /// There is none.
    Missing,
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// In the order in which a person mends them.
    pub checks: Vec<Check>,
    /// The definition of the folder, to be compared by voice.
    pub definition: Option<Digest<Definition>>,
}

impl Preflight {
    /// Whether a step would be stopped by something.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let bad = |check: &Check| check.verdict == Verdict::Bad;
        !self.checks.iter().any(bad)
    }

    fn add(&mut self, id: &'static str, found: impl Into<String>) {
        self.push(id, Verdict::Good, found.into(), None);
    }

    fn note(
        &mut self,
        id: &'static str,
        found: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) {
        self.push(id, Verdict::Note, found.into(), Some(remedy.into()));
    }

    fn bad(
        &mut self,
        id: &'static str,
        found: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) {
        self.push(id, Verdict::Bad, found.into(), Some(remedy.into()));
    }

    fn error(&mut self, id: &'static str, error: &CeremonyError) {
        let remedy = error.explain().remedy;
        self.push(id, Verdict::Bad, error.to_string(), Some(remedy.into()));
    }

    fn push(
        &mut self,
        id: &'static str,
        verdict: Verdict,
        found: String,
        remedy: Option<Cow<'static, str>>,
    ) {
        self.checks.push(Check {
            id,
            verdict,
            found,
            remedy,
        });
    }
}

/// A member's folders as they were found, before the key is unlocked.
#[derive(Debug)]
pub struct Looked {
    preflight: Preflight,
    member: Option<Member>,
}

/// Looks at folders, machine and enclave.
#[must_use]
pub fn look(folder: &Path, private: &Path, socket: Option<&Address>, terminal: Terminal) -> Looked {
    let mut preflight = Preflight {
        checks: Vec::new(),
        definition: None,
    };
    let member = own(&mut preflight, private);
    room(
        &mut preflight,
        "disk-private",
        private,
        Folder::open_private,
    );
    room(&mut preflight, "disk-shared", folder, Folder::open_shared);
    machine(&mut preflight, terminal);
    let workspace = match Workspace::open(folder) {
        Ok(workspace) => Some(workspace),
        Err(error) => {
            preflight.error("workspace", &error.into());
            None
        }
    };
    if let Some(workspace) = &workspace {
        shared(&mut preflight, workspace, member.as_ref());
        enclave(&mut preflight, workspace, socket);
    }
    Looked { preflight, member }
}

impl Looked {
    /// Whether there is a key that can be tried.
    #[must_use]
    pub const fn has_key(&self) -> bool {
        self.member.is_some()
    }

    /// The member's keys, if there are any.
    #[must_use]
    pub fn keys(&self) -> Option<&LockedKeys> {
        self.member.as_ref().map(|member| &member.keys)
    }

    /// Adds that the key could not be tried: its token is not there, or nothing was typed.
    #[must_use]
    pub fn untried(mut self, what: &str, remedy: &str) -> Preflight {
        self.preflight.bad("key-opens", what, remedy.to_owned());
        self.preflight
    }

    /// Tries the key with its passphrase or PIN, and gives everything that was found.
    #[must_use]
    pub fn unlock(mut self, unlock: impl Into<Unlock>) -> Preflight {
        let unlock = unlock.into();
        if let Some(member) = &self.member {
            if let Unlock::Token(inserted, _) = &unlock {
                token(&mut self.preflight, inserted.report());
            }
            match member.unlock(unlock) {
                Ok(_) => self.preflight.add("key-opens", "your key opens"),
                Err(error) => self.preflight.error("key-opens", &error),
            }
        }
        self.preflight
    }

    /// Everything that was found, without the key.
    #[must_use]
    pub fn locked(mut self) -> Preflight {
        let (found, remedy) = match self.keys() {
            None => return self.preflight,
            Some(LockedKeys::File(_)) => (
                "nobody typed the passphrase",
                "run it on a terminal, or give the passphrase with --passphrase-file",
            ),
            Some(LockedKeys::Token(_)) => (
                "nobody typed the token's PIN",
                "run it on a terminal, or give the PIN with --pin-file",
            ),
        };
        self.preflight.bad("key-opens", found, remedy);
        self.preflight
    }
}

/// The token with the keys, as it was before its PIN was tried.
fn token(preflight: &mut Preflight, told: &TokenReport) {
    let identity = told.identity.to_string();
    match told.tries {
        Tries::NotReduced => preflight.add("token", identity),
        tries => preflight.note(
            "token",
            format!("{identity}; before this PIN: {tries}"),
            "if it was not you, find out who tried; a right PIN gives all tries back",
        ),
    }
}

/// The private folder, key file and pins.
fn own(preflight: &mut Preflight, private: &Path) -> Option<Member> {
    match Member::open(private) {
        Ok(member) => {
            preflight.add(
                "private-folder",
                format!("{} is yours alone", private.display()),
            );
            files(preflight, private);
            let name = member.pins.name();
            preflight.add("key-file", format!("the key of {name} is there"));
            Some(member)
        }
        Err(CeremonyError::Step(StepError::NotJoined)) => {
            let remedy = "make your keys with `quorate ceremony join`";
            preflight.bad("key-file", "there is no key yet", remedy);
            None
        }
        Err(CeremonyError::Storage(StorageError::Missing { path })) if path == private => {
            let remedy = "make it and your keys with `quorate ceremony join`";
            preflight.bad("private-folder", "it is not there yet", remedy);
            None
        }
        Err(error) => {
            preflight.error("private-folder", &error);
            None
        }
    }
}

/// Files whose mode somebody changed.
fn files(preflight: &mut Preflight, private: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let open = FILES.iter().find(|name| {
        let metadata = private.join(name).symlink_metadata();
        metadata.is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
    });
    if let Some(name) = open {
        preflight.bad(
            "private-files",
            format!("{name} is open to others"),
            "make it yours alone: chmod 600; find out who could read it",
        );
    }
}

/// Whether a folder takes what a ceremony writes, and the clock that stamps it.
fn room(
    preflight: &mut Preflight,
    id: &'static str,
    path: &Path,
    open: impl Fn(&Path) -> Result<Folder, StorageError>,
) {
    let Ok(folder) = open(path) else {
        // Said above or below, with its reason.
        return;
    };
    let before = SystemTime::now();
    match folder.probe(&[0; PROBE]) {
        Ok(stamped) => {
            preflight.add(id, format!("{} can be written", path.display()));
            let apart = match stamped.duration_since(before) {
                Ok(apart) => apart,
                Err(error) => error.duration(),
            };
            if apart > APART {
                preflight.note(
                    "clock-of-files",
                    format!(
                        "the clock of {} is {} s from this machine's",
                        path.display(),
                        apart.as_secs()
                    ),
                    "set this machine's clock: what you sign carries its time",
                );
            }
        }
        Err(error) => preflight.error(id, &error.into()),
    }
    if let Ok(state) = statvfs(path) {
        let free = state
            .blocks_available()
            .saturating_mul(state.fragment_size());
        if free < ROOM {
            preflight.note(
                id,
                format!("only {} KiB are free", free / 1024),
                "make room before the day",
            );
        }
    }
}

/// Memory protection, terminal.
fn machine(preflight: &mut Preflight, terminal: Terminal) {
    let protected = hardening::protect().is_ok()
        && get_dumpable() == Ok(false)
        && getrlimit(Resource::RLIMIT_CORE).is_ok_and(|(soft, _)| soft == 0);
    if protected {
        preflight.add("core-dumps", "no core dump is written, nobody can trace");
    } else {
        preflight.bad(
            "core-dumps",
            "this process cannot be kept out of core dumps",
            "allow prctl(PR_SET_DUMPABLE) and setrlimit(RLIMIT_CORE) where this command runs",
        );
    }
    match terminal {
        Terminal::Full => preflight.add("terminal", "it can ask for passphrases and show a share"),
        Terminal::Plain => preflight.note(
            "terminal",
            "it asks for passphrases, but has no screen to show a share on",
            "use a terminal that can address its cursor, without --plain, for `share backup`",
        ),
        Terminal::Missing => preflight.note(
            "terminal",
            "there is none",
            "run it where you will take part; passphrases come from files otherwise",
        ),
    }
}

/// The shared folder beside the member's pins.
fn shared(preflight: &mut Preflight, workspace: &Workspace, member: Option<&Member>) {
    match workspace.find_plan() {
        Ok(Some(plan)) => preflight.add(
            "workspace",
            format!("the ceremony of {}, id {}", plan.namespace, plan.id),
        ),
        Ok(None) => preflight.note(
            "workspace",
            "there is no plan: every command needs its folders named",
            "have the coordinator begin with `quorate ceremony new`, or use --folder and --private",
        ),
        Err(error) => preflight.error("workspace", &error),
    }
    match workspace.find_definition() {
        Ok(Some(definition)) => {
            let digest = Digest::of(&definition);
            preflight.definition = Some(digest);
            match member.map(|member| agrees(member, &definition)) {
                Some(Err(error)) => preflight.error("definition", &error),
                Some(Ok(())) => preflight.add(
                    "definition",
                    format!("its fingerprint is {digest}, and it has your keys"),
                ),
                None => preflight.add("definition", format!("its fingerprint is {digest}")),
            }
            if let Err(error) = workspace.anchors(&definition) {
                preflight.error("root", &error);
            }
        }
        Ok(None) => preflight.note(
            "definition",
            "there is none yet",
            "wait until everybody has joined and the coordinator has defined",
        ),
        Err(error) => preflight.error("definition", &error),
    }
}

/// Whether the definition is the pinned one and has this member's keys.
fn agrees(member: &Member, definition: &Definition) -> Result<(), CeremonyError> {
    member.pins.check_definition(definition)?;
    let name = member.pins.name();
    let own = member.keys.public();
    let named = definition
        .named(name)
        .ok_or_else(|| StepError::NotDefined { name: name.clone() })?;
    if named.signing_key != own.signing || named.encryption_key != own.encryption {
        return Err(StepError::KeysDiffer { name: name.clone() }.into());
    }
    Ok(())
}

/// Whether the enclave answers that is spoken to next.
fn enclave(preflight: &mut Preflight, workspace: &Workspace, socket: Option<&Address>) {
    let id = "enclave";
    let address = match socket {
        Some(socket) => Some(socket.clone()),
        None => match hinted(workspace) {
            Ok(address) => address,
            Err(error) => return preflight.error(id, &error),
        },
    };
    let Some(address) = address else {
        return preflight.note(
            id,
            "nothing says where one is",
            "wait until the coordinator has held the genesis or booted",
        );
    };
    let status = Client::connect(&address).and_then(|mut client| client.status());
    match status {
        Ok(_) => preflight.add(id, format!("it answers on {address}")),
        Err(error) => preflight.error(id, &error.into()),
    }
}

/// The newest enclave that the folder names.
fn hinted(workspace: &Workspace) -> Result<Option<Address>, CeremonyError> {
    match workspace.find_enclave(EnclaveRole::Instance)? {
        Some(address) => Ok(Some(address)),
        None => workspace.find_enclave(EnclaveRole::Genesis),
    }
}

#[cfg(test)]
mod tests;
