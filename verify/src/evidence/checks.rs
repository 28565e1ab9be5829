//! The table of checks, and the ledger in which a verification writes their outcomes.
//!
//! A ledger begins with every check not performed, so whatever happens on the way, the report has
//! all of them in one order, and a check that was forgotten can only lead to a rejection.

use super::error::EvidenceError;
use super::report::{Check, Decision, Facts, Report, Verdict};

/// What the table says about a check.
pub(super) struct Step {
    pub(super) id: &'static str,
    required: bool,
    question: &'static str,
    source: &'static str,
}

macro_rules! steps {
    ($($step:ident $id:literal $required:literal $question:literal $source:literal;)*) => {
        $(
            pub(super) const $step: Step = Step {
                id: $id,
                required: $required,
                question: $question,
                source: $source,
            };
        )*

        const STEPS: &[Step] = &[$($step),*];

        /// The ids of all checks, in the order of every report.
        pub const CHECK_IDS: &[&str] = &[$($id),*];
    };
}

steps! {
    FORMAT "format" true
        "The file is canonical evidence within all bounds."
        "quorate/evidence/v4; RFC 8949 §4.2.1";
    GENESIS_PIN "genesis-pin" false
        "The evidence is of the namespace that you pinned."
        "quorate/genesis/v1";
    ATTESTATION_ROOT "attestation-root" true
        "The namespace was made under an attestation root that you trust."
        "quorate/definition/v2, attestation root";
    DEFINITION_CONSENTS "definition-consents" true
        "Every person of the definition signed it."
        "quorate/definition-consent/v1; RFC 9052 §4.2";
    GENESIS_OUTPUT "genesis-output" true
        "The key was made under this definition, with a share for every member."
        "quorate/genesis-output/v1";
    GENESIS_ATTESTATION "genesis-attestation" true
        "An enclave that measured as the definition says made this very key."
        "AWS Nitro Enclaves attestation document; quorate/user-data/v1; PCR16";
    GENESIS_RECEIPTS "genesis-receipts" true
        "Every member of the share set proved to hold their share."
        "quorate/genesis-receipt/v1; quorate/possession/v1";
    CHAIN "chain" true
        "The manifest follows from the genesis, and every step was approved by those who may."
        "quorate/manifest/v3; quorate/approval/v1";
    ATTESTATION "attestation" true
        "A security module under the trusted root signed the instance's document."
        "AWS Nitro Enclaves attestation document; RFC 5280; RFC 9052 §4.2";
    NOT_DEBUG "not-debug" true
        "The instance was not in debug mode."
        "AWS Nitro Enclaves, debug mode: PCR0 to PCR2 are zero";
    MEASUREMENTS "measurements" true
        "The instance ran the image that the manifest names."
        "quorate/manifest/v3, measurements";
    EXPECTATIONS "expectations" false
        "The instance is one that your policy accepts."
        "docs/policy.md";
    SETUP_KEYS "setup-keys" true
        "PCR16 commits to the genesis, the manifest and the keys that shares were sealed to."
        "PCR16, setup extension";
    LIVE_KEYS "live-keys" true
        "PCR17 commits to the genesis, the manifest and the attested live keys."
        "PCR17, live extension";
    APPLICATIONS "applications" true
        "PCR18 commits to the genesis and the applications of the manifest."
        "PCR18, applications extension";
    USER_DATA "user-data" true
        "The document is that of an instance of this manifest, and says whether it serves."
        "quorate/user-data/v1";
    VALIDITY "validity" true
        "The manifest was valid when the document was signed."
        "quorate/manifest/v3, validity";
    CHALLENGE "challenge" false
        "The document answers a challenge of yours."
        "AWS Nitro Enclaves attestation document, nonce";
    PROVISIONED "provisioned" true
        "The instance was given the quorum key."
        "quorate/evidence/v4, provisioning";
    SHARE_GRANTS "share-grants" true
        "As many members as the threshold gave their shares to this very instance."
        "quorate/share-grant/v1; RFC 9052 §4.2";
    SHARE_RECEIPTS "share-receipts" true
        "The instance confirmed each of these shares with its setup key."
        "quorate/provision-receipt/v1; RFC 9052 §4.2";
    FORWARDED "forwarded" true
        "An instance that was allowed to forwarded the key to this very one."
        "quorate/forward-record/v1; quorate/forward-approval/v1; RFC 9052 §4.2";
    KEY_RING "key-ring" true
        "The quorum key signed the keys of init and of every application, and no other."
        "quorate/key-ring/v1; RFC 9052 §4.2";
    INSTANCE_CERTIFICATE "instance-certificate" true
        "The holder of the quorum key certified the attested live keys of this instance."
        "quorate/instance-certificate/v1; RFC 9052 §4.2";
    FORWARDS "forwards" false
        "What the instance forwarded itself is there, to its newest record, and whether it serves."
        "quorate/forward-record/v1; quorate/forward-confirmation/v1; quorate/user-data/v1";
    APPLICATION_CERTIFICATES "application-certificates" false
        "The instance started the applications that the manifest names, with certified keys."
        "quorate/application-certificate/v1; RFC 9052 §4.2";
    APPLICATION_PROOFS "application-proofs" false
        "The statements of applications are signed with their certified keys."
        "quorate/application-proof/v1; RFC 9052 §4.2";
    STATEMENTS "statements" false
        "What was made and signed is exactly what policy decided."
        "quorate/decision/v1; quorate/wallet/v1; quorate/signature/v1";
}

