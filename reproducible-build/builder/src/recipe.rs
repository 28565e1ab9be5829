//! `images/image.toml`: what a person decides about the image.
//!
//! Guarantees: a [`Recipe`] that was read has every field within its bounds, and each path in it
//! stays inside `images/`. Unknown keys are refused, so a misspelt line cannot be ignored.
//!
//! Does not: name any digest; that is the lock's part.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, during};

/// Largest file of `images/` that is read whole.
pub(crate) const MAX_TEXT: u64 = 4 << 20;

/// What a person decides about the image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    format: u32,
    /// Name in the image's (unmeasured) metadata.
    pub name: String,
    /// The one time every build step sees: seconds since 1970.
    pub epoch: u64,
    /// The build root.
    pub root: Root,
    /// The kernel.
    pub kernel: Kernel,
    /// The first process.
    pub init: Init,
    /// Ramdisk 1: path in the enclave, and the file under `images/` that it holds.
    #[serde(default)]
    pub files: BTreeMap<String, PathBuf>,
    /// How large the whole image may be, in bytes.
    pub max_bytes: u64,
}

/// The build root.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Debian suites to resolve from.
    pub suites: Vec<String>,
    /// Packages asked for; their dependencies follow.
    pub packages: Vec<String>,
}

/// The kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// The Debian package that holds the source.
    pub package: String,
    /// The tar archive inside it.
    pub tarball: String,
    /// What is on, one option a line.
    pub config: PathBuf,
    /// What must be off.
    pub deny: PathBuf,
    /// How many options may be built in.
    pub max_builtin: usize,
    /// Our patches, in order.
    pub patches: Vec<PathBuf>,
    /// The measured command line.
    pub cmdline: String,
}

/// The first process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// The package, a folder of the repository.
    pub folder: PathBuf,
    /// The binary.
    pub binary: String,
    /// How large it may be, in bytes.
    pub max_bytes: u64,
}

impl Recipe {
    /// Reads `images/image.toml` of the repository at `sources`.
    ///
    /// # Errors
    /// If it is missing, too large, malformed, or names a path outside `images/`.
    pub fn read(sources: &Path) -> Result<Self, Error> {
        let path = sources.join("images/image.toml");
        let text = read_text(&path)?;
        let recipe: Self = toml::from_str(&text).map_err(malformed(&path))?;
        recipe.check(&path)?;
        Ok(recipe)
    }

    fn check(&self, path: &Path) -> Result<(), Error> {
        let fault = |why: String| {
            Err(Error::Malformed {
                path: path.to_owned(),
                why,
            })
        };
        if self.format != 1 {
            return fault(format!("format {} is unknown, 1 is known", self.format));
        }
        let files = self.files.values();
        let paths = self.kernel.patches.iter().chain(files);
        for inner in paths.chain([&self.kernel.config, &self.kernel.deny, &self.init.folder]) {
            if !is_inside(inner) {
                return fault(format!("{} leaves its folder", inner.display()));
            }
        }
        if let Some(target) = self.files.keys().find(|target| !is_inside(target.as_ref())) {
            return fault(format!("{target} is no path from the enclave's root"));
        }
        let words = self.root.packages.iter().chain(&self.root.suites);
        for word in words.chain([&self.kernel.package, &self.init.binary, &self.name]) {
            if !is_word(word) {
                return fault(format!("{word:?} is no name"));
            }
        }
        let line = &self.kernel.cmdline;
        if line.len() > 2000 || !line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return fault("the command line is not printable ASCII of at most 2000 bytes".into());
        }
        // Debian's archive and this kernel did not exist before; a clock of 1970 is a mistake.
        if !(1_600_000_000..4_000_000_000).contains(&self.epoch) {
            return fault(format!("epoch {} is no time since 2020", self.epoch));
        }
        Ok(())
    }
}

/// Reads a text file of `images/`.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    let length = fs::metadata(path).map_err(during("read", path))?.len();
    if length > MAX_TEXT {
        return Err(Error::TooLarge {
            what: path.display().to_string(),
            found: length,
            limit: MAX_TEXT,
        });
    }
    fs::read_to_string(path).map_err(during("read", path))
}

/// For `map_err`: a TOML file with a fault.
pub(crate) fn malformed(path: &Path) -> impl FnOnce(toml::de::Error) -> Error {
    move |error| Error::Malformed {
        path: path.to_owned(),
        why: error.to_string().trim_end().to_owned(),
    }
}

/// A relative path of plain names.
pub(crate) fn is_inside(path: &Path) -> bool {
    let plain = |part| matches!(part, Component::Normal(_));
    path.components().count() > 0 && path.components().all(plain)
}

/// A name that is safe on a command line and in a path.
pub(crate) fn is_word(word: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._:~".contains(&byte);
    let first = word
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    first && word.len() <= 200 && word.bytes().all(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../images/image.toml");

    fn refusal(text: &str) -> String {
        let path = Path::new("image.toml");
        let read = toml::from_str::<Recipe>(text)
            .map_err(malformed(path))
            .and_then(|recipe| recipe.check(path));
        read.unwrap_err().to_string()
    }

    #[test]
    fn the_committed_recipe_is_good() {
        let recipe: Recipe = toml::from_str(GOOD).unwrap();
        assert_eq!(recipe.check(Path::new("image.toml")), Ok(()));
    }

    #[test]
    fn a_recipe_that_leaves_its_folder_fails_closed() {
        let text = GOOD.replace("kernel/x86_64.deny", "../../etc/passwd");
        assert!(refusal(&text).contains("../../etc/passwd leaves its folder"));
    }

    #[test]
    fn a_misspelt_key_fails_closed() {
        let text = GOOD.replace("max_builtin", "max_bultin");
        assert!(refusal(&text).contains("unknown field `max_bultin`"));
    }

    #[test]
    fn an_option_as_a_package_name_fails_closed() {
        let text = GOOD.replace("\"gcc\"", "\"--allow-downgrades\"");
        assert!(refusal(&text).contains("is no name"));
    }

    #[test]
    fn a_clock_of_1970_as_epoch_fails_closed() {
        let line = GOOD.lines().find(|line| line.starts_with("epoch")).unwrap();
        assert!(refusal(&GOOD.replace(line, "epoch = 1")).contains("epoch 1 is no time"));
    }
}
