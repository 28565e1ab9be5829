//! `quorate image attest`: an independent rebuilder's signature under what they got.
//!
//! Guarantees: what is signed is measured here, from the image this machine built; the sources are a
//! clean checkout whose commit git names; an image that its lock does not expect is not attested; the
//! signature, also a token's, is checked before it is written. The file is whole or not there.
//!
//! Trusts: that the person did build the image they name. Whoever signs somebody else's build lends
//! them their name.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use quorate_builder::lock::Lock;
use quorate_eif::Measurements;
use quorate_protocol::atoms::{Pcr, Sha256};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::rebuild::{Commit, Rebuild, RebuildFields};
use serde_json::{Value, json};

use super::common::{Places, explain};
use super::rebuilders::parse_commit;
use super::sign::{KeySource, signer};
use super::source;
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Output, Render, Style, hex};

/// Sign what a rebuild of this checkout measured.
#[derive(Debug, Args)]
#[command(after_help = "\
For whoever builds an image on a machine of their own, so that others need not believe one builder.

A key to try it with (P-256; its public half goes into other people's policies):
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out mine.key

Example, in a clean checkout of the tag that was built:
  quorate image attest quorate.eif --key mine.key --out mine.rebuild")]
pub(crate) struct Arguments {
    /// The image this machine built (.eif)
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) key: KeySource,

    /// Where the statement goes; must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,

    #[command(flatten)]
    pub(super) places: Places,
}

/// Attests a rebuild.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    files::check_new(&arguments.out)?;
    let sources = arguments.places.sources()?;
    let lock = Lock::read(&sources).map_err(|error| explain(&error))?;
    let commit = commit(&sources)?;
    let measured = source::scan(&arguments.file, output)?.measurements;
    expected(&lock, &measured)?;
    let signer = signer(&arguments.key, output)?;
    let unusable = |error: quorate_image_signing::StatementError| {
        Failure::usage("key-unusable", error.to_string(), error.remedy())
    };
    let point = signer.statement_key().map_err(unusable)?;
    let rebuilder = VerificationKey::from_sec1(&point);
    let rebuilder = rebuilder.map_err(|_| invalid("the key"))?;
    let fields = RebuildFields {
        rebuilder,
        commit,
        lock: Sha256(*lock.digest().as_bytes()),
        pcr0: Pcr(*measured.pcr0.as_bytes()),
        pcr1: Pcr(*measured.pcr1.as_bytes()),
        pcr2: Pcr(*measured.pcr2.as_bytes()),
    };
    let statement: Rebuild = Checked::new(fields).map_err(|_| invalid("the measurements"))?;
    let message = Signed::to_be_signed(&statement);
    let signature = signer.sign_statement(&message).map_err(unusable)?;
    let signed = Signed::from_parts(statement, &signature).map_err(|_| invalid("the signature"))?;
    // Also a token's signature is checked before anybody relies on it.
    let checked = signed.verify_self().map_err(|_| invalid("the signature"))?;
    files::write_new(&arguments.out, &to_bytes(&signed))?;
    output.print(&Attested {
        out: &arguments.out,
        statement: checked,
    })?;
    Ok(Exit::Success)
}

fn invalid(what: &str) -> Failure {
    Failure::refused(
        Fault::Machine,
        "not-attested",
        format!("{what} cannot stand in a statement"),
        "use a key on P-256, and an image of its own, not of a debug enclave",
    )
}

/// Refuses an image that the sources do not promise.
fn expected(lock: &Lock, measured: &Measurements) -> Result<(), Failure> {
    let refused = |what: String| {
        Failure::refused(
            Fault::Caller,
            "not-attested",
            what,
            "build the image from this very checkout: quorate image build",
        )
    };
    let Some(expected) = &lock.expected else {
        return Err(refused("images/lock.toml records no result".to_owned()));
    };
    for (name, found, expected) in [
        ("PCR0", measured.pcr0, &expected.pcr0),
        ("PCR1", measured.pcr1, &expected.pcr1),
        ("PCR2", measured.pcr2, &expected.pcr2),
    ] {
        if found.to_string() != *expected {
            return Err(refused(format!(
                "{name} of the image is {found}, the lock of these sources expects {expected}"
            )));
        }
    }
    Ok(())
}

/// The commit that is checked out, if nothing was changed since.
pub(super) fn commit(sources: &Path) -> Result<Commit, Failure> {
    let refused = |what: String| {
        Failure::refused(
            Fault::Caller,
            "sources-not-committed",
            what,
            "check the tag out anew, with git, and build from that",
        )
    };
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(sources)
            .args(arguments)
            .output();
        match output {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            }
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(refused(format!("git does not know these sources: {said}")))
            }
            Err(error) => Err(refused(format!("git cannot be run: {error}"))),
        }
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    if let Some(first) = changed.lines().next() {
        return Err(refused(format!(
            "the sources were changed since their commit: {first}"
        )));
    }
    let name = git(&["rev-parse", "--verify", "HEAD^{commit}"])?;
    parse_commit(&name).ok_or_else(|| refused(format!("{name:?} is not a commit")))
}

struct Attested<'a> {
    out: &'a Path,
    statement: &'a Rebuild,
}

impl Render for Attested<'_> {
    fn text(&self, style: Style) -> String {
        let statement = self.statement;
        format!(
            "{} commit {}\n  lock {}\n  PCR0 {}\n  by {}\n  in {}\n",
            style.green("attested"),
            hex(statement.commit.as_slice()),
            statement.lock,
            statement.pcr0,
            statement.rebuilder,
            self.out.display()
        )
    }

    fn json(&self) -> Value {
        json!({
            "statement": self.out.display().to_string(),
            "rebuilder": self.statement.rebuilder.to_string(),
            "commit": hex(self.statement.commit.as_slice()),
            "lock": self.statement.lock.to_string(),
            "pcr0": self.statement.pcr0.to_string(),
            "pcr1": self.statement.pcr1.to_string(),
            "pcr2": self.statement.pcr2.to_string(),
        })
    }
}
