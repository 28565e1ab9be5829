//! The corpus in `verify/testdata/attestation`: every row of this test binary as a file, with a
//! manifest that other implementations can read. Its README says how.
//!
//! `cargo test -p quorate-verify --test attestation -- --ignored regenerate` writes it again. The
//! signatures are deterministic (RFC 6979), so the same code makes the same bytes.

mod facts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs};

use quorate_verify::attestation::{DebugMode, Partition, TrustAnchor, TrustAnchors};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::facts::hex;
use crate::case::{Acceptance, Case, Demand, Refusal};
use crate::{
    accepted, certificates, chain, envelope, freshness, hostile, identity, links, payload, shapes,
    types,
};

/// Largest whole number that every JSON reader keeps exactly.
const EXACT: u64 = 1 << 53;

/// The corpus without its manifest, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// One document, and what must become of it.
struct Row {
    /// Folder and file, without the ending.
    name: String,
    case: Case,
    /// In place of what the case makes.
    bytes: Option<Vec<u8>>,
    /// The code of the refusal under the case's own demands; `None` for an accepted document.
    code: Option<&'static str>,
    reason: String,
}

fn rows() -> Vec<Row> {
    let refusals: [(&str, &[Refusal]); 6] = [
        ("certificates", certificates::REFUSALS),
        ("chain", chain::REFUSALS),
        ("envelope", envelope::REFUSALS),
        ("freshness", freshness::REFUSALS),
        ("identity", identity::REFUSALS),
        ("payload", payload::REFUSALS),
    ];
    let mut rows = Vec::new();
    for (group, refusals) in refusals {
        rows.extend(refusals.iter().map(|row| refusal(group, row)));
    }
    rows.extend(accepted::ACCEPTANCES.iter().map(acceptance));
    rows.extend(shapes::accepted().into_iter().map(|(name, case)| Row {
        name: format!("shapes/{name}"),
        case,
        bytes: None,
        code: None,
        reason: String::new(),
    }));
    let by_code = shapes::refused().into_iter();
    rows.extend(by_code.map(|(name, case, code)| Row {
        name: format!("shapes/{name}"),
        case,
        bytes: None,
        code: Some(code),
        reason: String::new(),
    }));
    rows.extend(links::refused().into_iter().map(|(name, case, error)| Row {
        name: format!("links/{name}"),
        case,
        bytes: None,
        code: Some(error.code()),
        reason: error.to_string(),
    }));
    let of_types = types::refused().into_iter();
    rows.extend(of_types.map(|(name, case, (expected, found))| Row {
        name: format!("types/{name}"),
        case,
        bytes: None,
        code: Some("cbor"),
        reason: format!("expected {expected}, found {found}"),
    }));
    rows.extend(hostile::rows().into_iter().map(|(name, bytes, code)| Row {
        name: format!("hostile/{name}"),
        case: Case::new(),
        bytes: Some(bytes),
        code: Some(code),
        reason: String::new(),
    }));
    rows.retain(|row| row.verify_at().is_none_or(|at| at < EXACT));
    rows.sort_by(|one, two| one.name.cmp(&two.name));
    rows
}

fn refusal(group: &str, row: &Refusal) -> Row {
    let mut case = Case::new();
    (row.defect)(&mut case);
    let error = (row.expected)();
    let name = row.name;
    let name = name.strip_suffix("_fails_closed").unwrap_or(name);
    let name = name.strip_suffix("_fail_closed").unwrap_or(name);
    Row {
        name: format!("{group}/{}", name.replace('_', "-")),
        case,
        bytes: None,
        code: Some(error.code()),
        reason: error.to_string(),
    }
}

fn acceptance(row: &Acceptance) -> Row {
    let mut case = Case::new();
    (row.change)(&mut case);
    Row {
        name: format!("accepted/{}", row.name.replace('_', "-")),
        case,
        bytes: None,
        code: None,
        reason: String::new(),
    }
}

impl Row {
    fn file(&self) -> String {
        format!("{}.bin", self.name)
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes
            .clone()
            .unwrap_or_else(|| self.case.recipe.build())
    }

    /// The DER of the root that is trusted for this row; `None` for AWS's own.
    fn root(&self) -> Option<Vec<u8>> {
        let own;
        let anchors = match &self.case.anchors {
            Some(anchors) => anchors,
            None => {
                own = self.case.recipe.anchors();
                &own
            }
        };
        let anchor = anchors.iter().next().expect("a root");
        (anchor.partition() != Partition::Aws).then(|| anchor.der().to_vec())
    }

    /// The time at which the document is examined; `None` for that of its signing.
    fn verify_at(&self) -> Option<u64> {
        match &self.case.demand {
            Demand::Archived(at) => *at,
            Demand::Challenged(..) => Some(self.case.recipe.timestamp_ms / 1000),
            Demand::Live(_, _, now) => Some(*now),
        }
    }

