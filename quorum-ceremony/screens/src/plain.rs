//! The same pages as lines: for terminals without a screen, for logs, and for people who read with
//! their ears. Order and words are those of the screen.

use std::fmt::Write as _;

use crate::page::Page;
use crate::update::{Model, Pane};
use crate::view::{REHEARSAL, aged};
use crate::wrap::{self, wrap};

/// Width of the lines.
const WIDTH: usize = 100;

/// A page in lines, its question included.
#[must_use]
pub fn text(page: &Page) -> String {
    let model = Model::new(page.clone(), 100, 40);
    let mut lines = Vec::new();
    if page.development {
        lines.push(REHEARSAL.to_owned());
    }
    lines.extend(wrap(page.title.as_str(), WIDTH));
    if let Some((age, limit)) = model.age() {
        lines.push(aged(age, limit));
    }
    let verdict = wrap::verdict(&page.verdict, model.is_too_old(), WIDTH);
    lines.extend(verdict.into_iter().map(|said| said.text));
    for pane in [Pane::Found, Pane::Beside] {
        if pane == Pane::Beside && !model.has_beside() {
            continue;
        }
        lines.push(format!("{}:", wrap::pane_title(&page.body, pane)));
        let body = wrap::body(&page.body, pane, WIDTH.saturating_sub(2));
        lines.extend(body.into_iter().map(|said| format!("  {}", said.text)));
    }
    for note in &page.notes {
        lines.extend(wrap(&format!("note: {note}"), WIDTH));
    }
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The question in one line; none where there is no yes, as on the screen.
#[must_use]
pub fn question(page: &Page) -> Option<String> {
    let confirm = page.confirm.as_ref()?;
    if !Model::new(page.clone(), 100, 40).can_confirm() {
        return None;
    }
    Some(format!("to {}, type: {}", confirm.action, confirm.shown()))
}
