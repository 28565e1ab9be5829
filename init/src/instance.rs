//! Boot and provisioning: from an approved manifest to the quorum key.
//!
//! The phases are types. A [`Collecting`] can be had only from [`boot`], which commits the setup
//! and live keys to locked registers before it returns; a [`Provisioned`] only from a
//! [`Collecting`] whose shares reached the threshold or that opened a forwarded key
//! ([`crate::import`]). So code that takes shares without having committed to its keys, or launches
//! without the quorum key, does not compile.
//!
//! Guarantees: a refused request changes nothing. A share is decrypted only after its grant is
//! known to be a member's, or their surrogate's whose time is not over by the NSM, for this very
//! instance and ciphertext; a member is named as having given a bad share only then. Good shares are
//! kept when a bad one comes. The setup keys are erased when the quorum key has come.

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::attested::{
    PCR_APPLICATIONS, PCR_LIVE, PCR_SETUP, applications_extension, live_extension, setup_extension,
};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::{Origin, Provisioning};
use quorate_protocol::genesis::{Genesis, GenesisRecord};
use quorate_protocol::instance::{
    Index, InstanceCertificate, KeyRing, KeyRingFields, Provenance, Purpose, RingEntry, derive,
    derive_sealing,
};
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::{Application, Link, Manifest};
use quorate_protocol::members::{Member, Role};
use quorate_protocol::message::{BootRequest, Booted, ProvisionRequest, Reason};
use quorate_protocol::provision::{Provision, ProvisionReceipt, provision_share_context};
use quorate_protocol::surrogate::Delegation;
use quorate_sharing::{Collector, Progress, Secret, Share, ShareIndex, ShareRefused};
use quorate_verify::chain::{ChainError, VerifiedChain, walk_at};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::surrogate::{self, Place, SurrogateError};
use zeroize::Zeroizing;

use crate::device::{Device, SecretPair};
use crate::export::Exports;
use crate::nsm::Transport;
use crate::refuse::{Denied, Halt, refuse, refuse_member};
use crate::reshare::Orders;
use crate::uploads::Uploads;

/// What an instance is, from boot to its end. Holds nothing secret.
pub(crate) struct Identity {
    pub(crate) genesis: VerifiedGenesis,
    pub(crate) chain: VerifiedChain,
    /// The chain as received, for the evidence.
    pub(crate) links: Vec<Link>,
    pub(crate) setup: KeyPair,
    pub(crate) live: KeyPair,
}

impl Identity {
    pub(crate) fn genesis_digest(&self) -> Digest<Genesis> {
        self.genesis.digest()
    }

    pub(crate) fn manifest_digest(&self) -> Digest<Manifest> {
        self.chain.digest()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        self.chain.manifest()
    }
}

/// An instance that waits for shares.
pub(crate) struct Collecting {
    pub(crate) identity: Identity,
    pub(crate) setup: Box<SecretPair>,
    live: Box<SecretPair>,
    collector: Collector,
    provisions: Vec<Provision>,
}

/// An instance that has the quorum key.
pub(crate) struct Provisioned {
    pub(crate) identity: Identity,
    pub(crate) live: Box<SecretPair>,
    /// For forward and reshare; nobody else ever sees it. In a box, so that moving the instance
    /// leaves no copy behind.
    pub(crate) secret: Box<Secret>,
    pub(crate) provisioning: Provisioning,
    /// What it has forwarded.
    pub(crate) exports: Exports,
    /// Orders to reshare.
    pub(crate) orders: Orders,
}

/// Checks everything, then makes and commits the instance's keys.
///
/// # Errors
/// [`Denied::Refused`] before any register was touched; [`Denied::Fatal`] after.
pub(crate) fn boot<T: Transport>(
    device: &mut Device<T>,
    uploads: &Uploads,
    request: BootRequest,
) -> Result<(Collecting, Booted), Denied> {
    let (genesis, chain) = check_boot(device, request.record, &request.chain)?;
    let manifest = chain.manifest();
    for Application {
        name, sha256, size, ..
    } in &manifest.applications
    {
        if uploads.complete(sha256, *size).is_none() {
            return Err(refuse(
                Reason::BinaryMissing,
                &format!("{name}, SHA-256 {sha256}"),
            ));
        }
    }
    device.expect_measurements(&manifest.measurements)?;

    let mut generator = device.generator(core::iter::empty())?;
    let setup = SecretPair::generate(&mut generator);
    let live = SecretPair::generate(&mut generator);
    let (named, digest) = (genesis.digest(), chain.digest());
    device.commit(PCR_SETUP, &setup_extension(&named, &digest, &setup.public))?;
    device.commit(PCR_LIVE, &live_extension(&named, &digest, &live.public))?;
    let applications = applications_extension(&named, &manifest.applications);
    device.commit(PCR_APPLICATIONS, &applications)?;
    device.lock_all()?;

    let collector = Collector::new(manifest.commitments.inner().clone());
    let booted = Booted {
        setup: setup.public.clone(),
        live: live.public.clone(),
    };
    let identity = Identity {
        genesis,
        chain,
        links: request.chain,
        setup: setup.public.clone(),
        live: live.public.clone(),
    };
    Ok((
        Collecting {
            identity,
            setup,
            live,
            collector,
            provisions: Vec::new(),
        },
        booted,
    ))
}

