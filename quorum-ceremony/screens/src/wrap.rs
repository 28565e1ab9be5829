//! A page's body as lines of a width. Screen and plain text are made of these same lines.

use ratatui::text::Line;

use crate::notes;
use crate::page::{
    Body, Cell, Change, ChangeKind, Margin, Mark, PinTries, Record, Row, Seat, Verdict,
};
use crate::text::Text;
use crate::update::{Model, Pane};

/// Width of the column of labels.
const LABEL: usize = 20;
/// A screen of this width shows both panes side by side.
pub(crate) const WIDE: u16 = 110;

/// What a line is. Words say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Usual,
    Quiet,
    Strong,
    Good,
    Warning,
    Bad,
}

/// A line of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

fn said(tone: Tone, text: impl Into<String>) -> Said {
    Said {
        tone,
        text: text.into(),
    }
}

/// Columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    Line::raw(text).width()
}

/// Text in lines of at most `width` columns, broken between words, or within one that is longer.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let gap = usize::from(!line.is_empty());
        if columns(&line)
            .saturating_add(gap)
            .saturating_add(columns(word))
            <= width
        {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for char in word.chars() {
            line.push(char);
            if columns(&line) > width {
                line.pop();
                lines.push(std::mem::take(&mut line));
                line.push(char);
            }
        }
    }
    lines.push(line);
    lines
}

/// The verdict in lines.
pub(crate) fn verdict(verdict: &Verdict, too_old: bool, width: usize) -> Vec<Said> {
    let lines = |tone, text: String| wrap(&text, width).into_iter().map(move |l| said(tone, l));
    match verdict {
        Verdict::DoNot { reason, remedy } => lines(Tone::Bad, format!("DO NOT: {reason}"))
            .chain(lines(Tone::Strong, format!("instead: {remedy}")))
            .collect(),
        Verdict::Safe(_) if too_old => lines(
            Tone::Bad,
            "DO NOT: the attestation has become too old to act on".into(),
        )
        .chain(lines(
            Tone::Strong,
            "instead: have the enclave attest again".into(),
        ))
        .collect(),
        Verdict::Safe(because) => lines(Tone::Good, format!("SAFE: {because}")).collect(),
        Verdict::ForInformation => Vec::new(),
    }
}

/// How many lines a pane has on this screen.
pub(crate) fn lines_of(model: &Model, pane: Pane) -> usize {
    pane_lines(model, pane).len()
}

/// A pane of this screen: what was found ends with the notes for which there is no room below it.
pub(crate) fn pane_lines(model: &Model, pane: Pane) -> Vec<Said> {
    let width = pane_width(model);
    let mut lines = body(&model.page().body, pane, width);
    if pane == Pane::Found {
        lines.extend(notes::inside(model, width));
    }
    lines
}

/// Columns of one pane.
pub(crate) fn pane_width(model: &Model) -> usize {
    let width = usize::from(model.size().0);
    if is_wide(model) {
        (width / 2).saturating_sub(2)
    } else {
        width.saturating_sub(2)
    }
}

/// Whether both panes are shown at once.
pub(crate) fn is_wide(model: &Model) -> bool {
    model.has_beside() && model.size().0 >= WIDE
}

/// What a pane is called.
pub(crate) const fn pane_title(body: &Body, pane: Pane) -> &'static str {
    match (body, pane) {
        (Body::Facts { .. }, Pane::Found) => "what was found, and how it was confirmed",
        (Body::Facts { .. }, Pane::Beside) => "the raw evidence",
        (Body::Diff { .. }, Pane::Found) => "what changes",
        (Body::Diff { .. }, Pane::Beside) => "the whole of it",
        (Body::Board { .. }, _) => "who has done what",
        (Body::Token { .. }, _) => "what the token tells of itself",
        (Body::Transcript { .. }, _) => "the records, in order",
    }
}

