//! What a manifest changes, as a row of a report.

use quorate_protocol::definition::Definition;
use quorate_protocol::manifest::Manifest;
use quorate_quorum_ceremony::diff::{Change, Weight, changes};
use quorate_screens::ChangeKind;
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
    match before {
        None => lines.push("the first manifest: nothing ran before".into()),
        Some(_) if all.is_empty() => lines.push("nothing".into()),
        Some(_) => {}
    }
    listed(report, lines, &all)
}

/// Adds these changes below these lines, and how many are weighty.
pub(super) fn listed(report: Report, mut lines: Vec<String>, all: &[Change]) -> Report {
    let words = all.iter().map(|change| match change.weight {
        Weight::Power => format!("! {}", change.words),
        _ => format!("  {}", change.words),
    });
    lines.extend(words);
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

/// The same for a screen.
pub(super) fn for_screen(all: Vec<Change>) -> Vec<quorate_screens::Change> {
    let changes = all.into_iter().map(|change| quorate_screens::Change {
        kind: match (change.weight, &change.before, &change.after) {
            (Weight::Power, ..) => ChangeKind::Grave,
            (_, None, _) => ChangeKind::Added,
            (_, _, None) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        },
        words: change.words.into(),
    });
    changes.collect()
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
