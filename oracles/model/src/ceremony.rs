//! Enclaves that wait, make a key, or boot and collect shares; members who verify before they give;
//! and a host that delivers, repeats, reorders, withholds and forges.
//!
//! [`Ceremony::respond`] is what an enclave answers in each state. A refusal changes nothing; that the
//! real init refuses likewise, and changes nothing, is what `tests/drive.rs` holds.

use std::collections::BTreeSet;

use stateright::{Model, Property};

/// A member, by place: the first is 0.
pub type Who = u8;
/// An enclave, by place.
pub type Where = u8;

/// How many of everything, and by which rules.
#[derive(Clone, Debug)]
pub struct Ceremony {
    /// Members of the share set.
    pub members: u8,
    /// Shares it takes.
    pub threshold: u8,
    /// Enclaves, all with the approved image.
    pub enclaves: u8,
    /// What holds, or what is broken to see the checker find it.
    pub rules: Rules,
}

/// The rules that the properties rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// As they are.
    Kept,
    /// Members give without having verified.
    GivenUnverified,
    /// An enclave counts a share again that it has.
    RepeatsCounted,
    /// An enclave takes a grant that was made for another.
    AnyGrantTaken,
    /// A genesis enclave boots.
    BornBoots,
    /// A wrong share throws away the good ones, as in systems that this one replaces.
    BadShareClears,
    /// After a wrong share no other is taken, as in systems that this one replaces.
    BadSharePoisons,
}

/// More shares than there are: only a broken rule counts to it.
const POISONED: u8 = u8::MAX;

/// What an enclave is doing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It waits for a genesis or a boot.
    Waiting,
    /// It made a key and does nothing else.
    Born,
    /// It has booted and has the shares of these members.
    Collecting(BTreeSet<Who>),
    /// It has rebuilt the key from theirs.
    Running(BTreeSet<Who>),
    /// It has ended, with everything it had.
    Ended,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The enclaves.
    pub enclaves: Vec<Phase>,
    /// Which enclaves made a key.
    pub born: BTreeSet<Where>,
    /// Who has verified which enclave, with a nonce of their own.
    pub verified: BTreeSet<(Who, Where)>,
    /// Grants that have left their member: whose, and for which enclave. The host has them for ever.
    pub sent: BTreeSet<(Who, Where)>,
    /// Shares that an enclave counted, repeated ones as often as it did.
    pub counted: Vec<u8>,
}

/// A grant that no honest tool makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bad {
    /// Another number than the share, signed by the member.
    WrongShare,
    /// The share in a grant that somebody else signed.
    Forged,
    /// A good grant with another ciphertext beside it.
    Swapped,
    /// In the name of an index that nobody has.
    Stranger,
}

impl Bad {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::WrongShare,
        Self::Forged,
        Self::Swapped,
        Self::Stranger,
    ];
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// An enclave is asked for a genesis, with everyone's consent.
    Genesis(Where),
    /// An enclave is asked for a genesis, with one consent missing.
    GenesisWithoutConsent(Where),
    /// An enclave is booted with the approved chain.
    Boot(Where),
    /// An enclave is booted with one approval too few.
    BootUnapproved(Where),
    /// A member asks for an attestation with a nonce of their own and verifies it.
    Verify(Who, Where),
    /// The host answers a member's nonce with a document made for another.
    VerifyStale(Who, Where),
    /// A member gives their share to an enclave.
    Give(Who, Where),
    /// The host delivers a grant: whose, made for which enclave, and to which.
    Deliver(Who, Where, Where),
    /// The host delivers a bad one in a member's name.
    DeliverBad(Bad, Who, Where),
    /// The enclave ends.
    End(Where),
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It was done.
    Done,
    /// The enclave refuses, and changes nothing.
    Refused(Refusal),
    /// The member's own tool refuses.
    ToolRefused,
}

/// Why an enclave refuses: its reasons, as far as the model has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too few approvals.
    ApprovalsMissing,
    /// The sealed share is not the one that was signed.
    CiphertextMismatch,
    /// A consent is missing.
    ConsentMissing,
    /// The grant is for another instance.
    GrantForAnother,
    /// The grant is not signed by the member.
    GrantSignature,
    /// No such member.
    NotAMember,
    /// It has nothing of the kind to attest.
    NothingToAttest,
    /// This member's share is there.
    ShareRepeated,
    /// The share is wrong.
    ShareWrong,
    /// Not now.
    WrongPhase,
}

impl Ceremony {
    /// By the rules as they are.
    #[must_use]
    pub const fn new(members: u8, threshold: u8, enclaves: u8) -> Self {
        Self {
            members,
            threshold,
            enclaves,
            rules: Rules::Kept,
        }
    }

