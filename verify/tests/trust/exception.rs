//! A genesis that was finished without somebody's receipt: who must agree, and what no longer counts.

use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::exception::{GenesisException, GenesisExceptionFields};
use quorate_protocol::forward::{ApprovalRule, ForwardApproval, ForwardPolicy};
use quorate_protocol::instance::Index;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::members::Role;
use quorate_verify::chain::{ChainError, walk};
use quorate_verify::forward::{ForwardError, Relation, approvers};
use quorate_verify::genesis::{GenesisError, VerifiedGenesis, receipts_for_exception};
use quorate_verify::reshare::ReshareError;

use crate::evidence::report;
use crate::reshare::Making;
use crate::world::{
    Instance, MANIFEST_SET, PEOPLE, SIGNED_AT, World, approved, check, index, name, set, signing,
};

fn fields(world: &World, place: u8, missing: &[u8]) -> GenesisExceptionFields {
    GenesisExceptionFields {
        genesis: world.genesis(),
        epoch: world.record.output.commitments.epoch(),
        index: index(place),
        missing: missing.iter().map(|at| Index(index(*at))).collect(),
        time: SIGNED_AT,
    }
}

fn signed(fields: GenesisExceptionFields, person: &str) -> Signed<GenesisException> {
    Signed::sign(Checked::new(fields).unwrap(), &signing(person))
}

fn exception(world: &World, place: u8, missing: &[u8]) -> Signed<GenesisException> {
    let person = PEOPLE[usize::from(place) - 1];
    signed(fields(world, place, missing), person)
}

/// The same without another one, whose place it is.
fn without(place: u8) -> World {
    let mut world = World::new();
    let gone = world.record.receipts.remove(usize::from(place) - 1);
    assert_eq!(gone.unverified().index, index(place));
    let others = (1..=5).filter(|other| *other != place);
    let exceptions = others.map(|other| exception(&world, other, &[place]));
    world.record.exceptions = Some(exceptions.collect());
    world
}

/// Three of five open the key; erin, the fifth, gave no receipt, and everybody else agreed.
fn excepted() -> World {
    let mut world = World::new();
    world.record.receipts.pop();
    let exceptions = (1..=4).map(|place| exception(&world, place, &[5]));
    world.record.exceptions = Some(exceptions.collect());
    world
}

fn refusal(change: impl FnOnce(&mut World)) -> GenesisError {
    let mut world = excepted();
    change(&mut world);
    VerifiedGenesis::from_record(world.record).expect_err("a refusal")
}

fn exceptions(world: &mut World) -> &mut Vec<Signed<GenesisException>> {
    world.record.exceptions.as_mut().unwrap()
}

#[test]
fn an_exception_of_everybody_who_gave_a_receipt_finishes_the_genesis() {
    let world = excepted();
    let verified = world.verified();
    assert_eq!(
        verified.digest(),
        World::new().genesis(),
        "it is the same namespace"
    );
    assert_eq!(verified.inactive(), [index(5)]);
    let epoch = verified.epoch();
    assert!(!verified.is_active(index(5), epoch));
    assert!(verified.is_active(index(4), epoch));
    // What is resharded is another share.
    assert!(verified.is_active(index(5), Digest::from_bytes([1; 32])));
    assert_eq!(World::new().verified().inactive(), []);
}

#[test]
fn an_exception_takes_one_more_than_the_threshold_and_more_than_half() {
    let people = ["a", "b", "c", "d", "e", "f", "g"];
    let need = |threshold, count| receipts_for_exception(&set(threshold, &people[..count]));
    assert_eq!(need(2, 3), 3);
    assert_eq!(need(3, 5), 4);
    assert_eq!(need(2, 7), 4);
    assert_eq!(need(2, 6), 4);
    assert_eq!(need(5, 7), 6);
    assert_eq!(need(7, 7), 8);
}

#[test]
fn a_missing_receipt_without_exception_fails_closed() {
    let error = refusal(|world| world.record.exceptions = None);
    let names = vec![name("erin")];
    assert_eq!(error, GenesisError::ReceiptMissing { names });
}

#[test]
fn an_exception_that_not_everybody_signed_fails_closed() {
    let error = refusal(|world| drop(exceptions(world).remove(1)));
    let names = vec![name("bob")];
    assert_eq!(error, GenesisError::ExceptionMissing { names });
    let error = refusal(|world| exceptions(world).clear());
    let names = ["alice", "bob", "carol", "dave"].map(name).to_vec();
    assert_eq!(error, GenesisError::ExceptionMissing { names });
}

