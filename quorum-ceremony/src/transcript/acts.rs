//! What each step has to say.

use std::time::Duration;

use quorate_protocol::atoms::{Pcr, Sha256, Text};
use quorate_protocol::cbor::Object;
use quorate_protocol::definition::{AgeLimit, AttestationRoot, Definition, Measurements};
use quorate_protocol::digest::Digest;
use quorate_protocol::message::Nonce;
use quorate_protocol::token::TokenIdentity;
use quorate_protocol::transcript::{Act, Fact, Word};
use quorate_verify::instance::DocumentFacts;

use super::JournalError;
use super::notes::sentence;
use crate::challenge::Challenge;
use crate::clock::Aging;
use crate::error::CeremonyError;
use crate::inputs::InputError;
use crate::steps::reshare::{order, run};
use crate::steps::{attest, boot, define, evidence, forward, genesis, manifest, rotate};

/// What a record will say, beside who wrote it, when and with which tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What was done.
    pub act: Act,
    /// Its lines.
    pub facts: Vec<Fact>,
}

/// Something that was done and can be noted.
pub trait Noted {
    /// What there is to say about it.
    fn content(&self) -> Content;
}

/// An attestation document as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    facts: DocumentFacts,
    measurements: Measurements,
    root: AttestationRoot,
    nonce: Nonce,
    age: Duration,
    aging: Aging,
    limit: AgeLimit,
}

impl Looked {
    /// To be called right after the verification that returned `facts`. The registers are those it
    /// compared: what the document has is what these measurements say, or it was refused.
    pub(crate) fn new(
        challenge: &Challenge,
        facts: &DocumentFacts,
        measurements: &Measurements,
        definition: &Definition,
    ) -> Result<Self, CeremonyError> {
        Ok(Self {
            facts: facts.clone(),
            measurements: measurements.clone(),
            root: definition.attestation_root.clone(),
            nonce: challenge.nonce().map_err(InputError::from)?,
            age: challenge.elapsed(),
            aging: challenge.aging().clone(),
            limit: definition.age_limit,
        })
    }

    /// The nonce that was made here and came back.
    #[must_use]
    pub const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The registers that were compared.
    pub fn registers(&self) -> impl Iterator<Item = (u8, Pcr)> {
        self.measurements.registers()
    }

    /// How long ago the nonce was made, on this machine's monotonic clock.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.aging.age()
    }

    /// How old it may become, by the definition that was signed.
    #[must_use]
    pub const fn limit(&self) -> AgeLimit {
        self.limit
    }

    pub(crate) fn facts(&self) -> Vec<Fact> {
        let mut facts = document(&self.facts);
        let registers = self.measurements.registers();
        facts.extend(registers.map(|(index, value)| Fact::Register(index, value)));
        let age = u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX);
        facts.extend([
            Fact::Root(self.root.clone()),
            Fact::Nonce(self.nonce.clone()),
            Fact::Age(age),
            Fact::Safe,
        ]);
        facts
    }
}

/// What a verified document says of itself.
pub(crate) fn document(facts: &DocumentFacts) -> Vec<Fact> {
    let mut said = vec![
        Fact::Document(facts.document),
        Fact::Attested(facts.timestamp),
    ];
    // The security module's names are shorter; one that is not is left out, not cut.
    said.extend(Text::new(&facts.module_id).ok().map(Fact::Module));
    said
}

/// The line for an object of the contract.
pub(crate) fn object<T: Object>(digest: Digest<T>) -> Fact {
    // Labels are words, which a test holds for every object.
    let label = Word::new(T::LABEL).unwrap_or_default();
    Fact::Object(label, Sha256(*digest.as_bytes()))
}

/// The token whose key signs a record, as it tells about itself.
pub(super) fn signed_with(token: &TokenIdentity) -> Fact {
    // Model and serial number are shorter than a word.
    let word = |text: &str| Word::new(text).unwrap_or_default();
    let firmware = match token.firmware {
        Some(version) => word(&version.to_string()),
        None => word("not told"),
    };
    Fact::Token(
        word(token.model.as_str()),
        word(token.serial.as_str()),
        firmware,
    )
}

