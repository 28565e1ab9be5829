//! A verification step by step, for a report.
//!
//! The steps are taken in one order and the first that fails ends the verification, so an
//! [`Examination`] is the step that was reached and how it ended.

use super::attested::Attested;
use super::error::AttestationError;
use super::freshness::FreshnessUsed;

/// The steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// One COSE_Sign1 in the exact form: rules 1 to 4.
    Envelope,
    /// The fields of an enclave's document and no others, within their limits: rules 5 to 9, 16.
    Payload,
    /// As fresh as was demanded: rule 19.
    Freshness,
    /// The bundle begins with a pinned root: rule 10.
    Root,
    /// Every certificate is in the profile, and each names the one before it: rules 12 and 13.
    Profile,
    /// Every certificate is valid at the verification time, and the document was signed within the
    /// leaf's window: rules 11 and 15.
    Validity,
    /// Not in debug mode: rule 17.
    Debug,
    /// Module id, PCR4 and the names in the certificates speak of one instance: rule 18.
    Instance,
    /// Each certificate is signed by the one before it: rule 10.
    Chain,
    /// The leaf signed exactly the received bytes: rule 14.
    Signature,
    /// What the caller expects: registers, challenge, age.
    Expectations,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 11] = [
        Self::Envelope,
        Self::Payload,
        Self::Freshness,
        Self::Root,
        Self::Profile,
        Self::Validity,
        Self::Debug,
        Self::Instance,
        Self::Chain,
        Self::Signature,
        Self::Expectations,
    ];

    /// A stable name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Payload => "payload",
            Self::Freshness => "freshness",
            Self::Root => "root",
            Self::Profile => "profile",
            Self::Validity => "validity",
            Self::Debug => "not-debug",
            Self::Instance => "instance",
            Self::Chain => "chain",
            Self::Signature => "signature",
            Self::Expectations => "expectations",
        }
    }

    /// What holds when the step has passed.
    #[must_use]
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Envelope => "The bytes are one COSE_Sign1 with ES384 and nothing besides.",
            Self::Payload => {
                "The payload has the fields of an enclave's document, each once and within its \
                 limits."
            }
            Self::Freshness => "The document is as fresh as was demanded.",
            Self::Root => "The certificates begin with a root that is trusted.",
            Self::Profile => {
                "Every certificate is in the Nitro profile and names the one before it as its \
                 issuer."
            }
            Self::Validity => {
                "Every certificate was valid at the verification time, and the document was signed \
                 while its leaf was."
            }
            Self::Debug => "The enclave was not in debug mode.",
            Self::Instance => {
                "Module id, PCR4 and certificates speak of one and the same instance."
            }
            Self::Chain => "Each certificate is signed by the one before it.",
            Self::Signature => "The leaf certificate's key signed exactly these bytes.",
            Self::Expectations => "The document is what was expected.",
        }
    }
}

/// How one step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// An earlier one failed, or nothing was asked.
    NotPerformed,
}

/// A verification with the step at which it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination<T = FreshnessUsed> {
    pub(super) reached: Step,
    /// The document, or why not.
    pub result: Result<Attested<T>, AttestationError>,
}

impl<T> Examination<T> {
    /// How a step ended. [`Step::Expectations`] is the caller's and never performed here.
    #[must_use]
    pub fn outcome(&self, step: Step) -> StepOutcome {
        match (&self.result, step) {
            (_, Step::Expectations) => StepOutcome::NotPerformed,
            (Ok(_), _) => StepOutcome::Passed,
            (Err(_), _) if step < self.reached => StepOutcome::Passed,
            (Err(_), _) if step == self.reached => StepOutcome::Failed,
            (Err(_), _) => StepOutcome::NotPerformed,
        }
    }
}
