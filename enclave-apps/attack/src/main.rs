//! An application that tries to leave its sandbox. Tests start it in a machine, tell it over its
//! port which way to try, and read what came of it; it is never part of an image.
//!
//! A connection carries one line, the name of an attack, and is answered with one line: the name of
//! the error the kernel gave, or `done` and a number. The attacks are in [`attacks`], what must
//! come of each is in the test.
//!
//! It can do nothing that a hostile binary could not do anyway.

/// Makes a system call with arguments of any kind.
macro_rules! attack {
    ($number:expr $(, $argument:expr)*) => {
        call($number, &mut [$(($argument).into()),*])
    };
}

mod attacks;
mod floods;
mod sys;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;

use quorate_app::{App, AppError};

/// Where it is told what to try.
const PORT: u32 = 5100;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> Result<(), AppError> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let mut app = App::start()?;
    let listener = app.listener(port.unwrap_or(PORT))?;
    thread::spawn(move || {
        while let Ok(stream) = listener.accept() {
            answer(&stream);
        }
    });
    app.ready()?;
    app.wait_for_stop()
}

fn answer(mut stream: &UnixStream) {
    let mut line = String::new();
    if BufReader::new(stream).read_line(&mut line).is_err() {
        return;
    }
    let answer = match attacks::attempt(line.trim_end()) {
        None => "unknown".to_owned(),
        Some(Ok(number)) => format!("done {number}"),
        Some(Err(errno)) => format!("{errno:?}"),
    };
    let _ = writeln!(stream, "{answer}");
}
