//! The NSM's messages against AWS's own client library, aws-nitro-enclaves-nsm-api over serde_cbor.
//!
//! Theirs derives its encoding from types; ours is written by hand over another CBOR library. For
//! every message both must write the same bytes and read each other's. For damaged messages ours
//! may be stricter, never looser: what ours accepts, theirs accepts with the same meaning.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_nitro_enclaves_nsm_api::api as theirs;
use getrandom::SysRng;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use quorate_emulator::device::{Config, Mode, NsmDevice};
use quorate_emulator::identity::InstanceId;
use quorate_emulator::measurements::process_measurements;
use quorate_emulator::pki::DevelopmentRoot;
use quorate_init::nsm::wire::{self as ours, ErrorCode, Request, Response};
use serde_bytes::ByteBuf;

const NOW_MS: u64 = 1_795_219_200_000;

/// The parts of any message, from which each side builds its own type.
#[derive(Clone, Debug)]
struct Parts {
    index: u16,
    version: [u16; 3],
    text: String,
    set: BTreeSet<u16>,
    flag: bool,
    bytes: Vec<u8>,
    options: [Option<Vec<u8>>; 3],
}

fn parts() -> impl Strategy<Value = Parts> {
    let field = || option::of(vec(any::<u8>(), 0..1025));
    (
        any::<u16>(),
        any::<[u16; 3]>(),
        "[ -~]{0,60}",
        btree_set(any::<u16>(), 0..40),
        any::<bool>(),
        vec(any::<u8>(), 0..2000),
        [field(), field(), field()],
    )
        .prop_map(|(index, version, text, set, flag, bytes, options)| Parts {
            index,
            version,
            text,
            set,
            flag,
            bytes,
            options,
        })
}

/// Every request, in our type and in theirs.
fn requests(parts: &Parts) -> Vec<(Request<'_>, theirs::Request)> {
    let Parts {
        index,
        bytes,
        options: [user_data, nonce, public_key],
        ..
    } = parts;
    let (index, data) = (*index, bytes.as_slice());
    let own = |field: &Option<Vec<u8>>| field.clone().map(ByteBuf::from);
    vec![
        (
            Request::DescribePcr { index },
            theirs::Request::DescribePCR { index },
        ),
        (
            Request::ExtendPcr { index, data },
            theirs::Request::ExtendPCR {
                index,
                data: data.to_vec(),
            },
        ),
        (
            Request::LockPcr { index },
            theirs::Request::LockPCR { index },
        ),
        (
            Request::LockPcrs { range: index },
            theirs::Request::LockPCRs { range: index },
        ),
        (Request::DescribeNsm, theirs::Request::DescribeNSM),
        (
            Request::Attestation {
                user_data: user_data.as_deref(),
                nonce: nonce.as_deref(),
                public_key: public_key.as_deref(),
            },
            theirs::Request::Attestation {
                user_data: own(user_data),
                nonce: own(nonce),
                public_key: own(public_key),
            },
        ),
        (Request::GetRandom, theirs::Request::GetRandom),
    ]
}

/// Every response, in our type and in theirs.
fn responses(parts: &Parts) -> Vec<(Response<'_>, theirs::Response)> {
    let Parts {
        index,
        version,
        text,
        set,
        flag,
        bytes,
        ..
    } = parts;
    let (data, own) = (bytes.as_slice(), || bytes.clone());
    let digests = [
        (ours::Digest::Sha256, theirs::Digest::SHA256),
        (ours::Digest::Sha384, theirs::Digest::SHA384),
        (ours::Digest::Sha512, theirs::Digest::SHA512),
    ];
    let mut all = vec![
        (
            Response::DescribePcr { lock: *flag, data },
            theirs::Response::DescribePCR {
                lock: *flag,
                data: own(),
            },
        ),
        (
            Response::ExtendPcr { data },
            theirs::Response::ExtendPCR { data: own() },
        ),
        (Response::LockPcr, theirs::Response::LockPCR),
        (Response::LockPcrs, theirs::Response::LockPCRs),
        (
            Response::Attestation { document: data },
            theirs::Response::Attestation { document: own() },
        ),
        (
            Response::GetRandom { random: data },
            theirs::Response::GetRandom { random: own() },
        ),
    ];
    all.extend(digests.map(|(digest, their_digest)| {
        (
            Response::DescribeNsm {
                version_major: version[0],
                version_minor: version[1],
                version_patch: version[2],
                module_id: text,
                max_pcrs: *index,
                locked_pcrs: set.clone(),
                digest,
            },
            theirs::Response::DescribeNSM {
                version_major: version[0],
                version_minor: version[1],
                version_patch: version[2],
                module_id: text.clone(),
                max_pcrs: *index,
                locked_pcrs: set.clone(),
                digest: their_digest,
            },
        )
    }));
    all.extend(
        error_codes()
            .map(|(code, their_code)| (Response::Error(code), theirs::Response::Error(their_code))),
    );
    all
}

