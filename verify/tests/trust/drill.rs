//! Drills: what a stranger accepts as one, and one defect at a time, each signed by the very key that an
//! honest enclave would sign with.

use quorate_protocol::atoms::{Sha256, UnixMillis};
use quorate_protocol::attested::{UserData, drill_extension, extended_once};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{Drill, DrillGiven, DrillGrant, DrillPossession, DrillRecordFields};
use quorate_protocol::genesis::CommitmentList;
use quorate_protocol::members::Role;
use quorate_sharing::ShareIndex;
use quorate_verify::attestation::{AttestationError, Freshness};
use quorate_verify::chain::{walk, walk_at};
use quorate_verify::drill::{
    DrillError, DrillField, MAX_DUE_MS, SharingFault, VerifiedDrill, verify_drill,
};
use quorate_verify::genesis::{GenesisError, VerifiedGenesis};
use quorate_verify::instance::{InstanceError, verify_drill_setup, verify_setup};

use super::surrogate::first_by_grace_until;
use super::world::*;

const ARCHIVED: Freshness<'_> = Freshness::Archived { at_unix: None };
const BEGUN: UnixMillis = UnixMillis(SIGNED_AT.0 - 1000);
const ENDED: UnixMillis = UnixMillis(SIGNED_AT.0 - 10);

/// A drill enclave of the newest manifest, and what its members gave.
struct Held<'a> {
    instance: Instance<'a>,
    /// Whose grants are there.
    places: Vec<u8>,
}

impl<'a> Held<'a> {
    /// The first three of five took part, which is the threshold.
    fn new(world: &'a World) -> Self {
        Self {
            instance: Instance::new(world),
            places: vec![1, 2, 3],
        }
    }

    fn paper(&self) -> Paper {
        let (genesis, manifest) = (self.instance.world.genesis(), self.instance.digest());
        let mut paper = self.instance.setup_paper();
        let data = drill_extension(&genesis, &manifest, &pair("setup"));
        paper.set(16, extended_once(&data));
        paper.remove(17);
        paper.remove(18);
        paper.user_data = to_bytes(&UserData::Drill(manifest));
        paper
    }

    fn possession(&self, place: u8) -> DrillPossession {
        DrillPossession {
            genesis: self.instance.world.genesis(),
            manifest: self.instance.digest(),
            epoch: self.instance.manifest().epoch,
            index: index(place),
            setup: pair("setup"),
            document: Sha256([7; 32]),
        }
    }

    /// What this member signs, both parts with their own keys.
    fn grant_of(&self, place: u8, possession: DrillPossession) -> DrillGrant {
        let key = self.instance.world.share_key(place);
        DrillGrant {
            role: Role::ShareSet,
            possession: Signed::sign(possession, &key),
            drill: self.instance.world.record.output.drill.commitments.epoch(),
            sealed: Some(Digest::of(&sealed_share(index(place)))),
            time: SIGNED_AT,
        }
    }

    fn signed(&self, place: u8, grant: DrillGrant) -> Signed<DrillGrant> {
        Signed::sign(grant, &signing(PEOPLE[usize::from(place) - 1]))
    }

    fn grant(&self, place: u8) -> Signed<DrillGrant> {
        self.signed(place, self.grant_of(place, self.possession(place)))
    }

    fn grants(&self) -> Vec<Signed<DrillGrant>> {
        self.places.iter().map(|place| self.grant(*place)).collect()
    }

    fn record(&self, grants: &[Signed<DrillGrant>]) -> DrillRecordFields {
        let given = grants.iter().map(|grant| DrillGiven {
            index: grant.unverified().possession.unverified().index,
            grant: grant.digest(),
            time: BEGUN,
        });
        DrillRecordFields {
            genesis: self.instance.world.genesis(),
            manifest: self.instance.digest(),
            epoch: self.instance.manifest().epoch,
            drill: self.instance.world.record.output.drill.commitments.epoch(),
            given: given.collect(),
            begun: BEGUN,
            time: ENDED,
            due: UnixMillis(ENDED.0 + MAX_DUE_MS),
        }
    }

