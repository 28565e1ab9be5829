//! People who hold a ceremony: each has a home, a passphrase in their head and a terminal, and does what
//! `next` says, reading what is on the screen and typing the two words that it asks for.
//!
//! Nobody gives a flag that `next` did not give them, but for what only a coordinator knows: where an
//! enclave was started, and what is to run in it.
//!
//! Everything that any terminal showed is kept, and [`Hall::keeps_secrets`] looks through it, and through
//! every file, for what must be nowhere.

#![allow(dead_code, reason = "each test uses its part")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use quorate_protocol::genesis::CommitmentList;
use quorate_quorum_ceremony::keyfile::{KeyFile, Passphrase};
use quorate_quorum_ceremony::steps::share;
use quorate_quorum_ceremony::workspace::Workspace;
use quorate_share_backup::Expected;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::emulator::Emulator;
use crate::support::{Place, Ran, until};
use crate::terminal::{Terminal, asked, said};

/// Where the ceremony's folder is, in the place.
pub(crate) const SHARED: &str = "shared";
pub(crate) const ROOT: &str = "nitro/development-root.pem";

/// A hall with an emulator, people, and everything their terminals showed.
pub(crate) struct Hall {
    pub(crate) place: Place,
    pub(crate) binaries: PathBuf,
    emulator: Emulator,
    shown: RefCell<Vec<Shown>>,
    /// What nobody may ever find, and what it is.
    secrets: RefCell<BTreeMap<Vec<u8>, String>>,
}

/// What a terminal showed.
struct Shown {
    who: String,
    line: String,
    bytes: Vec<u8>,
}

/// How a command in a terminal ended.
pub(crate) struct Seen {
    /// The command.
    pub(crate) line: String,
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What stays on the terminal, in words.
    pub(crate) left: String,
    /// What was on pages, in words.
    pub(crate) pages: String,
}

impl Seen {
    /// It did what it was to do.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{}: {}", self.line, self.left);
        self
    }

    /// It was refused with this code, whose fault it is and what to do about it.
    #[track_caller]
    pub(crate) fn refused(self, code: &str) -> Self {
        assert_eq!(self.code, Some(1), "{}: {}", self.line, self.left);
        let wanted = format!("error[{code}]");
        assert!(self.left.contains(&wanted), "{}: {}", self.line, self.left);
        for part in ["fault:", "do:"] {
            let said = self.left.split_once(part).map(|(_, rest)| rest.trim());
            assert!(
                said.is_some_and(|rest| !rest.is_empty()),
                "{}: no {part} in {}",
                self.line,
                self.left
            );
        }
        self
    }

    /// All of this was shown, on a page or after it.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.left.contains(text) || self.pages.contains(text),
                "{}: no {text:?} in {:?} or {:?}",
                self.line,
                self.pages,
                self.left
            );
        }
        self
    }
}

/// Everybody's passphrase.
pub(crate) fn passphrase(who: &str) -> String {
    format!("gravel onion {who} verify teapot marble")
}

impl Hall {
    pub(crate) fn open(binaries: PathBuf, people: &[&str]) -> Self {
        let place = Place::new();
        let emulator = Emulator::start(&place);
        let mut hall = Self {
            place,
            binaries,
            emulator,
            shown: RefCell::default(),
            secrets: RefCell::default(),
        };
        fs::create_dir(hall.place.path("homes")).expect("a folder");
        for who in people {
            hall.invite(who);
        }
        let init = hall.init();
        let measured = hall.order(&json!({ "measure": { "init": init } }));
        let path = hall.place.path("measurements.json");
        fs::write(path, measured.to_string()).expect("written");
        hall
    }

    /// Somebody comes, with a home and nothing in it.
    pub(crate) fn invite(&self, who: &str) {
        fs::create_dir(self.place.path(&home(who))).expect("a folder");
        self.secret(passphrase(who).as_bytes(), &format!("{who}'s passphrase"));
    }

    pub(crate) fn order(&mut self, order: &Value) -> Value {
        self.emulator.order(order)
    }

    pub(crate) fn init(&self) -> PathBuf {
        self.binaries.join("quorate-init-emulated")
    }

    /// Starts an enclave; its operators' socket.
    pub(crate) fn start(&mut self, name: &str) -> String {
        let init = self.init();
        self.start_of(&json!({ "name": name, "init": init }))
    }

    /// The same of another init, or in debug mode.
    pub(crate) fn start_of(&mut self, start: &Value) -> String {
        self.order(&json!({ "start": start }));
        let name = start["name"].as_str().expect("a name");
        let socket = self.place.path(&format!("nitro/{name}/operator.sock"));
        socket.to_str().expect("text").to_owned()
    }

