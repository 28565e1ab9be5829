//! What each step shows.

mod begin;
pub(super) mod carried;
mod diff;
mod drill;
mod forward;
mod join;
mod people;
mod reshare;
mod resharing;
mod surrogate;

use std::path::Path;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::control::ReportKind;
use quorate_protocol::definition::{Definition, MeasurementFields};
use quorate_protocol::digest::Digest;
use quorate_protocol::egress;
use quorate_protocol::manifest::{Application, Manifest};
use quorate_protocol::message::{ApplicationLog, ApplicationStatus, Exit, Log, Phase, Status};
use quorate_quorum_ceremony::challenge::wall_clock;
use quorate_quorum_ceremony::diff::changes;
use quorate_quorum_ceremony::steps::approve::{self, Approved};
use quorate_quorum_ceremony::steps::attest::{Attested, InstanceStage};
use quorate_quorum_ceremony::steps::boot::{Ready, Started};
use quorate_quorum_ceremony::steps::consent::Consented;
use quorate_quorum_ceremony::steps::define::Defined;
use quorate_quorum_ceremony::steps::evidence::Collected;
use quorate_quorum_ceremony::steps::genesis::Born;
use quorate_quorum_ceremony::steps::manifest::Proposed;
use quorate_quorum_ceremony::steps::provision::{Given, Verified};
use quorate_quorum_ceremony::steps::receipt::{self, Received};
use quorate_quorum_ceremony::steps::status::{Next, Progress};
use quorate_quorum_ceremony::storage::Published;
use quorate_quorum_ceremony::workspace::{IgnoredApproval, role_name};
use quorate_twins::rfc3339;
use quorate_verify::attestation::Partition;
use quorate_verify::instance::DocumentFacts;
use serde_json::{Value, json};

pub(super) use self::begin::{Named, begun, excepted, exception_review, preflight, turn, wanted};
use self::diff::differences;
pub(super) use self::drill::{
    drill_draft, drill_end_draft, drill_finished, drill_given, drill_review, drill_started,
};
pub(super) use self::forward::{forward_approved, forward_review, forwarded};
pub(super) use self::join::joined;
use self::people::{seats, set};
pub(super) use self::reshare::{
    destroy_review, destroyed, new_share_received, order_changes, order_consented, order_draft,
    order_review, ordered, receipt_changes, reshare_review, reshared, rotated, run_review,
};
pub(super) use self::surrogate::{
    accept_review, accepted, delegated, delegation_review, delegations, entrust_changes,
    entrust_review, entrusted,
};
use super::report::Report;

/// What nobody can know from a chain alone.
const NEWEST: &str =
    "newest manifest not confirmed: no witness was asked whether a newer one exists";

pub(super) fn defined(done: &Defined) -> Report {
    definition(
        Report::new("define", title("the definition", done.published)),
        &done.definition,
    )
    .next("every member: quorate ceremony consent, after comparing the fingerprint by voice")
}

pub(super) fn definition_review(reviewed: &Definition) -> Report {
    definition(
        Report::new("consent", "you are about to consent to this definition"),
        reviewed,
    )
    .note("read the fingerprint aloud to the other members and hear theirs before you go on")
}

pub(super) fn definition_draft(drafted: &Definition) -> Report {
    definition(Report::new("define", "this definition"), drafted)
}

pub(super) fn boot_review(ready: &Ready) -> Report {
    let report = Report::new("boot", "the binaries are those of the approved manifest");
    manifest(report, ready.manifest(), Digest::of(ready.manifest()))
        .development(ready.definition().attestation_root.is_development())
}

pub(super) fn consented(done: &Consented) -> Report {
    let title = title("your consent", done.published);
    definition(Report::new("consent", title), &done.definition)
        .next("wait for the genesis, then quorate ceremony receipt")
}

pub(super) fn born(done: &Born) -> Report {
    let report = Report::new("genesis", "the quorum key was made")
        .fact("genesis", "genesis digest", done.genesis)
        .fact("epoch", "epoch", done.output.commitments.epoch())
        .number("shares", "sealed shares", count(done.output.shares.len()));
    document(report, &done.facts)
        .note("leave the genesis enclave running until every member has their receipt")
        .next("every member: quorate ceremony receipt")
}

