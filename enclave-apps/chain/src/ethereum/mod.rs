//! Ethereum: addresses, fee-market transactions (EIP-1559), and what is hashed to be signed.
//!
//! [`Unsigned`] is what a client asks to have signed, [`Signed`] what goes to the network. Both exist
//! only in their one encoding and within the bounds below.
//!
//! Guarantees: every other type of transaction is refused by its name, also one that is already
//! signed. A signature in a [`Signed`] is in range and low-S (EIP-2).
//!
//! Trusts: nothing it is given. Does not: verify the signature against a key, or know the chain.

mod address;
mod signature;
mod transaction;

use sha3::{Digest as _, Keccak256};

pub use address::{Address, AddressError};
pub use signature::{Parity, Signature, SignatureError, Signed};
pub use transaction::{Access, Eip1559, FormatError, TransactionError, TransactionType, Unsigned};

/// Largest transaction in bytes, signed or not. Ethereum's clients pass on no larger one.
pub const MAX_TRANSACTION: usize = 128 * 1024;
/// Most addresses in an access list.
pub const MAX_ACCESS_ADDRESSES: usize = 1024;
/// Most storage keys in an access list, over all addresses.
pub const MAX_ACCESS_KEYS: usize = 4096;

/// Keccak-256, with the padding of the original submission as Ethereum uses it (not SHA-3's).
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}
