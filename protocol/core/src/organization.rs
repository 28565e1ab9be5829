//! Organizations: who may ask for what, as signed state that the caller carries.
//!
//! An owner signs a [`Founding`]; policy checks it once and signs an [`Organization`] around it. An
//! organization never changes: there is no older version that could be shown in place of a newer
//! one, and a changed limit is another organization. Its digest names it, and everything that
//! belongs to it (sealed keys, tickets, statements) names that digest.
//!
//! The number types of Ethereum are here too: they are bytes to this crate, which compares them and
//! shows them, and computes nothing with them.

use alloc::string::String;
use core::fmt;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::atoms::{Bytes, codec, hex};
use crate::cbor::object;
use crate::digest::Digest;
use crate::genesis::Genesis;
use crate::keys::VerificationKey;

/// An amount of ether in wei: 256 bits, big-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wei(pub [u8; 32]);

impl Wei {
    /// The largest amount there can be.
    pub const MAX: Self = Self([0xff; 32]);

    /// An amount that fits 128 bits.
    pub fn from_u128(amount: u128) -> Self {
        let mut bytes = [0; 32];
        let (_, low) = bytes.split_at_mut(16);
        low.copy_from_slice(&amount.to_be_bytes());
        Self(bytes)
    }
}

/// Decimal, without a unit.
impl fmt::Display for Wei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut digits = String::new();
        loop {
            // Long division by ten; the remainder is the next digit from the right.
            let mut remainder = 0_u16;
            for byte in &mut rest {
                let value = (remainder << 8) | u16::from(*byte);
                *byte = u8::try_from(value / 10).unwrap_or(u8::MAX);
                remainder = value % 10;
            }
            digits.insert(
                0,
                char::from(b'0'.saturating_add(remainder.to_le_bytes()[0])),
            );
            if rest.iter().all(|byte| *byte == 0) {
                return f.pad(&digits);
            }
        }
    }
}

impl fmt::Debug for Wei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An Ethereum account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 20]);

/// `0x` and lower-case hexadecimal, without the checksum of EIP-55.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        hex(&self.0, f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an owner asks to be founded; signed by the owner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Founding {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// Verifies the stamps of requests.
    #[n(1)]
    pub owner: VerificationKey,
    /// The most that one transaction may cost, its value and its fees together.
    #[n(2)]
    pub limit: Wei,
    /// The only chain that is signed for.
    #[n(3)]
    pub chain: u64,
    /// One owner may found many.
    #[n(4)]
    pub nonce: Bytes<16, 16>,
}

/// An organization; signed by policy.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Organization {
    /// What its owner asked for.
    #[n(0)]
    pub founding: Founding,
}

/// What organizations are called in requests: a UUID of version 8 (RFC 9562, section 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// The identifier of an organization: the first 16 bytes of its digest, in which version and
    /// variant take the place of six bits. The other 122 bits resist a second organization with the
    /// same identifier, not two made for each other; what must not be confused names the digest.
    pub fn of(organization: &Digest<Organization>) -> Self {
        let mut bytes = [0; 16];
        for (byte, from) in bytes.iter_mut().zip(organization.as_bytes()) {
            *byte = *from;
        }
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
        *version = 0x80 | (*version & 0x0f);
        *variant = 0x80 | (*variant & 0x3f);
        Self(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// `8-4-4-4-12` lower-case hexadecimal digits.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

codec!([] Wei, ByteArray<32>, |v| ByteArray::from(v.0), |raw| Ok(Self(raw.into())));
codec!([] Address, ByteArray<20>, |v| ByteArray::from(v.0), |raw| Ok(Self(raw.into())));

object! {
    Founding => "quorate/founding/v1", 256;
    Organization => "quorate/organization/v1", 256;
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn amounts_are_shown_in_decimal() {
        assert_eq!(Wei([0; 32]).to_string(), "0");
        assert_eq!(Wei::from_u128(10).to_string(), "10");
        assert_eq!(Wei::from_u128(u128::MAX).to_string(), u128::MAX.to_string());
        // 2^256 - 1, from the yellow paper.
        let max = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(Wei::MAX.to_string(), max);
    }

    #[test]
    fn amounts_are_ordered_as_numbers() {
        assert!(Wei::from_u128(255) < Wei::from_u128(256));
        assert!(Wei::from_u128(u128::MAX) < Wei::MAX);
    }

    #[test]
    fn identifiers_are_uuids_of_version_8() {
        let digest = Digest::from_bytes([0xff; 32]);
        assert_eq!(
            Uuid::of(&digest).to_string(),
            "ffffffff-ffff-8fff-bfff-ffffffffffff"
        );
    }
}
