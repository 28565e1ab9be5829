//! A private key in a PKCS#11 token: the key never leaves it.
//!
//! Guarantees: those of [`quorate_token`]: a key is found by the labels of its token and of itself,
//! and only where exactly one answers; the PIN is tried once.
//!
//! Trusts: the PKCS#11 module it is told to load, which runs inside this process with all its
//! rights. Does not: believe the signature that comes back; [`sign`](crate::sign) checks it.

use std::path::Path;

use quorate_eif::signature::Algorithm;
use quorate_token::{Inserted, KeyUri, Module, OpenToken, Pin, PrivateKey, TokenError, TokenUri};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A key in a token, unlocked.
pub struct TokenKey {
    token: OpenToken,
    key: PrivateKey,
}

/// The one token with a label, still locked.
///
/// # Errors
/// If module or token do not serve.
pub fn choose(module: &Path, label: &str) -> Result<Inserted, TokenError> {
    let wanted = TokenUri {
        token: Some(label.to_owned()),
        ..TokenUri::default()
    };
    Module::load(module)?.find(|token| token.answers_to(&wanted))
}

impl TokenKey {
    /// Unlocks a token and finds the key with a label.
    ///
    /// # Errors
    /// If token, PIN or key do not serve.
    pub fn open(token: Inserted, label: &str, pin: &Pin) -> Result<Self, TokenError> {
        let token = token.log_in(pin)?;
        let key = token.find(&KeyUri {
            object: Some(label.to_owned()),
            id: None,
        })?;
        Ok(Self { token, key })
    }

    /// The public half, as the token has it beside the key: a SEC 1 point.
    pub(crate) fn public_point(&self) -> Result<Vec<u8>, TokenError> {
        self.token.public_point(&self.key)
    }

    /// Signs as the algorithm does; what comes back is the token's word.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let hash = match algorithm {
            Algorithm::Es256 => Sha256::digest(message).to_vec(),
            Algorithm::Es384 => Sha384::digest(message).to_vec(),
            Algorithm::Es512 => Sha512::digest(message).to_vec(),
        };
        self.token.sign(&self.key, &hash)
    }
}
