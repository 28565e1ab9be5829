//! One X.509 certificate in the Nitro profile.
//!
//! The profile: version 3, P-384 key, ecdsa-with-SHA384 named inside and outside, DER throughout,
//! basicConstraints and keyUsage present, no critical extension besides these two, no extension
//! twice, no unique identifiers, names of one attribute a place with one common name in the
//! subject. What depends on the place in the chain is checked in [`chain`](super::chain).
//!
//! Nothing is copied and nothing allocated: a certificate is a view of its bytes. Extensions that
//! are neither critical nor among the two are not read. The security module's own certificates
//! have gained some over the years.

use core::fmt;

use sha2::{Digest, Sha256};

use super::cose::SIGNATURE_BYTES;
use super::der::{self, Reader};
use super::error::AttestationError;
use super::name::Name;
use super::signature::{PublicKey, Signature};

/// Largest certificate, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 1024;

/// Largest number of extensions. Genuine certificates have six at most.
pub const MAX_EXTENSIONS: usize = 16;

/// Longest serial number, in bytes: 20, and a zero that keeps it positive (RFC 5280
/// section 4.1.2.2).
const MAX_SERIAL_BYTES: usize = 21;

/// `INTEGER 2`: version 3.
const VERSION_3: &[u8] = &[2];

/// The content of an `AlgorithmIdentifier` for ecdsa-with-SHA384, 1.2.840.10045.4.3.3, without
/// parameters (RFC 5758 section 3.2).
const ECDSA_WITH_SHA384: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];

/// The same for a key on secp384r1: 1.2.840.10045.2.1 with 1.3.132.0.34 (RFC 5480 section 2.1.1).
const KEY_ON_P384: &[u8] = &[
    6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22,
];

const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];

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
    der: &'a [u8],
    /// The exact bytes that the issuer signed.
    tbs: &'a [u8],
    issuer: Name<'a>,
    subject: Name<'a>,
    common_name: &'a str,
    not_before: u64,
    not_after: u64,
    public_key: PublicKey,
    basic_constraints: BasicConstraints,
    key_usage: KeyUsage,
    signature: Signature,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8], link: Link) -> Result<Self, AttestationError> {
        let malformed = || AttestationError::CertificateMalformed { link };
        let outer = Outer::read(der).ok_or_else(malformed)?;
        let mut fields = Reader::new(outer.tbs.content);
        check_version(&mut fields, link)?;
        let inner = Inner::read(&mut fields).ok_or_else(malformed)?;
        if inner.algorithm != ECDSA_WITH_SHA384 || outer.algorithm != ECDSA_WITH_SHA384 {
            return Err(AttestationError::CertificateSignatureAlgorithm { link });
        }
        if inner.has_unique_id {
            return Err(AttestationError::UniqueIdentifier { link });
        }
        let extensions = Extensions::read(inner.extensions, link)?;
        Ok(Self {
            link,
            der,
            tbs: outer.tbs.whole,
            issuer: inner.issuer,
            subject: inner.subject,
            common_name: inner
                .subject
                .common_name()
                .ok_or(AttestationError::CommonName { link })?,
            not_before: inner.not_before,
            not_after: inner.not_after,
            public_key: p384_key(inner.key_info)
                .ok_or(AttestationError::CertificateKey { link })?,
            basic_constraints: extensions
                .basic_constraints
                .ok_or(AttestationError::BasicConstraintsMissing { link })
                .and_then(|value| BasicConstraints::read(value).ok_or_else(malformed))?,
            key_usage: extensions
                .key_usage
                .ok_or(AttestationError::KeyUsage { link })
                .and_then(|value| KeyUsage::read(value).ok_or_else(malformed))?,
            signature: raw_signature(outer.signature).ok_or_else(malformed)?,
        })
    }

    pub(super) fn link(&self) -> Link {
        self.link
    }

    /// Every byte of it.
    pub(super) fn der(&self) -> &'a [u8] {
        self.der
    }

    pub(super) fn tbs(&self) -> &'a [u8] {
        self.tbs
    }

    pub(super) fn issuer(&self) -> &Name<'a> {
        &self.issuer
    }

    pub(super) fn subject(&self) -> &Name<'a> {
        &self.subject
    }

    /// The only common name of the subject.
    pub(super) fn common_name(&self) -> &'a str {
        self.common_name
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

    /// SHA-256 of the whole certificate.
    pub(super) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.der).into()
    }

    /// Checks that this certificate may issue others, with `below` authorities between it and the
    /// leaf.
    pub(super) fn check_authority(&self, below: usize) -> Result<(), AttestationError> {
        let link = self.link;
        if !self.basic_constraints.authority {
            return Err(AttestationError::CertificateNotAuthority { link });
        }
        if !self.key_usage.has(KeyUsage::CERT_SIGN) {
            return Err(AttestationError::KeyUsage { link });
        }
        match self.basic_constraints.path_length {
            Some(most) if below > usize::from(most) => {
                Err(AttestationError::PathLengthExceeded { link })
            }
            _ => Ok(()),
        }
    }

    /// Checks that this certificate may sign documents and nothing else.
    pub(super) fn check_leaf(&self) -> Result<(), AttestationError> {
        let constraints = &self.basic_constraints;
        if constraints.authority || constraints.path_length.is_some() {
            return Err(AttestationError::LeafIsAuthority);
        }
        let usage = &self.key_usage;
        if !usage.has(KeyUsage::DIGITAL_SIGNATURE)
            || usage.has(KeyUsage::CERT_SIGN)
            || usage.has(KeyUsage::CRL_SIGN)
        {
            return Err(AttestationError::KeyUsage { link: self.link });
        }
        Ok(())
    }
}

