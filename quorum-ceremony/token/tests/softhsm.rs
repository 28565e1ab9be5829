//! Against SoftHSM2: what a token does well, and everything that can be wrong with one. Each test
//! runs alone in a process, with tokens of its own.

mod tokens;

use std::fs;
use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{NonZeroScalar, ProjectivePoint, PublicKey};
use quorate_token::{
    Ability, Inserted, KeyUri, Module, OpenToken, Pin, Purpose, Step, TokenError, TokenUri, Tries,
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use tokens::{FINAL_TRY, LOCKED, PIN, Tokens, alone};

fn module(tokens: &Tokens) -> Module {
    Module::load(&tokens.module).expect("SoftHSM starts")
}

fn inserted(tokens: &Tokens) -> Inserted {
    let wanted = TokenUri::parse("pkcs11:token=one").expect("a URI");
    let found = module(tokens).find(|token| token.answers_to(&wanted));
    found.expect("it is there")
}

fn open(tokens: &Tokens) -> OpenToken {
    let opened = inserted(tokens).log_in(&pin(PIN));
    opened.expect("the PIN is right")
}

fn pin(text: &str) -> Pin {
    Pin::typed(Zeroizing::new(text.to_owned())).expect("a PIN")
}

/// The x coordinate of a point times a scalar.
fn product(point: &[u8], scalar: &NonZeroScalar) -> [u8; 32] {
    let point = PublicKey::from_sec1_bytes(point).expect("a point");
    let product = (point.to_projective() * **scalar).to_affine();
    let product = product.to_sec1_point(false);
    product.as_bytes()[1..33].try_into().expect("a coordinate")
}

/// A scalar made of a number, and its point.
fn pair(number: u64) -> (NonZeroScalar, [u8; 65]) {
    let mut bytes: [u8; 32] = Sha256::digest(number.to_be_bytes()).into();
    bytes[0] &= 0x7f;
    let scalar = NonZeroScalar::try_from(&bytes[..]).expect("below the order");
    let point = (ProjectivePoint::GENERATOR * *scalar).to_affine();
    let point = point.to_sec1_point(false);
    (scalar, point.as_bytes().try_into().expect("65 bytes"))
}

#[test]
fn keys_made_on_a_token_sign_and_derive_as_software_does() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let name = "keys_made_on_a_token_sign_and_derive_as_software_does";
    let Some(tokens) = alone(name, prepare) else {
        return;
    };
    let token = open(&tokens);
    let make = |purpose, id| token.generate(purpose, "mine", id).expect("it makes keys");
    let (signing, encryption) = (
        make(Purpose::Signing, b"\x01"),
        make(Purpose::Encryption, b"\x02"),
    );
    assert_eq!(signing.facts().drawn_on_token, Some(true));
    assert_eq!(signing.facts().label, b"mine");
    let by_id = KeyUri::parse("pkcs11:id=%01").expect("a URI");
    let found = token.find(&by_id).expect("it is there");
    assert_eq!(found.facts(), signing.facts());

    let public = token.public_point(&signing).expect("its public half");
    let public = VerifyingKey::from_sec1_bytes(&public).expect("a point");
    for number in 0_u8..8 {
        let digest = Sha256::digest([number]);
        let signature = token.sign(&found, &digest).expect("it signs");
        let signature = Signature::from_slice(&signature).expect("r and s");
        public.verify_prehash(&digest, &signature).expect("its own");
    }
    let own = token.public_point(&encryption).expect("its public half");
    for number in 0..8 {
        let (scalar, point) = pair(number);
        let derived = token.derive(&encryption, &point).expect("it derives");
        assert_eq!(*derived, product(&own, &scalar));
    }

    // Each key does one thing, and the token itself holds it to that.
    let (_, point) = pair(1);
    for refused in [
        token.derive(&signing, &point).map(drop),
        token.sign(&encryption, &[0; 32]).map(drop),
    ] {
        assert!(
            matches!(refused, Err(TokenError::Failed { .. })),
            "{refused:?}"
        );
    }
    for (key, purpose) in [
        (&signing, Purpose::Encryption),
        (&encryption, Purpose::Signing),
    ] {
        let refused = token.require(key, purpose);
        assert_eq!(refused, Err(TokenError::KeyCannot { purpose }));
    }
}

