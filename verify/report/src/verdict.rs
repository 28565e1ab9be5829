//! What was demanded, and what came of it.

use std::time::Duration;

use quorate_protocol::atoms::UnixMillis;
use quorate_twins::rfc3339;
use quorate_verify::attestation::{
    AttestationError, Attested, DebugMode, Examination, Freshness, FreshnessUsed,
    MIN_CHALLENGE_BYTES, Policy, SignatureVerifier, Step, StepOutcome, TrustAnchor, TrustAnchors,
    Verifier,
};
use serde_json::{Map, Value, json};

use crate::input::{self, InputError, InputForm};

/// At which time a document is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// By the caller's clock, which may be a little wrong: seconds since 1970.
    Now(u64),
    /// When the document was signed, by its own word.
    Signed,
    /// At exactly this moment: seconds since 1970.
    Unix(u64),
}

/// The only root that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The root.
    pub anchor: TrustAnchor,
    /// Whether the caller passed it; otherwise it is built in.
    pub given: bool,
}

impl Root {
    /// AWS's commercial root.
    #[must_use]
    pub fn aws() -> Self {
        Self {
            anchor: TrustAnchor::aws_commercial(),
            given: false,
        }
    }

    /// Partition, fingerprint and where it came from.
    #[must_use]
    pub fn describe(&self) -> String {
        let origin = match self.given {
            true => "passed with --root",
            false => "built in",
        };
        let (partition, fingerprint) = (self.anchor.partition(), hex(self.anchor.fingerprint()));
        format!("{partition}, SHA-256 {fingerprint}, {origin}")
    }
}

/// What is demanded of a document.
#[derive(Clone, Debug)]
pub struct Demands<'a> {
    /// When it is judged.
    pub at: At,
    /// The challenge it has to answer.
    pub nonce: Option<&'a [u8]>,
    /// How old it may be. Without effect where [`At::Signed`] names no moment.
    pub max_age: Option<Duration>,
    /// Whether an enclave in debug mode will do.
    pub debug: DebugMode,
    /// All of these must be met.
    pub policies: Vec<Policy>,
}

impl<'a> Demands<'a> {
    /// The verdict on what is in a file.
    #[must_use]
    pub fn judge<P: SignatureVerifier>(
        &self,
        verifier: &Verifier<P>,
        file: &[u8],
        form: InputForm,
        root: &Root,
    ) -> Verdict {
        match input::document(file, form) {
            Ok(bytes) => self.judge_document(verifier, &bytes, root),
            Err(error) => Verdict::unreadable(error),
        }
    }

    fn judge_document<P: SignatureVerifier>(
        &self,
        verifier: &Verifier<P>,
        bytes: &[u8],
        root: &Root,
    ) -> Verdict {
        let anchors = TrustAnchors::from(root.anchor.clone());
        let (freshness, answers) = self.freshness();
        let examined = verifier.examine(bytes, &anchors, &freshness, self.debug);
        let mut checks = Checks::of(&examined, root);
        match examined.result {
            Ok(attested) => {
                let met = self.meet(&attested, answers);
                checks.expectations(&met);
                Verdict {
                    refusal: met.err().map(Refusal::Document),
                    attested: Some(attested),
                    checks: checks.0,
                }
            }
            Err(error) => Verdict {
                refusal: Some(Refusal::Document(error)),
                attested: signed(verifier, bytes, &anchors),
                checks: checks.0,
            },
        }
    }

    /// The demand on time, and whether it covers the challenge.
    fn freshness(&self) -> (Freshness<'a>, bool) {
        match (self.at, self.nonce) {
            (At::Now(now_unix), Some(nonce)) if nonce.len() >= MIN_CHALLENGE_BYTES => {
                let max_age = self.max_age.unwrap_or(Duration::MAX);
                let live = Freshness::Live {
                    nonce,
                    max_age,
                    now_unix,
                };
                (live, true)
            }
            (At::Now(now_unix), _) => {
                let max_age = self.max_age;
                (Freshness::Current { max_age, now_unix }, false)
            }
            (At::Unix(at), _) => (Freshness::Archived { at_unix: Some(at) }, false),
            (At::Signed, _) => (Freshness::Archived { at_unix: None }, false),
        }
    }

