//! `quorate image` as a person uses it: measure, sign elsewhere, attach, verify; and that nothing
//! is ever half written or silently unsigned.

mod support;
#[path = "../../quorum-ceremony/token/tests/tokens/mod.rs"]
mod tokens;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use quorate_builder::digest::Sha256;
use quorate_builder::lock::{CratesLock, Expected, KernelLock, Lock, Package};
use quorate_eif::cpio::{Archive, Node};
use quorate_eif::{Architecture, Eif, Parts};
use serde_json::{Value, json};
use support::{Place, Ran};
use tokens::{PIN, Tokens};

/// Keys and certificates that OpenSSL made.
fn testdata(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = folder
        .join("../reproducible-build/signing/testdata")
        .join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// An image whose first process is `init`.
fn image(init: &[u8]) -> Vec<u8> {
    let mut archive = Archive::new();
    let node = Node::File(init.to_vec());
    archive.add("init", 0o755, node).expect("new");
    let ramdisk = archive.to_bytes();
    let parts = Parts {
        architecture: Architecture::X86_64,
        kernel: b"a kernel",
        command_line: "quiet",
        ramdisks: &[&ramdisk],
        metadata: br#"{"ImageName":"tru\u001bst me"}"#,
    };
    Eif::assemble(&parts).expect("an image").to_bytes()
}

/// A folder with an image, another one, and the measurements of the first.
fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("one.eif"), image(b"init one")).expect("written");
    fs::write(place.path("two.eif"), image(b"init two")).expect("written");
    let measured = place.run(&["image", "measure", "one.eif", "--json"]).good();
    fs::write(place.path("one.json"), measured.out).expect("written");
    place
}

fn sign(place: &Place, key: &str, certificate: &str, out: &str) -> Ran {
    let (key, certificate) = (testdata(key), testdata(certificate));
    place.run(&[
        "image",
        "sign",
        "one.json",
        "--key",
        &key,
        "--certificate",
        &certificate,
        "--out",
        out,
        "--json",
    ])
}

/// What is in the folder, by name.
fn names(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path("")).expect("the folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

const UNTOUCHED: [&str; 4] = ["one.eif", "one.json", "t", "two.eif"];

#[test]
fn measurements_are_four_registers_and_nothing_else() {
    let place = place();
    let bytes = fs::read(place.path("one.eif")).expect("the image");
    let found = Eif::parse(&bytes).expect("an image").measure();
    let ran = place.run(&["image", "measure", "one.eif", "--json"]).good();
    assert_eq!(
        ran.json(),
        json!({
            "pcr0": found.pcr0.to_string(),
            "pcr1": found.pcr1.to_string(),
            "pcr2": found.pcr2.to_string(),
            "pcr8": null,
        })
    );
    assert_eq!(ran.out.lines().count(), 1);
}

#[test]
fn what_is_not_measured_is_shown_as_a_claim() {
    let place = place();
    let shown = place.run(&["image", "inspect", "one.eif"]).good().out;
    let (measured, claims) = shown.split_once("\nclaims: ").expect("two parts");
    assert!(measured.starts_with("measured: "), "{shown}");
    assert!(measured.contains("PCR0") && measured.contains("command line: quiet"));
    for claim in ["x86_64", "1073741824", "metadata", "ImageName"] {
        assert!(
            claims.contains(claim) && !measured.contains(claim),
            "{claim}"
        );
    }
    // What its maker wrote cannot steer a terminal.
    assert!(!shown.contains('\x1b'), "{shown:?}");
    let json = place
        .run(&["image", "inspect", "one.eif", "--json"])
        .good()
        .json();
    let keys: Vec<_> = json.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["measured", "claims"]);
    let measured: Vec<_> = json["measured"].as_object().expect("it").keys().collect();
    assert_eq!(measured, ["measurements", "command_line"]);
    assert_eq!(json["claims"]["cpus"], 2);
}

#[test]
fn a_difference_is_named_by_file_and_byte() {
    let place = place();
    let same = place.run(&["image", "diff", "one.eif", "one.eif"]);
    assert_eq!(same.good().out, "the same in every byte\n");
    let ran = place.run(&["image", "diff", "one.eif", "two.eif"]);
    assert_eq!(ran.code, Some(1));
    let first = "ramdisk 0, init: differs from byte 5 on: 0x6f and 0x74 (8 bytes each) (measured)";
    assert_eq!(ran.out, format!("{first}\nPCR0, PCR1 differ\n"));
    let json = place
        .run(&["image", "diff", "one.eif", "two.eif", "--json"])
        .json();
    assert_eq!(json["registers"], json!(["PCR0", "PCR1"]));
}

