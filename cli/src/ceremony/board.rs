//! The quorum board and the transcript as pages that are only read.
//!
//! What the board shows is what the folder shows, checked as far as that goes without pins; what an
//! enclave says of itself is marked as its word.

mod resharing;

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::definition::Definition;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::{Member, Role};
use quorate_protocol::transcript::Act;
use quorate_quorum_ceremony::address::Address;
use quorate_quorum_ceremony::steps::status::{self, ManifestProgress, Progress};
use quorate_screens::{Body, Cell, Margin, Mark, Page, Record, Seat, Text, Verdict};
use quorate_transcript::{Line, Verified, VerifiedRecord, moment, say, words};

use super::screen::{self, Way};
use super::show;
use crate::failure::Failure;
use crate::output::{Format, Output};

/// Shows the board, drawn anew while the folder and the enclave change.
pub(super) fn show(folder: &Path, socket: Option<&Address>, output: Output) -> Result<(), Failure> {
    let progress = status::read(folder, socket)?;
    if output.format() == Format::Json {
        return output.print(&show::progress(&progress));
    }
    // What cannot be read for a moment leaves the last board that could be.
    let mut again = || {
        status::read(folder, socket)
            .ok()
            .map(|progress| page(&progress))
    };
    let way = Way::of_reader(output);
    screen::read(output, way, page(&progress), Some(&mut again))
}

fn page(progress: &Progress) -> Page {
    let next = progress.next.command();
    let phases = PHASES.map(Text::new).to_vec();
    let (title, development, body) = match &progress.definition {
        None => {
            let (seats, margins) = (Vec::new(), Vec::new());
            let body = Body::Board {
                phases,
                seats,
                margins,
            };
            ("no definition yet".to_owned(), false, body)
        }
        Some(definition) => (
            format!("{}: next is {next}", definition.namespace),
            definition.attestation_root.is_development(),
            resharing::board(progress, definition).unwrap_or_else(|| Body::Board {
                phases,
                seats: seats(progress, definition),
                margins: margins(progress, definition),
            }),
        ),
    };
    let ignored = progress.ignored.iter().map(|file| {
        Text::new(&format!(
            "left out: an approval in the name of {} that is not theirs",
            file.name
        ))
    });
    Page {
        title: title.into(),
        verdict: Verdict::ForInformation,
        development,
        age: None,
        body,
        notes: ignored
            .chain(resharing::notes(progress))
            .chain([Text::new(
                "what the folder shows; nothing of it is pinned here",
            )])
            .collect(),
        confirm: None,
    }
}

const PHASES: [&str; 4] = ["consent", "receipt", "approval", "share"];

fn seats(progress: &Progress, definition: &Definition) -> Vec<Seat> {
    let people = definition.people();
    let seats = people.iter().map(|person| Seat {
        name: person.name.as_str().into(),
        cells: vec![
            consent(progress, person),
            receipt(progress, definition, person),
            approval(progress.manifests.last(), person),
            share(progress, definition, &person.name),
        ],
    });
    seats.collect()
}

fn cell(mark: Mark, word: &str) -> Cell {
    Cell {
        mark,
        word: word.into(),
    }
}

fn consent(progress: &Progress, person: &Member) -> Cell {
    if progress.without_consent.contains(&person.name) {
        cell(Mark::Awaited, "awaited")
    } else {
        cell(Mark::Done, "given")
    }
}

fn receipt(progress: &Progress, definition: &Definition, person: &Member) -> Cell {
    let holds = definition
        .share_set
        .members
        .iter()
        .any(|member| member.name == person.name);
    if !holds {
        cell(Mark::Idle, "no share")
    } else if progress.genesis.is_none() {
        cell(Mark::Idle, "not yet")
    } else if progress.without_receipt.contains(&person.name) {
        cell(Mark::Awaited, "awaited")
    } else {
        cell(Mark::Done, "signed")
    }
}

