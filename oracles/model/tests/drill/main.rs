//! Traces of the model of drills against the code: the real init, each enclave a process with an
//! emulated NSM, what a member's tool verifies before it proves or gives anything, and the verification of
//! a drill's record.
//!
//! Each walk follows a shortest trace to a state. At its end everything that the model says is refused
//! there is tried and must be refused for that reason and change nothing; then, behind every third, honest
//! people alone hold a drill in an enclave of its own, under the newest manifest, and anybody verifies its
//! record. After each step every enclave must say of itself what the model says of it.
//!
//! The resharing is a real one, made once for all walks: its steps say which of its manifests the tools
//! take for the newest.
//!
//! Needs the static enclave binaries (`./test` builds them first).

#[path = "../../../../emulator/tests/common/mod.rs"]
mod common;
#[path = "../../../../emulator/tests/reshare/namespace.rs"]
mod namespace;
#[path = "../../../../emulator/tests/drill/rehearsal.rs"]
mod rehearsal;

mod bad;
mod prepared;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use model::drill::{
    Action, Answer, Bad, Drill as Model, Epoch, Grant, Part, Phase, Resharing, Rules, State,
};
use prepared::Prepared;
use walk::Walk;

/// What a state is like: walks should see each kind.
fn kind(state: &State) -> (Resharing, bool, Vec<u8>) {
    let phases = state.enclaves.iter().map(|phase| match phase {
        Phase::Waiting => 0,
        Phase::Drilling(taken) if taken.epoch == Epoch::Old => 1,
        Phase::Drilling(_) => 2,
        Phase::Drilled(_) => 3,
        Phase::Collecting(..) => 4,
        Phase::Running(..) => 5,
    });
    (state.resharing, !state.records.is_empty(), phases.collect())
}

/// So many traces to states of each kind, evenly chosen.
fn chosen(model: &Model, so_many: usize) -> (Vec<Vec<Action>>, usize) {
    let mut kinds: BTreeMap<_, Vec<Vec<Action>>> = BTreeMap::new();
    let traces = model::traces(model);
    let all = traces.len();
    for trace in traces {
        let steps = trace.iter();
        let end = steps.fold(model.start(), |state, action| {
            model.respond(&state, *action).unwrap().1
        });
        kinds.entry(kind(&end)).or_default().push(trace);
    }
    let chosen = kinds.into_values().flat_map(|mut traces| {
        let every = traces.len().div_ceil(so_many);
        traces.drain(..every / 2);
        traces.into_iter().step_by(every)
    });
    (chosen.collect(), all)
}

/// What every member can try is tried by one or two of them in each walk, and by others in the next.
fn turn(walk: usize) -> impl Fn(&Action) -> bool {
    move |action| match action {
        Action::DeliverBad(bad, who, _) => {
            let way = Bad::ALL.iter().position(|known| known == bad);
            (way.unwrap() + usize::from(*who) + walk).is_multiple_of(3)
        }
        Action::Give(who, _) | Action::Provision(who, _) => {
            (usize::from(*who) + walk).is_multiple_of(3)
        }
        _ => true,
    }
}

