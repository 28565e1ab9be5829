//! Genesis: an enclave draws the quorum key, shares it out, and can never do anything else.
//!
//! Guarantees: nothing is drawn before every person in the definition has consented and the
//! enclave's own registers are the agreed ones. The secret leaves this function only as shares,
//! each sealed to its member. Beside it goes a drill scalar, drawn and shared for itself. PCR16 names
//! definition and output before any attestation is given; all registers are locked; the secret is
//! erased when [`make`] returns.

use chacha20::ChaCha20Rng;
use quorate_protocol::attested::{PCR_SETUP, UserData, genesis_extension};
use quorate_protocol::cbor::Checked;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{DrillSharing, genesis_drill_share_context};
use quorate_protocol::genesis::{
    CommitmentList, Epoch, Genesis, GenesisOutputFields, MemberShare, SealContext, SealedShare,
    genesis_share_context,
};
use quorate_protocol::members::{Member, MemberSet};
use quorate_protocol::message::{
    GenesisRequest, GenesisResponse, MAX_CONTRIBUTIONS, Nonce, Reason,
};
use quorate_sealing::Suite;
use quorate_sharing::{Secret, Share, ShareIndex, split};
use quorate_verify::genesis::{GenesisError, check_consents, check_output};

use crate::device::Device;
use crate::nsm::Transport;
use crate::refuse::{Denied, Halt, refuse};

/// A namespace was made here.
pub(crate) struct Born {
    digest: Digest<Genesis>,
}

/// Makes the quorum key of a namespace.
///
/// # Errors
/// [`Denied::Refused`] before anything was drawn; [`Denied::Fatal`] after.
pub(crate) fn make<T: Transport>(
    device: &mut Device<T>,
    request: &GenesisRequest,
) -> Result<(Born, GenesisResponse), Denied> {
    let definition = &request.definition;
    check_consents(definition, &request.consents)
        .map_err(|e| refuse(reason(&e), &e.to_string()))?;
    if request.entropy.len() > MAX_CONTRIBUTIONS {
        return Err(refuse(
            Reason::Malformed,
            "too many contributions to the entropy",
        ));
    }
    device.expect_measurements(&definition.measurements)?;

    let contributions = request.entropy.iter().map(|c| c.as_slice());
    let mut generator = device.generator(contributions)?;
    let secret = Secret::random(&mut generator);
    let set = &definition.share_set;
    let (commitments, shares) = split(&secret, set.threshold, &set.indices(), &mut generator)
        .map_err(|_| Halt::Derivation)?;
    drop(secret);

    let named = Digest::of(definition);
    let suite = Suite::P256Sha256Aes256Gcm;
    let context = |index| genesis_share_context(&named, index);
    let sealed = seal_shares(&shares, &set.members, suite, context, &mut generator)?;
    drop(shares);
    let context = |index, drill: &Epoch| genesis_drill_share_context(&named, index, drill);
    let drill = share_drill(device, set, suite, context)?;

    let output = GenesisOutputFields {
        definition: named,
        commitments: commitments.into(),
        shares: sealed,
        drill,
    };
    let output = Checked::new(output).map_err(|_| Halt::Derivation)?;
    // What others will check of this output holds, or nobody sees it.
    let genesis = check_output(definition, &output).map_err(|_| Halt::Derivation)?;
    device.commit(PCR_SETUP, &genesis_extension(&genesis))?;
    device.lock_all()?;

    let born = Born {
        digest: Digest::of(&genesis),
    };
    let document = born.attest(device, &request.nonce)?;
    Ok((born, GenesisResponse { output, document }))
}

impl Born {
    /// The namespace.
    pub(crate) fn digest(&self) -> &Digest<Genesis> {
        &self.digest
    }

    /// Attests the output, for a member's own nonce.
    pub(crate) fn attest<T: Transport>(
        &self,
        device: &mut Device<T>,
        nonce: &Nonce,
    ) -> Result<quorate_protocol::genesis::Document, Halt> {
        device.attest(&UserData::Genesis(self.digest), nonce, None)
    }
}

/// Draws a drill scalar from a generator of its own, shares it in a set and erases it. It is made of
/// nothing that the quorum secret is made of.
pub(crate) fn share_drill<T: Transport>(
    device: &mut Device<T>,
    set: &MemberSet,
    suite: Suite,
    context: impl Fn(ShareIndex, &Epoch) -> SealContext,
) -> Result<DrillSharing, Halt> {
    let mut generator = device.generator(core::iter::empty())?;
    let secret = Secret::random(&mut generator);
    let (commitments, shares) = split(&secret, set.threshold, &set.indices(), &mut generator)
        .map_err(|_| Halt::Derivation)?;
    drop(secret);
    let commitments = CommitmentList::from(commitments);
    let epoch = commitments.epoch();
    let context = |index| context(index, &epoch);
    let shares = seal_shares(&shares, &set.members, suite, context, &mut generator)?;
    Ok(DrillSharing {
        commitments,
        shares,
    })
}

/// Each share, sealed to the member at its place in a context of its own.
pub(crate) fn seal_shares(
    shares: &[Share],
    members: &[Member],
    suite: Suite,
    context: impl Fn(ShareIndex) -> SealContext,
    generator: &mut ChaCha20Rng,
) -> Result<Vec<MemberShare>, Halt> {
    let mut sealed = Vec::with_capacity(shares.len());
    for (share, member) in shares.iter().zip(members) {
        if share.index() != member.index {
            return Err(Halt::Derivation);
        }
        let context = context(member.index);
        let boxed = quorate_sealing::seal(
            suite,
            member.encryption_key.inner(),
            context.info.as_bytes(),
            &context.aad,
            &*share.to_bytes(),
            generator,
        )
        .map_err(|_| Halt::Derivation)?;
        let boxed = SealedShare::new(suite, boxed).map_err(|_| Halt::Derivation)?;
        sealed.push(MemberShare {
            index: share.index(),
            sealed: boxed,
        });
    }
    Ok(sealed)
}

fn reason(error: &GenesisError) -> Reason {
    match error {
        GenesisError::ConsentMissing { .. } => Reason::ConsentMissing,
        _ => Reason::ConsentInvalid,
    }
}
