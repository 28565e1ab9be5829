//! Why a token or its key cannot be used, whose fault it is and what to do.
//!
//! Guarantees: no error holds a PIN or a secret. Labels and serial numbers in errors come from
//! tokens; they are without control characters.

use core::fmt;
use std::path::PathBuf;

use cryptoki::error::{Error as Pkcs11Error, RvError};
use thiserror::Error;

use crate::module::Tries;
use crate::open::Purpose;

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
    /// Making a key.
    Generate,
    /// Signing.
    Sign,
    /// Deriving a shared secret.
    Derive,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialize => "starting its module",
            Self::ListTokens => "listing tokens",
            Self::OpenSession => "opening a session",
            Self::LogIn => "logging in",
            Self::FindKey => "looking for the key",
            Self::Generate => "making a key",
            Self::Sign => "signing",
            Self::Derive => "deriving a secret",
        })
    }
}

/// What a token has to be able to do, on P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Sign digests (`CKM_ECDSA`).
    Sign,
    /// Derive shared secrets (`CKM_ECDH1_DERIVE`).
    Derive,
    /// Make keys (`CKM_EC_KEY_PAIR_GEN`).
    Generate,
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sign => "ECDSA (CKM_ECDSA)",
            Self::Derive => "ECDH (CKM_ECDH1_DERIVE)",
            Self::Generate => "making keys (CKM_EC_KEY_PAIR_GEN)",
        })
    }
}

/// Who has to mend something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The person who named module, token or key, or typed the PIN.
    Caller,
    /// The token, its module or the machine.
    Machine,
}

/// Why a token or its key cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The token cannot do what is needed.
    #[error("the token cannot do {ability} on P-256")]
    Cannot {
        /// What it cannot.
        ability: Ability,
    },
    /// The module reported another error.
    #[error("the token failed at {step} ({})", code_text(*.code))]
    Failed {
        /// Where.
        step: Step,
        /// What the module says, if it was the module.
        code: Option<RvError>,
    },
    /// The key asks for the PIN before each use.
    #[error("the {purpose} key asks for the PIN at each use, which this tool cannot do")]
    KeyAsksEachTime {
        /// Which key.
        purpose: Purpose,
    },
    /// The key may not be used for this.
    #[error("the key may not be used to {}", .purpose.verb())]
    KeyCannot {
        /// What it may not.
        purpose: Purpose,
    },
    /// The key can be read out of the token.
    #[error("the {purpose} key can be read out of the token")]
    KeyExtractable {
        /// Which key.
        purpose: Purpose,
    },
    /// The key is on another curve.
    #[error("the {purpose} key is not on P-256")]
    KeyOtherCurve {
        /// Which key.
        purpose: Purpose,
    },
    /// The module's file is not there.
    #[error("there is no PKCS#11 module at {}", .path.display())]
    ModuleMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file that is no module.
    #[error("{} cannot be loaded as a PKCS#11 module", .path.display())]
    NotAModule {
        /// The file.
        path: PathBuf,
    },
    /// No such key.
    #[error("the token has no private elliptic-curve key with that name")]
    NoKey,
    /// The public half is not in the token.
    #[error("the token has no public key, or several, with that name")]
    NoPublicKey,
    /// No token has that name.
    #[error("no token in a slot has that name")]
    NoToken,
    /// The token has no user PIN yet.
    #[error("the token has no user PIN yet")]
    NoUserPin,
    /// The PIN must be changed first.
    #[error("the PIN has expired, or must be changed before the token is used")]
    PinExpired,
    /// A PIN of a length the token never has; it was not tried.
    #[error("the token's PINs have {min} to {max} bytes; this one was not tried")]
    PinLength {
        /// Shortest in bytes.
        min: usize,
        /// Longest in bytes.
        max: usize,
    },
    /// The PIN is locked.
    #[error("the token has locked its PIN after too many wrong ones")]
    PinLocked,
    /// The token takes its PIN on its own keys only, or only from here.
    #[error("{}", pin_place(*.on_token))]
    PinPlace {
        /// Whether it is typed on the token.
        on_token: bool,
    },
    /// The token is gone.
    #[error("the token was taken out, or answers no longer, while {step}")]
    Removed {
        /// During what.
        step: Step,
    },
    /// Several such keys.
    #[error("the token has {count} private keys with that name")]
    SeveralKeys {
        /// How many.
        count: usize,
    },
    /// Several tokens have that name.
    #[error("{count} tokens have that name")]
    SeveralTokens {
        /// How many.
        count: usize,
    },
    /// Nothing can be written to the token.
    #[error("nothing can be written to the token")]
    WriteProtected,
    /// The PIN is wrong.
    #[error("the token did not accept the PIN; {tries}")]
    WrongPin {
        /// What the token says about further tries.
        tries: Tries,
    },
}

