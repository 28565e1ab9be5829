//! Surrogates: for whom they count, and until when.

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::evidence::Origin;
use quorate_protocol::keys::EncryptionKey;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::Role::{ManifestSet, ShareSet};
use quorate_protocol::provision::Provision;
use quorate_protocol::surrogate::{Delegation, DelegationFields, SurrogateApproval};
use quorate_verify::chain::{
    ChainError, VerifiedChain, check_successor, check_successor_at, walk, walk_at,
};
use quorate_verify::evidence::{Policy, Report, Time, verify};
use quorate_verify::surrogate::SurrogateError;

use crate::world::{
    Instance, MANIFEST_SET, SIGNED_AT, Vote, World, anchors, approval, approved, check, index,
    name, set, signing, verification_key, vote,
};

const DAY: u64 = 24 * 60 * 60 * 1000;
/// Last moment of every delegation here.
const END: UnixMillis = UnixMillis(SIGNED_AT.0 + DAY);
const LATER: UnixMillis = UnixMillis(END.0 + 1);
const ALICE: [Vote; 1] = [(ManifestSet, "alice", 1)];

/// Bob lets Grace act for him.
fn fields(world: &World, sequence: u64) -> DelegationFields {
    DelegationFields {
        genesis: world.genesis(),
        member: name("bob"),
        roles: vec![ManifestSet, ShareSet],
        surrogate: name("grace"),
        signing_key: verification_key("grace signs"),
        encryption_key: encryption("grace opens"),
        sequence,
        expires: END,
        time: UnixMillis(SIGNED_AT.0 - DAY),
    }
}

fn encryption(purpose: &str) -> EncryptionKey {
    EncryptionKey::from_sec1(&verification_key(purpose).to_uncompressed()).unwrap()
}

fn delegated(fields: DelegationFields, by: &str) -> Signed<Delegation> {
    Signed::sign(Checked::new(fields).unwrap(), &signing(by))
}

/// An approval at this place, by this surrogate.
fn acted(manifest: &Manifest, by: &str, place: u8, under: Signed<Delegation>) -> SurrogateApproval {
    let claim = approval(manifest, (ManifestSet, "", place));
    SurrogateApproval {
        delegation: under,
        approval: Signed::sign(claim, &signing(by)),
    }
}

/// Approved by Alice, and by Grace for Bob.
fn by_grace(world: &World, manifest: Manifest) -> Link {
    let delegation = delegated(fields(world, manifest.sequence), "bob");
    let acting = acted(&manifest, "grace", 2, delegation);
    let mut link = approved(manifest, &ALICE);
    link.surrogates.push(acting);
    link
}

/// A first manifest that Grace approved for Bob, who named her until then.
pub(crate) fn first_by_grace_until(world: &World, until: UnixMillis) -> Link {
    let manifest = check(world.first());
    let mut fields = fields(world, 1);
    fields.expires = until;
    let acting = acted(&manifest, "grace", 2, delegated(fields, "bob"));
    let mut link = approved(manifest, &ALICE);
    link.surrogates.push(acting);
    link
}

fn first_by_grace(world: &World) -> Link {
    by_grace(world, check(world.first()))
}

fn at(world: &World, chain: &[Link], at: UnixMillis) -> Result<VerifiedChain, ChainError> {
    walk_at(&world.verified(), chain, at)
}

/// The refusal of a first manifest whose delegation or link was changed, in time.
fn refusal(change: impl FnOnce(&World, &mut DelegationFields, &mut Link)) -> ChainError {
    let world = World::new();
    let manifest = check(world.first());
    let mut link = approved(manifest.clone(), &ALICE);
    let mut fields = fields(&world, 1);
    change(&world, &mut fields, &mut link);
    let delegation = delegated(fields, "bob");
    link.surrogates
        .push(acted(&manifest, "grace", 2, delegation));
    at(&world, &[link], SIGNED_AT).expect_err("a refusal")
}

fn surrogate_refusal(change: impl FnOnce(&World, &mut DelegationFields)) -> SurrogateError {
    match refusal(|world, fields, _| change(world, fields)) {
        ChainError::Surrogate { sequence: 1, error } => error,
        other => panic!("{other}"),
    }
}

