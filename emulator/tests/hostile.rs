//! What an enclave does with bad input: each case arrives over the real socket, is refused for the
//! right reason, and a good ceremony completes after it in the same enclave.

mod common;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use common::{
    Instance, Person, World, application, approvals, ask_on, consents, echo, index, nonce,
    read_response, reason, set,
};
use quorate_protocol::atoms::{Bytes, Pcr, Sha256, UnixMillis};
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::frame::frame;
use quorate_protocol::instance::Index;
use quorate_protocol::manifest::{Approval, Link, ManifestFields};
use quorate_protocol::members::Role;
use quorate_protocol::message::{
    AttestRequest, BootRequest, EvidenceRequest, Fault, Phase, Reason, Request, Response, Stage,
    Upload,
};
use quorate_sharing::Secret;

/// The enclave must still do all of its work.
fn completes(world: &World, instance: &Instance, kept: &[usize]) {
    let rest: Vec<_> = (0..usize::from(world.threshold))
        .filter(|p| !kept.contains(p))
        .collect();
    instance.provision(world, &rest);
    let status = instance.enclave.status();
    assert_eq!(status.phase, Phase::Running);
    assert!(status.applications.iter().all(|a| a.ready));
}

#[test]
fn malformed_frames_fails_closed() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    let status = instance.enclave.status();
    let garbage: [&[u8]; 9] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 0, 0, 0, 2, 0x81, 0],          // version 0
        &[2, 0, 0, 0, 2, 0x81, 0],          // version 2
        &[1, 0xff, 0xff, 0xff, 0xff],       // 4 GiB announced
        &[1, 0, 0, 0, 0],                   // empty
        &[1, 0, 0, 0, 1, 0x81],             // one byte
        &[1, 0, 0, 0, 2, 0x9f, 0xff],       // indefinite
        &[1, 0, 0, 0, 3, 0x82, 0x18, 0x20], // no such kind
        &[1, 0, 0, 1, 0, 0x81, 0],          // a status of 256 bytes
    ];
    for bytes in garbage {
        let mut stream = instance.enclave.connect();
        stream.write_all(bytes).unwrap();
        let answer = read_response(&mut stream).unwrap();
        assert_eq!(reason(answer), Reason::Malformed, "{bytes:02x?}");
        let mut end = [0];
        assert_eq!(
            stream.read(&mut end).unwrap_or(0),
            0,
            "the connection is closed"
        );
    }
    assert_eq!(instance.enclave.status(), status, "nothing changed");
    completes(&world, &instance, &[]);
}

#[test]
fn malformed_payload_fails_closed() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    let good = to_bytes(&Request::Provision(instance.honest(&world, 0)));
    let mut unknown_role = good.clone();
    // The payload with each byte after the kind changed is refused or, where only the signature or
    // a digest changed, not accepted as this member's.
    for position in (2..unknown_role.len()).step_by(7) {
        unknown_role[position] ^= 1;
        let mut stream = instance.enclave.connect();
        stream.write_all(&frame(&unknown_role).unwrap()).unwrap();
        let answer = read_response(&mut stream).unwrap();
        assert!(
            matches!(answer, Response::Refused(_)),
            "byte {position}: {answer:?}"
        );
        unknown_role[position] ^= 1;
    }
    let mut trailing = good;
    trailing.push(0);
    let mut stream = instance.enclave.connect();
    stream.write_all(&frame(&trailing).unwrap()).unwrap();
    assert_eq!(
        reason(read_response(&mut stream).unwrap()),
        Reason::Malformed
    );
    assert!(instance.enclave.status().accepted.is_empty());
    completes(&world, &instance, &[]);
}

#[test]
fn truncated_frame_fails_closed() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    let good = frame(&to_bytes(&Request::Provision(instance.honest(&world, 0)))).unwrap();
    for length in [1, 4, 5, 6, good.len() / 2, good.len() - 1] {
        let mut stream = instance.enclave.connect();
        stream.write_all(&good[..length]).unwrap();
        drop(stream);
    }
    assert!(instance.enclave.status().accepted.is_empty());
    completes(&world, &instance, &[]);
}

