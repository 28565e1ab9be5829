//! What a page demands, read from JSON.
//!
//! Guarantees: every field is known and of the right type, or the options are refused. There is no
//! option that skips a check but `allow_debug`, which the command has as well.

use std::time::Duration;

use quorate_attestation_report::input::InputForm;
use quorate_attestation_report::{At, Demands, Root};
use quorate_verify::attestation::{
    AttestationError, DebugMode, Expectations, Partition, Pcr, Policy, TrustAnchor,
};
use serde_json::Value;

/// Why options are not usable.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// A field has another type or form.
    Field {
        /// Its name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The text is no JSON object.
    NotAnObject,
    /// `max_age` counts from no moment.
    MaxAgeWithoutTime,
    /// `partition` without `root`.
    PartitionWithoutRoot,
    /// An expectation that says nothing, or a root that is none.
    Refused(AttestationError),
    /// A field is not known here.
    Unknown,
}

impl OptionError {
    /// What to do about each.
    pub const REMEDY: &'static str =
        "Correct the options that the page passes; they say nothing about the document.";

    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Field { .. } => "option-malformed",
            Self::NotAnObject => "options-malformed",
            Self::MaxAgeWithoutTime => "max-age-without-time",
            Self::PartitionWithoutRoot => "partition-without-root",
            Self::Refused(error) => error.code(),
            Self::Unknown => "option-unknown",
        }
    }
}

impl std::fmt::Display for OptionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Field { name, expected } => write!(f, "the option {name} is not {expected}"),
            Self::NotAnObject => f.write_str("the options are not a JSON object"),
            Self::MaxAgeWithoutTime => f.write_str("max_age needs a moment to count from"),
            Self::PartitionWithoutRoot => {
                f.write_str("partition is that of a root, and none is given")
            }
            Self::Refused(error) => error.fmt(f),
            Self::Unknown => f.write_str("an option is not known"),
        }
    }
}

/// Parsed options.
#[derive(Clone, Debug)]
pub struct Options {
    at: At,
    nonce: Option<Vec<u8>>,
    max_age: Option<Duration>,
    debug: DebugMode,
    expectations: Expectations,
    form: InputForm,
    root: Root,
}

impl Options {
    /// Reads the options; `now_unix` is what `at: "now"` means.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with them.
    pub fn parse(text: &str, now_unix: u64) -> Result<Self, OptionError> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let Ok(Value::Object(object)) = serde_json::from_str(text) else {
            return Err(OptionError::NotAnObject);
        };
        let mut options = Self {
            at: At::Now(now_unix),
            nonce: None,
            max_age: None,
            debug: DebugMode::Refused,
            expectations: Expectations::none(),
            form: InputForm::Auto,
            root: Root::aws(),
        };
        let (mut root, mut partition) = (None, None);
        for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            match name.as_str() {
                "allow_debug" => options.debug = debug(value)?,
                "at" => options.at = at(value, now_unix)?,
                "input" => options.form = form(value)?,
                "max_age" => options.max_age = Some(max_age(value)?),
                "nonce" => options.nonce = Some(bytes("nonce", value)?),
                "partition" => partition = Some(self::partition(value)?),
                "pcrs" => pcrs(&mut options.expectations, value)?,
                "role_arn" => role(&mut options.expectations, value)?,
                "root" => root = Some(bytes("root", value)?),
                _ => return Err(OptionError::Unknown),
            }
        }
        if options.max_age.is_some() && options.at == At::Signed {
            return Err(OptionError::MaxAgeWithoutTime);
        }
        match (root, partition) {
            (Some(der), partition) => {
                options.root = given(&der, partition.unwrap_or(Partition::Development))?;
            }
            (None, Some(_)) => return Err(OptionError::PartitionWithoutRoot),
            (None, None) => {}
        }
        Ok(options)
    }

    /// What they demand.
    #[must_use]
    pub fn demands(&self) -> Demands<'_> {
        let policy = Policy::new(self.expectations.clone());
        Demands {
            at: self.at,
            nonce: self.nonce.as_deref(),
            max_age: self.max_age,
            debug: self.debug,
            policies: [policy].into_iter().filter(|p| !p.is_empty()).collect(),
        }
    }

    /// What the bytes are.
    #[must_use]
    pub const fn form(&self) -> InputForm {
        self.form
    }

    /// The only root that is trusted.
    #[must_use]
    pub const fn root(&self) -> &Root {
        &self.root
    }
}

fn field(name: &'static str, expected: &'static str) -> OptionError {
    OptionError::Field { name, expected }
}

fn debug(value: &Value) -> Result<DebugMode, OptionError> {
    match value.as_bool() {
        Some(true) => Ok(DebugMode::Allowed),
        Some(false) => Ok(DebugMode::Refused),
        None => Err(field("allow_debug", "true or false")),
    }
}

fn at(value: &Value, now_unix: u64) -> Result<At, OptionError> {
    match (value.as_str(), value.as_u64()) {
        (Some("now"), _) => Ok(At::Now(now_unix)),
        (Some("signed"), _) => Ok(At::Signed),
        (None, Some(unix)) => Ok(At::Unix(unix)),
        _ => Err(field("at", "\"now\", \"signed\" or seconds since 1970")),
    }
}

fn form(value: &Value) -> Result<InputForm, OptionError> {
    match value.as_str() {
        Some("auto") => Ok(InputForm::Auto),
        Some("base64") => Ok(InputForm::Base64),
        Some("hex") => Ok(InputForm::Hex),
        Some("raw") => Ok(InputForm::Raw),
        _ => Err(field("input", "\"auto\", \"raw\", \"base64\" or \"hex\"")),
    }
}

