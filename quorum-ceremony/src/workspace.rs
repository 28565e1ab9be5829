//! The shared folder of a ceremony.
//!
//! ```text
//! definition.cbor            what everybody consents to (definition.json: for eyes only)
//! root.der                   the attestation root whose fingerprint the definition names
//! members/NAME.cbor          cards, each signed by its own key
//! members/NAME-KEY.cbor      cards of keys in the place of lost ones (crate::rekey)
//! consents/NAME.cbor
//! genesis/output.cbor        commitments and sealed shares
//! genesis/document.bin       attestation of the genesis enclave
//! receipts/NAME.cbor
//! record.cbor                definition, consents, output, document and receipts in one
//! manifests/0001/manifest.cbor (manifest.json: for eyes only)
//! manifests/0001/approvals/NAME-manifest-set.cbor, NAME-share-set.cbor
//! manifests/0002/forwards/NAME.cbor  approvals of forwarding the key from the manifest before
//! surrogates/0001/…, manifests/0001/surrogates/  who acts for whom (surrogates.rs)
//! reshares/0001/…            orders, consents, records and receipts of resharings (reshares.rs)
//! carried/NAME/0001/…        files of a member whose machine has no network (carried.rs)
//! drills/0001/drill.cbor     records of drills (drills.rs)
//! transcript/NAME-KEY/0001.cbor  what each member did and saw (crate::transcript)
//! ```
//!
//! The plan that marks it, addresses of enclaves and exceptions: `workspace/begin.rs`.
//!
//! Anyone may write here. Guarantees: what is read is bounded, canonical and a plain file; what is
//! written never replaces something else. Everything read is a claim: the steps compare it with
//! pins and verify every signature.

pub(crate) mod begin;
pub(crate) mod carried;
mod drills;
mod reshares;
mod surrogates;

use std::path::Path;

use quorate_protocol::atoms::{Name, Sha256, ShareIndex};
use quorate_protocol::card::MemberCard;
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{Definition, DefinitionConsent};
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::ForwardApproval;
use quorate_protocol::frame::Sizes;
use quorate_protocol::genesis::{
    Document, Epoch, Genesis, GenesisOutput, GenesisReceipt, GenesisRecord,
};
use quorate_protocol::manifest::{Approval, Link, Manifest};
use quorate_protocol::members::{Member, MemberSet, Role};
use quorate_protocol::message::Request;
use quorate_twins::Twin;
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use quorate_verify::chain::MAX_LINKS;

use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::storage::{Folder, Published, StorageError};

pub use self::begin::EnclaveRole;

const DEFINITION: &[&str] = &["definition.cbor"];
const ROOT: &[&str] = &["root.der"];
const OUTPUT: &[&str] = &["genesis", "output.cbor"];
const DOCUMENT: &[&str] = &["genesis", "document.bin"];
const RECORD: &[&str] = &["record.cbor"];
/// Largest attestation document and root certificate, in bytes.
const MAX_DOCUMENT: usize = 20 * 1024;
const MAX_ROOT: usize = 4 * 1024;
/// Largest chain in bytes: a boot request must hold it.
const MAX_CHAIN: usize = <Request as Sizes>::LARGEST;

pub use self::reshares::is_reshare_consent;
pub(crate) use self::reshares::{destroyed_file, reshare_consent_file, reshare_receipt_file};
pub(crate) use self::surrogates::{acting_file, delegation_file, entrusted_file};

/// The shared folder, open.
#[derive(Debug)]
pub struct Workspace {
    folder: Folder,
}

