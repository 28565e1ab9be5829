//! Where QEMU comes from: this machine's, if it will do, else Debian's packages by digest.
//!
//! Guarantees: nothing is installed. Packages come from any mirror and count when they have the
//! digests of `emulator/qemu.toml`; they are unpacked once into the user's cache, and the tree is
//! hashed each time before it is used.
//!
//! Trusts: a QEMU that a person names or has in `PATH`, as every program of theirs.

use std::path::{Path, PathBuf};

use quorate_builder::mirror::mirrors;
use quorate_builder::packages::Packages;
use quorate_builder::progress::Progress;
use quorate_builder::store::Store;
use thiserror::Error;

use super::{PROGRAM, Qemu, QemuError};

/// The packages, as they were locked.
const LOCKED: &str = include_str!("../../../qemu.toml");

/// The list's name in errors.
const LOCK_PATH: &str = "emulator/qemu.toml";

/// Where QEMU is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Search {
    /// In `PATH`; then the locked packages, which are fetched if they are not there.
    #[default]
    Anywhere,
    /// This program, or the QEMU in this unpacked tree.
    Given(PathBuf),
}

/// Why no QEMU was found.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindError {
    /// There is no place for the packages.
    #[error(
        "neither XDG_CACHE_HOME nor HOME names a folder for Debian's QEMU, and this machine's will \
         not do: {own}"
    )]
    NoCache {
        /// What is wrong with this machine's.
        own: QemuError,
    },
    /// The packages could not be had.
    #[error("{why}; this machine's own QEMU will not do: {own}")]
    Packages {
        /// Why.
        why: Box<quorate_builder::Error>,
        /// What is wrong with this machine's.
        own: QemuError,
    },
    /// The one that was found cannot be used.
    #[error(transparent)]
    Unusable(#[from] QemuError),
}

impl Search {
    /// Finds QEMU.
    ///
    /// # Errors
    /// [`FindError`].
    pub fn find(&self, progress: &dyn Progress) -> Result<Qemu, FindError> {
        Ok(match self {
            Self::Anywhere => match in_path() {
                Ok(qemu) => qemu,
                Err(own) => packaged(own, progress)?,
            },
            Self::Given(path) if path.is_dir() => Qemu::in_tree(path)?,
            Self::Given(path) => Qemu::at(path)?,
        })
    }
}

/// The QEMU this machine has.
fn in_path() -> Result<Qemu, QemuError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = std::env::split_paths(&path).map(|folder| folder.join(PROGRAM));
    let program = programs
        .filter(|program| program.is_absolute())
        .find(|program| program.is_file());
    match program {
        Some(program) => Qemu::at(&program),
        None => Err(QemuError::Absent {
            program: PROGRAM.into(),
            kind: std::io::ErrorKind::NotFound,
        }),
    }
}

/// The QEMU of the locked packages.
fn packaged(own: QemuError, progress: &dyn Progress) -> Result<Qemu, FindError> {
    let Some(cache) = cache() else {
        return Err(FindError::NoCache { own });
    };
    let tree = Packages::parse(LOCKED, Path::new(LOCK_PATH)).and_then(|packages| {
        let store = Store::open(&cache.join("store"))?;
        let mirrors = mirrors(&[], Path::new("/"))?;
        packages.unpacked("qemu", &store, &cache.join("qemu"), &mirrors, progress)
    });
    match tree {
        Ok(tree) => Ok(Qemu::in_tree(&tree)?),
        Err(why) => Err(FindError::Packages {
            why: Box::new(why),
            own,
        }),
    }
}

/// Our folder in the user's cache.
pub(super) fn cache() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let home = || variable("HOME").map(|home| home.join(".cache"));
    let absolute = |path: &PathBuf| path.is_absolute();
    let cache = variable("XDG_CACHE_HOME").filter(absolute).or_else(home);
    Some(cache.filter(absolute)?.join("quorate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_one_and_names_qemu() {
        let packages = Packages::parse(LOCKED, Path::new(LOCK_PATH)).unwrap();
        let names = packages.list().iter().map(|package| package.name.as_str());
        let wanted = ["libc6", "qemu-system-data", "qemu-system-x86", "seabios"];
        assert_eq!(names.filter(|name| wanted.contains(name)).count(), 4);
    }
}
