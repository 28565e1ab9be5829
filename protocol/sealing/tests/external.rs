//! Opening with a key that is somewhere else, against the official vector and against opening with
//! the key at hand; and what a holder of a key must never see or decide.

use std::cell::Cell;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{NonZeroScalar, PublicKey};
use proptest::prelude::*;
use quorate_sealing::{
    DecryptionKey, DiffieHellman, EncryptionKey, EncryptionKeyError, ExternalOpenError, OpenError,
    SHARED_LEN, Sealed, Suite, open, open_with, seal,
};
use zeroize::Zeroizing;

const SUITE: Suite = Suite::P256Sha256Aes256Gcm;
const LABEL: &[u8] = b"quorate/test/v1";
const CONTEXT: &[u8] = b"genesis, member, index";
const MESSAGE: &[u8] = b"a share is thirty-two bytes long";

type Refused = ExternalOpenError<Unplugged>;

/// Why a device does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unplugged;

/// A device: it multiplies, counts, and can be unplugged or lie.
struct Device {
    scalar: NonZeroScalar,
    asked: Cell<usize>,
    answer: fn([u8; SHARED_LEN]) -> Result<[u8; SHARED_LEN], Unplugged>,
}

impl Device {
    fn holding(key: &DecryptionKey) -> Self {
        Self {
            scalar: NonZeroScalar::try_from(key.to_bytes().as_slice()).expect("a scalar"),
            asked: Cell::new(0),
            answer: Ok,
        }
    }
}

impl DiffieHellman for Device {
    type Error = Unplugged;

