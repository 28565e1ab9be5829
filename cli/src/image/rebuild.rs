//! `quorate image rebuild`: what a stranger types to go from source to PCR0.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use quorate_builder::Error;
use quorate_builder::checkout::checkout;
use quorate_builder::image::{Built, Difference, Drift};
use quorate_builder::lock::Lock;
use quorate_builder::sandbox::World;
use quorate_eif::Eif;
use quorate_image_compare::{Difference as Differing, compare};
use serde_json::{Value, json};

use super::build::{compared, differences_json};
use super::common::{Mirrors, Places, explain};
use super::source;
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Output, Render, Style, clean};

/// Fetch, build and compare: is this image made from this source?
#[derive(Debug, Args)]
#[command(after_help = "\
Without TAG, the sources of this checkout; with it, those of that commit or tag. Everything the lock
names is fetched by digest, built without a network, and compared with what the lock expects: \"PCR0
matches\", or the first stage that differs. With --against, also the first differing file and byte.

Examples:
  quorate image rebuild
  quorate image rebuild v0.1.0 --against quorate.eif
  quorate image rebuild --offline
      after quorate image store import, on a machine without a network

Exit codes: 0 PCR0 matches, 1 it does not, or failed, 2 the command or a file is unusable.")]
pub(crate) struct Arguments {
    /// A commit or tag of the repository [default: the files as they are]
    #[arg(value_name = "TAG")]
    revision: Option<String>,

    /// An image to compare with, byte by byte
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// Fetch nothing: everything must be in the store
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    mirrors: Mirrors,

    #[command(flatten)]
    places: Places,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    // Read before anything is built: nobody waits for minutes to hear of a wrong path.
    let against = match &arguments.against {
        None => None,
        Some(path) => Some((path.as_path(), source::read(path)?)),
    };
    let against = match &against {
        None => None,
        Some((path, bytes)) => {
            Some(Eif::parse(bytes).map_err(|error| source::unusable(path, &error))?)
        }
    };
    let mut site = arguments.places.open(World::usual(), output)?;
    if let Some(revision) = &arguments.revision {
        let target = arguments.places.work()?.join("revision");
        checkout(&site.sources, revision, &target).map_err(|error| explain(&error))?;
        site.sources = target;
    }
    let lock = Lock::read(&site.sources).map_err(|error| explain(&error))?;
    let Some(expected) = lock.expected.clone() else {
        return Err(Failure::refused(
            Fault::Coordinator,
            "nothing-expected",
            "images/lock.toml records no result to compare with",
            "quorate image build --update-golden records one",
        ));
    };
    if !arguments.offline {
        let mirrors = arguments.mirrors.list()?;
        site.with(|builder| builder.fetch(&lock, &mirrors))?;
    }
    let built = site.with(|builder| builder.build(Drift::Refuse))?;
    let differences = built.differences(&expected);
    let first = match &against {
        None => None,
        Some(against) => {
            let made = Eif::parse(&built.eif).map_err(|error| {
                explain(&Error::Image {
                    why: error.to_string(),
                })
            })?;
            compare(against, &made).first().map(in_words)
        }
    };
    let same = differences.is_empty() && first.is_none();
    output.print(&Report {
        built: &built,
        differences,
        compared: against.is_some(),
        first,
    })?;
    Ok(if same { Exit::Success } else { Exit::Refused })
}

fn in_words(difference: &Differing) -> String {
    let covered = match difference.place.is_measured() {
        true => "measured",
        false => "in no measurement",
    };
    clean(&format!("{difference} ({covered})"))
}

struct Report<'a> {
    built: &'a Built,
    differences: Vec<Difference>,
    compared: bool,
    first: Option<String>,
}

impl Render for Report<'_> {
    fn text(&self, style: Style) -> String {
        let mut text = format!("{} {}\n", style.bold("PCR0"), self.built.stages.pcr0);
        text += &compared(&self.differences, style);
        match &self.first {
            Some(first) => {
                let line = format!("the image differs from what was built, first in: {first}");
                let _ = writeln!(text, "{}", style.red(&line));
            }
            None if self.compared => {
                let line = "the image is what was built, byte for byte";
                let _ = writeln!(text, "{}", style.green(line));
            }
            None => {}
        }
        text
    }

    fn json(&self) -> Value {
        json!({
            "ok": self.differences.is_empty() && self.first.is_none(),
            "pcr0": self.built.stages.pcr0,
            "pcr1": self.built.stages.pcr1,
            "pcr2": self.built.stages.pcr2,
            "differences": differences_json(&self.differences),
            "first_difference": self.first,
        })
    }
}
