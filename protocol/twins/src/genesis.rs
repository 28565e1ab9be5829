//! Twins of what comes before and at birth: members, definition, output, receipts, record.

use quorate_protocol::atoms::Sha256;
use quorate_protocol::card::{MemberCard, MemberCardFields};
use quorate_protocol::cbor::Object as _;
use quorate_protocol::definition::{
    AttestationRoot, Definition, DefinitionConsent, DefinitionFields, MeasurementFields,
};
use quorate_protocol::exception::{GenesisException, GenesisExceptionFields};
use quorate_protocol::genesis::{
    CommitmentList, Document, Genesis, GenesisOutput, GenesisOutputFields, GenesisReceipt,
    GenesisRecord, MemberShare, Possession, SealContext, SealedShare,
};
use quorate_protocol::members::{Member, MemberSetFields, Role};
use serde_json::{Value, json};

use crate::atoms::{hex, words};
use crate::{Twin, fields};

impl Twin for Role {
    fn twin(&self) -> Value {
        words(self)
    }
}

impl Twin for Member {
    fn twin(&self) -> Value {
        fields! {
            "name": self.name,
            "index": self.index,
            "signing_key": self.signing_key,
            "encryption_key": self.encryption_key,
        }
    }
}

impl Twin for MemberCardFields {
    fn twin(&self) -> Value {
        fields! {
            "object": MemberCard::LABEL,
            "format": self.format,
            "name": self.name,
            "signing_key": self.signing_key,
            "encryption_key": self.encryption_key,
        }
    }
}

impl Twin for MemberSetFields {
    fn twin(&self) -> Value {
        fields! { "threshold": self.threshold, "members": self.members }
    }
}

impl Twin for AttestationRoot {
    fn twin(&self) -> Value {
        fields! {
            "partition": self.partition,
            "fingerprint": self.fingerprint,
            "development": self.is_development(),
        }
    }
}

impl Twin for MeasurementFields {
    fn twin(&self) -> Value {
        fields! {
            "pcr0": self.pcr0,
            "pcr1": self.pcr1,
            "pcr2": self.pcr2,
            "role_arn"(?): self.role_arn,
            "pcr8"(?): self.pcr8,
        }
    }
}

impl Twin for DefinitionFields {
    fn twin(&self) -> Value {
        fields! {
            "object": Definition::LABEL,
            "format": self.format,
            "namespace": self.namespace,
            "manifest_set": self.manifest_set,
            "share_set": self.share_set,
            "attestation_root": self.attestation_root,
            "measurements": self.measurements,
            "age_limit": self.age_limit.seconds(),
        }
    }
}

impl Twin for DefinitionConsent {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "definition": self.definition,
            "member": self.member,
        }
    }
}

/// The whole document, and the SHA-256 that receipts and grants name.
pub(crate) fn document(document: &Document) -> Value {
    let bytes = document.as_slice();
    json!({
        "length": bytes.len(),
        "sha256": Sha256::of(bytes).to_string(),
        "bytes": hex(bytes),
    })
}

/// The epoch they name, and the points; the first is the quorum key.
impl Twin for CommitmentList {
    fn twin(&self) -> Value {
        let points = self.inner().to_compressed();
        json!({
            "epoch": self.epoch().to_string(),
            "points": points.iter().map(|point| hex(point)).collect::<Vec<_>>(),
        })
    }
}

impl Twin for SealedShare {
    fn twin(&self) -> Value {
        fields! {
            "suite": self.suite.id(),
            "enc": self.enc,
            "ciphertext": self.ciphertext,
        }
    }
}

impl Twin for MemberShare {
    fn twin(&self) -> Value {
        fields! { "index": self.index, "sealed": self.sealed }
    }
}

impl Twin for GenesisOutputFields {
    fn twin(&self) -> Value {
        fields! {
            "object": GenesisOutput::LABEL,
            "definition": self.definition,
            "commitments": self.commitments,
            "shares": self.shares,
            "drill": self.drill,
        }
    }
}

impl Twin for Genesis {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "definition": self.definition,
            "output": self.output,
        }
    }
}

impl Twin for Possession {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "epoch": self.epoch,
            "index": self.index,
        }
    }
}

impl Twin for GenesisReceipt {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "epoch": self.epoch,
            "index": self.index,
            "document": self.document,
            "time": self.time,
            "possession": self.possession,
        }
    }
}

/// Shows the digests of its parts beside them: they are what people pin and compare.
impl Twin for GenesisRecord {
    fn twin(&self) -> Value {
        let genesis = self.genesis();
        let mut twin = json!({
            "object": Self::LABEL,
            "genesis": self.digest().to_string(),
            "definition_digest": genesis.definition.to_string(),
            "definition": self.definition.twin(),
            "consents": self.consents.twin(),
            "output_digest": genesis.output.to_string(),
            "output": self.output.twin(),
            "document": document(&self.document),
            "receipts": self.receipts.twin(),
        });
        if let (Some(exceptions), Some(object)) = (&self.exceptions, twin.as_object_mut()) {
            object.insert("exceptions".into(), exceptions.twin());
        }
        twin
    }
}

impl Twin for GenesisExceptionFields {
    fn twin(&self) -> Value {
        fields! {
            "object": GenesisException::LABEL,
            "genesis": self.genesis,
            "epoch": self.epoch,
            "index": self.index,
            "missing": self.missing,
            "time": self.time,
        }
    }
}

impl Twin for SealContext {
    fn twin(&self) -> Value {
        json!({ "info": self.info, "aad": hex(&self.aad) })
    }
}
