//! The exporter: a running instance gives the quorum key to another one, and ends.
//!
//! Guarantees: the key leaves only sealed to keys that a genuine enclave attested for this
//! instance's own nonce, under the root of the genesis, in no debug mode, with the measurements of
//! its manifest, the committed registers and this instance's own role; only to the same manifest or
//! its approved direct successor, under a policy that has not ended, with the approvals it asks for;
//! and only after the signed record is anchored ([`crate::anchor`]). A nonce serves one forward. A
//! refused request changes nothing. When the importer has confirmed, all secrets here are erased.
//!
//! Does not: end before it is told. Between import and confirmation both instances have the key, and
//! a host that keeps the confirmation back keeps it so; the record says that it may be so.

use core::time::Duration;

use quorate_protocol::atoms::{Bytes, Pcr, UnixMillis};
use quorate_protocol::attested::{extended_once, live_extension};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Provisioning;
use quorate_protocol::forward::{
    Confirmed, ExportRequest, ForwardChallenge, ForwardMade, ForwardRecord, ForwardRecordFields,
    ForwardedKey, forward_key_context,
};
use quorate_protocol::genesis::SealedShare;
use quorate_protocol::message::{Nonce, Reason};
use quorate_sealing::Suite;
use quorate_verify::attestation::{AttestationError, Freshness};
use quorate_verify::chain::{VerifiedChain, walk_at};
use quorate_verify::forward::{self, ForwardError, ForwardPart, Relation};
use quorate_verify::instance::{InstanceError, PCR_ROLE, VerifiedSetup, named_root, verify_setup};

use crate::anchor::{Anchored, ForwardAnchor, Made, MemoryAnchor};
use crate::device::Device;
use crate::instance::{Identity, Provisioned, chain_reason, instance_key};
use crate::log::{Event, say};
use crate::nsm::Transport;
use crate::refuse::{Denied, Halt, refuse, refuse_member};

/// How long a challenge is open, in milliseconds.
pub(crate) const CHALLENGE_MS: u64 = 120_000;

/// What an instance has forwarded, and the challenge that is open.
#[derive(Default)]
pub(crate) struct Exports {
    challenge: Option<ForwardChallenge>,
    anchor: MemoryAnchor,
}

impl Exports {
    /// The newest record.
    pub(crate) fn newest(&self) -> Option<Digest<ForwardRecord>> {
        self.anchor.made().last().map(|made| made.record.digest())
    }

    /// The nonce that an importer has to have attested with.
    fn open_nonce(&self, now: UnixMillis) -> Result<&Nonce, Denied> {
        let Some(challenge) = &self.challenge else {
            return Err(refuse(Reason::ForwardNonce, "no challenge is open"));
        };
        if now > challenge.expires {
            return Err(refuse(Reason::ForwardChallengeExpired, ""));
        }
        Ok(&challenge.nonce)
    }

    /// What was forwarded, for the evidence.
    pub(crate) fn shown(&self) -> Vec<ForwardMade> {
        let made = self.anchor.made().iter();
        made.map(|made| ForwardMade {
            record: made.record.clone(),
            confirmed: None,
        })
        .collect()
    }
}

/// An instance that has handed over: what it was, and to whom. Holds nothing secret.
pub(crate) struct Retired {
    pub(crate) identity: Identity,
    pub(crate) provisioning: Provisioning,
    pub(crate) forwards: Vec<ForwardMade>,
    /// The record whose importer confirmed.
    pub(crate) confirmed: Digest<ForwardRecord>,
    /// The newest record.
    pub(crate) newest: Digest<ForwardRecord>,
}

/// A confirmation that was verified: the instance may end.
pub(crate) struct Accepted {
    record: Digest<ForwardRecord>,
    confirmed: Box<Confirmed>,
}

impl Provisioned {
    /// Opens a challenge. The one before it, if any, is closed.
    ///
    /// # Errors
    /// [`Denied::Refused`] if the manifest lets nothing be forwarded now.
    pub(crate) fn challenge<T: Transport>(
        &mut self,
        device: &mut Device<T>,
    ) -> Result<ForwardChallenge, Denied> {
        let now = now(device)?;
        forward::policy(self.identity.manifest(), now).map_err(|e| refused(&e))?;
        let challenge = ForwardChallenge {
            nonce: Bytes::new(device.nonce()?).map_err(|_| Halt::Derivation)?,
            expires: UnixMillis(now.0.saturating_add(CHALLENGE_MS)),
        };
        self.exports.challenge = Some(challenge.clone());
        Ok(challenge)
    }

