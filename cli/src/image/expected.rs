//! Measurements somebody wrote down: what `quorate image measure --json` printed, and where it is
//! asked for what else names them: an answer of `quorate image build`, or a manifest.
//!
//! Guarantees: every key is known, every value is 96 hexadecimal digits, PCR0 to 2 are there; a
//! manifest is canonical and keeps its rules. Does not: say where the file came from, or who
//! approved a manifest.

use std::path::Path;

use quorate_eif::PcrValue;
use quorate_protocol::cbor::from_bytes;
use quorate_protocol::manifest::Manifest;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::files;

/// Largest file of measurements, in bytes.
const MAX: usize = 64 * 1024;

/// Largest manifest, in bytes; one with its twin's white space is smaller, too.
const MANIFEST_MAX: usize = 512 * 1024;

/// Measurements to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) pcr0: PcrValue,
    pub(crate) pcr1: PcrValue,
    pub(crate) pcr2: PcrValue,
    /// `None` where the file does not say; then it is not compared.
    pub(crate) pcr8: Option<PcrValue>,
}

impl Expected {
    /// Reads a file of measurements.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read(path, MAX, "measurements file")?;
        Self::parse(&bytes).map_err(|why| {
            Failure::usage(
                "measurements-malformed",
                format!("{} holds no measurements: {why}", path.display()),
                "write it with: quorate image measure IMAGE --json",
            )
        })
    }

    /// Reads a file of measurements, an answer that has them under "measurements", or a manifest.
    pub(crate) fn read_any(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read(path, MANIFEST_MAX, "measurements file")?;
        Self::parse_any(&bytes).map_err(|why| {
            Failure::usage(
                "measurements-malformed",
                format!("{} names no measurements: {why}", path.display()),
                "name a manifest.cbor, or write the file with: quorate image measure IMAGE --json",
            )
        })
    }

    fn parse_any(bytes: &[u8]) -> Result<Self, &'static str> {
        // No text begins as a manifest does.
        if let Ok(manifest) = from_bytes::<Manifest>(bytes) {
            let value = |pcr: quorate_protocol::atoms::Pcr| PcrValue::from_bytes(pcr.0);
            let named = &manifest.measurements;
            return Ok(Self {
                pcr0: value(named.pcr0),
                pcr1: value(named.pcr1),
                pcr2: value(named.pcr2),
                pcr8: named.pcr8.map(value),
            });
        }
        let mut object = object(bytes).map_err(|_| "it is neither a manifest nor a JSON object")?;
        match object.remove("measurements") {
            None => Self::of(&object),
            Some(Value::Object(mut named)) => {
                // The role is the parent instance's, no part of an image.
                named.remove("role_arn");
                Self::of(&named)
            }
            Some(_) => Err("\"measurements\" is no object"),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        Self::of(&object(bytes)?)
    }

    fn of(object: &Map<String, Value>) -> Result<Self, &'static str> {
        let known = ["pcr0", "pcr1", "pcr2", "pcr8"];
        if object.keys().any(|key| !known.contains(&key.as_str())) {
            return Err("it has keys other than pcr0, pcr1, pcr2, pcr8");
        }
        let needed = |key| register(object, key)?.ok_or("pcr0, pcr1 or pcr2 is missing");
        Ok(Self {
            pcr0: needed("pcr0")?,
            pcr1: needed("pcr1")?,
            pcr2: needed("pcr2")?,
            pcr8: register(object, "pcr8")?,
        })
    }
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("it is not one JSON object"),
        Err(_) => Err("it is not JSON"),
    }
}