impl Workspace {
    /// Opens a ceremony's folder.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Folder::open_shared(path).map(|folder| Self { folder })
    }

    /// Opens a ceremony's folder, or makes one.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn create(path: &Path) -> Result<Self, StorageError> {
        Folder::create_shared(path).map(|folder| Self { folder })
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder, for what other modules keep in it.
    pub(crate) const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The definition. Whether it is the right one is the pins' matter.
    ///
    /// # Errors
    /// [`CeremonyError::Storage`], [`CeremonyError::Decode`].
    pub fn definition(&self) -> Result<Definition, CeremonyError> {
        self.require(DEFINITION)
    }

    /// The definition, if there is one.
    ///
    /// # Errors
    /// As [`definition`](Self::definition).
    pub fn find_definition(&self) -> Result<Option<Definition>, CeremonyError> {
        self.find(DEFINITION)
    }

    /// Writes the definition and the root certificate it names.
    ///
    /// # Errors
    /// [`StorageError::Differs`] if another one is there.
    pub fn publish_definition(
        &self,
        definition: &Definition,
        root: &TrustAnchor,
    ) -> Result<Published, StorageError> {
        let published = self.folder.publish(DEFINITION, &to_bytes(definition))?;
        self.folder.publish(ROOT, root.der())?;
        self.folder
            .publish(&["definition.json"], &eyes(definition))?;
        Ok(published)
    }

    /// The root that `definition` names and no other. The certificate comes from the folder, but
    /// is believed only if its hash is the definition's; AWS's own is built in.
    ///
    /// # Errors
    /// [`StepError::RootDiffers`], [`InputError::PartitionUnknown`], a malformed certificate.
    pub fn anchors(&self, definition: &Definition) -> Result<TrustAnchors, CeremonyError> {
        let expected = definition.attestation_root.fingerprint;
        let partition = Partition::from_name(definition.attestation_root.partition.as_str())
            .ok_or(InputError::PartitionUnknown)?;
        let anchor = if partition == Partition::Aws {
            TrustAnchor::aws_commercial()
        } else {
            let der = self.folder.require(ROOT, MAX_ROOT)?;
            let found = Sha256::of(&der);
            if found != expected {
                return Err(StepError::RootDiffers { expected, found }.into());
            }
            TrustAnchor::from_der(partition, &der)?
        };
        let found = Sha256(*anchor.fingerprint());
        if found != expected {
            return Err(StepError::RootDiffers { expected, found }.into());
        }
        let mut anchors = TrustAnchors::empty();
        anchors.insert(anchor)?;
        Ok(anchors)
    }

    /// A member's card, signed by the key it names and under the name of its file.
    ///
    /// # Errors
    /// [`StepError::CardSignature`], [`StepError::CardOfAnother`].
    pub fn card(&self, name: &Name) -> Result<MemberCard, CeremonyError> {
        let file = format!("{name}.cbor");
        let card: Signed<MemberCard> = self.require(&["members", &file])?;
        let card = card
            .verify_self()
            .map_err(|_| StepError::CardSignature { name: name.clone() })?;
        if card.name != *name {
            return Err(StepError::CardOfAnother {
                expected: name.clone(),
                found: card.name.clone(),
            }
            .into());
        }
        Ok(card.clone())
    }

    /// The card of that name as it lies there, not verified.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_card(&self, name: &Name) -> Result<Option<Signed<MemberCard>>, CeremonyError> {
        self.find(&["members", &format!("{name}.cbor")])
    }

    /// Writes a card.
    ///
    /// # Errors
    /// [`StorageError::Differs`] if somebody else has taken that name.
    pub fn publish_card(&self, card: &Signed<MemberCard>) -> Result<Published, StorageError> {
        let file = format!("{}.cbor", card.unverified().name);
        self.folder.publish(&["members", &file], &to_bytes(card))
    }

    /// The consents of the people of a definition, ascending by name, those that are there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn consents(
        &self,
        definition: &Definition,
    ) -> Result<Vec<Signed<DefinitionConsent>>, CeremonyError> {
        self.of_members(definition.people().into_iter(), "consents")
    }

    /// One member's consent, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_consent(
        &self,
        name: &Name,
    ) -> Result<Option<Signed<DefinitionConsent>>, CeremonyError> {
        self.find(&["consents", &format!("{name}.cbor")])
    }

    /// Writes a consent.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_consent(
        &self,
        consent: &Signed<DefinitionConsent>,
    ) -> Result<Published, StorageError> {
        let file = format!("{}.cbor", consent.unverified().member);
        self.folder
            .publish(&["consents", &file], &to_bytes(consent))
    }

    /// The output of the genesis, if there is one.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_output(&self) -> Result<Option<GenesisOutput>, CeremonyError> {
        self.find(OUTPUT)
    }

    /// The output of the genesis.
    ///
    /// # Errors
    /// [`StorageError::Missing`], [`CeremonyError::Decode`].
    pub fn output(&self) -> Result<GenesisOutput, CeremonyError> {
        self.require(OUTPUT)
    }

    /// The attestation of the genesis enclave that goes into the record.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn genesis_document(&self) -> Result<Document, CeremonyError> {
        let bytes = self.folder.require(DOCUMENT, MAX_DOCUMENT)?;
        Document::new(bytes).map_err(|rule| CeremonyError::Decode {
            path: self.folder.path_of(DOCUMENT),
            error: quorate_protocol::cbor::DecodeError::Rule {
                label: "attestation document",
                rule,
            },
        })
    }

    /// Writes what the genesis enclave answered.
    ///
    /// # Errors
    /// [`StorageError::Differs`] if another genesis was written here.
    pub fn publish_genesis(
        &self,
        output: &GenesisOutput,
        document: &Document,
    ) -> Result<(), StorageError> {
        // The output first: the document can be asked for again.
        self.folder.publish(OUTPUT, &to_bytes(output))?;
        self.folder.publish(DOCUMENT, document.as_slice()).map(drop)
    }

    /// The receipts of a definition's share set, ascending by index, those that are there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn receipts(
        &self,
        definition: &Definition,
    ) -> Result<Vec<Signed<GenesisReceipt>>, CeremonyError> {
        self.of_members(definition.share_set.members.iter(), "receipts")
    }

    /// One member's receipt, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_receipt(
        &self,
        name: &Name,
    ) -> Result<Option<Signed<GenesisReceipt>>, CeremonyError> {
        self.find(&["receipts", &format!("{name}.cbor")])
    }

    /// Writes a receipt.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_receipt(
        &self,
        name: &Name,
        receipt: &Signed<GenesisReceipt>,
    ) -> Result<Published, StorageError> {
        self.folder
            .publish(&["receipts", &format!("{name}.cbor")], &to_bytes(receipt))
    }

    /// The genesis record, if it has been put together.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_record(&self) -> Result<Option<GenesisRecord>, CeremonyError> {
        self.find(RECORD)
    }

    /// The genesis record.
    ///
    /// # Errors
    /// [`StorageError::Missing`], [`CeremonyError::Decode`].
    pub fn record(&self) -> Result<GenesisRecord, CeremonyError> {
        self.require(RECORD)
    }

    /// Writes the genesis record.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_record(&self, record: &GenesisRecord) -> Result<Published, StorageError> {
        self.folder.publish(RECORD, &to_bytes(record))
    }

    /// A manifest, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_manifest(&self, sequence: u64) -> Result<Option<Manifest>, CeremonyError> {
        self.find(&["manifests", &place(sequence), "manifest.cbor"])
    }

    /// Writes a manifest.
    ///
    /// # Errors
    /// [`StorageError::Differs`] if there is another one of that sequence.
    pub fn publish_manifest(&self, manifest: &Manifest) -> Result<Published, StorageError> {
        let place = place(manifest.sequence);
        let file = ["manifests", &place, "manifest.cbor"];
        let published = self.folder.publish(&file, &to_bytes(manifest))?;
        self.folder
            .publish(&["manifests", &place, "manifest.json"], &eyes(manifest))?;
        Ok(published)
    }

    /// One member's approval of a manifest in one role, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_approval(
        &self,
        sequence: u64,
        name: &Name,
        role: Role,
    ) -> Result<Option<Signed<Approval>>, CeremonyError> {
        let file = format!("{name}-{}.cbor", role_name(role));
        self.find(&["manifests", &place(sequence), "approvals", &file])
    }

    /// Writes an approval.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_approval(
        &self,
        sequence: u64,
        name: &Name,
        approval: &Signed<Approval>,
    ) -> Result<Published, StorageError> {
        let file = approval_file(sequence, name, approval.unverified().role);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        self.folder.publish(&file, &to_bytes(approval))
    }

    /// One member's approval of forwarding to a manifest, if it is there.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub fn find_forward_approval(
        &self,
        sequence: u64,
        name: &Name,
    ) -> Result<Option<Signed<ForwardApproval>>, CeremonyError> {
        let file = forward_approval_file(sequence, name);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        self.find(&file)
    }

    /// Writes an approval of forwarding to a manifest.
    ///
    /// # Errors
    /// [`StorageError::Differs`].
    pub fn publish_forward_approval(
        &self,
        sequence: u64,
        name: &Name,
        approval: &Signed<ForwardApproval>,
    ) -> Result<Published, StorageError> {
        let file = forward_approval_file(sequence, name);
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        self.folder.publish(&file, &to_bytes(approval))
    }

    /// The approvals of forwarding from one manifest to another that are their members', and the
    /// names under which something else is in the folder.
    ///
    /// # Errors
    /// [`CeremonyError::Storage`].
    pub fn forward_approvals(
        &self,
        from: &Manifest,
        to: &Manifest,
    ) -> Result<(Vec<Signed<ForwardApproval>>, Vec<Name>), CeremonyError> {
        let (mut approvals, mut ignored) = (Vec::new(), Vec::new());
        let subject = (from.genesis, Digest::of(from), Digest::of(to));
        let inactive = self.inactive(from.epoch)?;
        for member in &from.share_set.members {
            if inactive.contains(&member.index) {
                continue;
            }
            match self.find_forward_approval(to.sequence, &member.name) {
                Ok(Some(approval)) if is_forward_approval(&approval, subject, member) => {
                    approvals.push(approval);
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => {
                    ignored.push(member.name.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok((approvals, ignored))
    }

    /// The manifests from the first on, each with its approvals, up to and with `last` or until
    /// there is none. Sets before the first are the definition's.
    ///
    /// An approval in the folder that is not its member's is left out and named in
    /// [`Links::ignored`]: one forged file must not spoil what enough others approved.
    ///
    /// # Errors
    /// [`CeremonyError::Storage`], [`CeremonyError::Decode`]; [`StepError::ChainTooLong`] for more
    /// than an enclave would take.
    pub fn links(
        &self,
        definition: &Definition,
        last: Option<u64>,
    ) -> Result<Links, CeremonyError> {
        let (mut links, mut size) = (Links::default(), 0_usize);
        let left_out = self.left_out()?;
        // Before the first manifest the shares are those of the genesis.
        let mut epoch = left_out.as_ref().map(|(born, _)| *born);
        let mut before = (
            definition.manifest_set.clone(),
            definition.share_set.clone(),
        );
        for sequence in 1..=u64::try_from(MAX_LINKS).unwrap_or(u64::MAX) {
            if last.is_some_and(|last| sequence > last) {
                break;
            }
            let Some(manifest) = self.find_manifest(sequence)? else {
                break;
            };
            let mut approvals = self.approvals(sequence, &manifest, &before, &mut links.ignored)?;
            let counts = |index: &ShareIndex| match &left_out {
                Some((born, left)) => epoch != Some(*born) || !left.contains(index),
                None => true,
            };
            // They count nowhere, and a chain with one would be refused as a whole.
            approvals.retain(|approval| {
                let claim = approval.unverified();
                claim.role != Role::ShareSet || counts(&claim.index)
            });
            let surrogates =
                self.acting_approvals(&manifest, &before, &approvals, &mut links.ignored)?;
            before = (manifest.manifest_set.clone(), manifest.share_set.clone());
            epoch = Some(manifest.epoch);
            // Beside a manifest of other shares it is somebody's mistake, and spoils nothing.
            let (reshare, commitments) = (
                self.find_reshare_of(sequence)?,
                manifest.commitments.clone(),
            );
            let link = Link {
                manifest,
                approvals,
                reshare: reshare.filter(|completed| {
                    completed.reshare.record.unverified().commitments == commitments
                }),
                surrogates,
            };
            size = size.saturating_add(to_bytes(&link).len());
            if size > MAX_CHAIN {
                return Err(StepError::ChainTooLong { max: MAX_CHAIN }.into());
            }
            links.links.push(link);
        }
        Ok(links)
    }

    /// Holders of shares of this epoch whom the record leaves out: none where a resharing made it.
    fn inactive(&self, epoch: Epoch) -> Result<Vec<ShareIndex>, CeremonyError> {
        Ok(match self.left_out()? {
            Some((born, left)) if born == epoch => left,
            _ => Vec::new(),
        })
    }

    /// The epoch of the genesis and the holders whom the record leaves out. What it says is verified
    /// by whoever relies on it.
    fn left_out(&self) -> Result<Option<(Epoch, Vec<ShareIndex>)>, CeremonyError> {
        let Some(record) = self.find_record()? else {
            return Ok(None);
        };
        let receipts = &record.receipts;
        let given = |index| receipts.iter().any(|r| r.unverified().index == index);
        let holders = record.definition.share_set.members.iter().map(|m| m.index);
        let left = holders.filter(|index| !given(*index)).collect();
        Ok(Some((record.output.commitments.epoch(), left)))
    }

    fn approvals(
        &self,
        sequence: u64,
        manifest: &Manifest,
        before: &(MemberSet, MemberSet),
        ignored: &mut Vec<IgnoredApproval>,
    ) -> Result<Vec<Signed<Approval>>, CeremonyError> {
        let (manifest_set, share_set) = before;
        let new = manifest.manifest_set.members.iter();
        let seats = manifest_set
            .members
            .iter()
            .chain(new)
            .map(|member| (Role::ManifestSet, member))
            .chain(
                share_set
                    .members
                    .iter()
                    .map(|member| (Role::ShareSet, member)),
            );
        let mut approvals: Vec<Signed<Approval>> = Vec::new();
        let mut seen: Vec<(Role, &Member)> = Vec::new();
        let subject = (manifest.genesis, Digest::of(manifest));
        for (role, member) in seats {
            if seen
                .iter()
                .any(|(known, at)| *known == role && *at == member)
            {
                continue;
            }
            seen.push((role, member));
            let approval = match self.find_approval(sequence, &member.name, role) {
                Ok(Some(approval)) => approval,
                Ok(None) => continue,
                Err(CeremonyError::Decode { .. }) => {
                    ignored.push(IgnoredApproval {
                        sequence,
                        name: member.name.clone(),
                        role,
                    });
                    continue;
                }
                Err(error) => return Err(error),
            };
            if is_approval(&approval, role, subject, member) {
                approvals.push(approval);
            } else {
                ignored.push(IgnoredApproval {
                    sequence,
                    name: member.name.clone(),
                    role,
                });
            }
        }
        Ok(approvals)
    }

    fn of_members<'m, T: Object>(
        &self,
        members: impl Iterator<Item = &'m Member>,
        folder: &str,
    ) -> Result<Vec<T>, CeremonyError> {
        let mut found = Vec::new();
        for member in members {
            if let Some(object) = self.find(&[folder, &format!("{}.cbor", member.name)])? {
                found.push(object);
            }
        }
        Ok(found)
    }

    pub(crate) fn find<T: Object>(&self, file: &[&str]) -> Result<Option<T>, CeremonyError> {
        let Some(bytes) = self.folder.read(file, T::MAX)? else {
            return Ok(None);
        };
        from_bytes(&bytes)
            .map(Some)
            .map_err(|error| CeremonyError::Decode {
                path: self.folder.path_of(file),
                error,
            })
    }

    fn require<T: Object>(&self, file: &[&str]) -> Result<T, CeremonyError> {
        self.find(file)?.ok_or_else(|| {
            StorageError::Missing {
                path: self.folder.path_of(file),
            }
            .into()
        })
    }
}

/// Manifests with their approvals, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// From the first manifest on.
    pub links: Vec<Link>,
    /// Approvals that were left out.
    pub ignored: Vec<IgnoredApproval>,
}

/// A file in the folder that is no approval by the member in whose name it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredApproval {
    /// Of which manifest.
    pub sequence: u64,
    /// In whose name.
    pub name: Name,
    /// In which role.
    pub role: Role,
}

/// Whether an approval is this member's, in this role, of this manifest.
#[must_use]
pub fn is_approval(
    approval: &Signed<Approval>,
    role: Role,
    (genesis, manifest): (Digest<Genesis>, Digest<Manifest>),
    member: &Member,
) -> bool {
    let claim = approval.unverified();
    claim.role == role
        && claim.genesis == genesis
        && claim.manifest == manifest
        && claim.index == member.index
        && approval.verify(&member.signing_key).is_ok()
}

/// Whether an approval is this member's, of this forward.
#[must_use]
pub fn is_forward_approval(
    approval: &Signed<ForwardApproval>,
    subject: (Digest<Genesis>, Digest<Manifest>, Digest<Manifest>),
    member: &Member,
) -> bool {
    let claim = approval.unverified();
    (claim.genesis, claim.from, claim.to) == subject
        && claim.index == member.index
        && approval.verify(&member.signing_key).is_ok()
}

/// The name of a role in file names.
#[must_use]
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::ManifestSet => "manifest-set",
        Role::ShareSet => "share-set",
    }
}

/// An object's twin. No step reads it.
fn eyes(object: &impl Twin) -> Vec<u8> {
    format!("{:#}\n", object.twin()).into_bytes()
}

/// Where an approval is.
pub(crate) fn approval_file(sequence: u64, name: &Name, role: Role) -> [String; 4] {
    [
        "manifests".into(),
        place(sequence),
        "approvals".into(),
        format!("{name}-{}.cbor", role_name(role)),
    ]
}

/// Where a member's approval of forwarding to a manifest is.
pub(crate) fn forward_approval_file(sequence: u64, name: &Name) -> [String; 4] {
    [
        "manifests".into(),
        place(sequence),
        "forwards".into(),
        format!("{name}.cbor"),
    ]
}

/// The folder of one manifest.
fn place(sequence: u64) -> String {
    format!("{sequence:04}")
}

#[cfg(test)]
mod tests;
