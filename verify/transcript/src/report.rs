//! The report of a ceremony: what a transcript shows, as JSON and as one HTML page.
//!
//! Both come from one [`Report`], so they say the same. Guarantees: a report can be made only of a
//! transcript that was verified; each fact is under the name of whose word it is. Approvals and the
//! genesis are verified objects; records are their authors' words; evidence has a verification of
//! its own, whose checks are listed. Under a development root every part says so.
//!
//! Trusts: nothing in the objects. Names and texts are shown escaped, with what hides or reorders
//! text made visible.

mod html;

use quorate_protocol::atoms::{Sha256, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::transcript::{Act, Fact, Transcript};
use quorate_twins::{Twin as _, visible};
use quorate_verify::chain::Approver;
use quorate_verify::evidence;
use serde_json::{Value, json};

use crate::facts::{moment, say};
use crate::verify::{Line, Note, Verified, VerifiedRecord};
use crate::words;

/// Evidence that was verified for the report.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// What its verification found.
    pub report: evidence::Report,
}

/// A report in the making.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    verified: &'a Verified,
    transcript: &'a Transcript,
    evidence: Option<&'a Evidence>,
    made: UnixMillis,
    tool: String,
}

impl<'a> Report<'a> {
    /// A report of a transcript and of what its verification returned. `made` is when, by the clock
    /// of whoever makes it, and `tool` with what.
    #[must_use]
    pub fn new(
        transcript: &'a Transcript,
        verified: &'a Verified,
        evidence: Option<&'a Evidence>,
        made: UnixMillis,
        tool: &str,
    ) -> Self {
        Self {
            verified,
            transcript,
            evidence,
            made,
            tool: visible(tool),
        }
    }

    /// Whether it all rests on a development root.
    #[must_use]
    pub fn is_development(&self) -> bool {
        let root = &self.verified.definition.attestation_root;
        root.is_development() || self.evidence.is_some_and(|e| e.report.development)
    }

    /// The page: one file, without scripts and without anything to be fetched.
    #[must_use]
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// The same as one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let verified = self.verified;
        let definition = &verified.definition;
        json!({
            "report": "quorate/ceremony-report",
            "development": self.is_development(),
            "made": self.made.twin(),
            "tool": self.tool,
            "namespace": definition.namespace.as_str(),
            "definition": Digest::of(definition).to_string(),
            "genesis": self.genesis(),
            "attestation_root": definition.attestation_root.twin(),
            "fingerprint": {
                "hex": verified.fingerprint.to_string(),
                "words": words::words(&verified.fingerprint),
            },
            "people": self.people().iter().map(Person::json).collect::<Vec<_>>(),
            "thresholds": {
                "manifest_set": definition.manifest_set.threshold,
                "share_set": definition.share_set.threshold,
            },
            "age_limit": definition.age_limit.seconds(),
            "genesis_measurements": definition.measurements.twin(),
            "manifests": self.manifests().map(|m| m.json()).collect::<Vec<_>>(),
            "attested": records_json(self.attested()),
            "shares_given": records_json(self.of(Act::Provision)),
            "forwards": records_json(self.of(Act::Forward)),
            "refusals": records_json(self.of(Act::Refusal)),
            "records": records_json(verified.records.iter()),
            "evidence": self.evidence.map(evidence_json),
            "notes": self.notes(),
            "check": self.commands(),
        })
    }

    fn genesis(&self) -> Option<String> {
        let genesis = self.verified.genesis.as_ref();
        genesis.map(|genesis| genesis.digest().to_string())
    }

    fn people(&self) -> Vec<Person> {
        let definition = &self.verified.definition;
        let people = self.verified.people.iter().map(|(name, key)| {
            let mut sets = Vec::new();
            for (title, set) in [
                ("manifest set", &definition.manifest_set),
                ("share set", &definition.share_set),
            ] {
                let member = set.members.iter().find(|member| member.signing_key == *key);
                sets.extend(member.map(|member| format!("{title} {}", member.index.get())));
            }
            if sets.is_empty() {
                sets.push("later manifests".into());
            }
            let own = |record: &&VerifiedRecord| record.key == *key;
            Person {
                name: name.to_string(),
                key: key.to_string(),
                sets,
                records: self.verified.records.iter().filter(own).count(),
            }
        });
        people.collect()
    }

    fn manifests(&self) -> impl Iterator<Item = ManifestPart<'_>> {
        let chain = self.verified.chain.iter();
        let approvers = chain.flat_map(|chain| chain.links());
        self.transcript
            .chain
            .iter()
            .zip(approvers)
            .map(|(link, verified)| {
                let approvers = &verified.approvers;
                ManifestPart {
                    link,
                    manifest_set: approvers.in_role(Role::ManifestSet).collect(),
                    share_set: approvers.in_role(Role::ShareSet).collect(),
                }
            })
    }

    fn of(&self, act: Act) -> impl Iterator<Item = &VerifiedRecord> {
        let records = self.verified.records.iter();
        records.filter(move |record| record.act == act)
    }

    /// Every record that rests on an attestation document.
    fn attested(&self) -> impl Iterator<Item = &VerifiedRecord> {
        let about = |record: &&VerifiedRecord| {
            let document = |fact: &Fact| matches!(fact, Fact::Document(_));
            record.act != Act::Refusal && record.facts().any(document)
        };
        self.verified.records.iter().filter(about)
    }

    /// What to know, in sentences.
    fn notes(&self) -> Vec<String> {
        self.verified.notes.iter().map(Note::to_string).collect()
    }

    /// How to check it, as commands.
    fn commands(&self) -> Vec<String> {
        let pin = match self.genesis() {
            Some(genesis) => format!("--genesis {genesis}"),
            None => format!("--definition {}", Digest::of(&self.verified.definition)),
        };
        let told = words::words(&self.verified.fingerprint).join(" ");
        let mut commands = vec![
            format!("quorate ceremony transcript verify transcript.cbor {pin}"),
            format!(
                "quorate ceremony transcript verify transcript.cbor {pin} --fingerprint '{told}'"
            ),
            "quorate ceremony transcript show transcript.cbor".into(),
        ];
        if self.evidence.is_some() {
            let root = match self.is_development() {
                true => " --root development-root.pem",
                false => "",
            };
            commands.push(format!("quorate verify evidence evidence.cbor {pin}{root}"));
        }
        commands
    }
}

