//! Samples of a resharing: the instance of the small namespace's third manifest shares the secret
//! anew, three of four; a fourth manifest names the new shares.

use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::reshare_drill_share_context;
use quorate_protocol::genesis::{Epoch, MemberShare, Possession};
use quorate_protocol::instance::Purpose;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::message::{Fault, Reason, Refusal, Request, Response};
use quorate_protocol::reshare::{
    CompletedReshare, Reshare, ReshareChallenge, ReshareConsent, ReshareOrder, ReshareReceipt,
    ReshareRecord, ReshareRecordFields, ReshareRequest, ShareDestroyed, reshare_share_context,
};
use quorate_sharing::{Share, reshare};

use super::{Sample, Set, plain, signed};
use crate::keys::{generator, pair, scalar, signing, verification};
use crate::sealing::{drill_sharing, sealed_share};
use crate::world::{World, bytes, index, set, text, time};

const NEW_SET: Set<'_> = (
    3,
    &[("alice", 1), ("erin", 2), ("frank", 7), ("carol", 200)],
);

/// Everything that one resharing is made of.
pub(crate) struct Resharing {
    pub(crate) completed: CompletedReshare,
    possession: Signed<Possession>,
    link: Link,
    destroyed: Signed<ShareDestroyed>,
}

impl Resharing {
    /// The resharing of a world whose first manifests are `chain`.
    pub(crate) fn of(world: &World, chain: &[Link]) -> Self {
        let running = &chain.last().expect("a manifest").manifest;
        let order = ReshareOrder {
            genesis: world.genesis,
            manifest: Digest::of(running),
            live: pair("live"),
            epoch: world.epoch(),
            share_set: set(NEW_SET),
            nonce: bytes(&scalar("reshare nonce")),
            expires: time(7 * 86_400),
        };
        let named = Digest::of(&order);
        let consent = |person: &str, role: Role, at: u8| {
            let consent = ReshareConsent {
                role,
                genesis: world.genesis,
                order: named,
                index: index(at),
                time: time(900 + u64::from(at)),
            };
            Signed::sign(consent, &signing(&format!("{person} signing")))
        };
        let consents = vec![
            consent("alice", Role::ManifestSet, 1),
            consent("dave", Role::ManifestSet, 3),
            consent("alice", Role::ShareSet, 1),
            consent("bob", Role::ShareSet, 2),
        ];
        let mut rng = generator("reshare");
        let threshold = order.share_set.threshold;
        let indices = order.share_set.indices();
        let (commitments, shares) = reshare(
            &world.secret,
            world.commitments.inner(),
            threshold,
            &indices,
            &mut rng,
        )
        .expect("a sharing");
        let (commitments, epoch) = {
            let list = quorate_protocol::genesis::CommitmentList::from(commitments);
            let epoch = list.epoch();
            (list, epoch)
        };
        let members = shares.iter().zip(&order.share_set.members);
        let sealed = members.map(|(share, member)| {
            let context = reshare_share_context(&named, share.index(), &epoch);
            MemberShare {
                index: share.index(),
                sealed: sealed_share(&mut rng, &member.encryption_key, &context, share),
            }
        });
        let sealed = sealed.collect();
        let context = |index, epoch: &Epoch| reshare_drill_share_context(&named, index, epoch);
        let (drill, _) = drill_sharing("reshare", &order.share_set, context);
        let record: ReshareRecord = Checked::new(ReshareRecordFields {
            genesis: world.genesis,
            order: named,
            commitments: commitments.clone(),
            shares: sealed,
            time: time(1000),
            drill,
        })
        .expect("ascending");
        let instance = world.derived("init", Purpose::Instance).signing_key();
        let record = Signed::sign(record, &instance);
        let possession = |share: &Share| {
            let possession = Possession {
                genesis: world.genesis,
                epoch,
                index: share.index(),
            };
            Signed::sign(possession, &share.signing_key())
        };
        let receipts = shares.iter().zip(&order.share_set.members).take(3);
        let receipts = receipts.map(|(share, member)| {
            let receipt = ReshareReceipt {
                genesis: world.genesis,
                record: record.digest(),
                epoch,
                index: share.index(),
                time: time(1100 + u64::from(share.index().get())),
                possession: possession(share),
            };
            Signed::sign(receipt, &signing(&format!("{} signing", member.name)))
        });
        let completed = CompletedReshare {
            receipts: receipts.collect(),
            reshare: Reshare {
                order: order.clone(),
                consents,
                record,
                ring: world.ring(running),
                certificate: world.certificate(running),
            },
        };
        let manifest = world.manifest(|fields| {
            *fields = running.clone().into_inner();
            fields.sequence += 1;
            fields.previous = Some(Digest::of(running));
            fields.epoch = epoch;
            fields.commitments = commitments.clone();
            fields.share_set = order.share_set.clone();
        });
        let destroyed = ShareDestroyed {
            genesis: world.genesis,
            epoch: world.epoch(),
            index: index(2),
            manifest: Digest::of(&manifest),
            time: time(2000),
        };
        Self {
            link: Link {
                reshare: Some(Box::new(completed.clone())),
                ..world.link_with_holders(manifest)
            },
            possession: possession(shares.last().expect("four")),
            completed,
            destroyed: Signed::sign(destroyed, &signing("bob signing")),
        }
    }
}