#[test]
fn requests_out_of_order_fails_closed() {
    let mut world = World::new(3, 2);
    let (record, shares) = world.genesis();
    let link = world.approved(world.manifest_fields(&record, &echo()));

    let fresh = world.start();
    let attest = |stage| {
        Request::Attest(AttestRequest {
            stage,
            nonce: nonce(),
        })
    };
    for stage in [Stage::Genesis, Stage::Setup, Stage::Live] {
        assert_eq!(
            fresh.refused(&attest(stage)).reason,
            Reason::NothingToAttest
        );
    }
    let evidence = Request::Evidence(EvidenceRequest { nonce: nonce() });
    assert_eq!(fresh.refused(&evidence).reason, Reason::NothingToAttest);

    let instance = world.boot(record, shares, vec![link]);
    let provision = Request::Provision(instance.honest(&world, 0));
    assert_eq!(fresh.refused(&provision).reason, Reason::WrongPhase);

    let enclave = &instance.enclave;
    let again = BootRequest {
        record: instance.record.clone(),
        chain: instance.chain.clone(),
    };
    assert_eq!(
        enclave.refused(&Request::Boot(again)).reason,
        Reason::WrongPhase
    );
    let genesis = Request::Genesis(world.genesis_request());
    assert_eq!(enclave.refused(&genesis).reason, Reason::WrongPhase);
    assert_eq!(
        enclave.refused(&attest(Stage::Genesis)).reason,
        Reason::NothingToAttest
    );
    completes(&world, &instance, &[]);
    assert_eq!(enclave.refused(&provision).reason, Reason::WrongPhase);
    assert_eq!(
        enclave.refused(&attest(Stage::Setup)).reason,
        Reason::NothingToAttest
    );
}

#[test]
fn second_genesis_in_one_enclave_fails_closed() {
    let mut world = World::new(3, 2);
    let enclave = world.start();
    let request = Request::Genesis(world.genesis_request());
    let first = enclave.ask(&request);
    assert!(matches!(first, Response::Genesis(_)));
    assert_eq!(enclave.refused(&request).reason, Reason::WrongPhase);
    let Response::Genesis(first) = first else {
        unreachable!()
    };
    let (record, shares) = world.receipts(first);
    let link = world.approved(world.manifest_fields(&record, &echo()));
    let boot = BootRequest {
        record: record.clone(),
        chain: vec![link.clone()],
    };
    let refused = enclave.refused(&Request::Boot(boot));
    assert_eq!(
        refused.reason,
        Reason::WrongPhase,
        "a genesis enclave never boots"
    );
    let instance = world.boot(record, shares, vec![link]);
    completes(&world, &instance, &[]);
}

#[test]
fn genesis_without_consent_fails_closed() {
    let mut world = World::new(3, 2);
    let enclave = world.start();
    let good = world.genesis_request();

    let mut missing = good.clone();
    missing.consents.pop();
    assert_eq!(
        enclave.refused(&Request::Genesis(missing)).reason,
        Reason::ConsentMissing
    );

    let mut repeated = good.clone();
    repeated.consents[1] = repeated.consents[0].clone();
    assert_eq!(
        enclave.refused(&Request::Genesis(repeated)).reason,
        Reason::ConsentInvalid
    );

    let strangers: Vec<_> = world
        .people
        .iter()
        .map(|p| Person::new(p.name.as_str(), p.index.get()))
        .collect();
    let mut foreign = good.clone();
    foreign.consents = consents(&world.definition, &strangers);
    assert_eq!(
        enclave.refused(&Request::Genesis(foreign)).reason,
        Reason::ConsentInvalid
    );

    assert!(matches!(
        enclave.ask(&Request::Genesis(good)),
        Response::Genesis(_)
    ));
}

#[test]
fn genesis_under_other_measurements_fails_closed() {
    let mut world = World::new(3, 2);
    let enclave = world.start();
    let mut fields = world.definition.clone().into_inner();
    let mut measured = fields.measurements.clone().into_inner();
    measured.pcr0 = Pcr([9; 48]);
    fields.measurements = Checked::new(measured).unwrap();
    let definition = Checked::new(fields).unwrap();
    let mut request = world.genesis_request();
    request.consents = consents(&definition, &world.people);
    request.definition = definition;
    let refusal = enclave.refused(&Request::Genesis(request));
    assert_eq!(refusal.reason, Reason::MeasurementMismatch);
    assert!(refusal.detail.as_str().starts_with("PCR0"), "{refusal:?}");
    let good = Request::Genesis(world.genesis_request());
    assert!(matches!(enclave.ask(&good), Response::Genesis(_)));
}

