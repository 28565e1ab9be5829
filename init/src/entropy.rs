//! Randomness for keys: the NSM's and the kernel's, mixed.
//!
//! Guarantees: the generator's seed is SHA-256 over the NSM's bytes, the kernel's bytes and any
//! contributions, each with its length in front. Whoever does not know all of them cannot predict
//! the output, so a host that knows the kernel's state, or a broken NSM, or a hostile contributor
//! alone gains nothing. Each generator is made for one purpose and dropped.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::nsm::{Nsm, NsmError, Transport};
use crate::sys;

/// Why there is no randomness. The enclave halts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntropyError {
    /// The kernel gave none.
    #[error("the kernel gave no entropy ({0})")]
    Kernel(nix::errno::Errno),
    /// The NSM gave none.
    #[error("the NSM gave no entropy: {0}")]
    Nsm(#[from] NsmError),
}

/// A generator seeded from the NSM, the kernel and `contributions`.
///
/// # Errors
/// [`EntropyError`]; there is no fallback to fewer sources.
pub(crate) fn generator<'a, T: Transport>(
    nsm: &mut Nsm<T>,
    contributions: impl Iterator<Item = &'a [u8]>,
) -> Result<ChaCha20Rng, EntropyError> {
    let device = nsm.random()?;
    let mut kernel = Zeroizing::new([0; 32]);
    sys::kernel_random(kernel.as_mut_slice()).map_err(EntropyError::Kernel)?;
    let mut hash = Sha256::new().chain_update(b"quorate/entropy/v1\0");
    let mut mix = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    mix(&device);
    mix(kernel.as_slice());
    contributions.for_each(mix);
    let mut seed: [u8; 32] = hash.finalize().into();
    let generator = ChaCha20Rng::from_seed(seed);
    seed.zeroize();
    Ok(generator)
}
