use std::fs;

use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_verify::chain::{ChainError, Rollback, walk};

use super::*;
use crate::fixture::{Folders, WORDS, World, measurements, name, passphrase, set};
use crate::keyfile::MemberKeys;

fn changed(
    manifest: &Manifest,
    change: impl FnOnce(&mut quorate_protocol::manifest::ManifestFields),
) -> Manifest {
    let mut fields = manifest.clone().into_inner();
    change(&mut fields);
    Checked::new(fields).unwrap()
}

fn key(world: &World, member: usize) -> VerificationKey {
    world.keys[member].public().signing
}

/// Of a manifest whose shares are those of the one before.
fn decide(
    pins: &Pins,
    key: &VerificationKey,
    genesis: &VerifiedGenesis,
    approved: &[Link],
    candidate: &Manifest,
) -> Result<(Successor, Vec<Seat>), CeremonyError> {
    let link = Link {
        manifest: candidate.clone(),
        approvals: Vec::new(),
        reshare: None,
        surrogates: Vec::new(),
    };
    super::decide(pins, key, genesis, approved, &link)
}

#[test]
fn members_of_the_present_set_may_approve() {
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    for member in 0..3 {
        let (successor, seats) = decide(
            &world.pins(member),
            &key(&world, member),
            &world.verified(),
            &[],
            &manifest,
        )
        .unwrap();
        assert_eq!(successor.digest, Digest::of(&manifest));
        let index = world.shares[member].index();
        assert_eq!(
            seats,
            [Seat {
                role: Role::ManifestSet,
                index
            }]
        );
    }
}

#[test]
fn change_of_share_set_needs_share_holders_too() {
    let world = World::new();
    let manifest = changed(&world.manifest(None, b"app"), |fields| {
        // The first member has other keys, as after a restore.
        let keys = MemberKeys::generate(name("alice")).unwrap().public();
        let mut set = fields.share_set.clone().into_inner();
        set.members[0].signing_key = keys.signing;
        set.members[0].encryption_key = keys.encryption;
        fields.share_set = Checked::new(set).unwrap();
        fields.manifest_set = fields.share_set.clone();
    });
    let (_, seats) = decide(
        &world.pins(2),
        &key(&world, 2),
        &world.verified(),
        &[],
        &manifest,
    )
    .unwrap();
    let roles: Vec<Role> = seats.iter().map(|seat| seat.role).collect();
    assert_eq!(roles, [Role::ManifestSet, Role::ShareSet]);
}

/// Who holds shares, and at which index, changes with the shares or not at all.
#[test]
fn a_holder_fewer_without_a_resharing_fails_closed() {
    let world = World::new();
    let manifest = changed(&world.manifest(None, b"app"), |fields| {
        let mut set = fields.share_set.clone().into_inner();
        set.members.pop();
        fields.share_set = Checked::new(set).unwrap();
    });
    let pins = world.pins(0);
    let refused = decide(&pins, &key(&world, 0), &world.verified(), &[], &manifest);
    let expected = ChainError::ShareSetChanged { sequence: 1 };
    assert_eq!(refused, Err(expected.into()));
}

/// Whoever holds shares has a say in where applications may connect.
#[test]
fn a_change_of_destinations_is_approved_by_holders_too() {
    let world = World::new();
    let plain = world.manifest(None, b"app");
    let connecting = changed(&plain, |fields| {
        let destination = quorate_protocol::egress::Destination::parse("a.example:443");
        fields.applications[0].egress = vec![destination.unwrap()];
    });
    let seats = |candidate: &Manifest| {
        let (pins, key, genesis) = (world.pins(0), key(&world, 0), world.verified());
        let (successor, seats) = decide(&pins, &key, &genesis, &[], candidate).unwrap();
        let roles: Vec<Role> = seats.iter().map(|seat| seat.role).collect();
        (successor.changes_egress, roles)
    };
    assert_eq!(seats(&plain), (false, vec![Role::ManifestSet]));
    let both = vec![Role::ManifestSet, Role::ShareSet];
    assert_eq!(seats(&connecting), (true, both));
}

