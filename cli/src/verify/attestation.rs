//! `quorate verify attestation`: is this document genuine, and of what?
//!
//! Guarantees: the verdict is that of `quorate-attestation-report`, which the browser build shows as
//! well; nothing is added to it and nothing taken away. Every file that can be read gets a verdict.
//! Facts are shown only of a document whose signatures are right, also where it is refused for
//! another reason.
//!
//! Trusts: whoever typed the command, this machine's clock unless `--at` names a moment, and no
//! root but AWS's or the one passed with `--root`.
//!
//! Signatures are checked by AWS-LC.

use std::time::Duration;

use quorate_attestation_report::{At, Demands, Root, Verdict};
use quorate_verify::attestation::{AttestationError, DebugMode, Expectations, Policy, Verifier};
use quorate_verify_aws_lc::AwsLc;
use serde_json::Value;

use super::policy;
use crate::arguments::VerifyAttestation;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::output::{Output, Render, Style};

mod person;

/// Largest file that is read, in bytes. What is larger than a document is still judged.
const FILE_MAX: usize = 8 * 1024 * 1024;

/// Verifies a document and prints what was found.
pub(crate) fn run(arguments: &VerifyAttestation, output: Output) -> Result<Exit, Failure> {
    let expected = demands(arguments)?;
    let root = super::root(arguments.root.as_deref(), arguments.partition.into())?;
    let file = files::read(&arguments.file, FILE_MAX, "attestation document")?;
    let verifier = Verifier::new(AwsLc).map_err(|fault| super::faulty(&fault))?;
    let verdict = expected.judge(&verifier, &file, arguments.input.into(), &root);
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

/// What the command line and the policy file demand; both must be met.
fn demands(arguments: &VerifyAttestation) -> Result<Demands<'_>, Failure> {
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
    Ok(Demands {
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

fn usage(option: &str, error: &AttestationError) -> Failure {
    Failure::usage(
        error.code(),
        format!("{option}: {error}"),
        "quorate verify attestation --help shows what it takes",
    )
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
        self.verdict.json()
    }
}
