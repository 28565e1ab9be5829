//! One question to the application that runs in the demo's enclave.

use std::path::Path;

use quorate_echo::{EchoRequest, EchoResponse};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::Bytes;
use quorate_protocol::cose::Signed;

use super::enclave::Connection;
use crate::failure::{Failure, Fault};

/// Asks it to say something nobody has said before, and takes the proof that it did. Whether the
/// proof is good is for the verification of the evidence to say.
pub(super) fn ask(socket: &Path) -> Result<Signed<ApplicationProof>, Failure> {
    let mut message = b"hello from the demo, nonce ".to_vec();
    let mut nonce = [0; 16];
    let broken = |what: &str| {
        Failure::refused(
            Fault::Quorate,
            "echo-failed",
            what,
            "report it with this text",
        )
    };
    getrandom::fill(&mut nonce).map_err(|_| broken("the system gives no randomness"))?;
    message.extend_from_slice(crate::output::hex(&nonce).as_bytes());
    let request = Bytes::new(message.clone()).map_err(|_| broken("the message is too long"))?;
    let answer = Connection::open(socket)?.ask(&EchoRequest::Echo(request))?;
    let EchoResponse::Echoed(proof) = answer;
    if proof.unverified().payload.as_slice() != message {
        return Err(broken("the application answered something else"));
    }
    Ok(*proof)
}
