//! Frames under every split, and every way a stream can be wrong.

use proptest::prelude::*;
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::frame::{Assembler, FrameError, HEADER, Sizes, Whole, append, frame};
use quorate_protocol::message::{Request, Response};
use quorate_vectors::committed::cases;

fn payloads(stem: &str) -> Vec<Vec<u8>> {
    cases(stem).into_iter().map(|case| case.bytes).collect()
}

fn stream(payloads: &[Vec<u8>]) -> Vec<u8> {
    payloads
        .iter()
        .flat_map(|payload| frame(payload).expect("a short payload"))
        .collect()
}

/// Everything the assembler gives when pieces arrive as they are.
fn assembled<'a, S: Sizes>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Vec<u8>>, FrameError> {
    let (mut assembler, mut got) = (Assembler::new(), Vec::new());
    for piece in pieces {
        let mut next = assembler.push::<S>(piece)?;
        while let Some(payload) = next {
            got.push(payload);
            next = assembler.push::<S>(&[])?;
        }
    }
    assert!(!assembler.is_partial(), "a frame is not complete");
    Ok(got)
}

fn refused<S: Sizes>(received: &[u8], expected: FrameError) {
    // At once, and byte by byte: never later than with the last of these bytes.
    let mut assembler = Assembler::new();
    assert_eq!(assembler.push::<S>(received), Err(expected));
    assert_eq!(Whole::of::<S>(received), Err(expected));
    let mut assembler = Assembler::new();
    let mut verdicts = received.chunks(1).map(|byte| assembler.push::<S>(byte));
    assert_eq!(verdicts.find(Result::is_err), Some(Err(expected)));
}

#[test]
fn whole_frames_are_found_where_they_lie() {
    let requests = payloads("request");
    let all = stream(&requests);
    for length in 0..all.len() {
        let (mut rest, mut got) = (&all[..length], Vec::new());
        while let Some(whole) = Whole::of::<Request>(rest).expect("good frames") {
            got.push(whole.payload.to_vec());
            rest = whole.rest;
        }
        // As many as fit, and the beginning of the next.
        assert_eq!(got, requests[..got.len()]);
        let next = requests
            .get(got.len())
            .map_or(0, |next| HEADER + next.len());
        assert!(rest.len() < next, "{length}");
    }
    let mut together = b"before".to_vec();
    append(&mut together, &requests[0]).expect("short");
    assert_eq!(
        together,
        [b"before", &frame(&requests[0]).expect("short")[..]].concat()
    );
}

#[test]
fn bytes_one_by_one_give_every_payload() {
    let (requests, responses) = (payloads("request"), payloads("response"));
    assert_eq!(
        assembled::<Request>(stream(&requests).chunks(1)),
        Ok(requests.clone())
    );
    assert_eq!(
        assembled::<Response>(stream(&responses).chunks(1)),
        Ok(responses.clone())
    );
}

#[test]
fn pipelined_frames_come_out_one_by_one() {
    let requests = payloads("request");
    let all = stream(&requests);
    assert_eq!(assembled::<Request>([all.as_slice()]), Ok(requests));
}

#[test]
fn what_follows_a_payload_stays_for_the_next() {
    let status = to_bytes(&Request::Status);
    let two = stream(&[status.clone(), status.clone()]);
    let mut assembler = Assembler::new();
    let cut = two.len() - 3;
    assert_eq!(
        assembler.push::<Request>(&two[..cut]),
        Ok(Some(status.clone()))
    );
    assert!(assembler.is_partial());
    assert_eq!(assembler.push::<Request>(&two[cut..]), Ok(Some(status)));
    assert!(!assembler.is_partial());
}

/// Who reads only what is wanted never takes a byte of the next frame, and never asks for nothing.
#[test]
fn wanted_ends_with_the_frame() {
    let all = payloads("response");
    for payload in &all {
        let bytes = stream(&[payload.clone(), payload.clone()]);
        let (mut assembler, mut at) = (Assembler::new(), 0);
        let got = loop {
            let wanted = assembler.wanted::<Response>().expect("a good frame");
            assert!(wanted > 0);
            let got = assembler
                .push::<Response>(&bytes[at..at + wanted])
                .expect("a good frame");
            at += wanted;
            if let Some(payload) = got {
                break payload;
            }
        };
        assert_eq!((&got, at), (payload, HEADER + payload.len()));
        assert!(!assembler.is_partial());
    }
}

#[test]
fn an_empty_push_changes_nothing() {
    let mut assembler = Assembler::new();
    assert_eq!(assembler.push::<Request>(&[]), Ok(None));
    assert!(!assembler.is_partial());
    assert_eq!(assembler.wanted::<Request>(), Ok(HEADER));
}

#[test]
fn another_version_fails_closed() {
    for found in (0..=255).filter(|version| *version != 1) {
        refused::<Request>(&[found], FrameError::Version { found });
        refused::<Response>(&[found, 0, 0, 0, 2, 0x81, 0], FrameError::Version { found });
    }
}

#[test]
fn a_frame_without_payload_fails_closed() {
    refused::<Request>(&[1, 0, 0, 0, 0], FrameError::Empty);
    refused::<Response>(&[1, 0, 0, 0, 1], FrameError::Empty);
}

