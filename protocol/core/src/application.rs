//! What an application is given when it starts, and what it can prove afterwards.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::atoms::{Bytes, Name, Sha256, UnixMillis};
use crate::cbor::object;
use crate::cose::Signed;
use crate::digest::Digest;
use crate::genesis::Genesis;
use crate::keys::VerificationKey;
use crate::manifest::Manifest;

/// Descriptor at which every application finds its launch record, a sealed memfd.
pub const LAUNCH_RECORD_DESCRIPTOR: i32 = 3;

/// init's word on one start of one application, signed by the instance's live key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ApplicationCertificate {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// What runs there.
    #[n(1)]
    pub manifest: Digest<Manifest>,
    /// Its name in the manifest.
    #[n(2)]
    pub application: Name,
    /// SHA-256 of the binary that was started.
    #[n(3)]
    pub sha256: Sha256,
    /// Which start of this application in this instance, from 1.
    #[n(4)]
    pub start: u64,
    /// The key made for this start.
    #[n(5)]
    pub live: VerificationKey,
    /// When, by the instance's NSM.
    #[n(6)]
    pub time: UnixMillis,
}

/// A statement of an application, signed by its certified live key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ApplicationProof {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// Its name in the manifest.
    #[n(1)]
    pub application: Name,
    /// Which start.
    #[n(2)]
    pub start: u64,
    /// What kind of statement, chosen by the application.
    #[n(3)]
    pub kind: Name,
    /// The statement.
    #[n(4)]
    pub payload: Bytes<0, { 64 * 1024 }>,
}

/// Certificate and proofs of one start of an application.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ApplicationEvidence {
    /// Signed by the instance's live key.
    #[n(0)]
    pub certificate: Signed<ApplicationCertificate>,
    /// Signed by the application's live key.
    #[n(1)]
    pub proofs: Vec<Signed<ApplicationProof>>,
}

/// A listening socket handed over.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Listener {
    /// Port of the manifest.
    #[n(0)]
    pub port: u32,
    /// Descriptor number.
    #[cbor(n(1), with = "crate::atoms::descriptor")]
    pub descriptor: i32,
}

/// Names everything an application was started with.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LaunchRecord {
    /// Format number; [`crate::FORMAT`].
    #[cbor(n(0), with = "crate::atoms::format")]
    pub format: u8,
    /// The certificate of this start.
    #[n(1)]
    pub certificate: Signed<ApplicationCertificate>,
    /// Descriptor of the memfd that holds [`LaunchKeys`].
    #[cbor(n(2), with = "crate::atoms::descriptor")]
    pub keys: i32,
    /// Descriptor of the control socket to init.
    #[cbor(n(3), with = "crate::atoms::descriptor")]
    pub control: i32,
    /// The ports of the manifest.
    #[n(4)]
    pub listeners: Vec<Listener>,
}

/// The secret keys of one start. Each is a P-256 scalar, 32 bytes big-endian.
#[derive(Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(map)]
pub struct LaunchKeys {
    /// Made for this start and certified by init.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub live: [u8; 32],
    /// Derived from the quorum key: the same in every instance of the namespace.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signing: [u8; 32],
    /// Derived from the quorum key, for HPKE.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub encryption: [u8; 32],
}

/// From an application to init, over the control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ToInit {
    /// It serves from now on.
    #[n(1)]
    Ready,
}

/// From init to an application, over the control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum FromInit {
    /// Finish what is under way and end.
    #[n(1)]
    Stop,
}

object! {
    ApplicationCertificate => "quorate/application-certificate/v1", 512;
    ApplicationProof => "quorate/application-proof/v1", 66 * 1024;
    LaunchRecord => "quorate/launch-record/v1", 4 * 1024;
    LaunchKeys => "quorate/launch-keys/v1", 128;
    ToInit => "quorate/to-init/v1", 16;
    FromInit => "quorate/from-init/v1", 16;
}
