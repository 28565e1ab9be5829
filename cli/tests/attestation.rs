//! `quorate verify attestation`, on documents of the emulator and, where `QUORATE_TESTDATA` names
//! them, on documents that AWS signed: the shape of its JSON, every option, every exit code.

mod support;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use getrandom::SysRng;
use quorate_emulator::document::{Fields, sign};
use quorate_emulator::identity::{InstanceId, ModuleId};
use quorate_emulator::measurements::{instance_pcr, role_pcr};
use quorate_emulator::pki::{Chain, DevelopmentRoot};
use serde_json::{Value, json};
use support::{Place, Ran};

const NONCE: [u8; 20] = [0xa5; 20];
const ROLE: &str = "arn:aws:iam::123456789012:role/enclave";

/// The checks, in their order.
const CHECKS: [&str; 12] = [
    "input",
    "envelope",
    "payload",
    "freshness",
    "root",
    "profile",
    "validity",
    "not-debug",
    "instance",
    "chain",
    "signature",
    "expectations",
];

/// A place with a document `document`, its root `root.pem`, and the moment it was made.
struct Emulated {
    place: Place,
    document: Vec<u8>,
    at: u64,
}

impl Emulated {
    fn new(measurement: u8) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let at = now.as_secs();
        let root = DevelopmentRoot::generate(&mut SysRng, at * 1000).expect("a root");
        let instance = InstanceId::parse("i-0123456789abcdef0").expect("an id");
        let module = ModuleId::generate(instance.clone(), &mut SysRng, at * 1000).expect("an id");
        let chain = Chain::issue(&root, &module, &mut SysRng, at * 1000).expect("a chain");
        let mut pcrs = vec![
            (0, [measurement; 48]),
            (1, [measurement; 48]),
            (2, [measurement; 48]),
            (3, role_pcr(ROLE)),
            (4, instance_pcr(&instance)),
        ];
        pcrs.extend((5..16).map(|index| (index, [0; 48])));
        let fields = Fields {
            module_id: &module.to_string(),
            timestamp_ms: at * 1000 + 7,
            pcrs: &pcrs,
            public_key: None,
            user_data: Some(b""),
            nonce: Some(&NONCE),
        };
        let document = sign(&fields, &chain).expect("a document");
        let place = Place::new();
        fs::write(place.path("document"), &document).expect("written");
        fs::write(place.path("root.pem"), root.root_pem().expect("PEM")).expect("written");
        Self {
            place,
            document,
            at,
        }
    }

    fn verify(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["verify", "attestation", "document", "--root", "root.pem"];
        arguments.extend(more);
        self.place.run(&arguments)
    }

    /// Accepted, as JSON.
    #[track_caller]
    fn accepted(&self, more: &[&str]) -> Value {
        let ran = self.verify(&[more, &["--json"]].concat()).good();
        let json = ran.json();
        assert_shape(&json);
        assert_eq!(
            (&json["verdict"], &json["error"]),
            (&"accept".into(), &Value::Null)
        );
        json
    }

    /// Rejected for this reason.
    #[track_caller]
    fn rejected(&self, more: &[&str], code: &str) -> Value {
        let ran = self.verify(&[more, &["--json"]].concat());
        assert_rejected(&ran, code)
    }
}

#[track_caller]
fn assert_rejected(ran: &Ran, code: &str) -> Value {
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let json = ran.json();
    assert_shape(&json);
    assert_eq!(
        (&json["verdict"], &json["error"]["code"]),
        (&"reject".into(), &code.into())
    );
    let failed = json["checks"].as_array().expect("a list");
    let failed = failed
        .iter()
        .filter(|check| check["verdict"] == "failed")
        .count();
    assert_eq!(failed, 1, "{json}");
    json
}

