//! `consent`: a member finds themselves in the definition, pins it and signs it.

use std::path::Path;

use quorate_protocol::cbor::to_bytes;
use quorate_protocol::definition::{Definition, DefinitionConsent};
use quorate_protocol::digest::Digest;
use quorate_protocol::transcript::{Act, Fact};

use super::Member;
use crate::error::{CeremonyError, StepError};
use crate::keyfile::PublicKeys;
use crate::keys::{LockedKeys, Unlock};
use crate::pins::Pins;
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, object, people, refused};
use crate::workspace::Workspace;

/// A definition that this member may consent to, and has not yet.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    definition: Definition,
}

/// A consent that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consented {
    /// The definition.
    pub definition: Definition,
    /// Its digest.
    pub fingerprint: Digest<Definition>,
    /// Whether the consent was there already.
    pub published: Published,
}

/// Reads the definition and compares it with the member's keys, pins and expectation.
///
/// # Errors
/// [`StepError::FingerprintDiffers`], [`StepError::NotDefined`], [`StepError::KeysDiffer`], a pin
/// of another definition.
pub fn review(
    folder: &Path,
    private: &Path,
    expected: Option<Digest<Definition>>,
) -> Result<Review, CeremonyError> {
    look(folder, private, expected).map_err(|error| refused(private, Act::Consent, error))
}

fn look(
    folder: &Path,
    private: &Path,
    expected: Option<Digest<Definition>>,
) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let definition = workspace.definition()?;
    // A root that no tool can use later would make a namespace nobody can join.
    workspace.anchors(&definition)?;
    decide(&member.pins, &member.keys.public(), &definition, expected)?;
    Ok(Review {
        workspace,
        member,
        definition,
    })
}

impl Review {
    /// What would be consented to.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Pins the definition, signs and publishes the consent.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; a file that cannot be written.
    pub fn consent(mut self, unlock: impl Into<Unlock>) -> Result<Consented, CeremonyError> {
        let keys = self.member.unlock(unlock.into())?;
        // The header was only claimed until now.
        decide(&self.member.pins, &keys.public(), &self.definition, None)?;
        self.member.pins.pin_definition(&self.definition)?;
        self.member.private.store_pins(&self.member.pins)?;
        let fingerprint = Digest::of(&self.definition);
        let consent = DefinitionConsent {
            definition: fingerprint,
            member: keys.name().clone(),
        };
        // A token signs differently each time, so a consent that is there is taken, not made anew.
        let consent = match self.workspace.find_consent(keys.name())? {
            Some(known) if known.verify(&keys.public().signing) == Ok(&consent) => known,
            Some(_) => {
                let name = keys.name().clone();
                return Err(StepError::SignedWrong { name, role: None }.into());
            }
            None => keys.sign(consent)?,
        };
        let journal = self
            .member
            .journal(&self.workspace, people(&self.definition, &[]));
        journal.settle(&keys)?;
        if !journal.tells(&keys, Act::Consent, &object(fingerprint))? {
            let file = ["consents".into(), format!("{}.cbor", keys.name())];
            let root = self.definition.attestation_root.clone();
            let content = Content {
                act: Act::Consent,
                facts: vec![object(fingerprint), Fact::Root(root)],
            };
            let effect = Effect::published(&file, &to_bytes(&consent))?;
            add(&self.member.private, &content, effect)?;
        }
        let published = self.workspace.publish_consent(&consent)?;
        journal.settle(&keys)?;
        Ok(Consented {
            definition: self.definition,
            fingerprint,
            published,
        })
    }
}

/// Whether a member of these keys and pins may consent.
fn decide(
    pins: &Pins,
    keys: &PublicKeys,
    definition: &Definition,
    expected: Option<Digest<Definition>>,
) -> Result<(), CeremonyError> {
    pins.check_definition(definition)?;
    let found = Digest::of(definition);
    if let Some(expected) = expected
        && expected != found
    {
        return Err(StepError::FingerprintDiffers { expected, found }.into());
    }
    let name = pins.name();
    let member = definition
        .named(name)
        .ok_or_else(|| StepError::NotDefined { name: name.clone() })?;
    if member.signing_key != keys.signing || member.encryption_key != keys.encryption {
        return Err(StepError::KeysDiffer { name: name.clone() }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
