//! Chains of certificates whose signatures have been verified already.
//!
//! One leaf signs many documents, so a verifier that sees several documents of one enclave can
//! verify four of five signatures once. What is remembered is one sentence: *in exactly these bytes,
//! from the pinned root to the leaf, each certificate is signed by the one before it*. That cannot
//! become false. Everything that can, is checked again at each use: the trust in the root, the
//! window of every certificate, the profile, the names, and the signature of the document.
//!
//! The key is every byte of the chain, the pinned root's included, with the length of each
//! certificate before it, so no other chain has it; and a chain comes in only after its signatures
//! were verified. A sender with many genuine chains can push others out, which costs their next
//! verification four signatures, and nothing else.
//!
//! Entries and bytes are bounded. The lock is held while looking and never while verifying.

use core::fmt;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How much a cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Chains, at most.
    pub entries: usize,
    /// Bytes of certificates, at most.
    pub bytes: usize,
}

impl Default for CacheLimits {
    /// 64 chains and 512 KiB. A chain of AWS's has about 3.4 KiB.
    fn default() -> Self {
        Self {
            entries: 64,
            bytes: 512 * 1024,
        }
    }
}

/// Every byte of a chain, each certificate after its length.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ChainBytes(Vec<u8>);

impl ChainBytes {
    pub(super) fn of<'a>(certificates: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        const LENGTH: usize = size_of::<u64>();
        let total = certificates
            .clone()
            .map(|certificate| certificate.len().saturating_add(LENGTH))
            .fold(0, usize::saturating_add);
        let mut bytes = Vec::with_capacity(total);
        for certificate in certificates {
            bytes.extend((certificate.len() as u64).to_be_bytes());
            bytes.extend(certificate);
        }
        Self(bytes)
    }
}

/// The chains, and when each was last asked for.
pub(super) struct ChainCache {
    limits: CacheLimits,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    last_use: HashMap<ChainBytes, u64>,
    bytes: usize,
    uses: u64,
}

impl ChainCache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            held: Mutex::default(),
        }
    }

    /// Whether the signatures of this chain have been verified.
    pub(super) fn contains(&self, chain: &ChainBytes) -> bool {
        let mut held = self.lock();
        let now = held.tick();
        match held.last_use.get_mut(chain) {
            Some(last_use) => {
                *last_use = now;
                true
            }
            None => false,
        }
    }

    /// Remembers a chain of which every signature has just been verified, and forgets those that
    /// were not asked for longest until it fits.
    pub(super) fn insert(&self, chain: ChainBytes) {
        let length = chain.0.len();
        if self.limits.entries == 0 || length > self.limits.bytes {
            return;
        }
        let mut held = self.lock();
        let now = held.tick();
        if held.last_use.contains_key(&chain) {
            return;
        }
        let room = self.limits.bytes.saturating_sub(length);
        while held.last_use.len() >= self.limits.entries || held.bytes > room {
            held.forget_oldest();
        }
        held.bytes = held.bytes.saturating_add(length);
        held.last_use.insert(chain, now);
    }

    /// How many chains and bytes are held.
    pub(super) fn size(&self) -> CacheLimits {
        let held = self.lock();
        CacheLimits {
            entries: held.last_use.len(),
            bytes: held.bytes,
        }
    }

    /// A thread that panicked while it held the lock has left whole entries only.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ChainCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainCache")
            .field("limits", &self.limits)
            .field("size", &self.size())
            .finish()
    }
}

impl Held {
    /// The number of this use, from 1.
    fn tick(&mut self) -> u64 {
        self.uses = self.uses.saturating_add(1);
        self.uses
    }

    fn forget_oldest(&mut self) {
        let oldest = self
            .last_use
            .iter()
            .min_by_key(|(_, last_use)| **last_use)
            .map(|(chain, _)| chain.clone());
        match oldest {
            Some(chain) => {
                self.last_use.remove(&chain);
                self.bytes = self.bytes.saturating_sub(chain.0.len());
            }
            // Nothing is held, so nothing is counted, and the loop that asked ends.
            None => self.bytes = 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(fill: u8, length: usize) -> ChainBytes {
        let certificate = vec![fill; length];
        ChainBytes::of([&certificate[..]].into_iter())
    }

    fn bounded(entries: usize, bytes: usize) -> ChainCache {
        ChainCache::new(CacheLimits { entries, bytes })
    }

    #[test]
    fn chains_that_differ_only_in_where_certificates_end_are_different() {
        let of = |parts: &[&[u8]]| ChainBytes::of(parts.iter().copied());
        let split = of(&[&[1, 2], &[3]]);
        assert!(split == of(&[&[1, 2], &[3]]));
        for other in [
            of(&[&[1], &[2, 3]]),
            of(&[&[1, 2, 3]]),
            of(&[&[1, 2], &[3], &[]]),
            of(&[&[3], &[1, 2]]),
            of(&[&[1, 2], &[4]]),
        ] {
            assert!(split != other);
        }
    }

    #[test]
    fn what_was_not_asked_for_longest_is_forgotten_first() {
        let cache = bounded(2, 1000);
        let [a, b, c] = [1, 2, 3].map(|fill| chain(fill, 10));
        cache.insert(a.clone());
        cache.insert(b.clone());
        assert!(cache.contains(&a));
        cache.insert(c.clone());
        assert!(cache.contains(&a) && cache.contains(&c) && !cache.contains(&b));
        assert_eq!(cache.size().entries, 2);
        cache.insert(c);
        assert_eq!(cache.size().entries, 2);
        assert!(cache.contains(&a));
    }

    #[test]
    fn entries_and_bytes_are_bounded() {
        let cache = bounded(4, 100);
        for fill in 0..=u8::MAX {
            cache.insert(chain(fill, 32));
            let size = cache.size();
            assert!(size.entries <= 4 && size.bytes <= 100, "{size:?}");
        }
        // Two of 40 bytes each, lengths included; a third would be 120.
        assert_eq!(
            cache.size(),
            CacheLimits {
                entries: 2,
                bytes: 80
            }
        );
        cache.insert(chain(0, 92));
        assert_eq!(
            cache.size(),
            CacheLimits {
                entries: 1,
                bytes: 100
            }
        );
        cache.insert(chain(0, 93));
        assert_eq!(
            cache.size(),
            CacheLimits {
                entries: 1,
                bytes: 100
            }
        );
        for (entries, bytes) in [(0, 1000), (1000, 0)] {
            let none = bounded(entries, bytes);
            none.insert(chain(1, 1));
            assert_eq!(
                none.size(),
                CacheLimits {
                    entries: 0,
                    bytes: 0
                }
            );
            assert!(!none.contains(&chain(1, 1)));
        }
    }

    #[test]
    fn threads_may_share_it() {
        let cache = bounded(8, 1000);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let cache = &cache;
                scope.spawn(move || {
                    for fill in 0..200_u8 {
                        let chain = chain(fill.wrapping_mul(thread + 1), 20);
                        cache.insert(chain.clone());
                        let _ = cache.contains(&chain);
                    }
                });
            }
        });
        let size = cache.size();
        assert!(size.entries == 8 && size.bytes == 8 * 28, "{size:?}");
    }
}
