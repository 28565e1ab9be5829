//! What the steps of a resharing show, and a manifest that changes people.

use quorate_protocol::digest::Digest;
use quorate_protocol::instance::Index;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::reshare::ReshareOrder;
use quorate_quorum_ceremony::diff::{Change, NewShares, resharing};
use quorate_quorum_ceremony::steps::reshare::destroy::{self, Destroyed};
use quorate_quorum_ceremony::steps::reshare::order::{self, Ordered};
use quorate_quorum_ceremony::steps::reshare::receipt::{self, Received};
use quorate_quorum_ceremony::steps::reshare::run::{self, Done};
use quorate_quorum_ceremony::steps::reshare::sign::{self, Consented};
use quorate_quorum_ceremony::steps::rotate::Rotated;
use quorate_verify::chain::Approver;
use quorate_verify::reshare::{Consenters, VerifiedCompletion, VerifiedReshare};
use serde_json::json;

use super::diff::{for_screen, listed};
use super::{NEWEST, count, differences, document, manifest, seats, set, time, title};
use crate::ceremony::report::Report;

/// What an order asks for, beside what is now.
fn asked(report: Report, number: u64, order: &ReshareOrder, running: Option<&Manifest>) -> Report {
    let after = &order.share_set;
    let mut report = report
        .number("order", "order", number)
        .fact("fingerprint", "fingerprint", Digest::of(order))
        .fact("genesis", "genesis digest", order.genesis)
        .fact("running", "under manifest", order.manifest)
        .fact("enclave", "enclave's live key", order.live.verification)
        .fact("epoch", "replaces the shares", order.epoch)
        .row(
            "expires",
            "expires",
            vec![time(order.expires)],
            order.expires.0.into(),
        );
    report = set(report, "share_set", "NEW HOLDERS", after);
    let Some(running) = running else {
        return report;
    };
    listed(report, Vec::new(), &ordered_changes(running, order))
}

/// What an order changes, for a screen.
pub(in crate::ceremony) fn order_changes(step: &sign::Review) -> Vec<quorate_screens::Change> {
    for_screen(ordered_changes(step.running(), step.order()))
}

/// What a new share comes with, for a screen.
pub(in crate::ceremony) fn receipt_changes(step: &receipt::Review) -> Vec<quorate_screens::Change> {
    for_screen(receipt_of(step))
}

fn receipt_of(step: &receipt::Review) -> Vec<Change> {
    let epoch = step.verified().epoch;
    let after = &step.reshare().order.share_set;
    resharing(step.running(), after, NewShares::Made { epoch })
}

fn ordered_changes(running: &Manifest, order: &ReshareOrder) -> Vec<Change> {
    let until = order.expires;
    resharing(running, &order.share_set, NewShares::Ordered { until })
}

pub(in crate::ceremony) fn order_draft(ready: &order::Ready) -> Report {
    let report = Report::new("reshare order", "these people would hold the new shares").row(
        "until",
        "at the latest until",
        vec![time(ready.until())],
        ready.until().0.into(),
    );
    let running = ready.running();
    let report = report.number("sequence", "under manifest", running.sequence);
    let report = set(report, "share_set", "NEW HOLDERS", ready.share_set());
    let until = ready.until();
    let changes = resharing(running, ready.share_set(), NewShares::Ordered { until });
    listed(report, Vec::new(), &changes)
        .development(ready.definition().attestation_root.is_development())
}

pub(in crate::ceremony) fn run_review(ready: &run::Ready, consenters: &Consenters) -> Report {
    let report = Report::new("reshare run", "enough have consented to this order");
    let report = asked(report, ready.number(), ready.order(), Some(ready.running()));
    consented(report, consenters).development(ready.definition().attestation_root.is_development())
}

pub(in crate::ceremony) fn ordered(done: &Ordered) -> Report {
    let report = Report::new(
        "reshare order",
        "the order is written and waits for consents",
    );
    let report = asked(report, done.number, &done.order, Some(&done.running));
    document(report, &done.facts)
        .development(done.definition.attestation_root.is_development())
        .next(format!(
            "{} of the share set and {} of the manifest set: quorate ceremony reshare sign",
            done.running.share_set.threshold, done.running.manifest_set.threshold
        ))
}

pub(in crate::ceremony) fn order_review(step: &sign::Review) -> Report {
    let report = Report::new(
        "reshare sign",
        "you are about to consent that the key is shared anew",
    );
    let report = asked(report, step.number(), step.order(), Some(step.running()));
    seats(report, step.seats())
        .development(step.definition().attestation_root.is_development())
        .note("compare the fingerprint by voice with the other members")
        .note("what the new holders do with their shares is up to them from then on")
        .note(NEWEST)
}

pub(in crate::ceremony) fn order_consented(done: &Consented) -> Report {
    let report = Report::new("reshare sign", title("your consent", done.published));
    seats(asked(report, done.number, &done.order, None), &done.seats)
        .development(done.development)
        .next("when enough of both sets have consented: quorate ceremony reshare run")
}

/// What was verified of a resharing.
fn verified(report: Report, verified: &VerifiedReshare) -> Report {
    let report = report
        .fact("fingerprint", "fingerprint", verified.order)
        .fact("record", "record", verified.record)
        .fact("before", "replaces the shares", verified.before)
        .fact("epoch", "new shares", verified.epoch)
        .row(
            "time",
            "made at",
            vec![time(verified.time)],
            verified.time.0.into(),
        );
    consented(report, &verified.consenters)
}

