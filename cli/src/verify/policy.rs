//! A policy file: what a person expects of an enclave, as TOML.
//!
//! Guarantees: every key is known, every value is understood, nothing is left out in silence; or a
//! sentence that names the place. The format is described in `docs/policy.md`.
//!
//! Trusts: whoever wrote the file. It decides what is acceptable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quorate_verify::attestation::{AttestationError, Expectations, Pcr, Policy, Release, Validity};
use serde::Deserialize;
use toml::value::{Datetime, Offset, Time};

use crate::failure::Failure;
use crate::moment::days_since_1970;
use crate::{files, pem};

/// The only format there is.
const FORMAT: u64 = 1;

/// Largest policy file, in bytes.
const POLICY_MAX: usize = 1024 * 1024;

/// Largest certificate file, in bytes.
const CERTIFICATE_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u64,
    #[serde(default)]
    require: Table,
    #[serde(default)]
    release: Vec<ReleaseTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    pcr: BTreeMap<String, OneOrMore>,
    role_arn: Option<OneOrMore>,
    instance_id: Option<OneOrMore>,
    signer_certificate: Option<OneOrMore>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseTable {
    name: String,
    not_before: Option<Datetime>,
    not_after: Option<Datetime>,
    #[serde(default)]
    pcr: BTreeMap<String, OneOrMore>,
    role_arn: Option<OneOrMore>,
    instance_id: Option<OneOrMore>,
    signer_certificate: Option<OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn values(self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value],
            Self::More(values) => values,
        }
    }
}

/// Reads a policy file.
///
/// # Errors
/// A usage failure that names the place.
pub(crate) fn read(path: &Path) -> Result<Policy, Failure> {
    let bytes = files::read(path, POLICY_MAX, "policy")?;
    let reader = Reader { path };
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| reader.unusable("the file", "it is not UTF-8 text"))?;
    reader.policy(text)
}

struct Reader<'a> {
    path: &'a Path,
}

impl Reader<'_> {
    fn policy(&self, text: &str) -> Result<Policy, Failure> {
        let file: File = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            self.unusable(format!("line {line}"), error.message())
        })?;
        if file.format != FORMAT {
            let format = file.format;
            let why = format!("the format is {format}; this program knows {FORMAT}");
            return Err(self.unusable("format", why));
        }
        if file.release.is_empty() && file.require.is_empty() {
            let why = "it expects nothing, so every enclave would do";
            return Err(self.unusable("the file", why));
        }
        let mut policy = Policy::new(self.expectations("require", file.require)?);
        for release in file.release {
            let place = format!("release {:?}", release.name);
            let wrong = |error: AttestationError| self.unusable(&place, error);
            let validity = Validity {
                not_before: self.moment(&place, "not_before", release.not_before)?,
                not_after: self.moment(&place, "not_after", release.not_after)?,
            };
            let table = Table {
                pcr: release.pcr,
                role_arn: release.role_arn,
                instance_id: release.instance_id,
                signer_certificate: release.signer_certificate,
            };
            let release = Release {
                name: release.name,
                validity,
                expectations: self.expectations(&place, table)?,
            };
            policy.add_release(release).map_err(wrong)?;
        }
        Ok(policy)
    }

    fn expectations(&self, place: &str, table: Table) -> Result<Expectations, Failure> {
        let mut expectations = Expectations::none();
        for (index, values) in table.pcr {
            let place = format!("{place}, pcr {index}");
            let number = index
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| index.parse().ok())
                .flatten()
                .ok_or_else(|| self.unusable(&place, "a register's number is 0 to 31"))?;
            for value in self.at_least_one(&place, values)? {
                let value = Pcr::from_hex(&value).ok_or_else(|| {
                    self.unusable(&place, "a register's value is 96 hexadecimal digits")
                })?;
                let accepted = expectations.accept(number, value);
                accepted.map_err(|error| self.unusable(&place, error))?;
            }
        }
        let named = [
            ("role_arn", table.role_arn),
            ("instance_id", table.instance_id),
            ("signer_certificate", table.signer_certificate),
        ];
        for (key, values) in named {
            let Some(values) = values else { continue };
            let place = format!("{place}, {key}");
            for value in self.at_least_one(&place, values)? {
                let accepted = match key {
                    "role_arn" => expectations.accept_role(&value),
                    "instance_id" => expectations.accept_instance(&value),
                    _ => expectations.accept_signer(&self.certificate(&place, &value)?),
                };
                accepted.map_err(|error| self.unusable(&place, error))?;
            }
        }
        Ok(expectations)
    }

    fn at_least_one(&self, place: &str, values: OneOrMore) -> Result<Vec<String>, Failure> {
        let values = values.values();
        match values.is_empty() {
            true => Err(self.unusable(place, "no value is acceptable; leave the key out instead")),
            false => Ok(values),
        }
    }

    /// A certificate beside the policy file.
    fn certificate(&self, place: &str, name: &str) -> Result<Vec<u8>, Failure> {
        let folder = self.path.parent().map(Path::to_path_buf);
        let path: PathBuf = folder.unwrap_or_default().join(name);
        let file = files::read(&path, CERTIFICATE_MAX, "signer's certificate")?;
        pem::certificate(&file).map_err(|error| self.unusable(place, error))
    }

    fn moment(
        &self,
        place: &str,
        key: &str,
        moment: Option<Datetime>,
    ) -> Result<Option<u64>, Failure> {
        let Some(moment) = moment else {
            return Ok(None);
        };
        let why = "a moment is written 2027-01-15T08:00:00Z, without quotes";
        unix(&moment)
            .map(Some)
            .ok_or_else(|| self.unusable(format!("{place}, {key}"), why))
    }

    fn unusable(&self, place: impl std::fmt::Display, why: impl std::fmt::Display) -> Failure {
        Failure::usage(
            "policy-unusable",
            format!("the policy {}, {place}: {why}", self.path.display()),
            "correct the file; docs/policy.md describes it",
        )
    }
}

