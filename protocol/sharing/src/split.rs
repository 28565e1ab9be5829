//! Sharing a secret: a fresh polynomial, its commitments, and one share for each index.
//!
//! Sharing the same secret again is resharing ([`reshare`]): the first commitment stays, everything
//! else is drawn anew, and shares of the two sharings do not mix.

use alloc::vec::Vec;

use p256::elliptic_curve::Group;
use p256::{NonZeroScalar, ProjectivePoint, Scalar};
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::commitments::{Commitments, MIN_THRESHOLD};
use crate::index::ShareIndex;
use crate::scalar::{Secret, random_nonzero};
use crate::share::Share;

/// Shares `secret` among `indices` so that any `threshold` shares give it back.
///
/// The shares come in the order of `indices`. Coefficients `a₁ … a₍ₜ₋₁₎` are drawn in this order,
/// one 32-byte block of `rng` each (another block when one is refused). None is zero, so the
/// degree is exactly `t − 1`; and all are drawn again when a share would be zero. Both exclusions
/// move the distribution by less than 2⁻²⁴⁰.
///
/// # Errors
///
/// [`SplitError`] for a threshold below 2 or above the number of indices, and for a repeated
/// index. Nothing has been drawn then.
pub fn split(
    secret: &Secret,
    threshold: u8,
    indices: &[ShareIndex],
    rng: &mut impl CryptoRng,
) -> Result<(Commitments, Vec<Share>), SplitError> {
    if threshold < MIN_THRESHOLD {
        return Err(SplitError::ThresholdTooLow { threshold });
    }
    if let Some(index) = first_repeated(indices) {
        return Err(SplitError::RepeatedIndex { index });
    }
    if usize::from(threshold) > indices.len() {
        return Err(SplitError::ThresholdAboveMembers {
            threshold,
            members: indices.len(),
        });
    }
    loop {
        let polynomial = Polynomial::draw(secret, threshold, rng);
        if let Some(shares) = polynomial.shares(indices) {
            return Ok((polynomial.commitments()?, shares));
        }
    }
}

/// Shares anew the secret of `old` so that any `threshold` of the new shares give it back: resharing.
///
/// The first commitment stays, every other coefficient is drawn anew, so old and new shares do not
/// mix, whatever threshold and indices either sharing has. Draws as [`split`] does.
///
/// # Errors
///
/// [`SplitError::OtherSecret`] when `secret` is not the one that `old` commits to; else as
/// [`split`]. Nothing has been drawn then.
pub fn reshare(
    secret: &Secret,
    old: &Commitments,
    threshold: u8,
    indices: &[ShareIndex],
    rng: &mut impl CryptoRng,
) -> Result<(Commitments, Vec<Share>), SplitError> {
    if secret.public_key() != old.public_key() {
        return Err(SplitError::OtherSecret);
    }
    split(secret, threshold, indices, rng)
}

/// Why a secret was not shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The commitments made do not satisfy their own rules. Cannot happen with nonzero
    /// coefficients; reported instead of a panic.
    #[error("the sharing made is not usable and was discarded: {0}")]
    Commitments(#[from] crate::CommitmentError),
    /// The secret is not the one that the old commitments are of.
    #[error("the secret is not that of the commitments; nothing was shared")]
    OtherSecret,
    /// An index is in the list twice.
    #[error("index {index} is listed twice; every member needs an index of its own")]
    RepeatedIndex {
        /// The repeated index.
        index: ShareIndex,
    },
    /// More shares would be needed than there are.
    #[error("the threshold {threshold} is above the number of members, {members}")]
    ThresholdAboveMembers {
        /// The threshold asked for.
        threshold: u8,
        /// The number of indices given.
        members: usize,
    },
    /// With a threshold of 0 or 1 a single member would hold the secret.
    #[error("the threshold is {threshold}; it must be at least {MIN_THRESHOLD}")]
    ThresholdTooLow {
        /// The threshold asked for.
        threshold: u8,
    },
}

/// Coefficients `a₀ = s, a₁, … a₍ₜ₋₁₎`, none zero. Overwritten when dropped.
struct Polynomial(Vec<NonZeroScalar>);

impl Polynomial {
    fn draw(secret: &Secret, threshold: u8, rng: &mut impl CryptoRng) -> Self {
        // Full capacity at once: a vector that grows leaves copies behind.
        let mut coefficients = Vec::with_capacity(usize::from(threshold));
        coefficients.push(*secret.scalar());
        for _ in 1..threshold {
            coefficients.push(random_nonzero(rng));
        }
        Self(coefficients)
    }

    fn commitments(&self) -> Result<Commitments, crate::CommitmentError> {
        let points = self
            .0
            .iter()
            .map(|coefficient| ProjectivePoint::mul_by_generator(coefficient));
        Commitments::from_points(points.collect())
    }

    /// A share for each index, or `None` when one of them would be zero.
    fn shares(&self, indices: &[ShareIndex]) -> Option<Vec<Share>> {
        let mut shares = Vec::with_capacity(indices.len());
        for index in indices {
            let value = self.evaluate(*index);
            shares.push(Share::new(
                *index,
                NonZeroScalar::new(*value).into_option()?,
            ));
        }
        Some(shares)
    }

    /// `f(i)` by Horner's rule, in constant time.
    fn evaluate(&self, index: ShareIndex) -> Zeroizing<Scalar> {
        let x = Scalar::from(u64::from(index.get()));
        let mut value = Zeroizing::new(Scalar::ZERO);
        for coefficient in self.0.iter().rev() {
            *value = *value * x + **coefficient;
        }
        value
    }
}

impl Drop for Polynomial {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

fn first_repeated(indices: &[ShareIndex]) -> Option<ShareIndex> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some(*a),
        _ => None,
    })
}
