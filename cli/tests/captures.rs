//! What the guide for members shows (`docs/ceremony.md`) is what the program prints: the whole
//! ceremony in a pseudo-terminal, compared with `docs/captures/`. `QUORATE_TEST_UPDATE=1 cargo test -p
//! quorate --test captures` writes the captures anew, for a person to read in the diff.
//!
//! What differs from run to run is replaced: digests and keys by stand-ins, numbered in their order
//! and shortened; times, ages, sizes and words that spell a fingerprint by fixed ones.
//!
//! Needs the static enclave binaries (`./test` builds them first).

#[path = "support/emulator.rs"]
mod emulator;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use emulator::Emulator;
use serde_json::json;
use support::{Place, binaries};
use terminal::Terminal;

const PASSPHRASE: &str = "gravel onion verify teapot marble sixteen";
const MEMBERS: [&str; 3] = ["alice", "bob", "carol"];

/// Starts an enclave, by the path the guide shows.
fn enclave(emulator: &mut Emulator, name: &str) {
    let order = json!({ "start": { "name": name, "init": "bin/quorate-init" } });
    let answer = emulator.order(&order);
    assert_eq!(answer["started"]["name"], name, "{answer}");
}

/// A ceremony that is being written down.
struct Guide {
    place: Place,
    captures: BTreeMap<&'static str, String>,
}

impl Guide {
    /// Types a command and, where it asks for one, the passphrase; what the terminal showed.
    fn typed(&self, line: &str, prompts: &[&str]) -> (Option<i32>, String) {
        let words: Vec<_> = line.split_whitespace().collect();
        let mut terminal = Terminal::start(&self.place, &words);
        for prompt in prompts {
            terminal.wait_for_secret(prompt);
            terminal.type_in(&format!("{PASSPHRASE}\n"));
        }
        let code = terminal.end();
        (code, terminal.scroll_back())
    }

    /// The same, of a step that succeeds, for the guide.
    #[track_caller]
    fn step(&mut self, name: &'static str, line: &str, prompts: &[&str]) {
        let (code, shown) = self.typed(line, prompts);
        assert_eq!(code, Some(0), "{line}: {shown}");
        self.captures.insert(name, capture(line, &shown));
    }

    /// The same, that nobody needs to see.
    #[track_caller]
    fn unseen(&self, line: &str, prompts: &[&str]) {
        let (code, shown) = self.typed(line, prompts);
        assert_eq!(code, Some(0), "{line}: {shown}");
    }
}

const NEW: [&str; 2] = ["new passphrase: ", "once more: "];
const ASKED: [&str; 1] = ["passphrase: "];

/// A fenced block with the command, wrapped as a person would, and what it printed.
fn capture(line: &str, shown: &str) -> String {
    let text = settled(&format!("{line}\n{}", shown.trim_end()));
    let (line, shown) = text.split_once('\n').expect("two parts");
    let mut block = String::from("```text\n$ quorate");
    let mut width = "$ quorate".len();
    // An option and its value stay together.
    for part in line.replace(" --", "\n--").lines() {
        if width + part.chars().count() > 90 {
            block.push_str(" \\\n   ");
            width = 4;
        }
        let _ = write!(block, " {part}");
        width += part.chars().count() + 1;
    }
    format!("{block}\n{shown}\n```\n")
}

