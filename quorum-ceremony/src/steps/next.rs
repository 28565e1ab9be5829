//! `next`: whose turn it is, and what exactly they run.
//!
//! Reads the folders, asks the enclave that the folder names, and changes nothing: no step is run by
//! itself. With a private folder everything is compared with the member's pins first, so that nobody
//! is sent on in a folder that differs from what they agreed to.
//!
//! A resharing that an order under the newest manifest has begun is named step by step, to the end: who
//! holds a share that a manifest has replaced is told to destroy it, after everything else, and as long
//! as their private folder or the missing word in the shared one says so.
//!
//! Does not: vouch for the others. That somebody's file is missing says nothing about why.

mod carried;
mod drills;
mod reshares;

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Genesis, GenesisOutput};
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::Role;
use quorate_protocol::message::{Phase, Status};
use quorate_verify::chain::check_successor_at;
use quorate_verify::genesis::{VerifiedGenesis, check_output};

use super::exception::{self, Receipts};
use super::status::{self, Progress};
use super::{Member, attest};
use crate::address::Address;
use crate::challenge::wall_clock;
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::storage::StorageError;
use crate::workspace::{EnclaveRole, Workspace};

/// A step somebody can take now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Who.
    pub who: Who,
    /// The step, as its command is called.
    pub step: &'static str,
}

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever puts the ceremony together. Anybody can.
    Coordinator,
    /// This member.
    Member(Name),
    /// As many as are missing of those named.
    AnyOf {
        /// How many.
        missing: usize,
        /// Who could.
        names: Vec<Name>,
    },
}

/// Where a ceremony stands, for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who asks; none without a private folder that has joined.
    pub you: Option<Name>,
    /// What they can do now; nothing if they have to wait.
    pub yours: Option<&'static str>,
    /// Everything that can be done now.
    pub due: Vec<Due>,
    /// Whether holders could finish the genesis without those whose receipt is missing.
    pub exception: bool,
    /// Where the enclave is said to be that was asked.
    pub enclave: Option<Address>,
    /// Why it did not answer, if it did not.
    pub silent: bool,
    /// How far the ceremony is.
    pub progress: Progress,
}

/// Reads the folders and asks the enclave they name.
///
/// # Errors
/// A folder or file that cannot be read; anything that differs from the member's pins.
pub fn read(
    folder: &Path,
    private: Option<&Path>,
    socket: Option<&Address>,
) -> Result<Turn, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let progress = status::read(folder, None)?;
    let member = private.map(open).transpose()?.flatten();
    if let Some(member) = &member {
        compare(&workspace, member, &progress)?;
    }
    let mut turn = Turn {
        you: member.as_ref().map(|member| member.pins.name().clone()),
        yours: None,
        due: Vec::new(),
        exception: false,
        enclave: None,
        silent: false,
        progress,
    };
    find(&workspace, socket, &mut turn)?;
    turn.due
        .extend(carried::errand(&workspace, &turn.progress)?);
    turn.yours = match (yours(member.as_ref(), &turn), &member) {
        (None, Some(member)) => in_place(&workspace, member, &turn)?,
        (own, _) => own,
    };
    if let Some(member) = &member {
        match carried::own(&workspace, member)? {
            carried::Own::No => {}
            carried::Own::Waits => turn.yours = None,
            carried::Own::GoOn(step) => turn.yours = Some(step),
        }
    }
    Ok(turn)
}

/// Stops where a folder's definition or genesis is not the one this member pinned: for steps of a
/// coordinator who is a member and uses no key.
///
/// # Errors
/// [`PinError`](crate::pins::PinError); a folder or file that cannot be read.
pub fn check_pins(folder: &Path, private: &Path) -> Result<(), CeremonyError> {
    let Some(member) = open(private)? else {
        return Ok(());
    };
    let workspace = Workspace::open(folder)?;
    let Some(definition) = workspace.find_definition()? else {
        return Ok(());
    };
    member.pins.check_definition(&definition)?;
    if let Some(output) = workspace.find_output()? {
        let genesis = check_output(&definition, &output)?;
        member.pins.check_genesis(Digest::of(&genesis))?;
    }
    Ok(())
}

