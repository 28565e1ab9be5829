//! Resharing: who must consent to an order, and what proves that its shares were made and are held.
//!
//! The same functions decide in the enclave before it draws anything, in a member's tool before it
//! signs or keeps a share, and in a chain for everybody who has only the chain:
//!
//! * an order names genesis, manifest and epoch that stand now, and the thresholds of the manifest
//!   set and of the share set of that manifest consented to it, each member in the role that the
//!   consent names ([`consenters`]);
//! * record and certificate are signed with the instance key of a ring that the quorum key signed;
//!   the certificate is that of the instance in the order; the record has the quorum key as its
//!   first commitment, another epoch, the order's threshold, one share for every member of the order
//!   and nobody else, a drill sharing that goes with it (`verify/src/drill.rs`), and a time before the
//!   order expired ([`verify_reshare`]);
//! * at least the new threshold signed receipts, each with a proof of possession that the new share
//!   itself has signed ([`verify_completed`]).
//!
//! It does not show that nobody kept an old share, and not that the instance made no other record:
//! an order is carried out once, but there may be several orders. Only the manifest says which
//! epoch counts.

mod error;

use quorate_protocol::atoms::{ShareIndex, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Epoch, Genesis, Possession};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::{MemberSet, Role};
use quorate_protocol::reshare::{
    CompletedReshare, Reshare, ReshareConsent, ReshareOrder, ReshareReceipt, ReshareRecord,
};

use crate::chain::Approver;
use crate::drill::check_sharing;
use crate::forward;
use crate::genesis::VerifiedGenesis;

pub use self::error::{ReshareError, ReshareField, ResharePart};

/// Who consented to an order, in each role in order of index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consenters {
    /// Members of the manifest set.
    pub manifest_set: Vec<Approver>,
    /// Members of the share set.
    pub share_set: Vec<Approver>,
}

/// A record that an instance of the namespace made on an order of both sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReshare {
    /// The order.
    pub order: Digest<ReshareOrder>,
    /// The record.
    pub record: Digest<ReshareRecord>,
    /// The shares that are replaced.
    pub before: Epoch,
    /// The new shares.
    pub epoch: Epoch,
    /// Who consented.
    pub consenters: Consenters,
    /// When, by the instance's security module.
    pub time: UnixMillis,
}

/// A resharing whose new threshold has shown to hold its shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCompletion {
    /// The record.
    pub reshare: VerifiedReshare,
    /// Who signed a receipt, in order of index; the times are their own clocks'.
    pub holders: Vec<Approver>,
}

/// Whether an order is for what runs now, and not for something else.
///
/// # Errors
/// [`ReshareError::Differs`] of [`ResharePart::Order`].
pub fn check_order(
    genesis: Digest<Genesis>,
    running: &Manifest,
    order: &ReshareOrder,
) -> Result<(), ReshareError> {
    agree(
        ResharePart::Order,
        &[
            (ReshareField::Genesis, order.genesis == genesis),
            (
                ReshareField::Manifest,
                order.manifest == Digest::of(running),
            ),
            (ReshareField::Epoch, order.epoch == running.epoch),
        ],
    )
}

/// Verifies every consent to an order and counts them, role by role. `running` is the manifest that
/// the order names. Who was left out by an exception of the genesis holds no share of its epoch, and
/// has no say among the holders.
///
/// # Errors
/// The first consent that is wrong, be there enough others or not;
/// [`ReshareError::ConsentsMissing`].
pub fn consenters(
    genesis: &VerifiedGenesis,
    running: &Manifest,
    order: Digest<ReshareOrder>,
    consents: &[Signed<ReshareConsent>],
) -> Result<Consenters, ReshareError> {
    let mut given = Consenters::default();
    for consent in consents {
        let claim = consent.unverified();
        let (role, index) = (claim.role, claim.index);
        if (claim.genesis, claim.order) != (running.genesis, order) {
            return Err(ReshareError::ConsentOfAnother { role, index });
        }
        let (set, list) = match role {
            Role::ManifestSet => (&running.manifest_set, &mut given.manifest_set),
            Role::ShareSet => (&running.share_set, &mut given.share_set),
        };
        let member = set.member(index);
        let member = member.ok_or(ReshareError::ConsentOfStranger { role, index })?;
        if role == Role::ShareSet && !genesis.is_active(index, running.epoch) {
            return Err(ReshareError::ConsentOfInactive { index });
        }
        if list.iter().any(|known| known.index == index) {
            return Err(ReshareError::ConsentRepeated { role, index });
        }
        if consent.verify(&member.signing_key).is_err() {
            return Err(ReshareError::ConsentSignature { role, index });
        }
        list.push(Approver {
            name: member.name.clone(),
            index,
            signing_key: member.signing_key,
            time: claim.time,
            surrogate: None,
        });
    }
    for (role, set, list) in [
        (
            Role::ManifestSet,
            &running.manifest_set,
            &mut given.manifest_set,
        ),
        (Role::ShareSet, &running.share_set, &mut given.share_set),
    ] {
        list.sort_unstable_by_key(|consenter| consenter.index);
        let (need, have) = (set.threshold, list.len());
        if have < usize::from(need) {
            return Err(ReshareError::ConsentsMissing {
                role,
                need,
                have,
                missing: absent(set, list),
            });
        }
    }
    Ok(given)
}

