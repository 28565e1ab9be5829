//! Fetching what the lock names, from any mirror.
//!
//! Guarantees: what enters the store has the lock's length and digest, whoever sent it. A transfer
//! that breaks goes on where it stopped, with the same mirror or the next. A mirror that sends too
//! much is cut off, one that sends other bytes is named, and the next one is asked.
//!
//! Does not: ask for anything but the files of the lock, follow a redirection to another scheme, or
//! show what a mirror says.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use ureq::Agent;

use crate::error::{Error, Refusal};
use crate::lock::Package;
use crate::mirror::Mirror;
use crate::progress::Progress;
use crate::store::{Partial, Store};

/// How long a mirror may take to accept a connection, or to send the next bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often one mirror is asked to go on after it broke off.
const TRIES: usize = 3;

/// What a fetch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Files that were already there.
    pub present: usize,
    /// Files that came.
    pub fetched: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Fetches what the store lacks of `packages`.
///
/// # Errors
/// [`Error::Unfetched`] names each mirror and what it did; what came before is kept.
pub fn fetch<'a>(
    packages: impl Iterator<Item = &'a Package>,
    mirrors: &[Mirror],
    store: &Store,
    progress: &dyn Progress,
) -> Result<Fetched, Error> {
    let mut done = Fetched::default();
    let mut missing = Vec::new();
    for package in packages {
        if store.has(&package.sha256, Some(package.size)) {
            done.present += 1;
        } else {
            missing.push(package);
        }
    }
    if missing.is_empty() {
        return Ok(done);
    }
    let client = client();
    let total = missing.iter().map(|package| package.size).sum();
    progress.begin(&format!("fetching {} packages", missing.len()), Some(total));
    for package in missing {
        fetch_one(&client, package, mirrors, store, progress)?;
        done.fetched += 1;
        done.bytes += package.size;
    }
    progress.end();
    Ok(done)
}

fn client() -> Agent {
    let config = Agent::config_builder()
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .max_redirects(5)
        .http_status_as_error(false)
        .user_agent(concat!("quorate/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

fn fetch_one(
    client: &Agent,
    package: &Package,
    mirrors: &[Mirror],
    store: &Store,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let mut partial = store.partial(&package.sha256)?;
    let mut tried = Vec::new();
    progress.advance(partial.length()?.min(package.size));
    for mirror in mirrors {
        let mut refusal = Refusal::Unreachable;
        for _ in 0..TRIES {
            let before = partial.length()?;
            refusal = match transfer(client, package, mirror, &mut partial, progress)? {
                Ok(()) => match partial.finish(store, &package.sha256)? {
                    Ok(()) => return Ok(()),
                    Err(found) => Refusal::Content { found },
                },
                Err(refusal) => refusal,
            };
            let went_on = partial.length()? > before;
            if refusal != Refusal::Unreachable || !went_on {
                break;
            }
        }
        if matches!(refusal, Refusal::Content { .. } | Refusal::Length { .. }) {
            partial.clear()?;
        }
        tried.push((mirror.to_string(), refusal));
    }
    Err(Error::Unfetched {
        name: format!("{} {}", package.name, package.version),
        tried,
    })
}

/// Appends what is missing. `Ok(Ok(()))` when all bytes are there, right or wrong.
fn transfer(
    client: &Agent,
    package: &Package,
    mirror: &Mirror,
    partial: &mut Partial,
    progress: &dyn Progress,
) -> Result<Result<(), Refusal>, Error> {
    if partial.length()? > package.size {
        partial.clear()?;
    }
    let have = partial.length()?;
    if have == package.size {
        return Ok(Ok(()));
    }
    let address = mirror.locate(&package.archive, &package.path);
    let mut content: Box<dyn Read> = match mirror {
        Mirror::Folder(_) => match open_at(&address, have) {
            Ok(file) => Box::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Err(Refusal::Missing));
            }
            Err(_) => return Ok(Err(Refusal::Unreachable)),
        },
        Mirror::Http(_) => {
            let mut request = client.get(&address);
            if have > 0 {
                request = request.header("Range", format!("bytes={have}-"));
            }
            let Ok(response) = request.call() else {
                return Ok(Err(Refusal::Unreachable));
            };
            let wanted = format!("bytes {have}-");
            let goes_on = response
                .headers()
                .get("Content-Range")
                .and_then(|value| value.to_str().ok())
                .is_some_and(|value| value.starts_with(&wanted));
            match response.status().as_u16() {
                206 if have > 0 && goes_on => {}
                // It starts at the beginning: what we have would be in front of it.
                200 => partial.clear()?,
                404 | 410 => return Ok(Err(Refusal::Missing)),
                status => return Ok(Err(Refusal::Status(status))),
            }
            let body = response.into_body();
            Box::new(body.into_reader())
        }
    };
    receive(&mut content, package, partial, progress)
}

fn open_at(path: &str, start: u64) -> io::Result<File> {
    use io::Seek as _;
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(start))?;
    Ok(file)
}

fn receive(
    content: &mut dyn Read,
    package: &Package,
    partial: &mut Partial,
    progress: &dyn Progress,
) -> Result<Result<(), Refusal>, Error> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = match content.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Ok(Err(Refusal::Unreachable)),
        };
        let have = partial.length()?;
        if length == 0 {
            return Ok(if have == package.size {
                Ok(())
            } else {
                Err(Refusal::Length {
                    expected: package.size,
                    found: have,
                })
            });
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        let found = have + length as u64;
        if found > package.size {
            return Ok(Err(Refusal::Length {
                expected: package.size,
                found,
            }));
        }
        partial.append(bytes)?;
        progress.advance(length as u64);
    }
}
