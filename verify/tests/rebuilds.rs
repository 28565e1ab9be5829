//! Rebuilder policies: who counts, how many, and every way not to reach the threshold.

use p256::ecdsa::SigningKey;
use quorate_protocol::atoms::{Name, Pcr, Sha256};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::rebuild::{Commit, Rebuild, RebuildFields};
use quorate_verify::rebuilds::{
    Claim, MAX_REBUILDERS, MAX_STATEMENTS, PolicyError, Rebuilder, RebuilderPolicy, RebuildsError,
    Rebuilt, verify,
};

fn key(person: &str) -> SigningKey {
    SigningKey::from_slice(&Sha256::of(person.as_bytes()).0).expect("a scalar")
}

fn name(person: &str) -> Name {
    Name::new(person).expect("a name")
}

fn names(people: &[&str]) -> Vec<Name> {
    people.iter().map(|person| name(person)).collect()
}

fn rebuilder(person: &str) -> Rebuilder {
    Rebuilder {
        name: name(person),
        key: VerificationKey::of(&key(person)),
    }
}

fn policy(threshold: usize, people: &[&str]) -> RebuilderPolicy {
    let rebuilders = people.iter().map(|person| rebuilder(person)).collect();
    RebuilderPolicy::new(threshold, rebuilders).expect("a policy")
}

fn commit(source: &str) -> Commit {
    Commit::new(Sha256::of(source.as_bytes()).0[..20].to_vec()).expect("a commit")
}

const LOCK: Sha256 = Sha256([9; 32]);
const IMAGE: [Pcr; 3] = [Pcr([1; 48]), Pcr([2; 48]), Pcr([3; 48])];
const OTHER: [Pcr; 3] = [Pcr([1; 48]), Pcr([2; 48]), Pcr([4; 48])];

fn statement(person: &str, source: &str, [pcr0, pcr1, pcr2]: [Pcr; 3]) -> Signed<Rebuild> {
    let fields = RebuildFields {
        rebuilder: VerificationKey::of(&key(person)),
        commit: commit(source),
        lock: LOCK,
        pcr0,
        pcr1,
        pcr2,
    };
    Signed::sign(Checked::new(fields).expect("a statement"), &key(person))
}

fn claim() -> Claim {
    Claim {
        registers: IMAGE,
        commit: None,
        lock: None,
    }
}

fn two_of_three() -> RebuilderPolicy {
    policy(2, &["alice", "bob", "carol"])
}

fn good() -> [Signed<Rebuild>; 2] {
    [
        statement("carol", "v1", IMAGE),
        statement("alice", "v1", IMAGE),
    ]
}

fn refused(statements: &[Signed<Rebuild>], expected: RebuildsError) {
    let refused = verify(&two_of_three(), &claim(), statements);
    assert_eq!(refused, Err(expected));
    assert!(verify(&two_of_three(), &claim(), &good()).is_ok());
}

fn too_few(agreeing: &[&str], dissenting: &[&str]) -> RebuildsError {
    RebuildsError::TooFew {
        agreeing: names(agreeing),
        dissenting: names(dissenting),
        threshold: 2,
    }
}

#[test]
fn enough_who_agree_are_accepted_and_named() {
    let expected = Rebuilt {
        commit: commit("v1"),
        lock: LOCK,
        agreeing: names(&["alice", "carol"]),
        dissenting: Vec::new(),
        unknown: 0,
    };
    assert_eq!(verify(&two_of_three(), &claim(), &good()), Ok(expected));
    let one = policy(1, &["alice"]);
    assert!(verify(&one, &claim(), &[statement("alice", "v1", IMAGE)]).is_ok());
}

#[test]
fn nobody_or_too_few_fails_closed() {
    refused(&[], too_few(&[], &[]));
    refused(&[statement("bob", "v1", IMAGE)], too_few(&["bob"], &[]));
}

#[test]
fn one_rebuilder_twice_fails_closed() {
    let twice = [statement("bob", "v1", IMAGE), statement("bob", "v1", IMAGE)];
    refused(&twice, too_few(&["bob"], &[]));
}

#[test]
fn strangers_count_for_nothing_fails_closed() {
    let statements = [
        statement("bob", "v1", IMAGE),
        statement("mallory", "v1", IMAGE),
    ];
    refused(&statements, too_few(&["bob"], &[]));
    let more = [&good()[..], &statements].concat();
    let accepted = verify(&two_of_three(), &claim(), &more).expect("three agree");
    assert_eq!((accepted.agreeing.len(), accepted.unknown), (3, 1));
}

