//! `log`: what the applications of an enclave reported.
//!
//! Nothing is decided here, and nothing of it is attested: it is the enclave's word, and the host
//! carries it.

use quorate_protocol::message::Log;

use crate::address::Address;
use crate::client::Client;
use crate::error::CeremonyError;

/// Asks the enclave.
///
/// # Errors
/// An enclave that does not answer.
pub fn read(socket: impl Into<Address>) -> Result<Log, CeremonyError> {
    Ok(Client::connect(socket)?.log()?)
}
