//! Making the signature of an image from its PCR0.
//!
//! Guarantees: as the crate says; in particular the signature is checked before it is returned, also
//! one that a token made, so a token's key that is not the certificate's is found here.

use quorate_eif::PcrValue;
use quorate_eif::signature::{SignatureError, SignatureSection, to_be_signed};
use quorate_token::TokenError;
use thiserror::Error;

use crate::certificate::{Certificate, CertificateError};
use crate::key::FileKey;
use crate::token::TokenKey;

/// Who signs.
pub enum Signer {
    /// A key from a file.
    File(FileKey),
    /// A key in a token.
    Token(TokenKey),
}

/// Why nothing was signed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// The certificate cannot be used now.
    #[error("the certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// A measurement no image has.
    #[error("PCR0 is all zero, which only an enclave in debug mode has")]
    DebugMeasurement,
    /// The certificate is of another key.
    #[error("the certificate is not of the key that signs")]
    KeyMismatch,
    /// The result would not fit into an image.
    #[error("the signature section would have {size} bytes; an image has room for {max}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// What is allowed.
        max: usize,
    },
    /// The token's signature is none.
    #[error("the token's signature: {0}")]
    Signature(#[from] SignatureError),
    /// The token failed.
    #[error("{0}")]
    Token(#[from] TokenError),
}

impl SignError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Certificate(error) => error.remedy(),
            Self::DebugMeasurement => {
                "measure the image file (quorate image measure), not a running debug enclave"
            }
            Self::KeyMismatch => "name the certificate that was made for this key",
            Self::TooLarge { .. } => "name a smaller certificate file, without text around it",
            Self::Signature(_) => "check the token: it did not sign as ECDSA does (CKM_ECDSA)",
            Self::Token(error) => error.remedy(),
        }
    }
}

/// Signs PCR0 at `now`, in seconds since 1970.
///
/// # Errors
/// If anything is not as it has to be; there is no signature then.
pub fn sign(
    pcr0: PcrValue,
    certificate: &Certificate,
    signer: &Signer,
    now: u64,
) -> Result<SignatureSection, SignError> {
    certificate.valid_at(now)?;
    if pcr0.as_bytes().iter().all(|byte| *byte == 0) {
        return Err(SignError::DebugMeasurement);
    }
    let algorithm = certificate.algorithm();
    let message = to_be_signed(algorithm, &pcr0);
    let signature = match signer {
        Signer::File(key) if key.public() != *certificate.key() => {
            return Err(SignError::KeyMismatch);
        }
        Signer::File(key) => key.sign(&message),
        Signer::Token(key) => key.sign(algorithm, &message)?,
    };
    if signature.len() != algorithm.signature_len() {
        // A token's key on another curve.
        return Err(SignError::KeyMismatch);
    }
    let verified = certificate.key().verify(&message, &signature);
    verified.map_err(|_| SignError::KeyMismatch)?;
    let section = SignatureSection::new(certificate.pem(), algorithm, pcr0, &signature)?;
    let size = section.to_bytes().len();
    let max = quorate_eif::SectionKind::Signature.max();
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    if size > max {
        return Err(SignError::TooLarge { size, max });
    }
    Ok(section)
}
