//! The file that pins a token: as written, and everything that is none. What needs a token is in
//! `tests/token.rs`.

use quorate_protocol::atoms::Text;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::token::TokenVersion;

use super::*;
use crate::keyfile::MemberKeys;

fn identity(serial: &str) -> TokenIdentity {
    TokenIdentity {
        manufacturer: Text::new("Maker").unwrap(),
        model: Text::new("One").unwrap(),
        serial: Text::new(serial).unwrap(),
        firmware: TokenVersion::told(1, 2),
        hardware: None,
    }
}

fn key(id: &[u8], label: &[u8]) -> KeyName {
    KeyName {
        id: Bytes::new(id.to_vec()).unwrap(),
        label: Bytes::new(label.to_vec()).unwrap(),
    }
}

/// Of alice, in a token that nobody has.
pub(crate) fn file() -> TokenFile {
    let name = Name::new("alice").unwrap();
    let public = MemberKeys::generate(name.clone()).unwrap().public();
    TokenFile(Fields {
        format: FORMAT,
        name,
        identity: identity("17"),
        signing: key(b"\x01", b"mine"),
        signing_key: public.signing,
        encryption: key(b"", b"other"),
        encryption_key: public.encryption,
    })
}

#[test]
fn a_token_file_reads_back() {
    let file = file();
    let read = TokenFile::from_bytes(&file.to_bytes()).unwrap();
    assert_eq!(read, file);
    assert_eq!(
        (read.name(), read.identity()),
        (file.name(), &identity("17"))
    );
    // By identifier where there is one: labels can be changed.
    let uri = |key: &KeyName| key.uri().map(|uri| uri.to_string());
    assert_eq!(uri(&read.0.signing).as_deref(), Ok("pkcs11:id=%01"));
    assert_eq!(
        uri(&read.0.encryption).as_deref(),
        Ok("pkcs11:object=other")
    );
    assert_eq!(key(b"", b"\xff").uri(), Err(TokenError::NoKey));
}

#[test]
fn a_token_file_that_is_none_fails_closed() {
    let file = file();
    let bytes = file.to_bytes();
    for length in 0..bytes.len() {
        let refused = TokenFile::from_bytes(&bytes[..length]);
        assert!(
            matches!(refused, Err(TokenKeysError::Malformed(_))),
            "{length}"
        );
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(TokenFile::from_bytes(&longer).is_err());
    assert!(TokenFile::from_bytes(&vec![0; TokenFile::MAX + 1]).is_err());
    let mut other = file;
    other.0.format = 2;
    let refused = TokenFile::from_bytes(&other.to_bytes());
    assert!(
        matches!(
            refused,
            Err(TokenKeysError::Malformed(DecodeError::Rule {
                rule: Invalid::Format { found: 2 },
                ..
            }))
        ),
        "{refused:?}"
    );
}

#[test]
fn an_intent_for_another_token_fails_closed() {
    let intent = TokenIntent(IntentFields {
        format: FORMAT,
        name: Name::new("alice").unwrap(),
        identity: identity("17"),
        signing: Bytes::new(vec![1; 16]).unwrap(),
        encryption: Bytes::new(vec![2; 16]).unwrap(),
    });
    assert_eq!(
        TokenIntent::from_bytes(&intent.to_bytes()),
        Ok(intent.clone())
    );
    let report = |serial: &str| TokenReport {
        label: Text::new("one").unwrap(),
        identity: identity(serial),
        tries: quorate_token::Tries::NotReduced,
        has_pin: true,
        pin_on_token: false,
        write_protected: false,
        shortest_pin: 4,
        longest_pin: 8,
        abilities: quorate_token::Abilities {
            sign: true,
            derive: true,
            generate: true,
        },
    };
    assert_eq!(intent.check_token(&report("17")), Ok(()));
    let refused = intent.check_token(&report("18"));
    assert_eq!(refused, Err(other(&identity("17"), vec![identity("18")])));
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains("serial 17") && text.contains("serial 18"),
        "{text}"
    );
}

#[test]
fn every_refusal_says_what_to_do() {
    let purpose = Purpose::Signing;
    let identity = Box::new(identity("17"));
    for error in [
        TokenKeysError::Both,
        TokenKeysError::DoesNotOpen,
        TokenKeysError::Missing {
            expected: identity.clone(),
        },
        TokenKeysError::ModuleUnknown,
        TokenKeysError::NeedsPassphrase,
        TokenKeysError::NeedsPin,
        TokenKeysError::OtherToken {
            expected: identity,
            found: Vec::new(),
        },
        TokenKeysError::PublicKey { purpose },
        TokenKeysError::Replaced { purpose },
        TokenKeysError::SignatureWrong,
        TokenKeysError::SameKey,
    ] {
        let explanation = error.explain();
        assert!(!explanation.code.is_empty() && explanation.remedy.len() > 20);
    }
}
