//! Forms of signatures and keys, in pure Rust. `quorate-es256-fast` repeats the verdicts with aws-lc.

use proptest::prelude::*;
use quorate_es256::{
    KeyCache, PublicKeyError, SecretKeyError, Signature, SignatureError, SigningKey as _,
    VerifyingKey as _, portable, sha256,
};

/// The order of P-256 (SEC 2, 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn key() -> portable::SigningKey {
    portable::SigningKey::from_scalar(&[7; 32]).expect("a key")
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    [&[2, bytes.len() as u8], bytes].concat()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    let all = parts.concat();
    [&[0x30, all.len() as u8][..], &all].concat()
}

/// RFC 6979, A.2.5: ECDSA over P-256 with SHA-256, both messages.
#[test]
fn signatures_are_those_of_rfc_6979() {
    let bytes = |text: &str| -> Vec<u8> {
        let digit = |c: u8| char::from(c).to_digit(16).expect("a digit") as u8;
        let pairs = text.as_bytes().chunks(2);
        pairs
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect()
    };
    let secret = bytes("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
    let secret = secret.try_into().expect("32 bytes");
    let key = portable::SigningKey::from_scalar(&secret).expect("a key");
    for (message, r, s) in [
        (
            "sample",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            "test",
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
            "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
        ),
    ] {
        let expected = Signature::from_raw(&bytes(&format!("{r}{s}"))).expect("in range");
        let made = key.sign(message.as_bytes()).expect("a signature");
        // The RFC keeps a high s; ours is its low counterpart.
        assert_eq!(made, expected.into_low_s());
        assert!(made.is_low_s());
        let public = portable::VerifyingKey::from_sec1(&key.public_key()).expect("a key");
        for signature in [made, expected] {
            assert_eq!(public.verify(message.as_bytes(), &signature), Ok(()));
        }
    }
}

#[test]
fn der_in_any_other_form_fails_closed() {
    let refused = |bytes: &[u8]| assert_eq!(Signature::from_der(bytes), Err(SignatureError::Der));
    let (r, s) = ([0x11; 32], [0x22; 32]);
    let good = sequence(&[integer(&r), integer(&s)]);
    assert!(Signature::from_der(&good).is_ok());
    // Trailing bytes, outside and inside; truncated at every byte.
    refused(&[&good[..], &[0]].concat());
    refused(&sequence(&[integer(&r), integer(&s), integer(&[1])]));
    (0..good.len()).for_each(|end| refused(&good[..end]));
    // Padded integers, negative ones, empty ones.
    refused(&sequence(&[integer(&[&[0][..], &r].concat()), integer(&s)]));
    refused(&sequence(&[integer(&[0x80; 32]), integer(&s)]));
    refused(&sequence(&[integer(&[]), integer(&s)]));
    assert!(
        Signature::from_der(&sequence(&[
            integer(&[&[0][..], &[0x80; 32]].concat()),
            integer(&s)
        ]))
        .is_ok()
    );
    // Lengths in their long form, and an indefinite one.
    let mut long = vec![0x30, 0x81, good[1]];
    long.extend(&good[2..]);
    refused(&long);
    let mut indefinite = vec![0x30, 0x80];
    indefinite.extend(&good[2..]);
    indefinite.extend([0, 0]);
    refused(&indefinite);
    // Other tags.
    for (at, tag) in [(0, 0x31), (0, 0x10), (2, 3), (2, 0x82)] {
        let mut bytes = good.clone();
        bytes[at] = tag;
        refused(&bytes);
    }
    refused(&[]);
    refused(&[0x30, 0]);
}

#[test]
fn numbers_out_of_range_fails_closed() {
    let mut last = ORDER;
    last[31] -= 1;
    let one = [[0; 31].as_slice(), &[1]].concat();
    let positive = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let mut short = bytes[zeros..].to_vec();
        if short.first().is_none_or(|byte| *byte >= 0x80) {
            short.insert(0, 0);
        }
        integer(&short)
    };
    for (r, s, good) in [
        (&last[..], &last[..], true),
        (&one, &one, true),
        (&[0; 32], &one, false),
        (&one, &[0; 32], false),
        (&ORDER, &one, false),
        (&one, &ORDER, false),
        (&[0xff; 32], &one, false),
    ] {
        assert_eq!(Signature::from_raw(&[r, s].concat()).is_ok(), good);
        let der = sequence(&[positive(r), positive(s)]);
        assert_eq!(Signature::from_der(&der).is_ok(), good);
    }
    for length in [0, 1, 63, 65, 128] {
        let refused = Signature::from_raw(&vec![1; length]);
        assert_eq!(refused, Err(SignatureError::Raw));
    }
}

