//! `quorate-sealing` against hpke-rs over libcrux: another implementation of RFC 9180 over another
//! implementation of P-256, HKDF and AES-GCM.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use hpke_rs::hpke_types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs::{Hpke, HpkePrivateKey, HpkePublicKey, Mode};
use hpke_rs_libcrux::HpkeLibcrux;
use proptest::prelude::*;
use quorate_sealing::{DecryptionKey, Sealed, Suite, open, seal};

const SUITE: Suite = Suite::P256Sha256Aes256Gcm;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn they_open_what_we_seal(message in message()) {
        let Message { key, info, aad, plaintext, mut rng } = message;
        let sealed = seal(SUITE, &key.public(), &info, &aad, &plaintext, &mut rng).expect("sealed");
        let opened = their_open(&key, &info, &aad, &sealed);
        prop_assert_eq!(opened, Some(plaintext));
    }

    #[test]
    fn we_open_what_they_seal(message in message()) {
        let Message { key, info, aad, plaintext, .. } = message;
        let public = HpkePublicKey::new(key.public().to_uncompressed().to_vec());
        let (enc, ciphertext) =
            theirs().seal(&public, &info, &aad, &plaintext, None, None, None).expect("sealed");
        let sealed = Sealed { enc: enc.try_into().expect("65 bytes"), ciphertext };
        let opened = open(SUITE, &key, &info, &aad, &sealed, plaintext.len()).expect("opened");
        prop_assert_eq!(&*opened, &plaintext);
    }

    /// One flipped bit anywhere in what is sent, or another label or context.
    #[test]
    fn both_refuse_the_same_alteration(
        message in message(),
        target in 0..4_u8,
        position: prop::sample::Index,
    ) {
        let Message { key, mut info, mut aad, plaintext, mut rng } = message;
        let mut sealed =
            seal(SUITE, &key.public(), &info, &aad, &plaintext, &mut rng).expect("sealed");
        match target {
            0 => flip(&mut sealed.enc, position),
            1 => flip(&mut sealed.ciphertext, position),
            2 => {
                info.push(0);
                flip(&mut info, position);
            }
            _ => {
                aad.push(0);
                flip(&mut aad, position);
            }
        }
        prop_assert!(open(SUITE, &key, &info, &aad, &sealed, plaintext.len()).is_err());
        prop_assert_eq!(their_open(&key, &info, &aad, &sealed), None);
    }
}

struct Message {
    key: DecryptionKey,
    info: Vec<u8>,
    aad: Vec<u8>,
    plaintext: Vec<u8>,
    rng: ChaCha20Rng,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("info", &self.info)
            .field("aad", &self.aad)
            .field("plaintext", &self.plaintext)
            .finish_non_exhaustive()
    }
}

fn message() -> impl Strategy<Value = Message> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    (any::<u64>(), bytes(60), bytes(200), bytes(400)).prop_map(|(seed, info, aad, plaintext)| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        Message {
            key: DecryptionKey::random(&mut rng),
            info,
            aad,
            plaintext,
            rng,
        }
    })
}

fn theirs() -> Hpke<HpkeLibcrux> {
    Hpke::new(
        Mode::Base,
        KemAlgorithm::DhKemP256,
        KdfAlgorithm::HkdfSha256,
        AeadAlgorithm::Aes256Gcm,
    )
}

fn their_open(key: &DecryptionKey, info: &[u8], aad: &[u8], sealed: &Sealed) -> Option<Vec<u8>> {
    let secret = HpkePrivateKey::new(key.to_bytes().to_vec());
    theirs()
        .open(
            &sealed.enc,
            &secret,
            info,
            aad,
            &sealed.ciphertext,
            None,
            None,
            None,
        )
        .ok()
}

fn flip(bytes: &mut [u8], position: prop::sample::Index) {
    let bit = position.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}
