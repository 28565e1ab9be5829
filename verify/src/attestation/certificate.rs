//! One X.509 certificate in the Nitro profile.
//!
//! The profile: version 3, P-384 key, ecdsa-with-SHA384 named inside and outside, DER throughout
//! (what was decoded is encoded again and must be the received bytes), basicConstraints and
//! keyUsage present, no critical extension besides these two, no extension twice, no unique
//! identifiers, one common name in the subject. What depends on the place in the chain is checked
//! in [`chain`](super::chain).
//!
//! Extensions that are neither critical nor among the two are not read. The security module's own
//! certificates have gained some over the years.

use core::fmt;

use sha2::{Digest, Sha256};
use x509_cert::Version;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Reader, SliceReader, Tag, Tagged};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::cose::SIGNATURE_BYTES;
use super::error::AttestationError;
use super::signature::{PublicKey, Signature};

/// Largest certificate, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 1024;

const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Which certificate an error speaks of.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// A root that is being added to the trusted ones.
    Anchor,
    /// The certificate at this place of the bundle; the root is at 0.
    Bundle {
        /// The place, from 0.
        index: usize,
    },
    /// The certificate that signs the document.
    Leaf,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anchor => f.write_str("the root certificate to be trusted"),
            Self::Bundle { index } => write!(f, "certificate {index} of the bundle"),
            Self::Leaf => f.write_str("the leaf certificate"),
        }
    }
}

/// A certificate in the profile. Its signature has not been checked.
pub(super) struct Certificate<'a> {
    link: Link,
    /// The exact bytes that the issuer signed.
    tbs: &'a [u8],
    issuer: Name,
    subject: Name,
    common_name: String,
    not_before: u64,
    not_after: u64,
    public_key: PublicKey,
    basic_constraints: BasicConstraints,
    key_usage: KeyUsage,
    signature: Signature,
    sha256: [u8; 32],
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8], link: Link) -> Result<Self, AttestationError> {
        let malformed = AttestationError::CertificateMalformed { link };
        let certificate = x509_cert::Certificate::from_der(der).map_err(|_| malformed.clone())?;
        // DER has one encoding for a value. Whatever decodes from another one is refused.
        if certificate.to_der().map_err(|_| malformed.clone())? != der {
            return Err(malformed);
        }
        let tbs = certificate.tbs_certificate();
        if tbs.version() != Version::V3 {
            return Err(AttestationError::CertificateVersion { link });
        }
        if !is_ecdsa_with_sha384(tbs.signature())
            || !is_ecdsa_with_sha384(certificate.signature_algorithm())
        {
            return Err(AttestationError::CertificateSignatureAlgorithm { link });
        }
        if tbs.issuer_unique_id().is_some() || tbs.subject_unique_id().is_some() {
            return Err(AttestationError::UniqueIdentifier { link });
        }
        let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
        check_extensions(extensions, link)?;
        let signature = certificate.signature().as_bytes();
        Ok(Self {
            link,
            tbs: signed_part(der).ok_or(malformed.clone())?,
            issuer: tbs.issuer().clone(),
            subject: tbs.subject().clone(),
            common_name: common_name(tbs.subject()).ok_or(AttestationError::CommonName { link })?,
            not_before: tbs.validity().not_before.to_unix_duration().as_secs(),
            not_after: tbs.validity().not_after.to_unix_duration().as_secs(),
            public_key: p384_key(tbs.subject_public_key_info())
                .ok_or(AttestationError::CertificateKey { link })?,
            basic_constraints: find(extensions, BASIC_CONSTRAINTS)
                .ok_or(AttestationError::BasicConstraintsMissing { link })
                .and_then(|value| decode_exact(value).ok_or(malformed.clone()))?,
            key_usage: find(extensions, KEY_USAGE)
                .ok_or(AttestationError::KeyUsage { link })
                .and_then(|value| decode_exact(value).ok_or(malformed.clone()))?,
            signature: signature.and_then(raw_signature).ok_or(malformed)?,
            sha256: Sha256::digest(der).into(),
        })
    }

    pub(super) fn link(&self) -> Link {
        self.link
    }

    pub(super) fn tbs(&self) -> &'a [u8] {
        self.tbs
    }

    pub(super) fn issuer(&self) -> &Name {
        &self.issuer
    }

    pub(super) fn subject(&self) -> &Name {
        &self.subject
    }

    /// The only common name of the subject.
    pub(super) fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The first second of validity, since 1970.
    pub(super) fn not_before(&self) -> u64 {
        self.not_before
    }

    /// The last second of validity, since 1970.
    pub(super) fn not_after(&self) -> u64 {
        self.not_after
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    pub(super) fn signature(&self) -> &Signature {
        &self.signature
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Checks that this certificate may issue others, with `below` authorities between it and the
    /// leaf.
    pub(super) fn check_authority(&self, below: usize) -> Result<(), AttestationError> {
        let link = self.link;
        if !self.basic_constraints.ca {
            return Err(AttestationError::CertificateNotAuthority { link });
        }
        if !self.key_usage.key_cert_sign() {
            return Err(AttestationError::KeyUsage { link });
        }
        match self.basic_constraints.path_len_constraint {
            Some(most) if below > usize::from(most) => {
                Err(AttestationError::PathLengthExceeded { link })
            }
            _ => Ok(()),
        }
    }

    /// Checks that this certificate may sign documents and nothing else.
    pub(super) fn check_leaf(&self) -> Result<(), AttestationError> {
        let constraints = &self.basic_constraints;
        if constraints.ca || constraints.path_len_constraint.is_some() {
            return Err(AttestationError::LeafIsAuthority);
        }
        let usage = &self.key_usage;
        if !usage.digital_signature() || usage.key_cert_sign() || usage.crl_sign() {
            return Err(AttestationError::KeyUsage { link: self.link });
        }
        Ok(())
    }
}

fn is_ecdsa_with_sha384(algorithm: &AlgorithmIdentifierOwned) -> bool {
    algorithm.oid == ECDSA_WITH_SHA384 && algorithm.parameters.is_none()
}

fn check_extensions(extensions: &[Extension], link: Link) -> Result<(), AttestationError> {
    let mut seen = Vec::with_capacity(extensions.len());
    for extension in extensions {
        let id = extension.extn_id;
        if seen.contains(&id) {
            return Err(AttestationError::DuplicateExtension { link });
        }
        if extension.critical && id != BASIC_CONSTRAINTS && id != KEY_USAGE {
            return Err(AttestationError::CriticalExtension { link });
        }
        seen.push(id);
    }
    Ok(())
}

fn find(extensions: &[Extension], id: ObjectIdentifier) -> Option<&[u8]> {
    extensions
        .iter()
        .find(|extension| extension.extn_id == id)
        .map(|extension| extension.extn_value.as_bytes())
}

/// Decodes a value whose encoding must be the received one.
fn decode_exact<'a, T>(der: &'a [u8]) -> Option<T>
where
    T: Decode<'a> + Encode,
{
    let value = T::from_der(der).ok()?;
    (value.to_der().ok()? == der).then_some(value)
}

