//! Asks an enclave over its socket.
//!
//! Guarantees: one request, one response, of the kind that belongs to the request; a deadline for
//! the whole exchange, so that a peer that sends a byte now and then keeps nobody waiting; memory
//! bounded by the largest response of that kind.
//!
//! Trusts: nothing. Whoever listens on the socket is a stranger until an attestation for the
//! caller's own nonce has been verified, and everything else it says is a claim.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use quorate_protocol::atoms::{Bytes, Sha256, UnixMillis};
use quorate_protocol::cbor::{DecodeError, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::drill::{Drill, DrillFinishRequest, DrillReceipt, DrillRequest};
use quorate_protocol::evidence::Evidence;
use quorate_protocol::forward::{Confirmed, ExportRequest, ForwardChallenge, ForwardedKey};
use quorate_protocol::frame::{Assembler, FrameError, frame};
use quorate_protocol::genesis::Document;
use quorate_protocol::keys::KeyPair;
use quorate_protocol::message::{
    AttestRequest, BootRequest, Booted, EvidenceRequest, Fault, GenesisRequest, GenesisResponse,
    Log, Nonce, ProvisionRequest, Reason, Refusal, Request, Response, Stage, Status, Upload,
    Uploaded,
};
use quorate_protocol::provision::ProvisionReceipt;
use quorate_protocol::reshare::{Reshare, ReshareChallenge, ReshareRequest};
use thiserror::Error;

use crate::address::Address;
use crate::error::{Blame, Explanation};

/// Time for an exchange that makes the enclave do little.
const SHORT: Duration = Duration::from_secs(10);
/// Time for genesis, boot, provision and evidence.
const LONG: Duration = Duration::from_secs(30);
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// Why an enclave gave no answer, or one that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The binary is shorter than it was when it was hashed.
    #[error("{} is shorter than it was a moment ago", .path.display())]
    BinaryChanged {
        /// The file.
        path: PathBuf,
    },
    /// The connection ended before the answer was complete.
    #[error("the enclave closed the connection before it had answered")]
    Closed,
    /// Nobody listens there.
    #[error("no enclave answers on {socket}: {kind}")]
    Connect {
        /// The socket.
        socket: Address,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// The answer is no frame.
    #[error("the enclave sent {0}")]
    Frame(FrameError),
    /// The connection failed.
    #[error("the connection to the enclave failed: {kind}")]
    Io {
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// The answer is no message of the contract.
    #[error("the enclave's answer is not understood: {0}")]
    Malformed(DecodeError),
    /// The enclave refused, and says why.
    #[error("the enclave refused: {0}")]
    Refused(Box<Refusal>),
    /// The request is too large to be sent.
    #[error("the request has {found} bytes, which no enclave takes")]
    RequestTooLarge {
        /// Its size in bytes.
        found: usize,
    },
    /// No answer in time.
    #[error("the enclave did not answer within {} seconds", .allowed.as_secs())]
    TimedOut {
        /// How long was waited.
        allowed: Duration,
    },
    /// The answer is for another request.
    #[error("the enclave answered another question than the one that was asked")]
    WrongKind,
    /// The enclave confirms more of a binary than it was sent, or does not take any.
    #[error("the enclave does not take the binary: it confirms {received} of {size} bytes")]
    UploadStuck {
        /// What it confirms.
        received: u64,
        /// Size of the binary.
        size: u64,
    },
}

impl ClientError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::BinaryChanged { .. } => (
                "binary-changed",
                Blame::You,
                "let whatever writes the file finish, and repeat the command",
            ),
            Self::Closed | Self::Io { .. } => (
                "connection-lost",
                Blame::Enclave,
                "look at the enclave's console and repeat the command: a request that was not \
                 answered may be sent again",
            ),
            Self::Connect { .. } => (
                "no-enclave",
                Blame::You,
                "start the enclave, or correct the address of its operator socket",
            ),
            Self::Frame(_) | Self::Malformed(_) | Self::WrongKind => (
                "answer-malformed",
                Blame::Enclave,
                "whoever listens on this socket is no enclave of this version; correct the socket",
            ),
            Self::Refused(refusal) => {
                let blame = match refusal.fault {
                    Fault::Caller => Blame::You,
                    Fault::Member => Blame::Member,
                    Fault::Ceremony => Blame::Coordinator,
                    Fault::Enclave => Blame::Enclave,
                };
                let remedy = match refusal.reason {
                    // A wrong clock is likelier than a wrong window.
                    Reason::OutsideValidity => {
                        "compare the clock of whoever made the manifest with the enclave's: if one of \
                         them is wrong, set it or use another host; else have a manifest approved with \
                         another validity window"
                    }
                    reason => reason.explain().1,
                };
                (refusal_code(refusal.reason), blame, remedy)
            }
            Self::RequestTooLarge { .. } => (
                "request-too-large",
                Blame::Coordinator,
                "the record and chain are too long; begin a namespace anew",
            ),
            Self::TimedOut { .. } => (
                "enclave-silent",
                Blame::Enclave,
                "look at the enclave's console and at the load of its host, then repeat the command",
            ),
            Self::UploadStuck { .. } => (
                "upload-stuck",
                Blame::Enclave,
                "restart the enclave and upload again",
            ),
        };
        Explanation::new(code, blame, remedy)
    }
}

