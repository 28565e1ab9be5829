//! Keys of a member in a token, against SoftHSM2: what is pinned at `join` is what is used later,
//! and nothing else. Each test runs alone in a process, with tokens of its own.

#[path = "../token/tests/tokens/mod.rs"]
mod tokens;

use std::fs;
use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use quorate_protocol::atoms::Name;
use quorate_quorum_ceremony::keyfile::Passphrase;
use quorate_quorum_ceremony::keys::{LockedKeys, Unlock};
use quorate_quorum_ceremony::pins::PinError;
use quorate_quorum_ceremony::private::PrivateFolder;
use quorate_quorum_ceremony::steps::join::{self, Joined};
use quorate_quorum_ceremony::token::{NamedKeys, TokenFile, TokenKeysError};
use quorate_quorum_ceremony::{CeremonyError, StepError};
use quorate_token::{Inserted, KeyUri, Module, Pin, Purpose, TokenError, TokenUri};
use tokens::{PIN, Tokens, alone};
use zeroize::Zeroizing;

fn pin() -> Pin {
    Pin::typed(Zeroizing::new(PIN.to_owned())).expect("a PIN")
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new(b"correct horse battery".to_vec())).expect("a passphrase")
}

fn alice() -> Name {
    Name::new("alice").expect("a name")
}

fn uri(text: &str) -> KeyUri {
    KeyUri::parse(text).expect("a URI")
}

/// A member's two folders.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn private(&self) -> PathBuf {
        self.0.path().join("private")
    }

    fn join(&self, unlock: Unlock, named: Option<&NamedKeys>) -> Result<Joined, CeremonyError> {
        let step = join::prepare(
            &self.0.path().join("shared"),
            &self.private(),
            &alice(),
            None,
        )?;
        match named {
            Some(named) => step.join_with(unlock, named),
            None => step.join(unlock),
        }
    }

    fn keys(&self) -> LockedKeys {
        let private = PrivateFolder::open(&self.private()).expect("the folder");
        private.keys().expect("keys")
    }

    fn pinned(&self) -> TokenFile {
        match self.keys() {
            LockedKeys::Token(token) => token.file,
            LockedKeys::File(_) => panic!("a key file"),
        }
    }
}

/// The module as a tool of somebody else has it: it does what it likes with the token.
struct Tool {
    pkcs11: Pkcs11,
    session: Session,
}

impl Tool {
    fn new(tokens: &Tokens) -> Self {
        let pkcs11 = Pkcs11::new(&tokens.module).expect("SoftHSM");
        let locks = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        pkcs11.initialize(locks).expect("it starts");
        let slots = pkcs11.get_slots_with_initialized_token().expect("slots");
        let session = pkcs11.open_rw_session(slots[0]).expect("a session");
        let typed = AuthPin::new(PIN.into());
        session
            .login(UserType::User, Some(&typed))
            .expect("the PIN");
        Self { pkcs11, session }
    }

    fn generate(&self, id: &[u8], signs: bool, derives: bool) {
        let p256 = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        let public = [
            Attribute::Token(true),
            Attribute::EcParams(p256),
            Attribute::Id(id.to_vec()),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(signs),
            Attribute::Derive(derives),
            Attribute::Id(id.to_vec()),
        ];
        let made = self
            .session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
        made.expect("a key");
    }

    /// Removes what has this identifier, of one class or of both.
    fn remove(&self, id: &[u8], class: Option<ObjectClass>) {
        let mut wanted = vec![Attribute::Id(id.to_vec())];
        wanted.extend(class.map(Attribute::Class));
        for object in self.session.find_objects(&wanted).expect("found") {
            self.session.destroy_object(object).expect("removed");
        }
    }

    /// The identifiers of all private keys.
    fn ids(&self) -> Vec<Vec<u8>> {
        let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
        let found = self.session.find_objects(&wanted).expect("found");
        let id = |object| {
            let told = self.session.get_attributes(object, &[AttributeType::Id]);
            match told.expect("told").pop() {
                Some(Attribute::Id(id)) => id,
                other => panic!("{other:?}"),
            }
        };
        found.into_iter().map(id).collect()
    }

    fn end(self) {
        self.session.close().expect("closed");
        self.pkcs11.finalize().expect("ended");
    }
}