/// Who consented, set by set.
fn consented(report: Report, consenters: &Consenters) -> Report {
    people(
        people(
            report,
            "consented_manifest_set",
            "manifest set",
            &consenters.manifest_set,
        ),
        "consented_share_set",
        "share set",
        &consenters.share_set,
    )
}

fn people(report: Report, key: &'static str, label: &'static str, all: &[Approver]) -> Report {
    let names: Vec<String> = all.iter().map(|one| one.name.to_string()).collect();
    report.row(key, label, vec![names.join(", ")], json!(names))
}

pub(in crate::ceremony) fn reshared(done: &Done) -> Report {
    let report = Report::new("reshare run", title("the new shares", done.published)).number(
        "order",
        "order",
        done.number,
    );
    let set = &done.reshare.order.share_set;
    let mut report = verified(report, &done.verified)
        .number("members", "new holders", count(set.members.len()))
        .number("threshold", "new threshold", set.threshold.into())
        .number("ignored", "consents left out", count(done.ignored.len()))
        .development(done.definition.attestation_root.is_development())
        .note("the older shares count until a manifest that names the new ones is approved");
    for name in &done.ignored {
        report = report.note(format!(
            "a consent in the name of {name} is not theirs and was left out"
        ));
    }
    report.next("new holders: quorate ceremony reshare receipt")
}

pub(in crate::ceremony) fn reshare_review(step: &receipt::Review) -> Report {
    let report = Report::new(
        "reshare receipt",
        "an enclave of this namespace made this share for you",
    )
    .number("order", "order", step.number())
    .number("index", "your index", step.index().get().into());
    let report = set(
        verified(report, step.verified()),
        "share_set",
        "NEW HOLDERS",
        &step.reshare().order.share_set,
    );
    listed(report, Vec::new(), &receipt_of(step))
        .development(step.definition().attestation_root.is_development())
        .note(NEWEST)
}

pub(in crate::ceremony) fn new_share_received(done: &Received) -> Report {
    let report = Report::new("reshare receipt", title("your receipt", done.published))
        .number("order", "order", done.number)
        .number("index", "your index", done.index.get().into())
        .number("threshold", "new threshold", done.threshold.into());
    verified(report, &done.verified)
        .development(done.development)
        .note("your share is kept; back the private folder up, or write the share down")
        .next(format!(
            "when {} have done this: quorate ceremony rotate --reshare",
            done.threshold
        ))
}

pub(in crate::ceremony) fn rotated(done: &Rotated) -> Report {
    let report = Report::new(
        "rotate",
        format!("manifest {} waits for approvals", done.manifest.sequence),
    );
    let report = manifest(report, &done.manifest, done.digest);
    let before = Some(&done.before);
    let mut report = differences(report, &done.definition, before, &done.manifest);
    if done.successor.changes_manifest_set {
        let people = &done.manifest.manifest_set;
        report = set(report, "manifest_set", "NEW APPROVERS", people);
    }
    if let Some(completion) = &done.successor.reshare {
        report = completed(report, completion);
        report = set(report, "share_set", "NEW HOLDERS", &done.manifest.share_set);
    }
    for name in &done.ignored {
        report = report.note(format!(
            "the receipt in the name of {name} is not theirs and was left out"
        ));
    }
    report
        .development(done.definition.attestation_root.is_development())
        .next("members, those who are new too: quorate ceremony approve")
}

/// The resharing that a manifest names.
pub(super) fn completed(report: Report, completion: &VerifiedCompletion) -> Report {
    people(
        verified(report, &completion.reshare),
        "held_by",
        "shown to be held by",
        &completion.holders,
    )
}

fn shares(report: Report, shares: &[quorate_quorum_ceremony::pins::SharePin]) -> Report {
    let lines = shares.iter().map(|pin| {
        let Index(index) = pin.index;
        format!("share {} of {}", index.get(), pin.epoch)
    });
    let lines: Vec<String> = lines.collect();
    report.row("shares", "shares", lines.clone(), json!(lines))
}

pub(in crate::ceremony) fn destroy_review(step: &destroy::Review) -> Report {
    let report = Report::new(
        "reshare destroy",
        match step.with_key() {
            true => "YOU ARE ABOUT TO DESTROY YOUR OLD SHARE AND YOUR KEY FILE",
            false => "YOU ARE ABOUT TO DESTROY YOUR OLD SHARE",
        },
    )
    .number("sequence", "replaced by manifest", step.manifest().sequence);
    shares(report, step.shares())
        .development(step.definition().attestation_root.is_development())
        .note("until the enclaves that run older manifests are stopped, keep in mind that they live on")
}

pub(in crate::ceremony) fn destroyed(done: &Destroyed) -> Report {
    let report = Report::new(
        "reshare destroy",
        "your old share is destroyed and your word is in the folder",
    )
    .number("sequence", "replaced by manifest", done.manifest.sequence);
    let report = shares(report, &done.shares).development(done.development);
    match done.with_key {
        true => report.note("your key file is destroyed: burn what is on paper, and copies"),
        false => report.note(
            "your key still opens the record's sealed copy of it: keep the key safe, and burn what \
             is on paper",
        ),
    }
}
