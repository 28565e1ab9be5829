//! Sealing against the official vector, and everything that must not open.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Infallible, SeedableRng, TryCryptoRng, TryRng};
use proptest::prelude::*;
use quorate_sealing::{
    DecryptionKey, DecryptionKeyError, EncryptionKey, EncryptionKeyError, OpenError, SECRET_LEN,
    Sealed, Suite, TAG_LEN, open, seal,
};

const SUITE: Suite = Suite::P256Sha256Aes256Gcm;
const LABEL: &[u8] = b"quorate/test/v1";
const CONTEXT: &[u8] = b"genesis, member, index";
const MESSAGE: &[u8] = b"a share is thirty-two bytes long";

#[test]
fn official_vector_is_reproduced_and_opened() {
    let vector = Vector::read();
    let key = DecryptionKey::from_bytes(&vector.array("skRm")).expect("a valid key");
    assert_eq!(
        key.public().to_uncompressed().as_slice(),
        vector.bytes("pkRm")
    );

    let (info, aad, plaintext) = (
        vector.bytes("info"),
        vector.encryption("aad"),
        vector.encryption("pt"),
    );
    let mut rng = OneBlock(Some(vector.array("ikmE")));
    let sealed = seal(SUITE, &key.public(), &info, &aad, &plaintext, &mut rng).expect("sealed");
    assert_eq!(sealed.enc.as_slice(), vector.bytes("enc"));
    assert_eq!(sealed.ciphertext, vector.encryption("ct"));
    let opened = open(SUITE, &key, &info, &aad, &sealed, plaintext.len()).expect("opened");
    assert_eq!(*opened, plaintext);
}

#[test]
fn every_flipped_bit_fails_closed() {
    let (key, sealed) = sample();
    for bit in 0..sealed.enc.len() * 8 {
        let mut altered = sealed.clone();
        flip(&mut altered.enc, bit);
        let refused = open_sample(&key, &altered).expect_err("altered point");
        // A flipped coordinate leaves the curve; the prefix has an error of its own.
        let expected = if bit < 8 {
            EncryptionKeyError::BadPrefix {
                prefix: altered.enc[0],
            }
        } else {
            EncryptionKeyError::NotOnCurve
        };
        assert_eq!(refused, OpenError::EncapsulatedKey(expected));
    }
    for bit in 0..sealed.ciphertext.len() * 8 {
        let mut altered = sealed.clone();
        flip(&mut altered.ciphertext, bit);
        assert_eq!(open_sample(&key, &altered), Err(OpenError::NotAuthentic));
    }
    for bit in 0..LABEL.len() * 8 {
        let mut label = LABEL.to_vec();
        flip(&mut label, bit);
        let refused = open(SUITE, &key, &label, CONTEXT, &sealed, 64);
        assert_eq!(refused.err(), Some(OpenError::NotAuthentic));
    }
    for bit in 0..CONTEXT.len() * 8 {
        let mut context = CONTEXT.to_vec();
        flip(&mut context, bit);
        let refused = open(SUITE, &key, LABEL, &context, &sealed, 64);
        assert_eq!(refused.err(), Some(OpenError::NotAuthentic));
    }
}

#[test]
fn label_and_context_moved_into_each_other_fails_closed() {
    let (key, sealed) = sample();
    for (label, context) in [
        (CONTEXT, LABEL),
        (
            b"quorate/test/v1g".as_slice(),
            b"enesis, member, index".as_slice(),
        ),
        (LABEL, b""),
        (b"", CONTEXT),
    ] {
        let refused = open(SUITE, &key, label, context, &sealed, 64);
        assert_eq!(refused.err(), Some(OpenError::NotAuthentic));
    }
}

#[test]
fn wrong_key_fails_closed() {
    let (_, sealed) = sample();
    let stranger = DecryptionKey::random(&mut rng(2));
    assert_eq!(
        open_sample(&stranger, &sealed),
        Err(OpenError::NotAuthentic)
    );
}