/// The stable name of an enclave's reason.
const fn refusal_code(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => "refused-malformed",
        Reason::WrongPhase => "refused-wrong-phase",
        Reason::WrongPort => "refused-wrong-port",
        Reason::ConsentMissing => "refused-consent-missing",
        Reason::ConsentInvalid => "refused-consent-invalid",
        Reason::MeasurementMismatch => "refused-measurement-mismatch",
        Reason::RecordInvalid => "refused-record-invalid",
        Reason::ChainInvalid => "refused-chain-invalid",
        Reason::ApprovalsMissing => "refused-approvals-missing",
        Reason::ApprovalInvalid => "refused-approval-invalid",
        Reason::OutsideValidity => "refused-outside-validity",
        Reason::BinaryMissing => "refused-binary-missing",
        Reason::UploadOutOfOrder => "refused-upload-out-of-order",
        Reason::UploadHashMismatch => "refused-upload-hash-mismatch",
        Reason::UploadTooLarge => "refused-upload-too-large",
        Reason::UploadMemory => "refused-upload-memory",
        Reason::GrantForAnother => "refused-grant-for-another",
        Reason::GrantSignature => "refused-grant-signature",
        Reason::NotAMember => "refused-not-a-member",
        Reason::CiphertextMismatch => "refused-ciphertext-mismatch",
        Reason::ShareUnreadable => "refused-share-unreadable",
        Reason::ShareWrong => "refused-share-wrong",
        Reason::ShareRepeated => "refused-share-repeated",
        Reason::SuiteNotAccepted => "refused-suite-not-accepted",
        Reason::NothingToAttest => "refused-nothing-to-attest",
        Reason::ForwardNotAllowed => "refused-forward-not-allowed",
        Reason::ForwardEnded => "refused-forward-ended",
        Reason::ForwardOlder => "refused-forward-older",
        Reason::ForwardOtherManifest => "refused-forward-other-manifest",
        Reason::ForwardNotSuccessor => "refused-forward-not-successor",
        Reason::ForwardOtherGenesis => "refused-forward-other-genesis",
        Reason::ForwardOtherAccount => "refused-forward-other-account",
        Reason::ForwardDebug => "refused-forward-debug",
        Reason::ForwardMeasurements => "refused-forward-measurements",
        Reason::ForwardNonce => "refused-forward-nonce",
        Reason::ForwardChallengeExpired => "refused-forward-challenge-expired",
        Reason::ForwardDocument => "refused-forward-document",
        Reason::ForwardKeys => "refused-forward-keys",
        Reason::ForwardApprovalsMissing => "refused-forward-approvals-missing",
        Reason::ForwardApprovalOfAnother => "refused-forward-approval-of-another",
        Reason::ForwardApprovalOfStranger => "refused-forward-approval-of-stranger",
        Reason::ForwardApprovalRepeated => "refused-forward-approval-repeated",
        Reason::ForwardApprovalSignature => "refused-forward-approval-signature",
        Reason::ForwardsExhausted => "refused-forwards-exhausted",
        Reason::RecordForAnother => "refused-record-for-another",
        Reason::RecordUnproven => "refused-record-unproven",
        Reason::KeyUnreadable => "refused-key-unreadable",
        Reason::KeyWrong => "refused-key-wrong",
        Reason::ConfirmationForAnother => "refused-confirmation-for-another",
        Reason::ConfirmationSignature => "refused-confirmation-signature",
        Reason::HandedOver => "refused-handed-over",
        Reason::DelegationInvalid => "refused-delegation-invalid",
        Reason::DelegationExpired => "refused-delegation-expired",
        Reason::DrillNotHere => "refused-drill-not-here",
        Reason::DrillOnly => "refused-drill-only",
        Reason::DrillProof => "refused-drill-proof",
        Reason::DrillRealShare => "refused-drill-real-share",
        Reason::DrillUnfinished => "refused-drill-unfinished",
        Reason::DrillDue => "refused-drill-due",
        Reason::DrillOver => "refused-drill-over",
        Reason::ReshareForAnother => "refused-reshare-for-another",
        Reason::ReshareNonce => "refused-reshare-nonce",
        Reason::ReshareExpired => "refused-reshare-expired",
        Reason::ReshareTooLong => "refused-reshare-too-long",
        Reason::ReshareOpen => "refused-reshare-open",
        Reason::ReshareConsentsMissing => "refused-reshare-consents-missing",
        Reason::ReshareConsentOfAnother => "refused-reshare-consent-of-another",
        Reason::ReshareConsentOfStranger => "refused-reshare-consent-of-stranger",
        Reason::ReshareConsentRepeated => "refused-reshare-consent-repeated",
        Reason::ReshareConsentSignature => "refused-reshare-consent-signature",
        Reason::Internal => "refused-internal",
        // A reason of a newer contract; this one cannot name it.
        _ => "refused",
    }
}

