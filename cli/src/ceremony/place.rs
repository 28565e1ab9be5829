//! Which folders and which enclave a command means: those it names, or those of the workspace it is
//! run in.

use std::path::Path;

use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::address::Address;
use quorate_quorum_ceremony::place::{Place, Surroundings};
use quorate_quorum_ceremony::workspace::EnclaveRole;

use super::arguments::{Keyed, Noting, Shared, Socket};
use crate::failure::Failure;

/// The folders a command works in.
pub(super) struct At(Place);

impl At {
    /// The folders of a command that names these.
    pub(super) fn find(shared: &Shared, private: Option<&Path>) -> Result<Self, Failure> {
        let place = Place::find(
            shared.folder.as_deref(),
            private,
            &Surroundings::of_process(),
        );
        Ok(Self(place?))
    }

    /// Those of a member's command.
    pub(super) fn of_member(shared: &Shared, keyed: &Keyed) -> Result<Self, Failure> {
        Self::find(shared, keyed.private.as_deref())
    }

    /// Those of a coordinator's command.
    pub(super) fn of_coordinator(shared: &Shared, noting: &Noting) -> Result<Self, Failure> {
        Self::find(shared, noting.private.as_deref())
    }

    /// The shared folder.
    pub(super) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The member's private folder.
    pub(super) fn private(&self) -> Result<&Path, Failure> {
        let path = self.0.private().map_err(CeremonyError::from)?;
        Ok(path)
    }

    /// The private folder, if there is one.
    pub(super) fn find_private(&self) -> Option<&Path> {
        self.0.find_private()
    }

    /// The private folder, or where it will be made.
    pub(super) fn private_to_make(&self) -> Result<&Path, Failure> {
        let path = self.0.private_to_make().map_err(CeremonyError::from)?;
        Ok(path)
    }

    /// The enclave that makes the key.
    pub(super) fn genesis(&self, socket: &Socket) -> Result<Address, Failure> {
        Ok(self.0.enclave(socket.socket.as_ref(), EnclaveRole::Genesis)?)
    }

    /// The enclave that runs, or shall run, what was approved.
    pub(super) fn instance(&self, socket: &Socket) -> Result<Address, Failure> {
        Ok(self
            .0
            .enclave(socket.socket.as_ref(), EnclaveRole::Instance)?)
    }
}
