//! What a manifest changes, in words a person can decide on.
//!
//! Guarantees: two manifests that differ in anything but sequence and predecessors have at least one
//! change; what widens what the key does (who approves, who holds shares, where applications may
//! connect, whether the key is forwarded) comes first and is marked. Before the first manifest the
//! sets are the definition's, nothing ran, nobody connected and nothing was forwarded.
//!
//! Does not: judge. A hash says which binary, not what it does.

use std::fmt::Display;

use quorate_protocol::atoms::{Name, Sha256, Text, UnixMillis};
use quorate_protocol::definition::{Definition, MeasurementFields};
use quorate_protocol::egress::Destination;
use quorate_protocol::forward::{ApprovalRule, ForwardPolicy};
use quorate_protocol::genesis::Epoch;
use quorate_protocol::keys::EncryptionKey;
use quorate_protocol::manifest::{Application, Manifest};
use quorate_protocol::members::{Member, MemberSet, MemberSetFields};
use quorate_twins::rfc3339;

use crate::rekey::KeyFingerprint;

/// How much a change deserves to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It changes who decides, who holds the key, or where what it protects can go.
    Power,
    /// It changes what runs.
    Code,
    /// It changes under which conditions it runs.
    Setting,
}

impl Weight {
    /// A stable name for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Code => "code",
            Self::Setting => "setting",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// A stable name of its kind, for machines.
    pub kind: &'static str,
    /// How much it deserves to be looked at.
    pub weight: Weight,
    /// What it is about: an application, a member, a register; nothing where the kind says it.
    pub subject: Option<String>,
    /// What it was; nothing if it is new.
    pub before: Option<String>,
    /// What it will be; nothing if it goes.
    pub after: Option<String>,
    /// The sentence.
    pub words: String,
}

/// What `after` changes to what holds before it, the weightiest first.
#[must_use]
pub fn changes(
    definition: &Definition,
    before: Option<&Manifest>,
    after: &Manifest,
) -> Vec<Change> {
    let mut all = Changes(Vec::new());
    let (manifest_set, share_set) = match before {
        Some(before) => (&before.manifest_set, &before.share_set),
        None => (&definition.manifest_set, &definition.share_set),
    };
    all.set(
        "approver",
        "MANIFEST APPROVERS",
        manifest_set,
        &after.manifest_set,
    );
    all.set("holder", "SHARE HOLDERS", share_set, &after.share_set);
    all.key(before, after);
    all.forward(
        before.and_then(|b| b.forward.as_ref()),
        after.forward.as_ref(),
    );
    all.applications(before.map_or(&[], |b| &b.applications), &after.applications);
    all.measurements(before.map(|b| &*b.measurements), &after.measurements);
    all.settings(before, after);
    all.0.sort_by_key(|change| change.weight);
    all.0
}

/// How far new shares are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewShares {
    /// They are asked for, and can be made until then.
    Ordered {
        /// The last moment, by the enclave's security module.
        until: UnixMillis,
    },
    /// They were made.
    Made {
        /// How they are called.
        epoch: Epoch,
    },
}

/// What a resharing changes to what runs, the weightiest first: holders, threshold, shares.
#[must_use]
pub fn resharing(running: &Manifest, after: &MemberSet, shares: NewShares) -> Vec<Change> {
    let mut all = Changes(Vec::new());
    all.set("holder", "SHARE HOLDERS", &running.share_set, after);
    let (power, was) = (Weight::Power, running.epoch);
    match shares {
        NewShares::Ordered { until } => {
            let words = format!(
                "MAKES NEW SHARES OF THE SAME KEY: those of {was} count no more once a manifest \
                 names the new ones"
            );
            all.add("epoch", power, None, (Some(&was), None), words);
            let until = text(until);
            let words = format!("can be carried out until {until}, and never after it");
            let setting = Weight::Setting;
            all.add("expires", setting, None, (None, Some(&until)), words);
        }
        NewShares::Made { epoch } => {
            let words = format!(
                "BRINGS NEW SHARES OF THE SAME KEY, of {epoch}: those of {was} count no more once \
                 a manifest names these"
            );
            all.add("epoch", power, None, (Some(&was), Some(&epoch)), words);
        }
    }
    all.0
}

/// What is another of a member who keeps their name. Keys are named by the fingerprints that people read to
/// each other.
fn moved(old: &Member, new: &Member) -> String {
    let mut all = Vec::new();
    if old.index != new.index {
        let (was, is) = (old.index.get(), new.index.get());
        all.push(format!("index from {was} to {is}"));
    }
    if old.signing_key != new.signing_key {
        let (was, is) = (
            KeyFingerprint::of(&old.signing_key),
            KeyFingerprint::of(&new.signing_key),
        );
        all.push(format!(
            "THE KEY with the fingerprint {was} IS REPLACED by the one with {is}, and whoever has that \
             one acts as {}",
            new.name
        ));
    }
    if old.encryption_key != new.encryption_key {
        let hash = |key: &EncryptionKey| Sha256::of(&key.to_compressed());
        let (was, is) = (hash(&old.encryption_key), hash(&new.encryption_key));
        all.push(format!("encryption key from {was} to {is}"));
    }
    all.join("; ")
}

