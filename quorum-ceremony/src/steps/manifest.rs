//! `manifest`: the coordinator puts the genesis record together and writes the next manifest.
//!
//! The first manifest follows the genesis; later ones keep sets, key and shares, and change what
//! runs. Members verify all of it before they approve.

use std::path::Path;

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{Definition, Measurements};
use quorate_protocol::digest::Digest;
use quorate_protocol::exception::GenesisException;
use quorate_protocol::forward::{ApprovalRule, ForwardPolicy};
use quorate_protocol::genesis::{GenesisOutput, GenesisReceipt, GenesisRecord};
use quorate_protocol::manifest::{Application, Link, Manifest, ManifestFields, Validity};
use quorate_sealing::Suite;
use quorate_verify::attestation::Freshness;
use quorate_verify::chain::{ChainError, check_successor_at, walk_at};
use quorate_verify::genesis::{VerifiedGenesis, check_output};
use quorate_verify::instance::verify_genesis_document;

use super::exception::{self, Receipts};
use crate::binary::BinaryFile;
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::inputs::{ApplicationSpec, InputError};
use crate::storage::Published;
use crate::workspace::Workspace;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long before now a manifest begins to be valid: clocks of enclave and coordinator differ.
const BACKDATED_MS: u64 = 60 * 60 * 1000;

/// What the coordinator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the image measures as.
    pub measurements: Measurements,
    /// What runs in it.
    pub applications: Vec<ApplicationSpec>,
    /// For how many days from now it may boot.
    pub valid_days: u32,
    /// Whether the key may be forwarded.
    pub forward: ForwardPlan,
}

/// What becomes of the forward policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardPlan {
    /// As in the manifest before; before the first, never.
    Keep,
    /// The key is never forwarded.
    Never,
    /// The key may be forwarded.
    For {
        /// For how many days from now.
        days: u32,
        /// When a successor needs approvals.
        approvals: ApprovalRule,
    },
}

/// A manifest that waits for approvals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The manifest.
    pub manifest: Manifest,
    /// Its digest.
    pub digest: Digest<Manifest>,
    /// The definition of its namespace.
    pub definition: Definition,
    /// What it would replace: the manifest before it; none for the first.
    pub before: Option<Manifest>,
    /// Whether the genesis record was put together now.
    pub record: Published,
}

/// A manifest that was made, and is not written yet.
#[derive(Debug)]
pub struct Prepared {
    workspace: Workspace,
    genesis: VerifiedGenesis,
    proposed: Proposed,
}

/// Puts the record together if all receipts are there, and writes the next manifest.
///
/// # Errors
/// Receipts that are missing or wrong; [`StepError::ManifestPending`] if the newest manifest is
/// not approved; [`StepError::ManifestInvalid`].
pub fn propose(folder: &Path, plan: &Plan) -> Result<Proposed, CeremonyError> {
    prepare(folder, plan)?.publish()
}

impl Prepared {
    /// What would be written.
    #[must_use]
    pub const fn proposed(&self) -> &Proposed {
        &self.proposed
    }

    /// Writes the record, if it is new, and the manifest.
    ///
    /// # Errors
    /// [`StorageError::Differs`](crate::storage::StorageError::Differs) if there is another one.
    pub fn publish(self) -> Result<Proposed, CeremonyError> {
        self.workspace.publish_record(self.genesis.record())?;
        self.workspace.publish_manifest(&self.proposed.manifest)?;
        Ok(self.proposed)
    }
}

