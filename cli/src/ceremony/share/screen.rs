//! A screen of its own for secrets: the terminal's alternate screen, which has no scroll-back.
//!
//! Guarantees: what is shown is erased before the terminal goes back to what it was, whichever way
//! this ends: Enter, Ctrl-C, a signal to end, an error. Terminals keep the alternate screen out of
//! their scroll-back. Characters are read one by one and not echoed; Ctrl-C and Ctrl-Z are keys, so
//! that no shell is left with a share on the screen. Where a passphrase is asked for, an interruption
//! ends the process and gives the terminal back as it was ([`guard`]).
//!
//! Trusts: the terminal. One that records what it shows, such as a session recorder, has it.
//!
//! Does not: go through standard input or output. It is the process's terminal, or nothing.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::termios::{
    InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure, Fault};
use crate::output::{Format, Output};

const TERMINAL: &str = "/dev/tty";
/// To the alternate screen, empty.
const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[H";
/// Empty, and back to the screen of before.
const LEAVE: &str = "\x1b[0m\x1b[2J\x1b[H\x1b[?1049l";
/// Empty, and to its first place; black on white, as QR codes are read best.
const CLEAR: &str = "\x1b[0m\x1b[2J\x1b[H";
const PAPER: &str = "\x1b[30;107m";

/// Whether a screen is shown, which must be erased before this process ends.
static SHOWN: AtomicBool = AtomicBool::new(false);
/// Whether the process shall end.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Sees to it that an interruption leaves nothing behind: a screen is erased first; without one the
/// terminal gets back what a passphrase prompt took from it, its echo, and the process ends.
///
/// # Errors
/// If signals cannot be handled.
pub(in crate::ceremony) fn guard(output: Output) -> Result<(), Failure> {
    let terminal = File::open(TERMINAL).ok();
    let before = terminal.and_then(|terminal| {
        let state = tcgetattr(&terminal).ok()?;
        Some((terminal, state))
    });
    // A terminal's state holds cells; the handler runs in a thread of its own.
    let before = Mutex::new(before);
    ctrlc::set_handler(move || {
        ENDED.store(true, Ordering::Release);
        if SHOWN.load(Ordering::Acquire) {
            return;
        }
        if let Ok(before) = before.lock()
            && let Some((terminal, state)) = &*before
        {
            let _ = tcsetattr(terminal, SetArg::TCSAFLUSH, state);
        }
        output.fail(&interrupted());
        process::exit(Exit::Refused.code().into());
    })
    .map_err(|error| unusable(&error.to_string()))
}

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A character of ASCII.
    Character(char),
    /// Backspace.
    Delete,
    /// Enter.
    Enter,
    /// Ctrl-U.
    Erase,
    /// Anything else.
    Other,
}

/// The alternate screen, until it is dropped.
pub(super) struct Screen {
    terminal: File,
    before: Termios,
    /// Read and not looked at yet, the next byte last.
    pending: Zeroizing<Vec<u8>>,
}

impl Screen {
    /// Whether there can be one.
    ///
    /// # Errors
    /// A usage failure where JSON or plain output is asked for, or where there is no terminal.
    pub(super) fn check(output: Output) -> Result<(), Failure> {
        let what = if output.format() == Format::Json {
            "a share is never in JSON"
        } else if !output.is_lively() {
            "a share is shown on a screen of its own, which plain output does not have"
        } else if File::open(TERMINAL).is_err() {
            "there is no terminal to show or type a share on"
        } else {
            return Ok(());
        };
        Err(Failure::usage(
            "screen-needed",
            what,
            "name a file (--out FILE to write, --in FILE to read), or run it on a terminal without \
             --plain and --json",
        ))
    }

