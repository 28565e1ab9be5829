//! `quorate ceremony transcript` and `report`: what was done, checked and shown.
//!
//! `verify`, `words`, `show`, `disclose` and `report` need no private folder and no enclave: they
//! read a transcript file, or the shared folder of a ceremony, and what the person pins. Only `sign`
//! uses a key.

use std::path::Path;

use quorate_protocol::atoms::Sha256;
use quorate_protocol::cbor::{Object as _, from_bytes, to_bytes};
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Evidence as EvidenceFile;
use quorate_protocol::transcript::{Act, Transcript};
use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::challenge::wall_clock;
use quorate_quorum_ceremony::steps::transcript as step;
use quorate_quorum_ceremony::storage::publish_named;
use quorate_quorum_ceremony::transcript::{Gathered, gather};
use quorate_quorum_ceremony::workspace::Workspace;
use quorate_transcript::disclose::{Selection, disclose};
use quorate_transcript::report::{self, Evidence, record_json};
use quorate_transcript::{
    Expected, Line, Note, TranscriptError, Verified, VerifiedRecord, moment, say, words,
};
use quorate_verify::attestation::TrustAnchors;
use quorate_verify::evidence::{Policy, Time, verify as verify_evidence};
use serde_json::{Value, json};

use super::arguments::{
    DiscloseArguments, Pinned, ReportArguments, Shared, SignArguments, Source,
    Transcript as Command, VerifyArguments,
};
use super::place::At;
use super::report::Report;
use super::screen::{self, Way};
use super::{before_key, board, protect, unlock};
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Format, Output};
use crate::verify::root;

/// Runs one of the commands on a transcript.
pub(super) fn run(command: &Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Verify(a) => verify(a, output)?,
        Command::Words(a) => {
            let read = Read::of(&a.source, &Expected::default())?;
            output.print(&fingerprint(
                Report::new("words", "the fingerprint in words"),
                &read,
            ))?;
        }
        Command::Show(a) => {
            let read = Read::of(&a.source, &a.pinned.expected())?;
            output.print(&shown(&read))?;
        }
        Command::Browse(a) => {
            let read = Read::of(&a.source, &a.pinned.expected())?;
            if output.format() == Format::Json {
                output.print(&shown(&read))?;
            } else {
                let page = board::transcript(&read.verified);
                screen::read(output, Way::of_reader(output), page, None)?;
            }
        }
        Command::Disclose(a) => disclosed(a, output)?,
        Command::Sign(a) => sign(a, output)?,
    }
    Ok(Exit::Success)
}

/// Writes the report of a ceremony.
pub(super) fn report(a: &ReportArguments, output: Output) -> Result<Exit, Failure> {
    let read = Read::of(&a.source, &a.pinned.expected())?;
    let evidence = evidence(a, &read)?;
    let tool = format!("quorate {}", env!("CARGO_PKG_VERSION"));
    let report = report::Report::new(
        &read.gathered.transcript,
        &read.verified,
        evidence.as_ref(),
        wall_clock(),
        &tool,
    );
    publish_named(&a.out, report.html().as_bytes()).map_err(CeremonyError::from)?;
    let mut shown = Report::new("report", "the report is written")
        .fact("out", "report", a.out.display())
        .row("report", "records", vec![summary(&read)], report.json());
    if let Some(evidence) = &evidence {
        let verdict = evidence.report.decision.name();
        shown = shown.fact("evidence", "evidence", verdict);
    }
    shown = fingerprint(shown, &read).next("print it, and verify the transcript it names yourself");
    output.print(&shown)?;
    let accepted = evidence.is_none_or(|evidence| evidence.report.is_accepted());
    Ok(if accepted {
        Exit::Success
    } else {
        Exit::Refused
    })
}

fn summary(read: &Read) -> String {
    let records = &read.verified.records;
    let refusals = records.iter().filter(|record| record.act == Act::Refusal);
    format!("{}, of which {} refusals", records.len(), refusals.count())
}

