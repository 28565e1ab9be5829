//! Who takes part in a played ceremony and what they bring: the people with what opens their keys, and the static
//! binaries of the enclave's side.

use std::path::{Path, PathBuf};

use quorate_protocol::atoms::Name;
use zeroize::Zeroizing;

use super::token::SoftToken;
use super::{APPLICATIONS, mistake};
use crate::failure::{Failure, Fault};
use crate::files;

/// Who takes part, in this order.
const NAMES: [&str; 16] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "karl",
    "lena", "mike", "nina", "oscar", "peggy",
];

/// What the enclaves are started from.
pub(crate) enum Base {
    /// An emulated init: each enclave is an ordinary process.
    Process(PathBuf),
    /// An enclave image: each enclave is a virtual machine.
    Machine(PathBuf),
}

impl Base {
    /// How the emulator is told of it.
    pub(crate) fn named(&self) -> (&'static str, &Path) {
        match self {
            Self::Process(init) => ("init", init),
            Self::Machine(image) => ("image", image),
        }
    }

    /// How people are told of it.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Process(_) => "ordinary processes",
            Self::Machine(_) => "virtual machines that boot the image",
        }
    }
}

/// Whether enclaves are virtual machines.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Machine<'p> {
    /// They are ordinary processes.
    No,
    /// They are, and boot this image, or the one that was built.
    Of(Option<&'p Path>),
}

/// The static binaries of the enclave's side.
pub(crate) struct Binaries {
    folder: PathBuf,
    pub(crate) base: Base,
}

/// The folder that builds go to: `target` for `target/release/quorate`.
fn target() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.parent()?.to_owned()))
        .unwrap_or_else(|| "target".into())
}

impl Binaries {
    /// Looks for them; `machine` is whether enclaves are machines, and of which image.
    ///
    /// # Errors
    /// If one is missing.
    pub(crate) fn find(binaries: Option<&Path>, machine: Machine<'_>) -> Result<Self, Failure> {
        let folder = match binaries {
            Some(folder) => folder.to_owned(),
            None => target().join("x86_64-unknown-linux-musl/release"),
        };
        let find = |name: String| {
            let path = folder.join(&name);
            if path.is_file() {
                return Ok(path);
            }
            Err(Failure::usage(
                "no-binaries",
                format!("there is no {name} in {}", folder.display()),
                "run ./demo, which builds it, or name its folder with --binaries",
            ))
        };
        let base = match machine {
            Machine::No => Base::Process(find("quorate-init-emulated".into())?),
            Machine::Of(given) => Base::Machine(image(given)?),
        };
        for (name, _) in APPLICATIONS {
            find(format!("quorate-{name}"))?;
        }
        Ok(Self { folder, base })
    }

    /// The binary of an application that [`find`](Self::find) has seen.
    pub(crate) fn application(&self, name: &str) -> PathBuf {
        self.folder.join(format!("quorate-{name}"))
    }
}

fn image(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => target().join("image/quorate.eif"),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::usage(
        "no-image",
        format!("there is no image at {}", path.display()),
        "run ./demo --machine, which builds it, or `quorate image build`, or name it with --image",
    ))
}

/// A person: a name, a private folder, and what opens their keys.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) private: PathBuf,
    pub(crate) opens: Opens,
}

impl Person {
    /// Their token.
    ///
    /// # Errors
    /// If they have none.
    pub(crate) fn token(&self) -> Result<&SoftToken, Failure> {
        match &self.opens {
            Opens::Token(token) => Ok(token),
            _ => Err(mistake("the token of somebody who has none")),
        }
    }
}

/// What opens somebody's keys.
pub(crate) enum Opens {
    /// What they type at the terminal and keep to themselves.
    Typing,
    /// A passphrase: the keys are in a file.
    Passphrase(Zeroizing<String>),
    /// A PIN: the keys are in a token.
    Token(SoftToken),
}

/// So many people, with private folders below `folder`. Each makes their own when they join. The
/// first of them is whoever has taken a seat, if somebody has.
pub(crate) fn people(
    folder: &Path,
    count: u8,
    seat: Option<&Name>,
) -> Result<Vec<Person>, Failure> {
    std::fs::create_dir(folder).map_err(|error| files::unwritable(folder, &error))?;
    let seated = seat.map(|name| {
        Ok(Person {
            name: name.to_string(),
            private: folder.join("seat"),
            opens: Opens::Typing,
        })
    });
    let others = NAMES
        .iter()
        .filter(|name| seat.is_none_or(|seat| seat.as_str() != **name));
    let others = others.map(|name| {
        Ok(Person {
            name: (*name).into(),
            private: folder.join(name),
            opens: Opens::Passphrase(passphrase()?),
        })
    });
    seated
        .into_iter()
        .chain(others)
        .take(count.into())
        .collect()
}

/// 128 bits, in hexadecimal.
pub(crate) fn passphrase() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new([0; 16]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
        Failure::refused(
            Fault::Machine,
            "no-entropy",
            format!("the system gives no randomness: {error}"),
            "report it with this text",
        )
    })?;
    Ok(Zeroizing::new(crate::output::hex(bytes.as_slice())))
}
