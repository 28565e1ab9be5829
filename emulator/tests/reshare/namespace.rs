//! A namespace whose instance is to share the key anew: orders, consents, new shares, receipts and the
//! manifest that names them, as honest people make them.

#![allow(dead_code, reason = "each test uses its own part")]

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::genesis::{GenesisRecord, Possession};
use quorate_protocol::manifest::{Link, Manifest, ManifestFields};
use quorate_protocol::members::Role;
use quorate_protocol::message::{EvidenceRequest, Nonce, Request, Response};
use quorate_protocol::reshare::{
    CompletedReshare, Reshare, ReshareChallenge, ReshareConsent, ReshareOrder, ReshareReceipt,
    ReshareRequest, reshare_share_context,
};
use quorate_sharing::Share;
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use quorate_verify::evidence::{Policy, Report, Time, verify};

use crate::common::{self, Enclave, Instance, Person, World, approvals, echo, nonce, set};

/// The same person; keys cannot be cloned on purpose, a test may.
pub(crate) fn same(person: &Person) -> Person {
    let decryption = quorate_sealing::DecryptionKey::from_bytes(&person.decryption.to_bytes());
    Person {
        name: person.name.clone(),
        index: person.index,
        signing: person.signing.clone(),
        decryption: decryption.unwrap(),
    }
}

/// A namespace, most often with a threshold of two, and an instance of its first manifest that runs.
pub(crate) struct Namespace {
    pub(crate) world: World,
    pub(crate) record: GenesisRecord,
    pub(crate) running: Instance,
    /// The new set.
    pub(crate) next: Vec<Person>,
    /// How many of them will be enough.
    pub(crate) threshold: u8,
}

impl Namespace {
    /// Three members; members 1 and 3 stay at their indices, two others join, and three are enough.
    pub(crate) fn new() -> Self {
        let stay = |world: &World| {
            let mut next = vec![same(&world.people[0]), same(&world.people[2])];
            next.extend([Person::new("new-4", 4), Person::new("new-9", 9)]);
            next
        };
        Self::of(3, stay, 3)
    }

    /// So many members, and those who are to hold shares afterwards.
    pub(crate) fn of(members: u8, next: impl Fn(&World) -> Vec<Person>, threshold: u8) -> Self {
        Self::founded(World::new(members, 2), next, threshold)
    }

    /// These people's namespace.
    pub(crate) fn founded(
        mut world: World,
        next: impl Fn(&World) -> Vec<Person>,
        threshold: u8,
    ) -> Self {
        let enough: Vec<usize> = (0..usize::from(world.threshold)).collect();
        let (record, shares) = world.genesis();
        let first = world.approved(world.manifest_fields(&record, &echo()));
        let running = world.boot(record.clone(), shares, vec![first]);
        running.provision(&world, &enough);
        Self {
            next: next(&world),
            world,
            record,
            running,
            threshold,
        }
    }

    /// Another instance of the same manifest, provisioned.
    pub(crate) fn another(&mut self) -> Instance {
        let shares = common::copies(&self.running.shares);
        let chain = self.running.chain.clone();
        let instance = self.world.boot(self.record.clone(), shares, chain);
        instance.provision(&self.world, &[0, 1]);
        instance
    }

    pub(crate) fn challenge(&self) -> ReshareChallenge {
        challenge(&self.running.enclave)
    }

    /// An honest order for the instance that runs.
    pub(crate) fn order(&self, challenge: &ReshareChallenge) -> ReshareOrder {
        self.order_for(&self.running, challenge.nonce.clone(), challenge.expires)
    }

    pub(crate) fn order_for(
        &self,
        instance: &Instance,
        nonce: Nonce,
        expires: UnixMillis,
    ) -> ReshareOrder {
        ReshareOrder {
            genesis: self.record.digest(),
            manifest: Digest::of(instance.manifest()),
            live: instance.booted.live.clone(),
            epoch: instance.manifest().epoch,
            share_set: set(&self.next, self.threshold),
            nonce,
            expires,
        }
    }

    pub(crate) fn consent(
        &self,
        order: &ReshareOrder,
        role: Role,
        position: usize,
    ) -> Signed<ReshareConsent> {
        let person = &self.world.people[position];
        Signed::sign(consent(order, role, person), &person.signing)
    }