    /// Goes to the alternate screen.
    ///
    /// # Errors
    /// As [`check`](Self::check); if the terminal cannot be used.
    pub(super) fn open(output: Output) -> Result<Self, Failure> {
        Self::check(output)?;
        let terminal = File::options().read(true).write(true).open(TERMINAL);
        let terminal = terminal.map_err(|error| unusable(&error.to_string()))?;
        let refused = |errno: nix::errno::Errno| unusable(errno.desc());
        let before = tcgetattr(&terminal).map_err(refused)?;
        let mut keys = before.clone();
        keys.local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN);
        keys.input_flags
            .remove(InputFlags::ICRNL | InputFlags::IXON);
        // Reads return after a tenth of a second, so that a signal is noticed.
        for (index, value) in [
            (SpecialCharacterIndices::VMIN, 0),
            (SpecialCharacterIndices::VTIME, 1),
        ] {
            if let Some(character) = keys.control_chars.get_mut(index as usize) {
                *character = value;
            }
        }
        SHOWN.store(true, Ordering::Release);
        // From here on the drop puts everything back.
        let mut screen = Self {
            terminal,
            before,
            pending: Zeroizing::new(Vec::with_capacity(PENDING)),
        };
        tcsetattr(&screen.terminal, SetArg::TCSAFLUSH, &keys).map_err(refused)?;
        screen.write(ENTER)?;
        Ok(screen)
    }

    /// Shows a text instead of what was shown, and a line below it.
    ///
    /// # Errors
    /// If the terminal cannot be written.
    pub(super) fn show(&mut self, text: &str, below: &str) -> Result<(), Failure> {
        // Never grows, so that no copy is left behind.
        let lines = text.lines().count().saturating_add(below.lines().count());
        let room = text.len().saturating_add(below.len());
        let room = room
            .saturating_add(lines.saturating_mul(32))
            .saturating_add(64);
        let mut all = Zeroizing::new(String::with_capacity(room));
        all.push_str(CLEAR);
        for line in text.lines() {
            all.push_str(PAPER);
            all.push_str(line);
            all.push_str("\x1b[0m\r\n");
        }
        all.push_str(&below.replace('\n', "\r\n"));
        self.write(&all)
    }

    /// Waits for a key.
    ///
    /// # Errors
    /// An interruption, Ctrl-C or a signal to end.
    pub(super) fn key(&mut self) -> Result<Key, Failure> {
        let byte = self.byte()?;
        Ok(match byte {
            0x03 | 0x04 | 0x1c => return Err(interrupted()),
            b'\r' | b'\n' => Key::Enter,
            0x08 | 0x7f => Key::Delete,
            0x15 => Key::Erase,
            0x1b => {
                self.skip_sequence();
                Key::Other
            }
            b' '..=b'~' => Key::Character(char::from(byte)),
            _ => Key::Other,
        })
    }

    /// Waits for Enter.
    ///
    /// # Errors
    /// As [`key`](Self::key).
    pub(super) fn wait_for_enter(&mut self) -> Result<(), Failure> {
        while self.key()? != Key::Enter {}
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Failure> {
        loop {
            if ENDED.load(Ordering::Acquire) {
                return Err(interrupted());
            }
            if let Some(byte) = self.pending.pop() {
                return Ok(byte);
            }
            let mut read = Zeroizing::new([0; PENDING]);
            match self.terminal.read(&mut *read) {
                Ok(count) => self.pending.extend(read.iter().take(count).rev()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unusable(&error.to_string())),
            }
        }
    }

    /// What follows an escape: the keys that move a cursor, which mean nothing here.
    fn skip_sequence(&mut self) {
        if matches!(self.pending.last(), Some(b'[' | b'O')) {
            self.pending.pop();
            while let Some(byte) = self.pending.pop() {
                if (0x40..=0x7e).contains(&byte) {
                    break;
                }
            }
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.terminal
            .write_all(text.as_bytes())
            .map_err(|error| unusable(&error.to_string()))
    }
}

/// Bytes that are read at once.
const PENDING: usize = 64;

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = self.write(LEAVE);
        let _ = tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
        SHOWN.store(false, Ordering::Release);
    }
}

fn unusable(why: &str) -> Failure {
    Failure::refused(
        Fault::Machine,
        "terminal-unusable",
        format!("the terminal cannot be used: {why}"),
        "run it on another terminal, or with files (--out, --in)",
    )
}

pub(in crate::ceremony) fn interrupted() -> Failure {
    Failure::refused(
        Fault::Caller,
        "interrupted",
        "it was interrupted; nothing secret is left on the screen",
        "run it again: it goes on where it ended, and nothing is asked twice",
    )
}