#[test]
fn an_approval_by_a_surrogate_counts_as_its_members() {
    let world = World::new();
    let chain = [first_by_grace(&world)];
    let verified = at(&world, &chain, SIGNED_AT).unwrap();
    let given = &verified.approvers().manifest_set;
    assert_eq!(given.len(), 2);
    assert_eq!(given[1].name, name("bob"));
    let acting = given[1].surrogate.as_ref().unwrap();
    assert_eq!((&acting.name, acting.expires), (&name("grace"), END));
    assert_eq!(given[0].surrogate, None);
    assert_eq!(verified.counts_until(), Some(END));
}

/// The last moment counts, the one after it does not, and without a moment nothing does.
#[test]
fn a_delegation_beyond_its_last_moment_fails_closed() {
    let world = World::new();
    let chain = [first_by_grace(&world)];
    assert!(at(&world, &chain, END).is_ok());
    let expired = |at| ChainError::SurrogateExpired {
        sequence: 1,
        need: 2,
        have: 1,
        expired: vec![name("grace")],
        at,
    };
    assert_eq!(at(&world, &chain, LATER), Err(expired(Some(LATER))));
    assert_eq!(walk(&world.verified(), &chain), Err(expired(None)));
    // Nobody builds on it then either.
    let next = check(World::after(&chain[0].manifest));
    let genesis = world.verified();
    assert!(check_successor_at(&genesis, &chain, &next, None, END).is_ok());
    let error = check_successor_at(&genesis, &chain, &next, None, LATER).unwrap_err();
    assert_eq!(error, expired(Some(LATER)));
    let error = check_successor(&genesis, &chain, &next, None).unwrap_err();
    assert_eq!(error, expired(None));
}

/// Once members have built on it with their own keys, it counts for ever.
#[test]
fn a_later_manifest_of_members_own_signatures_settles_it() {
    let world = World::new();
    let mut chain = vec![first_by_grace(&world)];
    let next = check(World::after(&chain[0].manifest));
    chain.push(approved(next, &MANIFEST_SET));
    for verified in [walk(&world.verified(), &chain), at(&world, &chain, LATER)] {
        let verified = verified.unwrap();
        assert_eq!(verified.counts_until(), None);
        // Who acted is told still.
        let first = &verified.links()[0].approvers.manifest_set;
        assert!(first[1].surrogate.is_some());
    }
}

/// A later manifest that rests on surrogates itself settles nothing.
#[test]
fn surrogates_settling_surrogates_fails_closed() {
    let world = World::new();
    let mut chain = vec![first_by_grace(&world)];
    let next = check(World::after(&chain[0].manifest));
    chain.push(by_grace(&world, next));
    assert!(at(&world, &chain, END).is_ok());
    let error = at(&world, &chain, LATER).unwrap_err();
    assert!(
        matches!(error, ChainError::SurrogateExpired { sequence: 2, .. }),
        "{error}"
    );
    // With the second approved by Bob as well as Alice, both count.
    let second = chain[1].manifest.clone();
    chain[1] = approved(second, &MANIFEST_SET);
    assert!(at(&world, &chain, LATER).is_ok());
    // A later end of the second does not lengthen the first.
    let mut chain = vec![first_by_grace(&world)];
    let next = check(World::after(&chain[0].manifest));
    let mut longer = fields(&world, 2);
    longer.expires = UnixMillis(END.0 + DAY);
    let acting = acted(&next, "grace", 2, delegated(longer, "bob"));
    let mut link = approved(next, &ALICE);
    link.surrogates.push(acting);
    chain.push(link);
    assert_eq!(at(&world, &chain, END).unwrap().counts_until(), Some(END));
    let error = at(&world, &chain, LATER).unwrap_err();
    assert!(
        matches!(error, ChainError::SurrogateExpired { sequence: 1, .. }),
        "{error}"
    );
}

/// A surplus approval of a surrogate whose time is over is not listed, and spoils nothing.
#[test]
fn one_too_many_that_has_ended_is_not_counted() {
    let world = World::new();
    let manifest = check(world.first());
    let acting = acted(&manifest, "grace", 2, delegated(fields(&world, 1), "bob"));
    let mut link = approved(manifest, &[ALICE[0], (ManifestSet, "carol", 3)]);
    link.surrogates.push(acting);
    let verified = at(&world, &[link], LATER).unwrap();
    assert_eq!(verified.approvers().manifest_set.len(), 2);
    assert_eq!(verified.counts_until(), None);
}