/// Checks that record and chain lead to an approved manifest that is valid now.
///
/// # Errors
/// [`Denied::Refused`].
pub(crate) fn check_boot<T: Transport>(
    device: &Device<T>,
    record: GenesisRecord,
    links: &[Link],
) -> Result<(VerifiedGenesis, VerifiedChain), Denied> {
    let genesis = VerifiedGenesis::from_record(record)
        .map_err(|e| refuse(Reason::RecordInvalid, &e.to_string()))?;
    let now = device.now();
    let chain = walk_at(&genesis, links, now);
    let chain = chain.map_err(|e| refuse(chain_reason(&e), &e.to_string()))?;
    let validity = &chain.manifest().validity;
    if now < validity.not_before || now > validity.not_after {
        return Err(refuse(
            Reason::OutsideValidity,
            &format!("it is {} by the NSM", now.0),
        ));
    }
    Ok((genesis, chain))
}

impl Collecting {
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Members whose share was good, ascending.
    pub(crate) fn accepted(&self) -> Vec<ShareIndex> {
        self.collector.accepted()
    }

    /// Takes a share. When the progress is complete, [`complete`](Self::complete) follows.
    ///
    /// # Errors
    /// [`Denied::Refused`]; nothing was changed.
    pub(crate) fn provision<T: Transport>(
        &mut self,
        device: &Device<T>,
        request: ProvisionRequest,
    ) -> Result<(Progress, Signed<ProvisionReceipt>), Denied> {
        let share = self.open(device.now(), &request)?;
        let index = share.index();
        let progress = self.collector.accept(share).map_err(|refused| {
            let reason = match refused {
                ShareRefused::Repeated { .. } => Reason::ShareRepeated,
                _ => Reason::ShareWrong,
            };
            refuse_member(reason, index, "")
        })?;
        let manifest = self.identity.manifest();
        let receipt = ProvisionReceipt {
            genesis: self.identity.genesis_digest(),
            manifest: self.identity.manifest_digest(),
            grant: request.grant.digest(),
            index,
            epoch: manifest.epoch,
            accepted: u8::try_from(progress.have).unwrap_or(u8::MAX),
            threshold: manifest.share_set.threshold,
            time: device.now(),
        };
        let receipt = Signed::sign(receipt, &self.setup.signing);
        self.provisions.push(Provision {
            grant: request.grant,
            receipt: receipt.clone(),
            delegation: request.delegation,
        });
        Ok((progress, receipt))
    }

