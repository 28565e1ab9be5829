//! Resharing: orders for running instances, records whose shares travel and are proved, a manifest
//! that names the new epoch, and old shares that are destroyed after that.
//!
//! Guarantees, within its bounds: at every moment as many holders as the threshold that counts can
//! give a share of the epoch that counts, whichever messages are lost, repeated or sent elsewhere and
//! whenever an instance ends; shares of two records are never taken for those of one; and as long as
//! an instance runs, honest people finish.
//!
//! [`Reshare::respond`] is what an instance, a tool or a chain answers in each state; that the real
//! ones answer likewise is what `tests/reshare.rs` holds. Each instance carries out one order: within
//! the time of the model none expires.

use std::collections::BTreeSet;

use stateright::{Model, Property};

/// A member of the old set or of the new one, by place: the first is 0.
pub type Who = u8;
/// An instance, by place, and so the order for it and the record that it made.
pub type Where = u8;

/// How many of everything, and by which rules.
#[derive(Clone, Debug)]
pub struct Reshare {
    /// Holders before, and their threshold.
    pub old: (u8, u8),
    /// Holders afterwards, and their threshold.
    pub new: (u8, u8),
    /// Instances that have the key, all of the same manifest.
    pub instances: u8,
    /// What holds, or what is broken to see the checker find it.
    pub rules: Rules,
}

/// The rules that the properties rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// As they are.
    Kept,
    /// Old holders may destroy their shares before a manifest names others.
    DestroyedEarly,
    /// A manifest may name an epoch before the new threshold has proved possession.
    NamedUnproved,
    /// Receipts of different records are counted together.
    RecordsMixed,
    /// An instance takes an order for another.
    AnyOrderTaken,
    /// A host that sends one order too few consents uses up the nonce.
    RefusalSpends,
}

/// Which shares count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Epoch {
    /// Those from before.
    Old,
    /// Those of this instance's record.
    Of(Where),
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The instances that have ended.
    pub ended: BTreeSet<Where>,
    /// Instances for which there is an order with the consents of both thresholds.
    pub ordered: BTreeSet<Where>,
    /// Orders that are of no use any more although nothing came of them.
    pub spent: BTreeSet<Where>,
    /// Records that were made: which instance made one, and for whose order. The host has them for
    /// ever.
    pub made: BTreeSet<(Where, Where)>,
    /// New shares that their members hold: of whose record, and who.
    pub received: BTreeSet<(Where, Who)>,
    /// Receipts with proof of possession.
    pub proved: BTreeSet<(Where, Who)>,
    /// What the newest manifest names.
    pub named: Epoch,
    /// Old holders who have destroyed their share.
    pub destroyed: BTreeSet<Who>,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// An instance is asked for a nonce, and the thresholds of both sets consent to an order with it.
    Order(Where),
    /// The host delivers an order: for which instance, and to which.
    Deliver(Where, Where),
    /// The host delivers an order with one consent missing.
    DeliverUnconsented(Where),
    /// A new member takes their share out of a record, having verified it.
    Receive(Where, Who),
    /// The host gives a new member a record that somebody else signed.
    ReceiveForged(Where, Who),
    /// A new member signs a receipt, and the share signs it too.
    Prove(Where, Who),
    /// A manifest that names a record's epoch, with its receipts, approved by both present sets.
    Name(Where),
    /// The same with a receipt of another record beside.
    NameMixed(Where, Where),
    /// An old holder destroys their share.
    Destroy(Who),
    /// An instance ends.
    End(Where),
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It was done.
    Done,
    /// The instance refuses, and changes nothing.
    Refused(Refusal),
    /// The chain is refused, by whoever reads it.
    ChainRefused(Refusal),
    /// The member's own tool refuses.
    ToolRefused,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// An order is open.
    Open,
    /// The order is for another instance.
    ForAnother,
    /// Too few consents.
    ConsentsMissing,
    /// The order names a nonce that is none any more.
    Nonce,
    /// Too few receipts.
    ReceiptsMissing,
    /// A receipt is for another record.
    ReceiptOfAnother,
}

impl Reshare {
    /// By the rules as they are.
    #[must_use]
    pub const fn new(old: (u8, u8), new: (u8, u8), instances: u8) -> Self {
        Self {
            old,
            new,
            instances,
            rules: Rules::Kept,
        }
    }

