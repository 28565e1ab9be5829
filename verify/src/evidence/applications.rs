//! What applications prove: the certificate of each start, and the statements made in it.

use quorate_protocol::application::{ApplicationCertificate, ApplicationEvidence};
use quorate_protocol::keys::KeyPair;

use super::checks::{APPLICATION_CERTIFICATES, APPLICATION_PROOFS, STATEMENTS};
use super::error::{EvidenceError, Field, Part};
use super::provisioning::agree;
use super::report::{ProofFacts, StartFacts};
use super::{Instance, Run, counted};
use crate::text::Listed;

impl Run<'_> {
    pub(super) fn leave_applications(&mut self) {
        let claim = "The evidence has no certificate of an application.";
        self.ledger
            .leave(&APPLICATION_CERTIFICATES, claim.to_owned());
        let claim = "The evidence has no statement of an application.";
        self.ledger.leave(&APPLICATION_PROOFS, claim.to_owned());
        self.ledger.leave(&STATEMENTS, claim.to_owned());
    }

    pub(super) fn check_applications(&mut self, instance: &Instance<'_>, live: &KeyPair) {
        let starts = &self.evidence.applications;
        if starts.is_empty() {
            return;
        }
        let certificates = check_certificates(instance, starts, live);
        let certificates =
            self.ledger
                .settle(&APPLICATION_CERTIFICATES, certificates, |certificates| {
                    let names: Vec<String> = certificates
                        .iter()
                        .map(|c| format!("{} (start {}, key {})", c.application, c.start, c.live))
                        .collect();
                    format!(
                        "The instance started {} as the manifest says.",
                        Listed(&names)
                    )
                });
        let Some(certificates) = certificates else {
            return;
        };
        self.ledger.facts.starts = certificates
            .iter()
            .map(|certificate| StartFacts {
                application: certificate.application.clone(),
                start: certificate.start,
                sha256: certificate.sha256,
                live: certificate.live,
                time: certificate.time,
            })
            .collect();
        if starts.iter().all(|start| start.proofs.is_empty()) {
            let claim = "The evidence has no statement of an application.";
            self.ledger.leave(&STATEMENTS, claim.to_owned());
            return self.ledger.leave(&APPLICATION_PROOFS, claim.to_owned());
        }
        let proofs = check_proofs(instance, starts, &certificates);
        let proofs = self.ledger.settle(&APPLICATION_PROOFS, proofs, |proofs| {
            let count = counted(proofs.len(), "statement is", "statements are");
            format!("{count} signed with the certified key of the application.")
        });
        if let Some(proofs) = proofs {
            self.ledger.facts.proofs = proofs;
            self.check_statements();
        }
    }
}

/// Certificates ascending by name and start, each of an application of the manifest.
fn check_certificates<'a>(
    instance: &Instance<'_>,
    starts: &'a [ApplicationEvidence],
    live: &KeyPair,
) -> Result<Vec<&'a ApplicationCertificate>, EvidenceError> {
    let part = Part::ApplicationCertificate;
    let mut certificates: Vec<&ApplicationCertificate> = Vec::with_capacity(starts.len());
    for start in starts {
        let name = &start.certificate.unverified().application;
        let whose = || Some(name.clone());
        let certificate =
            start
                .certificate
                .verify(&live.verification)
                .map_err(|_| EvidenceError::Signature {
                    part,
                    whose: whose(),
                })?;
        let place = |c: &ApplicationCertificate| (c.application.clone(), c.start);
        if certificates
            .last()
            .is_some_and(|last| place(last) >= place(certificate))
        {
            return Err(EvidenceError::OutOfOrder {
                part,
                whose: whose(),
            });
        }
        let application = instance
            .chain
            .manifest()
            .application(name)
            .ok_or_else(|| EvidenceError::ApplicationUnknown { name: name.clone() })?;
        let last_start = u64::from(application.restart.restarts).saturating_add(1);
        let fields = [
            (
                Field::Genesis,
                certificate.genesis == instance.genesis.digest(),
            ),
            (
                Field::Manifest,
                certificate.manifest == instance.chain.digest(),
            ),
            (Field::Hash, certificate.sha256 == application.sha256),
            (Field::Start, (1..=last_start).contains(&certificate.start)),
        ];
        agree(part, whose, &fields)?;
        certificates.push(certificate);
    }
    Ok(certificates)
}

fn check_proofs(
    instance: &Instance<'_>,
    starts: &[ApplicationEvidence],
    certificates: &[&ApplicationCertificate],
) -> Result<Vec<ProofFacts>, EvidenceError> {
    let part = Part::ApplicationProof;
    let mut shown = Vec::new();
    for (start, certificate) in starts.iter().zip(certificates) {
        let whose = || Some(certificate.application.clone());
        for proof in &start.proofs {
            let proof = proof
                .verify(&certificate.live)
                .map_err(|_| EvidenceError::Signature {
                    part,
                    whose: whose(),
                })?;
            let fields = [
                (Field::Genesis, proof.genesis == instance.genesis.digest()),
                (
                    Field::Application,
                    proof.application == certificate.application,
                ),
                (Field::Start, proof.start == certificate.start),
            ];
            agree(part, whose, &fields)?;
            shown.push(ProofFacts {
                application: proof.application.clone(),
                start: proof.start,
                kind: proof.kind.clone(),
                payload: proof.payload.as_slice().to_vec(),
            });
        }
    }
    Ok(shown)
}