    pub(crate) fn stop(&mut self, name: &str) {
        self.order(&json!({ "stop": { "name": name } }));
    }

    pub(crate) fn secret(&self, bytes: &[u8], what: &str) {
        let mut secrets = self.secrets.borrow_mut();
        secrets.insert(bytes.to_vec(), what.to_owned());
    }

    /// Somebody's private folder: there is one ceremony in their home.
    pub(crate) fn private(&self, who: &str) -> PathBuf {
        let all = self
            .place
            .path(&home(who))
            .join(".local/share/quorate/ceremonies");
        let mut entries = fs::read_dir(&all).expect("ceremonies");
        let first = entries.next().expect("one").expect("an entry");
        assert!(entries.next().is_none(), "one ceremony");
        first.path()
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.place.path(SHARED)
    }

    /// Somebody types a command in the shared folder.
    pub(crate) fn sit(&self, who: &str, line: &str, size: (u16, u16)) -> Terminal {
        let words: Vec<&str> = line.split_whitespace().collect();
        Terminal::at(&self.place, SHARED, &home(who), size, &words)
    }

    /// The same where no file has room for a byte: for a program a full disk and a limit are one.
    pub(crate) fn sit_cramped(&self, who: &str, line: &str) -> Terminal {
        let words: Vec<&str> = line.split_whitespace().collect();
        Terminal::cramped(&self.place, SHARED, &home(who), &words)
    }

    /// The end of what somebody typed.
    pub(crate) fn leave(&self, who: &str, line: &str, mut terminal: Terminal) -> Seen {
        let code = terminal.end();
        assert!(terminal.echoes(), "{line}: the terminal is left as it was");
        self.shown.borrow_mut().push(Shown {
            who: who.into(),
            line: line.into(),
            bytes: terminal.raw().to_vec(),
        });
        Seen {
            line: format!("{who}: {line}"),
            code,
            left: said(&terminal.scroll_back()).join(" "),
            pages: words_of(&pages(&terminal.seen)),
        }
    }

    /// A command that asks nothing.
    pub(crate) fn types(&self, who: &str, line: &str) -> Seen {
        let terminal = self.sit(who, line, SCREEN);
        self.leave(who, line, terminal)
    }

    /// A command that asks for the passphrase alone.
    pub(crate) fn unlocks(&self, who: &str, line: &str) -> Seen {
        let mut terminal = self.sit(who, line, SCREEN);
        self.enter(&mut terminal, "passphrase: ", &passphrase(who));
        self.leave(who, line, terminal)
    }

    /// A command that shows a page, whose two words are typed, and then asks for the passphrase.
    pub(crate) fn decides(&self, who: &str, line: &str, size: (u16, u16)) -> Seen {
        let mut terminal = self.sit(who, line, size);
        let words = page(&mut terminal);
        terminal.type_in(&format!("{words}\r"));
        terminal.wait_for("\x1b[?1049l");
        self.enter(&mut terminal, "passphrase: ", &passphrase(who));
        self.leave(who, line, terminal)
    }

    /// The same in lines.
    pub(crate) fn decides_in_lines(&self, who: &str, line: &str) -> Seen {
        let line = format!("{line} --plain");
        let mut terminal = self.sit(who, &line, SCREEN);
        terminal.wait_for("or q to leave:");
        let words = asked(&terminal.seen).expect("two words");
        terminal.type_in(&format!("{words}\n"));
        self.enter(&mut terminal, "passphrase: ", &passphrase(who));
        assert!(!terminal.seen.contains('\x1b'), "lines, and no screen");
        self.leave(who, &line, terminal)
    }

    /// Answers a prompt that does not show what is typed.
    pub(crate) fn enter(&self, terminal: &mut Terminal, prompt: &str, text: &str) {
        terminal.wait_for_secret(prompt);
        terminal.type_in(&format!("{text}\n"));
    }

    /// Somebody makes their keys.
    pub(crate) fn joins(&self, who: &str, line: &str) -> Seen {
        let mut terminal = self.sit(who, line, SCREEN);
        for prompt in ["new passphrase: ", "once more: "] {
            self.enter(&mut terminal, prompt, &passphrase(who));
        }
        self.leave(who, line, terminal)
    }