#[test]
fn a_delegation_for_another_ceremony_fails_closed() {
    let error = surrogate_refusal(|_, fields| fields.sequence = 2);
    let (named, sequence) = (2, 1);
    let surrogate = name("grace");
    assert_eq!(
        error,
        SurrogateError::OtherManifest {
            surrogate,
            named,
            sequence
        }
    );
}

#[test]
fn a_delegation_of_another_genesis_fails_closed() {
    let error = surrogate_refusal(|_, fields| {
        let mut other = minicbor::to_vec(fields.genesis).unwrap();
        *other.last_mut().unwrap() ^= 1;
        fields.genesis = minicbor::decode(&other).unwrap();
    });
    let surrogate = name("grace");
    assert_eq!(error, SurrogateError::OtherGenesis { surrogate });
}

/// Carol's delegation, and Bob's place.
#[test]
fn a_delegation_of_another_member_fails_closed() {
    let error = surrogate_refusal(|_, fields| fields.member = name("carol"));
    assert_eq!(
        error,
        SurrogateError::OtherMember {
            surrogate: name("grace"),
            named: name("carol"),
            member: name("bob"),
        }
    );
}

#[test]
fn a_delegation_signed_by_somebody_else_fails_closed() {
    let world = World::new();
    let manifest = check(world.first());
    // By another member, by a stranger, by the surrogate, and by a surrogate who was named.
    for by in ["carol", "mallory", "grace", "heidi"] {
        let mut link = approved(manifest.clone(), &ALICE);
        let delegation = delegated(fields(&world, 1), by);
        link.surrogates
            .push(acted(&manifest, "grace", 2, delegation));
        let error = at(&world, &[link], SIGNED_AT).unwrap_err();
        let expected = SurrogateError::Signature {
            surrogate: name("grace"),
            member: name("bob"),
        };
        assert_eq!(
            error,
            ChainError::Surrogate {
                sequence: 1,
                error: expected
            },
            "{by}"
        );
    }
}

/// A surrogate names somebody: there is no place for whom that would count.
#[test]
fn a_surrogate_naming_a_surrogate_fails_closed() {
    let world = World::new();
    let manifest = check(world.first());
    let mut link = approved(manifest.clone(), &ALICE);
    let mut further = fields(&world, 1);
    further.member = name("grace");
    further.surrogate = name("heidi");
    further.signing_key = verification_key("heidi signs");
    further.encryption_key = encryption("heidi opens");
    let delegation = delegated(further, "grace");
    link.surrogates
        .push(acted(&manifest, "heidi", 2, delegation));
    let error = at(&world, &[link], SIGNED_AT).unwrap_err();
    assert_eq!(error.code(), "surrogate-other-member", "{error}");
}

#[test]
fn a_surrogate_with_a_key_of_a_member_fails_closed() {
    // Of the manifest set, of the share set alone, signing or encryption key.
    for (signs, opens, whose) in [
        ("carol signs", "grace opens", "carol"),
        ("erin signs", "grace opens", "erin"),
        ("grace signs", "erin opens", "erin"),
        ("dave opens", "grace opens", "dave"),
    ] {
        let error = surrogate_refusal(|_, fields| {
            fields.signing_key = verification_key(signs);
            fields.encryption_key = encryption(opens);
        });
        assert_eq!(
            error,
            SurrogateError::KeyOfMember {
                surrogate: name("grace"),
                member: name(whose),
            }
        );
    }
}

#[test]
fn a_surrogate_with_the_name_of_a_member_fails_closed() {
    let error = surrogate_refusal(|_, fields| fields.surrogate = name("erin"));
    let surrogate = name("erin");
    assert_eq!(error, SurrogateError::IsMember { surrogate });
}

