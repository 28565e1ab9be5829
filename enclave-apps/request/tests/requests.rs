//! Requests: what the contract's clients send is read, whatever else is refused by name.

use proptest::prelude::*;
use quorate_request::json::JsonError;
use quorate_request::{
    Account, AddressFormat, CreateWallet, Curve, FieldError, Identifier, KeyReference, Label,
    MAX_BODY, MnemonicLength, PathFormat, Request, RequestError, SignTransaction, Submit,
    TransactionFormat,
};

const WALLET: &str = r#"{"type":"ACTIVITY_TYPE_CREATE_WALLET","timestampMs":"1764100000000","organizationId":"a1b2-c3","parameters":{"walletName":"Main","accounts":[{"curve":"CURVE_SECP256K1","pathFormat":"PATH_FORMAT_BIP32","path":"m/44'/60'/0'/0/0","addressFormat":"ADDRESS_FORMAT_ETHEREUM"}],"mnemonicLength":24}}"#;
const TRANSFER: &str = r#"{"type":"ACTIVITY_TYPE_SIGN_TRANSACTION_V2","timestampMs":"1764100000000","organizationId":"a1b2-c3","parameters":{"signWith":"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf","unsignedTransaction":"02c0","type":"TRANSACTION_TYPE_ETHEREUM"}}"#;

fn identifier(text: &str) -> Identifier {
    Identifier::new(text).expect("an identifier")
}

fn account(name: Option<Label>) -> Account {
    Account {
        curve: Curve::Secp256k1,
        path_format: PathFormat::Bip32,
        path: "m/44'/60'/0'/0/0".into(),
        address_format: AddressFormat::Ethereum,
        name,
    }
}

fn wallet() -> Request {
    Request::CreateWallet(Submit {
        timestamp_ms: 1_764_100_000_000,
        organization_id: identifier("a1b2-c3"),
        parameters: CreateWallet {
            wallet_name: Label::new("Main").expect("a name"),
            accounts: vec![account(None)],
            mnemonic_length: Some(MnemonicLength::TwentyFour),
        },
        generate_app_proofs: false,
    })
}

fn transfer(key: KeyReference) -> Request {
    Request::SignTransaction(Submit {
        timestamp_ms: 1_764_100_000_000,
        organization_id: identifier("a1b2-c3"),
        parameters: SignTransaction {
            key,
            unsigned_transaction: "02c0".into(),
            format: TransactionFormat::Ethereum,
        },
        generate_app_proofs: false,
    })
}

fn sign_with() -> KeyReference {
    KeyReference::SignWith(identifier("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"))
}

fn parse(text: &str) -> Result<Request, RequestError> {
    Request::parse(text.as_bytes())
}

/// A good text with one piece exchanged.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn requests_are_read_and_written_as_clients_write_them() {
    assert_eq!(parse(WALLET), Ok(wallet()));
    assert_eq!(wallet().to_json(), WALLET);
    assert_eq!(parse(TRANSFER), Ok(transfer(sign_with())));
    assert_eq!(transfer(sign_with()).to_json(), TRANSFER);
    assert_eq!(wallet().timestamp_ms(), 1_764_100_000_000);
    assert_eq!(wallet().organization_id().as_str(), "a1b2-c3");
}

#[test]
fn version_one_names_a_private_key() {
    let text = changed(TRANSFER, "_V2", "");
    let missing = FieldError::Missing {
        field: "privateKeyId",
    };
    assert_eq!(parse(&text), Err(missing.into()));
    let text = changed(&text, "signWith", "privateKeyId");
    let KeyReference::SignWith(id) = sign_with() else {
        unreachable!()
    };
    let request = transfer(KeyReference::PrivateKeyId(id));
    assert_eq!(parse(&text), Ok(request.clone()));
    assert_eq!(request.to_json(), text);
}

