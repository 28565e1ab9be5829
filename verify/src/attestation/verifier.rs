//! The verification itself: the order of the steps, the provider of signatures, and the cache.
//!
//! Steps run from cheap to costly; signatures come last, the chain before the document. A flood of
//! forged documents costs microseconds each.

use core::fmt;

use thiserror::Error;

use super::anchor::TrustAnchors;
use super::attested::{self, Attested, DebugMode};
use super::cache::{CacheLimits, ChainCache};
use super::chain::Chain;
use super::cose::{Envelope, SIGNATURE_BYTES};
use super::document::Document;
use super::error::AttestationError;
use super::freshness::Demand;
use super::identity;
use super::signature::{PUBLIC_KEY_BYTES, PublicKey, PureRust, Signature, SignatureVerifier};
use super::steps::{Examination, Step};

/// The public key of RFC 6979 section A.2.6.
const KNOWN_KEY: [u8; PUBLIC_KEY_BYTES] = [
    0x04, 0xec, 0x3a, 0x4e, 0x41, 0x5b, 0x4e, 0x19, 0xa4, 0x56, 0x86, 0x18, 0x02, 0x9f, 0x42, 0x7f,
    0xa5, 0xda, 0x9a, 0x8b, 0xc4, 0xae, 0x92, 0xe0, 0x2e, 0x06, 0xaa, 0xe5, 0x28, 0x6b, 0x30, 0x0c,
    0x64, 0xde, 0xf8, 0xf0, 0xea, 0x90, 0x55, 0x86, 0x60, 0x64, 0xa2, 0x54, 0x51, 0x54, 0x80, 0xbc,
    0x13, 0x80, 0x15, 0xd9, 0xb7, 0x2d, 0x7d, 0x57, 0x24, 0x4e, 0xa8, 0xef, 0x9a, 0xc0, 0xc6, 0x21,
    0x89, 0x67, 0x08, 0xa5, 0x93, 0x67, 0xf9, 0xdf, 0xb9, 0xf5, 0x4c, 0xa8, 0x4b, 0x3f, 0x1c, 0x9d,
    0xb1, 0x28, 0x8b, 0x23, 0x1c, 0x3a, 0xe0, 0xd4, 0xfe, 0x73, 0x44, 0xfd, 0x25, 0x33, 0x26, 0x47,
    0x20,
];

/// Its signature over "sample" with SHA-384, in the same place.
const KNOWN_SIGNATURE: [u8; SIGNATURE_BYTES] = [
    0x94, 0xed, 0xbb, 0x92, 0xa5, 0xec, 0xb8, 0xaa, 0xd4, 0x73, 0x6e, 0x56, 0xc6, 0x91, 0x91, 0x6b,
    0x3f, 0x88, 0x14, 0x06, 0x66, 0xce, 0x9f, 0xa7, 0x3d, 0x64, 0xc4, 0xea, 0x95, 0xad, 0x13, 0x3c,
    0x81, 0xa6, 0x48, 0x15, 0x2e, 0x44, 0xac, 0xf9, 0x6e, 0x36, 0xdd, 0x1e, 0x80, 0xfa, 0xbe, 0x46,
    0x99, 0xef, 0x4a, 0xeb, 0x15, 0xf1, 0x78, 0xce, 0xa1, 0xfe, 0x40, 0xdb, 0x26, 0x03, 0x13, 0x8f,
    0x13, 0x0e, 0x74, 0x0a, 0x19, 0x62, 0x45, 0x26, 0x20, 0x3b, 0x63, 0x51, 0xd0, 0xa3, 0xa9, 0x4f,
    0xa3, 0x29, 0xc1, 0x45, 0x78, 0x6e, 0x67, 0x9e, 0x7b, 0x82, 0xc7, 0x1a, 0x38, 0x62, 0x8a, 0xc8,
];

/// Verifies documents with one provider of signatures, and a cache where one was asked for.
///
/// It may be shared between threads when its provider may.
pub struct Verifier<P = PureRust> {
    provider: P,
    cache: Option<ChainCache>,
}

/// A provider of signatures gave a wrong answer when it was tried. Whoever built the program chose
/// it; nothing may be verified with it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ProviderFault {
    /// It accepted a signature that is wrong.
    #[error("the provider of signatures accepts a wrong signature")]
    AcceptsWrong,
    /// It refused a signature that is right.
    #[error("the provider of signatures refuses a right signature")]
    RefusesRight,
}

