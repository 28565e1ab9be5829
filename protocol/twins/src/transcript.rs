//! Twins of the transcript: records, their lines, and the whole.

use quorate_protocol::cbor::{Object as _, from_bytes};
use quorate_protocol::transcript::{
    Act, Entry, EntryFields, Fact, Heads, HeadsFields, Leaf, Opening, Origin, Record, RecordFields,
    Seen, Transcript, TranscriptFields,
};
use serde_json::{Value, json};

use crate::atoms::hex;
use crate::{Twin, fields};

impl Twin for Act {
    fn twin(&self) -> Value {
        self.name().into()
    }
}

/// What a line says, under the name of its kind.
impl Twin for Fact {
    fn twin(&self) -> Value {
        let says = match self {
            Self::Tool(name, version) => fields! { "name": name, "version": version },
            Self::Object(label, digest) => fields! { "label": label, "digest": digest },
            Self::Document(sha256) => sha256.twin(),
            Self::Register(index, value) => fields! { "index": index, "value": value },
            Self::Nonce(nonce) => nonce.twin(),
            Self::Age(milliseconds) => fields! { "milliseconds": milliseconds },
            Self::Attested(time) => time.twin(),
            Self::Module(module) => module.twin(),
            Self::Root(root) => root.twin(),
            Self::Safe => true.into(),
            Self::Refused(code, text) => fields! { "code": code, "text": text },
            Self::During(act) => act.twin(),
            Self::Share(index, epoch) => fields! { "index": index, "epoch": epoch },
            Self::Count(has, needs) => fields! { "has": has, "needs": needs },
            Self::Role(role) => role.twin(),
            Self::Token(model, serial, firmware) => {
                fields! { "model": model, "serial": serial, "firmware": firmware }
            }
            Self::File(what, sha256) => fields! { "what": what, "sha256": sha256 },
            Self::Remark(about, text) => fields! { "about": about, "text": text },
        };
        json!({ "kind": self.kind(), "says": says })
    }
}

impl Twin for Leaf {
    fn twin(&self) -> Value {
        fields! { "object": Self::LABEL, "salt": self.salt, "fact": self.fact }
    }
}

impl Twin for Seen {
    fn twin(&self) -> Value {
        fields! { "author": self.author, "sequence": self.sequence, "record": self.record }
    }
}

impl Twin for RecordFields {
    fn twin(&self) -> Value {
        fields! {
            "object": Record::LABEL,
            "author": self.author,
            "sequence": self.sequence,
            "previous"(?): self.previous,
            "seen": self.seen,
            "definition"(?): self.definition,
            "act": self.act,
            "time": self.time,
            "lines": self.lines,
        }
    }
}

impl Twin for Opening {
    fn twin(&self) -> Value {
        fields! { "line": self.line, "leaf": self.leaf }
    }
}

impl Twin for EntryFields {
    fn twin(&self) -> Value {
        fields! { "object": Entry::LABEL, "record": self.record, "openings": self.openings }
    }
}

impl Twin for Origin {
    fn twin(&self) -> Value {
        match self {
            Self::Definition(definition) => definition.twin(),
            Self::Record(record) => record.twin(),
        }
    }
}

/// An entry that is none is shown as its bytes.
impl Twin for TranscriptFields {
    fn twin(&self) -> Value {
        let entries = self.entries.iter().map(|bytes| {
            from_bytes::<Entry>(bytes.as_slice())
                .map_or_else(|_| hex(bytes.as_slice()).into(), |entry| entry.twin())
        });
        json!({
            "object": Transcript::LABEL,
            "origin": self.origin.twin(),
            "chain": self.chain.twin(),
            "entries": entries.collect::<Vec<_>>(),
        })
    }
}

impl Twin for HeadsFields {
    fn twin(&self) -> Value {
        fields! {
            "object": Heads::LABEL,
            "definition": self.definition,
            "heads": self.heads,
        }
    }
}
