//! A ceremony inside a workspace: no command needs to be told where anything is. Five of seven people,
//! each command a process of its own, against real emulated enclaves; and what goes wrong on the way.
//!
//! Needs the static enclave binaries, which `./test` builds first; where `CI` is set their absence
//! is a failure.

#[path = "support/emulator.rs"]
mod emulator;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use emulator::Emulator;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use quorate_quorum_ceremony::keyfile::{KeyFile, Passphrase};
use serde_json::{Value, json};
use support::{Place, Ran, binaries};
use terminal::Terminal;
use zeroize::Zeroizing;

const PEOPLE: [&str; 7] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace"];
const WORDS: &str = "correct horse battery staple";
const ROOT: &str = "nitro/development-root.pem";

/// Seven people, a coordinator and an emulator.
struct World {
    place: Place,
    binaries: PathBuf,
    emulator: Emulator,
    /// How many commands each person has run.
    run: Mutex<BTreeMap<String, usize>>,
}

impl World {
    fn new(binaries: PathBuf) -> Self {
        let place = Place::new();
        let emulator = Emulator::start(&place);
        let mut world = Self {
            place,
            binaries,
            emulator,
            run: Mutex::new(BTreeMap::new()),
        };
        let init = world.binaries.join("quorate-init-emulated");
        let measured = world
            .emulator
            .order(&json!({ "measure": { "init": init } }));
        world.write("measurements.json", measured.to_string().as_bytes());
        world.write("words", WORDS.as_bytes());
        world
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.place.path(name), bytes).expect("written");
    }

    fn start(&mut self, name: &str) -> String {
        let init = self.binaries.join("quorate-init-emulated");
        self.emulator
            .order(&json!({ "start": { "name": name, "init": init } }));
        let socket = self.place.path(&format!("nitro/{name}/operator.sock"));
        socket.to_str().expect("text").to_owned()
    }

    /// A command of the coordinator, in the shared folder.
    fn coordinator(&self, words: &str) -> Ran {
        Ran::wait(self.inside("shared", words).spawn().expect("it starts"))
    }

    /// A command in a folder, words separated by blanks.
    fn inside(&self, folder: &str, words: &str) -> Command {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut command = self
            .place
            .command(&[&["ceremony"], &words[..], &["--json"]].concat());
        command.current_dir(self.place.path(folder));
        command
    }

    /// A command of a person, in the shared folder, their private folder named by the environment.
    fn person_command(&self, who: &str, words: &str) -> Command {
        let mut command = self.inside("shared", words);
        command.env("QUORATE_PRIVATE", self.place.path(who));
        command
    }

    fn person(&self, who: &str, words: &str) -> Ran {
        *self
            .run
            .lock()
            .expect("a count")
            .entry(who.into())
            .or_default() += 1;
        let file = self.place.path("words");
        let mut command = self.person_command(who, words);
        command.arg("--passphrase-file").arg(file);
        Ran::wait(command.spawn().expect("it starts"))
    }

    /// What `next` says to somebody.
    fn next(&self, who: &str) -> Value {
        let child = self.person_command(who, "next").spawn();
        Ran::wait(child.expect("it starts")).good().json()
    }

    fn new_ceremony(&self) {
        let words = format!(
            "ceremony new --folder shared --namespace treasury --members {} --share-threshold 5 \
             --manifest-threshold 5 --partition development --root {ROOT} --measurements \
             measurements.json --json",
            PEOPLE.join(",")
        );
        let words: Vec<&str> = words.split_whitespace().collect();
        self.place.run(&words).good();
    }
}

/// Every file below a folder with its bytes, but for the lock.
fn state(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name != "lock") {
                found.insert(path.clone(), fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

/// Microseconds of processor time of every child that has ended.
fn used() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it is told");
    (usage.user_time() + usage.system_time()).num_microseconds()
}

/// Microseconds that a guess at a passphrase costs this process.
fn cost_of_a_guess(key: &Path) -> i64 {
    let own = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("it is told");
        (usage.user_time() + usage.system_time()).num_microseconds()
    };
    let file = KeyFile::from_bytes(&fs::read(key).expect("a key file")).expect("a key file");
    let before = own();
    for _ in 0..3 {
        let words = Zeroizing::new(b"not the passphrase".to_vec());
        let words = Passphrase::new(words).expect("short");
        assert!(file.unlock(&words).is_err());
    }
    (own() - before) / 3
}

