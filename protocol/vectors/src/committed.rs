//! The committed files, for tests that read them as another implementation would.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;

use crate::unhex;

/// The `protocol` folder.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A JSON file under `testdata`.
///
/// # Panics
/// If it is not there or is not JSON.
pub fn json(path: &str) -> Value {
    let path = folder().join("testdata").join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// One committed object.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its label.
    pub label: String,
    /// Its name in the file.
    pub name: String,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// Its digest.
    pub digest: Vec<u8>,
    /// How it was signed, if it was.
    pub signed: Option<SignedCase>,
}

/// How a committed object was signed.
#[derive(Clone, Debug)]
pub struct SignedCase {
    /// SEC1 compressed.
    pub public_key: Vec<u8>,
    /// Sig_structure.
    pub to_be_signed: Vec<u8>,
    /// r, then s.
    pub signature: Vec<u8>,
    /// The whole COSE_Sign1.
    pub cose_sign1: Vec<u8>,
}

/// Every case of `testdata/objects/STEM.json`.
///
/// # Panics
/// If the file is not there or not of the form its README describes.
pub fn cases(stem: &str) -> Vec<Case> {
    let file = json(&format!("objects/{stem}.json"));
    let cases = file["cases"].as_array().expect("cases");
    let of = |case| Case {
        label: text(&file, "label"),
        name: text(case, "name"),
        bytes: bytes(case, "bytes"),
        digest: bytes(case, "digest"),
        signed: case.get("cose_sign1").map(|_| SignedCase {
            public_key: bytes(case, "public_key"),
            to_be_signed: bytes(case, "to_be_signed"),
            signature: bytes(case, "signature"),
            cose_sign1: bytes(case, "cose_sign1"),
        }),
    };
    cases.iter().map(of).collect()
}

/// Every case of every kind.
///
/// # Panics
/// As [`cases`].
pub fn all_cases() -> Vec<Case> {
    crate::kinds::KINDS
        .iter()
        .flat_map(|kind| cases(kind.stem()))
        .collect()
}

/// A text field.
///
/// # Panics
/// If it is none.
pub fn text(value: &Value, field: &str) -> String {
    let text = value[field].as_str();
    text.unwrap_or_else(|| panic!("{field} is no text")).into()
}

/// A field of hexadecimal bytes.
///
/// # Panics
/// If it is none.
pub fn bytes(value: &Value, field: &str) -> Vec<u8> {
    unhex(&text(value, field))
}

/// Every committed file that is generated: all of `testdata` but its README, and the seeds of
/// `corpus`.
///
/// # Errors
/// What the file system says.
pub fn generated() -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder().join("testdata"), folder().join("corpus")];
    while let Some(next) = folders.pop() {
        if !next.exists() {
            continue;
        }
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.starts_with("seed-") || name.ends_with(".json") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