    /// Forwards the key.
    ///
    /// # Errors
    /// [`Denied::Refused`]; nothing was changed, the challenge is open still.
    pub(crate) fn export<T: Transport>(
        &mut self,
        device: &mut Device<T>,
        request: ExportRequest,
    ) -> Result<ForwardedKey, Denied> {
        let now = now(device)?;
        let from = self.identity.manifest();
        let policy = forward::policy(from, now).map_err(|e| refused(&e))?;
        let nonce = self.exports.open_nonce(now)?;
        let (chain, relation) = self.target(&request, now)?;
        let to = chain.manifest();
        let setup = self.attested(&request, &chain, nonce, now)?;
        check_role(device.role_register()?, setup.role_register)?;
        let genesis = &self.identity.genesis;
        forward::approvers(genesis, policy, relation, from, to, &request.approvals)
            .map_err(|e| refused(&e))?;
        let suite = Suite::P256Sha256Aes256Gcm;
        if !to.suites.contains(&suite.id()) {
            return Err(refuse(Reason::SuiteNotAccepted, ""));
        }
        if self.exports.anchor.check_room().is_err() {
            return Err(refuse(Reason::ForwardsExhausted, ""));
        }
        // Everything is right: the nonce is used up.
        self.exports.challenge = None;
        let record = self.record(device, &chain, &setup)?;
        let made = Made {
            record,
            live_register: setup.live_register,
        };
        let anchored = self.exports.anchor.anchor(made);
        let anchored = anchored.map_err(|_| Halt::Derivation)?;
        let record = anchored.record().clone();
        say(Event::Forwarded {
            count: record.unverified().count,
        });
        let sealed = seal(device, suite, &anchored, &self.secret)?;
        Ok(ForwardedKey {
            record,
            approvals: request.approvals,
            ring: self.provisioning.ring.clone(),
            certificate: self.provisioning.certificate.clone(),
            sealed,
        })
    }

    /// What the importer must run: this instance's chain, or that and one more link.
    fn target(
        &self,
        request: &ExportRequest,
        now: UnixMillis,
    ) -> Result<(VerifiedChain, Relation), Denied> {
        let own = &self.identity;
        let Some(link) = &request.link else {
            return Ok((own.chain.clone(), Relation::Same));
        };
        let relation = forward::relate(own.manifest(), &link.manifest).map_err(|e| refused(&e))?;
        if relation == Relation::Same {
            return Ok((own.chain.clone(), relation));
        }
        let mut links = own.links.clone();
        links.push(link.clone());
        let chain = walk_at(&own.genesis, &links, now)
            .map_err(|e| refuse(chain_reason(&e), &e.to_string()))?;
        Ok((chain, relation))
    }

    fn attested(
        &self,
        request: &ExportRequest,
        chain: &VerifiedChain,
        nonce: &Nonce,
        now: UnixMillis,
    ) -> Result<VerifiedSetup, Denied> {
        let genesis = &self.identity.genesis;
        let document = request.document.as_slice();
        let freshness = Freshness::Live {
            nonce: nonce.as_slice(),
            max_age: Duration::from_millis(CHALLENGE_MS),
            now_unix: now.0 / 1000,
        };
        named_root(genesis.definition(), document)
            .and_then(|root| verify_setup(document, genesis, chain, &root, &freshness))
            .map_err(|e| refuse(document_reason(&e), &e.to_string()))
    }

