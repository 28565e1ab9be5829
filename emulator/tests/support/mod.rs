//! A reader of CBOR and of attestation documents that shares no code with the emulator.
//!
//! It is written from RFC 8949 and panics on anything it does not expect: it reads test results,
//! not outside data.
#![allow(dead_code)]

use std::sync::Arc;

use getrandom::SysRng;
use quorate_emulator::device::{Config, Mode, NsmDevice};
use quorate_emulator::identity::InstanceId;
use quorate_emulator::measurements::process_measurements;
use quorate_emulator::pki::DevelopmentRoot;
use quorate_init::nsm::wire::{Request, Response};

/// 2026-11-21T00:00:00Z.
pub(crate) const NOW_MS: u64 = 1_795_219_200_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i128),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Self>),
    /// Keys in their order, and whether the length is indefinite.
    Map(Vec<(Self, Self)>, bool),
    Null,
}

/// Reads one value and demands that nothing follows.
pub(crate) fn read(bytes: &[u8]) -> Value {
    let mut at = 0;
    let value = value(bytes, &mut at);
    assert_eq!(at, bytes.len(), "bytes after the value");
    value
}

fn value(bytes: &[u8], at: &mut usize) -> Value {
    let head = bytes[*at];
    *at += 1;
    if head == 0xF6 {
        return Value::Null;
    }
    let indefinite = head == 0xBF;
    let argument = match head & 0x1F {
        _ if indefinite => 0,
        small @ 0..=23 => u64::from(small),
        long @ 24..=27 => {
            let len = 1 << (long - 24);
            let number = bytes[*at..*at + len]
                .iter()
                .fold(0, |n, b| n << 8 | u64::from(*b));
            *at += len;
            let least = [24, 1 << 8, 1 << 16, 1 << 32][usize::from(long - 24)];
            assert!(number >= least, "a number is not in its shortest form");
            number
        }
        _ => panic!("unexpected head {head:#04x} before byte {at}"),
    };
    let mut string = || {
        let len = usize::try_from(argument).unwrap();
        *at += len;
        bytes[*at - len..*at].to_vec()
    };
    match head >> 5 {
        0 => Value::Int(i128::from(argument)),
        1 => Value::Int(-1 - i128::from(argument)),
        2 => Value::Bytes(string()),
        3 => Value::Text(String::from_utf8(string()).unwrap()),
        4 => Value::Array((0..argument).map(|_| value(bytes, at)).collect()),
        5 => {
            let mut entries = Vec::new();
            while if indefinite {
                bytes[*at] != 0xFF
            } else {
                entries.len() as u64 != argument
            } {
                entries.push((value(bytes, at), value(bytes, at)));
            }
            *at += usize::from(indefinite);
            Value::Map(entries, indefinite)
        }
        major => panic!("unexpected major type {major} before byte {at}"),
    }
}

impl Value {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("not a byte string: {other:?}"),
        }
    }

    pub(crate) fn array(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            other => panic!("not an array: {other:?}"),
        }
    }

    pub(crate) fn entries(&self) -> &[(Self, Self)] {
        match self {
            Self::Map(entries, _) => entries,
            other => panic!("not a map: {other:?}"),
        }
    }

    pub(crate) fn field(&self, name: &str) -> &Self {
        let key = Self::Text(name.to_owned());
        &self
            .entries()
            .iter()
            .find(|(k, _)| *k == key)
            .expect("the field is present")
            .1
    }
}

/// The five certificates of a document, root first.
pub(crate) fn certificates(payload: &Value) -> Vec<Vec<u8>> {
    let bundle = payload.field("cabundle").array().iter();
    bundle
        .chain([payload.field("certificate")])
        .map(|c| c.bytes().to_vec())
        .collect()
}

pub(crate) fn root() -> Arc<DevelopmentRoot> {
    Arc::new(DevelopmentRoot::generate(&mut SysRng, NOW_MS).unwrap())
}

pub(crate) fn config(mode: Mode) -> Config {
    Config {
        measurements: process_measurements(b"an init"),
        instance: InstanceId::parse("i-0123456789abcdef0").unwrap(),
        role_arn: Some("arn:aws:iam::123456789012:role/enclave".to_owned()),
        mode,
    }
}

pub(crate) fn device(root: &Arc<DevelopmentRoot>) -> NsmDevice {
    NsmDevice::new(config(Mode::Normal), Arc::clone(root), SysRng, NOW_MS).unwrap()
}

/// Asks for a document and takes it out of the response.
pub(crate) fn attest(
    device: &mut NsmDevice,
    user_data: Option<&[u8]>,
    nonce: Option<&[u8]>,
    public_key: Option<&[u8]>,
    now_ms: u64,
) -> Vec<u8> {
    let request = Request::Attestation {
        user_data,
        nonce,
        public_key,
    }
    .encode()
    .unwrap();
    let response = device.process(&request, now_ms);
    match Response::decode(&response).unwrap() {
        Response::Attestation { document } => document.to_vec(),
        other => panic!("not a document: {other:?}"),
    }
}
