//! `quorate image diff`: where two images differ, in words.
//!
//! Guarantees: exit code 0 only if every byte is the same; each difference says whether an
//! attestation would show it. Names from inside the images are stripped of control characters.
//!
//! Does not: say which of the two is right.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use quorate_eif::{Eif, Measurements};
use quorate_image_compare::{Difference, MAX_DIFFERENCES, compare};
use serde_json::{Value, json};

use super::measure::Measured;
use super::source;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Render, Style, clean};

/// Show where two images differ.
#[derive(Debug, Args)]
#[command(after_help = "\
Ramdisks are opened (cpio, also in gzip, xz or zstd): a difference in them is shown with the path of
the file and its first differing byte.

Example:
  quorate image diff mine.eif theirs.eif

Exit codes: 0 the same in every byte, 1 different, or a file is no image, 2 the command is unusable.")]
pub(crate) struct Arguments {
    /// An image (.eif)
    pub(crate) first: PathBuf,
    /// Another
    pub(crate) second: PathBuf,
}

/// Compares two images.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let (first, second) = (
        source::read(&arguments.first)?,
        source::read(&arguments.second)?,
    );
    let parse = |bytes, path| Eif::parse(bytes).map_err(|error| source::unusable(path, &error));
    let first = parse(&first, &arguments.first)?;
    let second = parse(&second, &arguments.second)?;
    let compared = Compared {
        differences: compare(&first, &second),
        measured: (first.measure(), second.measure()),
    };
    output.print(&compared)?;
    Ok(match compared.differences.as_slice() {
        [] => Exit::Success,
        _ => Exit::Refused,
    })
}

struct Compared {
    differences: Vec<Difference>,
    measured: (Measurements, Measurements),
}

impl Compared {
    /// The registers that differ.
    fn registers(&self) -> Vec<&'static str> {
        let (one, other) = self.measured;
        let registers = [
            ("PCR0", one.pcr0 == other.pcr0),
            ("PCR1", one.pcr1 == other.pcr1),
            ("PCR2", one.pcr2 == other.pcr2),
            ("PCR8", one.pcr8 == other.pcr8),
        ];
        let differ = registers.into_iter().filter(|(_, same)| !same);
        differ.map(|(name, _)| name).collect()
    }
}

impl Render for Compared {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        if self.differences.is_empty() {
            let _ = writeln!(text, "{} in every byte", style.green("the same"));
            return text;
        }
        for difference in &self.differences {
            let measured = match difference.place.is_measured() {
                true => style.red("measured"),
                false => style.dim("not measured"),
            };
            let _ = writeln!(text, "{} ({measured})", clean(&difference.to_string()));
        }
        if self.differences.len() == MAX_DIFFERENCES {
            let _ = writeln!(text, "no more than {MAX_DIFFERENCES} differences are shown");
        }
        let registers = self.registers();
        let said = match registers.as_slice() {
            [] => {
                style.yellow("all measurements are the same: an attestation cannot tell them apart")
            }
            _ => format!("{} differ", style.red(&registers.join(", "))),
        };
        let _ = writeln!(text, "{said}");
        text
    }

    fn json(&self) -> Value {
        let differences = self.differences.iter().map(|difference| {
            json!({
                "place": difference.place.to_string(),
                "measured": difference.place.is_measured(),
                "what": difference.what.to_string(),
            })
        });
        json!({
            "same": self.differences.is_empty(),
            "differences": differences.collect::<Vec<_>>(),
            "registers": self.registers(),
            "first": Measured(self.measured.0).json(),
            "second": Measured(self.measured.1).json(),
        })
    }
}