#[test]
fn bytes_that_are_no_key_fails_closed() {
    let refused = |bytes: &[u8]| {
        assert_eq!(
            portable::VerifyingKey::from_sec1(bytes).err(),
            Some(PublicKeyError)
        );
    };
    let good = key().public_key();
    assert!(portable::VerifyingKey::from_sec1(&good).is_ok());
    refused(&[]);
    refused(&[0]);
    refused(&good[..32]);
    refused(&[&good[..], &[0]].concat());
    for tag in (0..=255).filter(|tag| !matches!(tag, 2 | 3)) {
        refused(&[&[tag], &good[1..]].concat());
    }
    refused(&[&[2][..], &[0xff; 32]].concat());
    for bytes in [[0; 32], ORDER, [0xff; 32]] {
        let made = portable::SigningKey::from_scalar(&bytes);
        assert_eq!(made.err(), Some(SecretKeyError));
    }
}

#[test]
fn a_cache_keeps_as_many_keys_as_it_was_told() {
    let keys: Vec<[u8; 33]> = (1..=4)
        .map(|n| {
            portable::SigningKey::from_scalar(&[n; 32])
                .expect("a key")
                .public_key()
        })
        .collect();
    let mut cache = KeyCache::<portable::VerifyingKey>::new(3);
    assert!(cache.is_empty());
    for key in keys.iter().chain(&keys) {
        assert_eq!(cache.parsed(key).expect("a key").to_compressed(), *key);
        assert!(cache.len() <= 3);
    }
    let refused = cache.parsed(&[0xff; 33]).err();
    assert_eq!(refused, Some(PublicKeyError));
    assert_eq!(cache.len(), 3);
    // The one that was not used for longest has gone: with room for two, b goes and a stays.
    let mut cache = KeyCache::<Counted>::new(2);
    for (key, parsed) in [(0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (1, 4)] {
        COUNT.with(|count| {
            let _ = cache.parsed(&keys[key]);
            assert_eq!(count.get(), parsed);
        });
    }
}

thread_local!(static COUNT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

/// A key that counts how often one was parsed.
struct Counted(portable::VerifyingKey);

impl quorate_es256::VerifyingKey for Counted {
    fn from_sec1(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        COUNT.with(|count| count.set(count.get() + 1));
        portable::VerifyingKey::from_sec1(bytes).map(Self)
    }

    fn to_compressed(&self) -> [u8; 33] {
        self.0.to_compressed()
    }

    fn verify_digest(
        &self,
        digest: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), quorate_es256::BadSignature> {
        self.0.verify_digest(digest, signature)
    }
}

proptest! {
    #[test]
    fn forms_are_read_again(raw in prop::collection::vec(any::<u8>(), 64)) {
        if let Ok(signature) = Signature::from_raw(&raw) {
            prop_assert_eq!(&signature.to_raw()[..], &raw[..]);
            prop_assert_eq!(Signature::from_der(&signature.to_der()), Ok(signature));
            prop_assert!(signature.to_der().len() <= Signature::MAX_DER_LEN);
            prop_assert!(signature.into_low_s().is_low_s());
        }
    }

    #[test]
    fn what_is_read_is_written_the_same(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(signature) = Signature::from_der(&bytes) {
            prop_assert_eq!(signature.to_der(), bytes);
        }
    }

    #[test]
    fn a_changed_message_fails_closed(message in prop::collection::vec(any::<u8>(), 1..100), at in any::<prop::sample::Index>(), change in 1u8..) {
        let key = key();
        let public = portable::VerifyingKey::from_sec1(&key.public_key()).expect("a key");
        let signature = key.sign(&message).expect("a signature");
        prop_assert_eq!(public.verify(&message, &signature), Ok(()));
        prop_assert_eq!(public.verify_digest(&sha256(&message), &signature), Ok(()));
        let mut changed = message.clone();
        changed[at.index(message.len())] ^= change;
        prop_assert!(public.verify(&changed, &signature).is_err());
    }
}