/// Seconds since 1970 of a date with time and offset, rounded down.
fn unix(moment: &Datetime) -> Option<u64> {
    let Datetime {
        date: Some(date),
        time: Some(time),
        offset: Some(offset),
    } = moment
    else {
        return None;
    };
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(*minutes),
    };
    let (year, month, day) = (date.year.into(), date.month.into(), date.day.into());
    let seconds = days_since_1970(year, month, day) * 86_400 + seconds_of_day(time) - minutes * 60;
    u64::try_from(seconds).ok()
}

fn seconds_of_day(time: &Time) -> i64 {
    let minutes = i64::from(time.hour) * 60 + i64::from(time.minute);
    minutes * 60 + time.second.map_or(0, i64::from)
}

impl Table {
    fn is_empty(&self) -> bool {
        let Self {
            pcr,
            role_arn,
            instance_id,
            signer_certificate,
        } = self;
        pcr.is_empty()
            && role_arn.is_none()
            && instance_id.is_none()
            && signer_certificate.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, Failure> {
        let path = Path::new("policy.toml");
        Reader { path }.policy(text)
    }

    fn refusal(text: &str) -> String {
        let failure = parse(text).expect_err(text);
        assert_eq!(failure.code, "policy-unusable");
        let what = failure.what.strip_prefix("the policy policy.toml, ");
        what.expect("the file is named").to_owned()
    }

    #[test]
    fn a_policy_is_read_whole() {
        let (one, two) = ("1a".repeat(48), "2B".repeat(48));
        let text = format!(
            r#"
            format = 1
            [require]
            role_arn = "arn:aws:iam::123456789012:role/enclave"
            [[release]]
            name = "1.0"
            not_before = 2027-01-15T08:00:00Z
            not_after = 2027-01-15T10:00:00.5+01:00
            pcr = {{ 0 = "{one}", 1 = ["{one}", "{two}"] }}
            [[release]]
            name = "1.1"
            instance_id = ["i-0123456789abcdef0"]
            [release.pcr]
            16 = "{two}"
            "#
        );
        let policy = parse(&text).expect("a policy");
        let required: Vec<_> = policy.required().iter().collect();
        let role = Pcr::ZERO.extend(b"arn:aws:iam::123456789012:role/enclave");
        assert_eq!(required, [(3, &[role][..])]);
        let [first, second] = policy.releases() else {
            panic!("{policy:?}");
        };
        let values = |byte: u8| Pcr::new([byte; 48]);
        assert_eq!(first.name, "1.0");
        assert_eq!(
            first.validity,
            Validity {
                not_before: Some(1_800_000_000),
                not_after: Some(1_800_003_600),
            }
        );
        let registers: Vec<_> = first.expectations.iter().collect();
        let both = [values(0x1a), values(0x2b)];
        assert_eq!(registers, [(0, &both[..1]), (1, &both[..])]);
        let instance = Pcr::ZERO.extend(b"i-0123456789abcdef0");
        let registers: Vec<_> = second.expectations.iter().collect();
        assert_eq!(registers, [(4, &[instance][..]), (16, &both[1..])]);
        assert_eq!(second.validity, Validity::default());
    }

    #[test]
    fn policies_that_are_not_understood_fail_closed() {
        let one = "1a".repeat(48);
        for (text, says) in [
            ("", "missing field `format`"),
            ("format = 2\n", "format: the format is 2"),
            ("format = 1\n", "it expects nothing"),
            ("format = 1\n[require]\n", "it expects nothing"),
            (
                "format = 1\nrequires = {}\n",
                "line 2: unknown field `requires`",
            ),
            (
                "format = 1\n[require]\npcrs = {}\n",
                "line 3: unknown field `pcrs`",
            ),
            (
                "format = 1\n[[release]]\nname = \"a\"\nnotafter = 1\n",
                "unknown field",
            ),
            ("format = 1\n[[release]]\n", "missing field `name`"),
            (
                "format = 1\n[[release]]\nname = \"a\"\n",
                "release \"a\": a release of the policy",
            ),
            ("format = 1\nformat = 1\n", "duplicate key"),
            ("format = ", "line 1:"),
            ("format = 1\n[require]\npcr = { 0 = 5 }\n", "line 3:"),
            (
                "format = 1\n[require]\npcr = { 0 = \"1a\" }\n",
                "pcr 0: a register's value",
            ),
            (
                "format = 1\n[require]\npcr = { 0 = [] }\n",
                "pcr 0: no value is acceptable",
            ),
            (
                "format = 1\n[require]\nrole_arn = \"admin\"\n",
                "require, role_arn: a role's ARN",
            ),
            (
                "format = 1\n[require]\ninstance_id = \"i-x\"\n",
                "instance_id: an instance id",
            ),
        ] {
            assert!(refusal(text).contains(says), "{text}: {}", refusal(text));
        }
        for (index, says) in [
            ("32", "there is no PCR32"),
            ("x", "0 to 31"),
            ("300", "0 to 31"),
        ] {
            let text = format!("format = 1\n[require]\npcr = {{ {index} = \"{one}\" }}\n");
            assert!(refusal(&text).contains(says), "{text}: {}", refusal(&text));
        }
        let zero = "00".repeat(48);
        let text = format!("format = 1\n[require.pcr]\n0 = \"{zero}\"\n");
        assert!(refusal(&text).contains("an all-zero PCR0 is no expectation"));
        for moment in [
            "2027-01-15",
            "08:00:00",
            "2027-01-15T08:00:00",
            "1969-12-31T23:59:59Z",
        ] {
            let text = format!(
                "format = 1\n[[release]]\nname = \"a\"\nnot_after = {moment}\n\
                 pcr = {{ 0 = \"{one}\" }}\n"
            );
            assert!(
                refusal(&text).contains("not_after: a moment is written"),
                "{moment}"
            );
        }
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        let of = |text: &str| unix(&text.parse().expect("a moment"));
        assert_eq!(of("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(of("2000-02-29T00:00:00Z"), Some(951_782_400));
        assert_eq!(of("2000-03-01T00:00:00Z"), Some(951_868_800));
        assert_eq!(of("2027-01-15T09:30:00+01:30"), Some(1_800_000_000));
        assert_eq!(of("2027-01-15T03:00:00.999-05:00"), Some(1_800_000_000));
        assert_eq!(of("2100-03-01T00:00:00Z"), Some(4_107_542_400));
        assert_eq!(of("1970-01-01T00:00:00+00:01"), None);
    }
}
