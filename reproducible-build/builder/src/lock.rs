//! `images/lock.toml`: every input by digest, and what must come out.
//!
//! Guarantees: a [`Lock`] that was read names each file once, with a safe name, a relative path and
//! a digest; reading what [`Lock::to_text`] wrote gives the same lock, and each package is one line,
//! so that a change is a small difference to review. A lock edited by hand is refused unless it is
//! one this tool could have written.
//!
//! Trusts: git, for who changed it. Nothing in here is signed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::{Parts, Sha256};
use crate::error::Error;
use crate::recipe::{is_inside, is_word, malformed, read_text};

/// Most packages a lock may name.
pub(crate) const MAX_PACKAGES: usize = 2000;

/// Largest package, in bytes.
pub const MAX_PACKAGE: u64 = 1 << 30;

/// Every input by digest, and what must come out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: u32,
    /// The packages of the build root, by name.
    pub package: Vec<Package>,
    /// The kernel's source.
    pub kernel: KernelLock,
    /// The crates init is made of.
    pub crates: CratesLock,
    /// What must come out; none until the first build was recorded.
    pub expected: Option<Expected>,
}

/// One Debian package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Which of Debian's archives has it: the first part of a mirror's path.
    pub archive: String,
    /// Where in that archive.
    pub path: String,
}

/// The kernel's source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelLock {
    /// The package that holds it.
    pub source: Package,
    /// The digest of the tar archive in it.
    pub tarball: Sha256,
    /// The digest of each of our patches, in order.
    pub patches: Vec<Sha256>,
}

/// The crates init is made of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CratesLock {
    /// How many.
    pub count: usize,
    /// Digest over name, version and checksum of each, as `Cargo.lock` has them.
    pub digest: Sha256,
}

/// What must come out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The unpacked build root.
    pub root: Sha256,
    /// The resolved kernel configuration.
    pub config: Sha256,
    /// The compressed kernel.
    pub kernel: Sha256,
    /// The first process.
    pub init: Sha256,
    /// The first ramdisk.
    pub ramdisk0: Sha256,
    /// The second, when files are declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramdisk1: Option<Sha256>,
    /// The whole image file.
    pub eif: Sha256,
    /// Its length.
    pub eif_bytes: u64,
    /// Kernel, command line and all ramdisks.
    pub pcr0: String,
    /// Kernel, command line and ramdisk 0.
    pub pcr1: String,
    /// The other ramdisks.
    pub pcr2: String,
}

impl Expected {
    /// Each stage and its value, in the order they are built.
    #[must_use]
    pub fn stages(&self) -> Vec<(&'static str, String)> {
        let mut stages = vec![
            ("root", self.root.to_string()),
            ("config", self.config.to_string()),
            ("kernel", self.kernel.to_string()),
            ("init", self.init.to_string()),
            ("ramdisk0", self.ramdisk0.to_string()),
        ];
        stages.extend(self.ramdisk1.map(|digest| ("ramdisk1", digest.to_string())));
        stages.extend([
            ("eif", self.eif.to_string()),
            ("pcr0", self.pcr0.clone()),
            ("pcr1", self.pcr1.clone()),
            ("pcr2", self.pcr2.clone()),
        ]);
        stages
    }
}

