//! Approvals by surrogates: for whom they count, for what, and until when.
//!
//! * A surrogate's approval counts as that of the member at its index, in the manifest set, and never
//!   beside another one of that member.
//! * It does not count for a manifest that changes a set or the shares. Who decides and who holds is
//!   for the members themselves, and so the set before such a manifest is the one after it: the
//!   members who approve a later manifest with their own keys are those whom the surrogates stood for.
//! * It counts until the delegation ends; after that only where a later manifest of the chain, which
//!   names this one by digest, is approved by a threshold of members' own signatures. Without that
//!   last rule a chain would stop to verify; without the rule before it, surrogates whose time is
//!   over could bring in a set of their own and settle their own chain with it.

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::surrogate::Delegation;

use super::{Approver, Approvers, ChainError, Head, Successor, VerifiedLink};
use crate::surrogate::{Place, Surrogate, check};

impl Head<'_> {
    /// Adds the approvals by surrogates of a link to those by members.
    pub(super) fn surrogates(
        &self,
        successor: &Successor,
        link: &Link,
        approvers: &mut Approvers,
    ) -> Result<(), ChainError> {
        let sequence = successor.sequence;
        let mut known: Vec<&Delegation> = Vec::new();
        for acting in &link.surrogates {
            if successor.changes_people() {
                return Err(ChainError::SurrogateForPeople { sequence });
            }
            self.check_subject(successor, &acting.approval)?;
            let claim = acting.approval.unverified();
            let (role, index) = (claim.role, claim.index);
            if role != Role::ManifestSet {
                return Err(ChainError::SurrogateForHolders { sequence, index });
            }
            let member = self.manifest_set.member(index);
            let member = member.ok_or(ChainError::ApprovalOfStranger {
                sequence,
                index,
                role,
            })?;
            let given = &mut approvers.manifest_set;
            if given.iter().any(|known| known.index == index) {
                return Err(ChainError::ApprovalRepeated {
                    sequence,
                    name: member.name.clone(),
                    role,
                });
            }
            let place = Place {
                genesis: self.genesis.digest(),
                sequence,
                role,
                member,
                sets: [&self.manifest_set, &self.share_set],
            };
            let delegation = check(&place, &acting.delegation, &known)
                .map_err(|error| ChainError::Surrogate { sequence, error })?;
            if acting.approval.verify(&delegation.signing_key).is_err() {
                return Err(ChainError::ApprovalSignature {
                    sequence,
                    names: vec![delegation.surrogate.clone()],
                    index,
                    role,
                });
            }
            known.push(delegation);
            given.push(Approver {
                name: member.name.clone(),
                index,
                signing_key: delegation.signing_key,
                time: claim.time,
                surrogate: Some(Surrogate {
                    name: delegation.surrogate.clone(),
                    expires: delegation.expires,
                }),
            });
        }
        Ok(())
    }
}

impl Successor {
    /// Whether it changes who decides or who holds shares. Then nobody's surrogate approves it.
    #[must_use]
    pub const fn changes_people(&self) -> bool {
        self.changes_manifest_set || self.changes_share_set || self.reshare.is_some()
    }
}

/// Drops, from the last link on, the approvals of surrogates that have ended `at` this moment, until a
/// link that members' own signatures carry. Without a moment none of them counts. Returns the last
/// moment at which the chain counts, if it rests on surrogates at all.
pub(super) fn expire(
    links: &mut [VerifiedLink],
    needs: &[u8],
    at: Option<UnixMillis>,
) -> Result<Option<UnixMillis>, ChainError> {
    let mut until: Option<UnixMillis> = None;
    for (link, need) in links.iter_mut().zip(needs).rev() {
        let sequence = link.successor.sequence;
        let given = &mut link.approvers.manifest_set;
        let ended = |surrogate: &Surrogate| at.is_none_or(|at| at > surrogate.expires);
        let mut expired = Vec::new();
        given.retain(|approver| match &approver.surrogate {
            Some(surrogate) if ended(surrogate) => {
                expired.push(surrogate.name.clone());
                false
            }
            _ => true,
        });
        let mut ends: Vec<UnixMillis> = ends(given).collect();
        let own = given.len().saturating_sub(ends.len());
        let Some(lacking) = usize::from(*need)
            .checked_sub(own)
            .filter(|lacking| *lacking > 0)
        else {
            break;
        };
        ends.sort_unstable();
        // It counts as long as enough of them do: until the end of the last one that is needed.
        let Some(end) = ends.iter().rev().nth(lacking.saturating_sub(1)) else {
            return Err(ChainError::SurrogateExpired {
                sequence,
                need: *need,
                have: given.len(),
                expired,
                at,
            });
        };
        until = Some(until.map_or(*end, |before| before.min(*end)));
    }
    Ok(until)
}

fn ends(given: &[Approver]) -> impl Iterator<Item = UnixMillis> + '_ {
    given
        .iter()
        .filter_map(|approver| Some(approver.surrogate.as_ref()?.expires))
}
