//! How far a resharing is, from the folder: who consented, what the enclave made, who holds a new
//! share, which manifest names it, and who has destroyed what it replaced.
//!
//! As the rest of `status` it decides nothing. A consent, record, receipt or word counts as given only
//! where it verifies under the record of the genesis and the chain that the folder has; neither of them
//! is compared with anybody's pins here.

use quorate_protocol::atoms::Name;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Epoch;
use quorate_protocol::members::{Member, MemberSet, Role};
use quorate_protocol::reshare::ReshareOrder;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::reshare::verify_reshare;

use super::ManifestProgress;
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::workspace::Workspace;

/// The newest order of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resharing {
    /// Its number in the folder.
    pub number: u64,
    /// The order.
    pub order: ReshareOrder,
    /// Its digest: what members compare by voice.
    pub digest: Digest<ReshareOrder>,
    /// The manifest of the approved chain that it was written under; nothing if it is under none.
    pub under: Option<u64>,
    /// The holders before it.
    pub before: Option<MemberSet>,
    /// What the manifest set of that manifest has said to it.
    pub approvers: Gathered,
    /// What its holders have said to it.
    pub holders: Gathered,
    /// The shares that the enclave made, if it has.
    pub made: Option<Made>,
    /// What stands in its way, or how far it is.
    pub state: State,
    /// Names under which the folder has something that is not theirs.
    pub ignored: Vec<Name>,
}

/// What is gathered from the people of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Who gave it.
    pub given: Vec<Name>,
    /// Who could still.
    pub absent: Vec<Name>,
    /// How many must.
    pub need: u8,
}

/// New shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Their epoch.
    pub epoch: Epoch,
    /// Who has shown to hold theirs.
    pub receipts: Gathered,
}

/// How far a resharing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for consents, or for the enclave.
    Open,
    /// Nobody can carry it out any more.
    Expired,
    /// The folder has an answer to it that no enclave of this namespace made.
    AnswerWrong,
    /// The new shares are made, and wait for receipts or for a manifest.
    Made,
    /// A manifest that names them waits for approvals.
    Named(u64),
    /// They count, by the approved manifest of this number.
    Counts(u64),
    /// Another manifest was approved in between, or it is under none: it will never count.
    Void,
}

/// Shares that an approved manifest has replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Their epoch.
    pub epoch: Epoch,
    /// The manifest that names others.
    pub by: u64,
    /// Who has signed that theirs is destroyed.
    pub destroyed: Vec<Name>,
    /// Who has not.
    pub kept: Vec<Name>,
}

impl Gathered {
    /// How many more it takes.
    #[must_use]
    pub fn missing(&self) -> usize {
        usize::from(self.need).saturating_sub(self.given.len())
    }
}

impl State {
    /// A stable name for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired => "expired",
            Self::AnswerWrong => "answer-wrong",
            Self::Made => "made",
            Self::Named(_) => "named",
            Self::Counts(_) => "counts",
            Self::Void => "void",
        }
    }
}

