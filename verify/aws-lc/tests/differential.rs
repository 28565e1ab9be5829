//! Both providers give the same answer to every key, message and signature.
//!
//! Right signatures, altered ones, both halves of *s*, numbers at the edges of their ranges, and
//! points that are none.

use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature as P384Signature, SigningKey};
use proptest::prelude::*;
use quorate_verify::attestation::{
    NotSigned, PUBLIC_KEY_BYTES, PublicKey, PureRust, SIGNATURE_BYTES, Signature,
    SignatureVerifier as _,
};
use quorate_verify_aws_lc::AwsLc;

/// The order of the group, n (SEC 2 section 2.5.1).
const ORDER: [u8; 48] = hex48(
    b"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
);

/// The prime of the field, p.
const PRIME: [u8; 48] = hex48(
    b"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
);

const MESSAGE: &[u8] = b"what the security module says";

/// The answer of both, which must be one.
fn both(key: &PublicKey, message: &[u8], signature: &Signature) -> Result<(), NotSigned> {
    let pure = PureRust.verify(key, message, signature);
    let aws_lc = AwsLc.verify(key, message, signature);
    assert_eq!(pure, aws_lc, "{key:?} {message:02x?} {signature:?}");
    pure
}

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed.max(1); 48]).expect("a number in range")
}

fn public(key: &SigningKey) -> PublicKey {
    let point = key.verifying_key().to_sec1_point(false);
    PublicKey::from_sec1(point.as_bytes()).expect("an uncompressed point")
}

fn sign(key: &SigningKey, message: &[u8]) -> P384Signature {
    key.sign(message)
}

fn raw(signature: &P384Signature) -> [u8; SIGNATURE_BYTES] {
    signature.to_bytes().into()
}

fn joined(r: &[u8; 48], s: &[u8; 48]) -> Signature {
    let mut bytes = [0; SIGNATURE_BYTES];
    bytes[..48].copy_from_slice(r);
    bytes[48..].copy_from_slice(s);
    Signature::new(bytes)
}

#[test]
fn right_signatures_are_accepted_with_a_low_and_a_high_s() {
    for seed in 1..=8 {
        let key = signing_key(seed);
        let signature = sign(&key, MESSAGE);
        let (r, s) = signature.split_scalars();
        let other = P384Signature::from_scalars(*r, -*s).expect("in range");
        for signature in [&signature, &other] {
            let signature = Signature::new(raw(signature));
            assert_eq!(both(&public(&key), MESSAGE, &signature), Ok(()));
        }
        let empty = Signature::new(raw(&sign(&key, b"")));
        assert_eq!(both(&public(&key), b"", &empty), Ok(()));
    }
}

#[test]
fn every_flipped_bit_of_a_signature_fails_closed() {
    let key = signing_key(7);
    let right = raw(&sign(&key, MESSAGE));
    for bit in 0..SIGNATURE_BYTES * 8 {
        let mut changed = right;
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = Signature::new(changed);
        assert_eq!(both(&public(&key), MESSAGE, &changed), Err(NotSigned));
    }
}

#[test]
fn numbers_outside_their_range_fail_closed() {
    let key = signing_key(3);
    let right = raw(&sign(&key, MESSAGE));
    let (r, s): ([u8; 48], [u8; 48]) = (
        right[..48].try_into().expect("half"),
        right[48..].try_into().expect("half"),
    );
    let one = plus(&[0; 48], 1);
    let edges = [
        [0; 48],
        one,
        minus_one(&ORDER),
        ORDER,
        plus(&ORDER, 1),
        minus_one(&PRIME),
        PRIME,
        plus(&PRIME, 1),
        [0xff; 48],
    ];
    for edge in edges {
        for signature in [joined(&edge, &s), joined(&r, &edge), joined(&edge, &edge)] {
            assert_eq!(both(&public(&key), MESSAGE, &signature), Err(NotSigned));
        }
        for other in edges {
            let signature = joined(&edge, &other);
            assert_eq!(both(&public(&key), MESSAGE, &signature), Err(NotSigned));
        }
    }
    assert_eq!(both(&public(&key), MESSAGE, &joined(&r, &s)), Ok(()));
}

