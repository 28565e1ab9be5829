//! The exception: a genesis that is finished although somebody gave no receipt.
//!
//! Guarantees: everybody who gave a receipt signed an exception for this genesis and epoch that names
//! exactly those who did not; and there are enough of them, so that the key can be opened with one
//! share to spare and most of the holders agreed. Where nobody is missing there is no exception.

use std::collections::BTreeSet;

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::cose::Signed;
use quorate_protocol::exception::GenesisException;
use quorate_protocol::genesis::GenesisRecord;
use quorate_protocol::instance::Index;
use quorate_protocol::members::{Member, MemberSet};

use super::GenesisError;

type Signer<'a> = (&'a Signed<GenesisException>, &'a Member);

/// How many receipts an exception takes: one more than open the key, and more than half of all.
#[must_use]
pub fn receipts_for_exception(set: &MemberSet) -> usize {
    let spare = usize::from(set.threshold).saturating_add(1);
    let most = (set.members.len() / 2).saturating_add(1);
    spare.max(most)
}

/// Everything about the exceptions of a record but their signatures. Empty where no receipt is
/// missing.
pub(super) fn check_counts<'a>(
    record: &'a GenesisRecord,
    given: &BTreeSet<ShareIndex>,
    missing: &[&Member],
) -> Result<Vec<Signer<'a>>, GenesisError> {
    let names = || missing.iter().map(|member| member.name.clone()).collect();
    let exceptions = match (&record.exceptions, missing.is_empty()) {
        (None, true) => return Ok(Vec::new()),
        (None, false) => return Err(GenesisError::ReceiptMissing { names: names() }),
        (Some(_), true) => return Err(GenesisError::ExceptionNeedless),
        (Some(exceptions), false) => exceptions,
    };
    let set = &record.definition.share_set;
    let (need, have) = (receipts_for_exception(set), given.len());
    if have < need {
        return Err(GenesisError::ExceptionTooFew { need, have });
    }
    let expected: Vec<Index> = missing.iter().map(|member| Index(member.index)).collect();
    let (genesis, epoch) = (record.digest(), record.output.commitments.epoch());
    let mut signers: Vec<Signer<'a>> = Vec::new();
    for exception in exceptions {
        let claim = exception.unverified();
        let index = claim.index;
        let member = set.member(index).filter(|_| given.contains(&index));
        let member = member.ok_or(GenesisError::ExceptionOfStranger { index })?;
        let name = || member.name.clone();
        if signers.last().is_some_and(|(_, last)| last.index >= index) {
            return Err(GenesisError::ExceptionOutOfOrder {
                name: name(),
                index,
            });
        }
        if claim.genesis != genesis || claim.epoch != epoch {
            return Err(GenesisError::ExceptionForAnother { name: name() });
        }
        if claim.missing != expected {
            return Err(GenesisError::ExceptionOfOthers { name: name() });
        }
        signers.push((exception, member));
    }
    let signed = |index: &ShareIndex| signers.iter().any(|(_, member)| member.index == *index);
    let unsigned = given.iter().filter(|index| !signed(index));
    let unsigned = unsigned.filter_map(|index| Some(set.member(*index)?.name.clone()));
    let unsigned: Vec<Name> = unsigned.collect();
    if !unsigned.is_empty() {
        return Err(GenesisError::ExceptionMissing { names: unsigned });
    }
    Ok(signers)
}

/// Whether the member named signed it.
pub(super) fn check_signature(
    exception: &Signed<GenesisException>,
    member: &Member,
) -> Result<(), GenesisError> {
    let wrong = |_| GenesisError::ExceptionSignature {
        name: member.name.clone(),
        index: member.index,
    };
    exception
        .verify(&member.signing_key)
        .map(drop)
        .map_err(wrong)
}
