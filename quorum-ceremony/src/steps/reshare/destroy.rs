//! `reshare destroy`: a holder destroys shares that no manifest names any more, and signs that.
//!
//! A share goes out of use when a manifest that names another epoch is approved. The word is signed
//! and published first and the files are destroyed after it; a command that was interrupted in
//! between is repeated, and its word is true then.
//!
//! What this cannot do: the record of the genesis or resharing holds the share sealed, and everybody
//! has that record. It opens with the member's key for ever. Who leaves the namespace destroys the
//! key too (`with_key`); who stays keeps one that opens old records. And
//! nobody can check that there is no copy: only a new key takes an old share's power away. A key in
//! a token is destroyed with the token's own tool, before or after: this command refuses to say it
//! had done it.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Epoch;
use quorate_protocol::instance::Index;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::reshare::ShareDestroyed;
use quorate_protocol::transcript::{Act, Fact};
use quorate_verify::chain::VerifiedChain;
use quorate_verify::genesis::VerifiedGenesis;

use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock};
use crate::pins::SharePin;
use crate::steps::Member;
use crate::steps::attest::{decide as approved, genesis_and_links};
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, everybody, object, refused};
use crate::workspace::{Workspace, destroyed_file};

/// Shares that are out of use.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    old: Vec<SharePin>,
    with_key: bool,
    people: Vec<(Name, VerificationKey)>,
}

/// Shares that were destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destroyed {
    /// Which.
    pub shares: Vec<SharePin>,
    /// The manifest that names others.
    pub manifest: Manifest,
    /// Whether the word was given before.
    pub published: Published,
    /// Whether the key file is gone too.
    pub with_key: bool,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Finds the shares of this member that the newest approved manifest does not name; `with_key` says
/// that the key file goes too.
///
/// # Errors
/// [`StepError::NotReceived`]; a record or chain that contradicts the pins;
/// [`StepError::NothingToDestroy`]; [`StepError::StillSeated`], [`StepError::KeyInToken`].
pub fn review(folder: &Path, private: &Path, with_key: bool) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let (genesis, links) = genesis_and_links(&workspace, &member)?;
    let chain = approved(&member.pins, &genesis, &links)?;
    let known = links.links.get(..chain.links().len()).unwrap_or_default();
    let kept = member.genesis()?.share.iter();
    let kept = kept.chain(member.pins.new_shares());
    let old = out_of_use(genesis.epoch(), known, kept);
    if old.is_empty() {
        return Err(StepError::NothingToDestroy.into());
    }
    let review = Review {
        people: everybody(&workspace, &genesis, known)?,
        workspace,
        member,
        genesis,
        chain,
        old,
        with_key,
    };
    if with_key {
        check_key(&review.member.keys, review.is_seated())?;
    }
    Ok(review)
}

/// Which of these shares, of the epoch `born` or of a resharing since, were named once and are not by
/// the newest manifest of this approved chain. Those of a resharing that no manifest names yet may
/// still be wanted.
#[must_use]
pub fn out_of_use<'s>(
    born: Epoch,
    chain: &[Link],
    shares: impl Iterator<Item = &'s SharePin>,
) -> Vec<SharePin> {
    let mut named = vec![born];
    named.extend(chain.iter().map(|link| link.manifest.epoch));
    let now = named.last();
    let old = shares.filter(|pin| Some(&pin.epoch) != now && named.contains(&pin.epoch));
    old.cloned().collect()
}

impl Review {
    /// The shares that are out of use.
    #[must_use]
    pub fn shares(&self) -> &[SharePin] {
        &self.old
    }

