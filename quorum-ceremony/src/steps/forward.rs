//! `forward`: the operator carries the key, sealed, from a running enclave to one that waits for it.
//!
//! One command does all of it: challenge, attestation, export, import, hand-over. It can be repeated
//! after any failure: an importer that has the key already gives its confirmation again, and a key
//! that did not arrive is forwarded once more, under the next number.
//!
//! Nothing is decided here. The exporter verifies the importer, the importer verifies the exporter,
//! and an operator who alters anything on the way is refused by one of them. At the end the evidence
//! of the new instance is verified, as a stranger would.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::{Evidence, Origin};
use quorate_protocol::forward::{
    Confirmed, ExportRequest, ForwardApproval, ForwardConfirmation, ForwardReceived, ForwardRecord,
};
use quorate_protocol::genesis::Genesis;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::message::{Phase, Stage, Status};
use quorate_verify::evidence::{Facts, Policy, Time, verify};
use quorate_verify::genesis::VerifiedGenesis;

use crate::challenge::Challenge;
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::workspace::Workspace;

/// How long an old enclave's applications may take to end.
const END: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// A key that was forwarded, and the instance that has it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarded {
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// Its definition.
    pub definition: Definition,
    /// What had been done before this command.
    pub found: Found,
    /// The exporter's record.
    pub record: ForwardRecord,
    /// What the new instance confirmed it with.
    pub confirmation: Digest<ForwardConfirmation>,
    /// Sequences of the manifests that forwarded and received.
    pub sequences: (u64, u64),
    /// What the new instance's evidence shows; it was accepted.
    pub facts: Facts,
    /// Names under which the folder has something else than an approval of this forward.
    pub ignored: Vec<Name>,
}

/// Where the command began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// At the beginning.
    Nothing,
    /// The new enclave had the key; the old one had not been told.
    Imported,
    /// Everything was done.
    HandedOver,
}

/// Forwards the key from the enclave at `from` to the one at `to`, and ends the first.
///
/// # Errors
/// What either enclave refuses; [`StepError::ImporterNotWaiting`], [`StepError::NotForwarded`],
/// [`StepError::EvidenceRefused`].
pub fn forward(folder: &Path, from: &Path, to: &Path) -> Result<Forwarded, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let mut exporter = Client::connect(from)?;
    let mut importer = Client::connect(to)?;
    let (running, waiting) = (exporter.status()?, importer.status()?);
    let (mut found, mut ignored) = (Found::Imported, Vec::new());
    let confirmed = match waiting.phase {
        Phase::Collecting => {
            found = Found::Nothing;
            let cargo = cargo(&workspace, &genesis, &running, &waiting)?;
            ignored = cargo.ignored.clone();
            carry(&mut exporter, &mut importer, cargo)?
        }
        Phase::Launching | Phase::Running => confirmation(&evidence(&mut importer)?)?,
        phase => {
            let phase = phase_name(phase);
            return Err(StepError::ImporterNotWaiting { phase }.into());
        }
    };
    match running.phase {
        Phase::HandingOver | Phase::HandedOver => found = Found::HandedOver,
        _ => exporter.hand_over(confirmed)?,
    }
    await_end(&mut exporter)?;
    let evidence = evidence(&mut importer)?;
    let facts = accepted(&workspace, &genesis, &evidence)?;
    let received = received(&evidence)?;
    let ends = facts.forwarded_from.as_ref().zip(facts.sequence);
    let (from, to) = ends.ok_or(StepError::NotForwarded)?;
    Ok(Forwarded {
        genesis: genesis.digest(),
        definition: genesis.definition().clone(),
        found,
        record: received.record.unverified().clone(),
        confirmation: received.confirmation.digest(),
        sequences: (from.from, to),
        facts,
        ignored,
    })
}

/// What goes to the exporter beside the importer's attestation.
struct Cargo {
    link: Option<Link>,
    approvals: Vec<Signed<ForwardApproval>>,
    ignored: Vec<Name>,
}