#[test]
fn an_exception_of_too_few_fails_closed() {
    let error = refusal(|world| {
        world.record.receipts.pop();
        let exceptions = (1..=3).map(|place| exception(world, place, &[4, 5]));
        world.record.exceptions = Some(exceptions.collect());
    });
    assert_eq!(error, GenesisError::ExceptionTooFew { need: 4, have: 3 });
}

#[test]
fn an_exception_where_nobody_is_missing_fails_closed() {
    let error = refusal(|world| world.record.receipts.push(world.receipt(5)));
    assert_eq!(error, GenesisError::ExceptionNeedless);
    let error = refusal(|world| {
        world.record.receipts.push(world.receipt(5));
        world.record.exceptions = Some(Vec::new());
    });
    assert_eq!(error, GenesisError::ExceptionNeedless);
}

#[test]
fn an_exception_that_leaves_out_another_fails_closed() {
    for missing in [&[4_u8][..], &[4, 5]] {
        let error = refusal(|world| exceptions(world)[1] = exception(&excepted(), 2, missing));
        let name = name("bob");
        assert_eq!(error, GenesisError::ExceptionOfOthers { name });
    }
}

#[test]
fn an_exception_of_who_gave_no_receipt_fails_closed() {
    for (place, person) in [(5, "erin"), (200, "mallory")] {
        let error = refusal(|world| {
            let mut fields = fields(world, place, &[4]);
            fields.missing = vec![Index(index(4))];
            exceptions(world).push(signed(fields, person));
        });
        let index = index(place);
        assert_eq!(error, GenesisError::ExceptionOfStranger { index });
    }
}

#[test]
fn an_exception_twice_or_out_of_order_fails_closed() {
    let again = |world: &mut World| {
        let twice = exceptions(world)[1].clone();
        exceptions(world).insert(1, twice);
    };
    let swapped = |world: &mut World| exceptions(world).swap(1, 2);
    let out_of_order = |person: &str, place| GenesisError::ExceptionOutOfOrder {
        name: name(person),
        index: index(place),
    };
    assert_eq!(refusal(again), out_of_order("bob", 2));
    assert_eq!(refusal(swapped), out_of_order("bob", 2));
}

#[test]
fn an_exception_for_another_genesis_fails_closed() {
    for other in [true, false] {
        let error = refusal(|world| {
            let mut fields = fields(world, 3, &[5]);
            if other {
                fields.genesis = World::other().genesis();
            } else {
                fields.epoch = World::other().record.output.commitments.epoch();
            }
            exceptions(world)[2] = signed(fields, "carol");
        });
        let name = name("carol");
        assert_eq!(error, GenesisError::ExceptionForAnother { name });
    }
}

#[test]
fn an_exception_signed_by_another_fails_closed() {
    let error = refusal(|world| {
        exceptions(world)[2] = signed(fields(world, 3, &[5]), "dave");
    });
    let (name, index) = (name("carol"), index(3));
    assert_eq!(error, GenesisError::ExceptionSignature { name, index });
}

#[test]
fn an_exception_that_names_itself_nobody_or_twice_fails_closed() {
    let world = World::new();
    let refused = |missing: &[u8]| Checked::new(fields(&world, 2, missing)).unwrap_err();
    assert_eq!(refused(&[2, 5]), Invalid::IndicesNotAscending { index: 2 });
    assert_eq!(refused(&[5, 5]), Invalid::IndicesNotAscending { index: 5 });
    let (min, max, found) = (1, 127, 0);
    assert_eq!(refused(&[]), Invalid::ListLength { min, max, found });
}

#[test]
fn a_share_sets_approval_at_an_inactive_index_fails_closed() {
    let world = excepted();
    let holders = [(Role::ShareSet, "alice", 1), (Role::ShareSet, "erin", 5)];
    let votes = [&MANIFEST_SET[..], &holders].concat();
    let chain = [approved(check(world.first()), &votes)];
    let (sequence, index) = (1, index(5));
    assert_eq!(
        walk(&world.verified(), &chain).unwrap_err(),
        ChainError::ApprovalOfInactive { sequence, index }
    );
    assert!(walk(&World::new().verified(), &chain).is_ok());
}

