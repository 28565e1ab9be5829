//! The terminal: raw mode and a screen of its own while a page is shown, and neither afterwards.
//!
//! Guarantees: what was on the terminal before is there again when [`show`] returns, also with an
//! error; a page leaves nothing in the scroll-back. Keys typed after the answer belong to whoever
//! reads next: not a byte more is taken from the terminal than one read gives.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::Terminal;
use ratatui::backend::TermionBackend;
use ratatui::termion::event::{Event, Key as Pressed, parse_event};
use ratatui::termion::raw::IntoRawMode as _;
use ratatui::termion::screen::IntoAlternateScreen as _;

use crate::page::Page;
use crate::update::{Key, Message, Model, Outcome, update};
use crate::view::view;

/// Least size a page can be read on, in columns and lines.
pub const LEAST: (u16, u16) = (60, 16);

/// How often an age is drawn anew, in milliseconds.
const TICK: u16 = 250;

/// Why a page could not be shown. The machine is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TerminalError {
    /// It cannot be opened, read or written.
    #[error("the terminal cannot be used: {0}")]
    Unusable(#[from] io::Error),
    /// It was closed.
    #[error("the terminal was closed")]
    Closed,
    /// It has fewer columns or lines than a page needs.
    #[error("the terminal has {width} columns and {height} lines; a page needs {} and {}", LEAST.0, LEAST.1)]
    TooSmall {
        /// Columns.
        width: u16,
        /// Lines.
        height: u16,
    },
}

/// Shows a page until it ends.
///
/// # Errors
/// [`TerminalError`]; nothing has been agreed to then.
pub fn show(page: Page) -> Result<Outcome, TerminalError> {
    watch(page, Duration::MAX, &mut || None)
}

/// Shows a page until it ends, and another in its place whenever `again` gives one. It is asked
/// `every` so often.
///
/// # Errors
/// [`TerminalError`].
pub fn watch(
    page: Page,
    every: Duration,
    again: &mut dyn FnMut() -> Option<Page>,
) -> Result<Outcome, TerminalError> {
    let since = Instant::now();
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let (width, height) = ratatui::termion::terminal_size()?;
    if width < LEAST.0 || height < LEAST.1 {
        return Err(TerminalError::TooSmall { width, height });
    }
    let screen = tty.try_clone()?.into_raw_mode()?.into_alternate_screen()?;
    let mut terminal = Terminal::new(TermionBackend::new(screen))?;
    let model = Model::new(page, width, height);
    let mut again = Again { every, make: again };
    let outcome = converse(&mut terminal, &tty, model, since, &mut again);
    // Dropping the screen leaves it and raw mode; the cursor is not its business.
    let shown = terminal.show_cursor();
    drop(terminal);
    let mut tty = tty;
    tty.flush()?;
    shown?;
    outcome
}

/// Where newer pages come from.
struct Again<'a> {
    every: Duration,
    make: &'a mut dyn FnMut() -> Option<Page>,
}

fn converse<W: io::Write>(
    terminal: &mut Terminal<TermionBackend<W>>,
    tty: &File,
    mut model: Model,
    since: Instant,
    again: &mut Again<'_>,
) -> Result<Outcome, TerminalError> {
    let mut last = Instant::now();
    loop {
        if last.elapsed() >= again.every {
            last = Instant::now();
            if let Some(page) = (again.make)() {
                model.show(page);
            }
        }
        let (width, height) = ratatui::termion::terminal_size()?;
        update(&mut model, Message::Size { width, height });
        update(&mut model, Message::Elapsed(since.elapsed()));
        terminal.draw(|frame| view(&model, frame))?;
        for key in keys(tty)? {
            // The age counts until the key, not until the last time it was drawn.
            update(&mut model, Message::Elapsed(since.elapsed()));
            if let Some(outcome) = update(&mut model, Message::Key(key)) {
                return Ok(outcome);
            }
        }
    }
}

/// The keys that were pressed, or none after [`TICK`].
fn keys(mut tty: &File) -> Result<Vec<Key>, TerminalError> {
    let mut wait = [PollFd::new(tty.as_fd(), PollFlags::POLLIN)];
    match poll(&mut wait, PollTimeout::from(TICK)) {
        Ok(0) | Err(Errno::EINTR) => return Ok(Vec::new()),
        Ok(_) => {}
        Err(errno) => return Err(io::Error::from(errno).into()),
    }
    let mut buffer = [0; 64];
    match tty.read(&mut buffer) {
        Ok(0) => Err(TerminalError::Closed),
        Ok(count) => Ok(parse(buffer.get(..count).unwrap_or_default())),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
        // What a terminal says that has hung up.
        Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => Err(TerminalError::Closed),
        Err(error) => Err(error.into()),
    }
}

/// The keys that these bytes of a terminal mean.
fn parse(bytes: &[u8]) -> Vec<Key> {
    // A key that begins a sequence comes alone; what a paste contains is read like keys.
    if bytes == [0x1b] {
        return vec![Key::Leave];
    }
    let mut rest = bytes.iter().copied().map(Ok);
    let mut keys = Vec::new();
    while let Some(Ok(first)) = rest.next() {
        let Ok(Event::Key(pressed)) = parse_event(first, &mut rest) else {
            continue;
        };
        keys.extend(key(pressed));
    }
    keys
}

const fn key(pressed: Pressed) -> Option<Key> {
    Some(match pressed {
        Pressed::Char('\n' | '\r') => Key::Enter,
        Pressed::Char('\t') => Key::Tab,
        Pressed::Char(char) => Key::Char(char),
        Pressed::Backspace | Pressed::Delete => Key::Backspace,
        Pressed::Esc | Pressed::Ctrl('c' | 'd') => Key::Leave,
        Pressed::Ctrl('r') => Key::Renew,
        Pressed::Up => Key::Up,
        Pressed::Down => Key::Down,
        Pressed::PageUp => Key::PageUp,
        Pressed::PageDown => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        assert_eq!(parse(b"a \r"), [Key::Char('a'), Key::Char(' '), Key::Enter]);
        assert_eq!(parse(b"\x7f"), [Key::Backspace]);
        assert_eq!(parse(b"\x1b"), [Key::Leave]);
        assert_eq!(parse(b"\x03"), [Key::Leave]);
        assert_eq!(parse(b"\x12"), [Key::Renew]);
        assert_eq!(parse(b"\x1b[A\x1b[B"), [Key::Up, Key::Down]);
        assert_eq!(parse(b"\x1b[5~\x1b[6~"), [Key::PageUp, Key::PageDown]);
        assert_eq!(parse("ä".as_bytes()), [Key::Char('ä')]);
    }

    #[test]
    fn bytes_that_are_no_key_fails_closed() {
        for bytes in [
            &b"\xff\xfe"[..],
            b"\x1b[",
            b"\x1b[999999z",
            b"\x00",
            b"\xc3",
        ] {
            let keys = parse(bytes);
            assert!(!keys.contains(&Key::Enter), "{bytes:02x?}: {keys:?}");
        }
    }
}
