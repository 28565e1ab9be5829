//! Refusals that need a real enclave, met the way people meet them: through the ceremony's
//! commands, with an emulated enclave on the other side. Each time the good way still works, or has
//! worked before, so that no refusal is for a reason of another kind.
//!
//! Needs the static enclave binaries, which `./test` builds first; where `CI` is set their absence
//! is a failure.

#[path = "support/emulator.rs"]
mod emulator;
mod support;
#[path = "support/world.rs"]
mod world;

use std::fs;
use std::path::Path;

use p256::ecdsa::SigningKey;
use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::{EncryptionKey, VerificationKey};
use quorate_protocol::manifest::{Approval, Manifest, ManifestFields};
use quorate_protocol::members::{MemberSetFields, Role};
use serde_json::json;
use support::{binaries, until};
use world::*;

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
