//! Drills in a real emulated enclave: after a genesis and after a resharing, and every refusal.
//!
//! Each refusal is followed by the honest message, which must still be taken: a refused one changed
//! nothing.

#[path = "../common/mod.rs"]
mod common;
mod refused;
mod rehearsal;
mod whole;

use common::{Person, World, echo, nonce};
use quorate_protocol::atoms::{Sha256, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    Drill, DrillFinishRequest, DrillPossession, DrillRequest, DrillSharing,
    genesis_drill_share_context,
};
use quorate_protocol::genesis::{GenesisRecord, SealedShare};
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::Role;
use quorate_protocol::message::{BootRequest, Request, Response, Stage};
use quorate_sharing::Share;
use quorate_verify::attestation::{Freshness, Partition, TrustAnchor, TrustAnchors};
use quorate_verify::chain::walk;
use quorate_verify::drill::{DrillError, VerifiedDrill, verify_drill};
use quorate_verify::genesis::VerifiedGenesis;
use rehearsal::{Rehearsal, finish, give, opened, sealed_to};

/// A namespace of three, two of whom are enough, what its members hold, and its only manifest.
pub(crate) struct Namespace {
    pub(crate) world: World,
    pub(crate) record: GenesisRecord,
    pub(crate) shares: Vec<Share>,
    pub(crate) drill_shares: Vec<Share>,
    pub(crate) chain: Vec<Link>,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let mut world = World::new(3, 2);
        let (record, shares) = world.genesis();
        let named = Digest::of(&world.definition);
        let sharing = &record.output.drill;
        let epoch = sharing.commitments.epoch();
        let drill_shares = opened(sharing, &world.people, |index| {
            genesis_drill_share_context(&named, index, &epoch)
        });
        let link = world.approved(world.manifest_fields(&record, &echo()));
        Self {
            world,
            record,
            shares,
            drill_shares,
            chain: vec![link],
        }
    }

    pub(crate) fn boot_request(&self) -> BootRequest {
        BootRequest {
            record: self.record.clone(),
            chain: self.chain.clone(),
        }
    }

    /// An empty enclave, started for a drill.
    pub(crate) fn start(&mut self) -> Rehearsal {
        let enclave = self.world.start();
        let setup = match enclave.ask(&Request::Drill(Box::new(self.boot_request()))) {
            Response::DrillStarted(setup) => *setup,
            other => panic!("{other:?}"),
        };
        Rehearsal {
            enclave,
            setup,
            genesis: self.record.clone(),
            manifest: self.chain.last().unwrap().manifest.clone(),
            drill: self.record.output.drill.clone(),
        }
    }

    /// What an honest member of this position sends.
    pub(crate) fn honest(&self, at: &Rehearsal, position: usize) -> DrillRequest {
        at.request(
            &self.world.people[position],
            &self.shares[position],
            Some(&self.drill_shares[position]),
        )
    }

    /// What anybody says who has genesis record, chain and drill, at any later time.
    pub(crate) fn verify(&self, drill: &Drill) -> Result<VerifiedDrill, DrillError> {
        let mut anchors = TrustAnchors::empty();
        let root = common::root_der(&self.world.hypervisor);
        let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
        anchors.insert(anchor).unwrap();
        let genesis = VerifiedGenesis::from_record(self.record.clone()).unwrap();
        let chain = walk(&genesis, &self.chain).unwrap();
        let archived = Freshness::Archived { at_unix: None };
        verify_drill(&genesis, &chain, &self.chain, &anchors, &archived, drill)
    }
}
