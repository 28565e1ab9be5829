//! Drills: members rehearse giving their shares, and prove that they still have them.
//!
//! Beside the quorum secret an enclave shares a second scalar that has nothing to do with it, among
//! the same people with the same threshold: the drill scalar. In a drill members give its shares to
//! an enclave of the production image that was started for a drill and can do nothing else. With
//! each goes a [`DrillPossession`], signed with the member's *real* share, which itself stays where
//! it is. The enclave rebuilds the drill scalar, erases it, and signs a [`DrillRecord`].
//!
//! Every object has a label of its own, and so has every sealing: a drill grant is no share grant, a
//! drill possession no receipt's, and no share opens in the place of the other.
//!
//! This file says what the objects are. What must hold of them is in `verify/src/drill.rs`;
//! `docs/design/0021-drill.md` says why.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{Sha256, ShareIndex, UnixMillis};
use crate::cbor::{Checked, Rules, object};
use crate::cose::Signed;
use crate::definition::Definition;
use crate::digest::Digest;
use crate::genesis::{
    CommitmentList, Document, Epoch, Genesis, MemberShare, SealContext, SealedShare, ascending,
};
use crate::invalid::Invalid;
use crate::keys::KeyPair;
use crate::manifest::Manifest;
use crate::members::Role;
use crate::message::Nonce;
use crate::reshare::ReshareOrder;

/// The sharing of a drill scalar: independent of the quorum secret, same members, same threshold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillSharing {
    /// Commitments to its polynomial.
    #[n(0)]
    pub commitments: CommitmentList,
    /// One share a member, ascending.
    #[n(1)]
    pub shares: Vec<MemberShare>,
}

/// Proof that a member holds their real share, for one drill enclave. Signed with that share.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillPossession {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The manifest that names the shares.
    #[n(1)]
    pub manifest: Digest<Manifest>,
    /// Which shares: the real ones.
    #[n(2)]
    pub epoch: Epoch,
    /// Which of them.
    #[cbor(n(3), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// The drill enclave: its setup keys, as attested.
    #[n(4)]
    pub setup: KeyPair,
    /// SHA-256 of the attestation document that the member verified.
    #[n(5)]
    pub document: Sha256,
}

/// A member's part in a drill. Never a [`ShareGrant`](crate::provision::ShareGrant).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillGrant {
    /// Always [`Role::ShareSet`], or refused when decoded.
    #[cbor(n(0), with = "crate::members::share_set")]
    pub role: Role,
    /// Signed with the real share; names namespace, manifest, epoch, member and enclave.
    #[n(1)]
    pub possession: Signed<DrillPossession>,
    /// Which drill shares: the digest of their commitments.
    #[n(2)]
    pub drill: Epoch,
    /// The very ciphertext that travels with this grant. Absent where the member proves possession
    /// only: their drill share is sealed to keys that they have replaced.
    #[n(3)]
    pub sealed: Option<Digest<SealedShare>>,
    /// When, by the member's clock.
    #[n(4)]
    pub time: UnixMillis,
}

/// Takes part in a drill.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillRequest {
    /// Signed by the member.
    #[n(0)]
    pub grant: Signed<DrillGrant>,
    /// The drill share, sealed to the drill enclave's setup key; there exactly if the grant names it.
    #[n(1)]
    pub sealed: Option<SealedShare>,
}

/// A drill enclave's answer: proof and share were good. Signed with its setup key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillReceipt {
    /// The grant it answers.
    #[n(0)]
    pub grant: Digest<DrillGrant>,
    /// The member.
    #[cbor(n(1), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// Members who have proved possession so far, this one included.
    #[n(2)]
    pub proved: u8,
    /// Good drill shares so far.
    #[n(3)]
    pub accepted: u8,
    /// Drill shares needed. With so many the drill scalar was rebuilt and was the right one.
    #[n(4)]
    pub threshold: u8,
    /// When, by the enclave's NSM.
    #[n(5)]
    pub time: UnixMillis,
}

/// Asks for the record of a drill, which ends it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillFinishRequest {
    /// For the attestation in the answer.
    #[n(0)]
    pub nonce: Nonce,
    /// When the next drill is due.
    #[n(1)]
    pub due: UnixMillis,
}

/// What one member did in a drill.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillGiven {
    /// The member.
    #[cbor(n(0), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// Their grant.
    #[n(1)]
    pub grant: Digest<DrillGrant>,
    /// When it was taken, by the enclave's NSM.
    #[n(2)]
    pub time: UnixMillis,
}

/// What a drill enclave says at the end. It signs this only after it has rebuilt the drill scalar.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DrillRecordFields {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The manifest that it was started with.
    #[n(1)]
    pub manifest: Digest<Manifest>,
    /// The real shares that members proved to hold.
    #[n(2)]
    pub epoch: Epoch,
    /// The drill shares.
    #[n(3)]
    pub drill: Epoch,
    /// Who took part, ascending by index.
    #[n(4)]
    pub given: Vec<DrillGiven>,
    /// When the enclave was started for the drill, by its NSM.
    #[n(5)]
    pub begun: UnixMillis,
    /// When it ended the drill, by its NSM.
    #[n(6)]
    pub time: UnixMillis,
    /// When the next drill is due, as whoever ended this one said.
    #[n(7)]
    pub due: UnixMillis,
}

/// A record in which nobody stands twice.
pub type DrillRecord = Checked<DrillRecordFields>;

impl Rules for DrillRecordFields {
    fn check(&self) -> Result<(), Invalid> {
        ascending(self.given.iter().map(|given| given.index))
    }
}

/// A drill as the enclave answers it at the end, with what proves it to whoever has the genesis record
/// and the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Drill {
    /// Signed with the enclave's setup key.
    #[n(0)]
    pub record: Signed<DrillRecord>,
    /// The grants it names, in its order.
    #[n(1)]
    pub grants: Vec<Signed<DrillGrant>>,
    /// Attestation of the drill enclave and its setup keys.
    #[n(2)]
    pub document: Document,
}

/// HPKE context of a drill share that a genesis seals to its member.
pub fn genesis_drill_share_context(
    definition: &Digest<Definition>,
    index: ShareIndex,
    drill: &Epoch,
) -> SealContext {
    let subjects = [definition.as_bytes()];
    SealContext::of_share(
        "quorate/genesis-drill-share/v1",
        &subjects,
        index,
        Some(drill),
    )
}

/// HPKE context of a drill share that a resharing seals to its member.
pub fn reshare_drill_share_context(
    order: &Digest<ReshareOrder>,
    index: ShareIndex,
    drill: &Epoch,
) -> SealContext {
    let subjects = [order.as_bytes()];
    SealContext::of_share(
        "quorate/reshare-drill-share/v1",
        &subjects,
        index,
        Some(drill),
    )
}

/// HPKE context of a drill share sealed to a drill enclave's setup key.
pub fn drill_share_context(
    genesis: &Digest<Genesis>,
    manifest: &Digest<Manifest>,
    index: ShareIndex,
    drill: &Epoch,
) -> SealContext {
    let subjects = [genesis.as_bytes(), manifest.as_bytes()];
    SealContext::of_share("quorate/drill-share/v1", &subjects, index, Some(drill))
}

object! {
    DrillPossession => "quorate/drill-possession/v1", 384;
    DrillGrant => "quorate/drill-grant/v1", 640;
    DrillReceipt => "quorate/drill-receipt/v1", 128;
    DrillRecord => "quorate/drill-record/v1", 16 * 1024;
    Drill => "quorate/drill/v1", 256 * 1024;
}
