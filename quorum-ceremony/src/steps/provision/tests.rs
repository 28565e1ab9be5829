use std::sync::{Arc, Mutex};

use quorate_protocol::cbor::Checked;
use quorate_protocol::genesis::Document;
use quorate_protocol::message::{Request, Response};
use quorate_sealing::open;
use quorate_verify::attestation::AttestationError;
use quorate_verify::chain::walk;
use quorate_verify::instance::InstanceError;

use super::*;
use crate::fixture::{Folders, Instance, SIGNED, WORDS, World, name, passphrase};
use crate::pins::SharePin;
use quorate_protocol::instance::Index;

/// How an enclave of the test answers.
struct Answers {
    attest: fn(&World, &Instance, &Manifest, &[u8]) -> Document,
    /// Whether another key than the attested one signs the receipt.
    stranger: bool,
}

const HONEST: Answers = Answers {
    attest: |world, instance, manifest, nonce| instance.attest(&world.nitro, manifest, nonce),
    stranger: false,
};

type Received = Arc<Mutex<Vec<ProvisionRequest>>>;

fn running(answers: Answers) -> (Folders, Received) {
    let (world, folders, instance) = (World::new(), Folders::new(), Instance::new());
    let manifest = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&manifest, &[1, 2])]);
    folders.member(&world, 0, &world.pins(0));
    let private = crate::private::PrivateFolder::open(&folders.private(0)).unwrap();
    private.store_share(&world.output.shares[0]).unwrap();
    drop(private);
    let received = Received::default();
    let log = Arc::clone(&received);
    crate::fixture::enclave(&folders.socket(), move |request| match request {
        Request::Attest(request) => {
            let nonce = request.nonce.as_slice();
            Response::Attested((answers.attest)(&world, &instance, &manifest, nonce))
        }
        Request::Provision(request) => {
            let receipt = acknowledge(&world, &instance, &manifest, &request, &answers);
            log.lock().unwrap().push(request);
            Response::Provisioned(receipt)
        }
        _ => panic!("no other request"),
    });
    (folders, received)
}

/// What a real enclave checks before it answers.
fn acknowledge(
    world: &World,
    instance: &Instance,
    manifest: &Manifest,
    request: &ProvisionRequest,
    answers: &Answers,
) -> Signed<ProvisionReceipt> {
    let grant = request
        .grant
        .verify(&world.keys[0].public().signing)
        .unwrap();
    assert_eq!(grant.sealed, Digest::of(&request.sealed));
    assert_eq!(
        (grant.role, &grant.setup),
        (Role::ShareSet, &instance.setup)
    );
    let context =
        provision_share_context(&grant.genesis, &grant.manifest, grant.index, &grant.epoch);
    let plain = open(
        request.sealed.suite,
        &instance.setup_decryption,
        context.info.as_bytes(),
        &context.aad,
        &request.sealed.sealed(),
        32,
    )
    .unwrap();
    assert_eq!(*plain, world.shares[0].to_bytes().to_vec());
    let receipt = ProvisionReceipt {
        genesis: grant.genesis,
        manifest: Digest::of(manifest),
        grant: request.grant.digest(),
        index: grant.index,
        epoch: grant.epoch,
        accepted: 1,
        threshold: 2,
        time: SIGNED,
    };
    let key = if answers.stranger {
        world.keys[1].signing_key()
    } else {
        instance.setup_signing.signing_key()
    };
    Signed::sign(receipt, &key)
}

fn give(folders: &Folders) -> Result<Given, CeremonyError> {
    attest(&folders.shared(), &folders.private(0), &folders.socket())?.give(passphrase(WORDS))
}

#[test]
fn a_share_is_given_to_an_attested_instance() {
    let (folders, received) = running(HONEST);
    let given = give(&folders).unwrap();
    assert_eq!(
        (given.accepted, given.threshold, given.index.get()),
        (1, 2, 1)
    );
    assert_eq!(received.lock().unwrap().len(), 1);
    let member = Member::open(&folders.private(0)).unwrap();
    assert_eq!(member.pins.highest().unwrap().sequence, 1);
    let grants = std::fs::read_dir(folders.private(0).join("grants")).unwrap();
    assert_eq!(grants.count(), 1);
}

