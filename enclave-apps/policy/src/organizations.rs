//! Organizations that were verified, so that the same one is verified once.
//!
//! Guarantees: an entry is found only by the very bytes that were verified, signature included; at
//! most [`MAX_ORGANIZATIONS`] are kept, and the one that was kept longest makes room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use p256::ecdsa::SigningKey;
use quorate_es256::VerifyingKey;
use quorate_protocol::activity::AppReason;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::organization::{Founding, Organization, Uuid};

/// Organizations that are kept, at most.
pub const MAX_ORGANIZATIONS: usize = 4096;

/// An organization of this namespace.
pub struct Verified<K> {
    /// Its terms.
    pub terms: Founding,
    /// Names it.
    pub digest: Digest<Organization>,
    /// What requests call it.
    pub id: String,
    /// The owner's key, ready to verify.
    pub owner: K,
}

/// Those that were verified.
pub struct Organizations<K> {
    genesis: Digest<Genesis>,
    signer: VerificationKey,
    kept: Mutex<Kept<K>>,
}

struct Kept<K> {
    entries: HashMap<Vec<u8>, Arc<Verified<K>>>,
    order: VecDeque<Vec<u8>>,
}

impl<K: VerifyingKey> Organizations<K> {
    /// Those that `key` signed, for this namespace.
    pub fn new(genesis: Digest<Genesis>, key: &SigningKey) -> Self {
        let kept = Kept {
            entries: HashMap::new(),
            order: VecDeque::new(),
        };
        Self {
            genesis,
            signer: VerificationKey::of(key),
            kept: Mutex::new(kept),
        }
    }

    /// Verifies an organization, or finds that it was.
    ///
    /// # Errors
    /// [`AppReason::OrganizationAltered`].
    pub fn verify(
        &self,
        organization: &Signed<Organization>,
    ) -> Result<Arc<Verified<K>>, AppReason> {
        let bytes = to_bytes(organization);
        if let Some(known) = self.lock().entries.get(&bytes) {
            return Ok(Arc::clone(known));
        }
        let altered = AppReason::OrganizationAltered;
        let claim = organization.verify(&self.signer).map_err(|_| altered)?;
        let terms = claim.founding.clone();
        if terms.genesis != self.genesis {
            return Err(altered);
        }
        let digest = Digest::of(claim);
        let verified = Arc::new(Verified {
            digest,
            id: Uuid::of(&digest).to_string(),
            owner: K::from_sec1(&terms.owner.to_compressed()).map_err(|_| altered)?,
            terms,
        });
        self.lock().keep(bytes, Arc::clone(&verified));
        Ok(verified)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<K>> {
        // Between two changes a panic could lose an entry's place in the order, no entry's truth.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Kept<K> {
    fn keep(&mut self, bytes: Vec<u8>, verified: Arc<Verified<K>>) {
        if self.entries.insert(bytes.clone(), verified).is_none() {
            self.order.push_back(bytes);
        }
        while self.order.len() > MAX_ORGANIZATIONS {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }
}
