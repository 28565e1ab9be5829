//! `quorate ceremony rehearse`: each fault is noticed by who must notice it, the ceremony goes on or
//! stops, and nothing that a rehearsal makes passes for real.
//!
//! Needs the static enclave binaries (`./test` builds them first). Where they are missing the tests say
//! so and pass, but not in CI; the same where a token is needed and SoftHSM is not installed.

mod support;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "../../quorum-ceremony/token/tests/tokens/mod.rs"]
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{Family, Place, Ran, binaries};
use terminal::Terminal;

/// A place, and how the command is told of the binaries.
struct Rehearsal {
    place: Place,
    binaries: PathBuf,
}

impl Rehearsal {
    fn new() -> Option<Self> {
        Some(Self {
            binaries: binaries()?,
            place: Place::new(),
        })
    }

    fn run(&self, more: &[&str]) -> Ran {
        let binaries = self.binaries.to_str().expect("UTF-8");
        let line = ["ceremony", "rehearse", "--json", "--binaries", binaries];
        self.place.run(&[&line[..], more].concat())
    }

    /// A rehearsal that goes as it must: its one object.
    #[track_caller]
    fn good(&self, more: &[&str]) -> Value {
        let told = self.run(more).good().json();
        let left = self.place.left();
        assert_eq!(left, [] as [PathBuf; 0], "left behind");
        for (key, value) in [("ok", true), ("rehearsal", true), ("development", true)] {
            assert_eq!(told[key], value, "{key}: {told}");
        }
        told
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    let text = value[key].as_str().unwrap_or_default();
    assert!(!text.is_empty(), "no {key} in {value}");
    text
}

/// One fault alone, in the smallest ceremony that goes on after it.
#[track_caller]
fn noticed(fault: &str, step: &str, code: &str, whose: &str) {
    let Some(rehearsal) = Rehearsal::new() else {
        return;
    };
    // Where somebody has to stand in.
    let members = if fault == "absent-operator" || fault == "lost-token" {
        "3"
    } else {
        "2"
    };
    let told = rehearsal.good(&["--members", members, "--threshold", "2", "--fault", fault]);
    let faults = told["faults"].as_array().expect("faults");
    assert_eq!(faults.len(), 1, "{told}");
    let one = &faults[0];
    for key in ["member", "injected", "noticed_by", "remedied"] {
        text(one, key);
    }
    assert_eq!(one["fault"], fault);
    assert_eq!(one["step"], step);
    assert_eq!(one["outcome"], "went-on");
    assert_eq!(one["error"]["code"], code, "{one}");
    assert_eq!(one["error"]["fault"], whose, "{one}");
    text(&one["error"], "message");
    text(&one["error"], "remedy");
    assert_eq!(told["ended"], "running");
}

#[test]
fn rehearsed_wrong_passphrase_fails_closed() {
    noticed("wrong-passphrase", "consent", "wrong-passphrase", "caller");
}

#[test]
fn rehearsed_altered_file_fails_closed() {
    noticed(
        "altered-file",
        "receipt",
        "definition-differs-from-pin",
        "folder",
    );
}

#[test]
fn rehearsed_debug_enclave_fails_closed() {
    noticed(
        "debug-enclave",
        "boot",
        "refused-measurement-mismatch",
        "coordinator",
    );
}

#[test]
fn rehearsed_other_pcr_fails_closed() {
    noticed("other-pcr", "provision", "instance-measurement", "enclave");
}

#[test]
fn rehearsed_other_manifest_fails_closed() {
    noticed(
        "other-manifest",
        "provision",
        "instance-setup-register",
        "enclave",
    );
}

#[test]
fn rehearsed_stale_attestation_fails_closed() {
    noticed(
        "stale-attestation",
        "provision",
        "nonce-mismatch",
        "enclave",
    );
}

#[test]
fn rehearsed_halted_enclave_fails_closed() {
    noticed("halted-enclave", "provision", "no-enclave", "caller");
}

#[test]
fn rehearsed_lost_key_fails_closed() {
    noticed("lost-key", "provision", "file-missing", "caller");
}

#[test]
fn rehearsed_bad_share_fails_closed() {
    noticed("bad-share", "provision", "refused-share-wrong", "member");
}

#[test]
fn rehearsed_absent_operator_fails_closed() {
    noticed("absent-operator", "evidence", "not-provisioned", "sender");
}

#[test]
fn rehearsed_lost_token_fails_closed() {
    if tokens::softhsm().is_some() {
        noticed("lost-token", "provision", "token-missing", "caller");
    }
}

/// What the tool says of a lost token, and how the ceremony ends with somebody to spare and without.
#[test]
fn a_lost_token_that_nobody_stands_in_for_stops_the_ceremony_fails_closed() {
    let (Some(rehearsal), Some(_)) = (Rehearsal::new(), tokens::softhsm()) else {
        return;
    };
    let line = |members, out| {
        let line = [
            "--threshold",
            "3",
            "--fault",
            "lost-token",
            "--members",
            members,
        ];
        rehearsal.good(&[&line[..], &["--out", out]].concat())
    };
    let (stopped, went_on) = (line("3", "stopped"), line("4", "went-on"));
    let (one, other) = (&stopped["faults"][0], &went_on["faults"][0]);
    for fault in [one, other] {
        assert_eq!(text(fault, "member"), "carol");
        let message = text(&fault["error"], "message");
        assert!(message.contains("SoftHSM"), "it names the token: {message}");
        let remedy = text(&fault["error"], "remedy");
        assert!(remedy.contains("if the token is lost"), "{remedy}");
    }
    assert_eq!(
        (&one["outcome"], &one["instead"], &stopped["ended"]),
        (&json!("stopped"), &Value::Null, &json!("stopped"))
    );
    for words in ["cannot be finished", "new genesis"] {
        assert!(text(one, "remedied").contains(words), "{one}");
    }
    assert!(!rehearsal.place.path("stopped/evidence.cbor").exists());
    assert_eq!(
        (&other["outcome"], &other["instead"], &went_on["ended"]),
        (&json!("went-on"), &json!("dave"), &json!("running"))
    );
    assert!(text(other, "remedied").contains("resharing"), "{other}");
    assert!(rehearsal.place.path("went-on/evidence.cbor").is_file());
    // What carol did before has her token in the transcript; the token itself is nowhere.
    let show = [
        "ceremony",
        "transcript",
        "show",
        "went-on/transcript.cbor",
        "--json",
    ];
    let shown = rehearsal.place.run(&show).good().json();
    let records = shown["records"].as_array().expect("records").iter();
    let hers = records.filter(|record| record["author"] == "carol");
    let hers: Vec<_> = hers.map(Value::to_string).collect();
    assert!(!hers.is_empty() && hers.iter().all(|record| record.contains("SoftHSM v2")));
    for file in files(&rehearsal.place.path("went-on")) {
        let name = file
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(
            !name.contains("token") && !name.contains("softhsm"),
            "{name}"
        );
    }
}

/// Two are missed: a lost token and somebody who does not come.
#[test]
fn a_lost_token_and_an_absent_operator_are_both_missed_fails_closed() {
    let (Some(rehearsal), Some(_)) = (Rehearsal::new(), tokens::softhsm()) else {
        return;
    };
    for (members, outcomes, ended) in [
        ("3", ["went-on", "stopped"], "stopped"),
        ("4", ["went-on", "went-on"], "running"),
    ] {
        let line = [
            "--members",
            members,
            "--threshold",
            "2",
            "--fault",
            "lost-token",
        ];
        let told = rehearsal.good(&[&line[..], &["--fault", "absent-operator"]].concat());
        let faults = told["faults"].as_array().expect("faults").iter();
        let found: Vec<_> = faults.map(|one| text(one, "outcome")).collect();
        assert_eq!((found, &told["ended"]), (outcomes.to_vec(), &json!(ended)));
    }
}

/// Nothing begins: there is no SoftHSM, no such module, or it is another one.
#[test]
fn a_lost_token_without_softhsm_fails_closed() {
    let Some(rehearsal) = Rehearsal::new() else {
        return;
    };
    let binaries = rehearsal.binaries.to_str().expect("UTF-8");
    let line = ["ceremony", "rehearse", "--json", "--binaries", binaries];
    let line = [&line[..], &["--members", "2", "--threshold", "2"]].concat();
    let refused = |more: &[&str], path: Option<&str>, code: &str, remedy: &str| {
        let mut command = rehearsal.place.command(&[&line[..], more].concat());
        command.envs(path.map(|path| ("PATH", path)));
        let ran = Ran::wait(command.spawn().expect("it starts"));
        assert_eq!(ran.code, Some(2), "{ran:?}");
        let error = &ran.json()["error"];
        assert_eq!(error["code"], code, "{error}");
        assert_eq!(error["fault"], "caller");
        assert!(text(error, "remedy").contains(remedy), "{error}");
        assert!(!ran.err.contains("everyone"), "{}", ran.err);
        assert_eq!(rehearsal.place.left(), [] as [PathBuf; 0]);
    };
    let lost = ["--fault", "lost-token"];
    // A machine on which nobody has installed it.
    fs::create_dir(rehearsal.place.path("empty")).expect("a folder");
    refused(&lost, Some("empty"), "no-softhsm", "softhsm2");
    let absent = [&lost[..], &["--module", "absent.so"]].concat();
    refused(&absent, None, "module-missing", "--module");
    let both = [&lost[..], &["--fault", "bad-share"]].concat();
    refused(&both, None, "too-few-members", "--members 3");
    if tokens::softhsm().is_some() {
        fs::write(rehearsal.place.path("text.so"), "no module").expect("written");
        let other = [&lost[..], &["--module", "text.so"]].concat();
        refused(&other, None, "not-softhsm", "libsofthsm2.so");
    }
    // What needs no token needs no SoftHSM.
    let mut command = rehearsal
        .place
        .command(&[&line[..], &["--fault", "lost-key"]].concat());
    command.env("PATH", "empty");
    let told = Ran::wait(command.spawn().expect("it starts")).good().json();
    assert_eq!(told["ended"], "running");
}

/// Nobody can stand in: the ceremony stops, and there is no evidence of a key.
#[test]
fn an_absent_operator_whom_nobody_replaces_stops_the_ceremony_fails_closed() {
    let Some(rehearsal) = Rehearsal::new() else {
        return;
    };
    let line = ["--members", "2", "--threshold", "2", "--out", "out"];
    let told = rehearsal.good(&[&line[..], &["--fault", "absent-operator"]].concat());
    assert_eq!(told["ended"], "stopped", "{told}");
    assert_eq!(told["faults"][0]["outcome"], "stopped");
    assert_eq!(
        (&told["evidence"], &told["report"]),
        (&Value::Null, &Value::Null)
    );
    assert!(!rehearsal.place.path("out/evidence.cbor").exists());
    assert!(rehearsal.place.path("out/transcript.cbor").is_file());
}

/// Every fault in one ceremony of five, and what strangers find in what it leaves.
#[test]
fn every_fault_in_one_ceremony_and_its_evidence_is_refused_without_its_root_fails_closed() {
    let (Some(rehearsal), Some(_)) = (Rehearsal::new(), tokens::softhsm()) else {
        return;
    };
    let told = rehearsal.good(&["--fault", "all", "--out", "out"]);
    assert_eq!(
        (&told["members"], &told["threshold"]),
        (&json!(5), &json!(3))
    );
    let faults = told["faults"].as_array().expect("faults");
    let names: Vec<_> = faults.iter().map(|one| text(one, "fault")).collect();
    let help = rehearsal
        .place
        .run(&["ceremony", "rehearse", "--help"])
        .good()
        .out;
    for name in &names {
        assert!(help.contains(name), "{name} is not in the help");
    }
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 11, "{names:?}");
    let outcomes = faults.iter().map(|one| text(one, "outcome"));
    assert!(outcomes.into_iter().all(|outcome| outcome == "went-on"));
    assert_eq!(told["ended"], "running");
    for (key, file) in [
        ("evidence", "evidence.cbor"),
        ("root", "development-root.pem"),
        ("transcript", "transcript.cbor"),
        ("report", "report.html"),
    ] {
        assert_eq!(text(&told, key), format!("out/{file}"));
        assert!(rehearsal.place.path("out").join(file).is_file(), "{file}");
    }
    let kept = fs::read(rehearsal.place.path("out/rehearsal.json")).expect("the record");
    let kept: Value = serde_json::from_slice(&kept).expect("JSON");
    assert_eq!(kept["faults"], told["faults"]);
    let secret = |name: &str| name.contains("key") || name.contains("share") || name == "pins.cbor";
    for file in files(&rehearsal.place.path("out")) {
        let name = file
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(!secret(&name), "{} is kept", file.display());
    }

