//! Chains: who approved what may run.

use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::egress::Destination;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::manifest::{Link, Manifest, ManifestFields};
use quorate_protocol::members::Member;
use quorate_protocol::members::Role::{ManifestSet, ShareSet};
use quorate_verify::chain::{
    ApprovingSet, ChainError, HighestSeen, MAX_LINKS, Rollback, check_successor, equivocations,
    walk,
};

use crate::world::{
    MANIFEST_SET, SIGNED_AT, Vote, World, approval, approved, check, index, member, name, set,
    signing, vote,
};

/// Three of the share set, as many as its threshold.
const HOLDERS: [Vote; 3] = [
    (ShareSet, "alice", 1),
    (ShareSet, "dave", 4),
    (ShareSet, "erin", 5),
];

fn refusal(world: &World, chain: &[Link]) -> ChainError {
    walk(&world.verified(), chain).expect_err("a refusal")
}

/// A chain of one manifest with these approvals.
fn first_refusal(change: impl FnOnce(&World, &mut Link)) -> ChainError {
    let world = World::new();
    let mut link = approved(check(world.first()), &MANIFEST_SET);
    change(&world, &mut link);
    refusal(&world, &[link])
}

/// A chain of three, the last of which is changed before it is approved.
fn third_refusal(change: impl FnOnce(&mut ManifestFields)) -> ChainError {
    let world = World::new();
    let mut chain = world.chain(2);
    let mut fields = World::after(&chain[1].manifest);
    change(&mut fields);
    chain.push(approved(check(fields), &MANIFEST_SET));
    refusal(&world, &chain)
}

/// The second manifest of a chain, which brings in another manifest set.
fn new_set(world: &World, votes: &[Vote]) -> Vec<Link> {
    let mut chain = world.chain(1);
    let mut fields = World::after(&chain[0].manifest);
    fields.manifest_set = set(2, &["carol", "dave", "erin"]);
    chain.push(approved(check(fields), votes));
    chain
}

/// The second manifest of a chain, in whose share set Erin has other keys: those of Frank.
fn new_holders(world: &World, votes: &[Vote]) -> Vec<Link> {
    let mut chain = world.chain(1);
    let mut fields = World::after(&chain[0].manifest);
    let mut holders = fields.share_set.into_inner();
    holders.members[4] = Member {
        name: name("erin"),
        ..member("frank", 5)
    };
    fields.share_set = Checked::new(holders).unwrap();
    chain.push(approved(check(fields), votes));
    chain
}

#[test]
fn a_chain_is_accepted_from_the_first_manifest_to_the_last() {
    let world = World::new();
    let chain = world.chain(3);
    let verified = walk(&world.verified(), &chain).unwrap();
    assert_eq!(verified.genesis(), world.genesis());
    assert_eq!(verified.manifest(), &chain[2].manifest);
    assert_eq!(verified.digest(), Digest::of(&chain[2].manifest));
    assert_eq!(verified.sequence(), 3);
    assert_eq!(verified.links().len(), 3);
    let approvers = verified.approvers();
    let names: Vec<_> = approvers.in_role(ManifestSet).map(|a| &a.name).collect();
    assert_eq!(names, [&name("alice"), &name("bob")]);
    assert_eq!(approvers.manifest_set[1].index, index(2));
    assert_eq!(approvers.manifest_set[1].time, SIGNED_AT);
    assert_eq!(approvers.in_role(ShareSet).count(), 0);
}

