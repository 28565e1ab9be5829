//! Surrogates: a member names one, may give them the share, and the surrogate takes it.
//!
//! What a surrogate then does is what a member does: `approve` and `provision` find the delegation in
//! the folder by themselves.

pub mod accept;
pub mod list;
pub mod name;
pub mod share;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::{Member as Person, MemberSet, Role};
use quorate_protocol::surrogate::Delegation;
use quorate_protocol::transcript::Fact;
use quorate_transcript::acting::line as acting_line;
use quorate_verify::surrogate::{Place, SurrogateError, check, counts};

use crate::error::CeremonyError;
use crate::transcript::object;
use crate::workspace::Workspace;

/// For whom a surrogate acts, and under which delegation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    /// The member.
    pub member: Person,
    /// The delegation's number in the folder.
    pub number: u8,
    /// The delegation.
    pub delegation: Signed<Delegation>,
}

/// Where a surrogate would act.
pub(crate) struct Wanted<'a> {
    pub(crate) genesis: Digest<Genesis>,
    pub(crate) sequence: u64,
    pub(crate) role: Role,
    /// The sets that count there.
    pub(crate) sets: [&'a MemberSet; 2],
}

impl<'a> Wanted<'a> {
    const fn people(&self) -> &'a MemberSet {
        let [manifest_set, share_set] = self.sets;
        match self.role {
            Role::ManifestSet => manifest_set,
            Role::ShareSet => share_set,
        }
    }

    const fn place(&self, member: &'a Person) -> Place<'a> {
        Place {
            genesis: self.genesis,
            sequence: self.sequence,
            role: self.role,
            member,
            sets: self.sets,
        }
    }
}

/// The delegation under which this person acts: of those in the folder that name them with this key,
/// the one that lasts longest.
///
/// # Errors
/// Why the best of them does not count; a folder that cannot be read.
pub(crate) fn acting(
    workspace: &Workspace,
    wanted: &Wanted<'_>,
    (name, key): (&Name, &VerificationKey),
    now: UnixMillis,
) -> Result<Option<Acting>, CeremonyError> {
    let mut best: Option<Acting> = None;
    let mut refused: Option<SurrogateError> = None;
    for member in &wanted.people().members {
        for (number, delegation) in workspace.delegations(wanted.sequence, &member.name)? {
            let claim = delegation.unverified();
            if claim.surrogate != *name || claim.signing_key != *key {
                continue;
            }
            let verdict = check(&wanted.place(member), &delegation, &[])
                .and_then(|delegation| counts(delegation, now));
            match verdict {
                Ok(()) => {
                    let longer = best.as_ref().is_none_or(|known| {
                        known.delegation.unverified().expires < delegation.unverified().expires
                    });
                    if longer {
                        best = Some(Acting {
                            member: member.clone(),
                            number,
                            delegation,
                        });
                    }
                }
                Err(error) => refused = Some(error),
            }
        }
    }
    match (best, refused) {
        (None, Some(error)) => Err(error.into()),
        (best, _) => Ok(best),
    }
}

/// The sets before a manifest: those who approve it.
pub(crate) fn sets_before<'a>(
    definition: &'a Definition,
    approved: &'a [Link],
) -> [&'a MemberSet; 2] {
    match approved.last() {
        Some(link) => [&link.manifest.manifest_set, &link.manifest.share_set],
        None => [&definition.manifest_set, &definition.share_set],
    }
}

/// What records say about a delegation: which, and the whole of it, so that whoever reads the record of a
/// surrogate knows by it that they may write.
pub(crate) fn facts(delegation: &Signed<Delegation>) -> Vec<Fact> {
    let mut facts = vec![object(delegation.digest())];
    facts.extend(acting_line(delegation));
    facts
}

#[cfg(test)]
pub(in crate::steps) mod tests;
#[cfg(test)]
mod told;
