//! The manifest of a set: an array of objects, one a document.
//!
//! Guarantees: a [`Manifest`] has at least one row and at most [`ROWS_MAX`]; every field it knows is
//! of the right type, or the manifest is refused with the row and the field; every path in it is a
//! plain relative one. Fields it does not know are kept by name.
//!
//! Does not: open a file. Whether a path leads out of the folder through a link is seen there.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path};

use serde_json::{Map, Value};
use thiserror::Error;

use super::facts::Facts;

/// Most rows of a manifest.
const ROWS_MAX: usize = 100_000;

/// Longest challenge, in bytes.
const NONCE_MAX: usize = 1024;

/// Why a manifest is not usable.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum ManifestError {
    #[error("it has no rows, so nothing would be tested")]
    Empty,
    #[error("row {row}: {field} is not {expected}")]
    Field {
        /// From 1.
        row: usize,
        field: String,
        expected: &'static str,
    },
    #[error("it is not JSON (line {line}, column {column})")]
    Json { line: usize, column: usize },
    #[error("row {row}: {field} is missing")]
    Missing { row: usize, field: &'static str },
    #[error("it is not an array of objects, one a document")]
    NoArray,
    #[error("row {row} is not an object")]
    NoObject { row: usize },
    #[error("row {row}: {field} is not a relative path below the manifest's folder")]
    Path { row: usize, field: &'static str },
    #[error("it has {found} rows, more than {ROWS_MAX}")]
    TooMany { found: usize },
}

/// A parsed manifest.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) rows: Vec<Row>,
    /// The names of fields that are not compared, because they are not known here.
    pub(super) unknown: BTreeSet<String>,
}

/// One document and what is known of it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) file: String,
    /// Lower-case hexadecimal.
    pub(super) sha256: Option<String>,
    /// Seconds since 1970; `None` stands for the signed timestamp.
    pub(super) verify_at: Option<u64>,
    pub(super) expected: Option<Expected>,
    pub(super) expected_default_policy: Option<Expected>,
    pub(super) error: Option<String>,
    /// The root that is trusted for this row alone.
    pub(super) root: Option<String>,
    pub(super) demand: Demand,
    pub(super) facts: Option<Facts>,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Accept,
    /// With the first word of the reason, if one is given.
    Reject(Option<String>),
}

/// How new the document has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    Archived,
    Challenged {
        nonce: Vec<u8>,
        elapsed_ms: u64,
        max_age_ms: u64,
    },
    Live {
        nonce: Vec<u8>,
        max_age_ms: u64,
        now: u64,
    },
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Reject(None) => f.write_str("reject"),
            Self::Reject(Some(reason)) => write!(f, "reject: {reason}"),
        }
    }
}

impl Manifest {
    /// Reads the whole file.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| ManifestError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let Value::Array(values) = value else {
            return Err(ManifestError::NoArray);
        };
        match values.len() {
            0 => return Err(ManifestError::Empty),
            found if found > ROWS_MAX => return Err(ManifestError::TooMany { found }),
            _ => {}
        }
        let mut unknown = BTreeSet::new();
        let mut rows = Vec::with_capacity(values.len());
        for (row, value) in (1..).zip(values) {
            let Value::Object(object) = value else {
                return Err(ManifestError::NoObject { row });
            };
            rows.push(Row::parse(Fields::new(row, "", &object, &mut unknown))?);
        }
        Ok(Self { rows, unknown })
    }
}

impl Row {
    fn parse(mut fields: Fields<'_>) -> Result<Self, ManifestError> {
        let row = fields.row;
        let file = fields.path("file")?;
        let parsed = Self {
            file: file.ok_or(ManifestError::Missing { row, field: "file" })?,
            sha256: fields.digest("sha256")?,
            verify_at: fields.number("verify_at")?,
            expected: fields.verdict("expected")?,
            expected_default_policy: fields.verdict("expected_default_policy")?,
            error: fields.text("error")?,
            root: fields.path("root")?,
            demand: Demand::parse(&mut fields)?,
            facts: match fields.object("facts")? {
                None => None,
                Some(object) => Some(Facts::parse(fields.inner("facts", &object))?),
            },
        };
        // For people.
        fields.skip(&["reason", "origin"]);
        fields.end();
        if parsed.expected.is_none() && parsed.expected_default_policy.is_none() {
            let field = "expected";
            return Err(ManifestError::Missing { row, field });
        }
        Ok(parsed)
    }
}

