//! What is signed for a blockchain: strict reading, writing and hashing of transactions.
//!
//! Policy decides on what a transaction says, and signing signs what it says. Both read it with
//! this crate, each for itself, from the very bytes the client sent.
//!
//! **What it guarantees**
//!
//! * One transaction has one encoding. What is read is written again and compared; lengths that are
//!   not the shortest, integers with leading zeros, missing, additional and trailing bytes are
//!   refused, each under its own name and with the offset where it stands.
//! * Every size and count has a bound ([`ethereum::MAX_TRANSACTION`] and those beside it). Reading
//!   allocates no more than the input is long, and recursion is as deep as the format.
//! * A transaction of a type we do not know how to judge is refused by name, never passed through.
//!
//! **What it trusts**: `sha3` for Keccak-256 and `crypto-bigint` for 256-bit integers. Not the input.
//!
//! **What it does not do**: it holds no secret, signs nothing and checks no signature (that is
//! `quorate-wallet`), and it knows nothing of a chain's state: nonces, balances and fees are judged
//! by nobody here.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

extern crate alloc;

pub mod ethereum;
mod hex;
pub mod rlp;
mod uint;

pub use hex::{HexError, from_hex, to_hex};
pub use uint::{U256, UintError};
