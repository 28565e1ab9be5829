//! The question before a key is used, and the pages that are only read.
//!
//! Three ways, decided once for each command: a program that gave a passphrase file or asked for
//! JSON has decided already; a person at a terminal types two words on a screen; with `--plain`, on
//! a dumb or a small terminal they type the same words after the same lines.
//!
//! Guarantees: without the two words no key is unlocked, and what an enclave sent that does not hold
//! is shown as DO NOT, with no answer that goes on.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::time::{Duration, Instant};

use quorate_quorum_ceremony::transcript::Looked;
use quorate_screens::terminal::{self, TerminalError};
use quorate_screens::{
    Age, Body, Change, Confirm, Message, Model, Outcome, Page, Row, Verdict, plain, update,
};
use quorate_transcript::words::pair;
use quorate_verify::instance::DocumentFacts;

use super::arguments::Keyed;
use super::report::Report;
use crate::failure::{Failure, Fault};
use crate::output::{Format, Output, hex};

/// Longest line a person types as an answer, in bytes.
const MAX_ANSWER: u64 = 256;

/// How a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Whoever started the command has.
    Decided,
    /// On a screen.
    Screen,
    /// In lines.
    Lines,
}

impl Way {
    /// For a command that unlocks a key.
    pub(super) fn of(output: Output, keyed: &Keyed) -> Self {
        if keyed.is_given() {
            Self::Decided
        } else {
            Self::of_reader(output)
        }
    }

    /// For a command that only shows.
    pub(super) fn of_reader(output: Output) -> Self {
        let person = io::stdin().is_terminal() && io::stdout().is_terminal();
        match output.format() {
            Format::Text if person && output.is_lively() => Self::Screen,
            Format::Text if person => Self::Lines,
            _ => Self::Decided,
        }
    }
}

/// What somebody decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// To go on.
    Yes,
    /// To have it verified anew first.
    Renew,
}

/// What is decided about.
pub(super) struct Question<'a> {
    /// What was verified.
    pub(super) report: &'a Report,
    /// What follows from it.
    pub(super) verdict: Verdict,
    /// What a yes does.
    pub(super) action: String,
    /// Names it.
    pub(super) fingerprint: [u8; 32],
    /// The attestation it rests on.
    pub(super) looked: Option<(&'a Looked, &'a DocumentFacts)>,
    /// How facts were confirmed, by their key in the report.
    hows: &'static [(&'static str, &'static str)],
    /// What it changes.
    pub(super) changes: Option<Vec<Change>>,
}

impl<'a> Question<'a> {
    /// A question about this.
    pub(super) fn of(
        report: &'a Report,
        action: impl Into<String>,
        fingerprint: &[u8; 32],
    ) -> Self {
        Self {
            report,
            verdict: Verdict::ForInformation,
            action: action.into(),
            fingerprint: *fingerprint,
            looked: None,
            hows: &[],
            changes: None,
        }
    }

    /// The same, resting on an attestation that holds; `because` says what that means.
    pub(super) fn attested(
        mut self,
        looked: &'a Looked,
        facts: &'a DocumentFacts,
        because: &str,
        hows: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.hows = hows;
        self.verdict = Verdict::Safe(because.into());
        self.looked = Some((looked, facts));
        self
    }

    /// The same, resting on signatures that hold, without an enclave being asked.
    pub(super) fn verified(
        mut self,
        because: &str,
        hows: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.hows = hows;
        self.verdict = Verdict::Safe(because.into());
        self
    }

    /// The same, with what it changes.
    pub(super) fn changing(mut self, changes: Vec<Change>) -> Self {
        self.changes = Some(changes);
        self
    }
}

/// How what is shown of an order was confirmed.
pub(super) const ORDER: &[(&str, &str)] = &[
    ("genesis", "your pin, written at the receipt"),
    (
        "running",
        "the newest manifest approved link by link from your genesis",
    ),
    ("epoch", "the shares that this manifest names"),
    ("roles", "your keys, in the sets of this manifest"),
];