/// Walks so many of the model's traces to states of each kind.
fn drive(model: &Model, so_many: usize) {
    let mut prepared = Prepared::new(model.members, model.threshold);
    let (traces, all) = chosen(model, so_many);
    let (mut walked, mut refusals, mut ended) = (0_usize, 0, BTreeSet::new());
    let mut held = BTreeSet::new();
    for trace in &traces {
        let mut walk = Walk::start(&mut prepared, model.places);
        let mut state = model.start();
        for action in trace {
            let (expected, next) = model.respond(&state, *action).unwrap();
            let about = format!("{action:?} in {trace:?}");
            assert_eq!(walk.act(*action), expected, "{about}");
            walk.note(&next);
            walk.assert_is(&next, &about);
            state = next;
        }
        for action in model.every_action(&state).into_iter().filter(turn(walked)) {
            match model.respond(&state, action) {
                None | Some((Answer::Done, _)) => {}
                Some((expected, _)) => {
                    let about = format!("{action:?} after {trace:?}");
                    assert_eq!(walk.act(action), expected, "{about}");
                    refusals += 1;
                }
            }
        }
        let about = format!("behind {trace:?}");
        walk.assert_is(&state, &about);
        // What an enclave of its own does depends on the resharing alone.
        if held.insert(state.resharing) || walked.is_multiple_of(3) {
            walk.assert_a_drill_can_be_held(model, &about);
        }
        walk.end();
        walked += 1;
        if !state.records.is_empty() {
            ended.insert(state.resharing);
        }
    }
    println!(
        "{} of {}, {} places: {walked} of {} traces, {refusals} refusals, records {ended:?}",
        model.threshold, model.members, model.places, all
    );
    assert!(walked > 20 && refusals > walked);
    assert!(ended.contains(&Resharing::Made) && ended.contains(&Resharing::Destroyed));
}

/// One enclave after the other: grants and records of the first at the second.
#[test]
fn traces_of_a_drill_are_what_the_real_init_does() {
    drive(&Model::new(3, 2, 1, 1), 1);
}

/// That a walk notices: a model with another rule is contradicted by the enclave, the tool, the verifier.
#[test]
fn a_model_of_a_drill_that_is_wrong_fails_closed() {
    let mut prepared = Prepared::new(3, 2);
    let mine = |who, run| Grant {
        who,
        run,
        epoch: Epoch::Old,
        part: Part::Whole,
    };
    let proof = Grant {
        part: Part::Proof,
        ..mine(1, (0, 0))
    };
    let start = Action::Start(0, Epoch::Old);
    let give = |who| [Action::Give(who, 0), Action::Deliver(mine(who, (0, 0)), 0)];
    let held = [&[start][..], &give(0), &give(2), &[Action::Finish(0)]].concat();
    let again = [&held[..], &[Action::Restart(0), start]].concat();
    let cases = [
        (
            Rules::DrillPassesForReal,
            vec![start],
            Action::Provision(0, 0),
        ),
        (
            Rules::RealShareKept,
            vec![start],
            Action::DeliverBad(Bad::RealShare, 1, 0),
        ),
        (
            Rules::DrilledBoots,
            held.clone(),
            Action::Boot(0, Epoch::Old),
        ),
        (
            Rules::ProofsCounted,
            [
                &[
                    start,
                    Action::GiveHostile(1, 0, Part::Proof),
                    Action::Deliver(proof, 0),
                ][..],
                &give(0),
            ]
            .concat(),
            Action::Finish(0),
        ),
        (
            Rules::RepeatsCounted,
            [&[start][..], &give(0)].concat(),
            Action::Deliver(mine(0, (0, 0)), 0),
        ),
        (
            Rules::AnyGrantTaken,
            again.clone(),
            Action::Deliver(mine(0, (0, 0)), 0),
        ),
        (Rules::EndedEarly, vec![start], Action::Finish(0)),
        (
            Rules::AnyRecordTaken,
            again,
            Action::FinishReplayed((0, 0), 0),
        ),
        (
            Rules::OldEpochTaken,
            vec![
                Action::Reshare,
                Action::Reshare,
                Action::Start(0, Epoch::New),
            ],
            Action::DeliverBad(Bad::OldEpoch, 1, 0),
        ),
        (Rules::OneDrill, vec![start, Action::Restart(0)], start),
    ];
    for (rules, before, last) in cases {
        let mut broken = Model::new(3, 2, 1, 1);
        broken.rules = rules;
        let mut walk = Walk::start(&mut prepared, 1);
        let mut state = broken.start();
        for action in before {
            let (expected, next) = broken.respond(&state, action).unwrap();
            assert_eq!(walk.act(action), expected, "{action:?}, {rules:?}");
            walk.note(&next);
            state = next;
        }
        let (expected, _) = broken.respond(&state, last).unwrap();
        assert_ne!(walk.act(last), expected, "{rules:?}");
        walk.end();
    }
}
