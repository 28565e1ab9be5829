//! The models, checked exhaustively, and each rule broken on purpose.

use model::ceremony::{self, Ceremony};
use model::drill::{self, Drill};
use model::reshare::{self, Reshare};
use model::surrogate::{self, Surrogates};
use stateright::{Checker as _, HasDiscoveries};

/// Checks everything and demands that every property holds.
fn holds<M>(model: M) -> usize
where
    M: stateright::Model + Send + Sync + 'static,
    M::State: Clone + std::fmt::Debug + std::hash::Hash + PartialEq + Send + Sync,
    M::Action: Clone + std::fmt::Debug + PartialEq + Send + Sync,
{
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    checker.unique_state_count()
}

#[test]
fn every_order_and_repetition_of_a_ceremony_holds() {
    for (members, threshold, enclaves) in [(2, 2, 2), (3, 2, 2), (4, 3, 1), (5, 3, 1)] {
        let states = holds(Ceremony::new(members, threshold, enclaves));
        println!("{threshold} of {members}, {enclaves} enclaves: {states} states");
        assert!(states > 100, "{states}");
    }
}

#[test]
fn resharing_holds_whatever_is_lost() {
    for (old, new, instances) in [
        ((3, 2), (4, 3), 1),
        ((4, 3), (3, 2), 2),
        ((3, 2), (5, 4), 1),
    ] {
        let states = holds(Reshare::new(old, new, instances));
        println!("{old:?} to {new:?}, {instances} instances: {states} states");
        assert!(states > 100, "{states}");
    }
}

#[test]
fn drills_hold_whoever_is_hostile() {
    for (members, threshold, places, restarts) in [(3, 2, 1, 1), (3, 2, 2, 0), (5, 3, 1, 0)] {
        let states = holds(Drill::new(members, threshold, places, restarts));
        println!("{threshold} of {members}, {places} places, {restarts} restarts: {states} states");
        assert!(states > 100, "{states}");
    }
}

#[test]
fn surrogates_hold_before_and_after_their_end() {
    for late in [false, true] {
        let states = holds(Surrogates::new(late));
        println!("surrogates, late {late}: {states} states");
        assert!(states > 100, "{states}");
    }
}

/// The first trace to a state that breaks the property is enough.
fn finds<M>(broken: M, property: &'static str) -> bool
where
    M: stateright::Model + Send + Sync + 'static,
    M::State: Clone + std::fmt::Debug + std::hash::Hash + PartialEq + Send + Sync,
    M::Action: Clone + std::fmt::Debug + PartialEq + Send + Sync,
{
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = broken.checker().finish_when(found).spawn_bfs().join();
    checker.discovery(property).is_some()
}

/// The checker finds each broken rule of a ceremony, as a violation of the property that names it.
#[test]
fn a_broken_rule_of_a_ceremony_fails_closed() {
    use ceremony::Rules;
    for (rules, property) in [
        (Rules::GivenUnverified, ceremony::ATTESTED_FIRST),
        (Rules::RepeatsCounted, ceremony::THRESHOLD),
        (Rules::AnyGrantTaken, ceremony::THRESHOLD),
        (Rules::BornBoots, ceremony::BORN_STAYS),
        (Rules::BadShareClears, ceremony::UNCHANGED),
        (Rules::BadSharePoisons, ceremony::COMPLETES),
    ] {
        let mut broken = Ceremony::new(2, 2, 2);
        broken.rules = rules;
        let found = finds(broken, property);
        assert!(found, "{rules:?} is not found as {property:?}");
    }
}

/// The same of a resharing.
#[test]
fn a_broken_rule_of_a_reshare_fails_closed() {
    use reshare::Rules;
    for (rules, property) in [
        (Rules::DestroyedEarly, reshare::ENOUGH),
        (Rules::NamedUnproved, reshare::ENOUGH),
        (Rules::RecordsMixed, reshare::PROVED),
        (Rules::AnyOrderTaken, reshare::OWN_ORDER),
        (Rules::RefusalSpends, reshare::UNCHANGED),
        (Rules::RefusalSpends, reshare::COMPLETES),
    ] {
        let mut broken = Reshare::new((3, 2), (3, 2), 2);
        broken.rules = rules;
        let found = finds(broken, property);
        assert!(found, "{rules:?} is not found as {property:?}");
    }
}

/// The same of a drill.
#[test]
fn a_broken_rule_of_a_drill_fails_closed() {
    use drill::Rules;
    for (rules, property) in [
        (Rules::DrillPassesForReal, drill::NO_REAL_SHARE),
        (Rules::RealShareKept, drill::NO_REAL_SHARE),
        (Rules::DrilledBoots, drill::DRILL_ONLY),
        (Rules::ProofsCounted, drill::THRESHOLD),
        (Rules::RepeatsCounted, drill::THRESHOLD),
        (Rules::EndedEarly, drill::THRESHOLD),
        (Rules::AnyGrantTaken, drill::OF_THIS_ENCLAVE),
        (Rules::OldEpochTaken, drill::OF_THIS_ENCLAVE),
        (Rules::AnyRecordTaken, drill::OWN_RECORD),
        (Rules::OneDrill, drill::COMPLETES),
        (Rules::RefusalClears, drill::UNCHANGED),
    ] {
        let mut broken = Drill::new(3, 2, 1, 1);
        broken.rules = rules;
        let found = finds(broken, property);
        assert!(found, "{rules:?} is not found as {property:?}");
    }
}

/// The same of surrogates.
#[test]
fn a_broken_rule_of_surrogates_fails_closed() {
    use surrogate::Rules;
    for (rules, property) in [
        (Rules::SharesCountTwice, surrogate::THRESHOLD),
        (Rules::ApprovalsCountTwice, surrogate::APPROVED),
        (Rules::OneForSeveral, surrogate::ONE_MEMBER),
        (Rules::NoEnd, surrogate::IN_TIME),
        (Rules::Unnamed, surrogate::NAMED),
        (Rules::MemberShutOut, surrogate::COMPLETES),
    ] {
        let mut broken = Surrogates::new(rules == Rules::NoEnd);
        broken.rules = rules;
        let found = finds(broken, property);
        assert!(found, "{rules:?} is not found as {property:?}");
    }
}