#[test]
fn impossible_sets_fails_closed() {
    let world = World::new(3, 2);
    let bytes = to_bytes(&world.definition);
    let set = |threshold: u8| {
        let mut fields = world.definition.share_set.clone().into_inner();
        fields.threshold = threshold;
        Checked::new(fields).is_err()
    };
    assert!(set(0) && set(1) && set(4));
    // The same on the wire: the threshold follows the key 0 of the share set.
    let mut world = world;
    let enclave = world.start();
    for threshold in [0, 1, 4] {
        let mut request = to_bytes(&Request::Genesis(world.genesis_request()));
        let at = find(&request, &bytes) + find(&bytes, &to_bytes(&world.definition.share_set)) + 2;
        assert_eq!(request[at], 2);
        request[at] = threshold;
        let mut stream = enclave.connect();
        stream.write_all(&frame(&request).unwrap()).unwrap();
        assert_eq!(
            reason(read_response(&mut stream).unwrap()),
            Reason::Malformed
        );
    }
    // A member twice.
    let mut people: Vec<_> = (1..=3).map(|n| Person::new(&format!("m{n}"), n)).collect();
    people[2].index = index(2);
    let members = people.iter().map(Person::member).collect();
    let doubled = quorate_protocol::members::MemberSetFields {
        threshold: 2,
        members,
    };
    assert!(Checked::new(doubled).is_err());
    assert_eq!(enclave.status().phase, Phase::Waiting);
    let good = Request::Genesis(world.genesis_request());
    assert!(matches!(enclave.ask(&good), Response::Genesis(_)));
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack
        .windows(needle.len())
        .position(|w| w == needle)
        .unwrap()
}