    /// Consents of exactly the two thresholds.
    pub(crate) fn request(&self, order: &ReshareOrder) -> ReshareRequest {
        let both = [Role::ManifestSet, Role::ShareSet];
        let consents = both.into_iter().flat_map(|role| {
            let enough = 0..usize::from(self.world.threshold);
            enough.map(move |position| self.consent(order, role, position))
        });
        ReshareRequest {
            order: order.clone(),
            consents: consents.collect(),
        }
    }

    /// The new members open their shares and check them.
    pub(crate) fn open(&self, reshare: &Reshare) -> Vec<Share> {
        let record = reshare.record.unverified();
        let (order, epoch) = (Digest::of(&reshare.order), record.commitments.epoch());
        let members = self.next.iter().zip(&record.shares);
        let shares = members.map(|(person, sent)| {
            assert_eq!(person.index, sent.index);
            let context = reshare_share_context(&order, person.index, &epoch);
            person.open(&sent.sealed, &context, record.commitments.inner())
        });
        shares.collect()
    }

    /// The receipt of the new member of this position, with proof of possession.
    pub(crate) fn receipt(
        &self,
        reshare: &Reshare,
        share: &Share,
        position: usize,
    ) -> Signed<ReshareReceipt> {
        let (person, record) = (&self.next[position], reshare.record.unverified());
        let possession = Possession {
            genesis: record.genesis,
            epoch: record.commitments.epoch(),
            index: person.index,
        };
        let receipt = ReshareReceipt {
            genesis: record.genesis,
            record: reshare.record.digest(),
            epoch: record.commitments.epoch(),
            index: person.index,
            time: UnixMillis(1),
            possession: Signed::sign(possession, &share.signing_key()),
        };
        Signed::sign(receipt, &person.signing)
    }

    /// A resharing with the receipts of the new members of these positions.
    pub(crate) fn completed(
        &self,
        reshare: &Reshare,
        shares: &[Share],
        positions: &[usize],
    ) -> CompletedReshare {
        let receipts = positions.iter();
        let receipts = receipts.map(|at| self.receipt(reshare, &shares[*at], *at));
        CompletedReshare {
            reshare: reshare.clone(),
            receipts: receipts.collect(),
        }
    }

    /// The manifest that names the new shares, approved by the thresholds of both present sets.
    pub(crate) fn second(&self, completed: CompletedReshare) -> Link {
        let before = self.running.manifest();
        let mut fields: ManifestFields = before.clone().into_inner();
        fields.sequence += 1;
        fields.previous = Some(Digest::of(before));
        let record = completed.reshare.record.unverified();
        fields.commitments = record.commitments.clone();
        fields.epoch = fields.commitments.epoch();
        fields.share_set = completed.reshare.order.share_set.clone();
        let manifest: Manifest = Checked::new(fields).unwrap();
        let signers = &self.world.people[..usize::from(self.world.threshold)];
        let mut given = approvals(&manifest, signers, Role::ManifestSet);
        given.extend(approvals(&manifest, signers, Role::ShareSet));
        Link {
            manifest,
            approvals: given,
            reshare: Some(Box::new(completed)),
            surrogates: Vec::new(),
        }
    }

    /// What a stranger says who pins the namespace.
    pub(crate) fn report(&self, evidence: &Evidence) -> Report {
        let mut anchors = TrustAnchors::empty();
        let root = common::root_der(&self.world.hypervisor);
        let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
        anchors.insert(anchor).unwrap();
        let policy = Policy::pinned(self.record.digest());
        verify(&to_bytes(evidence), &policy, &anchors, Time::Archived)
    }
}

pub(crate) fn consent(order: &ReshareOrder, role: Role, person: &Person) -> ReshareConsent {
    ReshareConsent {
        role,
        genesis: order.genesis,
        order: Digest::of(order),
        index: person.index,
        time: UnixMillis(1),
    }
}

pub(crate) fn challenge(enclave: &Enclave) -> ReshareChallenge {
    match enclave.ask(&Request::ReshareChallenge) {
        Response::ReshareChallenge(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ask(enclave: &Enclave, request: &ReshareRequest) -> Response {
    enclave.ask(&Request::Reshare(Box::new(request.clone())))
}

pub(crate) fn reshare(enclave: &Enclave, request: &ReshareRequest) -> Reshare {
    match ask(enclave, request) {
        Response::Reshared(reshare) => *reshare,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn evidence(enclave: &Enclave) -> Evidence {
    let request = Request::Evidence(EvidenceRequest { nonce: nonce() });
    match enclave.ask_public(&request) {
        Response::Evidence(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}