#[test]
fn more_approvals_than_needed_are_accepted() {
    let world = World::new();
    let votes = [
        (ManifestSet, "carol", 3),
        (ShareSet, "erin", 5),
        (ManifestSet, "alice", 1),
        (ManifestSet, "bob", 2),
    ];
    let chain = [approved(check(world.first()), &votes)];
    let verified = walk(&world.verified(), &chain).unwrap();
    let names = verified.approvers().in_role(ManifestSet).map(|a| &a.name);
    let names: Vec<_> = names.map(|name| name.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
    assert_eq!(verified.approvers().share_set[0].name, name("erin"));
}

#[test]
fn empty_chain_fails_closed() {
    assert_eq!(refusal(&World::new(), &[]), ChainError::Empty);
}

#[test]
fn chain_beyond_the_limit_fails_closed() {
    let world = World::new();
    let link = approved(check(world.first()), &[]);
    let found = MAX_LINKS + 1;
    let chain = vec![link; found];
    assert_eq!(refusal(&world, &chain), ChainError::TooManyLinks { found });
    let candidate = check(world.first());
    assert_eq!(
        check_successor(&world.verified(), &chain[1..], &candidate, None),
        Err(ChainError::TooManyLinks { found })
    );
}

#[test]
fn approvals_below_threshold_fails_closed() {
    let error = first_refusal(|_, link| {
        link.approvals.remove(0);
    });
    let expected = ChainError::Threshold {
        sequence: 1,
        set: ApprovingSet::ManifestSet,
        need: 2,
        have: 1,
        missing: vec![name("alice"), name("carol")],
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "manifest 1 has 1 of the 2 approvals it needs of the manifest set; not yet approved by \
         alice and carol"
    );
}

#[test]
fn approval_by_a_stranger_under_a_members_index_fails_closed() {
    let error = first_refusal(|_, link| {
        link.approvals[1] = vote(&link.manifest, (ManifestSet, "mallory", 2));
    });
    let expected = ChainError::ApprovalSignature {
        sequence: 1,
        names: vec![name("bob")],
        index: index(2),
        role: ManifestSet,
    };
    assert_eq!(error, expected);
}

#[test]
fn approval_by_a_stranger_under_an_index_of_nobody_fails_closed() {
    let error = first_refusal(|_, link| {
        let extra = vote(&link.manifest, (ManifestSet, "mallory", 4));
        link.approvals.push(extra);
    });
    let expected = ChainError::ApprovalOfStranger {
        sequence: 1,
        index: index(4),
        role: ManifestSet,
    };
    assert_eq!(error, expected);
}

#[test]
fn approval_beyond_the_threshold_that_is_wrong_fails_closed() {
    let error = first_refusal(|_, link| {
        let extra = vote(&link.manifest, (ManifestSet, "mallory", 3));
        link.approvals.push(extra);
    });
    assert_eq!(error.code(), "chain-approval-signature");
}

#[test]
fn approval_of_another_manifest_fails_closed() {
    let world = World::new();
    let mut other = world.first();
    other.applications.remove(1);
    let other = check(other);
    let error = first_refusal(|_, link| link.approvals[1] = vote(&other, MANIFEST_SET[1]));
    let expected = ChainError::ApprovalOfAnother {
        sequence: 1,
        index: index(2),
        found: Digest::of(&other),
    };
    assert_eq!(error, expected);
}

#[test]
fn approval_for_another_genesis_fails_closed() {
    let other = World::other().genesis();
    let error = first_refusal(|_, link| {
        let mut approval = approval(&link.manifest, MANIFEST_SET[1]);
        approval.genesis = other;
        link.approvals[1] = Signed::sign(approval, &signing("bob"));
    });
    let expected = ChainError::ApprovalOfAnotherGenesis {
        sequence: 1,
        index: index(2),
        found: other,
    };
    assert_eq!(error, expected);
}

#[test]
fn approval_in_another_role_fails_closed() {
    // Bob is in both sets; as a holder of a share he does not approve a manifest.
    let error = first_refusal(|_, link| {
        link.approvals[1] = vote(&link.manifest, (ShareSet, "bob", 2));
    });
    assert_eq!(error.code(), "chain-threshold");
}

#[test]
fn signature_of_another_role_fails_closed() {
    // Bob's signature as a holder, under the role of the manifest set.
    let error = first_refusal(|_, link| {
        let holder = vote(&link.manifest, (ShareSet, "bob", 2));
        let claim = approval(&link.manifest, (ManifestSet, "bob", 2));
        link.approvals[1] = Signed::from_parts(claim, &holder.signature()).unwrap();
    });
    assert_eq!(error.code(), "chain-approval-signature");
}

#[test]
fn approval_twice_by_one_member_fails_closed() {
    let error = first_refusal(|_, link| {
        link.approvals[1] = link.approvals[0].clone();
    });
    let expected = ChainError::ApprovalRepeated {
        sequence: 1,
        name: name("alice"),
        role: ManifestSet,
    };
    assert_eq!(error, expected);
}

#[test]
fn approval_twice_at_different_times_fails_closed() {
    let error = first_refusal(|_, link| {
        let mut again = approval(&link.manifest, MANIFEST_SET[0]);
        again.time.0 += 1;
        link.approvals[1] = Signed::sign(again, &signing("alice"));
    });
    assert_eq!(error.code(), "chain-approval-repeated");
}

#[test]
fn more_approvals_than_members_fails_closed() {
    let error = first_refusal(|_, link| link.approvals = vec![link.approvals[0].clone(); 9]);
    let expected = ChainError::TooManyApprovals {
        sequence: 1,
        max: 8,
        found: 9,
    };
    assert_eq!(error, expected);
}

#[test]
fn share_set_approval_by_a_stranger_fails_closed() {
    let error = first_refusal(|_, link| {
        let extra = vote(&link.manifest, (ShareSet, "mallory", 5));
        link.approvals.push(extra);
    });
    let expected = ChainError::ApprovalSignature {
        sequence: 1,
        names: vec![name("erin")],
        index: index(5),
        role: ShareSet,
    };
    assert_eq!(error, expected);
}

#[test]
fn strangers_manifest_set_that_approves_itself_fails_closed() {
    // Genuine genesis, measurements, quorum key and share set.
    let strangers = [
        (ManifestSet, "mallory", 1),
        (ManifestSet, "mary", 2),
        (ManifestSet, "max", 3),
    ];
    let world = World::new();
    let mut fields = world.first();
    fields.manifest_set = set(2, &["mallory", "mary", "max"]);
    let error = refusal(&world, &[approved(check(fields), &strangers)]);
    let expected = ChainError::Threshold {
        sequence: 1,
        set: ApprovingSet::ManifestSet,
        need: 2,
        have: 0,
        missing: ["alice", "bob", "carol"].map(name).to_vec(),
    };
    assert_eq!(error, expected);

    let mut chain = world.chain(1);
    let mut fields = World::after(&chain[0].manifest);
    fields.manifest_set = set(2, &["mallory", "mary", "max"]);
    chain.push(approved(check(fields), &strangers));
    assert_eq!(refusal(&world, &chain).code(), "chain-threshold");
}

#[test]
fn first_manifest_left_out_fails_closed() {
    let world = World::new();
    let error = refusal(&world, &world.chain(2)[1..]);
    let (expected, found) = (1, 2);
    assert_eq!(error, ChainError::Sequence { expected, found });
}

#[test]
fn manifest_left_out_fails_closed() {
    let world = World::new();
    let mut chain = world.chain(3);
    chain.remove(1);
    let (expected, found) = (2, 3);
    assert_eq!(
        refusal(&world, &chain),
        ChainError::Sequence { expected, found }
    );
}

#[test]
fn manifest_twice_fails_closed() {
    let world = World::new();
    let mut chain = world.chain(2);
    chain.push(chain[1].clone());
    let (expected, found) = (3, 2);
    assert_eq!(
        refusal(&world, &chain),
        ChainError::Sequence { expected, found }
    );
}

#[test]
fn wrong_previous_fails_closed() {
    let world = World::new();
    let stranger = Digest::of(&check(World::other().first()));
    let before = Digest::of(&world.chain(2)[1].manifest);
    let error = third_refusal(|fields| fields.previous = Some(stranger));
    let expected = ChainError::Previous {
        sequence: 3,
        expected: Some(before),
        found: Some(stranger),
    };
    assert_eq!(error, expected);
}

#[test]
fn manifest_of_another_genesis_fails_closed() {
    let other = World::other().genesis();
    let error = third_refusal(|fields| fields.genesis = other);
    let expected = ChainError::Genesis {
        sequence: 3,
        expected: World::new().genesis(),
        found: other,
    };
    assert_eq!(error, expected);
}

#[test]
fn another_epoch_fails_closed() {
    let other = World::other().record.output.commitments.clone();
    let error = third_refusal(|fields| {
        fields.quorum_key = other.quorum_key().unwrap();
        fields.epoch = other.epoch();
        fields.commitments = other;
    });
    assert_eq!(error, ChainError::QuorumKeyChanged { sequence: 3 });
}

#[test]
fn last_set_change_where_none_was_fails_closed() {
    let world = World::new();
    let first = Digest::of(&world.chain(1)[0].manifest);
    let error = third_refusal(|fields| fields.last_set_change = Some(first));
    let expected = ChainError::LastSetChange {
        sequence: 3,
        expected: None,
        found: Some(first),
    };
    assert_eq!(error, expected);
}

#[test]
fn last_set_change_left_out_fails_closed() {
    let world = World::new();
    let mut chain = new_set(&world, &both_sets());
    let change = Digest::of(&chain[1].manifest);
    let mut next = World::after(&chain[1].manifest);
    let votes = [(ManifestSet, "carol", 1), (ManifestSet, "dave", 2)];
    chain.push(approved(check(next.clone()), &votes));
    let expected = ChainError::LastSetChange {
        sequence: 3,
        expected: Some(change),
        found: None,
    };
    assert_eq!(refusal(&world, &chain), expected);

    chain.pop();
    next.last_set_change = Some(change);
    chain.push(approved(check(next), &votes));
    // It stays the same until the next change.
    let mut last = World::after(&chain[2].manifest);
    assert_eq!(last.last_set_change, Some(change));
    last.sequence = 4;
    chain.push(approved(check(last), &votes));
    assert_eq!(walk(&world.verified(), &chain).unwrap().sequence(), 4);
}

/// Thresholds of the old manifest set and of the one that [`new_set`] brings in.
fn both_sets() -> [Vote; 4] {
    [
        (ManifestSet, "alice", 1),
        (ManifestSet, "bob", 2),
        (ManifestSet, "dave", 2),
        (ManifestSet, "erin", 3),
    ]
}

#[test]
fn change_of_manifest_set_needs_old_and_new() {
    let world = World::new();
    let verified = walk(&world.verified(), &new_set(&world, &both_sets())).unwrap();
    let approvers = verified.approvers();
    let names = |list: &[quorate_verify::chain::Approver]| {
        let names = list.iter().map(|approver| approver.name.to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&approvers.manifest_set), ["alice", "bob"]);
    assert_eq!(names(&approvers.new_manifest_set), ["dave", "erin"]);
    assert!(verified.links()[1].successor.changes_manifest_set);
    assert!(!verified.links()[1].successor.changes_share_set);
}

#[test]
fn change_of_manifest_set_by_the_new_set_alone_fails_closed() {
    let world = World::new();
    let votes = [(ManifestSet, "dave", 2), (ManifestSet, "erin", 3)];
    let expected = ChainError::Threshold {
        sequence: 2,
        set: ApprovingSet::ManifestSet,
        need: 2,
        have: 0,
        missing: ["alice", "bob", "carol"].map(name).to_vec(),
    };
    assert_eq!(refusal(&world, &new_set(&world, &votes)), expected);
}

#[test]
fn change_of_manifest_set_by_the_old_set_alone_fails_closed() {
    let world = World::new();
    let expected = ChainError::Threshold {
        sequence: 2,
        set: ApprovingSet::NewManifestSet,
        need: 2,
        have: 0,
        missing: ["carol", "dave", "erin"].map(name).to_vec(),
    };
    assert_eq!(refusal(&world, &new_set(&world, &MANIFEST_SET)), expected);
}

#[test]
fn member_of_both_sets_under_another_index_counts_for_that_set_only() {
    // Carol has index 3 in the old set and 1 in the new one.
    let world = World::new();
    let old_place = [
        (ManifestSet, "alice", 1),
        (ManifestSet, "carol", 3),
        (ManifestSet, "dave", 2),
    ];
    let error = refusal(&world, &new_set(&world, &old_place));
    let expected = ChainError::Threshold {
        sequence: 2,
        set: ApprovingSet::NewManifestSet,
        need: 2,
        have: 1,
        missing: vec![name("carol"), name("erin")],
    };
    assert_eq!(error, expected);
    let both_places = [&old_place[..], &[(ManifestSet, "carol", 1)]].concat();
    let verified = walk(&world.verified(), &new_set(&world, &both_places)).unwrap();
    let names = verified.approvers().in_role(ManifestSet).map(|a| &a.name);
    assert_eq!(names.filter(|n| **n == name("carol")).count(), 1);
}

#[test]
fn change_of_threshold_alone_is_a_change_of_the_set() {
    let world = World::new();
    let mut chain = world.chain(1);
    let mut fields = World::after(&chain[0].manifest);
    fields.manifest_set = set(3, &["alice", "bob", "carol"]);
    chain.push(approved(check(fields), &MANIFEST_SET));
    let expected = ChainError::Threshold {
        sequence: 2,
        set: ApprovingSet::NewManifestSet,
        need: 3,
        have: 2,
        missing: vec![name("carol")],
    };
    assert_eq!(refusal(&world, &chain), expected);
}

#[test]
fn change_in_the_first_manifest_needs_the_definitions_set() {
    let world = World::new();
    let mut fields = world.first();
    fields.manifest_set = set(2, &["carol", "dave", "erin"]);
    let chain = [approved(check(fields), &both_sets())];
    let verified = walk(&world.verified(), &chain).unwrap();
    assert!(verified.links()[0].successor.changes_manifest_set);
    let next = World::after(&chain[0].manifest);
    let error = check_successor(&world.verified(), &chain, &check(next.clone()), None).unwrap_err();
    assert_eq!(error.code(), "chain-last-set-change");
    let mut next = next;
    next.last_set_change = Some(verified.digest());
    let successor = check_successor(&world.verified(), &chain, &check(next), None).unwrap();
    assert!(!successor.changes_manifest_set);
}

#[test]
fn change_of_share_set_needs_the_present_holders() {
    let world = World::new();
    let votes = [&MANIFEST_SET[..], &HOLDERS].concat();
    let verified = walk(&world.verified(), &new_holders(&world, &votes)).unwrap();
    assert_eq!(verified.approvers().share_set.len(), 3);
    assert!(verified.links()[1].successor.changes_share_set);
    assert!(!verified.links()[1].successor.changes_manifest_set);
}

#[test]
fn change_of_share_set_without_the_present_holders_fails_closed() {
    let world = World::new();
    let votes = [&MANIFEST_SET[..], &HOLDERS[..2]].concat();
    let expected = ChainError::Threshold {
        sequence: 2,
        set: ApprovingSet::ShareSet,
        need: 3,
        have: 2,
        missing: ["bob", "carol", "erin"].map(name).to_vec(),
    };
    assert_eq!(refusal(&world, &new_holders(&world, &votes)), expected);
}

#[test]
fn change_of_share_set_by_a_new_holder_fails_closed() {
    let world = World::new();
    let votes = [&MANIFEST_SET[..], &HOLDERS[..2], &[(ShareSet, "frank", 5)]].concat();
    let expected = ChainError::ApprovalSignature {
        sequence: 2,
        names: vec![name("erin")],
        index: index(5),
        role: ShareSet,
    };
    assert_eq!(refusal(&world, &new_holders(&world, &votes)), expected);
}

#[test]
fn change_of_share_set_by_the_holders_alone_fails_closed() {
    let world = World::new();
    let error = refusal(&world, &new_holders(&world, &HOLDERS));
    let ChainError::Threshold { set, have, .. } = error else {
        panic!("another error: {error}");
    };
    assert_eq!((set, have), (ApprovingSet::ManifestSet, 0));
}

/// A first manifest, and a second in which `change` was made to the destinations of the first
/// application.
fn other_destinations(
    world: &World,
    before: &[&str],
    after: &[&str],
    votes: (&[Vote], &[Vote]),
) -> Vec<Link> {
    let list = |texts: &[&str]| {
        texts
            .iter()
            .map(|t| Destination::parse(t).unwrap())
            .collect()
    };
    let mut first = world.first();
    first.applications[0].egress = list(before);
    let first = approved(check(first), votes.0);
    let mut second = World::after(&first.manifest);
    second.applications[0].egress = list(after);
    let second = approved(check(second), votes.1);
    vec![first, second]
}

#[test]
fn change_of_egress_needs_the_present_holders() {
    let world = World::new();
    let all = [&MANIFEST_SET[..], &HOLDERS].concat();
    let (one, two) = (["a.example:443"], ["a.example:443", "b.example:443"]);
    // The same list needs nobody else.
    for (before, after, votes) in [
        (&[][..], &one[..], (&MANIFEST_SET[..], &all[..])),
        (&one, &two, (&all, &all)),
        (&two, &one, (&all, &all)),
        (&one, &[], (&all, &all)),
        (&one, &one, (&all, &MANIFEST_SET)),
    ] {
        let chain = other_destinations(&world, before, after, votes);
        let verified = walk(&world.verified(), &chain).unwrap();
        let successor = &verified.links()[1].successor;
        assert_eq!(
            successor.changes_egress,
            before != after,
            "{before:?} {after:?}"
        );
        assert_eq!(successor.needs_share_set(), before != after);
        assert!(!successor.changes_share_set && !successor.changes_manifest_set);
    }
}

#[test]
fn change_of_egress_without_the_present_holders_fails_closed() {
    let world = World::new();
    let all = [&MANIFEST_SET[..], &HOLDERS].concat();
    let few = [&MANIFEST_SET[..], &HOLDERS[..2]].concat();
    let one = ["a.example:443"];
    for (before, after, votes, have) in [
        (&[][..], &one[..], (&MANIFEST_SET[..], &MANIFEST_SET[..]), 0),
        (&[], &one, (&MANIFEST_SET, &few), 2),
        (&one, &["a.example:8443"], (&all, &MANIFEST_SET), 0),
        (&one, &[], (&all, &few), 2),
    ] {
        let chain = other_destinations(&world, before, after, votes);
        match refusal(&world, &chain) {
            ChainError::Threshold {
                sequence: 2,
                set: ApprovingSet::ShareSet,
                need: 3,
                have: found,
                ..
            } => assert_eq!(found, have),
            error => panic!("another error: {error}"),
        }
    }
}

/// Before the first manifest nobody may connect anywhere, so one that allows it changes that.
#[test]
fn first_manifest_with_egress_without_the_holders_fails_closed() {
    let world = World::new();
    let one = ["a.example:443"];
    let chain = other_destinations(&world, &one, &one, (&MANIFEST_SET, &MANIFEST_SET));
    match refusal(&world, &chain) {
        ChainError::Threshold {
            sequence: 1,
            set: ApprovingSet::ShareSet,
            have: 0,
            ..
        } => {}
        error => panic!("another error: {error}"),
    }
}

#[test]
fn candidate_is_checked_without_its_approvals() {
    let world = World::new();
    let genesis = world.verified();
    let first = check(world.first());
    let successor = check_successor(&genesis, &[], &first, None).unwrap();
    assert_eq!(successor.digest, Digest::of(&first));
    assert_eq!(successor.sequence, 1);

    let chain = new_set(&world, &[]);
    let (approved, candidate) = (&chain[..1], &chain[1].manifest);
    let successor = check_successor(&genesis, approved, candidate, None).unwrap();
    assert!(successor.changes_manifest_set);
    assert!(!successor.changes_share_set);
}

#[test]
fn candidate_on_an_unapproved_chain_fails_closed() {
    let world = World::new();
    let before = approved(check(world.first()), &MANIFEST_SET[..1]);
    let candidate = check(World::after(&before.manifest));
    let error = check_successor(&world.verified(), &[before], &candidate, None).unwrap_err();
    assert_eq!(error.code(), "chain-threshold");
}

#[test]
fn candidate_that_does_not_follow_fails_closed() {
    let world = World::new();
    let chain = world.chain(2);
    let again = &chain[1].manifest;
    let error = check_successor(&world.verified(), &chain, again, None).unwrap_err();
    let (expected, found) = (3, 2);
    assert_eq!(error, ChainError::Sequence { expected, found });
}

fn seen(sequence: u64, manifest: &Manifest) -> HighestSeen {
    HighestSeen {
        sequence,
        digest: Digest::of(manifest),
    }
}

#[test]
fn the_same_and_a_newer_manifest_are_admitted() {
    let world = World::new();
    let chain = world.chain(3);
    let before = seen(2, &chain[1].manifest);
    assert_eq!(before.admit(2, before.digest), Ok(before));
    let after = seen(3, &chain[2].manifest);
    assert_eq!(before.admit(3, after.digest), Ok(after));
    let verified = walk(&world.verified(), &chain).unwrap();
    assert_eq!(verified.highest_seen(), after);
    assert_eq!(verified.extends(before), Ok(()));
    assert_eq!(verified.extends(after), Ok(()));
}

#[test]
fn lower_sequence_fails_closed() {
    let world = World::new();
    let chain = world.chain(3);
    let before = seen(3, &chain[2].manifest);
    let offered = seen(2, &chain[1].manifest);
    let expected = Err(Rollback::Lower {
        seen: before,
        offered,
    });
    assert_eq!(before.admit(2, offered.digest).map(drop), expected);
    let shorter = walk(&world.verified(), &chain[..2]).unwrap();
    assert_eq!(shorter.extends(before), expected);
}

#[test]
fn second_digest_at_one_sequence_fails_closed() {
    let world = World::new();
    let chain = world.chain(2);
    let offered = seen(2, &chain[1].manifest);
    let before = seen(2, &chain[0].manifest);
    let expected = Err(Rollback::SecondDigest {
        seen: before,
        offered,
    });
    assert_eq!(before.admit(2, offered.digest).map(drop), expected);
    // A longer chain that has another manifest at that place is no way around it.
    let longer = walk(&world.verified(), &world.chain(3)).unwrap();
    assert_eq!(longer.extends(before), expected);
}

#[test]
fn two_manifests_under_one_number_show_who_approved_both() {
    let world = World::new();
    let genesis = world.verified();
    let one = world.chain(3);
    let mut fields = World::after(&one[0].manifest);
    fields.applications.remove(1);
    let votes = [(ManifestSet, "bob", 2), (ManifestSet, "carol", 3)];
    let other = [one[0].clone(), approved(check(fields), &votes)];
    let (one, other) = (
        walk(&genesis, &one).unwrap(),
        walk(&genesis, &other).unwrap(),
    );
    let found = equivocations(&one, &other);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, name("bob"));
    assert_eq!(found[0].role, ManifestSet);
    assert_eq!(found[0].sequence, 2);
    let digests = [one.links()[1].successor.digest, other.digest()];
    assert_eq!(found[0].manifests, digests);
    assert!(equivocations(&one, &one).is_empty());
    let foreign = World::other();
    let foreign = walk(&foreign.verified(), &foreign.chain(2)).unwrap();
    assert!(equivocations(&one, &foreign).is_empty());
}

#[test]
fn sequence_zero_and_orphans_fails_closed() {
    let world = World::new();
    let refused = |change: fn(&mut ManifestFields)| {
        let mut fields = world.first();
        change(&mut fields);
        Checked::new(fields).map(drop)
    };
    let zero = refused(|fields| fields.sequence = 0);
    assert_eq!(zero, Err(Invalid::SequenceZero));
    let orphan = refused(|fields| fields.sequence = 2);
    assert_eq!(orphan, Err(Invalid::Predecessor));
}