struct Changes(Vec<Change>);

/// A pair of what was and what will be.
type Pair<'a> = (Option<&'a dyn Display>, Option<&'a dyn Display>);

impl Changes {
    fn add(
        &mut self,
        kind: &'static str,
        weight: Weight,
        subject: Option<&dyn Display>,
        (before, after): Pair<'_>,
        words: String,
    ) {
        let text = |value: Option<&dyn Display>| value.map(ToString::to_string);
        self.0.push(Change {
            kind,
            weight,
            subject: text(subject),
            before: text(before),
            after: text(after),
            words,
        });
    }

    /// A value of one place that may have changed.
    fn value<T: Display + PartialEq>(
        &mut self,
        kind: &'static str,
        weight: Weight,
        what: &str,
        before: &T,
        after: &T,
    ) {
        if before != after {
            let words = format!("{what} changes from {before} to {after}");
            self.add(kind, weight, None, (Some(before), Some(after)), words);
        }
    }

    fn set(&mut self, who: &'static str, what: &str, before: &MemberSet, after: &MemberSet) {
        let power = Weight::Power;
        let (was, is) = (before.threshold, after.threshold);
        let (of, to) = (before.members.len(), after.members.len());
        if (was, of) != (is, to) {
            let words = format!("CHANGES THE {what} from {was} of {of} to {is} of {to}");
            let (was, is) = (format!("{was} of {of}"), format!("{is} of {to}"));
            let kind = if who == "holder" {
                "share-threshold"
            } else {
                "manifest-threshold"
            };
            self.add(kind, power, None, (Some(&was), Some(&is)), words);
        }
        let added = if who == "holder" {
            "holder-added"
        } else {
            "approver-added"
        };
        let (removed, changed) = if who == "holder" {
            ("holder-removed", "holder-changed")
        } else {
            ("approver-removed", "approver-changed")
        };
        for member in &after.members {
            let known = before.named(&member.name);
            let key = member.signing_key.to_string();
            match known {
                None => {
                    let words = format!(
                        "ADDS {} TO THE {what}, at index {}, with the key {key}",
                        member.name,
                        member.index.get()
                    );
                    self.add(added, power, Some(&member.name), (None, Some(&key)), words);
                }
                Some(old) if old != member => {
                    let old_key = old.signing_key.to_string();
                    let words = format!(
                        "CHANGES {} AMONG THE {what}: {}",
                        member.name,
                        moved(old, member)
                    );
                    let pair: Pair<'_> = (Some(&old_key), Some(&key));
                    self.add(changed, power, Some(&member.name), pair, words);
                }
                Some(_) => {}
            }
        }
        for member in gone(before, after) {
            let words = format!("REMOVES {member} FROM THE {what}");
            self.add(removed, power, Some(member), (Some(member), None), words);
        }
    }

    fn key(&mut self, before: Option<&Manifest>, after: &Manifest) {
        let Some(before) = before else { return };
        let power = Weight::Power;
        let (was, is) = (before.quorum_key.to_string(), after.quorum_key.to_string());
        self.value("quorum-key", power, "THE QUORUM KEY", &was, &is);
        let (was, is) = (before.epoch, after.epoch);
        if was != is {
            let words = format!("NAMES NEW SHARES, of {is}: those of {was} count no more");
            self.add("epoch", power, None, (Some(&was), Some(&is)), words);
        }
    }

    fn forward(&mut self, before: Option<&ForwardPolicy>, after: Option<&ForwardPolicy>) {
        if before == after {
            return;
        }
        let (was, is) = (before.map(policy), after.map(policy));
        let words = match (&was, &is) {
            (None, Some(is)) => format!("LETS THE KEY BE FORWARDED {is}"),
            (Some(was), None) => format!("ends forwarding of the key, which was allowed {was}"),
            (Some(was), Some(is)) => {
                format!("CHANGES WHETHER THE KEY MAY BE FORWARDED, from {was} to {is}")
            }
            (None, None) => return,
        };
        let pair = (
            was.as_ref().map(|text| text as &dyn Display),
            is.as_ref().map(|text| text as &dyn Display),
        );
        self.add("forward", Weight::Power, None, pair, words);
    }

