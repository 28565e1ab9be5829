//! `reshare order`: the coordinator asks an enclave for a nonce and writes an order for it.
//!
//! The enclave is verified with a fresh nonce before its live keys go into the order. Nobody needs
//! to believe that: who consents compares the order with their own pins, and no instance but the one
//! with these keys carries it out.

use std::path::Path;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::Checked;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::{MemberSet, MemberSetFields};
use quorate_protocol::reshare::ReshareOrder;
use quorate_verify::chain::VerifiedChain;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::instance::{DocumentFacts, verify_live};

use super::seats;
use crate::address::Address;
use crate::challenge::{Challenge, wall_clock};
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::steps::newest_approved;
use crate::workspace::Workspace;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What the coordinator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who holds the new shares. Those who hold one now keep their index.
    pub members: Vec<Name>,
    /// How many of them open the key.
    pub threshold: u8,
    /// For how many days from now the order can be carried out; the enclave's nonce may end sooner.
    pub days: u32,
}

/// An order that waits for consents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Its number in the folder.
    pub number: u64,
    /// The order.
    pub order: ReshareOrder,
    /// Its digest: what members compare by voice.
    pub digest: Digest<ReshareOrder>,
    /// What runs in the enclave.
    pub running: Manifest,
    /// The definition of the namespace.
    pub definition: Definition,
    /// About the enclave's attestation.
    pub facts: DocumentFacts,
}

/// What can be asked of an enclave: the people are known and the numbers make a set.
#[derive(Debug)]
pub struct Ready {
    workspace: Workspace,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    share_set: MemberSet,
    until: UnixMillis,
}

/// Checks who shall hold the new shares. No enclave is asked for anything.
///
/// # Errors
/// A record or chain that does not hold; a person without a card; numbers that make no set.
pub fn prepare(folder: &Path, plan: &Plan) -> Result<Ready, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let chain = newest_approved(&genesis, &links)?;
    let running = chain.manifest();
    let members = seats(
        &workspace,
        &plan.members,
        &running.share_set,
        &[&running.manifest_set],
    )?;
    let share_set = MemberSetFields {
        threshold: plan.threshold,
        members,
    };
    let share_set = Checked::new(share_set).map_err(StepError::DefinitionInvalid)?;
    let until = u64::from(plan.days).checked_mul(DAY_MS).filter(|t| *t > 0);
    let until = until.and_then(|span| wall_clock().0.checked_add(span));
    let until = until.ok_or(InputError::Number {
        what: "the number of days",
    })?;
    Ok(Ready {
        workspace,
        genesis,
        chain,
        share_set,
        until: UnixMillis(until),
    })
}

/// Verifies the enclave at `socket`, asks it for a nonce and writes an order.
///
/// # Errors
/// As [`prepare`] and [`Ready::order`].
pub fn order(
    folder: &Path,
    socket: impl Into<Address>,
    plan: &Plan,
) -> Result<Ordered, CeremonyError> {
    prepare(folder, plan)?.order(socket)
}

impl Ready {
    /// Who would hold the new shares.
    #[must_use]
    pub const fn share_set(&self) -> &MemberSet {
        &self.share_set
    }

    /// What must run.
    #[must_use]
    pub fn running(&self) -> &Manifest {
        self.chain.manifest()
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// The last moment at which it could be carried out; the enclave's nonce may end sooner.
    #[must_use]
    pub const fn until(&self) -> UnixMillis {
        self.until
    }

    /// Verifies the enclave at `socket`, asks it for a nonce and writes the order.
    ///
    /// # Errors
    /// An enclave that does not run the newest approved manifest, or has no key, or has an order
    /// open.
    pub fn order(self, socket: impl Into<Address>) -> Result<Ordered, CeremonyError> {
        let Self {
            workspace,
            genesis,
            chain,
            share_set,
            until,
        } = self;
        let anchors = workspace.anchors(genesis.definition())?;
        let mut client = Client::connect(socket)?;
        let drawn = Challenge::draw()?;
        let evidence = client.evidence(drawn.nonce().map_err(InputError::from)?)?;
        let live = verify_live(
            evidence.document.as_slice(),
            &genesis,
            &chain,
            &evidence.setup,
            &anchors,
            &drawn.freshness(genesis.definition().age_limit),
        )?;
        let challenge = client.reshare_challenge()?;
        let order = ReshareOrder {
            genesis: genesis.digest(),
            manifest: chain.digest(),
            live: live.live,
            epoch: chain.manifest().epoch,
            share_set,
            nonce: challenge.nonce,
            expires: UnixMillis(until.0.min(challenge.expires.0)),
        };
        let number = workspace.publish_order(&order)?;
        Ok(Ordered {
            number,
            digest: Digest::of(&order),
            order,
            running: chain.manifest().clone(),
            definition: genesis.definition().clone(),
            facts: live.facts,
        })
    }
}
