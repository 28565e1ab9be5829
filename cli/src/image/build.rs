//! `quorate image build`: the image of this checkout, from locked inputs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use quorate_builder::image::{Built, Difference, Drift};
use quorate_builder::sandbox::World;
use serde_json::{Value, json};

use super::common::Places;
use super::lock::write_whole;
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Output, Render, Style};

/// Build the image of this checkout.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything comes from the store (quorate image fetch fills it); no step has a network. Writes
DIR/quorate.eif and DIR/measurements.json, then compares every stage with images/lock.toml and says
which one differs first.

Examples:
  quorate image fetch && quorate image build --out target/image
  quorate image build --out target/image --update-golden
      after a change that is meant: records what comes out in images/lock.toml; git diff shows it

Exit codes: 0 built and as expected, 1 another result, refused or failed, 2 the command is unusable.")]
pub(crate) struct Arguments {
    /// Where the image and its measurements are written
    #[arg(long, value_name = "DIR", default_value = "target/image")]
    out: PathBuf,

    /// Record what comes out as what is expected, in images/lock.toml
    #[arg(long)]
    update_golden: bool,

    /// What the steps believe about the machine; `other` differs in twelve things and must give the
    /// same bytes
    #[arg(long, value_enum, default_value_t = WorldName::Usual)]
    world: WorldName,

    #[command(flatten)]
    places: Places,
}

/// What a step believes about the machine it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WorldName {
    /// That of every build
    Usual,
    /// Another path, user, host, zone, locale, umask, number of jobs, clock, order and so on
    Other,
}

impl WorldName {
    pub(super) fn world(self) -> World {
        match self {
            Self::Usual => World::usual(),
            Self::Other => World::other(),
        }
    }
}

pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let site = arguments.places.open(arguments.world.world(), output)?;
    let drift = if arguments.update_golden {
        Drift::Adopt
    } else {
        Drift::Refuse
    };
    let built = site.with(|builder| builder.build(drift))?;
    let files = write(&built, &arguments.out)?;
    let expected = built.lock.expected.clone();
    let differences = expected
        .map(|expected| built.differences(&expected))
        .unwrap_or_default();
    if arguments.update_golden {
        let path = site.sources.join("images/lock.toml");
        write_whole(&path, built.lock.to_text().as_bytes())?;
    }
    let exit = verdict(&differences);
    output.print(&Report {
        built: &built,
        files,
        differences,
    })?;
    Ok(exit)
}

pub(super) fn verdict(differences: &[Difference]) -> Exit {
    if differences.is_empty() {
        Exit::Success
    } else {
        Exit::Refused
    }
}

/// Writes the image and its measurements.
pub(super) fn write(built: &Built, out: &Path) -> Result<[PathBuf; 2], Failure> {
    fs::create_dir_all(out).map_err(|error| {
        Failure::refused(
            Fault::Machine,
            "write-failed",
            format!("{} cannot be made: {error}", out.display()),
            "name another folder with --out",
        )
    })?;
    let files = [out.join("quorate.eif"), out.join("measurements.json")];
    write_whole(&files[0], &built.eif)?;
    write_whole(&files[1], built.measurements_json().as_bytes())?;
    Ok(files)
}

/// What was built.
pub(super) struct Report<'a> {
    pub(super) built: &'a Built,
    pub(super) files: [PathBuf; 2],
    pub(super) differences: Vec<Difference>,
}

impl Render for Report<'_> {
    fn text(&self, style: Style) -> String {
        let stages = &self.built.stages;
        let mut text = String::new();
        for (name, value) in [
            ("PCR0", &stages.pcr0),
            ("PCR1", &stages.pcr1),
            ("PCR2", &stages.pcr2),
        ] {
            let _ = writeln!(text, "{} {value}", style.bold(name));
        }
        let [image, measurements] = &self.files;
        let _ = writeln!(
            text,
            "{} ({} bytes), {}",
            image.display(),
            stages.eif_bytes,
            measurements.display()
        );
        text += &compared(&self.differences, style);
        text
    }

    fn json(&self) -> Value {
        let stages = self.built.stages.stages().into_iter();
        let [image, measurements] = &self.files;
        json!({
            "ok": self.differences.is_empty(),
            "image": image,
            "measurements": measurements,
            "eif_bytes": self.built.stages.eif_bytes,
            "stages": stages.map(|(name, value)| (name.to_owned(), value.into()))
                .collect::<serde_json::Map<_, _>>(),
            "differences": differences_json(&self.differences),
        })
    }
}

/// The comparison with the lock, for people.
pub(super) fn compared(differences: &[Difference], style: Style) -> String {
    let mut text = String::new();
    match differences {
        [] => {
            let _ = writeln!(text, "{}", style.green("PCR0 matches images/lock.toml"));
        }
        [first, ..] => {
            let headline = format!(
                "not what images/lock.toml expects; first in: {}",
                first.stage
            );
            let _ = writeln!(text, "{}", style.red(&headline));
            for Difference {
                stage,
                expected,
                found,
            } in differences
            {
                let _ = writeln!(
                    text,
                    "  {stage}\n    expected {expected}\n    found    {found}"
                );
            }
        }
    }
    text
}

pub(super) fn differences_json(differences: &[Difference]) -> Value {
    let entries = differences.iter().map(|difference| {
        json!({
            "stage": difference.stage,
            "expected": difference.expected,
            "found": difference.found,
        })
    });
    entries.collect()
}
