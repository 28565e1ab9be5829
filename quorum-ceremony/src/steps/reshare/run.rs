//! `reshare run`: the operator has the enclave carry an order out, and keeps what it answers.
//!
//! Nothing is decided here: the enclave verifies order and consents, and what it answers is verified
//! as every member will, before it is written. It can be repeated: an order that is open gets its
//! answer again.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::reshare::{Reshare, ReshareConsent, ReshareOrder, ReshareRequest};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::reshare::{
    Consenters, ReshareError, VerifiedReshare, consenters, verify_reshare,
};

use super::ordered_under;
use crate::address::Address;
use crate::client::Client;
use crate::error::CeremonyError;
use crate::steps::newest_approved;
use crate::storage::Published;
use crate::workspace::Workspace;

/// An order that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its number in the folder.
    pub number: u64,
    /// What the enclave answered.
    pub reshare: Reshare,
    /// What was verified of it.
    pub verified: VerifiedReshare,
    /// Names under which the folder has something else than a consent to this order.
    pub ignored: Vec<Name>,
    /// Whether the answer was there already.
    pub published: Published,
    /// The definition of the namespace.
    pub definition: Definition,
}

/// An order with its consents, as it would be sent.
#[derive(Debug)]
pub struct Ready {
    workspace: Workspace,
    genesis: VerifiedGenesis,
    running: Manifest,
    number: u64,
    order: ReshareOrder,
    consents: Vec<Signed<ReshareConsent>>,
    ignored: Vec<Name>,
}

/// Reads an order with its consents. `number` chooses it; without it, the newest.
///
/// # Errors
/// A record or chain that does not hold; [`StepError::OrderMissing`](crate::StepError::OrderMissing);
/// an order under no manifest of the chain.
pub fn prepare(folder: &Path, number: Option<u64>) -> Result<Ready, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let chain = newest_approved(&genesis, &links)?;
    let (number, order) = workspace.order(number)?;
    let running = ordered_under(&links, &chain, &order)?.clone();
    let (consents, ignored) = workspace.reshare_consents(number, &running, Digest::of(&order))?;
    Ok(Ready {
        workspace,
        genesis,
        running,
        number,
        order,
        consents,
        ignored,
    })
}

/// Has the enclave at `socket` carry out an order. `number` chooses it; without it, the newest.
///
/// # Errors
/// As [`prepare`] and [`Ready::run`].
pub fn run(
    folder: &Path,
    socket: impl Into<Address>,
    number: Option<u64>,
) -> Result<Done, CeremonyError> {
    prepare(folder, number)?.run(socket)
}

impl Ready {
    /// Its number in the folder.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The order.
    #[must_use]
    pub const fn order(&self) -> &ReshareOrder {
        &self.order
    }

    /// What must run.
    #[must_use]
    pub const fn running(&self) -> &Manifest {
        &self.running
    }

    /// What everybody in the namespace consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// Who consented.
    ///
    /// # Errors
    /// [`ReshareError::ConsentsMissing`] where the enclave would refuse the order.
    pub fn consenters(&self) -> Result<Consenters, ReshareError> {
        let digest = Digest::of(&self.order);
        consenters(&self.genesis, &self.running, digest, &self.consents)
    }

    /// Has the enclave at `socket` carry the order out. Where its answer is in the folder, nothing is
    /// sent.
    ///
    /// # Errors
    /// What the enclave refuses; an answer that does not hold.
    pub fn run(self, socket: impl Into<Address>) -> Result<Done, CeremonyError> {
        let Self {
            workspace,
            genesis,
            running,
            number,
            order,
            consents,
            ignored,
        } = self;
        let (reshare, published) = match workspace.find_reshare(number)? {
            Some(known) => (known, Published::AlreadyThere),
            None => {
                let mut client = Client::connect(socket)?;
                let request = ReshareRequest { order, consents };
                (client.reshare(request)?, Published::Written)
            }
        };
        let verified = verify_reshare(&genesis, &running, &reshare)?;
        workspace.publish_reshare(number, &reshare)?;
        Ok(Done {
            number,
            reshare,
            verified,
            ignored,
            published,
            definition: genesis.definition().clone(),
        })
    }
}