#[test]
fn an_image_is_signed_attached_and_verified() {
    for (name, again) in [("p256", false), ("p384", false), ("p521", true)] {
        let place = place();
        let certificate = format!("{name}.crt.pem");
        let signed = sign(&place, &format!("{name}.key.pem"), &certificate, "one.sig");
        let signed = signed.good().json();
        let attach = |from: &str, to: &str| {
            let ran = place.run(&["image", "attach", from, "one.sig", "--out", to, "--json"]);
            ran.good().json()
        };
        let mut measured = attach("one.eif", "signed.eif");
        if again {
            measured = attach("signed.eif", "again.eif");
            let (one, other) = (place.path("signed.eif"), place.path("again.eif"));
            assert_eq!(fs::read(one).expect("it"), fs::read(other).expect("it"));
        }
        assert_eq!(measured["pcr8"], signed["pcr8"]);
        let unsigned = fs::read_to_string(place.path("one.json")).expect("it");
        let unsigned: Value = serde_json::from_str(&unsigned).expect("JSON");
        for register in ["pcr0", "pcr1", "pcr2"] {
            assert_eq!(measured[register], unsigned[register]);
        }
        let certificate = testdata(&certificate);
        let verify = ["image", "verify", "signed.eif", "--json"];
        let full = [
            &verify[..],
            &["--certificate", &certificate, "--measurements", "one.json"],
        ];
        let verified = place.run(&full.concat()).good().json();
        assert_eq!(verified["accepted"], true);
        assert_eq!(verified["signer"]["expected"], true);
        assert_eq!(verified["measurements_compared"], true);
        let open = place.run(&verify).good().json();
        assert_eq!(open["signer"]["expected"], false);
        // The image it was made from is as it was.
        assert_eq!(
            fs::read(place.path("one.eif")).expect("it"),
            image(b"init one")
        );
    }
}

/// Signing failed: nothing was written.
fn not_signed(key: &str, certificate: &str, exit: i32, code: &str) {
    let place = place();
    let ran = sign(&place, key, certificate, "one.sig");
    assert_eq!(ran.code, Some(exit), "{ran:?}");
    assert_eq!(ran.json()["error"]["code"], code);
    assert_eq!(names(&place), UNTOUCHED);
    sign(&place, "p384.key.pem", "p384.crt.pem", "one.sig").good();
}

#[test]
fn a_key_that_cannot_be_read_fails_closed() {
    not_signed("missing.key.pem", "p384.crt.pem", 2, "file-missing");
    not_signed("encrypted.key.pem", "p384.crt.pem", 2, "key-unusable");
    not_signed("p384.crt.pem", "p384.crt.pem", 2, "key-unusable");
    not_signed("rsa.key.pem", "rsa.crt.pem", 2, "certificate-unusable");
    not_signed(".", "p384.crt.pem", 2, "file-unreadable");
}

#[test]
fn a_certificate_that_cannot_be_used_fails_closed() {
    not_signed("p384.key.pem", "missing.crt.pem", 2, "file-missing");
    not_signed("p384.key.pem", "p384.key.pem", 2, "certificate-unusable");
    not_signed("p384.key.pem", "other.crt.pem", 1, "not-signed");
    not_signed("p384.key.pem", "p256.crt.pem", 1, "not-signed");
    not_signed("p384.key.pem", "expired.crt.pem", 1, "not-signed");
    not_signed("p384.key.pem", "early.crt.pem", 1, "not-signed");
}

#[test]
fn a_signature_is_never_written_over_a_file_fails_closed() {
    let place = place();
    let before = fs::read(place.path("two.eif")).expect("it");
    let (code, _) = sign(&place, "p384.key.pem", "p384.crt.pem", "two.eif").refused();
    assert_eq!(code, "file-unwritable");
    let (code, _) = sign(&place, "p384.key.pem", "p384.crt.pem", "none/one.sig").refused();
    assert_eq!(code, "file-unwritable");
    assert_eq!(fs::read(place.path("two.eif")).expect("it"), before);
    assert_eq!(names(&place), UNTOUCHED);
}

