//! What a demo leaves: evidence, the signed transaction, manifest, root, the ceremony's shared
//! folder, and how long it took.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_protocol::cbor::{Object as _, from_bytes, to_bytes};
use quorate_protocol::evidence::Evidence;
use quorate_protocol::transcript::Transcript;
use quorate_twins::Twin as _;
use serde_json::{Value, json};

use super::client::Outcomes;
use crate::failure::{Failure, Fault};
use crate::files;
use crate::output::{Render, Style};
use crate::stage::folder::{FILE_MAX, copy};

/// Evidence of the enclave that the key was forwarded to, if it was.
pub(super) const SUCCESSOR: &str = "successor.cbor";

/// Evidence and where it came from.
pub(super) struct Results {
    path: PathBuf,
    evidence: Evidence,
    outcomes: Outcomes,
    shared: PathBuf,
    genesis: String,
}

impl Results {
    /// Puts each statement beside its application's certificate in the boot proof. `genesis` is what the
    /// members pinned, not what the evidence says.
    pub(super) fn collect(
        boot_proof: &Path,
        complete: &Path,
        outcomes: Outcomes,
        shared: &Path,
        genesis: String,
    ) -> Result<Self, Failure> {
        let bytes = files::read(boot_proof, Evidence::MAX, "boot proof")?;
        let broken = |what: String| {
            Failure::refused(
                Fault::Enclave,
                "evidence-broken",
                what,
                "report it with this text",
            )
        };
        let mut evidence: Evidence =
            from_bytes(&bytes).map_err(|error| broken(error.to_string()))?;
        for said in &outcomes.proofs {
            let claim = said.unverified();
            let place = evidence.applications.iter_mut().find(|application| {
                let certificate = application.certificate.unverified();
                certificate.application == claim.application && certificate.start == claim.start
            });
            place
                .ok_or_else(|| broken("no certificate of an application that answered".into()))?
                .proofs
                .push(said.clone());
        }
        files::write_new(complete, &to_bytes(&evidence))?;
        Ok(Self {
            path: complete.to_owned(),
            evidence,
            outcomes,
            shared: shared.to_owned(),
            genesis,
        })
    }

    /// The evidence file.
    pub(super) fn evidence(&self) -> &Path {
        &self.path
    }

    /// A file beside it.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// The genesis digest the demo's people pinned.
    pub(super) fn genesis(&self) -> &str {
        &self.genesis
    }

    /// Every file of the results, by its name there.
    pub(super) fn files(&self, root: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let mut files = vec![
            ("evidence.cbor".into(), to_bytes(&self.evidence)),
            ("evidence.json".into(), pretty(&self.evidence.twin())),
            ("transaction.json".into(), pretty(&self.outcomes.record)),
            (
                "development-root.pem".into(),
                files::read(root, 64 * 1024, "root certificate")?,
            ),
            (
                "definition.json".into(),
                pretty(&self.evidence.record.definition.twin()),
            ),
        ];
        for (name, max) in [
            ("transcript.cbor", Transcript::MAX),
            ("report.html", FILE_MAX),
        ] {
            files.push((name.into(), files::read(&self.beside(name), max, "result")?));
        }
        let successor = self.beside(SUCCESSOR);
        if successor.is_file() {
            let evidence = files::read(&successor, Evidence::MAX, "evidence")?;
            files.push((SUCCESSOR.into(), evidence));
        }
        if let Some(link) = self.evidence.chain.last() {
            files.push(("manifest.cbor".into(), to_bytes(&link.manifest)));
            files.push(("manifest.json".into(), pretty(&link.manifest.twin())));
        }
        copy(&self.shared, "ceremony", &mut files)?;
        Ok(files)
    }

    /// What is printed at the end.
    pub(super) fn finish(&self, out: &Path, timings: BTreeMap<&'static str, Duration>) -> Finished {
        Finished {
            out: out.to_owned(),
            genesis: self.genesis.clone(),
            address: self.outcomes.address.clone(),
            transaction: self.outcomes.transaction.clone(),
            transaction_hash: self.outcomes.transaction_hash.clone(),
            timings,
        }
    }
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// How to call this program again from here.
fn program() -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = std::env::current_exe().unwrap_or_else(|_| "quorate".into());
    path.strip_prefix(&here)
        .unwrap_or(&path)
        .display()
        .to_string()
}

/// The end of a demo.
pub(super) struct Finished {
    out: PathBuf,
    genesis: String,
    address: String,
    transaction: String,
    transaction_hash: String,
    timings: BTreeMap<&'static str, Duration>,
}

impl Finished {
    fn path(&self, name: &str) -> String {
        self.out.join(name).display().to_string()
    }
}

impl Render for Finished {
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        let evidence = self.path("evidence.cbor");
        let root = self.path("development-root.pem");
        let warning = "Made under a DEVELOPMENT root: this proves nothing about any hardware.";
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", style.red(warning));
        let _ = writeln!(text, "genesis   {}", self.genesis);
        let _ = writeln!(text, "evidence  {evidence}");
        let _ = writeln!(text, "manifest  {}", self.path("manifest.cbor"));
        let _ = writeln!(text, "root      {root}");
        let _ = writeln!(text, "steps     {}", self.path("transcript.cbor"));
        let _ = writeln!(text, "report    {}", self.path("report.html"));
        let _ = writeln!(text, "address   {}", self.address);
        let _ = writeln!(text, "signed    {}", self.transaction_hash);
        let _ = writeln!(text, "in        {}", self.path("transaction.json"));
        let total = self.timings.get("total").copied().unwrap_or_default();
        let _ = writeln!(text, "took      {:.2} s", total.as_secs_f64());
        let _ = writeln!(text, "\nCheck it as a stranger would:");
        let genesis = &self.genesis;
        let command = format!("{} verify evidence {evidence}", program());
        let _ = writeln!(
            text,
            "  {command} \\\n      --root {root} \\\n      --genesis {genesis}"
        );
        let _ = writeln!(
            text,
            "Without --root only AWS's own root is trusted, and it is rejected."
        );
        text
    }

    fn json(&self) -> Value {
        let milliseconds = |took: &Duration| (took.as_secs_f64() * 1e6).round() / 1e3;
        let timings: BTreeMap<_, _> = self
            .timings
            .iter()
            .map(|(name, took)| (*name, milliseconds(took)))
            .collect();
        json!({
            "ok": true,
            "out": self.out.display().to_string(),
            "manifest": self.path("manifest.cbor"),
            "evidence": self.path("evidence.cbor"),
            "root": self.path("development-root.pem"),
            "transcript": self.path("transcript.cbor"),
            "report": self.path("report.html"),
            "genesis": self.genesis,
            "address": self.address,
            "transaction": self.transaction,
            "transaction_hash": self.transaction_hash,
            "timings_ms": timings,
            "development": true,
        })
    }
}
