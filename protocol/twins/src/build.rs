//! Twins of statements about builds.

use quorate_protocol::cbor::Object as _;
use quorate_protocol::rebuild::{Rebuild, RebuildFields};
use serde_json::Value;

use crate::{Twin, fields};

impl Twin for RebuildFields {
    fn twin(&self) -> Value {
        fields! {
            "object": Rebuild::LABEL,
            "rebuilder": self.rebuilder,
            "commit": self.commit,
            "lock": self.lock,
            "pcr0": self.pcr0,
            "pcr1": self.pcr1,
            "pcr2": self.pcr2,
        }
    }
}
