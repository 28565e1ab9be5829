//! `share restore`: a share comes back from paper into a private folder.
//!
//! [`prepare`] finds out which key and which share must come back, from what this member can trust:
//! the pins in the private folder, or, where they are lost, the genesis digest that the member gives
//! (it stands on the sheet, and every other member knows it). Never from the shared folder: whoever
//! writes there could make up a genesis of which this very share is a share, and have it given to
//! an enclave of theirs. [`Restoring::prove`] holds the backup to it, and only then a passphrase or
//! PIN is asked for; [`Restoring::restore`] seals the share to the member's key and writes.
//!
//! Guarantees: nothing is written before the share is proved and the key unlocked; a share that is
//! kept already is never replaced. A restore that was interrupted is repeated.
//!
//! Does not: bring back keys. A grant is signed by the key that the newest manifest names for this
//! member, so without the old keys (or a copy of their file, [`Plan::key_file`]) the share can be restored
//! but not given, until the members approve a manifest that names the new keys
//! ([`Admission::Nowhere`] says so).

use std::path::{Path, PathBuf};

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{
    CommitmentList, Epoch, Genesis, MemberShare, genesis_share_context,
};
use quorate_protocol::instance::Index;
use quorate_protocol::manifest::Link;
use quorate_protocol::reshare::reshare_share_context;
use quorate_share_backup::{Backup, Expected, Origin};
use quorate_sharing::Share;
use quorate_verify::chain::{ChainError, HighestSeen, VerifiedChain};
use quorate_verify::genesis::VerifiedGenesis;

use super::held::Held;
use super::share::{Pinned, Recorded, Subject, Which, record};
use super::{Member, newest_approved, receipt, seal_share};
use crate::error::{CeremonyError, StepError};
use crate::hardening;
use crate::keyfile::KeyFile;
use crate::keys::{LockedKeys, LockedToken, Unlock, UnlockedKeys};
use crate::pins::{PinError, Pins, SharePin};
use crate::private::{NewShare, PrivateFolder};
use crate::storage::{Published, StorageError, read_named};
use crate::token::TokenFile;
use crate::workspace::Workspace;

mod error;

pub use self::error::RestoreError;

/// What a restore goes out from.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The shared folder.
    pub folder: &'a Path,
    /// The private folder; made if it is not there and a copy is given.
    pub private: &'a Path,
    /// The genesis, where the private folder does not know it.
    pub genesis: Option<Digest<Genesis>>,
    /// A copy of the member's key file or token file, where the private folder has none.
    pub key_file: Option<&'a Path>,
}

/// A share that must come back, and the place for it.
#[derive(Debug)]
pub struct Restoring {
    path: PathBuf,
    workspace: Workspace,
    private: Option<PrivateFolder>,
    keys: LockedKeys,
    pins: Pins,
    subject: Subject,
    /// The share as a resharing made it, where the newest is not that of the genesis.
    anew: Option<NewShare>,
    index: ShareIndex,
    renewed: Option<Renewed>,
}

/// Pins that were made anew, from a genesis that the member named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The newest approved manifest in the shared folder, if there is one. It is pinned; that it is
    /// the newest of all only the other members can say.
    pub newest: Option<HighestSeen>,
    /// Whether the share can be given.
    pub admission: Admission,
}

/// Whether the share set that counts now names the keys of the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It does: the share can be given.
    Named,
    /// It names other keys: the share can be kept, and given once a manifest names these.
    Nowhere,
}

/// A share that is back.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// Whose it is.
    pub name: Name,
    /// Its index.
    pub index: ShareIndex,
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// Of which commitments.
    pub epoch: Epoch,
    /// Real or rehearsed.
    pub origin: Origin,
    /// Whether the very same share was kept already.
    pub published: Published,
    /// Where the pins had been lost.
    pub renewed: Option<Renewed>,
    /// Whether the transcript tells of it.
    pub recorded: Recorded,
}