#[test]
fn another_valid_point_as_encapsulated_key_fails_closed() {
    let (key, mut sealed) = sample();
    sealed.enc = DecryptionKey::random(&mut rng(3))
        .public()
        .to_uncompressed();
    assert_eq!(open_sample(&key, &sealed), Err(OpenError::NotAuthentic));
    // The negated point has the same x coordinate, so Diffie-Hellman gives the same secret; the
    // encapsulated key is part of the key schedule and catches it.
    let (key, mut sealed) = sample();
    let mut compressed = EncryptionKey::from_sec1(&sealed.enc)
        .expect("a point")
        .to_compressed();
    compressed[0] ^= 1;
    sealed.enc = EncryptionKey::from_sec1(&compressed)
        .expect("a point")
        .to_uncompressed();
    assert_eq!(open_sample(&key, &sealed), Err(OpenError::NotAuthentic));
}

#[test]
fn identity_and_off_curve_encapsulated_keys_fail_closed() {
    let (key, sealed) = sample();
    for (enc, expected) in [
        ([0; 65], EncryptionKeyError::BadPrefix { prefix: 0 }),
        (uncompressed([0; 64]), EncryptionKeyError::NotOnCurve),
        (uncompressed([0xff; 64]), EncryptionKeyError::NotOnCurve),
    ] {
        let altered = Sealed {
            enc,
            ..sealed.clone()
        };
        assert_eq!(
            open_sample(&key, &altered),
            Err(OpenError::EncapsulatedKey(expected))
        );
    }
}

#[test]
fn oversize_and_truncated_ciphertexts_fail_closed() {
    let (key, sealed) = sample();
    let length = MESSAGE.len();
    for limit in [0, 1, length - 1] {
        let refused = open(SUITE, &key, LABEL, CONTEXT, &sealed, limit);
        assert_eq!(refused.err(), Some(OpenError::TooLong { length, limit }));
    }
    assert!(open(SUITE, &key, LABEL, CONTEXT, &sealed, length).is_ok());
    for length in 0..sealed.ciphertext.len() {
        let ciphertext = sealed.ciphertext[..length].to_vec();
        let expected = if length < TAG_LEN {
            OpenError::TooShort { length }
        } else {
            OpenError::NotAuthentic
        };
        let cut = Sealed {
            ciphertext,
            ..sealed.clone()
        };
        assert_eq!(open_sample(&key, &cut), Err(expected));
    }
    let mut longer = sealed;
    longer.ciphertext.push(0);
    assert_eq!(open_sample(&key, &longer), Err(OpenError::NotAuthentic));
}

#[test]
fn encryption_keys_that_are_not_points_fail_closed() {
    let good = sample().0.public();
    let compressed = good.to_compressed();
    let uncompressed = good.to_uncompressed();
    for length in (0..=130).filter(|length| ![33, 65].contains(length)) {
        let bytes: Vec<u8> = uncompressed
            .iter()
            .chain(&uncompressed)
            .copied()
            .take(length)
            .collect();
        assert_eq!(
            EncryptionKey::from_sec1(&bytes),
            Err(EncryptionKeyError::BadLength { length })
        );
    }
    for prefix in 0..=u8::MAX {
        let mut short = compressed;
        short[0] = prefix;
        let mut long = uncompressed;
        long[0] = prefix;
        let refused = Err(EncryptionKeyError::BadPrefix { prefix });
        if !matches!(prefix, 2 | 3) {
            assert_eq!(EncryptionKey::from_sec1(&short), refused);
        }
        if prefix != 4 {
            assert_eq!(EncryptionKey::from_sec1(&long), refused);
        }
    }
    // Not below the field prime: p + 5 would be 5 if it were reduced, and 5 is the x coordinate of
    // a point. Only the range check refuses it.
    for x in [
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        "ffffffff00000001000000000000000000000001000000000000000000000004",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        let mut key = vec![2];
        key.extend(hex(x));
        assert_eq!(
            EncryptionKey::from_sec1(&key),
            Err(EncryptionKeyError::NotOnCurve)
        );
    }
}