#[test]
fn a_signature_of_another_image_is_not_attached_fails_closed() {
    let place = place();
    sign(&place, "p384.key.pem", "p384.crt.pem", "one.sig").good();
    let attach = |image: &str, signature: &str| {
        let arguments = ["image", "attach", image, signature];
        let rest = ["--out", "signed.eif", "--json"];
        place.run(&[&arguments[..], &rest].concat())
    };
    let (code, _) = attach("two.eif", "one.sig").refused();
    assert_eq!(code, "signature-refused");
    assert!(!place.path("signed.eif").exists());
    // Changed on its way: a byte of the signature, its last.
    let mut changed = fs::read(place.path("one.sig")).expect("it");
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(place.path("bad.sig"), changed).expect("written");
    let ran = attach("one.eif", "bad.sig");
    assert!(matches!(ran.code, Some(1 | 2)), "{ran:?}");
    assert_eq!(attach("one.eif", "one.json").code, Some(2));
    assert!(!place.path("signed.eif").exists());
    attach("one.eif", "one.sig").good();
    attach("one.eif", "one.sig").refused();
}

#[test]
fn another_image_or_signer_is_rejected_fails_closed() {
    let place = place();
    sign(&place, "p384.key.pem", "p384.crt.pem", "one.sig").good();
    let attach = [
        "image",
        "attach",
        "one.eif",
        "one.sig",
        "--out",
        "signed.eif",
    ];
    place.run(&attach).good();
    let verify = |image: &str, rest: &[&str]| {
        place.run(&[&["image", "verify", image, "--json"], rest].concat())
    };
    let other = testdata("other.crt.pem");
    let mine = testdata("p384.crt.pem");
    let refused = |ran: Ran| ran.refused().0;
    assert_eq!(
        refused(verify("signed.eif", &["--certificate", &other])),
        "another-signer"
    );
    assert_eq!(
        refused(verify("one.eif", &["--certificate", &mine])),
        "not-signed"
    );
    assert_eq!(refused(verify("one.eif", &[])), "not-signed");
    assert_eq!(
        refused(verify("two.eif", &["--measurements", "one.json"])),
        "measurement-differs"
    );
    // The certificate was not valid in 1970.
    assert_eq!(
        refused(verify("signed.eif", &["--at", "0"])),
        "signature-refused"
    );
    // The signature taken over into the other image by hand.
    let (one, two) = (image(b"init one"), image(b"init two"));
    let signature = fs::read(place.path("one.sig")).expect("it");
    let forged = Eif::parse(&two).expect("an image");
    let forged = forged.with_signature(&signature).expect("room").to_bytes();
    fs::write(place.path("forged.eif"), forged).expect("written");
    assert_eq!(refused(verify("forged.eif", &[])), "signature-refused");
    let shown = place.run(&["image", "inspect", "forged.eif"]).good().out;
    assert!(shown.contains("which is not this image's PCR0"), "{shown}");
    verify("one.eif", &["--measurements", "one.json"]).good();
    verify("signed.eif", &["--certificate", &mine]).good();
    drop(one);
}

#[test]
fn a_damaged_image_fails_closed() {
    let place = place();
    let good = fs::read(place.path("one.eif")).expect("it");
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    fs::write(place.path("bad.eif"), &bad).expect("written");
    fs::write(place.path("cut.eif"), &good[..good.len() - 1]).expect("written");
    fs::write(place.path("more.eif"), [&good[..], b"!"].concat()).expect("written");
    for image in ["bad.eif", "cut.eif", "more.eif"] {
        for arguments in [
            &["measure", image][..],
            &["inspect", image],
            &["verify", image],
            &["diff", image, "one.eif"],
            &["diff", "one.eif", image],
        ] {
            let ran = place.run(&[&["image", "--json"], arguments].concat());
            assert_eq!(ran.refused().0, "image-unusable", "{arguments:?}");
        }
    }
}

/// A token of one's own, with one key.
struct Token {
    place: Place,
    tokens: Tokens,
}

impl Token {
    fn new(key: &str) -> Option<Self> {
        let place = place();
        let tokens = Tokens::new(&place.path("hsm"))?;
        tokens.add("release");
        let token = Self { place, tokens };
        token.import(key, "signer", "01");
        Some(token)
    }

    fn import(&self, key: &str, label: &str, id: &str) {
        let key = testdata(key);
        self.tokens.import("release", Path::new(&key), label, id);
    }

