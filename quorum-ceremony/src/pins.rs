//! What a member has agreed to and seen, kept where only they can write.
//!
//! The shared folder can be changed by anyone, so nothing in it is believed because it is there.
//! Pins are set once and never moved: the definition at consent, with its attestation root; the
//! genesis at receipt, with the member's share; the highest manifest whenever one was approved or
//! given a share; the share of each resharing at its receipt. Whatever differs later is refused with what it means.
//!
//! All functions here are pure; [`crate::private`] keeps the pins in a file.

use minicbor::{Decode, Encode};
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::{DecodeError, Object, from_bytes, to_bytes};
use quorate_protocol::definition::{AttestationRoot, Definition};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Epoch, Genesis};
use quorate_protocol::instance::Index;
use quorate_protocol::manifest::Manifest;
use quorate_verify::chain::{HighestSeen, Rollback};
use thiserror::Error;

use crate::error::{Blame, Explanation};
use crate::format::check_format;

/// Format number of pin files.
const FORMAT: u8 = 1;
/// Shares of resharings that are kept beside each other, at most.
const MAX_NEW_SHARES: usize = 16;

/// The shared folder, or an enclave, says something else than what was pinned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PinError {
    /// There are keys, and what their owner pinned is gone.
    #[error("the private folder has your keys, and what you pinned is gone")]
    Lost,
    /// The file holds no pins.
    #[error("the pin file is damaged: {0}")]
    Malformed(DecodeError),
    /// Another definition than the one that was consented to.
    #[error("you consented to the definition {pinned}, the folder has {found}")]
    OtherDefinition {
        /// What was pinned.
        pinned: Digest<Definition>,
        /// What the folder has.
        found: Digest<Definition>,
    },
    /// Another attestation root than the one of the definition.
    #[error(
        "your share belongs to the attestation root {} ({}), not to {} ({})",
        .pinned.fingerprint, .pinned.partition, .found.fingerprint, .found.partition
    )]
    OtherRoot {
        /// What was pinned.
        pinned: AttestationRoot,
        /// What is asked for now.
        found: AttestationRoot,
    },
    /// Another share than the one that was received.
    #[error("your pins and the genesis disagree on which share is yours")]
    OtherShare,
    /// An older manifest, or a second one at the same sequence.
    #[error(transparent)]
    Rollback(#[from] Rollback),
    /// More shares of resharings than are kept.
    #[error("there are {MAX_NEW_SHARES} shares of resharings in your private folder already")]
    TooManyShares,
    /// A second genesis under the same name.
    #[error("you received your share in the genesis {pinned}, this is the genesis {found}")]
    SecondGenesis {
        /// What was pinned.
        pinned: Digest<Genesis>,
        /// What is offered now.
        found: Digest<Genesis>,
    },
}

impl PinError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::Lost => (
                "pins-lost",
                Blame::Machine,
                "restore pins.cbor from a backup; if there is none, `quorate ceremony share restore \
                 --genesis DIGEST` pins anew what you know from the paper or another member",
            ),
            Self::Malformed(_) => (
                "pins-malformed",
                Blame::Machine,
                "restore pins.cbor from a backup; without it nothing stops you from being led back \
                 to an older manifest",
            ),
            Self::OtherDefinition { .. } => (
                "definition-differs-from-pin",
                Blame::Folder,
                "stop: somebody replaced the definition after you consented. If all members want \
                 another one, hold another ceremony in new folders",
            ),
            Self::OtherRoot { .. } => (
                "root-differs-from-pin",
                Blame::Folder,
                "stop: a share is used under the attestation root of its genesis only, and never \
                 in a rehearsal",
            ),
            Self::OtherShare => (
                "share-differs-from-pin",
                Blame::Folder,
                "stop: use the private folder that belongs to this share",
            ),
            Self::Rollback(error) => {
                return Explanation::new(error.code(), Blame::Coordinator, error.remedy());
            }
            Self::TooManyShares => (
                "too-many-shares",
                Blame::You,
                "destroy those that no manifest names any more: quorate ceremony reshare destroy",
            ),
            Self::SecondGenesis { .. } => (
                "second-genesis",
                Blame::Coordinator,
                "stop: a second key was made under the same name. Speak to the other members \
                 before anybody signs anything; the genesis digest is the namespace, not its name",
            ),
        };
        Explanation::new(code, blame, remedy)
    }
}

