//! A Nitro security module for tests, written from the format's description and from genuine
//! documents. It shares no code with the library, encodes everything by hand, and can make each
//! part of a document wrong without touching the others.

// Each test binary uses a part of it.
#![allow(dead_code)]

pub(crate) mod cbor;
pub(crate) mod der;
pub(crate) mod nitro;
pub(crate) mod profiles;
