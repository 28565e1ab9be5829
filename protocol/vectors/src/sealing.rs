//! Seals shares the same way on each run.

use chacha20::ChaCha20Rng;
use quorate_protocol::genesis::{SealContext, SealedShare};
use quorate_protocol::keys::EncryptionKey;
use quorate_sealing::{Suite, seal};
use quorate_sharing::Share;

/// A share, sealed to a key in a context, with this generator.
pub(crate) fn sealed_share(
    rng: &mut ChaCha20Rng,
    recipient: &EncryptionKey,
    context: &SealContext,
    share: &Share,
) -> SealedShare {
    let suite = Suite::P256Sha256Aes256Gcm;
    let info = context.info.as_bytes();
    let sealed = seal(
        suite,
        recipient.inner(),
        info,
        &context.aad,
        &*share.to_bytes(),
        rng,
    )
    .expect("a share is short");
    SealedShare::new(suite, sealed).expect("one scalar")
}