/// Puts the record together if all receipts are there, and makes the next manifest.
///
/// # Errors
/// As [`propose`], but for what is written.
pub fn prepare(folder: &Path, plan: &Plan) -> Result<Prepared, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let (genesis, record) = record(&workspace)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let mut applications = Vec::new();
    for spec in &plan.applications {
        let binary = BinaryFile::open(&spec.binary.path)?;
        applications.push(spec.entry(binary.size(), binary.sha256()));
    }
    let validity = validity(wall_clock(), plan.valid_days)?;
    let parts = Parts {
        measurements: plan.measurements.clone(),
        applications,
        validity,
        forward: forward(wall_clock(), plan.forward, &links)?,
    };
    let manifest = match next(&genesis, &links, parts.clone()) {
        Err(CeremonyError::Step(StepError::ManifestPending { .. })) => {
            again(&genesis, &links, plan, parts)?
        }
        made => made?,
    };
    let before = links.iter().rev().find(|link| {
        let sequence = link.manifest.sequence;
        sequence < manifest.sequence
    });
    let proposed = Proposed {
        digest: Digest::of(&manifest),
        manifest,
        definition: genesis.definition().clone(),
        before: before.map(|link| link.manifest.clone()),
        record,
    };
    Ok(Prepared {
        workspace,
        genesis,
        proposed,
    })
}

/// The record of the folder, or the one its parts make, verified with its attestation.
fn record(workspace: &Workspace) -> Result<(VerifiedGenesis, Published), CeremonyError> {
    if let Some(record) = workspace.find_record()? {
        return Ok((
            VerifiedGenesis::from_record(record)?,
            Published::AlreadyThere,
        ));
    }
    let definition = workspace.definition()?;
    let output = workspace.output()?;
    let (receipts, exceptions) = receipts(workspace, &definition, &output)?;
    let record = GenesisRecord {
        consents: workspace.consents(&definition)?,
        document: workspace.genesis_document()?,
        receipts,
        exceptions,
        output,
        definition,
    };
    let genesis = VerifiedGenesis::from_record(record)?;
    let record = genesis.record();
    verify_genesis_document(
        record.document.as_slice(),
        genesis.definition(),
        genesis.genesis(),
        &workspace.anchors(genesis.definition())?,
        &Freshness::Archived { at_unix: None },
    )?;
    Ok((genesis, Published::Written))
}

type Finishing = (
    Vec<Signed<GenesisReceipt>>,
    Option<Vec<Signed<GenesisException>>>,
);

/// The receipts of the folder; where one is missing and others have signed exceptions, those, with
/// the receipts that count.
fn receipts(
    workspace: &Workspace,
    definition: &Definition,
    output: &GenesisOutput,
) -> Result<Finishing, CeremonyError> {
    let all = workspace.receipts(definition)?;
    let found = Receipts::of(workspace, definition, output)?;
    if found.missing.is_empty() {
        return Ok((all, None));
    }
    let genesis = Digest::of(&check_output(definition, output)?);
    let subject = (genesis, output.commitments.epoch());
    let exceptions = exception::signed(workspace, subject, &found.indices(), &found.given)?;
    if exceptions.is_empty() {
        // What is wrong or missing is named when the record is verified.
        return Ok((all, None));
    }
    let counts = |receipt: &Signed<GenesisReceipt>| {
        let index = receipt.unverified().index;
        found.given.iter().any(|person| person.index == index)
    };
    let receipts = all.into_iter().filter(counts).collect();
    Ok((receipts, Some(exceptions)))
}

pub(super) fn validity(now: UnixMillis, days: u32) -> Result<Validity, InputError> {
    Ok(Validity {
        not_before: UnixMillis(now.0.saturating_sub(BACKDATED_MS)),
        not_after: end(now, days, "the number of days")?,
    })
}

/// So many days from now.
fn end(now: UnixMillis, days: u32, what: &'static str) -> Result<UnixMillis, InputError> {
    let span = u64::from(days).checked_mul(DAY_MS).filter(|span| *span > 0);
    let end = span.and_then(|span| now.0.checked_add(span));
    end.map(UnixMillis).ok_or(InputError::Number { what })
}

fn forward(
    now: UnixMillis,
    plan: ForwardPlan,
    links: &[Link],
) -> Result<Option<ForwardPolicy>, InputError> {
    Ok(match plan {
        ForwardPlan::Keep => links.last().and_then(|link| link.manifest.forward.clone()),
        ForwardPlan::Never => None,
        ForwardPlan::For { days, approvals } => Some(ForwardPolicy {
            not_after: end(now, days, "the number of days for forwarding")?,
            approvals,
        }),
    })
}

