//! The genesis record: that everybody agreed to the definition, and that everybody holds a share.
//!
//! [`VerifiedGenesis::from_record`] is the only way to a [`VerifiedGenesis`]. It guarantees:
//!
//! * every person of the definition consented to it, each once;
//! * the output was made under this definition, with as many commitments as the share set's
//!   threshold and one sealed share for every member, and beside it a drill sharing of the same
//!   shape that has none of its commitments;
//! * every member of the share set signed a receipt for this very genesis and epoch, and proved
//!   with a signature made by the share itself that they hold it; or everybody who did signed an
//!   exception as well, and the others' indices are [inactive](VerifiedGenesis::inactive).
//!
//! It does not say that this is the namespace you mean: compare [`VerifiedGenesis::digest`] with
//! your own pin. It does not look at the attestation document of the genesis enclave;
//! [`crate::instance::verify_genesis_document`] does.
//!
//! Counts and digests are compared before any signature is verified, so a record with too many
//! entries costs nothing.

mod error;
mod exception;

use std::collections::BTreeSet;

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{Definition, DefinitionConsent};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{
    CommitmentList, Epoch, Genesis, GenesisOutput, GenesisReceipt, GenesisRecord,
};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::members::Member;

use crate::drill::check_sharing;

pub use self::error::GenesisError;
pub use self::exception::receipts_for_exception;

/// Checks that every person of a definition consented to it, each once, ascending by name.
///
/// # Errors
/// The first consent that is not right, or the people whose consent is missing.
pub fn check_consents(
    definition: &Definition,
    consents: &[Signed<DefinitionConsent>],
) -> Result<(), GenesisError> {
    let digest = Digest::of(definition);
    let mut signers: Vec<(&Signed<DefinitionConsent>, &Member)> = Vec::new();
    let mut previous: Option<&Name> = None;
    for consent in consents {
        let claim = consent.unverified();
        let name = &claim.member;
        let member = definition
            .named(name)
            .ok_or_else(|| GenesisError::ConsentOfStranger { name: name.clone() })?;
        match previous.map(|previous| previous.cmp(name)) {
            Some(core::cmp::Ordering::Equal) => {
                return Err(GenesisError::ConsentRepeated { name: name.clone() });
            }
            Some(core::cmp::Ordering::Greater) => {
                return Err(GenesisError::ConsentOutOfOrder { name: name.clone() });
            }
            _ => previous = Some(name),
        }
        if claim.definition != digest {
            return Err(GenesisError::ConsentToAnother {
                name: name.clone(),
                expected: digest,
                found: claim.definition,
            });
        }
        signers.push((consent, member));
    }
    let given: BTreeSet<&Name> = signers.iter().map(|(_, member)| &member.name).collect();
    let people = definition.people();
    let missing: Vec<Name> = people
        .into_iter()
        .map(|member| &member.name)
        .filter(|name| !given.contains(name))
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Err(GenesisError::ConsentMissing { names: missing });
    }
    for (consent, member) in signers {
        consent
            .verify(&member.signing_key)
            .map_err(|_| GenesisError::ConsentSignature {
                name: member.name.clone(),
            })?;
    }
    Ok(())
}

/// Checks that an output belongs to a definition and has what its members need. Returns the
/// namespace the two make.
///
/// # Errors
/// [`GenesisError::OutputOfAnother`], [`GenesisError::CommitmentCount`],
/// [`GenesisError::ShareOfStranger`], [`GenesisError::ShareMissing`] or
/// [`GenesisError::DrillSharing`].
pub fn check_output(
    definition: &Definition,
    output: &GenesisOutput,
) -> Result<Genesis, GenesisError> {
    let digest = Digest::of(definition);
    if output.definition != digest {
        return Err(GenesisError::OutputOfAnother {
            expected: digest,
            found: output.definition,
        });
    }
    let (threshold, commitments) = (
        definition.share_set.threshold,
        output.commitments.inner().threshold(),
    );
    if threshold != commitments {
        return Err(GenesisError::CommitmentCount {
            threshold,
            commitments,
        });
    }
    // The output's own rule keeps its shares ascending, so none is repeated.
    if let Some(share) = output
        .shares
        .iter()
        .find(|share| definition.share_set.member(share.index).is_none())
    {
        return Err(GenesisError::ShareOfStranger { index: share.index });
    }
    let sent: BTreeSet<ShareIndex> = output.shares.iter().map(|share| share.index).collect();
    if let Some(member) = definition
        .share_set
        .members
        .iter()
        .find(|member| !sent.contains(&member.index))
    {
        return Err(GenesisError::ShareMissing {
            name: member.name.clone(),
            index: member.index,
        });
    }
    check_sharing(&output.commitments, &definition.share_set, &output.drill)
        .map_err(GenesisError::DrillSharing)?;
    Ok(Genesis {
        definition: digest,
        output: Digest::of(output),
    })
}

/// A genesis record of which every part but the attestation document has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedGenesis {
    record: GenesisRecord,
    genesis: Genesis,
    digest: Digest<Genesis>,
    quorum_key: VerificationKey,
    epoch: Epoch,
    inactive: Vec<ShareIndex>,
}

