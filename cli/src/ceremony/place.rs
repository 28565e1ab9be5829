//! Which folders and which enclave a command means: those it names, or those of the workspace it is
//! run in.

use std::path::Path;

use quorate_protocol::transcript::Act;
use quorate_quorum_ceremony::address::Address;
use quorate_quorum_ceremony::place::{Place, Surroundings};
use quorate_quorum_ceremony::steps::next;
use quorate_quorum_ceremony::storage::StorageError;
use quorate_quorum_ceremony::transcript::{Noted, note, refused};
use quorate_quorum_ceremony::workspace::EnclaveRole;
use quorate_quorum_ceremony::{CeremonyError, StepError};

use super::arguments::{Keyed, Noting, Shared, Socket};
use crate::failure::Failure;

/// The folders a command works in.
pub(super) struct At {
    place: Place,
    /// Whether the private folder was named on the command line.
    named: bool,
}

impl At {
    /// The folders of a command that names these.
    pub(super) fn find(shared: &Shared, private: Option<&Path>) -> Result<Self, Failure> {
        let place = Place::find(
            shared.folder.as_deref(),
            private,
            &Surroundings::of_process(),
        );
        Ok(Self {
            place: place?,
            named: private.is_some(),
        })
    }

    /// Those of a member's command.
    pub(super) fn of_member(shared: &Shared, keyed: &Keyed) -> Result<Self, Failure> {
        Self::find(shared, keyed.private.as_deref())
    }

    /// Those of a coordinator's command. Where the coordinator is a member, the folder must be what
    /// they pinned.
    pub(super) fn of_coordinator(shared: &Shared, noting: &Noting) -> Result<Self, Failure> {
        let at = Self::find(shared, noting.private.as_deref())?;
        if let Some(private) = at.find_private() {
            next::check_pins(at.folder(), private)?;
        }
        Ok(at)
    }

    /// Notes what a coordinator did who is a member. A private folder that nobody named and that has
    /// no key is somebody's who has not joined yet.
    pub(super) fn note(&self, done: &impl Noted) -> Result<(), Failure> {
        let Some(private) = self.find_private() else {
            return Ok(());
        };
        match note(private, done) {
            Err(CeremonyError::Step(StepError::NotJoined)) if !self.named => Ok(()),
            Err(CeremonyError::Storage(StorageError::Missing { path }))
                if !self.named && path == private =>
            {
                Ok(())
            }
            noted => Ok(noted?),
        }
    }

    /// Notes what was refused to a coordinator who is a member.
    pub(super) fn refused(&self, act: Act, error: CeremonyError) -> CeremonyError {
        match self.find_private() {
            Some(private) => refused(private, act, error),
            None => error,
        }
    }

    /// The shared folder.
    pub(super) fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// The member's private folder.
    pub(super) fn private(&self) -> Result<&Path, Failure> {
        let path = self.place.private().map_err(CeremonyError::from)?;
        Ok(path)
    }

    /// The private folder, if there is one.
    pub(super) fn find_private(&self) -> Option<&Path> {
        self.place.find_private()
    }

    /// The private folder, or where it will be made.
    pub(super) fn private_to_make(&self) -> Result<&Path, Failure> {
        let path = self.place.private_to_make().map_err(CeremonyError::from)?;
        Ok(path)
    }

    /// An enclave, as named or as the folder says.
    pub(super) fn enclave(
        &self,
        socket: &Socket,
        role: EnclaveRole,
    ) -> Result<Address, CeremonyError> {
        self.place.enclave(socket.socket.as_ref(), role)
    }

    /// The enclave that makes the key.
    pub(super) fn genesis(&self, socket: &Socket) -> Result<Address, Failure> {
        Ok(self
            .place
            .enclave(socket.socket.as_ref(), EnclaveRole::Genesis)?)
    }

    /// The enclave of the drill.
    pub(super) fn drill(&self, socket: &Socket) -> Result<Address, Failure> {
        Ok(self
            .place
            .enclave(socket.socket.as_ref(), EnclaveRole::Drill)?)
    }

    /// The enclave that runs, or shall run, what was approved.
    pub(super) fn instance(&self, socket: &Socket) -> Result<Address, Failure> {
        Ok(self
            .place
            .enclave(socket.socket.as_ref(), EnclaveRole::Instance)?)
    }
}