/// The member of a private folder; none where nobody has joined yet.
fn open(private: &Path) -> Result<Option<Member>, CeremonyError> {
    match Member::open(private) {
        Ok(member) => Ok(Some(member)),
        Err(CeremonyError::Step(StepError::NotJoined)) => Ok(None),
        Err(CeremonyError::Storage(StorageError::Missing { path })) if path == private => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stops where the folder differs from what the member has agreed to and seen.
fn compare(
    workspace: &Workspace,
    member: &Member,
    progress: &Progress,
) -> Result<(), CeremonyError> {
    if let Some(definition) = &progress.definition {
        member.pins.check_definition(definition)?;
    } else if member.pins.definition().is_some() {
        workspace.definition()?;
    }
    if let Some(genesis) = progress.genesis {
        member.pins.check_genesis(genesis)?;
    } else if member.pins.genesis().is_some() {
        workspace.output()?;
    }
    if member.pins.highest().is_some() && member.pins.genesis().is_some() {
        let (genesis, links) = attest::genesis_and_links(workspace, member)?;
        // The newest may wait for approvals, and be the one that was pinned by approving it.
        let newest = links.links.last().map(|link| &link.manifest);
        match (member.pins.highest(), newest) {
            (Some(seen), Some(newest)) if seen.sequence == newest.sequence => {
                let digest = Digest::of(newest);
                seen.admit(newest.sequence, digest)
                    .map_err(crate::pins::PinError::Rollback)?;
            }
            _ => drop(attest::decide(&member.pins, &genesis, &links)?),
        }
    }
    Ok(())
}

/// What can be done now, by anybody.
fn find(
    workspace: &Workspace,
    socket: Option<&Address>,
    turn: &mut Turn,
) -> Result<(), CeremonyError> {
    let each = |names: &[Name], step| -> Vec<Due> {
        let who = names.iter().cloned().map(Who::Member);
        who.map(|who| Due { who, step }).collect()
    };
    let coordinator = |step| {
        vec![Due {
            who: Who::Coordinator,
            step,
        }]
    };
    let progress = &turn.progress;
    let Some(definition) = &progress.definition else {
        let people = match workspace.find_plan()? {
            Some(plan) => plan.people().cloned().collect(),
            None => Vec::new(),
        };
        let absent = |name: &Name| {
            matches!(
                workspace.card(name),
                Err(CeremonyError::Storage(StorageError::Missing { .. }))
            )
        };
        let absent: Vec<Name> = people.into_iter().filter(absent).collect();
        turn.due = match absent.as_slice() {
            [] => coordinator("define"),
            absent => each(absent, "join"),
        };
        return Ok(());
    };
    if progress.genesis.is_none() {
        turn.due = match progress.without_consent.as_slice() {
            [] => coordinator("genesis"),
            names => each(names, "consent"),
        };
        return Ok(());
    }
    if !progress.record && !progress.without_receipt.is_empty() {
        let output = workspace.output()?;
        let receipts = Receipts::of(workspace, definition, &output)?;
        turn.exception = receipts.given.len() >= receipts.need;
        let signed = excepted(workspace, &receipts, &output, progress.genesis)?;
        turn.due = if !turn.exception || signed.is_empty() {
            each(&progress.without_receipt, "receipt")
        } else {
            // Somebody has begun to go on without them.
            let names = receipts.given.iter().map(|person| person.name.clone());
            let unsigned: Vec<Name> = names.filter(|name| !signed.contains(name)).collect();
            match unsigned.as_slice() {
                [] => coordinator("manifest"),
                names => each(names, "exception"),
            }
        };
        return Ok(());
    }
    let Some(newest) = progress.manifests.last() else {
        turn.due = coordinator("manifest");
        return Ok(());
    };
    if !newest.approved {
        turn.due = approvals(workspace, newest)?;
        let late = turn.progress.resharing.as_ref().map(reshares::late);
        turn.due.extend(late.unwrap_or_default());
        return Ok(());
    }
    let (manifest, digest) = (newest.manifest.clone(), newest.digest);
    turn.enclave = match socket {
        Some(socket) => Some(socket.clone()),
        None => workspace.find_enclave(EnclaveRole::Instance)?,
    };
    let status = match &turn.enclave {
        Some(address) => {
            let answer = Client::connect(address).and_then(|mut client| client.status());
            turn.silent = answer.is_err();
            answer.ok()
        }
        None => None,
    };
    let resharing = turn.progress.resharing.as_ref();
    turn.due = resharing.map(reshares::pending).unwrap_or_default();
    turn.due
        .extend(running(workspace, &manifest, digest, status.as_ref())?);
    turn.due.extend(drills::due(
        workspace,
        &manifest,
        digest,
        turn.progress.drill.as_ref(),
    )?);
    turn.due
        .extend(resharing.map(reshares::late).unwrap_or_default());
    if let Some(replaced) = &turn.progress.replaced {
        turn.due.extend(reshares::destroying(replaced, &manifest));
    }
    turn.progress.enclave = status;
    Ok(())
}

/// Who has signed that the genesis is finished without those whose receipt is missing.
fn excepted(
    workspace: &Workspace,
    receipts: &Receipts,
    output: &GenesisOutput,
    genesis: Option<Digest<Genesis>>,
) -> Result<Vec<Name>, CeremonyError> {
    let Some(genesis) = genesis else {
        return Ok(Vec::new());
    };
    let subject = (genesis, output.commitments.epoch());
    let signed = exception::signed(workspace, subject, &receipts.indices(), &receipts.given)?;
    let of = |index| receipts.given.iter().find(|person| person.index == index);
    let signers = signed.iter().filter_map(|e| of(e.unverified().index));
    Ok(signers.map(|person| person.name.clone()).collect())
}

/// Who still has to approve the newest manifest.
fn approvals(
    workspace: &Workspace,
    newest: &status::ManifestProgress,
) -> Result<Vec<Due>, CeremonyError> {
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let (reshare, before) = match links.split_last() {
        Some((last, before)) => (last.reshare.as_deref(), before),
        None => (None, &[][..]),
    };
    let successor = check_successor_at(&genesis, before, &newest.manifest, reshare, wall_clock())?;
    let epoch = before
        .last()
        .map_or(genesis.epoch(), |link| link.manifest.epoch);
    let definition = genesis.definition();
    let (manifest_set, share_set) = match before.last() {
        Some(link) => (&link.manifest.manifest_set, &link.manifest.share_set),
        None => (&definition.manifest_set, &definition.share_set),
    };
    let mut sets = vec![(manifest_set, Role::ManifestSet)];
    if successor.changes_manifest_set {
        sets.push((&newest.manifest.manifest_set, Role::ManifestSet));
    }
    if successor.needs_share_set() {
        sets.push((share_set, Role::ShareSet));
    }
    let mut due: Vec<Due> = Vec::new();
    for (set, role) in sets {
        let active = |name: &Name| {
            role == Role::ManifestSet
                || set
                    .named(name)
                    .is_some_and(|p| genesis.is_active(p.index, epoch))
        };
        let names = set.members.iter().map(|member| member.name.clone());
        let (given, names): (Vec<Name>, Vec<Name>) = names
            .filter(active)
            .partition(|name| newest.approvals.contains(&(name.clone(), role)));
        let missing = usize::from(set.threshold).saturating_sub(given.len());
        let who = Who::AnyOf { missing, names };
        let step = "approve";
        if missing > 0 && !due.iter().any(|known| known.who == who) {
            due.push(Due { who, step });
        }
    }
    Ok(due)
}

/// What an enclave that was booted waits for.
fn running(
    workspace: &Workspace,
    manifest: &Manifest,
    digest: Digest<Manifest>,
    status: Option<&Status>,
) -> Result<Vec<Due>, CeremonyError> {
    let boot = Due {
        who: Who::Coordinator,
        step: "boot",
    };
    let Some(status) = status.filter(|status| status.manifest == Some(digest)) else {
        return Ok(vec![boot]);
    };
    Ok(match status.phase {
        Phase::Collecting => {
            let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
            let given = |index| status.accepted.iter().any(|known| known.0 == index);
            let holders = manifest.share_set.members.iter();
            let holders = holders.filter(|member| {
                !given(member.index) && genesis.is_active(member.index, manifest.epoch)
            });
            let threshold = usize::from(manifest.share_set.threshold);
            vec![Due {
                who: Who::AnyOf {
                    missing: threshold.saturating_sub(status.accepted.len()),
                    names: holders.map(|member| member.name.clone()).collect(),
                },
                step: "provision",
            }]
        }
        Phase::Launching | Phase::Running => Vec::new(),
        _ => vec![boot],
    })
}

/// The step of whoever asks.
fn yours(member: Option<&Member>, turn: &Turn) -> Option<&'static str> {
    let Some(member) = member else {
        // Somebody who is not known yet: before the definition they can still join.
        return turn.progress.definition.is_none().then_some("join");
    };
    let name = member.pins.name();
    let definition = turn.progress.definition.as_ref();
    let named = definition.and_then(|definition| definition.named(name));
    // Who only approves manifests gives no receipt and is missed nowhere, but verifies the genesis.
    let born = turn.progress.genesis.is_some();
    let pins = &member.pins;
    if born && named.is_some() && pins.definition().is_some() && pins.genesis().is_none() {
        return Some("receipt");
    }
    let mine = turn.due.iter().filter(|due| match &due.who {
        Who::Coordinator => false,
        Who::Member(who) => who == name,
        Who::AnyOf { names, .. } => names.contains(name),
    });
    let mine: Vec<&'static str> = mine.map(|due| due.step).collect();
    // A share is taken before it can be given.
    let taken = mine.iter().find(|step| **step == reshares::RECEIPT);
    let first = mine.first().filter(|step| **step != "provision");
    first
        .or(taken)
        .or(mine.first())
        .copied()
        .or_else(|| reshares::kept_too_long(member, &turn.progress))
}

/// The step of a surrogate: what a member who has named them could do now.
fn in_place(
    workspace: &Workspace,
    member: &Member,
    turn: &Turn,
) -> Result<Option<&'static str>, CeremonyError> {
    let Some(newest) = turn.progress.manifests.last() else {
        return Ok(None);
    };
    let (name, key) = (member.pins.name(), member.keys.public().signing);
    let now = wall_clock();
    for due in &turn.due {
        let (role, Who::AnyOf { names, .. }) = (role_of(due.step), &due.who) else {
            continue;
        };
        for holder in names {
            let named = workspace.delegations(newest.manifest.sequence, holder)?;
            let counts = named.iter().map(|(_, d)| d.unverified()).any(|claim| {
                claim.surrogate == *name
                    && claim.signing_key == key
                    && role.is_some_and(|role| claim.roles.contains(&role))
                    && now <= claim.expires
            });
            if counts {
                return Ok(Some(due.step));
            }
        }
    }
    Ok(None)
}

/// In which set somebody else may take a step for a member; none where nobody may.
fn role_of(step: &str) -> Option<Role> {
    match step {
        "approve" => Some(Role::ManifestSet),
        "provision" => Some(Role::ShareSet),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
