//! What a refusal is called and what to do about it, for every variant.

use super::error::AttestationError;

/// What a person can do, by whose turn it is.
#[derive(Clone, Copy)]
enum Remedy {
    Binding,
    Caller,
    Debug,
    Forged,
    Format,
    Fresh,
    Identity,
    NotEnclave,
    Pcr,
    Root,
    Time,
}

impl Remedy {
    const fn text(self) -> &'static str {
        match self {
            Self::Binding => {
                "Ask this enclave for a new document; if it happens again, the answer \
                 comes from somewhere else."
            }
            Self::Caller => {
                "Correct the call: this is the verifier's own mistake and says nothing \
                 about the document."
            }
            Self::Debug => {
                "Start the enclave without --debug-mode. Never give anything to one \
                 that has it."
            }
            Self::Forged => {
                "Do not trust the sender. The security module does not make such \
                 documents."
            }
            Self::Format => {
                "Fetch the document again as raw bytes. If that does not help, its \
                 sender is not a Nitro security module known to this version."
            }
            Self::Fresh => "Ask for a new document with a new challenge, and do not use this one.",
            Self::Identity => "Do not trust the sender. One document must speak of one instance.",
            Self::NotEnclave => "Ask the enclave, not the instance it runs on.",
            Self::Pcr => {
                "Find out what this enclave runs before you trust it: it is not what \
                 was expected."
            }
            Self::Root => {
                "If this is a development system, name its root. Otherwise do not trust \
                 the sender."
            }
            Self::Time => {
                "Check the verifier's clock. To examine an old document, verify it as \
                 an archived one."
            }
        }
    }
}

