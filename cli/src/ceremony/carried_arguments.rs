//! The command line of files that are carried.

use clap::Args;
use quorate_protocol::definition::AgeLimit;

use super::arguments::{Acting, Noting, Shared, Socket};

/// A member whose machine has no network.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ByFiles {
    /// This machine does not reach the enclave: make a nonce, or go on with what was brought since
    #[arg(long, conflicts_with = "socket")]
    pub(crate) carried: bool,

    /// Give up what waits and make a new nonce
    #[arg(long, requires = "carried")]
    pub(crate) anew: bool,
}

/// Do the errands.
#[derive(Debug, Args)]
#[command(after_help = "\
For members whose machines reach no enclave: gives each nonce in the folder the attestation that answers
it, and each grant the enclave's receipt. You are trusted with nothing: their tools verify what you
bring. What goes wrong with one keeps nobody else waiting.

Example, inside the shared folder:
  quorate ceremony carry

Exit codes: 0 everything that waited was done; 1 something was refused; 2 the command is unusable.")]
pub(crate) struct CarryArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) noting: Noting,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

/// Reads a limit.
pub(crate) fn age_limit(text: &str) -> Result<AgeLimit, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits);
    seconds
        .and_then(|seconds| AgeLimit::new(seconds).ok())
        .ok_or("an attestation is good for 60 to 1800 seconds")
}
