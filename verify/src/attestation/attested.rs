//! The result: a document that passed every check, and the questions a caller asks of it.

use core::time::Duration;

use sha2::{Digest, Sha256};

use super::anchor::Partition;
use super::certificate::{Certificate, Link};
use super::document::Document;
use super::error::AttestationError;
use super::freshness::FreshnessUsed;
use super::pcr::Pcr;

/// The registers that a debug enclave has at zero: image, kernel and application.
const MEASUREMENTS: [u8; 3] = [0, 1, 2];

/// Whether an enclave in debug mode is acceptable. Its host can read its console and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DebugMode {
    /// Refuse it.
    #[default]
    Refused,
    /// Accept it beside others. For looking at a document, never for giving anything away.
    Allowed,
}

/// One certificate of a verified chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    subject: String,
    not_before: u64,
    not_after: u64,
    sha256: [u8; 32],
}

impl CertificateFacts {
    fn of(certificate: &Certificate<'_>) -> Self {
        Self {
            subject: certificate.subject().to_string(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            sha256: certificate.sha256(),
        }
    }

    /// The subject's name as text (RFC 4514).
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The first second of validity, since 1970.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// The last second of validity, since 1970.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// SHA-256 of the DER.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

/// A verified attestation document. Only a verification makes one.
///
/// `T` is what was shown about time. A function that gives something away takes
/// `Attested<AnsweredLive>`, and a mere record does not compile there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested<T = FreshnessUsed> {
    document: Document,
    partition: Partition,
    root_fingerprint: [u8; 32],
    sha256: [u8; 32],
    freshness: T,
}

impl<T> Attested<T> {
    pub(super) fn new(
        bytes: &[u8],
        document: Document,
        partition: Partition,
        root_fingerprint: [u8; 32],
        freshness: T,
    ) -> Self {
        Self {
            document,
            partition,
            root_fingerprint,
            sha256: Sha256::digest(bytes).into(),
            freshness,
        }
    }

    /// What the security module signed.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Whose root the chain leads to. A development root proves nothing about hardware.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// SHA-256 of that root's DER.
    #[must_use]
    pub fn root_fingerprint(&self) -> &[u8; 32] {
        &self.root_fingerprint
    }

    /// The certificates from the root to the leaf.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateFacts> {
        let bundle = self.document.cabundle().iter().map(Vec::as_slice);
        (0..)
            .map(|index| Link::Bundle { index })
            .zip(bundle)
            .chain([(Link::Leaf, self.document.certificate())])
            // All of them were read when the document was verified.
            .filter_map(|(link, der)| Certificate::parse(der, link).ok())
            .map(|certificate| CertificateFacts::of(&certificate))
            .collect()
    }

    /// SHA-256 of the document exactly as it was received.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// How fresh the document was found to be.
    #[must_use]
    pub fn freshness(&self) -> &T {
        &self.freshness
    }

    /// Whether the enclave is in debug mode. Always `false` under [`DebugMode::Refused`].
    #[must_use]
    pub fn is_debug(&self) -> bool {
        is_debug(&self.document)
    }

    /// Checks one register.
    ///
    /// # Errors
    ///
    /// If it is missing or has another value. An all-zero expectation is refused, since a register
    /// that nobody extended says nothing.
    pub fn expect_pcr(&self, index: u8, expected: &Pcr) -> Result<(), AttestationError> {
        if expected.is_zero() {
            return Err(AttestationError::ExpectedPcrZero { index });
        }
        let found = self.document.pcrs().require(index)?;
        if found != expected {
            return Err(AttestationError::PcrMismatch {
                index,
                expected: *expected,
                found: *found,
            });
        }
        Ok(())
    }

    /// Checks the challenge that the document answers, where its freshness does not depend on it.
    /// A short one could have been guessed before it was drawn.
    ///
    /// # Errors
    ///
    /// If it answers none or another one.
    pub fn expect_nonce(&self, expected: &[u8]) -> Result<(), AttestationError> {
        match self.document.nonce() {
            None => Err(AttestationError::NonceMissing),
            Some(found) if found == expected => Ok(()),
            Some(_) => Err(AttestationError::NonceMismatch),
        }
    }

    /// Checks how old the document was at a time, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// If it was older than `max_age`.
    pub fn expect_age(&self, max_age: Duration, at_unix: u64) -> Result<(), AttestationError> {
        let at_ms = at_unix.saturating_mul(1000);
        let age = Duration::from_millis(at_ms.saturating_sub(self.document.timestamp_ms()));
        if age > max_age {
            return Err(AttestationError::Stale { age, max_age });
        }
        Ok(())
    }

    /// Checks the key that the enclave had signed.
    ///
    /// # Errors
    ///
    /// If there is none or another one.
    pub fn expect_public_key(&self, expected: &[u8]) -> Result<(), AttestationError> {
        match self.document.public_key() {
            None => Err(AttestationError::PublicKeyMissing),
            Some(found) if found == expected => Ok(()),
            Some(_) => Err(AttestationError::PublicKeyMismatch),
        }
    }

    /// Checks the data that the enclave had signed.
    ///
    /// # Errors
    ///
    /// If there is none or another one. Empty data is not the same as none.
    pub fn expect_user_data(&self, expected: &[u8]) -> Result<(), AttestationError> {
        match self.document.user_data() {
            None => Err(AttestationError::UserDataMissing),
            Some(found) if found == expected => Ok(()),
            Some(_) => Err(AttestationError::UserDataMismatch),
        }
    }
}

impl<T: Into<FreshnessUsed>> Attested<T> {
    /// The same document, with what was shown about time as a value and no longer as a type.
    #[must_use]
    pub fn untyped(self) -> Attested {
        Attested {
            document: self.document,
            partition: self.partition,
            root_fingerprint: self.root_fingerprint,
            sha256: self.sha256,
            freshness: self.freshness.into(),
        }
    }
}

/// Demands the three measurements, and that the enclave is not in debug mode unless allowed.
pub(super) fn check_debug(document: &Document, mode: DebugMode) -> Result<(), AttestationError> {
    for index in MEASUREMENTS {
        document.pcrs().require(index)?;
    }
    if mode == DebugMode::Refused && is_debug(document) {
        return Err(AttestationError::DebugMode);
    }
    Ok(())
}

/// The security module sets all three to zero in debug mode. One zero is enough to refuse: no
/// measured image has it.
fn is_debug(document: &Document) -> bool {
    MEASUREMENTS
        .iter()
        .any(|index| document.pcrs().get(*index).is_some_and(Pcr::is_zero))
}
