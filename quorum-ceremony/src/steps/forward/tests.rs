use quorate_protocol::message::{Phase, Request, Response};

use super::*;
use crate::fixture::{Folders, World, enclave};

fn status(phase: Phase) -> Status {
    Status {
        phase,
        genesis: None,
        manifest: None,
        epoch: None,
        accepted: Vec::new(),
        threshold: 0,
        applications: Vec::new(),
    }
}

/// An enclave that does nothing but say what it is doing.
fn at(folders: &Folders, name: &str, phase: Phase) -> std::path::PathBuf {
    let socket = folders.socket().with_file_name(name);
    enclave(&socket, move |request| match request {
        Request::Status => Response::Status(status(phase)),
        other => panic!("asked for more: {other:?}"),
    });
    socket
}

#[test]
fn forwarding_to_an_enclave_that_does_not_wait_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    let from = at(&folders, "from.sock", Phase::Running);
    for (name, phase) in [
        ("waiting.sock", Phase::Waiting),
        ("born.sock", Phase::Born),
        ("halting.sock", Phase::Halting),
        ("over.sock", Phase::HandedOver),
    ] {
        let to = at(&folders, name, phase);
        let refused = forward(&folders.shared(), &from, &to);
        let phase = phase_name(phase);
        let expected = StepError::ImporterNotWaiting { phase };
        assert_eq!(refused, Err(expected.into()));
    }
}

#[test]
fn forwarding_to_a_manifest_that_the_folder_does_not_have_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    let (running, mut waiting) = (status(Phase::Running), status(Phase::Collecting));
    waiting.manifest = Some(Digest::from_bytes([1; 32]));
    let refused = cargo(&folders.workspace(), &world.verified(), &running, &waiting);
    let expected = StepError::ManifestMissing { sequence: 1 };
    assert_eq!(refused.err(), Some(expected.into()));
}

#[test]
fn evidence_without_a_forward_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    let evidence = Evidence {
        format: quorate_protocol::FORMAT,
        record: world.record(),
        chain: Vec::new(),
        setup: crate::fixture::Instance::new().setup,
        document: world.genesis_document(&[7; 32]),
        provisioning: None,
        applications: Vec::new(),
        forwards: Vec::new(),
    };
    assert_eq!(confirmation(&evidence), Err(StepError::NotForwarded));
    assert_eq!(received(&evidence).err(), Some(StepError::NotForwarded));
    let refused = accepted(&folders.workspace(), &world.verified(), &evidence);
    let code = refused.err().map(|error| error.code());
    assert_eq!(code, Some("evidence-refused"));
}