fn insert(tokens: &Tokens) -> Inserted {
    let wanted = TokenUri::parse("pkcs11:token=one").expect("a URI");
    let module = Module::load(&tokens.module).expect("SoftHSM");
    module
        .find(|token| token.answers_to(&wanted))
        .expect("it is there")
}

fn named() -> NamedKeys {
    NamedKeys {
        signing: uri("pkcs11:id=%01"),
        encryption: uri("pkcs11:id=%02"),
    }
}

/// Joins with keys 1 and 2, which a tool has made.
fn joined_with_named(tokens: &Tokens, place: &Place) {
    let tool = Tool::new(tokens);
    tool.generate(&[1], true, false);
    tool.generate(&[2], false, true);
    tool.end();
    let joined = place.join(Unlock::Token(insert(tokens), pin()), Some(&named()));
    assert_eq!(joined.expect("joined").keys, place.pinned().public());
}

/// After a join, lets a tool change the token and demands that the keys are refused then.
fn refused_after(name: &str, change: impl FnOnce(&Tool)) -> Option<CeremonyError> {
    let tokens = alone(name, |tokens| tokens.add("one"))?;
    let place = Place::new();
    joined_with_named(&tokens, &place);
    restart(&tokens);
    let tool = Tool::new(&tokens);
    change(&tool);
    tool.end();
    let refused = place.pinned().unlock(insert(&tokens), &pin());
    Some(refused.err().expect("refused"))
}

