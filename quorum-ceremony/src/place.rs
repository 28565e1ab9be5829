//! Which folders a command works in, when nobody says so.
//!
//! The shared folder is the one that is named, or the nearest one above the current directory with a
//! `ceremony.toml`, or the one the private folder is bound to. The private folder is the one that is
//! named, or that of the environment (`QUORATE_PRIVATE`), or the nearest one above the current
//! directory, or the one place of this ceremony under the user's data folder.
//!
//! Guarantees: a private folder that was bound to a shared one at `join` is never used with another
//! that was only found, nor with one whose plan says it is another ceremony. Does not: believe the
//! shared folder beyond that; what it holds is compared with the [`pins`](crate::pins).

use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};
use quorate_protocol::atoms::{Bytes, Text};
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use thiserror::Error;

use crate::address::Address;
use crate::error::{Blame, CeremonyError, Explanation};
use crate::plan::CeremonyId;
use crate::private::PrivateFolder;
use crate::storage::{Folder, StorageError};
use crate::workspace::begin::is_marked;
use crate::workspace::{EnclaveRole, Workspace};

/// The environment variable that names the private folder.
pub const PRIVATE: &str = "QUORATE_PRIVATE";
/// Folders above the current one that are looked at, at most.
const ABOVE: usize = 64;
const FORMAT: u8 = 1;
const BINDING: &[&str] = &["workspace.cbor"];

/// Why no folder can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Nothing says where the enclave is.
    #[error("nothing says where the enclave is")]
    NoEnclave,
    /// Nothing says which private folder is meant.
    #[error("nothing says which private folder is yours")]
    NoPrivate,
    /// Nothing says which ceremony is meant.
    #[error("this is no ceremony's folder, nor below one")]
    NoWorkspace,
    /// The plan is that of another ceremony than the private folder was bound to.
    #[error(
        "the private folder {} belongs to the ceremony {bound}, {} has the plan of {found}",
        .private.display(), .folder.display()
    )]
    OtherCeremony {
        /// The private folder.
        private: PathBuf,
        /// The ceremony of `join`.
        bound: CeremonyId,
        /// The shared folder.
        folder: PathBuf,
        /// What its plan says.
        found: CeremonyId,
    },
    /// The private folder is bound to another shared folder.
    #[error(
        "the private folder {} belongs to the ceremony in {}, not to {}",
        .private.display(), .bound.display(), .folder.display()
    )]
    OtherFolder {
        /// The private folder.
        private: PathBuf,
        /// The shared folder of `join`.
        bound: PathBuf,
        /// The shared folder that was found.
        folder: PathBuf,
    },
}

impl PlaceError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::NoEnclave => (
                "no-enclave-address",
                Blame::You,
                "wait until the coordinator has held the genesis or booted, which writes it down, \
                 or give it with --socket",
            ),
            Self::NoPrivate => (
                "no-private-folder",
                Blame::You,
                "join with `quorate ceremony join`, or name your private folder with --private or \
                 QUORATE_PRIVATE",
            ),
            Self::NoWorkspace => (
                "no-workspace",
                Blame::You,
                "go into the ceremony's shared folder or your private one, or name it with --folder",
            ),
            Self::OtherCeremony { .. } => (
                "other-ceremony",
                Blame::Folder,
                "stop: this is another ceremony's folder, or somebody exchanged its plan. Each \
                 ceremony has a private folder of its own",
            ),
            Self::OtherFolder { .. } => (
                "other-workspace",
                Blame::You,
                "go into the right folder; if the shared folder was moved, join again with \
                 --folder and --private, which keeps your keys and pins",
            ),
        };
        Explanation::new(code, blame, remedy)
    }
}

/// What a private folder remembers of its ceremony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The shared folder, absolute, without links.
    pub folder: PathBuf,
    /// The ceremony, if the folder had a plan.
    pub id: Option<CeremonyId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Fields {
    #[n(0)]
    format: u8,
    #[n(1)]
    folder: Text<4096>,
    #[n(2)]
    id: Option<Bytes<16, 16>>,
}

