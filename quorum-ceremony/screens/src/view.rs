//! A model, drawn.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};

use crate::notes;
use crate::update::{Model, Pane};
use crate::wrap::{self, Said, Tone, wrap};

/// What every page under a development root begins with.
pub(crate) const REHEARSAL: &str =
    "DEVELOPMENT ROOT: a rehearsal. Nothing here says anything about hardware.";

/// Lines of a pane, frame and all, on the smallest screen.
pub(crate) const LEAST_OF_PANE: u16 = 3;

/// Draws a page.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let width = usize::from(area.width);
    let head = head(model, width);
    let foot = foot(model, width);
    let rows = |lines: &[Said]| u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let [above, middle, below] = Layout::vertical([
        Constraint::Max(rows(&head)),
        Constraint::Min(LEAST_OF_PANE),
        Constraint::Max(rows(&foot)),
    ])
    .areas(area);
    frame.render_widget(paragraph(&head), above);
    if wrap::is_wide(model) {
        let halves = Layout::horizontal([Constraint::Percentage(50), Constraint::Fill(1)]);
        let [left, right] = halves.areas(middle);
        pane(model, Pane::Found, frame, left);
        pane(model, Pane::Beside, frame, right);
    } else {
        pane(model, model.pane(), frame, middle);
    }
    frame.render_widget(paragraph(&foot), below);
}

/// What stands above the panes.
pub(crate) fn head(model: &Model, width: usize) -> Vec<Said> {
    let page = model.page();
    let mut lines = Vec::new();
    let mut add = |tone, text: &str| {
        lines.extend(
            wrap(text, width)
                .into_iter()
                .map(|text| Said { tone, text }),
        );
    };
    if page.development {
        add(Tone::Bad, REHEARSAL);
    }
    add(Tone::Strong, page.title.as_str());
    if let Some((age, limit)) = model.age() {
        add(Tone::Usual, &aged(age, limit));
    }
    lines.extend(wrap::verdict(&page.verdict, model.is_too_old(), width));
    lines
}

/// The age of an attestation in words.
pub(crate) fn aged(age: Duration, limit: Duration) -> String {
    format!(
        "attested {} s ago, for a nonce made here; good for {} s",
        age.as_secs(),
        limit.as_secs()
    )
}

fn foot(model: &Model, width: usize) -> Vec<Said> {
    let mut lines = notes::below(model);
    lines.extend(question(model, width));
    lines
}

/// The question, and the keys.
pub(crate) fn question(model: &Model, width: usize) -> Vec<Said> {
    let page = model.page();
    let mut lines = Vec::new();
    let mut add = |tone, text: &str| {
        lines.extend(
            wrap(text, width)
                .into_iter()
                .map(|text| Said { tone, text }),
        );
    };
    let mut keys = Vec::new();
    if let (Some(confirm), true) = (&page.confirm, model.can_confirm()) {
        add(
            Tone::Strong,
            &format!("to {}, type: {}", confirm.action, confirm.shown()),
        );
        if model.is_wrong() {
            add(Tone::Warning, "these were not the two words");
        }
        add(Tone::Usual, &format!("> {}_", model.typed()));
        keys.push("Enter answer");
        keys.push("Esc leave, nothing is signed or given");
    } else {
        keys.push("q leave");
    }
    if model.age().is_some() {
        keys.push("^R attest again");
    }
    if model.has_beside() {
        keys.push("Tab other pane");
    }
    keys.push("arrows scroll");
    lines.extend(key_lines(&keys, width));
    lines
}

/// Keys and what they do, none of them broken over two lines.
fn key_lines(keys: &[&str], width: usize) -> Vec<Said> {
    const GAP: &str = "   ";
    let mut lines: Vec<String> = Vec::new();
    for key in keys {
        match lines.last_mut() {
            Some(line)
                if wrap::columns(line)
                    .saturating_add(GAP.len())
                    .saturating_add(wrap::columns(key))
                    <= width =>
            {
                line.push_str(GAP);
                line.push_str(key);
            }
            _ => lines.push((*key).to_owned()),
        }
    }
    let said = lines.into_iter().map(|text| Said {
        tone: Tone::Quiet,
        text,
    });
    said.collect()
}

fn pane(model: &Model, pane: Pane, frame: &mut Frame<'_>, area: Rect) {
    let lines = wrap::pane_lines(model, pane);
    let room = usize::from(area.height.saturating_sub(2));
    // The last screenful stays full.
    let first = model.scroll(pane).min(lines.len().saturating_sub(room));
    let shown: Vec<Said> = lines.iter().skip(first).take(room).cloned().collect();
    let title = wrap::pane_title(&model.page().body, pane);
    let here = if model.pane() == pane && wrap::is_wide(model) {
        "> "
    } else {
        ""
    };
    let mut block = Block::bordered().title(format!(" {here}{title} "));
    if lines.len() > shown.len() {
        let last = first.saturating_add(shown.len());
        let where_ = format!(
            " lines {} to {last} of {} ",
            first.saturating_add(1),
            lines.len()
        );
        block = block.title_bottom(Line::raw(where_).right_aligned());
    }
    frame.render_widget(paragraph(&shown).block(block), area);
}

fn paragraph(lines: &[Said]) -> Paragraph<'_> {
    let lines = lines
        .iter()
        .map(|said| Line::styled(&said.text, style(said.tone)));
    Paragraph::new(lines.collect::<Vec<_>>())
}

fn style(tone: Tone) -> Style {
    let style = Style::new();
    match tone {
        Tone::Usual => style,
        Tone::Quiet => style.add_modifier(Modifier::DIM),
        Tone::Strong => style.add_modifier(Modifier::BOLD),
        Tone::Good => style.fg(Color::Green).add_modifier(Modifier::BOLD),
        Tone::Warning => style.fg(Color::Yellow),
        Tone::Bad => style.fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}
