//! What enclaves, tools and verifiers answer.

use std::collections::BTreeSet;

use super::Answer::{Done, Refused, ToolRefused};
use super::{
    Action, Answer, Bad, Drill, Epoch, Grant, Part, Phase, Refusal, Resharing, Rules, State, Taken,
    ToolRefusal, Where, Who,
};

impl Drill {
    /// What an action brings, and the state after it. `None` where it cannot be done at all: there is
    /// nobody or nothing to do it with.
    #[must_use]
    pub fn respond(&self, state: &State, action: Action) -> Option<(Answer, State)> {
        // Most of what is tried cannot be done, and much of the rest changes nothing.
        let mut next: State;
        let unchanged = |answer| Some((answer, state.clone()));
        let newest = state.newest();
        match action {
            Action::Start(place, epoch) => {
                (epoch <= newest).then_some(())?;
                let answer = self.waits(state, place)?;
                if answer != Done {
                    return unchanged(answer);
                }
                let open = state.drills.difference(&state.records).next().is_some();
                if open && self.rules == Rules::OneDrill {
                    return unchanged(Refused(Refusal::WrongPhase));
                }
                next = state.clone();
                next.set(place, Phase::Drilling(Taken::new(epoch)));
                next.drills.insert(state.run(place));
            }
            Action::StartUnapproved(place) => {
                return unchanged(match self.waits(state, place)? {
                    Done => Refused(Refusal::ApprovalsMissing),
                    other => other,
                });
            }
            Action::Boot(place, epoch) => {
                (epoch <= newest).then_some(())?;
                match (self.waits(state, place)?, state.at(place)?) {
                    (Done, _) => {}
                    (_, Phase::Drilled(_)) if self.rules == Rules::DrilledBoots => {}
                    (answer, _) => return unchanged(answer),
                }
                next = state.clone();
                next.set(place, Phase::Collecting(epoch, BTreeSet::new()));
            }
            Action::Restart(place) => {
                next = state.clone();
                let before = next.before.get_mut(usize::from(place))?;
                (*before < self.restarts).then_some(())?;
                *before = before.saturating_add(1);
                next.set(place, Phase::Waiting);
            }
            Action::Give(who, place) => {
                // Only who holds a share that counts gets so far.
                (self.holds(who, newest) && !self.is_hostile(who)).then_some(())?;
                match state.at(place)? {
                    Phase::Drilling(taken) | Phase::Drilled(taken) => {
                        if taken.epoch != newest {
                            return unchanged(ToolRefused(ToolRefusal::OtherManifest));
                        }
                    }
                    Phase::Collecting(..) | Phase::Running(..) => {
                        return unchanged(ToolRefused(ToolRefusal::NotForDrill));
                    }
                    Phase::Waiting => return unchanged(ToolRefused(ToolRefusal::Unattested)),
                }
                next = state.clone();
                next.grants.insert(Grant {
                    who,
                    run: state.run(place),
                    epoch: newest,
                    part: Part::Whole,
                });
            }
            Action::GiveHostile(who, place, part) => {
                self.is_hostile(who).then_some(())?;
                let (Phase::Drilling(taken) | Phase::Drilled(taken)) = state.at(place)? else {
                    return None;
                };
                next = state.clone();
                next.grants.insert(Grant {
                    who,
                    run: state.run(place),
                    epoch: taken.epoch,
                    part,
                });
            }
            Action::Deliver(grant, place) => {
                state.grants.contains(&grant).then_some(())?;
                let taken = match self.drilling(state, place)? {
                    Ok(taken) => taken,
                    Err(answer) => return unchanged(answer),
                };
                if let Some(why) = self.refuses(state, place, taken, &grant) {
                    return self.refused(state, place, why);
                }
                let mut taken = taken.clone();
                taken.from.insert((grant.who, grant.part));
                if grant.part == Part::Whole || self.rules == Rules::ProofsCounted {
                    taken.counted = taken.counted.saturating_add(1);
                }
                next = state.clone();
                next.set(place, Phase::Drilling(taken));
            }
            Action::DeliverBad(bad, who, place) => {
                let taken = match self.drilling(state, place)? {
                    Ok(taken) => taken,
                    Err(answer) => return unchanged(answer),
                };
                return self.bad(state, place, taken, bad, who);
            }
            Action::Provision(who, place) => {
                (self.holds(who, newest) && !self.is_hostile(who)).then_some(())?;
                match state.at(place)? {
                    Phase::Drilling(_) | Phase::Drilled(_)
                        if self.rules != Rules::DrillPassesForReal =>
                    {
                        return unchanged(ToolRefused(ToolRefusal::ForDrill));
                    }
                    Phase::Collecting(epoch, _) if *epoch != newest => {
                        return unchanged(ToolRefused(ToolRefusal::OtherManifest));
                    }
                    Phase::Waiting | Phase::Running(..) => {
                        return unchanged(ToolRefused(ToolRefusal::Unattested));
                    }
                    _ => {}
                }
                next = state.clone();
                next.real.insert((who, state.run(place)));
            }
            Action::DeliverReal(who, made_for, place) => {
                state.real.contains(&(who, made_for)).then_some(())?;
                let (epoch, has) = match state.at(place)? {
                    Phase::Collecting(epoch, has) => (*epoch, has),
                    Phase::Drilling(_) | Phase::Drilled(_) => {
                        return unchanged(Refused(Refusal::DrillOnly));
                    }
                    _ => return unchanged(Refused(Refusal::WrongPhase)),
                };
                if made_for != state.run(place) {
                    return unchanged(Refused(Refusal::GrantForAnother));
                }
                if has.contains(&who) {
                    return unchanged(Refused(Refusal::ShareRepeated));
                }
                let mut has = has.clone();
                has.insert(who);
                next = state.clone();
                let complete = has.len() >= usize::from(self.threshold);
                next.set(
                    place,
                    match complete {
                        true => Phase::Running(epoch, has),
                        false => Phase::Collecting(epoch, has),
                    },
                );
            }
            Action::Finish(place) => match state.at(place)? {
                // The same record again.
                Phase::Drilled(_) => return unchanged(Done),
                Phase::Drilling(taken) => {
                    let enough = taken.counted >= self.threshold;
                    if !enough && self.rules != Rules::EndedEarly {
                        return unchanged(Refused(Refusal::DrillUnfinished));
                    }
                    next = state.clone();
                    next.records.insert(state.run(place));
                    next.set(place, Phase::Drilled(taken.clone()));
                }
                _ => return unchanged(Refused(Refusal::DrillNotHere)),
            },
            Action::FinishReplayed(of, place) => {
                (state.records.contains(&of) && of != state.run(place)).then_some(())?;
                let (Phase::Drilling(_) | Phase::Drilled(_)) = state.at(place)? else {
                    return None;
                };
                if self.rules != Rules::AnyRecordTaken {
                    return unchanged(ToolRefused(ToolRefusal::RecordSignature));
                }
                next = state.clone();
                next.forged = true;
            }
            Action::Reshare => {
                next = state.clone();
                next.resharing = match state.resharing {
                    Resharing::Before => Resharing::Made,
                    Resharing::Made => Resharing::Named,
                    Resharing::Named => Resharing::Destroyed,
                    Resharing::Destroyed => return None,
                };
            }
            Action::DestroyEarly => {
                (newest == Epoch::Old).then_some(())?;
                return unchanged(ToolRefused(ToolRefusal::StillCounts));
            }
        }
        Some((Done, next))
    }

