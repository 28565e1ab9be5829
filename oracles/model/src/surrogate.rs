//! Surrogates: people without a seat who approve, and give a share, for a member who named them, under one
//! manifest, until a moment of the security module.
//!
//! Guarantees, within its bounds: whoever acts, one member counts once towards each threshold, be it by
//! themselves, by a surrogate or by several; a surrogate acts for one member only, who named them and, for
//! a share, gave it to them; nothing counts after the end of the delegation by the enclave's own time; and
//! members alone finish, whatever their surrogates did before.
//!
//! The time of an enclave is when it was started: [`Surrogates::late`] says on which side of the shorter
//! delegations' end. What [`Surrogates::respond`] answers, the real init answers too: `tests/surrogate.rs`.

mod check;

use std::collections::{BTreeMap, BTreeSet};

pub use check::{
    APPROVED, COMPLETES, IN_TIME, NAMED, ONE_MEMBER, RUNS_BY_SURROGATES, THRESHOLD, UNCHANGED,
};

/// A member, by place. The first never names anybody, the second until the earlier end, the third until
/// the later.
pub type Who = u8;
/// Somebody without a seat.
pub type Other = u8;

/// How many of everything, and by which rules.
#[derive(Clone, Debug)]
pub struct Surrogates {
    /// Whether the enclave's time is after the earlier end.
    pub late: bool,
    /// What holds, or what is broken to see the checker find it.
    pub rules: Rules,
}

/// Members of both sets.
pub const MEMBERS: Who = 3;
/// Approvals and shares it takes.
pub const THRESHOLD_OF_BOTH: u8 = 2;
/// People who may be named.
pub const OTHERS: Other = 2;

/// The rules that the properties rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// As they are.
    Kept,
    /// A share counts again when a surrogate gives it after its member, or the other way round.
    SharesCountTwice,
    /// An approval counts besides that of the same member's surrogate.
    ApprovalsCountTwice,
    /// A surrogate acts for several members.
    OneForSeveral,
    /// A delegation has no end.
    NoEnd,
    /// Whoever says so is a surrogate.
    Unnamed,
    /// A member whose surrogate gave something bad is shut out.
    MemberShutOut,
}

/// Who acts in a member's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum By {
    /// The member.
    Member,
    /// A surrogate.
    Surrogate(Other),
}

/// An approval or a share: whose it is, and who acted.
pub type Act = (Who, By);

/// What the enclave is doing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It waits for a boot.
    Waiting,
    /// It was booted with these approvals, and has these shares.
    Collecting(BTreeSet<Act>, BTreeMap<Who, By>),
    /// It has the key.
    Running(BTreeSet<Act>, BTreeMap<Who, By>),
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The enclave.
    pub enclave: Phase,
    /// Shares it counted.
    pub counted: u8,
    /// Delegations that a member signed. The host has them for ever.
    pub named: BTreeSet<(Who, Other)>,
    /// Shares that a member sealed to a surrogate.
    pub entrusted: BTreeSet<(Who, Other)>,
    /// Members from whom nothing is taken any more.
    pub shut_out: BTreeSet<Who>,
}

/// A delegation that lets nobody act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bad {
    /// Signed by somebody else than the member.
    Forged,
    /// For the manifest after this one.
    OtherManifest,
    /// For the other set.
    OtherSet,
    /// With the key of a member.
    KeyOfMember,
    /// It ended before any enclave started.
    Ended,
    /// A good one, and somebody else signs the grant.
    Stolen,
}

impl Bad {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Forged,
        Self::OtherManifest,
        Self::OtherSet,
        Self::KeyOfMember,
        Self::Ended,
        Self::Stolen,
    ];
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// A member names a surrogate.
    Name(Who, Other),
    /// A member seals their share to a surrogate.
    Entrust(Who, Other),
    /// The enclave is booted with two approvals.
    Boot(Act, Act),
    /// A share is given.
    Give(Act),
    /// A share is given under a delegation that lets nobody act.
    GiveBad(Bad, Who),
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It was done.
    Done,
    /// The enclave refuses, and changes nothing.
    Refused(Refusal),
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A member is counted twice.
    ApprovalInvalid,
    /// The delegation has ended.
    DelegationExpired,
    /// It lets this person not act for that member.
    DelegationInvalid,
    /// The grant is not signed by the surrogate.
    GrantSignature,
    /// This member's share is there.
    ShareRepeated,
    /// Not now.
    WrongPhase,
}

impl Surrogates {
    /// By the rules as they are.
    #[must_use]
    pub const fn new(late: bool) -> Self {
        Self {
            late,
            rules: Rules::Kept,
        }
    }

    /// The enclave waits, and nobody was named.
    #[must_use]
    pub fn start(&self) -> State {
        State {
            enclave: Phase::Waiting,
            counted: 0,
            named: BTreeSet::new(),
            entrusted: BTreeSet::new(),
            shut_out: BTreeSet::new(),
        }
    }