/// The text without escape sequences, and with everything replaced that another run has otherwise.
fn settled(text: &str) -> String {
    let mut seen = Seen::default();
    let lines = plain(text);
    let lines = lines.lines().map(|line| seen.settle(line));
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// Words that spell a fingerprint, in place of those that do.
const WORDS: [&str; 4] = ["seabird", "Jamaica", "skullcap", "coherence"];

/// Numbers that are the same in every run.
const FIXED: [&str; 2] = ["10000", "268435456"];

/// What has been replaced so far.
#[derive(Default)]
struct Seen {
    hex: Vec<String>,
}

impl Seen {
    fn settle(&mut self, line: &str) -> String {
        if let Some(spelled) = spelled(line) {
            return spelled;
        }
        let line = ageless(line);
        let first = first_date(&line);
        let (mut word, mut out, mut times) = (String::new(), String::new(), Vec::new());
        for c in line.chars().chain(['\n']) {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.') {
                word.push(c);
                continue;
            }
            out.push_str(&self.stand_in(&word, first, &mut times));
            word.clear();
            out.push(c);
        }
        out.trim_end().to_owned()
    }

    /// A word that is the same in every run. A second date in a line is a year after the first.
    fn stand_in(&mut self, word: &str, first: &str, dates: &mut Vec<String>) -> String {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (body, end) = match word.strip_suffix([':', '.']) {
            Some(body) => (body, &word[body.len()..]),
            None => (word, ""),
        };
        let parts = |text: &str, by: char| -> Vec<usize> {
            let parts = text.split(by);
            parts
                .map(|part| if digits(part) { part.len() } else { 0 })
                .collect()
        };
        if body.len() >= 16 && body.bytes().all(|b| b.is_ascii_hexdigit()) {
            let found = self.hex.iter().position(|one| one == body);
            let at = found.unwrap_or_else(|| {
                self.hex.push(body.to_owned());
                self.hex.len() - 1
            });
            // Digits that look like any, and depend on nothing but the place.
            let place = u32::try_from(at).expect("few") + 1;
            let mixed = place.wrapping_mul(0x9e37_79b1) ^ 0x2545_f491;
            return format!("{mixed:08x}…{end}");
        }
        if body.starts_with("i-") && body.contains("-enc") {
            return format!("i-0123456789abcdef0-enc0123456789abcdef{end}");
        }
        let date = body.split_once('T').map_or(body, |(date, _)| date);
        if parts(date, '-') == [4, 2, 2] {
            if !dates.iter().any(|one| one == date) {
                dates.push(date.to_owned());
            }
            let day = if dates[0] == date {
                first
            } else {
                "2027-11-26"
            };
            let time = if date == body { "" } else { "T09:30:00.000Z" };
            return format!("{day}{time}{end}");
        }
        if parts(body, ':') == [2, 2, 2] {
            return format!("09:30:00{end}");
        }
        if digits(body) && body.len() >= 5 && !FIXED.contains(&body) {
            return format!("123456{end}");
        }
        word.to_owned()
    }
}

/// A line of four words that spell a part of a fingerprint, with others.
fn spelled(line: &str) -> Option<String> {
    let words = line.trim_start().strip_prefix("in words:").unwrap_or(line);
    let words: Vec<_> = words.split_whitespace().collect();
    let alphabetic = |word: &&str| word.bytes().all(|b| b.is_ascii_alphabetic());
    if words.len() != 5 || words[0].parse::<u8>().is_err() || !words[1..].iter().all(alphabetic) {
        return None;
    }
    let at = line.find(words[1])?;
    let shown = WORDS.map(|word| format!("{word:<13}")).concat();
    Some(format!("{}{}", &line[..at], shown.trim_end()))
}

/// The first date of a line: today, where the line is not about a day to come.
fn first_date(line: &str) -> &'static str {
    let coming = [
        ("next drill due:", "2027-02-24"),
        ("until, by the enclave's time:", "2026-11-29"),
    ];
    let found = coming.iter().find(|(label, _)| line.contains(label));
    found.map_or("2026-11-26", |(_, date)| date)
}

/// The line without the seconds that passed.
fn ageless(line: &str) -> String {
    let Some((before, after)) = line.split_once(" s from this machine's clock") else {
        return line.to_owned();
    };
    let before = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    format!("{before}0 s from this machine's clock{after}")
}

fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\x1b' => {
                for c in characters.by_ref() {
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
            '\r' => {}
            c => plain.push(c),
        }
    }
    plain
}

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/captures")
}

