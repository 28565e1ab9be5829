//! What an application is given besides edges: time, entropy, a log, an order of starts and stops.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use quorate_protocol::control::ReportKind;
use quorate_protocol::message::Phase;

use super::misconduct::log;
use super::{Stage, puppet};

const BACK: u32 = 5100;
const FRONT: u32 = 5101;

#[test]
fn an_application_starts_when_those_it_calls_are_ready() {
    let mut back = puppet("back", BACK).misbehaves("hang");
    back.0.restart.start_deadline_ms = 2000;
    let stage = Stage::launching(vec![back, puppet("front", FRONT).calls(&["back"])]);
    let status = stage.status();
    assert_eq!(status.phase, Phase::Launching);
    assert_eq!(stage.application("front").starts, 0);
    stage.await_running();
    assert_eq!(stage.application("back").starts, 2);
    let answer = stage.call(FRONT, "back", "hello");
    assert_eq!(answer, "2 start 2, called by front 1: hello");
    let console = stage.console();
    let place = |line: &str| console.find(line).unwrap_or_else(|| panic!("{line}"));
    assert!(place("ready application=back start=2") < place("started application=front start=1"));
}

#[test]
fn applications_stop_in_the_order_that_leaves_no_caller_without_its_callee() {
    let stage = Stage::running(vec![
        puppet("a", BACK),
        puppet("b", FRONT).calls(&["a"]),
        puppet("c", 5102).calls(&["a", "b"]),
    ]);
    let init = i32::try_from(stage.instance.enclave.started.pid).unwrap();
    let signal = nix::sys::signal::Signal::SIGTERM;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(init), signal).unwrap();
    let operator = stage.instance.enclave.started.operator.clone();
    while UnixStream::connect(&operator).is_ok() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let console = stage.console();
    let ended: Vec<&str> = console
        .lines()
        .filter_map(|line| line.strip_prefix("quorate-init: ended application="))
        .collect();
    let expected = ["c", "b", "a"].map(|name| format!("{name} start=1 status=0"));
    assert_eq!(ended, expected, "{console}");
}

#[test]
fn reports_are_kept_with_their_start_and_time_and_shown_on_the_console() {
    let stage = Stage::running(vec![puppet("back", BACK)]);
    stage.tell(BACK, "report 3");
    stage.await_status("reports arrive", |_| {
        log(&stage).applications[0].reports.len() == 3
    });
    let kept = log(&stage).applications.remove(0);
    assert_eq!(kept.dropped, 0);
    let values: Vec<_> = kept.reports.iter().map(|r| r.report.value).collect();
    assert_eq!(values, [0, 1, 2]);
    for reported in &kept.reports {
        assert_eq!(reported.start, 1);
        assert_eq!(reported.report.kind, ReportKind::Note);
        assert_eq!(reported.report.code, 7);
    }
    let line = "report application=back start=1 kind=Note code=7 value=2";
    assert!(stage.console().contains(line));
}

/// The crate keeps an application that reports too much from looking like one that floods.
#[test]
fn an_application_that_reports_a_lot_lives_on_and_says_how_much_it_dropped() {
    let stage = Stage::running(vec![puppet("back", BACK)]);
    stage.tell(BACK, "report 5000");
    stage.await_status("some of it arrives", |_| {
        !log(&stage).applications[0].reports.is_empty()
    });
    // When the rate allows another report, it says how many were lost.
    stage.await_status("what was dropped is said", |_| {
        stage.tell(BACK, "report 1");
        let reports = log(&stage).applications.remove(0).reports;
        let lost = reports.iter().find(|r| r.report.code == u16::MAX);
        // How many depends on how fast this machine is.
        lost.is_some_and(|r| r.report.value > 0 && r.report.kind == ReportKind::Warning)
    });
    assert_eq!(stage.application("back").starts, 1);
}

#[test]
fn entropy_time_and_the_instances_key_come_from_init() {
    let stage = Stage::running(vec![puppet("back", BACK)]);
    // More than one message of entropy, and more at once than the rate allows.
    let given: std::collections::BTreeSet<_> =
        (0..40).map(|_| stage.tell(BACK, "entropy")).collect();
    assert_eq!(given.len(), 40);
    assert!(given.iter().all(|bytes| bytes.len() == 32), "{given:?}");
    let time = || stage.tell(BACK, "time").parse::<u64>().unwrap();
    let (first, second) = (time(), time());
    assert!(second >= first);
    // The emulated NSM goes by this machine's clock.
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    assert!(u128::from(second).abs_diff(now) < 60_000);
    let live = stage.instance.booted.live.verification;
    assert_eq!(stage.tell(BACK, "instance"), live.to_string());
    assert_eq!(stage.application("back").starts, 1);
    assert_eq!(stage.world.people.len(), 2);
}
