//! `quorate image measure`: the registers an image fills, and nothing else.
//!
//! Guarantees: with `--json` exactly the four keys a manifest's measurements are read from; the
//! same values a Nitro hypervisor computes, in one pass over a file of any size.
//!
//! Does not: say that PCR8's signature is good. `quorate image verify` does.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use quorate_eif::Measurements;
use serde_json::{Value, json};

use super::source;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Render, Style};

/// Print the measurements of an image.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json the answer is exactly {\"pcr0\":HEX,\"pcr1\":HEX,\"pcr2\":HEX,\"pcr8\":HEX|null}; pcr8 is
null where the image is not signed. The signature itself is not checked here.

Examples:
  quorate image measure quorate.eif
  quorate image measure quorate.eif --json >measurements.json")]
pub(crate) struct Arguments {
    /// The image (.eif)
    pub(crate) file: PathBuf,
}

/// Measures an image.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let scan = source::scan(&arguments.file, output)?;
    output.print(&Measured(scan.measurements))?;
    Ok(Exit::Success)
}

/// Measurements to be shown.
pub(super) struct Measured(pub(super) Measurements);

impl Render for Measured {
    fn text(&self, style: Style) -> String {
        let Measurements {
            pcr0,
            pcr1,
            pcr2,
            pcr8,
        } = self.0;
        let mut text = String::new();
        let mut line = |name: &str, value: &str, what: &str| {
            let _ = writeln!(text, "{} {value}  {}", style.bold(name), style.dim(what));
        };
        line("PCR0", &pcr0.to_string(), "the whole image");
        line(
            "PCR1",
            &pcr1.to_string(),
            "kernel, command line, first ramdisk",
        );
        line("PCR2", &pcr2.to_string(), "the other ramdisks");
        match pcr8 {
            Some(pcr8) => line("PCR8", &pcr8.to_string(), "the signing certificate"),
            None => line("PCR8", &"0".repeat(96), "not signed"),
        }
        text
    }

    fn json(&self) -> Value {
        let Measurements {
            pcr0,
            pcr1,
            pcr2,
            pcr8,
        } = self.0;
        json!({
            "pcr0": pcr0.to_string(),
            "pcr1": pcr1.to_string(),
            "pcr2": pcr2.to_string(),
            "pcr8": pcr8.map(|value| value.to_string()),
        })
    }
}
