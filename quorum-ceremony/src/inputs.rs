//! What people write on the command line and in files for it: measurements and applications.
//!
//! Each is parsed once into a type of the contract; nothing further in looks at text again.

use std::path::PathBuf;

use quorate_protocol::atoms::{Name, Pcr, Sha256, Text};
use quorate_protocol::cbor::Checked;
use quorate_protocol::definition::{MeasurementFields, Measurements};
use quorate_protocol::egress::Destination;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::manifest::{Application, MAX_BINARY, RestartPolicy};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::error::{Blame, Explanation};

/// Memory of an application where none is given, in bytes.
pub const DEFAULT_MEMORY: u64 = 256 * 1024 * 1024;
/// Restarts of an application where none are given.
pub const DEFAULT_RESTARTS: u16 = 3;
/// First back-off of an application where none is given, in milliseconds.
pub const DEFAULT_BACK_OFF_MS: u32 = 10;
/// Largest back-off of an application where none is given, in milliseconds.
pub const DEFAULT_LARGEST_BACK_OFF_MS: u32 = 10_000;
/// Start-up deadline of an application where none is given, in milliseconds.
pub const DEFAULT_START_DEADLINE_MS: u32 = 10_000;
/// Largest measurements file in bytes.
pub const MAX_MEASUREMENTS: usize = 64 * 1024;

/// Something that was typed, or stands in a file named on the command line, is not usable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InputError {
    /// `NAME=PATH` and what may follow it.
    #[error(
        "an application is NAME=PATH, then ,port= ,memory= ,calls=NAME+NAME ,shares=NAME+NAME \
         ,egress=HOST:PORT+HOST:PORT ,restarts= ,back-off= ,back-off-max= ,start-deadline= ,arg= \
         or ,env=NAME=VALUE"
    )]
    Application,
    /// The binary of an application is empty or too large.
    #[error("the binary {} has {size} bytes, 1 to {MAX_BINARY} are accepted", .path.display())]
    BinarySize {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// One destination is given twice.
    #[error("{destination} is given twice")]
    DestinationRepeated {
        /// The destination.
        destination: Destination,
    },
    /// A value breaks a rule of the contract.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// The measurements file is not JSON of the right shape.
    #[error(
        "the measurements are not a JSON object with PCR0, PCR1, PCR2 and, if they are part of \
         the identity, PCR8 and role_arn"
    )]
    Measurements,
    /// A register is not 96 hexadecimal digits.
    #[error("PCR{index} is not 96 hexadecimal digits")]
    MeasurementDigits {
        /// The register.
        index: u8,
    },
    /// One name is given twice.
    #[error("{name} is given twice")]
    NameRepeated {
        /// The name.
        name: Name,
    },
    /// A number is not one, or out of range.
    #[error("{what} is not a number in range")]
    Number {
        /// Which.
        what: &'static str,
    },
    /// The partition is not known.
    #[error("the partition is none of aws, aws-us-gov, aws-cn, development")]
    PartitionUnknown,
    /// A root certificate is needed.
    #[error("only AWS's commercial root is built in; this partition needs its root certificate")]
    RootNeeded,
}

impl InputError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, remedy) = match self {
            Self::Application => (
                "application-malformed",
                "for example: --application echo=target/quorate-echo,port=5100,memory=67108864",
            ),
            Self::BinarySize { .. } => ("binary-size", "name the application's binary"),
            Self::Invalid(_) => ("value-invalid", "correct it; --help shows what is accepted"),
            Self::Measurements => (
                "measurements-malformed",
                "take the file the build writes, or the output of nitro-cli build-enclave or \
                 `quorate emulate measure --json`",
            ),
            Self::MeasurementDigits { .. } => {
                ("measurement-digits", "copy the whole value, 96 digits")
            }
            Self::NameRepeated { .. } => ("name-repeated", "give each name once"),
            Self::DestinationRepeated { .. } => {
                ("destination-repeated", "give each destination once")
            }
            Self::Number { .. } => ("number-malformed", "give a decimal number without unit"),
            Self::PartitionUnknown => (
                "partition-unknown",
                "give the partition of the root, or ask for a definition made by this version",
            ),
            Self::RootNeeded => ("root-needed", "give it with --root FILE"),
        };
        Explanation::new(code, Blame::You, remedy)
    }
}

