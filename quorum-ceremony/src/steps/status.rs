//! `status`: how far a ceremony is, from the folder, and what an enclave says of itself. A resharing:
//! `status/resharing.rs`.
//!
//! Nothing is decided here. What the folder shows is what anyone could have written into it, and
//! what is shown as given has been checked as far as that goes without pins; what the enclave says
//! is a claim.

mod resharing;

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::Role;
use quorate_protocol::message::Status;
use quorate_verify::chain::{ChainError, walk_at};
use quorate_verify::genesis::{VerifiedGenesis, check_output};

use super::drill::{self, LastDrill};
use crate::address::Address;
use crate::challenge::wall_clock;
use crate::client::Client;
use crate::error::CeremonyError;
use crate::workspace::{IgnoredApproval, Workspace};

pub use self::resharing::{Gathered, Made, Replaced, Resharing, State};

/// How far a ceremony is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The definition, once it is there.
    pub definition: Option<Definition>,
    /// People whose consent to it is missing or not theirs.
    pub without_consent: Vec<Name>,
    /// The namespace, once a genesis was held.
    pub genesis: Option<Digest<Genesis>>,
    /// Holders whose receipt is missing.
    pub without_receipt: Vec<Name>,
    /// Whether the record is there and holds.
    pub record: bool,
    /// Every manifest from the first on.
    pub manifests: Vec<ManifestProgress>,
    /// Approval files that are not their member's.
    pub ignored: Vec<IgnoredApproval>,
    /// The newest order of a resharing, if there is one.
    pub resharing: Option<Resharing>,
    /// Shares that the last resharing replaced, if one did.
    pub replaced: Option<Replaced>,
    /// What the enclave says, if one was asked.
    pub enclave: Option<Status>,
    /// The newest drill that holds, if one was held.
    pub drill: Option<LastDrill>,
    /// The command that comes next.
    pub next: Next,
}

/// How far one manifest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestProgress {
    /// The manifest.
    pub manifest: Manifest,
    /// Its digest.
    pub digest: Digest<Manifest>,
    /// Who approved it, and in which role.
    pub approvals: Vec<(Name, Role)>,
    /// For whom surrogates approved it: the member, the surrogate, the role.
    pub surrogates: Vec<(Name, Name, Role)>,
    /// Whether the chain up to it is approved.
    pub approved: bool,
}

/// What a ceremony waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Members join; then the coordinator defines.
    Define,
    /// Members consent.
    Consent,
    /// The coordinator holds the genesis.
    Genesis,
    /// Members verify and acknowledge.
    Receipt,
    /// The coordinator writes the first manifest.
    Manifest,
    /// Members approve.
    Approve,
    /// The coordinator boots; members provision.
    Boot,
    /// Members of the present sets consent to an order.
    ReshareSign,
    /// The coordinator has the enclave carry it out.
    ReshareRun,
    /// Its new holders verify and acknowledge.
    ReshareReceipt,
    /// The coordinator writes the manifest that names the new shares.
    Rotate,
}

impl Next {
    /// The command.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Define => "define",
            Self::Consent => "consent",
            Self::Genesis => "genesis",
            Self::Receipt => "receipt",
            Self::Manifest => "manifest",
            Self::Approve => "approve",
            Self::Boot => "boot",
            Self::ReshareSign => "reshare sign",
            Self::ReshareRun => "reshare run",
            Self::ReshareReceipt => "reshare receipt",
            Self::Rotate => "rotate --reshare",
        }
    }
}

/// Reads the folder and, if a socket is given, asks the enclave.
///
/// # Errors
/// A folder or file that cannot be read; an enclave that does not answer.
pub fn read(folder: &Path, socket: Option<&Address>) -> Result<Progress, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let mut progress = Progress {
        definition: workspace.find_definition()?,
        without_consent: Vec::new(),
        genesis: None,
        without_receipt: Vec::new(),
        record: false,
        manifests: Vec::new(),
        ignored: Vec::new(),
        resharing: None,
        replaced: None,
        enclave: socket
            .map(|socket| Client::connect(socket)?.status())
            .transpose()?,
        drill: None,
        next: Next::Define,
    };
    let Some(definition) = progress.definition.clone() else {
        return Ok(progress);
    };
    consents(&workspace, &definition, &mut progress)?;
    receipts(&workspace, &definition, &mut progress)?;
    if let Some(genesis) = manifests(&workspace, &mut progress)? {
        progress.resharing = resharing::read(&workspace, &genesis, &progress.manifests)?;
        progress.replaced = resharing::replaced(&workspace, &genesis, &progress.manifests)?;
    }
    progress.next = next(&progress);
    Ok(progress)
}