/// Genuine measurements, the genuine quorum key, and a manifest set of strangers that approved it.
#[test]
fn strangers_manifest_set_fails_closed() {
    let world = World::new();
    let strangers: Vec<MemberKeys> = ["mallory", "nemo", "oscar"]
        .map(|text| MemberKeys::generate(name(text)).unwrap())
        .into();
    let first = changed(&world.manifest(None, b"app"), |fields| {
        fields.manifest_set = set(&strangers);
    });
    let approvals = strangers
        .iter()
        .zip(1..)
        .map(|(keys, place)| {
            let seat = Seat {
                role: Role::ManifestSet,
                index: crate::fixture::index(place),
            };
            let digest = Digest::of(&first);
            let approval = approval(&seat, first.genesis, digest, crate::fixture::SIGNED);
            Signed::sign(approval, &keys.signing_key())
        })
        .collect();
    let forged = Link {
        manifest: first.clone(),
        approvals,
        reshare: None,
        surrogates: Vec::new(),
    };
    let second = changed(&world.manifest(Some(&first), b"app"), |fields| {
        fields.manifest_set = set(&strangers);
        fields.last_set_change = Some(Digest::of(&first));
    });
    // Not as the chain before a manifest, nor as what an instance runs.
    let refused = decide(
        &world.pins(0),
        &key(&world, 0),
        &world.verified(),
        std::slice::from_ref(&forged),
        &second,
    );
    assert!(refused.is_err());
    assert!(walk(&world.verified(), &[forged]).is_err());
    // As a candidate it is what it says: a change of the set, and it needs the present one.
    let (successor, _) = decide(
        &world.pins(0),
        &key(&world, 0),
        &world.verified(),
        &[],
        &first,
    )
    .unwrap();
    assert!(successor.changes_manifest_set);
}

#[test]
fn lower_sequence_fails_closed() {
    let world = World::new();
    let first = world.manifest(None, b"1");
    let mut pins = world.pins(0);
    pins.pin_manifest(HighestSeen {
        sequence: 2,
        digest: Digest::from_bytes([2; 32]),
    })
    .unwrap();
    let refused = decide(&pins, &key(&world, 0), &world.verified(), &[], &first);
    assert!(
        matches!(
            refused,
            Err(CeremonyError::Pin(PinError::Rollback(
                Rollback::Lower { .. }
            )))
        ),
        "{refused:?}"
    );
}

#[test]
fn second_digest_at_one_sequence_fails_closed() {
    let world = World::new();
    let (one, other) = (world.manifest(None, b"1"), world.manifest(None, b"2"));
    let mut pins = world.pins(0);
    pins.pin_manifest(HighestSeen {
        sequence: 1,
        digest: Digest::of(&one),
    })
    .unwrap();
    assert!(decide(&pins, &key(&world, 0), &world.verified(), &[], &one).is_ok());
    let second = |refused: &Result<_, CeremonyError>| {
        matches!(
            refused,
            Err(CeremonyError::Pin(PinError::Rollback(
                Rollback::SecondDigest { .. }
            )))
        )
    };
    let refused = decide(&pins, &key(&world, 0), &world.verified(), &[], &other);
    assert!(second(&refused), "{refused:?}");
    // Nor may a later manifest rest on it.
    let links = [world.link(&other, &[1, 2])];
    let later = world.manifest(Some(&other), b"3");
    let refused = decide(&pins, &key(&world, 0), &world.verified(), &links, &later);
    assert!(second(&refused), "{refused:?}");
}

#[test]
fn manifest_that_does_not_follow_fails_closed() {
    let (world, other) = (World::new(), World::new());
    let genesis = world.verified();
    let try_first =
        |manifest: &Manifest| decide(&world.pins(0), &key(&world, 0), &genesis, &[], manifest);
    let foreign = other.manifest(None, b"app");
    assert!(matches!(
        try_first(&foreign),
        Err(CeremonyError::Chain(ChainError::Genesis { .. }))
    ));
    let first = world.manifest(None, b"app");
    let second = world.manifest(Some(&first), b"app");
    assert!(matches!(
        try_first(&second),
        Err(CeremonyError::Chain(ChainError::Sequence { .. }))
    ));
    let key_of_others = changed(&first, |fields| {
        fields.commitments = other.output.commitments.clone();
        fields.quorum_key = fields.commitments.quorum_key().unwrap();
        fields.epoch = fields.commitments.epoch();
    });
    assert!(matches!(
        try_first(&key_of_others),
        Err(CeremonyError::Chain(ChainError::QuorumKeyChanged { .. }))
    ));
}