/// Reads measurements: `{"PCR0": HEX, "PCR1": HEX, "PCR2": HEX, "PCR8": HEX?, "role_arn": TEXT?}`,
/// alone or as the member `Measurements` or `measured` of an object. Names in either case; a
/// `HashAlgorithm` of SHA-384 may stand beside them; anything else is refused, because it might be
/// meant to be checked.
///
/// # Errors
/// [`InputError`]; all-zero registers are refused here already.
pub fn measurements(json: &[u8]) -> Result<Measurements, InputError> {
    let value: Value = serde_json::from_slice(json).map_err(|_| InputError::Measurements)?;
    let outer = value.as_object().ok_or(InputError::Measurements)?;
    let object = match outer.get("Measurements").or_else(|| outer.get("measured")) {
        Some(inner) => inner.as_object().ok_or(InputError::Measurements)?,
        None => outer,
    };
    for (key, value) in object {
        let known = match key.to_ascii_lowercase().as_str() {
            "pcr0" | "pcr1" | "pcr2" | "pcr8" | "role_arn" | "ok" => true,
            "hashalgorithm" => value
                .as_str()
                .is_some_and(|name| name.to_ascii_lowercase().starts_with("sha384")),
            _ => false,
        };
        if !known {
            return Err(InputError::Measurements);
        }
    }
    let role_arn = match field(object, "role_arn")? {
        Some(text) => Some(Text::new(text)?),
        None => None,
    };
    let needed = |index| register(object, index)?.ok_or(InputError::Measurements);
    let fields = MeasurementFields {
        pcr0: needed(0)?,
        pcr1: needed(1)?,
        pcr2: needed(2)?,
        role_arn,
        pcr8: register(object, 8)?,
    };
    Ok(Checked::new(fields)?)
}

fn register(object: &Map<String, Value>, index: u8) -> Result<Option<Pcr>, InputError> {
    let Some(text) = field(object, &format!("pcr{index}"))? else {
        return Ok(None);
    };
    let wrong = || InputError::MeasurementDigits { index };
    if text.len() != 96 {
        return Err(wrong());
    }
    let mut pcr = [0; 48];
    for (byte, pair) in pcr.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| pair.get(at).and_then(|c| char::from(*c).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(wrong());
        };
        *byte = u8::try_from(high * 16 + low).map_err(|_| wrong())?;
    }
    Ok(Some(Pcr(pcr)))
}

/// A member of the object, by its lower-case name. Two that differ in case only are refused.
fn field<'j>(object: &'j Map<String, Value>, name: &str) -> Result<Option<&'j str>, InputError> {
    let mut found = object
        .iter()
        .filter(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => value.as_str().map(Some).ok_or(InputError::Measurements),
        (Some(_), Some(_)) => Err(InputError::Measurements),
    }
}

/// `NAME=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The application.
    pub name: Name,
    /// Its binary.
    pub path: PathBuf,
}

impl Binary {
    /// Reads `NAME=PATH`.
    ///
    /// # Errors
    /// [`InputError::Application`], or what is wrong with the name.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let (name, path) = text.split_once('=').ok_or(InputError::Application)?;
        if path.is_empty() {
            return Err(InputError::Application);
        }
        Ok(Self {
            name: Name::new(name)?,
            path: path.into(),
        })
    }
}

/// An application as it is asked for: everything of its manifest entry but hash and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationSpec {
    /// Name and file.
    pub binary: Binary,
    ports: Vec<u32>,
    memory: u64,
    restart: RestartPolicy,
    calls: Vec<Name>,
    shares: Vec<Name>,
    egress: Vec<Destination>,
    arguments: Vec<Text<4096>>,
    environment: Vec<Text<4096>>,
}

