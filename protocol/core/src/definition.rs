//! The definition all members sign before genesis: who they are, what they will trust.

use core::time::Duration;

use minicbor::{Decode, Encode};

use crate::atoms::{Name, Pcr, Sha256, Text};
use crate::cbor::{Checked, Rules, object};
use crate::digest::Digest;
use crate::invalid::Invalid;
use crate::members::{MemberSet, check_both};

/// The root certificate attestation documents must chain to, fixed for the life of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AttestationRoot {
    /// `aws`, `aws-us-gov`, `aws-cn` or `development`.
    #[n(0)]
    pub partition: Name,
    /// SHA-256 of the certificate's DER.
    #[n(1)]
    pub fingerprint: Sha256,
}

impl AttestationRoot {
    /// Partition name of roots made by the emulator; they attest nothing to a third party.
    pub const DEVELOPMENT: &'static str = "development";

    /// Whether this is a development root.
    pub fn is_development(&self) -> bool {
        self.partition.as_str() == Self::DEVELOPMENT
    }
}

/// What an image must measure as.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MeasurementFields {
    /// The whole image.
    #[n(0)]
    pub pcr0: Pcr,
    /// Kernel, command line and first ramdisk.
    #[n(1)]
    pub pcr1: Pcr,
    /// Further ramdisks.
    #[n(2)]
    pub pcr2: Pcr,
    /// ARN of the parent's IAM role, if it is part of the identity (PCR3).
    #[n(3)]
    pub role_arn: Option<Text<2048>>,
    /// The image's signing certificate, when the image is signed.
    #[n(8)]
    pub pcr8: Option<Pcr>,
}

/// Measurements of which none is all zero.
pub type Measurements = Checked<MeasurementFields>;

impl MeasurementFields {
    /// Every register that must match, with its index. PCR3 is SHA-384(0⁴⁸ ‖ role ARN).
    pub fn registers(&self) -> impl Iterator<Item = (u8, Pcr)> {
        let pcr3 = self
            .role_arn
            .as_ref()
            .map(|arn| Pcr::ZERO.extend(arn.as_str().as_bytes()));
        [
            (0, Some(self.pcr0)),
            (1, Some(self.pcr1)),
            (2, Some(self.pcr2)),
            (3, pcr3),
            (8, self.pcr8),
        ]
        .into_iter()
        .filter_map(|(index, pcr)| pcr.map(|pcr| (index, pcr)))
    }
}

impl Rules for MeasurementFields {
    fn check(&self) -> Result<(), Invalid> {
        if self
            .role_arn
            .as_ref()
            .is_some_and(|arn| arn.as_str().is_empty())
        {
            return Err(Invalid::Text);
        }
        match self.registers().find(|(_, pcr)| *pcr == Pcr::ZERO) {
            Some((index, _)) => Err(Invalid::MeasurementZero { index }),
            None => Ok(()),
        }
    }
}

/// For how long an attestation is good to members, in whole seconds from the making of the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgeLimit(u16);

impl AgeLimit {
    /// The least there is: 60 s, for an enclave that is asked directly.
    pub const SHORTEST: Self = Self(60);
    /// The most there is: 30 minutes, for files that are carried.
    pub const LONGEST: Self = Self(30 * 60);

    /// A limit of so many seconds.
    ///
    /// # Errors
    /// [`Invalid::AgeLimit`] outside 60 to 1800.
    pub const fn new(seconds: u16) -> Result<Self, Invalid> {
        if seconds < Self::SHORTEST.0 || seconds > Self::LONGEST.0 {
            return Err(Invalid::AgeLimit { found: seconds });
        }
        Ok(Self(seconds))
    }

    /// In seconds.
    pub const fn seconds(self) -> u16 {
        self.0
    }

    /// As a span of time.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

crate::atoms::codec!([] AgeLimit, u16, |v| v.0, |raw| Self::new(raw));

/// A namespace before it has a key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DefinitionFields {
    /// Format number; [`crate::FORMAT`].
    #[cbor(n(0), with = "crate::atoms::format")]
    pub format: u8,
    /// What people call it. It is a label: the namespace is its genesis digest.
    #[n(1)]
    pub namespace: Name,
    /// Who approves manifests.
    #[n(2)]
    pub manifest_set: MemberSet,
    /// Who holds shares.
    #[n(3)]
    pub share_set: MemberSet,
    /// Trusted for attestation, from the first record on and for ever.
    #[n(4)]
    pub attestation_root: AttestationRoot,
    /// What the genesis enclave must measure as.
    #[n(5)]
    pub measurements: Measurements,
    /// For how long an attestation is good to members' tools.
    #[n(6)]
    pub age_limit: AgeLimit,
}

/// A definition whose rules hold.
pub type Definition = Checked<DefinitionFields>;

impl DefinitionFields {
    /// The member of this name in either set. Both sets agree on a person's keys.
    pub fn named(&self, name: &Name) -> Option<&crate::members::Member> {
        self.manifest_set
            .named(name)
            .or_else(|| self.share_set.named(name))
    }

    /// Every person once, in ascending order of name.
    pub fn people(&self) -> alloc::vec::Vec<&crate::members::Member> {
        let mut people: alloc::vec::Vec<_> = self
            .manifest_set
            .members
            .iter()
            .chain(&self.share_set.members)
            .collect();
        people.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        people.dedup_by(|a, b| a.name == b.name);
        people
    }
}

impl Rules for DefinitionFields {
    fn check(&self) -> Result<(), Invalid> {
        if self.format != crate::FORMAT {
            return Err(Invalid::Format { found: self.format });
        }
        check_both(&self.manifest_set, &self.share_set)
    }
}

/// One member's consent to a definition.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DefinitionConsent {
    /// The definition.
    #[n(0)]
    pub definition: Digest<Definition>,
    /// The member.
    #[n(1)]
    pub member: Name,
}

object! {
    Definition => "quorate/definition/v2", 128 * 1024;
    DefinitionConsent => "quorate/definition-consent/v1", 256;
}
