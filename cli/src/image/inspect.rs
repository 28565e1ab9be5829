//! `quorate image inspect`: what an image holds, measured and claimed kept apart.
//!
//! Guarantees: under "measured" stands only what is in a register; kernel flags, suggested memory,
//! section boundaries, metadata and the signature's own words stand under "claims", because a file
//! with other claims has the same measurements. Text from the file is stripped of control characters.
//!
//! Does not: check the signature (`quorate image verify`), or unpack anything.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use quorate_eif::Scan;
use serde_json::{Value, json};

use super::measure::Measured;
use super::source;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Render, Style, clean};

/// Longest metadata that is shown as text, in characters.
const SHOWN: usize = 4000;

/// Show what an image holds.
#[derive(Debug, Args)]
#[command(after_help = "\
What stands under \"claims\" is in no register. Whoever passes an image on can change it without
changing a measurement: believe none of it that matters.

Examples:
  quorate image inspect quorate.eif
  quorate image inspect quorate.eif --json")]
pub(crate) struct Arguments {
    /// The image (.eif)
    pub(crate) file: PathBuf,
}

/// Inspects an image.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let scan = source::scan(&arguments.file, output)?;
    output.print(&Inspected(scan))?;
    Ok(Exit::Success)
}

struct Inspected(Scan);

impl Render for Inspected {
    fn text(&self, style: Style) -> String {
        let scan = &self.0;
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{}",
            style.bold("measured: what an attestation shows")
        );
        for line in Measured(scan.measurements).text(style).lines() {
            let _ = writeln!(text, "  {line}");
        }
        let command_line = String::from_utf8_lossy(&scan.command_line);
        let _ = writeln!(text, "  command line: {}", clean(&command_line));
        let claims = "claims: whoever passed the file on can change these, no register knows them";
        let _ = writeln!(text, "{}", style.yellow(claims));
        let _ = writeln!(text, "  architecture: {}", scan.architecture);
        let _ = writeln!(
            text,
            "  suggested:    {} bytes of memory, {} processors",
            scan.memory, scan.cpus
        );
        let _ = writeln!(
            text,
            "  file:         {} bytes, {} sections",
            scan.size,
            scan.sections.len()
        );
        for section in &scan.sections {
            let kind = section.kind.to_string();
            let _ = writeln!(
                text,
                "    {kind:<12} {:>12} bytes at {}",
                section.size, section.offset
            );
        }
        match &scan.signature {
            None => {
                let _ = writeln!(text, "  signature:    none");
            }
            Some(signature) => {
                let _ = writeln!(
                    text,
                    "  signature:    {}, not checked here; it names",
                    signature.algorithm()
                );
                let _ = writeln!(text, "    PCR0 {}", signature.pcr0());
                if *signature.pcr0() != scan.measurements.pcr0 {
                    let wrong = "which is not this image's PCR0: no enclave will start from it";
                    let _ = writeln!(text, "    {}", style.red(wrong));
                }
            }
        }
        let metadata = String::from_utf8_lossy(&scan.metadata);
        let shown: String = metadata.chars().take(SHOWN).collect();
        let cut = if shown.len() < metadata.len() {
            " (cut)"
        } else {
            ""
        };
        let _ = writeln!(text, "  metadata{cut}:");
        let pretty = serde_json::from_str::<Value>(&shown)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or(shown);
        for line in pretty.lines() {
            let _ = writeln!(text, "    {}", clean(line));
        }
        text
    }

    fn json(&self) -> Value {
        let scan = &self.0;
        let sections = scan.sections.iter().map(|section| {
            json!({
                "kind": section.kind.to_string(),
                "offset": section.offset,
                "size": section.size,
            })
        });
        let signature = scan.signature.as_ref().map(|signature| {
            json!({
                "algorithm": signature.algorithm().to_string(),
                "pcr0": signature.pcr0().to_string(),
                "certificate": String::from_utf8_lossy(signature.certificate_pem()),
            })
        });
        let metadata = serde_json::from_slice::<Value>(&scan.metadata)
            .unwrap_or_else(|_| String::from_utf8_lossy(&scan.metadata).into());
        json!({
            "measured": {
                "measurements": Measured(scan.measurements).json(),
                "command_line": String::from_utf8_lossy(&scan.command_line),
            },
            "claims": {
                "architecture": scan.architecture.to_string(),
                "memory": scan.memory,
                "cpus": scan.cpus,
                "size": scan.size,
                "sections": sections.collect::<Vec<_>>(),
                "signature": signature,
                "metadata": metadata,
            },
        })
    }
}