/// Boots that must be refused, in one enclave, and then a good one.
#[test]
fn bad_boots_fails_closed() {
    let mut world = World::new(3, 2);
    let (record, shares) = world.genesis();
    let fields = world.manifest_fields(&record, &echo());
    let good = world.approved(fields.clone());
    let enclave = world.start();
    enclave.upload(&echo());
    let boot = |record: &_, chain: Vec<Link>| {
        let record = quorate_protocol::genesis::GenesisRecord::clone(record);
        enclave
            .refused(&Request::Boot(BootRequest { record, chain }))
            .reason
    };
    let changed = |change: &dyn Fn(&mut ManifestFields)| {
        let mut fields = fields.clone();
        change(&mut fields);
        vec![world.approved(fields)]
    };

    // The record.
    let mut unfinished = record.clone();
    unfinished.receipts.pop();
    assert_eq!(boot(&unfinished, vec![good.clone()]), Reason::RecordInvalid);
    let mut swapped = record.clone();
    swapped.receipts.swap(0, 1);
    assert_eq!(boot(&swapped, vec![good.clone()]), Reason::RecordInvalid);

    // Approvals.
    let with = |approvals| {
        vec![Link {
            manifest: good.manifest.clone(),
            approvals,
            reshare: None,
            surrogates: Vec::new(),
        }]
    };
    assert_eq!(boot(&record, with(Vec::new())), Reason::ApprovalsMissing);
    assert_eq!(
        boot(&record, with(good.approvals[..1].to_vec())),
        Reason::ApprovalsMissing
    );
    let twice = vec![good.approvals[0].clone(), good.approvals[0].clone()];
    assert_eq!(boot(&record, with(twice)), Reason::ApprovalInvalid);
    let strangers = [Person::new("member-1", 1), Person::new("member-2", 2)];
    let foreign = approvals(&good.manifest, &strangers, Role::ManifestSet);
    assert_eq!(boot(&record, with(foreign)), Reason::ApprovalInvalid);
    let other_role = approvals(&good.manifest, &world.people[..2], Role::ShareSet);
    assert_eq!(boot(&record, with(other_role)), Reason::ApprovalsMissing);
    let mut other = fields.clone();
    other.validity.not_before = UnixMillis(1);
    let other = world.approved(other);
    assert_eq!(
        boot(&record, with(other.approvals)),
        Reason::ApprovalInvalid
    );
    let relabelled: Vec<Signed<Approval>> =
        approvals(&good.manifest, &world.people[..2], Role::ShareSet)
            .into_iter()
            .map(|signed| {
                // The same signature, claiming the other role.
                let mut bytes = to_bytes(&signed);
                let payload = to_bytes(signed.unverified());
                let at = find(&bytes, &payload) + 2;
                assert_eq!(bytes[at], 2);
                bytes[at] = 1;
                from_bytes(&bytes).unwrap()
            })
            .collect();
    assert_eq!(boot(&record, with(relabelled)), Reason::ApprovalInvalid);

    // A stranger's manifest set, approved by that set: genuine measurements, genuine quorum key.
    let set_of_strangers: Vec<_> = (1..=3)
        .map(|n| Person::new(&format!("evil-{n}"), n))
        .collect();
    let mut takeover = fields.clone();
    takeover.manifest_set = set(&set_of_strangers, 2);
    let manifest = Checked::new(takeover).unwrap();
    let approved = approvals(&manifest, &set_of_strangers[..2], Role::ManifestSet);
    let link = Link {
        manifest,
        approvals: approved,
        reshare: None,
        surrogates: Vec::new(),
    };
    assert_eq!(boot(&record, vec![link]), Reason::ApprovalsMissing);

    // The chain.
    assert_eq!(boot(&record, Vec::new()), Reason::ChainInvalid);
    let skipped = changed(&|f| {
        f.sequence = 2;
        f.previous = Some(Digest::from_bytes([1; 32]));
    });
    assert_eq!(boot(&record, skipped), Reason::ChainInvalid);
    assert_eq!(
        boot(&record, vec![good.clone(), good.clone()]),
        Reason::ChainInvalid
    );
    let elsewhere = changed(&|f| f.genesis = Digest::from_bytes([3; 32]));
    assert_eq!(boot(&record, elsewhere), Reason::ChainInvalid);

    // Time, binaries, measurements.
    let past = changed(&|f| f.validity.not_after = UnixMillis(1_000));
    assert_eq!(boot(&record, past), Reason::OutsideValidity);
    let other_binary = changed(&|f| f.applications = vec![application("echo", b"other")]);
    assert_eq!(boot(&record, other_binary), Reason::BinaryMissing);
    let other_size = changed(&|f| f.applications[0].size += 1);
    assert_eq!(boot(&record, other_size), Reason::BinaryMissing);
    let other_image = changed(&|f| {
        let mut measured = f.measurements.clone().into_inner();
        measured.pcr2 = Pcr([5; 48]);
        f.measurements = Checked::new(measured).unwrap();
    });
    assert_eq!(boot(&record, other_image), Reason::MeasurementMismatch);

    assert_eq!(enclave.status().phase, Phase::Waiting, "nothing advanced");
    let request = BootRequest {
        record: record.clone(),
        chain: vec![good.clone()],
    };
    let Response::Booted(booted) = enclave.ask(&Request::Boot(request)) else {
        panic!("a good boot is refused after bad ones");
    };
    let instance = Instance {
        enclave,
        record,
        chain: vec![good],
        shares,
        booted: *booted,
    };
    completes(&world, &instance, &[]);
}

#[test]
fn wrong_binary_fails_closed() {
    let mut world = World::new(3, 2);
    let enclave = world.start();
    let piece = |sha256, offset, data: &[u8]| {
        let data = Bytes::new(data.to_vec()).unwrap();
        Request::Upload(Upload {
            sha256,
            size: 8,
            offset,
            data,
        })
    };
    let announced = Sha256::of(b"ABCDEFGH");
    let refused = enclave.refused(&piece(announced, 0, b"abcdefgh"));
    assert_eq!(refused.reason, Reason::UploadHashMismatch);
    assert_eq!(
        enclave.refused(&piece(announced, 4, b"EFGH")).reason,
        Reason::UploadOutOfOrder
    );
    assert!(matches!(
        enclave.ask(&piece(announced, 0, b"ABCD")),
        Response::Uploaded(_)
    ));
    assert_eq!(
        enclave.refused(&piece(announced, 0, b"ABCD")).reason,
        Reason::UploadOutOfOrder
    );
    let Response::Uploaded(done) = enclave.ask(&piece(announced, 4, b"EFGH")) else {
        panic!()
    };
    assert!(done.complete);
}

