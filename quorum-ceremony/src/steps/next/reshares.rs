//! What a resharing waits for.

use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::{MemberSet, Role};
use quorate_verify::genesis::VerifiedGenesis;

use super::{Due, Who};
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::workspace::Workspace;

/// What the newest order waits for, if it is under this manifest and was carried out or still can be.
pub(super) fn pending(
    workspace: &Workspace,
    running: &Manifest,
    digest: Digest<Manifest>,
) -> Result<Vec<Due>, CeremonyError> {
    let (number, order) = match workspace.order(None) {
        Ok(found) => found,
        Err(CeremonyError::Step(StepError::OrderMissing { .. })) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if order.manifest != digest {
        return Ok(Vec::new());
    }
    let coordinator = |step| {
        vec![Due {
            who: Who::Coordinator,
            step,
        }]
    };
    if workspace.find_reshare(number)?.is_some() {
        let (completed, _) = workspace.completed_reshare(number)?;
        let given = |index| {
            let mut receipts = completed.receipts.iter();
            receipts.any(|receipt| receipt.unverified().index == index)
        };
        let set = &order.share_set;
        let absent = set.members.iter().filter(|member| !given(member.index));
        let missing = usize::from(set.threshold).saturating_sub(completed.receipts.len());
        if missing == 0 {
            return Ok(coordinator("rotate --reshare"));
        }
        return Ok(vec![Due {
            who: Who::AnyOf {
                missing,
                names: absent.map(|member| member.name.clone()).collect(),
            },
            step: "reshare receipt",
        }]);
    }
    if wall_clock() > order.expires {
        return Ok(Vec::new());
    }
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let (consents, _) = workspace.reshare_consents(number, running, Digest::of(&order))?;
    let absent = |role, set: &MemberSet| {
        let consented = |index| {
            let mut claims = consents.iter().map(|consent| consent.unverified());
            claims.any(|claim| claim.role == role && claim.index == index)
        };
        let active = |index| role == Role::ManifestSet || genesis.is_active(index, running.epoch);
        let members = set.members.iter().filter(|member| active(member.index));
        let (given, names): (Vec<_>, Vec<_>) = members.partition(|member| consented(member.index));
        let missing = usize::from(set.threshold).saturating_sub(given.len());
        let names = names
            .into_iter()
            .map(|member| member.name.clone())
            .collect();
        (missing > 0).then_some(Who::AnyOf { missing, names })
    };
    let sets = [
        absent(Role::ManifestSet, &running.manifest_set),
        absent(Role::ShareSet, &running.share_set),
    ];
    let mut due: Vec<Due> = Vec::new();
    for who in sets.into_iter().flatten() {
        let step = "reshare sign";
        if !due.iter().any(|known| known.who == who) {
            due.push(Due { who, step });
        }
    }
    if due.is_empty() {
        return Ok(coordinator("reshare run"));
    }
    Ok(due)
}
