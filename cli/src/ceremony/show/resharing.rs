//! What `status` shows of a resharing: its order, what is missing, and what it has replaced.

use quorate_protocol::atoms::Name;
use quorate_protocol::definition::Definition;
use quorate_protocol::manifest::Manifest;
use quorate_quorum_ceremony::steps::status::{Gathered, Replaced, Resharing, State};
use serde_json::{Value, json};

use super::people::set;
use super::time;
use crate::ceremony::report::Report;

/// Who approves and holds shares by the newest approved manifest, where that is not the definition's
/// matter any more.
pub(super) fn people_now(report: Report, definition: &Definition, manifest: &Manifest) -> Report {
    let report = match manifest.share_set == definition.share_set {
        true => report,
        false => set(report, "holders_now", "holders now", &manifest.share_set),
    };
    match manifest.manifest_set == definition.manifest_set {
        true => report,
        false => set(
            report,
            "approvers_now",
            "approvers now",
            &manifest.manifest_set,
        ),
    }
}

/// The newest order.
pub(super) fn order(report: Report, found: &Resharing) -> Report {
    let mut lines = vec![format!("order {}: {}", found.number, state(found.state))];
    lines.push(format!("fingerprint {}", found.digest));
    if let State::Open | State::Expired = found.state {
        lines.push(format!("expires {}", time(found.order.expires)));
    }
    let after = &found.order.share_set;
    lines.push(match &found.before {
        Some(before) => format!(
            "{} of {} holders instead of {} of {}",
            after.threshold,
            after.members.len(),
            before.threshold,
            before.members.len()
        ),
        None => format!("{} of {} holders", after.threshold, after.members.len()),
    });
    if found.under.is_some() {
        lines.extend(gathered("consents of the manifest set", &found.approvers));
        lines.extend(gathered("consents of the share set", &found.holders));
    }
    if let Some(made) = &found.made {
        lines.push(format!("new shares {}", made.epoch));
        lines.extend(gathered("receipts of new holders", &made.receipts));
    }
    let ignored = found.ignored.iter();
    lines.extend(ignored.map(|name| format!("left out, not theirs: in the name of {name}")));
    let value = json!({
        "order": found.number,
        "fingerprint": found.digest.to_string(),
        "state": found.state.name(),
        "expires": found.order.expires.0,
        "under": found.under,
        "threshold": after.threshold,
        "members": names(after.members.iter().map(|member| &member.name)),
        "consents": {
            "manifest_set": gathered_json(&found.approvers),
            "share_set": gathered_json(&found.holders),
        },
        "epoch": found.made.as_ref().map(|made| made.epoch.to_string()),
        "receipts": found.made.as_ref().map(|made| gathered_json(&made.receipts)),
        "ignored": names(found.ignored.iter()),
    });
    report.row("resharing", "resharing", lines, value)
}

/// In words.
fn state(state: State) -> String {
    match state {
        State::Open => "open".into(),
        State::Expired => "EXPIRED: nobody can carry it out any more; another is written".into(),
        State::AnswerWrong => "the answer in the folder is not that of an enclave of yours".into(),
        State::Made => "the new shares are made; the old ones still count".into(),
        State::Named(sequence) => {
            format!("manifest {sequence} names the new shares and waits for approvals")
        }
        State::Counts(sequence) => format!("the new shares count, by manifest {sequence}"),
        State::Void => "VOID: another manifest was approved since; another is written".into(),
    }
}

fn gathered(what: &str, found: &Gathered) -> Vec<String> {
    let list = |people: &[Name]| names(people.iter()).join(", ");
    let mut lines = vec![format!(
        "{what}: {} of {} needed{}{}",
        found.given.len(),
        found.need,
        if found.given.is_empty() { "" } else { ": " },
        list(&found.given),
    )];
    if found.missing() > 0 {
        lines.push(format!(
            "  {} more of {}",
            found.missing(),
            list(&found.absent)
        ));
    }
    lines
}

fn gathered_json(found: &Gathered) -> Value {
    json!({
        "given": names(found.given.iter()),
        "absent": names(found.absent.iter()),
        "need": found.need,
        "missing": found.missing(),
    })
}

fn names<'n>(people: impl Iterator<Item = &'n Name>) -> Vec<String> {
    people.map(ToString::to_string).collect()
}

/// What was replaced, and whose share of it may still be there.
pub(super) fn replaced(report: Report, found: &Replaced) -> Report {
    let list = |people: &[Name]| match people {
        [] => "nobody".to_owned(),
        people => names(people.iter()).join(", "),
    };
    let lines = vec![
        format!("{}, by manifest {}", found.epoch, found.by),
        format!("destroyed, as they signed: {}", list(&found.destroyed)),
        format!("not yet: {}", list(&found.kept)),
    ];
    let value = json!({
        "epoch": found.epoch.to_string(),
        "by": found.by,
        "destroyed": names(found.destroyed.iter()),
        "kept": names(found.kept.iter()),
    });
    report.row("replaced", "replaced shares", lines, value)
}