/// Puts a key with a known scalar into the token, as a tool of somebody else may do.
fn put(tokens: &Tokens, scalar: &NonZeroScalar, id: u8, more: &[Attribute]) {
    let pkcs11 = Pkcs11::new(&tokens.module).expect("SoftHSM");
    let locks = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    pkcs11.initialize(locks).expect("it starts");
    let slots = pkcs11.get_slots_with_initialized_token().expect("slots");
    let session = pkcs11.open_rw_session(slots[0]).expect("a session");
    let typed = AuthPin::new(PIN.into());
    session
        .login(UserType::User, Some(&typed))
        .expect("the PIN");
    let p256 = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let mut template = vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Label(b"put".to_vec()),
        Attribute::Id(vec![id]),
        Attribute::EcParams(p256),
        Attribute::Value(scalar.to_bytes().to_vec()),
    ];
    template.extend_from_slice(more);
    session.create_object(&template).expect("a key");
    session.close().expect("closed");
    pkcs11.finalize().expect("ended");
}

/// A key whose scalar is known: what the token derives is what the scalar gives, also where the
/// coordinate begins with a zero, which must not be cut off.
#[test]
fn a_known_key_derives_the_known_secrets() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let Some(tokens) = alone("a_known_key_derives_the_known_secrets", prepare) else {
        return;
    };
    let (scalar, _) = pair(1_000_000);
    let stays = [
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Derive(true),
    ];
    put(&tokens, &scalar, 1, &stays);
    let token = open(&tokens);
    let key = token.find(&KeyUri::parse("pkcs11:object=put").expect("a URI"));
    let key = key.expect("it is there");
    assert_eq!(key.facts().drawn_on_token, Some(false));
    assert_eq!(token.require(&key, Purpose::Encryption), Ok(()));
    let mut leading = 0;
    for number in 0..600 {
        let (_, point) = pair(number);
        let expected = product(&point, &scalar);
        let zero = expected[0] == 0;
        if number < 16 || zero {
            let derived = token.derive(&key, &point).expect("it derives");
            assert_eq!(*derived, expected);
        }
        leading += usize::from(zero);
    }
    // The scalars are fixed, so this is no matter of luck.
    assert!(leading > 0);
    // Its public half is nowhere in the token.
    assert_eq!(token.public_point(&key), Err(TokenError::NoPublicKey));
}

#[test]
fn a_key_that_can_be_read_out_fails_closed() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let Some(tokens) = alone("a_key_that_can_be_read_out_fails_closed", prepare) else {
        return;
    };
    for (id, sensitive, extractable) in [(1, true, true), (2, false, false)] {
        let leaves = [
            Attribute::Sensitive(sensitive),
            Attribute::Extractable(extractable),
            Attribute::Sign(true),
        ];
        put(&tokens, &pair(id.into()).0, id, &leaves);
    }
    let token = open(&tokens);
    for uri in ["pkcs11:id=%01", "pkcs11:id=%02"] {
        let key = token
            .find(&KeyUri::parse(uri).expect("a URI"))
            .expect("it is there");
        let purpose = Purpose::Signing;
        let refused = token.require(&key, purpose);
        assert_eq!(
            refused,
            Err(TokenError::KeyExtractable { purpose }),
            "{uri}"
        );
    }
}

#[test]
fn a_token_that_is_absent_or_one_of_several_fails_closed() {
    let prepare = |tokens: &Tokens| {
        tokens.add("one");
        tokens.add("two");
        tokens.add("two");
    };
    let name = "a_token_that_is_absent_or_one_of_several_fails_closed";
    let Some(tokens) = alone(name, prepare) else {
        return;
    };
    let module = module(&tokens);
    let there = module.tokens().expect("they are listed");
    let mut labels: Vec<_> = there.iter().map(|token| token.label.as_str()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["one", "two", "two"]);
    // What is printed names one token and no other.
    for token in &there {
        let uri = TokenUri::parse(&token.uri().to_string()).expect("a URI");
        let answers: Vec<_> = there
            .iter()
            .filter(|other| other.answers_to(&uri))
            .collect();
        assert_eq!(answers, [token]);
    }
    let two = TokenUri::parse("pkcs11:token=two").expect("a URI");
    let several = module.find(|token| token.answers_to(&two));
    let several = several.map(|token| token.report().clone());
    assert_eq!(several, Err(TokenError::SeveralTokens { count: 2 }));
}