pub(super) fn genesis_review(step: &receipt::Review) -> Report {
    let title = if step.holds_share() {
        "the genesis is attested; you are about to check and acknowledge your share"
    } else {
        "the genesis is attested; you are about to pin it (you hold no share)"
    };
    let report = Report::new("receipt", title).fact("genesis", "genesis digest", step.genesis());
    document(definition(report, step.definition()), step.facts())
}

pub(super) fn received(done: &Received) -> Report {
    let text = match done.published {
        Some(published) => title("your receipt", published),
        None => "the genesis is pinned; you hold no share".into(),
    };
    let index = done.index.map(|index| index.get());
    let report = Report::new("receipt", text)
        .fact("genesis", "genesis digest", done.genesis)
        .fact("epoch", "epoch", done.epoch)
        .row(
            "index",
            "your share",
            index
                .iter()
                .map(|index| format!("index {index}, checked"))
                .collect(),
            json!(index),
        );
    document(report, &done.facts)
        .note("the genesis digest is the namespace: write it down where nobody else can change it")
        .next("wait for a manifest, then quorate ceremony approve")
}

pub(super) fn proposed(done: &Proposed) -> Report {
    let report = Report::new(
        "manifest",
        format!("manifest {} is written", done.manifest.sequence),
    )
    .row(
        "record",
        "genesis record",
        vec![
            match done.record {
                Published::Written => "complete, put together now",
                Published::AlreadyThere => "complete",
            }
            .into(),
        ],
        json!("complete"),
    );
    let report = manifest(report, &done.manifest, done.digest);
    differences(
        report,
        &done.definition,
        done.before.as_ref(),
        &done.manifest,
    )
    .development(done.definition.attestation_root.is_development())
    .next("members: quorate ceremony approve")
}

pub(super) fn manifest_review(step: &approve::Review) -> Report {
    let successor = step.successor();
    let mut report = Report::new(
        "approve",
        format!("you are about to approve manifest {}", successor.sequence),
    );
    report = manifest(report, step.manifest(), successor.digest);
    report = differences(report, step.definition(), step.before(), step.manifest());
    // Who will approve, or hold shares, from then on: the signature is about these keys too.
    if successor.changes_manifest_set {
        let people = &step.manifest().manifest_set;
        report = set(report, "manifest_set", "NEW APPROVERS", people);
    }
    if successor.changes_share_set {
        let people = &step.manifest().share_set;
        report = set(report, "share_set", "NEW HOLDERS", people);
    }
    if let Some(completion) = &successor.reshare {
        report = reshare::completed(report, completion);
    }
    report = surrogate::acting(report, step.acting().map(|acting| &acting.delegation));
    ignored(seats(report.note(NEWEST), step.seats()), step.ignored())
        .development(step.definition().attestation_root.is_development())
}

/// What the manifest changes, for a screen.
pub(super) fn changes_for_screen(step: &approve::Review) -> Vec<quorate_screens::Change> {
    diff::for_screen(changes(step.definition(), step.before(), step.manifest()))
}

pub(super) fn approved(done: &Approved) -> Report {
    let report = Report::new("approve", title("your approval", done.published));
    let report = surrogate::acting(
        report,
        done.acting.as_ref().map(|acting| &acting.delegation),
    );
    seats(manifest(report, &done.manifest, done.digest), &done.seats)
        .development(done.development)
        .next("when enough have approved: quorate ceremony boot")
}

pub(super) fn started(done: &Started) -> Report {
    let report = Report::new("boot", "the enclave says it has booted")
        .fact("genesis", "genesis digest", done.genesis)
        .number("uploaded", "bytes uploaded", done.uploaded);
    ignored(manifest(report, &done.manifest, done.digest), &done.ignored)
        .development(done.definition.attestation_root.is_development())
        .note("a claim until it is attested: each member's provision verifies it")
        .next("members: quorate ceremony provision")
}

pub(super) fn attested(done: &Attested) -> Report {
    let (stage, title) = match done.stage {
        InstanceStage::Setup => (
            "setup",
            "this enclave runs what was approved and waits for shares",
        ),
        InstanceStage::Live => ("live", "this enclave runs what was approved"),
    };
    let mut report = Report::new("attest", title)
        .fact("genesis", "genesis digest", done.genesis)
        .fact("stage", "stage", stage)
        .fact(
            "encryption_key",
            "attested to",
            hex(&done.keys.encryption.to_compressed()),
        )
        .fact("verification_key", "answers with", done.keys.verification);
    report = document(manifest(report, &done.manifest, done.digest), &done.facts);
    if done.stage == InstanceStage::Live {
        report = report
            .note("that it runs is attested, that it was given the key is not: see the evidence");
    }
    ignored(claims(report, &done.claimed), &done.ignored).note(NEWEST)
}

