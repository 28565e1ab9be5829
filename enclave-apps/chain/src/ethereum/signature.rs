//! Signatures over transactions, and signed transactions.
//!
//! Guarantees: a [`Signature`] has r and s in range and s in its low half (EIP-2), so that a signed
//! transaction has one encoding and one hash. Parsing compares what was read, written again, with
//! what came.
//!
//! Trusts: the signer it gets a signature from. Does not: verify it or recover its key; that takes
//! the curve, and `quorate-wallet` has it.

use alloc::vec::Vec;

use super::transaction::{TYPE, open};
use super::{Eip1559, FormatError, MAX_TRANSACTION, TransactionError, Unsigned, keccak256};
use crate::uint::U256;

/// Order of secp256k1 (SEC 2, 2.4.1).
const ORDER: U256 = U256::from_be_bytes(&[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
]);
/// Half of it, rounded down: the largest s.
const HALF: U256 = U256::from_be_bytes(&[
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
]);

/// Which of the two points with x-coordinate r was meant: its y-coordinate is even or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// `yParity` 0.
    Even,
    /// `yParity` 1.
    Odd,
}

/// An ECDSA signature over secp256k1 with its key recoverable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    parity: Parity,
    r: U256,
    s: U256,
}

/// Numbers that are no signature Ethereum accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// s is in its high half, which EIP-2 excludes.
    #[error("the signature's s is in its high half, which EIP-2 excludes")]
    HighS,
    /// The parity is neither 0 nor 1.
    #[error("the signature's parity is {found}, not 0 or 1")]
    Parity {
        /// Number found.
        found: u64,
    },
    /// r is zero or not below the order of the curve.
    #[error("the signature's r is out of range")]
    R,
    /// s is zero or not below the order of the curve.
    #[error("the signature's s is out of range")]
    S,
}

impl Signature {
    /// From its numbers, most significant byte first.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn new(parity: Parity, r: &[u8; 32], s: &[u8; 32]) -> Result<Self, SignatureError> {
        let (r, s) = (U256::from_be_bytes(r), U256::from_be_bytes(s));
        Self::from_numbers(parity, r, s)
    }

    fn from_numbers(parity: Parity, r: U256, s: U256) -> Result<Self, SignatureError> {
        let range = U256::ONE..ORDER;
        if !range.contains(&r) {
            return Err(SignatureError::R);
        }
        if !range.contains(&s) {
            return Err(SignatureError::S);
        }
        if s > HALF {
            return Err(SignatureError::HighS);
        }
        Ok(Self { parity, r, s })
    }

    /// Parity of the point's y-coordinate.
    pub fn parity(&self) -> Parity {
        self.parity
    }

    /// r, then s, 32 bytes each.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let (r, s) = bytes.split_at_mut(32);
        r.copy_from_slice(&self.r.to_be_bytes());
        s.copy_from_slice(&self.s.to_be_bytes());
        bytes
    }
}

/// A signed transaction with its one encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    unsigned: Unsigned,
    signature: Signature,
    bytes: Vec<u8>,
}

impl Signed {
    /// Puts the two together. Whether the signature fits is for the signer to have checked.
    ///
    /// # Errors
    /// [`FormatError::TooLarge`] if the signature makes it too large to be sent.
    pub fn new(unsigned: Unsigned, signature: Signature) -> Result<Self, FormatError> {
        let mut items = unsigned.transaction().items();
        items
            .u64(match signature.parity {
                Parity::Even => 0,
                Parity::Odd => 1,
            })
            .u256(&signature.r)
            .u256(&signature.s);
        let mut bytes = Vec::with_capacity(unsigned.as_bytes().len().saturating_add(80));
        bytes.push(TYPE);
        items.finish(&mut bytes);
        let (max, found) = (MAX_TRANSACTION, bytes.len());
        if found > max {
            return Err(FormatError::TooLarge { max, found });
        }
        Ok(Self {
            unsigned,
            signature,
            bytes,
        })
    }

    /// Reads the bytes of a signed transaction: 0x02 and the list of twelve.
    ///
    /// # Errors
    /// [`TransactionError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, TransactionError> {
        let mut items = open(bytes)?;
        let transaction = Eip1559::read(&mut items)?;
        if items.is_empty() {
            return Err(TransactionError::NotSigned);
        }
        let parity = match items.u64()? {
            0 => Parity::Even,
            1 => Parity::Odd,
            found => return Err(SignatureError::Parity { found }.into()),
        };
        let signature = Signature::from_numbers(parity, items.u256()?, items.u256()?)?;
        items.end()?;
        let parsed = Self::new(Unsigned::new(transaction)?, signature)?;
        if parsed.bytes != bytes {
            return Err(TransactionError::NotCanonical);
        }
        Ok(parsed)
    }

    /// What was signed.
    pub fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }

    /// The signature over [`Unsigned::signing_hash`].
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The bytes to send to the network.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The hash by which the network knows it.
    pub fn hash(&self) -> [u8; 32] {
        keccak256(&self.bytes)
    }
}
