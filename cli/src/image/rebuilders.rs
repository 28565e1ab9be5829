//! A rebuilder policy from a file, and statements of rebuilders from others.
//!
//! Guarantees: a policy that was read has every field it may have and no other; each statement is
//! one object of the contract, within its size. Does not: decide; `quorate_verify::rebuilds` does.

use std::path::{Path, PathBuf};

use quorate_eif::Measurements;
use quorate_protocol::atoms::{Name, Pcr, Sha256};
use quorate_protocol::cbor::{Object as _, from_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::rebuild::{Commit, Rebuild};
use quorate_verify::rebuilds::{
    Claim, MAX_STATEMENTS, Rebuilder, RebuilderPolicy, RebuildsError, Rebuilt, verify,
};
use toml::{Table, Value};

use crate::failure::{Failure, Fault};
use crate::files;

/// Largest policy file, in bytes.
const POLICY_MAX: usize = 64 * 1024;

/// Reads a policy.
pub(super) fn policy(path: &Path) -> Result<RebuilderPolicy, Failure> {
    let bytes = files::read(path, POLICY_MAX, "rebuilder policy")?;
    parse(&bytes).map_err(|why| {
        Failure::usage(
            "policy-malformed",
            format!("{} is no rebuilder policy: {why}", path.display()),
            "quorate image verify --help shows one",
        )
    })
}

fn parse(bytes: &[u8]) -> Result<RebuilderPolicy, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let table: Table = text.parse().map_err(|_| "it is not TOML")?;
    known(&table, &["threshold", "rebuilder"])?;
    let threshold = table.get("threshold").and_then(Value::as_integer);
    let threshold = threshold.and_then(|number| usize::try_from(number).ok());
    let threshold = threshold.ok_or("threshold is not a number")?;
    let list = table.get("rebuilder").and_then(Value::as_array);
    let list = list.ok_or("there is no [[rebuilder]]")?;
    let rebuilders: Result<Vec<_>, String> = list.iter().map(rebuilder).collect();
    RebuilderPolicy::new(threshold, rebuilders?).map_err(|error| error.to_string())
}

fn rebuilder(value: &Value) -> Result<Rebuilder, String> {
    let table = value.as_table().ok_or("a rebuilder is not a table")?;
    known(table, &["name", "key"])?;
    let text = |key: &str| table.get(key).and_then(Value::as_str);
    let name = text("name").and_then(|name| Name::new(name).ok());
    let name = name.ok_or("a rebuilder's name is missing or not one")?;
    let key = text("key").and_then(bytes_of_hex);
    let key = key.and_then(|bytes| VerificationKey::from_sec1(&bytes).ok());
    let key = key.ok_or_else(|| {
        format!(
            "the key of {name} is not a P-256 point in hexadecimal, as quorate image attest prints"
        )
    })?;
    Ok(Rebuilder { name, key })
}

fn known(table: &Table, keys: &[&str]) -> Result<(), String> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("it has an unknown key {key:?}")),
        None => Ok(()),
    }
}

/// An even number of hexadecimal digits, at most 130.
fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 130 {
        return None;
    }
    let digit = |digit: &u8| {
        let value = char::from(*digit).to_digit(16)?;
        u8::try_from(value).ok()
    };
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

/// A commit as 40 or 64 hexadecimal digits.
pub(super) fn parse_commit(text: &str) -> Option<Commit> {
    matches!(text.len(), 40 | 64).then_some(())?;
    Commit::new(bytes_of_hex(text)?).ok()
}

/// Reads statements.
pub(super) fn statements(paths: &[PathBuf]) -> Result<Vec<Signed<Rebuild>>, Failure> {
    if paths.len() > MAX_STATEMENTS {
        return Err(Failure::usage(
            "too-many-statements",
            format!("{} statements; at most {MAX_STATEMENTS}", paths.len()),
            "name one for each rebuilder of the policy",
        ));
    }
    let statement = |path: &PathBuf| {
        let bytes = files::read(path, Signed::<Rebuild>::MAX, "rebuild statement")?;
        from_bytes(&bytes).map_err(|error| {
            Failure::usage(
                "statement-malformed",
                format!("{} is no rebuild statement: {error}", path.display()),
                "name a file that quorate image attest wrote",
            )
        })
    };
    paths.iter().map(statement).collect()
}

/// Decides about an image.
pub(super) fn decide(
    policy: &RebuilderPolicy,
    measured: &Measurements,
    commit: Option<Commit>,
    lock: Option<Sha256>,
    statements: &[Signed<Rebuild>],
) -> Result<Rebuilt, Failure> {
    let claim = Claim {
        registers: [measured.pcr0, measured.pcr1, measured.pcr2].map(|pcr| Pcr(*pcr.as_bytes())),
        commit,
        lock,
    };
    verify(policy, &claim, statements).map_err(|error| {
        let remedy = match error {
            RebuildsError::TooFew { .. } => {
                "get statements of more rebuilders, or rebuild it yourself: quorate image rebuild"
            }
            RebuildsError::Equivocation { .. } => "take them out of the policy, and ask them why",
            _ => "get the statements again from the rebuilders themselves",
        };
        Failure::refused(Fault::Sender, "not-rebuilt", error.to_string(), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    const OTHER: &str = "037cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978";

    fn good() -> String {
        format!(
            "threshold = 2\n[[rebuilder]]\nname = \"alice\"\nkey = \"{KEY}\"\n\
             [[rebuilder]]\nname = \"bob\"\nkey = \"{OTHER}\"\n"
        )
    }

    #[test]
    fn a_policy_is_read() {
        let policy = parse(good().as_bytes()).expect("a policy");
        assert_eq!(policy.threshold(), 2);
        let names: Vec<_> = policy
            .rebuilders()
            .iter()
            .map(|r| r.name.as_str())
            .collect();
        assert_eq!(names, ["alice", "bob"]);
    }

    #[test]
    fn policies_that_are_none_fail_closed() {
        let good = good();
        for (from, to) in [
            ("threshold = 2", ""),
            ("threshold = 2", "threshold = 0"),
            ("threshold = 2", "threshold = 3"),
            ("threshold = 2", "threshold = -1"),
            ("threshold = 2", "threshold = \"2\""),
            ("threshold = 2", "threshold = 2\nmore = 1"),
            ("name = \"alice\"", ""),
            ("name = \"alice\"", "name = \"bob\""),
            ("name = \"alice\"", "name = \"alice\"\nurl = \"x\""),
            (OTHER, KEY),
            (OTHER, "00"),
            (OTHER, "zz"),
            ("[[rebuilder]]", "[[builder]]"),
            ("threshold", "="),
        ] {
            let text = good.replace(from, to);
            assert_ne!(text, good);
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"\xff").is_err() && parse(b"").is_err());
    }
}