/// Members in another order, white space, and what may be left out or null.
#[test]
fn one_meaning_in_every_order() {
    let text = r#"
        { "parameters": { "accounts": [], "walletName": "Main", "mnemonicLength": null },
          "organizationId": "a1b2-c3", "generateAppProofs": null,
          "timestampMs": "1764100000000", "type": "ACTIVITY_TYPE_CREATE_WALLET" }"#;
    let Ok(Request::CreateWallet(submit)) = parse(text) else {
        panic!("{:?}", parse(text));
    };
    assert_eq!(submit.parameters.mnemonic_length, None);
    assert!(submit.parameters.accounts.is_empty());
    assert!(!submit.generate_app_proofs);
    let text = changed(
        WALLET,
        "\"parameters\"",
        "\"generateAppProofs\":true,\"parameters\"",
    );
    let Ok(Request::CreateWallet(submit)) = parse(&text) else {
        panic!("{:?}", parse(&text));
    };
    assert!(submit.generate_app_proofs);
}

#[test]
fn missing_fields_fails_closed() {
    for (text, field) in [
        (WALLET, "type"),
        (WALLET, "timestampMs"),
        (WALLET, "organizationId"),
        (WALLET, "parameters"),
        (WALLET, "walletName"),
        (WALLET, "accounts"),
        (WALLET, "curve"),
        (WALLET, "pathFormat"),
        (WALLET, "path"),
        (WALLET, "addressFormat"),
        (TRANSFER, "signWith"),
        (TRANSFER, "unsignedTransaction"),
    ] {
        let mut value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        remove(&mut value, field);
        let text = value.to_string();
        assert_eq!(
            parse(&text),
            Err(FieldError::Missing { field }.into()),
            "{text}"
        );
        // null is absence, and what is required may not be absent.
        let text = null(text_of(text_with(field, WALLET, TRANSFER)), field);
        assert_eq!(
            parse(&text),
            Err(FieldError::Missing { field }.into()),
            "{text}"
        );
    }
}

fn text_with<'a>(field: &str, a: &'a str, b: &'a str) -> &'a str {
    if a.contains(&format!("\"{field}\"")) {
        a
    } else {
        b
    }
}

