//! Samples of the transcript: two authors, every kind of line, a line that is withheld.

use quorate_protocol::atoms::{Pcr, Sha256};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::instance::Index;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::transcript::{
    Act, Entry, EntryBytes, EntryFields, Fact, Heads, HeadsFields, Leaf, Opening, Origin, Record,
    RecordFields, Seen, TranscriptFields,
};

use super::{Sample, plain, signed};
use crate::keys::{signing, verification};
use crate::world::{World, bytes, index, text, time};

pub(super) fn samples(small: &World, chain: &[Link]) -> Vec<Sample> {
    let definition = Some(Digest::of(&small.definition));
    let leaves = lines(small);
    let join = record("alice", None, &[], None, Act::Join, &leaves[..2]);
    let other = record("bob", None, &[], definition, Act::Consent, &leaves[1..3]);
    let seen = [("bob", &other)];
    let attest = record(
        "alice",
        Some(&join),
        &seen,
        definition,
        Act::Provision,
        &leaves,
    );
    let mut withheld = shown(&join, &leaves[..2]);
    withheld.openings.remove(0);
    let withheld = Checked::new(withheld).expect("one line is left");
    let whole = |record: &Signed<Record>, leaves: &[Leaf]| -> Entry {
        Checked::new(shown(record, leaves)).expect("every line")
    };
    let (key, signer) = (verification("alice signing"), "alice signing");
    let mut samples = vec![
        signed("join", &join, signer, key),
        signed("provision", &attest, signer, key),
        signed(
            "consent",
            &other,
            "bob signing",
            verification("bob signing"),
        ),
    ];
    samples.extend(leaves.iter().map(|leaf| plain(leaf.fact.kind(), leaf)));
    samples.push(plain("one line withheld", &withheld));
    samples.push(plain("every line shown", &whole(&attest, &leaves)));
    let entries = [
        withheld,
        whole(&attest, &leaves),
        whole(&other, &leaves[1..3]),
    ];
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| EntryBytes::new(to_bytes(entry)).expect("an entry is short"))
        .collect();
    for (title, origin, chain) in [
        (
            "before the genesis",
            Origin::Definition(small.definition.clone()),
            &[][..],
        ),
        (
            "after the first manifest",
            Origin::Record(small.record.clone()),
            chain.get(..1).expect("a manifest"),
        ),
    ] {
        let fields = TranscriptFields {
            origin,
            chain: chain.to_vec(),
            entries: entries.clone(),
        };
        samples.push(plain(title, &Checked::new(fields).expect("few entries")));
    }
    samples.push(plain("of one head", &heads(&small.definition, &[&attest])));
    let two = heads(&small.definition, &[&attest, &other]);
    samples.push(plain("of two heads", &two));
    samples
}

fn heads(definition: &Definition, records: &[&Signed<Record>]) -> Heads {
    let mut heads: Vec<_> = records.iter().map(|record| record.digest()).collect();
    heads.sort_unstable();
    let fields = HeadsFields {
        definition: Digest::of(definition),
        heads,
    };
    Checked::new(fields).expect("heads in order")
}

fn record(
    author: &str,
    previous: Option<&Signed<Record>>,
    seen: &[(&str, &Signed<Record>)],
    definition: Option<Digest<Definition>>,
    act: Act,
    leaves: &[Leaf],
) -> Signed<Record> {
    let key = |person: &str| verification(&format!("{person} signing"));
    let fields = RecordFields {
        author: key(author),
        sequence: previous.map_or(1, |record| record.unverified().sequence + 1),
        previous: previous.map(Signed::digest),
        seen: seen
            .iter()
            .map(|(person, record)| Seen {
                author: key(person),
                sequence: record.unverified().sequence,
                record: record.digest(),
            })
            .collect(),
        definition,
        act,
        time: time(300),
        lines: leaves.iter().map(Digest::of).collect(),
    };
    let record = Checked::new(fields).expect("keeps the rules");
    Signed::sign(record, &signing(&format!("{author} signing")))
}

fn shown(record: &Signed<Record>, leaves: &[Leaf]) -> EntryFields {
    let openings = leaves.iter().zip(0..).map(|(leaf, line)| Opening {
        line,
        leaf: leaf.clone(),
    });
    EntryFields {
        record: record.clone(),
        openings: openings.collect(),
    }
}

/// A line of every kind.
fn lines(small: &World) -> Vec<Leaf> {
    let facts = [
        Fact::Tool(text("quorate"), text("0.1.0")),
        Fact::Object(
            text("quorate/definition/v2"),
            Sha256(*Digest::of(&small.definition).as_bytes()),
        ),
        Fact::Document(Sha256::of(b"a document")),
        Fact::Register(0, Pcr::ZERO.extend(b"pcr0")),
        Fact::Nonce(bytes(&[0x5a; 32])),
        Fact::Age(1_234),
        Fact::Attested(time(299)),
        Fact::Module(text("i-0123456789abcdef0-enc0123456789abcdef")),
        Fact::Root(small.definition.attestation_root.clone()),
        Fact::Safe,
        Fact::Refused(
            text("measurement-differs"),
            text("PCR0 is not the approved one"),
        ),
        Fact::During(Act::Attest),
        Fact::Share(Index(index(200)), small.epoch()),
        Fact::Count(1, 2),
        Fact::Role(Role::ManifestSet),
        Fact::Token(text("a token"), text("0001"), text("5.7")),
        Fact::File(text("evidence"), Sha256::of(b"evidence")),
        Fact::Remark(text("next drill"), text("2027-02-21")),
    ];
    let leaves = facts.into_iter().zip(1_u8..);
    leaves
        .map(|(fact, at)| Leaf {
            salt: bytes(&[at; 16]),
            fact,
        })
        .collect()
}
