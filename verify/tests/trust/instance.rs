//! Attestations of a genesis enclave, of an instance that waits for shares, of a running one.

use quorate_protocol::atoms::{Pcr, Sha256, UnixMillis};
use quorate_protocol::attested::{UserData, extended_once, live_extension, setup_extension};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::digest::Digest;
use quorate_verify::attestation::{AttestationError, Freshness, Partition, TrustAnchors};
use quorate_verify::chain::walk;
use quorate_verify::genesis::check_output;
use quorate_verify::instance::{
    Commitment, InstanceError, VerifiedLive, VerifiedSetup, verify_genesis_document, verify_live,
    verify_setup,
};

use crate::common::nitro::{MODULE_ID, NONCE, NOW};
use crate::world::{Instance, Paper, World, anchors, name, pair};

const ARCHIVED: Freshness<'_> = Freshness::Archived { at_unix: None };

fn birth(change: impl FnOnce(&mut Paper)) -> Result<(), InstanceError> {
    let world = World::new();
    let mut paper = world.birth_paper();
    change(&mut paper);
    let definition = &world.record.definition;
    let genesis = check_output(definition, &world.record.output).unwrap();
    let facts =
        verify_genesis_document(&paper.bytes(), definition, &genesis, &anchors(), &ARCHIVED)?;
    assert!(facts.development);
    Ok(())
}

fn setup(change: impl FnOnce(&Instance<'_>, &mut Paper)) -> Result<VerifiedSetup, InstanceError> {
    let world = World::new();
    let instance = Instance::new(&world);
    let mut paper = instance.setup_paper();
    change(&instance, &mut paper);
    let genesis = world.verified();
    let chain = walk(&genesis, &instance.chain).unwrap();
    let freshness = Freshness::Live {
        nonce: &NONCE,
        max_age: core::time::Duration::from_secs(60),
        now_unix: NOW,
    };
    verify_setup(&paper.bytes(), &genesis, &chain, &anchors(), &freshness)
}

fn live(change: impl FnOnce(&Instance<'_>, &mut Paper)) -> Result<VerifiedLive, InstanceError> {
    let world = World::new();
    let instance = Instance::new(&world);
    let mut paper = instance.live_paper();
    change(&instance, &mut paper);
    let genesis = world.verified();
    let chain = walk(&genesis, &instance.chain).unwrap();
    let setup = pair("setup");
    let bytes = paper.bytes();
    verify_live(&bytes, &genesis, &chain, &setup, &anchors(), &ARCHIVED)
}

fn code<T: core::fmt::Debug>(outcome: Result<T, InstanceError>) -> &'static str {
    outcome.expect_err("a refusal").code()
}

#[test]
fn genuine_documents_of_every_stage_are_accepted() {
    birth(|_| {}).unwrap();
    let shown = setup(|_, _| {}).unwrap();
    assert_eq!(shown.setup, pair("setup"));
    assert_eq!(shown.facts.module_id, MODULE_ID);
    assert_eq!(shown.facts.timestamp, UnixMillis(NOW * 1000));
    let world = World::new();
    let bytes = Instance::new(&world).setup_paper().bytes();
    assert_eq!(shown.facts.document, Sha256::of(&bytes));
    assert_eq!(live(|_, _| {}).unwrap().live, pair("live"));
}

#[test]
fn document_of_a_genesis_for_another_output_fails_closed() {
    let other = World::other();
    let register = other.birth_paper().pcrs.into_iter().find(|(i, _)| *i == 16);
    let register = register.unwrap().1;
    assert_eq!(
        code(birth(|paper| paper.set(16, register))),
        "instance-genesis-register"
    );
    let user_data = to_bytes(&UserData::Genesis(other.genesis()));
    let expected = InstanceError::UserData {
        expected: UserData::Genesis(World::new().genesis()),
    };
    assert_eq!(birth(|paper| paper.user_data = user_data), Err(expected));
}

#[test]
fn document_of_another_stage_fails_closed() {
    // Every register is right; only the stage is another.
    let world = World::new();
    let instance = Instance::new(&world);
    let stage = |user_data| {
        move |_: &Instance<'_>, paper: &mut Paper| {
            paper.user_data = to_bytes(&user_data);
        }
    };
    let live_data = UserData::Live(instance.digest());
    assert_eq!(code(setup(stage(live_data))), "instance-user-data");
    let setup_data = UserData::Setup(instance.digest());
    assert_eq!(code(live(stage(setup_data))), "instance-user-data");
}

