//! A step's result: the same facts as text and as one JSON object.

use std::fmt::{Display, Write as _};

use serde_json::{Map, Value, json};

use crate::output::{Render, Style, clean};

/// Width of the labels.
const LABEL: usize = 20;

/// What a step shows.
pub(super) struct Report {
    step: &'static str,
    title: String,
    rows: Vec<Row>,
    notes: Vec<String>,
    next: Option<String>,
    development: bool,
    /// What was not done, because nobody wanted it done yet.
    would: Option<String>,
}

struct Row {
    key: &'static str,
    label: &'static str,
    lines: Vec<String>,
    value: Value,
}

impl Report {
    /// A report of a step, with what happened in a few words.
    pub(super) fn new(step: &'static str, title: impl Into<String>) -> Self {
        Self {
            step,
            title: title.into(),
            rows: Vec::new(),
            notes: Vec::new(),
            next: None,
            development: false,
            would: None,
        }
    }

    /// A fact whose text and JSON are the same.
    pub(super) fn fact(self, key: &'static str, label: &'static str, value: impl Display) -> Self {
        let text = value.to_string();
        self.row(key, label, vec![text.clone()], Value::String(text))
    }

    /// A number.
    pub(super) fn number(self, key: &'static str, label: &'static str, value: u64) -> Self {
        self.row(key, label, vec![value.to_string()], value.into())
    }

    /// A fact of several lines, or with JSON of its own.
    pub(super) fn row(
        mut self,
        key: &'static str,
        label: &'static str,
        lines: Vec<String>,
        value: Value,
    ) -> Self {
        self.rows.push(Row {
            key,
            label,
            lines,
            value,
        });
        self
    }

    /// Something to know.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// What comes next.
    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Says that it would be done, and was not.
    pub(super) fn dry_run(mut self, would: &str) -> Self {
        self.would = Some(would.to_owned());
        self.next = None;
        self
    }

    /// Whether it all rests on a development root.
    pub(super) fn development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }
}

/// The same facts for a screen.
impl Report {
    /// What happened in a few words.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// The facts, each with what `how` says of its key.
    pub(super) fn rows(
        &self,
        how: impl Fn(&str) -> Option<&'static str>,
    ) -> Vec<quorate_screens::Row> {
        let rows = self.rows.iter().map(|row| {
            let lines = row.lines.iter().map(|line| line.as_str().into());
            let shown = quorate_screens::Row::of(row.label, lines.collect());
            match how(row.key) {
                Some(how) => shown.how(how),
                None => shown,
            }
        });
        rows.collect()
    }

    /// What to know besides.
    pub(super) fn notes(&self) -> Vec<quorate_screens::Text> {
        self.notes.iter().map(|note| note.as_str().into()).collect()
    }

    /// Whether it all rests on a development root.
    pub(super) const fn is_development(&self) -> bool {
        self.development
    }
}

impl Render for Report {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        if self.development {
            let warning =
                "DEVELOPMENT ROOT: a rehearsal. Nothing here says anything about hardware.";
            let _ = writeln!(text, "{}", style.red(warning));
        }
        if let Some(would) = &self.would {
            let said = format!("DRY RUN: nothing was done. Without --dry-run this would {would}.");
            let _ = writeln!(text, "{}", style.yellow(&clean(&said)));
        }
        let _ = writeln!(text, "{}", style.bold(&clean(&self.title)));
        for row in &self.rows {
            let mut label = format!("{}:", row.label);
            for line in &row.lines {
                let _ = writeln!(text, "  {label:LABEL$} {}", clean(line));
                label.clear();
            }
            if row.lines.is_empty() {
                let _ = writeln!(text, "  {label:LABEL$} {}", style.dim("none"));
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "{} {}", style.yellow("note:"), clean(note));
        }
        if let Some(next) = &self.next {
            let _ = writeln!(text, "{} {}", style.green("next:"), clean(next));
        }
        text
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("ok".into(), true.into());
        object.insert("step".into(), self.step.into());
        for row in &self.rows {
            object.insert(row.key.into(), row.value.clone());
        }
        if let Some(would) = &self.would {
            object.insert("dry_run".into(), true.into());
            object.insert("would".into(), would.as_str().into());
        }
        object.insert("development".into(), self.development.into());
        object.insert("notes".into(), json!(self.notes));
        object.insert("next".into(), json!(self.next));
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_hold_the_same_facts() {
        let report = Report::new("consent", "consented")
            .fact("fingerprint", "fingerprint", "ab")
            .number("threshold", "threshold", 2)
            .row(
                "members",
                "members",
                vec!["1 alice".into(), "2 bob".into()],
                json!(["alice"]),
            )
            .note("compare it")
            .development(true);
        assert_eq!(
            report.text(Style::Plain),
            "DEVELOPMENT ROOT: a rehearsal. Nothing here says anything about hardware.\n\
             consented\n  \
             fingerprint:         ab\n  \
             threshold:           2\n  \
             members:             1 alice\n                       2 bob\n\
             note: compare it\n"
        );
        assert_eq!(
            report.json().to_string(),
            "{\"ok\":true,\"step\":\"consent\",\"fingerprint\":\"ab\",\"threshold\":2,\
             \"members\":[\"alice\"],\"development\":true,\"notes\":[\"compare it\"],\"next\":null}"
        );
    }
}
