//! What stands in the shared folder beside the objects of the contract: the plan, where enclaves
//! are, and exceptions.
//!
//! ```text
//! ceremony.toml              the plan, which marks the folder (crate::plan)
//! enclaves/genesis           the address of the genesis enclave, one line of text
//! enclaves/instance          the address of the enclave that was booted last
//! exceptions/MISSING/NAME.cbor  that the genesis is finished without some; MISSING names them
//! ```
//!
//! An address is written by whoever held the genesis or booted, and replaced by the next; it is a
//! hint and nothing more. Whoever answers there is a stranger until their attestation was verified.

use std::path::Path;

use quorate_protocol::atoms::{Name, Sha256};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Measurements;
use quorate_protocol::exception::GenesisException;
use quorate_protocol::instance::Index;
use quorate_verify::attestation::TrustAnchor;

use super::{MAX_ROOT, ROOT, Workspace};
use crate::address::Address;
use crate::client::ClientError;
use crate::error::{CeremonyError, StepError};
use crate::inputs::{self, MAX_MEASUREMENTS};
use crate::plan::{CeremonyPlan, MAX_PLAN, MeasurementsSource, PlanError};
use crate::storage::{Published, StorageError};

/// The plan's file.
pub(crate) const PLAN: &str = "ceremony.toml";
/// Longest address in bytes, its line end included.
const MAX_ADDRESS: usize = 512;

/// Which enclave an address is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnclaveRole {
    /// The one that makes the key.
    Genesis,
    /// The one that was booted last.
    Instance,
    /// The one that was started for a drill last.
    Drill,
}

impl EnclaveRole {
    const fn file(self) -> &'static [&'static str] {
        match self {
            Self::Genesis => &["enclaves", "genesis"],
            Self::Instance => &["enclaves", "instance"],
            Self::Drill => &["enclaves", "drill"],
        }
    }
}

impl Workspace {
    /// The plan, if there is one.
    ///
    /// # Errors
    /// [`CeremonyError::Storage`], [`CeremonyError::Plan`].
    pub fn find_plan(&self) -> Result<Option<CeremonyPlan>, CeremonyError> {
        match self.folder().read(&[PLAN], MAX_PLAN)? {
            Some(bytes) => Ok(Some(CeremonyPlan::parse(&bytes)?)),
            None => Ok(None),
        }
    }

    /// The plan.
    ///
    /// # Errors
    /// As [`find_plan`](Self::find_plan); [`StorageError::Missing`].
    pub fn plan(&self) -> Result<CeremonyPlan, CeremonyError> {
        self.find_plan()?.ok_or_else(|| {
            let path = self.folder().path_of(&[PLAN]);
            StorageError::Missing { path }.into()
        })
    }

    /// Writes a plan and the root certificate it names.
    ///
    /// # Errors
    /// [`StorageError::Differs`] if the folder has another one.
    pub fn publish_plan(
        &self,
        plan: &CeremonyPlan,
        root: &TrustAnchor,
    ) -> Result<Published, StorageError> {
        self.folder().publish(ROOT, root.der())?;
        self.folder().publish(&[PLAN], plan.to_toml().as_bytes())
    }

    /// The root a plan names: the certificate beside it, if its hash is the plan's.
    ///
    /// # Errors
    /// [`StepError::RootDiffers`]; a malformed certificate.
    pub fn planned_root(&self, plan: &CeremonyPlan) -> Result<TrustAnchor, CeremonyError> {
        let der = self.folder().require(ROOT, MAX_ROOT)?;
        let (expected, found) = (plan.root, Sha256::of(&der));
        if found != expected {
            return Err(StepError::RootDiffers { expected, found }.into());
        }
        Ok(TrustAnchor::from_der(plan.partition, &der)?)
    }

