use std::sync::OnceLock;

use super::*;
use crate::measurements::process_measurements;
use proptest::prelude::*;
use rand_core::{TryCryptoRng, TryRng};

/// 2026-11-21T00:00:00Z.
const NOW_MS: u64 = 1_795_219_200_000;
const HOUR_MS: u64 = 60 * 60 * 1000;

fn config(mode: Mode) -> Config {
    Config {
        measurements: process_measurements(b"an init"),
        instance: InstanceId::parse("i-0123456789abcdef0").unwrap(),
        role_arn: None,
        mode,
    }
}

/// One root for all tests: it never changes.
fn root() -> Arc<DevelopmentRoot> {
    static ROOT: OnceLock<Arc<DevelopmentRoot>> = OnceLock::new();
    let make = || Arc::new(DevelopmentRoot::generate(&mut SysRng, NOW_MS).unwrap());
    Arc::clone(ROOT.get_or_init(make))
}

fn device() -> NsmDevice {
    NsmDevice::new(config(Mode::Normal), root(), SysRng, NOW_MS).unwrap()
}

fn ask<R: TryCryptoRng>(device: &mut NsmDevice<R>, request: &Request<'_>) -> Vec<u8> {
    device.process(&request.encode().unwrap(), NOW_MS)
}

fn refusal(response: &[u8]) -> Option<ErrorCode> {
    match Response::decode(response).unwrap() {
        Response::Error(code) => Some(code),
        _ => None,
    }
}

fn pcr(device: &mut NsmDevice, index: u16) -> (bool, Vec<u8>) {
    match Response::decode(&ask(device, &Request::DescribePcr { index })).unwrap() {
        Response::DescribePcr { lock, data } => (lock, data.to_vec()),
        other => panic!("{other:?}"),
    }
}

/// Everything a refused request could have changed.
fn state(device: &mut NsmDevice) -> Vec<(bool, Vec<u8>)> {
    (0..PCR_COUNT).map(|index| pcr(device, index)).collect()
}

#[test]
fn describes_itself() {
    let mut device = device();
    let id = device.module_id().to_owned();
    let answer = ask(&mut device, &Request::DescribeNsm);
    let expected = Response::DescribeNsm {
        version_major: 1,
        version_minor: 0,
        version_patch: 0,
        module_id: &id,
        max_pcrs: 32,
        locked_pcrs: (0..16).collect(),
        digest: Digest::Sha384,
    };
    assert_eq!(Response::decode(&answer), Ok(expected));
    assert!(id.starts_with("i-0123456789abcdef0-enc"));
}

#[test]
fn begins_with_measured_locked_and_free_pcrs() {
    let mut device = device();
    let measured = process_measurements(b"an init");
    for index in 0..PCR_COUNT {
        let (lock, value) = pcr(&mut device, index);
        let expected = match index {
            0 => measured.pcr0,
            1 => measured.pcr1,
            2 => measured.pcr2,
            4 => instance_pcr(&InstanceId::parse("i-0123456789abcdef0").unwrap()),
            _ => ZERO_PCR,
        };
        assert_eq!(lock, index < 16, "PCR{index}");
        assert_eq!(value, expected, "PCR{index}");
    }
}

#[test]
fn signed_images_and_roles_are_measured() {
    let mut config = config(Mode::Normal);
    config.measurements.pcr8 = Some([8; 48]);
    config.role_arn = Some("arn:aws:iam::1:role/x".to_owned());
    let mut device = NsmDevice::new(config, root(), SysRng, NOW_MS).unwrap();
    assert_eq!(pcr(&mut device, 8).1, [8; 48]);
    assert_eq!(pcr(&mut device, 3).1, role_pcr("arn:aws:iam::1:role/x"));
}

#[test]
fn debug_mode_zeroes_the_image_pcrs() {
    let mut device = NsmDevice::new(config(Mode::Debug), root(), SysRng, NOW_MS).unwrap();
    for index in 0..3 {
        assert_eq!(pcr(&mut device, index), (true, vec![0; 48]));
    }
    assert_ne!(pcr(&mut device, 4).1, [0; 48]);
}

#[test]
fn zero_measurement_fails_closed() {
    for index in 0..3 {
        let mut config = config(Mode::Normal);
        match index {
            0 => config.measurements.pcr0 = ZERO_PCR,
            1 => config.measurements.pcr1 = ZERO_PCR,
            _ => config.measurements.pcr2 = ZERO_PCR,
        }
        let outcome = NsmDevice::new(config, root(), SysRng, NOW_MS).err();
        assert_eq!(outcome, Some(DeviceError::ZeroMeasurement { index }));
    }
}