    fn applications(&mut self, before: &[Application], after: &[Application]) {
        let code = Weight::Code;
        for application in after {
            let name = &application.name;
            match before.iter().find(|old| old.name == *name) {
                None => {
                    let hash = &application.sha256;
                    let words = format!(
                        "adds the application {name}: {hash}, {} bytes",
                        application.size
                    );
                    self.add(
                        "application-added",
                        code,
                        Some(name),
                        (None, Some(hash)),
                        words,
                    );
                    let nothing = Application {
                        arguments: Vec::new(),
                        environment: Vec::new(),
                        ports: Vec::new(),
                        calls: Vec::new(),
                        shares: Vec::new(),
                        egress: Vec::new(),
                        ..application.clone()
                    };
                    self.application(&nothing, application);
                }
                Some(old) => self.application(old, application),
            }
        }
        for old in before {
            if !after.iter().any(|new| new.name == old.name) {
                let (name, hash) = (&old.name, &old.sha256);
                let words = format!("removes the application {name}");
                self.add(
                    "application-removed",
                    code,
                    Some(name),
                    (Some(hash), None),
                    words,
                );
                if !old.egress.is_empty() {
                    self.egress(name, &old.egress, &[]);
                }
            }
        }
    }

    fn application(&mut self, old: &Application, new: &Application) {
        let (name, setting) = (&new.name, Weight::Setting);
        if (old.sha256, old.size) != (new.sha256, new.size) {
            let words = format!(
                "changes the binary of {name} from {} ({} bytes) to {} ({} bytes)",
                old.sha256, old.size, new.sha256, new.size
            );
            let pair: Pair<'_> = (Some(&old.sha256), Some(&new.sha256));
            self.add("binary", Weight::Code, Some(name), pair, words);
        }
        if old.arguments != new.arguments {
            let (was, is) = (line(&old.arguments), line(&new.arguments));
            let words = format!("changes the arguments of {name} from {was} to {is}");
            let pair: Pair<'_> = (Some(&was), Some(&is));
            self.add("arguments", Weight::Code, Some(name), pair, words);
        }
        self.environment(name, &old.environment, &new.environment);
        self.ports(name, &old.ports, &new.ports);
        self.egress(name, &old.egress, &new.egress);
        for (kind, may, was, is) in [
            ("calls", "call", &old.calls, &new.calls),
            (
                "shares",
                "have opened what it seals by",
                &old.shares,
                &new.shares,
            ),
        ] {
            for other in is.iter().filter(|other| !was.contains(other)) {
                let words = format!("LETS {name} {may} {other}");
                self.add(kind, Weight::Power, Some(name), (None, Some(other)), words);
            }
            for other in was.iter().filter(|other| !is.contains(other)) {
                let words = format!("no longer lets {name} {may} {other}");
                self.add(kind, setting, Some(name), (Some(other), None), words);
            }
        }
        if old.memory_limit != new.memory_limit {
            let (was, is) = (old.memory_limit, new.memory_limit);
            let words = format!("changes the memory of {name} from {was} to {is} bytes");
            self.add(
                "memory",
                setting,
                Some(name),
                (Some(&was), Some(&is)),
                words,
            );
        }
        if old.restart != new.restart {
            let (was, is) = (restart(old), restart(new));
            let words = format!("changes when {name} is started again, from {was} to {is}");
            self.add(
                "restart",
                setting,
                Some(name),
                (Some(&was), Some(&is)),
                words,
            );
        }
    }

    fn environment(&mut self, name: &Name, old: &[Text<4096>], new: &[Text<4096>]) {
        let kind = "environment";
        let split = |text: &Text<4096>| {
            let (variable, value) = text.as_str().split_once('=').unwrap_or_default();
            (variable.to_owned(), value.to_owned())
        };
        let old: Vec<(String, String)> = old.iter().map(split).collect();
        let new: Vec<(String, String)> = new.iter().map(split).collect();
        let find = |list: &[(String, String)], of: &str| {
            let found = list.iter().find(|(variable, _)| variable == of);
            found.map(|(_, value)| value.clone())
        };
        for (variable, is) in &new {
            let words = match find(&old, variable) {
                None => format!("sets {variable} of {name} to {is:?}"),
                Some(was) if was == *is => continue,
                Some(was) => {
                    let words = format!("changes {variable} of {name} from {was:?} to {is:?}");
                    let pair: Pair<'_> = (Some(&was), Some(is));
                    self.add(kind, Weight::Code, Some(name), pair, words);
                    continue;
                }
            };
            self.add(kind, Weight::Code, Some(name), (None, Some(is)), words);
        }
        for (variable, was) in &old {
            if find(&new, variable).is_none() {
                let words = format!("removes {variable} of {name}, which was {was:?}");
                self.add(kind, Weight::Code, Some(name), (Some(was), None), words);
            }
        }
    }

