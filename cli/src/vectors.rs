//! `quorate verify vectors`: a whole set of attestation documents against what is known of each.
//!
//! Guarantees: every row of the manifest is run, and a row passes only if the digest of its file,
//! the verdict with and without debug mode, the error's code where one is named, and every fact the
//! manifest has of an accepted document are as the manifest says. No file outside the manifest's
//! folder is read. Fields of the manifest that this version does not know are named in the result,
//! never silently passed.
//!
//! Trusts: AWS's commercial root, the root passed with `--root` in its place, or the one that a row
//! names: whoever wrote the manifest decides what is trusted for its own rows, so a set that passes
//! says something about this verifier, and nothing about the documents.
//!
//! The decision about each document is that of `quorate_verify::attestation::verify`.

mod facts;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use quorate_verify::attestation::{
    AttestationError, Attested, DebugMode, Freshness, Partition, TrustAnchor, TrustAnchors, verify,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::manifest::{Demand, Expected, Manifest, Row};
use crate::arguments::VerifyVectors;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::output::{Output, Render, Style, clean, hex};
use crate::pem;

/// Largest manifest, in bytes.
const MANIFEST_MAX: usize = 64 * 1024 * 1024;

/// Largest document or root that a manifest may name, in bytes. Hostile documents are longer than
/// genuine ones, but not by this much.
const FILE_MAX: usize = 1024 * 1024;

/// One difference between a row and what was found.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    /// The manifest's name of what differs, with dots between the levels.
    field: String,
    expected: String,
    found: String,
}

