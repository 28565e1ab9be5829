//! A private key in a PKCS#11 token: the key never leaves it.
//!
//! Guarantees: a key is found by the labels of its token and of itself, and only where exactly one
//! answers; the PIN is erased when dropped; the session ends with the [`TokenKey`].
//!
//! Trusts: the PKCS#11 module it is told to load, which runs inside this process with all its
//! rights. Does not: believe the signature that comes back; [`sign`](crate::sign) checks it.

use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use quorate_eif::signature::Algorithm;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use thiserror::Error;
use zeroize::Zeroizing;

/// A step of talking to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Starting the module.
    Initialize,
    /// Listing slots and tokens.
    ListTokens,
    /// Opening a session.
    OpenSession,
    /// Giving the PIN.
    LogIn,
    /// Looking for the key.
    FindKey,
    /// Signing.
    Sign,
}

/// Why a token's key cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The module cannot be loaded.
    #[error("the PKCS#11 module cannot be loaded")]
    Module,
    /// No token has that label.
    #[error("no token in a slot has that label")]
    NoToken,
    /// Several have.
    #[error("{count} tokens have that label")]
    SeveralTokens {
        /// How many.
        count: usize,
    },
    /// The PIN is wrong.
    #[error("the token did not accept the PIN")]
    WrongPin,
    /// The PIN is locked.
    #[error("the token has locked its PIN after too many wrong ones")]
    PinLocked,
    /// No such key.
    #[error("the token has no private elliptic-curve key with that label")]
    NoKey,
    /// The public half is not in the token.
    #[error("the token has no public key, or several, with that label")]
    NoPublicKey,
    /// Several such keys.
    #[error("the token has {count} private keys with that label")]
    SeveralKeys {
        /// How many.
        count: usize,
    },
    /// The module reported another error.
    #[error("the token failed at {step:?} ({code:?})")]
    Failed {
        /// Where.
        step: Step,
        /// What the module says, if it was the module.
        code: Option<RvError>,
    },
}

impl TokenError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Module => {
                "name the module's file (for SoftHSM libsofthsm2.so), built for this machine"
            }
            Self::NoToken | Self::SeveralTokens { .. } => {
                "pkcs11-tool --list-slots shows the labels; put in one such token"
            }
            Self::WrongPin => "give the user PIN, not the security officer's; a few tries lock it",
            Self::PinLocked => "have the security officer unlock the token",
            Self::NoKey | Self::NoPublicKey | Self::SeveralKeys { .. } => {
                "pkcs11-tool --login --list-objects shows the labels; give the key one of its own"
            }
            Self::Failed { .. } => "see the module's own log; is the token still there?",
        }
    }

    const fn at(step: Step, error: &Pkcs11Error) -> Self {
        match error {
            Pkcs11Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            ) => Self::WrongPin,
            Pkcs11Error::Pkcs11(RvError::PinLocked, _) => Self::PinLocked,
            Pkcs11Error::Pkcs11(code, _) => Self::Failed {
                step,
                code: Some(*code),
            },
            _ => Self::Failed { step, code: None },
        }
    }
}

/// Which key, by what people called things.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// The module's shared library.
    pub module: &'a Path,
    /// The token's label.
    pub token: &'a str,
    /// The key's label.
    pub key: &'a str,
}

/// A key in a token, unlocked.
pub struct TokenKey {
    session: Session,
    key: ObjectHandle,
    label: String,
}

impl TokenKey {
    /// Unlocks a token and finds the key.
    ///
    /// # Errors
    /// If module, token, PIN or key do not serve.
    pub fn open(address: Address<'_>, pin: &Zeroizing<String>) -> Result<Self, TokenError> {
        let at = |step| move |error: Pkcs11Error| TokenError::at(step, &error);
        let module = Pkcs11::new(address.module).map_err(|_| TokenError::Module)?;
        let locks = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        module.initialize(locks).map_err(at(Step::Initialize))?;
        let slots = module.get_slots_with_token();
        let slots = slots.map_err(at(Step::ListTokens))?;
        let labelled = slots.into_iter().filter(|slot| {
            let info = module.get_token_info(*slot);
            info.is_ok_and(|info| info.label().trim_end() == address.token)
        });
        let labelled: Vec<_> = labelled.collect();
        let slot = match labelled.as_slice() {
            [slot] => *slot,
            [] => return Err(TokenError::NoToken),
            several => {
                let count = several.len();
                return Err(TokenError::SeveralTokens { count });
            }
        };
        let session = module.open_ro_session(slot);
        let session = session.map_err(at(Step::OpenSession))?;
        let pin = AuthPin::new(pin.as_str().into());
        let logged_in = session.login(UserType::User, Some(&pin));
        logged_in.map_err(at(Step::LogIn))?;
        let wanted = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::Label(address.key.as_bytes().to_vec()),
        ];
        let found = session.find_objects(&wanted).map_err(at(Step::FindKey))?;
        let key = match found.as_slice() {
            [key] => *key,
            [] => return Err(TokenError::NoKey),
            several => {
                let count = several.len();
                return Err(TokenError::SeveralKeys { count });
            }
        };
        Ok(Self {
            session,
            key,
            label: address.key.to_owned(),
        })
    }

    /// The public half, as the token has it under the same label: a SEC 1 point.
    pub(crate) fn public_point(&self) -> Result<Vec<u8>, TokenError> {
        let at = |step| move |error: Pkcs11Error| TokenError::at(step, &error);
        let wanted = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::Label(self.label.as_bytes().to_vec()),
        ];
        let found = self.session.find_objects(&wanted);
        let found = found.map_err(at(Step::FindKey))?;
        let [public] = found.as_slice() else {
            return Err(TokenError::NoPublicKey);
        };
        let point = self
            .session
            .get_attributes(*public, &[AttributeType::EcPoint]);
        match point.map_err(at(Step::FindKey))?.as_slice() {
            // Most tokens wrap the point in a DER OCTET STRING, some do not.
            [Attribute::EcPoint(point)] => Ok(match point.as_slice() {
                [0x04, length, rest @ ..] if usize::from(*length) == rest.len() => rest.to_vec(),
                bare => bare.to_vec(),
            }),
            _ => Err(TokenError::NoPublicKey),
        }
    }

    /// Signs as the algorithm does; what comes back is the token's word.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let hash = match algorithm {
            Algorithm::Es256 => Sha256::digest(message).to_vec(),
            Algorithm::Es384 => Sha384::digest(message).to_vec(),
            Algorithm::Es512 => Sha512::digest(message).to_vec(),
        };
        let signed = self.session.sign(&Mechanism::Ecdsa, self.key, &hash);
        signed.map_err(|error| TokenError::at(Step::Sign, &error))
    }
}
