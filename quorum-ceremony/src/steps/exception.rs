//! `exception`: those who gave a receipt finish the genesis without those who cannot.
//!
//! Everybody who gave one must sign, at least one more than open the key and more than half of all
//! holders. Whose receipt is missing holds no share from then on: enclaves and verifiers refuse it.
//! It cannot be taken back; only a reshare gives them a share again.

use std::path::Path;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::exception::{GenesisException, GenesisExceptionFields};
use quorate_protocol::genesis::{Epoch, Genesis, GenesisOutput, GenesisReceipt};
use quorate_protocol::instance::Index;
use quorate_protocol::members::Member as Person;
use quorate_protocol::transcript::{Act, Fact, Sentence, Word};
use quorate_verify::genesis::{check_output, receipts_for_exception};

use super::Member;
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock};
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, object, people, refused};
use crate::workspace::Workspace;
use crate::workspace::begin::exception_file;

/// Who gave a receipt and who did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipts {
    /// Whose receipt is there and theirs.
    pub given: Vec<Person>,
    /// Whose is not.
    pub missing: Vec<Person>,
    /// How many an exception takes.
    pub need: usize,
}

impl Receipts {
    /// Those of a folder.
    ///
    /// # Errors
    /// A file that cannot be read. One that holds no receipt counts as missing.
    pub fn of(
        workspace: &Workspace,
        definition: &Definition,
        output: &GenesisOutput,
    ) -> Result<Self, CeremonyError> {
        let genesis = Digest::of(&check_output(definition, output)?);
        let set = &definition.share_set;
        let (mut given, mut missing) = (Vec::new(), Vec::new());
        for person in &set.members {
            let receipt = match workspace.find_receipt(&person.name) {
                Ok(receipt) => receipt,
                Err(CeremonyError::Decode { .. }) => None,
                Err(error) => return Err(error),
            };
            let right = receipt.is_some_and(|r| is_receipt(&r, genesis, output, person));
            let list = if right { &mut given } else { &mut missing };
            list.push(person.clone());
        }
        let need = receipts_for_exception(set);
        Ok(Self {
            given,
            missing,
            need,
        })
    }

    /// The indices without a receipt, ascending.
    #[must_use]
    pub fn indices(&self) -> Vec<Index> {
        self.missing.iter().map(|p| Index(p.index)).collect()
    }
}

/// An exception that this member may sign, and has not yet.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    definition: Definition,
    genesis: Digest<Genesis>,
    epoch: Epoch,
    receipts: Receipts,
    index: quorate_protocol::atoms::ShareIndex,
}

/// An exception that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excepted {
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// Who is left out.
    pub missing: Vec<Name>,
    /// Whose exceptions are there now, the member's included.
    pub signed: Vec<Name>,
    /// Whose are not.
    pub unsigned: Vec<Name>,
    /// Whether it was there already.
    pub published: Published,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Finds out who is missing, and whether the others may go on.
///
/// # Errors
/// [`StepError::NotReceived`]; a definition or genesis that is not the pinned one;
/// [`StepError::ExceptionUnreceipted`] and its like.
pub fn review(folder: &Path, private: &Path) -> Result<Review, CeremonyError> {
    look(folder, private).map_err(|error| refused(private, Act::Exception, error))
}

fn look(folder: &Path, private: &Path) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let pin = member.genesis()?.digest;
    let definition = workspace.definition()?;
    member.pins.check_definition(&definition)?;
    let output = workspace.output()?;
    let genesis = Digest::of(&check_output(&definition, &output)?);
    member.pins.check_genesis(genesis)?;
    debug_assert_eq!(pin, genesis, "just compared");
    if workspace.find_record()?.is_some() {
        return Err(StepError::ExceptionTooLate.into());
    }
    let receipts = Receipts::of(&workspace, &definition, &output)?;
    let index = decide(&receipts, member.pins.name())?;
    Ok(Review {
        epoch: output.commitments.epoch(),
        workspace,
        member,
        definition,
        genesis,
        receipts,
        index,
    })
}

/// Whether this member may sign that the genesis is finished as it is; their index.
fn decide(
    receipts: &Receipts,
    name: &Name,
) -> Result<quorate_protocol::atoms::ShareIndex, StepError> {
    if receipts.missing.is_empty() {
        return Err(StepError::ExceptionNeedless);
    }
    let own = receipts.given.iter().find(|person| person.name == *name);
    let own = own.ok_or(StepError::ExceptionUnreceipted)?;
    let (need, have) = (receipts.need, receipts.given.len());
    if have < need {
        return Err(StepError::ExceptionTooFew { need, have });
    }
    Ok(own.index)
}

impl Review {
    /// What everybody consented to.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The namespace.
    #[must_use]
    pub const fn genesis(&self) -> Digest<Genesis> {
        self.genesis
    }

