//! Statements of this application, signed with the key that init made and certified for this start.
//!
//! What signs is a [`ProofSigner`]: [`PureSigner`] unless the application brings a faster one to
//! [`App::start_with`](crate::App::start_with). Whatever signs, a proof is put together here, so it
//! always names namespace, application and start.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use quorate_protocol::application::{ApplicationCertificate, ApplicationProof};
use quorate_protocol::atoms::{Bytes, Name};
use quorate_protocol::cose::Signed;

use crate::error::AppError;

/// Signs with ES256. Holds the key and erases it when dropped.
pub trait ProofSigner: Send + Sync {
    /// The signature of a message, which is hashed with SHA-256: r, then s, 32 bytes big-endian
    /// each. `None` if the signer failed.
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]>;
}

/// The signer in pure Rust: small, deterministic (RFC 6979).
pub struct PureSigner(SigningKey);

impl PureSigner {
    /// Takes a scalar, 32 bytes big-endian; `None` if it is none.
    pub fn boxed(scalar: &[u8; 32]) -> Option<Box<dyn ProofSigner>> {
        let key = SigningKey::from_slice(scalar).ok()?;
        Some(Box::new(Self(key)))
    }
}

impl ProofSigner for PureSigner {
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        let signature: Signature = self.0.sign(message);
        Some(signature.to_bytes().into())
    }
}

/// Signs proofs with the key made for this start. Threads share one through
/// [`Arc`](std::sync::Arc); the key is erased when the last of them is gone.
pub struct Prover {
    signer: Box<dyn ProofSigner>,
    certificate: ApplicationCertificate,
}

impl Prover {
    pub(crate) fn new(signer: Box<dyn ProofSigner>, certificate: ApplicationCertificate) -> Self {
        Self {
            signer,
            certificate,
        }
    }

    /// Signs a statement of this application, of a kind the application defines.
    ///
    /// # Errors
    /// [`AppError::ProofTooLong`], [`AppError::Signer`].
    pub fn prove(
        &self,
        kind: &Name,
        payload: Vec<u8>,
    ) -> Result<Signed<ApplicationProof>, AppError> {
        let found = payload.len();
        let proof = ApplicationProof {
            genesis: self.certificate.genesis,
            application: self.certificate.application.clone(),
            start: self.certificate.start,
            kind: kind.clone(),
            payload: Bytes::new(payload).map_err(|_| AppError::ProofTooLong { found })?,
        };
        let signature = self.signer.sign(&Signed::to_be_signed(&proof));
        let signature = signature.ok_or(AppError::Signer)?;
        Signed::from_parts(proof, &signature).map_err(|_| AppError::Signer)
    }
}