fn error_codes() -> [(ErrorCode, theirs::ErrorCode); 9] {
    [
        (ErrorCode::Success, theirs::ErrorCode::Success),
        (
            ErrorCode::InvalidArgument,
            theirs::ErrorCode::InvalidArgument,
        ),
        (ErrorCode::InvalidIndex, theirs::ErrorCode::InvalidIndex),
        (
            ErrorCode::InvalidResponse,
            theirs::ErrorCode::InvalidResponse,
        ),
        (ErrorCode::ReadOnlyIndex, theirs::ErrorCode::ReadOnlyIndex),
        (
            ErrorCode::InvalidOperation,
            theirs::ErrorCode::InvalidOperation,
        ),
        (ErrorCode::BufferTooSmall, theirs::ErrorCode::BufferTooSmall),
        (ErrorCode::InputTooLarge, theirs::ErrorCode::InputTooLarge),
        (ErrorCode::InternalError, theirs::ErrorCode::InternalError),
    ]
}

/// Their types cannot be compared, so what they read is written again.
fn reread_request(bytes: &[u8]) -> Option<Vec<u8>> {
    let request: theirs::Request = serde_cbor::from_slice(bytes).ok()?;
    serde_cbor::to_vec(&request).ok()
}

fn reread_response(bytes: &[u8]) -> Option<Vec<u8>> {
    let response: theirs::Response = serde_cbor::from_slice(bytes).ok()?;
    serde_cbor::to_vec(&response).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn requests_have_the_same_bytes(parts in parts()) {
        for (ours, theirs) in requests(&parts) {
            let bytes = serde_cbor::to_vec(&theirs).expect("it is encodable");
            prop_assert_eq!(ours.encode(), Ok(bytes.clone()));
            prop_assert_eq!(Request::decode(&bytes), Ok(ours));
            prop_assert_eq!(reread_request(&bytes), Some(bytes));
        }
    }

    #[test]
    fn responses_have_the_same_bytes(parts in parts()) {
        for (ours, theirs) in responses(&parts) {
            let bytes = serde_cbor::to_vec(&theirs).expect("it is encodable");
            prop_assert_eq!(ours.encode(), Ok(bytes.clone()));
            prop_assert_eq!(Response::decode(&bytes), Ok(ours));
            prop_assert_eq!(reread_response(&bytes), Some(bytes));
        }
    }

    /// One byte replaced, inserted or removed, or the end cut off.
    #[test]
    fn what_we_accept_they_accept_alike(
        parts in parts(),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        kind in 0..4_u8,
    ) {
        let damage = |bytes: &mut Vec<u8>| {
            // Strings are most of a long message and the least interesting part of it.
            let at = at.index(bytes.len().min(120));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        };
        let requests = requests(&parts);
        let mut bytes = which.get(&requests).0.encode().expect("it fits");
        damage(&mut bytes);
        if let Ok(request) = Request::decode(&bytes) {
            let again = request.encode().expect("it fits");
            prop_assert_eq!(reread_request(&bytes), Some(again), "{:02x?}", bytes);
        }
        let responses = responses(&parts);
        let mut bytes = which.get(&responses).0.encode().expect("it fits");
        damage(&mut bytes);
        if let Ok(response) = Response::decode(&bytes) {
            let again = response.encode().expect("it fits");
            prop_assert_eq!(reread_response(&bytes), Some(again), "{:02x?}", bytes);
        }
    }
}

#[test]
fn both_refuse_malformed_messages() {
    for bytes in [
        &b""[..],
        b"\x00",
        b"\xA0",
        b"\x63Foo",
        b"\x69GetRandom\x00",
        b"\xA1\x67LockPCR\xA0",
        b"\xA1\x67LockPCR\xA2\x65index\x00\x65index\x00",
        b"\xA1\x67LockPCR\xA1\x65index\x1A\x00\x01\x00\x00",
        b"\xA1\x65Error\x63Foo",
    ] {
        assert!(
            Request::decode(bytes).is_err() && reread_request(bytes).is_none(),
            "{bytes:02x?}"
        );
        assert!(
            Response::decode(bytes).is_err() && reread_response(bytes).is_none(),
            "{bytes:02x?}"
        );
    }
}

