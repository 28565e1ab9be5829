//! Sealing and opening, one message for each encapsulated key (RFC 9180, section 6.1).

use alloc::vec;
use alloc::vec::Vec;

use hpke::aead::{AeadTag, AesGcm256};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable, single_shot_open_inout_detached,
    single_shot_seal_with_rng,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::key::{DecryptionKey, EncryptionKey, EncryptionKeyError, UNCOMPRESSED_LEN};
use crate::suite::Suite;

/// Bytes by which a ciphertext is longer than its plaintext: the AES-GCM tag.
pub const TAG_LEN: usize = 16;

pub(crate) type Kem = DhP256HkdfSha256;
pub(crate) type Kdf = HkdfSha256;
pub(crate) type Aead = AesGcm256;

/// A sealed message. Both parts are public, and nothing about them is known until [`open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The encapsulated key: the sender's ephemeral point, SEC1 uncompressed. [`open`] checks that
    /// it is on the curve before the decryption key touches it.
    pub enc: [u8; UNCOMPRESSED_LEN],
    /// The ciphertext with its tag: [`TAG_LEN`] bytes longer than the plaintext.
    pub ciphertext: Vec<u8>,
}

/// Seals `plaintext` to `recipient`.
///
/// `info` is the label of the kind of object; `aad` is the context it belongs to. Takes 32 bytes
/// from `rng`, the input keying material of the ephemeral key (RFC 9180, section 4.1).
///
/// # Errors
///
/// [`SealError`]; a message of sane length to a key that was read is always sealed.
pub fn seal(
    suite: Suite,
    recipient: &EncryptionKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Sealed, SealError> {
    match suite {
        Suite::P256Sha256Aes256Gcm => {
            let (enc, ciphertext) = single_shot_seal_with_rng::<Aead, Kdf, Kem>(
                &OpModeS::Base,
                recipient.point(),
                info,
                plaintext,
                aad,
                rng,
            )
            .map_err(|_| SealError::NotSealed {
                length: plaintext.len(),
            })?;
            Ok(Sealed {
                enc: enc.to_bytes().into(),
                ciphertext,
            })
        }
    }
}

/// Opens `sealed` with `key`, under the same `info` and `aad` it was sealed with.
///
/// `max_plaintext` bounds the plaintext in bytes; a longer message is refused unread.
///
/// # Errors
///
/// [`OpenError`]. One variant stands for a wrong key, label or context and for altered bytes: HPKE
/// cannot tell them apart, and must not.
pub fn open(
    suite: Suite,
    key: &DecryptionKey,
    info: &[u8],
    aad: &[u8],
    sealed: &Sealed,
    max_plaintext: usize,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    match suite {
        Suite::P256Sha256Aes256Gcm => {
            let (body, tag) = sealed.split(max_plaintext)?;
            let ephemeral = EncryptionKey::from_sec1(&sealed.enc)?;
            let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(&ephemeral.to_uncompressed())
                .map_err(|_| EncryptionKeyError::NotOnCurve)?;
            let tag = AeadTag::<Aead>::from_bytes(tag).map_err(|_| OpenError::NotAuthentic)?;
            let mut plaintext = Zeroizing::new(vec![0; body.len()]);
            let buffer = InOutBuf::new(body, plaintext.as_mut_slice())
                .map_err(|_| OpenError::NotAuthentic)?;
            single_shot_open_inout_detached::<Aead, Kdf, Kem>(
                &OpModeR::Base,
                key.secret(),
                &enc,
                info,
                buffer,
                aad,
                &tag,
            )
            .map_err(|_| OpenError::NotAuthentic)?;
            Ok(plaintext)
        }
    }
}

/// Why a message was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The plaintext is beyond what AES-GCM can take in one message (2³⁶ − 32 bytes).
    #[error("a message of {length} bytes was not sealed; it is too long for one message")]
    NotSealed {
        /// Bytes of the plaintext.
        length: usize,
    },
}

/// Why a sealed message was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The encapsulated key is not a point of the curve in its uncompressed form.
    #[error("the encapsulated key was refused: {0}")]
    EncapsulatedKey(#[from] EncryptionKeyError),
    /// Sealed to another key, under another label or context, or altered since.
    #[error(
        "the message does not open: it was sealed to another key or for another purpose, or it \
         was altered; ask its sender for a new one"
    )]
    NotAuthentic,
    /// The plaintext would be above the limit.
    #[error("the message has {length} bytes; at most {limit} are accepted here")]
    TooLong {
        /// Bytes of the plaintext.
        length: usize,
        /// The caller's limit.
        limit: usize,
    },
    /// Shorter than a tag.
    #[error("the ciphertext has {length} bytes; it must have at least {TAG_LEN}")]
    TooShort {
        /// Bytes of the ciphertext.
        length: usize,
    },
}
