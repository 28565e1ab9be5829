//! The keys of a person: in a file under a passphrase, or in a PKCS#11 token under a PIN.
//!
//! Both do exactly two things: they sign objects of the contract, and they open what was encrypted
//! to the person. Locked and unlocked are different types, and only `LockedKeys::unlock` leads
//! from one to the other.
//!
//! Guarantees: a signature is returned only if it verifies under the public key that was pinned at
//! `join`, with low S, whoever made it; a share stays sealed to the encryption key where it is kept,
//! and is opened anew for each use.
//!
//! Does not: keep a share from this process. What a token opens is in its memory until it is
//! dropped, and is wiped then.

use std::path::{Path, PathBuf};

use quorate_protocol::atoms::Name;
use quorate_protocol::card::MemberCard;
use quorate_protocol::cbor::Object;
use quorate_protocol::cose::Signed;
use quorate_protocol::genesis::SealedShare;
use quorate_protocol::token::TokenIdentity;
use quorate_sealing::{ExternalOpenError, open, open_with};
use quorate_token::{Inserted, Pin, TokenError};
use zeroize::Zeroizing;

use crate::error::CeremonyError;
use crate::keyfile::{KeyFile, KeyFileError, MemberKeys, Passphrase, PublicKeys};
use crate::token::{TokenFile, TokenKeys, TokenKeysError};

/// A person's keys, locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockedKeys {
    /// In a file.
    File(KeyFile),
    /// In a token.
    Token(LockedToken),
}

/// Keys in a token, and where its module was on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedToken {
    /// Which token and keys.
    pub file: TokenFile,
    /// The module that was used last; a preference of this machine, nothing that is pinned.
    pub module: Option<PathBuf>,
}

/// What a person gives to unlock their keys. Wiped when dropped.
pub enum Unlock {
    /// For a key file.
    Passphrase(Passphrase),
    /// For a token that has been put in and found; its PIN is tried once.
    Token(Inserted, Pin),
}

impl Unlock {
    /// The module that leads to the token; none for a passphrase.
    pub(crate) fn module(&self) -> Option<&Path> {
        match self {
            Self::Passphrase(_) => None,
            Self::Token(token, _) => Some(token.module()),
        }
    }
}

impl From<Passphrase> for Unlock {
    fn from(passphrase: Passphrase) -> Self {
        Self::Passphrase(passphrase)
    }
}

impl LockedKeys {
    /// What a key file is called in a private folder.
    pub const KEY_FILE: &'static str = "key.cbor";
    /// What is pinned of a token is called that.
    pub const TOKEN_FILE: &'static str = "token.cbor";

    /// What the file of these keys is called in a private folder.
    #[must_use]
    pub const fn file_name(&self) -> &'static str {
        match self {
            Self::File(_) => Self::KEY_FILE,
            Self::Token(_) => Self::TOKEN_FILE,
        }
    }

    /// Whether both are of one file; where a module was does not count.
    pub(crate) fn is_file_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(two)) => one == two,
            (Self::Token(one), Self::Token(two)) => one.file == two.file,
            (Self::File(_), Self::Token(_)) | (Self::Token(_), Self::File(_)) => false,
        }
    }

    /// Whose keys they are; sure only once they are unlocked.
    #[must_use]
    pub fn name(&self) -> &Name {
        match self {
            Self::File(file) => file.name(),
            Self::Token(token) => token.file.name(),
        }
    }

    /// The public halves; sure only once they are unlocked.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        match self {
            Self::File(file) => file.public(),
            Self::Token(token) => token.file.public(),
        }
    }

    /// The token they are in, as it was at `join`; none for a key file.
    #[must_use]
    pub const fn token(&self) -> Option<&TokenIdentity> {
        match self {
            Self::File(_) => None,
            Self::Token(token) => Some(token.file.identity()),
        }
    }

    /// Unlocks them.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; a token that is not the one of `join`, or has lost its keys;
    /// [`TokenKeysError::NeedsPin`] and [`TokenKeysError::NeedsPassphrase`] for the wrong kind.
    pub(crate) fn unlock(&self, unlock: Unlock) -> Result<UnlockedKeys, CeremonyError> {
        match (self, unlock) {
            (Self::File(file), Unlock::Passphrase(passphrase)) => {
                Ok(UnlockedKeys::File(Box::new(file.unlock(&passphrase)?)))
            }
            (Self::Token(token), Unlock::Token(inserted, pin)) => Ok(UnlockedKeys::Token(
                Box::new(token.file.unlock(inserted, &pin)?),
            )),
            (Self::File(_), Unlock::Token(..)) => Err(TokenKeysError::NeedsPassphrase.into()),
            (Self::Token(_), Unlock::Passphrase(_)) => Err(TokenKeysError::NeedsPin.into()),
        }
    }
}