impl AttestationError {
    /// A stable name of the reason, in kebab case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.describe().0
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        self.describe().1.text()
    }

    const fn describe(&self) -> (&'static str, Remedy) {
        match self {
            Self::AnchorConflict { .. } => ("anchor-conflict", Remedy::Caller),
            Self::AnchorPartition { .. } => ("anchor-partition", Remedy::Caller),
            Self::BasicConstraintsMissing { .. } => ("basic-constraints-missing", Remedy::Forged),
            Self::CabundleEntryLength { .. } => ("cabundle-entry-length", Remedy::Format),
            Self::CabundleLength { .. } => ("cabundle-length", Remedy::Format),
            Self::Cbor { .. } => ("cbor", Remedy::Format),
            Self::CertificateExpired { .. } => ("certificate-expired", Remedy::Time),
            Self::CertificateKey { .. } => ("certificate-key", Remedy::Forged),
            Self::CertificateLength { .. } => ("certificate-length", Remedy::Format),
            Self::CertificateMalformed { .. } => ("certificate-malformed", Remedy::Forged),
            Self::CertificateNotAuthority { .. } => ("certificate-not-authority", Remedy::Forged),
            Self::CertificateNotYetValid { .. } => ("certificate-not-yet-valid", Remedy::Time),
            Self::CertificateSignature { .. } => ("certificate-signature", Remedy::Forged),
            Self::CertificateSignatureAlgorithm { .. } => {
                ("certificate-signature-algorithm", Remedy::Forged)
            }
            Self::CertificateVersion { .. } => ("certificate-version", Remedy::Forged),
            Self::ChallengeTooShort { .. } => ("challenge-too-short", Remedy::Caller),
            Self::CommonName { .. } => ("common-name", Remedy::Forged),
            Self::CriticalExtension { .. } => ("critical-extension", Remedy::Forged),
            Self::DebugMode => ("debug-mode", Remedy::Debug),
            Self::DigestUnsupported => ("digest-unsupported", Remedy::Format),
            Self::DocumentLength { .. } => ("document-length", Remedy::Format),
            Self::DocumentSignature => ("document-signature", Remedy::Forged),
            Self::DuplicateExtension { .. } => ("duplicate-extension", Remedy::Forged),
            Self::DuplicateKey { .. } => ("duplicate-key", Remedy::Format),
            Self::DuplicatePcr { .. } => ("duplicate-pcr", Remedy::Format),
            Self::EnvelopeLength { .. } => ("envelope-length", Remedy::Format),
            Self::ExpectedPcrZero { .. } => ("expected-pcr-zero", Remedy::Caller),
            Self::InstanceIdMalformed => ("instance-id-malformed", Remedy::Caller),
            Self::InstancePcrMismatch { .. } => ("instance-pcr-mismatch", Remedy::Identity),
            Self::IssuerMismatch { .. } => ("issuer-mismatch", Remedy::Forged),
            Self::KeyUsage { .. } => ("key-usage", Remedy::Forged),
            Self::LeafIsAuthority => ("leaf-is-authority", Remedy::Forged),
            Self::MissingField { .. } => ("missing-field", Remedy::Format),
            Self::ModuleIdMalformed => ("module-id-malformed", Remedy::Identity),
            Self::NameMismatch { .. } => ("name-mismatch", Remedy::Identity),
            Self::NoReleaseInForce { .. } => ("no-release-in-force", Remedy::Pcr),
            Self::NoReleaseMatches { .. } => ("no-release-matches", Remedy::Pcr),
            Self::NonceMismatch => ("nonce-mismatch", Remedy::Fresh),
            Self::NonceMissing => ("nonce-missing", Remedy::Fresh),
            Self::NotAnEnclave => ("not-an-enclave", Remedy::NotEnclave),
            Self::OptionalFieldLength { .. } => ("optional-field-length", Remedy::Format),
            Self::PathLengthExceeded { .. } => ("path-length-exceeded", Remedy::Forged),
            Self::PayloadLength { .. } => ("payload-length", Remedy::Format),
            Self::PcrCount { .. } => ("pcr-count", Remedy::Format),
            Self::PcrIndex { .. } => ("pcr-index", Remedy::Format),
            Self::PcrLength { .. } => ("pcr-length", Remedy::Format),
            Self::PcrMismatch { .. } => ("pcr-mismatch", Remedy::Pcr),
            Self::PcrMissing { .. } => ("pcr-missing", Remedy::Pcr),
            Self::PcrNotAccepted { .. } => ("pcr-not-accepted", Remedy::Pcr),
            Self::PolicyTooLarge => ("policy-too-large", Remedy::Caller),
            Self::ProtectedHeader => ("protected-header", Remedy::Format),
            Self::PublicKeyMismatch => ("public-key-mismatch", Remedy::Binding),
            Self::PublicKeyMissing => ("public-key-missing", Remedy::Binding),
            Self::ReleaseExpectsNothing => ("release-expects-nothing", Remedy::Caller),
            Self::ReleaseWindowEmpty => ("release-window-empty", Remedy::Caller),
            Self::RoleArnMalformed => ("role-arn-malformed", Remedy::Caller),
            Self::RootNotTrusted { .. } => ("root-not-trusted", Remedy::Root),
            Self::SignatureLength { .. } => ("signature-length", Remedy::Format),
            Self::Stale { .. } => ("stale", Remedy::Fresh),
            Self::TimestampInFuture { .. } => ("timestamp-in-future", Remedy::Time),
            Self::TimestampOutsideLeaf { .. } => ("timestamp-outside-leaf", Remedy::Forged),
            Self::TimestampZero => ("timestamp-zero", Remedy::Format),
            Self::TrailingBytes { .. } => ("trailing-bytes", Remedy::Format),
            Self::UnexpectedTag { .. } => ("unexpected-tag", Remedy::Format),
            Self::UniqueIdentifier { .. } => ("unique-identifier", Remedy::Forged),
            Self::UnknownKey { .. } => ("unknown-key", Remedy::Format),
            Self::UnprotectedHeader => ("unprotected-header", Remedy::Format),
            Self::UserDataMismatch => ("user-data-mismatch", Remedy::Binding),
            Self::UserDataMissing => ("user-data-missing", Remedy::Binding),
        }
    }
}

#[cfg(test)]
mod tests;
