//! A member's side of carried files: a nonce that outlives its process, and the attestation that
//! answers it.
//!
//! Guarantees: the age of an attestation is counted from the making of its nonce, on this machine's
//! [clock](crate::clock), over all processes; the limit is that of the definition the member pinned.
//! A nonce is used once. What a folder brings is believed for nothing but what the attestation says.
//!
//! Does not: write anything before the caller says so ([`Asking::ask`]).

use std::path::PathBuf;
use std::time::Duration;

use quorate_protocol::atoms::{Bytes, Name};
use quorate_protocol::carried::CarriedNonce;
use quorate_protocol::definition::AgeLimit;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Document, Genesis};
use quorate_protocol::message::Stage;
use thiserror::Error;

use super::Member;
use crate::challenge::Challenge;
use crate::clock::{ClockError, Moment, SharedClock};
use crate::error::{Blame, CeremonyError, Explanation};
use crate::inputs::InputError;
use crate::private::carried::{Round, Stand};
use crate::random;
use crate::workspace::Workspace;
use crate::workspace::carried::{Carried, MAX_ROUNDS, carried_file};

/// Why carried files are not used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CarriedError {
    /// Time cannot be counted from the making of the nonce.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// No number is left for another round.
    #[error("{name} has had {MAX_ROUNDS} rounds of carried files")]
    NoPlace {
        /// Who.
        name: Name,
    },
    /// A file is of another namespace.
    #[error("what {name} asks with is of another ceremony: {} names another genesis", .path.display())]
    OtherGenesis {
        /// In whose place it is.
        name: Name,
        /// The file.
        path: PathBuf,
    },
    /// A file is in another person's place.
    #[error("{} is not of {name}, in whose place it is", .path.display())]
    OtherMember {
        /// In whose place it is.
        name: Name,
        /// The file.
        path: PathBuf,
    },
    /// A file answers another nonce than the one that stands beside it, or that was made here.
    #[error("{} answers another nonce", .path.display())]
    OtherNonce {
        /// The file.
        path: PathBuf,
    },
    /// The attestation came too late.
    #[error(
        "the nonce of this attestation was made {} s ago; the definition you signed takes {} s",
        .age.as_secs(), .limit.seconds()
    )]
    Stale {
        /// Time since the making of the nonce.
        age: Duration,
        /// The definition's limit.
        limit: AgeLimit,
    },
}

impl CarriedError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::Clock(ClockError::Unreadable) => (
                "carried-no-clock",
                Blame::Machine,
                "use a Linux machine with /proc; without its clock no age can be counted",
            ),
            Self::Clock(ClockError::OtherBoot) => (
                "carried-other-boot",
                Blame::Machine,
                "make a new nonce with --anew, and let the machine run until the answer is there",
            ),
            Self::Clock(ClockError::WentBack) => (
                "carried-clock-back",
                Blame::Machine,
                "make a new nonce with --anew; if this comes again, do not use this machine",
            ),
            Self::NoPlace { .. } => (
                "carried-no-place",
                Blame::Folder,
                "somebody filled that member's part of `carried` in the shared folder; remove it",
            ),
            Self::OtherGenesis { .. } => (
                "carried-other-genesis",
                Blame::Folder,
                "remove that file, and bring the files of this ceremony",
            ),
            Self::OtherMember { .. } => (
                "carried-other-member",
                Blame::Folder,
                "remove that file, and put each file where its member's tool wrote it",
            ),
            Self::OtherNonce { .. } => (
                "carried-other-nonce",
                Blame::Folder,
                "files were mixed up, or repeated: remove that file, and have the coordinator run \
                 `quorate ceremony carry`; or make a new nonce with --anew",
            ),
            Self::Stale { limit, .. } if limit.seconds() < AgeLimit::LONGEST.seconds() => (
                "carried-stale",
                Blame::You,
                "make a new nonce with --anew and bring the answer sooner. More time is only in \
                 another definition (`--age-limit`, 1800 s at most), which every member signs \
                 before a genesis",
            ),
            Self::Stale { .. } => (
                "carried-stale",
                Blame::You,
                "make a new nonce with --anew and bring the answer sooner: no definition takes more",
            ),
        };
        Explanation::new(code, blame, remedy)
    }
}

/// What a member can do who waits for an attestation.
pub(crate) enum Answer {
    /// Make a nonce, or bring the one that is there.
    Ask(Next),
    /// Verify what was brought.
    Brought(Challenge, Document, Round),
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Next {
    New {
        stage: Stage,
        genesis: Digest<Genesis>,
        /// The number of the round before.
        after: u16,
    },
    Waits(Round),
}

/// A member who is about to ask for an attestation.
#[derive(Debug)]
pub struct Asking {
    pub(crate) workspace: Workspace,
    pub(crate) member: Member,
    pub(crate) next: Next,
    pub(crate) limit: AgeLimit,
    pub(crate) clock: SharedClock,
}

/// A nonce that waits for its attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which round of this member it is.
    pub number: u16,
    /// The file to be brought to the coordinator.
    pub file: PathBuf,
    /// Where the answer has to be.
    pub answer: PathBuf,
    /// Which enclave is asked.
    pub stage: Stage,
    /// Whether the nonce was made before.
    pub before: bool,
    /// For how long an answer is taken from now on.
    pub left: Duration,
    /// The definition's limit.
    pub limit: AgeLimit,
}

