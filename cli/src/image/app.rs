//! `quorate image app`: applications with the same guarantees as the image.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use quorate_builder::image::App as Built;
use quorate_builder::sandbox::World;
use serde_json::{Value, json};

use super::common::Places;
use super::lock::write_whole;
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Output, Render, Style};

/// Something about applications.
#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Build an application the way the image's own first process is built
    Build(Build),
}

/// Build an application.
#[derive(Debug, Args)]
#[command(after_help = "\
FOLDER is a cargo package, yours or ours, with a Cargo.lock in it or in its workspace. Everything it
depends on must come from crates.io or from a folder. It is compiled in Quorate's locked build root,
without a network, with a standard library built from source: a static binary, the same bytes on any
machine. Its digest is what a manifest names.

Examples:
  quorate image app build enclave-apps/echo --out target/apps
  quorate image app build ~/my-signer --repository ~/quorate --out target/apps

Exit codes: 0 built, 1 refused or failed, 2 the command is unusable.")]
pub(crate) struct Build {
    /// The package
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Which binary of it [default: the package's name]
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,

    /// Where the binary and what is known about it are written
    #[arg(long, value_name = "DIR", default_value = "target/apps")]
    out: PathBuf,

    #[command(flatten)]
    places: Places,
}

pub(super) fn run(app: &App, output: Output) -> Result<Exit, Failure> {
    let App::Build(arguments) = app;
    let site = arguments.places.open(World::usual(), output)?;
    let bin = arguments.bin.as_deref();
    let built = site.with(|builder| builder.app(&arguments.folder, bin))?;
    let failed = |error: std::io::Error| {
        Failure::refused(
            Fault::Machine,
            "write-failed",
            format!("{} cannot be written: {error}", arguments.out.display()),
            "name another folder with --out",
        )
    };
    fs::create_dir_all(&arguments.out).map_err(failed)?;
    let name = bin.unwrap_or(&built.name);
    let path = arguments.out.join(name);
    write_whole(&path, &built.binary)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    let report = Report {
        built: &built,
        path,
    };
    let record = arguments.out.join(format!("{name}.json"));
    write_whole(&record, format!("{:#}\n", report.json()).as_bytes())?;
    output.print(&report)?;
    Ok(Exit::Success)
}

struct Report<'a> {
    built: &'a Built,
    path: PathBuf,
}

impl Render for Report<'_> {
    fn text(&self, style: Style) -> String {
        let built = self.built;
        format!(
            "{} {}\n{} bytes, {} crates of other people: {}\n",
            style.bold("SHA-256"),
            built.sha256,
            built.bytes,
            built.crates,
            self.path.display()
        )
    }

    fn json(&self) -> Value {
        let built = self.built;
        json!({
            "ok": true,
            "name": built.name,
            "version": built.version,
            "file": self.path,
            "sha256": built.sha256.to_string(),
            "bytes": built.bytes,
            "sources": built.sources.to_string(),
            "crates": built.crates,
        })
    }
}