/// Finds out which share must come back.
///
/// # Errors
/// [`StepError::NotJoined`] without any key file; [`RestoreError::GenesisUnknown`] where neither
/// pins nor the caller name a genesis; [`RestoreError::GenesisDiffers`] or what the pins refuse;
/// [`StepError::NoShare`].
pub fn prepare(plan: &Plan<'_>) -> Result<Restoring, CeremonyError> {
    let workspace = Workspace::open(plan.folder)?;
    let private = match PrivateFolder::open(plan.private) {
        Ok(private) => Some(private),
        Err(StorageError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let keys = keys(plan, private.as_ref())?;
    let mut pins = match &private {
        Some(folder) if folder.has_pins()? => folder.pins(&keys)?,
        _ => Pins::new(keys.name().clone()),
    };
    if let Some(given) = plan.genesis {
        pins.check_genesis(given)?;
    }
    let subject = Subject::read(&workspace)?;
    let renewed = match pins.genesis() {
        Some(_) if pins.newest_share().is_some() => None,
        // Pinned by a join with new keys, which knows of no share.
        pinned => {
            let given = plan.genesis.or(pinned.map(|pin| pin.digest));
            let given = given.ok_or(RestoreError::GenesisUnknown)?;
            Some(renew(&mut pins, &keys, &workspace, &subject, given)?)
        }
    };
    let anew = anew(&workspace, private.as_ref(), &pins, &subject)?;
    Ok(Restoring {
        path: plan.private.into(),
        index: match &anew {
            Some(kept) => kept.share.index,
            None => subject.decide(&pins)?,
        },
        anew,
        private,
        keys,
        pins,
        subject,
        renewed,
        workspace,
    })
}

impl Restoring {
    /// Whose share must come back.
    #[must_use]
    pub fn member(&self) -> &Name {
        self.keys.name()
    }

    /// The keys it will be sealed to, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.keys
    }

    /// Its index.
    #[must_use]
    pub const fn index(&self) -> ShareIndex {
        self.index
    }

    /// The namespace.
    #[must_use]
    pub const fn genesis(&self) -> Digest<Genesis> {
        self.subject.genesis
    }

    /// Whether it opens a real key.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.subject.origin()
    }

    /// Where pins are made anew.
    #[must_use]
    pub const fn renewed(&self) -> Option<&Renewed> {
        self.renewed.as_ref()
    }

    /// Whether a backup is the share that must come back.
    ///
    /// # Errors
    /// [`RestoreError::Mismatch`].
    pub fn prove(&self, backup: &Backup) -> Result<Share, RestoreError> {
        Ok(backup.prove(&Expected {
            origin: self.subject.origin(),
            genesis: &self.subject.genesis,
            index: self.index,
            commitments: self.commitments(),
        })?)
    }

    /// Commitments of the newest share that the member received.
    fn commitments(&self) -> &CommitmentList {
        match &self.anew {
            Some(kept) => &kept.commitments,
            None => &self.subject.output.commitments,
        }
    }

    /// Seals a share that was proved to the member's key and keeps it, with key or token file and
    /// pins where they were lost.
    ///
    /// # Errors
    /// [`RestoreError::Mismatch`] for another share than the one to restore; a wrong passphrase or
    /// PIN; [`StepError::ShareUnreadable`] if the member's key does not open what is sealed to it;
    /// [`RestoreError::OtherKept`] if something else is kept in its place; [`StorageError`]. What
    /// was written before that is complete, and the command can be repeated.
    pub fn restore(
        self,
        backup: &Backup,
        unlock: impl Into<Unlock>,
    ) -> Result<Restored, CeremonyError> {
        let share = self.prove(backup)?;
        let epoch = self.commitments().epoch();
        hardening::protect()?;
        let unlock = unlock.into();
        let module = unlock.module().map(Path::to_owned);
        let keys = self.keys.unlock(unlock)?;
        let private = match self.private {
            Some(private) => private,
            None => PrivateFolder::create(&self.path)?,
        };
        private.store_keys(&self.keys)?;
        if let Some(module) = module {
            private.remember_module(&module)?;
        }
        let published = match self.anew {
            Some(kept) => keep_anew(&private, kept, &share, &keys)?,
            None => keep(&private, &self.subject, &share, &keys)?,
        };
        drop(share);
        let mut pinned = Pinned::Before;
        if self.renewed.is_some() {
            private.store_pins(&self.pins)?;
            pinned = Pinned::Anew;
        }
        let which = Which {
            genesis: self.subject.genesis,
            index: Index(self.index),
            epoch,
        };
        let member = Member {
            private,
            keys: self.keys,
            pins: self.pins,
        };
        let restored = which.restored(published, pinned);
        Ok(Restored {
            recorded: record(&self.workspace, &member, &keys, &restored),
            name: keys.name().clone(),
            index: self.index,
            genesis: self.subject.genesis,
            epoch,
            origin: self.subject.origin(),
            published,
            renewed: self.renewed,
        })
    }
}

