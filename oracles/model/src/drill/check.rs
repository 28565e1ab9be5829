//! What must hold, what must be possible, and everything that can be tried.

use stateright::{Model, Property};

use super::Answer::Done;
use super::{Action, Bad, Drill, Epoch, Grant, Part, Phase, Resharing, Run, State, Taken, Where};

impl Drill {
    /// Every action there is, possible or not.
    #[must_use]
    pub fn every_action(&self, state: &State) -> Vec<Action> {
        let mut every = vec![Action::Reshare, Action::DestroyEarly];
        for place in 0..self.places {
            every.extend([
                Action::StartUnapproved(place),
                Action::Restart(place),
                Action::Finish(place),
            ]);
            for epoch in [Epoch::Old, Epoch::New] {
                every.extend([Action::Start(place, epoch), Action::Boot(place, epoch)]);
            }
            for who in 0..=self.members {
                every.extend([
                    Action::Give(who, place),
                    Action::Provision(who, place),
                    Action::GiveHostile(who, place, Part::Whole),
                    Action::GiveHostile(who, place, Part::Proof),
                ]);
                every.extend(Bad::ALL.map(|bad| Action::DeliverBad(bad, who, place)));
            }
            let grants = state.grants.iter();
            every.extend(grants.map(|grant| Action::Deliver(*grant, place)));
            let real = state.real.iter();
            every.extend(real.map(|(who, run)| Action::DeliverReal(*who, *run, place)));
            let records = state.records.iter();
            every.extend(records.map(|run| Action::FinishReplayed(*run, place)));
        }
        every
    }

    /// What honest people do at a place, one after the other.
    fn walk(&self, state: &State, place: Where, steps: impl Fn(&State) -> Vec<Action>) -> State {
        let mut now = state.clone();
        for action in steps(state) {
            if let Some((_, next)) = self.respond(&now, action) {
                now = next;
            }
        }
        // What has left its member is brought to where it belongs.
        let run = now.run(place);
        let honest = |grant: &&Grant| grant.run == run && !self.is_hostile(grant.who);
        let brought = now.grants.iter().filter(honest);
        let brought = brought.map(|grant| Action::Deliver(*grant, place));
        let real = now.real.iter().filter(|(_, made_for)| *made_for == run);
        let real = real.map(|(who, made_for)| Action::DeliverReal(*who, *made_for, place));
        let mut last: Vec<Action> = brought.chain(real).collect();
        last.push(Action::Finish(place));
        for action in last {
            if let Some((_, next)) = self.respond(&now, action) {
                now = next;
            }
        }
        now
    }

    /// Whether honest people alone finish from here, in every enclave that waits or is at it for the
    /// newest manifest: a drill, and a provision. An enclave that is there for something else is
    /// restarted first.
    #[must_use]
    pub fn honest_people_finish(&self, state: &State) -> bool {
        let newest = state.newest();
        (0..self.places).all(|place| {
            let mut empty = state.clone();
            empty.set(place, Phase::Waiting);
            if let Some(before) = empty.before.get_mut(usize::from(place)) {
                // Another enclave than any that ran there.
                *before = before.saturating_add(u8::from(state.at(place) != Some(&Phase::Waiting)));
            }
            let from = match state.at(place) {
                Some(Phase::Drilling(taken)) if taken.epoch == newest => state,
                _ => &empty,
            };
            let everybody = 0..=self.members;
            let drill = self.walk(from, place, |_| {
                let mut steps = vec![Action::Start(place, newest)];
                steps.extend(everybody.clone().map(|who| Action::Give(who, place)));
                steps
            });
            let from = match state.at(place) {
                Some(Phase::Collecting(epoch, _)) if *epoch == newest => state,
                _ => &empty,
            };
            let serving = self.walk(from, place, |_| {
                let mut steps = vec![Action::Boot(place, newest)];
                steps.extend(everybody.clone().map(|who| Action::Provision(who, place)));
                steps
            });
            matches!(drill.at(place), Some(Phase::Drilled(_)))
                && matches!(serving.at(place), Some(Phase::Running(..)))
        })
    }

    fn drills_hold(&self, state: &State, holds: impl Fn(Run, &Taken, bool) -> bool) -> bool {
        (0..)
            .zip(&state.enclaves)
            .all(|(place, phase)| match phase {
                Phase::Drilling(taken) => holds(state.run(place), taken, false),
                Phase::Drilled(taken) => holds(state.run(place), taken, true),
                _ => true,
            })
    }
}