    /// Everybody and everything that waits.
    #[must_use]
    pub fn start(&self) -> State {
        State {
            enclaves: vec![Phase::Waiting; usize::from(self.enclaves)],
            born: BTreeSet::new(),
            verified: BTreeSet::new(),
            sent: BTreeSet::new(),
            counted: vec![0; usize::from(self.enclaves)],
        }
    }

    /// What an action brings, and the state after it. `None` where it cannot be done at all: there is
    /// nobody to do it, or it does not compile.
    #[must_use]
    pub fn respond(&self, state: &State, action: Action) -> Option<(Answer, State)> {
        let mut next = state.clone();
        let refused = |why| Some((Answer::Refused(why), state.clone()));
        let at = |place: Where| state.enclaves.get(usize::from(place));
        match action {
            Action::Genesis(place) => match at(place)? {
                Phase::Waiting => {
                    next.enclaves[usize::from(place)] = Phase::Born;
                    next.born.insert(place);
                    Some((Answer::Done, next))
                }
                Phase::Ended => None,
                _ => refused(Refusal::WrongPhase),
            },
            Action::GenesisWithoutConsent(place) => match at(place)? {
                Phase::Waiting => refused(Refusal::ConsentMissing),
                Phase::Ended => None,
                _ => refused(Refusal::WrongPhase),
            },
            Action::Boot(place) => match at(place)? {
                Phase::Waiting => {
                    next.enclaves[usize::from(place)] = Phase::Collecting(BTreeSet::new());
                    Some((Answer::Done, next))
                }
                Phase::Born if self.rules == Rules::BornBoots => {
                    next.enclaves[usize::from(place)] = Phase::Collecting(BTreeSet::new());
                    Some((Answer::Done, next))
                }
                Phase::Ended => None,
                _ => refused(Refusal::WrongPhase),
            },
            Action::BootUnapproved(place) => match at(place)? {
                Phase::Waiting => refused(Refusal::ApprovalsMissing),
                Phase::Ended => None,
                _ => refused(Refusal::WrongPhase),
            },
            Action::Verify(who, place) => match at(place)? {
                Phase::Collecting(_) => {
                    next.verified.insert((who, place));
                    Some((Answer::Done, next))
                }
                Phase::Ended => None,
                _ => refused(Refusal::NothingToAttest),
            },
            Action::VerifyStale(_, place) => match at(place)? {
                Phase::Collecting(_) => Some((Answer::ToolRefused, next)),
                _ => None,
            },
            Action::Give(who, place) => {
                let verified = state.verified.contains(&(who, place));
                if !verified && self.rules != Rules::GivenUnverified {
                    return None;
                }
                next.sent.insert((who, place));
                Some((Answer::Done, next))
            }
            Action::Deliver(who, made_for, place) => {
                if !state.sent.contains(&(who, made_for)) {
                    return None;
                }
                match at(place)? {
                    Phase::Collecting(has) => {
                        if made_for != place && self.rules != Rules::AnyGrantTaken {
                            return refused(Refusal::GrantForAnother);
                        }
                        if has.contains(&who) && self.rules != Rules::RepeatsCounted {
                            return refused(Refusal::ShareRepeated);
                        }
                        if state.counted.get(usize::from(place)) == Some(&POISONED) {
                            return refused(Refusal::ShareWrong);
                        }
                        let mut has = has.clone();
                        has.insert(who);
                        let counted = &mut next.counted[usize::from(place)];
                        *counted = counted.saturating_add(1);
                        next.enclaves[usize::from(place)] = if *counted >= self.threshold {
                            Phase::Running(has)
                        } else {
                            Phase::Collecting(has)
                        };
                        Some((Answer::Done, next))
                    }
                    Phase::Ended => None,
                    _ => refused(Refusal::WrongPhase),
                }
            }
            Action::DeliverBad(bad, who, place) => match at(place)? {
                Phase::Collecting(has) => refused(match bad {
                    Bad::Stranger => Refusal::NotAMember,
                    Bad::Swapped => Refusal::CiphertextMismatch,
                    Bad::Forged => Refusal::GrantSignature,
                    Bad::WrongShare if has.contains(&who) => Refusal::ShareRepeated,
                    Bad::WrongShare if self.rules == Rules::BadShareClears => {
                        next.enclaves[usize::from(place)] = Phase::Collecting(BTreeSet::new());
                        next.counted[usize::from(place)] = 0;
                        return Some((Answer::Refused(Refusal::ShareWrong), next));
                    }
                    Bad::WrongShare if self.rules == Rules::BadSharePoisons => {
                        next.counted[usize::from(place)] = POISONED;
                        return Some((Answer::Refused(Refusal::ShareWrong), next));
                    }
                    Bad::WrongShare => Refusal::ShareWrong,
                }),
                Phase::Ended => None,
                _ => refused(Refusal::WrongPhase),
            },
            Action::End(place) => match at(place)? {
                Phase::Ended => None,
                _ => {
                    next.enclaves[usize::from(place)] = Phase::Ended;
                    Some((Answer::Done, next))
                }
            },
        }
    }

