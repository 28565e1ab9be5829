//! `provision`: a member gives their share to one instance.
//!
//! [`attest`] verifies the instance: the member's own nonce, the pinned genesis and root, the
//! approved chain, the measurements, the committed setup keys. Only its result can give a share:
//! [`Verified::give`] seals it to those keys and to nothing else, signs a grant that names them,
//! the document and the ciphertext, and believes a receipt only under the same attested keys.
//!
//! The enclave is reached over a socket, or by files that are carried ([`carried`]): what is verified
//! and signed is the same code for both.

pub mod carried;

use std::path::Path;
use std::time::Duration;

use quorate_protocol::atoms::{Name, ShareIndex, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{AgeLimit, Definition};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Document, Epoch, Genesis, SealedShare};
use quorate_protocol::instance::Index;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::Role;
use quorate_protocol::message::{ProvisionRequest, Stage};
use quorate_protocol::provision::{
    Provision, ProvisionReceipt, ShareGrant, provision_share_context,
};
use quorate_protocol::surrogate::{Delegation, EntrustedShare};
use quorate_protocol::transcript::{Act, Fact};
use quorate_sealing::Suite;
use quorate_sharing::Share;
use quorate_verify::chain::{Rollback, VerifiedChain, walk_at};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::instance::{VerifiedSetup, verify_setup};
use quorate_verify::surrogate::counts;

use super::attest::{decide, genesis_and_links};
use super::held::Held;
use super::surrogate::accept::check_share;
use super::surrogate::{Acting, Wanted, acting};
use super::{Member, seal_share};
use crate::address::Address;
use crate::challenge::{Challenge, wall_clock};
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::keys::{LockedKeys, Unlock, UnlockedKeys};
use crate::pins::{PinError, Pins};
use crate::transcript::{Content, Effect, Looked, add, everybody, object, refused};
use crate::workspace::{IgnoredApproval, Links, Workspace};

/// Longest time for the passphrase, after the last moment at which the decision can be taken: the
/// limit of the definition, from the making of the nonce.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// How many older manifests are tried to name what a refused instance runs.
const PREDECESSORS: usize = 8;

/// An instance that was verified for this member. Nothing has been given to it yet. `V` is the way
/// to it.
#[derive(Debug)]
pub struct Verified<V = Address> {
    member: Member,
    via: V,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    setup: VerifiedSetup,
    index: ShareIndex,
    share: Held,
    /// For whom, where a surrogate gives the share.
    acting: Option<Acting>,
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
    /// Grant and receipt, as kept in the private folder; and the delegation, where a surrogate gave it.
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
    let prepared = Prepared::of(Workspace::open(folder)?, Member::open(private)?)?;
    let socket = socket.into();
    let mut client = Client::connect(&socket)?;
    let challenge = Challenge::draw()?;
    let nonce = challenge.nonce().map_err(InputError::from)?;
    let document = client.attest(Stage::Setup, nonce)?;
    prepared.verify(&challenge, &document, socket)
}

/// A member who may give their share, before anything is known of the instance.
struct Prepared {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    links: Links,
    chain: VerifiedChain,
    index: ShareIndex,
    share: Held,
    acting: Option<Acting>,
}

impl Prepared {
    fn of(workspace: Workspace, member: Member) -> Result<Self, CeremonyError> {
        let (genesis, links) = genesis_and_links(&workspace, &member)?;
        let chain = decide(&member.pins, &genesis, &links)?;
        let acting = for_another(&workspace, &member, &genesis, &chain)?;
        let index = match &acting {
            Some((acting, _)) => acting.member.index,
            None => own_share(&member, &chain)?,
        };
        if !genesis.is_active(index, chain.manifest().epoch) {
            return Err(StepError::ShareInactive { index }.into());
        }
        let record = genesis.record();
        let born = (&record.definition, &record.output);
        let (share, acting) = match acting {
            Some((acting, kept)) => {
                let commitments = chain.manifest().commitments.clone();
                (Held::of_entrusted(&kept, commitments), Some(acting))
            }
            None => (
                Held::find(&member.private, born, chain.manifest().epoch)?,
                None,
            ),
        };
        if share.share.index != index || share.commitments != chain.manifest().commitments {
            return Err(PinError::OtherShare.into());
        }
        Ok(Self {
            workspace,
            member,
            genesis,
            links,
            chain,
            index,
            share,
            acting,
        })
    }

