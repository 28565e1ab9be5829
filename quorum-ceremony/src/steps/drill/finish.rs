//! `drill finish`: the coordinator ends the drill, and writes its record and the next date into the
//! folder.
//!
//! The record is verified as everybody will who reads it, with the coordinator's own nonce, before it
//! is written. Asked again, the enclave gives the same record; it is not written twice.

use std::path::Path;

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::DrillRecord;
use quorate_protocol::message::Phase;
use quorate_protocol::transcript::Act;
use quorate_verify::chain::walk_at;
use quorate_verify::drill::{DrillError, DrillField, verify_drill};
use quorate_verify::genesis::VerifiedGenesis;

use super::{LastDrill, last, newest};
use crate::address::Address;
use crate::challenge::{Challenge, wall_clock};
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::storage::Published;
use crate::transcript::{Content, Noted, document, object, remark};
use crate::workspace::Workspace;

/// Where nothing else is said, the next drill is due after so many days.
pub const DEFAULT_DAYS: u64 = 90;
/// One day in milliseconds.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A drill that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What was verified, under its number in the folder.
    pub drill: LastDrill,
    /// Its record.
    pub record: Digest<DrillRecord>,
    /// Whether the record was there already.
    pub published: Published,
    /// The definition of the namespace.
    pub definition: Definition,
}

/// The date for the next drill where none is named.
#[must_use]
pub fn default_due() -> UnixMillis {
    let days = DEFAULT_DAYS.saturating_mul(DAY_MS);
    UnixMillis(wall_clock().0.saturating_add(days))
}

/// Ends the drill in the enclave at `socket`; the next is due at `due`.
///
/// # Errors
/// What the enclave refuses; a record that does not hold.
pub fn finish(
    folder: &Path,
    socket: impl Into<Address>,
    due: UnixMillis,
) -> Result<Finished, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let anchors = workspace.anchors(genesis.definition())?;
    let mut client = Client::connect(socket)?;
    let challenge = Challenge::draw()?;
    let nonce = challenge.nonce().map_err(InputError::from)?;
    let drill = client.drill_finish(nonce, due)?;
    let known = newest(&workspace, &genesis, &links)?.map(|last| last.number);
    // It may have been started before a newer manifest was approved.
    let under = drill.record.unverified().manifest;
    let mut digests = links.iter().map(|link| Digest::of(&link.manifest));
    let field = DrillField::Manifest;
    let at = digests.position(|digest| digest == under);
    let at = at.ok_or(DrillError::Differs { field })?;
    let links = links.get(..=at).unwrap_or_default();
    let begun = drill.record.unverified().begun;
    let chain = walk_at(&genesis, links, begun)?;
    let freshness = challenge.freshness(genesis.definition().age_limit);
    let verified = verify_drill(&genesis, &chain, links, &anchors, &freshness, &drill)?;
    let (number, published) = workspace.publish_drill(&drill, known)?;
    Ok(Finished {
        record: drill.record.digest(),
        drill: last(number, verified, &genesis, &chain),
        published,
        definition: genesis.definition().clone(),
    })
}

/// How far the drill in the enclave at `socket` is, as it says: who took part, how many shares it needs.
///
/// # Errors
/// An enclave that does not answer, or holds no drill.
pub fn progress(socket: impl Into<Address>) -> Result<(usize, u8), CeremonyError> {
    let status = Client::connect(socket)?.status()?;
    match status.phase {
        Phase::Drilling | Phase::Drilled => Ok((status.accepted.len(), status.threshold)),
        _ => Err(StepError::NoDrill.into()),
    }
}

impl Noted for Finished {
    fn content(&self) -> Content {
        let verified = &self.drill.verified;
        let mut facts = vec![object(self.record), object(verified.manifest)];
        facts.extend(document(&verified.facts));
        let names: Vec<&str> = verified
            .participants
            .iter()
            .map(|one| one.holder.name.as_str())
            .collect();
        facts.extend(remark("took part", &names.join(", ")));
        let absent: Vec<&str> = self.drill.absent.iter().map(|name| name.as_str()).collect();
        if !absent.is_empty() {
            facts.extend(remark("did not take part", &absent.join(", ")));
        }
        let due = quorate_twins::rfc3339(verified.due);
        let due = due.unwrap_or_else(|| format!("{} ms", verified.due.0));
        facts.extend(remark("next drill due", &due));
        Content {
            act: Act::Drill,
            facts,
        }
    }
}
