//! A member's private keys in a PKCS#11 token, and what the private folder pins about them.
//!
//! Guarantees: only the token that was there at `join` is used, told by manufacturer, model and
//! serial number, and in it only the two keys that were pinned; each of them does one thing, cannot
//! be read out, and answers to its public key. Whatever the token signs is verified before it is
//! returned. The folder holds no secret.
//!
//! Trusts: the token, and its module, which runs inside this process.
//!
//! Does not: show to others that a token was used. A signature looks like any other.

use minicbor::{Decode, Encode};
use quorate_protocol::atoms::{Bytes, Name};
use quorate_protocol::cbor::{DecodeError, Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::keys::{EncryptionKey, VerificationKey};
use quorate_protocol::token::TokenIdentity;
use quorate_sealing::{DiffieHellman, ExternalOpenError, SHARED_LEN, Suite, open_with, seal};
use quorate_token::{
    Ability, Inserted, KeyFacts, KeyUri, Module, OpenToken, Pin, PrivateKey, Purpose, TokenError,
    TokenReport,
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::{Blame, CeremonyError, Explanation};
use crate::format::check_format;
use crate::keyfile::PublicKeys;
use crate::random;

/// Format number of token files.
const FORMAT: u8 = 1;
/// What the encryption key is tried with at `join`.
const TRIAL: &[u8] = b"quorate/token-trial/v1";

/// Why keys in a token cannot be used, apart from what the token itself says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenKeysError {
    /// The folder has a key file and a token file.
    #[error("the private folder has both a key file and keys in a token")]
    Both,
    /// The token's encryption key does not do what its public half says.
    #[error("the token does not open what was encrypted to its own encryption key")]
    DoesNotOpen,
    /// The file says nothing about a token.
    #[error("the private folder's token file is damaged: {0}")]
    Malformed(DecodeError),
    /// No token is there at all.
    #[error("your keys are in the token {}; no token is there", .expected)]
    Missing {
        /// The token of `join`.
        expected: Box<TokenIdentity>,
    },
    /// No module is known.
    #[error("no PKCS#11 module was named, and none was used with this private folder before")]
    ModuleUnknown,
    /// A passphrase was needed.
    #[error("the keys are in a key file, not in a token")]
    NeedsPassphrase,
    /// A token was needed.
    #[error("the keys are in a token, not in a key file")]
    NeedsPin,
    /// Another token than the one of `join`.
    #[error("your keys are in the token {}; there is {}", .expected, found_text(.found))]
    OtherToken {
        /// The token of `join`.
        expected: Box<TokenIdentity>,
        /// Those that are there.
        found: Vec<TokenIdentity>,
    },
    /// The public half in the token is not a point of P-256.
    #[error("what the token has as the public half of the {purpose} key is no point of P-256")]
    PublicKey {
        /// Which key.
        purpose: Purpose,
    },
    /// A key was replaced since `join`.
    #[error("the {purpose} key in the token is not the one of your card")]
    Replaced {
        /// Which key.
        purpose: Purpose,
    },
    /// The token's signature does not verify.
    #[error("the token's signature is not by the key of your card")]
    SignatureWrong,
    /// Signing and encryption key are the same.
    #[error("the signing key and the encryption key are one and the same")]
    SameKey,
}

fn found_text(found: &[TokenIdentity]) -> String {
    let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
    texts.join("; and ")
}

impl TokenKeysError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::Both => (
                "two-kinds-of-keys",
                Blame::Machine,
                "somebody mixed two private folders: restore yours from a backup; a person has one \
                 kind of keys",
            ),
            Self::DoesNotOpen => (
                "token-does-not-open",
                Blame::Machine,
                "use another token: this one does not do ECDH as its public key says",
            ),
            Self::Malformed(_) => (
                "token-file-malformed",
                Blame::Machine,
                "restore token.cbor from a backup; the keys in the token are not lost",
            ),
            Self::Missing { .. } => (
                "token-missing",
                Blame::You,
                "put it in and repeat the command: no PIN was tried, and nothing was lost; if the token \
                 is lost, tell the other members: they go on without you while enough of them are left",
            ),
            Self::ModuleUnknown => (
                "module-unknown",
                Blame::You,
                "name the library of the token's driver with --module; it is remembered",
            ),
            Self::NeedsPassphrase => (
                "keys-in-file",
                Blame::You,
                "leave --module and --pin-file away, and give the passphrase",
            ),
            Self::NeedsPin => (
                "keys-in-token",
                Blame::You,
                "leave --passphrase-file away, put the token in and give its PIN",
            ),
            Self::OtherToken { .. } => (
                "token-other",
                Blame::You,
                "put in the token you joined with; no PIN was tried",
            ),
            Self::PublicKey { .. } => (
                "token-public-key",
                Blame::Machine,
                "use another token, or have the key made anew",
            ),
            Self::Replaced { .. } => (
                "token-key-replaced",
                Blame::Machine,
                "find out who made a new key in your token; the old one is gone, and with it what \
                 was encrypted to it",
            ),
            Self::SignatureWrong => (
                "token-signature-wrong",
                Blame::Machine,
                "nothing was published; the token is faulty or its key was replaced: check it with \
                 `quorate ceremony token check`",
            ),
            Self::SameKey => (
                "token-same-key",
                Blame::You,
                "name two keys, or have them made: join without naming keys",
            ),
        };
        Explanation::new(code, blame, remedy)
    }
}

