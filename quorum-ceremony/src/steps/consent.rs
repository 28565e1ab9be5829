//! `consent`: a member finds themselves in the definition, pins it and signs it.

use std::path::Path;

use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{Definition, DefinitionConsent};
use quorate_protocol::digest::Digest;
use quorate_protocol::transcript::{Act, Fact};

use super::Member;
use crate::error::{CeremonyError, StepError};
use crate::keyfile::{Passphrase, PublicKeys};
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
    decide(
        &member.pins,
        &member.key_file.public(),
        &definition,
        expected,
    )?;
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

    /// Pins the definition, signs and publishes the consent.
    ///
    /// # Errors
    /// A wrong passphrase; a file that cannot be written.
    pub fn consent(mut self, passphrase: &Passphrase) -> Result<Consented, CeremonyError> {
        let keys = self.member.unlock(passphrase)?;
        // The header was only claimed until now.
        decide(&self.member.pins, &keys.public(), &self.definition, None)?;
        self.member.pins.pin_definition(&self.definition)?;
        self.member.private.store_pins(&self.member.pins)?;
        let fingerprint = Digest::of(&self.definition);
        let consent = DefinitionConsent {
            definition: fingerprint,
            member: keys.name().clone(),
        };
        let consent = Signed::sign(consent, &keys.signing_key());
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
