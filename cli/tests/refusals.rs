//! Refusals that need a real enclave, met the way people meet them: through the ceremony's
//! commands, with an emulated enclave on the other side. Each time the good way still works, or has
//! worked before, so that no refusal is for a reason of another kind.
//!
//! Needs the static enclave binaries, which `./test` builds first; where `CI` is set their absence
//! is a failure.

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use p256::ecdsa::SigningKey;
use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::{EncryptionKey, VerificationKey};
use quorate_protocol::manifest::{Approval, Manifest, ManifestFields};
use quorate_protocol::members::{MemberSetFields, Role};
use serde_json::{Value, json};
use support::{Place, Ran, binaries, until};

const MEMBERS: [&str; 2] = ["alice", "bob"];
/// Of the parent instance of every enclave.
const ROLE: &str = "arn:aws:iam::123456789012:role/quorate";

/// Two people, a coordinator and an emulator.
struct World {
    place: Place,
    binaries: PathBuf,
    emulator: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.emulator.wait();
    }
}

impl World {
    fn new(binaries: PathBuf) -> Self {
        let place = Place::new();
        let mut emulator = place
            .command(&["emulate", "serve", "--directory", "nitro"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator");
        let orders = emulator.stdin.take();
        let answers = BufReader::new(emulator.stdout.take().expect("its answers"));
        let mut world = Self {
            place,
            binaries,
            emulator,
            orders,
            answers,
        };
        let init = world.init();
        let measured = world.order(&json!({ "measure": { "init": init } }));
        let path = world.place.path("measurements.json");
        fs::write(path, measured.to_string()).expect("written");
        world
    }

    fn init(&self) -> PathBuf {
        self.binaries.join("quorate-init-emulated")
    }

    fn order(&mut self, order: &Value) -> Value {
        let orders = self.orders.as_mut().expect("an emulator");
        writeln!(orders, "{order}").expect("an order");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert!(answer.get("error").is_none(), "{answer}");
        answer
    }

    /// Starts an enclave and gives its operators' socket.
    fn start(&mut self, name: &str) -> String {
        let init = self.init();
        self.order(&json!({ "start": { "name": name, "init": init, "role_arn": ROLE } }));
        format!("nitro/{name}/operator.sock")
    }

    /// A step of the coordinator.
    fn step(&self, step: &str, folder: &str, more: &[&str]) -> Ran {
        let start = ["ceremony", step, "--folder", folder, "--json"];
        self.place.run(&[&start, more].concat())
    }

    /// A step of a person, by the name of their private folder.
    fn person(&self, step: &str, who: &str, folder: &str, more: &[&str]) -> Ran {
        self.person_with(step, who, folder, more, &words(who))
    }

    fn person_with(&self, step: &str, who: &str, folder: &str, more: &[&str], words: &str) -> Ran {
        let start = ["ceremony", step, "--folder", folder, "--private", who];
        let end = ["--passphrase-file", "-", "--json"];
        self.place.run_with(&[&start, more, &end].concat(), words)
    }

    fn everyone(&self, step: &str, folder: &str, more: &[&str]) {
        for member in MEMBERS {
            self.person(step, member, folder, more).good();
        }
    }

    /// Everyone joins and consents to a definition under this root.
    fn found(&self, root: &[&str]) {
        for member in MEMBERS {
            self.person("join", member, "shared", &["--name", member])
                .good();
        }
        let fixed = "--namespace test --members alice,bob --manifest-threshold 2 \
                     --share-threshold 2 --measurements measurements.json";
        let fixed: Vec<_> = fixed.split(' ').filter(|word| !word.is_empty()).collect();
        self.step("define", "shared", &[&fixed, root].concat())
            .good();
        self.everyone("consent", "shared", &[]);
    }

    fn found_under_development_root(&self) {
        self.found(&["--partition", "development", "--root", ROOT]);
    }

    /// A genesis that everyone acknowledges; its digest.
    fn genesis(&mut self) -> String {
        let socket = self.start("genesis");
        self.step("genesis", "shared", &["--socket", &socket])
            .good();
        self.everyone("receipt", "shared", &["--socket", &socket]);
        let line = self
            .place
            .run(&["ceremony", "status", "--folder", "shared", "--json"]);
        text(&line.good().json(), "genesis")
    }

    /// The coordinator's next manifest, which differs from others in its validity.
    fn propose(&self, folder: &str, days: &str) {
        self.propose_with(folder, days, &[]);
    }

    fn propose_with(&self, folder: &str, days: &str, more: &[&str]) {
        let application = format!("{},port=5100", self.echo());
        let fixed = ["--measurements", "measurements.json", "--valid-days", days];
        let more = [&fixed[..], &["--application", &application], more].concat();
        self.step("manifest", folder, &more).good();
    }

    fn echo(&self) -> String {
        format!("echo={}", self.binaries.join("quorate-echo").display())
    }

    fn boot(&mut self, name: &str, folder: &str, more: &[&str]) -> String {
        let socket = self.start(name);
        self.try_boot(&socket, folder, more).good();
        socket
    }

    fn try_boot(&self, socket: &str, folder: &str, more: &[&str]) -> Ran {
        let echo = self.echo();
        let fixed = ["--socket", socket, "--application", &echo];
        self.step("boot", folder, &[&fixed, more].concat())
    }

    /// What an enclave says of itself.
    fn claims(&self, socket: &str) -> Value {
        let ran = self.step("status", "shared", &["--socket", socket]);
        ran.good().json()["enclave"].take()
    }

    /// Demands that nobody's share has arrived.
    #[track_caller]
    fn untouched(&self, socket: &str) {
        let claims = self.claims(socket);
        assert_eq!(claims["phase"], "collecting", "{claims}");
        assert_eq!(claims["accepted"], json!([]), "{claims}");
    }

    /// Everyone gives their share, and it is enough.
    fn provision(&self, socket: &str, folder: &str) {
        self.everyone("provision", folder, &["--socket", socket]);
        until("the application runs", || {
            self.claims(socket)["phase"] == "running"
        });
    }

    fn forward(&self, from: &str, to: &str) -> Ran {
        self.step("forward", "shared", &["--from", from, "--to", to])
    }

    /// Collects evidence and verifies it; exit code and report.
    fn verified(&self, socket: &str, genesis: &str) -> (Option<i32>, Value) {
        let _ = fs::remove_file(self.place.path("evidence.cbor"));
        let more = ["--socket", socket, "--out", "evidence.cbor"];
        self.step("evidence", "shared", &more).good();
        let verify = ["verify", "evidence", "evidence.cbor", "--json"];
        let pinned = ["--root", ROOT, "--genesis", genesis];
        let ran = self.place.run(&[&verify[..], &pinned].concat());
        (ran.code, ran.json())
    }
}

const ROOT: &str = "nitro/development-root.pem";

/// Everybody's passphrase; that of a copy is that of the original.
fn words(who: &str) -> String {
    format!("the long passphrase of {}", who.trim_end_matches("-2"))
}

fn text(value: &Value, key: &str) -> String {
    let text = value[key].as_str();
    text.unwrap_or_else(|| panic!("{key} of {value}"))
        .to_owned()
}

/// Copies a folder with its permissions.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    let permissions = fs::metadata(from).expect("a folder").permissions();
    fs::set_permissions(to, permissions).expect("the same permissions");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn evidence_of_an_enclave_without_its_key_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    world.found_under_development_root();
    let genesis = world.genesis();
    world.propose("shared", "30");

    let wrong = world.person_with("approve", "alice", "shared", &[], "not the passphrase");
    assert_eq!(wrong.refused().0, "wrong-passphrase");
    assert!(!world.place.path("shared/manifests/0001/approvals").exists());
    world.person("approve", "alice", "shared", &[]).good();
    let empty = world.start("empty");
    let (code, message) = world.try_boot(&empty, "shared", &[]).refused();
    assert_eq!(code, "chain-threshold");
    assert!(message.contains("bob"), "{message}");
    assert_eq!(world.claims(&empty)["phase"], "waiting");
    world.person("approve", "bob", "shared", &[]).good();

    let socket = world.boot("instance", "shared", &[]);
    let give = ["--socket", &socket];
    let wrong = world.person_with("provision", "alice", "shared", &give, "not the passphrase");
    assert_eq!(wrong.refused().0, "wrong-passphrase");
    world.untouched(&socket);

    // Nobody's share, then one of two.
    for giver in ["alice", "bob"] {
        let (code, report) = world.verified(&socket, &genesis);
        assert_eq!(code, Some(1), "{report}");
        assert_eq!(text(&report["error"], "code"), "not-provisioned");
        assert_eq!(text(&report["error"], "check"), "provisioned");
        assert_eq!(report["facts"]["shares_given_by"], json!([]));
        let checks = report["checks"].as_array().expect("checks");
        let verdict = |id: &str| checks.iter().find(|check| check["id"] == id);
        for id in [
            "genesis-pin",
            "chain",
            "attestation",
            "measurements",
            "live-keys",
        ] {
            assert_eq!(verdict(id).expect(id)["verdict"], "passed", "{id}");
        }
        world.person("provision", giver, "shared", &give).good();
    }
    until("the application runs", || {
        world.claims(&socket)["phase"] == "running"
    });
    let (code, report) = world.verified(&socket, &genesis);
    assert_eq!(code, Some(0), "{report}");
}

#[test]
fn an_instance_of_an_older_manifest_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    world.found_under_development_root();
    let genesis = world.genesis();
    for days in ["30", "60"] {
        world.propose("shared", days);
        world.everyone("approve", "shared", &[]);
    }
    let old = world.boot("old", "shared", &["--manifest", "1"]);
    let give_old = ["--socket", &old];

