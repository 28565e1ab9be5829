//! Birth of a quorum key: output of the genesis enclave, receipts, the record that is kept.
//!
//! Trust in a namespace starts at the digest of [`Genesis`], which names the definition and the
//! output and so the people, the attestation root and the commitments. A name is no pin, and
//! neither is the quorum key alone, which anyone can copy.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};
use quorate_sealing::{Sealed, Suite};
use quorate_sharing::Commitments;

use crate::atoms::{Bytes, Sha256, ShareIndex, UnixMillis, codec};
use crate::cbor::{Checked, Object, Rules, object};
use crate::cose::Signed;
use crate::definition::{Definition, DefinitionConsent};
use crate::digest::Digest;
use crate::drill::DrillSharing;
use crate::exception::GenesisException;
use crate::invalid::Invalid;
use crate::keys::VerificationKey;

/// An attestation document as received.
pub type Document = Bytes<1, { 20 * 1024 }>;
/// Names the shares of one polynomial: the digest of its commitments.
pub type Epoch = Digest<CommitmentList>;

/// Public commitments to the polynomial, the quorum key first, each SEC1 compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentList(Commitments);

impl CommitmentList {
    /// The commitments as the sharing crate takes them.
    pub fn inner(&self) -> &Commitments {
        &self.0
    }

    /// The epoch they name.
    pub fn epoch(&self) -> Epoch {
        Digest::of(self)
    }

    /// The quorum public key, which is the first commitment.
    ///
    /// # Errors
    /// Never for commitments that were parsed; the point is known to be valid.
    pub fn quorum_key(&self) -> Result<VerificationKey, Invalid> {
        VerificationKey::from_sec1(&self.0.public_key())
    }

    /// The key that verifies what the holder of share `index` signs with the share itself.
    ///
    /// # Errors
    /// [`Invalid::Commitments`] if the polynomial is zero there; nobody can hold such a share.
    pub fn member_key(&self, index: ShareIndex) -> Result<VerificationKey, Invalid> {
        self.0
            .member_key(index)
            .map(Into::into)
            .map_err(|_| Invalid::Commitments)
    }
}

impl From<Commitments> for CommitmentList {
    fn from(commitments: Commitments) -> Self {
        Self(commitments)
    }
}

codec!([] CommitmentList, Vec<minicbor::bytes::ByteArray<33>>,
|v| v.0.to_compressed().iter().map(|p| (*p).into())
    .collect::<Vec<minicbor::bytes::ByteArray<33>>>(),
|raw| {
    let points: Vec<[u8; 33]> = raw.into_iter().map(Into::into).collect();
    Commitments::from_compressed(&points).map(Self).map_err(|_| Invalid::Commitments)
});

/// A share sealed to one key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SealedShare {
    /// How it is sealed.
    #[cbor(n(0), with = "crate::atoms::suite")]
    pub suite: Suite,
    /// Encapsulated key, SEC1 uncompressed.
    #[n(1)]
    pub enc: Bytes<65, 65>,
    /// The scalar and its tag.
    #[n(2)]
    pub ciphertext: Bytes<48, 48>,
}

impl SealedShare {
    /// Takes what the sealing crate made.
    ///
    /// # Errors
    /// [`Invalid::Length`] if it does not hold one scalar.
    pub fn new(suite: Suite, sealed: Sealed) -> Result<Self, Invalid> {
        Ok(Self {
            suite,
            enc: Bytes::new(sealed.enc.to_vec())?,
            ciphertext: Bytes::new(sealed.ciphertext)?,
        })
    }

    /// The form the sealing crate opens.
    pub fn sealed(&self) -> Sealed {
        let mut enc = [0; 65];
        // The type fixes the length to 65.
        enc.copy_from_slice(self.enc.as_slice());
        Sealed {
            enc,
            ciphertext: self.ciphertext.as_slice().to_vec(),
        }
    }
}

/// A share for one member.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MemberShare {
    /// The member.
    #[cbor(n(0), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// The share, sealed to the member's encryption key.
    #[n(1)]
    pub sealed: SealedShare,
}

/// What the genesis enclave publishes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GenesisOutputFields {
    /// Under which definition.
    #[n(0)]
    pub definition: Digest<Definition>,
    /// Commitments to the polynomial.
    #[n(1)]
    pub commitments: CommitmentList,
    /// One share a member, ascending.
    #[n(2)]
    pub shares: Vec<MemberShare>,
    /// An independent scalar for drills, shared among the same members.
    #[n(3)]
    pub drill: DrillSharing,
}

/// An output whose shares are in ascending order.
pub type GenesisOutput = Checked<GenesisOutputFields>;