fn approval(newest: Option<&ManifestProgress>, person: &Member) -> Cell {
    let Some(newest) = newest else {
        return cell(Mark::Idle, "not yet");
    };
    let given = newest
        .approvals
        .iter()
        .any(|(name, _)| *name == person.name);
    let set = &newest.manifest.manifest_set;
    let asked = set.members.iter().any(|member| member.name == person.name);
    let mut surrogates = newest.surrogates.iter();
    if let Some((_, by, _)) = surrogates.find(|(member, ..)| *member == person.name) {
        return cell(Mark::Done, &format!("given by {by}"));
    }
    match (given, asked, newest.approved) {
        (true, ..) => cell(Mark::Done, "given"),
        (false, false, _) => cell(Mark::Idle, "not asked"),
        (false, true, true) => cell(Mark::Idle, "not needed"),
        (false, true, false) => cell(Mark::Awaited, "awaited"),
    }
}

fn share(progress: &Progress, definition: &Definition, name: &Name) -> Cell {
    let Some(status) = progress
        .enclave
        .as_ref()
        .filter(|status| status.threshold > 0)
    else {
        return cell(Mark::Idle, "not asked");
    };
    let holders = match progress.manifests.last() {
        Some(newest) => &newest.manifest.share_set,
        None => &definition.share_set,
    };
    match holders.named(name) {
        None => cell(Mark::Idle, "no share"),
        Some(member) if status.accepted.iter().any(|given| given.0 == member.index) => {
            cell(Mark::Done, "given, it says")
        }
        Some(_) if status.accepted.len() >= usize::from(status.threshold) => {
            cell(Mark::Idle, "not needed")
        }
        Some(_) => cell(Mark::Awaited, "awaited"),
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn margins(progress: &Progress, definition: &Definition) -> Vec<Margin> {
    let people = count(definition.people().len());
    let holders = count(definition.share_set.members.len());
    let mut margins = vec![Margin {
        what: "consents".into(),
        have: people.saturating_sub(count(progress.without_consent.len())),
        need: people,
    }];
    if progress.genesis.is_some() {
        margins.push(Margin {
            what: "receipts".into(),
            have: holders.saturating_sub(count(progress.without_receipt.len())),
            need: holders,
        });
        // Whoever signed a receipt has proved a share: more than the threshold may be lost.
        margins.push(Margin {
            what: "proved shares".into(),
            have: holders.saturating_sub(count(progress.without_receipt.len())),
            need: definition.share_set.threshold.into(),
        });
    }
    if let Some(newest) = progress.manifests.last() {
        let given = newest
            .approvals
            .iter()
            .filter(|(_, role)| *role == Role::ManifestSet);
        margins.push(Margin {
            what: format!("approvals of manifest {}", newest.manifest.sequence).into(),
            have: count(given.count()),
            need: threshold(&newest.manifest),
        });
    }
    margins.extend(given_margin(progress));
    margins
}

/// The shares that an enclave says it has, if one was asked and takes any.
fn given_margin(progress: &Progress) -> Option<Margin> {
    let status = progress.enclave.as_ref();
    let status = status.filter(|status| status.threshold > 0)?;
    Some(Margin {
        what: "shares the enclave says it has".into(),
        have: count(status.accepted.len()),
        need: status.threshold.into(),
    })
}

fn threshold(manifest: &Manifest) -> u32 {
    manifest.manifest_set.threshold.into()
}

/// A transcript that was verified, as a page.
pub(super) fn transcript(verified: &Verified) -> Page {
    Page {
        title: "the transcript, causes first".into(),
        verdict: Verdict::Safe("every record is signed by its author and hangs together".into()),
        development: verified.definition.attestation_root.is_development(),
        age: None,
        body: Body::Transcript {
            words: words::words(&verified.fingerprint)
                .into_iter()
                .map(Text::new)
                .collect(),
            records: verified.records.iter().map(record).collect(),
        },
        notes: vec![
            "the fingerprint is for everyone: hear it from the others before you rely on it".into(),
        ],
        confirm: None,
    }
}

fn record(record: &VerifiedRecord) -> Record {
    let facts = record.lines.iter().map(|line| match line {
        Line::Shown(fact) => {
            let said = say(fact);
            format!("{}: {}", said.about, said.text).into()
        }
        Line::Withheld(digest) => format!("withheld: {digest}").into(),
    });
    Record {
        time: moment(record.time).into(),
        author: format!("{} {}", record.author, record.sequence).into(),
        act: record.act.name().into(),
        facts: facts.collect(),
        refusal: record.act == Act::Refusal,
    }
}
