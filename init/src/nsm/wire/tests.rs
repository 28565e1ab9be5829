use super::*;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("vectors are hexadecimal") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// Made by hand from RFC 8949; the differential test holds them against AWS's crate.
#[test]
fn requests_have_the_bytes_of_the_nsm_api() {
    let vectors: [(Request<'_>, &str); 8] = [
        (Request::GetRandom, "69 47657452616e646f6d"),
        (Request::DescribeNsm, "6b 44657363726962654e534d"),
        (
            Request::DescribePcr { index: 31 },
            "a1 6b 4465736372696265504352 a1 65 696e646578 18 1f",
        ),
        (
            Request::ExtendPcr {
                index: 16,
                data: &[1, 2, 3],
            },
            "a1 69 457874656e64504352 a2 65 696e646578 10 64 64617461 43 010203",
        ),
        (
            Request::LockPcr { index: 0 },
            "a1 67 4c6f636b504352 a1 65 696e646578 00",
        ),
        (
            Request::LockPcrs { range: 32 },
            "a1 68 4c6f636b50435273 a1 65 72616e6765 18 20",
        ),
        (
            Request::Attestation {
                user_data: None,
                nonce: Some(&[9]),
                public_key: Some(&[]),
            },
            "a1 6b 4174746573746174696f6e a3 69 757365725f64617461 f6 \
             65 6e6f6e6365 41 09 6a 7075626c69635f6b6579 40",
        ),
        (
            Request::DescribePcr { index: u16::MAX },
            "a1 6b 4465736372696265504352 a1 65 696e646578 19 ffff",
        ),
    ];
    for (request, bytes) in vectors {
        assert_eq!(request.encode(), Ok(hex(bytes)), "{request:?}");
        assert_eq!(Request::decode(&hex(bytes)), Ok(request));
    }
}

#[test]
fn responses_have_the_bytes_of_the_nsm_api() {
    let description = Response::DescribeNsm {
        version_major: 1,
        version_minor: 0,
        version_patch: 0,
        module_id: "i-1",
        max_pcrs: 32,
        locked_pcrs: BTreeSet::from([0, 31]),
        digest: Digest::Sha384,
    };
    let vectors: [(Response<'_>, &str); 8] = [
        (
            Response::DescribePcr {
                lock: true,
                data: &[7],
            },
            "a1 6b 4465736372696265504352 a2 64 6c6f636b f5 64 64617461 41 07",
        ),
        (
            Response::ExtendPcr { data: &[7] },
            "a1 69 457874656e64504352 a1 64 64617461 41 07",
        ),
        (Response::LockPcr, "67 4c6f636b504352"),
        (Response::LockPcrs, "68 4c6f636b50435273"),
        (
            description,
            "a1 6b 44657363726962654e534d a7 6d 76657273696f6e5f6d616a6f72 01 \
             6d 76657273696f6e5f6d696e6f72 00 6d 76657273696f6e5f7061746368 00 \
             69 6d6f64756c655f6964 63 692d31 68 6d61785f70637273 18 20 \
             6b 6c6f636b65645f70637273 82 00 18 1f 66 646967657374 66 534841333834",
        ),
        (
            Response::Attestation { document: &[1, 2] },
            "a1 6b 4174746573746174696f6e a1 68 646f63756d656e74 42 0102",
        ),
        (
            Response::GetRandom { random: &[5] },
            "a1 69 47657452616e646f6d a1 66 72616e646f6d 41 05",
        ),
        (
            Response::Error(ErrorCode::ReadOnlyIndex),
            "a1 65 4572726f72 6d 526561644f6e6c79496e646578",
        ),
    ];
    for (response, bytes) in vectors {
        assert_eq!(response.encode(), Ok(hex(bytes)), "{response:?}");
        assert_eq!(Response::decode(&hex(bytes)), Ok(response));
    }
}

#[test]
fn every_error_code_survives() {
    for code in ErrorCode::ALL {
        let bytes = Response::Error(code).encode().expect("an error fits");
        assert_eq!(Response::decode(&bytes), Ok(Response::Error(code)));
    }
}

#[test]
fn responses_are_read_in_any_field_order_and_map_form() {
    // {_ "DescribePCR": {_ "data": h'07', "lock": false}}, fields swapped, maps indefinite
    let bytes = hex("bf 6b 4465736372696265504352 bf 64 64617461 41 07 64 6c6f636b f4 ff ff");
    let expected = Response::DescribePcr {
        lock: false,
        data: &[7],
    };
    assert_eq!(Response::decode(&bytes), Ok(expected));
}

#[test]
fn unknown_fields_of_responses_are_skipped() {
    // {"GetRandom": {"x": [_ {}, 1], "random": h'05'}}
    let bytes = hex("a1 69 47657452616e646f6d a2 61 78 9f a0 01 ff 66 72616e646f6d 41 05");
    assert_eq!(
        Response::decode(&bytes),
        Ok(Response::GetRandom { random: &[5] })
    );
}

#[test]
fn unknown_field_of_a_request_fails_closed() {
    let bytes = hex("a1 67 4c6f636b504352 a2 65 696e646578 00 61 78 00");
    assert!(matches!(
        Request::decode(&bytes),
        Err(WireError::UnknownField { .. })
    ));
}

#[test]
fn duplicate_field_fails_closed() {
    let bytes = hex("a1 67 4c6f636b504352 a2 65 696e646578 00 65 696e646578 00");
    assert_eq!(
        Request::decode(&bytes),
        Err(WireError::DuplicateField { field: "index" })
    );
    let bytes = hex("a1 69 47657452616e646f6d a2 66 72616e646f6d 41 05 66 72616e646f6d 41 05");
    assert_eq!(
        Response::decode(&bytes),
        Err(WireError::DuplicateField { field: "random" })
    );
}

#[test]
fn missing_field_fails_closed() {
    let bytes = hex("a1 67 4c6f636b504352 a0");
    assert_eq!(
        Request::decode(&bytes),
        Err(WireError::MissingField { field: "index" })
    );
    let bytes = hex("a1 6b 4465736372696265504352 a1 64 64617461 41 07");
    assert_eq!(
        Response::decode(&bytes),
        Err(WireError::MissingField { field: "lock" })
    );
}

#[test]
fn absent_options_of_an_attestation_request_are_null() {
    let bytes = hex("a1 6b 4174746573746174696f6e a0");
    let expected = Request::Attestation {
        user_data: None,
        nonce: None,
        public_key: None,
    };
    assert_eq!(Request::decode(&bytes), Ok(expected));
}

#[test]
fn trailing_bytes_fail_closed() {
    let mut bytes = Request::GetRandom.encode().expect("it fits");
    bytes.push(0);
    assert_eq!(
        Request::decode(&bytes),
        Err(WireError::TrailingBytes { offset: 10 })
    );
    let mut bytes = Response::LockPcr.encode().expect("it fits");
    bytes.push(0);
    assert_eq!(
        Response::decode(&bytes),
        Err(WireError::TrailingBytes { offset: 8 })
    );
}

#[test]
fn unknown_names_fail_closed() {
    for bytes in ["63 466f6f", "a1 63 466f6f a0", "67 4c6f636b504352"] {
        let outcome = Request::decode(&hex(bytes)).err();
        assert!(
            matches!(outcome, Some(WireError::UnknownName { .. })),
            "{bytes}: {outcome:?}"
        );
    }
    for bytes in [
        "63 466f6f",
        "a1 63 466f6f a0",
        "69 47657452616e646f6d",
        "a1 65 4572726f72 61 78",
    ] {
        let outcome = Response::decode(&hex(bytes)).err();
        assert!(
            matches!(outcome, Some(WireError::UnknownName { .. })),
            "{bytes}: {outcome:?}"
        );
    }
}

#[test]
fn wrong_types_fail_closed() {
    for bytes in [
        "",                                                                     // nothing
        "00",                                                                   // a number
        "a0",                                                                   // an empty map
        "a2 67 4c6f636b504352 a0 67 4c6f636b504352 a0",                         // two variants
        "a1 67 4c6f636b504352 80",                  // fields in an array
        "a1 67 4c6f636b504352 a1 65 696e646578 20", // a negative index
        "a1 67 4c6f636b504352 a1 65 696e646578 1a 00010000", // an index above 16 bits
        "a1 69 457874656e64504352 a2 65 696e646578 10 64 64617461 5f 41 01 ff", // chunks
        "bf 67 4c6f636b504352 a1 65 696e646578 00", // no break
        "bf 67 4c6f636b504352 a1 65 696e646578 00 00", // something else than a break
    ] {
        let outcome = Request::decode(&hex(bytes)).err();
        assert!(
            matches!(outcome, Some(WireError::Malformed { .. })),
            "{bytes}: {outcome:?}"
        );
    }
    // A break where the value of an unknown field belongs.
    let bytes = hex("a1 69 47657452616e646f6d bf 61 78 ff");
    assert!(matches!(
        Response::decode(&bytes),
        Err(WireError::Malformed { .. })
    ));
}

#[test]
fn repeated_locked_pcr_fails_closed() {
    let bytes = hex("a1 6b 44657363726962654e534d a1 6b 6c6f636b65645f70637273 82 00 00");
    assert!(matches!(
        Response::decode(&bytes),
        Err(WireError::Malformed { .. })
    ));
}

#[test]
fn oversize_messages_fail_closed() {
    let too_long = WireError::TooLong { max: REQUEST_MAX };
    let data = vec![0; REQUEST_MAX];
    assert_eq!(
        Request::ExtendPcr {
            index: 16,
            data: &data
        }
        .encode(),
        Err(too_long)
    );
    assert_eq!(Request::decode(&[0; REQUEST_MAX + 1]), Err(too_long));

    let too_long = WireError::TooLong { max: RESPONSE_MAX };
    let data = vec![0; RESPONSE_MAX];
    assert_eq!(
        Response::Attestation { document: &data }.encode(),
        Err(too_long)
    );
    assert_eq!(Response::decode(&[0; RESPONSE_MAX + 1]), Err(too_long));
}

#[test]
fn the_longest_messages_pass() {
    let empty = Request::ExtendPcr {
        index: 16,
        data: &[],
    }
    .encode()
    .expect("it fits")
    .len();
    // Two more bytes of length for a byte string above 255 bytes.
    let data = vec![0; REQUEST_MAX - empty - 2];
    let bytes = Request::ExtendPcr {
        index: 16,
        data: &data,
    }
    .encode()
    .expect("it fits");
    assert_eq!(bytes.len(), REQUEST_MAX);
    assert!(Request::decode(&bytes).is_ok());
}

#[test]
fn hostile_nesting_fails_closed() {
    let mut bytes = hex("a1 69 47657452616e646f6d a1 61 78");
    bytes.resize(RESPONSE_MAX, 0x81);
    assert!(matches!(
        Response::decode(&bytes),
        Err(WireError::Malformed { .. })
    ));
    let mut bytes = hex("a1 69 47657452616e646f6d a1 61 78");
    bytes.resize(RESPONSE_MAX, 0x9f);
    assert!(matches!(
        Response::decode(&bytes),
        Err(WireError::Malformed { .. })
    ));
}

#[test]
fn debug_shows_no_entropy() {
    let response = Response::GetRandom {
        random: &[0xAB; 32],
    };
    assert_eq!(format!("{response:?}"), "GetRandom");
}

#[derive(Clone, Debug)]
enum AnyRequest {
    DescribePcr(u16),
    ExtendPcr(u16, Vec<u8>),
    LockPcr(u16),
    LockPcrs(u16),
    DescribeNsm,
    Attestation([Option<Vec<u8>>; 3]),
    GetRandom,
}

impl AnyRequest {
    fn request(&self) -> Request<'_> {
        match self {
            Self::DescribePcr(index) => Request::DescribePcr { index: *index },
            Self::ExtendPcr(index, data) => Request::ExtendPcr {
                index: *index,
                data,
            },
            Self::LockPcr(index) => Request::LockPcr { index: *index },
            Self::LockPcrs(range) => Request::LockPcrs { range: *range },
            Self::DescribeNsm => Request::DescribeNsm,
            Self::Attestation([user_data, nonce, public_key]) => Request::Attestation {
                user_data: user_data.as_deref(),
                nonce: nonce.as_deref(),
                public_key: public_key.as_deref(),
            },
            Self::GetRandom => Request::GetRandom,
        }
    }
}

fn any_request() -> impl Strategy<Value = AnyRequest> {
    let field = || proptest::option::of(vec(any::<u8>(), 0..1100));
    prop_oneof![
        any::<u16>().prop_map(AnyRequest::DescribePcr),
        (any::<u16>(), vec(any::<u8>(), 0..600)).prop_map(|(i, d)| AnyRequest::ExtendPcr(i, d)),
        any::<u16>().prop_map(AnyRequest::LockPcr),
        any::<u16>().prop_map(AnyRequest::LockPcrs),
        Just(AnyRequest::DescribeNsm),
        [field(), field(), field()].prop_map(AnyRequest::Attestation),
        Just(AnyRequest::GetRandom),
    ]
}

proptest! {
    #[test]
    fn requests_survive(request in any_request()) {
        let bytes = request.request().encode().expect("it fits");
        prop_assert_eq!(Request::decode(&bytes), Ok(request.request()));
    }

    #[test]
    fn descriptions_survive(
        version in any::<[u16; 3]>(),
        module_id in "[ -~]{0,80}",
        max_pcrs in any::<u16>(),
        locked_pcrs in btree_set(any::<u16>(), 0..70),
    ) {
        let response = Response::DescribeNsm {
            version_major: version[0],
            version_minor: version[1],
            version_patch: version[2],
            module_id: &module_id,
            max_pcrs,
            locked_pcrs,
            digest: Digest::Sha384,
        };
        let bytes = response.encode().expect("it fits");
        prop_assert_eq!(Response::decode(&bytes), Ok(response));
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Request::decode(&bytes);
        let _ = Response::decode(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic(
        request in any_request(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = request.request().encode().expect("it fits");
        let end = cut.index(bytes.len());
        prop_assert!(Request::decode(&bytes[..end]).is_err(), "a prefix is no message");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Request::decode(&bytes);
        let _ = Response::decode(&bytes);
    }
}
