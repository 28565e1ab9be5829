//! Key forward in evidence: from whom the instance has the key, and to whom it gave it.
//!
//! What came in is required where the evidence says that the key was forwarded. What went out is
//! compared with the document, which names the newest record: nothing can be left out of the list of
//! an instance whose document is fresh.

use quorate_protocol::atoms::Name;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Provisioning;
use quorate_protocol::forward::{Confirmed, ForwardMade, ForwardReceived, ForwardRecord};
use quorate_protocol::instance::Provenance;
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::Manifest;

use super::checks::{FORWARDED, FORWARDS};
use super::document::Committed;
use super::error::{EvidenceError, Field, Part};
use super::provisioning::agree;
use super::report::{ForwardFacts, ForwardedFacts};
use super::{Instance, Run};
use crate::forward::{self, ForwardError, Importer, Relation, VerifiedForward};
use crate::instance::Service;
use crate::text::{Listed, Utc};

impl Run<'_> {
    /// Verifies who forwarded the key, and that the instance confirmed. Returns what its
    /// certificate must say.
    pub(super) fn check_received(
        &mut self,
        instance: &Instance<'_>,
        provisioning: &Provisioning,
        received: &ForwardReceived,
        key: &VerificationKey,
    ) -> Option<Provenance> {
        let importer = Importer {
            genesis: instance.genesis,
            chain: instance.chain,
            links: &self.evidence.chain,
            setup: &self.evidence.setup,
            module_id: instance.attested.document().module_id(),
        };
        let verified = verify(key, &importer, provisioning, received);
        let verified = self.ledger.settle(&FORWARDED, verified, received_claim)?;
        let provenance = Provenance::Forwarded(Box::new(verified.source.clone()));
        self.ledger.facts.forwarded_from = Some(ForwardedFacts {
            record: verified.source.record,
            exporter: verified.source.module_id.as_str().to_owned(),
            live: verified.source.live,
            from: verified.from,
            count: verified.count,
            time: verified.time,
            approved_by: verified.approvers.into_iter().map(|a| a.name).collect(),
            exporter_provenance: verified.provenance,
        });
        Some(provenance)
    }

    /// Compares what the instance forwarded with what its document says.
    pub(super) fn check_forwards(
        &mut self,
        instance: &Instance<'_>,
        key: &VerificationKey,
        committed: &Committed,
    ) {
        let (Some(live), Some(service)) = (&committed.live, committed.service) else {
            return;
        };
        let made = &self.evidence.forwards;
        let outcome = check_made(instance, key, live, made);
        let outcome = outcome.and_then(|()| check_service(service, made));
        let claim = |(): &()| forwards_claim(service, made);
        if self.ledger.settle(&FORWARDS, outcome, claim).is_some() {
            let facts = &mut self.ledger.facts;
            facts.handed_over = matches!(service, Service::HandedOver { .. });
            facts.forwards = made.iter().map(made_facts).collect();
        }
    }
}

/// Record, exporter, policy and approvals; then the instance's own word that it has the key.
fn verify(
    key: &VerificationKey,
    importer: &Importer<'_>,
    provisioning: &Provisioning,
    received: &ForwardReceived,
) -> Result<VerifiedForward, ForwardError> {
    let verified = forward::verify_received(
        key,
        importer,
        &received.record,
        &received.certificate,
        &received.approvals,
    )?;
    let confirmed = Confirmed {
        certificate: provisioning.certificate.clone(),
        confirmation: received.confirmation.clone(),
    };
    forward::verify_confirmed(key, &received.record, &confirmed)?;
    Ok(verified)
}

fn received_claim(verified: &VerifiedForward) -> String {
    let VerifiedForward { source, count, .. } = verified;
    let approved: Vec<&Name> = verified.approvers.iter().map(|a| &a.name).collect();
    let under = match verified.relation {
        Relation::Same => "which ran the same manifest".to_owned(),
        Relation::Successor if approved.is_empty() => format!(
            "which ran manifest {}, whose policy lets a change of applications pass without \
             approvals",
            verified.from
        ),
        Relation::Successor => format!(
            "which ran manifest {}, as {} approved for its share set",
            verified.from,
            Listed(&approved)
        ),
    };
    format!(
        "The instance {}, {under}, forwarded the key to this very one on {}; it was its forward \
         number {count}. {}",
        source.module_id,
        Utc(verified.time),
        had_it_from(&verified.provenance)
    )
}

