//! `quorate image sign`: a signature over PCR0, made where the key is.
//!
//! Guarantees: the file is written only when the signature was checked with the certificate's own
//! key; there is never an unsigned or half-written file. The image need not be where the key is.
//! A PIN or a key is never an argument, which every user of the machine could read.
//!
//! Trusts: whoever says that these measurements are of an image that should be signed.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use quorate_eif::PcrValue;
use quorate_image_signing::certificate::Certificate;
use quorate_image_signing::key::FileKey;
use quorate_image_signing::token::{TokenKey, choose};
use quorate_image_signing::{SignError, Signer, sign};
use quorate_token::TokenError;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::expected::Expected;
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Output, Render, Style};
use crate::pin;

/// Largest certificate or key file, in bytes.
pub(super) const PEM_MAX: usize = 64 * 1024;

/// Sign the measurements of an image.
#[derive(Debug, Args)]
#[command(after_help = "\
Three steps, and only the middle one needs the key:
  quorate image measure quorate.eif --json >measurements.json     where the image is built
  quorate image sign measurements.json --certificate signer.pem --key signer.key --out quorate.sig
  quorate image attach quorate.eif quorate.sig --out signed.eif   where the image is built

With a PKCS#11 token (SoftHSM, YubiKey, an HSM), which asks for its PIN:
  quorate image sign measurements.json --certificate signer.pem --out quorate.sig \\
      --module /usr/lib/softhsm/libsofthsm2.so --token release --key-label signer

A key and a certificate to try it with:
  openssl ecparam -name secp384r1 -genkey -out signer.key
  openssl req -new -x509 -key signer.key -sha384 -days 365 -subj /CN=signer -out signer.pem

Example:
  quorate image sign measurements.json --certificate signer.pem --key signer.key --out quorate.sig")]
pub(crate) struct Arguments {
    /// What `quorate image measure --json` printed
    pub(crate) measurements: PathBuf,

    /// The signer's certificate, PEM; PCR8 becomes its digest
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: PathBuf,

    #[command(flatten)]
    pub(crate) key: KeySource,

    /// Where the signature goes; must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// The key that signs: in a file, or in a token.
#[derive(Debug, Args)]
#[group(id = "signer", required = true)]
pub(crate) struct KeySource {
    /// The private key, PEM (PKCS#8 or SEC 1), on P-256, P-384 or P-521
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// A PKCS#11 module, in place of a key file
    #[arg(long, value_name = "FILE", requires = "token", requires = "key_label")]
    pub(crate) module: Option<PathBuf>,

    /// The token's label
    #[arg(long, value_name = "LABEL", requires = "module")]
    pub(crate) token: Option<String>,

    /// The label of the key in the token
    #[arg(long, value_name = "LABEL", requires = "module")]
    pub(crate) key_label: Option<String>,

    /// Where the token's PIN is, `-` for standard input [default: asked for on the terminal]
    #[arg(long, value_name = "FILE|-", requires = "module")]
    pub(crate) pin_file: Option<PathBuf>,
}

/// Signs measurements.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let expected = Expected::read(&arguments.measurements)?;
    let certificate = certificate(&arguments.certificate)?;
    files::check_new(&arguments.out)?;
    let signer = signer(&arguments.key, output)?;
    let section = sign(expected.pcr0, &certificate, &signer, now()?).map_err(|error| {
        let fault = match error {
            SignError::Token(_) | SignError::Signature(_) => Fault::Machine,
            _ => Fault::Caller,
        };
        Failure::refused(fault, "not-signed", error.to_string(), error.remedy())
    })?;
    files::write_new(&arguments.out, &section.to_bytes())?;
    output.print(&Signed {
        out: arguments.out.clone(),
        pcr0: expected.pcr0,
        pcr8: certificate.pcr8(),
    })?;
    Ok(Exit::Success)
}

/// The certificate in a file.
pub(super) fn certificate(path: &Path) -> Result<Certificate, Failure> {
    let pem = files::read(path, PEM_MAX, "certificate")?;
    Certificate::from_pem(&pem).map_err(|error| {
        Failure::usage(
            "certificate-unusable",
            format!("{} cannot be used: {error}", path.display()),
            error.remedy(),
        )
    })
}

/// This machine's time, in seconds since 1970.
pub(super) fn now() -> Result<u64, Failure> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map(|elapsed| elapsed.as_secs()).map_err(|_| {
        Failure::refused(
            Fault::Machine,
            "clock-wrong",
            "this machine's clock is before 1970",
            "set the clock",
        )
    })
}

/// The key, ready to sign.
pub(super) fn signer(arguments: &KeySource, output: Output) -> Result<Signer, Failure> {
    if let Some(path) = &arguments.key {
        let pem = Zeroizing::new(files::read(path, PEM_MAX, "key")?);
        let key = FileKey::from_pem(&pem).map_err(|error| {
            Failure::usage(
                "key-unusable",
                format!("{} cannot be used: {error}", path.display()),
                error.remedy(),
            )
        })?;
        return Ok(Signer::File(key));
    }
    let parts = (&arguments.module, &arguments.token, &arguments.key_label);
    let (Some(module), Some(token), Some(key)) = parts else {
        // clap lets no other combination through.
        return Err(Failure::usage(
            "usage",
            "a token needs --module, --token and --key-label",
            "quorate image sign --help shows what it takes",
        ));
    };
    let unusable = |error: TokenError| {
        let what = format!("the key {key:?} of token {token:?} cannot be used: {error}");
        let remedy = error.remedy();
        match error.fault() {
            quorate_token::Fault::Machine => {
                Failure::refused(Fault::Machine, "token-unusable", what, remedy)
            }
            quorate_token::Fault::Caller => Failure::usage("token-unusable", what, remedy),
        }
    };
    let chosen = choose(module, token).map_err(unusable)?;
    let pin = pin::read(output, arguments.pin_file.as_deref(), chosen.report())?;
    let opened = TokenKey::open(chosen, key, &pin).map_err(unusable)?;
    Ok(Signer::Token(opened))
}

struct Signed {
    out: PathBuf,
    pcr0: PcrValue,
    pcr8: PcrValue,
}

impl Render for Signed {
    fn text(&self, style: Style) -> String {
        format!(
            "{} PCR0 {}\n  by the certificate that makes PCR8 {}\n  in {}\n",
            style.green("signed"),
            self.pcr0,
            self.pcr8,
            self.out.display()
        )
    }

    fn json(&self) -> Value {
        json!({
            "signature": self.out.display().to_string(),
            "pcr0": self.pcr0.to_string(),
            "pcr8": self.pcr8.to_string(),
        })
    }
}
