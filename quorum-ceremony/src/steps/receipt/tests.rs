use std::fs;

use quorate_protocol::atoms::Pcr;
use quorate_protocol::attested::{UserData, extended_once, genesis_extension};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::genesis::Document;
use quorate_protocol::message::{Request, Response};
use quorate_verify::attestation::AttestationError;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::instance::InstanceError;

use super::*;
use crate::fixture::{Folders, WORDS, World, enclave, name, passphrase, seal_share, unlocked};
use crate::pins::PinError;

/// Pins of somebody who has consented.
fn consented(world: &World, member: usize) -> Pins {
    let mut pins = Pins::new(world.keys[member].name().clone());
    pins.pin_definition(&world.definition).unwrap();
    pins
}

#[test]
fn output_that_contradicts_the_pins_fails_closed() {
    let (world, other) = (World::new(), World::new());
    let pins = consented(&world, 0);
    assert_eq!(
        decide(&pins, &world.definition, &world.output),
        Ok(world.genesis())
    );
    assert_eq!(
        decide(&Pins::new(name("alice")), &world.definition, &world.output),
        Err(StepError::NotConsented.into())
    );
    let refused = decide(&pins, &other.definition, &other.output);
    assert!(matches!(
        refused,
        Err(CeremonyError::Pin(PinError::OtherDefinition { .. }))
    ));
}

#[test]
fn output_under_another_definition_fails_closed() {
    let (world, other) = (World::new(), World::new());
    assert_eq!(
        decide(&consented(&world, 0), &world.definition, &other.output),
        Err(GenesisError::OutputOfAnother {
            expected: Digest::of(&world.definition),
            found: Digest::of(&other.definition),
        }
        .into())
    );
}

#[test]
fn second_genesis_under_the_same_name_fails_closed() {
    let world = World::new();
    let second = world.second_genesis();
    // Before the receipt nobody can know which is meant; afterwards nobody can be led away.
    assert!(decide(&consented(&world, 0), &world.definition, &second).is_ok());
    let refused = decide(&world.pins(0), &world.definition, &second);
    assert!(matches!(
        refused,
        Err(CeremonyError::Pin(PinError::SecondGenesis { .. }))
    ));
}

#[test]
fn own_share_opens_and_is_checked() {
    let world = World::new();
    for (keys, share) in world.keys.iter().zip(&world.shares) {
        let sealed = sealed_share(&world.definition, &world.output, keys.name()).unwrap();
        let opened = open_share(&world.definition, &world.output, sealed, &unlocked(keys)).unwrap();
        assert_eq!(*opened.to_bytes(), *share.to_bytes());
    }
    assert_eq!(
        sealed_share(&world.definition, &world.output, &name("dave")),
        Err(StepError::NoShare { name: name("dave") }.into())
    );
}

#[test]
fn wrong_share_in_the_output_fails_closed() {
    let (world, other) = (World::new(), World::new());
    let alice = &world.definition.share_set.members[0];
    let index = alice.index;
    // A share of another polynomial, properly sealed to Alice.
    let foreign = seal_share(&world.definition, alice, &other.shares[0]);
    let refused = open_share(
        &world.definition,
        &world.output,
        &foreign,
        &unlocked(&world.keys[0]),
    );
    assert_eq!(refused.err(), Some(StepError::ShareWrong { index }.into()));
    // Bob's share, sealed to Alice under her index.
    let bobs = Share::from_bytes(index, &world.shares[1].to_bytes()).unwrap();
    let bobs = seal_share(&world.definition, alice, &bobs);
    let refused = open_share(
        &world.definition,
        &world.output,
        &bobs,
        &unlocked(&world.keys[0]),
    );
    assert_eq!(refused.err(), Some(StepError::ShareWrong { index }.into()));
}

#[test]
fn share_sealed_to_another_or_for_another_definition_fails_closed() {
    let (world, other) = (World::new(), World::new());
    let unreadable = |index| Some(StepError::ShareUnreadable { index }.into());
    let share = &world.output.shares[0];
    let refused = open_share(
        &world.definition,
        &world.output,
        share,
        &unlocked(&world.keys[1]),
    );
    assert_eq!(refused.err(), unreadable(share.index));
    let alice = &world.definition.share_set.members[0];
    let share = seal_share(&other.definition, alice, &world.shares[0]);
    let refused = open_share(
        &world.definition,
        &world.output,
        &share,
        &unlocked(&world.keys[0]),
    );
    assert_eq!(refused.err(), unreadable(share.index));
}

/// A genesis enclave whose answer to a nonce is `document(world, nonce)`.
fn genesis_enclave(
    document: impl Fn(&World, &[u8]) -> Document + Send + 'static,
) -> (Folders, Digest<Genesis>, Definition) {
    let (world, folders) = (World::new(), Folders::new());
    folders.member(&world, 0, &consented(&world, 0));
    let workspace = folders.workspace();
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    workspace
        .publish_genesis(&world.output, &world.genesis_document(&[1; 32]))
        .unwrap();
    let (genesis, definition) = (Digest::of(&world.genesis()), world.definition.clone());
    enclave(&folders.socket(), move |request| {
        let Request::Attest(request) = request else {
            panic!("only attestations")
        };
        Response::Attested(document(&world, request.nonce.as_slice()))
    });
    (folders, genesis, definition)
}

fn receive(folders: &Folders) -> Result<Received, CeremonyError> {
    review(&folders.shared(), &folders.private(0), &folders.socket())?
        .acknowledge(passphrase(WORDS))
}