impl Verifier<PureRust> {
    /// Signatures in pure Rust, no cache.
    #[must_use]
    pub const fn pure_rust() -> Self {
        Self {
            provider: PureRust,
            cache: None,
        }
    }
}

impl<P: SignatureVerifier> Verifier<P> {
    /// Signatures by `provider`, no cache. The provider is tried once with a right signature and
    /// with a wrong one: RFC 6979 section A.2.6, P-384 and SHA-384, message "sample".
    ///
    /// # Errors
    ///
    /// If the provider answers wrongly.
    pub fn new(provider: P) -> Result<Self, ProviderFault> {
        let key = PublicKey::from_sec1(&KNOWN_KEY).ok_or(ProviderFault::RefusesRight)?;
        let signature = Signature::new(KNOWN_SIGNATURE);
        provider
            .verify(&key, b"sample", &signature)
            .map_err(|_| ProviderFault::RefusesRight)?;
        match provider.verify(&key, b"simple", &signature) {
            Err(_) => Ok(Self {
                provider,
                cache: None,
            }),
            Ok(()) => Err(ProviderFault::AcceptsWrong),
        }
    }

    /// The same, and it remembers chains of certificates that it has verified. Only signatures are
    /// remembered: trust in the root, windows, profile and names are checked at each use.
    #[must_use]
    pub fn with_cache(self, limits: CacheLimits) -> Self {
        Self {
            cache: Some(ChainCache::new(limits)),
            ..self
        }
    }

    /// How much the cache holds, if there is one.
    #[must_use]
    pub fn cached(&self) -> Option<CacheLimits> {
        self.cache.as_ref().map(ChainCache::size)
    }

    /// Verifies one attestation document.
    ///
    /// `bytes` is the document exactly as received. `anchors` are the only roots that are trusted.
    /// `demand` says how new the document must be and at which time its certificates must be
    /// valid. `debug` says whether an enclave whose memory its host can read is acceptable.
    ///
    /// # Errors
    ///
    /// The first rule that the document breaks, as an [`AttestationError`] with its data.
    pub fn verify<D: Demand>(
        &self,
        bytes: &[u8],
        anchors: &TrustAnchors,
        demand: &D,
        debug: DebugMode,
    ) -> Result<Attested<D::Shown>, AttestationError> {
        self.examine(bytes, anchors, demand, debug).result
    }

    /// [`verify`](Self::verify), with the step at which it ended.
    pub fn examine<D: Demand>(
        &self,
        bytes: &[u8],
        anchors: &TrustAnchors,
        demand: &D,
        debug: DebugMode,
    ) -> Examination<D::Shown> {
        let mut reached = Step::Envelope;
        let result = self.run(bytes, anchors, demand, debug, &mut reached);
        Examination { reached, result }
    }

    fn run<D: Demand>(
        &self,
        bytes: &[u8],
        anchors: &TrustAnchors,
        demand: &D,
        debug: DebugMode,
        reached: &mut Step,
    ) -> Result<Attested<D::Shown>, AttestationError> {
        let envelope = Envelope::parse(bytes)?;
        *reached = Step::Payload;
        let document = Document::from_payload(envelope.payload())?;
        *reached = Step::Freshness;
        let timed = demand.check(&document)?;

        *reached = Step::Root;
        let anchor = Chain::anchor(&document, anchors)?;
        *reached = Step::Profile;
        let chain = Chain::parse(&document, anchor)?;
        chain.check_profile()?;
        *reached = Step::Validity;
        chain.check_validity(&timed.moment, document.timestamp_ms())?;
        *reached = Step::Debug;
        attested::check_debug(&document, debug)?;
        *reached = Step::Instance;
        identity::check(&document, &chain)?;

        *reached = Step::Chain;
        chain.check_signatures(&self.provider, self.cache.as_ref())?;
        *reached = Step::Signature;
        self.provider
            .verify(
                chain.leaf().public_key(),
                &envelope.signed_bytes(),
                envelope.signature(),
            )
            .map_err(|_| AttestationError::DocumentSignature)?;

        let (partition, root) = (chain.partition(), chain.root_fingerprint());
        Ok(Attested::new(bytes, document, partition, root, timed.shown))
    }
}

impl<P> fmt::Debug for Verifier<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
