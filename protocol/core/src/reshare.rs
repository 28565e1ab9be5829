//! Resharing: a running instance shares the quorum secret anew, among other members.
//!
//! The instance gives a nonce; an order names what is asked for; the thresholds of the share set and
//! of the manifest set consent to it; the instance draws a new polynomial with the same constant
//! term, seals each share to its member and signs a [`ReshareRecord`]. Each new member answers with
//! a receipt that the share itself has signed. With receipts of the new threshold the record is
//! complete, and a manifest may name its epoch. Every object here has a label of its own: a consent
//! to an order is neither an approval of a manifest nor a grant, and it names the role in which it
//! was given.
//!
//! This file says what the objects are. What must hold of them is in `verify/src/reshare.rs`;
//! `docs/design/0017-reshare.md` says why.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{ShareIndex, UnixMillis};
use crate::cbor::{Checked, Object, Rules, object};
use crate::cose::Signed;
use crate::digest::Digest;
use crate::drill::DrillSharing;
use crate::genesis::{
    CommitmentList, Epoch, Genesis, MemberShare, Possession, SealContext, ascending,
};
use crate::instance::{InstanceCertificate, KeyRing};
use crate::invalid::Invalid;
use crate::keys::KeyPair;
use crate::manifest::Manifest;
use crate::members::{MemberSet, Role};
use crate::message::Nonce;

/// An instance's nonce for an order. Used once; another one replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReshareChallenge {
    /// What the order has to name.
    #[n(0)]
    pub nonce: Nonce,
    /// Last moment, by the instance's NSM. No order may expire later.
    #[n(1)]
    pub expires: UnixMillis,
}

/// Asks one instance to share the quorum secret anew.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReshareOrder {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// What runs there. Its two sets consent.
    #[n(1)]
    pub manifest: Digest<Manifest>,
    /// The instance: its live keys, as attested.
    #[n(2)]
    pub live: KeyPair,
    /// The shares that are replaced.
    #[n(3)]
    pub epoch: Epoch,
    /// Who gets the new shares, and how many of them open the key.
    #[n(4)]
    pub share_set: MemberSet,
    /// That instance's nonce.
    #[n(5)]
    pub nonce: Nonce,
    /// Last moment at which the instance may begin, by its NSM.
    #[n(6)]
    pub expires: UnixMillis,
}

/// A member's consent to an order, in one role. Whoever is in both sets gives two.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReshareConsent {
    /// In which set the signer acts.
    #[n(0)]
    pub role: Role,
    /// The namespace.
    #[n(1)]
    pub genesis: Digest<Genesis>,
    /// The order.
    #[n(2)]
    pub order: Digest<ReshareOrder>,
    /// The signer's index in that set of the manifest that runs.
    #[cbor(n(3), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// When, by the signer's clock.
    #[n(4)]
    pub time: UnixMillis,
}

/// An order and who consented to it: what is sent to the instance.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReshareRequest {
    /// The order.
    #[n(0)]
    pub order: ReshareOrder,
    /// Consents of both sets.
    #[n(1)]
    pub consents: Vec<Signed<ReshareConsent>>,
}

/// What an instance says about the shares it made. Signed with the ring's instance key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReshareRecordFields {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The order that was carried out.
    #[n(1)]
    pub order: Digest<ReshareOrder>,
    /// Commitments to the new polynomial. Their digest is the new epoch.
    #[n(2)]
    pub commitments: CommitmentList,
    /// One share a member of the order, ascending.
    #[n(3)]
    pub shares: Vec<MemberShare>,
    /// When, by the instance's NSM.
    #[n(4)]
    pub time: UnixMillis,
    /// Another independent scalar for drills, shared among the same members.
    #[n(5)]
    pub drill: DrillSharing,
}

/// A record whose shares are in ascending order.
pub type ReshareRecord = Checked<ReshareRecordFields>;

impl Rules for ReshareRecordFields {
    fn check(&self) -> Result<(), Invalid> {
        for shares in [&self.shares, &self.drill.shares] {
            ascending(shares.iter().map(|share| share.index))?;
        }
        Ok(())
    }
}

/// A resharing as the instance answers it, with what proves that an instance of the namespace made
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Reshare {
    /// The order.
    #[n(0)]
    pub order: ReshareOrder,
    /// The consents that the instance accepted.
    #[n(1)]
    pub consents: Vec<Signed<ReshareConsent>>,
    /// Signed with the ring's instance key.
    #[n(2)]
    pub record: Signed<ReshareRecord>,
    /// The instance's ring, signed by the quorum key.
    #[n(3)]
    pub ring: Signed<KeyRing>,
    /// The instance's certificate, signed with the ring's instance key.
    #[n(4)]
    pub certificate: Signed<InstanceCertificate>,
}

/// A new member's word that they hold their new share.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReshareReceipt {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The record.
    #[n(1)]
    pub record: Digest<ReshareRecord>,
    /// The new epoch.
    #[n(2)]
    pub epoch: Epoch,
    /// The member's index in the order's share set.
    #[cbor(n(3), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// When, by the member's clock.
    #[n(4)]
    pub time: UnixMillis,
    /// Signed with the new share.
    #[n(5)]
    pub possession: Signed<Possession>,
}

/// A resharing whose new threshold has shown to hold its shares. It travels in the link of the
/// manifest that names its epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CompletedReshare {
    /// What the instance answered.
    #[n(0)]
    pub reshare: Reshare,
    /// Receipts of at least the new threshold, ascending by index.
    #[n(1)]
    pub receipts: Vec<Signed<ReshareReceipt>>,
}

/// A holder's word that an old share is destroyed. Nobody can check that; it is on record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ShareDestroyed {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The epoch of the share.
    #[n(1)]
    pub epoch: Epoch,
    /// Its index.
    #[cbor(n(2), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// The approved manifest that names another epoch.
    #[n(3)]
    pub manifest: Digest<Manifest>,
    /// When, by the holder's clock.
    #[n(4)]
    pub time: UnixMillis,
}

/// HPKE context of a share that a resharing seals to its member.
pub fn reshare_share_context(
    order: &Digest<ReshareOrder>,
    index: ShareIndex,
    epoch: &Epoch,
) -> SealContext {
    let subjects = [order.as_bytes()];
    SealContext::of_share("quorate/reshare-share/v1", &subjects, index, Some(epoch))
}

object! {
    ReshareOrder => "quorate/reshare-order/v1", 64 * 1024;
    ReshareConsent => "quorate/reshare-consent/v1", 256;
    ReshareRecord => "quorate/reshare-record/v2", 128 * 1024;
    Reshare => "quorate/reshare/v2", 384 * 1024;
    ReshareReceipt => "quorate/reshare-receipt/v1", 512;
    CompletedReshare => "quorate/completed-reshare/v2", 544 * 1024;
    ShareDestroyed => "quorate/share-destroyed/v1", 256;
}

const _: () = assert!(Reshare::MAX > ReshareOrder::MAX + ReshareRecord::MAX);
const _: () = assert!(CompletedReshare::MAX > Reshare::MAX + 255 * ReshareReceipt::MAX);
