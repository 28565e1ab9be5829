//! `quorate verify`: what a stranger learns from a file, offline.
//!
//! This file has `verify evidence`; `verify attestation` is in [`attestation`], a policy file is
//! read in [`policy`].
//!
//! Guarantees: the decision is that of `quorate_verify::evidence::verify`, nothing is added to it
//! and nothing taken away; the file's size is bounded before it is read; no root is trusted but
//! AWS's, or the one given in its place.
//!
//! Trusts: whoever typed the command. A root passed with `--root` is a development root unless
//! `--partition` says otherwise, whatever the evidence calls it, and the output says that it was
//! passed. Only AWS's commercial root is ever taken for `aws`.

pub(crate) mod attestation;
mod policy;

use std::path::Path;

use quorate_attestation_report::Root;
use quorate_protocol::cbor::Object as _;
use quorate_protocol::evidence::Evidence;
use quorate_twins::{Twin as _, rfc3339};
use quorate_verify::attestation::{AttestationError, Partition, TrustAnchor, TrustAnchors};
use quorate_verify::evidence::{self, Check, Facts, ForwardedFacts, Policy, Report, Time};
use quorate_verify::explain::{self, Tone};
use serde_json::{Value, json};

use crate::arguments::VerifyEvidence;
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Output, Render, Style, clean, hex};
use crate::pem;

/// Largest root certificate file, in bytes.
const ROOT_MAX: usize = 64 * 1024;

/// Verifies an evidence file and prints the report.
pub(crate) fn evidence(arguments: &VerifyEvidence, output: Output) -> Result<Exit, Failure> {
    let bytes = files::read(&arguments.file, Evidence::MAX, "evidence file")?;
    let root = root(arguments.root.as_deref(), arguments.partition.into())?;
    let mut policy = arguments
        .genesis
        .map_or_else(Policy::unpinned, Policy::pinned);
    if let Some(path) = &arguments.policy {
        policy.expectations = policy::read(path)?;
    }
    let time = arguments.at.map_or(Time::Archived, Time::At);
    let anchors = TrustAnchors::from(root.anchor.clone());
    let report = evidence::verify(&bytes, &policy, &anchors, time);
    let exit = if report.is_accepted() {
        Exit::Success
    } else {
        Exit::Refused
    };
    output.print(&Verified { report, root })?;
    Ok(exit)
}

/// The root in a file, or AWS's where none is named.
pub(crate) fn root(path: Option<&Path>, partition: Partition) -> Result<Root, Failure> {
    let Some(path) = path else {
        return Ok(Root::aws());
    };
    let file = files::read(path, ROOT_MAX, "root certificate")?;
    let refused = |why: String| {
        Failure::usage(
            "root-unusable",
            format!("{} is no root certificate: {why}", path.display()),
            "name the file of one root certificate, PEM or DER",
        )
    };
    let der = pem::certificate(&file).map_err(|error| refused(error.to_string()))?;
    let anchor = anchor(&der, partition).map_err(|error| refused(error.to_string()))?;
    Ok(Root {
        anchor,
        given: true,
    })
}

/// The refusal where the provider of signatures answers wrongly when it is tried.
pub(crate) fn faulty(fault: &impl std::fmt::Display) -> Failure {
    Failure::refused(
        Fault::Quorate,
        "provider-faulty",
        fault.to_string(),
        "do not use this build; report it with the machine it ran on",
    )
}

/// The root a person passed, for the partition that the same person says it speaks for. Evidence
/// that calls it otherwise is refused by the verification.
fn anchor(der: &[u8], partition: Partition) -> Result<TrustAnchor, AttestationError> {
    let aws = TrustAnchor::aws_commercial();
    if aws.der() == der {
        return Ok(aws);
    }
    TrustAnchor::from_der(partition, der)
}

/// A report, shown.
struct Verified {
    report: Report,
    root: Root,
}

impl Render for Verified {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        for line in explain::lines(&self.report) {
            let content = clean(&line.text);
            let shown = match line.tone {
                Tone::Headline if self.report.is_accepted() => style.bold(&style.green(&content)),
                Tone::Headline | Tone::Bad | Tone::Warning => style.red(&content),
                Tone::Good => style.green(&content),
                Tone::Plain => content,
            };
            text.push_str(&shown);
            text.push('\n');
        }
        text.push_str(&format!(
            "\nThe only root trusted for this\n  {}\n",
            self.root.describe()
        ));
        text
    }

    fn json(&self) -> Value {
        let report = &self.report;
        let error = report.failed().find_map(|check| {
            let error = check.error.as_ref()?;
            Some(json!({
                "code": error.code(),
                "message": error.to_string(),
                "remedy": error.remedy(),
                "check": check.id,
            }))
        });
        json!({
            "verdict": report.decision.name(),
            "pinned": report.pinned,
            "development": report.development,
            "archived": report.archived,
            "root": {
                "partition": self.root.anchor.partition().name(),
                "fingerprint": hex(self.root.anchor.fingerprint()),
                "given": self.root.given,
            },
            "error": error,
            "facts": facts(&report.facts),
            "checks": report.checks.iter().map(check).collect::<Vec<_>>(),
        })
    }
}

fn check(check: &Check) -> Value {
    json!({
        "id": check.id,
        "claim": check.claim,
        "verdict": check.verdict.name(),
        "required": check.required,
        "source": check.source,
        "error": check.error.as_ref().map(evidence::EvidenceError::code),
    })
}