    /// Checks what is expected beyond genuineness; the text says what was, if anything.
    fn meet(&self, attested: &Attested, answers: bool) -> Result<Option<String>, AttestationError> {
        let mut met = Vec::new();
        if let (Some(nonce), false) = (self.nonce, answers) {
            attested.expect_nonce(nonce)?;
            met.push("the nonce is the expected one".to_owned());
        }
        if let (Some(max_age), At::Unix(at)) = (self.max_age, self.at) {
            attested.expect_age(max_age, at)?;
            met.push(format!("it was at most {} s old", max_age.as_secs()));
        }
        for policy in &self.policies {
            let satisfied = policy.check(attested)?;
            for (index, _) in policy.required().iter() {
                met.push(format!("PCR{index} is as expected"));
            }
            if let Some(release) = satisfied.release {
                met.push(format!("it is the release {:?}", release.name));
            }
        }
        Ok((!met.is_empty()).then(|| met.join("; ")))
    }
}

/// A document that was refused, if its signatures are right all the same: what it says is then
/// still what the security module said.
fn signed<P: SignatureVerifier>(
    verifier: &Verifier<P>,
    bytes: &[u8],
    anchors: &TrustAnchors,
) -> Option<Attested> {
    let archived = Freshness::Archived { at_unix: None };
    verifier
        .verify(bytes, anchors, &archived, DebugMode::Allowed)
        .ok()
}

/// Why the verdict is not "accept".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The file holds no document.
    Input(InputError),
    /// The document is not what it should be.
    Document(AttestationError),
}

impl Refusal {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Input(error) => error.code(),
            Self::Document(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Input(error) => error.remedy(),
            Self::Document(error) => error.remedy(),
        }
    }

    /// What was found.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Input(error) => error.to_string(),
            Self::Document(error) => error.to_string(),
        }
    }
}

/// The result.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// `None` is "accept".
    pub refusal: Option<Refusal>,
    /// The document, where its signatures are right.
    pub attested: Option<Attested>,
    /// Each step, in order.
    pub checks: Vec<Check>,
}

impl Verdict {
    fn unreadable(error: InputError) -> Self {
        Self {
            refusal: Some(Refusal::Input(error)),
            attested: None,
            checks: Checks::none().0,
        }
    }

    /// `accept` or `reject`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self.refusal {
            None => "accept",
            Some(_) => "reject",
        }
    }

    /// Verdict, error, facts and checks as one object.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "verdict": self.word(),
            "error": self.refusal.as_ref().map(|refusal| json!({
                "code": refusal.code(),
                "message": refusal.message(),
                "remedy": refusal.remedy(),
            })),
            "facts": self.attested.as_ref().map(facts),
            "checks": self.checks.iter().map(|check| json!({
                "id": check.id,
                "claim": check.claim,
                "verdict": word(check.outcome),
            })).collect::<Vec<_>>(),
        })
    }
}

/// One step of the verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A stable name.
    pub id: &'static str,
    /// What holds if it passed.
    pub claim: String,
    /// How it ended.
    pub outcome: StepOutcome,
}

/// Each step with what it claims and how it ended.
struct Checks(Vec<Check>);

impl Checks {
    /// The one that comes before the document is looked at.
    const INPUT: &'static str = "input";

    fn none() -> Self {
        Self::all(StepOutcome::Failed, |_| StepOutcome::NotPerformed)
    }

    fn of(examined: &Examination, root: &Root) -> Self {
        let mut checks = Self::all(StepOutcome::Passed, |step| examined.outcome(step));
        if examined.outcome(Step::Root) == StepOutcome::Passed {
            checks.claim(
                Step::Root,
                format!(
                    "The certificates begin with the trusted root: {}.",
                    root.describe()
                ),
            );
        }
        if let Ok(attested) = &examined.result {
            checks.claim(Step::Freshness, freshness(attested.freshness()));
            if attested.is_debug() {
                checks.claim(
                    Step::Debug,
                    "Debug mode was allowed, and the enclave is in it: its host can read it."
                        .to_owned(),
                );
            }
        }
        checks
    }

