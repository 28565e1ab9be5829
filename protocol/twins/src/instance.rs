//! Twins of what belongs to one instance: grants, receipts, ring, certificate, user data, evidence.

use quorate_protocol::attested::UserData;
use quorate_protocol::cbor::Object as _;
use quorate_protocol::evidence::{Evidence, Origin, Provisioning};
use quorate_protocol::instance::{
    InstanceCertificate, KeyRing, KeyRingFields, Provenance, Purpose, RingEntry,
};
use quorate_protocol::provision::{Provision, ProvisionReceipt, ShareGrant};
use serde_json::{Map, Value, json};

use crate::genesis::document;
use crate::{Twin, fields};

impl Twin for ShareGrant {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "role": self.role,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "setup": self.setup,
            "document": self.document,
            "index": self.index,
            "epoch": self.epoch,
            "sealed": self.sealed,
            "time": self.time,
        }
    }
}

impl Twin for ProvisionReceipt {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "grant": self.grant,
            "index": self.index,
            "epoch": self.epoch,
            "accepted": self.accepted,
            "threshold": self.threshold,
            "time": self.time,
        }
    }
}

impl Twin for Provision {
    fn twin(&self) -> Value {
        fields! {
            "grant": self.grant,
            "receipt": self.receipt,
            "delegation"(?): self.delegation,
        }
    }
}

impl Twin for Purpose {
    fn twin(&self) -> Value {
        self.name().into()
    }
}

impl Twin for RingEntry {
    fn twin(&self) -> Value {
        fields! {
            "application": self.application,
            "purpose": self.purpose,
            "key": self.key,
        }
    }
}

impl Twin for KeyRingFields {
    fn twin(&self) -> Value {
        fields! {
            "object": KeyRing::LABEL,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "sequence": self.sequence,
            "keys": self.keys,
        }
    }
}

impl Twin for Provenance {
    fn twin(&self) -> Value {
        match self {
            Self::Members(indices) => json!({ "members": indices.twin() }),
            Self::Forwarded(source) => json!({ "forwarded": source.twin() }),
        }
    }
}

impl Twin for InstanceCertificate {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "live": self.live,
            "module_id": self.module_id,
            "epoch": self.epoch,
            "provenance": self.provenance,
            "time": self.time,
        }
    }
}

impl Twin for UserData {
    fn twin(&self) -> Value {
        let (stage, field, digest, record) = match self {
            Self::Genesis(digest) => ("genesis", "genesis", digest.to_string(), None),
            Self::Setup(digest) => ("setup", "manifest", digest.to_string(), None),
            Self::Live(digest) => ("live", "manifest", digest.to_string(), None),
            Self::Forwarded(digest, record) => {
                ("forwarded", "manifest", digest.to_string(), Some(record))
            }
            Self::HandedOver(digest, record, _) => {
                ("handed_over", "manifest", digest.to_string(), Some(record))
            }
            Self::Drill(digest) => ("drill", "manifest", digest.to_string(), None),
        };
        let mut twin = json!({ "object": Self::LABEL, "stage": stage, field: digest });
        if let (Value::Object(map), Some(record)) = (&mut twin, record) {
            map.insert("record".into(), record.twin());
        }
        if let (Value::Object(map), Self::HandedOver(_, _, newest)) = (&mut twin, self) {
            map.insert("newest".into(), newest.twin());
        }
        twin
    }
}

impl Twin for Origin {
    fn twin(&self) -> Value {
        match self {
            Self::Members(provisions) => json!({ "members": provisions.twin() }),
            Self::Forwarded(received) => json!({ "forwarded": received.twin() }),
        }
    }
}

impl Twin for Provisioning {
    fn twin(&self) -> Value {
        fields! {
            "origin": self.origin,
            "ring": self.ring,
            "certificate": self.certificate,
        }
    }
}

impl Twin for Evidence {
    fn twin(&self) -> Value {
        let mut map = Map::new();
        let mut set = |name: &str, value| map.insert(name.into(), value);
        set("object", Self::LABEL.into());
        set("format", self.format.into());
        set("record", self.record.twin());
        set("chain", self.chain.twin());
        set("setup", self.setup.twin());
        set("document", document(&self.document));
        if let Some(provisioning) = &self.provisioning {
            set("provisioning", provisioning.twin());
        }
        set("applications", self.applications.twin());
        set("forwards", self.forwards.twin());
        map.into()
    }
}
