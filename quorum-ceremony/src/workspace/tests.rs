use std::fs;

use quorate_protocol::genesis::Possession;

use super::*;
use crate::fixture::{World, name};
use crate::keyfile::MemberKeys;

fn workspace() -> (tempfile::TempDir, Workspace) {
    let outer = tempfile::tempdir().unwrap();
    let workspace = Workspace::create(&outer.path().join("shared")).unwrap();
    (outer, workspace)
}

#[test]
fn objects_come_back() {
    let (_outer, workspace) = workspace();
    let world = World::new();
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    assert_eq!(workspace.definition(), Ok(world.definition.clone()));
    assert_eq!(
        workspace.anchors(&world.definition),
        Ok(world.nitro.anchors())
    );
    for consent in world.consents() {
        workspace.publish_consent(&consent).unwrap();
    }
    assert_eq!(workspace.consents(&world.definition), Ok(world.consents()));
    let document = world.genesis_document(&[1; 32]);
    workspace.publish_genesis(&world.output, &document).unwrap();
    assert_eq!(workspace.output(), Ok(world.output.clone()));
    assert_eq!(workspace.genesis_document(), Ok(document));
    let receipts = world.receipts();
    // The order in which they arrive does not matter.
    for (keys, receipt) in world.keys.iter().zip(&receipts).rev() {
        workspace.publish_receipt(keys.name(), receipt).unwrap();
    }
    assert_eq!(workspace.receipts(&world.definition), Ok(receipts));
    let record = world.record();
    workspace.publish_record(&record).unwrap();
    assert_eq!(workspace.record(), Ok(record));
}

#[test]
fn second_definition_fails_closed() {
    let (_outer, workspace) = workspace();
    let (world, other) = (World::new(), World::new());
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    let refused = workspace.publish_definition(&other.definition, &other.nitro.anchor());
    assert!(
        matches!(refused, Err(StorageError::Differs { .. })),
        "{refused:?}"
    );
    assert_eq!(workspace.definition(), Ok(world.definition));
}

#[test]
fn second_manifest_at_one_sequence_fails_closed() {
    let (_outer, workspace) = workspace();
    let world = World::new();
    workspace
        .publish_manifest(&world.manifest(None, b"one"))
        .unwrap();
    let refused = workspace.publish_manifest(&world.manifest(None, b"two"));
    assert!(
        matches!(refused, Err(StorageError::Differs { .. })),
        "{refused:?}"
    );
}

#[test]
fn replaced_root_certificate_fails_closed() {
    let (_outer, workspace) = workspace();
    let (world, other) = (World::new(), World::new());
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    fs::write(
        workspace.path().join("root.der"),
        other.nitro.anchor().der(),
    )
    .unwrap();
    let refused = workspace.anchors(&world.definition);
    assert!(
        matches!(
            refused,
            Err(CeremonyError::Step(StepError::RootDiffers { .. }))
        ),
        "{refused:?}"
    );
}

/// A development root never passes for AWS's, whatever file lies in the folder.
#[test]
fn development_root_under_the_name_of_aws_fails_closed() {
    let (_outer, workspace) = workspace();
    let world = World::new();
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    let mut fields = world.definition.into_inner();
    fields.attestation_root.partition = name("aws");
    let claimed = quorate_protocol::cbor::Checked::new(fields).unwrap();
    let refused = workspace.anchors(&claimed);
    assert!(
        matches!(
            refused,
            Err(CeremonyError::Step(StepError::RootDiffers { .. }))
        ),
        "{refused:?}"
    );
}

#[test]
fn card_under_another_name_fails_closed() {
    let (_outer, workspace) = workspace();
    let card = MemberKeys::generate(name("mallory"))
        .unwrap()
        .card()
        .unwrap();
    workspace.publish_card(&card).unwrap();
    let members = workspace.path().join("members");
    fs::copy(members.join("mallory.cbor"), members.join("alice.cbor")).unwrap();
    assert_eq!(
        workspace.card(&name("alice")),
        Err(CeremonyError::Step(StepError::CardOfAnother {
            expected: name("alice"),
            found: name("mallory"),
        }))
    );
}

/// Every flipped bit of a card is refused: by the encoding or by its signature.
#[test]
fn altered_card_fails_closed() {
    let (_outer, workspace) = workspace();
    let card = MemberKeys::generate(name("alice")).unwrap().card().unwrap();
    workspace.publish_card(&card).unwrap();
    let path = workspace.path().join("members/alice.cbor");
    let bytes = fs::read(&path).unwrap();
    for position in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[position] ^= 1 << (position % 8);
        fs::write(&path, altered).unwrap();
        assert!(workspace.card(&name("alice")).is_err(), "byte {position}");
    }
}

