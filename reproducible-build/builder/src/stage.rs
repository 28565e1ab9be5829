//! Stages that were built before.
//!
//! Guarantees: a stage's folder carries the digest of all its inputs in its name and appears only
//! whole, by a rename; when it is used again its outputs are hashed and compared with the record
//! made then, and a difference means that it is built again. Whatever is interrupted leaves only
//! `tmp/`, which the next run empties.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::digest::Sha256;
use crate::error::{Error, during};
use crate::progress::Progress;
use crate::tree;

const RECORD: &str = "record.json";

/// The folder a build works in; one build at a time.
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
    _lock: Flock<File>,
}

/// What one stage gave.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
    digests: BTreeMap<String, Sha256>,
}

impl Stage {
    /// The digest of one output.
    pub(crate) fn digest(&self, name: &str) -> Result<Sha256, Error> {
        self.digests.get(name).copied().ok_or_else(|| Error::Image {
            why: format!("no stage made {name}"),
        })
    }

    /// The path of one output.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The content of one output.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.path(name);
        fs::read(&path).map_err(during("read", &path))
    }
}

impl Work {
    /// Opens the folder, which is made when it does not exist.
    ///
    /// # Errors
    /// [`Error::Busy`] when another build is using it.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        for inner in ["stages", "tmp"] {
            let path = folder.join(inner);
            fs::create_dir_all(&path).map_err(during("make the folder", &path))?;
        }
        let folder = fs::canonicalize(folder).map_err(during("open", folder))?;
        let path = folder.join("lock");
        let file = File::create(&path).map_err(during("make", &path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| Error::Busy {
            path: folder.clone(),
        })?;
        let work = Self {
            folder,
            _lock: lock,
        };
        work.empty(&work.folder.join("tmp"))?;
        Ok(work)
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new empty folder for a step.
    pub(crate) fn scratch(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.folder.join("tmp").join(name);
        self.empty(&path)?;
        Ok(path)
    }

    /// Uses what was built from `key` before, or builds it: `build` fills the folder it is given.
    pub(crate) fn stage(
        &self,
        name: &str,
        key: &Sha256,
        progress: &dyn Progress,
        build: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<Stage, Error> {
        let folder = self.folder.join("stages").join(format!("{name}-{key}"));
        if let Some(stage) = recorded(&folder) {
            if stage.digests == outputs(&folder)? {
                return Ok(stage);
            }
            progress.note(&format!(
                "{name}: what was built before was changed; building again"
            ));
        }
        if folder.exists() {
            remove(&folder)?;
        }
        let out = self.scratch(&format!("{name}-out"))?;
        build(&out)?;
        let digests = outputs(&out)?;
        let text = serde_json::to_vec_pretty(&digests).map_err(|error| Error::Image {
            why: error.to_string(),
        })?;
        let record = out.join(RECORD);
        fs::write(&record, text).map_err(during("write", &record))?;
        // An older build of this stage is of no use.
        self.forget(name)?;
        fs::rename(&out, &folder).map_err(during("name", &folder))?;
        Ok(Stage { folder, digests })
    }

    fn forget(&self, name: &str) -> Result<(), Error> {
        let stages = self.folder.join("stages");
        let prefix = format!("{name}-");
        for entry in fs::read_dir(&stages).map_err(during("list", &stages))? {
            let entry = entry.map_err(during("list", &stages))?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn empty(&self, path: &Path) -> Result<(), Error> {
        remove(path)?;
        fs::create_dir_all(path).map_err(during("make the folder", path))
    }
}

/// Removes a folder of our own, folders without write permission in it included.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            open_up(path);
            fs::remove_dir_all(path).map_err(during("remove", path))
        }
        other => other.map_err(during("remove", path)),
    }
}

fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        return;
    }
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        open_up(&entry.path());
    }
}

fn recorded(folder: &Path) -> Option<Stage> {
    let text = fs::read(folder.join(RECORD)).ok()?;
    Some(Stage {
        folder: folder.to_owned(),
        digests: serde_json::from_slice(&text).ok()?,
    })
}

/// The digest of every file, and of every folder as a tree.
fn outputs(folder: &Path) -> Result<BTreeMap<String, Sha256>, Error> {
    let mut digests = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(during("list", folder))? {
        let entry = entry.map_err(during("list", folder))?;
        let (name, path) = (
            entry.file_name().to_string_lossy().into_owned(),
            entry.path(),
        );
        if name == RECORD {
            continue;
        }
        let digest = if path.is_dir() {
            tree::digest(&path)?
        } else {
            Sha256::of_file(&path)?.0
        };
        digests.insert(name, digest);
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::progress::Silent;

    fn build(work: &Work, key: &Sha256, runs: &Cell<u32>) -> Stage {
        let make = |out: &Path| {
            runs.set(runs.get() + 1);
            fs::write(out.join("x"), "content").map_err(during("write", out))
        };
        work.stage("thing", key, &Silent, make).unwrap()
    }

    #[test]
    fn a_stage_is_used_again_only_when_inputs_and_output_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let work = Work::open(folder.path()).unwrap();
        let (key, runs) = (Sha256::of(b"inputs"), Cell::new(0));
        let first = build(&work, &key, &runs);
        assert_eq!(first.digest("x").unwrap(), Sha256::of(b"content"));
        build(&work, &key, &runs);
        assert_eq!(runs.get(), 1);

        fs::write(first.path("x"), "tampered").unwrap();
        let again = build(&work, &key, &runs);
        assert_eq!(
            (runs.get(), again.read("x").unwrap()),
            (2, b"content".to_vec())
        );

        build(&work, &Sha256::of(b"other inputs"), &runs);
        assert_eq!(runs.get(), 3);
    }

    #[test]
    fn a_stage_that_failed_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let work = Work::open(folder.path()).unwrap();
        let (key, runs) = (Sha256::of(b"inputs"), Cell::new(0));
        let fault = Error::Image { why: "no".into() };
        let failed = work.stage("thing", &key, &Silent, |out| {
            fs::write(out.join("x"), "half").unwrap();
            Err(fault.clone())
        });
        assert_eq!(failed.unwrap_err(), fault);
        assert_eq!(build(&work, &key, &runs).read("x").unwrap(), b"content");
        assert_eq!(runs.get(), 1);
    }

    #[test]
    fn two_builds_in_one_folder_fail_closed() {
        let folder = tempfile::tempdir().unwrap();
        let first = Work::open(folder.path()).unwrap();
        let busy = Error::Busy {
            path: fs::canonicalize(folder.path()).unwrap(),
        };
        assert_eq!(Work::open(folder.path()).unwrap_err(), busy);
        drop(first);
        assert!(Work::open(folder.path()).is_ok());
    }
}
