//! Halts of the first process before it listens, on the real kernel and with the real init.
//!
//! What fails is made to fail from outside: by words on the kernel's command line, which an image
//! can have and PCR0 and PCR1 name; by a device that is left out; or by a first process that changes
//! one setting of the kernel and then becomes init.

use std::path::{Path, PathBuf};

use quorate_eif::cpio::{Archive, Node};
use quorate_eif::{Eif, Parts};
use quorate_emulator::machine::run::{Setup, Until};
use quorate_emulator::process::Ended;
use quorate_protocol::message::Phase;

use crate::common::static_binary;
use crate::guest::{Bench, await_true, console, name, status};

/// The image with more words on its command line, and with another ramdisk where one is given.
fn variant(bench: &Bench, text: &str, words: &str, ramdisk: Option<&[u8]>) -> PathBuf {
    let bytes = std::fs::read(&bench.image).unwrap();
    let real = Eif::parse(&bytes).unwrap();
    let line = std::str::from_utf8(real.command_line()).unwrap();
    let ramdisks: Vec<&[u8]> = match ramdisk {
        Some(ramdisk) => vec![ramdisk],
        None => real.ramdisks().collect(),
    };
    let parts = Parts {
        architecture: real.architecture(),
        kernel: real.kernel(),
        command_line: &format!("{line} {words}"),
        ramdisks: &ramdisks,
        metadata: real.metadata(),
    };
    let path = bench.folder.path().join(format!("{text}.eif"));
    std::fs::write(&path, Eif::assemble(&parts).unwrap().to_bytes()).unwrap();
    path
}

fn setup(bench: &Bench, image: &Path) -> Setup {
    Setup {
        image: image.to_owned(),
        until: Until::Running,
        ..bench.setup()
    }
}

/// The last words of a machine that ends by itself, in order.
fn halts(bench: &mut Bench, text: &str, setup: &Setup) -> String {
    let started = bench.start_as(text, setup);
    let ended = bench.await_end(text);
    let said = console(&started);
    assert_eq!(ended, Ended::Exited(0), "{text}: {said}");
    assert!(!said.contains("panic"), "{text}: {said}");
    bench.hypervisor.kill(&name(text)).unwrap();
    let mut lines = said.lines();
    let halting = lines.find_map(|line| line.split_once("quorate-init: halting reason=\""));
    let Some((_, reason)) = halting else {
        panic!("{text}: {said}");
    };
    reason.trim_end().trim_end_matches('"').to_owned()
}

/// Each mount in turn finds that the kernel allows no more of them.
#[test]
fn each_mount_of_the_start_that_fails_halts_the_machine_by_name_fails_closed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    // The kernel's own root is the first.
    for (at, place) in [
        "/",
        "/dev",
        "/proc",
        "/sys",
        "/sys/kernel/security",
        "/cgroup",
        "/empty",
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("mounts-{}", at + 1);
        let words = format!("sysctl.fs.mount-max={}", at + 1);
        let image = variant(&bench, &text, &words, None);
        let machine = setup(&bench, &image);
        let reason = halts(&mut bench, &text, &machine);
        let expected = format!("the mount at {place} failed: ENOSPC: No space left on device");
        assert_eq!(reason, expected, "{words}");
    }
    // One more, and it goes on.
    let image = variant(&bench, "mounts-8", "sysctl.fs.mount-max=8", None);
    let machine = Setup {
        until: Until::Listening,
        ..setup(&bench, &image)
    };
    let started = bench.start_as("mounts-8", &machine);
    assert_eq!(status(&started.operator).phase, Phase::Waiting);
}

/// What confines applications is there, or nothing starts.
#[test]
fn a_kernel_without_landlock_yama_or_cgroups_halts_the_machine_by_name_fails_closed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for (text, words, expected) in [
        (
            "landlock",
            "lsm=lockdown,yama",
            "ask for Landlock: EOPNOTSUPP: ",
        ),
        (
            "yama",
            "lsm=lockdown,landlock",
            "/proc/sys/kernel/yama/ptrace_scope: ",
        ),
        (
            "cgroups",
            "cgroup_disable=memory",
            "turn on limits of memory and processes: ",
        ),
    ] {
        let image = variant(&bench, text, words, None);
        let machine = setup(&bench, &image);
        let reason = halts(&mut bench, text, &machine);
        assert!(reason.starts_with(expected), "{words}: {reason}");
    }
}

/// No word on the command line takes the kernel's lockdown away; init would halt without it
/// (`quorate-init::a_kernel_that_is_not_locked_down_fails_closed`).
#[test]
fn no_command_line_takes_the_kernels_lockdown_away() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let words = "lockdown=integrity lsm=yama,landlock";
    let image = variant(&bench, "lockdown", words, None);
    let machine = Setup {
        until: Until::Listening,
        ..setup(&bench, &image)
    };
    let started = bench.start_as("lockdown", &machine);
    assert_eq!(status(&started.operator).phase, Phase::Waiting);
}

/// The test guest turns the kernel's source of randomness off and then becomes the real init.
#[test]
fn a_kernel_whose_randomness_is_not_the_nsms_halts_the_machine_by_name_fails_closed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let mut archive = Archive::new();
    let device = Node::CharacterDevice { major: 5, minor: 1 };
    for (path, permissions, node) in [
        ("dev", 0o755, Node::Directory),
        ("dev/console", 0o600, device),
        (
            "init",
            0o755,
            Node::File(static_binary("quorate-test-guest")),
        ),
        (
            "quorate-init",
            0o755,
            Node::File(static_binary("quorate-init")),
        ),
    ] {
        archive.add(path, permissions, node).unwrap();
    }
    let ramdisk = archive.to_bytes();
    let image = variant(&bench, "source", "no-random-source", Some(&ramdisk));
    let machine = setup(&bench, &image);
    let reason = halts(&mut bench, "source", &machine);
    assert_eq!(reason, "the kernel's source of randomness is not the NSM");
    // The same two processes without that, and it goes on.
    let image = variant(&bench, "becomes", "become-init", Some(&ramdisk));
    let started = bench.start_as("becomes", &setup(&bench, &image));
    let waits = || console(&started).contains("phase name=Waiting");
    assert!(await_true(waits), "{}", console(&started));
}

#[test]
fn a_machine_without_an_nsm_halts_by_name_fails_closed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let mut machine = setup(&bench, &bench.image);
    machine.faults.add("nsm-absent=yes").unwrap();
    let reason = halts(&mut bench, "absent", &machine);
    let expected = "the NSM cannot be reached: ";
    assert!(reason.starts_with(expected), "{reason}");
}