    /// Checks a grant and opens its share. Changes nothing.
    fn open(&self, now: UnixMillis, request: &ProvisionRequest) -> Result<Share, Denied> {
        let grant = request.grant.unverified();
        let manifest = self.identity.manifest();
        let (genesis, digest) = (
            self.identity.genesis_digest(),
            self.identity.manifest_digest(),
        );
        let another = |what| Err(refuse(Reason::GrantForAnother, what));
        match () {
            () if grant.role != Role::ShareSet => return another("signed in another role"),
            () if grant.genesis != genesis => return another("another namespace"),
            () if grant.manifest != digest => return another("another manifest"),
            () if grant.setup != self.setup.public => return another("another instance"),
            () if grant.epoch != manifest.epoch => return another("shares of another epoch"),
            () => {}
        }
        let index = grant.index;
        let Some(member) = manifest.share_set.member(index) else {
            return Err(refuse(Reason::NotAMember, ""));
        };
        if !self.identity.genesis.is_active(index, manifest.epoch) {
            return Err(refuse(Reason::NotAMember, "inactive since the genesis"));
        }
        if grant.sealed != Digest::of(&request.sealed) {
            return Err(refuse(Reason::CiphertextMismatch, ""));
        }
        let key = match &request.delegation {
            None => member.signing_key,
            Some(delegation) => self.surrogate(member, delegation, now)?,
        };
        if request.grant.verify(&key).is_err() {
            return Err(refuse(Reason::GrantSignature, ""));
        }
        if self.collector.accepted().contains(&index) {
            return Err(refuse_member(Reason::ShareRepeated, index, ""));
        }
        let suite = request.sealed.suite;
        if !manifest.suites.contains(&suite.id()) {
            return Err(refuse_member(Reason::SuiteNotAccepted, index, ""));
        }
        // From here on the member answers for it: the signature covers this very ciphertext.
        let unreadable = || refuse_member(Reason::ShareUnreadable, index, "");
        let context = provision_share_context(&genesis, &digest, index, &manifest.epoch);
        let opened = quorate_sealing::open(
            suite,
            &self.setup.decryption,
            context.info.as_bytes(),
            &context.aad,
            &request.sealed.sealed(),
            32,
        )
        .map_err(|_| unreadable())?;
        let scalar: &[u8; 32] = opened.as_slice().try_into().map_err(|_| unreadable())?;
        Share::from_bytes(index, scalar).map_err(|_| unreadable())
    }

    /// The key of a surrogate who may give this member's share now. Whoever gave another share, or
    /// approved the manifest, as somebody else's surrogate may not.
    fn surrogate(
        &self,
        member: &Member,
        delegation: &Signed<Delegation>,
        now: UnixMillis,
    ) -> Result<VerificationKey, Denied> {
        let (genesis, manifest) = (self.identity.genesis_digest(), self.identity.manifest());
        let place = Place::of_holder(genesis, manifest, member);
        let given = self
            .provisions
            .iter()
            .filter_map(|p| p.delegation.as_deref());
        let link = self.identity.links.last();
        let approved = link.into_iter().flat_map(|link| &link.surrogates);
        let others: Vec<&Delegation> = given
            .chain(approved.map(|acting| &acting.delegation))
            .map(Signed::unverified)
            .collect();
        let counted = surrogate::check(&place, delegation, &others)
            .and_then(|known| surrogate::counts(known, now).map(|()| known.signing_key));
        counted.map_err(|e| {
            let reason = surrogate_reason(&e);
            refuse_member(reason, member.index, &e.to_string())
        })
    }

    /// Rebuilds the key and signs what only its holder can sign. Consumes the setup keys.
    ///
    /// # Errors
    /// [`Halt`]; also if the threshold was not reached, which the caller has seen to.
    pub(crate) fn complete<T: Transport>(self, device: &Device<T>) -> Result<Provisioned, Halt> {
        let Self {
            identity,
            setup,
            live,
            collector,
            mut provisions,
        } = self;
        let members = collector.accepted().into_iter().map(Index).collect();
        let secret = collector.reconstruct().map(Box::new);
        let secret = secret.map_err(|_| Halt::Derivation)?;
        drop(setup);
        provisions.sort_by_key(|p| p.grant.unverified().index);
        let key = Key { secret, live };
        let origin = Origin::Members(provisions);
        let certified = key.certify(&identity, device, Provenance::Members(members))?;
        Ok(key.provisioned(identity, origin, certified))
    }

    /// Takes the key that another instance forwarded, and gives its origin once the certificate is
    /// known. Consumes the setup keys, and whatever shares there are.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn complete_with<T: Transport>(
        self,
        device: &Device<T>,
        secret: Box<Secret>,
        provenance: Provenance,
        origin: impl FnOnce(&Identity, &SecretPair, &Signed<InstanceCertificate>) -> Origin,
    ) -> Result<Provisioned, Halt> {
        let Self { identity, live, .. } = self;
        let key = Key { secret, live };
        let certified = key.certify(&identity, device, provenance)?;
        let origin = origin(&identity, &key.live, &certified.1);
        Ok(key.provisioned(identity, origin, certified))
    }
}

/// The quorum key and the live keys that are certified with it.
struct Key {
    secret: Box<Secret>,
    live: Box<SecretPair>,
}

type Certified = (Signed<KeyRing>, Signed<InstanceCertificate>);

