//! `define`: the coordinator puts the cards together into the definition everybody will sign.
//!
//! The coordinator is not trusted: each member compares the definition's fingerprint by voice and
//! finds their own keys in it before they consent.

use std::path::Path;

use quorate_protocol::atoms::{Name, Sha256, ShareIndex};
use quorate_protocol::card::MemberCard;
use quorate_protocol::cbor::Checked;
use quorate_protocol::definition::{
    AgeLimit, AttestationRoot, Definition, DefinitionFields, Measurements,
};
use quorate_protocol::digest::Digest;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::members::{Member, MemberSetFields};
use quorate_verify::attestation::TrustAnchor;

use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::storage::Published;
use crate::workspace::Workspace;

/// What the coordinator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What people call the namespace.
    pub namespace: Name,
    /// Who holds shares, in the order of their indices.
    pub members: Vec<Name>,
    /// Who approves manifests; everybody of `members` if none are given.
    pub manifest_members: Option<Vec<Name>>,
    /// How many must approve a manifest.
    pub manifest_threshold: u8,
    /// How many shares open the key.
    pub share_threshold: u8,
    /// For how long an attestation is good to members.
    pub age_limit: AgeLimit,
    /// The only root under which this namespace will ever live.
    pub root: TrustAnchor,
    /// What the genesis enclave measures as.
    pub measurements: Measurements,
}

/// What was defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defined {
    /// The definition.
    pub definition: Definition,
    /// Its digest, to be read aloud.
    pub fingerprint: Digest<Definition>,
    /// Whether it was there already.
    pub published: Published,
}

impl Plan {
    /// What the plan in a ceremony's folder asks for.
    ///
    /// # Errors
    /// No plan, or one that cannot be used.
    pub fn of_workspace(folder: &Path) -> Result<Self, CeremonyError> {
        let workspace = Workspace::open(folder)?;
        let plan = workspace.plan()?;
        Ok(Self {
            root: workspace.planned_root(&plan)?,
            measurements: workspace.planned_measurements(&plan)?,
            namespace: plan.namespace,
            members: plan.members,
            manifest_members: plan.manifest_members,
            manifest_threshold: plan.manifest_threshold,
            share_threshold: plan.share_threshold,
            age_limit: plan.age_limit,
        })
    }
}

/// A definition that was made, and is not written yet.
#[derive(Debug)]
pub struct Drafted {
    workspace: Workspace,
    definition: Definition,
    root: TrustAnchor,
}

/// Makes the definition from the cards in the folder, and writes it.
///
/// # Errors
/// As [`draft`]; a different definition that is there already.
pub fn define(folder: &Path, plan: &Plan) -> Result<Defined, CeremonyError> {
    draft(folder, plan)?.publish()
}

impl Drafted {
    /// The definition.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Writes it.
    ///
    /// # Errors
    /// A different definition that is there already.
    pub fn publish(self) -> Result<Defined, CeremonyError> {
        let published = self
            .workspace
            .publish_definition(&self.definition, &self.root)?;
        Ok(Defined {
            fingerprint: Digest::of(&self.definition),
            definition: self.definition,
            published,
        })
    }
}

/// Makes the definition from the cards in the folder.
///
/// # Errors
/// A card that is missing or wrong; [`StepError::DefinitionInvalid`].
pub fn draft(folder: &Path, plan: &Plan) -> Result<Drafted, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let mut cards = Vec::new();
    let manifest_members = plan.manifest_members.iter().flatten();
    for name in plan.members.iter().chain(manifest_members) {
        if !cards.iter().any(|card: &MemberCard| card.name == *name) {
            cards.push(workspace.card(name)?);
        }
    }
    let definition = compose(plan, &cards)?;
    Ok(Drafted {
        workspace,
        definition,
        root: plan.root.clone(),
    })
}

/// Whether names and thresholds can make a definition, before anybody has a key.
pub(super) fn check_numbers(
    members: &[Name],
    manifest_members: Option<&[Name]>,
    share_threshold: u8,
    manifest_threshold: u8,
) -> Result<(), CeremonyError> {
    let approving = manifest_members.unwrap_or(members);
    for (list, threshold) in [(members, share_threshold), (approving, manifest_threshold)] {
        for (place, name) in list.iter().enumerate() {
            if list.iter().skip(place + 1).any(|other| other == name) {
                return Err(InputError::NameRepeated { name: name.clone() }.into());
            }
        }
        let count = list.len();
        if !(2..=255).contains(&count) {
            let (min, max, found) = (2, 255, count);
            let invalid = Invalid::ListLength { min, max, found };
            return Err(StepError::DefinitionInvalid(invalid).into());
        }
        if threshold < 2 || usize::from(threshold) > count {
            let members = count;
            let invalid = Invalid::Threshold { threshold, members };
            return Err(StepError::DefinitionInvalid(invalid).into());
        }
    }
    Ok(())
}

/// The definition of these cards. A person has one index in both sets: their place in `members`,
/// and after those the places of who only approves manifests.
fn compose(plan: &Plan, cards: &[MemberCard]) -> Result<Definition, CeremonyError> {
    let approving = plan.manifest_members.as_ref().unwrap_or(&plan.members);
    for list in [&plan.members, approving] {
        for (place, name) in list.iter().enumerate() {
            if list.iter().skip(place + 1).any(|other| other == name) {
                return Err(InputError::NameRepeated { name: name.clone() }.into());
            }
        }
    }
    let only_approving = approving.iter().filter(|name| !plan.members.contains(name));
    let order: Vec<&Name> = plan.members.iter().chain(only_approving).collect();
    let mut people = Vec::new();
    for (name, index) in order.into_iter().zip(1..=u8::MAX) {
        let card = cards.iter().find(|card| card.name == *name);
        let (Some(card), Some(index)) = (card, ShareIndex::new(index)) else {
            return Err(StepError::NotDefined { name: name.clone() }.into());
        };
        people.push(Member {
            name: name.clone(),
            index,
            signing_key: card.signing_key,
            encryption_key: card.encryption_key.clone(),
        });
    }
    let set = |threshold, names: &[Name]| {
        let members: Vec<Member> = people
            .iter()
            .filter(|person| names.contains(&person.name))
            .cloned()
            .collect();
        if members.len() != names.len() {
            // More people than indices.
            return Err(Invalid::ListLength {
                min: 2,
                max: 255,
                found: names.len(),
            });
        }
        Checked::new(MemberSetFields { threshold, members })
    };
    let invalid = StepError::DefinitionInvalid;
    let root = AttestationRoot {
        partition: Name::new(plan.root.partition().name()).map_err(invalid)?,
        fingerprint: Sha256(*plan.root.fingerprint()),
    };
    let fields = DefinitionFields {
        format: quorate_protocol::FORMAT,
        namespace: plan.namespace.clone(),
        manifest_set: set(plan.manifest_threshold, approving).map_err(invalid)?,
        share_set: set(plan.share_threshold, &plan.members).map_err(invalid)?,
        attestation_root: root,
        measurements: plan.measurements.clone(),
        age_limit: plan.age_limit,
    };
    Ok(Checked::new(fields).map_err(invalid)?)
}

#[cfg(test)]
mod tests;
