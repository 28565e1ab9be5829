//! AWS-LC and the `p256` crate give the same answer, and what is remembered changes none.

use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey};
use proptest::prelude::*;
use quorate_protocol::es256::Es256Verifier as _;
use quorate_verify_aws_lc::{Es256, MOST};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed.max(1); 32]).expect("a number in range")
}

fn uncompressed(key: &SigningKey) -> [u8; 65] {
    let point = key.verifying_key().to_sec1_point(false);
    point.as_bytes().try_into().expect("65 bytes")
}

fn sign(key: &SigningKey, message: &[u8]) -> [u8; 64] {
    let signature: Signature = key.sign(message);
    signature.normalize_s().to_bytes().into()
}

/// The answer of both, which must be one, asked twice.
fn both(key: &SigningKey, message: &[u8], signature: &[u8; 64]) -> bool {
    let parsed = Signature::from_slice(signature);
    let pure = parsed.is_ok_and(|s| key.verifying_key().verify(message, &s).is_ok());
    let public = uncompressed(key);
    assert_eq!(pure, Es256.verifies(&public, message, signature));
    assert_eq!(pure, Es256.verifies(&public, message, signature));
    pure
}

#[test]
fn an_altered_signature_after_the_right_one_fails_closed() {
    let (one, other) = (key(1), key(2));
    let signature = sign(&one, b"message");
    assert!(both(&one, b"message", &signature));
    for byte in 0..64 {
        let mut altered = signature;
        altered[byte] ^= 1;
        assert!(!both(&one, b"message", &altered), "{byte}");
    }
    assert!(!both(&one, b"massage", &signature));
    assert!(!both(&other, b"message", &signature));
    assert!(!both(&one, b"message", &[0; 64]));
    assert!(!both(&one, b"message", &[0xff; 64]));
    let mut point = uncompressed(&one);
    point[64] ^= 1;
    assert!(!Es256.verifies(&point, b"message", &signature));
    assert!(both(&one, b"message", &signature));
}

#[test]
fn more_signatures_than_are_remembered_are_verified_all_the_same() {
    let key = key(3);
    let (right, wrong) = (sign(&key, b"right"), sign(&key, b"wrong"));
    for _ in 0..2 {
        for number in 0..u16::try_from(MOST).expect("few") + 8 {
            let message = number.to_be_bytes();
            assert!(Es256.verifies(&uncompressed(&key), &message, &sign(&key, &message)));
        }
        assert!(both(&key, b"right", &right));
        assert!(!both(&key, b"right", &wrong));
    }
}

proptest! {
    #[test]
    fn both_answer_alike(
        seed in 1..=254u8,
        message in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0..64usize,
        flip in any::<u8>(),
    ) {
        let key = key(seed);
        let mut signature = sign(&key, &message);
        signature[at] ^= flip;
        prop_assert_eq!(both(&key, &message, &signature), flip == 0);
    }
}
