//! `provision`: a member gives their share to one instance.
//!
//! [`attest`] verifies the instance: the member's own nonce, the pinned genesis and root, the
//! approved chain, the measurements, the committed setup keys. Only its result can give a share:
//! [`Verified::give`] seals it to those keys and to nothing else, signs a grant that names them,
//! the document and the ciphertext, and believes a receipt only under the same attested keys.

use std::path::Path;
use std::time::Duration;

use quorate_protocol::atoms::{Name, ShareIndex, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Epoch, Genesis, SealedShare};
use quorate_protocol::instance::Index;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::Role;
use quorate_protocol::message::{ProvisionRequest, Stage};
use quorate_protocol::provision::{
    Provision, ProvisionReceipt, ShareGrant, provision_share_context,
};
use quorate_protocol::transcript::{Act, Fact};
use quorate_sealing::Suite;
use quorate_sharing::Share;
use quorate_verify::chain::{Rollback, VerifiedChain, walk};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::instance::{VerifiedSetup, verify_setup};

use super::attest::{decide, genesis_and_links};
use super::held::Held;
use super::{Member, seal_share};
use crate::address::Address;
use crate::challenge::{Challenge, wall_clock};
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::keys::{LockedKeys, Unlock, UnlockedKeys};
use crate::pins::{PinError, Pins};
use crate::transcript::{Content, Effect, Looked, add, object, people, refused};
use crate::workspace::{IgnoredApproval, Workspace};

/// Longest time between the making of the nonce and the passphrase. The decision itself is taken
/// within [`MAX_AGE`](crate::challenge::MAX_AGE) where a screen asks for it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// How many older manifests are tried to name what a refused instance runs.
const PREDECESSORS: usize = 8;

/// An instance that was verified for this member. Nothing has been given to it yet.
#[derive(Debug)]
pub struct Verified {
    member: Member,
    socket: Address,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    setup: VerifiedSetup,
    index: ShareIndex,
    share: Held,
    ignored: Vec<IgnoredApproval>,
    workspace: Workspace,
    looked: Looked,
    /// Who may have written records so far.
    people: Vec<(Name, VerificationKey)>,
}

/// A share that was given and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The member's index.
    pub index: ShareIndex,
    /// Which shares.
    pub epoch: Epoch,
    /// Grant and receipt, as kept in the private folder.
    pub provision: Provision,
    /// Good shares the instance has, this one included.
    pub accepted: u8,
    /// Good shares it needs.
    pub threshold: u8,
}

/// Verifies the instance that listens on `socket`.
///
/// # Errors
/// [`StepError::NotReceived`], [`StepError::NoShare`]; a record, chain or manifest that
/// contradicts the pins; an attestation that does not hold; [`StepError::SuiteNotAccepted`].
pub fn attest(
    folder: &Path,
    private: &Path,
    socket: impl Into<Address>,
) -> Result<Verified, CeremonyError> {
    look(folder, private, socket).map_err(|error| refused(private, Act::Provision, error))
}