    // The newest is in the folder: the instance is of the one before, and that is what is said.
    let (code, message) = world
        .person("provision", "alice", "shared", &give_old)
        .refused();
    assert_eq!(code, "rollback-lower", "{message}");
    assert!(
        message.contains("manifest 1 is older than manifest 2"),
        "{message}"
    );
    // Somebody hides the newest: the person remembers it.
    let (newest, hidden) = ("shared/manifests/0002", "hidden");
    let (newest, hidden) = (world.place.path(newest), world.place.path(hidden));
    fs::rename(&newest, &hidden).expect("hidden");
    for step in ["provision", "approve"] {
        let more: &[&str] = if step == "provision" { &give_old } else { &[] };
        let (code, message) = world.person(step, "alice", "shared", more).refused();
        assert_eq!(code, "rollback-lower", "{message}");
        assert!(
            message.contains("manifest 1 is older than manifest 2"),
            "{message}"
        );
    }
    // And puts another in its place.
    world.propose("shared", "90");
    let (code, message) = world.person("approve", "alice", "shared", &[]).refused();
    assert_eq!(code, "rollback-second-digest", "{message}");
    world.untouched(&old);

    fs::remove_dir_all(&newest).expect("removed");
    fs::rename(&hidden, &newest).expect("found again");
    let socket = world.boot("new", "shared", &[]);
    world.provision(&socket, "shared");
    let (code, report) = world.verified(&socket, &genesis);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["facts"]["sequence"], 2);
}

