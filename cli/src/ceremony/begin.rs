//! `new`, `next` and `preflight`, and waiting for others inside a step.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::client::Client;
use quorate_quorum_ceremony::steps::preflight::Terminal;
use quorate_quorum_ceremony::steps::{join, new, next as turn, preflight as check, status};
use quorate_quorum_ceremony::workspace::Workspace;
use serde_json::json;

use super::arguments::{
    ForwardArguments, JoinArguments, NewArguments, NextArguments, PreflightArguments,
};
use super::place::At;
use super::report::Report;
use super::{dry, measurements, protect, root, show, unlock};
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Format, Output};

/// How long a step waits for another person's, at most.
const STAY: Duration = Duration::from_secs(60 * 60);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(500);

pub(super) fn new(a: &NewArguments, output: Output) -> Result<Exit, Failure> {
    let wanted = new::Wanted {
        namespace: a.namespace.clone(),
        members: a.members.clone(),
        manifest_members: a.manifest_members.clone(),
        manifest_threshold: a.manifest_threshold,
        share_threshold: a.share_threshold,
        age_limit: a.age_limit,
        root: root(a.partition, a.root.as_deref())?,
        measurements: measurements(&a.measurements)?,
    };
    if a.acting.dry_run {
        wanted.plan()?;
        let review = show::wanted(&a.folder, &wanted);
        return dry(output, review, "make the folder and write the plan into it");
    }
    let begun = new::begin(&a.folder, &wanted)?;
    output.print(&show::begun(&a.folder, &begun))?;
    Ok(Exit::Success)
}

pub(super) fn next(a: &NextArguments, output: Output) -> Result<Exit, Failure> {
    let at = At::find(&a.shared, a.private.as_deref())?;
    let found = turn::read(at.folder(), at.find_private(), a.socket.as_ref())?;
    let workspace = Workspace::open(at.folder()).map_err(CeremonyError::from)?;
    let named = show::Named {
        folder: a.shared.folder.as_deref(),
        private: a.private.as_deref(),
    };
    let planned = workspace.find_plan()?.is_some();
    output.print(&show::turn(&found, &named, planned))?;
    Ok(Exit::Success)
}

pub(super) fn preflight(a: &PreflightArguments, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    let at = At::of_member(&a.shared, &a.keyed)?;
    let private = at.private_to_make()?;
    let terminal = match (io::stdin().is_terminal(), output.is_lively()) {
        (true, true) => Terminal::Full,
        (true, false) => Terminal::Plain,
        (false, _) => Terminal::Missing,
    };
    let looked = check::look(at.folder(), private, a.socket.as_ref(), terminal);
    let typed = a.keyed.is_given() || terminal != Terminal::Missing;
    let found = match looked.keys().filter(|_| typed) {
        None => looked.locked(),
        Some(keys) => match unlock::unlock(&a.keyed, keys, output) {
            Ok(entered) => looked.unlock(entered),
            Err(failure) if says_nothing_of_the_key(&failure) => return Err(failure),
            Err(failure) => looked.untried(&failure.what, &failure.remedy),
        },
    };
    output.print(&show::preflight(&found))?;
    Ok(if found.is_good() {
        Exit::Success
    } else {
        Exit::Refused
    })
}

/// What was interrupted, or typed wrongly on the command line. A token that is not there, or is locked, is
/// what preflight is to find.
fn says_nothing_of_the_key(failure: &Failure) -> bool {
    let typed = ["interrupted", "keys-in-file", "keys-in-token"];
    failure.exit() == Exit::Usage || typed.contains(&&*failure.code)
}

/// What `join` would do. A genesis that is named is compared with the folder's.
pub(super) fn join_dry(at: &At, private: &Path, a: &JoinArguments) -> Result<Report, Failure> {
    let (name, genesis) = (&a.name, a.genesis);
    let card = match a.new_keys {
        true => {
            let workspace = Workspace::open(at.folder()).map_err(CeremonyError::from)?;
            join::check_replaceable(&workspace, name)?;
            format!("{name}-FINGERPRINT.cbor")
        }
        false => format!("{name}.cbor"),
    };
    let card = at.folder().join("members").join(card);
    let mut report = Report::new("join", "you are about to join");
    if let Some(given) = genesis {
        join::check_genesis(at.folder(), given)?;
        report = report.fact("genesis", "would pin the genesis", given);
    }
    Ok(report
        .fact("name", "name", name)
        .fact("private", "private folder", private.display())
        .row(
            "key",
            "your keys",
            vec![if private.join("key.cbor").exists() {
                "are there and stay as they are".into()
            } else {
                "would be made".into()
            }],
            json!(private.join("key.cbor").exists()),
        )
        .fact("card", "your card", card.display())
        .dry_run("make keys where there are none and publish your card"))
}

/// How the two enclaves of a forward are.
pub(super) fn forward_dry(at: &At, a: &ForwardArguments) -> Result<Report, Failure> {
    let progress = status::read(at.folder(), None)?;
    let mut report = Report::new("forward", "the key would go from one enclave to another");
    for (key, label, socket) in [("from", "from", &a.from), ("to", "to", &a.to)] {
        let status = Client::connect(socket).and_then(|mut client| client.status());
        let status = status.map_err(CeremonyError::from)?;
        let manifest = progress
            .manifests
            .iter()
            .find(|entry| Some(entry.digest) == status.manifest);
        let sequence = manifest.map(|entry| entry.manifest.sequence);
        let words = match sequence {
            Some(sequence) => format!("{} (says it runs manifest {sequence})", socket.display()),
            None => format!("{} (runs no manifest of this folder)", socket.display()),
        };
        report = report.row(key, label, vec![words], json!(sequence));
    }
    Ok(report.note("what they say of themselves is a claim; the running one verifies the new one"))
}

/// Waits until the folder has the output of a genesis.
pub(super) fn await_genesis(at: &At, output: Output) -> Result<(), Failure> {
    let workspace = Workspace::open(at.folder()).map_err(CeremonyError::from)?;
    if output.format() == Format::Text {
        output.note("waiting for the genesis; Ctrl-C ends this, and nothing is lost");
    }
    let begun = Instant::now();
    loop {
        // The document comes last.
        if workspace.find_output()?.is_some() && workspace.genesis_document().is_ok() {
            return Ok(());
        }
        if begun.elapsed() > STAY {
            return Err(Failure::refused(
                Fault::Coordinator,
                "genesis-not-held",
                "no genesis was held within an hour",
                "go on with `quorate ceremony receipt` when it was; your consent stands",
            ));
        }
        thread::sleep(GLANCE);
    }
}
