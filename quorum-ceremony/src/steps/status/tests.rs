use std::fs;

use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::keys::{EncryptionKey, KeyPair};
use quorate_protocol::reshare::ReshareOrder;

use super::*;
use crate::fixture::{Folders, WORDS, World, name, passphrase};
use crate::steps::reshare::sign;

fn read_folder(folders: &Folders) -> Progress {
    read(&folders.shared(), None).unwrap()
}

#[test]
fn the_next_step_follows_from_the_folder() {
    let (world, folders) = (World::new(), Folders::new());
    let workspace = folders.workspace();
    assert_eq!(read_folder(&folders).next, Next::Define);

    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    let progress = read_folder(&folders);
    assert_eq!(
        (progress.next, progress.without_consent.len()),
        (Next::Consent, 3)
    );

    for consent in world.consents() {
        workspace.publish_consent(&consent).unwrap();
    }
    assert_eq!(read_folder(&folders).next, Next::Genesis);

    let record = world.record();
    workspace
        .publish_genesis(&record.output, &record.document)
        .unwrap();
    let progress = read_folder(&folders);
    assert_eq!(
        (progress.next, progress.without_receipt.len()),
        (Next::Receipt, 3)
    );
    assert_eq!(progress.genesis, Some(record.digest()));

    for (keys, receipt) in world.keys.iter().zip(&record.receipts) {
        workspace.publish_receipt(keys.name(), receipt).unwrap();
    }
    assert_eq!(read_folder(&folders).next, Next::Manifest);

    workspace.publish_record(&record).unwrap();
    let manifest = world.manifest(None, b"app");
    workspace.publish_manifest(&manifest).unwrap();
    workspace
        .publish_approval(1, &name("bob"), &world.approval(&manifest, 1))
        .unwrap();
    let progress = read_folder(&folders);
    assert_eq!(progress.next, Next::Approve);
    assert_eq!(
        progress.manifests[0].approvals,
        [(name("bob"), Role::ManifestSet)]
    );
    assert!(!progress.manifests[0].approved);

    workspace
        .publish_approval(1, &name("carol"), &world.approval(&manifest, 2))
        .unwrap();
    let progress = read_folder(&folders);
    assert_eq!(progress.next, Next::Boot);
    assert!(progress.manifests[0].approved);
}

/// A consent that is not its member's does not count as given.
#[test]
fn forged_consent_counts_as_missing_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    let workspace = folders.workspace();
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    for consent in world.consents() {
        workspace.publish_consent(&consent).unwrap();
    }
    let consents = folders.shared().join("consents");
    fs::copy(consents.join("alice.cbor"), consents.join("bob.cbor")).unwrap();
    assert_eq!(read_folder(&folders).without_consent, [name("bob")]);
}

/// A folder with an order for the first manifest, which is approved.
fn ordered(expires: u64) -> (World, Folders, ReshareOrder) {
    let (world, folders) = (World::new(), Folders::new());
    let first = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&first, &[0, 1])]);
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
        expires: UnixMillis(expires),
    };
    folders.workspace().publish_order(&order).unwrap();
    (world, folders, order)
}

const NEVER: u64 = u64::MAX >> 12;

#[test]
fn an_open_order_tells_who_has_consented_and_who_is_missing() {
    let (world, folders, order) = ordered(NEVER);
    let open = read_folder(&folders);
    assert_eq!(open.next, Next::ReshareSign);
    let found = open.resharing.unwrap();
    assert_eq!((found.number, found.digest), (1, Digest::of(&order)));
    assert_eq!((found.state, found.under), (State::Open, Some(1)));
    for (at, missing) in [(0, 1), (2, 0)] {
        folders.member(&world, at, &world.pins(at));
        let review = sign::review(&folders.shared(), &folders.private(at), None).unwrap();
        review.consent(passphrase(WORDS)).unwrap();
        let found = read_folder(&folders).resharing.unwrap();
        assert_eq!(found.holders.missing(), missing);
        assert_eq!(found.approvers.missing(), missing);
    }
    let ready = read_folder(&folders);
    assert_eq!(ready.next, Next::ReshareRun);
    let found = ready.resharing.unwrap();
    assert_eq!(found.holders.given, [name("alice"), name("carol")]);
    assert_eq!(found.holders.absent, [name("bob")]);
    assert!(ready.replaced.is_none());
}

/// Nobody is sent to sign what cannot be carried out.
#[test]
fn orders_that_are_too_late_or_void_wait_for_nothing() {
    let (_, folders, _) = ordered(1);
    let late = read_folder(&folders);
    assert_eq!(late.resharing.unwrap().state, State::Expired);
    assert_eq!(late.next, Next::Boot);

    let (world, folders, order) = ordered(NEVER);
    let workspace = folders.workspace();
    let first = workspace.find_manifest(1).unwrap().unwrap();
    let second = world.manifest(Some(&first), b"other");
    workspace.publish_manifest(&second).unwrap();
    assert_eq!(read_folder(&folders).resharing.unwrap().state, State::Open);
    for member in [0, 1] {
        let approval = world.approval(&second, member);
        let who = world.keys[member].name();
        workspace.publish_approval(2, who, &approval).unwrap();
    }
    let void = read_folder(&folders);
    assert_eq!(void.resharing.unwrap().state, State::Void);
    assert_eq!(void.next, Next::Boot);

    // One that is under no manifest of the chain.
    let mut other = order;
    other.manifest = Digest::from_bytes([9; 32]);
    let path = folders.shared().join("reshares/0001/order.cbor");
    fs::write(path, to_bytes(&other)).unwrap();
    let found = read_folder(&folders).resharing.unwrap();
    assert_eq!((found.state, found.under), (State::Void, None));
}
