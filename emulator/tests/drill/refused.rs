//! What a drill enclave refuses, by name, what others refuse of a drill, and that a refusal changes
//! nothing.

use quorate_protocol::atoms::Bytes;
use quorate_protocol::message::{
    EvidenceRequest, GenesisRequest, Phase, ProvisionRequest, Reason, Upload,
};
use quorate_protocol::provision::{ShareGrant, provision_share_context};

use super::*;
use crate::common::{index, reason};

/// Nothing but a drill: no genesis, no boot, no real share, no binary, no evidence, no second drill;
/// and no application starts when it is over.
#[test]
fn an_enclave_for_a_drill_does_nothing_else_fails_closed() {
    let mut namespace = Namespace::new();
    let rehearsal = namespace.start();
    let enclave = &rehearsal.enclave;
    let real = &namespace.shares[0];
    let manifest = Digest::of(&rehearsal.manifest);
    let genesis = namespace.record.digest();
    let epoch = rehearsal.manifest.epoch;
    let context = provision_share_context(&genesis, &manifest, real.index(), &epoch);
    let sealed = sealed_to(&rehearsal.setup, &context, &*real.to_bytes());
    let grant = ShareGrant {
        role: Role::ShareSet,
        genesis,
        manifest,
        setup: rehearsal.setup.clone(),
        document: Sha256([7; 32]),
        index: real.index(),
        epoch,
        sealed: Digest::of(&sealed),
        time: UnixMillis(1),
    };
    let provision = ProvisionRequest {
        grant: Signed::sign(grant, &namespace.world.people[0].signing),
        sealed,
        delegation: None,
    };
    let upload = Upload {
        sha256: Sha256([1; 32]),
        size: 1,
        offset: 0,
        data: Bytes::new(vec![0]).unwrap(),
    };
    let genesis = GenesisRequest {
        definition: namespace.world.definition.clone(),
        consents: namespace.world.consents.clone(),
        entropy: Vec::new(),
        nonce: nonce(),
    };
    let others = [
        Request::Provision(provision),
        Request::Boot(namespace.boot_request()),
        Request::Drill(Box::new(namespace.boot_request())),
        Request::Genesis(genesis),
        Request::Upload(upload),
        Request::Challenge,
        Request::ReshareChallenge,
    ];
    let nothing_else = |phase| {
        for request in &others {
            assert_eq!(
                reason(enclave.ask(request)),
                Reason::DrillOnly,
                "{request:?}"
            );
        }
        for stage in [Stage::Genesis, Stage::Setup, Stage::Live] {
            let request = quorate_protocol::message::AttestRequest {
                stage,
                nonce: nonce(),
            };
            let refused = enclave.ask(&Request::Attest(request));
            assert_eq!(reason(refused), Reason::DrillOnly);
        }
        let evidence = Request::Evidence(EvidenceRequest { nonce: nonce() });
        assert_eq!(reason(enclave.ask(&evidence)), Reason::NothingToAttest);
        let status = enclave.status();
        assert_eq!((status.phase, status.applications), (phase, Vec::new()));
    };
    nothing_else(Phase::Drilling);
    for position in [0, 1] {
        rehearsal.take(&namespace.honest(&rehearsal, position));
    }
    nothing_else(Phase::Drilling);
    let drill = rehearsal.ended();
    nothing_else(Phase::Drilled);
    let late = rehearsal.ask(&namespace.honest(&rehearsal, 2));
    assert_eq!(reason(late), Reason::DrillOver);
    namespace.verify(&drill).unwrap();
}

/// Strangers cannot take part in it, nor begin or end it.
#[test]
fn strangers_cannot_ask_for_it_fails_closed() {
    let mut namespace = Namespace::new();
    let rehearsal = namespace.start();
    let honest = namespace.honest(&rehearsal, 0);
    let finish = DrillFinishRequest {
        nonce: nonce(),
        due: rehearsal.in_days(1),
    };
    for request in [
        Request::Drill(Box::new(namespace.boot_request())),
        Request::DrillGive(Box::new(honest.clone())),
        Request::DrillFinish(finish),
    ] {
        let refused = rehearsal.enclave.ask_public(&request);
        assert_eq!(reason(refused), Reason::WrongPort);
    }
    rehearsal.take(&honest);
}