impl Lock {
    /// A lock of these inputs, with nothing expected yet.
    #[must_use]
    pub fn new(mut package: Vec<Package>, kernel: KernelLock, crates: CratesLock) -> Self {
        package.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            format: 1,
            package,
            kernel,
            crates,
            expected: None,
        }
    }

    /// Reads `images/lock.toml` of the repository at `sources`.
    ///
    /// # Errors
    /// If it is missing, malformed or not one this tool could have written.
    pub fn read(sources: &Path) -> Result<Self, Error> {
        let path = sources.join("images/lock.toml");
        Self::parse(&read_text(&path)?, &path)
    }

    /// Parses a lock; `path` is for the error.
    ///
    /// # Errors
    /// If it is malformed or not one this tool could have written.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let lock: Self = toml::from_str(text).map_err(malformed(path))?;
        let fault = |why: String| Error::Malformed {
            path: path.to_owned(),
            why,
        };
        if lock.format != 1 {
            return Err(fault(format!(
                "format {} is unknown, 1 is known",
                lock.format
            )));
        }
        if lock.package.len() > MAX_PACKAGES {
            let found = lock.package.len();
            return Err(fault(format!("{found} packages, at most {MAX_PACKAGES}")));
        }
        for package in lock.packages() {
            package.check().map_err(fault)?;
        }
        let names: BTreeSet<_> = lock.package.iter().map(|package| &package.name).collect();
        let sorted = lock.package.is_sorted_by(|a, b| a.name < b.name);
        if names.len() != lock.package.len() || !sorted {
            return Err(fault(
                "packages are not in order, or one stands twice".into(),
            ));
        }
        if lock.expected.as_ref().is_some_and(|expected| {
            let is_pcr = |pcr: &String| {
                let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                pcr.len() == 96 && pcr.bytes().all(digit) && pcr.bytes().any(|byte| byte != b'0')
            };
            ![&expected.pcr0, &expected.pcr1, &expected.pcr2]
                .into_iter()
                .all(is_pcr)
        }) {
            return Err(fault(
                "a PCR is not 96 hexadecimal digits, or is zero".into(),
            ));
        }
        Ok(lock)
    }

    /// Every package, the kernel's source last.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.package.iter().chain([&self.kernel.source])
    }

    /// Digest over every input, for provenance and for co-signing: the lock without what comes out.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Parts::new("quorate/image-lock/v1")
            .with(self.inputs_text().as_bytes())
            .finish()
    }

    /// The file, as it is committed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = self.inputs_text();
        if let Some(expected) = &self.expected {
            text.push_str(
                "\n# What must come out; quorate image build --update-golden\n[expected]\n",
            );
            for (stage, value) in expected.stages() {
                let _ = writeln!(text, "{stage} = \"{value}\"");
                if stage == "eif" {
                    let _ = writeln!(text, "eif_bytes = {}", expected.eif_bytes);
                }
            }
        }
        text
    }

    fn inputs_text(&self) -> String {
        let mut text = String::from(
            "# Every input of the image by its digest, and what must come out. Written by\n\
             # `quorate image lock`; review the difference, do not edit.\n\n",
        );
        let _ = writeln!(text, "format = {}\n\npackage = [", self.format);
        for package in &self.package {
            let _ = writeln!(text, "  {},", package.to_line());
        }
        let kernel = &self.kernel;
        let _ = write!(
            text,
            "]\n\n[kernel]\nsource = {}\ntarball = \"{}\"\npatches = [\n",
            kernel.source.to_line(),
            kernel.tarball
        );
        for patch in &kernel.patches {
            let _ = writeln!(text, "  \"{patch}\",");
        }
        let crates = &self.crates;
        let _ = write!(
            text,
            "]\n\n# The crates of init, as Cargo.lock names them.\n[crates]\ncount = {}\ndigest = \"{}\"\n",
            crates.count, crates.digest
        );
        text
    }
}

impl Package {
    pub(crate) fn to_line(&self) -> String {
        // Checked to be plain names: nothing in them needs to be escaped.
        format!(
            "{{ name = \"{}\", version = \"{}\", size = {}, sha256 = \"{}\", archive = \"{}\", path = \"{}\" }}",
            self.name, self.version, self.size, self.sha256, self.archive, self.path
        )
    }

    /// Whether its names are safe in a path, an address and this file.
    pub(crate) fn check(&self) -> Result<(), String> {
        let name = &self.name;
        for word in [name, &self.version, &self.archive] {
            if !is_word(word) {
                return Err(format!("{word:?} is no name"));
            }
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._:~/%".contains(&byte);
        let is_path = self.path.starts_with("pool/") && self.path.ends_with(".deb");
        if !is_path || !self.path.bytes().all(plain) || !is_inside(self.path.as_ref()) {
            return Err(format!(
                "{name}: {:?} is no path in an archive's pool",
                self.path
            ));
        }
        if self.size == 0 || self.size > MAX_PACKAGE {
            return Err(format!(
                "{name}: {} bytes, at most {MAX_PACKAGE}",
                self.size
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