pub(super) fn instance_review<V>(step: &Verified<V>) -> Report {
    let report = Report::new(
        "provision",
        "this enclave is verified; you are about to give it your share",
    )
    .fact("genesis", "genesis digest", step.genesis());
    let report = surrogate::acting(report, step.acting().map(|acting| &acting.delegation));
    let report = manifest(report, step.manifest(), step.manifest_digest())
        .note(NEWEST)
        .note("the wall clock is not what makes this fresh: the enclave signed your own nonce");
    ignored(document(report, &step.setup().facts), step.ignored())
}

pub(super) fn given(done: &Given, development: bool) -> Report {
    let grant = done.provision.grant.unverified();
    let report = Report::new("provision", "your share was given and acknowledged");
    let report = surrogate::acting(report, done.provision.delegation.as_deref())
        .fact("genesis", "genesis digest", grant.genesis)
        .fact("manifest", "manifest", grant.manifest)
        .fact("epoch", "epoch", done.epoch)
        .fact("document", "attested in", grant.document)
        .fact("grant", "grant", done.provision.grant.digest())
        .number("index", "your index", done.index.get().into())
        .row(
            "accepted",
            "good shares",
            vec![format!("{} of {}", done.accepted, done.threshold)],
            done.accepted.into(),
        )
        .number("threshold", "needed", done.threshold.into())
        .development(development);
    if done.accepted == done.threshold {
        report.next("the enclave rebuilds the key: quorate ceremony evidence")
    } else {
        report.next("further members: quorate ceremony provision")
    }
}

pub(super) fn collected(done: &Collected, out: &Path) -> Report {
    let shown = out.display().to_string();
    let report = Report::new("evidence", format!("the evidence is in {shown}"))
        .fact("out", "file", &shown)
        .number("bytes", "bytes", count(done.bytes))
        .fact("genesis", "genesis digest", done.genesis)
        .fact("manifest", "manifest", done.manifest)
        .number("sequence", "sequence", done.sequence)
        .row(
            "provisioned",
            "provisioned",
            vec![if done.provisioned { "yes" } else { "no" }.into()],
            done.provisioned.into(),
        );
    document(report, &done.facts).next(format!(
        "anybody: quorate verify evidence {shown} --genesis {}",
        done.genesis
    ))
}

pub(super) fn progress(done: &Progress) -> Report {
    let names = |names: &[Name]| -> (Vec<String>, Value) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        (names.clone(), json!(names))
    };
    let mut report = Report::new(
        "status",
        "what the folder shows; nothing of it is pinned here",
    );
    if let Some(found) = &done.definition {
        report = definition(report, found);
        let (lines, value) = names(&done.without_consent);
        report = report.row("without_consent", "consent missing", lines, value);
    }
    if let Some(genesis) = done.genesis {
        report = report.fact("genesis", "genesis digest", genesis);
        let (lines, value) = names(&done.without_receipt);
        report = report.row("without_receipt", "receipt missing", lines, value);
    }
    let lines = done.manifests.iter().map(|entry| {
        let approvals: Vec<String> = entry
            .approvals
            .iter()
            .map(|(name, role)| {
                let mut surrogates = entry.surrogates.iter();
                let acting = surrogates.find(|(member, _, at)| member == name && at == role);
                let by =
                    acting.map_or_else(String::new, |(_, by, _)| format!(" by surrogate {by}"));
                format!("{name}{by} ({})", role_name(*role))
            })
            .collect();
        let state = if entry.approved {
            "approved"
        } else {
            "waiting"
        };
        let by = approvals.join(", ");
        format!(
            "{} {state} {}; by: {by}",
            entry.manifest.sequence, entry.digest
        )
    });
    let value = done.manifests.iter().map(|entry| {
        json!({
            "sequence": entry.manifest.sequence,
            "digest": entry.digest.to_string(),
            "approved": entry.approved,
            "approvals": entry.approvals.iter()
                .map(|(name, role)| json!({ "name": name.as_str(), "role": role_name(*role) }))
                .collect::<Vec<_>>(),
            "surrogates": entry.surrogates.iter()
                .map(|(member, surrogate, role)| json!({
                    "member": member.as_str(),
                    "surrogate": surrogate.as_str(),
                    "role": role_name(*role),
                }))
                .collect::<Vec<_>>(),
            "applications": entry.manifest.applications.iter()
                .map(|application| application.name.as_str())
                .collect::<Vec<_>>(),
        })
    });
    report = report.row("manifests", "manifests", lines.collect(), value.collect());
    if let Some(status) = &done.enclave {
        report = claims(report, status);
    }
    report = drill::last(report, done.drill.as_ref());
    let newest = done.manifests.iter().rfind(|entry| entry.approved);
    if let (Some(newest), Some(found)) = (newest, &done.definition) {
        report = resharing::people_now(report, found, &newest.manifest);
    }
    if let Some(order) = &done.resharing {
        report = resharing::order(report, order);
    }
    if let Some(replaced) = &done.replaced {
        report = resharing::replaced(report, replaced);
    }
    let who = match done.next {
        Next::Define | Next::Genesis | Next::Manifest | Next::ReshareRun | Next::Rotate => {
            "coordinator"
        }
        Next::Consent | Next::Receipt | Next::Approve => "members",
        Next::ReshareSign => "members of the present sets",
        Next::ReshareReceipt => "new holders",
        Next::Boot => "coordinator, then members with provision",
    };
    ignored(report, &done.ignored).next(format!("quorate ceremony {} ({who})", done.next.command()))
}