/// What a token's error is called here.
pub(crate) const fn explain(error: &TokenError) -> Explanation {
    let blame = match error.fault() {
        quorate_token::Fault::Caller => Blame::You,
        quorate_token::Fault::Machine => Blame::Machine,
    };
    Explanation::new(error.code(), blame, error.remedy())
}

/// Which token holds a member's keys, and which keys they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile(Fields);

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Fields {
    #[n(0)]
    format: u8,
    #[n(1)]
    name: Name,
    #[n(2)]
    identity: TokenIdentity,
    #[n(3)]
    signing: KeyName,
    #[n(4)]
    signing_key: VerificationKey,
    #[n(5)]
    encryption: KeyName,
    #[n(6)]
    encryption_key: EncryptionKey,
}

/// How a key is found in its token.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct KeyName {
    #[n(0)]
    id: Bytes<0, 255>,
    #[n(1)]
    label: Bytes<0, 255>,
}

impl Object for Fields {
    const LABEL: &'static str = "quorate/token-file/v1";
    const MAX: usize = 2048;
}

impl KeyName {
    fn of(facts: &KeyFacts) -> Result<Self, TokenError> {
        let short = |bytes: &[u8]| Bytes::new(bytes.to_vec()).map_err(|_| TokenError::NoKey);
        Ok(Self {
            id: short(&facts.id)?,
            label: short(&facts.label)?,
        })
    }

    /// By identifier; labels can be changed. By label only where there is no identifier.
    fn uri(&self) -> Result<KeyUri, TokenError> {
        let id = self.id.as_slice();
        if !id.is_empty() {
            return Ok(KeyUri {
                object: None,
                id: Some(id.to_vec()),
            });
        }
        let label = core::str::from_utf8(self.label.as_slice()).map_err(|_| TokenError::NoKey)?;
        Ok(KeyUri {
            object: Some(label.to_owned()),
            id: None,
        })
    }
}

impl TokenFile {
    /// Largest token file in bytes.
    pub const MAX: usize = Fields::MAX;

