//! Giving shares to an instance: grants and receipts.

use alloc::boxed::Box;

use minicbor::{Decode, Encode};

use crate::atoms::{Sha256, ShareIndex, UnixMillis};
use crate::cbor::object;
use crate::cose::Signed;
use crate::digest::Digest;
use crate::genesis::{Epoch, Genesis, SealContext, SealedShare};
use crate::keys::KeyPair;
use crate::manifest::Manifest;
use crate::members::Role;
use crate::surrogate::Delegation;

/// A member's decision to give their share to one instance. Not an approval of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ShareGrant {
    /// Always [`Role::ShareSet`], or refused when decoded; signed, so that no other role's signature can pass for it.
    #[cbor(n(0), with = "crate::members::share_set")]
    pub role: Role,
    /// The namespace.
    #[n(1)]
    pub genesis: Digest<Genesis>,
    /// What runs there.
    #[n(2)]
    pub manifest: Digest<Manifest>,
    /// The instance: its setup keys, as attested.
    #[n(3)]
    pub setup: KeyPair,
    /// SHA-256 of the attestation document the member verified.
    #[n(4)]
    pub document: Sha256,
    /// The member.
    #[cbor(n(5), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// Which shares.
    #[n(6)]
    pub epoch: Epoch,
    /// The very ciphertext that travels with this grant.
    #[n(7)]
    pub sealed: Digest<SealedShare>,
    /// When, by the member's clock.
    #[n(8)]
    pub time: UnixMillis,
}

/// The instance's answer: this share was good and is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ProvisionReceipt {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// What runs there.
    #[n(1)]
    pub manifest: Digest<Manifest>,
    /// The grant it answers.
    #[n(2)]
    pub grant: Digest<ShareGrant>,
    /// The member.
    #[cbor(n(3), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// Which shares.
    #[n(4)]
    pub epoch: Epoch,
    /// Good shares so far, this one included.
    #[n(5)]
    pub accepted: u8,
    /// Good shares needed.
    #[n(6)]
    pub threshold: u8,
    /// When, by the instance's NSM.
    #[n(7)]
    pub time: UnixMillis,
}

/// A grant and the receipt that answered it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Provision {
    /// Signed by the member, or by their surrogate.
    #[n(0)]
    pub grant: Signed<ShareGrant>,
    /// Signed by the instance's setup key.
    #[n(1)]
    pub receipt: Signed<ProvisionReceipt>,
    /// Signed by the member, where a surrogate signed the grant.
    #[n(2)]
    pub delegation: Option<Box<Signed<Delegation>>>,
}

/// HPKE context of a share sealed to an instance's setup key.
pub fn provision_share_context(
    genesis: &Digest<Genesis>,
    manifest: &Digest<Manifest>,
    index: ShareIndex,
    epoch: &Epoch,
) -> SealContext {
    let subjects = [genesis.as_bytes(), manifest.as_bytes()];
    SealContext::of_share("quorate/provision-share/v1", &subjects, index, Some(epoch))
}

object! {
    ShareGrant => "quorate/share-grant/v1", 512;
    ProvisionReceipt => "quorate/provision-receipt/v1", 512;
}
