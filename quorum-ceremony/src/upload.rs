//! Sends binaries to an enclave: piece by piece, and on from where it ended when the connection
//! breaks.
//!
//! Guarantees: at most one piece in memory, whatever the size of the binary. A connection that breaks
//! is made again, [`ATTEMPTS`] times in a row without any progress; where to go on is what the enclave
//! says it has. What it has received it hashes itself.

use std::thread;
use std::time::Duration;

use quorate_protocol::atoms::Name;
use quorate_protocol::message::{MAX_CHUNK, Uploaded};

use crate::address::Address;
use crate::binary::BinaryFile;
use crate::client::{Client, ClientError};
use crate::error::CeremonyError;

/// How often a connection is made again without any progress in between.
pub const ATTEMPTS: u32 = 5;
/// Before the first of these; each one that follows doubles it.
const PAUSE: Duration = Duration::from_millis(100);

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The application.
    pub application: &'a Name,
    /// Bytes that the enclave says it has.
    pub received: u64,
    /// Bytes of the whole binary.
    pub size: u64,
    /// How often the connection was made again so far.
    pub reconnected: u32,
}

/// Sends one binary and says how many bytes of it were sent. `client` is another connection
/// afterwards if the first broke.
///
/// # Errors
/// [`ClientError`], or what reading the file gives.
pub fn upload(
    socket: &Address,
    client: &mut Client,
    application: &Name,
    binary: &mut BinaryFile,
    tell: &mut dyn FnMut(Progress<'_>),
) -> Result<u64, CeremonyError> {
    let mut progress = Progress {
        application,
        received: 0,
        size: binary.size(),
        reconnected: 0,
    };
    let (mut sent, mut attempts) = (0_u64, 0);
    loop {
        let before = progress.received;
        match go_on(client, binary, &mut progress, &mut sent, tell) {
            Ok(()) => return Ok(sent),
            Err(CeremonyError::Client(error)) if is_broken(&error) => {
                if progress.received > before {
                    attempts = 0;
                }
                *client = reconnect(socket, &mut attempts, error)?;
                progress.reconnected = progress.reconnected.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Sends until all has arrived, over one connection.
fn go_on(
    client: &mut Client,
    binary: &mut BinaryFile,
    progress: &mut Progress<'_>,
    sent: &mut u64,
    tell: &mut dyn FnMut(Progress<'_>),
) -> Result<(), CeremonyError> {
    let (sha256, size) = (binary.sha256(), binary.size());
    let mut piece = vec![0; MAX_CHUNK];
    let mut state = client.upload_piece(sha256, size, 0, &[])?;
    loop {
        let Uploaded { received, complete } = state;
        // It may be less than before: an enclave that was started again has nothing.
        progress.received = received;
        tell(*progress);
        if complete {
            return Ok(());
        }
        let stuck = ClientError::UploadStuck { received, size };
        let left = size.checked_sub(received).filter(|left| *left > 0);
        let left = left.ok_or_else(|| stuck.clone())?;
        let room = usize::try_from(left).unwrap_or(MAX_CHUNK).min(MAX_CHUNK);
        let room = piece.get_mut(..room).unwrap_or_default();
        let count = binary.read_at(received, room)?;
        if count < room.len() {
            let path = binary.path().into();
            return Err(ClientError::BinaryChanged { path }.into());
        }
        state = client.upload_piece(sha256, size, received, room)?;
        *sent = sent.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        // Every answer moves on, so the loop ends.
        if !state.complete && state.received <= received {
            return Err(stuck.into());
        }
    }
}

/// Whether the connection is to blame, and another may do better.
const fn is_broken(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Closed | ClientError::Io { .. } | ClientError::TimedOut { .. }
    )
}

fn reconnect(
    socket: &Address,
    attempts: &mut u32,
    broken: ClientError,
) -> Result<Client, CeremonyError> {
    let mut newest = broken;
    while *attempts < ATTEMPTS {
        let factor = 1_u32.checked_shl(*attempts).unwrap_or(u32::MAX);
        thread::sleep(PAUSE.saturating_mul(factor));
        *attempts = attempts.saturating_add(1);
        match Client::connect(socket) {
            Ok(client) => return Ok(client),
            Err(error) => newest = error,
        }
    }
    Err(newest.into())
}

#[cfg(test)]
mod tests;