/// A pane of a body in lines.
pub(crate) fn body(body: &Body, pane: Pane, width: usize) -> Vec<Said> {
    match (body, pane) {
        (Body::Facts { rows: shown, .. }, Pane::Found)
        | (Body::Facts { raw: shown, .. } | Body::Diff { rows: shown, .. }, Pane::Beside) => {
            rows(shown, width)
        }
        (Body::Diff { changes: shown, .. }, Pane::Found) => changes(shown, width),
        (
            Body::Board {
                phases,
                seats,
                margins,
            },
            _,
        ) => board(phases, seats, margins, width),
        (Body::Token { rows: shown, tries }, _) => token(shown, *tries, width),
        (Body::Transcript { words, records }, _) => transcript(words, records, width),
    }
}

fn rows(shown: &[Row], width: usize) -> Vec<Said> {
    let narrow = width < LABEL.saturating_mul(2);
    let indent = if narrow { 2 } else { LABEL };
    let room = width.saturating_sub(indent);
    let mut lines = Vec::new();
    for row in shown {
        let mut label = row.label.as_str().to_owned();
        // A label that leaves no gap has a line of its own.
        if narrow || columns(&label) >= indent {
            lines.extend(
                wrap(&label, width)
                    .into_iter()
                    .map(|l| said(Tone::Strong, l)),
            );
            label.clear();
        }
        let none = [Text::new("none")];
        let values = if row.lines.is_empty() {
            &none[..]
        } else {
            &row.lines
        };
        for value in values {
            for line in wrap(value.as_str(), room) {
                let gap = " ".repeat(indent.saturating_sub(columns(&label)));
                lines.push(said(Tone::Usual, format!("{label}{gap}{line}")));
                label.clear();
            }
        }
        if let Some(how) = &row.how {
            let gap = " ".repeat(indent);
            for line in wrap(&format!("confirmed: {how}"), room) {
                lines.push(said(Tone::Quiet, format!("{gap}{line}")));
            }
        }
    }
    lines
}

fn changes(shown: &[Change], width: usize) -> Vec<Said> {
    const WORD: usize = 9;
    let mut lines = Vec::new();
    for change in shown {
        let (word, tone) = match change.kind {
            ChangeKind::Added => ("added", Tone::Good),
            ChangeKind::Removed => ("removed", Tone::Warning),
            ChangeKind::Changed => ("changed", Tone::Usual),
            ChangeKind::Grave => ("GRAVE", Tone::Bad),
        };
        let mut word = word.to_owned();
        for line in wrap(change.words.as_str(), width.saturating_sub(WORD)) {
            lines.push(said(tone, format!("{word:WORD$}{line}")));
            word.clear();
        }
    }
    if shown.is_empty() {
        lines.push(said(Tone::Usual, "nothing"));
    }
    lines
}

const fn sign(mark: Mark) -> (&'static str, Tone) {
    match mark {
        Mark::Done => ("[x]", Tone::Good),
        Mark::Awaited => ("[ ]", Tone::Warning),
        Mark::Idle => ("[-]", Tone::Quiet),
        Mark::Bad => ("[!]", Tone::Bad),
    }
}

fn cell(cell: &Cell) -> String {
    format!("{} {}", sign(cell.mark).0, cell.word)
}

