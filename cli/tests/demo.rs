//! The whole path with real processes, and what strangers find in its results: as they should, and
//! with another root, another pin, another time, another byte.
//!
//! Needs the static binaries of the enclave's side (`./test` builds them first). Where they are
//! missing the tests say so and pass, but not in CI.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// No step takes longer, on any machine these tests run on.
const LIMIT: Duration = Duration::from_secs(120);

/// Where the enclave's binaries are, if they are there.
fn binaries() -> Option<PathBuf> {
    let built = || {
        let quorate = Path::new(env!("CARGO_BIN_EXE_quorate"));
        let target = quorate
            .parent()
            .and_then(Path::parent)
            .expect("a target folder");
        target.join("x86_64-unknown-linux-musl/release")
    };
    let folder = std::env::var_os("QUORATE_BINARIES").map_or_else(built, PathBuf::from);
    let names = [
        "init-emulated",
        "policy",
        "key-generation",
        "signing",
        "replayer",
    ];
    let mut files = names
        .iter()
        .map(|name| folder.join(format!("quorate-{name}")));
    if files.all(|file| file.is_file()) {
        return Some(folder);
    }
    let missing = format!(
        "no enclave binaries in {}; ./test --only enclave",
        folder.display()
    );
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
    None
}

/// A place with a folder for results and one for everything temporary, so that it can be seen what
/// is left.
struct Place {
    folder: TempDir,
    binaries: PathBuf,
}

impl Place {
    fn new() -> Option<Self> {
        let binaries = binaries()?;
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("t")).expect("a folder");
        Some(Self { folder, binaries })
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn quorate(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TMPDIR", self.folder.path().join("t"))
            .env("QUORATE_BINARIES", &self.binaries)
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command with `--json`: exit code and the last line.
    fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let ended = self
            .quorate(arguments)
            .arg("--json")
            .output()
            .expect("quorate runs");
        let stdout = String::from_utf8(ended.stdout).expect("UTF-8");
        let stderr = String::from_utf8_lossy(&ended.stderr);
        let last = stdout.lines().next_back().unwrap_or_default();
        let value = serde_json::from_str(last);
        (
            ended.status.code(),
            value.unwrap_or_else(|_| panic!("{stdout}\n{stderr}")),
        )
    }

    /// What the demo left among temporary files.
    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("t")).expect("the folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }

    /// Processes whose command line names this place.
    fn processes(&self) -> Vec<String> {
        let place = self.folder.path().join("t").display().to_string();
        let entries = fs::read_dir("/proc").expect("a process file system");
        entries
            .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(&place))
            .collect()
    }

    fn assert_nothing_is_left(&self) {
        let since = Instant::now();
        while !self.processes().is_empty() {
            assert!(since.elapsed() < LIMIT, "{:?} still run", self.processes());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.left(), Vec::<PathBuf>::new());
    }

    /// Verifies evidence: exit code and report.
    fn verify(&self, evidence: &Path, more: &[&str]) -> (Option<i32>, Value) {
        let evidence = evidence.to_str().expect("UTF-8");
        let mut arguments = vec!["verify", "evidence", evidence];
        arguments.extend(more);
        self.json(&arguments)
    }

    #[track_caller]
    fn assert_refused(&self, evidence: &Path, more: &[&str], code: &str) {
        let (exit, report) = self.verify(evidence, more);
        assert_eq!(
            (exit, &report["verdict"]),
            (Some(1), &json!("reject")),
            "{code}"
        );
        assert_eq!(report["error"]["code"], code, "{}", report["error"]);
        let remedy = report["error"]["remedy"].as_str().unwrap_or_default();
        assert!(!remedy.is_empty(), "{code}");
    }
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