/// How what is shown of new shares was confirmed.
pub(super) const NEW_SHARES: &[(&str, &str)] = &[
    ("record", "signed by an enclave that has your quorum key"),
    ("before", "named by the manifest under which it was ordered"),
    (
        "epoch",
        "digest of the new commitments, which begin with your quorum key",
    ),
    (
        "time",
        "by the enclave's security module, before the order expired",
    ),
    (
        "consented_manifest_set",
        "each signature, and enough of them",
    ),
    ("consented_share_set", "each signature, and enough of them"),
];

/// How what is shown of an instance was confirmed.
pub(super) const INSTANCE: &[(&str, &str)] = &[
    ("genesis", "your pin, written at the receipt"),
    (
        "manifest",
        "approved link by link from your genesis, and committed to by the enclave",
    ),
    ("applications", "in the approved manifest"),
    (
        "measurements",
        "signed by the security module, equal to the manifest's",
    ),
    (
        "document",
        "chain of certificates up to the root of your definition",
    ),
    ("timestamp", "signed for your own nonce"),
];

/// How what is shown of an enclave for a drill was confirmed.
pub(super) const DRILL: &[(&str, &str)] = &[
    ("genesis", "your pin, written at the receipt"),
    (
        "manifest",
        "approved link by link from your genesis, and committed to by the enclave as a drill's",
    ),
    (
        "applications",
        "in the approved manifest; none is started in a drill",
    ),
    (
        "measurements",
        "signed by the security module, equal to the manifest's",
    ),
    (
        "document",
        "chain of certificates up to the root of your definition",
    ),
    ("timestamp", "signed for your own nonce"),
];

/// How what is shown of a genesis was confirmed.
pub(super) const GENESIS: &[(&str, &str)] = &[
    (
        "genesis",
        "of the definition you signed and the enclave's output",
    ),
    ("fingerprint", "your pin, written at the consent"),
    (
        "measurements",
        "signed by the security module, equal to the definition's",
    ),
    (
        "document",
        "chain of certificates up to the root of your definition",
    ),
    ("timestamp", "signed for your own nonce"),
];

/// Shows what was verified and asks.
///
/// # Errors
/// `not-confirmed` when the person leaves; a terminal that fails.
pub(super) fn decide(
    output: Output,
    way: Way,
    question: Question<'_>,
) -> Result<Decision, Failure> {
    if way == Way::Decided {
        super::before_key(output, question.report)?;
        return Ok(Decision::Yes);
    }
    let (report, looked) = (question.report, question.looked.map(|(looked, _)| looked));
    let mut decision = ask(output, way, page(question))?;
    // This machine may have slept meanwhile, which the screen's own count does not see.
    if looked.is_some_and(|looked| looked.age() > looked.limit().duration()) {
        output.note("the attestation has become too old to act on");
        decision = Decision::Renew;
    }
    if way == Way::Screen && decision == Decision::Yes {
        // The screen is gone; what was agreed to stays on the terminal.
        output.print(report)?;
    }
    Ok(decision)
}

fn page(question: Question<'_>) -> Page {
    let rows = question.report.rows(|key| {
        question
            .hows
            .iter()
            .find(|how| how.0 == key)
            .map(|how| how.1)
    });
    let raw = question.looked.map(evidence).unwrap_or_default();
    Page {
        title: question.report.title().into(),
        verdict: question.verdict,
        development: question.report.is_development(),
        age: question.looked.map(|(looked, _)| Age {
            so_far: looked.age(),
            limit: looked.limit().duration(),
        }),
        body: match question.changes {
            Some(changes) => Body::Diff { changes, rows },
            None => Body::Facts { rows, raw },
        },
        notes: question.report.notes(),
        confirm: Some(Confirm {
            action: question.action.into(),
            words: pair(&question.fingerprint).map(Into::into),
        }),
    }
}

/// What the signed document says, as it says it.
fn evidence((looked, facts): (&Looked, &DocumentFacts)) -> Vec<Row> {
    let mut rows = vec![
        Row::new("own nonce", hex(looked.nonce().as_slice())).how("it came back byte for byte"),
        Row::new("document", facts.document.to_string()).how("SHA-256 of what was received"),
        Row::new("module id", facts.module_id.as_str()),
        Row::new(
            "time",
            quorate_twins::rfc3339(facts.timestamp)
                .unwrap_or_else(|| format!("{} ms", facts.timestamp.0)),
        ),
    ];
    rows.extend(
        looked
            .registers()
            .map(|(index, value)| Row::new(format!("PCR{index}"), value.to_string())),
    );
    rows
}