/// Verifies what an instance answered to an order. `running` is the manifest that it ran.
///
/// # Errors
/// The first rule that is broken.
pub fn verify_reshare(
    genesis: &VerifiedGenesis,
    running: &Manifest,
    reshare: &Reshare,
) -> Result<VerifiedReshare, ReshareError> {
    let (named, order) = (genesis.digest(), &reshare.order);
    check_order(named, running, order)?;
    let digest = Digest::of(order);
    let consenters = consenters(genesis, running, digest, &reshare.consents)?;
    let key = forward::instance_key(genesis, order.manifest, &reshare.ring);
    let key = key.map_err(|_| ReshareError::Signature {
        part: ResharePart::Ring,
    })?;
    let part = ResharePart::Certificate;
    let certificate = reshare.certificate.verify(&key);
    let certificate = certificate.map_err(|_| ReshareError::Signature { part })?;
    agree(
        part,
        &[
            (ReshareField::Genesis, certificate.genesis == named),
            (
                ReshareField::Manifest,
                certificate.manifest == order.manifest,
            ),
            (ReshareField::LiveKeys, certificate.live == order.live),
            (ReshareField::Epoch, certificate.epoch == order.epoch),
        ],
    )?;
    let part = ResharePart::Record;
    let record = reshare.record.verify(&key);
    let record = record.map_err(|_| ReshareError::Signature { part })?;
    let (commitments, set) = (&record.commitments, &order.share_set);
    let (quorum_key, epoch) = (commitments.quorum_key(), commitments.epoch());
    let shares = record.shares.iter().map(|share| share.index);
    agree(
        part,
        &[
            (ReshareField::Genesis, record.genesis == named),
            (ReshareField::Order, record.order == digest),
            (
                ReshareField::QuorumKey,
                quorum_key.as_ref() == Ok(genesis.quorum_key()),
            ),
            (
                ReshareField::Threshold,
                commitments.inner().threshold() == set.threshold,
            ),
            (
                ReshareField::Members,
                shares.eq(set.members.iter().map(|member| member.index)),
            ),
            (ReshareField::Epoch, epoch != order.epoch),
            (ReshareField::Time, record.time <= order.expires),
            (
                ReshareField::Drill,
                check_sharing(commitments, set, &record.drill).is_ok(),
            ),
        ],
    )?;
    Ok(VerifiedReshare {
        order: digest,
        record: reshare.record.digest(),
        before: order.epoch,
        epoch,
        consenters,
        time: record.time,
    })
}

/// Verifies a resharing and that its new threshold holds its shares.
///
/// # Errors
/// The first rule that is broken.
pub fn verify_completed(
    genesis: &VerifiedGenesis,
    running: &Manifest,
    completed: &CompletedReshare,
) -> Result<VerifiedCompletion, ReshareError> {
    let reshare = verify_reshare(genesis, running, &completed.reshare)?;
    let set = &completed.reshare.order.share_set;
    let mut holders: Vec<Approver> = Vec::new();
    for receipt in &completed.receipts {
        let holder = check_receipt(&completed.reshare, receipt)?;
        if holders
            .last()
            .is_some_and(|last| last.index >= holder.index)
        {
            return Err(ReshareError::ReceiptOrder {
                index: holder.index,
            });
        }
        holders.push(holder);
    }
    let (need, have) = (set.threshold, holders.len());
    if have < usize::from(need) {
        return Err(ReshareError::ReceiptsMissing {
            need,
            have,
            missing: absent(set, &holders),
        });
    }
    Ok(VerifiedCompletion { reshare, holders })
}

/// Whether a receipt is by a new member, for the share of this very record, with proof of
/// possession. Whether the record itself is right, [`verify_reshare`] says.
///
/// # Errors
/// [`ReshareError::ReceiptOfStranger`], [`ReshareError::ReceiptOfAnother`],
/// [`ReshareError::ReceiptSignature`], [`ReshareError::Possession`].
pub fn check_receipt(
    reshare: &Reshare,
    receipt: &Signed<ReshareReceipt>,
) -> Result<Approver, ReshareError> {
    let claim = receipt.unverified();
    let (record, index) = (reshare.record.unverified(), claim.index);
    let member = reshare.order.share_set.member(index);
    let member = member.ok_or(ReshareError::ReceiptOfStranger { index })?;
    let epoch = record.commitments.epoch();
    let expected = Possession {
        genesis: record.genesis,
        epoch,
        index,
    };
    if (claim.genesis, claim.record, claim.epoch)
        != (record.genesis, reshare.record.digest(), epoch)
        || *claim.possession.unverified() != expected
    {
        return Err(ReshareError::ReceiptOfAnother { index });
    }
    if receipt.verify(&member.signing_key).is_err() {
        return Err(ReshareError::ReceiptSignature { index });
    }
    let key = record.commitments.member_key(index);
    let proved = |key: VerificationKey| claim.possession.verify(&key).is_ok();
    if !key.is_ok_and(proved) {
        return Err(ReshareError::Possession { index });
    }
    Ok(Approver {
        name: member.name.clone(),
        index,
        signing_key: member.signing_key,
        time: claim.time,
        surrogate: None,
    })
}

fn absent(set: &MemberSet, given: &[Approver]) -> Vec<ShareIndex> {
    let indices = set.members.iter().map(|member| member.index);
    indices
        .filter(|index| !given.iter().any(|known| known.index == *index))
        .collect()
}

/// The first field that does not agree with what was verified before.
fn agree(part: ResharePart, fields: &[(ReshareField, bool)]) -> Result<(), ReshareError> {
    match fields.iter().find(|(_, agrees)| !agrees) {
        None => Ok(()),
        Some((field, _)) => Err(ReshareError::Differs {
            part,
            field: *field,
        }),
    }
}
