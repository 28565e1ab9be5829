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

/// On which side of a call edge an application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum EdgeRole {
    /// It sends calls.
    #[n(1)]
    Caller,
    /// It answers them.
    #[n(2)]
    Callee,
}

/// Which end of which call edge a socket is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EdgeEnd {
    /// The application at the other end.
    #[n(0)]
    pub peer: Name,
    /// On which side this application is.
    #[n(1)]
    pub role: EdgeRole,
    /// Which start of the peer has the other end.
    #[n(2)]
    pub start: u64,
    /// Which pair of sockets this edge has, counted by init from 1. Renewing names it.
    #[n(3)]
    pub pair: u64,
}

/// A call edge handed over at the start.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Edge {
    /// Which.
    #[n(0)]
    pub end: EdgeEnd,
    /// Descriptor number of a connected stream socket.
    #[cbor(n(1), with = "crate::atoms::descriptor")]
    pub descriptor: i32,
}

/// What time it was by the NSM at one moment of the machine's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TimeAnchor {
    /// By the NSM.
    #[n(0)]
    pub time: UnixMillis,
    /// `CLOCK_MONOTONIC` at that moment, in nanoseconds.
    #[n(1)]
    pub monotonic_ns: u64,
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
    /// The call edges of the manifest that this application is part of.
    #[n(5)]
    pub edges: Vec<Edge>,
    /// The instance's live key, which signed the certificate: it names the instance.
    #[n(6)]
    pub instance: VerificationKey,
    /// The time.
    #[n(7)]
    pub time: TimeAnchor,
}

/// A symmetric key under which `owner` seals what `reader` opens.
#[derive(Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(map)]
pub struct LaunchSealingKey {
    /// Who seals.
    #[n(0)]
    #[zeroize(skip)]
    pub owner: Name,
    /// Who opens; the owner itself for its own secrets.
    #[n(1)]
    #[zeroize(skip)]
    pub reader: Name,
    /// 32 bytes, for [`StorageKey`](quorate_sealing::StorageKey).
    #[cbor(n(2), with = "minicbor::bytes")]
    pub key: [u8; 32],
}

/// The secret keys of one start. Those without a remark are P-256 scalars, 32 bytes big-endian.
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
    /// Derived from the quorum key: symmetric keys, ascending by owner, then reader.
    #[n(3)]
    pub sealing: Vec<LaunchSealingKey>,
}

object! {
    ApplicationCertificate => "quorate/application-certificate/v1", 512;
    ApplicationProof => "quorate/application-proof/v1", 66 * 1024;
    LaunchRecord => "quorate/launch-record/v2", 8 * 1024;
    LaunchKeys => "quorate/launch-keys/v2", 8 * 1024;
}