/// One person stands for two members: the same surrogate, or two names for one key.
#[test]
fn a_surrogate_with_a_key_of_another_surrogate_fails_closed() {
    let world = World::new();
    let manifest = check(world.first());
    for second in ["grace", "heidi"] {
        let mut carols = fields(&world, 1);
        carols.member = name("carol");
        carols.surrogate = name(second);
        let mut link = approved(manifest.clone(), &[]);
        let delegation = delegated(fields(&world, 1), "bob");
        link.surrogates
            .push(acted(&manifest, "grace", 2, delegation));
        let delegation = delegated(carols, "carol");
        link.surrogates
            .push(acted(&manifest, "grace", 3, delegation));
        let error = at(&world, &[link], SIGNED_AT).unwrap_err();
        let expected = SurrogateError::KeyOfSurrogate {
            surrogate: name(second),
            other: name("grace"),
        };
        assert_eq!(
            error,
            ChainError::Surrogate {
                sequence: 1,
                error: expected
            }
        );
    }
}

#[test]
fn a_member_and_their_surrogate_counted_twice_fails_closed() {
    let error = refusal(|_, _, link| {
        let own = vote(&link.manifest, (ManifestSet, "bob", 2));
        link.approvals.push(own);
    });
    let (name, role) = (name("bob"), ManifestSet);
    let sequence = 1;
    assert_eq!(
        error,
        ChainError::ApprovalRepeated {
            sequence,
            name,
            role
        }
    );
}

#[test]
fn two_surrogates_of_one_member_counted_twice_fails_closed() {
    let error = refusal(|world, _, link| {
        let mut other = fields(world, 1);
        other.surrogate = name("heidi");
        other.signing_key = verification_key("heidi signs");
        other.encryption_key = encryption("heidi opens");
        let manifest = link.manifest.clone();
        let delegation = delegated(other, "bob");
        link.surrogates
            .push(acted(&manifest, "heidi", 2, delegation));
    });
    assert_eq!(error.code(), "chain-approval-repeated", "{error}");
}

/// Bob is a member of the manifest set; his delegation is for the share set only.
#[test]
fn a_surrogate_in_another_set_fails_closed() {
    let error = surrogate_refusal(|_, fields| fields.roles = vec![ShareSet]);
    let (surrogate, role) = (name("grace"), ManifestSet);
    assert_eq!(error, SurrogateError::OtherRole { surrogate, role });
}

/// Erin holds a share and approves nothing: her surrogate has no place in the manifest set.
#[test]
fn a_surrogate_in_a_set_the_member_is_not_in_fails_closed() {
    let world = World::new();
    let manifest = check(world.first());
    let mut erins = fields(&world, 1);
    erins.member = name("erin");
    let mut link = approved(manifest.clone(), &ALICE);
    let delegation = delegated(erins, "erin");
    link.surrogates
        .push(acted(&manifest, "grace", 5, delegation));
    let error = at(&world, &[link], SIGNED_AT).unwrap_err();
    assert_eq!(error.code(), "chain-approval-of-stranger", "{error}");
}

#[test]
fn an_approval_not_signed_by_the_surrogate_fails_closed() {
    let world = World::new();
    let manifest = check(world.first());
    for by in ["bob", "heidi"] {
        let mut link = approved(manifest.clone(), &ALICE);
        let delegation = delegated(fields(&world, 1), "bob");
        link.surrogates.push(acted(&manifest, by, 2, delegation));
        let error = at(&world, &[link], SIGNED_AT).unwrap_err();
        assert_eq!(error.code(), "chain-approval-signature", "{error}");
    }
}

#[test]
fn a_surrogate_approving_for_holders_fails_closed() {
    let world = World::new();
    let manifest = check(world.first());
    let mut link = approved(manifest.clone(), &MANIFEST_SET);
    let claim = approval(&manifest, (ShareSet, "", 2));
    link.surrogates.push(SurrogateApproval {
        delegation: delegated(fields(&world, 1), "bob"),
        approval: Signed::sign(claim, &signing("grace")),
    });
    let (sequence, index) = (1, index(2));
    assert_eq!(
        at(&world, &[link], SIGNED_AT),
        Err(ChainError::SurrogateForHolders { sequence, index })
    );
}

/// Surrogates could else bring in a set of their own, and settle their own chain with it.
#[test]
fn a_surrogate_approving_other_people_fails_closed() {
    let world = World::new();
    let mut chain = world.chain(1);
    let mut next = World::after(&chain[0].manifest);
    next.manifest_set = set(2, &["carol", "dave", "erin"]);
    let manifest = check(next);
    let votes = [
        ALICE[0],
        (ManifestSet, "carol", 1),
        (ManifestSet, "dave", 2),
    ];
    let mut link = approved(manifest.clone(), &votes);
    let delegation = delegated(fields(&world, 2), "bob");
    link.surrogates
        .push(acted(&manifest, "grace", 2, delegation));
    chain.push(link);
    assert_eq!(
        at(&world, &chain, SIGNED_AT),
        Err(ChainError::SurrogateForPeople { sequence: 2 })
    );
}

