//! Counting: whose approval it is, in which set, and whether they are enough.

use quorate_protocol::atoms::Name;
use quorate_protocol::cose::Signed;
use quorate_protocol::manifest::Approval;
use quorate_protocol::members::{Member, MemberSet};

use super::{Approver, ApprovingSet, ChainError};

/// Whether the same people sit at the same indices under the same threshold. Their keys may be
/// others: who restored a share under new keys holds the same share.
pub(super) fn same_seats(a: &MemberSet, b: &MemberSet) -> bool {
    let seats = |set: &MemberSet| {
        let seats = set.members.iter().map(|m| (m.index, m.name.clone()));
        seats.collect::<Vec<_>>()
    };
    a.threshold == b.threshold && seats(a) == seats(b)
}

/// Adds one approval to every set in which its index is the signer's. The index can belong to
/// different people in the old and the new set: the signature tells which of them signed.
pub(super) fn count(
    sequence: u64,
    approval: &Signed<Approval>,
    ballots: Vec<(Option<&MemberSet>, &mut Vec<Approver>)>,
) -> Result<(), ChainError> {
    let claim = approval.unverified();
    let (role, index) = (claim.role, claim.index);
    let mut candidates: Vec<(&Member, &mut Vec<Approver>)> = Vec::new();
    for (set, given) in ballots {
        if let Some(member) = set.and_then(|set| set.member(index)) {
            candidates.push((member, given));
        }
    }
    if candidates.is_empty() {
        return Err(ChainError::ApprovalOfStranger {
            sequence,
            index,
            role,
        });
    }
    let mut names: Vec<Name> = candidates.iter().map(|(m, _)| m.name.clone()).collect();
    names.dedup();
    let mut counted = false;
    for (member, given) in candidates {
        if approval.verify(&member.signing_key).is_err() {
            continue;
        }
        if given.iter().any(|known| known.index == index) {
            return Err(ChainError::ApprovalRepeated {
                sequence,
                name: member.name.clone(),
                role,
            });
        }
        given.push(Approver {
            name: member.name.clone(),
            index,
            signing_key: member.signing_key,
            time: claim.time,
            surrogate: None,
        });
        counted = true;
    }
    if !counted {
        return Err(ChainError::ApprovalSignature {
            sequence,
            names,
            index,
            role,
        });
    }
    Ok(())
}

pub(super) fn check_threshold(
    sequence: u64,
    set: ApprovingSet,
    members: &MemberSet,
    given: &[Approver],
) -> Result<(), ChainError> {
    let (need, have) = (members.threshold, given.len());
    if have >= usize::from(need) {
        return Ok(());
    }
    let missing = members
        .members
        .iter()
        .filter(|member| !given.iter().any(|known| known.index == member.index))
        .map(|member| member.name.clone())
        .collect();
    Err(ChainError::Threshold {
        sequence,
        set,
        need,
        have,
        missing,
    })
}
