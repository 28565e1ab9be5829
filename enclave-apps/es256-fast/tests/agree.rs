//! aws-lc and pure Rust give the same verdicts: on keys, on signatures, on edge cases of the curve.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::prelude::*;
use quorate_es256::{
    PublicKeyError, SecretKeyError, Signature, SigningKey, VerifyingKey, portable, sha256,
};
use quorate_es256_fast as fast;

/// The order of P-256, and its field (SEC 2, 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const FIELD: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// Both verdicts, which must be one.
fn verdict(key: &[u8], digest: &[u8; 32], signature: &Signature) -> Option<bool> {
    let slow = portable::VerifyingKey::from_sec1(key);
    let quick = fast::VerifyingKey::from_sec1(key);
    assert_eq!(slow.is_ok(), quick.is_ok(), "{key:02x?}");
    let (slow, quick) = (slow.ok()?, quick.ok()?);
    assert_eq!(slow.to_compressed(), quick.to_compressed());
    let verdict = slow.verify_digest(digest, signature);
    assert_eq!(verdict, quick.verify_digest(digest, signature));
    Some(verdict.is_ok())
}

fn scalar(small: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = small;
    bytes
}

fn less(bytes: [u8; 32], by: u8) -> [u8; 32] {
    let mut bytes = bytes;
    bytes[31] -= by;
    bytes
}

/// The public key with both coordinates, as aws-lc writes it.
fn uncompressed(secret: &[u8; 32]) -> Vec<u8> {
    let compressed = portable::SigningKey::from_scalar(secret)
        .expect("a key")
        .public_key();
    let key = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        secret,
        &compressed,
    );
    let key = key.expect("a key").public_key().as_ref().to_vec();
    assert_eq!((key.len(), key[0]), (65, 4));
    key
}

/// Signatures that arise from extreme numbers, each under several keys: r and s small, at the order, at
/// its half, at the field; digests zero, at the order and above it.
#[test]
fn edge_cases_have_one_verdict() {
    let numbers = [
        scalar(1),
        scalar(2),
        scalar(3),
        less(ORDER, 1),
        less(ORDER, 2),
        [0x7f; 32],
        [0x80; 32],
        less(FIELD, 1),
        FIELD,
        ORDER,
        scalar(0),
        [0xff; 32],
    ];
    let keys: Vec<[u8; 33]> = [scalar(1), scalar(2), less(ORDER, 1), [0x42; 32]]
        .iter()
        .map(|secret| {
            portable::SigningKey::from_scalar(secret)
                .expect("a key")
                .public_key()
        })
        .collect();
    let digests = [
        scalar(0),
        scalar(1),
        ORDER,
        less(ORDER, 1),
        [0xff; 32],
        FIELD,
    ];
    let (mut read, mut good) = (0, 0);
    for r in &numbers {
        for s in &numbers {
            let Ok(signature) = Signature::from_raw(&[&r[..], s].concat()) else {
                continue;
            };
            read += 1;
            for key in &keys {
                for digest in &digests {
                    good += usize::from(verdict(key, digest, &signature) == Some(true));
                }
            }
        }
    }
    assert_eq!(read, 49);
    // None of these was ever made with a key; a verdict of "good" would be a forgery.
    assert_eq!(good, 0);
}

/// u1·G + u2·Q is the point at infinity, and Q = G with equal factors: the additions that formulas for
/// points forget. The signatures are made so on purpose.
#[test]
fn additions_that_formulas_forget_have_one_verdict() {
    // Q = G, digest z = r·d with d = 1: u1 = u2, so the two summands are the same point.
    let key = portable::SigningKey::from_scalar(&scalar(1)).expect("a key");
    for nonce in 1..=40u8 {
        // r is the x-coordinate of nonce·G, reduced.
        let point = portable::SigningKey::from_scalar(&scalar(nonce)).expect("a key");
        let r: [u8; 32] = point.public_key()[1..].try_into().expect("32 bytes");
        // s is arbitrary; with z = r: u1 = u2 = r/s.
        let Ok(signature) = Signature::from_raw(&[&r[..], &scalar(nonce)].concat()) else {
            continue;
        };
        verdict(&key.public_key(), &r, &signature).expect("a key");
        // With Q = −G (secret −1) and z = r: u1·G + u2·Q is infinity, never a valid signature.
        let negative = portable::SigningKey::from_scalar(&less(ORDER, 1)).expect("a key");
        assert_eq!(verdict(&negative.public_key(), &r, &signature), Some(false));
    }
}

