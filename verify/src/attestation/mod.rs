//! Complete verification of AWS Nitro Enclaves attestation documents.
//!
//! [`verify`] takes the received bytes and returns [`Attested`] or the one reason why not; a
//! [`Verifier`] does the same with another provider of signatures and a cache of chains. There is
//! no other way to obtain an [`Attested`], so a function that takes one needs no check of its own.
//! [`rules`] has every rule with its source, and what was open in them. It guarantees:
//!
//! * the bytes are one COSE_Sign1 (RFC 9052) in the exact Nitro profile, and nothing besides;
//! * the certificates lead in bundle order from a pinned root ([`TrustAnchors`]) to the leaf, each
//!   in the Nitro profile and valid at the verification time;
//! * the leaf signed exactly these bytes, within its own window;
//! * the document is an enclave's (not a NitroTPM's), not in debug mode unless the caller allows
//!   it, and its module id, PCR4 and certificate names speak of one instance;
//! * it is as fresh as the caller demands, and the demand is in the type of the result
//!   ([`Live`], [`Challenged`], [`Current`], [`Archived`]).
//!
//! It trusts the pinned root, P-384 and the provider of signatures, and takes nothing from the
//! sender: the bundle's copy of the root must be byte for byte the pinned one, and the time comes
//! from the caller or from the signed timestamp, as the caller chose.
//!
//! It does not decide which measurements are right: that is the caller's, with a [`Policy`] or
//! [`Attested::expect_pcr`]. It does not check revocation: [`rules`] says why.
//!
//! Memory is at most four times the input, and no decoder recurses.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod anchor;
mod attested;
mod cache;
mod cbor;
mod certificate;
mod chain;
mod cose;
mod der;
mod document;
mod error;
mod freshness;
mod guidance;
mod identity;
mod name;
mod pcr;
mod policy;
mod signature;
mod steps;
mod text;
mod verifier;

use std::sync::OnceLock;

pub use self::anchor::{Partition, TrustAnchor, TrustAnchors};
pub use self::attested::{Attested, CertificateFacts, DebugMode};
pub use self::cache::CacheLimits;
pub use self::cbor::{CborProblem, CborType};
pub use self::certificate::{Link, MAX_CERTIFICATE_BYTES, MAX_EXTENSIONS};
pub use self::chain::MAX_BUNDLE_CERTIFICATES;
pub use self::cose::{MAX_DOCUMENT_BYTES, MAX_PAYLOAD_BYTES, SIGNATURE_BYTES};
pub use self::document::{Document, Field, MAX_OPTIONAL_FIELD_BYTES, Parsed};
pub use self::error::AttestationError;
pub use self::freshness::{
    Answered, AnsweredLive, Archived, CLOCK_TOLERANCE_SECONDS, Challenged, Current, Demand,
    Freshness, FreshnessUsed, Live, MIN_CHALLENGE_BYTES, Recorded, Unchallenged,
};
pub use self::pcr::{PCR_BYTES, PCR_COUNT, Pcr, Pcrs};
pub use self::policy::{
    Expectations, MAX_RELEASES, MAX_VALUES, Policy, Release, Satisfied, Validity,
};
pub use self::signature::{
    NotSigned, PUBLIC_KEY_BYTES, PublicKey, PureRust, Signature, SignatureVerifier,
};
pub use self::steps::{Examination, Step, StepOutcome};
pub use self::verifier::{ProviderFault, Verifier};

#[doc = include_str!("rules.md")]
pub mod rules {}

/// Verifies one attestation document.
///
/// `bytes` is the document exactly as received. `anchors` are the only roots that are trusted.
/// `freshness` says how new the document must be and at which time its certificates must be valid.
/// `debug` says whether an enclave whose memory its host can read is acceptable.
///
/// # Errors
///
/// The first rule that the document breaks, as an [`AttestationError`] with its data.
pub fn verify(
    bytes: &[u8],
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
    debug: DebugMode,
) -> Result<Attested, AttestationError> {
    match installed() {
        Some(verifier) => verifier.verify(bytes, anchors, freshness, debug),
        None => Verifier::pure_rust().verify(bytes, anchors, freshness, debug),
    }
}

/// A verifier over a provider that the program chose.
type Installed = Verifier<&'static (dyn SignatureVerifier + Sync)>;

static PROVIDER: OnceLock<&'static (dyn SignatureVerifier + Sync)> = OnceLock::new();
static INSTALLED: OnceLock<Option<Installed>> = OnceLock::new();

/// Has [`verify`] use this provider from now on, in this process, and remember the chains of
/// certificates that it has verified. The first one that is installed stays.
///
/// It is tried at its first use, as [`Verifier::new`] does; one that answers wrongly is never used,
/// and signatures are verified in pure Rust. Whoever installs one trusts it as much as this crate.
pub fn install(provider: &'static (dyn SignatureVerifier + Sync)) {
    let _ = PROVIDER.set(provider);
}

fn installed() -> Option<&'static Installed> {
    let provider = *PROVIDER.get()?;
    let verifier = || {
        Some(
            Verifier::new(provider)
                .ok()?
                .with_cache(CacheLimits::default()),
        )
    };
    INSTALLED.get_or_init(verifier).as_ref()
}