    fn record<T: Transport>(
        &self,
        device: &Device<T>,
        chain: &VerifiedChain,
        setup: &VerifiedSetup,
    ) -> Result<Signed<ForwardRecord>, Halt> {
        let module = quorate_protocol::atoms::Text::new(&setup.facts.module_id);
        let fields = ForwardRecordFields {
            genesis: self.identity.genesis_digest(),
            from: self.identity.manifest_digest(),
            to: chain.digest(),
            exporter: self.identity.live.clone(),
            exporter_module: device.module_id().clone(),
            importer: setup.setup.clone(),
            importer_module: module.map_err(|_| Halt::ModuleId)?,
            document: setup.facts.document,
            count: self.exports.anchor.next_count(),
            time: device.now(),
        };
        let record = Checked::new(fields).map_err(|_| Halt::Derivation)?;
        let key = instance_key(&self.identity, &self.secret)?;
        Ok(Signed::sign(record, &key.signing_key()))
    }

    /// Verifies the importer's word that it has the key. Changes nothing.
    ///
    /// # Errors
    /// [`Denied::Refused`].
    pub(crate) fn confirmed(&self, confirmed: Box<Confirmed>) -> Result<Accepted, Denied> {
        let named = confirmed.confirmation.unverified().record;
        let mut made = self.exports.anchor.made().iter();
        let another = |what| refuse(Reason::ConfirmationForAnother, what);
        let made = made.find(|made| made.record.digest() == named);
        let made = made.ok_or_else(|| another("no record of this instance"))?;
        let key = instance_key(&self.identity, &self.secret)?;
        let key = quorate_protocol::keys::VerificationKey::of(&key.signing_key());
        forward::verify_confirmed(&key, &made.record, &confirmed).map_err(|e| {
            let reason = match e {
                ForwardError::Signature { .. } => Reason::ConfirmationSignature,
                _ => Reason::ConfirmationForAnother,
            };
            refuse(reason, &e.to_string())
        })?;
        let record = made.record.unverified();
        let live = &confirmed.certificate.unverified().live;
        let register = extended_once(&live_extension(&record.genesis, &record.to, live));
        if register != made.live_register {
            return Err(another("the live keys are not those it had attested"));
        }
        Ok(Accepted {
            record: named,
            confirmed,
        })
    }

    /// Erases every secret of the instance.
    pub(crate) fn retire(self, accepted: Accepted) -> Retired {
        let Self {
            identity,
            live,
            secret,
            provisioning,
            exports,
            orders: _,
        } = self;
        drop((live, secret));
        let Accepted { record, confirmed } = accepted;
        let mut forwards = exports.shown();
        if let Some(made) = forwards.iter_mut().find(|m| m.record.digest() == record) {
            made.confirmed = Some(confirmed);
        }
        Retired {
            newest: exports.newest().unwrap_or(record),
            identity,
            provisioning,
            forwards,
            confirmed: record,
        }
    }
}

/// The time by the NSM, read again if the last reading is old.
pub(crate) fn now<T: Transport>(device: &mut Device<T>) -> Result<UnixMillis, Halt> {
    device.reread_time()?;
    Ok(device.now())
}

/// The importer's parent has the role of this one's, and this one's has a role at all.
fn check_role(own: Pcr, theirs: Option<Pcr>) -> Result<(), Denied> {
    let another = |what: &str| Err(refuse(Reason::ForwardOtherAccount, what));
    if own == Pcr::ZERO {
        return another("PCR3 is zero here: without a role no account can be told from another");
    }
    match theirs {
        Some(theirs) if theirs == own => Ok(()),
        Some(theirs) => another(&format!("PCR{PCR_ROLE} is {theirs} there and {own} here")),
        None => another("PCR3 is not in the document"),
    }
}

/// Seals the quorum secret to the importer of an anchored record.
fn seal<T: Transport>(
    device: &mut Device<T>,
    suite: Suite,
    anchored: &Anchored<'_>,
    secret: &quorate_sharing::Secret,
) -> Result<SealedShare, Halt> {
    let record = anchored.record().unverified();
    let context = forward_key_context(record);
    let sealed = quorate_sealing::seal(
        suite,
        record.importer.encryption.inner(),
        context.info.as_bytes(),
        &context.aad,
        &*secret.to_bytes(),
        &mut device.generator(core::iter::empty())?,
    );
    let sealed = sealed.map_err(|_| Halt::Derivation)?;
    SealedShare::new(suite, sealed).map_err(|_| Halt::Derivation)
}

