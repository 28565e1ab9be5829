//! The sources of a commit or tag, as git has them, in a folder of their own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, during};

/// Lays the tree of `revision` of the repository at `repository` into the new folder `target`.
///
/// # Errors
/// If git is missing or does not know the revision.
pub fn checkout(repository: &Path, revision: &str, target: &Path) -> Result<(), Error> {
    if revision.starts_with('-') {
        return Err(git("it looks like an option"));
    }
    let mut child = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(["archive", "--format=tar", revision])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoProgram {
                program: "git",
                purpose: "knows the sources of a tag",
            },
            _ => during("run", "git")(error),
        })?;
    if target.exists() {
        fs::remove_dir_all(target).map_err(during("remove", target))?;
    }
    fs::create_dir_all(target).map_err(during("make the folder", target))?;
    if let Some(stream) = child.stdout.take() {
        let mut archive = tar::Archive::new(stream);
        archive.set_preserve_mtime(false);
        // A revision git does not know gives an empty stream and its words below.
        let unpacked = archive.unpack(target);
        let output = child.wait_with_output().map_err(during("run", "git"))?;
        if !output.status.success() {
            return Err(git(String::from_utf8_lossy(&output.stderr).trim_end()));
        }
        unpacked.map_err(during("write", target))?;
    }
    Ok(())
}

fn git(said: &str) -> Error {
    Error::Program {
        program: "git archive".into(),
        status: "no such sources".into(),
        said: said.to_owned(),
    }
}