#[test]
fn keys_in_other_forms_fails_closed() {
    let secret = [0x42; 32];
    let compressed = portable::SigningKey::from_scalar(&secret)
        .expect("a key")
        .public_key();
    let whole = uncompressed(&secret);
    let signature = Signature::from_raw(&[1; 64]).expect("in range");
    assert_eq!(verdict(&compressed, &[1; 32], &signature), Some(false));
    assert_eq!(verdict(&whole, &[1; 32], &signature), Some(false));
    let refused = |bytes: &[u8]| {
        assert_eq!(verdict(bytes, &[1; 32], &signature), None, "{bytes:02x?}");
        let error = fast::VerifyingKey::from_sec1(bytes).err();
        assert_eq!(error, Some(PublicKeyError));
    };
    refused(&[]);
    refused(&[0]);
    for tag in 0..=255u8 {
        if !matches!(tag, 2 | 3) {
            refused(&[&[tag], &compressed[1..]].concat());
        }
        // 6 and 7 are the hybrid form, which aws-lc knows.
        if tag != 4 {
            refused(&[&[tag], &whole[1..]].concat());
        }
    }
    (0..whole.len())
        .filter(|end| *end != 33)
        .for_each(|end| refused(&whole[..end]));
    let mut off = whole.clone();
    off[64] ^= 1;
    refused(&off);
    refused(&[&[2][..], &FIELD].concat());
    refused(&[&[2][..], &[0xff; 32]].concat());
    // An X.509 structure around the same key, which aws-lc would take.
    let header = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    refused(&[&header[..], &whole].concat());
    for bytes in [[0; 32], ORDER, [0xff; 32]] {
        let made = fast::SigningKey::from_scalar(&bytes);
        assert_eq!(made.err(), Some(SecretKeyError));
    }
}

fn secrets() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>().prop_filter("a key", |s| portable::SigningKey::from_scalar(s).is_ok())
}

proptest! {
    /// What one signs, the other verifies, in both forms of s; and whatever is changed, both refuse.
    #[test]
    fn each_verifies_the_other(secret in secrets(), message in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..64, change in 1u8..) {
        let slow = portable::SigningKey::from_scalar(&secret).expect("a key");
        let quick = fast::SigningKey::from_scalar(&secret).expect("a key");
        prop_assert_eq!(slow.public_key(), quick.public_key());
        let (key, digest) = (slow.public_key(), sha256(&message));
        for signature in [slow.sign(&message), quick.sign(&message)] {
            let signature = signature.expect("a signature");
            prop_assert!(signature.is_low_s());
            prop_assert_eq!(verdict(&key, &digest, &signature), Some(true));
            prop_assert_eq!(verdict(&uncompressed(&secret), &digest, &signature), Some(true));
            let mut raw = signature.to_raw();
            let negative = negated(&raw[32..]);
            raw[32..].copy_from_slice(&negative);
            let high = Signature::from_raw(&raw).expect("in range");
            prop_assert!(!high.is_low_s());
            prop_assert_eq!(verdict(&key, &digest, &high), Some(true));
            prop_assert_eq!(high.into_low_s(), signature);
            let mut raw = signature.to_raw();
            raw[at] ^= change;
            if let Ok(changed) = Signature::from_raw(&raw) {
                prop_assert_eq!(verdict(&key, &digest, &changed), Some(false));
            }
            let mut other = digest;
            other[at % 32] ^= change;
            prop_assert_eq!(verdict(&key, &other, &signature), Some(false));
        }
    }

    #[test]
    fn arbitrary_keys_have_one_verdict(x: [u8; 32], y: [u8; 32], tag in 0u8..8) {
        let signature = Signature::from_raw(&[1; 64]).expect("in range");
        verdict(&[&[tag][..], &x].concat(), &x, &signature);
        verdict(&[&[tag][..], &x, &y].concat(), &x, &signature);
    }
}

/// The order less a number.
fn negated(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut borrow = 0i16;
    for at in (0..32).rev() {
        let value = i16::from(ORDER[at]) - i16::from(bytes[at]) - borrow;
        borrow = i16::from(value < 0);
        out[at] = (value & 0xff) as u8;
    }
    out
}