/// A stranger announces the right hash with a wrong size and never finishes.
#[test]
fn upload_announced_with_a_wrong_size_fails_closed() {
    let mut world = World::new(3, 2);
    let enclave = world.start();
    let piece = |size, data: &[u8]| {
        Request::Upload(Upload {
            sha256: Sha256::of(b"ABCDEFGH"),
            size,
            offset: 0,
            data: Bytes::new(data.to_vec()).unwrap(),
        })
    };
    for size in [7, 9, 5000] {
        let _ = enclave.ask(&piece(size, b"ABCD"));
    }
    let Response::Uploaded(done) = enclave.ask(&piece(8, b"ABCDEFGH")) else {
        panic!("the honest upload was refused")
    };
    assert!(done.complete);
}

#[test]
fn bad_shares_fails_closed() {
    let mut world = World::new(5, 3);
    let instance = world.booted();
    let enclave = &instance.enclave;
    let send = |request| enclave.refused(&Request::Provision(request));

    // The first honest share is kept through everything that follows.
    let first = enclave.ask(&Request::Provision(instance.honest(&world, 0)));
    assert!(matches!(first, Response::Provisioned(_)), "{first:?}");

    // A wrong share: that member is named, and only that one.
    let wrong = *Secret::random(&mut common::rng()).to_bytes();
    let sealed = instance.sealed(1, &wrong);
    let refusal = send(instance.signed(instance.grant(1), sealed, &world.people[1]));
    assert_eq!(
        (refusal.reason, refusal.fault),
        (Reason::ShareWrong, Fault::Member)
    );
    assert_eq!(refusal.member, Some(Index(index(2))));
    // Another member's share under one's own name.
    let sealed = instance.sealed(1, &*instance.shares[2].to_bytes());
    let refusal = send(instance.signed(instance.grant(1), sealed, &world.people[1]));
    assert_eq!(
        (refusal.reason, refusal.member),
        (Reason::ShareWrong, Some(Index(index(2))))
    );
    // No scalar at all.
    let sealed = instance.sealed(1, &[0xff; 32]);
    let refusal = send(instance.signed(instance.grant(1), sealed, &world.people[1]));
    assert_eq!(refusal.reason, Reason::ShareUnreadable);
    // Sealed to somebody else's context.
    let sealed = instance.sealed(2, &*instance.shares[1].to_bytes());
    let refusal = send(instance.signed(instance.grant(1), sealed, &world.people[1]));
    assert_eq!(
        (refusal.reason, refusal.member),
        (Reason::ShareUnreadable, Some(Index(index(2))))
    );
    // A repeat.
    let refusal = send(instance.honest(&world, 0));
    assert_eq!(
        (refusal.reason, refusal.fault),
        (Reason::ShareRepeated, Fault::Caller)
    );
    // Signed by somebody else: nobody is named.
    let sealed = instance.sealed(1, &wrong);
    let refusal = send(instance.signed(instance.grant(1), sealed, &world.people[3]));
    assert_eq!(
        (refusal.reason, refusal.member),
        (Reason::GrantSignature, None)
    );
    // A stranger.
    let mut grant = instance.grant(1);
    grant.index = index(200);
    let sealed = instance.sealed(1, &wrong);
    let refusal = send(instance.signed(grant, sealed, &Person::new("stranger", 200)));
    assert_eq!(refusal.reason, Reason::NotAMember);
    // A good grant beside another ciphertext: the signer is not to blame.
    let mut spliced = instance.honest(&world, 1);
    spliced.sealed = instance.sealed(1, &wrong);
    let refusal = send(spliced);
    assert_eq!(
        (refusal.reason, refusal.member),
        (Reason::CiphertextMismatch, None)
    );
    // For another namespace, manifest, epoch.
    type Change = fn(&mut quorate_protocol::provision::ShareGrant);
    let changes: [Change; 3] = [
        |g| g.genesis = Digest::from_bytes([1; 32]),
        |g| g.manifest = Digest::from_bytes([1; 32]),
        |g| g.epoch = Digest::from_bytes([1; 32]),
    ];
    for change in changes {
        let mut grant = instance.grant(1);
        change(&mut grant);
        let sealed = instance.sealed(1, &*instance.shares[1].to_bytes());
        let refusal = send(instance.signed(grant, sealed, &world.people[1]));
        assert_eq!(refusal.reason, Reason::GrantForAnother);
    }
    assert_eq!(
        enclave.status().accepted,
        [Index(index(1))],
        "the good share is kept"
    );
    completes(&world, &instance, &[0]);
}

