//! A member's private folder: key file or what is pinned of a token, pins, their sealed share, receipts of their grants.
//!
//! Guarantees: the folder is this user's alone (mode 0700, files 0600), one command works in it at
//! a time, and each file is replaced whole or not at all. Pins are written before a signature that
//! rests on them leaves the process, so that a crash in between never lets a second one follow.
//!
//! Trusts: this computer.

pub(crate) mod carried;
mod drills;

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{CommitmentList, Epoch, MemberShare, SealedShare};
use quorate_protocol::provision::{Provision, ProvisionReceipt, ShareGrant};
use quorate_protocol::reshare::ReshareOrder;
use quorate_protocol::surrogate::{Delegation, EntrustedShare};

use crate::error::{CeremonyError, StepError};
use crate::keyfile::KeyFile;
use crate::keys::{LockedKeys, LockedToken};
use crate::pins::{PinError, Pins};
use crate::storage::{Folder, Published, StorageError};
use crate::token::{TokenFile, TokenIntent, TokenKeysError};

pub(crate) use self::drills::Drilled;

const KEY: &[&str] = &[LockedKeys::KEY_FILE];
const TOKEN: &[&str] = &[LockedKeys::TOKEN_FILE];
const INTENT: &[&str] = &["token-intent.cbor"];
/// The path of a PKCS#11 module on this machine: no pin, any other may be named.
const MODULE: &[&str] = &["module"];
/// Longest path in bytes.
const LONGEST_PATH: usize = 4096;
const PINS: &[&str] = &["pins.cbor"];
const SHARE: &[&str] = &["share.cbor"];

/// A member's private folder, locked for this process.
#[derive(Debug)]
pub struct PrivateFolder {
    folder: Folder,
    _lock: File,
}

/// A grant and its receipt, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
struct StoredProvision(#[n(0)] Provision);

impl Object for StoredProvision {
    const LABEL: &'static str = "quorate/provision/v1";
    const MAX: usize = <Signed<ShareGrant>>::MAX
        + <Signed<ProvisionReceipt>>::MAX
        + <Signed<Delegation>>::MAX
        + 16;
}

/// The member's own sealed share, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
struct StoredShare(#[n(0)] MemberShare);

/// A share of a resharing, with what is needed to open and check it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct NewShare {
    /// The order; part of what the share is sealed under.
    #[n(0)]
    pub(crate) order: Digest<ReshareOrder>,
    /// Commitments of its epoch.
    #[n(1)]
    pub(crate) commitments: CommitmentList,
    /// How many hold a share.
    #[n(2)]
    pub(crate) members: u8,
    /// The share.
    #[n(3)]
    pub(crate) share: MemberShare,
}

impl Object for NewShare {
    const LABEL: &'static str = "quorate/new-share/v1";
    const MAX: usize = CommitmentList::MAX + SealedShare::MAX + 128;
}

/// A share that a member entrusted to this surrogate, and under which delegation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Entrusted {
    /// Signed by the member.
    #[n(0)]
    pub(crate) delegation: Signed<Delegation>,
    /// Signed by the member.
    #[n(1)]
    pub(crate) share: Signed<EntrustedShare>,
}

impl Object for Entrusted {
    const LABEL: &'static str = "quorate/entrusted/v1";
    const MAX: usize = <Signed<Delegation>>::MAX + <Signed<EntrustedShare>>::MAX + 16;
}

impl Object for StoredShare {
    const LABEL: &'static str = "quorate/member-share/v1";
    const MAX: usize = SealedShare::MAX + 16;
}