/// Evidence in which Grace gave Bob's share, changed and verified.
fn evidence(change: impl FnOnce(&mut Provision, &mut Link, &mut DelegationFields)) -> Report {
    let world = World::new();
    let mut instance = Instance::new(&world);
    let mut fields = fields(&world, 2);
    fields.roles = vec![ShareSet];
    let mut link = instance.chain.pop().unwrap();
    instance.chain.push(link.clone());
    let grant = instance.grant(2);
    let mut provision = instance.answered(Signed::sign(grant, &signing("grace")), 1);
    change(&mut provision, &mut link, &mut fields);
    if provision.delegation.is_none() {
        provision.delegation = Some(Box::new(delegated(fields, "bob")));
    }
    *instance.chain.last_mut().unwrap() = link;
    let mut evidence = instance.evidence();
    if let Some(Origin::Members(given)) = evidence
        .provisioning
        .as_mut()
        .map(|given| &mut given.origin)
    {
        given[1] = provision;
    }
    let bytes = quorate_protocol::cbor::to_bytes(&evidence);
    verify(&bytes, &Policy::unpinned(), &anchors(), Time::Archived)
}

fn failure(report: &Report) -> &'static str {
    assert!(!report.is_accepted());
    let mut failed = report
        .checks
        .iter()
        .filter_map(|check| check.error.as_ref());
    failed.next().expect("a failed check").code()
}

#[test]
fn evidence_says_which_share_a_surrogate_gave() {
    let report = evidence(|_, _, _| {});
    assert!(report.is_accepted(), "{report:#?}");
    let given = &report.facts.shares_given_by;
    assert_eq!(given[1].name, name("bob"));
    assert_eq!(given[1].surrogate, Some(name("grace")));
    assert_eq!(given[0].surrogate, None);
    let text = quorate_verify::explain::text(&report);
    assert!(text.contains("bob by surrogate grace"), "{text}");
}

#[test]
fn a_share_by_a_surrogate_who_may_not_fails_closed() {
    // The instance took it at the very end, and a moment after it.
    let ends = |at: u64| evidence(move |_, _, fields| fields.expires = UnixMillis(at));
    assert!(ends(SIGNED_AT.0).is_accepted());
    assert_eq!(failure(&ends(SIGNED_AT.0 - 1)), "surrogate-expired");
    let report = evidence(|_, _, fields| fields.sequence = 1);
    assert_eq!(failure(&report), "surrogate-other-manifest");
    let report = evidence(|_, _, fields| fields.roles = vec![ManifestSet]);
    assert_eq!(failure(&report), "surrogate-other-role");
    let report = evidence(|_, _, fields| fields.surrogate = name("alice"));
    assert_eq!(failure(&report), "surrogate-is-member");
    let report = evidence(|given, _, fields| {
        given.delegation = Some(Box::new(delegated(fields.clone(), "grace")));
    });
    assert_eq!(failure(&report), "surrogate-signature");
}

/// Running evidence keeps its meaning when the time of a surrogate who approved is over: they counted
/// when the instance got the key.
#[test]
fn evidence_takes_the_moment_at_which_the_instance_got_the_key() {
    let by = |ends: u64| {
        let world = World::new();
        let mut instance = Instance::new(&world);
        let manifest = instance.manifest().clone();
        let mut fields = fields(&world, 2);
        fields.expires = UnixMillis(ends);
        let acting = acted(&manifest, "grace", 2, delegated(fields, "bob"));
        let mut link = approved(manifest, &ALICE);
        link.surrogates.push(acting);
        *instance.chain.last_mut().unwrap() = link;
        let bytes = quorate_protocol::cbor::to_bytes(&instance.evidence());
        verify(&bytes, &Policy::unpinned(), &anchors(), Time::Archived)
    };
    let got = SIGNED_AT.0;
    assert!(by(got).is_accepted(), "{:#?}", by(got));
    assert_eq!(failure(&by(got - 1)), "chain-surrogate-expired");
}
