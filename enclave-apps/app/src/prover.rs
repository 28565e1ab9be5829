//! Statements of this application, signed with the key that init made and certified for this start.
//!
//! What signs is an ES256 [`SigningKey`]: in pure Rust unless the application names a faster one
//! ([`App::start_with`](crate::App::start_with)). Whatever signs, a proof is put together here, so it
//! always names namespace, application and start.

use quorate_es256::SigningKey;
use quorate_protocol::application::{ApplicationCertificate, ApplicationProof};
use quorate_protocol::atoms::{Bytes, Name};
use quorate_protocol::cose::Signed;

use crate::error::AppError;

/// A [`SigningKey`] of any kind. It erases itself when dropped.
trait Signer: Send + Sync {
    /// The signature of a message: r, then s, 32 bytes big-endian each. `None` if the key failed.
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]>;
}

impl<K: SigningKey + Send + Sync> Signer for K {
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        let signature = SigningKey::sign(self, message).ok()?;
        Some(signature.to_raw())
    }
}

/// Signs proofs with the key made for this start. Threads share one through
/// [`Arc`](std::sync::Arc); the key is erased when the last of them is gone.
pub struct Prover {
    signer: Box<dyn Signer>,
    certificate: ApplicationCertificate,
}

impl Prover {
    pub(crate) fn new<K>(key: K, certificate: ApplicationCertificate) -> Self
    where
        K: SigningKey + Send + Sync + 'static,
    {
        Self {
            signer: Box::new(key),
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
