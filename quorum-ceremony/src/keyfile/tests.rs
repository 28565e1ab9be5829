use proptest::prelude::*;
use quorate_protocol::invalid::Invalid;

use super::*;
use crate::fixture::{name, passphrase};

const WORDS: &str = "correct horse battery staple";

fn alice() -> MemberKeys {
    MemberKeys::generate(name("alice")).unwrap()
}

#[test]
fn keys_come_back_under_the_same_passphrase() {
    let keys = alice();
    let file = KeyFile::lock(&keys, &passphrase(WORDS)).unwrap();
    let read = KeyFile::from_bytes(&file.to_bytes()).unwrap();
    assert_eq!(read, file);
    assert_eq!(read.name(), keys.name());
    let unlocked = read.unlock(&passphrase(WORDS)).unwrap();
    assert_eq!(unlocked.public(), keys.public());
    assert_eq!(*unlocked.signing.to_bytes(), *keys.signing.to_bytes());
    assert_eq!(*unlocked.decryption.to_bytes(), *keys.decryption.to_bytes());
    assert!(file.to_bytes().len() <= KeyFile::MAX);
}

#[test]
fn wrong_passphrase_fails_closed() {
    let file = KeyFile::lock(&alice(), &passphrase(WORDS)).unwrap();
    for wrong in [
        "correct horse battery stapl",
        "Correct horse battery staple",
        "",
    ] {
        let refused = file.unlock(&passphrase(wrong)).err();
        assert_eq!(refused, Some(KeyFileError::WrongPassphrase), "{wrong}");
    }
}

/// The key is derived once, from the true header: whoever alters a byte is given even that.
#[test]
fn every_altered_byte_fails_closed() {
    let file = KeyFile::lock(&alice(), &passphrase(WORDS)).unwrap();
    let key = unlocking_key(&file.fields.header, &passphrase(WORDS)).unwrap();
    assert!(file.open(&key).is_ok());
    let bytes = file.to_bytes();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[position] ^= 1 << bit;
            let opened = KeyFile::from_bytes(&altered).and_then(|file| file.open(&key));
            assert!(opened.is_err(), "byte {position}, bit {bit}");
        }
    }
    for length in 0..bytes.len() {
        assert!(
            KeyFile::from_bytes(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
    let longer = [bytes, vec![0]].concat();
    assert!(KeyFile::from_bytes(&longer).is_err());
}

fn with_cost(change: impl FnOnce(&mut Cost)) -> Result<KeyFile, KeyFileError> {
    let keys = alice();
    let mut file = KeyFile::lock(&keys, &passphrase(WORDS)).unwrap();
    change(&mut file.fields.header.cost);
    KeyFile::from_bytes(&file.to_bytes())
}

#[test]
fn weakened_parameters_fails_closed() {
    let weaken: [fn(&mut Cost); 4] = [
        |cost| cost.memory_kib -= 1,
        |cost| cost.passes -= 1,
        |cost| cost.lanes -= 1,
        |cost| {
            *cost = Cost {
                memory_kib: 8,
                passes: 1,
                lanes: 1,
            }
        },
    ];
    for change in weaken {
        let refused = with_cost(change);
        assert!(
            matches!(refused, Err(KeyFileError::CostTooLow { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn exhausting_parameters_fails_closed() {
    let raise: [fn(&mut Cost); 4] = [
        |cost| cost.memory_kib = MOST.memory_kib + 1,
        |cost| cost.memory_kib = u32::MAX,
        |cost| cost.passes = MOST.passes + 1,
        |cost| cost.lanes = MOST.lanes + 1,
    ];
    for change in raise {
        let refused = with_cost(change);
        assert!(
            matches!(refused, Err(KeyFileError::CostTooHigh { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn unknown_format_fails_closed() {
    let mut file = KeyFile::lock(&alice(), &passphrase(WORDS)).unwrap();
    file.fields.header.format = 2;
    assert_eq!(
        KeyFile::from_bytes(&file.to_bytes()),
        Err(KeyFileError::Malformed(DecodeError::Rule {
            label: Fields::LABEL,
            rule: Invalid::Format { found: 2 },
        }))
    );
}

/// Whoever knows the passphrase still cannot make a file that lies about its public keys.
#[test]
fn public_keys_of_another_fails_closed() {
    let (keys, other) = (alice(), alice());
    let mut file = KeyFile::lock(&keys, &passphrase(WORDS)).unwrap();
    file.fields.header.signing_key = other.public().signing;
    let key = unlocking_key(&file.fields.header, &passphrase(WORDS)).unwrap();
    let mut scalars = [0; 64];
    scalars[..32].copy_from_slice(&*keys.signing.to_bytes());
    scalars[32..].copy_from_slice(&*keys.decryption.to_bytes());
    let header = &file.fields.header;
    let payload = Payload {
        msg: &scalars,
        aad: &aad(header),
    };
    let sealed = cipher(&key).encrypt(&nonce(header), payload).unwrap();
    file.fields.sealed = Bytes::new(sealed).unwrap();
    assert_eq!(file.open(&key).err(), Some(KeyFileError::KeysMismatch));
}

#[test]
fn short_passphrase_for_a_new_key_fails_closed() {
    let refused = KeyFile::lock(&alice(), &passphrase("elevenchars"));
    assert_eq!(refused, Err(KeyFileError::TooShort { found: 11 }));
    let long = Passphrase::new(Zeroizing::new(vec![b'a'; LONGEST_PASSPHRASE + 1]));
    assert_eq!(long.err(), Some(KeyFileError::TooLong));
}

/// Every key file costs what the page says, in every build.
#[test]
fn the_cost_is_the_second_recommended_option_of_rfc_9106() {
    assert_eq!((MEMORY_KIB, PASSES, LANES), (65_536, 3, 4));
    let file = KeyFile::lock(&alice(), &passphrase(WORDS)).unwrap();
    let Cost {
        memory_kib,
        passes,
        lanes,
    } = file.fields.header.cost;
    assert_eq!((memory_kib, passes, lanes), (65_536, 3, 4));
}

/// The derivation is Argon2id of RFC 9106, version 0x13.
#[test]
fn derivation_agrees_with_the_reference_implementation() {
    let mut file = KeyFile::lock(&alice(), &passphrase(WORDS)).unwrap();
    file.fields.header.salt = Bytes::new(b"somesaltsomesalt".to_vec()).unwrap();
    let key = unlocking_key(&file.fields.header, &passphrase(WORDS)).unwrap();
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, REFERENCE);
}

/// From phc-winner-argon2 (through argon2-cffi): `hash_secret_raw(b"correct horse battery staple",
/// b"somesaltsomesalt", time_cost=3, memory_cost=65536, parallelism=4, hash_len=32, type=ID)`.
const REFERENCE: &str = "9ad07bbd9285b844035737997b9953b5fdc13c2d5ee412f550acbb216fd2a55d";

proptest! {
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = KeyFile::from_bytes(&bytes);
    }
}