#[test]
fn somebody_elses_name_fails_closed() {
    let (_outer, workspace) = workspace();
    let first = MemberKeys::generate(name("alice")).unwrap();
    let second = MemberKeys::generate(name("alice")).unwrap();
    workspace.publish_card(&first.card().unwrap()).unwrap();
    let refused = workspace.publish_card(&second.card().unwrap());
    assert!(
        matches!(refused, Err(StorageError::Differs { .. })),
        "{refused:?}"
    );
}

/// Forged approvals are left out and named; good ones count all the same.
#[test]
fn forged_approvals_fails_closed() {
    let (_outer, workspace) = workspace();
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    workspace.publish_manifest(&manifest).unwrap();
    workspace
        .publish_approval(1, &name("alice"), &world.approval(&manifest, 0))
        .unwrap();
    // Carol's approval under Bob's name, and rubbish under Carol's.
    workspace
        .publish_approval(1, &name("bob"), &world.approval(&manifest, 2))
        .unwrap();
    let approvals = workspace.path().join("manifests/0001/approvals");
    fs::write(approvals.join("carol-manifest-set.cbor"), b"rubbish").unwrap();
    fs::write(approvals.join("stranger-manifest-set.cbor"), b"rubbish").unwrap();

    let found = workspace.links(&world.definition, None).unwrap();
    assert_eq!(found.links, vec![world.link(&manifest, &[0])]);
    let ignored: Vec<&str> = found
        .ignored
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(ignored, ["bob", "carol"]);
}

#[test]
fn approval_of_another_manifest_fails_closed() {
    let (_outer, workspace) = workspace();
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    let other = world.manifest(None, b"other");
    workspace.publish_manifest(&manifest).unwrap();
    workspace
        .publish_approval(1, &name("alice"), &world.approval(&other, 0))
        .unwrap();
    let found = workspace.links(&world.definition, None).unwrap();
    assert!(found.links[0].approvals.is_empty());
    assert_eq!(found.ignored.len(), 1);
}

#[test]
fn links_end_where_asked_or_at_a_gap() {
    let (_outer, workspace) = workspace();
    let world = World::new();
    let first = world.manifest(None, b"1");
    let second = world.manifest(Some(&first), b"2");
    let third = world.manifest(Some(&second), b"3");
    let count = |last| {
        workspace
            .links(&world.definition, last)
            .unwrap()
            .links
            .len()
    };
    workspace.publish_manifest(&first).unwrap();
    workspace.publish_manifest(&third).unwrap();
    assert_eq!(count(None), 1);
    workspace.publish_manifest(&second).unwrap();
    assert_eq!((count(None), count(Some(2)), count(Some(9))), (3, 2, 3));
}

/// Whoever fills the folder with manifests fills no memory.
#[test]
fn endless_chain_fails_closed() {
    let (_outer, workspace) = workspace();
    let world = World::new();
    let mut fields = world.manifest(None, b"app").into_inner();
    let text = quorate_protocol::atoms::Text::new(&"x".repeat(4096)).unwrap();
    fields.applications[0].arguments = vec![text; 64];
    let mut manifest = quorate_protocol::cbor::Checked::new(fields).unwrap();
    for _ in 0..MAX_CHAIN / (64 * 4096) + 1 {
        workspace.publish_manifest(&manifest).unwrap();
        let mut fields = manifest.clone().into_inner();
        fields.sequence += 1;
        fields.previous = Some(Digest::of(&manifest));
        manifest = quorate_protocol::cbor::Checked::new(fields).unwrap();
    }
    assert_eq!(
        workspace.links(&world.definition, None),
        Err(StepError::ChainTooLong { max: MAX_CHAIN }.into())
    );
    assert_eq!(
        workspace
            .links(&world.definition, Some(2))
            .unwrap()
            .links
            .len(),
        2
    );
}

/// A file of the wrong kind is named, not guessed at.
#[test]
fn object_of_another_kind_fails_closed() {
    let (_outer, workspace) = workspace();
    let world = World::new();
    let possession = Possession {
        genesis: Digest::from_bytes([1; 32]),
        epoch: world.output.commitments.epoch(),
        index: world.shares[0].index(),
    };
    let path = workspace.path().join("definition.cbor");
    fs::write(&path, to_bytes(&possession)).unwrap();
    let refused = workspace.definition();
    assert!(matches!(&refused, Err(CeremonyError::Decode { path: at, .. }) if *at == path));
}
