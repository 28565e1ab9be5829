//! What must hold for any bytes, one function for each decoder that reads bytes of strangers.
//!
//! A target panics when an invariant is broken and returns otherwise:
//!
//! * nothing a decoder is given makes it panic, overflow or run away;
//! * what decodes encodes to the very bytes that were received (the contract), or to bytes that
//!   decode to the same value (formats of other makers);
//! * verifying and showing whatever decoded does not panic, and nothing arbitrary verifies.
//!
//! libFuzzer runs them with instrumentation (`oracles/fuzz`); `cargo test` replays the committed
//! corpora in `protocol/corpus/TARGET/` on every run. A new decoder is a new line in [`TARGETS`], a
//! corpus, and a binary; tests fail while one of them is missing.

#![forbid(unsafe_code)]

mod applications;
mod attestation;
mod ceremony;
pub mod development;
mod evidence;
mod images;
mod items;
mod mutation;
mod nsm;
mod objects;
mod streams;
mod transcript;
mod vsock;

use quorate_protocol::activity::{PolicyRequest, PolicyResponse};
use quorate_protocol::application::{ApplicationCertificate, ApplicationProof, LaunchRecord};
use quorate_protocol::attested::UserData;
use quorate_protocol::card::MemberCard;
use quorate_protocol::carried::{CarriedAttestation, CarriedGrant, CarriedNonce};
use quorate_protocol::control::{FromInit, ToInit};
use quorate_protocol::definition::{Definition, DefinitionConsent};
use quorate_protocol::drill::{Drill, DrillGrant, DrillPossession, DrillReceipt, DrillRecord};
use quorate_protocol::egress::{EgressRequest, EgressResponse};
use quorate_protocol::evidence::Evidence;
use quorate_protocol::exception::GenesisException;
use quorate_protocol::forward::{ForwardApproval, ForwardConfirmation, ForwardRecord};
use quorate_protocol::genesis::{
    CommitmentList, Genesis, GenesisOutput, GenesisReceipt, GenesisRecord, Possession, SealedShare,
};
use quorate_protocol::instance::{InstanceCertificate, KeyRing};
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

use objects::{object, secret, signed};
use streams::{calls, frames};