fn ask(output: Output, way: Way, page: Page) -> Result<Decision, Failure> {
    let since = Instant::now();
    if way == Way::Screen {
        match drawn(output, terminal::show(page.clone()))? {
            Some(Outcome::Confirmed) => return Ok(Decision::Yes),
            Some(Outcome::Renew) => return Ok(Decision::Renew),
            Some(Outcome::Left) => return Err(left()),
            None => {}
        }
    }
    output.text(&plain::text(&page))?;
    let leave = match plain::question(&page) {
        Some(question) => format!("{question}, or q to leave:"),
        None => "q to leave:".to_owned(),
    };
    let (width, height) = terminal::LEAST;
    let mut model = Model::new(page, width, height);
    loop {
        output.note(&leave);
        let Some(answer) = line()? else {
            return Err(left());
        };
        update(&mut model, Message::Elapsed(since.elapsed()));
        if model.agrees(&answer) {
            return Ok(Decision::Yes);
        }
        if answer.trim() == "q" {
            return Err(left());
        }
        if model.is_too_old() {
            output.note("the attestation has become too old to act on; it is asked for again");
            return Ok(Decision::Renew);
        }
        output.note("these are not the two words");
    }
}

/// How a page ended that was drawn; nothing where the terminal is too small for one.
fn drawn(
    output: Output,
    shown: Result<Outcome, TerminalError>,
) -> Result<Option<Outcome>, Failure> {
    match shown {
        Ok(outcome) => Ok(Some(outcome)),
        Err(small @ TerminalError::TooSmall { .. }) => {
            output.note(&format!("{small}; in lines instead"));
            Ok(None)
        }
        Err(error) => Err(unusable(&error)),
    }
}

/// A line a person typed; none when there are no more.
fn line() -> Result<Option<String>, Failure> {
    let mut bytes = Vec::new();
    let stdin = io::stdin().lock();
    let read = io::Read::take(stdin, MAX_ANSWER).read_until(b'\n', &mut bytes);
    match read {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => Err(unusable(&TerminalError::Unusable(error))),
    }
}

/// What is said of an enclave that does not hold.
pub(super) const NOTHING_GIVEN: &str = "this enclave gets nothing from you";

/// What is said of something that is not to be signed.
pub(super) const NOTHING_SIGNED: &str = "this is nothing for you to sign";

/// Shows what does not hold to a person who would have decided about it, and gives the failure on.
pub(super) fn do_not(way: Way, title: &str, failure: Failure) -> Failure {
    if way == Way::Screen && !matches!(failure.fault, Fault::Caller | Fault::Machine) {
        let page = Page {
            title: title.into(),
            verdict: Verdict::DoNot {
                reason: failure.what.as_str().into(),
                remedy: failure.remedy.as_str().into(),
            },
            development: false,
            age: None,
            body: Body::Facts {
                rows: vec![
                    Row::new("at fault", failure.fault.to_string()),
                    Row::new("code", &*failure.code),
                ],
                raw: Vec::new(),
            },
            notes: Vec::new(),
            confirm: None,
        };
        // The failure is printed in any case.
        let _ = terminal::show(page);
    }
    failure
}

/// Shows a page that is only read, drawn anew every now and then where `again` gives it anew.
pub(super) fn read(
    output: Output,
    way: Way,
    page: Page,
    again: Option<&mut dyn FnMut() -> Option<Page>>,
) -> Result<(), Failure> {
    const EVERY: Duration = Duration::from_secs(2);
    if way == Way::Screen {
        let shown = match again {
            Some(again) => terminal::watch(page.clone(), EVERY, again),
            None => terminal::show(page.clone()),
        };
        if drawn(output, shown)?.is_some() {
            return Ok(());
        }
    }
    output.text(&plain::text(&page))
}

fn left() -> Failure {
    Failure::refused(
        Fault::Caller,
        "not-confirmed",
        "you left without typing the two words; nothing was signed or given",
        "run the command again when you have decided",
    )
}

fn unusable(error: &TerminalError) -> Failure {
    Failure::refused(
        Fault::Machine,
        "terminal-failed",
        error.to_string(),
        "run the command again, with --plain if it is the screen that fails",
    )
}
