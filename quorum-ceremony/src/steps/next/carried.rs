//! Whose turn it is where files are carried.

use quorate_protocol::atoms::Name;
use quorate_protocol::message::Stage;

use super::{Due, Progress, Who};
use crate::error::CeremonyError;
use crate::private::carried::Stand;
use crate::steps::{Member, carry};
use crate::workspace::Workspace;
use crate::workspace::carried::Carried;

/// The coordinator's errand, if somebody waits for one.
pub(super) fn errand(
    workspace: &Workspace,
    progress: &Progress,
) -> Result<Option<Due>, CeremonyError> {
    let (Some(definition), Some(_)) = (&progress.definition, progress.genesis) else {
        return Ok(None);
    };
    let people = definition.people().into_iter();
    let newest = progress.manifests.last();
    let holders = newest.map(|newest| newest.manifest.share_set.members.iter());
    let people = people.chain(holders.into_iter().flatten());
    let mut names: Vec<&Name> = people.map(|person| &person.name).collect();
    names.sort();
    names.dedup();
    for name in names {
        if carry::waits(workspace, name)? {
            let (who, step) = (Who::Coordinator, "carry");
            return Ok(Some(Due { who, step }));
        }
    }
    Ok(None)
}

/// Where a member stands who is in a round.
pub(super) enum Own {
    /// In none.
    No,
    /// The coordinator has to bring something.
    Waits,
    /// They go on.
    GoOn(&'static str),
}

/// Where this member stands.
pub(super) fn own(workspace: &Workspace, member: &Member) -> Result<Own, CeremonyError> {
    let Some(round) = member.private.find_round()? else {
        return Ok(Own::No);
    };
    let step = match round.asked.stage {
        Stage::Genesis if member.pins.genesis().is_none() => "receipt --carried",
        Stage::Setup => "provision --carried",
        Stage::Genesis | Stage::Live | Stage::Drill => return Ok(Own::No),
    };
    let name = member.pins.name();
    let has = |what| workspace.has_carried(name, round.number, what);
    let (sent, answered) = match round.stand {
        Stand::Asked => (Carried::Nonce, Carried::Attestation),
        Stand::Granted(..) => (Carried::Grant, Carried::Receipt),
        Stand::Over => return Ok(Own::No),
    };
    Ok(if has(answered)? || !has(sent)? {
        Own::GoOn(step)
    } else {
        Own::Waits
    })
}
