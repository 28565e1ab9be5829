//! `quorate verify attestation`: is this document genuine, and of what?
//!
//! Guarantees: the decision is that of `quorate_verify::attestation` and of the expectations on the
//! command line and in the policy file, nothing is added to it and nothing taken away. Every file
//! that can be read gets a verdict. Facts are shown only of a document whose signatures are right,
//! also where it is refused for another reason.
//!
//! Trusts: whoever typed the command, this machine's clock unless `--at` names a moment, and no
//! root but AWS's or the one passed with `--root`.
//!
//! Signatures are checked by AWS-LC.

use std::time::Duration;

use quorate_protocol::atoms::UnixMillis;
use quorate_twins::rfc3339;
use quorate_verify::attestation::{
    AttestationError, Attested, DebugMode, Examination, Expectations, Freshness,
    MIN_CHALLENGE_BYTES, Policy, Step, StepOutcome, TrustAnchors, Verifier,
};
use quorate_verify_aws_lc::AwsLc;
use serde_json::{Map, Value, json};

use super::input::{self, InputError};
use super::{Root, policy};
use crate::arguments::{At, VerifyAttestation};
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Output, Render, Style, hex};

mod person;

/// Largest file that is read, in bytes. What is larger than a document is still judged.
const FILE_MAX: usize = 8 * 1024 * 1024;

/// Verifies a document and prints what was found.
pub(crate) fn run(arguments: &VerifyAttestation, output: Output) -> Result<Exit, Failure> {
    let expected = Expected::of(arguments)?;
    let root = super::root(arguments.root.as_deref(), arguments.partition.into())?;
    let file = files::read(&arguments.file, FILE_MAX, "attestation document")?;
    let verifier = Verifier::new(AwsLc).map_err(|fault| {
        Failure::refused(
            Fault::Quorate,
            "provider-faulty",
            fault.to_string(),
            "do not use this build; report it with the machine it ran on",
        )
    })?;
    let verdict = match input::document(&file, arguments.input) {
        Ok(bytes) => expected.judge(&verifier, &bytes, &root),
        Err(error) => Verdict::unreadable(error),
    };
    let exit = match verdict.refusal {
        None => Exit::Success,
        Some(_) => Exit::Refused,
    };
    output.print(&Shown {
        verdict,
        root,
        explain: arguments.explain,
    })?;
    Ok(exit)
}

/// What the command line and the policy file demand.
struct Expected<'a> {
    at: At,
    nonce: Option<&'a [u8]>,
    max_age: Option<Duration>,
    debug: DebugMode,
    /// One for the options and one for the file; both must be met.
    policies: Vec<Policy>,
}

impl<'a> Expected<'a> {
    fn of(arguments: &'a VerifyAttestation) -> Result<Self, Failure> {
        let mut options = Expectations::none();
        for expected in &arguments.pcr {
            options
                .accept(expected.index, expected.value)
                .map_err(|error| usage("--pcr", &error))?;
        }
        if let Some(arn) = &arguments.role_arn {
            options
                .accept_role(arn)
                .map_err(|error| usage("--role-arn", &error))?;
        }
        let mut policies = vec![Policy::new(options)];
        if let Some(path) = &arguments.policy {
            policies.push(policy::read(path)?);
        }
        policies.retain(|policy| !policy.is_empty());
        let max_age = arguments.max_age.map(Duration::from_secs);
        if max_age.is_some() && arguments.at == At::Signed {
            return Err(Failure::usage(
                "max-age-without-time",
                "--max-age needs a moment to count from, and --at signed names none",
                "leave out --at signed, or name a moment with --at UNIX",
            ));
        }
        Ok(Self {
            at: arguments.at,
            nonce: arguments.nonce.as_deref().map(Vec::as_slice),
            max_age,
            debug: match arguments.allow_debug {
                true => DebugMode::Allowed,
                false => DebugMode::Refused,
            },
            policies,
        })
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

    fn judge(&self, verifier: &Verifier<AwsLc>, bytes: &[u8], root: &Root) -> Verdict {
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
                    checks,
                }
            }
            Err(error) => Verdict {
                refusal: Some(Refusal::Document(error)),
                attested: signed(verifier, bytes, &anchors),
                checks,
            },
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

fn usage(option: &str, error: &AttestationError) -> Failure {
    Failure::usage(
        error.code(),
        format!("{option}: {error}"),
        "quorate verify attestation --help shows what it takes",
    )
}

/// A document that was refused, if its signatures are right all the same: what it says is then
/// still what the security module said.
fn signed(verifier: &Verifier<AwsLc>, bytes: &[u8], anchors: &TrustAnchors) -> Option<Attested> {
    let archived = Freshness::Archived { at_unix: None };
    verifier
        .verify(bytes, anchors, &archived, DebugMode::Allowed)
        .ok()
}

/// Why the verdict is not "accept".
enum Refusal {
    /// The file holds no document.
    Input(InputError),
    /// The document is not what it should be.
    Document(AttestationError),
}

impl Refusal {
    const fn code(&self) -> &'static str {
        match self {
            Self::Input(error) => error.code(),
            Self::Document(error) => error.code(),
        }
    }

    const fn remedy(&self) -> &'static str {
        match self {
            Self::Input(error) => error.remedy(),
            Self::Document(error) => error.remedy(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Input(error) => error.to_string(),
            Self::Document(error) => error.to_string(),
        }
    }
}

/// The result.
struct Verdict {
    /// `None` is "accept".
    refusal: Option<Refusal>,
    /// The document, where its signatures are right.
    attested: Option<Attested>,
    checks: Checks,
}

impl Verdict {
    fn unreadable(error: InputError) -> Self {
        Self {
            refusal: Some(Refusal::Input(error)),
            attested: None,
            checks: Checks::none(),
        }
    }

    const fn word(&self) -> &'static str {
        match self.refusal {
            None => "accept",
            Some(_) => "reject",
        }
    }
}

/// Each step with what it claims and how it ended.
struct Checks(Vec<Check>);

struct Check {
    id: &'static str,
    claim: String,
    outcome: StepOutcome,
}

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
            checks.claim(Step::Freshness, person::freshness(attested.freshness()));
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

/// A verdict, shown.
struct Shown {
    verdict: Verdict,
    root: Root,
    explain: bool,
}

impl Render for Shown {
    fn text(&self, style: Style) -> String {
        person::text(self, style)
    }

    fn json(&self) -> Value {
        let verdict = &self.verdict;
        json!({
            "verdict": verdict.word(),
            "error": verdict.refusal.as_ref().map(|refusal| json!({
                "code": refusal.code(),
                "message": refusal.message(),
                "remedy": refusal.remedy(),
            })),
            "facts": verdict.attested.as_ref().map(facts),
            "checks": verdict.checks.0.iter().map(|check| json!({
                "id": check.id,
                "claim": check.claim,
                "verdict": word(check.outcome),
            })).collect::<Vec<_>>(),
        })
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
fn moment(unix: u64) -> Option<String> {
    let text = rfc3339(UnixMillis(unix.saturating_mul(1000)))?;
    let (to_the_second, _) = text.split_once('.')?;
    Some(format!("{to_the_second}+00:00"))
}