impl Demand {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, ManifestError> {
        let Some(object) = fields.object("freshness")? else {
            return Ok(Self::Archived);
        };
        let mut inner = fields.inner("freshness", &object);
        let wrong = |field: &str, expected| ManifestError::Field {
            row: inner.row,
            field: format!("freshness.{field}"),
            expected,
        };
        let (not_kind, not_nonce, not_number) = (
            wrong("kind", "live or challenged"),
            wrong("nonce", "hexadecimal digits of at most 1024 bytes"),
            wrong("max_age_ms, elapsed_ms or now", "given"),
        );
        let kind = inner.text("kind")?;
        let nonce = inner.text("nonce")?.and_then(|text| unhex(&text));
        let nonce = nonce
            .filter(|nonce| nonce.len() <= NONCE_MAX)
            .ok_or(not_nonce)?;
        let max_age_ms = inner.number("max_age_ms")?.ok_or(not_number.clone())?;
        let demand = match kind.as_deref() {
            Some("challenged") => Self::Challenged {
                nonce,
                elapsed_ms: inner.number("elapsed_ms")?.ok_or(not_number)?,
                max_age_ms,
            },
            Some("live") => Self::Live {
                nonce,
                max_age_ms,
                now: inner.number("now")?.ok_or(not_number)?,
            },
            _ => return Err(not_kind),
        };
        inner.end();
        Ok(demand)
    }
}

/// The fields of one object, each taken once. What is left at the end is unknown.
pub(super) struct Fields<'a> {
    row: usize,
    /// What stands before a field's name in an error: empty, or ends with a dot.
    prefix: String,
    object: &'a Map<String, Value>,
    taken: BTreeSet<&'static str>,
    unknown: &'a mut BTreeSet<String>,
}

impl<'a> Fields<'a> {
    fn new(
        row: usize,
        prefix: &str,
        object: &'a Map<String, Value>,
        unknown: &'a mut BTreeSet<String>,
    ) -> Self {
        Self {
            row,
            prefix: prefix.to_owned(),
            object,
            taken: BTreeSet::new(),
            unknown,
        }
    }

    /// The fields of an object inside this one.
    pub(super) fn inner<'b>(
        &'b mut self,
        name: &str,
        object: &'b Map<String, Value>,
    ) -> Fields<'b> {
        let prefix = format!("{}{name}.", self.prefix);
        Fields::new(self.row, &prefix, object, self.unknown)
    }

    /// The error that a field is of another type.
    pub(super) fn wrong(&self, field: &str, expected: &'static str) -> ManifestError {
        ManifestError::Field {
            row: self.row,
            field: format!("{}{field}", self.prefix),
            expected,
        }
    }

    /// Whether the object has this field, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// A field's value; absent and null are the same.
    pub(super) fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.taken.insert(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, ManifestError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(name, "a text")),
        }
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<u64>, ManifestError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(name, "a whole number that is not negative")),
            },
        }
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, ManifestError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A list of texts.
    pub(super) fn texts(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<String>>, ManifestError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let texts = value.as_array().and_then(|values| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            values.iter().map(text).collect()
        });
        texts
            .map(Some)
            .ok_or_else(|| self.wrong(name, "a list of texts"))
    }

    pub(super) fn object(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Map<String, Value>>, ManifestError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object.clone())),
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// 64 hexadecimal digits of either case, in lower case.
    pub(super) fn digest(&mut self, name: &'static str) -> Result<Option<String>, ManifestError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let text = text.to_ascii_lowercase();
        if unhex(&text).is_some_and(|bytes| bytes.len() == 32) {
            return Ok(Some(text));
        }
        Err(self.wrong(name, "a SHA-256 of 64 hexadecimal digits"))
    }

    fn verdict(&mut self, name: &'static str) -> Result<Option<Expected>, ManifestError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let word = |text: &str| text.split_whitespace().next().map(str::to_owned);
        match text.split_once(':') {
            None if text == "accept" => Ok(Some(Expected::Accept)),
            None if text == "reject" => Ok(Some(Expected::Reject(None))),
            Some(("reject", reason)) => Ok(Some(Expected::Reject(word(reason)))),
            _ => Err(self.wrong(name, "accept or reject")),
        }
    }

    /// A relative path of plain names.
    fn path(&mut self, name: &'static str) -> Result<Option<String>, ManifestError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let mut parts = Path::new(&text).components();
        let plain = !text.is_empty()
            && !text.contains('\0')
            && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if plain {
            return Ok(Some(text));
        }
        Err(ManifestError::Path {
            row: self.row,
            field: name,
        })
    }

    fn skip(&mut self, names: &[&'static str]) {
        self.taken.extend(names);
    }

    /// Remembers the names that nobody took.
    pub(super) fn end(self) {
        for name in self.object.keys() {
            if !self.taken.contains(name.as_str()) {
                self.unknown.insert(format!("{}{name}", self.prefix));
            }
        }
    }
}

/// Bytes from hexadecimal digits of either case.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok())
        .collect()
}

#[cfg(test)]
mod tests;