impl Difference {
    fn new(
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// What became of one row.
struct Outcome {
    file: String,
    /// The verdict where debug mode is allowed.
    verdict: &'static str,
    code: Option<&'static str>,
    differences: Vec<Difference>,
}

/// Runs a set and prints what differs.
pub(crate) fn run(arguments: &VerifyVectors, output: Output) -> Result<Exit, Failure> {
    let bytes = files::read(&arguments.manifest, MANIFEST_MAX, "manifest")?;
    let manifest = Manifest::parse(&bytes)
        .map_err(|problem| unusable(&arguments.manifest, &problem.to_string()))?;
    let folder = Folder::of(&arguments.manifest)?;
    let default = match &arguments.root {
        None => TrustAnchor::aws_commercial(),
        Some(path) => root(path, &files::read(path, FILE_MAX, "root certificate")?)?,
    };
    let mut roots = BTreeMap::new();
    let mut rows = Vec::with_capacity(manifest.rows.len());
    // Every file is found before anything is judged: a set with a hole in it is no result.
    for row in &manifest.rows {
        let path = folder.file(&row.file)?;
        if let Some(name) = &row.root
            && !roots.contains_key(name)
        {
            let path = folder.file(name)?;
            let der = files::read(&path, FILE_MAX, "root certificate")?;
            roots.insert(name.clone(), root(&path, &der)?);
        }
        rows.push((row, path));
    }
    let progress = bar(output, rows.len());
    let mut outcomes = Vec::with_capacity(rows.len());
    for (row, path) in rows {
        let bytes = files::read(&path, FILE_MAX, "document")?;
        let named = row.root.as_ref().and_then(|name| roots.get(name));
        outcomes.push(examine(row, &bytes, named.unwrap_or(&default))?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let ran = Ran {
        manifest: arguments.manifest.clone(),
        outcomes,
        unknown: manifest.unknown,
    };
    let exit = if ran.failed() == 0 {
        Exit::Success
    } else {
        Exit::Refused
    };
    output.print(&ran)?;
    Ok(exit)
}

fn bar(output: Output, rows: usize) -> ProgressBar {
    if output.is_lively() {
        ProgressBar::new(rows as u64).with_message("documents")
    } else {
        ProgressBar::hidden()
    }
}

/// Runs one row.
fn examine(row: &Row, bytes: &[u8], root: &TrustAnchor) -> Result<Outcome, Failure> {
    let mut anchors = TrustAnchors::empty();
    anchors
        .insert(root.clone())
        .map_err(|error| Failure::usage("root-unusable", error.to_string(), "name another root"))?;
    let run = |debug| verify(bytes, &anchors, &row.demand.freshness(row.verify_at), debug);
    let (allowed, refused) = (run(DebugMode::Allowed), run(DebugMode::Refused));

    let mut differences = Vec::new();
    if let Some(expected) = &row.sha256 {
        let found = hex(&Sha256::digest(bytes));
        if *expected != found {
            differences.push(Difference::new("sha256", expected, found));
        }
    }
    compare(
        "expected",
        row.expected.as_ref(),
        &allowed,
        &mut differences,
    );
    let by_default = row.expected_default_policy.as_ref();
    compare(
        "expected_default_policy",
        by_default,
        &refused,
        &mut differences,
    );
    if let Some(expected) = &row.error {
        let found = allowed.as_ref().err().map(AttestationError::code);
        if found != Some(expected) {
            let found = found.unwrap_or("no error");
            differences.push(Difference::new("error", expected, found));
        }
    }
    if let (Some(facts), Ok(attested)) = (&row.facts, &allowed) {
        facts.compare(bytes, attested, &mut differences);
    }
    Ok(Outcome {
        file: row.file.clone(),
        verdict: if allowed.is_ok() { "accept" } else { "reject" },
        code: allowed.err().map(|error| error.code()),
        differences,
    })
}

/// Compares a verdict. The code after `reject:` is compared where it is one of debug mode, the only
/// reason that a policy adds; other projects name other reasons in their own words.
fn compare(
    field: &str,
    expected: Option<&Expected>,
    found: &Result<Attested, AttestationError>,
    differences: &mut Vec<Difference>,
) {
    const DEBUG: &str = "debug-mode";
    let Some(expected) = expected else { return };
    let code = found.as_ref().err().map(AttestationError::code);
    let same = match (expected, code) {
        (Expected::Accept, None) => true,
        (Expected::Reject(reason), Some(code)) => reason.as_deref() != Some(DEBUG) || code == DEBUG,
        _ => false,
    };
    if !same {
        let found = match code {
            None => "accept".to_owned(),
            Some(code) => format!("reject: {code}"),
        };
        differences.push(Difference::new(field, expected.to_string(), found));
    }
}

impl Demand {
    fn freshness(&self, verify_at: Option<u64>) -> Freshness<'_> {
        match self {
            Self::Archived => Freshness::Archived { at_unix: verify_at },
            Self::Challenged {
                nonce,
                elapsed_ms,
                max_age_ms,
            } => Freshness::Challenged {
                nonce,
                elapsed: Duration::from_millis(*elapsed_ms),
                max_age: Duration::from_millis(*max_age_ms),
            },
            Self::Live {
                nonce,
                max_age_ms,
                now,
            } => Freshness::Live {
                nonce,
                max_age: Duration::from_millis(*max_age_ms),
                now_unix: *now,
            },
        }
    }
}

fn root(path: &Path, file: &[u8]) -> Result<TrustAnchor, Failure> {
    let refused = |why: String| {
        Failure::usage(
            "root-unusable",
            format!("{} is no root certificate: {why}", path.display()),
            "name the file of one root certificate, PEM or DER",
        )
    };
    let der = pem::certificate(file).map_err(|error| refused(error.to_string()))?;
    let aws = TrustAnchor::aws_commercial();
    if aws.der() == der {
        return Ok(aws);
    }
    TrustAnchor::from_der(Partition::Development, &der).map_err(|error| refused(error.to_string()))
}

fn unusable(manifest: &Path, why: &str) -> Failure {
    Failure::usage(
        "manifest-unusable",
        format!("{}: {why}", manifest.display()),
        "correct the manifest; verify/testdata/attestation/README.md describes its fields",
    )
}

/// The manifest's folder, outside of which nothing is read.
struct Folder {
    manifest: PathBuf,
    folder: PathBuf,
}

impl Folder {
    fn of(manifest: &Path) -> Result<Self, Failure> {
        let folder = match manifest.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = folder
            .canonicalize()
            .map_err(|error| unusable(manifest, &format!("its folder cannot be read: {error}")))?;
        Ok(Self {
            manifest: manifest.to_owned(),
            folder,
        })
    }

    /// The file that the manifest names, with links followed.
    fn file(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name).canonicalize().map_err(|error| {
            unusable(&self.manifest, &format!("{name} cannot be read: {error}"))
        })?;
        if path.starts_with(&self.folder) {
            return Ok(path);
        }
        let why = format!("{name} leads out of the manifest's folder");
        Err(unusable(&self.manifest, &why))
    }
}

/// A set that was run.
struct Ran {
    manifest: PathBuf,
    outcomes: Vec<Outcome>,
    unknown: BTreeSet<String>,
}

impl Ran {
    fn failed(&self) -> usize {
        let failed = |outcome: &&Outcome| !outcome.differences.is_empty();
        self.outcomes.iter().filter(failed).count()
    }
}

impl Render for Ran {
    fn text(&self, style: Style) -> String {
        let (all, failed) = (self.outcomes.len(), self.failed());
        let mut text = String::new();
        let rows = self.outcomes.iter().flat_map(|outcome| {
            let shown = |difference: &Difference| {
                [
                    outcome.file.clone(),
                    difference.field.clone(),
                    difference.expected.clone(),
                    difference.found.clone(),
                ]
                .map(|cell| clean(&cell))
            };
            outcome.differences.iter().map(shown)
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            let head = ["FILE", "FIELD", "EXPECTED", "FOUND"].map(str::to_owned);
            let width = |column: usize| {
                let cells = rows.iter().chain([&head]);
                cells
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or(0)
            };
            let widths = [width(0), width(1), width(2)];
            let line = |row: &[String; 4]| {
                let [file, field, expected, found] = row;
                format!(
                    "{file:0$}  {field:1$}  {expected:2$}  {found}\n",
                    widths[0], widths[1], widths[2]
                )
            };
            text.push_str(&style.bold(line(&head).trim_end()));
            text.push('\n');
            rows.iter().for_each(|row| text.push_str(&line(row)));
            text.push('\n');
        }
        let documents = if all == 1 { "document" } else { "documents" };
        let summary = match failed {
            0 => style.green(&format!("{all} {documents}, all as the manifest says")),
            _ => style.red(&format!(
                "{all} {documents}, {failed} not as the manifest says"
            )),
        };
        text.push_str(&summary);
        text.push('\n');
        if !self.unknown.is_empty() {
            let names: Vec<_> = self.unknown.iter().map(|name| clean(name)).collect();
            let line = format!(
                "not compared, unknown to this version: {}",
                names.join(", ")
            );
            text.push_str(&style.yellow(&line));
            text.push('\n');
        }
        text
    }

    fn json(&self) -> Value {
        let (all, failed) = (self.outcomes.len(), self.failed());
        let difference = |difference: &Difference| {
            json!({
                "field": difference.field,
                "expected": difference.expected,
                "found": difference.found,
            })
        };
        let rows = self.outcomes.iter().map(|outcome| {
            let differences = outcome.differences.iter().map(difference);
            json!({
                "file": outcome.file,
                "passed": outcome.differences.is_empty(),
                "verdict": outcome.verdict,
                "code": outcome.code,
                "differences": differences.collect::<Vec<_>>(),
            })
        });
        json!({
            "verdict": if failed == 0 { "pass" } else { "fail" },
            "manifest": self.manifest.display().to_string(),
            "documents": all,
            "passed": all - failed,
            "failed": failed,
            "not_compared": self.unknown.iter().collect::<Vec<_>>(),
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}
