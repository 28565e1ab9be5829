//! Measurements somebody wrote down: what `quorate image measure --json` printed.
//!
//! Guarantees: every key is known, every value is 96 hexadecimal digits, PCR0 to 2 are there. Does
//! not: say where the file came from.

use std::path::Path;

use quorate_eif::PcrValue;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::files;

/// Largest file of measurements, in bytes.
const MAX: usize = 64 * 1024;

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

    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
        let Value::Object(object) = value else {
            return Err("it is not one JSON object");
        };
        let known = ["pcr0", "pcr1", "pcr2", "pcr8"];
        if object.keys().any(|key| !known.contains(&key.as_str())) {
            return Err("it has keys other than pcr0, pcr1, pcr2, pcr8");
        }
        let needed = |key| register(&object, key)?.ok_or("pcr0, pcr1 or pcr2 is missing");
        Ok(Self {
            pcr0: needed("pcr0")?,
            pcr1: needed("pcr1")?,
            pcr2: needed("pcr2")?,
            pcr8: register(&object, "pcr8")?,
        })
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
