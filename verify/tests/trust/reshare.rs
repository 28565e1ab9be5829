//! Resharing: an order of both sets, a record of the instance, receipts of the new holders, and the
//! manifest that names the new shares. One defect at a time.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{CommitmentList, MemberShare, Possession};
use quorate_protocol::instance::Purpose;
use quorate_protocol::manifest::{Link, ManifestFields};
use quorate_protocol::members::Role::{ManifestSet, ShareSet};
use quorate_protocol::members::{MemberSet, MemberSetFields, Role};
use quorate_protocol::reshare::{
    CompletedReshare, Reshare, ReshareConsent, ReshareOrder, ReshareReceipt, ReshareRecordFields,
};
use quorate_sharing::{Commitments, Secret, Share, ShareIndex, reshare};
use quorate_verify::chain::{ApprovingSet, ChainError, check_successor, walk};
use quorate_verify::reshare::{ReshareError, ReshareField, ResharePart, check_receipt};

use crate::world::{
    Instance, MANIFEST_SET, SIGNED_AT, Vote, World, approved, check, drill_sharing, index, member,
    name, pair, sealed_share, signing,
};

/// Three of the share set, as many as its threshold.
pub(crate) const HOLDERS: [Vote; 3] = [
    (ShareSet, "alice", 1),
    (ShareSet, "dave", 4),
    (ShareSet, "erin", 5),
];
const CONSENTS: [Vote; 5] = [
    (ManifestSet, "alice", 1),
    (ManifestSet, "carol", 3),
    (ShareSet, "alice", 1),
    (ShareSet, "dave", 4),
    (ShareSet, "erin", 5),
];
/// Who holds the new shares: two of four, Frank being new, Bob and Carol gone.
const NEXT: [(&str, u8); 4] = [("alice", 1), ("dave", 4), ("erin", 5), ("frank", 6)];

fn next_set(threshold: u8, people: &[(&str, u8)]) -> MemberSet {
    let members = people.iter().map(|(person, place)| member(person, *place));
    Checked::new(MemberSetFields {
        threshold,
        members: members.collect(),
    })
    .unwrap()
}

/// A resharing in the making: every part can be changed before the next one is made of it.
pub(crate) struct Making<'a> {
    pub(crate) instance: Instance<'a>,
    pub(crate) order: ReshareOrder,
    pub(crate) consents: Vec<Vote>,
    pub(crate) commitments: CommitmentList,
    pub(crate) shares: Vec<Share>,
}