/// Runs a demo and looks at its results as strangers would.
fn demo(members: &str, threshold: u8, arguments: &[&str]) {
    let Some(place) = Place::new() else { return };
    let out = place.out("quorate-demo");
    let mut line = vec!["demo", "--out", out.to_str().expect("UTF-8")];
    line.extend(arguments);
    let (code, told) = place.json(&line);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        (&told["ok"], &told["development"]),
        (&json!(true), &json!(true))
    );
    place.assert_nothing_is_left();

    for file in [
        "evidence.cbor",
        "evidence.json",
        "transaction.json",
        "manifest.cbor",
        "manifest.json",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert!(out.join("definition.json").is_file());
    let keys = [
        "genesis_in_enclave",
        "boot_to_attestable",
        "last_share_to_ready",
        "total",
    ];
    for key in keys {
        assert!(
            told["timings_ms"][key].as_f64().is_some_and(|ms| ms > 0.0),
            "{key}"
        );
    }

    let evidence = Path::new(text(&told["evidence"]));
    let (root, genesis) = (text(&told["root"]), text(&told["genesis"]));
    let pinned = ["--root", root, "--genesis", genesis];
    let (code, report) = place.verify(evidence, &pinned);
    assert_eq!(
        (code, &report["verdict"]),
        (Some(0), &json!("accept")),
        "{report}"
    );
    for key in ["pinned", "development", "archived"] {
        assert_eq!(report[key], true, "{key}");
    }
    assert_eq!(report["error"], Value::Null);
    let facts = &report["facts"];
    assert_eq!(facts["genesis"], genesis);
    assert_eq!(
        facts["approved_by"].as_array().map(Vec::len),
        Some(usize::from(threshold))
    );
    assert_eq!(
        facts["shares_given_by"].as_array().map(Vec::len),
        Some(usize::from(threshold))
    );
    let names = facts["applications"].as_array().expect("applications");
    let names: Vec<_> = names.iter().map(|one| text(&one["name"])).collect();
    assert_eq!(names, ["key-generation", "policy", "replayer", "signing"]);
    assert_eq!(facts["proofs"].as_array().map(Vec::len), Some(5), "{facts}");
    wallet(&told, &out, facts);
    let checks = report["checks"].as_array().expect("checks");
    let undone = checks.iter().filter(|check| check["verdict"] != "passed");
    let undone: Vec<_> = undone.map(|check| text(&check["id"])).collect();
    assert_eq!(undone, ["expectations", "challenge", "forwarded"]);
    let definition = fs::read_to_string(out.join("definition.json")).expect("a twin");
    let definition: Value = serde_json::from_str(&definition).expect("JSON");
    let set = &definition["share_set"]["members"];
    assert_eq!(
        set.as_array()
            .map(Vec::len)
            .map(|len| len.to_string())
            .as_deref(),
        Some(members)
    );

    // Without a pin: consistent, and said so.
    let (code, report) = place.verify(evidence, &["--root", root]);
    assert_eq!((code, &report["pinned"]), (Some(0), &json!(false)));
    let ended = place.quorate(&[
        "verify",
        "evidence",
        text(&told["evidence"]),
        "--root",
        root,
    ]);
    let ended = { ended }.output().expect("quorate runs");
    let shown = String::from_utf8(ended.stdout).expect("UTF-8");
    assert!(shown.contains("consistent, not pinned"), "{shown}");
    assert!(shown.contains("DEVELOPMENT ROOT"), "{shown}");
    for words in [
        "Who decided what",
        "ALLOWED it",
        "DENIED it",
        "signed it: transaction 0x",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains('\x1b'), "no terminal, no colours");

    // Now: the certificates are still valid, and it is no longer about a record.
    let (code, report) = place.verify(evidence, &["--root", root, "--at", "now"]);
    assert_eq!((code, &report["archived"]), (Some(0), &json!(false)));

    let der = der_of(root, &place);
    let (code, _) = place.verify(evidence, &["--root", &der]);
    assert_eq!(code, Some(0), "the same root in DER");

    place.assert_refused(evidence, &["--genesis", genesis], "root-not-trusted");
    let other = "ab".repeat(32);
    place.assert_refused(
        evidence,
        &["--root", root, "--genesis", &other],
        "genesis-pin",
    );
    place.assert_refused(
        evidence,
        &["--root", root, "--at", "1"],
        "timestamp-in-future",
    );
    place.assert_refused(
        evidence,
        &["--root", root, "--at", "4102444800"],
        "certificate-expired",
    );

    let mut bytes = fs::read(evidence).expect("evidence");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let flipped = place.out("flipped.cbor");
    fs::write(&flipped, &bytes).expect("a file");
    let (code, report) = place.verify(&flipped, &pinned);
    assert_eq!(
        (code, &report["verdict"]),
        (Some(1), &json!("reject")),
        "a flipped bit"
    );

    // The root of another demo is not this one's.
    let again = place.out("quorate-demo");
    let kept = place.out("kept.cbor");
    fs::copy(evidence, &kept).expect("a copy");
    fs::write(again.join("stale"), "of the first run").expect("a file");
    let (code, told) = place.json(&line);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        !again.join("stale").exists(),
        "an earlier demo's folder is replaced"
    );
    let mine = [text(&told["root"]), genesis];
    place.assert_refused(
        &kept,
        &["--root", mine[0], "--genesis", mine[1]],
        "root-not-trusted",
    );
}

