//! Checking the signature of an image.

use quorate_eif::PcrValue;
use quorate_eif::signature::{SignatureSection, to_be_signed};
use thiserror::Error;

use crate::certificate::{Certificate, CertificateError};

/// Why a signature is not one of this image.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckError {
    /// The certificate cannot be used, or not at that time.
    #[error("the signer's certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The algorithm is not the certificate's.
    #[error("the signature's algorithm is not that of the certificate's key")]
    Algorithm,
    /// It signs another image.
    #[error("the signature is for an image with another PCR0")]
    OtherImage {
        /// The image at hand.
        image: PcrValue,
        /// The one that was signed.
        signed: PcrValue,
    },
    /// It is not by the certificate's key.
    #[error("the signature is not by the certificate's key")]
    Forged,
}

impl CheckError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Certificate(error) => error.remedy(),
            Self::OtherImage { .. } => {
                "sign this image's own measurements, or take the right image"
            }
            Self::Algorithm | Self::Forged => {
                "do not use it; get the signature again from whoever signs"
            }
        }
    }
}

/// A signature that was checked: whoever holds the certificate's key signed this PCR0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The signer's certificate. Whether to trust it is the caller's to decide.
    pub certificate: Certificate,
}

/// Checks that `section` is a good signature of an image that measures `pcr0`, at `at` in seconds
/// since 1970.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(section: &SignatureSection, pcr0: &PcrValue, at: u64) -> Result<Checked, CheckError> {
    let certificate = Certificate::from_pem(section.certificate_pem())?;
    if certificate.algorithm() != section.algorithm() {
        return Err(CheckError::Algorithm);
    }
    if section.pcr0() != pcr0 {
        return Err(CheckError::OtherImage {
            image: *pcr0,
            signed: *section.pcr0(),
        });
    }
    let message = to_be_signed(section.algorithm(), section.pcr0());
    let verified = certificate.key().verify(&message, section.signature());
    verified.map_err(|_| CheckError::Forged)?;
    // Last, so that a forged signature is never called an old one.
    certificate.valid_at(at)?;
    Ok(Checked { certificate })
}
