//! The one place that prints.
//!
//! A command returns what it found as a [`Render`]; it is shown here as text or as one line of
//! JSON, the same facts in both. Results go to standard output, progress and failures to standard
//! error (a failure is also one line of JSON on standard output when JSON was asked for).
//!
//! Guarantees: no escape sequence is written where nobody asked for one: colour is used only on a
//! terminal, without `--plain` and with `NO_COLOR` unset or empty; text that came from outside is
//! stripped of control characters ([`clean`]) before it reaches a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::{Value, json};

use crate::failure::{Failure, Fault};

/// A result that can be shown.
pub(crate) trait Render {
    /// For people. Ends with a line break.
    fn text(&self, style: Style) -> String;
    /// For machines: one object.
    fn json(&self) -> Value;
}

/// How results are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One line of JSON.
    Json,
}

/// Where and how this process prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    stdout: Style,
    stderr: Style,
    /// Whether progress may be drawn over itself.
    lively: bool,
}

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Escape sequences for colours and weight.
    Colour,
    /// None.
    Plain,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }

    /// Emphasis.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Less important.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Refused, dangerous, or under a development root.
    pub(crate) fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Good.
    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Neither.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }
}

impl Output {
    /// Decides once, from the global options, the terminal and the environment.
    pub(crate) fn new(json: bool, plain: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let style = |terminal: bool| {
            if terminal && !plain && !no_color && !dumb {
                Style::Colour
            } else {
                Style::Plain
            }
        };
        let terminal = io::stderr().is_terminal();
        Self {
            format: if json { Format::Json } else { Format::Text },
            stdout: style(io::stdout().is_terminal()),
            stderr: style(terminal),
            lively: terminal && !plain && !dumb,
        }
    }

    /// How results are shown.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// The style of standard error, where progress goes.
    pub(crate) const fn progress_style(&self) -> Style {
        self.stderr
    }

    /// Whether progress may be drawn over itself.
    pub(crate) const fn is_lively(&self) -> bool {
        self.lively
    }

    /// Prints a result.
    ///
    /// # Errors
    /// If standard output cannot be written: a result nobody received is not a success.
    pub(crate) fn print(&self, result: &dyn Render) -> Result<(), Failure> {
        match self.format {
            Format::Text => write_out(&result.text(self.stdout)),
            Format::Json => self.line(&result.json()),
        }
    }

    /// Prints one line of JSON whatever the format is: for protocols.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub(crate) fn line(&self, value: &Value) -> Result<(), Failure> {
        write_out(&format!("{value}\n"))
    }

    /// Prints one line of text whatever the format is: for logs.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub(crate) fn text_line(&self, line: &str) -> Result<(), Failure> {
        write_out(&format!("{line}\n"))
    }

    /// Prints lines of text that have been cleaned.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub(crate) fn text(&self, lines: &str) -> Result<(), Failure> {
        write_out(lines)
    }

    /// Prints one line of progress to standard error. Progress nobody can read is not worth failing.
    pub(crate) fn note(&self, line: &str) {
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// Prints a failure.
    pub(crate) fn fail(&self, failure: &Failure) {
        if self.format == Format::Json {
            let _ = self.line(&json!({ "ok": false, "error": error_json(failure) }));
        }
        let _ = io::stderr().write_all(failure_text(failure, self.stderr).as_bytes());
    }
}

/// The object that stands for a failure in JSON.
pub(crate) fn error_json(failure: &Failure) -> Value {
    json!({
        "code": failure.code,
        "message": failure.what,
        "fault": failure.fault.word(),
        "remedy": failure.remedy,
    })
}

fn failure_text(failure: &Failure, style: Style) -> String {
    let mut text = String::new();
    let head = style.red(&format!("error[{}]:", failure.code));
    let _ = writeln!(text, "{head} {}", clean(&failure.what));
    let _ = writeln!(text, "  {} {}", style.bold("fault:"), failure.fault);
    let _ = writeln!(
        text,
        "  {}    {}",
        style.bold("do:"),
        clean(&failure.remedy)
    );
    text
}

/// Text from outside without what steers a terminal or hides: such characters could forge lines of a
/// report.
pub(crate) use quorate_twins::visible as clean;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| {
            Failure::refused(
                Fault::Machine,
                "output-failed",
                format!("standard output cannot be written: {error}"),
                "keep the reader of the output open, or write to a file with room",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_a_terminal_fails_closed() {
        assert_eq!(
            clean("ok\x1b[2K\rACCEPTED\u{202e}x"),
            "ok\u{fffd}[2K\u{fffd}ACCEPTED\u{fffd}x"
        );
        assert_eq!(clean("plain – text"), "plain – text");
    }

    #[test]
    fn a_failure_says_what_whose_fault_and_what_to_do() {
        let failure = Failure::usage("file-missing", "x does not exist", "check the path");
        assert_eq!(
            failure_text(&failure, Style::Plain),
            "error[file-missing]: x does not exist\n  \
             fault: the command as it was typed\n  do:    check the path\n"
        );
        assert_eq!(error_json(&failure)["fault"], "caller");
    }

    #[test]
    fn plain_style_writes_no_escape() {
        let failure = Failure::usage("a", "b", "c");
        assert!(!failure_text(&failure, Style::Plain).contains('\x1b'));
        assert!(failure_text(&failure, Style::Colour).contains('\x1b'));
    }
}
