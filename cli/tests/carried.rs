//! Members whose machines have no network, met through the commands: each of them works on a copy of
//! the shared folder of their own, and only files go back and forth.
//!
//! Time is not waited for: where a nonce shall be old, the moment it was made at is set back in the
//! member's private folder, which is what the machine itself would have written then.
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

use serde_json::Value;
use support::binaries;
use world::*;

/// Everything that one folder has and another has not, as a stick carries it: what is there is left.
fn carry(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            carry(&entry.path(), &target);
        } else if !target.exists() {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Alice's machine has no network: her folder is a copy.
struct Apart {
    world: World,
}

impl Apart {
    fn out(&self) {
        carry(
            &self.world.place.path("shared"),
            &self.world.place.path("copy"),
        );
    }

    fn back(&self) {
        carry(
            &self.world.place.path("copy"),
            &self.world.place.path("shared"),
        );
    }

    fn alice(&self, step: &str, more: &[&str]) -> support::Ran {
        let more = [&["--carried"], more].concat();
        self.world.person(step, "alice", "copy", &more)
    }

    #[track_caller]
    fn stands(&self, step: &str, more: &[&str], stand: &str) -> Value {
        let json = self.alice(step, more).good().json();
        assert_eq!(json["stand"], stand, "{json}");
        json
    }

    /// The coordinator's command, between two ways of the stick.
    #[track_caller]
    fn errand(&self, socket: &str, what: &str) {
        self.back();
        let json = self.world.step("carry", "shared", &["--socket", socket]);
        let json = json.good().json();
        assert_eq!(json["carried"][0]["what"], what, "{json}");
        assert_eq!(json["carried"][0]["member"], "alice", "{json}");
        self.out();
    }

    /// Sets back the moment at which alice's nonce was made.
    fn age(&self, seconds: u64) {
        let path = self.world.place.path("alice/carried.cbor");
        let bytes = fs::read(&path).expect("a round");
        let mut reading = minicbor::Decoder::new(&bytes);
        let count = reading.map().expect("a map").expect("its length");
        for _ in 0..count {
            let key = reading.u8().expect("a key");
            let from = reading.position();
            if key != 4 {
                reading.skip().expect("a value");
                continue;
            }
            let made = reading.u64().expect("milliseconds");
            let to = reading.position();
            let made = made.checked_sub(seconds * 1000).expect("up for longer");
            let mut aged = bytes[..from].to_vec();
            aged.extend(minicbor::to_vec(made).expect("a number"));
            aged.extend(&bytes[to..]);
            fs::write(&path, aged).expect("written");
            return;
        }
        panic!("no moment");
    }
}

/// Up to an instance that waits for shares; alice's receipt is given by files.
fn until_boot(limit: &str) -> Option<(Apart, String)> {
    let mut world = World::new(binaries()?);
    for member in MEMBERS {
        let more = ["--name", member];
        world.person("join", member, "shared", &more).good();
    }
    let root = ["--partition", "development", "--root", ROOT];
    world.define(&[&root[..], &["--age-limit", limit]].concat());
    world.everyone("consent", "shared", &[]);
    let genesis = world.start("genesis");
    world
        .step("genesis", "shared", &["--socket", &genesis])
        .good();
    let more = ["--socket", &genesis];
    world.person("receipt", "bob", "shared", &more).good();
    let apart = Apart { world };
    apart.out();
    apart.stands("receipt", &[], "asked");
    apart.errand(&genesis, "genesis attestation");
    apart.alice("receipt", &[]).good();
    apart.back();
    apart.world.propose("shared", "30");
    apart.world.everyone("approve", "shared", &[]);
    let Apart { mut world } = apart;
    let socket = world.boot("one", "shared", &[]);
    let apart = Apart { world };
    apart.out();
    Some((apart, socket))
}

#[test]
fn a_share_is_given_by_files_within_half_an_hour() {
    let Some((apart, socket)) = until_boot("1800") else {
        return;
    };
    let dry = apart.alice("provision", &["--dry-run"]).good().json();
    assert_eq!(dry["dry_run"], true, "{dry}");
    assert!(!apart.world.place.path("copy/carried/alice/0002").exists());
    let asked = apart.stands("provision", &[], "asked");
    assert_eq!(asked["age_limit"], 1800, "{asked}");
    // Again, and nothing new comes of it.
    let again = apart.stands("provision", &[], "asked");
    assert_eq!(
        (&asked["file"], &asked["round"]),
        (&again["file"], &again["round"])
    );
    apart.errand(&socket, "attestation");
    // Longer than a minute later.
    apart.age(61);
    let dry = apart.alice("provision", &["--dry-run"]).good().json();
    assert_eq!(dry["dry_run"], true, "{dry}");
    apart.world.untouched(&socket);
    apart.stands("provision", &[], "granted");
    apart.world.untouched(&socket);
    apart.stands("provision", &[], "granted");
    apart.errand(&socket, "receipt");
    let given = apart.alice("provision", &[]).good().json();
    assert_eq!(
        (&given["accepted"], &given["threshold"]),
        (&1.into(), &2.into())
    );
    // Nobody waits for anything any more.
    let json = apart.world.step("carry", "shared", &[]).good().json();
    assert_eq!(json["carried"], serde_json::json!([]), "{json}");
    let more = ["--socket", &socket];
    apart
        .world
        .person("provision", "bob", "shared", &more)
        .good();
    support::until("the application runs", || {
        apart.world.claims(&socket)["phase"] == "running"
    });
}

#[test]
fn under_a_limit_of_a_minute_a_later_answer_fails_closed() {
    let Some((apart, socket)) = until_boot("60") else {
        return;
    };
    apart.stands("provision", &[], "asked");
    apart.errand(&socket, "attestation");
    apart.age(61);
    let ran = apart.alice("provision", &[]);
    assert_eq!(ran.code, Some(1));
    let error = ran.json()["error"].take();
    assert_eq!(error["code"], "carried-stale", "{error}");
    let remedy = error["remedy"].as_str().expect("a remedy");
    assert!(
        remedy.contains("--anew") && remedy.contains("--age-limit"),
        "{remedy}"
    );
    apart.world.untouched(&socket);
    // Another's answer in its place, altered, repeated.
    apart.stands("provision", &["--anew"], "asked");
    let carried = apart.world.place.path("copy/carried/alice");
    let (old, new) = (carried.join("0002"), carried.join("0003"));
    fs::copy(old.join("attestation.cbor"), new.join("attestation.cbor")).expect("copied");
    let (code, _) = apart.alice("provision", &[]).refused();
    assert_eq!(code, "carried-other-nonce");
    fs::write(new.join("attestation.cbor"), b"noise").expect("written");
    let (code, _) = apart.alice("provision", &[]).refused();
    assert_eq!(code, "file-malformed");
    fs::remove_file(new.join("attestation.cbor")).expect("removed");
    apart.errand(&socket, "attestation");
    let wrong = "not the passphrase";
    let more = ["--carried"];
    let ran = apart
        .world
        .person_with("provision", "alice", "copy", &more, wrong);
    assert_eq!(ran.refused().0, "wrong-passphrase");
    assert!(!new.join("grant.cbor").exists());
    apart.stands("provision", &[], "granted");
    apart.errand(&socket, "receipt");
    apart.alice("provision", &[]).good();
}

/// A limit outside the contract, and flags that mean nothing, are refused by name.
#[test]
fn unusable_limits_and_flags_fail_closed() {
    let place = support::Place::new();
    fs::write(place.path("m.json"), "{}").expect("written");
    for limit in ["0", "59", "1801", "+60", "1m", "-60"] {
        let line = format!(
            "ceremony new --folder f --namespace t --members a,b --manifest-threshold 2 \
             --share-threshold 2 --partition aws --measurements m.json --json --age-limit={limit}"
        );
        let ran = place.run(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(ran.code, Some(2), "{limit}");
        assert_eq!(ran.json()["error"]["code"], "usage", "{limit}");
    }
    for line in [
        "ceremony provision --folder f --anew --json",
        "ceremony provision --folder f --carried --socket s --json",
        "ceremony receipt --folder f --carried --socket s --json",
    ] {
        let ran = place.run(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(ran.code, Some(2), "{line}");
    }
}