#[test]
fn grant_replayed_to_another_instance_fails_closed() {
    let mut world = World::new(3, 2);
    let first = world.booted();
    let second = world.boot(first.record.clone(), Vec::new(), first.chain.clone());
    let grant = Request::Provision(first.honest(&world, 0));
    assert_eq!(
        second.enclave.refused(&grant).reason,
        Reason::GrantForAnother
    );
    assert!(second.enclave.status().accepted.is_empty());
    completes(&world, &first, &[]);
}

#[test]
fn thousand_bad_provisions_fails_closed() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    let sealed = instance.sealed(0, &[1; 32]);
    let bad = instance.signed(instance.grant(0), sealed, &world.people[1]);
    let mut stream = instance.enclave.connect();
    for _ in 0..1000 {
        let answer = ask_on(&mut stream, &Request::Provision(bad.clone()));
        assert_eq!(reason(answer), Reason::GrantSignature);
    }
    assert!(instance.enclave.status().accepted.is_empty());
    completes(&world, &instance, &[]);
}

#[test]
fn public_port_takes_no_ceremony() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    let provision = Request::Provision(instance.honest(&world, 0));
    assert_eq!(
        reason(instance.enclave.ask_public(&provision)),
        Reason::WrongPort
    );
    let boot = BootRequest {
        record: instance.record.clone(),
        chain: instance.chain.clone(),
    };
    assert_eq!(
        reason(instance.enclave.ask_public(&Request::Boot(boot))),
        Reason::WrongPort
    );
    let genesis = Request::Genesis(world.genesis_request());
    assert_eq!(
        reason(instance.enclave.ask_public(&genesis)),
        Reason::WrongPort
    );
    // Refused by its kind: what a stranger may not ask is not even decoded.
    let mut stream = UnixStream::connect(&instance.enclave.started.public).unwrap();
    stream
        .write_all(&frame(&[0x82, 3, 0xff, 0xff]).unwrap())
        .unwrap();
    assert_eq!(
        reason(read_response(&mut stream).unwrap()),
        Reason::WrongPort
    );
    let status = instance.enclave.ask_public(&Request::Status);
    assert!(matches!(status, Response::Status(_)));
    completes(&world, &instance, &[]);
}

#[test]
fn idle_connections_delay_nobody() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    // Far more than the enclave keeps, on both ports; half of them in the middle of a frame.
    let mut idle = Vec::new();
    for n in 0..300 {
        for path in [
            &instance.enclave.started.operator,
            &instance.enclave.started.public,
        ] {
            let mut stream = UnixStream::connect(path).unwrap();
            if n % 2 == 0 {
                let _ = stream.write_all(&[1, 0, 0]);
            }
            idle.push(stream);
        }
    }
    // A machine takes connections one after another: one that is answered comes after all of these,
    // which might else come after an operator's and take its place.
    for path in [
        &instance.enclave.started.operator,
        &instance.enclave.started.public,
    ] {
        let since = std::time::Instant::now();
        let answered = || {
            let mut stream = UnixStream::connect(path).unwrap();
            let patience = Some(std::time::Duration::from_secs(20));
            stream.set_read_timeout(patience).unwrap();
            let _ = stream.write_all(&frame(&to_bytes(&Request::Status)).unwrap());
            read_response(&mut stream).is_some()
        };
        while !answered() {
            assert!(since.elapsed() < std::time::Duration::from_secs(60));
        }
    }
    completes(&world, &instance, &[]);
    drop(idle);
}

#[test]
fn flood_on_the_public_port_starves_no_operator() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    let path = instance.enclave.started.public.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flooders: Vec<_> = (0..2)
        .map(|_| {
            let (path, stop) = (path.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut served = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) && served < 100_000 {
                    let Ok(mut stream) = UnixStream::connect(&path) else {
                        continue;
                    };
                    for _ in 0..20 {
                        let request = AttestRequest {
                            stage: Stage::Live,
                            nonce: nonce(),
                        };
                        let bytes = frame(&to_bytes(&Request::Attest(request))).unwrap();
                        if stream.write_all(&bytes).is_err() {
                            break;
                        }
                        served += usize::from(read_response(&mut stream).is_some());
                    }
                }
                served
            })
        })
        .collect();
    completes(&world, &instance, &[]);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for flooder in flooders {
        flooder.join().unwrap();
    }
}