#[test]
fn the_guide_shows_what_the_program_prints() {
    let Some(folder) = binaries() else { return };
    let mut guide = Guide {
        place: Place::new(),
        captures: BTreeMap::new(),
    };
    let place = |name: &str| guide.place.path(name);
    fs::create_dir(place("bin")).expect("a folder");
    fs::copy(
        folder.join("quorate-init-emulated"),
        place("bin/quorate-init"),
    )
    .expect("an init");
    fs::copy(folder.join("quorate-echo"), place("bin/echo")).expect("an application");
    let mut emulator = Emulator::start(&guide.place);
    let measured = emulator.order(&json!({ "measure": { "init": "bin/quorate-init" } }));
    fs::write(place("measurements.json"), measured["measured"].to_string()).expect("a file");

    let of =
        |step: &str, member: &str| format!("ceremony {step} --folder ceremony --private {member}");
    guide.step(
        "join",
        &format!("{} --name alice", of("join", "alice")),
        &NEW,
    );
    for member in &MEMBERS[1..] {
        guide.unseen(&format!("{} --name {member}", of("join", member)), &NEW);
    }
    guide.step(
        "define",
        "ceremony define --folder ceremony --namespace treasury --members alice,bob,carol \
         --manifest-threshold 2 --share-threshold 2 --partition development \
         --root nitro/development-root.pem --measurements measurements.json",
        &[],
    );
    guide.step("consent", &of("consent", "alice"), &ASKED);
    for member in &MEMBERS[1..] {
        guide.unseen(&of("consent", member), &ASKED);
    }
    enclave(&mut emulator, "genesis");
    let at = " --socket nitro/genesis/operator.sock";
    guide.step(
        "genesis",
        &format!("ceremony genesis --folder ceremony{at}"),
        &[],
    );
    guide.step(
        "receipt",
        &format!("{}{at}", of("receipt", "alice")),
        &ASKED,
    );
    for member in &MEMBERS[1..] {
        guide.unseen(&format!("{}{at}", of("receipt", member)), &ASKED);
    }
    guide.step(
        "manifest",
        "ceremony manifest --folder ceremony --measurements measurements.json \
         --application echo=bin/echo,port=5100",
        &[],
    );
    guide.step("approve", &of("approve", "alice"), &ASKED);
    guide.unseen(&of("approve", "bob"), &ASKED);
    enclave(&mut emulator, "one");
    let at = " --socket nitro/one/operator.sock";
    let boot = format!("ceremony boot --folder ceremony{at} --application echo=bin/echo");
    guide.step("boot", &boot, &[]);

    // An enclave that is none of theirs: of no use to anybody, and refused.
    enclave(&mut emulator, "empty");
    let refused = of("provision", "alice") + " --socket nitro/empty/operator.sock";
    let (code, shown) = guide.typed(&refused, &[]);
    assert_eq!(code, Some(1), "{shown}");
    guide.captures.insert("refused", capture(&refused, &shown));

    guide.unseen(&format!("{}{at}", of("provision", "bob")), &ASKED);
    guide.step(
        "provision",
        &format!("{}{at}", of("provision", "alice")),
        &ASKED,
    );
    support::until("the application is ready", || {
        let ran = guide.place.run(
            &["ceremony", "status", "--folder", "ceremony", "--socket"]
                .into_iter()
                .chain(["nitro/one/operator.sock", "--json"])
                .collect::<Vec<_>>(),
        );
        ran.code == Some(0) && ran.json()["enclave"]["phase"] == "running"
    });
    guide.step(
        "status",
        &format!("ceremony status --folder ceremony{at}"),
        &[],
    );
    guide.step(
        "evidence",
        &format!("{}{at} --out evidence.cbor", of("evidence", "alice")),
        &[],
    );
    let genesis = guide
        .place
        .run(&["ceremony", "status", "--folder", "ceremony", "--json"]);
    let genesis = genesis.json()["genesis"]
        .as_str()
        .expect("a digest")
        .to_owned();
    guide.step(
        "verify",
        &format!(
            "verify evidence evidence.cbor --genesis {genesis} --root nitro/development-root.pem"
        ),
        &[],
    );
    guide.step("transcript", &of("transcript sign", "alice"), &ASKED);
    resharing(&mut guide, &genesis);
    surrogate(&mut guide, &genesis);
    enclave(&mut emulator, "three");
    drill(&mut guide);
    drop(emulator);
    compare(&guide.captures);
}

/// Carol leaves, dave comes.
fn resharing(guide: &mut Guide, genesis: &str) {
    let of =
        |step: &str, member: &str| format!("ceremony {step} --folder ceremony --private {member}");
    let join = format!("{} --name dave --genesis {genesis}", of("join", "dave"));
    guide.unseen(&join, &NEW);
    let at = " --socket nitro/one/operator.sock";
    let order = format!(
        "ceremony reshare order --folder ceremony{at} --members alice,bob,dave --threshold 2"
    );
    guide.step("reshare-order", &order, &[]);
    guide.step("reshare-sign", &of("reshare sign", "alice"), &ASKED);
    guide.step("reshare-status", "ceremony status --folder ceremony", &[]);
    guide.unseen(&of("reshare sign", "bob"), &ASKED);
    let run = format!("ceremony reshare run --folder ceremony{at}");
    guide.step("reshare-run", &run, &[]);
    guide.step("reshare-receipt", &of("reshare receipt", "dave"), &ASKED);
    guide.unseen(&of("reshare receipt", "alice"), &ASKED);
    let rotate = "ceremony rotate --folder ceremony --reshare --manifest-members alice,bob,dave";
    guide.step("rotate", rotate, &[]);
    for member in ["alice", "bob", "dave"] {
        guide.unseen(&of("approve", member), &ASKED);
    }
    let destroy = format!("{} --with-key", of("reshare destroy", "carol"));
    guide.step("reshare-destroy", &destroy, &ASKED);
}

