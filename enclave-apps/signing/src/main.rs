//! The process: takes calls of policy, and refuses what others show.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use quorate_app::{App, AppError};
use quorate_es256_fast::SigningKey;
use quorate_operation::{Identity, Redeemer, Start};
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::statement::{KEY_GENERATION, POLICY, SIGNING};
use quorate_signing::Signing;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate-signing: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), AppError> {
    let app = App::start_with::<SigningKey>()?;
    let identity = Identity {
        instance: *app.instance_key(),
        start: Start::new(app.name(), app.start_number()),
    };
    let issuer = Name::new(POLICY).map_err(|_| AppError::Key)?;
    let application = Signing::new(
        app.genesis(),
        Redeemer::new(identity, issuer),
        app.storage_key(KEY_GENERATION, SIGNING)?,
    );
    let (clock, prover) = (app.clock(), app.prover());
    app.serve_calls(move |peer, message| {
        let prove = |kind: &str, payload| prover.prove(&Name::new(kind).ok()?, payload).ok();
        let peer = Start::new(&peer.name, peer.start);
        Some(to_bytes(&application.answer(
            &peer,
            message,
            clock.now(),
            &prove,
        )))
    })?;
    app.ready()?;
    app.wait_for_stop()
}
