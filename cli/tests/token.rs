//! Members with a PKCS#11 token, as processes: every refusal by its code, and what is left when a
//! token fails half-way. Against SoftHSM2; where it is missing the tests say so and pass, but not in
//! CI. The whole ceremony with a token is in `tests/token_ceremony.rs`.

#[path = "../../quorum-ceremony/token/tests/tokens/mod.rs"]
mod tokens;

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use support::{Place, Ran};
use tokens::{FINAL_TRY, LOCKED, PIN, Tokens};

/// A place to run in, and tokens.
struct Stage {
    place: Place,
    tokens: Tokens,
}

impl Stage {
    /// With one token, called alice.
    fn new() -> Option<Self> {
        let place = Place::new();
        let folder = place.path("hsm");
        let tokens = Tokens::new(&folder)?;
        tokens.add("alice");
        Some(Self { place, tokens })
    }

    /// Alice has joined with her token.
    fn joined() -> Option<Self> {
        let stage = Self::new()?;
        stage.run(&stage.join(""), PIN).good();
        Some(stage)
    }

    fn start(&self, line: &str) -> Child {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let mut command = self.place.command(&arguments);
        command
            .env("SOFTHSM2_CONF", self.tokens.configuration())
            .stdin(Stdio::piped());
        command.spawn().expect("it starts")
    }

    /// Runs a line with something to read.
    fn run(&self, line: &str, input: &str) -> Ran {
        let mut child = self.start(line);
        let mut stdin = child.stdin.take().expect("its input");
        // A command that fails before it reads closes its end.
        let _ = writeln!(stdin, "{input}");
        drop(stdin);
        Ran::wait(child)
    }

    fn module(&self) -> String {
        self.tokens.module.display().to_string()
    }

    fn join(&self, more: &str) -> String {
        format!(
            "ceremony join --folder f --private alice --name alice --token pkcs11:token=alice \
             --module {} --pin-file - --json {more}",
            self.module()
        )
    }

    /// Demands a refusal with exit code 1.
    #[track_caller]
    fn refused(&self, line: &str, input: &str, code: &str) -> String {
        let (found, message) = self.run(line, input).refused();
        assert_eq!(found, code, "{message}");
        message
    }

    fn exists(&self, name: &str) -> bool {
        self.place.path(name).exists()
    }

    /// A definition of alice, who has a token, and bob and carol, who have key files.
    fn define(&self) {
        self.define_with(&["bob", "carol"]);
    }

    /// These have yet to join, with key files.
    fn define_with(&self, joining: &[&str]) {
        for name in joining {
            let line = format!(
                "ceremony join --folder f --private {name} --name {name} --passphrase-file -"
            );
            self.run(&line, "a passphrase of some length").good();
        }
        let pcr = "ab".repeat(48);
        let measurements = format!(r#"{{"PCR0":"{pcr}","PCR1":"{pcr}","PCR2":"{pcr}"}}"#);
        fs::write(self.place.path("m.json"), measurements).expect("written");
        let line = "ceremony define --folder f --namespace test --members alice,bob,carol \
                    --manifest-threshold 2 --share-threshold 2 --partition aws --measurements m.json";
        self.run(line, "").good();
    }
}

const CONSENT: &str = "ceremony consent --folder f --private alice --pin-file - --json";

#[test]
fn a_member_with_a_token_joins_and_consents() {
    let Some(stage) = Stage::new() else { return };
    let joined = stage.run(&stage.join(""), PIN).good().json();
    assert_eq!(joined["drawn_on_token"], true);
    assert_eq!(joined["token"]["manufacturer"], "SoftHSM project");
    // The token is named before its PIN is asked for; module and token are remembered.
    let again = "ceremony join --folder f --private alice --name alice --pin-file - --json";
    let ran = stage.run(again, PIN).good();
    assert!(
        ran.err.contains("token \"alice\": SoftHSM project"),
        "{ran:?}"
    );
    assert_eq!(ran.json()["signing_key"], joined["signing_key"]);
    stage.define();
    stage.run(CONSENT, PIN).good();
    let consent = fs::read(stage.place.path("f/consents/alice.cbor")).expect("the consent");
    // A token signs differently each time; what is there stays.
    stage.run(CONSENT, PIN).good();
    let after = fs::read(stage.place.path("f/consents/alice.cbor")).expect("the consent");
    assert_eq!(consent, after);
    let status = stage
        .run("ceremony status --folder f --json", "")
        .good()
        .json();
    assert_eq!(status["without_consent"], json!(["bob", "carol"]));
    // No secret is in the folder: what is there does not grow with what was done.
    let mut files: Vec<_> = fs::read_dir(stage.place.path("alice"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "lock",
            "module",
            "pins.cbor",
            "token-intent.cbor",
            "token.cbor",
            "transcript",
            "workspace.cbor"
        ]
    );
}

#[test]
fn a_wrong_pin_fails_closed() {
    let Some(stage) = Stage::new() else { return };
    let message = stage.refused(&stage.join(""), "654321", "wrong-pin");
    assert!(message.contains("few tries are left"), "{message}");
    assert!(!stage.exists("alice/token.cbor") && !stage.exists("f/members/alice.cbor"));
    assert_eq!(stage.tokens.objects().len(), 0);
    // A PIN of a length the token never has is not tried; an empty one is none.
    stage.refused(&stage.join(""), "1", "pin-length");
    let ran = stage.run(&stage.join(""), "");
    assert_eq!(
        (ran.code, &ran.json()["error"]["code"]),
        (Some(2), &json!("pin-unreadable"))
    );
    // The next one is told of the wrong one, and the right one makes both keys, once.
    let list = format!("ceremony token list --json --module {}", stage.module());
    let tries = |stage: &Stage| stage.run(&list, "").good().json()["tokens"][0]["tries"].clone();
    assert_eq!(tries(&stage), "reduced");
    stage.run(&stage.join(""), PIN).good();
    assert_eq!(stage.tokens.objects().len(), 4);
    assert_eq!(tries(&stage), "not-reduced");
}

#[test]
fn a_locked_token_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    stage.tokens.set_flags(LOCKED);
    // SoftHSM would take the PIN: that it does not come so far shows that none was tried.
    stage.refused(CONSENT, PIN, "pin-locked");
    let check = stage
        .run("ceremony token check --private alice --json", "")
        .good();
    assert_eq!(check.json()["token"]["tries"], "locked");
    assert!(!stage.exists("f/consents"));
}

