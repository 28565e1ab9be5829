//! `reshare`: the shares of a running enclave go to other people, under another threshold.
//!
//! [`order`] asks the enclave for a nonce and writes what is wanted; [`sign`] is a member's consent,
//! in each set in which they count; [`run`] has the enclave carry the order out; [`receipt`] is a new
//! member's check of their share and proof that they hold it; [`destroy`] is a holder's word that an
//! old share is gone. The manifest that makes the new shares count is written by
//! [`super::rotate`] and approved like every other.

pub mod destroy;
pub mod order;
pub mod receipt;
pub mod run;
pub mod sign;

#[cfg(test)]
mod tests;

use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::{Member as Person, MemberSet};
use quorate_protocol::reshare::ReshareOrder;
use quorate_verify::chain::VerifiedChain;
use quorate_verify::reshare::{ReshareError, ReshareField, ResharePart};

use crate::error::{CeremonyError, StepError};
use crate::workspace::Workspace;

/// The manifest of the approved chain that an order was written for.
fn ordered_under<'l>(
    links: &'l [Link],
    chain: &VerifiedChain,
    order: &ReshareOrder,
) -> Result<&'l Manifest, ReshareError> {
    let approved = links.iter().zip(chain.links());
    let mut approved = approved.filter(|(_, link)| link.successor.digest == order.manifest);
    let found = approved.next().map(|(link, _)| &link.manifest);
    found.ok_or(ReshareError::Differs {
        part: ResharePart::Order,
        field: ReshareField::Manifest,
    })
}

/// The people of these names: those who have a seat keep keys and index, others come by their cards
/// and get the lowest indices that nobody has or had.
pub(super) fn seats(
    workspace: &Workspace,
    names: &[quorate_protocol::atoms::Name],
    present: &MemberSet,
    others: &[&MemberSet],
) -> Result<Vec<Person>, CeremonyError> {
    let mut taken: Vec<ShareIndex> = present.indices();
    let mut people = Vec::with_capacity(names.len());
    for name in names {
        if let Some(person) = present.named(name) {
            people.push(person.clone());
            continue;
        }
        let free = (1..=u8::MAX).filter_map(ShareIndex::new);
        let index = free.into_iter().find(|index| !taken.contains(index));
        let index = index.ok_or(StepError::DefinitionInvalid(
            quorate_protocol::invalid::Invalid::ListLength {
                min: 2,
                max: 255,
                found: names.len(),
            },
        ))?;
        taken.push(index);
        let known = others.iter().find_map(|set| set.named(name));
        let (signing_key, encryption_key) = match known {
            Some(person) => (person.signing_key, person.encryption_key.clone()),
            None => {
                let card = workspace.card(name)?;
                (card.signing_key, card.encryption_key.clone())
            }
        };
        people.push(Person {
            name: name.clone(),
            index,
            signing_key,
            encryption_key,
        });
    }
    people.sort_by_key(|person| person.index);
    Ok(people)
}
