//! Where carried files stand in the shared folder.
//!
//! ```text
//! carried/NAME/0001/nonce.cbor        the member's, made on their machine
//! carried/NAME/0001/attestation.cbor  the coordinator's, from the enclave
//! carried/NAME/0001/grant.cbor        the member's
//! carried/NAME/0001/receipt.cbor      the coordinator's, from the enclave
//! ```
//!
//! Each round has a number of its own, so that no file ever takes another's place, whichever way and
//! in which order they come. Everything read is a claim.

use quorate_protocol::atoms::Name;
use quorate_protocol::carried::{CarriedAttestation, CarriedGrant, CarriedNonce};
use quorate_protocol::cbor::{Object, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::provision::ProvisionReceipt;

use super::Workspace;
use crate::error::CeremonyError;
use crate::storage::{Published, StorageError};

/// Rounds a member can have in one ceremony.
pub(crate) const MAX_ROUNDS: u16 = 999;
/// Numbers that may be missing between two rounds that were brought.
const GAP: u16 = 8;

/// One of the files of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    Nonce,
    Attestation,
    Grant,
    Receipt,
}

/// Where a file of a round is.
pub(crate) fn carried_file(name: &Name, number: u16, what: Carried) -> [String; 4] {
    let file = match what {
        Carried::Nonce => "nonce.cbor",
        Carried::Attestation => "attestation.cbor",
        Carried::Grant => "grant.cbor",
        Carried::Receipt => "receipt.cbor",
    };
    [
        "carried".into(),
        name.to_string(),
        format!("{number:04}"),
        file.into(),
    ]
}

impl Workspace {
    /// The highest number of a round of this member that has a nonce here.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn newest_round(&self, name: &Name) -> Result<Option<u16>, StorageError> {
        let (mut newest, mut missing) = (None, 0);
        for number in 1..=MAX_ROUNDS {
            if self.has_carried(name, number, Carried::Nonce)? {
                (newest, missing) = (Some(number), 0);
            } else {
                missing += 1;
                if missing > GAP {
                    break;
                }
            }
        }
        Ok(newest)
    }

    /// Whether something stands in a file's place.
    pub(crate) fn has_carried(
        &self,
        name: &Name,
        number: u16,
        what: Carried,
    ) -> Result<bool, StorageError> {
        let file = carried_file(name, number, what);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        match self.folder().read(&file, MAX_FILE) {
            Ok(found) => Ok(found.is_some()),
            // Whatever it is, it is there.
            Err(StorageError::TooLong { .. } | StorageError::NotPlain { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn find_carried<T: Object>(
        &self,
        name: &Name,
        number: u16,
        what: Carried,
    ) -> Result<Option<T>, CeremonyError> {
        let file = carried_file(name, number, what);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        self.find(&file)
    }

    fn publish_carried(
        &self,
        name: &Name,
        number: u16,
        what: Carried,
        object: &impl Object,
    ) -> Result<Published, StorageError> {
        let file = carried_file(name, number, what);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        self.folder().publish(&file, &to_bytes(object))
    }

    /// The nonce of a round.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub(crate) fn find_carried_nonce(
        &self,
        name: &Name,
        number: u16,
    ) -> Result<Option<CarriedNonce>, CeremonyError> {
        self.find_carried(name, number, Carried::Nonce)
    }

    /// Writes a nonce.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub(crate) fn publish_carried_nonce(
        &self,
        number: u16,
        nonce: &CarriedNonce,
    ) -> Result<Published, StorageError> {
        self.publish_carried(&nonce.member, number, Carried::Nonce, nonce)
    }

    /// The attestation of a round.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub(crate) fn find_carried_attestation(
        &self,
        name: &Name,
        number: u16,
    ) -> Result<Option<CarriedAttestation>, CeremonyError> {
        self.find_carried(name, number, Carried::Attestation)
    }

    /// Writes an attestation.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub(crate) fn publish_carried_attestation(
        &self,
        name: &Name,
        number: u16,
        attestation: &CarriedAttestation,
    ) -> Result<Published, StorageError> {
        self.publish_carried(name, number, Carried::Attestation, attestation)
    }

    /// The grant of a round.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub(crate) fn find_carried_grant(
        &self,
        name: &Name,
        number: u16,
    ) -> Result<Option<CarriedGrant>, CeremonyError> {
        self.find_carried(name, number, Carried::Grant)
    }

    /// Writes a grant.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub(crate) fn publish_carried_grant(
        &self,
        name: &Name,
        number: u16,
        grant: &CarriedGrant,
    ) -> Result<Published, StorageError> {
        self.publish_carried(name, number, Carried::Grant, grant)
    }

    /// The enclave's receipt of a round.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub(crate) fn find_carried_receipt(
        &self,
        name: &Name,
        number: u16,
    ) -> Result<Option<Signed<ProvisionReceipt>>, CeremonyError> {
        self.find_carried(name, number, Carried::Receipt)
    }

    /// Writes a receipt.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub(crate) fn publish_carried_receipt(
        &self,
        name: &Name,
        number: u16,
        receipt: &Signed<ProvisionReceipt>,
    ) -> Result<Published, StorageError> {
        self.publish_carried(name, number, Carried::Receipt, receipt)
    }
}

/// Largest of these files in bytes.
const MAX_FILE: usize = CarriedAttestation::MAX;
