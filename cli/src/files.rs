//! Files a command reads and writes.
//!
//! Guarantees: reading never takes more memory than the limit the caller names, also for a file
//! that grows meanwhile or is no regular file; writing leaves the whole file or none of it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::failure::{Failure, Fault};

/// Reads a file that the command line names, `what` in words.
///
/// # Errors
/// A usage failure if it is missing, unreadable, a folder, or longer than `max` bytes.
pub(crate) fn read(path: &Path, max: usize, what: &str) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::usage(
            "file-missing",
            format!("the {what} {shown} does not exist"),
            "check the path",
        ),
        _ => unreadable(path, what, &error),
    })?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, what, &error))?;
    if bytes.len() > max {
        return Err(Failure::usage(
            "file-too-large",
            format!("the {what} {shown} has more than {max} bytes"),
            "name the right file; nothing larger is read",
        ));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::usage(
        "file-unreadable",
        format!("the {what} {} cannot be read: {error}", path.display()),
        "name a file this user may read",
    )
}

/// The last `count` lines of a file that may be there, of at most its last 64 KiB.
pub(crate) fn tail(path: &Path, count: usize) -> Vec<String> {
    const MAX: u64 = 64 * 1024;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MAX)))?;
        file.take(MAX).read_to_end(&mut bytes)
    });
    if read.is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

/// Says early that a file [`write_new`] would write exists.
///
/// # Errors
/// If there is anything at the path.
pub(crate) fn check_new(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(unwritable(path, &ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(()),
    }
}

/// Writes a file that did not exist, readable by all. Until it is whole it has another name, so
/// that no reader, crash or full disk ever leaves a part of it under its own.
///
/// # Errors
/// If it exists or cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    check_new(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&part)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        // A link, unlike a new name, never replaces what came there meanwhile.
        .and_then(|()| fs::hard_link(&part, path));
    // A part of a file is worse than none; that it cannot be removed either adds nothing.
    let _ = fs::remove_file(&part);
    written.map_err(|error| unwritable(path, &error))
}

/// The failure for a path that cannot be written.
pub(crate) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(
        Fault::Machine,
        "file-unwritable",
        format!("{} cannot be written: {error}", path.display()),
        "make room, or name a place this user may write",
    )
}