#[test]
fn extends_by_hashing_old_value_and_data() {
    let mut device = device();
    let first = extend(&ZERO_PCR, b"one");
    let second = extend(&first, b"two");
    for (data, expected) in [(b"one", first), (b"two", second)] {
        let answer = ask(&mut device, &Request::ExtendPcr { index: 31, data });
        assert_eq!(
            Response::decode(&answer),
            Ok(Response::ExtendPcr { data: &expected })
        );
        assert_eq!(pcr(&mut device, 31), (false, expected.to_vec()));
    }
    assert_eq!(
        pcr(&mut device, 30).1,
        [0; 48],
        "only the named PCR changes"
    );
}

#[test]
fn extending_a_locked_pcr_fails_closed() {
    let mut device = device();
    ask(&mut device, &Request::LockPcr { index: 16 });
    let before = state(&mut device);
    for index in 0..=16 {
        let answer = ask(&mut device, &Request::ExtendPcr { index, data: b"x" });
        assert_eq!(
            refusal(&answer),
            Some(ErrorCode::ReadOnlyIndex),
            "PCR{index}"
        );
    }
    assert_eq!(state(&mut device), before);
}

#[test]
fn locking_twice_fails_closed() {
    let mut device = device();
    assert_eq!(
        ask(&mut device, &Request::LockPcr { index: 20 }),
        b"\x67LockPCR"
    );
    for index in [0, 15, 20] {
        let answer = ask(&mut device, &Request::LockPcr { index });
        assert_eq!(
            refusal(&answer),
            Some(ErrorCode::ReadOnlyIndex),
            "PCR{index}"
        );
    }
}

#[test]
fn locks_ranges_over_what_is_locked_already() {
    let mut device = device();
    for range in [0, 5, 18, 18, 32, 32] {
        assert_eq!(
            ask(&mut device, &Request::LockPcrs { range }),
            b"\x68LockPCRs"
        );
        for index in 0..PCR_COUNT {
            assert_eq!(
                pcr(&mut device, index).0,
                index < range.max(16),
                "PCR{index}"
            );
        }
    }
}

#[test]
fn locking_beyond_the_last_pcr_fails_closed() {
    let mut device = device();
    let before = state(&mut device);
    for range in [33, 64, u16::MAX] {
        let answer = ask(&mut device, &Request::LockPcrs { range });
        assert_eq!(refusal(&answer), Some(ErrorCode::InvalidIndex));
    }
    assert_eq!(state(&mut device), before);
}

#[test]
fn index_beyond_the_last_pcr_fails_closed() {
    let mut device = device();
    let before = state(&mut device);
    for index in [32, 255, 256, u16::MAX] {
        for request in [
            Request::DescribePcr { index },
            Request::ExtendPcr { index, data: b"x" },
            Request::LockPcr { index },
        ] {
            let answer = ask(&mut device, &request);
            assert_eq!(
                refusal(&answer),
                Some(ErrorCode::InvalidIndex),
                "{request:?}"
            );
        }
    }
    assert_eq!(state(&mut device), before);
}

#[test]
fn gives_different_entropy_each_time() {
    let mut device = device();
    let mut draw = || match Response::decode(&ask(&mut device, &Request::GetRandom)).unwrap() {
        Response::GetRandom { random } => random.to_vec(),
        other => panic!("{other:?}"),
    };
    let (one, two) = (draw(), draw());
    assert_eq!(one.len(), RANDOM_LEN);
    assert_ne!(one, two);
}

#[test]
fn oversize_attestation_fields_fail_closed() {
    let mut device = device();
    let long = [0; FIELD_MAX + 1];
    for (user_data, nonce, public_key) in [
        (Some(&long[..]), None, None),
        (None, Some(&long[..]), None),
        (None, None, Some(&long[..])),
    ] {
        let answer = ask(
            &mut device,
            &Request::Attestation {
                user_data,
                nonce,
                public_key,
            },
        );
        assert_eq!(refusal(&answer), Some(ErrorCode::InputTooLarge));
    }
}

#[test]
fn oversize_request_fails_closed() {
    let answer = device().process(&[0; quorate_init::nsm::wire::REQUEST_MAX + 1], NOW_MS);
    assert_eq!(refusal(&answer), Some(ErrorCode::InputTooLarge));
}

#[test]
fn what_is_no_request_fails_closed() {
    let mut device = device();
    let before = state(&mut device);
    for bytes in [
        &b""[..],
        b"\x00",
        b"\x63Foo",
        b"\x67LockPCR",
        b"\x69GetRandom\x00",
        b"\xff",
    ] {
        let answer = device.process(bytes, NOW_MS);
        assert_eq!(
            refusal(&answer),
            Some(ErrorCode::InvalidOperation),
            "{bytes:02x?}"
        );
    }
    assert_eq!(state(&mut device), before);
}