/// A refusal of a forward, in the words of the check that failed.
pub(crate) fn refused(error: &ForwardError) -> Denied {
    let text = error.to_string();
    let (reason, index) = match error {
        ForwardError::ApprovalOfAnother { index } => {
            (Reason::ForwardApprovalOfAnother, Some(*index))
        }
        ForwardError::ApprovalOfInactive { index } | ForwardError::ApprovalOfStranger { index } => {
            (Reason::ForwardApprovalOfStranger, Some(*index))
        }
        ForwardError::ApprovalRepeated { index } => (Reason::ForwardApprovalRepeated, Some(*index)),
        ForwardError::ApprovalSignature { index } => {
            (Reason::ForwardApprovalSignature, Some(*index))
        }
        ForwardError::ApprovalsMissing { .. } => (Reason::ForwardApprovalsMissing, None),
        ForwardError::Ended { .. } => (Reason::ForwardEnded, None),
        ForwardError::NotAllowed => (Reason::ForwardNotAllowed, None),
        ForwardError::NotSuccessor { .. } => (Reason::ForwardNotSuccessor, None),
        ForwardError::Older { .. } => (Reason::ForwardOlder, None),
        ForwardError::OtherGenesis { .. } => (Reason::ForwardOtherGenesis, None),
        ForwardError::OtherManifest { .. } => (Reason::ForwardOtherManifest, None),
        ForwardError::Differs {
            part: ForwardPart::Record,
            ..
        } => (Reason::RecordForAnother, None),
        // Ring, certificate or a signature: nothing shows that an instance made it.
        _ => (Reason::RecordUnproven, None),
    };
    match index {
        Some(index) => refuse_member(reason, index, &text),
        None => refuse(reason, &text),
    }
}

fn document_reason(error: &InstanceError) -> Reason {
    match error {
        InstanceError::Attestation(AttestationError::DebugMode) => Reason::ForwardDebug,
        InstanceError::Attestation(
            AttestationError::NonceMissing | AttestationError::NonceMismatch,
        ) => Reason::ForwardNonce,
        InstanceError::Attestation(_) | InstanceError::Root { .. } => Reason::ForwardDocument,
        InstanceError::Genesis { .. } => Reason::ForwardOtherGenesis,
        InstanceError::Measurement {
            index: PCR_ROLE, ..
        } => Reason::ForwardOtherAccount,
        InstanceError::Measurement { .. } => Reason::ForwardMeasurements,
        InstanceError::Validity { .. } => Reason::OutsideValidity,
        _ => Reason::ForwardKeys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason<T>(result: Result<T, Denied>) -> Option<Reason> {
        match result {
            Err(Denied::Refused(refusal)) => Some(refusal.reason),
            _ => None,
        }
    }

    fn with_challenge(expires: u64) -> Exports {
        Exports {
            challenge: Some(ForwardChallenge {
                nonce: Bytes::new(vec![7; 32]).unwrap(),
                expires: UnixMillis(expires),
            }),
            anchor: MemoryAnchor::default(),
        }
    }

    #[test]
    fn a_challenge_is_open_to_its_last_moment() {
        let exports = with_challenge(1000);
        let nonce = exports.open_nonce(UnixMillis(1000)).ok();
        assert_eq!(nonce.map(|nonce| nonce.as_slice().len()), Some(32));
    }

    #[test]
    fn an_expired_challenge_fails_closed() {
        let exports = with_challenge(1000);
        let refused = reason(exports.open_nonce(UnixMillis(1001)));
        assert_eq!(refused, Some(Reason::ForwardChallengeExpired));
    }

    #[test]
    fn no_challenge_fails_closed() {
        let refused = reason(Exports::default().open_nonce(UnixMillis(0)));
        assert_eq!(refused, Some(Reason::ForwardNonce));
    }

    #[test]
    fn another_role_or_none_at_all_fails_closed() {
        let (own, other) = (Pcr([3; 48]), Pcr([4; 48]));
        assert!(check_role(own, Some(own)).is_ok());
        for (own, theirs) in [
            (own, Some(other)),
            (own, Some(Pcr::ZERO)),
            (own, None),
            (Pcr::ZERO, Some(Pcr::ZERO)),
        ] {
            let refused = reason(check_role(own, theirs));
            assert_eq!(refused, Some(Reason::ForwardOtherAccount));
        }
    }
}