struct Person {
    name: String,
    key: String,
    sets: Vec<String>,
    records: usize,
}

impl Person {
    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "signing_key": self.key,
            "sets": self.sets,
            "records": self.records,
        })
    }
}

struct ManifestPart<'a> {
    link: &'a Link,
    manifest_set: Vec<&'a Approver>,
    share_set: Vec<&'a Approver>,
}

impl ManifestPart<'_> {
    fn json(&self) -> Value {
        let manifest = &self.link.manifest;
        let approvers = |list: &[&Approver]| -> Value {
            let one = |a: &&Approver| {
                let surrogate = a.surrogate.as_ref().map(|acting| acting.name.as_str());
                let mut one = json!({
                    "name": a.name.as_str(), "index": a.index.get(), "time": a.time.twin(),
                });
                if let (Some(map), Some(surrogate)) = (one.as_object_mut(), surrogate) {
                    map.insert("by_surrogate".into(), surrogate.into());
                }
                one
            };
            list.iter().map(one).collect()
        };
        let applications = manifest.applications.iter().map(|application| {
            json!({
                "name": application.name.as_str(),
                "sha256": application.sha256.to_string(),
                "arguments": application.arguments.iter().map(|a| visible(a.as_str()))
                    .collect::<Vec<_>>(),
            })
        });
        json!({
            "sequence": manifest.sequence,
            "digest": Digest::of(manifest).to_string(),
            "measurements": manifest.measurements.twin(),
            "applications": applications.collect::<Vec<_>>(),
            "valid": { "from": manifest.validity.not_before.twin(),
                       "until": manifest.validity.not_after.twin() },
            "approved_by": approvers(&self.manifest_set),
            "approved_by_share_set": approvers(&self.share_set),
        })
    }
}

/// A record as an object: the lines in words, those that are withheld by their digest.
#[must_use]
pub fn record_json(record: &VerifiedRecord) -> Value {
    let line = |line: &Line| match line {
        Line::Shown(fact) => {
            let said = say(fact);
            json!({ "kind": fact.kind(), "about": said.about, "text": said.text })
        }
        Line::Withheld(digest) => json!({ "withheld": digest.to_string() }),
    };
    let seen = |(name, sequence): &(quorate_protocol::atoms::Name, u64)| json!({ "author": name.as_str(), "record": sequence });
    json!({
        "author": record.author.as_str(),
        "record": record.sequence,
        "digest": record.digest.to_string(),
        "act": record.act.name(),
        "time": record.time.twin(),
        "seen": record.seen.iter().map(seen).collect::<Vec<_>>(),
        "lines": record.lines.iter().map(line).collect::<Vec<_>>(),
    })
}

fn records_json<'r>(records: impl Iterator<Item = &'r VerifiedRecord>) -> Vec<Value> {
    records.map(record_json).collect()
}

fn evidence_json(evidence: &Evidence) -> Value {
    let report = &evidence.report;
    let check = |check: &evidence::Check| {
        json!({
            "id": check.id, "claim": visible(&check.claim), "verdict": check.verdict.name(),
            "required": check.required,
        })
    };
    json!({
        "sha256": evidence.sha256.to_string(),
        "verdict": report.decision.name(),
        "pinned": report.pinned,
        "development": report.development,
        "checks": report.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

impl core::fmt::Display for Note {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::FromTheFuture {
                author,
                sequence,
                ahead_ms,
            } => write!(
                f,
                "record {sequence} of {author} is dated {} s after now: a clock is wrong",
                ahead_ms / 1000
            ),
            Self::BeforeItsPast {
                author,
                sequence,
                behind_ms,
            } => write!(
                f,
                "record {sequence} of {author} is dated {} s before a record it names: a clock is \
                 wrong",
                behind_ms / 1000
            ),
            Self::Withheld { lines } => write!(f, "{lines} lines are withheld"),
            Self::Heads { count } => write!(
                f,
                "{count} records are named by no other: compare the fingerprint, or have a member \
                 run `quorate ceremony transcript sign`"
            ),
            Self::Silent { members } => {
                write!(f, "nothing was written by ")?;
                for (place, name) in members.iter().enumerate() {
                    let separator = if place == 0 { "" } else { ", " };
                    write!(f, "{separator}{name}")?;
                }
                Ok(())
            }
            Self::Unpinned => write!(
                f,
                "consistent, but nothing was pinned: anyone can make such a transcript of people \
                 of their own; give --genesis or --definition"
            ),
            Self::Development => write!(
                f,
                "under a development root: a rehearsal, which says nothing about hardware"
            ),
        }
    }
}

/// One record's time, for people.
pub(crate) fn when(record: &VerifiedRecord) -> String {
    moment(record.time)
}
