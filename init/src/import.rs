//! The importer: an instance that waits for shares takes the key from another instance instead.
//!
//! Guarantees: what came is opened only when ring, certificate and record show that an instance of
//! this namespace made it for this very enclave, under a policy that allowed it; it is kept only if
//! it is the quorum key of this namespace. A refused key changes nothing; good shares stay. When the
//! key is kept, the setup keys are erased, and the confirmation that ends the exporter is in the
//! evidence from then on, so that it can be fetched again.
//!
//! Does not: trust the exporter's word for anything but the key, which it compares.

use quorate_protocol::cose::Signed;
use quorate_protocol::evidence::Origin;
use quorate_protocol::forward::{
    Confirmed, ForwardConfirmation, ForwardReceived, ForwardedKey, forward_key_context,
};
use quorate_protocol::instance::Provenance;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::message::Reason;
use quorate_sharing::Secret;
use quorate_verify::forward::{Importer, instance_key, verify_received};

use crate::device::Device;
use crate::export::refused;
use crate::instance::{Collecting, Provisioned};
use crate::nsm::Transport;
use crate::refuse::{Denied, Halt, refuse};

/// The quorum key of this namespace, and where it came from.
pub(crate) struct Opened {
    secret: Box<Secret>,
    provenance: Provenance,
}

impl Collecting {
    /// Checks and opens a forwarded key. Changes nothing.
    ///
    /// # Errors
    /// [`Denied::Refused`].
    pub(crate) fn open_forwarded<T: Transport>(
        &self,
        device: &Device<T>,
        forwarded: &ForwardedKey,
    ) -> Result<Opened, Denied> {
        let identity = &self.identity;
        let importer = Importer {
            genesis: &identity.genesis,
            chain: &identity.chain,
            links: &identity.links,
            setup: &identity.setup,
            module_id: device.module_id().as_str(),
        };
        let from = forwarded.record.unverified().from;
        let key = instance_key(&identity.genesis, from, &forwarded.ring);
        let key = key.map_err(|e| refused(&e))?;
        let verified = verify_received(
            &key,
            &importer,
            &forwarded.record,
            &forwarded.certificate,
            &forwarded.approvals,
        )
        .map_err(|e| refused(&e))?;
        let suite = forwarded.sealed.suite;
        if !identity.manifest().suites.contains(&suite.id()) {
            return Err(refuse(Reason::SuiteNotAccepted, ""));
        }
        let unreadable = || refuse(Reason::KeyUnreadable, "");
        let context = forward_key_context(forwarded.record.unverified());
        let opened = quorate_sealing::open(
            suite,
            &self.setup.decryption,
            context.info.as_bytes(),
            &context.aad,
            &forwarded.sealed.sealed(),
            32,
        )
        .map_err(|_| unreadable())?;
        let scalar: &[u8; 32] = opened.as_slice().try_into().map_err(|_| unreadable())?;
        let secret = Secret::from_bytes(scalar).map(Box::new);
        let secret = secret.map_err(|_| unreadable())?;
        let public = VerificationKey::from_sec1(&secret.public_key());
        if public.ok().as_ref() != Some(identity.genesis.quorum_key()) {
            return Err(refuse(Reason::KeyWrong, ""));
        }
        Ok(Opened {
            secret,
            provenance: Provenance::Forwarded(Box::new(verified.source)),
        })
    }

    /// Becomes an instance that has the key, and says so.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn complete_forwarded<T: Transport>(
        self,
        device: &Device<T>,
        opened: Opened,
        forwarded: ForwardedKey,
    ) -> Result<(Provisioned, Confirmed), Halt> {
        let Opened { secret, provenance } = opened;
        let time = device.now();
        let instance = self.complete_with(device, secret, provenance, |identity, live, own| {
            let confirmation = ForwardConfirmation {
                genesis: identity.genesis_digest(),
                record: forwarded.record.digest(),
                certificate: own.digest(),
                time,
            };
            Origin::Forwarded(Box::new(ForwardReceived {
                record: forwarded.record,
                approvals: forwarded.approvals,
                certificate: forwarded.certificate,
                confirmation: Signed::sign(confirmation, &live.signing),
            }))
        })?;
        let Origin::Forwarded(received) = &instance.provisioning.origin else {
            return Err(Halt::Derivation);
        };
        let confirmed = Confirmed {
            certificate: instance.provisioning.certificate.clone(),
            confirmation: received.confirmation.clone(),
        };
        Ok((instance, confirmed))
    }
}