/// The keys of the private folder or of the copy; where there are both they must be the same.
fn keys(plan: &Plan<'_>, private: Option<&PrivateFolder>) -> Result<LockedKeys, CeremonyError> {
    let kept = private.map(PrivateFolder::find_keys).transpose()?;
    let copy = plan.key_file.map(copy).transpose()?;
    match (kept.flatten(), copy) {
        (Some(kept), Some(copy)) if !kept.is_file_of(&copy) => Err(StorageError::Differs {
            path: plan.private.join(kept.file_name()),
        }
        .into()),
        (Some(keys), _) | (None, Some(keys)) => Ok(keys),
        (None, None) => Err(StepError::NotJoined.into()),
    }
}

/// A copy of a key file or of a token file: neither can be read as the other.
fn copy(path: &Path) -> Result<LockedKeys, CeremonyError> {
    let bytes = read_named(path, KeyFile::MAX.max(TokenFile::MAX))?;
    match TokenFile::from_bytes(&bytes) {
        Ok(file) => Ok(LockedKeys::Token(LockedToken { file, module: None })),
        Err(_) => Ok(LockedKeys::File(KeyFile::from_bytes(&bytes)?)),
    }
}

/// Pins what the member named: the genesis, with its definition, this member's share, and the newest
/// approved manifest.
fn renew(
    pins: &mut Pins,
    keys: &LockedKeys,
    workspace: &Workspace,
    subject: &Subject,
    given: Digest<Genesis>,
) -> Result<Renewed, CeremonyError> {
    let differs = |found| RestoreError::GenesisDiffers { given, found };
    if subject.genesis != given {
        return Err(differs(subject.genesis).into());
    }
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    if genesis.digest() != given {
        return Err(differs(genesis.digest()).into());
    }
    pins.pin_definition(genesis.definition())?;
    let links = workspace.links(genesis.definition(), None)?;
    let chain = approved(&genesis, &links.links)?;
    let set = match &chain {
        Some(chain) => &chain.manifest().share_set,
        None => &genesis.definition().share_set,
    };
    let name = keys.name();
    let member = set
        .named(name)
        .ok_or_else(|| StepError::NoShare { name: name.clone() })?;
    let public = keys.public();
    let same = member.signing_key == public.signing && member.encryption_key == public.encryption;
    let born = subject.output.commitments.epoch();
    let share = SharePin {
        index: Index(member.index),
        epoch: chain.as_ref().map_or(born, |chain| chain.manifest().epoch),
    };
    if share.epoch == born {
        pins.pin_restored_share(given, share)?;
    } else {
        pins.pin_genesis(given, None)?;
        pins.pin_new_share(share)?;
    }
    let newest = chain.as_ref().map(VerifiedChain::highest_seen);
    if let Some(newest) = newest {
        pins.pin_manifest(newest)?;
    }
    Ok(Renewed {
        newest,
        admission: if same {
            Admission::Named
        } else {
            Admission::Nowhere
        },
    })
}

/// The chain, if its first manifest has been approved.
fn approved(
    genesis: &VerifiedGenesis,
    links: &[Link],
) -> Result<Option<VerifiedChain>, ChainError> {
    if links.is_empty() {
        return Ok(None);
    }
    match newest_approved(genesis, links) {
        Ok(chain) => Ok(Some(chain)),
        Err(ChainError::Threshold { sequence: 1, .. }) if links.len() == 1 => Ok(None),
        Err(error) => Err(error),
    }
}

