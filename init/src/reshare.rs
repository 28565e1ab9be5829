//! Resharing: a running instance shares the quorum secret anew.
//!
//! Guarantees: nothing is drawn before the order is known to be for this very instance, manifest and
//! epoch, to name the nonce this instance gave, to have time left by the NSM, and to be consented to
//! by the thresholds of both sets of the manifest that runs. A nonce serves one order, and one order
//! is open at a time: until it expires another is refused, and it gets its own answer again, so that
//! an answer that was lost is not a second sharing. The first commitment is the quorum key, or
//! nothing leaves. New shares leave only sealed to their members, and
//! beside them those of another drill scalar. A refused request changes nothing.
//!
//! Does not: take new shares, or know that they were received. The record is complete when the new
//! threshold has signed receipts with the shares themselves; whoever reads a chain verifies that
//! (`verify/src/reshare.rs`). This instance keeps its manifest and its epoch to its end.

use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::reshare_drill_share_context;
use quorate_protocol::genesis::{CommitmentList, Epoch};
use quorate_protocol::message::Reason;
use quorate_protocol::reshare::{
    Reshare, ReshareChallenge, ReshareOrder, ReshareRecord, ReshareRecordFields, ReshareRequest,
    reshare_share_context,
};
use quorate_sealing::Suite;
use quorate_verify::reshare::{ReshareError, check_order, consenters};

use crate::device::Device;
use crate::export::now;
use crate::genesis::{seal_shares, share_drill};
use crate::instance::{Provisioned, instance_key};
use crate::log::{Event, say};
use crate::nsm::Transport;
use crate::refuse::{Denied, Halt, refuse, refuse_member};

/// How long a nonce can be used, and an order be open, in milliseconds: people sign in several
/// places, and carry files.
pub(crate) const ORDER_MS: u64 = 14 * 24 * 60 * 60 * 1000;

/// The nonce that is open, and the order that was carried out last.
#[derive(Default)]
pub(crate) struct Orders {
    challenge: Option<ReshareChallenge>,
    done: Option<Box<Reshare>>,
}

impl Orders {
    /// The answer to the order that was carried out last, while it is open.
    fn open(&self, now: UnixMillis) -> Option<&Reshare> {
        self.done
            .as_deref()
            .filter(|reshare| now <= reshare.order.expires)
    }

    /// Nothing stands in the way of another order.
    fn check_none_open(&self, now: UnixMillis) -> Result<(), Denied> {
        match self.open(now) {
            None => Ok(()),
            Some(open) => {
                let until = format!("until {} by the NSM", open.order.expires.0);
                Err(refuse(Reason::ReshareOpen, &until))
            }
        }
    }

    /// The order names the nonce that is open, and has time left.
    fn check_time(&self, order: &ReshareOrder, now: UnixMillis) -> Result<(), Denied> {
        let Some(challenge) = &self.challenge else {
            return Err(refuse(Reason::ReshareNonce, "none was asked for"));
        };
        if order.nonce != challenge.nonce {
            return Err(refuse(Reason::ReshareNonce, ""));
        }
        if now > order.expires {
            return Err(refuse(
                Reason::ReshareExpired,
                &format!("it is {} by the NSM", now.0),
            ));
        }
        if order.expires > challenge.expires {
            let latest = format!("{} by the NSM at the latest", challenge.expires.0);
            return Err(refuse(Reason::ReshareTooLong, &latest));
        }
        Ok(())
    }
}

impl Provisioned {
    /// Gives a nonce for an order. The one before it, if any, is of no use any more.
    ///
    /// # Errors
    /// [`Denied::Refused`] while an order is open.
    pub(crate) fn reshare_challenge<T: Transport>(
        &mut self,
        device: &mut Device<T>,
    ) -> Result<ReshareChallenge, Denied> {
        let now = now(device)?;
        self.orders.check_none_open(now)?;
        let challenge = ReshareChallenge {
            nonce: Bytes::new(device.nonce()?).map_err(|_| Halt::Derivation)?,
            expires: UnixMillis(now.0.saturating_add(ORDER_MS)),
        };
        self.orders.challenge = Some(challenge.clone());
        Ok(challenge)
    }