/// Takes any bytes; panics if an invariant is broken.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    // Objects.
    ("member-card", object::<MemberCard>),
    ("definition", object::<Definition>),
    ("definition-consent", object::<DefinitionConsent>),
    ("epoch", object::<CommitmentList>),
    ("sealed-share", object::<SealedShare>),
    ("genesis-output", object::<GenesisOutput>),
    ("genesis", object::<Genesis>),
    ("possession", object::<Possession>),
    ("genesis-receipt", object::<GenesisReceipt>),
    ("genesis-exception", object::<GenesisException>),
    ("genesis-record", object::<GenesisRecord>),
    ("manifest", object::<Manifest>),
    ("approval", object::<Approval>),
    ("link", object::<Link>),
    ("share-grant", object::<ShareGrant>),
    ("provision-receipt", object::<ProvisionReceipt>),
    ("carried-nonce", object::<CarriedNonce>),
    ("carried-attestation", object::<CarriedAttestation>),
    ("carried-grant", object::<CarriedGrant>),
    ("reshare-order", object::<ReshareOrder>),
    ("reshare-consent", object::<ReshareConsent>),
    ("reshare-record", object::<ReshareRecord>),
    ("reshare", object::<Reshare>),
    ("reshare-receipt", object::<ReshareReceipt>),
    ("completed-reshare", object::<CompletedReshare>),
    ("drill-possession", object::<DrillPossession>),
    ("drill-grant", object::<DrillGrant>),
    ("drill-receipt", object::<DrillReceipt>),
    ("drill-record", object::<DrillRecord>),
    ("drill", object::<Drill>),
    ("share-destroyed", object::<ShareDestroyed>),
    ("delegation", object::<Delegation>),
    ("surrogate-approval", object::<SurrogateApproval>),
    ("entrusted-share", object::<EntrustedShare>),
    ("forward-approval", object::<ForwardApproval>),
    ("forward-record", object::<ForwardRecord>),
    ("forward-confirmation", object::<ForwardConfirmation>),
    ("key-ring", object::<KeyRing>),
    ("instance-certificate", object::<InstanceCertificate>),
    ("user-data", object::<UserData>),
    ("application-certificate", object::<ApplicationCertificate>),
    ("application-proof", object::<ApplicationProof>),
    ("launch-record", object::<LaunchRecord>),
    (
        "launch-keys",
        secret::<quorate_protocol::application::LaunchKeys>,
    ),
    ("to-init", object::<ToInit>),
    ("from-init", secret::<FromInit>),
    ("egress-request", object::<EgressRequest>),
    ("egress-response", object::<EgressResponse>),
    ("sealed-secret", object::<SealedSecret>),
    ("founding", object::<Founding>),
    ("organization", object::<Organization>),
    ("operation", object::<Operation>),
    ("ticket", object::<Ticket>),
    ("redeem", object::<Redeem>),
    ("redeemed", object::<Redeemed>),
    ("decision", object::<Decision>),
    ("wallet", object::<WalletStatement>),
    ("signature", object::<SignatureStatement>),
    ("policy-request", object::<PolicyRequest>),
    ("policy-response", object::<PolicyResponse>),
    ("evidence", object::<Evidence>),
    ("request", object::<Request>),
    ("response", object::<Response>),
    ("rebuild", object::<Rebuild>),
    ("transcript-record", object::<TranscriptRecord>),
    ("transcript-leaf", object::<TranscriptLeaf>),
    ("transcript-entry", object::<TranscriptEntry>),
    ("transcript", object::<Transcript>),
    ("transcript-heads", object::<TranscriptHeads>),
    // Signed objects.
    ("signed-member-card", signed::<MemberCard>),
    ("signed-definition-consent", signed::<DefinitionConsent>),
    ("signed-possession", signed::<Possession>),
    ("signed-genesis-receipt", signed::<GenesisReceipt>),
    ("signed-genesis-exception", signed::<GenesisException>),
    ("signed-approval", signed::<Approval>),
    ("signed-share-grant", signed::<ShareGrant>),
    ("signed-provision-receipt", signed::<ProvisionReceipt>),
    ("signed-reshare-consent", signed::<ReshareConsent>),
    ("signed-reshare-record", signed::<ReshareRecord>),
    ("signed-reshare-receipt", signed::<ReshareReceipt>),
    ("signed-drill-possession", signed::<DrillPossession>),
    ("signed-drill-grant", signed::<DrillGrant>),
    ("signed-drill-receipt", signed::<DrillReceipt>),
    ("signed-drill-record", signed::<DrillRecord>),
    ("signed-share-destroyed", signed::<ShareDestroyed>),
    ("signed-delegation", signed::<Delegation>),
    ("signed-entrusted-share", signed::<EntrustedShare>),
    ("signed-forward-approval", signed::<ForwardApproval>),
    ("signed-forward-record", signed::<ForwardRecord>),
    ("signed-forward-confirmation", signed::<ForwardConfirmation>),
    ("signed-key-ring", signed::<KeyRing>),
    ("signed-instance-certificate", signed::<InstanceCertificate>),
    (
        "signed-application-certificate",
        signed::<ApplicationCertificate>,
    ),
    ("signed-application-proof", signed::<ApplicationProof>),
    ("signed-founding", signed::<Founding>),
    ("signed-organization", signed::<Organization>),
    ("signed-rebuild", signed::<Rebuild>),
    ("signed-transcript-record", signed::<TranscriptRecord>),
    // Streams.
    ("request-frames", frames::<Request>),
    ("response-frames", frames::<Response>),
    ("policy-request-frames", frames::<PolicyRequest>),
    ("policy-response-frames", frames::<PolicyResponse>),
    ("egress-request-frames", frames::<EgressRequest>),
    ("egress-response-frames", frames::<EgressResponse>),
    ("calls", calls),
    // Verification.
    ("evidence-verification", evidence::verification),
    ("transcript-verification", transcript::verification),
    ("transcript-words", transcript::words),
    ("attestation-document", attestation::document),
    ("attestation-verification", attestation::verification),
    ("attestation-payload", mutation::payload),
    ("attestation-certificate", mutation::certificate),
    ("attestation-cose", mutation::cose),
    ("attestation-mutation", mutation::mutation),
    ("trust-anchor", attestation::anchor),
    // The security module's messages.
    ("nsm-request", nsm::request),
    ("nsm-response", nsm::response),
    // The emulator's virtual machines.
    ("vsock", vsock::script),
    // Images.
    ("eif", images::eif),
    ("eif-signature", images::signature),
    ("cpio", images::archive),
    ("ramdisk", images::ramdisk),
    // The operator's own files and words.
    ("key-file", ceremony::key_file),
    ("pins", ceremony::pins),
    ("ceremony-plan", ceremony::plan),
    ("ceremony-binding", ceremony::binding),
    ("application-spec", ceremony::application_spec),
    ("share-words", ceremony::share_words),
    ("share-rows", ceremony::share_rows),
    ("share-row", ceremony::share_row),
    ("share-qr", ceremony::share_qr),
    ("token-file", ceremony::token_file),
    ("token-intent", ceremony::token_intent),
    ("token-uri", ceremony::token_uri),
    // What applications read from clients.
    ("activity-request", applications::activity_request),
    ("stamp", applications::stamp),
    ("es256", applications::es256),
    ("rlp", applications::rlp),
    ("unsigned-transaction", applications::unsigned_transaction),
    ("signed-transaction", applications::signed_transaction),
    ("chain-text", applications::chain_text),
    ("mnemonic", applications::mnemonic),
    ("derivation-path", applications::derivation_path),
];

/// Runs one target.
///
/// # Panics
/// If there is no such target, or if it finds a broken invariant.
pub fn run(name: &str, data: &[u8]) {
    let mut targets = TARGETS.iter();
    let (_, target) = targets
        .find(|(other, _)| *other == name)
        .unwrap_or_else(|| panic!("no fuzz target is called {name}"));
    target(data);
}
