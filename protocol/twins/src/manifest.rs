//! Twins of manifests, approvals and the links of a chain.

use quorate_protocol::cbor::Object as _;
use quorate_protocol::digest::Digest;
use quorate_protocol::egress::Destination;
use quorate_protocol::manifest::{
    Application, Approval, Link, Manifest, ManifestFields, RestartPolicy, Validity,
};
use serde_json::{Value, json};

use crate::{Twin, fields};

impl Twin for RestartPolicy {
    fn twin(&self) -> Value {
        fields! {
            "restarts": self.restarts,
            "first_back_off_ms": self.first_back_off_ms,
            "largest_back_off_ms": self.largest_back_off_ms,
            "start_deadline_ms": self.start_deadline_ms,
        }
    }
}

impl Twin for Destination {
    fn twin(&self) -> Value {
        json!({ "host": self.host.as_str(), "port": self.port.get() })
    }
}

impl Twin for Application {
    fn twin(&self) -> Value {
        fields! {
            "name": self.name,
            "sha256": self.sha256,
            "size": self.size,
            "arguments": self.arguments,
            "environment": self.environment,
            "ports": self.ports,
            "memory_limit": self.memory_limit,
            "restart": self.restart,
            "calls": self.calls,
            "shares": self.shares,
            "egress": self.egress,
        }
    }
}

impl Twin for Validity {
    fn twin(&self) -> Value {
        fields! { "not_before": self.not_before, "not_after": self.not_after }
    }
}

impl Twin for ManifestFields {
    fn twin(&self) -> Value {
        fields! {
            "object": Manifest::LABEL,
            "format": self.format,
            "genesis": self.genesis,
            "sequence": self.sequence,
            "previous"(?): self.previous,
            "last_set_change"(?): self.last_set_change,
            "quorum_key": self.quorum_key,
            "epoch": self.epoch,
            "commitments": self.commitments,
            "measurements": self.measurements,
            "applications": self.applications,
            "manifest_set": self.manifest_set,
            "share_set": self.share_set,
            "validity": self.validity,
            "suites": self.suites,
            "forward"(?): self.forward,
        }
    }
}

impl Twin for Approval {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "role": self.role,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "index": self.index,
            "time": self.time,
        }
    }
}

impl Twin for Link {
    fn twin(&self) -> Value {
        let mut twin = json!({
            "object": Self::LABEL,
            "manifest_digest": Digest::of(&self.manifest).to_string(),
            "manifest": self.manifest.twin(),
            "approvals": self.approvals.twin(),
        });
        if let (Some(map), Some(reshare)) = (twin.as_object_mut(), &self.reshare) {
            map.insert("reshare".into(), reshare.twin());
        }
        if let (Some(map), false) = (twin.as_object_mut(), self.surrogates.is_empty()) {
            map.insert("surrogates".into(), self.surrogates.twin());
        }
        twin
    }
}
