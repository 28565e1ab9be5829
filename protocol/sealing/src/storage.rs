//! Sealing under a symmetric key: what an application keeps outside the enclave.
//!
//! Each object has a key of its own: HKDF-SHA256 (RFC 5869) of the storage key with 32 random bytes
//! as salt and the label and the SHA-256 of the context as info. That key seals one message, with
//! AES-256-GCM and a nonce of zeros, so no nonce is ever used twice under one key however many
//! objects there are. The context is the additional data besides.
//!
//! Guarantees: only a holder of the storage key reads an object; a change of any bit of it, or
//! another context, is detected; a plaintext is at most [`MAX_PLAINTEXT`] bytes and a longer
//! ciphertext is refused before any work. Keys and plaintexts have neither `Debug` nor `Clone` and
//! are overwritten when dropped.
//!
//! Trusts: the generator. A repeated salt together with a repeated context repeats a key.
//!
//! Does not: hide the length of a message, or say which of the holders of the key sealed it.

use alloc::vec::Vec;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::seal::{OpenError, SealError, TAG_LEN};

/// Bytes of a storage key.
pub const STORAGE_KEY_LEN: usize = 32;
/// Bytes of the salt of one object.
pub const SALT_LEN: usize = 32;
/// Largest plaintext in bytes.
pub const MAX_PLAINTEXT: usize = 1024;
/// First part of the info of every derivation.
const LABEL: &[u8] = b"quorate/sealed-secret/v1";

/// Which algorithms a stored object uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StorageSuite {
    /// HKDF-SHA256 and AES-256-GCM as this module describes. Quorate's number is 1.
    HkdfSha256Aes256Gcm,
}

impl StorageSuite {
    /// Quorate's number of this suite.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::HkdfSha256Aes256Gcm => 1,
        }
    }

    /// The suite with this number, or `None` when this version knows no such suite.
    #[must_use]
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            1 => Some(Self::HkdfSha256Aes256Gcm),
            _ => None,
        }
    }
}

/// A sealed object. All parts are public, and nothing about them is known until it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// How it is sealed.
    pub suite: StorageSuite,
    /// Random; makes the key of this object.
    pub salt: [u8; SALT_LEN],
    /// The ciphertext with its tag: [`TAG_LEN`] bytes longer than the plaintext.
    pub ciphertext: Vec<u8>,
}

/// A symmetric key, the same in every instance that was given it.
pub struct StorageKey(Zeroizing<[u8; STORAGE_KEY_LEN]>);

impl StorageKey {
    /// Takes a key. The caller erases its own copy.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; STORAGE_KEY_LEN]) -> Self {
        let mut key = Zeroizing::new([0; STORAGE_KEY_LEN]);
        key.copy_from_slice(bytes);
        Self(key)
    }

    /// Seals `plaintext` for `context`, which says what exactly it belongs to.
    ///
    /// # Errors
    /// [`SealError`] if the plaintext is longer than [`MAX_PLAINTEXT`].
    pub fn seal(
        &self,
        context: &[u8],
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Stored, SealError> {
        let length = plaintext.len();
        if length > MAX_PLAINTEXT {
            return Err(SealError::NotSealed { length });
        }
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        let cipher = self
            .cipher(&salt, context)
            .ok_or(SealError::NotSealed { length })?;
        // Room for the tag is taken first, so the plaintext is never moved in memory.
        let mut buffer = Vec::with_capacity(length.saturating_add(TAG_LEN));
        buffer.extend_from_slice(plaintext);
        match cipher.encrypt_inout_detached(
            &Nonce::default(),
            context,
            buffer.as_mut_slice().into(),
        ) {
            Ok(tag) => buffer.extend_from_slice(&tag),
            Err(_) => {
                buffer.zeroize();
                return Err(SealError::NotSealed { length });
            }
        }
        Ok(Stored {
            suite: StorageSuite::HkdfSha256Aes256Gcm,
            salt,
            ciphertext: buffer,
        })
    }

    /// Opens an object that was sealed for `context`.
    ///
    /// # Errors
    /// [`OpenError`]. One variant stands for a wrong key or context and for altered bytes.
    pub fn open(&self, context: &[u8], stored: &Stored) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let StorageSuite::HkdfSha256Aes256Gcm = stored.suite;
        let Some((body, tag)) = stored.ciphertext.split_last_chunk::<TAG_LEN>() else {
            return Err(OpenError::TooShort {
                length: stored.ciphertext.len(),
            });
        };
        if body.len() > MAX_PLAINTEXT {
            return Err(OpenError::TooLong {
                length: body.len(),
                limit: MAX_PLAINTEXT,
            });
        }
        let cipher = self
            .cipher(&stored.salt, context)
            .ok_or(OpenError::NotAuthentic)?;
        let mut plaintext = Zeroizing::new(body.to_vec());
        cipher
            .decrypt_inout_detached(
                &Nonce::default(),
                context,
                plaintext.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| OpenError::NotAuthentic)?;
        Ok(plaintext)
    }

    /// The cipher of one object.
    fn cipher(&self, salt: &[u8; SALT_LEN], context: &[u8]) -> Option<Aes256Gcm> {
        let context = Sha256::digest(context);
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(salt), self.0.as_slice())
            .expand_multi_info(&[LABEL, &context], key.as_mut_slice())
            .ok()?;
        Aes256Gcm::new_from_slice(key.as_slice()).ok()
    }
}