/// A member's pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins(Fields);

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Fields {
    #[n(0)]
    format: u8,
    #[n(1)]
    name: Name,
    #[n(2)]
    definition: Option<DefinitionPin>,
    #[n(3)]
    genesis: Option<GenesisPin>,
    #[n(4)]
    highest: Option<ManifestPin>,
    /// Absent before the first resharing.
    #[n(5)]
    shares: Option<Vec<SharePin>>,
}

/// The definition that was consented to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DefinitionPin {
    /// Its digest, the fingerprint that is read aloud.
    #[n(0)]
    pub digest: Digest<Definition>,
    /// The only root under which the share will ever be used.
    #[n(1)]
    pub root: AttestationRoot,
}

/// The genesis that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GenesisPin {
    /// The namespace.
    #[n(0)]
    pub digest: Digest<Genesis>,
    /// The member's share; none for one who only approves manifests.
    #[n(1)]
    pub share: Option<SharePin>,
}

/// Which share is the member's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SharePin {
    /// Its index.
    #[n(0)]
    pub index: Index,
    /// Of which polynomial.
    #[n(1)]
    pub epoch: Epoch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct ManifestPin {
    #[n(0)]
    sequence: u64,
    #[n(1)]
    digest: Digest<Manifest>,
}

impl Object for Fields {
    const LABEL: &'static str = "quorate/pins/v1";
    const MAX: usize = 2048;
}

impl Pins {
    /// Largest pin file in bytes.
    pub const MAX: usize = Fields::MAX;

    /// The pins of a member who has seen nothing yet.
    #[must_use]
    pub const fn new(name: Name) -> Self {
        Self(Fields {
            format: FORMAT,
            name,
            definition: None,
            genesis: None,
            highest: None,
            shares: None,
        })
    }