fn definition(report: Report, definition: &Definition) -> Report {
    let root = &definition.attestation_root;
    let report = report
        .fact("fingerprint", "fingerprint", Digest::of(definition))
        .fact("namespace", "namespace", &definition.namespace);
    let report = set(report, "share_set", "share holders", &definition.share_set);
    let report = set(
        report,
        "manifest_set",
        "manifest approvers",
        &definition.manifest_set,
    );
    let report = report
        .row(
            "root",
            "attestation root",
            vec![format!("{} {}", root.partition, root.fingerprint)],
            json!({
                "partition": root.partition.as_str(),
                "fingerprint": root.fingerprint.to_string(),
            }),
        )
        .development(root.is_development());
    let report = begin::age_limit(report, definition.age_limit);
    let report = match Partition::from_name(root.partition.as_str()) {
        Some(Partition::Aws | Partition::Development) => report,
        // Anybody can call a root of their own that.
        _ => report.note(format!(
            "the root of {} is not built in: compare its fingerprint with the one AWS publishes \
             for that partition; under any other root an emulator passes for an enclave",
            root.partition
        )),
    };
    measurements(report, &definition.measurements)
}

fn measurements(report: Report, measurements: &MeasurementFields) -> Report {
    let registers: Vec<(u8, String)> = measurements
        .registers()
        .map(|(index, pcr)| (index, pcr.to_string()))
        .collect();
    let mut lines: Vec<String> = registers
        .iter()
        .map(|(index, pcr)| format!("PCR{index} {pcr}"))
        .collect();
    if let Some(role) = &measurements.role_arn {
        lines.push(format!("role {role}"));
    }
    let value: serde_json::Map<String, Value> = registers
        .into_iter()
        .map(|(index, pcr)| (format!("PCR{index}"), Value::String(pcr)))
        .collect();
    report.row(
        "measurements",
        "image measures as",
        lines,
        Value::Object(value),
    )
}

fn manifest(report: Report, manifest: &Manifest, digest: Digest<Manifest>) -> Report {
    let validity = &manifest.validity;
    let report = report
        .fact("manifest", "manifest", digest)
        .number("sequence", "sequence", manifest.sequence)
        .row(
            "applications",
            "applications",
            manifest
                .applications
                .iter()
                .flat_map(application_lines)
                .collect(),
            manifest.applications.iter().map(application_json).collect(),
        )
        .row(
            "validity",
            "may boot",
            vec![format!(
                "{} to {}",
                time(validity.not_before),
                time(validity.not_after)
            )],
            json!({ "not_before": validity.not_before.0, "not_after": validity.not_after.0 }),
        );
    let report = forward::policy(report, manifest.forward.as_ref());
    measurements(report, &manifest.measurements)
}

