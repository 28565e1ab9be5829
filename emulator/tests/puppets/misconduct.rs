//! Applications that hang, flood, close or answer for others: each is ended or cut off by itself,
//! starts again, and the others and the operators do not notice.

use std::time::Duration;

use quorate_protocol::message::{Exit, Log, Phase, Reason, Request, Response};

use super::{Stage, puppet};

const BACK: u32 = 5100;
const FRONT: u32 = 5101;
const BAD: u32 = 5102;

/// `front` calls `back` and `bad`; `bad` calls `back` and misbehaves in its first start.
fn beside(what: &str, deadline_ms: u32) -> Stage {
    let mut bad = puppet("bad", BAD).misbehaves(what);
    bad.0.restart.start_deadline_ms = deadline_ms;
    Stage::launching(vec![
        puppet("back", BACK),
        bad.calls(&["back"]),
        puppet("front", FRONT).calls(&["back"]),
    ])
}

/// It was ended and started again; the others are in their first start and call each other.
fn comes_back(stage: &Stage, exit: Exit) {
    stage.await_start("bad", 2);
    stage.await_running();
    let bad = stage.application("bad");
    assert_eq!((bad.exit, bad.restarts_left), (Some(exit), 19));
    let answer = stage.call(FRONT, "back", "hello");
    assert_eq!(answer, "1 start 1, called by front 1: hello");
    let answer = stage.call(BAD, "back", "hello");
    assert_eq!(answer, "1 start 1, called by bad 2: hello");
    for other in ["back", "front"] {
        let other = stage.application(other);
        assert_eq!((other.starts, other.exit), (1, None));
    }
}

const KILLED: Exit = Exit::Signalled(9);

fn misconduct(stage: &Stage, what: &str) {
    let line = format!("misconduct application=bad start=1 what={what}");
    let console = stage.console();
    assert!(console.contains(&line), "{console}");
}

#[test]
fn an_application_that_exits_in_its_start_fails_closed() {
    comes_back(&beside("exit", 60_000), Exit::Exited(3));
}

#[test]
fn an_application_that_hangs_in_its_start_fails_closed() {
    let stage = beside("hang", 1500);
    comes_back(&stage, KILLED);
    misconduct(&stage, "Late");
}

#[test]
fn an_application_that_closes_its_control_socket_fails_closed() {
    let stage = beside("close-control", 60_000);
    comes_back(&stage, KILLED);
    misconduct(&stage, "Closed");
}

#[test]
fn an_application_that_floods_its_control_socket_fails_closed() {
    for what in ["flood-control", "flood-entropy", "flood-dials"] {
        let stage = beside(what, 60_000);
        comes_back(&stage, KILLED);
        misconduct(&stage, "Flooded");
    }
}

#[test]
fn an_application_that_dials_an_address_fails_closed() {
    let stage = beside("dial-address", 60_000);
    comes_back(&stage, KILLED);
    misconduct(&stage, "Malformed");
}

#[test]
fn reports_of_a_flood_are_bounded_and_the_rest_counted() {
    let stage = beside("flood-control", 60_000);
    comes_back(&stage, KILLED);
    let log = log(&stage);
    let bad = &log.applications[1];
    assert_eq!(bad.name.as_str(), "bad");
    assert_eq!(bad.reports.len(), 64);
    assert!(bad.dropped >= 64, "{}", bad.dropped);
    assert!(
        bad.reports
            .iter()
            .all(|r| r.start == 1 && r.report.code == 1)
    );
}

#[test]
fn an_application_that_says_what_is_not_in_the_protocol_fails_closed() {
    for what in ["garbage-control", "long-control"] {
        let stage = beside(what, 60_000);
        comes_back(&stage, KILLED);
        misconduct(&stage, "Malformed");
    }
}