    /// Whether the enclave of a place takes a boot or a drill.
    fn waits(&self, state: &State, place: Where) -> Option<Answer> {
        Some(match state.at(place)? {
            Phase::Waiting => Done,
            Phase::Drilling(_) | Phase::Drilled(_) => Refused(Refusal::DrillOnly),
            Phase::Collecting(..) | Phase::Running(..) => Refused(Refusal::WrongPhase),
        })
    }

    /// The drill in the enclave of a place, or what it answers to a grant.
    fn drilling<'s>(&self, state: &'s State, place: Where) -> Option<Result<&'s Taken, Answer>> {
        Some(match state.at(place)? {
            Phase::Drilling(taken) => Ok(taken),
            Phase::Drilled(_) => Err(Refused(Refusal::DrillOver)),
            _ => Err(Refused(Refusal::DrillNotHere)),
        })
    }

    /// Why an enclave refuses a grant that its member made.
    fn refuses(
        &self,
        state: &State,
        place: Where,
        taken: &Taken,
        grant: &Grant,
    ) -> Option<Refusal> {
        if grant.run != state.run(place) && self.rules != Rules::AnyGrantTaken {
            return Some(Refusal::GrantForAnother);
        }
        let repeated = taken.has(grant.who) && self.rules != Rules::RepeatsCounted;
        repeated.then_some(Refusal::ShareRepeated)
    }

    /// A refusal, and what it does.
    fn refused(&self, state: &State, place: Where, why: Refusal) -> Option<(Answer, State)> {
        let mut next = state.clone();
        if let (Rules::RefusalClears, Phase::Drilling(taken)) = (self.rules, state.at(place)?) {
            next.set(place, Phase::Drilling(Taken::new(taken.epoch)));
        }
        Some((Refused(why), next))
    }

    /// What an enclave answers to a bad grant.
    fn bad(
        &self,
        state: &State,
        place: Where,
        taken: &Taken,
        bad: Bad,
        who: Who,
    ) -> Option<(Answer, State)> {
        let stale = matches!(bad, Bad::OldEpoch | Bad::OldProof);
        // Whoever makes it has the share that it takes.
        self.holds(who, taken.epoch).then_some(())?;
        if stale {
            (taken.epoch == Epoch::New && self.holds(who, Epoch::Old)).then_some(())?;
        }
        let why = match bad {
            Bad::Swapped => Refusal::CiphertextMismatch,
            Bad::Stranger => Refusal::NotAMember,
            Bad::Forged => Refusal::GrantSignature,
            Bad::OldEpoch if self.rules == Rules::OldEpochTaken && !taken.has(who) => {
                let mut next = state.clone();
                let mut taken = taken.clone();
                taken.from.insert((who, Part::Whole));
                taken.counted = taken.counted.saturating_add(1);
                next.set(place, Phase::Drilling(taken));
                return Some((Done, next));
            }
            Bad::OldEpoch => Refusal::GrantForAnother,
            Bad::WrongProof | Bad::OldProof => Refusal::DrillProof,
            Bad::RealShare | Bad::WrongShare if taken.has(who) => Refusal::ShareRepeated,
            Bad::RealShare if self.rules == Rules::RealShareKept => {
                let mut next = state.clone();
                let mut taken = taken.clone();
                taken.real.insert(who);
                next.set(place, Phase::Drilling(taken));
                return Some((Done, next));
            }
            Bad::RealShare => Refusal::DrillRealShare,
            Bad::WrongShare => Refusal::ShareWrong,
        };
        self.refused(state, place, why)
    }
}