    /// Every instance runs, and the old shares count.
    #[must_use]
    pub fn start(&self) -> State {
        State {
            ended: BTreeSet::new(),
            ordered: BTreeSet::new(),
            spent: BTreeSet::new(),
            made: BTreeSet::new(),
            received: BTreeSet::new(),
            proved: BTreeSet::new(),
            named: Epoch::Old,
            destroyed: BTreeSet::new(),
        }
    }

    /// What an action brings, and the state after it. `None` where it cannot be done at all: there is
    /// nobody to do it.
    #[must_use]
    pub fn respond(&self, state: &State, action: Action) -> Option<(Answer, State)> {
        let runs = |place: Where| (!state.ended.contains(&place)).then_some(());
        let made = |place: Where| state.made.iter().any(|(by, _)| *by == place);
        let mut next = state.clone();
        let unchanged = |answer| Some((answer, state.clone()));
        match action {
            Action::Order(place) => {
                runs(place)?;
                if made(place) {
                    return unchanged(Answer::Refused(Refusal::Open));
                }
                next.ordered.insert(place);
                next.spent.remove(&place);
            }
            Action::Deliver(order, place) => {
                runs(place)?;
                state.ordered.contains(&order).then_some(())?;
                // The order that was carried out gets its answer again.
                if state.made.contains(&(place, order)) {
                    return unchanged(Answer::Done);
                }
                if made(place) {
                    return unchanged(Answer::Refused(Refusal::Open));
                }
                if order != place && self.rules != Rules::AnyOrderTaken {
                    return unchanged(Answer::Refused(Refusal::ForAnother));
                }
                if state.spent.contains(&place) {
                    return unchanged(Answer::Refused(Refusal::Nonce));
                }
                next.made.insert((place, order));
            }
            Action::DeliverUnconsented(place) => {
                runs(place)?;
                state.ordered.contains(&place).then_some(())?;
                if state.made.contains(&(place, place)) {
                    return unchanged(Answer::Done);
                }
                if made(place) {
                    return unchanged(Answer::Refused(Refusal::Open));
                }
                if self.rules == Rules::RefusalSpends {
                    next.spent.insert(place);
                }
                return Some((Answer::Refused(Refusal::ConsentsMissing), next));
            }
            Action::Receive(from, who) => {
                made(from).then_some(())?;
                next.received.insert((from, who));
            }
            Action::ReceiveForged(from, _) => {
                made(from).then_some(())?;
                return unchanged(Answer::ToolRefused);
            }
            Action::Prove(from, who) => {
                state.received.contains(&(from, who)).then_some(())?;
                next.proved.insert((from, who));
            }
            Action::Name(from) => {
                made(from).then_some(())?;
                (state.named == Epoch::Old).then_some(())?;
                let proofs = self.proofs(state, from);
                if proofs < usize::from(self.new.1) && self.rules != Rules::NamedUnproved {
                    return unchanged(Answer::ChainRefused(Refusal::ReceiptsMissing));
                }
                next.named = Epoch::Of(from);
            }
            Action::NameMixed(from, other) => {
                made(from).then_some(())?;
                (from != other && state.named == Epoch::Old).then_some(())?;
                state
                    .proved
                    .iter()
                    .any(|(of, _)| *of == other)
                    .then_some(())?;
                return unchanged(Answer::ChainRefused(Refusal::ReceiptOfAnother));
            }
            Action::Destroy(who) => {
                (!state.destroyed.contains(&who)).then_some(())?;
                if state.named == Epoch::Old && self.rules != Rules::DestroyedEarly {
                    return unchanged(Answer::ToolRefused);
                }
                next.destroyed.insert(who);
            }
            Action::End(place) => {
                runs(place)?;
                next.ended.insert(place);
            }
        }
        Some((Answer::Done, next))
    }

    /// Every action there is, possible or not.
    #[must_use]
    pub fn every_action(&self) -> Vec<Action> {
        let mut every = Vec::new();
        for place in 0..self.instances {
            every.extend([
                Action::Order(place),
                Action::DeliverUnconsented(place),
                Action::Name(place),
                Action::End(place),
            ]);
            for other in 0..self.instances {
                every.push(Action::Deliver(place, other));
                every.push(Action::NameMixed(place, other));
            }
            for who in 0..self.new.0 {
                every.extend([
                    Action::Receive(place, who),
                    Action::ReceiveForged(place, who),
                    Action::Prove(place, who),
                ]);
            }
        }
        every.extend((0..self.old.0).map(Action::Destroy));
        every
    }