/// Exactly the keys that programs rely on.
#[track_caller]
fn assert_shape(json: &Value) {
    let keys = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(keys(json), ["verdict", "error", "facts", "checks"]);
    if !json["error"].is_null() {
        assert_eq!(keys(&json["error"]), ["code", "message", "remedy"]);
    }
    if !json["facts"].is_null() {
        let facts = [
            "module_id",
            "timestamp_ms",
            "pcrs",
            "user_data",
            "nonce",
            "public_key",
            "certificates",
        ];
        assert_eq!(keys(&json["facts"]), facts);
        for certificate in json["facts"]["certificates"].as_array().expect("a list") {
            let expected = ["subject", "not_before", "not_after", "sha256"];
            assert_eq!(keys(certificate), expected);
        }
    }
    let checks = json["checks"].as_array().expect("a list");
    let ids: Vec<_> = checks
        .iter()
        .map(|check| check["id"].as_str().expect("a name"))
        .collect();
    assert_eq!(ids, CHECKS);
    for check in checks {
        assert_eq!(keys(check), ["id", "claim", "verdict"]);
        let verdict = check["verdict"].as_str().expect("a word");
        assert!(
            ["passed", "failed", "not-performed"].contains(&verdict),
            "{check}"
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn a_document_is_accepted_with_everything_that_is_true_of_it() {
    let emulated = Emulated::new(0x11);
    let pcr0 = format!("0={}", "11".repeat(48));
    let other = format!("0={}", "12".repeat(48));
    let policy = format!(
        "format = 1\n[require]\nrole_arn = {ROLE:?}\n[[release]]\nname = \"one\"\n\
         pcr = {{ 0 = [\"{}\", \"{}\"] }}\n",
        "11".repeat(48),
        "12".repeat(48)
    );
    fs::write(emulated.place.path("policy.toml"), policy).expect("written");
    let nonce = hex(&NONCE);
    let at = emulated.at.to_string();
    for more in [
        &[][..],
        &["--at", "now"],
        &["--at", &at],
        &["--at", "signed"],
        &["--max-age", "600"],
        &["--at", &at, "--max-age", "0"],
        &["--nonce", &nonce],
        &["--nonce", &nonce, "--max-age", "600"],
        &["--nonce", &nonce, "--at", "signed"],
        &["--pcr", &pcr0],
        &["--pcr", &other, "--pcr", &pcr0],
        &["--role-arn", ROLE],
        &["--policy", "policy.toml"],
        &[
            "--policy",
            "policy.toml",
            "--pcr",
            &pcr0,
            "--role-arn",
            ROLE,
            "--nonce",
            &nonce,
        ],
        &["--allow-debug"],
        &["--input", "raw"],
        &["--partition", "aws-us-gov"],
    ] {
        let json = emulated.accepted(more);
        let facts = &json["facts"];
        assert_eq!(facts["timestamp_ms"], emulated.at * 1000 + 7);
        assert_eq!(facts["pcrs"]["0"], "11".repeat(48));
        assert_eq!(facts["pcrs"]["15"], "00".repeat(48));
        assert_eq!(facts["nonce"], nonce);
        assert_eq!(
            (&facts["user_data"], &facts["public_key"]),
            (&json!(""), &Value::Null)
        );
        assert_eq!(facts["certificates"].as_array().map(Vec::len), Some(5));
    }
}

#[test]
fn a_document_in_any_form_is_found() {
    let emulated = Emulated::new(0x11);
    let digits = hex(&emulated.document);
    let lines = |text: &str| {
        let lines: Vec<_> = text.as_bytes().chunks(76).collect();
        let lines: Vec<_> = lines
            .iter()
            .map(|line| String::from_utf8_lossy(line))
            .collect();
        lines.join("\n") + "\n"
    };
    let base64 = base64(&emulated.document);
    for (text, form) in [
        (digits.clone(), "hex"),
        (lines(&digits), "auto"),
        (base64.clone(), "base64"),
        (lines(&base64), "auto"),
        (base64.replace('+', "-").replace('/', "_"), "auto"),
    ] {
        fs::write(emulated.place.path("document"), text).expect("written");
        emulated.accepted(&["--input", form]);
    }
}

#[test]
fn a_document_that_is_not_what_was_expected_fails_closed() {
    let emulated = Emulated::new(0x11);
    let other = format!("1={}", "12".repeat(48));
    let at = |seconds: u64| (emulated.at + seconds).to_string();
    let early = (emulated.at - 1).to_string();
    let nonce = hex(&[0xa6; 20]);
    let policy = |text: &str| fs::write(emulated.place.path("policy.toml"), text).expect("written");
    for (more, code) in [
        (&["--pcr", &other][..], "pcr-mismatch"),
        (
            &["--role-arn", "arn:aws:iam::123456789012:role/other"],
            "pcr-mismatch",
        ),
        (&["--nonce", &nonce], "nonce-mismatch"),
        (&["--nonce", &nonce, "--at", "signed"], "nonce-mismatch"),
        (&["--nonce", "a5a5"], "nonce-mismatch"),
        (&["--at", &at(61), "--max-age", "60"], "stale"),
        (&["--at", &early], "timestamp-in-future"),
        (&["--at", &at(4 * 3600)], "certificate-expired"),
    ] {
        let json = emulated.rejected(more, code);
        // The signatures are right, so what the document says is still shown.
        assert_eq!(json["facts"]["pcrs"]["0"], "11".repeat(48), "{more:?}");
    }
    let one = "11".repeat(48);
    let two = "12".repeat(48);
    for (text, code) in [
        (
            format!("format = 1\n[require.pcr]\n2 = \"{two}\"\n"),
            "pcr-mismatch",
        ),
        (
            format!("format = 1\n[require.pcr]\n31 = \"{two}\"\n"),
            "pcr-missing",
        ),
        (
            format!(
                "format = 1\n[require.pcr]\n2 = [\"{two}\", \"{}\"]\n",
                "13".repeat(48)
            ),
            "pcr-not-accepted",
        ),
        (
            format!(
                "format = 1\n[[release]]\nname = \"old\"\nnot_after = 2020-01-01T00:00:00Z\n\
                 pcr = {{ 0 = \"{one}\" }}\n"
            ),
            "no-release-in-force",
        ),
        (
            format!(
                "format = 1\n[[release]]\nname = \"a\"\npcr = {{ 0 = \"{two}\" }}\n\
                 [[release]]\nname = \"b\"\npcr = {{ 1 = \"{two}\" }}\n"
            ),
            "no-release-matches",
        ),
    ] {
        policy(&text);
        emulated.rejected(&["--policy", "policy.toml"], code);
    }
    emulated.accepted(&[]);
}

#[test]
fn a_document_that_is_not_genuine_fails_closed() {
    let emulated = Emulated::new(0x11);
    let aws = emulated
        .place
        .run(&["verify", "attestation", "document", "--json"]);
    let json = assert_rejected(&aws, "root-not-trusted");
    assert_eq!(json["facts"], Value::Null);
    let other = Emulated::new(0x11);
    fs::copy(
        other.place.path("root.pem"),
        emulated.place.path("other.pem"),
    )
    .expect("copied");
    let arguments = [
        "verify",
        "attestation",
        "document",
        "--root",
        "other.pem",
        "--json",
    ];
    assert_rejected(&emulated.place.run(&arguments), "root-not-trusted");

    let write = |bytes: &[u8]| fs::write(emulated.place.path("document"), bytes).expect("written");
    let mut changed = emulated.document.clone();
    *changed.last_mut().expect("a byte") ^= 1;
    write(&changed);
    let json = emulated.rejected(&[], "document-signature");
    assert_eq!(json["facts"], Value::Null);
    write(&[&emulated.document[..], &[0]].concat());
    emulated.rejected(&[], "trailing-bytes");
    write(&vec![0x84; 20_000]);
    emulated.rejected(&[], "document-length");
    write(b"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\n\r\n");
    emulated.rejected(&[], "input-http-response");
    write(b"");
    emulated.rejected(&[], "input-empty");
    write(&emulated.document);
    emulated.accepted(&[]);
}

#[test]
fn a_debug_enclave_is_refused_unless_asked_for() {
    let emulated = Emulated::new(0);
    let json = emulated.rejected(&[], "debug-mode");
    assert_eq!(json["facts"]["pcrs"]["0"], "00".repeat(48));
    emulated.accepted(&["--allow-debug"]);
    let ran = emulated.verify(&["--allow-debug", "--explain"]).good();
    assert!(ran.out.contains("DEBUG MODE"), "{}", ran.out);
}

#[test]
fn an_explanation_says_what_is_shown_and_what_is_not() {
    let emulated = Emulated::new(0x11);
    let ran = emulated.verify(&["--explain"]).good();
    for says in [
        "ACCEPTED: a genuine attestation document of an enclave.",
        "DEVELOPMENT ROOT",
        "An enclave on the instance i-0123456789abcdef0",
        "PCR8, the certificate that signed the image: none",
        "What this does not prove",
        "it was not asked to answer a challenge of yours",
    ] {
        assert!(ran.out.contains(says), "{says}: {}", ran.out);
    }
    let nonce = hex(&NONCE);
    let ran = emulated.verify(&["--explain", "--nonce", &nonce]).good();
    assert!(!ran.out.contains("a challenge of yours"), "{}", ran.out);
    let json = emulated.verify(&["--explain", "--json"]);
    assert_eq!(json.code, Some(2), "{json:?}");
}

/// Documents that AWS signed, through the command, against what is known of each.
#[test]
fn genuine_documents_are_told_from_debug_ones() {
    let Some(folder) = env::var_os("QUORATE_TESTDATA") else {
        println!("skipped: QUORATE_TESTDATA does not name the folder of genuine documents");
        return;
    };
    let folder = PathBuf::from(folder).join("attestation");
    let manifest = fs::read(folder.join("manifest.json")).expect("the manifest is readable");
    let entries: Vec<Value> = serde_json::from_slice(&manifest).expect("the manifest is JSON");
    assert_eq!(entries.len(), 10);
    let place = Place::new();
    for entry in entries {
        let file = folder.join(entry["file"].as_str().expect("a name"));
        let at = entry["verify_at"].as_u64().expect("a moment").to_string();
        let file = file.to_str().expect("UTF-8");
        let verify = |more: &[&str]| {
            let base = ["verify", "attestation", file, "--json"];
            place.run(&[&base[..], more].concat())
        };
        let ran = verify(&["--at", &at, "--allow-debug"]).good();
        let json = ran.json();
        assert_shape(&json);
        let (facts, known) = (&json["facts"], &entry["facts"]);
        for key in ["module_id", "timestamp_ms", "pcrs"] {
            assert_eq!(facts[key], known[key], "{file}");
        }
        let certificates = facts["certificates"].as_array().expect("a list");
        let chain = known["chain"].as_array().expect("a list");
        assert_eq!(certificates.len(), chain.len());
        for (certificate, known) in certificates.iter().zip(chain) {
            for key in ["subject", "not_before", "not_after", "sha256"] {
                assert_eq!(certificate[key], known[key], "{file}");
            }
        }
        let debug = known["debug_mode"].as_bool().expect("yes or no");
        let ran = verify(&["--at", &at]);
        match debug {
            true => drop(assert_rejected(&ran, "debug-mode")),
            false => drop(ran.good()),
        }
        assert_rejected(&verify(&["--allow-debug"]), "certificate-expired");
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 0x3f;
            let letter = ALPHABET[usize::try_from(sextet).expect("six bits")];
            text.push(if place > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}
