//! Verification of an evidence file: one call, one report, offline.
//!
//! [`verify`] performs the checks of [`CHECK_IDS`] in that order and never ends without a
//! [`Report`]. An accepted report guarantees, as far as the given anchors are right:
//!
//! * the people of one definition agreed to a namespace, an enclave made its key, and each member
//!   of its share set held a share;
//! * those who may approved what ran, link by link;
//! * a genuine enclave ran exactly that image, manifest and list of applications;
//! * as many members as the threshold gave this very instance their shares, or another instance
//!   forwarded the key to it as the manifests allow, and it held the quorum key;
//! * the application proofs in the file are its applications' statements;
//! * what key-generation and signing state there is what policy decided.
//!
//! It does not show that the namespace is the one you mean unless you pin its genesis; that the
//! instance still runs; that no newer manifest exists; or what the image does: rebuild it from
//! source and compare. Under a development root nothing here says anything about hardware.
//!
//! A check that rests on one that failed is not performed, so the failed one is the reason.
//! Lists are counted before a signature is verified: at most [`MAX_SIGNATURES`] are.

mod applications;
mod checks;
mod document;
mod error;
mod forwards;
mod provisioning;
mod report;
mod statements;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::from_bytes;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::{Evidence, Origin};
use quorate_protocol::genesis::Genesis;
use quorate_protocol::members::{Member, Role};

use self::checks::{
    ATTESTATION_ROOT, CHAIN, DEFINITION_CONSENTS, FORMAT, GENESIS_ATTESTATION, GENESIS_OUTPUT,
    GENESIS_PIN, GENESIS_RECEIPTS, Ledger,
};
use self::document::Committed;
use crate::attestation::{self, Attested, Freshness, Partition, TrustAnchor, TrustAnchors};
use crate::chain::{self, Approver, VerifiedChain};
use crate::genesis::{self, VerifiedGenesis};
use crate::instance;
use crate::text::{Listed, Utc, by_surrogate};

pub use self::checks::CHECK_IDS;
pub use self::error::{EvidenceError, Field, Part};
pub use self::report::{
    ActivityFacts, ApplicationFacts, Check, Decision, Facts, ForwardFacts, ForwardedFacts,
    MemberFacts, ProofFacts, Report, StartFacts, Verdict,
};

/// Signatures in one file of evidence, at most. Verifying so many takes about a second.
pub const MAX_SIGNATURES: usize = 8192;
/// Starts of applications in one file of evidence, at most.
pub const MAX_STARTS: usize = 1024;

/// What the verifier demands beyond consistency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The namespace the evidence must be of.
    pub genesis: Option<Digest<Genesis>>,
    /// What the instance must be, beyond what its manifest says.
    pub expectations: attestation::Policy,
}

impl Policy {
    /// No demands: accepted evidence is consistent, and the report says that nothing was pinned.
    #[must_use]
    pub fn unpinned() -> Self {
        Self::default()
    }

    /// Demands evidence of this namespace.
    #[must_use]
    pub fn pinned(genesis: Digest<Genesis>) -> Self {
        Self {
            genesis: Some(genesis),
            ..Self::default()
        }
    }
}

/// At which time the certificates of the instance's document must be valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Time {
    /// When the document was signed: the evidence is a record.
    #[default]
    Archived,
    /// At this moment, in seconds since 1970. Certificates of live documents last hours.
    At(u64),
}

/// Verifies evidence.
///
/// `evidence` is the file as received. `anchors` are the only attestation roots that are trusted.
/// No clock is read: `time` is the caller's.
#[must_use]
pub fn verify(evidence: &[u8], policy: &Policy, anchors: &TrustAnchors, time: Time) -> Report {
    let mut ledger = Ledger::new(time == Time::Archived);
    let decoded = ledger.settle(&FORMAT, decode(evidence), |decoded| {
        format!(
            "The file is canonical evidence of {} bytes, with {} and {}.",
            evidence.len(),
            counted(decoded.chain.len(), "manifest", "manifests"),
            counted(
                decoded.applications.len(),
                "start of an application",
                "starts of applications"
            ),
        )
    });
    if let Some(decoded) = &decoded {
        Run {
            evidence: decoded,
            anchors,
            time,
            ledger: &mut ledger,
        }
        .all(policy);
    }
    ledger.finish()
}

fn decode(bytes: &[u8]) -> Result<Evidence, EvidenceError> {
    let evidence: Evidence = from_bytes(bytes)?;
    let starts = evidence.applications.len();
    if starts > MAX_STARTS {
        return Err(EvidenceError::TooManyStarts { found: starts });
    }
    let record = &evidence.record;
    let provisioning = evidence.provisioning.as_ref();
    let approvals = evidence.chain.iter().map(|link| {
        let surrogates = link.surrogates.len().saturating_mul(2);
        link.approvals.len().saturating_add(surrogates)
    });
    let proofs = evidence.applications.iter().map(|start| start.proofs.len());
    let origin = provisioning.map(|given| match &given.origin {
        Origin::Members(provisions) => provisions.len().saturating_mul(3),
        Origin::Forwarded(received) => received.approvals.len().saturating_add(3),
    });
    let forwards = evidence.forwards.len().saturating_mul(3);
    let found = [record.consents.len(), starts, forwards]
        .into_iter()
        .chain([record.receipts.len().saturating_mul(2)])
        .chain(origin)
        .chain(approvals)
        .chain(proofs)
        .fold(0, usize::saturating_add);
    if found > MAX_SIGNATURES {
        return Err(EvidenceError::TooManySignatures { found });
    }
    Ok(evidence)
}

