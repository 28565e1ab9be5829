//! The instance's document: who signed it, and what its registers commit to.

use quorate_protocol::atoms::{Pcr, UnixMillis};
use quorate_protocol::keys::KeyPair;

use super::checks::{
    APPLICATIONS, ATTESTATION, CHALLENGE, EXPECTATIONS, LIVE_KEYS, MEASUREMENTS, NOT_DEBUG,
    SETUP_KEYS, USER_DATA, VALIDITY,
};
use super::error::EvidenceError;
use super::report::ApplicationFacts;
use super::{Instance, Policy, Run, Time};
use crate::attestation::{Attested, DebugMode, Freshness, Partition};
use crate::instance::{self, InstanceError, Service};
use crate::text::{Listed, Utc};

/// What an instance's document commits to, as far as the checks of it passed.
#[derive(Default)]
pub(super) struct Committed {
    /// Whether the setup keys in the evidence are the instance's.
    pub(super) setup: bool,
    /// Its live keys.
    pub(super) live: Option<KeyPair>,
    /// Whether it serves.
    pub(super) service: Option<Service>,
}

impl Run<'_> {
    pub(super) fn check_document(&mut self) -> Option<Attested> {
        let at_unix = match self.time {
            Time::Archived => None,
            Time::At(seconds) => Some(seconds),
        };
        let outcome = instance::attest(
            self.evidence.document.as_slice(),
            &self.evidence.record.definition.attestation_root,
            self.anchors,
            &Freshness::Archived { at_unix },
            DebugMode::Allowed,
        );
        let attested = self.ledger.settle(&ATTESTATION, outcome, |attested| {
            let facts = instance::facts(attested);
            let valid = match at_unix {
                None => "at that time".to_owned(),
                Some(at) => format!("on {}", Utc(UnixMillis(at.saturating_mul(1000)))),
            };
            format!(
                "The security module of {} signed the document on {}; its certificates were valid \
                 {valid} and lead to the trusted root.",
                facts.module_id,
                Utc(facts.timestamp),
            )
        })?;
        let document = instance::facts(&attested);
        let claim = format!(
            "No challenge is compared: the evidence is a record. It shows what was true on {}, not \
             that the instance still runs.",
            Utc(document.timestamp)
        );
        self.ledger.leave(&CHALLENGE, claim);
        let facts = &mut self.ledger.facts;
        facts.module_id = Some(document.module_id);
        facts.timestamp = Some(document.timestamp);
        facts.document = Some(document.document);
        let pcrs = attested.document().pcrs().iter();
        facts.pcrs = pcrs
            .map(|(index, pcr)| (index, Pcr(*pcr.as_bytes())))
            .collect();
        let debug = match attested.is_debug() {
            true => Err(EvidenceError::Debug),
            false => Ok(()),
        };
        self.ledger.settle(&NOT_DEBUG, debug, |()| {
            if attested.partition() == Partition::Development {
                "The document is not that of a debug mode; an emulator's memory is open anyway."
            } else {
                "The instance was not in debug mode: its host could not read its memory."
            }
            .to_owned()
        });
        Some(attested)
    }

    /// Whether the verifier's own policy accepts the instance, whatever its manifest says.
    pub(super) fn check_expectations(&mut self, policy: &Policy, attested: Option<&Attested>) {
        let expectations = &policy.expectations;
        if expectations.is_empty() {
            let claim =
                "No policy names measurements: any image that the manifest approves would do.";
            return self.ledger.leave(&EXPECTATIONS, claim.to_owned());
        }
        let Some(attested) = attested else {
            return;
        };
        let met = expectations.check(attested).map_err(InstanceError::from);
        self.ledger
            .settle(&EXPECTATIONS, met, |met| match met.release {
                Some(release) => {
                    format!("Your policy accepts it as the release {:?}.", release.name)
                }
                None => "Your policy accepts the instance.".to_owned(),
            });
    }

    /// What the document commits to.
    pub(super) fn check_instance(&mut self, known: &Instance<'_>) -> Committed {
        let (chain, attested) = (known.chain, known.attested);
        let (manifest, sequence) = (chain.manifest(), chain.sequence());
        let measured = instance::check_measurements(attested, &manifest.measurements);
        self.ledger.settle(&MEASUREMENTS, measured, |()| {
            let registers: Vec<String> = manifest
                .measurements
                .registers()
                .map(|(index, pcr)| format!("PCR{index} {pcr}"))
                .collect();
            format!(
                "The instance ran the image that manifest {sequence} names: {}.",
                Listed(&registers)
            )
        });
        let setup = &self.evidence.setup;
        let committed = instance::check_setup_register(attested, chain, setup);
        let setup = self.ledger.settle(&SETUP_KEYS, committed, |()| {
            format!(
                "PCR16 commits to the genesis, manifest {sequence} and the setup key {}.",
                setup.verification
            )
        });
        let live = instance::key_pair(attested).and_then(|live| {
            instance::check_live_register(attested, chain, &live)?;
            Ok(live)
        });
        let live = self.ledger.settle(&LIVE_KEYS, live, |live| {
            format!(
                "PCR17 commits to the genesis, manifest {sequence} and the live key {}.",
                live.verification
            )
        });
        self.ledger.facts.live.clone_from(&live);
        let committed = instance::check_applications_register(attested, chain);
        let committed = self.ledger.settle(&APPLICATIONS, committed, |()| {
            let names: Vec<String> = manifest
                .applications
                .iter()
                .map(|application| format!("{} {}", application.name, application.sha256))
                .collect();
            format!(
                "PCR18 commits to the genesis and the applications {}.",
                Listed(&names)
            )
        });
        if committed.is_some() {
            self.ledger.facts.applications = manifest
                .applications
                .iter()
                .map(|application| ApplicationFacts {
                    name: application.name.clone(),
                    sha256: application.sha256,
                    size: application.size,
                })
                .collect();
        }
        let service = instance::service(attested, chain);
        let service = self.ledger.settle(&USER_DATA, service, |service| match service {
            Service::Serving | Service::Forwarded(_) => {
                format!("The document is that of a running instance of manifest {sequence}.")
            }
            Service::HandedOver { .. } => format!(
                "The document is that of an instance of manifest {sequence} that has handed the \
                 key over and holds it no more."
            ),
        });
        let at = instance::facts(attested).timestamp;
        let valid = instance::check_validity(manifest, at);
        self.ledger.settle(&VALIDITY, valid, |()| {
            let window = &manifest.validity;
            format!(
                "Manifest {sequence} is valid from {} to {}; the document was signed within.",
                Utc(window.not_before),
                Utc(window.not_after)
            )
        });
        Committed {
            setup: setup.is_some(),
            live,
            service,
        }
    }
}
