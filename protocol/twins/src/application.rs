//! Twins of what applications are given, say and prove. Launch keys and what init sends (there may
//! be entropy in it) are secret: no twin.

use quorate_protocol::application::{
    ApplicationCertificate, ApplicationEvidence, ApplicationProof, Edge, EdgeEnd, EdgeRole,
    LaunchRecord, Listener, TimeAnchor,
};
use quorate_protocol::cbor::Object as _;
use quorate_protocol::control::{Dial, Renew, Report, ReportKind, ToInit};
use quorate_protocol::egress::{EgressReason, EgressRequest, EgressResponse};
use quorate_protocol::stored::SealedSecret;
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

impl Twin for EdgeRole {
    fn twin(&self) -> Value {
        words(self)
    }
}

impl Twin for EdgeEnd {
    fn twin(&self) -> Value {
        fields! {
            "peer": self.peer,
            "role": self.role,
            "start": self.start,
            "pair": self.pair,
        }
    }
}

impl Twin for Edge {
    fn twin(&self) -> Value {
        fields! { "end": self.end, "descriptor": self.descriptor }
    }
}

impl Twin for TimeAnchor {
    fn twin(&self) -> Value {
        fields! { "time": self.time, "monotonic_ns": self.monotonic_ns }
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
            "edges": self.edges,
            "instance": self.instance,
            "time": self.time,
        }
    }
}

impl Twin for ReportKind {
    fn twin(&self) -> Value {
        words(self)
    }
}

impl Twin for Report {
    fn twin(&self) -> Value {
        fields! { "kind": self.kind, "code": self.code, "value": self.value }
    }
}

impl Twin for Renew {
    fn twin(&self) -> Value {
        fields! { "peer": self.peer, "role": self.role, "pair": self.pair }
    }
}

impl Twin for Dial {
    fn twin(&self) -> Value {
        fields! { "number": self.number, "destination": self.destination }
    }
}

impl Twin for ToInit {
    fn twin(&self) -> Value {
        let (message, body) = match self {
            Self::Ready => ("ready", None),
            Self::Report(report) => ("report", Some(report.twin())),
            Self::Entropy(length) => ("entropy", Some(length.get().into())),
            Self::Time => ("time", None),
            Self::Renew(renew) => ("renew", Some(renew.twin())),
            Self::Dial(dial) => ("dial", Some(dial.twin())),
        };
        match body {
            None => json!({ "object": Self::LABEL, "message": message }),
            Some(body) => json!({ "object": Self::LABEL, "message": message, "body": body }),
        }
    }
}

impl Twin for EgressRequest {
    fn twin(&self) -> Value {
        let Self::Connect(destination) = self;
        json!({ "object": Self::LABEL, "message": "connect", "body": destination.twin() })
    }
}

impl Twin for EgressReason {
    fn twin(&self) -> Value {
        words(self)
    }
}

impl Twin for EgressResponse {
    fn twin(&self) -> Value {
        match self {
            Self::Connected => json!({ "object": Self::LABEL, "message": "connected" }),
            Self::Refused(reason) => {
                json!({ "object": Self::LABEL, "message": "refused", "body": reason.twin() })
            }
        }
    }
}

impl Twin for SealedSecret {
    fn twin(&self) -> Value {
        json!({
            "object": Self::LABEL,
            "suite": self.suite.id(),
            "salt": crate::atoms::hex(&*self.salt),
            "ciphertext": self.ciphertext.twin(),
        })
    }
}
