//! Resharing in a real emulated enclave: the whole way from an order to an instance that new shares
//! provision, and every refusal of it.
//!
//! Each refusal is followed by the honest message, which must still be taken: a refused one changed
//! nothing.

#[path = "../common/mod.rs"]
mod common;
mod largest;
mod namespace;
mod orders;
mod whole;