/// The signed transaction is the one that the statements in the evidence name.
fn wallet(told: &Value, out: &Path, facts: &Value) {
    let hex = |key: &str| text(&told[key]).strip_prefix("0x").expect("0x").to_owned();
    let (address, hash) = (hex("address").to_lowercase(), hex("transaction_hash"));
    assert_eq!((address.len(), hash.len()), (40, 64));
    assert!(hex("transaction").starts_with("02f8"), "EIP-1559");
    let activities = facts["activities"].as_array().expect("activities");
    let of = |at: usize| &activities[at];
    assert_eq!(activities.len(), 3);
    let account = &of(0)["wallet"]["accounts"][0];
    assert_eq!(account["address"], format!("0x{address}"));
    let signature = &of(1)["signature"];
    assert_eq!(signature["transaction"], hash);
    assert_eq!(signature["payment"]["account"], *account);
    assert_eq!(of(2)["decision"]["outcome"]["denied"], "over-limit");
    let record = fs::read_to_string(out.join("transaction.json")).expect("the transaction");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    for key in ["address", "transaction", "transaction_hash"] {
        assert_eq!(record[key], told[key], "{key}");
    }
    assert_eq!(record["refused"]["ticket_shown_again"], "ticket-used");
    assert_eq!(record["refused"]["over_the_limit"]["reason"], "over-limit");
}

/// The root's certificate as DER, taken apart by another hand: Python's, if there is one.
fn der_of(pem: &str, place: &Place) -> String {
    let der = place.out("root.der");
    let program = "import ssl,sys; open(sys.argv[2],'wb').write(\
                   ssl.PEM_cert_to_DER_cert(open(sys.argv[1]).read()))";
    let converted = Command::new("python3")
        .args(["-c", program, pem])
        .arg(&der)
        .status();
    if converted.is_ok_and(|status| status.success()) {
        return der.to_str().expect("UTF-8").to_owned();
    }
    eprintln!("SKIPPED: no python3 to make DER of PEM");
    pem.to_owned()
}

#[test]
fn five_people_three_of_whom_it_takes() {
    demo("5", 3, &[]);
}

#[test]
fn three_people_two_of_whom_it_takes() {
    demo("3", 2, &["--members", "3", "--threshold", "2"]);
}

/// A third enclave has the key at the end, says from whom, and the transcript says who had it done.
#[test]
fn the_key_goes_on_to_a_third_enclave() {
    let Some(place) = Place::new() else { return };
    let out = place.out("forwarded");
    let people = ["--members", "2", "--threshold", "2", "--forward"];
    let line = [
        &["demo", "--out", out.to_str().expect("UTF-8")],
        &people[..],
    ]
    .concat();
    let (code, told) = place.json(&line);
    assert_eq!(code, Some(0), "{told}");
    place.assert_nothing_is_left();
    let (root, genesis) = (text(&told["root"]), text(&told["genesis"]));
    let pinned = ["--root", root, "--genesis", genesis];
    let of_second = place.verify(Path::new(text(&told["evidence"])), &pinned).1;
    let (code, of_third) = place.verify(&out.join("successor.cbor"), &pinned);
    assert_eq!((code, &of_third["verdict"]), (Some(0), &json!("accept")));
    let (second, third) = (&of_second["facts"], &of_third["facts"]);
    assert_eq!(third["forwarded_from"]["exporter"], second["module_id"]);
    assert_eq!(third["shares_given_by"], json!([]));
    let transcript = text(&told["transcript"]);
    let (_, shown) = place.json(&["ceremony", "transcript", "show", transcript]);
    let records = shown["records"].as_array().expect("records");
    let forward: Vec<_> = records
        .iter()
        .filter(|record| record["act"] == "forward")
        .collect();
    assert_eq!(forward.len(), 1, "{shown}");
    let ends = forward[0].to_string();
    for facts in [second, third] {
        let module = text(&facts["module_id"]);
        assert!(ends.contains(module), "{module}: {ends}");
    }
}