#[test]
fn the_last_try_is_not_spent_by_a_file_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    stage.tokens.set_flags(FINAL_TRY);
    let message = stage.refused(CONSENT, PIN, "pin-last-try");
    assert!(message.contains("was not tried"), "{message}");
    assert_ne!(stage.tokens.flags() & FINAL_TRY, 0);
}

#[test]
fn another_token_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    // A token with the same label, model and maker, and another serial number.
    stage.tokens.take_out();
    fs::create_dir(stage.place.path("hsm/tokens")).expect("a folder");
    stage.tokens.add("alice");
    let message = stage.refused(CONSENT, PIN, "token-other");
    assert_eq!(message.matches("serial").count(), 2, "{message}");
    let check = "ceremony token check --private alice --json";
    stage.refused(check, "", "token-other");
    let join = "ceremony join --folder f --private alice --name alice --pin-file - --json";
    stage.refused(join, PIN, "token-other");
    assert!(!stage.exists("f/consents"));
}

/// Both have joined, and one has the other's token in their reader.
#[test]
fn the_token_of_another_member_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.tokens.add("bob");
    stage
        .run(&stage.join("").replace("alice", "bob"), PIN)
        .good();
    stage.define_with(&["carol"]);
    stage.tokens.take_out();
    let tokens = stage.place.path("hsm/tokens");
    fs::create_dir(&tokens).expect("a folder");
    let bobs = stage.tokens.folder_of("bob");
    let lent = tokens.join(bobs.file_name().expect("its name"));
    fs::rename(&bobs, &lent).expect("put in");
    let ran = stage.run(CONSENT, PIN);
    let remedy = ran.json()["error"]["remedy"].clone();
    assert!(
        remedy
            .as_str()
            .is_some_and(|text| text.contains("no PIN was tried")),
        "{remedy}"
    );
    assert_eq!(ran.refused().0, "token-other");
    assert!(!stage.exists("f/consents"));
    // The owner of that token is not kept from anything.
    stage.run(&CONSENT.replace("alice", "bob"), PIN).good();
    fs::rename(lent, bobs).expect("taken out");
    fs::remove_dir(tokens).expect("removed");
    stage.tokens.put_in();
    stage.run(CONSENT, PIN).good();
}

#[test]
fn an_absent_token_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    stage.tokens.take_out();
    fs::create_dir(stage.place.path("hsm/tokens")).expect("a folder");
    stage.refused(CONSENT, PIN, "token-missing");
    fs::remove_dir_all(stage.place.path("hsm/tokens")).expect("removed");
    stage.tokens.put_in();
    stage.run(CONSENT, PIN).good();
}

