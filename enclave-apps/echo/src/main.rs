//! The example application: answers with what it was sent, and proves it if asked to; to clients on its port
//! and to the applications that may call it.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use quorate_app::serve::serve;
use quorate_app::{App, AppError, Prover};
use quorate_echo::{EchoRequest, EchoResponse, PORT, PROOF_KIND};
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::{from_bytes, to_bytes};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate-echo: {error}");
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
    let (prover, for_calls) = (app.prover(), app.prover());
    thread::spawn(move || {
        serve::<EchoRequest, _>(&listener, move |payload| answer(&prover, payload));
        // Without its listener it is of no use; init starts it again.
        std::process::exit(1);
    });
    app.serve_calls(move |_, payload| answer(&for_calls, payload))?;
    app.ready()?;
    app.wait_for_stop()
}

/// The answer to a request; `None` for what is none.
fn answer(prover: &Arc<Prover>, payload: &[u8]) -> Option<Vec<u8>> {
    match from_bytes(payload).ok()? {
        EchoRequest::Echo(message) => {
            let kind = Name::new(PROOF_KIND).ok()?;
            let proof = prover.prove(&kind, message.into_vec()).ok()?;
            Some(to_bytes(&EchoResponse::Echoed(Box::new(proof))))
        }
        EchoRequest::Repeat(message) => Some(to_bytes(&EchoResponse::Repeated(message))),
    }
}