/// Order, consents in both roles, record, receipt, what is made of them, and a destroyed share.
pub(super) fn samples(world: &World, chain: &[Link]) -> Vec<Sample> {
    let resharing = Resharing::of(world, chain);
    let CompletedReshare { reshare, receipts } = &resharing.completed;
    let instance = VerificationKey::of(&world.derived("init", Purpose::Instance).signing_key());
    let commitments = &reshare.record.unverified().commitments;
    let holder = commitments.member_key(index(200)).expect("a key");
    let person = |name: &'static str| verification(&format!("{name} signing"));
    vec![
        plain("three of four", &reshare.order),
        signed(
            "manifest set",
            &reshare.consents[0],
            "alice signing",
            person("alice"),
        ),
        signed(
            "share set",
            &reshare.consents[3],
            "bob signing",
            person("bob"),
        ),
        signed("three of four", &reshare.record, "instance key", instance),
        plain("as the instance answers", reshare),
        signed("erin", &receipts[1], "erin signing", person("erin")),
        signed(
            "carol, of a new share",
            &resharing.possession,
            "new share 200 itself",
            holder,
        ),
        plain("with receipts of the threshold", &resharing.completed),
        signed("bob", &resharing.destroyed, "bob signing", person("bob")),
        plain("new shares, three of four", commitments),
        plain("fourth, names new shares", &resharing.link.manifest),
        plain("fourth, with the resharing", &resharing.link),
    ]
}

/// Requests of a resharing.
pub(super) fn requests(world: &World, chain: &[Link]) -> Vec<Sample> {
    let reshare = Resharing::of(world, chain).completed.reshare;
    let request = ReshareRequest {
        order: reshare.order,
        consents: reshare.consents,
    };
    vec![
        plain("reshare challenge", &Request::ReshareChallenge),
        plain("reshare", &Request::Reshare(Box::new(request))),
    ]
}

/// Responses of a resharing.
pub(super) fn responses(world: &World, chain: &[Link]) -> Vec<Sample> {
    let challenge = ReshareChallenge {
        nonce: bytes(&scalar("reshare nonce")),
        expires: time(14 * 86_400),
    };
    let refused = Refusal {
        reason: Reason::ReshareConsentsMissing,
        fault: Fault::Ceremony,
        member: None,
        detail: text("1 of the 2 consents it needs of the manifest set"),
    };
    let reshare = Resharing::of(world, chain).completed.reshare;
    vec![
        plain("reshare challenge", &Response::ReshareChallenge(challenge)),
        plain("reshared", &Response::Reshared(Box::new(reshare))),
        plain("refused, an order", &Response::Refused(refused)),
    ]
}