/// One verification under way.
struct Run<'a> {
    evidence: &'a Evidence,
    anchors: &'a TrustAnchors,
    time: Time,
    ledger: &'a mut Ledger,
}

/// What an instance's document has shown, for the checks that rest on it.
struct Instance<'a> {
    genesis: &'a VerifiedGenesis,
    chain: &'a VerifiedChain,
    attested: &'a Attested,
}

impl Run<'_> {
    fn all(&mut self, policy: &Policy) {
        self.check_pin(policy);
        let trusted = self.check_root();
        let (birth, genesis) = self.check_genesis();
        if let (Some(birth), true) = (&birth, trusted) {
            self.check_genesis_document(birth);
        }
        let chain = genesis.as_ref().and_then(|known| self.check_chain(known));
        let attested = if trusted { self.check_document() } else { None };
        self.check_expectations(policy, attested.as_ref());
        let committed = match (&genesis, &chain, &attested) {
            (Some(genesis), Some(chain), Some(attested)) => self.check_instance(&Instance {
                genesis,
                chain,
                attested,
            }),
            _ => Committed::default(),
        };
        self.check_provisioned();
        if let (Some(genesis), Some(chain), Some(attested)) = (&genesis, &chain, &attested) {
            let instance = Instance {
                genesis,
                chain,
                attested,
            };
            self.check_provisioning(&instance, &committed);
            if let Some(live) = &committed.live {
                self.check_applications(&instance, live);
            }
        }
        if self.evidence.applications.is_empty() {
            self.leave_applications();
        }
    }

    fn check_pin(&mut self, policy: &Policy) {
        let found = self.evidence.record.digest();
        self.ledger.facts.genesis = Some(found);
        let Some(expected) = policy.genesis else {
            let claim = format!(
                "No genesis is pinned: the evidence is consistent at best. It is of the namespace \
                 you mean only if that has the genesis {found}."
            );
            return self.ledger.leave(&GENESIS_PIN, claim);
        };
        let outcome = if found == expected {
            Ok(())
        } else {
            Err(EvidenceError::Pin { expected, found })
        };
        let passed = self.ledger.settle(&GENESIS_PIN, outcome, |()| {
            format!("The evidence is of the genesis {found}, which you pinned.")
        });
        self.ledger.pinned = passed.is_some();
    }

    fn check_root(&mut self) -> bool {
        let root = &self.evidence.record.definition.attestation_root;
        let anchor = self.anchors.get(&root.fingerprint.0);
        let emulated = |anchor: &TrustAnchor| anchor.partition() == Partition::Development;
        self.ledger.development = root.is_development() || anchor.is_some_and(emulated);
        let outcome = match anchor {
            None => Err(EvidenceError::RootNotTrusted { root: root.clone() }),
            Some(anchor) if anchor.partition().name() != root.partition.as_str() => {
                Err(EvidenceError::RootPartition {
                    fingerprint: root.fingerprint,
                    named: root.partition.clone(),
                    trusted: anchor.partition(),
                })
            }
            Some(_) => Ok(()),
        };
        let passed = self.ledger.settle(&ATTESTATION_ROOT, outcome, |()| {
            let (fingerprint, partition) = (&root.fingerprint, &root.partition);
            if root.is_development() {
                format!(
                    "The namespace was made under the development root {fingerprint}, which you \
                     named. It says nothing about hardware."
                )
            } else {
                format!(
                    "The namespace was made under the root {fingerprint} of {partition}, which \
                     you trust."
                )
            }
        });
        if passed.is_some() {
            self.ledger.facts.root = Some(root.clone());
        }
        passed.is_some()
    }

    /// The three checks of the record, each only if the one before it passed.
    fn check_genesis(&mut self) -> (Option<Genesis>, Option<VerifiedGenesis>) {
        let record = &self.evidence.record;
        let definition = &record.definition;
        let consents = genesis::check_consents(definition, &record.consents);
        let consents = self.ledger.settle(&DEFINITION_CONSENTS, consents, |()| {
            format!(
                "Everybody signed the definition of {}: {}.",
                definition.namespace,
                Listed(&people(definition))
            )
        });
        if consents.is_none() {
            return (None, None);
        }
        self.ledger.facts.namespace = Some(definition.namespace.clone());
        let output = genesis::check_output(definition, &record.output);
        let birth = self.ledger.settle(&GENESIS_OUTPUT, output, |_| {
            let set = &definition.share_set;
            format!(
                "The key was made under this definition; {} of {} shares rebuild it.",
                set.threshold,
                set.members.len()
            )
        });
        let Some(birth) = birth else {
            return (None, None);
        };
        let verified = VerifiedGenesis::from_parts(record.clone(), birth.clone());
        let verified = self.ledger.settle(&GENESIS_RECEIPTS, verified, |verified| {
            let members = definition.share_set.members.iter();
            let (held, missing): (Vec<_>, Vec<_>) =
                members.partition(|member: &&Member| !verified.inactive().contains(&member.index));
            let (held, missing) = (names(&held), names(&missing));
            if missing.is_empty() {
                return format!(
                    "Every holder proved to have their share: {}.",
                    Listed(&held)
                );
            }
            format!(
                "{} proved to have their shares and all agreed to go on without {}, whose share \
                 counts nowhere.",
                Listed(&held),
                Listed(&missing)
            )
        });
        if let Some(verified) = &verified {
            self.ledger.facts.quorum_key = Some(*verified.quorum_key());
        }
        (Some(birth), verified)
    }

    fn check_genesis_document(&mut self, birth: &Genesis) {
        let record = &self.evidence.record;
        // A record of the past is checked at its own time, whatever time the verifier gives.
        let outcome = instance::verify_genesis_document(
            record.document.as_slice(),
            &record.definition,
            birth,
            self.anchors,
            &Freshness::Archived { at_unix: None },
        );
        self.ledger.settle(&GENESIS_ATTESTATION, outcome, |facts| {
            format!(
                "The enclave {}, which measured as the definition says, made this very key; it \
                 attested so on {}.",
                facts.module_id,
                Utc(facts.timestamp)
            )
        });
    }

    /// The moment at which surrogates had to count: when the instance got the key, by its own security
    /// module, or when it attested, if it never got it. Certificate and document are checked by
    /// themselves: where one is not genuine the evidence is refused for that.
    fn counted_at(&self) -> Option<UnixMillis> {
        if let Some(provisioning) = &self.evidence.provisioning {
            return Some(provisioning.certificate.unverified().time);
        }
        let document = attestation::Document::parse(self.evidence.document.as_slice());
        Some(UnixMillis(document.ok()?.unverified_timestamp_ms()))
    }

    fn check_chain(&mut self, genesis: &VerifiedGenesis) -> Option<VerifiedChain> {
        let outcome = match self.counted_at() {
            Some(at) => chain::walk_at(genesis, &self.evidence.chain, at),
            None => chain::walk(genesis, &self.evidence.chain),
        };
        let chain = self.ledger.settle(&CHAIN, outcome, chain_claim)?;
        let facts = &mut self.ledger.facts;
        facts.manifest = Some(chain.digest());
        facts.sequence = Some(chain.sequence());
        facts.approved_by = approvers(&chain, Role::ManifestSet);
        Some(chain)
    }
}