/// A transcript that was read and verified.
struct Read {
    gathered: Gathered,
    verified: Verified,
}

impl Read {
    fn of(source: &Source, expected: &Expected) -> Result<Self, Failure> {
        let (gathered, fault) = match &source.file {
            Some(file) => {
                let gathered = Gathered {
                    transcript: file_of(file)?,
                    places: Vec::new(),
                };
                (gathered, Fault::Sender)
            }
            None => {
                let folder = source.folder.clone();
                let at = At::find(&Shared { folder }, None)?;
                let workspace = Workspace::open(at.folder()).map_err(CeremonyError::from)?;
                (gather(&workspace)?, Fault::Folder)
            }
        };
        let verified = gathered.verify(expected);
        let verified = verified.map_err(|error| refused(&error, fault))?;
        Ok(Self { gathered, verified })
    }
}

fn file_of(path: &Path) -> Result<Transcript, Failure> {
    let bytes = files::read(path, Transcript::MAX, "transcript")?;
    from_bytes(&bytes).map_err(|error| refused(&TranscriptError::File(error), Fault::Sender))
}

fn refused(error: &TranscriptError, fault: Fault) -> Failure {
    Failure::refused(fault, error.code(), error.to_string(), error.remedy())
}

impl Pinned {
    fn expected(&self) -> Expected {
        Expected {
            genesis: self.genesis,
            definition: self.definition,
            fingerprint: self.fingerprint,
            now: Some(wall_clock()),
        }
    }
}

fn verify(a: &VerifyArguments, output: Output) -> Result<(), Failure> {
    let read = Read::of(&a.source, &a.pinned.expected())?;
    let pinned = a.pinned.genesis.is_some() || a.pinned.definition.is_some();
    let title = match (pinned, a.pinned.fingerprint.is_some()) {
        (true, true) => "the transcript is the one that was read to you, of the pinned ceremony",
        (true, false) => "the transcript holds, and is of the pinned ceremony",
        (false, _) => "the transcript is consistent",
    };
    let verified = &read.verified;
    let definition = &verified.definition;
    let mut shown = Report::new("verify", title)
        .fact("namespace", "namespace", &definition.namespace)
        .fact("definition", "definition", Digest::of(definition));
    if let Some(genesis) = &verified.genesis {
        shown = shown.fact("genesis", "genesis", genesis.digest());
    }
    let count = u64::try_from(verified.records.len()).unwrap_or(u64::MAX);
    shown = shown.number("records", "records", count);
    let by = authors(verified);
    let lines = by.iter().map(|(name, count)| format!("{name} {count}"));
    let value = by
        .iter()
        .map(|(name, n)| json!({ "name": name, "records": n }));
    let (lines, value) = (lines.collect(), value.collect());
    shown = shown.row("authors", "by", lines, value);
    output.print(&fingerprint(shown, &read))
}

fn authors(verified: &Verified) -> Vec<(String, usize)> {
    let people = verified.people.iter().map(|(name, key)| {
        let own = |record: &&VerifiedRecord| record.key == *key;
        let count = verified.records.iter().filter(own).count();
        (name.to_string(), count)
    });
    people.filter(|(_, count)| *count > 0).collect()
}

/// The end of every one of these: fingerprint, words, and what to know.
fn fingerprint(report: Report, read: &Read) -> Report {
    let verified = &read.verified;
    let told = verified.fingerprint;
    let mut report = report.fact("fingerprint", "fingerprint", told).row(
        "words",
        "in words",
        words::rows(&told),
        json!(words::words(&told)),
    );
    for note in &verified.notes {
        if *note != Note::Development {
            report = report.note(note.to_string());
        }
    }
    report.development(verified.definition.attestation_root.is_development())
}

fn shown(read: &Read) -> Report {
    let records = &read.verified.records;
    let lines = records.iter().flat_map(in_lines).collect();
    let value: Value = records.iter().map(record_json).collect();
    let report = Report::new("show", "every record, causes first");
    fingerprint(report.row("records", "records", lines, value), read)
}

