//! What a PKCS#11 token says it is: for a person's own records and for transcripts.
//!
//! All of it is the token's word, through a module on that person's machine. It tells tokens apart
//! and shows later which kind of device was used; it proves nothing to others, who see a signature
//! that a key file could have made as well.

use core::fmt;

use minicbor::{Decode, Encode};

use crate::atoms::Text;

/// A version a token tells: major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct TokenVersion {
    /// Major number.
    #[n(0)]
    pub major: u8,
    /// Minor number.
    #[n(1)]
    pub minor: u8,
}

impl TokenVersion {
    /// A version as PKCS#11 has it, where 0.0 is what tokens say that tell none.
    pub const fn told(major: u8, minor: u8) -> Option<Self> {
        if major == 0 && minor == 0 {
            return None;
        }
        Some(Self { major, minor })
    }
}

impl fmt::Display for TokenVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Who made a token, which one it is, and what runs in it.
///
/// The texts are those of `CK_TOKEN_INFO` without the blanks that fill them up.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenIdentity {
    /// Who made it.
    #[n(0)]
    pub manufacturer: Text<96>,
    /// What it is called.
    #[n(1)]
    pub model: Text<48>,
    /// Which one it is.
    #[n(2)]
    pub serial: Text<48>,
    /// Version of its firmware, where it tells one.
    #[n(3)]
    pub firmware: Option<TokenVersion>,
    /// Version of its hardware, where it tells one.
    #[n(4)]
    pub hardware: Option<TokenVersion>,
}

impl TokenIdentity {
    /// Whether both are one and the same device: firmware can be renewed, the rest cannot.
    pub fn is_device(&self, other: &Self) -> bool {
        (&self.manufacturer, &self.model, &self.serial)
            == (&other.manufacturer, &other.model, &other.serial)
    }
}

impl fmt::Display for TokenIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            manufacturer,
            model,
            serial,
            firmware,
            hardware,
        } = self;
        write!(f, "{manufacturer} {model}, serial {serial}")?;
        for (name, version) in [("firmware", firmware), ("hardware", hardware)] {
            match version {
                Some(version) => write!(f, ", {name} {version}")?,
                None => write!(f, ", {name} not told")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    fn identity(serial: &str, firmware: Option<TokenVersion>) -> TokenIdentity {
        TokenIdentity {
            manufacturer: Text::new("Maker").unwrap(),
            model: Text::new("One").unwrap(),
            serial: Text::new(serial).unwrap(),
            firmware,
            hardware: None,
        }
    }

    #[test]
    fn an_identity_reads_back_and_reads_well() {
        let told = identity("17", TokenVersion::told(2, 6));
        let bytes = minicbor::to_vec(&told).unwrap();
        assert_eq!(minicbor::decode::<TokenIdentity>(&bytes).unwrap(), told);
        assert_eq!(
            told.to_string(),
            "Maker One, serial 17, firmware 2.6, hardware not told"
        );
        assert_eq!(TokenVersion::told(0, 0), None);
    }

    #[test]
    fn a_device_is_its_serial_number_not_its_firmware() {
        let (old, new) = (
            identity("17", None),
            identity("17", TokenVersion::told(3, 0)),
        );
        assert!(old.is_device(&new));
        assert!(!old.is_device(&identity("18", None)));
    }
}
