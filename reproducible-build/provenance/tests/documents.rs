//! Provenance and bill of a small lock: every input is named, nothing else is, and only the image
//! the lock expects has an origin.

use std::collections::BTreeSet;
use std::path::Path;

use quorate_builder::digest::Sha256;
use quorate_builder::lock::{CratesLock, Expected, KernelLock, Lock, Package};
use quorate_builder::sources::Crate;
use quorate_eif::{Architecture, Eif, Parts};
use quorate_image_provenance::{Origin, OriginError, bill, statement};
use serde_json::Value;

const REPOSITORY: &str = "https://github.com/quorate/quorate";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const PATCH: &str = "images/kernel/patches/0001-one.patch";

fn package(name: &str, version: &str, arch: &str) -> Package {
    Package {
        name: name.into(),
        version: version.into(),
        size: 1,
        sha256: Sha256::of(name.as_bytes()),
        archive: "debian".into(),
        path: format!("pool/main/x/{name}/{name}_1_{arch}.deb"),
    }
}

fn crates() -> Vec<Crate> {
    let one = |name: &str| Crate {
        name: name.into(),
        version: "1.0.0+x".into(),
        checksum: Sha256::of(name.as_bytes()),
    };
    vec![one("alpha"), one("beta")]
}

fn image(init: &[u8]) -> Vec<u8> {
    let parts = Parts {
        architecture: Architecture::X86_64,
        kernel: b"kernel",
        command_line: "quiet",
        ramdisks: &[init],
        metadata: b"{}",
    };
    Eif::assemble(&parts).expect("an image").to_bytes()
}

fn lock() -> Lock {
    let packages = vec![
        package("bash", "5.2.15-2+b13", "amd64"),
        package("musl-dev", "1.2.3-1", "amd64"),
        package("tzdata", "2026a", "all"),
    ];
    let kernel = KernelLock {
        source: package("linux-source-6.12", "6.12.117-1~deb12u1", "all"),
        tarball: Sha256::of(b"tarball"),
        patches: vec![Sha256::of(b"patch")],
    };
    let digest = Sha256::of(b"crates");
    let mut lock = Lock::new(packages, kernel, CratesLock { count: 2, digest });
    let image = image(b"init");
    let measured = Eif::parse(&image).expect("an image").measure();
    lock.expected = Some(Expected {
        root: Sha256::of(b"root"),
        config: Sha256::of(b"config"),
        kernel: Sha256::of(b"kernel"),
        init: Sha256::of(b"init"),
        ramdisk0: Sha256::of(b"ramdisk0"),
        ramdisk1: None,
        eif: Sha256::of(&image),
        eif_bytes: u64::try_from(image.len()).expect("small"),
        pcr0: measured.pcr0.to_string(),
        pcr1: measured.pcr1.to_string(),
        pcr2: measured.pcr2.to_string(),
    });
    lock
}

/// Everything that can be wrong with an origin.
struct Case {
    commit: &'static str,
    lock: Lock,
    crates: Vec<Crate>,
    digest: Sha256,
    patches: Vec<String>,
    image: Vec<u8>,
}

fn case() -> Case {
    Case {
        commit: COMMIT,
        lock: lock(),
        crates: crates(),
        digest: Sha256::of(b"crates"),
        patches: vec![PATCH.into()],
        image: image(b"init"),
    }
}

impl Case {
    fn origin(&self) -> Result<Origin<'_>, OriginError> {
        let crates = (self.crates.as_slice(), self.digest);
        let (lock, patches) = (&self.lock, &self.patches);
        Origin::new(REPOSITORY, self.commit, lock, crates, patches, &self.image)
    }
}

fn refused(change: impl FnOnce(&mut Case)) -> OriginError {
    let mut case = case();
    change(&mut case);
    let error = case.origin().expect_err("refused");
    assert!(!error.remedy().is_empty() && !error.to_string().is_empty());
    assert!(self::case().origin().is_ok());
    error
}

/// Every SHA-256 of a document.
fn digests(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) if text.len() == 64 => BTreeSet::from([text.clone()]),
        Value::Array(values) => values.iter().flat_map(digests).collect(),
        Value::Object(map) => map.values().flat_map(digests).collect(),
        _ => BTreeSet::new(),
    }
}

/// Every input of the lock.
fn inputs(lock: &Lock) -> Vec<String> {
    let packages = lock.packages().map(|package| package.sha256);
    let crates = crates();
    let crates = crates.iter().map(|each| each.checksum);
    let kernel = [lock.kernel.tarball];
    let all = packages.chain(crates).chain(kernel);
    all.map(|digest| digest.to_string()).collect()
}