#[test]
fn no_such_token_fails_closed() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let Some(tokens) = alone("no_such_token_fails_closed", prepare) else {
        return;
    };
    let module = module(&tokens);
    let other = TokenUri::parse("pkcs11:token=one;serial=0").expect("a URI");
    let refused = module.find(|token| token.answers_to(&other));
    assert_eq!(refused.err(), Some(TokenError::NoToken));
}

/// What a token with these flags says before and after a PIN: SoftHSM counts no tries itself.
fn refused_at_log_in(tokens: &Tokens, flags: u64, typed: &Pin) -> (Tries, TokenError) {
    tokens.set_flags(flags);
    let token = inserted(tokens);
    let tries = token.report().tries;
    let refused = token.log_in(typed);
    (tries, refused.err().expect("refused"))
}

#[test]
fn a_wrong_pin_fails_closed_and_says_how_many_tries_are_left() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let name = "a_wrong_pin_fails_closed_and_says_how_many_tries_are_left";
    let Some(tokens) = alone(name, prepare) else {
        return;
    };
    let (before, refused) = refused_at_log_in(&tokens, 0, &pin("654321"));
    assert_eq!(before, Tries::NotReduced);
    let tries = Tries::Reduced;
    assert_eq!(refused, TokenError::WrongPin { tries });
    assert!(
        refused.to_string().contains("few tries are left"),
        "{refused}"
    );
}

#[test]
fn a_locked_pin_fails_closed_without_a_try() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let Some(tokens) = alone("a_locked_pin_fails_closed_without_a_try", prepare) else {
        return;
    };
    // SoftHSM would take the PIN; that it is not asked shows that no try was made.
    let (before, refused) = refused_at_log_in(&tokens, LOCKED, &pin(PIN));
    assert_eq!((before, refused), (Tries::Locked, TokenError::PinLocked));
}

#[test]
fn the_last_try_is_told_before_it_is_made() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let Some(tokens) = alone("the_last_try_is_told_before_it_is_made", prepare) else {
        return;
    };
    let (before, refused) = refused_at_log_in(&tokens, FINAL_TRY, &pin("654321"));
    assert_eq!(before, Tries::Last);
    assert!(
        matches!(refused, TokenError::WrongPin { tries: Tries::Last }),
        "{refused:?}"
    );
}

#[test]
fn a_pin_of_another_length_fails_closed_without_a_try() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let name = "a_pin_of_another_length_fails_closed_without_a_try";
    let Some(tokens) = alone(name, prepare) else {
        return;
    };
    let (_, refused) = refused_at_log_in(&tokens, 0, &pin("123"));
    assert!(
        matches!(refused, TokenError::PinLength { min: 4, .. }),
        "{refused:?}"
    );
    // No try was used up: the flag that a wrong PIN sets (CKF_USER_PIN_COUNT_LOW) is not set.
    assert_eq!(tokens.flags() & 0x1_0000, 0);
}

#[test]
fn a_pin_in_the_wrong_place_fails_closed() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let Some(tokens) = alone("a_pin_in_the_wrong_place_fails_closed", prepare) else {
        return;
    };
    let (_, refused) = refused_at_log_in(&tokens, 0, &Pin::OnToken);
    assert_eq!(refused, TokenError::PinPlace { on_token: false });
}

#[test]
fn a_token_without_ecdh_fails_closed() {
    let prepare = |tokens: &Tokens| {
        tokens.add("one");
        tokens.configure("slots.mechanisms = CKM_ECDSA,CKM_EC_KEY_PAIR_GEN\n");
    };
    let Some(tokens) = alone("a_token_without_ecdh_fails_closed", prepare) else {
        return;
    };
    let token = inserted(&tokens);
    let abilities = token.report().abilities;
    assert_eq!(abilities.missing(), [Ability::Derive]);
    let ability = Ability::Derive;
    assert_eq!(
        abilities.require(ability),
        Err(TokenError::Cannot { ability })
    );
}

#[test]
fn a_token_that_makes_no_keys_fails_closed() {
    let prepare = |tokens: &Tokens| {
        tokens.add("one");
        tokens.configure("slots.mechanisms = CKM_ECDSA,CKM_ECDH1_DERIVE\n");
    };
    let Some(tokens) = alone("a_token_that_makes_no_keys_fails_closed", prepare) else {
        return;
    };
    let token = open(&tokens);
    let refused = token.generate(Purpose::Signing, "mine", b"\x01");
    let ability = Ability::Generate;
    assert_eq!(refused.err(), Some(TokenError::Cannot { ability }));
}