/// Keys that sign in a person's name, wherever they are.
pub(crate) trait Signs {
    /// Whose they are.
    fn name(&self) -> &Name;

    /// The public halves.
    fn public(&self) -> PublicKeys;

    /// What their token says it is now; none for a key file.
    fn token(&self) -> Option<&TokenIdentity>;

    /// Signs an object.
    fn sign<T: Object>(&self, payload: T) -> Result<Signed<T>, CeremonyError>;
}

impl Signs for MemberKeys {
    fn name(&self) -> &Name {
        self.name()
    }

    fn public(&self) -> PublicKeys {
        self.public()
    }

    fn token(&self) -> Option<&TokenIdentity> {
        None
    }

    fn sign<T: Object>(&self, payload: T) -> Result<Signed<T>, CeremonyError> {
        Ok(Signed::sign(payload, &self.signing_key()))
    }
}

impl Signs for UnlockedKeys {
    fn name(&self) -> &Name {
        self.name()
    }

    fn public(&self) -> PublicKeys {
        self.public()
    }

    fn token(&self) -> Option<&TokenIdentity> {
        self.token()
    }

    fn sign<T: Object>(&self, payload: T) -> Result<Signed<T>, CeremonyError> {
        self.sign(payload)
    }
}

/// A person's keys, unlocked. Wiped, or locked in their token again, when dropped.
pub enum UnlockedKeys {
    /// In memory.
    File(Box<MemberKeys>),
    /// In a token.
    Token(Box<TokenKeys>),
}

impl UnlockedKeys {
    /// Whose they are.
    #[must_use]
    pub const fn name(&self) -> &Name {
        match self {
            Self::File(keys) => keys.name(),
            Self::Token(keys) => keys.name(),
        }
    }

    /// The public halves.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        match self {
            Self::File(keys) => keys.public(),
            Self::Token(keys) => keys.public(),
        }
    }

    /// What the token says it is now; none for a key file.
    #[must_use]
    pub fn token(&self) -> Option<&TokenIdentity> {
        match self {
            Self::File(_) => None,
            Self::Token(keys) => Some(keys.identity()),
        }
    }

    /// Signs an object.
    ///
    /// # Errors
    /// What a token says, or [`TokenKeysError::SignatureWrong`]; a key from a file always signs.
    pub fn sign<T: Object>(&self, payload: T) -> Result<Signed<T>, CeremonyError> {
        match self {
            Self::File(keys) => Ok(Signed::sign(payload, &keys.signing_key())),
            Self::Token(keys) => keys.sign(payload),
        }
    }

    /// Opens what was sealed to the encryption key, at most `max` bytes of plaintext.
    ///
    /// # Errors
    /// [`ExternalOpenError::Key`] if a token did not answer, [`ExternalOpenError::Message`] if the
    /// message does not open with this key.
    pub fn open(
        &self,
        info: &[u8],
        aad: &[u8],
        sealed: &SealedShare,
        max: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ExternalOpenError<TokenError>> {
        let (suite, message) = (sealed.suite, sealed.sealed());
        match self {
            Self::File(keys) => open(suite, keys.decryption_key(), info, aad, &message, max)
                .map_err(ExternalOpenError::Message),
            Self::Token(keys) => {
                let public = keys.public().encryption;
                open_with(suite, public.inner(), &**keys, info, aad, &message, max)
            }
        }
    }

    /// The card of these keys.
    ///
    /// # Errors
    /// What [`sign`](Self::sign) says; one and the same key for both.
    pub fn card(&self) -> Result<Signed<MemberCard>, CeremonyError> {
        let card = self
            .public()
            .card(self.name())
            .ok_or(KeyFileError::KeysMismatch)?;
        self.sign(card)
    }
}
