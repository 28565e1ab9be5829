//! Messages between host and enclave.
//!
//! A message is a CBOR array of its kind and its body. Every request gets exactly one response, in
//! order. A request that is refused changes nothing; the refusal says whose fault it is. Which
//! request is accepted in which phase, and on which port, is init's business: `init/src/`, and the
//! table in `docs/threat-model.md`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{Bytes, Name, Sha256, UnixMillis};
use crate::cbor::object;
use crate::control::Report;
use crate::cose::Signed;
use crate::definition::{Definition, DefinitionConsent};
use crate::digest::Digest;
use crate::drill::{Drill, DrillFinishRequest, DrillReceipt, DrillRequest};
use crate::evidence::Evidence;
use crate::forward::{Confirmed, ExportRequest, ForwardChallenge, ForwardedKey};
use crate::frame::Sizes;
use crate::genesis::{Document, Epoch, Genesis, GenesisOutput, GenesisRecord, SealedShare};
use crate::instance::Index;
use crate::keys::KeyPair;
use crate::manifest::{Link, Manifest};
use crate::provision::{ProvisionReceipt, ShareGrant};
pub use crate::refusal::{Fault, Reason, Refusal};
use crate::reshare::{Reshare, ReshareChallenge, ReshareRequest};

/// A caller's nonce: an attestation for it cannot have been made before.
pub type Nonce = Bytes<16, 64>;
/// Bytes of a binary in one [`Upload`], at most.
pub const MAX_CHUNK: usize = 1024 * 1024;
/// Contributions to the entropy of a genesis, at most.
pub const MAX_CONTRIBUTIONS: usize = 255;

