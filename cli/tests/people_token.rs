//! A member with a PKCS#11 token at a terminal: every prompt for the PIN, with everything that goes wrong
//! there.
//!
//! At each of them the person leaves with ^C, mistypes the PIN, has the token pulled out while the prompt
//! stands, and then does the step with the same token. Each time the terminal is left as it was, nothing
//! is written, and what the token says of its tries is shown before the PIN is asked for. In the end no PIN
//! is in anything that a terminal showed, nor in any file.
//!
//! Against SoftHSM2, which counts no tries: the flags that a token sets are set in its store. Needs the
//! static enclave binaries as well (`./test` builds them first); where one of them is missing the test
//! says so and passes, but not in CI. The same without a terminal is in `token.rs` and
//! `token_ceremony.rs`.

#[path = "support/emulator.rs"]
mod emulator;
#[path = "support/people.rs"]
mod people;
mod support;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "../../quorum-ceremony/token/tests/tokens/mod.rs"]
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use people::{Hall, ROOT, SCREEN, SHARED, Seen, files, page};
use serde_json::Value;
use support::binaries;
use terminal::Terminal;
use tokens::{FINAL_TRY, LOCKED, Tokens};

/// Alice has a token; the others have key files.
const ALICE: &str = "alice";
const OTHERS: [&str; 2] = ["bob", "carol"];

/// Long enough to be in no file by chance.
const PIN: &str = "gravel-71-onion-teapot";
const MISTYPED: &str = "gravel-17-onion-teapot";
const PROMPT: &str = "PIN of token \"alice\": ";

/// What the tool says before it asks, after a wrong PIN and before the last one.
const REDUCED: &str = "a wrong PIN was given since the last right one; few tries are left";
const LAST: &str = "ONE try is left: another wrong PIN locks the token";

/// Steps that a page comes before.
const DECIDED: [&str; 4] = [
    "ceremony consent",
    "ceremony receipt",
    "ceremony approve",
    "ceremony provision",
];

/// How a step says that something was wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It is refused.
    Refused,
    /// It goes on and lists it, as `preflight` does.
    Listed,
}

/// A hall, and alice's token.
struct Room {
    hall: Hall,
    tokens: Tokens,
}

impl Room {
    fn open() -> Option<Self> {
        let binaries = binaries()?;
        tokens::softhsm()?;
        let hall = Hall::open(binaries, &[ALICE, "bob", "carol"]);
        let tokens = Tokens::new(&hall.place.path("hsm"))?;
        tokens.tool(&format!(
            "--init-token --free --label {ALICE} --pin {PIN} --so-pin 5678"
        ));
        for (pin, what) in [(PIN, "alice's PIN"), (MISTYPED, "what alice mistyped")] {
            hall.secret(pin.as_bytes(), what);
        }
        Some(Self { hall, tokens })
    }

    /// Alice types a command.
    fn sit(&self, line: &str) -> Terminal {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut command = self.hall.place.command(&words);
        command.env("SOFTHSM2_CONF", self.tokens.configuration());
        Terminal::of(&self.hall.place, SHARED, "homes/alice", &command)
    }

    fn leave(&self, line: &str, terminal: Terminal) -> Seen {
        self.hall.leave(ALICE, line, terminal)
    }

    /// Alice's command up to the prompt; a page that comes before is answered.
    fn asked(&self, line: &str) -> Terminal {
        let mut terminal = self.sit(line);
        terminal.wait_for_secret(PROMPT);
        terminal
    }

    /// The same, and the PIN.
    fn types(&self, line: &str, pin: &str) -> Seen {
        let mut terminal = self.asked(line);
        terminal.type_in(&format!("{pin}\n"));
        self.leave(line, terminal)
    }

    /// A command that does not get as far as the prompt.
    fn unasked(&self, line: &str) -> Seen {
        let mut terminal = self.sit(line);
        if DECIDED.contains(&line) {
            let words = page(&mut terminal);
            terminal.type_in(&format!("{words}\r"));
        }
        terminal.end();
        assert!(!terminal.seen.contains(PROMPT), "{line}: {}", terminal.seen);
        self.leave(line, terminal)
    }

    /// Every file that a member's step writes, but for the lock.
    fn state(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let folders = [SHARED, "homes/alice"].map(|name| self.hall.place.path(name));
        let paths = folders.iter().flat_map(|folder| files(folder));
        let paths = paths.filter(|path| !path.ends_with("lock"));
        paths
            .map(|path| (path.clone(), fs::read(path).expect("a file")))
            .collect()
    }

    /// As long as this runs no token is in the reader.
    fn without_token<R>(&self, then: impl FnOnce() -> R) -> R {
        self.tokens.take_out();
        let empty = self.hall.place.path("hsm/tokens");
        fs::create_dir(&empty).expect("a folder");
        let result = then();
        fs::remove_dir_all(empty).expect("removed");
        self.tokens.put_in();
        result
    }

