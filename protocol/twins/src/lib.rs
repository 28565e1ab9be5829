//! JSON twins of the contract's objects, for eyes.
//!
//! A twin shows every field of an object under its name in words: digests, keys and bytes as
//! lower-case hexadecimal, times as milliseconds and as RFC 3339, enumerations by name. Fields come
//! in the order of the contract, so two twins can be compared as text. A field that is absent from
//! an object is absent from its twin.
//!
//! A twin is never what is signed or hashed, and nothing in Quorate parses one: what people compare
//! is the digest, and it is computed from the canonical bytes. A twin of a [`Signed`] object shows
//! what the object *claims*; whether the signature holds is for `verify` to say.
//!
//! Secrets have no twin: launch keys are not shown in any form.

#![forbid(unsafe_code)]

mod activity;
mod application;
mod atoms;
mod build;
mod carried;
mod drill;
mod forward;
mod genesis;
mod instance;
mod manifest;
mod message;
mod reshare;
mod surrogate;
mod time;
mod token;
mod transcript;
mod visible;
mod wallet;

use quorate_protocol::cbor::{Checked, Object};
use quorate_protocol::cose::Signed;
use serde_json::{Value, json};

pub use time::rfc3339;
pub use visible::visible;

/// An object that can be shown.
pub trait Twin {
    /// The object as JSON.
    fn twin(&self) -> Value;
}

impl<T: Twin + ?Sized> Twin for &T {
    fn twin(&self) -> Value {
        (**self).twin()
    }
}

impl<T: Twin> Twin for [T] {
    fn twin(&self) -> Value {
        self.iter().map(Twin::twin).collect()
    }
}

impl<T: Twin> Twin for Vec<T> {
    fn twin(&self) -> Value {
        self.as_slice().twin()
    }
}

impl<T: Twin> Twin for Box<T> {
    fn twin(&self) -> Value {
        (**self).twin()
    }
}

impl<T: Twin> Twin for Checked<T> {
    fn twin(&self) -> Value {
        (**self).twin()
    }
}

/// `signed` names the label that is the signature's external AAD. The digest is that of the
/// payload and does not cover the signature.
impl<T: Twin + Object> Twin for Signed<T> {
    fn twin(&self) -> Value {
        json!({
            "signed": T::LABEL,
            "digest": self.digest().to_string(),
            "payload": self.unverified().twin(),
            "signature": atoms::hex(&self.signature()),
        })
    }
}

/// A JSON object with the fields named, in that order; a field marked `?` is left out when it is
/// absent.
macro_rules! fields {
    ($($name:literal $(($optional:tt))?: $value:expr),* $(,)?) => {{
        let mut map = serde_json::Map::new();
        $($crate::fields!(@ map, $name $(($optional))?, $value);)*
        serde_json::Value::Object(map)
    }};
    (@ $map:ident, $name:literal, $value:expr) => {
        $map.insert($name.into(), $crate::Twin::twin(&$value));
    };
    (@ $map:ident, $name:literal (?), $value:expr) => {
        if let Some(value) = &$value {
            $map.insert($name.into(), $crate::Twin::twin(value));
        }
    };
}
pub(crate) use fields;
