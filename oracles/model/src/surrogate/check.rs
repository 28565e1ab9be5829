//! What must hold, what must be possible, and everything that can be tried.

use std::collections::BTreeMap;

use stateright::{Model, Property};

use super::{
    Act, Action, Answer, Bad, By, MEMBERS, OTHERS, Phase, State, Surrogates, THRESHOLD_OF_BOTH, Who,
};

/// Different members are behind the key.
pub const THRESHOLD: &str = "no key from fewer members than the threshold";
/// Different members are behind the chain.
pub const APPROVED: &str = "no boot on fewer members' approvals than the threshold";
/// One surrogate, one member.
pub const ONE_MEMBER: &str = "a surrogate acts for one member";
/// The end is the end.
pub const IN_TIME: &str = "nothing by a surrogate counts after the end";
/// The member wanted it.
pub const NAMED: &str = "whoever acts was named, and gives only what was given to them";
/// Whatever was sent before, members finish.
pub const COMPLETES: &str = "members finish whatever their surrogates did";
/// A refused request changes nothing.
pub const UNCHANGED: &str = "a refusal changes nothing";
/// Surrogates can do it.
pub const RUNS_BY_SURROGATES: &str = "a surrogate's approval and share count";

impl Phase {
    /// Approvals and shares that counted.
    fn acts(&self) -> Vec<Act> {
        match self {
            Self::Waiting => Vec::new(),
            Self::Collecting(approved, has) | Self::Running(approved, has) => {
                let given = has.iter().map(|(who, by)| (*who, *by));
                approved.iter().copied().chain(given).collect()
            }
        }
    }

    fn shares(&self) -> Option<&BTreeMap<Who, By>> {
        match self {
            Self::Waiting => None,
            Self::Collecting(_, has) | Self::Running(_, has) => Some(has),
        }
    }
}

impl Surrogates {
    /// Every action there is, possible or not.
    #[must_use]
    pub fn every_action(&self) -> Vec<Action> {
        let mut acts = Vec::new();
        let mut every = Vec::new();
        for who in 0..MEMBERS {
            acts.push((who, By::Member));
            for other in 0..OTHERS {
                acts.push((who, By::Surrogate(other)));
                every.extend([Action::Name(who, other), Action::Entrust(who, other)]);
            }
            every.extend(Bad::ALL.map(|bad| Action::GiveBad(bad, who)));
        }
        for (number, one) in acts.iter().enumerate() {
            every.push(Action::Give(*one));
            let later = acts.iter().skip(number.saturating_add(1));
            every.extend(later.map(|two| Action::Boot(*one, *two)));
        }
        every
    }

    /// Whether the members finish from here, without anybody in their place.
    #[must_use]
    pub fn members_finish(&self, state: &State) -> bool {
        let mut now = state.clone();
        let own = |who| (who, By::Member);
        let boot = Action::Boot(own(0), own(1));
        for action in std::iter::once(boot).chain((0..MEMBERS).map(|who| Action::Give(own(who)))) {
            if let Some((_, next)) = self.respond(&now, action) {
                now = next;
            }
        }
        matches!(now.enclave, Phase::Running(..))
    }
}

fn members(acts: impl Iterator<Item = Act>) -> usize {
    let mut members: Vec<Who> = acts.map(|(who, _)| who).collect();
    members.sort_unstable();
    members.dedup();
    members.len()
}

impl Model for Surrogates {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let leads = |action: &Action| {
            let answer = self.respond(state, *action);
            answer.is_some_and(|(_, next)| next != *state)
        };
        actions.extend(self.every_action().into_iter().filter(leads));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.respond(state, action).map(|(_, next)| next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(THRESHOLD, |_, state: &State| match &state.enclave {
                Phase::Running(_, has) => has.len() >= usize::from(THRESHOLD_OF_BOTH),
                _ => true,
            }),
            Property::always(APPROVED, |_, state: &State| match &state.enclave {
                Phase::Waiting => true,
                Phase::Collecting(approved, _) | Phase::Running(approved, _) => {
                    members(approved.iter().copied()) >= usize::from(THRESHOLD_OF_BOTH)
                }
            }),
            Property::always(ONE_MEMBER, |_, state: &State| {
                (0..OTHERS).all(|other| {
                    let acts = state.enclave.acts().into_iter();
                    members(acts.filter(|(_, by)| *by == By::Surrogate(other))) <= 1
                })
            }),
            Property::always(IN_TIME, |model: &Self, state: &State| {
                let acts = state.enclave.acts().into_iter();
                let mut by_others = acts.filter(|(_, by)| *by != By::Member);
                by_others.all(|(who, _)| model.in_time(who))
            }),
            Property::always(NAMED, |_, state: &State| {
                let named = |(who, by): Act| match by {
                    By::Member => true,
                    By::Surrogate(other) => state.named.contains(&(who, other)),
                };
                let entrusted = |(who, by): (&Who, &By)| match by {
                    By::Member => true,
                    By::Surrogate(other) => state.entrusted.contains(&(*who, *other)),
                };
                let mut shares = state.enclave.shares().into_iter().flatten();
                state.enclave.acts().into_iter().all(named) && shares.all(entrusted)
            }),
            Property::always(COMPLETES, |model: &Self, state: &State| {
                model.members_finish(state)
            }),
            Property::always(UNCHANGED, |model: &Self, state: &State| {
                let every = model.every_action().into_iter();
                every
                    .filter_map(|action| model.respond(state, action))
                    .all(|(answer, next)| answer == Answer::Done || next == *state)
            }),
            Property::sometimes(RUNS_BY_SURROGATES, |_, state: &State| {
                let by_others = |act: &Act| act.1 != By::Member;
                match &state.enclave {
                    Phase::Running(approved, has) => {
                        approved.iter().any(by_others)
                            && has.iter().any(|(who, by)| by_others(&(*who, *by)))
                    }
                    _ => false,
                }
            }),
        ]
    }
}
