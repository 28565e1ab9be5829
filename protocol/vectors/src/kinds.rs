//! Every kind of object, by its label: what can be done with its bytes.

use quorate_protocol::activity::{PolicyRequest, PolicyResponse};
use quorate_protocol::application::{
    ApplicationCertificate, ApplicationProof, LaunchKeys, LaunchRecord,
};
use quorate_protocol::attested::UserData;
use quorate_protocol::card::MemberCard;
use quorate_protocol::carried::{CarriedAttestation, CarriedGrant, CarriedNonce};
use quorate_protocol::cbor::{DecodeError, Object, from_bytes, to_bytes};
use quorate_protocol::control::{FromInit, ToInit};
use quorate_protocol::cose::{BadSignature, Signed};
use quorate_protocol::definition::{Definition, DefinitionConsent};
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{Drill, DrillGrant, DrillPossession, DrillReceipt, DrillRecord};
use quorate_protocol::egress::{EgressRequest, EgressResponse};
use quorate_protocol::evidence::Evidence;
use quorate_protocol::exception::GenesisException;
use quorate_protocol::forward::{ForwardApproval, ForwardConfirmation, ForwardRecord};
use quorate_protocol::genesis::{
    CommitmentList, Genesis, GenesisOutput, GenesisReceipt, GenesisRecord, Possession, SealedShare,
};
use quorate_protocol::instance::{InstanceCertificate, KeyRing};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Approval, Link, Manifest};
use quorate_protocol::message::{Request, Response};
use quorate_protocol::organization::{Founding, Organization};
use quorate_protocol::provision::{ProvisionReceipt, ShareGrant};
use quorate_protocol::rebuild::Rebuild;
use quorate_protocol::reshare::{
    CompletedReshare, Reshare, ReshareConsent, ReshareOrder, ReshareReceipt, ReshareRecord,
    ShareDestroyed,
};
use quorate_protocol::statement::{Decision, SignatureStatement, WalletStatement};
use quorate_protocol::stored::SealedSecret;
use quorate_protocol::surrogate::{Delegation, EntrustedShare, SurrogateApproval};
use quorate_protocol::ticket::{Operation, Redeem, Redeemed, Ticket};
use quorate_protocol::transcript::{
    Entry as TranscriptEntry, Heads as TranscriptHeads, Leaf as TranscriptLeaf,
    Record as TranscriptRecord, Transcript,
};
use quorate_twins::Twin;
use serde_json::Value;

/// Decodes and shows.
pub type ShowFn = fn(&[u8]) -> Result<Value, DecodeError>;

/// One kind of object.
pub struct Kind {
    /// Its label.
    pub label: &'static str,
    /// Its largest encoding in bytes.
    pub max: usize,
    /// Decodes and encodes again.
    pub again: fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
    /// Decodes and hashes.
    pub digest: fn(&[u8]) -> Result<[u8; 32], DecodeError>,
    /// Decodes and shows; `None` for secrets.
    pub twin: Option<ShowFn>,
    /// What can be done with the COSE_Sign1, for kinds that are signed.
    pub signed: Option<SignedKind>,
}

/// What can be done with the COSE_Sign1 of a kind.
#[derive(Clone, Copy)]
pub struct SignedKind {
    /// Decodes and encodes again.
    pub again: fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
    /// Decodes and verifies.
    pub verify: fn(&[u8], &VerificationKey) -> Result<(), Refused>,
    /// Decodes and shows.
    pub twin: ShowFn,
}

/// Why a COSE_Sign1 was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not one.
    Decode(DecodeError),
    /// The signature does not verify.
    Signature(BadSignature),
}