    fn diffie_hellman(
        &self,
        point: &EncryptionKey,
    ) -> Result<Zeroizing<[u8; SHARED_LEN]>, Unplugged> {
        self.asked.set(self.asked.get() + 1);
        let point = PublicKey::from_sec1_bytes(&point.to_uncompressed()).expect("checked before");
        let product = (point.to_projective() * *self.scalar).to_affine();
        let product = product.to_sec1_point(false);
        let x = product.as_bytes()[1..33].try_into().expect("a coordinate");
        (self.answer)(x).map(Zeroizing::new)
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn sample() -> (DecryptionKey, Sealed) {
    let mut rng = rng(1);
    let key = DecryptionKey::random(&mut rng);
    let sealed = seal(SUITE, &key.public(), LABEL, CONTEXT, MESSAGE, &mut rng).expect("sealed");
    (key, sealed)
}

fn opened(device: &Device, own: &EncryptionKey, sealed: &Sealed) -> Result<Vec<u8>, Refused> {
    let opened = open_with(SUITE, own, device, LABEL, CONTEXT, sealed, 64);
    opened.map(|plaintext| plaintext.to_vec())
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2);
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    pairs.map(byte).collect()
}

#[test]
fn official_vector_is_opened_through_a_device() {
    let text = include_str!("../testdata/rfc9180-p256-sha256-aes256gcm-base.json");
    let vector: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let bytes = |value: &serde_json::Value| hex(value.as_str().expect("text"));
    let key: [u8; 32] = bytes(&vector["skRm"]).try_into().expect("32 bytes");
    let key = DecryptionKey::from_bytes(&key).expect("a key");
    let sealed = Sealed {
        enc: bytes(&vector["enc"]).try_into().expect("65 bytes"),
        ciphertext: bytes(&vector["encryption"]["ct"]),
    };
    let opened = open_with(
        SUITE,
        &EncryptionKey::from_sec1(&bytes(&vector["pkRm"])).expect("a point"),
        &Device::holding(&key),
        &bytes(&vector["info"]),
        &bytes(&vector["encryption"]["aad"]),
        &sealed,
        64,
    );
    assert_eq!(*opened.expect("opened"), bytes(&vector["encryption"]["pt"]));
}

proptest! {
    /// Whatever is sealed, and whatever happens to it: a device opens what the key at hand opens,
    /// and refuses what it refuses, for the same reason.
    #[test]
    fn a_device_and_a_key_at_hand_agree(
        seed: u64,
        label in prop::collection::vec(any::<u8>(), 0..80),
        context in prop::collection::vec(any::<u8>(), 0..300),
        message in prop::collection::vec(any::<u8>(), 0..200),
        limit in 0_usize..260,
        flip in prop::option::of(0_usize..400),
    ) {
        let mut rng = rng(seed);
        let key = DecryptionKey::random(&mut rng);
        let public = key.public();
        let mut sealed = seal(SUITE, &public, &label, &context, &message, &mut rng).expect("sealed");
        if let Some(at) = flip {
            let (point, body) = (sealed.enc.as_mut_slice(), sealed.ciphertext.as_mut_slice());
            if let Some(byte) = point.iter_mut().chain(body).nth(at) {
                *byte ^= 1;
            }
        }
        let here = open(SUITE, &key, &label, &context, &sealed, limit);
        let there = open_with(
            SUITE, &public, &Device::holding(&key), &label, &context, &sealed, limit,
        );
        prop_assert_eq!(here.map_err(ExternalOpenError::Message), there);
    }
}

#[test]
fn a_point_off_the_curve_never_reaches_a_device_fails_closed() {
    let (key, sealed) = sample();
    let device = Device::holding(&key);
    let mut off = [0; 65];
    off[0] = 4;
    let mut flipped = sealed.enc;
    flipped[40] ^= 1;
    for (enc, expected) in [
        ([0; 65], EncryptionKeyError::BadPrefix { prefix: 0 }),
        (off, EncryptionKeyError::NotOnCurve),
        ([4; 65], EncryptionKeyError::NotOnCurve),
        (flipped, EncryptionKeyError::NotOnCurve),
    ] {
        let altered = Sealed {
            enc,
            ..sealed.clone()
        };
        let refused = opened(&device, &key.public(), &altered);
        let expected = OpenError::EncapsulatedKey(expected);
        assert_eq!(refused, Err(ExternalOpenError::Message(expected)));
    }
    assert_eq!(device.asked.get(), 0);
    assert_eq!(
        opened(&device, &key.public(), &sealed).as_deref(),
        Ok(MESSAGE)
    );
    assert_eq!(device.asked.get(), 1);
}

#[test]
fn a_message_of_another_length_never_reaches_a_device_fails_closed() {
    let (key, mut sealed) = sample();
    let device = Device::holding(&key);
    sealed.ciphertext = vec![0; 65 + 16];
    let refused = opened(&device, &key.public(), &sealed);
    let long = OpenError::TooLong {
        length: 65,
        limit: 64,
    };
    assert_eq!(refused, Err(ExternalOpenError::Message(long)));
    sealed.ciphertext = vec![0; 15];
    let refused = opened(&device, &key.public(), &sealed);
    let short = OpenError::TooShort { length: 15 };
    assert_eq!(refused, Err(ExternalOpenError::Message(short)));
    assert_eq!(device.asked.get(), 0);
}

#[test]
fn a_device_that_does_not_answer_fails_closed() {
    let (key, sealed) = sample();
    let mut device = Device::holding(&key);
    device.answer = |_| Err(Unplugged);
    let refused = opened(&device, &key.public(), &sealed);
    assert_eq!(refused, Err(ExternalOpenError::Key(Unplugged)));
}

#[test]
fn a_device_that_answers_wrong_fails_closed() {
    let (key, sealed) = sample();
    let not_authentic = Err(ExternalOpenError::Message(OpenError::NotAuthentic));
    for answer in [
        |_| Ok([0; SHARED_LEN]),
        |mut x: [u8; SHARED_LEN]| {
            x.reverse();
            Ok(x)
        },
    ] {
        let mut device = Device::holding(&key);
        device.answer = answer;
        assert_eq!(opened(&device, &key.public(), &sealed), not_authentic);
    }
    // Another key than the one whose public half was named, in either place.
    let other = DecryptionKey::random(&mut rng(2));
    let device = Device::holding(&other);
    assert_eq!(opened(&device, &key.public(), &sealed), not_authentic);
    let device = Device::holding(&key);
    assert_eq!(opened(&device, &other.public(), &sealed), not_authentic);
}