impl Key {
    /// Signs what only the holder of the quorum key can sign.
    fn certify<T: Transport>(
        &self,
        identity: &Identity,
        device: &Device<T>,
        provenance: Provenance,
    ) -> Result<Certified, Halt> {
        let ring = key_ring(identity, &self.secret)?;
        let ring = Signed::sign(ring, &self.secret.signing_key());
        let certificate = InstanceCertificate {
            genesis: identity.genesis_digest(),
            manifest: identity.manifest_digest(),
            live: self.live.public.clone(),
            module_id: device.module_id().clone(),
            epoch: identity.manifest().epoch,
            provenance,
            time: device.now(),
        };
        let key = instance_key(identity, &self.secret)?;
        Ok((ring, Signed::sign(certificate, &key.signing_key())))
    }

    fn provisioned(
        self,
        identity: Identity,
        origin: Origin,
        (ring, certificate): Certified,
    ) -> Provisioned {
        let Self { secret, live } = self;
        Provisioned {
            identity,
            live,
            secret,
            provisioning: Provisioning {
                origin,
                ring,
                certificate,
            },
            exports: Exports::default(),
            orders: Orders::default(),
        }
    }
}

/// The key that signs certificates and forward records.
pub(crate) fn instance_key(identity: &Identity, secret: &Secret) -> Result<Secret, Halt> {
    let genesis = identity.genesis.digest();
    let key = derive(secret, &genesis, Application::RESERVED, Purpose::Instance);
    key.ok_or(Halt::Derivation)
}

impl Provisioned {
    /// The derived key of an application.
    pub(crate) fn key(&self, application: &str, purpose: Purpose) -> Result<Secret, Halt> {
        derive(
            &self.secret,
            &self.identity.genesis.digest(),
            application,
            purpose,
        )
        .ok_or(Halt::Derivation)
    }

    /// The key under which `owner` seals what `reader` opens.
    pub(crate) fn sealing_key(
        &self,
        owner: &Name,
        reader: &Name,
    ) -> Result<Zeroizing<[u8; 32]>, Halt> {
        let genesis = self.identity.genesis.digest();
        derive_sealing(&self.secret, &genesis, owner, reader).ok_or(Halt::Derivation)
    }
}

fn key_ring(identity: &Identity, secret: &Secret) -> Result<KeyRing, Halt> {
    let manifest = identity.manifest();
    let genesis = identity.genesis_digest();
    let reserved = Name::new(Application::RESERVED);
    let own = (reserved.map_err(|_| Halt::Derivation)?, Purpose::Instance);
    let names = manifest.applications.iter().map(|a| &a.name);
    let mut wanted: Vec<_> = names
        .flat_map(|n| {
            [
                (n.clone(), Purpose::Signing),
                (n.clone(), Purpose::Encryption),
            ]
        })
        .chain([own])
        .collect();
    wanted.sort();
    let mut keys = Vec::with_capacity(wanted.len());
    for (application, purpose) in wanted {
        let key = derive(secret, &genesis, application.as_str(), purpose);
        let key = key.ok_or(Halt::Derivation)?.public_key();
        let key = VerificationKey::from_sec1(&key).map_err(|_| Halt::Derivation)?;
        keys.push(RingEntry {
            application,
            purpose,
            key,
        });
    }
    let ring = KeyRingFields {
        genesis,
        manifest: identity.manifest_digest(),
        sequence: manifest.sequence,
        keys,
    };
    Checked::new(ring).map_err(|_| Halt::Derivation)
}

pub(crate) fn chain_reason(error: &ChainError) -> Reason {
    match error {
        ChainError::Threshold { .. } => Reason::ApprovalsMissing,
        ChainError::ApprovalOfAnother { .. }
        | ChainError::ApprovalOfAnotherGenesis { .. }
        | ChainError::ApprovalOfInactive { .. }
        | ChainError::ApprovalOfStranger { .. }
        | ChainError::ApprovalRepeated { .. }
        | ChainError::ApprovalSignature { .. }
        | ChainError::SurrogateForHolders { .. }
        | ChainError::SurrogateForPeople { .. } => Reason::ApprovalInvalid,
        ChainError::Surrogate { error, .. } => surrogate_reason(error),
        ChainError::SurrogateExpired { .. } => Reason::DelegationExpired,
        _ => Reason::ChainInvalid,
    }
}

fn surrogate_reason(error: &SurrogateError) -> Reason {
    match error {
        SurrogateError::Expired { .. } => Reason::DelegationExpired,
        _ => Reason::DelegationInvalid,
    }
}
