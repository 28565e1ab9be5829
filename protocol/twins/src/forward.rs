//! Twins of what a key forward is made of.

use quorate_protocol::cbor::Object as _;
use quorate_protocol::forward::{
    ApprovalRule, Confirmed, ExportRequest, ForwardApproval, ForwardChallenge, ForwardConfirmation,
    ForwardMade, ForwardPolicy, ForwardReceived, ForwardRecord, ForwardRecordFields, ForwardSource,
    ForwardedKey,
};
use serde_json::{Map, Value};

use crate::genesis::document;
use crate::{Twin, atoms, fields};

impl Twin for ApprovalRule {
    fn twin(&self) -> Value {
        atoms::words(self)
    }
}

impl Twin for ForwardPolicy {
    fn twin(&self) -> Value {
        fields! { "not_after": self.not_after, "approvals": self.approvals }
    }
}

impl Twin for ForwardApproval {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "role": self.role,
            "genesis": self.genesis,
            "from": self.from,
            "to": self.to,
            "index": self.index,
            "time": self.time,
        }
    }
}

impl Twin for ForwardRecordFields {
    fn twin(&self) -> Value {
        fields! {
            "object": ForwardRecord::LABEL,
            "genesis": self.genesis,
            "from": self.from,
            "to": self.to,
            "exporter": self.exporter,
            "exporter_module": self.exporter_module,
            "importer": self.importer,
            "importer_module": self.importer_module,
            "document": self.document,
            "count": self.count,
            "time": self.time,
        }
    }
}

impl Twin for ForwardConfirmation {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "record": self.record,
            "certificate": self.certificate,
            "time": self.time,
        }
    }
}

impl Twin for ForwardSource {
    fn twin(&self) -> Value {
        fields! { "record": self.record, "live": self.live, "module_id": self.module_id }
    }
}

impl Twin for ForwardChallenge {
    fn twin(&self) -> Value {
        fields! { "nonce": self.nonce, "expires": self.expires }
    }
}

impl Twin for ExportRequest {
    fn twin(&self) -> Value {
        let mut map = Map::new();
        map.insert("document".into(), document(&self.document));
        if let Some(link) = &self.link {
            map.insert("link".into(), link.twin());
        }
        map.insert("approvals".into(), self.approvals.twin());
        map.into()
    }
}

impl Twin for ForwardedKey {
    fn twin(&self) -> Value {
        fields! {
            "record": self.record,
            "approvals": self.approvals,
            "ring": self.ring,
            "certificate": self.certificate,
            "sealed": self.sealed,
        }
    }
}

impl Twin for Confirmed {
    fn twin(&self) -> Value {
        fields! { "certificate": self.certificate, "confirmation": self.confirmation }
    }
}

impl Twin for ForwardReceived {
    fn twin(&self) -> Value {
        fields! {
            "record": self.record,
            "approvals": self.approvals,
            "certificate": self.certificate,
            "confirmation": self.confirmation,
        }
    }
}

impl Twin for ForwardMade {
    fn twin(&self) -> Value {
        fields! { "record": self.record, "confirmed"(?): self.confirmed }
    }
}
