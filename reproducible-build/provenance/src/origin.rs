//! An image with the inputs it was made of, checked against each other.

use quorate_builder::digest::Sha256;
use quorate_builder::lock::{Expected, Lock};
use quorate_builder::sources::Crate;
use quorate_eif::{Eif, EifError};
use thiserror::Error;

/// Why no origin can be stated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginError {
    /// The commit is not one.
    #[error("{found:?} is not a commit: 40 or 64 lower-case hexadecimal digits")]
    Commit {
        /// What was given.
        found: String,
    },
    /// The crates are not those the lock counted.
    #[error("the sources have {found} crates with digest {digest}, the lock names others")]
    Crates {
        /// How many there are.
        found: usize,
        /// Their digest.
        digest: Sha256,
    },
    /// The file is no image.
    #[error("the image: {0}")]
    Image(#[from] EifError),
    /// The image is another than the lock expects.
    #[error("the image's {stage} is {found}, the lock expects {expected}")]
    NotExpected {
        /// What differs.
        stage: &'static str,
        /// What the image has.
        found: String,
        /// What the lock says.
        expected: String,
    },
    /// The lock expects nothing yet.
    #[error("the lock records no result; without one an image cannot be tied to it")]
    NothingExpected,
    /// The patches are not those of the lock.
    #[error("there are {found} patches, the lock has {expected}")]
    Patches {
        /// How many names there are.
        found: usize,
        /// How many the lock has.
        expected: usize,
    },
}

impl OriginError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Commit { .. } => "name the commit as git rev-parse HEAD prints it",
            Self::Image(error) => error.remedy(),
            Self::NothingExpected => "quorate image build --update-golden records one",
            Self::NotExpected { .. } => {
                "build the image from these very sources, or check out those it was built from"
            }
            Self::Crates { .. } | Self::Patches { .. } => {
                "quorate image lock brings the lock up to date with the sources"
            }
        }
    }
}

/// One of our changes to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Its path in the repository.
    pub path: String,
    /// Its digest.
    pub sha256: Sha256,
}

/// An image and everything it was made of.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// Where the source is published, for example `https://github.com/quorate/quorate`.
    pub repository: &'a str,
    /// The commit.
    pub commit: &'a str,
    /// Every other input.
    pub lock: &'a Lock,
    /// What came out.
    pub expected: &'a Expected,
    /// The crates of init.
    pub crates: &'a [Crate],
    /// Our patches of the kernel, in order.
    pub patches: Vec<Patch>,
}

impl<'a> Origin<'a> {
    /// Ties an image to its inputs. `crates` and their digest come from the sources, `patches` are
    /// the paths of the kernel's patches in the order of the lock.
    ///
    /// # Errors
    /// If the image, the crates or the patches are not those of the lock.
    pub fn new(
        repository: &'a str,
        commit: &'a str,
        lock: &'a Lock,
        (crates, crates_digest): (&'a [Crate], Sha256),
        patches: &[String],
        image: &[u8],
    ) -> Result<Self, OriginError> {
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !matches!(commit.len(), 40 | 64) || !commit.bytes().all(hexadecimal) {
            let found = commit.to_owned();
            return Err(OriginError::Commit { found });
        }
        if crates.len() != lock.crates.count || crates_digest != lock.crates.digest {
            return Err(OriginError::Crates {
                found: crates.len(),
                digest: crates_digest,
            });
        }
        let expected = lock.expected.as_ref();
        let expected = expected.ok_or(OriginError::NothingExpected)?;
        let measured = Eif::parse(image)?.measure();
        for (stage, found, expected) in [
            (
                "SHA-256",
                Sha256::of(image).to_string(),
                expected.eif.to_string(),
            ),
            ("PCR0", measured.pcr0.to_string(), expected.pcr0.clone()),
            ("PCR1", measured.pcr1.to_string(), expected.pcr1.clone()),
            ("PCR2", measured.pcr2.to_string(), expected.pcr2.clone()),
        ] {
            if found != expected {
                return Err(OriginError::NotExpected {
                    stage,
                    found,
                    expected,
                });
            }
        }
        let digests = &lock.kernel.patches;
        if patches.len() != digests.len() {
            return Err(OriginError::Patches {
                found: patches.len(),
                expected: digests.len(),
            });
        }
        let patches = patches.iter().zip(digests).map(|(path, sha256)| Patch {
            path: path.clone(),
            sha256: *sha256,
        });
        Ok(Self {
            repository,
            commit,
            lock,
            expected,
            crates,
            patches: patches.collect(),
        })
    }

    /// A file of the source at that commit.
    pub(crate) fn file(&self, path: &str) -> String {
        format!("git+{}@{}#{path}", self.repository, self.commit)
    }
}