#[test]
fn a_second_genesis_of_one_definition_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    world.found_under_development_root();
    // Another folder, and people who have seen nothing yet, as after a restored backup.
    for (from, to) in [("shared", "other"), ("alice", "alice-2"), ("bob", "bob-2")] {
        copy(&world.place.path(from), &world.place.path(to));
    }
    world.genesis();
    let second = world.start("second");
    let at_second = ["--socket", &second];
    world.step("genesis", "other", &at_second).good();

    // Its output in place of the first, and behind the first's output.
    let (code, message) = world
        .person("receipt", "alice", "other", &at_second)
        .refused();
    assert_eq!(code, "second-genesis", "{message}");
    let (code, message) = world
        .person("receipt", "alice-2", "shared", &at_second)
        .refused();
    assert!(code.starts_with("instance-"), "{code}: {message}");

    // Whoever knows no better goes on with it; whoever pinned the first does not.
    for who in ["alice-2", "bob-2"] {
        world.person("receipt", who, "other", &at_second).good();
    }
    world.propose("other", "30");
    assert_eq!(
        world.person("approve", "alice", "other", &[]).refused().0,
        "second-genesis"
    );
    for who in ["alice-2", "bob-2"] {
        world.person("approve", who, "other", &[]).good();
    }
    let socket = world.boot("instance", "other", &[]);
    let give = ["--socket", &socket];
    let (code, message) = world.person("provision", "alice", "other", &give).refused();
    assert_eq!(code, "second-genesis", "{message}");

    // The instance of the second, behind the folder of the first.
    world.propose("shared", "30");
    world.everyone("approve", "shared", &[]);
    let (code, message) = world
        .person("provision", "alice", "shared", &give)
        .refused();
    assert!(code.starts_with("instance-"), "{code}: {message}");
    world.untouched(&socket);
    world.person("provision", "alice-2", "other", &give).good();

    // Another root's certificate in the folder.
    fs::write(world.place.path("shared/root.der"), b"\x30\x00").expect("written");
    let (code, message) = world
        .person("provision", "alice", "shared", &give)
        .refused();
    assert_eq!(code, "root-differs", "{message}");
}