impl Object for Fields {
    const LABEL: &'static str = "quorate/workspace/v1";
    const MAX: usize = 4096 + 64;
}

impl Binding {
    /// Largest file in bytes.
    pub const MAX: usize = Fields::MAX;

    /// Reads a binding; nothing if it is none of this version.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let fields: Fields = from_bytes(bytes).ok()?;
        let folder = PathBuf::from(fields.folder.as_str());
        if fields.format != FORMAT || !folder.is_absolute() {
            return None;
        }
        let id = match fields.id {
            Some(id) => Some(CeremonyId(id.as_slice().try_into().ok()?)),
            None => None,
        };
        Some(Self { folder, id })
    }

    /// The file's bytes; nothing for a folder whose path is no text.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let id = match self.id {
            Some(id) => Some(Bytes::new(id.0.to_vec()).ok()?),
            None => None,
        };
        Some(to_bytes(&Fields {
            format: FORMAT,
            folder: Text::new(self.folder.to_str()?).ok()?,
            id,
        }))
    }

    fn read(private: &Path) -> Result<Option<Self>, StorageError> {
        let bytes = Folder::open_private(private)?.read(BINDING, Self::MAX)?;
        Ok(bytes.and_then(|bytes| Self::from_bytes(&bytes)))
    }
}

impl PrivateFolder {
    /// Remembers the shared folder this private one belongs to, in place of where it was before.
    ///
    /// # Errors
    /// [`PlaceError::OtherCeremony`] if it belongs to another ceremony.
    pub fn bind(&self, workspace: &Workspace) -> Result<(), CeremonyError> {
        let found = Binding {
            folder: canonical(workspace.path())?,
            id: workspace.find_plan()?.map(|plan| plan.id),
        };
        let known = self.folder().read(BINDING, Binding::MAX)?;
        let known = known.and_then(|bytes| Binding::from_bytes(&bytes));
        let mut bound = found.clone();
        if let Some(known) = known {
            check_id(self.path(), &known, &found.folder, found.id)?;
            // A plan that is gone for the moment is not forgotten.
            bound.id = found.id.or(known.id);
            if known == bound {
                return Ok(());
            }
        }
        match bound.to_bytes() {
            Some(bytes) => Ok(self.folder().replace(BINDING, &bytes)?),
            None => Ok(()),
        }
    }
}

fn check_id(
    private: &Path,
    known: &Binding,
    folder: &Path,
    found: Option<CeremonyId>,
) -> Result<(), PlaceError> {
    match (known.id, found) {
        (Some(bound), Some(found)) if bound != found => Err(PlaceError::OtherCeremony {
            private: private.into(),
            bound,
            folder: folder.into(),
            found,
        }),
        _ => Ok(()),
    }
}

/// Where a command runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The current directory.
    pub current: Option<PathBuf>,
    /// The private folder the environment names.
    pub private: Option<PathBuf>,
    /// Where private folders are that nobody named: one a ceremony, named for its id.
    pub data: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let absolute = |path: &PathBuf| path.is_absolute();
        // As the XDG base directory specification says: a relative path is none.
        let data = variable("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(absolute);
        let home = || Some(PathBuf::from(variable("HOME")?).join(".local/share")).filter(absolute);
        Self {
            current: std::env::current_dir().ok(),
            private: variable(PRIVATE).map(PathBuf::from),
            data: data
                .or_else(home)
                .map(|data| data.join("quorate/ceremonies")),
        }
    }

    fn above(&self, is: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let current = self.current.as_deref()?;
        let mut above = current.ancestors().take(ABOVE);
        above.find(|path| is(path)).map(Path::to_owned)
    }
}