#[test]
fn five_of_seven_without_flags_in_four_commands_each() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    let begun = used();
    world.new_ceremony();
    assert_eq!(world.next("alice")["yours"], "join");
    for who in PEOPLE {
        world.person(who, &format!("join --name {who}")).good();
    }
    let waited = world.next("alice");
    assert_eq!(
        waited["due"],
        json!([{ "who": "coordinator", "step": "define" }])
    );
    assert_eq!(waited["yours"], Value::Null);
    world.coordinator("define").good();
    assert_eq!(world.next("grace")["next"], "quorate ceremony consent");

    // Everybody consents and stays for the genesis.
    let file = world.place.path("words");
    let mut staying: Vec<Child> = Vec::new();
    for who in PEOPLE {
        *world
            .run
            .lock()
            .expect("a count")
            .entry(who.into())
            .or_default() += 1;
        let mut command = world.person_command(who, "consent --stay");
        command.arg("--passphrase-file").arg(&file);
        staying.push(command.spawn().expect("it starts"));
    }
    let consents = world.place.path("shared/consents");
    support::until("everybody has consented", || {
        let there = |who: &str| consents.join(format!("{who}.cbor")).is_file();
        PEOPLE.iter().all(|who| there(who))
    });
    let socket = world.start("genesis");
    world
        .coordinator(&format!("genesis --socket {socket}"))
        .good();
    for child in staying {
        let told = Ran::wait(child).good().json();
        assert_eq!(told["step"], "receipt");
    }

    let echo = world.binaries.join("quorate-echo");
    let manifest = format!(
        "manifest --measurements {} --application echo={},port=5100",
        world.place.path("measurements.json").display(),
        echo.display()
    );
    let dry = world
        .coordinator(&format!("{manifest} --dry-run"))
        .good()
        .json();
    assert_eq!(dry["dry_run"], true);
    assert!(!world.place.path("shared/manifests").exists());
    world.coordinator(&manifest).good();
    assert_eq!(world.next("bob")["yours"], "approve");
    for who in &PEOPLE[..5] {
        let told = world.person(who, "approve").good().json();
        assert_eq!(told["step"], "approve");
    }
    let socket = world.start("one");
    let boot = format!(
        "boot --socket {socket} --application echo={}",
        echo.display()
    );
    world.coordinator(&boot).good();
    assert_eq!(world.next("carol")["next"], "quorate ceremony provision");
    for who in &PEOPLE[..5] {
        world.person(who, "provision").good();
    }
    let evidence = world.place.path("evidence.cbor");
    world
        .coordinator(&format!("evidence --out {}", evidence.display()))
        .good();
    assert_eq!(world.next("grace")["due"], json!([]));
    let status = world.coordinator("transcript verify").good().json();
    assert_eq!(status["ok"], true);

    let run = world.run.lock().expect("a count").clone();
    assert!(run.values().all(|count| *count <= 4), "{run:?}");
    // For the record; what a loaded machine needs is nobody's promise.
    let guesses = i64::try_from(run.values().sum::<usize>()).expect("few") + 7;
    let guess = cost_of_a_guess(&world.place.path("alice/key.cbor"));
    let all = used() - begun;
    eprintln!(
        "5 of 7: {} ms of processor time in all, {guesses} passphrases of {} ms each, {} ms beyond",
        all / 1000,
        guess / 1000,
        (all - guesses * guess) / 1000
    );
}