    /// Verifies what an instance attested for this challenge.
    fn verify<V>(
        self,
        challenge: &Challenge,
        document: &Document,
        via: V,
    ) -> Result<Verified<V>, CeremonyError> {
        let Self {
            workspace,
            member,
            genesis,
            links,
            chain,
            index,
            share,
            acting,
        } = self;
        // The definition that was pinned and signed.
        let definition = genesis.definition();
        let anchors = workspace.anchors(definition)?;
        let limit = definition.age_limit;
        let verify = |chain: &VerifiedChain| {
            let freshness = challenge.freshness(limit);
            verify_setup(document.as_slice(), &genesis, chain, &anchors, &freshness)
        };
        let setup = verify(&chain).map_err(|error| {
            let seen = chain.highest_seen();
            let older =
                predecessors(&genesis, &links.links, &chain).find(|old| verify(old).is_ok());
            older.map_or(CeremonyError::from(error), |old| {
                let offered = old.highest_seen();
                PinError::from(Rollback::Lower { seen, offered }).into()
            })
        })?;
        if let Some(acting) = &acting {
            // The enclave will compare the end with its own time, which is this document's.
            counts(acting.delegation.unverified(), setup.facts.timestamp)?;
        }
        let measurements = &chain.manifest().measurements;
        let looked = Looked::new(challenge, &setup.facts, measurements, definition)?;
        let approved = links.links.get(..chain.links().len()).unwrap_or_default();
        Ok(Verified {
            looked,
            people: everybody(&workspace, &genesis, approved)?,
            workspace,
            via,
            ignored: links.ignored,
            member,
            genesis,
            chain,
            setup,
            index,
            share,
            acting,
        })
    }
}

/// The member for whom this person gives a share, and that share: only where this person has no seat of
/// their own among the holders.
fn for_another(
    workspace: &Workspace,
    member: &Member,
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
) -> Result<Option<(Acting, EntrustedShare)>, CeremonyError> {
    let (manifest, name) = (chain.manifest(), member.pins.name());
    if manifest.share_set.named(name).is_some() {
        return Ok(None);
    }
    let sequence = manifest.sequence;
    let wanted = Wanted {
        genesis: genesis.digest(),
        sequence,
        role: Role::ShareSet,
        sets: [&manifest.manifest_set, &manifest.share_set],
    };
    let key = member.keys.public().signing;
    let Some(acting) = acting(workspace, &wanted, (name, &key), wall_clock())? else {
        return Ok(None);
    };
    if !manifest.suites.contains(&Suite::P256Sha256Aes256Gcm.id()) {
        return Err(StepError::SuiteNotAccepted.into());
    }
    let kept = member.private.find_entrusted(acting.delegation.digest())?;
    let kept = kept.ok_or_else(|| StepError::NothingEntrusted {
        member: acting.member.name.clone(),
        name: name.clone(),
    })?;
    check_share(&kept.share, &acting, chain)?;
    Ok(Some((acting, kept.share.unverified().clone())))
}

impl<V> Verified<V> {
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

