//! Everything that is refused, by name, and properties.

use proptest::prelude::*;
use quorate_wallet::{
    ChildNumber, ExtendedKey, MAX_DEPTH, Mnemonic, MnemonicError, Parity, Passphrase,
    PassphraseNotAscii, Path, PathError, PublicKey, PublicKeyError, RecoverableSignature,
    SecretKeyError, Seed, SeedLength, SelfCheckFailed, SigningKey, WordCount,
    master_from_seed_bytes,
};

const PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

fn refused(text: &str) -> MnemonicError {
    Mnemonic::from_phrase(text).err().expect("refused")
}

#[test]
fn entropy_of_another_length_fails_closed() {
    for found in 0..=64 {
        let made = Mnemonic::from_entropy(&vec![1; found]);
        match found {
            16 | 20 | 24 | 28 | 32 => {
                assert_eq!(made.expect("a length").entropy().len(), found)
            }
            _ => assert_eq!(made.err(), Some(MnemonicError::EntropyLength { found })),
        }
    }
}

#[test]
fn wrong_words_fails_closed() {
    for number in 1..=12 {
        let mut words: Vec<&str> = PHRASE.split(' ').collect();
        words[number - 1] = "quorate";
        assert_eq!(
            refused(&words.join(" ")),
            MnemonicError::UnknownWord { number }
        );
    }
    // Another good word in each place: all but about one in sixteen break the checksum.
    let mut broken = 0;
    for at in 0..12 {
        let mut words: Vec<&str> = PHRASE.split(' ').collect();
        words[at] = if at == 0 { "zoo" } else { "abandon" };
        match Mnemonic::from_phrase(&words.join(" ")) {
            Err(error) => {
                assert_eq!(error, MnemonicError::Checksum);
                broken += 1;
            }
            Ok(other) => assert_ne!(*other.phrase(), PHRASE),
        }
    }
    assert!(broken >= 8, "{broken}");
    assert!(Mnemonic::from_phrase(PHRASE).is_ok());
}

#[test]
fn exchanged_words_fails_closed() {
    let swapped = PHRASE.replacen("winner thank", "thank winner", 1);
    assert_eq!(refused(&swapped), MnemonicError::Checksum);
}

#[test]
fn wrong_number_of_words_fails_closed() {
    for found in 1..=30 {
        let text = vec!["act"; found].join(" ");
        match found {
            12 | 15 | 18 | 21 | 24 => assert_eq!(refused(&text), MnemonicError::Checksum),
            _ => assert_eq!(refused(&text), MnemonicError::WordCount { found }),
        }
    }
    let found = 24 * 9;
    assert_eq!(
        refused(&"x".repeat(found)),
        MnemonicError::TooLong { found }
    );
}

/// Text is accepted in one form.
#[test]
fn other_forms_of_text_fails_closed() {
    let unknown = |number| MnemonicError::UnknownWord { number };
    assert_eq!(refused(&PHRASE.to_uppercase()), unknown(1));
    assert_eq!(refused(""), MnemonicError::WordCount { found: 1 });
    assert_eq!(
        refused(&format!(" {PHRASE}")),
        MnemonicError::WordCount { found: 13 }
    );
    assert_eq!(refused(&format!("{PHRASE}\n")), unknown(12));
    assert_eq!(
        refused(&PHRASE.replacen(' ', "\t", 1)),
        MnemonicError::WordCount { found: 11 }
    );
    // Short words are filled up with zeros inside.
    assert_eq!(refused(&PHRASE.replacen("legal", "legal\0", 1)), unknown(1));
    assert_eq!(refused(&format!("{PHRASE}\0\0")), unknown(12));
    // The first four letters name a word for people, not here.
    assert_eq!(refused(&PHRASE.replacen("legal", "lega", 1)), unknown(1));
}

#[test]
fn passphrases_outside_ascii_fails_closed() {
    assert_eq!(Passphrase::new("é").err(), Some(PassphraseNotAscii));
    assert!(Passphrase::new("").is_ok());
    let mnemonic = Mnemonic::from_phrase(PHRASE).expect("words");
    let none = mnemonic.seed(&Passphrase::none());
    let empty = mnemonic.seed(&Passphrase::new("").expect("ASCII"));
    assert_eq!(none.as_bytes(), empty.as_bytes());
}

