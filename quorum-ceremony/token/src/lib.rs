//! Keys in PKCS#11 tokens: found by what people called them, used, never taken out.
//!
//! The order is the one of a person at a terminal, and each step is a type:
//!
//! [`Module`] (a library is loaded) → [`Inserted`] (a token was chosen; it shows what it is, what
//! it can do and how many tries its PIN has) → [`OpenToken`] (the PIN was right) → [`PrivateKey`].
//!
//! Guarantees:
//!
//! * a PIN is tried once for each call of [`Inserted::log_in`], which consumes the token, and never
//!   where the token says beforehand that it is locked or that the PIN has an impossible length;
//! * tokens and keys are used only where exactly one answers to a name ([`uri`], RFC 7512);
//! * a key made here is on P-256, was drawn by the token, and cannot be read out of it; it signs or
//!   it derives, never both;
//! * PINs and derived secrets are wiped when dropped, and no error holds one.
//!
//! Trusts: the module, which runs inside this process with all its rights, and the token behind it.
//!
//! Does not: believe what a token signs or derives; callers check it with the public key. Copies of
//! a derived secret that the module and the binding make on the way here are not wiped: load a
//! module only in a process that is kept from core dumps and debuggers and ends soon.

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

mod error;
mod module;
mod open;
mod pin;
pub mod uri;

pub use error::{Ability, Fault, Step, TokenError};
pub use module::{Abilities, Inserted, Module, TokenReport, Tries};
pub use open::{KeyFacts, OpenToken, PrivateKey, Purpose, SHARED_LEN};
pub use pin::{LONGEST_PIN, Pin, PinUnusable};
pub use uri::{KeyUri, TokenUri, UriError};