fn max_age(value: &Value) -> Result<Duration, OptionError> {
    let seconds = value.as_u64().ok_or(field("max_age", "whole seconds"))?;
    Ok(Duration::from_secs(seconds))
}

fn partition(value: &Value) -> Result<Partition, OptionError> {
    let partition = value.as_str().and_then(Partition::from_name);
    partition.ok_or(field("partition", "the name of a partition"))
}

fn bytes(name: &'static str, value: &Value) -> Result<Vec<u8>, OptionError> {
    let bytes = value.as_str().and_then(unhex);
    bytes.ok_or(field(name, "pairs of hexadecimal digits"))
}

fn pcrs(expectations: &mut Expectations, value: &Value) -> Result<(), OptionError> {
    let wrong = field("pcrs", "registers by index, each 96 hexadecimal digits");
    let object = value.as_object().ok_or(wrong.clone())?;
    for (index, value) in object {
        // Digits alone: a sign is no part of an index.
        let digits = index.bytes().all(|byte| byte.is_ascii_digit());
        let index = index.parse().ok().filter(|_| digits).ok_or(wrong.clone())?;
        let pcr = value
            .as_str()
            .and_then(Pcr::from_hex)
            .ok_or(wrong.clone())?;
        expectations
            .accept(index, pcr)
            .map_err(OptionError::Refused)?;
    }
    Ok(())
}

fn role(expectations: &mut Expectations, value: &Value) -> Result<(), OptionError> {
    let arn = value.as_str().ok_or(field("role_arn", "a text"))?;
    expectations.accept_role(arn).map_err(OptionError::Refused)
}

fn given(der: &[u8], partition: Partition) -> Result<Root, OptionError> {
    let aws = TrustAnchor::aws_commercial();
    let anchor = if aws.der() == der {
        aws
    } else {
        TrustAnchor::from_der(partition, der).map_err(OptionError::Refused)?
    };
    Ok(Root {
        anchor,
        given: true,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |character: char| character.to_digit(16).and_then(|d| u8::try_from(d).ok());
    let digits: Vec<u8> = text.chars().map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    whole.then(|| pairs.map(|pair| (pair[0] << 4) | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn error(text: &str) -> OptionError {
        Options::parse(text, NOW).expect_err("refused")
    }

    #[test]
    fn nothing_demands_what_the_command_does() {
        for text in ["", "  ", "{}", "{\"nonce\":null}"] {
            let options = Options::parse(text, NOW).unwrap();
            let demands = options.demands();
            assert_eq!((demands.at, demands.nonce), (At::Now(NOW), None));
            assert_eq!((demands.max_age, demands.debug), (None, DebugMode::Refused));
            assert!(demands.policies.is_empty());
            assert_eq!(options.root(), &Root::aws());
            assert_eq!(options.form(), InputForm::Auto);
        }
    }

    #[test]
    fn every_option_is_taken() {
        let pcr = "1f".repeat(48);
        let text = format!(
            r#"{{"at":5,"nonce":"00ff","max_age":60,"allow_debug":true,"input":"raw",
                "pcrs":{{"0":"{pcr}"}},"role_arn":"arn:aws:iam::123456789012:role/r"}}"#
        );
        let options = Options::parse(&text, NOW).unwrap();
        let demands = options.demands();
        assert_eq!(demands.at, At::Unix(5));
        assert_eq!(demands.nonce, Some(&[0, 0xff][..]));
        assert_eq!(demands.max_age, Some(Duration::from_secs(60)));
        assert_eq!(demands.debug, DebugMode::Allowed);
        assert_eq!(options.form(), InputForm::Raw);
        let registers = demands.policies[0].required().iter();
        assert_eq!(
            registers.map(|(index, _)| index).collect::<Vec<_>>(),
            [0, 3]
        );
    }

    #[test]
    fn options_that_are_not_understood_fail_closed() {
        for text in ["[]", "7", "{", "null", "{} {}"] {
            assert_eq!(error(text), OptionError::NotAnObject, "{text}");
        }
        assert_eq!(error(r#"{"nonse":"00"}"#), OptionError::Unknown);
        assert_eq!(
            error(r#"{"at":"signed","max_age":1}"#),
            OptionError::MaxAgeWithoutTime
        );
        assert_eq!(
            error(r#"{"partition":"aws-cn"}"#),
            OptionError::PartitionWithoutRoot
        );
        for (text, name) in [
            (r#"{"at":"soon"}"#, "at"),
            (r#"{"at":-1}"#, "at"),
            (r#"{"nonce":"0"}"#, "nonce"),
            (r#"{"nonce":[0]}"#, "nonce"),
            (r#"{"max_age":1.5}"#, "max_age"),
            (r#"{"allow_debug":"yes"}"#, "allow_debug"),
            (r#"{"input":"pem"}"#, "input"),
            (r#"{"pcrs":[]}"#, "pcrs"),
            (r#"{"pcrs":{"+1":"00"}}"#, "pcrs"),
            (r#"{"pcrs":{"0":"00"}}"#, "pcrs"),
            (r#"{"role_arn":1}"#, "role_arn"),
            (r#"{"root":"x"}"#, "root"),
            (r#"{"root":"00","partition":"moon"}"#, "partition"),
        ] {
            let found = error(text);
            assert!(
                matches!(found, OptionError::Field { name: found, .. } if found == name),
                "{text}: {found:?}"
            );
        }
        let zero = format!(r#"{{"pcrs":{{"0":"{}"}}}}"#, "0".repeat(96));
        assert_eq!(error(&zero).code(), "expected-pcr-zero");
        assert_eq!(error(r#"{"role_arn":"me"}"#).code(), "role-arn-malformed");
        assert_eq!(error(r#"{"root":"3000"}"#).code(), "certificate-malformed");
    }
}