/// A record for a terminal.
fn in_lines(record: &VerifiedRecord) -> Vec<String> {
    let time = moment(record.time);
    let (author, sequence) = (&record.author, record.sequence);
    let mut lines = vec![format!(
        "{author} {sequence}: {} at {time}",
        record.act.name()
    )];
    for (place, line) in record.lines.iter().enumerate() {
        lines.push(match line {
            Line::Shown(fact) => {
                let said = say(fact);
                format!("  {place:>2} {}: {}", said.about, said.text)
            }
            Line::Withheld(digest) => format!("  {place:>2} withheld: {digest}"),
        });
    }
    lines
}

fn disclosed(a: &DiscloseArguments, output: Output) -> Result<(), Failure> {
    let read = Read::of(&a.source, &Expected::default())?;
    let copy = disclose(
        &read.gathered.transcript,
        &read.verified,
        &a.withhold,
        &a.open,
    );
    let (copy, withheld) = copy.map_err(|error| refused(&error, Fault::Quorate))?;
    publish_named(&a.out, &to_bytes(&copy)).map_err(CeremonyError::from)?;
    let count = u64::try_from(withheld).unwrap_or(u64::MAX);
    let report = Report::new("disclose", "the copy is written")
        .fact("out", "transcript", a.out.display())
        .number("withheld", "lines withheld", count);
    output.print(&fingerprint(report, &read))
}

fn sign(a: &SignArguments, output: Output) -> Result<(), Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let review = step::review(at.folder(), at.private()?)?;
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let mut before = Report::new("sign", "before you sign")
        .number("waiting", "notes of yours", number(review.waiting()))
        .number("unseen", "members with news", number(review.unseen()));
    if let Some(verified) = review.verified() {
        before = before.fact("before", "fingerprint now", verified.fingerprint);
    }
    if a.acting.dry_run {
        let would = "sign what waits, and that you stand by all of it";
        return output.print(&before.dry_run(would));
    }
    before_key(output, &before)?;
    let entered = unlock::unlock(&a.keyed, review.keys(), output)?;
    let done = review.sign(entered)?;
    let title = match done.written {
        0 => "there was nothing to sign",
        _ => "signed",
    };
    let report = Report::new("sign", title).number("written", "new records", number(done.written));
    let told = done.verified.fingerprint;
    let report = report.fact("fingerprint", "fingerprint", told).row(
        "words",
        "in words",
        words::rows(&told),
        json!(words::words(&told)),
    );
    let development = done.verified.definition.attestation_root.is_development();
    output.print(
        &report
            .development(development)
            .next("read the words to another member, who compares them with theirs"),
    )
}

/// The evidence that is named, verified as `quorate verify evidence` does.
fn evidence(a: &ReportArguments, read: &Read) -> Result<Option<Evidence>, Failure> {
    let Some(path) = &a.evidence else {
        return Ok(None);
    };
    let bytes = files::read(path, EvidenceFile::MAX, "evidence file")?;
    let root = root(a.root.as_deref(), a.partition.into())?;
    let genesis = read.verified.genesis.as_ref();
    let policy = genesis.map_or_else(Policy::unpinned, |genesis| Policy::pinned(genesis.digest()));
    let anchors = TrustAnchors::from(root.anchor);
    Ok(Some(Evidence {
        sha256: Sha256::of(&bytes),
        report: verify_evidence(&bytes, &policy, &anchors, Time::Archived),
    }))
}

/// Reads a selection of lines.
pub(super) fn selection(text: &str) -> Result<Selection, String> {
    Selection::parse(text).map_err(|error| error.to_string())
}

/// Reads a fingerprint: words or hexadecimal.
pub(super) fn told(text: &str) -> Result<quorate_transcript::Fingerprint, String> {
    match Digest::from_hex(text) {
        Some(fingerprint) => Ok(fingerprint),
        None => words::parse(text).map_err(|error| error.to_string()),
    }
}
