//! Key forward: a running instance gives the quorum key to one that waits for it.
//!
//! The exporter draws a challenge; the importer attests its setup keys for it; the exporter signs a
//! counted [`ForwardRecord`] and seals the secret to the attested key; the importer certifies itself
//! and confirms with its new live key; the exporter then erases its keys. Every object here has a
//! label of its own: an approval of a forward is neither an approval of a manifest nor a grant.
//!
//! This file says what the objects are. What may be forwarded, and what proves it, is in
//! `verify/src/forward.rs`; `docs/design/0011-key-forward.md` says why.

use alloc::boxed::Box;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{Sha256, ShareIndex, Text, UnixMillis};
use crate::cbor::{Checked, Rules, object, to_bytes};
use crate::cose::Signed;
use crate::digest::Digest;
use crate::genesis::{Document, Genesis, SealContext, SealedShare};
use crate::instance::{InstanceCertificate, KeyRing};
use crate::invalid::Invalid;
use crate::keys::KeyPair;
use crate::manifest::{Link, Manifest};
use crate::members::Role;
use crate::message::Nonce;

/// Whether an instance of a manifest forwards the key. A manifest without one never does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardPolicy {
    /// Last moment, by the exporter's NSM; after it nothing is forwarded.
    #[n(0)]
    pub not_after: UnixMillis,
    /// When a direct successor needs approvals of the share set.
    #[n(1)]
    pub approvals: ApprovalRule,
}

/// When a direct successor needs approvals of the share set before the key is forwarded to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ApprovalRule {
    /// Whatever it changes.
    #[n(1)]
    Always,
    /// Unless it changes nothing but applications and when it may boot.
    #[n(2)]
    ExceptApplications,
}

/// A share holder's approval of forwarding the key from one manifest to its direct successor. Not
/// an approval of the manifest, and not a grant of a share.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardApproval {
    /// Always [`Role::ShareSet`], or refused when decoded.
    #[cbor(n(0), with = "crate::members::share_set")]
    pub role: Role,
    /// The namespace.
    #[n(1)]
    pub genesis: Digest<Genesis>,
    /// The manifest of the exporter, whose share set the signer is in.
    #[n(2)]
    pub from: Digest<Manifest>,
    /// The manifest of the importer.
    #[n(3)]
    pub to: Digest<Manifest>,
    /// The signer's index in that share set.
    #[cbor(n(4), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// When, by the signer's clock.
    #[n(5)]
    pub time: UnixMillis,
}

/// An exporter's nonce. Used once; another one replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardChallenge {
    /// What the importer has to attest with.
    #[n(0)]
    pub nonce: Nonce,
    /// Last moment, by the exporter's NSM.
    #[n(1)]
    pub expires: UnixMillis,
}

/// Asks an exporter for the key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ExportRequest {
    /// The importer's attestation of its setup keys, for the open challenge.
    #[n(0)]
    pub document: Document,
    /// The direct successor that the importer runs; absent where it runs the exporter's manifest.
    #[n(1)]
    pub link: Option<Link>,
    /// Approvals of forwarding to that successor.
    #[n(2)]
    pub approvals: Vec<Signed<ForwardApproval>>,
}

/// What an exporter says, and has anchored, before the key leaves it. Signed with the ring's
/// instance key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardRecordFields {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The manifest of the exporter.
    #[n(1)]
    pub from: Digest<Manifest>,
    /// The manifest of the importer.
    #[n(2)]
    pub to: Digest<Manifest>,
    /// The exporter's live keys.
    #[n(3)]
    pub exporter: KeyPair,
    /// The exporter's module id.
    #[n(4)]
    pub exporter_module: Text<256>,
    /// The importer's setup keys, as attested; the key is sealed to them.
    #[n(5)]
    pub importer: KeyPair,
    /// The importer's module id.
    #[n(6)]
    pub importer_module: Text<256>,
    /// SHA-256 of the attestation document that was verified.
    #[n(7)]
    pub document: Sha256,
    /// 1 for the exporter's first forward, then one more each time.
    #[n(8)]
    pub count: u64,
    /// When, by the exporter's NSM.
    #[n(9)]
    pub time: UnixMillis,
}

