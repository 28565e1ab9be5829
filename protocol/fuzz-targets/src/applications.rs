//! What applications read from clients: requests, stamps, transactions, words and paths.

use core::str::from_utf8;

use quorate_chain::U256;
use quorate_chain::ethereum::{Address, Signed, Unsigned};
use quorate_chain::rlp::{Reader, RlpError, Writer};
use quorate_es256::{Signature, VerifyingKey as _, portable};
use quorate_es256_fast as fast;
use quorate_request::json::{self, Kind, Value};
use quorate_request::{Fingerprint, Request, Stamp};
use quorate_wallet::{Mnemonic, Path};

/// What is read is written as the very same bytes, and its amounts can be added up.
pub(crate) fn unsigned_transaction(data: &[u8]) {
    if let Ok(read) = Unsigned::parse(data) {
        assert_eq!(read.as_bytes(), data);
        let again = Unsigned::new(read.transaction().clone());
        assert_eq!(again.as_ref(), Ok(&read));
        let _ = (read.transaction().maximum_cost(), read.signing_hash());
    }
    if let Ok(read) = from_utf8(data)
        .map_err(|_| ())
        .and_then(|text| Unsigned::from_hex(text).map_err(|_| ()))
    {
        assert_eq!(Unsigned::parse(read.as_bytes()).as_ref(), Ok(&read));
    }
}

pub(crate) fn signed_transaction(data: &[u8]) {
    if let Ok(read) = Signed::parse(data) {
        assert_eq!(read.as_bytes(), data);
        let again = Signed::new(read.unsigned().clone(), *read.signature());
        assert_eq!(again, Ok(read));
    }
}

/// Any list, walked over without a format, is written as the same bytes.
pub(crate) fn rlp(data: &[u8]) {
    let Ok(mut items) = Reader::list_of(data, 0) else {
        return;
    };
    if let Ok(writer) = copy(&mut items, 0) {
        let mut bytes = Vec::new();
        writer.finish(&mut bytes);
        assert_eq!(bytes, data);
    }
}

/// Deeper than any format; the reader itself does not recurse.
fn copy(items: &mut Reader<'_>, depth: usize) -> Result<Writer, RlpError> {
    let mut writer = Writer::new();
    while !items.is_empty() {
        let offset = items.offset();
        let mut ahead = items.clone();
        if let Ok(bytes) = ahead.bytes() {
            *items = ahead;
            writer.bytes(bytes);
        } else if depth < 64 {
            writer.list(&copy(&mut items.list()?, depth + 1)?);
        } else {
            return Err(RlpError::Items { offset });
        }
    }
    Ok(writer)
}

/// Addresses and integers as text.
pub(crate) fn chain_text(data: &[u8]) {
    let Ok(text) = from_utf8(data) else {
        return;
    };
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse(), Ok(address));
        assert!(text.eq_ignore_ascii_case(&address.to_string()));
    }
    if let Ok(value) = U256::from_decimal(text) {
        assert_eq!(value.to_string(), text);
    }
    if let Ok(value) = U256::from_hex(text) {
        assert_eq!(U256::from_hex(&format!("{value:#x}")), Ok(value));
    }
}

/// A body that is read means the same when written; JSON that is read, others read alike.
pub(crate) fn activity_request(data: &[u8]) {
    if let Ok(request) = Request::parse(data) {
        let again = request.to_json();
        assert_eq!(Request::parse(again.as_bytes()).as_ref(), Ok(&request));
    }
    if let Ok(value) = json::parse(data, 64 * 1024) {
        let other: serde_json::Value = serde_json::from_slice(data).expect("others take it");
        assert_eq!(plain(&value), other);
    }
}

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

/// The header, or the text inside it.
pub(crate) fn stamp(data: &[u8]) {
    let Ok(text) = from_utf8(data) else {
        return;
    };
    let Ok(stamp) = Stamp::decode(text) else {
        return;
    };
    assert_eq!(Stamp::decode(&stamp.encode()), Ok(stamp.clone()));
    let Ok(key) = portable::VerifyingKey::from_sec1(stamp.public_key()) else {
        return;
    };
    // Of two bodies a stamp fits at most one.
    let good = [&b"a"[..], b"b"].map(|body| stamp.verify(&key, body).is_ok());
    assert_ne!(good, [true; 2]);
    if let Ok(fingerprint) = text.parse::<Fingerprint>() {
        assert_eq!(fingerprint.to_string(), text);
    }
}

/// A digest, a signature of 64 bytes, and a key, on which both implementations agree; and DER.
pub(crate) fn es256(data: &[u8]) {
    if let Ok(signature) = Signature::from_der(data) {
        assert_eq!(signature.to_der(), data);
    }
    let Some((digest, rest)) = data.split_first_chunk::<32>() else {
        return;
    };
    let Some((raw, key)) = rest.split_first_chunk::<64>() else {
        return;
    };
    let slow = portable::VerifyingKey::from_sec1(key);
    let quick = fast::VerifyingKey::from_sec1(key);
    assert_eq!(slow.is_ok(), quick.is_ok());
    let (Ok(slow), Ok(quick), Ok(signature)) = (slow, quick, Signature::from_raw(raw)) else {
        return;
    };
    assert_eq!(slow.to_compressed(), quick.to_compressed());
    assert_eq!(
        slow.verify_digest(digest, &signature),
        quick.verify_digest(digest, &signature)
    );
    assert_eq!(Signature::from_der(&signature.to_der()), Ok(signature));
}

pub(crate) fn mnemonic(data: &[u8]) {
    let Ok(text) = from_utf8(data) else {
        return;
    };
    if let Ok(mnemonic) = Mnemonic::from_phrase(text) {
        assert_eq!(*mnemonic.phrase(), text);
        let again = Mnemonic::from_entropy(mnemonic.entropy());
        assert!(again.is_ok_and(|again| *again.phrase() == text));
    }
}

pub(crate) fn derivation_path(data: &[u8]) {
    let Ok(text) = from_utf8(data) else {
        return;
    };
    if let Ok(path) = text.parse::<Path>() {
        assert_eq!(path.to_string().parse(), Ok(path));
    }
}