/// No real share for an enclave that is there for a drill, and none kept in one.
pub const NO_REAL_SHARE: &str = "no real share reaches a drill enclave";
/// Such an enclave does nothing else.
pub const DRILL_ONLY: &str = "a drill enclave never collects, serves or has the key";
/// A drill that has ended had enough people.
pub const THRESHOLD: &str = "a record has the drill shares of a threshold of different holders";
/// They proved what counts there, for that enclave.
pub const OF_THIS_ENCLAVE: &str = "whoever took part proved that epoch's share for that enclave";
/// A record is of the enclave that is asked.
pub const OWN_RECORD: &str = "no record passes for another enclave's";
/// Whatever was sent before, honest people finish.
pub const COMPLETES: &str = "honest people finish after any order and repetition";
/// A refused request changes nothing.
pub const UNCHANGED: &str = "a refusal changes nothing";
/// A drill has ended before, during and after a resharing, and with the old shares destroyed. That one can
/// be held from any moment on is [`COMPLETES`].
pub const HELD: [(&str, Resharing, Epoch); 4] = [
    ("a drill before a resharing", Resharing::Before, Epoch::Old),
    ("a drill during a resharing", Resharing::Made, Epoch::Old),
    ("a drill after a resharing", Resharing::Named, Epoch::New),
    (
        "a drill without the old shares",
        Resharing::Destroyed,
        Epoch::New,
    ),
];

impl Model for Drill {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // What changes nothing leads nowhere; `UNCHANGED` looks at all of it.
        let leads = |action: &Action| {
            let answer = self.respond(state, *action);
            answer.is_some_and(|(_, next)| next != *state)
        };
        actions.extend(self.every_action(state).into_iter().filter(leads));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.respond(state, action).map(|(_, next)| next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(NO_REAL_SHARE, |model: &Self, state: &State| {
                let sealed = state
                    .real
                    .iter()
                    .all(|(_, run)| !state.drills.contains(run));
                sealed && model.drills_hold(state, |_, taken, _| taken.real.is_empty())
            }),
            Property::always(DRILL_ONLY, |_, state: &State| {
                (0..).zip(&state.enclaves).all(|(place, phase)| {
                    let drill = state.drills.contains(&state.run(place));
                    let drills = matches!(phase, Phase::Drilling(_) | Phase::Drilled(_));
                    drill == drills
                })
            }),
            Property::always(THRESHOLD, |model: &Self, state: &State| {
                model.drills_hold(state, |_, taken, ended| {
                    !ended || taken.gave() >= usize::from(model.threshold)
                })
            }),
            Property::always(OF_THIS_ENCLAVE, |model: &Self, state: &State| {
                model.drills_hold(state, |run, taken, _| {
                    taken.from.iter().all(|(who, part)| {
                        let grant = Grant {
                            who: *who,
                            run,
                            epoch: taken.epoch,
                            part: *part,
                        };
                        model.holds(*who, taken.epoch) && state.grants.contains(&grant)
                    })
                })
            }),
            Property::always(OWN_RECORD, |_, state: &State| !state.forged),
            Property::always(COMPLETES, |model: &Self, state: &State| {
                model.honest_people_finish(state)
            }),
            Property::always(UNCHANGED, |model: &Self, state: &State| {
                let every = model.every_action(state).into_iter();
                every
                    .filter_map(|action| model.respond(state, action))
                    .all(|(answer, next)| answer == Done || next == *state)
            }),
        ];
        properties.push(Property::sometimes(HELD[0].0, |_, s: &State| held(s, 0)));
        properties.push(Property::sometimes(HELD[1].0, |_, s: &State| held(s, 1)));
        properties.push(Property::sometimes(HELD[2].0, |_, s: &State| held(s, 2)));
        properties.push(Property::sometimes(HELD[3].0, |_, s: &State| held(s, 3)));
        properties
    }
}

/// Whether a drill has ended by that time.
fn held(state: &State, which: usize) -> bool {
    HELD.get(which).is_some_and(|(_, resharing, epoch)| {
        let ended = |phase: &Phase| matches!(phase, Phase::Drilled(taken) if taken.epoch == *epoch);
        state.resharing == *resharing && state.enclaves.iter().any(ended)
    })
}