    fn all(input: StepOutcome, outcome: impl Fn(Step) -> StepOutcome) -> Self {
        let first = Check {
            id: Self::INPUT,
            claim: "The file holds one document: raw bytes, Base64 or hexadecimal.".to_owned(),
            outcome: input,
        };
        let steps = Step::ALL.into_iter().map(|step| Check {
            id: step.id(),
            claim: step.claim().to_owned(),
            outcome: outcome(step),
        });
        Self([first].into_iter().chain(steps).collect())
    }

    fn claim(&mut self, step: Step, claim: String) {
        if let Some(check) = self.0.iter_mut().find(|check| check.id == step.id()) {
            check.claim = claim;
        }
    }

    fn expectations(&mut self, met: &Result<Option<String>, AttestationError>) {
        let step = Step::Expectations;
        let (outcome, claim) = match met {
            Ok(None) => (
                StepOutcome::NotPerformed,
                Some("Nothing was expected of its measurements: any enclave would do.".to_owned()),
            ),
            Ok(Some(met)) => (
                StepOutcome::Passed,
                Some(format!("The document is what was expected: {met}.")),
            ),
            Err(_) => (StepOutcome::Failed, None),
        };
        for check in self.0.iter_mut().filter(|check| check.id == step.id()) {
            check.outcome = outcome;
        }
        if let Some(claim) = claim {
            self.claim(step, claim);
        }
    }
}

/// The word in JSON, as in a report on evidence.
const fn word(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Passed => "passed",
        StepOutcome::Failed => "failed",
        StepOutcome::NotPerformed => "not-performed",
    }
}

/// What was shown about time.
fn freshness(used: &FreshnessUsed) -> String {
    let at = at(used.at_unix());
    match used {
        FreshnessUsed::Live { age, .. } => format!(
            "The document answers the expected challenge; it was {} s old at {at}, by this \
             machine's clock.",
            age.as_secs()
        ),
        FreshnessUsed::Current { age, .. } => format!(
            "The document was {} s old at {at}, by this machine's clock. It answers no challenge, \
             so it may be a copy.",
            age.as_secs()
        ),
        FreshnessUsed::ArchivedAt { .. } => {
            format!("The document is a record, judged at {at} as asked: it was signed by then.")
        }
        FreshnessUsed::ArchivedAtTimestamp { .. } => format!(
            "The document is a record, judged at its own signed time {at} as asked. It says \
             nothing about now."
        ),
        _ => format!("The document was judged at {at}."),
    }
}

/// What the document says.
fn facts(attested: &Attested) -> Value {
    let document = attested.document();
    let pcrs: Map<_, _> = document
        .pcrs()
        .iter()
        .map(|(index, pcr)| (index.to_string(), json!(pcr.to_string())))
        .collect();
    let certificates: Vec<_> = attested
        .certificates()
        .iter()
        .map(|certificate| {
            json!({
                "subject": certificate.subject(),
                "not_before": moment(certificate.not_before()),
                "not_after": moment(certificate.not_after()),
                "sha256": hex(certificate.sha256()),
            })
        })
        .collect();
    json!({
        "module_id": document.module_id(),
        "timestamp_ms": document.timestamp_ms(),
        "pcrs": pcrs,
        "user_data": document.user_data().map(hex),
        "nonce": document.nonce().map(hex),
        "public_key": document.public_key().map(hex),
        "certificates": certificates,
    })
}

/// Seconds since 1970 as RFC 3339 writes them: `2027-01-15T08:00:00+00:00`.
#[must_use]
pub fn moment(unix: u64) -> Option<String> {
    let text = rfc3339(UnixMillis(unix.saturating_mul(1000)))?;
    let (to_the_second, _) = text.split_once('.')?;
    Some(format!("{to_the_second}+00:00"))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 0xf)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// A moment as people write it: `2027-01-15 08:00:00 UTC`.
fn at(unix: u64) -> String {
    let text = moment(unix).unwrap_or_else(|| format!("{unix} s"));
    text.replace('T', " ").replace("+00:00", " UTC")
}
