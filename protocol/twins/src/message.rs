//! Twins of requests and responses.

use quorate_protocol::atoms::Sha256;
use quorate_protocol::cbor::Object as _;
use quorate_protocol::message::{
    ApplicationLog, ApplicationStatus, AttestRequest, BootRequest, Booted, EvidenceRequest, Exit,
    Fault, GenesisRequest, GenesisResponse, Log, Phase, ProvisionRequest, Reason, Refusal,
    Reported, Request, Response, Stage, Status, Upload, Uploaded,
};
use serde_json::{Value, json};

use crate::atoms::words;
use crate::genesis::document;
use crate::{Twin, fields};

macro_rules! in_words {
    ($($type:ty),*) => {$(
        impl Twin for $type {
            fn twin(&self) -> Value {
                words(self)
            }
        }
    )*};
}
in_words!(Fault, Phase, Reason, Stage);

impl Twin for Request {
    fn twin(&self) -> Value {
        let (request, body) = match self {
            Self::Status => ("status", None),
            Self::Upload(body) => ("upload", Some(body.twin())),
            Self::Genesis(body) => ("genesis", Some(body.twin())),
            Self::Boot(body) => ("boot", Some(body.twin())),
            Self::Attest(body) => ("attest", Some(body.twin())),
            Self::Provision(body) => ("provision", Some(body.twin())),
            Self::Evidence(body) => ("evidence", Some(body.twin())),
            Self::Log => ("log", None),
            Self::Challenge => ("challenge", None),
            Self::Export(body) => ("export", Some(body.twin())),
            Self::Import(body) => ("import", Some(body.twin())),
            Self::HandOver(body) => ("hand_over", Some(body.twin())),
            Self::ReshareChallenge => ("reshare_challenge", None),
            Self::Reshare(body) => ("reshare", Some(body.twin())),
            Self::Drill(body) => ("drill", Some(body.twin())),
            Self::DrillGive(body) => ("drill_give", Some(body.twin())),
            Self::DrillFinish(body) => ("drill_finish", Some(body.twin())),
        };
        match body {
            None => json!({ "object": Self::LABEL, "request": request }),
            Some(body) => json!({ "object": Self::LABEL, "request": request, "body": body }),
        }
    }
}

/// The piece of the binary by its length and hash: it is not for eyes.
impl Twin for Upload {
    fn twin(&self) -> Value {
        let data = self.data.as_slice();
        json!({
            "sha256": self.sha256.to_string(),
            "size": self.size,
            "offset": self.offset,
            "data": { "length": data.len(), "sha256": Sha256::of(data).to_string() },
        })
    }
}

impl Twin for GenesisRequest {
    fn twin(&self) -> Value {
        fields! {
            "definition": self.definition,
            "consents": self.consents,
            "entropy": self.entropy,
            "nonce": self.nonce,
        }
    }
}

impl Twin for BootRequest {
    fn twin(&self) -> Value {
        fields! { "record": self.record, "chain": self.chain }
    }
}

impl Twin for AttestRequest {
    fn twin(&self) -> Value {
        fields! { "stage": self.stage, "nonce": self.nonce }
    }
}

impl Twin for ProvisionRequest {
    fn twin(&self) -> Value {
        fields! {
            "grant": self.grant,
            "sealed": self.sealed,
            "delegation"(?): self.delegation,
        }
    }
}

impl Twin for EvidenceRequest {
    fn twin(&self) -> Value {
        fields! { "nonce": self.nonce }
    }
}

impl Twin for Response {
    fn twin(&self) -> Value {
        let (response, body) = match self {
            Self::Status(body) => ("status", body.twin()),
            Self::Uploaded(body) => ("uploaded", body.twin()),
            Self::Genesis(body) => ("genesis", body.twin()),
            Self::Booted(body) => ("booted", body.twin()),
            Self::Attested(body) => ("attested", document(body)),
            Self::Provisioned(body) => ("provisioned", body.twin()),
            Self::Evidence(body) => ("evidence", body.twin()),
            Self::Refused(body) => ("refused", body.twin()),
            Self::Log(body) => ("log", body.twin()),
            Self::Challenge(body) => ("challenge", body.twin()),
            Self::Exported(body) => ("exported", body.twin()),
            Self::Imported(body) => ("imported", body.twin()),
            Self::HandedOver => ("handed_over", Value::Null),
            Self::ReshareChallenge(body) => ("reshare_challenge", body.twin()),
            Self::Reshared(body) => ("reshared", body.twin()),
            Self::DrillStarted(setup) => ("drill_started", setup.twin()),
            Self::DrillTaken(body) => ("drill_taken", body.twin()),
            Self::Drilled(body) => ("drilled", body.twin()),
        };
        match body {
            Value::Null => json!({ "object": Self::LABEL, "response": response }),
            body => json!({ "object": Self::LABEL, "response": response, "body": body }),
        }
    }
}

impl Twin for Status {
    fn twin(&self) -> Value {
        fields! {
            "phase": self.phase,
            "genesis"(?): self.genesis,
            "manifest"(?): self.manifest,
            "epoch"(?): self.epoch,
            "accepted": self.accepted,
            "threshold": self.threshold,
            "applications": self.applications,
        }
    }
}

impl Twin for ApplicationStatus {
    fn twin(&self) -> Value {
        fields! {
            "name": self.name,
            "starts": self.starts,
            "ready": self.ready,
            "exit"(?): self.exit,
            "restarts_left": self.restarts_left,
        }
    }
}

impl Twin for Exit {
    fn twin(&self) -> Value {
        match self {
            Self::Exited(status) => json!({ "status": status }),
            Self::Signalled(signal) => json!({ "signal": signal }),
        }
    }
}

impl Twin for Log {
    fn twin(&self) -> Value {
        fields! { "applications": self.applications }
    }
}

impl Twin for ApplicationLog {
    fn twin(&self) -> Value {
        fields! { "name": self.name, "dropped": self.dropped, "reports": self.reports }
    }
}

impl Twin for Reported {
    fn twin(&self) -> Value {
        fields! { "start": self.start, "time": self.time, "report": self.report }
    }
}

impl Twin for Uploaded {
    fn twin(&self) -> Value {
        fields! { "received": self.received, "complete": self.complete }
    }
}

impl Twin for GenesisResponse {
    fn twin(&self) -> Value {
        json!({ "output": self.output.twin(), "document": document(&self.document) })
    }
}

impl Twin for Booted {
    fn twin(&self) -> Value {
        fields! { "setup": self.setup, "live": self.live }
    }
}

/// With the refusal's text for people, under `explained`.
impl Twin for Refusal {
    fn twin(&self) -> Value {
        let mut twin = fields! {
            "reason": self.reason,
            "fault": self.fault,
            "member"(?): self.member,
            "detail": self.detail,
        };
        if let Value::Object(map) = &mut twin {
            map.insert("explained".into(), self.to_string().into());
        }
        twin
    }
}
