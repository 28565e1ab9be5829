//! `genesis`: the coordinator takes definition and consents to a genesis enclave and keeps what it
//! answers.
//!
//! What is checked here spares the members a round; they check it again themselves.

use std::path::Path;

use quorate_protocol::atoms::Bytes;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Genesis, GenesisOutput};
use quorate_protocol::message::{GenesisRequest, Stage};
use quorate_verify::genesis::{check_consents, check_output};
use quorate_verify::instance::{DocumentFacts, verify_genesis_document};

use crate::address::Address;
use crate::challenge::Challenge;
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::random;
use crate::storage::StorageError;
use crate::workspace::Workspace;

/// A genesis that was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Born {
    /// The namespace, to be pinned by its members.
    pub genesis: Digest<Genesis>,
    /// Commitments and sealed shares.
    pub output: GenesisOutput,
    /// About the attestation that goes into the record.
    pub facts: DocumentFacts,
}

/// Asks the enclave for a genesis and writes what it made into the folder.
///
/// If the answer was written only in part before, the rest is asked for again.
///
/// # Errors
/// [`StepError::GenesisExists`]; consents that are missing; what the enclave answers.
pub fn hold(folder: &Path, socket: impl Into<Address>) -> Result<Born, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let definition = workspace.definition()?;
    let consents = workspace.consents(&definition)?;
    check_consents(&definition, &consents)?;
    let anchors = workspace.anchors(&definition)?;
    let known = workspace.find_output()?;
    if known.is_some() && !is_missing(workspace.genesis_document())? {
        return Err(StepError::GenesisExists.into());
    }
    let mut client = Client::connect(socket)?;
    let challenge = Challenge::draw()?;
    let nonce = challenge.nonce().map_err(InputError::from)?;
    let (output, document) = match known {
        Some(output) => (output, client.attest(Stage::Genesis, nonce)?),
        None => {
            // The enclave draws its own; this can only add to it.
            let entropy = random::bytes::<32>()?.to_vec();
            let answer = client.genesis(GenesisRequest {
                definition: definition.clone(),
                consents,
                entropy: vec![Bytes::new(entropy).map_err(InputError::from)?],
                nonce,
            })?;
            (answer.output, answer.document)
        }
    };
    let genesis = check_output(&definition, &output)?;
    let facts = verify_genesis_document(
        document.as_slice(),
        &definition,
        &genesis,
        &anchors,
        &challenge.freshness(),
    )?;
    workspace.publish_genesis(&output, &document)?;
    Ok(Born {
        genesis: Digest::of(&genesis),
        output,
        facts,
    })
}

fn is_missing<T>(found: Result<T, CeremonyError>) -> Result<bool, CeremonyError> {
    match found {
        Ok(_) => Ok(false),
        Err(CeremonyError::Storage(StorageError::Missing { .. })) => Ok(true),
        Err(error) => Err(error),
    }
}
