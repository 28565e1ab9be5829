//! A share that a member keeps, sealed, and what it belongs to: a genesis or a resharing.
//!
//! Guarantees: what is opened has been checked against the commitments of its epoch, which come with
//! a pinned genesis or from the private folder.

use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    DrillSharing, genesis_drill_share_context, reshare_drill_share_context,
};
use quorate_protocol::genesis::{
    CommitmentList, Epoch, GenesisOutput, MemberShare, SealContext, genesis_share_context,
};
use quorate_protocol::reshare::{ReshareOrder, reshare_share_context};
use quorate_protocol::surrogate::{EntrustedShare, surrogate_share_context};
use quorate_sealing::ExternalOpenError;
use quorate_sharing::{SCALAR_LEN, Share};
use zeroize::Zeroizing;

use crate::error::{CeremonyError, StepError};
use crate::keys::UnlockedKeys;
use crate::private::{NewShare, PrivateFolder};

/// A sealed share and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) share: MemberShare,
    pub(crate) commitments: CommitmentList,
    pub(crate) context: SealContext,
}

impl Held {
    /// A share of a genesis.
    pub(crate) fn of_genesis(
        definition: &Definition,
        output: &GenesisOutput,
        share: MemberShare,
    ) -> Self {
        Self {
            context: genesis_share_context(&Digest::of(definition), share.index),
            commitments: output.commitments.clone(),
            share,
        }
    }

    /// A share of a resharing.
    pub(crate) fn of_reshare(kept: NewShare) -> Self {
        let epoch = kept.commitments.epoch();
        Self {
            context: reshare_share_context(&kept.order, kept.share.index, &epoch),
            commitments: kept.commitments,
            share: kept.share,
        }
    }

    /// A share that a member entrusted to their surrogate, with the commitments of its epoch.
    pub(crate) fn of_entrusted(kept: &EntrustedShare, commitments: CommitmentList) -> Self {
        let epoch = commitments.epoch();
        Self {
            context: surrogate_share_context(&kept.genesis, &kept.delegation, kept.index, &epoch),
            commitments,
            share: MemberShare {
                index: kept.index,
                sealed: kept.sealed.clone(),
            },
        }
    }

    /// A member's drill share of a genesis. Not kept: the record has it.
    pub(crate) fn drill_of_genesis(
        definition: &Definition,
        output: &GenesisOutput,
        index: ShareIndex,
    ) -> Option<Self> {
        let named = Digest::of(definition);
        Self::drill(&output.drill, index, |drill| {
            genesis_drill_share_context(&named, index, drill)
        })
    }

    /// A member's drill share of a resharing.
    pub(crate) fn drill_of_reshare(
        order: &Digest<ReshareOrder>,
        sharing: &DrillSharing,
        index: ShareIndex,
    ) -> Option<Self> {
        Self::drill(sharing, index, |drill| {
            reshare_drill_share_context(order, index, drill)
        })
    }

    fn drill(
        sharing: &DrillSharing,
        index: ShareIndex,
        context: impl FnOnce(&Epoch) -> SealContext,
    ) -> Option<Self> {
        let share = sharing.shares.iter().find(|share| share.index == index)?;
        Some(Self {
            share: share.clone(),
            context: context(&sharing.commitments.epoch()),
            commitments: sharing.commitments.clone(),
        })
    }

    /// The share of `epoch` in a private folder. `definition` and `output` are the pinned genesis'.
    pub(crate) fn find(
        private: &PrivateFolder,
        (definition, output): (&Definition, &GenesisOutput),
        epoch: Epoch,
    ) -> Result<Self, CeremonyError> {
        if epoch == output.commitments.epoch() {
            return Ok(Self::of_genesis(definition, output, private.share()?));
        }
        Ok(Self::of_reshare(private.new_share(epoch)?))
    }

    /// Opens it and checks it against the commitments.
    pub(crate) fn open(&self, keys: &UnlockedKeys) -> Result<Share, CeremonyError> {
        let index = self.share.index;
        let unreadable = StepError::ShareUnreadable { index };
        let opened = keys.open(
            self.context.info.as_bytes(),
            &self.context.aad,
            &self.share.sealed,
            SCALAR_LEN,
        );
        let plain = opened.map_err(|error| match error {
            ExternalOpenError::Key(error) => CeremonyError::from(error),
            ExternalOpenError::Message(_) => unreadable.clone().into(),
        })?;
        let mut scalar = Zeroizing::new([0; SCALAR_LEN]);
        if plain.len() != SCALAR_LEN {
            return Err(unreadable.into());
        }
        scalar.copy_from_slice(&plain);
        let opened = Share::from_bytes(index, &scalar).map_err(|_| unreadable)?;
        self.commitments
            .inner()
            .check(&opened)
            .map_err(|_| StepError::ShareWrong { index })?;
        Ok(opened)
    }
}