fn refusal(document: impl Fn(&World, &[u8]) -> Document + Send + 'static) -> Option<CeremonyError> {
    let (folders, ..) = genesis_enclave(document);
    let refused = receive(&folders).err();
    let member = Member::open(&folders.private(0)).unwrap();
    assert_eq!(member.pins.genesis(), None, "nothing may be pinned");
    assert!(!folders.shared().join("receipts").exists());
    refused
}

#[test]
fn a_good_genesis_is_received_and_the_receipt_holds() {
    let (folders, genesis, definition) = genesis_enclave(World::genesis_document);
    let received = receive(&folders).unwrap();
    assert_eq!(
        (received.genesis, received.index.unwrap().get()),
        (genesis, 1)
    );
    assert_eq!(received.published, Some(Published::Written));
    let member = Member::open(&folders.private(0)).unwrap();
    assert_eq!(member.pins.genesis().unwrap().digest, genesis);
    let output = folders.workspace().output().unwrap();
    assert_eq!(member.private.share().unwrap(), output.shares[0]);
    let receipts = folders.workspace().receipts(&definition).unwrap();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].unverified().document, received.facts.document);
    drop(member);

    // Once more changes nothing.
    assert_eq!(
        receive(&folders).unwrap().published,
        Some(Published::AlreadyThere)
    );
    assert_eq!(folders.workspace().receipts(&definition).unwrap(), receipts);
}

/// The receipts of all members make a record that verifies.
#[test]
fn receipts_make_a_record() {
    let world = World::new();
    let mut record = world.record();
    let epoch = world.output.commitments.epoch();
    record.receipts = world
        .keys
        .iter()
        .zip(&world.shares)
        .map(|(keys, share)| {
            let genesis = Digest::of(&world.genesis());
            let subject = Possession {
                genesis,
                epoch,
                index: share.index(),
            };
            let document = quorate_protocol::atoms::Sha256::of(b"x");
            sign(subject, document, wall_clock(), share, &unlocked(keys)).unwrap()
        })
        .collect();
    assert!(VerifiedGenesis::from_record(record).is_ok());
}

#[test]
fn wrong_nonce_fails_closed() {
    let refused = refusal(|world, nonce| {
        let mut other = nonce.to_vec();
        other[0] ^= 1;
        world.genesis_document(&other)
    });
    assert_eq!(
        refused,
        Some(InstanceError::Attestation(AttestationError::NonceMismatch).into())
    );
}

#[test]
fn wrong_measurement_fails_closed() {
    let refused = refusal(|world, nonce| {
        let genesis = world.genesis();
        let pcr = extended_once(&genesis_extension(&genesis));
        let data = UserData::Genesis(Digest::of(&genesis));
        world.nitro.document(9, &[(16, pcr)], None, &data, nonce)
    });
    assert!(
        matches!(
            refused,
            Some(CeremonyError::Instance(InstanceError::Measurement {
                index: 0,
                ..
            }))
        ),
        "{refused:?}"
    );
}

#[test]
fn enclave_that_did_not_commit_to_the_output_fails_closed() {
    let refused = refusal(|world, nonce| {
        let data = UserData::Genesis(Digest::of(&world.genesis()));
        world
            .nitro
            .document(1, &[(16, Pcr([5; 48]))], None, &data, nonce)
    });
    assert!(
        matches!(
            refused,
            Some(CeremonyError::Instance(InstanceError::Commitment { .. }))
        ),
        "{refused:?}"
    );
}

#[test]
fn another_development_root_fails_closed() {
    let refused = refusal(|world, nonce| {
        let genesis = world.genesis();
        let pcr = extended_once(&genesis_extension(&genesis));
        let data = UserData::Genesis(Digest::of(&genesis));
        crate::fixture::Nitro::new().document(1, &[(16, pcr)], None, &data, nonce)
    });
    assert!(
        matches!(
            refused,
            Some(CeremonyError::Instance(InstanceError::Attestation(
                AttestationError::RootNotTrusted { .. }
            )))
        ),
        "{refused:?}"
    );
}

#[test]
fn forged_receipt_in_the_members_name_fails_closed() {
    let (folders, genesis, _) = genesis_enclave(World::genesis_document);
    let stranger = World::new();
    let receipt = stranger.receipts().remove(0);
    folders
        .workspace()
        .publish_receipt(&name("alice"), &receipt)
        .unwrap();
    assert_eq!(
        receive(&folders),
        Err(StepError::SignedWrong {
            name: name("alice"),
            role: None
        }
        .into())
    );
    fs::remove_file(folders.shared().join("receipts/alice.cbor")).unwrap();
    assert_eq!(receive(&folders).unwrap().genesis, genesis);
}

/// Somebody exchanges the output after the enclave made it.
#[test]
fn exchanged_output_fails_closed() {
    let (folders, ..) = genesis_enclave(World::genesis_document);
    let output = folders.workspace().output().unwrap();
    let mut fields = output.into_inner();
    fields.shares[0].sealed = fields.shares[1].sealed.clone();
    let exchanged = Checked::new(fields).unwrap();
    fs::write(
        folders.shared().join("genesis/output.cbor"),
        to_bytes(&exchanged),
    )
    .unwrap();
    let refused = receive(&folders);
    assert!(
        matches!(
            refused,
            Err(CeremonyError::Instance(InstanceError::Commitment { .. }))
        ),
        "{refused:?}"
    );
}
