use std::fs;

use super::*;
use crate::fixture::{Folders, World, name};

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