/// Bob will be away: grace gets his share.
fn surrogate(guide: &mut Guide, genesis: &str) {
    let of =
        |step: &str, member: &str| format!("ceremony {step} --folder ceremony --private {member}");
    let join = format!("{} --name grace --genesis {genesis}", of("join", "grace"));
    guide.unseen(&join, &NEW);
    guide.unseen(&of("reshare receipt", "bob"), &ASKED);
    let name = of("surrogate name grace --days 3", "bob");
    guide.step("surrogate-name", &name, &ASKED);
    let share = of("surrogate share grace", "bob");
    guide.step("surrogate-share", &share, &ASKED);
    let accept = of("surrogate accept", "grace");
    guide.step("surrogate-accept", &accept, &ASKED);
}

/// A drill in which bob does not take part.
fn drill(guide: &mut Guide) {
    let of =
        |step: &str, member: &str| format!("ceremony {step} --folder ceremony --private {member}");
    let at = " --socket nitro/three/operator.sock";
    let start = format!("ceremony drill start --folder ceremony{at}");
    guide.step("drill-start", &start, &[]);
    guide.unseen(&format!("{}{at}", of("drill give", "dave")), &ASKED);
    let give = format!("{}{at}", of("drill give", "alice"));
    guide.step("drill-give", &give, &ASKED);
    let finish = format!("ceremony drill finish --folder ceremony{at}");
    guide.step("drill-finish", &finish, &[]);
}

/// Compares, or writes.
fn compare(made: &BTreeMap<&'static str, String>) {
    if std::env::var_os("QUORATE_TEST_UPDATE").is_some() {
        for (name, text) in made {
            fs::write(captures().join(format!("{name}.txt")), text).expect("written");
        }
    }
    let mut wrong = String::new();
    for (name, text) in made {
        let path = captures().join(format!("{name}.txt"));
        let kept = fs::read_to_string(&path).unwrap_or_default();
        if kept != *text {
            let _ = writeln!(wrong, "--- {}\n{text}\nnot\n{kept}", path.display());
        }
    }
    assert!(
        wrong.is_empty(),
        "the guide shows something else; QUORATE_TEST_UPDATE=1 renews it:\n{wrong}"
    );
    let kept = fs::read_dir(captures()).expect("the captures").count();
    assert_eq!(kept, made.len(), "a capture that nobody makes");
}

#[test]
fn stand_ins_are_the_same_for_the_same_and_others_for_others() {
    let one = settled("a 0123456789abcdef0123 b 0123456789abcdef0123. c fedcba98765432100123");
    let words: Vec<_> = one.split(' ').collect();
    assert_eq!(words[1], words[3].trim_end_matches('.'));
    assert_ne!(words[1], words[5]);
    for (line, same) in [
        (
            "\x1b[1mbold\x1b[0m 2031-01-02T03:04:05.678Z\r",
            "bold 2026-11-26T09:30:00.000Z",
        ),
        (
            "from 2031-01-02 03:04:05 UTC to 2032-01-02",
            "from 2026-11-26 09:30:00 UTC to 2027-11-26",
        ),
        (
            "(-12 s from this machine's clock)",
            "(0 s from this machine's clock)",
        ),
        (
            "alice, 2 of 3; port 5100, 268435456 bytes",
            "alice, 2 of 3; port 5100, 268435456 bytes",
        ),
        ("654321 bytes", "123456 bytes"),
        (
            "next drill due: 2031-01-02T03:04:05.678Z",
            "next drill due: 2027-02-24T09:30:00.000Z",
        ),
        (
            "  5  a  b  c  d",
            "  5  seabird      Jamaica      skullcap     coherence",
        ),
    ] {
        assert_eq!(settled(line).trim_start(), same.trim_start());
    }
}
