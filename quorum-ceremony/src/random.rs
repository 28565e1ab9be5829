//! Randomness of the operating system. Its failure is an error, never a panic half-way.

use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::{Blame, Explanation};

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

impl NoRandomness {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        Explanation::new(
            "no-randomness",
            Blame::Machine,
            "do not take part in a ceremony on this machine until getrandom(2) works",
        )
    }
}

/// Fresh random bytes, wiped when dropped.
///
/// # Errors
/// [`NoRandomness`].
pub fn bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// The system's generator for the libraries that draw keys.
///
/// getrandom(2) does not fail once it has worked: it waits for its pool at boot and has no state
/// to lose. So it is tried once here, where there is an error to return.
///
/// # Errors
/// [`NoRandomness`].
pub(crate) fn generator() -> Result<impl CryptoRng, NoRandomness> {
    bytes::<1>()?;
    Ok(rand_core::UnwrapErr(getrandom::SysRng))
}
