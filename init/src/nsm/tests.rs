use super::wire::{ErrorCode, ResponseKind};
use super::*;
use nix::errno::Errno;

/// Answers each request with the next prepared answer and keeps what it was asked.
struct Scripted {
    answers: Vec<Result<Vec<u8>, TransportError>>,
    requests: Vec<Vec<u8>>,
}

impl Transport for Scripted {
    fn exchange(&mut self, request: &[u8], response: &mut [u8]) -> Result<usize, TransportError> {
        self.requests.push(request.to_vec());
        let answer = self.answers.remove(0)?;
        match response.get_mut(..answer.len()) {
            Some(front) => front.copy_from_slice(&answer),
            None => {
                let max = response.len();
                return Err(TransportError::ResponseTooLong {
                    len: answer.len(),
                    max,
                });
            }
        }
        Ok(answer.len())
    }
}

fn answering(response: &Response<'_>) -> Nsm<Scripted> {
    raw(Ok(response.encode().expect("test answers fit")))
}

fn raw(answer: Result<Vec<u8>, TransportError>) -> Nsm<Scripted> {
    Nsm::new(Scripted {
        answers: vec![answer],
        requests: Vec::new(),
    })
}

fn description(version_major: u16, digest: Digest) -> Response<'static> {
    Response::DescribeNsm {
        version_major,
        version_minor: 2,
        version_patch: 3,
        module_id: "i-0-enc0",
        max_pcrs: 32,
        locked_pcrs: (0..16).collect(),
        digest,
    }
}

#[test]
fn calls_return_what_the_device_says() {
    let description = answering(&description(1, Digest::Sha384))
        .describe()
        .expect("it answers");
    assert_eq!(
        description.version,
        NsmVersion {
            major: 1,
            minor: 2,
            patch: 3
        }
    );
    assert_eq!(description.module_id, "i-0-enc0");
    assert_eq!(description.max_pcrs, 32);
    assert_eq!(description.locked_pcrs.len(), 16);

    let value = [7; PCR_LEN];
    let state = answering(&Response::DescribePcr {
        lock: true,
        data: &value,
    })
    .describe_pcr(4);
    assert_eq!(
        state,
        Ok(PcrState {
            lock: PcrLock::Locked,
            value
        })
    );
    let state = answering(&Response::DescribePcr {
        lock: false,
        data: &value,
    })
    .describe_pcr(4);
    assert_eq!(
        state,
        Ok(PcrState {
            lock: PcrLock::Extendable,
            value
        })
    );

    assert_eq!(
        answering(&Response::ExtendPcr { data: &value }).extend(16, b"x"),
        Ok(value)
    );
    assert_eq!(answering(&Response::LockPcr).lock(16), Ok(()));
    assert_eq!(answering(&Response::LockPcrs).lock_range(32), Ok(()));

    let random = answering(&Response::GetRandom { random: &[9; 256] }).random();
    assert_eq!(random.map(|bytes| bytes.to_vec()), Ok(vec![9; 256]));

    let document = answering(&Response::Attestation { document: b"doc" }).attest(None, None, None);
    assert_eq!(document, Ok(b"doc".to_vec()));
}

#[test]
fn calls_send_what_they_are_named_after() {
    let mut nsm = Nsm::new(Scripted {
        answers: vec![Err(TransportError::Closed); 7],
        requests: Vec::new(),
    });
    let _ = nsm.describe();
    let _ = nsm.describe_pcr(3);
    let _ = nsm.extend(16, b"data");
    let _ = nsm.lock(17);
    let _ = nsm.lock_range(32);
    let _ = nsm.random();
    let _ = nsm.attest(Some(b"user"), Some(b"nonce"), Some(b"key"));
    let expected = [
        Request::DescribeNsm,
        Request::DescribePcr { index: 3 },
        Request::ExtendPcr {
            index: 16,
            data: b"data",
        },
        Request::LockPcr { index: 17 },
        Request::LockPcrs { range: 32 },
        Request::GetRandom,
        Request::Attestation {
            user_data: Some(b"user"),
            nonce: Some(b"nonce"),
            public_key: Some(b"key"),
        },
    ];
    let sent: Vec<_> = nsm
        .transport
        .requests
        .iter()
        .map(|r| Request::decode(r))
        .collect();
    assert_eq!(sent, expected.map(Ok));
}

#[test]
fn refusal_fails_closed() {
    for code in ErrorCode::ALL {
        let error = answering(&Response::Error(code))
            .extend(3, b"x")
            .expect_err("it refuses");
        assert_eq!(
            error,
            NsmError::Device {
                call: Call::Extend { index: 3 },
                code
            }
        );
        assert!(error.to_string().contains("ExtendPCR(3)"), "{error}");
        assert!(error.to_string().contains(code.name()), "{error}");
    }
    let read_only = NsmError::Device {
        call: Call::Random,
        code: ErrorCode::ReadOnlyIndex,
    };
    assert_eq!(read_only.fault(), Fault::Caller);
    let internal = NsmError::Device {
        call: Call::Random,
        code: ErrorCode::InternalError,
    };
    assert_eq!(internal.fault(), Fault::Device);
}