#[test]
fn document_without_user_data_fails_closed() {
    let outcome = live(|_, paper| paper.user_data = Vec::new());
    assert_eq!(code(outcome), "instance-user-data");
}

#[test]
fn wrong_measurement_fails_closed() {
    for register in 0..3 {
        let found = Pcr([0x77; 48]);
        let outcome = setup(|_, paper| paper.set(register, found));
        let expected = InstanceError::Measurement {
            index: register as u8,
            expected: Pcr([0x30 + register as u8; 48]),
            found,
        };
        assert_eq!(outcome, Err(expected));
        let outcome = birth(|paper| paper.set(register, found));
        assert_eq!(code(outcome), "instance-measurement");
    }
}

#[test]
fn genesis_image_is_no_instance_and_fails_closed() {
    // A manifest's instance must not be run by the image of the genesis, nor the other way round.
    let outcome = live(|_, paper| {
        for register in 0..3 {
            paper.set(register, Pcr([0x20 + register as u8; 48]));
        }
    });
    assert_eq!(code(outcome), "instance-measurement");
}

#[test]
fn all_zero_measurements_fails_closed() {
    let zero = |paper: &mut Paper| (0..3).for_each(|register| paper.set(register, Pcr::ZERO));
    let debug = Err(InstanceError::Attestation(AttestationError::DebugMode));
    assert_eq!(birth(zero), debug);
    assert_eq!(setup(|_, paper| zero(paper)).map(drop), debug);
    assert_eq!(live(|_, paper| zero(paper)).map(drop), debug);
}

#[test]
fn commitment_to_other_keys_fails_closed() {
    let keys = pair("mallory");
    let outcome = setup(|_, paper| paper.public_key = keys.to_attested().to_vec());
    assert_eq!(code(outcome), "instance-setup-register");
    let outcome = live(|_, paper| paper.public_key = keys.to_attested().to_vec());
    assert_eq!(code(outcome), "instance-live-register");
}

#[test]
fn commitment_to_another_manifest_fails_closed() {
    let outcome = setup(|instance, paper| {
        let genesis = instance.world.genesis();
        let first = Digest::of(&instance.chain[0].manifest);
        let data = setup_extension(&genesis, &first, &pair("setup"));
        paper.set(16, extended_once(&data));
    });
    assert_eq!(code(outcome), "instance-setup-register");
}

#[test]
fn commitment_to_other_applications_fails_closed() {
    let outcome = setup(|_, paper| paper.set(18, Pcr([1; 48])));
    assert_eq!(code(outcome), "instance-applications-register");
}

#[test]
fn register_extended_twice_fails_closed() {
    let outcome = live(|instance, paper| {
        let genesis = instance.world.genesis();
        let data = live_extension(&genesis, &instance.digest(), &pair("live"));
        paper.set(17, extended_once(&data).extend(&data));
    });
    let Err(InstanceError::Commitment { commitment, .. }) = outcome else {
        panic!("another outcome");
    };
    assert_eq!((commitment, commitment.register()), (Commitment::Live, 17));
}

#[test]
fn register_not_locked_fails_closed() {
    for register in [16_u64, 17, 18] {
        let expected = InstanceError::RegisterMissing {
            index: register as u8,
        };
        let outcome = setup(|_, paper| paper.remove(register));
        assert_eq!(outcome.map(drop), Err(expected.clone()));
        let outcome = live(|_, paper| paper.remove(register));
        assert_eq!(outcome.map(drop), Err(expected));
    }
}

#[test]
fn setup_without_live_keys_fails_closed() {
    let outcome = setup(|_, paper| paper.set(17, Pcr::ZERO));
    assert_eq!(outcome, Err(InstanceError::LiveRegisterUnused));
}

#[test]
fn public_key_that_is_no_pair_fails_closed() {
    for key in [vec![4; 130], vec![4; 129], vec![0; 130]] {
        let outcome = setup(|_, paper| paper.public_key = key.clone());
        assert_eq!(code(outcome), "instance-public-key");
    }
}

#[test]
fn other_setup_keys_than_those_of_the_live_document_fails_closed() {
    let world = World::new();
    let instance = Instance::new(&world);
    let genesis = world.verified();
    let chain = walk(&genesis, &instance.chain).unwrap();
    let bytes = instance.live_paper().bytes();
    let setup = pair("mallory");
    let outcome = verify_live(&bytes, &genesis, &chain, &setup, &anchors(), &ARCHIVED);
    assert_eq!(code(outcome), "instance-setup-register");
}

