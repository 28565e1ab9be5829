//! Every reason to refuse a document, each with its data.
//!
//! The text says what was found. [`AttestationError::code`] is a stable name for machines and
//! [`AttestationError::remedy`] says what to do next. No variant carries text from the document.

use core::time::Duration;

use thiserror::Error;

use super::anchor::Partition;
use super::cbor::CborProblem;
use super::certificate::{Link, MAX_CERTIFICATE_BYTES};
use super::chain::MAX_BUNDLE_CERTIFICATES;
use super::cose::{MAX_DOCUMENT_BYTES, MAX_PAYLOAD_BYTES, SIGNATURE_BYTES};
use super::document::Field;
use super::freshness::MIN_CHALLENGE_BYTES;
use super::pcr::{PCR_BYTES, PCR_COUNT, Pcr};
use super::policy::{MAX_RELEASES, MAX_VALUES};
use super::text::Hex;

/// Why a document was refused, or a question about a verified one was answered with no.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AttestationError {
    /// The same root was added for two partitions.
    #[error("root {} is already trusted for another partition", Hex(.fingerprint))]
    AnchorConflict {
        /// SHA-256 of the certificate.
        fingerprint: [u8; 32],
    },
    /// A root was given a partition it does not belong to.
    #[error("root {} is not a root of partition {partition}", Hex(.fingerprint))]
    AnchorPartition {
        /// SHA-256 of the certificate.
        fingerprint: [u8; 32],
        /// The partition it was given.
        partition: Partition,
    },
    /// A certificate does not say whether it is an authority.
    #[error("{link} has no basicConstraints")]
    BasicConstraintsMissing {
        /// The certificate.
        link: Link,
    },
    /// A certificate of the bundle is empty or too long.
    #[error(
        "certificate {index} of the bundle has {found} bytes, not 1 to {MAX_CERTIFICATE_BYTES}"
    )]
    CabundleEntryLength {
        /// Its place, from 0.
        index: usize,
        /// Its length in bytes.
        found: usize,
    },
    /// The bundle has no certificate or too many.
    #[error("the bundle has {found} certificates, not 1 to {MAX_BUNDLE_CERTIFICATES}")]
    CabundleLength {
        /// How many there are; for an indefinite array, where reading stopped.
        found: u64,
    },
    /// The bytes are not the CBOR of this format.
    #[error("not an attestation document: {problem} (byte {offset})")]
    Cbor {
        /// Where, in bytes from the start of the document or of its payload.
        offset: usize,
        /// What.
        problem: CborProblem,
    },
    /// A certificate had ended at the verification time.
    #[error("{link} ended at {not_after}, before the verification time {at}")]
    CertificateExpired {
        /// The certificate.
        link: Link,
        /// Its last second, since 1970.
        not_after: u64,
        /// The verification time, in seconds since 1970.
        at: u64,
    },
    /// A certificate's key is not an uncompressed P-384 point.
    #[error("{link} has no P-384 key")]
    CertificateKey {
        /// The certificate.
        link: Link,
    },
    /// The leaf certificate, or a root to be trusted, is empty or too long.
    #[error("a certificate has {found} bytes, not 1 to {MAX_CERTIFICATE_BYTES}")]
    CertificateLength {
        /// Its length in bytes.
        found: usize,
    },
    /// A certificate is not X.509 in DER.
    #[error("{link} is not an X.509 certificate in DER")]
    CertificateMalformed {
        /// The certificate.
        link: Link,
    },
    /// A certificate issued another one without being an authority.
    #[error("{link} is not an authority")]
    CertificateNotAuthority {
        /// The certificate.
        link: Link,
    },
    /// A certificate had not begun at the verification time.
    #[error("{link} begins at {not_before}, after the verification time {at}")]
    CertificateNotYetValid {
        /// The certificate.
        link: Link,
        /// Its first second, since 1970.
        not_before: u64,
        /// The verification time, in seconds since 1970.
        at: u64,
    },
    /// A certificate is not signed by the one before it.
    #[error("{link} is not signed by its issuer")]
    CertificateSignature {
        /// The certificate.
        link: Link,
    },
    /// A certificate is not signed with ecdsa-with-SHA384, or names it in only one of two places.
    #[error("{link} does not name ecdsa-with-SHA384 in both places")]
    CertificateSignatureAlgorithm {
        /// The certificate.
        link: Link,
    },
    /// A certificate is not of version 3.
    #[error("{link} is not of version 3")]
    CertificateVersion {
        /// The certificate.
        link: Link,
    },
    /// The verifier's own challenge is too short to be unpredictable.
    #[error("the challenge has {found} bytes, fewer than {MIN_CHALLENGE_BYTES}")]
    ChallengeTooShort {
        /// Its length in bytes.
        found: usize,
    },
    /// A certificate's subject has no common name, two, or one that is no text.
    #[error("{link} has not exactly one common name")]
    CommonName {
        /// The certificate.
        link: Link,
    },
    /// A certificate has a critical extension that is not known here.
    #[error("{link} has an unknown critical extension")]
    CriticalExtension {
        /// The certificate.
        link: Link,
    },
    /// The enclave runs in debug mode: its host can read its memory.
    #[error("the enclave runs in debug mode (PCR0, PCR1 or PCR2 is zero)")]
    DebugMode,
    /// The registers are not SHA-384.
    #[error("the digest is not SHA384")]
    DigestUnsupported,
    /// The document is too long.
    #[error("the document has {found} bytes, more than {MAX_DOCUMENT_BYTES}")]
    DocumentLength {
        /// Its length in bytes.
        found: usize,
    },
    /// The document is not signed by its leaf certificate.
    #[error("the document is not signed by its leaf certificate")]
    DocumentSignature,
    /// A certificate has an extension twice.
    #[error("{link} has an extension twice")]
    DuplicateExtension {
        /// The certificate.
        link: Link,
    },
    /// A field occurs twice.
    #[error("the field {field} occurs twice")]
    DuplicateKey {
        /// The field.
        field: Field,
    },
    /// A register occurs twice.
    #[error("PCR{index} occurs twice")]
    DuplicatePcr {
        /// Its index.
        index: u8,
    },
    /// The envelope is not an array of four.
    #[error("the envelope is not an array of four")]
    EnvelopeLength {
        /// The length of the array; `None` if it is indefinite.
        found: Option<u64>,
    },
    /// The caller expects an all-zero register, which says nothing.
    #[error("an all-zero PCR{index} is no expectation")]
    ExpectedPcrZero {
        /// Its index.
        index: u8,
    },
    /// The caller expects an instance whose id has not the form of one.
    #[error("an instance id has the form i-0123456789abcdef0")]
    InstanceIdMalformed,
    /// PCR4 is not that of the instance in the module id.
    #[error("PCR4 is {found}, but the module id gives {expected}")]
    InstancePcrMismatch {
        /// What the module id gives.
        expected: Pcr,
        /// What the document has.
        found: Pcr,
    },
    /// A certificate names another issuer than the one before it: wrong order, or one too many.
    #[error("{link} does not name the certificate before it as its issuer")]
    IssuerMismatch {
        /// The certificate.
        link: Link,
    },
    /// A certificate's keyUsage is missing or does not fit its place.
    #[error("{link} has a keyUsage that does not fit its place")]
    KeyUsage {
        /// The certificate.
        link: Link,
    },
    /// The leaf is an authority or limits the length of a path below it.
    #[error("the leaf certificate is an authority")]
    LeafIsAuthority,
    /// A mandatory field is missing.
    #[error("the field {field} is missing")]
    MissingField {
        /// The field.
        field: Field,
    },
    /// The module id has not the form `i-<hex>-enc<hex>`.
    #[error("the module id has not the form i-<hex>-enc<hex>")]
    ModuleIdMalformed,
    /// A certificate's common name is not that of the module id's instance.
    #[error("the common name of {link} does not agree with the module id")]
    NameMismatch {
        /// The certificate.
        link: Link,
    },
    /// The policy has no release that was in force when the document was signed.
    #[error("no release of the policy was in force at {timestamp}, when the document was signed")]
    NoReleaseInForce {
        /// When the document was signed, in seconds since 1970.
        timestamp: u64,
    },
    /// The document is none of several releases that were in force.
    #[error("the document is none of the {tried} releases in force")]
    NoReleaseMatches {
        /// How many there were.
        tried: usize,
    },
    /// The document answers another challenge.
    #[error("the document answers another challenge")]
    NonceMismatch,
    /// The document answers no challenge.
    #[error("the document answers no challenge")]
    NonceMissing,
    /// The document is that of a NitroTPM: the root user of a plain instance chooses its registers.
    #[error("the document is a NitroTPM's, not an enclave's")]
    NotAnEnclave,
    /// A public key, user data or nonce is too long, or a public key is empty.
    #[error("the field {field} has {found} bytes, which is outside its limits")]
    OptionalFieldLength {
        /// The field.
        field: Field,
        /// Its length in bytes.
        found: usize,
    },
    /// More authorities follow a certificate than it allows.
    #[error("{link} allows fewer authorities below it")]
    PathLengthExceeded {
        /// The certificate.
        link: Link,
    },
    /// The payload is empty or too long.
    #[error("the payload has {found} bytes, not 1 to {MAX_PAYLOAD_BYTES}")]
    PayloadLength {
        /// Its length in bytes.
        found: usize,
    },
    /// The document has no register or too many.
    #[error("the document has {found} registers, not 1 to {PCR_COUNT}")]
    PcrCount {
        /// How many there are.
        found: u64,
    },
    /// A register's index is out of range.
    #[error("there is no PCR{found}")]
    PcrIndex {
        /// The index.
        found: u64,
    },
    /// A register is not 48 bytes long.
    #[error("PCR{index} has {found} bytes, not {PCR_BYTES}")]
    PcrLength {
        /// Its index.
        index: u8,
        /// Its length in bytes.
        found: usize,
    },
    /// A register is not what the caller expects.
    #[error("PCR{index} is {found}, expected {expected}")]
    PcrMismatch {
        /// Its index.
        index: u8,
        /// The expectation.
        expected: Pcr,
        /// What the document has.
        found: Pcr,
    },
    /// A register that is needed is not in the document.
    #[error("PCR{index} is missing")]
    PcrMissing {
        /// Its index.
        index: u8,
    },
    /// A register is none of several acceptable values.
    #[error("PCR{index} is {found}, which is none of {accepted} acceptable values")]
    PcrNotAccepted {
        /// Its index.
        index: u8,
        /// What the document has.
        found: Pcr,
        /// How many values are acceptable.
        accepted: usize,
    },
    /// The policy has too many releases or values.
    #[error(
        "the policy has over {MAX_RELEASES} releases or over {MAX_VALUES} values of a register"
    )]
    PolicyTooLarge,
    /// The protected header is not exactly `{1: -35}`: another algorithm, or a further parameter
    /// such as `crit`.
    #[error("the protected header is not exactly the algorithm ES384")]
    ProtectedHeader,
    /// The signed public key is not the expected one.
    #[error("the document is for another public key")]
    PublicKeyMismatch,
    /// The document has no public key.
    #[error("the document has no public key")]
    PublicKeyMissing,
    /// A release of the policy expects nothing, so every enclave would be one.
    #[error("a release of the policy names no register")]
    ReleaseExpectsNothing,
    /// A release of the policy ends before it begins.
    #[error("a release of the policy ends before it begins")]
    ReleaseWindowEmpty,
    /// The caller expects a role whose ARN has not the form of one.
    #[error("a role's ARN has the form arn:aws:iam::123456789012:role/name")]
    RoleArnMalformed,
    /// The bundle does not begin with a trusted root.
    #[error("the document leads to root {}, which is not trusted", Hex(.fingerprint))]
    RootNotTrusted {
        /// SHA-256 of the root in the bundle.
        fingerprint: [u8; 32],
    },
    /// The signature is not 96 bytes long.
    #[error("the signature has {found} bytes, not {SIGNATURE_BYTES}")]
    SignatureLength {
        /// Its length in bytes.
        found: usize,
    },
    /// The document is too old.
    #[error("the document is {age:?} old, more than {max_age:?}")]
    Stale {
        /// Its age.
        age: Duration,
        /// The largest acceptable age.
        max_age: Duration,
    },
    /// The document was signed after the verification time.
    #[error("the document was signed at {timestamp_ms} ms, after {latest} s")]
    TimestampInFuture {
        /// When it says it was signed, in milliseconds since 1970.
        timestamp_ms: u64,
        /// The latest acceptable time, in seconds since 1970.
        latest: u64,
    },
    /// The document was signed outside its leaf's window.
    #[error(
        "the document was signed at {timestamp_ms} ms, outside its leaf's \
         window of {not_before} to {not_after} s"
    )]
    TimestampOutsideLeaf {
        /// When it says it was signed, in milliseconds since 1970.
        timestamp_ms: u64,
        /// The leaf's first second, since 1970.
        not_before: u64,
        /// The leaf's last second, since 1970.
        not_after: u64,
    },
    /// The timestamp is zero.
    #[error("the timestamp is zero")]
    TimestampZero,
    /// Bytes follow the document or its payload.
    #[error("{count} bytes follow the end")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The envelope has a tag that is not COSE_Sign1's.
    #[error("the envelope has tag {found}, not 18")]
    UnexpectedTag {
        /// The tag.
        found: u64,
    },
    /// A certificate has an issuer or subject unique identifier.
    #[error("{link} has a unique identifier")]
    UniqueIdentifier {
        /// The certificate.
        link: Link,
    },
    /// A field is not known here.
    #[error("the payload has an unknown field (byte {offset})")]
    UnknownKey {
        /// Where, in bytes from the start of the payload.
        offset: usize,
    },
    /// The unprotected header is not empty.
    #[error("the unprotected header is not empty")]
    UnprotectedHeader,
    /// The signed user data is not the expected one.
    #[error("the document has other user data")]
    UserDataMismatch,
    /// The document has no user data.
    #[error("the document has no user data")]
    UserDataMissing,
}
