//! A command in a terminal of its own, with a person in front of it.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::support::{PATIENCE, Place};

/// What no command writes.
const END: &[u8] = b"\x00the end\x00";

/// A pseudo-terminal of 80 by 24, and the command in it.
pub(crate) struct Terminal {
    master: File,
    /// Keeps the terminal when the command has ended.
    slave: OwnedFd,
    child: Child,
    bytes: Receiver<Vec<u8>>,
    raw: Vec<u8>,
    /// Everything that was written to the terminal.
    pub(crate) seen: String,
    read: usize,
}

impl Terminal {
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        Self::start_in(place, "", arguments)
    }

    /// The same in a folder of the place.
    pub(crate) fn start_in(place: &Place, folder: &str, arguments: &[&str]) -> Self {
        Self::at(place, folder, "", (80, 24), arguments)
    }

    /// The same of a person with a home, on a terminal of so many columns and lines.
    pub(crate) fn at(
        place: &Place,
        folder: &str,
        home: &str,
        size: (u16, u16),
        arguments: &[&str],
    ) -> Self {
        Self::run(place, (folder, home), size, &place.command(arguments))
    }

    /// The same of a command with an environment of its own.
    pub(crate) fn of(place: &Place, folder: &str, home: &str, own: &Command) -> Self {
        Self::run(place, (folder, home), (80, 24), own)
    }

    /// The same where no file may have a byte: writing fails as on a full disk.
    pub(crate) fn cramped(place: &Place, folder: &str, home: &str, arguments: &[&str]) -> Self {
        // The signal that would end it is ignored, and stays so in what the shell becomes.
        Self::under(place, folder, home, "trap '' XFSZ; ulimit -f 0", arguments)
    }

    /// The same in what a shell leaves after this.
    pub(crate) fn under(
        place: &Place,
        folder: &str,
        home: &str,
        before: &str,
        arguments: &[&str],
    ) -> Self {
        let own = place.command(arguments);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{before}; exec \"$@\""), "sh"]);
        shell.arg(own.get_program()).args(own.get_args());
        Self::run(place, (folder, home), (80, 24), &shell)
    }

    fn run(
        place: &Place,
        (folder, home): (&str, &str),
        (columns, lines): (u16, u16),
        own: &Command,
    ) -> Self {
        let size = Winsize {
            ws_row: lines,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a terminal");
        let end = || Stdio::from(slave.try_clone().expect("a descriptor"));
        // setsid makes the terminal that of the command, as a shell finds it.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(own.get_program())
            .args(own.get_args())
            .envs(
                own.get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(place.path(folder))
            .env("TERM", "xterm")
            .env("HOME", place.path(home))
            .env_remove("XDG_DATA_HOME")
            .env_remove("QUORATE_PRIVATE")
            .env("TMPDIR", place.path("t"))
            .env_remove("NO_COLOR")
            .stdin(end())
            .stdout(end())
            .stderr(end());
        let child = command.spawn().expect("setsid, of util-linux");
        let master = File::from(master);
        let mut reader = master.try_clone().expect("a descriptor");
        let (sender, bytes) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            master,
            slave,
            child,
            bytes,
            raw: Vec::new(),
            seen: String::new(),
            read: 0,
        }
    }

    /// Waits until the terminal shows `text`, after what was waited for before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        while !self.seen[self.read..].contains(text) {
            match self.bytes.recv_timeout(PATIENCE) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => panic!("no {text:?} ({error}) in {:?}", &self.seen[self.read..]),
            }
            assert!(start.elapsed() < PATIENCE, "no {text:?}");
        }
        let found = self.seen[self.read..].find(text).expect("just seen");
        self.read += found + text.len();
    }

    /// Waits until a secret is asked for and not shown any more. A page that asks first gets its two
    /// words.
    #[track_caller]
    pub(crate) fn wait_for_secret(&mut self, prompt: &str) {
        let start = Instant::now();
        while !self.seen[self.read..].contains(prompt) {
            assert!(start.elapsed() < PATIENCE, "no {prompt:?}");
            if let Some(words) = self.asked_on_a_page() {
                self.read = self.seen.len();
                self.type_in(&format!("{words}\r"));
            }
            match self.bytes.recv_timeout(PATIENCE) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => panic!("no {prompt:?} ({error}) in {:?}", &self.seen[self.read..]),
            }
        }
        self.wait_for(prompt);
        while self.echoes() {
            assert!(start.elapsed() < PATIENCE, "what is typed is shown");
            thread::yield_now();
        }
    }

    /// The two words that a page which is drawn asks for.
    fn asked_on_a_page(&self) -> Option<String> {
        let (_, page) = self.seen[self.read..].split_once("\x1b[?1049h")?;
        // The last line of a page.
        page.contains("scroll").then(|| asked(page)).flatten()
    }

    /// A character may come in two pieces.
    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend(bytes);
        self.seen = String::from_utf8_lossy(&self.raw).into_owned();
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("typed");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it runs");
    }

    /// What the kernel lets the command have.
    pub(crate) fn limits(&self) -> String {
        let path = format!("/proc/{}/limits", self.child.id());
        std::fs::read_to_string(path).expect("its limits")
    }

    /// Waits for an end that a signal brought about, and tells whether the kernel wrote a core dump.
    #[track_caller]
    pub(crate) fn ends_with_dump(&mut self) -> bool {
        let status = self.child.wait().expect("a child");
        assert!(!status.success(), "{status}: {:?}", self.seen);
        status.core_dumped()
    }

    /// Everything that was written to the terminal, as it came.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether what is typed is shown.
    pub(crate) fn echoes(&self) -> bool {
        let state = tcgetattr(&self.master).expect("a terminal");
        state
            .local_flags
            .contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }

    /// Waits for the end: the exit code (none if a signal ended it), and the rest of what was shown.
    pub(crate) fn end(&mut self) -> Option<i32> {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None => assert!(start.elapsed() < PATIENCE, "no end of {:?}", self.seen),
            }
            // A terminal that nobody reads stops whoever writes to it.
            let glance = std::time::Duration::from_millis(2);
            while let Ok(bytes) = self.bytes.recv_timeout(glance) {
                self.take(&bytes);
            }
        };
        // What is written last comes last: nobody waits to see whether there is more.
        let mut slave = File::from(self.slave.try_clone().expect("a descriptor"));
        slave.write_all(END).expect("written");
        while !self.raw.ends_with(END) {
            match self.bytes.recv_timeout(PATIENCE) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => panic!("no end ({error}) of {:?}", self.seen),
            }
        }
        self.raw.truncate(self.raw.len() - END.len());
        self.seen = String::from_utf8_lossy(&self.raw).into_owned();
        status.code()
    }

    /// What a scroll-back keeps: everything that was not written to the alternate screen.
    pub(crate) fn scroll_back(&self) -> String {
        let mut kept = String::new();
        let mut rest = self.seen.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[?1049h") {
            kept.push_str(before);
            rest = after.split_once("\x1b[?1049l").map_or("", |(_, rest)| rest);
        }
        kept + rest
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nobody waiting at a prompt.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The two words that are asked for last.
pub(crate) fn asked(seen: &str) -> Option<String> {
    let said = said(seen);
    let at = said.iter().rposition(|word| word == "type:")?;
    let word = |place: usize| Some(said.get(at + place)?.trim_end_matches(',').to_owned());
    Some(format!("{} {}", word(1)?, word(2)?))
}

/// What was shown, in words and without escape sequences.
pub(crate) fn said(seen: &str) -> Vec<String> {
    let mut text = String::new();
    let mut chars = seen.chars();
    while let Some(char) = chars.next() {
        if char != '\x1b' {
            text.push(char);
            continue;
        }
        // A control sequence ends with a letter; it moves or paints, and parts what is around it.
        for char in chars.by_ref() {
            if char.is_ascii_alphabetic() {
                break;
            }
        }
        text.push(' ');
    }
    text.split_whitespace().map(str::to_owned).collect()
}
