//! Other people's crates into the store, through cargo.
//!
//! Guarantees: a crate counts when its `.crate` file has the lockfile's checksum. cargo is the only
//! client: how this machine reaches crates.io is cargo's configuration, and a crate cargo already
//! has is taken from its cache without the network.
//!
//! Does not: unpack anything; that happens inside the sandbox.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Refusal, during};
use crate::lock::MAX_PACKAGE;
use crate::progress::Progress;
use crate::sources::Crate;
use crate::store::Store;

/// Takes what the store lacks of `crates` from cargo's cache, after `cargo fetch` for the package
/// in `folder` where the cache lacks it too.
///
/// # Errors
/// If cargo is missing or fails, or what it has does not match the lockfile.
pub(crate) fn fetch(
    crates: &[Crate],
    folder: &Path,
    store: &Store,
    progress: &dyn Progress,
) -> Result<usize, Error> {
    let mut missing = take(crates.iter().collect(), store)?;
    let wanted = missing.len();
    if missing.is_empty() {
        return Ok(0);
    }
    progress.begin(&format!("cargo fetch, for {wanted} crates"), None);
    cargo_fetch(folder)?;
    progress.end();
    missing = take(missing, store)?;
    match missing.first() {
        None => Ok(wanted),
        Some(lost) => Err(Error::Unfetched {
            name: format!("{} {}", lost.name, lost.version),
            tried: vec![("cargo".into(), Refusal::Missing)],
        }),
    }
}

/// Takes into the store what cargo's cache has, and returns what it does not have.
fn take<'a>(crates: Vec<&'a Crate>, store: &Store) -> Result<Vec<&'a Crate>, Error> {
    let caches = caches();
    let mut missing = Vec::new();
    'crates: for wanted in crates {
        if store.has(&wanted.checksum, None) {
            continue;
        }
        for cache in &caches {
            let path = cache.join(format!("{}-{}.crate", wanted.name, wanted.version));
            let Ok(mut file) = File::open(&path) else {
                continue;
            };
            if store
                .insert(&mut file, &wanted.checksum, MAX_PACKAGE)?
                .is_ok()
            {
                continue 'crates;
            }
        }
        missing.push(wanted);
    }
    Ok(missing)
}

/// The folders in which cargo keeps what it fetched, one for each registry.
fn caches() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let own = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let cache = home.or_else(own).unwrap_or_default().join("registry/cache");
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn cargo_fetch(folder: &Path) -> Result<(), Error> {
    let manifest = folder.join("Cargo.toml");
    let output = Command::new("cargo")
        .args(["fetch", "--locked", "--manifest-path"])
        .arg(&manifest)
        .output()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoProgram {
                program: "cargo",
                purpose: "fetches crates",
            },
            _ => during("run", "cargo")(error),
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Program {
        program: "cargo fetch".into(),
        status: output.status.to_string(),
        said: String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned(),
    })
}
