//! What the steps of a drill show, and when the next one is due.

use quorate_protocol::atoms::UnixMillis;
use quorate_quorum_ceremony::challenge::wall_clock;
use quorate_quorum_ceremony::steps::drill::LastDrill;
use quorate_quorum_ceremony::steps::drill::finish::Finished;
use quorate_quorum_ceremony::steps::drill::give::{Given, Verified};
use quorate_quorum_ceremony::steps::drill::start::{Ready, Started};
use serde_json::json;

use super::{NEWEST, count, document, ignored, manifest, time, title};
use crate::ceremony::report::Report;

const STAYS: &str = "THIS IS A DRILL: your real share does not leave this machine. It signs, for this \
                     enclave only, that you hold it";

pub(in crate::ceremony) fn drill_draft(ready: &Ready) -> Report {
    Report::new("drill start", "a drill would be held under this manifest")
        .number("sequence", "under manifest", ready.manifest().sequence)
        .fact("epoch", "shares", ready.manifest().epoch)
        .development(ready.definition().attestation_root.is_development())
}

pub(in crate::ceremony) fn drill_started(done: &Started) -> Report {
    Report::new("drill start", "the enclave says it is there for a drill")
        .fact("genesis", "genesis digest", done.genesis)
        .fact("manifest", "under manifest", done.digest)
        .number("sequence", "sequence", done.manifest.sequence)
        .fact("epoch", "shares", done.manifest.epoch)
        .number(
            "threshold",
            "needed",
            done.manifest.share_set.threshold.into(),
        )
        .development(done.definition.attestation_root.is_development())
        .note("it never boots; stop it when the drill is over")
        .next("every member: quorate ceremony drill give")
}

pub(in crate::ceremony) fn drill_review(step: &Verified) -> Report {
    let what = match step.gives_share() {
        true => "proof of your real share, and your drill share",
        false => "proof of your real share only",
    };
    let report = Report::new(
        "drill give",
        "A DRILL: this enclave is verified, and takes drill shares only",
    )
    .fact("gives", "you give", what)
    .note(STAYS);
    let report = match step.gives_share() {
        true => report,
        false => report.note(
            "your drill share is sealed to keys that you have replaced; the next resharing makes \
             another one",
        ),
    };
    let report = report
        .note(NEWEST)
        .fact("genesis", "genesis digest", step.genesis());
    let report = manifest(report, step.manifest(), step.manifest_digest());
    ignored(document(report, &step.setup().facts), step.ignored())
}

pub(in crate::ceremony) fn drill_given(done: &Given) -> Report {
    let what = match done.gave_share {
        true => "you proved your share, and your drill share was good",
        false => "you proved your share",
    };
    let possession = &done.grant.unverified().possession;
    let claim = possession.unverified();
    let receipt = &done.receipt;
    let report = Report::new("drill give", what)
        .fact("genesis", "genesis digest", claim.genesis)
        .fact("manifest", "manifest", claim.manifest)
        .fact("epoch", "epoch", done.epoch)
        .fact("document", "attested in", claim.document)
        .fact("grant", "grant", done.grant.digest())
        .number("index", "your index", done.index.get().into())
        .number("proved", "members who proved", receipt.proved.into())
        .row(
            "accepted",
            "good drill shares",
            vec![format!("{} of {}", receipt.accepted, receipt.threshold)],
            receipt.accepted.into(),
        )
        .number("threshold", "needed", receipt.threshold.into())
        .development(done.development)
        .note("your real share stayed on this machine");
    if receipt.accepted >= receipt.threshold {
        report.next(
            "further members: quorate ceremony drill give; then quorate ceremony drill finish",
        )
    } else {
        report.next("further members: quorate ceremony drill give")
    }
}

pub(in crate::ceremony) fn drill_end_draft(
    (proved, threshold): (usize, u8),
    due: UnixMillis,
) -> Report {
    Report::new("drill finish", "what the enclave says of its drill")
        .number("proved", "members who proved", count(proved))
        .number("threshold", "needed", threshold.into())
        .row("due", "next drill due", vec![time(due)], due.0.into())
}

pub(in crate::ceremony) fn drill_finished(done: &Finished) -> Report {
    let report = Report::new(
        "drill finish",
        title("the record of the drill", done.published),
    )
    .fact("record", "record", done.record);
    let report = last(report, Some(&done.drill));
    document(report, &done.drill.verified.facts)
        .development(done.definition.attestation_root.is_development())
        .note("stop the drill enclave: it is of no more use")
}

/// The newest drill and when the next is due, if one was held.
pub(in crate::ceremony) fn last(report: Report, drill: Option<&LastDrill>) -> Report {
    let Some(drill) = drill else {
        return report;
    };
    let verified = &drill.verified;
    let overdue = drill.is_overdue(wall_clock());
    let lines = verified.participants.iter().map(|one| {
        let what = match one.gave_share {
            true => "proved, gave the drill share",
            false => "proved only",
        };
        format!("{}: {what}", one.holder.name)
    });
    let mut lines: Vec<String> = lines.collect();
    lines.extend(
        drill
            .absent
            .iter()
            .map(|name| format!("{name}: DID NOT TAKE PART")),
    );
    let took_part = verified.participants.iter().map(|one| {
        json!({
            "name": one.holder.name.as_str(),
            "gave_share": one.gave_share,
            "time": one.time.0,
        })
    });
    let absent: Vec<&str> = drill.absent.iter().map(|name| name.as_str()).collect();
    let value = json!({
        "number": drill.number,
        "sequence": drill.sequence,
        "epoch": verified.epoch.to_string(),
        "begun": verified.begun.0,
        "time": verified.time.0,
        "took_part": took_part.collect::<Vec<_>>(),
        "absent": absent,
        "threshold": drill.threshold,
        "to_spare": drill.to_spare(),
        "due": verified.due.0,
        "overdue": overdue,
    });
    lines.insert(0, format!("{}, held {}", drill.number, time(verified.time)));
    lines.push(format!(
        "margin: {} proved, {} are needed, {} to spare",
        verified.participants.len(),
        drill.threshold,
        drill.to_spare()
    ));
    let due = match overdue {
        true => format!("{}: OVERDUE", time(verified.due)),
        false => time(verified.due),
    };
    report.row("drill", "last drill", lines, value).row(
        "due",
        "next drill due",
        vec![due],
        verified.due.0.into(),
    )
}
