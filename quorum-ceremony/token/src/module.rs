//! A PKCS#11 module and the tokens it shows, before any PIN.
//!
//! Guarantees: what is said about a token is read without logging in and costs no try of its PIN.

use core::fmt;
use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::{MechanismInfo, MechanismType};
use cryptoki::session::UserType;
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use quorate_protocol::atoms::Text;
use quorate_protocol::token::{TokenIdentity, TokenVersion};

use crate::error::{Ability, Step, TokenError};
use crate::open::OpenToken;
use crate::pin::Pin;
use crate::uri::TokenUri;

/// Most tokens that are looked at.
const MOST_TOKENS: usize = 64;
/// Bits of a key on P-256.
const P256_BITS: usize = 256;

/// A PKCS#11 module that is loaded and started.
pub struct Module {
    path: PathBuf,
    pkcs11: Pkcs11,
}

/// What a token says about further tries of its PIN. PKCS#11 has no number, only these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tries {
    /// No wrong PIN since the last right one, as far as the token tells.
    NotReduced,
    /// At least one wrong PIN was given since the last right one.
    Reduced,
    /// One try is left: another wrong PIN locks it.
    Last,
    /// None is left.
    Locked,
}

impl Tries {
    fn of(info: &TokenInfo) -> Self {
        if info.user_pin_locked() {
            Self::Locked
        } else if info.user_pin_final_try() {
            Self::Last
        } else if info.user_pin_count_low() {
            Self::Reduced
        } else {
            Self::NotReduced
        }
    }

    /// A stable name for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotReduced => "not-reduced",
            Self::Reduced => "reduced",
            Self::Last => "last",
            Self::Locked => "locked",
        }
    }
}

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReduced => "the token reports no wrong PIN before",
            Self::Reduced => "a wrong PIN was given since the last right one; few tries are left",
            Self::Last => "ONE try is left: another wrong PIN locks the token",
            Self::Locked => "the PIN is locked",
        })
    }
}

/// What a token can do on P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// `CKM_ECDSA`.
    pub sign: bool,
    /// `CKM_ECDH1_DERIVE`.
    pub derive: bool,
    /// `CKM_EC_KEY_PAIR_GEN`.
    pub generate: bool,
}

impl Abilities {
    /// What is missing for a member's keys. Making keys can be done elsewhere.
    #[must_use]
    pub fn missing(self) -> Vec<Ability> {
        let needed = [(self.sign, Ability::Sign), (self.derive, Ability::Derive)];
        let missing = needed.into_iter().filter(|(can, _)| !can);
        missing.map(|(_, ability)| ability).collect()
    }

    /// That it can do this.
    ///
    /// # Errors
    /// [`TokenError::Cannot`].
    pub const fn require(self, ability: Ability) -> Result<(), TokenError> {
        let can = match ability {
            Ability::Sign => self.sign,
            Ability::Derive => self.derive,
            Ability::Generate => self.generate,
        };
        if can {
            Ok(())
        } else {
            Err(TokenError::Cannot { ability })
        }
    }
}

/// What a token says about itself, without a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReport {
    /// The label somebody gave it.
    pub label: Text<96>,
    /// Which device it is.
    pub identity: TokenIdentity,
    /// What it says about tries of its PIN.
    pub tries: Tries,
    /// Whether a user PIN was set.
    pub has_pin: bool,
    /// Whether the PIN is typed on the token itself.
    pub pin_on_token: bool,
    /// Whether nothing can be written to it.
    pub write_protected: bool,
    /// Shortest PIN in bytes.
    pub shortest_pin: usize,
    /// Longest PIN in bytes.
    pub longest_pin: usize,
    /// What it can do.
    pub abilities: Abilities,
}

impl TokenReport {
    /// A URI that names this token and no other.
    #[must_use]
    pub fn uri(&self) -> TokenUri {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        TokenUri {
            token: some(self.label.as_str()),
            serial: some(self.identity.serial.as_str()),
            ..TokenUri::default()
        }
    }

    /// Whether a URI names this token.
    #[must_use]
    pub fn answers_to(&self, uri: &TokenUri) -> bool {
        let TokenIdentity {
            manufacturer,
            model,
            serial,
            ..
        } = &self.identity;
        let wanted = [
            (&uri.token, self.label.as_str()),
            (&uri.manufacturer, manufacturer.as_str()),
            (&uri.model, model.as_str()),
            (&uri.serial, serial.as_str()),
        ];
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
        wanted.into_iter().all(|(wanted, is)| same(wanted, is))
    }