#[test]
fn a_key_that_is_absent_or_one_of_several_fails_closed() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let name = "a_key_that_is_absent_or_one_of_several_fails_closed";
    let Some(tokens) = alone(name, prepare) else {
        return;
    };
    let token = open(&tokens);
    let wanted = KeyUri::parse("pkcs11:object=mine").expect("a URI");
    assert_eq!(token.find(&wanted).err(), Some(TokenError::NoKey));
    for id in [b"\x01", b"\x02"] {
        token
            .generate(Purpose::Signing, "mine", id)
            .expect("it makes keys");
    }
    let several = TokenError::SeveralKeys { count: 2 };
    assert_eq!(token.find(&wanted).err(), Some(several));
    let wanted = KeyUri::parse("pkcs11:object=mine;id=%02").expect("a URI");
    assert!(token.find(&wanted).is_ok());
}

#[test]
fn a_key_on_another_curve_fails_closed() {
    let prepare = |tokens: &Tokens| {
        tokens.add("one");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let key = root.join("../../reproducible-build/signing/testdata/p384.key.pem");
        tokens.import("one", &key, "p384", "0a");
    };
    let Some(tokens) = alone("a_key_on_another_curve_fails_closed", prepare) else {
        return;
    };
    let token = open(&tokens);
    let key = token.find(&KeyUri::parse("pkcs11:object=p384").expect("a URI"));
    let key = key.expect("it is there");
    for purpose in [Purpose::Signing, Purpose::Encryption] {
        let refused = token.require(&key, purpose);
        assert_eq!(refused, Err(TokenError::KeyOtherCurve { purpose }));
    }
    assert_eq!(token.public_point(&key).map(|point| point.len()), Ok(97));
}

/// Everything of the token goes while it is unlocked.
#[test]
fn a_token_taken_out_fails_closed() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let Some(tokens) = alone("a_token_taken_out_fails_closed", prepare) else {
        return;
    };
    let token = open(&tokens);
    let key = token
        .generate(Purpose::Signing, "mine", b"\x01")
        .expect("a key");
    token.sign(&key, &[7; 32]).expect("it signs");
    tokens.take_out();
    let removed = |step| Some(TokenError::Removed { step });
    assert_eq!(token.sign(&key, &[7; 32]).err(), removed(Step::Sign));
    let wanted = KeyUri::parse("pkcs11:object=mine").expect("a URI");
    assert_eq!(token.find(&wanted).err(), removed(Step::FindKey));
    assert_eq!(token.public_point(&key).err(), removed(Step::FindKey));
    assert_eq!(token.derive(&key, &pair(1).1).err(), removed(Step::Derive));
    let refused = token.generate(Purpose::Signing, "mine", b"\x02");
    assert_eq!(refused.err(), removed(Step::Generate));
}

/// It goes between the moment it was chosen and the PIN.
#[test]
fn a_token_taken_out_before_the_pin_fails_closed() {
    let prepare = |tokens: &Tokens| tokens.add("one");
    let name = "a_token_taken_out_before_the_pin_fails_closed";
    let Some(tokens) = alone(name, prepare) else {
        return;
    };
    let token = inserted(&tokens);
    tokens.take_out();
    let refused = token.log_in(&pin(PIN));
    let step = Step::LogIn;
    assert_eq!(refused.err(), Some(TokenError::Removed { step }));
}

#[test]
fn a_file_that_is_no_module_fails_closed() {
    let place = tempfile::tempdir().expect("a folder");
    let text = place.path().join("text");
    fs::write(&text, "not a module").expect("written");
    let empty = place.path().join("empty");
    fs::write(&empty, "").expect("written");
    for path in [text, empty, std::env::current_exe().expect("a program")] {
        let refused = Module::load(&path);
        assert_eq!(refused.err(), Some(TokenError::NotAModule { path }));
    }
    for path in [place.path().join("absent"), place.path().to_owned()] {
        let refused = Module::load(&path);
        assert_eq!(refused.err(), Some(TokenError::ModuleMissing { path }));
    }
}