fn look(
    folder: &Path,
    private: &Path,
    socket: impl Into<Address>,
) -> Result<Verified, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let (genesis, links) = genesis_and_links(&workspace, &member)?;
    let chain = decide(&member.pins, &genesis, &links)?;
    let index = decide_share(&member.pins, &chain)?;
    if !genesis.is_active(index, chain.manifest().epoch) {
        return Err(StepError::ShareInactive { index }.into());
    }
    let record = genesis.record();
    let born = (&record.definition, &record.output);
    let share = Held::find(&member.private, born, chain.manifest().epoch)?;
    if share.share.index != index || share.commitments != chain.manifest().commitments {
        return Err(PinError::OtherShare.into());
    }
    let anchors = workspace.anchors(genesis.definition())?;
    let socket = socket.into();
    let mut client = Client::connect(&socket)?;
    let challenge = Challenge::draw()?;
    let nonce = challenge.nonce().map_err(InputError::from)?;
    let document = client.attest(Stage::Setup, nonce)?;
    let verify = |chain: &VerifiedChain| {
        let freshness = challenge.freshness();
        verify_setup(document.as_slice(), &genesis, chain, &anchors, &freshness)
    };
    let setup = verify(&chain).map_err(|error| {
        let seen = chain.highest_seen();
        let older = predecessors(&genesis, &links.links, &chain).find(|old| verify(old).is_ok());
        older.map_or(CeremonyError::from(error), |old| {
            let offered = old.highest_seen();
            PinError::from(Rollback::Lower { seen, offered }).into()
        })
    })?;
    let manifest = chain.manifest();
    let root = &genesis.definition().attestation_root;
    let looked = Looked::new(&challenge, &setup.facts, &manifest.measurements, root)?;
    let approved = links.links.get(..chain.links().len()).unwrap_or_default();
    Ok(Verified {
        looked,
        people: people(genesis.definition(), approved),
        workspace,
        socket,
        ignored: links.ignored,
        member,
        genesis,
        chain,
        setup,
        index,
        share,
    })
}

impl Verified {
    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// The namespace.
    #[must_use]
    pub fn genesis(&self) -> Digest<Genesis> {
        self.genesis.digest()
    }

    /// What the instance will run.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.chain.manifest()
    }

    /// The digest of that.
    #[must_use]
    pub fn manifest_digest(&self) -> Digest<Manifest> {
        self.chain.digest()
    }

    /// The attested setup keys and the document.
    #[must_use]
    pub const fn setup(&self) -> &VerifiedSetup {
        &self.setup
    }

    /// When and for which nonce it was attested.
    #[must_use]
    pub const fn looked(&self) -> &Looked {
        &self.looked
    }

    /// Files that are in somebody's name and are not theirs.
    #[must_use]
    pub fn ignored(&self) -> &[IgnoredApproval] {
        &self.ignored
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Gives the share to the verified instance and keeps its receipt.
    ///
    /// # Errors
    /// [`StepError::ReviewTooOld`] after [`PATIENCE`]; a wrong passphrase or PIN; a share that does not
    /// belong to the commitments; what the enclave answers; [`StepError::ReceiptWrong`].
    pub fn give(self, unlock: impl Into<Unlock>) -> Result<Given, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.hand_over(unlock.into())
            .map_err(|error| refused(&private, Act::Provision, error))
    }

    fn hand_over(mut self, unlock: Unlock) -> Result<Given, CeremonyError> {
        check_patience(self.looked.age())?;
        let keys = self.member.unlock(unlock)?;
        let share = self.share.open(&keys)?;
        self.member.pins.pin_manifest(self.chain.highest_seen())?;
        self.member.private.store_pins(&self.member.pins)?;
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let (grant, sealed) = self.grant(&share, &keys, wall_clock())?;
        drop(share);
        let mut client = Client::connect(&self.socket)?;
        // Before the share leaves: what was sent is told, whatever comes back.
        add(
            &self.member.private,
            &self.content(&grant),
            Effect::Sent(grant.digest()),
        )?;
        let receipt = client.provision(ProvisionRequest {
            grant: grant.clone(),
            sealed,
        })?;
        let ProvisionReceipt {
            accepted,
            threshold,
            ..
        } = *check_receipt(&receipt, &grant, &self.setup, &self.chain)?;
        let provision = Provision { grant, receipt };
        self.member.private.store_provision(&provision)?;
        journal.settle(&keys)?;
        Ok(Given {
            index: self.index,
            epoch: self.chain.manifest().epoch,
            provision,
            accepted,
            threshold,
        })
    }

    /// What the record says, beside the answer.
    fn content(&self, grant: &Signed<ShareGrant>) -> Content {
        let granted = grant.unverified();
        let mut facts = vec![
            object(grant.digest()),
            object(granted.sealed),
            object(granted.manifest),
            object(granted.genesis),
            Fact::Share(Index(granted.index), granted.epoch),
        ];
        facts.extend(self.looked.facts());
        Content {
            act: Act::Provision,
            facts,
        }
    }

    /// The share, sealed to the attested setup key, and the grant that names it.
    fn grant(
        &self,
        share: &Share,
        keys: &UnlockedKeys,
        time: UnixMillis,
    ) -> Result<(Signed<ShareGrant>, SealedShare), CeremonyError> {
        let (genesis, manifest) = (self.genesis.digest(), self.chain.digest());
        let epoch = self.chain.manifest().epoch;
        let context = provision_share_context(&genesis, &manifest, self.index, &epoch);
        let sealed = seal_share(share, &self.setup.setup.encryption, &context)?;
        let grant = ShareGrant {
            role: Role::ShareSet,
            genesis,
            manifest,
            setup: self.setup.setup.clone(),
            document: self.setup.facts.document,
            index: self.index,
            epoch,
            sealed: Digest::of(&sealed),
            time,
        };
        Ok((keys.sign(grant)?, sealed))
    }
}