fn board(phases: &[Text], seats: &[Seat], margins: &[Margin], width: usize) -> Vec<Said> {
    let mut lines = Vec::new();
    let names = seats.iter().map(|seat| columns(seat.name.as_str()));
    let name = names.max().unwrap_or(0).saturating_add(2);
    let widths: Vec<usize> = phases
        .iter()
        .enumerate()
        .map(|(number, phase)| {
            let cells = seats.iter().filter_map(|seat| seat.cells.get(number));
            let widest = cells.map(|one| columns(&cell(one))).max().unwrap_or(0);
            widest.max(columns(phase.as_str())).saturating_add(2)
        })
        .collect();
    let pad =
        |text: &str, to: usize| format!("{text}{}", " ".repeat(to.saturating_sub(columns(text))));
    if widths
        .iter()
        .fold(name, |sum, one| sum.saturating_add(*one))
        <= width
    {
        let head = phases.iter().zip(&widths);
        let head: String = head.map(|(phase, to)| pad(phase.as_str(), *to)).collect();
        lines.push(said(Tone::Strong, format!("{}{head}", " ".repeat(name))));
        for seat in seats {
            let cells = seat.cells.iter().zip(&widths);
            let cells: String = cells.map(|(one, to)| pad(&cell(one), *to)).collect();
            let text = format!("{}{cells}", pad(seat.name.as_str(), name));
            lines.push(said(tone_of(seat), text.trim_end()));
        }
    } else {
        for seat in seats {
            let cells = phases.iter().zip(&seat.cells);
            let cells: Vec<_> = cells
                .map(|(phase, one)| format!("{phase} {}", cell(one)))
                .collect();
            let text = format!("{}: {}", seat.name, cells.join(", "));
            lines.extend(
                wrap(&text, width)
                    .into_iter()
                    .map(|l| said(tone_of(seat), l)),
            );
        }
    }
    for margin in margins {
        let spare = margin.spare();
        let (tone, rest) = match spare {
            ..0 => (Tone::Warning, format!("{} missing", spare.saturating_neg())),
            0 => (Tone::Warning, "none to spare".to_owned()),
            _ => (Tone::Good, format!("{spare} to spare")),
        };
        let text = format!(
            "{}: {} of {} needed, {rest}",
            margin.what, margin.have, margin.need
        );
        lines.extend(wrap(&text, width).into_iter().map(|l| said(tone, l)));
    }
    lines
}

/// The gravest of a member's marks.
fn tone_of(seat: &Seat) -> Tone {
    let has = |mark| seat.cells.iter().any(|cell| cell.mark == mark);
    if has(Mark::Bad) {
        Tone::Bad
    } else if has(Mark::Awaited) {
        Tone::Warning
    } else {
        Tone::Usual
    }
}

fn token(shown: &[Row], tries: PinTries, width: usize) -> Vec<Said> {
    let mut lines = rows(shown, width);
    let (tone, text) = match tries {
        PinTries::NotReduced => (Tone::Usual, "no wrong PIN was typed lately"),
        PinTries::Reduced => (
            Tone::Warning,
            "a wrong PIN was typed: fewer attempts are left",
        ),
        PinTries::Last => (
            Tone::Bad,
            "ONE PIN attempt is left; a wrong one locks the token",
        ),
        PinTries::Locked => (Tone::Bad, "the PIN is locked: no attempt is left"),
    };
    lines.extend(wrap(text, width).into_iter().map(|l| said(tone, l)));
    lines
}

fn transcript(words: &[Text], records: &[Record], width: usize) -> Vec<Said> {
    let words: Vec<_> = words.iter().map(Text::as_str).collect();
    let text = format!("read aloud: {}", words.join(" "));
    let mut lines: Vec<_> = wrap(&text, width)
        .into_iter()
        .map(|l| said(Tone::Strong, l))
        .collect();
    for (number, record) in records.iter().enumerate() {
        let refused = if record.refusal { "REFUSED " } else { "" };
        let text = format!(
            "{:3} {} {} {refused}{}",
            number.saturating_add(1),
            record.time,
            record.author,
            record.act
        );
        let tone = if record.refusal {
            Tone::Bad
        } else {
            Tone::Usual
        };
        lines.extend(wrap(&text, width).into_iter().map(|l| said(tone, l)));
        for fact in &record.facts {
            let room = width.saturating_sub(4);
            let facts = wrap(fact.as_str(), room).into_iter();
            lines.extend(facts.map(|l| said(Tone::Quiet, format!("    {l}"))));
        }
    }
    if records.is_empty() {
        lines.push(said(Tone::Usual, "no records"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_nothing_is_lost(text in "[a-z ]{0,80}", width in 1_usize..40) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| columns(line) <= width));
            let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