    /// Everything that goes wrong at the prompt of a step goes wrong, and leaves nothing.
    #[track_caller]
    fn falters(&self, line: &str, how: Said) {
        let before = self.state();
        let wrong = |seen: Seen, code: &str, words: &[&str]| {
            let seen = match how {
                Said::Refused => seen.refused(code),
                Said::Listed => {
                    assert_eq!(seen.code, Some(1), "{}", seen.left);
                    assert!(!seen.left.contains("error["), "{}", seen.left);
                    seen
                }
            };
            seen.says(words);
            assert_eq!(self.state(), before, "{line}: {code} wrote something");
        };
        // Nothing was wrong before: nothing is said of tries.
        let mut terminal = self.asked(line);
        for words in [REDUCED, LAST] {
            assert!(!terminal.seen.contains(words), "{}", terminal.seen);
        }
        terminal.type_in("\x03");
        self.leave(line, terminal).refused("interrupted");
        assert_eq!(self.state(), before, "{line}: ^C wrote something");
        // In the middle of the PIN as well.
        let mut terminal = self.asked(line);
        terminal.type_in(&MISTYPED[..9]);
        terminal.type_in("\x03");
        self.leave(line, terminal).refused("interrupted");

        wrong(
            self.types(line, MISTYPED),
            "wrong-pin",
            &["did not accept the PIN", REDUCED],
        );
        let mut terminal = self.asked(line);
        self.told_before(&terminal, REDUCED);
        self.tokens.take_out();
        terminal.type_in(&format!("{PIN}\n"));
        let gone = self.leave(line, terminal);
        self.tokens.put_in();
        wrong(
            gone,
            "token-removed",
            &["the token was taken out", "put it in again"],
        );
        // Pulled out, and another try before it is put in.
        let gone = self.without_token(|| self.unasked(line));
        if line.contains("--token") {
            // Whoever joins has no token yet that could be told from others.
            wrong(gone, "token-missing", &["no token in a slot has that name"]);
        } else {
            wrong(
                gone,
                "token-missing",
                &["your keys are in the token SoftHSM project"],
            );
        }
    }

    /// What was shown before the PIN was asked for.
    #[track_caller]
    fn told_before(&self, terminal: &Terminal, words: &str) {
        let told = terminal.seen.find(words);
        let asked = terminal.seen.find(PROMPT).expect("it was asked for");
        assert!(told.is_some_and(|told| told < asked), "{}", terminal.seen);
    }

    /// A step with everything that goes wrong, and then with the right PIN.
    #[track_caller]
    fn gets_through(&self, line: &str) -> Seen {
        self.falters(line, Said::Refused);
        self.types(line, PIN).good()
    }
}

#[test]
fn every_prompt_for_a_pin_stands_what_people_do_there_fails_closed() {
    let Some(mut room) = Room::open() else { return };
    joined(&room);
    let genesis = born(&mut room);
    let socket = booted(&mut room);
    last_tries(&room);
    // The enclave answers for as long as the person needs.
    let given = room.gets_through("ceremony provision");
    given.says(&["SAFE:"]);
    room.hall
        .decides("bob", "ceremony provision", SCREEN)
        .good();
    room.hall.until_running(&socket);
    room.gets_through("ceremony share check");
    room.gets_through("ceremony transcript sign");
    recorded(&room, &genesis);
    room.hall.learn_secrets(&OTHERS);
    room.hall.keeps_secrets();
}

fn joined(room: &Room) {
    let hall = &room.hall;
    fs::create_dir(hall.shared()).expect("a folder");
    let new = format!(
        "ceremony new --folder {} --namespace treasury --members alice,bob,carol \
         --share-threshold 2 --manifest-threshold 2 --partition development --root {} \
         --measurements {}",
        hall.shared().display(),
        hall.place.path(ROOT).display(),
        hall.place.path("measurements.json").display()
    );
    hall.types("bob", &new).good();
    let join = format!(
        "ceremony join --name alice --token pkcs11:token=alice --module {}",
        room.tokens.module.display()
    );
    // The first try makes the private folder, and nothing in the token.
    let mut terminal = room.asked(&join);
    terminal.type_in("\x03");
    room.leave(&join, terminal).refused("interrupted");
    room.falters(&join, Said::Refused);
    assert_eq!(room.tokens.objects().len(), 0);
    assert!(!hall.shared().join("members/alice.cbor").exists());
    room.types(&join, PIN)
        .good()
        .says(&["SoftHSM v2", "made by the token itself"]);
    assert_eq!(room.tokens.objects().len(), 4);
    for who in OTHERS {
        hall.joins(who, &format!("ceremony join --name {who}"))
            .good();
    }
    hall.types("bob", "ceremony define").good();
    preflight(room);
    room.gets_through("ceremony consent");
    for who in OTHERS {
        hall.turn(who, "ceremony consent", SCREEN);
    }
}

