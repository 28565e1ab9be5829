//! The process: takes calls of policy, and refuses what others show.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use quorate_app::{App, AppError, ProofSigner};
use quorate_es256::SigningKey as _;
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

/// Proofs are signed thousands of times a second.
struct Fast(SigningKey);

impl ProofSigner for Fast {
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.0
            .sign(message)
            .ok()
            .map(|signature| signature.to_raw())
    }
}

fn fast(scalar: &[u8; 32]) -> Option<Box<dyn ProofSigner>> {
    let key = SigningKey::from_scalar(scalar).ok()?;
    Some(Box::new(Fast(key)))
}

fn run() -> Result<(), AppError> {
    let app = App::start_with(fast)?;
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
