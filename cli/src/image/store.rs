//! `quorate image store`: every input of the lock as one file, and back.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use quorate_builder::lock::Lock;
use quorate_builder::recipe::Recipe;
use quorate_builder::sources::Plan;
use quorate_builder::travel;
use serde_json::{Value, json};

use super::common::{Lines, Places, explain};
use crate::failure::{Exit, Failure};
use crate::output::{Output, Render, Style};

/// Take the store to another machine, or keep it for the day a package leaves the archive.
#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Write every input of the lock into one file
    Export(Export),
    /// Take what such a file holds into the store
    Import(Import),
}

/// Write every input of the lock into one file.
#[derive(Debug, Args)]
#[command(after_help = "\
Two exports of one lock are the same bytes. Keep one next to every release: Debian's archive drops
old packages.

Example:
  quorate image store export quorate-inputs.tar")]
pub(crate) struct Export {
    /// The new file, a tar archive of about 0.6 GB
    file: PathBuf,

    #[command(flatten)]
    places: Places,
}

/// Take what such a file holds into the store.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing in the file is trusted: each entry is kept only if its content has the digest it is named by.

Example, on a machine without a network:
  quorate image store import quorate-inputs.tar && quorate image rebuild")]
pub(crate) struct Import {
    /// The file
    file: PathBuf,

    #[command(flatten)]
    places: Places,
}

pub(super) fn run(store: &Store, output: Output) -> Result<Exit, Failure> {
    let progress = Lines::new(output);
    let told = |error| explain(&error);
    let moved = match store {
        Store::Export(Export { file, places }) => {
            let sources = places.sources()?;
            let lock = Lock::read(&sources).map_err(told)?;
            let recipe = Recipe::read(&sources).map_err(told)?;
            let plan = Plan::read(&sources.join(&recipe.init.folder)).map_err(told)?;
            let store = places.store()?;
            let (files, _) =
                travel::export(&lock, &plan.crates, &store, file, &progress).map_err(told)?;
            Moved("exported", files)
        }
        Store::Import(Import { file, places }) => {
            if !file.is_file() {
                return Err(Failure::usage(
                    "file-missing",
                    format!("{} is no file", file.display()),
                    "name the archive that quorate image store export wrote",
                ));
            }
            let store = places.store()?;
            Moved(
                "imported",
                travel::import(file, &store, &progress).map_err(told)?,
            )
        }
    };
    output.print(&moved)?;
    Ok(Exit::Success)
}

struct Moved(&'static str, usize);

impl Render for Moved {
    fn text(&self, _: Style) -> String {
        format!("{} files {}\n", self.1, self.0)
    }

    fn json(&self) -> Value {
        json!({ "ok": true, self.0: self.1 })
    }
}
