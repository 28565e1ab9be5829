//! Memory grows with what was received, never with what was announced. One test, so that no other
//! thread allocates meanwhile.

mod sys;

use quorate_protocol::frame::{Assembler, HEADER, VERSION};
use quorate_protocol::message::{Request, Response};
use quorate_vectors::committed::all_cases;
use quorate_vectors::kinds::Kind;
use quorate_vectors::tree::Item;

#[global_allocator]
static ALLOCATOR: sys::Counting = sys::Counting::new();

#[test]
fn memory_is_bounded_by_what_was_received() {
    an_announced_frame_takes_nothing();
    a_frame_takes_a_small_multiple_of_itself();
    announced_counts_take_nothing();
    decoding_takes_a_small_multiple_of_the_input();
}

fn header(length: u32) -> Vec<u8> {
    [&[VERSION], &length.to_be_bytes()[..]].concat()
}

fn an_announced_frame_takes_nothing() {
    let boot = [header(2 * 1024 * 1024), vec![0x82, 0x03]].concat();
    let evidence = [header(9 * 1024 * 1024), vec![0x82, 0x06]].concat();
    let mut assemblers = Vec::with_capacity(2000);
    let held = ALLOCATOR.peak_of(|| {
        for _ in 0..1000 {
            let mut assembler = Assembler::new();
            assert_eq!(assembler.push::<Request>(&boot), Ok(None));
            assemblers.push(assembler);
            let mut assembler = Assembler::new();
            assert_eq!(assembler.push::<Response>(&evidence), Ok(None));
            assemblers.push(assembler);
        }
    });
    assert!(held < 2000 * 64, "2000 announced frames take {held} bytes");
}

fn a_frame_takes_a_small_multiple_of_itself() {
    let length = 1024 * 1024;
    let start = [header(length), vec![0x82, 0x03]].concat();
    let piece = vec![0; 4096];
    let held = ALLOCATOR.peak_of(|| {
        let mut assembler = Assembler::new();
        assert_eq!(assembler.push::<Request>(&start), Ok(None));
        let mut left = length as usize - 2;
        while left > 0 {
            let part = piece.len().min(left);
            left -= part;
            let got = assembler
                .push::<Request>(&piece[..part])
                .expect("a good frame");
            assert_eq!(got.is_some(), left == 0);
        }
    });
    let most = 4 * (length as usize + HEADER);
    assert!(held < most, "a frame of {length} bytes takes {held}");
}

/// Every array and string of every vector, with a length that is not there.
fn announced_counts_take_nothing() {
    for case in all_cases().iter().filter(|case| case.bytes.len() < 1100) {
        let again = Kind::of(&case.label).again;
        let root = Item::read(&case.bytes);
        for path in root.paths() {
            let major = match root.at(&path) {
                Item::Bytes(_) | Item::Wrapped(_) => 2,
                Item::Text(_) => 3,
                Item::Array(_) => 4,
                Item::Map(_) => 5,
                _ => continue,
            };
            for length in [1_u64 << 24, 1 << 40, u64::MAX] {
                let head = [&[major << 5 | 27], &length.to_be_bytes()[..]].concat();
                let bytes = root.with(&path, Item::Raw(head)).write();
                let held = ALLOCATOR.peak_of(|| assert!(again(&bytes).is_err()));
                let most = 40 * case.bytes.len() + 4096;
                assert!(held < most, "{} at {path:?}: {held} bytes", case.label);
            }
        }
    }
}

fn decoding_takes_a_small_multiple_of_the_input() {
    for case in all_cases() {
        let again = Kind::of(&case.label).again;
        let held = ALLOCATOR.peak_of(|| drop(again(&case.bytes)));
        let most = 40 * case.bytes.len() + 4096;
        assert!(
            held < most,
            "{} {}: {held} of {} bytes",
            case.label,
            case.name,
            case.bytes.len()
        );
    }
}
