//! What a key, a second and a new size do to a page.

use std::time::Duration;

use crate::page::{Body, Page, Verdict};
use crate::wrap;

/// Longest answer, in characters.
const MAX_TYPED: usize = 64;

/// A page on a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    page: Page,
    /// Since the page was made.
    elapsed: Duration,
    typed: String,
    /// The last answer was not the two words.
    wrong: bool,
    pane: Pane,
    /// First line shown of each pane.
    scroll: [usize; 2],
    size: (u16, u16),
}

/// Which half of a page has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// What was found.
    Found,
    /// The raw evidence, or the whole of what is new.
    Beside,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A key.
    Key(Key),
    /// So long after the page was made.
    Elapsed(Duration),
    /// The screen has another size.
    Size {
        /// Columns.
        width: u16,
        /// Lines.
        height: u16,
    },
}

/// A key a person presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Takes the last character back.
    Backspace,
    /// Gives the answer.
    Enter,
    /// Leaves without an answer; also an interrupt.
    Leave,
    /// The other pane.
    Tab,
    /// A line up.
    Up,
    /// A line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Attest again.
    Renew,
}

/// How a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The two words were typed, while a yes was possible.
    Confirmed,
    /// The person left.
    Left,
    /// The person wants what is shown to be verified anew.
    Renew,
}

impl Model {
    /// A page on a screen of this size.
    #[must_use]
    pub const fn new(page: Page, width: u16, height: u16) -> Self {
        Self {
            page,
            elapsed: Duration::ZERO,
            typed: String::new(),
            wrong: false,
            pane: Pane::Found,
            scroll: [0, 0],
            size: (width, height),
        }
    }

    /// The page.
    #[must_use]
    pub const fn page(&self) -> &Page {
        &self.page
    }

    /// Shows another page in its place, for the same eyes: what is scrolled to stays.
    pub fn show(&mut self, page: Page) {
        self.page = page;
    }

    /// What has been typed.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// Whether the last answer was not the two words.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        self.wrong
    }

    /// The pane that has the keys.
    #[must_use]
    pub const fn pane(&self) -> Pane {
        self.pane
    }

    pub(crate) fn scroll(&self, pane: Pane) -> usize {
        let [found, beside] = self.scroll;
        match pane {
            Pane::Found => found,
            Pane::Beside => beside,
        }
    }

    /// Columns and lines.
    #[must_use]
    pub const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Age of the attestation and its limit.
    #[must_use]
    pub fn age(&self) -> Option<(Duration, Duration)> {
        let age = self.page.age?;
        Some((age.so_far.saturating_add(self.elapsed), age.limit))
    }

    /// Whether the attestation is older than it may be.
    #[must_use]
    pub fn is_too_old(&self) -> bool {
        self.age().is_some_and(|(age, limit)| age > limit)
    }

    /// Whether a yes is possible now.
    #[must_use]
    pub fn can_confirm(&self) -> bool {
        self.page.confirm.is_some()
            && !matches!(self.page.verdict, Verdict::DoNot { .. })
            && !self.is_too_old()
    }

    /// Whether this answer, given now, is a yes.
    #[must_use]
    pub fn agrees(&self, answer: &str) -> bool {
        let confirm = self.page.confirm.as_ref();
        self.can_confirm() && confirm.is_some_and(|confirm| confirm.is(answer))
    }

    /// Whether there is a second pane.
    #[must_use]
    pub fn has_beside(&self) -> bool {
        match &self.page.body {
            Body::Facts { raw: beside, .. } | Body::Diff { rows: beside, .. } => !beside.is_empty(),
            _ => false,
        }
    }

    fn scroll_by(&mut self, lines: isize) {
        // What can be shown depends on the width, so the end is where the view says it is.
        let most = wrap::lines_of(self, self.pane).saturating_sub(1);
        let [found, beside] = &mut self.scroll;
        let at = match self.pane {
            Pane::Found => found,
            Pane::Beside => beside,
        };
        *at = at.saturating_add_signed(lines).min(most);
    }

    fn step(&self) -> isize {
        isize::try_from(self.size.1 / 2).unwrap_or(1).max(1)
    }
}

/// What happens, and how the page ends if it does.
pub fn update(model: &mut Model, message: Message) -> Option<Outcome> {
    match message {
        Message::Elapsed(elapsed) => {
            // A clock that does not go back: an age never becomes less.
            model.elapsed = model.elapsed.max(elapsed);
            None
        }
        Message::Size { width, height } => {
            model.size = (width, height);
            None
        }
        Message::Key(key) => press(model, key),
    }
}

fn press(model: &mut Model, key: Key) -> Option<Outcome> {
    match key {
        Key::Leave => return Some(Outcome::Left),
        Key::Renew if model.page.age.is_some() => return Some(Outcome::Renew),
        Key::Renew => {}
        Key::Tab if model.has_beside() => {
            model.pane = match model.pane {
                Pane::Found => Pane::Beside,
                Pane::Beside => Pane::Found,
            };
        }
        Key::Tab => {}
        Key::Up => model.scroll_by(-1),
        Key::Down => model.scroll_by(1),
        Key::PageUp => model.scroll_by(model.step().saturating_neg()),
        Key::PageDown => model.scroll_by(model.step()),
        Key::Enter => return enter(model),
        Key::Backspace => {
            model.typed.pop();
        }
        Key::Char('q') if !model.can_confirm() => return Some(Outcome::Left),
        Key::Char(char) => {
            let room = model.typed.chars().count() < MAX_TYPED;
            if model.can_confirm() && room && !char.is_control() {
                model.typed.push(char);
                model.wrong = false;
            }
        }
    }
    None
}

fn enter(model: &mut Model) -> Option<Outcome> {
    if model.page.confirm.is_none() {
        return Some(Outcome::Left);
    }
    let typed = std::mem::take(&mut model.typed);
    if model.agrees(&typed) {
        return Some(Outcome::Confirmed);
    }
    model.wrong = !typed.is_empty();
    None
}
