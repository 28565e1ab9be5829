//! Who takes part in a demo and what they bring: the people with their passphrases, and the static
//! binaries of the enclave's side.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::APPLICATIONS;
use super::folder::Workshop;
use crate::arguments::Demo;
use crate::failure::{Failure, Fault};
use crate::files;

/// Who takes part, in this order.
const NAMES: [&str; 16] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "karl",
    "lena", "mike", "nina", "oscar", "peggy",
];

/// What the enclaves of a demo are started from.
pub(super) enum Base {
    /// An emulated init: each enclave is an ordinary process.
    Process(PathBuf),
    /// An enclave image: each enclave is a virtual machine.
    Machine(PathBuf),
}

impl Base {
    /// How the emulator is told of it.
    pub(super) fn named(&self) -> (&'static str, &Path) {
        match self {
            Self::Process(init) => ("init", init),
            Self::Machine(image) => ("image", image),
        }
    }

    /// How people are told of it.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Process(_) => "ordinary processes",
            Self::Machine(_) => "virtual machines that boot the image",
        }
    }
}

/// The static binaries of the enclave's side.
pub(super) struct Binaries {
    folder: PathBuf,
    pub(super) base: Base,
}

/// The folder that builds go to: `target` for `target/release/quorate`.
fn target() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.parent()?.to_owned()))
        .unwrap_or_else(|| "target".into())
}

impl Binaries {
    pub(super) fn find(demo: &Demo) -> Result<Self, Failure> {
        let folder = match &demo.binaries {
            Some(folder) => folder.clone(),
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
        let base = if demo.machine {
            Base::Machine(image(demo.image.as_deref())?)
        } else {
            Base::Process(find("quorate-init-emulated".into())?)
        };
        for (name, _) in APPLICATIONS {
            find(format!("quorate-{name}"))?;
        }
        Ok(Self { folder, base })
    }

    /// The binary of an application that [`find`](Self::find) has seen.
    pub(super) fn application(&self, name: &str) -> PathBuf {
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

/// A person: a name, a private folder, a passphrase.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) private: PathBuf,
    pub(super) passphrase: Zeroizing<String>,
}

/// The first `count` people. Each makes their own private folder when they join.
pub(super) fn people(workshop: &Workshop, count: u8) -> Result<Vec<Person>, Failure> {
    let folder = workshop.join("people");
    std::fs::create_dir(&folder).map_err(|error| files::unwritable(&folder, &error))?;
    let people = NAMES.iter().take(count.into()).map(|name| {
        Ok(Person {
            name,
            private: folder.join(name),
            passphrase: passphrase()?,
        })
    });
    people.collect()
}

/// 128 bits, in hexadecimal.
fn passphrase() -> Result<Zeroizing<String>, Failure> {
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
