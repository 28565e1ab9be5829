//! What the three commands show. Nothing here has a word, a character or a scalar of a share.

use std::path::Path;

use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_quorum_ceremony::steps::restore::{Admission, Restored, Restoring};
use quorate_quorum_ceremony::steps::share::{Kept, Proved, Recorded};
use quorate_quorum_ceremony::storage::Published;
use quorate_share_backup::Origin;
use quorate_share_backup::rows::{Repair, RowNumber};
use serde_json::json;

use super::arguments::{BackupArguments, Form};
use super::entry::{Kind, repaired};
use crate::ceremony::report::Report;

/// What somebody can do who finds the paper.
const FINDER: [&str; 2] = [
    "whoever finds it has this share; with as many shares as the threshold they have the quorum key",
    "they cannot give it to an enclave or approve anything in your name: that takes your signing key, \
     which is not in it",
];

pub(super) fn checked(proved: &Proved, told: &Recorded) -> Report {
    let micros = proved.took().as_micros();
    let took = u64::try_from(micros).unwrap_or(u64::MAX);
    let report = subject(Report::new("share-check", "your share is right"), proved).row(
        "proof_microseconds",
        "proved",
        vec![format!(
            "f(i)·G = Σ iʲ·Aⱼ, in {}.{:03} ms after unlocking",
            micros / 1000,
            micros % 1000
        )],
        json!(took),
    );
    recorded(report, told)
}

pub(super) fn backup_review(kept: &Kept, a: &BackupArguments) -> Report {
    let place = match &a.out {
        Some(path) => format!("to the file {}", path.display()),
        None => "on a screen of its own, cleared after Enter".to_owned(),
    };
    let report = Report::new(
        "share-backup",
        "you are about to write your share down, in the clear",
    )
    .fact("member", "member", kept.member())
    .number("index", "share", kept.index().get().into())
    .fact("genesis", "genesis digest", kept.genesis())
    .fact("place", "where", place);
    finder(report).development(kept.origin() == Origin::Rehearsal)
}

pub(super) fn shown(proved: &Proved, form: Form, told: &Recorded) -> Report {
    let report = Report::new(
        "share-backup",
        "your share was shown, and the screen is cleared",
    );
    let report = subject(report, proved).fact("form", "form", word(form));
    finder(recorded(report, told)).next(
        "try the paper out: quorate ceremony share restore says that the share is there already",
    )
}

pub(super) fn written(
    proved: &Proved,
    form: Form,
    out: &Path,
    published: Published,
    told: &Recorded,
) -> Report {
    let title = match published {
        Published::Written => "your share is written down",
        Published::AlreadyThere => "that file is there already, with the same share",
    };
    let report = subject(Report::new("share-backup", title), proved)
        .fact("form", "form", word(form))
        .fact("file", "file", format!("{} (mode 0600)", out.display()));
    finder(recorded(report, told))
        .note("delete the file once it is printed; a disk, a print queue and a backup remember more")
        .next("try the paper out: quorate ceremony share restore says that the share is there already")
}

pub(super) fn restore_review(restoring: &Restoring) -> Report {
    let report = Report::new("share-restore", "this share can come back")
        .fact("member", "member", restoring.member())
        .number("index", "share", restoring.index().get().into())
        .fact("genesis", "genesis digest", restoring.genesis());
    report.development(restoring.origin() == Origin::Rehearsal)
}

pub(super) fn entry_title(restoring: &Restoring, kind: Kind) -> String {
    let (index, member) = (restoring.index().get(), restoring.member());
    let what = match kind {
        Kind::Rows => "the rows of the sheet",
        Kind::Words => "the thirty words",
    };
    format!("Share {index}, {member}: type {what}")
}

pub(super) fn restored(done: &Restored, repairs: &[(RowNumber, Repair)]) -> Report {
    let title = match done.published {
        Published::Written => "your share is back",
        Published::AlreadyThere => "the paper is right: this very share is kept already",
    };
    let mut report = Report::new("share-restore", title)
        .fact("member", "member", &done.name)
        .number("index", "share", done.index.get().into())
        .fact("genesis", "genesis digest", done.genesis)
        .fact("epoch", "epoch", done.epoch)
        .row(
            "repaired",
            "put right",
            repairs
                .iter()
                .map(|(row, repair)| repaired(*row, repair))
                .collect(),
            repairs.iter().map(|(row, _)| json!(row.get())).collect(),
        )
        .development(done.origin == Origin::Rehearsal);
    report = recorded(report, &done.recorded);
    let Some(renewed) = &done.renewed else {
        return report;
    };
    if let Some(newest) = &renewed.newest {
        report = report
            .number("manifest", "newest manifest", newest.sequence)
            .fact("manifest_digest", "its digest", newest.digest)
            .note(
                "your pins were made anew: ask another member whether that manifest is the newest, \
                 for your tool no longer knows of a newer one",
            );
    }
    match renewed.admission {
        Admission::Named => report,
        Admission::Nowhere => report.note(
            "you cannot give this share yet: the share set names other keys for you. The members \
             must approve a manifest that names yours, or reshare",
        ),
    }
}

fn subject(report: Report, proved: &Proved) -> Report {
    let facts = proved.facts();
    let genesis: Digest<Genesis> = facts.genesis;
    report
        .fact("member", "member", &facts.member)
        .number("index", "share", proved.index().get().into())
        .fact("genesis", "genesis digest", genesis)
        .fact("epoch", "epoch", proved.epoch())
        .development(proved.origin() == Origin::Rehearsal)
}

fn finder(report: Report) -> Report {
    FINDER.into_iter().fold(report, Report::note)
}

/// What the transcript has of it.
fn recorded(report: Report, told: &Recorded) -> Report {
    let (line, value) = match told {
        Recorded::Written => (
            "your record is signed and in the shared folder",
            json!("yes"),
        ),
        Recorded::NoTranscript => ("there is none here; nothing was recorded", json!("none")),
        Recorded::Not(error) => ("not recorded now", json!(error.explain().code)),
    };
    let report = report.row("recorded", "transcript", vec![line.into()], value);
    let Recorded::Not(error) = told else {
        return report;
    };
    let remedy = error.explain().remedy;
    report.note(format!(
        "all of this is so, and the transcript does not tell of it yet: {error}; {remedy}"
    ))
}

pub(super) const fn word(form: Form) -> &'static str {
    match form {
        Form::Words => "words",
        Form::Sheet => "sheet",
        Form::Page => "page",
        Form::Qr => "qr",
        Form::QrAscii => "qr-ascii",
    }
}