/// It goes after the definition was shown and before the PIN is typed.
#[test]
fn a_token_taken_out_half_way_fails_closed_and_loses_nothing() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    let mut child = stage.start(CONSENT);
    let mut said = BufReader::new(child.stderr.take().expect("its messages"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert!(line.starts_with("token \"alice\""), "{line}");
    stage.tokens.take_out();
    let mut stdin = child.stdin.take().expect("its input");
    writeln!(stdin, "{PIN}").expect("it reads");
    drop(stdin);
    let (code, message) = Ran::wait(child).refused();
    assert_eq!(code, "token-removed", "{message}");
    assert!(!stage.exists("f/consents"));
    stage.tokens.put_in();
    stage.run(CONSENT, PIN).good();
    assert!(stage.exists("f/consents/alice.cbor"));
}

#[test]
fn a_token_without_its_keys_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    for object in stage.tokens.objects() {
        fs::remove_file(object).expect("removed");
    }
    stage.refused(CONSENT, PIN, "token-no-key");
    assert!(!stage.exists("f/consents"));
}

#[test]
fn a_token_without_ecdh_fails_closed() {
    let Some(stage) = Stage::new() else { return };
    let mechanisms = "slots.mechanisms = CKM_ECDSA,CKM_EC_KEY_PAIR_GEN\n";
    stage.tokens.configure(mechanisms);
    let list = format!("ceremony token list --json --module {}", stage.module());
    let token = stage.run(&list, "").good().json()["tokens"][0].clone();
    assert_eq!(token["missing"], json!(["ECDH (CKM_ECDH1_DERIVE)"]));
    let message = stage.refused(&stage.join(""), PIN, "token-cannot");
    assert!(message.contains("ECDH"), "{message}");
    assert_eq!(stage.tokens.objects().len(), 0);
    // And one that could do it when its owner joined.
    stage.tokens.configure("");
    stage.run(&stage.join(""), PIN).good();
    stage.define();
    stage.tokens.configure(mechanisms);
    stage.refused(CONSENT, PIN, "token-cannot");
}

#[test]
fn a_module_that_is_none_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    fs::write(stage.place.path("text"), "no module").expect("written");
    stage.refused(&format!("{CONSENT} --module text"), PIN, "not-a-module");
    stage.refused(&format!("{CONSENT} --module absent"), PIN, "module-missing");
    // Another machine: the path is no pin, and is asked for.
    fs::remove_file(stage.place.path("alice/module")).expect("removed");
    stage.refused(CONSENT, PIN, "module-unknown");
    let line = format!("{CONSENT} --module {}", stage.module());
    stage.run(&line, PIN).good();
    stage.run(CONSENT, PIN).good();
}

#[test]
fn what_unlocks_the_other_kind_of_keys_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    let words = "ceremony consent --folder f --private alice --passphrase-file - --json";
    stage.refused(words, "a passphrase of some length", "keys-in-token");
    let line = "ceremony consent --folder f --private bob --pin-file - --json";
    stage.refused(line, PIN, "keys-in-file");
    let line = format!(
        "ceremony join --folder f --private bob --name bob --token pkcs11:token=alice --module {} \
         --pin-file - --json",
        stage.module()
    );
    stage.refused(&line, PIN, "joined-otherwise");
    // The token of the private folder is there, but another one is named.
    let line = stage.join("").replace("token=alice", "token=bob");
    stage.refused(&line, PIN, "joined-otherwise");
    assert!(!stage.exists("f/consents"));
}

#[test]
fn a_token_named_wrong_fails_closed() {
    let Some(stage) = Stage::new() else { return };
    let line = stage.join("").replace("token=alice", "token=bob");
    stage.refused(&line, PIN, "token-missing");
    stage.tokens.add("alice");
    let message = stage.refused(&stage.join(""), PIN, "token-several");
    assert!(message.contains('2'), "{message}");
    // What `token list` prints names each of them.
    let list = format!("ceremony token list --json --module {}", stage.module());
    let told = stage.run(&list, "").good().json();
    let uris: Vec<_> = told["tokens"].as_array().expect("tokens").iter().collect();
    assert_eq!(uris.len(), 2);
    let uri = uris[0]["uri"].as_str().expect("a URI");
    let line = stage.join("").replace("pkcs11:token=alice", uri);
    let joined = stage.run(&line, PIN).good().json();
    assert_eq!(joined["token"]["serial"], uris[0]["identity"]["serial"]);
}

