//! An example of an application that calls another: it passes what it is sent on to `echo`, and
//! gives back what `echo` proved.
//!
//! The manifest must let it: `calls=echo`. What it guarantees is only what its caller can check,
//! the proof of `echo`. When `echo` is being started again it waits for it; a call that may or may
//! not have been executed is not repeated, the client decides that.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::thread;

use quorate_app::serve::serve;
use quorate_app::{App, AppError, ReportKind};
use quorate_echo::EchoRequest;
use quorate_protocol::cbor::from_bytes;

/// The port unless the first argument names another.
const PORT: u32 = 5101;
/// The application it calls.
const CALLEE: &str = "echo";
/// Code of the report that a call had no answer; its value is how many so far.
const NO_ANSWER: u16 = 1;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), AppError> {
    let port = std::env::args()
        .nth(1)
        .and_then(|p| p.parse().ok())
        .unwrap_or(PORT);
    let mut app = App::start()?;
    let listener = app.listener(port)?;
    let echo = app.caller(CALLEE)?;
    let reporter = app.reporter();
    let failed = std::sync::atomic::AtomicU64::new(0);
    thread::spawn(move || {
        serve::<EchoRequest, _>(&listener, move |payload| {
            // Nothing malformed is passed on.
            from_bytes::<EchoRequest>(payload).ok()?;
            match echo.call(|_| payload.to_vec()) {
                Ok(answer) => Some(answer),
                Err(_) => {
                    let before = failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    reporter.report(ReportKind::Warning, NO_ANSWER, before.saturating_add(1));
                    None
                }
            }
        });
        // Without its listener it is of no use; init starts it again.
        std::process::exit(1);
    });
    app.ready()?;
    app.wait_for_stop()
}