fn application_lines(application: &Application) -> Vec<String> {
    let ports: Vec<String> = application.ports.iter().map(ToString::to_string).collect();
    let restart = &application.restart;
    let mut lines = vec![
        format!("{} {}", application.name, application.sha256),
        format!(
            "  {} bytes, ports {}, memory {} bytes",
            application.size,
            ports.join(" "),
            application.memory_limit,
        ),
        format!(
            "  started again {} times at most, after {} to {} ms; ready within {} ms",
            restart.restarts,
            restart.first_back_off_ms,
            restart.largest_back_off_ms,
            restart.start_deadline_ms,
        ),
        match application.calls.as_slice() {
            [] => "  calls no other application".into(),
            names => format!("  MAY CALL {}", listed(names)),
        },
        match application.shares.as_slice() {
            [] => "  nobody else opens what it seals".into(),
            names => format!("  WHAT IT SEALS FOR THEM, {} CAN OPEN", listed(names)),
        },
        match application.egress.as_slice() {
            [] => "  connects nowhere".into(),
            destinations => format!("  MAY CONNECT TO {}", egress::listed(destinations)),
        },
    ];
    lines.extend(
        application
            .arguments
            .iter()
            .map(|text| format!("  argument {text}")),
    );
    lines.extend(
        application
            .environment
            .iter()
            .map(|text| format!("  environment {text}")),
    );
    lines
}

fn listed(names: &[Name]) -> String {
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    names.join(", ")
}

fn application_json(application: &Application) -> Value {
    json!({
        "name": application.name.as_str(),
        "sha256": application.sha256.to_string(),
        "size": application.size,
        "ports": application.ports,
        "memory": application.memory_limit,
        "restarts": application.restart.restarts,
        "first_back_off_ms": application.restart.first_back_off_ms,
        "largest_back_off_ms": application.restart.largest_back_off_ms,
        "start_deadline_ms": application.restart.start_deadline_ms,
        "calls": application.calls.iter().map(Name::as_str).collect::<Vec<_>>(),
        "shares": application.shares.iter().map(Name::as_str).collect::<Vec<_>>(),
        "egress": application.egress.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "arguments": application.arguments.iter().map(|text| text.as_str()).collect::<Vec<_>>(),
        "environment": application.environment.iter().map(|text| text.as_str()).collect::<Vec<_>>(),
    })
}

/// How far clocks may be apart before it is worth a word, in seconds.
const APART: u64 = 120;

/// The document, and this machine's clock beside the enclave's.
fn document(report: Report, facts: &DocumentFacts) -> Report {
    document_at(report, facts, wall_clock())
}

fn document_at(report: Report, facts: &DocumentFacts, now: UnixMillis) -> Report {
    let apart = now.0.abs_diff(facts.timestamp.0) / 1000;
    let report = match apart {
        0..=APART => report,
        _ => report.note(format!(
            "this machine's clock and the enclave's are {} minutes apart. What you sign carries this \
             machine's time, and manifests begin and end by the enclave's: set the clock that is \
             wrong. The attestation is fresh all the same: it answers your own nonce",
            apart / 60
        )),
    };
    report
        .fact("document", "attestation", facts.document)
        .fact("module", "enclave", &facts.module_id)
        .row(
            "timestamp",
            "signed at",
            vec![format!(
                "{} ({apart} s from this machine's clock)",
                time(facts.timestamp)
            )],
            facts.timestamp.0.into(),
        )
        .development(facts.development)
}

fn claims(report: Report, status: &Status) -> Report {
    let accepted: Vec<u8> = status.accepted.iter().map(|index| index.0.get()).collect();
    let applications: Vec<String> = status.applications.iter().map(application_words).collect();
    let mut lines = vec![phase(status.phase).to_owned()];
    if status.threshold > 0 {
        lines.push(format!("{} of {} shares", accepted.len(), status.threshold));
    }
    lines.extend(applications);
    let value = json!({
        "phase": phase(status.phase),
        "genesis": status.genesis.map(|digest| digest.to_string()),
        "manifest": status.manifest.map(|digest| digest.to_string()),
        "accepted": accepted,
        "threshold": status.threshold,
        "applications": status.applications.iter()
            .map(application_state)
            .collect::<Vec<_>>(),
    });
    report.row("enclave", "it says of itself", lines, value)
}

