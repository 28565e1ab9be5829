//! `new`: the coordinator begins a ceremony: a shared folder with its plan.
//!
//! Nothing is trusted because of it. What the plan says becomes the definition, and that is what the
//! members compare by voice and sign.

use std::path::Path;

use quorate_protocol::atoms::{Name, Sha256};
use quorate_protocol::definition::{AgeLimit, Measurements};
use quorate_verify::attestation::TrustAnchor;

use super::define;
use crate::error::CeremonyError;
use crate::plan::{CeremonyId, CeremonyPlan, MeasurementsSource};
use crate::random;
use crate::storage::Published;
use crate::workspace::Workspace;

/// A ceremony that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its plan.
    pub plan: CeremonyPlan,
    /// Whether it was there already.
    pub published: Published,
    /// Whether it is under a development root.
    pub development: bool,
}

/// What somebody wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
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

impl Wanted {
    /// The plan of it, under a new id.
    ///
    /// # Errors
    /// A threshold or list no definition can have.
    pub fn plan(&self) -> Result<CeremonyPlan, CeremonyError> {
        define::check_numbers(
            &self.members,
            self.manifest_members.as_deref(),
            self.share_threshold,
            self.manifest_threshold,
        )?;
        Ok(CeremonyPlan {
            id: CeremonyId(*random::bytes::<16>()?),
            namespace: self.namespace.clone(),
            members: self.members.clone(),
            manifest_members: self.manifest_members.clone(),
            share_threshold: self.share_threshold,
            manifest_threshold: self.manifest_threshold,
            age_limit: self.age_limit,
            partition: self.root.partition(),
            root: Sha256(*self.root.fingerprint()),
            measurements: MeasurementsSource::Here(Box::new(self.measurements.clone())),
        })
    }
}

/// Makes the folder and writes the plan. A plan that is there and says the same is kept, with its id.
///
/// # Errors
/// [`StorageError::Differs`](crate::storage::StorageError::Differs) if the folder has another plan.
pub fn begin(folder: &Path, wanted: &Wanted) -> Result<Begun, CeremonyError> {
    let mut plan = wanted.plan()?;
    let workspace = Workspace::create(folder)?;
    if let Some(known) = workspace.find_plan()? {
        // Written in part or in whole before: the id was drawn then.
        plan.id = known.id;
    }
    let published = workspace.publish_plan(&plan, &wanted.root)?;
    Ok(Begun {
        development: plan.partition == quorate_verify::attestation::Partition::Development,
        plan,
        published,
    })
}

#[cfg(test)]
mod tests;