/// Checks and facts as they come to be known.
pub(super) struct Ledger {
    checks: Vec<Check>,
    pub(super) pinned: bool,
    pub(super) development: bool,
    archived: bool,
    pub(super) facts: Facts,
}

impl Ledger {
    pub(super) fn new(archived: bool) -> Self {
        let open = |step: &Step| Check {
            id: step.id,
            claim: step.question.to_owned(),
            verdict: Verdict::NotPerformed,
            required: step.required,
            source: step.source,
            error: None,
        };
        Self {
            checks: STEPS.iter().map(open).collect(),
            pinned: false,
            development: false,
            archived,
            facts: Facts::default(),
        }
    }

    /// Writes the outcome of a check. Returns what it has shown, if it passed.
    pub(super) fn settle<T, E: Into<EvidenceError>>(
        &mut self,
        step: &Step,
        outcome: Result<T, E>,
        claim: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let check = self.checks.iter_mut().find(|check| check.id == step.id)?;
        match outcome {
            Ok(shown) => {
                check.verdict = Verdict::Passed;
                check.claim = claim(&shown);
                Some(shown)
            }
            Err(error) => {
                check.verdict = Verdict::Failed;
                check.error = Some(error.into());
                None
            }
        }
    }

    /// Says about a required check why this evidence does not need it.
    pub(super) fn waive(&mut self, step: &Step, claim: String) {
        if let Some(check) = self.checks.iter_mut().find(|check| check.id == step.id) {
            check.claim = claim;
            check.required = false;
        }
    }

    /// Says about a check that is not performed why that is so.
    pub(super) fn leave(&mut self, step: &Step, claim: String) {
        if let Some(check) = self.checks.iter_mut().find(|check| check.id == step.id) {
            check.claim = claim;
        }
    }

    pub(super) fn finish(self) -> Report {
        let holds = |check: &Check| match check.verdict {
            Verdict::Passed => true,
            Verdict::Failed => false,
            Verdict::NotPerformed => !check.required,
        };
        let decision = match self.checks.iter().all(holds) {
            true => Decision::Accept,
            false => Decision::Reject,
        };
        Report {
            decision,
            checks: self.checks,
            pinned: self.pinned,
            development: self.development,
            archived: self.archived,
            facts: self.facts,
        }
    }
}