    /// What a verifier of records has to say: refused with which code, debug mode allowed or not.
    fn as_record(&self, bytes: &[u8], debug: DebugMode) -> Option<&'static str> {
        let mut case = Case::new();
        case.demand = Demand::Archived(self.verify_at());
        case.debug = debug;
        code(&case, bytes, &self.anchors())
    }

    fn anchors(&self) -> TrustAnchors {
        match &self.case.anchors {
            Some(anchors) => anchors.clone(),
            None => self.case.recipe.anchors(),
        }
    }

    /// The entry of the manifest.
    fn entry(&self, bytes: &[u8], root: Option<&str>) -> Value {
        let debug_alone = self.code == Some("debug-mode");
        let (verdict, code) = match self.code {
            None | Some("debug-mode") => ("accept", None),
            code => ("reject", code),
        };
        let by_default = match self.code {
            None => "accept".to_owned(),
            Some(code) => format!("reject: {code}"),
        };
        let record = self.as_record(bytes, DebugMode::Allowed);
        let facts = (verdict == "accept").then(|| facts::of(&self.case.recipe));
        let mut entry = json!({
            "file": self.file(),
            "sha256": hex(&Sha256::digest(bytes)),
            "verify_at": self.verify_at(),
            "expected": verdict,
            "expected_default_policy": by_default,
            "reason": if debug_alone { "" } else { &self.reason },
            "origin": {
                "repository": "quorate",
                "path": "verify/tests/attestation",
                "licence": "Apache-2.0",
            },
            "error": code,
            "root": root,
            "facts": facts,
        });
        if record != code {
            entry["freshness"] = demand(&self.case.demand);
        }
        entry
    }
}

/// The demand of a row whose refusal is about freshness.
fn demand(demand: &Demand) -> Value {
    let ms = |time: &Duration| u64::try_from(time.as_millis()).expect("a short time");
    match demand {
        Demand::Archived(_) => panic!("a record is refused as a record"),
        Demand::Challenged(nonce, elapsed, max_age) => json!({
            "kind": "challenged",
            "nonce": hex(nonce),
            "elapsed_ms": ms(elapsed),
            "max_age_ms": ms(max_age),
        }),
        Demand::Live(nonce, max_age, now) => json!({
            "kind": "live",
            "nonce": hex(nonce),
            "max_age_ms": ms(max_age),
            "now": now,
        }),
    }
}

fn code(case: &Case, bytes: &[u8], anchors: &TrustAnchors) -> Option<&'static str> {
    case.verify_bytes(bytes, anchors)
        .err()
        .map(|error| error.code())
}

/// Every file of the corpus by its path, made once.
fn made() -> &'static BTreeMap<PathBuf, Vec<u8>> {
    static MADE: OnceLock<BTreeMap<PathBuf, Vec<u8>>> = OnceLock::new();
    MADE.get_or_init(make)
}

fn make() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut entries = Vec::new();
    for row in rows() {
        let bytes = row.bytes();
        let root = row.root().map(|der| {
            let path = format!("roots/{}.der", &hex(&Sha256::digest(&der))[..16]);
            files.insert(PathBuf::from(&path), der);
            path
        });
        entries.push(row.entry(&bytes, root.as_deref()));
        let before = files.insert(PathBuf::from(row.file()), bytes);
        assert!(before.is_none(), "{} twice", row.name);
    }
    let mut manifest = serde_json::to_vec_pretty(&entries).expect("JSON");
    manifest.push(b'\n');
    files.insert(PathBuf::from("manifest.json"), manifest);
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/attestation")
}

/// Every file below a folder, by its path from there.
fn found(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).expect("below it").to_owned());
            }
        }
    }
    found
}

#[test]
fn the_committed_corpus_is_what_the_generator_makes() {
    let (folder, made) = (folder(), made());
    let mut found = found(&folder);
    assert!(found.remove(Path::new("README.md")));
    assert_eq!(found, made.keys().cloned().collect::<BTreeSet<_>>());
    for (path, bytes) in made {
        let committed = fs::read(folder.join(path)).expect("a file");
        assert!(committed == *bytes, "{} has changed", path.display());
    }
}

#[test]
fn every_row_is_answered_as_it_says() {
    for row in rows() {
        let bytes = row.bytes();
        assert_eq!(
            code(&row.case, &bytes, &row.anchors()),
            row.code,
            "{}",
            row.name
        );
        if row.code == Some("debug-mode") {
            let allowed = row.as_record(&bytes, DebugMode::Allowed);
            assert_eq!(allowed, None, "{}", row.name);
        }
    }
}

#[test]
fn the_corpus_is_large_enough_and_no_larger() {
    let files = made();
    let documents = |path: &&PathBuf| path.extension().is_some_and(|end| end == "bin");
    assert!(files.keys().filter(documents).count() >= 500);
    let all = files.iter().filter(|(path, _)| documents(path));
    assert!(all.map(|(_, bytes)| bytes.len()).sum::<usize>() < LARGEST);
    for (path, der) in files {
        if path.starts_with("roots") {
            assert!(TrustAnchor::from_der(Partition::Development, der).is_ok());
        }
    }
}

#[test]
#[ignore = "writes the corpus; run by hand after a change of rows"]
fn regenerate() {
    let folder = folder();
    fs::create_dir_all(&folder).expect("the folder");
    for path in found(&folder) {
        if path != Path::new("README.md") {
            fs::remove_file(folder.join(path)).expect("an old file");
        }
    }
    for (path, bytes) in made() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
}
