//! Twins of what surrogates act with.

use quorate_protocol::cbor::Object as _;
use quorate_protocol::surrogate::{
    Delegation, DelegationFields, EntrustedShare, SurrogateApproval,
};
use serde_json::Value;

use crate::{Twin, fields};

impl Twin for DelegationFields {
    fn twin(&self) -> Value {
        fields! {
            "object": Delegation::LABEL,
            "genesis": self.genesis,
            "member": self.member,
            "roles": self.roles,
            "surrogate": self.surrogate,
            "signing_key": self.signing_key,
            "encryption_key": self.encryption_key,
            "sequence": self.sequence,
            "expires": self.expires,
            "time": self.time,
        }
    }
}

impl Twin for SurrogateApproval {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "delegation": self.delegation,
            "approval": self.approval,
        }
    }
}

impl Twin for EntrustedShare {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "delegation": self.delegation,
            "index": self.index,
            "epoch": self.epoch,
            "sealed": self.sealed,
            "time": self.time,
        }
    }
}