/// The newest share of these pins as a resharing made it, if one did: as it is kept, or out of the
/// folder, where its commitments are those of the pinned epoch.
fn anew(
    workspace: &Workspace,
    private: Option<&PrivateFolder>,
    pins: &Pins,
    subject: &Subject,
) -> Result<Option<NewShare>, CeremonyError> {
    let born = subject.output.commitments.epoch();
    let Some(pin) = pins.newest_share().filter(|pin| pin.epoch != born) else {
        return Ok(None);
    };
    if let Some(private) = private {
        match private.new_share(pin.epoch) {
            Err(CeremonyError::Storage(StorageError::Missing { .. })) => {}
            kept => return kept.map(Some),
        }
    }
    let reshare = workspace.reshare_of_epoch(pin.epoch)?;
    let record = reshare.record.unverified();
    let share = record.shares.iter().find(|one| one.index == pin.index.0);
    let members = reshare.order.share_set.members.len();
    Ok(Some(NewShare {
        order: Digest::of(&reshare.order),
        commitments: record.commitments.clone(),
        members: u8::try_from(members).unwrap_or(u8::MAX),
        share: share.cloned().ok_or(PinError::OtherShare)?,
    }))
}

/// Writes a share of a resharing, unless it is kept already.
fn keep_anew(
    private: &PrivateFolder,
    mut kept: NewShare,
    share: &Share,
    keys: &UnlockedKeys,
) -> Result<Published, CeremonyError> {
    let epoch = kept.commitments.epoch();
    match private.new_share(epoch) {
        // One that opens and is on the polynomial at this index is this one.
        Ok(found) => {
            return match Held::of_reshare(found).open(keys) {
                Ok(found) if found.index() == share.index() => Ok(Published::AlreadyThere),
                _ => Err(other_kept(private)),
            };
        }
        Err(CeremonyError::Storage(StorageError::Missing { .. })) => {}
        Err(_) => return Err(other_kept(private)),
    }
    let context = reshare_share_context(&kept.order, share.index(), &epoch);
    kept.share = MemberShare {
        index: share.index(),
        sealed: seal_share(share, &keys.public().encryption, &context)?,
    };
    // A token may have lost the key that its owner's card names.
    Held::of_reshare(kept.clone()).open(keys)?;
    private.store_new_share(&kept)?;
    Ok(Published::Written)
}

/// Writes the share, sealed as genesis sealed it, unless it is kept already.
fn keep(
    private: &PrivateFolder,
    subject: &Subject,
    share: &Share,
    keys: &UnlockedKeys,
) -> Result<Published, CeremonyError> {
    let (definition, output) = (&subject.definition, &subject.output);
    match private.share() {
        // One that opens and is on the polynomial at this index is this one.
        Ok(kept) if kept.index == share.index() => {
            return match receipt::open_share(definition, output, &kept, keys) {
                Ok(_) => Ok(Published::AlreadyThere),
                Err(_) => Err(other_kept(private)),
            };
        }
        Ok(_) | Err(CeremonyError::Decode { .. }) => return Err(other_kept(private)),
        Err(CeremonyError::Storage(StorageError::Missing { .. })) => {}
        Err(error) => return Err(error),
    }
    let context = genesis_share_context(&Digest::of(definition), share.index());
    let sealed = seal_share(share, &keys.public().encryption, &context)?;
    let kept = MemberShare {
        index: share.index(),
        sealed,
    };
    // A token may have lost the key that its owner's card names.
    receipt::open_share(definition, output, &kept, keys)?;
    private.store_share(&kept)?;
    Ok(Published::Written)
}

fn other_kept(private: &PrivateFolder) -> CeremonyError {
    let path = private.path().join("share.cbor");
    RestoreError::OtherKept { path }.into()
}

#[cfg(test)]
mod tests;
