//! `evidence`: fetches what a stranger needs and writes it to a file.
//!
//! What is checked here is that the evidence is of this ceremony and answers a nonce of this
//! command. The full verification is `quorate verify evidence`, by whoever relies on it.

use std::path::Path;

use quorate_protocol::atoms::Sha256;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::manifest::Manifest;
use quorate_verify::chain::walk_at;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::instance::{DocumentFacts, verify_live};

use crate::address::Address;
use crate::challenge::{Challenge, wall_clock};
use crate::client::Client;
use crate::error::CeremonyError;
use crate::inputs::InputError;
use crate::pins::PinError;
use crate::storage::publish_named;
use crate::workspace::Workspace;

/// Evidence that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// Its definition.
    pub definition: Definition,
    /// What runs.
    pub manifest: Digest<Manifest>,
    /// Its sequence.
    pub sequence: u64,
    /// Whether it shows that the instance was given the key.
    pub provisioned: bool,
    /// Length of the file in bytes.
    pub bytes: usize,
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// About the live attestation.
    pub facts: DocumentFacts,
}

/// Asks an instance for its evidence and writes it to `out`.
///
/// # Errors
/// Evidence of another namespace than the folder's; an attestation that does not hold; a
/// different file at `out`.
pub fn collect(
    folder: &Path,
    socket: impl Into<Address>,
    out: &Path,
) -> Result<Collected, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let own = workspace.record()?.digest();
    let mut client = Client::connect(socket)?;
    let challenge = Challenge::draw()?;
    let nonce = challenge.nonce().map_err(InputError::from)?;
    let evidence = client.evidence(nonce)?;
    let genesis = VerifiedGenesis::from_record(evidence.record.clone())?;
    if genesis.digest() != own {
        return Err(PinError::SecondGenesis {
            pinned: own,
            found: genesis.digest(),
        }
        .into());
    }
    // Surrogates had to count when the instance got the key; that is checked with the certificate by
    // whoever verifies the evidence.
    let at = match &evidence.provisioning {
        Some(provisioning) => provisioning.certificate.unverified().time,
        None => wall_clock(),
    };
    let chain = walk_at(&genesis, &evidence.chain, at)?;
    let verified = verify_live(
        evidence.document.as_slice(),
        &genesis,
        &chain,
        &evidence.setup,
        &workspace.anchors(genesis.definition())?,
        &challenge.freshness(genesis.definition().age_limit),
    )?;
    let bytes = to_bytes(&evidence);
    publish_named(out, &bytes)?;
    Ok(Collected {
        genesis: own,
        definition: genesis.definition().clone(),
        manifest: chain.digest(),
        sequence: chain.sequence(),
        provisioned: evidence.provisioning.is_some(),
        bytes: bytes.len(),
        sha256: Sha256::of(&bytes),
        facts: verified.facts,
    })
}