/// Host to enclave.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
// One is read at a time; a box would be an allocation for nothing.
#[allow(clippy::large_enum_variant)]
pub enum Request {
    /// What is the state?
    #[n(0)]
    Status,
    /// Take a piece of an application's binary.
    #[n(1)]
    Upload(#[n(0)] Upload),
    /// Make the quorum key of this namespace.
    #[n(2)]
    Genesis(#[n(0)] GenesisRequest),
    /// Become an instance of this namespace.
    #[n(3)]
    Boot(#[n(0)] BootRequest),
    /// Attest.
    #[n(4)]
    Attest(#[n(0)] AttestRequest),
    /// Take a share.
    #[n(5)]
    Provision(#[n(0)] ProvisionRequest),
    /// Give the evidence, with a live attestation for this nonce.
    #[n(6)]
    Evidence(#[n(0)] EvidenceRequest),
    /// What have the applications reported?
    #[n(7)]
    Log,
    /// Draw a nonce for an importer.
    #[n(8)]
    Challenge,
    /// Forward the key to the importer that attests here.
    #[n(9)]
    Export(#[n(0)] Box<ExportRequest>),
    /// Take the key that was forwarded.
    #[n(10)]
    Import(#[n(0)] Box<ForwardedKey>),
    /// Stop serving: the importer has confirmed.
    #[n(11)]
    HandOver(#[n(0)] Box<Confirmed>),
    /// Draw a nonce for an order to reshare.
    #[n(12)]
    ReshareChallenge,
    /// Carry out an order to reshare. The order that was carried out last gets its answer again.
    #[n(13)]
    Reshare(#[n(0)] Box<ReshareRequest>),
    /// Become an enclave for a drill of this namespace, and nothing else.
    #[n(14)]
    Drill(#[n(0)] Box<BootRequest>),
    /// Take part in the drill.
    #[n(15)]
    DrillGive(#[n(0)] Box<DrillRequest>),
    /// End the drill and give its record. Ended once, it gets the same record again.
    #[n(16)]
    DrillFinish(#[n(0)] DrillFinishRequest),
}

/// A piece of a binary. Pieces of one binary arrive in order; after a break the sender asks for the
/// state with an empty piece and goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Upload {
    /// SHA-256 of the whole binary.
    #[n(0)]
    pub sha256: Sha256,
    /// Size of the whole binary in bytes.
    #[n(1)]
    pub size: u64,
    /// Where this piece begins.
    #[n(2)]
    pub offset: u64,
    /// The piece; may be empty.
    #[n(3)]
    pub data: Bytes<0, MAX_CHUNK>,
}

/// Asks for a genesis.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GenesisRequest {
    /// The definition.
    #[n(0)]
    pub definition: Definition,
    /// Consent of every person in it, ascending by name.
    #[n(1)]
    pub consents: Vec<Signed<DefinitionConsent>>,
    /// Entropy of the operators, mixed into the enclave's own. Cannot weaken it.
    #[n(2)]
    pub entropy: Vec<Bytes<16, 64>>,
    /// For the attestation in the answer.
    #[n(3)]
    pub nonce: Nonce,
}

/// Asks an enclave to become an instance.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BootRequest {
    /// How the namespace came to be.
    #[n(0)]
    pub record: GenesisRecord,
    /// From the first manifest to the one that shall run.
    #[n(1)]
    pub chain: Vec<Link>,
}

/// Which keys an attestation shall name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Stage {
    /// A genesis enclave's output.
    #[n(1)]
    Genesis,
    /// The setup keys, while the instance waits for shares.
    #[n(2)]
    Setup,
    /// The live keys.
    #[n(3)]
    Live,
    /// The setup keys of an enclave that was started for a drill.
    #[n(4)]
    Drill,
}

/// Asks for an attestation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AttestRequest {
    /// Of what.
    #[n(0)]
    pub stage: Stage,
    /// The caller's own.
    #[n(1)]
    pub nonce: Nonce,
}

/// Gives a share.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ProvisionRequest {
    /// Signed by the member.
    #[n(0)]
    pub grant: Signed<ShareGrant>,
    /// The share, sealed to the setup key.
    #[n(1)]
    pub sealed: SealedShare,
}

/// Asks for evidence.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EvidenceRequest {
    /// The caller's own.
    #[n(0)]
    pub nonce: Nonce,
}

/// Enclave to host.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Response {
    /// The state.
    #[n(0)]
    Status(#[n(0)] Status),
    /// The piece was taken.
    #[n(1)]
    Uploaded(#[n(0)] Uploaded),
    /// The key was made.
    #[n(2)]
    Genesis(#[n(0)] GenesisResponse),
    /// The enclave is an instance now.
    #[n(3)]
    Booted(#[n(0)] Box<Booted>),
    /// An attestation document.
    #[n(4)]
    Attested(#[n(0)] Document),
    /// The share was good.
    #[n(5)]
    Provisioned(#[n(0)] Signed<ProvisionReceipt>),
    /// The evidence.
    #[n(6)]
    Evidence(#[n(0)] Box<Evidence>),
    /// Nothing was changed.
    #[n(7)]
    Refused(#[n(0)] Refusal),
    /// What the applications reported.
    #[n(8)]
    Log(#[n(0)] Log),
    /// A nonce for an importer.
    #[n(9)]
    Challenge(#[n(0)] ForwardChallenge),
    /// The key, sealed to the importer.
    #[n(10)]
    Exported(#[n(0)] Box<ForwardedKey>),
    /// The key was good; this ends the exporter.
    #[n(11)]
    Imported(#[n(0)] Box<Confirmed>),
    /// The keys are erased and the applications are asked to end.
    #[n(12)]
    HandedOver,
    /// A nonce for an order.
    #[n(13)]
    ReshareChallenge(#[n(0)] ReshareChallenge),
    /// The new shares, sealed to their members.
    #[n(14)]
    Reshared(#[n(0)] Box<Reshare>),
    /// The enclave is there for a drill now. A claim until attested.
    #[n(15)]
    DrillStarted(#[n(0)] Box<KeyPair>),
    /// Proof and drill share were good.
    #[n(16)]
    DrillTaken(#[n(0)] Signed<DrillReceipt>),
    /// The drill has ended.
    #[n(17)]
    Drilled(#[n(0)] Box<Drill>),
}

/// Where an enclave is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Phase {
    /// Nothing has happened.
    #[n(1)]
    Waiting,
    /// A genesis was made; it will do nothing else.
    #[n(2)]
    Born,
    /// Booted, shares are awaited.
    #[n(3)]
    Collecting,
    /// The key is there, applications start.
    #[n(4)]
    Launching,
    /// Every application is ready.
    #[n(5)]
    Running,
    /// It is ending.
    #[n(6)]
    Halting,
    /// The key is erased, applications end.
    #[n(7)]
    HandingOver,
    /// It has handed the key over; it answers for what it was and does nothing else.
    #[n(8)]
    HandedOver,
    /// Started for a drill; members take part.
    #[n(9)]
    Drilling,
    /// The drill has ended; it answers for it and does nothing else.
    #[n(10)]
    Drilled,
}

/// State of an enclave. Says nothing that is secret; a claim like every unsigned answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Status {
    /// Where it is in its life.
    #[n(0)]
    pub phase: Phase,
    /// The namespace, once known.
    #[n(1)]
    pub genesis: Option<Digest<Genesis>>,
    /// The manifest, once booted.
    #[n(2)]
    pub manifest: Option<Digest<Manifest>>,
    /// Which shares it takes.
    #[n(3)]
    pub epoch: Option<Epoch>,
    /// Members whose share was good, ascending; in a drill, who proved to hold theirs.
    #[n(4)]
    pub accepted: Vec<Index>,
    /// Shares needed; 0 before boot.
    #[n(5)]
    pub threshold: u8,
    /// The applications of the manifest, once booted.
    #[n(6)]
    pub applications: Vec<ApplicationStatus>,
}

/// State of one application.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ApplicationStatus {
    /// Its name.
    #[n(0)]
    pub name: Name,
    /// How often it was started.
    #[n(1)]
    pub starts: u64,
    /// Whether it said that it serves.
    #[n(2)]
    pub ready: bool,
    /// How it ended last; none if it never did.
    #[n(3)]
    pub exit: Option<Exit>,
    /// How often it may still be started again.
    #[n(4)]
    pub restarts_left: u16,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Exit {
    /// By itself, with this status.
    #[n(1)]
    Exited(#[n(0)] u8),
    /// By this signal.
    #[n(2)]
    Signalled(#[n(0)] u8),
}

/// What the applications of an instance reported. A claim like every unsigned answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Log {
    /// One an application of the manifest, in its order; none before the applications start.
    #[n(0)]
    pub applications: Vec<ApplicationLog>,
}

/// Reports of one application kept at a time, at most; the newest are kept.
pub const MAX_REPORTS: usize = 64;

/// What one application reported.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ApplicationLog {
    /// Its name.
    #[n(0)]
    pub name: Name,
    /// Older reports that are no more kept.
    #[n(1)]
    pub dropped: u64,
    /// The newest reports, oldest first.
    #[n(2)]
    pub reports: Vec<Reported>,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Reported {
    /// Which start of the application made it.
    #[n(0)]
    pub start: u64,
    /// When, by the instance's NSM.
    #[n(1)]
    pub time: UnixMillis,
    /// The report.
    #[n(2)]
    pub report: Report,
}

/// How much of a binary has arrived.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Uploaded {
    /// Bytes received so far.
    #[n(0)]
    pub received: u64,
    /// All bytes are there and their hash is right.
    #[n(1)]
    pub complete: bool,
}

/// Answer to a genesis.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GenesisResponse {
    /// Commitments and sealed shares.
    #[n(0)]
    pub output: GenesisOutput,
    /// Attestation after PCR16 names the output.
    #[n(1)]
    pub document: Document,
}

/// Answer to a boot. A claim until attested.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Booted {
    /// Setup keys.
    #[n(0)]
    pub setup: KeyPair,
    /// Live keys.
    #[n(1)]
    pub live: KeyPair,
}

object! {
    Request => "quorate/request/v5", 2 * 1024 * 1024;
    Response => "quorate/response/v5", 9 * 1024 * 1024;
}

impl Sizes for Request {
    const LARGEST: usize = 2 * 1024 * 1024;

    fn largest(kind: u8) -> Option<usize> {
        match kind {
            0 | 7 | 8 | 12 => Some(2),
            1 => Some(MAX_CHUNK + 128),
            2 => Some(256 * 1024),
            3 => Some(Self::LARGEST),
            4 | 6 => Some(128),
            5 => Some(1024),
            9 => Some(1280 * 1024),
            10 => Some(256 * 1024),
            11 => Some(4096),
            13 => Some(256 * 1024),
            14 => Some(Self::LARGEST),
            15 => Some(1024),
            16 => Some(128),
            _ => None,
        }
    }
}

impl Sizes for Response {
    const LARGEST: usize = 9 * 1024 * 1024;

    fn largest(kind: u8) -> Option<usize> {
        match kind {
            0 => Some(16 * 1024),
            1 => Some(64),
            2 => Some(192 * 1024),
            3 => Some(512),
            4 => Some(24 * 1024),
            5 | 7 => Some(1024),
            6 => Some(Self::LARGEST),
            8 => Some(96 * 1024),
            9 | 13 => Some(128),
            10 => Some(256 * 1024),
            11 => Some(4096),
            12 => Some(2),
            14 => Some(384 * 1024),
            15 | 16 => Some(256),
            17 => Some(256 * 1024),
            _ => None,
        }
    }
}
