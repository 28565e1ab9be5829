//! Arguments about PKCS#11 tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use quorate_token::{KeyUri, TokenUri, UriError};

/// A URI as it was typed. One that holds a PIN gets as far as here without it: what is said about an
/// argument that cannot be parsed repeats the argument.
#[derive(Clone, Debug)]
pub(crate) enum Typed<U> {
    /// It was read.
    Uri(Box<U>),
    /// It held a PIN, or where one is.
    HoldsPin,
}

fn typed<U>(read: Result<U, UriError>) -> Result<Typed<U>, UriError> {
    match read {
        Err(UriError::Pin) => Ok(Typed::HoldsPin),
        read => read.map(|uri| Typed::Uri(Box::new(uri))),
    }
}

pub(super) fn token_uri(text: &str) -> Result<Typed<TokenUri>, UriError> {
    typed(TokenUri::parse(text))
}

pub(super) fn key_uri(text: &str) -> Result<Typed<KeyUri>, UriError> {
    typed(KeyUri::parse(text))
}

/// Look at tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Show the tokens that are there and what each one lacks
    List(TokenListArguments),
    /// Show whether the token you joined with is there and serves
    Check(TokenCheckArguments),
}

/// Show tokens.
#[derive(Debug, Args)]
#[command(after_help = "\
For each token: its URI, what it is, what it says about tries of its PIN, and what it lacks for a
member's keys. Nothing is logged in to, and no try is used up.

Modules: SoftHSM /usr/lib/softhsm/libsofthsm2.so, YubiKey (PIV) libykcs11.so, many cards and keys
opensc-pkcs11.so, Nitrokey HSM libsc-hsm-pkcs11.so. A module runs inside this program with all its
rights: name one that came with your system or from the token's maker.

Example:
  quorate ceremony token list --module /usr/lib/softhsm/libsofthsm2.so")]
pub(crate) struct TokenListArguments {
    /// The PKCS#11 library of the token's driver
    #[arg(long, value_name = "FILE")]
    pub(crate) module: PathBuf,
}

/// Check a token.
#[derive(Debug, Args)]
#[command(after_help = "\
Compares the tokens that are there with the one your private folder pinned at join: serial number,
firmware, tries of the PIN, abilities. Whether the keys are still in it only a PIN shows; no PIN is
asked for here.

Example:
  quorate ceremony token check --private ~/quorum")]
pub(crate) struct TokenCheckArguments {
    /// Your private folder
    #[arg(long, value_name = "DIR")]
    pub(crate) private: PathBuf,

    /// The PKCS#11 library of the token's driver [default: the one used last]
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,
}