/// Whatever is wrong with the attestation, the enclave gets nothing.
fn refused_attestation(
    attest: fn(&World, &Instance, &Manifest, &[u8]) -> Document,
) -> CeremonyError {
    let (folders, received) = running(Answers { attest, ..HONEST });
    let refused = give(&folders).unwrap_err();
    assert!(received.lock().unwrap().is_empty(), "nothing may be sent");
    refused
}

#[test]
fn wrong_nonce_fails_closed() {
    let refused = refused_attestation(|world, instance, manifest, _| {
        instance.attest(&world.nitro, manifest, &[3; 32])
    });
    assert_eq!(
        refused,
        InstanceError::Attestation(AttestationError::NonceMismatch).into()
    );
}

#[test]
fn another_instances_keys_fails_closed() {
    let refused = refused_attestation(|world, instance, manifest, nonce| {
        // The registers of one instance, the public key of another.
        let other = Instance {
            setup: Instance::new().setup,
            ..Instance::new()
        };
        let genuine = Instance {
            setup: instance.setup.clone(),
            live: instance.live.clone(),
            ..Instance::new()
        };
        let (genesis, digest) = (manifest.genesis, Digest::of(manifest));
        use quorate_protocol::attested::{
            UserData, applications_extension, extended_once, live_extension, setup_extension,
        };
        world.nitro.document(
            1,
            &[
                (
                    16,
                    extended_once(&setup_extension(&genesis, &digest, &genuine.setup)),
                ),
                (
                    17,
                    extended_once(&live_extension(&genesis, &digest, &genuine.live)),
                ),
                (
                    18,
                    extended_once(&applications_extension(&genesis, &manifest.applications)),
                ),
            ],
            Some(&other.setup.to_attested()),
            &UserData::Setup(digest),
            nonce,
        )
    });
    assert!(
        matches!(
            refused,
            CeremonyError::Instance(InstanceError::Commitment { .. })
        ),
        "{refused:?}"
    );
}

#[test]
fn wrong_measurement_fails_closed() {
    let refused = refused_attestation(|world, _, manifest, nonce| {
        let digest = Digest::of(manifest);
        let data = quorate_protocol::attested::UserData::Setup(digest);
        world.nitro.document(9, &[], None, &data, nonce)
    });
    assert!(
        matches!(
            refused,
            CeremonyError::Instance(InstanceError::Measurement { index: 0, .. })
        ),
        "{refused:?}"
    );
}

#[test]
fn another_root_fails_closed() {
    let refused = refused_attestation(|_, instance, manifest, nonce| {
        instance.attest(&crate::fixture::Nitro::new(), manifest, nonce)
    });
    assert!(
        matches!(
            refused,
            CeremonyError::Instance(InstanceError::Attestation(
                AttestationError::RootNotTrusted { .. }
            ))
        ),
        "{refused:?}"
    );
}

#[test]
fn instance_of_another_manifest_fails_closed() {
    let refused = refused_attestation(|world, instance, _, nonce| {
        instance.attest(&world.nitro, &world.manifest(None, b"other"), nonce)
    });
    assert!(matches!(refused, CeremonyError::Instance(_)), "{refused:?}");
}

