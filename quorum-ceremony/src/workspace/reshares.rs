//! What a resharing leaves in the shared folder.
//!
//! ```text
//! reshares/0001/order.cbor           what is asked for (order.json: for eyes only)
//! reshares/0001/consents/NAME-manifest-set.cbor, NAME-share-set.cbor
//! reshares/0001/reshare.cbor         what the enclave answered: record and sealed shares
//! reshares/0001/receipts/NAME.cbor   new members who hold their shares
//! manifests/0002/reshare.cbor        the completed resharing that the manifest names
//! manifests/0002/destroyed/NAME.cbor who destroyed the shares that the manifest replaces
//! ```
//!
//! Everything read is a claim, as in the rest of the folder: a consent or receipt that is not its
//! member's is left out and named.

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Epoch;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::{Member, Role};
use quorate_protocol::reshare::{
    CompletedReshare, Reshare, ReshareConsent, ReshareOrder, ReshareReceipt, ShareDestroyed,
};
use quorate_verify::reshare::check_receipt;

use super::{Workspace, eyes, place, role_name};
use crate::error::{CeremonyError, StepError};
use crate::storage::{Published, StorageError};

/// Orders in one folder, at most.
const MAX_ORDERS: u64 = 4096;
const ORDER: &str = "order.cbor";
const RESHARE: &str = "reshare.cbor";

impl Workspace {
    /// The number and the order that is asked for, or the newest in the folder.
    ///
    /// # Errors
    /// [`StepError::OrderMissing`], [`CeremonyError::Decode`].
    pub fn order(&self, number: Option<u64>) -> Result<(u64, ReshareOrder), CeremonyError> {
        let number = match number {
            Some(number) => number,
            None => self.next_order()?.saturating_sub(1),
        };
        let found = self.find(&["reshares", &place(number), ORDER])?;
        let order = found.ok_or(StepError::OrderMissing { number })?;
        Ok((number, order))
    }

    /// The first number that no order has.
    fn next_order(&self) -> Result<u64, CeremonyError> {
        for number in 1..=MAX_ORDERS {
            let file = place(number);
            let max = <ReshareOrder as quorate_protocol::cbor::Object>::MAX;
            if self
                .folder()
                .read(&["reshares", &file, ORDER], max)?
                .is_none()
            {
                return Ok(number);
            }
        }
        Err(StepError::OrdersExhausted.into())
    }

    /// Writes an order under the next number.
    ///
    /// # Errors
    /// [`StorageError`]; [`StepError::OrdersExhausted`].
    pub fn publish_order(&self, order: &ReshareOrder) -> Result<u64, CeremonyError> {
        let number = self.next_order()?;
        let place = place(number);
        self.folder()
            .publish(&["reshares", &place, ORDER], &to_bytes(order))?;
        self.folder()
            .publish(&["reshares", &place, "order.json"], &eyes(order))?;
        Ok(number)
    }