    /// Who gave a receipt and who did not.
    #[must_use]
    pub const fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Signs and publishes the exception.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::SignedWrong`] if somebody wrote one in the member's name.
    pub fn sign(self, unlock: impl Into<Unlock>) -> Result<Excepted, CeremonyError> {
        let keys = self.member.unlock(unlock.into())?;
        let missing = self.receipts.indices();
        let own = self.receipts.given.iter().find(|p| p.index == self.index);
        let journal = self
            .member
            .journal(&self.workspace, people(&self.definition, &[]));
        journal.settle(&keys)?;
        let wrong = || StepError::SignedWrong {
            name: keys.name().clone(),
            role: None,
        };
        let subject = (self.genesis, self.epoch);
        let known = self.workspace.find_exception(&missing, keys.name());
        let exception = match known {
            Ok(Some(known)) => {
                let right = own.is_some_and(|own| is_exception(&known, subject, &missing, own));
                if !right {
                    return Err(wrong().into());
                }
                known
            }
            Ok(None) => {
                let fields = fields(subject, self.index, missing.clone(), wall_clock());
                let exception = Checked::new(fields).map_err(StepError::DefinitionInvalid)?;
                keys.sign(exception)?
            }
            Err(CeremonyError::Decode { .. }) => return Err(wrong().into()),
            Err(error) => return Err(error),
        };
        let told = object(exception.digest());
        if !journal.tells(&keys, Act::Exception, &told)? {
            let file = exception_file(&missing, keys.name());
            let effect = Effect::published(&file, &to_bytes(&exception))?;
            add(&self.member.private, &self.content(told), effect)?;
        }
        let published = self.workspace.publish_exception(keys.name(), &exception)?;
        journal.settle(&keys)?;
        let (signed, unsigned) = self.signers()?;
        let names = |people: &[Person]| people.iter().map(|p| p.name.clone()).collect();
        Ok(Excepted {
            genesis: self.genesis,
            missing: names(&self.receipts.missing),
            signed: names(&signed),
            unsigned: names(&unsigned),
            published,
            development: self.definition.attestation_root.is_development(),
        })
    }

    fn content(&self, told: Fact) -> Content {
        let mut facts = vec![object(self.genesis), told];
        let about = Word::new("without");
        let names = self.receipts.missing.iter();
        facts.extend(names.filter_map(|person| {
            let name = Sentence::new(person.name.as_str()).ok()?;
            Some(Fact::Remark(about.clone().ok()?, name))
        }));
        Content {
            act: Act::Exception,
            facts,
        }
    }

    /// Who has signed the same exception and who has not.
    fn signers(&self) -> Result<(Vec<Person>, Vec<Person>), CeremonyError> {
        let missing = self.receipts.indices();
        let subject = (self.genesis, self.epoch);
        let signed = signed(&self.workspace, subject, &missing, &self.receipts.given)?;
        let is = |p: &Person| signed.iter().any(|e| e.unverified().index == p.index);
        Ok(self.receipts.given.iter().cloned().partition(is))
    }
}

fn fields(
    (genesis, epoch): (Digest<Genesis>, Epoch),
    index: quorate_protocol::atoms::ShareIndex,
    missing: Vec<Index>,
    time: UnixMillis,
) -> GenesisExceptionFields {
    GenesisExceptionFields {
        genesis,
        epoch,
        index,
        missing,
        time,
    }
}

/// The exceptions in a folder that are theirs who gave a receipt, and leave out exactly these.
/// Ascending by index. One forged file does not spoil the others.
pub(super) fn signed(
    workspace: &Workspace,
    subject: (Digest<Genesis>, Epoch),
    missing: &[Index],
    given: &[Person],
) -> Result<Vec<Signed<GenesisException>>, CeremonyError> {
    let mut found = Vec::new();
    for person in given {
        match workspace.find_exception(missing, &person.name) {
            Ok(Some(exception)) if is_exception(&exception, subject, missing, person) => {
                found.push(exception);
            }
            Ok(_) | Err(CeremonyError::Decode { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn is_exception(
    exception: &Signed<GenesisException>,
    (genesis, epoch): (Digest<Genesis>, Epoch),
    missing: &[Index],
    person: &Person,
) -> bool {
    let claim = exception.unverified();
    (claim.genesis, claim.epoch, claim.index) == (genesis, epoch, person.index)
        && claim.missing == missing
        && exception.verify(&person.signing_key).is_ok()
}

/// Whether a receipt is this holder's, for this key, with a proof made by the share itself.
fn is_receipt(
    receipt: &Signed<GenesisReceipt>,
    genesis: Digest<Genesis>,
    output: &GenesisOutput,
    person: &Person,
) -> bool {
    let claim = receipt.unverified();
    let epoch = output.commitments.epoch();
    let possession = claim.possession.unverified();
    let Ok(share_key) = output.commitments.member_key(person.index) else {
        return false;
    };
    (claim.genesis, claim.epoch, claim.index) == (genesis, epoch, person.index)
        && (possession.genesis, possession.epoch, possession.index)
            == (genesis, epoch, person.index)
        && receipt.verify(&person.signing_key).is_ok()
        && claim.possession.verify(&share_key).is_ok()
}

#[cfg(test)]
mod tests;
