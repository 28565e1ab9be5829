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
use crate::storage::{Published, StorageError};

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

    /// Writes a drill under the next number, or finds that its record is there.
    ///
    /// # Errors
    /// [`StorageError`]; [`StepError::DrillsExhausted`].
    pub fn publish_drill(&self, drill: &Drill) -> Result<(u64, Published), CeremonyError> {
        let newest = self.newest_drill()?;
        match self.find_drill(newest) {
            Ok(Some(known)) if known.record == drill.record => {
                // Whoever wrote it may have died before the copy for eyes was there.
                let file = ["drills", &place(newest), "drill.json"];
                match self.folder().publish(&file, &eyes(&known)) {
                    Ok(_) | Err(StorageError::Differs { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                return Ok((newest, Published::AlreadyThere));
            }
            // What somebody else put there is left where it is.
            Ok(_) | Err(CeremonyError::Decode { .. }) => {}
            Err(error) => return Err(error),
        }
        let number = newest.saturating_add(1);
        let place = place(number);
        let file = ["drills", &place, "drill.cbor"];
        let published = self.folder().publish(&file, &to_bytes(drill))?;
        let file = ["drills", &place, "drill.json"];
        self.folder().publish(&file, &eyes(drill))?;
        Ok((number, published))
    }
}