    fn read(pkcs11: &Pkcs11, slot: Slot) -> Result<(Self, bool), Pkcs11Error> {
        let info = pkcs11.get_token_info(slot)?;
        let (hardware, firmware) = (info.hardware_version(), info.firmware_version());
        // Both are asked: some modules describe mechanisms that the slot does not have.
        let list = pkcs11.get_mechanism_list(slot)?;
        let can = |mechanism, may: fn(&MechanismInfo) -> bool| {
            if !list.contains(&mechanism) {
                return false;
            }
            let info = pkcs11.get_mechanism_info(slot, mechanism);
            info.is_ok_and(|info| {
                (info.min_key_size()..=info.max_key_size()).contains(&P256_BITS) && may(&info)
            })
        };
        let report = Self {
            label: clean(info.label()),
            identity: TokenIdentity {
                manufacturer: clean(info.manufacturer_id()),
                model: clean(info.model()),
                serial: clean(info.serial_number()),
                firmware: TokenVersion::told(firmware.major(), firmware.minor()),
                hardware: TokenVersion::told(hardware.major(), hardware.minor()),
            },
            tries: Tries::of(&info),
            has_pin: info.user_pin_initialized(),
            pin_on_token: info.protected_authentication_path(),
            write_protected: info.write_protected(),
            shortest_pin: info.min_pin_length(),
            longest_pin: info.max_pin_length(),
            abilities: Abilities {
                sign: can(MechanismType::ECDSA, MechanismInfo::sign),
                derive: can(MechanismType::ECDH1_DERIVE, MechanismInfo::derive),
                generate: can(
                    MechanismType::ECC_KEY_PAIR_GEN,
                    MechanismInfo::generate_key_pair,
                ),
            },
        };
        Ok((report, info.token_initialized()))
    }
}

/// What a token says, without control characters and blanks around it, cut where it is too long.
fn clean<const MAX: usize>(text: &str) -> Text<MAX> {
    let mut clean = String::new();
    for c in text.trim().chars() {
        let shown = if c.is_control() { '\u{fffd}' } else { c };
        if clean.len().saturating_add(shown.len_utf8()) > MAX {
            break;
        }
        clean.push(shown);
    }
    Text::new(&clean).unwrap_or_default()
}

impl Module {
    /// Loads and starts a module. It runs in this process, with all its rights.
    ///
    /// # Errors
    /// [`TokenError::ModuleMissing`], [`TokenError::NotAModule`], or what the module says when it
    /// is started.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        if !path.is_file() {
            return Err(TokenError::ModuleMissing { path: path.into() });
        }
        // A bare name would be looked for in the system's folders, not here.
        let unusable = || TokenError::NotAModule { path: path.into() };
        let path = std::path::absolute(path).map_err(|_| unusable())?;
        let pkcs11 = Pkcs11::new(&path).map_err(|_| unusable())?;
        let locks = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        let started = pkcs11.initialize(locks);
        started.map_err(|error| TokenError::at(Step::Initialize, &error))?;
        Ok(Self { path, pkcs11 })
    }

    /// Every token that was set up.
    ///
    /// # Errors
    /// What the module says. A token that is taken out meanwhile is left out.
    pub fn tokens(&self) -> Result<Vec<TokenReport>, TokenError> {
        let slots = self.slots()?;
        Ok(slots.into_iter().map(|(_, report)| report).collect())
    }

    /// The one token that `wanted` accepts.
    ///
    /// # Errors
    /// [`TokenError::NoToken`], [`TokenError::SeveralTokens`].
    pub fn find(self, wanted: impl Fn(&TokenReport) -> bool) -> Result<Inserted, TokenError> {
        let mut found: Vec<_> = self.slots()?;
        found.retain(|(_, report)| wanted(report));
        let count = found.len();
        match (found.pop(), count) {
            (Some((slot, report)), 1) => Ok(Inserted {
                module: self.path,
                pkcs11: self.pkcs11,
                slot,
                report,
            }),
            (None, _) => Err(TokenError::NoToken),
            _ => Err(TokenError::SeveralTokens { count }),
        }
    }

    fn slots(&self) -> Result<Vec<(Slot, TokenReport)>, TokenError> {
        let slots = self.pkcs11.get_slots_with_token();
        let slots = slots.map_err(|error| TokenError::at(Step::ListTokens, &error))?;
        let mut found = Vec::new();
        for slot in slots.into_iter().take(MOST_TOKENS) {
            match TokenReport::read(&self.pkcs11, slot) {
                Ok((report, true)) => found.push((slot, report)),
                // A slot with a token that nobody has set up yet.
                Ok((_, false)) => {}
                Err(error) => match TokenError::at(Step::ListTokens, &error) {
                    TokenError::Removed { .. } => {}
                    other => return Err(other),
                },
            }
        }
        Ok(found)
    }
}

