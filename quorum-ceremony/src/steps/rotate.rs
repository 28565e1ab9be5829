//! `rotate`: the coordinator writes a manifest that changes people and nothing else.
//!
//! It brings in another manifest set, the shares and holders of a completed resharing, or new keys of who
//! has a seat;
//! what may run, and what the key may be forwarded to, stay as they are. Who approves it is the
//! chain's matter: the manifest set before it always, the new one where it is another, the holders
//! before it where shares or holders are others.
//!
//! A command that was interrupted is repeated: the manifest that it wrote and that waits for approvals is
//! its own, if it is what the same plan makes; and so is the resharing that it put beside the place, though
//! more receipts may have come since.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::Checked;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::{Link, Manifest, ManifestFields, Validity};
use quorate_protocol::members::MemberSetFields;
use quorate_protocol::reshare::CompletedReshare;
use quorate_verify::chain::{ChainError, Successor, VerifiedChain, check_successor_at, walk_at};
use quorate_verify::genesis::VerifiedGenesis;

mod rekey;

use super::manifest::validity;
use super::reshare::seats;
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::rekey::NewKeys;
use crate::workspace::Workspace;

/// What the coordinator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who approves manifests from then on; as before if absent. Who has a seat keeps it.
    pub manifest_members: Option<Vec<Name>>,
    /// How many of them must; as before if absent.
    pub manifest_threshold: Option<u8>,
    /// Whether, and by which order, the shares are others.
    pub reshare: Reshared,
    /// Whose keys are replaced, by the cards of their new ones. Each has a seat, so there are no more of
    /// them than seats. Holders of a resharing keep the keys of its order.
    pub new_keys: Vec<NewKeys>,
    /// For how many days from now the manifest may boot.
    pub valid_days: u32,
}

/// Where the shares come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reshared {
    /// They stay.
    Keep,
    /// From the newest order in the folder.
    Newest,
    /// From the order of this number.
    Order(u64),
}

/// A manifest that waits for approvals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The manifest.
    pub manifest: Manifest,
    /// Its digest.
    pub digest: Digest<Manifest>,
    /// The manifest it follows.
    pub before: Manifest,
    /// What it changes.
    pub successor: Successor,
    /// The definition of its namespace.
    pub definition: Definition,
    /// Names under which the folder has something else than a receipt of that resharing.
    pub ignored: Vec<Name>,
}

/// The next manifest, checked and not yet written.
#[derive(Debug)]
pub struct Prepared {
    workspace: Workspace,
    completed: Option<CompletedReshare>,
    rotated: Rotated,
}

/// Writes the next manifest.
///
/// # Errors
/// As [`prepare`]; [`StorageError`](crate::storage::StorageError).
pub fn propose(folder: &Path, plan: &Plan) -> Result<Rotated, CeremonyError> {
    prepare(folder, plan)?.publish()
}

impl Prepared {
    /// What would be written.
    #[must_use]
    pub const fn rotated(&self) -> &Rotated {
        &self.rotated
    }

    /// Writes it, after the resharing that it names.
    ///
    /// # Errors
    /// [`StorageError`](crate::storage::StorageError).
    pub fn publish(self) -> Result<Rotated, CeremonyError> {
        let manifest = &self.rotated.manifest;
        if let Some(completed) = &self.completed {
            self.workspace
                .publish_reshare_of(manifest.sequence, completed)?;
        }
        self.workspace.publish_manifest(manifest)?;
        Ok(self.rotated)
    }
}

/// Makes the next manifest and checks that it follows. Nothing is written.
///
/// # Errors
/// [`StepError::ManifestPending`] if the newest manifest is not approved;
/// [`StepError::NothingToRotate`]; a resharing that is not completed, or was ordered under another
/// manifest than the newest; people without a card; new keys that cannot be named.
pub fn prepare(folder: &Path, plan: &Plan) -> Result<Prepared, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let (completed, ignored) = match plan.reshare {
        Reshared::Keep => (None, Vec::new()),
        Reshared::Newest => completed(&workspace, None)?,
        Reshared::Order(number) => completed(&workspace, Some(number))?,
    };
    let asked = Asked {
        workspace: &workspace,
        genesis: &genesis,
        plan,
        completed,
    };
    let (before, made) = match walk_at(&genesis, &links, wall_clock()) {
        Ok(chain) => {
            let made = asked.next(&links, &chain, validity(wall_clock(), plan.valid_days)?)?;
            (chain.manifest().clone(), made)
        }
        Err(
            ChainError::Threshold { sequence, .. } | ChainError::SurrogateExpired { sequence, .. },
        ) => asked.again(&links, sequence)?,
        Err(error) => return Err(error.into()),
    };
    let Made {
        manifest,
        completed,
        successor,
    } = made;
    Ok(Prepared {
        workspace,
        completed,
        rotated: Rotated {
            digest: Digest::of(&manifest),
            before,
            definition: genesis.definition().clone(),
            successor,
            manifest,
            ignored,
        },
    })
}

