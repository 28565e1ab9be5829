//! What `new`, `next`, `preflight` and `exception` show.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::definition::AgeLimit;
use quorate_quorum_ceremony::steps::exception::{Excepted, Review};
use quorate_quorum_ceremony::steps::new::{Begun, Wanted};
use quorate_quorum_ceremony::steps::next::{Due, Turn, Who};
use quorate_quorum_ceremony::steps::preflight::{Check, Preflight, Verdict};
use serde_json::{Value, json};

use super::{claims, measurements, title};
use crate::ceremony::report::Report;

fn listed(names: &[Name]) -> String {
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    names.join(", ")
}

pub(in crate::ceremony) fn wanted(folder: &Path, wanted: &Wanted) -> Report {
    let approving = wanted.manifest_members.as_ref().unwrap_or(&wanted.members);
    let report = Report::new("new", "you are about to begin this ceremony")
        .fact("folder", "shared folder", folder.display())
        .fact("namespace", "namespace", &wanted.namespace);
    let report = plan(
        report,
        (&wanted.members, wanted.share_threshold),
        (approving, wanted.manifest_threshold),
    );
    measurements(age_limit(report, wanted.age_limit), &wanted.measurements)
}

pub(in crate::ceremony) fn begun(folder: &Path, done: &Begun) -> Report {
    let approving = done.plan.manifest_members.as_ref();
    let report = Report::new("new", title("the plan", done.published))
        .fact("folder", "shared folder", folder.display())
        .fact("id", "ceremony", done.plan.id)
        .fact("namespace", "namespace", &done.plan.namespace);
    let report = plan(
        report,
        (&done.plan.members, done.plan.share_threshold),
        (
            approving.unwrap_or(&done.plan.members),
            done.plan.manifest_threshold,
        ),
    );
    age_limit(report, done.plan.age_limit)
        .development(done.development)
        .next("every member, in that folder: quorate ceremony join --name NAME")
}

fn plan(report: Report, shares: (&[Name], u8), manifests: (&[Name], u8)) -> Report {
    let row = |report: Report, key, label, (names, threshold): (&[Name], u8)| {
        let text = format!("{threshold} of {}: {}", names.len(), listed(names));
        let value: Vec<&str> = names.iter().map(Name::as_str).collect();
        let value = json!({ "threshold": threshold, "members": value });
        report.row(key, label, vec![text], value)
    };
    let report = row(report, "share_set", "share holders", shares);
    row(report, "manifest_set", "manifest approvers", manifests)
}

/// For how long an attestation is good, in words.
pub(in crate::ceremony) fn age_limit(report: Report, limit: AgeLimit) -> Report {
    let seconds = limit.seconds();
    let words = if limit == AgeLimit::SHORTEST {
        format!("{seconds} s: the enclave is asked directly")
    } else {
        format!("{seconds} s, so that files can be carried: a weaker promise than 60 s")
    };
    report.row(
        "age_limit",
        "attestation good for",
        vec![words],
        seconds.into(),
    )
}

/// The folders that were named, to be named again.
pub(in crate::ceremony) struct Named<'a> {
    pub(in crate::ceremony) folder: Option<&'a Path>,
    pub(in crate::ceremony) private: Option<&'a Path>,
}

impl Named<'_> {
    /// The whole command of a step.
    fn command(&self, step: &str, who: &Who, planned: bool) -> String {
        let mut command = format!("quorate ceremony {step}");
        if let Some(folder) = self.folder {
            command += &format!(" --folder {}", word(folder));
        }
        let coordinator = *who == Who::Coordinator;
        if let Some(private) = self.private.filter(|_| !coordinator) {
            command += &format!(" --private {}", word(private));
        }
        command += match (step, who) {
            ("join", Who::Member(name)) => return format!("{command} --name {name}"),
            ("join", _) => " --name NAME",
            ("define", _) if planned => "",
            ("define", _) => " --namespace NAME --members NAME,… (see --help)",
            ("genesis" | "drill start", _) => " --socket ADDRESS",
            ("manifest", _) => " --measurements FILE --application NAME=PATH",
            ("boot", _) => " --socket ADDRESS --application NAME=PATH",
            _ => "",
        };
        command
    }
}

/// A path as it can be typed into a shell.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

