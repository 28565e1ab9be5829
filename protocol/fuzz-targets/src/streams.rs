//! Frames: the pieces in which bytes arrive make no difference.

use quorate_protocol::call::{CallAssembler, CallTooLong, MAX_CALL, call_message};
use quorate_protocol::cbor::{Object, from_bytes};
use quorate_protocol::frame::{Assembler, FrameError, Sizes, frame};

/// What came out of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    payloads: Vec<Vec<u8>>,
    end: Result<bool, FrameError>,
}

/// The first byte says into which pieces the rest is cut.
pub(crate) fn frames<T: Object + Sizes>(data: &[u8]) {
    let Some((pattern, stream)) = data.split_first() else {
        return;
    };
    let whole = outcome::<T>([stream]);
    assert_eq!(
        whole,
        outcome::<T>(cut(stream, *pattern)),
        "cut after {pattern}"
    );
    assert_eq!(whole, as_wanted::<T>(stream), "read as wanted");
    for payload in &whole.payloads {
        assert!(payload.len() <= T::LARGEST, "a payload longer than any");
        let kind = payload.get(1).and_then(|kind| T::largest(*kind));
        assert!(
            kind.is_some_and(|max| payload.len() <= max),
            "longer than its kind"
        );
        let _ = from_bytes::<T>(payload);
    }
    let frames: Vec<u8> = whole
        .payloads
        .iter()
        .flat_map(|p| frame(p).unwrap_or_default())
        .collect();
    assert!(
        stream.starts_with(&frames),
        "payloads are not those of the stream"
    );
}

/// Pieces of 1 to 255 bytes, of a length that changes from piece to piece.
fn cut(stream: &[u8], pattern: u8) -> Vec<&[u8]> {
    let (mut rest, mut pieces, mut length) = (stream, Vec::new(), usize::from(pattern).max(1));
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
        length = length * 5 % 251 + 1;
    }
    pieces
}

fn outcome<'a, S: Sizes>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut assembler, mut payloads) = (Assembler::new(), Vec::new());
    for piece in pieces {
        let mut next = assembler.push::<S>(piece);
        loop {
            match next {
                Ok(Some(payload)) => payloads.push(payload),
                Ok(None) => break,
                Err(error) => {
                    return Outcome {
                        payloads,
                        end: Err(error),
                    };
                }
            }
            next = assembler.push::<S>(&[]);
        }
    }
    Outcome {
        payloads,
        end: Ok(assembler.is_partial()),
    }
}

/// Reads no more than the assembler asks for, as a connection does.
fn as_wanted<S: Sizes>(mut stream: &[u8]) -> Outcome {
    let (mut assembler, mut payloads) = (Assembler::new(), Vec::new());
    loop {
        let got = assembler.wanted::<S>().and_then(|wanted| {
            assert!(wanted > 0, "nothing is wanted and nothing is complete");
            let (piece, after) = stream.split_at(wanted.min(stream.len()));
            stream = after;
            let got = assembler.push::<S>(piece)?;
            assert!(
                got.is_none() || !assembler.is_partial(),
                "read past the frame"
            );
            Ok(got)
        });
        match got {
            Ok(Some(payload)) => payloads.push(payload),
            Ok(None) if stream.is_empty() => {
                return Outcome {
                    payloads,
                    end: Ok(assembler.is_partial()),
                };
            }
            Ok(None) => {}
            Err(error) => {
                return Outcome {
                    payloads,
                    end: Err(error),
                };
            }
        }
    }
}

/// Messages of a call edge. The first byte says into which pieces the rest is cut.
pub(crate) fn calls(data: &[u8]) {
    let Some((pattern, stream)) = data.split_first() else {
        return;
    };
    let whole = messages([stream]);
    assert_eq!(
        whole,
        messages(cut(stream, *pattern)),
        "cut after {pattern}"
    );
    let (given, end) = whole;
    let mut again = Vec::new();
    for (number, payload) in &given {
        assert!(payload.len() <= MAX_CALL, "longer than any message");
        again.extend(call_message(*number, payload).expect("a message that was accepted"));
    }
    let rest = stream
        .strip_prefix(&*again)
        .expect("messages of the stream");
    match end {
        Ok(pending) => assert_eq!(pending, rest.len(), "nothing is lost"),
        Err(CallTooLong { found }) => assert!(found > MAX_CALL, "refused within the bound"),
    }
}

/// Numbers and payloads, and how many bytes are left.
type Messages = (Vec<(u64, Vec<u8>)>, Result<usize, CallTooLong>);

fn messages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Messages {
    let (mut assembler, mut given) = (CallAssembler::new(), Vec::new());
    for piece in pieces {
        assembler.push(piece);
        loop {
            match assembler.take() {
                Ok(Some(message)) => given.push(message),
                Ok(None) => break,
                Err(error) => return (given, Err(error)),
            }
        }
    }
    (given, Ok(assembler.pending()))
}
