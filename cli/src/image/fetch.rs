//! `quorate image fetch`: every input of the lock into the store.

use clap::Args;
use quorate_builder::fetch::Fetched;
use quorate_builder::lock::Lock;
use quorate_builder::sandbox::World;
use serde_json::{Value, json};

use super::common::{Mirrors, Places, explain};
use crate::failure::{Exit, Failure};
use crate::output::{Output, Render, Style};

/// Fetch every input of the lock into the store.
#[derive(Debug, Args)]
#[command(after_help = "\
Packages come from any mirror: a file counts when it has the lock's digest, whoever sent it. A
transfer that broke goes on where it stopped. Crates come through cargo, with the digests of
Cargo.lock. After this, building needs no network.

Examples:
  quorate image fetch
  quorate image fetch --mirror http://ftp.de.debian.org --mirror /media/usb/archive

Exit codes: 0 all is there, 1 refused or failed, 2 the command is unusable.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    mirrors: Mirrors,

    #[command(flatten)]
    places: Places,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let site = arguments.places.open(World::usual(), output)?;
    let mirrors = arguments.mirrors.list()?;
    let lock = Lock::read(&site.sources).map_err(|error| explain(&error))?;
    let fetched = site.with(|builder| builder.fetch(&lock, &mirrors))?;
    output.print(&Report(fetched))?;
    Ok(Exit::Success)
}

struct Report(Fetched);

impl Render for Report {
    fn text(&self, _: Style) -> String {
        let Fetched {
            present,
            fetched,
            bytes,
        } = self.0;
        let megabytes = bytes / 1_000_000;
        format!("{fetched} files fetched ({megabytes} MB of packages), {present} were there\n")
    }

    fn json(&self) -> Value {
        let Fetched {
            present,
            fetched,
            bytes,
        } = self.0;
        json!({ "ok": true, "present": present, "fetched": fetched, "bytes": bytes })
    }
}