fn code_text(code: Option<RvError>) -> String {
    code.map_or_else(|| "no answer".to_owned(), |code| format!("{code:?}"))
}

const fn pin_place(on_token: bool) -> &'static str {
    match on_token {
        true => "the token takes its PIN on its own keys only",
        false => "the token has no keys to type a PIN on",
    }
}

impl TokenError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.explain().0
    }

    /// Who has to mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.explain().1
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        self.explain().2
    }

    const fn explain(&self) -> (&'static str, Fault, &'static str) {
        use Fault::{Caller, Machine};
        match self {
            Self::Cannot { .. } => (
                "token-cannot",
                Caller,
                "use a token that can; `quorate ceremony token list` shows what each one can do",
            ),
            Self::Failed { .. } => (
                "token-failed",
                Machine,
                "see the module's own log, and repeat the command with the token put in anew; \
                 nothing was lost",
            ),
            Self::KeyAsksEachTime { .. } => (
                "token-key-asks-each-time",
                Caller,
                "name a key that asks once (on a PIV token any slot but 9c)",
            ),
            Self::KeyCannot { .. } => (
                "token-key-cannot",
                Caller,
                "name a key that was made for it, or have one made: join without naming keys",
            ),
            Self::KeyExtractable { .. } => (
                "token-key-extractable",
                Caller,
                "have a key made on the token: join without naming keys; a key that leaves a token \
                 is no better than a key file",
            ),
            Self::KeyOtherCurve { .. } => (
                "token-key-curve",
                Caller,
                "name a key on P-256 (secp256r1), or have one made",
            ),
            Self::ModuleMissing { .. } => (
                "module-missing",
                Caller,
                "install the token's driver and name its library with --module (for SoftHSM \
                 libsofthsm2.so, for a YubiKey libykcs11.so, for many cards opensc-pkcs11.so)",
            ),
            Self::NotAModule { .. } => (
                "not-a-module",
                Caller,
                "name the PKCS#11 library of the token's driver, built for this machine",
            ),
            Self::NoKey => (
                "token-no-key",
                Caller,
                "the key was deleted, or this is another token; pkcs11-tool --login --list-objects \
                 shows what is there",
            ),
            Self::NoPublicKey => (
                "token-no-public-key",
                Caller,
                "put the public half beside the private key, under the same label and identifier",
            ),
            Self::NoToken => (
                "token-missing",
                Caller,
                "put it in; `quorate ceremony token list` shows the tokens that are there",
            ),
            Self::NoUserPin => (
                "token-no-pin",
                Caller,
                "set the user PIN with the token's own tool first",
            ),
            Self::PinExpired => (
                "pin-expired",
                Caller,
                "change the PIN with the token's own tool, then repeat the command",
            ),
            Self::PinLength { .. } => (
                "pin-length",
                Caller,
                "type the user PIN of this token; no try was used up",
            ),
            Self::PinLocked => (
                "pin-locked",
                Caller,
                "have the security officer (PUK) unlock the token; the keys in it are not lost",
            ),
            Self::PinPlace { on_token: true } => (
                "pin-on-token",
                Caller,
                "leave --pin-file away and type the PIN on the token",
            ),
            Self::PinPlace { on_token: false } => (
                "pin-not-on-token",
                Caller,
                "type the PIN at the terminal, or give it with --pin-file",
            ),
            Self::Removed { .. } => (
                "token-removed",
                Machine,
                "put it in again and repeat the command: nothing was lost, and no PIN was tried \
                 again",
            ),
            Self::SeveralKeys { .. } => (
                "token-several-keys",
                Caller,
                "name the key by its id as well (pkcs11:object=LABEL;id=%XX), or give it a label \
                 of its own",
            ),
            Self::SeveralTokens { .. } => (
                "token-several",
                Caller,
                "name the serial number as well: pkcs11:token=LABEL;serial=NUMBER",
            ),
            Self::WriteProtected => (
                "token-write-protected",
                Caller,
                "lift the write protection, or name keys that are on it with --signing-key and \
                 --encryption-key",
            ),
            Self::WrongPin { .. } => (
                "wrong-pin",
                Caller,
                "give the user PIN, not the security officer's; it was tried once and is not tried \
                 again by itself",
            ),
        }
    }

    /// An error of the module as one of ours.
    pub(crate) const fn at(step: Step, error: &Pkcs11Error) -> Self {
        let Pkcs11Error::Pkcs11(code, _) = error else {
            return Self::Failed { step, code: None };
        };
        match code {
            RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed => Self::Removed { step },
            RvError::PinLocked => Self::PinLocked,
            RvError::PinExpired => Self::PinExpired,
            RvError::UserPinNotInitialized => Self::NoUserPin,
            RvError::TokenWriteProtected => Self::WriteProtected,
            code => Self::Failed {
                step,
                code: Some(*code),
            },
        }
    }
}
