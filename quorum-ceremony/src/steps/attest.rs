//! `attest`: a member verifies an instance with their own nonce, and does nothing else.

use std::path::Path;

use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::KeyPair;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::{Stage, Status};
use quorate_protocol::transcript::Act;
use quorate_verify::chain::VerifiedChain;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::instance::{DocumentFacts, verify_live, verify_setup};

use super::{Member, newest_approved};
use crate::address::Address;
use crate::challenge::Challenge;
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::pins::Pins;
use crate::transcript::{Looked, note, refused};
use crate::workspace::{IgnoredApproval, Links, Workspace};

/// Which keys an instance is asked to attest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceStage {
    /// Those that shares are sealed to, while it waits for shares.
    Setup,
    /// Those it answers with.
    Live,
}

/// An instance whose attestation holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// Its definition.
    pub definition: Definition,
    /// What runs, or shall run.
    pub manifest: Manifest,
    /// The digest of that.
    pub digest: Digest<Manifest>,
    /// Which keys were attested.
    pub stage: InstanceStage,
    /// Those keys.
    pub keys: KeyPair,
    /// About the document.
    pub facts: DocumentFacts,
    /// What the enclave says about itself; a claim.
    pub claimed: Status,
    /// Approvals in the folder that were left out.
    pub ignored: Vec<IgnoredApproval>,
    /// How it was verified, for the record.
    pub(crate) looked: Looked,
}

impl Attested {
    /// When and for which nonce it was attested.
    #[must_use]
    pub const fn looked(&self) -> &Looked {
        &self.looked
    }
}

/// Verifies an instance against the member's pins and the newest approved manifest.
///
/// # Errors
/// [`StepError::NotReceived`]; a record, chain or manifest that contradicts the pins; an
/// attestation that does not hold.
pub fn attest(
    folder: &Path,
    private: &Path,
    socket: impl Into<Address>,
    stage: InstanceStage,
) -> Result<Attested, CeremonyError> {
    let attested = look(folder, private, socket, stage)
        .map_err(|error| refused(private, Act::Attest, error))?;
    note(private, &attested)?;
    Ok(attested)
}

fn look(
    folder: &Path,
    private: &Path,
    socket: impl Into<Address>,
    stage: InstanceStage,
) -> Result<Attested, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let (genesis, links) = genesis_and_links(&workspace, &member)?;
    let chain = decide(&member.pins, &genesis, &links)?;
    let anchors = workspace.anchors(genesis.definition())?;
    let limit = genesis.definition().age_limit;
    let mut client = Client::connect(socket)?;
    let claimed = client.status()?;
    let challenge = Challenge::draw()?;
    let nonce = challenge.nonce().map_err(InputError::from)?;
    let (keys, facts) = match stage {
        InstanceStage::Setup => {
            let document = client.attest(Stage::Setup, nonce)?;
            let verified = verify_setup(
                document.as_slice(),
                &genesis,
                &chain,
                &anchors,
                &challenge.freshness(limit),
            )?;
            (verified.setup, verified.facts)
        }
        InstanceStage::Live => {
            // The evidence names the setup keys, which are needed to check their register.
            let evidence = client.evidence(nonce)?;
            let verified = verify_live(
                evidence.document.as_slice(),
                &genesis,
                &chain,
                &evidence.setup,
                &anchors,
                &challenge.freshness(limit),
            )?;
            (verified.live, verified.facts)
        }
    };
    let manifest = chain.manifest();
    let definition = genesis.definition();
    let looked = Looked::new(&challenge, &facts, &manifest.measurements, definition)?;
    Ok(Attested {
        looked,
        genesis: genesis.digest(),
        definition: genesis.definition().clone(),
        manifest: chain.manifest().clone(),
        digest: chain.digest(),
        stage,
        keys,
        facts,
        claimed,
        ignored: links.ignored,
    })
}

pub(super) fn genesis_and_links(
    workspace: &Workspace,
    member: &Member,
) -> Result<(VerifiedGenesis, Links), CeremonyError> {
    let genesis = member.verified_genesis(workspace)?;
    let links = workspace.links(genesis.definition(), None)?;
    if links.links.is_empty() {
        return Err(StepError::ManifestMissing { sequence: 1 }.into());
    }
    Ok((genesis, links))
}

/// The chain an instance must run for a member of these pins to believe it.
pub(super) fn decide(
    pins: &Pins,
    genesis: &VerifiedGenesis,
    links: &Links,
) -> Result<VerifiedChain, CeremonyError> {
    pins.check_root(&genesis.definition().attestation_root)?;
    let chain = newest_approved(genesis, &links.links)?;
    if let Some(seen) = pins.highest() {
        chain
            .extends(seen)
            .map_err(crate::pins::PinError::Rollback)?;
    }
    Ok(chain)
}

#[cfg(test)]
mod tests;