/// The three parts of a certificate (RFC 5280 section 4.1).
struct Outer<'a> {
    tbs: der::Element<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Outer<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut file = Reader::new(der);
        let mut parts = Reader::new(file.content(der::SEQUENCE)?);
        file.end()?;
        let outer = Self {
            tbs: parts.element(der::SEQUENCE)?,
            algorithm: parts.content(der::SEQUENCE)?,
            signature: parts.bytes_in_bits()?,
        };
        parts.end()?;
        Some(outer)
    }
}

/// The signed fields after the version.
struct Inner<'a> {
    algorithm: &'a [u8],
    issuer: Name<'a>,
    not_before: u64,
    not_after: u64,
    subject: Name<'a>,
    key_info: &'a [u8],
    has_unique_id: bool,
    extensions: Option<&'a [u8]>,
}

impl<'a> Inner<'a> {
    fn read(fields: &mut Reader<'a>) -> Option<Self> {
        const ISSUER_ID: u8 = 0x81;
        const SUBJECT_ID: u8 = 0x82;
        const EXTENSIONS: u8 = 0xa3;
        if fields.integer()?.len() > MAX_SERIAL_BYTES {
            return None;
        }
        let algorithm = fields.content(der::SEQUENCE)?;
        let issuer = Name::read(fields)?;
        let mut validity = Reader::new(fields.content(der::SEQUENCE)?);
        let not_before = der::unix_time(validity.any()?)?;
        let not_after = der::unix_time(validity.any()?)?;
        validity.end()?;
        let subject = Name::read(fields)?;
        let key_info = fields.content(der::SEQUENCE)?;
        let issuer_id = fields.optional(ISSUER_ID)?;
        let subject_id = fields.optional(SUBJECT_ID)?;
        let extensions = fields.optional(EXTENSIONS)?;
        fields.end()?;
        Some(Self {
            algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            key_info,
            has_unique_id: issuer_id.or(subject_id).is_some(),
            extensions,
        })
    }
}

/// Demands version 3. Version 1 is the default, so it is not written.
fn check_version(fields: &mut Reader<'_>, link: Link) -> Result<(), AttestationError> {
    const VERSION: u8 = 0xa0;
    let read = |fields: &mut Reader<'_>| {
        let Some(version) = fields.optional(VERSION)? else {
            return Some(Err(AttestationError::CertificateVersion { link }));
        };
        let mut version = Reader::new(version);
        let number = version.integer()?;
        version.end()?;
        match number {
            VERSION_3 => Some(Ok(())),
            [1] => Some(Err(AttestationError::CertificateVersion { link })),
            _ => None,
        }
    };
    read(fields).unwrap_or(Err(AttestationError::CertificateMalformed { link }))
}