    /// Whether a member's delegations count by the enclave's time.
    #[must_use]
    pub const fn in_time(&self, who: Who) -> bool {
        !self.late || who > 1
    }

    /// What an action brings, and the state after it. `None` where it cannot be done at all.
    #[must_use]
    pub fn respond(&self, state: &State, action: Action) -> Option<(Answer, State)> {
        let mut next = state.clone();
        let refused = |why| Some((Answer::Refused(why), state.clone()));
        match action {
            Action::Name(who, other) => {
                (who > 0).then_some(())?;
                next.named.insert((who, other));
            }
            Action::Entrust(who, other) => {
                state.named.contains(&(who, other)).then_some(())?;
                next.entrusted.insert((who, other));
            }
            Action::Boot(one, two) => {
                // Whoever wants to, writes an approval; nobody makes a delegation but the member.
                (self.can_act(state, one) && self.can_act(state, two) && one != two)
                    .then_some(())?;
                if state.enclave != Phase::Waiting {
                    return refused(Refusal::WrongPhase);
                }
                if let Some(why) = self.refuses_link(one, two) {
                    return refused(why);
                }
                next.enclave = Phase::Collecting([one, two].into(), BTreeMap::new());
            }
            Action::Give((who, by)) => {
                (self.can_act(state, (who, by)) && self.has_share(state, (who, by)))
                    .then_some(())?;
                let Phase::Collecting(approved, has) = &state.enclave else {
                    return refused(Refusal::WrongPhase);
                };
                if let By::Surrogate(other) = by
                    && let Some(why) = self.refuses_surrogate(approved, has, who, other)
                {
                    return refused(why);
                }
                let twice = self.rules == Rules::SharesCountTwice && has.get(&who) != Some(&by);
                let repeated = has.contains_key(&who) && !twice;
                if repeated || state.shut_out.contains(&who) {
                    return refused(Refusal::ShareRepeated);
                }
                let (approved, mut has) = (approved.clone(), has.clone());
                has.insert(who, by);
                next.counted = next.counted.saturating_add(1);
                next.enclave = match next.counted >= THRESHOLD_OF_BOTH {
                    true => Phase::Running(approved, has),
                    false => Phase::Collecting(approved, has),
                };
            }
            Action::GiveBad(bad, who) => {
                (who > 0).then_some(())?;
                let Phase::Collecting(..) = &state.enclave else {
                    return refused(Refusal::WrongPhase);
                };
                if self.rules == Rules::MemberShutOut {
                    next.shut_out.insert(who);
                }
                let why = match bad {
                    Bad::Ended => Refusal::DelegationExpired,
                    Bad::Stolen => Refusal::GrantSignature,
                    Bad::Forged | Bad::OtherManifest | Bad::OtherSet | Bad::KeyOfMember => {
                        Refusal::DelegationInvalid
                    }
                };
                return Some((Answer::Refused(why), next));
            }
        }
        Some((Answer::Done, next))
    }

    /// Whether there is a delegation for this.
    fn can_act(&self, state: &State, (who, by): Act) -> bool {
        match by {
            By::Member => true,
            By::Surrogate(other) => {
                state.named.contains(&(who, other)) || (self.rules == Rules::Unnamed && who > 0)
            }
        }
    }

    fn has_share(&self, state: &State, (who, by): Act) -> bool {
        match by {
            By::Member => true,
            By::Surrogate(other) => {
                state.entrusted.contains(&(who, other)) || self.rules == Rules::Unnamed
            }
        }
    }

    /// Why a chain with these approvals is refused.
    fn refuses_link(&self, one: Act, two: Act) -> Option<Refusal> {
        let several = matches!((one.1, two.1), (By::Surrogate(a), By::Surrogate(b)) if a == b);
        if several && self.rules != Rules::OneForSeveral {
            return Some(Refusal::DelegationInvalid);
        }
        if one.0 == two.0 && self.rules != Rules::ApprovalsCountTwice {
            return Some(Refusal::ApprovalInvalid);
        }
        let ended = |(who, by): Act| by != By::Member && !self.in_time(who);
        let ended = (ended(one) || ended(two)) && self.rules != Rules::NoEnd;
        ended.then_some(Refusal::DelegationExpired)
    }

    /// Why a share by a surrogate is refused.
    fn refuses_surrogate(
        &self,
        approved: &BTreeSet<Act>,
        has: &BTreeMap<Who, By>,
        who: Who,
        other: Other,
    ) -> Option<Refusal> {
        let given = has.iter().map(|(whose, by)| (*whose, *by));
        let mut acted = approved.iter().copied().chain(given);
        let several = acted.any(|(whose, by)| by == By::Surrogate(other) && whose != who);
        if several && self.rules != Rules::OneForSeveral {
            return Some(Refusal::DelegationInvalid);
        }
        let ended = !self.in_time(who) && self.rules != Rules::NoEnd;
        ended.then_some(Refusal::DelegationExpired)
    }
}
