//! `quorate image verify`: is this the image that was meant, and did that signer sign it?
//!
//! Guarantees: accepted means that everything asked for holds: measurements equal to those given, a
//! good signature by the certificate given, valid at the time asked. What was not asked for is said
//! to be open.
//!
//! Does not: trust anything in the file. Without `--certificate` a good signature only shows that
//! whoever holds that certificate's key signed.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use quorate_eif::{Measurements, Scan};
use quorate_image_signing::certificate::Certificate;
use quorate_image_signing::check;
use quorate_protocol::atoms::Name;
use quorate_protocol::rebuild::Commit;
use quorate_verify::rebuilds::Rebuilt;
use serde_json::{Value, json};

use super::expected::Expected;
use super::measure::Measured;
use super::{attach, rebuilders, sign, source};
use crate::failure::{Exit, Failure, Fault};
use crate::output::{Output, Render, Style, clean, hex};

/// Verify an image against what was expected.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate image verify quorate.eif --measurements images/measurements.json
  quorate image verify signed.eif --certificate signer.pem
      the image is signed by this certificate's key, and the certificate is valid now

  quorate image verify quorate.eif --rebuilders policy.toml --rebuild alice.rebuild --rebuild bob.rebuild
      at least the policy's threshold of its rebuilders built this image from one source

A rebuilder policy, with keys as quorate image attest prints them:
  threshold = 2
  [[rebuilder]]
  name = \"alice\"
  key = \"02c0ffee…\"

An image that is not signed is accepted only with --measurements or --rebuilders. A signature in the file is always
checked.

Exit codes: 0 accepted, 1 rejected, 2 the command or a file it names is unusable.")]
pub(crate) struct Arguments {
    /// The image (.eif)
    pub(crate) file: PathBuf,

    /// Measurements it must have, as `quorate image measure --json` prints them
    #[arg(long, value_name = "FILE")]
    pub(crate) measurements: Option<PathBuf>,

    /// The certificate that must have signed it, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,

    /// A rebuilder policy, TOML: how many of whom must have built this very image
    #[arg(long, value_name = "FILE", requires = "rebuilds")]
    pub(crate) rebuilders: Option<PathBuf>,

    /// A statement of a rebuilder, as `quorate image attest` wrote it; give one for each
    #[arg(long = "rebuild", value_name = "FILE", requires = "rebuilders")]
    pub(crate) rebuilds: Vec<PathBuf>,

    /// The source's commit that the rebuilders must have built
    #[arg(long, value_name = "HEX", requires = "rebuilders", value_parser = commit)]
    pub(crate) commit: Option<Commit>,

    /// The time at which the certificate must be valid: seconds since 1970, or `now`
    #[arg(long, value_name = "UNIX|now", default_value = "now", value_parser = crate::arguments::at)]
    pub(crate) at: u64,
}

/// Verifies an image.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let expected = arguments.measurements.as_deref().map(Expected::read);
    let expected = expected.transpose()?;
    let wanted = arguments.certificate.as_deref().map(sign::certificate);
    let wanted = wanted.transpose()?;
    let policy = arguments.rebuilders.as_deref().map(rebuilders::policy);
    let policy = policy.transpose()?;
    let scan = source::scan(&arguments.file, output)?;
    if let Some(expected) = expected {
        compare(&scan.measurements, &expected)?;
    }
    let signer = signer(&scan, wanted.as_ref(), arguments.at)?;
    let rebuilt = match (&policy, arguments.rebuilds.as_slice()) {
        (Some(policy), paths) => {
            let statements = rebuilders::statements(paths)?;
            let commit = arguments.commit.clone();
            let measured = &scan.measurements;
            Some(rebuilders::decide(
                policy,
                measured,
                commit,
                None,
                &statements,
            )?)
        }
        (None, _) => None,
    };
    if signer.is_none() && expected.is_none() && rebuilt.is_none() {
        return Err(rejected(
            "not-signed",
            "the image is not signed".to_owned(),
            "give --measurements or --rebuilders, or get the signed image",
        ));
    }
    output.print(&Verified {
        measurements: scan.measurements,
        measurements_compared: expected.is_some(),
        signer,
        signer_expected: wanted.is_some(),
        rebuilt,
    })?;
    Ok(Exit::Success)
}

fn rejected(code: &'static str, what: String, remedy: &'static str) -> Failure {
    Failure::refused(Fault::Sender, code, what, remedy)
}

