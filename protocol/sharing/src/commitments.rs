//! Feldman commitments: what everybody knows about a sharing.
//!
//! A value of [`Commitments`] has 2 to 255 points, each on the curve and none the identity. The
//! number of points is the threshold, and the first is the public key of the secret. The encoded
//! bytes are kept beside the points, so encoding again gives the bytes that were read, and two
//! values are equal exactly when their bytes are: a point has one compressed encoding.
//!
//! All of this is public, so evaluation in the exponent may take variable time. Horner's rule
//! needs only multiplications of a point by the 8-bit index. The one secret that enters, the value
//! of a share under [`Commitments::check`], is multiplied in constant time.

use alloc::vec::Vec;
use core::fmt;

use p256::ecdsa::VerifyingKey;
use p256::elliptic_curve::Group;
use p256::elliptic_curve::group::GroupEncoding;
use p256::{AffinePoint, CompressedPoint, ProjectivePoint};

use crate::index::ShareIndex;
use crate::share::Share;

/// Length of a compressed point (SEC1 2.3.3) in bytes.
pub const POINT_LEN: usize = 33;
/// Smallest threshold. With 1 every member would hold the secret.
pub const MIN_THRESHOLD: u8 = 2;
/// Largest threshold: there are only 255 indices.
pub const MAX_THRESHOLD: u8 = u8::MAX;

/// The commitments `A₀ … A₍ₜ₋₁₎` to a polynomial of degree `t − 1`. Public.
#[derive(Clone)]
pub struct Commitments {
    threshold: u8,
    // Invariant: both have `threshold` elements, and `encoded[j]` is the encoding of `points[j]`.
    points: Vec<ProjectivePoint>,
    encoded: Vec<[u8; POINT_LEN]>,
    // encoded[0], kept by value so that no accessor has to index.
    public_key: [u8; POINT_LEN],
}

impl Commitments {
    /// Reads compressed points, the constant term's first.
    ///
    /// # Errors
    ///
    /// [`CommitmentError`] for fewer than 2 or more than 255 points, and for the first point that
    /// is not a compressed point of the curve. The identity has no compressed encoding of 33 bytes,
    /// so it is refused by its first byte.
    pub fn from_compressed(encoded: &[[u8; POINT_LEN]]) -> Result<Self, CommitmentError> {
        let threshold = threshold_of(encoded.len())?;
        let points = encoded
            .iter()
            .enumerate()
            .map(|(position, bytes)| decompress(position, bytes).map(ProjectivePoint::from))
            .collect::<Result<Vec<_>, _>>()?;
        Self::assemble(threshold, points, encoded.to_vec())
    }

    /// The compressed points, the constant term's first.
    #[must_use]
    pub fn to_compressed(&self) -> &[[u8; POINT_LEN]] {
        &self.encoded
    }

    /// How many shares give the secret: the number of points, 2 to 255.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }

    /// `A₀ = s·G`, SEC1 compressed: the public key of the secret.
    #[must_use]
    pub const fn public_key(&self) -> [u8; POINT_LEN] {
        self.public_key
    }

    /// `Σ iʲ·Aⱼ = f(i)·G`: the key under which a signature by share `i` verifies.
    ///
    /// # Errors
    ///
    /// [`CommitmentError::MemberKeyIsIdentity`] when the commitments give this index the share
    /// zero. [`split`](crate::split) never makes such commitments.
    pub fn member_key(&self, index: ShareIndex) -> Result<VerifyingKey, CommitmentError> {
        // Refuses the identity and nothing else: a sum of curve points is on the curve.
        VerifyingKey::from_affine(self.evaluate(index).to_affine())
            .map_err(|_| CommitmentError::MemberKeyIsIdentity { index })
    }

    /// Whether `share` is on the committed polynomial: `f(i)·G = Σ iʲ·Aⱼ`.
    ///
    /// # Errors
    ///
    /// [`WrongShare`] with the index of the share when it is not.
    pub fn check(&self, share: &Share) -> Result<(), WrongShare> {
        let index = share.index();
        let shown = ProjectivePoint::mul_by_generator(share.value());
        if shown == self.evaluate(index) {
            Ok(())
        } else {
            Err(WrongShare { index })
        }
    }

    /// Commitments to the coefficients of a fresh polynomial. The points must not be the identity.
    pub(crate) fn from_points(points: Vec<ProjectivePoint>) -> Result<Self, CommitmentError> {
        let threshold = threshold_of(points.len())?;
        let encoded = points
            .iter()
            .map(|point| compress(&point.to_affine()))
            .collect();
        Self::assemble(threshold, points, encoded)
    }

