//! Opening with a key that is somewhere else: a PKCS#11 token, an HSM.
//!
//! Such a device multiplies one point by its key and returns the x coordinate; what RFC 9180 does
//! around that (§4.1 `Decap`, §5.1 `KeySchedule`, §6.1 single-shot opening, base mode) is done here
//! over its answer. The result is that of [`open`](crate::open), byte for byte.
//!
//! Guarantees: the device sees a point only after it has been checked, on the curve and not the
//! identity, so a forged encapsulated key cannot probe it; a message that is too short or too long
//! is refused before the device is asked; whatever the device answers, only a message sealed to
//! `recipient` opens. Shared secret, keys and plaintext are overwritten when dropped.
//!
//! Trusts: the device with the messages sealed to its key.

use alloc::vec::Vec;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hkdf::{Hkdf, HkdfExtract};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::key::EncryptionKey;
use crate::seal::{OpenError, Sealed, TAG_LEN};
use crate::suite::Suite;

/// Length of a shared secret of P-256 in bytes: one coordinate.
pub const SHARED_LEN: usize = 32;

/// `"KEM"` and the identifier of DHKEM(P-256, HKDF-SHA256).
const KEM: &[u8] = b"KEM\x00\x10";
/// `"HPKE"` and the identifiers of that KEM, of HKDF-SHA256 and of AES-256-GCM.
const HPKE: &[u8] = b"HPKE\x00\x10\x00\x01\x00\x02";
/// RFC 9180 §4: stands before every label.
const VERSION: &[u8] = b"HPKE-v1";
/// RFC 9180 §5: the number of base mode.
const BASE: u8 = 0;

/// Holds a P-256 secret key and does not give it away.
pub trait DiffieHellman {
    /// Why there is no answer.
    type Error;

    /// The x coordinate of `point` multiplied by the secret key: 32 bytes, big-endian.
    ///
    /// # Errors
    /// Whatever keeps the holder from answering.
    fn diffie_hellman(
        &self,
        point: &EncryptionKey,
    ) -> Result<Zeroizing<[u8; SHARED_LEN]>, Self::Error>;
}

/// Why a sealed message was not opened with a key that is somewhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalOpenError<E> {
    /// The holder of the key gave no shared secret.
    #[error(transparent)]
    Key(E),
    /// The message does not open.
    #[error("{0}")]
    Message(OpenError),
}

/// Opens `sealed` as [`open`](crate::open) does, with the secret key of `recipient` that `holder`
/// keeps.
///
/// # Errors
/// [`ExternalOpenError`]. A holder of another key than that of `recipient` is not told apart from
/// an altered message.
pub fn open_with<H: DiffieHellman>(
    suite: Suite,
    recipient: &EncryptionKey,
    holder: &H,
    info: &[u8],
    aad: &[u8],
    sealed: &Sealed,
    max_plaintext: usize,
) -> Result<Zeroizing<Vec<u8>>, ExternalOpenError<H::Error>> {
    let Suite::P256Sha256Aes256Gcm = suite;
    let refused = ExternalOpenError::Message;
    let (body, tag) = sealed.split(max_plaintext).map_err(refused)?;
    let ephemeral = EncryptionKey::from_sec1(&sealed.enc).map_err(|error| refused(error.into()))?;
    let point = holder
        .diffie_hellman(&ephemeral)
        .map_err(ExternalOpenError::Key)?;
    let schedule = shared_secret(&point, &ephemeral, recipient)
        .and_then(|secret| Schedule::derive(&secret, info));
    let not_authentic = || refused(OpenError::NotAuthentic);
    let schedule = schedule.ok_or_else(not_authentic)?;
    let mut plaintext = Zeroizing::new(body.to_vec());
    Aes256Gcm::new_from_slice(schedule.key.as_slice())
        .map_err(|_| not_authentic())?
        .decrypt_inout_detached(
            &Nonce::from(*schedule.nonce),
            aad,
            plaintext.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| not_authentic())?;
    Ok(plaintext)
}

impl Sealed {
    /// Body and tag, if there is a tag and the body is within the limit.
    pub(crate) fn split(&self, max: usize) -> Result<(&[u8], &[u8; TAG_LEN]), OpenError> {
        let Some((body, tag)) = self.ciphertext.split_last_chunk::<TAG_LEN>() else {
            return Err(OpenError::TooShort {
                length: self.ciphertext.len(),
            });
        };
        if body.len() > max {
            return Err(OpenError::TooLong {
                length: body.len(),
                limit: max,
            });
        }
        Ok((body, tag))
    }
}

/// `ExtractAndExpand` of RFC 9180 §4.1 with the context of `Decap`.
fn shared_secret(
    point: &[u8; SHARED_LEN],
    ephemeral: &EncryptionKey,
    recipient: &EncryptionKey,
) -> Option<Zeroizing<[u8; 32]>> {
    let (enc, own) = (ephemeral.to_uncompressed(), recipient.to_uncompressed());
    extract(KEM, &[], b"eae_prk", point).expand(KEM, b"shared_secret", &[&enc, &own])
}

/// What is left of `KeySchedule` in base mode for the first message.
struct Schedule {
    key: Zeroizing<[u8; 32]>,
    nonce: Zeroizing<[u8; 12]>,
}

impl Schedule {
    fn derive(shared_secret: &[u8; 32], info: &[u8]) -> Option<Self> {
        let psk_id_hash = extract(HPKE, &[], b"psk_id_hash", &[]).bytes;
        let info_hash = extract(HPKE, &[], b"info_hash", info).bytes;
        let context: [&[u8]; 3] = [&[BASE], psk_id_hash.as_slice(), info_hash.as_slice()];
        let secret = extract(HPKE, shared_secret, b"secret", &[]);
        Some(Self {
            key: secret.expand(HPKE, b"key", &context)?,
            nonce: secret.expand(HPKE, b"base_nonce", &context)?,
        })
    }
}

/// A pseudorandom key and its expansion.
struct Extracted {
    bytes: Zeroizing<[u8; 32]>,
    hkdf: Hkdf<Sha256>,
}

/// `LabeledExtract` of RFC 9180 §4.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Extracted {
    let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
    for part in [VERSION, suite, label, ikm] {
        extract.input_ikm(part);
    }
    let (mut output, hkdf) = extract.finalize();
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(&output);
    output.as_mut_slice().zeroize();
    Extracted { bytes, hkdf }
}

impl Extracted {
    /// `LabeledExpand` of RFC 9180 §4; the info is the concatenation of `info`.
    fn expand<const LEN: usize>(
        &self,
        suite: &[u8],
        label: &[u8],
        info: &[&[u8]],
    ) -> Option<Zeroizing<[u8; LEN]>> {
        let length = u16::try_from(LEN).ok()?.to_be_bytes();
        let mut parts = Vec::with_capacity(info.len().saturating_add(4));
        parts.extend_from_slice(&[&length, VERSION, suite, label]);
        parts.extend_from_slice(info);
        let mut output = Zeroizing::new([0; LEN]);
        self.hkdf
            .expand_multi_info(&parts, output.as_mut_slice())
            .ok()?;
        Some(output)
    }
}

#[cfg(test)]
mod tests;