fn compare(found: &Measurements, expected: &Expected) -> Result<(), Failure> {
    let registers = [
        ("PCR0", Some(found.pcr0), Some(expected.pcr0)),
        ("PCR1", Some(found.pcr1), Some(expected.pcr1)),
        ("PCR2", Some(found.pcr2), Some(expected.pcr2)),
        ("PCR8", found.pcr8, expected.pcr8.or(found.pcr8)),
    ];
    for (name, found, expected) in registers {
        if found != expected {
            let shown = |value: Option<_>| match value {
                Some(value) => format!("{value}"),
                None => "not set: the image is not signed".to_owned(),
            };
            return Err(rejected(
                "measurement-differs",
                format!("{name} is {}, expected {}", shown(found), shown(expected)),
                "take the image that was approved; quorate image diff shows where two differ",
            ));
        }
    }
    Ok(())
}

/// Who signed, if the image is signed; that it is the one who was wanted.
fn signer(
    scan: &Scan,
    wanted: Option<&Certificate>,
    at: u64,
) -> Result<Option<Certificate>, Failure> {
    let Some(section) = &scan.signature else {
        return match wanted {
            None => Ok(None),
            Some(_) => Err(rejected(
                "not-signed",
                "the image is not signed".to_owned(),
                "get the signed image, or sign it: quorate image sign, then attach",
            )),
        };
    };
    let checked = check(section, &scan.measurements.pcr0, at);
    let found = checked
        .map_err(|error| attach::refused(&error))?
        .certificate;
    if let Some(wanted) = wanted
        && wanted.pcr8() != found.pcr8()
    {
        return Err(rejected(
            "another-signer",
            format!(
                "the image is signed by another certificate, {:?}",
                clean(found.subject())
            ),
            "get the image from whoever should have signed it",
        ));
    }
    Ok(Some(found))
}

fn commit(text: &str) -> Result<Commit, &'static str> {
    rebuilders::parse_commit(text).ok_or("a commit is 40 or 64 hexadecimal digits")
}

fn names(names: &[Name]) -> Vec<&str> {
    names.iter().map(Name::as_str).collect()
}

fn listed(list: &[Name]) -> String {
    names(list).join(", ")
}

struct Verified {
    measurements: Measurements,
    measurements_compared: bool,
    signer: Option<Certificate>,
    signer_expected: bool,
    rebuilt: Option<Rebuilt>,
}

impl Render for Verified {
    fn text(&self, style: Style) -> String {
        let mut text = format!("{}\n", style.green("accepted"));
        let said = match self.measurements_compared {
            true => "the measurements are those expected".to_owned(),
            false => style.yellow("the measurements were not compared with any (--measurements)"),
        };
        let _ = writeln!(text, "  {said}");
        match &self.signer {
            None => {
                let _ = writeln!(text, "  not signed");
            }
            Some(signer) => {
                let _ = writeln!(text, "  signed by {:?}", clean(signer.subject()));
                let said = match self.signer_expected {
                    true => "which is the certificate given".to_owned(),
                    false => style.yellow("which was not compared with any (--certificate)"),
                };
                let _ = writeln!(text, "    {said}");
            }
        }
        if let Some(rebuilt) = &self.rebuilt {
            let commit = hex(rebuilt.commit.as_slice());
            let names = listed(&rebuilt.agreeing);
            let _ = writeln!(text, "  built from commit {commit} by {names}");
            if !rebuilt.dissenting.is_empty() {
                let names = listed(&rebuilt.dissenting);
                let said = format!("of the same source {names} got another image: ask why");
                let _ = writeln!(text, "    {}", style.red(&said));
            }
        }
        text.push_str(&Measured(self.measurements).text(style));
        text
    }

    fn json(&self) -> Value {
        let signer = self.signer.as_ref().map(|signer| {
            let (not_before, not_after) = signer.validity();
            json!({
                "subject": signer.subject(),
                "not_before": not_before,
                "not_after": not_after,
                "expected": self.signer_expected,
            })
        });
        json!({
            "accepted": true,
            "measurements": Measured(self.measurements).json(),
            "measurements_compared": self.measurements_compared,
            "signer": signer,
            "rebuilt": self.rebuilt.as_ref().map(|rebuilt| json!({
                "commit": hex(rebuilt.commit.as_slice()),
                "lock": rebuilt.lock.to_string(),
                "agreeing": names(&rebuilt.agreeing),
                "dissenting": names(&rebuilt.dissenting),
                "unknown": rebuilt.unknown,
            })),
        })
    }
}
