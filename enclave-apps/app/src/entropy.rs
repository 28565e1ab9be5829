//! Randomness for keys: the NSM's, mixed with the kernel's.
//!
//! What is given is HKDF-SHA256 over bytes of both, so it is as good as the better of the two. The
//! NSM's bytes come from init, a few hundred at a time; each is used once and erased.

use std::sync::{Arc, Mutex, PoisonError};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use hkdf::Hkdf;
use quorate_protocol::control::{EntropyLength, MAX_ENTROPY};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::control::Control;
use crate::error::AppError;
use crate::sys;

/// Bytes of each source in one derivation.
const SEED: usize = 32;
/// Bytes one derivation gives, at most (RFC 5869, section 2.3).
const OUTPUT: usize = 255 * 32;
/// Info of the derivation.
const INFO: &[u8] = b"quorate/application-entropy/v1";

/// Gives random bytes. Clones share one store of the NSM's.
#[derive(Clone)]
pub struct Entropy {
    control: Arc<Control>,
    pool: Arc<Mutex<Zeroizing<Vec<u8>>>>,
}

impl Entropy {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        Self {
            control,
            pool: Arc::new(Mutex::new(Zeroizing::new(Vec::new()))),
        }
    }

    /// Fills `buffer`. Waits while the rate at which init gives entropy is used up.
    ///
    /// # Errors
    /// [`AppError::Entropy`], [`AppError::Control`]: init did not give any, or the kernel.
    pub fn fill(&self, buffer: &mut [u8]) -> Result<(), AppError> {
        for part in buffer.chunks_mut(OUTPUT) {
            let mut seed = Zeroizing::new([0; 2 * SEED]);
            let (module, kernel) = seed.split_at_mut(SEED);
            self.take(module)?;
            sys::kernel_random(kernel).map_err(AppError::Randomness)?;
            Hkdf::<Sha256>::new(None, seed.as_slice())
                .expand(INFO, part)
                .map_err(|_| AppError::Entropy)?;
        }
        Ok(())
    }

    /// A generator seeded with [`fill`](Self::fill), for one purpose.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub fn generator(&self) -> Result<ChaCha20Rng, AppError> {
        let mut seed = Zeroizing::new([0; 32]);
        self.fill(seed.as_mut_slice())?;
        Ok(ChaCha20Rng::from_seed(*seed))
    }

    /// Bytes of the NSM that nobody else gets.
    fn take(&self, part: &mut [u8]) -> Result<(), AppError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < part.len() {
            let length = u16::try_from(MAX_ENTROPY).unwrap_or(0);
            let length = EntropyLength::new(length).map_err(|_| AppError::Entropy)?;
            let given = self.control.entropy(length)?;
            *pool = Zeroizing::new(given.as_slice().to_vec());
        }
        let from = pool
            .len()
            .checked_sub(part.len())
            .ok_or(AppError::Entropy)?;
        let bytes = pool.get_mut(from..).unwrap_or_default();
        part.copy_from_slice(bytes);
        bytes.zeroize();
        pool.truncate(from);
        Ok(())
    }
}
