//! Messages of call edges: the bound is exact, and a message that is not whole gives nothing.

use quorate_protocol::call::{CALL_HEADER, CallAssembler, CallTooLong, MAX_CALL, call_message};

fn header(length: u32) -> Vec<u8> {
    [&length.to_be_bytes()[..], &[0; 8]].concat()
}

#[test]
fn the_longest_message_is_taken_and_comes_out_again() {
    let payload = vec![7; MAX_CALL];
    let mut assembler = CallAssembler::new();
    assembler.push(&call_message(u64::MAX, &payload).unwrap());
    assert_eq!(assembler.take(), Ok(Some((u64::MAX, payload))));
    assert_eq!((assembler.take(), assembler.pending()), (Ok(None), 0));
}

/// At its header: nothing of the payload has to arrive.
#[test]
fn a_message_that_is_too_long_fails_closed() {
    for found in [MAX_CALL + 1, u32::MAX as usize] {
        let mut assembler = CallAssembler::new();
        assembler.push(&header(found as u32));
        for _ in 0..2 {
            assert_eq!(assembler.take(), Err(CallTooLong { found }));
        }
    }
    let found = MAX_CALL + 1;
    assert_eq!(call_message(1, &vec![0; found]), Err(CallTooLong { found }));
}

#[test]
fn a_truncated_message_gives_nothing() {
    let message = call_message(3, b"four").unwrap();
    for length in 0..message.len() {
        let mut assembler = CallAssembler::new();
        assembler.push(&message[..length]);
        assert_eq!((assembler.take(), assembler.pending()), (Ok(None), length));
    }
    // What came over another stream is no beginning of what comes over this one.
    let mut assembler = CallAssembler::new();
    assembler.push(&message[..CALL_HEADER]);
    assembler.reset();
    assembler.push(&message);
    assert_eq!(assembler.take(), Ok(Some((3, b"four".to_vec()))));
}