/// A terminal that was left alone overnight does not give a share in the morning.
pub(crate) fn check_patience(waited: Duration) -> Result<(), StepError> {
    if waited > PATIENCE {
        return Err(StepError::ReviewTooOld { waited });
    }
    Ok(())
}

/// The chain as it was before its newest manifests. An instance that runs an older one is refused in
/// any case; with these the refusal can say so.
fn predecessors<'c>(
    genesis: &'c VerifiedGenesis,
    links: &'c [Link],
    chain: &VerifiedChain,
) -> impl Iterator<Item = VerifiedChain> + 'c {
    let newest = chain.links().len();
    let lengths = (1..newest).rev().take(PREDECESSORS);
    lengths.filter_map(|len| walk(genesis, links.get(..len)?).ok())
}

/// Which share a member of these pins may give to an instance of this chain.
pub(crate) fn decide_share(
    pins: &Pins,
    chain: &VerifiedChain,
) -> Result<ShareIndex, CeremonyError> {
    let no_share = || StepError::NoShare {
        name: pins.name().clone(),
    };
    let manifest = chain.manifest();
    let Some(share) = pins.share_of(manifest.epoch) else {
        return match pins.newest_share() {
            Some(_) => Err(StepError::EpochRevoked {
                named: manifest.epoch,
            }
            .into()),
            None => Err(no_share().into()),
        };
    };
    let person = manifest.share_set.named(pins.name()).ok_or_else(no_share)?;
    if person.index != share.index.0 {
        return Err(PinError::OtherShare.into());
    }
    if !manifest.suites.contains(&Suite::P256Sha256Aes256Gcm.id()) {
        return Err(StepError::SuiteNotAccepted.into());
    }
    Ok(person.index)
}

/// Whether the attested instance acknowledged this very grant.
fn check_receipt<'r>(
    receipt: &'r Signed<ProvisionReceipt>,
    grant: &Signed<ShareGrant>,
    setup: &VerifiedSetup,
    chain: &VerifiedChain,
) -> Result<&'r ProvisionReceipt, StepError> {
    let wrong = StepError::ReceiptWrong;
    let claim = receipt
        .verify(&setup.setup.verification)
        .map_err(|_| wrong.clone())?;
    let granted = grant.unverified();
    let threshold = chain.manifest().share_set.threshold;
    let same = (claim.genesis, claim.manifest, claim.index, claim.epoch)
        == (
            granted.genesis,
            granted.manifest,
            granted.index,
            granted.epoch,
        );
    let counts = claim.threshold == threshold && (1..=threshold).contains(&claim.accepted);
    if same && counts && claim.grant == grant.digest() {
        Ok(claim)
    } else {
        Err(wrong)
    }
}

#[cfg(test)]
mod tests;
