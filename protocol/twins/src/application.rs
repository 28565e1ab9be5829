//! Twins of what applications are given and what they prove. Launch keys are secret: no twin.

use quorate_protocol::application::{
    ApplicationCertificate, ApplicationEvidence, ApplicationProof, FromInit, LaunchRecord,
    Listener, ToInit,
};
use quorate_protocol::cbor::Object as _;
use serde_json::{Value, json};

use crate::atoms::words;
use crate::{Twin, fields};

impl Twin for ApplicationCertificate {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "application": self.application,
            "sha256": self.sha256,
            "start": self.start,
            "live": self.live,
            "time": self.time,
        }
    }
}

impl Twin for ApplicationProof {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "application": self.application,
            "start": self.start,
            "kind": self.kind,
            "payload": self.payload,
        }
    }
}

impl Twin for ApplicationEvidence {
    fn twin(&self) -> Value {
        fields! { "certificate": self.certificate, "proofs": self.proofs }
    }
}

impl Twin for Listener {
    fn twin(&self) -> Value {
        fields! { "port": self.port, "descriptor": self.descriptor }
    }
}

impl Twin for LaunchRecord {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "format": self.format,
            "certificate": self.certificate,
            "keys": self.keys,
            "control": self.control,
            "listeners": self.listeners,
        }
    }
}

impl Twin for ToInit {
    fn twin(&self) -> Value {
        json!({ "object": Self::LABEL, "message": words(self) })
    }
}

impl Twin for FromInit {
    fn twin(&self) -> Value {
        json!({ "object": Self::LABEL, "message": words(self) })
    }
}
