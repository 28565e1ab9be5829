//! Drills: members rehearse giving their shares, and prove that they still hold the real ones.
//!
//! `start` makes an empty enclave one for a drill; in `give` each member verifies it and gives the
//! drill share and a proof made with the real share, which stays where it is; `finish` fetches the
//! record, verifies it and writes it into the folder with the date of the next drill.
//!
//! [`newest`] is what the other commands know of drills: the newest in the folder that holds.

pub mod finish;
pub mod give;
pub mod start;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Link;
use quorate_verify::attestation::Freshness;
use quorate_verify::chain::walk_at;
use quorate_verify::drill::{VerifiedDrill, verify_drill};
use quorate_verify::genesis::VerifiedGenesis;

use crate::error::CeremonyError;
use crate::workspace::Workspace;

/// Drills that are looked through for one that holds. What was put there by somebody else makes the
/// date of the next drill earlier at most.
const LOOKED_THROUGH: u64 = 16;

/// A drill in the folder that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastDrill {
    /// Its number in the folder.
    pub number: u64,
    /// What was verified.
    pub verified: VerifiedDrill,
    /// The manifest it was held under.
    pub sequence: u64,
    /// How many shares it takes.
    pub threshold: u8,
    /// Holders who did not take part, in order of index.
    pub absent: Vec<Name>,
}

impl LastDrill {
    /// How many of those who took part could have been missed: everybody who proved a share less the
    /// threshold.
    #[must_use]
    pub fn to_spare(&self) -> usize {
        let proved = self.verified.participants.len();
        proved.saturating_sub(usize::from(self.threshold))
    }

    /// Whether the next drill is due at this time.
    #[must_use]
    pub fn is_overdue(&self, at: UnixMillis) -> bool {
        at > self.verified.due
    }
}

/// The newest drill in the folder that holds under this genesis and chain.
///
/// # Errors
/// [`CeremonyError::Storage`]; a root certificate that is not the definition's.
pub fn newest(
    workspace: &Workspace,
    genesis: &VerifiedGenesis,
    links: &[Link],
) -> Result<Option<LastDrill>, CeremonyError> {
    let newest = workspace.newest_drill()?;
    if newest == 0 {
        return Ok(None);
    }
    let anchors = workspace.anchors(genesis.definition())?;
    for number in (1..=newest)
        .rev()
        .take(usize::try_from(LOOKED_THROUGH).unwrap_or(1))
    {
        let drill = match workspace.find_drill(number) {
            Ok(Some(drill)) => drill,
            Ok(None) | Err(CeremonyError::Decode { .. }) => continue,
            Err(error) => return Err(error),
        };
        let under = drill.record.unverified().manifest;
        let mut digests = links.iter().map(|link| Digest::of(&link.manifest));
        let Some(at) = digests.position(|digest| digest == under) else {
            continue;
        };
        let known = links.get(..=at).unwrap_or_default();
        // Surrogates counted when the drill began, by the enclave's time, which its record attests.
        let begun = drill.record.unverified().begun;
        let Ok(chain) = walk_at(genesis, known, begun) else {
            continue;
        };
        let archived = Freshness::Archived { at_unix: None };
        let verified = verify_drill(genesis, &chain, known, &anchors, &archived, &drill);
        if let Ok(verified) = verified {
            return Ok(Some(last(number, verified, genesis, &chain)));
        }
    }
    Ok(None)
}

/// A drill and who of those whose share counts did not take part.
fn last(
    number: u64,
    verified: VerifiedDrill,
    genesis: &VerifiedGenesis,
    chain: &quorate_verify::chain::VerifiedChain,
) -> LastDrill {
    let manifest = chain.manifest();
    let absent = verified.absent(&manifest.share_set).into_iter();
    let absent = absent
        .filter(|index| genesis.is_active(*index, manifest.epoch))
        .filter_map(|index| manifest.share_set.member(index))
        .map(|member| member.name.clone());
    LastDrill {
        number,
        absent: absent.collect(),
        sequence: chain.sequence(),
        threshold: manifest.share_set.threshold,
        verified,
    }
}