impl VerifiedGenesis {
    /// Verifies a record.
    ///
    /// # Errors
    /// The first rule that the record breaks, with the member it concerns.
    pub fn from_record(record: GenesisRecord) -> Result<Self, GenesisError> {
        check_consents(&record.definition, &record.consents)?;
        let genesis = check_output(&record.definition, &record.output)?;
        Self::from_parts(record, genesis)
    }

    /// The same for a record whose consents and output have been checked and gave `genesis`.
    pub(crate) fn from_parts(
        record: GenesisRecord,
        genesis: Genesis,
    ) -> Result<Self, GenesisError> {
        let commitments = &record.output.commitments;
        let quorum_key = commitments
            .quorum_key()
            .map_err(|_| GenesisError::QuorumKey)?;
        let mut verified = Self {
            digest: Digest::of(&genesis),
            epoch: commitments.epoch(),
            genesis,
            quorum_key,
            record,
            inactive: Vec::new(),
        };
        verified.inactive = verified.check_receipts()?;
        Ok(verified)
    }

    /// What people pin. The namespace is this digest, never its name.
    #[must_use]
    pub fn digest(&self) -> Digest<Genesis> {
        self.digest
    }

    /// The two digests that [`digest`](Self::digest) covers.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The record as it was given.
    #[must_use]
    pub fn record(&self) -> &GenesisRecord {
        &self.record
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.record.definition
    }

    /// Commitments to the polynomial whose shares the members hold.
    #[must_use]
    pub fn commitments(&self) -> &CommitmentList {
        &self.record.output.commitments
    }

    /// Names those shares.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The quorum public key, the first commitment.
    #[must_use]
    pub fn quorum_key(&self) -> &VerificationKey {
        &self.quorum_key
    }

    /// The indices nobody proved to hold, ascending: they were left out by an exception. A share of
    /// this epoch at such an index counts nowhere.
    #[must_use]
    pub fn inactive(&self) -> &[ShareIndex] {
        &self.inactive
    }

    /// Whether a share of `epoch` at `index` may count.
    #[must_use]
    pub fn is_active(&self, index: ShareIndex, epoch: Epoch) -> bool {
        epoch != self.epoch || !self.inactive.contains(&index)
    }

    /// Gives the record back.
    #[must_use]
    pub fn into_record(self) -> GenesisRecord {
        self.record
    }

    /// A receipt of every member of the share set, ascending by index, each once; or exceptions. The
    /// indices those leave out.
    fn check_receipts(&self) -> Result<Vec<ShareIndex>, GenesisError> {
        let mut signers: Vec<(&Signed<GenesisReceipt>, &Member)> = Vec::new();
        let mut previous: Option<ShareIndex> = None;
        for receipt in &self.record.receipts {
            let claim = receipt.unverified();
            let index = claim.index;
            let member = self
                .definition()
                .share_set
                .member(index)
                .ok_or(GenesisError::ReceiptOfStranger { index })?;
            let name = || member.name.clone();
            match previous.map(|previous| previous.cmp(&index)) {
                Some(core::cmp::Ordering::Equal) => {
                    return Err(GenesisError::ReceiptRepeated {
                        name: name(),
                        index,
                    });
                }
                Some(core::cmp::Ordering::Greater) => {
                    return Err(GenesisError::ReceiptOutOfOrder {
                        name: name(),
                        index,
                    });
                }
                _ => previous = Some(index),
            }
            if claim.genesis != self.digest {
                return Err(GenesisError::ReceiptForAnother {
                    name: name(),
                    expected: self.digest,
                    found: claim.genesis,
                });
            }
            if claim.epoch != self.epoch {
                return Err(GenesisError::ReceiptEpoch { name: name() });
            }
            let possession = claim.possession.unverified();
            if (possession.genesis, possession.epoch, possession.index)
                != (self.digest, self.epoch, index)
            {
                return Err(GenesisError::PossessionOfAnother {
                    name: name(),
                    index,
                });
            }
            signers.push((receipt, member));
        }
        let given: BTreeSet<ShareIndex> = signers.iter().map(|(_, member)| member.index).collect();
        let members = self.definition().share_set.members.iter();
        let missing: Vec<&Member> = members
            .filter(|member| !given.contains(&member.index))
            .collect();
        let exceptions = exception::check_counts(&self.record, &given, &missing)?;
        for (receipt, member) in signers {
            self.check_receipt(receipt, member)?;
        }
        for (exception, member) in exceptions {
            exception::check_signature(exception, member)?;
        }
        Ok(missing.iter().map(|member| member.index).collect())
    }

    fn check_receipt(
        &self,
        receipt: &Signed<GenesisReceipt>,
        member: &Member,
    ) -> Result<(), GenesisError> {
        let (name, index) = (&member.name, member.index);
        let receipt =
            receipt
                .verify(&member.signing_key)
                .map_err(|_| GenesisError::ReceiptSignature {
                    name: name.clone(),
                    index,
                })?;
        let wrong = || GenesisError::PossessionSignature {
            name: name.clone(),
            index,
        };
        let key = self.commitments().member_key(index).map_err(|_| wrong())?;
        receipt.possession.verify(&key).map_err(|_| wrong())?;
        Ok(())
    }
}
