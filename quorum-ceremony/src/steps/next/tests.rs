use std::fs;

use quorate_protocol::definition::Definition;
use quorate_protocol::message::Response;

use super::*;
use crate::fixture::{Folders, World, enclave, name};
use crate::pins::{PinError, Pins};

fn turn(folders: &Folders, member: Option<usize>) -> Turn {
    let private = member.map(|member| folders.private(member));
    read(&folders.shared(), private.as_deref(), None).unwrap()
}

fn due(who: Who, step: &'static str) -> Due {
    Due { who, step }
}

fn member(text: &str) -> Who {
    Who::Member(name(text))
}

fn consented(world: &World, member: usize) -> Pins {
    let mut pins = Pins::new(world.keys[member].name().clone());
    pins.pin_definition(&world.definition).unwrap();
    pins
}

fn define(folders: &Folders, world: &World) -> Definition {
    let workspace = folders.workspace();
    workspace
        .publish_definition(&world.definition, &world.nitro.anchor())
        .unwrap();
    world.definition.clone()
}

#[test]
fn from_nothing_to_the_genesis_everybody_knows_their_turn() {
    let (world, folders) = (World::new(), Folders::new());
    let begun = turn(&folders, None);
    assert_eq!((begun.you, begun.yours), (None, Some("join")));
    assert_eq!(begun.due, [due(Who::Coordinator, "define")]);

    define(&folders, &world);
    let workspace = folders.workspace();
    for (at, consent) in world.consents().iter().enumerate() {
        let waited: Vec<Due> = world.keys[at..]
            .iter()
            .map(|keys| due(Who::Member(keys.name().clone()), "consent"))
            .collect();
        assert_eq!(turn(&folders, None).due, waited);
        workspace.publish_consent(consent).unwrap();
    }
    let ready = turn(&folders, None);
    assert_eq!(
        (ready.yours, ready.due),
        (None, vec![due(Who::Coordinator, "genesis")])
    );
}

#[test]
fn a_member_is_told_their_own_step() {
    let (world, folders) = (World::new(), Folders::new());
    define(&folders, &world);
    folders.member(&world, 1, &Pins::new(name("bob")));
    let turn_of_bob = turn(&folders, Some(1));
    assert_eq!(
        (turn_of_bob.you, turn_of_bob.yours),
        (Some(name("bob")), Some("consent"))
    );
    folders
        .workspace()
        .publish_consent(&world.consents()[1])
        .unwrap();
    assert_eq!(turn(&folders, Some(1)).yours, None);
}

#[test]
fn receipts_are_waited_for_and_an_exception_is_named_where_there_can_be_one() {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    fs::remove_file(folders.shared().join("record.cbor")).unwrap();
    fs::remove_file(folders.shared().join("receipts/bob.cbor")).unwrap();
    folders.member(&world, 1, &consented(&world, 1));
    let waited = turn(&folders, Some(1));
    assert_eq!(waited.due, [due(member("bob"), "receipt")]);
    // Two of three open the key: none can be spared.
    assert_eq!((waited.yours, waited.exception), (Some("receipt"), false));
}

#[test]
fn approvals_boot_and_shares_are_waited_for() {
    let (world, folders) = (World::new(), Folders::new());
    let manifest = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&manifest, &[0])]);
    folders.member(&world, 0, &world.pins(0));
    folders.member(&world, 2, &world.pins(2));
    let names = vec![name("bob"), name("carol")];
    let who = Who::AnyOf { missing: 1, names };
    let waited = turn(&folders, Some(2));
    assert_eq!(
        (waited.yours, waited.due),
        (Some("approve"), vec![due(who, "approve")])
    );
    assert_eq!(turn(&folders, Some(0)).yours, None);

    let approval = world.approval(&manifest, 2);
    folders
        .workspace()
        .publish_approval(1, &name("carol"), &approval)
        .unwrap();
    let boot = [due(Who::Coordinator, "boot")];
    assert_eq!(turn(&folders, Some(2)).due, boot);
    // An address where nobody answers changes nothing, and is said.
    let address = Address::Unix(folders.socket());
    let workspace = folders.workspace();
    workspace
        .publish_enclave(EnclaveRole::Instance, &address)
        .unwrap();
    let silent = turn(&folders, Some(2));
    assert!(silent.silent && silent.enclave == Some(address));
    assert_eq!(silent.due, boot);

    let mut status = Status {
        phase: Phase::Collecting,
        genesis: Some(manifest.genesis),
        manifest: Some(Digest::of(&manifest)),
        epoch: Some(manifest.epoch),
        accepted: vec![quorate_protocol::instance::Index(crate::fixture::index(1))],
        threshold: 2,
        applications: Vec::new(),
    };
    let told = std::sync::Arc::new(std::sync::Mutex::new(status.clone()));
    let answers = std::sync::Arc::clone(&told);
    enclave(&folders.socket(), move |_| {
        Response::Status(answers.lock().unwrap().clone())
    });
    let names = vec![name("bob"), name("carol")];
    let who = Who::AnyOf { missing: 1, names };
    let waited = turn(&folders, Some(2));
    assert_eq!(
        (waited.yours, waited.due),
        (Some("provision"), vec![due(who, "provision")])
    );
    // Alice has given hers.
    assert_eq!(turn(&folders, Some(0)).yours, None);
    status.phase = Phase::Running;
    *told.lock().unwrap() = status.clone();
    assert_eq!(turn(&folders, Some(2)).due, []);
    // Another manifest runs there: this one is not booted.
    status.manifest = Some(Digest::from_bytes([1; 32]));
    *told.lock().unwrap() = status;
    assert_eq!(turn(&folders, Some(2)).due, boot);
}

