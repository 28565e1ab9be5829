//! Why a check failed.

use core::fmt;

use quorate_protocol::atoms::{Name, Sha256, ShareIndex};
use quorate_protocol::cbor::DecodeError;
use quorate_protocol::definition::AttestationRoot;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::instance::Purpose;
use quorate_protocol::organization::Address;
use thiserror::Error;

use super::{MAX_SIGNATURES, MAX_STARTS};
use crate::attestation::Partition;
use crate::chain::ChainError;
use crate::forward::ForwardError;
use crate::genesis::GenesisError;
use crate::instance::InstanceError;
use crate::surrogate::SurrogateError;

/// A part of evidence that is signed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// An application's certificate, signed by the instance's live key.
    ApplicationCertificate,
    /// An application's statement, signed by its certified key.
    ApplicationProof,
    /// The record of a forward that the instance made, signed with the ring's instance key.
    ForwardRecord,
    /// A member's grant of a share.
    Grant,
    /// The instance certificate, signed by the ring's instance key.
    InstanceCertificate,
    /// The key ring, signed by the quorum key.
    KeyRing,
    /// The instance's receipt for a share, signed by its setup key.
    Receipt,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApplicationCertificate => "certificate",
            Self::ApplicationProof => "proof",
            Self::ForwardRecord => "forward record",
            Self::Grant => "share grant",
            Self::InstanceCertificate => "instance certificate",
            Self::KeyRing => "key ring",
            Self::Receipt => "share receipt",
        })
    }
}

/// A field that must agree with what was verified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Name of an application.
    Application,
    /// Which forward it is.
    Count,
    /// Which shares.
    Epoch,
    /// The namespace.
    Genesis,
    /// The grant that is answered.
    Grant,
    /// Hash of an application's binary.
    Hash,
    /// A member's index.
    Index,
    /// The live keys.
    LiveKeys,
    /// The manifest.
    Manifest,
    /// The security module's name for the instance.
    ModuleId,
    /// How many good shares there were.
    Progress,
    /// Whose shares rebuilt the key, or who forwarded it.
    Provenance,
    /// Sequence of the manifest.
    Sequence,
    /// The setup keys.
    SetupKeys,
    /// Number of a start.
    Start,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application => "application",
            Self::Count => "count",
            Self::Epoch => "share epoch",
            Self::Genesis => "genesis",
            Self::Grant => "grant",
            Self::Hash => "binary",
            Self::Index => "member index",
            Self::LiveKeys => "live keys",
            Self::Manifest => "manifest",
            Self::ModuleId => "module id",
            Self::Progress => "count of shares",
            Self::Provenance => "origin of the key",
            Self::Sequence => "manifest sequence",
            Self::SetupKeys => "setup keys",
            Self::Start => "start",
        })
    }
}

