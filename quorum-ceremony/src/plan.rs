//! The plan of a ceremony: `ceremony.toml`, which marks its shared folder.
//!
//! ```toml
//! format = 1
//! id = "8f0c…"                    # 32 hexadecimal digits, drawn by `quorate ceremony new`
//! namespace = "treasury"
//! members = ["alice", "bob", "carol"]
//! share_threshold = 2
//! manifest_threshold = 2
//! age_limit = 60                  # seconds an attestation is good for, up to 1800 where files are carried
//! # manifest_members = ["dave", "erin"]     where others approve manifests
//! partition = "aws"
//! root = "641a…"                  # SHA-256 of the root certificate; root.der beside this file
//! measurements = { pcr0 = "…", pcr1 = "…", pcr2 = "…" }   # or the name of a JSON file beside it
//! ```
//!
//! Guarantees: every field is known, every value is of its type, or the line is named. Does not:
//! decide anything. Anyone may change the file; it is what the coordinator's tool makes the
//! definition of, and what members agree to is the definition.

use std::fmt::Write as _;

use quorate_protocol::atoms::{Name, Sha256};
use quorate_protocol::definition::{AgeLimit, Measurements};
use quorate_verify::attestation::Partition;
use serde::Deserialize;
use thiserror::Error;

use crate::error::{Blame, Explanation};
use crate::inputs::{self, InputError};

/// The only format there is.
const FORMAT: u64 = 1;
/// Largest plan in bytes.
pub const MAX_PLAN: usize = 64 * 1024;

/// Names a ceremony before it has a definition. No pin: anyone can copy it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeremonyId(pub [u8; 16]);

impl CeremonyId {
    /// Reads 32 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 {
            return None;
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| pair.get(at).and_then(|c| char::from(*c).to_digit(16));
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(id))
    }
}

impl std::fmt::Display for CeremonyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a ceremony shall found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyPlan {
    /// Which ceremony this is.
    pub id: CeremonyId,
    /// What people call the namespace.
    pub namespace: Name,
    /// Who holds shares, in the order of their indices.
    pub members: Vec<Name>,
    /// Who approves manifests; everybody of `members` if none are given.
    pub manifest_members: Option<Vec<Name>>,
    /// How many shares open the key.
    pub share_threshold: u8,
    /// How many must approve a manifest.
    pub manifest_threshold: u8,
    /// For how long an attestation is good to members.
    pub age_limit: AgeLimit,
    /// Whose security modules the root speaks for.
    pub partition: Partition,
    /// SHA-256 of the attestation root's certificate.
    pub root: Sha256,
    /// What the genesis enclave measures as.
    pub measurements: MeasurementsSource,
}

/// Where the measurements are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeasurementsSource {
    /// In the plan.
    Here(Box<Measurements>),
    /// In a file of this name beside it.
    File(String),
}

/// The plan cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A value is not what its field takes.
    #[error("ceremony.toml: the value of {field} is not valid")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// The format is another one.
    #[error("ceremony.toml has format {found}, this program knows {FORMAT}")]
    Format {
        /// Number found.
        found: u64,
    },
    /// The measurements are wrong.
    #[error("ceremony.toml, measurements: {0}")]
    Measurements(InputError),
    /// It is no TOML of this form.
    #[error("ceremony.toml is not understood at line {line}")]
    Malformed {
        /// Where.
        line: usize,
    },
}

impl PlanError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, remedy) = match self {
            Self::Field { .. } | Self::Measurements(_) => (
                "plan-field",
                "correct it, or have the coordinator write it again with `quorate ceremony new`",
            ),
            Self::Format { .. } => (
                "plan-format",
                "use the version of this tool that the ceremony was begun with",
            ),
            Self::Malformed { .. } => (
                "plan-malformed",
                "correct that line, or have the coordinator write the file again with `quorate \
                 ceremony new`",
            ),
        };
        Explanation::new(code, Blame::Folder, remedy)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u64,
    id: String,
    namespace: String,
    members: Vec<String>,
    manifest_members: Option<Vec<String>>,
    share_threshold: u8,
    manifest_threshold: u8,
    age_limit: Option<u16>,
    partition: String,
    root: String,
    measurements: Source,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    File(String),
    Here(Registers),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registers {
    pcr0: String,
    pcr1: String,
    pcr2: String,
    pcr8: Option<String>,
    role_arn: Option<String>,
}