    fn assemble(
        threshold: u8,
        points: Vec<ProjectivePoint>,
        encoded: Vec<[u8; POINT_LEN]>,
    ) -> Result<Self, CommitmentError> {
        if let Some(position) = points.iter().position(|point| point.is_identity().into()) {
            return Err(CommitmentError::Identity { position });
        }
        let public_key = *encoded
            .first()
            .ok_or(CommitmentError::TooFew { count: 0 })?;
        Ok(Self {
            threshold,
            points,
            encoded,
            public_key,
        })
    }

    /// `Σ iʲ·Aⱼ` by Horner's rule. Variable time in public values.
    fn evaluate(&self, index: ShareIndex) -> ProjectivePoint {
        let mut sum = ProjectivePoint::IDENTITY;
        for (step, point) in self.points.iter().rev().enumerate() {
            // The first step would multiply the identity.
            sum = if step == 0 {
                *point
            } else {
                times_small(&sum, index) + point
            };
        }
        sum
    }
}

impl PartialEq for Commitments {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl Eq for Commitments {}

impl fmt::Debug for Commitments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.encoded.iter().map(|bytes| Hex(bytes)))
            .finish()
    }
}

/// Why bytes are not commitments, or what is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitmentError {
    /// The first byte is neither 2 nor 3. The identity, uncompressed and hybrid points end here.
    #[error(
        "commitment {position} starts with byte {prefix:#04x}; a compressed point starts with \
         0x02 or 0x03"
    )]
    BadPrefix {
        /// Place in the list, from 0.
        position: usize,
        /// The first byte found.
        prefix: u8,
    },
    /// A point is the identity: its coefficient is zero.
    #[error("commitment {position} is the point at infinity; the sharing was not made correctly")]
    Identity {
        /// Place in the list, from 0.
        position: usize,
    },
    /// The commitments give this index the share zero.
    #[error("the commitments give index {index} the share zero; the sharing must be made again")]
    MemberKeyIsIdentity {
        /// The index asked for.
        index: ShareIndex,
    },
    /// No point of the curve has this x coordinate, or it is not below the field prime.
    #[error("commitment {position} is not a point of P-256; the bytes are damaged or forged")]
    NotOnCurve {
        /// Place in the list, from 0.
        position: usize,
    },
    /// Fewer points than the smallest threshold.
    #[error("there are {count} commitments; a sharing has at least {MIN_THRESHOLD}")]
    TooFew {
        /// How many there are.
        count: usize,
    },
    /// More points than there are indices.
    #[error("there are {count} commitments; a sharing has at most {MAX_THRESHOLD}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// A share that is not on the committed polynomial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the share with index {index} does not match the commitments; its holder must look for \
     another copy, or it belongs to another sharing"
)]
pub struct WrongShare {
    /// Index of the share.
    pub index: ShareIndex,
}

/// SEC1 compressed encoding. The point must not be the identity, whose encoding here would be 33
/// zero bytes, which [`decompress`] refuses.
pub(crate) fn compress(point: &AffinePoint) -> [u8; POINT_LEN] {
    point.to_bytes().into()
}

fn decompress(position: usize, bytes: &[u8; POINT_LEN]) -> Result<AffinePoint, CommitmentError> {
    let [prefix, ..] = *bytes;
    if !matches!(prefix, 2 | 3) {
        return Err(CommitmentError::BadPrefix { position, prefix });
    }
    AffinePoint::from_bytes(&CompressedPoint::from(*bytes))
        .into_option()
        .ok_or(CommitmentError::NotOnCurve { position })
}

fn threshold_of(count: usize) -> Result<u8, CommitmentError> {
    match u8::try_from(count) {
        Err(_) => Err(CommitmentError::TooMany { count }),
        Ok(threshold) if threshold < MIN_THRESHOLD => Err(CommitmentError::TooFew { count }),
        Ok(threshold) => Ok(threshold),
    }
}

/// `index·point` by doubling and adding from the highest set bit: at most 7 of each. The formulas
/// are complete, so the identity and equal points need no special case.
fn times_small(point: &ProjectivePoint, index: ShareIndex) -> ProjectivePoint {
    let index = index.get();
    let mut product = *point;
    for bit in (0..index.ilog2()).rev() {
        product = product.double();
        if (index >> bit) & 1 == 1 {
            product += point;
        }
    }
    product
}

struct Hex<'a>(&'a [u8]);

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::Scalar;

    #[test]
    fn times_small_agrees_with_full_multiplication_for_every_index() {
        let point = ProjectivePoint::GENERATOR * Scalar::from(0xdead_beef_u64);
        for value in 1..=u8::MAX {
            let index = ShareIndex::new(value).expect("not zero");
            assert_eq!(
                times_small(&point, index),
                point * Scalar::from(u64::from(value))
            );
        }
    }

    #[test]
    fn identity_among_points_fails_closed() {
        let points = alloc::vec![ProjectivePoint::GENERATOR, ProjectivePoint::IDENTITY];
        assert_eq!(
            Commitments::from_points(points),
            Err(CommitmentError::Identity { position: 1 })
        );
    }
}