/// The encoded `TBSCertificate`, as it lies in the certificate.
fn signed_part(der: &[u8]) -> Option<&[u8]> {
    let mut outer = SliceReader::new(der).ok()?;
    let header = x509_cert::der::Header::decode(&mut outer).ok()?;
    (header.tag() == Tag::Sequence)
        .then(|| outer.tlv_bytes().ok())
        .flatten()
}

fn p384_key(info: &SubjectPublicKeyInfoOwned) -> Option<PublicKey> {
    let curve: ObjectIdentifier = info.algorithm.parameters.as_ref()?.decode_as().ok()?;
    if info.algorithm.oid != EC_PUBLIC_KEY || curve != SECP384R1 {
        return None;
    }
    PublicKey::from_sec1(info.subject_public_key.as_bytes()?)
}

/// The common name, if there is exactly one and it is a text.
fn common_name(name: &Name) -> Option<String> {
    let mut values = name
        .iter()
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .map(|attribute| &attribute.value);
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    if !matches!(value.tag(), Tag::Utf8String | Tag::PrintableString) {
        return None;
    }
    core::str::from_utf8(value.value()).ok().map(str::to_owned)
}

/// Turns a DER `ECDSA-Sig-Value` into *r* and *s* of fixed length.
fn raw_signature(der: &[u8]) -> Option<Signature> {
    let mut reader = SliceReader::new(der).ok()?;
    let (r, s) = reader
        .sequence(|pair| {
            Ok::<_, x509_cert::der::Error>((UintRef::decode(pair)?, UintRef::decode(pair)?))
        })
        .ok()?;
    reader.finish().ok()?;
    let mut raw = [0; SIGNATURE_BYTES];
    let (left, right) = raw.split_at_mut(48);
    pad_left(r.as_bytes(), left)?;
    pad_left(s.as_bytes(), right)?;
    Some(Signature::new(raw))
}

fn pad_left(number: &[u8], field: &mut [u8]) -> Option<()> {
    let zeros = field.len().checked_sub(number.len())?;
    field.get_mut(zeros..)?.copy_from_slice(number);
    Some(())
}