    /// Reads a token file.
    ///
    /// # Errors
    /// [`TokenKeysError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenKeysError> {
        let fields: Fields = from_bytes(bytes).map_err(TokenKeysError::Malformed)?;
        check_format::<Fields>(fields.format, FORMAT).map_err(TokenKeysError::Malformed)?;
        Ok(Self(fields))
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&self.0)
    }

    /// Whose keys they are.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.0.name
    }

    /// The token, as it was at `join`.
    #[must_use]
    pub const fn identity(&self) -> &TokenIdentity {
        &self.0.identity
    }

    /// The public keys.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            signing: self.0.signing_key,
            encryption: self.0.encryption_key.clone(),
        }
    }

    /// The token with these keys, if it is there and able. No PIN is needed.
    ///
    /// # Errors
    /// [`TokenKeysError::Missing`], [`TokenKeysError::OtherToken`], [`TokenError::Cannot`].
    pub fn find(&self, module: Module) -> Result<Inserted, CeremonyError> {
        find_device(module, self.identity())
    }

    /// Gives the PIN, once, and finds the keys.
    ///
    /// # Errors
    /// What the token says; [`TokenKeysError::Replaced`].
    pub fn unlock(&self, token: Inserted, pin: &Pin) -> Result<TokenKeys, CeremonyError> {
        let pinned = self.identity();
        if !token.report().identity.is_device(pinned) {
            return Err(other(pinned, vec![token.report().identity.clone()]));
        }
        let token = token.log_in(pin)?;
        let find = |name: &KeyName, purpose| -> Result<PrivateKey, CeremonyError> {
            let key = token.find(&name.uri()?)?;
            token.require(&key, purpose)?;
            Ok(key)
        };
        let signing = find(&self.0.signing, Purpose::Signing)?;
        let encryption = find(&self.0.encryption, Purpose::Encryption)?;
        let keys = TokenKeys {
            file: self.clone(),
            signing,
            encryption,
            token,
        };
        keys.compare()?;
        Ok(keys)
    }
}

fn other(expected: &TokenIdentity, found: Vec<TokenIdentity>) -> CeremonyError {
    let expected = Box::new(expected.clone());
    TokenKeysError::OtherToken { expected, found }.into()
}

/// That token among those that are there.
fn find_device(module: Module, wanted: &TokenIdentity) -> Result<Inserted, CeremonyError> {
    let there = module.tokens()?;
    let is_it = |token: &TokenReport| token.identity.is_device(wanted);
    if there.is_empty() {
        let expected = Box::new(wanted.clone());
        return Err(TokenKeysError::Missing { expected }.into());
    }
    if !there.iter().any(is_it) {
        let found = there.into_iter().map(|token| token.identity).collect();
        return Err(other(wanted, found));
    }
    let token = module.find(is_it)?;
    check_able(token.report())?;
    Ok(token)
}

/// That a token can do what a member needs.
pub(crate) fn check_able(token: &TokenReport) -> Result<(), TokenError> {
    token.abilities.require(Ability::Sign)?;
    token.abilities.require(Ability::Derive)
}

/// Which keys are made before they are made, so that an interrupted `join` makes none twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIntent(IntentFields);

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct IntentFields {
    #[n(0)]
    format: u8,
    #[n(1)]
    name: Name,
    #[n(2)]
    identity: TokenIdentity,
    #[n(3)]
    signing: Bytes<16, 16>,
    #[n(4)]
    encryption: Bytes<16, 16>,
}

impl Object for IntentFields {
    const LABEL: &'static str = "quorate/token-intent/v1";
    const MAX: usize = 512;
}

impl TokenIntent {
    /// Largest file in bytes.
    pub const MAX: usize = IntentFields::MAX;

