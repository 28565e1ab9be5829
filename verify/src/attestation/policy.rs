//! What an enclave may be: the caller's expectations of a verified document.
//!
//! A [`Policy`] has expectations that every document must meet, and releases of which it must be
//! one. Expectations are on registers, each with a set of acceptable values; a release has a window
//! in which documents may have been signed, so that an old image is no longer accepted when its
//! time is over, and two may be acceptable while one replaces the other.
//!
//! Values come as they are, or from what people know: the role of the parent instance (PCR3), its
//! instance id (PCR4), the certificate that signed the image (PCR8).
//!
//! A policy is for what was verified: [`check`](Policy::check) takes an [`Attested`]. It decides
//! nothing about debug mode or freshness, which the verification has decided already. An all-zero
//! value is refused wherever one could be expected: a register that nobody extended says nothing.

use std::collections::BTreeMap;

use super::attested::Attested;
use super::error::AttestationError;
use super::pcr::{PCR_COUNT, Pcr};

/// The register of the parent instance's role.
const ROLE_PCR: u8 = 3;
/// The register of the parent instance.
const INSTANCE_PCR: u8 = 4;
/// The register of the certificate that signed the image.
const SIGNER_PCR: u8 = 8;

/// Releases in one policy, at most.
pub const MAX_RELEASES: usize = 256;

/// Acceptable values of one register in one set of expectations, at most.
pub const MAX_VALUES: usize = 256;

/// Acceptable values of registers. Every register that is named must have one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations(BTreeMap<u8, Vec<Pcr>>);

