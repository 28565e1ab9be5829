//! The published vectors of BIP-39, BIP-32 and RFC 6979's use with secp256k1.

use quorate_wallet::{
    ExtendedKey, Mnemonic, Parity, Passphrase, Path, PublicKey, SigningKey, WordCount,
    master_from_seed_bytes,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("a digit") as u8;
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().expect("the length")
}

/// The payload of Base58Check, without the checksum, which is checked.
fn base58(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::new();
    for character in text.chars() {
        let mut carry = ALPHABET.find(character).expect("of the alphabet");
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    bytes.reverse();
    let checksum = bytes.split_off(bytes.len() - 4);
    let digest = Sha256::digest(Sha256::digest(&bytes));
    assert_eq!(&digest[..4], checksum, "{text}");
    bytes
}

fn vectors(text: &str) -> Vec<Value> {
    serde_json::from_str(text).expect("the file")
}

#[test]
fn mnemonics_and_seeds_are_those_of_bip_39() {
    let vectors = vectors(include_str!("../testdata/bip39.json"));
    assert_eq!(vectors.len(), 24);
    let passphrase = Passphrase::new("TREZOR").expect("ASCII");
    for vector in vectors {
        let text = |key: &str| vector[key].as_str().expect("text");
        let mnemonic = Mnemonic::from_entropy(&unhex(text("entropy"))).expect("a length");
        assert_eq!(*mnemonic.phrase(), text("words"));
        assert_eq!(
            mnemonic.seed(&passphrase).as_bytes().as_slice(),
            unhex(text("seed"))
        );
        let read = Mnemonic::from_phrase(text("words")).expect("words");
        assert_eq!(read.entropy(), unhex(text("entropy")));
        assert_eq!(read.word_count(), mnemonic.word_count());
    }
}

#[test]
fn keys_are_those_of_bip_32() {
    for vector in vectors(include_str!("../testdata/bip32.json")) {
        let seed = unhex(vector["seed"].as_str().expect("text"));
        let master = master_from_seed_bytes(&seed).expect("a length");
        let master = master.expect("a key");
        let keys = vector["keys"].as_object().expect("an object");
        assert_eq!(keys.len(), 6);
        for (path, text) in keys {
            let parsed: Path = path.parse().expect("a path");
            assert_eq!(parsed.to_string(), *path);
            let key = master.derive(&parsed).expect("a key");
            // Version, depth, parent's fingerprint, number; chain code; 0 and the secret.
            let expected = base58(text.as_str().expect("text"));
            assert_eq!(expected.len(), 78);
            assert_eq!(usize::from(expected[4]), parsed.steps().len());
            assert_eq!(key.chain_code(), &expected[13..45]);
            assert_eq!(key.secret_bytes().as_slice(), &expected[46..]);
        }
    }
}

/// Twelve times "test" … "junk" is the mnemonic every Ethereum developer's tools start with, and
/// its first account is known as widely.
#[test]
fn the_first_account_of_the_developers_mnemonic() {
    let phrase = "test test test test test test test test test test test junk";
    let mnemonic = Mnemonic::from_phrase(phrase).expect("words");
    assert_eq!(mnemonic.word_count(), WordCount::Twelve);
    let seed = mnemonic.seed(&Passphrase::none());
    let path: Path = "m/44'/60'/0'/0/0".parse().expect("a path");
    let master = ExtendedKey::master(&seed).expect("a key");
    let key = master.derive(&path).expect("a key");
    assert_eq!(
        key.secret_bytes().as_slice(),
        unhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
    );
}

/// Vectors that libraries for Bitcoin share (RFC 6979 with SHA-256 over secp256k1): secret key,
/// message hashed with SHA-256, r and s.
#[test]
fn signatures_are_those_of_rfc_6979() {
    let vectors = [
        (
            "0000000000000000000000000000000000000000000000000000000000000001",
            "Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
             2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
        (
            "0000000000000000000000000000000000000000000000000000000000000001",
            "All those moments will be lost in time, like tears in rain. Time to die...",
            "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b\
             547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
        ),
        (
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
            "Satoshi Nakamoto",
            "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0\
             6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5",
        ),
        (
            "f8b8af8ce3c7cca5e300d33939540c10d45ce001b8f252bfbc57ba0342904181",
            "Alan Turing",
            "7063ae83e7f62bbb171798131b4a0564b956930092b33b07b395615d9ec7e15c\
             58dfcc1e00a35e1572f366ffe34ba0fc47db1e7189759b9fb233c5b05ab388ea",
        ),
    ];
    for (secret, message, expected) in vectors {
        let key = SigningKey::from_bytes(&array(secret)).expect("a key");
        let hash = Sha256::digest(message).into();
        let signature = key.sign(&hash).expect("a signature");
        assert_eq!(signature.to_bytes(), array(expected));
        assert_eq!(signature.recover(&hash), Some(key.public_key()));
    }
}

#[test]
fn the_public_key_of_one_is_the_generator() {
    let mut one = [0; 32];
    one[31] = 1;
    let key = SigningKey::from_bytes(&one).expect("a key").public_key();
    assert_eq!(
        key.to_compressed(),
        array("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    );
    assert_eq!(
        key.coordinates()[32..],
        unhex("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
    );
    let mut uncompressed = vec![4];
    uncompressed.extend(key.coordinates());
    assert_eq!(PublicKey::from_sec1(&uncompressed), Ok(key));
    assert_eq!(PublicKey::from_sec1(&key.to_compressed()), Ok(key));
    let signed = SigningKey::from_bytes(&one).expect("a key").sign(&[7; 32]);
    assert!(matches!(
        signed.expect("a signature").parity(),
        Parity::Even | Parity::Odd
    ));
}