    /// One member's consent in one role, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_reshare_consent(
        &self,
        number: u64,
        name: &Name,
        role: Role,
    ) -> Result<Option<Signed<ReshareConsent>>, CeremonyError> {
        let file = format!("{name}-{}.cbor", role_name(role));
        self.find(&["reshares", &place(number), "consents", &file])
    }

    /// Writes a consent.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_reshare_consent(
        &self,
        number: u64,
        name: &Name,
        consent: &Signed<ReshareConsent>,
    ) -> Result<Published, StorageError> {
        let file = reshare_consent_file(number, name, consent.unverified().role);
        self.folder()
            .publish(&file.each_ref().map(String::as_str), &to_bytes(consent))
    }

    /// The consents of the two sets of a manifest that are their members', and the names under which
    /// something else is in the folder.
    ///
    /// # Errors
    /// [`CeremonyError::Storage`].
    pub fn reshare_consents(
        &self,
        number: u64,
        running: &Manifest,
        order: Digest<ReshareOrder>,
    ) -> Result<(Vec<Signed<ReshareConsent>>, Vec<Name>), CeremonyError> {
        let (mut consents, mut ignored) = (Vec::new(), Vec::new());
        let inactive = self.inactive(running.epoch)?;
        for (role, set) in [
            (Role::ManifestSet, &running.manifest_set),
            (Role::ShareSet, &running.share_set),
        ] {
            for member in &set.members {
                if role == Role::ShareSet && inactive.contains(&member.index) {
                    continue;
                }
                match self.find_reshare_consent(number, &member.name, role) {
                    Ok(Some(consent)) if is_reshare_consent(&consent, role, order, member) => {
                        consents.push(consent);
                    }
                    Ok(None) => {}
                    Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => {
                        ignored.push(member.name.clone());
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok((consents, ignored))
    }

    /// What the enclave answered to an order, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_reshare(&self, number: u64) -> Result<Option<Reshare>, CeremonyError> {
        self.find(&["reshares", &place(number), RESHARE])
    }

    /// The resharing whose commitments name this epoch.
    ///
    /// # Errors
    /// [`StepError::OrderMissing`] if none does.
    pub(crate) fn reshare_of_epoch(&self, epoch: Epoch) -> Result<Reshare, CeremonyError> {
        let next = self.next_order()?;
        for number in (1..next).rev() {
            if let Some(reshare) = self.find_reshare(number)?
                && reshare.record.unverified().commitments.epoch() == epoch
            {
                return Ok(reshare);
            }
        }
        Err(StepError::OrderMissing { number: next }.into())
    }

    /// What the enclave answered to an order.
    ///
    /// # Errors
    /// [`StepError::ReshareMissing`], [`CeremonyError::Decode`].
    pub fn reshare(&self, number: u64) -> Result<Reshare, CeremonyError> {
        self.find_reshare(number)?
            .ok_or_else(|| StepError::ReshareMissing { number }.into())
    }

    /// Writes what the enclave answered.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_reshare(
        &self,
        number: u64,
        reshare: &Reshare,
    ) -> Result<Published, StorageError> {
        let file = ["reshares", &place(number), RESHARE];
        self.folder().publish(&file, &to_bytes(reshare))
    }

    /// One new member's receipt, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_reshare_receipt(
        &self,
        number: u64,
        name: &Name,
    ) -> Result<Option<Signed<ReshareReceipt>>, CeremonyError> {
        let file = format!("{name}.cbor");
        self.find(&["reshares", &place(number), "receipts", &file])
    }

    /// Writes a receipt.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_reshare_receipt(
        &self,
        number: u64,
        name: &Name,
        receipt: &Signed<ReshareReceipt>,
    ) -> Result<Published, StorageError> {
        let file = reshare_receipt_file(number, name);
        self.folder()
            .publish(&file.each_ref().map(String::as_str), &to_bytes(receipt))
    }

    /// A resharing with the receipts that are their members', ascending by index, and the names
    /// under which something else is in the folder. Whether they are enough is for the chain to say.
    ///
    /// # Errors
    /// [`StepError::ReshareMissing`], [`CeremonyError::Storage`].
    pub fn completed_reshare(
        &self,
        number: u64,
    ) -> Result<(CompletedReshare, Vec<Name>), CeremonyError> {
        let reshare = self.reshare(number)?;
        let (mut receipts, mut ignored) = (Vec::new(), Vec::new());
        for member in &reshare.order.share_set.members {
            match self.find_reshare_receipt(number, &member.name) {
                Ok(Some(receipt))
                    if check_receipt(&reshare, &receipt)
                        .is_ok_and(|holder| holder.index == member.index) =>
                {
                    receipts.push(receipt);
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => {
                    ignored.push(member.name.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok((CompletedReshare { reshare, receipts }, ignored))
    }

    /// The resharing beside a manifest, if there is one.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_reshare_of(
        &self,
        sequence: u64,
    ) -> Result<Option<Box<CompletedReshare>>, CeremonyError> {
        let found = self.find(&["manifests", &place(sequence), RESHARE])?;
        Ok(found.map(Box::new))
    }

    /// Writes the resharing beside a manifest. To be done before the manifest itself is written.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_reshare_of(
        &self,
        sequence: u64,
        completed: &CompletedReshare,
    ) -> Result<Published, StorageError> {
        let file = ["manifests", &place(sequence), RESHARE];
        self.folder().publish(&file, &to_bytes(completed))
    }

    /// One holder's word that they destroyed what a manifest replaces, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_destroyed(
        &self,
        sequence: u64,
        name: &Name,
    ) -> Result<Option<Signed<ShareDestroyed>>, CeremonyError> {
        let file = format!("{name}.cbor");
        self.find(&["manifests", &place(sequence), "destroyed", &file])
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_destroyed(
        &self,
        sequence: u64,
        name: &Name,
        destroyed: &Signed<ShareDestroyed>,
    ) -> Result<Published, StorageError> {
        let file = destroyed_file(sequence, name);
        self.folder()
            .publish(&file.each_ref().map(String::as_str), &to_bytes(destroyed))
    }
}

/// Where a member's consent in one role is.
pub(crate) fn reshare_consent_file(number: u64, name: &Name, role: Role) -> [String; 4] {
    [
        "reshares".into(),
        place(number),
        "consents".into(),
        format!("{name}-{}.cbor", role_name(role)),
    ]
}

/// Where a new member's receipt is.
pub(crate) fn reshare_receipt_file(number: u64, name: &Name) -> [String; 4] {
    [
        "reshares".into(),
        place(number),
        "receipts".into(),
        format!("{name}.cbor"),
    ]
}

/// Where a holder's word that they destroyed their share is.
pub(crate) fn destroyed_file(sequence: u64, name: &Name) -> [String; 4] {
    [
        "manifests".into(),
        place(sequence),
        "destroyed".into(),
        format!("{name}.cbor"),
    ]
}

/// Whether a consent is this member's, in this role, to this order.
#[must_use]
pub fn is_reshare_consent(
    consent: &Signed<ReshareConsent>,
    role: Role,
    order: Digest<ReshareOrder>,
    member: &Member,
) -> bool {
    let claim = consent.unverified();
    (claim.role, claim.order, claim.index) == (role, order, member.index)
        && consent.verify(&member.signing_key).is_ok()
}
