//! Derived keys against a computation of their own: HMAC, HKDF and the reduction written out here,
//! with no arithmetic of the product.

use proptest::prelude::*;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::instance::{Purpose, derive};
use quorate_protocol::keys::VerificationKey;
use quorate_sharing::Secret;
use quorate_vectors::committed::{self, bytes, text};
use quorate_vectors::unhex;
use sha2::{Digest as _, Sha256};

/// RFC 2104 with SHA-256; keys of at most one block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::digest([&padded(0x36), message].concat());
    Sha256::digest([&padded(0x5c)[..], &inner].concat()).into()
}

/// RFC 5869: extract without salt, expand to 48 bytes.
fn hkdf(secret: &[u8], info: &[u8]) -> [u8; 48] {
    let key = hmac(&[0; 32], secret);
    let first = hmac(&key, &[info, &[1]].concat());
    let second = hmac(&key, &[&first, info, &[2]].concat());
    [first, second].concat()[..48]
        .try_into()
        .expect("48 of 64 bytes")
}

/// A big-endian number modulo the order of P-256 (SEC 2, section 2.4.2), bit by bit.
fn modulo_order(number: &[u8]) -> [u8; 32] {
    let order = unhex("00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    // One byte more than the order, so that doubling cannot overflow.
    let mut rest = [0_u8; 33];
    for bit in (0..8 * number.len()).rev() {
        let byte = number[number.len() - 1 - bit / 8];
        let mut carry = byte >> (bit % 8) & 1;
        for digit in rest.iter_mut().rev() {
            let doubled = u16::from(*digit) << 1 | u16::from(carry);
            *digit = doubled as u8;
            carry = u8::from(doubled > 0xff);
        }
        if rest.as_slice() >= order.as_slice() {
            let mut borrow = 0;
            for (digit, less) in rest.iter_mut().zip(&order).rev() {
                let difference = 256 + i32::from(*digit) - i32::from(*less) - borrow;
                *digit = (difference % 256) as u8;
                borrow = i32::from(difference < 256);
            }
        }
    }
    rest[1..].try_into().expect("32 bytes")
}

/// The info by hand: CBOR array [1, digest, application, purpose], all strings shorter than 24.
fn info(genesis: &[u8; 32], application: &str, purpose: &str) -> Vec<u8> {
    let text = |text: &str| [&[0x60 + text.len() as u8], text.as_bytes()].concat();
    [
        vec![0x84, 0x01, 0x58, 0x20],
        genesis.to_vec(),
        text(application),
        text(purpose),
    ]
    .concat()
}

fn by_hand(secret: &[u8], genesis: &[u8; 32], application: &str, purpose: &str) -> [u8; 32] {
    modulo_order(&hkdf(secret, &info(genesis, application, purpose)))
}

/// RFC 4231, case 2, and RFC 5869, case 3: the helpers above are right.
#[test]
fn the_computation_here_matches_the_rfcs() {
    let mac = hmac(b"Jefe", b"what do ya want for nothing?");
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(mac.to_vec(), unhex(expected));
    let okm = hkdf(&[0x0b; 22], &[]);
    let expected =
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
    assert_eq!(okm[..42], unhex(expected));
}

#[test]
fn the_reduction_here_is_right_at_the_edges() {
    let order = unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let number = |low: u8| [&order[..31], &[low]].concat();
    assert_eq!(modulo_order(&order), [0; 32]);
    assert_eq!(modulo_order(&number(0x50)).to_vec(), number(0x50));
    let one = modulo_order(&number(0x52));
    assert_eq!((one[31], &one[..31]), (1, &[0; 31][..]));
    // 2²⁵⁶ − q.
    let power = [&[1], &[0; 32][..]].concat();
    let expected = "00000000ffffffff00000000000000004319055258e8617b0c46353d039cdaaf";
    assert_eq!(modulo_order(&power).to_vec(), unhex(expected));
}

#[test]
fn derivation_vectors_are_hkdf_and_a_reduction() {
    let file = committed::json("derived/key-derivation.json");
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 6);
    for case in cases {
        let genesis: [u8; 32] = bytes(case, "genesis").try_into().expect("a digest");
        let (application, purpose) = (text(case, "application"), text(case, "purpose"));
        let secret = bytes(case, "secret");
        assert_eq!(info(&genesis, &application, &purpose), bytes(case, "info"));
        assert_eq!(
            hkdf(&secret, &bytes(case, "info")).to_vec(),
            bytes(case, "okm")
        );
        let scalar = by_hand(&secret, &genesis, &application, &purpose);
        assert_eq!(scalar.to_vec(), bytes(case, "scalar"));

        let purpose = match purpose.as_str() {
            "instance" => Purpose::Instance,
            "signing" => Purpose::Signing,
            _ => Purpose::Encryption,
        };
        let secret = Secret::from_bytes(&secret.try_into().expect("32 bytes")).expect("a scalar");
        let genesis = Digest::<Genesis>::from_bytes(genesis);
        let ours = derive(&secret, &genesis, &application, purpose).expect("a nonzero scalar");
        assert_eq!(*ours.to_bytes(), scalar);
        let key = VerificationKey::of(&ours.signing_key()).to_compressed();
        assert_eq!(key.to_vec(), bytes(case, "public"));
        assert_eq!(ours.public_key(), key);
    }
}

#[test]
fn every_input_changes_the_key() {
    let secret = |low: u8| {
        let mut bytes = [0x17; 32];
        bytes[31] = low;
        Secret::from_bytes(&bytes).expect("a scalar")
    };
    let genesis = |low: u8| Digest::<Genesis>::from_bytes([low; 32]);
    let key = |s, g, application: &str, purpose| {
        *derive(&secret(s), &genesis(g), application, purpose)
            .expect("nonzero")
            .to_bytes()
    };
    let keys = [
        key(1, 1, "echo", Purpose::Signing),
        key(2, 1, "echo", Purpose::Signing),
        key(1, 2, "echo", Purpose::Signing),
        key(1, 1, "echo2", Purpose::Signing),
        key(1, 1, "echo", Purpose::Encryption),
        key(1, 1, "init", Purpose::Instance),
    ];
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len());
    assert_eq!(key(1, 1, "echo", Purpose::Signing), keys[0]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_key_is_derived_as_by_hand(
        secret in prop::array::uniform32(any::<u8>()),
        genesis in prop::array::uniform32(any::<u8>()),
        application in "[a-z0-9][a-z0-9._-]{0,22}",
        purpose in prop::sample::select(vec![
            Purpose::Instance, Purpose::Signing, Purpose::Encryption,
        ]),
    ) {
        let Ok(parsed) = Secret::from_bytes(&secret) else { return Ok(()) };
        let digest = Digest::<Genesis>::from_bytes(genesis);
        let ours = derive(&parsed, &digest, &application, purpose).expect("a nonzero scalar");
        prop_assert_eq!(*ours.to_bytes(), by_hand(&secret, &genesis, &application, purpose.name()));
    }
}
