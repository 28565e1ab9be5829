//! What an operator or a stranger checks on an attestation of an enclave of a namespace.
//!
//! Four stages have documents: the genesis enclave after it made the key
//! ([`verify_genesis_document`]), an instance that waits for shares ([`verify_setup`]) and a
//! running one ([`verify_live`]); and one that was started for a drill ([`verify_drill_setup`]). Each
//! function guarantees that
//!
//! * the document is genuine, as fresh as the caller demands, and leads to the very root that the
//!   definition names, partition and fingerprint both;
//! * the enclave is not in debug mode and measures as the definition or the manifest says;
//! * its registers and user data commit to this genesis, this manifest, these keys and these
//!   applications, and to nothing else: each register was extended exactly once.
//!
//! An instance that waits for shares must do so while its chain counts (`verify/src/chain.rs`).
//!
//! It trusts the anchors and the verified genesis and chain it is given. It does not say that the
//! instance was provisioned; that is in the evidence.

mod error;

use quorate_protocol::atoms::{Pcr, Sha256, UnixMillis};
use quorate_protocol::attested::{
    PCR_APPLICATIONS, PCR_LIVE, PCR_SETUP, UserData, applications_extension, drill_extension,
    extended_once, genesis_extension, live_extension, setup_extension,
};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::definition::{AttestationRoot, Definition, Measurements};
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::ForwardRecord;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::KeyPair;
use quorate_protocol::manifest::{Manifest, Validity};

use crate::attestation::{self, Attested, DebugMode, Freshness, TrustAnchor, TrustAnchors};
use crate::chain::VerifiedChain;
use crate::genesis::VerifiedGenesis;

pub use self::error::{Commitment, InstanceError};

/// Register of the parent instance's role.
pub const PCR_ROLE: u8 = 3;

/// What a verified document says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFacts {
    /// SHA-256 of the document as received.
    pub document: Sha256,
    /// The security module's name for the enclave.
    pub module_id: String,
    /// When the security module signed.
    pub timestamp: UnixMillis,
    /// Whether the root is a development root. Then nothing here says anything about hardware.
    pub development: bool,
}

/// An attested instance that waits for shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSetup {
    /// Seal a share to this pair's encryption key and to nothing else.
    pub setup: KeyPair,
    /// PCR17: what its live keys will have to be.
    pub live_register: Pcr,
    /// PCR3: the role of its parent instance; all zero where that has none, absent where it is not
    /// locked.
    pub role_register: Option<Pcr>,
    /// About the document.
    pub facts: DocumentFacts,
}

/// An attested enclave that was started for a drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDrillSetup {
    /// Seal a drill share to this pair's encryption key; never a real one.
    pub setup: KeyPair,
    /// About the document.
    pub facts: DocumentFacts,
}

/// Whether an instance serves, as its own document says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// It serves, and has forwarded nothing.
    Serving,
    /// It serves, and has forwarded the key; the record is its newest.
    Forwarded(Digest<ForwardRecord>),
    /// It has handed over and holds no key any more.
    HandedOver {
        /// The record whose importer confirmed.
        confirmed: Digest<ForwardRecord>,
        /// Its newest record.
        newest: Digest<ForwardRecord>,
    },
}

/// An attested running instance, or one that has handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedLive {
    /// The keys it answers with.
    pub live: KeyPair,
    /// Whether it serves.
    pub service: Service,
    /// About the document.
    pub facts: DocumentFacts,
}

/// Verifies the attestation of a genesis enclave after it made a namespace.
///
/// `genesis` is what [`crate::genesis::check_output`] returned for the output at hand.
///
/// # Errors
/// The first rule that the document breaks.
pub fn verify_genesis_document(
    bytes: &[u8],
    definition: &Definition,
    genesis: &Genesis,
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
) -> Result<DocumentFacts, InstanceError> {
    let root = &definition.attestation_root;
    let attested = attest(bytes, root, anchors, freshness, DebugMode::Refused)?;
    check_measurements(&attested, &definition.measurements)?;
    check_commitment(
        &attested,
        Commitment::Genesis,
        extended_once(&genesis_extension(genesis)),
    )?;
    check_user_data(&attested, &UserData::Genesis(Digest::of(genesis)))?;
    Ok(facts(&attested))
}

/// Verifies the attestation of an instance that waits for shares.
///
/// # Errors
/// The first rule that the document breaks.
pub fn verify_setup(
    bytes: &[u8],
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
) -> Result<VerifiedSetup, InstanceError> {
    let attested = attest_instance(bytes, genesis, chain, anchors, freshness)?;
    check_no_drill(&attested)?;
    let setup = key_pair(&attested)?;
    check_setup_register(&attested, chain, &setup)?;
    let live_register = check_live_register_used(&attested)?;
    check_applications_register(&attested, chain)?;
    check_user_data(&attested, &UserData::Setup(chain.digest()))?;
    let facts = facts(&attested);
    check_validity(chain.manifest(), facts.timestamp)?;
    check_surrogates(chain, facts.timestamp)?;
    Ok(VerifiedSetup {
        setup,
        live_register,
        role_register: register(&attested, PCR_ROLE).ok(),
        facts,
    })
}