/// The manifest that waits for approvals, if it is the very one that is asked for: then the command
/// is repeated, and only the clock has moved.
fn again(
    genesis: &VerifiedGenesis,
    links: &[Link],
    plan: &Plan,
    parts: Parts,
) -> Result<Manifest, CeremonyError> {
    let Some((pending, before)) = links.split_last() else {
        return next(genesis, links, parts);
    };
    let known = &pending.manifest;
    let span = |v: &Validity| v.not_after.0.saturating_sub(v.not_before.0);
    let same_span = span(&known.validity) == span(&parts.validity);
    let same_forward = match plan.forward {
        ForwardPlan::For { approvals, .. } => known
            .forward
            .as_ref()
            .is_some_and(|policy| policy.approvals == approvals),
        ForwardPlan::Keep | ForwardPlan::Never => true,
    };
    let forward = match plan.forward {
        ForwardPlan::For { .. } => known.forward.clone(),
        kind => forward(wall_clock(), kind, before)?,
    };
    let made = next(
        genesis,
        before,
        Parts {
            validity: known.validity.clone(),
            forward,
            ..parts
        },
    )?;
    if same_span && same_forward && made == *known {
        return Ok(made);
    }
    let sequence = known.sequence;
    Err(StepError::ManifestPending { sequence }.into())
}

/// What a new manifest brings.
#[derive(Clone)]
struct Parts {
    measurements: Measurements,
    applications: Vec<Application>,
    validity: Validity,
    forward: Option<ForwardPolicy>,
}

/// The manifest that follows an approved chain.
fn next(
    genesis: &VerifiedGenesis,
    links: &[Link],
    parts: Parts,
) -> Result<Manifest, CeremonyError> {
    let Parts {
        measurements,
        mut applications,
        validity,
        forward,
    } = parts;
    applications.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some([twice, _]) = applications
        .array_windows::<2>()
        .find(|[a, b]| a.name == b.name)
    {
        return Err(InputError::NameRepeated {
            name: twice.name.clone(),
        }
        .into());
    }
    let commitments = genesis.commitments().clone();
    let definition = genesis.definition();
    let mut fields = ManifestFields {
        format: quorate_protocol::FORMAT,
        genesis: genesis.digest(),
        sequence: 1,
        previous: None,
        last_set_change: None,
        quorum_key: *genesis.quorum_key(),
        epoch: genesis.epoch(),
        commitments,
        measurements,
        applications,
        manifest_set: definition.manifest_set.clone(),
        share_set: definition.share_set.clone(),
        validity,
        suites: vec![Suite::P256Sha256Aes256Gcm.id()],
        forward,
    };
    if !links.is_empty() {
        let chain = walk_at(genesis, links, wall_clock()).map_err(|error| match error {
            ChainError::Threshold { sequence, .. }
            | ChainError::SurrogateExpired { sequence, .. } => {
                CeremonyError::Step(StepError::ManifestPending { sequence })
            }
            error => error.into(),
        })?;
        let (digest, last) = (chain.digest(), chain.manifest());
        let changed = chain.links().last().is_some_and(|link| {
            link.successor.changes_manifest_set || link.successor.changes_share_set
        });
        fields.sequence = chain.sequence().saturating_add(1);
        fields.previous = Some(digest);
        fields.last_set_change = if changed {
            Some(digest)
        } else {
            last.last_set_change
        };
        fields.manifest_set = last.manifest_set.clone();
        fields.share_set = last.share_set.clone();
        fields.commitments = last.commitments.clone();
        fields.epoch = last.epoch;
    }
    let manifest = Checked::new(fields).map_err(StepError::ManifestInvalid)?;
    check_successor_at(genesis, links, &manifest, None, wall_clock())?;
    Ok(manifest)
}

#[cfg(test)]
mod tests;
