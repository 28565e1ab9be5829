//! Seals shares the same way on each run.

use chacha20::ChaCha20Rng;
use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::drill::DrillSharing;
use quorate_protocol::genesis::{CommitmentList, Epoch, MemberShare, SealContext, SealedShare};
use quorate_protocol::keys::EncryptionKey;
use quorate_protocol::members::MemberSet;
use quorate_sealing::{Suite, seal};
use quorate_sharing::{Secret, Share, split};

use crate::keys::{generator, scalar};

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

/// A drill scalar of its own, shared in a set and sealed to its members.
pub(crate) fn drill_sharing(
    what: &str,
    set: &MemberSet,
    context: impl Fn(ShareIndex, &Epoch) -> SealContext,
) -> (DrillSharing, Vec<Share>) {
    let mut rng = generator(&format!("{what} drill generator"));
    let secret = Secret::from_bytes(&scalar(&format!("{what} drill"))).expect("a scalar");
    let (commitments, shares) =
        split(&secret, set.threshold, &set.indices(), &mut rng).expect("a sharing");
    let commitments = CommitmentList::from(commitments);
    let epoch = commitments.epoch();
    let sealed = shares.iter().zip(&set.members).map(|(share, member)| {
        let context = context(share.index(), &epoch);
        MemberShare {
            index: share.index(),
            sealed: sealed_share(&mut rng, &member.encryption_key, &context, share),
        }
    });
    let shares_of = sealed.collect();
    let sharing = DrillSharing {
        commitments,
        shares: shares_of,
    };
    (sharing, shares)
}