    fn ports(&mut self, name: &Name, old: &[u32], new: &[u32]) {
        for port in new.iter().filter(|port| !old.contains(port)) {
            let words = format!("lets {name} listen on port {port}");
            self.add(
                "port",
                Weight::Setting,
                Some(name),
                (None, Some(port)),
                words,
            );
        }
        for port in old.iter().filter(|port| !new.contains(port)) {
            let words = format!("no longer lets {name} listen on port {port}");
            self.add(
                "port",
                Weight::Setting,
                Some(name),
                (Some(port), None),
                words,
            );
        }
    }

    fn egress(&mut self, name: &Name, old: &[Destination], new: &[Destination]) {
        for to in new.iter().filter(|to| !old.contains(to)) {
            let words = format!("LETS {name} CONNECT TO {to}");
            self.add("egress", Weight::Power, Some(name), (None, Some(to)), words);
        }
        for to in old.iter().filter(|to| !new.contains(to)) {
            let words = format!("no longer lets {name} connect to {to}");
            self.add("egress", Weight::Power, Some(name), (Some(to), None), words);
        }
    }

    fn measurements(&mut self, before: Option<&MeasurementFields>, after: &MeasurementFields) {
        let code = Weight::Code;
        let Some(before) = before else { return };
        let pcr = |fields: &MeasurementFields, index| {
            let mut registers = fields.registers();
            registers.find(|(at, _)| *at == index).map(|(_, pcr)| pcr)
        };
        for (index, what) in [
            (0, "the image"),
            (1, "kernel and operating system"),
            (2, "what the image holds beside the operating system"),
            (8, "the certificate that signed the image"),
        ] {
            let (was, is) = (pcr(before, index), pcr(after, index));
            if was == is {
                continue;
            }
            let register = format!("PCR{index}");
            let words = match (&was, &is) {
                (Some(was), Some(is)) => {
                    format!("changes {what}: {register} from {was} to {is}")
                }
                (None, Some(is)) => format!("also demands {what}: {register} {is}"),
                (Some(was), None) => format!("NO LONGER DEMANDS {what}: {register} was {was}"),
                (None, None) => continue,
            };
            let pair = (
                was.as_ref().map(|pcr| pcr as &dyn Display),
                is.as_ref().map(|pcr| pcr as &dyn Display),
            );
            self.add("measurement", code, Some(&register), pair, words);
        }
        let role = |fields: &MeasurementFields| match &fields.role_arn {
            Some(role) => format!("the role {role}"),
            None => "any role".into(),
        };
        let what = "the parent instance's role (PCR3)";
        self.value("role", code, what, &role(before), &role(after));
    }

    fn settings(&mut self, before: Option<&Manifest>, after: &Manifest) {
        let setting = Weight::Setting;
        let Some(before) = before else { return };
        let (was, is) = (&before.validity, &after.validity);
        let moment = |time| text(time);
        let what = "the first moment it may boot";
        self.value(
            "valid-from",
            setting,
            what,
            &moment(was.not_before),
            &moment(is.not_before),
        );
        let what = "the last moment it may boot";
        self.value(
            "valid-until",
            setting,
            what,
            &moment(was.not_after),
            &moment(is.not_after),
        );
        let suites = |suites: &[u16]| -> String {
            let numbers: Vec<String> = suites.iter().map(ToString::to_string).collect();
            numbers.join(" ")
        };
        let what = "the list of accepted cipher suites";
        self.value(
            "suites",
            setting,
            what,
            &suites(&before.suites),
            &suites(&after.suites),
        );
    }
}

/// Names that are in the first set only.
fn gone<'a>(before: &'a MemberSetFields, after: &MemberSetFields) -> Vec<&'a Name> {
    let names = before.members.iter().map(|member| &member.name);
    names.filter(|name| after.named(name).is_none()).collect()
}

fn policy(policy: &ForwardPolicy) -> String {
    let rule = match policy.approvals {
        ApprovalRule::Always => "always with approvals of share holders",
        ApprovalRule::ExceptApplications => "without approvals where only applications change",
    };
    format!("until {}, {rule}", text(policy.not_after))
}

fn restart(application: &Application) -> String {
    let restart = &application.restart;
    format!(
        "{} times after {} to {} ms, ready within {} ms",
        restart.restarts,
        restart.first_back_off_ms,
        restart.largest_back_off_ms,
        restart.start_deadline_ms
    )
}

/// Arguments as one line in which their borders are seen.
fn line(arguments: &[Text<4096>]) -> String {
    let quoted: Vec<String> = arguments
        .iter()
        .map(|a| format!("{:?}", a.as_str()))
        .collect();
    format!("[{}]", quoted.join(" "))
}

fn text(time: UnixMillis) -> String {
    rfc3339(time).unwrap_or_else(|| time.0.to_string())
}

#[cfg(test)]
mod tests;