    fn sign(&self, certificate: &str, token: &str, label: &str, pin: &str, out: &str) -> Ran {
        let module = self.tokens.module.to_str().expect("UTF-8");
        let certificate = testdata(certificate);
        let mut command = self.place.command(&[
            "image",
            "sign",
            "one.json",
            "--certificate",
            &certificate,
            "--module",
            module,
            "--token",
            token,
            "--key-label",
            label,
            "--pin-file",
            "-",
            "--out",
            out,
            "--json",
        ]);
        command
            .env("SOFTHSM2_CONF", self.tokens.configuration())
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("its input");
        // A command that fails before it reads closes its end.
        let _ = std::io::Write::write_all(&mut stdin, format!("{pin}\n").as_bytes());
        drop(stdin);
        Ran::wait(child)
    }
}

#[test]
fn a_token_signs_like_a_key_file() {
    for name in ["p256", "p384", "p521"] {
        let Some(token) = Token::new(&format!("{name}.key.pem")) else {
            return;
        };
        let certificate = format!("{name}.crt.pem");
        let signed = token.sign(&certificate, "release", "signer", PIN, "one.sig");
        signed.good();
        let place = &token.place;
        place
            .run(&[
                "image",
                "attach",
                "one.eif",
                "one.sig",
                "--out",
                "signed.eif",
            ])
            .good();
        let certificate = testdata(&certificate);
        place
            .run(&[
                "image",
                "verify",
                "signed.eif",
                "--certificate",
                &certificate,
            ])
            .good();
    }
}

#[test]
fn a_token_that_does_not_serve_fails_closed() {
    let Some(token) = Token::new("p384.key.pem") else {
        return;
    };
    let refused = |certificate: &str, name: &str, label: &str, pin: &str, words: &str| {
        let ran = token.sign(certificate, name, label, pin, "one.sig");
        assert!(matches!(ran.code, Some(1 | 2)), "{ran:?}");
        let message = ran.json()["error"]["message"].to_string();
        assert!(message.contains(words), "{message}");
        assert!(!token.place.path("one.sig").exists());
    };
    let mine = "p384.crt.pem";
    refused(
        mine,
        "release",
        "signer",
        "654321",
        "did not accept the PIN",
    );
    refused(mine, "release", "signer", "", "the PIN cannot be read");
    refused(mine, "absent", "signer", PIN, "no token");
    refused(mine, "release", "absent", PIN, "no private");
    // A certificate of another key, and of a key on another curve.
    refused("other.crt.pem", "release", "signer", PIN, "not of the key");
    refused("p256.crt.pem", "release", "signer", PIN, "not of the key");
    refused("expired.crt.pem", "release", "signer", PIN, "expired");
    token.import("other.key.pem", "signer", "02");
    refused(mine, "release", "signer", PIN, "2 private keys");
    token.import("p384.key.pem", "alone", "03");
    token.sign(mine, "release", "alone", PIN, "one.sig").good();
}

#[test]
fn a_module_that_cannot_be_loaded_fails_closed() {
    let place = place();
    let certificate = testdata("p384.crt.pem");
    let arguments = [
        "image",
        "sign",
        "one.json",
        "--certificate",
        &certificate,
        "--module",
        "one.json",
        "--token",
        "release",
        "--key-label",
        "signer",
        "--pin-file",
        "-",
        "--out",
        "one.sig",
        "--json",
    ];
    let ran = place.run_with(&arguments, "1234");
    assert_eq!(ran.code, Some(2));
    let message = ran.json()["error"]["message"].to_string();
    assert!(message.contains("cannot be loaded"), "{message}");
    assert_eq!(names(&place), UNTOUCHED);
}

/// A clean checkout with one commit, whose lock expects the first image; and that commit.
fn checkout(place: &Place) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(place.path("sources"))
            .args([
                "-c",
                "user.name=q",
                "-c",
                "user.email=q",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .output()
            .expect("git");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .to_owned()
    };
    let sources = place.path("sources");
    fs::create_dir_all(sources.join("images")).expect("a folder");
    git(&["init", "--quiet"]);
    fs::write(sources.join("file"), "one\n").expect("written");
    fs::write(sources.join("images/image.toml"), "").expect("written");
    fs::write(sources.join("images/lock.toml"), lock().to_text()).expect("written");
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "one"]);
    git(&["rev-parse", "HEAD"])
}