/// Verifies the attestation of an enclave that was started for a drill.
///
/// # Errors
/// The first rule that the document breaks; [`InstanceError::NotForDrill`] for an instance.
pub fn verify_drill_setup(
    bytes: &[u8],
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
) -> Result<VerifiedDrillSetup, InstanceError> {
    let verified = verify_drill_document(bytes, genesis, chain, anchors, freshness)?;
    check_validity(chain.manifest(), verified.facts.timestamp)?;
    check_surrogates(chain, verified.facts.timestamp)?;
    Ok(verified)
}

/// The same at any time: a drill's record may be fetched after its manifest has ended.
pub(crate) fn verify_drill_document(
    bytes: &[u8],
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
) -> Result<VerifiedDrillSetup, InstanceError> {
    let attested = attest_instance(bytes, genesis, chain, anchors, freshness)?;
    let found = attested.document().user_data().unwrap_or_default();
    if let Ok(UserData::Setup(_) | UserData::Live(_) | UserData::Forwarded(..)) =
        from_bytes::<UserData>(found)
    {
        return Err(InstanceError::NotForDrill);
    }
    let setup = key_pair(&attested)?;
    let data = drill_extension(&chain.genesis(), &chain.digest(), &setup);
    check_commitment(&attested, Commitment::Drill, extended_once(&data))?;
    check_user_data(&attested, &UserData::Drill(chain.digest()))?;
    Ok(VerifiedDrillSetup {
        setup,
        facts: facts(&attested),
    })
}

/// An enclave that was started for a drill is named, so that nobody looks for another reason.
fn check_no_drill(attested: &Attested) -> Result<(), InstanceError> {
    let found = attested.document().user_data().unwrap_or_default();
    match from_bytes(found) {
        Ok(UserData::Drill(_)) => Err(InstanceError::ForDrill),
        _ => Ok(()),
    }
}

/// Verifies the attestation of an instance whose setup keys were `setup`. One that has handed the
/// key over is still the instance it was: look at [`VerifiedLive::service`].
///
/// # Errors
/// The first rule that the document breaks.
pub fn verify_live(
    bytes: &[u8],
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
    setup: &KeyPair,
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
) -> Result<VerifiedLive, InstanceError> {
    let attested = attest_instance(bytes, genesis, chain, anchors, freshness)?;
    check_no_drill(&attested)?;
    let live = key_pair(&attested)?;
    check_setup_register(&attested, chain, setup)?;
    check_live_register(&attested, chain, &live)?;
    check_applications_register(&attested, chain)?;
    let service = service(&attested, chain)?;
    let facts = facts(&attested);
    check_validity(chain.manifest(), facts.timestamp)?;
    Ok(VerifiedLive {
        live,
        service,
        facts,
    })
}

fn attest_instance(
    bytes: &[u8],
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
) -> Result<Attested, InstanceError> {
    if chain.genesis() != genesis.digest() {
        return Err(InstanceError::Genesis {
            record: genesis.digest(),
            chain: chain.genesis(),
        });
    }
    let root = &genesis.definition().attestation_root;
    let attested = attest(bytes, root, anchors, freshness, DebugMode::Refused)?;
    check_measurements(&attested, &chain.manifest().measurements)?;
    Ok(attested)
}

/// A genuine document under the namespace's own root. That another trusted root signed it is not
/// enough: a share under AWS's root is never given to an emulator.
pub(crate) fn attest(
    bytes: &[u8],
    root: &AttestationRoot,
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
    debug: DebugMode,
) -> Result<Attested, InstanceError> {
    let attested = attestation::verify(bytes, anchors, freshness, debug)?;
    let fingerprint = Sha256(*attested.root_fingerprint());
    let partition = attested.partition();
    if fingerprint != root.fingerprint || partition.name() != root.partition.as_str() {
        return Err(InstanceError::Root {
            expected: root.clone(),
            partition,
            fingerprint,
        });
    }
    Ok(attested)
}

pub(crate) fn facts(attested: &Attested) -> DocumentFacts {
    let document = attested.document();
    DocumentFacts {
        document: Sha256(*attested.sha256()),
        module_id: document.module_id().to_owned(),
        timestamp: UnixMillis(document.timestamp_ms()),
        development: attested.partition() == attestation::Partition::Development,
    }
}

/// The two public keys of the stage that a document is about.
pub(crate) fn key_pair(attested: &Attested) -> Result<KeyPair, InstanceError> {
    let key = attested.document().public_key();
    let key = key.ok_or(InstanceError::PublicKeyMissing)?;
    KeyPair::from_attested(key).map_err(InstanceError::PublicKey)
}

pub(crate) fn check_measurements(
    attested: &Attested,
    measurements: &Measurements,
) -> Result<(), InstanceError> {
    for (index, expected) in measurements.registers() {
        let found = register(attested, index)?;
        if found != expected {
            return Err(InstanceError::Measurement {
                index,
                expected,
                found,
            });
        }
    }
    Ok(())
}