impl CeremonyPlan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            PlanError::Malformed { line: line(before) }
        })?;
        let file: File = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            PlanError::Malformed {
                line: line(before.unwrap_or_default().as_bytes()),
            }
        })?;
        if file.format != FORMAT {
            return Err(PlanError::Format { found: file.format });
        }
        let name = |field, text: &str| Name::new(text).map_err(|_| PlanError::Field { field });
        let names = |field, list: &[String]| -> Result<Vec<Name>, PlanError> {
            let list: Vec<Name> = list
                .iter()
                .map(|text| name(field, text))
                .collect::<Result<_, _>>()?;
            let repeated = |(at, name): (usize, &Name)| list.iter().skip(at + 1).any(|n| n == name);
            if list.len() > 255 || list.iter().enumerate().any(repeated) {
                return Err(PlanError::Field { field });
            }
            Ok(list)
        };
        let measurements = match file.measurements {
            Source::File(name) if name.chars().any(char::is_control) => {
                let field = "measurements";
                return Err(PlanError::Field { field });
            }
            Source::File(name) => MeasurementsSource::File(name),
            Source::Here(registers) => {
                let json = serde_json::json!({
                    "pcr0": registers.pcr0,
                    "pcr1": registers.pcr1,
                    "pcr2": registers.pcr2,
                    "pcr8": registers.pcr8,
                    "role_arn": registers.role_arn,
                });
                let read = inputs::measurements(json.to_string().as_bytes());
                MeasurementsSource::Here(Box::new(read.map_err(PlanError::Measurements)?))
            }
        };
        let field = |field| PlanError::Field { field };
        Ok(Self {
            id: CeremonyId::from_hex(&file.id).ok_or(field("id"))?,
            namespace: name("namespace", &file.namespace)?,
            members: names("members", &file.members)?,
            manifest_members: match &file.manifest_members {
                Some(list) => Some(names("manifest_members", list)?),
                None => None,
            },
            share_threshold: file.share_threshold,
            manifest_threshold: file.manifest_threshold,
            age_limit: match file.age_limit {
                Some(seconds) => AgeLimit::new(seconds).map_err(|_| field("age_limit"))?,
                None => AgeLimit::SHORTEST,
            },
            partition: Partition::from_name(&file.partition).ok_or(field("partition"))?,
            root: sha256(&file.root).ok_or(field("root"))?,
            measurements,
        })
    }

    /// The plan as text, with what each field means.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# The plan of a ceremony. It marks this folder; `quorate ceremony next` says what to do.\n\
             # Anyone can change this file: what members agree to is the definition made from it.\n",
        );
        let list = |names: &[Name]| {
            let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            quoted.join(", ")
        };
        let _ = writeln!(text, "format = {FORMAT}");
        let _ = writeln!(text, "id = \"{}\"", self.id);
        let _ = writeln!(
            text,
            "\n# What people call it.\nnamespace = \"{}\"",
            self.namespace
        );
        let _ = writeln!(
            text,
            "\n# Who holds shares, in the order of their indices, and how many open the key."
        );
        let _ = writeln!(text, "members = [{}]", list(&self.members));
        let _ = writeln!(text, "share_threshold = {}", self.share_threshold);
        let _ = writeln!(
            text,
            "\n# How many approve what runs; who, if not the members."
        );
        let _ = writeln!(text, "manifest_threshold = {}", self.manifest_threshold);
        if let Some(names) = &self.manifest_members {
            let _ = writeln!(text, "manifest_members = [{}]", list(names));
        }
        let _ = writeln!(
            text,
            "\n# Seconds for which an attestation is good to members: 60, or up to 1800 where files \
             are carried.\nage_limit = {}",
            self.age_limit.seconds()
        );
        let _ = writeln!(
            text,
            "\n# The only attestation root of this namespace, for ever."
        );
        let _ = writeln!(
            text,
            "partition = \"{}\"\nroot = \"{}\"",
            self.partition.name(),
            self.root
        );
        let _ = writeln!(text, "\n# What the enclave measures as that makes the key.");
        match &self.measurements {
            MeasurementsSource::File(name) => {
                let _ = writeln!(text, "measurements = {}", quoted(name));
            }
            MeasurementsSource::Here(measurements) => {
                let _ = writeln!(text, "[measurements]");
                for (index, value) in measurements.registers() {
                    // PCR3 is the role's; it stands below under its name.
                    if index != 3 {
                        let _ = writeln!(text, "pcr{index} = \"{value}\"");
                    }
                }
                if let Some(role) = &measurements.role_arn {
                    let _ = writeln!(text, "role_arn = {}", quoted(role.as_str()));
                }
            }
        }
        text
    }

    /// Everybody it names, each once.
    pub fn people(&self) -> impl Iterator<Item = &Name> {
        let others = self.manifest_members.iter().flatten();
        self.members
            .iter()
            .chain(others.filter(|name| !self.members.contains(name)))
    }
}

/// A basic string of TOML. Texts of the contract hold no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn line(before: &[u8]) -> usize {
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn sha256(text: &str) -> Option<Sha256> {
    if text.len() != 64 {
        return None;
    }
    let (first, second) = text.split_at_checked(32)?;
    let (first, second) = (CeremonyId::from_hex(first)?, CeremonyId::from_hex(second)?);
    let mut digest = [0; 32];
    for (byte, value) in digest.iter_mut().zip(first.0.into_iter().chain(second.0)) {
        *byte = value;
    }
    Some(Sha256(digest))
}

#[cfg(test)]
mod tests;
