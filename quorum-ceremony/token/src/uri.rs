//! Names of tokens and of keys in them: PKCS#11 URIs (RFC 7512).
//!
//! Guarantees: a URI that is read asks only for what is compared: an attribute that would not be
//! is refused, as is one that stands twice, and so is a PIN, which every user of a machine can read
//! in a command line. What is shown reads back as itself.
//!
//! Does not: read `slot-id` (it changes when tokens are put in) or the attributes of modules, but
//! `module-path`.

use core::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What a URI begins with.
const SCHEME: &str = "pkcs11:";
/// Longest URI in bytes.
pub const LONGEST_URI: usize = 1024;
/// Longest value of an attribute in bytes: what a token has at most, and a path of a module.
const LONGEST_VALUE: usize = 512;

/// Why a text is not the URI of a token or key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UriError {
    /// An attribute that is not compared with anything.
    #[error("{name} is not an attribute that is looked at here")]
    Attribute {
        /// Its name: lower-case letters and hyphens.
        name: String,
    },
    /// An attribute is malformed.
    #[error("a part of it is not NAME=VALUE, with %XX for what stands for something else")]
    Malformed,
    /// Nothing is asked for.
    #[error("it names nothing: {wanted}")]
    Nothing {
        /// What it has to name.
        wanted: &'static str,
    },
    /// A PIN, or where one is.
    #[error("a PIN does not belong into a URI, which every user of this machine can read")]
    Pin,
    /// Not a PKCS#11 URI at all.
    #[error("it does not begin with pkcs11:")]
    Scheme,
    /// Longer than any sensible one.
    #[error("it has more than {LONGEST_URI} bytes")]
    TooLong,
    /// An attribute stands there twice.
    #[error("{name} stands there twice")]
    Twice {
        /// Its name.
        name: &'static str,
    },
}

/// Which token: what is absent matches any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUri {
    /// The label it was given.
    pub token: Option<String>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// What it is called.
    pub model: Option<String>,
    /// Which one it is.
    pub serial: Option<String>,
    /// The module it is reached through, where the URI tells.
    pub module: Option<PathBuf>,
}

/// Which key in a token: by label, by identifier or by both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyUri {
    /// `CKA_LABEL`.
    pub object: Option<String>,
    /// `CKA_ID`.
    pub id: Option<Vec<u8>>,
}

impl TokenUri {
    /// Reads the URI of a token.
    ///
    /// # Errors
    /// [`UriError`].
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let mut uri = Self::default();
        for (name, value) in attributes(text)? {
            match name {
                "token" => once("token", &mut uri.token, utf8(value)?)?,
                "manufacturer" => once("manufacturer", &mut uri.manufacturer, utf8(value)?)?,
                "model" => once("model", &mut uri.model, utf8(value)?)?,
                "serial" => once("serial", &mut uri.serial, utf8(value)?)?,
                "module-path" => once("module-path", &mut uri.module, utf8(value)?.into())?,
                other => return Err(foreign(other)),
            }
        }
        let named = [&uri.token, &uri.manufacturer, &uri.model, &uri.serial];
        if named.iter().all(|value| value.is_none()) {
            let wanted = "give token=LABEL or serial=NUMBER";
            return Err(UriError::Nothing { wanted });
        }
        Ok(uri)
    }
}

impl KeyUri {
    /// Reads the URI of a key. Which token it is in is said elsewhere.
    ///
    /// # Errors
    /// [`UriError`].
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let mut uri = Self::default();
        for (name, value) in attributes(text)? {
            match name {
                "object" => once("object", &mut uri.object, utf8(value)?)?,
                "id" => once("id", &mut uri.id, value)?,
                "type" if value == b"private" => {}
                other => return Err(foreign(other)),
            }
        }
        let empty = uri.id.as_ref().is_some_and(Vec::is_empty);
        if empty || (uri.object.is_none() && uri.id.is_none()) {
            let wanted = "give object=LABEL or id=%XX";
            return Err(UriError::Nothing { wanted });
        }
        Ok(uri)
    }
}

/// The attributes of path and query, values decoded.
fn attributes(text: &str) -> Result<Vec<(&str, Vec<u8>)>, UriError> {
    if text.len() > LONGEST_URI {
        return Err(UriError::TooLong);
    }
    let rest = text.strip_prefix(SCHEME).ok_or(UriError::Scheme)?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.split(';').map(|part| (part, false));
    let query = query.split('&').map(|part| (part, true));
    let mut found = Vec::new();
    for (part, in_query) in path.chain(query).filter(|(part, _)| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or(UriError::Malformed)?;
        if matches!(name, "pin-value" | "pin-source") {
            return Err(UriError::Pin);
        }
        if in_query != (name == "module-path") {
            return Err(foreign(name));
        }
        found.push((name, decode(value)?));
    }
    Ok(found)
}

fn foreign(name: &str) -> UriError {
    let plain = |c: char| c.is_ascii_lowercase() || c == '-';
    if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
        return UriError::Malformed;
    }
    UriError::Attribute {
        name: name.to_owned(),
    }
}

fn once<T>(name: &'static str, place: &mut Option<T>, value: T) -> Result<(), UriError> {
    if place.replace(value).is_some() {
        return Err(UriError::Twice { name });
    }
    Ok(())
}

fn utf8(value: Vec<u8>) -> Result<String, UriError> {
    let text = String::from_utf8(value).map_err(|_| UriError::Malformed)?;
    if text.chars().any(char::is_control) {
        return Err(UriError::Malformed);
    }
    Ok(text)
}

/// A value without its percent-encoding.
fn decode(text: &str) -> Result<Vec<u8>, UriError> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = (rest.next().and_then(digit), rest.next().and_then(digit));
                let (Some(high), Some(low)) = digits else {
                    return Err(UriError::Malformed);
                };
                high << 4 | low
            }
            plain if plain.is_ascii_graphic() => plain,
            _ => return Err(UriError::Malformed),
        });
    }
    if bytes.len() > LONGEST_VALUE {
        return Err(UriError::TooLong);
    }
    Ok(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Writes a value: unreserved characters as they are, everything else encoded.
fn encode(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            write!(f, "{}", char::from(*byte))
        }
        _ => write!(f, "%{byte:02X}"),
    })
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        let parts = [
            ("token", &self.token),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
        ];
        let mut before = "";
        for (name, value) in parts {
            let Some(value) = value else { continue };
            write!(f, "{before}{name}=")?;
            encode(f, value.as_bytes())?;
            before = ";";
        }
        if let Some(path) = self.module.as_deref().and_then(Path::to_str) {
            f.write_str("?module-path=")?;
            encode(f, path.as_bytes())?;
        }
        Ok(())
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        if let Some(object) = &self.object {
            f.write_str("object=")?;
            encode(f, object.as_bytes())?;
        }
        if let Some(id) = &self.id {
            f.write_str(if self.object.is_some() { ";id=" } else { "id=" })?;
            id.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
