//! A report for people: what was found, what it shows, and what it does not.
//!
//! The text is the same facts as in the [`Report`], in the same order, and decides nothing. Each
//! [`Line`] has a [`Tone`], so that a terminal can colour it; without colours nothing is lost.

use quorate_protocol::statement::{Outcome, Subject};

use crate::evidence::{Check, Decision, Report, Verdict};
use crate::text::{Hex, Listed, Utc, by_surrogate};

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tone {
    /// The result.
    Headline,
    /// Something holds.
    Good,
    /// Something does not hold.
    Bad,
    /// Something that must not be overlooked, such as a development root. In red, always.
    Warning,
    /// The rest.
    Plain,
}

/// One line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it is meant.
    pub tone: Tone,
    /// What it says.
    pub text: String,
}

/// The whole text, a line each.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for line in lines(report) {
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

/// The lines: headline, warnings, facts, checks, what is shown and what is not.
#[must_use]
pub fn lines(report: &Report) -> Vec<Line> {
    let mut page = Page(Vec::new());
    headline(report, &mut page);
    facts(report, &mut page);
    activities(report, &mut page);
    page.title("Checks");
    for check in &report.checks {
        one_check(check, &mut page);
    }
    limits(report, &mut page);
    page.0
}

struct Page(Vec<Line>);

impl Page {
    fn put(&mut self, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        self.0.push(Line { tone, text });
    }

    fn title(&mut self, text: &str) {
        self.put(Tone::Plain, "");
        self.put(Tone::Plain, text);
    }

    fn fact(&mut self, name: &str, value: impl core::fmt::Display) {
        self.put(Tone::Plain, format!("  {name:<14} {value}"));
    }
}

fn headline(report: &Report, page: &mut Page) {
    let text = match (report.decision, report.pinned) {
        (Decision::Accept, true) => {
            "ACCEPTED: a provisioned instance of the namespace you pinned made this evidence."
        }
        (Decision::Accept, false) => "ACCEPTED: the evidence is consistent, not pinned.",
        (Decision::Reject, _) => "REJECTED: do not rely on this evidence.",
    };
    page.put(Tone::Headline, text);
    if report.development {
        page.put(
            Tone::Warning,
            "DEVELOPMENT ROOT: an emulator made this. It says nothing about hardware, and whoever \
             has the development root's key can forge it.",
        );
    }
    for check in report.failed() {
        if let Some(error) = &check.error {
            page.put(Tone::Bad, format!("  {}: {error}", check.id));
            page.put(Tone::Plain, format!("  What to do: {}", error.remedy()));
        }
    }
}

fn facts(report: &Report, page: &mut Page) {
    let facts = &report.facts;
    page.title("Shown by checks that passed");
    if let Some(genesis) = &facts.genesis {
        page.fact("genesis", genesis);
    }
    if let Some(namespace) = &facts.namespace {
        page.fact("called", namespace);
    }
    if let (Some(sequence), Some(manifest)) = (facts.sequence, &facts.manifest) {
        page.fact("manifest", format!("{sequence}, {manifest}"));
        page.fact("approved by", Listed(&facts.approved_by));
    }
    if let Some(module_id) = &facts.module_id {
        page.fact("instance", module_id);
    }
    if let Some(timestamp) = facts.timestamp {
        page.fact("attested", Utc(timestamp));
    }
    for (index, pcr) in &facts.pcrs {
        if pcr.0.iter().any(|byte| *byte != 0) {
            page.fact(&format!("PCR{index}"), pcr);
        }
    }
    for application in &facts.applications {
        let value = format!("{}, {} bytes", application.sha256, application.size);
        page.fact("application", format!("{} {value}", application.name));
    }
    if !facts.shares_given_by.is_empty() {
        let given = facts.shares_given_by.iter();
        let names: Vec<_> = given
            .map(|m| by_surrogate(&m.name, m.surrogate.as_ref()))
            .collect();
        page.fact("shares of", Listed(&names));
    }
    if let Some(from) = &facts.forwarded_from {
        page.fact(
            "forwarded by",
            format!("{}, on {}", from.exporter, Utc(from.time)),
        );
        page.fact(
            "its forward",
            format!("{}, record {}", from.count, from.record),
        );
        if !from.approved_by.is_empty() {
            page.fact("approved by", Listed(&from.approved_by));
        }
    }
    for made in &facts.forwards {
        let confirmed = if made.confirmed { ", CONFIRMED" } else { "" };
        let when = Utc(made.time);
        let text = format!(
            "number {}, to {}, on {when}{confirmed}",
            made.count, made.importer
        );
        page.fact("forwarded", text);
    }
    if facts.handed_over {
        page.put(
            Tone::Warning,
            "  HANDED OVER: this instance holds no key any more. Whatever claims to be it serves \
             nothing.",
        );
    }
    for start in &facts.starts {
        let value = format!("{}, start {}", start.application, start.start);
        page.fact("started", format!("{value}, on {}", Utc(start.time)));
    }
    for proof in &facts.proofs {
        let value = format!("{} of {}", proof.kind, proof.application);
        page.fact(
            "statement",
            format!("{value}, {} bytes", proof.payload.len()),
        );
    }
}