/// The newest order in the folder, if there is one.
pub(super) fn read(
    workspace: &Workspace,
    genesis: &VerifiedGenesis,
    manifests: &[ManifestProgress],
) -> Result<Option<Resharing>, CeremonyError> {
    let (number, order) = match workspace.order(None) {
        Ok(found) => found,
        Err(CeremonyError::Step(StepError::OrderMissing { .. })) => return Ok(None),
        Err(error) => return Err(error),
    };
    let digest = Digest::of(&order);
    let mut approved = manifests.iter().filter(|entry| entry.approved);
    let Some(under) = approved.find(|entry| entry.digest == order.manifest) else {
        return Ok(Some(Resharing {
            number,
            digest,
            order,
            under: None,
            before: None,
            approvers: Gathered::default(),
            holders: Gathered::default(),
            made: None,
            state: State::Void,
            ignored: Vec::new(),
        }));
    };
    let running = &under.manifest;
    let (consents, mut ignored) = workspace.reshare_consents(number, running, digest)?;
    let gathered = |role: Role, set: &MemberSet| {
        let consented = |member: &Member| {
            let mut claims = consents.iter().map(|consent| consent.unverified());
            claims.any(|claim| claim.role == role && claim.index == member.index)
        };
        let active =
            |m: &&Member| role == Role::ManifestSet || genesis.is_active(m.index, running.epoch);
        gather(set, active, consented)
    };
    let approvers = gathered(Role::ManifestSet, &running.manifest_set);
    let holders = gathered(Role::ShareSet, &running.share_set);

    let answer = workspace.find_reshare(number)?;
    let made = match &answer {
        Some(answer) if answer.order == order => verify_reshare(genesis, running, answer).ok(),
        _ => None,
    };
    let made = match made {
        None => None,
        Some(verified) => {
            let (completed, others) = workspace.completed_reshare(number)?;
            ignored.extend(others);
            let given = |member: &Member| {
                let mut receipts = completed.receipts.iter();
                receipts.any(|receipt| receipt.unverified().index == member.index)
            };
            Some(Made {
                epoch: verified.epoch,
                receipts: gather(&order.share_set, |_| true, given),
            })
        }
    };
    let after = manifests
        .iter()
        .find(|entry| entry.manifest.sequence == under.manifest.sequence.saturating_add(1));
    let named = made.as_ref().and_then(|made| {
        let mut after = after.iter();
        after.find(|entry| entry.manifest.epoch == made.epoch)
    });
    let state = match (named, &made) {
        (Some(by), _) if by.approved => State::Counts(by.manifest.sequence),
        (Some(by), _) => State::Named(by.manifest.sequence),
        // Whatever it made, only the next manifest could have named it.
        (None, _) if after.is_some_and(|entry| entry.approved) => State::Void,
        (None, Some(_)) => State::Made,
        (None, None) if answer.is_some() => State::AnswerWrong,
        (None, None) if wall_clock() > order.expires => State::Expired,
        (None, None) => State::Open,
    };
    Ok(Some(Resharing {
        number,
        digest,
        under: Some(running.sequence),
        before: Some(running.share_set.clone()),
        order,
        approvers,
        holders,
        made,
        state,
        ignored,
    }))
}

fn gather(
    set: &MemberSet,
    counts: impl Fn(&&Member) -> bool,
    given: impl Fn(&Member) -> bool,
) -> Gathered {
    let members = set.members.iter().filter(counts);
    let (given, absent): (Vec<&Member>, Vec<&Member>) = members.partition(|member| given(member));
    let names = |people: Vec<&Member>| people.into_iter().map(|one| one.name.clone()).collect();
    Gathered {
        given: names(given),
        absent: names(absent),
        need: set.threshold,
    }
}

/// The shares that the last approved change of shares has replaced, if there was one.
pub(super) fn replaced(
    workspace: &Workspace,
    genesis: &VerifiedGenesis,
    manifests: &[ManifestProgress],
) -> Result<Option<Replaced>, CeremonyError> {
    let mut approved = manifests.iter().filter(|entry| entry.approved).rev();
    let Some(newest) = approved.next() else {
        return Ok(None);
    };
    let (mut by, mut last) = (newest, None);
    for entry in approved {
        if entry.manifest.epoch != by.manifest.epoch {
            last = Some(entry);
            break;
        }
        by = entry;
    }
    let (epoch, holders) = match last {
        Some(entry) => (entry.manifest.epoch, &entry.manifest.share_set),
        // The first manifest has the shares of the genesis.
        None => return Ok(None),
    };
    let (mut destroyed, mut kept) = (Vec::new(), Vec::new());
    for person in &holders.members {
        if !genesis.is_active(person.index, epoch) {
            continue;
        }
        // The word names the manifest that was the newest when it was given.
        let sequences = by.manifest.sequence..=newest.manifest.sequence;
        let mut gone = false;
        for sequence in sequences {
            let word = match workspace.find_destroyed(sequence, &person.name) {
                Ok(word) => word,
                Err(CeremonyError::Decode { .. }) => None,
                Err(error) => return Err(error),
            };
            gone |= word.is_some_and(|word| {
                let claim = word.unverified();
                (claim.genesis, claim.epoch, claim.index) == (genesis.digest(), epoch, person.index)
                    && word.verify(&person.signing_key).is_ok()
            });
        }
        match gone {
            true => destroyed.push(person.name.clone()),
            false => kept.push(person.name.clone()),
        }
    }
    Ok(Some(Replaced {
        epoch,
        by: by.manifest.sequence,
        destroyed,
        kept,
    }))
}
