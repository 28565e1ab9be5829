//! The fixed test keys: each is SHA-256 of a text, so another language can make them too.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use p256::ecdsa::SigningKey;
use quorate_protocol::keys::{EncryptionKey, KeyPair, VerificationKey};
use quorate_sealing::DecryptionKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{File, hex};

/// What every secret is the SHA-256 of, followed by the key's name.
const PREFIX: &str = "quorate test vectors: ";

/// The secret scalar of a name: SHA-256("quorate test vectors: " ‖ name).
pub fn scalar(name: &str) -> [u8; 32] {
    Sha256::digest(format!("{PREFIX}{name}")).into()
}

/// The signing key of a name.
///
/// # Panics
/// If the hash is no scalar, which has probability 2⁻³².
pub fn signing(name: &str) -> SigningKey {
    SigningKey::from_slice(&scalar(name)).expect("the hash is a scalar")
}

/// The public half of [`signing`].
pub fn verification(name: &str) -> VerificationKey {
    VerificationKey::of(&signing(name))
}

/// The decryption key of a name.
///
/// # Panics
/// As [`signing`].
pub fn decryption(name: &str) -> DecryptionKey {
    DecryptionKey::from_bytes(&scalar(name)).expect("the hash is a scalar")
}

/// The public half of [`decryption`].
pub fn encryption(name: &str) -> EncryptionKey {
    decryption(name).public().into()
}

/// The two keys of one stage of an instance: `NAME hpke` and `NAME es256`.
pub fn pair(name: &str) -> KeyPair {
    KeyPair {
        encryption: encryption(&format!("{name} hpke")),
        verification: verification(&format!("{name} es256")),
    }
}

/// A generator seeded with the scalar of a name.
pub(crate) fn generator(name: &str) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(scalar(name))
}

/// The people of the samples.
pub(crate) const PEOPLE: [&str; 7] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace"];

pub(crate) fn file() -> File {
    let mut names: Vec<String> = PEOPLE
        .iter()
        .flat_map(|person| [format!("{person} signing"), format!("{person} encryption")])
        .collect();
    for key in [
        "setup hpke",
        "setup es256",
        "live hpke",
        "live es256",
        "importer setup hpke",
        "importer setup es256",
        "importer live hpke",
        "importer live es256",
        "echo live",
        "owner",
        "policy live",
        "key-generation live",
        "signing live",
    ] {
        names.push(key.into());
    }
    let keys: Vec<_> = names
        .iter()
        .map(|name| {
            json!({
                "name": name,
                "secret": hex(&scalar(name)),
                "public": verification(name).to_string(),
            })
        })
        .collect();
    let value = json!({
        "about": "Test keys: P-256, secret scalar big-endian, public point SEC1 compressed. \
                  Everybody knows them; use them for nothing but these vectors.",
        "secret_is": format!("SHA-256(\"{PREFIX}\" followed by the name)"),
        "keys": keys,
    });
    crate::json("testdata/keys.json".into(), &value)
}
