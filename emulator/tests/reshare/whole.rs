//! From an order to an instance that new shares provision.

use quorate_protocol::evidence::Evidence;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::message::{BootRequest, Phase, Reason, Request, Response};
use quorate_protocol::provision::ShareGrant;
use quorate_sharing::{CombineError, Share, combine};

use crate::common::{copies, echo, reason};
use crate::namespace::{Namespace, evidence, reshare};

/// Two of three become three of four, one of whom is new to everything; the second enclave, of the
/// manifest that names the new shares, signs the same ring. Old shares and too few new ones do not.
#[test]
fn new_shares_give_the_same_key_and_old_ones_do_not() {
    let mut namespace = Namespace::new();
    let order = namespace.order(&namespace.challenge());
    let answer = reshare(&namespace.running.enclave, &namespace.request(&order));
    let shares = namespace.open(&answer);
    let (old, new) = (
        namespace.record.output.commitments.inner().clone(),
        answer.record.unverified().commitments.inner().clone(),
    );
    assert_eq!(old.public_key(), new.public_key());
    assert_ne!(
        namespace.record.output.commitments.epoch(),
        answer.record.unverified().commitments.epoch()
    );
    let few = combine(&new, &copies(&shares[..2])).err();
    assert_eq!(few, Some(CombineError::TooFew { have: 2, need: 3 }));

    let link = namespace.second(namespace.completed(&answer, &shares, &[0, 1, 2]));
    let chain = vec![namespace.running.chain[0].clone(), link];
    let second = namespace
        .world
        .boot(namespace.record.clone(), copies(&shares), chain);
    // An old share, in the name of a member of both sets: for the old epoch, and passed for a new one.
    let born = copies(&namespace.running.shares);
    let by = &namespace.next[0];
    let grant = ShareGrant {
        epoch: namespace.running.manifest().epoch,
        ..second.grant(0)
    };
    let request = second.signed(grant, second.sealed(0, &*born[0].to_bytes()), by);
    let refused = second.enclave.ask(&Request::Provision(request));
    assert_eq!(reason(refused), Reason::GrantForAnother);
    let request = second.signed(second.grant(0), second.sealed(0, &*born[0].to_bytes()), by);
    let refused = second.enclave.refused(&Request::Provision(request));
    assert_eq!(refused.reason, Reason::ShareWrong);
    assert_eq!(refused.member.map(|member| member.0), Some(by.index));
    // Somebody who left: index 2 is nobody's now.
    let left = &namespace.world.people[1];
    let grant = ShareGrant {
        index: left.index,
        ..second.grant(0)
    };
    let request = second.signed(grant, second.sealed(0, &*born[1].to_bytes()), left);
    let refused = second.enclave.ask(&Request::Provision(request));
    assert_eq!(reason(refused), Reason::NotAMember);

    // Two of three that are needed, then the third.
    for (given, position) in [0, 2, 3].into_iter().enumerate() {
        let sealed = second.sealed(position, &*shares[position].to_bytes());
        let request = second.signed(second.grant(position), sealed, &namespace.next[position]);
        assert_eq!(second.enclave.status().phase, Phase::Collecting);
        assert_eq!(second.enclave.status().accepted.len(), given);
        let answer = second.enclave.ask(&Request::Provision(request));
        assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
    }
    second.await_running();
    let (before, after) = (
        evidence(&namespace.running.enclave),
        evidence(&second.enclave),
    );
    let ring = |evidence: &Evidence| {
        let given = evidence.provisioning.as_ref().unwrap();
        given.ring.unverified().keys.clone()
    };
    assert_eq!(ring(&before), ring(&after));
    let report = namespace.report(&after);
    assert!(report.is_accepted(), "{report:#?}");
    assert_eq!(report.facts.sequence, Some(2));
    let report = namespace.report(&before);
    assert!(report.is_accepted(), "{report:#?}");
}

/// Receipts of fewer than the new threshold, or none, complete nothing: no enclave boots on it.
#[test]
fn a_resharing_that_is_not_complete_does_not_boot_fails_closed() {
    let mut namespace = Namespace::new();
    let order = namespace.order(&namespace.challenge());
    let answer = reshare(&namespace.running.enclave, &namespace.request(&order));
    let shares = namespace.open(&answer);
    let enclave = namespace.world.start();
    enclave.upload(&echo());
    let first = namespace.running.chain[0].clone();
    let boot = |link: Link| {
        let request = BootRequest {
            record: namespace.record.clone(),
            chain: vec![first.clone(), link],
        };
        enclave.ask(&Request::Boot(request))
    };
    let link =
        |positions: &[usize]| namespace.second(namespace.completed(&answer, &shares, positions));
    for few in [&[][..], &[0], &[2, 3]] {
        assert_eq!(reason(boot(link(few))), Reason::ChainInvalid, "{few:?}");
    }
    // The manifest alone, without the record.
    let bare = Link {
        reshare: None,
        ..link(&[0, 1, 2])
    };
    assert_eq!(reason(boot(bare)), Reason::ChainInvalid);
    // Without the present holders.
    let mut unapproved = link(&[0, 1, 2]);
    unapproved
        .approvals
        .retain(|approval| approval.unverified().role == Role::ManifestSet);
    assert_eq!(reason(boot(unapproved)), Reason::ApprovalsMissing);
    // A possession that somebody else's share signed.
    let mut swapped: Vec<Share> = copies(&shares);
    swapped.swap(0, 1);
    let forged = namespace.second(namespace.completed(&answer, &swapped, &[0, 1, 2]));
    assert_eq!(reason(boot(forged)), Reason::ChainInvalid);
    let answer = boot(link(&[1, 2, 3]));
    assert!(matches!(answer, Response::Booted(_)), "{answer:?}");
}