    /// Draws identifiers for two keys.
    pub(crate) fn draw(name: &Name, token: &TokenReport) -> Result<Self, CeremonyError> {
        let id = || -> Result<_, CeremonyError> {
            let bytes = random::bytes::<16>()?;
            Bytes::new(bytes.to_vec()).map_err(|_| random::NoRandomness.into())
        };
        Ok(Self(IntentFields {
            format: FORMAT,
            name: name.clone(),
            identity: token.identity.clone(),
            signing: id()?,
            encryption: id()?,
        }))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`TokenKeysError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenKeysError> {
        let fields: IntentFields = from_bytes(bytes).map_err(TokenKeysError::Malformed)?;
        check_format::<IntentFields>(fields.format, FORMAT).map_err(TokenKeysError::Malformed)?;
        Ok(Self(fields))
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&self.0)
    }

    /// Whose keys will be made.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.0.name
    }

    /// That `token` is the one they will be made in.
    pub(crate) fn check_token(&self, token: &TokenReport) -> Result<(), CeremonyError> {
        if token.identity.is_device(&self.0.identity) {
            return Ok(());
        }
        Err(other(&self.0.identity, vec![token.identity.clone()]))
    }
}

/// Two keys that are in a token already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKeys {
    /// To sign with.
    pub signing: KeyUri,
    /// To open with.
    pub encryption: KeyUri,
}

/// Where the keys of somebody who joins come from.
pub(crate) enum KeyChoice<'a> {
    /// The token makes them.
    Make(TokenIntent),
    /// They are there.
    Existing(&'a NamedKeys),
}

/// A member's keys in a token that was unlocked. Locked again when dropped.
pub struct TokenKeys {
    file: TokenFile,
    signing: PrivateKey,
    encryption: PrivateKey,
    token: OpenToken,
}

impl TokenKeys {
    /// Makes or finds the keys of somebody who joins, and tries both.
    pub(crate) fn join(
        name: &Name,
        token: OpenToken,
        choice: &KeyChoice<'_>,
    ) -> Result<Self, CeremonyError> {
        let key = |purpose: Purpose| -> Result<PrivateKey, CeremonyError> {
            let key = match (choice, purpose) {
                (KeyChoice::Existing(named), Purpose::Signing) => token.find(&named.signing)?,
                (KeyChoice::Existing(named), Purpose::Encryption) => {
                    token.find(&named.encryption)?
                }
                (KeyChoice::Make(intent), _) => make(&token, intent, purpose)?,
            };
            token.require(&key, purpose)?;
            Ok(key)
        };
        let (signing, encryption) = (key(Purpose::Signing)?, key(Purpose::Encryption)?);
        let point = token.public_point(&signing)?;
        let signing_key = VerificationKey::from_sec1(&point).map_err(|_| {
            let purpose = Purpose::Signing;
            TokenKeysError::PublicKey { purpose }
        })?;
        let point = token.public_point(&encryption)?;
        let encryption_key = EncryptionKey::from_sec1(&point).map_err(|_| {
            let purpose = Purpose::Encryption;
            TokenKeysError::PublicKey { purpose }
        })?;
        if signing_key.to_compressed() == encryption_key.to_compressed() {
            return Err(TokenKeysError::SameKey.into());
        }
        let file = TokenFile(Fields {
            format: FORMAT,
            name: name.clone(),
            identity: token.report().identity.clone(),
            signing: KeyName::of(signing.facts())?,
            signing_key,
            encryption: KeyName::of(encryption.facts())?,
            encryption_key,
        });
        let keys = Self {
            file,
            signing,
            encryption,
            token,
        };
        keys.try_opening()?;
        Ok(keys)
    }

    /// What the private folder pins of them.
    #[must_use]
    pub const fn file(&self) -> &TokenFile {
        &self.file
    }

    /// Whose they are.
    #[must_use]
    pub const fn name(&self) -> &Name {
        self.file.name()
    }

    /// The public halves.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        self.file.public()
    }

    /// What the token says it is now.
    #[must_use]
    pub fn identity(&self) -> &TokenIdentity {
        &self.token.report().identity
    }

    /// Whether the token says that it drew both keys itself; none if it does not tell.
    #[must_use]
    pub fn drawn_on_token(&self) -> Option<bool> {
        let told = |key: &PrivateKey| key.facts().drawn_on_token;
        Some(told(&self.signing)? && told(&self.encryption)?)
    }

    /// Whether they are the two that are named.
    pub(crate) fn are(&self, named: &NamedKeys) -> Result<bool, TokenError> {
        let is = |key: &PrivateKey, uri: &KeyUri| -> Result<bool, TokenError> {
            let found = self.token.find_if_there(uri)?;
            Ok(found.is_some_and(|found| found.facts() == key.facts()))
        };
        Ok(is(&self.signing, &named.signing)? && is(&self.encryption, &named.encryption)?)
    }

    /// Signs on the token, with low S, and verifies what came back.
    pub(crate) fn sign<T: Object>(&self, payload: T) -> Result<Signed<T>, CeremonyError> {
        let digest = Sha256::digest(Signed::to_be_signed(&payload));
        let signature = self.token.sign(&self.signing, &digest)?;
        let wrong = TokenKeysError::SignatureWrong;
        let signature: [u8; 64] = signature.try_into().map_err(|_| wrong.clone())?;
        let signed = Signed::from_parts(payload, &signature).map_err(|_| wrong.clone())?;
        signed.verify(&self.file.0.signing_key).map_err(|_| wrong)?;
        Ok(signed)
    }

    /// Compares the public halves in the token with the pinned ones, where the token has them.
    fn compare(&self) -> Result<(), CeremonyError> {
        let Fields {
            signing_key,
            encryption_key,
            ..
        } = &self.file.0;
        let signing = (&self.signing, Purpose::Signing, signing_key.to_compressed());
        let encryption = (
            &self.encryption,
            Purpose::Encryption,
            encryption_key.to_compressed(),
        );
        for (key, purpose, pinned) in [signing, encryption] {
            let point = match self.token.public_point(key) {
                Ok(point) => point,
                // Without it, what the key signs or opens still shows whether it is the one.
                Err(TokenError::NoPublicKey) => continue,
                Err(error) => return Err(error.into()),
            };
            let found = EncryptionKey::from_sec1(&point);
            if !found.is_ok_and(|found| found.to_compressed() == pinned) {
                return Err(TokenKeysError::Replaced { purpose }.into());
            }
        }
        Ok(())
    }

    /// Opens something that was sealed to the encryption key just now.
    fn try_opening(&self) -> Result<(), CeremonyError> {
        let suite = Suite::P256Sha256Aes256Gcm;
        let public = self.file.0.encryption_key.inner();
        let wrong = || TokenKeysError::DoesNotOpen;
        let secret = random::bytes::<32>()?;
        let aad = self.name().as_str().as_bytes();
        let mut rng = random::generator()?;
        let sealed = seal(suite, public, TRIAL, aad, secret.as_slice(), &mut rng);
        let sealed = sealed.map_err(|_| wrong())?;
        match open_with(suite, public, self, TRIAL, aad, &sealed, secret.len()) {
            Ok(opened) if *opened == secret.as_slice() => Ok(()),
            Err(ExternalOpenError::Key(error)) => Err(error.into()),
            _ => Err(wrong().into()),
        }
    }
}

/// The key an intent names: the one that was made before the interruption, or a new one.
fn make(
    token: &OpenToken,
    intent: &TokenIntent,
    purpose: Purpose,
) -> Result<PrivateKey, TokenError> {
    let IntentFields {
        name,
        signing,
        encryption,
        ..
    } = &intent.0;
    let id = match purpose {
        Purpose::Signing => signing,
        Purpose::Encryption => encryption,
    };
    let made = token.find_if_there(&KeyUri {
        object: None,
        id: Some(id.as_slice().to_vec()),
    })?;
    match made {
        Some(key) => Ok(key),
        None => token.generate(purpose, &format!("quorate {name} {purpose}"), id.as_slice()),
    }
}

impl DiffieHellman for TokenKeys {
    type Error = TokenError;

    fn diffie_hellman(
        &self,
        point: &quorate_sealing::EncryptionKey,
    ) -> Result<Zeroizing<[u8; SHARED_LEN]>, TokenError> {
        self.token
            .derive(&self.encryption, &point.to_uncompressed())
    }
}

#[cfg(test)]
pub(crate) mod tests;