#[test]
fn a_forward_approval_at_an_inactive_index_fails_closed() {
    let world = excepted();
    let mut fields = world.first();
    let policy = ForwardPolicy {
        not_after: SIGNED_AT,
        approvals: ApprovalRule::Always,
    };
    fields.forward = Some(policy.clone());
    let first = check(fields);
    let second = check(World::after(&first));
    let approval = ForwardApproval {
        role: Role::ShareSet,
        genesis: first.genesis,
        from: Digest::of(&first),
        to: Digest::of(&second),
        index: index(5),
        time: SIGNED_AT,
    };
    let given = [Signed::sign(approval, &signing("erin"))];
    let ask = |genesis: &VerifiedGenesis| {
        approvers(
            genesis,
            &policy,
            Relation::Successor,
            &first,
            &second,
            &given,
        )
        .unwrap_err()
    };
    let index = index(5);
    assert_eq!(
        ask(&world.verified()),
        ForwardError::ApprovalOfInactive { index }
    );
    let missing = ask(&World::new().verified());
    assert!(matches!(missing, ForwardError::ApprovalsMissing { .. }));
}

#[test]
fn evidence_of_a_namespace_with_an_exception_says_who_was_left_out() {
    let report = report(&Instance::new(&excepted()).evidence());
    assert!(report.is_accepted());
    let claim = &report.check("genesis-receipts").unwrap().claim;
    assert!(claim.contains("to go on without erin"), "{claim}");
}

#[test]
fn a_grant_of_an_inactive_share_fails_closed() {
    // The instance's shares are of alice, bob and dave.
    let world = without(4);
    let report = report(&Instance::new(&world).evidence());
    let failed: Vec<_> = report.failed().map(|check| check.id).collect();
    assert_eq!(failed.first(), Some(&"share-grants"));
    let error = report.failed().next().unwrap().error.as_ref().unwrap();
    assert_eq!(error.code(), "grant-of-inactive");
    assert!(!report.is_accepted());
}

#[test]
fn a_holders_consent_to_a_resharing_at_an_inactive_index_fails_closed() {
    let world = excepted();
    let making = Making::new(&world);
    let chain = making.chain(Some(making.completed(making.reshare())));
    let (sequence, index) = (3, index(5));
    let error = ReshareError::ConsentOfInactive { index };
    assert_eq!(
        walk(&world.verified(), &chain).unwrap_err(),
        ChainError::Reshare { sequence, error }
    );
}

/// Erin was left out at the genesis. The others ordered new shares, one of them hers; by that she
/// approves what follows, and by her old place still nothing before.
#[test]
fn who_gets_a_share_of_a_resharing_counts_from_then_on() {
    let world = excepted();
    let holders = [
        (Role::ShareSet, "alice", 1),
        (Role::ShareSet, "bob", 2),
        (Role::ShareSet, "dave", 4),
    ];
    let mut making = Making::new(&world);
    making
        .consents
        .retain(|(role, ..)| *role == Role::ManifestSet);
    making.consents.extend(holders);
    let completed = making.completed(making.reshare());
    let votes = [&MANIFEST_SET[..], &holders].concat();
    let mut chain = making.chain_of(making.fields(), Some(completed), &votes);
    let verified = walk(&world.verified(), &chain).unwrap();
    assert!(verified.manifest().share_set.member(index(5)).is_some());

    let mut next = World::after(verified.manifest());
    next.last_set_change = Some(verified.digest());
    next.forward = Some(ForwardPolicy {
        not_after: SIGNED_AT,
        approvals: ApprovalRule::Always,
    });
    let new = [(Role::ShareSet, "erin", 5), (Role::ShareSet, "frank", 6)];
    chain.push(approved(check(next), &[&MANIFEST_SET[..], &new].concat()));
    let verified = walk(&world.verified(), &chain).unwrap();
    let names = verified
        .approvers()
        .share_set
        .iter()
        .map(|a| a.name.clone());
    assert_eq!(names.collect::<Vec<_>>(), ["erin", "frank"].map(name));

    // Where the new shares are named she has the old place still.
    let last = chain.pop().unwrap();
    chain.pop();
    let votes = [&votes[..], &new[..1]].concat();
    let completed = making.completed(making.reshare());
    let mut early = making.chain_of(making.fields(), Some(completed), &votes);
    early.push(last);
    let (sequence, index) = (3, index(5));
    assert_eq!(
        walk(&world.verified(), &early).unwrap_err(),
        ChainError::ApprovalOfInactive { sequence, index }
    );
}