/// A drill grant in an enclave that waits, one that was booted, and one that runs.
#[test]
fn a_drill_share_in_a_real_enclave_fails_closed() {
    let mut namespace = Namespace::new();
    let rehearsal = namespace.start();
    let honest = namespace.honest(&rehearsal, 0);
    let waiting = namespace.world.start();
    assert_eq!(reason(give(&waiting, &honest)), Reason::DrillNotHere);
    let (record, chain) = (namespace.record.clone(), namespace.chain.clone());
    let shares = common::copies(&namespace.shares);
    let instance = namespace.world.boot(record, shares, chain);
    // Made for that instance, as a tool would that was told it is a drill.
    let passed = Rehearsal {
        setup: instance.booted.setup.clone(),
        ..rehearsal
    };
    let meant = namespace.honest(&passed, 0);
    let refused = || reason(give(&instance.enclave, &meant));
    assert_eq!(refused(), Reason::DrillNotHere);
    let date = passed.in_days(1);
    let ended = || reason(finish(&instance.enclave, date));
    assert_eq!(ended(), Reason::DrillNotHere);
    // And the drill share in the clothes of a real one.
    let drill = &namespace.drill_shares[0];
    let sealed = instance.sealed(0, &*drill.to_bytes());
    let request = instance.signed(instance.grant(0), sealed, &namespace.world.people[0]);
    let answer = instance.enclave.refused(&Request::Provision(request));
    assert_eq!(answer.reason, Reason::ShareWrong);
    instance.provision(&namespace.world, &[0, 1]);
    assert_eq!(refused(), Reason::DrillNotHere);
    assert_eq!(ended(), Reason::DrillNotHere);
}

/// Every part of a grant that could be another's.
#[test]
fn grants_and_proofs_of_something_else_fail_closed() {
    let mut namespace = Namespace::new();
    let (other, rehearsal) = (namespace.start(), namespace.start());
    let people = &namespace.world.people;
    let (real, drill) = (&namespace.shares[0], &namespace.drill_shares[0]);
    let refused = |request: &DrillRequest| {
        let refusal = rehearsal
            .enclave
            .refused(&Request::DrillGive(Box::new(request.clone())));
        (refusal.reason, refusal.member.map(|member| member.0))
    };
    let first = Some(index(1));
    let sealed = rehearsal.sealed(real.index(), &*drill.to_bytes());
    let with = |possession: DrillPossession, key: &Share, by: &Person| {
        let possession = Signed::sign(possession, &key.signing_key());
        DrillRequest {
            grant: Signed::sign(rehearsal.grant(possession, Some(&sealed)), &by.signing),
            sealed: Some(sealed.clone()),
        }
    };
    let honest = rehearsal.possession(real);
    // Made for another drill enclave of the same manifest: a replay.
    let replay = namespace.honest(&other, 0);
    assert_eq!(refused(&replay), (Reason::GrantForAnother, None));
    other.take(&replay);
    let changes: [&dyn Fn(&mut DrillPossession); 4] = [
        &|p| p.genesis = Digest::from_bytes([7; 32]),
        &|p| p.manifest = Digest::from_bytes([8; 32]),
        &|p| p.epoch = Digest::from_bytes([9; 32]),
        &|p| p.setup.encryption = people[1].decryption.public().into(),
    ];
    for change in changes {
        let mut changed = honest.clone();
        change(&mut changed);
        let request = with(changed, real, &people[0]);
        assert_eq!(refused(&request), (Reason::GrantForAnother, None));
    }
    // A stranger, another member's key, somebody else's share, a proof that was altered since.
    let mut stranger = honest.clone();
    stranger.index = index(9);
    let request = with(stranger, real, &people[0]);
    assert_eq!(refused(&request), (Reason::NotAMember, None));
    let request = with(honest.clone(), real, &people[1]);
    assert_eq!(refused(&request), (Reason::GrantSignature, None));
    let request = with(honest.clone(), &namespace.shares[1], &people[0]);
    assert_eq!(refused(&request), (Reason::DrillProof, first));
    let request = with(honest.clone(), drill, &people[0]);
    assert_eq!(refused(&request), (Reason::DrillProof, first));
    let signed = Signed::sign(honest.clone(), &real.signing_key());
    let mut altered = honest;
    altered.document = Sha256([8; 32]);
    let altered = Signed::from_parts(altered, &signed.signature()).unwrap();
    let request = DrillRequest {
        grant: Signed::sign(rehearsal.grant(altered, Some(&sealed)), &people[0].signing),
        sealed: Some(sealed.clone()),
    };
    assert_eq!(refused(&request), (Reason::DrillProof, first));
    // Drill shares of another sharing, another ciphertext, one that is not announced or not there.
    let honest = namespace.honest(&rehearsal, 0);
    let mut grant = honest.grant.unverified().clone();
    grant.drill = rehearsal.manifest.epoch;
    let request = DrillRequest {
        grant: Signed::sign(grant, &people[0].signing),
        ..honest.clone()
    };
    assert_eq!(refused(&request), (Reason::GrantForAnother, None));
    let announced = rehearsal.request(&people[0], real, None);
    for (grant, sealed) in [
        (honest.grant.clone(), None),
        (honest.grant.clone(), Some(sealed.clone())),
        (announced.grant, Some(sealed.clone())),
    ] {
        let request = DrillRequest { grant, sealed };
        assert_eq!(refused(&request), (Reason::CiphertextMismatch, None));
    }
    rehearsal.take(&honest);
    // The same again, and another grant of the same member.
    assert_eq!(refused(&honest), (Reason::ShareRepeated, first));
    let again = rehearsal.request(&people[0], real, None);
    assert_eq!(refused(&again), (Reason::ShareRepeated, first));
    rehearsal.take(&namespace.honest(&rehearsal, 1));
    namespace.verify(&rehearsal.ended()).unwrap();
}