/// A connection to an enclave.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    assembler: Assembler,
}

impl Client {
    /// Connects to an enclave's operator socket.
    ///
    /// # Errors
    /// [`ClientError::Connect`], [`ClientError::TimedOut`].
    pub fn connect(socket: impl Into<Address>) -> Result<Self, ClientError> {
        let socket = socket.into();
        match socket.connect(SHORT) {
            Ok(stream) => Ok(Self::over(stream)),
            Err(Errno::ETIMEDOUT) => Err(ClientError::TimedOut { allowed: SHORT }),
            Err(errno) => Err(ClientError::Connect {
                kind: io::Error::from(errno).kind(),
                socket,
            }),
        }
    }

    /// Uses a connection that is there.
    #[must_use]
    pub const fn over(stream: UnixStream) -> Self {
        Self {
            stream,
            assembler: Assembler::new(),
        }
    }

    /// The enclave's state.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn status(&mut self) -> Result<Status, ClientError> {
        match self.ask(&Request::Status, SHORT)? {
            Response::Status(status) => Ok(status),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// What the applications reported.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn log(&mut self) -> Result<Log, ClientError> {
        match self.ask(&Request::Log, SHORT)? {
            Response::Log(log) => Ok(log),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn genesis(&mut self, request: GenesisRequest) -> Result<GenesisResponse, ClientError> {
        match self.ask(&Request::Genesis(request), LONG)? {
            Response::Genesis(response) => Ok(response),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// An attestation document for a nonce.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn attest(&mut self, stage: Stage, nonce: Nonce) -> Result<Document, ClientError> {
        match self.ask(&Request::Attest(AttestRequest { stage, nonce }), SHORT)? {
            Response::Attested(document) => Ok(document),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Sends a piece of a binary, or asks with an empty one how much has arrived.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn upload_piece(
        &mut self,
        sha256: Sha256,
        size: u64,
        offset: u64,
        piece: &[u8],
    ) -> Result<Uploaded, ClientError> {
        let data = Bytes::new(piece.to_vec())
            .map_err(|_| ClientError::RequestTooLarge { found: piece.len() })?;
        match self.ask(
            &Request::Upload(Upload {
                sha256,
                size,
                offset,
                data,
            }),
            LONG,
        )? {
            Response::Uploaded(state) => Ok(state),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Boots an instance.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn boot(&mut self, request: BootRequest) -> Result<Booted, ClientError> {
        match self.ask(&Request::Boot(request), LONG)? {
            Response::Booted(booted) => Ok(*booted),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Gives a share.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn provision(
        &mut self,
        request: ProvisionRequest,
    ) -> Result<Signed<ProvisionReceipt>, ClientError> {
        match self.ask(&Request::Provision(request), LONG)? {
            Response::Provisioned(receipt) => Ok(receipt),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Starts a drill.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn drill(&mut self, request: BootRequest) -> Result<KeyPair, ClientError> {
        match self.ask(&Request::Drill(Box::new(request)), LONG)? {
            Response::DrillStarted(setup) => Ok(*setup),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Takes part in a drill.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn drill_give(
        &mut self,
        request: DrillRequest,
    ) -> Result<Signed<DrillReceipt>, ClientError> {
        match self.ask(&Request::DrillGive(Box::new(request)), LONG)? {
            Response::DrillTaken(receipt) => Ok(receipt),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Ends a drill, or asks again how it ended.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn drill_finish(&mut self, nonce: Nonce, due: UnixMillis) -> Result<Drill, ClientError> {
        let request = DrillFinishRequest { nonce, due };
        match self.ask(&Request::DrillFinish(request), LONG)? {
            Response::Drilled(drill) => Ok(*drill),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// The evidence, with a live attestation for a nonce.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn evidence(&mut self, nonce: Nonce) -> Result<Evidence, ClientError> {
        match self.ask(&Request::Evidence(EvidenceRequest { nonce }), LONG)? {
            Response::Evidence(evidence) => Ok(*evidence),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// A nonce for an importer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn challenge(&mut self) -> Result<ForwardChallenge, ClientError> {
        match self.ask(&Request::Challenge, SHORT)? {
            Response::Challenge(challenge) => Ok(challenge),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// The key, sealed to an importer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn export(&mut self, request: ExportRequest) -> Result<ForwardedKey, ClientError> {
        match self.ask(&Request::Export(Box::new(request)), LONG)? {
            Response::Exported(forwarded) => Ok(*forwarded),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Gives an importer the key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn import(&mut self, forwarded: ForwardedKey) -> Result<Confirmed, ClientError> {
        match self.ask(&Request::Import(Box::new(forwarded)), LONG)? {
            Response::Imported(confirmed) => Ok(*confirmed),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Ends an exporter.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn hand_over(&mut self, confirmed: Confirmed) -> Result<(), ClientError> {
        match self.ask(&Request::HandOver(Box::new(confirmed)), LONG)? {
            Response::HandedOver => Ok(()),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Asks a running instance for a nonce for an order to reshare.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn reshare_challenge(&mut self) -> Result<ReshareChallenge, ClientError> {
        match self.ask(&Request::ReshareChallenge, SHORT)? {
            Response::ReshareChallenge(challenge) => Ok(challenge),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// Has a running instance carry out an order.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn reshare(&mut self, request: ReshareRequest) -> Result<Reshare, ClientError> {
        match self.ask(&Request::Reshare(Box::new(request)), LONG)? {
            Response::Reshared(reshare) => Ok(*reshare),
            _ => Err(ClientError::WrongKind),
        }
    }

    /// One exchange. A refusal is an error.
    fn ask(&mut self, request: &Request, allowed: Duration) -> Result<Response, ClientError> {
        let deadline = Deadline {
            end: Instant::now() + allowed,
            allowed,
        };
        let payload = to_bytes(request);
        let found = payload.len();
        let framed = frame(&payload).map_err(|_| ClientError::RequestTooLarge { found })?;
        self.send(&framed, deadline)?;
        let payload = self.receive(deadline)?;
        match from_bytes::<Response>(&payload).map_err(ClientError::Malformed)? {
            Response::Refused(refusal) => Err(ClientError::Refused(Box::new(refusal))),
            response => Ok(response),
        }
    }

    fn send(&mut self, mut bytes: &[u8], deadline: Deadline) -> Result<(), ClientError> {
        while !bytes.is_empty() {
            self.stream
                .set_write_timeout(Some(deadline.left()?))
                .map_err(|error| deadline.failure(&error))?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(deadline.failure(&error)),
            }
        }
        Ok(())
    }

    fn receive(&mut self, deadline: Deadline) -> Result<Vec<u8>, ClientError> {
        let mut piece = vec![0; PIECE];
        loop {
            let wanted = self
                .assembler
                .wanted::<Response>()
                .map_err(ClientError::Frame)?;
            let room = wanted.clamp(1, PIECE);
            self.stream
                .set_read_timeout(Some(deadline.left()?))
                .map_err(|error| deadline.failure(&error))?;
            let count = match self.stream.read(piece.get_mut(..room).unwrap_or_default()) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(deadline.failure(&error)),
            };
            let read = piece.get(..count).unwrap_or_default();
            let payload = self
                .assembler
                .push::<Response>(read)
                .map_err(ClientError::Frame)?;
            if let Some(payload) = payload {
                return Ok(payload);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Deadline {
    end: Instant,
    allowed: Duration,
}

impl Deadline {
    /// Time left; never zero, which would mean no timeout at all.
    fn left(self) -> Result<Duration, ClientError> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::TimedOut {
                allowed: self.allowed,
            });
        }
        Ok(left)
    }

    fn failure(self, error: &io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::TimedOut {
                allowed: self.allowed,
            },
            kind => ClientError::Io { kind },
        }
    }
}

#[cfg(test)]
mod tests;