/// Somebody who is nobody here.
fn stranger(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).expect("a key")
}

/// A copy of a manifest in which strangers approve manifests.
fn usurped(manifest: &Manifest, change: impl FnOnce(&mut ManifestFields)) -> Manifest {
    let mut fields: ManifestFields = (**manifest).clone();
    let mut members = fields.manifest_set.members.clone();
    for (seed, member) in (1..).zip(&mut members) {
        member.name = Name::new(&format!("stranger-{seed}")).expect("a name");
        let (signing, encryption) = (stranger(seed), stranger(seed + 100));
        member.signing_key = VerificationKey::of(&signing);
        let point = encryption.verifying_key().to_sec1_point(true);
        member.encryption_key = EncryptionKey::from_sec1(point.as_bytes()).expect("a key");
    }
    let threshold = fields.manifest_set.threshold;
    fields.manifest_set = Checked::new(MemberSetFields { threshold, members }).expect("a set");
    change(&mut fields);
    Checked::new(fields).expect("a manifest")
}

/// Puts a manifest into the folder, approved by the strangers it names.
fn publish(world: &World, manifest: &Manifest) {
    let folder = world
        .place
        .path(&format!("shared/manifests/{:04}", manifest.sequence));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("approvals")).expect("a folder");
    fs::write(folder.join("manifest.cbor"), to_bytes(manifest)).expect("written");
    for (seed, member) in (1..).zip(&manifest.manifest_set.members) {
        let approval = Approval {
            role: Role::ManifestSet,
            genesis: manifest.genesis,
            manifest: Digest::of(manifest),
            index: member.index,
            time: UnixMillis(1),
        };
        let approval = Signed::sign(approval, &stranger(seed));
        let name = format!("approvals/{}-manifest-set.cbor", member.name);
        fs::write(folder.join(name), to_bytes(&approval)).expect("written");
    }
}

