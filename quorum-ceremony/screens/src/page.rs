//! What is shown, as data.

use std::time::Duration;

use crate::text::Text;

/// One screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What this is about.
    pub title: Text,
    /// What follows from it.
    pub verdict: Verdict,
    /// Whether all of it rests on a development root.
    pub development: bool,
    /// How old what is shown may become.
    pub age: Option<Age>,
    /// What was found.
    pub body: Body,
    /// What to know besides.
    pub notes: Vec<Text>,
    /// What the person is asked; without it the page is only read.
    pub confirm: Option<Confirm>,
}

/// What follows from what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check passed: the words say which question that answers.
    Safe(Text),
    /// Something does not hold.
    DoNot {
        /// What.
        reason: Text,
        /// What to do next.
        remedy: Text,
    },
    /// There is nothing to decide.
    ForInformation,
}

/// The age of an attestation, on this machine's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Since the nonce was made, when the page was.
    pub so_far: Duration,
    /// Older is too old.
    pub limit: Duration,
}

/// The question, and the answer that is a yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// What a yes does, as in "to ACTION, type".
    pub action: Text,
    /// The fingerprint of what is agreed to, in two words.
    pub words: [Text; 2],
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Facts with how each was confirmed, beside the raw evidence.
    Facts {
        /// The facts.
        rows: Vec<Row>,
        /// The raw evidence.
        raw: Vec<Row>,
    },
    /// A difference in words, and the whole of what is new.
    Diff {
        /// What changed.
        changes: Vec<Change>,
        /// The whole.
        rows: Vec<Row>,
    },
    /// Members and phases.
    Board {
        /// The phases, in order.
        phases: Vec<Text>,
        /// The members.
        seats: Vec<Seat>,
        /// What is left until each threshold.
        margins: Vec<Margin>,
    },
    /// A token.
    Token {
        /// What the token tells of itself.
        rows: Vec<Row>,
        /// What it tells of the PIN attempts that are left.
        tries: PinTries,
    },
    /// A transcript.
    Transcript {
        /// Its fingerprint in words.
        words: Vec<Text>,
        /// Its records, in order.
        records: Vec<Record>,
    },
}

/// What a token tells of the PIN attempts that are left: PKCS#11 has flags, and no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinTries {
    /// None was wrong lately.
    NotReduced,
    /// Some were wrong.
    Reduced,
    /// One is left.
    Last,
    /// None is left.
    Locked,
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub label: Text,
    /// Its value.
    pub lines: Vec<Text>,
    /// How it was confirmed.
    pub how: Option<Text>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its kind.
    pub kind: ChangeKind,
    /// The change in words.
    pub words: Text,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Something is there that was not.
    Added,
    /// Something is not there that was.
    Removed,
    /// Something is otherwise than it was.
    Changed,
    /// Something that needs more people's agreement than others.
    Grave,
}

/// One member on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Name.
    pub name: Text,
    /// One for each phase.
    pub cells: Vec<Cell>,
}

/// What a member did in a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How it stands.
    pub mark: Mark,
    /// A word that says it.
    pub word: Text,
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Done and valid.
    Done,
    /// Awaited now.
    Awaited,
    /// Not its time yet, or nothing to do.
    Idle,
    /// There, and not valid.
    Bad,
}

/// What is left until a threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Margin {
    /// What is counted.
    pub what: Text,
    /// Valid ones.
    pub have: u32,
    /// Needed.
    pub need: u32,
}

/// A record of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, as its author said.
    pub time: Text,
    /// Its author.
    pub author: Text,
    /// What was done.
    pub act: Text,
    /// More of it.
    pub facts: Vec<Text>,
    /// Whether it records a refusal.
    pub refusal: bool,
}

impl Row {
    /// A fact of one line.
    #[must_use]
    pub fn new(label: impl Into<Text>, value: impl Into<Text>) -> Self {
        Self::of(label, vec![value.into()])
    }

    /// A fact of several lines.
    #[must_use]
    pub fn of(label: impl Into<Text>, lines: Vec<Text>) -> Self {
        Self {
            label: label.into(),
            lines,
            how: None,
        }
    }

    /// How it was confirmed.
    #[must_use]
    pub fn how(mut self, how: impl Into<Text>) -> Self {
        self.how = Some(how.into());
        self
    }
}

impl Margin {
    /// More than enough is positive, too few negative.
    #[must_use]
    pub fn spare(&self) -> i64 {
        i64::from(self.have).saturating_sub(i64::from(self.need))
    }
}

impl Confirm {
    /// Whether this is the answer. Case, and what stands between the words, do not matter.
    #[must_use]
    pub fn is(&self, typed: &str) -> bool {
        let given = typed.split(|c: char| c.is_whitespace() || c == '-');
        let given = given.filter(|word| !word.is_empty());
        let wanted = self.words.iter().map(Text::as_str);
        given
            .map(str::to_lowercase)
            .eq(wanted.map(str::to_lowercase))
    }

    /// The words as they are shown.
    #[must_use]
    pub fn shown(&self) -> String {
        let [one, two] = &self.words;
        format!("{one} {two}")
    }
}
