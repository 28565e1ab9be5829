//! `join`: a person makes their keys and puts their card into the shared folder.
//!
//! A join that was interrupted goes on where it ended: keys are drawn once and never replaced.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::transcript::Act;

use crate::error::{CeremonyError, StepError};
use crate::hardening;
use crate::keyfile::{KeyFile, MemberKeys, Passphrase, PublicKeys};
use crate::pins::Pins;
use crate::private::PrivateFolder;
use crate::storage::{Published, StorageError};
use crate::transcript::{Content, Effect, Journal, add, object};
use crate::workspace::Workspace;

/// A private folder that is ready for keys, or has them.
#[derive(Debug)]
pub struct Joining {
    workspace: Workspace,
    private: PrivateFolder,
    name: Name,
    key_file: Option<KeyFile>,
}

/// Who joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Their name.
    pub name: Name,
    /// Their public keys, as on the card.
    pub keys: PublicKeys,
    /// Whether they had joined before.
    pub before: bool,
}

/// Opens both folders, or makes them.
///
/// # Errors
/// [`StepError::OtherName`] if the private folder is somebody else's.
pub fn prepare(folder: &Path, private: &Path, name: &Name) -> Result<Joining, CeremonyError> {
    let workspace = Workspace::create(folder)?;
    let private = PrivateFolder::create(private)?;
    let key_file = private.find_key_file()?;
    if let Some(file) = &key_file
        && file.name() != name
    {
        return Err(StepError::OtherName {
            expected: name.clone(),
            found: file.name().clone(),
        }
        .into());
    }
    private.bind(&workspace)?;
    Ok(Joining {
        workspace,
        private,
        name: name.clone(),
        key_file,
    })
}

impl Joining {
    /// Whether keys will be made, so that the passphrase is a new one.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.key_file.is_none()
    }

    /// Makes the keys if there are none, and publishes the card.
    ///
    /// # Errors
    /// [`StepError::NameTaken`]; a passphrase that is too short or wrong.
    pub fn join(self, passphrase: &Passphrase) -> Result<Joined, CeremonyError> {
        hardening::protect()?;
        let before = self.key_file.is_some();
        let keys = match &self.key_file {
            Some(file) => file.unlock(passphrase)?,
            None => {
                let keys = MemberKeys::generate(self.name.clone())?;
                self.private
                    .store_key_file(&KeyFile::lock(&keys, passphrase)?)?;
                keys
            }
        };
        // Pins that are lost are not made anew: they would forget what must not come back. A join
        // that ended between key file and pins has nothing to forget, since no card is out.
        let card = keys.card()?;
        if !self.private.has_pins()? {
            if before && self.workspace.card(&self.name).is_ok() {
                let path = self.private.path().join("pins.cbor");
                return Err(StorageError::Missing { path }.into());
            }
            self.private.store_pins(&Pins::new(self.name.clone()))?;
        }
        let journal = Journal::new(&self.private, &self.workspace, None, Vec::new());
        let told = object(card.digest());
        if !journal.tells(&keys, Act::Join, &told)? {
            let file = ["members".into(), format!("{}.cbor", self.name)];
            let content = Content {
                act: Act::Join,
                facts: vec![told],
            };
            let effect = Effect::published(&file, &to_bytes(&card))?;
            add(&self.private, &content, effect)?;
        }
        match self.workspace.publish_card(&card) {
            Ok(Published::Written | Published::AlreadyThere) => {}
            Err(StorageError::Differs { .. }) => {
                return Err(StepError::NameTaken { name: self.name }.into());
            }
            Err(error) => return Err(error.into()),
        }
        Journal::new(&self.private, &self.workspace, None, Vec::new()).settle(&keys)?;
        Ok(Joined {
            name: self.name,
            keys: keys.public(),
            before,
        })
    }
}

#[cfg(test)]
mod tests;
