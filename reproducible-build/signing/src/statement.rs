//! Signing statements of Quorate's own contract (ES256) with the keys that sign images.
//!
//! Guarantees: only a P-256 key is used, since the contract knows no other algorithm. The caller
//! checks the signature before it relies on it, as [`sign`](crate::sign) does for images.

use quorate_eif::signature::Algorithm;
use quorate_token::TokenError;
use thiserror::Error;

use crate::Signer;
use crate::public::PublicKey;

/// Why a key cannot sign a statement.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatementError {
    /// The key is on another curve.
    #[error("the key is not on P-256, the only curve statements are signed on")]
    Curve,
    /// The token failed.
    #[error("{0}")]
    Token(#[from] TokenError),
}

impl StatementError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Curve => {
                "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
            }
            Self::Token(error) => error.remedy(),
        }
    }
}

impl Signer {
    /// The public key statements are verified with: a SEC 1 point.
    ///
    /// # Errors
    /// If the key is not on P-256, or the token does not give it.
    pub fn statement_key(&self) -> Result<Vec<u8>, StatementError> {
        let public = match self {
            Self::File(key) => Some(key.public()),
            Self::Token(key) => PublicKey::parse(Algorithm::Es256, &key.public_point()?),
        };
        match public {
            Some(PublicKey::P256(key)) => Ok(key.to_sec1_point(true).as_bytes().to_vec()),
            _ => Err(StatementError::Curve),
        }
    }

    /// Signs a Sig_structure; r then s.
    ///
    /// # Errors
    /// If the key is not on P-256, or the token fails.
    pub fn sign_statement(&self, message: &[u8]) -> Result<[u8; 64], StatementError> {
        let signature = match self {
            Self::File(key) => key.sign(message),
            Self::Token(key) => key.sign(Algorithm::Es256, message)?,
        };
        signature.try_into().map_err(|_| StatementError::Curve)
    }
}