impl Expectations {
    /// No expectation at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether nothing is expected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The registers that are named, in order, with their acceptable values.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[Pcr])> {
        self.0.iter().map(|(index, values)| (*index, &values[..]))
    }

    /// Accepts `value` in register `index`, beside those accepted before.
    ///
    /// # Errors
    ///
    /// If there is no such register, the value is all zero, or there are too many.
    pub fn accept(&mut self, index: u8, value: Pcr) -> Result<(), AttestationError> {
        if index >= PCR_COUNT {
            let found = u64::from(index);
            return Err(AttestationError::PcrIndex { found });
        }
        if value.is_zero() {
            return Err(AttestationError::ExpectedPcrZero { index });
        }
        let values = self.0.entry(index).or_default();
        if values.contains(&value) {
            return Ok(());
        }
        if values.len() >= MAX_VALUES {
            return Err(AttestationError::PolicyTooLarge);
        }
        values.push(value);
        Ok(())
    }

    /// Accepts an enclave whose parent instance has this IAM role, such as
    /// `arn:aws:iam::123456789012:role/enclave` (PCR3).
    ///
    /// # Errors
    ///
    /// If the text is no role's ARN, or as [`accept`](Self::accept).
    pub fn accept_role(&mut self, arn: &str) -> Result<(), AttestationError> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (scheme, partition, service) = (next(), next(), next());
        let (region, account, resource) = (next(), next(), next());
        let role = resource.strip_prefix("role/").unwrap_or_default();
        let right = scheme == "arn"
            && partition.starts_with("aws")
            && service == "iam"
            && region.is_empty()
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !role.is_empty()
            && arn.bytes().all(|byte| byte.is_ascii_graphic());
        if !right {
            return Err(AttestationError::RoleArnMalformed);
        }
        self.accept(ROLE_PCR, Pcr::ZERO.extend(arn.as_bytes()))
    }

    /// Accepts an enclave on this instance, such as `i-0123456789abcdef0` (PCR4).
    ///
    /// # Errors
    ///
    /// If the text is no instance id, or as [`accept`](Self::accept).
    pub fn accept_instance(&mut self, id: &str) -> Result<(), AttestationError> {
        let digits = id.strip_prefix("i-").unwrap_or_default();
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !(8..=32).contains(&digits.len()) || !digits.bytes().all(hex) {
            return Err(AttestationError::InstanceIdMalformed);
        }
        self.accept(INSTANCE_PCR, Pcr::ZERO.extend(id.as_bytes()))
    }

    /// Accepts an image signed with this certificate, DER (PCR8).
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn accept_signer(&mut self, certificate: &[u8]) -> Result<(), AttestationError> {
        self.accept(SIGNER_PCR, Pcr::measure(certificate))
    }

    /// Checks every register that is named.
    ///
    /// # Errors
    ///
    /// The first register that is missing or has another value.
    pub fn check<T>(&self, attested: &Attested<T>) -> Result<(), AttestationError> {
        for (index, accepted) in self.iter() {
            let found = attested.document().pcrs().require(index)?;
            match accepted {
                _ if accepted.contains(found) => {}
                [expected] => {
                    return Err(AttestationError::PcrMismatch {
                        index,
                        expected: *expected,
                        found: *found,
                    });
                }
                _ => {
                    return Err(AttestationError::PcrNotAccepted {
                        index,
                        found: *found,
                        accepted: accepted.len(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// When something may have been signed: both ends included, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// The first second; `None` for no limit.
    pub not_before: Option<u64>,
    /// The last second; `None` for no limit.
    pub not_after: Option<u64>,
}

impl Validity {
    /// Whether a moment is in the window.
    #[must_use]
    pub fn contains(&self, unix: u64) -> bool {
        self.not_before.is_none_or(|first| first <= unix)
            && self.not_after.is_none_or(|last| unix <= last)
    }
}

/// An image that may run, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What people call it.
    pub name: String,
    /// When its documents may have been signed.
    pub validity: Validity,
    /// Its registers; at least one.
    pub expectations: Expectations,
}

/// Expectations of every document, and releases of which it must be one, if there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    required: Expectations,
    releases: Vec<Release>,
}

/// A document has met a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Satisfied<'a> {
    /// The first release that it is, if the policy has any.
    pub release: Option<&'a Release>,
}

impl Policy {
    /// A policy with these expectations of every document, and no releases.
    #[must_use]
    pub const fn new(required: Expectations) -> Self {
        Self {
            required,
            releases: Vec::new(),
        }
    }

    /// Adds a release.
    ///
    /// # Errors
    ///
    /// If it expects nothing, since it would accept every enclave; if its window is empty; or if
    /// there are too many.
    pub fn add_release(&mut self, release: Release) -> Result<(), AttestationError> {
        let Validity {
            not_before,
            not_after,
        } = release.validity;
        if release.expectations.is_empty() {
            return Err(AttestationError::ReleaseExpectsNothing);
        }
        if let (Some(first), Some(last)) = (not_before, not_after)
            && first > last
        {
            return Err(AttestationError::ReleaseWindowEmpty);
        }
        if self.releases.len() >= MAX_RELEASES {
            return Err(AttestationError::PolicyTooLarge);
        }
        self.releases.push(release);
        Ok(())
    }

    /// What every document must meet.
    #[must_use]
    pub fn required(&self) -> &Expectations {
        &self.required
    }

    /// The releases, in the order in which they were added.
    #[must_use]
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// Whether any document would do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.releases.is_empty()
    }

    /// Checks a verified document.
    ///
    /// # Errors
    ///
    /// The first expectation that is not met. Where there are releases: that none was in force when
    /// the document was signed, or what the only one in force has against it, or that none of
    /// several is it.
    pub fn check<T>(&self, attested: &Attested<T>) -> Result<Satisfied<'_>, AttestationError> {
        self.required.check(attested)?;
        if self.releases.is_empty() {
            return Ok(Satisfied { release: None });
        }
        let timestamp = attested.document().timestamp_seconds();
        let in_force = |release: &&Release| release.validity.contains(timestamp);
        let mut tried: usize = 0;
        let mut last = AttestationError::NoReleaseInForce { timestamp };
        for release in self.releases.iter().filter(in_force) {
            match release.expectations.check(attested) {
                Ok(()) => {
                    let release = Some(release);
                    return Ok(Satisfied { release });
                }
                Err(error) => last = error,
            }
            tried = tried.saturating_add(1);
        }
        match tried {
            0 | 1 => Err(last),
            _ => Err(AttestationError::NoReleaseMatches { tried }),
        }
    }
}
