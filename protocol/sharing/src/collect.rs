//! Collecting shares and rebuilding the secret.
//!
//! Two doors to the same room. [`Collector`] takes shares one at a time, checks each on arrival,
//! names the one that is wrong and keeps the good ones: what an enclave does while members give
//! their shares. [`combine`] takes them all at once.
//!
//! Either way the secret that comes out has been multiplied with the generator and compared with
//! the public key. After per-share checks that cannot fail; it is the last line of defence against
//! a fault in this code or in the machine.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use p256::{NonZeroScalar, Scalar};
use zeroize::{Zeroize, Zeroizing};

use crate::commitments::{Commitments, WrongShare};
use crate::index::ShareIndex;
use crate::scalar::Secret;
use crate::share::Share;

/// The shares of one provisioning, each checked against the same commitments.
pub struct Collector {
    commitments: Commitments,
    // Invariant: sorted by index, distinct, each checked against `commitments`.
    shares: Vec<Share>,
}

impl Collector {
    /// An empty collection for one sharing.
    #[must_use]
    pub fn new(commitments: Commitments) -> Self {
        Self {
            commitments,
            // Room for every index at once: a vector that grows leaves copies behind.
            shares: Vec::with_capacity(usize::from(u8::MAX)),
        }
    }

    /// Checks one share and keeps it.
    ///
    /// A share beyond the threshold is checked and kept too. A refused share changes nothing: the
    /// shares kept so far stay.
    ///
    /// # Errors
    ///
    /// [`ShareRefused`] with the index, when the share is not on the committed polynomial or its
    /// index is already there.
    pub fn accept(&mut self, share: Share) -> Result<Progress, ShareRefused> {
        let index = share.index();
        let Err(place) = self.shares.binary_search_by_key(&index, Share::index) else {
            return Err(ShareRefused::Repeated { index });
        };
        self.commitments
            .check(&share)
            .map_err(|WrongShare { index }| ShareRefused::Wrong { index })?;
        self.shares.insert(place, share);
        Ok(self.progress())
    }

    /// The indices of the shares kept, ascending.
    #[must_use]
    pub fn accepted(&self) -> Vec<ShareIndex> {
        self.shares.iter().map(Share::index).collect()
    }

    /// How many shares there are and how many are needed.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            have: self.shares.len(),
            need: usize::from(self.commitments.threshold()),
        }
    }

    /// The commitments the shares are checked against.
    #[must_use]
    pub const fn commitments(&self) -> &Commitments {
        &self.commitments
    }

    /// Rebuilds the secret. The shares are erased with the collector.
    ///
    /// # Errors
    ///
    /// [`NotReconstructed`] with the reason and the collector, untouched, when shares are missing
    /// (or, after a fault, when the result is not the committed secret).
    pub fn reconstruct(self) -> Result<Secret, NotReconstructed> {
        match interpolate(&self.commitments, &self.shares) {
            Ok(secret) => Ok(secret),
            Err(reason) => Err(NotReconstructed {
                reason,
                collector: Box::new(self),
            }),
        }
    }
}

/// Shows the public parts only: indices and commitments.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("accepted", &self.accepted())
            .field("commitments", &self.commitments)
            .finish_non_exhaustive()
    }
}

/// How far a collection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Shares kept.
    pub have: usize,
    /// Shares needed: the threshold.
    pub need: usize,
}

impl Progress {
    /// Whether there are enough shares.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        self.have >= self.need
    }
}

/// Rebuilds the secret from at least `threshold` shares in any order.
///
/// Every share is checked, the ones beyond the threshold too.
///
/// # Errors
///
/// [`CombineError`]: too few shares, a repeated index, or a share that does not match, named by its
/// index.
pub fn combine(commitments: &Commitments, shares: &[Share]) -> Result<Secret, CombineError> {
    let mut seen = [false; 256];
    for share in shares {
        let index = share.index();
        match seen.get_mut(usize::from(index.get())) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(CombineError::Repeated { index }),
        }
    }
    let need = usize::from(commitments.threshold());
    if shares.len() < need {
        return Err(CombineError::TooFew {
            have: shares.len(),
            need,
        });
    }
    for share in shares {
        commitments
            .check(share)
            .map_err(|WrongShare { index }| CombineError::Wrong { index })?;
    }
    interpolate(commitments, shares)
}

/// Why no secret was rebuilt from a set of shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CombineError {
    /// Valid shares gave a scalar that is not the committed secret. Only a fault of this code or of
    /// the machine leads here.
    #[error("the rebuilt secret does not match the public key; nothing was released")]
    NotTheSecret,
    /// Two shares have one index.
    #[error("two shares have index {index}; give each share once")]
    Repeated {
        /// The repeated index.
        index: ShareIndex,
    },
    /// Fewer shares than the threshold.
    #[error("there are {have} shares and {need} are needed; more members must give theirs")]
    TooFew {
        /// Shares there are.
        have: usize,
        /// Shares needed.
        need: usize,
    },
    /// A share is not on the committed polynomial.
    #[error("the share with index {index} does not match the commitments; leave it out")]
    Wrong {
        /// Index of the bad share.
        index: ShareIndex,
    },
}

/// Why a collector did not keep a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareRefused {
    /// A share with this index is already there.
    #[error("a share with index {index} was already accepted; nothing has changed")]
    Repeated {
        /// Index of the share.
        index: ShareIndex,
    },
    /// The share is not on the committed polynomial.
    #[error(
        "the share with index {index} does not match the commitments; the others are kept, its \
         holder must look for another copy"
    )]
    Wrong {
        /// Index of the share.
        index: ShareIndex,
    },
}

/// A collector that could not give the secret, with the reason.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct NotReconstructed {
    /// Why.
    pub reason: CombineError,
    /// The collector, with every share it had.
    pub collector: Box<Collector>,
}

/// `f(0)` by Lagrange's formula from the first `threshold` shares, compared with the public key.
/// The shares must have distinct indices.
///
/// Constant time in the values of the shares; the coefficients depend on indices only.
fn interpolate(commitments: &Commitments, shares: &[Share]) -> Result<Secret, CombineError> {
    let need = usize::from(commitments.threshold());
    let Some(shares) = shares.get(..need) else {
        return Err(CombineError::TooFew {
            have: shares.len(),
            need,
        });
    };
    let mut sum = Zeroizing::new(Scalar::ZERO);
    for share in shares {
        *sum += **share.value() * lagrange_at_zero(share.index(), shares)?;
    }
    let mut secret = *sum;
    let nonzero = NonZeroScalar::new(secret).into_option();
    secret.zeroize();
    let secret = Secret::from_scalar(nonzero.ok_or(CombineError::NotTheSecret)?);
    if secret.public_key() == commitments.public_key() {
        Ok(secret)
    } else {
        Err(CombineError::NotTheSecret)
    }
}

/// `Π j / (j − i)` over the indices `j` other than `i`. Public.
fn lagrange_at_zero(i: ShareIndex, shares: &[Share]) -> Result<Scalar, CombineError> {
    let x = Scalar::from(u64::from(i.get()));
    let mut numerator = Scalar::ONE;
    let mut denominator = Scalar::ONE;
    for j in shares.iter().map(Share::index).filter(|j| *j != i) {
        let y = Scalar::from(u64::from(j.get()));
        numerator *= y;
        denominator *= y - x;
    }
    // Zero only if an index were repeated.
    let inverse = denominator.invert_vartime().into_option();
    Ok(numerator * inverse.ok_or(CombineError::Repeated { index: i })?)
}
