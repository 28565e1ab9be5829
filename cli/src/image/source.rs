//! Opening images: as a stream, with progress, or whole.
//!
//! Guarantees: an image's size is bounded before memory is taken for it; what takes longer than a
//! second says how far it is; an error of the format names the file, the rule and the remedy.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_eif::{EifError, Scan};

use crate::failure::{Failure, Fault};
use crate::files;
use crate::output::Output;

/// Largest image that is read into memory, in bytes. Streams have no such limit.
const MAX_IN_MEMORY: usize = 4 << 30;

/// What a person waits for without being told anything.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads an image once, as a stream.
pub(super) fn scan(path: &Path, output: Output) -> Result<Scan, Failure> {
    let file = open(path)?;
    let started = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let scan = Scan::read(file, |read, total| {
        if bar.is_none() && output.is_lively() && started.elapsed() > PATIENCE {
            bar = Some(progress(total));
        }
        if let Some(bar) = &bar {
            bar.set_position(read);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    scan.map_err(|error| unusable(path, &error))
}

/// The bytes of an image.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    files::read(path, MAX_IN_MEMORY, "image")
}

fn open(path: &Path) -> Result<File, Failure> {
    let unreadable = |error: &std::io::Error| {
        let shown = path.display();
        match error.kind() {
            ErrorKind::NotFound => Failure::usage(
                "file-missing",
                format!("the image {shown} does not exist"),
                "check the path",
            ),
            _ => Failure::usage(
                "file-unreadable",
                format!("the image {shown} cannot be read: {error}"),
                "name a file this user may read",
            ),
        }
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let is_folder = file.metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_folder {
        return Err(unreadable(&ErrorKind::IsADirectory.into()));
    }
    Ok(file)
}

/// The failure for a file that is no image.
pub(super) fn unusable(path: &Path, error: &EifError) -> Failure {
    let what = format!("{} is no usable image: {error}", path.display());
    match error {
        EifError::Io(_) => {
            Failure::refused(Fault::Machine, "image-unreadable", what, error.remedy())
        }
        _ => Failure::refused(Fault::Sender, "image-unusable", what, error.remedy()),
    }
}

fn progress(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    // A template without custom keys is always well formed; the default bar serves as well.
    if let Ok(style) = ProgressStyle::with_template("  measuring {bar:40} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    bar
}