    /// The manifest that names others.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.chain.manifest()
    }

    /// Whether the member has a seat in that manifest still.
    #[must_use]
    pub fn is_seated(&self) -> bool {
        let (manifest, name) = (self.chain.manifest(), self.member.pins.name());
        manifest.manifest_set.named(name).is_some() || manifest.share_set.named(name).is_some()
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// Whether the key file goes too.
    #[must_use]
    pub const fn with_key(&self) -> bool {
        self.with_key
    }

    /// The newest approved manifest, which the word names.
    #[must_use]
    pub fn digest(&self) -> Digest<Manifest> {
        self.chain.digest()
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Signs and publishes the word for the newest of them, and destroys the files.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::SignedWrong`].
    pub fn destroy(self, unlock: impl Into<Unlock>) -> Result<Destroyed, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.carry_out(unlock.into())
            .map_err(|error| refused(&private, Act::Reshare, error))
    }

    fn carry_out(mut self, unlock: Unlock) -> Result<Destroyed, CeremonyError> {
        let keys = self.member.unlock(unlock)?;
        self.member.pins.pin_manifest(self.chain.highest_seen())?;
        self.member.private.store_pins(&self.member.pins)?;
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let (manifest, name) = (self.chain.manifest(), keys.name());
        // There is one in any case, and the newest is the one that counted last.
        let last = self.old.last().ok_or(StepError::NothingToDestroy)?;
        let known = self.workspace.find_destroyed(manifest.sequence, name)?;
        let published = match known {
            Some(known) if is_word(&known, last, &self.chain, &keys.public().signing) => {
                if !journal.tells(&keys, Act::Reshare, &object(known.digest()))? {
                    add(&self.member.private, &content(&known), Effect::None)?;
                }
                Published::AlreadyThere
            }
            Some(_) => {
                let (name, role) = (name.clone(), None);
                return Err(StepError::SignedWrong { name, role }.into());
            }
            None => {
                let word = ShareDestroyed {
                    genesis: self.genesis.digest(),
                    epoch: last.epoch,
                    index: last.index.0,
                    manifest: self.chain.digest(),
                    time: wall_clock(),
                };
                let word = keys.sign(word)?;
                let file = destroyed_file(manifest.sequence, name);
                let effect = Effect::published(&file, &to_bytes(&word))?;
                add(&self.member.private, &content(&word), effect)?;
                self.workspace
                    .publish_destroyed(manifest.sequence, name, &word)?
            }
        };
        journal.settle(&keys)?;
        let private = &self.member.private;
        for pin in &self.old {
            if pin.epoch == self.genesis.epoch() {
                private.destroy_share()?;
            } else {
                private.destroy_new_share(pin.epoch)?;
                self.member.pins.forget_new_share(pin.epoch);
            }
        }
        private.store_pins(&self.member.pins)?;
        if self.with_key {
            private.destroy_key_file()?;
        }
        Ok(Destroyed {
            manifest: manifest.clone(),
            shares: self.old,
            published,
            with_key: self.with_key,
            development: self.genesis.definition().attestation_root.is_development(),
        })
    }
}

/// Whether this command may, and can, destroy these keys.
pub(super) fn check_key(keys: &LockedKeys, seated: bool) -> Result<(), StepError> {
    if seated {
        let name = keys.name().clone();
        return Err(StepError::StillSeated { name });
    }
    match keys {
        LockedKeys::File(_) => Ok(()),
        LockedKeys::Token(_) => Err(StepError::KeyInToken),
    }
}

/// What the record of a word says.
fn content(word: &Signed<ShareDestroyed>) -> Content {
    let claim = word.unverified();
    Content {
        act: Act::Reshare,
        facts: vec![
            object(word.digest()),
            object(claim.manifest),
            Fact::Share(Index(claim.index), claim.epoch),
        ],
    }
}

/// Whether a word in the folder is this member's, for this share.
fn is_word(
    word: &Signed<ShareDestroyed>,
    pin: &SharePin,
    chain: &VerifiedChain,
    key: &VerificationKey,
) -> bool {
    let claim = word.unverified();
    (claim.genesis, claim.epoch, claim.index, claim.manifest)
        == (chain.genesis(), pin.epoch, pin.index.0, chain.digest())
        && word.verify(key).is_ok()
}
