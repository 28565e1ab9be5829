//! What drills leave in the shared folder.
//!
//! ```text
//! drills/0001/drill.cbor     record, grants and attestation of one drill (drill.json: for eyes only)
//! enclaves/drill             the address of the enclave that was started for a drill last
//! ```
//!
//! Everything read is a claim, as in the rest of the folder; `steps/drill.rs` verifies it.

use quorate_protocol::cbor::{Object as _, to_bytes};
use quorate_protocol::drill::Drill;

use super::{Workspace, eyes, place};
use crate::error::{CeremonyError, StepError};
use crate::storage::Published;

/// Drills in one folder, at most.
const MAX_DRILLS: u64 = 4096;

impl Workspace {
    /// One drill, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_drill(&self, number: u64) -> Result<Option<Drill>, CeremonyError> {
        self.find(&["drills", &place(number), "drill.cbor"])
    }

    /// The number of the newest drill in the folder; 0 if there is none.
    ///
    /// # Errors
    /// [`StepError::DrillsExhausted`]; [`CeremonyError::Storage`].
    pub fn newest_drill(&self) -> Result<u64, CeremonyError> {
        for number in 1..=MAX_DRILLS {
            let file = ["drills", &place(number), "drill.cbor"];
            if self.folder().read(&file, Drill::MAX)?.is_none() {
                return Ok(number.saturating_sub(1));
            }
        }
        Err(StepError::DrillsExhausted.into())
    }

    /// Writes a drill under the next number, unless its record is there under `known`: the number of the
    /// newest in the folder that was verified. What was altered since is none of these and stays where
    /// it is.
    ///
    /// # Errors
    /// [`CeremonyError::Storage`]; [`StepError::DrillsExhausted`].
    pub fn publish_drill(
        &self,
        drill: &Drill,
        known: Option<u64>,
    ) -> Result<(u64, Published), CeremonyError> {
        if let Some(number) = known
            && let Some(there) = self.find_drill(number)?
            && there.record == drill.record
        {
            // Whoever wrote it may have died before the copy for eyes was there.
            self.folder()
                .replace(&["drills", &place(number), "drill.json"], &eyes(&there))?;
            return Ok((number, Published::AlreadyThere));
        }
        let number = self.newest_drill()?.saturating_add(1);
        let place = place(number);
        let published = self
            .folder()
            .publish(&["drills", &place, "drill.cbor"], &to_bytes(drill))?;
        // One of a record that was lost may be there still, with another attestation.
        self.folder()
            .replace(&["drills", &place, "drill.json"], &eyes(drill))?;
        Ok((number, published))
    }
}