#[test]
fn person_who_does_not_count_fails_closed() {
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    let refused = decide(
        &world.pins(0),
        &key(&world, 1),
        &world.verified(),
        &[],
        &manifest,
    );
    assert_eq!(
        refused.err(),
        Some(
            StepError::KeysDiffer {
                name: name("alice")
            }
            .into()
        )
    );
    let stranger = Pins::new(name("dave"));
    let refused = decide(
        &stranger,
        &key(&world, 0),
        &world.verified(),
        &[],
        &manifest,
    );
    assert_eq!(
        refused.err(),
        Some(
            StepError::NoApproval {
                name: name("dave"),
                sequence: 1
            }
            .into()
        )
    );
}

fn approve(folders: &Folders, member: usize) -> Result<Approved, CeremonyError> {
    review(&folders.shared(), &folders.private(member), None)?.approve(passphrase(WORDS))
}

#[test]
fn approvals_make_a_chain() {
    let (world, folders) = (World::new(), Folders::new());
    let manifest = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&manifest, &[])]);
    for member in [0, 2] {
        folders.member(&world, member, &world.pins(member));
        assert_eq!(
            approve(&folders, member).unwrap().published,
            Published::Written
        );
        assert_eq!(
            approve(&folders, member).unwrap().published,
            Published::AlreadyThere
        );
        let pinned = Member::open(&folders.private(member))
            .unwrap()
            .pins
            .highest()
            .unwrap();
        assert_eq!((pinned.sequence, pinned.digest), (1, Digest::of(&manifest)));
    }
    let links = folders.workspace().links(&world.definition, None).unwrap();
    let chain = walk(&world.verified(), &links.links).unwrap();
    assert_eq!(chain.approvers().manifest_set.len(), 2);
}

/// After Alice has approved, somebody exchanges the manifest under the same number.
#[test]
fn exchanged_manifest_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    let manifest = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&manifest, &[])]);
    folders.member(&world, 0, &world.pins(0));
    approve(&folders, 0).unwrap();
    let other = changed(&manifest, |fields| fields.measurements = measurements(9));
    fs::write(
        folders.shared().join("manifests/0001/manifest.cbor"),
        to_bytes(&other),
    )
    .unwrap();
    let refused = approve(&folders, 0);
    assert!(
        matches!(
            refused,
            Err(CeremonyError::Pin(PinError::Rollback(
                Rollback::SecondDigest { .. }
            )))
        ),
        "{refused:?}"
    );
}

#[test]
fn record_of_a_second_genesis_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    let second = World::new();
    let manifest = second.manifest(None, b"app");
    folders.publish(&second, &[second.link(&manifest, &[])]);
    folders.member(&world, 0, &world.pins(0));
    let refused = approve(&folders, 0);
    assert!(
        matches!(
            refused,
            Err(CeremonyError::Pin(PinError::SecondGenesis { .. }))
        ),
        "{refused:?}"
    );
}

#[test]
fn approving_before_the_receipt_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    let manifest = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&manifest, &[])]);
    folders.member(&world, 0, &Pins::new(name("alice")));
    assert_eq!(approve(&folders, 0), Err(StepError::NotConsented.into()));
    let mut pins = Pins::new(name("bob"));
    pins.pin_definition(&world.definition).unwrap();
    folders.member(&world, 1, &pins);
    assert_eq!(approve(&folders, 1), Err(StepError::NotReceived.into()));
}

#[test]
fn forged_approval_in_the_members_name_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    let manifest = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&manifest, &[])]);
    folders.member(&world, 0, &world.pins(0));
    let bobs = world.approval(&manifest, 1);
    folders
        .workspace()
        .publish_approval(1, &name("alice"), &bobs)
        .unwrap();
    let role = Some(Role::ManifestSet);
    assert_eq!(
        approve(&folders, 0),
        Err(StepError::SignedWrong {
            name: name("alice"),
            role
        }
        .into())
    );
}

#[test]
fn manifest_that_is_not_there_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    folders.member(&world, 0, &world.pins(0));
    let missing = |sequence| {
        let refused = review(&folders.shared(), &folders.private(0), sequence);
        refused.map(drop).err()
    };
    let expected = |sequence| Some(StepError::ManifestMissing { sequence }.into());
    assert_eq!(missing(None), expected(1));
    assert_eq!(missing(Some(3)), expected(3));
    assert_eq!(missing(Some(0)), expected(0));
}
