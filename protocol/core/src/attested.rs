//! What an enclave commits to in its registers and user data, and how.
//!
//! Extension data is SHA-384 of the canonical CBOR of a tagged tuple; a register that was extended
//! once from zero is SHA-384(0⁴⁸ ‖ data). PCR16 and PCR17 name the keys of an instance, PCR18 its
//! applications only, so it stays the same over reshares, set changes and image updates.

use alloc::vec::Vec;

use minicbor::{Decode, Encode, Encoder};
use sha2::{Digest as _, Sha384};

use crate::atoms::Pcr;
use crate::cbor::{object, to_bytes};
use crate::digest::Digest;
use crate::forward::ForwardRecord;
use crate::genesis::Genesis;
use crate::keys::KeyPair;
use crate::manifest::{Application, Manifest};

/// Register of the setup keys, or of the output of a genesis enclave.
pub const PCR_SETUP: u8 = 16;
/// Register of the live keys.
pub const PCR_LIVE: u8 = 17;
/// Register of the applications.
pub const PCR_APPLICATIONS: u8 = 18;

/// What a document attests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum UserData {
    /// A genesis enclave after it made this namespace.
    #[n(1)]
    Genesis(#[n(0)] Digest<Genesis>),
    /// An instance that waits for shares; the public key is the setup pair.
    #[n(2)]
    Setup(#[n(0)] Digest<Manifest>),
    /// An instance; the public key is the live pair.
    #[n(3)]
    Live(#[n(0)] Digest<Manifest>),
    /// An instance that has forwarded the key and serves still; the record is its newest.
    #[n(4)]
    Forwarded(#[n(0)] Digest<Manifest>, #[n(1)] Digest<ForwardRecord>),
    /// An instance that holds no key any more: it has handed over to the importer of the first
    /// record. The second is its newest; the two are the same unless it forwarded again while it
    /// waited.
    #[n(5)]
    HandedOver(
        #[n(0)] Digest<Manifest>,
        #[n(1)] Digest<ForwardRecord>,
        #[n(2)] Digest<ForwardRecord>,
    ),
    /// An enclave that was started for a drill and does nothing else; the public key is the setup
    /// pair.
    #[n(6)]
    Drill(#[n(0)] Digest<Manifest>),
}

object! {
    UserData => "quorate/user-data/v1", 128;
}

/// Data for PCR16 of a genesis enclave.
pub fn genesis_extension(genesis: &Genesis) -> [u8; 48] {
    extension(
        "genesis",
        &[genesis.definition.as_bytes(), genesis.output.as_bytes()],
        &[],
    )
}

/// Data for PCR16 of an instance.
pub fn setup_extension(
    genesis: &Digest<Genesis>,
    manifest: &Digest<Manifest>,
    setup: &KeyPair,
) -> [u8; 48] {
    extension(
        "setup",
        &[
            genesis.as_bytes(),
            manifest.as_bytes(),
            &setup.to_attested(),
        ],
        &[],
    )
}

/// Data for PCR16 of an enclave that was started for a drill. Never that of an instance: the tag is
/// another one.
pub fn drill_extension(
    genesis: &Digest<Genesis>,
    manifest: &Digest<Manifest>,
    setup: &KeyPair,
) -> [u8; 48] {
    extension(
        "drill",
        &[
            genesis.as_bytes(),
            manifest.as_bytes(),
            &setup.to_attested(),
        ],
        &[],
    )
}

/// Data for PCR17 of an instance.
pub fn live_extension(
    genesis: &Digest<Genesis>,
    manifest: &Digest<Manifest>,
    live: &KeyPair,
) -> [u8; 48] {
    extension(
        "live",
        &[genesis.as_bytes(), manifest.as_bytes(), &live.to_attested()],
        &[],
    )
}

/// Data for PCR18 of an instance: the namespace and every application entry in full.
pub fn applications_extension(
    genesis: &Digest<Genesis>,
    applications: &Vec<Application>,
) -> [u8; 48] {
    extension(
        "applications",
        &[genesis.as_bytes()],
        &[to_bytes(applications)],
    )
}

/// A register after one extension from zero.
pub fn extended_once(data: &[u8; 48]) -> Pcr {
    Pcr::ZERO.extend(data)
}

/// SHA-384 of the CBOR array (tag, byte strings…, encoded items…).
fn extension(tag: &str, strings: &[&[u8]], items: &[Vec<u8>]) -> [u8; 48] {
    let count = strings.len().saturating_add(items.len()).saturating_add(1);
    let mut bytes = Vec::new();
    let mut e = Encoder::new(&mut bytes);
    let written = e
        .array(count as u64)
        .and_then(|e| e.str(tag))
        .and_then(|e| {
            strings
                .iter()
                .try_for_each(|string| e.bytes(string).map(|_| ()))
        });
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
    items.iter().for_each(|item| bytes.extend_from_slice(item));
    Sha384::digest(&bytes).into()
}
