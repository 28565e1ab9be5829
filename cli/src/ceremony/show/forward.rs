//! What the steps of a key forward show, and the forward policy of a manifest.

use quorate_protocol::digest::Digest;
use quorate_protocol::forward::{ApprovalRule, ForwardPolicy};
use quorate_quorum_ceremony::steps::forward::{Forwarded, Found};
use quorate_quorum_ceremony::steps::forward_approve::{Approved, Review};
use serde_json::{Value, json};

use super::{NEWEST, count, differences, manifest, time, title};
use crate::ceremony::report::Report;

/// Whether, until when and to what the key may go.
pub(super) fn policy(report: Report, policy: Option<&ForwardPolicy>) -> Report {
    let (line, value) = match policy {
        None => ("never: it stays in its enclave".to_owned(), Value::Null),
        Some(policy) => {
            let (words, rule) = match policy.approvals {
                ApprovalRule::Always => ("share holders approve every successor", "always"),
                ApprovalRule::ExceptApplications => (
                    "share holders approve every successor BUT ONE THAT CHANGES ONLY APPLICATIONS",
                    "except-applications",
                ),
            };
            (
                format!("UNTIL {}; {words}", time(policy.not_after)),
                json!({ "not_after": policy.not_after.0, "approvals": rule }),
            )
        }
    };
    report.row("forward", "key may be forwarded", vec![line], value)
}

pub(in crate::ceremony) fn forward_review(step: &Review) -> Report {
    let (from, to) = (step.from(), step.to());
    let report = Report::new(
        "forward-approve",
        format!(
            "you are about to approve that the key goes from manifest {} to manifest {}",
            from.sequence, to.sequence
        ),
    )
    .fact("genesis", "genesis digest", to.genesis)
    .fact("from", "from manifest", Digest::of(from));
    let report = policy(report, Some(step.policy()));
    let report = manifest(report, to, Digest::of(to));
    differences(report, step.definition(), Some(from), to)
        .number("index", "your index", step.index().get().into())
        .development(step.definition().attestation_root.is_development())
        .note("this is no approval of the manifest and gives no share away")
        .note(NEWEST)
}

pub(in crate::ceremony) fn forward_approved(done: &Approved) -> Report {
    Report::new(
        "forward-approve",
        title("your approval of the forward", done.published),
    )
    .fact("genesis", "genesis digest", done.to.genesis)
    .fact("from", "from manifest", Digest::of(&done.from))
    .fact("manifest", "to manifest", Digest::of(&done.to))
    .number("sequence", "sequence", done.to.sequence)
    .number("index", "your index", done.index.get().into())
    .development(done.development)
    .next(format!(
        "when {} have approved and its enclave is booted: quorate ceremony forward",
        done.from.share_set.threshold
    ))
}

pub(in crate::ceremony) fn forwarded(done: &Forwarded) -> Report {
    let (text, found) = match done.found {
        Found::Nothing => ("the key was forwarded and handed over", "nothing"),
        Found::Imported => (
            "the new enclave had the key already; the old one has handed over now",
            "imported",
        ),
        Found::HandedOver => ("the key had been forwarded and handed over", "handed-over"),
    };
    let (record, facts) = (&done.record, &done.facts);
    let approved: Vec<String> = facts
        .forwarded_from
        .iter()
        .flat_map(|from| &from.approved_by)
        .map(ToString::to_string)
        .collect();
    let mut report = Report::new("forward", text)
        .fact("genesis", "genesis digest", done.genesis)
        .fact("from", "from manifest", record.from)
        .fact("to", "to manifest", record.to)
        .fact("exporter", "from enclave", &record.exporter_module)
        .fact("importer", "to enclave", &record.importer_module)
        .fact("record", "record", Digest::of(record))
        .fact("confirmation", "confirmation", done.confirmation)
        .number("count", "its forward number", record.count)
        .row(
            "time",
            "forwarded at",
            vec![time(record.time)],
            record.time.0.into(),
        )
        .row(
            "approved_by",
            "approved by",
            approved.clone(),
            json!(approved),
        )
        .row("found", "done before", vec![found.to_owned()], json!(found))
        .number("ignored", "approvals left out", count(done.ignored.len()))
        .development(done.definition.attestation_root.is_development())
        .note("the old enclave holds no key any more; stop it when you have its evidence");
    for name in &done.ignored {
        report = report.note(format!(
            "the approval of this forward in the name of {name} is not theirs and was left out"
        ));
    }
    report.next("anybody: quorate ceremony evidence, from the new enclave")
}
