//! Machines: the unmodified image in QEMU, with the emulator's devices.
//!
//! The image is the file that `QUORATE_IMAGE` names; without it these tests say that they were
//! skipped. `QUORATE_QEMU` names a QEMU or an unpacked tree of one; else one is looked for.

#[path = "../common/mod.rs"]
mod common;
mod guest;
mod halts;
mod life;
mod nsm;
mod vsock;

use std::time::{Duration, Instant};

use guest::{Bench, ask, await_true, console, name, status};
use quorate_emulator::device::Mode;
use quorate_emulator::machine::image;
use quorate_emulator::machine::run::{MachineError, Setup, Until};
use quorate_emulator::measurements::Measurements as Measured;
use quorate_emulator::process::{Ended, ProcessError};
use quorate_protocol::atoms::{Name, Pcr, Sha256};
use quorate_protocol::cbor::Checked;
use quorate_protocol::definition::{
    AgeLimit, AttestationRoot, Definition, DefinitionFields, MeasurementFields,
};
use quorate_protocol::message::{GenesisRequest, Phase, Reason, Request, Response};
use quorate_verify::attestation::{
    DebugMode, Freshness, Partition, Pcr as VerifiedPcr, TrustAnchor, TrustAnchors, verify,
};

/// A genesis under this hypervisor's root, of the image with these measurements.
fn genesis(bench: &Bench, measured: &Measured, role_arn: Option<&str>) -> GenesisRequest {
    let people: Vec<_> = (1..=3)
        .map(|n| common::Person::new(&format!("member-{n}"), n))
        .collect();
    let set = common::set(&people, 2);
    let measurements = MeasurementFields {
        pcr0: Pcr(measured.pcr0),
        pcr1: Pcr(measured.pcr1),
        pcr2: Pcr(measured.pcr2),
        role_arn: role_arn.map(|arn| quorate_protocol::atoms::Text::new(arn).unwrap()),
        pcr8: None,
    };
    let definition: Definition = Checked::new(DefinitionFields {
        format: quorate_protocol::FORMAT,
        namespace: Name::new("test").unwrap(),
        manifest_set: set.clone(),
        share_set: set,
        attestation_root: AttestationRoot {
            partition: Name::new(AttestationRoot::DEVELOPMENT).unwrap(),
            fingerprint: Sha256::of(&common::root_der(&bench.hypervisor)),
        },
        measurements: Checked::new(measurements).unwrap(),
        age_limit: AgeLimit::SHORTEST,
    })
    .unwrap();
    GenesisRequest {
        consents: common::consents(&definition, &people),
        definition,
        entropy: Vec::new(),
        nonce: common::nonce(),
    }
}

fn anchors(bench: &Bench) -> TrustAnchors {
    let mut anchors = TrustAnchors::empty();
    let root = common::root_der(&bench.hypervisor);
    let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
    anchors.insert(anchor).unwrap();
    anchors
}

#[test]
fn the_unmodified_image_boots_and_is_attested() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let role = "arn:aws:iam::123456789012:role/enclave";
    let setup = Setup {
        role_arn: Some(role.into()),
        ..bench.setup()
    };
    let started = bench.start_as("one", &setup);
    assert_eq!(status(&started.operator).phase, Phase::Waiting);
    assert_eq!(status(&started.public).phase, Phase::Waiting);
    assert!(console(&started).contains("quorate-init: heartbeat answered=yes"));
    let beat = bench
        .hypervisor
        .await_heartbeat(&name("one"), Duration::ZERO);
    assert_eq!(beat, Ok(true));

    // init compares its own registers with the definition's before it goes on.
    let measured = image::measure(&bench.image).unwrap();
    let request = genesis(&bench, &measured, Some(role));
    let answer = ask(&started.operator, &Request::Genesis(request.clone())).unwrap();
    let Response::Genesis(response) = answer else {
        panic!("{answer:?}");
    };
    let document = response.document.as_slice();
    let freshness = Freshness::Live {
        nonce: request.nonce.as_slice(),
        max_age: Duration::from_secs(60),
        now_unix: quorate_emulator::server::system_clock_ms() / 1000,
    };
    let attested = verify(document, &anchors(&bench), &freshness, DebugMode::default()).unwrap();
    assert_eq!(attested.document().module_id(), started.module);
    for (index, value) in [(0, measured.pcr0), (1, measured.pcr1), (2, measured.pcr2)] {
        let expected = VerifiedPcr::from(value);
        attested.expect_pcr(index, &expected).unwrap();
    }
    let expected = VerifiedPcr::ZERO.extend(role.as_bytes());
    attested.expect_pcr(3, &expected).unwrap();
    // Nobody trusts it who was not told to.
    let aws = TrustAnchors::with_aws();
    assert!(verify(document, &aws, &freshness, DebugMode::default()).is_err());
    let stopped = bench.hypervisor.stop(&name("one")).unwrap();
    assert!(!stopped.ended_before);
}

#[test]
fn an_image_with_other_measurements_refuses_the_genesis_fails_closed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let mut measured = image::measure(&bench.image).unwrap();
    measured.pcr1[0] ^= 1;
    let started = bench.start("one");
    let request = genesis(&bench, &measured, None);
    let answer = ask(&started.operator, &Request::Genesis(request)).unwrap();
    assert_eq!(common::reason(answer), Reason::MeasurementMismatch);
}

