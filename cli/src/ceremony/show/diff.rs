//! What a manifest changes, as a row of a report.

use quorate_protocol::definition::Definition;
use quorate_protocol::manifest::Manifest;
use quorate_quorum_ceremony::diff::{Change, Weight, changes};
use serde_json::{Value, json};

use crate::ceremony::report::Report;

/// Adds what `after` changes, the weightiest first, and how much of it there is.
pub(super) fn differences(
    report: Report,
    definition: &Definition,
    before: Option<&Manifest>,
    after: &Manifest,
) -> Report {
    let all = changes(definition, before, after);
    let mut lines: Vec<String> = Vec::new();
    if before.is_none() {
        lines.push("the first manifest: nothing ran before".into());
    }
    let words = all.iter().map(|change| match change.weight {
        Weight::Power => format!("! {}", change.words),
        _ => format!("  {}", change.words),
    });
    lines.extend(words);
    if before.is_some() && all.is_empty() {
        lines.push("nothing".into());
    }
    let value: Vec<Value> = all.iter().map(in_json).collect();
    let report = report.row("changes", "changes", lines, value.into());
    let powers = all.iter().filter(|change| change.weight == Weight::Power);
    match powers.count() {
        0 => report,
        count => report.note(format!(
            "{count} of these (marked !) change who decides, who holds the key, or where what it \
             protects can go"
        )),
    }
}

fn in_json(change: &Change) -> Value {
    json!({
        "kind": change.kind,
        "weight": change.weight.name(),
        "subject": change.subject,
        "before": change.before,
        "after": change.after,
        "words": change.words,
    })
}
