//! The requests of wallet integrators, in the form of Turnkey's public API.
//!
//! A request is a JSON body and a stamp over its very bytes. [`Stamp::decode`] reads the header
//! `X-Stamp`, [`Stamp::verify`] gives an [`Authentic`] body, and [`Authentic::request`] what it asks
//! for. Making requests works the other way round ([`Request::to_json`], [`Stamp::make`]), so that
//! tools and tests speak the same contract.
//!
//! ```
//! use quorate_es256::{SigningKey as _, VerifyingKey as _, portable};
//! use quorate_request::{Stamp, window};
//! # let key = portable::SigningKey::from_scalar(&[7; 32])?;
//! # let body = br#"{"type":"ACTIVITY_TYPE_CREATE_WALLET","timestampMs":"1764000000000",
//! #   "organizationId":"o","parameters":{"walletName":"w","accounts":[]}}"#;
//! # let header = Stamp::make(&key, body)?;
//! let stamp = Stamp::decode(&header)?;
//! let key = portable::VerifyingKey::from_sec1(stamp.public_key())?;
//! let authentic = stamp.verify(&key, body)?;
//! let request = authentic.request()?;
//! window::check(request.timestamp_ms(), 1_764_000_000_999)?;
//! println!("{} asks for {:?}", authentic.fingerprint(), request);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **What it guarantees**
//!
//! * Nothing in a body or stamp is skipped: duplicate and unknown members, trailing bytes, numbers that
//!   are not integers, text that is not UTF-8 are refused, each by its name and with its offset.
//! * Sizes, depth and counts are bounded ([`MAX_BODY`], [`MAX_STAMP`], [`json`]); work is linear in the
//!   size of the input.
//! * A documented value that is not supported is refused by its name, an undocumented one as unknown.
//! * No text from outside is in an error.
//!
//! **What it trusts**: nothing it is given, the clock included: time is an argument.
//!
//! **What it does not do**: say whether a key may do what it asks, remember fingerprints, or read the
//! transaction (`quorate-chain` does).

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

mod activity;
mod fields;
mod fingerprint;
pub mod json;
mod make;
mod parameters;
mod stamp;
pub mod window;

pub use activity::{Request, RequestError, Submit, Version};
pub use fields::{Field, FieldError};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use parameters::{
    Account, AddressFormat, CreateWallet, Curve, Identifier, KeyReference, Label, MnemonicLength,
    PathFormat, SignTransaction, TextError, TransactionFormat,
};
pub use stamp::{Authentic, Scheme, Stamp, StampError, VerifyError};

/// Largest body in bytes: the largest transaction in hexadecimal, and what stands around it.
pub const MAX_BODY: usize = 264 * 1024;
/// Longest stamp in characters.
pub const MAX_STAMP: usize = 1024;
/// Name of the header that carries a stamp.
pub const STAMP_HEADER: &str = "X-Stamp";