/// A token that was chosen. No PIN has been given.
pub struct Inserted {
    module: PathBuf,
    pkcs11: Pkcs11,
    slot: Slot,
    report: TokenReport,
}

impl Inserted {
    /// What it says about itself.
    #[must_use]
    pub const fn report(&self) -> &TokenReport {
        &self.report
    }

    /// The module it is reached through, an absolute path.
    #[must_use]
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// Gives the PIN, once.
    ///
    /// # Errors
    /// [`TokenError::PinLocked`], [`TokenError::NoUserPin`], [`TokenError::PinLength`] and
    /// [`TokenError::PinPlace`] without a try; [`TokenError::WrongPin`] after one;
    /// [`TokenError::Removed`].
    pub fn log_in(self, pin: &Pin) -> Result<OpenToken, TokenError> {
        // As it is now, not as it was when it was chosen: somebody may have tried meanwhile.
        let now = self.look(Step::LogIn)?;
        if now.tries == Tries::Locked {
            return Err(TokenError::PinLocked);
        }
        if !now.has_pin {
            return Err(TokenError::NoUserPin);
        }
        let typed = match (pin, now.pin_on_token) {
            (Pin::Typed(typed), false) => {
                let (min, max) = (now.shortest_pin, now.longest_pin);
                // A token that tells no length says 0.
                if max > 0 && !(min..=max).contains(&typed.as_str().len()) {
                    return Err(TokenError::PinLength { min, max });
                }
                Some(AuthPin::new(typed.as_str().into()))
            }
            (Pin::OnToken, true) => None,
            (_, on_token) => return Err(TokenError::PinPlace { on_token }),
        };
        let session = self.pkcs11.open_rw_session(self.slot);
        // Nothing has to be written to a token that is protected against it.
        let session = match session {
            Err(Pkcs11Error::Pkcs11(RvError::TokenWriteProtected, _)) => {
                self.pkcs11.open_ro_session(self.slot)
            }
            other => other,
        };
        let session = session.map_err(|error| TokenError::at(Step::OpenSession, &error))?;
        match session.login(UserType::User, typed.as_ref()) {
            Ok(()) => {}
            Err(Pkcs11Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => {
                let tries = self.look(Step::LogIn)?.tries;
                return Err(TokenError::WrongPin { tries });
            }
            Err(error) => return Err(self.diagnose(Step::LogIn, &error)),
        }
        Ok(OpenToken::new(self, session))
    }

    /// The token's report now, if it is still the same one.
    pub(crate) fn look(&self, step: Step) -> Result<TokenReport, TokenError> {
        let removed = TokenError::Removed { step };
        match TokenReport::read(&self.pkcs11, self.slot) {
            Ok((report, true)) if report.identity.is_device(&self.report.identity) => Ok(report),
            _ => Err(removed),
        }
    }

    /// An error, or the better one that the token is gone.
    pub(crate) fn diagnose(&self, step: Step, error: &Pkcs11Error) -> TokenError {
        let error = TokenError::at(step, error);
        match self.look(step) {
            Err(removed) if matches!(error, TokenError::Failed { .. }) => removed,
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_says_is_cleaned() {
        let text: Text<8> = clean("  a\x1b[2Jb  ");
        assert_eq!(text.as_str(), "a\u{fffd}[2Jb");
        let text: Text<4> = clean("äöü");
        assert_eq!(text.as_str(), "äö");
    }

    #[test]
    fn what_a_token_cannot_do_fails_closed() {
        let all = Abilities {
            sign: true,
            derive: true,
            generate: true,
        };
        assert_eq!(all.missing(), []);
        let cannot = |abilities: Abilities, ability| {
            let refused = abilities.require(ability);
            assert_eq!(refused, Err(TokenError::Cannot { ability }));
            assert_eq!(all.require(ability), Ok(()));
        };
        cannot(Abilities { sign: false, ..all }, Ability::Sign);
        let no_derive = Abilities {
            derive: false,
            ..all
        };
        cannot(no_derive, Ability::Derive);
        assert_eq!(no_derive.missing(), [Ability::Derive]);
        let no_generate = Abilities {
            generate: false,
            ..all
        };
        cannot(no_generate, Ability::Generate);
        assert_eq!(no_generate.missing(), []);
    }
}