/// Genuine genesis, genuine quorum key, genuine measurements; only the approvers are strangers.
#[test]
fn a_manifest_set_of_strangers_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    world.found_under_development_root();
    world.genesis();
    world.propose("shared", "30");
    let genuine = world.place.path("shared/manifests/0001");
    let bytes = fs::read(genuine.join("manifest.cbor")).expect("the manifest");
    let manifest: Manifest = from_bytes(&bytes).expect("a manifest");
    fs::rename(&genuine, world.place.path("genuine")).expect("put aside");

    let first = usurped(&manifest, |_| ());
    publish(&world, &first);
    let socket = world.start("instance");
    let give = ["--socket", &socket];
    for refused in [
        world.try_boot(&socket, "shared", &[]),
        world.person("provision", "alice", "shared", &give),
    ] {
        let (code, message) = refused.refused();
        assert!(code.starts_with("chain-"), "{code}: {message}");
    }
    // Approving what follows it would approve it too.
    let second = usurped(&manifest, |fields| {
        fields.sequence = 2;
        fields.previous = Some(Digest::of(&first));
        fields.last_set_change = Some(Digest::of(&first));
    });
    publish(&world, &second);
    let (code, message) = world.person("approve", "alice", "shared", &[]).refused();
    assert!(code.starts_with("chain-"), "{code}: {message}");

    fs::remove_dir_all(world.place.path("shared/manifests")).expect("removed");
    fs::create_dir(world.place.path("shared/manifests")).expect("a folder");
    fs::rename(world.place.path("genuine"), &genuine).expect("put back");
    world.everyone("approve", "shared", &[]);
    world.try_boot(&socket, "shared", &[]).good();
    world.provision(&socket, "shared");
}

/// A definition for real hardware, and an emulator that answers in its place.
#[test]
fn an_emulated_enclave_under_a_definition_with_awss_root_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    world.found(&["--partition", "aws"]);
    let socket = world.start("genesis");
    let at = ["--socket", &socket];
    let (code, message) = world.step("genesis", "shared", &at).refused();
    assert_eq!(code, "root-not-trusted", "{message}");
    assert!(!world.place.path("shared/genesis").exists());
    let (code, _) = world.person("receipt", "alice", "shared", &at).refused();
    assert_eq!(code, "file-missing");
}

/// An upgrade without shares, and what it is refused for on the way.
#[test]
fn a_forward_without_approvals_or_after_the_hand_over_fails_closed() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    world.found_under_development_root();
    let genesis = world.genesis();
    world.propose_with("shared", "300", &["--forward", "30"]);
    world.everyone("approve", "shared", &[]);
    let one = world.boot("one", "shared", &[]);
    world.provision(&one, "shared");
    world.propose("shared", "301");
    world.everyone("approve", "shared", &[]);
    let two = world.boot("two", "shared", &[]);

    let (code, _) = world.forward(&one, &two).refused();
    assert_eq!(code, "refused-forward-approvals-missing");
    let approved = world.person("forward-approve", "alice", "shared", &[]);
    assert_eq!(approved.good().json()["sequence"], 2);
    let (code, _) = world.forward(&one, &two).refused();
    assert_eq!(code, "refused-forward-approvals-missing");
    assert_eq!(world.claims(&one)["phase"], "running");
    assert_eq!(world.claims(&two)["phase"], "collecting");
    world.person("forward-approve", "bob", "shared", &[]).good();
    let done = world.forward(&one, &two).good().json();
    assert_eq!(done["found"], "nothing");
    assert_eq!(done["count"], 1);
    assert_eq!(done["approved_by"], json!(["alice", "bob"]));
    assert_eq!(world.claims(&one)["phase"], "handed-over");
    until("the application runs", || {
        world.claims(&two)["phase"] == "running"
    });
    // It can be repeated, and says that nothing was left to do.
    let again = world.forward(&one, &two).good().json();
    assert_eq!(again["found"], "handed-over");
    assert_eq!(again["record"], done["record"]);

    // A stranger learns who has the key, and who has it no more.
    let (code, report) = world.verified(&two, &genesis);
    assert_eq!(code, Some(0), "{report}");
    let from = &report["facts"]["forwarded_from"];
    assert_eq!(from["exporter"], done["exporter"]);
    assert_eq!(from["approved_by"], json!(["alice", "bob"]));
    let (code, report) = world.verified(&one, &genesis);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["facts"]["handed_over"], true);
    assert_eq!(report["facts"]["forwards"][0]["importer"], done["importer"]);

    let three = world.boot("three", "shared", &[]);
    let (code, _) = world.forward(&one, &three).refused();
    assert_eq!(code, "refused-handed-over");
    world.untouched(&three);
}