/// Nobody is sent on in a folder that differs from what they agreed to.
#[test]
fn a_folder_that_differs_from_the_pins_fails_closed() {
    let (world, other) = (World::new(), World::new());
    let folders = Folders::new();
    folders.publish(&other, &[]);
    folders.member(&world, 0, &world.pins(0));
    let refused = read(&folders.shared(), Some(&folders.private(0)), None);
    assert!(matches!(
        refused,
        Err(CeremonyError::Pin(PinError::OtherDefinition { .. }))
    ));
    let refused = check_pins(&folders.shared(), &folders.private(0));
    assert!(matches!(
        refused,
        Err(CeremonyError::Pin(PinError::OtherDefinition { .. }))
    ));
    let folders = Folders::new();
    assert_eq!(check_pins(&folders.shared(), &folders.private(0)), Ok(()));
    folders.member(&world, 0, &world.pins(0));
    assert_eq!(check_pins(&folders.shared(), &folders.private(0)), Ok(()));
    let refused = read(&folders.shared(), Some(&folders.private(0)), None);
    assert_eq!(refused.unwrap_err().code(), "file-missing");
}

/// A manifest that was seen is gone, or another one stands there.
#[test]
fn an_older_or_second_manifest_fails_closed() {
    let world = World::new();
    let (first, second) = (world.manifest(None, b"one"), world.manifest(None, b"two"));
    let mut pins = world.pins(0);
    let digest = Digest::of(&second);
    let seen = quorate_verify::chain::HighestSeen {
        sequence: 1,
        digest,
    };
    pins.pin_manifest(seen).unwrap();
    let folders = Folders::new();
    folders.publish(&world, &[world.link(&first, &[0, 1])]);
    folders.member(&world, 0, &pins);
    let refused = read(&folders.shared(), Some(&folders.private(0)), None);
    assert!(
        matches!(refused, Err(CeremonyError::Pin(PinError::Rollback(_)))),
        "{refused:?}"
    );
}

/// Four people, one of whom never answers: who has to sign that, and then the coordinator.
#[test]
fn an_exception_is_waited_for_once_somebody_has_begun_one() {
    let (world, folders) = (World::four(), Folders::new());
    folders.publish(&world, &[]);
    for file in ["record.cbor", "receipts/dave.cbor"] {
        fs::remove_file(folders.shared().join(file)).unwrap();
    }
    let waited = turn(&folders, None);
    assert_eq!(
        (waited.exception, waited.due),
        (true, vec![due(member("dave"), "receipt")])
    );
    for at in 0..3 {
        folders.member(&world, at, &world.pins(at));
        let review = exception::review(&folders.shared(), &folders.private(at)).unwrap();
        let signed = review
            .sign(crate::fixture::passphrase(crate::fixture::WORDS))
            .unwrap();
        let left = turn(&folders, None).due;
        let unsigned = signed
            .unsigned
            .into_iter()
            .map(|name| due(Who::Member(name), "exception"));
        match at {
            2 => assert_eq!(left, [due(Who::Coordinator, "manifest")]),
            _ => assert_eq!(left, unsigned.collect::<Vec<_>>()),
        }
    }
}