impl<'a> Making<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self::with(world, next_set(2, &NEXT), &world.secret)
    }

    fn with(world: &'a World, set: MemberSet, secret: &Secret) -> Self {
        let instance = Instance {
            world,
            chain: world.chain(2),
        };
        let order = ReshareOrder {
            genesis: world.genesis(),
            manifest: instance.digest(),
            live: pair("live"),
            epoch: instance.manifest().epoch,
            share_set: set,
            nonce: Bytes::new(vec![5; 32]).unwrap(),
            expires: SIGNED_AT,
        };
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let set = &order.share_set;
        let (commitments, shares) =
            quorate_sharing::split(secret, set.threshold, &set.indices(), &mut rng).unwrap();
        Self {
            instance,
            consents: CONSENTS.to_vec(),
            commitments: commitments.into(),
            shares,
            order,
        }
    }

    fn consent(&self, (role, person, place): Vote) -> Signed<ReshareConsent> {
        let consent = ReshareConsent {
            role,
            genesis: self.order.genesis,
            order: Digest::of(&self.order),
            index: index(place),
            time: SIGNED_AT,
        };
        Signed::sign(consent, &signing(person))
    }

    fn record(&self) -> ReshareRecordFields {
        let indices = self.order.share_set.indices().into_iter();
        ReshareRecordFields {
            genesis: self.order.genesis,
            order: Digest::of(&self.order),
            commitments: self.commitments.clone(),
            shares: indices
                .map(|index| MemberShare {
                    index,
                    sealed: sealed_share(index),
                })
                .collect(),
            time: UnixMillis(SIGNED_AT.0 - 1000),
            drill: drill_sharing(&self.order.share_set).0,
        }
    }

    fn with_record(&self, record: ReshareRecordFields) -> Reshare {
        let instance = &self.instance;
        let key = instance.ring_key("init", Purpose::Instance);
        Reshare {
            order: self.order.clone(),
            consents: self
                .consents
                .iter()
                .map(|vote| self.consent(*vote))
                .collect(),
            record: Signed::sign(Checked::new(record).unwrap(), &key),
            ring: instance.signed_ring(instance.ring()),
            certificate: instance.signed_certificate(instance.certificate()),
        }
    }

    pub(crate) fn reshare(&self) -> Reshare {
        self.with_record(self.record())
    }

    fn claim(&self, reshare: &Reshare, share: &Share) -> ReshareReceipt {
        let record = reshare.record.unverified();
        let epoch = record.commitments.epoch();
        let possession = Possession {
            genesis: record.genesis,
            epoch,
            index: share.index(),
        };
        ReshareReceipt {
            genesis: record.genesis,
            record: reshare.record.digest(),
            epoch,
            index: share.index(),
            time: SIGNED_AT,
            possession: Signed::sign(possession, &share.signing_key()),
        }
    }

    fn receipt(&self, reshare: &Reshare, position: usize) -> Signed<ReshareReceipt> {
        let person = &self.order.share_set.members[position].name;
        let claim = self.claim(reshare, &self.shares[position]);
        Signed::sign(claim, &signing(person.as_str()))
    }

    pub(crate) fn completed(&self, reshare: Reshare) -> CompletedReshare {
        let receipts = [1, 3].map(|position| self.receipt(&reshare, position));
        CompletedReshare {
            receipts: receipts.to_vec(),
            reshare,
        }
    }

    /// The manifest that names the new shares.
    pub(crate) fn fields(&self) -> ManifestFields {
        let mut fields = World::after(self.instance.manifest());
        fields.commitments = self.commitments.clone();
        fields.epoch = fields.commitments.epoch();
        fields.share_set = self.order.share_set.clone();
        fields
    }

    /// The chain up to it, with what is beside it.
    pub(crate) fn chain(&self, completed: Option<CompletedReshare>) -> Vec<Link> {
        self.chain_of(
            self.fields(),
            completed,
            &[&MANIFEST_SET[..], &HOLDERS].concat(),
        )
    }

    pub(crate) fn chain_of(
        &self,
        fields: ManifestFields,
        completed: Option<CompletedReshare>,
        votes: &[Vote],
    ) -> Vec<Link> {
        let mut chain = self.instance.chain.clone();
        chain.push(Link {
            reshare: completed.map(Box::new),
            ..approved(check(fields), votes)
        });
        chain
    }

    fn refusal(&self, completed: CompletedReshare) -> ReshareError {
        match walk(
            &self.instance.world.verified(),
            &self.chain(Some(completed)),
        ) {
            Err(ChainError::Reshare { sequence: 3, error }) => error,
            other => panic!("{other:?}"),
        }
    }

    fn refused(&self, reshare: Reshare) -> ReshareError {
        self.refusal(self.completed(reshare))
    }
}