#[test]
fn wrong_nonce_and_stale_attestation_fails_closed() {
    let world = World::new();
    let instance = Instance::new(&world);
    let genesis = world.verified();
    let chain = walk(&genesis, &instance.chain).unwrap();
    let bytes = instance.setup_paper().bytes();
    let max_age = core::time::Duration::from_secs(60);
    let check = |nonce: &[u8], now_unix| {
        let freshness = Freshness::Live {
            nonce,
            max_age,
            now_unix,
        };
        verify_setup(&bytes, &genesis, &chain, &anchors(), &freshness).map(drop)
    };
    assert_eq!(check(&NONCE, NOW + 60), Ok(()));
    assert_eq!(
        check(b"another nonce, also long enough.", NOW),
        Err(InstanceError::Attestation(AttestationError::NonceMismatch))
    );
    let age = core::time::Duration::from_secs(61);
    assert_eq!(
        check(&NONCE, NOW + 61),
        Err(InstanceError::Attestation(AttestationError::Stale {
            age,
            max_age
        }))
    );
}

#[test]
fn development_root_where_awss_is_required_fails_closed() {
    let world = World::new();
    let instance = Instance::new(&world);
    let genesis = world.verified();
    let chain = walk(&genesis, &instance.chain).unwrap();
    let bytes = instance.setup_paper().bytes();
    let aws = TrustAnchors::with_aws();
    let outcome = verify_setup(&bytes, &genesis, &chain, &aws, &ARCHIVED);
    assert_eq!(code(outcome), "root-not-trusted");
}

#[test]
fn trusted_root_that_the_definition_does_not_name_fails_closed() {
    // The namespace is AWS's; the verifier trusts a development root besides.
    let mut fields = World::new().record.definition.into_inner();
    let named = fields.attestation_root.clone();
    fields.attestation_root.partition = name("aws");
    let world = World::of(fields.clone());
    let definition = &world.record.definition;
    let genesis = check_output(definition, &world.record.output).unwrap();
    let bytes = world.birth_paper().bytes();
    let outcome = verify_genesis_document(&bytes, definition, &genesis, &anchors(), &ARCHIVED);
    let expected = InstanceError::Root {
        expected: definition.attestation_root.clone(),
        partition: Partition::Development,
        fingerprint: named.fingerprint,
    };
    assert_eq!(outcome, Err(expected));

    fields.attestation_root = named;
    fields.attestation_root.fingerprint = Sha256([9; 32]);
    let world = World::of(fields);
    let definition = &world.record.definition;
    let genesis = check_output(definition, &world.record.output).unwrap();
    let bytes = world.birth_paper().bytes();
    let outcome = verify_genesis_document(&bytes, definition, &genesis, &anchors(), &ARCHIVED);
    assert_eq!(code(outcome), "instance-root");
}

#[test]
fn manifest_outside_its_window_fails_closed() {
    for before in [true, false] {
        let world = World::new();
        let mut instance = Instance::new(&world);
        let mut fields = World::after(instance.manifest());
        let at = UnixMillis(NOW * 1000);
        if before {
            fields.validity.not_before = UnixMillis(at.0 + 1);
        } else {
            fields.validity.not_after = UnixMillis(at.0 - 1);
        }
        let (not_before, not_after) = (fields.validity.not_before, fields.validity.not_after);
        let manifest = crate::world::check(fields);
        let link = crate::world::approved(manifest, &crate::world::MANIFEST_SET);
        instance.chain.push(link);
        let genesis = world.verified();
        let chain = walk(&genesis, &instance.chain).unwrap();
        let bytes = instance.setup_paper().bytes();
        let outcome = verify_setup(&bytes, &genesis, &chain, &anchors(), &ARCHIVED);
        let expected = InstanceError::Validity {
            not_before,
            not_after,
            at,
        };
        assert_eq!(outcome, Err(expected));
    }
}

#[test]
fn record_and_chain_of_two_namespaces_fails_closed() {
    let (world, other) = (World::new(), World::other());
    let instance = Instance::new(&world);
    let chain = walk(&world.verified(), &instance.chain).unwrap();
    let bytes = instance.setup_paper().bytes();
    let genesis = other.verified();
    let outcome = verify_setup(&bytes, &genesis, &chain, &anchors(), &ARCHIVED);
    let expected = InstanceError::Genesis {
        record: other.genesis(),
        chain: world.genesis(),
    };
    assert_eq!(outcome, Err(expected));
}