    /// Somebody is told a step and does not get through it: leaves the page, mistypes the two words and
    /// the passphrase, is interrupted at each prompt, and has a full disk. In the end they are told the same step.
    #[track_caller]
    pub(crate) fn hesitates(&self, who: &str, step: &str) {
        assert_eq!(self.next(who).as_deref(), Some(step), "{who} is told");
        let before = state(&self.shared());
        for key in ["\x1b", "\x03"] {
            let mut terminal = self.sit(who, step, SCREEN);
            page(&mut terminal);
            terminal.type_in(key);
            self.leave(who, step, terminal).refused("not-confirmed");
        }
        let line = format!("{step} --plain");
        let mut terminal = self.sit(who, &line, SCREEN);
        terminal.wait_for("or q to leave:");
        terminal.type_in("yes\n");
        terminal.wait_for("these are not the two words");
        terminal.type_in("\x03");
        let seen = self.leave(who, &line, terminal);
        assert_ne!(seen.code, Some(0), "{}", seen.left);

        let mut terminal = self.sit(who, step, SCREEN);
        let words = page(&mut terminal);
        terminal.type_in("yes\r");
        terminal.type_in(&format!("{words}\r"));
        terminal.wait_for_secret("passphrase: ");
        terminal.type_in("\x03");
        self.leave(who, step, terminal).refused("interrupted");

        let mut terminal = self.sit(who, step, SCREEN);
        self.enter(
            &mut terminal,
            "passphrase: ",
            "gravel onion of somebody else",
        );
        self.leave(who, step, terminal).refused("wrong-passphrase");
        let mut terminal = self.sit_cramped(who, step);
        self.enter(&mut terminal, "passphrase: ", &passphrase(who));
        self.leave(who, step, terminal).refused("disk-full");
        assert_eq!(state(&self.shared()), before, "nothing was signed");
        assert_eq!(self.next(who).as_deref(), Some(step), "{who} is told again");
    }

    /// A page that says DO NOT, takes no answer and leads to this error.
    #[track_caller]
    pub(crate) fn is_warned(&self, who: &str, line: &str, code: &str) -> Seen {
        let mut terminal = self.sit(who, line, SCREEN);
        terminal.wait_for("\x1b[?1049h");
        terminal.wait_for("scroll");
        assert_eq!(asked(&terminal.seen), None, "{line}: a question");
        terminal.type_in("q");
        let seen = self.leave(who, line, terminal);
        seen.refused(code).says(&["DO NOT:", "instead:"])
    }

    /// Takes a file of the shared folder away, or puts other bytes in its place, as long as `then` runs.
    pub(crate) fn without<R>(
        &self,
        file: &str,
        other: Option<&[u8]>,
        then: impl FnOnce() -> R,
    ) -> R {
        let path = self.shared().join(file);
        let kept = fs::read(&path).expect("a file");
        match other {
            None => fs::remove_file(&path).expect("removed"),
            Some(bytes) => fs::write(&path, bytes).expect("written"),
        }
        let result = then();
        fs::write(&path, kept).expect("put back");
        result
    }

    /// What `next` tells somebody to run, without the name of the program; nothing if it is not their
    /// turn.
    pub(crate) fn next(&self, who: &str) -> Option<String> {
        let seen = self.types(who, "ceremony next").good();
        let (_, command) = seen.left.split_once("next: quorate ")?;
        Some(command.to_owned())
    }

    /// Somebody asks what to do, is told this step, and does it on a screen.
    #[track_caller]
    pub(crate) fn turn(&self, who: &str, step: &str, size: (u16, u16)) -> Seen {
        let command = self.next(who);
        assert_eq!(command.as_deref(), Some(step), "{who} is told");
        self.decides(who, step, size).good()
    }

    /// What the ceremony's folder, and the enclave where one is named, say of themselves.
    pub(crate) fn status(&self, socket: Option<&str>) -> Value {
        let mut line = vec!["ceremony", "status", "--folder", SHARED, "--json"];
        line.extend(socket.iter().flat_map(|socket| ["--socket", socket]));
        self.run(&line).good().json()
    }

    pub(crate) fn run(&self, line: &[&str]) -> Ran {
        self.place.run(line)
    }

    /// Waits until the enclave has the key and its application runs.
    pub(crate) fn until_running(&self, socket: &str) {
        until("the enclave has the key", || {
            self.status(Some(socket))["enclave"]["phase"] == "running"
        });
    }

