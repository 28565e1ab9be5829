//! `boot`: the coordinator gives an empty enclave its binaries, record and chain.
//!
//! Binaries are compared with the manifest before they are sent, and read through twice for that:
//! memory does not grow with them. Uploads go on where they ended, after a broken connection and in
//! the next run.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::{BootRequest, Booted};
use quorate_verify::chain::{VerifiedChain, walk_at};
use quorate_verify::genesis::VerifiedGenesis;

use super::newest_approved;
use crate::address::Address;
use crate::binary::BinaryFile;
use crate::challenge::wall_clock;
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::{Binary, InputError};
use crate::upload::{Progress, upload};
use crate::workspace::{EnclaveRole, IgnoredApproval, Links, Workspace};

/// An enclave that says it has booted. A claim until it is attested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// What it says its keys are.
    pub claimed: Booted,
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// The definition of the namespace.
    pub definition: Definition,
    /// What it was asked to run.
    pub manifest: Manifest,
    /// The digest of that.
    pub digest: Digest<Manifest>,
    /// Bytes that were sent, less what had arrived before.
    pub uploaded: u64,
    /// Approvals in the folder that were left out.
    pub ignored: Vec<IgnoredApproval>,
}

/// Uploads the binaries and boots the newest approved manifest, or the one of `sequence`. `tell` hears
/// how far each upload is.
///
/// # Errors
/// A chain that is not approved; [`StepError::BinaryDiffers`] and its like; what the enclave
/// answers.
pub fn boot(
    folder: &Path,
    socket: impl Into<Address>,
    binaries: &[Binary],
    sequence: Option<u64>,
    tell: &mut dyn FnMut(Progress<'_>),
) -> Result<Started, CeremonyError> {
    prepare(folder, binaries, sequence)?.boot(socket, tell)
}

/// What an enclave would be given: the files are those of the approved manifest.
#[derive(Debug)]
pub struct Ready {
    workspace: Workspace,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    links: Links,
    files: Vec<(Name, BinaryFile)>,
}

/// Compares the binaries with the newest approved manifest, or the one of `sequence`.
///
/// # Errors
/// A chain that is not approved; [`StepError::BinaryDiffers`] and its like.
pub fn prepare(
    folder: &Path,
    binaries: &[Binary],
    sequence: Option<u64>,
) -> Result<Ready, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let mut found = workspace.links(genesis.definition(), sequence)?;
    let chain = match sequence {
        None => newest_approved(&genesis, &found.links)?,
        Some(sequence) => {
            let chain = walk_at(&genesis, &found.links, wall_clock())?;
            if chain.sequence() != sequence {
                return Err(StepError::ManifestMissing { sequence }.into());
            }
            chain
        }
    };
    found.links.truncate(chain.links().len());

    let files = matching(chain.manifest(), binaries)?;
    Ok(Ready {
        workspace,
        genesis,
        chain,
        links: found,
        files,
    })
}

impl Ready {
    /// What would run.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.chain.manifest()
    }

    /// The definition of its namespace.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// Uploads the binaries and boots.
    ///
    /// # Errors
    /// What the enclave answers.
    pub fn boot(
        self,
        socket: impl Into<Address>,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Started, CeremonyError> {
        let Self {
            workspace,
            genesis,
            chain,
            links: found,
            mut files,
        } = self;
        let socket = socket.into();
        let mut client = Client::connect(&socket)?;
        let mut uploaded = 0_u64;
        for (name, binary) in &mut files {
            let sent = upload(&socket, &mut client, name, binary, tell)?;
            uploaded = uploaded.saturating_add(sent);
        }
        let digest = genesis.digest();
        let definition = genesis.definition().clone();
        // A hint for the members, before there is anything they would wait for.
        let claimed = workspace.pointing(EnclaveRole::Instance, &socket, || {
            client.boot(BootRequest {
                record: genesis.into_record(),
                chain: found.links,
            })
        })?;
        Ok(Started {
            claimed,
            genesis: digest,
            definition,
            manifest: chain.manifest().clone(),
            digest: chain.digest(),
            uploaded,
            ignored: found.ignored,
        })
    }
}

/// The file of each application, if it is the one that was approved.
fn matching(
    manifest: &Manifest,
    files: &[Binary],
) -> Result<Vec<(Name, BinaryFile)>, CeremonyError> {
    for (place, Binary { name, .. }) in files.iter().enumerate() {
        if manifest.application(name).is_none() {
            return Err(StepError::ApplicationUnknown { name: name.clone() }.into());
        }
        if files
            .iter()
            .skip(place + 1)
            .any(|other| other.name == *name)
        {
            return Err(InputError::NameRepeated { name: name.clone() }.into());
        }
    }
    let mut matched = Vec::new();
    for application in &manifest.applications {
        let (name, expected) = (&application.name, application.sha256);
        let file = files.iter().find(|file| file.name == *name);
        let file = file.ok_or_else(|| StepError::ApplicationWithoutFile { name: name.clone() })?;
        let binary = BinaryFile::open(&file.path)?;
        let found = binary.sha256();
        if found != expected {
            return Err(StepError::BinaryDiffers {
                name: name.clone(),
                expected,
                found,
            }
            .into());
        }
        matched.push((name.clone(), binary));
    }
    Ok(matched)
}

#[cfg(test)]
mod tests;