/// The refusal of an honest resharing in which one thing was changed from the start.
fn refused(change: impl FnOnce(&mut Making<'_>)) -> ReshareError {
    let world = World::new();
    let mut making = Making::new(&world);
    change(&mut making);
    making.refused(making.reshare())
}

/// The refusal of a record that the instance would not have signed.
fn refused_record(change: impl FnOnce(&mut ReshareRecordFields)) -> ReshareError {
    let world = World::new();
    let making = Making::new(&world);
    let mut record = making.record();
    change(&mut record);
    making.refused(making.with_record(record))
}

const fn differs(part: ResharePart, field: ReshareField) -> ReshareError {
    ReshareError::Differs { part, field }
}

#[test]
fn a_manifest_takes_the_shares_of_a_completed_resharing() {
    let world = World::new();
    let making = Making::new(&world);
    let chain = making.chain(Some(making.completed(making.reshare())));
    let verified = walk(&world.verified(), &chain).unwrap();
    let successor = &verified.links()[2].successor;
    assert!(successor.changes_share_set && successor.needs_share_set());
    let completion = successor.reshare.as_ref().unwrap();
    assert_eq!(completion.reshare.epoch, making.commitments.epoch());
    assert_eq!(completion.reshare.before, chain[1].manifest.epoch);
    let names = |approvers: &[quorate_verify::chain::Approver]| {
        let names = approvers.iter().map(|approver| approver.name.to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&completion.holders), ["dave", "frank"]);
    let consenters = &completion.reshare.consenters;
    assert_eq!(names(&consenters.manifest_set), ["alice", "carol"]);
    assert_eq!(names(&consenters.share_set), ["alice", "dave", "erin"]);
    assert_eq!(verified.manifest().quorum_key, chain[0].manifest.quorum_key);

    // The shares stay until the next resharing; the holders of today approve from here on.
    let mut next = World::after(verified.manifest());
    next.last_set_change = Some(verified.digest());
    let successor = check_successor(&world.verified(), &chain, &check(next.clone()), None);
    let successor = successor.unwrap();
    assert!(!successor.needs_share_set() && successor.reshare.is_none());
    let mut back = next;
    back.commitments = chain[1].manifest.commitments.clone();
    back.epoch = chain[1].manifest.epoch;
    back.share_set = chain[1].manifest.share_set.clone();
    let error = check_successor(&world.verified(), &chain, &check(back), None).unwrap_err();
    assert_eq!(error, ChainError::EpochChanged { sequence: 4 });
}

/// New shares for the same people are a resharing too.
#[test]
fn the_same_people_can_get_new_shares() {
    let world = World::new();
    let set = world.chain(1)[0].manifest.share_set.clone();
    let making = Making::with(&world, set, &world.secret);
    let reshare = making.reshare();
    let completed = CompletedReshare {
        receipts: [0, 2, 4].map(|at| making.receipt(&reshare, at)).to_vec(),
        reshare,
    };
    let chain = making.chain(Some(completed.clone()));
    let verified = walk(&world.verified(), &chain).unwrap();
    let successor = &verified.links()[2].successor;
    assert!(!successor.changes_share_set && successor.needs_share_set());
    // Without the present holders it is not approved.
    let chain = making.chain_of(making.fields(), Some(completed), &MANIFEST_SET);
    match walk(&world.verified(), &chain) {
        Err(ChainError::Threshold {
            sequence: 3,
            set: ApprovingSet::ShareSet,
            have: 0,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn new_shares_without_a_resharing_fail_closed() {
    let world = World::new();
    let making = Making::new(&world);
    let error = walk(&world.verified(), &making.chain(None)).unwrap_err();
    assert_eq!(error, ChainError::EpochChanged { sequence: 3 });
    // Other holders of the old shares: somebody more, somebody less, another index.
    let all = [&MANIFEST_SET[..], &HOLDERS].concat();
    let everybody = [
        ("alice", 1),
        ("bob", 2),
        ("carol", 3),
        ("dave", 4),
        ("erin", 5),
    ];
    let mut more = everybody.to_vec();
    more.push(("frank", 6));
    let mut moved = everybody.to_vec();
    moved[4].1 = 7;
    let mut replaced = everybody.to_vec();
    replaced[4].0 = "frank";
    for people in [&more[..], &everybody[..4], &moved, &replaced] {
        let mut fields = World::after(making.instance.manifest());
        fields.share_set = next_set(3, people);
        let chain = making.chain_of(fields, None, &all);
        let error = walk(&world.verified(), &chain).unwrap_err();
        assert_eq!(
            error,
            ChainError::ShareSetChanged { sequence: 3 },
            "{people:?}"
        );
    }
}

#[test]
fn another_resharing_than_the_manifest_names_fails_closed() {
    let world = World::new();
    let making = Making::new(&world);
    let completed = making.completed(making.reshare());
    let all = [&MANIFEST_SET[..], &HOLDERS].concat();
    let of_another = ChainError::ReshareOfAnother { sequence: 3 };
    // Old shares and holders beside a resharing; other holders than those of the order.
    let stays = World::after(making.instance.manifest());
    let mut others = making.fields();
    others.share_set = next_set(2, &NEXT[..3]);
    for fields in [stays, others] {
        let chain = making.chain_of(fields, Some(completed.clone()), &all);
        let error = walk(&world.verified(), &chain).unwrap_err();
        assert_eq!(error, of_another);
    }
    // Under a manifest that another one followed meanwhile.
    let mut chain = making.instance.chain.clone();
    let between = World::after(making.instance.manifest());
    chain.push(approved(check(between), &MANIFEST_SET));
    let mut late = making.fields();
    late.sequence = 4;
    late.previous = Some(Digest::of(&chain[2].manifest));
    chain.push(Link {
        reshare: Some(Box::new(completed.clone())),
        ..approved(check(late), &all)
    });
    match walk(&world.verified(), &chain) {
        Err(ChainError::Reshare { sequence: 4, error }) => {
            assert_eq!(error, differs(ResharePart::Order, ReshareField::Manifest));
        }
        other => panic!("{other:?}"),
    }
    // Beside the first manifest.
    let first = Link {
        reshare: Some(Box::new(completed)),
        ..world.chain(1)[0].clone()
    };
    let error = walk(&world.verified(), &[first]).unwrap_err();
    assert_eq!(error, ChainError::ReshareFirst { sequence: 1 });
}

#[test]
fn another_quorum_key_fails_closed() {
    let world = World::new();
    let other = World::other();
    let set = next_set(2, &NEXT);
    let making = Making::with(&world, set, &other.secret);
    // The instance would have to sign a record of another key.
    let mut fields = making.fields();
    fields.quorum_key = making.commitments.quorum_key().unwrap();
    let completed = making.completed(making.reshare());
    let all = [&MANIFEST_SET[..], &HOLDERS].concat();
    let chain = making.chain_of(fields, Some(completed.clone()), &all);
    let error = walk(&world.verified(), &chain).unwrap_err();
    assert_eq!(error, ChainError::QuorumKeyChanged { sequence: 3 });
    // Nor does the record alone pass, whatever the manifest says.
    let manifest = making.instance.manifest();
    let error = quorate_verify::reshare::verify_completed(&world.verified(), manifest, &completed);
    assert_eq!(
        error.unwrap_err(),
        differs(ResharePart::Record, ReshareField::QuorumKey)
    );
}

#[test]
fn orders_for_something_else_fail_closed() {
    let other = World::other().genesis();
    let order = |field| differs(ResharePart::Order, field);
    assert_eq!(
        refused(|making| making.order.genesis = other),
        order(ReshareField::Genesis)
    );
    assert_eq!(
        refused(|making| making.order.manifest = Digest::from_bytes([7; 32])),
        order(ReshareField::Manifest)
    );
    assert_eq!(
        refused(|making| making.order.epoch = Digest::from_bytes([7; 32])),
        order(ReshareField::Epoch)
    );
    assert_eq!(
        refused(|making| making.order.live = pair("setup")),
        differs(ResharePart::Certificate, ReshareField::LiveKeys)
    );
}

/// What a consent in this role, by this member, is refused with.
type Refusal = fn(Role, ShareIndex) -> ReshareError;

#[test]
fn consents_that_are_missing_or_false_fail_closed() {
    for (role, need, kept, missing) in [
        (ManifestSet, 2, 1, vec![2, 3]),
        (ShareSet, 3, 2, vec![2, 3, 5]),
    ] {
        let error = refused(|making| {
            let mut left = kept;
            making.consents.retain(|vote| {
                let keep = vote.0 != role || left > 0;
                left -= usize::from(vote.0 == role && left > 0);
                keep
            });
        });
        let expected = ReshareError::ConsentsMissing {
            role,
            need,
            have: kept,
            missing: missing.into_iter().map(index).collect(),
        };
        assert_eq!(error, expected);
    }
    let cases: [(Vote, Refusal); 3] = [
        ((ManifestSet, "dave", 4), |role, index| {
            ReshareError::ConsentOfStranger { role, index }
        }),
        ((ShareSet, "frank", 2), |role, index| {
            ReshareError::ConsentSignature { role, index }
        }),
        ((ManifestSet, "alice", 1), |role, index| {
            ReshareError::ConsentRepeated { role, index }
        }),
    ];
    for (vote, error) in cases {
        let found = refused(|making| making.consents.push(vote));
        assert_eq!(found, error(vote.0, index(vote.2)));
    }
    let world = World::new();
    let making = Making::new(&world);
    let mut reshare = making.reshare();
    let mut other = Making::new(&world);
    other.order.expires = UnixMillis(SIGNED_AT.0 + 1);
    reshare.consents[0] = other.consent(CONSENTS[0]);
    let (role, index) = (ManifestSet, index(1));
    assert_eq!(
        making.refused(reshare),
        ReshareError::ConsentOfAnother { role, index }
    );
    // A signature that Alice gave for one set, shown for the other.
    let mut reshare = making.reshare();
    let given = &reshare.consents[2];
    let turned = ReshareConsent {
        role: ManifestSet,
        ..given.unverified().clone()
    };
    let forged = Signed::from_parts(turned, &given.signature()).unwrap();
    reshare.consents[0] = forged;
    assert_eq!(
        making.refused(reshare),
        ReshareError::ConsentSignature { role, index }
    );
}

#[test]
fn records_that_no_instance_made_fail_closed() {
    let record = |field| differs(ResharePart::Record, field);
    let other = World::other().genesis();
    assert_eq!(
        refused_record(|fields| fields.genesis = other),
        record(ReshareField::Genesis)
    );
    assert_eq!(
        refused_record(|fields| fields.order = Digest::from_bytes([7; 32])),
        record(ReshareField::Order)
    );
    assert_eq!(
        refused_record(|fields| drop(fields.shares.pop())),
        record(ReshareField::Members)
    );
    assert_eq!(
        refused_record(|fields| fields.shares[3].index = index(7)),
        record(ReshareField::Members)
    );
    assert_eq!(
        refused_record(|fields| fields.time = UnixMillis(SIGNED_AT.0 + 1)),
        record(ReshareField::Time)
    );
    let world = World::new();
    let making = Making::new(&world);
    for (part, change) in [
        (
            ResharePart::Record,
            (|reshare, key| {
                let record = reshare.record.unverified().clone();
                reshare.record = Signed::sign(record, key);
            }) as fn(&mut Reshare, &p256::ecdsa::SigningKey),
        ),
        (ResharePart::Ring, |reshare, key| {
            let ring = reshare.ring.unverified().clone();
            reshare.ring = Signed::sign(ring, key);
        }),
        (ResharePart::Certificate, |reshare, key| {
            let certificate = reshare.certificate.unverified().clone();
            reshare.certificate = Signed::sign(certificate, key);
        }),
    ] {
        let mut reshare = making.reshare();
        change(&mut reshare, &signing("mallory"));
        assert_eq!(making.refused(reshare), ReshareError::Signature { part });
    }
}

/// A threshold other than the order's, and the old shares once more.
#[test]
fn commitments_that_are_not_those_of_the_order_fail_closed() {
    let world = World::new();
    let making = Making::new(&world);
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let indices = making.order.share_set.indices();
    let old: &Commitments = world.record.output.commitments.inner();
    let (three, _) = reshare(&world.secret, old, 3, &indices, &mut rng).unwrap();
    let verify = |commitments: CommitmentList| {
        let mut record = making.record();
        record.commitments = commitments;
        let completed = making.completed(making.with_record(record));
        let running = making.instance.manifest();
        quorate_verify::reshare::verify_completed(&world.verified(), running, &completed)
            .unwrap_err()
    };
    let part = ResharePart::Record;
    assert_eq!(verify(three.into()), differs(part, ReshareField::Threshold));
    let same = Making::with(
        &world,
        world.chain(1)[0].manifest.share_set.clone(),
        &world.secret,
    );
    let mut record = same.record();
    record.commitments = world.record.output.commitments.clone();
    let completed = same.completed(same.with_record(record));
    let error = quorate_verify::reshare::verify_completed(
        &world.verified(),
        same.instance.manifest(),
        &completed,
    );
    assert_eq!(error.unwrap_err(), differs(part, ReshareField::Epoch));
}

#[test]
fn receipts_that_are_missing_or_false_fail_closed() {
    let world = World::new();
    let making = Making::new(&world);
    let reshare = making.reshare();
    let receipt = |at| making.receipt(&reshare, at);
    let refused = |receipts: Vec<Signed<ReshareReceipt>>| {
        let reshare = reshare.clone();
        making.refusal(CompletedReshare { reshare, receipts })
    };
    let missing = |have, missing: &[u8]| ReshareError::ReceiptsMissing {
        need: 2,
        have,
        missing: missing.iter().copied().map(index).collect(),
    };
    assert_eq!(refused(Vec::new()), missing(0, &[1, 4, 5, 6]));
    assert_eq!(refused(vec![receipt(3)]), missing(1, &[1, 4, 5]));
    for (receipts, at) in [([receipt(3), receipt(3)], 6), ([receipt(3), receipt(0)], 1)] {
        let index = index(at);
        assert_eq!(
            refused(receipts.to_vec()),
            ReshareError::ReceiptOrder { index }
        );
    }
    let with = |last: Signed<ReshareReceipt>| refused(vec![receipt(0), receipt(1), last]);
    let six = index(6);
    let mut claim = making.claim(&reshare, &making.shares[3]);
    let by_another = Signed::sign(claim.clone(), &signing("mallory"));
    assert_eq!(
        with(by_another),
        ReshareError::ReceiptSignature { index: six }
    );
    claim.record = Digest::from_bytes([7; 32]);
    let of_another = Signed::sign(claim, &signing("frank"));
    assert_eq!(
        with(of_another),
        ReshareError::ReceiptOfAnother { index: six }
    );
    // Frank signs with his key, and another's share proves possession of his index.
    let mut claim = making.claim(&reshare, &making.shares[3]);
    let subject = claim.possession.unverified().clone();
    claim.possession = Signed::sign(subject, &making.shares[0].signing_key());
    assert_eq!(
        with(Signed::sign(claim, &signing("frank"))),
        ReshareError::Possession { index: six }
    );
    // The share of the genesis is none of the new ones.
    let mut claim = making.claim(&reshare, &making.shares[1]);
    let subject = claim.possession.unverified().clone();
    claim.possession = Signed::sign(subject, &world.share_key(4));
    let old = Signed::sign(claim, &signing("dave"));
    let four = index(4);
    assert_eq!(
        check_receipt(&reshare, &old),
        Err(ReshareError::Possession { index: four })
    );
    // Bob has a share of the old set and none of the new.
    let mut claim = making.claim(&reshare, &making.shares[3]);
    claim.index = index(2);
    let bob = Signed::sign(claim, &signing("bob"));
    let index = index(2);
    assert_eq!(with(bob), ReshareError::ReceiptOfStranger { index });
}

/// The member that a code or remedy is about is in the text, and none is empty.
#[test]
fn every_error_says_what_to_do() {
    let index = index(9);
    let role = ShareSet;
    let missing = vec![index];
    let (need, have) = (2, 1);
    let errors = [
        ReshareError::ConsentOfAnother { role, index },
        ReshareError::ConsentOfStranger { role, index },
        ReshareError::ConsentRepeated { role, index },
        ReshareError::ConsentSignature { role, index },
        ReshareError::ConsentsMissing {
            role,
            need,
            have,
            missing: missing.clone(),
        },
        differs(ResharePart::Ring, ReshareField::Genesis),
        ReshareError::Possession { index },
        ReshareError::ReceiptOfAnother { index },
        ReshareError::ReceiptOfStranger { index },
        ReshareError::ReceiptOrder { index },
        ReshareError::ReceiptSignature { index },
        ReshareError::ReceiptsMissing {
            need,
            have,
            missing,
        },
        ReshareError::Signature {
            part: ResharePart::Record,
        },
    ];
    let codes: std::collections::BTreeSet<_> = errors.iter().map(ReshareError::code).collect();
    assert_eq!(codes.len(), errors.len());
    for error in errors {
        assert!(!error.remedy().is_empty() && error.code().starts_with("reshare-"));
        assert!(name("alice").as_str() != error.to_string());
    }
}
