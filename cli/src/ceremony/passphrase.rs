//! Where a passphrase comes from: the terminal without echo, a file, or standard input.
//!
//! It is never an argument, which every user of the machine could read. What is read goes into
//! memory that is wiped.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::keyfile::{LONGEST_PASSPHRASE, Passphrase};
use zeroize::Zeroizing;

use super::arguments::Keyed;
use crate::failure::Failure;

/// Reads the passphrase of a key that exists, or twice that of a new one.
pub(super) fn read(keyed: &Keyed, new: bool) -> Result<Passphrase, Failure> {
    let bytes = match keyed.passphrase_file.as_deref() {
        None => ask(new)?,
        Some(_) if keyed.is_stdin() => {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            let stdin = stdin.map_err(|error| unreadable(Path::new("-"), &error))?;
            from_file(File::from(stdin), Path::new("-"))?
        }
        Some(path) => {
            let file = File::open(path).map_err(|error| unreadable(path, &error))?;
            from_file(file, path)?
        }
    };
    if bytes.is_empty() {
        return Err(Failure::usage(
            "passphrase-empty",
            "the passphrase is empty",
            "write the passphrase into the file, or type it",
        ));
    }
    let passphrase = Passphrase::new(bytes).map_err(CeremonyError::from)?;
    if new {
        passphrase.check_new().map_err(CeremonyError::from)?;
    }
    Ok(passphrase)
}

fn ask(new: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let prompt = |text: &str| {
        let typed = rpassword::prompt_password(text).map_err(|error| match error.kind() {
            // Where a handler of signals ends the process as well, it may come second.
            io::ErrorKind::Interrupted => Failure::interrupted(),
            _ => Failure::usage(
                "no-terminal",
                "there is no terminal to ask for the passphrase",
                "give it with --passphrase-file FILE, or - for standard input",
            ),
        })?;
        Ok(Zeroizing::new(typed.into_bytes()))
    };
    if !new {
        return prompt("passphrase: ");
    }
    let first = prompt("new passphrase: ")?;
    if first != prompt("once more: ")? {
        return Err(Failure::usage(
            "passphrases-differ",
            "the two passphrases differ",
            "type the same one twice",
        ));
    }
    Ok(first)
}

/// The file's content without one line end.
fn from_file(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // All room at once: a vector that grows leaves copies behind.
    let room = LONGEST_PASSPHRASE + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 64));
    let limit = u64::try_from(room).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        "passphrase-unreadable",
        format!(
            "the passphrase file {} cannot be read: {error}",
            path.display()
        ),
        "name a file this user may read, or - for standard input",
    )
}