fn register(object: &Map<String, Value>, key: &str) -> Result<Option<PcrValue>, &'static str> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => PcrValue::from_hex(text)
            .map(Some)
            .ok_or("a value is not 96 hexadecimal digits"),
        Some(_) => Err("a value is not text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_measure_prints_is_read() {
        let value = |byte: &str| byte.repeat(48);
        let text = format!(
            r#"{{"pcr0":"{}","pcr1":"{}","pcr2":"{}","pcr8":null}}"#,
            value("00"),
            value("0f"),
            value("ff")
        );
        let expected = Expected {
            pcr0: PcrValue::from_bytes([0; 48]),
            pcr1: PcrValue::from_bytes([15; 48]),
            pcr2: PcrValue::from_bytes([255; 48]),
            pcr8: None,
        };
        assert_eq!(Expected::parse(text.as_bytes()), Ok(expected));
    }

    /// Where the command line asks for what was approved, whatever says it will do.
    #[test]
    fn an_answer_of_build_is_read_where_it_may_be() {
        let value = |byte: &str| byte.repeat(48);
        let named = format!(
            r#"{{"pcr0":"{}","pcr1":"{}","pcr2":"{}""#,
            value("01"),
            value("02"),
            value("03"),
        );
        let expected = Expected {
            pcr0: PcrValue::from_bytes([1; 48]),
            pcr1: PcrValue::from_bytes([2; 48]),
            pcr2: PcrValue::from_bytes([3; 48]),
            pcr8: None,
        };
        for text in [
            format!("{named}}}"),
            format!(r#"{{"ok":true,"measurements":{named},"pcr8":null}}}}"#),
            format!(r#"{{"object":"m","measurements":{named},"role_arn":"arn:aws:iam"}}}}"#),
        ] {
            assert_eq!(Expected::parse_any(text.as_bytes()), Ok(expected), "{text}");
        }
        let text = format!(r#"{{"measurements":{named}}}}}"#);
        assert!(Expected::parse(text.as_bytes()).is_err());
    }

    /// The manifests of the committed vectors.
    fn manifests() -> Vec<(String, Vec<u8>)> {
        let text = include_str!("../../../protocol/testdata/objects/manifest.json");
        let vectors: Value = serde_json::from_str(text).expect("vectors");
        let cases = vectors["cases"].as_array().expect("cases");
        let case = |case: &Value| {
            let hex = case["bytes"].as_str()?;
            let bytes = (0..hex.len()).step_by(2);
            let bytes = bytes.map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
            Some((
                case["name"].as_str()?.to_owned(),
                bytes.collect::<Option<_>>()?,
            ))
        };
        cases.iter().map(|one| case(one).expect("a case")).collect()
    }

    #[test]
    fn a_manifest_and_its_twin_name_the_same_measurements() {
        let text = include_str!("../../../protocol/testdata/twins/manifest.json");
        let twins: Value = serde_json::from_str(text).expect("twins");
        let manifests = manifests();
        assert!(!manifests.is_empty());
        for (name, bytes) in manifests {
            let decoded: Manifest = from_bytes(&bytes).expect("a manifest");
            let read = Expected::parse_any(&bytes).expect("measurements");
            assert_eq!(read.pcr0.as_bytes(), &decoded.measurements.pcr0.0);
            assert_eq!(read.pcr1.as_bytes(), &decoded.measurements.pcr1.0);
            assert_eq!(read.pcr2.as_bytes(), &decoded.measurements.pcr2.0);
            let pcr8 = decoded.measurements.pcr8.map(|pcr| pcr.0);
            assert_eq!(read.pcr8.map(|pcr| *pcr.as_bytes()), pcr8);
            let twin = twins[&name].to_string();
            assert_eq!(Expected::parse_any(twin.as_bytes()), Ok(read), "{name}");
            assert!(Expected::parse(&bytes).is_err());
        }
    }

    #[test]
    fn what_is_no_manifest_and_no_answer_fails_closed() {
        let good = "5a".repeat(48);
        let (_, manifest) = manifests().remove(0);
        let mut longer = manifest.clone();
        longer.push(0);
        for bytes in [
            b"".as_slice(),
            b"{}",
            br#"{"measurements":7}"#,
            br#"{"measurements":{}}"#,
            format!(r#"{{"measurements":{{"pcr0":"{good}","pcr1":"{good}"}}}}"#).as_bytes(),
            &manifest[..manifest.len() - 1],
            &longer,
        ] {
            assert!(Expected::parse_any(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn files_that_hold_no_measurements_fail_closed() {
        let good = "5a".repeat(48);
        for text in [
            "",
            "[]",
            "{}",
            &format!(r#"{{"pcr0":"{good}","pcr1":"{good}"}}"#),
            &format!(r#"{{"pcr0":"{good}","pcr1":"{good}","pcr2":"5a"}}"#),
            &format!(r#"{{"pcr0":"{good}","pcr1":"{good}","pcr2":7}}"#),
            &format!(r#"{{"pcr0":"{good}","pcr1":"{good}","pcr2":null}}"#),
            &format!(r#"{{"pcr0":"{good}","pcr1":"{good}","pcr2":"{good}","pcr3":"{good}"}}"#),
        ] {
            assert!(Expected::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