/// Their client asks our device everything and understands every answer.
#[test]
fn their_client_understands_our_device() {
    let mut device = device();
    let mut ask = |request: &theirs::Request| -> theirs::Response {
        let request = serde_cbor::to_vec(request).expect("it is encodable");
        serde_cbor::from_slice(&device.process(&request, NOW_MS)).expect("they read our answer")
    };
    use theirs::{Request, Response};
    match ask(&Request::DescribeNSM) {
        Response::DescribeNSM {
            version_major: 1,
            max_pcrs: 32,
            locked_pcrs,
            digest,
            ..
        } => {
            assert_eq!(locked_pcrs, (0..16).collect());
            assert_eq!(digest, theirs::Digest::SHA384);
        }
        other => panic!("{other:?}"),
    }
    let extend = |index| Request::ExtendPCR {
        index,
        data: vec![1, 2, 3],
    };
    assert!(matches!(ask(&extend(16)), Response::ExtendPCR { data } if data.len() == 48));
    assert!(matches!(
        ask(&Request::LockPCR { index: 16 }),
        Response::LockPCR
    ));
    let read_only = theirs::ErrorCode::ReadOnlyIndex;
    assert!(matches!(ask(&extend(16)), Response::Error(code) if same(&code, &read_only)));
    assert!(matches!(
        ask(&Request::LockPCRs { range: 32 }),
        Response::LockPCRs
    ));
    let invalid = theirs::ErrorCode::InvalidIndex;
    assert!(matches!(ask(&extend(32)), Response::Error(code) if same(&code, &invalid)));
    let described = ask(&Request::DescribePCR { index: 16 });
    assert!(matches!(described, Response::DescribePCR { lock: true, data } if data.len() == 48));
    assert!(
        matches!(ask(&Request::GetRandom), Response::GetRandom { random } if random.len() == 256)
    );
}

/// Their document type reads ours and writes the same bytes, but for the form of the outer map:
/// theirs has a definite length, as genuine documents had until 2025.
#[test]
fn their_type_reads_our_documents() {
    let mut device = device();
    let module_id = device.module_id().to_owned();
    for nonce in [None, Some(&b"nonce"[..])] {
        let request = Request::Attestation {
            user_data: Some(b"data"),
            nonce,
            public_key: None,
        };
        let response = device.process(&request.encode().expect("it fits"), NOW_MS);
        let Ok(Response::Attestation { document }) = Response::decode(&response) else {
            panic!("no document");
        };
        let cose: Vec<serde_cbor::Value> = serde_cbor::from_slice(document).expect("it is CBOR");
        let serde_cbor::Value::Bytes(payload) = &cose[2] else {
            panic!("no payload")
        };
        let read = theirs::AttestationDoc::from_binary(payload).expect("they read it");
        assert_eq!(read.module_id, module_id);
        assert_eq!(read.digest, theirs::Digest::SHA384);
        assert_eq!(read.timestamp, NOW_MS);
        assert_eq!(read.pcrs.len(), 16);
        assert_eq!(read.cabundle.len(), 4);
        assert_eq!(read.user_data, Some(ByteBuf::from(&b"data"[..])));
        assert_eq!(read.nonce, nonce.map(ByteBuf::from));
        assert_eq!(read.public_key, None);

        let mut definite = payload.clone();
        assert_eq!((definite[0], definite.pop()), (0xBF, Some(0xFF)));
        definite[0] = 0xA9;
        assert_eq!(read.to_binary(), definite);
    }
}

fn same(one: &theirs::ErrorCode, other: &theirs::ErrorCode) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

fn device() -> NsmDevice {
    let root = DevelopmentRoot::generate(&mut SysRng, NOW_MS).expect("entropy");
    let config = Config {
        measurements: process_measurements(b"an init"),
        instance: InstanceId::generate(&mut SysRng).expect("entropy"),
        role_arn: None,
        mode: Mode::Normal,
    };
    NsmDevice::new(config, Arc::new(root), SysRng, NOW_MS).expect("the configuration is good")
}
