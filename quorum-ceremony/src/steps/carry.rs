//! `carry`: whoever reaches the enclaves does the errands of members whose machines do not.
//!
//! A nonce gets the attestation that answers it, a grant gets the enclave's receipt. Each of a
//! member's newest round; what goes wrong with one keeps nobody else waiting.
//!
//! Trusts and is trusted with nothing: the member's tool verifies what was brought. What is checked
//! here only spares a member a useless way.

use std::path::{Path, PathBuf};

use quorate_protocol::atoms::Name;
use quorate_protocol::carried::{CarriedAttestation, CarriedGrant, CarriedNonce};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Origin;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::members::MemberSet;
use quorate_protocol::message::{ProvisionRequest, Reason, Stage};
use quorate_protocol::provision::ProvisionReceipt;
use quorate_verify::genesis::check_output;

use super::carried::{CarriedError, path_of};
use crate::address::Address;
use crate::challenge::Challenge;
use crate::client::{Client, ClientError};
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::workspace::Workspace;
use crate::workspace::carried::{Carried, carried_file};

/// What is to be done for one member.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Task {
    Attest(CarriedNonce),
    Post(Box<CarriedGrant>),
}

/// An errand for one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// For whom.
    pub member: Name,
    /// Which of their rounds.
    pub number: u16,
    /// What is brought.
    pub what: Kind,
    /// The file that will be written.
    pub file: PathBuf,
    task: Task,
}

/// What an errand brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The attestation of the genesis enclave, for a nonce.
    Genesis,
    /// The attestation of an instance, for a nonce.
    Attestation,
    /// An instance's receipt, for a grant.
    Receipt,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis attestation",
            Self::Attestation => "attestation",
            Self::Receipt => "receipt",
        }
    }
}

/// What members wait for.
#[derive(Debug)]
pub struct Errands {
    workspace: Workspace,
    due: Vec<Errand>,
    refused: Vec<(Name, CeremonyError)>,
    development: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Carrying {
    /// Files that were written.
    pub done: Vec<Errand>,
    /// What could not be done, and for whom.
    pub refused: Vec<(Name, CeremonyError)>,
    /// Whether it all rests on a development root.
    pub development: bool,
}

/// Looks at what members wait for. Asks no enclave and writes nothing.
///
/// # Errors
/// A folder that cannot be read; no genesis yet.
pub fn look(folder: &Path) -> Result<Errands, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let definition = workspace.definition()?;
    let output = workspace.output()?;
    let genesis = Digest::of(&check_output(&definition, &output)?);
    let (holders, sequence) = holders(&workspace, &definition)?;
    let mut names: Vec<Name> = definition.people().iter().map(|p| p.name.clone()).collect();
    for member in &holders.members {
        names.push(member.name.clone());
        for (_, delegation) in workspace.delegations(sequence, &member.name)? {
            names.push(delegation.unverified().surrogate.clone());
        }
    }
    names.sort();
    names.dedup();
    let mut errands = Errands {
        development: definition.attestation_root.is_development(),
        workspace,
        due: Vec::new(),
        refused: Vec::new(),
    };
    for name in names {
        match due(&errands.workspace, &name, genesis, &holders) {
            Ok(found) => errands.due.extend(found),
            Err(error) => errands.refused.push((name, error)),
        }
    }
    Ok(errands)
}

/// Who holds shares by the newest manifest of the folder, and its sequence. A claim: enclaves and
/// members verify.
fn holders(
    workspace: &Workspace,
    definition: &Definition,
) -> Result<(MemberSet, u64), CeremonyError> {
    let links = workspace.links(definition, None)?.links;
    Ok(match links.last() {
        Some(link) => (link.manifest.share_set.clone(), link.manifest.sequence),
        None => (definition.share_set.clone(), 0),
    })
}

/// The holder in whose place somebody gives a share: themselves, or who named them in the delegation
/// beside the grant. A claim, as all that is carried.
fn giver<'a>(name: &'a Name, grant: &'a CarriedGrant) -> Option<&'a Name> {
    let Some(delegation) = &grant.delegation else {
        return Some(name);
    };
    let claim = delegation.unverified();
    (claim.surrogate == *name).then_some(&claim.member)
}

/// Whether the folder holds something that a member waits for.
pub(crate) fn waits(workspace: &Workspace, name: &Name) -> Result<bool, CeremonyError> {
    let Some(number) = workspace.newest_round(name)? else {
        return Ok(false);
    };
    let has = |what| workspace.has_carried(name, number, what);
    let (attested, granted) = (has(Carried::Attestation)?, has(Carried::Grant)?);
    Ok(!attested || (granted && !has(Carried::Receipt)?))
}