#[test]
fn a_length_beyond_every_message_fails_closed() {
    for (found, bytes) in [
        (2_097_153, [0, 0x20, 0, 1]),
        (0xffff_ffff, [0xff; 4]),
        (0x8000_0000, [0x80, 0, 0, 0]),
    ] {
        let received = [&[1], &bytes[..]].concat();
        refused::<Request>(
            &received,
            FrameError::TooLong {
                max: 2_097_152,
                found,
            },
        );
    }
    let received = [1, 0, 0x90, 0, 1];
    let (max, found) = (9_437_184, 9_437_185);
    refused::<Response>(&received, FrameError::TooLong { max, found });
}

/// Known at the second byte of the payload, long before the rest could arrive.
#[test]
fn a_length_beyond_its_own_kind_fails_closed() {
    fn each<S: Sizes>() {
        let mut kinds = 0;
        for kind in 0..=23 {
            let Some(max) = S::largest(kind) else {
                continue;
            };
            assert!((2..=S::LARGEST).contains(&max));
            kinds += 1;
            if max == S::LARGEST {
                continue;
            }
            let found = max + 1;
            let length = u32::try_from(found).expect("a short message").to_be_bytes();
            let received = [&[1], &length[..], &[0x82, kind]].concat();
            refused::<S>(&received, FrameError::TooLong { max, found });
        }
        assert!(kinds >= 7);
    }
    each::<Request>();
    each::<Response>();
}

#[test]
fn an_unknown_kind_fails_closed() {
    for found in [
        [0x82, 17],
        [0x82, 23],
        [0x82, 24],
        [0x80, 0],
        [0x83, 0],
        [0xa1, 0],
        [0x9f, 0],
    ] {
        let received = [&[1, 0, 0, 0, 2], &found[..]].concat();
        refused::<Request>(&received, FrameError::Kind { found });
    }
    let found = [0x82, 18];
    refused::<Response>(&[1, 0, 0, 0, 9, 0x82, 18], FrameError::Kind { found });
}

/// A fault in the second of two frames comes after the first payload, not in its place.
#[test]
fn a_fault_after_a_good_frame_fails_closed() {
    let status = to_bytes(&Request::Status);
    let received = [stream(std::slice::from_ref(&status)), vec![9]].concat();
    let mut assembler = Assembler::new();
    assert_eq!(assembler.push::<Request>(&received), Ok(Some(status)));
    let expected = FrameError::Version { found: 9 };
    assert_eq!(assembler.push::<Request>(&[]), Err(expected));
    assert_eq!(
        assembler.push::<Request>(&[]),
        Err(expected),
        "and stays so"
    );
    assert_eq!(assembler.wanted::<Request>(), Err(expected));
}

/// Both sides of each limit: the largest message of a kind passes its frame and its decoder.
#[test]
fn the_largest_upload_fits_its_frame() {
    use quorate_protocol::atoms::{Bytes, Sha256};
    use quorate_protocol::message::{MAX_CHUNK, Upload};
    let upload = Request::Upload(Upload {
        sha256: Sha256([0xff; 32]),
        size: u64::MAX,
        offset: u64::MAX,
        data: Bytes::new(vec![0xff; MAX_CHUNK]).expect("the largest piece"),
    });
    let bytes = to_bytes(&upload);
    assert!(Request::largest(1).is_some_and(|max| bytes.len() <= max));
    assert_eq!(
        assembled::<Request>([stream(std::slice::from_ref(&bytes)).as_slice()]),
        Ok(vec![bytes.clone()])
    );
    assert_eq!(from_bytes(&bytes), Ok(upload));
}

#[test]
fn every_error_has_a_text() {
    for (error, text) in [
        (FrameError::Empty, "a frame without payload"),
        (
            FrameError::Version { found: 2 },
            "frame version 2 instead of 1",
        ),
        (
            FrameError::TooLong { max: 1, found: 2 },
            "a payload of 2 bytes where at most 1 are accepted",
        ),
        (
            FrameError::Kind { found: [0x82, 7] },
            "a payload that begins 82 07 is no message of this direction",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_payloads(cuts in prop::collection::vec(1_usize..600, 0..200)) {
        let payloads: Vec<_> = payloads("request").into_iter().filter(|p| p.len() < 2000).collect();
        let all = stream(&payloads);
        let mut rest = all.as_slice();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(assembled::<Request>(pieces), Ok(payloads));
    }

    #[test]
    fn any_bytes_give_payloads_within_their_sizes_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        good in any::<bool>(),
    ) {
        // A good header in front of half of them.
        let bytes = if good { [vec![1, 0, 0, 0, 16], bytes].concat() } else { bytes };
        let mut assembler = Assembler::new();
        for piece in bytes.chunks(7) {
            match assembler.push::<Request>(piece) {
                Ok(Some(payload)) => {
                    let kind = payload.get(1).copied().expect("at least two bytes");
                    prop_assert!(Request::largest(kind).is_some_and(|max| payload.len() <= max));
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
    }
}