#[test]
fn the_statement_names_every_input_and_the_image() {
    let case = case();
    let origin = case.origin().expect("an origin");
    let statement = statement(&origin, "https://example.org/builder");
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let subject = &statement["subject"][0];
    let eif = Sha256::of(&case.image).to_string();
    assert_eq!(subject["digest"]["sha256"], eif);
    let definition = &statement["predicate"]["buildDefinition"];
    let inputs_found = digests(&definition["resolvedDependencies"]);
    for input in inputs(&case.lock) {
        assert!(inputs_found.contains(&input), "{input}");
    }
    assert!(inputs_found.contains(&Sha256::of(b"patch").to_string()));
    assert!(inputs_found.contains(&case.lock.digest().to_string()));
    // Source, lock, four packages, the tarball, the patch, two crates; nothing twice.
    let dependencies = &definition["resolvedDependencies"];
    assert_eq!(dependencies.as_array().map(Vec::len), Some(10));
    assert_eq!(inputs_found.len(), 9);
    assert_eq!(
        dependencies[2]["uri"],
        "pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64"
    );
    let source = &definition["externalParameters"]["source"];
    assert_eq!(source["digest"]["gitCommit"], COMMIT);
    let builder = &statement["predicate"]["runDetails"]["builder"];
    assert_eq!(builder["id"], "https://example.org/builder");
    // Two rebuilders write the same.
    let again = self::case();
    let again = again.origin().expect("an origin");
    let again = self::statement(&again, "https://example.org/builder");
    assert_eq!(again.to_string(), statement.to_string());
}

fn statement_of(case: &Case) -> Value {
    statement(&case.origin().expect("an origin"), "urn:x")
}

#[test]
fn a_changed_input_changes_the_statement() {
    let before = statement_of(&case());
    let mut changed = case();
    changed.crates[1].checksum = Sha256::of(b"another");
    assert_ne!(statement_of(&changed), before);
}

#[test]
fn the_bill_names_what_is_inside_and_what_made_it() {
    let case = case();
    let bill = bill(&case.origin().expect("an origin"));
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["specVersion"], "1.6");
    let found = digests(&bill);
    for input in inputs(&case.lock) {
        assert!(found.contains(&input), "{input}");
    }
    let components = bill["components"].as_array().expect("components");
    let scope = |name: &str| {
        let mut of_name = components.iter().filter(|each| each["name"] == name);
        let scope = of_name.next().map(|each| each["scope"].clone());
        assert!(of_name.next().is_none(), "{name} twice");
        scope.expect(name)
    };
    for name in ["linux", "quorate-init", "alpha", "beta", "musl-dev"] {
        assert_eq!(scope(name), "required", "{name}");
    }
    for name in ["bash", "tzdata", "linux-source-6.12"] {
        assert_eq!(scope(name), "excluded", "{name}");
    }
    // Every reference leads somewhere.
    let reference = |value: &Value| value.as_str().expect("a reference").to_owned();
    let named = components.iter().map(|each| reference(&each["bom-ref"]));
    let mut references: BTreeSet<_> = named.collect();
    references.insert(reference(&bill["metadata"]["component"]["bom-ref"]));
    assert_eq!(references.len(), components.len() + 1);
    for edge in bill["dependencies"].as_array().expect("edges") {
        assert!(references.contains(&reference(&edge["ref"])));
        let targets = edge["dependsOn"].as_array().expect("edges");
        let mut targets = targets.iter().map(reference);
        assert!(targets.all(|target| references.contains(&target)));
    }
    let patch = &components[0]["pedigree"]["patches"][0];
    assert_eq!(
        patch["diff"]["url"],
        format!("git+{REPOSITORY}@{COMMIT}#{PATCH}")
    );
}

#[test]
fn an_image_the_lock_does_not_expect_fails_closed() {
    let refused = refused(|case| case.image = image(b"other"));
    assert!(matches!(
        refused,
        OriginError::NotExpected {
            stage: "SHA-256",
            ..
        }
    ));
    let refused = self::refused(|case| {
        let expected = case.lock.expected.as_mut().expect("expected");
        expected.pcr1 = "ab".repeat(48);
    });
    assert!(matches!(
        refused,
        OriginError::NotExpected { stage: "PCR1", .. }
    ));
    let refused = self::refused(|case| case.image.truncate(100));
    assert!(matches!(refused, OriginError::Image(_)));
}

#[test]
fn a_lock_without_a_result_fails_closed() {
    let refused = refused(|case| case.lock.expected = None);
    assert_eq!(refused, OriginError::NothingExpected);
}

#[test]
fn other_crates_or_patches_than_the_locks_fails_closed() {
    let refused = refused(|case| case.digest = Sha256::of(b"others"));
    assert!(matches!(refused, OriginError::Crates { found: 2, .. }));
    let refused = self::refused(|case| case.crates.truncate(1));
    assert!(matches!(refused, OriginError::Crates { found: 1, .. }));
    let refused = self::refused(|case| case.patches.clear());
    let expected = 1;
    assert_eq!(refused, OriginError::Patches { found: 0, expected });
}

#[test]
fn a_commit_that_is_none_fails_closed() {
    for commit in [
        "",
        "main",
        "v0.1.0",
        "0123",
        "0123456789ABCDEF0123456789ABCDEF01234567",
    ] {
        let refused = refused(|case| case.commit = commit);
        let found = commit.to_owned();
        assert_eq!(refused, OriginError::Commit { found });
    }
}

/// The repository's own lock, in tests beside it.
#[test]
fn our_own_lock_is_read() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let lock = Lock::read(&sources).expect("images/lock.toml");
    assert!(lock.packages().count() > 50);
}