/// Ends the module, which a process can start only once otherwise. Where the library left the process
/// with its last user it has ended.
fn restart(tokens: &Tokens) {
    let pkcs11 = Pkcs11::new(&tokens.module).expect("SoftHSM");
    match pkcs11.finalize() {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn named_keys_are_pinned_and_used_again() {
    let Some(tokens) = alone("named_keys_are_pinned_and_used_again", |tokens| {
        tokens.add("one");
    }) else {
        return;
    };
    let place = Place::new();
    joined_with_named(&tokens, &place);
    let private = PrivateFolder::open(&place.private()).expect("the folder");
    assert_eq!(private.module(), Ok(Some(tokens.module.clone())));
    drop(private);
    let bytes = place.pinned().to_bytes();
    assert_eq!(TokenFile::from_bytes(&bytes), Ok(place.pinned()));
    restart(&tokens);
    // The same command again changes nothing.
    let again = place.join(Unlock::Token(insert(&tokens), pin()), Some(&named()));
    assert!(again.expect("joined").before);
}

/// A new laptop: the card and the keys are there, what their owner had pinned is not. It is not made
/// anew; the folder then has what `share restore` needs.
#[test]
fn keys_with_a_card_in_a_new_folder_make_no_pins_fails_closed() {
    let test = "keys_with_a_card_in_a_new_folder_make_no_pins_fails_closed";
    let Some(tokens) = alone(test, |tokens| tokens.add("one")) else {
        return;
    };
    let place = Place::new();
    joined_with_named(&tokens, &place);
    let (pinned, card) = (
        place.pinned(),
        place.0.path().join("shared/members/alice.cbor"),
    );
    let before = fs::read(&card).expect("the card");
    fs::remove_dir_all(place.private()).expect("lost");
    restart(&tokens);
    let again = place.join(Unlock::Token(insert(&tokens), pin()), Some(&named()));
    assert_eq!(again, Err(PinError::Lost.into()));
    assert_eq!(place.pinned(), pinned);
    assert!(!place.private().join("pins.cbor").exists());
    assert_eq!(fs::read(&card).expect("the card"), before);
}

/// The token's own keys get a card beside the one that is there, once; keys that are on that card already
/// replace nothing, and no pins are made for them.
#[test]
fn new_keys_in_a_token_that_are_those_of_the_card_fails_closed() {
    let test = "new_keys_in_a_token_that_are_those_of_the_card_fails_closed";
    let Some(tokens) = alone(test, |tokens| tokens.add("one")) else {
        return;
    };
    let place = Place::new();
    joined_with_named(&tokens, &place);
    fs::remove_dir_all(place.private()).expect("lost");
    let shared = place.0.path().join("shared");
    let anew = |private: &str| {
        let private = place.0.path().join(private);
        join::prepare_new_keys(&shared, &private, &alice(), None).expect("prepared")
    };
    restart(&tokens);
    let same = anew("private").join_with(Unlock::Token(insert(&tokens), pin()), &named());
    let refused = StepError::JoinedOtherwise {
        name: alice(),
        token: true,
    };
    assert_eq!(same, Err(refused.into()));
    assert!(!place.private().join("pins.cbor").exists());

    restart(&tokens);
    let joined = anew("new").join(Unlock::Token(insert(&tokens), pin()));
    let joined = joined.expect("joined");
    let short = joined.new_keys.expect("new keys").short();
    let card = shared.join(format!("members/alice-{short}.cbor"));
    let written = fs::read(&card).expect("a card");
    restart(&tokens);
    let again = anew("new").join(Unlock::Token(insert(&tokens), pin()));
    assert!(again.expect("joined").before);
    assert_eq!(fs::read(&card).expect("a card"), written);
}

#[test]
fn a_replaced_signing_key_fails_closed() {
    let change = |tool: &Tool| {
        tool.remove(&[1], None);
        tool.generate(&[1], true, false);
    };
    let Some(refused) = refused_after("a_replaced_signing_key_fails_closed", change) else {
        return;
    };
    let purpose = Purpose::Signing;
    assert_eq!(refused, TokenKeysError::Replaced { purpose }.into());
}

#[test]
fn a_replaced_encryption_key_fails_closed() {
    let change = |tool: &Tool| {
        tool.remove(&[2], None);
        tool.generate(&[2], false, true);
    };
    let Some(refused) = refused_after("a_replaced_encryption_key_fails_closed", change) else {
        return;
    };
    let purpose = Purpose::Encryption;
    assert_eq!(refused, TokenKeysError::Replaced { purpose }.into());
}

#[test]
fn a_removed_key_fails_closed() {
    let change = |tool: &Tool| tool.remove(&[2], None);
    let Some(refused) = refused_after("a_removed_key_fails_closed", change) else {
        return;
    };
    assert_eq!(refused, TokenError::NoKey.into());
}

/// Without a public half to compare, what was signed shows it.
#[test]
fn a_signature_by_another_key_fails_closed() {
    let Some(tokens) = alone("a_signature_by_another_key_fails_closed", |tokens| {
        tokens.add("one");
    }) else {
        return;
    };
    let place = Place::new();
    joined_with_named(&tokens, &place);
    restart(&tokens);
    let tool = Tool::new(&tokens);
    tool.remove(&[1], None);
    tool.generate(&[1], true, false);
    tool.remove(&[1], Some(ObjectClass::PUBLIC_KEY));
    tool.end();
    let card = fs::read(place.0.path().join("shared/members/alice.cbor")).expect("the card");
    let refused = place.join(Unlock::Token(insert(&tokens), pin()), None);
    assert_eq!(refused, Err(TokenKeysError::SignatureWrong.into()));
    let after = fs::read(place.0.path().join("shared/members/alice.cbor")).expect("the card");
    assert_eq!(card, after);
}

#[test]
fn one_key_for_both_fails_closed() {
    let Some(tokens) = alone("one_key_for_both_fails_closed", |tokens| tokens.add("one")) else {
        return;
    };
    let tool = Tool::new(&tokens);
    tool.generate(&[1], true, true);
    tool.end();
    let place = Place::new();
    let both = NamedKeys {
        signing: uri("pkcs11:id=%01"),
        encryption: uri("pkcs11:id=%01"),
    };
    let refused = place.join(Unlock::Token(insert(&tokens), pin()), Some(&both));
    assert_eq!(refused, Err(TokenKeysError::SameKey.into()));
    assert!(!place.private().join("token.cbor").exists());
}

#[test]
fn a_named_key_for_the_other_purpose_fails_closed() {
    let Some(tokens) = alone("a_named_key_for_the_other_purpose_fails_closed", |tokens| {
        tokens.add("one");
    }) else {
        return;
    };
    let tool = Tool::new(&tokens);
    tool.generate(&[1], true, false);
    tool.generate(&[2], false, true);
    tool.end();
    let place = Place::new();
    let swapped = NamedKeys {
        signing: named().encryption,
        encryption: named().signing,
    };
    let refused = place.join(Unlock::Token(insert(&tokens), pin()), Some(&swapped));
    let purpose = Purpose::Signing;
    assert_eq!(refused, Err(TokenError::KeyCannot { purpose }.into()));
    assert!(!place.0.path().join("shared/members/alice.cbor").exists());
}

/// A join that ends after the first key goes on with that key and makes only the second.
#[test]
fn an_interrupted_join_makes_no_key_twice() {
    let Some(tokens) = alone("an_interrupted_join_makes_no_key_twice", |tokens| {
        tokens.add("one");
    }) else {
        return;
    };
    let place = Place::new();
    let first = place.join(Unlock::Token(insert(&tokens), pin()), None);
    let first = first.expect("joined");
    assert_eq!(first.token.expect("a token").drawn_on_token, Some(true));
    restart(&tokens);
    let tool = Tool::new(&tokens);
    let before = tool.ids();
    assert_eq!(before.len(), 2);
    // As it was before the second key was made and anything was written.
    let intent = fs::read(place.private().join("token-intent.cbor")).expect("the intent");
    let encryption = &intent[intent.len() - 16..];
    assert!(before.iter().any(|id| id == encryption));
    tool.remove(encryption, None);
    tool.end();
    for file in [
        "private/token.cbor",
        "private/pins.cbor",
        "shared/members/alice.cbor",
    ] {
        fs::remove_file(place.0.path().join(file)).expect("removed");
    }
    let second = place.join(Unlock::Token(insert(&tokens), pin()), None);
    let second = second.expect("joined");
    assert!(!second.before);
    assert_eq!(second.keys.signing, first.keys.signing);
    assert_ne!(second.keys.encryption, first.keys.encryption);
    restart(&tokens);
    let tool = Tool::new(&tokens);
    let (mut before, mut after) = (before, tool.ids());
    before.sort_unstable();
    after.sort_unstable();
    assert_eq!(before, after);
}

/// Goes on with another token than the one it began with.
#[test]
fn an_interrupted_join_with_another_token_fails_closed() {
    let Some(tokens) = alone(
        "an_interrupted_join_with_another_token_fails_closed",
        |tokens| {
            tokens.add("one");
            tokens.add("two");
        },
    ) else {
        return;
    };
    let place = Place::new();
    place
        .join(Unlock::Token(insert(&tokens), pin()), None)
        .expect("joined");
    fs::remove_file(place.private().join("token.cbor")).expect("removed");
    restart(&tokens);
    let module = Module::load(&tokens.module).expect("SoftHSM");
    let two = module
        .find(|token| token.label.as_str() == "two")
        .expect("it is there");
    let refused = place.join(Unlock::Token(two, pin()), None);
    assert!(
        matches!(
            refused,
            Err(CeremonyError::TokenKeys(TokenKeysError::OtherToken { .. }))
        ),
        "{refused:?}"
    );
}

#[test]
fn the_other_kind_of_keys_fails_closed() {
    let Some(tokens) = alone("the_other_kind_of_keys_fails_closed", |tokens| {
        tokens.add("one");
    }) else {
        return;
    };
    let refused = |token| {
        let name = alice();
        Err(StepError::JoinedOtherwise { name, token }.into())
    };
    let place = Place::new();
    joined_with_named(&tokens, &place);
    assert_eq!(place.join(passphrase().into(), None), refused(true));
    // Joined with two keys, and now two others are named.
    restart(&tokens);
    let tool = Tool::new(&tokens);
    tool.generate(&[3], true, false);
    tool.end();
    let others = NamedKeys {
        signing: uri("pkcs11:id=%03"),
        ..named()
    };
    let joined = place.join(Unlock::Token(insert(&tokens), pin()), Some(&others));
    assert_eq!(joined, refused(true));

    restart(&tokens);
    let place = Place::new();
    place.join(passphrase().into(), None).expect("joined");
    let joined = place.join(Unlock::Token(insert(&tokens), pin()), None);
    assert_eq!(joined, refused(false));
}

#[test]
fn a_private_folder_with_both_kinds_fails_closed() {
    let Some(tokens) = alone("a_private_folder_with_both_kinds_fails_closed", |tokens| {
        tokens.add("one");
    }) else {
        return;
    };
    let (place, other) = (Place::new(), Place::new());
    joined_with_named(&tokens, &place);
    other.join(passphrase().into(), None).expect("joined");
    let from = other.private().join("key.cbor");
    fs::copy(from, place.private().join("key.cbor")).expect("copied");
    let private = PrivateFolder::open(&place.private()).expect("the folder");
    assert_eq!(private.keys(), Err(TokenKeysError::Both.into()));
}