/// A lock that expects the first image.
fn lock() -> Lock {
    let source = Package {
        name: "linux-source-6.12".into(),
        version: "6.12".into(),
        size: 1,
        sha256: Sha256::of(b"source"),
        archive: "debian".into(),
        path: "pool/main/l/linux/linux-source-6.12_6.12_all.deb".into(),
    };
    let kernel = KernelLock {
        source,
        tarball: Sha256::of(b"tarball"),
        patches: Vec::new(),
    };
    let digest = Sha256::of(b"crates");
    let mut lock = Lock::new(Vec::new(), kernel, CratesLock { count: 0, digest });
    let bytes = image(b"init one");
    let measured = Eif::parse(&bytes).expect("an image").measure();
    let stage = Sha256::of(b"stage");
    lock.expected = Some(Expected {
        root: stage,
        config: stage,
        kernel: stage,
        init: stage,
        ramdisk0: stage,
        ramdisk1: None,
        eif: Sha256::of(&bytes),
        eif_bytes: u64::try_from(bytes.len()).expect("small"),
        pcr0: measured.pcr0.to_string(),
        pcr1: measured.pcr1.to_string(),
        pcr2: measured.pcr2.to_string(),
    });
    lock
}

fn attest(place: &Place, image: &str, key: &str, out: &str) -> Ran {
    let key = testdata(key);
    let arguments = ["image", "attest", image, "--repository", "sources"];
    let rest = ["--key", &key, "--out", out, "--json"];
    place.run(&[&arguments[..], &rest].concat())
}

#[test]
fn a_rebuild_is_attested_and_counted() {
    let place = place();
    let commit = checkout(&place);
    let attested = attest(&place, "one.eif", "p256.key.pem", "one.rebuild")
        .good()
        .json();
    assert_eq!(attested["commit"], commit);
    assert_eq!(attested["lock"], lock().digest().to_string());
    let key = attested["rebuilder"].as_str().expect("a key");
    let policy = |threshold: u8, other: &str| {
        let text = format!(
            "threshold = {threshold}\n[[rebuilder]]\nname = \"alice\"\nkey = \"{key}\"\n\
             [[rebuilder]]\nname = \"bob\"\nkey = \"{other}\"\n"
        );
        fs::write(place.path("policy.toml"), text).expect("written");
    };
    let generator = "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    let verify = |image: &str, rest: &[&str]| {
        let given = [
            "--rebuilders",
            "policy.toml",
            "--rebuild",
            "one.rebuild",
            "--json",
        ];
        place.run(&[&["image", "verify", image], &given[..], rest].concat())
    };
    policy(1, generator);
    let verified = verify("one.eif", &["--commit", &commit]).good().json();
    assert_eq!(verified["rebuilt"]["agreeing"], json!(["alice"]));
    // Another image, another commit, a higher threshold.
    assert_eq!(verify("two.eif", &[]).refused().0, "not-rebuilt");
    let other = "0".repeat(40);
    let refused = verify("one.eif", &["--commit", &other]).refused();
    assert_eq!(refused.0, "not-rebuilt");
    policy(2, generator);
    assert_eq!(verify("one.eif", &[]).refused().0, "not-rebuilt");
    assert_eq!(
        verify("one.eif", &["--rebuild", "one.rebuild"]).refused().0,
        "not-rebuilt"
    );
    assert_eq!(verify("one.eif", &["--rebuild", "one.json"]).code, Some(2));
}

#[test]
fn a_rebuild_of_changed_sources_is_not_attested_fails_closed() {
    let place = place();
    checkout(&place);
    fs::write(place.path("sources/file"), "two\n").expect("written");
    let (code, _) = attest(&place, "one.eif", "p256.key.pem", "one.rebuild").refused();
    assert_eq!(code, "sources-not-committed");
    fs::write(place.path("sources/file"), "one\n").expect("written");
    // Another image than the lock expects.
    let (code, _) = attest(&place, "two.eif", "p256.key.pem", "one.rebuild").refused();
    assert_eq!(code, "not-attested");
    // The contract knows one curve.
    let ran = attest(&place, "one.eif", "p384.key.pem", "one.rebuild");
    assert_eq!(ran.code, Some(2));
    assert!(!place.path("one.rebuild").exists());
    attest(&place, "one.eif", "p256.key.pem", "one.rebuild").good();
}
