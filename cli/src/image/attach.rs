//! `quorate image attach`: a signature put into its image.
//!
//! Guarantees: only a signature that is good for this very image, by a certificate that is valid
//! now, is put in; the image it came from is left as it was, and the new file is whole or not there.

use std::path::PathBuf;

use clap::Args;
use quorate_eif::Eif;
use quorate_eif::signature::SignatureSection;
use quorate_image_signing::{CheckError, check};

use super::measure::Measured;
use super::{sign, source};
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::Output;

/// Largest signature file, in bytes: AWS's limit of the section.
const SIGNATURE_MAX: usize = 32 * 1024;

/// Put a signature into its image.
#[derive(Debug, Args)]
#[command(after_help = "\
A signature the image has already is replaced. PCR0, 1 and 2 stay what they were.

Example:
  quorate image attach quorate.eif quorate.sig --out signed.eif")]
pub(crate) struct Arguments {
    /// The image (.eif)
    pub(crate) file: PathBuf,

    /// What `quorate image sign` wrote
    pub(crate) signature: PathBuf,

    /// Where the signed image goes; must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Attaches a signature.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<Exit, Failure> {
    let section_bytes = files::read(&arguments.signature, SIGNATURE_MAX, "signature")?;
    let section = SignatureSection::parse(&section_bytes).map_err(|error| {
        Failure::usage(
            "signature-unusable",
            format!("{} is no signature: {error}", arguments.signature.display()),
            "name the file that quorate image sign wrote",
        )
    })?;
    files::check_new(&arguments.out)?;
    let bytes = source::read(&arguments.file)?;
    let unusable = |error| source::unusable(&arguments.file, &error);
    let image = Eif::parse(&bytes).map_err(unusable)?;
    let measured = image.measure();
    check(&section, &measured.pcr0, sign::now()?).map_err(|error| refused(&error))?;
    let signed = image.with_signature(&section_bytes).map_err(unusable)?;
    files::write_new(&arguments.out, &signed.to_bytes())?;
    output.print(&Measured(signed.measure()))?;
    Ok(Exit::Success)
}

/// The failure for a signature that is not one of the image.
pub(super) fn refused(error: &CheckError) -> Failure {
    Failure::refused(
        Fault::Sender,
        "signature-refused",
        error.to_string(),
        error.remedy(),
    )
}