fn people(definition: &Definition) -> Vec<&Name> {
    let people = definition.people();
    people.into_iter().map(|member| &member.name).collect()
}

fn approvers(chain: &VerifiedChain, role: Role) -> Vec<Name> {
    let approvers = chain.approvers().in_role(role);
    approvers.map(|approver| approver.name.clone()).collect()
}

/// The same for eyes: `alice`, or `alice by surrogate grace`.
fn approved_by(chain: &VerifiedChain, role: Role) -> Vec<String> {
    let approvers = chain.approvers().in_role(role);
    let by = |approver: &Approver| {
        let surrogate = approver.surrogate.as_ref();
        by_surrogate(&approver.name, surrogate.map(|acting| &acting.name))
    };
    approvers.map(by).collect()
}

fn chain_claim(chain: &VerifiedChain) -> String {
    let changes: Vec<String> = chain
        .links()
        .iter()
        .map(|link| &link.successor)
        .filter(|link| link.changes_manifest_set || link.changes_share_set)
        .map(|link| link.sequence.to_string())
        .collect();
    let changes = if changes.is_empty() {
        "No manifest changed a set.".to_owned()
    } else {
        format!("Sets changed with manifest {}.", Listed(&changes))
    };
    let resharings: Vec<String> = chain
        .links()
        .iter()
        .filter(|link| link.successor.reshare.is_some())
        .map(|link| link.successor.sequence.to_string())
        .collect();
    let resharings = if resharings.is_empty() {
        String::new()
    } else {
        format!(
            " The key was shared anew before manifest {}, on an order of both sets; the new \
             holders have shown to hold their shares.",
            Listed(&resharings)
        )
    };
    let holders = approved_by(chain, Role::ShareSet);
    let holders = if holders.is_empty() {
        String::new()
    } else {
        format!(" and, for the share set, by {}", Listed(&holders))
    };
    format!(
        "Manifest {} ({}) follows from the genesis, every step approved by those who may; this one \
         by {}{holders}. {changes}{resharings}",
        chain.sequence(),
        chain.digest(),
        Listed(&approved_by(chain, Role::ManifestSet)),
    )
}

/// `1 manifest`, `2 manifests`.
fn counted(count: usize, one: &str, many: &str) -> String {
    let word = if count == 1 { one } else { many };
    format!("{count} {word}")
}

fn names<'a>(members: &[&'a Member]) -> Vec<&'a Name> {
    members.iter().map(|member| &member.name).collect()
}
