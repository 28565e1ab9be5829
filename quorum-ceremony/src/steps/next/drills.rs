//! What a drill waits for, and whether one is due.

use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::Phase;
use quorate_verify::genesis::VerifiedGenesis;

use super::{Due, Who};
use crate::challenge::wall_clock;
use crate::client::Client;
use crate::error::CeremonyError;
use crate::steps::drill::LastDrill;
use crate::workspace::{EnclaveRole, Workspace};

/// What the drill that goes on under this manifest waits for; or that the next one is overdue. Whether a
/// first drill is wanted is for people to decide.
pub(super) fn due(
    workspace: &Workspace,
    manifest: &Manifest,
    digest: Digest<Manifest>,
    last: Option<&LastDrill>,
) -> Result<Vec<Due>, CeremonyError> {
    let coordinator = |step| Due {
        who: Who::Coordinator,
        step,
    };
    let address = workspace.find_enclave(EnclaveRole::Drill)?;
    let status = address.and_then(|address| Client::connect(&address).ok()?.status().ok());
    let status = status.filter(|status| {
        status.manifest == Some(digest) && matches!(status.phase, Phase::Drilling)
    });
    let Some(status) = status else {
        let overdue = last.is_some_and(|last| last.is_overdue(wall_clock()));
        return Ok(overdue
            .then(|| coordinator("drill start"))
            .into_iter()
            .collect());
    };
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let given = |index| status.accepted.iter().any(|known| known.0 == index);
    let holders = manifest.share_set.members.iter();
    let holders = holders
        .filter(|member| !given(member.index) && genesis.is_active(member.index, manifest.epoch));
    // A drill wants everybody; the enclave says when it could end.
    let mut due: Vec<Due> = holders
        .map(|member| Due {
            who: Who::Member(member.name.clone()),
            step: "drill give",
        })
        .collect();
    if status.accepted.len() >= usize::from(status.threshold) {
        due.push(coordinator("drill finish"));
    }
    Ok(due)
}