/// The values of the two extensions that are read.
#[derive(Default)]
struct Extensions<'a> {
    basic_constraints: Option<&'a [u8]>,
    key_usage: Option<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    fn read(field: Option<&'a [u8]>, link: Link) -> Result<Self, AttestationError> {
        let malformed = AttestationError::CertificateMalformed { link };
        let Some(field) = field else {
            return Ok(Self::default());
        };
        let mut field = Reader::new(field);
        let list = field.content(der::SEQUENCE).ok_or(malformed.clone())?;
        field.end().ok_or(malformed.clone())?;
        let mut list = Reader::new(list);
        let mut found = Self::default();
        let mut seen = [None; MAX_EXTENSIONS];
        while !list.is_empty() {
            let extension = Extension::read(&mut list).ok_or(malformed.clone())?;
            if seen.contains(&Some(extension.id)) {
                return Err(AttestationError::DuplicateExtension { link });
            }
            let free = seen.iter_mut().find(|slot| slot.is_none());
            *free.ok_or(malformed.clone())? = Some(extension.id);
            match extension.id {
                BASIC_CONSTRAINTS => found.basic_constraints = Some(extension.value),
                KEY_USAGE => found.key_usage = Some(extension.value),
                _ if extension.critical => {
                    return Err(AttestationError::CriticalExtension { link });
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// One extension.
struct Extension<'a> {
    id: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

impl<'a> Extension<'a> {
    fn read(list: &mut Reader<'a>) -> Option<Self> {
        let mut fields = Reader::new(list.content(der::SEQUENCE)?);
        let extension = Self {
            id: fields.object_identifier()?,
            critical: fields.default_false()?,
            value: fields.content(der::OCTET_STRING)?,
        };
        fields.end()?;
        Some(extension)
    }
}

/// Whether a certificate is an authority's, and how many authorities may follow it.
struct BasicConstraints {
    authority: bool,
    path_length: Option<u8>,
}

impl BasicConstraints {
    fn read(value: &[u8]) -> Option<Self> {
        let mut value = Reader::new(value);
        let mut fields = Reader::new(value.content(der::SEQUENCE)?);
        value.end()?;
        let authority = fields.default_false()?;
        let path_length = match fields.is_empty() {
            true => None,
            false => Some(match fields.unsigned()? {
                [] => 0,
                [length] => *length,
                _ => return None,
            }),
        };
        fields.end()?;
        Some(Self {
            authority,
            path_length,
        })
    }
}

/// What a key may be used for: the named bits of RFC 5280 section 4.2.1.3, the first one highest.
struct KeyUsage(u8);

impl KeyUsage {
    const DIGITAL_SIGNATURE: u8 = 0x80;
    const CERT_SIGN: u8 = 0x04;
    const CRL_SIGN: u8 = 0x02;

    /// A list of named bits ends with its last one, so there is one encoding for a set.
    fn read(value: &[u8]) -> Option<Self> {
        let mut value = Reader::new(value);
        let bits = value.content(der::BIT_STRING)?;
        value.end()?;
        match bits {
            // No use at all.
            [0] => Some(Self(0)),
            [unused @ 0..=7, bits] if bits.trailing_zeros() == u32::from(*unused) => {
                Some(Self(*bits))
            }
            // The ninth bit, decipherOnly, is the only one of the second byte.
            [7, bits, 0x80] => Some(Self(*bits)),
            _ => None,
        }
    }

    fn has(&self, usage: u8) -> bool {
        self.0 & usage != 0
    }
}

/// The key of a `SubjectPublicKeyInfo`.
fn p384_key(info: &[u8]) -> Option<PublicKey> {
    let mut fields = Reader::new(info);
    if fields.content(der::SEQUENCE)? != KEY_ON_P384 {
        return None;
    }
    let point = fields.bytes_in_bits()?;
    fields.end()?;
    PublicKey::from_sec1(point)
}

/// Turns a DER `ECDSA-Sig-Value` into *r* and *s* of fixed length.
fn raw_signature(der: &[u8]) -> Option<Signature> {
    let mut whole = Reader::new(der);
    let mut numbers = Reader::new(whole.content(der::SEQUENCE)?);
    whole.end()?;
    let (r, s) = (numbers.unsigned()?, numbers.unsigned()?);
    numbers.end()?;
    let mut raw = [0; SIGNATURE_BYTES];
    let (left, right) = raw.split_at_mut(48);
    pad_left(r, left)?;
    pad_left(s, right)?;
    Some(Signature::new(raw))
}

fn pad_left(number: &[u8], field: &mut [u8]) -> Option<()> {
    let zeros = field.len().checked_sub(number.len())?;
    field.get_mut(zeros..)?.copy_from_slice(number);
    Some(())
}