pub(in crate::ceremony) fn turn(done: &Turn, named: &Named<'_>, planned: bool) -> Report {
    let you = done.you.as_ref();
    let title = match (done.yours, done.due.as_slice()) {
        (Some(_), _) => "it is your turn",
        (None, []) => "nothing is waited for: the enclave runs",
        (None, _) => "others are waited for",
    };
    let mut report = Report::new("next", title);
    if let Some(you) = you {
        report = report.fact("you", "you are", you);
    }
    let mine = done.yours.map(|step| {
        let who = match you {
            Some(name) => Who::Member(name.clone()),
            None => Who::AnyOf {
                missing: 0,
                names: Vec::new(),
            },
        };
        named.command(step, &who, planned)
    });
    let lines = done.due.iter().map(|due| {
        let who = match &due.who {
            Who::Coordinator => "the coordinator".to_owned(),
            Who::Member(name) => name.to_string(),
            Who::AnyOf { missing, names } => format!("{missing} more of {}", listed(names)),
        };
        format!("{who}: {}", named.command(due.step, &due.who, planned))
    });
    let lines: Vec<String> = lines.collect();
    let value: Vec<Value> = done.due.iter().map(due_json).collect();
    report = report.row("due", "waited for", lines, value.into());
    report = report.row(
        "yours",
        "run",
        mine.iter().cloned().collect(),
        json!(done.yours),
    );
    if done.exception {
        report = report.note(
            "if a receipt will never come, everybody who gave one can sign an exception: quorate \
             ceremony exception",
        );
    }
    if let (Some(address), true) = (&done.enclave, done.silent) {
        report = report.note(format!(
            "no enclave answers on {address}, which the folder names; where this machine has no \
             network, files are carried: quorate ceremony provision --carried"
        ));
    }
    if let Some(status) = &done.progress.enclave {
        report = claims(report, status);
    }
    report = super::drill::last(report, done.progress.drill.as_ref());
    if done.due.is_empty() {
        report = report
            .note("at the end every member signs the transcript: quorate ceremony transcript sign");
    }
    let definition = done.progress.definition.as_ref();
    let development = definition.is_some_and(|d| d.attestation_root.is_development());
    let report = report.development(development);
    match mine {
        Some(command) => report.next(command),
        None => report,
    }
}

fn due_json(due: &Due) -> Value {
    match &due.who {
        Who::Coordinator => json!({ "who": "coordinator", "step": due.step }),
        Who::Member(name) => json!({ "who": name.as_str(), "step": due.step }),
        Who::AnyOf { missing, names } => json!({
            "who": names.iter().map(Name::as_str).collect::<Vec<_>>(),
            "missing": missing,
            "step": due.step,
        }),
    }
}

pub(in crate::ceremony) fn preflight(done: &Preflight) -> Report {
    let title = if done.is_good() {
        "nothing here would stop you"
    } else {
        "something would stop you; mend what is marked BAD"
    };
    let mut report = Report::new("preflight", title);
    let lines = done.checks.iter().flat_map(check_lines).collect();
    let value: Vec<Value> = done.checks.iter().map(check_json).collect();
    report = report.row("checks", "checks", lines, value.into());
    if let Some(fingerprint) = done.definition {
        report = report.fact("fingerprint", "fingerprint", fingerprint);
    }
    report
}

fn check_lines(check: &Check) -> Vec<String> {
    let mark = match check.verdict {
        Verdict::Good => "good",
        Verdict::Note => "NOTE",
        Verdict::Bad => "BAD ",
    };
    let mut lines = vec![format!("{mark} {}: {}", check.id, check.found)];
    lines.extend(check.remedy.as_ref().map(|remedy| format!("     {remedy}")));
    lines
}

fn check_json(check: &Check) -> Value {
    json!({
        "id": check.id,
        "verdict": check.verdict.name(),
        "found": check.found,
        "remedy": check.remedy,
    })
}

pub(in crate::ceremony) fn exception_review(step: &Review) -> Report {
    let receipts = step.receipts();
    let names = |people: &[quorate_protocol::members::Member]| -> Vec<String> {
        people
            .iter()
            .map(|person| person.name.to_string())
            .collect()
    };
    let (given, missing) = (names(&receipts.given), names(&receipts.missing));
    Report::new(
        "exception",
        "you are about to finish the genesis WITHOUT the holders below",
    )
    .fact("genesis", "genesis digest", step.genesis())
    .row("missing", "LEFT OUT FOR GOOD", missing.clone(), json!(missing))
    .row("given", "receipts of", given.clone(), json!(given))
    .number(
        "needed",
        "receipts needed",
        u64::try_from(receipts.need).unwrap_or(u64::MAX),
    )
    .note(
        "their shares will count nowhere until a reshare. Ask them, on another way than this folder, \
         whether they really cannot give a receipt: anybody can remove a file",
    )
    .note("everybody who gave a receipt must sign, or the genesis is not finished")
    .development(step.definition().attestation_root.is_development())
}

pub(in crate::ceremony) fn excepted(done: &Excepted) -> Report {
    let names = |names: &[Name]| -> Vec<String> { names.iter().map(Name::to_string).collect() };
    let (missing, signed, unsigned) = (
        names(&done.missing),
        names(&done.signed),
        names(&done.unsigned),
    );
    let report = Report::new("exception", title("your exception", done.published))
        .fact("genesis", "genesis digest", done.genesis)
        .row("missing", "left out", missing.clone(), json!(missing))
        .row("signed", "signed by", signed.clone(), json!(signed))
        .row("unsigned", "not yet by", unsigned.clone(), json!(unsigned))
        .development(done.development);
    match unsigned.is_empty() {
        true => report.next("coordinator: quorate ceremony manifest"),
        false => report.next("the others: quorate ceremony exception"),
    }
}