#[test]
fn answer_to_another_request_fails_closed() {
    let unexpected = |call, response| Err(NsmError::UnexpectedResponse { call, response });
    let locked = || answering(&Response::LockPcr);
    let kind = ResponseKind::LockPcr;
    assert_eq!(
        locked().describe().map(|_| ()),
        unexpected(Call::Describe, kind)
    );
    let call = Call::DescribePcr { index: 1 };
    assert_eq!(locked().describe_pcr(1).map(|_| ()), unexpected(call, kind));
    assert_eq!(
        locked().extend(1, b"").map(|_| ()),
        unexpected(Call::Extend { index: 1 }, kind)
    );
    assert_eq!(
        locked().lock_range(1),
        unexpected(Call::LockRange { range: 1 }, kind)
    );
    assert_eq!(
        locked().random().map(|_| ()),
        unexpected(Call::Random, kind)
    );
    assert_eq!(
        locked().attest(None, None, None).map(|_| ()),
        unexpected(Call::Attest, kind)
    );
    let call = Call::Lock { index: 1 };
    let kind = ResponseKind::LockPcrs;
    assert_eq!(
        answering(&Response::LockPcrs).lock(1),
        unexpected(call, kind)
    );
}

#[test]
fn pcr_of_another_length_fails_closed() {
    for len in [0, 32, 47, 49, 64] {
        let data = vec![0; len];
        let call = Call::Extend { index: 16 };
        let outcome = answering(&Response::ExtendPcr { data: &data }).extend(16, b"");
        assert_eq!(outcome, Err(NsmError::PcrLength { call, len }));
        let call = Call::DescribePcr { index: 16 };
        let outcome = answering(&Response::DescribePcr {
            lock: true,
            data: &data,
        })
        .describe_pcr(16);
        assert_eq!(outcome, Err(NsmError::PcrLength { call, len }));
    }
}

#[test]
fn too_little_entropy_fails_closed() {
    for len in [0, RANDOM_MIN - 1] {
        let outcome = answering(&Response::GetRandom {
            random: &vec![1; len],
        })
        .random();
        assert_eq!(outcome.map(|_| ()), Err(NsmError::RandomTooShort { len }));
    }
}

#[test]
fn another_version_or_digest_fails_closed() {
    let outcome = answering(&description(2, Digest::Sha384)).describe();
    assert_eq!(outcome, Err(NsmError::UnsupportedVersion { major: 2 }));
    let outcome = answering(&description(1, Digest::Sha256)).describe();
    assert_eq!(
        outcome,
        Err(NsmError::UnsupportedDigest {
            digest: Digest::Sha256
        })
    );
}

#[test]
fn oversize_attestation_fields_fail_closed() {
    let long = [0; FIELD_MAX + 1];
    let error = |field| {
        Err(NsmError::FieldTooLong {
            field,
            len: FIELD_MAX + 1,
        })
    };
    let mut nsm = raw(Err(TransportError::Closed));
    assert_eq!(
        nsm.attest(Some(&long), None, None),
        error(AttestField::UserData)
    );
    assert_eq!(
        nsm.attest(None, Some(&long), None),
        error(AttestField::Nonce)
    );
    assert_eq!(
        nsm.attest(None, None, Some(&long)),
        error(AttestField::PublicKey)
    );
    assert!(nsm.transport.requests.is_empty(), "nothing was sent");
}

#[test]
fn full_attestation_fields_are_sent() {
    let full = [0; FIELD_MAX];
    let mut nsm = answering(&Response::Attestation { document: b"d" });
    assert!(nsm.attest(Some(&full), Some(&full), Some(&full)).is_ok());
}

#[test]
fn oversize_request_fails_closed() {
    let mut nsm = raw(Err(TransportError::Closed));
    let outcome = nsm.extend(16, &[0; wire::REQUEST_MAX]);
    let call = Call::Extend { index: 16 };
    assert_eq!(outcome, Err(NsmError::RequestTooLong { call }));
    assert!(nsm.transport.requests.is_empty(), "nothing was sent");
}

#[test]
fn unreadable_answer_fails_closed() {
    for bytes in [
        &b""[..],
        b"\xff",
        b"\xa1\x69GetRandom\xa1\x66random\x58\x20",
    ] {
        let error = raw(Ok(bytes.to_vec()))
            .random()
            .map(|_| ())
            .expect_err("it is unreadable");
        assert!(matches!(
            error,
            NsmError::MalformedResponse {
                call: Call::Random,
                ..
            }
        ));
        assert_eq!(error.fault(), Fault::Device);
    }
}

#[test]
fn transport_error_fails_closed() {
    for error in [
        TransportError::Closed,
        TransportError::TimedOut,
        TransportError::Exchange { errno: Errno::EIO },
    ] {
        let outcome = raw(Err(error)).lock(16);
        let expected = NsmError::Transport {
            call: Call::Lock { index: 16 },
            error,
        };
        assert_eq!(outcome, Err(expected));
        assert_eq!(expected.fault(), Fault::Platform);
    }
}

#[test]
fn transport_that_claims_too_much_fails_closed() {
    struct Liar;
    impl Transport for Liar {
        fn exchange(&mut self, _: &[u8], response: &mut [u8]) -> Result<usize, TransportError> {
            Ok(response.len() + 1)
        }
    }
    let error = TransportError::ResponseTooLong {
        len: RESPONSE_MAX + 1,
        max: RESPONSE_MAX,
    };
    let outcome = Nsm::new(Liar).random().map(|_| ());
    assert_eq!(
        outcome,
        Err(NsmError::Transport {
            call: Call::Random,
            error
        })
    );
}

#[test]
fn the_buffer_keeps_no_entropy() {
    let mut nsm = answering(&Response::GetRandom {
        random: &[0xEE; 256],
    });
    assert!(nsm.random().is_ok());
    assert!(
        nsm.response.iter().all(|byte| *byte == 0),
        "the answer is still in the buffer"
    );
}
