//! A namespace before and after a resharing, and what each of its people holds.

use std::collections::BTreeMap;

use model::drill::{Epoch, Part, Who};
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    DrillRequest, DrillSharing, genesis_drill_share_context, reshare_drill_share_context,
};
use quorate_protocol::manifest::Link;
use quorate_protocol::message::{BootRequest, Request, Response};
use quorate_sharing::Share;
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use quorate_verify::chain::{VerifiedChain, walk};
use quorate_verify::genesis::VerifiedGenesis;

use crate::common::{self, Enclave, Person, World};
use crate::namespace::{self, Namespace, same};
use crate::rehearsal::{Rehearsal, opened};

/// What belongs to one epoch.
pub(crate) struct Named {
    pub(crate) chain: Vec<Link>,
    pub(crate) verified: VerifiedChain,
    pub(crate) drill: DrillSharing,
    pub(crate) people: BTreeMap<Who, Person>,
    pub(crate) real: BTreeMap<Who, Share>,
    pub(crate) drill_shares: BTreeMap<Who, Share>,
}

/// A namespace before and after a resharing, made once for all walks.
pub(crate) struct Prepared {
    pub(crate) world: World,
    pub(crate) genesis: VerifiedGenesis,
    pub(crate) anchors: TrustAnchors,
    pub(crate) old: Named,
    pub(crate) new: Named,
    /// Somebody's part in a drill whose enclave has ended.
    pub(crate) stray: DrillRequest,
}

/// By place of the model: an index is one more.
fn by_who<T>(items: Vec<T>, first: Who) -> BTreeMap<Who, T> {
    (first..).zip(items).collect()
}

pub(crate) fn copy(share: &Share) -> Share {
    Share::from_bytes(share.index(), &share.to_bytes()).unwrap()
}

impl Prepared {
    pub(crate) fn new(members: u8, threshold: u8) -> Self {
        // The first leaves, and one joins.
        let next = |world: &World| {
            let mut next: Vec<Person> = world.people[1..].iter().map(same).collect();
            next.push(Person::new("joins", members + 1));
            next
        };
        let namespace = Namespace::of(members, next, threshold);
        let genesis = VerifiedGenesis::from_record(namespace.record.clone()).unwrap();
        let order = namespace.order(&namespace.challenge());
        let made = namespace::reshare(&namespace.running.enclave, &namespace.request(&order));
        let real = namespace.open(&made);
        let all: Vec<usize> = (0..real.len()).collect();
        let link = namespace.second(namespace.completed(&made, &real, &all));
        let chain = namespace.running.chain.clone();
        let longer = [chain.clone(), vec![link]].concat();

        let definition = Digest::of(&namespace.world.definition);
        let sharing = namespace.record.output.drill.clone();
        let epoch = sharing.commitments.epoch();
        let drill_shares = opened(&sharing, &namespace.world.people, |index| {
            genesis_drill_share_context(&definition, index, &epoch)
        });
        let again = made.record.unverified().drill.clone();
        let (order, epoch) = (Digest::of(&made.order), again.commitments.epoch());
        let drill_again = opened(&again, &namespace.next, |index| {
            reshare_drill_share_context(&order, index, &epoch)
        });
        let old = Named {
            verified: walk(&genesis, &chain).unwrap(),
            chain,
            drill: sharing,
            people: by_who(namespace.world.people.iter().map(same).collect(), 0),
            real: by_who(common::copies(&namespace.running.shares), 0),
            drill_shares: by_who(drill_shares, 0),
        };
        let new = Named {
            verified: walk(&genesis, &longer).unwrap(),
            chain: longer,
            drill: again,
            people: by_who(namespace.next, 1),
            real: by_who(real, 1),
            drill_shares: by_who(drill_again, 1),
        };
        let mut world = namespace.world;
        let mut anchors = TrustAnchors::empty();
        let root = common::root_der(&world.hypervisor);
        let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
        anchors.insert(anchor).unwrap();
        let ended = rehearsal(world.start(), &genesis, &old);
        let stray = part(&ended, &old, 0, Part::Whole);
        world.hypervisor.stop(&world.newest()).unwrap();
        Self {
            world,
            genesis,
            anchors,
            old,
            new,
            stray,
        }
    }

    pub(crate) fn named(&self, epoch: Epoch) -> &Named {
        match epoch {
            Epoch::Old => &self.old,
            Epoch::New => &self.new,
        }
    }
}

pub(crate) fn boot_request(genesis: &VerifiedGenesis, chain: &[Link]) -> BootRequest {
    BootRequest {
        record: genesis.record().clone(),
        chain: chain.to_vec(),
    }
}

/// What a member makes for a drill.
pub(crate) fn part(at: &Rehearsal, named: &Named, who: Who, part: Part) -> DrillRequest {
    let share = (part == Part::Whole).then(|| &named.drill_shares[&who]);
    at.request(&named.people[&who], &named.real[&who], share)
}

/// An enclave that waits becomes one for a drill.
fn rehearsal(enclave: Enclave, genesis: &VerifiedGenesis, named: &Named) -> Rehearsal {
    let request = Box::new(boot_request(genesis, &named.chain));
    let Response::DrillStarted(setup) = enclave.ask(&Request::Drill(request)) else {
        panic!("no drill");
    };
    Rehearsal {
        enclave,
        setup: *setup,
        genesis: genesis.record().clone(),
        manifest: named.verified.manifest().clone(),
        drill: named.drill.clone(),
    }
}