/// How the exporter had come by the key, which its certificate says and nothing here shows.
fn had_it_from(provenance: &Provenance) -> String {
    match provenance {
        Provenance::Members(members) => {
            let members: Vec<_> = members.iter().map(|index| index.0).collect();
            format!(
                "It had the key from the members {}, as its certificate says.",
                Listed(&members)
            )
        }
        Provenance::Forwarded(source) => format!(
            "It had the key from the instance {}, as its certificate says.",
            source.module_id
        ),
    }
}

fn forwards_claim(service: Service, made: &[ForwardMade]) -> String {
    let to = |made: &ForwardMade| {
        let record = made.record.unverified();
        format!("{} on {}", record.importer_module, Utc(record.time))
    };
    match service {
        Service::Serving => "The instance has forwarded the key to nobody.".to_owned(),
        Service::Forwarded(_) => {
            let all: Vec<String> = made.iter().map(to).collect();
            format!(
                "The instance forwarded the key to {}. None of them has confirmed to it, and it \
                 serves.",
                Listed(&all)
            )
        }
        Service::HandedOver { .. } => {
            let successor = made.iter().find(|made| made.confirmed.is_some());
            format!(
                "The instance handed over to {}, whose certified live key confirmed it; forwards \
                 in all: {}. It holds no key any more.",
                successor.map(to).unwrap_or_default(),
                made.len()
            )
        }
    }
}

fn made_facts(made: &ForwardMade) -> ForwardFacts {
    let record = made.record.unverified();
    ForwardFacts {
        record: made.record.digest(),
        importer: record.importer_module.as_str().to_owned(),
        to: record.to,
        count: record.count,
        time: record.time,
        confirmed: made.confirmed.is_some(),
    }
}

/// Every record is this instance's, counted from one without a gap, and at most one is confirmed.
fn check_made(
    instance: &Instance<'_>,
    key: &VerificationKey,
    live: &KeyPair,
    made: &[ForwardMade],
) -> Result<(), EvidenceError> {
    let part = Part::ForwardRecord;
    let manifest: Digest<Manifest> = instance.chain.digest();
    let module_id = instance.attested.document().module_id();
    let mut confirmed = false;
    for (made, count) in made.iter().zip(1_u64..) {
        let record = made.record.verify(key);
        let record = record.map_err(|_| EvidenceError::Signature { part, whose: None })?;
        let fields = [
            (Field::Genesis, record.genesis == instance.genesis.digest()),
            (Field::Manifest, record.from == manifest),
            (Field::LiveKeys, record.exporter == *live),
            (
                Field::ModuleId,
                record.exporter_module.as_str() == module_id,
            ),
            (Field::Count, record.count == count),
        ];
        agree(part, || None, &fields)?;
        if let Some(word) = &made.confirmed {
            if confirmed {
                return Err(EvidenceError::HandedOverTwice);
            }
            confirmed = true;
            forward::verify_confirmed(key, &made.record, word)?;
        }
    }
    Ok(())
}

/// The document names the newest record, and the confirmed one where the instance has handed over.
fn check_service(service: Service, made: &[ForwardMade]) -> Result<(), EvidenceError> {
    let newest = made.last().map(|made| made.record.digest());
    let confirmed = made.iter().find(|made| made.confirmed.is_some());
    let confirmed: Option<Digest<ForwardRecord>> = confirmed.map(|made| made.record.digest());
    let expected = match service {
        Service::Serving => (None, None),
        Service::Forwarded(newest) => (Some(newest), None),
        Service::HandedOver { confirmed, newest } => (Some(newest), Some(confirmed)),
    };
    if (newest, confirmed) == expected {
        Ok(())
    } else {
        Err(EvidenceError::ForwardsDiffer)
    }
}
