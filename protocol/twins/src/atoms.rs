//! Twins of the small values: names, digests, keys, bytes, times, indices.

use quorate_protocol::atoms::{Bytes, Name, Pcr, Sha256, ShareIndex, Text, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::instance::Index;
use quorate_protocol::keys::{EncryptionKey, KeyPair, VerificationKey};
use serde_json::{Value, json};

use crate::{Twin, fields, rfc3339};

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `SomeName` as `some-name`.
pub(crate) fn words(name: &impl core::fmt::Debug) -> Value {
    let mut text = String::new();
    for c in format!("{name:?}").chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text.into()
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Twin for $type {
            fn twin(&self) -> Value {
                (*self).into()
            }
        }
    )*};
}
plain!(bool, u8, u16, u32, u64, i32);

macro_rules! shown {
    ($([$($generics:tt)*] $type:ty),*) => {$(
        impl<$($generics)*> Twin for $type {
            fn twin(&self) -> Value {
                self.to_string().into()
            }
        }
    )*};
}
shown!([] Name, [const MAX: usize] Text<MAX>, [] Pcr, [] Sha256, [T] Digest<T>, [] VerificationKey);

impl Twin for str {
    fn twin(&self) -> Value {
        self.into()
    }
}

impl<const MIN: usize, const MAX: usize> Twin for Bytes<MIN, MAX> {
    fn twin(&self) -> Value {
        hex(self.as_slice()).into()
    }
}

impl Twin for EncryptionKey {
    fn twin(&self) -> Value {
        hex(&self.to_compressed()).into()
    }
}

/// The attested form is left out: it is the two points again, uncompressed.
impl Twin for KeyPair {
    fn twin(&self) -> Value {
        fields! {
            "encryption": self.encryption,
            "verification": self.verification,
        }
    }
}

impl Twin for UnixMillis {
    fn twin(&self) -> Value {
        json!({ "unix_ms": self.0, "utc": rfc3339(*self) })
    }
}

impl Twin for ShareIndex {
    fn twin(&self) -> Value {
        self.get().into()
    }
}

impl Twin for Index {
    fn twin(&self) -> Value {
        self.0.twin()
    }
}