/// What the folders hold for a member who wants this attestation. `anew` gives up what waits.
pub(crate) fn answer(
    workspace: &Workspace,
    member: &Member,
    (stage, genesis): (Stage, Digest<Genesis>),
    limit: AgeLimit,
    clock: &SharedClock,
    anew: bool,
) -> Result<Answer, CeremonyError> {
    let known = member.private.find_round()?;
    let fresh = Answer::Ask(Next::New {
        stage,
        genesis,
        after: known.as_ref().map_or(0, |round| round.number),
    });
    let waits = |round: &Round| {
        round.stand == Stand::Asked && round.asked.stage == stage && round.asked.genesis == genesis
    };
    let Some(round) = known.filter(|round| !anew && waits(round)) else {
        return Ok(fresh);
    };
    let name = member.pins.name();
    let since = round.made.since(clock);
    let Some(brought) = workspace.find_carried_attestation(name, round.number)? else {
        // Nothing was brought yet, so nothing is lost with a nonce that is of no use any more.
        return match since {
            Ok(aging) if aging.age() <= limit.duration() => Ok(Answer::Ask(Next::Waits(round))),
            Ok(_) | Err(ClockError::OtherBoot | ClockError::WentBack) => Ok(fresh),
            Err(error) => Err(CarriedError::from(error).into()),
        };
    };
    let aging = since.map_err(CarriedError::from)?;
    let file = carried_file(name, round.number, Carried::Attestation);
    let other = || CarriedError::OtherNonce {
        path: path_of(workspace, &file),
    };
    let age = aging.age();
    if age > limit.duration() {
        return Err(CarriedError::Stale { age, limit }.into());
    }
    let nonce = round.nonce().ok_or_else(other)?;
    if brought.nonce != round.digest() {
        return Err(other().into());
    }
    let challenge = Challenge::kept(nonce, aging);
    Ok(Answer::Brought(challenge, brought.document, round))
}

impl Asking {
    /// Whether the nonce was made before and still waits.
    #[must_use]
    pub const fn waits(&self) -> bool {
        matches!(self.next, Next::Waits(_))
    }

    /// Whether everything rests on this limit.
    #[must_use]
    pub const fn limit(&self) -> AgeLimit {
        self.limit
    }

    /// Makes the nonce, keeps it and writes it into the shared folder; one that waits is written again
    /// where it is gone.
    ///
    /// # Errors
    /// [`CarriedError`]; another file in its place.
    pub fn ask(self) -> Result<Asked, CeremonyError> {
        let (workspace, name) = (&self.workspace, self.member.pins.name());
        let before = self.waits();
        let round = match self.next {
            Next::Waits(round) => round,
            Next::New {
                stage,
                genesis,
                after,
            } => {
                let number = free(workspace, name, after)?;
                // Before the nonce is drawn: it is never older than is said.
                let made = Moment::now(&self.clock).map_err(CarriedError::from)?;
                let nonce = random::bytes::<32>()?.to_vec();
                let round = Round {
                    number,
                    asked: CarriedNonce {
                        format: quorate_protocol::FORMAT,
                        genesis,
                        member: name.clone(),
                        stage,
                        nonce: Bytes::new(nonce).map_err(InputError::from)?,
                    },
                    made,
                    stand: Stand::Asked,
                };
                self.member.private.store_round(&round)?;
                round
            }
        };
        workspace.publish_carried_nonce(round.number, &round.asked)?;
        let aging = round.made.since(&self.clock).map_err(CarriedError::from)?;
        let place = |what| path_of(workspace, &carried_file(name, round.number, what));
        Ok(Asked {
            number: round.number,
            file: place(Carried::Nonce),
            answer: place(Carried::Attestation),
            stage: round.asked.stage,
            before,
            left: self.limit.duration().saturating_sub(aging.age()),
            limit: self.limit,
        })
    }
}

/// The first number after `after` in whose place nothing stands.
fn free(workspace: &Workspace, name: &Name, after: u16) -> Result<u16, CeremonyError> {
    for number in after.saturating_add(1)..=MAX_ROUNDS {
        if !workspace.has_carried(name, number, Carried::Nonce)? {
            return Ok(number);
        }
    }
    Err(CarriedError::NoPlace { name: name.clone() }.into())
}

/// The path of a file, for people.
pub(crate) fn path_of(workspace: &Workspace, file: &[String]) -> PathBuf {
    let file: Vec<&str> = file.iter().map(String::as_str).collect();
    workspace.folder().path_of(&file)
}