    /// Every action there is, possible or not.
    #[must_use]
    pub fn every_action(&self) -> Vec<Action> {
        let mut every = Vec::new();
        for place in 0..self.enclaves {
            every.extend([
                Action::Genesis(place),
                Action::GenesisWithoutConsent(place),
                Action::Boot(place),
                Action::BootUnapproved(place),
                Action::End(place),
            ]);
            for who in 0..self.members {
                every.extend([
                    Action::Verify(who, place),
                    Action::VerifyStale(who, place),
                    Action::Give(who, place),
                ]);
                every.extend((0..self.enclaves).map(|to| Action::Deliver(who, place, to)));
                every.extend(Bad::ALL.map(|bad| Action::DeliverBad(bad, who, place)));
            }
        }
        every
    }

    /// Whether honest people finish from here, each doing what the tools tell them, in any enclave that
    /// has not ended and made no key. There is none to finish in where all have.
    #[must_use]
    pub fn honest_people_finish(&self, state: &State) -> bool {
        (0..self.enclaves).all(|place| {
            let mut now = state.clone();
            match now.enclaves.get(usize::from(place)) {
                None | Some(Phase::Born | Phase::Ended | Phase::Running(_)) => return true,
                Some(Phase::Waiting | Phase::Collecting(_)) => {}
            }
            let members = (0..self.members).flat_map(|who| {
                [
                    Action::Verify(who, place),
                    Action::Give(who, place),
                    Action::Deliver(who, place, place),
                ]
            });
            for action in std::iter::once(Action::Boot(place)).chain(members) {
                if let Some((_, next)) = self.respond(&now, action) {
                    now = next;
                }
            }
            matches!(
                now.enclaves.get(usize::from(place)),
                Some(Phase::Running(_))
            )
        })
    }
}

/// No share leaves before its member has verified the very enclave it is for.
pub const ATTESTED_FIRST: &str = "no share leaves before attestation";
/// The key is rebuilt from the threshold of different members' shares, made for that enclave.
pub const THRESHOLD: &str = "no reconstruction with fewer than the threshold";
/// An enclave that made a key never collects shares.
pub const BORN_STAYS: &str = "a genesis enclave never boots";
/// Whatever was sent before, honest people finish.
pub const COMPLETES: &str = "honest people finish after any order and repetition";
/// A refused request changes nothing.
pub const UNCHANGED: &str = "a refusal changes nothing";
/// The key can be rebuilt at all.
pub const REACHED: &str = "the key is rebuilt";
/// In more than one enclave, each from shares of its own.
pub const REACHED_TWICE: &str = "two enclaves have the key";

impl Model for Ceremony {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let possible = |action: &Action| self.respond(state, *action).is_some();
        actions.extend(self.every_action().into_iter().filter(possible));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.respond(state, action).map(|(_, next)| next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ATTESTED_FIRST, |_, state: &State| {
                state.sent.is_subset(&state.verified)
            }),
            Property::always(THRESHOLD, |model: &Self, state: &State| {
                (0..)
                    .zip(&state.enclaves)
                    .all(|(place, phase)| match phase {
                        Phase::Running(from) => {
                            from.len() >= usize::from(model.threshold)
                                && from.iter().all(|who| state.sent.contains(&(*who, place)))
                        }
                        _ => true,
                    })
            }),
            Property::always(BORN_STAYS, |_, state: &State| {
                state.born.iter().all(|place| {
                    let phase = state.enclaves.get(usize::from(*place));
                    matches!(phase, Some(Phase::Born | Phase::Ended))
                })
            }),
            Property::always(COMPLETES, |model: &Self, state: &State| {
                model.honest_people_finish(state)
            }),
            Property::always(UNCHANGED, |model: &Self, state: &State| {
                let every = model.every_action().into_iter();
                every
                    .filter_map(|action| model.respond(state, action))
                    .all(|(answer, next)| match answer {
                        Answer::Done => true,
                        Answer::Refused(_) | Answer::ToolRefused => next == *state,
                    })
            }),
            Property::sometimes(REACHED, |_, state: &State| {
                state
                    .enclaves
                    .iter()
                    .any(|phase| matches!(phase, Phase::Running(_)))
            }),
        ];
        if self.enclaves > 1 {
            properties.push(Property::sometimes(REACHED_TWICE, |_, state: &State| {
                let running = |phase: &&Phase| matches!(phase, Phase::Running(_));
                state.enclaves.iter().filter(running).count() > 1
            }));
        }
        properties
    }
}
