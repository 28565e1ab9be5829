//! What a member's tool decides about an order, without an enclave.

use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::exception::GenesisExceptionFields;
use quorate_protocol::instance::Index;
use quorate_protocol::keys::{EncryptionKey, KeyPair};
use quorate_protocol::members::Role;
use quorate_verify::chain::walk;
use quorate_verify::genesis::VerifiedGenesis;

use super::destroy::check_key;
use super::sign::decide;
use super::*;
use crate::fixture::{Folders, World, name};
use crate::keyfile::MemberKeys;
use crate::keys::{LockedKeys, LockedToken};
use crate::pins::Pins;
use crate::steps::Member;

/// An order for the first manifest of a world, and the chain it is under.
fn world() -> (World, Vec<Link>, ReshareOrder) {
    ordered(World::new())
}

fn ordered(world: World) -> (World, Vec<Link>, ReshareOrder) {
    let first = world.manifest(None, b"app");
    let keys = world.keys[0].public();
    let order = ReshareOrder {
        genesis: first.genesis,
        manifest: Digest::of(&first),
        live: KeyPair {
            encryption: EncryptionKey::from_sec1(&keys.encryption.to_compressed()).unwrap(),
            verification: keys.signing,
        },
        epoch: first.epoch,
        share_set: world.set(),
        nonce: Bytes::new(vec![1; 32]).unwrap(),
        expires: UnixMillis(u64::MAX >> 12),
    };
    let links = vec![world.link(&first, &[0, 1])];
    (world, links, order)
}

fn decided(
    world: &World,
    links: &[Link],
    pins: &Pins,
    keys: &MemberKeys,
    order: &ReshareOrder,
) -> Result<Vec<Role>, CeremonyError> {
    let chain = walk(&world.verified(), links).unwrap();
    let seats = decide(
        pins,
        &keys.public().signing,
        &world.verified(),
        &chain,
        order,
    )?;
    Ok(seats.iter().map(|seat| seat.role).collect())
}

#[test]
fn a_member_of_both_sets_consents_in_both() {
    let (world, links, order) = world();
    let roles = decided(&world, &links, &world.pins(0), &world.keys[0], &order);
    assert_eq!(roles, Ok(vec![Role::ManifestSet, Role::ShareSet]));
}

#[test]
fn orders_for_something_else_fail_closed() {
    let (world, links, order) = world();
    let refused = |order: &ReshareOrder, field| {
        let expected = ReshareError::Differs {
            part: ResharePart::Order,
            field,
        };
        let found = decided(&world, &links, &world.pins(0), &world.keys[0], order);
        assert_eq!(found, Err(expected.into()));
    };
    let mut other = order.clone();
    other.genesis = Digest::from_bytes([9; 32]);
    refused(&other, ReshareField::Genesis);
    let mut other = order.clone();
    other.manifest = Digest::from_bytes([9; 32]);
    refused(&other, ReshareField::Manifest);
    let mut other = order;
    other.epoch = Digest::from_bytes([9; 32]);
    refused(&other, ReshareField::Epoch);
}

#[test]
fn strangers_and_other_keys_fail_closed() {
    let (world, links, order) = world();
    let other = MemberKeys::generate(name("alice")).unwrap();
    let refused = decided(&world, &links, &world.pins(0), &other, &order);
    let alice = world.keys[0].name().clone();
    assert_eq!(refused, Err(StepError::KeysDiffer { name: alice }.into()));
    let stranger = Pins::new(name("mallory"));
    let refused = decided(&world, &links, &stranger, &other, &order);
    let expected = StepError::NoConsent {
        name: name("mallory"),
    };
    assert_eq!(refused, Err(expected.into()));
}

/// An order is for a manifest of the approved chain, or for none.
#[test]
fn an_order_under_a_manifest_that_is_not_approved_fails_closed() {
    let (world, mut links, order) = world();
    let chain = walk(&world.verified(), &links).unwrap();
    assert_eq!(
        ordered_under(&links, &chain, &order).map(|m| m.sequence),
        Ok(1)
    );
    let second = world.manifest(Some(&links[0].manifest), b"app");
    let mut waiting = order;
    waiting.manifest = Digest::of(&second);
    links.push(world.link(&second, &[]));
    assert!(ordered_under(&links, &chain, &waiting).is_err());
}

/// Who has a seat keeps it; who is new gets the lowest index that nobody has.
#[test]
fn indices_stay_with_their_people() {
    let (world, _, _) = world();
    let folders = Folders::new();
    let workspace = folders.workspace();
    let newcomer = MemberKeys::generate(name("zoe")).unwrap();
    workspace.publish_card(&newcomer.card().unwrap()).unwrap();
    let set = world.set();
    let stays = set.members[1].clone();
    let names = [name("zoe"), stays.name.clone()];
    let people = seats(&workspace, &names, &set, &[]).unwrap();
    assert!(people.contains(&stays));
    let zoe = people.iter().find(|person| person.name == name("zoe"));
    let index = zoe.unwrap().index;
    assert!(!set.indices().contains(&index));
    assert_eq!(zoe.unwrap().signing_key, newcomer.public().signing);
    let lower = (1..index.get()).filter_map(ShareIndex::new);
    assert!(
        lower
            .into_iter()
            .all(|lower| set.indices().contains(&lower))
    );
    // Nobody comes without a card.
    let unknown = seats(&workspace, &[name("nobody")], &set, &[]);
    assert!(matches!(unknown, Err(CeremonyError::Storage(_))));
}

#[test]
fn a_key_that_is_needed_or_in_a_token_is_not_destroyed_fails_closed() {
    let folders = Folders::new();
    let world = World::new();
    folders.member(&world, 0, &world.pins(0));
    let file = Member::open(&folders.private(0)).unwrap().keys;
    assert_eq!(check_key(&file, false), Ok(()));
    let name = world.keys[0].name().clone();
    assert_eq!(check_key(&file, true), Err(StepError::StillSeated { name }));
    let (file, module) = (crate::token::tests::file(), None);
    let token = LockedKeys::Token(LockedToken { file, module });
    assert_eq!(check_key(&token, false), Err(StepError::KeyInToken));
}

/// An inactive holder has no say among the holders, by the shares of the genesis.
#[test]
fn a_holder_without_a_share_consents_among_the_approvers_only() {
    let (world, links, order) = ordered(World::four());
    let mut record = world.record();
    let left = record.receipts.pop().unwrap().unverified().index;
    let exception = |member: usize| {
        let fields = GenesisExceptionFields {
            genesis: Digest::of(&world.genesis()),
            epoch: world.output.commitments.epoch(),
            index: world.shares[member].index(),
            missing: vec![Index(left)],
            time: UnixMillis(1),
        };
        let exception = Checked::new(fields).unwrap();
        Signed::sign(exception, &world.keys[member].signing_key())
    };
    record.exceptions = Some((0..3).map(exception).collect());
    let genesis = VerifiedGenesis::from_record(record).unwrap();
    let chain = walk(&genesis, &links).unwrap();
    let roles = |member: usize| {
        let key = world.keys[member].public().signing;
        let seats = decide(&world.pins(member), &key, &genesis, &chain, &order);
        let seats = seats.unwrap();
        seats.iter().map(|seat| seat.role).collect::<Vec<Role>>()
    };
    assert_eq!(roles(3), [Role::ManifestSet]);
    assert_eq!(roles(2), [Role::ManifestSet, Role::ShareSet]);
}