/// The folders of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The shared folder.
    pub folder: PathBuf,
    /// The private folder, if one is named or there.
    private: Option<PathBuf>,
    /// Where one would be made.
    fresh: Option<PathBuf>,
}

impl Place {
    /// Chooses the folders, from those named on the command line and where it runs.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn find(
        folder: Option<&Path>,
        private: Option<&Path>,
        around: &Surroundings,
    ) -> Result<Self, CeremonyError> {
        let named = private
            .map(Path::to_owned)
            .or_else(|| around.private.clone());
        let is_private = |path: &Path| matches!(Binding::read(path), Ok(Some(_)));
        let mut own = named.or_else(|| around.above(is_private));
        let mut binding = match &own {
            Some(path) => bound(path)?,
            None => None,
        };
        let shared = folder
            .map(Path::to_owned)
            .or_else(|| around.above(is_marked))
            .or_else(|| Some(binding.as_ref()?.folder.clone()))
            .ok_or(PlaceError::NoWorkspace)?;
        let id = match Workspace::open(&shared) {
            Ok(workspace) => workspace.find_plan()?.map(|plan| plan.id),
            // A first join makes it.
            Err(StorageError::Missing { .. }) if folder.is_some() => None,
            Err(error) => return Err(error.into()),
        };
        let fresh = match (&around.data, id) {
            (Some(data), Some(id)) => Some(data.join(id.to_string())),
            _ => None,
        };
        if own.is_none() {
            own = fresh.clone().filter(|path| path.is_dir());
            if let Some(path) = &own {
                binding = bound(path)?;
            }
        }
        if let (Some(path), Some(known)) = (&own, &binding) {
            check_id(path, known, &shared, id)?;
            let both = folder.is_some() && private.is_some();
            if !both && canonical(&shared)? != known.folder {
                return Err(PlaceError::OtherFolder {
                    private: path.clone(),
                    bound: known.folder.clone(),
                    folder: shared,
                }
                .into());
            }
        }
        Ok(Self {
            folder: shared,
            private: own,
            fresh,
        })
    }

    /// The member's private folder.
    ///
    /// # Errors
    /// [`PlaceError::NoPrivate`].
    pub fn private(&self) -> Result<&Path, PlaceError> {
        self.private.as_deref().ok_or(PlaceError::NoPrivate)
    }

    /// The private folder, if there is one.
    #[must_use]
    pub fn find_private(&self) -> Option<&Path> {
        self.private.as_deref()
    }

    /// The private folder, or where it will be.
    ///
    /// # Errors
    /// [`PlaceError::NoPrivate`] in a ceremony without a plan.
    pub fn private_to_make(&self) -> Result<&Path, PlaceError> {
        let path = self.private.as_deref().or(self.fresh.as_deref());
        path.ok_or(PlaceError::NoPrivate)
    }

    /// Where an enclave is: as named, or as the shared folder says.
    ///
    /// # Errors
    /// [`PlaceError::NoEnclave`].
    pub fn enclave(
        &self,
        named: Option<&Address>,
        role: EnclaveRole,
    ) -> Result<Address, CeremonyError> {
        if let Some(address) = named {
            return Ok(address.clone());
        }
        let found = Workspace::open(&self.folder)?.find_enclave(role)?;
        Ok(found.ok_or(PlaceError::NoEnclave)?)
    }
}

/// The binding of a private folder that is used; none if it was made without, or is not there yet.
fn bound(private: &Path) -> Result<Option<Binding>, CeremonyError> {
    match Binding::read(private) {
        Err(StorageError::Missing { .. }) => Ok(None),
        // The step says so, with its remedy.
        Err(StorageError::NotPrivate { .. }) => Ok(None),
        read => Ok(read?),
    }
}

fn canonical(path: &Path) -> Result<PathBuf, StorageError> {
    path.canonicalize()
        .map_err(|error| crate::storage::failed(path, &error))
}

#[cfg(test)]
mod tests;