    /// The measurements of a plan, from it or from the file it names in this folder.
    ///
    /// # Errors
    /// A name that leads elsewhere, a file that is not there or holds none.
    pub fn planned_measurements(&self, plan: &CeremonyPlan) -> Result<Measurements, CeremonyError> {
        let name = match &plan.measurements {
            MeasurementsSource::Here(measurements) => return Ok((**measurements).clone()),
            MeasurementsSource::File(name) => name.as_str(),
        };
        // One plain file of this folder: the plan is anybody's.
        if name.is_empty() || name.contains('/') || name == "." || name == ".." {
            let field = "measurements";
            return Err(PlanError::Field { field }.into());
        }
        let json = self.folder().require(&[name], MAX_MEASUREMENTS)?;
        Ok(inputs::measurements(&json)?)
    }

    /// Where an enclave is said to be.
    ///
    /// # Errors
    /// [`CeremonyError::Storage`]; [`StepError::AddressMalformed`].
    pub fn find_enclave(&self, role: EnclaveRole) -> Result<Option<Address>, CeremonyError> {
        let Some(bytes) = self.folder().read(role.file(), MAX_ADDRESS)? else {
            return Ok(None);
        };
        let malformed = || StepError::AddressMalformed {
            path: self.folder().path_of(role.file()),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        if text.chars().any(char::is_control) {
            return Err(malformed().into());
        }
        let address = text.parse().map_err(|_| malformed())?;
        Ok(Some(match address {
            // Written on another machine, or by hand.
            Address::Unix(path) if path.is_relative() => Address::Unix(self.path().join(path)),
            address => address,
        }))
    }

    /// Writes where an enclave is, in place of what was said before.
    ///
    /// # Errors
    /// [`StorageError`]. An address that cannot be written as one line of text is left out.
    pub fn publish_enclave(
        &self,
        role: EnclaveRole,
        address: &Address,
    ) -> Result<(), StorageError> {
        let text = match address {
            Address::Unix(path) => std::path::absolute(path)
                .ok()
                .and_then(|path| Some(path.to_str()?.to_owned())),
            address @ Address::Vsock { .. } => Some(address.to_string()),
        };
        let fits = |text: &String| text.len() < MAX_ADDRESS && !text.chars().any(char::is_control);
        match text.filter(fits) {
            Some(text) => self
                .folder()
                .replace(role.file(), format!("{text}\n").as_bytes()),
            None => Ok(()),
        }
    }

    /// Points to an enclave before it is asked for something that people will wait for there. One that refuses
    /// is not it: then the folder points to where it did before.
    pub(crate) fn pointing<R>(
        &self,
        role: EnclaveRole,
        address: &Address,
        ask: impl FnOnce() -> Result<R, ClientError>,
    ) -> Result<R, CeremonyError> {
        // What is no address is nobody's to keep.
        let before = self.find_enclave(role).ok().flatten();
        self.publish_enclave(role, address)?;
        ask().map_err(|error| {
            if let (ClientError::Refused(_), Some(before)) = (&error, before) {
                // The refusal is what is told.
                let _ = self.publish_enclave(role, &before);
            }
            error.into()
        })
    }

    /// One member's exception that leaves out these, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_exception(
        &self,
        missing: &[Index],
        name: &Name,
    ) -> Result<Option<Signed<GenesisException>>, CeremonyError> {
        let file = exception_file(missing, name);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        self.find(&file)
    }

    /// Writes an exception.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_exception(
        &self,
        name: &Name,
        exception: &Signed<GenesisException>,
    ) -> Result<Published, StorageError> {
        let file = exception_file(&exception.unverified().missing, name);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        self.folder().publish(&file, &to_bytes(exception))
    }
}

/// Where an exception is. Those who are left out name the folder, so that one for fewer or others
/// has a place of its own.
pub(crate) fn exception_file(missing: &[Index], name: &Name) -> [String; 3] {
    let indices: Vec<u8> = missing.iter().map(|index| index.0.get()).collect();
    let place: String = Sha256::of(&indices).to_string().chars().take(16).collect();
    ["exceptions".into(), place, format!("{name}.cbor")]
}

/// Whether a folder is marked as one of a ceremony.
pub(crate) fn is_marked(path: &Path) -> bool {
    path.join(PLAN)
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_file())
}
