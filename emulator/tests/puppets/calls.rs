//! Calls along the edges of the manifest, and what happens to them when one side ends.

use super::{Stage, puppet};

const BACK: u32 = 5100;
const FRONT: u32 = 5101;
const OTHER: u32 = 5102;

/// `front` calls `back`; `other` is connected with nobody.
fn three() -> Stage {
    Stage::running(vec![
        puppet("back", BACK),
        puppet("front", FRONT).calls(&["back"]),
        puppet("other", OTHER),
    ])
}

#[test]
fn calls_arrive_and_each_side_knows_the_others_start() {
    let stage = three();
    let answer = stage.call(FRONT, "back", "hello");
    assert_eq!(answer, "1 start 1, called by front 1: hello");
    let many: Vec<_> = (0..50)
        .map(|n| stage.call(FRONT, "back", &n.to_string()))
        .collect();
    for (n, answer) in many.iter().enumerate() {
        assert_eq!(*answer, format!("1 start 1, called by front 1: {n}"));
    }
}

#[test]
fn calls_from_many_threads_get_each_its_own_answer() {
    let stage = three();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let stage = &stage;
            scope.spawn(move || {
                for m in 0..10 {
                    let answer = stage.call(FRONT, "back", &format!("{n} {m}"));
                    assert_eq!(answer, format!("1 start 1, called by front 1: {n} {m}"));
                }
            });
        }
    });
}

/// There is no descriptor an application could try: what is open is its own.
#[test]
fn a_call_along_an_edge_the_manifest_does_not_list_fails_closed() {
    let stage = three();
    for (port, callee) in [(BACK, "front"), (OTHER, "back"), (FRONT, "other")] {
        let answer = stage.call(port, callee, "hello");
        let refused = format!("error this application may not call {callee}: its manifest entry");
        assert!(answer.starts_with(&refused), "{answer}");
    }
    // Control, listener, the connection of this test; and the edge. A connection of an order before
    // may not have been closed yet.
    let await_sockets = |port, wanted| {
        let fits = |open: &str| open.matches("=socket:").count() == wanted;
        stage.await_answer(port, "descriptors", fits);
    };
    await_sockets(OTHER, 3);
    await_sockets(FRONT, 4);
    await_sockets(BACK, 4);
    let answer = stage.call(FRONT, "back", "hello");
    assert_eq!(answer, "1 start 1, called by front 1: hello");
}

#[test]
fn calls_and_answers_of_the_largest_size_pass_and_larger_ones_fail_closed() {
    let stage = three();
    let send = |length: usize| stage.tell(FRONT, &format!("send back 20000 {length}"));
    assert_eq!(send(1 << 20), "1048576");
    assert_eq!(send((1 << 20) + 1), "TooLong { found: 1048577 }");
    let receive = |length: usize| stage.tell(FRONT, &format!("receive back 20000 {length}"));
    assert_eq!(receive(1 << 20), "1048576");
    // The callee cannot answer; it closes the edge and gets another.
    assert_eq!(receive((1 << 20) + 1), "Interrupted");
    assert_eq!(stage.call(FRONT, "back", "none"), "1 Interrupted");
    let answer = stage.call(FRONT, "back", "hello");
    assert_eq!(answer, "1 start 1, called by front 1: hello");
}

#[test]
fn a_late_answer_is_not_given_to_the_next_call() {
    let stage = three();
    for n in 0..3 {
        let late = stage.tell(FRONT, "call back 20 sleep 200");
        assert_eq!(late, "1 Timeout");
        let answer = stage.call(FRONT, "back", &n.to_string());
        assert_eq!(answer, format!("1 start 1, called by front 1: {n}"));
    }
    assert_eq!(stage.application("back").starts, 1);
}

#[test]
fn a_call_whose_callee_ends_is_interrupted_and_the_next_reaches_its_next_start() {
    let stage = three();
    for start in 1..4 {
        let answer = stage.call(FRONT, "back", "exit");
        assert_eq!(answer, format!("{start} Interrupted"));
        let next = start + 1;
        // A process loses its descriptors one by one. An edge that is renewed in between leads to
        // the old start once more, and the call says so.
        let dying = [format!("{start} Interrupted"), format!("{start} PeerGone")];
        let mut answers = (0..1000).map(|_| stage.call(FRONT, "back", "hello"));
        let answer = answers.find(|answer| !dying.contains(answer));
        let hello = format!("{next} start {next}, called by front 1: hello");
        assert_eq!(answer, Some(hello));
    }
    assert_eq!(stage.application("front").starts, 1);
    assert_eq!(stage.application("other").starts, 1);
}

#[test]
fn a_callee_that_ended_between_two_calls_is_waited_for() {
    let stage = three();
    stage.tell(BACK, "exit 9");
    let answer = stage.call(FRONT, "back", "hello");
    assert_eq!(answer, "2 start 2, called by front 1: hello");
}

#[test]
fn a_caller_that_starts_again_is_known_by_its_new_start() {
    let stage = three();
    for start in 2..5 {
        stage.tell(FRONT, "exit 9");
        stage.await_start("front", start);
        let answer = stage.call(FRONT, "back", "hello");
        assert_eq!(answer, format!("1 start 1, called by front {start}: hello"));
    }
    assert_eq!(stage.application("back").starts, 1);
}

#[test]
fn both_sides_may_start_again_at_once() {
    let stage = three();
    stage.tell(FRONT, "exit 9");
    stage.tell(BACK, "exit 9");
    stage.await_start("back", 2);
    stage.await_start("front", 2);
    let answer = stage.call(FRONT, "back", "hello");
    assert_eq!(answer, "2 start 2, called by front 2: hello");
}

#[test]
fn a_secret_sealed_for_a_reader_opens_there_and_nowhere_else() {
    let stage = Stage::running(vec![
        puppet("owner", BACK).shares(&["reader"]),
        puppet("reader", FRONT),
        puppet("third", OTHER),
    ]);
    let sealed = stage.tell(BACK, "seal owner reader");
    let open = |port, owner, reader| stage.tell(port, &format!("open {owner} {reader} {sealed}"));
    assert_eq!(open(FRONT, "owner", "reader"), "secret");
    assert_eq!(open(BACK, "owner", "reader"), "secret");
    // Another key than it was sealed under.
    assert!(open(BACK, "owner", "owner").starts_with("error the message does not open"));
    let refused = "error the manifest gives this application no key for what owner seals";
    assert!(open(OTHER, "owner", "reader").starts_with(refused));
    assert!(open(FRONT, "owner", "owner").starts_with(refused));
    // Keys are those of the namespace: the next start opens it too.
    stage.tell(FRONT, "exit 0");
    stage.await_start("reader", 2);
    assert_eq!(open(FRONT, "owner", "reader"), "secret");
}
