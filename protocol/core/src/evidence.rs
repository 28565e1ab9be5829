//! The evidence file: everything a stranger needs to learn, offline, what answered.

use alloc::boxed::Box;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::application::ApplicationEvidence;
use crate::cbor::object;
use crate::cose::Signed;
use crate::forward::{ForwardMade, ForwardReceived};
use crate::genesis::{Document, GenesisRecord};
use crate::instance::{InstanceCertificate, KeyRing};
use crate::keys::KeyPair;
use crate::manifest::Link;
use crate::provision::Provision;

/// Who gave an instance the quorum key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Origin {
    /// Members: the grants that were accepted, ascending by index.
    #[n(1)]
    Members(#[n(0)] Vec<Provision>),
    /// Another instance.
    #[n(2)]
    Forwarded(#[n(0)] Box<ForwardReceived>),
}

/// Shows that an instance was given the quorum key, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Provisioning {
    /// By whom.
    #[n(0)]
    pub origin: Origin,
    /// Signed by the quorum key.
    #[n(1)]
    pub ring: Signed<KeyRing>,
    /// Signed by the ring's instance key.
    #[n(2)]
    pub certificate: Signed<InstanceCertificate>,
}

/// Boot proof and application proofs of one instance. Not signed as a whole: every part is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Evidence {
    /// Format number; [`crate::FORMAT`].
    #[cbor(n(0), with = "crate::atoms::format")]
    pub format: u8,
    /// How the namespace came to be.
    #[n(1)]
    pub record: GenesisRecord,
    /// From the first manifest to the one that runs.
    #[n(2)]
    pub chain: Vec<Link>,
    /// The setup keys committed in PCR16.
    #[n(3)]
    pub setup: KeyPair,
    /// A live attestation.
    #[n(4)]
    pub document: Document,
    /// Absent for an instance that was never provisioned.
    #[n(5)]
    pub provisioning: Option<Provisioning>,
    /// Ascending by name and start.
    #[n(6)]
    pub applications: Vec<ApplicationEvidence>,
    /// The forwards that the instance made itself, as they were counted. At most one is
    /// confirmed, which ended the instance.
    #[n(7)]
    pub forwards: Vec<ForwardMade>,
}

object! {
    Evidence => "quorate/evidence/v4", 8 * 1024 * 1024;
}