/// The link to the importer's manifest, if it is another one, and its forward approvals. Whether
/// the statuses are true is for the enclaves to find out.
fn cargo(
    workspace: &Workspace,
    genesis: &VerifiedGenesis,
    running: &Status,
    waiting: &Status,
) -> Result<Cargo, CeremonyError> {
    let mut cargo = Cargo {
        link: None,
        approvals: Vec::new(),
        ignored: Vec::new(),
    };
    if running.manifest == waiting.manifest {
        return Ok(cargo);
    }
    let links = workspace.links(genesis.definition(), None)?.links;
    let of = |wanted: Option<Digest<Manifest>>| {
        let mut links = links.iter();
        links.find(|link| Some(Digest::of(&link.manifest)) == wanted)
    };
    let Some(link) = of(waiting.manifest) else {
        let last = links.last().map_or(0, |link| link.manifest.sequence);
        let sequence = last.saturating_add(1);
        return Err(StepError::ManifestMissing { sequence }.into());
    };
    if let Some(before) = of(running.manifest) {
        (cargo.approvals, cargo.ignored) =
            workspace.forward_approvals(&before.manifest, &link.manifest)?;
    }
    cargo.link = Some(link.clone());
    Ok(cargo)
}

fn carry(
    exporter: &mut Client,
    importer: &mut Client,
    cargo: Cargo,
) -> Result<Confirmed, CeremonyError> {
    let challenge = exporter.challenge()?;
    let document = importer.attest(Stage::Setup, challenge.nonce)?;
    let forwarded = exporter.export(ExportRequest {
        document,
        link: cargo.link,
        approvals: cargo.approvals,
    })?;
    Ok(importer.import(forwarded)?)
}

fn evidence(client: &mut Client) -> Result<Evidence, CeremonyError> {
    let nonce = Challenge::draw()?.nonce().map_err(InputError::from)?;
    Ok(client.evidence(nonce)?)
}

/// The importer's word, out of its evidence.
fn confirmation(evidence: &Evidence) -> Result<Confirmed, StepError> {
    let received = received(evidence)?;
    let given = evidence.provisioning.as_ref();
    Ok(Confirmed {
        certificate: given.ok_or(StepError::NotForwarded)?.certificate.clone(),
        confirmation: received.confirmation.clone(),
    })
}

fn received(evidence: &Evidence) -> Result<&ForwardReceived, StepError> {
    match evidence.provisioning.as_ref().map(|given| &given.origin) {
        Some(Origin::Forwarded(received)) => Ok(received),
        Some(Origin::Members(_)) | None => Err(StepError::NotForwarded),
    }
}

fn await_end(exporter: &mut Client) -> Result<(), CeremonyError> {
    let deadline = Instant::now() + END;
    while exporter.status()?.phase != Phase::HandedOver {
        if Instant::now() >= deadline {
            return Err(StepError::HandOverUnfinished.into());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// What a stranger who pins this genesis learns from the evidence.
fn accepted(
    workspace: &Workspace,
    genesis: &VerifiedGenesis,
    evidence: &Evidence,
) -> Result<Facts, CeremonyError> {
    let anchors = workspace.anchors(genesis.definition())?;
    let policy = Policy::pinned(genesis.digest());
    let report = verify(&to_bytes(evidence), &policy, &anchors, Time::Archived);
    if report.is_accepted() {
        return Ok(report.facts);
    }
    let code = report.failed().find_map(|check| check.error.as_ref());
    let code = code.map_or("not-performed", |error| error.code());
    Err(StepError::EvidenceRefused { code }.into())
}

/// What an enclave that takes no key says it is doing.
const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting for a manifest",
        Phase::Born => "a genesis enclave",
        Phase::Collecting => "waiting for the key",
        Phase::Launching | Phase::Running => "running",
        Phase::Halting => "ending",
        Phase::HandingOver | Phase::HandedOver => "at its end: it has handed the key over",
        Phase::Drilling | Phase::Drilled => "there for a drill",
    }
}

#[cfg(test)]
mod tests;
