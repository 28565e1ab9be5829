//! New keys of members who keep their seats.
//!
//! Guarantees: name, index and thresholds stay; what replaces the keys is the card with the fingerprint
//! that was given, in every set in which the member sits; a key of somebody else is refused.
//!
//! Does not: decide whether the member asked for it. Those who approve hear that from the member.

use quorate_protocol::card::MemberCard;
use quorate_protocol::cbor::Checked;
use quorate_protocol::manifest::{Manifest, ManifestFields};
use quorate_protocol::members::MemberSet;

use crate::error::{CeremonyError, StepError};
use crate::rekey::NewKeys;
use crate::workspace::Workspace;

/// Puts new keys into both sets of a manifest.
///
/// # Errors
/// [`StepError::NewKeysTwice`]; [`StepError::NewKeysWithoutSeat`]; what
/// [`Workspace::new_card`] refuses; [`StepError::NewKeysOfAnother`].
pub(super) fn take(
    workspace: &Workspace,
    wanted: &[NewKeys],
    before: &Manifest,
    fields: &mut ManifestFields,
) -> Result<(), CeremonyError> {
    // No file is read for a name without a seat, so there are as many at most as seats.
    for (at, new) in wanted.iter().enumerate() {
        let name = new.name.clone();
        if wanted.iter().take(at).any(|other| other.name == name) {
            return Err(StepError::NewKeysTwice { name }.into());
        }
        let sets = [&fields.manifest_set, &fields.share_set];
        if sets.iter().all(|set| set.named(&name).is_none()) {
            return Err(StepError::NewKeysWithoutSeat { name }.into());
        }
    }
    for new in wanted {
        let card = workspace.new_card(new)?;
        for set in [
            &before.manifest_set,
            &before.share_set,
            &fields.manifest_set,
            &fields.share_set,
        ] {
            check_own(&card, set)?;
        }
        fields.manifest_set = with(&fields.manifest_set, &card)?;
        fields.share_set = with(&fields.share_set, &card)?;
    }
    Ok(())
}

/// Whether neither key of a card is a key of another member.
fn check_own(card: &MemberCard, set: &MemberSet) -> Result<(), StepError> {
    let keys = [
        card.signing_key.to_compressed(),
        card.encryption_key.to_compressed(),
    ];
    let mut others = set.members.iter().filter(|other| other.name != card.name);
    let known = others.find(|other| {
        keys.contains(&other.signing_key.to_compressed())
            || keys.contains(&other.encryption_key.to_compressed())
    });
    match known {
        None => Ok(()),
        Some(other) => Err(StepError::NewKeysOfAnother {
            name: card.name.clone(),
            other: other.name.clone(),
        }),
    }
}

/// A set in which the member of that name has the keys of the card.
fn with(set: &MemberSet, card: &MemberCard) -> Result<MemberSet, StepError> {
    let mut fields = (**set).clone();
    for member in &mut fields.members {
        if member.name == card.name {
            member.signing_key = card.signing_key;
            member.encryption_key = card.encryption_key.clone();
        }
    }
    Checked::new(fields).map_err(StepError::ManifestInvalid)
}

#[cfg(test)]
mod tests;
