//! A member's part of a drill, in the private folder: what was given, and that it was taken.
//!
//! ```text
//! drills/GRANT.cbor    a grant of a drill and the receipt that answered it
//! ```

use minicbor::{Decode, Encode};
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{DrillGrant, DrillReceipt};

use super::PrivateFolder;
use crate::error::CeremonyError;
use crate::storage::StorageError;

/// A grant and its receipt, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Drilled {
    /// What the member signed.
    #[n(0)]
    pub(crate) grant: Signed<DrillGrant>,
    /// What the enclave answered.
    #[n(1)]
    pub(crate) receipt: Signed<DrillReceipt>,
}

impl Object for Drilled {
    const LABEL: &'static str = "quorate/drill-given/v1";
    const MAX: usize = <Signed<DrillGrant>>::MAX + <Signed<DrillReceipt>>::MAX + 16;
}

impl PrivateFolder {
    /// A grant and its receipt, if one is kept.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub(crate) fn find_drilled(
        &self,
        grant: Digest<DrillGrant>,
    ) -> Result<Option<Drilled>, CeremonyError> {
        let name = format!("{grant}.cbor");
        let file = ["drills", &name];
        let Some(bytes) = self.folder().read(&file, Drilled::MAX)? else {
            return Ok(None);
        };
        let kept = from_bytes(&bytes).map_err(|error| CeremonyError::Decode {
            path: self.folder().path_of(&file),
            error,
        })?;
        Ok(Some(kept))
    }

    /// Keeps a grant and the receipt that answered it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn store_drilled(&self, drilled: &Drilled) -> Result<(), StorageError> {
        let name = format!("{}.cbor", drilled.grant.digest());
        let bytes = to_bytes(drilled);
        self.folder().publish(&["drills", &name], &bytes).map(drop)
    }
}