/// One command, no flags, and one thing to decide: whether to type the passphrase.
#[test]
fn a_new_operator_gives_their_share_and_ends_nothing_by_interrupting() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    let words = format!(
        "ceremony new --folder shared --namespace two --members alice,bob --share-threshold 2 \
         --manifest-threshold 2 --partition development --root {ROOT} --measurements \
         measurements.json --json"
    );
    let words: Vec<&str> = words.split_whitespace().collect();
    world.place.run(&words).good();
    let people = ["alice", "bob"];
    for who in people {
        world.person(who, &format!("join --name {who}")).good();
    }
    world.coordinator("define").good();
    interrupted(&world, "alice", "consent", "passphrase: ");
    world.person("alice", "consent").good();
    world.person("bob", "consent").good();
    let socket = world.start("genesis");
    world
        .coordinator(&format!("genesis --socket {socket}"))
        .good();
    interrupted(&world, "alice", "receipt", "passphrase: ");
    for who in people {
        world.person(who, "receipt").good();
    }
    let echo = world.binaries.join("quorate-echo");
    let measurements = world.place.path("measurements.json");
    let manifest = format!(
        "manifest --measurements {} --application echo={},port=5100",
        measurements.display(),
        echo.display()
    );
    world.coordinator(&manifest).good();
    interrupted(&world, "alice", "approve", "passphrase: ");
    for who in people {
        world.person(who, "approve").good();
    }
    let socket = world.start("one");
    let boot = format!(
        "boot --socket {socket} --application echo={}",
        echo.display()
    );
    world.coordinator(&boot).good();

    // What would be sent is shown, and nothing is.
    let before = state(&world.place.path("alice"));
    let dry = world.person("alice", "provision --dry-run").good().json();
    assert_eq!(
        (&dry["dry_run"], &dry["sequence"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(state(&world.place.path("alice")), before);
    interrupted(&world, "alice", "provision", "passphrase: ");
    interrupted(&world, "alice", "transcript sign", "passphrase: ");
    interrupted(&world, "alice", "preflight", "passphrase: ");

    // Inside her private folder: no flag, no environment, two words and one passphrase.
    let mut terminal = Terminal::start_in(&world.place, "alice", &["ceremony", "provision"]);
    terminal.wait_for_secret("passphrase: ");
    terminal.type_in(&format!("{WORDS}\n"));
    assert_eq!(terminal.end(), Some(0), "{}", terminal.seen);
    assert!(terminal.seen.contains("1 of 2"), "{}", terminal.seen);
}

/// ^C at a prompt: the terminal is as it was, the exit code says so, and nothing has changed.
fn interrupted(world: &World, who: &str, step: &str, prompt: &str) {
    let (private, shared) = (world.place.path(who), world.place.path("shared"));
    let before = (state(&private), state(&shared));
    let words: Vec<&str> = ["ceremony"].into_iter().chain(step.split(' ')).collect();
    let mut terminal = Terminal::start_in(&world.place, who, &words);
    terminal.wait_for_secret(prompt);
    terminal.type_in("half a passphr\u{3}");
    assert_eq!(terminal.end(), Some(1), "{step}: {}", terminal.seen);
    assert!(terminal.echoes(), "{step}");
    assert!(
        terminal.seen.contains("error[interrupted]"),
        "{step}: {}",
        terminal.seen
    );
    assert!(
        !terminal.seen.contains("half a"),
        "{step}: {}",
        terminal.seen
    );
    assert_eq!((state(&private), state(&shared)), before, "{step}");
}

/// A ceremony of three without enclaves, up to the definition.
struct Before(Place);

impl Before {
    fn new() -> Self {
        let before = Self(Place::new());
        let pcr = "ab".repeat(48);
        let measured = format!(r#"{{"PCR0":"{pcr}","PCR1":"{pcr}","PCR2":"{pcr}"}}"#);
        fs::write(before.0.path("m.json"), measured).expect("written");
        fs::write(before.0.path("words"), WORDS).expect("written");
        before.begin("shared", "treasury").good();
        before
    }

    fn begin(&self, folder: &str, namespace: &str) -> Ran {
        let line = format!(
            "ceremony new --folder {folder} --namespace {namespace} --members alice,bob,carol \
             --share-threshold 2 --manifest-threshold 2 --partition aws --measurements m.json --json"
        );
        self.0.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// A command in a folder, as somebody, under these words before it.
    fn run_under(&self, shell: &str, folder: &str, who: &str, line: &str) -> Ran {
        let words = self.0.path("words");
        let words = words.to_str().expect("text");
        let mut line: Vec<&str> = ["ceremony"].into_iter().chain(line.split(' ')).collect();
        line.push("--json");
        if ["join", "consent", "preflight"].contains(&line[1]) {
            line.extend(["--passphrase-file", words]);
        }
        let own = self.0.command(&line);
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{shell} exec \"$@\""), "sh"])
            .arg(own.get_program())
            .args(own.get_args())
            .current_dir(self.0.path(folder))
            .env("HOME", self.0.path(""))
            .env_remove("XDG_DATA_HOME")
            .env("QUORATE_PRIVATE", self.0.path(who))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ran::wait(command.spawn().expect("it starts"))
    }

    fn run(&self, folder: &str, who: &str, line: &str) -> Ran {
        self.run_under("", folder, who, line)
    }

    fn everybody_joins(&self) {
        for who in ["alice", "bob", "carol"] {
            self.run("shared", who, &format!("join --name {who}"))
                .good();
        }
        self.run("shared", "alice", "define").good();
    }
}

#[test]
fn two_people_of_one_name_fails_closed() {
    let at = Before::new();
    at.run("shared", "alice", "join --name alice").good();
    let (code, said) = at.run("shared", "other", "join --name alice").refused();
    assert_eq!(code, "name-taken", "{said}");
    let (code, _) = at.run("shared", "alice", "join --name bob").refused();
    assert_eq!(code, "other-name");
    // The first one's card is as it was, and the second takes another name in a new folder.
    at.run("shared", "alice", "join --name alice").good();
    at.run("shared", "bob", "join --name bob").good();
}

/// A folder from another ceremony, or an exchanged plan, is noticed before anything is shown of it.
#[test]
fn a_workspace_from_another_ceremony_fails_closed() {
    let at = Before::new();
    at.everybody_joins();
    at.begin("elsewhere", "treasury").good();
    for step in ["consent", "next", "preflight"] {
        let (code, said) = at.run("elsewhere", "alice", step).refused();
        assert_eq!(code, "other-ceremony", "{step}: {said}");
    }
    // A copy of the right one, at another place: only with both folders named.
    let copied = Command::new("cp")
        .args(["-a", "shared", "copy"])
        .current_dir(at.0.path(""))
        .status();
    assert!(copied.expect("cp").success());
    let (code, _) = at.run("copy", "alice", "consent").refused();
    assert_eq!(code, "other-workspace");
    at.run("shared", "alice", "consent").good();
    let status = at.run("shared", "alice", "next").good().json();
    assert_eq!(
        (&status["you"], &status["yours"]),
        (&json!("alice"), &Value::Null)
    );
}

/// Files of the shared folder that are lost, altered, repeated or foreign: named, and nothing is lost.
#[test]
fn lost_altered_and_foreign_files_fails_closed() {
    let at = Before::new();
    at.everybody_joins();
    at.run("shared", "alice", "consent").good();
    let file = |name: &str| at.0.path("shared").join(name);
    let definition = fs::read(file("definition.cbor")).expect("a file");
    let refused = |line: &str| at.run("shared", "alice", line).refused().0;
    // Altered in one byte, cut, empty, foreign, gone.
    let mut altered = definition.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    let foreign = fs::read(file("members/alice.cbor")).expect("a file");
    for (bytes, code) in [
        (&altered[..], "definition-differs-from-pin"),
        (&definition[..last], "file-malformed"),
        (&[], "file-malformed"),
        (&foreign, "file-malformed"),
    ] {
        fs::write(file("definition.cbor"), bytes).expect("written");
        assert_eq!(refused("next"), code);
        assert_eq!(refused("consent"), code);
    }
    fs::remove_file(file("definition.cbor")).expect("removed");
    assert_eq!(refused("next"), "file-missing");
    assert_eq!(refused("consent"), "file-missing");
    fs::write(file("definition.cbor"), &definition).expect("written");
    // Bob's consent under carol's name, and twice: it counts for nobody but bob.
    at.run("shared", "bob", "consent").good();
    fs::copy(file("consents/bob.cbor"), file("consents/carol.cbor")).expect("copied");
    let waited = at.run("shared", "alice", "next").good().json();
    assert_eq!(
        waited["due"],
        json!([{ "who": "carol", "step": "consent" }])
    );
    // Carol finds something in her place, and nothing of hers was overwritten.
    let (code, _) = at.run("shared", "carol", "consent").refused();
    assert_eq!(code, "signed-wrong");
    fs::remove_file(file("consents/carol.cbor")).expect("removed");
    at.run("shared", "carol", "consent").good();
    let waited = at.run("shared", "alice", "next").good().json();
    assert_eq!(
        waited["due"],
        json!([{ "who": "coordinator", "step": "genesis" }])
    );
}

#[test]
fn a_wrong_passphrase_changes_nothing_fails_closed() {
    let at = Before::new();
    at.everybody_joins();
    let before = (state(&at.0.path("alice")), state(&at.0.path("shared")));
    fs::write(at.0.path("words"), "not the passphrase").expect("written");
    let (code, _) = at.run("shared", "alice", "consent").refused();
    assert_eq!(code, "wrong-passphrase");
    let told = at.run("shared", "alice", "preflight");
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains("key-opens"), "{told:?}");
    assert_eq!(
        (state(&at.0.path("alice")), state(&at.0.path("shared"))),
        before
    );
    fs::write(at.0.path("words"), WORDS).expect("written");
    at.run("shared", "alice", "consent").good();
}

