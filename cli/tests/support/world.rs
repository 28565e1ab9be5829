//! Two people, a coordinator and an emulated enclave, met through the commands.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::support::{Place, Ran, until};

pub(crate) const MEMBERS: [&str; 2] = ["alice", "bob"];
/// Of the parent instance of every enclave.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/quorate";

/// Two people, a coordinator and an emulator.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) binaries: PathBuf,
    emulator: Emulator,
}

impl World {
    pub(crate) fn new(binaries: PathBuf) -> Self {
        let place = Place::new();
        let emulator = Emulator::start(&place);
        let mut world = Self {
            place,
            binaries,
            emulator,
        };
        let init = world.init();
        let measured = world.order(&json!({ "measure": { "init": init } }));
        let path = world.place.path("measurements.json");
        fs::write(path, measured.to_string()).expect("written");
        world
    }

    pub(crate) fn init(&self) -> PathBuf {
        self.binaries.join("quorate-init-emulated")
    }

    pub(crate) fn order(&mut self, order: &Value) -> Value {
        self.emulator.order(order)
    }

    /// Starts an enclave and gives its operators' socket.
    pub(crate) fn start(&mut self, name: &str) -> String {
        let init = self.init();
        self.order(&json!({ "start": { "name": name, "init": init, "role_arn": ROLE } }));
        format!("nitro/{name}/operator.sock")
    }

    /// A step of the coordinator.
    pub(crate) fn step(&self, step: &str, folder: &str, more: &[&str]) -> Ran {
        let start = ["ceremony", step, "--folder", folder, "--json"];
        self.place.run(&[&start, more].concat())
    }

    /// A step of a person, by the name of their private folder.
    pub(crate) fn person(&self, step: &str, who: &str, folder: &str, more: &[&str]) -> Ran {
        self.person_with(step, who, folder, more, &words(who))
    }

    pub(crate) fn person_with(
        &self,
        step: &str,
        who: &str,
        folder: &str,
        more: &[&str],
        words: &str,
    ) -> Ran {
        let start = ["ceremony", step, "--folder", folder, "--private", who];
        let end = ["--passphrase-file", "-", "--json"];
        self.place.run_with(&[&start, more, &end].concat(), words)
    }

    pub(crate) fn everyone(&self, step: &str, folder: &str, more: &[&str]) {
        for member in MEMBERS {
            self.person(step, member, folder, more).good();
        }
    }

    /// Everyone joins and consents to a definition under this root.
    pub(crate) fn found(&self, root: &[&str]) {
        for member in MEMBERS {
            self.person("join", member, "shared", &["--name", member])
                .good();
        }
        self.define(root);
        self.everyone("consent", "shared", &[]);
    }

    /// The coordinator's definition under this root.
    pub(crate) fn define(&self, root: &[&str]) {
        let fixed = "--namespace test --members alice,bob --manifest-threshold 2 \
                     --share-threshold 2 --measurements measurements.json";
        let fixed: Vec<_> = fixed.split(' ').filter(|word| !word.is_empty()).collect();
        self.step("define", "shared", &[&fixed, root].concat())
            .good();
    }

    pub(crate) fn found_under_development_root(&self) {
        self.found(&["--partition", "development", "--root", ROOT]);
    }

    /// A genesis that everyone acknowledges; its digest.
    pub(crate) fn genesis(&mut self) -> String {
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
    pub(crate) fn propose(&self, folder: &str, days: &str) {
        self.propose_with(folder, days, &[]);
    }

    pub(crate) fn propose_with(&self, folder: &str, days: &str, more: &[&str]) {
        let application = format!("{},port=5100", self.echo());
        let fixed = ["--measurements", "measurements.json", "--valid-days", days];
        let more = [&fixed[..], &["--application", &application], more].concat();
        self.step("manifest", folder, &more).good();
    }

    pub(crate) fn echo(&self) -> String {
        format!("echo={}", self.binaries.join("quorate-echo").display())
    }

    pub(crate) fn boot(&mut self, name: &str, folder: &str, more: &[&str]) -> String {
        let socket = self.start(name);
        self.try_boot(&socket, folder, more).good();
        socket
    }

    pub(crate) fn try_boot(&self, socket: &str, folder: &str, more: &[&str]) -> Ran {
        let echo = self.echo();
        let fixed = ["--socket", socket, "--application", &echo];
        self.step("boot", folder, &[&fixed, more].concat())
    }

    /// What an enclave says of itself.
    pub(crate) fn claims(&self, socket: &str) -> Value {
        let ran = self.step("status", "shared", &["--socket", socket]);
        ran.good().json()["enclave"].take()
    }

    /// Demands that nobody's share has arrived.
    #[track_caller]
    pub(crate) fn untouched(&self, socket: &str) {
        let claims = self.claims(socket);
        assert_eq!(claims["phase"], "collecting", "{claims}");
        assert_eq!(claims["accepted"], json!([]), "{claims}");
    }

    /// Everyone gives their share, and it is enough.
    pub(crate) fn provision(&self, socket: &str, folder: &str) {
        self.everyone("provision", folder, &["--socket", socket]);
        until("the application runs", || {
            self.claims(socket)["phase"] == "running"
        });
    }

    pub(crate) fn forward(&self, from: &str, to: &str) -> Ran {
        self.step("forward", "shared", &["--from", from, "--to", to])
    }

    /// Collects evidence and verifies it; exit code and report.
    pub(crate) fn verified(&self, socket: &str, genesis: &str) -> (Option<i32>, Value) {
        let _ = fs::remove_file(self.place.path("evidence.cbor"));
        let more = ["--socket", socket, "--out", "evidence.cbor"];
        self.step("evidence", "shared", &more).good();
        let verify = ["verify", "evidence", "evidence.cbor", "--json"];
        let pinned = ["--root", ROOT, "--genesis", genesis];
        let ran = self.place.run(&[&verify[..], &pinned].concat());
        (ran.code, ran.json())
    }
}

pub(crate) const ROOT: &str = "nitro/development-root.pem";

/// Everybody's passphrase; that of a copy is that of the original.
pub(crate) fn words(who: &str) -> String {
    format!("the long passphrase of {}", who.trim_end_matches("-2"))
}

pub(crate) fn text(value: &Value, key: &str) -> String {
    let text = value[key].as_str();
    text.unwrap_or_else(|| panic!("{key} of {value}"))
        .to_owned()
}
