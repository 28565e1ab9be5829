//! The process: takes calls of policy, and of nobody else.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use quorate_app::{App, AppError};
use quorate_key_generation::KeyGeneration;
use quorate_operation::{Identity, Redeemer, Start};
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::statement::{KEY_GENERATION, POLICY, SIGNING};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate-key-generation: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), AppError> {
    let app = App::start()?;
    let identity = Identity {
        instance: *app.instance_key(),
        start: Start::new(app.name(), app.start_number()),
    };
    let issuer = Name::new(POLICY).map_err(|_| AppError::Key)?;
    let application = KeyGeneration::new(
        app.genesis(),
        Redeemer::new(identity, issuer),
        app.storage_key(KEY_GENERATION, KEY_GENERATION)?,
        app.storage_key(KEY_GENERATION, SIGNING)?,
    );
    let (clock, entropy, prover) = (app.clock(), app.entropy(), app.prover());
    app.serve_calls(move |peer, message| {
        let prove = |kind: &str, payload| prover.prove(&Name::new(kind).ok()?, payload).ok();
        let peer = Start::new(&peer.name, peer.start);
        let mut generator = entropy.generator().ok()?;
        let answer = application.answer(&peer, message, clock.now(), &mut generator, &prove);
        Some(to_bytes(&answer))
    })?;
    app.ready()?;
    app.wait_for_stop()
}
