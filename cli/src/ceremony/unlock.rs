//! What unlocks a person's keys: a passphrase, or a token and its PIN.
//!
//! Guarantees: the private folder says which of the two it is, and a flag for the other one is
//! refused before anything is asked for; a token is found, compared with the pinned one and shown
//! before its PIN is asked for; a PIN is tried once.

use std::path::Path;

use quorate_quorum_ceremony::keys::{LockedKeys, Unlock};
use quorate_quorum_ceremony::steps::join::{Joined, Joining};
use quorate_quorum_ceremony::token::{NamedKeys, TokenKeysError};
use quorate_quorum_ceremony::{CeremonyError, StepError};
use quorate_token::{Inserted, Module, TokenUri, UriError};

use super::arguments::{JoinArguments, Keyed, Typed};
use super::passphrase;
use crate::failure::Failure;
use crate::output::Output;
use crate::pin;

/// Asks for what unlocks keys that exist.
pub(super) fn unlock(keyed: &Keyed, keys: &LockedKeys, output: Output) -> Result<Unlock, Failure> {
    match keys {
        LockedKeys::File(_) if keyed.module.is_some() || keyed.pin_file.is_some() => {
            Err(CeremonyError::from(TokenKeysError::NeedsPassphrase).into())
        }
        LockedKeys::File(_) => Ok(passphrase::read(keyed, false)?.into()),
        LockedKeys::Token(_) if keyed.passphrase_file.is_some() => {
            Err(CeremonyError::from(TokenKeysError::NeedsPin).into())
        }
        LockedKeys::Token(token) => {
            let module = load(keyed.module.as_deref().or(token.module.as_deref()))?;
            with_pin(keyed, token.file.find(module)?, output)
        }
    }
}

/// The token and the keys that somebody who joins has named.
pub(super) struct Named<'a> {
    token: Option<&'a TokenUri>,
    keys: Option<NamedKeys>,
}

impl<'a> Named<'a> {
    /// Takes them from the command line.
    pub(super) fn read(a: &'a JoinArguments) -> Result<Self, Failure> {
        let token = a.token.as_ref().map(uri).transpose()?;
        let signing = a.signing_key.as_ref().map(uri).transpose()?;
        let encryption = a.encryption_key.as_ref().map(uri).transpose()?;
        let keys = signing
            .zip(encryption)
            .map(|(signing, encryption)| NamedKeys {
                signing: signing.clone(),
                encryption: encryption.clone(),
            });
        Ok(Self { token, keys })
    }
}

fn uri<U>(typed: &Typed<U>) -> Result<&U, Failure> {
    match typed {
        Typed::Uri(uri) => Ok(&**uri),
        Typed::HoldsPin => Err(Failure::usage(
            "pin-in-uri",
            UriError::Pin.to_string(),
            "leave it away, and change the PIN: your shell has kept it; it is asked for at the \
             terminal, or read with --pin-file",
        )),
    }
}

/// Asks for what unlocks keys, or for what will unlock new ones, and joins.
pub(super) fn join(
    a: &JoinArguments,
    named: &Named<'_>,
    step: Joining,
    output: Output,
) -> Result<Joined, Failure> {
    let unlock = match (step.keys(), named.token) {
        (None, None) if a.keyed.module.is_some() || a.keyed.pin_file.is_some() => {
            return Err(Failure::usage(
                "usage",
                "--module and --pin-file are for keys in a token, and no token was named",
                "name it with --token; `quorate ceremony token list` prints the URIs of your tokens",
            ));
        }
        (None, None) => passphrase::read(&a.keyed, true)?.into(),
        (None, Some(uri)) => {
            let module = load(a.keyed.module.as_deref().or(uri.module.as_deref()))?;
            let chosen = module.find(|token| token.answers_to(uri));
            with_pin(&a.keyed, chosen.map_err(CeremonyError::from)?, output)?
        }
        (Some(LockedKeys::File(_)), Some(_)) => {
            let (name, token) = (a.name.clone(), false);
            return Err(CeremonyError::from(StepError::JoinedOtherwise { name, token }).into());
        }
        (Some(keys), uri) => {
            let unlock = unlock(&a.keyed, keys, output)?;
            check_named(uri, keys, &unlock)?;
            unlock
        }
    };
    let joined = match &named.keys {
        Some(keys) => step.join_with(unlock, keys),
        None => step.join(unlock),
    };
    Ok(joined?)
}

/// Whether the token that is named is the one that was pinned.
fn check_named(uri: Option<&TokenUri>, keys: &LockedKeys, unlock: &Unlock) -> Result<(), Failure> {
    if let (Some(uri), Unlock::Token(token, _)) = (uri, unlock)
        && !token.report().answers_to(uri)
    {
        let (name, token) = (keys.name().clone(), true);
        return Err(CeremonyError::from(StepError::JoinedOtherwise { name, token }).into());
    }
    Ok(())
}

pub(super) fn load(module: Option<&Path>) -> Result<Module, Failure> {
    let path = module.ok_or(TokenKeysError::ModuleUnknown);
    let path = path.map_err(CeremonyError::from)?;
    Ok(Module::load(path).map_err(CeremonyError::from)?)
}

/// Shows the token and asks for its PIN.
fn with_pin(keyed: &Keyed, token: Inserted, output: Output) -> Result<Unlock, Failure> {
    let report = token.report();
    output.note(&format!(
        "token {:?}: {}",
        report.label.as_str(),
        report.identity
    ));
    let pin = pin::read(output, keyed.pin_file.as_deref(), report)?;
    Ok(Unlock::Token(token, pin))
}
