//! The index of a share: the point at which the polynomial is evaluated, 1 to 255.
//!
//! Zero is not an index because `f(0)` is the secret itself. The genesis or reshare record fixes
//! which member has which index; this crate only keeps indices apart.

use core::fmt;
use core::num::NonZeroU8;

/// Index of a share, 1 to 255. Public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareIndex(NonZeroU8);

impl ShareIndex {
    /// The index `value`, or `None` for zero: `f(0)` is the secret, never a share.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The index as a number, 1 to 255.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl TryFrom<u8> for ShareIndex {
    type Error = ZeroIndex;

    fn try_from(value: u8) -> Result<Self, ZeroIndex> {
        Self::new(value).ok_or(ZeroIndex)
    }
}

impl From<ShareIndex> for u8 {
    fn from(index: ShareIndex) -> Self {
        index.get()
    }
}

impl fmt::Display for ShareIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A share index was zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a share index is zero; indices go from 1 to 255")]
pub struct ZeroIndex;

#[cfg(test)]
mod tests {
    use super::{ShareIndex, ZeroIndex};

    #[test]
    fn zero_index_fails_closed() {
        assert_eq!(ShareIndex::new(0), None);
        assert_eq!(ShareIndex::try_from(0), Err(ZeroIndex));
        for value in 1..=u8::MAX {
            assert_eq!(ShareIndex::new(value).map(u8::from), Some(value));
        }
    }
}
