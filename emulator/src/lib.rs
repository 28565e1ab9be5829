//! A local Nitro: a Nitro Security Module (NSM) under a development root.
//!
//! The emulated device answers the same messages as `/dev/nsm` and signs attestation documents
//! in exactly AWS's format, so that the whole chain of checks runs on a laptop. Only the root
//! differs: it is made on the spot, its names say "Quorate development", and nobody trusts it
//! who was not told to.
//!
//! * [`device`] is the NSM as a state machine: bytes and a time in, bytes out.
//! * [`pki`] makes the root and the chain of certificates below it.
//! * [`document`] builds and signs attestation documents.
//! * [`identity`] and [`measurements`] are what the hypervisor knows about an enclave.
//! * [`fault`] is what can be made to go wrong with an enclave.
//! * `machine` runs images in QEMU, with an NSM and a vsock of this process.
//! * [`server`] puts a device at one end of a socket pair and gives the other end to init.
//!
//! What it guarantees: a document it signs verifies under its own root and under no other. The
//! root's private key never leaves this process.
//!
//! What it does not do: protect anything. An emulated enclave is an ordinary process, and
//! whoever can read its memory has its keys.

mod child;
pub mod device;
pub mod document;
pub mod fault;
pub mod identity;
#[cfg(feature = "machine")]
pub mod machine;
pub mod measurements;
pub mod pki;
pub mod process;
pub mod server;

/// In every emulated init and in no production binary; a test looks for it.
pub const MARKER: &str = "emulated NSM, attests nothing to a third party";
