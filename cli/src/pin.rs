//! Where a token's PIN comes from: the terminal without echo, a file, or standard input; or the
//! token's own keys.
//!
//! Guarantees: what the token says about its tries is shown before a PIN is asked for; the last try
//! is never spent by a file, which nobody reads twice; a locked token is not asked at all. A PIN is
//! never an argument, which every user of the machine could read. What is read is wiped.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use quorate_token::{LONGEST_PIN, Pin, TokenReport, Tries};
use zeroize::Zeroizing;

use crate::failure::{Failure, Fault};
use crate::output::Output;

/// Gets the PIN of a token, once.
pub(crate) fn read(
    output: Output,
    source: Option<&Path>,
    token: &TokenReport,
) -> Result<Pin, Failure> {
    let label = token.label.as_str();
    match (token.tries, source) {
        (Tries::Locked, _) => {
            return Err(Failure::refused(
                Fault::Caller,
                "pin-locked",
                format!("the PIN of token {label:?} is locked; none was asked for"),
                "have the security officer (PUK) unlock the token; the keys in it are not lost",
            ));
        }
        (Tries::Last, Some(_)) => {
            return Err(Failure::refused(
                Fault::Caller,
                "pin-last-try",
                format!("one try of the PIN of token {label:?} is left; the file was not tried"),
                "type the PIN at the terminal, sure of every digit; a right one gives all tries \
                 back",
            ));
        }
        (Tries::Reduced | Tries::Last, None) => {
            output.note(&format!("token {label:?}: {}", token.tries));
        }
        (Tries::NotReduced | Tries::Reduced, _) => {}
    }
    if token.pin_on_token && source.is_none() {
        output.note(&format!(
            "type the PIN of token {label:?} on the token itself"
        ));
        return Ok(Pin::OnToken);
    }
    let text = match source {
        None => ask(label)?,
        Some(path) => from_file(path)?,
    };
    Pin::typed(text).map_err(|error| unreadable(&error.to_string()))
}

fn ask(label: &str) -> Result<Zeroizing<String>, Failure> {
    let typed = rpassword::prompt_password(format!("PIN of token {label:?}: "));
    let typed = typed.map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Failure::interrupted(),
        _ => unreadable("there is no terminal to ask for it"),
    })?;
    Ok(Zeroizing::new(typed))
}

/// The file's content without line ends behind it.
fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let file = match path.as_os_str() == "-" {
        true => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        false => File::open(path),
    };
    // All room at once: text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_PIN + 64));
    let limit = u64::try_from(LONGEST_PIN + 3).unwrap_or(u64::MAX);
    file.and_then(|file| file.take(limit).read_to_string(&mut text))
        .map_err(|error| unreadable(&error.to_string()))?;
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    Ok(text)
}

fn unreadable(why: &str) -> Failure {
    Failure::usage(
        "pin-unreadable",
        format!("the PIN cannot be read: {why}"),
        "type it at the terminal, or give it with --pin-file FILE, or - for standard input",
    )
}
