//! The roots that are trusted, as a set and never as a constant.
//!
//! Each AWS partition has a root of its own, and a development root stands for an emulator. Only
//! AWS's commercial root is built in. The others come from the caller, who has them from a genesis
//! definition or from a person.

use core::fmt;

use sha2::{Digest, Sha256};

use super::certificate::{Certificate, Link, MAX_CERTIFICATE_BYTES};
use super::error::AttestationError;

/// The DER of AWS's commercial root, "G1", valid from 2019 to 2049.
const AWS_G1: &[u8] = include_bytes!("roots/aws-g1.der");

/// SHA-256 of [`AWS_G1`], as AWS publishes it.
const AWS_G1_FINGERPRINT: [u8; 32] = [
    0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31,
    0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b,
];

/// Whose security modules a root speaks for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// AWS's commercial regions.
    Aws,
    /// AWS's regions in China.
    AwsCn,
    /// AWS GovCloud (US).
    AwsUsGov,
    /// An emulator. It protects nothing; whatever rests on it says so.
    Development,
}

impl Partition {
    const ALL: [Self; 4] = [Self::Aws, Self::AwsCn, Self::AwsUsGov, Self::Development];

    /// The name as it is written in records: AWS's own, or `development`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::Development => "development",
        }
    }

    /// The partition of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|partition| partition.name() == name)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One trusted root certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    partition: Partition,
    fingerprint: [u8; 32],
    der: Vec<u8>,
}

impl TrustAnchor {
    /// Reads a root certificate, DER, for `partition`.
    ///
    /// Its signature over itself is not checked: the caller trusts these bytes, and compares their
    /// [`fingerprint`](Self::fingerprint) with a pinned one.
    ///
    /// # Errors
    ///
    /// If the certificate is not in the profile of a root, or if it is given the wrong partition:
    /// only AWS's commercial root is `aws`, and it is nothing else.
    pub fn from_der(partition: Partition, der: &[u8]) -> Result<Self, AttestationError> {
        let found = der.len();
        if found == 0 || found > MAX_CERTIFICATE_BYTES {
            return Err(AttestationError::CertificateLength { found });
        }
        let certificate = Certificate::parse(der, Link::Anchor)?;
        certificate.check_authority(0)?;
        if certificate.issuer() != certificate.subject() {
            return Err(AttestationError::IssuerMismatch { link: Link::Anchor });
        }
        let fingerprint = certificate.sha256();
        if (partition == Partition::Aws) != (fingerprint == AWS_G1_FINGERPRINT) {
            return Err(AttestationError::AnchorPartition {
                fingerprint,
                partition,
            });
        }
        Ok(Self {
            partition,
            fingerprint,
            der: der.to_vec(),
        })
    }

    /// The root of AWS's commercial regions.
    #[must_use]
    pub fn aws_commercial() -> Self {
        Self {
            partition: Partition::Aws,
            fingerprint: AWS_G1_FINGERPRINT,
            der: AWS_G1.to_vec(),
        }
    }

    /// Whose root this is.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// SHA-256 of the DER.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The certificate, DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// The roots that a verification trusts, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustAnchors(Vec<TrustAnchor>);

/// One root alone.
impl From<TrustAnchor> for TrustAnchors {
    fn from(anchor: TrustAnchor) -> Self {
        Self(vec![anchor])
    }
}

impl TrustAnchors {
    /// No root at all: every document is refused.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// AWS's commercial root alone: the default for a verifier that knows nothing else.
    #[must_use]
    pub fn with_aws() -> Self {
        Self(vec![TrustAnchor::aws_commercial()])
    }

    /// Adds a root. Adding the same one again changes nothing.
    ///
    /// # Errors
    ///
    /// If the set has the same certificate for another partition.
    pub fn insert(&mut self, anchor: TrustAnchor) -> Result<(), AttestationError> {
        match self.get(&anchor.fingerprint) {
            None => self.0.push(anchor),
            Some(present) if present.partition == anchor.partition => {}
            Some(_) => {
                return Err(AttestationError::AnchorConflict {
                    fingerprint: anchor.fingerprint,
                });
            }
        }
        Ok(())
    }

    /// The root whose DER has this SHA-256.
    #[must_use]
    pub fn get(&self, fingerprint: &[u8; 32]) -> Option<&TrustAnchor> {
        self.0
            .iter()
            .find(|anchor| anchor.fingerprint == *fingerprint)
    }

    /// The roots in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &TrustAnchor> {
        self.0.iter()
    }

    /// The pinned root that a bundle's first certificate is a copy of.
    pub(super) fn select(&self, der: &[u8]) -> Result<&TrustAnchor, AttestationError> {
        self.iter().find(|anchor| anchor.der == der).ok_or_else(|| {
            AttestationError::RootNotTrusted {
                fingerprint: Sha256::digest(der).into(),
            }
        })
    }
}
