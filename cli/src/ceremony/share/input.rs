//! Where a backup is read from: typed on a screen of its own, typed without echo where the output is
//! plain, or a file.
//!
//! Typed without echo, nothing is left in a scroll-back either; what was put right is told by place,
//! never by character.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::steps::restore::{RestoreError, Restoring};
use quorate_share_backup::rows::{self, Repair, RowNumber, Rows, RowsError};
use quorate_share_backup::words::PER_LINE;
use quorate_share_backup::{Backup, qr, words};
use zeroize::Zeroizing;

use super::arguments::{From, RestoreArguments};
use super::entry::{Entry, Kind, repaired};
use super::screen::Screen;
use super::show;
use crate::failure::Failure;
use crate::output::{Format, Output};

/// A backup, and what was put right in its rows.
pub(super) type Read = (Backup, Vec<(RowNumber, Repair)>);

/// Whether what was asked for can be read at all.
///
/// # Errors
/// A usage failure.
pub(super) fn check(a: &RestoreArguments, output: Output) -> Result<(), Failure> {
    match a.input.as_deref() {
        None if a.from == From::Qr => Err(Failure::usage(
            "qr-needs-file",
            "a QR code cannot be typed",
            "name a picture of it, a PNG, with --in FILE",
        )),
        None if output.format() == Format::Json => Screen::check(output),
        Some(path) if is_stdin(path) && a.keyed.is_stdin() => Err(Failure::usage(
            "input-twice",
            "passphrase or PIN and backup cannot both come from standard input",
            "give one of them as a file",
        )),
        _ => Ok(()),
    }
}

/// Reads the backup.
///
/// # Errors
/// What is wrong with it; a file that cannot be read; an interruption.
pub(super) fn read(
    a: &RestoreArguments,
    restoring: &Restoring,
    output: Output,
) -> Result<Read, Failure> {
    let Some(path) = a.input.as_deref() else {
        let kind = match a.from {
            From::Words => Kind::Words,
            From::Rows | From::Qr => Kind::Rows,
        };
        return match Screen::check(output) {
            Ok(()) => on_screen(kind, restoring, output),
            Err(_) => without_echo(kind, output),
        };
    };
    let limit = match a.from {
        From::Rows => rows::MAX_TEXT,
        From::Words => words::MAX_TEXT,
        From::Qr => qr::MAX_FILE,
    };
    let bytes = bytes(path, limit)?;
    let text = || std::str::from_utf8(&bytes).map_err(|_| no_text(path));
    let read = match a.from {
        From::Rows => Rows::parse(text()?)
            .and_then(|(rows, repairs)| Ok((rows.backup()?, repairs)))
            .map_err(RestoreError::from),
        From::Words => Backup::from_words(text()?)
            .map(|backup| (backup, Vec::new()))
            .map_err(RestoreError::from),
        From::Qr => Backup::from_png(&bytes)
            .map(|backup| (backup, Vec::new()))
            .map_err(RestoreError::from),
    };
    Ok(read.map_err(CeremonyError::from)?)
}

fn on_screen(kind: Kind, restoring: &Restoring, output: Output) -> Result<Read, Failure> {
    let mut entry = Entry::new(kind, show::entry_title(restoring, kind));
    let mut screen = Screen::open(output)?;
    loop {
        let (text, below) = entry.view();
        screen.show(&text, &below)?;
        if let Some(backup) = entry.press(screen.key()?) {
            return Ok((backup, entry.repairs()));
        }
    }
}

fn without_echo(kind: Kind, output: Output) -> Result<Read, Failure> {
    match kind {
        Kind::Rows => {
            let (mut all, mut repairs) = (Rows::default(), Vec::new());
            for row in RowNumber::ALL {
                let (read, repair) = loop {
                    let typed = prompt(&format!("row {row}, not shown as you type: "))?;
                    match rows::read(row, &typed) {
                        Ok(read) => break read,
                        Err(error) => note(output, &RowsError::from(error).into()),
                    }
                };
                output.note(&repaired(row, &repair));
                all.set(read);
                if repair != Repair::Nothing {
                    repairs.push((row, repair));
                }
            }
            let backup = all.backup().map_err(RestoreError::from);
            Ok((backup.map_err(CeremonyError::from)?, repairs))
        }
        Kind::Words => {
            let mut all = Zeroizing::new(String::with_capacity(words::MAX_TEXT));
            for first in (1..=words::COUNT).step_by(PER_LINE) {
                let last = first + PER_LINE - 1;
                let typed = prompt(&format!("words {first} to {last}, not shown as you type: "))?;
                if all.len() + typed.len() < words::MAX_TEXT {
                    all.push_str(&typed);
                    all.push(' ');
                }
            }
            let backup = Backup::from_words(&all).map_err(RestoreError::from);
            Ok((backup.map_err(CeremonyError::from)?, Vec::new()))
        }
    }
}

fn note(output: Output, error: &RestoreError) {
    output.note(&format!("{error}: {}", error.explain().remedy));
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(text)
        .map(Zeroizing::new)
        .map_err(|_| {
            Failure::usage(
                "no-terminal",
                "there is no terminal to type the backup on",
                "name a file with --in FILE, or - for standard input",
            )
        })
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn bytes(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error: io::Error| {
        Failure::usage(
            "backup-unreadable",
            format!("the backup {} cannot be read: {error}", path.display()),
            "name a file this user may read, or - for standard input",
        )
    };
    let file = if is_stdin(path) {
        File::from(io::stdin().as_fd().try_clone_to_owned().map_err(failed)?)
    } else {
        File::open(path).map_err(failed)?
    };
    // All room at once where it is small: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.min(64 * 1024) + 1));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn no_text(path: &Path) -> Failure {
    Failure::usage(
        "backup-no-text",
        format!("{} is not text", path.display()),
        "name the text of a sheet or words; a picture of the QR code is read with --from qr",
    )
}
