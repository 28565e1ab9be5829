//! What is carried in files between an enclave and a member whose machine has no network.
//!
//! A member's tool makes a nonce, the coordinator brings back the attestation that answers it, the
//! member's tool brings the grant. The enclave's answer to that is a signed
//! [`ProvisionReceipt`](crate::provision::ProvisionReceipt). Only the grant and the receipt are signed:
//! a nonce says nothing, and an attestation is believed for what it attests, whoever carried it.

use alloc::boxed::Box;

use minicbor::{Decode, Encode};

use crate::atoms::Name;
use crate::cbor::object;
use crate::cose::Signed;
use crate::digest::Digest;
use crate::genesis::{Document, Genesis, SealedShare};
use crate::message::{Nonce, Stage};
use crate::provision::ShareGrant;
use crate::surrogate::Delegation;

/// Asks for an attestation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CarriedNonce {
    /// Format number; [`crate::FORMAT`].
    #[cbor(n(0), with = "crate::atoms::format")]
    pub format: u8,
    /// The namespace.
    #[n(1)]
    pub genesis: Digest<Genesis>,
    /// Who asks.
    #[n(2)]
    pub member: Name,
    /// Which keys shall be attested.
    #[n(3)]
    pub stage: Stage,
    /// Made by that member's tool.
    #[n(4)]
    pub nonce: Nonce,
}

/// An attestation that answers a nonce.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CarriedAttestation {
    /// Format number; [`crate::FORMAT`].
    #[cbor(n(0), with = "crate::atoms::format")]
    pub format: u8,
    /// The nonce it answers; what counts is the one in the document.
    #[n(1)]
    pub nonce: Digest<CarriedNonce>,
    /// As the security module signed it.
    #[n(2)]
    pub document: Document,
}

/// A share on its way to the enclave that can open it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CarriedGrant {
    /// Format number; [`crate::FORMAT`].
    #[cbor(n(0), with = "crate::atoms::format")]
    pub format: u8,
    /// The nonce of the attestation that the grant rests on.
    #[n(1)]
    pub nonce: Digest<CarriedNonce>,
    /// Signed by the member, or by their surrogate.
    #[n(2)]
    pub grant: Signed<ShareGrant>,
    /// The share, sealed to the attested setup key.
    #[n(3)]
    pub sealed: SealedShare,
    /// Signed by the member, where a surrogate signed the grant.
    #[n(4)]
    pub delegation: Option<Box<Signed<Delegation>>>,
}

object! {
    CarriedNonce => "quorate/carried-nonce/v1", 256;
    CarriedAttestation => "quorate/carried-attestation/v1", 24 * 1024;
    CarriedGrant => "quorate/carried-grant/v1", 2048;
}
