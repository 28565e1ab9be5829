//! Parsed keys, kept for the next request by the same client.
//!
//! Taking the square root that a compressed key needs costs a quarter of a verification.
//!
//! Guarantees: at most as many keys as were said; when there is no room the one that was not used for
//! longest goes. What is found is what parsing would give. Nothing that failed to parse is kept.
//!
//! Trusts: nothing. Anybody can fill the cache with keys of their own; then others are parsed again,
//! and nothing worse happens. Does not: say that a key is somebody's.

use alloc::vec::Vec;

use crate::{COMPRESSED_LEN, PublicKeyError, VerifyingKey};

/// A bounded store of parsed keys.
pub struct KeyCache<K> {
    /// Used longest ago first.
    keys: Vec<([u8; COMPRESSED_LEN], K)>,
    capacity: usize,
}

impl<K: VerifyingKey> KeyCache<K> {
    /// A cache for so many keys. Looking up is a walk over all of them, made for tens.
    pub fn new(capacity: usize) -> Self {
        Self {
            keys: Vec::new(),
            capacity: capacity.max(1),
        }
    }

    /// The parsed key.
    ///
    /// # Errors
    /// [`PublicKeyError`]
    pub fn parsed(&mut self, bytes: &[u8; COMPRESSED_LEN]) -> Result<&K, PublicKeyError> {
        let found = self.keys.iter().rposition(|(other, _)| other == bytes);
        let entry = match found {
            Some(at) => self.keys.remove(at),
            None => {
                let key = K::from_sec1(bytes)?;
                if self.keys.len() >= self.capacity {
                    self.keys.remove(0);
                }
                (*bytes, key)
            }
        };
        self.keys.push(entry);
        let (_, key) = self.keys.last().ok_or(PublicKeyError)?;
        Ok(key)
    }

    /// How many keys are kept.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