    /// Reads a pin file.
    ///
    /// # Errors
    /// [`PinError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PinError> {
        let fields: Fields = from_bytes(bytes).map_err(PinError::Malformed)?;
        check_format::<Fields>(fields.format, FORMAT).map_err(PinError::Malformed)?;
        Ok(Self(fields))
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&self.0)
    }

    /// Whose pins these are.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.0.name
    }

    /// The definition, once consented to.
    #[must_use]
    pub const fn definition(&self) -> Option<&DefinitionPin> {
        self.0.definition.as_ref()
    }

    /// The genesis, once verified.
    #[must_use]
    pub const fn genesis(&self) -> Option<&GenesisPin> {
        self.0.genesis.as_ref()
    }

    /// The highest manifest that was approved or given a share.
    #[must_use]
    pub fn highest(&self) -> Option<HighestSeen> {
        self.0
            .highest
            .map(|ManifestPin { sequence, digest }| HighestSeen { sequence, digest })
    }

    /// The shares of resharings, in the order in which they were received.
    #[must_use]
    pub fn new_shares(&self) -> &[SharePin] {
        self.0.shares.as_deref().unwrap_or_default()
    }

    /// The member's share of an epoch: that of the genesis, or one of a resharing.
    #[must_use]
    pub fn share_of(&self, epoch: Epoch) -> Option<&SharePin> {
        let born = self.genesis().and_then(|pin| pin.share.as_ref());
        let all = born.into_iter().chain(self.new_shares());
        all.into_iter().find(|pin| pin.epoch == epoch)
    }

    /// The newest share that was received.
    #[must_use]
    pub fn newest_share(&self) -> Option<&SharePin> {
        let born = self.genesis().and_then(|pin| pin.share.as_ref());
        self.new_shares().last().or(born)
    }

    /// Compares a definition with the pinned one, if there is one.
    ///
    /// # Errors
    /// [`PinError::OtherDefinition`], [`PinError::OtherRoot`].
    pub fn check_definition(&self, definition: &Definition) -> Result<(), PinError> {
        let Some(pin) = self.definition() else {
            return Ok(());
        };
        let found = Digest::of(definition);
        if found != pin.digest {
            return Err(PinError::OtherDefinition {
                pinned: pin.digest,
                found,
            });
        }
        self.check_root(&definition.attestation_root)
    }

    /// Compares an attestation root with the pinned one, if there is one.
    ///
    /// # Errors
    /// [`PinError::OtherRoot`].
    pub fn check_root(&self, found: &AttestationRoot) -> Result<(), PinError> {
        match self.definition() {
            Some(pin) if pin.root != *found => Err(PinError::OtherRoot {
                pinned: pin.root.clone(),
                found: found.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Compares a genesis with the pinned one, if there is one.
    ///
    /// # Errors
    /// [`PinError::SecondGenesis`].
    pub fn check_genesis(&self, found: Digest<Genesis>) -> Result<(), PinError> {
        match self.genesis() {
            Some(pin) if pin.digest != found => Err(PinError::SecondGenesis {
                pinned: pin.digest,
                found,
            }),
            _ => Ok(()),
        }
    }

    /// Whether a manifest may be approved or given a share.
    ///
    /// # Errors
    /// [`PinError::Rollback`].
    pub fn check_manifest(&self, offered: HighestSeen) -> Result<(), PinError> {
        if let Some(seen) = self.highest() {
            seen.admit(offered.sequence, offered.digest)?;
        }
        Ok(())
    }

    /// Pins a definition.
    ///
    /// # Errors
    /// As [`check_definition`](Self::check_definition).
    pub fn pin_definition(&mut self, definition: &Definition) -> Result<(), PinError> {
        self.check_definition(definition)?;
        self.0.definition = Some(DefinitionPin {
            digest: Digest::of(definition),
            root: definition.attestation_root.clone(),
        });
        Ok(())
    }

    /// Pins a genesis and the member's share in it.
    ///
    /// # Errors
    /// [`PinError::SecondGenesis`], [`PinError::OtherShare`].
    pub fn pin_genesis(
        &mut self,
        digest: Digest<Genesis>,
        share: Option<SharePin>,
    ) -> Result<(), PinError> {
        self.check_genesis(digest)?;
        let pin = GenesisPin { digest, share };
        if self.genesis().is_some_and(|known| *known != pin) {
            return Err(PinError::OtherShare);
        }
        self.0.genesis = Some(pin);
        Ok(())
    }

    /// Pins the member's share of the genesis where only the genesis was pinned, by a join after it: who
    /// has new keys holds the share still. Once pinned, it stays.
    ///
    /// # Errors
    /// [`PinError::SecondGenesis`], [`PinError::OtherShare`].
    pub fn pin_restored_share(
        &mut self,
        digest: Digest<Genesis>,
        share: SharePin,
    ) -> Result<(), PinError> {
        self.check_genesis(digest)?;
        if self.genesis().is_some_and(|known| known.share.is_none()) {
            self.0.genesis = None;
        }
        self.pin_genesis(digest, Some(share))
    }

    /// Pins the share of a resharing. Once pinned, an epoch has one share.
    ///
    /// # Errors
    /// [`PinError::OtherShare`]; [`PinError::TooManyShares`].
    pub fn pin_new_share(&mut self, pin: SharePin) -> Result<(), PinError> {
        match self.share_of(pin.epoch) {
            Some(known) if *known == pin => return Ok(()),
            Some(_) => return Err(PinError::OtherShare),
            None => {}
        }
        let shares = self.0.shares.get_or_insert_default();
        if shares.len() >= MAX_NEW_SHARES {
            return Err(PinError::TooManyShares);
        }
        shares.push(pin);
        Ok(())
    }

    /// Forgets the share of a resharing whose file is destroyed.
    pub fn forget_new_share(&mut self, epoch: Epoch) {
        if let Some(shares) = &mut self.0.shares {
            shares.retain(|pin| pin.epoch != epoch);
            if shares.is_empty() {
                self.0.shares = None;
            }
        }
    }

    /// Pins a manifest as the highest seen.
    ///
    /// # Errors
    /// As [`check_manifest`](Self::check_manifest).
    pub fn pin_manifest(&mut self, offered: HighestSeen) -> Result<(), PinError> {
        self.check_manifest(offered)?;
        let HighestSeen { sequence, digest } = offered;
        self.0.highest = Some(ManifestPin { sequence, digest });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
