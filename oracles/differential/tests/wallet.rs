//! Mnemonics, derivation and signatures against bip39, bip32 and libsecp256k1.

use bip32::{DerivationPath, XPrv};
use proptest::prelude::*;
use quorate_wallet::{
    ChildNumber, ExtendedKey, Mnemonic, Parity, Passphrase, Path, PublicKey, RecoverableSignature,
    Seed, SigningKey,
};
use secp256k1::ecdsa::{RecoverableSignature as TheirSignature, RecoveryId};
use secp256k1::{Message, SecretKey};

fn paths() -> impl Strategy<Value = Path> {
    let step = (0u32..1 << 31, any::<bool>()).prop_map(|(number, hardened)| match hardened {
        true => ChildNumber::hardened(number).expect("small"),
        false => ChildNumber::normal(number).expect("small"),
    });
    prop::collection::vec(step, 0..6).prop_map(|steps| Path::new(steps).expect("not deep"))
}

fn parity(id: RecoveryId) -> Parity {
    match id {
        RecoveryId::Zero => Parity::Even,
        RecoveryId::One => Parity::Odd,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_words_and_seed(entropy: [u8; 32], length in 4usize..=8, passphrase in "[ -~]{0,20}") {
        let entropy = &entropy[..length * 4];
        let ours = Mnemonic::from_entropy(entropy).expect("a length");
        let theirs = bip39::Mnemonic::from_entropy(entropy).expect("a length");
        prop_assert_eq!(&*ours.phrase(), &theirs.to_string());
        let seed = ours.seed(&Passphrase::new(&passphrase).expect("ASCII"));
        prop_assert_eq!(seed.as_bytes(), &theirs.to_seed(&passphrase));
    }

    /// Words in any order and number: taken by both or by neither.
    #[test]
    fn words_are_judged_alike(indexes in prop::collection::vec(0usize..2048, 1..26), repair: bool) {
        let list = bip39::Language::English.word_list();
        let words: Vec<&str> = indexes.iter().map(|index| list[*index]).collect();
        let mut text = words.join(" ");
        if repair {
            // One of the last words always fits, so that good ones are judged too.
            let head = words[..words.len() - 1].join(" ");
            let good = list.iter().map(|last| format!("{head} {last}")).find(|t| bip39::Mnemonic::parse_normalized(t).is_ok());
            text = good.unwrap_or(text);
        }
        let theirs = bip39::Mnemonic::parse_normalized(&text);
        let ours = Mnemonic::from_phrase(&text);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.entropy(), theirs.to_entropy());
        }
    }

    #[test]
    fn the_same_keys_at_every_path(seed in prop::collection::vec(any::<u8>(), 64), path in paths()) {
        let seed: [u8; 64] = seed.try_into().expect("64 bytes");
        let ours = ExtendedKey::master(&Seed::from_bytes(&seed)).expect("a key");
        let ours = ours.derive(&path).expect("a key");
        let text = path.to_string();
        let theirs = XPrv::derive_from_path(&seed, &text.parse::<DerivationPath>().expect("a path")).expect("a key");
        prop_assert_eq!(*ours.secret_bytes(), theirs.to_bytes());
        prop_assert_eq!(ours.chain_code(), &theirs.attrs().chain_code);
        prop_assert_eq!(ours.public_key().to_compressed(), theirs.public_key().to_bytes());
    }

    /// libsecp256k1's nonce is that of RFC 6979 as well, so the signatures are the same to the bit.
    #[test]
    fn the_same_signatures(secret: [u8; 32], hash: [u8; 32]) {
        let theirs = SecretKey::from_secret_bytes(secret);
        let ours = SigningKey::from_bytes(&secret);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return Ok(()) };
        let public = theirs.public_key();
        prop_assert_eq!(ours.public_key().to_compressed(), public.serialize());
        prop_assert_eq!(PublicKey::from_sec1(&public.serialize_uncompressed()), Ok(ours.public_key()));
        let made = ours.sign(&hash).expect("a signature");
        let (id, bytes) = TheirSignature::sign_ecdsa_recoverable(Message::from_digest(hash), &theirs).serialize_compact();
        prop_assert_eq!(made.to_bytes(), bytes);
        prop_assert_eq!(made.parity(), parity(id));
    }

    /// Arbitrary signatures: the same key is recovered, or none.
    #[test]
    fn the_same_keys_are_recovered(r: [u8; 32], mut s: [u8; 32], hash: [u8; 32], odd: bool) {
        s[0] &= 0x7f;
        let bytes: [u8; 64] = [r, s].concat().try_into().expect("64 bytes");
        let (ours, id) = match odd {
            true => (RecoverableSignature::from_bytes(&bytes, Parity::Odd), RecoveryId::One),
            false => (RecoverableSignature::from_bytes(&bytes, Parity::Even), RecoveryId::Zero),
        };
        let theirs = TheirSignature::from_compact(&bytes, id).ok();
        prop_assume!(ours.is_some() && theirs.is_some());
        let ours = ours.and_then(|signature| signature.recover(&hash));
        let theirs = theirs.and_then(|signature| signature.recover_ecdsa(Message::from_digest(hash)).ok());
        prop_assert_eq!(ours.map(|key| key.to_compressed()), theirs.map(|key| key.serialize()));
    }
}
