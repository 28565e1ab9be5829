//! `drill give`: a member takes part in a drill.
//!
//! [`attest`] verifies the enclave as `provision` does: own nonce, pinned genesis and root, approved
//! chain, measurements, committed setup keys; and that it was started for a drill and nothing else.
//! Only its result can give: [`Verified::give`] opens the real share, checks it and signs with it that
//! the member holds it, for this enclave only. What is sealed and sent is the drill share, which has
//! nothing to do with the key. The real share leaves nowhere.

use std::path::Path;

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    DrillGrant, DrillPossession, DrillReceipt, DrillRequest, drill_share_context,
};
use quorate_protocol::genesis::{Epoch, Genesis};
use quorate_protocol::instance::Index;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::Role;
use quorate_protocol::message::{Reason, Stage};
use quorate_protocol::transcript::{Act, Fact};
use quorate_sharing::Share;
use quorate_verify::chain::VerifiedChain;
use quorate_verify::drill::{DrillError, made_by, sharing_of};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::instance::{VerifiedDrillSetup, verify_drill_setup};

use crate::address::Address;
use crate::challenge::{Challenge, wall_clock};
use crate::client::{Client, ClientError};
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::keys::{LockedKeys, Unlock, UnlockedKeys};
use crate::pins::PinError;
use crate::private::Drilled;
use crate::steps::attest::{decide, genesis_and_links};
use crate::steps::held::Held;
use crate::steps::provision::{check_patience, own_share};
use crate::steps::{Member, seal_share};
use crate::transcript::{Content, Effect, Looked, add, everybody, object, refused};
use crate::workspace::{IgnoredApproval, Workspace};

/// A drill enclave that was verified for this member. Nothing has been given to it yet.
#[derive(Debug)]
pub struct Verified {
    member: Member,
    socket: Address,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    setup: VerifiedDrillSetup,
    index: ShareIndex,
    real: Held,
    drill: Epoch,
    /// None where the drill share is sealed to keys that the member has replaced.
    share: Option<Held>,
    ignored: Vec<IgnoredApproval>,
    workspace: Workspace,
    looked: Looked,
    people: Vec<(Name, VerificationKey)>,
}

/// A member's part in a drill, done and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The member's index.
    pub index: ShareIndex,
    /// Which real shares were proved.
    pub epoch: Epoch,
    /// What was signed.
    pub grant: Signed<DrillGrant>,
    /// The enclave's answer.
    pub receipt: DrillReceipt,
    /// Whether a drill share went with the proof.
    pub gave_share: bool,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Verifies the drill enclave that listens on `socket`.
///
/// # Errors
/// [`StepError::NotReceived`], [`StepError::NoShare`], [`StepError::KeysNotNamed`], [`StepError::NoDrill`]; a record, chain or manifest that contradicts the
/// pins; an attestation that does not hold, or is an instance's.
pub fn attest(
    folder: &Path,
    private: &Path,
    socket: impl Into<Address>,
) -> Result<Verified, CeremonyError> {
    look(folder, private, socket).map_err(|error| refused(private, Act::Drill, error))
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
    let (index, epoch) = (own_share(&member, &chain)?, chain.manifest().epoch);
    if !genesis.is_active(index, epoch) {
        return Err(StepError::ShareInactive { index }.into());
    }
    let record = genesis.record();
    let real = Held::find(&member.private, (&record.definition, &record.output), epoch)?;
    if real.share.index != index || real.commitments != chain.manifest().commitments {
        return Err(PinError::OtherShare.into());
    }
    let known = links.links.get(..chain.links().len()).unwrap_or_default();
    let drill = sharing_of(&genesis, &chain, known)?.commitments.epoch();
    let share = own_drill_share(&member, &genesis, &chain, known, index)?;
    let anchors = workspace.anchors(genesis.definition())?;
    let socket = socket.into();
    let mut client = Client::connect(&socket)?;
    let challenge = Challenge::draw()?;
    let nonce = challenge.nonce().map_err(InputError::from)?;
    let document = client.attest(Stage::Drill, nonce).map_err(not_for_it)?;
    let definition = genesis.definition();
    let freshness = challenge.freshness(definition.age_limit);
    let setup = verify_drill_setup(document.as_slice(), &genesis, &chain, &anchors, &freshness)?;
    let measurements = &chain.manifest().measurements;
    let looked = Looked::new(&challenge, &setup.facts, measurements, definition)?;
    Ok(Verified {
        people: everybody(&workspace, &genesis, known)?,
        looked,
        workspace,
        socket,
        ignored: links.ignored,
        member,
        genesis,
        chain,
        setup,
        index,
        real,
        drill,
        share,
    })
}

/// An enclave that has nothing to attest for a drill was started for none.
fn not_for_it(error: ClientError) -> CeremonyError {
    match error {
        ClientError::Refused(refusal) if refusal.reason == Reason::NothingToAttest => {
            StepError::NoDrill.into()
        }
        error => error.into(),
    }
}

