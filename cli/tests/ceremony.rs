//! The ceremony commands as a person or a script meets them: exit codes, the one JSON object, what
//! is said when something is refused. What is decided is tested in `quorate-quorum-ceremony`.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const MEMBERS: [&str; 3] = ["alice", "bob", "carol"];

/// Runs `quorate ceremony` in `place`, words separated by blanks, with something to read.
fn quorate(place: &Path, line: &str, input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .arg("ceremony")
        .args(line.split_whitespace())
        .current_dir(place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have ended before.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs a command with `--json` and demands an exit code; the object on the last line.
#[track_caller]
fn json(place: &Path, line: &str, input: &str, code: i32) -> Value {
    let output = quorate(place, &format!("{line} --json"), input);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{line}\n{stdout}\n{stderr}"
    );
    let last = stdout.lines().last().unwrap_or_default();
    let object: Value = serde_json::from_str(last).unwrap();
    assert_eq!(object["ok"], code == 0, "{line}");
    object
}

#[track_caller]
fn refused(place: &Path, line: &str, input: &str, code: i32) -> String {
    let object = json(place, line, input, code);
    for field in ["code", "message", "fault", "remedy"] {
        let text = object["error"][field].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{line}: no {field}");
    }
    object["error"]["code"].as_str().unwrap().to_owned()
}

fn words(member: &str) -> String {
    format!("the long passphrase of {member}\n")
}

fn joined() -> tempfile::TempDir {
    let outer = tempfile::tempdir().unwrap();
    let place = outer.path();
    for member in MEMBERS {
        let line =
            format!("join --folder f --private {member} --name {member} --passphrase-file -");
        json(place, &line, &words(member), 0);
    }
    let pcr = "ab".repeat(48);
    let measurements = format!(r#"{{"PCR0":"{pcr}","PCR1":"{pcr}","PCR2":"{pcr}"}}"#);
    fs::write(place.join("m.json"), measurements).unwrap();
    outer
}

const DEFINE: &str = "define --folder f --namespace test --members alice,bob,carol \
                      --manifest-threshold 2 --share-threshold 2 --partition aws \
                      --measurements m.json";
const CONSENT: &str = "consent --folder f --private alice --passphrase-file -";

#[test]
fn from_join_to_consent() {
    let outer = joined();
    let place = outer.path();
    let defined = json(place, DEFINE, "", 0);
    assert_eq!(defined["development"], false);
    let fingerprint = defined["fingerprint"].as_str().unwrap();
    fs::write(place.join("words"), words("bob")).unwrap();
    let line = format!(
        "consent --folder f --private bob --passphrase-file words --fingerprint {fingerprint}"
    );
    assert_eq!(json(place, &line, "", 0)["fingerprint"], fingerprint);
    let status = json(place, "status --folder f", "", 0);
    assert_eq!(
        status["without_consent"],
        serde_json::json!(["alice", "carol"])
    );
    assert_eq!(status["next"], "quorate ceremony consent (members)");
    let people = fs::read_to_string(place.join("f/definition.json")).unwrap();
    assert!(people.contains("carol"));
}

/// What is about to be signed is on the screen before the passphrase is read.
#[test]
fn the_definition_is_shown_before_it_is_signed() {
    let outer = joined();
    json(outer.path(), DEFINE, "", 0);
    let output = quorate(outer.path(), CONSENT, "not the passphrase\n");
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("you are about to consent"), "{shown}");
    assert!(
        shown.contains("alice") && shown.contains("fingerprint:"),
        "{shown}"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("error[wrong-passphrase]"), "{said}");
    assert!(!outer.path().join("f/consents").exists());
}

#[test]
fn refusals_have_a_code_and_exit_1_fails_closed() {
    let outer = joined();
    let place = outer.path();
    assert_eq!(refused(place, CONSENT, "x", 1), "file-missing");
    json(place, DEFINE, "", 0);
    assert_eq!(refused(place, CONSENT, "x", 1), "wrong-passphrase");
    let line = format!("{CONSENT} --fingerprint {}", "00".repeat(32));
    assert_eq!(
        refused(place, &line, &words("alice"), 1),
        "fingerprint-differs"
    );
    let other = DEFINE.replace("--share-threshold 2", "--share-threshold 3");
    assert_eq!(refused(place, &other, "", 1), "file-differs");
    let alone = DEFINE.replace("--share-threshold 2", "--share-threshold 1");
    assert_eq!(refused(place, &alone, "", 1), "definition-invalid");
    let line = "receipt --folder f --private alice --socket none --passphrase-file -";
    assert_eq!(refused(place, line, &words("alice"), 1), "file-missing");
    let line = "genesis --folder f --socket none";
    assert_eq!(refused(place, line, "", 1), "genesis-consent-missing");
    let line = "approve --folder f --private bob --passphrase-file -";
    assert_eq!(refused(place, line, &words("bob"), 1), "not-consented");
    assert_eq!(
        refused(place, "status --folder f --socket none", "", 1),
        "no-enclave"
    );
    assert_eq!(refused(place, "log --socket none", "", 1), "no-enclave");
    let line = "join --folder f --private other --name bob --passphrase-file -";
    assert_eq!(refused(place, line, &words("mallory"), 1), "name-taken");
    let line = "join --folder f --private dave --name dave --passphrase-file -";
    assert_eq!(refused(place, line, "short\n", 1), "passphrase-too-short");
}

#[test]
fn unusable_commands_exit_2_fails_closed() {
    let outer = joined();
    let place = outer.path();
    for line in [
        "join --folder f --private p --name Alice --passphrase-file -",
        "join --folder f --private p --name ../alice --passphrase-file -",
        "consent --folder f --private alice --fingerprint 00",
        "manifest --folder f --measurements m.json --application echo",
        "manifest --folder f --measurements m.json",
        "boot --folder f --socket s",
        "status --folder f --no-verify",
        "log --folder f --socket s",
    ] {
        assert_eq!(refused(place, line, "", 2), "usage", "{line}");
    }
    for line in ["status", "log", "next", "consent", "define"] {
        assert_eq!(refused(place, line, "", 2), "no-workspace", "{line}");
    }
    for line in ["consent --folder f", "approve --folder f"] {
        assert_eq!(refused(place, line, "", 2), "no-private-folder", "{line}");
    }
    let line = "receipt --folder f --private alice";
    assert_eq!(refused(place, line, "", 2), "no-enclave-address");
    fs::write(place.join("bad.json"), "{}").unwrap();
    let line = DEFINE.replace("m.json", "bad.json");
    assert_eq!(refused(place, &line, "", 2), "measurements-malformed");
    let line = DEFINE.replace("--partition aws", "--partition development");
    assert_eq!(refused(place, &line, "", 2), "root-needed");
    let line = DEFINE.replace("--partition aws", "--partition aws --root m.json");
    assert_eq!(refused(place, &line, "", 2), "root-unusable");
    json(place, DEFINE, "", 0);
    assert_eq!(refused(place, CONSENT, "\n", 2), "passphrase-empty");
    let line = CONSENT.replace("--passphrase-file -", "--passphrase-file none");
    assert_eq!(refused(place, &line, "", 2), "passphrase-unreadable");
}