fn application_words(app: &ApplicationStatus) -> String {
    let ready = if app.ready { "ready" } else { "not ready" };
    let mut words = format!("{} {ready}", app.name);
    if app.starts > 1 {
        words += &format!(
            ", start {}, {} more restarts allowed",
            app.starts, app.restarts_left
        );
    }
    match app.exit {
        None => {}
        Some(Exit::Exited(status)) => words += &format!(", ended last with status {status}"),
        Some(Exit::Signalled(signal)) => words += &format!(", ended last by signal {signal}"),
    }
    words
}

fn application_state(app: &ApplicationStatus) -> Value {
    let exit = match app.exit {
        None => Value::Null,
        Some(Exit::Exited(status)) => json!({ "status": status }),
        Some(Exit::Signalled(signal)) => json!({ "signal": signal }),
    };
    json!({
        "name": app.name.as_str(),
        "starts": app.starts,
        "ready": app.ready,
        "exit": exit,
        "restarts_left": app.restarts_left,
    })
}

pub(super) fn log(log: &Log) -> Report {
    let mut report = Report::new("log", "what the applications reported");
    let lines = log.applications.iter().flat_map(log_lines);
    let value = log.applications.iter().map(application_log).collect();
    report = report.row("applications", "reports", lines.collect(), value);
    report.note("the enclave's word, not attested")
}

fn log_lines(app: &ApplicationLog) -> Vec<String> {
    let mut lines = Vec::new();
    if app.dropped > 0 {
        lines.push(format!("{}: {} older ones are gone", app.name, app.dropped));
    }
    lines.extend(app.reports.iter().map(|reported| {
        let report = &reported.report;
        format!(
            "{} {} start {}: {} {}, value {}",
            time(reported.time),
            app.name,
            reported.start,
            report_kind(report.kind),
            report.code,
            report.value,
        )
    }));
    lines
}

fn application_log(app: &ApplicationLog) -> Value {
    let reports = app.reports.iter().map(|reported| {
        json!({
            "start": reported.start,
            "time_ms": reported.time.0,
            "kind": report_kind(reported.report.kind),
            "code": reported.report.code,
            "value": reported.report.value,
        })
    });
    json!({
        "name": app.name.as_str(),
        "dropped": app.dropped,
        "reports": reports.collect::<Vec<_>>(),
    })
}

const fn report_kind(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Note => "note",
        ReportKind::Warning => "warning",
        ReportKind::Failure => "failure",
    }
}

fn ignored(mut report: Report, ignored: &[IgnoredApproval]) -> Report {
    for file in ignored {
        report = report.note(format!(
            "the approval of manifest {} in the name of {} for the {} is not theirs and was left out",
            file.sequence,
            file.name,
            role_name(file.role),
        ));
    }
    report
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Born => "born",
        Phase::Collecting => "collecting",
        Phase::Launching => "launching",
        Phase::Running => "running",
        Phase::Halting => "halting",
        Phase::HandingOver => "handing-over",
        Phase::HandedOver => "handed-over",
        Phase::Drilling => "drilling",
        Phase::Drilled => "drilled",
    }
}

fn title(what: &str, published: Published) -> String {
    match published {
        Published::Written => format!("{what} is in the folder"),
        Published::AlreadyThere => format!("{what} was in the folder already"),
    }
}

fn time(time: UnixMillis) -> String {
    rfc3339(time).unwrap_or_else(|| time.0.to_string())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use quorate_protocol::atoms::Sha256;

    use super::*;
    use crate::output::{Render as _, Style};

    /// Nothing is decided by a wall clock, and nobody is left to find out later.
    #[test]
    fn a_clock_that_is_off_by_an_hour_is_said() {
        let facts = DocumentFacts {
            document: Sha256([1; 32]),
            module_id: "i-1".into(),
            timestamp: UnixMillis(1_767_225_600_000),
            development: false,
        };
        let hour = 3_600_000;
        let shown = |now| document_at(Report::new("attest", "t"), &facts, UnixMillis(now));
        for off in [facts.timestamp.0 - hour, facts.timestamp.0 + hour] {
            let text = shown(off).text(Style::Plain);
            assert!(text.contains("are 60 minutes apart"), "{text}");
            assert_eq!(shown(off).json()["notes"].as_array().map(Vec::len), Some(1));
        }
        let near = shown(facts.timestamp.0 + 1000).text(Style::Plain);
        assert!(!near.contains("apart"), "{near}");
    }
}
