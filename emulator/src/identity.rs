//! Names of instances and enclaves, in AWS's form.
//!
//! An instance is `i-` and 17 hexadecimal digits. An enclave's module id is the instance's,
//! `-enc` and 16 digits; the first twelve of them are the time of its start in milliseconds, the
//! rest is random. (Read off genuine documents: the number of `enc019b8596b1a9dad6` is
//! 2026-01-03T20:40:04.265Z and four random digits; the leaf is from 24 s later.)

use std::fmt;

use rand_core::TryCryptoRng;
use thiserror::Error;

const INSTANCE_PREFIX: &str = "i-";
const INSTANCE_DIGITS: usize = 17;

/// The id of a parent instance, `i-` and 17 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceId(String);

/// The id of an NSM: that of the instance and that of the enclave.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModuleId {
    instance: InstanceId,
    enclave: u64,
}

/// Why a text or a time is not an id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is not an instance id.
    #[error("an instance id is `i-` followed by 17 lower-case hexadecimal digits")]
    InstanceForm,
    /// The random source failed.
    #[error("the random source failed; an id cannot be drawn")]
    Random,
    /// The time does not fit into the 48 bits an enclave id has for it.
    #[error("{now_ms} ms does not fit into an enclave id; is the clock right?")]
    Time {
        /// Milliseconds since 1970.
        now_ms: u64,
    },
}

impl InstanceId {
    /// Draws a new id.
    ///
    /// # Errors
    /// [`IdentityError::Random`].
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, IdentityError> {
        let mut bytes = [0; 8];
        rng.try_fill_bytes(&mut bytes)
            .map_err(|_| IdentityError::Random)?;
        // Genuine ids begin with 0, then 16 random digits.
        Ok(Self(format!(
            "{INSTANCE_PREFIX}0{:016x}",
            u64::from_be_bytes(bytes)
        )))
    }

    /// Reads an id.
    ///
    /// # Errors
    /// [`IdentityError::InstanceForm`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let digits = text
            .strip_prefix(INSTANCE_PREFIX)
            .ok_or(IdentityError::InstanceForm)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == INSTANCE_DIGITS && digits.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::InstanceForm)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ModuleId {
    /// The id of an enclave that starts on `instance` at `now_ms` (milliseconds since 1970).
    ///
    /// # Errors
    /// [`IdentityError::Random`] and [`IdentityError::Time`].
    pub fn generate<R: TryCryptoRng + ?Sized>(
        instance: InstanceId,
        rng: &mut R,
        now_ms: u64,
    ) -> Result<Self, IdentityError> {
        if now_ms >> 48 != 0 {
            return Err(IdentityError::Time { now_ms });
        }
        let mut random = [0; 2];
        rng.try_fill_bytes(&mut random)
            .map_err(|_| IdentityError::Random)?;
        let enclave = now_ms << 16 | u64::from(u16::from_be_bytes(random));
        Ok(Self { instance, enclave })
    }

    /// The instance the enclave runs on.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// The number after `-enc`.
    pub fn enclave(&self) -> u64 {
        self.enclave
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-enc{:016x}", self.instance, self.enclave)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use getrandom::SysRng;

    #[test]
    fn ids_have_the_form_of_genuine_ones() {
        let instance = InstanceId::generate(&mut SysRng).expect("entropy");
        assert_eq!(InstanceId::parse(instance.as_str()), Ok(instance.clone()));
        let module = ModuleId::generate(instance.clone(), &mut SysRng, 1_767_472_804_265)
            .expect("entropy and a time of our days");
        let text = module.to_string();
        assert_eq!(text.len(), "i-0368fa67e156d6d23-enc019b8596b1a9dad6".len());
        assert!(
            text.starts_with(&format!("{instance}-enc019b8596b1a9")),
            "{text}"
        );
        assert_eq!(module.enclave() >> 16, 0x019b_8596_b1a9);
    }

    #[test]
    fn malformed_instance_ids_fail_closed() {
        for text in [
            "",
            "i-",
            "i-0368fa67e156d6d2",
            "i-0368fa67e156d6d234",
            "i-0368FA67E156D6D23",
            "x-0368fa67e156d6d23",
            "i-0368fa67e156d6d2,",
            "0368fa67e156d6d23",
        ] {
            assert_eq!(
                InstanceId::parse(text),
                Err(IdentityError::InstanceForm),
                "{text}"
            );
        }
    }

    #[test]
    fn impossible_time_fails_closed() {
        let instance = InstanceId::generate(&mut SysRng).expect("entropy");
        let now_ms = 1 << 48;
        let outcome = ModuleId::generate(instance, &mut SysRng, now_ms);
        assert_eq!(outcome, Err(IdentityError::Time { now_ms }));
    }
}
