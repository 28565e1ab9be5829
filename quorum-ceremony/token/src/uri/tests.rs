//! URIs as people write them, as tools write them, and what is refused.

use proptest::prelude::*;

use super::*;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_token_is_named_as_rfc_7512_says() {
    let uri =
        TokenUri::parse("pkcs11:token=The%20Software;serial=DECC0401648;model=1%2e0").unwrap();
    assert_eq!(uri.token, some("The Software"));
    assert_eq!(uri.serial, some("DECC0401648"));
    assert_eq!(uri.model, some("1.0"));
    assert_eq!((uri.manufacturer, uri.module), (None, None));
    let uri = TokenUri::parse("pkcs11:token=a?module-path=/usr/lib/p11.so").unwrap();
    assert_eq!(uri.module, Some("/usr/lib/p11.so".into()));
    assert_eq!(
        uri.to_string(),
        "pkcs11:token=a?module-path=%2Fusr%2Flib%2Fp11.so"
    );
}

#[test]
fn a_key_is_named_as_rfc_7512_says() {
    let uri = KeyUri::parse("pkcs11:object=my-key;id=%01%ff;type=private").unwrap();
    assert_eq!(
        (uri.object.as_deref(), uri.id.as_deref()),
        (Some("my-key"), Some(&[1, 255][..]))
    );
    assert_eq!(uri.to_string(), "pkcs11:object=my-key;id=%01%FF");
    assert_eq!(
        KeyUri::parse("pkcs11:id=%03").unwrap().to_string(),
        "pkcs11:id=%03"
    );
}

#[test]
fn a_uri_with_a_pin_fails_closed() {
    for text in [
        "pkcs11:token=a?pin-value=1234",
        "pkcs11:token=a?pin-source=file:/etc/pin",
        "pkcs11:token=a;pin-value=1234",
    ] {
        assert_eq!(TokenUri::parse(text), Err(UriError::Pin), "{text}");
    }
}

#[test]
fn an_attribute_that_would_not_be_compared_fails_closed() {
    let foreign = |name: &str| UriError::Attribute {
        name: name.to_owned(),
    };
    for (text, name) in [
        ("pkcs11:token=a;slot-id=1", "slot-id"),
        ("pkcs11:token=a;object=b", "object"),
        ("pkcs11:token=a;module-path=/x", "module-path"),
        ("pkcs11:token=a?token=b", "token"),
        ("pkcs11:token=a;x-mine=1", "x-mine"),
    ] {
        assert_eq!(TokenUri::parse(text), Err(foreign(name)), "{text}");
    }
    for (text, name) in [
        ("pkcs11:object=b;token=a", "token"),
        ("pkcs11:object=b;type=public", "type"),
        ("pkcs11:object=b?module-path=/x", "module-path"),
    ] {
        assert_eq!(KeyUri::parse(text), Err(foreign(name)), "{text}");
    }
}

#[test]
fn a_uri_that_is_none_fails_closed() {
    for (text, expected) in [
        ("", UriError::Scheme),
        ("token=a", UriError::Scheme),
        ("PKCS11:token=a", UriError::Scheme),
        ("pkcs11:token", UriError::Malformed),
        ("pkcs11:token=%4", UriError::Malformed),
        ("pkcs11:token=%zz", UriError::Malformed),
        ("pkcs11:token=%1b[2J", UriError::Malformed),
        ("pkcs11:token=%ff", UriError::Malformed),
        ("pkcs11:token=a b", UriError::Malformed),
        ("pkcs11:token=ä", UriError::Malformed),
        ("pkcs11:=a", UriError::Malformed),
        ("pkcs11:\u{1b}[2J=a", UriError::Malformed),
        ("pkcs11:token=a;token=b", UriError::Twice { name: "token" }),
    ] {
        assert_eq!(TokenUri::parse(text), Err(expected), "{text}");
    }
    for text in ["pkcs11:", "pkcs11:?module-path=/x"] {
        assert!(
            matches!(TokenUri::parse(text), Err(UriError::Nothing { .. })),
            "{text}"
        );
    }
    for text in ["pkcs11:", "pkcs11:id=", "pkcs11:type=private"] {
        assert!(
            matches!(KeyUri::parse(text), Err(UriError::Nothing { .. })),
            "{text}"
        );
    }
    let long = format!("pkcs11:token={}", "a".repeat(LONGEST_URI));
    assert_eq!(TokenUri::parse(&long), Err(UriError::TooLong));
    let long = format!("pkcs11:token={}", "a".repeat(LONGEST_VALUE + 1));
    assert_eq!(TokenUri::parse(&long), Err(UriError::TooLong));
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(
        token in "[^\\p{C}]{1,32}",
        serial in prop::option::of("[^\\p{C}]{0,16}"),
        object in prop::option::of("[^\\p{C}]{0,60}"),
        id in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let uri = TokenUri { token: Some(token), serial, ..TokenUri::default() };
        prop_assert_eq!(TokenUri::parse(&uri.to_string()), Ok(uri));
        let uri = KeyUri { object, id: Some(id) };
        prop_assert_eq!(KeyUri::parse(&uri.to_string()), Ok(uri));
    }

    #[test]
    fn whatever_is_read_ends_in_an_answer(text in "pkcs11:[ -~]{0,80}") {
        let _ = (TokenUri::parse(&text), KeyUri::parse(&text));
    }
}