/// It says that its edge with `victim` is broken, over and over.
#[test]
fn an_application_that_wants_new_edges_without_end_fails_closed() {
    let stage = Stage::launching(vec![
        puppet("bad", BAD)
            .misbehaves("flood-renewals")
            .calls(&["victim"]),
        puppet("front", FRONT).calls(&["victim"]),
        puppet("victim", BACK),
    ]);
    stage.await_start("bad", 2);
    misconduct(&stage, "Flooded");
    let answer = stage.call(FRONT, "victim", "hello");
    assert_eq!(answer, "1 start 1, called by front 1: hello");
    let answer = stage.call(BAD, "victim", "hello");
    assert_eq!(answer, "1 start 1, called by bad 2: hello");
    assert_eq!(stage.application("victim").starts, 1);
}

/// A callee that answers the first call with what is no answer to it.
fn answers_wrongly(what: &str, first: &str) {
    let stage = Stage::running(vec![
        puppet("back", BACK),
        puppet("bad", BAD).misbehaves(what),
        puppet("front", FRONT).calls(&["back", "bad"]),
    ]);
    assert_eq!(stage.call(FRONT, "bad", "hello"), first);
    // The edge was renewed between the same two starts; both behave on the new one.
    let answer = stage.call(FRONT, "bad", "hello");
    assert_eq!(answer, "1 start 1, called by front 1: hello");
    let answer = stage.call(FRONT, "back", "hello");
    assert_eq!(answer, "1 start 1, called by front 1: hello");
    assert!(stage.status().applications.iter().all(|a| a.starts == 1));
}

#[test]
fn an_answer_for_another_call_fails_closed() {
    answers_wrongly("wrong-number", "1 BadAnswer");
}

#[test]
fn an_answer_longer_than_any_fails_closed() {
    answers_wrongly("huge-answer", "1 BadAnswer");
}

/// The first of them is the answer. The second shows before the next call, which takes another edge.
#[test]
fn a_second_answer_to_one_call_fails_closed() {
    answers_wrongly("two-answers", "1");
}

#[test]
fn a_caller_that_floods_an_edge_fails_closed() {
    for what in ["flood-edge", "garbage-edge"] {
        let stage = beside(what, 60_000);
        stage.await_running();
        for _ in 0..20 {
            let answer = stage.call(FRONT, "back", "hello");
            assert_eq!(answer, "1 start 1, called by front 1: hello");
        }
        assert!(stage.status().applications.iter().all(|a| a.starts == 1));
    }
}

/// Operators are served while an application floods in every start it gets.
#[test]
fn a_flood_in_every_start_delays_no_operator_and_ends_with_the_restarts() {
    let mut bad = puppet("bad", BAD).misbehaves("flood-entropy");
    bad.0
        .arguments
        .push(quorate_protocol::atoms::Text::new("always").unwrap());
    bad.0.restart.restarts = 3;
    let stage = Stage::launching(vec![bad, puppet("front", FRONT)]);
    let mut answered = 0;
    let operator = stage.instance.enclave.started.operator.clone();
    while let Ok(mut stream) = std::os::unix::net::UnixStream::connect(&operator) {
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).unwrap();
        let request = quorate_protocol::frame::frame(&[0x81, 0]).unwrap();
        if std::io::Write::write_all(&mut stream, &request).is_err() {
            break;
        }
        match super::common::read_response(&mut stream) {
            Some(Response::Status(status)) => {
                assert_eq!(status.phase, Phase::Launching);
                answered += 1;
            }
            Some(other) => panic!("{other:?}"),
            // It halts, as the manifest says.
            None => break,
        }
    }
    assert!(answered > 0);
    let console = stage.console();
    assert!(console.contains("start=4 what=Flooded"), "{console}");
    assert!(
        console.contains("halting reason=\"an application ended"),
        "{console}"
    );
}

pub(super) fn log(stage: &Stage) -> Log {
    match stage.instance.enclave.ask(&Request::Log) {
        Response::Log(log) => log,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_log_on_the_public_port_fails_closed() {
    let stage = Stage::running(vec![puppet("back", BACK)]);
    match stage.instance.enclave.ask_public(&Request::Log) {
        Response::Refused(refusal) => assert_eq!(refusal.reason, Reason::WrongPort),
        other => panic!("{other:?}"),
    }
    assert_eq!(log(&stage).applications.len(), 1);
}