/// The reason of a failed check.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EvidenceError {
    /// A payment is from an account that its wallet does not have, or that is another
    /// organization's.
    #[error("{address} paid as an account of a wallet that does not have it for this organization")]
    AccountOfAnother {
        /// The account.
        address: Address,
    },
    /// An application is not in the manifest.
    #[error("{name} is not an application of the manifest")]
    ApplicationUnknown {
        /// Its name.
        name: Name,
    },
    /// The chain was refused.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The enclave was in debug mode.
    #[error("the enclave was in debug mode: its host could read its memory and console")]
    Debug,
    /// Who forwarded the key, or who confirmed it, was refused.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// The document names another newest forward than the list ends with, or another confirmation.
    #[error("the instance's document and the list of what it forwarded disagree")]
    ForwardsDiffer,
    /// The bytes are no evidence.
    #[error("{0}")]
    Format(#[from] DecodeError),
    /// The genesis record was refused.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// There are not as many grants as the share threshold.
    #[error("there are {found} share grants, {need} rebuild the key")]
    GrantCount {
        /// The threshold of the share set.
        need: u8,
        /// How many there are.
        found: usize,
    },
    /// A grant is of a share that an exception left out at genesis.
    #[error("there is a grant of share {index}, which is inactive since the genesis")]
    GrantOfInactive {
        /// The index in the grant.
        index: ShareIndex,
    },
    /// A grant is by nobody of the share set.
    #[error("there is a grant of share {index}, which no member has")]
    GrantOfStranger {
        /// The index in the grant.
        index: ShareIndex,
    },
    /// An instance hands over once.
    #[error("two importers are said to have confirmed")]
    HandedOverTwice,
    /// An attestation was refused.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// A part says something else than what was verified before.
    #[error("the {part}{} disagrees about the {field}", Of(.whose))]
    Mismatch {
        /// Which part.
        part: Part,
        /// Whose, where there are several.
        whose: Option<Name>,
        /// Which field.
        field: Field,
    },
    /// The instance was never given the quorum key.
    #[error(
        "there is no provisioning: the evidence proves what was booted, not that it was \
         provisioned"
    )]
    NotProvisioned,
    /// Parts are out of order, or one is there twice.
    #[error("the {part}{} is out of order or there twice", Of(.whose))]
    OutOfOrder {
        /// Which part.
        part: Part,
        /// Whose.
        whose: Option<Name>,
    },
    /// The evidence is of another namespace than the pinned one.
    #[error("the evidence is of the genesis {found}, you pinned {expected}")]
    Pin {
        /// The pin.
        expected: Digest<Genesis>,
        /// The namespace of the evidence.
        found: Digest<Genesis>,
    },
    /// The ring has a key too many.
    #[error("the key ring has a key for {application}, {}, which the manifest does not have",
        .purpose.name())]
    RingExtra {
        /// Whose key.
        application: Name,
        /// What for.
        purpose: Purpose,
    },
    /// The ring has no key that signs instance certificates.
    #[error("the key ring has no key for instance certificates")]
    RingInstanceMissing,
    /// The ring lacks a key of an application.
    #[error("the key ring has no key for {application}, {}", .purpose.name())]
    RingMissing {
        /// Whose key.
        application: Name,
        /// What for.
        purpose: Purpose,
    },
    /// The definition's root is not one the verifier trusts.
    #[error("the definition names the root {} of {}, which you do not trust",
        .root.fingerprint, .root.partition)]
    RootNotTrusted {
        /// The definition's root.
        root: AttestationRoot,
    },
    /// The verifier trusts the definition's root for another partition.
    #[error("the definition calls the root {fingerprint} one of {named}, it is one of {trusted}")]
    RootPartition {
        /// SHA-256 of its DER.
        fingerprint: Sha256,
        /// The partition in the definition.
        named: Name,
        /// The partition the verifier trusts it for.
        trusted: Partition,
    },
    /// A signature is not by the key it must be by.
    #[error("the {part}{} is not signed with the key it must be signed with", Of(.whose))]
    Signature {
        /// Which part.
        part: Part,
        /// Whose, where there are several.
        whose: Option<Name>,
    },
    /// A statement is not of its kind.
    #[error("a statement of {application} cannot be read: {error}")]
    Statement {
        /// Whose.
        application: Name,
        /// Why.
        error: DecodeError,
    },
    /// A statement says something else than the decision it rests on.
    #[error("a statement of {application} and policy's decision disagree about {what}")]
    StatementDiffers {
        /// Whose statement.
        application: Name,
        /// About what.
        what: &'static str,
    },
    /// There are two statements about one ticket.
    #[error("there are two statements of {application} about one ticket")]
    StatementRepeated {
        /// Whose.
        application: Name,
    },
    /// A share was given by a surrogate who may not.
    #[error(transparent)]
    Surrogate(#[from] SurrogateError),
    /// There are more signatures than are verified.
    #[error("there are {found} signatures, at most {MAX_SIGNATURES} are verified")]
    TooManySignatures {
        /// How many there are.
        found: usize,
    },
    /// There are more starts of applications than are verified.
    #[error("there are {found} starts of applications, at most {MAX_STARTS} are verified")]
    TooManyStarts {
        /// How many there are.
        found: usize,
    },
    /// Something was made or signed, and no decision in the evidence allows it.
    #[error("{application} states what no decision of policy in the evidence allows")]
    Undecided {
        /// Whose statement.
        application: Name,
    },
    /// A decision does not follow from the limit and chain that stand in it.
    #[error("a decision of {application} does not follow from the limit and chain in it")]
    Unjustified {
        /// Whose decision.
        application: Name,
    },
}