pub(crate) fn check_setup_register(
    attested: &Attested,
    chain: &VerifiedChain,
    setup: &KeyPair,
) -> Result<(), InstanceError> {
    let data = setup_extension(&chain.genesis(), &chain.digest(), setup);
    check_commitment(attested, Commitment::Setup, extended_once(&data))
}

pub(crate) fn check_live_register(
    attested: &Attested,
    chain: &VerifiedChain,
    live: &KeyPair,
) -> Result<(), InstanceError> {
    let data = live_extension(&chain.genesis(), &chain.digest(), live);
    check_commitment(attested, Commitment::Live, extended_once(&data))
}

pub(crate) fn check_applications_register(
    attested: &Attested,
    chain: &VerifiedChain,
) -> Result<(), InstanceError> {
    let data = applications_extension(&chain.genesis(), &chain.manifest().applications);
    check_commitment(attested, Commitment::Applications, extended_once(&data))
}

/// A setup document does not name the live keys, but init fixed them before it attested.
fn check_live_register_used(attested: &Attested) -> Result<Pcr, InstanceError> {
    match register(attested, PCR_LIVE)? {
        Pcr::ZERO => Err(InstanceError::LiveRegisterUnused),
        fixed => Ok(fixed),
    }
}

fn check_commitment(
    attested: &Attested,
    commitment: Commitment,
    expected: Pcr,
) -> Result<(), InstanceError> {
    let found = register(attested, commitment.register())?;
    if found != expected {
        return Err(InstanceError::Commitment {
            commitment,
            expected,
            found,
        });
    }
    Ok(())
}

/// The security module lists the registers that are locked. One that is missing could change.
fn register(attested: &Attested, index: u8) -> Result<Pcr, InstanceError> {
    match attested.document().pcrs().get(index) {
        Some(pcr) => Ok(Pcr(*pcr.as_bytes())),
        None => Err(InstanceError::RegisterMissing { index }),
    }
}

pub(crate) fn check_user_data(
    attested: &Attested,
    expected: &UserData,
) -> Result<(), InstanceError> {
    match attested.document().user_data() {
        Some(found) if found == to_bytes(expected) => Ok(()),
        _ => Err(InstanceError::UserData {
            expected: *expected,
        }),
    }
}

/// Whether an instance of this manifest serves. Its user data must be one of the three that say so.
pub(crate) fn service(
    attested: &Attested,
    chain: &VerifiedChain,
) -> Result<Service, InstanceError> {
    let manifest = chain.digest();
    let live = UserData::Live(manifest);
    let found = attested.document().user_data().unwrap_or_default();
    match from_bytes(found) {
        Ok(UserData::Live(of)) if of == manifest => Ok(Service::Serving),
        Ok(UserData::Forwarded(of, record)) if of == manifest => Ok(Service::Forwarded(record)),
        Ok(UserData::HandedOver(of, confirmed, newest)) if of == manifest => {
            Ok(Service::HandedOver { confirmed, newest })
        }
        _ => Err(InstanceError::UserData { expected: live }),
    }
}

/// The root that a definition names, out of the bundle of a document. The certificate comes from
/// the sender and is believed only because its hash is the definition's; where it is not, no root
/// is trusted.
///
/// # Errors
/// A document that cannot be read, or a root that is none.
pub fn named_root(definition: &Definition, document: &[u8]) -> Result<TrustAnchors, InstanceError> {
    let root = &definition.attestation_root;
    let mut anchors = TrustAnchors::empty();
    let parsed = attestation::Document::parse(document)?;
    let partition = attestation::Partition::from_name(root.partition.as_str());
    if let (Some(partition), Some(der)) = (partition, parsed.unverified_root())
        && Sha256::of(der) == root.fingerprint
    {
        anchors.insert(TrustAnchor::from_der(partition, der)?)?;
    }
    Ok(anchors)
}

/// The chain still counts when the instance that waits for shares attests, and when a drill begins. Of
/// one that runs, the evidence says when it got the key.
pub(crate) fn check_surrogates(chain: &VerifiedChain, at: UnixMillis) -> Result<(), InstanceError> {
    match chain.counts_until() {
        Some(until) if at > until => Err(InstanceError::SurrogatesEnded { until, at }),
        _ => Ok(()),
    }
}

/// A manifest is valid from its first to its last moment, both included.
pub(crate) fn check_validity(manifest: &Manifest, at: UnixMillis) -> Result<(), InstanceError> {
    let Validity {
        not_before,
        not_after,
    } = manifest.validity;
    if (not_before..=not_after).contains(&at) {
        return Ok(());
    }
    Err(InstanceError::Validity {
        not_before,
        not_after,
        at,
    })
}

impl Commitment {
    /// The register that holds it.
    #[must_use]
    pub const fn register(self) -> u8 {
        match self {
            Self::Drill | Self::Genesis | Self::Setup => PCR_SETUP,
            Self::Live => PCR_LIVE,
            Self::Applications => PCR_APPLICATIONS,
        }
    }
}