/// The real share, another member's drill share, noise, no scalar; sealed in another context.
#[test]
fn anything_but_the_drill_share_fails_closed() {
    let mut namespace = Namespace::new();
    let rehearsal = namespace.start();
    let person = &namespace.world.people[0];
    let real = &namespace.shares[0];
    let refused = |sealed: SealedShare| {
        let possession = Signed::sign(rehearsal.possession(real), &real.signing_key());
        let grant = rehearsal.grant(possession, Some(&sealed));
        let request = DrillRequest {
            grant: Signed::sign(grant, &person.signing),
            sealed: Some(sealed),
        };
        let refusal = rehearsal
            .enclave
            .refused(&Request::DrillGive(Box::new(request)));
        assert_eq!(refusal.member.map(|member| member.0), Some(index(1)));
        refusal.reason
    };
    let at = real.index();
    let others = &namespace.drill_shares[1];
    let seal = |scalar: &[u8]| rehearsal.sealed(at, scalar);
    assert_eq!(refused(seal(&*real.to_bytes())), Reason::DrillRealShare);
    assert_eq!(refused(seal(&*others.to_bytes())), Reason::ShareWrong);
    assert_eq!(refused(seal(&[0xff; 32])), Reason::ShareUnreadable);
    assert_eq!(refused(seal(&[0; 32])), Reason::ShareUnreadable);
    let (genesis, manifest) = (namespace.record.digest(), Digest::of(&rehearsal.manifest));
    let real_context = provision_share_context(&genesis, &manifest, at, &rehearsal.manifest.epoch);
    for scalar in [&namespace.drill_shares[0], real] {
        let sealed = sealed_to(&rehearsal.setup, &real_context, &*scalar.to_bytes());
        assert_eq!(refused(sealed), Reason::ShareUnreadable);
    }
    assert_eq!(rehearsal.enclave.status().accepted, Vec::new());
    assert_eq!(rehearsal.take(&namespace.honest(&rehearsal, 0)).accepted, 1);
}

/// One short of the threshold ends nothing, proofs without drill shares stand in for none, and the next
/// date is in the future and not too far off.
#[test]
fn a_drill_without_the_threshold_or_with_a_wrong_date_fails_closed() {
    let mut namespace = Namespace::new();
    let rehearsal = namespace.start();
    let date = rehearsal.in_days(1);
    let ended = |due| reason(rehearsal.finish(due));
    assert_eq!(ended(date), Reason::DrillUnfinished);
    rehearsal.take(&namespace.honest(&rehearsal, 0));
    assert_eq!(ended(date), Reason::DrillUnfinished);
    let person = &namespace.world.people[2];
    let proof = rehearsal.request(person, &namespace.shares[2], None);
    let receipt = rehearsal.take(&proof);
    assert_eq!((receipt.proved, receipt.accepted), (2, 1));
    assert_eq!(ended(date), Reason::DrillUnfinished);
    let receipt = rehearsal.take(&namespace.honest(&rehearsal, 1));
    assert_eq!((receipt.proved, receipt.accepted), (3, 2));
    let now = rehearsal.in_days(0);
    for wrong in [
        UnixMillis(0),
        UnixMillis(now.0 - 1000),
        UnixMillis(u64::MAX),
        rehearsal.in_days(367),
    ] {
        assert_eq!(ended(wrong), Reason::DrillDue, "{wrong:?}");
    }
    let verified = namespace.verify(&rehearsal.ended()).unwrap();
    let gave: Vec<bool> = verified.participants.iter().map(|p| p.gave_share).collect();
    assert_eq!(gave, [true, true, false]);
}

/// A manifest that is not approved, not valid, of another image, or no chain at all, starts no drill.
#[test]
fn a_drill_of_something_else_does_not_start_fails_closed() {
    let mut namespace = Namespace::new();
    let enclave = namespace.world.start();
    let start = |chain: Vec<Link>| {
        let request = BootRequest {
            record: namespace.record.clone(),
            chain,
        };
        enclave.ask(&Request::Drill(Box::new(request)))
    };
    assert_eq!(reason(start(Vec::new())), Reason::ChainInvalid);
    let mut bare = namespace.chain.clone();
    bare[0].approvals.clear();
    assert_eq!(reason(start(bare)), Reason::ApprovalsMissing);
    let fields = || namespace.world.manifest_fields(&namespace.record, &echo());
    let mut old = fields();
    old.validity.not_after = UnixMillis(1);
    let old = namespace.world.approved(old);
    assert_eq!(reason(start(vec![old])), Reason::OutsideValidity);
    let mut other = fields();
    let mut measurements = other.measurements.clone().into_inner();
    measurements.pcr0 = measurements.pcr0.extend(b"another image");
    other.measurements = quorate_protocol::cbor::Checked::new(measurements).unwrap();
    let other = namespace.world.approved(other);
    assert_eq!(reason(start(vec![other])), Reason::MeasurementMismatch);
    // Nothing was changed by any of them.
    let answer = start(namespace.chain.clone());
    assert!(matches!(answer, Response::DrillStarted(_)), "{answer:?}");
}