#[test]
fn receipt_that_is_not_for_this_grant_fails_closed() {
    let (world, instance) = (World::new(), Instance::new());
    let manifest = world.manifest(None, b"app");
    let grant = ShareGrant {
        role: Role::ShareSet,
        genesis: manifest.genesis,
        manifest: Digest::of(&manifest),
        setup: instance.setup.clone(),
        document: quorate_protocol::atoms::Sha256::of(b"document"),
        index: crate::fixture::index(1),
        epoch: manifest.epoch,
        sealed: Digest::of(&world.output.shares[0].sealed),
        time: SIGNED,
    };
    let grant = Signed::sign(grant, &world.keys[0].signing_key());
    let check = |alter: fn(&mut ProvisionReceipt)| {
        let mut receipt = ProvisionReceipt {
            genesis: manifest.genesis,
            manifest: Digest::of(&manifest),
            grant: grant.digest(),
            index: crate::fixture::index(1),
            epoch: manifest.epoch,
            accepted: 1,
            threshold: 2,
            time: SIGNED,
        };
        alter(&mut receipt);
        let receipt = Signed::sign(receipt, &instance.setup_signing.signing_key());
        check_receipt(&receipt, &grant, 2).map(drop)
    };
    assert_eq!(check(|_| {}), Ok(()));
    assert_eq!(check(|receipt| receipt.accepted = 2), Ok(()));
    let alter: [fn(&mut ProvisionReceipt); 8] = [
        |receipt| receipt.genesis = Digest::from_bytes([1; 32]),
        |receipt| receipt.manifest = Digest::from_bytes([1; 32]),
        |receipt| receipt.grant = Digest::from_bytes([1; 32]),
        |receipt| receipt.index = crate::fixture::index(2),
        |receipt| receipt.epoch = Digest::from_bytes([1; 32]),
        |receipt| receipt.threshold = 3,
        |receipt| receipt.accepted = 0,
        |receipt| receipt.accepted = 3,
    ];
    for alter in alter {
        assert_eq!(check(alter), Err(StepError::ReceiptWrong));
    }
}

#[test]
fn receipt_of_a_stranger_fails_closed() {
    let (folders, _) = running(Answers {
        stranger: true,
        ..HONEST
    });
    assert_eq!(give(&folders), Err(StepError::ReceiptWrong.into()));
    assert!(!folders.private(0).join("grants").exists());
}

#[test]
fn share_that_is_not_this_members_fails_closed() {
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    let links = [world.link(&manifest, &[0, 1])];
    let chain = walk(&world.verified(), &links).unwrap();
    assert_eq!(decide_share(&world.pins(0), &chain).unwrap().get(), 1);

    let genesis = Digest::of(&world.genesis());
    let with_share = |member: &str, share| {
        let mut pins = Pins::new(name(member));
        pins.pin_definition(&world.definition).unwrap();
        pins.pin_genesis(genesis, share).unwrap();
        decide_share(&pins, &chain)
    };
    let epoch = world.output.commitments.epoch();
    assert_eq!(
        with_share("alice", None),
        Err(StepError::NoShare {
            name: name("alice")
        }
        .into())
    );
    let share = |value, epoch| {
        Some(SharePin {
            index: Index(crate::fixture::index(value)),
            epoch,
        })
    };
    assert_eq!(
        with_share("dave", share(1, epoch)),
        Err(StepError::NoShare { name: name("dave") }.into())
    );
    assert_eq!(
        with_share("alice", share(2, epoch)),
        Err(PinError::OtherShare.into())
    );
    assert_eq!(
        with_share("alice", share(1, Digest::from_bytes([1; 32]))),
        Err(StepError::EpochRevoked { named: epoch }.into())
    );
}

/// A damaged copy of the share is noticed before anything is sent.
#[test]
fn share_of_another_genesis_in_the_private_folder_fails_closed() {
    let (folders, received) = running(HONEST);
    let other = World::new();
    std::fs::remove_file(folders.private(0).join("share.cbor")).unwrap();
    let private = crate::private::PrivateFolder::open(&folders.private(0)).unwrap();
    private.store_share(&other.output.shares[0]).unwrap();
    drop(private);
    let refused = give(&folders).unwrap_err();
    assert!(
        matches!(
            refused,
            CeremonyError::Step(StepError::ShareUnreadable { .. })
        ),
        "{refused:?}"
    );
    assert!(received.lock().unwrap().is_empty());
}

/// A manifest that accepts no known suite cannot even be written down; the check guards the day
/// when there are several.
#[test]
fn manifest_without_a_known_suite_fails_closed() {
    let world = World::new();
    let mut fields = world.manifest(None, b"app").into_inner();
    fields.suites = Vec::new();
    assert!(Checked::new(fields).is_err());
}

#[test]
fn attestation_that_was_verified_long_ago_fails_closed() {
    for seconds in [60, 1800] {
        let limit = AgeLimit::new(seconds).unwrap();
        let last = limit.duration() + PATIENCE;
        assert_eq!(check_patience(last, limit), Ok(()));
        let waited = last + Duration::from_millis(1);
        let refused = Err(StepError::ReviewTooOld { waited });
        assert_eq!(check_patience(waited, limit), refused);
    }
}