#[test]
fn decryption_keys_out_of_range_fail_closed() {
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let order: [u8; SECRET_LEN] = order.try_into().expect("32 bytes");
    let refused = |bytes| DecryptionKey::from_bytes(&bytes).err();
    assert_eq!(refused([0; 32]), Some(DecryptionKeyError::Zero));
    assert_eq!(refused(order), Some(DecryptionKeyError::NotBelowOrder));
    assert_eq!(refused([0xff; 32]), Some(DecryptionKeyError::NotBelowOrder));
    let mut largest = order;
    largest[31] -= 1;
    assert_eq!(refused(largest), None);
}

#[test]
fn two_sealings_of_one_message_differ() {
    let key = DecryptionKey::random(&mut rng(4));
    let mut rng = rng(5);
    let mut once =
        || seal(SUITE, &key.public(), LABEL, CONTEXT, MESSAGE, &mut rng).expect("sealed");
    let (first, second) = (once(), once());
    assert_ne!(first.enc, second.enc);
    assert_ne!(first.ciphertext, second.ciphertext);
}

/// Compiles only while the secret key can be neither copied nor printed.
#[test]
fn decryption_key_has_no_clone_and_no_debug() {
    trait Ambiguous<Marker> {
        const ONLY_ONE: () = ();
    }
    impl<T> Ambiguous<()> for T {}
    impl<T: Clone> Ambiguous<[u8; 1]> for T {}
    impl<T: std::fmt::Debug> Ambiguous<[u8; 2]> for T {}
    let () = <DecryptionKey as Ambiguous<_>>::ONLY_ONE;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_sealed_opens(
        seed: u64,
        label in prop::collection::vec(any::<u8>(), 0..80),
        context in prop::collection::vec(any::<u8>(), 0..300),
        message in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut rng = rng(seed);
        let key = DecryptionKey::random(&mut rng);
        let key = DecryptionKey::from_bytes(&key.to_bytes()).expect("round trip");
        let public = EncryptionKey::from_sec1(&key.public().to_compressed()).expect("round trip");
        prop_assert_eq!(&public, &key.public());
        prop_assert_eq!(
            EncryptionKey::from_sec1(&public.to_uncompressed()),
            Ok(public.clone())
        );
        let sealed = seal(SUITE, &public, &label, &context, &message, &mut rng).expect("sealed");
        prop_assert_eq!(sealed.ciphertext.len(), message.len() + TAG_LEN);
        let opened = open(SUITE, &key, &label, &context, &sealed, message.len());
        prop_assert_eq!(&*opened.expect("opened"), &message);
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

fn open_sample(key: &DecryptionKey, sealed: &Sealed) -> Result<Vec<u8>, OpenError> {
    open(SUITE, key, LABEL, CONTEXT, sealed, 64).map(|opened| opened.to_vec())
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

fn uncompressed(coordinates: [u8; 64]) -> [u8; 65] {
    let mut point = [4; 65];
    point[1..].copy_from_slice(&coordinates);
    point
}

fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

/// The official vector, as read from the file.
struct Vector(serde_json::Value);

impl Vector {
    fn read() -> Self {
        let text = include_str!("../testdata/rfc9180-p256-sha256-aes256gcm-base.json");
        let vector = Self(serde_json::from_str(text).expect("JSON"));
        let ids = ["mode", "kem_id", "kdf_id", "aead_id"].map(|id| vector.0[id].as_u64());
        assert_eq!(ids, [Some(0), Some(0x10), Some(1), Some(2)]);
        vector
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex(self.0[name].as_str().expect("text"))
    }

    fn array(&self, name: &str) -> [u8; 32] {
        self.bytes(name).try_into().expect("32 bytes")
    }

    fn encryption(&self, name: &str) -> Vec<u8> {
        hex(self.0["encryption"][name].as_str().expect("text"))
    }
}

/// A generator that gives one block of 32 bytes, once: `seal` must take exactly that.
struct OneBlock(Option<[u8; 32]>);

impl TryRng for OneBlock {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("sealing takes blocks")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("sealing takes blocks")
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        destination.copy_from_slice(&self.0.take().expect("one block only"));
        Ok(())
    }
}

impl TryCryptoRng for OneBlock {}