#[test]
fn a_key_that_is_named_wrong_fails_closed() {
    let Some(stage) = Stage::new() else { return };
    let named = |signing: &str, encryption: &str| {
        stage.join(&format!(
            "--signing-key pkcs11:object={signing} --encryption-key pkcs11:object={encryption}"
        ))
    };
    stage.refused(&named("absent", "absent"), PIN, "token-no-key");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = folder.join("../reproducible-build/signing/testdata");
    stage
        .tokens
        .import("alice", &folder.join("p256.key.pem"), "p256", "01");
    stage
        .tokens
        .import("alice", &folder.join("p384.key.pem"), "p384", "02");
    stage.refused(&named("p384", "p256"), PIN, "token-key-curve");
    // SoftHSM's own tool brings in keys that sign and do not derive.
    stage.refused(&named("p256", "p256"), PIN, "token-key-cannot");
    assert!(!stage.exists("alice/token.cbor") && !stage.exists("f/members/alice.cbor"));
}

#[test]
fn tokens_are_shown_without_a_pin() {
    let Some(stage) = Stage::new() else { return };
    let list = format!("ceremony token list --module {}", stage.module());
    let shown = stage.run(&list, "").good().out;
    for words in [
        "pkcs11:token=alice;serial=",
        "SoftHSM project",
        "signs and derives on P-256",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    stage.run(&stage.join(""), PIN).good();
    let check = stage
        .run("ceremony token check --private alice --json", "")
        .good()
        .json();
    assert_eq!(check["token"]["identity"], check["joined_with"]);
    assert_eq!(check["token"]["missing"], Value::Array(Vec::new()));
    stage.tokens.take_out();
    fs::create_dir(stage.place.path("hsm/tokens")).expect("a folder");
    let shown = stage.run(&list, "").good().out;
    assert!(shown.contains("no token is there"), "{shown}");
}

/// What is wrong with a token is one of the things that preflight names.
#[test]
fn a_preflight_lists_what_is_wrong_with_a_token_fails_closed() {
    let Some(stage) = Stage::joined() else { return };
    stage.define();
    let line = "ceremony preflight --folder f --private alice --json";
    let found = |line: &str, input: &str| -> (Value, Value, usize) {
        let told = stage.run(line, input).json();
        let checks = told["checks"].as_array().expect("checks").clone();
        let one = |id: &str| checks.iter().find(|check| check["id"] == id).cloned();
        let key = one("key-opens").expect("the key");
        (key, one("token").unwrap_or_default(), checks.len())
    };
    let typed = format!("{line} --pin-file -");
    let (key, token, all) = found(&typed, PIN);
    assert_eq!(
        (&key["verdict"], &token["verdict"]),
        (&json!("good"), &json!("good"))
    );
    let identity = token["found"].as_str().expect("text");
    assert!(identity.contains("SoftHSM v2, serial "), "{identity}");
    let bad = |(key, _, checks): (Value, Value, usize), said: &str, remedy: &str| {
        assert_eq!(key["verdict"], "bad", "{key}");
        assert!(
            key["found"]
                .as_str()
                .is_some_and(|text| text.contains(said)),
            "{key}"
        );
        assert!(
            key["remedy"]
                .as_str()
                .is_some_and(|text| text.contains(remedy)),
            "{key}"
        );
        // Everything else is looked at all the same.
        assert!(checks + 1 >= all, "{checks} of {all}");
    };
    bad(
        found(line, ""),
        "nobody typed the token's PIN",
        "--pin-file",
    );
    bad(
        found(&typed, "654321"),
        "did not accept the PIN",
        "user PIN",
    );
    let (_, token, _) = found(&typed, PIN);
    assert_eq!(token["verdict"], "note", "{token}");
    assert!(
        token["found"]
            .as_str()
            .is_some_and(|text| text.contains("few tries"))
    );
    stage.tokens.take_out();
    fs::create_dir(stage.place.path("hsm/tokens")).expect("a folder");
    bad(
        found(&typed, PIN),
        "no token is there",
        "if the token is lost",
    );
    fs::remove_dir_all(stage.place.path("hsm/tokens")).expect("removed");
    stage.tokens.put_in();
    stage.tokens.set_flags(LOCKED);
    bad(found(&typed, PIN), "is locked", "PUK");
    // What is typed wrongly on the command line is said at once.
    let words = format!("{line} --passphrase-file -");
    stage.refused(&words, "a passphrase of some length", "keys-in-token");
}