/// No file may grow: as on a disk that is full. With room again, each command goes on.
#[test]
fn a_full_disk_loses_nothing_fails_closed() {
    let at = Before::new();
    let full = |line: &str| at.run_under("ulimit -f 0;", "shared", "alice", line);
    let (code, _) = full("join --name alice").refused();
    assert_eq!(code, "disk-full");
    at.everybody_joins();
    let before = (state(&at.0.path("alice")), state(&at.0.path("shared")));
    let (code, _) = full("consent").refused();
    assert_eq!(code, "disk-full");
    let told = full("preflight");
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains("there is no room"), "{told:?}");
    assert_eq!(
        (state(&at.0.path("alice")), state(&at.0.path("shared"))),
        before
    );
    at.run("shared", "alice", "consent").good();
    let checked = at.run("shared", "alice", "preflight").json();
    let checks = checks(&checked);
    assert_eq!(checks["key-opens"], "good", "{checks:?}");
    assert_eq!(checks["disk-private"], "good", "{checks:?}");
}

fn checks(told: &Value) -> BTreeMap<String, String> {
    let text = |check: &Value, key: &str| check[key].as_str().expect("text").to_owned();
    let all = told["checks"].as_array().expect("checks").iter();
    all.map(|check| (text(check, "id"), text(check, "verdict")))
        .collect()
}