#[test]
fn another_result_fails_closed() {
    let statements = [
        statement("alice", "v1", IMAGE),
        statement("bob", "v1", OTHER),
        statement("carol", "v1", OTHER),
    ];
    refused(&statements, too_few(&["alice"], &["bob", "carol"]));
    // Enough agree: who does not is named all the same.
    let statements = [&good()[..], &[statement("bob", "v1", OTHER)]].concat();
    let accepted = verify(&two_of_three(), &claim(), &statements).expect("two agree");
    assert_eq!(accepted.dissenting, names(&["bob"]));
}

#[test]
fn each_register_must_agree_fails_closed() {
    for register in 0..3 {
        let mut changed = IMAGE;
        changed[register] = Pcr([0xee; 48]);
        let statements = [
            statement("alice", "v1", changed),
            statement("bob", "v1", IMAGE),
        ];
        refused(&statements, too_few(&["bob"], &["alice"]));
    }
}

#[test]
fn agreement_about_different_sources_fails_closed() {
    let statements = [
        statement("alice", "v1", IMAGE),
        statement("bob", "v2", IMAGE),
    ];
    let refused = verify(&two_of_three(), &claim(), &statements);
    assert!(
        matches!(&refused, Err(RebuildsError::TooFew { agreeing, .. }) if agreeing.len() == 1),
        "{refused:?}"
    );
}

#[test]
fn another_source_or_lock_than_expected_fails_closed() {
    let with = |commit, lock| Claim {
        registers: IMAGE,
        commit,
        lock,
    };
    let accepted = |claim: &Claim| verify(&two_of_three(), claim, &good());
    assert!(accepted(&with(Some(commit("v1")), Some(LOCK))).is_ok());
    let refused = Err(too_few(&[], &[]));
    assert_eq!(accepted(&with(Some(commit("v2")), None)), refused);
    assert_eq!(accepted(&with(None, Some(Sha256([8; 32])))), refused);
}

#[test]
fn two_results_by_one_rebuilder_fails_closed() {
    let statements = [&good()[..], &[statement("alice", "v1", OTHER)]].concat();
    let name = name("alice");
    refused(&statements, RebuildsError::Equivocation { name });
    // Of two sources there may be two results.
    let statements = [&good()[..], &[statement("alice", "v2", OTHER)]].concat();
    assert!(verify(&two_of_three(), &claim(), &statements).is_ok());
}

#[test]
fn a_forged_statement_fails_closed() {
    let real = statement("bob", "v1", IMAGE);
    let payload = real.unverified().clone();
    let forged = Signed::sign(payload, &key("mallory"));
    let statements = [&good()[..], &[forged]].concat();
    let name = name("bob");
    refused(&statements, RebuildsError::Forged { name });
}

#[test]
fn too_many_statements_fails_closed() {
    let stranger = statement("mallory", "v1", IMAGE);
    let mut statements = vec![stranger; MAX_STATEMENTS - 2];
    statements.extend(good());
    assert!(verify(&two_of_three(), &claim(), &statements).is_ok());
    statements.push(statement("bob", "v1", IMAGE));
    let found = MAX_STATEMENTS + 1;
    refused(&statements, RebuildsError::TooMany { found });
}

#[test]
fn policies_that_are_none_fails_closed() {
    let make = |threshold, people: &[&str]| {
        let rebuilders = people.iter().map(|person| rebuilder(person)).collect();
        RebuilderPolicy::new(threshold, rebuilders)
    };
    assert_eq!(make(1, &[]), Err(PolicyError::Count { found: 0 }));
    let many: Vec<_> = (0..=MAX_REBUILDERS).map(|n| format!("r{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let found = MAX_REBUILDERS + 1;
    assert_eq!(make(1, &many), Err(PolicyError::Count { found }));
    assert!(make(MAX_REBUILDERS, &many[1..]).is_ok());
    for threshold in [0, 3] {
        let rebuilders = 2;
        let expected = PolicyError::Threshold {
            threshold,
            rebuilders,
        };
        assert_eq!(make(threshold, &["alice", "bob"]), Err(expected));
    }
    let twice = Err(PolicyError::Twice {
        name: name("alice"),
    });
    assert_eq!(make(1, &["alice", "alice"]), twice);
    // One key under another name.
    let mut other = rebuilder("bob");
    other.key = rebuilder("alice").key;
    let rebuilders = vec![rebuilder("alice"), other];
    let twice = Err(PolicyError::Twice { name: name("bob") });
    assert_eq!(RebuilderPolicy::new(1, rebuilders), twice);
}