#[test]
fn paths_that_are_none_fails_closed() {
    let refused = |text: &str| text.parse::<Path>().expect_err("refused");
    for text in ["", "/", "M", "44'/60'", "n/0", "/0", " m", "m "] {
        assert_eq!(refused(text), PathError::Root, "{text}");
    }
    for (text, step) in [
        ("m/", 1),
        ("m//0", 1),
        ("m/0/", 2),
        ("m/'", 1),
        ("m/0''", 1),
        ("m/0'h", 1),
        ("m/+1", 1),
        ("m/-1", 1),
        ("m/0/01", 2),
        ("m/00", 1),
        ("m/0x1", 1),
        ("m/ 1", 1),
        ("m/1\n", 1),
        ("m/1.0", 1),
        ("m/*", 1),
        ("m/٣", 1),
    ] {
        assert_eq!(refused(text), PathError::Step { step }, "{text}");
    }
    for text in [
        "m/2147483648",
        "m/2147483648'",
        "m/4294967296",
        &format!("m/{}", "9".repeat(40)),
    ] {
        assert_eq!(
            refused(text),
            PathError::NumberTooLarge { step: 1 },
            "{text}"
        );
    }
    let deepest = format!("m{}", "/1".repeat(MAX_DEPTH));
    assert!(deepest.parse::<Path>().is_ok());
    assert_eq!(
        refused(&format!("{deepest}/1")),
        PathError::TooDeep { max: MAX_DEPTH }
    );
    let step = ChildNumber::normal(1).expect("small");
    assert_eq!(
        Path::new(vec![step; MAX_DEPTH + 1]),
        Err(PathError::TooDeep { max: MAX_DEPTH })
    );
    assert_eq!(ChildNumber::normal(1 << 31), None);
    assert_eq!(ChildNumber::hardened(1 << 31), None);
    assert_eq!(
        "m/0h/1H/2'".parse::<Path>().expect("a path").to_string(),
        "m/0'/1'/2'"
    );
}

#[test]
fn seeds_of_another_length_fails_closed() {
    for found in [0, 15, 65] {
        let refused = master_from_seed_bytes(&vec![1; found]).err();
        assert_eq!(refused, Some(SeedLength { found }));
    }
    assert!(master_from_seed_bytes(&[1; 16]).is_ok());
}

#[test]
fn bytes_that_are_no_key_fails_closed() {
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36,
        0x41, 0x41,
    ];
    let mut last = order;
    last[31] -= 1;
    let public = SigningKey::from_bytes(&last)
        .expect("the largest key")
        .public_key();
    for bytes in [[0; 32], order, [0xff; 32]] {
        assert_eq!(SigningKey::from_bytes(&bytes).err(), Some(SecretKeyError));
        assert_eq!(
            SigningKey::with_public_key(&bytes, public).err(),
            Some(SecretKeyError)
        );
    }
    let good = public.to_compressed();
    let refused = Err(PublicKeyError);
    assert_eq!(PublicKey::from_sec1(&[]), refused);
    assert_eq!(PublicKey::from_sec1(&[0]), refused);
    assert_eq!(PublicKey::from_sec1(&good[..32]), refused);
    let mut wrong = good;
    wrong[0] = 4;
    assert_eq!(PublicKey::from_sec1(&wrong), refused);
    for tag in (0..=255).filter(|tag| !matches!(tag, 2 | 3)) {
        wrong[0] = tag;
        assert_eq!(PublicKey::from_sec1(&wrong), refused);
    }
    wrong[0] = 2;
    wrong[1..].fill(0xff);
    assert_eq!(PublicKey::from_sec1(&wrong), refused);
    // Not on the curve.
    let mut point = vec![4];
    point.extend(public.coordinates());
    point[64] ^= 1;
    assert_eq!(PublicKey::from_sec1(&point), refused);
}

/// What would be signed with one secret and claimed for another key is thrown away.
#[test]
fn a_public_key_of_another_secret_fails_closed() {
    let (mine, other) = ([1; 32], [2; 32]);
    let public = SigningKey::from_bytes(&other).expect("a key").public_key();
    let key = SigningKey::with_public_key(&mine, public).expect("a key");
    assert_eq!(key.sign(&[3; 32]), Err(SelfCheckFailed));
    let public = SigningKey::from_bytes(&mine).expect("a key").public_key();
    let key = SigningKey::with_public_key(&mine, public).expect("a key");
    assert!(key.sign(&[3; 32]).is_ok());
}