/// What is wrong with a token is one line among the others.
fn preflight(room: &Room) {
    let line = "ceremony preflight";
    room.falters(line, Said::Listed);
    let missing = room.without_token(|| room.unasked(line));
    missing.says(&["no token is there", "can be written"]);
    // Told once more, and then no longer: a right PIN gives all tries back.
    room.types(line, PIN)
        .good()
        .says(&[REDUCED, "your key opens"]);
    let good = room.types(line, PIN).good();
    assert!(!good.left.contains("few tries"), "{}", good.left);
    good.says(&["SoftHSM v2", "firmware", "nothing here would stop you"]);
}

fn born(room: &mut Room) -> String {
    let socket = room.hall.start("genesis");
    let line = format!("ceremony genesis --socket {socket}");
    room.hall.types("bob", &line).good();
    room.gets_through("ceremony receipt").says(&["SAFE:"]);
    for who in OTHERS {
        room.hall.turn(who, "ceremony receipt", SCREEN);
    }
    room.hall.stop("genesis");
    let digest = &room.hall.status(None)["genesis"];
    digest.as_str().expect("a digest").to_owned()
}

fn booted(room: &mut Room) -> String {
    let echo = room.hall.binaries.join("quorate-echo");
    let echo = format!("--application echo={}", echo.display());
    let measurements = room.hall.place.path("measurements.json");
    let line = format!(
        "ceremony manifest --measurements {} {echo},port=5100",
        measurements.display()
    );
    room.hall.types("bob", &line).good();
    room.gets_through("ceremony approve");
    room.hall.turn("bob", "ceremony approve", SCREEN);
    let socket = room.hall.start("one");
    let line = format!("ceremony boot --socket {socket} {echo}");
    room.hall.types("bob", &line).good();
    socket
}

/// The last try is announced, is not spent by leaving, and a locked token is not asked. SoftHSM takes the
/// PIN in each of these states: that a command does not get so far shows that none was tried.
fn last_tries(room: &Room) {
    let line = "ceremony share check";
    let before = room.state();
    let store = room.tokens.files().into_iter();
    let mut store = store.filter(|path| path.ends_with("token.object"));
    let store = store.next().expect("the token's object");
    let sound = fs::read(&store).expect("it");
    room.tokens.set_flags(FINAL_TRY);
    for _ in 0..2 {
        let mut terminal = room.asked(line);
        room.told_before(&terminal, LAST);
        terminal.type_in("\x03");
        room.leave(line, terminal).refused("interrupted");
    }
    let mut terminal = room.asked(line);
    room.told_before(&terminal, LAST);
    terminal.type_in(&format!("{MISTYPED}\n"));
    let wrong = room.leave(line, terminal).refused("wrong-pin");
    wrong.says(&["did not accept the PIN", LAST]);
    looked_at(room, LAST);
    room.tokens.set_flags(LOCKED);
    looked_at(room, "the PIN is locked");
    let locked = room.unasked(line).refused("pin-locked");
    locked.says(&["none was asked for", "PUK"]);
    // Whoever has the PUK unlocks it.
    fs::write(store, sound).expect("written");
    assert!(room.state() == before, "something was written");
    room.types(line, PIN).good();
}

/// The page about the token says the same, and asks for no PIN.
fn looked_at(room: &Room, words: &str) {
    let private = room.hall.private(ALICE);
    let line = format!("ceremony token check --private {}", private.display());
    let mut terminal = room.sit(&line);
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for("scroll");
    terminal.type_in("q");
    let seen = room.leave(&line, terminal).good();
    assert!(!seen.left.contains(PROMPT.trim()), "{}", seen.left);
    seen.says(&["SoftHSM v2", words]);
}

/// Each record of alice names her token as the token told it.
fn recorded(room: &Room, genesis: &str) {
    let mut list = room
        .hall
        .place
        .command(&["ceremony", "token", "list", "--json", "--module"]);
    list.arg(&room.tokens.module)
        .env("SOFTHSM2_CONF", room.tokens.configuration());
    let told = support::Ran::wait(list.spawn().expect("it starts"))
        .good()
        .json();
    let identity = &told["tokens"][0]["identity"];
    let part = |key: &str| identity[key].as_str().expect("told").to_owned();
    let expected = format!(
        "{}, serial {}, firmware {}",
        part("model"),
        part("serial"),
        part("firmware")
    );
    let ask = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        room.hall.run(&words).good().json()
    };
    let verify = format!("ceremony transcript verify --folder {SHARED} --genesis {genesis} --json");
    assert_eq!(ask(&verify)["ok"], true);
    let shown = ask(&format!(
        "ceremony transcript show --folder {SHARED} --json"
    ));
    let records = shown["records"].as_array().expect("records");
    let mut hers = 0;
    for record in records {
        let lines = record["lines"].as_array().expect("lines").iter();
        let tokens = lines.filter(|line| line["about"] == "token");
        let tokens: Vec<&Value> = tokens.map(|line| &line["text"]).collect();
        match record["author"] == ALICE {
            true => assert_eq!(tokens, [&Value::from(expected.clone())], "{record}"),
            false => assert_eq!(tokens, [] as [&Value; 0], "{record}"),
        }
        hers += usize::from(record["author"] == ALICE);
    }
    assert!(hers >= 5, "{hers} records");
}
