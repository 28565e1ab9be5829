//! Wallet keys: BIP-39 mnemonics, BIP-32 derivation, and signing with secp256k1.
//!
//! ```
//! use quorate_wallet::{ExtendedKey, Mnemonic, Passphrase, Path};
//! # let entropy = [7; 32]; // From the enclave's generator.
//! let mnemonic = Mnemonic::from_entropy(&entropy)?;
//! let seed = mnemonic.seed(&Passphrase::none());
//! let path: Path = "m/44'/60'/0'/0/0".parse()?;
//! let key = ExtendedKey::master(&seed)?.derive(&path)?.into_signing_key();
//! let signature = key.sign(&[0x5a; 32])?;
//! # assert_eq!(signature.recover(&[0x5a; 32]), Some(key.public_key()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **What it guarantees**
//!
//! * The same words, passphrase and path give the same key as in any other wallet that keeps BIP-39
//!   and BIP-32.
//! * A signature is deterministic (RFC 6979), low-S, and has been verified under the public key
//!   before it is returned, parity included: a fault in the processor or a public key of another
//!   secret gives an error, never a signature.
//! * Mnemonics, seeds and keys have neither `Debug` nor `Clone` and are overwritten when dropped;
//!   copies that the compiler leaves in registers or on the stack are outside its reach.
//! * Arithmetic on secrets is the constant-time arithmetic of `k256`. Words are found and chosen by
//!   looking at all of them. What time shows is the number of words and the length of their text.
//!
//! **What it trusts**: `k256`, `sha2`, `hmac`, `pbkdf2`; and the caller, that entropy is random.
//!
//! **What it does not do**: draw entropy, store or encrypt anything, or know what is signed.

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

mod extended;
mod mnemonic;
mod path;
mod signing;

pub use extended::{DerivationError, ExtendedKey, SeedLength, master_from_seed_bytes};
pub use mnemonic::{Mnemonic, MnemonicError, Passphrase, PassphraseNotAscii, Seed, WordCount};
pub use path::{ChildNumber, MAX_DEPTH, Path, PathError};
pub use signing::{
    Parity, PublicKey, PublicKeyError, RecoverableSignature, SecretKeyError, SelfCheckFailed,
    SigningKey,
};
