//! The certificate of whoever signs an image.
//!
//! Guarantees: a [`Certificate`] was parsed in full from one PEM block, and its key is a point on a
//! curve AWS accepts. Does not: check who issued it, or any extension; PCR8 is its digest, so who
//! compares PCR8 has named this very certificate.

use quorate_eif::PcrValue;
use quorate_eif::signature::{Algorithm, SignatureError, certificate_der};
use thiserror::Error;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};

use crate::public::{EC_PUBLIC_KEY, PublicKey, algorithm};

/// Why a certificate cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file is not one PEM certificate.
    #[error(transparent)]
    File(#[from] SignatureError),
    /// The block does not hold a certificate.
    #[error("it is not a certificate (X.509 in DER)")]
    Malformed,
    /// The key is of another kind.
    #[error("its key is not on P-256, P-384 or P-521")]
    Key,
    /// It is no longer valid.
    #[error("it expired at {not_after} (seconds since 1970), and it is {now}")]
    Expired {
        /// The last second it was valid.
        not_after: u64,
        /// When it was looked at.
        now: u64,
    },
    /// It is not valid yet.
    #[error("it is valid from {not_before} (seconds since 1970), and it is {now}")]
    NotYetValid {
        /// The first second it will be valid.
        not_before: u64,
        /// When it was looked at.
        now: u64,
    },
}

impl CertificateError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::File(_) | Self::Malformed => {
                "name a PEM file with one certificate, as `openssl req -new -x509` writes it"
            }
            Self::Key => "make a key on P-384: openssl ecparam -name secp384r1 -genkey",
            Self::Expired { .. } => {
                "have a new certificate made for the key; PCR8 will be another then"
            }
            Self::NotYetValid { .. } => "check this machine's clock, or wait",
        }
    }
}

/// A certificate with a key that can sign images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pem: Vec<u8>,
    der: Vec<u8>,
    key: PublicKey,
    subject: String,
    not_before: u64,
    not_after: u64,
}

impl Certificate {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// If it is not one certificate with a key on one of the three curves.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let der = certificate_der(pem)?;
        let parsed = x509_cert::Certificate::from_der(&der);
        let parsed = parsed.map_err(|_| CertificateError::Malformed)?;
        // DER has one encoding for a value; OpenSSL and we must see the same certificate.
        if parsed.to_der().ok().as_deref() != Some(&der) {
            return Err(CertificateError::Malformed);
        }
        let tbs = parsed.tbs_certificate();
        let info = tbs.subject_public_key_info();
        let parameters = info.algorithm.parameters.as_ref();
        let curve = parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let curve = curve.filter(|_| info.algorithm.oid == EC_PUBLIC_KEY);
        let point = info.subject_public_key.as_bytes();
        let key = curve
            .and_then(|curve| algorithm(&curve))
            .zip(point)
            .and_then(|(algorithm, point)| PublicKey::parse(algorithm, point))
            .ok_or(CertificateError::Key)?;
        let validity = tbs.validity();
        Ok(Self {
            key,
            subject: tbs.subject().to_string(),
            not_before: validity.not_before.to_unix_duration().as_secs(),
            not_after: validity.not_after.to_unix_duration().as_secs(),
            pem: pem.to_vec(),
            der,
        })
    }

    /// Is it valid at `now`, in seconds since 1970?
    ///
    /// # Errors
    /// [`CertificateError::Expired`] or [`CertificateError::NotYetValid`].
    pub const fn valid_at(&self, now: u64) -> Result<(), CertificateError> {
        if now > self.not_after {
            let not_after = self.not_after;
            return Err(CertificateError::Expired { not_after, now });
        }
        if now < self.not_before {
            let not_before = self.not_before;
            return Err(CertificateError::NotYetValid { not_before, now });
        }
        Ok(())
    }

    /// The file it was read from.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }

    /// What PCR8 will be.
    pub fn pcr8(&self) -> PcrValue {
        PcrValue::of(&self.der)
    }

    /// Who it says it belongs to (RFC 4514); whoever made it chose these words.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// First and last second it is valid, in seconds since 1970.
    pub const fn validity(&self) -> (u64, u64) {
        (self.not_before, self.not_after)
    }

    /// How its key signs.
    pub const fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    pub(crate) const fn key(&self) -> &PublicKey {
        &self.key
    }
}