impl Rules for GenesisOutputFields {
    fn check(&self) -> Result<(), Invalid> {
        for shares in [&self.shares, &self.drill.shares] {
            ascending(shares.iter().map(|share| share.index))?;
        }
        Ok(())
    }
}

/// Each index above the one before.
pub(crate) fn ascending(indices: impl Iterator<Item = ShareIndex>) -> Result<(), Invalid> {
    let mut before: Option<ShareIndex> = None;
    for index in indices {
        if before.is_some_and(|before| before >= index) {
            return Err(Invalid::IndicesNotAscending { index: index.get() });
        }
        before = Some(index);
    }
    Ok(())
}

/// A namespace: its digest is what people pin.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Genesis {
    /// The definition.
    #[n(0)]
    pub definition: Digest<Definition>,
    /// The output.
    #[n(1)]
    pub output: Digest<GenesisOutput>,
}

/// Proof that somebody holds a share: signed with the share itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Possession {
    /// Of which namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// Of which polynomial.
    #[n(1)]
    pub epoch: Epoch,
    /// Which share.
    #[cbor(n(2), with = "crate::atoms::index")]
    pub index: ShareIndex,
}

/// A member's word that the key was born as they agreed, and that they hold their share.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GenesisReceipt {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The polynomial.
    #[n(1)]
    pub epoch: Epoch,
    /// The member's index in the share set.
    #[cbor(n(2), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// SHA-256 of the attestation document the member verified.
    #[n(3)]
    pub document: Sha256,
    /// When, by the member's clock.
    #[n(4)]
    pub time: UnixMillis,
    /// Signed with the share.
    #[n(5)]
    pub possession: Signed<Possession>,
}

/// Everything that shows how a namespace came to be.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GenesisRecord {
    /// The definition.
    #[n(0)]
    pub definition: Definition,
    /// Consent of every person in it, ascending by name.
    #[n(1)]
    pub consents: Vec<Signed<DefinitionConsent>>,
    /// The output.
    #[n(2)]
    pub output: GenesisOutput,
    /// Attestation of the genesis enclave after the output was made.
    #[n(3)]
    pub document: Document,
    /// Receipts of the members of the share set, ascending by index.
    #[n(4)]
    pub receipts: Vec<Signed<GenesisReceipt>>,
    /// Where a receipt is missing, an exception of everybody who gave one, ascending by index.
    #[n(5)]
    pub exceptions: Option<Vec<Signed<GenesisException>>>,
}

impl GenesisRecord {
    /// The namespace.
    pub fn genesis(&self) -> Genesis {
        Genesis {
            definition: Digest::of(&self.definition),
            output: Digest::of(&self.output),
        }
    }

    /// What people pin.
    pub fn digest(&self) -> Digest<Genesis> {
        Digest::of(&self.genesis())
    }
}

/// HPKE context of a share sealed at genesis, where no genesis digest exists yet.
pub fn genesis_share_context(definition: &Digest<Definition>, index: ShareIndex) -> SealContext {
    let subjects = [definition.as_bytes()];
    SealContext::of_share("quorate/genesis-share/v1", &subjects, index, None)
}

/// The label and additional data one sealing is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealContext {
    /// HPKE `info`.
    pub info: &'static str,
    /// HPKE additional authenticated data, canonical CBOR.
    pub aad: Vec<u8>,
}

impl SealContext {
    /// Of a share: an array of the digests of what it is sealed for, its index, and its epoch where there
    /// is one.
    pub(crate) fn of_share(
        info: &'static str,
        subjects: &[&[u8; 32]],
        index: ShareIndex,
        epoch: Option<&Epoch>,
    ) -> Self {
        let items = subjects.len().saturating_add(1);
        let items = items.saturating_add(usize::from(epoch.is_some()));
        let mut aad = Vec::new();
        let mut e = minicbor::Encoder::new(&mut aad);
        let mut write = || {
            e.array(items as u64)?;
            for subject in subjects {
                e.bytes(*subject)?;
            }
            e.u8(index.get())?;
            if let Some(epoch) = epoch {
                e.bytes(epoch.as_bytes())?;
            }
            Ok::<_, minicbor::encode::Error<core::convert::Infallible>>(())
        };
        let written = write();
        debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
        Self { info, aad }
    }
}

object! {
    CommitmentList => "quorate/epoch/v1", 16 * 1024;
    GenesisOutput => "quorate/genesis-output/v2", 128 * 1024;
    Genesis => "quorate/genesis/v1", 128;
    Possession => "quorate/possession/v1", 128;
    GenesisReceipt => "quorate/genesis-receipt/v1", 512;
    GenesisRecord => "quorate/genesis-record/v3", 640 * 1024;
    SealedShare => "quorate/sealed-share/v1", 256;
}

const _: () = assert!(GenesisRecord::MAX > Definition::MAX + GenesisOutput::MAX);