    /// Remembers what is secret of these people, by opening it as they could.
    pub(crate) fn learn_secrets(&self, people: &[&str]) {
        let workspace = Workspace::open(&self.shared()).expect("the folder");
        let born = workspace.output().expect("a genesis").commitments.clone();
        let next = (1..=4).filter_map(|number| workspace.find_reshare(number).expect("a folder"));
        let next = next.map(|reshare| reshare.record.unverified().commitments.clone());
        let all: Vec<CommitmentList> = [born].into_iter().chain(next).collect();
        for who in people {
            let private = self.private(who);
            let words = || {
                let words = Zeroizing::new(passphrase(who).into_bytes());
                Passphrase::new(words).expect("a passphrase")
            };
            let file = fs::read(private.join("key.cbor")).expect("a key");
            let file = KeyFile::from_bytes(&file).expect("a key file");
            let keys = file.unlock(&words()).expect("their passphrase");
            self.secret(&keys.signing_key().to_bytes(), &format!("{who}'s key"));
            let proved = share::open(&self.shared(), &private).expect("a share");
            let proved = proved.prove(words()).expect("theirs");
            let backup = proved.backup();
            // Five words are 55 bits: nobody writes them by chance.
            let spelled = backup.words();
            let spelled: Vec<&str> = spelled.split_whitespace().collect();
            let middle = spelled.get(8..13).expect("words").join(" ");
            self.secret(middle.as_bytes(), &format!("{who}'s share in words"));
            let commitments = all.iter().find(|list| list.epoch() == proved.epoch());
            let expected = Expected {
                origin: proved.origin(),
                genesis: &proved.facts().genesis,
                index: proved.index(),
                commitments: commitments.expect("its commitments"),
            };
            let share = backup.prove(&expected).expect("theirs");
            let scalar = share.to_bytes();
            self.secret(&*scalar, &format!("{who}'s share"));
            let hex: String = scalar.iter().map(|byte| format!("{byte:02x}")).collect();
            self.secret(hex.as_bytes(), &format!("{who}'s share in hexadecimal"));
        }
    }

    /// Demands that no secret is in anything a terminal showed, nor in any file.
    #[track_caller]
    pub(crate) fn keeps_secrets(&self) {
        let secrets = self.secrets.borrow();
        let shown = self.shown.borrow();
        assert!(
            secrets.len() > 5 && shown.len() > 20,
            "something to look for"
        );
        let mut looked = 0;
        let mut look = |bytes: &[u8], place: &str| {
            looked += 1;
            for (secret, what) in secrets.iter() {
                let mut windows = bytes.windows(secret.len());
                assert!(
                    !windows.any(|window| window == secret),
                    "{what} is in {place}"
                );
            }
        };
        for one in shown.iter() {
            look(&one.bytes, &format!("{}'s terminal, {}", one.who, one.line));
            // A word may be parted by an escape sequence.
            let text = said(&String::from_utf8_lossy(&one.bytes)).join(" ");
            look(
                text.as_bytes(),
                &format!("what {} reads, {}", one.who, one.line),
            );
        }
        for folder in [SHARED, "homes", "t"] {
            for path in files(&self.place.path(folder)) {
                let bytes = fs::read(&path).expect("a file");
                look(&bytes, &path.display().to_string());
            }
        }
        assert!(looked > 100, "{looked}");
    }
}

/// The terminal most people have, and a large one.
pub(crate) const SCREEN: (u16, u16) = (80, 24);
pub(crate) const LARGE: (u16, u16) = (120, 40);

fn home(who: &str) -> String {
    format!("homes/{who}")
}

/// Waits until a page with a question has been drawn, and gives its two words.
#[track_caller]
pub(crate) fn page(terminal: &mut Terminal) -> String {
    terminal.wait_for("\x1b[?1049h");
    // The last words of the last line.
    terminal.wait_for("scroll");
    asked(&terminal.seen).expect("a question")
}

/// Everything that was written to the alternate screen.
fn pages(seen: &str) -> String {
    let mut all = String::new();
    let mut rest = seen;
    while let Some((_, after)) = rest.split_once("\x1b[?1049h") {
        let (page, after) = after.split_once("\x1b[?1049l").unwrap_or((after, ""));
        all.push_str(page);
        all.push(' ');
        rest = after;
    }
    all
}

/// Words without the frame around them.
fn words_of(text: &str) -> String {
    let frame = |c: char| "┌─┐│└┘".contains(c);
    let words = said(text).into_iter();
    let words = words.map(|word| word.trim_matches(frame).to_owned());
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Every file below a folder with its bytes.
pub(crate) fn state(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = files(folder).into_iter();
    // Refusals are noted in private, and published with the next thing that is signed.
    paths
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect()
}

/// Every plain file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false if path.is_file() => vec![path],
            false => Vec::new(),
        })
        .collect()
}