/// A record that counts from one.
pub type ForwardRecord = Checked<ForwardRecordFields>;

impl Rules for ForwardRecordFields {
    fn check(&self) -> Result<(), Invalid> {
        match self.count {
            0 => Err(Invalid::SequenceZero),
            _ => Ok(()),
        }
    }
}

/// The key on its way, with everything the importer checks before it opens it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardedKey {
    /// Signed with the ring's instance key.
    #[n(0)]
    pub record: Signed<ForwardRecord>,
    /// The approvals that the exporter accepted.
    #[n(1)]
    pub approvals: Vec<Signed<ForwardApproval>>,
    /// The exporter's ring, signed by the quorum key.
    #[n(2)]
    pub ring: Signed<KeyRing>,
    /// The exporter's certificate, signed with the ring's instance key.
    #[n(3)]
    pub certificate: Signed<InstanceCertificate>,
    /// The quorum secret, sealed to the importer's setup key.
    #[n(4)]
    pub sealed: SealedShare,
}

/// Where a forwarded key came from, as the importer certifies it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardSource {
    /// The exporter's record.
    #[n(0)]
    pub record: Digest<ForwardRecord>,
    /// The exporter's live keys.
    #[n(1)]
    pub live: KeyPair,
    /// The exporter's module id.
    #[n(2)]
    pub module_id: Text<256>,
}

/// The importer has the key. Signed with its live key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardConfirmation {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The exporter's record.
    #[n(1)]
    pub record: Digest<ForwardRecord>,
    /// The importer's certificate.
    #[n(2)]
    pub certificate: Digest<InstanceCertificate>,
    /// When, by the importer's NSM.
    #[n(3)]
    pub time: UnixMillis,
}

/// What ends an exporter: the importer's certificate, and its word that it holds the key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Confirmed {
    /// Signed with the ring's instance key.
    #[n(0)]
    pub certificate: Signed<InstanceCertificate>,
    /// Signed with the live key in that certificate.
    #[n(1)]
    pub confirmation: Signed<ForwardConfirmation>,
}

/// How an importer shows where its key came from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardReceived {
    /// Signed with the ring's instance key.
    #[n(0)]
    pub record: Signed<ForwardRecord>,
    /// The approvals that the exporter accepted.
    #[n(1)]
    pub approvals: Vec<Signed<ForwardApproval>>,
    /// The exporter's certificate, signed with the ring's instance key.
    #[n(2)]
    pub certificate: Signed<InstanceCertificate>,
    /// Signed with the importer's live key.
    #[n(3)]
    pub confirmation: Signed<ForwardConfirmation>,
}

/// A forward that an instance made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForwardMade {
    /// Signed with the ring's instance key.
    #[n(0)]
    pub record: Signed<ForwardRecord>,
    /// What ended the instance; absent while it serves.
    #[n(1)]
    pub confirmed: Option<Box<Confirmed>>,
}

/// HPKE context of the quorum secret sealed to an importer's setup key.
pub fn forward_key_context(record: &ForwardRecord) -> SealContext {
    let mut aad = Vec::new();
    let mut e = minicbor::Encoder::new(&mut aad);
    let written = e
        .array(5)
        .and_then(|e| e.bytes(record.genesis.as_bytes()))
        .and_then(|e| e.bytes(record.from.as_bytes()))
        .and_then(|e| e.bytes(record.to.as_bytes()));
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
    aad.extend(to_bytes(&record.exporter));
    aad.extend(to_bytes(&Digest::of(record)));
    SealContext {
        info: "quorate/forward-key/v1",
        aad,
    }
}

object! {
    ForwardApproval => "quorate/forward-approval/v1", 256;
    ForwardRecord => "quorate/forward-record/v1", 1024;
    ForwardConfirmation => "quorate/forward-confirmation/v1", 256;
}