fn consents(
    workspace: &Workspace,
    definition: &Definition,
    progress: &mut Progress,
) -> Result<(), CeremonyError> {
    let digest = Digest::of(definition);
    let consents = workspace.consents(definition)?;
    progress.without_consent = definition
        .people()
        .into_iter()
        .filter(|person| {
            !consents.iter().any(|consent| {
                consent.unverified().member == person.name
                    && consent.unverified().definition == digest
                    && consent.verify(&person.signing_key).is_ok()
            })
        })
        .map(|person| person.name.clone())
        .collect();
    Ok(())
}

fn receipts(
    workspace: &Workspace,
    definition: &Definition,
    progress: &mut Progress,
) -> Result<(), CeremonyError> {
    let Some(output) = workspace.find_output()? else {
        return Ok(());
    };
    let genesis = Digest::of(&check_output(definition, &output)?);
    progress.genesis = Some(genesis);
    let receipts = workspace.receipts(definition)?;
    progress.without_receipt = definition
        .share_set
        .members
        .iter()
        .filter(|person| {
            !receipts.iter().any(|receipt| {
                receipt.unverified().index == person.index
                    && receipt.unverified().genesis == genesis
                    && receipt.verify(&person.signing_key).is_ok()
            })
        })
        .map(|person| person.name.clone())
        .collect();
    Ok(())
}

fn manifests(
    workspace: &Workspace,
    progress: &mut Progress,
) -> Result<Option<VerifiedGenesis>, CeremonyError> {
    let Some(record) = workspace.find_record()? else {
        return Ok(None);
    };
    let genesis = VerifiedGenesis::from_record(record)?;
    progress.record = true;
    let found = workspace.links(genesis.definition(), None)?;
    progress.ignored = found.ignored;
    progress.drill = drill::newest(workspace, &genesis, &found.links)?;
    let approved = match walk_at(&genesis, &found.links, wall_clock()) {
        Ok(chain) => chain.sequence(),
        Err(
            ChainError::Threshold { sequence, .. } | ChainError::SurrogateExpired { sequence, .. },
        ) => sequence.saturating_sub(1),
        Err(ChainError::Empty) => 0,
        Err(error) => return Err(error.into()),
    };
    let definition = genesis.definition();
    let mut before = (
        definition.manifest_set.clone(),
        definition.share_set.clone(),
    );
    for link in found.links {
        // Those before approve, and of the approvers those who are new besides.
        let (manifest_set, share_set) = &before;
        let approvals = link.approvals.iter().filter_map(|approval| {
            let claim = approval.unverified();
            let sets = match claim.role {
                Role::ManifestSet => vec![manifest_set, &link.manifest.manifest_set],
                Role::ShareSet => vec![share_set],
            };
            let mut people = sets.into_iter().filter_map(|set| set.member(claim.index));
            people
                .find(|person| approval.verify(&person.signing_key).is_ok())
                .map(|person| (person.name.clone(), claim.role))
        });
        let mut approvals: Vec<(Name, Role)> = approvals.collect();
        let acting = link.surrogates.iter().map(|acting| {
            let delegation = acting.delegation.unverified();
            let role = acting.approval.unverified().role;
            (
                delegation.member.clone(),
                delegation.surrogate.clone(),
                role,
            )
        });
        let surrogates: Vec<_> = acting.collect();
        approvals.extend(
            surrogates
                .iter()
                .map(|(member, _, role)| (member.clone(), *role)),
        );
        before = (
            link.manifest.manifest_set.clone(),
            link.manifest.share_set.clone(),
        );
        progress.manifests.push(ManifestProgress {
            approvals,
            surrogates,
            digest: Digest::of(&link.manifest),
            approved: link.manifest.sequence <= approved,
            manifest: link.manifest,
        });
    }
    Ok(Some(genesis))
}

impl Resharing {
    /// The command that it waits for, while it is under way.
    #[must_use]
    pub fn next(&self) -> Option<Next> {
        match (self.state, &self.made) {
            (State::Open, _) if self.approvers.missing().max(self.holders.missing()) > 0 => {
                Some(Next::ReshareSign)
            }
            // The enclave gives the same answer again, and says which file is in its place.
            (State::Open | State::AnswerWrong, _) => Some(Next::ReshareRun),
            (State::Made, Some(made)) if made.receipts.missing() > 0 => Some(Next::ReshareReceipt),
            (State::Made, _) => Some(Next::Rotate),
            _ => None,
        }
    }
}

fn next(progress: &Progress) -> Next {
    if progress.definition.is_none() {
        Next::Define
    } else if progress.genesis.is_none() && !progress.without_consent.is_empty() {
        Next::Consent
    } else if progress.genesis.is_none() {
        Next::Genesis
    } else if !progress.record && !progress.without_receipt.is_empty() {
        Next::Receipt
    } else {
        match progress.manifests.last() {
            None => Next::Manifest,
            Some(newest) if !newest.approved => Next::Approve,
            Some(_) => {
                let open = progress.resharing.as_ref();
                open.and_then(Resharing::next).unwrap_or(Next::Boot)
            }
        }
    }
}

#[cfg(test)]
mod tests;
