//! `quorate image lock`: exact packages for the names in `images/image.toml`.
//!
//! Guarantees: made from indexes whose signature apt checked; what changes is shown, and written
//! only as text in git for people to review.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use quorate_builder::lock::Lock;
use quorate_builder::resolve::KEYRING;
use quorate_builder::sandbox::World;
use serde_json::{Value, json};

use super::common::{Mirrors, Places};
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Output, Render, Style};

/// Resolve images/image.toml into images/lock.toml.
#[derive(Debug, Args)]
#[command(after_help = "\
Asks Debian's archive, with this machine's apt in a folder of its own, which packages the names in
images/image.toml stand for today, and writes each with version, size and digest. Only this command
needs apt. Read the difference in git before you commit it, then build with --update-golden.

Examples:
  quorate image lock --check
      what would change; exit code 1 if anything
  quorate image lock && git diff images/lock.toml

Exit codes: 0 written or nothing to do, 1 refused or failed, 2 the command is unusable.")]
pub(crate) struct Arguments {
    /// Only say what would change
    #[arg(long)]
    check: bool,

    /// Keys the archive's signature is checked with
    #[arg(long, value_name = "FILE", default_value = KEYRING)]
    keyring: PathBuf,

    #[command(flatten)]
    mirrors: Mirrors,

    #[command(flatten)]
    places: Places,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let site = arguments.places.open(World::usual(), output)?;
    let mirrors = arguments.mirrors.list()?;
    let old = Lock::read(&site.sources).ok();
    let new = site.with(|builder| builder.lock(&mirrors, &arguments.keyring))?;
    let changes = changes(old.as_ref(), &new);
    let changed = old.as_ref() != Some(&new);
    let packages = new.packages().count();
    let size = new.packages().map(|package| package.size).sum();
    output.print(&Locked {
        changes,
        packages,
        size,
    })?;
    if arguments.check {
        return Ok(if changed {
            Exit::Refused
        } else {
            Exit::Success
        });
    }
    let path = site.sources.join("images/lock.toml");
    write_whole(&path, new.to_text().as_bytes())?;
    Ok(Exit::Success)
}

/// Writes the whole file or none.
pub(super) fn write_whole(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    let partial = path.with_extension("partial");
    let written = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&partial);
        Failure::refused(
            Fault::Machine,
            "write-failed",
            format!("{} cannot be written: {error}", path.display()),
            "check the folder and its permissions, or make room on the disk",
        )
    })
}

/// One line for each package that came, went or changed.
fn changes(old: Option<&Lock>, new: &Lock) -> Vec<String> {
    let version = |lock: &Lock, name: &str| {
        let mut packages = lock.packages();
        let found = packages.find(|package| package.name == name);
        found.map(|package| (package.version.clone(), package.sha256))
    };
    let mut lines = Vec::new();
    for package in new.packages() {
        let now = &package.version;
        match old.and_then(|old| version(old, &package.name)) {
            None => lines.push(format!("+ {} {now}", package.name)),
            Some((then, sha256)) if then != *now || sha256 != package.sha256 => {
                lines.push(format!("! {} {then} -> {now}", package.name));
            }
            Some(_) => {}
        }
    }
    for package in old.into_iter().flat_map(Lock::packages) {
        if version(new, &package.name).is_none() {
            lines.push(format!("- {} {}", package.name, package.version));
        }
    }
    lines
}

struct Locked {
    changes: Vec<String>,
    packages: usize,
    size: u64,
}

impl Render for Locked {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        for line in &self.changes {
            let line = match line.get(..1) {
                Some("+") => style.green(line),
                Some("-") => style.red(line),
                _ => style.yellow(line),
            };
            let _ = writeln!(text, "{line}");
        }
        let megabytes = self.size / 1_000_000;
        let _ = writeln!(
            text,
            "{} packages, {megabytes} MB; {} changed",
            self.packages,
            self.changes.len()
        );
        text
    }

    fn json(&self) -> Value {
        json!({
            "ok": true,
            "packages": self.packages,
            "bytes": self.size,
            "changes": self.changes,
        })
    }
}