fn completed(
    workspace: &Workspace,
    number: Option<u64>,
) -> Result<(Option<CompletedReshare>, Vec<Name>), CeremonyError> {
    let (number, _) = workspace.order(number)?;
    let (completed, ignored) = workspace.completed_reshare(number)?;
    Ok((Some(completed), ignored))
}

/// What the coordinator asks for, and the resharing as the folder has it now.
struct Asked<'a> {
    workspace: &'a Workspace,
    genesis: &'a VerifiedGenesis,
    plan: &'a Plan,
    completed: Option<CompletedReshare>,
}

/// A manifest that follows, with the resharing that it names.
struct Made {
    manifest: Manifest,
    completed: Option<CompletedReshare>,
    successor: Successor,
}

impl Asked<'_> {
    /// The manifest after an approved chain, which is that of `links`.
    fn next(
        &self,
        links: &[Link],
        chain: &VerifiedChain,
        validity: Validity,
    ) -> Result<Made, CeremonyError> {
        let mut refused = None;
        for completed in self.choices(chain.sequence().saturating_add(1)) {
            let validity = validity.clone();
            let manifest = next(
                self.workspace,
                chain,
                self.plan,
                completed.as_ref(),
                validity,
            )?;
            let checked = check_successor_at(
                self.genesis,
                links,
                &manifest,
                completed.as_ref(),
                wall_clock(),
            );
            match checked {
                Ok(successor) => {
                    return Ok(Made {
                        manifest,
                        completed,
                        successor,
                    });
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.map_or(StepError::NothingToRotate.into(), Into::into))
    }

    /// The resharing: first as it lies beside that manifest's place already, where it is the same one.
    fn choices(&self, sequence: u64) -> Vec<Option<CompletedReshare>> {
        let mut choices = Vec::new();
        if let Some(completed) = &self.completed
            && let Ok(Some(kept)) = self.workspace.find_reshare_of(sequence)
            && kept.reshare == completed.reshare
        {
            choices.push(Some(*kept));
        }
        choices.push(self.completed.clone());
        choices
    }

    /// The manifest that waits for approvals, if this plan makes it.
    fn again(&self, links: &[Link], sequence: u64) -> Result<(Manifest, Made), CeremonyError> {
        let pending = StepError::ManifestPending { sequence };
        let Some((last, before)) = links.split_last() else {
            return Err(pending.into());
        };
        let known = &last.manifest;
        let lasts = |validity: &Validity| validity.not_after.0.checked_sub(validity.not_before.0);
        let wanted = validity(wall_clock(), self.plan.valid_days)?;
        if known.sequence != sequence || lasts(&known.validity) != lasts(&wanted) {
            return Err(pending.into());
        }
        let Ok(chain) = walk_at(self.genesis, before, wall_clock()) else {
            return Err(pending.into());
        };
        match self.next(before, &chain, known.validity.clone()) {
            Ok(made) if made.manifest == *known => Ok((chain.manifest().clone(), made)),
            _ => Err(pending.into()),
        }
    }
}

/// The manifest that follows a chain, with other people.
fn next(
    workspace: &Workspace,
    chain: &VerifiedChain,
    plan: &Plan,
    completed: Option<&CompletedReshare>,
    validity: Validity,
) -> Result<Manifest, CeremonyError> {
    let before = chain.manifest();
    let changed = chain.links().last().is_some_and(|link| {
        link.successor.changes_manifest_set || link.successor.changes_share_set
    });
    let mut fields = ManifestFields {
        sequence: chain.sequence().saturating_add(1),
        previous: Some(chain.digest()),
        last_set_change: match changed {
            true => Some(chain.digest()),
            false => before.last_set_change,
        },
        validity,
        ..(**before).clone()
    };
    if let Some(completed) = completed {
        fields.commitments = completed.reshare.record.unverified().commitments.clone();
        fields.epoch = fields.commitments.epoch();
        fields.share_set = completed.reshare.order.share_set.clone();
    }
    if plan.manifest_members.is_some() || plan.manifest_threshold.is_some() {
        let present = &before.manifest_set;
        let members = match &plan.manifest_members {
            Some(names) => seats(workspace, names, present, &[&fields.share_set])?,
            None => present.members.clone(),
        };
        let set = MemberSetFields {
            threshold: plan.manifest_threshold.unwrap_or(present.threshold),
            members,
        };
        fields.manifest_set = Checked::new(set).map_err(StepError::ManifestInvalid)?;
    }
    rekey::take(workspace, &plan.new_keys, before, &mut fields)?;
    let same =
        (&fields.manifest_set, &fields.share_set) == (&before.manifest_set, &before.share_set);
    if completed.is_none() && same {
        return Err(StepError::NothingToRotate.into());
    }
    Ok(Checked::new(fields).map_err(StepError::ManifestInvalid)?)
}