#[test]
fn attesting_outside_the_roots_validity_fails_closed() {
    let mut device = device();
    let request = Request::Attestation {
        user_data: None,
        nonce: None,
        public_key: None,
    };
    let request = request.encode().unwrap();
    let years_31 = 31 * 365 * 24 * HOUR_MS;
    for now_ms in [0, NOW_MS - 2 * HOUR_MS, NOW_MS + years_31, u64::MAX] {
        let answer = device.process(&request, now_ms);
        assert_eq!(refusal(&answer), Some(ErrorCode::InternalError), "{now_ms}");
    }
    assert_eq!(
        refusal(&device.process(&request, NOW_MS)),
        None,
        "it recovers"
    );
}

#[test]
fn internal_error_is_encoded_right() {
    let encoded = Response::Error(ErrorCode::InternalError).encode().unwrap();
    assert_eq!(encoded, INTERNAL_ERROR);
}

/// A random source that fails when told to.
struct Failing(bool);

#[derive(Debug)]
struct NoEntropy;

impl std::fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no entropy")
    }
}

impl std::error::Error for NoEntropy {}

impl TryRng for Failing {
    type Error = NoEntropy;

    fn try_next_u32(&mut self) -> Result<u32, NoEntropy> {
        if self.0 {
            Err(NoEntropy)
        } else {
            SysRng.try_next_u32().map_err(|_| NoEntropy)
        }
    }

    fn try_next_u64(&mut self) -> Result<u64, NoEntropy> {
        if self.0 {
            Err(NoEntropy)
        } else {
            SysRng.try_next_u64().map_err(|_| NoEntropy)
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        if self.0 {
            Err(NoEntropy)
        } else {
            SysRng.try_fill_bytes(bytes).map_err(|_| NoEntropy)
        }
    }
}

impl TryCryptoRng for Failing {}

#[test]
fn failing_random_source_fails_closed() {
    let outcome = NsmDevice::new(config(Mode::Normal), root(), Failing(true), NOW_MS).err();
    assert_eq!(outcome, Some(DeviceError::Identity(IdentityError::Random)));
    assert_eq!(
        DevelopmentRoot::generate(&mut Failing(true), NOW_MS).err(),
        Some(PkiError::Random)
    );

    let mut device = NsmDevice::new(config(Mode::Normal), root(), Failing(false), NOW_MS).unwrap();
    device.rng = Failing(true);
    assert_eq!(
        refusal(&ask(&mut device, &Request::GetRandom)),
        Some(ErrorCode::InternalError)
    );
    let request = Request::Attestation {
        user_data: None,
        nonce: None,
        public_key: None,
    };
    let request = request.encode().unwrap();
    assert_eq!(
        refusal(&device.process(&request, NOW_MS)),
        None,
        "the leaf is there"
    );
    let answer = device.process(&request, NOW_MS + 4 * HOUR_MS);
    assert_eq!(
        refusal(&answer),
        Some(ErrorCode::InternalError),
        "the leaf has ended"
    );
}

/// A model of the PCRs that is as simple as can be.
#[derive(Clone, Debug)]
enum Step {
    Extend(u16, Vec<u8>),
    Lock(u16),
    LockRange(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40u16, prop::collection::vec(any::<u8>(), 0..64)).prop_map(|(i, d)| Step::Extend(i, d)),
        (0..40u16).prop_map(Step::Lock),
        (0..40u16).prop_map(Step::LockRange),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn locked_pcrs_never_change(steps in prop::collection::vec(step(), 0..40)) {
        let mut device = device();
        for step in steps {
            let before = state(&mut device);
            let request = match &step {
                Step::Extend(index, data) => Request::ExtendPcr { index: *index, data },
                Step::Lock(index) => Request::LockPcr { index: *index },
                Step::LockRange(range) => Request::LockPcrs { range: *range },
            };
            let refused = refusal(&ask(&mut device, &request)).is_some();
            let after = state(&mut device);
            for (old, new) in before.iter().zip(&after) {
                prop_assert!(!old.0 || old == new, "a locked PCR changed");
            }
            prop_assert!(!refused || before == after, "a refused request changed something");
        }
    }

    #[test]
    fn no_request_makes_the_device_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut device = device();
        let answer = device.process(&bytes, NOW_MS);
        prop_assert!(Response::decode(&answer).is_ok());
    }
}
