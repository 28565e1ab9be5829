//! One file for each command.
//!
//! In each file the public functions do the I/O, in the order a reader expects; the decisions are
//! functions of their arguments below them, so that every refusal is tested without an enclave.

pub mod approve;
pub mod attest;
pub mod boot;
pub mod carried;
pub mod carry;
pub mod consent;
pub mod define;
pub mod drill;
pub mod evidence;
pub mod exception;
pub mod forward;
pub mod forward_approve;
pub mod genesis;
pub(crate) mod held;
pub mod join;
pub mod log;
pub mod manifest;
pub mod new;
pub mod next;
pub mod preflight;
pub mod provision;
pub mod receipt;
pub mod reshare;
pub mod restore;
pub mod rotate;
pub mod share;
pub mod status;
pub mod surrogate;
pub mod transcript;

#[cfg(test)]
mod resume;

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::genesis::{SealContext, SealedShare};
use quorate_protocol::keys::{EncryptionKey, VerificationKey};
use quorate_protocol::manifest::Link;
use quorate_sealing::{Suite, seal};
use quorate_sharing::Share;
use quorate_verify::chain::{ChainError, VerifiedChain, walk_at};
use quorate_verify::genesis::VerifiedGenesis;

use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::hardening;
use crate::keys::{LockedKeys, Unlock, UnlockedKeys};
use crate::pins::{GenesisPin, Pins};
use crate::private::PrivateFolder;
use crate::random;
use crate::transcript::Journal;
use crate::workspace::Workspace;

/// A member at their machine: private folder, keys, pins. The keys are still locked.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) private: PrivateFolder,
    pub(crate) keys: LockedKeys,
    pub(crate) pins: Pins,
}

impl Member {
    pub(crate) fn open(path: &Path) -> Result<Self, CeremonyError> {
        let private = PrivateFolder::open(path)?;
        let keys = private.keys()?;
        let pins = private.pins(&keys)?;
        Ok(Self {
            private,
            keys,
            pins,
        })
    }

    pub(crate) fn unlock(&self, unlock: Unlock) -> Result<UnlockedKeys, CeremonyError> {
        hardening::protect()?;
        let module = unlock.module().map(Path::to_owned);
        let keys = self.keys.unlock(unlock)?;
        if let Some(module) = module {
            self.private.remember_module(&module)?;
        }
        Ok(keys)
    }

    /// This member's journal, in a ceremony of these people.
    pub(crate) fn journal<'a>(
        &'a self,
        workspace: &'a Workspace,
        people: Vec<(Name, VerificationKey)>,
    ) -> Journal<'a> {
        let definition = self.pins.definition().map(|pin| pin.digest);
        Journal::new(&self.private, workspace, definition, people)
    }

    /// The genesis this member acts for.
    pub(crate) fn genesis(&self) -> Result<&GenesisPin, StepError> {
        if self.pins.definition().is_none() {
            return Err(StepError::NotConsented);
        }
        self.pins.genesis().ok_or(StepError::NotReceived)
    }

    /// The folder's record, verified, if it is that of the pinned genesis.
    pub(crate) fn verified_genesis(
        &self,
        workspace: &Workspace,
    ) -> Result<VerifiedGenesis, CeremonyError> {
        self.genesis()?;
        let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
        self.pins.check_genesis(genesis.digest())?;
        self.pins.check_definition(genesis.definition())?;
        Ok(genesis)
    }
}

/// The chain up to the newest approved manifest. One newer manifest may be waiting for approvals.
pub(crate) fn newest_approved(
    genesis: &VerifiedGenesis,
    links: &[Link],
) -> Result<VerifiedChain, ChainError> {
    let now = wall_clock();
    match walk_at(genesis, links, now) {
        Err(
            ChainError::Threshold { sequence, .. } | ChainError::SurrogateExpired { sequence, .. },
        ) if sequence > 1 && u64::try_from(links.len()).is_ok_and(|last| sequence == last) => {
            let (_, approved) = links.split_last().ok_or(ChainError::Empty)?;
            walk_at(genesis, approved, now)
        }
        walked => walked,
    }
}

/// A share, sealed to a person or an enclave.
pub(crate) fn seal_share(
    share: &Share,
    to: &EncryptionKey,
    context: &SealContext,
) -> Result<SealedShare, CeremonyError> {
    let suite = Suite::P256Sha256Aes256Gcm;
    let sealed = seal(
        suite,
        to.inner(),
        context.info.as_bytes(),
        &context.aad,
        &*share.to_bytes(),
        &mut random::generator()?,
    )
    .map_err(|_| StepError::SuiteNotAccepted)?;
    Ok(SealedShare::new(suite, sealed).map_err(|_| StepError::SuiteNotAccepted)?)
}
