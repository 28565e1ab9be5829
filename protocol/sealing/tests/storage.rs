//! Sealing under a symmetric key, against the construction by hand, and everything that must not open.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use proptest::prelude::*;
use quorate_sealing::storage::MAX_PLAINTEXT;
use quorate_sealing::{OpenError, SealError, StorageKey, StorageSuite, Stored, TAG_LEN};

const CONTEXT: &[u8] = b"genesis, organization, wallet";
const MESSAGE: &[u8] = b"a seed has thirty-two bytes, too";

fn key(byte: u8) -> StorageKey {
    StorageKey::from_bytes(&[byte; 32])
}

fn sample() -> Stored {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    key(1).seal(CONTEXT, MESSAGE, &mut rng).expect("sealed")
}

#[test]
fn every_changed_byte_fails_closed() {
    let sealed = sample();
    for bit in 0..sealed.salt.len() * 8 {
        let mut altered = sealed.clone();
        altered.salt[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key(1).open(CONTEXT, &altered), Err(OpenError::NotAuthentic));
    }
    for at in 0..sealed.ciphertext.len() {
        for mask in 1..=255 {
            let mut altered = sealed.clone();
            altered.ciphertext[at] ^= mask;
            assert_eq!(key(1).open(CONTEXT, &altered), Err(OpenError::NotAuthentic));
        }
    }
    assert_eq!(*key(1).open(CONTEXT, &sealed).expect("opened"), MESSAGE);
}

#[test]
fn another_key_fails_closed() {
    assert_eq!(
        key(2).open(CONTEXT, &sample()),
        Err(OpenError::NotAuthentic)
    );
}

#[test]
fn another_context_fails_closed() {
    let longer = [CONTEXT, b"x"].concat();
    for context in [b"".as_slice(), &CONTEXT[1..], &longer] {
        let refused = key(1).open(context, &sample());
        assert_eq!(refused, Err(OpenError::NotAuthentic));
    }
}

#[test]
fn a_cut_or_longer_ciphertext_fails_closed() {
    let sealed = sample();
    for length in 0..sealed.ciphertext.len() {
        let mut cut = sealed.clone();
        cut.ciphertext.truncate(length);
        let expected = if length < TAG_LEN {
            OpenError::TooShort { length }
        } else {
            OpenError::NotAuthentic
        };
        assert_eq!(key(1).open(CONTEXT, &cut), Err(expected));
    }
    let mut longer = sealed;
    longer.ciphertext.push(0);
    assert_eq!(key(1).open(CONTEXT, &longer), Err(OpenError::NotAuthentic));
    longer.ciphertext.resize(MAX_PLAINTEXT + TAG_LEN + 1, 0);
    let refused = OpenError::TooLong {
        length: MAX_PLAINTEXT + 1,
        limit: MAX_PLAINTEXT,
    };
    assert_eq!(key(1).open(CONTEXT, &longer), Err(refused));
}

#[test]
fn a_plaintext_that_is_too_long_fails_closed() {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let length = MAX_PLAINTEXT + 1;
    let refused = key(1).seal(CONTEXT, &vec![0; length], &mut rng);
    assert_eq!(refused, Err(SealError::NotSealed { length }));
    let longest = key(1).seal(CONTEXT, &vec![7; length - 1], &mut rng);
    let longest = longest.expect("sealed");
    let opened = key(1).open(CONTEXT, &longest).expect("opened");
    assert_eq!(*opened, vec![7; length - 1]);
}

#[test]
fn unknown_suite_fails_closed() {
    let known: Vec<u16> = (0..=u16::MAX)
        .filter(|id| StorageSuite::from_id(*id).is_some())
        .collect();
    assert_eq!(known, [1]);
    assert_eq!(StorageSuite::from_id(1).map(StorageSuite::id), Some(1));
}

/// The key of one object, computed here by hand, opens it with the plain cipher.
#[test]
fn construction_is_what_the_contract_says() {
    use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
    use hkdf::Hkdf;
    use sha2::{Digest as _, Sha256};

    let sealed = sample();
    let mut info = b"quorate/sealed-secret/v1".to_vec();
    info.extend_from_slice(&Sha256::digest(CONTEXT));
    let mut object_key = [0; 32];
    Hkdf::<Sha256>::new(Some(&sealed.salt), &[1; 32])
        .expand(&info, &mut object_key)
        .expect("a length HKDF can give");
    let cipher = aes_gcm::Aes256Gcm::new_from_slice(&object_key).expect("a key");
    let payload = Payload {
        msg: &sealed.ciphertext,
        aad: CONTEXT,
    };
    let opened = cipher.decrypt(&aes_gcm::Nonce::default(), payload);
    assert_eq!(opened.expect("opened"), MESSAGE);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_opens_to_itself_and_each_time_looks_different(
        plaintext in prop::collection::vec(any::<u8>(), 0..=MAX_PLAINTEXT),
        context in prop::collection::vec(any::<u8>(), 0..300),
        bytes in any::<[u8; 32]>(),
        seed in any::<[u8; 32]>(),
    ) {
        let key = StorageKey::from_bytes(&bytes);
        let mut rng = ChaCha20Rng::from_seed(seed);
        let one = key.seal(&context, &plaintext, &mut rng).expect("sealed");
        let other = key.seal(&context, &plaintext, &mut rng).expect("sealed");
        prop_assert_ne!(&one.salt, &other.salt);
        prop_assert_ne!(&one.ciphertext, &other.ciphertext);
        for sealed in [one, other] {
            prop_assert_eq!(sealed.ciphertext.len(), plaintext.len() + TAG_LEN);
            let opened = key.open(&context, &sealed).expect("opened");
            prop_assert_eq!(&*opened, &plaintext);
        }
    }
}