/// This tool.
pub(crate) fn tool() -> Result<Fact, JournalError> {
    let word = |text| Word::new(text).map_err(|what| JournalError::Line { what });
    let version = word(env!("CARGO_PKG_VERSION"))?;
    Ok(Fact::Tool(word("quorate")?, version))
}

/// A line in words.
pub(crate) fn remark(about: &str, text: &str) -> Option<Fact> {
    Some(Fact::Remark(Word::new(about).ok()?, sentence(text)))
}

impl Noted for define::Defined {
    fn content(&self) -> Content {
        let root = self.definition.attestation_root.clone();
        Content {
            act: Act::Define,
            facts: vec![object(self.fingerprint), Fact::Root(root)],
        }
    }
}

impl Noted for genesis::Born {
    fn content(&self) -> Content {
        let mut facts = vec![object(self.genesis), object(Digest::of(&self.output))];
        facts.extend(document(&self.facts));
        Content {
            act: Act::Genesis,
            facts,
        }
    }
}

impl Noted for manifest::Proposed {
    fn content(&self) -> Content {
        let sequence = self.manifest.sequence.to_string();
        let mut facts = vec![object(self.digest)];
        facts.extend(remark("sequence", &sequence));
        Content {
            act: Act::Manifest,
            facts,
        }
    }
}

impl Noted for order::Ordered {
    fn content(&self) -> Content {
        let mut facts = vec![object(self.digest), object(Digest::of(&self.running))];
        facts.extend(document(&self.facts));
        Content {
            act: Act::Reshare,
            facts,
        }
    }
}

impl Noted for run::Done {
    fn content(&self) -> Content {
        Content {
            act: Act::Reshare,
            facts: vec![object(self.verified.order), object(self.verified.record)],
        }
    }
}

impl Noted for rotate::Rotated {
    fn content(&self) -> Content {
        let mut facts = vec![object(self.digest)];
        if let Some(completion) = &self.successor.reshare {
            facts.push(object(completion.reshare.record));
        }
        facts.extend(remark("sequence", &self.manifest.sequence.to_string()));
        Content {
            act: Act::Rotate,
            facts,
        }
    }
}

impl Noted for boot::Started {
    fn content(&self) -> Content {
        Content {
            act: Act::Boot,
            facts: vec![object(self.digest), object(self.genesis)],
        }
    }
}

impl Noted for evidence::Collected {
    fn content(&self) -> Content {
        let mut facts = vec![object(self.manifest), object(self.genesis)];
        let what = Word::new("evidence").ok();
        facts.extend(what.map(|what| Fact::File(what, self.sha256)));
        facts.extend(document(&self.facts));
        let provisioned = if self.provisioned { "yes" } else { "no" };
        facts.extend(remark("provisioned", provisioned));
        Content {
            act: Act::Evidence,
            facts,
        }
    }
}

impl Noted for forward::Forwarded {
    fn content(&self) -> Content {
        let record = &self.record;
        let mut facts = vec![
            object(Digest::of(record)),
            object(self.confirmation),
            object(self.genesis),
            object(record.from),
            object(record.to),
        ];
        let end = |title, sequence, module| {
            remark(title, &format!("manifest {sequence}, enclave {module}"))
        };
        let (from, to) = self.sequences;
        facts.extend(end("from", from, &record.exporter_module));
        facts.extend(end("to", to, &record.importer_module));
        facts.extend(remark("forward", &record.count.to_string()));
        // Of the new instance's evidence, which this member's tool has verified.
        facts.extend(self.facts.document.map(Fact::Document));
        facts.extend(self.facts.timestamp.map(Fact::Attested));
        let found = match self.found {
            forward::Found::Nothing => "nothing",
            forward::Found::Imported => "the new enclave had the key",
            forward::Found::HandedOver => "all of it",
        };
        facts.extend(remark("done before", found));
        Content {
            act: Act::Forward,
            facts,
        }
    }
}

impl Noted for attest::Attested {
    fn content(&self) -> Content {
        let mut facts = vec![object(self.digest), object(self.genesis)];
        let stage = match self.stage {
            attest::InstanceStage::Setup => "setup",
            attest::InstanceStage::Live => "live",
        };
        facts.extend(remark("keys", stage));
        facts.extend(self.looked.facts());
        Content {
            act: Act::Attest,
            facts,
        }
    }
}