    /// How many have proved possession of this record's shares.
    fn proofs(&self, state: &State, from: Where) -> usize {
        let proved = state.proved.iter();
        let counted = |of: Where| of == from || self.rules == Rules::RecordsMixed;
        let who: BTreeSet<_> = proved
            .filter(|(of, _)| counted(*of))
            .map(|(_, who)| who)
            .collect();
        who.len()
    }

    /// Who can give a share of the epoch that counts.
    #[must_use]
    pub fn usable(&self, state: &State) -> Vec<Who> {
        match state.named {
            Epoch::Old => (0..self.old.0)
                .filter(|who| !state.destroyed.contains(who))
                .collect(),
            Epoch::Of(from) => {
                let held = state.received.iter();
                held.filter(|(of, _)| *of == from)
                    .map(|(_, who)| *who)
                    .collect()
            }
        }
    }

    /// How many of them it takes.
    #[must_use]
    pub const fn threshold(&self, state: &State) -> u8 {
        match state.named {
            Epoch::Old => self.old.1,
            Epoch::Of(_) => self.new.1,
        }
    }

    /// Whether honest people finish from here with any instance that runs, or whose record is there:
    /// each does what the tools tell them, and nothing is ordered twice that need not be.
    #[must_use]
    pub fn honest_people_finish(&self, state: &State) -> bool {
        (0..self.instances).all(|place| {
            let mut now = state.clone();
            let there = now.made.contains(&(place, place));
            if now.named != Epoch::Old || (now.ended.contains(&place) && !there) {
                return true;
            }
            let mut steps = Vec::new();
            if !now.ordered.contains(&place) {
                steps.push(Action::Order(place));
            }
            steps.push(Action::Deliver(place, place));
            let members = 0..self.new.0;
            steps.extend(members.clone().map(|who| Action::Receive(place, who)));
            steps.extend(members.map(|who| Action::Prove(place, who)));
            steps.push(Action::Name(place));
            for action in steps {
                if let Some((_, next)) = self.respond(&now, action) {
                    now = next;
                }
            }
            now.named == Epoch::Of(place) && now.made.contains(&(place, place))
        })
    }
}

/// There are always enough.
pub const ENOUGH: &str = "never fewer usable shares than the threshold";
/// New shares count only when their threshold was proved.
pub const PROVED: &str = "a named epoch was proved by its threshold";
/// An instance carries out its own order.
pub const OWN_ORDER: &str = "a record is made on an order for the instance that made it";
/// Whatever was sent before, honest people finish.
pub const COMPLETES: &str = "honest people finish after any order and repetition";
/// A refusal changes nothing.
pub const UNCHANGED: &str = "a refusal changes nothing";
/// A resharing can be finished, the old shares destroyed.
pub const FINISHED: &str = "the old shares are destroyed and the new ones count";
/// Instances that end half-way leave the old shares.
pub const GIVEN_UP: &str = "a resharing that is given up leaves every old share";

impl Model for Reshare {
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
        vec![
            Property::always(ENOUGH, |model: &Self, state: &State| {
                model.usable(state).len() >= usize::from(model.threshold(state))
            }),
            Property::always(PROVED, |model: &Self, state: &State| match state.named {
                Epoch::Old => true,
                Epoch::Of(from) => {
                    let own = state.proved.iter().filter(|(of, _)| *of == from);
                    own.count() >= usize::from(model.new.1)
                }
            }),
            Property::always(OWN_ORDER, |_, state: &State| {
                state.made.iter().all(|(by, order)| by == order)
            }),
            Property::always(COMPLETES, |model: &Self, state: &State| {
                model.honest_people_finish(state)
            }),
            Property::always(UNCHANGED, |model: &Self, state: &State| {
                let every = model.every_action().into_iter();
                every
                    .filter_map(|action| model.respond(state, action))
                    .all(|(answer, next)| answer == Answer::Done || next == *state)
            }),
            Property::sometimes(FINISHED, |model: &Self, state: &State| {
                state.named != Epoch::Old && state.destroyed.len() == usize::from(model.old.0)
            }),
            Property::sometimes(GIVEN_UP, |model: &Self, state: &State| {
                let ended = state.ended.len() == usize::from(model.instances);
                let all = model.usable(state).len() == usize::from(model.old.0);
                ended && !state.made.is_empty() && state.named == Epoch::Old && all
            }),
        ]
    }
}
