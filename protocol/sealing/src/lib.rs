//! Encryption to one person or one enclave: HPKE base mode (RFC 9180); and, in [`storage`], under
//! a symmetric key that several instances hold.
//!
//! One call seals one message to one public key, one call opens it; [`open_with`] does so with a key
//! that a token keeps. Every message has a *label*
//! (HPKE's `info`: which kind of object this is, and its version) and a *context* (HPKE's `aad`:
//! what exactly it belongs to). Both must be the same on both sides, to the bit, or opening fails;
//! so a sealed object cannot be passed off as another kind, or moved to another member, instance
//! or epoch. What goes into a context is for the protocol that uses this crate to say.
//!
//! **What it guarantees**
//!
//! * Only the holder of the decryption key can read the message, and a change of any bit of the
//!   encapsulated key, the ciphertext, the label or the context is detected.
//! * Every point is checked before a key touches it: on the curve, not the identity, in one of the
//!   two SEC1 encodings allowed. P-256 has no small subgroups.
//! * Opening refuses a ciphertext above the caller's limit before any work and before it allocates.
//! * Secret keys and opened plaintexts have neither `Debug` nor `Clone` (a plaintext is in
//!   `Zeroizing`) and are overwritten when dropped.
//!
//! **What it trusts**: `hpke` and the RustCrypto primitives under it, and the generator. Each
//! message takes one block of 32 bytes from it; a repeated block repeats a key and a nonce.
//!
//! **What it does not do**: base mode says nothing about who sealed. Senders sign (the share grant
//! covers the digest of the ciphertext). There is no forward secrecy against later loss of the
//! decryption key, which is why setup keys are destroyed. The length of a message is not hidden.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod external;
mod key;
mod seal;
pub mod storage;
mod suite;

pub use external::{DiffieHellman, ExternalOpenError, SHARED_LEN, open_with};
pub use key::{
    COMPRESSED_LEN, DecryptionKey, DecryptionKeyError, EncryptionKey, EncryptionKeyError,
    SECRET_LEN, UNCOMPRESSED_LEN,
};
pub use seal::{OpenError, SealError, Sealed, TAG_LEN, open, seal};
pub use storage::{StorageKey, StorageSuite, Stored};
pub use suite::Suite;
