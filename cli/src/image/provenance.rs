//! `quorate image provenance`: the image's origin in the formats other people's tools read.
//!
//! Guarantees: as `quorate-image-provenance`; both files are whole or not there, and the same on
//! every machine. Does not: sign them, or build anything.

use std::path::{Path, PathBuf};

use clap::Args;
use quorate_builder::lock::Lock;
use quorate_builder::recipe::Recipe;
use quorate_builder::sources::Plan;
use quorate_image_provenance::{Origin, bill, statement};
use serde_json::{Value, json};

use super::attest::commit;
use super::common::{Places, explain};
use super::source;
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Output, Render, Style, hex};

const STATEMENT: &str = "provenance.json";
const BILL: &str = "sbom.cdx.json";

/// Write provenance and a bill of materials.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes DIR/provenance.json, an in-toto Statement with SLSA provenance v1, and DIR/sbom.cdx.json, a
CycloneDX 1.6 bill of materials. Both name every input of images/lock.toml by digest. They say what
the lock says; how many independent people got the same image is what `quorate image attest` and
`quorate image verify --rebuilders` are for.

Example:
  quorate image provenance image/quorate.eif --out image")]
pub(crate) struct Arguments {
    /// The image built from this checkout (.eif)
    pub(crate) file: PathBuf,

    /// The folder for both files, which must not exist in it
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Who ran the build, as a URI (SLSA's builder.id)
    #[arg(
        long,
        value_name = "URI",
        default_value = "https://github.com/quorate/quorate/tree/main/reproducible-build"
    )]
    pub(crate) builder: String,

    /// Where the source is published
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://github.com/quorate/quorate"
    )]
    pub(crate) published: String,

    #[command(flatten)]
    pub(super) places: Places,
}

/// Writes both documents.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let paths = [STATEMENT, BILL].map(|name| arguments.out.join(name));
    for path in &paths {
        files::check_new(path)?;
    }
    let sources = arguments.places.sources()?;
    let explain = |error| explain(&error);
    let lock = Lock::read(&sources).map_err(explain)?;
    let recipe = Recipe::read(&sources).map_err(explain)?;
    let plan = Plan::read(&sources.join(&recipe.init.folder)).map_err(explain)?;
    let commit = hex(commit(&sources)?.as_slice());
    let image = source::read(&arguments.file)?;
    let patches = recipe.kernel.patches.iter();
    let patches: Vec<_> = patches
        .map(|path| Path::new("images").join(path).display().to_string())
        .collect();
    let crates = (plan.crates.as_slice(), plan.crates_digest());
    let origin = Origin::new(
        &arguments.published,
        &commit,
        &lock,
        crates,
        &patches,
        &image,
    );
    let origin = origin.map_err(|error| {
        Failure::refused(
            Fault::Caller,
            "no-origin",
            error.to_string(),
            error.remedy(),
        )
    })?;
    std::fs::create_dir_all(&arguments.out)
        .map_err(|error| files::unwritable(&arguments.out, &error))?;
    let documents = [statement(&origin, &arguments.builder), bill(&origin)];
    for (path, document) in paths.iter().zip(&documents) {
        files::write_new(path, format!("{document:#}\n").as_bytes())?;
    }
    output.print(&Written(paths))?;
    Ok(Exit::Success)
}

struct Written([PathBuf; 2]);

impl Render for Written {
    fn text(&self, style: Style) -> String {
        let [statement, bill] = &self.0;
        format!(
            "{} {}\n{} {}\n",
            style.bold("provenance"),
            statement.display(),
            style.bold("materials "),
            bill.display()
        )
    }

    fn json(&self) -> Value {
        let [statement, bill] = &self.0;
        json!({
            "provenance": statement.display().to_string(),
            "sbom": bill.display().to_string(),
        })
    }
}