    /// What the enclave answers that signs this record.
    fn answer(&self, record: DrillRecordFields, grants: Vec<Signed<DrillGrant>>) -> Drill {
        Drill {
            record: Signed::sign(Checked::new(record).unwrap(), &key("setup signs")),
            grants,
            document: self.paper().document(),
        }
    }

    /// The same of these grants, with a record that names them.
    fn with(&self, grants: Vec<Signed<DrillGrant>>) -> Drill {
        self.answer(self.record(&grants), grants)
    }

    fn verify(&self, drill: &Drill) -> Result<VerifiedDrill, DrillError> {
        self.verify_as(drill, &ARCHIVED)
    }

    fn verify_as(
        &self,
        drill: &Drill,
        freshness: &Freshness<'_>,
    ) -> Result<VerifiedDrill, DrillError> {
        let genesis = self.instance.world.verified();
        let links = &self.instance.chain;
        let chain = walk(&genesis, links).unwrap();
        verify_drill(&genesis, &chain, links, &anchors(), freshness, drill)
    }
}

#[test]
fn a_drill_of_the_threshold_is_accepted() {
    let world = World::new();
    let held = Held::new(&world);
    let verified = held.verify(&held.with(held.grants())).unwrap();
    let names = verified
        .participants
        .iter()
        .map(|one| one.holder.name.as_str());
    assert!(names.eq(["alice", "bob", "carol"]));
    assert!(verified.participants.iter().all(|one| one.gave_share));
    assert_eq!((verified.begun, verified.time), (BEGUN, ENDED));
    let absent = verified.absent(&held.instance.manifest().share_set);
    assert_eq!(absent, [index(4), index(5)]);
}

/// A chain that rests on a surrogate, whose time was over when the enclave attested or the drill began; an
/// instance likewise.
#[test]
fn an_enclave_started_after_a_surrogates_end_fails_closed() {
    let world = World::new();
    let genesis = world.verified();
    let of = |until: UnixMillis| {
        let mut held = Held::new(&world);
        held.instance.chain = vec![first_by_grace_until(&world, until)];
        let chain = walk_at(&genesis, &held.instance.chain, until).unwrap();
        (held, chain)
    };
    let ended = |until, at| InstanceError::SurrogatesEnded { until, at };
    let just = UnixMillis(SIGNED_AT.0 - 1);
    for (until, refused) in [(SIGNED_AT, None), (just, Some(ended(just, SIGNED_AT)))] {
        let (held, chain) = of(until);
        let (drill, setup) = (held.paper().bytes(), held.instance.setup_paper().bytes());
        let given = verify_drill_setup(&drill, &genesis, &chain, &anchors(), &ARCHIVED);
        assert_eq!(given.err(), refused);
        let given = verify_setup(&setup, &genesis, &chain, &anchors(), &ARCHIVED);
        assert_eq!(given.err(), refused);
    }
    let before = UnixMillis(BEGUN.0 - 1);
    for (until, refused) in [(BEGUN, None), (before, Some(ended(before, BEGUN)))] {
        let (held, chain) = of(until);
        let (links, drill) = (&held.instance.chain, held.with(held.grants()));
        let given = verify_drill(&genesis, &chain, links, &anchors(), &ARCHIVED, &drill);
        assert_eq!(given.err(), refused.map(DrillError::Instance));
    }
}

/// What is wrong with something.
type Change<T> = fn(&mut T);