/// `--dry-run` shows what would be done and leaves no file.
#[test]
fn a_dry_run_of_each_step_changes_nothing() {
    let at = Before::new();
    let everything = || {
        let people = ["alice", "bob", "carol"].map(|who| state(&at.0.path(who)));
        (people, state(&at.0.path("shared")))
    };
    let dry = |line: &str| {
        let before = everything();
        let told = at.run("shared", "alice", line).good().json();
        assert_eq!(told["dry_run"], true, "{told}");
        assert!(
            told["would"].as_str().is_some_and(|text| !text.is_empty()),
            "{told}"
        );
        assert_eq!(everything(), before, "{line}");
        told
    };
    dry("join --name alice --dry-run");
    assert!(!at.0.path("alice").exists());
    at.run("shared", "alice", "join --name alice").good();
    for who in ["bob", "carol"] {
        at.run("shared", who, &format!("join --name {who}")).good();
    }
    let would = dry("define --dry-run")["fingerprint"].clone();
    let defined = at.run("shared", "alice", "define").good().json();
    assert_eq!(defined["fingerprint"], would);
    assert_eq!(dry("consent --dry-run")["fingerprint"], would);
    for who in ["alice", "bob", "carol"] {
        at.run("shared", who, "consent").good();
    }
    dry("genesis --dry-run");
    // Not in a folder that is not ready for the step.
    let early = at
        .run("shared", "alice", "receipt --socket none --dry-run")
        .refused();
    assert_eq!(early.0, "file-missing");
}

/// A person who makes their keys is asked twice; whatever they interrupt, nothing is there.
#[test]
fn interrupting_a_join_leaves_no_key_fails_closed() {
    let at = Before::new();
    let line = ["ceremony", "join", "--name", "alice"];
    for prompt in ["new passphrase: ", "once more: "] {
        let mut terminal = Terminal::start_in(&at.0, "shared", &line);
        terminal.wait_for_secret("new passphrase: ");
        if prompt == "once more: " {
            terminal.type_in(&format!("{WORDS}\n"));
            terminal.wait_for_secret(prompt);
        }
        terminal.type_in("\u{3}");
        assert_eq!(terminal.end(), Some(1), "{}", terminal.seen);
        assert!(terminal.echoes());
        assert!(!at.0.path("shared/members").exists());
    }
    let mut terminal = Terminal::start_in(&at.0, "shared", &line);
    for prompt in ["new passphrase: ", "once more: "] {
        terminal.wait_for_secret(prompt);
        terminal.type_in(&format!("{WORDS}\n"));
    }
    assert_eq!(terminal.end(), Some(0), "{}", terminal.seen);
    // Without any folder named: the one place of this ceremony under the home folder.
    let plan = fs::read_to_string(at.0.path("shared/ceremony.toml")).expect("the plan");
    let id = plan.lines().find_map(|line| line.strip_prefix("id = \""));
    let id = id.expect("an id").trim_end_matches('"');
    let private = at.0.path(&format!(".local/share/quorate/ceremonies/{id}"));
    assert!(private.join("key.cbor").is_file());
}