    /// Carries out an order, or answers again the one that is open.
    ///
    /// # Errors
    /// [`Denied::Refused`]; nothing was changed or drawn, the nonce is open still.
    pub(crate) fn reshare<T: Transport>(
        &mut self,
        device: &mut Device<T>,
        request: ReshareRequest,
    ) -> Result<Reshare, Denied> {
        let now = now(device)?;
        let order = &request.order;
        if let Some(open) = self.orders.open(now)
            && open.order == *order
        {
            return Ok(open.clone());
        }
        self.orders.check_none_open(now)?;
        let running = self.identity.manifest();
        let genesis = self.identity.genesis_digest();
        check_order(genesis, running, order).map_err(|e| refused(&e))?;
        if order.live != self.identity.live {
            return Err(refuse(Reason::ReshareForAnother, "another instance"));
        }
        self.orders.check_time(order, now)?;
        let (named, consents) = (Digest::of(order), &request.consents);
        consenters(&self.identity.genesis, running, named, consents).map_err(|e| refused(&e))?;
        let suite = Suite::P256Sha256Aes256Gcm;
        if !running.suites.contains(&suite.id()) {
            return Err(refuse(Reason::SuiteNotAccepted, ""));
        }
        let record = self.share_anew(device, suite, order)?;
        // Everything is made: the nonce is used up, and the answer is kept.
        self.orders.challenge = None;
        let reshare = Reshare {
            order: request.order,
            consents: request.consents,
            record,
            ring: self.provisioning.ring.clone(),
            certificate: self.provisioning.certificate.clone(),
        };
        self.orders.done = Some(Box::new(reshare.clone()));
        say(Event::Reshared);
        Ok(reshare)
    }

    fn share_anew<T: Transport>(
        &self,
        device: &mut Device<T>,
        suite: Suite,
        order: &ReshareOrder,
    ) -> Result<Signed<ReshareRecord>, Halt> {
        let mut generator = device.generator(core::iter::empty())?;
        let (set, before) = (&order.share_set, &self.identity.manifest().commitments);
        let (commitments, shares) = quorate_sharing::reshare(
            &self.secret,
            before.inner(),
            set.threshold,
            &set.indices(),
            &mut generator,
        )
        .map_err(|_| Halt::Derivation)?;
        let commitments = CommitmentList::from(commitments);
        let (named, epoch) = (Digest::of(order), commitments.epoch());
        let context = |index| reshare_share_context(&named, index, &epoch);
        let sealed = seal_shares(&shares, &set.members, suite, context, &mut generator)?;
        drop(shares);
        let context = |index, drill: &Epoch| reshare_drill_share_context(&named, index, drill);
        let drill = share_drill(device, set, suite, context)?;
        let record = ReshareRecordFields {
            genesis: order.genesis,
            order: named,
            commitments,
            shares: sealed,
            time: device.now(),
            drill,
        };
        let record = Checked::new(record).map_err(|_| Halt::Derivation)?;
        let key = instance_key(&self.identity, &self.secret)?;
        Ok(Signed::sign(record, &key.signing_key()))
    }
}

/// A refusal of an order, in the words of the check that failed.
fn refused(error: &ReshareError) -> Denied {
    let text = error.to_string();
    let (reason, index) = match error {
        ReshareError::ConsentOfAnother { index, .. } => {
            (Reason::ReshareConsentOfAnother, Some(*index))
        }
        ReshareError::ConsentOfStranger { index, .. }
        | ReshareError::ConsentOfInactive { index } => {
            (Reason::ReshareConsentOfStranger, Some(*index))
        }
        ReshareError::ConsentRepeated { index, .. } => {
            (Reason::ReshareConsentRepeated, Some(*index))
        }
        ReshareError::ConsentSignature { index, .. } => {
            (Reason::ReshareConsentSignature, Some(*index))
        }
        ReshareError::ConsentsMissing { .. } => (Reason::ReshareConsentsMissing, None),
        _ => (Reason::ReshareForAnother, None),
    };
    match index {
        Some(index) => refuse_member(reason, index, &text),
        None => refuse(reason, &text),
    }
}

#[cfg(test)]
mod tests;