#[test]
fn a_record_that_says_something_else_fails_closed() {
    let world = World::new();
    let held = Held::new(&world);
    let grants = held.grants();
    let cases: [(DrillField, Change<DrillRecordFields>); 12] = [
        (DrillField::Genesis, |r| {
            r.genesis = Digest::from_bytes([1; 32])
        }),
        (DrillField::Manifest, |r| {
            r.manifest = Digest::from_bytes([1; 32])
        }),
        (DrillField::Epoch, |r| r.epoch = Digest::from_bytes([1; 32])),
        // The real shares in the place of the drill's.
        (DrillField::Drill, |r| r.drill = r.epoch),
        (DrillField::Grants, |r| r.given.truncate(2)),
        (DrillField::Grants, |r| r.given[0].grant = r.given[1].grant),
        (DrillField::Grants, |r| r.given[2].index = index(4)),
        (DrillField::Time, |r| r.time.0 = r.begun.0 - 1),
        (DrillField::Time, |r| r.given[1].time.0 = r.begun.0 - 1),
        (DrillField::Time, |r| r.given[1].time.0 = r.time.0 + 1),
        (DrillField::Due, |r| r.due = r.time),
        (DrillField::Due, |r| r.due.0 += 1),
    ];
    for (field, change) in cases {
        let mut record = held.record(&grants);
        change(&mut record);
        let refused = held.verify(&held.answer(record, grants.clone()));
        assert_eq!(refused, Err(DrillError::Differs { field }), "{field}");
    }
}

/// A host leaves a member out, puts them in another order, or repeats one.
#[test]
fn grants_that_the_record_does_not_name_fail_closed() {
    let world = World::new();
    let held = Held::new(&world);
    let grants = held.grants();
    let field = DrillField::Grants;
    let mut turned = grants.clone();
    turned.swap(0, 1);
    let mut repeated = grants.clone();
    repeated.push(grants[0].clone());
    for altered in [grants[..2].to_vec(), turned, repeated, Vec::new()] {
        let drill = held.answer(held.record(&grants), altered);
        assert_eq!(held.verify(&drill), Err(DrillError::Differs { field }));
    }
}

#[test]
fn a_record_that_another_key_signed_fails_closed() {
    let world = World::new();
    let held = Held::new(&world);
    let grants = held.grants();
    let honest = held.with(grants.clone());
    for signer in ["live signs", "somebody"] {
        let record = Checked::new(held.record(&grants)).unwrap();
        let drill = Drill {
            record: Signed::sign(record, &key(signer)),
            ..honest.clone()
        };
        assert_eq!(held.verify(&drill), Err(DrillError::RecordSignature));
    }
}

#[test]
fn grants_for_something_else_fail_closed() {
    let world = World::new();
    let held = Held::new(&world);
    let place = 2;
    let refused = |grant: DrillGrant| {
        let mut grants = held.grants();
        grants[1] = held.signed(place, grant);
        held.verify(&held.with(grants)).unwrap_err()
    };
    let cases: [(DrillField, Change<DrillPossession>); 4] = [
        (DrillField::Genesis, |p| {
            p.genesis = Digest::from_bytes([1; 32])
        }),
        (DrillField::Manifest, |p| {
            p.manifest = Digest::from_bytes([1; 32])
        }),
        // A proof for another enclave, repeated here.
        (DrillField::Enclave, |p| p.setup = pair("live")),
        (DrillField::Epoch, |p| p.epoch = Digest::from_bytes([1; 32])),
    ];
    let index = index(place);
    for (field, change) in cases {
        let mut possession = held.possession(place);
        change(&mut possession);
        let expected = DrillError::GrantForAnother { index, field };
        assert_eq!(refused(held.grant_of(place, possession)), expected);
    }
    let mut grant = held.grant_of(place, held.possession(place));
    grant.drill = held.instance.manifest().epoch;
    let field = DrillField::Drill;
    assert_eq!(refused(grant), DrillError::GrantForAnother { index, field });
    // A share that is not the member's, and the drill share in the place of the real one.
    let (_, drill_shares) = drill_sharing(&held.instance.manifest().share_set);
    for key in [world.share_key(3), drill_shares[1].signing_key()] {
        let mut grant = held.grant_of(place, held.possession(place));
        grant.possession = Signed::sign(held.possession(place), &key);
        assert_eq!(refused(grant), DrillError::Possession { index });
    }
}

