//! What an accepted document says, read from its recipe and never from the library.

use p384::ecdsa::Signature;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::common::cbor::Cbor;
use crate::common::der;
use crate::common::nitro::{Recipe, oids};

/// Longest field that is written in full.
const SHOWN: usize = 64;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The facts in the form and order of the manifest.
pub(crate) fn of(recipe: &Recipe) -> Value {
    let mut payload = recipe.payload();
    let bytes = (recipe.encode_payload)(payload.0.clone());
    let document = recipe.build();
    let keys: Vec<_> = payload.0.iter().map(|(key, _)| text(key)).collect();
    let has = |name: &str| keys.iter().any(|key| key == name);

    let mut indefinite = Vec::new();
    if bytes[0] == 0xbf {
        indefinite.push("/");
    }
    let pcrs = match payload.value("pcrs") {
        Cbor::Map(entries) => entries.clone(),
        Cbor::IndefiniteMap(entries) => {
            indefinite.push("/pcrs");
            entries.clone()
        }
        other => panic!("no registers: {other:?}"),
    };
    if matches!(payload.value("cabundle"), Cbor::IndefiniteArray(_)) {
        indefinite.push("/cabundle");
    }
    let mut registers: Vec<_> = pcrs
        .iter()
        .map(|(index, value)| match (index, value) {
            (Cbor::Unsigned(index), Cbor::Bytes(value)) => (*index, value.clone()),
            other => panic!("no register: {other:?}"),
        })
        .collect();
    registers.sort();
    let debug = registers[..3]
        .iter()
        .any(|(_, value)| value.iter().all(|byte| *byte == 0));
    let timestamp_ms = match payload.value("timestamp") {
        Cbor::Unsigned(timestamp_ms) => *timestamp_ms,
        other => panic!("no number: {other:?}"),
    };
    let mut field = |name: &str| match has(name).then(|| payload.value(name)) {
        None | Some(Cbor::Null) => "null".to_owned(),
        Some(Cbor::Bytes(value)) => shown(value),
        Some(other) => panic!("no bytes: {other:?}"),
    };
    let (public_key, user_data, nonce) = (field("public_key"), field("user_data"), field("nonce"));

    let chain: Vec<_> = recipe.certificates.iter().map(certificate).collect();
    let leaf = chain.last().expect("a leaf").clone();
    let (seconds, ms) = (timestamp_ms / 1000, timestamp_ms % 1000);
    let fraction = if ms == 0 {
        String::new()
    } else {
        format!(".{ms:03}000")
    };
    let clock = calendar(&der::generalized_time(seconds)[2..]);
    json!({
        "module_id": text(payload.value("module_id")),
        "timestamp_ms": timestamp_ms,
        "timestamp": format!("{}{fraction}+00:00", &clock[..19]),
        "valid_from": leaf["not_before"],
        "valid_to": leaf["not_after"],
        "pcrs": registers
            .iter()
            .map(|(index, value)| (index.to_string(), Value::from(hex(value))))
            .collect::<Map<_, _>>(),
        "debug_mode": debug,
        "public_key": public_key,
        "user_data": user_data,
        "nonce": nonce,
        "high_s": high_s(&document),
        "cose_tag": (document[0] == 0xd2).then_some(18),
        "payload_indefinite": indefinite,
        "keys": keys,
        "region": region(leaf["subject"].as_str().expect("a subject")),
        "chain": chain,
    })
}

fn certificate(certificate: &crate::common::nitro::Certificate) -> Value {
    let der = certificate.build();
    json!({
        "subject": subject(&certificate.subject),
        "not_before": calendar(&certificate.not_before[2..]),
        "not_after": calendar(&certificate.not_after[2..]),
        "sha256": hex(&Sha256::digest(&der)),
        "der_len": der.len(),
    })
}

/// RFC 4514: the last attribute first.
fn subject(name: &[u8]) -> String {
    let mut attributes = Vec::new();
    let mut rest = content(name);
    while !rest.is_empty() {
        let (set, after) = split(rest);
        let pair = content(content(set));
        let (id, value) = split(pair);
        let id = match content(id) {
            oids::COMMON_NAME => "CN",
            oids::COUNTRY => "C",
            oids::LOCALITY => "L",
            oids::ORGANIZATION => "O",
            oids::STATE => "ST",
            oids::UNIT => "OU",
            other => panic!("an attribute without a name: {other:02x?}"),
        };
        let value = String::from_utf8(content(value).to_vec()).expect("a text");
        attributes.push(format!("{id}={value}"));
        rest = after;
    }
    attributes.reverse();
    attributes.join(",")
}

/// The label after the module id in the leaf's common name.
fn region(subject: &str) -> String {
    let name = subject
        .split(',')
        .find_map(|part| part.strip_prefix("CN="))
        .expect("a common name");
    name.split('.').nth(1).expect("a scope").to_owned()
}

/// The first element of a list of short DER values, and what follows.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = header(bytes) + content_length(bytes);
    bytes.split_at(length)
}

fn content(value: &[u8]) -> &[u8] {
    &value[header(value)..header(value) + content_length(value)]
}

fn header(value: &[u8]) -> usize {
    if value[1] < 0x80 {
        2
    } else {
        2 + usize::from(value[1] & 0x7f)
    }
}

fn content_length(value: &[u8]) -> usize {
    match value[1] {
        short @ 0..=0x7f => short.into(),
        long => value[2..2 + usize::from(long & 0x7f)]
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
    }
}

/// `2027-01-15T08:00:00+00:00` from the digits of a UTCTime or a GeneralizedTime.
fn calendar(digits: &[u8]) -> String {
    let digits = std::str::from_utf8(digits).expect("digits");
    let digits = match digits.len() {
        13 => format!("20{digits}"),
        15 => digits.to_owned(),
        _ => panic!("no time: {digits}"),
    };
    let part = |from: usize| &digits[from..from + 2];
    format!(
        "{}-{}-{}T{}:{}:{}+00:00",
        &digits[..4],
        part(4),
        part(6),
        part(8),
        part(10),
        part(12)
    )
}

fn shown(value: &[u8]) -> String {
    if value.len() > SHOWN {
        let digest = hex(&Sha256::digest(value));
        return format!("{} bytes sha256:{digest}", value.len());
    }
    hex(value)
}

fn text(value: &Cbor) -> String {
    match value {
        Cbor::Text(text) => text.clone(),
        other => panic!("no text: {other:?}"),
    }
}

/// Whether the last 96 bytes end with the larger of the two values of *s*.
fn high_s(document: &[u8]) -> bool {
    let signature = Signature::from_slice(&document[document.len() - 96..]).expect("a signature");
    signature.normalize_s() != signature
}
