//! The sandbox from inside, in a machine: an application that tries to leave it, and what init and
//! the other applications notice.
//!
//! The image is the file that `QUORATE_IMAGE` names; without it these tests say that they tested
//! nothing. The applications are the static `quorate-attack`, which ./test builds.

#[path = "../common/mod.rs"]
mod common;

mod attacks;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use attacks::{BOUNDED, REFUSED};
use common::{Instance, World, application, image, static_binary};
use quorate_protocol::atoms::Text;
use quorate_protocol::message::{ApplicationStatus, Exit, Phase};

const ATTACKER: u32 = 5100;
const VICTIM: u32 = 5101;

/// A machine with two applications that do what they are told.
fn provisioned(image: PathBuf, memory_limit: u64) -> (World, Instance) {
    let binary = static_binary("quorate-attack");
    let mut world = World::of_machines(3, 2, image);
    let (record, shares) = world.genesis();
    let mut fields = world.manifest_fields(&record, &binary);
    fields.applications = [("attacker", ATTACKER), ("victim", VICTIM)]
        .map(|(name, port)| {
            let mut entry = application(name, &binary);
            entry.ports = vec![port];
            entry.arguments = vec![Text::new(&port.to_string()).unwrap()];
            entry.memory_limit = memory_limit;
            entry
        })
        .to_vec();
    let link = world.approved(fields);
    let instance = world.boot_with(record, shares, vec![link], &binary);
    instance.provision(&world, &[0, 1]);
    (world, instance)
}

/// Tells an application to attack; `None` if it does not answer.
fn attack(instance: &Instance, port: u32, name: &str) -> Option<String> {
    let socket = format!("port-{port}.sock");
    let path = instance.enclave.started.directory.join(socket);
    let mut stream = UnixStream::connect(path).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    writeln!(stream, "{name}").ok()?;
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).ok()?;
    Some(answer.trim_end().to_owned()).filter(|answer| !answer.is_empty())
}

fn applications(instance: &Instance) -> [ApplicationStatus; 2] {
    instance.enclave.status().applications.try_into().unwrap()
}

fn await_restart(instance: &Instance) {
    let since = Instant::now();
    loop {
        let [attacker, _] = applications(instance);
        if attacker.starts == 2 && attacker.ready {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{attacker:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lines of the console that are neither init's nor the kernel's.
fn strange_lines(console: &str) -> Vec<&str> {
    let known = |line: &&str| !line.starts_with("quorate-init: ") && !line.starts_with('[');
    let lines = console.lines().filter(|line| !line.trim().is_empty());
    lines.filter(known).collect()
}

#[test]
fn every_way_out_of_the_sandbox_fails_closed() {
    let Some(image) = image() else { return };
    let (world, instance) = provisioned(image, 256 << 20);
    let mut wrong = Vec::new();
    for (name, expected) in REFUSED {
        let answer = attack(&instance, ATTACKER, name);
        println!("{name}: {}", answer.as_deref().unwrap_or("no answer"));
        if answer.as_deref() != Some(*expected) {
            wrong.push(format!("{name}: {answer:?}, not {expected}"));
        }
    }
    for (name, least, most) in BOUNDED {
        let answer = attack(&instance, ATTACKER, name).unwrap_or_default();
        println!("{name}: {answer}");
        let number = answer.strip_prefix("done ").and_then(|n| n.parse().ok());
        if !number.is_some_and(|n: i64| (*least..=*most).contains(&n)) {
            wrong.push(format!("{name}: {answer}, not {least} to {most}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Nobody was harmed, the attacker included.
    for status in applications(&instance) {
        assert_eq!((status.starts, status.ready), (1, true), "{status:?}");
    }
    assert_eq!(instance.enclave.status().phase, Phase::Running);
    let console = world.console(&world.newest());
    assert_eq!(strange_lines(&console), Vec::<&str>::new());
}

#[test]
fn an_application_that_takes_the_kernels_memory_ends_alone() {
    let Some(image) = image() else { return };
    let (_world, instance) = provisioned(image, 128 << 20);
    assert_eq!(
        attack(&instance, ATTACKER, "exhaust-memory-of-the-kernel"),
        None
    );
    await_restart(&instance);
    let [attacker, victim] = applications(&instance);
    assert_eq!(attacker.exit, Some(Exit::Signalled(9)));
    assert_eq!((victim.starts, victim.ready), (1, true));
    assert_eq!(
        attack(&instance, VICTIM, "find-other-processes").as_deref(),
        Some("done 1")
    );
}

#[test]
fn an_application_that_aborts_is_started_again() {
    let Some(image) = image() else { return };
    let (_world, instance) = provisioned(image, 256 << 20);
    assert_eq!(attack(&instance, ATTACKER, "abort"), None);
    await_restart(&instance);
    let [attacker, victim] = applications(&instance);
    // The first process of a namespace is not ended by a signal of its own; the C library goes on
    // to a fault.
    assert_eq!(attacker.exit, Some(Exit::Signalled(11)));
    assert_eq!((victim.starts, victim.ready), (1, true));
    // The second start has the same sandbox.
    for (name, expected) in REFUSED.iter().step_by(10) {
        assert_eq!(
            attack(&instance, ATTACKER, name).as_deref(),
            Some(*expected),
            "{name}"
        );
    }
}

#[test]
fn an_application_that_burns_every_processor_delays_no_operator() {
    let Some(image) = image() else { return };
    let (_world, instance) = provisioned(image, 256 << 20);
    let answer = attack(&instance, ATTACKER, "burn-processors").unwrap();
    let count: i64 = answer.strip_prefix("done ").unwrap().parse().unwrap();
    assert!(count > 100, "{answer}");
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let since = Instant::now();
        assert_eq!(instance.enclave.status().phase, Phase::Running);
        slowest = slowest.max(since.elapsed());
    }
    println!("with {count} threads that compute: slowest of 20 answers {slowest:?}");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

#[test]
fn a_machine_without_memory_says_so_and_ends() {
    let Some(image) = image() else { return };
    // More than the machine has.
    let (world, instance) = provisioned(image, 1 << 40);
    assert_eq!(attack(&instance, ATTACKER, "exhaust-memory"), None);
    let name = world.newest();
    let since = Instant::now();
    while world.hypervisor.ended(&name).unwrap().is_none() {
        let console = world.console(&name);
        assert!(since.elapsed() < Duration::from_secs(60), "{console}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let console = world.console(&name);
    assert!(console.contains("panic_on_oom"), "{console}");
}

#[test]
fn a_machine_says_what_it_does_from_its_first_line_on() {
    let Some(image) = image() else { return };
    let (world, instance) = provisioned(image, 256 << 20);
    let console = world.console(&world.newest());
    println!("{console}");
    let mut rest = console.as_str();
    for line in [
        "quorate-init: booting uptime_ms=",
        "quorate-init: heartbeat answered=",
        "quorate-init: phase name=Waiting uptime_ms=",
        "quorate-init: phase name=Collecting uptime_ms=",
        "quorate-init: started application=attacker start=1",
        "quorate-init: phase name=Running uptime_ms=",
    ] {
        let (_, after) = rest.split_once(line).unwrap_or_else(|| panic!("{line}"));
        rest = after;
    }
    assert_eq!(strange_lines(&console), Vec::<&str>::new());
    assert_eq!(instance.enclave.status().phase, Phase::Running);
}
