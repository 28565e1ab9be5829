//! `drill start`: the coordinator makes an empty enclave one for a drill.
//!
//! It gets record and chain as a boot does, and no binaries: nothing is launched in a drill.

use std::path::Path;

use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::KeyPair;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::BootRequest;
use quorate_protocol::transcript::Act;
use quorate_verify::chain::VerifiedChain;
use quorate_verify::genesis::VerifiedGenesis;

use crate::address::Address;
use crate::client::Client;
use crate::error::CeremonyError;
use crate::steps::newest_approved;
use crate::transcript::{Content, Noted, object, remark};
use crate::workspace::{EnclaveRole, Links, Workspace};

/// An enclave that says it is there for a drill. A claim until it is attested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// What it says its setup keys are.
    pub claimed: KeyPair,
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// Its definition.
    pub definition: Definition,
    /// Under which manifest.
    pub manifest: Manifest,
    /// The digest of that.
    pub digest: Digest<Manifest>,
}

/// What an enclave would be given.
#[derive(Debug)]
pub struct Ready {
    workspace: Workspace,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    links: Links,
}

/// Reads record and chain up to the newest approved manifest.
///
/// # Errors
/// A chain that is not approved.
pub fn prepare(folder: &Path) -> Result<Ready, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let mut links = workspace.links(genesis.definition(), None)?;
    let chain = newest_approved(&genesis, &links.links)?;
    links.links.truncate(chain.links().len());
    Ok(Ready {
        workspace,
        genesis,
        chain,
        links,
    })
}

impl Ready {
    /// Under which manifest it would be held.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.chain.manifest()
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// Starts the drill in the enclave at `socket`.
    ///
    /// # Errors
    /// What the enclave answers.
    pub fn start(self, socket: impl Into<Address>) -> Result<Started, CeremonyError> {
        let Self {
            workspace,
            genesis,
            chain,
            links,
        } = self;
        let socket = socket.into();
        let mut client = Client::connect(&socket)?;
        let (digest, definition) = (genesis.digest(), genesis.definition().clone());
        // A hint for the members, before there is anything they would wait for.
        let claimed = workspace.pointing(EnclaveRole::Drill, &socket, || {
            client.drill(BootRequest {
                record: genesis.into_record(),
                chain: links.links,
            })
        })?;
        Ok(Started {
            claimed,
            genesis: digest,
            definition,
            manifest: chain.manifest().clone(),
            digest: chain.digest(),
        })
    }
}

impl Noted for Started {
    fn content(&self) -> Content {
        let mut facts = vec![object(self.digest), object(self.genesis)];
        facts.extend(remark("drill", "started"));
        Content {
            act: Act::Drill,
            facts,
        }
    }
}
