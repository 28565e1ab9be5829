//! Samples of a surrogate: grace acts for bob, for the third manifest of the small namespace.

use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::message::{ProvisionRequest, Request};
use quorate_protocol::provision::ShareGrant;
use quorate_protocol::surrogate::{
    Delegation, DelegationFields, EntrustedShare, SurrogateApproval, surrogate_share_context,
};

use super::{Sample, plain, signed};
use crate::keys::{encryption, generator, signing, verification};
use crate::sealing::sealed_share;
use crate::world::{World, index, name, time};

fn delegation(world: &World, sequence: u64, roles: &[Role]) -> Signed<Delegation> {
    let fields = DelegationFields {
        genesis: world.genesis,
        member: name("bob"),
        roles: roles.to_vec(),
        surrogate: name("grace"),
        signing_key: verification("grace signing"),
        encryption_key: encryption("grace encryption"),
        sequence,
        expires: time(7 * 86_400),
        time: time(50),
    };
    let delegation = Checked::new(fields).expect("a week");
    Signed::sign(delegation, &signing("bob signing"))
}

/// Delegations, an approval, an entrusted share, and a link that counts with a surrogate.
pub(super) fn samples(world: &World, chain: &[Link]) -> Vec<Sample> {
    let third = chain.last().expect("a manifest");
    let sequence = third.manifest.sequence;
    let both = delegation(world, sequence, &[Role::ManifestSet, Role::ShareSet]);
    let one = delegation(world, sequence, &[Role::ManifestSet]);
    let approval = world.approval(&third.manifest, Role::ManifestSet, index(2));
    let approval = SurrogateApproval {
        delegation: one.clone(),
        approval: Signed::sign(approval, &signing("grace signing")),
    };
    let share = world.shares.iter().find(|share| share.index() == index(2));
    let share = share.expect("bob's share");
    let context = surrogate_share_context(&world.genesis, &both.digest(), index(2), &world.epoch());
    let key = encryption("grace encryption");
    let mut rng = generator("surrogate");
    let entrusted = EntrustedShare {
        genesis: world.genesis,
        delegation: both.digest(),
        index: index(2),
        epoch: world.epoch(),
        sealed: sealed_share(&mut rng, &key, &context, share),
        time: time(55),
    };
    let entrusted = Signed::sign(entrusted, &signing("bob signing"));
    let bob = verification("bob signing");
    let mut link = third.clone();
    link.approvals
        .retain(|a| a.unverified().role == Role::ShareSet || a.unverified().index != index(2));
    link.surrogates = vec![approval.clone()];
    vec![
        signed("bob to grace, both roles", &both, "bob signing", bob),
        signed("bob to grace, manifest set", &one, "bob signing", bob),
        plain("grace for bob", &approval),
        signed("of bob for grace", &entrusted, "bob signing", bob),
        plain("third, with an approval by a surrogate", &link),
    ]
}

/// A share that a surrogate gives.
pub(super) fn requests(world: &mut World, chain: &[Link]) -> Vec<Sample> {
    let third = &chain.last().expect("a manifest").manifest;
    let delegation = delegation(world, third.sequence, &[Role::ShareSet]);
    let (grant, sealed) = world.grant(third, 1);
    let grant: ShareGrant = grant.unverified().clone();
    let request = ProvisionRequest {
        grant: Signed::sign(grant, &signing("grace signing")),
        sealed,
        delegation: Some(Box::new(delegation)),
    };
    vec![plain(
        "provision, by a surrogate",
        &Request::Provision(request),
    )]
}
