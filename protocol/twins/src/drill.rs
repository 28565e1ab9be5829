//! Twins of what a drill is made of.

use quorate_protocol::cbor::Object as _;
use quorate_protocol::drill::{
    Drill, DrillFinishRequest, DrillGiven, DrillGrant, DrillPossession, DrillReceipt, DrillRecord,
    DrillRecordFields, DrillRequest, DrillSharing,
};
use serde_json::{Value, json};

use crate::genesis::document;
use crate::{Twin, fields};

impl Twin for DrillSharing {
    fn twin(&self) -> Value {
        fields! { "commitments": self.commitments, "shares": self.shares }
    }
}

impl Twin for DrillPossession {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "epoch": self.epoch,
            "index": self.index,
            "setup": self.setup,
            "document": self.document,
        }
    }
}

impl Twin for DrillGrant {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "role": self.role,
            "possession": self.possession,
            "drill": self.drill,
            "sealed"(?): self.sealed,
            "time": self.time,
        }
    }
}

impl Twin for DrillRequest {
    fn twin(&self) -> Value {
        fields! { "grant": self.grant, "sealed"(?): self.sealed }
    }
}

impl Twin for DrillReceipt {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "grant": self.grant,
            "index": self.index,
            "proved": self.proved,
            "accepted": self.accepted,
            "threshold": self.threshold,
            "time": self.time,
        }
    }
}

impl Twin for DrillFinishRequest {
    fn twin(&self) -> Value {
        fields! { "nonce": self.nonce, "due": self.due }
    }
}

impl Twin for DrillGiven {
    fn twin(&self) -> Value {
        fields! { "index": self.index, "grant": self.grant, "time": self.time }
    }
}

impl Twin for DrillRecordFields {
    fn twin(&self) -> Value {
        fields! {
            "object": DrillRecord::LABEL,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "epoch": self.epoch,
            "drill": self.drill,
            "given": self.given,
            "begun": self.begun,
            "time": self.time,
            "due": self.due,
        }
    }
}

impl Twin for Drill {
    fn twin(&self) -> Value {
        json!({
            "object": Self::LABEL,
            "record": self.record.twin(),
            "grants": self.grants.twin(),
            "document": document(&self.document),
        })
    }
}
