//! Why an attestation of a namespace's enclave was refused.

use core::fmt;

use quorate_protocol::atoms::{Pcr, Sha256, UnixMillis};
use quorate_protocol::attested::UserData;
use quorate_protocol::definition::AttestationRoot;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::invalid::Invalid;
use thiserror::Error;

use crate::attestation::{AttestationError, Partition};
use crate::text::Utc;

/// What a register commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Commitment {
    /// PCR18: the namespace and its applications.
    Applications,
    /// PCR16 of an enclave for a drill: namespace, manifest and setup keys.
    Drill,
    /// PCR16 of a genesis enclave: definition and output.
    Genesis,
    /// PCR17: namespace, manifest and live keys.
    Live,
    /// PCR16 of an instance: namespace, manifest and setup keys.
    Setup,
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applications => "the applications of the manifest",
            Self::Drill => "a drill with these setup keys",
            Self::Genesis => "this definition and output",
            Self::Live => "these live keys",
            Self::Setup => "these setup keys",
        })
    }
}

/// A rule that a document of a namespace's enclave breaks.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InstanceError {
    /// The document itself was refused.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// A register does not commit to what it should.
    #[error(
        "PCR{} is {found}, so it does not commit to {commitment}, which gives {expected}",
        .commitment.register()
    )]
    Commitment {
        /// To what.
        commitment: Commitment,
        /// The value that commits to it.
        expected: Pcr,
        /// The value in the document.
        found: Pcr,
    },
    /// The enclave was started for a drill, and only for that.
    #[error("the enclave was started for a drill; it never becomes an instance")]
    ForDrill,
    /// Record and chain are of two namespaces.
    #[error("the record is of the genesis {record}, the chain of {chain}")]
    Genesis {
        /// The namespace of the record.
        record: Digest<Genesis>,
        /// The namespace of the chain.
        chain: Digest<Genesis>,
    },
    /// The instance did not fix its live keys before it attested.
    #[error("PCR17 is zero: the instance has not fixed its live keys")]
    LiveRegisterUnused,
    /// The image measures as something else.
    #[error("PCR{index} is {found}, but the approved image measures as {expected}")]
    Measurement {
        /// The register.
        index: u8,
        /// What the definition or manifest says.
        expected: Pcr,
        /// The value in the document.
        found: Pcr,
    },
    /// The enclave was not started for a drill.
    #[error("the enclave was not started for a drill: it is an instance that takes real shares")]
    NotForDrill,
    /// The attested key is not the two points of a stage.
    #[error("the attested public key is not a pair of keys: {0}")]
    PublicKey(Invalid),
    /// No public key is attested.
    #[error("the document attests no public key")]
    PublicKeyMissing,
    /// A register is not in the document, so it was not locked.
    #[error("PCR{index} is not in the document, so it is not locked")]
    RegisterMissing {
        /// The register.
        index: u8,
    },
    /// The document leads to a root that is trusted, but not by this namespace.
    #[error(
        "the document leads to the root {fingerprint} of {partition}, but the definition names \
         {} of {}", .expected.fingerprint, .expected.partition
    )]
    Root {
        /// The definition's root.
        expected: AttestationRoot,
        /// Partition of the document's root.
        partition: Partition,
        /// SHA-256 of its DER.
        fingerprint: Sha256,
    },
    /// The user data name something else.
    #[error("the user data are not those of {}", stage(.expected))]
    UserData {
        /// What they should say.
        expected: UserData,
    },
    /// The manifest was not valid when the document was signed.
    #[error("the manifest is valid from {} to {}, but the document is of {}",
        Utc(*.not_before), Utc(*.not_after), Utc(*.at))]
    Validity {
        /// First moment.
        not_before: UnixMillis,
        /// Last moment.
        not_after: UnixMillis,
        /// When the document was signed.
        at: UnixMillis,
    },
    /// The chain rests on surrogates whose time is over.
    #[error("the approvals by surrogates counted until {}, but the document is of {}",
        Utc(*.until), Utc(*.at))]
    SurrogatesEnded {
        /// Last moment.
        until: UnixMillis,
        /// When the document was signed.
        at: UnixMillis,
    },
}

impl InstanceError {
    /// A stable name for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Attestation(error) => error.code(),
            Self::Commitment { commitment, .. } => match commitment {
                Commitment::Applications => "instance-applications-register",
                Commitment::Drill => "instance-drill-register",
                Commitment::Genesis => "instance-genesis-register",
                Commitment::Live => "instance-live-register",
                Commitment::Setup => "instance-setup-register",
            },
            Self::ForDrill => "instance-for-drill",
            Self::Genesis { .. } => "instance-genesis",
            Self::LiveRegisterUnused => "instance-live-register-unused",
            Self::Measurement { .. } => "instance-measurement",
            Self::NotForDrill => "instance-not-for-drill",
            Self::PublicKey(_) => "instance-public-key",
            Self::PublicKeyMissing => "instance-public-key-missing",
            Self::RegisterMissing { .. } => "instance-register-missing",
            Self::Root { .. } => "instance-root",
            Self::UserData { .. } => "instance-user-data",
            Self::Validity { .. } => "instance-validity",
            Self::SurrogatesEnded { .. } => "instance-surrogates-ended",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Attestation(error) => error.remedy(),
            Self::Commitment { .. } | Self::UserData { .. } => {
                "Give nothing to this enclave. Ask its host which genesis, manifest and instance \
                 the document is of: it is not of these."
            }
            Self::ForDrill => {
                "Give no real share to this enclave. Take part in the drill with quorate ceremony \
                 drill give, or ask for an enclave that was booted."
            }
            Self::NotForDrill => {
                "Give no drill share to this enclave. Ask for one that was started with quorate \
                 ceremony drill start."
            }
            Self::Genesis { .. } => "Correct the call: record and chain must be of one namespace.",
            Self::Measurement { .. } => {
                "Give nothing to this enclave: it runs another image than the one approved. Build \
                 the image again and compare."
            }
            Self::LiveRegisterUnused
            | Self::PublicKey(_)
            | Self::PublicKeyMissing
            | Self::RegisterMissing { .. } => {
                "Give nothing to this enclave: an instance of this system does not attest so."
            }
            Self::Root { .. } => {
                "Give nothing to this enclave. A namespace never changes the root it was made \
                 under."
            }
            Self::Validity { .. } => {
                "Have a manifest approved whose window covers the time, and boot that one."
            }
            Self::SurrogatesEnded { .. } => {
                "Ask the members for whom surrogates approved to approve the manifest themselves: \
                 quorate ceremony approve. Then boot another instance with that chain."
            }
        }
    }
}

const fn stage(user_data: &UserData) -> &'static str {
    match user_data {
        UserData::Genesis(_) => "this genesis",
        UserData::Setup(_) => "an instance of this manifest that waits for shares",
        UserData::Live(_) => "a running instance of this manifest",
        UserData::Forwarded(..) => "an instance of this manifest that has forwarded the key",
        UserData::HandedOver(..) => "an instance of this manifest that has handed over",
        UserData::Drill(_) => "an enclave that was started for a drill of this manifest",
    }
}
