//! The strict JSON reader: every refusal, its bounds, and serde_json beside it.

use proptest::prelude::*;
use quorate_request::json::{JsonError, Kind, MAX_DEPTH, MAX_MEMBERS, MAX_VALUES, Value, parse};

const MAX: usize = 100_000;

fn refused(text: &str) -> JsonError {
    parse(text.as_bytes(), MAX).expect_err(text)
}

fn kind(text: &str) -> Kind<'_> {
    parse(text.as_bytes(), MAX).expect(text).kind
}

#[test]
fn values_of_each_kind() {
    assert_eq!(kind(" \t\r\nnull "), Kind::Null);
    assert_eq!(kind("true"), Kind::Bool(true));
    assert_eq!(kind("false"), Kind::Bool(false));
    assert_eq!(kind("0"), Kind::Integer(0));
    assert_eq!(kind("-9223372036854775808"), Kind::Integer(i64::MIN));
    assert_eq!(kind("9223372036854775807"), Kind::Integer(i64::MAX));
    assert_eq!(kind("\"\""), Kind::String("".into()));
    assert_eq!(kind("\"é𝄞\u{7f}\""), Kind::String("é𝄞\u{7f}".into()));
    assert_eq!(
        kind(r#""a\"\\\/\b\f\n\r\t\u0041\u00e9\uD834\udd1e\u0000""#),
        Kind::String("a\"\\/\u{8}\u{c}\n\r\tAé𝄞\0".into())
    );
    let Kind::List(list) = kind(" [ ] ") else {
        panic!()
    };
    assert!(list.is_empty());
    let value = parse(br#"{ "a" : [1, {}], "b":2 }"#, MAX).expect("an object");
    let Kind::Object(members) = value.kind else {
        panic!()
    };
    assert_eq!((members[0].offset, &*members[0].key), (2, "a"));
    assert_eq!(members[0].value.offset, 8);
    assert_eq!((members[1].offset, &*members[1].key), (17, "b"));
}

#[test]
fn duplicate_keys_fails_closed() {
    let refused_at = |text: &str, offset| {
        assert_eq!(refused(text), JsonError::DuplicateKey { offset }, "{text}");
    };
    refused_at(r#"{"a":1,"a":1}"#, 7);
    refused_at(r#"{"a":1,"b":2,"a":3}"#, 13);
    // The same key behind escapes, and inside another object.
    refused_at(r#"{"a":1,"\u0061":2}"#, 7);
    refused_at(r#"{"o":{"":1,"":2}}"#, 11);
    assert!(parse(br#"{"a":1,"A":2,"o":{"a":1}}"#, MAX).is_ok());
}

#[test]
fn text_that_is_not_json_fails_closed() {
    let unexpected = |text: &str, offset| {
        assert_eq!(refused(text), JsonError::Unexpected { offset }, "{text}");
    };
    for text in [
        "",
        " ",
        "[",
        "{",
        "[1",
        "[1,",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "\"",
        "\"\\",
        "tru",
        "\"\\u00",
    ] {
        assert_eq!(refused(text), JsonError::End, "{text}");
    }
    unexpected("[1,]", 3);
    unexpected("[,]", 1);
    unexpected("[1 2]", 3);
    unexpected("{\"a\":1,}", 7);
    unexpected("{,}", 1);
    unexpected("{a:1}", 1);
    unexpected("{1:1}", 1);
    unexpected("{\"a\" 1}", 5);
    unexpected("{\"a\":}", 5);
    unexpected("{\"a\":1;}", 6);
    unexpected("[1}", 2);
    unexpected("nul1", 3);
    unexpected("True", 0);
    unexpected("'a'", 0);
    unexpected("// x", 0);
    unexpected("\u{feff}1", 0);
    unexpected("\u{a0}1", 0);
    unexpected("NaN", 0);
    unexpected("+1", 0);
}

#[test]
fn trailing_bytes_fails_closed() {
    assert_eq!(refused("1 1"), JsonError::Trailing { offset: 2 });
    assert_eq!(refused("{}{}"), JsonError::Trailing { offset: 2 });
    assert_eq!(refused("[]\0"), JsonError::Trailing { offset: 2 });
    assert_eq!(refused("null,"), JsonError::Trailing { offset: 4 });
    assert!(parse(b"{} \n", MAX).is_ok());
}

#[test]
fn numbers_that_are_not_integers_fails_closed() {
    for text in [
        "1.0",
        "1e3",
        "1E3",
        "-0",
        "00",
        "01",
        "-01",
        "1.",
        "-",
        "--1",
        "1-",
        "9223372036854775808",
        "-9223372036854775809",
        "1e400",
    ] {
        assert_eq!(refused(text), JsonError::NotInteger { offset: 0 }, "{text}");
    }
}

#[test]
fn strings_that_are_none_fails_closed() {
    for control in 0..0x20u8 {
        let text = format!("\"ab{}\"", char::from(control));
        assert_eq!(refused(&text), JsonError::ControlCharacter { offset: 3 });
    }
    for text in [
        r#""\a""#,
        r#""\x41""#,
        r#""\u12g4""#,
        r#""\U0041""#,
        r#""\ ""#,
    ] {
        assert_eq!(refused(text), JsonError::Escape { offset: 1 }, "{text}");
    }
    for text in [
        r#""\ud834""#,
        r#""\ud834x""#,
        r#""\ud834\n""#,
        r#""\udd1e""#,
        r#""\ud834\ud834""#,
    ] {
        assert_eq!(refused(text), JsonError::Surrogate { offset: 1 }, "{text}");
    }
    assert_eq!(refused(r#""\ud834\u12""#), JsonError::Escape { offset: 7 });
}

#[test]
fn bytes_that_are_not_utf_8_fails_closed() {
    for bytes in [
        &b"\"a\xff\""[..],
        b"\"a\xc0\x80\"",
        b"\"a\xed\xa0\xb4\"",
        b"\"a\xf0\x9d\"",
    ] {
        assert_eq!(parse(bytes, MAX), Err(JsonError::NotUtf8 { offset: 2 }));
    }
}

#[test]
fn depth_is_bounded_fails_closed() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(MAX_DEPTH).as_bytes(), MAX).is_ok());
    let (offset, max) = (MAX_DEPTH, MAX_DEPTH);
    let too_deep = JsonError::TooDeep { offset, max };
    assert_eq!(refused(&nested(MAX_DEPTH + 1)), too_deep);
    assert_eq!(refused(&"[".repeat(50_000)), too_deep);
    let objects = "{\"a\":".repeat(10_000);
    let offset = MAX_DEPTH * 5;
    assert_eq!(refused(&objects), JsonError::TooDeep { offset, max });
    // Side by side is not inside each other.
    assert!(parse(b"[[],[],[],[],[],[],[],[],[],[]]", MAX).is_ok());
}

#[test]
fn counts_and_size_are_bounded_fails_closed() {
    let list = |count: usize| format!("[{}]", vec!["0"; count].join(","));
    // The list itself is a value too.
    assert!(parse(list(MAX_VALUES - 1).as_bytes(), MAX).is_ok());
    let (offset, max) = (2 * MAX_VALUES - 1, MAX_VALUES);
    assert_eq!(
        refused(&list(MAX_VALUES)),
        JsonError::TooManyValues { offset, max }
    );
    let object = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"{n:03}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(parse(object(MAX_MEMBERS).as_bytes(), MAX).is_ok());
    let (offset, max) = (1 + 8 * MAX_MEMBERS, MAX_MEMBERS);
    assert_eq!(
        refused(&object(MAX_MEMBERS + 1)),
        JsonError::TooManyMembers { offset, max }
    );
    assert!(parse(b"[10]", 4).is_ok());
    let (max, found) = (3, 4);
    assert_eq!(parse(b"[10]", 3), Err(JsonError::TooLarge { max, found }));
}

/// Ours, as serde_json has it.
fn plain(value: &Value<'_>) -> serde_json::Value {
    match &value.kind {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool(flag) => (*flag).into(),
        Kind::Integer(number) => (*number).into(),
        Kind::String(text) => (&**text).into(),
        Kind::List(list) => list.iter().map(plain).collect(),
        Kind::Object(members) => {
            let members = members.iter().map(|m| (m.key.to_string(), plain(&m.value)));
            serde_json::Value::Object(members.collect())
        }
    }
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// What serde_json writes, tight or spread out, reads as the same value.
    #[test]
    fn what_others_write_is_read_alike(value in values()) {
        for text in [serde_json::to_string(&value), serde_json::to_string_pretty(&value)] {
            let text = text.expect("writes");
            let read = parse(text.as_bytes(), MAX);
            prop_assert_eq!(read.as_ref().map(plain), Ok(value.clone()), "{}", text);
        }
    }

    /// Whatever is done to a text: what we take, serde_json takes and reads alike.
    #[test]
    fn what_is_taken_others_take_alike(value in values(), at in any::<prop::sample::Index>(), to in prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:\\0e.-u tn"[..])], delete: bool) {
        let mut bytes = serde_json::to_vec(&value).expect("writes");
        let at = at.index(bytes.len());
        if delete { bytes.remove(at); } else { bytes[at] = to; }
        if let Ok(read) = parse(&bytes, MAX) {
            let other: serde_json::Value = serde_json::from_slice(&bytes).expect("others take it");
            prop_assert_eq!(plain(&read), other);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_surprise(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(read) = parse(&bytes, MAX) {
            let other: serde_json::Value = serde_json::from_slice(&bytes).expect("others take it");
            prop_assert_eq!(plain(&read), other);
        }
    }
}