/// Everything that was shown. What was not is `null` or an empty list.
fn facts(facts: &Facts) -> Value {
    let applications = facts.applications.iter().map(|application| {
        json!({
            "name": application.name.as_str(),
            "sha256": application.sha256.to_string(),
            "size": application.size,
        })
    });
    let shares = facts.shares_given_by.iter().map(|member| {
        json!({
            "name": member.name.as_str(),
            "index": member.index.get(),
            "time": time(member.time.0),
            "by_surrogate": member.surrogate.as_ref().map(|name| name.as_str()),
        })
    });
    let forwards = facts.forwards.iter().map(|made| {
        json!({
            "record": made.record.to_string(),
            "importer": made.importer,
            "to": made.to.to_string(),
            "count": made.count,
            "time": time(made.time.0),
            "confirmed": made.confirmed,
        })
    });
    let starts = facts.starts.iter().map(|start| {
        json!({
            "application": start.application.as_str(),
            "start": start.start,
            "sha256": start.sha256.to_string(),
            "live": start.live.to_string(),
            "time": time(start.time.0),
        })
    });
    let proofs = facts.proofs.iter().map(|proof| {
        json!({
            "application": proof.application.as_str(),
            "start": proof.start,
            "kind": proof.kind.as_str(),
            "payload": hex(&proof.payload),
        })
    });
    let activities = facts.activities.iter().map(|activity| {
        json!({
            "decided_in": activity.decided_in,
            "decision": activity.decision.twin(),
            "wallet": activity.wallet.as_ref().map(|made| made.twin()),
            "signature": activity.signature.as_ref().map(|signed| signed.twin()),
        })
    });
    let pcrs = facts
        .pcrs
        .iter()
        .map(|(index, pcr)| (index.to_string(), json!(pcr.to_string())));
    json!({
        "genesis": facts.genesis.map(|digest| digest.to_string()),
        "namespace": facts.namespace.as_ref().map(quorate_protocol::atoms::Name::as_str),
        "root": facts.root.as_ref().map(|root| json!({
            "partition": root.partition.as_str(),
            "fingerprint": root.fingerprint.to_string(),
        })),
        "quorum_key": facts.quorum_key.map(|key| key.to_string()),
        "manifest": facts.manifest.map(|digest| digest.to_string()),
        "sequence": facts.sequence,
        "approved_by": facts.approved_by.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "module_id": facts.module_id,
        "timestamp": facts.timestamp.map(|timestamp| time(timestamp.0)),
        "document": facts.document.map(|digest| digest.to_string()),
        "pcrs": pcrs.collect::<serde_json::Map<_, _>>(),
        "live": facts.live.as_ref().map(|live| live.twin()),
        "applications": applications.collect::<Vec<_>>(),
        "shares_given_by": shares.collect::<Vec<_>>(),
        "forwarded_from": facts.forwarded_from.as_ref().map(forwarded_from),
        "forwards": forwards.collect::<Vec<_>>(),
        "handed_over": facts.handed_over,
        "ring": facts.ring.iter().map(|entry| entry.twin()).collect::<Vec<_>>(),
        "starts": starts.collect::<Vec<_>>(),
        "proofs": proofs.collect::<Vec<_>>(),
        "activities": activities.collect::<Vec<_>>(),
    })
}

fn forwarded_from(from: &ForwardedFacts) -> Value {
    json!({
        "record": from.record.to_string(),
        "exporter": from.exporter,
        "live": from.live.twin(),
        "from": from.from,
        "count": from.count,
        "time": time(from.time.0),
        "approved_by": from.approved_by.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "exporter_provenance": from.exporter_provenance.twin(),
    })
}

fn time(ms: u64) -> Value {
    json!({ "ms": ms, "rfc3339": rfc3339(quorate_protocol::atoms::UnixMillis(ms)) })
}

#[cfg(test)]
mod tests {
    use getrandom::SysRng;
    use quorate_emulator::pki::DevelopmentRoot;

    use super::*;
    use crate::arguments::{Arguments, Command, Verify};
    use crate::later::Later;
    use clap::Parser as _;

    fn partition(more: &[&str]) -> Partition {
        let given = ["quorate", "verify", "evidence", "file", "--root", "root"];
        let given = given.iter().chain(more);
        let command = Arguments::try_parse_from(given).expect("arguments").command;
        let Command::Verify(Later(Verify::Evidence(evidence))) = command else {
            panic!("another command");
        };
        evidence.partition.into()
    }

    /// Otherwise whoever wrote the evidence would decide whether the report warns of an emulator.
    #[test]
    fn a_root_that_is_passed_speaks_for_what_the_person_says_fails_closed() {
        assert_eq!(partition(&[]), Partition::Development);
        let named = partition(&["--partition", "aws-us-gov"]);
        assert_eq!(named, Partition::AwsUsGov);
        let root = DevelopmentRoot::generate(&mut SysRng, 1_800_000_000_000).expect("a root");
        for partition in [Partition::Development, Partition::AwsUsGov] {
            let anchor = anchor(root.root_der(), partition).expect("an anchor");
            assert_eq!(anchor.partition(), partition);
        }
        assert!(anchor(root.root_der(), Partition::Aws).is_err());
        let aws = TrustAnchor::aws_commercial();
        assert_eq!(anchor(aws.der(), Partition::Development), Ok(aws));
    }
}