fn text_of(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

/// The first member of this name, wherever it is.
fn find<'a>(
    value: &'a mut serde_json::Value,
    field: &str,
) -> Option<&'a mut serde_json::Map<String, serde_json::Value>> {
    match value {
        serde_json::Value::Object(members) => {
            if members.contains_key(field) {
                Some(members)
            } else {
                members.values_mut().find_map(|value| find(value, field))
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().find_map(|value| find(value, field)),
        _ => None,
    }
}

fn remove(value: &mut serde_json::Value, field: &str) {
    find(value, field).expect("the field").remove(field);
}

fn null(mut value: serde_json::Value, field: &str) -> String {
    find(&mut value, field)
        .expect("the field")
        .insert(field.into(), serde_json::Value::Null);
    value.to_string()
}

#[test]
fn unknown_fields_fails_closed() {
    for (text, before) in [
        (WALLET, "\"timestampMs\""),
        (WALLET, "\"walletName\""),
        (WALLET, "\"path\""),
        (TRANSFER, "\"signWith\""),
    ] {
        let offset = text.find(before).expect("a place");
        let text = changed(text, before, &format!("\"walletname\":1,{before}"));
        assert_eq!(
            parse(&text),
            Err(FieldError::Unknown { offset }.into()),
            "{text}"
        );
    }
    // Parameters of another activity.
    let text = changed(
        TRANSFER,
        "\"signWith\"",
        "\"walletName\":\"Main\",\"signWith\"",
    );
    assert!(matches!(
        parse(&text),
        Err(RequestError::Field(FieldError::Unknown { .. }))
    ));
}

#[test]
fn duplicate_fields_fails_closed() {
    let twice = "\"signWith\":\"0x00\",\"signWith\"";
    let text = changed(TRANSFER, "\"signWith\"", twice);
    let offset = text.find(twice).expect("a place") + 18;
    assert_eq!(parse(&text), Err(JsonError::DuplicateKey { offset }.into()));
}

#[test]
fn values_of_another_type_fails_closed() {
    for (from, to, field) in [
        ("\"1764100000000\"", "1764100000000", "timestampMs"),
        ("\"1764100000000\"", "\"01764100000000\"", "timestampMs"),
        ("\"1764100000000\"", "\"+1764100000000\"", "timestampMs"),
        ("\"1764100000000\"", "\"1764100000000.5\"", "timestampMs"),
        ("\"1764100000000\"", "\"\"", "timestampMs"),
        ("\"1764100000000\"", "\"253402300800000\"", "timestampMs"),
        (
            "\"1764100000000\"",
            "\"99999999999999999999999\"",
            "timestampMs",
        ),
        ("\"a1b2-c3\"", "\"\"", "organizationId"),
        ("\"a1b2-c3\"", "\"a b\"", "organizationId"),
        ("\"a1b2-c3\"", "\"é\"", "organizationId"),
        ("\"a1b2-c3\"", "{}", "organizationId"),
        ("\"Main\"", "\"\"", "walletName"),
        ("\"Main\"", "\"a\\u0000\"", "walletName"),
        ("\"Main\"", "true", "walletName"),
        ("24", "23", "mnemonicLength"),
        ("24", "-24", "mnemonicLength"),
        ("24", "\"24\"", "mnemonicLength"),
        ("\"m/44'/60'/0'/0/0\"", "44", "path"),
        ("\"CURVE_SECP256K1\"", "[]", "curve"),
        (
            "\"mnemonicLength\"",
            "\"generateAppProofs\":1,\"x\"",
            "accounts",
        ),
    ] {
        let text = changed(WALLET, from, to);
        match parse(&text) {
            Err(RequestError::Field(FieldError::Type {
                field: found,
                offset,
            })) => {
                assert_eq!(found, field, "{text}");
                assert!(text[offset..].starts_with(to), "{text}");
            }
            Err(RequestError::Field(FieldError::Unknown { .. })) => assert_eq!(field, "accounts"),
            other => panic!("{other:?} {text}"),
        }
    }
    for text in [
        "[]",
        "null",
        "\"a\"",
        "1",
        "[\"ACTIVITY_TYPE_CREATE_WALLET\"]",
    ] {
        assert_eq!(
            parse(text),
            Err(FieldError::NotAnObject { offset: 0 }.into())
        );
    }
    // A list in place of an object, which serde would take for a struct.
    let text = changed(TRANSFER, r#"{"signWith":"#, r#"["#);
    assert!(parse(&text).is_err());
}

#[test]
fn bounds_of_texts_and_lists_fails_closed() {
    let label = |length| changed(WALLET, "Main", &"x".repeat(length));
    assert!(parse(&label(Label::MAX)).is_ok());
    assert!(parse(&label(Label::MAX + 1)).is_err());
    let organization = |length| changed(WALLET, "a1b2-c3", &"x".repeat(length));
    assert!(parse(&organization(Identifier::MAX)).is_ok());
    assert!(parse(&organization(Identifier::MAX + 1)).is_err());
    let path = |length| changed(WALLET, "m/44'/60'/0'/0/0", &"0".repeat(length));
    assert!(parse(&path(128)).is_ok());
    assert!(parse(&path(129)).is_err());
    let (start, end) = (
        WALLET.find("[{").expect("a list"),
        WALLET.find("}]").expect("a list"),
    );
    let accounts = |count: usize| {
        let list = vec![&WALLET[start + 1..=end]; count].join(",");
        format!("{}[{list}]{}", &WALLET[..start], &WALLET[end + 2..])
    };
    assert!(parse(&accounts(100)).is_ok());
    let refused = FieldError::TooMany {
        field: "accounts",
        offset: start,
        max: 100,
        found: 101,
    };
    assert_eq!(parse(&accounts(101)), Err(refused.into()));
}

#[test]
fn a_body_that_is_too_large_fails_closed() {
    let body = |length: usize| {
        let rest = TRANSFER.len() - 4;
        changed(TRANSFER, "02c0", &"0".repeat(length - rest))
    };
    assert!(parse(&body(MAX_BODY)).is_ok());
    let (max, found) = (MAX_BODY, MAX_BODY + 1);
    assert_eq!(
        parse(&body(found)),
        Err(JsonError::TooLarge { max, found }.into())
    );
}

#[test]
fn values_of_the_contract_we_do_not_support_fails_closed() {
    for (text, from, value) in [
        (WALLET, "CURVE_SECP256K1", "CURVE_ED25519"),
        (WALLET, "CURVE_SECP256K1", "CURVE_P256"),
        (WALLET, "ADDRESS_FORMAT_ETHEREUM", "ADDRESS_FORMAT_SOLANA"),
        (
            WALLET,
            "ADDRESS_FORMAT_ETHEREUM",
            "ADDRESS_FORMAT_BITCOIN_MAINNET_P2TR",
        ),
        (
            TRANSFER,
            "TRANSACTION_TYPE_ETHEREUM",
            "TRANSACTION_TYPE_SOLANA",
        ),
        (
            TRANSFER,
            "TRANSACTION_TYPE_ETHEREUM",
            "TRANSACTION_TYPE_TEMPO",
        ),
    ] {
        let text = changed(text, from, value);
        assert_eq!(parse(&text), Err(FieldError::Unsupported { value }.into()));
    }
    for (text, from, field) in [
        (WALLET, "CURVE_SECP256K1", "curve"),
        (WALLET, "PATH_FORMAT_BIP32", "pathFormat"),
        (WALLET, "ADDRESS_FORMAT_ETHEREUM", "addressFormat"),
        (TRANSFER, "TRANSACTION_TYPE_ETHEREUM", "type"),
    ] {
        for other in ["", "curve_secp256k1", "CURVE_SECP256K1 ", "x"] {
            let offset = text.find(from).expect("a place") - 1;
            let text = changed(text, from, other);
            let refused = FieldError::UnknownValue { field, offset };
            assert_eq!(parse(&text), Err(refused.into()), "{text}");
        }
    }
}

#[test]
fn other_activities_fails_closed() {
    for name in [
        "",
        "ACTIVITY_TYPE_CREATE_WALLET_V2",
        "ACTIVITY_TYPE_EXPORT_WALLET",
        "ACTIVITY_TYPE_SIGN_RAW_PAYLOAD_V2",
        "ACTIVITY_TYPE_SIGN_TRANSACTION_V3",
        "activity_type_create_wallet",
    ] {
        let text = changed(WALLET, "ACTIVITY_TYPE_CREATE_WALLET", name);
        assert_eq!(parse(&text), Err(RequestError::ActivityType { offset: 8 }));
    }
}

fn labels() -> impl Strategy<Value = Label> {
    "\\PC{1,60}".prop_filter_map("within bounds", |text| Label::new(&text).ok())
}

fn identifiers() -> impl Strategy<Value = Identifier> {
    "[0-9A-Za-z._:-]{1,64}".prop_map(|text| identifier(&text))
}

fn requests() -> impl Strategy<Value = Request> {
    let length = prop::option::of(prop::sample::select(
        &[
            MnemonicLength::Twelve,
            MnemonicLength::Fifteen,
            MnemonicLength::Eighteen,
            MnemonicLength::TwentyOne,
            MnemonicLength::TwentyFour,
        ][..],
    ));
    let accounts = prop::collection::vec(prop::option::of(labels()), 0..4)
        .prop_map(|names| names.into_iter().map(account).collect());
    let wallets =
        (labels(), accounts, length).prop_map(|(wallet_name, accounts, mnemonic_length)| {
            CreateWallet {
                wallet_name,
                accounts,
                mnemonic_length,
            }
        });
    let transfers = (identifiers(), any::<bool>(), "\\PC{0,60}").prop_map(|(id, one, text)| {
        let key = match one {
            true => KeyReference::PrivateKeyId(id),
            false => KeyReference::SignWith(id),
        };
        SignTransaction {
            key,
            unsigned_transaction: text,
            format: TransactionFormat::Ethereum,
        }
    });
    let around = || (0..253_402_300_800_000u64, identifiers(), any::<bool>());
    prop_oneof![
        (around(), wallets).prop_map(|((timestamp_ms, organization_id, proofs), parameters)| {
            Request::CreateWallet(Submit {
                timestamp_ms,
                organization_id,
                parameters,
                generate_app_proofs: proofs,
            })
        }),
        (around(), transfers).prop_map(|((timestamp_ms, organization_id, proofs), parameters)| {
            Request::SignTransaction(Submit {
                timestamp_ms,
                organization_id,
                parameters,
                generate_app_proofs: proofs,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(request in requests()) {
        prop_assert_eq!(parse(&request.to_json()), Ok(request));
    }

    #[test]
    fn a_changed_byte_is_no_surprise(request in requests(), at in any::<prop::sample::Index>(), to: u8) {
        let mut body = request.to_json().into_bytes();
        let at = at.index(body.len());
        body[at] = to;
        if let Ok(other) = Request::parse(&body) {
            prop_assert_eq!(parse(&other.to_json()), Ok(other));
        }
    }
}
