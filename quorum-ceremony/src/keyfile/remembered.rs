//! For tests: what Argon2id gave for a header and a passphrase is computed once in a process.
//!
//! Tests that kill a step at each of its writes unlock the same file hundreds of times, and it costs the
//! same each time. What is given back is what Argon2id gave.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::{Header, KeyFileError, Passphrase, aad, argon2id};

type Question = (Vec<u8>, Vec<u8>);

static KNOWN: LazyLock<Mutex<HashMap<Question, [u8; 32]>>> = LazyLock::new(Mutex::default);

/// The key a passphrase gives under this header.
pub(super) fn unlocking_key(
    header: &Header,
    passphrase: &Passphrase,
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let question = (aad(header), passphrase.0.to_vec());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = known().get(&question) {
        return Ok(Zeroizing::new(*key));
    }
    let key = argon2id(header, passphrase)?;
    known().insert(question, *key);
    Ok(key)
}
