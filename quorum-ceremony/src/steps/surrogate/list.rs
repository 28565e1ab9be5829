//! `surrogate list`: who acts for whom, as the folder shows it.
//!
//! Reads and changes nothing, and needs no key. A delegation that does not count says why.

use std::path::Path;

use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::members::Role;
use quorate_protocol::surrogate::Delegation;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::surrogate::{SurrogateError, check, counts};

use super::{Wanted, sets_before};
use crate::challenge::wall_clock;
use crate::error::CeremonyError;
use crate::workspace::Workspace;

/// One delegation and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The delegation.
    pub delegation: Signed<Delegation>,
    /// Why it does not count by this computer's clock; none if it does.
    pub refused: Option<SurrogateError>,
    /// Whether the member's share was sealed to the surrogate.
    pub entrusted: bool,
    /// Whether an approval by a surrogate of this member is in the folder.
    pub approved: bool,
}

/// Every delegation of the members of a definition and of every manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What everybody consented to.
    pub definition: Definition,
    /// By manifest, then by member.
    pub delegations: Vec<Listed>,
}

/// Reads the folder.
///
/// # Errors
/// A folder or record that cannot be read.
pub fn read(folder: &Path) -> Result<List, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let now = wall_clock();
    let mut delegations = Vec::new();
    // The one after the newest too: surrogates may be named before it is there.
    for at in 0..=links.len() {
        let before = links.get(..at).unwrap_or_default();
        let sets = sets_before(genesis.definition(), before);
        let sequence = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
        let mut seen = Vec::new();
        for (role, set) in [(Role::ManifestSet, sets[0]), (Role::ShareSet, sets[1])] {
            for member in &set.members {
                if seen.contains(&&member.name) {
                    continue;
                }
                seen.push(&member.name);
                for (number, delegation) in workspace.delegations(sequence, &member.name)? {
                    let wanted = Wanted {
                        genesis: genesis.digest(),
                        sequence,
                        role,
                        sets,
                    };
                    let verdict = check(&wanted.place(member), &delegation, &[])
                        .and_then(|delegation| counts(delegation, now));
                    let share = workspace.find_entrusted(sequence, &member.name, number);
                    let acting = workspace.find_acting(sequence, &member.name);
                    delegations.push(Listed {
                        refused: verdict.err(),
                        entrusted: matches!(share, Ok(Some(_))),
                        approved: matches!(acting, Ok(Some(_))),
                        delegation,
                    });
                }
            }
        }
    }
    Ok(List {
        definition: genesis.definition().clone(),
        delegations,
    })
}
