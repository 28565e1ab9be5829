//! What the steps of carried files show.

use quorate_protocol::atoms::Name;
use quorate_protocol::definition::AgeLimit;
use quorate_protocol::message::Stage;
use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::steps::carried::Asked;
use quorate_quorum_ceremony::steps::carry::Errand;
use quorate_quorum_ceremony::steps::provision::carried::OnItsWay;
use serde_json::{Value, json};

use super::begin::age_limit;
use crate::ceremony::report::Report;

/// Before a nonce is made.
pub(in crate::ceremony) fn asking(step: &'static str, limit: AgeLimit, waits: bool) -> Report {
    let title = match waits {
        true => "a nonce of yours waits for its attestation",
        false => "you are about to ask for an attestation by file",
    };
    age_limit(Report::new(step, title), limit).fact("stand", "stand", "ask")
}

/// A nonce that waits.
pub(in crate::ceremony) fn asked(step: &'static str, done: &Asked) -> Report {
    let title = match done.before {
        true => "your nonce waits for its attestation",
        false => "a nonce was made for you",
    };
    let what = match done.stage {
        Stage::Genesis => "the genesis enclave's attestation",
        Stage::Setup | Stage::Live | Stage::Drill => "the enclave's attestation",
    };
    let report = Report::new(step, title)
        .fact("stand", "stand", "asked")
        .number("round", "your round", done.number.into())
        .fact("file", "bring out", done.file.display())
        .fact("answer", "bring back", done.answer.display())
        .number("seconds_left", "seconds left", done.left.as_secs());
    let report = age_limit(report, done.limit).note(
        "the seconds count on this machine's own clock, suspended time included: let it run, and do \
         not start it anew",
    );
    report.next(format!(
        "the coordinator brings {what}: quorate ceremony carry. Then again: quorate ceremony {step} \
         --carried"
    ))
}

/// A grant on its way.
pub(in crate::ceremony) fn granted(done: &OnItsWay) -> Report {
    Report::new("provision", "your share is sealed and waits to be brought")
        .fact("stand", "stand", "granted")
        .number("round", "your round", done.number.into())
        .fact("file", "bring out", done.file.display())
        .fact("answer", "bring back", done.answer.display())
        .fact("grant", "grant", done.grant)
        .note("only the enclave that was attested can open it; it is no secret to carry")
        .development(done.development)
        .next(
            "the coordinator brings the receipt: quorate ceremony carry. Then again: quorate \
             ceremony provision --carried",
        )
}

/// What was or would be done for others.
pub(in crate::ceremony) fn errands(done: &[Errand], refused: &[(Name, CeremonyError)]) -> Report {
    let title = match (done, refused) {
        ([], []) => "nobody waits for anything",
        (_, []) => "what members wait for",
        _ => "some of what members wait for was refused",
    };
    let lines = done.iter().map(|errand| {
        let what = errand.what.name();
        format!("{what} for {}: {}", errand.member, errand.file.display())
    });
    let value = done.iter().map(|errand| {
        json!({
            "member": errand.member.as_str(),
            "what": errand.what.name(),
            "round": errand.number,
            "file": errand.file.display().to_string(),
        })
    });
    let value: Vec<Value> = value.collect();
    let mut report =
        Report::new("carry", title).row("carried", "files", lines.collect(), value.into());
    let lines = refused.iter().flat_map(|(member, error)| {
        let explanation = error.explain();
        [
            format!("{member}: {error} ({})", explanation.code),
            format!("  {}", explanation.remedy),
        ]
    });
    let value = refused.iter().map(|(member, error)| {
        let explanation = error.explain();
        json!({
            "member": member.as_str(),
            "code": explanation.code,
            "message": error.to_string(),
            "fault": explanation.blame.name(),
            "remedy": explanation.remedy,
        })
    });
    let value: Vec<Value> = value.collect();
    if !refused.is_empty() {
        report = report.row("refused", "REFUSED", lines.collect(), value.into());
    }
    match done.is_empty() {
        true => report,
        false => report.next("bring the folder back to them; they repeat their command"),
    }
}