impl ApplicationSpec {
    /// Reads `NAME=PATH`, then any of `,port=N ,memory=BYTES ,calls=NAME+NAME ,shares=NAME+NAME
    /// ,egress=HOST:PORT+HOST:PORT ,restarts=N ,back-off=MS ,back-off-max=MS ,start-deadline=MS
    /// ,arg=TEXT ,env=NAME=VALUE`.
    /// Ports, arguments and variables may be repeated. A path or value cannot contain a comma.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let mut parts = text.split(',');
        let binary = Binary::parse(parts.next().unwrap_or_default())?;
        let mut spec = Self {
            binary,
            ports: Vec::new(),
            memory: DEFAULT_MEMORY,
            restart: RestartPolicy {
                restarts: DEFAULT_RESTARTS,
                first_back_off_ms: DEFAULT_BACK_OFF_MS,
                largest_back_off_ms: DEFAULT_LARGEST_BACK_OFF_MS,
                start_deadline_ms: DEFAULT_START_DEADLINE_MS,
            },
            calls: Vec::new(),
            shares: Vec::new(),
            egress: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
        };
        let mut once: Vec<&str> = Vec::new();
        for part in parts {
            let (key, value) = part.split_once('=').ok_or(InputError::Application)?;
            match key {
                "port" => spec.ports.push(number(value, "a port")?),
                "arg" => spec.arguments.push(Text::new(value)?),
                "env" => spec.environment.push(Text::new(value)?),
                _ if once.contains(&key) => return Err(InputError::Application),
                _ => {
                    once.push(key);
                    spec.set(key, value)?;
                }
            }
        }
        let restart = &mut spec.restart;
        if !once.contains(&"back-off-max") {
            restart.largest_back_off_ms =
                restart.largest_back_off_ms.max(restart.first_back_off_ms);
        }
        if !once.contains(&"back-off") {
            restart.first_back_off_ms = restart.first_back_off_ms.min(restart.largest_back_off_ms);
        }
        spec.ports.sort_unstable();
        spec.environment
            .sort_unstable_by(|a, b| variable(a).cmp(variable(b)));
        Ok(spec)
    }

    /// Takes a value that can be given once.
    fn set(&mut self, key: &str, value: &str) -> Result<(), InputError> {
        let restart = &mut self.restart;
        match key {
            "memory" => self.memory = number(value, "the memory limit")?,
            "calls" => self.calls = names(value)?,
            "shares" => self.shares = names(value)?,
            "egress" => self.egress = destinations(value)?,
            "restarts" => restart.restarts = number(value, "the number of restarts")?,
            "back-off" => restart.first_back_off_ms = number(value, "the first back-off")?,
            "back-off-max" => restart.largest_back_off_ms = number(value, "the largest back-off")?,
            "start-deadline" => {
                restart.start_deadline_ms = number(value, "the start-up deadline")?;
            }
            _ => return Err(InputError::Application),
        }
        Ok(())
    }

    /// The manifest entry for a binary of this size and hash.
    #[must_use]
    pub fn entry(&self, size: u64, sha256: Sha256) -> Application {
        Application {
            name: self.binary.name.clone(),
            sha256,
            size,
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            ports: self.ports.clone(),
            memory_limit: self.memory,
            restart: self.restart.clone(),
            calls: self.calls.clone(),
            shares: self.shares.clone(),
            egress: self.egress.clone(),
        }
    }
}

fn variable(text: &Text<4096>) -> &str {
    text.as_str()
        .split_once('=')
        .map_or(text.as_str(), |(name, _)| name)
}

/// `NAME+NAME`, each once.
fn names(text: &str) -> Result<Vec<Name>, InputError> {
    let mut names = text
        .split('+')
        .map(Name::new)
        .collect::<Result<Vec<_>, _>>()?;
    names.sort();
    match names.array_windows().find(|[a, b]| a == b) {
        Some([name, _]) => Err(InputError::NameRepeated { name: name.clone() }),
        None => Ok(names),
    }
}

/// `HOST:PORT+HOST:PORT`, each once.
fn destinations(text: &str) -> Result<Vec<Destination>, InputError> {
    let all = text.split('+').map(Destination::parse);
    let mut all = all.collect::<Result<Vec<_>, _>>()?;
    all.sort();
    match all.array_windows().find(|[a, b]| a == b) {
        Some([destination, _]) => Err(InputError::DestinationRepeated {
            destination: destination.clone(),
        }),
        None => Ok(all),
    }
}

fn number<N: core::str::FromStr>(text: &str, what: &'static str) -> Result<N, InputError> {
    let error = InputError::Number { what };
    // Only digits: the integer parsers would take a sign.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error);
    }
    text.parse().map_err(|_| error)
}

#[cfg(test)]
mod tests;