impl Kind {
    /// The middle part of the label: `approval` of `quorate/approval/v1`.
    pub fn stem(&self) -> &'static str {
        self.label.split('/').nth(1).unwrap_or(self.label)
    }

    /// The kind with this label.
    ///
    /// # Panics
    /// If there is none.
    pub fn of(label: &str) -> &'static Self {
        let mut kinds = KINDS.iter();
        let found = kinds.find(|kind| kind.label == label);
        found.unwrap_or_else(|| panic!("no kind has the label {label}"))
    }
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    signed::<MemberCard>(),
    plain::<Definition>(),
    signed::<DefinitionConsent>(),
    plain::<CommitmentList>(),
    plain::<SealedShare>(),
    plain::<GenesisOutput>(),
    plain::<Genesis>(),
    signed::<Possession>(),
    signed::<GenesisReceipt>(),
    signed::<GenesisException>(),
    plain::<GenesisRecord>(),
    plain::<Manifest>(),
    signed::<Approval>(),
    plain::<Link>(),
    signed::<ShareGrant>(),
    signed::<ProvisionReceipt>(),
    plain::<CarriedNonce>(),
    plain::<CarriedAttestation>(),
    plain::<CarriedGrant>(),
    plain::<ReshareOrder>(),
    signed::<ReshareConsent>(),
    signed::<ReshareRecord>(),
    plain::<Reshare>(),
    signed::<ReshareReceipt>(),
    plain::<CompletedReshare>(),
    signed::<DrillPossession>(),
    signed::<DrillGrant>(),
    signed::<DrillReceipt>(),
    signed::<DrillRecord>(),
    plain::<Drill>(),
    signed::<ShareDestroyed>(),
    signed::<Delegation>(),
    plain::<SurrogateApproval>(),
    signed::<EntrustedShare>(),
    signed::<ForwardApproval>(),
    signed::<ForwardRecord>(),
    signed::<ForwardConfirmation>(),
    signed::<KeyRing>(),
    signed::<InstanceCertificate>(),
    plain::<UserData>(),
    signed::<ApplicationCertificate>(),
    signed::<ApplicationProof>(),
    plain::<LaunchRecord>(),
    secret::<LaunchKeys>(),
    plain::<ToInit>(),
    secret::<FromInit>(),
    plain::<EgressRequest>(),
    plain::<EgressResponse>(),
    plain::<SealedSecret>(),
    signed::<Founding>(),
    signed::<Organization>(),
    plain::<Operation>(),
    plain::<Ticket>(),
    plain::<Redeem>(),
    plain::<Redeemed>(),
    plain::<Decision>(),
    plain::<WalletStatement>(),
    plain::<SignatureStatement>(),
    plain::<PolicyRequest>(),
    plain::<PolicyResponse>(),
    plain::<Evidence>(),
    plain::<Request>(),
    plain::<Response>(),
    signed::<Rebuild>(),
    signed::<TranscriptRecord>(),
    plain::<TranscriptLeaf>(),
    plain::<TranscriptEntry>(),
    plain::<Transcript>(),
    plain::<TranscriptHeads>(),
];

const fn secret<T: Object>() -> Kind {
    Kind {
        label: T::LABEL,
        max: T::MAX,
        again: again::<T>,
        digest: |bytes| Ok(*Digest::of(&from_bytes::<T>(bytes)?).as_bytes()),
        twin: None,
        signed: None,
    }
}

const fn plain<T: Object + Twin>() -> Kind {
    let mut kind = secret::<T>();
    kind.twin = Some(twin::<T>);
    kind
}

const fn signed<T: Object + Twin>() -> Kind {
    let mut kind = plain::<T>();
    kind.signed = Some(SignedKind {
        again: again::<Signed<T>>,
        verify: |bytes, key| {
            let signed = from_bytes::<Signed<T>>(bytes).map_err(Refused::Decode)?;
            signed.verify(key).map(|_| ()).map_err(Refused::Signature)
        },
        twin: twin::<Signed<T>>,
    });
    kind
}

fn again<T: Object>(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(to_bytes(&from_bytes::<T>(bytes)?))
}

fn twin<T: Object + Twin>(bytes: &[u8]) -> Result<Value, DecodeError> {
    Ok(from_bytes::<T>(bytes)?.twin())
}
