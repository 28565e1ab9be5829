//! Refusals: why a request was refused, who has to mend it, and what to do, for people.
//!
//! The reasons and their numbers are part of the contract; the texts are not. A refusal is a claim
//! like every unsigned answer: a host can make one up, and stop the service anyway.

use core::fmt;

use minicbor::{Decode, Encode};

use crate::atoms::Text;
use crate::instance::Index;

pub use crate::fault::Fault;

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
    /// The manifest that runs does not let the key be forwarded.
    #[n(60)]
    ForwardNotAllowed,
    /// The end date of the manifest's forward policy has passed.
    #[n(61)]
    ForwardEnded,
    /// The importer's manifest has a lower sequence than the exporter's.
    #[n(62)]
    ForwardOlder,
    /// The importer's manifest is another one of the same sequence.
    #[n(63)]
    ForwardOtherManifest,
    /// The importer's manifest does not follow directly.
    #[n(64)]
    ForwardNotSuccessor,
    /// The importer's manifest is of another namespace.
    #[n(65)]
    ForwardOtherGenesis,
    /// The importer's parent has not the exporter's role (PCR3), or the exporter's has none.
    #[n(66)]
    ForwardOtherAccount,
    /// The importer is in debug mode.
    #[n(67)]
    ForwardDebug,
    /// The importer does not measure as its manifest says.
    #[n(68)]
    ForwardMeasurements,
    /// The document is not for the challenge that is open, or none is.
    #[n(69)]
    ForwardNonce,
    /// The challenge is too old.
    #[n(70)]
    ForwardChallengeExpired,
    /// The document is not genuine, or not under the namespace's attestation root.
    #[n(71)]
    ForwardDocument,
    /// The document does not commit to setup keys of that manifest.
    #[n(72)]
    ForwardKeys,
    /// Too few share holders have approved the forward.
    #[n(73)]
    ForwardApprovalsMissing,
    /// An approval is of a forward between other manifests, or in another namespace.
    #[n(74)]
    ForwardApprovalOfAnother,
    /// An approval is by nobody of the exporter's share set.
    #[n(75)]
    ForwardApprovalOfStranger,
    /// A member's approval is there twice.
    #[n(76)]
    ForwardApprovalRepeated,
    /// An approval is not signed by that member.
    #[n(77)]
    ForwardApprovalSignature,
    /// This instance has made as many forwards as it counts.
    #[n(78)]
    ForwardsExhausted,
    /// The record is for another importer, manifest or namespace.
    #[n(80)]
    RecordForAnother,
    /// Ring, certificate or record are not what an instance of this namespace signs.
    #[n(81)]
    RecordUnproven,
    /// The sealed key does not open, or is no scalar.
    #[n(82)]
    KeyUnreadable,
    /// The key is not the quorum key.
    #[n(83)]
    KeyWrong,
    /// The confirmation is not of a forward that this instance made, or by another importer.
    #[n(84)]
    ConfirmationForAnother,
    /// Certificate or confirmation are not signed by the importer.
    #[n(85)]
    ConfirmationSignature,
    /// The instance has handed the key over.
    #[n(86)]
    HandedOver,
    /// The order is for another instance, manifest, namespace or epoch.
    #[n(100)]
    ReshareForAnother,
    /// The order does not name the nonce that is open, or none is.
    #[n(101)]
    ReshareNonce,
    /// The order has expired.
    #[n(102)]
    ReshareExpired,
    /// The order expires later than the nonce it names.
    #[n(103)]
    ReshareTooLong,
    /// Another order was carried out, and its time is not over.
    #[n(104)]
    ReshareOpen,
    /// Too few members of the share set or of the manifest set consented.
    #[n(105)]
    ReshareConsentsMissing,
    /// A consent is to another order, or in another namespace.
    #[n(106)]
    ReshareConsentOfAnother,
    /// A consent is by nobody of the set in whose name it is given.
    #[n(107)]
    ReshareConsentOfStranger,
    /// A member's consent in one role is there twice.
    #[n(108)]
    ReshareConsentRepeated,
    /// A consent is not signed by that member in that role.
    #[n(109)]
    ReshareConsentSignature,
    /// A delegation does not let this surrogate do this.
    #[n(110)]
    DelegationInvalid,
    /// A delegation has ended.
    #[n(111)]
    DelegationExpired,
    /// The enclave was not started for a drill.
    #[n(120)]
    DrillNotHere,
    /// The enclave was started for a drill and takes part in nothing else.
    #[n(121)]
    DrillOnly,
    /// The proof of possession is not made with the member's real share, for this drill.
    #[n(122)]
    DrillProof,
    /// The member's real share was sent in the place of their drill share.
    #[n(123)]
    DrillRealShare,
    /// Too few drill shares to end the drill.
    #[n(124)]
    DrillUnfinished,
    /// The next drill would be due before now, or too late.
    #[n(125)]
    DrillDue,
    /// The drill has ended.
    #[n(126)]
    DrillOver,
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