/// Who decided what, under which manifest.
fn activities(report: &Report, page: &mut Page) {
    let facts = &report.facts;
    if facts.activities.is_empty() {
        return;
    }
    page.title("Who decided what");
    let under = match (facts.sequence, &facts.manifest) {
        (Some(sequence), Some(manifest)) => format!("manifest {sequence}, {manifest}"),
        _ => "a manifest that was not shown".to_owned(),
    };
    page.fact("under", under);
    for activity in &facts.activities {
        let decision = &activity.decision;
        page.put(Tone::Plain, "");
        page.fact("request", decision.fingerprint);
        page.fact("stamped by", format!("{}, the owner", decision.owner));
        page.fact("organization", decision.organization);
        page.fact("asked for", asked(&decision.subject));
        let when = format!(
            "on {}, in start {}",
            Utc(decision.time),
            activity.decided_in
        );
        match decision.outcome {
            Outcome::Allowed(_) => page.fact("policy", format!("ALLOWED it {when}")),
            Outcome::Denied(reason) => page.fact("policy", format!("DENIED it {when}: {reason}")),
        }
        if let Some(made) = &activity.wallet {
            let accounts: Vec<_> = made
                .accounts
                .iter()
                .map(|account| account.address)
                .collect();
            page.fact(
                "key-generation",
                format!("made the accounts {}", Listed(&accounts)),
            );
        }
        if let Some(signed) = &activity.signature {
            let hash = Hex(signed.transaction.as_slice());
            page.fact("signing", format!("signed it: transaction 0x{hash}"));
        }
    }
}

/// What a request asks for, in words.
fn asked(subject: &Subject) -> String {
    match subject {
        Subject::Wallet(wallet) => {
            let paths = Listed(&wallet.paths);
            format!("a wallet of {} words with {paths}", wallet.words.count())
        }
        Subject::Payment(payment) => {
            let (from, facts) = (payment.account.address, &payment.facts);
            let to = match &facts.to {
                Some(to) => format!("to {to}"),
                None => "to create a contract".to_owned(),
            };
            let (value, cost, chain) = (facts.value, facts.cost, facts.chain);
            format!("{value} wei from {from} {to}, costing at most {cost} wei, on chain {chain}")
        }
    }
}

fn one_check(check: &Check, page: &mut Page) {
    let (tone, mark) = match check.verdict {
        Verdict::Passed => (Tone::Good, "passed "),
        Verdict::Failed => (Tone::Bad, "FAILED "),
        Verdict::NotPerformed => (Tone::Plain, "not done"),
    };
    page.put(
        tone,
        format!("  {mark:<8} {:<25} {}", check.id, check.claim),
    );
    if let Some(error) = &check.error {
        page.put(
            Tone::Bad,
            format!("  {:<8} {:<25} {error}", "", error.code()),
        );
    }
}

fn limits(report: &Report, page: &mut Page) {
    if report.is_accepted() {
        page.title("What this shows");
        page.put(
            Tone::Plain,
            if report.development {
                "  Whoever has the development root's key says that an enclave ran the image and \
                 applications above, which the namespace's members approved."
            } else {
                "  An enclave ran exactly the image and applications above, which the namespace's \
                 members approved, and it was given the namespace's key."
            },
        );
    }
    page.title("What this does not show");
    if !report.pinned {
        page.put(
            Tone::Warning,
            "  Whose namespace it is: pin the genesis digest, which you must have from people you \
             trust.",
        );
    }
    page.put(
        Tone::Plain,
        "  What the image does: rebuild it from source and compare the measurements.",
    );
    page.put(
        Tone::Plain,
        "  That the instance still runs, or that no newer manifest exists.",
    );
    page.put(
        Tone::Plain,
        if report.archived {
            "  Certificates were checked at the document's own time, as for a record."
        } else {
            "  The genesis is a record: its certificates were checked at its document's own time."
        },
    );
}
