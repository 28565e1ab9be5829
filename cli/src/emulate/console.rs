//! `quorate console`: what an enclave prints, as it prints it.
//!
//! Guarantees: what a guest prints reaches the terminal without control characters; the command ends
//! when the enclave has ended and everything was shown. The enclave is seen to run by the lock its
//! console is under.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::Console;
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Output, Render, Style, clean};

/// How often it is looked for more.
const AGAIN: Duration = Duration::from_millis(50);

/// Longest line that is shown in one piece, in bytes.
const LINE_MAX: usize = 4096;

/// Follows a console.
pub(crate) fn run(arguments: &Console, output: Output) -> Result<Exit, Failure> {
    let mut path = arguments.enclave.clone();
    if path.is_dir() {
        path.push("console.log");
    }
    follow(&path, &mut |line| output.print(&Line(line)))?;
    Ok(Exit::Success)
}

/// Gives each line of a console to `show` until its enclave has ended.
pub(super) fn follow(
    path: &Path,
    show: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        // Asked before the last look, so that nothing is missed in between.
        let ended = match file.try_lock() {
            Ok(()) => {
                // Others may ask too.
                let _ = file.unlock();
                true
            }
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(unlockable(path, &error)),
        };
        loop {
            let len = file
                .read(&mut buffer)
                .map_err(|error| unreadable(path, &error))?;
            if len == 0 {
                break;
            }
            for byte in buffer.get(..len).unwrap_or_default() {
                if *byte != b'\n' {
                    line.push(*byte);
                }
                if *byte == b'\n' || line.len() >= LINE_MAX {
                    show(&clean(String::from_utf8_lossy(&line).trim_end()))?;
                    line.clear();
                }
            }
        }
        if ended {
            if !line.is_empty() {
                show(&clean(&String::from_utf8_lossy(&line)))?;
            }
            return Ok(());
        }
        thread::sleep(AGAIN);
    }
}

/// A line a guest printed.
pub(super) struct Line<'a>(pub(super) &'a str);

impl Render for Line<'_> {
    fn text(&self, _: Style) -> String {
        format!("{}\n", self.0)
    }

    fn json(&self) -> Value {
        json!({ "line": self.0 })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        "file-unreadable",
        format!("{} cannot be read: {error}", path.display()),
        "name the folder of an enclave, as it was told when it started",
    )
}

fn unlockable(path: &Path, error: &io::Error) -> Failure {
    Failure::refused(
        Fault::Machine,
        "file-unlockable",
        format!("{} cannot be locked: {error}", path.display()),
        "use a folder on a file system of this machine",
    )
}