impl EvidenceError {
    /// A stable name for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AccountOfAnother { .. } => "account-of-another",
            Self::ApplicationUnknown { .. } => "application-unknown",
            Self::Chain(error) => error.code(),
            Self::Debug => "debug-mode",
            Self::Format(_) => "evidence-format",
            Self::Forward(error) => error.code(),
            Self::ForwardsDiffer => "forwards-differ",
            Self::Genesis(error) => error.code(),
            Self::GrantCount { .. } => "grant-count",
            Self::GrantOfInactive { .. } => "grant-of-inactive",
            Self::GrantOfStranger { .. } => "grant-of-stranger",
            Self::HandedOverTwice => "handed-over-twice",
            Self::Instance(error) => error.code(),
            Self::Mismatch { part, .. } => match part {
                Part::ApplicationCertificate => "application-certificate-mismatch",
                Part::ApplicationProof => "application-proof-mismatch",
                Part::ForwardRecord => "own-forward-mismatch",
                Part::Grant => "grant-mismatch",
                Part::InstanceCertificate => "instance-certificate-mismatch",
                Part::KeyRing => "key-ring-mismatch",
                Part::Receipt => "receipt-mismatch",
            },
            Self::NotProvisioned => "not-provisioned",
            Self::OutOfOrder { .. } => "evidence-order",
            Self::Pin { .. } => "genesis-pin",
            Self::RingExtra { .. } => "key-ring-extra",
            Self::RingInstanceMissing => "key-ring-instance-missing",
            Self::RingMissing { .. } => "key-ring-missing",
            Self::RootNotTrusted { .. } => "root-not-trusted",
            Self::RootPartition { .. } => "root-partition",
            Self::Signature { part, .. } => match part {
                Part::ApplicationCertificate => "application-certificate-signature",
                Part::ApplicationProof => "application-proof-signature",
                Part::ForwardRecord => "own-forward-signature",
                Part::Grant => "grant-signature",
                Part::InstanceCertificate => "instance-certificate-signature",
                Part::KeyRing => "key-ring-signature",
                Part::Receipt => "receipt-signature",
            },
            Self::Statement { .. } => "statement-unreadable",
            Self::StatementDiffers { .. } => "statement-differs",
            Self::StatementRepeated { .. } => "statement-repeated",
            Self::Surrogate(error) => error.code(),
            Self::TooManySignatures { .. } => "too-many-signatures",
            Self::TooManyStarts { .. } => "too-many-starts",
            Self::Undecided { .. } => "undecided",
            Self::Unjustified { .. } => "decision-unjustified",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.remedy(),
            Self::Genesis(error) => error.remedy(),
            Self::Forward(error) => error.remedy(),
            Self::Instance(error) => error.remedy(),
            Self::Surrogate(error) => error.remedy(),
            Self::Debug => "Do not trust this instance. Ask for one that is not in debug mode.",
            Self::Format(_) => {
                "Fetch the file again, as raw bytes. If that does not help, its maker is not this \
                 system or uses a newer format."
            }
            Self::NotProvisioned => {
                "Ask for evidence again after enough members have given their shares."
            }
            Self::Pin { .. } => {
                "Ask the people you trust for the genesis digest of the namespace. A name is no \
                 proof: anyone can use it."
            }
            Self::RootNotTrusted { .. } => {
                "If this is a development system of yours, name its root. Otherwise do not trust \
                 the sender."
            }
            Self::RootPartition { .. } => "Do not trust the sender: the definition is misleading.",
            Self::TooManySignatures { .. } | Self::TooManyStarts { .. } => {
                "Ask for evidence with fewer application proofs."
            }
            Self::Undecided { .. } => {
                "Ask for evidence that holds policy's decision too. If there is none, something was \
                 done that nobody decided on: stop the instance and look at its applications."
            }
            Self::AccountOfAnother { .. }
            | Self::Statement { .. }
            | Self::StatementDiffers { .. }
            | Self::StatementRepeated { .. }
            | Self::Unjustified { .. } => {
                "An application of the instance states what cannot be: do not rely on what this \
                 instance signed, and look at the applications of its manifest."
            }
            Self::ApplicationUnknown { .. }
            | Self::ForwardsDiffer
            | Self::HandedOverTwice
            | Self::GrantCount { .. }
            | Self::GrantOfInactive { .. }
            | Self::GrantOfStranger { .. }
            | Self::Mismatch { .. }
            | Self::OutOfOrder { .. }
            | Self::RingExtra { .. }
            | Self::RingInstanceMissing
            | Self::RingMissing { .. }
            | Self::Signature { .. } => {
                "Fetch the evidence again from the instance itself. If that does not help, it was \
                 put together by somebody else: do not trust it."
            }
        }
    }
}

/// ` of NAME`, or nothing.
struct Of<'a>(&'a Option<Name>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " of {name}"),
            None => Ok(()),
        }
    }
}