/// The image that `./test` has built, if it has.
fn image() -> Option<String> {
    let image = std::env::var("QUORATE_IMAGE").ok();
    if image.is_none() {
        eprintln!("SKIPPED: no QUORATE_IMAGE; ./test --only machine");
    }
    image
}

#[test]
fn the_whole_path_in_machines() {
    let Some(image) = image() else { return };
    demo("5", 3, &["--machine", "--image", &image]);
}

#[test]
fn an_image_that_is_none_in_machines_fails_closed() {
    let (Some(_), Some(place)) = (image(), Place::new()) else {
        return;
    };
    let out = place.out("none");
    let own = place.binaries.join("quorate-policy");
    let own = own.to_str().expect("UTF-8");
    let line = [
        "demo",
        "--machine",
        "--image",
        own,
        "--out",
        out.to_str().expect("UTF-8"),
    ];
    let (code, told) = place.json(&line);
    assert_ne!(code, Some(0));
    assert_eq!(told["error"]["code"], "image-malformed", "{told}");
    assert!(!out.exists());
    place.assert_nothing_is_left();
}

/// A process and when it started, in ticks: process ids are used again.
type Process = (u32, String);

/// Parent and start time of a process, unless it has ended.
fn look_at(pid: u32) -> Option<(u32, String)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state and the parent follow it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    (fields[0] != "Z").then(|| (fields[1].parse().expect("a number"), fields[19].to_owned()))
}

/// Every process that this one started, and that those started.
fn descendants(pid: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("a process file system");
    let all: Vec<(u32, (u32, String))> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, look_at(pid)?)))
        .collect();
    let mut below = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for (pid, (_, start)) in all.iter().filter(|(_, (above, _))| *above == parent) {
            parents.push(*pid);
            below.push((*pid, start.clone()));
        }
    }
    below
}

