//! Which algorithms a sealed object uses.
//!
//! The number of the suite travels with the object, and the suites a party accepts are a field of
//! the manifest, so another suite (a hybrid post-quantum one) can follow without a new format.

/// An HPKE ciphersuite under Quorate's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM: RFC 9180 identifiers `kem_id` 0x0010,
    /// `kdf_id` 0x0001, `aead_id` 0x0002 (sections 7.1 to 7.3). Quorate's number is 1.
    P256Sha256Aes256Gcm,
}

impl Suite {
    /// Quorate's number of this suite, as it stands in objects and manifests. It is not one of the
    /// RFC's identifiers, which name the three algorithms separately.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::P256Sha256Aes256Gcm => 1,
        }
    }

    /// The suite with this number, or `None` when this version knows no such suite.
    #[must_use]
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            1 => Some(Self::P256Sha256Aes256Gcm),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Suite;
    use hpke::{Kem as _, aead::Aead as _, kdf::Kdf as _};

    #[test]
    fn unknown_suite_fails_closed() {
        let known: alloc::vec::Vec<u16> = (0..=u16::MAX)
            .filter(|id| Suite::from_id(*id).is_some())
            .collect();
        assert_eq!(known, [1]);
        assert_eq!(Suite::from_id(1).map(Suite::id), Some(1));
    }

    #[test]
    fn algorithms_are_the_ones_the_suite_names() {
        assert_eq!(crate::seal::Kem::KEM_ID, 0x0010);
        assert_eq!(crate::seal::Kdf::KDF_ID, 0x0001);
        assert_eq!(crate::seal::Aead::AEAD_ID, 0x0002);
    }
}
