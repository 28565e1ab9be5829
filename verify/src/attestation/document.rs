//! The payload: what the security module says about its enclave.
//!
//! Parsing proves the format only. A [`Document`] inside a [`Parsed`] is a claim; inside an
//! [`Attested`](super::Attested) it is signed.

use thiserror::Error;

use super::cbor::Reader;
use super::certificate::MAX_CERTIFICATE_BYTES;
use super::chain::MAX_BUNDLE_CERTIFICATES;
use super::cose::Envelope;
use super::error::AttestationError;
use super::pcr::{PCR_COUNT, Pcrs};

/// Largest `public_key`, `user_data` or `nonce`, in bytes.
///
/// AWS's text names 512 for two of them in one place; 1024 is what the security module signs.
pub const MAX_OPTIONAL_FIELD_BYTES: usize = 1024;

/// The fields of a document, by the names they have in it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Field {
    /// The certificates from the root to the issuer of the leaf.
    #[error("cabundle")]
    Cabundle,
    /// The leaf certificate.
    #[error("certificate")]
    Certificate,
    /// The digest function of the registers.
    #[error("digest")]
    Digest,
    /// The identity of the enclave.
    #[error("module_id")]
    ModuleId,
    /// The challenge that the enclave was given.
    #[error("nonce")]
    Nonce,
    /// The registers.
    #[error("pcrs")]
    Pcrs,
    /// A key that the enclave chose.
    #[error("public_key")]
    PublicKey,
    /// When the document was signed.
    #[error("timestamp")]
    Timestamp,
    /// Data that the enclave chose.
    #[error("user_data")]
    UserData,
}

/// The content of an attestation document, in its exact format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    module_id: String,
    timestamp_ms: u64,
    pcrs: Pcrs,
    certificate: Vec<u8>,
    cabundle: Vec<Vec<u8>>,
    public_key: Option<Vec<u8>>,
    user_data: Option<Vec<u8>>,
    nonce: Option<Vec<u8>>,
}

/// A document in the right format whose signature nobody has checked.
///
/// It shows only what is useful before verification. init reads the time from a document of its
/// own security module this way: that device is beside it and nobody else can answer.
#[derive(Clone, Debug)]
pub struct Parsed(Document);

impl Parsed {
    /// The claimed time of signing, in milliseconds since 1970.
    #[must_use]
    pub fn unverified_timestamp_ms(&self) -> u64 {
        self.0.timestamp_ms
    }

    /// The claimed module id.
    #[must_use]
    pub fn unverified_module_id(&self) -> &str {
        &self.0.module_id
    }

    /// The certificate that the bundle begins with, DER: a root for whoever knows its hash.
    #[must_use]
    pub fn unverified_root(&self) -> Option<&[u8]> {
        self.0.cabundle.first().map(Vec::as_slice)
    }
}

impl Document {
    /// Parses a whole document, envelope included, and checks its format but no signature.
    ///
    /// # Errors
    ///
    /// The first rule of the format that the bytes break.
    pub fn parse(bytes: &[u8]) -> Result<Parsed, AttestationError> {
        Self::from_payload(Envelope::parse(bytes)?.payload()).map(Parsed)
    }

    /// The identity of the enclave, such as `i-0123456789abcdef0-enc0123456789abcdef`.
    #[must_use]
    pub fn module_id(&self) -> &str {
        &self.module_id
    }

    /// When the security module signed, in milliseconds since 1970.
    #[must_use]
    pub fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// The same in whole seconds, rounded down.
    #[must_use]
    pub fn timestamp_seconds(&self) -> u64 {
        self.timestamp_ms / 1000
    }

    /// The registers.
    #[must_use]
    pub fn pcrs(&self) -> &Pcrs {
        &self.pcrs
    }

    /// The leaf certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The other certificates, DER, from the root to the leaf's issuer.
    #[must_use]
    pub fn cabundle(&self) -> &[Vec<u8>] {
        &self.cabundle
    }

    /// The key that the enclave chose to have signed, 1 to 1024 bytes.
    #[must_use]
    pub fn public_key(&self) -> Option<&[u8]> {
        self.public_key.as_deref()
    }

    /// The data that the enclave chose to have signed, 0 to 1024 bytes.
    #[must_use]
    pub fn user_data(&self) -> Option<&[u8]> {
        self.user_data.as_deref()
    }

    /// The challenge that the enclave passed on, 0 to 1024 bytes.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    pub(super) fn from_payload(payload: &[u8]) -> Result<Self, AttestationError> {
        let mut fields = Fields::default();
        let mut reader = Reader::new(payload);
        let mut entries = reader.map()?;
        while entries.next(&mut reader)? {
            fields.read_entry(&mut reader)?;
        }
        reader.end()?;
        fields.finish()
    }
}

/// The payload while it is read: each field at most once.
#[derive(Default)]
struct Fields<'a> {
    module_id: Option<&'a str>,
    digest: Option<&'a str>,
    timestamp_ms: Option<u64>,
    pcrs: Option<Pcrs>,
    certificate: Option<&'a [u8]>,
    cabundle: Option<Vec<&'a [u8]>>,
    public_key: Option<Option<&'a [u8]>>,
    user_data: Option<Option<&'a [u8]>>,
    nonce: Option<Option<&'a [u8]>>,
}

