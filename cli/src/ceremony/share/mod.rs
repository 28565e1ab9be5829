//! `quorate ceremony share`: a share is proved, written down, and brought back.
//!
//! Guarantees: a share is shown on a screen of its own or written to the file that was named, never
//! on standard output, so that neither a scroll-back nor a log has it. Nothing of it is in JSON, in a
//! progress line or in an error. That it is written down is on the transcript first. Where the terminal has no such screen the command says so and asks
//! for a file.
//!
//! What a share is and whether it is the right one is decided in `quorate-quorum-ceremony`.

pub(crate) mod arguments;
mod entry;
mod input;
mod screen;
mod show;

use std::path::Path;

use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::steps::restore::{self, Plan, RestoreError};
use quorate_quorum_ceremony::steps::share::{self, Paper, Proved};
use quorate_quorum_ceremony::storage::publish_secret;
use quorate_share_backup::qr::QrError;
use zeroize::Zeroizing;

use self::arguments::{BackupArguments, CheckArguments, Form, RestoreArguments, Share};
use self::screen::Screen;
pub(super) use self::screen::guard;
use super::place::At;
use super::{before_key, protect, unlock};
use crate::failure::Failure;
use crate::output::{Format, Output};

/// Runs one of the three.
pub(super) fn run(share: &Share, output: Output) -> Result<(), Failure> {
    protect(output)?;
    match share {
        Share::Check(a) => check(a, output),
        Share::Backup(a) => backup(a, output),
        Share::Restore(a) => bring_back(a, output),
    }
}

fn check(a: &CheckArguments, output: Output) -> Result<(), Failure> {
    let at = At::of_member(&a.shared, &a.keyed)?;
    let kept = share::open(at.folder(), at.private()?)?;
    let entered = unlock::unlock(&a.keyed, kept.keys(), output)?;
    let mut proved = kept.prove(entered)?;
    let recorded = proved.record_check();
    output.print(&show::checked(&proved, &recorded))
}

fn backup(a: &BackupArguments, output: Output) -> Result<(), Failure> {
    let at = At::of_member(&a.shared, &a.keyed)?;
    match &a.out {
        Some(out) => refuse_shared(out, at.folder())?,
        None if a.form == Form::Page => return Err(page_needs_file()),
        None => Screen::check(output)?,
    }
    let kept = share::open(at.folder(), at.private()?)?;
    before_key(output, &show::backup_review(&kept, a))?;
    let entered = unlock::unlock(&a.keyed, kept.keys(), output)?;
    let mut proved = kept.prove(entered)?;
    let form = show::word(a.form);
    let Some(out) = &a.out else {
        let text = seen(&proved, a.form)?;
        let recorded = proved.record_backup(form, Paper::Screen)?;
        let mut screen = Screen::open(output)?;
        screen.show(&text, "Enter clears this screen")?;
        screen.wait_for_enter()?;
        drop(screen);
        return output.print(&show::shown(&proved, a.form, &recorded));
    };
    let bytes = written(&proved, a.form)?;
    let recorded = proved.record_backup(form, Paper::File)?;
    let published = publish_secret(out, &bytes).map_err(CeremonyError::from)?;
    output.print(&show::written(&proved, a.form, out, published, &recorded))
}

/// The share as it is seen on a screen.
fn seen(proved: &Proved, form: Form) -> Result<Zeroizing<String>, Failure> {
    let (backup, facts) = (proved.backup(), proved.facts());
    Ok(match form {
        Form::Words => backup.words(),
        Form::Sheet => backup.sheet(facts),
        Form::Page => backup.page(facts).map_err(unencodable)?,
        Form::Qr => backup.qr().map_err(unencodable)?.half_blocks(),
        Form::QrAscii => backup.qr().map_err(unencodable)?.ascii(),
    })
}

/// The share as it is in a file.
fn written(proved: &Proved, form: Form) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if form == Form::Qr {
        let code = proved.backup().qr().map_err(unencodable)?;
        return code.png().map_err(unencodable);
    }
    Ok(Zeroizing::new(seen(proved, form)?.as_bytes().to_vec()))
}

fn unencodable(error: QrError) -> Failure {
    CeremonyError::from(RestoreError::from(error)).into()
}

fn bring_back(a: &RestoreArguments, output: Output) -> Result<(), Failure> {
    input::check(a, output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let restoring = restore::prepare(&Plan {
        folder: at.folder(),
        private: at.private_to_make()?,
        genesis: a.genesis,
        key_file: a.key_file.as_deref(),
    })?;
    let review = show::restore_review(&restoring);
    before_key(output, &review)?;
    let (backup, repairs) = input::read(a, &restoring, output)?;
    // Proved before passphrase or PIN is asked for, and again before anything is written.
    drop(restoring.prove(&backup).map_err(CeremonyError::from)?);
    if output.format() == Format::Text {
        output.note("this is your share, by the commitments");
    }
    let entered = unlock::unlock(&a.keyed, restoring.keys(), output)?;
    let restored = restoring.restore(&backup, entered)?;
    output.print(&show::restored(&restored, &repairs))
}

/// Everybody reads the shared folder.
fn refuse_shared(out: &Path, folder: &Path) -> Result<(), Failure> {
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (parent.canonicalize(), folder.canonicalize()) {
        (Ok(parent), Ok(folder)) if parent.starts_with(&folder) => Err(Failure::usage(
            "out-in-shared-folder",
            "the file would be in the shared folder, where everybody can read your share",
            "name a file elsewhere, best on a medium that you take out",
        )),
        _ => Ok(()),
    }
}

fn page_needs_file() -> Failure {
    Failure::usage(
        "page-needs-file",
        "an HTML page cannot be shown here",
        "name a file with --out FILE.html, print it, and delete it",
    )
}