#[test]
fn a_machine_in_debug_mode_has_zero_registers_and_fails_closed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let setup = Setup {
        mode: Mode::Debug,
        ..bench.setup()
    };
    let started = bench.start_as("one", &setup);
    let measured = image::measure(&bench.image).unwrap();
    let request = genesis(&bench, &measured, None);
    let answer = ask(&started.operator, &Request::Genesis(request)).unwrap();
    let Response::Refused(refusal) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(refusal.reason, Reason::MeasurementMismatch);
    assert!(refusal.detail.as_str().contains("debug"), "{refusal:?}");
}

#[test]
fn two_machines_run_side_by_side() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (one, two) = (bench.start("one"), bench.start("two"));
    assert_ne!(one.module, two.module);
    let again = bench.hypervisor.start_machine(&name("one"), &bench.setup());
    let taken = ProcessError::AlreadyThere { name: name("one") };
    assert_eq!(again, Err(taken));
    for started in [&one, &two] {
        assert_eq!(status(&started.operator).phase, Phase::Waiting);
    }
    // One is killed as by a power failure; the other does not notice.
    let stopped = bench.hypervisor.kill(&name("one")).unwrap();
    assert_eq!(stopped.ended, Ended::Killed(9));
    assert!(ask(&one.operator, &Request::Status).is_none());
    assert_eq!(status(&two.operator).phase, Phase::Waiting);
}

#[test]
fn a_machine_with_too_little_memory_ends_and_says_why() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let setup = Setup {
        memory_mib: 32,
        ..bench.setup()
    };
    let outcome = bench.hypervisor.start_machine(&name("one"), &setup);
    match outcome {
        Err(ProcessError::Machine(MachineError::EndedEarly { console, .. })) => {
            let said = std::fs::read_to_string(console).unwrap();
            assert!(said.contains("panic") || said.contains("memory"), "{said}");
        }
        // A kernel that fits is no failure.
        Ok(started) => assert_eq!(status(&started.operator).phase, Phase::Waiting),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_no_machine_can_have_fails_closed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let good = bench.setup();
    for (what, setup) in [
        (
            "memory in MiB",
            Setup {
                memory_mib: 31,
                ..good.clone()
            },
        ),
        (
            "memory in MiB",
            Setup {
                memory_mib: u32::MAX,
                ..good.clone()
            },
        ),
        (
            "processors",
            Setup {
                cpus: 0,
                ..good.clone()
            },
        ),
        (
            "CID",
            Setup {
                cid: Some(3),
                ..good.clone()
            },
        ),
        (
            "CID",
            Setup {
                cid: Some(u32::MAX),
                ..good.clone()
            },
        ),
    ] {
        let outcome = bench.hypervisor.start_machine(&name("one"), &setup);
        match outcome {
            Err(ProcessError::Machine(MachineError::Bounds { what: found, .. })) => {
                assert_eq!(found, what);
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    let no_image = bench.folder.path().join("no.eif");
    std::fs::write(&no_image, b"no image").unwrap();
    let setup = Setup {
        image: no_image,
        ..good
    };
    let outcome = bench.hypervisor.start_machine(&name("no"), &setup);
    let refused = matches!(outcome, Err(ProcessError::Machine(MachineError::Image(_))));
    assert!(refused, "{outcome:?}");
}

/// A machine does not outlive a process that had no chance to end it: this test runs itself once
/// more, and that one aborts.
#[test]
fn a_machine_ends_with_its_process() {
    const CHILD: &str = "QUORATE_TEST_ABORTS";
    if let Some(folder) = std::env::var_os(CHILD) {
        let mut bench = Bench::new().unwrap();
        let setup = Setup {
            until: Until::Running,
            ..bench.setup()
        };
        let pid = bench.start_as("one", &setup).pid;
        std::fs::write(folder, pid.to_string()).unwrap();
        std::process::abort();
    }
    let Some(bench) = Bench::new() else { return };
    let told = bench.folder.path().join("pid");
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_machine_ends_with_its_process"])
        .env(CHILD, &told)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    let pid = std::fs::read_to_string(told).unwrap();
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| {
            stat.rsplit(')').next().unwrap().starts_with(" Z")
        })
    };
    assert!(await_true(gone), "QEMU {pid} is left");
}

/// The figures of the issue; the bounds are those for a computer that does nothing else.
#[test]
fn how_long_it_takes() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let setup = Setup {
        until: Until::Running,
        ..bench.setup()
    };
    let since = Instant::now();
    let started = bench.start_as("one", &setup);
    let running = since.elapsed();
    assert!(await_true(|| console(&started).contains("quorate-init")));
    let first_line = since.elapsed();
    assert!(await_true(
        || ask(&started.operator, &Request::Status).is_some()
    ));
    let answers = since.elapsed();
    println!(
        "QEMU runs after {running:?}, init's first line after {first_line:?}, status {:?} later",
        answers - first_line
    );
    assert!(first_line < Duration::from_secs(30));
}