impl<'a> Fields<'a> {
    fn read_entry(&mut self, reader: &mut Reader<'a>) -> Result<(), AttestationError> {
        let offset = reader.offset();
        match reader.text()? {
            "cabundle" => set(&mut self.cabundle, Field::Cabundle, read_cabundle(reader)?),
            "certificate" => set(&mut self.certificate, Field::Certificate, reader.bytes()?),
            "digest" => set(&mut self.digest, Field::Digest, reader.text()?),
            "module_id" => set(&mut self.module_id, Field::ModuleId, reader.text()?),
            "nonce" => set(&mut self.nonce, Field::Nonce, reader.bytes_or_null()?),
            "pcrs" => set(&mut self.pcrs, Field::Pcrs, read_pcrs(reader)?),
            "public_key" => set(
                &mut self.public_key,
                Field::PublicKey,
                reader.bytes_or_null()?,
            ),
            "timestamp" => set(&mut self.timestamp_ms, Field::Timestamp, reader.unsigned()?),
            "user_data" => set(
                &mut self.user_data,
                Field::UserData,
                reader.bytes_or_null()?,
            ),
            // The document of a plain instance's TPM, whose registers its root user chooses. It
            // leads to the same root, so this key alone tells the two apart.
            "nitrotpm_pcrs" => Err(AttestationError::NotAnEnclave),
            _ => Err(AttestationError::UnknownKey { offset }),
        }
    }

    fn finish(self) -> Result<Document, AttestationError> {
        let module_id = require(self.module_id, Field::ModuleId)?;
        if module_id.is_empty() {
            return Err(AttestationError::ModuleIdMalformed);
        }
        if require(self.digest, Field::Digest)? != "SHA384" {
            return Err(AttestationError::DigestUnsupported);
        }
        let timestamp_ms = require(self.timestamp_ms, Field::Timestamp)?;
        if timestamp_ms == 0 {
            return Err(AttestationError::TimestampZero);
        }
        let pcrs = require(self.pcrs, Field::Pcrs)?;
        let certificate = require(self.certificate, Field::Certificate)?;
        let found = certificate.len();
        if found == 0 || found > MAX_CERTIFICATE_BYTES {
            return Err(AttestationError::CertificateLength { found });
        }
        let cabundle = require(self.cabundle, Field::Cabundle)?;
        Ok(Document {
            module_id: module_id.to_owned(),
            timestamp_ms,
            pcrs,
            certificate: certificate.to_vec(),
            cabundle: cabundle.into_iter().map(<[u8]>::to_vec).collect(),
            public_key: optional(self.public_key, Field::PublicKey, 1)?,
            user_data: optional(self.user_data, Field::UserData, 0)?,
            nonce: optional(self.nonce, Field::Nonce, 0)?,
        })
    }
}

fn set<T>(slot: &mut Option<T>, field: Field, value: T) -> Result<(), AttestationError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(AttestationError::DuplicateKey { field }),
    }
}

fn require<T>(slot: Option<T>, field: Field) -> Result<T, AttestationError> {
    slot.ok_or(AttestationError::MissingField { field })
}

/// An optional field: absent and null are the same.
fn optional(
    slot: Option<Option<&[u8]>>,
    field: Field,
    least: usize,
) -> Result<Option<Vec<u8>>, AttestationError> {
    let Some(value) = slot.flatten() else {
        return Ok(None);
    };
    let found = value.len();
    if found < least || found > MAX_OPTIONAL_FIELD_BYTES {
        return Err(AttestationError::OptionalFieldLength { field, found });
    }
    Ok(Some(value.to_vec()))
}

fn read_pcrs(reader: &mut Reader<'_>) -> Result<Pcrs, AttestationError> {
    let mut entries = reader.map()?;
    match entries.announced() {
        Some(found) if found == 0 || found > u64::from(PCR_COUNT) => {
            return Err(AttestationError::PcrCount { found });
        }
        _ => {}
    }
    let mut pcrs = Pcrs::empty();
    while entries.next(reader)? {
        let index = reader.unsigned()?;
        pcrs.insert(index, reader.bytes()?)?;
    }
    if pcrs.is_empty() {
        return Err(AttestationError::PcrCount { found: 0 });
    }
    Ok(pcrs)
}

fn read_cabundle<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, AttestationError> {
    let mut entries = reader.array()?;
    match entries.announced() {
        Some(found) if found > MAX_BUNDLE_CERTIFICATES as u64 => {
            return Err(AttestationError::CabundleLength { found });
        }
        _ => {}
    }
    let mut cabundle = Vec::new();
    while entries.next(reader)? {
        let index = cabundle.len();
        if index == MAX_BUNDLE_CERTIFICATES {
            let found = index.saturating_add(1) as u64;
            return Err(AttestationError::CabundleLength { found });
        }
        let certificate = reader.bytes()?;
        let found = certificate.len();
        if found == 0 || found > MAX_CERTIFICATE_BYTES {
            return Err(AttestationError::CabundleEntryLength { index, found });
        }
        cabundle.push(certificate);
    }
    if cabundle.is_empty() {
        return Err(AttestationError::CabundleLength { found: 0 });
    }
    Ok(cabundle)
}