#[track_caller]
fn assert_gone(processes: &[Process]) {
    let since = Instant::now();
    let left = |(pid, start): &&Process| look_at(*pid).is_some_and(|(_, found)| found == *start);
    while let Some(process) = processes.iter().find(left) {
        assert!(since.elapsed() < LIMIT, "{process:?} still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A child that is ended, whatever happens to the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts"),
        )
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.0.id());
        let sent = Command::new("sh")
            .args(["-c", &kill])
            .status()
            .expect("a shell");
        assert!(sent.success(), "{kill}");
    }

    /// Waits for a line of standard error that contains `part`.
    fn await_line(&mut self, part: &str) -> String {
        let stderr = self.0.stderr.take().expect("a pipe");
        let mut lines = BufReader::new(stderr).lines();
        let found = lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains(part));
        // Somebody must read the rest.
        std::thread::spawn(move || lines.for_each(drop));
        found.unwrap_or_else(|| panic!("no line with {part}"))
    }

    fn end(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("a child") {
                return status;
            }
            assert!(since.elapsed() < LIMIT, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_kept_demo_serves_until_it_is_told_to_end() {
    let Some(place) = Place::new() else { return };
    let out = place.out("kept");
    let line = [
        "demo",
        "--out",
        out.to_str().expect("UTF-8"),
        "--keep",
        "--json",
    ];
    let arguments = [&line[..], &["--members", "2", "--threshold", "2"]].concat();
    let mut running = Running::start(&mut place.quorate(&arguments));
    running.await_line("Ctrl-C");
    let enclave = place
        .left()
        .pop()
        .expect("a workshop")
        .join("nitro/instance");
    for socket in ["operator.sock", "public.sock", "port-5100.sock"] {
        assert!(enclave.join(socket).exists(), "{socket}");
    }
    assert!(
        out.join("evidence.cbor").is_file(),
        "the results are there already"
    );
    let below = descendants(running.0.id());
    running.signal("TERM");
    assert_eq!(running.end().code(), Some(0));
    assert_gone(&below);
    place.assert_nothing_is_left();
}

#[test]
fn an_interrupted_demo_leaves_nothing_fails_closed() {
    let Some(place) = Place::new() else { return };
    let out = place.out("interrupted");
    let line = ["demo", "--out", out.to_str().expect("UTF-8")];
    let mut running = Running::start(&mut place.quorate(&line));
    running.await_line("enclave-1");
    running.signal("INT");
    assert_eq!(running.end().code(), Some(1));
    place.assert_nothing_is_left();
    assert!(!out.exists());
}

/// Killed with no chance to act: its processes, the application's among them, end by themselves.
/// The folder stays, for this user alone.
#[test]
fn a_killed_demo_leaves_no_process() {
    let Some(place) = Place::new() else { return };
    let out = place.out("killed");
    let line = [
        "demo",
        "--out",
        out.to_str().expect("UTF-8"),
        "--keep",
        "--members",
        "2",
        "--threshold",
        "2",
    ];
    let mut running = Running::start(&mut place.quorate(&line));
    running.await_line("Ctrl-C");
    let below = descendants(running.0.id());
    assert!(below.len() >= 3, "emulator, init, applications: {below:?}");
    running.signal("KILL");
    running.end();
    assert_gone(&below);
}

/// Without its hypervisor there is no enclave, even where nobody could stop it.
#[test]
fn enclaves_end_with_a_killed_emulator() {
    let Some(place) = Place::new() else { return };
    let init = place.binaries.join("quorate-init-emulated");
    let nitro = place.folder.path().join("t/nitro");
    let mut command = place.quorate(&["emulate", "serve", "--directory"]);
    let mut serving = Running::start(command.arg(&nitro).stdin(Stdio::piped()));
    let mut orders = serving.0.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(serving.0.stdout.take().expect("a pipe")).lines();
    let order = json!({ "start": { "name": "one", "init": init } });
    writeln!(orders, "{order}").expect("it reads");
    let answer = answers.next().expect("an answer").expect("UTF-8");
    assert!(answer.contains("started"), "{answer}");
    let below = descendants(serving.0.id());
    assert_eq!(below.len(), 1, "{below:?}");
    serving.signal("KILL");
    serving.end();
    assert_gone(&below);
}

#[test]
fn an_emulator_starts_measures_and_stops_real_enclaves() {
    let Some(place) = Place::new() else { return };
    let init = place.binaries.join("quorate-init-emulated");
    let nitro = place.folder.path().join("t/nitro");
    let mut command = place.quorate(&["emulate", "serve", "--directory"]);
    let mut serving = Running::start(command.arg(&nitro).stdin(Stdio::piped()));
    let mut orders = serving.0.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(serving.0.stdout.take().expect("a pipe")).lines();
    let mut order = |order: Value| -> Value {
        writeln!(orders, "{order}").expect("it reads");
        let line = answers.next().expect("an answer").expect("UTF-8");
        serde_json::from_str(&line).expect("JSON")
    };

    let measured = order(json!({ "measure": { "init": init } }));
    let (_, told) = place.json(&["emulate", "measure", init.to_str().expect("UTF-8")]);
    assert_eq!(measured["measured"], told);

    let started = order(json!({ "start": { "name": "one", "init": init } }));
    let started = &started["started"];
    assert_eq!(started["name"], "one", "{started}");
    for socket in ["operator", "public"] {
        assert!(Path::new(text(&started[socket])).exists(), "{socket}");
    }
    let twice = order(json!({ "start": { "name": "one", "init": init } }));
    assert_eq!(twice["error"]["code"], "name-taken");
    let unknown = order(json!({ "reboot": { "name": "one" } }));
    assert_eq!(unknown["error"]["code"], "order-malformed");

    let stopped = order(json!({ "stop": { "name": "one" } }));
    assert_eq!(stopped["stopped"]["ended_before"], false);
    assert_eq!(stopped["stopped"]["code"], 0, "an orderly halt: {stopped}");
    let again = order(json!({ "stop": { "name": "one" } }));
    assert_eq!(again["error"]["code"], "no-such-enclave");

    let second = order(json!({ "start": { "name": "two", "init": init } }));
    assert_eq!(second["started"]["name"], "two");
    drop(orders);
    assert_eq!(serving.end().code(), Some(0));
    let since = Instant::now();
    while !place.processes().is_empty() {
        assert!(since.elapsed() < LIMIT, "{:?} still run", place.processes());
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut pem = String::new();
    let root = fs::File::open(nitro.join("development-root.pem"));
    root.and_then(|mut root| root.read_to_string(&mut pem))
        .expect("the root");
    assert!(!pem.contains(" KEY-----"));
}
