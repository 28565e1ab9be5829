//! The largest quorum there can be: 255 people with the longest names, all of whom are needed.
//!
//! What frames, files and times allow is computed elsewhere from the largest objects; here are those
//! objects, and an enclave and a stranger who take them.

use quorate_protocol::cbor::{Object as _, to_bytes};
use quorate_protocol::definition::Definition;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::genesis::GenesisRecord;
use quorate_protocol::message::{Phase, Request, Response};
use quorate_protocol::reshare::{CompletedReshare, Reshare, ReshareOrder};

use crate::common::{Person, World, copies};
use crate::namespace::{Namespace, evidence, reshare};

const ALL: u8 = 255;

/// So many people; each name is as long as names can be.
fn people(kind: char) -> Vec<Person> {
    let person = |n: u8| Person::new(&format!("{kind}{n:062}"), n);
    (1..=ALL).map(person).collect()
}

/// Says how large an object became, and holds it to its bound.
#[track_caller]
fn fits(name: &str, bytes: usize, max: usize) {
    eprintln!("{name}: {bytes} of {max} bytes");
    assert!(bytes <= max, "{name}: {bytes} of {max} bytes");
}

#[test]
fn two_hundred_fifty_five_hold_a_genesis_reshare_to_as_many_and_provision() {
    let world = World::of_people(people('a'), ALL);
    let mut namespace = Namespace::founded(world, |_| people('b'), ALL);
    fits(
        "definition",
        to_bytes(&namespace.world.definition).len(),
        Definition::MAX,
    );
    fits(
        "genesis record",
        to_bytes(&namespace.record).len(),
        GenesisRecord::MAX,
    );

    let order = namespace.order(&namespace.challenge());
    fits("order", to_bytes(&order).len(), ReshareOrder::MAX);
    let answer = reshare(&namespace.running.enclave, &namespace.request(&order));
    fits("resharing", to_bytes(&answer).len(), Reshare::MAX);
    let shares = namespace.open(&answer);
    let everybody: Vec<usize> = (0..usize::from(ALL)).collect();
    let completed = namespace.completed(&answer, &shares, &everybody);
    fits(
        "resharing with receipts",
        to_bytes(&completed).len(),
        CompletedReshare::MAX,
    );

    let link = namespace.second(completed);
    let chain = vec![namespace.running.chain[0].clone(), link];
    let second = namespace
        .world
        .boot(namespace.record.clone(), copies(&shares), chain);
    for position in everybody {
        assert_eq!(second.enclave.status().phase, Phase::Collecting);
        let sealed = second.sealed(position, &*shares[position].to_bytes());
        let request = second.signed(second.grant(position), sealed, &namespace.next[position]);
        let answer = second.enclave.ask(&Request::Provision(request));
        assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
    }
    second.await_running();
    let after = evidence(&second.enclave);
    fits("evidence", to_bytes(&after).len(), Evidence::MAX);
    let report = namespace.report(&after);
    assert!(report.is_accepted(), "{report:#?}");
    assert_eq!(report.facts.sequence, Some(2));
}