#[test]
fn signatures_with_high_s_or_out_of_range_fails_closed() {
    let key = SigningKey::from_bytes(&[1; 32]).expect("a key");
    let signature = key.sign(&[3; 32]).expect("a signature").to_bytes();
    let read = |bytes: &[u8; 64]| RecoverableSignature::from_bytes(bytes, Parity::Even);
    assert!(read(&signature).is_some());
    for (range, fill) in [(0..32, 0), (32..64, 0), (0..32, 0xff), (32..64, 0xff)] {
        let mut bytes = signature;
        bytes[range].fill(fill);
        assert_eq!(read(&bytes), None);
    }
    let mut high = signature;
    high[32..].fill(0x80);
    assert_eq!(read(&high), None);
}

fn secret_keys() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>().prop_filter("a key", |bytes| SigningKey::from_bytes(bytes).is_ok())
}

proptest! {
    #[test]
    fn words_are_read_again(entropy: [u8; 32], length in 4usize..=8) {
        let entropy = &entropy[..length * 4];
        let mnemonic = Mnemonic::from_entropy(entropy).expect("a length");
        let phrase = mnemonic.phrase();
        prop_assert_eq!(phrase.split(' ').count(), mnemonic.word_count().words());
        prop_assert_eq!(mnemonic.word_count().entropy_len(), entropy.len());
        let read = Mnemonic::from_phrase(&phrase).expect("words");
        prop_assert_eq!(read.entropy(), entropy);
    }

    #[test]
    fn arbitrary_text_is_no_surprise(text in "[a-z ]{0,240}|.{0,240}") {
        if let Ok(mnemonic) = Mnemonic::from_phrase(&text) {
            prop_assert_eq!(&*mnemonic.phrase(), &text);
        }
        if let Ok(path) = text.parse::<Path>() {
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
    }

    #[test]
    fn paths_print_as_they_are_read(steps in prop::collection::vec((0u32..1 << 31, any::<bool>()), 0..=MAX_DEPTH)) {
        let steps = steps.into_iter().map(|(number, hardened)| {
            if hardened { ChildNumber::hardened(number) } else { ChildNumber::normal(number) }
        });
        let path = Path::new(steps.map(|step| step.expect("small")).collect()).expect("not deep");
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    /// One key and hash, one signature; it verifies under its key and no other, with its parity only.
    #[test]
    fn signatures_verify_and_recover(secret in secret_keys(), other in secret_keys(), hash: [u8; 32]) {
        let key = SigningKey::from_bytes(&secret).expect("a key");
        let signature = key.sign(&hash).expect("a signature");
        prop_assert_eq!(key.sign(&hash), Ok(signature));
        prop_assert_eq!(signature.check(&hash, &key.public_key()), Ok(()));
        prop_assert_eq!(signature.recover(&hash), Some(key.public_key()));
        let parity = match signature.parity() {
            Parity::Even => Parity::Odd,
            Parity::Odd => Parity::Even,
        };
        let flipped = RecoverableSignature::from_bytes(&signature.to_bytes(), parity).expect("in range");
        prop_assert_eq!(flipped.check(&hash, &key.public_key()), Err(SelfCheckFailed));
        prop_assert_ne!(flipped.recover(&hash), Some(key.public_key()));
        let other = SigningKey::from_bytes(&other).expect("a key").public_key();
        prop_assume!(other != key.public_key());
        prop_assert_eq!(signature.check(&hash, &other), Err(SelfCheckFailed));
        let mut changed = hash;
        changed[0] ^= 1;
        prop_assert_eq!(signature.check(&changed, &key.public_key()), Err(SelfCheckFailed));
    }

    /// A path is its steps, one after the other.
    #[test]
    fn derivation_is_step_by_step(seed in prop::collection::vec(any::<u8>(), 64), a in 0u32..1 << 31, b in 0u32..1 << 31) {
        let seed = Seed::from_bytes(&seed.try_into().expect("64 bytes"));
        let master = ExtendedKey::master(&seed).expect("a key");
        let (a, b) = (ChildNumber::hardened(a).expect("small"), ChildNumber::normal(b).expect("small"));
        let whole = master.derive(&Path::new(vec![a, b]).expect("not deep")).expect("a key");
        let steps = master.child(a).and_then(|key| key.child(b)).expect("a key");
        prop_assert_eq!(*whole.secret_bytes(), *steps.secret_bytes());
        prop_assert_eq!(whole.public_key(), whole.into_signing_key().public_key());
    }
}

#[test]
fn word_counts_are_the_five_of_bip_39() {
    let counts: Vec<usize> = (0..=100).filter(|n| WordCount::new(*n).is_some()).collect();
    assert_eq!(counts, [12, 15, 18, 21, 24]);
    assert_eq!(WordCount::default(), WordCount::TwentyFour);
}