/// The member's drill share, out of the record that everybody has; none where it is sealed to other keys
/// than the member's present ones.
fn own_drill_share(
    member: &Member,
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
    links: &[Link],
    index: ShareIndex,
) -> Result<Option<Held>, CeremonyError> {
    let epoch = chain.manifest().epoch;
    let key = &member.keys.public().encryption;
    if epoch == genesis.epoch() {
        let record = genesis.record();
        let sealed_to = record.definition.share_set.member(index);
        let fits = sealed_to.is_some_and(|person| person.encryption_key == *key);
        let held = Held::drill_of_genesis(&record.definition, &record.output, index);
        return Ok(held.filter(|_| fits));
    }
    let made = made_by(chain, links).ok_or(DrillError::SharingMissing)?;
    let order = &made.reshare.order;
    let sealed_to = order.share_set.member(index);
    let fits = sealed_to.is_some_and(|person| person.encryption_key == *key);
    let drill = &made.reshare.record.unverified().drill;
    Ok(Held::drill_of_reshare(&Digest::of(order), drill, index).filter(|_| fits))
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

    /// The manifest that names the shares.
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
    pub const fn setup(&self) -> &VerifiedDrillSetup {
        &self.setup
    }

    /// When and for which nonce it was attested.
    #[must_use]
    pub const fn looked(&self) -> &Looked {
        &self.looked
    }

    /// Whether a drill share goes with the proof; without one the member's keys have been replaced
    /// since it was sealed.
    #[must_use]
    pub const fn gives_share(&self) -> bool {
        self.share.is_some()
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

    /// Proves the real share, and gives the drill share.
    ///
    /// # Errors
    /// [`StepError::ReviewTooOld`]; a wrong passphrase or PIN; a share that does not belong to its
    /// commitments; what the enclave answers; [`StepError::ReceiptWrong`].
    pub fn give(self, unlock: impl Into<Unlock>) -> Result<Given, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.hand_over(unlock.into())
            .map_err(|error| refused(&private, Act::Drill, error))
    }

    fn hand_over(mut self, unlock: Unlock) -> Result<Given, CeremonyError> {
        check_patience(self.looked.age(), self.looked.limit())?;
        let keys = self.member.unlock(unlock)?;
        let real = self.real.open(&keys)?;
        let possession = Signed::sign(self.possession(), &real.signing_key());
        drop(real);
        let share = self.share.as_ref().map(|held| held.open(&keys));
        let share = share.transpose()?;
        self.member.pins.pin_manifest(self.chain.highest_seen())?;
        self.member.private.store_pins(&self.member.pins)?;
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let request = self.request(possession, share, &keys)?;
        let mut client = Client::connect(&self.socket)?;
        let grant = request.grant.clone();
        let gave_share = request.sealed.is_some();
        // The enclave takes a part once: that it was sent is told, whatever comes back.
        let effect = Effect::Proved(grant.digest());
        add(&self.member.private, &self.content(&grant), effect)?;
        let answer = client.drill_give(request)?;
        let receipt = self.check_receipt(&answer, &grant)?;
        self.member.private.store_drilled(&Drilled {
            grant: grant.clone(),
            receipt: answer,
        })?;
        journal.settle(&keys)?;
        Ok(Given {
            index: self.index,
            epoch: self.chain.manifest().epoch,
            grant,
            receipt,
            gave_share,
            development: self.setup.facts.development,
        })
    }

    fn possession(&self) -> DrillPossession {
        DrillPossession {
            genesis: self.genesis.digest(),
            manifest: self.chain.digest(),
            epoch: self.chain.manifest().epoch,
            index: self.index,
            setup: self.setup.setup.clone(),
            document: self.setup.facts.document,
        }
    }

    fn request(
        &self,
        possession: Signed<DrillPossession>,
        share: Option<Share>,
        keys: &UnlockedKeys,
    ) -> Result<DrillRequest, CeremonyError> {
        let (genesis, manifest) = (self.genesis.digest(), self.chain.digest());
        let context = drill_share_context(&genesis, &manifest, self.index, &self.drill);
        let to = &self.setup.setup.encryption;
        let sealed = share.map(|share| seal_share(&share, to, &context));
        let sealed = sealed.transpose()?;
        let grant = DrillGrant {
            role: Role::ShareSet,
            possession,
            drill: self.drill,
            sealed: sealed.as_ref().map(Digest::of),
            time: wall_clock(),
        };
        Ok(DrillRequest {
            grant: keys.sign(grant)?,
            sealed,
        })
    }

    /// What the record says, beside the answer.
    fn content(&self, grant: &Signed<DrillGrant>) -> Content {
        let claim = grant.unverified();
        let possession = &claim.possession;
        let mut facts = vec![
            object(grant.digest()),
            object(possession.digest()),
            object(possession.unverified().manifest),
            object(possession.unverified().genesis),
            Fact::Share(Index(self.index), possession.unverified().epoch),
        ];
        facts.extend(claim.sealed.map(object));
        facts.extend(self.looked.facts());
        Content {
            act: Act::Drill,
            facts,
        }
    }

    /// Whether the attested enclave acknowledged this very grant.
    fn check_receipt(
        &self,
        receipt: &Signed<DrillReceipt>,
        grant: &Signed<DrillGrant>,
    ) -> Result<DrillReceipt, StepError> {
        let claim = receipt.verify(&self.setup.setup.verification);
        let claim = claim.map_err(|_| StepError::ReceiptWrong)?;
        let threshold = self.chain.manifest().share_set.threshold;
        let holds = claim.grant == grant.digest()
            && claim.index == self.index
            && claim.threshold == threshold
            && claim.proved >= claim.accepted
            && claim.proved > 0;
        match holds {
            true => Ok(claim.clone()),
            false => Err(StepError::ReceiptWrong),
        }
    }
}
