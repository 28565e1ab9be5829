//! The process: passes on what it is sent, and signing's answer back.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::thread;

use quorate_app::serve::serve;
use quorate_app::{App, AppError};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::statement::SIGNING;
use quorate_replayer::{PORT, ReplayRequest, ReplayResponse};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate-replayer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), AppError> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(PORT);
    let mut app = App::start()?;
    let listener = app.listener(port)?;
    let signing = app.caller(SIGNING)?;
    thread::spawn(move || {
        serve::<ReplayRequest, _>(&listener, move |message| {
            let ReplayRequest::Show(redeem) = from_bytes(message).ok()?;
            let answer = signing.call(|_| to_bytes(&*redeem)).ok();
            let answer = answer.and_then(|bytes| from_bytes(&bytes).ok());
            let answer = answer.map_or(ReplayResponse::Unanswered, |answer| {
                ReplayResponse::Answered(Box::new(answer))
            });
            Some(to_bytes(&answer))
        });
        // Without its listener it is of no use; init starts it again.
        std::process::exit(1);
    });
    app.ready()?;
    app.wait_for_stop()
}
