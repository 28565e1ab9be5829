//! Twins of what is carried in files.

use quorate_protocol::carried::{CarriedAttestation, CarriedGrant, CarriedNonce};
use quorate_protocol::cbor::Object as _;
use serde_json::Value;

use crate::{Twin, fields};

impl Twin for CarriedNonce {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "format": self.format,
            "genesis": self.genesis,
            "member": self.member,
            "stage": self.stage,
            "nonce": self.nonce,
        }
    }
}

impl Twin for CarriedAttestation {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "format": self.format,
            "nonce": self.nonce,
            "document": self.document,
        }
    }
}

impl Twin for CarriedGrant {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "format": self.format,
            "nonce": self.nonce,
            "grant": self.grant,
            "sealed": self.sealed,
            "delegation"(?): self.delegation,
        }
    }
}
