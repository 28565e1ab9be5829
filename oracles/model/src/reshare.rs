//! Resharing as design §4 has it: an order, a draw in the running enclave, shares that travel and are
//! proved, a manifest that names the new epoch, and old shares that are destroyed after that.
//!
//! **Not tied to code yet.** What is checked is the rules, so that whoever writes the code has them.
//!
//! Guarantees, within its bounds: at every moment as many holders as the threshold that counts can
//! give a share of the epoch that counts, whichever messages are lost and whenever the enclave ends;
//! and shares of two draws are never taken for those of one.

use std::collections::BTreeSet;

use stateright::{Model, Property};

/// How many of everything, and by which rules.
#[derive(Clone, Debug)]
pub struct Reshare {
    /// Holders before, and their threshold.
    pub old: (u8, u8),
    /// Holders afterwards, and their threshold.
    pub new: (u8, u8),
    /// Draws that may be made, each with an order of its own.
    pub draws: u8,
    /// What holds, or what is broken to see the checker find it.
    pub rules: Rules,
}

/// The rules that the property rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// As they are.
    Kept,
    /// Old holders destroy their shares when they have proved new ones, before a manifest names them.
    DestroyedEarly,
    /// A manifest may name an epoch before the new threshold has proved possession.
    NamedUnproved,
    /// Proofs of different draws are counted together.
    DrawsMixed,
}

/// Which shares count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Epoch {
    /// Those from before.
    Old,
    /// Those of this draw.
    Draw(u8),
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Whether the enclave that has the key still runs.
    pub runs: bool,
    /// The draw whose order is open.
    pub open: Option<u8>,
    /// Draws made so far.
    pub drawn: u8,
    /// New shares that have arrived: of which draw, at whom.
    pub received: BTreeSet<(u8, u8)>,
    /// Possession proved: of which draw, by whom.
    pub proved: BTreeSet<(u8, u8)>,
    /// Old holders who have destroyed theirs.
    pub destroyed: BTreeSet<u8>,
    /// What the newest manifest names.
    pub named: Epoch,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The present thresholds order a reshare, and the enclave draws; an open order is given up.
    Order,
    /// A new share reaches its holder.
    Receive(u8, u8),
    /// A holder proves possession.
    Prove(u8, u8),
    /// A manifest that names a draw's epoch is approved.
    Name(u8),
    /// An old holder destroys their share.
    Destroy(u8),
    /// The enclave ends; what did not arrive never will.
    End,
}

impl Reshare {
    /// By the rules as they are.
    #[must_use]
    pub const fn new(old: (u8, u8), new: (u8, u8), draws: u8) -> Self {
        Self {
            old,
            new,
            draws,
            rules: Rules::Kept,
        }
    }

    /// How many have proved possession of this draw's shares.
    fn proofs(&self, state: &State, draw: u8) -> usize {
        let proved = state.proved.iter();
        let of = |of: u8| of == draw || self.rules == Rules::DrawsMixed;
        let who: BTreeSet<_> = proved
            .filter(|(at, _)| of(*at))
            .map(|(_, who)| who)
            .collect();
        who.len()
    }

    /// Holders who can give a share of the epoch that counts, and how many it takes.
    #[must_use]
    pub fn usable(&self, state: &State) -> (usize, u8) {
        match state.named {
            Epoch::Old => {
                let left = usize::from(self.old.0).saturating_sub(state.destroyed.len());
                (left, self.old.1)
            }
            Epoch::Draw(draw) => {
                let held = state.received.iter().filter(|(at, _)| *at == draw);
                (held.count(), self.new.1)
            }
        }
    }
}

/// There are always enough.
pub const ENOUGH: &str = "never fewer usable shares than the threshold";
/// New shares count only when their threshold was proved.
pub const PROVED: &str = "a named epoch was proved by its threshold";
/// A reshare can be finished, the old shares destroyed.
pub const FINISHED: &str = "the old shares are destroyed and the new ones count";
/// An enclave that ends half-way leaves the old shares.
pub const GIVEN_UP: &str = "a reshare that is given up leaves every old share";

impl Model for Reshare {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            runs: true,
            open: None,
            drawn: 0,
            received: BTreeSet::new(),
            proved: BTreeSet::new(),
            destroyed: BTreeSet::new(),
            named: Epoch::Old,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // The old set orders; once a new epoch counts, it would be another reshare.
        if state.runs && state.named == Epoch::Old && state.drawn < self.draws {
            actions.push(Action::Order);
        }
        if state.runs {
            actions.push(Action::End);
        }
        for draw in 0..state.drawn {
            for who in 0..self.new.0 {
                // The enclave hands out the shares of its open draw for as long as it runs. Repeated
                // messages lead back to the same state.
                if state.runs && state.open == Some(draw) {
                    actions.push(Action::Receive(draw, who));
                }
                if state.received.contains(&(draw, who)) {
                    actions.push(Action::Prove(draw, who));
                }
            }
            let enough = self.proofs(state, draw) >= usize::from(self.new.1);
            let unproved = self.rules == Rules::NamedUnproved;
            if state.named == Epoch::Old && (enough || unproved) {
                actions.push(Action::Name(draw));
            }
        }
        for who in 0..self.old.0 {
            let named = state.named != Epoch::Old;
            let early = self.rules == Rules::DestroyedEarly && !state.proved.is_empty();
            if named || early {
                actions.push(Action::Destroy(who));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Order => {
                next.open = Some(state.drawn);
                next.drawn = state.drawn.saturating_add(1);
            }
            Action::Receive(draw, who) => {
                next.received.insert((draw, who));
            }
            Action::Prove(draw, who) => {
                next.proved.insert((draw, who));
            }
            Action::Name(draw) => next.named = Epoch::Draw(draw),
            Action::Destroy(who) => {
                next.destroyed.insert(who);
            }
            Action::End => {
                next.runs = false;
                next.open = None;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ENOUGH, |model: &Self, state: &State| {
                let (usable, threshold) = model.usable(state);
                usable >= usize::from(threshold)
            }),
            Property::always(PROVED, |model: &Self, state: &State| match state.named {
                Epoch::Old => true,
                Epoch::Draw(draw) => {
                    let own = state.proved.iter().filter(|(of, _)| *of == draw);
                    own.count() >= usize::from(model.new.1)
                }
            }),
            Property::sometimes(FINISHED, |model: &Self, state: &State| {
                state.named != Epoch::Old && state.destroyed.len() == usize::from(model.old.0)
            }),
            Property::sometimes(GIVEN_UP, |model: &Self, state: &State| {
                let all = model.usable(state).0 == usize::from(model.old.0);
                !state.runs && state.drawn > 0 && state.named == Epoch::Old && all
            }),
        ]
    }
}