/// The errand of a member's newest round.
fn due(
    workspace: &Workspace,
    name: &Name,
    genesis: Digest<Genesis>,
    holders: &MemberSet,
) -> Result<Option<Errand>, CeremonyError> {
    let Some(number) = workspace.newest_round(name)? else {
        return Ok(None);
    };
    let path = |what| path_of(workspace, &carried_file(name, number, what));
    let other_genesis = |what| CarriedError::OtherGenesis {
        name: name.clone(),
        path: path(what),
    };
    let other_member = |what| CarriedError::OtherMember {
        name: name.clone(),
        path: path(what),
    };
    let Some(nonce) = workspace.find_carried_nonce(name, number)? else {
        return Ok(None);
    };
    if nonce.genesis != genesis {
        return Err(other_genesis(Carried::Nonce).into());
    }
    if nonce.member != *name {
        return Err(other_member(Carried::Nonce).into());
    }
    let asked = Digest::of(&nonce);
    let errand = |what, file, task| Errand {
        member: name.clone(),
        number,
        what,
        file: path(file),
        task,
    };
    let Some(attested) = workspace.find_carried_attestation(name, number)? else {
        let what = match nonce.stage {
            Stage::Genesis => Kind::Genesis,
            Stage::Setup => Kind::Attestation,
            // No tool asks for it by file.
            Stage::Live | Stage::Drill => return Err(other_member(Carried::Nonce).into()),
        };
        let task = Task::Attest(nonce);
        return Ok(Some(errand(what, Carried::Attestation, task)));
    };
    if attested.nonce != asked {
        let path = path(Carried::Attestation);
        return Err(CarriedError::OtherNonce { path }.into());
    }
    let Some(grant) = workspace.find_carried_grant(name, number)? else {
        return Ok(None);
    };
    if workspace.find_carried_receipt(name, number)?.is_some() {
        return Ok(None);
    }
    let claim = grant.grant.unverified();
    if claim.genesis != genesis {
        return Err(other_genesis(Carried::Grant).into());
    }
    let holder = giver(name, &grant).and_then(|giver| holders.named(giver));
    if holder.map(|member| member.index) != Some(claim.index) {
        return Err(other_member(Carried::Grant).into());
    }
    if grant.nonce != asked {
        let path = path(Carried::Grant);
        return Err(CarriedError::OtherNonce { path }.into());
    }
    let task = Task::Post(Box::new(grant));
    Ok(Some(errand(Kind::Receipt, Carried::Receipt, task)))
}

impl Errands {
    /// What there is to do.
    #[must_use]
    pub fn due(&self) -> &[Errand] {
        &self.due
    }

    /// What is not to be carried, and in whose place it is.
    #[must_use]
    pub fn refused(&self) -> &[(Name, CeremonyError)] {
        &self.refused
    }

    /// Whether it all rests on a development root.
    #[must_use]
    pub const fn development(&self) -> bool {
        self.development
    }

    /// Does the errands, one by one. `address` says where the enclave of each kind is.
    #[must_use]
    pub fn run(self, address: impl Fn(Kind) -> Result<Address, CeremonyError>) -> Carrying {
        let mut carrying = Carrying {
            done: Vec::new(),
            refused: self.refused,
            development: self.development,
        };
        for errand in self.due {
            let run =
                address(errand.what).and_then(|address| run(&self.workspace, &errand, &address));
            match run {
                Ok(()) => carrying.done.push(errand),
                Err(error) => carrying.refused.push((errand.member, error)),
            }
        }
        carrying
    }
}

fn run(workspace: &Workspace, errand: &Errand, address: &Address) -> Result<(), CeremonyError> {
    let (name, number) = (&errand.member, errand.number);
    let mut client = Client::connect(address)?;
    match &errand.task {
        Task::Attest(asked) => {
            let attestation = CarriedAttestation {
                format: quorate_protocol::FORMAT,
                nonce: Digest::of(asked),
                document: client.attest(asked.stage, asked.nonce.clone())?,
            };
            workspace.publish_carried_attestation(name, number, &attestation)?;
        }
        Task::Post(carried) => {
            let receipt = post(&mut client, address, carried)?;
            let granted = carried.grant.unverified();
            let claim = receipt
                .verify(&granted.setup.verification)
                .map_err(|_| StepError::ReceiptWrong)?;
            if claim.grant != carried.grant.digest() {
                return Err(StepError::ReceiptWrong.into());
            }
            workspace.publish_carried_receipt(name, number, &receipt)?;
        }
    }
    Ok(())
}

/// Gives a grant to the enclave. Where it has it already, its answer is in its evidence, once the key
/// is there: the process that gave it before may have died with it.
fn post(
    client: &mut Client,
    address: &Address,
    carried: &CarriedGrant,
) -> Result<Signed<ProvisionReceipt>, CeremonyError> {
    let request = ProvisionRequest {
        grant: carried.grant.clone(),
        sealed: carried.sealed.clone(),
        delegation: carried.delegation.clone(),
    };
    match client.provision(request) {
        Err(ClientError::Refused(refusal))
            if matches!(refusal.reason, Reason::ShareRepeated | Reason::WrongPhase) =>
        {
            let nonce = Challenge::draw()?.nonce().map_err(InputError::from)?;
            let evidence = Client::connect(address)?.evidence(nonce).ok();
            let given = evidence.and_then(|evidence| evidence.provisioning);
            let known = match given.map(|given| given.origin) {
                Some(Origin::Members(provisions)) => provisions
                    .into_iter()
                    .find(|known| known.grant.digest() == carried.grant.digest()),
                _ => None,
            };
            match known {
                Some(provision) => Ok(provision.receipt),
                None => Err(ClientError::Refused(refusal).into()),
            }
        }
        answered => Ok(answered?),
    }
}
