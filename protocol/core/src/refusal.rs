//! Refusals: why a request was refused, who has to mend it, and what to do, for people.
//!
//! The reasons and their numbers are part of the contract; the texts are not. A refusal is a claim
//! like every unsigned answer: a host can make one up, and stop the service anyway.

use core::fmt;

use minicbor::{Decode, Encode};

use crate::atoms::Text;
use crate::instance::Index;

/// Who has to mend a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Fault {
    /// Whoever sent the request.
    #[n(1)]
    Caller,
    /// The member named in the refusal.
    #[n(2)]
    Member,
    /// Whoever put together the record, chain or binaries.
    #[n(3)]
    Ceremony,
    /// The enclave itself; it halts.
    #[n(4)]
    Enclave,
}

/// Why a request was refused; the numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Reason {
    /// The bytes are not a message of this contract.
    #[n(1)]
    Malformed,
    /// The request does not fit the phase the enclave is in.
    #[n(2)]
    WrongPhase,
    /// This port does not take this request.
    #[n(3)]
    WrongPort,
    /// A consent of a person in the definition is missing.
    #[n(10)]
    ConsentMissing,
    /// A consent is not signed by that person, or is for another definition.
    #[n(11)]
    ConsentInvalid,
    /// The enclave does not measure as the definition or manifest says.
    #[n(12)]
    MeasurementMismatch,
    /// The genesis record does not prove a finished genesis.
    #[n(20)]
    RecordInvalid,
    /// The chain of manifests is broken.
    #[n(21)]
    ChainInvalid,
    /// Too few approvals.
    #[n(22)]
    ApprovalsMissing,
    /// An approval is not by a member of the set, or for another manifest, or in another role.
    #[n(23)]
    ApprovalInvalid,
    /// The manifest is not valid now.
    #[n(24)]
    OutsideValidity,
    /// A binary of the manifest has not arrived.
    #[n(25)]
    BinaryMissing,
    /// A piece is out of order, or does not fit the size.
    #[n(30)]
    UploadOutOfOrder,
    /// The binary does not have the hash it was announced under.
    #[n(31)]
    UploadHashMismatch,
    /// Too many or too large binaries.
    #[n(32)]
    UploadTooLarge,
    /// The enclave has not the memory for this binary.
    #[n(33)]
    UploadMemory,
    /// The grant is for another instance, manifest, namespace or epoch.
    #[n(40)]
    GrantForAnother,
    /// The grant is not signed by that member.
    #[n(41)]
    GrantSignature,
    /// No such member in the share set.
    #[n(42)]
    NotAMember,
    /// The ciphertext is not the one the grant was signed over.
    #[n(43)]
    CiphertextMismatch,
    /// The sealed share does not open, or is no scalar.
    #[n(44)]
    ShareUnreadable,
    /// The share is not on the polynomial: the member gave a wrong share.
    #[n(45)]
    ShareWrong,
    /// This member's share is already there.
    #[n(46)]
    ShareRepeated,
    /// The suite is not accepted by the manifest.
    #[n(47)]
    SuiteNotAccepted,
    /// There is nothing to attest or show at this stage.
    #[n(50)]
    NothingToAttest,
    /// The NSM or the kernel failed; the enclave halts.
    #[n(90)]
    Internal,
}

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Refusal {
    /// Why.
    #[n(0)]
    pub reason: Reason,
    /// Who has to mend it.
    #[n(1)]
    pub fault: Fault,
    /// The member it concerns.
    #[n(2)]
    pub member: Option<Index>,
    /// Detail for people: never secret, never text of the sender's.
    #[n(3)]
    pub detail: Text<512>,
}

impl Reason {
    /// What happened, and what to do, for people.
    pub const fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => (
                "the enclave did not understand the request",
                "use a tool of the same version as the enclave",
            ),
            Self::WrongPhase => (
                "the request does not fit what the enclave is doing now",
                "ask for its status; a new enclave may be needed",
            ),
            Self::WrongPort => (
                "this port does not take that request",
                "use the operators' port",
            ),
            Self::ConsentMissing => (
                "not every person in the definition has signed it",
                "collect the missing consent and send the request again",
            ),
            Self::ConsentInvalid => (
                "a consent is not that person's, or is for another definition",
                "ask the person to sign this definition",
            ),
            Self::MeasurementMismatch => (
                "the enclave does not measure as the definition or manifest says",
                "boot the image that was agreed on, or agree on this one",
            ),
            Self::RecordInvalid => (
                "the genesis record does not prove a finished genesis",
                "collect the receipts of all members, or use the right record",
            ),
            Self::ChainInvalid => (
                "the chain of manifests does not lead from the genesis to this manifest",
                "send every manifest since the first, in order",
            ),
            Self::ApprovalsMissing => (
                "too few members have approved the manifest",
                "collect more approvals",
            ),
            Self::ApprovalInvalid => (
                "an approval is by a stranger, in another role, or of another manifest",
                "remove it and ask that member to approve this manifest",
            ),
            Self::OutsideValidity => (
                "the manifest is not valid at the enclave's time",
                "approve a manifest with another validity window",
            ),
            Self::BinaryMissing => (
                "a binary of the manifest has not arrived",
                "upload the binary whose hash the manifest names",
            ),
            Self::UploadOutOfOrder => (
                "a piece of a binary does not follow the one before",
                "ask how much has arrived and go on from there",
            ),
            Self::UploadHashMismatch => (
                "the binary does not have the hash it was announced under",
                "upload it again from a good copy",
            ),
            Self::UploadTooLarge => (
                "the binaries take more room than allowed",
                "upload only what the manifest names",
            ),
            Self::UploadMemory => (
                "the enclave was started with too little memory for this binary",
                "start it with more memory (--memory) and upload again",
            ),
            Self::GrantForAnother => (
                "the grant is for another instance, manifest, namespace or epoch",
                "attest this instance and give the share again",
            ),
            Self::GrantSignature => (
                "the grant is not signed by that member",
                "give the share with the member's own key",
            ),
            Self::NotAMember => (
                "the share set has no such member",
                "only members of the share set hold shares",
            ),
            Self::CiphertextMismatch => (
                "the sealed share is not the one the grant was signed over",
                "send the grant and its own sealed share together",
            ),
            Self::ShareUnreadable => (
                "the sealed share does not open to a share",
                "seal it again to the keys this instance attests",
            ),
            Self::ShareWrong => (
                "the member gave a wrong share",
                "the member checks the share and restores it from a backup; others need not repeat",
            ),
            Self::ShareRepeated => ("this member's share is already there", "nothing to do"),
            Self::SuiteNotAccepted => (
                "the manifest does not accept this cipher suite",
                "seal with an accepted suite",
            ),
            Self::NothingToAttest => (
                "there is nothing to attest at this stage",
                "ask for the status and attest the stage the enclave is in",
            ),
            Self::Internal => (
                "the enclave's device or kernel failed; it has halted",
                "read its console and start a new one",
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, remedy) = self.reason.explain();
        write!(f, "{what}")?;
        if let Some(Index(index)) = self.member {
            write!(f, " (member {})", index.get())?;
        }
        if !self.detail.as_str().is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        write!(f, "; {remedy}")
    }
}

impl core::error::Error for Refusal {}
