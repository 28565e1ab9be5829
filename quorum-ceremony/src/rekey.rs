//! New keys in the place of lost ones: what is read aloud of them, and where their card lies.
//!
//! The fingerprint of keys is the SHA-256 of the compressed signing key. The card is signed by that
//! very key and names the encryption key too, so who has compared the fingerprint knows both.
//!
//! Guarantees: a fingerprint, or its beginning, is at least 16 and at most 64 hexadecimal digits; a
//! card is taken only where it is signed by the key with that fingerprint and has that name.
//!
//! Does not: say who made the card. People who know the voice of that member do.

use std::fmt;

use quorate_protocol::atoms::{Name, Sha256};
use quorate_protocol::card::MemberCard;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::MemberSet;
use thiserror::Error;

use crate::error::{CeremonyError, StepError};
use crate::storage::{Published, StorageError};
use crate::workspace::Workspace;

/// Digits of a fingerprint that name the file of a card, and the fewest that are taken.
const SHORT: usize = 16;
/// All digits of a fingerprint.
const WHOLE: usize = 64;

/// The SHA-256 of a compressed signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFingerprint(Sha256);

impl KeyFingerprint {
    /// That of a key.
    #[must_use]
    pub fn of(key: &VerificationKey) -> Self {
        Self(Sha256::of(&key.to_compressed()))
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// The digits that name the file of a card.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(SHORT).collect()
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fingerprint as far as it was typed: 16 to 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedFingerprint(String);

impl TypedFingerprint {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let length = (SHORT..=WHOLE).contains(&text.len());
        (digits && length).then(|| Self(text.to_ascii_lowercase()))
    }

    fn begins(&self, whole: &KeyFingerprint) -> bool {
        whole.to_string().starts_with(&self.0)
    }

    fn short(&self) -> String {
        self.0.chars().take(SHORT).collect()
    }
}

impl fmt::Display for TypedFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose keys shall be replaced, and by which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKeys {
    /// Whose.
    pub name: Name,
    /// What they read aloud of the new ones.
    pub fingerprint: TypedFingerprint,
}

/// What names no new keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("new keys are NAME=FINGERPRINT, the fingerprint with 16 to 64 hexadecimal digits")]
pub struct NoNewKeys;

impl NewKeys {
    /// Reads `NAME=FINGERPRINT`.
    ///
    /// # Errors
    /// [`NoNewKeys`].
    pub fn parse(text: &str) -> Result<Self, NoNewKeys> {
        let (name, fingerprint) = text.split_once('=').ok_or(NoNewKeys)?;
        Ok(Self {
            name: Name::new(name).map_err(|_| NoNewKeys)?,
            fingerprint: TypedFingerprint::parse(fingerprint).ok_or(NoNewKeys)?,
        })
    }
}

/// Where the card of new keys lies in the shared folder.
pub(crate) fn card_file(name: &Name, short: &str) -> [String; 2] {
    ["members".into(), format!("{name}-{short}.cbor")]
}

impl Workspace {
    /// The card of these new keys.
    ///
    /// # Errors
    /// [`StepError::NewKeysMissing`]; [`StepError::CardSignature`]; [`StepError::CardOfAnother`];
    /// [`StepError::NewKeysDiffer`] where the card is of another key than was read aloud.
    pub fn new_card(&self, wanted: &NewKeys) -> Result<MemberCard, CeremonyError> {
        let name = &wanted.name;
        let found = self.find_new_card(name, &wanted.fingerprint.short())?;
        let card = found.ok_or_else(|| StepError::NewKeysMissing {
            name: name.clone(),
            fingerprint: wanted.fingerprint.clone(),
        })?;
        let card = card
            .verify_self()
            .map_err(|_| StepError::CardSignature { name: name.clone() })?;
        if card.name != *name {
            return Err(StepError::CardOfAnother {
                expected: name.clone(),
                found: card.name.clone(),
            }
            .into());
        }
        let found = KeyFingerprint::of(&card.signing_key);
        if !wanted.fingerprint.begins(&found) {
            return Err(StepError::NewKeysDiffer {
                name: name.clone(),
                given: wanted.fingerprint.clone(),
                found,
            }
            .into());
        }
        Ok(card.clone())
    }

    /// The card at that place as it lies there, not verified.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub(crate) fn find_new_card(
        &self,
        name: &Name,
        short: &str,
    ) -> Result<Option<Signed<MemberCard>>, CeremonyError> {
        let [folder, file] = card_file(name, short);
        self.find(&[&folder, &file])
    }

    /// Writes the card of new keys beside that of the old ones.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub(crate) fn publish_new_card(
        &self,
        card: &Signed<MemberCard>,
    ) -> Result<Published, StorageError> {
        let fields = card.unverified();
        let short = KeyFingerprint::of(&fields.signing_key).short();
        let [folder, file] = card_file(&fields.name, &short);
        self.folder().publish(&[&folder, &file], &to_bytes(card))
    }
}

/// Whether each member whose keys are replaced has put a card of the new ones into the folder: so the
/// fingerprint that people compare, which is of the signing key, speaks for the encryption key too.
///
/// # Errors
/// As [`Workspace::new_card`]; [`StepError::NewKeysNotCard`] where the manifest names another encryption
/// key than the card.
pub(crate) fn check_cards(
    workspace: &Workspace,
    definition: &Definition,
    before: Option<&Manifest>,
    after: &Manifest,
) -> Result<(), CeremonyError> {
    let (manifest_set, share_set) = match before {
        Some(before) => (&before.manifest_set, &before.share_set),
        None => (&definition.manifest_set, &definition.share_set),
    };
    let pairs: [(&MemberSet, &MemberSet); 2] = [
        (manifest_set, &after.manifest_set),
        (share_set, &after.share_set),
    ];
    for (was, is) in pairs {
        for member in &is.members {
            let Some(old) = was.named(&member.name) else {
                continue;
            };
            if (old.signing_key, &old.encryption_key)
                == (member.signing_key, &member.encryption_key)
            {
                continue;
            }
            let name = member.name.clone();
            let whole = KeyFingerprint::of(&member.signing_key).to_string();
            let card = workspace.new_card(&NewKeys {
                name: name.clone(),
                fingerprint: TypedFingerprint(whole),
            })?;
            if card.encryption_key != member.encryption_key {
                return Err(StepError::NewKeysNotCard { name }.into());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