#[test]
fn points_that_are_none_fail_closed() {
    let key = signing_key(5);
    let right = *public(&key).as_bytes();
    let signature = Signature::new(raw(&sign(&key, MESSAGE)));
    let with = |x: &[u8; 48], y: &[u8; 48]| {
        let mut point = [0; PUBLIC_KEY_BYTES];
        point[0] = 4;
        point[1..49].copy_from_slice(x);
        point[49..].copy_from_slice(y);
        PublicKey::from_sec1(&point).expect("the right shape")
    };
    let (x, y): ([u8; 48], [u8; 48]) = (
        right[1..49].try_into().expect("half"),
        right[49..].try_into().expect("half"),
    );
    assert_eq!(both(&with(&x, &y), MESSAGE, &signature), Ok(()));
    let zero = [0; 48];
    for (x, y) in [
        (zero, zero),
        (x, zero),
        (zero, y),
        (y, x),
        (x, plus(&y, 1)),
        (PRIME, y),
        (x, PRIME),
        (PRIME, PRIME),
        ([0xff; 48], [0xff; 48]),
        (minus_one(&PRIME), y),
    ] {
        assert_eq!(both(&with(&x, &y), MESSAGE, &signature), Err(NotSigned));
    }
    // Another point of the curve, and the same one mirrored.
    let other = public(&signing_key(6));
    assert_eq!(both(&other, MESSAGE, &signature), Err(NotSigned));
    let mirrored = with(&x, &subtract(&PRIME, &y));
    assert_eq!(both(&mirrored, MESSAGE, &signature), Err(NotSigned));
}

#[test]
fn keys_of_another_shape_cannot_be_asked_about() {
    let point = *public(&signing_key(9)).as_bytes();
    assert!(PublicKey::from_sec1(&point).is_some());
    for first in (0..=u8::MAX).filter(|first| *first != 4) {
        let mut other = point;
        other[0] = first;
        assert_eq!(PublicKey::from_sec1(&other), None);
    }
    for length in [0, 1, 49, 96] {
        assert_eq!(PublicKey::from_sec1(&point[..length]), None);
    }
    assert_eq!(PublicKey::from_sec1(&[&point[..], &[0]].concat()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_message_is_judged_alike(
        seed in 1_u8..=0xfe,
        message in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let key = signing_key(seed);
        let signature = Signature::new(raw(&sign(&key, &message)));
        prop_assert_eq!(both(&public(&key), &message, &signature), Ok(()));
        if !message.is_empty() {
            let mut changed = message;
            let at = at.index(changed.len());
            changed[at] ^= flip;
            prop_assert_eq!(both(&public(&key), &changed, &signature), Err(NotSigned));
        }
    }

    #[test]
    fn noise_is_judged_alike(
        point in prop::collection::vec(any::<u8>(), 96),
        signature in prop::collection::vec(any::<u8>(), SIGNATURE_BYTES),
    ) {
        let key = PublicKey::from_sec1(&[&[4][..], &point].concat()).expect("the right shape");
        let signature = Signature::new(signature.try_into().expect("the right length"));
        prop_assert_eq!(both(&key, MESSAGE, &signature), Err(NotSigned));
        let key = public(&signing_key(2));
        prop_assert_eq!(both(&key, MESSAGE, &signature), Err(NotSigned));
    }
}

const fn hex48(text: &[u8; 96]) -> [u8; 48] {
    const fn digit(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => byte - b'0',
            _ => byte - b'a' + 10,
        }
    }
    let mut value = [0; 48];
    let mut at = 0;
    while at < 48 {
        value[at] = digit(text[2 * at]) << 4 | digit(text[2 * at + 1]);
        at += 1;
    }
    value
}

fn plus(number: &[u8; 48], add: u8) -> [u8; 48] {
    let mut sum = *number;
    let mut carry = add;
    for byte in sum.iter_mut().rev() {
        let (value, over) = byte.overflowing_add(carry);
        *byte = value;
        carry = u8::from(over);
    }
    sum
}

fn minus_one(number: &[u8; 48]) -> [u8; 48] {
    subtract(number, &plus(&[0; 48], 1))
}

fn subtract(left: &[u8; 48], right: &[u8; 48]) -> [u8; 48] {
    let mut difference = *left;
    let mut borrow = false;
    for (byte, other) in difference.iter_mut().zip(right).rev() {
        let (value, first) = byte.overflowing_sub(*other);
        let (value, second) = value.overflowing_sub(u8::from(borrow));
        *byte = value;
        borrow = first || second;
    }
    difference
}
