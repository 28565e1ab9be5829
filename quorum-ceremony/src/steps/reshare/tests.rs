//! What a member's tool decides about an order, without an enclave.

use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::{EncryptionKey, KeyPair};
use quorate_protocol::members::Role;
use quorate_verify::chain::walk;

use super::sign::decide;
use super::*;
use crate::fixture::{Folders, World, name};
use crate::keyfile::MemberKeys;
use crate::pins::Pins;

/// An order for the first manifest of a world, and the chain it is under.
fn world() -> (World, Vec<Link>, ReshareOrder) {
    let world = World::new();
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
    let seats = decide(pins, &keys.public().signing, &world.verified(), &chain, order)?;
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