    let verify = |more: &[&str]| {
        let line = ["verify", "evidence", "out/evidence.cbor", "--json"];
        rehearsal.place.run(&[&line[..], more].concat())
    };
    let genesis = text(&told, "genesis");
    // Whoever does not name the root, and whoever names another, accepts nothing.
    assert_eq!(verify(&[]).refused().0, "root-not-trusted");
    assert_eq!(
        verify(&["--genesis", genesis]).refused().0,
        "root-not-trusted"
    );
    let report = verify(&["--root", "out/development-root.pem", "--genesis", genesis]);
    let report = report.good().json();
    assert_eq!(
        (&report["verdict"], &report["development"]),
        (&json!("accept"), &json!(true))
    );
    let as_aws = ["--root", "out/development-root.pem", "--partition", "aws"];
    assert_ne!(verify(&as_aws).code, Some(0));
    let other = rehearsal.good(&["--members", "2", "--threshold", "2", "--out", "other"]);
    assert_ne!(text(&other, "genesis"), genesis);
    assert_eq!(
        verify(&["--root", "other/development-root.pem"])
            .refused()
            .0,
        "root-not-trusted"
    );
    let transcript = rehearsal.place.run(&[
        "ceremony",
        "transcript",
        "verify",
        "out/transcript.cbor",
        "--genesis",
        genesis,
        "--json",
    ]);
    assert_eq!(transcript.good().json()["development"], true);
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// A person in the first seat types what that member types; the others are played.
#[test]
fn a_person_takes_a_seat_at_a_terminal() {
    let Some(rehearsal) = Rehearsal::new() else {
        return;
    };
    let binaries = rehearsal.binaries.to_str().expect("UTF-8");
    let line = [
        "ceremony",
        "rehearse",
        "--seat",
        "nora",
        "--binaries",
        binaries,
    ];
    let line = [&line[..], &["--members", "2", "--threshold", "2"]].concat();
    let mut terminal = Terminal::start(&rehearsal.place, &line);
    let passphrase = "gravel onion verify teapot\n";
    let answer = |terminal: &mut Terminal, prompt: &str, typed: &str| {
        terminal.wait_for_secret(prompt);
        terminal.type_in(typed);
    };
    terminal.wait_for("nora, it is your turn: join");
    answer(&mut terminal, "new passphrase: ", passphrase);
    answer(&mut terminal, "once more: ", passphrase);
    terminal.wait_for("nora, it is your turn: consent");
    answer(&mut terminal, "passphrase: ", "something else entirely\n");
    // What anyone sees who mistypes; then it is their turn again.
    terminal.wait_for("error[wrong-passphrase]");
    for step in [
        "consent",
        "receipt",
        "approve",
        "provision",
        "transcript sign",
    ] {
        terminal.wait_for(&format!("nora, it is your turn: {step}"));
        answer(&mut terminal, "passphrase: ", passphrase);
    }
    assert_eq!(terminal.end(), Some(0), "{}", terminal.seen);
    assert!(
        terminal
            .seen
            .contains("A REHEARSAL under a DEVELOPMENT root")
    );
    assert!(
        !terminal.seen.contains("gravel onion"),
        "the passphrase was shown"
    );
    assert_eq!(rehearsal.place.left(), [] as [PathBuf; 0]);
}

#[test]
fn an_interrupted_rehearsal_leaves_nothing_fails_closed() {
    let Some(rehearsal) = Rehearsal::new() else {
        return;
    };
    let binaries = rehearsal.binaries.to_str().expect("UTF-8");
    let line = ["ceremony", "rehearse", "--json", "--binaries", binaries];
    let child = rehearsal.place.command(&line).spawn().expect("it starts");
    let family = Family::watch(child.id());
    support::until("it works", || !rehearsal.place.left().is_empty());
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    let (code, _) = Ran::wait(child).refused();
    assert_eq!(code, "interrupted");
    family.ends(1);
    assert_eq!(rehearsal.place.left(), [] as [PathBuf; 0]);
}