impl PrivateFolder {
    /// Opens a member's private folder.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Self::locked(Folder::open_private(path)?)
    }

    /// Opens a private folder, or makes one.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn create(path: &Path) -> Result<Self, StorageError> {
        Self::locked(Folder::create_private(path)?)
    }

    /// The folder, for what other modules keep in it.
    pub(crate) const fn folder(&self) -> &Folder {
        &self.folder
    }

    fn locked(folder: Folder) -> Result<Self, StorageError> {
        let lock = folder.lock()?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The keys, if there are any.
    ///
    /// # Errors
    /// [`StorageError`], a file that is none, or [`TokenKeysError::Both`].
    pub fn find_keys(&self) -> Result<Option<LockedKeys>, CeremonyError> {
        let mut file = self.folder.read(KEY, KeyFile::MAX)?;
        if file.as_ref().is_some_and(|bytes| is_overwritten(bytes)) {
            // Whoever destroyed it died before its name was gone.
            self.destroy_key_file()?;
            file = None;
        }
        let token = self.folder.read(TOKEN, TokenFile::MAX)?;
        match (file, token) {
            (None, None) => Ok(None),
            (Some(bytes), None) => Ok(Some(LockedKeys::File(KeyFile::from_bytes(&bytes)?))),
            (None, Some(bytes)) => Ok(Some(LockedKeys::Token(LockedToken {
                file: TokenFile::from_bytes(&bytes)?,
                module: self.module()?,
            }))),
            (Some(_), Some(_)) => Err(TokenKeysError::Both.into()),
        }
    }

    /// The keys.
    ///
    /// # Errors
    /// [`StepError::NotJoined`] if there are none.
    pub fn keys(&self) -> Result<LockedKeys, CeremonyError> {
        self.find_keys()?.ok_or_else(|| StepError::NotJoined.into())
    }

    /// Writes a token file where there was none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn store_token_file(&self, file: &TokenFile) -> Result<(), StorageError> {
        self.folder.publish(TOKEN, &file.to_bytes()).map(drop)
    }

    /// Which keys an interrupted `join` was going to make in a token.
    ///
    /// # Errors
    /// [`StorageError`], or a file that is none.
    pub fn token_intent(&self) -> Result<Option<TokenIntent>, CeremonyError> {
        match self.folder.read(INTENT, TokenIntent::MAX)? {
            Some(bytes) => Ok(Some(TokenIntent::from_bytes(&bytes)?)),
            None => Ok(None),
        }
    }

    /// Writes down which keys will be made, before they are.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn store_token_intent(&self, intent: &TokenIntent) -> Result<(), StorageError> {
        self.folder.publish(INTENT, &intent.to_bytes()).map(drop)
    }

    /// The PKCS#11 module that was used last on this machine.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn module(&self) -> Result<Option<PathBuf>, StorageError> {
        let bytes = self.folder.read(MODULE, LONGEST_PATH)?;
        Ok(bytes.map(|bytes| OsString::from_vec(bytes).into()))
    }

    /// Remembers the module that leads to a token.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn remember_module(&self, path: &Path) -> Result<(), StorageError> {
        if self.module()?.as_deref() == Some(path) {
            return Ok(());
        }
        self.folder.replace(MODULE, path.as_os_str().as_bytes())
    }

    /// Writes the file of these keys where there was none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn store_keys(&self, keys: &LockedKeys) -> Result<(), StorageError> {
        match keys {
            LockedKeys::File(file) => self.store_key_file(file),
            LockedKeys::Token(token) => self.store_token_file(&token.file),
        }
    }

    /// Writes a key file where there was none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn store_key_file(&self, file: &KeyFile) -> Result<(), StorageError> {
        self.folder.publish(KEY, &file.to_bytes()).map(drop)
    }

    /// The pins of the owner of `keys`.
    ///
    /// # Errors
    /// [`PinError::Lost`], [`StepError::OtherName`] if they are another's.
    pub fn pins(&self, keys: &LockedKeys) -> Result<Pins, CeremonyError> {
        let bytes = self.folder.read(PINS, Pins::MAX)?.ok_or(PinError::Lost)?;
        let pins = Pins::from_bytes(&bytes)?;
        if pins.name() != keys.name() {
            return Err(StepError::OtherName {
                expected: keys.name().clone(),
                found: pins.name().clone(),
            }
            .into());
        }
        Ok(pins)
    }

    /// Whether there are pins.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn has_pins(&self) -> Result<bool, StorageError> {
        Ok(self.folder.read(PINS, Pins::MAX)?.is_some())
    }

    /// Writes the pins in place of the older ones.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn store_pins(&self, pins: &Pins) -> Result<(), StorageError> {
        self.folder.replace(PINS, &pins.to_bytes())
    }

    /// Keeps the member's sealed share, so that a lost shared folder loses nothing.
    ///
    /// # Errors
    /// [`StorageError::Differs`] if another share is kept here.
    pub fn store_share(&self, share: &MemberShare) -> Result<(), StorageError> {
        let bytes = to_bytes(&StoredShare(share.clone()));
        self.folder.publish(SHARE, &bytes).map(drop)
    }

    /// The member's sealed share.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if none is kept.
    pub fn share(&self) -> Result<MemberShare, CeremonyError> {
        let bytes = self.folder.require(SHARE, StoredShare::MAX)?;
        from_bytes::<StoredShare>(&bytes)
            .map(|stored| stored.0)
            .map_err(|error| CeremonyError::Decode {
                path: self.folder.path_of(SHARE),
                error,
            })
    }

    /// Keeps a share of a resharing.
    ///
    /// # Errors
    /// [`StorageError::Differs`] if another share of that epoch is kept here.
    pub(crate) fn store_new_share(&self, share: &NewShare) -> Result<(), StorageError> {
        let name = format!("{}.cbor", share.commitments.epoch());
        self.folder
            .publish(&["shares", &name], &to_bytes(share))
            .map(drop)
    }

    /// The share of a resharing that made `epoch`.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if none is kept.
    pub(crate) fn new_share(&self, epoch: Epoch) -> Result<NewShare, CeremonyError> {
        let name = format!("{epoch}.cbor");
        let file = ["shares", &name];
        let bytes = self.folder.require(&file, NewShare::MAX)?;
        let share: NewShare = from_bytes(&bytes).map_err(|error| CeremonyError::Decode {
            path: self.folder.path_of(&file),
            error,
        })?;
        if share.commitments.epoch() != epoch {
            return Err(PinError::OtherShare.into());
        }
        Ok(share)
    }

    /// Keeps a share that was entrusted to this surrogate.
    ///
    /// # Errors
    /// [`StorageError::Differs`] if another one of that delegation is kept here.
    pub(crate) fn store_entrusted(&self, kept: &Entrusted) -> Result<Published, StorageError> {
        let name = format!("{}.cbor", kept.delegation.digest());
        self.folder.publish(&["entrusted", &name], &to_bytes(kept))
    }

    /// The share that was entrusted under a delegation, if it is kept.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub(crate) fn find_entrusted(
        &self,
        delegation: Digest<Delegation>,
    ) -> Result<Option<Entrusted>, CeremonyError> {
        let name = format!("{delegation}.cbor");
        let file = ["entrusted", &name];
        let Some(bytes) = self.folder.read(&file, Entrusted::MAX)? else {
            return Ok(None);
        };
        let kept = from_bytes(&bytes).map_err(|error| CeremonyError::Decode {
            path: self.folder.path_of(&file),
            error,
        })?;
        Ok(Some(kept))
    }

    /// Destroys the share of the genesis, if it is kept.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn destroy_share(&self) -> Result<(), StorageError> {
        self.folder.destroy(SHARE, StoredShare::MAX)
    }

    /// Destroys the share of a resharing, if it is kept.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn destroy_new_share(&self, epoch: Epoch) -> Result<(), StorageError> {
        let name = format!("{epoch}.cbor");
        self.folder.destroy(&["shares", &name], NewShare::MAX)
    }

    /// Destroys the key file. Nothing that was ever sealed to its key opens again.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn destroy_key_file(&self) -> Result<(), StorageError> {
        self.folder.destroy(KEY, KeyFile::MAX)
    }

    /// A grant and its receipt, if one is kept.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_provision(
        &self,
        grant: Digest<ShareGrant>,
    ) -> Result<Option<Provision>, CeremonyError> {
        let name = format!("{grant}.cbor");
        let file = ["grants", &name];
        let Some(bytes) = self.folder.read(&file, StoredProvision::MAX)? else {
            return Ok(None);
        };
        from_bytes::<StoredProvision>(&bytes)
            .map(|stored| Some(stored.0))
            .map_err(|error| CeremonyError::Decode {
                path: self.folder.path_of(&file),
                error,
            })
    }

    /// Keeps a grant and the receipt that answered it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn store_provision(&self, provision: &Provision) -> Result<Published, StorageError> {
        let name = format!("{}.cbor", provision.grant.digest());
        let bytes = to_bytes(&StoredProvision(provision.clone()));
        self.folder.publish(&["grants", &name], &bytes)
    }
}

/// Whether nothing is left of a file but its length.
fn is_overwritten(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0)
}
