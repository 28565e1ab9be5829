//! `reshare run`: the operator has the enclave carry an order out, and keeps what it answers.
//!
//! Nothing is decided here: the enclave verifies order and consents, and what it answers is verified
//! as every member will, before it is written. It can be repeated: an order that is open gets its
//! answer again.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::definition::Definition;
use quorate_protocol::reshare::{Reshare, ReshareRequest};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::reshare::{VerifiedReshare, verify_reshare};

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

/// Has the enclave at `socket` carry out an order. `number` chooses it; without it, the newest.
///
/// # Errors
/// What the enclave refuses; an answer that does not hold.
pub fn run(
    folder: &Path,
    socket: impl Into<Address>,
    number: Option<u64>,
) -> Result<Done, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let chain = newest_approved(&genesis, &links)?;
    let (number, order) = workspace.order(number)?;
    let running = ordered_under(&links, &chain, &order)?;
    let digest = quorate_protocol::digest::Digest::of(&order);
    let (consents, ignored) = workspace.reshare_consents(number, running, digest)?;
    let (reshare, published) = match workspace.find_reshare(number)? {
        Some(known) => (known, Published::AlreadyThere),
        None => {
            let mut client = Client::connect(socket)?;
            let request = ReshareRequest { order, consents };
            (client.reshare(request)?, Published::Written)
        }
    };
    let verified = verify_reshare(&genesis, running, &reshare)?;
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
