//! What an application keeps outside the enclave: a secret under a symmetric key.
//!
//! The object is public; [`StorageKey`] opens it, under the context it was sealed for. What goes
//! into a context is for the application to say: enough to make it impossible to pass one secret
//! off as another.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use quorate_sealing::storage::{MAX_PLAINTEXT, SALT_LEN, STORAGE_KEY_LEN};
use quorate_sealing::{StorageSuite, Stored, TAG_LEN};

pub use quorate_sealing::StorageKey;

use crate::atoms::Bytes;
use crate::cbor::object;
use crate::invalid::Invalid;

const _: () = assert!(STORAGE_KEY_LEN == 32 && SALT_LEN == 32 && MAX_PLAINTEXT + TAG_LEN == 1040);

/// A secret sealed under a [`StorageKey`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SealedSecret {
    /// How it is sealed.
    #[cbor(n(0), with = "crate::atoms::storage_suite")]
    pub suite: StorageSuite,
    /// Random; makes the key of this object.
    #[n(1)]
    pub salt: ByteArray<32>,
    /// The ciphertext with its tag.
    #[n(2)]
    pub ciphertext: Bytes<16, 1040>,
}

impl SealedSecret {
    /// The form the sealing crate opens.
    pub fn stored(&self) -> Stored {
        Stored {
            suite: self.suite,
            salt: *self.salt,
            ciphertext: self.ciphertext.as_slice().to_vec(),
        }
    }
}

impl TryFrom<Stored> for SealedSecret {
    type Error = Invalid;

    fn try_from(stored: Stored) -> Result<Self, Invalid> {
        Ok(Self {
            suite: stored.suite,
            salt: stored.salt.into(),
            ciphertext: Bytes::new(stored.ciphertext)?,
        })
    }
}

object! {
    SealedSecret => "quorate/sealed-secret/v1", 1152;
}
