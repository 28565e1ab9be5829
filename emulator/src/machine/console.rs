//! What a machine prints, kept in a file.
//!
//! Guarantees: the file has a bound; a guest that prints more is read on, so that it does not stop,
//! and the file says that the rest is missing.
//!
//! Does not: judge what is printed. Whoever shows it to a person escapes it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Most bytes of one machine's console that are kept: 16 MiB.
pub const CONSOLE_MAX: u64 = 16 * 1024 * 1024;

/// Most bytes of what QEMU itself says that are kept: 1 MiB.
pub(crate) const LOG_MAX: u64 = 1024 * 1024;

const CUT: &[u8] = b"\n[quorate: the rest is not kept]\n";

/// Makes the file and locks it: whoever follows it sees by the lock that the machine runs.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.lock_shared()?;
    Ok(file)
}

/// Copies what is printed into the file until it ends, at most `most` bytes of it.
pub(crate) fn keep(mut printed: impl Read, mut file: File, most: u64) {
    let mut left = most;
    let mut buffer = [0; 4096];
    loop {
        let len = match printed.read(&mut buffer) {
            Ok(0) => return,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        if left == 0 {
            continue;
        }
        let kept = usize::try_from(left).unwrap_or(usize::MAX).min(len);
        left -= kept as u64;
        // A full disk is no reason to stop the machine.
        let _ = file.write_all(buffer.get(..kept).unwrap_or_default());
        if left == 0 {
            let _ = file.write_all(CUT);
        }
    }
}