#[test]
fn grants_of_strangers_and_forged_ones_fail_closed() {
    let world = World::new();
    let held = Held::new(&world);
    let stranger = ShareIndex::new(9).unwrap();
    let mut possession = held.possession(3);
    possession.index = stranger;
    let mut grants = held.grants();
    grants[2] = held.signed(3, held.grant_of(3, possession));
    let expected = DrillError::GrantOfStranger { index: stranger };
    assert_eq!(held.verify(&held.with(grants)), Err(expected));
    // Somebody else signed it.
    let mut grants = held.grants();
    grants[2] = held.signed(4, held.grant_of(3, held.possession(3)));
    let expected = DrillError::GrantSignature { index: index(3) };
    assert_eq!(held.verify(&held.with(grants)), Err(expected));
}

/// Who only proves counts among those who took part, and not among the shares.
#[test]
fn fewer_drill_shares_than_the_threshold_fail_closed() {
    let world = World::new();
    let mut held = Held::new(&world);
    held.places = vec![1, 2, 3, 4];
    let without = |bare: &[usize]| {
        let mut grants = held.grants();
        for at in bare {
            let mut grant = grants[*at].unverified().clone();
            grant.sealed = None;
            grants[*at] = held.signed(held.places[*at], grant);
        }
        held.verify(&held.with(grants))
    };
    let verified = without(&[1]).unwrap();
    assert_eq!(verified.participants.len(), 4);
    let expected = DrillError::SharesMissing { need: 3, have: 2 };
    assert_eq!(without(&[1, 3]), Err(expected));
}

#[test]
fn a_document_that_is_not_of_this_drill_fails_closed() {
    let world = World::new();
    let held = Held::new(&world);
    let honest = held.with(held.grants());
    let of = |paper: Paper| Drill {
        document: paper.document(),
        ..honest.clone()
    };
    // An instance's, with the very keys.
    let instance = held.instance.setup_paper();
    let refused = held.verify(&of(instance)).unwrap_err();
    assert_eq!(refused, DrillError::Instance(InstanceError::NotForDrill));
    // One that says so and whose register does not, or was extended otherwise.
    let mut unregistered = held.paper();
    let (genesis, manifest) = (world.genesis(), held.instance.digest());
    let other = drill_extension(&genesis, &manifest, &pair("live"));
    unregistered.set(16, extended_once(&other));
    // One that names another manifest than its register.
    let mut other_manifest = held.paper();
    other_manifest.user_data = to_bytes(&UserData::Drill(Digest::from_bytes([1; 32])));
    for paper in [unregistered, other_manifest] {
        let refused = held.verify(&of(paper));
        assert!(
            matches!(refused, Err(DrillError::Instance(_))),
            "{refused:?}"
        );
    }
    // An old one, to somebody who asked for it now.
    let live = Freshness::Live {
        nonce: &[9; 32],
        now_unix: SIGNED_AT.0 / 1000,
        max_age: core::time::Duration::from_secs(60),
    };
    let stale = InstanceError::Attestation(AttestationError::NonceMismatch);
    let refused = held.verify_as(&honest, &live).unwrap_err();
    assert_eq!(refused, DrillError::Instance(stale));
}

/// A drill scalar that is the key's, or is shared otherwise than the key, is no genesis.
#[test]
fn a_drill_sharing_that_does_not_go_with_the_real_one_fails_closed() {
    let cases: [(SharingFault, Change<World>); 3] = [
        (SharingFault::Threshold, |world| {
            let set = set(2, &PEOPLE);
            world.set_output(|output| output.drill = drill_sharing(&set).0);
        }),
        (SharingFault::Members, |world| {
            world.set_output(|output| drop(output.drill.shares.pop()));
        }),
        (SharingFault::Commitments, |world| {
            world.set_output(|output| {
                let real: CommitmentList = output.commitments.clone();
                output.drill.commitments = real;
            });
        }),
    ];
    for (fault, change) in cases {
        let mut world = World::new();
        change(&mut world);
        let refused = VerifiedGenesis::from_record(world.record).unwrap_err();
        assert_eq!(refused, GenesisError::DrillSharing(fault), "{fault}");
    }
}