    /// For whom the share would be given, where a surrogate gives it.
    #[must_use]
    pub const fn acting(&self) -> Option<&Acting> {
        self.acting.as_ref()
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

    /// Unlocks the keys, and makes the grant for the instance that was verified. From here on what the
    /// member has seen is pinned.
    fn decide(
        &mut self,
        unlock: Unlock,
    ) -> Result<(UnlockedKeys, Signed<ShareGrant>, SealedShare), CeremonyError> {
        check_patience(self.looked.age(), self.looked.limit())?;
        let keys = self.member.unlock(unlock)?;
        let share = self.share.open(&keys)?;
        self.member.pins.pin_manifest(self.chain.highest_seen())?;
        self.member.private.store_pins(&self.member.pins)?;
        self.settle(&keys)?;
        let (grant, sealed) = self.grant(&share, &keys, wall_clock())?;
        drop(share);
        Ok((keys, grant, sealed))
    }

    /// What travels beside a grant that a surrogate signed.
    fn delegation(&self) -> Option<Box<Signed<Delegation>>> {
        let acting = self.acting.as_ref();
        acting.map(|acting| Box::new(acting.delegation.clone()))
    }

    fn settle(&self, keys: &UnlockedKeys) -> Result<(), CeremonyError> {
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(keys).map(drop)
    }

    /// Notes that a share is about to leave: what was sent is told, whatever comes back.
    fn note(&self, grant: &Signed<ShareGrant>) -> Result<(), CeremonyError> {
        add(
            &self.member.private,
            &self.content(grant),
            Effect::Sent(grant.digest()),
        )
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
        if let Some(acting) = &self.acting {
            facts.extend(super::surrogate::facts(&acting.delegation));
        }
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

impl Verified<Address> {
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
        let (keys, grant, sealed) = self.decide(unlock)?;
        let mut client = Client::connect(&self.via)?;
        self.note(&grant)?;
        let delegation = self.delegation();
        let receipt = client.provision(ProvisionRequest {
            grant: grant.clone(),
            sealed,
            delegation: delegation.clone(),
        })?;
        let threshold = self.chain.manifest().share_set.threshold;
        let given = Given::checked((grant, delegation), receipt, threshold)?;
        self.member.private.store_provision(&given.provision)?;
        self.settle(&keys)?;
        Ok(given)
    }
}

impl Given {
    /// A grant of this member and what the instance it names answered.
    fn checked(
        (grant, delegation): (Signed<ShareGrant>, Option<Box<Signed<Delegation>>>),
        receipt: Signed<ProvisionReceipt>,
        threshold: u8,
    ) -> Result<Self, StepError> {
        let ProvisionReceipt {
            accepted,
            index,
            epoch,
            ..
        } = *check_receipt(&receipt, &grant, threshold)?;
        Ok(Self {
            index,
            epoch,
            provision: Provision {
                grant,
                receipt,
                delegation,
            },
            accepted,
            threshold,
        })
    }
}

/// A terminal that was left alone overnight does not give a share in the morning.
pub(crate) fn check_patience(waited: Duration, limit: AgeLimit) -> Result<(), StepError> {
    if waited > limit.duration().saturating_add(PATIENCE) {
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
    lengths.filter_map(|len| walk_at(genesis, links.get(..len)?, wall_clock()).ok())
}

/// Which share a member may give to an instance of this chain. The keys must be those that it names: what
/// others sign counts for nobody, so nobody types a passphrase for it.
pub(crate) fn own_share(
    member: &Member,
    chain: &VerifiedChain,
) -> Result<ShareIndex, CeremonyError> {
    let index = decide_share(&member.pins, chain)?;
    let named = chain.manifest().share_set.member(index);
    let own = member.keys.public().signing;
    if named.is_none_or(|person| person.signing_key != own) {
        let name = member.pins.name().clone();
        return Err(StepError::KeysNotNamed { name }.into());
    }
    Ok(index)
}

/// Which share a member of these pins may give to an instance of this chain.
fn decide_share(pins: &Pins, chain: &VerifiedChain) -> Result<ShareIndex, CeremonyError> {
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

/// Whether the instance that a grant of this member names acknowledged it: its setup key as it was
/// attested when the grant was made.
fn check_receipt<'r>(
    receipt: &'r Signed<ProvisionReceipt>,
    grant: &Signed<ShareGrant>,
    threshold: u8,
) -> Result<&'r ProvisionReceipt, StepError> {
    let wrong = StepError::ReceiptWrong;
    let granted = grant.unverified();
    let claim = receipt
        .verify(&granted.setup.verification)
        .map_err(|_| wrong.clone())?;
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
