//! `genesis`: the coordinator takes definition and consents to a genesis enclave and keeps what it
//! answers.
//!
//! What is checked here spares the members a round; they check it again themselves.

use std::path::Path;

use quorate_protocol::atoms::Bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{Definition, DefinitionConsent};
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
use crate::workspace::{EnclaveRole, Workspace};

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

/// What a genesis enclave would be asked.
#[derive(Debug)]
pub struct Ready {
    workspace: Workspace,
    definition: Definition,
    consents: Vec<Signed<DefinitionConsent>>,
    /// What one has made already, if the rest of its answer is missing.
    known: Option<GenesisOutput>,
}

/// Asks the enclave for a genesis and writes what it made into the folder.
///
/// # Errors
/// As [`prepare`] and [`Ready::hold`].
pub fn hold(folder: &Path, socket: impl Into<Address>) -> Result<Born, CeremonyError> {
    prepare(folder)?.hold(socket)
}

/// Sees that everybody has consented and that no key was made yet.
///
/// # Errors
/// [`StepError::GenesisExists`]; consents that are missing.
pub fn prepare(folder: &Path) -> Result<Ready, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let definition = workspace.definition()?;
    let consents = workspace.consents(&definition)?;
    check_consents(&definition, &consents)?;
    let known = workspace.find_output()?;
    if known.is_some() && !is_missing(workspace.genesis_document())? {
        return Err(StepError::GenesisExists.into());
    }
    Ok(Ready {
        workspace,
        definition,
        consents,
        known,
    })
}

impl Ready {
    /// What the key would be made under.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Asks the enclave. If its answer was written only in part before, for the rest.
    ///
    /// # Errors
    /// What the enclave answers; an attestation that does not hold.
    pub fn hold(self, socket: impl Into<Address>) -> Result<Born, CeremonyError> {
        let Self {
            workspace,
            definition,
            consents,
            known,
        } = self;
        let socket = socket.into();
        ask(&workspace, &definition, consents, known, &socket)
    }
}

fn ask(
    workspace: &Workspace,
    definition: &Definition,
    consents: Vec<Signed<DefinitionConsent>>,
    known: Option<GenesisOutput>,
    socket: &Address,
) -> Result<Born, CeremonyError> {
    let anchors = workspace.anchors(definition)?;
    let mut client = Client::connect(socket)?;
    // A hint for the members, before there is anything they would wait for.
    workspace.publish_enclave(EnclaveRole::Genesis, socket)?;
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
    let genesis = check_output(definition, &output)?;
    let facts = verify_genesis_document(
        document.as_slice(),
        definition,
        &genesis,
        &anchors,
        &challenge.freshness(definition.age_limit),
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
