//! The process: listens for requests, calls key-generation and signing.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::thread;

use quorate_app::serve::serve;
use quorate_app::{App, AppError, Caller};
use quorate_es256_fast::{SigningKey, VerifyingKey};
use quorate_operation::{Identity, Issuer, Start};
use quorate_policy::{Calls, PORT, Performer, Policy, REMEMBERS, Unanswered};
use quorate_protocol::activity::PolicyRequest;
use quorate_protocol::atoms::Name;
use quorate_protocol::statement::{KEY_GENERATION, SIGNING};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate-policy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The call edges of the manifest.
struct Edges {
    key_generation: Caller,
    signing: Caller,
}

impl Calls for Edges {
    fn call(
        &self,
        performer: Performer,
        make: &mut dyn FnMut(&Start) -> Vec<u8>,
    ) -> Result<Vec<u8>, Unanswered> {
        let edge = match performer {
            Performer::KeyGeneration => &self.key_generation,
            Performer::Signing => &self.signing,
        };
        let answer = edge.call(|peer| make(&Start::new(&peer.name, peer.start)));
        answer.map_err(|_| Unanswered)
    }
}

fn run() -> Result<(), AppError> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(PORT);
    let mut app = App::start_with::<SigningKey>()?;
    let listener = app.listener(port)?;
    let identity = Identity {
        instance: *app.instance_key(),
        start: Start::new(app.name(), app.start_number()),
    };
    let edges = Edges {
        key_generation: app.caller(KEY_GENERATION)?,
        signing: app.caller(SIGNING)?,
    };
    let policy: Policy<VerifyingKey, _> = Policy::new(
        app.genesis(),
        app.signing_key().clone(),
        Issuer::new(identity),
        REMEMBERS,
        edges,
    );
    let (clock, prover) = (app.clock(), app.prover());
    thread::spawn(move || {
        serve::<PolicyRequest, _>(&listener, move |message| {
            let prove = |kind: &str, payload| prover.prove(&Name::new(kind).ok()?, payload).ok();
            Some(policy.answer(message, clock.now(), &prove))
        });
        // Without its listener it is of no use; init starts it again.
        std::process::exit(1);
    });
    app.ready()?;
    app.wait_for_stop()
}
